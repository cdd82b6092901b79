/* scan_quick.c - Pure. Start lines and headers in their usual spelling, by the
 * forms of scan_quick.h; what is spelled otherwise is left to scan.c. */
#include "sip/hop.h"
#include "sip/scan_in.h"
#include "sip/scan_quick.h"

/* with a constant id nothing is left of a switch */
#define ALWAYS static inline __attribute__((always_inline))

/* SIP-Version and CRLF after the Request-URI */
#define VERSION " SIP/2.0\r\n"

static const char *request_line(struct sip_msg *m, const char *p)
{
	const char *q = quick_span(p, CHR_TOKEN), *r;

	if (q == p || *q != ' ')
		return NULL;
	r = quick_uri(q + 1);
	if (!r || memcmp(r, VERSION, sizeof(VERSION) - 1) != 0)
		return NULL;
	m->req = true;
	m->method = sl_mk(p, (size_t)(q - p));
	m->meth = sip_method(m->method);
	m->ruri = sl_mk(q + 1, (size_t)(r - q - 1));
	return r + sizeof(VERSION) - 1;
}

static const char *status_line(struct sip_msg *m, const char *p)
{
	unsigned a = (uint8_t)p[8] - '0', b = (uint8_t)p[9] - '0';
	unsigned c = (uint8_t)p[10] - '0';
	const char *q;

	if (a - 1 > 5 || b > 9 || c > 9 || p[11] != ' ')
		return NULL;
	q = quick_ctl(p + 12);
	if (q == p + 12 || memcmp(q, "\r\n", 2) != 0)
		return NULL;
	m->req = false;
	m->status = (uint16_t)(100 * a + 10 * b + c);
	m->reason = sl_mk(p + 12, (size_t)(q - p - 12));
	return q + 2;
}

const char *scan_quick_start(struct scan *s)
{
	if (s->b >= s->stop)
		return NULL;
	return memcmp(s->b, "SIP/2.0 ", 8) == 0 ? status_line(s->m, s->b) :
						  request_line(s->m, s->b);
}

/* The header at p, its name n bytes long, one blank behind the colon, value up to
 * q; past its CRLF. With a constant id and n nearly nothing is left of it */
ALWAYS const char *add(struct scan *s, uint8_t id, const char *p, uint32_t n,
		       const char *v, const char *q)
{
	struct sip_msg *m = s->m;
	unsigned i = m->hdrc;
	struct sip_hdr *h = &m->hdr[i];

	h->id = id;
	h->next = 0;
	h->off = (uint32_t)(p - s->b);
	h->nlen = n;
	h->vs = (uint32_t)(v - s->b);
	h->ve = (uint32_t)(q - s->b);
	h->end = h->ve + 2;
	if (m->count[id]++)
		m->hdr[s->last[id]].next = (uint16_t)i;
	else
		m->first[id] = (uint8_t)(i + 1);
	s->last[id] = (uint8_t)i;
	m->hdrc = (uint16_t)(i + 1);
	return q + 2;
}

/* Any header that is a plain name and one line, with no blanks but one behind
 * the colon. NULL = not such a one */
static __attribute__((noinline)) const char *plain(struct scan *s,
						   const char *p)
{
	const char *q = quick_span(p, CHR_TOKEN), *v = q + 1, *e, *why;
	uint8_t id;

	if (q == p || *q != ':')
		return NULL;
	v += *v == ' ';
	if ((uint8_t)*v <= ' ')
		return NULL;
	e = quick_ctl(v);
	if (!quick_ends(e) || e[-1] == ' ')
		return NULL;
	id = scan_hdr_id(p, (size_t)(q - p));
	p = add(s, id, p, (uint32_t)(q - p), v, e);
	why = scan_hdr[id] ? scan_hdr[id](s, v, e) : NULL;
	if (why)
		scan_fault(s, 400, why);
	return p;
}

/* Does a header with this name, of 14 letters at most, begin at p, one blank behind
 * its colon? Long ones as two halves that overlap: for one piece a library is called */
#define NAMED(lit) begins(p, lit ": ", sizeof(lit ": ") - 1)
ALWAYS bool begins(const char *p, const char *lit, size_t n)
{
	if (n <= 8)
		return memcmp(p, lit, n) == 0;
	return memcmp(p, lit, 8) == 0 &&
		memcmp(p + n - 8, lit + n - 8, 8) == 0;
}
/* It does: where its value begins, and the header with its end at q */
#define VALUE(lit) (p + sizeof(lit ": ") - 1)
#define ADD(id, lit, q) add(s, id, p, sizeof(lit) - 1, VALUE(lit), q)

