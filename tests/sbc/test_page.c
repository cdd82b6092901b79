#include <criterion/criterion.h>
#include <stdlib.h>
#include "sbc/page.h"

static char text[200000];

static const char *put(const char *section, json_t *view)
{
	struct buf b;

	buf_fixed(&b, text, sizeof(text) - 1);
	cr_assert(page_section(&b, sl_cstr(section), view), "%s", section);
	cr_assert_eq(b.err, 0);
	text[b.n] = '\0';
	json_decref(view);
	return text;
}

static json_t *json(const char *s)
{
	json_error_t e;
	json_t *o = json_loads(s, 0, &e);

	cr_assert_not_null(o, "%s at %d", e.text, e.position);
	return o;
}

#define HAS(t, what) cr_expect_not_null(strstr((t), (what)), "%s\n%s", \
					(what), (t))
#define LACKS(t, what) cr_expect_null(strstr((t), (what)), "%s\n%s", \
				      (what), (t))

#define NODE "{\"name\":\"n1\",\"address\":\"10.0.0.1:5060\"," \
	"\"state\":\"UP\",\"admin\":\"ready\",\"weight\":100," \
	"\"since_ms\":61000,\"inflight\":3,\"rtt_us\":2500,\"ok\":9," \
	"\"per_s1000\":12300,\"failed_over_from\":4," \
	"\"probe\":{\"code\":200,\"rtt_us\":400,\"age_ms\":380}%s}"

static json_t *node(const char *more)
{
	char one[4000], all[5000];

	snprintf(one, sizeof(one), NODE, more);
	snprintf(all, sizeof(all),
		 "{\"fall\":3,\"rise\":2,\"pool\":[%s]}", one);
	return json(all);
}

Test(page, every_section_can_do_without_anything)
{
	for (int i = 0; page_sections[i]; i++) {
		(void)put(page_sections[i], json("{}"));
		(void)put(page_sections[i], json("{\"pool\":[{}],"
			"\"verdict\":7,\"events\":[1],\"calls\":\"x\","
			"\"sip\":[],\"refused\":{},\"flows\":null}"));
		(void)put(page_sections[i], json("{\"pool\":[{\"said\":"
			"{\"cluster\":{\"peers\":[4],\"certificate\":{},"
			"\"digest\":9}},\"probe\":3,\"name\":{}}]}"));
	}
}

Test(page, there_is_no_other_section)
{
	struct buf b;

	buf_fixed(&b, text, sizeof(text));
	cr_expect(!page_section(&b, SL("nonsense"), NULL));
	cr_expect_eq(b.n, 0);
}

#define EVIL "<script>alert('x')</script>&\\\"\\u0001"

Test(page, no_text_of_others_becomes_markup)
{
	static const char view[] = "{\"version\":\"" EVIL "\",\"fall\":3,"
		"\"verdict\":{\"state\":\"" EVIL "\",\"can_lose_node\":\""
		EVIL "\",\"can_lose_text\":\"" EVIL "\",\"reasons\":[{"
		"\"level\":\"" EVIL "\",\"text\":\"" EVIL "\"}]},"
		"\"refused\":[{\"what\":\"" EVIL "\"}],"
		"\"events\":[{\"kind\":\"" EVIL "\",\"severity\":\"" EVIL
		"\",\"node\":\"" EVIL "\",\"to_node\":\"" EVIL "\",\"from\":\""
		EVIL "\",\"to\":\"" EVIL "\",\"who\":\"" EVIL
		"\",\"reason\":\"" EVIL "\",\"method\":\"" EVIL
		"\",\"action\":\"" EVIL "\"}],"
		"\"peers\":[{\"name\":\"" EVIL "\",\"address\":\"" EVIL
		"\",\"transport\":\"" EVIL "\",\"state\":\"" EVIL "\"}],"
		"\"admission\":{\"bans\":[{\"source\":\"" EVIL "\","
		"\"why\":\"" EVIL "\"}]},"
		"\"pool\":[{\"name\":\"" EVIL "\",\"address\":\"" EVIL
		"\",\"state\":\"" EVIL "\",\"admin\":\"" EVIL
		"\",\"admin_who\":\"" EVIL "\",\"admin_why\":\"" EVIL
		"\",\"said\":{\"error\":\"" EVIL "\",\"age_ms\":1,"
		"\"cluster\":{\"digest\":\"" EVIL "\",\"certificate\":{"
		"\"not_after\":\"" EVIL "\"},\"peers\":[{\"name\":\"" EVIL
		"\",\"health\":\"" EVIL "\",\"verdict\":\"" EVIL
		"\"}]}}},{\"name\":\"" EVIL "\",\"said\":{\"error\":\"" EVIL
		"\"}}]}";

	for (int i = 0; page_sections[i]; i++) {
		const char *t = put(page_sections[i], json(view));

		LACKS(t, "<script");
		LACKS(t, "alert('x')");
		LACKS(t, "</script");
	}
}

