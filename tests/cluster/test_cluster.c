/* test_cluster.c - real links: TLS, hand-shake, push, loss and return. */
#include <stdio.h>
#include <criterion/criterion.h>
#include "base/clk.h"
#include "base/net.h"
#include "base/secret.h"
#include "cluster/hints.h"
#include "live.h"

static struct live n[3];

static void up(void)
{
	cr_assert_eq(secret_init(), 0);
	cr_assert_eq(net_init(256), 0);
}

static void put(struct live *x, const char *aor, uint32_t cseq)
{
	uint64_t w = clk_wall();

	cr_assert_eq(store_put(x->s, sl_cstr(aor), SL("k"), 0x100, cseq,
			       w + 600000, SL("value"), w), 0);
	cluster_flush(x->c);
}

static bool all_linked(const void *arg)
{
	uint32_t want = *(const uint32_t *)arg;

	for (int i = 0; i < 3; i++)
		if (n[i].c && cluster_alive(n[i].c) != want)
			return false;
	return true;
}

static bool all_synced(const void *arg)
{
	for (int i = 0; i < 3; i++)
		if (n[i].c && !cluster_synced(n[i].c))
			return false;
	return true;
}

static bool everywhere(const void *arg)
{
	for (int i = 0; i < 3; i++)
		if (n[i].c && store_count(n[i].s, sl_cstr(arg),
					  clk_wall()) != 1)
			return false;
	return true;
}

static bool was_acked(const void *arg)
{
	return n[0].acked >= *(const uint64_t *)arg;
}

static bool time_is(const void *arg)
{
	return clk_now() >= *(const uint64_t *)arg;
}

static void start3(void)
{
	uint8_t key[32];
	uint32_t two = 2;

	live_key(key, 9);
	for (uint32_t i = 0; i < 3; i++)
		live_start(&n[i], i + 1, key, n, i);
	cr_assert(live_until(all_linked, &two, 10000));
}

static void stop3(void)
{
	for (int i = 0; i < 3; i++)
		if (n[i].c)
			live_stop(&n[i]);
	net_close();
}

Test(cluster, a_change_is_on_every_node_and_acknowledged, .init = up)
{
	uint64_t seq;

	start3();
	put(&n[0], "sip:a@x", 1);
	seq = store_seq(n[0].s);
	cr_assert(live_until(everywhere, "sip:a@x", 10000));
	cr_assert(live_until(was_acked, &seq, 10000));
	cr_assert_eq(cluster_acked(n[0].c), seq);
	cr_assert(live_until(all_synced, NULL, 10000));
	cr_assert(cluster_majority(n[2].c));
	stop3();
}

/* At the end of the turn, not with the next heartbeat */
Test(cluster, a_hint_is_told_at_once_and_nothing_when_nothing_is_new, .init = up)
{
	struct hints *h;
	uint64_t out;

	start3();
	cr_assert(live_until(all_synced, NULL, 10000));
	h = cluster_hints(n[0].c);
	out = h->out;
	cluster_flush(n[0].c);
	cr_expect_eq(h->out, out);
	hints_say(h, 0x1234, 1000);
	cluster_flush(n[0].c);
	cr_expect_gt(h->out, out);
	stop3();
}

Test(cluster, what_waits_to_be_told_is_told_before_the_node_leaves, .init = up)
{
	start3();
	cluster_set_gap(n[0].c, 100);
	put(&n[0], "a", 1);
	put(&n[0], "b", 1);
	live_stop(&n[0]);
	cr_expect(live_until(everywhere, "a", 3000));
	cr_expect(live_until(everywhere, "b", 3000));
	stop3();
}

Test(cluster, a_restarted_node_gets_everything_back, .init = up)
{
	uint8_t key[32];
	char aor[32];
	uint32_t two = 2, one = 1;

	start3();
	for (int i = 0; i < 2000; i++) {
		(void)snprintf(aor, sizeof(aor), "sip:u%d@x", i);
		put(&n[i % 3], aor, 1);
	}
	cr_assert(live_until(everywhere, "sip:u1999@x", 10000));
	live_stop(&n[2]);
	cr_assert(live_until(all_linked, &one, 10000));
	put(&n[0], "sip:meanwhile@x", 1);
	live_key(key, 9);
	live_start(&n[2], 3, key, n, 2);
	cr_assert(live_until(all_linked, &two, 10000));
	cr_assert(live_until(everywhere, "sip:meanwhile@x", 10000));
	cr_assert(live_until(everywhere, "sip:u0@x", 10000));
	cr_assert(live_until(all_synced, NULL, 10000));
	cr_assert_eq(store_stats(n[2].s)->contacts, 2001);
	stop3();
}

