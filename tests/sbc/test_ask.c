/* Questions that nodes want asked: OPTIONS written by the edge, one answer for
 * all of a batch. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "sip/inner.h"
#include "world.h"

#define HEAD "wait 5000\nfrom sip:ping@x\n"

static struct world *w;
static struct vphone *a, *b;
static uint64_t asked_at;

static void begin(void)
{
	w = world_new(1, NULL);
	a = world_phone(w, "alice", SIM_DATAGRAM);
	b = world_phone(w, "bob", SIM_STREAM);
	(void)phone_register(a);
	world_run(w, 20);
	(void)phone_register(b);
	world_run(w, 50);
}

static uint64_t figure(const char *result)
{
	char label[40];

	(void)snprintf(label, sizeof(label), "result=\"%s\"", result);
	return world_stat(w, "sbc_ask_total", label);
}

static void end(void)
{
	world_run(w, 70000);
	cr_expect_eq(edge_pending(w->edge), 0);
	cr_expect_eq(world_stat(w, "sbc_ask_open", NULL), 0);
	world_free(w);
}
TestSuite(ask, .init = begin, .fini = end);

static const char *token(unsigned i)
{
	return world_token(w, i);
}

static void send(const char *body, const char *more)
{
	w->node[0].kept_last[0] = '\0';
	asked_at = w->net->now;
	node_batch(&w->node[0], "ask", body, more);
}

static void ask_both(void)
{
	char body[1000];

	(void)snprintf(body, sizeof(body), HEAD "%s sip:alice@10.9.8.7\n"
		       "%s sip:bob@10.9.8.7;transport=tcp\n", token(0),
		       token(1));
	send(body, "");
}

/** What the node heard of the i-th: "200", "none", "bad" */
static bool heard(unsigned i, const char *what)
{
	const char *p = w->node[0].kept_last;

	while (i-- && p)
		p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL;
	return p && !strncmp(p, what, strlen(what)) && p[strlen(what)] == ' ';
}

Test(ask, asked_on_the_very_flow_and_told_in_one_message)
{
	const char *q;

	ask_both();
	world_run(w, 200);
	cr_expect_eq(a->got[SIP_OPTIONS], 1);
	cr_expect_eq(b->got[SIP_OPTIONS], 1);
	q = a->last[SIP_OPTIONS];
	cr_expect(strstr(q, "OPTIONS sip:alice@10.9.8.7 SIP/2.0\r\n"));
	cr_expect(strstr(q, "To: <sip:alice@10.9.8.7>\r\n"));
	cr_expect(strstr(q, "From: <sip:ping@x>;tag="));
	cr_expect_null(strstr(q, "10.0.0.11"));
	cr_expect(strstr(b->last[SIP_OPTIONS], "Via: SIP/2.0/TCP "));
	cr_expect_eq(w->node[0].kept, 1);
	cr_expect(heard(0, "200") && heard(1, "200"));
	cr_expect_eq(figure("answered"), 2);
	/* no call, no transaction, nothing is repeated */
	world_run(w, 10000);
	cr_expect_eq(a->got[SIP_OPTIONS], 1);
	cr_expect_eq(w->node[0].kept, 1);
}

Test(ask, known_as_a_ping_by_its_call_id)
{
	char *id, *end;

	ask_both();
	world_run(w, 200);
	id = strstr(a->last[SIP_OPTIONS], "Call-ID: ");
	cr_assert_not_null(id);
	id += 9;
	end = strstr(id, "\r\n");
	cr_expect(inner_is_ping(sl_mk(id, (size_t)(end - id)),
				SL("1 OPTIONS")));
}

Test(ask, who_is_silent_is_asked_again_over_udp_and_told_at_the_end)
{
	sim_kill(w->net, &a->host);
	ask_both();
	world_run(w, 4900);
	cr_expect_eq(w->node[0].kept, 0);
	/* after 0.5, 1.5 and 3.5 s */
	cr_expect_eq(world_stat(w, "sbc_ask_repeated_total", NULL), 3);
	world_run(w, 200);
	cr_expect_eq(w->node[0].kept, 1);
	cr_expect(heard(0, "none") && heard(1, "200"));
	cr_expect_eq(figure("silent"), 1);
	cr_expect_eq(b->got[SIP_OPTIONS], 1);
}

