/* test_hints.c - values that nodes tell each other for a while. */
#include <criterion/criterion.h>
#include <errno.h>
#include "cluster/hints.h"

static struct hints *a, *b;

static void start(void)
{
	a = calloc(1, sizeof(*a));
	b = calloc(1, sizeof(*b));
}

static void stop(void)
{
	hints_close(a);
	hints_close(b);
	free(a);
	free(b);
}

/* All that a has to say after *from. @return frames */
static int give(uint64_t *from, uint64_t now)
{
	struct wire_head h;
	size_t at = 0, total;
	struct buf m;
	int n = 0;

	buf_init(&m, 1u << 20);
	hints_fill(a, from, &m, 1u << 20);
	cr_assert_eq(m.err, 0);
	for (; at < m.n; at += total, n++) {
		struct sl in = sl_sub(buf_as_sl(&m), at, m.n);

		cr_assert_eq(wire_frame(in, WIRE_MAX, &h, &total), 0);
		cr_assert_eq(h.type, WIRE_HINT);
		cr_assert_eq(hints_recv(b, sl_sub(in, WIRE_HEAD, total), now),
			     0);
	}
	buf_free(&m);
	return n;
}

Test(hints, one_is_known_for_as_long_as_it_was_said_to_hold,
     .init = start, .fini = stop)
{
	uint64_t from = 0;

	hints_say(a, 0x1234, 60000);
	cr_assert_eq(give(&from, 1000), 1);
	cr_assert_eq(give(&from, 1000), 0, "once");
	cr_assert(hints_has(b, 0x1234, 1001));
	cr_assert(hints_has(b, 0x1235, 1001), "the lowest bit is not of it");
	cr_assert_not(hints_has(b, 0x1236, 1001));
	cr_assert_not(hints_has(a, 0x1234, 1001), "one's own is no news");
	cr_assert(hints_has(b, 0x1234, 60999));
	cr_assert_not(hints_has(b, 0x1234, 61000));
}

Test(hints, said_again_it_holds_anew, .init = start, .fini = stop)
{
	uint64_t from = 0;

	hints_say(a, 0x1234, 60000);
	give(&from, 1000);
	hints_say(a, 0x1234, 60000);
	give(&from, 31000);
	cr_assert(hints_has(b, 0x1234, 90000));
	cr_assert_eq(b->now, 1);
	cr_assert_eq(b->in, 2);
}

Test(hints, what_is_taken_back_is_forgotten_at_once, .init = start,
     .fini = stop)
{
	uint64_t from = 0;

	hints_say(a, 0x1234, 60000);
	hints_say(a, 0x5678, 60000);
	hints_unsay(a, 0x1234);
	hints_unsay(a, 0x9abc);
	cr_assert_eq(give(&from, 1000), 1, "in one frame, in order");
	cr_assert_not(hints_has(b, 0x1234, 1001));
	cr_assert(hints_has(b, 0x5678, 1001));
	cr_assert_eq(b->now, 1);
}

Test(hints, the_table_gives_back_what_is_over, .init = start, .fini = stop)
{
	uint64_t from = 0;

	for (uint64_t i = 1; i <= 1000; i++)
		hints_say(a, i * 0x9e3779b97f4a7c16, 60000);
	give(&from, 1000);
	cr_assert_eq(b->now, 1000);
	for (int i = 0; i < 16; i++)
		hints_tick(b, 60999);
	cr_assert_eq(b->now, 1000, "not before");
	for (int i = 0; i < 16; i++)
		hints_tick(b, 61000);
	cr_assert_eq(b->now, 0);
}

/* More than there are places: memory does not grow, and those remain that hold
 * longest */
Test(hints, too_many_are_counted_and_the_oldest_go, .init = start,
     .fini = stop)
{
	uint64_t from = 0, v = 2, known = 0;
	const int n = 3 * HINTS_PLACES;

	for (int i = 0; i < n; i++) {
		hints_say(a, v += 2, 60000);
		if (i % 1000 == 999)
			give(&from, 1000 + (uint64_t)i / 1000);
	}
	give(&from, 2000);
	cr_assert_leq(b->now, HINTS_PLACES);
	cr_assert_gt(b->now, HINTS_PLACES * 9 / 10);
	cr_assert_geq(b->lost, (uint64_t)n - HINTS_PLACES);
	for (v = 2 * (uint64_t)n; v > 2 * (uint64_t)(n - 1000); v -= 2)
		known += hints_has(b, v, 2000);
	cr_assert_eq(known, 1000, "the newest are there");
}

Test(hints, who_reads_slowly_misses_the_oldest, .init = start, .fini = stop)
{
	uint64_t from = 0;

	for (uint64_t i = 1; i <= HINTS_RING + 10; i++)
		hints_say(a, 2 * i, 60000);
	cr_assert_eq(give(&from, 1000), 3, "frames of at most %d, and the "
		     "ring's end in one", WIRE_HINTS);
	cr_assert_eq(a->lost, 10);
	cr_assert_not(hints_has(b, 20, 1001));
	cr_assert(hints_has(b, 22, 1001));
	cr_assert(hints_has(b, 2 * (HINTS_RING + 10), 1001));
}

Test(hints, a_full_link_gets_the_rest_later, .init = start, .fini = stop)
{
	uint64_t from = 0;
	struct buf m;

	for (uint64_t i = 1; i <= HINTS_RING; i++)
		hints_say(a, 2 * i, 60000);
	buf_init(&m, 1u << 20);
	hints_fill(a, &from, &m, 1000);
	cr_assert_eq(from, WIRE_HINTS);
	hints_fill(a, &from, &m, 1000);
	cr_assert_eq(from, WIRE_HINTS, "no room");
	buf_free(&m);
}

/* One that says "for ever" */
Test(hints, nobody_is_believed_for_more_than_two_hours, .init = start,
     .fini = stop)
{
	uint64_t from = 0;

	hints_say(a, 0x1234, UINT32_MAX);
	give(&from, 1000);
	cr_assert(hints_has(b, 0x1234, HINTS_MS + 999));
	cr_assert_not(hints_has(b, 0x1234, HINTS_MS + 1000));
}

Test(hints, a_message_that_says_too_much_is_refused, .init = start,
     .fini = stop)
{
	static uint64_t v[WIRE_HINTS + 1];
	struct wire_hint h = { .ms = 5, .n = WIRE_HINTS + 1 };
	struct buf m;

	buf_init(&m, 1u << 20);
	wire_hint_encode(&m, &h, v);
	cr_assert_eq(hints_recv(b, sl_sub(buf_as_sl(&m), WIRE_HEAD, m.n), 0),
		     EBADMSG);
	buf_reset(&m);
	h.n = WIRE_HINTS;
	wire_hint_encode(&m, &h, v);
	cr_assert_eq(hints_recv(b, sl_sub(buf_as_sl(&m), WIRE_HEAD, m.n), 0),
		     0);
	cr_assert_eq(hints_recv(b, sl_sub(buf_as_sl(&m), WIRE_HEAD, m.n - 1),
				0), EBADMSG);
	cr_assert_eq(b->now, 0, "0 is no value");
	buf_free(&m);
}
