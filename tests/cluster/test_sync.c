/* test_sync.c - rounds: what one store lacks is found and fetched, and nothing
 * else. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <criterion/criterion.h>
#include "cluster/sync.h"

#define T0 1700000000000ull
#define NOW 1000ull
#define LIMIT 4096

struct side {
	struct store *s;
	struct sync *y;
};

static void open_side(struct side *x, uint64_t node)
{
	struct store_conf cf = { .node = node, .max_records = 100000,
		.max_per_aor = 1000, .max_expires = 600, .guard = 10000 };

	memset(cf.key, 7, sizeof(cf.key));
	cr_assert_eq(store_alloc(&x->s, &cf, T0), 0);
	cr_assert_eq(sync_alloc(&x->y, x->s, node, 0), 0);
}

static void close_side(struct side *x)
{
	sync_free(x->y);
	store_free(x->s);
}

static void put(struct side *x, int i, uint32_t cseq)
{
	char aor[32];

	(void)snprintf(aor, sizeof(aor), "sip:u%d@x", i);
	cr_assert_eq(store_put(x->s, sl_cstr(aor), SL("k"), 0x100, cseq,
			       T0 + 300000, SL("value"), T0), 0);
}

static bool has(struct side *x, int i)
{
	char aor[32];

	(void)snprintf(aor, sizeof(aor), "sip:u%d@x", i);
	return store_count(x->s, sl_cstr(aor), T0) == 1;
}

/* What `from` says goes to `to`, who calls it `peer`.
 * @return first error, or 0; *frames counts */
static int carry(struct side *from, uint8_t to_id, struct side *to,
		 uint8_t from_id, unsigned *frames)
{
	struct wire_head h;
	struct buf b;
	size_t total, at = 0;
	int err = 0;

	buf_init(&b, 1u << 24);
	sync_fill(from->y, to_id, &b, LIMIT, NOW);
	cr_assert_eq(b.err, 0);
	while (!err && at < b.n) {
		struct sl rest = sl_mk(b.p + at, b.n - at), p;

		cr_assert_eq(wire_frame(rest, WIRE_MAX, &h, &total), 0);
		p = sl_sub(rest, WIRE_HEAD, total);
		at += total;
		++*frames;
		switch ((enum wire_type)h.type) {
		case WIRE_ASK:
			err = sync_ask(to->y, from_id, p);
			break;
		case WIRE_WANT:
			err = sync_want(to->y, from_id, p);
			break;
		case WIRE_DIGEST:
			err = sync_digest(to->y, from_id, p, NOW);
			break;
		case WIRE_DATA:
			err = sync_data(to->y, from_id, from_id, p, NOW, T0);
			break;
		case WIRE_DONE:
			err = sync_done(to->y, from_id, from_id, p, NOW, T0);
			break;
		default:
			cr_assert_fail("type %u", h.type);
		}
	}
	buf_free(&b);
	return err;
}

/* a is called 1 by b, b is called 2 by a. Until neither has anything to say, or
 * `turns` are over. */
static void talk(struct side *a, struct side *b, int turns)
{
	unsigned frames = 1;

	while (frames && turns--) {
		frames = 0;
		cr_assert_eq(carry(a, 2, b, 1, &frames), 0);
		cr_assert_eq(carry(b, 1, a, 2, &frames), 0);
	}
}

static void link_both(struct side *a, struct side *b)
{
	sync_up(a->y, 2);
	sync_able(a->y, 2, true, 0);
	sync_up(b->y, 1);
	sync_able(b->y, 1, true, 0);
}

static void round_of_b(struct side *a, struct side *b, enum sync_why why)
{
	struct sync_end e;

	sync_due(b->y, 1, why);
	sync_tick(b->y, NOW);
	talk(a, b, 100000);
	cr_assert(sync_poll(b->y, &e));
	cr_assert(e.ok && e.peer == 1 && e.why == why);
	cr_assert_not(sync_is_due(b->y, 1, why));
}

