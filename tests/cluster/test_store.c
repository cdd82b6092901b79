/* test_store.c - the store: registrar's rules, change order, expiry. */
#include <errno.h>
#include <stdio.h>
#include <criterion/criterion.h>
#include "cluster/store.h"

#define T0 1700000000000ull

static struct store *mk(uint64_t node)
{
	struct store_conf cf = { .node = node, .max_records = 1000,
		.max_per_aor = 20, .max_expires = 3600, .guard = 10000 };
	struct store *s = NULL;

	memset(cf.key, 7, sizeof(cf.key));
	cr_assert_eq(store_alloc(&s, &cf, T0), 0);
	return s;
}

#define A SL("sip:alice@example.com")
#define K SL("k1")
#define L1 0xaaaa00ull
#define L2 0xbbbb00ull

Test(store, put_is_visible_until_it_expires)
{
	struct store *s = mk(1);
	struct store_contact c;

	cr_assert_eq(store_put(s, A, K, L1, 1, T0 + 5000, SL("v"), T0), 0);
	cr_assert_eq(store_find(s, A, K, T0 + 4999, &c), 0);
	cr_assert(sl_eq(c.value, SL("v")));
	cr_assert_eq(c.cseq, 1);
	cr_assert_eq(c.expires, T0 + 5000);
	cr_assert_eq(store_find(s, A, K, T0 + 5000, &c), ENOENT);
	cr_assert_eq(store_count(s, A, T0), 1);
	cr_assert_eq(store_count(s, A, T0 + 5000), 0);
	store_free(s);
}

Test(store, order_within_a_lineage_is_by_cseq)
{
	struct store *s = mk(1);

	cr_assert_eq(store_put(s, A, K, L1, 5, T0 + 50000, SL("v"), T0), 0);
	cr_assert_eq(store_put(s, A, K, L1, 4, T0 + 50000, SL("w"), T0),
		     ESTALE);
	cr_assert_eq(store_put(s, A, K, L1, 5, T0 + 50000, SL("v"), T0),
		     EALREADY);
	cr_assert_eq(store_check(s, A, K, L1, 6, T0), 0);
	cr_assert_eq(store_put(s, A, K, L1, 6, T0 + 50000, SL("w"), T0), 0);
	store_free(s);
}

Test(store, another_lineage_takes_the_binding_over)
{
	struct store *s = mk(1);
	struct store_contact c;

	cr_assert_eq(store_put(s, A, K, L1, 5, T0 + 90000, SL("v"), T0), 0);
	cr_assert_eq(store_put(s, A, K, L2, 1, T0 + 50000, SL("w"), T0), 0);
	cr_assert_eq(store_count(s, A, T0), 1);
	cr_assert_eq(store_find(s, A, K, T0, &c), 0);
	cr_assert(sl_eq(c.value, SL("w")));
	/* and when it runs out the one before does not come back */
	store_tick(s, T0 + 60000, 100);
	cr_assert_eq(store_find(s, A, K, T0 + 60000, &c), ENOENT);
	store_free(s);
}

Test(store, removed_is_gone_and_a_late_repeat_does_not_revive_it)
{
	struct store *s = mk(1);

	cr_assert_eq(store_put(s, A, K, L1, 5, T0 + 50000, SL("v"), T0), 0);
	cr_assert_eq(store_del(s, A, K, L1, 6, T0 + 1), 0);
	cr_assert_eq(store_count(s, A, T0 + 1), 0);
	cr_assert_eq(store_put(s, A, K, L1, 5, T0 + 50000, SL("v"), T0 + 2),
		     ESTALE);
	cr_assert_eq(store_del(s, A, K, L1, 6, T0 + 2), EALREADY);
	/* a client that counts from one again after a while is let in */
	cr_assert_eq(store_put(s, A, K, L1, 1, T0 + 90000, SL("n"),
			       T0 + 33001), 0);
	cr_assert_eq(store_count(s, A, T0 + 33001), 1);
	store_free(s);
}

Test(store, kill_hits_only_the_version_that_was_seen)
{
	struct store *s = mk(1);
	struct store_contact c, d;

	cr_assert_eq(store_put(s, A, K, L1, 1, T0 + 50000, SL("v"), T0), 0);
	cr_assert_eq(store_find(s, A, K, T0, &c), 0);
	cr_assert_eq(store_put(s, A, K, L1, 2, T0 + 50000, SL("v"), T0), 0);
	cr_assert_eq(store_kill(s, A, K, c.vstamp, T0), ESTALE);
	cr_assert_eq(store_find(s, A, K, T0, &d), 0);
	cr_assert_eq(store_kill(s, A, K, d.vstamp, T0), 0);
	cr_assert_eq(store_count(s, A, T0), 0);
	cr_assert_eq(store_kill(s, A, K, d.vstamp, T0), ENOENT);
	store_free(s);
}

Test(store, tombstones_are_forgotten_after_max_expires_and_guard)
{
	struct store *s = mk(1);
	const struct store_stats *st = store_stats(s);
	uint64_t end = T0 + 3600 * 1000 + 10000;

	cr_assert_eq(store_put(s, A, K, L1, 5, T0 + 50000, SL("v"), T0), 0);
	cr_assert_eq(st->contacts, 1);
	cr_assert_eq(store_del(s, A, K, L1, 6, T0), 0);
	cr_assert_eq(st->contacts, 0);
	cr_assert_eq(st->tombs, 1);
	for (uint64_t t = T0; t < end; t += 1000)
		while (store_tick(s, t, 10))
			;
	cr_assert_eq(st->records, 1);
	while (store_tick(s, end + 1000, 10))
		;
	cr_assert_eq(st->records, 0);
	cr_assert_eq(st->bytes, 0);
	store_free(s);
}

