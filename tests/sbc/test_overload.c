/* The edge under overload: whose work is refused, and whose is not. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "sbc/phones.h"
#include "world.h"

static struct world *w;
static struct vphone *a, *b;
static uint64_t waits;           /* [us] all messages wait so long        */

static void begin(void)
{
	struct edge_overload_conf c = { .target = 20, .numberc = 1 };

	memcpy(c.number[0], "112", 4);
	w = world_new(1, NULL);
	a = world_phone(w, "alice", SIM_DATAGRAM);
	b = world_phone(w, "112", SIM_STREAM);
	edge_overload_conf(w->edge, &c, w->net->now);
	b->answer = 20;
}

static void end(void)
{
	world_run(w, 70000);
	cr_expect_eq(edge_pending(w->edge), 0);
	world_free(w);
}
TestSuite(overload_edge, .init = begin, .fini = end);

/** Until the level is at least that */
static void flood(uint64_t level)
{
	waits = 20000;
	while (world_stat(w, "sbc_shed_level", NULL) < level) {
		waits += 20000;
		for (int i = 0; i < 5; i++) {
			edge_waited(w->edge, (uint32_t)waits, w->net->now);
			world_run(w, 20);
		}
	}
	edge_waited(w->edge, 400000, w->net->now);
}

static uint64_t shed(const char *who)
{
	char l[40];

	(void)snprintf(l, sizeof(l), "who=\"%s\"", who);
	return world_stat(w, "sbc_shed_total", l);
}

Test(overload_edge, without_it_all_are_served)
{
	edge_waited(w->edge, 1000, w->net->now);
	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 500);
	cr_expect_eq(a->req[0].final, 200);
	cr_expect_eq(b->req[0].final, 200);
	cr_expect_eq(shed("stranger") + shed("known"), 0);
}

Test(overload_edge, a_stranger_gets_503_and_retry_after_and_no_node_hears_of_it)
{
	unsigned got = 0;
	struct vreq *r;

	flood(1000);
	r = phone_invite(a, "112");
	world_run(w, 50);
	cr_expect_eq(r->final, 503);
	cr_expect(r->retry_after);
	for (unsigned i = 0; i < W_NODES; i++)
		got += w->node[i].got[SIP_INVITE];
	cr_expect_eq(got, 0, "emergency or not: he is not known");
	cr_expect_eq(shed("stranger"), 1);
	cr_expect_eq(edge_pending(w->edge), 0);
}

Test(overload_edge, a_refresh_is_served_when_everything_else_is_refused)
{
	struct vreq *r;

	(void)phone_register(a);
	world_run(w, 500);
	flood(2000);
	r = phone_register(a);
	world_run(w, 50);
	cr_expect_eq(r->final, 200);
	r = phone_register(b);
	world_run(w, 50);
	cr_expect_eq(r->final, 503, "nobody knows it");
	r = phone_invite(a, "bob");
	world_run(w, 50);
	cr_expect_eq(r->final, 503);
	cr_expect_eq(shed("known"), 1);
}

Test(overload_edge, known_phones_call_while_strangers_are_refused)
{
	struct vreq *r;

	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 500);
	flood(600);
	cr_assert_leq(world_stat(w, "sbc_shed_level", NULL), 1000);
	r = phone_invite(a, "112");
	world_run(w, 200);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(shed("known"), 0);
}

Test(overload_edge, an_emergency_call_of_a_known_phone_is_served)
{
	struct vreq *r;

	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 500);
	flood(2000);
	r = phone_invite(a, "112");
	world_run(w, 200);
	cr_expect_eq(r->final, 200);
}

Test(overload_edge, what_runs_goes_on)
{
	struct vreq *r, *s;

	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 500);
	r = phone_invite(a, "112");
	world_run(w, 200);
	cr_assert_eq(r->final, 200);
	flood(2000);
	s = phone_in_dialog(a, r, SIP_BYE);
	world_run(w, 100);
	cr_expect_eq(s->final, 200);
	cr_expect_eq(shed("known") + shed("stranger"), 0);
}

Test(overload_edge, a_caller_may_cancel)
{
	struct vreq *r;

	(void)phone_register(a);
	(void)phone_register(b);
	b->answer = UINT32_MAX;
	world_run(w, 500);
	r = phone_invite(a, "112");
	world_run(w, 200);
	flood(2000);
	phone_cancel(a, r);
	world_run(w, 100);
	cr_expect_eq(r->final, 487);
}

Test(overload_edge, a_copy_of_a_call_that_runs_is_absorbed)
{
	struct vreq *r;

	(void)phone_register(a);
	(void)phone_register(b);
	b->answer = 30000;
	world_run(w, 500);
	r = phone_invite(a, "112");
	world_run(w, 200);
	flood(2000);
	phone_again(a, r);
	world_run(w, 100);
	cr_expect_eq(r->final, 0);
	cr_expect_eq(shed("known"), 0);
}

/* --- who is known --- */

Test(phones, an_hour_is_remembered_two_are_not)
{
	struct phones p = { 0 };
	const uint64_t life = PHONES_LIFE;

	cr_expect_not(phones_has(&p, 5, 10));
	phones_add(&p, 5, 10);
	cr_expect(phones_has(&p, 5, 10 + life - 1));
	phones_add(&p, 6, 10 + life);
	cr_expect(phones_has(&p, 5, 10 + life));
	cr_expect(phones_has(&p, 6, 10 + life));
	cr_expect_not(phones_has(&p, 5, 10 + 2 * life + life / 2));
	cr_expect(phones_has(&p, 6, 10 + 2 * life + life / 2));
	cr_expect_not(phones_has(&p, 6, 10 + 3 * life + life / 2));
	phones_add(&p, 8, 10 + 2 * life + life / 2);
	phones_add(&p, 9, 10 + 3 * life + life / 2);
	cr_expect_not(phones_has(&p, 6, 10 + 3 * life + life / 2));
	phones_add(&p, 7, 10 + 9 * life);
	cr_expect_not(phones_has(&p, 6, 10 + 9 * life));
	phones_close(&p);
}

Test(phones, of_a_million_strangers_few_are_taken_for_one_of_a_million)
{
	struct phones p = { 0 };
	uint64_t x = 1;
	unsigned wrong = 0;

	for (unsigned i = 0; i < 2000000; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		if (i < 1000000)
			phones_add(&p, x ^ x >> 31, 0);
		else
			wrong += phones_has(&p, x ^ x >> 31, 0);
	}
	cr_expect_lt(wrong, 35000, "%u", wrong);
	phones_close(&p);
}
