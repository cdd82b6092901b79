/**
 * @file test_cap.c  How much a node may leave unanswered.
 */
#include "tests/dispatcher/fixture.h"

enum { N = 3, CAP = 5 };

static struct disp *d;
static struct stats *st;

static void conf(uint32_t max)
{
	struct disp_conf cf = fix_conf;

	cf.max_unanswered = max;
	cr_assert_eq(disp_reconf(d, &cf), 0);
}

static void begin(void)
{
	static const char *const names[N] = { "n0", "n1", "n2" };

	d = fix_alloc(NULL, 3);
	cr_assert_eq(stats_alloc(&st), 0);
	disp_stats(d, st);
	for (uint16_t i = 0; i < N; i++) {
		cr_assert_eq(fix_add(d, names[i], 100, T0), i);
		disp_report(d, i, DISP_OK, 100, T0);
	}
	conf(CAP);
}

static void end(void)
{
	disp_free(d);
	stats_free(st);
}

TestSuite(cap, .init = begin, .fini = end);

static uint64_t figure(const char *name, const char *labels)
{
	uint64_t v = 0;

	cr_expect(stat_get(st, name, labels, &v), "%s", name);
	return v;
}

static void fill(uint16_t node, unsigned n)
{
	while (n--)
		disp_begin(d, node);
}

/** Who gets the next one; 0xffff: nobody, err says why */
static uint16_t next(uint64_t bits, int *err)
{
	struct disp_set tried = { bits };
	uint16_t idx = 0xffff;

	*err = disp_pick(d, 42, &tried, &idx, T0);
	return idx;
}

Test(cap, a_node_that_says_nothing_gets_so_many_and_the_others_the_rest)
{
	unsigned got[N] = { 0 };
	uint16_t slow, idx;
	int err;

	slow = next(0, &err);
	for (int i = 0; i < 100; i++) {
		idx = next(0, &err);
		cr_assert_eq(err, 0);
		disp_begin(d, idx);
		got[idx]++;
		if (idx != slow) {
			disp_heard(d, idx);
			disp_end(d, idx);
		}
	}
	cr_expect_eq(got[slow], CAP);
	cr_expect_eq(figure("node_full_total", slow == 0 ? "node=\"n0\"" :
			    slow == 1 ? "node=\"n1\"" : "node=\"n2\""), 1);
	/* it has answered one */
	disp_heard(d, slow);
	cr_expect_eq(next(0, &err), slow);
}

Test(cap, what_was_heard_of_counts_no_more_although_it_goes_on)
{
	struct disp_view v;
	int err;
	uint16_t n = next(0, &err);

	for (int i = 0; i < 100; i++) {
		disp_begin(d, n);
		disp_heard(d, n);
	}
	cr_expect_eq(next(0, &err), n);
	cr_assert_eq(disp_view(d, n, &v), 0);
	cr_expect_eq(v.inflight, 100);
	cr_expect_eq(v.unanswered, 0);
	cr_expect_not(v.full);
	fill(n, CAP);
	cr_assert_eq(disp_view(d, n, &v), 0);
	cr_expect_eq(v.unanswered, CAP);
	cr_expect(v.full);
}

Test(cap, all_full_is_an_error_of_its_own_and_ends)
{
	int err;

	for (uint16_t i = 0; i < N; i++)
		fill(i, CAP);
	(void)next(0, &err);
	cr_expect_eq(err, ENOBUFS);
	cr_expect_eq(figure("pool_full_total", NULL), 1);
	cr_expect_eq(figure("pool_none_total", NULL), 0);
	/* one that has been tried, and has room, is no help */
	disp_heard(d, 1);
	(void)next(1 << 1, &err);
	cr_expect_eq(err, ENOBUFS);
	cr_expect_eq(next(0, &err), 1);
	(void)next(7, &err);
	cr_expect_eq(err, ENOENT);
}

Test(cap, a_suspect_and_an_ejected_one_come_before_a_full_one)
{
	int err;

	fill(0, CAP);
	disp_retry_after(d, 1, 20, T0);
	disp_report(d, 2, DISP_SILENT, 0, T0);
	cr_assert_eq(fix_state(d, 2), DISP_SUSPECT);
	cr_expect_eq(next(0, &err), 2);
	cr_expect_eq(next(1 << 2, &err), 1);
	fill(1, CAP);
	fill(2, CAP);
	(void)next(0, &err);
	cr_expect_eq(err, ENOBUFS);
}

/* A full node is no reason to ask one that is drained or dead */
Test(cap, it_is_no_panic)
{
	int err;

	fill(0, CAP);
	cr_assert_eq(disp_set_admin(d, 1, DISP_DRAIN, T0), 0);
	disp_report(d, 2, DISP_RESET, 0, T0);
	cr_assert_eq(fix_state(d, 2), DISP_DOWN);
	(void)next(0, &err);
	cr_expect_eq(err, ENOBUFS);
	cr_expect_eq(next(1 << 0, &err), 1, "nothing but it is left");
}

Test(cap, an_urgent_one_gets_past_it_when_there_is_no_other)
{
	struct disp_set no = { 0 };
	uint16_t idx = 0xffff;

	fill(0, CAP);
	fill(1, CAP);
	cr_expect_eq(disp_pick_as(d, DISP_URGENT, 42, &no, &idx, T0), 0);
	cr_expect_eq(idx, 2);
	fill(2, CAP);
	idx = 0xffff;
	cr_expect_eq(disp_pick_as(d, DISP_URGENT, 42, &no, &idx, T0), 0);
	cr_expect_lt(idx, N);
	no.bits = 7;
	cr_expect_eq(disp_pick_as(d, DISP_URGENT, 42, &no, &idx, T0), ENOENT);
}

Test(cap, new_settings_count_at_once)
{
	int err;

	for (uint16_t i = 0; i < N; i++)
		fill(i, CAP);
	conf(CAP + 1);
	(void)next(0, &err);
	cr_expect_eq(err, 0);
	conf(1);
	(void)next(0, &err);
	cr_expect_eq(err, ENOBUFS);
	conf(0);
	(void)next(0, &err);
	cr_expect_eq(err, 0);
	fill(0, 10000);
	(void)next(6, &err);
	cr_expect_eq(err, 0, "no limit");
}

Test(cap, a_new_node_with_the_index_of_a_full_one_is_not_full)
{
	struct disp_node_conf nc = { .name = "new", .weight = 100,
				     .addr = { .af = 4, .port = 1 } };
	uint16_t idx;
	int err;

	for (uint16_t i = 0; i < N; i++)
		fill(i, CAP);
	disp_del(d, 1);
	for (int i = 0; i < DISP_MAX - N + 1; i++) {
		nc.addr.port++;
		(void)snprintf(nc.name, sizeof(nc.name), "new%d", i);
		cr_assert_eq(disp_add(d, &nc, &idx, T0), 0);
	}
	cr_assert_eq(idx, 1);
	/* what was begun on the old one ends */
	disp_heard(d, 1);
	disp_end(d, 1);
	cr_expect_eq(next(~(uint64_t)2, &err), 1);
}