Test(page, peers_and_bans_are_there_when_there_are_any)
{
	const char *t;

	cr_expect_str_eq(put("peers", json("{\"peers\":[]}")), "");
	cr_expect_str_eq(put("bans", json("{\"admission\":null}")), "");
	cr_expect_str_eq(put("bans", json("{\"admission\":{\"banned\":0,"
					  "\"bans\":[]}}")), "");
	t = put("peers", json("{\"peers\":[{\"name\":\"gw1\",\"address\":"
		"\"192.0.2.1:5060\",\"transport\":\"udp\",\"state\":"
		"\"resting\",\"rest_ms\":4000,\"calls_in\":17,"
		"\"failed\":3}]}"));
	HAS(t, "gw1");
	HAS(t, "class=\"bad\">resting <small>for 4 s");
	HAS(t, "class=\"n warn\">3<");
	t = put("bans", json("{\"admission\":{\"banned\":1,\"bans\":[{"
		"\"source\":\"192.0.2.9\",\"why\":\"scanner\",\"left_ms\":"
		"300000}]}}"));
	HAS(t, "192.0.2.9");
	HAS(t, "scanner");
	HAS(t, "5 min");
}

Test(page, databases_are_there_when_a_node_has_one)
{
	const char *t;

	cr_expect_str_eq(put("sql", json("{\"pool\":[{\"name\":\"n1\","
					 "\"said\":{\"age_ms\":1}}]}")), "");
	t = put("sql", json("{\"pool\":[{\"name\":\"n1\",\"said\":{}},"
		"{\"name\":\"n2\",\"said\":{\"sql\":{\"state\":\"down\","
		"\"why\":\"fu<ll\",\"dirty\":1200,\"age_ms\":60000,"
		"\"mode\":\"shared\"}}}]}"));
	LACKS(t, "n1");
	HAS(t, "n2");
	HAS(t, "tag bad\">down</span> <small>fu&lt;ll</small>");
	HAS(t, "200<");
	HAS(t, "60 s ago");
	HAS(t, "shared by all");
}

Test(page, the_verdict_says_why)
{
	const char *t = put("verdict", json("{\"verdict\":{\"state\":"
		"\"AT RISK\",\"reasons\":[{\"level\":\"AT RISK\",\"text\":"
		"\"only n2 takes calls\"}],\"more\":2,\"can_lose_node\":"
		"\"no\",\"can_lose_text\":\"because\"}}"));

	HAS(t, "data-state=\"AT RISK\"");
	HAS(t, "verdict risk");
	HAS(t, "only n2 takes calls");
	HAS(t, "and 2 more");
	HAS(t, "<b>no</b> <small>because</small>");
}

