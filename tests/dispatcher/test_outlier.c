/**
 * @file test_outlier.c  Nodes that fail requests far more often than others.
 */
#include "dispatcher/dispatcher.h"
#include "tests/dispatcher/fixture.h"

static struct disp *pool(int n)
{
	struct disp_conf cf = fix_conf;
	struct disp *d;

	cf.eject = 10000;
	cf.eject_margin = 30;
	cf.eject_min = 20;
	d = fix_alloc(&cf, 5);
	for (int i = 0; i < n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		fix_add(d, name, 100, T0);
		disp_report(d, (uint16_t)i, DISP_OK, 100, T0);
	}
	return d;
}

/** n requests, the first `bad` of them answered 5xx */
static void load(struct disp *d, uint16_t idx, int n, int bad, uint64_t now)
{
	for (int i = 0; i < n; i++) {
		disp_report(d, idx, DISP_OK, 100, now);
		if (i < bad)
			disp_report(d, idx, DISP_FAILED, 0, now);
	}
}

static bool ejected(struct disp *d, uint16_t idx)
{
	struct disp_view v;

	cr_assert_eq(disp_view(d, idx, &v), 0);
	return v.ejected > 0;
}

static bool picked(struct disp *d, uint16_t idx, uint64_t now)
{
	for (uint64_t key = 0; key < 300; key++) {
		uint16_t i;

		cr_assert_eq(disp_pick(d, key * 0x9e3779b97f4a7c15ull, NULL,
				       &i, now), 0);
		if (i == idx)
			return true;
	}
	return false;
}

/** Node 0 fails all it gets, the others nothing. @return [ms] it is out */
static uint64_t fail_until_out(struct disp *d, uint64_t now)
{
	struct disp_view v;

	load(d, 1, 30, 0, now);
	load(d, 2, 30, 0, now);
	for (int i = 0; i < 100 && !ejected(d, 0); i++)
		load(d, 0, 1, 1, now);
	cr_assert_eq(disp_view(d, 0, &v), 0);
	return v.ejected ? v.ejected - now : 0;
}

Test(outlier, a_node_that_fails_alone_is_taken_out_though_it_is_up)
{
	struct disp *d = pool(3);

	load(d, 1, 50, 0, T0);
	load(d, 2, 50, 1, T0);
	load(d, 0, 30, 0, T0);
	cr_expect(picked(d, 0, T0));
	load(d, 0, 30, 20, T0);
	cr_expect(ejected(d, 0));
	cr_expect_eq(fix_state(d, 0), DISP_UP);
	cr_expect_not(picked(d, 0, T0));
	disp_free(d);
}

Test(outlier, what_all_fail_alike_is_nobodys_fault)
{
	struct disp *d = pool(3);

	for (int i = 0; i < 60; i++)
		for (uint16_t k = 0; k < 3; k++)
			load(d, k, 1, i % 2, T0);
	for (uint16_t k = 0; k < 3; k++)
		cr_expect_not(ejected(d, k));
	disp_free(d);
}

Test(outlier, a_few_requests_judge_nobody)
{
	struct disp *d = pool(3);

	load(d, 1, 50, 0, T0);
	load(d, 2, 50, 0, T0);
	load(d, 0, 18, 18, T0);      /* and the one that made it UP */
	cr_expect_not(ejected(d, 0));
	load(d, 0, 1, 1, T0);
	cr_expect(ejected(d, 0));
	disp_free(d);
}

Test(outlier, without_requests_of_others_there_is_nothing_to_compare)
{
	struct disp *d = pool(3);

	load(d, 0, 100, 100, T0);
	cr_expect_not(ejected(d, 0));
	disp_free(d);
}

Test(outlier, failures_of_long_ago_do_not_count)
{
	struct disp *d = pool(3);

	load(d, 1, 50, 0, T0 + 11000);
	load(d, 2, 50, 0, T0 + 11000);
	load(d, 0, 19, 19, T0);
	load(d, 0, 19, 19, T0 + 11000);
	cr_expect_not(ejected(d, 0));
	disp_free(d);
}

Test(outlier, silence_and_503_count_as_well)
{
	static const enum disp_report kind[] = { DISP_SILENT, DISP_REFUSED };

	for (int k = 0; k < 2; k++) {
		struct disp *d = pool(3);

		load(d, 1, 50, 0, T0);
		load(d, 2, 50, 0, T0);
		for (int i = 0; i < 30; i++) {
			disp_report(d, 0, DISP_OK, 100, T0);
			disp_report(d, 0, kind[k], 0, T0);
		}
		cr_expect(ejected(d, 0), "%d", k);
		disp_free(d);
	}
}

Test(outlier, half_of_the_pool_stays)
{
	struct disp *d = pool(4);
	int out = 0;

	for (int i = 0; i < 60; i++)
		for (uint16_t k = 0; k < 4; k++)
			load(d, k, 1, k == 3 ? 0 : 1, T0);
	for (uint16_t k = 0; k < 4; k++)
		out += ejected(d, k);
	cr_expect_leq(out, 2);
	cr_expect_not(ejected(d, 3));
	disp_free(d);
}

