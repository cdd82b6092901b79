#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sbc/drills.h"
#include "sbc/page.h"

static struct drills d;

static void end(void)
{
	drills_free(&d);
}

TestSuite(drills, .fini = end, .timeout = 20);

#define LIST "[{\"name\":\"slow\",\"text\":\"late <b>\",\"file\":\"\"," \
	"\"edge\":true,\"lab\":true,\"own_net\":false}," \
	"{\"name\":\"kill\",\"text\":\"t\",\"file\":\"\",\"lab\":true}," \
	"{\"name\":\"cut\",\"lab\":true,\"own_net\":true}," \
	"{\"name\":\"hook\",\"file\":\"h.conf\",\"lab\":false}," \
	"{\"name\":\"ours\",\"file\":\"ours.conf\",\"edge\":true}," \
	"{\"name\":\"slow\",\"file\":\"twice.conf\",\"edge\":true}," \
	"{\"name\":\"bad\",\"file\":\"../x.conf\",\"edge\":true}," \
	"{\"name\":\"a/b\",\"edge\":true},{\"name\":\"-o\",\"edge\":true}," \
	"{\"name\":\"\",\"edge\":true},7]"

static void list(void)
{
	cr_assert_eq(drills_list(&d, SL(LIST)), 0);
}

static void begin(const char *name, bool lab)
{
	const struct drills_kind *k;

	list();
	k = drills_find(&d, name, lab);
	cr_assert_not_null(k);
	cr_assert_eq(drills_begin(&d, k, lab, "carol", 60000, 1000, 5000), 0);
}

static void said(const char *s)
{
	drills_said(&d, sl_cstr(s), 2000);
}

Test(drills, only_what_the_edge_may_run_is_taken_from_the_list)
{
	list();
	cr_expect_eq(d.n, 3);
	cr_expect_not_null(drills_find(&d, "slow", true));
	cr_expect_str_eq(drills_find(&d, "slow", false)->file, "");
	cr_expect_not_null(drills_find(&d, "kill", true));
	cr_expect_null(drills_find(&d, "kill", false), "no fault of the edge");
	cr_expect_null(drills_find(&d, "cut", true), "needs a namespace");
	cr_expect_null(drills_find(&d, "hook", false), "commands");
	cr_expect_null(drills_find(&d, "a/b", false));
	cr_expect_null(drills_find(&d, "-o", false));
	cr_expect_null(drills_find(&d, "bad", false));
	cr_expect_eq(drills_list(&d, SL("{}")), EBADMSG);
	cr_expect_eq(drills_list(&d, SL("")), EBADMSG);
	cr_expect_eq(d.n, 3, "the old list stays");
}

Test(drills, one_at_a_time)
{
	begin("slow", false);
	cr_expect_eq(d.on, 1);
	cr_expect_eq(drills_begin(&d, &d.v[0], true, "", 1, 1, 1), EBUSY);
	drills_ended(&d, 0, 3000);
	cr_expect_eq(d.on, 0);
	cr_expect_eq(drills_begin(&d, &d.v[0], true, "", 1, 1, 1), 0);
}

Test(drills, figures_move_and_lines_may_come_in_pieces)
{
	static const char line[] = "{\"at_ms\":500,\"step\":\"fault\","
		"\"node\":\"n2\",\"placed\":12,\"lost\":-3}\n";

	begin("slow", false);
	for (size_t i = 0; line[i]; i++)
		drills_said(&d, sl_mk(line + i, 1), 2000);
	cr_expect_eq(d.run.figure[DF_PLACED], 12);
	cr_expect_eq(d.run.figure[DF_LOST], 0);
	cr_expect_str_eq(d.run.step, "fault");
	cr_expect_str_eq(d.run.node, "n2");
	said("{\"at_ms\":600,\"text\":\"one\"}\n{\"at_ms\":700,"
	     "\"text\":\"two\"}\n");
	cr_expect_eq(d.steps, 2);
	cr_expect_str_eq(d.step[1].text, "two");
	cr_expect_eq(d.step[1].at, 700);
}

