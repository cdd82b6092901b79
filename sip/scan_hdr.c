/* scan_hdr.c - Pure. Syntax of the headers every element depends on. */
#include "sip/chr.h"
#include "sip/hop.h"
#include "sip/scan_in.h"
#include "sip/uri_in.h"

enum { CSEQ_MAX = 0x7fffffff };   /* RFC 3261 8.1.1.5 */

/* the ',' that ends the element at p, e = none does */
static const char *elem_end(const char *p, const char *e)
{
	/* most are an address in <> and nothing else */
	if (p < e && *p == ' ')
		p++;
	if (p < e && *p == '<') {
		p = memchr(p, '>', (size_t)(e - p));
		if (!p || ++p == e)
			return e;
	}
	for (;;) {
		p = chr_find3(p, e, ',', '<', '"');
		if (p == e || *p == ',')
			return p;
		if (*p == '<')
			p = memchr(p, '>', (size_t)(e - p));
		else
			p = chr_quoted(p, e);
		if (!p)
			return e;
	}
}

bool scan_elem(struct sl *rest, struct sl *elem)
{
	const char *e, *q;

	if (!rest->n)
		return false;
	e = rest->p + rest->n;
	q = elem_end(rest->p, e);
	*elem = sl_mk(rest->p, (size_t)(q - rest->p));
	if (elem->n && (*elem->p <= ' ' || q[-1] <= ' '))
		*elem = sl_trim(*elem);
	*rest = q < e ? sl_mk(q + 1, (size_t)(e - q - 1)) : SL_NONE;
	return true;
}

/* Every list here: elements parted by ',', none of them empty */
static const char *scan_via(struct scan *s, const char *p, const char *e)
{
	struct via low, *v = s->vias ? &low : &s->m->top;
	const char *lim = s->quick ? s->lim : e;   /* e: no short cuts */

	for (;; v = &low) {
		p = via_scan(v, chr_lws(p, e), e, lim);
		if (!p) {
			/* it counts: none further down is the top one */
			*v = (struct via){0};
			s->vias++;
			return "Bad Via";
		}
		if (!s->vias++ && s->m->req && v->branch.n == 7 &&
		    sl_ieq(v->branch, SL(SIP_COOKIE)))
			return "Empty Via Branch";
		if (s->vias > SIP_MAX_VIAS)
			return "Too Many Vias";
		if (p++ == e)
			return NULL;
	}
}

/* name-addrs; `route`: only in <> */
static bool scan_addrs(struct scan *s, bool route, const char *p,
		       const char *e)
{
	struct name_addr na;
	struct uri u;

	for (;;) {
		p = name_addr_scan(&na, &u, NULL, p, e, s->lim);
		if (!p || (route && !na.brackets))
			return false;
		if (p++ == e)
			return true;
	}
}

static const char *scan_contact(struct scan *s, const char *p, const char *e)
{
	if (e - p == 1 && *p == '*')
		return NULL;
	return scan_addrs(s, false, p, e) ? NULL : "Bad Contact";
}

static const char *scan_route(struct scan *s, const char *p, const char *e)
{
	return scan_addrs(s, true, p, e) ? NULL : "Bad Route";
}

/* The others stand once; who takes the first and who takes the last must not
 * see two messages. */
static bool scan_twice(const struct scan *s, enum sip_hid id)
{
	return s->m->count[id] > 1;
}

/* name-addr or addr-spec, at most one tag */
static bool scan_party(struct scan *s, struct sl *tag, const char *p,
		       const char *e)
{
	struct name_addr na;
	struct uri u;

	return name_addr_scan(&na, &u, tag, p, e, s->lim) == e;
}

static const char *const twice = "Several Single Headers";

static const char *scan_from(struct scan *s, const char *p, const char *e)
{
	if (scan_twice(s, SIP_FROM))
		return twice;
	s->m->from = sl_mk(p, (size_t)(e - p));
	return scan_party(s, &s->m->from_tag, p, e) ? NULL : "Bad From";
}

