/* scan.c - Pure. One pass over a message: lines, names, start line, body. */
#include <errno.h>

#include "sip/chr.h"
#include "sip/hop.h"
#include "sip/scan_in.h"
#include "sip/scan_quick.h"
#include "sip/uri_in.h"

/* the first fault found is the one that is told */
static void scan_fault(struct scan *s, uint16_t code, const char *why)
{
	if (s->f->code)
		return;
	s->f->code = code;
	s->f->why = why;
}

/*
 * End of the line that begins at p: *ve = its end without CRLF, result = past
 * the CRLF, NULL = the bytes end before. `fold`: lines that begin with a blank
 * belong to it.
 */
static const char *scan_odd_line(struct scan *s, const char *p, const char *e,
				 bool fold, const char **ve)
{
	const char *start = p;

	for (;;) {
		const char *q = chr_ctl(p, e);

		if (q == e)
			return NULL;
		p = q + 1;
		if (*q == '\r' && p < e && *p == '\n') {
			p++;
		} else if (*q == '\n') {
			s->m->bare_lf = true;
			scan_fault(s, 400, "Line End Without CR");
		} else {
			/* controls: HTAB, and quoted pairs but CR LF */
			if (*q != '\t' && (!fold || *q == '\r' || q == start ||
					   q[-1] != '\\'))
				scan_fault(s, 400, "Control Character");
			continue;
		}
		if (fold && p < e && (*p == ' ' || *p == '\t'))
			continue;
		*ve = q;
		return p;
	}
}

/* the same for most lines: no control character but the CRLF, no fold */
static inline const char *scan_line(struct scan *s, const char *p,
				    const char *e, bool fold, const char **ve)
{
	const char *q = chr_ctl(p, e);

	if (e - q < 3 || q[0] != '\r' || q[1] != '\n' ||
	    (fold && (q[2] == ' ' || q[2] == '\t')))
		return scan_odd_line(s, p, e, fold, ve);
	*ve = q;
	return q + 2;
}

/* "SIP/x.y"; 0 = 2.0, 1 = another version, -1 = no version at all */
static int scan_version(struct sl s)
{
	struct sl num;
	size_t dot;

	if (s.n == 7 && memcmp(s.p, "SIP/2.0", 7) == 0)
		return 0;
	if (!sl_istarts(s, SL("SIP/")))
		return -1;
	num = sl_sub(s, 4, s.n);
	dot = sl_chr(num, '.');
	if (!dot || dot + 1 >= num.n ||
	    chr_run(num.p, num.p + dot, CHR_DIGIT) != num.p + dot ||
	    chr_run(num.p + dot + 1, num.p + num.n, CHR_DIGIT) !=
		    num.p + num.n)
		return -1;
	return sl_eq(num, SL("2.0")) ? 0 : 1;
}

static void scan_request_line(struct scan *s, const char *p, const char *e)
{
	struct sip_msg *m = s->m;
	const char *q = chr_run(p, e, CHR_TOKEN), *r = NULL;
	struct uri u;
	int v;

	m->method = sl_mk(p, (size_t)(q - p));
	m->meth = sip_method(m->method);
	if (q == p || q == e || *q != ' ') {
		scan_fault(s, 400, "Bad Request Line");
		return;
	}
	p = q + 1;
	if (e <= s->stop)
		r = quick_uri(p);
	if (!r || *r != ' ') {
		r = uri_scan(&u, p, e, s->lim);
		if (!r || r == e || *r != ' ' || sl_isset(u.headers)) {
			scan_fault(s, 400, "Bad Request-URI");
			return;
		}
	}
	m->ruri = sl_mk(p, (size_t)(r - p));
	v = scan_version(sl_mk(r + 1, (size_t)(e - r - 1)));
	if (v > 0)
		scan_fault(s, 505, "Version Not Supported");
	else if (v)
		scan_fault(s, 400, "Bad Request Line");
}

