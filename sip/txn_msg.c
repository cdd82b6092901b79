/**
 * @file txn_msg.c  Pure. Messages the transaction layer makes itself: ACK to a
 * non-2xx answer, CANCEL, answers to a kept request.
 */
#include "sip/hop.h"
#include "sip/txn_i.h"

/**
 * RFC 3261 17.1.1.3 and 9.1: Request-URI, top Via alone, Route, From, Call-ID
 * and the number of CSeq of the request as it was sent.
 */
static struct blob *hop_request(struct txnl *t, const struct blob *req,
				const char *method, struct sl to,
				struct sl extra)
{
	struct sip_iter it = { 0 };
	struct sip_fault fault;
	const struct sip_hdr *h;
	struct sip_msg *m = &t->tmp;
	struct buf *b = &t->b;

	if (!req || sip_scan(m, req->p, req->n, true, &fault) || !m->req ||
	    !sip_iter(m, SIP_VIA, &it))
		return NULL;

	buf_reset(b);
	buf_str(b, method);
	buf_chr(b, ' ');
	buf_sl(b, m->ruri);
	buf_lit(b, " SIP/2.0\r\n");
	hop_line_put(b, SL("Via: "), it.val);
	for (h = sip_hdr(m, SIP_ROUTE); h; h = sip_hdr_next(m, h))
		hop_line_put(b, SL("Route: "), sip_val(m, h));
	hop_line_put(b, SL("From: "), m->from);
	hop_line_put(b, SL("To: "), sl_isset(to) ? to : m->to);
	hop_line_put(b, SL("Call-ID: "), m->callid);
	buf_lit(b, "CSeq: ");
	buf_u64(b, m->cseq);
	buf_chr(b, ' ');
	buf_str(b, method);
	buf_lit(b, "\r\nMax-Forwards: 70\r\n");
	buf_sl(b, extra);
	buf_lit(b, "Content-Length: 0\r\n\r\n");

	/* the peer's framer takes no more, and would end a connection */
	return b->err || b->n > SIP_MAX_HEAD ? NULL :
		blobs_make(t->cf.blobs, b->p, b->n);
}

/** `to`: To of the answer. NULL: no memory */
struct blob *txn_ack(struct txnl *t, const struct blob *req, struct sl to)
{
	return hop_request(t, req, "ACK", to, SL_NONE);
}

struct blob *txn_cancel(struct txnl *t, const struct blob *req,
			struct sl reason)
{
	return hop_request(t, req, "CANCEL", SL_NONE, reason);
}

/** Tag of our own answers: 16 hex digits that only we can make */
void txn_tag(struct buf *b, const struct txnl *t, const uint64_t in[2])
{
	uint64_t h = secret_hash(t->cf.key, in, 2 * sizeof(in[0]));

	buf_hex(b, &h, sizeof(h));
}

/** Answer to the kept request, RFC 3261 8.2.6. NULL: no memory */
struct blob *txn_reply(struct stxn *s, uint16_t code, struct sl phrase,
		       struct sl extra)
{
	struct buf *b = &s->l->b;

	buf_reset(b);
	buf_lit(b, "SIP/2.0 ");
	buf_u64(b, code);
	buf_chr(b, ' ');
	if (sl_isset(phrase))
		buf_sl(b, phrase);
	else
		buf_str(b, sip_phrase(code));
	buf_lit(b, "\r\n");
	buf_sl(b, stxn_vias(s));
	hop_line_put(b, SL("From: "), span_sl(s->req, s->from));
	buf_lit(b, "To: ");
	buf_sl(b, span_sl(s->req, s->to));
	if (code > 100 && !s->to_tag) {
		buf_lit(b, ";tag=");
		txn_tag(b, s->l, (const uint64_t[2]){ s->hash, s->made_at });
	}
	buf_lit(b, "\r\n");
	hop_line_put(b, SL("Call-ID: "), span_sl(s->req, s->callid));
	hop_line_put(b, SL("CSeq: "), span_sl(s->req, s->cseqv));
	if (code == 100 && s->stamp.n)
		buf_sl(b, span_sl(s->req, s->stamp));
	buf_sl(b, extra);
	buf_lit(b, "Content-Length: 0\r\n\r\n");

	return b->err ? NULL : blobs_make(s->l->cf.blobs, b->p, b->n);
}