Test(ask, a_lost_datagram_is_no_lost_phone)
{
	w->net->loss = 1000;
	ask_both();
	world_run(w, 300);
	w->net->loss = 0;
	world_run(w, 1000);
	cr_expect_eq(w->node[0].kept, 1);
	cr_expect(heard(0, "200") && heard(1, "200"));
	cr_expect_eq(a->got[SIP_OPTIONS], 1);
}

Test(ask, a_stream_that_has_ended_is_430_at_once)
{
	phone_cut(b);
	world_run(w, 100);
	ask_both();
	world_run(w, 200);
	cr_expect(heard(0, "200") && heard(1, "430"));
	cr_expect_eq(figure("dead"), 1);
}

Test(ask, what_is_no_token_or_no_uri_of_ours_is_not_asked)
{
	char body[4000], big[700];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	(void)snprintf(body, sizeof(body), HEAD "abc sip:x@y\n%sx sip:x@y\n"
		       "\n%s sip:x@y>;tag=<\n%s sip:%s\n%s sip:x@y\n", token(0),
		       token(0), token(0), big, token(0));
	send(body, "");
	world_run(w, 200);
	for (unsigned i = 0; i < 5; i++)
		cr_expect(heard(i, "bad"), "%u", i);
	cr_expect(heard(5, "200"));
	cr_expect_eq(figure("bad"), 5);
	cr_expect_eq(a->got[SIP_OPTIONS], 1);
}

static char question[2][2000];
static unsigned questions;

/** A phone that listens, and answers by hand */
static void listen_only(struct sim_host *h, const struct sim_pkt *p)
{
	(void)h;
	if (questions < 2 && p->data.n < sizeof(question[0]))
		(void)snprintf(question[questions++], sizeof(question[0]),
			       "%.*s", (int)p->data.n, p->data.p);
}

/** With its Via somewhere else than most have it */
static bool via_last;

/** 200 to a question. line: another one in its branch, 0 = its own */
static void answer_as(struct vphone *p, const char *q, char line)
{
	const char *via = strstr(q, "Via: "), *end = strstr(via, "\r\n");
	char txt[3000], *at;
	int n = (int)(end - via);

	(void)snprintf(txt, sizeof(txt), "SIP/2.0 200 OK\n%.*s%s"
		       "From: <sip:ping@x>;tag=1\nTo: <sip:b@x>;tag=2\n"
		       "Call-ID: z\nCSeq: 1 OPTIONS\nContent-Length: 0\n"
		       "%.*s%s\n", via_last ? 0 : n, via, via_last ? "" :
		       "\n", via_last ? n : 0, via, via_last ? "\n" : "");
	at = strstr(txt, "0000;rport");
	cr_assert_not_null(at);
	if (line)
		at[3] = line;
	phone_raw(p, txt);
	world_run(w, 50);
}

/* Two contacts behind one address, as behind one NAT, and a stranger who knows
 * the question */
static void nobody_else(void)
{
	struct vphone *x = world_phone(w, "x", SIM_DATAGRAM);
	char txt[3000];

	cr_assert_not(addr_ip_eq(&x->host.addr, &a->host.addr));
	questions = 0;
	a->host.recv = listen_only;
	(void)snprintf(txt, sizeof(txt), HEAD "%s sip:a@x\n%s sip:c@x\n",
		       token(0), token(0));
	send(txt, "");
	world_run(w, 300);
	cr_assert_eq(questions, 2);
	answer_as(x, question[0], 0);
	cr_expect_eq(figure("answered"), 0);
	answer_as(a, question[0], '1');
	cr_expect_eq(figure("answered"), 0);
	answer_as(a, question[0], 0);
	cr_expect_eq(figure("answered"), 1);
	world_run(w, 6000);
	cr_expect(heard(0, "200") && heard(1, "none"));
}

Test(ask, nobody_else_can_answer)
{
	via_last = false;
	nobody_else();
}

Test(ask, nobody_else_can_answer_in_another_form)
{
	via_last = true;
	nobody_else();
}

