/* uri.c - Pure. URI and name-addr syntax, parameters, RFC 3261 19.1.1, 20.10. */
#include <errno.h>

#include "sip/chr.h"
#include "sip/flow.h"
#include "sip/uri_in.h"

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

/* tel:, http:, ... : no syntax but that it ends */
static const char *uri_opaque(struct uri *u, const char *p, const char *e,
			      const char *lim)
{
	const char *end = chr_span(p, e, lim, CHR_OPAQUE), *q;

	if (end == p)
		return NULL;
	if (u->scheme == URI_TEL) {
		q = memchr(p, ';', (size_t)(end - p));
		u->user = sl_mk(p, (size_t)((q ? q : end) - p));
		if (!u->user.n)
			return NULL;
		if (q)
			u->params = sl_mk(q + 1, (size_t)(end - q - 1));
	}
	return end;
}

/* user [":" password] "@" when there is one; NULL = bad */
static const char *uri_userinfo(struct uri *u, const char *p, const char *e,
				const char *lim)
{
	const char *q = chr_esc(p, e, lim, CHR_USER), *at = q;

	if (q == e || *q != '@') {
		/* a password, or no user at all: the '@' tells, which has no
		 * place behind a host */
		if (q == e || *q != ':')
			return p;
		at = chr_esc(q + 1, e, lim, CHR_PASS);
		if (at == e || *at != '@')
			return p;
		u->pass = sl_mk(q + 1, (size_t)(at - q - 1));
	}
	if (q == p)
		return NULL;
	u->user = sl_mk(p, (size_t)(q - p));
	return at + 1;
}

const char *uri_host_scan(struct sl *host, uint16_t *port, const char *p,
			  const char *e, const char *lim)
{
	const char *q;
	uint32_t n;

	if (p < e && *p == '[') {
		struct addr a;

		q = memchr(p, ']', (size_t)(e - p));
		if (!q || addr_parse_ip(&a, sl_mk(p, (size_t)(q + 1 - p))))
			return NULL;
		q++;
	} else {
		q = chr_span(p, e, lim, CHR_HOST);
		if (q == p)
			return NULL;
	}
	*host = sl_mk(p, (size_t)(q - p));
	if (q == e || *q != ':')
		return q;
	q++;
	for (n = 0; q < e && chr_is(*q, CHR_DIGIT) && n <= 65535; q++)
		n = n * 10 + (uint32_t)(*q - '0');
	if (!n || n > 65535)
		return NULL;
	*port = (uint16_t)n;
	return q;
}

/* *(";" name ["=" value]); NULL = bad */
static const char *uri_params(const char *p, const char *e, const char *lim)
{
	while (p < e && *p == ';') {
		const char *q = chr_esc(p + 1, e, lim, CHR_PARAM);

		if (q == p + 1 || p[1] == '=')
			return NULL;
		p = q;
	}
	return p;
}

const char *uri_scan(struct uri *u, const char *p, const char *e,
		     const char *lim)
{
	const char *q;

	*u = (struct uri){0};
	if (uri_scheme(u, p, e, &p))
		return NULL;
	if (u->scheme == URI_TEL || u->scheme == URI_OTHER)
		return uri_opaque(u, p, e, lim);
	p = uri_userinfo(u, p, e, lim);
	if (p)
		p = uri_host_scan(&u->host, &u->port, p, e, lim);
	if (!p)
		return NULL;
	if (p < e && *p == ';') {
		q = uri_params(p, e, lim);
		if (!q)
			return NULL;
		u->params = sl_mk(p + 1, (size_t)(q - p - 1));
		p = q;
	}
	if (p < e && *p == '?') {
		q = chr_esc(p + 1, e, lim, CHR_HEADER);
		u->headers = sl_mk(p + 1, (size_t)(q - p - 1));
		p = q;
	}
	return p;
}