Test(page, a_drill_is_shown_and_can_be_ended)
{
	const char *t = put("verdict", json("{\"fault\":{\"node\":\"n1\","
		"\"kind\":\"delay\",\"who\":\"eve\",\"until_ms\":6100}}"));

	HAS(t, "delay towards n1 by eve, ends by itself in 6 s");
	HAS(t, "data-act=\"clear\" data-node=\"n1\"");
	LACKS(put("verdict", json("{\"fault\":null}")), "Drill");
}

Test(page, lost_calls_are_an_alarm_while_they_are_new)
{
	HAS(put("calls", json("{\"calls\":{\"lost\":{\"total\":12345,"
			      "\"hour\":5,\"recent\":1}}}")),
	    "card bad\" id=\"card-lost\"><h3>Lost</h3><p class=\"big\">12"
	    "\xe2\x80\xaf" "345</p><p>5 in the last hour");
	HAS(put("calls", json("{\"calls\":{\"lost\":{\"total\":5,\"hour\":5,"
			      "\"recent\":0}}}")), "card warn");
	LACKS(put("calls", json("{\"calls\":{\"lost\":{\"total\":5}}}")),
	      "card warn");
}

Test(page, a_node_shows_its_figures_and_buttons)
{
	const char *t = put("nodes", node(""));

	HAS(t, "<tr id=\"node-n1\" class=\"row-ok\">");
	HAS(t, "61 s");
	HAS(t, "200, 400 \xc2\xb5s");
	HAS(t, "2.5 ms");
	HAS(t, ">12.3</td>");
	HAS(t, "4 / 0");
	HAS(t, "data-act=\"drain\"");
	HAS(t, "data-act=\"maint\"");
	LACKS(t, "data-act=\"ready\"");
}

Test(page, a_node_that_falls_shows_how_far)
{
	HAS(put("nodes", json("{\"fall\":3,\"rise\":2,\"pool\":[{\"state\":"
		"\"SUSPECT\",\"admin\":\"ready\",\"probe\":{\"failed\":2}}]}")),
	    "going down 2/3");
	HAS(put("nodes", json("{\"fall\":3,\"rise\":2,\"pool\":[{\"state\":"
		"\"DOWN\",\"admin\":\"ready\",\"probe\":{\"good\":1}}]}")),
	    "coming up 1/2");
	HAS(put("nodes", json("{\"pool\":[{\"state\":\"DOWN\",\"admin\":"
		"\"ready\",\"probe\":{\"code\":0}}]}")), "no answer");
}

Test(page, a_drained_node_says_who_and_why)
{
	const char *t = put("nodes", json("{\"pool\":[{\"name\":\"n1\","
		"\"state\":\"UP\",\"admin\":\"drain\",\"admin_who\":\"eve\","
		"\"admin_why\":\"kernel\",\"admin_until_ms\":180000,"
		"\"left\":{\"requests\":7},\"weight\":100,"
		"\"slowstart_pct\":40,\"no100_ms\":120}]}"));

	HAS(t, "row-drain");
	HAS(t, "7 left, for 3 min");
	HAS(t, "by eve");
	HAS(t, "kernel");
	HAS(t, "slow start 40 %");
	HAS(t, "/ 120 ms");
	HAS(t, "data-act=\"ready\"");
	LACKS(t, "data-act=\"drain\"");
}

Test(page, digests_that_differ_are_marked)
{
	const char *t = put("location", json("{\"pool\":[{\"name\":\"n1\","
		"\"said\":{\"age_ms\":900,\"contacts\":5,\"error\":\"\","
		"\"cluster\":{\"digest\":\"0123456789abcdef\",\"equal\":false,"
		"\"progress\":100,\"peers\":[{\"name\":\"n2\",\"health\":"
		"\"alive\",\"lag_ms\":12,\"verdict\":\"equal\"},{\"name\":"
		"\"n3\",\"health\":\"dead\",\"verdict\":\"differs\"}]}}}]}"));

	HAS(t, "class=\"warn\"><code>01234567</code> \xe2\x89\xa0 differs");
	HAS(t, "tag ok\">n2 12 ms");
	HAS(t, "tag bad\">n3 dead");
	HAS(t, ">differs</td>");
	HAS(t, "900 ms");
	LACKS(t, "class=\"stale\"");
}

