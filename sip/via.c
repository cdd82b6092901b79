/* via.c - Pure. Parses one via-parm: RFC 3261 20.42, 3581, 5923. */
#include <errno.h>

#include "sip/chr.h"
#include "sip/hop.h"
#include "sip/scan_in.h"
#include "sip/scan_quick.h"
#include "sip/uri_in.h"

/* "SIP/2.0/" with blanks allowed around its parts; NULL = something else */
static const char *via_proto(const char *p, const char *e)
{
	static const char *const part[] = {"SIP", "/", "2.0", "/"};

	if (e - p > 8 && memcmp(p, "SIP/2.0/", 8) == 0)
		return p + 8;
	for (unsigned i = 0; i < 4; i++) {
		size_t n = strlen(part[i]);

		p = chr_lws(p, e);
		if ((size_t)(e - p) < n ||
		    !sl_ieq(sl_mk(p, n), sl_mk(part[i], n)))
			return NULL;
		p += n;
	}
	return chr_lws(p, e);
}

static const char *via_host(struct via *v, const char *p, const char *e,
			    const char *lim)
{
	const char *q = uri_host_scan(&v->host, &v->port, p, e, lim);

	if (!q)
		return NULL;
	v->sentby = sl_mk(p, (size_t)(q - p));
	p = chr_lws(q, e);
	if (p < e && *p == ':' && !v->port) {
		/* blanks around the colon */
		uint32_t port;

		p = chr_lws(p + 1, e);
		q = chr_run(p, e, CHR_DIGIT);
		if (sl_u32(sl_mk(p, (size_t)(q - p)), 65535, &port) || !port)
			return NULL;
		v->port = (uint16_t)port;
		v->sentby.n = (size_t)(q - v->sentby.p);
		p = chr_lws(q, e);
	}
	return p;
}

/* `all`: the parameter with its ';' */
static bool via_param(struct via *v, struct sl name, struct sl val,
		      struct sl all)
{
	switch (name.p[0] | 0x20) {
	case 'b':
		if (name.n != 6 || !sl_ieq(name, SL("branch")))
			return true;
		if (!val.n || sl_isset(v->branch) || *val.p == '"')
			return false;
		v->branch = val;
		return true;
	case 'r':
		if (name.n == 5 && sl_ieq(name, SL("rport"))) {
			if (v->rport)
				return false;
			v->rport = true;
			v->rport_set = sl_isset(val);
			v->rport_txt = all;
		} else if (name.n == 8 && sl_ieq(name, SL("received"))) {
			if (sl_isset(v->received))
				return false;
			v->received = val.n ? val : SL("");
			v->received_txt = all;
		}
		return true;
	case 'a':
		if (name.n == 5 && sl_ieq(name, SL("alias")))
			v->alias = true;
		return true;
	default:
		return true;
	}
}

/* *(";" name ["=" value]); ends at e or ','; NULL = bad */
static const char *via_params(struct via *v, const char *p, const char *e,
			      const char *lim)
{
	while (p < e && *p != ',') {
		struct sl name, val = SL_NONE;
		const char *q, *start = p;

		if (*p != ';')
			return NULL;
		p = chr_lws(p + 1, e);
		q = chr_run(p, e, CHR_TOKEN);
		if (q == p)
			return NULL;
		name = sl_mk(p, (size_t)(q - p));
		p = chr_lws(q, e);
		if (p < e && *p == '=') {
			p = chr_lws(p + 1, e);
			q = p < e && *p == '"' ? chr_quoted(p, e) :
						 chr_span(p, e, lim, CHR_GEN);
			if (!q)
				return NULL;
			if (q > p)
				val = sl_mk(p, (size_t)(q - p));
			p = chr_lws(q, e);
			/* ";rport=" of some phones is taken as ";rport" */
			if (!sl_isset(val) && !sl_ieq(name, SL("rport")))
				return NULL;
		}
		if (!via_param(v, name, val,
			       sl_mk(start, (size_t)(q - start))))
			return NULL;
	}
	return p;
}

