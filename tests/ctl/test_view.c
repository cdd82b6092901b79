#include <criterion/criterion.h>
#include "ctl/ctl.h"
#include "ctl/view.h"

static int view(struct buf *b, const char *text)
{
	json_t *o = json_loads(text, 0, NULL);
	int rc;

	buf_init(b, 1 << 20);
	cr_assert_not_null(o, "%s", text);
	rc = view_status(b, o);
	buf_chr(b, 0);
	json_decref(o);
	return rc;
}

#define EDGE "\"program\":\"edgewise-sbc\",\"version\":\"1\",\"ready\":true"
#define UP "{\"name\":\"n1\",\"address\":\"10.0.0.1:5060\",\"state\":\"UP\"," \
	"\"admin\":\"ready\",\"since_ms\":61000,\"rtt_us\":655," \
	"\"inflight\":3,\"picked\":812,\"failed_over_from\":1," \
	"\"probe\":{\"code\":200,\"rtt_us\":412}}"

Test(view, edge_with_all_nodes_up_is_well)
{
	struct buf b;

	cr_assert_eq(view(&b, "{" EDGE ",\"uptime_ms\":3700000,\"calls\":{"
			  "\"saved\":4},\"pool\":[" UP "]}"), CTL_OK);
	cr_assert_str_eq((char *)b.p,
		"edgewise-sbc 1, ready, up 1h01m\n"
		"calls: saved=4\n"
		"\n"
		"NODE  ADDRESS        STATE  ADMIN  SINCE  WEIGHT  PROBE  PROBE RTT  "
		"ANSWER  IN FLIGHT  PICKED  SILENT  RESET  REFUSED  "
		"MOVED AWAY  MOVED TO\n"
		"n1    10.0.0.1:5060  UP     ready  1m01s       -    200      0.4ms  "
		" 0.7ms          3     812       -      -        -  "
		"         1         -\n");
	buf_free(&b);
}

Test(view, peers_and_bans_stand_below_the_pool)
{
	struct buf b;

	cr_assert_eq(view(&b, "{" EDGE ",\"pool\":[" UP "],\"peers\":[{"
			  "\"name\":\"gw\\u001b1\",\"address\":"
			  "\"192.0.2.1:5060\",\"transport\":\"udp\","
			  "\"state\":\"resting\",\"rest_ms\":4200,"
			  "\"calls_in\":1,\"refused\":2,\"calls_out\":3,"
			  "\"answered\":4,\"failed\":5}],\"admission\":{"
			  "\"banned\":2}}"), CTL_OK);
	cr_assert(strstr((char *)b.p, "\n\nPEER  ADDRESS         BY   STATE    "
			 "RESTS  CALLS IN  REFUSED  CALLS OUT  ANSWERED  "
			 "FAILED\n"
			 "gw?1  192.0.2.1:5060  udp  resting   4.2s         1  "
			 "      2          3         4       5\n"
			 "\n2 banned: edgewise bans\n"), "%s", (char *)b.p);
	buf_free(&b);
	cr_assert_eq(view(&b, "{" EDGE ",\"pool\":[" UP "],\"peers\":[],"
			  "\"admission\":{\"banned\":0}}"), CTL_OK);
	cr_expect_not(strstr((char *)b.p, "PEER"));
	cr_expect_not(strstr((char *)b.p, "banned"));
	buf_free(&b);
}

Test(view, drains_ejections_and_learned_nodes_are_told)
{
	json_t *o = json_loads("{\"frozen\":true,\"pool\":["
		"{\"name\":\"n1\",\"state\":\"UP\",\"admin\":\"drain\","
		"\"admin_who\":\"al\",\"admin_why\":\"kernel\","
		"\"admin_since_ms\":61000,\"admin_until_ms\":1800000,"
		"\"left\":{\"requests\":3,\"calls\":1}},"
		"{\"name\":\"n2\",\"state\":\"UP\",\"admin\":\"ready\","
		"\"ejected_ms\":9000,\"slowstart_pct\":100},"
		"{\"name\":\"n3\",\"state\":\"UP\",\"admin\":\"ready\","
		"\"learned\":true,\"slowstart_pct\":40}]}", 0, NULL);
	struct buf b;
	char *notes;

	buf_init(&b, 1 << 20);
	cr_assert_eq(view_nodes(&b, o), CTL_BAD, "one is ejected");
	buf_chr(&b, 0);
	notes = strstr((char *)b.p, "\nn1: ");
	cr_assert_not_null(notes);
	cr_expect_str_eq(notes, "\n"
		"n1: drain by al \"kernel\" since 1m01s, ready again in "
		"30m00s, 3 requests left, 1 of them calls\n"
		"n2: ejected for 9.0s\n"
		"n3: learned: slow start, 40 %\n"
		"no node can be reached: none is taken out\n");
	json_decref(o);
	buf_free(&b);
	buf_init(&b, 1 << 20);
	o = json_object();
	cr_expect_eq(view_nodes(&b, o), CTL_FAIL);
	json_decref(o);
	buf_free(&b);
}

