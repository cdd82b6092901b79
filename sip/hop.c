/* hop.c - Pure. What one hop adds and takes; answers made from a request. */
#include <errno.h>

#include "sip/chr.h"
#include "sip/hop.h"

void hop_via_head(struct buf *b, uint8_t tp, const char *sentby)
{
	buf_lit(b, "Via: SIP/2.0/");
	buf_str(b, tp_name(tp));
	buf_chr(b, ' ');
	buf_str(b, sentby);
	buf_lit(b, ";branch=");
}

void hop_via_add(struct buf *b, struct sl head, struct sl branch, bool alias)
{
	buf_sl(b, head);
	buf_sl(b, branch);
	if (alias)
		buf_lit(b, ";rport;alias\r\n");
	else
		buf_lit(b, ";rport\r\n");
}

void hop_via_put(struct buf *b, uint8_t tp, const char *sentby,
		 struct sl branch, bool alias)
{
	hop_via_head(b, tp, sentby);
	hop_via_add(b, SL_NONE, branch, alias);
}

/* Values of a refused message can hold a bare CR or LF, which must not end the
 * line they are copied into. */
void hop_put_flat(struct buf *b, struct sl s)
{
	const char *p = s.p, *e = s.n ? p + s.n : p, *q = p;

	while ((q = chr_ctl(q, e)) < e) {
		if (*q != '\r' && *q != '\n') {
			q++;
			continue;
		}
		buf_put(b, p, (size_t)(q - p));
		buf_chr(b, ' ');
		p = q = chr_lws(q, e);
	}
	if (p < e)
		buf_put(b, p, (size_t)(e - p));
}

static void put_hdr(struct buf *b, struct sl name, struct sl val)
{
	const char *e = val.n ? val.p + val.n : val.p;

	if (chr_ctl(val.p, e) == e) {
		hop_line_put(b, name, val);
		return;
	}
	buf_sl(b, name);
	hop_put_flat(b, val);
	buf_lit(b, "\r\n");
}

/* a header that is one line already: in one piece */
static void put_as_is(struct buf *b, const struct sip_msg *m,
		      const struct sip_hdr *h)
{
	const char *p = m->raw.p + h->off, *e = m->raw.p + h->ve;

	if (h->end == h->ve + 2 && chr_ctl(p, e) == e)
		buf_put(b, p, h->end - h->off);
	else
		put_hdr(b, SL("Via: "), sip_val(m, h));
}

/* the address without the brackets: RFC 3261 25.1 via-received */
static void put_received(struct buf *b, const struct addr *src)
{
	uint8_t mem[ADDR_TXT];
	struct buf t;
	struct sl s;

	buf_lit(b, ";received=");
	if (src->af == 4) {
		addr_put_ip(b, src);
	} else {
		buf_fixed(&t, mem, sizeof(mem));
		addr_put_ip(&t, src);
		s = buf_as_sl(&t);
		if (s.n > 2 && *s.p == '[')
			s = sl_sub(s, 1, s.n - 1);
		buf_sl(b, s);
	}
	buf_lit(b, ";rport=");
	buf_u64(b, src->port);
}

/* `flat`: no control character in it, as nearly always */
static void put_part(struct buf *b, const char *p, const char *e, bool flat)
{
	if (flat)
		buf_put(b, p, (size_t)(e - p));
	else
		hop_put_flat(b, sl_mk(p, (size_t)(e - p)));
}

/* copies [p, to) but for `cut`, which may lie outside; returns where to go on */
static const char *put_until(struct buf *b, const char *p, struct sl cut,
			     const char *to, bool flat)
{
	if (cut.n && cut.p >= p && cut.p < to) {
		put_part(b, p, cut.p, flat);
		p = cut.p + cut.n;
	}
	return p;
}

/* the top via-parm with what we know of its sender; returns its end */
static const char *put_top_via(struct buf *b, const struct via *v,
			       const char *p, const struct addr *src,
			       bool flat)
{
	struct sl cut[2], t;
	const char *end = v->sentby.p + v->sentby.n;

	if (sl_isset(v->params))
		end = v->params.p + v->params.n;
	cut[0] = v->rport_txt;
	cut[1] = v->received_txt;
	if (cut[0].n && cut[1].n && cut[0].p > cut[1].p) {
		t = cut[0];
		cut[0] = cut[1];
		cut[1] = t;
	}
	p = put_until(b, p, cut[0], end, flat);
	p = put_until(b, p, cut[1], end, flat);
	t = sl_mk(p, (size_t)(end - p));
	if (t.n && (*t.p <= ' ' || end[-1] <= ' '))
		t = sl_trim(t);
	put_part(b, t.p, t.p + t.n, flat);
	put_received(b, src);
	return end;
}

