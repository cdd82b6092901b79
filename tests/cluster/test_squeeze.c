/* test_squeeze.c - values made short and whole again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <criterion/criterion.h>
#include "base/rng.h"
#include "cluster/squeeze.h"

static struct squeeze *mk(void)
{
	struct squeeze *q = calloc(1, sizeof(*q));

	squeeze_init(q);
	return q;
}

/* @return size it was squeezed to; 0: it stays as it is */
static size_t there_and_back(struct squeeze *q, struct sl in, struct sl key)
{
	uint8_t *out = malloc(in.n + 1);
	uint8_t *back = malloc(in.n + SQUEEZE_SLACK);
	size_t n;

	squeeze_learn(q, in, key);
	n = squeeze_put(q, out, in, key);
	cr_assert_leq(n, in.n);
	if (n) {
		squeeze_get(q, q->cur, back, in.n, sl_mk(out, n), key);
		cr_assert(memcmp(back, in.p, in.n) == 0);
	}
	free(out);
	free(back);
	return n;
}

static struct sl phone(struct rng *r, const char *make, char *v, char *k,
		       struct sl *key)
{
	uint32_t user = rng_below(r, 100000), n;

	n = (uint32_t)sprintf(k, "u:sip:user%u@10.1.%u.%u:5060", user,
			      user >> 8, user & 255);
	*key = sl_mk(k, n);
	n = (uint32_t)sprintf(v, "\1%c%s\2<sip:%08x%08x%08x@192.0.2.1:5070;lr;"
			      "ob>\3%08x\4%s\5", (char)(n - 2), k + 2,
			      (uint32_t)rng_u64(r), (uint32_t)rng_u64(r),
			      (uint32_t)rng_u64(r), (uint32_t)rng_u64(r),
			      make);
	return sl_mk(v, n);
}

Test(squeeze, what_all_values_share_is_left_out)
{
	struct squeeze *q = mk();
	char v[256], k[64];
	size_t whole = 0, left = 0, n;
	struct rng r;
	struct sl key;

	rng_seed(&r, 3);
	for (int i = 0; i < 3000; i++) {
		struct sl in = phone(&r, "Maker P-100 1.2.3.4", v, k, &key);

		n = there_and_back(q, in, key);
		if (i < 1000)
			continue;
		whole += in.n;
		left += n ? n : in.n;
	}
	/* 32 digits are new each time, of some 110 bytes */
	cr_assert_lt(left, whole / 2, "%zu of %zu", left, whole);
	free(q);
}

Test(squeeze, nothing_to_share_stays_as_it_is)
{
	struct squeeze *q = mk();
	uint8_t v[300];
	struct rng r;

	rng_seed(&r, 4);
	for (int i = 0; i < 300; i++) {
		for (size_t k = 0; k < sizeof(v); k++)
			v[k] = (uint8_t)rng_u64(&r);
		cr_assert_eq(there_and_back(q, sl_mk(v, sizeof(v)),
					    SL("key")), 0);
	}
	cr_assert_leq(q->dict[0].n, 8);
	free(q);
}

/* Values of any size and shape, also such that were made to hurt */
Test(squeeze, every_value_comes_back_as_it_was)
{
	struct squeeze *q = mk();
	static uint8_t v[8192], k[1100];
	struct rng r;

	rng_seed(&r, 5);
	for (int i = 0; i < 20000; i++) {
		size_t n = 1 + rng_below(&r, i % 100 ? 200 : 8191), kn;
		uint32_t letters = 1 + rng_below(&r, 6);

		kn = rng_below(&r, i % 50 ? 60 : 1100);
		for (size_t at = 0; at < n; at++)
			v[at] = (uint8_t)('a' + rng_below(&r, letters));
		for (size_t at = 0; at < kn; at++)
			k[at] = (uint8_t)('a' + rng_below(&r, letters));
		if (kn && kn < n)
			memcpy(v + rng_below(&r, (uint32_t)(n - kn)), k, kn);
		there_and_back(q, sl_mk(v, n), sl_mk(k, kn));
	}
	free(q);
}

Test(squeeze, an_empty_value_teaches_nothing_and_takes_no_turn)
{
	struct squeeze *q = mk();

	squeeze_learn(q, SL("one value and"), SL_NONE);
	for (int i = 0; i < 100; i++)
		squeeze_learn(q, SL_NONE, SL_NONE);
	cr_assert_eq(q->sample_n, 13);
	cr_assert_eq(q->every, 1);
	free(q);
}

Test(squeeze, an_older_dictionary_stays_readable_while_it_is_needed)
{
	struct squeeze *q = mk();
	char v[256], k[64], make[64];
	uint8_t kept[256], back[512];
	struct rng r;
	struct sl key, old;
	size_t n = 0;
	uint8_t dict, turns = 0, before;
	char ov[256], ok[64];

	rng_seed(&r, 6);
	for (int i = 0; i < 200; i++)
		there_and_back(q, phone(&r, "Maker P-100", v, k, &key), key);
	old = phone(&r, "Maker P-100", ov, ok, &key);
	n = squeeze_put(q, kept, old, key);
	dict = q->cur;
	squeeze_ref(q, dict);
	cr_assert_gt(n, 0);
	/* makes come and go until every other dictionary was begun anew */
	for (int i = 0; turns < 8 && i < 400000; i++) {
		struct sl other;

		(void)sprintf(make, "%016llx%016llx",
			      (unsigned long long)(i / 20 * 0x9e3779b97f4aull),
			      (unsigned long long)(i / 20 * 0x7ac15ed1cebull));
		before = q->cur;
		q->every = 1;               /* as fast as it can learn */
		there_and_back(q, phone(&r, make, v, k, &other), other);
		turns += q->cur != before;
		cr_assert(q->cur != dict || turns == 0);
	}
	cr_assert_eq(turns, 8);
	squeeze_get(q, dict, back, old.n, sl_mk(kept, n), key);
	cr_assert(memcmp(back, old.p, old.n) == 0);
	/* nobody needs the others either: they are all kept now */
	for (uint8_t i = 0; i < SQUEEZE_DICTS; i++)
		squeeze_ref(q, i);
	before = q->cur;
	for (int i = 0; i < 100000; i++) {
		struct sl other;

		(void)sprintf(make, "%016llx",
			      (unsigned long long)(i / 20 * 0x5851f42d4cull));
		q->every = 1;
		there_and_back(q, phone(&r, make, v, k, &other), other);
	}
	cr_assert_eq(q->cur, before);
	free(q);
}
