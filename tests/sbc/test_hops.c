/* Foreign nodes that stay in their dialogs: on the way while they live, passed by
 * when they do not. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "world.h"

static struct world *w;
static struct vphone *a, *b;
static struct vnode *n;
static struct vreq *call;

static void tune_none(struct edge_conf *ec)
{
	ec->tune.hide = false;
}

static void begin_as(void (*tune)(struct edge_conf *ec))
{
	w = world_new(1, tune);
	for (int i = 0; i < W_NODES; i++)
		w->node[i].rr = true;
	a = world_phone(w, "alice", SIM_DATAGRAM);
	b = world_phone(w, "bob", SIM_STREAM);
	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 50);
	a->answer = b->answer = 20;
	n = world_node_of(w, "bob");
	call = phone_invite(a, "bob");
	world_run(w, 500);
	cr_assert_eq(call->final, 200);
}

static void begin(void)
{
	begin_as(NULL);
}

static void finish(void)
{
	world_run(w, 70000);
	cr_expect_eq(edge_pending(w->edge), 0);
	cr_expect_eq(world_stat(w, "sip_server_transactions", NULL), 0);
	world_free(w);
}

static void end(void)
{
	cr_expect_eq(w->leaks, 0, "inside address: %s", w->leak);
	finish();
}
TestSuite(hops, .init = begin, .fini = end);

static struct vreq *from_a(enum sip_method meth)
{
	return phone_in_dialog(a, call, meth);
}

static struct vreq *from_b(enum sip_method meth)
{
	return phone_callee_request(b, &b->inv[0], meth);
}

Test(hops, dialog_goes_through_the_node_in_both_directions)
{
	struct vreq *x;

	/* its ACK already */
	cr_expect_eq(n->passed, 1);
	cr_expect_eq(b->acks, 1);
	x = from_a(SIP_INVITE);
	world_run(w, 200);
	cr_expect_eq(x->final, 200);
	x = from_b(SIP_INFO);
	world_run(w, 200);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(a->got[SIP_INFO], 1);
	x = from_b(SIP_BYE);
	world_run(w, 200);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(n->got[SIP_INFO], 1);
	cr_expect_eq(n->got[SIP_BYE], 1);
	/* that of the re-INVITE has no Route: the phone is a simple one */
	cr_expect_eq(n->passed, 4);
	cr_expect_eq(world_stat(w, "sbc_dialog_by_node_total", NULL), 3);
}

Test(hops, node_gets_its_own_parameters_back)
{
	cr_expect_not(strstr(b->last[SIP_INVITE], "did="));
	cr_expect_not(strstr(call->okmsg, "did="));
	/* pass_dialog() takes off a Route that begins with its own address
	 * only; the edge gave it the whole of it */
	cr_expect_eq(n->passed, 1);
}

Test(hops, dead_node_is_skipped)
{
	struct vreq *x;

	node_kill(n);
	world_run(w, 3000);
	x = from_a(SIP_INFO);
	world_run(w, 100);
	cr_expect_eq(x->final, 200);
	x = from_b(SIP_BYE);
	world_run(w, 100);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(world_stat(w, "sbc_hops_total", "what=\"skipped\""), 2);
	/* back again, it is on the way again */
	sim_start(w->net, &n->host);
	world_run(w, 10000);
	x = from_a(SIP_INFO);
	world_run(w, 100);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(n->got[SIP_INFO], 1);
}

Test(hops, frozen_node_is_passed_by_and_is_late)
{
	struct vreq *x, *y;

	sim_freeze(w->net, &n->host);
	x = from_a(SIP_INFO);
	y = from_b(SIP_INVITE);
	world_run(w, 1000);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(y->final, 200);
	cr_expect(y->ended - y->sent < 700);
	cr_expect_eq(world_stat(w, "sbc_hops_total", "what=\"passed\""), 2);
	/* awake, it wants to pass them on: nobody gets them twice */
	sim_thaw(w->net, &n->host);
	world_run(w, 3000);
	cr_expect_eq(b->got[SIP_INFO], 1);
	cr_expect_eq(a->got[SIP_INVITE], 1);
	/* nor the ACK to the refusal at the gate */
	cr_expect_eq(a->got[SIP_ACK], 0);
	cr_expect_eq(n->passed, 3, "%u", n->passed);
	cr_expect(world_stat(w, "sbc_gate_total", NULL) >= 2);
}

Test(hops, node_that_refuses_is_passed_by)
{
	struct vreq *x;

	n->mode = V_BUSY;
	x = from_a(SIP_BYE);
	world_run(w, 200);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(b->got[SIP_BYE], 1);
}

Test(hops, node_killed_with_the_request_is_passed_by)
{
	struct vreq *x;

	n->mode = V_MUTE;
	x = from_a(SIP_BYE);
	world_run(w, 50);
	node_kill(n);
	world_run(w, 100);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(b->got[SIP_BYE], 1);
}

Test(hops, answer_of_the_client_passes_a_node_that_died_after_it_had_passed_on)
{
	struct vreq *x;

	b->answer = 400;
	x = from_a(SIP_INVITE);
	world_run(w, 200);
	cr_assert_eq(b->got[SIP_INVITE], 2);
	node_kill(n);
	world_run(w, 1000);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(b->got[SIP_INVITE], 2);
	cr_expect(vreq_whole(x));
}