void hop_vias_put(struct buf *b, const struct sip_msg *m,
		  const struct addr *src)
{
	const struct sip_hdr *h = sip_hdr(m, SIP_VIA);
	const char *p, *e;
	bool flat;

	if (!h)
		return;
	e = m->raw.p + h->ve;
	buf_lit(b, "Via: ");
	p = m->raw.p + h->vs;
	flat = chr_ctl(p, e) == e;
	if (m->top.tp.n)
		p = put_top_via(b, &m->top, p, src, flat);
	if (p < e)
		put_part(b, p, e, flat);
	buf_lit(b, "\r\n");
	while ((h = sip_hdr_next(m, h)))
		put_as_is(b, m, h);
}

static void reply_head(struct buf *b, const struct sip_msg *req,
		       const struct addr *src, uint16_t code,
		       struct sl phrase, struct sl to_tag)
{
	struct sl s;

	buf_lit(b, "SIP/2.0 ");
	buf_u64(b, code);
	buf_chr(b, ' ');
	hop_put_flat(b, phrase.n ? phrase : sl_cstr(sip_phrase(code)));
	buf_lit(b, "\r\n");
	hop_vias_put(b, req, src);
	s = sip_first(req, SIP_FROM);
	if (sl_isset(s))
		put_hdr(b, SL("From: "), s);
	s = sip_first(req, SIP_TO);
	if (sl_isset(s)) {
		buf_lit(b, "To: ");
		hop_put_flat(b, s);
		if (code > 100 && to_tag.n && !sl_isset(req->to_tag)) {
			buf_lit(b, ";tag=");
			buf_sl(b, to_tag);
		}
		buf_lit(b, "\r\n");
	}
	s = sip_first(req, SIP_CALL_ID);
	if (sl_isset(s))
		put_hdr(b, SL("Call-ID: "), s);
	s = sip_first(req, SIP_CSEQ);
	if (sl_isset(s))
		put_hdr(b, SL("CSeq: "), s);
}

void reply_write(struct buf *b, const struct sip_msg *req,
		 const struct addr *src, uint16_t code, struct sl phrase,
		 struct sl to_tag, struct sl extra)
{
	reply_head(b, req, src, code, phrase, to_tag);
	buf_sl(b, extra);
	buf_lit(b, "Content-Length: 0\r\n\r\n");
}

void reply_write_body(struct buf *b, const struct sip_msg *req,
		      const struct addr *src, uint16_t code, struct sl phrase,
		      struct sl to_tag, struct sl type, struct sl body)
{
	reply_head(b, req, src, code, phrase, to_tag);
	put_hdr(b, SL("Content-Type: "), type);
	buf_lit(b, "Content-Length: ");
	buf_u64(b, body.n);
	buf_lit(b, "\r\n\r\n");
	buf_sl(b, body);
}

void hop_reply_vias(struct splice *s, struct sl vias)
{
	splice_del_all(s, SIP_VIA);
	splice_top(s, vias);
}

int hop_maxfwd(struct splice *s, const struct sip_msg *m, char room[32])
{
	unsigned v = (unsigned)m->maxfwd - 1, n = v >= 100 ? 3 : v >= 10 ? 2 : 1;

	if (m->maxfwd < 0) {
		splice_end(s, SL("Max-Forwards: 70\r\n"));
		return 0;
	}
	if (m->maxfwd == 0)
		return ELOOP;
	/* 254 at most */
	for (unsigned i = n; i--; v /= 10)
		room[i] = (char)('0' + v % 10);
	splice_val(s, sip_hdr(m, SIP_MAX_FORWARDS), sl_mk(room, n));
	return 0;
}

/** Smaller is better */
static unsigned rank(uint16_t code)
{
	unsigned class = code / 100 == 2 ? 0 : code / 100 == 6 ? 1 :
					      code / 100u;

	switch (code) {
	case 401: case 407: case 415: case 420: case 484:
		return class * 10;
	case 408: case 430: case 480: case 487: case 503:
		return class * 10 + 2;
	default:
		return class * 10 + 1;
	}
}

bool hop_better(uint16_t code, uint16_t than)
{
	return rank(code) < rank(than);
}

int hop_route_parse(struct sl elem, struct uri *u, bool *lr)
{
	struct name_addr na;
	struct sl val;
	int err;

	err = name_addr_parse(&na, elem);
	if (!err)
		err = uri_parse(u, na.uri);
	if (!err)
		*lr = param_get(u->params, SL("lr"), &val);
	return err;
}

void hop_route_strip(struct splice *s, const struct sip_msg *m, unsigned n)
{
	const struct sip_hdr *h;

	for (h = sip_hdr(m, SIP_ROUTE); h && n; h = sip_hdr_next(m, h)) {
		struct sl rest = sip_val(m, h), elem, next;
		uint32_t to;

		while (n && sl_elem(&rest, &elem))
			n--;
		next = rest;
		if (!sl_elem(&next, &elem)) {
			splice_del(s, h);
			continue;
		}
		to = (uint32_t)(elem.p - m->raw.p);
		splice_cut(s, h->vs, to, SL_NONE);
	}
}
