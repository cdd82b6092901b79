/* test_late.c - call_late.c: a pool that is late as a whole, as when the machine is */
#include <criterion/criterion.h>

#include "world.h"

static struct world *w;
static struct vphone *a, *b;

static void begin_as(void (*tune)(struct edge_conf *ec))
{
	w = world_new(1, tune);
	world_two_phones(w, "bob", &a, &b);
}

static void begin(void)
{
	begin_as(NULL);
}

static void end(void)
{
	world_run(w, 70000);
	cr_expect(edge_pending(w->edge) == 0);
	cr_expect(b->dup_invites == 0);
	world_free(w);
}

static void all(void (*what)(struct simnet *n, struct sim_host *h))
{
	for (int i = 0; i < W_NODES; i++)
		what(w->net, &w->node[i].host);
}

static void modes(enum vmode mode)
{
	for (int i = 0; i < W_NODES; i++)
		w->node[i].mode = mode;
}

static unsigned asked(enum sip_method meth)
{
	unsigned n = 0;

	for (int i = 0; i < W_NODES; i++)
		n += w->node[i].got[meth];
	return n;
}

static uint64_t lost(void)
{
	return world_stat(w, "sbc_lost_total", "why=\"silent\"") +
		world_stat(w, "sbc_lost_total", "why=\"no_node\"");
}

TestSuite(late, .init = begin, .fini = end);

Test(late, a_call_outlives_a_stall_of_all_nodes)
{
	struct vreq *r;

	all(sim_freeze);
	r = phone_invite(a, "bob");
	world_run(w, 1300);
	cr_expect(r->final == 0);
	cr_expect(world_stat(w, "sbc_waits_total", NULL) == 1);
	all(sim_thaw);
	world_run(w, 200);
	cr_expect(r->final == 200);
	cr_expect(b->invc == 1);
	cr_expect(lost() == 0);
	cr_expect(world_stat(w, "sbc_asked_again_total", NULL) == 0,
		  "nobody is UP");
}

Test(late, so_does_a_request_without_a_call)
{
	struct vreq *r;

	all(sim_freeze);
	r = phone_register(a);
	world_run(w, 1700);
	cr_expect(r->final == 0);
	all(sim_thaw);
	world_run(w, 200);
	cr_expect(r->final == 200);
	cr_expect(lost() == 0);
}

/* The node that got the last INVITE; it has run until there is one more */
static struct vnode *next_asked(void)
{
	unsigned got[W_NODES];

	for (int i = 0; i < W_NODES; i++)
		got[i] = w->node[i].got[SIP_INVITE];
	for (int t = 0; t < 200; t++) {
		world_run(w, 10);
		for (int i = 0; i < W_NODES; i++)
			if (w->node[i].got[SIP_INVITE] > got[i])
				return &w->node[i];
	}
	cr_assert(false, "nobody was asked");
	return NULL;
}

Test(late, who_was_silent_is_asked_again_when_the_last_one_dies)
{
	struct vnode *last = NULL;
	struct vreq *r;

	modes(V_MUTE);
	r = phone_invite(a, "bob");
	for (int i = 0; i < W_NODES; i++)
		last = next_asked();
	modes(V_NORMAL);
	/* probes need a moment to find the others well */
	world_run(w, 300);
	node_kill(last);
	world_run(w, 200);
	cr_expect(r->final == 200);
	cr_expect(b->invc == 1);
	cr_expect(world_stat(w, "sbc_asked_again_total", NULL) == 1);
	cr_expect(asked(SIP_INVITE) == W_NODES + 1);
}

Test(late, who_has_refused_is_not_asked_again)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	modes(V_MUTE);
	n->mode = V_BUSY;
	r = phone_invite(a, "bob");
	world_run(w, 11000);
	cr_expect(n->got[SIP_INVITE] == 1);
	cr_expect(asked(SIP_INVITE) > W_NODES, "the others are");
	cr_expect(r->final == 408);
}

/* What the phone has said is the answer, when nobody is left who could go on */
Test(late, the_answer_of_a_phone_is_not_kept_from_the_caller)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	b->answer = UINT32_MAX;
	r = phone_invite(a, "bob");
	world_run(w, 100);
	modes(V_MUTE);
	node_kill(n);
	world_run(w, 100);
	phone_answer(b, &b->inv[0], 486, NULL);
	world_run(w, 2500);
	cr_expect(r->final == 486);
}

Test(late, cancel_while_it_is_waited_ends_it_at_once)
{
	struct vreq *r;

	all(sim_freeze);
	r = phone_invite(a, "bob");
	world_run(w, 1300);
	cr_assert(world_stat(w, "sbc_waits_total", NULL) == 1);
	phone_cancel(a, r);
	world_run(w, 20);
	cr_expect(r->final == 487);
	cr_expect(vreq_whole(r));
}

Test(late, a_pool_known_to_be_gone_is_not_waited_for)
{
	struct vreq *r;

	all(sim_freeze);
	world_run(w, 6000);
	r = phone_invite(a, "bob");
	world_run(w, 4000);
	cr_expect(r->final == 503);
	cr_expect(world_stat(w, "sbc_waits_total", NULL) == 0);
}

Test(late, the_deadline_ends_it)
{
	struct vreq *r;

	modes(V_MUTE);
	r = phone_invite(a, "bob");
	world_run(w, 9500);
	cr_expect(r->final == 0);
	world_run(w, 600);
	cr_expect(r->final == 408);
	cr_expect(vreq_whole(r));
	/* each twice, and no more */
	cr_expect(asked(SIP_INVITE) <= 2 * W_NODES);
}

/* 100 at last: from then on it may take as long as any */
Test(late, who_says_100_at_last_gets_the_time_of_one_who_said_it_at_once)
{
	struct vreq *r;

	for (int i = 0; i < W_NODES; i++)
		w->node[i].fork_delay = 1500;
	all(sim_freeze);
	r = phone_invite(a, "bob");
	world_run(w, 1300);
	all(sim_thaw);
	world_run(w, 2000);
	cr_expect(r->final == 200);
	cr_expect(world_stat(w, "sbc_failover_total", "why=\"hung\"") == 0);
	cr_expect(b->invc == 1);
}

static void no_retries(struct edge_conf *ec)
{
	ec->tune.probe.retry_percent = 1;
	ec->tune.probe.retry_burst = 0;
}

static void begin_poor(void)
{
	begin_as(no_retries);
}

Test(late_poor, without_a_budget_it_is_waited_for, .init = begin_poor,
     .fini = end)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	sim_freeze(w->net, &n->host);
	r = phone_invite(a, "bob");
	world_run(w, 700);
	cr_expect(r->final == 0);
	cr_expect(asked(SIP_INVITE) <= 1);
	sim_thaw(w->net, &n->host);
	world_run(w, 200);
	cr_expect(r->final == 200);
}
