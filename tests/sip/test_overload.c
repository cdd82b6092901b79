/* Overload control on virtual time: a server with a queue, and what it does
 * when more comes than it can do. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/rng.h"
#include "sip/overload.h"

static struct overload *o;

static void begin(void)
{
	o = calloc(1, sizeof(*o));
	cr_assert_not_null(o);
	overload_conf(o, 20, 1000);
}

static void end(void)
{
	free(o);
}
TestSuite(overload, .init = begin, .fini = end);

/** One server, first in first out: 1000 units of work a second */
struct line {
	double backlog;          /* [ms]                                    */
	double refuse;           /* [ms] of work for a refusal              */
	double served;           /* requests, not told yet                  */
	double strangers;        /* share of requests                       */
	uint64_t now, id;
	uint64_t came[OVERLOAD_RANKS], taken[OVERLOAD_RANKS];
	uint32_t worst;          /* [ms] wait of what was taken             */
	struct rng rng;
};

/** `load`: work offered, 1 = all that can be done. A request is 2 ms of work */
static void drive(struct line *l, double load, uint64_t ms)
{
	double due = 0;

	for (uint64_t t = 0; t < ms; t++, l->now++) {
		double work = l->backlog > 1 ? 1 : l->backlog;

		l->backlog -= work;
		for (l->served += work / 2; l->served >= 1; l->served--)
			overload_serves(o, l->now);
		due += load / 2;
		for (; due >= 1; due -= 1) {
			bool s = rng_below(&l->rng, 1000) <
				 1000 * l->strangers;
			struct overload_ask a = {
				.rank = s ? OVERLOAD_STRANGER : OVERLOAD_NEW,
				.call = rng_u64(&l->rng),
				.request = ++l->id << 8,
				.ahead = (uint32_t)(l->backlog / 2),
			};

			overload_waited(o, OVERLOAD_DGRAMS, (uint32_t)(l->backlog * 1000),
					l->now);
			l->came[a.rank]++;
			if (!overload_takes(o, &a, l->now)) {
				l->backlog += l->refuse;
				continue;
			}
			l->taken[a.rank]++;
			if (l->backlog > l->worst)
				l->worst = (uint32_t)l->backlog;
			l->backlog += 2;
		}
	}
}

static void forget(struct line *l)
{
	for (int i = 0; i < OVERLOAD_RANKS; i++)
		l->came[i] = l->taken[i] = 0;
	l->worst = 0;
}

static struct line line(double strangers)
{
	struct line l = { .refuse = 0.1, .strangers = strangers,
			  .now = 1000 };

	rng_seed(&l.rng, 7);
	return l;
}

Test(overload, below_its_limit_nobody_is_refused)
{
	struct line l = line(0.5);

	drive(&l, 0.9, 20000);
	cr_expect_eq(o->shed[0] + o->shed[1], 0);
	cr_expect_eq(o->times, 0);
}

Test(overload, a_burst_is_not_overload)
{
	struct line l = line(0);

	for (int i = 0; i < 20; i++) {
		drive(&l, 3, 30);           /* 60 ms of queue, gone by then */
		drive(&l, 0.1, 200);
	}
	cr_expect_eq(o->shed[0] + o->shed[1], 0);
}

static void goodput_at(double load, double strangers, double least)
{
	struct line l = line(strangers);
	uint64_t n;

	drive(&l, load, 3000);
	forget(&l);
	drive(&l, load, 20000);
	n = l.taken[0] + l.taken[1];
	/* 500 a second can be done */
	cr_expect_geq((double)n, least * 10000, "%llu of 10000 at %.0f",
		      (unsigned long long)n, load);
	cr_expect_lt(l.worst, strangers > 0 ? 42 : 82, "%u ms at %.0f",
		     l.worst, load);
}

Test(overload, goodput_stays_at_two_five_ten_times_the_limit)
{
	goodput_at(2, 1, 0.9);
	end();
	begin();
	goodput_at(5, 1, 0.75);          /* refusing costs 20 % here     */
	end();
	begin();
	goodput_at(10, 1, 0.45);         /* 45 %                         */
	end();
	begin();
	goodput_at(2, 0, 0.9);
	end();
	begin();
	goodput_at(5, 0, 0.75);
}

Test(overload, it_settles_in_three_seconds)
{
	struct line l = line(0);

	drive(&l, 0.5, 5000);
	drive(&l, 5, 3000);
	cr_expect_lt(l.backlog, 200, "%f", l.backlog);
}