static void scan_status_line(struct scan *s, const char *p, const char *e)
{
	struct sip_msg *m = s->m;

	if (e - p < 11 || scan_version(sl_mk(p, 7)) || p[7] != ' ' ||
	    p[8] < '1' || p[8] > '6' || !chr_is(p[9], CHR_DIGIT) ||
	    !chr_is(p[10], CHR_DIGIT) ||
	    (e - p > 11 && p[11] != ' ')) {
		scan_fault(s, 400, "Bad Status Line");
		return;
	}
	m->status = (uint16_t)((p[8] - '0') * 100 + (p[9] - '0') * 10 +
			       (p[10] - '0'));
	m->reason = e - p > 12 ? sl_mk(p + 12, (size_t)(e - p - 12)) : SL("");
}

static inline void scan_add(struct scan *s, uint8_t id, const char *p,
		     const char *name_end, const char *v, const char *ve,
		     const char *end)
{
	struct sip_msg *m = s->m;
	struct sip_hdr *h = &m->hdr[m->hdrc++];

	h->id = id;
	h->next = 0;
	h->off = (uint32_t)(p - s->b);
	h->nlen = (uint32_t)(name_end - p);
	h->vs = (uint32_t)(v - s->b);
	h->ve = (uint32_t)(ve - s->b);
	h->end = (uint32_t)(end - s->b);
	if (!m->count[id]++)
		m->first[id] = m->hdrc;
	else
		m->hdr[s->last[id] - 1].next = (uint16_t)(m->hdrc - 1);
	s->last[id] = m->hdrc;
}

/* One header with its folded lines. Result: the next line, NULL = no end */
static const char *scan_header(struct scan *s, const char *p, const char *e)
{
	const char *q, *v, *ve, *end, *why;
	uint8_t id;

	q = chr_run(p, e, CHR_TOKEN);
	for (v = q; v < e && (*v == ' ' || *v == '\t'); v++)
		;
	if (q == p || v == e || *v != ':') {
		scan_fault(s, 400, "Bad Header Name");
		return scan_line(s, p, e, true, &ve);
	}
	id = scan_hdr_id(p, (size_t)(q - p));
	end = scan_line(s, ++v, e, true, &ve);
	if (!end)
		return NULL;
	if (end - p > SIP_MAX_LINE)
		scan_fault(s, 400, "Header Too Long");
	if (s->m->hdrc == SIP_MAX_HDRS) {
		scan_fault(s, 400, "Too Many Headers");
		return end;
	}
	v = chr_lws(v, ve);
	while (ve > v && chr_is(ve[-1], CHR_LWS))
		ve--;
	scan_add(s, id, p, q, v, ve, end);
	why = scan_hdr[id] ? scan_hdr[id](s, v, ve) : NULL;
	if (why)
		scan_fault(s, 400, why);
	return end;
}

static inline const char *quick_via(struct scan *s, const char *p)
{
	struct via low, *v = s->vias ? &low : &s->m->top;
	uint32_t n = s->vias;

	for (;; v = &low) {
		p = via_quick(v, p);
		if (p && !n++ && v->branch.n == 7)
			p = NULL;   /* the cookie alone? */
		if (!p || *p != ',')
			break;
		p += 1 + (p[1] == ' ');
	}
	if (p && n <= SIP_MAX_VIAS && quick_ends(p)) {
		s->vias = n;
		return p;
	}
	if (!s->vias)
		s->m->top = (struct via){0};
	return NULL;
}

static inline const char *quick_addrs(const char *p)
{
	for (;;) {
		p = quick_addr(p);
		if (!p || *p != ',')
			return p;
		p += 1 + (p[1] == ' ');
	}
}

