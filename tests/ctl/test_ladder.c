/* Ladders of messages. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "ctl/ctl.h"
#include "ctl/ladder.h"

static const char text[] =
"[{'type':'message','wall_us':1000000,'dir':'in','peer':'10.0.0.9:5060',"
"'line':'INVITE sip:b@x SIP/2.0','cseq':'1 INVITE','call_id':'c1',"
"'text':'INVITE \\u001b[2J\\r\\nA: b\\r\\n'},"
"{'type':'message','wall_us':1000100,'dir':'out','peer':'10.0.0.1:5060',"
"'node':'n1','line':'INVITE sip:b@x SIP/2.0','cseq':'1 INVITE',"
"'call_id':'c1','text':''},"
"{'type':'event','kind':'moved','node':'n1','to_node':'n2',"
"'reason':'silent','attempts':2,'age_ms':100,'call_id':'c1'},"
"{'type':'message','wall_us':1100200,'dir':'out','peer':'10.0.0.2:5060',"
"'node':'n2','line':'INVITE sip:b@x SIP/2.0','cseq':'1 INVITE',"
"'call_id':'c1','text':''},"
"{'type':'message','wall_us':1200000,'dir':'in','peer':'10.0.0.8:5060',"
"'line':'SIP/2.0 180 Ring\\u001bing','cseq':'1 INVITE',"
"'call_id':'c1','text':''}]";

static json_t *entries(void)
{
	static char copy[sizeof(text)];
	json_t *o;

	memcpy(copy, text, sizeof(text));
	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	o = json_loads(copy, 0, NULL);
	cr_assert_not_null(o);
	return o;
}

static const char drawn[] =
"Call-ID c1\n"
"                10.0.0.9:5060              edge             "
"      n1                    n2              10.0.0.8:5060\n"
"        0.0            |-------INVITE------->|              "
"       |                     |                     |\n"
"        0.1            |                     |-------INVITE-"
"------>|                     |                     |\n"
"          * moved: attempt 2 to n2, because n1 silent, 100 m"
"s after the request\n"
"      100.2            |                     |--------------"
"----INVITE------------------>|                     |\n"
"      200.0            |                     |<-------------"
"------------180 Ring?ing---------------------------|\n";

Test(ladder, shows_every_attempt_and_why)
{
	json_t *o = entries();
	struct buf b;

	buf_init(&b, 100000);
	cr_assert_eq(ladder(&b, o, "edge"), CTL_OK);
	buf_chr(&b, '\0');
	cr_expect_str_eq((char *)b.p, drawn, "%s", (char *)b.p);
	buf_free(&b);
	json_decref(o);
}

Test(ladder, texts_move_no_cursor)
{
	json_t *o = entries();
	struct buf b;

	buf_init(&b, 100000);
	cr_assert_eq(ladder_raw(&b, o), CTL_OK);
	buf_chr(&b, '\0');
	cr_expect_not_null(strstr((char *)b.p, "INVITE ?[2J\nA: b\n"));
	cr_expect_null(strchr((char *)b.p, '\033'));
	cr_expect_null(strchr((char *)b.p, '\r'));
	buf_free(&b);
	json_decref(o);
}

Test(ladder, nothing_there_is_told)
{
	json_t *o = json_array();
	struct buf b;

	buf_init(&b, 1000);
	cr_expect_eq(ladder(&b, o, "edge"), CTL_BAD);
	cr_expect_eq(ladder_raw(&b, o), CTL_BAD);
	cr_expect_eq(b.n, 0);
	buf_free(&b);
	json_decref(o);
}

Test(ladder, more_parties_than_columns_stay_inside)
{
	json_t *list = json_array();
	struct buf b;
	char peer[32];

	for (int i = 0; i < 40; i++) {
		snprintf(peer, sizeof(peer), "10.0.0.%d:5060", i);
		json_array_append_new(list, json_pack(
			"{ss ss ss ss ss ss sI}", "type", "message", "dir",
			i & 1 ? "in" : "out", "peer", peer, "line", "ACK x",
			"cseq", "1 ACK", "call_id", "c", "wall_us",
			(json_int_t)i << 50));
	}
	buf_init(&b, 100000);
	cr_expect_eq(ladder(&b, list, "edge"), CTL_OK);
	cr_expect_eq(b.err, 0);
	buf_free(&b);
	json_decref(list);
}
