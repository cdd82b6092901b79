/* test_persist_pace.c - a flush that has the time takes it. */
#include <stdio.h>
#include <criterion/criterion.h>
#include "node/persist.h"

#define T0 1700000000000ull

enum { EXPIRES = 600, GUARD = 10000, INTERVAL = 10000 };

static struct store *store;
static struct persist *p;
static uint64_t now;
static uint32_t jobs, rows;            /* of this run, that write           */
static uint64_t began, longest;        /* [ms] the last one; between two    */

/* `n` changes that the database does not have */
static void begin(uint32_t interval, int n)
{
	struct store_conf sc = { .node = 1, .max_records = 200000,
		.max_per_aor = 50, .max_expires = EXPIRES, .guard = GUARD };
	struct persist_conf pc = { .seed = 5, .interval = interval,
		.keep = EXPIRES * 1000ull + GUARD };
	struct persist_job *j;
	char aor[32];

	now = 1000;
	cr_assert_eq(store_alloc(&store, &sc, T0 + now), 0);
	pc.store = store;
	cr_assert_eq(persist_alloc(&p, &pc, now, T0 + now), 0);
	j = persist_poll(p, now);
	j->end = true;                         /* there is no row */
	persist_done(p, now);
	persist_tick(p, now, T0 + now);
	cr_assert(persist_loaded(p));
	for (int i = 0; i < n; i++) {
		(void)snprintf(aor, sizeof(aor), "sip:u%d@x", i);
		cr_assert_eq(store_put(store, sl_cstr(aor), SL("k"), 0x100, 1,
				       T0 + now + 300000, SL("v"), T0 + now), 0);
	}
	now = persist_next(p);                 /* the flush is due */
}

static void end(void)
{
	persist_free(p);
	store_free(store);
}

static void begins(const struct persist_job *j, uint64_t from)
{
	cr_assert_eq(j->op, PERSIST_WRITE);
	if (jobs && now - began > longest)
		longest = now - began;
	began = jobs ? now : from;
	jobs++;
	rows += j->n;
}

/* Until all is written. @return how long it took, as the transactions take */
static uint64_t flush2(uint64_t ms, uint64_t every_other)
{
	uint64_t from = now;
	struct persist_job *j;

	jobs = rows = 0;
	longest = 0;
	while (persist_dirty(p)) {
		cr_assert_lt(now - from, 600000, "a flush without end");
		persist_tick(p, now, T0 + now);
		j = persist_poll(p, now);
		if (j) {
			begins(j, from);
			now += jobs % 2 ? ms : every_other;
			persist_done(p, now);
		} else if (persist_next(p) > now) {
			now = persist_next(p);
		}
	}
	return now - from;
}

static uint64_t flush(uint64_t ms)
{
	return flush2(ms, ms);
}

Test(persist_pace, a_large_flush_takes_its_time)
{
	uint64_t ms;

	begin(INTERVAL, 100000);
	ms = flush(50);
	cr_assert_eq(rows, 100000);
	cr_assert_eq(jobs, 13);
	/* all but the last batch, which has nothing to wait for */
	cr_assert_geq(ms, 11 * (PERSIST_BATCH / 45), "%d ms", (int)ms);
	cr_assert_leq(ms, 100000 / 45 + 100, "%d ms", (int)ms);
	cr_assert_leq(longest, PERSIST_BATCH / 45);
	end();
}

Test(persist_pace, a_small_flush_does_not)
{
	begin(INTERVAL, 2 * PERSIST_BATCH);
	cr_assert_eq(flush(50), 100);
	cr_assert_eq(jobs, 2);
	end();
}

Test(persist_pace, a_slow_database_has_no_pause)
{
	begin(INTERVAL, 100000);
	cr_assert_eq(flush(300), 13 * 300);
	end();
}

Test(persist_pace, after_a_slow_batch_the_next_ones_catch_up)
{
	uint64_t ms;

	begin(INTERVAL, 100000);
	ms = flush2(20, 300);
	cr_assert_leq(ms, 100000 / 45 + 300, "%d ms", (int)ms);
	end();
}

