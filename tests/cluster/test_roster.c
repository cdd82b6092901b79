/* test_roster.c - the members map: its join's laws, its limits, its bytes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <criterion/criterion.h>
#include "base/rng.h"
#include "cluster/roster.h"
#include "cluster/tlv.h"

#define WALL 1700000000000ull

static struct roster *fresh(void)
{
	struct roster *r = calloc(1, sizeof(*r));

	cr_assert_not_null(r);
	return r;
}

static struct roster *copy(const struct roster *r)
{
	struct roster *c = fresh();

	*c = *r;
	return c;
}

static struct addr at(uint8_t host, uint16_t port)
{
	return (struct addr){ .af = 4, .port = port,
			      .ip = { 10, 0, 0, host } };
}

static void self(struct roster *r, uint64_t node, const char *name)
{
	struct addr a = at((uint8_t)node, 5080), s = at((uint8_t)node, 5060);

	cr_assert(roster_self(r, node, name, &a, &s, WALL));
}

static void bytes(struct buf *b, const struct roster *r)
{
	buf_init(b, 1u << 20);
	roster_put(b, r);
	cr_assert_eq(b->err, 0);
}

static bool same(const struct roster *a, const struct roster *b)
{
	struct buf x, y;
	bool eq;

	bytes(&x, a);
	bytes(&y, b);
	eq = sl_eq(buf_as_sl(&x), buf_as_sl(&y));
	buf_free(&x);
	buf_free(&y);
	return eq;
}

/* a := a joined with b; says whether that was news, and checks that it is so */
static bool join(struct roster *a, const struct roster *b)
{
	struct roster *was = copy(a);
	bool changed = false;

	for (uint32_t i = 0; i < b->n; i++)
		changed |= roster_join(a, &b->e[i]);
	cr_assert_eq(changed, !same(was, a));
	free(was);
	return changed;
}

/* Few values, so that equal turns with other writers and equal versions with
 * other infos are common */
static struct roster *any(struct rng *g)
{
	static const char *const name[] = { "a", "b", "ab" };
	struct roster *r = fresh();

	for (uint32_t k = rng_below(g, 6); k > 0; k--) {
		struct roster_entry e = { .node = 1 + rng_below(g, 4),
			.turn = { 1 + rng_below(g, 4), WALL + rng_below(g, 2),
				  1 + rng_below(g, 2) },
			.version = rng_below(g, 3) };
		struct buf b;

		buf_fixed(&b, e.info, sizeof(e.info));
		if (e.version)
			tlv_put(&b, 1, sl_cstr(name[rng_below(g, 3)]));
		e.info_n = (uint16_t)b.n;
		(void)roster_join(r, &e);
	}
	return r;
}

Test(roster, the_join_is_commutative_associative_and_idempotent)
{
	struct rng g;

	rng_seed(&g, 7);
	for (int i = 0; i < 20000; i++) {
		struct roster *a = any(&g), *b = any(&g), *c = any(&g);
		struct roster *x = copy(a), *y = copy(b), *z = copy(b);

		join(x, b);
		join(y, a);
		cr_assert(same(x, y), "round %d: a+b and b+a differ", i);
		join(x, c);
		join(z, c);
		y = (free(y), copy(a));
		join(y, z);
		cr_assert(same(x, y), "round %d: grouping matters", i);
		cr_assert_not(join(x, a), "round %d: a twice is news", i);
		cr_assert_not(join(x, x));
		free(a), free(b), free(c), free(x), free(y), free(z);
	}
}

Test(roster, a_new_node_is_a_member_and_says_so_once)
{
	struct roster *r = fresh();
	struct addr a = at(1, 5080), s = at(1, 5060), s2 = at(1, 5070);
	const struct roster_entry *e;

	self(r, 1, "n1");
	e = roster_find(r, 1);
	cr_assert(roster_in(e));
	cr_assert_eq(e->turn.at, WALL);
	cr_assert_eq(e->version, 1);
	cr_assert_str_eq(e->name, "n1");
	cr_assert(addr_eq(&e->addr, &a) && addr_eq(&e->sip, &s));
	cr_assert_not(roster_self(r, 1, "n1", &a, &s, WALL + 5));
	cr_assert(roster_self(r, 1, "n1", &a, &s2, WALL + 9));
	cr_assert_eq(e->version, 2);
	cr_assert_eq(e->turn.at, WALL, "it joined when it joined");
	free(r);
}

/* Also when its address changed meanwhile, and when it has lost its file */
Test(roster, a_removed_node_does_not_bring_itself_back)
{
	struct roster *others = fresh(), *own, *lost = fresh();
	struct addr a = at(1, 5080), s2 = at(1, 7777);

	self(others, 1, "n1");
	own = copy(others);
	cr_assert_eq(roster_turn(others, 1, false, 2, WALL + 100), 0);
	cr_assert(roster_self(own, 1, "n1", &a, &s2, WALL + 200000));
	join(others, own);
	cr_assert_not(roster_in(roster_find(others, 1)));
	cr_assert(addr_eq(&roster_find(others, 1)->sip, &s2));
	/* it knows, and moves */
	cr_assert(roster_self(others, 1, "n1", &s2, &s2, WALL + 300000));
	cr_assert_eq(roster_find(others, 1)->turn.n, 2);
	self(lost, 1, "n1");
	join(others, lost);
	cr_assert_not(roster_in(roster_find(others, 1)));
	free(others), free(own), free(lost);
}