/* Nothing else of an answer matters, so nothing else is read. A provisional one
 * is none, nor is one from before or after */
Test(ask, of_an_answer_its_status_and_branch_count)
{
	const char *via, *end;
	char txt[3000];

	questions = 0;
	a->host.recv = listen_only;
	(void)snprintf(txt, sizeof(txt), HEAD "%s sip:a@x\n", token(0));
	send(txt, "");
	world_run(w, 300);
	cr_assert_eq(questions, 1);
	via = strstr(question[0], "Via: ");
	end = strstr(via, "\r\n");
	(void)snprintf(txt, sizeof(txt), "SIP/2.0 100 Trying\n%.*s\n\n",
		       (int)(end - via), via);
	phone_raw(a, txt);
	world_run(w, 50);
	cr_expect_eq(figure("answered"), 0);
	(void)snprintf(txt, sizeof(txt), "SIP/2.0 999 No\n%.*s\n\n",
		       (int)(end - via), via);
	phone_raw(a, txt);
	(void)snprintf(txt, sizeof(txt), "SIP/2.0 486 Busy Here\n%.*s\n\n",
		       (int)(end - via), via);
	phone_raw(a, txt);
	phone_raw(a, txt);
	world_run(w, 50);
	cr_expect_eq(figure("answered"), 1);
	cr_expect(heard(0, "486"));
	phone_raw(a, txt);
	world_run(w, 50);
	cr_expect_eq(figure("answered"), 1);
}

Test(ask, not_taken_from_clients_nor_through_a_node)
{
	static const char body[] = "wait 1\r\nfrom sip:a@b\r\nx sip:y@z\r\n";
	char txt[2000];

	send(HEAD "x sip:y@z\n", "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKq\n");
	(void)snprintf(txt, sizeof(txt), "OPTIONS sip:192.0.2.1:5060 SIP/2.0\n"
		       "Via: SIP/2.0/UDP x;branch=z9hG4bKw\n"
		       "From: <sip:a@x>;tag=1\nTo: <sip:192.0.2.1>\n"
		       "Call-ID: w\nCSeq: 1 OPTIONS\nMax-Forwards: 70\n"
		       "Content-Type: application/edgewise-ask\n"
		       "Content-Length: %zu\n\nwait 1\nfrom sip:a@b\nx sip:y@z\n",
		       sizeof(body) - 1);
	phone_raw(a, txt);
	world_run(w, 100);
	cr_expect_eq(world_stat(w, "sbc_ask_batches_total", NULL), 0);
}

Test(ask, a_body_without_its_head_is_refused)
{
	static const char *const bad[] = {
		"", "x sip:y@z\n", "wait 30001\nfrom sip:a@b\n",
		"wait x\nfrom sip:a@b\n", "wait 1\nfrom sip:a@b>\n",
		"from sip:a@b\nwait 1\n",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		send(bad[i], "");
		world_run(w, 20);
	}
	cr_expect_eq(w->node[0].kept, 0);
	cr_expect_eq(world_stat(w, "sbc_ask_batches_total", NULL),
		     sizeof(bad) / sizeof(*bad));
	cr_expect_eq(figure("bad") + figure("full"), 0);
	/* nobody to ask: answered at once */
	send(HEAD, "");
	world_run(w, 20);
	cr_expect_eq(w->node[0].kept, 1);
}

Test(ask, more_than_a_batch_may_have_is_left_out)
{
	char *body = calloc(3000, 10), *p = body;

	cr_assert_not_null(body);
	p += sprintf(p, HEAD);
	for (int i = 0; i < 3000; i++)
		p += sprintf(p, "x a:b\n");
	send(body, "");
	world_run(w, 50);
	cr_expect_eq(figure("bad"), 2048);
	cr_expect_eq(figure("full"), 3000 - 2048);
	free(body);
}

Test(ask, a_stop_of_the_node_leaves_nothing_open)
{
	sim_kill(w->net, &a->host);
	ask_both();
	world_run(w, 100);
	sim_kill(w->net, &w->node[0].host);
	world_run(w, 6000);
	cr_expect_eq(world_stat(w, "sbc_ask_open", NULL), 0);
	cr_expect_eq(figure("silent"), 1);
}
