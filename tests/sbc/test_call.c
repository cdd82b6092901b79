/* The call object, rule by rule, with stand-in nodes: whose 500 it is, who is
 * cancelled when, what passes a node that does not work, callers whose
 * connection is lost. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "world.h"

static struct world *w;
static struct vphone *a, *b;

static void begin(void)
{
	w = world_new(1, NULL);
	a = world_phone(w, "alice", SIM_STREAM);
	b = world_phone(w, "bob", SIM_DATAGRAM);
	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 50);
}

static void end(void)
{
	cr_expect_eq(w->leaks, 0, "inside address: %s", w->leak);
	world_run(w, 230000);
	cr_expect_eq(edge_pending(w->edge), 0);
	cr_expect_eq(world_stat(w, "sip_server_transactions", NULL), 0);
	world_free(w);
}

TestSuite(call, .init = begin, .fini = end);

/* --- whose answer is it --- */

Test(call, node_that_says_500_without_a_branch_is_passed_over)
{
	struct vnode *n = world_node_of(w, "bob");
	struct disp_view v;
	struct vreq *r;

	n->mode = V_ERROR;
	b->answer = 50;
	r = phone_invite(a, "bob");
	world_run(w, 1000);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(b->invc, 1);
	cr_expect_eq(world_stat(w, "sbc_failover_total", "why=\"error\""), 1);
	/* a request that no node can digest must not empty the pool */
	cr_assert_eq(disp_view(edge_disp(w->edge), (uint16_t)n->idx, &v), 0);
	cr_expect_eq(v.state, DISP_UP);
	cr_expect_eq(v.refused + v.silent, 0);
}

Test(call, other_requests_than_invite_pass_over_a_500_as_well)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	n->mode = V_ERROR;
	r = phone_send(a, SIP_MESSAGE, "bob", NULL);
	world_run(w, 1000);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(b->got[SIP_MESSAGE], 1);
}

Test(call, a_500_of_all_nodes_is_the_answer)
{
	struct vreq *r;

	for (int i = 0; i < W_NODES; i++)
		w->node[i].mode = V_ERROR;
	r = phone_invite(a, "bob");
	world_run(w, 1000);
	cr_expect_eq(r->final, 500);
	cr_expect_eq(b->invc, 0);
}

Test(call, a_500_of_the_callee_is_his_answer)
{
	struct vreq *r;
	unsigned seen = 0;

	b->answer = 50;
	b->code = 500;
	r = phone_invite(a, "bob");
	world_run(w, 1000);
	cr_expect_eq(r->final, 500);
	cr_expect_eq(b->invc, 1);
	for (int i = 0; i < W_NODES; i++)
		seen += w->node[i].got[SIP_INVITE];
	cr_expect_eq(seen, 1);
}

Test(call, answers_of_people_never_fail_over)
{
	static const uint16_t code[] = { 401, 407, 486, 600, 603 };

	for (unsigned i = 0; i < 5; i++) {
		unsigned seen = 0, was = 0;
		struct vreq *r;

		for (int k = 0; k < W_NODES; k++)
			was += w->node[k].got[SIP_INVITE];
		b->answer = 20;
		b->code = code[i];
		r = phone_invite(a, "bob");
		world_run(w, 1000);
		cr_expect_eq(r->final, code[i]);
		cr_expect_eq(b->invc, i + 1);
		for (int k = 0; k < W_NODES; k++)
			seen += w->node[k].got[SIP_INVITE];
		cr_expect_eq(seen - was, 1, "%u", code[i]);
	}
}

/* --- around the timer --- */

/** The node's 100 comes at each millisecond around no100, with a CANCEL or
 *  without, and the branch right behind it */
static void around(bool cancel, uint32_t cancel_at)
{
	for (uint32_t lag = 100; lag <= 150; lag++) {
		struct vnode *n = world_node_of(w, "bob");
		unsigned invc = b->invc;
		struct vreq *r;

		n->host.lag = lag;
		b->answer = 30;
		r = phone_invite(a, "bob");
		world_run(w, cancel_at);
		if (cancel)
			phone_cancel(a, r);
		world_run(w, 3000 - cancel_at);
		cr_expect(vreq_whole(r), "lag %u: %u", lag, r->final);
		cr_expect_eq(b->dup_invites, 0, "lag %u", lag);
		if (!cancel)
			cr_expect_eq(r->final, 200, "lag %u: %u", lag,
				     r->final);
		cr_expect_leq(b->invc - invc, 1, "lag %u", lag);
		for (unsigned i = invc; i < b->invc; i++)
			cr_expect(b->inv[i].over);
		n->host.lag = 0;
		world_run(w, 2000);
	}
}

