/* Traces of several programs as one. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/buf.h"
#include "ctl/ctl.h"
#include "ctl/ladder.h"
#include "ctl/weave.h"

static struct weave_src v[WEAVE_MAX];

/* name: NULL = the edge */
static json_t *answer(const char *name)
{
	json_t *o = json_object();

	if (name)
		json_object_set_new(o, "name", json_string(name));
	json_object_set_new(o, "entries", json_array());
	return o;
}

/* node: of the edge's pool, or NULL */
static void msg(json_t *o, json_int_t us, const char *dir, const char *node,
		const char *line)
{
	json_t *m = json_pack("{ss sI ss ss ss ss ss ss}", "type", "message",
			      "wall_us", us, "dir", dir, "peer",
			      node ? node : json_object_get(o, "name") ?
			      "10.0.0.2:7" : "10.9.9.9:5060", "line", line,
			      "cseq", "1 INVITE", "call_id", "c1", "text",
			      line);

	if (node)
		json_object_set_new(m, "node", json_string(node));
	json_array_append_new(json_object_get(o, "entries"), m);
}

static json_t *one(uint32_t n)
{
	json_t *list = weave(v, n);

	cr_assert_not_null(list);
	return list;
}

/* "at dir line us got;" of each */
static const char *told(uint32_t n)
{
	static char mem[4000];
	json_t *list = one(n), *e;
	struct buf b;
	size_t i;

	buf_fixed(&b, mem, sizeof(mem) - 1);
	json_array_foreach(list, i, e) {
		const char *dir = json_string_value(json_object_get(e, "dir"));
		const char *node = json_string_value(json_object_get(e,
								     "node"));

		buf_printf(&b, "%s %s %s", json_string_value(json_object_get(
				   e, "at")), dir ? dir : "event",
			   node ? node : "-");
		if (dir)
			buf_printf(&b, " %lld %lld", (long long)
				   json_integer_value(json_object_get(
					   e, "wall_us")),
				   (long long)json_integer_value(
					   json_object_get(e, "got_us")));
		buf_lit(&b, "; ");
	}
	mem[b.n] = '\0';
	json_decref(list);
	return mem;
}

Test(weave, a_message_that_both_ends_kept_is_there_once)
{
	json_t *edge = answer(NULL), *n1 = answer("n1");

	msg(edge, 1000, "in", NULL, "INVITE b");
	msg(edge, 1100, "out", "n1", "INVITE b2");
	msg(n1, 1150, "in", NULL, "INVITE b2");
	msg(n1, 1200, "out", NULL, "SIP/2.0 404 No");
	msg(edge, 1300, "in", "n1", "SIP/2.0 404 No");
	v[0].answer = edge;
	v[1].answer = n1;
	cr_expect_str_eq(told(2), "edge in - 1000 0; edge out n1 1100 1150; "
			 "n1 in n1 1200 1300; ");
	cr_expect_eq(v[1].ahead, 0);
	json_decref(edge);
	json_decref(n1);
}

Test(weave, what_one_end_alone_kept_stays)
{
	json_t *edge = answer(NULL), *n1 = answer("n1");

	msg(edge, 1000, "out", "n1", "INVITE lost");
	msg(n1, 1500, "in", NULL, "INVITE of before");
	v[0].answer = edge;
	v[1].answer = n1;
	cr_expect_str_eq(told(2), "edge out n1 1000 0; n1 out n1 1500 0; ");
	json_decref(edge);
	json_decref(n1);
}

Test(weave, a_repetition_is_matched_with_the_one_that_came)
{
	json_t *edge = answer(NULL), *n1 = answer("n1");

	msg(edge, 1000, "out", "n1", "INVITE b");
	msg(edge, 2000, "out", "n1", "INVITE b");
	msg(n1, 1100, "in", NULL, "INVITE b");
	msg(n1, 2100, "in", NULL, "INVITE b");
	v[0].answer = edge;
	v[1].answer = n1;
	cr_expect_str_eq(told(2), "edge out n1 1000 1100; "
			 "edge out n1 2000 2100; ");
	cr_expect_eq(json_array_size(json_object_get(n1, "entries")), 2,
		     "what was given is changed");
	json_decref(edge);
	json_decref(n1);
}

