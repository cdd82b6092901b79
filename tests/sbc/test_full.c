/* test_full.c - max_unanswered: nodes that are slow or have stopped hoard no requests */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

enum { CAP = 3 };

static struct world *w;
static struct vphone *a, *b;

static void few(struct edge_conf *ec)
{
	ec->tune.probe.max_unanswered = CAP;
}

static void soon(struct edge_conf *ec)
{
	ec->tune.probe.target = 50;
}

static void begin_as(void (*conf)(struct edge_conf *ec))
{
	struct edge_overload_conf c = { .target = 50, .numberc = 1 };

	memcpy(c.number[0], "112", 4);
	w = world_new(1, conf);
	edge_overload_conf(w->edge, &c, w->net->now);
	world_two_phones(w, "112", &a, &b);
}

static void begin(void)
{
	begin_as(few);
}

static void begin_slow(void)
{
	begin_as(soon);
}

static void end(void)
{
	world_free(w);
}

TestSuite(full, .init = begin, .fini = end);
TestSuite(slow, .init = begin_slow, .fini = end);

static void nothing_is_left(void)
{
	world_run(w, 70000);
	cr_expect_eq(edge_pending(w->edge), 0);
	for (int i = 0; i < W_NODES; i++) {
		char l[20];

		(void)snprintf(l, sizeof(l), "node=\"n%d\"", i + 1);
		cr_expect_eq(world_stat(w, "node_inflight", l), 0);
		cr_expect_eq(world_stat(w, "node_unanswered", l), 0);
	}
}

static unsigned asked(enum sip_method meth)
{
	unsigned n = 0;

	for (int i = 0; i < W_NODES; i++)
		n += w->node[i].got[meth];
	return n;
}

static void all(void (*what)(struct simnet *n, struct sim_host *h))
{
	for (int i = 0; i < W_NODES; i++)
		what(w->net, &w->node[i].host);
}

Test(full, a_silent_node_gets_so_many_calls_and_the_others_the_rest)
{
	struct vnode *slow = world_node_of(w, "112");
	unsigned ok = 0;

	slow->mode = V_MUTE;
	for (int i = 0; i < 30; i++) {
		(void)phone_invite(a, "112");
		world_run(w, 2);
	}
	world_run(w, 100);
	cr_expect_eq(slow->got[SIP_INVITE], CAP);
	cr_expect_eq(asked(SIP_INVITE), 30);
	for (unsigned i = 0; i < a->reqc; i++)
		ok += a->req[i].meth == SIP_INVITE && a->req[i].final == 200;
	cr_expect_eq(ok, 30 - CAP);
	cr_expect_eq(world_stat(w, "sbc_full_total", NULL), 0);
	nothing_is_left();
}

/* Nobody else is asked for them either: they wait where they are */
static uint64_t early(const char *what)
{
	char l[40];

	(void)snprintf(l, sizeof(l), "what=\"%s\"", what);
	return world_stat(w, "sbc_shed_early_total", l);
}

/* What overload refuses is not worth a closer look either */
Test(full, it_is_refused_at_first_sight_but_for_what_is_for_the_edge)
{
	struct vreq *r;

	all(sim_freeze);
	for (unsigned i = 0; i < W_NODES * CAP; i++)
		(void)phone_invite(a, "bob");
	world_run(w, 5);
	cr_expect_eq(early("request"), 0);
	r = phone_invite(a, "bob");
	world_run(w, 20);
	cr_expect_eq(r->final, 503);
	cr_expect_eq(early("request"), 1);
	cr_expect_eq(early("ack"), 1);
	cr_expect_eq(world_stat(w, "sbc_full_total", NULL), 1);
	cr_expect_eq(world_stat(w, "pool_full_total", NULL), 1);
	r = phone_send(a, SIP_OPTIONS, NULL, NULL);
	world_run(w, 20);
	cr_expect_eq(early("request"), 1);
	world_run(w, 400);
	all(sim_thaw);
	nothing_is_left();
}