Test(overload, ten_seconds_after_it_nobody_is_refused)
{
	struct line l = line(0);
	uint64_t before;

	drive(&l, 5, 10000);
	cr_expect(overload_on(o));
	drive(&l, 0.5, 10000);
	before = o->shed[OVERLOAD_NEW];
	drive(&l, 0.5, 10000);
	cr_expect_eq(o->shed[OVERLOAD_NEW], before);
	cr_expect_not(overload_on(o));
	cr_expect_eq(o->level, 0);
}

Test(overload, silence_ends_it_too)
{
	struct line l = line(0);

	drive(&l, 5, 5000);
	overload_tick(o, l.now + 30000);
	cr_expect_not(overload_on(o));
	cr_expect_eq(o->wait_us, 0);
}

Test(overload, strangers_are_refused_first)
{
	struct line l = line(0.9);

	drive(&l, 5, 3000);
	forget(&l);
	drive(&l, 5, 10000);
	/* known ones offer half of what can be done */
	cr_expect_geq(l.taken[OVERLOAD_NEW] * 100, l.came[OVERLOAD_NEW] * 95,
		      "%llu of %llu",
		      (unsigned long long)l.taken[OVERLOAD_NEW],
		      (unsigned long long)l.came[OVERLOAD_NEW]);
	cr_expect_lt(l.taken[OVERLOAD_STRANGER] * 4,
		     l.came[OVERLOAD_STRANGER]);
}

Test(overload, without_strangers_it_does_not_wait_for_them)
{
	struct line l = line(0);

	drive(&l, 0.5, 3000);
	drive(&l, 2, 400);
	cr_expect_geq(o->level, OVERLOAD_FULL, "%u", (unsigned)o->level);
}

/** By hand: n intervals with a queue of us */
static uint64_t queue(uint64_t now, unsigned n, uint32_t us)
{
	for (unsigned i = 0; i < 10 * n; i++, now += OVERLOAD_INTERVAL / 10)
		overload_waited(o, OVERLOAD_DGRAMS, us, now);
	return now;
}

Test(overload, what_came_at_once_elsewhere_hides_no_queue)
{
	for (uint64_t now = 1000; now < 1200; now += 10) {
		overload_waited(o, OVERLOAD_DGRAMS, 60000, now);
		overload_waited(o, OVERLOAD_CORE, 0, now);
		overload_waited(o, OVERLOAD_STREAMS, 10, now);
	}
	cr_expect(overload_on(o));
	cr_expect_eq(o->wait_us, 60000);
}

Test(overload, few_reads_tell_of_no_queue)
{
	uint64_t now = 1000;

	/* a stall, and one connection that says little */
	for (int i = 0; i < 30; i++, now += 34)
		overload_waited(o, OVERLOAD_STREAMS, 60000, now);
	cr_expect_not(overload_on(o));
	(void)queue(now, 2, 60000);
	cr_expect(overload_on(o));
}

static const struct overload_ask nobody = { .rank = OVERLOAD_STRANGER };

Test(overload, what_was_refused_stays_refused)
{
	uint64_t now = queue(1000, 2, 150000);
	struct overload_ask a = nobody;

	cr_assert(overload_on(o));
	a.call = a.request = 77777777777ull;
	cr_assert_not(overload_takes(o, &a, now), "he is late");
	overload_waited(o, OVERLOAD_DGRAMS, 0, now);
	a.call = 0x5555555555555500ull;
	cr_expect_not(overload_takes(o, &a, now), "its sender knows already");
	a.request += 1 << 8;
	cr_expect(overload_takes(o, &a, now), "another one");
}

Test(overload, a_call_that_was_taken_is_taken_again_with_credentials)
{
	uint64_t now = queue(1000, 2, 60000);
	struct overload_ask a = nobody;

	cr_assert(overload_on(o));
	overload_waited(o, OVERLOAD_DGRAMS, 0, now);
	a.call = a.request = 0x123456789000ull;
	cr_assert(overload_takes(o, &a, now));
	a.ahead = 1000;
	a.request += 1 << 8;
	cr_expect(overload_takes(o, &a, now));
	/* the Call-ID is the sender's choice: not for ever */
	for (int i = 0; i < 10; i++) {
		a.request += 1 << 8;
		(void)overload_takes(o, &a, now);
	}
	a.request += 1 << 8;
	cr_expect_not(overload_takes(o, &a, now));
	a.call = a.request = 0x99999999900ull;
	cr_expect_not(overload_takes(o, &a, now), "another call");
}

