/* glance.c - Pure. What a refusal needs of a request. */
#include "sip/glance.h"
#include "sip/chr.h"
#include "sip/scan_in.h"
#include "sip/scan_quick.h"

enum {
	LINES = 64,            /**< of headers looked at                      */
	VIAS = 8,              /**< header lines copied into an answer        */
};

static const struct sl version = { " SIP/2.0\r\n", 10 };

/* [p, name) ":" [v, ve) CR at q */
static void add(struct sip_msg *m, uint8_t id, const char *p,
		const char *name, struct sl val, const char *q)
{
	const char *b = m->raw.p;
	struct sip_hdr *h = &m->hdr[m->hdrc];

	h->id = id;
	h->next = 0;
	h->off = (uint32_t)(p - b);
	h->nlen = (uint32_t)(name - p);
	h->vs = (uint32_t)(val.p - b);
	h->ve = (uint32_t)(val.p + val.n - b);
	h->end = (uint32_t)(q + 2 - b);
	if (!m->count[id]++) {
		m->first[id] = (uint8_t)(m->hdrc + 1);
	} else {
		struct sip_hdr *l = &m->hdr[m->first[id] - 1];

		while (l->next)
			l = &m->hdr[l->next];
		l->next = m->hdrc;
	}
	m->hdrc++;
}

/* The tag of a To: no other text behind a ';' begins so but what is inside of
 * quotes or <>, and that is looked at closer as well */
static struct sl tag_of(struct sl to)
{
	const char *e = to.p + to.n, *p = to.p, *q;

	while ((p = memchr(p, ';', (size_t)(e - p)))) {
		p = chr_lws(p + 1, e);
		if (!sl_istarts(sl_mk(p, (size_t)(e - p)), SL("tag")))
			continue;
		p += 3;
		p += p < e && *p == '=';
		q = chr_run(p, e, CHR_TOKEN);
		return sl_mk(p, (size_t)(q - p));
	}
	return SL_NONE;
}

static bool cseq(struct sip_msg *m, struct sl v)
{
	size_t n = sl_chr(v, ' ');

	return !sl_u32(sl_sub(v, 0, n), 0x7fffffff, &m->cseq) &&
	       sl_eq(sl_sub(v, n + 1, v.n), m->method);
}

/* The top Via: a CR is ahead, and what reads on behind it has room to do so */
static bool top_via(struct sip_msg *m, struct sl v)
{
	const char *e = m->raw.p + m->raw.n, *p = v.p + v.n;

	p = e - p < 2 * SCAN_AHEAD ? NULL : quick_via(&m->top, v.p, true);
	return p && (*p == ',' || p == v.p + v.n) && m->top.branch.n > 7;
}

/* Of a header that is copied. False = look closer */
static bool value(struct sip_msg *m, uint8_t id, struct sl v)
{
	switch (id) {
	case SIP_VIA:
		return m->count[id] ? m->count[id] < VIAS : top_via(m, v);
	case SIP_FROM:
		m->from = v;
		break;
	case SIP_TO:
		m->to = v;
		m->to_tag = tag_of(v);
		break;
	case SIP_CALL_ID:
		m->callid = v;
		break;
	default:
		if (!cseq(m, v))
			return false;
		break;
	}
	return !m->count[id];
}

static bool is_copied(uint8_t id)
{
	return id == SIP_VIA || id == SIP_FROM || id == SIP_TO ||
	       id == SIP_CALL_ID || id == SIP_CSEQ;
}

/* Which header begins at p, and the ':' behind its name: by the usual spellings
 * first. NULL = look closer */
static const char *name_of(uint8_t *id, const char *p, const char *q)
{
	static const struct {
		const char *txt;
		uint8_t n, id;
	} usual[] = {
		{ "Via:", 4, SIP_VIA },          { "From:", 5, SIP_FROM },
		{ "To:", 3, SIP_TO },            { "CSeq:", 5, SIP_CSEQ },
		{ "Call-ID:", 8, SIP_CALL_ID },  { "Cont", 4, SIP_H_OTHER },
	};

	for (unsigned i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (*p == *usual[i].txt && q - p >= usual[i].n &&
		    !memcmp(p, usual[i].txt, usual[i].n)) {
			*id = usual[i].id;
			return p + usual[i].n - 1;
		}
	q = chr_run(p, q, CHR_TOKEN);
	*id = scan_hdr_id(p, (size_t)(q - p));
	return *q == ':' ? q : NULL;
}

/* A header that may be one of those, its CR at q. False = look closer */
static bool header(struct sip_msg *m, const char *p, const char *q)
{
	struct sl v;
	uint8_t id;
	const char *name = name_of(&id, p, q);

	if (!name)
		return false;
	if (!is_copied(id))
		return true;
	v = sl_trim(sl_mk(name + 1, (size_t)(q - name - 1)));
	/* a control in it: whether it is one line is for others to say */
	if (!v.n || chr_ctl(v.p, v.p + v.n) != v.p + v.n ||
	    !value(m, id, v))
		return false;
	add(m, id, p, name, v, q);
	return true;
}

/* "METHOD URI SIP/2.0"; its end, NULL = look closer */
static const char *start_line(struct sip_msg *m, const char *p, const char *e)
{
	const char *q = memchr(p, ' ', (size_t)(e - p)), *u;

	if (!q)
		return NULL;
	m->method = sl_mk(p, (size_t)(q - p));
	m->meth = sip_method(m->method);
	m->req = true;
	u = memchr(q + 1, ' ', (size_t)(e - q - 1));
	if (!u)
		return NULL;
	m->ruri = sl_mk(q + 1, (size_t)(u - q - 1));
	if (!m->ruri.n || chr_ctl(m->ruri.p, u) != u || !sl_starts(sl_mk(u, (size_t)(e - u)), version))
		return NULL;
	return u + version.n;
}

/* Up to the empty line. False = look closer */
static bool headers(struct sip_msg *m, const char *p, const char *e)
{
	for (int i = 0; i < LINES; i++) {
		const char *lf = memchr(p, '\n', (size_t)(e - p));

		if (!lf || lf[-1] != '\r')
			return false;
		if (lf == p + 1) {
			m->body_off = (uint32_t)(lf + 1 - m->raw.p);
			return true;
		}
		switch (*p | 0x20) {
		case 'v': case 'f': case 't': case 'c': case 'i':
			if (!header(m, p, lf - 1))
				return false;
			break;
		case ' ': case '\t' | 0x20:
			return false;      /* folded, or as good as that */
		default:
			break;
		}
		p = lf + 1;
	}
	return false;
}

bool glance(struct sip_msg *m, const void *mem, size_t n)
{
	const char *p = mem, *e = p + n;

	if (n < SCAN_AHEAD || n > SIP_MAX_MSG)
		return false;
	memset(m, 0, offsetof(struct sip_msg, hdr));
	m->maxfwd = -1;
	m->raw = sl_mk(p, n);
	p = start_line(m, p, e);
	return p && headers(m, p, e < m->raw.p + SIP_MAX_HEAD ? e :
			    m->raw.p + SIP_MAX_HEAD) &&
	       m->count[SIP_VIA] && m->count[SIP_FROM] && m->count[SIP_TO] &&
	       m->count[SIP_CALL_ID] && m->count[SIP_CSEQ];
}
