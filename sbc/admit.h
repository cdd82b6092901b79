/**
 * @file admit.h  Pure. May this message come in? What the scanner leaves to
 * policy: RFC 3261 16.3 (scheme, Max-Forwards, Proxy-Require), size.
 */
#ifndef SBC_ADMIT_H
#define SBC_ADMIT_H

#include "base/buf.h"
#include "sip/scan.h"
#include "sip/uri.h"

enum admit_verdict {
	ADMIT_OK,
	ADMIT_REFUSE,     /**< answer with code                               */
	ADMIT_DROP,       /**< no answer (an ACK)                             */
};

struct admit {
	uint16_t code;
	struct sl phrase;    /**< SL_NONE = the standard one                  */
	struct sl extra;     /**< header lines, in `room`                     */
	char room[512];
};

struct admit_conf {
	uint32_t max_message;    /**< [bytes]                                 */
	bool outside;            /**< from a client                           */
};

/** Is there room in m for what we and the node add on its way (Via, Path, Route,
 *  Record-Route)? A message that outgrows the limits of the framer would end
 *  the connection to a node, with all that runs on it. */
bool admit_fits(const struct sip_msg *m);
/** Judge a scanned request. *a is written always. */
enum admit_verdict admit_request(struct admit *a, const struct admit_conf *cf,
				 const struct sip_msg *m);

#endif
