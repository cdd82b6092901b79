/* The edge with virtual nodes and phones: calls, failover, gate, CANCEL. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "world.h"

static struct world *w;
static struct vphone *a, *b;

static void begin(void)
{
	w = world_new(1, NULL);
	a = world_phone(w, "alice", SIM_DATAGRAM);
	b = world_phone(w, "bob", SIM_DATAGRAM);
	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 50);
}

static void end(void)
{
	cr_expect_eq(w->leaks, 0, "inside address: %s", w->leak);
	world_run(w, 70000);
	cr_expect_eq(edge_pending(w->edge), 0);
	cr_expect_eq(world_stat(w, "sip_server_transactions", NULL), 0);
	world_free(w);
}

TestSuite(edge, .init = begin, .fini = end);

Test(edge, register_is_answered_and_shows_no_path)
{
	cr_assert_eq(a->req[0].final, 200);
	cr_expect_not(strstr(a->req[0].okmsg, "Path"));
	cr_expect_not(strstr(a->req[0].okmsg, "Edgewise"));
	cr_expect_eq(w->locc, 2);
}

Test(edge, call_is_set_up_and_ended_without_a_node_in_the_dialog)
{
	struct vreq *r = phone_invite(a, "bob"), *bye;
	unsigned seen = 0;

	b->answer = 100;
	world_run(w, 1000);
	cr_assert_eq(r->final, 200);
	cr_expect(vreq_whole(r));
	cr_expect_eq(r->provc, 1, "no 100 is due any more");
	cr_expect_eq(r->prov[0], 180);
	cr_expect_eq(b->acks, 1);
	for (int i = 0; i < W_NODES; i++)
		seen += w->node[i].got[SIP_ACK];
	cr_expect_eq(seen, 0);

	/* no node is needed any more */
	for (int i = 0; i < W_NODES; i++)
		node_kill(&w->node[i]);
	world_run(w, 100);
	bye = phone_in_dialog(a, r, SIP_BYE);
	world_run(w, 100);
	cr_expect_eq(bye->final, 200);
	cr_expect_eq(b->got[SIP_BYE], 1);
}

Test(edge, callee_can_end_the_call)
{
	struct vreq *r = phone_invite(a, "bob"), *bye;

	b->answer = 100;
	world_run(w, 1000);
	cr_assert_eq(r->final, 200);
	bye = phone_callee_request(b, &b->inv[0], SIP_BYE);
	world_run(w, 100);
	cr_expect_eq(bye->final, 200);
	cr_expect_eq(a->got[SIP_BYE], 1);
}

Test(edge, silent_node_costs_no100_and_nothing_else)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	n->mode = V_MUTE;
	b->answer = 50;
	r = phone_invite(a, "bob");
	world_run(w, 2000);
	cr_assert_eq(r->final, 200);
	cr_expect_leq(r->ended - r->sent, 250 + 80);
	cr_expect_eq(n->got[SIP_INVITE], 1);
	cr_expect_eq(b->invc, 1);
	cr_expect_eq(world_stat(w, "sbc_failover_total", "why=\"silent\""), 1);
	cr_expect_eq(world_stat(w, "sbc_saved_total", NULL), 1);
}

Test(edge, dead_node_is_noticed_by_the_reset)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	b->answer = 50;
	sim_freeze(w->net, &n->host);
	r = phone_invite(a, "bob");
	world_run(w, 20);
	sim_thaw(w->net, &n->host);
	n->mode = V_MUTE;
	node_kill(n);
	world_run(w, 500);
	cr_assert_eq(r->final, 200);
	cr_expect_leq(r->ended - r->sent, 100);
	cr_expect_eq(world_stat(w, "sbc_failover_total", "why=\"reset\""), 1);
	cr_expect_eq(b->invc, 1);
}

Test(edge, refusing_node_is_passed_over)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	n->mode = V_BUSY;
	b->answer = 50;
	r = phone_invite(a, "bob");
	world_run(w, 500);
	cr_assert_eq(r->final, 200);
	cr_expect_eq(world_stat(w, "sbc_failover_total", "why=\"refused\""),
		     1);
}

