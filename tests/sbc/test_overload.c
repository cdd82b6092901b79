/* The edge under overload: whose work is refused, and whose is not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sbc/line.h"
#include "sbc/phones.h"
#include "world.h"

static struct world *w;
static struct vphone *a, *b;

static void begin(void)
{
	struct edge_overload_conf c = { .target = 20, .numberc = 1 };

	memcpy(c.number[0], "112", 4);
	w = world_new(1, NULL);
	a = world_phone(w, "alice", SIM_DATAGRAM);
	b = world_phone(w, "112", SIM_STREAM);
	edge_overload_conf(w->edge, &c, w->net->now);
	b->answer = 20;
}

static void end(void)
{
	world_run(w, 70000);
	cr_expect_eq(edge_pending(w->edge), 0);
	world_free(w);
}
TestSuite(overload_edge, .init = begin, .fini = end);

enum { STRANGERS = 60000, ALL = 400000 };     /* [us] too long for them      */

/** Overload, and what comes from now on has waited us */
static void flood(uint32_t us)
{
	for (int i = 0; i < 15; i++) {
		edge_waited(w->edge, 0, 60000, w->net->now);
		world_run(w, 20);
	}
	cr_assert_eq(world_stat(w, "sbc_overloads_total", NULL), 1);
	edge_waited(w->edge, 0, us, w->net->now);
}

static uint64_t shed(const char *who)
{
	char l[40];

	(void)snprintf(l, sizeof(l), "who=\"%s\"", who);
	return world_stat(w, "sbc_shed_total", l);
}

Test(overload_edge, without_it_all_are_served)
{
	edge_waited(w->edge, 0, 1000, w->net->now);
	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 500);
	cr_expect_eq(a->req[0].final, 200);
	cr_expect_eq(b->req[0].final, 200);
	cr_expect_eq(shed("stranger") + shed("known"), 0);
}

Test(overload_edge, a_queue_of_one_kind_is_not_hidden_by_the_others)
{
	/* datagrams, clients' streams, nodes' streams */
	for (uint16_t late = 0; late < 3; late++) {
		for (int i = 0; i < 50; i++) {
			for (uint16_t l = 0; l < 3; l++)
				edge_waited(w->edge, l, l == late ? 60000 : 0,
					    w->net->now);
			world_run(w, 10);
		}
		cr_expect_eq(world_stat(w, "sbc_overloads_total", NULL),
			     late + 1u);
		world_run(w, 3000);
	}
}

Test(overload_edge, a_stranger_gets_503_and_retry_after_and_no_node_hears_of_it)
{
	unsigned got = 0;
	struct vreq *r;

	flood(ALL);
	r = phone_invite(a, "112");
	world_run(w, 50);
	cr_expect_eq(r->final, 503);
	cr_expect(r->retry_after);
	for (unsigned i = 0; i < W_NODES; i++)
		got += w->node[i].got[SIP_INVITE];
	cr_expect_eq(got, 0, "emergency or not: he is not known");
	cr_expect_eq(shed("stranger"), 1);
	cr_expect_eq(edge_pending(w->edge), 0);
}

Test(overload_edge, a_refresh_is_served_when_everything_else_is_refused)
{
	struct vreq *r;

	(void)phone_register(a);
	world_run(w, 500);
	flood(ALL);
	r = phone_register(a);
	world_run(w, 50);
	cr_expect_eq(r->final, 200);
	r = phone_register(b);
	world_run(w, 50);
	cr_expect_eq(r->final, 503, "nobody knows it");
	r = phone_invite(a, "bob");
	world_run(w, 50);
	cr_expect_eq(r->final, 503);
	cr_expect_eq(shed("known"), 1);
}

Test(overload_edge, known_phones_call_while_strangers_are_refused)
{
	struct vreq *r;

	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 500);
	flood(STRANGERS);
	r = phone_invite(a, "112");
	world_run(w, 200);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(shed("known"), 0);
}

Test(overload_edge, an_emergency_call_of_a_known_phone_is_served)
{
	struct vreq *r;

	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 500);
	flood(ALL);
	r = phone_invite(a, "112");
	world_run(w, 200);
	cr_expect_eq(r->final, 200);
}

Test(overload_edge, what_runs_goes_on)
{
	struct vreq *r, *s;

	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 500);
	r = phone_invite(a, "112");
	world_run(w, 200);
	cr_assert_eq(r->final, 200);
	flood(ALL);
	s = phone_in_dialog(a, r, SIP_BYE);
	world_run(w, 100);
	cr_expect_eq(s->final, 200);
	cr_expect_eq(shed("known") + shed("stranger"), 0);
}