Test(full, when_all_have_so_many_the_next_one_gets_503_and_a_later_one_passes)
{
	struct vreq *r[W_NODES * CAP], *more;
	unsigned n = W_NODES * CAP;

	all(sim_freeze);
	for (unsigned i = 0; i < n; i++)
		r[i] = phone_invite(a, "bob");
	world_run(w, 5);
	more = phone_invite(a, "bob");
	world_run(w, 20);
	cr_expect_eq(more->final, 503);
	cr_expect(more->retry_after);
	cr_expect_eq(world_stat(w, "sbc_full_total", NULL), 1);
	/* it might be for the edge: not refused at first sight */
	more = phone_send(a, SIP_OPTIONS, "bob", NULL);
	world_run(w, 20);
	cr_expect_eq(more->final, 503);
	cr_expect_eq(world_stat(w, "sbc_full_total", NULL), 2);
	cr_expect_eq(world_stat(w, "sbc_lost_total", "why=\"no_node\""), 0);
	world_run(w, 400);
	all(sim_thaw);
	world_run(w, 300);
	cr_expect_eq(asked(SIP_INVITE), n);
	for (unsigned i = 0; i < n; i++)
		cr_expect_eq(r[i]->final, 404, "%u", r[i]->final);
	more = phone_invite(a, "112");
	world_run(w, 100);
	cr_expect_eq(more->final, 200);
	nothing_is_left();
}

Test(full, an_emergency_call_of_a_known_phone_passes)
{
	struct vphone *stranger = world_phone(w, "eve", SIM_DATAGRAM);
	struct vreq *r, *s;

	all(sim_freeze);
	for (unsigned i = 0; i < W_NODES * CAP; i++)
		(void)phone_invite(a, "bob");
	world_run(w, 5);
	r = phone_invite(a, "112");
	s = phone_invite(stranger, "112");
	world_run(w, 20);
	cr_expect_eq(r->final, 0);
	cr_expect_eq(s->final, 503);
	world_run(w, 100);
	all(sim_thaw);
	world_run(w, 300);
	cr_expect_eq(r->final, 200);
	nothing_is_left();
}

Test(full, calls_that_ring_do_not_count)
{
	struct vnode *n = world_node_of(w, "112");

	b->answer = 30000;
	for (int i = 0; i < 5 * CAP; i++) {
		(void)phone_invite(a, "112");
		world_run(w, 10);
	}
	cr_expect_eq(n->got[SIP_INVITE], 5 * CAP);
	cr_expect_eq(b->invc, 5 * CAP);
	nothing_is_left();
}

Test(full, a_node_that_says_100_and_takes_its_time_is_not_full)
{
	struct vnode *n = world_node_of(w, "112");

	n->fork_delay = 1000;
	for (int i = 0; i < 5 * CAP; i++) {
		(void)phone_invite(a, "112");
		world_run(w, 10);
	}
	cr_expect_eq(n->got[SIP_INVITE], 5 * CAP);
	nothing_is_left();
}

/* The node has done its part: the phone does not answer */
Test(full, messages_that_a_phone_owes_an_answer_do_not_count)
{
	struct vnode *n = world_node_of(w, "112");

	sim_freeze(w->net, &b->host);
	for (int i = 0; i < 5 * CAP; i++) {
		(void)phone_send(a, SIP_MESSAGE, "112", NULL);
		world_run(w, 10);
	}
	cr_expect_eq(n->got[SIP_MESSAGE], 5 * CAP);
	nothing_is_left();
}

/* --- by what a node can do --- */

static uint64_t of_node(const struct vnode *n, const char *name)
{
	char l[20];

	(void)snprintf(l, sizeof(l), "node=\"n%u\"", n->idx + 1);
	return world_stat(w, name, l);
}

static void calls(unsigned n)
{
	while (n--) {
		(void)phone_invite(a, "112");
		world_run(w, 2);
	}
}

Test(slow, a_node_whose_answers_come_late_gets_fewer_calls_and_the_others_the_rest)
{
	struct vnode *n = world_node_of(w, "112");
	unsigned got;

	calls(100);
	cr_expect_eq(n->got[SIP_INVITE], 100);
	cr_expect_eq(of_node(n, "node_room"), 0);
	n->host.lag = 80;
	calls(200);
	got = n->got[SIP_INVITE] - 100;
	cr_expect_gt(got, 60, "%u", got);
	cr_expect_lt(got, 180, "%u", got);
	cr_expect_gt(of_node(n, "node_room"), 15);
	cr_expect_eq(of_node(n, "node_slow_total"), 1);
	cr_expect_eq(world_stat(w, "sbc_full_total", NULL), 0);
	n->host.lag = 0;
	world_run(w, 4000);
	calls(50);
	cr_expect_eq(of_node(n, "node_room"), 0);
	nothing_is_left();
}

/* A 200 to REGISTER waits for another node to have it */
Test(slow, only_what_is_answered_at_once_tells_of_it)
{
	struct vnode *n = world_node_of(w, "112");

	calls(20);
	n->host.lag = 80;
	for (int i = 0; i < 100; i++) {
		(void)phone_register(b);
		world_run(w, 5);
	}
	cr_expect_eq(of_node(n, "node_slow_total"), 0);
}