static const char *scan_to(struct scan *s, const char *p, const char *e)
{
	if (scan_twice(s, SIP_TO))
		return twice;
	s->m->to = sl_mk(p, (size_t)(e - p));
	return scan_party(s, &s->m->to_tag, p, e) ? NULL : "Bad To";
}

/* digits up to 9, the usual case, else sl_u32 */
static inline bool scan_num(const char *p, const char *e, uint32_t max, uint32_t *vp)
{
	uint32_t n = 0;

	if (e - p > 9 || p == e)
		return sl_u32(sl_mk(p, (size_t)(e - p)), max, vp) == 0;
	for (; p < e; p++) {
		unsigned d = (unsigned)*p - '0';

		if (d > 9)
			return false;
		n = n * 10 + d;
	}
	*vp = n;
	return n <= max;
}

static const char *scan_cseq(struct scan *s, const char *p, const char *e)
{
	const char *q = chr_run(p, e, CHR_DIGIT);
	struct sip_msg *m = s->m;
	struct sl method;

	if (scan_twice(s, SIP_CSEQ))
		return twice;
	if (!scan_num(p, q, CSEQ_MAX, &m->cseq))
		return "Bad CSeq Number";
	p = chr_lws(q, e);
	if (p == q || p == e)
		return "Bad CSeq";
	method = sl_mk(p, (size_t)(e - p));
	if (m->req)
		return sl_eq(method, m->method) ? NULL : "CSeq Method Mismatch";
	if (chr_run(p, e, CHR_TOKEN) != e)
		return "Bad CSeq";
	m->method = method;
	m->meth = sip_method(method);
	return NULL;
}

static const char *scan_call_id(struct scan *s, const char *p, const char *e)
{
	if (scan_twice(s, SIP_CALL_ID))
		return twice;
	s->m->callid = sl_mk(p, (size_t)(e - p));
	return p < e && chr_span(p, e, s->lim, CHR_VIS) == e ? NULL :
							       "Bad Call-ID";
}

static const char *scan_maxfwd(struct scan *s, const char *p, const char *e)
{
	uint32_t n;

	if (scan_twice(s, SIP_MAX_FORWARDS))
		return twice;
	if (!scan_num(p, e, 255, &n))
		return "Bad Max-Forwards";
	s->m->maxfwd = (int32_t)n;
	return NULL;
}

static const char *scan_length(struct scan *s, const char *p, const char *e)
{
	if (scan_twice(s, SIP_CONTENT_LENGTH))
		return "Several Content-Length";
	s->has_len = scan_num(p, e, UINT32_MAX, &s->len);
	return s->has_len ? NULL : "Bad Content-Length";
}

static const char *scan_type(struct scan *s, const char *p, const char *e)
{
	return scan_twice(s, SIP_CONTENT_TYPE) ? twice : NULL;
}

static const char *scan_expires(struct scan *s, const char *p, const char *e)
{
	return scan_twice(s, SIP_EXPIRES) ? twice : NULL;
}

scan_hdr_h *const scan_hdr[SIP_H_N] = {
	[SIP_VIA] = scan_via,
	[SIP_FROM] = scan_from,
	[SIP_TO] = scan_to,
	[SIP_CALL_ID] = scan_call_id,
	[SIP_CSEQ] = scan_cseq,
	[SIP_MAX_FORWARDS] = scan_maxfwd,
	[SIP_ROUTE] = scan_route,
	[SIP_RECORD_ROUTE] = scan_route,
	[SIP_PATH] = scan_route,
	[SIP_SERVICE_ROUTE] = scan_route,
	[SIP_CONTACT] = scan_contact,
	[SIP_CONTENT_LENGTH] = scan_length,
	[SIP_CONTENT_TYPE] = scan_type,
	[SIP_EXPIRES] = scan_expires,
};
