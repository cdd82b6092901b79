/* Real nodes: what an edge goes on with when nodes fail one after the other.
 * Serial forks, retransmitted REGISTERs, an hour on lossy links. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/sbc/world.h"

static struct world *w;
static struct vphone *a, *b1, *b2, *b3;

static void tune(struct edge_conf *ec)
{
	ec->tune.ring = 20000;
}

/** bob's phones are asked one after the other */
static void begin(void)
{
	w = world_new_with(1, tune, &world_real, false);
	a = world_phone(w, "alice", SIM_DATAGRAM);
	b1 = world_phone_of(w, "bob1", "bob", 10, SIM_STREAM);
	b2 = world_phone_of(w, "bob2", "bob", 6, SIM_DATAGRAM);
	b3 = world_phone_of(w, "bob3", "bob", 3, SIM_STREAM);
	(void)phone_register(a);
	(void)phone_register(b1);
	(void)phone_register(b2);
	(void)phone_register(b3);
	world_run(w, 100);
}

static void end(void)
{
	cr_expect_eq(w->leaks, 0, "inside address: %s", w->leak);
	cr_expect_eq(b1->dup_invites + b2->dup_invites + b3->dup_invites, 0);
	world_run(w, 150000);
	cr_expect_eq(edge_pending(w->edge), 0);
	world_free(w);
}

TestSuite(serial, .init = begin, .fini = end);

/** The next call to bob is answered by his first phone */
static void bob_is_reached(unsigned invites)
{
	struct vreq *r;

	b1->answer = 50;
	r = phone_invite(a, "bob");
	world_run(w, 500);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(b1->invc, invites);
}

Test(serial, fork_whose_node_dies_goes_on_with_the_next_phone)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	cr_assert_eq(b1->invc, 1);
	cr_assert_eq(b2->invc, 0);
	node_kill(world_node_of(w, "bob"));
	world_run(w, 100);
	phone_answer(b1, &b1->inv[0], 486, NULL);
	world_run(w, 200);
	cr_expect_eq(r->final, 0);
	cr_expect_eq(b1->invc, 1);
	cr_assert_eq(b2->invc, 1);
	cr_expect_eq(b3->invc, 0);
	phone_answer(b2, &b2->inv[0], 200, NULL);
	world_run(w, 200);
	cr_expect_eq(r->final, 200);
	cr_expect(b2->inv[0].acked);
	cr_expect_eq(b3->invc, 0);
	cr_expect_eq(world_stat(w, "sbc_continued_total", NULL), 1);
	cr_expect_eq(world_stat(w, "sbc_replayed_total", NULL), 1);
}

Test(serial, two_nodes_die_one_after_the_other)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	node_kill(n);
	world_run(w, 100);
	phone_answer(b1, &b1->inv[0], 480, NULL);
	world_run(w, 200);
	cr_assert_eq(b2->invc, 1);
	for (int i = 0; i < W_NODES; i++)
		if (&w->node[i] != n && w->node[i].got[SIP_INVITE])
			node_kill(&w->node[i]);
	world_run(w, 100);
	phone_answer(b2, &b2->inv[0], 486, NULL);
	world_run(w, 200);
	cr_assert_eq(b3->invc, 1);
	phone_answer(b3, &b3->inv[0], 200, NULL);
	world_run(w, 200);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(world_stat(w, "sbc_continued_total", NULL), 2);
	cr_expect_eq(world_stat(w, "sbc_replayed_total", NULL), 3);
}

Test(serial, fork_that_all_phones_refuse_ends_with_the_best_answer)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	node_kill(world_node_of(w, "bob"));
	b2->answer = b3->answer = 50;
	b2->code = 480;
	b3->code = 503;
	phone_answer(b1, &b1->inv[0], 486, NULL);
	world_run(w, 1000);
	cr_expect_eq(r->final, 486);
	cr_expect_eq(b2->invc, 1);
	cr_expect_eq(b3->invc, 1);
}