Test(edge, node_that_says_100_and_hangs_is_passed_over)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	n->mode = V_TRYING;
	b->answer = 50;
	r = phone_invite(a, "bob");
	world_run(w, 4000);
	cr_assert_eq(r->final, 200);
	cr_expect_eq(world_stat(w, "sbc_failover_total", "why=\"hung\""), 1);
}

Test(edge, all_nodes_refusing_gives_503_with_retry_after)
{
	struct vreq *r;

	for (int i = 0; i < W_NODES; i++)
		w->node[i].mode = V_BUSY;
	r = phone_invite(a, "bob");
	world_run(w, 500);
	cr_assert_eq(r->final, 503);
	cr_expect(r->retry_after);
	cr_expect(vreq_whole(r));
}

Test(edge, all_nodes_frozen_for_a_while_gives_503_with_retry_after)
{
	struct vreq *r;

	for (int i = 0; i < W_NODES; i++)
		sim_freeze(w->net, &w->node[i].host);
	world_run(w, 6000);
	r = phone_invite(a, "bob");
	world_run(w, 6000);
	cr_assert_eq(r->final, 503);
	cr_expect(r->retry_after);
}

Test(edge, all_nodes_silent_gives_408)
{
	struct vreq *r;

	for (int i = 0; i < W_NODES; i++)
		w->node[i].mode = V_MUTE;
	r = phone_invite(a, "bob");
	world_run(w, 11000);
	cr_assert_eq(r->final, 408);
	cr_expect(vreq_whole(r));
	cr_expect_eq(world_stat(w, "sbc_lost_total", "why=\"silent\""), 1);
}

Test(edge, silent_node_does_not_lose_a_register)
{
	struct vnode *n = world_node_of(w, "alice");
	struct vreq *r;

	n->mode = V_MUTE;
	r = phone_register(a);
	world_run(w, 2000);
	cr_assert_eq(r->final, 200);
	cr_expect_leq(r->ended - r->sent, 600);
	cr_expect(vreq_whole(r));
}

Test(edge, gate_keeps_a_thawed_node_from_ringing_the_phone_again)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	sim_freeze(w->net, &n->host);
	r = phone_invite(a, "bob");
	world_run(w, 400);
	cr_assert_eq(b->invc, 1);
	sim_thaw(w->net, &n->host);
	world_run(w, 400);
	cr_expect_eq(n->got[SIP_INVITE], 1);
	cr_expect_eq(b->invc, 1);
	cr_expect_eq(b->dup_invites, 0);
	cr_expect_eq(world_stat(w, "sbc_gate_total", NULL), 1);
	/* the node's ACK to that 487 is none of the phone's */
	cr_expect_eq(b->acks, 0);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 100);
	cr_expect_eq(r->final, 200);
	cr_expect(vreq_whole(r));
}

/* RFC 3261 17.2.1: within 200 ms, unless he has an answer by then */
Test(edge, caller_gets_a_100_when_nobody_rings_soon)
{
	struct vreq *r;

	b->ring = 1000;
	r = phone_invite(a, "bob");
	world_run(w, 190);
	cr_expect_eq(r->provc, 0);
	world_run(w, 20);
	cr_assert_eq(r->provc, 1);
	cr_expect_eq(r->prov[0], 100);
	world_run(w, 1000);
	cr_assert_eq(r->provc, 2);
	cr_expect_eq(r->prov[1], 180);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 100);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(b->dup_invites, 0);
	(void)phone_in_dialog(a, r, SIP_BYE);
	world_run(w, 100);
}

