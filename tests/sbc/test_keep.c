/* Keep-alives that nodes want written on flows, and STUN of phones. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "sip/stun.h"
#include "world.h"

static struct world *w;
static struct vphone *a, *b;

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

static void end(void)
{
	world_run(w, 70000);
	cr_expect_eq(edge_pending(w->edge), 0);
	world_free(w);
}
TestSuite(keep, .init = begin, .fini = end);

static const char *token(unsigned i)
{
	return world_token(w, i);
}

static void ask(const char *body, const char *more)
{
	node_batch(&w->node[0], "keep", body, more);
	world_run(w, 50);
}

static uint64_t stat_of(const char *result)
{
	char label[40];

	(void)snprintf(label, sizeof(label), "result=\"%s\"", result);
	return world_stat(w, "sbc_keep_total", label);
}

Test(keep, written_on_the_very_flow)
{
	char body[1000];

	(void)snprintf(body, sizeof(body), "crlf %s\ncrlf %s\n", token(0),
		       token(1));
	ask(body, "");
	cr_expect_eq(a->crlf, 1);
	cr_expect_eq(b->crlf, 1);
	cr_expect_eq(w->node[0].kept, 1);
	cr_expect_str_eq(w->node[0].kept_last, "");
	cr_expect_eq(stat_of("sent"), 2);
	/* a stream knows no STUN */
	(void)snprintf(body, sizeof(body), "stun %s\nstun %s\n", token(0),
		       token(1));
	ask(body, "");
	cr_expect_eq(a->stun, 1);
	cr_expect_eq(b->stun, 0);
	cr_expect_eq(b->crlf, 2);
}

Test(keep, only_streams_that_ended_are_called_dead)
{
	char body[1000], want[300];

	(void)snprintf(body, sizeof(body), "crlf %s\ncrlf %s\n", token(0),
		       token(1));
	(void)snprintf(want, sizeof(want), "dead %s\r\n", token(1));
	phone_cut(b);
	world_run(w, 100);
	ask(body, "");
	cr_expect_str_eq(w->node[0].kept_last, want);
	cr_expect_eq(stat_of("dead"), 1);
	cr_expect_eq(a->crlf, 1);
	/* who has gone over UDP cannot be told from who is silent */
	sim_kill(w->net, &a->host);
	world_run(w, 100);
	ask(body, "");
	cr_expect_str_eq(w->node[0].kept_last, want);
}

Test(keep, after_a_restart_streams_are_dead_until_found_again)
{
	char body[1000], old[256];

	(void)snprintf(old, sizeof(old), "%s", token(1));
	(void)snprintf(body, sizeof(body), "crlf %s\ncrlf %s\n", token(0),
		       old);
	world_restart_edge(w);
	world_run(w, 500);
	ask(body, "");
	cr_expect_eq(stat_of("dead"), 1);
	cr_expect_eq(a->crlf, 1);
	/* on the connection that the phone has now */
	(void)phone_send(b, SIP_REGISTER, "bob", b->req[0].callid);
	world_run(w, 50);
	ask(body, "");
	cr_expect_eq(stat_of("dead"), 1);
	cr_expect_eq(b->crlf, 1);
}

Test(keep, what_is_no_token_of_ours_is_no_verdict)
{
	char body[2000];

	(void)snprintf(body, sizeof(body), "crlf abc\ncrlf\n\ncrlf %sx\n"
		       "crlf %s\n", token(0), token(0));
	ask(body, "");
	cr_expect_str_eq(w->node[0].kept_last, "");
	cr_expect_eq(stat_of("bad"), 4);
	cr_expect_eq(a->crlf, 1);
}

Test(keep, not_taken_from_clients_nor_through_a_node)
{
	char txt[2000];

	ask("crlf x\n", "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKq\n");
	(void)snprintf(txt, sizeof(txt), "OPTIONS sip:192.0.2.1:5060 SIP/2.0\n"
		       "Via: SIP/2.0/UDP x;branch=z9hG4bKw\n"
		       "From: <sip:a@x>;tag=1\nTo: <sip:192.0.2.1>\n"
		       "Call-ID: w\nCSeq: 1 OPTIONS\nMax-Forwards: 70\n"
		       "Content-Type: application/edgewise-keep\n"
		       "Content-Length: 8\n\ncrlf x\n");
	phone_raw(a, txt);
	world_run(w, 100);
	cr_expect_eq(world_stat(w, "sbc_keep_batches_total", NULL), 0);
	cr_expect_eq(w->node[0].kept, 0);
}

