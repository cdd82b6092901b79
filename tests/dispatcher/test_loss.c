/**
 * @file test_loss.c  Nodes that ask for less: RFC 7339.
 */
#include "tests/dispatcher/fixture.h"

static struct disp *d;
static struct stats *st;

static void begin(void)
{
	d = fix_alloc(NULL, 3);
	cr_assert_eq(stats_alloc(&st), 0);
	disp_stats(d, st);
}

static void end(void)
{
	disp_free(d);
	stats_free(st);
}

TestSuite(loss, .init = begin, .fini = end);

static void nodes(unsigned n)
{
	static const char *const names[] = { "n0", "n1", "n2" };

	for (uint16_t i = 0; i < n; i++) {
		cr_assert_eq(fix_add(d, names[i], 100, T0), i);
		disp_report(d, i, DISP_OK, 100, T0);
	}
}

static uint64_t figure(const char *name, const char *labels)
{
	uint64_t v = 0;

	cr_expect(stat_get(st, name, labels, &v), "%s", name);
	return v;
}

static int ask(uint16_t n, uint32_t percent, uint32_t ms, uint64_t seq,
	       uint64_t now)
{
	return disp_loss(d, n, &(struct disp_ask){ percent, ms, seq }, now);
}

/** Of n requests of this rank at one time; got by node, [3]: refused */
static void load(enum disp_rank rank, unsigned n, unsigned got[4],
		 uint64_t now)
{
	for (unsigned i = 0; i < n; i++) {
		uint16_t idx = 3;
		int err = disp_pick_as(d, rank, i * 0x9e3779b97f4a7c15ull,
				       NULL, &idx, now);

		cr_assert(!err || err == ENOBUFS);
		got[err ? 3 : idx]++;
	}
}

Test(loss, that_share_goes_to_nodes_that_ask_for_nothing)
{
	unsigned before[4] = { 0 }, got[4] = { 0 };

	nodes(3);
	load(DISP_NEW, 6000, before, T0);
	cr_assert_eq(ask(0, 50, 1000, 1, T0), 0);
	load(DISP_NEW, 6000, got, T0);
	cr_expect(abs((int)got[0] - (int)before[0] / 2) < 100, "%u of %u",
		  got[0], before[0]);
	cr_expect_gt(got[1], before[1]);
	cr_expect_gt(got[2], before[2]);
	cr_expect_eq(got[3], 0);
	cr_expect_eq(figure("node_loss_percent", "node=\"n0\""), 50);
	cr_expect_eq(figure("node_loss_total", "node=\"n0\""),
		     before[0] - got[0]);
	cr_assert_eq(ask(0, 100, 1000, 2, T0), 0);
	memset(got, 0, sizeof(got));
	load(DISP_NEW, 1000, got, T0);
	cr_expect_eq(got[0] + got[3], 0);
}

Test(loss, when_all_ask_that_share_is_refused)
{
	unsigned got[4] = { 0 };

	nodes(2);
	cr_assert_eq(ask(0, 40, 1000, 1, T0), 0);
	cr_assert_eq(ask(1, 40, 1000, 1, T0), 0);
	load(DISP_NEW, 5000, got, T0);
	cr_expect(abs((int)got[3] - 2000) < 150, "%u", got[3]);
	cr_expect_eq(figure("pool_full_total", NULL), got[3]);
}

Test(loss, it_is_over_with_its_time_or_by_word)
{
	unsigned got[4] = { 0 };
	struct disp_view v;

	nodes(1);
	cr_assert_eq(ask(0, 100, 500, 1, T0), 0);
	load(DISP_NEW, 10, got, T0 + 499);
	cr_expect_eq(got[3], 10);
	load(DISP_NEW, 10, got, T0 + 500);
	cr_expect_eq(got[0], 10);
	cr_assert_eq(disp_view(d, 0, &v), 0);
	cr_expect_eq(v.loss, 0);
	cr_assert_eq(ask(0, 100, 500, 2, T0 + 500), 0);
	cr_assert_eq(ask(0, 0, 500, 3, T0 + 501), 0);
	load(DISP_NEW, 10, got, T0 + 502);
	cr_expect_eq(got[0], 20);
	cr_assert_eq(ask(0, 100, 500, 4, T0 + 503), 0);
	cr_assert_eq(ask(0, 100, 0, 5, T0 + 503), 0);
	load(DISP_NEW, 10, got, T0 + 504);
	cr_expect_eq(got[0], 30);
	/* nobody is asked for anything: the clock ends it */
	cr_assert_eq(ask(0, 100, 500, 6, T0 + 505), 0);
	disp_tick(d, T0 + 1005);
	cr_expect_eq(figure("node_loss_percent", "node=\"n0\""), 0);
	/* never longer than 10 s */
	cr_assert_eq(ask(0, 100, 1000000, 7, T0 + 2000), 0);
	load(DISP_NEW, 10, got, T0 + 12000);
	cr_expect_eq(got[0], 40);
}

Test(loss, an_older_word_is_not_heeded_while_the_newer_one_holds)
{
	struct disp_view v;

	nodes(1);
	cr_expect_eq(ask(0, 30, 500, 7, T0), 0);
	cr_expect_eq(ask(0, 90, 500, 6, T0 + 1), ESTALE);
	cr_expect_eq(ask(0, 0, 500, 6, T0 + 1), ESTALE);
	cr_assert_eq(disp_view(d, 0, &v), 0);
	cr_expect_eq(v.loss, 30);
	cr_expect_eq(ask(0, 40, 500, 7, T0 + 2), 0);
	/* it counts anew */
	cr_expect_eq(ask(0, 50, 500, 1, T0 + 600), 0);
	cr_expect_eq(ask(0, 101, 500, 9, T0 + 600), EINVAL);
	cr_expect_eq(ask(5, 10, 500, 9, T0 + 600), EINVAL);
	cr_assert_eq(disp_view(d, 0, &v), 0);
	cr_expect_eq(v.loss, 50);
}

Test(loss, those_to_keep_are_the_last_and_urgent_ones_always_pass)
{
	unsigned neu[4] = { 0 }, keep[4] = { 0 }, urgent[4] = { 0 };

	nodes(1);
	cr_assert_eq(ask(0, 40, 9000, 1, T0), 0);
	for (int i = 0; i < 4000; i++) {
		load(DISP_NEW, 1, neu, T0);
		load(DISP_KEEP, 1, keep, T0);
	}
	/* half is new: 40 % of all are 80 % of these */
	cr_expect(abs((int)neu[3] - 3200) < 150, "%u", neu[3]);
	cr_expect_lt(keep[3], 10);
	cr_assert_eq(ask(0, 75, 9000, 2, T0 + 1), 0);
	memset(neu, 0, sizeof(neu));
	memset(keep, 0, sizeof(keep));
	for (int i = 0; i < 4000; i++) {
		load(DISP_NEW, 1, neu, T0);
		load(DISP_KEEP, 1, keep, T0);
	}
	cr_expect_gt(neu[3], 3990);
	cr_expect(abs((int)keep[3] - 2000) < 150, "%u", keep[3]);
	cr_assert_eq(ask(0, 100, 9000, 3, T0 + 2), 0);
	load(DISP_URGENT, 100, urgent, T0 + 2);
	cr_expect_eq(urgent[0], 100);
}