Test(call, node_that_answers_just_before_or_after_the_failover)
{
	around(false, 0);
}

Test(call, node_that_answers_around_the_failover_of_a_cancelled_call)
{
	for (uint32_t t = 200; t <= 300; t += 7) {
		around(true, t);
		/* a stand-in forgets no call */
		world_free(w);
		begin();
	}
}

/* --- what is open ends with the call --- */

Test(call, loser_of_a_fork_is_cancelled_though_the_node_dies_with_the_answer)
{
	struct vphone *c = world_phone_of(w, "bob2", "bob", 0, SIM_STREAM);
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	(void)phone_register(c);
	world_run(w, 50);
	r = phone_invite(a, "bob");
	world_run(w, 100);
	cr_assert_eq(b->invc, 1);
	cr_assert_eq(c->invc, 1);
	phone_answer(b, &b->inv[0], 200, NULL);
	/* phone, edge, node: it has sent the 200 and both CANCELs are lost */
	world_run(w, 2);
	sim_cut(w->net, sim_between(w->net, &n->host.addr, &w->core.addr));
	node_kill(n);
	world_run(w, 1000);
	cr_expect_eq(r->final, 200);
	cr_expect(c->inv[0].cancelled);
	cr_expect(strstr(c->last[SIP_CANCEL], "Call completed elsewhere"));
}

Test(call, cancel_reaches_phones_whatever_their_node_does)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	sim_freeze(w->net, &n->host);
	phone_cancel(a, r);
	world_run(w, 50);
	cr_expect(b->inv[0].cancelled);
	sim_thaw(w->net, &n->host);
	world_run(w, 1000);
	cr_expect_eq(r->final, 487);
	cr_expect_eq(b->got[SIP_CANCEL], 1);
}

Test(call, reason_of_a_cancel_reaches_the_phone)
{
	struct vreq *r = phone_invite(a, "bob");
	char txt[2048];
	const char *via;

	world_run(w, 100);
	via = strstr(r->req, "Via: ");
	cr_assert(via);
	(void)snprintf(txt, sizeof(txt), "CANCEL sip:bob@example.com SIP/2.0\n"
		"%.*s\nMax-Forwards: 70\nFrom: <sip:alice@example.com>;"
		"tag=f%u\nTo: <sip:bob@example.com>\nCall-ID: %s\n"
		"CSeq: %u CANCEL\nReason: SIP;cause=200;text=\"taken\"\n"
		"Content-Length: 0\n\n", (int)strcspn(via, "\r"), via, a->seq,
		r->callid, r->cseq);
	phone_raw(a, txt);
	world_run(w, 1000);
	cr_expect_eq(r->final, 487);
	cr_assert(b->last[SIP_CANCEL]);
	cr_expect(strstr(b->last[SIP_CANCEL], "text=\"taken\""));
}

Test(call, no_branch_is_opened_for_a_caller_who_has_his_answer)
{
	struct vphone *c = world_phone_of(w, "bob2", "bob", 0, SIM_DATAGRAM);
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	/* the node goes deaf: the callee's 200 passes it, and it never knows */
	b->ring = 20;
	b->answer = 200;
	r = phone_invite(a, "bob");
	world_run(w, 100);
	n->deaf = true;
	world_run(w, 1000);
	cr_assert_eq(r->final, 200);
	n->deaf = false;
	(void)phone_register(c);
	world_run(w, 100);
	for (unsigned i = 0; i < W_VCALLS; i++)
		if (n->call[i].used && n->call[i].forkc)
			node_fork_more(n, &n->call[i]);
	world_run(w, 200);
	cr_expect_eq(c->invc, 0);
	cr_expect_geq(world_stat(w, "sbc_gate_total", NULL), 1);
}

/* --- past a node that does not work --- */

Test(call, answer_that_a_node_swallows_passes_it_with_its_first_copy)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	world_foreign(w);
	n->deaf = true;
	b->ring = UINT32_MAX;
	b->answer = 30;
	r = phone_invite(a, "bob");
	world_run(w, 300);
	cr_expect_eq(r->final, 0);
	world_run(w, 700);
	cr_expect_eq(r->final, 200);
	cr_expect(b->inv[0].acked);
	cr_expect_eq(world_stat(w, "sbc_rescued_total", NULL), 1);
}