Test(keep, more_than_a_batch_may_have_is_left_out)
{
	char *body = calloc(3000, 10);

	cr_assert_not_null(body);
	for (int i = 0; i < 3000; i++)
		(void)strcat(body + (size_t)i * 7, "crlf x\n");
	ask(body, "");
	cr_expect_eq(stat_of("bad"), 2048);
	cr_expect_eq(stat_of("full"), 3000 - 2048);
	free(body);
}

/* --- STUN of phones --- */

static void stun_from(const struct vphone *p)
{
	struct flow f = { .tp = TP_UDP, .lst = 0, .peer = p->host.addr };
	static const uint8_t id[12] = { 7 };
	uint8_t mem[64];
	struct buf q;

	buf_fixed(&q, mem, sizeof(mem));
	stun_request(&q, id);
	edge_recv(w->edge, &f, buf_as_sl(&q), FRAME_PING, NULL, w->net->now);
	world_run(w, 1000);
}

Test(keep, stun_of_a_phone_is_answered)
{
	stun_from(a);
	cr_expect_eq(a->stun, 1);
	cr_expect_eq(world_stat(w, "sbc_stun_total", NULL), 1);
}

Test(keep, stun_of_a_stranger_costs_credit)
{
	struct edge_admit_conf c = { .source = { .max = 100 } };
	struct vphone *x = world_phone(w, "x", SIM_DATAGRAM);

	cr_assert_eq(edge_admit(w->edge, &c), 0);
	/* 20 bytes came, 32 would go: a copy more pays for it */
	stun_from(x);
	cr_expect_eq(x->stun, 0);
	stun_from(x);
	cr_expect_eq(x->stun, 1);
}

/* --- phones that keep their flow alive themselves --- */

static char heard[4000];

static void tap(const struct sim_pkt *p, void *arg)
{
	if (addr_eq(&p->from, &w->client.addr) && p->data.n < sizeof(heard) &&
	    sl_starts(p->data, SL("SIP/2.0 "))) {
		memcpy(heard, p->data.p, p->data.n);
		heard[p->data.n] = '\0';
	}
	(void)arg;
}

/** Its REGISTER with this Via parameter. @return the answer */
static const char *reg_with(struct vphone *p, const char *param)
{
	static unsigned n;
	char txt[2000];

	n++;
	heard[0] = '\0';
	w->net->tap = tap;
	(void)snprintf(txt, sizeof(txt), "REGISTER sip:example.com SIP/2.0\n"
		       "Via: SIP/2.0/%s 10.9.8.7;keepalive;branch=z9hG4bKr%u%s"
		       "\nFrom: <sip:x@example.com>;tag=1\n"
		       "To: <sip:%s@example.com>\nCall-ID: r%u\n"
		       "CSeq: 1 REGISTER\nMax-Forwards: 70\n"
		       "Contact: <sip:x@10.9.8.7>\nContent-Length: 0\n\n",
		       p->kind == SIM_STREAM ? "TCP" : "UDP", n, param,
		       p->user, n);
	phone_raw(p, txt);
	world_run(w, 100);
	return heard;
}

static void outbound(void)
{
	for (int i = 0; i < W_NODES; i++)
		w->node[i].reg_more = "Require: outbound\r\n";
}

Test(keep, who_asks_hears_how_often)
{
	cr_expect(strstr(reg_with(a, ";keep"), ";keep=25;"));
	cr_expect(strstr(reg_with(a, ";keep;x=1"), ";keep=25;x=1;"));
	cr_expect(strstr(reg_with(b, ";KEEP"), ";KEEP=120;"));
	cr_expect_null(strstr(heard, "Flow-Timer"));
	/* who has a value, or does not ask, is left alone */
	cr_expect(strstr(reg_with(a, ";keep=7"), ";keep=7;"));
	cr_expect_null(strstr(reg_with(a, ""), "keep="));
	cr_expect_null(strstr(reg_with(a, ";x=\";keep\""), "keep="));
}

Test(keep, flow_timer_on_streams_with_outbound)
{
	outbound();
	cr_expect(strstr(reg_with(b, ""), "\r\nFlow-Timer: 120\r\n"));
	cr_expect(strstr(reg_with(b, ";keep"), "\r\nFlow-Timer: 120\r\n"));
	cr_expect(strstr(heard, ";keep=120"));
	/* it would keep a phone on UDP silent for too long */
	cr_expect_null(strstr(reg_with(a, ";keep"), "Flow-Timer"));
}

Test(keep, a_refusal_says_nothing_of_it)
{
	for (int i = 0; i < W_NODES; i++)
		w->node[i].mode = V_ERROR;
	outbound();
	cr_expect_null(strstr(reg_with(b, ";keep"), "keep="));
	cr_expect(heard[0]);
}
