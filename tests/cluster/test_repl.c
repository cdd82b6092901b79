/* test_repl.c - several nodes on virtual links, one thing at a time. All things at
 * all times: test_sim.c, simrun.c. */
#include <stdio.h>
#include <stdlib.h>
#include <criterion/criterion.h>
#include "base/log.h"
#include "cluster/repl.h"
#include "sim.h"

/* --- one thing at a time ----------------------------------------------------------- */

static struct sim *three(uint64_t seed)
{
	struct sim *s = calloc(1, sizeof(*s));

	cr_assert_not_null(s);
	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	sim_init(s, 3, seed);
	s->trace = getenv("SIM_TRACE") != NULL;
	for (int i = 0; i < 3; i++)
		sim_start(s, i);
	sim_run(s, 12000);
	return s;
}

static void put_x(struct sim *s, int i)
{
	uint64_t wall = sim_wall(s, i);

	cr_assert_eq(store_put(s->node[i].store, SL("x"), SL("k"), 0x100, 1,
			       wall + 600000, SL("v"), wall), 0);
}

static bool has_x(struct sim *s, int i)
{
	return store_count(s->node[i].store, SL("x"), sim_wall(s, i)) == 1;
}

static void done(struct sim *s)
{
	cr_assert_not(s->failed, "%s", s->why);
	sim_close(s);
	free(s);
}

Test(repl, a_change_is_everywhere_in_one_trip)
{
	struct sim *s = three(1);

	put_x(s, 0);
	sim_run(s, 12);
	cr_assert(has_x(s, 1) && has_x(s, 2));
	cr_assert_eq(s->node[0].acked, store_seq(s->node[0].store));
	done(s);
}

/* --- whose ACK is waited for ---------------------------------------------------- */

static struct sim *three_ready(uint64_t seed)
{
	struct sim *s = three(seed);

	for (int i = 0; i < 3; i++)
		mesh_set_state(s->node[i].mesh, CLUSTER_READY);
	sim_run(s, 1000);
	return s;
}

/* What node i knows that member `id` has of its changes */
static uint64_t acked_by(struct sim *s, int i, uint64_t id)
{
	static struct cluster_view v;

	mesh_view(s->node[i].mesh, s->now, &v);
	for (uint32_t k = 1; k < v.n; k++)
		if (v.m[k].node == id)
			return v.m[k].acked_by_it;
	cr_assert_fail("node %d does not know %llu", i,
		       (unsigned long long)id);
	return 0;
}

/* The next one by id is asked for its ACK: of node 2 (id 3) that is id 1 */
Test(repl, one_peer_acknowledges_at_once_the_other_a_little_later)
{
	for (int i = 0; i < 3; i++) {
		struct sim *s = three_ready(20);
		uint64_t soon = (uint64_t)(i + 1) % 3 + 1;
		uint64_t late = (uint64_t)(i + 2) % 3 + 1, seq;

		sim_run(s, 100);
		put_x(s, i);
		seq = store_seq(s->node[i].store);
		sim_run(s, 12);
		cr_expect_eq(s->node[i].acked, seq);
		cr_expect_eq(acked_by(s, i, soon), seq);
		cr_expect_lt(acked_by(s, i, late), seq, "it waits");
		sim_run(s, REPL_ACK_WAIT + 2);
		cr_expect_eq(acked_by(s, i, late), seq);
		done(s);
	}
}

Test(repl, an_ack_that_waits_goes_along_with_the_peers_own_change)
{
	struct sim *s = three_ready(20);
	uint64_t wall, seq;

	sim_run(s, 100);
	put_x(s, 0);
	seq = store_seq(s->node[0].store);
	sim_run(s, 6);
	cr_assert(has_x(s, 2));
	cr_expect_lt(acked_by(s, 0, 3), seq);
	wall = sim_wall(s, 2);
	cr_assert_eq(store_put(s->node[2].store, SL("y"), SL("k"), 0x200, 1,
			       wall + 600000, SL("v"), wall), 0);
	sim_run(s, 6);
	cr_expect_eq(acked_by(s, 0, 3), seq);
	done(s);
}

/* Node 0 asks node 1. That one is frozen: node 2 is in time all the same, and is
 * then the one that is asked. */
Test(repl, a_slow_peer_delays_an_ack_by_the_wait_of_the_others_and_only_at_first)
{
	struct sim *s = three_ready(21);
	uint64_t wall;

	sim_freeze(s, 1, 900);
	put_x(s, 0);
	sim_run(s, REPL_ACK_WAIT + 12);
	cr_expect_eq(s->node[0].acked, store_seq(s->node[0].store));
	sim_run(s, REPL_ACK_LATE);
	wall = sim_wall(s, 0);
	cr_assert_eq(store_put(s->node[0].store, SL("y"), SL("k"), 0x200, 1,
			       wall + 600000, SL("v"), wall), 0);
	sim_run(s, 12);
	cr_expect_eq(s->node[0].acked, store_seq(s->node[0].store));
	done(s);
}