Test(edge, ringing_call_of_a_dead_node_is_answered_all_the_same)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = phone_invite(a, "bob"), *bye;

	world_run(w, 200);
	cr_assert_eq(r->provc, 1);
	node_kill(n);
	/* longer than the branch to the dead node is remembered */
	world_run(w, 60000);
	cr_expect_eq(r->final, 0);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 300);
	cr_expect_eq(r->final, 200);
	cr_expect(vreq_whole(r));
	cr_expect_eq(b->acks, 1);
	cr_expect_eq(b->invc, 1);
	cr_expect_eq(world_stat(w, "sbc_adopted_total", NULL), 1);
	cr_expect_eq(world_stat(w, "sbc_rescued_total", NULL), 1);
	cr_expect_eq(world_stat(w, "sbc_lost_total", "why=\"ringing\""), 0);
	bye = phone_in_dialog(a, r, SIP_BYE);
	world_run(w, 100);
	cr_expect_eq(bye->final, 200);
}

Test(edge, ringing_that_died_with_the_node_is_heard_by_the_caller)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	world_foreign(w);
	b->ring = UINT32_MAX;
	r = phone_invite(a, "bob");
	world_run(w, 100);
	cr_assert_eq(b->invc, 1);
	sim_freeze(w->net, &n->host);
	phone_answer(b, &b->inv[0], 180, NULL);
	world_run(w, 50);
	cr_expect_eq(r->provc, 0);
	node_kill(n);
	world_run(w, 50);
	cr_assert_eq(r->provc, 1);
	cr_expect_eq(r->prov[0], 180);
	/* and what the phone says from now on */
	phone_answer(b, &b->inv[0], 183, NULL);
	world_run(w, 50);
	cr_assert_eq(r->provc, 2);
	cr_expect_eq(r->prov[1], 183);
	phone_answer(b, &b->inv[0], 486, NULL);
	world_run(w, 50);
	cr_expect_eq(r->final, 486);
	cr_expect(vreq_whole(r));
}

Test(edge, ringing_kept_by_a_frozen_node_is_heard_before_probes_tell)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	world_foreign(w);
	b->ring = UINT32_MAX;
	r = phone_invite(a, "bob");
	world_run(w, 100);
	cr_assert_eq(b->invc, 1);
	sim_freeze(w->net, &n->host);
	phone_answer(b, &b->inv[0], 180, NULL);
	world_run(w, 400);
	cr_assert_eq(r->provc, 2);
	cr_expect_eq(r->prov[1], 180);
	cr_expect_eq(world_stat(w, "sbc_adopted_total", NULL), 1);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 50);
	cr_expect_eq(r->final, 200);
	cr_expect(vreq_whole(r));
}

Test(edge, node_that_passes_the_ringing_on_keeps_its_call)
{
	struct vreq *r;

	b->ring = 10;
	b->answer = UINT32_MAX;
	r = phone_invite(a, "bob");
	world_run(w, 3000);
	cr_expect_eq(r->prov[r->provc - 1], 180);
	cr_expect_eq(world_stat(w, "sbc_adopted_total", NULL), 0);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 50);
	cr_expect_eq(r->final, 200);
}

Test(edge, adopted_call_is_cancelled_by_its_caller)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 200);
	node_kill(n);
	world_run(w, 100);
	phone_cancel(a, r);
	world_run(w, 200);
	cr_expect_eq(r->final, 487);
	cr_expect(vreq_whole(r));
	cr_expect(b->inv[0].cancelled);
}

Test(edge, adopted_fork_has_one_winner)
{
	struct vphone *c = world_phone(w, "bob", SIM_STREAM);
	struct vnode *n;
	struct vreq *r;

	(void)phone_register(c);
	world_run(w, 50);
	n = world_node_of(w, "bob");
	r = phone_invite(a, "bob");
	world_run(w, 200);
	cr_assert_eq(b->invc + c->invc, 2);
	node_kill(n);
	world_run(w, 50);
	phone_answer(c, &c->inv[0], 200, NULL);
	world_run(w, 200);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(r->ok, 1);
	cr_expect(b->inv[0].cancelled);
	cr_expect_eq(c->acks, 1);
}

