/* What a phone that rings or answers says goes to the caller past the node that
 * asked it; refusals go by the node. */
#include <criterion/criterion.h>

#include "world.h"

static struct world *w;
static struct vphone *a, *b;

static void off(struct edge_conf *ec)
{
	ec->tune.straight = false;
}

static void make(void (*tune)(struct edge_conf *ec), bool udp)
{
	w = world_new_as(1, tune, udp, false);
	a = world_phone(w, "alice", SIM_DATAGRAM);
	b = world_phone(w, "bob", SIM_DATAGRAM);
	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 1500);            /* a probe: nodes have told what they are */
	b->ring = UINT32_MAX;
}

static void begin(void)
{
	make(NULL, false);
}

static void begin_off(void)
{
	make(off, false);
}

static void begin_udp(void)
{
	make(NULL, true);
}

static void end(void)
{
	cr_expect_eq(w->leaks, 0, "inside address: %s", w->leak);
	world_run(w, 230000);
	cr_expect_eq(edge_pending(w->edge), 0);
	cr_expect_eq(world_stat(w, "sip_server_transactions", NULL), 0);
	world_free(w);
}

TestSuite(straight, .init = begin, .fini = end);
TestSuite(straight_off, .init = begin_off, .fini = end);
TestSuite(straight_udp, .init = begin_udp, .fini = end);

static uint64_t straight(void)
{
	return world_stat(w, "sbc_straight_total", NULL);
}

static uint16_t last(const struct vreq *r)
{
	return r->provc ? r->prov[r->provc - 1] : 0;
}

/* Bob has a second phone, which rings no more by itself than the first */
static struct vphone *another(void)
{
	struct vphone *c = world_phone_of(w, "bob2", "bob", 0, SIM_STREAM);

	(void)phone_register(c);
	world_run(w, 50);
	c->ring = UINT32_MAX;
	return c;
}

/* The one who calls, after ms: his phone has the INVITE */
static struct vreq *call(uint32_t ms)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, ms);
	cr_assert_eq(b->invc, 1);
	return r;
}

/* His phone rings: the caller hears it, from the node */
static void rings_by_the_node(struct vreq *r)
{
	phone_answer(b, &b->inv[0], 180, NULL);
	world_run(w, 50);
	cr_expect_eq(last(r), 180);
	cr_expect_eq(straight(), 0);
	cr_expect_eq(world_node_of(w, "bob")->got18x, 1);
}

Test(straight, a_phone_that_rings_is_heard_while_its_node_stands_still)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = call(100);

	sim_freeze(w->net, &n->host);
	phone_answer(b, &b->inv[0], 183, NULL);
	phone_answer(b, &b->inv[0], 180, NULL);
	world_run(w, 20);
	cr_expect_eq(last(r), 180);
	cr_expect_eq(straight(), 2);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 20);
	cr_expect_eq(r->final, 200);
	cr_expect(vreq_whole(r));
	cr_expect_eq(straight(), 3);
	sim_thaw(w->net, &n->host);
	world_run(w, 50);
	cr_expect_eq(n->passed_by, 1);
	/* nor does the branch to the node ring until Timer C */
	world_run(w, 190000);
	cr_expect_eq(n->got[SIP_CANCEL], 0);
	cr_expect_eq(world_stat(w, "sbc_adopted_total", NULL), 0);
}

/* The node that is told is done with the call: it cancels nothing */
Test(straight, an_answered_call_goes_on_without_its_node)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = call(100), *bye;

	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 400);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(n->passed_by, 1);
	cr_expect_eq(n->got[SIP_CANCEL], 0);
	cr_expect_eq(b->acks, 1);
	node_kill(n);
	world_run(w, 40000);
	cr_expect_eq(world_stat(w, "sbc_lost_total", "why=\"ringing\""), 0);
	bye = phone_in_dialog(a, r, SIP_BYE);
	world_run(w, 100);
	cr_expect_eq(bye->final, 200);
}

/* All nodes were killed and are back as older ones: the phone answers before the
 * node has answered its first probe */
Test(straight, a_node_that_is_back_is_told_nothing_before_it_says_so)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	for (int i = 0; i < W_NODES; i++)
		node_kill(&w->node[i]);
	world_run(w, 20);
	for (int i = 0; i < W_NODES; i++) {
		w->node[i].old = true;
		sim_start(w->net, &w->node[i].host);
	}
	r = phone_invite(a, "bob");
	for (int i = 0; i < 100 && !n->got[SIP_INVITE]; i++)
		world_run(w, 1);
	sim_freeze(w->net, &n->host);
	world_run(w, 10);
	cr_assert_eq(b->invc, 1);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 20);
	cr_expect_eq(straight(), 0);
	sim_thaw(w->net, &n->host);
	world_run(w, 50);
	cr_expect_eq(r->final, 200);
	cr_expect(vreq_whole(r));
}

