/* Connections of phones that ended: the queue, and the edge that tells nodes. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "sbc/ended.h"
#include "world.h"

/* --- the queue --- */

enum { ROOM = 60000 };

static struct ended g;

static void begin_queue(void)
{
	ended_init(&g);
}

static void end_queue(void)
{
	ended_close(&g);
	cr_expect_eq(g.first, NULL);
}
TestSuite(ended, .init = begin_queue, .fini = end_queue);

static void add(uint32_t n, uint64_t now)
{
	char aor[64];

	for (uint32_t i = 0; i < n; i++) {
		(void)snprintf(aor, sizeof(aor), "u%u@example.com", i);
		ended_add(&g, sl_cstr(aor), SL("token"), now);
	}
}

Test(ended, lines_wait_for_each_other_and_go_together)
{
	struct ended_batch *b;

	cr_expect_eq(ended_next(&g), UINT64_MAX);
	add(2, 1000);
	cr_expect_eq(ended_next(&g), 1000 + ENDED_WAIT);
	cr_expect_null(ended_poll(&g, ROOM, 1000 + ENDED_WAIT - 1));
	add(1, 1010);
	b = ended_poll(&g, ROOM, 1000 + ENDED_WAIT);
	cr_assert_not_null(b);
	cr_expect(sl_eq(buf_as_sl(&b->body), SL("u0@example.com token\r\n"
		"u1@example.com token\r\nu0@example.com token\r\n")));
	ended_sent(b, 0);
	cr_expect_null(ended_poll(&g, ROOM, 5000));
	cr_expect_eq(ended_next(&g), UINT64_MAX);
	ended_done(&g, b, true, 5000);
	cr_expect_eq(g.told, 3);
	cr_expect_eq(g.waiting, 0);
}

Test(ended, ten_thousand_are_few_messages_and_no_burst)
{
	uint64_t now = 1000;
	uint32_t most = 0, open = 0;

	add(10000, now);
	for (; g.waiting && now < 3000; now++) {
		struct ended_batch *b;
		uint32_t n = 0;

		while ((b = ended_poll(&g, ROOM, now))) {
			cr_assert_leq(b->body.n, ROOM);
			ended_sent(b, 0);
			open++;
			n++;
			/* each is under way for 10 ms */
		}
		cr_assert_leq(n, 1);
		most = open > most ? open : most;
		for (int i = 0; i < ENDED_OPEN && now % 10 == 0; i++)
			if (g.batch[i].sent) {
				ended_done(&g, &g.batch[i], true, now);
				open--;
			}
	}
	cr_expect_eq(g.told, 10000);
	cr_expect_leq(g.batches, 10000 * 25 / ROOM + 2);
	cr_expect_leq(most, ENDED_OPEN);
	cr_expect_leq(now, 1000 + 500);
}

Test(ended, a_small_datagram_takes_some)
{
	struct ended_batch *b;

	add(100, 1000);
	b = ended_poll(&g, 900, 2000);
	cr_assert_not_null(b);
	cr_expect_leq(b->body.n, 900);
	cr_expect_gt(b->lines, 30);
	ended_sent(b, 0);
	cr_expect_null(ended_poll(&g, 900, 2000));
	cr_expect_not_null(ended_poll(&g, 900, 2000 + ENDED_PACE));
}

Test(ended, who_does_not_take_it_is_not_asked_twice_until_all_were)
{
	struct ended_batch *b;

	add(1, 1000);
	b = ended_poll(&g, ROOM, 1020);
	ended_sent(b, 3);
	ended_done(&g, b, false, 1500);
	cr_expect_eq(ended_next(&g), 1500);
	cr_expect_eq(ended_poll(&g, ROOM, 1500), b);
	cr_expect(disp_set_has(&b->tried, 3));
	ended_none(&g, b, 1500);
	cr_expect_null(ended_poll(&g, ROOM, 1500 + ENDED_AGAIN - 1));
	cr_expect_eq(ended_poll(&g, ROOM, 1500 + ENDED_AGAIN), b);
	cr_expect_not(disp_set_has(&b->tried, 3));
	ended_none(&g, b, 1021 + ENDED_AGE);
	cr_expect_eq(g.late, 1);
	cr_expect_eq(g.waiting, 0);
}

Test(ended, at_the_cap_it_is_counted)
{
	add(ENDED_MAX + 5, 1000);
	cr_expect_eq(g.full, 5);
	/* and what waited for too long is not told */
	cr_expect_null(ended_poll(&g, ROOM, 1001 + ENDED_AGE));
	cr_expect_eq(g.late, ENDED_MAX);
	cr_expect_eq(g.waiting, 0);
}

Test(ended, what_cannot_be_a_line_is_left_out)
{
	static char big[1000];

	memset(big, 'x', sizeof(big));
	ended_add(&g, SL_NONE, SL("t"), 1000);
	ended_add(&g, SL("a"), sl_mk(big, sizeof(big)), 1000);
	cr_expect_null(ended_poll(&g, 900, 2000));
	cr_expect_eq(g.full, 2);
	cr_expect_eq(g.waiting, 0);
}

/* --- the edge --- */

static struct world *w;
static struct vphone *a, *b;

static void setup(bool udp)
{
	w = world_new_as(1, NULL, udp, false);
	a = world_phone(w, "alice", SIM_DATAGRAM);
	b = world_phone(w, "bob", SIM_STREAM);
	(void)phone_register(a);
	(void)phone_send(b, SIP_REGISTER, "bob", "reg-bob");
	world_run(w, 50);
}

