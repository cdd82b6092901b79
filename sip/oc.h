/**
 * @file oc.h  Pure. Overload control of a server, as it stands in the Via that it
 * gives back: RFC 7339 4. Only the algorithm "loss".
 */
#ifndef SIP_OC_H
#define SIP_OC_H

#include "base/sl.h"

enum { OC_VALIDITY = 500, OC_VALIDITY_MAX = 10000 };    /* [ms] default, cap */

struct oc {
	uint32_t loss;        /**< [%] of the requests not to be sent, 0..100  */
	uint32_t validity;    /**< [ms] up to OC_VALIDITY_MAX; 0 = over        */
	uint64_t seq;         /**< later is larger; 0 = none                   */
};

/** Offers it, behind the other parameters of a Via */
#define OC_OFFER ";oc;oc-algo=\"loss\""

/**
 * params: of a Via, as in struct via.
 * @return 0; ENOENT: says nothing of it (or gives back what was offered); EBADMSG:
 * not in its form, out of bounds, twice; ENOTSUP: of another algorithm
 */
int oc_parse(struct oc *o, struct sl params);

#endif