Test(sync, an_empty_node_fetches_everything_once)
{
	struct side a, b;

	open_side(&a, 1);
	open_side(&b, 2);
	link_both(&a, &b);
	for (int i = 0; i < 3000; i++)
		put(&a, i, 1);
	round_of_b(&a, &b, SYNC_JOIN);
	cr_assert_eq(store_stats(b.s)->contacts, 3000);
	cr_assert_eq(store_root(a.s), store_root(b.s));
	cr_assert_eq(sync_stats(b.y)->fetched, 3000);
	cr_assert_eq(sync_stats(b.y)->joined, 3000);
	cr_assert_eq(sync_stats(b.y)->progress, 100);
	close_side(&a);
	close_side(&b);
}

Test(sync, only_what_differs_is_fetched)
{
	struct side a, b;

	open_side(&a, 1);
	open_side(&b, 2);
	link_both(&a, &b);
	for (int i = 0; i < 2000; i++)
		put(&a, i, 1);
	round_of_b(&a, &b, SYNC_JOIN);
	for (int i = 0; i < 10; i++)
		put(&a, 5000 + i, 1);
	put(&a, 7, 2);
	put(&b, 9000, 1);
	round_of_b(&a, &b, SYNC_HEAL);
	cr_assert_eq(sync_stats(b.y)->fetched, 2011);
	cr_assert_eq(sync_stats(b.y)->repaired, 11);
	cr_assert(has(&b, 5009) && has(&b, 9000) && !has(&a, 9000));
	round_of_b(&a, &b, SYNC_HEAL);
	cr_assert_eq(sync_stats(b.y)->fetched, 2011);
	close_side(&a);
	close_side(&b);
}

static void verify(struct side *a, struct side *b)
{
	sync_verify(b->y, NOW);
	cr_assert(sync_verifying(b->y));
	sync_tick(b->y, NOW);
	talk(a, b, 1000);
	sync_tick(b->y, NOW + SYNC_VERIFY_AGAIN);
	talk(a, b, 1000);
	cr_assert_not(sync_verifying(b->y));
}

/* All in one bucket: what is known there is neither given nor listed */
Test(sync, of_a_bucket_that_differs_only_what_is_unknown_is_given)
{
	struct side a, b;
	struct sync_end e;
	uint64_t more;
	uint32_t n;
	char key[16];

	open_side(&a, 1);
	open_side(&b, 2);
	link_both(&a, &b);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		cr_assert_eq(store_put(a.s, SL("sip:one@x"), sl_cstr(key),
				       0x100, 1, T0 + 300000, SL("v"), T0),
			     0);
	}
	round_of_b(&a, &b, SYNC_JOIN);
	cr_assert_eq(store_put(a.s, SL("sip:one@x"), SL("k7"), 0x100, 2,
			       T0 + 300000, SL("w"), T0), 0);
	verify(&a, &b);
	(void)sync_diffs(b.y, &n, &more);
	cr_assert(n == 1 && more == 0, "%u listed", n);
	cr_assert(sync_poll(b.y, &e) && e.why == SYNC_VERIFY && e.ok);
	cr_assert_eq(sync_stats(b.y)->fetched, 21);
	round_of_b(&a, &b, SYNC_HEAL);
	cr_assert_eq(sync_stats(b.y)->fetched, 22);
	close_side(&a);
	close_side(&b);
}

Test(sync, equal_nodes_exchange_two_frames)
{
	struct side a, b;
	unsigned frames = 0;

	open_side(&a, 1);
	open_side(&b, 2);
	link_both(&a, &b);
	put(&a, 1, 1);
	round_of_b(&a, &b, SYNC_JOIN);
	sync_due(b.y, 1, SYNC_CHECK);
	sync_tick(b.y, NOW);
	cr_assert_eq(carry(&b, 1, &a, 2, &frames), 0);
	cr_assert_eq(carry(&a, 2, &b, 1, &frames), 0);
	cr_assert_eq(frames, 2);
	cr_assert_eq(sync_stats(b.y)->rounds[SYNC_CHECK], 1);
	close_side(&a);
	close_side(&b);
}

