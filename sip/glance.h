/**
 * @file glance.h  Pure. Just enough of a request in its usual form to refuse it,
 * at a fraction of a scan: RFC 3261 8.2.6.2 wants Via, From, To, Call-ID and
 * CSeq in an answer. Takes less than sip_scan(), never more: what is folded,
 * doubled, or written in another way is left to it.
 */
#ifndef SIP_GLANCE_H
#define SIP_GLANCE_H

#include "sip/scan.h"

/**
 * Look at one whole message. On true these fields of *m are what sip_scan()
 * finds, and no others are set: raw, req, meth, method, ruri, top, callid, cseq,
 * from, to, body_off, and the headers named above. So reply_write() works on it.
 * to_tag is set when there is one, or something alike that a closer look may
 * find to be none. What is wrong elsewhere in the message (its body, another
 * header, the URI of From) is not seen.
 *
 * @return false: look closer, *m is not usable
 */
bool glance(struct sip_msg *m, const void *p, size_t n);

#endif
