/* The life of our certificate: figures, warnings, one line a day. */
#include "base/log.h"
#include "node/certs.h"
#include <criterion/criterion.h>

#define DAY 86400000ull
#define T0 (20000 * DAY)        /* wall clock [ms] */

static struct certs c;
static struct stats *st;

static void init(void)
{
	cr_assert_eq(stats_alloc(&st), 0);
	cr_assert_eq(certs_figures(&c, st), 0);
	log_init("test", LOG_TO_NONE, LOG_LV_INFO);
}

static void fini(void)
{
	stats_free(st);
}

TestSuite(certs, .init = init, .fini = fini);

static struct cert_info info(uint64_t not_after)
{
	struct cert_info i = { .name = "n1", .issuer = "CN=x",
		.not_after = not_after, .until = "2030-01-01T00:00:00Z" };

	return i;
}

static uint64_t figure(const char *name)
{
	uint64_t v = 4711;

	cr_assert(stat_get(st, name, NULL, &v), "%s", name);
	return v;
}

Test(certs, by_key_there_is_nothing_to_say)
{
	char txt[120];

	certs_set(&c, NULL, 1000, T0);
	certs_tick(&c, 2000, T0 + 1000);
	cr_expect_eq(figure("cluster_by_certificate"), 0);
	cr_expect_eq(figure("cluster_certificate_left_seconds"), 0);
	cr_expect(!certs_warning(&c, T0, txt, sizeof(txt)));
	cr_expect_eq(log_count(LOG_LV_WARN) + log_count(LOG_LV_INFO), 0);
}

Test(certs, the_figure_counts_down_to_zero)
{
	struct cert_info i = info(T0 + 10000);

	certs_set(&c, &i, 0, T0);
	cr_expect_eq(figure("cluster_by_certificate"), 1);
	cr_expect_eq(figure("cluster_certificate_left_seconds"), 10);
	certs_tick(&c, 4000, T0 + 4000);
	cr_expect_eq(figure("cluster_certificate_left_seconds"), 6);
	certs_tick(&c, 14000, T0 + 14000);
	cr_expect_eq(figure("cluster_certificate_left_seconds"), 0);
	cr_expect_eq(figure("cluster_by_certificate"), 1);
}

Test(certs, days_are_whole_and_negative_after_the_end)
{
	static const struct { int64_t left, days; } row[] = {
		{ 1, 0 }, { DAY - 1, 0 }, { DAY, 1 }, { 364 * DAY + 7, 364 },
		{ 0, 0 }, { -1, -1 }, { -(int64_t)DAY + 1, -1 },
		{ -(int64_t)DAY, -2 },
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		c.info = info(T0 + (uint64_t)row[i].left);
		cr_expect_eq(certs_days(&c, T0), row[i].days, "row %u: %lld",
			     i, (long long)certs_days(&c, T0));
	}
}

Test(certs, the_warning_begins_thirty_days_before_the_end)
{
	struct cert_info i = info(T0 + 30 * DAY);
	char txt[120] = "";

	certs_set(&c, &i, 0, T0);
	cr_expect(!certs_warning(&c, T0, txt, sizeof(txt)));
	cr_expect(certs_warning(&c, T0 + 1, txt, sizeof(txt)));
	cr_expect(strstr(txt, "in 29 days, on 2030-01-01"), "%s", txt);
	cr_expect(certs_warning(&c, T0 + 31 * DAY, txt, sizeof(txt)));
	cr_expect(strstr(txt, "ran out on 2030-01-01"), "%s", txt);
}

Test(certs, the_log_has_one_line_a_day)
{
	struct cert_info i = info(T0 + 32 * DAY);
	uint64_t before = log_count(LOG_LV_WARN);

	certs_set(&c, &i, 0, T0);
	/* eight days, looked at every half second: two without a word */
	for (uint64_t t = 0; t < 8 * DAY; t += 500)
		certs_tick(&c, t, T0 + t);
	cr_expect_eq(log_count(LOG_LV_WARN) - before, 6);
}

Test(certs, a_new_one_is_told_once_and_ends_the_warning)
{
	struct cert_info i = info(T0 + DAY), j = info(T0 + 365 * DAY);
	uint64_t said = log_count(LOG_LV_INFO);
	char txt[120];

	certs_set(&c, &i, 0, T0);
	certs_set(&c, &i, 0, T0);
	cr_expect_eq(log_count(LOG_LV_INFO) - said, 1);
	cr_expect(certs_warning(&c, T0, txt, sizeof(txt)));
	certs_set(&c, &j, 0, T0);
	cr_expect_eq(log_count(LOG_LV_INFO) - said, 2);
	cr_expect(!certs_warning(&c, T0, txt, sizeof(txt)));
	certs_set(&c, NULL, 0, T0);
	cr_expect_eq(log_count(LOG_LV_INFO) - said, 3);
	cr_expect_eq(figure("cluster_by_certificate"), 0);
}