/* A donor that dies in the middle: the next one gives the rest, not all */
Test(sync, another_donor_goes_on_where_the_first_one_stopped)
{
	struct side a, b, c;
	struct sync_end e;
	uint64_t first;

	open_side(&a, 1);
	open_side(&b, 2);
	open_side(&c, 3);
	link_both(&a, &b);
	for (int i = 0; i < 3000; i++)
		put(&a, i, 1);
	sync_up(c.y, 2);
	sync_able(c.y, 2, true, 0);
	sync_due(c.y, 2, SYNC_JOIN);
	sync_tick(c.y, NOW);
	for (int i = 0; i < 20; i++) {   /* c calls a 2; a calls c 3 */
		unsigned n = 0;

		cr_assert_eq(carry(&c, 2, &a, 3, &n), 0);
		cr_assert_eq(carry(&a, 3, &c, 2, &n), 0);
	}
	first = sync_stats(c.y)->fetched;
	cr_assert(first > 100 && first < 2900, "%llu",
		  (unsigned long long)first);
	sync_tick(c.y, NOW + SYNC_STALL);
	cr_assert(sync_poll(c.y, &e));
	cr_assert_not(e.ok);
	cr_assert(sync_is_due(c.y, 2, SYNC_JOIN));
	sync_able(c.y, 2, false, 0);
	round_of_b(&a, &b, SYNC_JOIN);
	sync_up(c.y, 1);
	sync_able(c.y, 1, true, 0);
	round_of_b(&b, &c, SYNC_JOIN);
	cr_assert_eq(store_root(c.s), store_root(a.s));
	/* what was under way in the window may come twice */
	cr_assert_leq(sync_stats(c.y)->fetched, 3000 + first / 2);
	close_side(&a);
	close_side(&b);
	close_side(&c);
}

Test(sync, a_check_fetches_only_what_differs_twice)
{
	struct side a, b;
	bool changed;
	struct store_scan it;
	struct record r;

	open_side(&a, 1);
	open_side(&b, 2);
	link_both(&a, &b);
	put(&a, 1, 1);
	put(&a, 2, 1);
	sync_due(b.y, 1, SYNC_CHECK);
	sync_tick(b.y, NOW);
	talk(&a, &b, 100);
	cr_assert_eq(sync_stats(b.y)->fetched, 0);
	for (int k = 0; k < STORE_BUCKETS; k++) {
		store_scan(a.s, (uint16_t)k, &it);
		while (store_scan_next(&it, &r))
			if (sl_eq(r.aor, SL("sip:u1@x")))
				cr_assert_eq(store_merge(b.s, &r, 1, T0,
							 &changed), 0);
	}
	/* these differ now, some in the same group, and did not at first */
	for (int i = 3; i < 3000; i++)
		put(&a, i, 1);
	sync_tick(b.y, NOW + SYNC_LOOK_AGAIN - 1);
	talk(&a, &b, 100);
	cr_assert_eq(sync_stats(b.y)->fetched, 0);
	cr_assert_eq(sync_next(b.y), NOW + SYNC_LOOK_AGAIN);
	sync_tick(b.y, NOW + SYNC_LOOK_AGAIN);
	talk(&a, &b, 100);
	cr_assert_eq(sync_stats(b.y)->fetched, 1);
	cr_assert(has(&b, 2) && !has(&b, 3));
	close_side(&a);
	close_side(&b);
}

static const struct sync_diff *diff_of(const struct sync *y, const char *aor)
{
	const struct sync_diff *d;
	uint64_t more;
	uint32_t n;

	d = sync_diffs(y, &n, &more);
	for (uint32_t i = 0; i < n; i++)
		if (!strcmp(d[i].aor, aor))
			return &d[i];
	return NULL;
}