/*
 * The headers most messages have, told apart by their first letter. Each looks at
 * name and value in their usual spelling, sets the fields of the message and
 * returns past the CRLF. What is spelled otherwise goes to plain(): nothing was
 * set that the full way does not set again.
 */
static const char *start_v(struct scan *s, const char *p)
{
	struct via *top = &s->m->top;
	uint32_t n = s->vias;
	const char *q;

	if (!NAMED("Via"))
		return plain(s, p);
	q = VALUE("Via");
	if (!n) {
		q = quick_via(top, q, true);
		/* the cookie alone? */
		if (q && top->branch.n != 7 && quick_ends(q)) {
			s->vias = 1;
			return ADD(SIP_VIA, "Via", q);
		}
		if (!q || top->branch.n == 7 || *q != ',')
			goto other;
		n = 1;
		q += 1 + (q[1] == ' ');
	}
	for (;; q += 1 + (q[1] == ' ')) {
		q = quick_via(NULL, q, false);
		if (!q || n++ == SIP_MAX_VIAS)
			goto other;
		if (*q != ',')
			break;
	}
	if (quick_ends(q)) {
		s->vias = n;
		return ADD(SIP_VIA, "Via", q);
	}
other:
	if (!s->vias)
		*top = (struct via){0};
	return plain(s, p);
}

/* From, To: at most a tag behind the address. The end of the value, or NULL */
ALWAYS const char *party(struct sl *val, struct sl *tag, const char *v)
{
	const char *p = *v == ' ' ? NULL : quick_addr(v), *t;

	if (!p)
		return NULL;
	t = p;
	if (memcmp(p, ";tag=", 5) == 0) {
		t = p + 5;
		p = quick_span(t, CHR_TOKEN);
		if (p == t)
			return NULL;
	}
	if (!quick_ends(p))
		return NULL;
	if (p > t)
		*tag = sl_mk(t, (size_t)(p - t));
	*val = sl_mk(v, (size_t)(p - v));
	return p;
}

static const char *start_f(struct scan *s, const char *p)
{
	struct sip_msg *m = s->m;
	const char *q = NULL;

	if (NAMED("From") && !m->count[SIP_FROM])
		q = party(&m->from, &m->from_tag, VALUE("From"));
	return q ? ADD(SIP_FROM, "From", q) : plain(s, p);
}

static const char *start_t(struct scan *s, const char *p)
{
	struct sip_msg *m = s->m;
	const char *q = NULL;

	if (NAMED("To") && !m->count[SIP_TO])
		q = party(&m->to, &m->to_tag, VALUE("To"));
	return q ? ADD(SIP_TO, "To", q) : plain(s, p);
}

static const char *start_m(struct scan *s, const char *p)
{
	uint32_t n;
	const char *q;

	/* the empty line, whose CR has an M's low bits */
	if (*p == '\r')
		return NULL;
	if (!NAMED("Max-Forwards") || s->m->count[SIP_MAX_FORWARDS])
		return plain(s, p);
	q = quick_num(VALUE("Max-Forwards"), 3, &n);
	if (!q || n > 255 || !quick_ends(q))
		return plain(s, p);
	s->m->maxfwd = (int32_t)n;
	return ADD(SIP_MAX_FORWARDS, "Max-Forwards", q);
}

ALWAYS const char *addrs(struct scan *s, uint8_t id, const char *p, uint32_t n)
{
	const char *v = p + n + 2, *q = v;

	if (*v == ' ')
		return plain(s, p);
	for (;; q += 1 + (q[1] == ' ')) {
		q = quick_addr(q);
		if (!q)
			return plain(s, p);
		if (*q != ',')
			break;
	}
	return quick_ends(q) ? add(s, id, p, n, v, q) : plain(s, p);
}

static const char *start_r(struct scan *s, const char *p)
{
	const bool rr = NAMED("Record-Route");

	if (!rr && !NAMED("Route"))
		return plain(s, p);
	return addrs(s, rr ? SIP_RECORD_ROUTE : SIP_ROUTE, p,
		     rr ? sizeof("Record-Route") - 1 : sizeof("Route") - 1);
}

