/* What must not get through the edge: strangers, forged routes, floods, junk. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

static struct world *w;
static struct vphone *a, *b;

static void begin_with(void (*tune)(struct edge_conf *ec))
{
	w = world_new(1, tune);
	a = world_phone(w, "alice", SIM_DATAGRAM);
	b = world_phone(w, "bob", SIM_DATAGRAM);
	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 50);
}

static void begin(void)
{
	begin_with(NULL);
}

static void end(void)
{
	cr_expect_eq(w->leaks, 0, "inside address: %s", w->leak);
	world_free(w);
}
TestSuite(guard, .init = begin, .fini = end);

#define HEAD(uri, cid, cseq, meth) \
	meth " " uri " SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.1:6000;branch=" \
	"z9hG4bKraw" cid "\nMax-Forwards: 70\nFrom: <sip:alice@example.com>" \
	";tag=r\nCall-ID: " cid "\nCSeq: " cseq " " meth "\n" \
	"Contact: <sip:alice@198.51.100.1:6000>\n"
#define TAIL "Content-Length: 0\n\n"

static unsigned to_nodes(enum sip_method m)
{
	unsigned n = 0;

	for (int i = 0; i < W_NODES; i++)
		n += w->node[i].got[m];
	return n;
}

static uint64_t refused(const char *code)
{
	char label[32];

	(void)snprintf(label, sizeof(label), "code=\"%s\"", code);
	return world_stat(w, "sbc_refused_total", label);
}

Test(guard, foreign_routes_are_removed_and_the_request_goes_to_the_pool)
{
	phone_raw(a, HEAD("sip:bob@example.com", "x1", "1", "INVITE")
		  "To: <sip:bob@example.com>\n"
		  "Route: <sip:192.0.2.1;lr>\nRoute: <sip:203.0.113.9;lr>, "
		  "<sip:evil.org;lr>\n" TAIL);
	world_run(w, 100);
	cr_expect_eq(b->invc, 1);
	cr_expect_not(strstr(b->inv[0].req, "evil.org"));
	cr_expect_not(strstr(b->inv[0].req, "Route: <sip:203"));
	cr_expect_eq(world_stat(w, "sbc_route_injected_total", NULL), 2);
}

Test(guard, no_open_relay)
{
	/* a foreign R-URI goes to the nodes, which serve no such domain */
	phone_raw(a, HEAD("sip:x@203.0.113.9:5060", "x1", "1", "INVITE")
		  "To: <sip:x@203.0.113.9>\n" TAIL);
	world_run(w, 100);
	cr_expect_eq(to_nodes(SIP_INVITE), 1);
	cr_expect_eq(b->invc, 0);
}

Test(guard, record_route_token_opens_no_other_call)
{
	struct vreq *r = phone_invite(a, "bob");
	char *rr, *end_, tok[200], t[2000];

	b->answer = 20;
	world_run(w, 300);
	cr_assert_eq(r->final, 200);
	rr = strstr(r->okmsg, "Record-Route: ");
	cr_assert(rr);
	rr += 14;
	end_ = strstr(rr, "\r\n");
	(void)snprintf(tok, sizeof(tok), "%.*s", (int)(end_ - rr), rr);
	/* another Call-ID, inside a dialog */
	(void)snprintf(t, sizeof(t), HEAD("sip:bob@198.51.100.2:6001", "y2",
		"1", "BYE") "To: <sip:bob@example.com>;tag=1\nRoute: %s\n"
		TAIL, tok);
	phone_raw(a, t);
	world_run(w, 100);
	cr_expect_eq(b->got[SIP_BYE], 0);
	cr_expect_eq(refused("481"), 1);
	cr_expect_eq(world_stat(w, "sbc_token_refused_total",
				"why=\"misused\""), 1);
	/* a new call: goes to the pool like any other */
	(void)snprintf(t, sizeof(t), HEAD("sip:nobody@example.com", "y3",
		"1", "INVITE") "To: <sip:nobody@example.com>\nRoute: %s\n"
		TAIL, tok);
	phone_raw(a, t);
	world_run(w, 100);
	cr_expect_eq(b->invc, 1);
}

