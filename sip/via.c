/* via.c - Pure. Parses one via-parm: RFC 3261 20.42, 3581, 5923. */
#include <errno.h>

#include "sip/chr.h"
#include "sip/hop.h"

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

static const char *via_host(struct via *v, const char *p, const char *e)
{
	const char *q, *start = p;

	if (p < e && *p == '[') {
		struct addr a;

		q = memchr(p, ']', (size_t)(e - p));
		if (!q || addr_parse_ip(&a, sl_mk(p, (size_t)(q + 1 - p))))
			return NULL;
		q++;
	} else {
		q = chr_run(p, e, CHR_HOST);
	}
	if (q == p)
		return NULL;
	v->host = v->sentby = sl_mk(p, (size_t)(q - p));
	p = chr_lws(q, e);
	if (p < e && *p == ':') {
		uint32_t port;

		p = chr_lws(p + 1, e);
		q = chr_run(p, e, CHR_DIGIT);
		if (sl_u32(sl_mk(p, (size_t)(q - p)), 65535, &port) || !port)
			return NULL;
		v->port = (uint16_t)port;
		v->sentby = sl_mk(start, (size_t)(q - start));
		p = chr_lws(q, e);
	}
	return p;
}

static bool via_param(struct via *v, struct sl name, struct sl val)
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
			v->rport = true;
			v->rport_set = sl_isset(val);
		} else if (name.n == 8 && sl_ieq(name, SL("received"))) {
			v->received = val;
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

/* *(";" name ["=" value]) up to e */
static bool via_params(struct via *v, const char *p, const char *e)
{
	while (p < e) {
		struct sl name, val = SL_NONE;
		const char *q;

		if (*p != ';')
			return false;
		p = chr_lws(p + 1, e);
		q = chr_run(p, e, CHR_TOKEN);
		if (q == p)
			return false;
		name = sl_mk(p, (size_t)(q - p));
		p = chr_lws(q, e);
		if (p < e && *p == '=') {
			p = chr_lws(p + 1, e);
			q = p < e && *p == '"' ? chr_quoted(p, e) :
						 chr_run(p, e, CHR_GEN);
			/* ";rport=" of some phones is taken as ";rport" */
			if (!q)
				return false;
			if (q > p)
				val = sl_mk(p, (size_t)(q - p));
			p = chr_lws(q, e);
			if (!sl_isset(val) && !sl_ieq(name, SL("rport")))
				return false;
		}
		if (!via_param(v, name, val))
			return false;
	}
	return true;
}

int via_parse(struct via *v, struct sl s)
{
	const char *p = s.p, *e, *q;

	memset(v, 0, sizeof(*v));
	if (!s.n)
		return EBADMSG;
	e = p + s.n;
	p = via_proto(p, e);
	if (!p)
		return EBADMSG;
	q = chr_run(p, e, CHR_TOKEN);
	v->tp = sl_mk(p, (size_t)(q - p));
	p = chr_lws(q, e);
	if (!v->tp.n || p == q)
		return EBADMSG;
	p = via_host(v, p, e);
	if (!p)
		return EBADMSG;
	if (p < e)
		v->params = sl_mk(p + 1, (size_t)(e - p - 1));
	return via_params(v, p, e) ? 0 : EBADMSG;
}

int via_nth(const struct sip_msg *m, unsigned n, struct via *v)
{
	struct sip_iter it = {0};

	while (sip_iter(m, SIP_VIA, &it))
		if (!n--)
			return via_parse(v, it.val);
	return ENOENT;
}

int via_top(const struct sip_msg *m, struct via *v)
{
	return via_nth(m, 0, v);
}