static const char *via_sent(struct via *v, const char *p, const char *e,
			    const char *lim)
{
	const char *q = chr_run(p, e, CHR_TOKEN);

	v->tp = sl_mk(p, (size_t)(q - p));
	p = chr_lws(q, e);
	if (!v->tp.n || p == q)
		return NULL;
	return via_host(v, p, e, lim);
}

const char *via_scan(struct via *v, const char *p, const char *e,
		     const char *lim)
{
	const char *q = NULL;

	*v = (struct via){0};
	if (lim - e >= SCAN_AHEAD && *e == '\r') {
		q = quick_via(v, p, true);
		if (q && (q == e || *q == ','))
			return q;
		*v = (struct via){0};
	}
	p = via_proto(p, e);
	if (!p)
		return NULL;
	p = via_sent(v, p, e, lim);
	if (!p)
		return NULL;
	q = via_params(v, p, e, lim);
	if (q && q > p)
		v->params = sl_mk(p + 1, (size_t)(q - p - 1));
	return q;
}

int via_parse(struct via *v, struct sl s)
{
	const char *e;

	*v = (struct via){0};
	if (!s.n)
		return EBADMSG;
	e = s.p + s.n;
	return via_scan(v, s.p, e, e) == e ? 0 : EBADMSG;
}

int via_top(const struct sip_msg *m, struct via *v)
{
	if (!m->count[SIP_VIA])
		return ENOENT;
	*v = m->top;
	return v->tp.n ? 0 : EBADMSG;
}

/* The top one is known already, and with it where it ends; false = look closer */
static bool via_first(const struct sip_msg *m, struct sip_iter *it)
{
	const struct via *v = &m->top;
	const char *p, *e, *end;

	if (!it->h || !v->tp.n)
		return false;
	p = m->raw.p + it->pos;
	end = m->raw.p + it->h->ve;
	e = sl_isset(v->params) ? v->params.p + v->params.n :
				  v->sentby.p + v->sentby.n;
	if (e != end && *e != ',')
		return false;
	it->val = sl_mk(p, (size_t)(e - p));
	it->pos = (uint32_t)(e - m->raw.p) + (e < end);
	return true;
}

bool via_next(const struct sip_msg *m, struct sip_iter *it, struct via *v)
{
	const char *end = m->raw.p + m->raw.n, *p, *e;

	if (it->done)
		return false;
	if (it->h && it->pos >= it->h->ve) {
		it->h = sip_hdr_next(m, it->h);
		it->pos = it->h ? it->h->vs : 0;
	} else if (!it->h) {
		it->h = sip_hdr(m, SIP_VIA);
		it->pos = it->h ? it->h->vs : 0;
		if (via_first(m, it)) {
			*v = m->top;
			return true;
		}
	}
	if (!it->h) {
		it->done = true;
		return false;
	}
	e = m->raw.p + it->h->ve;
	p = chr_lws(m->raw.p + it->pos, e);
	e = via_scan(v, p, e, end);
	if (!e) {
		it->done = true;
		return false;
	}
	it->val = sl_mk(p, (size_t)(e - p));
	/* past the ',' when there is one */
	it->pos = (uint32_t)(e - m->raw.p) + (e < m->raw.p + it->h->ve);
	return true;
}

/** Behind the top Via, as the scanner has read it */
static void via_skip_top(const struct sip_msg *m, struct sip_iter *it)
{
	const struct sl last = sl_isset(m->top.params) ? m->top.params :
		m->top.sentby;
	const char *p, *e;

	it->h = sip_hdr(m, SIP_VIA);
	e = m->raw.p + it->h->ve;
	p = chr_lws(last.p + last.n, e);
	it->pos = (uint32_t)(p - m->raw.p) + (p < e);
}

int via_nth(const struct sip_msg *m, unsigned n, struct via *v)
{
	struct sip_iter it = {0};

	if (n == 0)
		return via_top(m, v);
	if (m->count[SIP_VIA] && m->top.tp.n) {
		via_skip_top(m, &it);
		n--;
	}
	while (via_next(m, &it, v))
		if (!n--)
			return 0;
	/* done without a header: it was the last; else a bad one */
	return it.h ? EBADMSG : ENOENT;
}
