/* cfg_over.c - Pure. Options "key=value" over a settings file. */
#include <errno.h>
#include <stdio.h>
#include "base/cfg_over.h"

int cfg_over_add(struct cfg_over *o, const char *option)
{
	struct sl s = sl_cstr(option);
	size_t eq = sl_chr(s, '=');

	if (eq == s.n || !sl_trim(sl_sub(s, 0, eq)).n)
		return EBADMSG;
	if (o->n >= CFG_OVERS)
		return ENOSPC;
	o->v[o->n++] = option;
	return 0;
}

struct sl cfg_over_key(const char *option)
{
	struct sl s = sl_cstr(option);

	return sl_trim(sl_sub(s, 0, sl_chr(s, '=')));
}

struct sl cfg_over_value(const char *option)
{
	struct sl s = sl_cstr(option);

	return sl_trim(sl_sub(s, sl_chr(s, '=') + 1, s.n));
}

const char *cfg_over_find(const struct cfg_over *o, const char *key)
{
	struct sl k = sl_cstr(key);

	for (uint32_t i = o ? o->n : 0; i-- > 0;) {
		struct sl own = cfg_over_key(o->v[i]);

		if (sl_starts(k, own) && (k.n == own.n || key[own.n] == '.' ||
					  key[own.n] == '['))
			return o->v[i];
	}
	return NULL;
}

const char *cfg_over_name(char name[CFG_OVER_NAME], const char *option)
{
	/* the value may be long: what was typed is known to who typed it */
	(void)snprintf(name, CFG_OVER_NAME, "-o %s", option);
	return name;
}

void cfg_over_text(struct buf *b, const char *option)
{
	struct sl v = cfg_over_value(option);

	if (v.n && strchr("([{\"", v.p[0])) {
		buf_sl(b, v);
		return;
	}
	buf_chr(b, '"');
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '"' || v.p[i] == '\\')
			buf_chr(b, '\\');
		buf_chr(b, v.p[i]);
	}
	buf_chr(b, '"');
}
