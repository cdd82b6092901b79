/* admit.c - Pure. Policy on what comes in. */
#include "sbc/admit.h"

enum { ADMIT_ROOM = 4096 };     /* for what is added [bytes] */

bool admit_fits(const struct sip_msg *m)
{
	return m->raw.n <= SIP_MAX_MSG - ADMIT_ROOM &&
	       m->body_off <= SIP_MAX_HEAD - ADMIT_ROOM;
}

static enum admit_verdict refuse(struct admit *a, const struct sip_msg *m,
				 uint16_t code, const char *why)
{
	a->code = code;
	a->phrase = sl_cstr(why);
	/* an ACK is never answered, RFC 3261 17 */
	return m->meth == SIP_ACK ? ADMIT_DROP : ADMIT_REFUSE;
}

/** We support no extension a proxy could be asked for: RFC 3261 20.29 */
static enum admit_verdict unsupported(struct admit *a, const struct sip_msg *m)
{
	struct sip_iter it = { 0 };
	struct buf b;
	size_t n = 0;

	buf_fixed(&b, a->room, sizeof(a->room));
	buf_lit(&b, "Unsupported: ");
	while (sip_iter(m, SIP_PROXY_REQUIRE, &it)) {
		/* a tag that does not fit is left out, never cut */
		if (!it.val.n || b.n + it.val.n + 4 > sizeof(a->room))
			continue;
		if (n++)
			buf_lit(&b, ", ");
		buf_sl(&b, it.val);
	}
	buf_lit(&b, "\r\n");
	if (!n)
		return ADMIT_OK;
	a->extra = buf_as_sl(&b);
	return refuse(a, m, 420, NULL);
}

/** Scheme and headers of the Request-URI; the scanner has judged the syntax
 *  of the usual schemes, RFC 3261 19.1.1 forbids headers there: a Route hidden
 *  in one must never come alive */
static uint16_t judge_uri(const struct sip_msg *m)
{
	struct uri u;

	if (sl_starts(m->ruri, SL("sip:")) &&
	    !memchr(m->ruri.p, '?', m->ruri.n))
		return 0;
	if (uri_parse(&u, m->ruri))
		return 400;
	if (u.scheme == URI_OTHER)
		return 416;
	return sl_isset(u.headers) ? 400 : 0;
}

enum admit_verdict admit_request(struct admit *a, const struct admit_conf *cf,
				 const struct sip_msg *m)
{
	uint16_t code;

	a->code = 0;
	a->phrase = a->extra = SL_NONE;
	if (cf->outside && (m->raw.n > cf->max_message || !admit_fits(m)))
		return refuse(a, m, 513, NULL);
	code = judge_uri(m);
	if (code)
		return refuse(a, m, code, code == 400 ? "Bad Request-URI" :
							NULL);
	if (m->maxfwd == 0)
		return refuse(a, m, 483, NULL);
	if (m->count[SIP_PROXY_REQUIRE])
		return unsupported(a, m);
	return ADMIT_OK;
}
