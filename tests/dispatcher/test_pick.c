/**
 * @file test_pick.c  The choice: classes, hash, weights, panic.
 */
#include <math.h>
#include "dispatcher/pick.h"
#include "tests/dispatcher/fixture.h"

#define KEYS 20000

/** n nodes named n0.., all UP */
static struct disp *pool(const struct disp_conf *cf, int n, uint64_t *now)
{
	struct disp *d = fix_alloc(cf, 7);
	char name[16];
	int i;

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		fix_add(d, name, 100, *now);
	}
	for (i = 0; i < n; i++) {
		disp_report(d, (uint16_t)i, DISP_OK, 100, *now);
		cr_assert(fix_state(d, (uint16_t)i) == DISP_UP);
	}
	return d;
}

static uint16_t take(struct disp *d, uint64_t key, struct disp_set tried,
		     uint64_t now)
{
	uint16_t idx = 0xffff;

	cr_assert(disp_pick(d, key, &tried, &idx, now) == 0);
	cr_assert(!disp_set_has(&tried, idx), "took a tried node");
	return idx;
}

static const struct disp_set none = { 0 };

Test(pick, log2_is_right_within_one_percent)
{
	struct rng r;
	int i;

	rng_seed(&r, 1);
	for (i = 0; i < 100000; i++) {
		uint64_t h = rng_u64(&r) | (i & 1 ? 0xfff0000000000000ull : 0);
		double want = 64 - log2((double)h + 1), got;

		got = (double)pick_neglog2(h) / (1 << 30);
		if (h > 0xfffffffff0000000ull)
			continue;
		cr_assert(fabs(got - want) <= want * 0.01 + 1e-8,
			  "h=%llx %.12f %.12f", (unsigned long long)h, got,
			  want);
	}
	cr_expect(pick_neglog2(UINT64_MAX) > 0);
	cr_expect(pick_neglog2(0) == 64ull << 30);
}

Test(pick, the_same_key_gives_the_same_node_on_every_edge)
{
	uint64_t now = T0, k;
	struct disp *a = pool(NULL, 5, &now), *b = fix_alloc(NULL, 99);
	struct disp_view va, vb;
	const char *const order[] = { "n3", "n1", "n4", "n0", "n2" };
	int i;

	for (i = 0; i < 5; i++) {
		fix_add(b, order[i], 100, now);
		disp_report(b, (uint16_t)i, DISP_OK, 1, now);
	}
	for (k = 0; k < 1000; k++) {
		disp_view(a, take(a, k, none, now), &va);
		disp_view(b, take(b, k, none, now), &vb);
		cr_assert(!strcmp(va.name, vb.name), "key %llu: %s %s",
			  (unsigned long long)k, va.name, vb.name);
	}
	disp_free(a);
	disp_free(b);
}

Test(pick, keys_are_spread_evenly)
{
	uint64_t now = T0, k;
	struct disp *d = pool(NULL, 5, &now);
	int got[5] = { 0 }, i;

	for (k = 0; k < KEYS; k++)
		got[take(d, k, none, now)]++;
	for (i = 0; i < 5; i++)
		cr_expect(abs(got[i] - KEYS / 5) < KEYS / 50, "n%d: %d", i,
			  got[i]);
	disp_free(d);
}

Test(pick, a_node_that_goes_moves_only_its_own_keys)
{
	static uint16_t was[KEYS];
	uint64_t now = T0, k;
	struct disp *d = pool(NULL, 5, &now);
	int moved = 0;

	for (k = 0; k < KEYS; k++)
		was[k] = take(d, k, none, now);
	disp_report(d, 2, DISP_RESET, 0, now);
	for (k = 0; k < KEYS; k++) {
		uint16_t i = take(d, k, none, now);

		cr_assert(i != 2);
		cr_assert(was[k] == 2 || was[k] == i, "key %llu moved",
			  (unsigned long long)k);
		moved += was[k] == 2;
	}
	cr_expect(abs(moved - KEYS / 5) < KEYS / 50, "%d moved", moved);
	disp_free(d);
}

