/**
 * @file test_backlog.c  Nodes that have more than they can do: how many requests
 * wait at each, by its speed. Nodes are queues on virtual time.
 */
#include "dispatcher/backlog.h"
#include "tests/dispatcher/fixture.h"

enum { N = 3, TARGET = 50, QUEUE = 1 << 16 };

struct item {
	uint64_t sent, back;         /**< [ms]; back: when it is heard       */
};

struct queue {
	struct item v[QUEUE];
	uint32_t head, served, n;    /**< heard, answered, sent              */
	uint32_t credit;             /**< 1/1000 of an answer                */
	uint32_t rate;               /**< answers a second                   */
	uint64_t stalled;            /**< [ms] until then                    */
	uint32_t way;                /**< [ms] there and back                */
	uint32_t hold;               /**< [ms] more, on purpose              */
};

static struct disp *d;
static struct stats *st;
static struct queue q[N];
static uint64_t now;
static uint16_t nodes;
static bool untimed;
static enum disp_rank rank;
static uint32_t due;                 /* 1/1000 of a request                  */
static struct { uint32_t asked, no, heard, worst; } got;

static void conf(uint32_t target)
{
	struct disp_conf cf = fix_conf;

	cf.max_unanswered = 2000;
	cf.target = target;
	cr_assert_eq(disp_reconf(d, &cf), 0);
}

static void begin(void)
{
	d = fix_alloc(NULL, 3);
	cr_assert_eq(stats_alloc(&st), 0);
	disp_stats(d, st);
	conf(TARGET);
	memset(q, 0, sizeof(q));
	now = T0;
	nodes = 0;
	untimed = false;
	rank = DISP_NEW;
}

static void end(void)
{
	disp_free(d);
	stats_free(st);
}

TestSuite(backlog, .init = begin, .fini = end);

static void node(uint32_t rate, uint32_t way)
{
	static const char *const names[N] = { "n0", "n1", "n2" };

	cr_assert_eq(fix_add(d, names[nodes], 100, T0), nodes);
	disp_report(d, nodes, DISP_OK, 100, T0);
	q[nodes].rate = rate;
	q[nodes++].way = way;
}

static void ask(void)
{
	uint16_t i = N;
	int err = disp_pick_as(d, rank, (now * 1000 + got.asked) *
			       0x9e3779b97f4a7c15ull, NULL, &i, now);

	got.asked++;
	got.no += err != 0;
	cr_assert(!err || err == ENOBUFS);
	if (err)
		return;
	disp_begin(d, i);
	q[i].v[q[i].n++ % QUEUE].sent = now;
}

static void answer(uint16_t i)
{
	struct queue *x = &q[i];

	for (x->credit += now < x->stalled ? 0 : x->rate;
	     x->credit >= 1000 && x->served != x->n; x->credit -= 1000)
		x->v[x->served++ % QUEUE].back = now + x->way + x->hold;
	if (x->served == x->n)
		x->credit = 0;
	while (x->head != x->served && x->v[x->head % QUEUE].back <= now) {
		uint32_t ms = (uint32_t)(now - x->v[x->head++ % QUEUE].sent);

		disp_heard(d, i);
		disp_waited(d, i, ms * 1000, !untimed, now);
		disp_end(d, i);
		got.heard++;
		got.worst = ms > got.worst ? ms : got.worst;
	}
}

/** So long so many requests a second; got: what became of it */
static void load(uint32_t rate, uint32_t ms)
{
	memset(&got, 0, sizeof(got));
	for (uint64_t until = now + ms; now < until; now++) {
		for (due += rate; due >= 1000; due -= 1000)
			ask();
		for (uint16_t i = 0; i < nodes; i++)
			answer(i);
	}
}

static uint64_t figure(const char *name, const char *labels)
{
	uint64_t v = 0;

	cr_expect(stat_get(st, name, labels, &v), "%s", name);
	return v;
}

