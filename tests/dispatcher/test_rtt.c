/**
 * @file test_rtt.c  When waiting for a node's first answer is over.
 */
#include "dispatcher/rtt.h"
#include "tests/dispatcher/fixture.h"

static struct rtt steady(uint32_t us)
{
	struct rtt r = { 0 };

	for (int i = 0; i < 200; i++)
		rtt_answer(&r, us);
	return r;
}

Test(rtt, nothing_known_takes_the_first_guess_within_bounds)
{
	struct rtt r = { 0 };

	cr_expect_eq(rtt_timeout(&r, 250, 100, 1000), 250);
	cr_expect_eq(rtt_timeout(&r, 250, 300, 1000), 300);
	cr_expect_eq(rtt_timeout(&r, 250, 100, 200), 200);
}

Test(rtt, a_fast_node_is_given_up_after_the_shortest_time)
{
	struct rtt r = steady(800);

	cr_expect_eq(rtt_timeout(&r, 250, 100, 1000), 100);
}

Test(rtt, a_steady_slow_node_gets_three_times_what_it_takes)
{
	struct rtt r = steady(80000);

	cr_expect(rtt_timeout(&r, 250, 100, 1000) >= 240);
	cr_expect(rtt_timeout(&r, 250, 100, 1000) <= 245);
}

Test(rtt, an_unsteady_node_gets_more)
{
	struct rtt calm = steady(60000), wild = { 0 };

	for (int i = 0; i < 200; i++)
		rtt_answer(&wild, i & 1 ? 110000 : 10000);
	cr_expect_gt(rtt_timeout(&wild, 250, 100, 1000),
		     rtt_timeout(&calm, 250, 100, 1000) + 100);
}

Test(rtt, silence_doubles_up_to_the_longest_and_an_answer_ends_it)
{
	struct rtt r = steady(800);

	rtt_silent(&r);
	cr_expect_eq(rtt_timeout(&r, 250, 100, 1000), 200);
	rtt_silent(&r);
	cr_expect_eq(rtt_timeout(&r, 250, 100, 1000), 400);
	for (int i = 0; i < 300; i++)
		rtt_silent(&r);
	cr_expect_eq(rtt_timeout(&r, 250, 100, 1000), 1000);
	rtt_answer(&r, 800);
	cr_expect_eq(rtt_timeout(&r, 250, 100, 1000), 100);
}

Test(rtt, any_times_stay_within_bounds)
{
	struct rng g;
	struct rtt r = { 0 };

	rng_seed(&g, 3);
	for (int i = 0; i < 100000; i++) {
		uint32_t t;

		if (rng_below(&g, 5))
			rtt_answer(&r, (uint32_t)rng_u64(&g) >>
				   rng_below(&g, 32));
		else
			rtt_silent(&r);
		t = rtt_timeout(&r, 250, 100, 1000);
		cr_assert(t >= 100 && t <= 1000, "%u", t);
	}
}

Test(rtt, the_timer_of_a_node_follows_its_invites)
{
	struct disp_conf cf = fix_conf;
	uint64_t now = T0;
	struct disp *d;

	cf.no100_min = 100;
	cf.no100_max = 1000;
	d = fix_alloc(&cf, 1);
	fix_add(d, "n1", 100, now);
	fix_add(d, "n2", 100, now);
	cr_expect_eq(disp_no100(d, 0), 250);
	for (int i = 0; i < 100; i++)
		disp_answered(d, 0, 100000);
	cr_expect(disp_no100(d, 0) >= 300 && disp_no100(d, 0) <= 310, "%u",
		  disp_no100(d, 0));
	cr_expect_eq(disp_no100(d, 1), 250);
	disp_report(d, 0, DISP_SILENT, 0, now);
	cr_expect(disp_no100(d, 0) >= 600);
	/* other methods say nothing about it */
	disp_report(d, 1, DISP_OK, 900000, now);
	cr_expect_eq(disp_no100(d, 1), 250);
	cr_expect_eq(disp_no100(d, 63), 250);
	disp_free(d);
}