Test(pick, a_node_that_comes_takes_only_its_share)
{
	static uint16_t was[KEYS];
	uint64_t now = T0, k;
	struct disp *d = pool(NULL, 4, &now);
	uint16_t idx, i;
	int moved = 0;

	for (k = 0; k < KEYS; k++)
		was[k] = take(d, k, none, now);
	idx = fix_add(d, "new", 100, now);
	disp_report(d, idx, DISP_OK, 1, now);
	for (k = 0; k < KEYS; k++) {
		i = take(d, k, none, now);
		cr_assert(i == was[k] || i == idx);
		moved += i == idx;
	}
	cr_expect(abs(moved - KEYS / 5) < KEYS / 50, "%d moved", moved);
	disp_free(d);
}

Test(pick, the_hash_follows_weights)
{
	static const uint32_t w[4] = { 100, 200, 50, 1 };
	uint64_t now = T0, k;
	struct disp *d = pool(NULL, 4, &now);
	int got[4] = { 0 }, i;

	for (i = 0; i < 4; i++)
		cr_assert(disp_set_weight(d, (uint16_t)i, w[i]) == 0);
	for (k = 0; k < KEYS; k++)
		got[take(d, k * 7919, none, now)]++;
	for (i = 0; i < 4; i++) {
		double want = KEYS * w[i] / 351.0;

		cr_expect(fabs(got[i] - want) < want * 0.05 + 30,
			  "n%d: %d, want %.0f", i, got[i], want);
	}
	disp_free(d);
}

Test(pick, tried_nodes_are_not_taken_again_until_none_is_left)
{
	uint64_t now = T0, k;
	struct disp *d = pool(NULL, 4, &now);

	for (k = 0; k < 200; k++) {
		struct disp_set tried = { 0 };
		uint16_t idx;
		int i;

		for (i = 0; i < 4; i++)
			disp_set_add(&tried, take(d, k, tried, now));
		cr_expect(tried.bits == 15);
		cr_expect(disp_pick(d, k, &tried, &idx, now) == ENOENT);
	}
	disp_free(d);
}

Test(pick, second_choices_are_spread_too)
{
	uint64_t now = T0, k;
	struct disp *d = pool(NULL, 4, &now);
	int got[4] = { 0 }, i;

	for (k = 0; k < KEYS; k++) {
		struct disp_set tried = { 1 };

		if (take(d, k, none, now) == 0)
			got[take(d, k, tried, now)]++;
	}
	for (i = 1; i < 4; i++)
		cr_expect(abs(got[i] - KEYS / 12) < KEYS / 100, "n%d: %d", i,
			  got[i]);
	disp_free(d);
}

Test(pick, up_before_suspect_before_panic)
{
	uint64_t now = T0, k;
	struct disp *d = pool(NULL, 4, &now);
	struct disp_set tried = { 0 };
	uint16_t i;

	disp_report(d, 0, DISP_SILENT, 0, now);      /* suspect */
	disp_report(d, 1, DISP_RESET, 0, now);       /* down    */
	disp_set_admin(d, 2, DISP_DRAIN, now);       /* up but drained */
	for (k = 0; k < 500; k++) {
		tried.bits = 0;
		i = take(d, k, tried, now);
		cr_expect(i == 3);
		disp_set_add(&tried, i);
		i = take(d, k, tried, now);
		cr_expect(i == 0, "suspect second");
		disp_set_add(&tried, i);
		i = take(d, k, tried, now);
		cr_expect(i == 2, "a drained node that lives third");
		disp_set_add(&tried, i);
		i = take(d, k, tried, now);
		cr_expect(i == 1, "a dead one last");
	}
	disp_free(d);
}

Test(pick, panic_never_ejects_the_last_ones)
{
	uint64_t now = T0, k;
	struct disp *d = pool(NULL, 3, &now);
	int got[3] = { 0 }, i;

	for (i = 0; i < 3; i++)
		disp_report(d, (uint16_t)i, DISP_RESET, 0, now);
	for (k = 0; k < 3000; k++)
		got[take(d, k, none, now)]++;
	for (i = 0; i < 3; i++)
		cr_expect(got[i] > 800, "n%d: %d", i, got[i]);
	disp_free(d);
}