Test(edge, adopted_fork_fails_with_the_best_answer_when_all_have_failed)
{
	struct vphone *c = world_phone(w, "bob", SIM_STREAM);
	struct vreq *r;

	(void)phone_register(c);
	world_run(w, 50);
	r = phone_invite(a, "bob");
	world_run(w, 200);
	cr_assert_eq(b->invc + c->invc, 2);
	node_kill(world_node_of(w, "bob"));
	world_run(w, 50);
	phone_answer(c, &c->inv[0], 500, NULL);
	world_run(w, 100);
	cr_expect_eq(r->final, 0);
	phone_answer(b, &b->inv[0], 486, NULL);
	world_run(w, 100);
	cr_expect_eq(r->final, 486);
	cr_expect(vreq_whole(r));
}

Test(edge, everywhere_busy_stops_an_adopted_fork)
{
	struct vphone *c = world_phone(w, "bob", SIM_STREAM);
	struct vreq *r;

	(void)phone_register(c);
	world_run(w, 50);
	r = phone_invite(a, "bob");
	world_run(w, 200);
	node_kill(world_node_of(w, "bob"));
	world_run(w, 50);
	phone_answer(c, &c->inv[0], 603, NULL);
	world_run(w, 200);
	cr_expect(b->inv[0].cancelled);
	cr_expect_eq(r->final, 603);
}

Test(edge, node_that_wakes_up_cannot_take_an_adopted_call_away)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 200);
	sim_freeze(w->net, &n->host);
	world_run(w, 20000);         /* its probes have failed by now */
	cr_assert_eq(world_stat(w, "sbc_adopted_total", NULL), 1);
	sim_thaw(w->net, &n->host);
	world_run(w, 5000);
	cr_expect_not(b->inv[0].cancelled);
	cr_expect_eq(r->final, 0);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 200);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(b->acks, 1);
	cr_expect_eq(b->invc, 1);
}

Test(edge, answer_that_met_a_frozen_node_counts_more_than_a_later_cancel)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	world_foreign(w);
	r = phone_invite(a, "bob");
	world_run(w, 200);
	sim_freeze(w->net, &n->host);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 50);
	phone_cancel(a, r);
	world_run(w, 50);
	node_kill(n);
	world_run(w, 200);
	cr_expect_eq(r->final, 200);
	cr_expect(vreq_whole(r));
	cr_expect_eq(b->acks, 1);
}

Test(edge, callee_who_answers_just_after_the_cancel_is_hung_up_on)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 200);
	node_kill(n);
	world_run(w, 50);
	phone_cancel(a, r);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 500);
	cr_expect(vreq_whole(r));
	if (r->final == 200)
		return;
	cr_expect_eq(b->got[SIP_BYE], 1);
	cr_expect_eq(world_stat(w, "sbc_ghost_total", "end=\"bye\""), 1);
	/* its 200 is repeated until the ACK is there: one BYE all the same */
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 100);
	cr_expect_eq(b->acks, 2);
	cr_expect_eq(b->got[SIP_BYE], 1);
}

Test(edge, callee_who_makes_up_tags_does_not_fill_the_tables)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = phone_invite(a, "bob");
	char tag[32];

	/* cancelled before its node died: 487 at once, the phone not yet told */
	world_run(w, 200);
	sim_freeze(w->net, &n->host);
	phone_cancel(a, r);
	world_run(w, 10);
	node_kill(n);
	world_run(w, 1);
	for (int i = 0; i < 40; i++) {
		(void)snprintf(tag, sizeof(tag), "made-up-%d", i);
		phone_answer(b, &b->inv[0], 200, tag);
		world_run(w, 5);
	}
	cr_expect_eq(world_stat(w, "sbc_ghost_total", "end=\"bye\""), 15);
}

Test(edge, answer_a_node_dies_with_reaches_the_caller)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	world_foreign(w);
	r = phone_invite(a, "bob");
	world_run(w, 200);
	sim_freeze(w->net, &n->host);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 50);
	cr_expect_eq(r->final, 0);
	node_kill(n);
	world_run(w, 100);
	cr_expect_eq(r->final, 200);
	cr_expect(b->inv[0].acked);
	cr_expect_eq(world_stat(w, "sbc_rescued_total", NULL), 1);
	cr_expect_eq(world_stat(w, "sbc_lost_total", "why=\"ringing\""), 0);
}

