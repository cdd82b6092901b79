/* test_repl.c - several nodes on virtual links: what was accepted by a node
 * that lives is on all nodes after the links heal, what was removed is not.
 *
 * SIM_SEEDS sets how many seeds are tried, SIM_SEED tries one alone. */
#include <stdio.h>
#include <stdlib.h>
#include <criterion/criterion.h>
#include "base/log.h"
#include "sim.h"

#define OPS 400
#define AORS 3
#define KEYS 3
#define UAS 4          /* lineages that fight for the bindings */

struct op {
	int aor, key;
	uint64_t lineage;
	uint32_t cseq;
	bool dead;
	bool lost;             /* every node that had it has crashed since */
};

struct world {
	struct sim s;
	struct op op[OPS];
	int n;
	uint32_t cseq[UAS];
	uint64_t seed;
};

static struct sl aor_of(int i)
{
	static const char *const name[AORS] = { "sip:a@x", "sip:b@x",
						"sip:c@x" };
	return sl_cstr(name[i]);
}

static struct sl key_of(int i)
{
	static const char *const name[KEYS] = { "k1", "k2", "k3" };

	return sl_cstr(name[i]);
}

/* --- looking into a store ---------------------------------------------------------- */

static bool record_of(struct store *s, struct sl aor, struct sl key,
		      struct record *r)
{
	struct store_cursor c = { 0 };
	struct store_change ch;
	bool found = false;

	store_cursor_add(s, &c, 0);
	while (!found && store_cursor_peek(s, &c, &ch)) {
		cr_assert_eq(record_decode(r, ch.packed), 0);
		found = sl_eq(r->aor, aor) && sl_eq(r->key, key);
		store_cursor_step(s, &c);
	}
	store_cursor_del(s, &c);
	return found;
}

static bool holds(struct store *s, const struct op *o)
{
	struct record r;

	if (!record_of(s, aor_of(o->aor), key_of(o->key), &r))
		return false;
	for (uint8_t i = 0; i < r.n; i++)
		if (r.e[i].lineage == o->lineage && r.e[i].cseq >= o->cseq)
			return true;
	return false;
}

/* --- what happens -------------------------------------------------------------------- */

static int living(struct world *w)
{
	int i, tries = 50;

	do {
		i = (int)rng_below(&w->s.rng, (uint32_t)w->s.n);
	} while (--tries && (!w->s.node[i].mesh ||
			     w->s.node[i].frozen > w->s.now));
	return tries ? i : -1;
}

static void op_at(struct world *w, int i)
{
	struct op *o = &w->op[w->n];
	int ua = (int)rng_below(&w->s.rng, UAS), err;
	struct sl v = sl_mk(o, 16);
	uint64_t wall;
	struct store *s;

	if (i < 0 || w->n == OPS)
		return;
	s = w->s.node[i].store;
	wall = sim_wall(&w->s, i);
	o->aor = (int)rng_below(&w->s.rng, AORS);
	o->key = (int)rng_below(&w->s.rng, KEYS);
	o->lineage = (uint64_t)(ua + 1) << 8;
	o->cseq = ++w->cseq[ua];
	o->dead = rng_below(&w->s.rng, 3) == 0;
	if (o->dead)
		err = store_del(s, aor_of(o->aor), key_of(o->key),
				o->lineage, o->cseq, wall);
	else
		err = store_put(s, aor_of(o->aor), key_of(o->key),
				o->lineage, o->cseq, wall + 3000000, v, wall);
	cr_assert_eq(err, 0, "seed %llu err %d",
		     (unsigned long long)w->seed, err);
	w->n++;
}

static void one_op(struct world *w)
{
	op_at(w, living(w));
}

/* Somebody finds that a contact is gone (ping failure) */
static void one_kill(struct world *w)
{
	struct store_contact c;
	int i = living(w);
	struct sl a = aor_of((int)rng_below(&w->s.rng, AORS));
	struct sl k = key_of((int)rng_below(&w->s.rng, KEYS));

	if (i < 0 || store_find(w->s.node[i].store, a, k,
				sim_wall(&w->s, i), &c))
		return;
	cr_assert_eq(store_kill(w->s.node[i].store, a, k, c.vstamp,
				sim_wall(&w->s, i)), 0);
}