int uri_parse(struct uri *u, struct sl s)
{
	const char *e;

	*u = (struct uri){0};
	if (!s.n)
		return EBADMSG;
	e = s.p + s.n;
	return uri_scan(u, s.p, e, e) == e ? 0 : EBADMSG;
}

/* *(LWS ";" LWS name [LWS "=" LWS value]) LWS; ends at e or ','; NULL = bad */
static const char *params_scan(struct sl *tag, const char *p, const char *e,
			       const char *lim)
{
	for (;;) {
		const char *q, *name;

		p = chr_lws(p, e);
		if (p == e || *p == ',')
			return p;
		if (*p++ != ';')
			return NULL;
		name = p = chr_lws(p, e);
		q = chr_run(p, e, CHR_TOKEN);
		if (q == p)
			return NULL;
		p = chr_lws(q, e);
		if (tag && q - name == 3 && (name[0] | 0x20) == 't' &&
		    (name[1] | 0x20) == 'a' && (name[2] | 0x20) == 'g') {
			if (p == e || *p != '=' || sl_isset(*tag))
				return NULL;
			p = chr_lws(p + 1, e);
			q = chr_span(p, e, lim, CHR_GEN);
			*tag = sl_mk(p, (size_t)(q - p));
		} else if (p < e && *p == '=') {
			p = chr_lws(p + 1, e);
			q = p < e && *p == '"' ? chr_quoted(p, e) :
						 chr_span(p, e, lim, CHR_GEN);
		} else {
			continue;
		}
		if (!q || q == p)
			return NULL;
		p = q;
	}
}

/* addr-spec without <>: its ';' are header parameters, and it may hold neither
 * ',' nor '?' (RFC 3261 20.10) */
static const char *addr_spec_scan(struct name_addr *na, struct uri *u,
				  const char *p, const char *e, const char *lim)
{
	const char *q = p;

	while (q < e && *q != ';' && *q != ',' && !chr_is(*q, CHR_LWS))
		if (*q++ == '?')
			return NULL;
	if (uri_scan(u, p, q, lim) != q)
		return NULL;
	na->brackets = false;
	na->uri = sl_mk(p, (size_t)(q - p));
	return q;
}

/* the display name before a '<', if there is one; NULL = bad */
static const char *display_scan(struct name_addr *na, const char *p,
				const char *e, const char *lim)
{
	const char *q;

	na->display = SL_NONE;
	if (p == e || *p == '<')
		return p;
	if (*p == '"') {
		q = chr_quoted(p, e);
		if (!q)
			return NULL;
		na->display = sl_mk(p, (size_t)(q - p));
		p = chr_lws(q, e);
		return p < e && *p == '<' ? p : NULL;
	}
	q = chr_span(p, e, lim, CHR_DISP);
	if (q == e || *q != '<')
		return p;
	na->display = sl_trim(sl_mk(p, (size_t)(q - p)));
	return q;
}

const char *name_addr_scan(struct name_addr *na, struct uri *u, struct sl *tag,
			   const char *p, const char *e, const char *lim)
{
	const char *q;

	p = display_scan(na, chr_lws(p, e), e, lim);
	if (!p || p == e)
		return NULL;
	if (*p == '<') {
		q = uri_scan(u, ++p, e, lim);
		if (!q || q == e || *q != '>')
			return NULL;
		na->brackets = true;
		na->uri = sl_mk(p, (size_t)(q - p));
		q++;
	} else {
		q = addr_spec_scan(na, u, p, e, lim);
	}
	p = q ? params_scan(tag, q, e, lim) : NULL;
	if (!p)
		return NULL;
	q = chr_lws(q, p);
	na->params = p > q ? sl_mk(q + 1, (size_t)(p - q - 1)) : SL_NONE;
	return p;
}

int name_addr_parse(struct name_addr *na, struct sl s)
{
	const char *e;
	struct uri u;

	*na = (struct name_addr){0};
	if (!s.n)
		return EBADMSG;
	e = s.p + s.n;
	return name_addr_scan(na, &u, NULL, s.p, e, e) == e ? 0 : EBADMSG;
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