Test(guard, forged_token_in_a_dialog_is_481)
{
	phone_raw(a, HEAD("sip:bob@198.51.100.2:6001", "y1", "1", "BYE")
		  "To: <sip:bob@example.com>;tag=1\nRoute: <sip:QUJDREVGR0hJ"
		  "SktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2@"
		  "192.0.2.1:5060;lr>\n" TAIL);
	world_run(w, 100);
	cr_expect_eq(refused("481"), 1);
	cr_expect_eq(b->got[SIP_BYE], 0);
	cr_expect_eq(to_nodes(SIP_BYE), 0);
	cr_expect_eq(world_stat(w, "sbc_token_refused_total",
				"why=\"forged\""), 1);
}

Test(guard, stolen_path_token_is_of_no_use_to_a_client)
{
	char t[2000];

	/* even if one leaked: as a client's Route it leads nowhere */
	(void)snprintf(t, sizeof(t), HEAD("sip:bob@198.51.100.2:6001", "y1",
		"1", "BYE") "To: <sip:bob@example.com>;tag=1\nRoute: %s\n"
		TAIL, w->loc[1].path);
	phone_raw(a, t);
	world_run(w, 100);
	cr_expect_eq(b->got[SIP_BYE], 0);
	cr_expect_eq(refused("481"), 1);
}

Test(guard, ack_without_a_token_is_dropped)
{
	phone_raw(a, HEAD("sip:bob@198.51.100.2:6001", "y1", "1", "ACK")
		  "To: <sip:bob@example.com>;tag=1\n" TAIL);
	world_run(w, 100);
	cr_expect_eq(b->acks, 0);
	cr_expect_eq(to_nodes(SIP_ACK), 0);
	cr_expect_eq(world_stat(w, "sbc_ack_dropped_total", NULL), 1);
}

Test(guard, path_of_a_client_is_not_stored)
{
	phone_raw(a, HEAD("sip:example.com", "x1", "1", "REGISTER")
		  "To: <sip:eve@example.com>\nPath: <sip:10.0.0.99;lr>\n"
		  TAIL);
	world_run(w, 100);
	cr_expect_eq(w->locc, 3);
	cr_expect_not(strstr(w->loc[2].path, "10.0.0.99"));
	cr_expect_eq(world_stat(w, "sbc_header_injected_total", NULL), 1);
}

Test(guard, stranger_on_the_core_side_is_dropped)
{
	struct sim_host eve = {
		.name = "eve", .recv = b->host.recv, .arg = b,
	};
	char t[1000];

	cr_assert_eq(addr_parse(&eve.addr, SL("10.0.0.66:5060"), 0), 0);
	sim_add(w->net, &eve);
	(void)snprintf(t, sizeof(t), "INVITE sip:bob@198.51.100.2:6001 "
		"SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.66;branch=z9hG4bKe\r\n"
		"Route: %s\r\nMax-Forwards: 70\r\nFrom: <sip:e@e>;tag=1\r\n"
		"To: <sip:bob@example.com>\r\nCall-ID: e1\r\nCSeq: 1 INVITE"
		"\r\nContent-Length: 0\r\n\r\n", w->loc[1].path);
	sim_stream(w->net, &eve.addr, sim_connect(w->net, &eve.addr,
						  &w->core.addr), sl_cstr(t));
	world_run(w, 100);
	cr_expect_eq(b->invc, 0);
	cr_expect_eq(world_stat(w, "sbc_stranger_total", NULL), 1);
}

Test(guard, a_node_reaches_nobody_without_a_token)
{
	node_raw(&w->node[0], "INVITE sip:bob@198.51.100.2:6001 SIP/2.0\n"
		"Via: SIP/2.0/TCP 10.0.0.11;branch=z9hG4bKe\n"
		"Max-Forwards: 70\nFrom: <sip:e@e>;tag=1\n"
		"To: <sip:bob@example.com>\nCall-ID: e1\nCSeq: 1 INVITE\n"
		TAIL);
	world_run(w, 100);
	cr_expect_eq(b->invc, 0);
	cr_expect_eq(refused("403"), 1);
}