static void crash_at(struct world *w, int i)
{
	int others = 0;
	struct sim *s = &w->s;

	for (int k = 0; k < s->n; k++)
		others += k != i && s->node[k].mesh;
	if (i < 0 || others == 0)
		return;
	sim_crash(s, i, rng_below(&s->rng, 3) > 0);
	for (int o = 0; o < w->n; o++) {
		bool held = false;

		for (int k = 0; k < s->n && !held; k++)
			held = s->node[k].mesh &&
			       holds(s->node[k].store, &w->op[o]);
		if (!held)
			w->op[o].lost = true;
	}
}

static void crash(struct world *w)
{
	crash_at(w, living(w));
}

static void restart(struct world *w)
{
	for (int i = 0; i < w->s.n; i++)
		if (!w->s.node[i].mesh) {
			sim_start(&w->s, i);
			return;
		}
}

static void cut(struct world *w)
{
	struct sim *s = &w->s;
	int a = (int)rng_below(&s->rng, (uint32_t)s->n);
	int b = (int)rng_below(&s->rng, (uint32_t)s->n);

	if (a == b)
		return;
	switch (rng_below(&s->rng, 3)) {
	case 0:                         /* one way only */
		s->cut[a][b] = true;
		break;
	case 1:
		s->cut[a][b] = s->cut[b][a] = true;
		break;
	default:                        /* a is alone */
		for (int k = 0; k < s->n; k++)
			s->cut[a][k] = s->cut[k][a] = k != a;
	}
}

/* What was in flight through a cut is not delivered later: TCP gave up */
static void heal(struct world *w)
{
	struct sim *s = &w->s;

	for (int a = 0; a < s->n; a++)
		for (int b = 0; b < s->n; b++) {
			if (s->cut[a][b] && rng_below(&s->rng, 2))
				sim_break(s, a, b);
			s->cut[a][b] = false;
		}
}

/* A node tells some, not all, of its last change, and dies */
static void half_way(struct world *w)
{
	struct sim *s = &w->s;
	int a = living(w), k = (int)rng_below(&s->rng, (uint32_t)s->n);

	if (a < 0 || a == k)
		return;
	s->cut[a][k] = true;
	sim_run(s, rng_below(&s->rng, 4000));
	if (s->node[a].frozen > s->now)
		return;
	op_at(w, a);
	sim_run(s, rng_below(&s->rng, 20));
	crash_at(w, a);
	sim_run(s, rng_below(&s->rng, 4000));
	s->cut[a][k] = false;
}

static void one_fault(struct world *w, bool crashes)
{
	struct sim *s = &w->s;
	int i = living(w);

	switch (rng_below(&s->rng, crashes ? 9 : 5)) {
	case 0:
		cut(w);
		break;
	case 1:
		heal(w);
		break;
	case 2:
		sim_break(s, (int)rng_below(&s->rng, (uint32_t)s->n),
			  (int)rng_below(&s->rng, (uint32_t)s->n));
		break;
	case 3:
		if (i >= 0)
			sim_freeze(s, i, rng_below(&s->rng, 8000));
		break;
	case 4:
		if (i >= 0)
			s->node[i].clock =
				(int64_t)rng_below(&s->rng, 400) - 200;
		break;
	case 5:
		crash(w);
		break;
	case 6:
	case 7:
		restart(w);
		break;
	case 8:
		half_way(w);
		break;
	}
}

/* --- checks ----------------------------------------------------------------------------- */

static void check_ops(struct world *w)
{
	for (int o = 0; o < w->n; o++) {
		if (w->op[o].lost)
			continue;
		for (int i = 0; i < w->s.n; i++)
			cr_assert(holds(w->s.node[i].store, &w->op[o]),
				  "seed %llu: node %d misses op %d of %d",
				  (unsigned long long)w->seed, i, o, w->n);
	}
}