Test(overload_edge, a_caller_may_cancel)
{
	struct vreq *r;

	(void)phone_register(a);
	(void)phone_register(b);
	b->answer = UINT32_MAX;
	world_run(w, 500);
	r = phone_invite(a, "112");
	world_run(w, 200);
	flood(ALL);
	phone_cancel(a, r);
	world_run(w, 100);
	cr_expect_eq(r->final, 487);
}

Test(overload_edge, a_copy_of_a_call_that_runs_is_absorbed)
{
	struct vreq *r;

	(void)phone_register(a);
	(void)phone_register(b);
	b->answer = 30000;
	world_run(w, 500);
	r = phone_invite(a, "112");
	world_run(w, 200);
	flood(ALL);
	phone_again(a, r);
	world_run(w, 100);
	cr_expect_eq(r->final, 0);
	cr_expect_eq(shed("known"), 0);
}

/* --- at first sight, and in line --- */

static struct buf heard;         /* all that the edge sends                */

static void say(const char *txt)
{
	struct flow f = { .tp = TP_UDP, .lst = 0, .peer = a->host.addr };

	edge_recv(w->edge, &f, sl_cstr(txt), FRAME_MSG, NULL, w->net->now);
}

static char *hear(void)
{
	struct sip_out o;

	buf_free(&heard);
	buf_init(&heard, 1 << 20);
	while (edge_poll(w->edge, &o)) {
		buf_sl(&heard, blob_sl(o.blob));
		blob_unref(o.blob);
	}
	buf_chr(&heard, '\0');
	return (char *)heard.p;
}

static uint64_t early(const char *what)
{
	char l[40];

	(void)snprintf(l, sizeof(l), "what=\"%s\"", what);
	return world_stat(w, "sbc_shed_early_total", l);
}

/** meth, branch, tag of To with its ';', number, further lines */
static const char *text(const char *meth, const char *branch, const char *tag,
			const char *more)
{
	static char t[2][2048];
	static int i;

	i = !i;
	(void)snprintf(t[i], sizeof(t[i]), "%s sip:112@sim.example SIP/2.0\r\n"
		       "Via: SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bK%s\r\n"
		       "Max-Forwards: 70\r\n"
		       "From: <sip:alice@sim.example>;tag=f\r\n"
		       "To: <sip:112@sim.example>%s\r\nCall-ID: line\r\n"
		       "CSeq: 7 %s\r\n%sContent-Length: 0\r\n\r\n", meth,
		       branch, tag, meth, more);
	return t[i];
}

/** Without what differs by chance */
static void flat(char *t)
{
	char *p = strstr(t, "Retry-After: ");

	cr_assert_not_null(p, "%s", t);
	p[13] = '?';
}

Test(overload_edge, at_first_sight_it_is_refused_as_by_a_closer_look)
{
	static const char *const meths[] = {
		"INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE", "MESSAGE",
		"PUBLISH",
	};

	flood(ALL);
	for (unsigned i = 0; i < sizeof(meths) / sizeof(*meths); i++) {
		uint64_t n = early("request"), all = shed("stranger");
		char *quick;

		say(text(meths[i], "1", "", ""));
		quick = strdup(hear());
		flat(quick);
		cr_expect_eq(early("request"), n + 1);
		/* folded: nothing for a glance */
		say(text(meths[i], "1", "", "To\r\n :x\r\n"));
		(void)hear();
		say(text(meths[i], "1", "\r\n ", ""));
		cr_expect_eq(early("request"), n + 1);
		cr_expect_eq(shed("stranger"), all + 2);
		flat(hear());
		cr_expect_str_eq(quick, (char *)heard.p);
		cr_expect_not_null(strstr(quick, "SIP/2.0 503 "));
		free(quick);
	}
	buf_free(&heard);
}

Test(overload_edge, the_ack_to_such_a_refusal_is_absorbed)
{
	char tag[64], *p;

	flood(ALL);
	say(text("INVITE", "1", "", ""));
	p = strstr(hear(), ";tag=");
	p = strstr(p + 1, ";tag=");
	cr_assert_not_null(p);
	(void)snprintf(tag, sizeof(tag), "%.21s", p);
	say(text("ACK", "1", tag, ""));
	cr_expect_eq(early("ack"), 1);
	cr_expect_eq(*hear(), '\0');
	/* another tag: not ours, an ACK to a 2xx perhaps */
	tag[8] = tag[8] == '0' ? '1' : '0';
	say(text("ACK", "2", tag, ""));
	cr_expect_eq(early("ack"), 1);
	buf_free(&heard);
}

