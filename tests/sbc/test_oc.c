/* test_oc.c - Nodes of other makes that ask for less: RFC 7339 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

static struct world *w;
static struct vphone *a, *b;

static void begin(void)
{
	struct edge_overload_conf c = { .target = 50, .numberc = 1 };

	memcpy(c.number[0], "112", 4);
	w = world_new(1, NULL);
	edge_overload_conf(w->edge, &c, w->net->now);
	world_two_phones(w, "112", &a, &b);
}

static void end(void)
{
	world_free(w);
}

TestSuite(oc_edge, .init = begin, .fini = end);

/* What all of them say, once their probes have said what they are */
static void all_say(const char *oc)
{
	for (int i = 0; i < W_NODES; i++)
		w->node[i].oc = oc;
	world_run(w, 2500);
}

static unsigned asked(enum sip_method meth)
{
	unsigned n = 0;

	for (int i = 0; i < W_NODES; i++)
		n += w->node[i].got[meth];
	return n;
}

static uint64_t words(const char *result)
{
	char l[40];

	(void)snprintf(l, sizeof(l), "result=\"%s\"", result);
	return world_stat(w, "sbc_oc_total", l);
}

/* Each node hears of a call, so that each has answered */
static void all_answer(void)
{
	static const char *const to[] = { "112", "bob", "carol", "dave", "eve",
					  "frank", "grace", "heidi" };

	for (unsigned i = 0; i < sizeof(to) / sizeof(*to); i++) {
		(void)phone_invite(a, to[i]);
		world_run(w, 40);
	}
	for (int i = 0; i < W_NODES; i++)
		cr_assert_gt(w->node[i].got[SIP_INVITE], 0);
}

Test(oc_edge, our_own_nodes_are_offered_nothing)
{
	struct vreq *r = phone_invite(a, "112");

	world_run(w, 200);
	cr_expect_eq(r->final, 200);
	for (int i = 0; i < W_NODES; i++)
		cr_expect_eq(w->node[i].offered, 0);
	cr_expect_eq(words("taken") + words("refused"), 0);
}

Test(oc_edge, who_gives_back_what_is_offered_asks_for_nothing)
{
	struct vreq *r;

	all_say(";oc;oc-algo=\"loss\"");
	r = phone_invite(a, "112");
	world_run(w, 200);
	cr_expect_eq(r->final, 200);
	cr_expect_gt(world_node_of(w, "112")->offered, 0);
	cr_expect_eq(words("taken") + words("refused"), 0);
	cr_expect_eq(w->leaks, 0, "%s", w->leak);
}

Test(oc_edge, what_one_asks_for_goes_to_the_others)
{
	struct vnode *n = world_node_of(w, "carl");
	struct vphone *c = world_phone(w, "carl", SIM_DATAGRAM);
	struct vreq *r;

	(void)phone_register(c);
	c->ring = 5;
	c->answer = 20;
	n->oc = ";oc=100;oc-algo=\"loss\";oc-validity=9000;oc-seq=1.1";
	world_run(w, 2500);
	(void)phone_invite(a, "carl");
	world_run(w, 200);
	cr_assert_eq(n->got[SIP_INVITE], 1);
	cr_expect_gt(words("taken"), 0);
	for (int i = 0; i < 20; i++) {
		r = phone_invite(a, "carl");
		world_run(w, 50);
		cr_expect_eq(r->final, 200);
	}
	cr_expect_eq(n->got[SIP_INVITE], 1);
	world_run(w, 9000);
	(void)phone_invite(a, "carl");
	world_run(w, 50);
	cr_expect_eq(n->got[SIP_INVITE], 2, "its time is over");
}

Test(oc_edge, when_all_ask_for_it_new_ones_get_503_but_not_what_must_pass)
{
	struct vphone *eve = world_phone(w, "eve", SIM_DATAGRAM);
	struct vreq *call, *r;
	unsigned n;

	all_say(";oc=100;oc-algo=\"loss\";oc-validity=9000;oc-seq=1.1");
	call = phone_invite(a, "112");
	world_run(w, 200);
	cr_assert_eq(call->final, 200);
	/* the others have not said it yet: those calls are theirs */
	all_answer();
	n = asked(SIP_INVITE);
	r = phone_invite(a, "bob");
	world_run(w, 50);
	cr_expect_eq(r->final, 503);
	cr_expect(r->retry_after);
	cr_expect_eq(asked(SIP_INVITE), n);
	cr_expect_gt(world_stat(w, "sbc_full_total", NULL), 0);
	r = phone_register(eve);
	world_run(w, 50);
	cr_expect_eq(r->final, 503);
	/* an emergency call of a known phone; what is in a dialog */
	r = phone_invite(a, "112");
	world_run(w, 200);
	cr_expect_eq(r->final, 200);
	r = phone_in_dialog(a, call, SIP_BYE);
	world_run(w, 100);
	cr_expect_eq(r->final, 200);
	/* a stranger's is none */
	r = phone_invite(eve, "112");
	world_run(w, 100);
	cr_expect_eq(r->final, 503);
}

Test(oc_edge, refreshes_are_refused_last)
{
	struct vreq *call, *reg;
	unsigned calls = 0, refreshes = 0;

	all_say(";oc=30;oc-algo=\"loss\";oc-validity=9000;oc-seq=1.1");
	all_answer();
	for (int i = 0; i < 100; i++) {
		call = phone_invite(a, "bob");
		reg = phone_register(a);
		world_run(w, 40);
		calls += call->final == 503;
		refreshes += reg->final == 503;
	}
	cr_expect_gt(calls, 40);
	cr_expect_lt(refreshes, 5);
}

Test(oc_edge, what_is_no_such_word_is_counted_and_does_nothing)
{
	struct vreq *r;

	all_say(";oc=900;oc-algo=\"loss\";oc-seq=1.1");
	for (int i = 0; i < 10; i++) {
		r = phone_invite(a, "112");
		world_run(w, 100);
		cr_expect_eq(r->final, 200);
	}
	cr_expect_gt(words("refused"), 9);
	cr_expect_eq(words("taken"), 0);
}
