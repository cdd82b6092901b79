/**
 * @file inner.h  Pure. What edge and nodes have to say to each other beside
 * calls: an OPTIONS from one to the other whose body is lines of two words.
 * docs/decisions/0042-flows-that-are-gone.md.
 */
#ifndef SIP_INNER_H
#define SIP_INNER_H

#include "sip/flow.h"
#include "sip/scan.h"

/** Edge to node: address of record and Path token of connections that ended */
#define INNER_GONE "application/edgewise-gone"
/** Node to edge: "crlf TOKEN" or "stun TOKEN", a keep-alive is to be written
 *  on that flow. The answer's body: "dead TOKEN" for each that has ended */
#define INNER_KEEP "application/edgewise-keep"

/** Node to edge: "wait MS", "from URI", then "TOKEN URI" for each contact: it is
 *  to be asked by OPTIONS on that flow. The answer comes when all have answered, or
 *  after that time; its body has for each, in that order, "CODE MS", or "none MS":
 *  silent, or "bad 0": not asked */
#define INNER_ASK "application/edgewise-ask"
enum { INNER_URI = 512 };    /**< the longest URI of one [bytes]            */

/** Edge to node: a header of a 200 to an INVITE, which says that the caller has
 *  the phone's 2xx already: it is not passed on. It has no Contact and no body */
#define INNER_TOLD "Edgewise-Told"

/** Largest body [bytes]: with its headers below the largest message, or below
 *  what a datagram may have */
enum { INNER_STREAM = 60000, INNER_DATAGRAM = 900 };
static inline size_t inner_room(uint8_t tp)
{
	return tp_stream(tp) ? INNER_STREAM : INNER_DATAGRAM;
}

/** Is it such a message, of that type, and made by its sender? What a client
 *  wrote has passed an edge: it has a second Via */
bool inner_is(const struct sip_msg *m, struct sl type);
/** Is this of a ping that a node sends to a contact, or of an answer to one?
 *  Such a ping has a Call-ID of 16 hexadecimal digits, "-" and 8 more, and no
 *  other than an OPTIONS is looked at */
bool inner_is_ping(struct sl callid, struct sl cseq);
/** Next line "A B". Those that are none are unset. @return false at the end */
bool inner_line(struct sl *rest, struct sl *a, struct sl *b);

#endif