static const char *contact(struct scan *s, const char *p)
{
	return addrs(s, SIP_CONTACT, p, sizeof("Contact") - 1);
}

static const char *call_id(struct scan *s, const char *p)
{
	const char *v = VALUE("Call-ID"), *q = quick_span(v, CHR_VIS);

	if (q == v || s->m->count[SIP_CALL_ID] || !quick_ends(q))
		return plain(s, p);
	s->m->callid = sl_mk(v, (size_t)(q - v));
	return ADD(SIP_CALL_ID, "Call-ID", q);
}

static const char *cseq(struct scan *s, const char *p)
{
	struct sip_msg *m = s->m;
	uint32_t n;
	const char *q = quick_num(VALUE("CSeq"), 9, &n), *t;
	struct sl method;

	if (!q || *q != ' ' || m->count[SIP_CSEQ])
		return plain(s, p);
	t = q + 1;
	q = quick_span(t, CHR_TOKEN);
	method = sl_mk(t, (size_t)(q - t));
	if (q == t || !quick_ends(q) ||
	    (m->req && !sl_eq(method, m->method)))
		return plain(s, p);
	m->cseq = n;
	if (!m->req) {
		m->method = method;
		m->meth = sip_method(method);
	}
	return ADD(SIP_CSEQ, "CSeq", q);
}

static const char *length(struct scan *s, const char *p)
{
	const char *v = VALUE("Content-Length"), *q;
	uint32_t n;

	/* programs that learn it last leave room for more digits */
	while (*v == ' ')
		v++;
	q = quick_num(v, 9, &n);
	if (!q || s->m->count[SIP_CONTENT_LENGTH] || !quick_ends(q))
		return plain(s, p);
	s->len = n;
	s->has_len = true;
	return add(s, SIP_CONTENT_LENGTH, p, sizeof("Content-Length") - 1, v,
		   q);
}

static const char *type(struct scan *s, const char *p)
{
	const char *v = VALUE("Content-Type"), *q = quick_ctl(v);

	if ((uint8_t)*v <= ' ' || q[-1] == ' ' || !quick_ends(q) ||
	    s->m->count[SIP_CONTENT_TYPE])
		return plain(s, p);
	return ADD(SIP_CONTENT_TYPE, "Content-Type", q);
}

static const char *start_c(struct scan *s, const char *p)
{
	/* Call-ID, CSeq, Contact, Content-: each name is read once only */
	switch (p[2]) {
	case 'l':
		return NAMED("Call-ID") ? call_id(s, p) : plain(s, p);
	case 'e':
		return NAMED("CSeq") ? cseq(s, p) : plain(s, p);
	case 'n':
		if (NAMED("Contact"))
			return contact(s, p);
		if (NAMED("Content-Length"))
			return length(s, p);
		return NAMED("Content-Type") ? type(s, p) : plain(s, p);
	default:
		return plain(s, p);
	}
}

const char *scan_quick_hdrs(struct scan *s, const char *p)
{
	/* by the low bits of a letter; others find out at the name */
	static const char *(*const start[32])(struct scan *s,
					      const char *p) = {
		plain,   plain,   plain,   start_c, plain,   plain,
		start_f, plain,   plain,   plain,   plain,   plain,
		plain,   start_m, plain,   plain,   plain,   plain,
		start_r, plain,   start_t, plain,   start_v, plain,
		plain,   plain,   plain,   plain,   plain,   plain,
		plain,   plain,
	};
	const char *q;

	for (; p < s->stop && s->m->hdrc < SIP_MAX_HDRS; p = q) {
		q = start[*p & 31](s, p);
		if (!q)
			break;
	}
	return p;
}

/* the end of most messages, where nothing may be read ahead any more */
#define LAST "Content-Length: 0\r\n\r\n"

const char *scan_quick_last(struct scan *s, const char *p, const char *e)
{
	if (e - p < (int)sizeof(LAST) - 1 ||
	    memcmp(p, LAST, sizeof(LAST) - 1) != 0 ||
	    s->m->count[SIP_CONTENT_LENGTH] || s->m->hdrc == SIP_MAX_HDRS)
		return p;
	s->has_len = true;
	s->len = 0;
	scan_add(s, SIP_CONTENT_LENGTH, p, p + 14, p + 16, p + 17, p + 19);
	return p + 19;
}
