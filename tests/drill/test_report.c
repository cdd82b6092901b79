/* test_report.c - reports: JSON, text, one HTML page */
#include "drill/report.h"
#include "tests/drill/world.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

/** A drill in which one call was refused */
static json_t *make(const json_t *last)
{
	static struct note note[2] = { { 1000, false, "calls <begin>" },
				       { 2000, true, "node: n1 & down" } };
	struct facts f = { .fault = 1500, .ended = 1800, .detected = 1550,
			   .recovered = 2000, .counted = true,
			   .checked = true };
	struct mirror m;
	struct outcome o;
	json_t *r;

	mirror_start(&m, true);
	m.refuse = 503;
	cr_assert_eq(gen_dial(m.g, 0, 1, 10, 10, m.now), 0);
	mirror_run(&m, 100);
	m.refuse = 0;
	cr_assert_eq(gen_dial(m.g, 0, 1, 10, 10, m.now), 0);
	mirror_run(&m, 9000);
	cr_assert_eq(judge_make(&o, plan_find("node-kill"), m.g, &f,
				  false), 0);
	r = report_json(&(struct report_in){
		.plan = plan_find("node-kill"), .o = &o, .f = &f, .gen = m.g,
		.note = note, .notes = 2, .begin = 1000, .end = 10000,
		.wall = 1700000000000, .node = "n<1>", .why = "", .who = "me",
		.version = "1", .where = "lab", .pool = 3 }, last);
	mirror_stop(&m);
	cr_assert(r);
	return r;
}

static char *text_of(json_t *r, int (*h)(struct buf *b, const json_t *r))
{
	struct buf b;
	char *s;

	buf_init(&b, 1 << 24);
	cr_assert_eq(h(&b, r), 0);
	buf_chr(&b, '\0');
	s = strdup((char *)b.p);
	buf_free(&b);
	return s;
}

Test(report, dates_are_right)
{
	char t[24];

	cr_assert_str_eq(report_date(0, t), "1970-01-01T00:00:00Z");
	cr_assert_str_eq(report_date(951782399999, t), "2000-02-28T23:59:59Z");
	cr_assert_str_eq(report_date(951868800000, t), "2000-03-01T00:00:00Z");
	cr_assert_str_eq(report_date(1700000000000, t),
			 "2023-11-14T22:13:20Z");
}

Test(report, every_loss_is_named)
{
	json_t *r = make(NULL);
	const json_t *l = json_object_get(r, "losses");
	char *t = text_of(r, report_text), *h = text_of(r, report_html);

	cr_assert_eq(json_array_size(l), 1);
	cr_assert_str_eq(json_string_value(json_object_get(json_array_get(l,
			 0), "call_id")), "drill-abc-0");
	cr_assert(strstr(t, "drill-abc-0"));
	cr_assert(strstr(t, "refused 503"));
	cr_assert(strstr(h, "drill-abc-0"));
	cr_assert(strstr(t, "FAIL     node-kill"));
	free(t);
	free(h);
	json_decref(r);
}

Test(report, the_page_needs_nothing_from_elsewhere)
{
	json_t *r = make(NULL);
	char *h = text_of(r, report_html);

	cr_assert_not(strstr(h, "http:") || strstr(h, "https:"));
	cr_assert_not(strstr(h, "<script") || strstr(h, "src="));
	cr_assert(strstr(h, "<svg"));
	cr_assert(strstr(h, "n&lt;1&gt;"));
	cr_assert(strstr(h, "calls &lt;begin&gt;"));
	cr_assert_not(strstr(h, "<begin>"));
	free(h);
	json_decref(r);
}

Test(report, the_run_before_stands_beside)
{
	json_t *a = make(NULL), *b = make(a), *c;
	bool seen = false;
	size_t i;

	json_array_foreach(json_object_get(b, "claims"), i, c)
		seen |= !strcmp(json_string_value(json_object_get(c, "claim")),
				"lost_calls") &&
			json_integer_value(json_object_get(c, "last")) == 1;
	cr_assert(seen);
	json_decref(a);
	json_decref(b);
}

Test(report, it_can_be_shown_again_from_its_file)
{
	json_t *a = make(NULL), *b;
	char *s = json_dumps(a, 0), *x, *y;

	b = json_loads(s, 0, NULL);
	x = text_of(a, report_text);
	y = text_of(b, report_text);
	cr_assert_str_eq(x, y);
	free(x);
	free(y);
	free(s);
	json_decref(a);
	json_decref(b);
}

Test(report, other_JSON_is_no_report)
{
	const char *const bad[] = { "{}", "[]", "{\"report\":2}",
				    "{\"report\":\"1\"}" };
	struct buf b;

	for (size_t i = 0; i < 4; i++) {
		json_t *r = json_loads(bad[i], 0, NULL);

		buf_init(&b, 1 << 20);
		cr_assert_eq(report_text(&b, r), EBADMSG);
		cr_assert_eq(report_html(&b, r), EBADMSG);
		buf_free(&b);
		json_decref(r);
	}
}

Test(report, a_file_of_rubbish_is_shown_without_harm)
{
	json_t *r = json_loads("{\"report\":1,\"drill\":\"\\u001b[2J\","
		"\"claims\":[{},3,{\"claim\":7}],\"strips\":[[],[1,2],"
		"[9,8,7,6,5,4,3],7],\"fault_ms\":-9223372036854775807,"
		"\"took_ms\":9223372036854775807,\"table\":{},"
		"\"losses\":[[]],\"time_line\":[1],"
		"\"setup\":{\"bounds_ms\":[1],\"before\":{\"bins\":[1,2,3]}}}",
		0, NULL);
	char *t = text_of(r, report_text), *h = text_of(r, report_html);

	cr_assert_not(strchr(t, '\x1b'));
	free(t);
	free(h);
	json_decref(r);
}
