/**
 * @file hop.h  Pure. What one hop adds and takes: Via, Route, Record-Route,
 * Path, Max-Forwards; and answers built from a request. RFC 3261 16, 18, 3581,
 * 3327, 5626. Where a Via is added: hop_via_put().
 */
#ifndef SIP_HOP_H
#define SIP_HOP_H

#include "sip/flow.h"
#include "sip/scan.h"
#include "sip/splice.h"
#include "sip/uri.h"

#define SIP_COOKIE "z9hG4bK"

/** Parse one via-parm. @return 0 or EBADMSG */
int via_parse(struct via *v, struct sl s);
/** Top Via of m, as m->top has it. @return 0, ENOENT, EBADMSG */
int via_top(const struct sip_msg *m, struct via *v);
/** n-th via-parm (0 = top) over all Via headers */
int via_nth(const struct sip_msg *m, unsigned n, struct via *v);
/** All via-parms in turn; it = { 0 } at first. False = no more, or a bad one */
bool via_next(const struct sip_msg *m, struct sip_iter *it, struct via *v);

/** "Via: SIP/2.0/TCP sentby;branch=", which is the same for all of a listener */
void hop_via_head(struct buf *b, uint8_t tp, const char *sentby);
/** The Via with such a head: "...;rport[;alias]\r\n" */
void hop_via_add(struct buf *b, struct sl head, struct sl branch, bool alias);
/** Both at once */
void hop_via_put(struct buf *b, uint8_t tp, const char *sentby,
		 struct sl branch, bool alias);

/**
 * All Vias of a request as header lines for its answers and for forwarding:
 * each original line, the top via-parm completed with received= and rport=
 * from src (always both: we answer symmetrically).
 */
void hop_vias_put(struct buf *b, const struct sip_msg *m, const struct addr *src);

/**
 * A response to a request: status line, Vias (by hop_vias_put), From, To
 * (with to_tag when it has none and code > 100), Call-ID, CSeq, `extra`
 * complete header lines, Content-Length: 0.
 */
void reply_write(struct buf *b, const struct sip_msg *req,
		 const struct addr *src, uint16_t code, struct sl phrase,
		 struct sl to_tag, struct sl extra);

/** The same with a body of this type */
void reply_write_body(struct buf *b, const struct sip_msg *req,
		      const struct addr *src, uint16_t code, struct sl phrase,
		      struct sl to_tag, struct sl type, struct sl body);

/**
 * A response passed upstream: status line and headers of `resp` without its
 * Vias, with `vias` (header lines kept from the request) in their place.
 * `s` may already hold other cuts; this adds its own.
 */
void hop_reply_vias(struct splice *s, struct sl vias);

/**
 * Max-Forwards of a forwarded request: minus one, or 70 added when absent.
 * `room` (at least 32 bytes) must live until splice_write().
 * @return 0, or ELOOP when it is 0 already (answer 483)
 */
int hop_maxfwd(struct splice *s, const struct sip_msg *m, char room[32]);

/**
 * Of the final answers of two branches, is `code` the one to pass upstream? RFC
 * 3261 16.7 step 6: 2xx, 6xx, then the lowest class; in it what helps the caller
 * to ask better, then what a phone said, then what only tells that a phone was
 * not reached.
 */
bool hop_better(uint16_t code, uint16_t than);

/** A header line: name with its ": ", value, CRLF. As it is, see hop_put_flat() */
static inline void hop_line_put(struct buf *b, struct sl name, struct sl val)
{
	uint8_t *p = buf_room(b, name.n + val.n + 2);

	if (!p)
		return;
	memcpy(p, name.p, name.n);
	p += name.n;
	if (val.n)
		memcpy(p, val.p, val.n);
	memcpy(p + val.n, "\r\n", 2);
	b->n += name.n + val.n + 2;
}

/** A header value as one line: each fold, and any CR or LF, becomes a blank */
void hop_put_flat(struct buf *b, struct sl val);

/** The URI of a Route/Record-Route/Path element and whether it has ;lr */
int hop_route_parse(struct sl elem, struct uri *u, bool *lr);

/**
 * Leading Route elements: splice away the first n of them (whole headers when
 * all of a header's elements go, else the leading part of its value).
 */
void hop_route_strip(struct splice *s, const struct sip_msg *m, unsigned n);

#endif