Test(backlog, above_what_it_can_do_a_node_stays_busy_and_nobody_waits_long)
{
	static const struct { uint32_t rate, times, way; } tab[] = {
		{ 100, 2, 1 }, { 100, 5, 1 }, { 1000, 2, 1 }, { 1000, 5, 1 },
		{ 1000, 10, 1 }, { 3000, 5, 1 }, { 500, 5, 100 },
	};

	for (size_t i = 0; i < sizeof(tab) / sizeof(*tab); i++) {
		uint32_t r = tab[i].rate, least = BACKLOG_LEAST * 1000 / r;

		end();
		begin();
		node(r, tab[i].way);
		load(r * 8 / 10, 5000);
		cr_expect_eq(got.no, 0);
		load(r * tab[i].times, 1000);
		/* before it is known */
		cr_expect_leq(got.worst, 800 + tab[i].way, "%u x %u: %u", r,
			      tab[i].times, got.worst);
		load(r * tab[i].times, 2000);
		load(r * tab[i].times, 10000);
		cr_expect_geq(got.heard, r * 98 / 10, "%u x %u: %u", r,
			      tab[i].times, got.heard);
		/* 50 more: until an interval of 100 ms is over */
		cr_expect_leq(got.worst, tab[i].way +
			      (least > 100 ? least + 50 : 150),
			      "%u x %u: %u", r, tab[i].times, got.worst);
		cr_expect_gt(figure("node_room", "node=\"n0\""), 0);
		load(r * 8 / 10, 1000);
		load(r * 8 / 10, 4000);
		cr_expect_eq(got.no, 0, "%u x %u: %u", r, tab[i].times, got.no);
		cr_expect_eq(figure("node_room", "node=\"n0\""), 0);
		cr_expect_geq(figure("node_slow_total", "node=\"n0\""), 1);
	}
}

Test(backlog, what_a_slow_node_may_not_have_others_get)
{
	node(1000, 1);
	node(20, 1);
	node(1000, 1);
	load(600, 10000);
	cr_expect_eq(got.no, 0);
	cr_expect_leq(q[1].n - q[1].head, BACKLOG_LEAST + 2);
}

Test(backlog, nor_gets_one_more_that_is_silent_while_others_are_slow)
{
	node(500, 1);
	node(500, 1);
	load(400, 2000);
	q[1].stalled = now + 1000;
	load(2500, 800);
	cr_expect_lt(q[1].n - q[1].head, 300, "%u", q[1].n - q[1].head);
	cr_expect_gt(got.no, 0);
	load(400, 3000);
	load(400, 3000);
	cr_expect_eq(got.no, 0);
}

Test(backlog, all_that_stand_still_get_what_comes)
{
	for (int i = 0; i < N; i++)
		node(2000, 1);
	load(300, 5000);
	for (int i = 0; i < N; i++)
		q[i].stalled = now + 1200;
	load(300, 5000);
	cr_expect_eq(got.no, 0);
}

Test(backlog, a_burst_is_not_refused)
{
	node(1000, 1);
	load(100, 5000);
	load(100000, 1);
	load(100, 2000);
	cr_expect_eq(got.no, 0);
	cr_expect_leq(q[0].n - q[0].head, 1);
}

Test(backlog, a_node_that_stood_still_is_not_slow)
{
	node(2000, 1);
	load(200, 5000);
	for (int i = 0; i < 10; i++) {
		q[0].stalled = now + 600;
		load(200, 2000);
		cr_expect_eq(got.no, 0, "%u", got.no);
	}
}

/* Its caches are cold: the first answers are no measure */
Test(backlog, nor_is_one_that_begins_again_slowly)
{
	node(2000, 1);
	load(200, 5000);
	for (int i = 0; i < 10; i++) {
		q[0].stalled = now + 600;
		q[0].rate = 300;
		load(200, 615);
		q[0].rate = 2000;
		load(200, 1400);
		cr_expect_eq(got.no, 0, "%u", got.no);
	}
}

Test(backlog, nor_is_one_that_is_far_away)
{
	node(1000, 150);
	load(50, 3000);
	cr_expect_eq(got.no, 0);
	load(800, 10000);
	cr_expect_eq(got.no, 0);
	cr_expect_eq(figure("node_slow_total", "node=\"n0\""), 0);
}

