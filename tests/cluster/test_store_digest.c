/* test_store_digest.c - digests say whether two stores hold the same, and a scan
 * by buckets meets every record once. */
#include <errno.h>
#include <stdio.h>
#include <criterion/criterion.h>
#include "base/rng.h"
#include "cluster/store.h"

#define T0 1700000000000ull

static struct store *mk(uint64_t node)
{
	struct store_conf cf = { .node = node, .max_records = 1000000,
		.max_per_aor = 20, .max_expires = 600, .guard = 10000 };
	struct store *s = NULL;

	memset(cf.key, 7, sizeof(cf.key));
	cr_assert_eq(store_alloc(&s, &cf, T0), 0);
	return s;
}

static void put(struct store *s, int i, uint32_t cseq, uint64_t wall)
{
	char aor[32];

	(void)snprintf(aor, sizeof(aor), "sip:u%d@x", i);
	cr_assert_eq(store_put(s, sl_cstr(aor), SL("k"), 0x100, cseq,
			       wall + 300000, SL("v"), wall), 0);
}

/* What the digests ought to be, from the records themselves */
static void check(struct store *s)
{
	uint64_t root = 0, group, bucket, n = 0;
	struct store_scan it;
	struct record r;

	for (int g = 0; g < STORE_GROUPS; g++) {
		group = 0;
		for (int b = 0; b < STORE_GROUP; b++) {
			bucket = 0;
			store_scan(s, (uint16_t)(g * STORE_GROUP + b), &it);
			while (store_scan_next(&it, &r)) {
				bucket ^= store_digest_of(s, &r);
				n++;
			}
			cr_assert_eq(bucket, store_buckets(s, (uint8_t)g)[b]);
			group ^= bucket;
		}
		cr_assert_eq(group, store_groups(s)[g]);
		root ^= group;
	}
	cr_assert_eq(root, store_root(s));
	cr_assert_eq(n, store_stats(s)->records);
}

Test(store_digest, follows_every_kind_of_change)
{
	struct store *s = mk(1);
	uint64_t wall = T0;
	struct store_contact c;
	struct rng r;

	rng_seed(&r, 3);
	for (int k = 0; k < 3000; k++) {
		int i = (int)rng_below(&r, 200);
		char aor[32];
		struct sl a;

		a = sl_mk(aor, (size_t)snprintf(aor, sizeof(aor), "sip:u%d@x",
						i));
		wall += rng_below(&r, 2000);
		switch (rng_below(&r, 4)) {
		case 0:
			(void)store_del(s, a, SL("k"), 0x200,
					(uint32_t)k + 1, wall);
			break;
		case 1:
			if (!store_find(s, a, SL("k"), wall, &c))
				(void)store_kill(s, a, SL("k"), c.vstamp,
						 wall);
			break;
		default:
			(void)store_put(s, a, SL("k"),
					0x100 << rng_below(&r, 4),
					(uint32_t)k + 1,
					wall + 1000 + rng_below(&r, 90000),
					sl_mk(aor, 1 + rng_below(&r, 30)),
					wall);
		}
		(void)store_tick(s, wall, 100);
		if (k % 500 == 0)
			check(s);
	}
	cr_assert_gt(store_stats(s)->expired, 100);
	cr_assert_gt(store_stats(s)->kills, 20);
	wall += 700000;
	while (store_tick(s, wall, 1000))
		;
	cr_assert_eq(store_stats(s)->records, 0);
	cr_assert_eq(store_root(s), 0);
	store_free(s);
}

/* A refresh moves the fields behind the value, or the whole record: what is
 * digested is what it was before that */
Test(store_digest, follows_a_record_with_fields_of_a_newer_version)
{
	struct store *s = mk(1);
	struct record r = { .aor = SL("sip:a@x"), .key = SL("k"), .n = 1,
		.hold = T0 + 600000, .ext = SL("\0\7\0\0\0\4abcd") };
	bool changed;

	r.e[0] = (struct rec_entry){ .lineage = 0x100, .cseq = 1,
		.vstamp = { T0 << 16, 2 }, .gstamp = { T0 << 16, 2 },
		.expires = T0 + 300000, .has_value = true, .value = SL("v") };
	cr_assert_eq(store_merge(s, &r, 0, T0, &changed), 0);
	for (uint32_t n = 2; n < 40; n++) {
		cr_assert_eq(store_put(s, r.aor, r.key, 0x100, n, T0 + 300000,
				       sl_sub(SL("abcdefghijklmnopqrstuvwxyz"
						 "abcdefghijklm"), 0, n), T0),
			     0);
		check(s);
	}
	store_free(s);
}

/* More chains than buckets, and a number that is no power of two */
Test(store_digest, a_scan_meets_every_record_of_a_large_store)
{
	struct store *s = mk(1);
	uint64_t before = store_moves(s);

	for (int i = 0; i < 150000; i++)
		put(s, i, 1, T0);
	check(s);
	cr_assert_neq(store_moves(s), before);
	store_free(s);
}

static void copy(struct store *to, struct store *from, uint64_t wall)
{
	struct store_cursor c = { 0 };
	struct store_change ch;
	struct record r;
	bool changed;

	store_cursor_add(from, &c, 0);
	while (store_cursor_peek(from, &c, &ch)) {
		cr_assert_eq(record_decode(&r, ch.packed), 0);
		cr_assert_eq(store_merge(to, &r, 1, wall, &changed), 0);
		store_cursor_step(from, &c);
	}
	store_cursor_del(from, &c);
}