/* n1 is 50 ms behind, n2 70 ms ahead; each way takes 1 ms */
Test(weave, clocks_that_contradict_each_other_are_set_right)
{
	json_t *edge = answer(NULL), *n1 = answer("n1"), *n2 = answer("n2");

	msg(edge, 100000, "out", "n1", "INVITE 1");
	msg(n1, 51000, "in", NULL, "INVITE 1");
	msg(n1, 52000, "out", NULL, "SIP/2.0 503 No");
	msg(edge, 103000, "in", "n1", "SIP/2.0 503 No");
	msg(edge, 104000, "out", "n2", "INVITE 2");
	msg(n2, 175000, "in", NULL, "INVITE 2");
	msg(n2, 176000, "out", NULL, "SIP/2.0 200 OK");
	msg(edge, 107000, "in", "n2", "SIP/2.0 200 OK");
	v[0].answer = n1;
	v[1].answer = edge;
	v[2].answer = n2;
	cr_expect_str_eq(told(3), "edge out n1 100000 101000; "
			 "n1 in n1 102000 103000; "
			 "edge out n2 104000 105000; "
			 "n2 in n2 106000 107000; ");
	cr_expect_eq(v[0].ahead, -50000);
	cr_expect_eq(v[1].ahead, 0);
	cr_expect_eq(v[2].ahead, 70000);
	json_decref(edge);
	json_decref(n1);
	json_decref(n2);
}

Test(weave, one_way_alone_sets_a_clock_no_further_than_it_must)
{
	json_t *edge = answer(NULL), *n1 = answer("n1");

	msg(edge, 1000, "out", "n1", "INVITE b");
	msg(n1, 400, "in", NULL, "INVITE b");
	v[0].answer = edge;
	v[1].answer = n1;
	cr_expect_str_eq(told(2), "edge out n1 1000 1000; ");
	cr_expect_eq(v[1].ahead, -600);
	json_decref(edge);
	json_decref(n1);
}

Test(weave, events_stay_beside_their_messages)
{
	json_t *edge = answer(NULL), *n1 = answer("n1");
	json_t *list = json_object_get(edge, "entries");

	json_array_append_new(list, json_pack("{ss ss}", "type", "event",
					      "kind", "first"));
	msg(edge, 1000, "out", "n1", "INVITE b");
	json_array_append_new(list, json_pack("{ss ss}", "type", "event",
					      "kind", "moved"));
	msg(edge, 5000, "out", "n2", "INVITE b");
	msg(n1, 3000, "out", NULL, "SIP/2.0 180 Late");
	v[0].answer = edge;
	v[1].answer = n1;
	cr_expect_str_eq(told(2), "edge event -; edge out n1 1000 0; "
			 "edge event -; n1 in n1 3000 0; "
			 "edge out n2 5000 0; ");
	json_decref(edge);
	json_decref(n1);
}

Test(weave, nodes_alone_are_drawn_beside_the_edge)
{
	json_t *n1 = answer("n1"), *n2 = answer("n2"), *list;
	struct buf b;

	msg(n1, 1000, "in", NULL, "INVITE b");
	msg(n2, 1010, "in", NULL, "INVITE b");
	msg(n2, 12010, "out", NULL, "SIP/2.0 200 OK");
	v[0].answer = n1;
	v[1].answer = n2;
	list = one(2);
	buf_init(&b, 10000);
	cr_expect_eq(ladder(&b, list, "edge"), CTL_OK);
	buf_chr(&b, '\0');
	cr_expect_str_eq((char *)b.p, "Call-ID c1\n"
"                     edge                   n1                    n2\n"
"        0.0            |-------INVITE------->|                     |\n"
"        0.0            |------------------INVITE------------------>|\n"
"       11.0            |<-----------------200 OK-------------------|\n",
			 "%s", (char *)b.p);
	buf_free(&b);
	json_decref(list);
	json_decref(n1);
	json_decref(n2);
}

Test(weave, a_long_way_is_told_in_the_ladder)
{
	json_t *edge = answer(NULL), *n1 = answer("n1"), *list;
	struct buf b;

	msg(edge, 1000, "out", "n1", "INVITE b");
	msg(n1, 151000, "in", NULL, "INVITE b");
	msg(edge, 200000, "out", "n1", "ACK b");
	msg(n1, 201000, "in", NULL, "ACK b");
	v[0].answer = edge;
	v[1].answer = n1;
	list = one(2);
	buf_init(&b, 10000);
	cr_expect_eq(ladder(&b, list, "edge"), CTL_OK);
	buf_chr(&b, '\0');
	cr_expect(strstr((char *)b.p, "INVITE +150 ms"), "%s", (char *)b.p);
	cr_expect(strstr((char *)b.p, "-ACK-"), "%s", (char *)b.p);
	buf_free(&b);
	json_decref(list);
	json_decref(edge);
	json_decref(n1);
}
