/* What operators want and what was learned, across restarts. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "sbc/state.h"
#include "sip/flow.h"

#define NOW 5000000ull
#define WALL 1700000000000ull

static char dir[] = "/tmp/ew_state_XXXXXX";
static char path[64], bad[64];
static struct state_node v[DISP_MAX];
static uint16_t n;
static struct disp *d;

static void setup(void)
{
	static const struct disp_conf cf = {
		.inter = 1000, .fastinter = 200, .downinter = 2000,
		.timeout = 500, .fall = 3, .rise = 2, .max_nodes = 64,
	};

	log_init("test", LOG_TO_NONE, LOG_LV_INFO);
	if (!mkdtemp(dir) || disp_alloc(&d, &cf, 1, NOW))
		abort();
	snprintf(path, sizeof(path), "%s/pool.json", dir);
	snprintf(bad, sizeof(bad), "%s/pool.json.bad", dir);
	for (int i = 0; i < 4; i++) {
		struct disp_node_conf nc = { .tp = TP_TCP, .weight = 100,
			.learned = i == 3, .addr = { .af = 4, .port = 5060,
			.ip = { 10, 0, 0, (uint8_t)i } } };
		uint16_t idx;

		snprintf(nc.name, sizeof(nc.name), "n%d", i);
		if (disp_add(d, &nc, &idx, NOW))
			abort();
	}
}

static void teardown(void)
{
	disp_free(d);
	unlink(path);
	unlink(bad);
	rmdir(dir);
}

TestSuite(state, .init = setup, .fini = teardown);

static const struct state_node *named(const char *name)
{
	for (uint16_t i = 0; i < n; i++)
		if (!strcmp(v[i].conf.name, name))
			return &v[i];
	return NULL;
}

static int load(uint64_t now, uint64_t wall)
{
	n = 77;
	return state_load(v, &n, dir, now, wall);
}

Test(state, no_file_is_no_state)
{
	cr_expect_eq(load(NOW, WALL), 0);
	cr_expect_eq(n, 0);
}

Test(state, wishes_and_learned_nodes_come_back)
{
	struct disp_wish w = {
		.admin = DISP_DRAIN, .when_empty = true, .since = NOW - 1000,
		.until = NOW + 60000, .weight = -1,
		.who = "al\"ice", .why = "\xc3\xa9t\xc3\xa9",
	}, q = { .admin = DISP_READY, .weight = 7 };

	cr_assert_eq(disp_set_wish(d, 1, &w, NOW), 0);
	cr_assert_eq(disp_set_wish(d, 2, &q, NOW), 0);
	cr_assert_eq(state_save(dir, d, NOW, WALL), 0);
	/* another start: our clock is another, the wall's is 20 s on */
	cr_assert_eq(load(300, WALL + 20000), 0);
	cr_expect_eq(n, 3, "%u", n);
	cr_expect_null(named("n0"), "nothing to remember");
	cr_assert_not_null(named("n1"));
	cr_expect_eq(named("n1")->wish.admin, DISP_DRAIN);
	cr_expect(named("n1")->wish.when_empty);
	cr_expect_eq(named("n1")->wish.until, 40300);
	cr_expect_eq(named("n1")->wish.weight, -1);
	cr_expect_str_eq(named("n1")->wish.who, "al\"ice");
	cr_expect_str_eq(named("n1")->wish.why,
			 "\xc3\xa9t\xc3\xa9");
	cr_expect_not(named("n1")->conf.learned);
	cr_expect_eq(named("n2")->wish.weight, 7);
	cr_assert_not_null(named("n3"));
	cr_expect(named("n3")->conf.learned);
	cr_expect_eq(named("n3")->conf.addr.ip[3], 3);
	cr_expect_eq(named("n3")->conf.addr.port, 5060);
	cr_expect_eq(named("n3")->conf.tp, TP_TCP);
	cr_expect_eq(named("n3")->wish.admin, DISP_READY);
}

Test(state, a_time_that_passed_meanwhile_is_over_not_forgotten)
{
	struct disp_wish w = { .admin = DISP_MAINT, .weight = -1,
			       .until = NOW + 60000 };

	cr_assert_eq(disp_set_wish(d, 1, &w, NOW), 0);
	cr_assert_eq(state_save(dir, d, NOW, WALL), 0);
	cr_assert_eq(load(300, WALL + 3600000), 0);
	cr_expect_eq(named("n1")->wish.until, 1);
	w.until = 0;
	cr_assert_eq(disp_set_wish(d, 1, &w, NOW), 0);
	cr_assert_eq(state_save(dir, d, NOW, WALL), 0);
	cr_assert_eq(load(300, WALL + 3600000), 0);
	cr_expect_eq(named("n1")->wish.until, 0);
}

#define ONE(rest) "{\"nodes\":[{\"name\":\"x\",\"admin\":\"maint\"" rest "}]}"

Test(state, a_damaged_file_is_put_aside_and_said)
{
	static const char *const text[] = {
		"", "{", "[]", "{\"nodes\":3}", "{\"nodes\":[3]}",
		"{\"nodes\":[{\"name\":\"x\"}]}",
		"{\"nodes\":[{\"admin\":\"maint\"}]}",
		"{\"nodes\":[{\"name\":\"\",\"admin\":\"maint\"}]}",
		"{\"nodes\":[{\"name\":\"x\",\"admin\":\"gone\"}]}",
		ONE(",\"weight\":1001"), ONE(",\"weight\":-1"),
		ONE(",\"weight\":\"5\""), ONE(",\"until\":-5"),
		ONE(",\"until\":99999999999999999"), ONE(",\"since\":\"x\""),
		ONE(",\"who\":5"), ONE(",\"why\":\"a\\u0000b\""),
		ONE(",\"learned\":{}"), ONE(",\"learned\":5"),
		ONE(",\"learned\":{\"address\":\"host:5060\","
		    "\"transport\":\"tcp\"}"),
		ONE(",\"learned\":{\"address\":\"10.0.0.1\","
		    "\"transport\":\"tcp\"}"),
		ONE(",\"learned\":{\"address\":\"10.0.0.1:5060\","
		    "\"transport\":\"smoke\"}"),
	};

	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		uint64_t said = log_count(LOG_LV_ERROR);

		cr_assert_eq(file_write(path, sl_cstr(text[i])), 0);
		cr_expect_eq(load(NOW, WALL), EBADMSG, "%s", text[i]);
		cr_expect_eq(n, 0, "%s", text[i]);
		cr_expect_eq(access(path, F_OK), -1);
		cr_expect_eq(access(bad, F_OK), 0);
		cr_expect_eq(log_count(LOG_LV_ERROR), said + 1);
	}
	cr_assert_eq(file_write(path, SL(ONE(""))), 0);
	cr_expect_eq(load(NOW, WALL), 0);
	cr_expect_eq(n, 1);
}

Test(state, more_nodes_than_a_pool_has_are_refused)
{
	struct buf b;

	buf_init(&b, 100000);
	buf_lit(&b, "{\"nodes\":[");
	for (int i = 0; i <= DISP_MAX; i++)
		buf_printf(&b, "%s{\"name\":\"x%d\",\"admin\":\"maint\"}",
			   i ? "," : "", i);
	buf_lit(&b, "]}");
	cr_assert_eq(file_write(path, buf_as_sl(&b)), 0);
	cr_expect_eq(load(NOW, WALL), EBADMSG);
	buf_free(&b);
}

Test(state, what_cannot_be_written_is_said)
{
	cr_expect_eq(state_save("/nonexistent", d, NOW, WALL), ENOENT);
	cr_expect_eq(log_count(LOG_LV_ERROR), 1);
}
