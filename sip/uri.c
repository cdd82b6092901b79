/* uri.c - Pure. URI and name-addr syntax, parameters, RFC 3261 19.1.1, 20.10. */
#include <errno.h>

#include "sip/chr.h"
#include "sip/flow.h"
#include "sip/uri.h"

static int uri_scheme(struct uri *u, const char *p, const char *e,
		      const char **rest)
{
	const char *q;

	if (e - p > 4 && p[3] == ':' && (p[0] | 0x20) == 's' &&
	    (p[1] | 0x20) == 'i' && (p[2] | 0x20) == 'p') {
		u->scheme = URI_SIP;
		q = p + 3;
	} else {
		if (p == e || !((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z'))
			return EBADMSG;
		for (q = p; q < e && *q != ':'; q++)
			if (!chr_is(*q, CHR_TOKEN) || *q == '%')
				return EBADMSG;
		if (q == e)
			return EBADMSG;
		u->scheme_txt = sl_mk(p, (size_t)(q - p));
		u->scheme = sl_ieq(u->scheme_txt, SL("sips")) ? URI_SIPS :
			    sl_ieq(u->scheme_txt, SL("tel")) ? URI_TEL :
							       URI_OTHER;
	}
	u->scheme_txt = sl_mk(p, (size_t)(q - p));
	*rest = q + 1;
	return 0;
}

static int uri_opaque(struct uri *u, const char *p, const char *e)
{
	if (p == e || chr_run(p, e, CHR_OPAQUE) != e)
		return EBADMSG;
	if (u->scheme == URI_TEL) {
		const char *q = memchr(p, ';', (size_t)(e - p));

		u->user = sl_mk(p, (size_t)((q ? q : e) - p));
		if (!u->user.n)
			return EBADMSG;
		if (q)
			u->params = sl_mk(q + 1, (size_t)(e - q - 1));
	}
	return 0;
}

/* user [":" password] up to the '@' at `at` */
static int uri_userinfo(struct uri *u, const char *p, const char *at)
{
	const char *q = chr_run_esc(p, at, CHR_USER);

	if (q == p)
		return EBADMSG;
	u->user = sl_mk(p, (size_t)(q - p));
	if (q == at)
		return 0;
	if (*q != ':' || chr_run_esc(q + 1, at, CHR_PASS) != at)
		return EBADMSG;
	u->pass = sl_mk(q + 1, (size_t)(at - q - 1));
	return 0;
}

/* host [":" port]; NULL = bad */
static const char *uri_hostport(struct uri *u, const char *p, const char *e)
{
	const char *q;
	uint32_t port;

	if (p < e && *p == '[') {
		struct addr a;

		q = memchr(p, ']', (size_t)(e - p));
		if (!q || addr_parse_ip(&a, sl_mk(p, (size_t)(q + 1 - p))))
			return NULL;
		q++;
	} else {
		q = chr_run(p, e, CHR_HOST);
		if (q == p)
			return NULL;
	}
	u->host = sl_mk(p, (size_t)(q - p));
	if (q == e || *q != ':')
		return q;
	p = ++q;
	for (port = 0; q < e && chr_is(*q, CHR_DIGIT) && port <= 65535; q++)
		port = port * 10 + (uint32_t)(*q - '0');
	if (!port || port > 65535)
		return NULL;
	u->port = (uint16_t)port;
	return q;
}

/* *(";" name ["=" value]); NULL = bad */
static const char *uri_params(const char *p, const char *e)
{
	while (p < e && *p == ';') {
		const char *q = chr_run_esc(p + 1, e, CHR_PARAM);

		if (q == p + 1 || p[1] == '=')
			return NULL;
		p = q;
	}
	return p;
}

int uri_parse(struct uri *u, struct sl s)
{
	const char *p = s.p, *e, *at, *q;
	int err;

	memset(u, 0, sizeof(*u));
	if (!s.n)
		return EBADMSG;
	e = p + s.n;
	err = uri_scheme(u, p, e, &p);
	if (err)
		return err;
	if (u->scheme == URI_TEL || u->scheme == URI_OTHER)
		return uri_opaque(u, p, e);
	at = memchr(p, '@', (size_t)(e - p));
	if (at) {
		err = uri_userinfo(u, p, at);
		if (err)
			return err;
		p = at + 1;
	}
	p = uri_hostport(u, p, e);
	if (!p)
		return EBADMSG;
	if (p < e && *p == ';') {
		q = uri_params(p, e);
		if (!q)
			return EBADMSG;
		u->params = sl_mk(p + 1, (size_t)(q - p - 1));
		p = q;
	}
	if (p < e && *p == '?') {
		q = chr_run_esc(p + 1, e, CHR_HEADER);
		u->headers = sl_mk(p + 1, (size_t)(q - p - 1));
		p = q;
	}
	return p == e ? 0 : EBADMSG;
}

/* header parameters: *(LWS ";" LWS name [LWS "=" LWS value]) LWS, whole [p, e) */
static bool params_ok(const char *p, const char *e)
{
	for (;;) {
		const char *q;

		p = chr_lws(p, e);
		if (p == e)
			return true;
		if (*p++ != ';')
			return false;
		p = chr_lws(p, e);
		q = chr_run(p, e, CHR_TOKEN);
		if (q == p)
			return false;
		p = chr_lws(q, e);
		if (p == e || *p != '=')
			continue;
		p = chr_lws(p + 1, e);
		if (p < e && *p == '"')
			q = chr_quoted(p, e);
		else
			q = chr_run(p, e, CHR_GEN);
		if (!q || q == p)
			return false;
		p = q;
	}
}

int name_addr_parse(struct name_addr *na, struct sl s)
{
	const char *p, *e, *q;

	memset(na, 0, sizeof(*na));
	s = sl_trim(s);
	if (!s.n)
		return EBADMSG;
	p = s.p;
	e = p + s.n;
	if (*p == '"') {
		q = chr_quoted(p, e);
		if (!q)
			return EBADMSG;
		na->display = sl_mk(p, (size_t)(q - p));
		p = chr_lws(q, e);
		if (p == e || *p != '<')
			return EBADMSG;
	} else if (*p != '<') {
		q = chr_run(p, e, CHR_DISP);
		if (q < e && *q == '<') {
			na->display = sl_trim(sl_mk(p, (size_t)(q - p)));
			p = q;
		}
	}
	if (*p == '<') {
		p++;
		q = memchr(p, '>', (size_t)(e - p));
		if (!q)
			return EBADMSG;
		na->brackets = true;
		na->uri = sl_mk(p, (size_t)(q - p));
		p = q + 1;
	} else {
		/* addr-spec: its ';' are header parameters, and it may hold
		 * neither ',' nor '?' (20.10) */
		for (q = p; q < e && *q != ';' && !chr_is(*q, CHR_LWS); q++)
			if (*q == ',' || *q == '?')
				return EBADMSG;
		na->uri = sl_mk(p, (size_t)(q - p));
		p = q;
	}
	if (!na->uri.n || !params_ok(p, e))
		return EBADMSG;
	p = chr_lws(p, e);
	if (p < e)
		na->params = sl_mk(p + 1, (size_t)(e - p - 1));
	return 0;
}

bool param_next(struct sl *rest, struct sl *name, struct sl *val)
{
	const char *p = rest->p, *e = rest->n ? p + rest->n : p, *q;

	while (p < e && (*p == ';' || chr_is(*p, CHR_LWS)))
		p++;
	if (p == e) {
		*rest = SL_NONE;
		return false;
	}
	for (q = p; q < e && *q != ';' && *q != '='; q++)
		;
	*name = sl_trim(sl_mk(p, (size_t)(q - p)));
	*val = SL_NONE;
	if (q < e && *q == '=') {
		p = chr_lws(q + 1, e);
		q = p < e && *p == '"' ? chr_quoted(p, e) : p;
		if (!q)
			q = e;
		while (q < e && *q != ';')
			q++;
		*val = sl_trim(sl_mk(p, (size_t)(q - p)));
	}
	*rest = sl_mk(q, (size_t)(e - q));
	return true;
}

bool param_get(struct sl params, struct sl name, struct sl *val)
{
	struct sl n, v;

	while (param_next(&params, &n, &v)) {
		if (n.n == name.n && sl_ieq(n, name)) {
			*val = v;
			return true;
		}
	}
	return false;
}

int uri_addr(const struct uri *u, struct addr *a)
{
	struct addr tmp = {0};

	if (!u->host.n || addr_parse_ip(&tmp, u->host))
		return ENOENT;
	tmp.port = u->port;
	*a = tmp;
	return 0;
}

int uri_transport(const struct uri *u)
{
	struct sl val;

	if (!param_get(u->params, SL("transport"), &val))
		return TP_NONE;
	return tp_by_name(val);
}