Test(guard, a_nodes_own_request_reaches_a_phone_by_its_path)
{
	char t[1000];

	(void)snprintf(t, sizeof(t), "OPTIONS sip:bob@198.51.100.2:6001 "
		"SIP/2.0\nVia: SIP/2.0/TCP 10.0.0.11;branch=z9hG4bKe\n"
		"Route: %s\nMax-Forwards: 70\nFrom: <sip:ping@e>;tag=1\n"
		"To: <sip:bob@example.com>\nCall-ID: e1\nCSeq: 1 OPTIONS\n"
		TAIL, w->loc[1].path);
	node_raw(&w->node[0], t);
	world_run(w, 100);
	cr_expect_eq(b->got[SIP_OPTIONS], 1);
	cr_expect_eq(world_stat(w, "sbc_untied_total", NULL), 1);
}

Test(guard, unhealthy_probe_takes_a_node_out)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	n->sick = 1;
	world_run(w, 5000);
	b->answer = 10;
	r = phone_invite(a, "bob");
	world_run(w, 300);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(n->got[SIP_INVITE], 0);
	n->sick = 0;
	world_run(w, 10000);
	cr_expect_eq(world_node_of(w, "bob"), n);
}

Test(guard, spiral_is_no_loop_but_an_unchanged_return_is)
{
	static struct sip_msg m;
	struct sip_fault f;
	char t[4000];
	size_t n = 0;

	(void)phone_invite(a, "bob");
	world_run(w, 50);
	cr_assert_eq(b->invc, 1);
	cr_expect_eq(world_stat(w, "sbc_loops_total", NULL), 0);
	/* a broken PBX sends it back as it came, with its Via on top */
	cr_assert_eq(sip_scan(&m, b->inv[0].req, strlen(b->inv[0].req), true,
			      &f), 0);
	n = (size_t)snprintf(t, sizeof(t), "%.*sVia: SIP/2.0/UDP 198.51.100.2"
			     ":6001;branch=z9hG4bKpbx\r\n%s",
			     (int)m.hdrs_off, b->inv[0].req,
			     b->inv[0].req + m.hdrs_off);
	cr_assert_lt(n, sizeof(t));
	sim_datagram(w->net, &b->host.addr, &w->client.addr, sl_cstr(t));
	world_run(w, 50);
	cr_expect_eq(world_stat(w, "sbc_loops_total", NULL), 1);
	cr_expect_eq(refused("482"), 1);
}

Test(guard, a_phone_that_sends_all_back_to_the_letter_gets_482)
{
	(void)phone_invite(a, "bob");
	world_run(w, 50);
	cr_assert_eq(b->invc, 1);
	sim_datagram(w->net, &b->host.addr, &w->client.addr,
		     sl_cstr(b->inv[0].req));
	world_run(w, 50);
	cr_expect_eq(world_stat(w, "sbc_loops_total", NULL), 1);
	cr_expect_eq(to_nodes(SIP_INVITE), 1);
}

/** p forwards the last INVITE it got to another number, as a proxy does */
static void forward(struct vphone *p, const char *uri)
{
	const char *req = p->inv[p->invc - 1].req, *rest;
	static unsigned n;
	char t[8000];

	rest = strstr(req, "\r\n") + 2;
	(void)snprintf(t, sizeof(t), "INVITE %s SIP/2.0\r\nVia: SIP/2.0/UDP "
		       "%s;branch=z9hG4bKfwd%u\r\n%s", uri,
		       addr_txt(&p->host.addr, (char[ADDR_TXT]){ 0 }), n++,
		       rest);
	sim_datagram(w->net, &p->host.addr, &w->client.addr, sl_cstr(t));
	world_run(w, 50);
}