Test(repl, while_nobody_is_ready_all_acknowledge_at_once)
{
	struct sim *s = three(22);
	uint64_t seq;

	put_x(s, 0);
	seq = store_seq(s->node[0].store);
	sim_run(s, 12);
	cr_expect_eq(acked_by(s, 0, 2), seq);
	cr_expect_eq(acked_by(s, 0, 3), seq);
	done(s);
}

/* --- changes that wait for each other ------------------------------------------------ */

static void gap_20(struct sim *s, int i, struct mesh_conf *mc)
{
	(void)s;
	(void)i;
	mc->push_gap = 20;
}

/* Three that are READY, and node 0 has told nothing for a while */
static struct sim *three_gap(void)
{
	struct sim *s = calloc(1, sizeof(*s));

	cr_assert_not_null(s);
	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	sim_init(s, 3, 20);
	s->confh = gap_20;
	s->trace = getenv("SIM_TRACE") != NULL;
	for (int i = 0; i < 3; i++)
		sim_start(s, i);
	sim_run(s, 12000);
	for (int i = 0; i < 3; i++)
		mesh_set_state(s->node[i].mesh, CLUSTER_READY);
	sim_run(s, 1100);
	return s;
}

static void put_n(struct sim *s, int i, int n)
{
	uint64_t wall = sim_wall(s, i);
	char aor[16];

	(void)snprintf(aor, sizeof(aor), "n%d", n);
	cr_assert_eq(store_put(s->node[i].store, sl_cstr(aor), SL("k"), 0x100,
			       1, wall + 600000, SL("v"), wall), 0);
}

static uint64_t contacts(struct sim *s, int i)
{
	return store_stats(s->node[i].store)->contacts;
}

Test(repl, with_a_gap_a_change_after_a_pause_goes_at_once)
{
	struct sim *s = three_gap();

	for (unsigned n = 1; n <= 3; n++) {
		put_n(s, 0, n);
		sim_run(s, 12);
		cr_expect_eq(contacts(s, 1), n);
		cr_expect_eq(contacts(s, 2), n);
		cr_expect_eq(s->node[0].acked, store_seq(s->node[0].store));
		sim_run(s, 30);
	}
	done(s);
}

Test(repl, changes_within_the_gap_are_told_together)
{
	struct sim *s = three_gap();
	uint64_t before = mesh_stats(s->node[0].mesh)->frames_out;

	for (int n = 0; n < 100; n++) {
		put_n(s, 0, n);
		sim_run(s, 1);
	}
	sim_run(s, 32);
	cr_expect_eq(contacts(s, 1), 100);
	cr_expect_eq(contacts(s, 2), 100);
	cr_expect_eq(s->node[0].acked, store_seq(s->node[0].store));
	/* to two peers: 6 times, and a heartbeat or two */
	cr_expect_leq(mesh_stats(s->node[0].mesh)->frames_out - before, 18);
	done(s);
}

Test(repl, a_change_that_waits_goes_along_with_an_ack)
{
	struct sim *s = three_gap();

	sim_run(s, 100);
	put_n(s, 0, 1);
	sim_run(s, 4);
	put_n(s, 0, 2);                 /* waits for 16 ms */
	put_n(s, 2, 3);                 /* node 0 is to acknowledge it at once */
	sim_run(s, 11);
	cr_expect_eq(contacts(s, 2), 3);
	cr_expect_eq(contacts(s, 1), 2, "nothing went there");
	sim_run(s, 20);
	cr_expect_eq(contacts(s, 1), 3);
	done(s);
}

/* What does not fit into one frame is not live any more when the next is made */
Test(repl, who_is_behind_is_not_made_to_wait)
{
	struct sim *s = three_gap();

	s->limit = 1000;
	for (int n = 0; n < 3000; n++)
		put_n(s, 0, n);
	sim_run(s, 70);
	cr_expect_eq(contacts(s, 1), 3000);
	done(s);
}

Test(repl, the_gap_may_change_at_any_time)
{
	struct sim *s = three_gap();
	uint64_t before;

	put_n(s, 0, 1000);
	sim_run(s, 5);
	put_n(s, 0, 1001);
	mesh_set_gap(s->node[0].mesh, 0);
	sim_run(s, 6);
	cr_expect_eq(contacts(s, 1), 2, "it does not wait any more");
	before = mesh_stats(s->node[0].mesh)->frames_out;
	for (int n = 0; n < 100; n++) {
		put_n(s, 0, n);
		sim_run(s, 1);
	}
	sim_run(s, 12);
	cr_expect_eq(contacts(s, 1), 102);
	cr_expect_geq(mesh_stats(s->node[0].mesh)->frames_out - before, 190);
	done(s);
}