/* 2.2 s at an interval of 100 ms */
Test(persist_pace, what_must_be_done_in_time_is)
{
	uint64_t ms;

	begin(100, 180000);
	ms = flush(50);
	cr_assert_eq(rows, 180000);
	cr_assert_leq(ms, 2200, "%d ms", (int)ms);
	cr_assert_geq(ms, 1800, "%d ms", (int)ms);
	end();
}

/* After its time it goes as fast as it can: what comes meanwhile must not grow */
Test(persist_pace, a_flush_that_is_late_has_no_pause)
{
	begin(100, 180000);
	cr_assert_eq(flush(130), 22 * 130);
	end();
}

Test(persist_pace, after_an_outage_a_flush_has_its_time_again)
{
	struct persist_job *j;
	uint64_t ms, back;

	begin(INTERVAL, 100000);
	back = now + 3600000;
	while (now < back) {
		persist_tick(p, now, T0 + now);
		j = persist_poll(p, now);
		if (j) {
			j->err = PERSIST_DOWN;
			persist_done(p, now);
		} else if (persist_next(p) > now) {
			now = persist_next(p);
		}
	}
	ms = flush(20);
	cr_assert_eq(rows, 100000);
	/* a second is caught up at most */
	cr_assert_geq(ms, 11 * (PERSIST_BATCH / 45) - 1000, "%d ms", (int)ms);
	end();
}

Test(persist_pace, a_stop_ends_the_pause)
{
	uint64_t at;
	struct persist_job *j;

	begin(INTERVAL, 100000);
	while (!(j = persist_poll(p, now)))
		persist_tick(p, now, T0 + now);
	now += 50;
	persist_done(p, now);
	persist_tick(p, now, T0 + now);
	at = persist_next(p);
	cr_assert_eq(at, now + PERSIST_BATCH / 45 - 50);
	persist_stop(p, now);
	cr_assert_leq(persist_next(p), now);
	cr_assert_eq(flush(50), 12 * 50);
	cr_assert(persist_stopped(p));
	end();
}

Test(persist_pace, the_end_of_a_flush_is_told_at_once)
{
	uint64_t done;

	begin(INTERVAL, 100000);
	(void)flush(50);
	done = persist_stats(p)->flushes;
	persist_tick(p, now, T0 + now);        /* takes the answer */
	cr_assert_leq(persist_next(p), now);
	persist_tick(p, now, T0 + now);
	cr_assert_eq(persist_stats(p)->flushes, done + 1);
	end();
}

/* Calls wait for a turn of the loop */
Test(persist_pace, a_turn_of_a_verification_looks_at_few_records)
{
	const struct persist_verdict *v;
	struct persist_job *j;
	uint64_t most = 0;

	begin(INTERVAL, 180000);
	(void)flush(50);
	v = persist_verdict(p);
	cr_assert_eq(persist_verify(p, now), 0);
	while (v->running) {
		uint64_t n = v->records;

		persist_tick(p, now, T0 + now);
		j = persist_poll(p, now);
		if (j) {
			cr_assert_eq(j->op, PERSIST_READ);
			j->end = true;                 /* it has no row */
			persist_done(p, now);
		}
		if (v->records - n > most)
			most = v->records - n;
	}
	cr_assert_eq(v->records, 180000);
	cr_assert_eq(v->missing_db, 180000);
	/* the last bucket is looked at to its end */
	cr_assert_leq(most, 64 + 30, "%d", (int)most);
	end();
}

Test(persist_pace, a_turn_of_a_flush_copies_few_records)
{
	int turns = 0;

	begin(INTERVAL, PERSIST_BATCH);
	while (!persist_poll(p, now)) {
		persist_tick(p, now, T0 + now);
		turns++;
	}
	cr_assert_geq(turns, PERSIST_BATCH / 40);
	end();
}
