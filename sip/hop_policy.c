/* hop_policy.c - Pure. What no proxy forwards, though it is well formed. */
#include "sip/hop.h"

static bool contact_has_headers(const struct sip_msg *m)
{
	struct sip_iter it = {0};
	struct name_addr na;
	struct uri u;

	while (sip_iter(m, SIP_CONTACT, &it))
		if (!name_addr_parse(&na, it.val) && !uri_parse(&u, na.uri) &&
		    sl_isset(u.headers))
			return true;
	return false;
}

static void put_unsupported(struct buf *b, const struct sip_msg *m)
{
	struct sip_iter it = {0};
	const char *sep = "Unsupported: ";

	while (sip_iter(m, SIP_PROXY_REQUIRE, &it)) {
		buf_str(b, sep);
		hop_put_flat(b, it.val);
		sep = ", ";
	}
	buf_lit(b, "\r\n");
}

uint16_t hop_policy(const struct sip_msg *m, struct buf *extra,
		    const char **why)
{
	struct sip_iter it = {0};
	struct uri u;

	*why = NULL;
	if (!m->first[SIP_ROUTE] &&
	    (uri_parse(&u, m->ruri) ||
	     (u.scheme != URI_SIP && u.scheme != URI_SIPS)))
		return 416;
	if (m->maxfwd == 0)
		return 483;
	/* RFC 3261 20.29: not looked at in ACK and CANCEL */
	if (m->meth != SIP_ACK && m->meth != SIP_CANCEL &&
	    sip_iter(m, SIP_PROXY_REQUIRE, &it)) {
		put_unsupported(extra, m);
		return 420;
	}
	/* it would end in Request-URIs, where headers have no place */
	if (m->meth == SIP_REGISTER && contact_has_headers(m)) {
		*why = "Contact With Headers";
		return 400;
	}
	return 0;
}
