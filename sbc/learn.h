/**
 * @file learn.h  Pure. What a node's Edgewise-Health header says of other
 * nodes: members=NAME@IP:PORT/TRANSPORT,... Nothing in it is believed before
 * it has been checked.
 */
#ifndef SBC_LEARN_H
#define SBC_LEARN_H

#include "base/addr.h"

#define LEARN_MAX 20         /**< entries read of one header                 */

struct learn_member {
	char name[64];
	struct addr addr;    /**< numeric, with a port                       */
	uint8_t tp;          /**< TP_UDP or TP_TCP                           */
};

/** Value of members= in the header, SL_NONE = there is none */
struct sl learn_members(struct sl header);
/**
 * Take the first entry off the list.
 *
 * @return 0; EBADMSG: it is none, go on with the next; ENOENT: list is over
 */
int  learn_next(struct sl *list, struct learn_member *m);

#endif