static inline const char *quick_party(struct sl *val, struct sl *tag, const char *v,
			       const char *e)
{
	const char *p = quick_addr(v), *t;

	if (!p)
		return NULL;
	t = p;
	if (memcmp(p, ";tag=", 5) == 0) {
		t = p + 5;
		p = quick_span(t, CHR_TOKEN);
		if (p == t)
			return NULL;
	}
	if (!quick_ends(p) || e - p < 3)
		return NULL;
	if (p > t)
		*tag = sl_mk(t, (size_t)(p - t));
	*val = sl_mk(v, (size_t)(p - v));
	return p;
}

static inline const char *quick_cseq(struct sip_msg *m, const char *v)
{
	uint32_t n;
	const char *p = quick_num(v, &n), *t = p + 1;
	struct sl method;

	if (p == v || *p != ' ')
		return NULL;
	p = quick_span(t, CHR_TOKEN);
	method = sl_mk(t, (size_t)(p - t));
	if (p == t || !quick_ends(p) ||
	    (m->req && !sl_eq(method, m->method)))
		return NULL;
	m->cseq = n;
	if (!m->req) {
		m->method = method;
		m->meth = sip_method(method);
	}
	return p;
}

/* with a constant id nothing is left of the switch */
#define ALWAYS static inline __attribute__((always_inline))

/* Does a header with this name begin at p, one blank behind its colon? */
#define NAMED(lit) (memcmp(p, lit ": ", sizeof(lit ": ") - 1) == 0)

ALWAYS const char *quick_list(const char *v)
{
	const char *p = *v == ' ' ? NULL : quick_addrs(v);

	return p && quick_ends(p) ? p : NULL;
}

/* One of those that stand once; NULL = there was one already, or other */
ALWAYS const char *quick_value(struct scan *s, uint8_t id,
				      const char *v, const char *e)
{
	struct sip_msg *m = s->m;
	const char *p;
	uint32_t n;

	if (m->count[id])
		return NULL;
	switch (id) {
	case SIP_FROM:
		return *v == ' ' ? NULL :
		       quick_party(&m->from, &m->from_tag, v, e);
	case SIP_TO:
		return *v == ' ' ? NULL :
		       quick_party(&m->to, &m->to_tag, v, e);
	case SIP_CSEQ:
		return quick_cseq(m, v);
	case SIP_CALL_ID:
		p = quick_span(v, CHR_VIS);
		if (p == v || !quick_ends(p))
			return NULL;
		m->callid = sl_mk(v, (size_t)(p - v));
		return p;
	default:
		p = quick_num(v, &n);
		if (p == v || !quick_ends(p))
			return NULL;
		if (id == SIP_CONTENT_LENGTH) {
			s->len = n;
			s->has_len = true;
			return p;
		}
		if (n > 255)
			return NULL;
		m->maxfwd = (int32_t)n;
		return p;
	}
}

/* A header that most messages have, in its usual spelling, name and value: the
 * end of the value, the CR of the CRLF, with all of the message's fields set.
 * NULL = other, nothing was set that the full way does not set again */
ALWAYS const char *quick_known(struct scan *s, const char *p,
				      const char *e, uint8_t *id, uint32_t *n)
{
#define KNOWN(h, lit) (*id = (h), *n = sizeof(lit) - 1, p + sizeof(lit) + 1)
#define ONCE(h, lit) quick_value(s, (h), KNOWN(h, lit), e)
	switch (*p) {
	case 'V':
		return NAMED("Via") ? quick_via(s, KNOWN(SIP_VIA, "Via")) :
				      NULL;
	case 'F':
		return NAMED("From") ? ONCE(SIP_FROM, "From") : NULL;
	case 'T':
		return NAMED("To") ? ONCE(SIP_TO, "To") : NULL;
	case 'M':
		return NAMED("Max-Forwards") ?
			ONCE(SIP_MAX_FORWARDS, "Max-Forwards") : NULL;
	case 'R':
		if (NAMED("Record-Route"))
			return quick_list(KNOWN(SIP_RECORD_ROUTE,
						"Record-Route"));
		return NAMED("Route") ? quick_list(KNOWN(SIP_ROUTE,
							 "Route")) : NULL;
	case 'C':
		if (NAMED("Call-ID"))
			return ONCE(SIP_CALL_ID, "Call-ID");
		if (NAMED("CSeq"))
			return ONCE(SIP_CSEQ, "CSeq");
		if (NAMED("Contact"))
			return quick_list(KNOWN(SIP_CONTACT, "Contact"));
		return NAMED("Content-Length") ?
			ONCE(SIP_CONTENT_LENGTH, "Content-Length") : NULL;
	default:
		return NULL;
	}
#undef ONCE
#undef KNOWN
}
#undef NAMED

