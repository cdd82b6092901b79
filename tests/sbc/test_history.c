#include <criterion/criterion.h>
#include "sbc/history.h"

static struct history h;
static uint64_t v[HISTORY_SERIES];

/** Rows from `from` on, v[0] grows by `grow` each, v[1] is a gauge */
static uint64_t fill(uint64_t from, int rows, uint64_t grow)
{
	for (int i = 0; i < rows; i++, from += HISTORY_STEP) {
		cr_assert(history_add(&h, v, from));
		v[0] += grow;
		v[1] = (uint64_t)i;
	}
	return from - HISTORY_STEP;
}

Test(history, a_row_comes_every_step_only)
{
	cr_expect(history_add(&h, v, 1000));
	cr_expect(!history_add(&h, v, 1001));
	cr_expect(!history_add(&h, v, 5999));
	cr_expect(history_add(&h, v, 6400));
	/* the late one does not shift the next */
	cr_expect(history_add(&h, v, 11000));
	cr_expect_eq(history_rows(&h), 3);
}

Test(history, a_jump_of_the_clock_makes_one_row)
{
	fill(1000, 2, 1);
	cr_expect(history_add(&h, v, 900000));
	cr_expect(!history_add(&h, v, 900001));
	cr_expect(!history_add(&h, v, 904999));
	cr_expect(history_add(&h, v, 905000));
}

Test(history, an_hour_is_kept_and_no_more)
{
	uint64_t last = fill(1000, 2000, 1), at, first;

	cr_expect_eq(history_rows(&h), HISTORY_ROWS);
	cr_assert_not_null(history_row(&h, 0, &at));
	cr_expect_eq(at, last);
	cr_assert_not_null(history_row(&h, HISTORY_ROWS - 1, &first));
	cr_expect_eq(at - first, 3600000);
	cr_expect_null(history_row(&h, HISTORY_ROWS, NULL));
}

Test(history, growth_is_of_the_window)
{
	uint64_t last = fill(1000, 100, 10);

	/* the latest row holds 990, now it is 1000 */
	cr_expect_eq(history_growth(&h, 0, 1000, 50000, last), 110);
	cr_expect_eq(history_growth(&h, 0, 1000, 3600000, last), 1000);
	cr_expect_eq(history_growth(&h, 0, 990, 1, last), 10);
}

Test(history, without_rows_nothing_has_grown)
{
	cr_expect_eq(history_growth(&h, 0, 77, 1000, 5), 0);
	cr_expect_null(history_row(&h, 0, NULL));
}

Test(history, what_goes_back_has_not_grown)
{
	uint64_t last = fill(1000, 10, 10), x;

	cr_expect_eq(history_growth(&h, 0, 3, 20000, last), 0);
	v[0] = 0;
	cr_assert(history_add(&h, v, last + HISTORY_STEP));
	cr_assert(history_value(&h, 0, HISTORY_COUNTER, 0, &x));
	cr_expect_eq(x, 0);
}

Test(history, charts_show_rates_and_gauges)
{
	uint64_t x;

	fill(1000, 10, 10);
	cr_assert(history_value(&h, 0, HISTORY_COUNTER, 0, &x));
	cr_expect_eq(x, 2000);           /* 10 in 5 s */
	cr_assert(history_value(&h, 1, HISTORY_GAUGE, 0, &x));
	cr_expect_eq(x, 8);
	cr_expect(!history_value(&h, 0, HISTORY_COUNTER, 9, &x));
	cr_expect(history_value(&h, 1, HISTORY_GAUGE, 9, &x));
	cr_expect(!history_value(&h, 1, HISTORY_GAUGE, 10, &x));
	v[1] = HISTORY_NONE;
	cr_assert(history_add(&h, v, 1000000));
	cr_expect(!history_value(&h, 1, HISTORY_GAUGE, 0, &x));
}