Test(pick, traffic_flows_before_the_first_probe)
{
	struct disp *d = fix_alloc(NULL, 1);
	uint16_t idx;

	cr_expect(disp_pick(d, 1, NULL, &idx, T0) == ENOENT, "empty pool");
	fix_add(d, "n1", 100, T0);
	cr_expect(disp_pick(d, 1, NULL, &idx, T0) == 0 && idx == 0);
	disp_free(d);
}

Test(pick, maint_is_never_taken)
{
	uint64_t now = T0, k;
	struct disp *d = pool(NULL, 2, &now);
	uint16_t idx;

	disp_set_admin(d, 0, DISP_MAINT, now);
	for (k = 0; k < 200; k++)
		cr_expect(take(d, k, none, now) == 1);
	disp_set_admin(d, 1, DISP_MAINT, now);
	cr_expect(disp_pick(d, 1, NULL, &idx, now) == ENOENT);
	disp_free(d);
}

Test(pick, weight_zero_gets_nothing_but_in_panic)
{
	uint64_t now = T0, k;
	struct disp *d = pool(NULL, 2, &now);

	disp_set_weight(d, 0, 0);
	for (k = 0; k < 200; k++)
		cr_expect(take(d, k, none, now) == 1);
	disp_set_admin(d, 1, DISP_MAINT, now);
	cr_expect(take(d, 1, none, now) == 0);
	disp_free(d);
}

Test(pick, least_takes_the_one_with_the_fewest_per_weight)
{
	struct disp_conf cf = fix_conf;
	uint64_t now = T0, k;
	struct disp *d;
	struct disp_view v;
	int i;

	cf.alg = DISP_LEAST;
	d = pool(&cf, 3, &now);
	disp_set_weight(d, 2, 200);
	for (k = 0; k < 400; k++)
		disp_begin(d, take(d, k * 31, none, now));
	for (i = 0; i < 3; i++) {
		disp_view(d, (uint16_t)i, &v);
		cr_expect(abs((int)v.inflight - (i == 2 ? 200 : 100)) <= 1,
			  "n%d: %u", i, v.inflight);
	}
	for (i = 0; i < 50; i++)
		disp_end(d, 1);
	for (k = 0; k < 40; k++)
		cr_expect(take(d, k, none, now) == 1);
	disp_free(d);
}

Test(pick, least_spreads_an_idle_pool)
{
	struct disp_conf cf = fix_conf;
	uint64_t now = T0, k;
	struct disp *d;
	int got[3] = { 0 };

	cf.alg = DISP_LEAST;
	d = pool(&cf, 3, &now);
	for (k = 0; k < 3000; k++)
		got[take(d, k, none, now)]++;
	cr_expect(got[0] > 800 && got[1] > 800 && got[2] > 800);
	disp_free(d);
}

Test(pick, wrr_is_smooth)
{
	struct disp_conf cf = fix_conf;
	char got[8] = "";
	uint64_t now = T0;
	struct disp *d;
	int i;

	cf.alg = DISP_WRR;
	d = pool(&cf, 3, &now);
	disp_set_weight(d, 0, 5);
	disp_set_weight(d, 1, 1);
	disp_set_weight(d, 2, 1);
	for (i = 0; i < 7; i++)
		got[i] = (char)('a' + take(d, 1, none, now));
	cr_expect(!strcmp(got, "aabacaa"), "%s", got);
	disp_free(d);
}

Test(pick, an_end_without_begin_does_no_harm)
{
	uint64_t now = T0;
	struct disp *d = pool(NULL, 1, &now);
	struct disp_view v;

	disp_end(d, 0);
	disp_end(d, 7);
	disp_begin(d, 7);
	disp_view(d, 0, &v);
	cr_expect(v.inflight == 0);
	disp_free(d);
}