Test(overload_edge, a_copy_of_what_runs_is_no_new_request_at_first_sight)
{
	say(text("INVITE", "1", "", ""));
	(void)hear();
	flood(ALL);
	(void)hear();
	say(text("INVITE", "1", "", ""));
	cr_expect_null(strstr(hear(), "503"), "%s", (char *)heard.p);
	say(text("INVITE", "2", "", ""));
	cr_expect_not_null(strstr(hear(), "503"), "%s", (char *)heard.p);
	cr_expect_eq(early("request"), 1);
	buf_free(&heard);
}

Test(overload_edge, what_is_inside_a_dialog_gets_its_own_answer)
{
	flood(ALL);
	say(text("INVITE", "1", ";tag=t", ""));
	cr_expect_null(strstr(hear(), "503"), "%s", (char *)heard.p);
	say(text("BYE", "2", ";tag=t", ""));
	cr_expect_null(strstr(hear(), "503"), "%s", (char *)heard.p);
	cr_expect_eq(shed("stranger"), 0);
	buf_free(&heard);
}

Test(overload_edge, what_is_taken_waits_until_all_that_has_come_is_done)
{
	flood(0);
	say(text("INVITE", "1", "", ""));
	cr_expect_eq(world_stat(w, "sbc_line", NULL), 1);
	cr_expect_eq(*hear(), '\0');
	cr_expect_leq(edge_next(w->edge), w->net->now);
	cr_expect_eq(edge_pending(w->edge), 1);
	edge_tick(w->edge, w->net->now);
	cr_expect_eq(world_stat(w, "sbc_line", NULL), 0);
	cr_expect_not_null(strstr(hear(), "INVITE sip:112@"));
	buf_free(&heard);
}

Test(overload_edge, who_has_waited_in_line_too_long_is_refused)
{
	flood(0);
	say(text("INVITE", "1", "", ""));
	w->net->now += 39;
	edge_tick(w->edge, w->net->now);
	cr_expect_not_null(strstr(hear(), "INVITE sip:112@"));
	say(text("MESSAGE", "2", "", "Subject: x\r\n"));
	w->net->now += 40;
	edge_tick(w->edge, w->net->now);
	cr_expect_not_null(strstr(hear(), "SIP/2.0 503 "), "%s",
			   (char *)heard.p);
	cr_expect_eq(shed("stranger"), 1);
	buf_free(&heard);
}

Test(overload_edge, a_cancel_does_not_overtake_its_invite)
{
	char *t;

	flood(0);
	say(text("INVITE", "1", "", ""));
	cr_assert_eq(world_stat(w, "sbc_line", NULL), 1);
	say(text("CANCEL", "1", "", ""));
	cr_expect_eq(world_stat(w, "sbc_line", NULL), 0);
	t = hear();
	cr_expect_not_null(strstr(t, "INVITE sip:112@"), "%s", t);
	cr_expect_not_null(strstr(t, "SIP/2.0 200 "), "%s", t);
	cr_expect_null(strstr(t, "SIP/2.0 481 "), "%s", t);
	/* one that a glance cannot tell: all go */
	say(text("INVITE", "2", "", "X: y\r\n"));
	say(text("CANCEL", "2", "\r\n ", ""));
	cr_expect_eq(world_stat(w, "sbc_line", NULL), 0);
	buf_free(&heard);
}

Test(overload_edge, a_flood_that_is_not_plain_has_to_wait_as_well)
{
	flood(0);
	say(text("INVITE", "1", "\r\n ", ""));
	cr_expect_eq(early("request"), 0);
	cr_expect_eq(world_stat(w, "sbc_line", NULL), 1);
	edge_tick(w->edge, w->net->now);
	cr_expect_not_null(strstr(hear(), "INVITE sip:112@"));
	buf_free(&heard);
}

Test(overload_edge, strangers_find_no_more_room_than_can_be_served)
{
	char n[16];

	flood(0);
	for (int i = 0; i < 200; i++) {
		char t[2048], *id;

		(void)snprintf(n, sizeof(n), "%d", i);
		(void)snprintf(t, sizeof(t), "%s", text("INVITE", n, "", ""));
		id = strstr(t, "Call-ID: line");
		memcpy(id + 9, (char[]){ (char)('a' + i % 26),
					 (char)('a' + i / 26) }, 2);
		say(t);
	}
	cr_expect_leq(world_stat(w, "sbc_line", NULL), 10);
	cr_expect_geq(world_stat(w, "sbc_line", NULL), OVERLOAD_LEAST);
	cr_expect_geq(shed("stranger"), 190);
	(void)hear();
	buf_free(&heard);
}

