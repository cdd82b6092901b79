/* scan_hdr.c - Pure. Syntax of the headers every element depends on. */
#include "sip/chr.h"
#include "sip/hop.h"
#include "sip/scan_in.h"

enum { CSEQ_MAX = 0x7fffffff };   /* RFC 3261 8.1.1.5 */

bool scan_elem(struct sl *rest, struct sl *elem)
{
	const char *p = rest->p, *e, *q;
	bool angle = false;

	if (!rest->n)
		return false;
	e = p + rest->n;
	q = memchr(p, ',', rest->n);
	if (q) {
		for (q = p; q < e && (angle || *q != ','); q++) {
			if (angle) {
				angle = *q != '>';
			} else if (*q == '<') {
				angle = true;
			} else if (*q == '"') {
				q = chr_quoted(q, e);
				if (!q)
					break;
				q--;
			}
		}
	}
	if (!q || q >= e) {
		*elem = sl_trim(*rest);
		*rest = SL_NONE;
		return true;
	}
	*elem = sl_trim(sl_mk(p, (size_t)(q - p)));
	*rest = sl_mk(q + 1, (size_t)(e - q - 1));
	return true;
}

/* an empty list, or an empty element at its end, which scan_elem() hides */
static bool list_bad(struct sl val)
{
	return !val.n || val.p[val.n - 1] == ',';
}

static const char *scan_via(struct scan *s, struct sl val)
{
	struct sl elem;
	struct via v;

	if (list_bad(val))
		return "Bad Via";
	while (scan_elem(&val, &elem)) {
		if (via_parse(&v, elem))
			return "Bad Via";
		if (!s->vias++ && s->m->req && v.branch.n == 7 &&
		    sl_ieq(v.branch, SL(SIP_COOKIE)))
			return "Empty Via Branch";
		if (s->vias > SIP_MAX_VIAS)
			return "Too Many Vias";
	}
	return NULL;
}

static bool uri_ok(struct sl s)
{
	struct uri u;

	return uri_parse(&u, s) == 0;
}

/* From, To: one name-addr or addr-spec, at most one tag */
static bool scan_party(struct sl val, struct sl *tag)
{
	struct name_addr na;
	struct sl name, v;

	if (name_addr_parse(&na, val) || !uri_ok(na.uri))
		return false;
	while (param_next(&na.params, &name, &v)) {
		if (name.n != 3 || !sl_ieq(name, SL("tag")))
			continue;
		if (!v.n || *v.p == '"' || sl_isset(*tag))
			return false;
		*tag = v;
	}
	return true;
}

static const char *scan_contact(struct sl val)
{
	struct name_addr na;
	struct sl elem;

	if (val.n == 1 && *val.p == '*')
		return NULL;
	if (list_bad(val))
		return "Bad Contact";
	while (scan_elem(&val, &elem))
		if (name_addr_parse(&na, elem) || !uri_ok(na.uri))
			return "Bad Contact";
	return NULL;
}

static const char *scan_route(struct sl val)
{
	struct name_addr na;
	struct sl elem;

	if (list_bad(val))
		return "Bad Route";
	while (scan_elem(&val, &elem))
		if (name_addr_parse(&na, elem) || !na.brackets ||
		    !uri_ok(na.uri))
			return "Bad Route";
	return NULL;
}

static const char *scan_cseq(struct sip_msg *m, struct sl val)
{
	const char *p = val.p, *e = p + val.n, *q, *t;
	uint32_t n;

	q = chr_run(p, e, CHR_DIGIT);
	if (sl_u32(sl_mk(p, (size_t)(q - p)), CSEQ_MAX, &n))
		return "Bad CSeq Number";
	p = chr_lws(q, e);
	t = chr_run(p, e, CHR_TOKEN);
	if (p == q || t == p || t != e)
		return "Bad CSeq";
	m->cseq = n;
	val = sl_mk(p, (size_t)(t - p));
	if (m->req)
		return sl_eq(val, m->method) ? NULL : "CSeq Method Mismatch";
	m->method = val;
	m->meth = sip_method(val);
	return NULL;
}

static const char *scan_call_id(struct sip_msg *m, struct sl val)
{
	const char *e = val.p + val.n;

	m->callid = val;
	return val.n && chr_run(val.p, e, CHR_VIS) == e ? NULL : "Bad Call-ID";
}

const char *scan_hdr(struct scan *s, enum sip_hid id, struct sl val)
{
	struct sip_msg *m = s->m;
	uint32_t n;

	if (id == SIP_VIA)
		return scan_via(s, val);
	if (id == SIP_CONTACT)
		return scan_contact(val);
	if (id == SIP_ROUTE || id == SIP_RECORD_ROUTE || id == SIP_PATH ||
	    id == SIP_SERVICE_ROUTE)
		return scan_route(val);
	/* the others stand once; who takes the first and who takes the last
	 * must not see two messages */
	if (m->count[id] > 1)
		return id == SIP_CONTENT_LENGTH ? "Several Content-Length" :
						  "Several Single Headers";
	switch ((unsigned)id) {
	case SIP_FROM:
		m->from = val;
		return scan_party(val, &m->from_tag) ? NULL : "Bad From";
	case SIP_TO:
		m->to = val;
		return scan_party(val, &m->to_tag) ? NULL : "Bad To";
	case SIP_CALL_ID:
		return scan_call_id(m, val);
	case SIP_CSEQ:
		return scan_cseq(m, val);
	case SIP_MAX_FORWARDS:
		if (sl_u32(val, 255, &n))
			return "Bad Max-Forwards";
		m->maxfwd = (int32_t)n;
		return NULL;
	case SIP_CONTENT_LENGTH:
		if (sl_u32(val, UINT32_MAX, &s->len))
			return "Bad Content-Length";
		s->has_len = true;
		return NULL;
	default:   /* Content-Type, Expires: only that there is one */
		return NULL;
	}
}