static void note(struct sl aor, const struct store_contact *c, void *arg)
{
	uint8_t *seen = arg;
	uint32_t i;

	(void)c;
	cr_assert_eq(sl_u32(sl_sub(aor, 5, sl_chr(aor, '@')), 1000000, &i), 0);
	if (i < 1000)
		seen[i]++;
}

/* The index grows a hundredfold and others come and go on the way */
Test(store_digest, a_walk_meets_all_that_stay_once)
{
	struct store *s = mk(1);
	uint8_t seen[1000] = { 0 };
	uint64_t pos = 0;
	int more = 1000;

	for (int i = 0; i < 1000; i++)
		put(s, i, 1, T0);
	while (store_walk(s, &pos, T0, note, seen)) {
		if (pos % 2 || more >= 100000)
			continue;
		for (int k = 0; k < 4; k++, more++)
			put(s, more, 1, T0);
	}
	cr_assert_geq(more, 100000);
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(seen[i], 1, "%d", i);
	store_free(s);
}

Test(store_digest, equal_when_the_records_are_and_else_not)
{
	struct store *a = mk(1), *b = mk(2);
	struct store_scan it;
	struct record r;
	bool held;

	for (int i = 0; i < 100; i++)
		put(a, i, 1, T0);
	copy(b, a, T0 + 3000);
	cr_assert_neq(store_root(a), 0);
	cr_assert_eq(store_root(a), store_root(b));
	put(a, 50, 2, T0 + 5000);
	cr_assert_neq(store_root(a), store_root(b));
	for (int k = 0; k < STORE_BUCKETS; k++) {
		store_scan(a, (uint16_t)k, &it);
		while (store_scan_next(&it, &r))
			cr_assert_eq(store_news(b, &r, T0 + 5000, &held),
				     sl_eq(r.aor, SL("sip:u50@x")));
	}
	copy(b, a, T0 + 6000);
	cr_assert_eq(store_root(a), store_root(b));
	store_free(a);
	store_free(b);
}

/* A value that one node has dropped, since its clock is ahead, is no difference */
Test(store_digest, what_each_node_forgets_alone_does_not_count)
{
	struct store *a = mk(1), *b = mk(2);

	put(a, 1, 1, T0);
	copy(b, a, T0);
	(void)store_tick(a, T0 + 302000, 100);
	cr_assert_eq(store_stats(a)->contacts, 0);
	cr_assert_eq(store_stats(b)->contacts, 1);
	cr_assert_eq(store_root(a), store_root(b));
	store_free(a);
	store_free(b);
}

Test(store_digest, a_look_at_one_binding_gives_what_a_scan_gives)
{
	struct store *s = mk(1);
	struct store_scan it;
	struct record r, one;
	uint64_t seq;

	for (int i = 0; i < 100; i++)
		put(s, i, 1, T0 + (uint64_t)i);
	put(s, 7, 2, T0 + 1000);
	cr_assert_eq(store_look(s, SL("sip:u7@x"), SL("k"), T0, &one, &seq),
		     0);
	cr_assert_eq(seq, 101);
	cr_assert_eq(store_look(s, SL("sip:u8@x"), SL("k"), T0, &one, &seq),
		     0);
	cr_assert_eq(seq, 9);
	cr_assert_eq(store_look(s, SL("sip:u8@x"), SL("z"), T0, &one, &seq),
		     ENOENT);
	cr_assert_eq(store_look(s, SL("sip:u8@x"), SL("k"), T0 + 999000000,
				&one, &seq), ENOENT, "past its hold");
	for (int b = 0; b < STORE_BUCKETS; b++) {
		store_scan(s, (uint16_t)b, &it);
		while (store_scan_next(&it, &r)) {
			cr_assert_eq(store_look(s, r.aor, r.key, T0, &one,
						&seq), 0);
			cr_assert_eq(seq, store_scan_seq(&it));
			cr_assert_eq(store_digest_of(s, &one),
				     store_digest_of(s, &r));
		}
	}
	store_free(s);
}

/* Each once, with its value; removed and expired ones are passed by */
Test(store_digest, a_scan_for_contacts_meets_each_that_is_visible)
{
	enum { N = 3000 };
	static uint8_t seen[N];
	struct store *s = mk(1);
	struct store_scan it;
	struct store_contact c;
	uint64_t wall = T0 + 1000;
	struct sl aor;
	unsigned u;
	int n = 0;

	for (int i = 0; i < N; i++)
		put(s, i, 1, T0);
	for (int i = 0; i < N; i += 3) {
		char txt[32];

		(void)snprintf(txt, sizeof(txt), "sip:u%d@x", i);
		cr_assert_eq(store_del(s, sl_cstr(txt), SL("k"), 0x100, 2,
				       wall), 0);
	}
	put(s, 1, 2, T0 - 299999);
	for (uint32_t b = 0; b < STORE_BUCKETS; b++) {
		store_scan(s, (uint16_t)b, &it);
		while (store_scan_contact(&it, wall, &aor, &c)) {
			cr_assert_eq(sscanf(aor.p, "sip:u%u@x", &u), 1);
			cr_assert_lt(u, N);
			cr_assert_eq(store_bucket(s, aor), b);
			cr_assert(sl_eq(c.key, SL("k")));
			cr_assert(sl_eq(c.value, SL("v")));
			cr_assert_eq(seen[u]++, 0);
			n++;
		}
	}
	cr_assert_eq(n, N - N / 3 - 1);
	cr_assert_eq(seen[0], 0);
	cr_assert_eq(seen[1], 0, "expired");
	store_free(s);
}