Test(outlier, nodes_that_are_down_or_drained_are_no_reserve)
{
	struct disp *d = pool(3);

	disp_report(d, 2, DISP_RESET, 0, T0);
	load(d, 1, 50, 0, T0);
	load(d, 0, 50, 50, T0);
	cr_expect_not(ejected(d, 0), "one of three was left");
	disp_free(d);
	d = pool(2);
	disp_set_admin(d, 1, DISP_DRAIN, T0);
	load(d, 1, 50, 0, T0);
	load(d, 0, 50, 50, T0);
	cr_expect_not(ejected(d, 0), "the last one");
	disp_free(d);
}

Test(outlier, it_comes_back_by_itself_and_longer_each_time)
{
	static const uint64_t want[] = { 10000, 20000, 40000, 80000, 160000,
					 300000, 300000 };
	struct disp *d = pool(3);
	uint64_t now = T0;

	for (int i = 0; i < 7; i++) {
		uint64_t ms = fail_until_out(d, now);

		cr_expect_eq(ms, want[i], "%d: %llu", i,
			     (unsigned long long)ms);
		now += ms - 1;
		disp_tick(d, now);
		cr_expect(ejected(d, 0));
		cr_expect_leq(disp_next(d), now + 1);
		now++;
		disp_tick(d, now);
		cr_expect_not(ejected(d, 0));
		cr_expect_gt(disp_next(d), now, "it is due no more");
		/* what went before it does not count against it */
		disp_report(d, 0, DISP_OK, 100, now);
		cr_expect(picked(d, 0, now));
	}
	disp_free(d);
}

Test(outlier, good_conduct_is_rewarded)
{
	struct disp *d = pool(3);
	uint64_t now = T0;

	now += fail_until_out(d, now);
	disp_tick(d, now);
	now += fail_until_out(d, now);
	disp_tick(d, now);
	now += 120000;
	disp_tick(d, now);
	for (uint16_t i = 0; i < 3; i++)
		disp_report(d, i, DISP_OK, 100, now);
	cr_expect_eq(fail_until_out(d, now), 10000);
	disp_free(d);
}

Test(outlier, maint_ends_an_ejection)
{
	struct disp *d = pool(3);

	cr_expect_eq(fail_until_out(d, T0), 10000);
	disp_set_admin(d, 0, DISP_MAINT, T0);
	disp_set_admin(d, 0, DISP_READY, T0);
	cr_expect_not(ejected(d, 0));
	disp_free(d);
}

Test(outlier, ejected_ones_are_better_than_drained_or_none)
{
	struct disp *d = pool(3);
	uint16_t idx;

	cr_expect_eq(fail_until_out(d, T0), 10000);
	disp_set_admin(d, 1, DISP_DRAIN, T0);
	disp_report(d, 2, DISP_RESET, 0, T0);
	cr_assert_eq(disp_pick(d, 1, NULL, &idx, T0), 0);
	cr_expect_eq(idx, 0);
	disp_free(d);
}

Test(outlier, retry_after_holds_for_its_time_and_30_s_at_most)
{
	struct disp *d = pool(3);

	disp_retry_after(d, 0, 5, T0);
	cr_expect_not(picked(d, 0, T0 + 4999));
	cr_expect(picked(d, 0, T0 + 5000));
	disp_retry_after(d, 0, 86400, T0 + 5000);
	cr_expect_not(picked(d, 0, T0 + 34999));
	cr_expect(picked(d, 0, T0 + 35000));
	disp_retry_after(d, 0, 0, T0 + 35000);
	cr_expect(picked(d, 0, T0 + 35000));
	disp_free(d);
}

Test(outlier, when_all_ask_to_be_left_alone_one_is_asked_all_the_same)
{
	struct disp *d = pool(3);
	uint16_t idx;

	for (uint16_t i = 0; i < 3; i++)
		disp_retry_after(d, i, 20, T0);
	cr_expect_eq(disp_pick(d, 1, NULL, &idx, T0), 0);
	disp_free(d);
}

/** Random traffic: the floor holds, and an ejection always ends */
Test(outlier, random_histories_keep_the_floor)
{
	for (uint64_t seed = 0; seed < 60; seed++) {
		int n = 2 + (int)(seed % 7);
		struct disp *d = pool(n);
		uint64_t now = T0;
		struct rng g;

		rng_seed(&g, seed);
		for (int i = 0; i < 4000; i++) {
			uint16_t k = (uint16_t)rng_below(&g, (uint32_t)n);
			unsigned before = 0, after = 0;

			for (uint16_t m = 0; m < n; m++)
				before += ejected(d, m);
			/* each fails so much more than those before it that
			 * all but one would go */
			load(d, k, 1, rng_below(&g, 100) < 32u * k, now);
			for (uint16_t m = 0; m < n; m++)
				after += ejected(d, m);
			cr_assert(after <= before || 2 * after <= (unsigned)n,
				  "seed %llu: %u of %d out",
				  (unsigned long long)seed, after, n);
			cr_assert_lt(after, (unsigned)n);
			now += rng_below(&g, 40);
			disp_tick(d, now);
		}
		/* let probes alone: only the ejections end */
		disp_tick(d, now + 300000);
		for (uint16_t m = 0; m < n; m++)
			cr_assert_not(ejected(d, m));
		disp_free(d);
	}
}