Test(drills, the_last_line_is_the_verdict_and_only_a_file_name_of_the_report)
{
	begin("slow", false);
	said("{\"done\":true,\"verdict\":\"FAIL\",\"why\":\"w\",\"report\":"
	     "\"/var/x/slow-20261126T010203Z.json\",\"claims\":[{\"a\":1}]}\n");
	drills_ended(&d, 1, 4000);
	cr_assert_eq(d.pasts, 1);
	cr_expect_str_eq(d.past[0].verdict, "FAIL");
	cr_expect_str_eq(d.past[0].report, "slow-20261126T010203Z.html");
	cr_expect_eq(d.past[0].took, 3000);
	cr_expect_eq(json_array_size(d.past[0].claims), 1);
	cr_expect_eq(d.count[1], 1);
	begin("slow", false);
	said("{\"done\":true,\"verdict\":\"GREAT\",\"report\":\"/etc/passwd\"}\n");
	drills_ended(&d, 0, 4000);
	cr_expect_str_eq(d.past[0].verdict, "NONE", "no verdict we know");
	cr_expect_str_eq(d.past[0].report, "");
	cr_expect_str_eq(d.past[1].verdict, "FAIL");
}

Test(drills, without_a_last_line_the_verdict_is_told_by_the_end)
{
	static const struct {
		int status;
		bool stop;
		const char *verdict;
	} v[] = {
		{ 3, false, "UNFIT" }, { 0, false, "NONE" },
		{ 2, false, "NONE" }, { -1, false, "NONE" },
		{ -1, true, "ABORTED" },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		begin("slow", false);
		said("edgewise: what it has to say\n");
		if (v[i].stop)
			(void)drills_abort(&d, "by hand", 3000);
		drills_ended(&d, v[i].status, 4000);
		cr_expect_str_eq(d.past[0].verdict, v[i].verdict, "%zu", i);
		cr_expect_str_eq(d.past[0].why, v[i].stop ? "by hand" :
				 "edgewise: what it has to say");
	}
}

Test(drills, ctrl_c_first_then_kill_after_the_grace)
{
	begin("slow", false);
	cr_expect_eq(drills_next(&d), 61000);
	cr_expect_eq(drills_poll(&d, 60999), DRILLS_NOTHING);
	cr_assert(drills_abort(&d, "by hand", 2000));
	cr_expect_leq(drills_next(&d), 2000, "at once");
	cr_expect_eq(drills_poll(&d, 2000), DRILLS_INT);
	cr_expect_eq(drills_poll(&d, 2000), DRILLS_NOTHING, "once");
	cr_expect(drills_abort(&d, "again", 9000), "goes on to end");
	cr_expect_eq(drills_next(&d), 2000 + DRILLS_GRACE);
	cr_expect_eq(drills_poll(&d, 1999 + DRILLS_GRACE), DRILLS_NOTHING);
	cr_expect_eq(drills_poll(&d, 2000 + DRILLS_GRACE), DRILLS_KILL);
	cr_expect_eq(drills_next(&d), UINT64_MAX);
	drills_ended(&d, -1, 30000);
	cr_expect_not(drills_abort(&d, "x", 30000), "none goes on");
}

Test(drills, one_that_takes_too_long_is_ended)
{
	begin("slow", false);
	cr_expect_eq(drills_poll(&d, 61000), DRILLS_INT);
	cr_expect_str_eq(d.run.why, "it took too long");
}

Test(drills, much_and_long_talk_is_bounded)
{
	char *s = malloc(100001);

	begin("slow", false);
	memset(s, 'x', 100000);
	s[100000] = '\0';
	said(s);
	said("\n{\"at_ms\":1,\"text\":\"after\"}\n");
	cr_expect_eq(d.steps, 1, "the long line is left out");
	cr_expect_str_eq(d.step[0].text, "after");
	for (int i = 0; i < 100; i++)
		said("{\"at_ms\":1,\"text\":\"again\"}\n");
	s[99999] = '\n';
	for (int i = 0; i < DRILLS_SAID / 100000 + 2; i++)
		said(s);
	cr_expect_eq(drills_poll(&d, 2000), DRILLS_INT);
	cr_expect_str_eq(d.run.why, "it says too much");
	free(s);
}