Test(sync, a_verification_lists_what_differs_and_changes_nothing)
{
	struct side a, b;
	uint64_t before;
	uint64_t more;
	uint32_t n;

	open_side(&a, 1);
	open_side(&b, 2);
	link_both(&a, &b);
	for (int i = 0; i < 50; i++)
		put(&a, i, 1);
	round_of_b(&a, &b, SYNC_JOIN);
	verify(&a, &b);
	cr_assert_eq(sync_verdict(b.y, 1), SYNC_EQUAL);
	put(&a, 100, 1);
	put(&b, 200, 1);
	put(&a, 7, 2);
	put(&b, 8, 2);
	before = store_root(b.s);
	verify(&a, &b);
	cr_assert_eq(store_root(b.s), before);
	cr_assert_eq(sync_verdict(b.y, 1), SYNC_UNEQUAL);
	(void)sync_diffs(b.y, &n, &more);
	cr_assert_eq(n, 4);
	cr_assert_eq(diff_of(b.y, "sip:u100@x")->kind, SYNC_MISSING_HERE);
	cr_assert_eq(diff_of(b.y, "sip:u200@x")->kind, SYNC_MISSING_THERE);
	cr_assert_eq(diff_of(b.y, "sip:u7@x")->kind, SYNC_DIFFERS);
	cr_assert_eq(diff_of(b.y, "sip:u8@x")->kind, SYNC_MISSING_THERE);
	sync_down(b.y, 1, NOW);
	close_side(&a);
	close_side(&b);
}

Test(sync, a_peer_that_goes_away_is_no_equal_one)
{
	struct side a, b;

	open_side(&a, 1);
	open_side(&b, 2);
	link_both(&a, &b);
	sync_verify(b.y, NOW);
	sync_tick(b.y, NOW);
	sync_down(b.y, 1, NOW);
	cr_assert_not(sync_verifying(b.y));
	cr_assert_eq(sync_verdict(b.y, 1), SYNC_NO_ANSWER);
	close_side(&a);
	close_side(&b);
}

/* One AoR with more than fits a turn, and records that vanish in between */
Test(sync, a_bucket_too_large_for_one_turn_comes_whole)
{
	static char big[8001];
	struct side a, b;
	char key[16];
	unsigned n = 0;

	open_side(&a, 1);
	open_side(&b, 2);
	link_both(&a, &b);
	memset(big, 'v', sizeof(big) - 1);
	/* The second half stands first in its chain, and is over first */
	for (int i = 0; i < 200; i++) {
		uint64_t wall = i < 100 ? T0 : T0 - 590000;

		(void)snprintf(key, sizeof(key), "k%d", i);
		cr_assert_eq(store_put(a.s, SL("sip:one@x"), sl_cstr(key),
				       0x100, 1, wall + 600000,
				       sl_mk(big, 8000), wall), 0);
	}
	sync_due(b.y, 1, SYNC_JOIN);
	sync_tick(b.y, NOW);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(carry(&b, 1, &a, 2, &n), 0);
		cr_assert_eq(carry(&a, 2, &b, 1, &n), 0);
	}
	cr_assert(store_stats(b.s)->records > 10);
	cr_assert(store_stats(b.s)->records < 150);
	/* what was given is freed, and the places behind it move up */
	while (store_tick(a.s, T0 + 30000, 10))
		;
	cr_assert_eq(store_stats(a.s)->records, 100);
	talk(&a, &b, 1000);
	for (int i = 0; i < 100; i++) {
		struct store_contact c;

		(void)snprintf(key, sizeof(key), "k%d", i);
		cr_assert_eq(store_find(b.s, SL("sip:one@x"), sl_cstr(key),
					T0, &c), 0, "%d", i);
	}
	close_side(&a);
	close_side(&b);
}

/* --- hostile peers ---------------------------------------------------------------- */

static struct sl payload(const struct buf *b)
{
	return sl_sub(buf_as_sl(b), WIRE_HEAD, b->n);
}

Test(sync, more_questions_than_may_wait_are_refused)
{
	struct wire_ask q = { 1, 0, 0 };
	struct side a;
	struct buf b;

	open_side(&a, 1);
	buf_init(&b, 4096);
	wire_ask_encode(&b, &q);
	for (int i = 0; i < SYNC_QUEUE; i++)
		cr_assert_eq(sync_ask(a.y, 3, payload(&b)), 0);
	cr_assert_eq(sync_ask(a.y, 3, payload(&b)), EPROTO);
	cr_assert_eq(sync_ask(a.y, 4, payload(&b)), 0);
	buf_free(&b);
	close_side(&a);
}