Test(edge, busy_callee_is_not_tried_at_another_node)
{
	static const uint16_t codes[] = { 486, 600, 603, 500, 408, 404, 302 };

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		struct vreq *r;
		unsigned before = b->invc;

		b->code = codes[i];
		b->answer = 20;
		r = phone_invite(a, "bob");
		world_run(w, 1000);
		cr_expect_eq(r->final, codes[i]);
		cr_expect(vreq_whole(r));
		cr_expect_eq(b->invc, before + 1);
		cr_expect(b->inv[before].acked);
	}
	cr_expect_eq(world_stat(w, "sbc_saved_total", NULL), 0);
}

Test(edge, callees_503_becomes_500_and_does_not_fail_over)
{
	struct vreq *r;

	b->code = 503;
	b->answer = 20;
	r = phone_invite(a, "bob");
	world_run(w, 1000);
	cr_expect_eq(r->final, 500);
	cr_expect_eq(b->invc, 1);
}

Test(edge, unknown_callee_gets_404_without_an_inside_address)
{
	struct vreq *r = phone_invite(a, "carol");

	world_run(w, 1000);
	cr_expect_eq(r->final, 404);
	cr_expect_eq(world_stat(w, "sbc_hidden_total", "what=\"header\""), 2);
}

Test(edge, cancel_while_ringing)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 200);
	phone_cancel(a, r);
	world_run(w, 200);
	cr_expect_eq(r->final, 487);
	cr_expect(vreq_whole(r));
	cr_expect(b->inv[0].cancelled);
}

Test(edge, cancel_before_the_node_answers_is_held_and_then_answered_here)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	n->mode = V_MUTE;
	r = phone_invite(a, "bob");
	world_run(w, 50);
	phone_cancel(a, r);
	world_run(w, 1000);
	cr_expect_eq(r->final, 487);
	cr_expect(vreq_whole(r));
	cr_expect_eq(b->invc, 0);
	/* no further attempt */
	for (int i = 0; i < W_NODES; i++)
		if (&w->node[i] != n)
			cr_expect_eq(w->node[i].got[SIP_INVITE], 0);
}

Test(edge, cancel_before_the_node_forks_rings_no_phone)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	n->fork_delay = 100;
	r = phone_invite(a, "bob");
	world_run(w, 50);
	phone_cancel(a, r);
	world_run(w, 1000);
	cr_expect_eq(r->final, 487);
	cr_expect_eq(b->invc, 0);
	cr_expect_eq(world_stat(w, "sbc_gate_total", NULL), 1);
}

Test(edge, cancel_at_any_millisecond_gives_one_final_answer)
{
	b->ring = 5;
	b->answer = 20;
	for (uint32_t t = 0; t < 40; t++) {
		struct vreq *r = phone_invite(a, "bob");

		world_run(w, t);
		phone_cancel(a, r);
		world_run(w, 1000);
		cr_expect(vreq_whole(r), "after %u ms", t);
		cr_expect(r->final == 487 || r->final == 200);
	}
}

Test(edge, cancel_when_the_node_dies_afterwards)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 200);
	sim_freeze(w->net, &n->host);
	phone_cancel(a, r);
	world_run(w, 10);
	node_kill(n);
	world_run(w, 500);
	cr_expect_eq(r->final, 487);
	cr_expect(b->inv[0].cancelled);
}

Test(edge, forked_2xx_all_reach_the_caller)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	/* a gateway behind the phone forks */
	phone_answer(b, &b->inv[0], 200, "one");
	phone_answer(b, &b->inv[0], 200, "two");
	world_run(w, 200);
	cr_expect_eq(r->ok, 2);
	cr_expect(vreq_whole(r));
	cr_expect_eq(b->acks, 2);
}