Test(repl, what_a_dead_node_told_one_is_told_on)
{
	for (int loud = 0; loud < 2; loud++) {
		struct sim *s = three(2);

		s->cut[0][2] = true;
		put_x(s, 0);
		sim_run(s, 20);
		cr_assert(has_x(s, 1) && !has_x(s, 2));
		sim_crash(s, 0, loud);
		sim_run(s, loud ? 500 : 6000);
		cr_assert(has_x(s, 2), "loud %d", loud);
		done(s);
	}
}

Test(repl, a_cut_between_two_is_bridged_by_the_third)
{
	struct sim *s = three(3);

	s->cut[0][2] = s->cut[2][0] = true;
	sim_run(s, 6000);
	put_x(s, 0);
	sim_run(s, 100);
	cr_assert(has_x(s, 2));
	done(s);
}

Test(repl, the_last_word_of_a_dead_node_survives_a_second_cut)
{
	struct sim *s = three(4);

	s->cut[0][2] = true;
	put_x(s, 0);
	sim_run(s, 700);        /* node 1 says: you don't need it from me */
	s->cut[1][2] = s->cut[2][1] = true;
	sim_run(s, 300);
	sim_crash(s, 0, false);
	sim_run(s, 20000);
	cr_assert_not(has_x(s, 2));
	s->cut[1][2] = s->cut[2][1] = false;
	sim_run(s, 8000);
	cr_assert(has_x(s, 2));
	done(s);
}

Test(repl, a_node_that_was_away_gets_only_what_it_missed)
{
	struct sim *s = three(5);
	uint64_t before, wall = sim_wall(s, 0);
	char aor[16];

	for (int i = 0; i < 500; i++) {
		(void)snprintf(aor, sizeof(aor), "u%d", i);
		cr_assert_eq(store_put(s->node[0].store, sl_cstr(aor), SL("k"),
				       0x100, 1, wall + 600000, SL("v"),
				       wall), 0);
	}
	sim_run(s, 30000);
	before = mesh_stats(s->node[2].mesh)->records_in;
	cr_assert_geq(before, 500);
	for (int k = 0; k < 2; k++)
		s->cut[2][k] = s->cut[k][2] = true;
	sim_run(s, 60000);
	put_x(s, 0);
	for (int k = 0; k < 2; k++)
		s->cut[2][k] = s->cut[k][2] = false;
	sim_run(s, 3000);
	cr_assert(has_x(s, 2));
	cr_assert_leq(mesh_stats(s->node[2].mesh)->records_in - before, 4);
	done(s);
}

static void frozen(uint64_t seed)
{
	struct sim *s = three(seed);
	struct cluster_view v;

	sim_freeze(s, 2, 30000);
	sim_run(s, 29000);
	for (int i = 0; i < 2; i++) {
		mesh_view(s->node[i].mesh, s->now, &v);
		cr_assert_eq(v.alive, 2);
		cr_assert(v.majority);
	}
	/* it wakes: it blames nobody for its own absence */
	for (int k = 0; k < 2000; k++) {
		sim_run(s, 1);
		mesh_view(s->node[2].mesh, s->now, &v);
		for (uint32_t m = 0; m < v.n; m++)
			cr_assert_neq(v.m[m].health, CLUSTER_DEAD);
	}
	sim_run(s, 2000);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(mesh_alive(s->node[i].mesh), 2);
	done(s);
}

Test(repl, a_frozen_node_makes_nobody_else_dead)
{
	for (uint64_t seed = 10; seed < 18; seed++)
		frozen(seed);
}

Test(repl, a_restarted_node_is_synced_in_a_few_trips_and_not_before)
{
	struct sim *s = three(20);
	uint64_t wall = sim_wall(s, 0);
	char aor[16];
	int ms = 0;

	for (int i = 0; i < 300; i++) {
		(void)snprintf(aor, sizeof(aor), "u%d", i);
		cr_assert_eq(store_put(s->node[0].store, sl_cstr(aor), SL("k"),
				       0x100, 1, wall + 600000, SL("v"),
				       wall), 0);
	}
	sim_run(s, 1000);
	sim_crash(s, 0, true);
	sim_run(s, 1000);
	sim_start(s, 0);
	while (!mesh_synced(s->node[0].mesh) && ms++ < 5000)
		sim_run(s, 1);
	cr_assert_eq(store_stats(s->node[0].store)->contacts, 300);
	cr_assert_leq(ms, 200);
	done(s);
}

