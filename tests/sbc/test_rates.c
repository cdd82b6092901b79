#include <criterion/criterion.h>
#include "sbc/ledger.h"
#include "world.h"

static struct rates r;

Test(rates, invites_are_counted_by_their_end)
{
	static const uint16_t codes[] = {
		200, 202, 301, 302, 401, 402, 407, 480, 486, 600, 603, 408,
		500, 503, 504, 404, 487, 502, 606,
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		rates_invite(&r, codes[i]);
	cr_expect_eq(r.ok, 2);
	cr_expect_eq(r.redirected, 2);
	cr_expect_eq(r.challenged, 3);
	cr_expect_eq(r.callee, 4);
	cr_expect_eq(r.failed, 4);
	cr_expect_eq(r.other, 4);
}

Test(rates, ratios_are_those_of_rfc_6076)
{
	/* 4.6: 2xx of all but 3xx; 4.7: and the callee's no; 4.8 of all */
	const struct rates_count c = { .ok = 60, .redirected = 20,
		.callee = 20, .failed = 15, .other = 5 };
	const struct rates_count none = { .redirected = 3 };

	cr_expect_eq(rates_ser(&c), 600);
	cr_expect_eq(rates_seer(&c), 800);
	cr_expect_eq(rates_isa(&c), 125);
	cr_expect_eq(rates_ser(&none), UINT32_MAX);
	cr_expect_eq(rates_seer(&none), UINT32_MAX);
	cr_expect_eq(rates_isa(&none), 0);
}

Test(rates, without_calls_there_is_no_delay)
{
	uint64_t ms = 7;

	cr_expect(!rates_delay(&r.srd, 500, 100, &ms));
	cr_expect_eq(ms, 7);
}

Test(rates, percentiles_are_near_the_truth)
{
	uint64_t ms;

	for (uint64_t i = 1; i <= 1000; i++)
		rates_alerted(&r, i, 50000);
	cr_assert(rates_delay(&r.srd, 500, 50000, &ms));
	cr_expect(ms >= 500 && ms <= 500 + 500 / 8 + 1, "%d", (int)ms);
	cr_assert(rates_delay(&r.srd, 990, 50000, &ms));
	cr_expect(ms >= 990 && ms <= 990 + 990 / 8 + 1, "%d", (int)ms);
	cr_assert(rates_delay(&r.srd, 1, 50000, &ms));
	cr_expect_eq(ms, 1);
}

Test(rates, small_delays_are_exact_and_huge_ones_have_a_place)
{
	uint64_t ms;

	rates_alerted(&r, 0, 1);
	cr_assert(rates_delay(&r.srd, 990, 1, &ms));
	cr_expect_eq(ms, 0);
	rates_alerted(&r, UINT64_MAX, 1);
	cr_assert(rates_delay(&r.srd, 990, 1, &ms));
	cr_expect_gt(ms, 1000000);
}

Test(rates, every_bucket_ends_at_or_above_what_is_in_it)
{
	for (uint64_t v = 0; v < 1000000; v += v / 37 + 1) {
		uint64_t ms = 0;

		memset(&r, 0, sizeof(r));
		rates_alerted(&r, v, 9);
		cr_assert(rates_delay(&r.srd, 500, 9, &ms));
		cr_assert(ms >= v && ms <= v + v / 8 + 1, "%d: %d", (int)v,
			  (int)ms);
	}
}

Test(rates, what_is_older_than_a_minute_is_forgotten)
{
	uint64_t ms;

	rates_alerted(&r, 500, 100000);
	cr_expect(rates_delay(&r.srd, 500, 154999, &ms));
	cr_expect(!rates_delay(&r.srd, 500, 160000, &ms));
	/* the ring is used again without what stood there */
	rates_alerted(&r, 1, 155000);
	rates_alerted(&r, 20, 160000);
	cr_assert(rates_delay(&r.srd, 990, 160000, &ms));
	cr_expect_leq(ms, 21);
	rates_alerted(&r, 3, 10000000);
	cr_assert(rates_delay(&r.srd, 990, 10000000, &ms));
	cr_expect_eq(ms, 3);
}

Test(rates, a_few_slots_on_old_ones_leave_one_by_one)
{
	uint64_t ms;

	rates_alerted(&r, 900, 0);
	rates_alerted(&r, 10, 30000);
	cr_assert(rates_delay(&r.srd, 990, 59999, &ms));
	cr_expect_geq(ms, 900);
	cr_assert(rates_delay(&r.srd, 990, 60000, &ms));
	cr_expect_leq(ms, 10);
}

Test(rates, registrations_have_their_own)
{
	uint64_t ms;

	rates_registered(&r, 12, 5000);
	cr_expect_eq(r.reg_ok, 1);
	cr_expect(!rates_delay(&r.srd, 500, 5000, &ms));
	cr_assert(rates_delay(&r.rrd, 500, 5000, &ms));
	cr_expect_eq(ms, 12);
}

/* --- what the edge enters --- */

static struct world *w;
static struct vphone *a, *b;

static void begin(void)
{
	w = world_new(1, NULL);
	a = world_phone(w, "alice", SIM_DATAGRAM);
	b = world_phone(w, "bob", SIM_DATAGRAM);
	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 50);
}