Test(hops, the_same_with_a_node_that_is_frozen_and_wakes_up)
{
	struct vreq *x;

	b->answer = 400;
	x = from_a(SIP_INVITE);
	world_run(w, 200);
	sim_freeze(w->net, &n->host);
	world_run(w, 5000);
	cr_expect_eq(x->final, 200);
	sim_thaw(w->net, &n->host);
	world_run(w, 3000);
	cr_expect_eq(b->got[SIP_INVITE], 2);
	cr_expect_eq(b->got[SIP_CANCEL], 0);
	cr_expect_eq(x->ok, 1);
	cr_expect(vreq_whole(x));
}

Test(hops, woken_node_does_not_cancel_what_goes_on_without_it)
{
	struct vreq *x;

	b->answer = 8000;
	x = from_a(SIP_INVITE);
	world_run(w, 200);
	sim_freeze(w->net, &n->host);
	world_run(w, 4000);
	cr_assert_eq(world_stat(w, "sbc_hops_total", "what=\"passed\""), 1);
	sim_thaw(w->net, &n->host);
	world_run(w, 10000);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(b->got[SIP_CANCEL], 0);
}

Test(hops, answer_that_stuck_in_a_node_is_passed_when_it_is_down)
{
	struct vreq *x = from_a(SIP_INFO);

	for (int i = 0; i < 100 && !b->got[SIP_INFO]; i++)
		world_run(w, 1);
	sim_freeze(w->net, &n->host);
	world_run(w, 5000);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(b->got[SIP_INFO], 1);
}

Test(hops, client_may_take_his_time)
{
	struct vreq *x;

	b->ring = UINT32_MAX;
	b->answer = 3000;
	x = from_a(SIP_INVITE);
	world_run(w, 4000);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(world_stat(w, "sbc_hops_total", "what=\"passed\""), 0);
	cr_expect_eq(b->got[SIP_INVITE], 2);
}

Test(hops, refusal_of_the_client_passes_too)
{
	struct vreq *x;

	b->answer = 400;
	b->code = 488;
	x = from_a(SIP_INVITE);
	world_run(w, 200);
	node_kill(n);
	world_run(w, 1000);
	cr_expect_eq(x->final, 488);
	cr_expect(vreq_whole(x));
}

Test(hops, cancelled_through_a_dead_node)
{
	struct vreq *x;

	b->answer = UINT32_MAX;
	x = from_a(SIP_INVITE);
	world_run(w, 200);
	node_kill(n);
	world_run(w, 100);
	phone_cancel(a, x);
	world_run(w, 500);
	cr_expect_eq(x->final, 487);
	cr_expect_eq(b->got[SIP_CANCEL], 1);
}

Test(hops, client_that_is_gone_is_told_past_the_node)
{
	struct vreq *x;

	sim_close(w->net, sim_connect(w->net, &b->host.addr,
				      &w->client.addr));
	world_run(w, 50);
	x = from_a(SIP_BYE);
	world_run(w, 500);
	cr_expect_eq(x->final, 480);
}

Test(hops, ack_goes_past_a_node_that_is_down)
{
	struct vreq *x;

	b->answer = 3000;
	x = phone_invite(a, "bob");
	world_run(w, 200);
	node_kill(n);
	world_run(w, 5000);
	cr_assert_eq(x->final, 200);
	cr_expect_eq(b->acks, 2);
}

/** A call whose node wrote more Record-Route entries */
static void call_with(const char *more)
{
	n->rr_more = more;
	call = phone_invite(a, "bob");
	world_run(w, 500);
	cr_assert_eq(call->final, 200);
	n->passed = 0;
}

Test(hops, several_nodes_in_the_order_of_the_direction)
{
	struct vnode *o = &w->node[(n->idx + 1) % W_NODES];
	char more[80];

	(void)snprintf(more, sizeof(more), "<sip:10.0.0.%u;lr;second>,",
		       11 + o->idx);
	call_with(more);
	/* who is asked first; stand-ins do not speak to each other */
	(void)from_a(SIP_INFO);
	world_run(w, 200);
	cr_expect_eq(n->got[SIP_INFO], 1);
	cr_expect_eq(o->got[SIP_INFO], 0);
	(void)phone_callee_request(b, &b->inv[1], SIP_INFO);
	world_run(w, 200);
	cr_expect_eq(o->got[SIP_INFO], 1);
	cr_expect_eq(n->got[SIP_INFO], 1);
}

Test(hops, who_is_not_of_the_pool_is_not_asked)
{
	struct vreq *x;

	call_with("<sip:10.0.0.99;lr>,<sip:10.0.0.98>,<sip:evil.org;lr>,");
	x = from_a(SIP_INFO);
	world_run(w, 200);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(n->passed, 1);
}

Test(hops, entries_that_fit_no_token_leave_the_dialog)
{
	static char more[300] = "<sip:10.0.0.11;lr;x=";
	struct vreq *x;

	memset(more + strlen(more), 'x', 200);
	strcat(more, ">,");
	call_with(more);
	x = from_a(SIP_BYE);
	world_run(w, 200);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(n->passed, 0);
	cr_expect_eq(world_stat(w, "sbc_hops_total", "what=\"too_long\""),
		     1);
}

Test(hops, edge_restart_keeps_the_way)
{
	struct vreq *x;
	unsigned passed = n->passed;

	world_restart_edge(w);
	x = from_b(SIP_BYE);
	world_run(w, 500);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(n->passed, passed + 1);
}

Test(hops_none, also_with_hide_none)
{
	struct vreq *x;

	begin_as(tune_none);
	x = from_a(SIP_INFO);
	world_run(w, 200);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(n->got[SIP_INFO], 1);
	node_kill(n);
	world_run(w, 3000);
	x = from_b(SIP_BYE);
	world_run(w, 500);
	cr_expect_eq(x->final, 200);
	finish();
}
