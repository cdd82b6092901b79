/**
 * @file test_budget.c  How many requests are tried again.
 */
#include "dispatcher/budget.h"
#include "tests/dispatcher/fixture.h"

static struct disp_conf conf(uint32_t percent, uint32_t burst)
{
	struct disp_conf cf = fix_conf;

	cf.retry_percent = percent;
	cf.retry_burst = burst;
	return cf;
}

static uint32_t drain(struct budget *b, const struct disp_conf *cf,
		      uint64_t now)
{
	uint32_t n = 0;

	while (n < 100000 && budget_retry(b, cf, now))
		n++;
	return n;
}

Test(budget, a_share_of_the_requests_and_a_burst)
{
	struct disp_conf cf = conf(20, 10);
	struct budget b = { 0 };

	cr_expect_eq(drain(&b, &cf, T0), 100, "10 a second for 10 s");
	for (int i = 0; i < 1000; i++)
		budget_request(&b, T0 + 1000);
	cr_expect_eq(drain(&b, &cf, T0 + 1000), 200);
	cr_expect_eq(drain(&b, &cf, T0 + 9000), 0);
}

Test(budget, it_comes_back_with_time)
{
	struct disp_conf cf = conf(20, 10);
	struct budget b = { 0 };

	cr_expect_eq(drain(&b, &cf, T0), 100);
	cr_expect_eq(drain(&b, &cf, T0 + 9999), 0);
	cr_expect_eq(drain(&b, &cf, T0 + 10000), 100);
	cr_expect_eq(drain(&b, &cf, T0 + 1000000), 100);
}

Test(budget, none_set_is_no_limit_and_one_alone_is_one)
{
	struct disp_conf cf = conf(0, 0);
	struct budget b = { 0 };

	cr_expect_eq(drain(&b, &cf, T0), 100000);
	memset(&b, 0, sizeof(b));
	cf = conf(50, 0);
	cr_expect_eq(drain(&b, &cf, T0), 0);
	budget_request(&b, T0);
	budget_request(&b, T0);
	cr_expect_eq(drain(&b, &cf, T0), 1);
}

Test(budget, first_choices_never_count_against_it)
{
	struct disp_conf cf = conf(0, 1);
	struct disp_set tried = { 1 };
	struct disp *d = fix_alloc(&cf, 1);
	struct stats *st = NULL;
	uint64_t lost = 0;
	uint16_t idx;

	fix_add(d, "n1", 100, T0);
	fix_add(d, "n2", 100, T0);
	cr_assert_eq(stats_alloc(&st), 0);
	disp_stats(d, st);
	for (int i = 0; i < 10; i++)
		cr_expect_eq(disp_pick(d, 1, &tried, &idx, T0), 0);
	cr_expect_eq(disp_pick(d, 1, &tried, &idx, T0), EBUSY);
	for (int i = 0; i < 100; i++)
		cr_expect_eq(disp_pick(d, (uint64_t)i, NULL, &idx, T0), 0);
	tried.bits = 3;
	cr_expect_eq(disp_pick(d, 1, &tried, &idx, T0), ENOENT);
	cr_expect(stat_get(st, "pool_over_budget_total", NULL, &lost));
	cr_expect_eq(lost, 1);
	disp_free(d);
	stats_free(st);
}

Test(budget, one_slow_node_of_three_is_within_it_but_all_slow_is_not)
{
	struct disp_conf cf = conf(20, 10);
	struct budget b = { 0 };
	uint32_t refused = 0, i;

	/* 100 calls/s; a node of three is noticed with its first silence, so
	 * it costs what came in 250 ms */
	for (i = 0; i < 1000; i++)
		budget_request(&b, T0 + i * 10);
	for (i = 0; i < 25; i++)
		refused += !budget_retry(&b, &cf, T0 + 9999);
	cr_expect_eq(refused, 0);
	for (i = 0; i < 1000; i++)
		refused += !budget_retry(&b, &cf, T0 + 9999);
	cr_expect_gt(refused, 700);
}