Test(repl, a_minority_knows_that_it_is_one)
{
	struct sim *s = three(7);

	for (int k = 0; k < 2; k++)
		s->cut[2][k] = s->cut[k][2] = true;
	sim_run(s, 6000);
	cr_assert_not(mesh_majority(s->node[2].mesh));
	cr_assert(mesh_majority(s->node[0].mesh));
	done(s);
}

Test(repl, a_removed_contact_stays_away_after_a_long_cut)
{
	struct sim *s = three(8);
	uint64_t wall;

	put_x(s, 0);
	sim_run(s, 100);
	for (int k = 0; k < 2; k++)
		s->cut[2][k] = s->cut[k][2] = true;
	sim_run(s, 5000);
	wall = sim_wall(s, 0);
	cr_assert_eq(store_del(s->node[0].store, SL("x"), SL("k"), 0x100, 2,
			       wall), 0);
	sim_run(s, 500000);
	cr_assert(has_x(s, 2));
	for (int k = 0; k < 2; k++)
		s->cut[2][k] = s->cut[k][2] = false;
	sim_run(s, 5000);
	for (int i = 0; i < 3; i++)
		cr_assert_not(has_x(s, i));
	done(s);
}

/* Its link was silent for less than `dead`: nobody saw it go. What it had told
 * one node alone in its last life is told on all the same. */
Test(repl, a_restart_that_nobody_saw_is_a_loss_too)
{
	struct sim *s = calloc(1, sizeof(*s));

	cr_assert_not_null(s);
	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	sim_init(s, 3, 23);
	for (int i = 0; i < 3; i++) {
		s->node[i].version = 1;  /* version 2 compares with the new life */
		sim_start(s, i);
	}
	sim_run(s, 12000);
	s->lag[0][2] = 2000;
	put_x(s, 0);
	sim_run(s, 20);
	cr_assert(has_x(s, 1) && !has_x(s, 2));
	sim_crash(s, 0, false);
	s->lag[0][2] = 0;
	s->lag[1][0] = 700;      /* its own data is back after it met node 2 */
	sim_start(s, 0);
	sim_run(s, 5000);
	cr_assert(has_x(s, 2));
	done(s);
}

static void no_repair(struct sim *s, int i, struct mesh_conf *mc)
{
	(void)s;
	(void)i;
	mc->no_repair = true;
}

/* "I have nothing of yours" and "I have all, which is nothing" look alike in
 * HELLO_ACK: the second one is treated as the first by both sides */
Test(repl, the_first_change_is_not_missed_by_a_link_that_was_lost_before_it)
{
	struct sim *s = calloc(1, sizeof(*s));

	cr_assert_not_null(s);
	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	sim_init(s, 2, 24);
	s->confh = no_repair;
	sim_start(s, 0);
	sim_start(s, 1);
	sim_run(s, 12000);
	cr_assert_eq(sim_break(s, 0, 1), 1);
	put_x(s, 0);
	sim_run(s, 5000);
	cr_assert(has_x(s, 1));
	done(s);
}

/* A node of the previous version, which knows PUSH alone: it gets all and gives
 * all, before and after it is replaced by a new one */
Test(repl, a_node_of_version_1_is_a_full_member)
{
	struct sim *s = calloc(1, sizeof(*s));

	cr_assert_not_null(s);
	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	sim_init(s, 3, 21);
	s->node[2].version = 1;
	for (int i = 0; i < 3; i++)
		sim_start(s, i);
	sim_run(s, 5000);
	put_x(s, 2);
	sim_run(s, 100);
	cr_assert(has_x(s, 0) && has_x(s, 1));
	sim_crash(s, 2, true);
	sim_run(s, 1000);
	sim_start(s, 2);
	sim_run(s, 1000);
	cr_assert(has_x(s, 2));
	cr_assert(mesh_synced(s->node[2].mesh));
	sim_crash(s, 2, true);
	s->node[2].version = 0;
	sim_start(s, 2);
	sim_run(s, 1000);
	cr_assert(has_x(s, 2));
	done(s);
}

/* Nodes with other settings or another cluster's id are told so and no data
 * passes */
Test(repl, other_settings_are_refused)
{
	struct sim *s = three(9);

	sim_crash(s, 2, true);
	s->max_expires = 7200;
	sim_start(s, 2);
	sim_run(s, 5000);
	cr_assert_eq(mesh_alive(s->node[2].mesh), 0);
	cr_assert_gt(mesh_stats(s->node[2].mesh)->refused, 0);
	put_x(s, 0);
	sim_run(s, 3000);
	cr_assert_not(has_x(s, 2));
	done(s);
}