/* --- the line alone --- */

static struct line_item item(enum overload_rank r, uint64_t id)
{
	return (struct line_item){ .ask = { .rank = r, .request = id },
				   .msg = blob_make("x", 1) };
}

static uint64_t taken(struct line *l)
{
	struct line_item it;

	if (!line_take(l, &it))
		return 0;
	blob_unref(it.msg);
	return it.ask.request;
}

Test(line, known_phones_come_first_and_each_in_turn)
{
	static const struct {
		enum overload_rank r;
		uint64_t id;
	} v[] = { { OVERLOAD_STRANGER, 1 }, { OVERLOAD_NEW, 2 },
		  { OVERLOAD_STRANGER, 3 }, { OVERLOAD_NEW, 4 },
		  { OVERLOAD_STRANGER, 5 } };
	struct line l = { 0 };
	struct line_item it;

	for (unsigned i = 0; i < 5; i++) {
		it = item(v[i].r, v[i].id);
		cr_assert_eq(line_put(&l, &it), 0);
	}
	cr_expect_eq(line_ahead(&l, OVERLOAD_NEW), 2);
	cr_expect_eq(line_ahead(&l, OVERLOAD_STRANGER), 5);
	cr_assert(line_find(&l, 3, &it));
	blob_unref(it.msg);
	cr_expect_not(line_find(&l, 3, &it));
	cr_expect_eq(taken(&l), 2);
	cr_expect_eq(taken(&l), 4);
	cr_expect_eq(taken(&l), 1);
	cr_expect_eq(line_n(&l), 1);
	cr_expect_eq(taken(&l), 5);
	cr_expect_eq(taken(&l), 0);
	line_close(&l);
}

Test(line, it_has_an_end)
{
	struct line l = { 0 };
	struct line_item it;

	for (unsigned i = 0; i < LINE_MAX; i++) {
		it = item(OVERLOAD_STRANGER, i + 1);
		cr_assert_eq(line_put(&l, &it), 0);
		if (i == 9)
			cr_assert_eq(taken(&l), 1);
	}
	it = item(OVERLOAD_STRANGER, LINE_MAX + 1);
	cr_expect_eq(line_put(&l, &it), 0);
	cr_expect_eq(line_put(&l, &it), ENOSPC);
	cr_assert(line_find(&l, LINE_MAX, &it));
	blob_unref(it.msg);
	for (unsigned i = 2; i <= LINE_MAX + 1; i++)
		if (i != LINE_MAX)
			cr_assert_eq(taken(&l), i);
	line_close(&l);
}

/* --- who is known --- */

Test(phones, an_hour_is_remembered_two_are_not)
{
	struct phones p = { 0 };
	const uint64_t life = PHONES_LIFE;

	cr_expect_not(phones_has(&p, 5, 10));
	phones_add(&p, 5, 10);
	cr_expect(phones_has(&p, 5, 10 + life - 1));
	phones_add(&p, 6, 10 + life);
	cr_expect(phones_has(&p, 5, 10 + life));
	cr_expect(phones_has(&p, 6, 10 + life));
	cr_expect_not(phones_has(&p, 5, 10 + 2 * life + life / 2));
	cr_expect(phones_has(&p, 6, 10 + 2 * life + life / 2));
	cr_expect_not(phones_has(&p, 6, 10 + 3 * life + life / 2));
	phones_add(&p, 8, 10 + 2 * life + life / 2);
	phones_add(&p, 9, 10 + 3 * life + life / 2);
	cr_expect_not(phones_has(&p, 6, 10 + 3 * life + life / 2));
	phones_add(&p, 7, 10 + 9 * life);
	cr_expect_not(phones_has(&p, 6, 10 + 9 * life));
	phones_close(&p);
}

Test(phones, of_a_million_strangers_few_are_taken_for_one_of_a_million)
{
	struct phones p = { 0 };
	uint64_t x = 1;
	unsigned wrong = 0;

	for (unsigned i = 0; i < 2000000; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		if (i < 1000000)
			phones_add(&p, x ^ x >> 31, 0);
		else
			wrong += phones_has(&p, x ^ x >> 31, 0);
	}
	cr_expect_lt(wrong, 35000, "%u", wrong);
	phones_close(&p);
}