Test(guard, two_numbers_forwarded_to_each_other_are_a_loop)
{
	(void)phone_invite(a, "bob");
	world_run(w, 50);
	cr_assert_eq(b->invc, 1);
	forward(b, "sip:alice@example.com");
	cr_assert_eq(a->invc, 1, "a spiral");
	forward(a, "sip:bob@example.com");
	cr_expect_eq(b->invc, 1);
	cr_expect_eq(world_stat(w, "sbc_loops_total", NULL), 1);
	cr_expect_eq(refused("482"), 1);
}

Test(guard, a_pool_of_several_hops_reaches_phones)
{
	struct vnode *n = world_node_of(w, "bob");
	char t[2000];

	n->fork_delay = 200;
	(void)phone_invite(a, "bob");
	world_run(w, 50);
	(void)snprintf(t, sizeof(t), "INVITE sip:bob@198.51.100.2:6001 SIP/2.0"
		"\nVia: SIP/2.0/TCP 10.0.0.11;branch=z9hG4bKe\n"
		"Via: SIP/2.0/TCP 10.0.9.9;branch=z9hG4bKother\n"
		"Via: SIP/2.0/TCP 10.0.0.1:5070;branch=%s\n"
		"Route: %s\nMax-Forwards: 60\nFrom: <sip:a@e>;tag=1\n"
		"To: <sip:bob@example.com>\nCall-ID: e1\nCSeq: 1 INVITE\n"
		TAIL, n->call[0].up_branch, w->loc[1].path);
	node_raw(n, t);
	world_run(w, 50);
	cr_expect_eq(b->invc, 1);
	cr_expect_eq(world_stat(w, "sbc_untied_total", NULL), 0);
	world_run(w, 300);
}

Test(guard, a_phone_does_not_answer_for_another)
{
	struct vphone *c = world_phone(w, "carol", SIM_DATAGRAM);
	struct vreq *r = phone_invite(a, "bob");
	char *via, t[3000];

	world_run(w, 50);
	cr_assert_eq(b->invc, 1);
	via = strstr(b->inv[0].req, "Via: ");
	(void)snprintf(t, sizeof(t), "SIP/2.0 603 No\r\n%.*s\r\n"
		"From: <sip:alice@example.com>;tag=f%u\r\nTo: <sip:b@e>;tag=1"
		"\r\nCall-ID: %s\r\nCSeq: %u INVITE\r\nContent-Length: 0\r\n"
		"\r\n", (int)(strstr(via, "\r\n") - via), via, r->cseq,
		r->callid, r->cseq);
	sim_datagram(w->net, &c->host.addr, &w->client.addr, sl_cstr(t));
	world_run(w, 50);
	cr_expect_eq(r->final, 0);
	/* the same from him whom it was sent to */
	sim_datagram(w->net, &b->host.addr, &w->client.addr, sl_cstr(t));
	world_run(w, 50);
	cr_expect_eq(r->final, 603);
}

Test(guard, junk_does_not_disturb_the_next_message)
{
	static const char *const junk[] = {
		"\n\n", "x", "INVITE\n\n", "SIP/2.0 200 OK\n\n",
		"INVITE sip:bob@example.com SIP/2.0\n\n",
		"INVITE sip:bob@example.com SIP/7.0\nVia: SIP/2.0/UDP a;"
		"branch=z9hG4bK1\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>\n"
		"Call-ID: j\nCSeq: 1 INVITE\nContent-Length: 0\n\n",
	};
	struct vreq *r;

	for (size_t i = 0; i < sizeof(junk) / sizeof(*junk); i++)
		phone_raw(a, junk[i]);
	world_run(w, 50);
	cr_expect_geq(world_stat(w, "sbc_malformed_total", NULL), 4);
	b->answer = 10;
	r = phone_invite(a, "bob");
	world_run(w, 100);
	cr_expect_eq(r->final, 200);
}

static void small(struct edge_conf *ec)
{
	ec->max_transactions = 4;
}

static void begin_small(void)
{
	begin_with(small);
	world_run(w, 40000);       /* the REGISTERs' transactions end */
}