Test(drills, names_of_reports)
{
	cr_expect(drills_report_name(SL("drain-20261126T010203Z.html")));
	cr_expect(drills_report_name(SL("a.b_c-20261126T010203Z.html")));
	cr_expect_not(drills_report_name(SL("drain-20261126T010203Z.json")));
	cr_expect_not(drills_report_name(SL("-20261126T010203Z.html")));
	cr_expect_not(drills_report_name(SL("../x-20261126T010203Z.html")));
	cr_expect_not(drills_report_name(SL("a/b-20261126T010203Z.html")));
	cr_expect_not(drills_report_name(SL(".a-20261126T010203Z.html")));
	cr_expect_not(drills_report_name(SL("a\"b-20261126T010203Z.html")));
	cr_expect_not(drills_report_name(SL("drain-2026112xT010203Z.html")));
	cr_expect_not(drills_report_name(SL("")));
}

static char text[200000];

static const char *page(void)
{
	json_t *v = json_object(), *o = drills_json(&d, 5000);
	struct buf b;

	(void)json_object_set_new(o, "on", json_true());
	(void)json_object_set_new(o, "phones", json_true());
	(void)json_object_set_new(v, "drills", o);
	buf_fixed(&b, text, sizeof(text) - 1);
	cr_assert(page_section(&b, SL("drills"), v));
	cr_assert_eq(b.err, 0);
	text[b.n] = '\0';
	json_decref(v);
	return text;
}

#define HAS(t, what) cr_expect_not_null(strstr((t), (what)), "%s\n%s", \
					(what), (t))
#define LACKS(t, what) cr_expect_null(strstr((t), (what)), "%s\n%s", \
				      (what), (t))

Test(drills, the_page_shows_the_choice_what_goes_on_and_what_did_not_hold)
{
	list();
	HAS(page(), "data-act=\"here\" data-node=\"slow\" data-text=\"late "
	    "&lt;b&gt;\"");
	HAS(page(), "data-act=\"lab\" data-node=\"kill\"");
	LACKS(page(), "data-act=\"here\" data-node=\"kill\"");
	LACKS(page(), "data-act=\"abort\"");
	begin("slow", false);
	said("{\"at_ms\":500,\"step\":\"fault\",\"placed\":12,\"lost\":1}\n");
	said("{\"at_ms\":1500,\"text\":\"<i>\"}\n");
	HAS(page(), "<b>12</b> test calls");
	HAS(page(), "class=\"bad\" id=\"drill-lost\"");
	HAS(page(), "1.500 s</span> &lt;i&gt;");
	HAS(page(), "data-act=\"abort\"");
	LACKS(page(), "data-act=\"lab\"");
	(void)drills_abort(&d, "x", 5000);
	LACKS(page(), "data-act=\"abort\"");
	said("{\"done\":true,\"verdict\":\"FAIL\",\"report\":"
	     "\"/r/slow-20261126T010203Z.json\",\"claims\":[{\"text\":\"test "
	     "calls lost\",\"unit\":\"\",\"held\":false,\"limit\":0,"
	     "\"value\":1},{\"text\":\"fine\",\"held\":true,\"limit\":0,"
	     "\"value\":0},7]}\n");
	drills_ended(&d, 1, 6000);
	HAS(page(), "FAIL");
	HAS(page(), "test calls lost: 1, limit 0");
	LACKS(page(), "fine");
	HAS(page(), "href=\"api/v1/drills/reports/slow-20261126T010203Z.html\" "
	    "download");
}

Test(drills, off_is_absent)
{
	struct buf b;
	char mem[64];
	json_t *v = json_object();

	(void)json_object_set_new(v, "drills", drills_json(&d, 1));
	buf_fixed(&b, mem, sizeof(mem));
	cr_assert(page_section(&b, SL("drills"), v));
	cr_expect_eq(b.n, 0);
	json_decref(v);
}