Test(edge, parallel_forks_ring_both_and_the_loser_is_cancelled)
{
	struct vphone *c = world_phone(w, "bob", SIM_STREAM);
	struct vreq *r;

	(void)phone_register(c);
	world_run(w, 50);
	b->ring = c->ring = 10;
	c->answer = 200;
	r = phone_invite(a, "bob");
	world_run(w, 1000);
	cr_expect_eq(r->final, 200);
	cr_expect(b->inv[0].cancelled);
	cr_expect_eq(c->acks, 1);
}

Test(edge, tcp_phones_call_each_other)
{
	struct vphone *c = world_phone(w, "carol", SIM_STREAM);
	struct vreq *r, *bye;

	(void)phone_register(c);
	world_run(w, 50);
	c->answer = 20;
	r = phone_invite(a, "carol");
	world_run(w, 500);
	cr_assert_eq(r->final, 200);
	bye = phone_in_dialog(a, r, SIP_BYE);
	world_run(w, 100);
	cr_expect_eq(bye->final, 200);
	cr_expect_eq(c->got[SIP_BYE], 1);
}

Test(edge, closed_connection_of_the_callee_is_480_to_the_caller)
{
	struct vphone *c = world_phone(w, "carol", SIM_STREAM);
	struct vreq *r;

	(void)phone_register(c);
	world_run(w, 50);
	sim_kill(w->net, &c->host);
	world_run(w, 50);
	r = phone_invite(a, "carol");
	world_run(w, 500);
	cr_expect_eq(r->final, 480);
	cr_expect_geq(world_stat(w, "sbc_flow_failed_total", NULL), 1);
}

Test(edge, reinvite_update_and_info_pass_in_the_dialog)
{
	static const enum sip_method meth[] = {
		SIP_UPDATE, SIP_INFO, SIP_PRACK, SIP_REFER, SIP_NOTIFY,
		SIP_MESSAGE, SIP_OPTIONS, SIP_SUBSCRIBE,
	};
	struct vreq *r = phone_invite(a, "bob"), *x;

	b->answer = 20;
	world_run(w, 500);
	cr_assert_eq(r->final, 200);
	x = phone_in_dialog(a, r, SIP_INVITE);
	world_run(w, 200);
	cr_expect_eq(x->final, 200);
	cr_expect(b->inv[1].reinvite);
	for (size_t i = 0; i < sizeof(meth) / sizeof(*meth); i++) {
		x = phone_in_dialog(a, r, meth[i]);
		world_run(w, 100);
		cr_expect_eq(x->final, 200, "method %d", meth[i]);
		x = phone_callee_request(b, &b->inv[0], meth[i]);
		world_run(w, 100);
		cr_expect_eq(x->final, 200, "method %d back", meth[i]);
	}
}

Test(edge, restart_keeps_dialogs_and_registrations_of_udp_phones)
{
	struct vreq *r = phone_invite(a, "bob"), *x;

	b->answer = 20;
	world_run(w, 500);
	cr_assert_eq(r->final, 200);
	world_restart_edge(w);
	x = phone_in_dialog(a, r, SIP_BYE);
	world_run(w, 200);
	cr_expect_eq(x->final, 200);
	x = phone_invite(a, "bob");
	world_run(w, 500);
	cr_expect_eq(x->final, 200);
}

/* --- other networks --- */

static void call_over(bool udp_core, bool v6)
{
	struct vreq *r, *bye;
	struct vnode *n;

	w = world_new_as(1, NULL, udp_core, v6);
	a = world_phone(w, "alice", SIM_DATAGRAM);
	b = world_phone(w, "bob", SIM_STREAM);
	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 50);
	b->answer = 20;
	n = world_node_of(w, "bob");
	n->mode = V_MUTE;
	r = phone_invite(a, "bob");
	world_run(w, 1000);
	cr_assert_eq(r->final, 200);
	cr_expect_eq(b->acks, 1);
	bye = phone_callee_request(b, &b->inv[0], SIP_BYE);
	world_run(w, 100);
	cr_expect_eq(bye->final, 200);
	end();
}

Test(networks, nodes_over_udp)
{
	call_over(true, false);
}

Test(networks, ipv6_phones)
{
	call_over(false, true);
}
