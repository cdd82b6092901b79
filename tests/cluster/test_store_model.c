/* test_store_model.c - the store against a slow and simple model of its rules,
 * and against a copy of itself that is fed through a cursor. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <criterion/criterion.h>
#include "base/rng.h"
#include "cluster/store.h"

#define T0 1700000000000ull
#define AORS 700
#define KEYS 4
#define UAS 3
#define MAX_EXPIRES 600
#define KEEP (MAX_EXPIRES * 1000ull + 10000)

/* What one client did last to one binding */
struct last {
	bool known, dead, killed;
	uint32_t cseq;
	uint64_t at, expires;
	uint64_t order;            /* of all changes */
	uint32_t value;
};

struct model {
	struct last v[AORS][KEYS][UAS];
	uint64_t hold[AORS][KEYS];
	uint64_t order;
};

static struct store *mk(uint64_t node)
{
	struct store_conf cf = { .node = node, .max_records = 100000,
		.max_per_aor = 20, .max_expires = MAX_EXPIRES,
		.guard = 10000 };
	struct store *s = NULL;

	memset(cf.key, 7, sizeof(cf.key));
	cr_assert_eq(store_alloc(&s, &cf, T0), 0);
	return s;
}

static struct sl aor_of(int a, char *txt)
{
	return sl_mk(txt, (size_t)sprintf(txt, "sip:user%d@x", a));
}

static struct sl key_of(int k)
{
	static const char *const name[KEYS] = { "k0", "k1", "k2", "k3" };

	return sl_cstr(name[k]);
}

static const struct last *top(const struct model *m, int a, int k)
{
	const struct last *best = NULL;

	for (int u = 0; u < UAS; u++) {
		const struct last *l = &m->v[a][k][u];

		if (l->known && (!best || l->order > best->order))
			best = l;
	}
	return best;
}

static void forget_past(struct model *m, int a, int k, uint64_t wall)
{
	if (m->hold[a][k] > wall)
		return;
	for (int u = 0; u < UAS; u++)
		m->v[a][k][u].known = false;
}

static int verdict(const struct model *m, int a, int k, int u, uint32_t cseq,
		   uint64_t wall)
{
	const struct last *l = &m->v[a][k][u];

	if (!l->known || cseq > l->cseq)
		return 0;
	if (!l->dead && l->expires <= wall)
		return 0;
	if ((l->dead || l->killed || l != top(m, a, k)) &&
	    l->at + 32000 <= wall)
		return 0;
	return cseq == l->cseq ? EALREADY : ESTALE;
}

static bool shown(const struct model *m, int a, int k, uint64_t wall)
{
	const struct last *l = top(m, a, k);

	return l && !l->dead && !l->killed && l->expires > wall;
}

static void change(struct model *m, struct store *s, struct rng *r,
		   uint64_t wall)
{
	int a = (int)rng_below(r, AORS), k = (int)rng_below(r, KEYS);
	int u = (int)rng_below(r, UAS), want, err;
	struct last *l = &m->v[a][k][u];
	uint32_t cseq = l->cseq + 2 - rng_below(r, 4), value;
	uint64_t life = 1000 + rng_below(r, MAX_EXPIRES * 1000 - 1000);
	bool dead = rng_below(r, 4) == 0;
	char txt[32], v[64];
	struct sl aor = aor_of(a, txt);

	value = rng_below(r, 1000000);
	forget_past(m, a, k, wall);
	want = verdict(m, a, k, u, cseq, wall);
	cr_assert_eq(store_check(s, aor, key_of(k), (uint64_t)(u + 1) << 8,
				 cseq, wall), want);
	if (dead)
		err = store_del(s, aor, key_of(k), (uint64_t)(u + 1) << 8,
				cseq, wall);
	else
		err = store_put(s, aor, key_of(k), (uint64_t)(u + 1) << 8,
				cseq, wall + life,
				sl_mk(v, (size_t)sprintf(v, "%*u",
					(int)(value % 50), value)), wall);
	cr_assert_eq(err, want);
	if (err)
		return;
	*l = (struct last){ true, dead, false, cseq, wall, wall + life,
			    ++m->order, value };
	m->hold[a][k] = wall + KEEP;
}

static void killing(struct model *m, struct store *s, struct rng *r,
		    uint64_t wall)
{
	int a = (int)rng_below(r, AORS), k = (int)rng_below(r, KEYS), err;
	struct store_contact c;
	char txt[32];
	struct sl aor = aor_of(a, txt);
	const struct last *l;

	err = store_find(s, aor, key_of(k), wall, &c);
	cr_assert_eq(err == 0, shown(m, a, k, wall));
	if (err)
		return;
	cr_assert_eq(store_kill(s, aor, key_of(k), c.vstamp, wall), 0);
	l = top(m, a, k);
	/* the stamp kills every version that is not newer */
	for (int u = 0; u < UAS; u++)
		if (m->v[a][k][u].order <= l->order)
			m->v[a][k][u].killed = true;
	m->hold[a][k] = wall + KEEP;
}