static void check_equal(struct world *w)
{
	for (int a = 0; a < AORS; a++)
		for (int k = 0; k < KEYS; k++) {
			struct record r, q;
			bool have = record_of(w->s.node[0].store, aor_of(a),
					      key_of(k), &r);

			for (int i = 1; i < w->s.n; i++) {
				bool has = record_of(w->s.node[i].store,
						     aor_of(a), key_of(k),
						     &q);

				cr_assert_eq(have, has);
				cr_assert(!has || record_same(&r, &q),
					  "seed %llu: nodes 0 and %d differ "
					  "in %d/%d",
					  (unsigned long long)w->seed, i, a,
					  k);
			}
		}
}

/* The last word of a binding's last lineage was "remove": it is not there */
static void check_dead(struct world *w)
{
	for (int i = 0; i < w->s.n; i++)
		for (int o = 0; o < w->n; o++) {
			const struct op *p = &w->op[o];
			struct store_contact c;

			if (!p->dead || p->lost)
				continue;
			if (store_find(w->s.node[i].store, aor_of(p->aor),
				       key_of(p->key), sim_wall(&w->s, i), &c))
				continue;
			cr_assert(c.lineage != p->lineage ||
				  c.cseq > p->cseq,
				  "seed %llu: node %d shows a removed contact",
				  (unsigned long long)w->seed, i);
		}
}

static void check_links(struct world *w)
{
	for (int i = 0; i < w->s.n; i++) {
		cr_assert_eq(mesh_alive(w->s.node[i].mesh),
			     (uint32_t)w->s.n - 1,
			     "seed %llu: node %d hears %u",
			     (unsigned long long)w->seed, i,
			     mesh_alive(w->s.node[i].mesh));
		cr_assert_eq(mesh_stats(w->s.node[i].mesh)->links_now,
			     (uint64_t)w->s.n - 1, "one link per pair");
		cr_assert(mesh_majority(w->s.node[i].mesh));
		cr_assert(mesh_synced(w->s.node[i].mesh));
		cr_assert_eq(mesh_stats(w->s.node[i].mesh)->bad_frames, 0,
			     "seed %llu", (unsigned long long)w->seed);
	}
}

static void one_seed(uint64_t seed, bool crashes)
{
	struct world *w = calloc(1, sizeof(*w));
	struct sim *s = &w->s;

	cr_assert_not_null(w);
	w->seed = seed;
	sim_init(s, 3 + (int)(seed % 3), seed);
	s->trace = getenv("SIM_TRACE") != NULL;
	for (int i = 0; i < s->n; i++) {
		sim_start(s, i);
		if (rng_below(&s->rng, 2))
			sim_run(s, rng_below(&s->rng, 2000));
	}
	for (int round = 0; round < 60; round++) {
		for (uint32_t k = rng_below(&s->rng, 5); k > 0; k--)
			one_op(w);
		if (rng_below(&s->rng, 10) == 0)
			one_kill(w);
		if (rng_below(&s->rng, 3) == 0)
			one_fault(w, crashes);
		sim_run(s, rng_below(&s->rng, 10) ?
			rng_below(&s->rng, 300) : rng_below(&s->rng, 9000));
	}
	heal(w);
	for (int i = 0; i < s->n; i++) {
		if (!s->node[i].mesh)
			sim_start(s, i);
		s->node[i].frozen = 0;
	}
	sim_run(s, 25000);
	check_links(w);
	check_ops(w);
	check_equal(w);
	check_dead(w);
	sim_close(s);
	free(w);
}

static void seeds(uint64_t from, uint64_t dflt, bool crashes)
{
	const char *one = getenv("SIM_SEED"), *many = getenv("SIM_SEEDS");
	uint64_t n = many ? strtoull(many, NULL, 10) : dflt;

	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	if (one) {
		log_init("test", LOG_TO_STDERR, LOG_LV_INFO);
		one_seed(strtoull(one, NULL, 10), crashes);
		return;
	}
	for (uint64_t i = 0; i < n; i++)
		one_seed(from + i, crashes);
}

Test(repl, cuts_and_lost_links_lose_nothing, .timeout = 1700)
{
	seeds(1000000, 150, false);
}

Test(repl, crashes_lose_only_what_nobody_else_had, .timeout = 1700)
{
	seeds(2000000, 150, true);
}

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