struct row { const char *text; int rc; };

Test(view, exit_status_says_degraded)
{
	static const struct row rows[] = {
		{ "{" EDGE ",\"pool\":[{\"name\":\"a\",\"state\":\"DOWN\","
		  "\"admin\":\"ready\"}," UP "]}", CTL_BAD },
		{ "{" EDGE ",\"pool\":[{\"name\":\"a\",\"state\":\"SUSPECT\"}"
		  "]}", CTL_BAD },
		{ "{" EDGE ",\"pool\":[{\"name\":\"a\",\"state\":\"DOWN\","
		  "\"admin\":\"maint\"}," UP "]}", CTL_OK },
		{ "{\"program\":\"edgewise-sbc\",\"ready\":false,"
		  "\"reason\":\"x\"}", CTL_BAD },
		{ "{\"program\":\"edgewise-node\",\"state\":\"joining\"}",
		  CTL_BAD },
		{ "{\"program\":\"edgewise-node\",\"state\":\"ready\","
		  "\"cluster\":{\"state\":\"ready\",\"synced\":true,"
		  "\"majority\":true,\"members\":[{\"health\":\"alive\"}]}}",
		  CTL_OK },
		{ "{\"program\":\"edgewise-node\",\"state\":\"ready\","
		  "\"cluster\":{\"majority\":true,\"members\":["
		  "{\"health\":\"dead\"}]}}", CTL_BAD },
		{ "{\"program\":\"edgewise-node\",\"state\":\"ready\","
		  "\"cluster\":{\"members\":[{\"health\":\"alive\","
		  "\"users_differ\":true}]}}", CTL_BAD },
		{ "{\"program\":\"edgewise-node\",\"state\":\"ready\","
		  "\"cluster\":{\"majority\":false}}", CTL_BAD },
		{ "{\"program\":\"edgewise-node\",\"state\":\"ready\","
		  "\"warnings\":[\"auth is off\"]}", CTL_OK },
		{ "{}", CTL_FAIL }, { "[]", CTL_FAIL },
		{ "{\"program\":7}", CTL_FAIL },
	};
	struct buf b;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_expect_eq(view(&b, rows[i].text), rows[i].rc, "%s",
			     rows[i].text);
		buf_free(&b);
	}
}

Test(view, text_of_a_stranger_does_not_move_the_cursor)
{
	struct buf b;

	cr_assert_eq(view(&b, "{\"program\":\"a\\u001b[2J\",\"reason\":"
			  "\"\\r\\n\",\"pool\":[{\"name\":\"\\u001b\","
			  "\"state\":5,\"since_ms\":-3,\"probe\":7}],"
			  "\"calls\":[],\"warnings\":[3,\"\\u0007\"]}"),
		     CTL_BAD);
	for (const char *p = (char *)b.p; *p; p++)
		cr_assert(*p == '\n' || (unsigned char)*p >= ' ');
	buf_free(&b);
}

Test(view, contacts_of_a_hostile_phone_stay_in_their_columns)
{
	json_t *o = json_loads("[{\"aor\":\"a@x\",\"contact\":"
			       "\"sip:a@h\\u001b[2J\",\"expires_ms\":61000,"
			       "\"callid\":\"c\\nd\"},{}]", 0, NULL);
	struct buf b;

	cr_assert_not_null(o);
	buf_init(&b, 4096);
	view_contacts(&b, o, true);
	buf_chr(&b, 0);
	cr_expect_str_eq((char *)b.p,
		"AOR                           CONTACT                        "
		"       EXPIRES   CALL-ID\n"
		"a@x                           sip:a@h?[2J                    "
		"       1m01s     c?d\n"
		"                                                             "
		"       0ms       \n");
	json_decref(o);
	buf_free(&b);
}