Test(store, cursor_gives_each_change_once_in_order)
{
	struct store *s = mk(1);
	struct store_cursor c = { 0 };
	struct store_change ch;
	struct record r;
	char key[16];
	int n = 0;

	for (int i = 0; i < 10; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		cr_assert_eq(store_put(s, A, sl_cstr(key), L1, 1, T0 + 9000,
				       SL("v"), T0), 0);
	}
	store_cursor_add(s, &c, 4);
	/* the next to give changes: it goes to the end */
	cr_assert(store_cursor_peek(s, &c, &ch));
	cr_assert_eq(ch.seq, 5);
	cr_assert_eq(store_put(s, A, SL("k4"), L1, 2, T0 + 9000, SL("w"), T0),
		     0);
	for (uint64_t last = 0; store_cursor_peek(s, &c, &ch); n++) {
		cr_assert_gt(ch.seq, last);
		last = ch.seq;
		cr_assert_eq(record_decode(&r, ch.packed), 0);
		store_cursor_step(s, &c);
	}
	cr_assert_eq(n, 6);
	cr_assert_eq(c.seq, 11);
	cr_assert(sl_eq(r.key, SL("k4")));
	/* a later change wakes a cursor at the end */
	cr_assert_eq(store_del(s, A, SL("k0"), L1, 2, T0), 0);
	cr_assert(store_cursor_peek(s, &c, &ch));
	cr_assert_eq(ch.seq, 12);
	store_cursor_del(s, &c);
	store_free(s);
}

Test(store, merge_moves_a_contact_to_another_node)
{
	struct store *s = mk(1), *t = mk(2);
	struct store_cursor c = { 0 };
	struct store_change ch;
	struct store_contact k;
	struct record r;
	bool changed;

	cr_assert_eq(store_put(s, A, K, L1, 1, T0 + 50000, SL("v"), T0), 0);
	store_cursor_add(s, &c, 0);
	cr_assert(store_cursor_peek(s, &c, &ch));
	cr_assert_eq(record_decode(&r, ch.packed), 0);
	cr_assert_eq(store_merge(t, &r, 3, T0 + 7, &changed), 0);
	cr_assert(changed);
	cr_assert_eq(store_find(t, A, K, T0 + 7, &k), 0);
	cr_assert_eq(store_merge(t, &r, 3, T0 + 8, &changed), 0);
	cr_assert_not(changed);
	/* the retransmission that reaches the other node is known there */
	cr_assert_eq(store_check(t, A, K, L1, 1, T0 + 9), EALREADY);
	store_cursor_del(s, &c);
	store_free(s);
	store_free(t);
}

/* What `from` says of the only binding becomes known to `to` */
static void tell(struct store *from, struct store *to, uint64_t wall)
{
	struct store_cursor c = { 0 };
	struct store_change ch;
	struct record r;
	bool changed;

	store_cursor_add(from, &c, 0);
	cr_assert(store_cursor_peek(from, &c, &ch));
	cr_assert_eq(record_decode(&r, ch.packed), 0);
	cr_assert_eq(store_merge(to, &r, 3, wall, &changed), 0);
	cr_assert(changed);
	store_cursor_del(from, &c);
}

Test(store, counting_anew_takes_a_generation_that_is_not_there)
{
	struct store *s = mk(1), *t = mk(2);
	struct store_contact c;
	uint64_t t1 = T0 + 20000, t2 = T0 + 30000, t3 = T0 + 60000;

	/* a cut: one side has begun a second generation, the other goes on with
	 * the first, and is the later one */
	cr_assert_eq(store_put(s, A, K, L1, 1, T0 + 9000, SL("a"), T0), 0);
	cr_assert_eq(store_put(s, A, K, L1, 1, t1 + 9000, SL("b"), t1), 0);
	cr_assert_eq(store_put(s, A, K, L1, 12, t1 + 9000, SL("c"), t1), 0);
	cr_assert_eq(store_put(t, A, K, L1, 15, t2 + 9000, SL("d"), t2), 0);
	tell(t, s, t2);
	cr_assert_eq(store_find(s, A, K, t2, &c), 0);
	cr_assert(sl_eq(c.value, SL("d")));
	/* what is admitted is there */
	cr_assert_eq(store_put(s, A, K, L1, 1, t3 + 9000, SL("e"), t3), 0);
	cr_assert_eq(store_find(s, A, K, t3, &c), 0);
	cr_assert(sl_eq(c.value, SL("e")));
	cr_assert_eq(c.cseq, 1);
	store_free(s);
	store_free(t);
}

Test(store, caps_refuse_and_count)
{
	struct store *s = mk(1);
	char key[16];

	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		cr_assert_eq(store_put(s, A, sl_cstr(key), L1, 1, T0 + 9000,
				       SL("v"), T0), 0);
	}
	cr_assert_eq(store_put(s, A, SL("more"), L1, 1, T0 + 9000, SL("v"),
			       T0), ENOSPC);
	cr_assert_eq(store_put(s, A, SL("k3"), L1, 2, T0 + 9000, SL("v"),
			       T0), 0);
	cr_assert_eq(store_reserve(s, A, 1, 1, 10), ENOSPC);
	cr_assert_eq(store_reserve(s, A, 0, 5, 10), 0);
	cr_assert_eq(store_reserve(s, SL("bob"), 20, 20, 10), 0);
	cr_assert_eq(store_reserve(s, SL("bob"), 21, 21, 10), ENOSPC);
	cr_assert_eq(store_stats(s)->full, 3);
	store_free(s);
}