static uint64_t compare(struct model *m, struct store *s, uint64_t wall)
{
	uint64_t n = 0, value;
	char txt[32];

	for (int a = 0; a < AORS; a++) {
		struct sl aor = aor_of(a, txt);
		struct store_contact c;
		uint32_t want = 0;

		for (int k = 0; k < KEYS; k++) {
			bool have = !store_find(s, aor, key_of(k), wall, &c);

			cr_assert_eq(have, shown(m, a, k, wall));
			want += have;
			if (!have)
				continue;
			cr_assert_eq(c.cseq, top(m, a, k)->cseq);
			cr_assert_eq(c.expires, top(m, a, k)->expires);
			cr_assert_eq(sl_u64(sl_trim(c.value), UINT32_MAX,
					    &value), 0);
			cr_assert_eq(value, top(m, a, k)->value);
		}
		cr_assert_eq(store_count(s, aor, wall), want);
		n += want;
	}
	return n;
}

static void count_one(struct sl aor, const struct store_contact *c, void *arg)
{
	(void)aor;
	(void)c;
	++*(uint64_t *)arg;
}

static uint64_t walk(struct store *s, uint64_t wall)
{
	uint64_t pos = 0, n = 0;

	while (store_walk(s, &pos, wall, count_one, &n))
		;
	return n;
}

Test(store_model, says_and_shows_what_the_model_does)
{
	struct model *m = calloc(1, sizeof(*m));
	struct store *s = mk(1);
	uint64_t wall = T0, n;
	struct rng r;

	rng_seed(&r, 77);
	for (int i = 0; i < 60000; i++) {
		wall += rng_below(&r, 40);
		if (rng_below(&r, 20) == 0)
			killing(m, s, &r, wall);
		else
			change(m, s, &r, wall);
		if (rng_below(&r, 50) == 0)
			store_tick(s, wall, 30);
		if (rng_below(&r, 20000) == 0)
			wall += 400000;
		if (i % 3000)
			continue;
		n = compare(m, s, wall);
		cr_assert_eq(walk(s, wall), n);
		while (store_tick(s, wall + 1000, 100))
			;
	}
	n = compare(m, s, wall);
	cr_assert_gt(n, 100);
	while (store_tick(s, wall, 100))
		;
	cr_assert_leq(store_stats(s)->contacts - n, 2, "due this second");
	wall += KEEP + 2000;
	while (store_tick(s, wall, 1000))
		;
	cr_assert_eq(store_stats(s)->records, 0);
	cr_assert_eq(store_stats(s)->bytes, 0);
	store_free(s);
	free(m);
}

/* The clock is set hours forward and then back */
Test(store_model, a_step_of_the_clock_leaves_nothing_behind)
{
	struct model *m = calloc(1, sizeof(*m));
	struct store *s = mk(1);
	uint64_t wall = T0;
	struct rng r;

	rng_seed(&r, 78);
	for (int i = 0; i < 5000; i++) {
		wall += rng_below(&r, 40);
		change(m, s, &r, wall);
		if (i % 100 == 0)
			store_tick(s, wall, 1000);
	}
	(void)store_tick(s, wall + 30000000, 1);
	cr_assert_gt(store_stats(s)->records, 1000);
	while (store_tick(s, wall - 5000, 1000))
		;
	for (uint64_t t = wall; t < wall + KEEP + 8200000; t += 1000)
		(void)store_tick(s, t, 1000);
	cr_assert_eq(store_stats(s)->records, 0);
	store_free(s);
	free(m);
}

/* --- fed through a cursor --------------------------------------------------------- */

static void feed(struct store *from, struct store_cursor *c, struct store *to,
		 uint32_t n, uint64_t wall)
{
	struct store_change ch;
	struct record rec;
	bool changed;

	while (n-- && store_cursor_peek(from, c, &ch)) {
		cr_assert_eq(record_decode(&rec, ch.packed), 0);
		cr_assert_eq(store_merge(to, &rec, 1, wall, &changed), 0);
		store_cursor_step(from, c);
	}
}

Test(store_model, a_copy_fed_by_a_cursor_becomes_equal)
{
	struct model *m = calloc(1, sizeof(*m));
	struct store *s = mk(1), *t = mk(2);
	struct store_cursor c = { 0 };
	uint64_t wall = T0;
	struct rng r;

	rng_seed(&r, 79);
	store_cursor_add(s, &c, 0);
	for (int i = 0; i < 40000; i++) {
		wall += rng_below(&r, 30);
		change(m, s, &r, wall);
		if (rng_below(&r, 8) == 0)
			feed(s, &c, t, rng_below(&r, 30), wall);
		if (rng_below(&r, 100) == 0) {
			store_tick(s, wall, 50);
			store_tick(t, wall, 50);
		}
		/* the link was lost: begin again a bit earlier */
		if (rng_below(&r, 500) == 0)
			store_cursor_set(s, &c, c.seq > 300 ? c.seq - 300 : 0);
	}
	while (c.at || c.seeking)
		feed(s, &c, t, 100, wall);
	cr_assert_eq(c.seq, store_seq(s));
	(void)compare(m, s, wall);
	(void)compare(m, t, wall);
	store_cursor_del(s, &c);
	store_free(s);
	store_free(t);
	free(m);
}