Test(cluster, the_view_names_members_and_differences, .init = up)
{
	struct cluster_view *v = calloc(1, sizeof(*v));
	uint32_t differ = 0;
	uint64_t seq = 1, until;

	start3();
	cluster_set_digests(n[0].c, 11, 22);
	cluster_set_digests(n[1].c, 11, 23);
	put(&n[0], "sip:a@x", 1);
	cr_assert(live_until(was_acked, &seq, 10000));
	until = clk_now() + 300;
	cr_assert(live_until(time_is, &until, 2000));
	cluster_view(n[0].c, v);
	cr_assert_eq(v->n, 3);
	cr_assert_eq(v->members, 3);
	cr_assert_eq(v->alive, 3);
	for (uint32_t i = 0; i < v->n; i++) {
		cr_assert_eq(v->m[i].health, CLUSTER_ALIVE);
		cr_assert_not(v->m[i].settings_differ);
		differ += v->m[i].users_differ;
	}
	cr_assert_eq(differ, 1);
	cr_assert(v->m[0].self);
	stop3();
	free(v);
}

/* Enough to fill every buffer on the way many times */
Test(cluster, a_joiner_is_fed_in_one_go, .init = up)
{
	struct cluster_view *v = calloc(1, sizeof(*v));
	uint64_t w = clk_wall();
	uint8_t key[32];
	char aor[32];

	live_key(key, 9);
	live_start(&n[0], 1, key, n, 0);
	for (int i = 0; i < 30000; i++) {
		(void)snprintf(aor, sizeof(aor), "sip:u%d@x", i);
		cr_assert_eq(store_put(n[0].s, sl_cstr(aor), SL("k"), 0x100,
				       1, w + 600000, SL("some value"), w),
			     0);
	}
	live_start(&n[1], 2, key, n, 1);
	cr_assert(live_until(everywhere, "sip:u29999@x", 20000));
	cr_assert(live_until(all_synced, NULL, 20000));
	cr_assert_eq(store_stats(n[1].s)->contacts, 30000);
	cluster_view(n[1].c, v);
	cr_assert_eq(v->links_made, 1);
	cr_assert_eq(v->links_lost, 0);
	free(v);
	stop3();
}

Test(cluster, two_nodes_with_one_id_do_not_link, .init = up)
{
	uint64_t until = clk_now() + 400, links = 9;
	uint8_t key[32];

	live_key(key, 9);
	live_start(&n[0], 7, key, n, 0);
	live_start(&n[1], 7, key, n, 1);
	cr_assert(live_until(time_is, &until, 2000));
	cr_assert(stat_get(n[1].st, "cluster_links_made_total", NULL,
			   &links));
	cr_assert_eq(links, 0);
	cr_assert_eq(cluster_alive(n[0].c), 0);
	cr_assert_eq(cluster_alive(n[1].c), 0);
	stop3();
}

/* A node alone is ready at once, and nobody can acknowledge */
Test(cluster, a_node_alone_is_synced_and_a_majority, .init = up)
{
	uint8_t key[32];

	live_key(key, 9);
	live_start(&n[0], 1, key, n, 0);
	cr_assert(live_until(all_synced, NULL, 10000));
	cr_assert(cluster_majority(n[0].c));
	cr_assert_eq(cluster_alive(n[0].c), 0);
	put(&n[0], "sip:a@x", 1);
	cr_assert_eq(cluster_acked(n[0].c), 0);
	stop3();
}

/* Peers that never answer hold a start up for `dead` ms, not longer */
Test(cluster, absent_peers_delay_the_start_only_for_a_while, .init = up)
{
	uint64_t from = clk_now();
	uint8_t key[32];
	struct live gone;

	live_key(key, 9);
	live_start(&gone, 2, key, n, 0);
	live_start(&n[0], 1, key, &gone, 1);
	live_stop(&gone);
	cr_assert(live_until(all_synced, NULL, 10000));
	cr_assert_geq(clk_now() - from, LIVE_DEAD);
	cr_assert_not(cluster_majority(n[0].c));
	stop3();
}