static void end(void)
{
	world_run(w, 70000);
	world_free(w);
}
TestSuite(rated, .init = begin, .fini = end);

static struct rates *rates(void)
{
	return &edge_ledger(w->edge)->rates;
}

/** Median of the last minute [ms], UINT64_MAX = none */
static uint64_t median(const struct rates_delay *d)
{
	uint64_t ms = UINT64_MAX;

	(void)rates_delay(d, 500, w->net->now, &ms);
	return ms;
}

Test(rated, registrations_and_their_delay)
{
	cr_expect_eq(rates()->reg_ok, 2);
	cr_expect_lt(median(&rates()->rrd), 50);
	cr_expect_eq(median(&rates()->srd), UINT64_MAX);
}

Test(rated, the_delay_of_a_call_ends_with_its_ringing)
{
	uint64_t ms;

	b->ring = 200;
	b->answer = 3000;
	(void)phone_invite(a, "bob");
	world_run(w, 1000);
	cr_expect(median(&rates()->srd) >= 200 &&
		  median(&rates()->srd) < 300, "%d",
		  (int)median(&rates()->srd));
	cr_expect_eq(rates()->ok, 0);
	world_run(w, 4000);
	cr_expect_eq(rates()->ok, 1);
	/* the 200 is no second one */
	cr_assert(rates_delay(&rates()->srd, 999, w->net->now, &ms));
	cr_expect_lt(ms, 300);
}

Test(rated, without_ringing_it_ends_with_the_answer)
{
	b->ring = UINT32_MAX;
	b->answer = 700;
	(void)phone_invite(a, "bob");
	world_run(w, 3000);
	cr_expect_eq(rates()->ok, 1);
	cr_expect(median(&rates()->srd) >= 700 &&
		  median(&rates()->srd) < 900, "%d",
		  (int)median(&rates()->srd));
}

Test(rated, a_failover_is_part_of_the_delay)
{
	struct vnode *n = world_node_of(w, "bob");

	b->ring = 10;
	b->answer = 500;
	n->mode = V_MUTE;
	(void)phone_invite(a, "bob");
	world_run(w, 3000);
	cr_expect_eq(rates()->ok, 1);
	cr_expect_geq(median(&rates()->srd), 250);
}

Test(rated, a_callee_who_is_busy_is_no_failure)
{
	b->code = 486;
	b->answer = 200;
	b->ring = UINT32_MAX;
	(void)phone_invite(a, "bob");
	world_run(w, 5000);
	cr_expect_eq(rates()->callee, 1);
	cr_expect_eq(rates()->ok + rates()->failed + rates()->other, 0);
	cr_expect_eq(median(&rates()->srd), UINT64_MAX);
}