Test(call, phones_of_the_last_node_ring_on_when_it_freezes)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	for (int i = 0; i < W_NODES; i++)
		if (&w->node[i] != n)
			node_kill(&w->node[i]);
	world_run(w, 2000);
	sim_freeze(w->net, &n->host);
	world_run(w, 6000);
	cr_expect_eq(world_stat(w, "sbc_adopted_total", NULL), 1);
	phone_answer(b, &b->inv[0], 486, NULL);
	world_run(w, 1000);
	cr_expect_eq(r->final, 486);
	cr_expect_eq(b->invc, 1);
}

Test(call, phones_ring_on_when_all_nodes_freeze_at_once)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	for (int i = 0; i < W_NODES; i++)
		sim_freeze(w->net, &w->node[i].host);
	world_run(w, 6000);
	cr_expect_eq(world_stat(w, "sbc_adopted_total", NULL), 1);
	phone_answer(b, &b->inv[0], 486, NULL);
	world_run(w, 1000);
	cr_expect_eq(r->final, 486);
	cr_expect_eq(b->invc, 1);
}

Test(call, node_that_owes_the_answer_of_its_phones_is_given_up)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	n->deaf = true;
	b->answer = 30;
	b->code = 486;
	r = phone_invite(a, "bob");
	world_run(w, 1500);
	cr_expect_eq(r->final, 0);
	world_run(w, 1000);
	cr_expect_eq(r->final, 486);
	cr_expect_eq(b->invc, 1);
}

Test(call, node_that_owes_the_answer_to_a_cancelled_call_is_given_up)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	n->deaf = true;
	sim_freeze(w->net, &n->host);
	phone_cancel(a, r);
	for (int i = 0; i < W_NODES; i++)
		sim_freeze(w->net, &w->node[i].host);
	world_run(w, 2500);
	cr_expect_eq(r->final, 487);
	cr_expect(b->inv[0].over);
}

Test(call, forked_answers_of_two_phones_both_reach_the_caller_of_a_dead_node)
{
	struct vphone *c = world_phone_of(w, "bob2", "bob", 0, SIM_STREAM);
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	(void)phone_register(c);
	world_run(w, 50);
	r = phone_invite(a, "bob");
	world_run(w, 100);
	node_kill(n);
	world_run(w, 50);
	/* both before a CANCEL can reach either */
	phone_answer(b, &b->inv[0], 200, NULL);
	phone_answer(c, &c->inv[0], 200, NULL);
	world_run(w, 1000);
	cr_expect_eq(r->ok, 2);
	cr_expect_eq(r->non2xx, 0);
	cr_expect(b->inv[0].acked);
	cr_expect(c->inv[0].acked);
}

Test(call, copies_of_an_answer_reach_the_caller_after_its_node_has_died)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	node_kill(n);
	world_run(w, 50);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 2);
	w->net->loss = 1000;           /* the ACK to bob, who is on UDP */
	world_run(w, 400);
	w->net->loss = 0;
	cr_expect_eq(r->final, 200);
	cr_expect_not(b->inv[0].acked);
	world_run(w, 1000);
	cr_expect(b->inv[0].acked);
}

Test(call, answer_a_node_dies_with_ends_the_fork_at_once)
{
	struct vphone *c = world_phone_of(w, "bob2", "bob", 0, SIM_STREAM);
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	(void)phone_register(c);
	world_run(w, 50);
	r = phone_invite(a, "bob");
	world_run(w, 100);
	sim_freeze(w->net, &n->host);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 20);
	node_kill(n);
	world_run(w, 20);
	cr_expect_eq(r->final, 200);
	cr_expect(c->inv[0].cancelled);
}

Test(call, answer_in_an_adopted_fork_ends_it_at_once)
{
	struct vphone *c = world_phone_of(w, "bob2", "bob", 0, SIM_STREAM);
	struct vreq *r;

	(void)phone_register(c);
	world_run(w, 50);
	r = phone_invite(a, "bob");
	world_run(w, 100);
	node_kill(world_node_of(w, "bob"));
	world_run(w, 50);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 20);
	cr_expect_eq(r->final, 200);
	cr_expect(c->inv[0].cancelled);
}

Test(call, caller_of_an_adopted_call_need_not_wait_for_its_phones)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	node_kill(world_node_of(w, "bob"));
	world_run(w, 50);
	/* bob is on UDP, the caller on TCP */
	w->net->loss = 1000;
	phone_cancel(a, r);
	world_run(w, 20);
	w->net->loss = 0;
	cr_expect_eq(r->final, 487);
}