Test(view, pings_are_told_when_a_node_pings)
{
	json_t *o = json_loads("{\"pool\":[{\"name\":\"n1\",\"said\":{\"ping\":"
		"{\"contacts\":332,\"p50_us\":500,\"p95_us\":25000,"
		"\"lost\":4,\"quarantined\":1,\"removed\":2}}},"
		"{\"name\":\"n2\",\"said\":{}}]}", 0, NULL);
	struct buf b;

	cr_assert_not_null(o);
	buf_init(&b, 4096);
	view_pings(&b, o);
	buf_chr(&b, 0);
	cr_expect_str_eq((char *)b.p,
		"\nPINGS  CONTACTS  50 % IN  95 % IN  LOST  CALLED LAST  "
		"REMOVED\n"
		"n1          332    0.5ms   25.0ms     4            1  "
		"      2\n"
		"n2            -        -        -     -            -  "
		"      -\n");
	json_decref(o);
	buf_free(&b);
	o = json_loads("{\"pool\":[{\"name\":\"n1\",\"said\":{\"ping\":null}},"
		       "{\"said\":3}]}", 0, NULL);
	buf_init(&b, 4096);
	view_pings(&b, o);
	view_pings(&b, NULL);
	cr_expect_eq(b.n, 0);
	json_decref(o);
	buf_free(&b);
}

Test(view, the_word_of_the_page_stands_with_its_reasons)
{
	json_t *o = json_loads("{\"verdict\":{\"state\":\"AT RISK\","
		"\"reasons\":[{\"level\":\"AT RISK\",\"text\":\"only n3\"},"
		"{\"level\":\"DEGRADED\",\"text\":\"n1 is\\u001bdown\"}],"
		"\"more\":2,\"can_lose_text\":\"no: because\"}}", 0, NULL);
	struct buf b;

	cr_assert_not_null(o);
	buf_init(&b, 4096);
	view_verdict(&b, o);
	buf_chr(&b, 0);
	cr_expect_str_eq((char *)b.p, "AT RISK: only n3\n"
		"DEGRADED: n1 is?down\nand 2 reasons more\n"
		"can a node be lost: no: because\n\n");
	json_decref(o);
	b.n = 0;
	o = json_loads("{\"verdict\":{\"state\":\"OK\",\"reasons\":[],"
		       "\"can_lose_text\":\"yes: all\"}}", 0, NULL);
	view_verdict(&b, o);
	buf_chr(&b, 0);
	cr_expect_str_eq((char *)b.p, "OK\ncan a node be lost: yes: all\n\n");
	json_decref(o);
	b.n = 0;
	view_verdict(&b, NULL);
	cr_expect_eq(b.n, 0, "an older edge");
	buf_free(&b);
}

Test(view, what_is_known_of_a_pinged_contact_stands_below_it)
{
	json_t *o = json_loads("[{\"ping\":{\"by\":\"n2\",\"here\":false}},"
		"{\"ping\":{\"by\":\"n1\",\"here\":true,\"failures\":3,"
		"\"quarantined\":true,\"answer_ms\":12,"
		"\"answered_ago_ms\":61000}},"
		"{\"ping\":{\"by\":\"n1\",\"here\":true,\"failures\":0}},"
		"{\"ping\":7}]", 0, NULL);
	struct buf b;

	cr_assert_not_null(o);
	buf_init(&b, 4096);
	view_contacts(&b, o, false);
	buf_chr(&b, 0);
	cr_expect_not_null(strstr((char *)b.p, "\n  pinged by n2: ask it for "
				  "more\n"));
	cr_expect_not_null(strstr((char *)b.p, "\n  pinged by n1: answered in "
				  "12 ms, 1m01s ago, silent 3 times since, "
				  "called last by this node\n"));
	cr_expect_not_null(strstr((char *)b.p, "\n  pinged by n1: no answer "
				  "yet\n"));
	json_decref(o);
	buf_free(&b);
}