/* Another one, when it is a plain name and one line, with no blanks but one
 * behind the colon: its end, with *hid, *n and where the value begins.
 * NULL = not such a one */
static inline const char *quick_plain(const char *p, const char *e,
				      uint8_t *id, uint32_t *n,
				      const char **vp)
{
	const char *q = quick_span(p, CHR_TOKEN), *v = q + 1;

	if (q == p || *q != ':')
		return NULL;
	*n = (uint32_t)(q - p);
	*id = scan_hdr_id(p, *n);
	v += *v == ' ';
	if (*v <= ' ')
		return NULL;
	*vp = v;
	q = chr_ctl(v, e);
	return quick_ends(q) && q[-1] != ' ' ? q : NULL;
}

/* One header before s->stop; so its CR is ahead, with enough bytes behind it,
 * and it is no longer than SIP_MAX_LINE. NULL = look closer */
static inline const char *scan_quick_header(struct scan *s, const char *p,
					    const char *e)
{
	const char *q, *v, *why;
	scan_hdr_h *check = NULL;
	uint32_t n = 0;
	uint8_t id = 0;

	if (s->m->hdrc == SIP_MAX_HDRS)
		return NULL;
	q = quick_known(s, p, e, &id, &n);
	v = p + n + 2;
	if (!q) {
		q = quick_plain(p, e, &id, &n, &v);
		if (!q)
			return NULL;
		check = scan_hdr[id];
	}
	scan_add(s, id, p, p + n, v, q, q + 2);
	why = check ? check(s, v, q) : NULL;
	if (why)
		scan_fault(s, 400, why);
	return q + 2;
}

/* "Content-Length: 0" CRLF CRLF, where nothing may be read ahead any more: the
 * end of most messages. NULL = not that */
static inline const char *scan_quick_last(struct scan *s, const char *p,
					  const char *e)
{
	if (!s->quick || e - p < 21 || s->m->count[SIP_CONTENT_LENGTH] ||
	    memcmp(p, "Content-Length: 0\r\n\r\n", 21) != 0 ||
	    s->m->hdrc == SIP_MAX_HDRS)
		return NULL;
	s->has_len = true;
	s->len = 0;
	scan_add(s, SIP_CONTENT_LENGTH, p, p + 14, p + 16, p + 17, p + 19);
	return p + 19;
}

/* All headers up to the empty line; sets body_off. False = it is missing */
static bool scan_hdrs(struct scan *s, const char *p, const char *e)
{
	const char *q;

	while (p && p < e) {
		q = p < s->stop ? scan_quick_header(s, p, e) :
				  scan_quick_last(s, p, e);
		if (q) {
			p = q;
			continue;
		}
		if (*p == '\r' && p + 1 < e && p[1] == '\n') {
			s->m->body_off = (uint32_t)(p + 2 - s->b);
			return true;
		}
		if (*p == '\n') {
			s->m->bare_lf = true;
			scan_fault(s, 400, "Line End Without CR");
			s->m->body_off = (uint32_t)(p + 1 - s->b);
			return true;
		}
		p = scan_header(s, p, e);
	}
	return false;
}