/* A node that misses it would ring on */
Test(straight_udp, the_answer_goes_by_the_node)
{
	struct vreq *r = call(100);

	phone_answer(b, &b->inv[0], 180, NULL);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 50);
	cr_expect_eq(r->final, 200);
	cr_expect(vreq_whole(r));
	cr_expect_eq(straight(), 1, "the ringing");
	cr_expect_eq(world_node_of(w, "bob")->passed_by, 0);
}

/* It would pass a 200 without a Contact on */
Test(straight, a_node_that_does_not_know_it_gets_the_whole_answer)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	for (int i = 0; i < W_NODES; i++)
		w->node[i].old = true;
	world_run(w, 2500);
	r = call(100);
	phone_answer(b, &b->inv[0], 180, NULL);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 50);
	cr_expect_eq(r->final, 200);
	cr_expect(vreq_whole(r));
	cr_expect_eq(straight(), 1, "the ringing");
	cr_expect_eq(n->passed_by, 0);
}

/* Two phones answer at once: each is in a call, and the caller hears of both */
Test(straight, the_second_of_two_answers_reaches_the_caller)
{
	struct vphone *c = another();
	struct vreq *r = call(100);

	phone_answer(b, &b->inv[0], 200, NULL);
	phone_answer(c, &c->inv[0], 200, NULL);
	world_run(w, 300);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(r->tagc, 2);
}

Test(straight, its_node_is_told_that_it_was_asked_and_no_more)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = call(100);

	phone_answer(b, &b->inv[0], 180, NULL);
	world_run(w, 10000);
	cr_expect_eq(straight(), 1);
	cr_expect_eq(n->got100, 1);
	cr_expect_eq(n->got18x, 0);
	/* that it has nothing to tell is no failure of it */
	cr_expect_eq(world_stat(w, "sbc_adopted_total", NULL), 0);
	phone_answer(b, &b->inv[0], 486, NULL);
	world_run(w, 50);
	cr_expect_eq(r->final, 486);
}

Test(straight, an_early_dialog_is_one)
{
	struct vreq *r = call(100), *upd;

	phone_answer(b, &b->inv[0], 183, NULL);
	world_run(w, 50);
	cr_assert_eq(r->earlyc, 1);
	upd = phone_early(a, r, 0, SIP_UPDATE);
	world_run(w, 100);
	cr_expect_eq(upd->final, 200);
	cr_expect_eq(b->got[SIP_UPDATE], 1);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 50);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(r->tagc, 1);
}

/* It restarts the longest ringing at the node and at the edge alike */
Test(straight, one_that_comes_late_goes_by_the_node)
{
	struct vreq *r = call(5000);

	rings_by_the_node(r);
	phone_answer(b, &b->inv[0], 200, NULL);
	world_run(w, 50);
	cr_expect_eq(r->final, 200);
}

Test(straight, who_rings_too_long_is_no_fault_of_his_node)
{
	struct vreq *r = call(3900);

	phone_answer(b, &b->inv[0], 180, NULL);
	world_run(w, 50);
	cr_assert_eq(straight(), 1);
	world_run(w, 179000);
	cr_expect_eq(r->final, 0);
	world_run(w, 3000);
	cr_expect_eq(r->final, 408);
	cr_expect_eq(world_stat(w, "sbc_adopted_total", NULL), 0);
	cr_expect(b->inv[0].cancelled);
}

Test(straight, a_node_of_another_make_is_told)
{
	world_foreign(w);
	rings_by_the_node(call(100));
}

Test(straight_off, ringing_goes_by_the_node)
{
	rings_by_the_node(call(100));
}

Test(straight, who_has_cancelled_hears_of_no_ringing)
{
	struct vreq *r = call(100);

	phone_cancel(a, r);
	phone_answer(b, &b->inv[0], 180, NULL);
	world_run(w, 300);
	cr_expect_eq(straight(), 0);
	cr_expect_eq(r->final, 487);
}

Test(straight, both_phones_of_a_fork_are_heard_and_the_answer_ends_the_other)
{
	struct vphone *c = another();
	struct vreq *r = call(100);

	phone_answer(b, &b->inv[0], 183, NULL);
	phone_answer(c, &c->inv[0], 183, NULL);
	world_run(w, 50);
	cr_expect_eq(r->earlyc, 2);
	cr_expect_eq(straight(), 2);
	phone_answer(c, &c->inv[0], 200, NULL);
	world_run(w, 500);
	cr_expect_eq(r->final, 200);
	cr_expect(b->inv[0].cancelled);
}