Test(sync, answers_that_nobody_asked_for_are_refused_late_ones_ignored)
{
	struct wire_digest d = { .of = { 1, 1, 5 } };
	struct wire_done e = { .round = 1, .first = 3, .last = 4 };
	struct side a, b;
	struct buf f;

	open_side(&a, 1);
	open_side(&b, 2);
	link_both(&a, &b);
	buf_init(&f, 8192);
	wire_digest_encode(&f, &d);
	cr_assert_eq(sync_digest(b.y, 1, payload(&f), NOW), 0);
	sync_due(b.y, 1, SYNC_HEAL);
	sync_tick(b.y, NOW);
	cr_assert_eq(sync_digest(b.y, 1, payload(&f), NOW), EBADMSG);
	cr_assert_eq(sync_digest(b.y, 9, payload(&f), NOW), 0);
	buf_reset(&f);
	wire_done_encode(&f, &e, NULL);
	cr_assert_eq(sync_done(b.y, 1, 1, payload(&f), NOW, T0), EBADMSG);
	buf_free(&f);
	close_side(&a);
	close_side(&b);
}

/* All is known to the asker: nothing to send, and still not all in one turn */
Test(sync, answering_does_a_bounded_amount_of_work_a_turn)
{
	struct wire_want w = { .round = 1, .first = 0, .last = 255 };
	struct side a;
	struct buf b, out;
	int turns = 0;

	open_side(&a, 1);
	for (int i = 0; i < 60000; i++)
		put(&a, i, 1);
	buf_init(&b, 1u << 20);
	wire_want_encode(&b, &w, NULL);
	for (int i = 0; i < SYNC_QUEUE; i++)
		cr_assert_eq(sync_want(a.y, 3, payload(&b)), 0);
	buf_init(&out, 1u << 24);
	while (sync_pending(a.y, 3)) {
		buf_reset(&out);
		sync_fill(a.y, 3, &out, LIMIT, NOW);
		cr_assert_leq(out.n, LIMIT + 65536u);
		turns++;
	}
	cr_assert_gt(turns, 16);
	buf_free(&b);
	buf_free(&out);
	close_side(&a);
}

/* 100 bytes a millisecond: nothing is lost, and nothing comes sooner */
Test(sync, answers_keep_to_the_rate)
{
	struct wire_want w = { .round = 1, .first = 0, .last = 255 };
	struct side a;
	struct buf b, out;
	uint64_t now = NOW;
	size_t all = 0;

	open_side(&a, 1);
	sync_free(a.y);
	cr_assert_eq(sync_alloc(&a.y, a.s, 1, 100), 0);
	for (int i = 0; i < 60000; i++)
		put(&a, i, 1);
	buf_init(&b, 4096);
	wire_want_encode(&b, &w, NULL);
	for (int i = 0; i < SYNC_QUEUE; i++)
		cr_assert_eq(sync_want(a.y, 3, payload(&b)), 0);
	buf_init(&out, 1u << 24);
	while (sync_pending(a.y, 3) || sync_next(a.y) < UINT64_MAX) {
		if (!sync_pending(a.y, 3)) {
			cr_assert_gt(sync_next(a.y), now);
			now = sync_next(a.y);
			sync_tick(a.y, now);
			continue;
		}
		buf_reset(&out);
		sync_fill(a.y, 3, &out, 65536, now);
		all += out.n;
		cr_assert_leq(all, 32768 + 100 * (now - NOW) + 2 * 65536);
	}
	cr_assert_gt(all, 200000);
	cr_assert_geq(now - NOW, (all - 32768 - 2 * 65536) / 100);
	cr_assert_gt(sync_stats(a.y)->paced, 10);
	buf_free(&b);
	buf_free(&out);
	close_side(&a);
}