Test(serial, phone_that_never_answers_is_followed_by_the_next)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	node_kill(world_node_of(w, "bob"));
	world_run(w, 19000);
	cr_assert_eq(b2->invc, 0);
	b2->answer = 50;
	world_run(w, 2000);
	cr_expect(b1->inv[0].cancelled);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(b1->invc, 1);
}

Test(serial, phones_that_say_nothing_at_all_do_not_end_the_fork)
{
	struct vreq *r;

	/* without a 180 the edge hears of none of them from the node */
	b1->ring = b2->ring = UINT32_MAX;
	b3->answer = 50;
	r = phone_invite(a, "bob");
	world_run(w, 45000);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(b1->invc + b2->invc + b3->invc, 3);
}

Test(serial, node_that_dies_between_two_phones)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	sim_freeze(w->net, &n->host);
	b2->answer = 50;
	phone_answer(b1, &b1->inv[0], 486, NULL);
	world_run(w, 100);
	node_kill(n);
	world_run(w, 300);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(b1->invc, 1);
}

Test(serial, refusal_for_everywhere_asks_nobody_else)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	node_kill(world_node_of(w, "bob"));
	world_run(w, 100);
	phone_answer(b1, &b1->inv[0], 603, NULL);
	world_run(w, 1000);
	cr_expect_eq(r->final, 603);
	cr_expect_eq(b2->invc, 0);
	cr_expect_eq(world_stat(w, "sbc_continued_total", NULL), 0);
}

Test(serial, cancel_asks_nobody_else)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	node_kill(world_node_of(w, "bob"));
	world_run(w, 100);
	phone_cancel(a, r);
	world_run(w, 1000);
	cr_expect_eq(r->final, 487);
	cr_expect(b1->inv[0].cancelled);
	cr_expect_eq(b2->invc, 0);
}

Test(serial, cancel_reaches_the_phone_of_the_second_node)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	node_kill(world_node_of(w, "bob"));
	world_run(w, 100);
	phone_answer(b1, &b1->inv[0], 486, NULL);
	world_run(w, 200);
	cr_assert_eq(b2->invc, 1);
	phone_cancel(a, r);
	world_run(w, 200);
	cr_expect(b2->inv[0].cancelled);
	/* the best answer is the first phone's: RFC 3261 16.7 step 6 */
	cr_expect_eq(r->final, 486);
	world_run(w, 1000);
	cr_expect_eq(b3->invc, 0);
}

Test(serial, without_a_further_node_the_phones_answer_is_the_answer)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	for (int i = 0; i < W_NODES; i++)
		node_kill(&w->node[i]);
	world_run(w, 100);
	phone_answer(b1, &b1->inv[0], 486, NULL);
	world_run(w, 1500);
	cr_expect_eq(r->final, 486);
	cr_expect_eq(world_stat(w, "sbc_lost_total", "why=\"ringing\""), 0);
}

Test(serial, frozen_node_that_wakes_up_asks_nobody_again)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	sim_freeze(w->net, &n->host);
	world_run(w, 3000);
	cr_assert_eq(world_stat(w, "sbc_adopted_total", NULL), 1);
	phone_answer(b1, &b1->inv[0], 486, NULL);
	world_run(w, 300);
	cr_assert_eq(b2->invc, 1);
	sim_thaw(w->net, &n->host);
	world_run(w, 2000);
	cr_expect_eq(b2->invc, 1);
	cr_expect_eq(b3->invc, 0);
	cr_expect_not(b2->inv[0].cancelled);
	phone_answer(b2, &b2->inv[0], 200, NULL);
	world_run(w, 300);
	cr_expect_eq(r->final, 200);
}

/* The node that has the older one is slow, the newer one goes past it */
Test(serial, a_registration_whose_connection_ended_is_tried_nowhere_else)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *old, *r;

	sim_freeze(w->net, &n->host);
	old = phone_register(b1);
	world_run(w, 10);
	phone_cut(b1);
	world_run(w, 10);
	disp_report(edge_disp(w->edge), n->idx, DISP_SILENT, 0, w->net->now);
	r = phone_register(b1);
	world_run(w, 50);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(old->final, 0);
	world_run(w, 3000);
	cr_expect_eq(world_stat(w, "sbc_caller_gone_total", NULL), 1);
	bob_is_reached(1);
	sim_thaw(w->net, &n->host);
}