Test(full, cap_gives_503_with_retry_after_and_no_harm, .init = begin_small,
     .fini = end)
{
	struct vreq *r[4];

	for (int i = 0; i < 4; i++)
		r[i] = phone_invite(a, "bob");
	world_run(w, 100);
	cr_expect_eq(r[3]->final, 503);
	cr_expect(r[3]->retry_after);
	cr_expect_gt(world_stat(w, "sbc_overload_total", NULL), 0);
	for (int i = 0; i < 4; i++)
		phone_cancel(a, r[i]);
	world_run(w, 100000);
	for (int i = 0; i < 4; i++)
		cr_expect(vreq_whole(r[i]), "%d: %u %u", i, r[i]->non2xx,
			  r[i]->ok);
	cr_expect_eq(edge_pending(w->edge), 0);
}

Test(full, calls_that_are_set_up_make_room_after_t4, .init = begin_small,
     .fini = end)
{
	struct vreq *r[3];

	b->answer = 10;
	/* two server transactions each: one of the client's, one of the node's */
	for (int i = 0; i < 3; i++) {
		r[i] = phone_invite(a, "bob");
		world_run(w, 5200);
		cr_expect_eq(r[i]->final, 200, "%d: %u", i, r[i]->final);
	}
	cr_expect_eq(world_stat(w, "sip_cap_total", NULL), 0);
	cr_expect_gt(world_stat(w, "sip_ended_early_total", NULL), 0);
	world_run(w, 100000);
	cr_expect_eq(edge_pending(w->edge), 0);
}

static void open_(struct edge_conf *ec)
{
	ec->tune.hide = false;
	ec->tune.dialog_token = false;
}

static void begin_open(void)
{
	begin_with(open_);
}

static void end_open(void)
{
	world_free(w);
}

Test(bare, hide_none_shows_the_vias_and_still_no_path, .init = begin_open,
     .fini = end_open)
{
	struct vreq *r;

	b->answer = 10;
	r = phone_invite(a, "bob");
	world_run(w, 100);
	cr_expect_eq(r->final, 200);
	cr_expect(strstr(b->inv[0].req, "10.0.0.1"));
	cr_expect_not(strstr(a->req[0].okmsg, "Path"));
}

Test(bare, response_from_the_wrong_side_is_dropped, .init = begin_open,
     .fini = end_open)
{
	char *via, t[3000];
	struct vreq *r;

	r = phone_invite(a, "bob");
	world_run(w, 50);
	cr_assert_eq(b->invc, 1);
	/* the callee knows our branch towards the node, and answers on it */
	via = strstr(b->inv[0].req, "Via: SIP/2.0/TCP 10.0.0.1:5070");
	cr_assert(via);
	(void)snprintf(t, sizeof(t), "SIP/2.0 603 No\r\n%.*s\r\n"
		"From: <sip:alice@example.com>;tag=f%u\r\nTo: <sip:b@e>;tag=1"
		"\r\nCall-ID: %s\r\nCSeq: %u INVITE\r\nContent-Length: 0\r\n"
		"\r\n", (int)(strstr(via, "\r\n") - via), via, r->cseq,
		r->callid, r->cseq);
	sim_datagram(w->net, &b->host.addr, &w->client.addr, sl_cstr(t));
	world_run(w, 50);
	cr_expect_eq(r->final, 0);
}

Test(guard, drain_refuses_new_calls_and_finishes_the_old)
{
	struct vreq *r = phone_invite(a, "bob"), *x;

	world_run(w, 50);
	edge_drain(w->edge);
	x = phone_invite(a, "bob");
	world_run(w, 50);
	cr_expect_eq(x->final, 503);
	cr_expect_gt(edge_pending(w->edge), 0);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 50);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(edge_pending(w->edge), 0);
}

