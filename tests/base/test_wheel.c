#include <criterion/criterion.h>
#include <stdlib.h>
#include "base/rng.h"
#include "base/wheel.h"

#define N 300

struct model {
	struct wtimer t[N];
	uint64_t at[N];        /* UINT64_MAX = not running */
};

/** Spans from 1 ms to years, so that every level is used */
static uint64_t span(struct rng *r)
{
	return rng_u64(r) >> (64 - 1 - rng_below(r, 40));
}

static uint64_t model_min(const struct model *m)
{
	uint64_t min = UINT64_MAX;

	for (int i = 0; i < N; i++) {
		if (m->at[i] < min)
			min = m->at[i];
	}
	return min;
}

static void drain(struct wheel *w, struct model *m, uint64_t now)
{
	struct wtimer *t;

	while ((t = wheel_pop(w, now))) {
		size_t i = (size_t)(t - m->t);

		cr_assert_leq(m->at[i], now, "fired early");
		cr_assert_eq(m->at[i], model_min(m), "out of order");
		cr_assert_not(wtimer_running(t));
		m->at[i] = UINT64_MAX;
	}
	cr_assert_gt(model_min(m), now, "one was not fired");
}

static void random_ops(uint64_t seed, uint64_t start)
{
	static struct model m;
	struct wheel *w = NULL;
	struct rng r;
	uint64_t now = start;

	rng_seed(&r, seed);
	memset(&m, 0, sizeof(m));
	for (int i = 0; i < N; i++)
		m.at[i] = UINT64_MAX;
	cr_assert_eq(wheel_alloc(&w, now), 0);
	for (int step = 0; step < 20000; step++) {
		uint32_t i = rng_below(&r, N);
		uint64_t next;

		switch (rng_below(&r, 8)) {
		case 0:
			wheel_del(w, &m.t[i]);
			m.at[i] = UINT64_MAX;
			break;
		case 1:
			now += span(&r) >> rng_below(&r, 30);
			drain(w, &m, now);
			break;
		case 2:                 /* jump to what wheel_next() says */
			next = wheel_next(w);
			cr_assert_leq(next, model_min(&m), "next is late");
			if (next != UINT64_MAX && next > now)
				now = next;
			drain(w, &m, now);
			break;
		default:
			m.at[i] = now + 1 + span(&r);
			wheel_set(w, &m.t[i], m.at[i]);
			break;
		}
		cr_assert_eq(wtimer_running(&m.t[i]),
			     m.at[i] != UINT64_MAX);
	}
	for (int i = 0; i < N; i++) {
		wheel_del(w, &m.t[i]);
		m.at[i] = UINT64_MAX;
	}
	cr_assert_eq(wheel_next(w), UINT64_MAX, "empty, yet something is due");
	wheel_free(w);
}

Test(wheel, agrees_with_a_list_under_random_operations)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		random_ops(seed, seed * 0x123456789ull);
}

Test(wheel, agrees_with_a_list_across_wrap_of_every_digit)
{
	random_ops(77, (1ull << 36) - 500);
	random_ops(78, (1ull << 24) - 3);
	random_ops(79, 0);
}

Test(wheel, past_time_fires_at_the_next_tick)
{
	struct wheel *w = NULL;
	struct wtimer t = { 0 };

	cr_assert_eq(wheel_alloc(&w, 1000), 0);
	wheel_set(w, &t, 5);
	cr_assert_leq(wheel_next(w), 1000);
	cr_assert_eq(wheel_pop(w, 1000), &t);
	cr_assert_null(wheel_pop(w, 1000));
	wheel_free(w);
}

Test(wheel, sleeper_needs_few_wakeups_for_a_far_timer)
{
	struct wheel *w = NULL;
	struct wtimer t = { 0 };
	uint64_t now = 12345;
	int wakeups = 0;

	cr_assert_eq(wheel_alloc(&w, now), 0);
	wheel_set(w, &t, now + 32000);
	while (!wheel_pop(w, now)) {
		now = wheel_next(w);
		wakeups++;
	}
	cr_assert_eq(now, 12345 + 32000);
	cr_assert_leq(wakeups, 3);
	wheel_free(w);
}