Test(serial, phone_that_came_back_on_a_new_connection_is_not_asked_again)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 100);
	cr_assert_eq(b1->invc, 1);
	phone_cut(b1);
	world_run(w, 100);
	cr_assert_eq(b2->invc, 1);
	(void)phone_register(b1);
	world_run(w, 100);
	node_kill(world_node_of(w, "bob"));
	world_run(w, 100);
	phone_answer(b2, &b2->inv[0], 486, NULL);
	world_run(w, 300);
	cr_expect_eq(b1->invc, 1);
	cr_assert_eq(b3->invc, 1);
	phone_answer(b3, &b3->inv[0], 486, NULL);
	world_run(w, 300);
	cr_expect_eq(r->final, 486);
	/* and it can be called: its new contact was not taken for dead */
	bob_is_reached(2);
}

/* --- REGISTER at two nodes --- */

static unsigned register_ok, register_bad;

static void listen_in(const struct sim_pkt *p, void *arg)
{
	static struct sip_msg m;
	struct sip_fault f;

	(void)arg;
	if (p->from.port != 5060 || sip_scan(&m, p->data.p, p->data.n, true,
					     &f) || m.req ||
	    m.meth != SIP_REGISTER || p->to.port != 5070)
		return;
	if (m.status == 200 && m.count[SIP_CONTACT])
		register_ok++;
	else
		register_bad++;
}

Test(serial, register_moved_to_another_node_is_a_retransmission_there)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	register_ok = register_bad = 0;
	w->net->tap = listen_in;
	/* it gets to the first after the second has it, and is answered */
	n->host.lag = 510;
	r = phone_register(b1);
	world_run(w, 3000);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(register_ok, 2);
	cr_expect_eq(register_bad, 0);
}

/* --- an hour --- */

/** With each packet: has any node been anything but UP since the start? */
static void change(const struct sim_pkt *p, void *arg)
{
	struct disp_view v;

	(void)p;
	for (uint16_t i = 0; i < W_NODES; i++)
		if (!disp_view(edge_disp(w->edge), i, &v) &&
		    (v.since > 1003000 || v.state != DISP_UP))
			++*(uint64_t *)arg;
}

/** Over UDP to phones 1 % of the packets are lost. No node fails */
Test(hour, nothing_is_lost_and_nobody_is_taken_for_dead)
{
	uint64_t changes = 0, lost = 0, calls = 0, begin_at;

	w = world_new_with(7, tune, &world_real, false);
	a = world_phone(w, "alice", SIM_DATAGRAM);
	b1 = world_phone(w, "bob", SIM_DATAGRAM);
	(void)phone_register(a);
	(void)phone_register(b1);
	world_run(w, 100);
	begin_at = w->net->now;
	w->net->loss = 10;
	w->net->tap = change;
	w->net->tap_arg = &changes;
	while (w->net->now < begin_at + 3600000) {
		struct vreq *r;

		if (calls % 100 == 99)
			(void)phone_register(b1);
		b1->answer = 100 + 30 * (calls % 120);
		r = phone_invite(a, "bob");
		world_run(w, 4200);
		if (r->ok)
			(void)phone_in_dialog(a, r, SIP_BYE);
		world_run(w, 800);
		/* both 200 and INVITE may need a copy or two */
		if (!r->final)
			world_run(w, 8000);
		calls++;
		lost += r->final != 200;
	}
	lost += world_stat(w, "sbc_lost_total", "why=\"silent\"") +
		world_stat(w, "sbc_lost_total", "why=\"no_node\"") +
		world_stat(w, "sbc_lost_total", "why=\"ringing\"");
	cr_expect_geq(calls, 600);
	cr_expect_eq(lost, 0);
	cr_expect_eq(changes, 0);
	world_free(w);
}