/* A slow one with little to do may be far; it was not */
Test(backlog, a_wrong_guess_of_the_way_ends_with_the_first_quick_answer)
{
	node(1000, 1);
	load(500, 2000);
	q[0].rate = 40;
	load(1000, 20000);
	q[0].rate = 1000;
	load(5000, 3000);
	load(5000, 5000);
	cr_expect_leq(got.worst, 150, "%u", got.worst);
	cr_expect_geq(got.heard, 4900, "%u", got.heard);
}

/* While it stays slow, what comes of that is bounded */
Test(backlog, a_wrong_guess_makes_nobody_wait_for_two_targets_more)
{
	node(1000, 1);
	load(500, 2000);
	for (uint32_t rate = 100; rate <= 400; rate += 50) {
		q[0].rate = rate;
		load(1000, 5000);
		load(1000, 35000);
		cr_expect_leq(got.worst, 300, "%u: %u", rate, got.worst);
		cr_expect_geq(got.heard, rate * 34, "%u: %u", rate, got.heard);
	}
}

/* Its way has become longer: what is full at that does not shrink */
Test(backlog, a_longer_way_ends_as_no_refusals)
{
	node(1000, 1);
	load(400, 5000);
	q[0].way = 90;
	load(400, 5000);
	load(400, 5000);
	cr_expect_eq(got.no, 0, "%u", got.no);
	cr_expect_eq(figure("node_room", "node=\"n0\""), 0);
}

Test(backlog, what_is_held_on_purpose_tells_nothing)
{
	node(1000, 1);
	q[0].hold = 400;
	untimed = true;
	load(500, 5000);
	cr_expect_eq(got.no, 0);
	cr_expect_eq(figure("node_slow_total", "node=\"n0\""), 0);
}

Test(backlog, known_refreshes_pass_while_new_ones_do_not_and_urgent_ones_always)
{
	unsigned keep = 0;
	uint16_t i;

	node(500, 1);
	load(400, 3000);
	load(2500, 5000);
	while (!disp_pick(d, 1, NULL, &i, now))
		disp_begin(d, i);
	while (!disp_pick_as(d, DISP_KEEP, 1, NULL, &i, now) && ++keep)
		disp_begin(d, i);
	cr_expect_gt(keep, 20);
	cr_expect_lt(keep, 40);
	cr_expect_eq(disp_pick_as(d, DISP_URGENT, 1, NULL, &i, now), 0);
	cr_expect(disp_limited(d));
}

Test(backlog, three_late_answers_tell_nothing)
{
	node(1000, 1);
	load(100, 1000);
	for (int i = 0; i < 10; i++)
		disp_begin(d, 0);
	for (int i = 1; i <= 4; i++) {
		disp_waited(d, 0, 100000, true, now += 30);
		cr_expect_eq(figure("node_room", "node=\"n0\"") != 0, i == 4);
	}
}

/* Four targets, 200 ms, after the first */
Test(backlog, nor_do_more_where_little_waits_until_they_stay)
{
	node(1000, 1);
	load(100, 1000);
	for (int i = 0; i < 9; i++) {
		cr_expect_eq(figure("node_room", "node=\"n0\""), 0, "%d", i);
		disp_waited(d, 0, 40000, true, now += 25);
	}
	cr_expect_neq(figure("node_room", "node=\"n0\""), 0);
}

/* As when others take the CPU: it is made up for, but not at once */
Test(backlog, a_moment_without_the_cpu_turns_nobody_away)
{
	for (int i = 0; i < N; i++)
		node(2000, 1);
	load(600, 3000);
	for (int k = 0; k < 20; k++) {
		for (int i = 0; i < N; i++) {
			q[i].stalled = now + 100;
			q[i].rate = 270;
		}
		load(600, 600);
		cr_expect_eq(got.no, 0, "%d: %u", k, got.no);
		for (int i = 0; i < N; i++)
			q[i].rate = 2000;
		load(600, 1000);
		cr_expect_eq(got.no, 0, "%d: %u", k, got.no);
	}
}

Test(backlog, without_a_target_only_the_cap_counts)
{
	node(500, 1);
	load(2500, 1000);
	conf(0);
	load(2500, 3000);
	cr_expect_gt(q[0].n - q[0].head, 1900);
	cr_expect_eq(figure("node_room", "node=\"n0\""), 0);
	conf(TARGET);
	load(2500, 6000);
	cr_expect_lt(q[0].n - q[0].head, 100);
}