Test(overload, room_in_line_is_what_can_be_served_in_time)
{
	uint64_t now = 1000;
	struct overload_ask a = nobody;
	unsigned n = 0;

	/* 40 in each 100 ms: 8 in 20 ms */
	for (int i = 0; i < 40; i++) {
		for (int k = 0; k < 4; k++)
			overload_serves(o, now);
		now = queue(now, 1, 30000) - 90;
		overload_waited(o, OVERLOAD_DGRAMS, 30000, now);
	}
	cr_assert(overload_on(o));
	for (; n < 100; n++) {
		a.call = a.request = a.request + 0x1234567800ull;
		a.ahead = n;
		if (!overload_takes(o, &a, now))
			break;
	}
	cr_expect_geq(n, 7, "%u", n);
	cr_expect_leq(n, 9, "%u", n);
	a.rank = OVERLOAD_NEW;
	a.call = a.request = a.request + 0x1234567800ull;
	a.ahead = 14;
	cr_expect(overload_takes(o, &a, now), "twice that, when known");
	a.call = a.request = a.request + 0x1234567800ull;
	a.ahead = 18;
	cr_expect_not(overload_takes(o, &a, now));
}

Test(overload, a_rate_falls_only_when_there_is_more_to_do)
{
	struct line l = line(1);
	uint32_t full;

	drive(&l, 3, 3000);
	full = o->rate;
	cr_assert_gt(full, 8 * 40);
	drive(&l, 0.2, 1000);
	cr_assert(overload_on(o));
	cr_expect_geq(o->rate * 10, full * 8, "%u of %u", o->rate, full);
}

Test(overload, what_is_late_is_refused_while_there_is_overload)
{
	struct overload_ask a = { OVERLOAD_NEW, 1 << 8, 2 << 8, 0 };
	uint64_t now;

	overload_waited(o, OVERLOAD_DGRAMS, 900000, 1000);
	cr_expect(overload_takes(o, &a, 1000), "frozen for a moment");
	cr_expect_not(overload_late(o, &a, 900000));
	now = queue(1000, 2, 40000);
	cr_assert(overload_on(o));
	overload_waited(o, OVERLOAD_DGRAMS, 79000, now);
	cr_expect(overload_takes(o, &a, now));
	overload_waited(o, OVERLOAD_DGRAMS, 80000, now);
	a.call = a.request += 0x1000000001000ull;
	cr_expect_not(overload_takes(o, &a, now));
	a.call = a.request += 0x1000000001000ull;
	a.rank = OVERLOAD_STRANGER;
	overload_waited(o, OVERLOAD_DGRAMS, 40000, now);
	cr_expect_not(overload_takes(o, &a, now));
}

Test(overload, who_has_waited_in_line_too_long_is_refused_for_good)
{
	uint64_t now = queue(1000, 2, 40000);
	struct overload_ask a = nobody;

	overload_waited(o, OVERLOAD_DGRAMS, 0, now);
	a.call = a.request = 0x77700ull;
	cr_assert(overload_takes(o, &a, now));
	cr_expect_not(overload_late(o, &a, 39999));
	cr_expect(overload_late(o, &a, 40000));
	cr_expect_eq(o->shed[OVERLOAD_STRANGER], 1);
	cr_expect_not(overload_takes(o, &a, now), "a copy");
	a.rank = OVERLOAD_NEW;
	cr_expect_not(overload_late(o, &a, 79999));
	cr_expect(overload_late(o, &a, 80000));
}

Test(overload, a_frozen_machine_is_not_overload)
{
	struct overload_ask a = { OVERLOAD_STRANGER, 1, 2, 0 };
	uint64_t now = 1000;

	for (int i = 0; i < 10; i++) {
		now += 3000;                     /* stopped that long    */
		overload_waited(o, OVERLOAD_DGRAMS, 3000000, now);
		for (int k = 0; k < 5; k++)
			overload_waited(o, OVERLOAD_DGRAMS, 1000, ++now);
		a.request += 2;
		cr_expect(overload_takes(o, &a, now));
	}
	cr_expect_eq(o->times, 0);
}

Test(overload, off_it_refuses_nobody)
{
	struct line l = line(1);

	drive(&l, 5, 3000);
	cr_assert(overload_on(o));
	overload_conf(o, 0, l.now);
	forget(&l);
	drive(&l, 5, 1000);
	cr_expect_eq(l.taken[0], l.came[0]);
}
