/* cfg_value.c - Pure. Values of a settings table. */
#include "base/cfg_value.h"
#include "base/cur.h"

static bool set_enum(void *at, const struct cfg_key *k, struct sl s)
{
	for (uint32_t i = 0; k->names[i]; i++) {
		if (sl_eq(s, sl_cstr(k->names[i]))) {
			*(uint32_t *)at = i;
			return true;
		}
	}
	return false;
}

static bool set_str(char *at, const struct cfg_key *k, struct sl s)
{
	if (s.n < k->min || s.n > k->max)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if ((uint8_t)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	}
	if (s.n)
		memcpy(at, s.p, s.n);
	at[s.n] = 0;
	return true;
}

bool cfg_value_int(void *base, const struct cfg_key *k, long long v)
{
	if (k->type != CFG_U32 || v < 0 || v < k->min || v > k->max)
		return false;
	*(uint32_t *)cfg_at(base, k) = (uint32_t)v;
	return true;
}

bool cfg_value_text(void *base, const struct cfg_key *k, struct sl s)
{
	void *at = cfg_at(base, k);
	uint32_t v;

	switch (k->type) {
	case CFG_BOOL:
		*(bool *)at = sl_eq(s, SL("true"));
		return *(bool *)at || sl_eq(s, SL("false"));
	case CFG_U32:
		return !sl_u32(s, UINT32_MAX, &v) && cfg_value_int(base, k, v);
	case CFG_STR:
		return set_str(at, k, s);
	case CFG_ENUM:
		return set_enum(at, k, s);
	case CFG_IP:
		return addr_parse_ip(at, s) == 0;
	case CFG_LIST:
		break;
	}
	return false;
}

void cfg_value_clear(void *base, const struct cfg_key *k)
{
	void *at = cfg_at(base, k);

	switch (k->type) {
	case CFG_BOOL:
		*(bool *)at = false;
		break;
	case CFG_U32:
	case CFG_ENUM:
		*(uint32_t *)at = 0;
		break;
	case CFG_STR:
		memset(at, 0, (size_t)k->max + 1);
		break;
	case CFG_IP:
		memset(at, 0, sizeof(struct addr));
		break;
	case CFG_LIST:
		*(struct cfg_list *)at = (struct cfg_list){ NULL, 0 };
		break;
	}
}

static void allowed_enum(struct buf *b, const struct cfg_key *k)
{
	buf_lit(b, "one of");
	for (uint32_t i = 0; k->names[i]; i++) {
		buf_str(b, i ? ", \"" : " \"");
		buf_str(b, k->names[i]);
		buf_chr(b, '"');
	}
}

void cfg_value_allowed(struct buf *b, const struct cfg_key *k)
{
	bool plain;

	switch (k->type) {
	case CFG_BOOL:
		buf_lit(b, "true or false");
		break;
	case CFG_U32:
		buf_printf(b, "a whole number from %u to %u", k->min, k->max);
		if (k->unit)
			buf_printf(b, " [%s]", k->unit);
		break;
	case CFG_STR:
		buf_printf(b, "a \"text\" of %u to %u bytes, no control "
			   "characters", k->min, k->max);
		break;
	case CFG_ENUM:
		allowed_enum(b, k);
		break;
	case CFG_IP:
		buf_lit(b, "a numeric IPv4 or IPv6 address in quotes");
		break;
	case CFG_LIST:
		plain = k->sub && !*k->sub[0].name;
		buf_printf(b, "a list of %u to %u entries ", k->min, k->max);
		buf_str(b, plain ? "( \"...\", \"...\" )" :
			"( { key = value; }, ... )");
		break;
	}
}

static void put_list(struct buf *b, const struct cfg_list *l,
		     const struct cfg_key *k)
{
	put_u32(b, l->n);
	for (uint32_t i = 0; i < l->n; i++) {
		const char *e = (const char *)l->v + i * k->elem_size;

		for (const struct cfg_key *s = k->sub; s->name; s++)
			cfg_value_put(b, e, s);
	}
}

void cfg_value_put(struct buf *b, const void *base, const struct cfg_key *k)
{
	const void *at = cfg_at_c(base, k);
	const struct addr *a = at;

	put_sl16(b, sl_cstr(k->name));
	switch (k->type) {
	case CFG_BOOL:
		put_u8(b, *(const bool *)at);
		break;
	case CFG_U32:
	case CFG_ENUM:
		put_u32(b, *(const uint32_t *)at);
		break;
	case CFG_STR:
		put_sl16(b, sl_cstr(at));
		break;
	case CFG_IP:
		/* the port belongs to another key, if any */
		put_u8(b, a->af);
		buf_put(b, a->ip, sizeof(a->ip));
		break;
	case CFG_LIST:
		put_list(b, at, k);
		break;
	}
}

#define NEAR 32    /**< longest name compared [bytes] */

/** Edits (insert, delete, change, swap of neighbours) from a to b */
static unsigned edits(struct sl a, struct sl b)
{
	unsigned d[3][NEAR + 1], *two = d[0], *one = d[1], *row = d[2];

	for (size_t j = 0; j <= b.n; j++)
		one[j] = (unsigned)j;
	for (size_t i = 1; i <= a.n; i++) {
		unsigned *t;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.n; j++) {
			bool same = a.p[i - 1] == b.p[j - 1];
			unsigned v = one[j - 1] + !same;

			v = one[j] + 1 < v ? one[j] + 1 : v;
			v = row[j - 1] + 1 < v ? row[j - 1] + 1 : v;
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1] && two[j - 2] + 1 < v)
				v = two[j - 2] + 1;
			row[j] = v;
		}
		t = two;
		two = one;
		one = row;
		row = t;
	}
	return one[b.n];
}

const char *cfg_value_nearest(const struct cfg_key *keys, struct sl name)
{
	const char *best = "";
	unsigned min = UINT32_MAX;
	size_t dot = sl_chr(name, '.');

	if (name.n > NEAR)
		return best;
	for (; keys->name; keys++) {
		struct sl k = sl_cstr(keys->name);
		size_t kdot = sl_chr(k, '.');
		unsigned d;

		if (k.n > NEAR)
			continue;
		d = edits(name, k);
		/* in the wrong group, or outside of its group */
		if (dot == name.n && kdot < k.n &&
		    sl_eq(name, sl_sub(k, kdot + 1, k.n)))
			d = 1;
		/* a misspelt group name */
		if (dot == name.n && kdot < k.n &&
		    edits(name, sl_sub(k, 0, kdot)) < d)
			d = edits(name, sl_sub(k, 0, kdot));
		if (d < min) {
			min = d;
			best = keys->name;
		}
	}
	return min <= 2 || min * 3 <= name.n ? best : "";
}
