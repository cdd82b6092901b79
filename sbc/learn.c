/* learn.c - Pure. Members that a node's Edgewise-Health header names. */
#include "sbc/learn.h"

#include <errno.h>

#include "sip/flow.h"

static size_t end_of(struct sl s, const char *ends)
{
	size_t i = 0;

	while (i < s.n && (!s.p[i] || !strchr(ends, s.p[i])))
		i++;
	return i;
}

struct sl learn_members(struct sl h)
{
	static const char gaps[] = "; \t";

	while (h.n) {
		size_t n = end_of(h, gaps);
		struct sl param = sl_sub(h, 0, n);

		if (sl_starts(param, SL("members=")))
			return sl_sub(param, 8, param.n);
		h = sl_sub(h, n + 1, h.n);
	}
	return SL_NONE;
}

/** Goes into logs, labels, JSON and a file: letters, digits and "._-" */
static int take_name(char to[64], struct sl s)
{
	if (!s.n || s.n > 63)
		return EBADMSG;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		      (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
		      c == '-'))
			return EBADMSG;
	}
	memcpy(to, s.p, s.n);
	to[s.n] = '\0';
	return 0;
}

static int take(struct learn_member *m, struct sl s)
{
	size_t at = sl_chr(s, '@'), slash = sl_chr(s, '/');
	int tp = tp_by_name(sl_sub(s, slash + 1, s.n));

	if (at >= slash || slash >= s.n || (tp != TP_UDP && tp != TP_TCP))
		return EBADMSG;
	m->tp = (uint8_t)tp;
	if (take_name(m->name, sl_sub(s, 0, at)) ||
	    addr_parse(&m->addr, sl_sub(s, at + 1, slash), 0) ||
	    !m->addr.port || addr_is_any(&m->addr))
		return EBADMSG;
	return 0;
}

int learn_next(struct sl *list, struct learn_member *m)
{
	size_t n = sl_chr(*list, ',');
	struct sl one = sl_sub(*list, 0, n);

	if (!list->n)
		return ENOENT;
	*list = sl_sub(*list, n + 1, list->n);
	memset(m, 0, sizeof(*m));
	return take(m, one);
}
