/* own.c - Pure. Probes of edges and our pings. */
#include "node/own.h"

#include "sip/trace.h"

/** A request of this method, or maybe an answer to one: looked at by what is
 *  quick, most messages are neither */
static bool may_be(struct sl msg, struct sl method)
{
	if (sl_starts(msg, SL("SIP/2.0 ")))
		return sl_find(msg, method) < msg.n;
	return sl_starts(msg, method) && msg.n > method.n &&
		msg.p[method.n] == ' ';
}

static bool has_method(struct sl cseq, struct sl method)
{
	return cseq.n > method.n && cseq.p[cseq.n - method.n - 1] == ' ' &&
		sl_eq(sl_sub(cseq, cseq.n - method.n, cseq.n), method);
}

/** "<sip:edge@ADDRESS:PORT>": no user is called that at a bare address */
static bool is_edge(struct sl from)
{
	const struct sl head = SL("<sip:edge@");

	return sl_starts(from, head) && from.n > head.n &&
		((from.p[head.n] >= '0' && from.p[head.n] <= '9') ||
		 from.p[head.n] == '[');
}

/** "<URI>;tag=..." */
static bool is_uri(struct sl from, struct sl uri)
{
	return from.n > uri.n + 1 && from.p[0] == '<' &&
		sl_eq(sl_sub(from, 1, uri.n + 1), uri) &&
		from.p[uri.n + 1] == '>';
}

bool own_is(struct sl msg, struct sl method, struct sl from)
{
	const struct sl options = SL("OPTIONS");
	bool probe = may_be(msg, options);
	bool ping = sl_eq(method, options) ? probe : may_be(msg, method);
	struct sl v[TRACE_FIELDS];

	if (!probe && !ping)
		return false;
	trace_fields(msg, v);
	return (probe && has_method(v[TRACE_CSEQ], options) &&
		is_edge(v[TRACE_FROM])) ||
		(ping && has_method(v[TRACE_CSEQ], method) &&
		 is_uri(v[TRACE_FROM], from));
}
