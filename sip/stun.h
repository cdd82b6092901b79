/**
 * @file stun.h  Pure. STUN Binding on a SIP port: the keep-alive of phones
 * over UDP that also tells them their public address. RFC 8489, RFC 5626 3.5.2, 8.
 */
#ifndef SIP_STUN_H
#define SIP_STUN_H

#include "base/addr.h"
#include "base/buf.h"

enum { STUN_HEAD = 20 };       /**< [bytes]                                  */

/** Is this datagram STUN (its first byte is below any letter, and the magic
 *  cookie and length are right)? */
bool stun_is(struct sl d);
/** Is it a success answer of ours to be accounted for as such? */
bool stun_is_answer(struct sl d);
/** The answer to a Binding request from src; nothing for what is none.
 *  @return 0; ENOENT: not answered */
int  stun_answer(struct buf *b, struct sl d, const struct addr *src);
/** A Binding request without attributes; id: 12 random bytes */
void stun_request(struct buf *b, const uint8_t id[12]);

#endif