/** Two phones of a call without any node left refuse it */
static uint16_t best_of(uint16_t one, uint16_t two)
{
	struct vphone *c = world_phone_of(w, "bob2", "bob", 0, SIM_STREAM);
	struct vreq *r;

	(void)phone_register(c);
	world_run(w, 50);
	r = phone_invite(a, "bob");
	world_run(w, 100);
	for (int i = 0; i < W_NODES; i++)
		node_kill(&w->node[i]);
	world_run(w, 50);
	phone_answer(b, &b->inv[0], one, NULL);
	world_run(w, 50);
	phone_answer(c, &c->inv[0], two, NULL);
	world_run(w, 2000);
	return r->final;
}

Test(call, busy_is_a_better_answer_than_not_reached)
{
	cr_expect_eq(best_of(480, 486), 486);
}

Test(call, busy_stays_the_better_answer)
{
	cr_expect_eq(best_of(486, 480), 486);
}

Test(call, lower_class_is_the_better_answer)
{
	cr_expect_eq(best_of(500, 404), 404);
}

/* --- early dialogs --- */

Test(call, early_dialogs_of_an_adopted_fork_keep_their_tags)
{
	struct vphone *c = world_phone_of(w, "bob2", "bob", 0, SIM_STREAM);
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r, *upd;

	world_foreign(w);
	(void)phone_register(c);
	world_run(w, 50);
	b->ring = c->ring = UINT32_MAX;
	r = phone_invite(a, "bob");
	world_run(w, 100);
	/* both ring while their node can pass nothing on any more */
	sim_freeze(w->net, &n->host);
	phone_answer(b, &b->inv[0], 183, NULL);
	phone_answer(c, &c->inv[0], 183, NULL);
	world_run(w, 100);
	cr_expect_eq(r->earlyc, 0);
	node_kill(n);
	world_run(w, 100);
	cr_assert_eq(r->earlyc, 2);
	cr_expect_str_neq(r->early[0].tag, r->early[1].tag);
	upd = phone_early(a, r, 0, SIP_UPDATE);
	world_run(w, 100);
	cr_expect_eq(upd->final, 200);
	upd = phone_early(a, r, 1, SIP_UPDATE);
	world_run(w, 100);
	cr_expect_eq(upd->final, 200);
	cr_expect_eq(b->got[SIP_UPDATE], 1);
	cr_expect_eq(c->got[SIP_UPDATE], 1);
	phone_answer(c, &c->inv[0], 200, NULL);
	world_run(w, 500);
	cr_expect_eq(r->final, 200);
	cr_expect_str_eq(r->tag[0], "tbob2");
	cr_expect(b->inv[0].cancelled);
}

Test(call, reliable_ringing_and_its_prack_need_no_node)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	b->reliable = true;
	b->ring = 200;
	b->answer = 1000;
	r = phone_invite(a, "bob");
	world_run(w, 100);
	node_kill(n);
	world_run(w, 500);
	cr_expect_eq(r->earlyc, 1);
	cr_expect(b->inv[0].pracked);
	cr_expect_eq(b->got[SIP_PRACK], 1);
	world_run(w, 1000);
	cr_expect_eq(r->final, 200);
}

/* --- limits --- */

static void hasty(struct edge_conf *ec)
{
	ec->tune.deadline = 1500;
	ec->tune.max_attempts = 2;
}

static void begin_hasty(void)
{
	w = world_new(1, hasty);
	a = world_phone(w, "alice", SIM_STREAM);
	b = world_phone(w, "bob", SIM_DATAGRAM);
	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 50);
}

static unsigned asked_nodes(void)
{
	unsigned n = 0;

	for (int i = 0; i < W_NODES; i++)
		n += w->node[i].got[SIP_INVITE];
	return n;
}

Test(limits, no_further_node_after_the_deadline, .init = begin_hasty,
     .fini = end)
{
	struct vreq *r;

	world_node_of(w, "bob")->mode = V_TRYING;
	r = phone_invite(a, "bob");
	world_run(w, 5000);
	cr_expect_eq(r->final, 408);
	cr_expect_eq(asked_nodes(), 1);
}

Test(limits, no_more_nodes_than_max_attempts, .init = begin_hasty,
     .fini = end)
{
	unsigned nodes = 0;
	struct vreq *r;

	for (int i = 0; i < W_NODES; i++)
		w->node[i].mode = V_MUTE;
	r = phone_invite(a, "bob");
	world_run(w, 5000);
	cr_expect_eq(r->final, 408);
	for (int i = 0; i < W_NODES; i++)
		nodes += w->node[i].got[SIP_INVITE] > 0;
	cr_expect_eq(nodes, 2);
}

/* --- late answers --- */

