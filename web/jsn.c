/* jsn.c - Shell. Helpers over jansson. */
#include "web/jsn.h"
#include <stdlib.h>

void jsn_put(json_t *o, const char *key, json_t *v)
{
	if (!v)
		return;
	/* takes over v in any case; without memory the key is missing */
	(void)json_object_set_new(o, key, v);
}

void jsn_u64(json_t *o, const char *key, uint64_t v)
{
	jsn_put(o, key, json_integer(v > INT64_MAX ? INT64_MAX :
				     (json_int_t)v));
}

void jsn_bool(json_t *o, const char *key, bool v)
{
	jsn_put(o, key, json_boolean(v));
}

void jsn_str(json_t *o, const char *key, const char *v)
{
	if (v)
		jsn_sl(o, key, sl_cstr(v));
	else
		jsn_put(o, key, json_null());
}

void jsn_sl(json_t *o, const char *key, struct sl v)
{
	json_t *s = json_stringn(v.p ? v.p : "", v.n);
	struct buf b;

	if (!s) {
		buf_init(&b, v.n * 3 + 1);
		for (size_t i = 0; i < v.n; i++) {
			if ((uint8_t)v.p[i] < 0x80)
				buf_chr(&b, v.p[i]);
			else
				buf_lit(&b, "\xef\xbf\xbd");
		}
		if (!b.err)
			s = json_stringn((const char *)b.p, b.n);
		buf_free(&b);
	}
	jsn_put(o, key, s);
}

void jsn_addr(json_t *o, const char *key, const struct addr *a)
{
	char t[ADDR_TXT];

	jsn_str(o, key, a->af ? addr_txt(a, t) : NULL);
}

json_t *jsn_body(struct http_call *c)
{
	json_error_t e;
	json_t *o = json_loadb(c->body.p ? c->body.p : "", c->body.n,
			       JSON_REJECT_DUPLICATES, &e);

	if (json_is_object(o))
		return o;
	json_decref(o);
	jsn_error(c, 400, o ? "an object is needed" : e.text);
	return NULL;
}

void jsn_reply(struct http_call *c, unsigned status, json_t *o)
{
	char *t = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	http_srv_reply(c, t ? status : 500, "application/json",
		       t ? sl_cstr(t) : SL("{\"error\":\"no memory\"}"));
	free(t);
}

void jsn_error(struct http_call *c, unsigned status, const char *text)
{
	json_t *o = json_object();

	jsn_str(o, "error", text);
	jsn_reply(c, status, o);
}