Test(roster, removed_and_admitted_are_counted_and_the_last_one_wins)
{
	struct roster *a = fresh(), *b;

	self(a, 1, "n1");
	b = copy(a);
	cr_assert_eq(roster_turn(a, 9, false, 2, WALL), ENOENT);
	cr_assert_eq(roster_turn(a, 1, true, 2, WALL), EALREADY);
	cr_assert_eq(roster_turn(a, 1, false, 2, WALL + 100), 0);
	cr_assert_eq(roster_turn(a, 1, false, 2, WALL + 200), EALREADY);
	/* two operators at once: one removal, the earlier one's */
	cr_assert_eq(roster_turn(b, 1, false, 3, WALL + 50), 0);
	join(a, b);
	cr_assert_eq(roster_find(a, 1)->turn.by, 3);
	/* the clock of the one who admits may be wrong */
	cr_assert_eq(roster_turn(a, 1, true, 4, 17), 0);
	join(b, a);
	cr_assert(roster_in(roster_find(b, 1)));
	cr_assert_not(join(a, b));
	free(a), free(b);
}

Test(roster, a_turn_alone_can_be_learnt_before_the_rest)
{
	struct roster *r = fresh(), *full = fresh();
	struct roster_turn t = { 2, WALL, 3 };

	self(full, 5, "n5");
	cr_assert(roster_join_turn(r, 5, &t));
	cr_assert_not(roster_join_turn(r, 5, &t));
	cr_assert_not(roster_in(roster_find(r, 5)));
	join(r, full);
	cr_assert_not(roster_in(roster_find(r, 5)));
	cr_assert_str_eq(roster_find(r, 5)->name, "n5");
	free(r), free(full);
}

static struct roster_entry entry(uint64_t node, uint32_t turn, uint64_t when)
{
	return (struct roster_entry){ .node = node,
		.turn = { turn, when, 1 } };
}

Test(roster, at_the_cap_the_oldest_removal_is_forgotten)
{
	struct roster *r = fresh();
	struct roster_entry e;

	for (uint64_t i = 0; i < ROSTER_MAX; i++) {
		e = entry(1000 - i, 2, WALL + i);
		cr_assert(roster_join(r, &e));
	}
	cr_assert_eq(r->n, ROSTER_MAX);
	e = entry(5, 2, WALL - 1);           /* older than all: the next to go */
	cr_assert_not(roster_join(r, &e));
	e = entry(6, 2, WALL + 999);
	cr_assert(roster_join(r, &e));
	cr_assert_eq(r->n, ROSTER_MAX);
	cr_assert_null(roster_find(r, 1000));
	cr_assert_not_null(roster_find(r, 6));
	cr_assert_eq(r->dropped, 1);
	self(r, 7, "n7");                    /* a member always finds room */
	cr_assert_eq(r->n, ROSTER_MAX);
	cr_assert(roster_in(roster_find(r, 7)));
	for (uint32_t i = 1; i < r->n; i++)
		cr_assert_lt(r->e[i - 1].node, r->e[i].node);
	free(r);
}

Test(roster, there_is_room_for_32_members_and_not_for_a_33rd)
{
	struct roster *r = fresh();
	struct roster_entry e;

	for (uint64_t i = 1; i <= CLUSTER_MAX; i++) {
		e = entry(i, 1, WALL);
		cr_assert(roster_join(r, &e));
	}
	e = entry(99, 1, WALL);
	cr_assert_not(roster_join(r, &e));
	cr_assert_eq(r->refused, 1);
	e = entry(99, 2, WALL);              /* removed, it may be remembered */
	cr_assert(roster_join(r, &e));
	cr_assert_eq(roster_turn(r, 99, true, 1, WALL), ENOSPC);
	e = entry(99, 3, WALL);
	cr_assert_not(roster_join(r, &e));
	cr_assert_eq(roster_turn(r, 1, false, 1, WALL), 0);
	cr_assert(roster_join(r, &e));
	cr_assert_eq(roster_members(r), CLUSTER_MAX);
	free(r);
}

static int check(struct sl s)
{
	struct cur c;
	int err;

	cur_init(&c, s.p, s.n);
	err = roster_check(&c);
	return err ? err : cur_left(&c) ? EBADMSG : 0;
}

/* The smallest map that fits the frame is the largest allowed */
Test(roster, the_largest_map_fits_a_control_frame)
{
	struct roster *r = fresh();
	struct buf b;

	for (uint64_t i = 1; i <= ROSTER_MAX; i++) {
		struct roster_entry e = entry(i, 2, WALL);

		e.version = 1;
		e.info_n = ROSTER_INFO;
		memset(e.info, 0, sizeof(e.info));
		e.info[1] = 9;
		e.info[5] = ROSTER_INFO - 6;
		cr_assert(roster_join(r, &e));
	}
	bytes(&b, r);
	cr_assert_eq(check(buf_as_sl(&b)), 0);
	cr_assert_lt(b.n, 65000);
	buf_free(&b);
	buf_init(&b, ROSTER_FILE);
	roster_save(&b, r);
	cr_assert_eq(b.err, 0);
	buf_free(&b);
	free(r);
}

