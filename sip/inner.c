/* inner.c - Pure. Messages between edge and nodes alone. */
#include <errno.h>

#include "sip/inner.h"

#include "sip/hop.h"

bool inner_is(const struct sip_msg *m, struct sl type)
{
	struct via v;

	return m->req && m->meth == SIP_OPTIONS &&
		m->count[SIP_CONTENT_TYPE] == 1 &&
		sl_ieq(sip_first(m, SIP_CONTENT_TYPE), type) &&
		!m->count[SIP_ROUTE] && !sl_isset(m->to_tag) &&
		!via_top(m, &v) && via_nth(m, 1, &v) == ENOENT;
}

bool inner_is_ping(struct sl callid, struct sl cseq)
{
	uint64_t n;

	return sl_eq(cseq, SL("1 OPTIONS")) && callid.n == 25 &&
		callid.p[16] == '-' &&
		!sl_hex_u64(sl_sub(callid, 0, 16), &n) &&
		!sl_hex_u64(sl_sub(callid, 17, 25), &n);
}

bool inner_line(struct sl *rest, struct sl *a, struct sl *b)
{
	size_t n = sl_chr(*rest, '\n'), at;
	struct sl line = sl_sub(*rest, 0, n);

	if (!rest->n)
		return false;
	*rest = sl_sub(*rest, n + 1, rest->n);
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	at = sl_chr(line, ' ');
	*a = sl_sub(line, 0, at);
	*b = sl_sub(line, at + 1, line.n);
	if (!a->n || !b->n || sl_chr(*b, ' ') < b->n)
		*a = *b = SL_NONE;
	return true;
}