static void begin(void)
{
	setup(false);
}

static void end(void)
{
	world_run(w, 70000);
	cr_expect_eq(edge_pending(w->edge), 0);
	world_free(w);
}
TestSuite(ended_edge, .init = begin, .fini = end);

static unsigned told(void)
{
	return w->node[0].told + w->node[1].told + w->node[2].told;
}

static unsigned lines(void)
{
	return w->node[0].told_lines + w->node[1].told_lines +
		w->node[2].told_lines;
}

/** The node that heard of it */
static struct vnode *who(void)
{
	for (int i = 0; i < W_NODES; i++)
		if (w->node[i].told_lines)
			return &w->node[i];
	return NULL;
}

static uint64_t stat_told(void)
{
	return world_stat(w, "sbc_ended_total", "result=\"told\"");
}

Test(ended_edge, one_node_hears_user_and_token_of_the_path)
{
	char want[400], *at;

	phone_cut(b);
	world_run(w, 100);
	cr_assert_eq(told(), 1);
	cr_expect_eq(stat_told(), 1);
	/* <sip:TOKEN@... */
	(void)snprintf(want, sizeof(want), "bob@example.com %s",
		       w->loc[1].path + 5);
	at = strchr(want + 16, '@');
	cr_assert_not_null(at);
	memcpy(at, "\r\n", 3);
	cr_expect_str_eq(who()->told_last, want);
}

Test(ended_edge, a_closed_connection_is_told_too)
{
	sim_close(w->net, sim_between(w->net, &b->host.addr,
				      &w->client.addr));
	world_run(w, 100);
	cr_expect_eq(lines(), 1);
}

Test(ended_edge, whose_phone_has_a_newer_connection_tells_nothing)
{
	struct vphone *c = world_phone_of(w, "bob2", "bob", 0, SIM_STREAM);

	/* the same phone: its Call-ID, from another port */
	(void)phone_send(c, SIP_REGISTER, "bob", "reg-bob");
	world_run(w, 50);
	phone_cut(b);
	world_run(w, 100);
	cr_expect_eq(told(), 0);
	phone_cut(c);
	world_run(w, 100);
	cr_expect_eq(lines(), 1);
}

Test(ended_edge, who_has_not_registered_tells_nothing)
{
	struct vphone *c = world_phone(w, "carol", SIM_STREAM);

	(void)phone_invite(c, "nobody");
	world_run(w, 500);
	phone_cut(c);
	world_run(w, 100);
	cr_expect_eq(told(), 0);
}

Test(ended_edge, a_node_that_refuses_or_is_mute_is_followed_by_the_next)
{
	w->node[0].told_code = 503;
	w->node[1].told_code = 1;
	w->node[2].told_code = 405;
	phone_cut(b);
	world_run(w, 6000);
	cr_expect_eq(lines(), 0);
	w->node[2].told_code = 0;
	world_run(w, 4000);
	cr_expect_eq(lines(), 1);
	cr_expect_eq(w->node[2].told_lines, 1);
	cr_expect_eq(stat_told(), 1);
}

Test(ended_edge, a_node_that_dies_with_it_is_followed_by_the_next)
{
	for (int i = 0; i < W_NODES; i++)
		w->node[i].told_code = 1;
	phone_cut(b);
	world_run(w, 50);
	cr_assert_eq(told(), 1);
	for (int i = 0; i < W_NODES; i++) {
		w->node[i].told_code = 0;
		if (w->node[i].told)
			node_kill(&w->node[i]);
	}
	world_run(w, 100);
	cr_expect_eq(lines(), 1);
}

Test(ended_edge, without_a_node_it_waits_for_a_minute)
{
	for (int i = 0; i < W_NODES; i++)
		node_kill(&w->node[i]);
	world_run(w, 5000);
	phone_cut(b);
	world_run(w, 10000);
	cr_expect_eq(world_stat(w, "sbc_ended_waiting", NULL), 1);
	sim_start(w->net, &w->node[1].host);
	world_run(w, 8000);
	cr_expect_eq(w->node[1].told_lines, 1);
	cr_expect_eq(world_stat(w, "sbc_ended_waiting", NULL), 0);
}

Test(ended_edge, an_edge_that_stops_or_dies_tells_nothing)
{
	edge_drain(w->edge);
	phone_cut(b);
	world_run(w, 500);
	cr_expect_eq(told(), 0);
	world_restart_edge(w);
	world_run(w, 5000);
	cr_expect_eq(told(), 0);
}

Test(ended_edge, of_a_register_under_way_it_is_told_in_the_end)
{
	struct vnode *n = world_node_of(w, "bob");

	/* its 200 comes when the connection has gone */
	sim_freeze(w->net, &n->host);
	(void)phone_send(b, SIP_REGISTER, "bob", "reg-bob");
	world_run(w, 20);
	phone_cut(b);
	world_run(w, 60);
	sim_thaw(w->net, &n->host);
	world_run(w, 200);
	cr_expect_geq(lines(), 1);
	cr_expect_eq(world_stat(w, "sbc_known", NULL), 0);
}

Test(ended_udp, over_datagrams_it_is_sent_again, .fini = end)
{
	setup(true);
	w->net->loss = 300;
	phone_cut(b);
	world_run(w, 20000);
	cr_expect_geq(lines(), 1);
	cr_expect_eq(stat_told(), 1);
	w->net->loss = 0;
}
