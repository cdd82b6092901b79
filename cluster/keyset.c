/* keyset.c - Pure. The keys of a cluster. */
#include <errno.h>
#include <string.h>
#include "cluster/keyset.h"

void keyset_one(struct keyset *k, const uint8_t key[SECRET_KEY])
{
	memset(k, 0, sizeof(*k));
	memcpy(k->key[0], key, SECRET_KEY);
	memcpy(k->base, key, SECRET_KEY);
	k->n = 1;
}

/* --- text ----------------------------------------------------------------- */

/* @return what is wrong with the line, or NULL */
static const char *take_line(struct keyset *k, struct sl s, bool *base)
{
	static const struct sl word = { "base", 4 };

	if (!s.n || s.p[0] == '#')
		return NULL;
	if (s.n > word.n && sl_eq(sl_sub(s, 0, word.n), word) &&
	    (s.p[word.n] == ' ' || s.p[word.n] == '\t')) {
		if (*base)
			return "a second base";
		*base = true;
		return sl_unhex(k->base, SECRET_KEY,
				sl_trim(sl_sub(s, word.n, s.n))) ?
			"not a base" : NULL;
	}
	if (k->n == KEYSET_MAX)
		return "a third key";
	if (sl_unhex(k->key[k->n], SECRET_KEY, s))
		return "not a key";
	k->n++;
	return NULL;
}

int keyset_parse(struct keyset *kp, struct sl text, uint32_t *line,
		 const char **why)
{
	struct keyset k = { .n = 0 };
	bool base = false;

	*why = NULL;
	*line = 0;
	for (size_t at = 0; !*why && at < text.n; ) {
		struct sl rest = sl_sub(text, at, text.n);
		size_t end = sl_chr(rest, '\n');

		++*line;
		*why = take_line(&k, sl_trim(sl_sub(rest, 0, end)), &base);
		at += end + 1;
	}
	if (!*why && !k.n) {
		*why = "not a key";
		*line = 0;
	}
	if (!*why && k.n == 2 && secret_equal(k.key[0], k.key[1], SECRET_KEY))
		*why = "the same key twice";
	if (!*why) {
		if (!base)
			memcpy(k.base, k.key[0], SECRET_KEY);
		*kp = k;
	}
	memset(&k, 0, sizeof(k));
	return *why ? EBADMSG : 0;
}

void keyset_text(struct buf *b, const struct keyset *k)
{
	for (uint32_t i = 0; i < k->n; i++) {
		buf_hex(b, k->key[i], SECRET_KEY);
		buf_chr(b, '\n');
	}
	/* said whenever the order of the keys could change it */
	if (k->n > 1 || !keyset_is_base(k, 0)) {
		buf_lit(b, "base ");
		buf_hex(b, k->base, SECRET_KEY);
		buf_chr(b, '\n');
	}
}

/* --- names ------------------------------------------------------------------ */

void keyset_name(char name[KEYSET_NAME], const uint8_t key[SECRET_KEY])
{
	uint8_t id[SECRET_KEY];
	struct buf b;

	secret_derive(id, key, "cluster key name 1");
	buf_fixed(&b, name, KEYSET_NAME);
	buf_hex(&b, id, (KEYSET_NAME - 1) / 2);
	name[KEYSET_NAME - 1] = 0;
}

bool keyset_is_base(const struct keyset *k, uint32_t i)
{
	return secret_equal(k->key[i], k->base, SECRET_KEY);
}

bool keyset_equal(const struct keyset *a, const struct keyset *b)
{
	return a->n == b->n &&
	       secret_equal(a->key, b->key, a->n * sizeof(a->key[0])) &&
	       secret_equal(a->base, b->base, SECRET_KEY);
}