Test(guard, reconf_takes_a_node_out_and_brings_one_in)
{
	struct disp_node_conf n[2] = { 0 };
	struct vreq *r;

	for (int i = 0; i < 2; i++) {
		(void)snprintf(n[i].name, sizeof(n[i].name), "m%d", i);
		n[i].addr = w->node[i + 1].host.addr;
		n[i].tp = TP_TCP;
		n[i].weight = 10;
	}
	cr_assert_eq(edge_reconf(w->edge, &w->ec.tune, n, 2, w->net->now), 0);
	world_run(w, 3000);
	b->answer = 10;
	for (int i = 0; i < 8; i++) {
		r = phone_invite(a, "bob");
		world_run(w, 100);
		cr_expect_eq(r->final, 200);
	}
	cr_expect_eq(w->node[0].got[SIP_INVITE], 0);
}

Test(guard, node_taken_out_finishes_what_it_has)
{
	struct vnode *n = world_node_of(w, "bob");
	struct disp_node_conf other[W_NODES] = { 0 };
	struct vreq *r = phone_invite(a, "bob"), *x;
	uint16_t k = 0;

	world_run(w, 50);
	cr_assert_eq(b->invc, 1);
	for (int i = 0; i < W_NODES; i++) {
		if (&w->node[i] == n)
			continue;
		(void)snprintf(other[k].name, sizeof(other[k].name), "m%d", i);
		other[k].addr = w->node[i].host.addr;
		other[k].tp = TP_TCP;
		other[k++].weight = 10;
	}
	cr_assert_eq(edge_reconf(w->edge, &w->ec.tune, other, k, w->net->now),
		     0);
	x = phone_invite(a, "bob");
	world_run(w, 100);
	phone_answer(b, &b->inv[0], 200, NULL);
	phone_answer(b, &b->inv[1], 200, NULL);
	world_run(w, 100);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(n->got[SIP_INVITE], 1);
}

Test(guard, node_taken_out_that_dies_loses_what_it_has_at_once)
{
	struct vnode *n = world_node_of(w, "bob");
	struct disp_node_conf other = { .name = "m", .tp = TP_TCP,
					.weight = 1 };
	struct vreq *r;

	other.addr = w->node[n->idx ? 0 : 1].host.addr;
	n->mode = V_TRYING;
	r = phone_invite(a, "bob");
	b->answer = 10;
	world_run(w, 50);
	cr_assert_eq(edge_reconf(w->edge, &w->ec.tune, &other, 1,
				 w->net->now), 0);
	node_kill(n);
	world_run(w, 100);
	cr_expect_eq(r->final, 200);
}

static void stream_bad(const char *text, enum frame_verdict v)
{
	struct flow f = { .tp = TP_TCP, .lst = 1, .conn = 99 };
	struct sip_out o;
	bool closed = false;

	cr_assert_eq(addr_parse(&f.peer, SL("198.51.100.9:1"), 0), 0);
	edge_recv(w->edge, &f, sl_cstr(text), v, "Bad Content-Length",
		  w->net->now);
	while (edge_poll(w->edge, &o)) {
		if (o.kind == SIP_OUT_CLOSE)
			closed = true;
		else if (o.kind == SIP_OUT_SEND) {
			cr_expect_not(closed, "answer after the close");
			cr_expect(!memcmp(o.blob->p, v == FRAME_BIG ?
					  "SIP/2.0 513" : "SIP/2.0 400", 11));
			blob_unref(o.blob);
		}
	}
	cr_expect(closed);
}

Test(guard, stream_that_cannot_be_cut_is_answered_and_closed)
{
	static const char head[] = "INVITE sip:bob@example.com SIP/2.0\r\n"
		"Via: SIP/2.0/TCP a;branch=z9hG4bKq\r\nFrom: <sip:a@b>;tag=1"
		"\r\nTo: <sip:a@b>\r\nCall-ID: q\r\nCSeq: 1 INVITE\r\n"
		"Content-Length: -999\r\n\r\n";

	stream_bad(head, FRAME_BAD);
	stream_bad(head, FRAME_BIG);
	stream_bad("GET / HTTP/1.0\r\n\r\n", FRAME_BAD);
	stream_bad("", FRAME_BAD);
}