/* --- two nodes at once ------------------------------------------------------------ */

Test(store_model, a_refresh_made_elsewhere_survives_a_kill)
{
	struct store *s = mk(1), *t = mk(2);
	struct store_cursor a = { 0 }, b = { 0 };
	struct store_contact c;

	store_cursor_add(s, &a, 0);
	store_cursor_add(t, &b, 0);
	cr_assert_eq(store_put(s, SL("a"), SL("k"), 0x100, 1, T0 + 60000,
			       SL("v"), T0), 0);
	feed(s, &a, t, 10, T0);
	cr_assert_eq(store_find(s, SL("a"), SL("k"), T0, &c), 0);
	cr_assert_eq(store_put(t, SL("a"), SL("k"), 0x100, 2, T0 + 70000,
			       SL("w"), T0 + 1), 0);
	cr_assert_eq(store_kill(s, SL("a"), SL("k"), c.vstamp, T0 + 2), 0);
	feed(s, &a, t, 10, T0 + 3);
	feed(t, &b, s, 10, T0 + 3);
	cr_assert_eq(store_count(s, SL("a"), T0 + 4), 1);
	cr_assert_eq(store_count(t, SL("a"), T0 + 4), 1);
	store_cursor_del(s, &a);
	store_cursor_del(t, &b);
	store_free(s);
	store_free(t);
}

Test(store_model, cseq_decides_whatever_the_clocks_say)
{
	struct store *s = mk(1), *t = mk(2);
	struct store_cursor a = { 0 }, b = { 0 };
	struct store_contact c;
	uint64_t late = T0 + 400, early = T0 - 400;   /* clocks apart */

	store_cursor_add(s, &a, 0);
	store_cursor_add(t, &b, 0);
	cr_assert_eq(store_put(s, SL("a"), SL("k"), 0x100, 1, T0 + 60000,
			       SL("old"), late), 0);
	cr_assert_eq(store_put(t, SL("a"), SL("k"), 0x100, 2, T0 + 60000,
			       SL("new"), early), 0);
	feed(s, &a, t, 10, early);
	feed(t, &b, s, 10, late);
	cr_assert_eq(store_find(s, SL("a"), SL("k"), late, &c), 0);
	cr_assert(sl_eq(c.value, SL("new")));
	cr_assert_eq(store_find(t, SL("a"), SL("k"), early, &c), 0);
	cr_assert(sl_eq(c.value, SL("new")));
	store_cursor_del(s, &a);
	store_cursor_del(t, &b);
	store_free(s);
	store_free(t);
}

Test(store_model, a_change_after_a_merge_wins_over_it)
{
	struct store *s = mk(1), *t = mk(2);
	struct store_cursor a = { 0 };
	struct store_contact c;

	/* s's clock is 50 s ahead: what t does later is later all the same */
	store_cursor_add(s, &a, 0);
	cr_assert_eq(store_put(s, SL("a"), SL("k"), 0x100, 1, T0 + 90000,
			       SL("one"), T0 + 50000), 0);
	feed(s, &a, t, 10, T0);
	cr_assert_eq(store_put(t, SL("a"), SL("k"), 0x200, 1, T0 + 90000,
			       SL("two"), T0 + 10), 0);
	cr_assert_eq(store_find(t, SL("a"), SL("k"), T0 + 10, &c), 0);
	cr_assert(sl_eq(c.value, SL("two")));
	store_cursor_del(s, &a);
	store_free(s);
	store_free(t);
}

Test(store_model, a_peer_cannot_claim_more_life_than_allowed)
{
	struct store *s = mk(1);
	struct record rec = { .aor = SL("a"), .key = SL("k"), .n = 1,
		.hold = UINT64_MAX };
	struct store_contact c;
	bool changed;

	rec.e[0] = (struct rec_entry){ .lineage = 0x100, .cseq = 1,
		.has_value = true, .vstamp = { T0 << 16, 9 },
		.gstamp = { T0 << 16, 9 }, .expires = UINT64_MAX,
		.value = SL("v") };
	cr_assert_eq(store_merge(s, &rec, 1, T0, &changed), 0);
	cr_assert_eq(store_find(s, SL("a"), SL("k"), T0, &c), 0);
	cr_assert_leq(c.expires, T0 + KEEP + 10000);
	rec.e[0].gstamp.t = rec.e[0].vstamp.t = (T0 + 61000) << 16;
	cr_assert_eq(store_merge(s, &rec, 1, T0, &changed), ERANGE);
	store_free(s);
}