Test(page, old_figures_are_marked_stale)
{
	HAS(put("location", json("{\"pool\":[{\"name\":\"n1\",\"said\":"
		"{\"age_ms\":9000,\"stale\":true,\"error\":\"timed out\","
		"\"cluster\":{}}}]}")), "<tr class=\"stale\">");
	HAS(put("location", json("{\"pool\":[{\"name\":\"n1\",\"said\":"
		"{\"error\":\"refused\"}}]}")), "no figures yet: refused");
	HAS(put("location", json("{\"pool\":[{\"name\":\"n1\"}]}")),
	    "No node has told");
}

Test(page, certificates_count_down)
{
	HAS(put("certs", json("{\"pool\":[{\"name\":\"n1\",\"said\":"
		"{\"cluster\":{\"certificate\":{\"days_left\":7,\"not_after\":"
		"\"2027\"}}}}]}")), "class=\"warn\">7 days left");
	HAS(put("certs", json("{\"pool\":[{\"name\":\"n1\",\"said\":"
		"{\"cluster\":{\"certificate\":{\"days_left\":-2}}}}]}")),
	    "class=\"bad\">-2 days left");
	HAS(put("certs", json("{\"pool\":[{\"said\":{\"cluster\":{}}}]}")),
	    "shared key");
	HAS(put("certs", json("{\"pool\":[{}]}")), "No node has told");
}

static const char *piece(void (*f)(struct buf *, uint64_t), uint64_t v)
{
	struct buf b;

	buf_fixed(&b, text, sizeof(text) - 1);
	f(&b, v);
	text[b.n] = '\0';
	return text;
}

Test(page, numbers_read_well)
{
	cr_expect_str_eq(piece(page_num, 999), "999");
	cr_expect_str_eq(piece(page_num, 1002003),
			 "1\xe2\x80\xaf" "002\xe2\x80\xaf" "003");
	cr_expect_str_eq(piece(page_milli, 1234), "1.2");
	cr_expect_str_eq(piece(page_milli, 1960), "2.0");
	cr_expect_str_eq(piece(page_milli, 123456), "123");
	cr_expect_str_eq(piece(page_permille, 987), "98.7 %");
	cr_expect_str_eq(piece(page_permille, 1000), "100 %");
	cr_expect_str_eq(piece(page_span, 340), "340 ms");
	cr_expect_str_eq(piece(page_span, 12345), "12 s");
	cr_expect_str_eq(piece(page_span, 18720000), "5 h 12 min");
	cr_expect_str_eq(piece(page_span, 1047600000), "12 d 3 h");
	cr_expect_str_eq(piece(page_us, 412), "412 \xc2\xb5s");
	cr_expect_str_eq(piece(page_us, 1234), "1.2 ms");
	cr_expect_str_eq(piece(page_us, 250000), "250 ms");
}

Test(page, pings_stand_there_when_a_node_pings)
{
	const char *t = put("pings", node(",\"said\":{\"ping\":{\"contacts\":"
		"300,\"p50_us\":500,\"p95_us\":25000,\"quarantined\":2}}"));

	HAS(t, "<th scope=\"row\">n1</th>");
	HAS(t, ">300</td>");
	HAS(t, ">100 %</td>");
	HAS(t, "n warn\"");
	cr_expect_str_eq(put("pings", node("")), "");
	cr_expect_str_eq(put("pings", node(",\"said\":{\"ping\":{\"contacts\":"
					   "0}}")), "");
	cr_expect_str_eq(put("pings", node(",\"said\":{\"stale\":true,"
		"\"ping\":{\"contacts\":300}}")), "");
}