Test(call, late_answer_of_a_node_given_up_reaches_the_caller)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	/* a mailbox in the pool, 300 ms after the phone began to ring */
	n->mode = V_ANSWER;
	n->host.lag = 300;
	r = phone_invite(a, "bob");
	world_run(w, 500);
	cr_expect_eq(b->invc, 1);
	world_run(w, 1000);
	cr_expect_eq(r->final, 200);
	cr_expect(b->inv[0].cancelled);
	cr_expect_eq(world_stat(w, "sbc_late_2xx_total", NULL), 1);
}

/* --- Timer C --- */

static void short_ring(struct edge_conf *ec)
{
	ec->tune.ring = 3000;
}

static void begin_ring(void)
{
	w = world_new(1, short_ring);
	a = world_phone(w, "alice", SIM_STREAM);
	b = world_phone(w, "bob", SIM_DATAGRAM);
	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 50);
}

Test(ring, phone_that_never_answers_is_cancelled_after_timer_c,
     .init = begin_ring, .fini = end)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 2900);
	cr_expect_not(b->inv[0].cancelled);
	world_run(w, 1000);
	cr_expect(b->inv[0].cancelled);
	world_run(w, 1000);
	cr_expect_eq(r->final, 408);
}

Test(ring, adopted_phone_that_never_answers_is_cancelled_after_timer_c,
     .init = begin_ring, .fini = end)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	node_kill(n);
	world_run(w, 4000);
	cr_expect(b->inv[0].cancelled);
	cr_expect_eq(r->final, 408);
	cr_expect_eq(b->invc, 1);
}

/* --- the caller's connection --- */

Test(call, phones_of_a_caller_who_is_gone_stop_ringing)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	cr_assert_eq(b->invc, 1);
	phone_cut(a);
	world_run(w, 4900);
	cr_expect_not(b->inv[0].cancelled);
	world_run(w, 200);
	cr_expect(b->inv[0].cancelled);
	cr_expect_eq(r->final, 0);
	cr_expect_eq(world_stat(w, "sbc_caller_gone_total", NULL), 1);
}

Test(call, a_caller_who_is_back_in_time_gets_the_answer)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	phone_cut(a);
	world_run(w, 3000);
	phone_again(a, r);
	world_run(w, 6000);
	cr_expect_not(b->inv[0].cancelled);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 500);
	cr_expect_eq(r->final, 200);
	cr_expect(b->inv[0].acked);
	cr_expect_eq(world_stat(w, "sbc_caller_gone_total", NULL), 0);
}

Test(call, a_caller_who_was_back_and_is_gone_again_is_given_up)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	phone_cut(a);
	world_run(w, 3000);
	phone_again(a, r);
	world_run(w, 1000);
	phone_cut(a);
	world_run(w, 4900);
	cr_expect_not(b->inv[0].cancelled);
	world_run(w, 200);
	cr_expect(b->inv[0].cancelled);
}

Test(call, answered_calls_do_not_mind_the_loss_of_the_callers_connection)
{
	struct vreq *r = phone_invite(a, "bob");

	b->answer = 50;
	world_run(w, 50);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 200);
	cr_assert_eq(r->final, 200);
	phone_cut(a);
	world_run(w, 10000);
	cr_expect_eq(world_stat(w, "sbc_caller_gone_total", NULL), 0);
	cr_expect_eq(b->got[SIP_BYE], 0);
}

/* --- when it is over --- */

/* For 32 s more a call has the requests by which copies are known, two INVITEs and a
 * BYE, and the answer to the BYE. Not what it sent, nor what nobody repeats */
Test(call, over_it_keeps_four_messages)
{
	enum { CALLS = 20, EACH = 4 };
	struct vphone *c = world_phone(w, "carol", SIM_DATAGRAM);
	uint64_t before, after;

	(void)phone_register(c);
	b->ring = 5;
	b->answer = 20;
	world_run(w, 40000);
	before = world_stat(w, "sbc_messages_kept", NULL);
	for (unsigned i = 0; i < CALLS; i++) {
		struct vreq *r = phone_invite(c, "bob"), *bye;

		world_run(w, 50);
		cr_assert(r->final == 200 && r->provc);
		bye = phone_in_dialog(c, r, SIP_BYE);
		world_run(w, 50);
		cr_assert_eq(bye->final, 200);
	}
	after = world_stat(w, "sbc_messages_kept", NULL);
	/* one more or less is a probe's */
	cr_expect_leq(after, before + EACH * CALLS + 1);
	cr_expect_geq(after + 1, before + EACH * CALLS);
	world_run(w, 70000);
	cr_expect_leq(world_stat(w, "sbc_messages_kept", NULL), before + 1);
}