Test(roster, unknown_fields_of_a_newer_node_are_kept)
{
	struct roster *r = fresh(), *q = fresh();
	struct roster_entry e = entry(4, 1, WALL);
	struct buf b;
	struct cur c;

	e.version = 1;
	buf_fixed(&b, e.info, sizeof(e.info));
	tlv_put(&b, 1, SL("n4"));
	tlv_put(&b, 77, SL("rack 3"));
	e.info_n = (uint16_t)b.n;
	cr_assert(roster_join(r, &e));
	bytes(&b, r);
	cur_init(&c, b.p, b.n);
	cr_assert_eq(roster_check(&c), 0);
	cur_init(&c, b.p, b.n);
	cr_assert(roster_take(q, &c));
	cr_assert(same(r, q));
	cr_assert_str_eq(roster_find(q, 4)->name, "n4");
	buf_free(&b);
	free(r), free(q);
}

/* One entry as bytes, a field of it set to something else */
static int with(size_t pos, size_t n, uint64_t v)
{
	struct roster *r = fresh();
	struct buf b;
	int err;

	self(r, 0x0102030405060708, "n1");
	bytes(&b, r);
	for (size_t i = n; i-- > 0; v >>= 8)
		b.p[pos + i] = (uint8_t)v;
	err = check(buf_as_sl(&b));
	buf_free(&b);
	free(r);
	return err;
}

Test(roster, hostile_maps_are_malformed)
{
	enum { NODE = 2, TURN = 10, VERSION = 30, INFO = 34, TAG = 36 };

	cr_assert_eq(with(NODE, 8, 1), 0);
	cr_assert_eq(with(0, 2, 0), EBADMSG, "bytes behind the map");
	cr_assert_eq(with(0, 2, 2), EBADMSG, "too short for its count");
	cr_assert_eq(with(0, 2, 256), EBADMSG, "too many");
	cr_assert_eq(with(NODE, 8, 0), EBADMSG, "node 0");
	cr_assert_eq(with(TURN, 4, 0), EBADMSG, "turn 0");
	cr_assert_eq(with(TURN, 4, ROSTER_COUNT), 0);
	cr_assert_eq(with(TURN, 4, ROSTER_COUNT + 1), EBADMSG, "turn");
	cr_assert_eq(with(VERSION, 4, ROSTER_COUNT + 1), EBADMSG, "version");
	cr_assert_eq(with(VERSION, 4, 0), EBADMSG, "info without version");
	cr_assert_eq(with(INFO, 2, ROSTER_INFO + 1), EBADMSG, "long info");
	cr_assert_eq(with(INFO, 2, 5), EBADMSG, "cut field");
	cr_assert_eq(with(TAG, 2, 2), EBADMSG, "a name for an address");
	cr_assert_eq(with(TAG, 2, 9), 0, "unknown");
	cr_assert_eq(with(TAG, 2, 0x8009), EBADMSG, "must understand");
	cr_assert_eq(with(TAG + 6, 1, ' '), EBADMSG, "a blank in the name");
	cr_assert_eq(with(TAG + 6, 1, 7), EBADMSG, "a bell in the name");
}

Test(roster, ids_twice_or_out_of_order_are_malformed)
{
	struct roster *r = fresh();
	struct buf b;

	self(r, 1, "n1");
	self(r, 2, "n2");
	bytes(&b, r);
	cr_assert_eq(check(buf_as_sl(&b)), 0);
	b.p[9] = 2;
	cr_assert_eq(check(buf_as_sl(&b)), EBADMSG, "twice");
	b.p[9] = 3;
	cr_assert_eq(check(buf_as_sl(&b)), EBADMSG, "falling");
	buf_free(&b);
	free(r);
}

Test(roster, a_file_comes_back_and_a_damaged_one_changes_nothing)
{
	struct roster *r = fresh(), *q = fresh();
	struct buf b;

	self(r, 1, "n1");
	self(r, 2, "n2");
	cr_assert_eq(roster_turn(r, 2, false, 1, WALL + 5), 0);
	buf_init(&b, ROSTER_FILE);
	roster_save(&b, r);
	for (size_t i = 0; i < b.n; i++) {
		b.p[i] ^= 0x20;
		cr_assert_eq(roster_load(q, buf_as_sl(&b)), EBADMSG,
			     "byte %zu", i);
		b.p[i] ^= 0x20;
	}
	for (size_t i = 0; i < b.n; i++)
		cr_assert_eq(roster_load(q, sl_mk(b.p, i)), EBADMSG,
			     "cut at %zu", i);
	cr_assert_eq(q->n, 0);
	cr_assert_eq(roster_load(q, buf_as_sl(&b)), 0);
	cr_assert(same(r, q));
	buf_free(&b);
	free(r), free(q);
}