/* Start line and headers. False = the empty line is missing */
static bool scan_head(struct scan *s, const char *e)
{
	struct sip_msg *m = s->m;
	const char *p = s->b, *ve;

	m->req = !(e - p >= 4 && (*p | 0x20) == 's' &&
		   (memcmp(p, "SIP/", 4) == 0 ||
		    sl_istarts(sl_mk(p, 4), SL("SIP/"))));
	p = scan_line(s, p, e, false, &ve);
	if (!p) {
		scan_fault(s, 400, "Bad Start Line");
		return false;
	}
	if (m->req)
		scan_request_line(s, s->b, ve);
	else
		scan_status_line(s, s->b, ve);
	m->hdrs_off = (uint32_t)(p - s->b);
	return scan_hdrs(s, p, e);
}

static void scan_body(struct scan *s, bool datagram)
{
	struct sip_msg *m = s->m;
	size_t left = m->raw.n - m->body_off;

	if (s->has_len && s->len > left)
		scan_fault(s, 400, "Body Shorter Than Content-Length");
	else if (s->has_len && s->len < left && !datagram)
		scan_fault(s, 400, "Body Longer Than Content-Length");
	else if (s->has_len)
		left = s->len;
	else if (!datagram)
		scan_fault(s, 400, "No Content-Length");
	m->raw.n = m->body_off + left;
	m->body = sl_mk(m->raw.p + m->body_off, left);
}

static void scan_required(struct scan *s)
{
	static const struct {
		uint8_t id;
		const char *why;
	} req[] = {
		{SIP_VIA, "No Via"},         {SIP_FROM, "No From"},
		{SIP_TO, "No To"},           {SIP_CALL_ID, "No Call-ID"},
		{SIP_CSEQ, "No CSeq"},
	};

	for (unsigned i = 0; i < sizeof(req) / sizeof(*req); i++)
		if (!s->m->count[req[i].id])
			scan_fault(s, 400, req[i].why);
}

int sip_scan(struct sip_msg *m, const void *mem, size_t n, bool datagram,
	     struct sip_fault *fault)
{
	return scan_msg(m, mem, n, datagram, true, fault);
}

int scan_msg(struct sip_msg *m, const void *mem, size_t n, bool datagram,
	     bool quick, struct sip_fault *fault)
{
	struct scan s = {.m = m, .f = fault, .quick = quick};
	const char *p = mem, *e = p + n;
	size_t head;

	*fault = (struct sip_fault){0};
	memset(m, 0, offsetof(struct sip_msg, hdr));
	m->maxfwd = -1;
	/* RFC 3261 7.5: line ends before the start line are ignored */
	while (p < e && (*p == '\r' || *p == '\n'))
		p++;
	if (p == e)
		return ENODATA;
	s.b = p;
	s.lim = e;
	m->raw = sl_mk(p, (size_t)(e - p));
	if (quick && m->raw.n > SCAN_AHEAD)
		s.stop = chr_last(p, p + (m->raw.n < SIP_MAX_LINE ? m->raw.n :
					  SIP_MAX_LINE) - SCAN_AHEAD, '\r');
	head = m->raw.n < SIP_MAX_HEAD ? m->raw.n : SIP_MAX_HEAD;
	if (m->raw.n > SIP_MAX_MSG)
		scan_fault(&s, 513, "Message Too Large");
	if (!scan_head(&s, p + head)) {
		if (m->raw.n > SIP_MAX_HEAD)
			scan_fault(&s, 513, "Headers Too Large");
		scan_fault(&s, 400, "No End of Headers");
	} else {
		scan_body(&s, datagram);
		scan_required(&s);
	}
	if (!fault->code)
		return 0;
	/* An answer needs a way back and something to match it by; the
	 * headers it copies may be as broken as they came. */
	fault->answerable = m->req && m->meth != SIP_ACK && m->count[SIP_VIA] &&
			    m->count[SIP_CSEQ];
	return EBADMSG;
}
