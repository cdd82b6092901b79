/* test_mesh_roster.c - members that come and go, on virtual links. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <criterion/criterion.h>
#include "base/log.h"
#include "sim.h"

/* n places, the first `run` of them started; those from 3 on know node 0 alone */
static struct sim *places(int n, int run, uint64_t seed)
{
	struct sim *s = calloc(1, sizeof(*s));

	cr_assert_not_null(s);
	log_init("test", getenv("SIM_TRACE") ? LOG_TO_STDERR : LOG_TO_NONE,
		 LOG_LV_INFO);
	sim_init(s, n, seed);
	for (int i = 3; i < n; i++)
		s->node[i].joins = true;
	for (int i = 0; i < run; i++)
		sim_start(s, i);
	sim_run(s, 8000);
	for (int i = 0; i < run; i++)
		mesh_set_state(s->node[i].mesh, CLUSTER_READY);
	sim_run(s, 600);
	return s;
}

static void done(struct sim *s)
{
	sim_close(s);
	free(s);
}

static struct mesh *mesh(struct sim *s, int i)
{
	return s->node[i].mesh;
}

static uint64_t id_of(const struct sim *s, int i)
{
	return s->node[i].id ? s->node[i].id : (uint64_t)i + 1;
}

static int out(struct sim *s, int at, int who, bool force)
{
	return mesh_turn(mesh(s, at), id_of(s, who), false, force, s->now,
			 sim_wall(s, at));
}

static int in(struct sim *s, int at, int who)
{
	return mesh_turn(mesh(s, at), id_of(s, who), true, false, s->now,
			 sim_wall(s, at));
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

/* All of 0..n-1 hear each other and count the same */
static void whole(struct sim *s, int n, uint32_t count)
{
	for (int i = 0; i < n; i++) {
		if (!mesh(s, i))
			continue;
		cr_assert_eq(mesh_alive(mesh(s, i)), count - 1,
			     "node %d hears %u", i, mesh_alive(mesh(s, i)));
		cr_assert_eq(mesh_count(mesh(s, i)), count, "node %d: %u", i,
			     mesh_count(mesh(s, i)));
		cr_assert(mesh_majority(mesh(s, i)));
		cr_assert_eq(mesh_stats(mesh(s, i))->bad_frames, 0);
	}
}

static const struct cluster_member_view *view(struct sim *s, int at, int who,
					      struct cluster_view *v)
{
	mesh_view(mesh(s, at), s->now, v);
	for (uint32_t i = 0; i < v->n; i++)
		if (v->m[i].node == id_of(s, who))
			return &v->m[i];
	return NULL;
}

Test(members, a_fourth_that_knows_one_address_is_linked_to_all)
{
	struct sim *s = places(4, 3, 1);
	const struct cluster_member_view *m;
	struct cluster_view v;

	put_x(s, 1);
	sim_start(s, 3);
	sim_run(s, 2500);
	whole(s, 4, 4);
	cr_assert(mesh_synced(mesh(s, 3)));
	cr_assert(has_x(s, 3));
	m = view(s, 2, 3, &v);
	cr_assert_not_null(m);
	cr_assert_eq(m->sip.port, 5060);
	cr_assert_eq(m->sip.ip[3], 4);
	cr_assert_not(m->removed);
	cr_assert_gt(m->turned, 0);
	/* the one it asked dies: the others are its own links */
	sim_crash(s, 0, true);
	sim_run(s, 6000);
	cr_assert_eq(mesh_alive(mesh(s, 3)), 2);
	done(s);
}

Test(members, after_a_restart_it_finds_them_without_the_one_it_asked)
{
	struct sim *s = places(4, 4, 2);

	whole(s, 4, 4);
	sim_crash(s, 0, true);
	sim_crash(s, 3, true);
	sim_run(s, 5000);
	sim_start(s, 3);
	sim_run(s, 3000);
	cr_assert_eq(mesh_alive(mesh(s, 3)), 2);
	cr_assert_eq(mesh_count(mesh(s, 3)), 4);
	cr_assert(mesh_majority(mesh(s, 3)));
	done(s);
}

Test(members, who_asks_and_hears_nobody_has_nothing_to_serve)
{
	struct sim *s = places(4, 0, 3);

	sim_start(s, 3);
	sim_run(s, 30000);
	cr_assert_not(mesh_synced(mesh(s, 3)));
	sim_start(s, 0);
	sim_run(s, 5000);
	cr_assert(mesh_synced(mesh(s, 3)));
	done(s);
}

Test(members, leaving_shrinks_the_count_and_loses_nothing)
{
	struct sim *s = places(3, 3, 4);
	struct cluster_view v;

	put_x(s, 2);
	cr_assert_not(mesh_held(mesh(s, 2), store_seq(s->node[2].store)));
	sim_run(s, 600);
	cr_assert(mesh_held(mesh(s, 2), store_seq(s->node[2].store)));
	cr_assert_eq(out(s, 2, 2, false), 0);
	sim_run(s, 600);
	cr_assert_eq(mesh_stats(mesh(s, 2))->links_now, 0,
		     "the others close: it may go");
	cr_assert(mesh_removed(mesh(s, 2)));
	cr_assert_not(mesh_majority(mesh(s, 2)));
	cr_assert_eq(view(s, 0, 2, &v)->health, CLUSTER_LEFT);
	sim_crash(s, 2, true);
	sim_run(s, 30000);
	whole(s, 2, 2);
	cr_assert(has_x(s, 0) && has_x(s, 1));
	done(s);
}

/* Two that leave at once must not rely on each other */
Test(members, what_only_a_leaving_node_has_is_not_held)
{
	struct sim *s = places(3, 3, 14);
	uint64_t seq;

	put_x(s, 2);
	sim_run(s, 600);
	seq = store_seq(s->node[2].store);
	cr_assert(mesh_held(mesh(s, 2), seq));
	mesh_set_state(mesh(s, 0), CLUSTER_DRAINING);
	sim_run(s, 600);
	cr_assert(mesh_held(mesh(s, 2), seq));
	mesh_set_state(mesh(s, 1), CLUSTER_DRAINING);
	sim_run(s, 600);
	cr_assert_not(mesh_held(mesh(s, 2), seq));
	done(s);
}

Test(members, the_last_one_removed_has_no_majority)
{
	struct sim *s = calloc(1, sizeof(*s));

	cr_assert_not_null(s);
	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	sim_init(s, 1, 15);
	sim_start(s, 0);
	sim_run(s, 4000);
	cr_assert(mesh_majority(mesh(s, 0)));
	cr_assert_eq(out(s, 0, 0, false), 0);
	cr_assert_eq(mesh_count(mesh(s, 0)), 1);
	cr_assert_not(mesh_majority(mesh(s, 0)));
	done(s);
}

Test(members, a_living_one_is_removed_by_force_alone)
{
	struct sim *s = places(3, 3, 5);

	cr_assert_eq(out(s, 0, 1, false), EBUSY);
	cr_assert_eq(mesh_turn(mesh(s, 0), 99, false, false, s->now, 1),
		     ENOENT);
	cr_assert_eq(in(s, 0, 1), EALREADY);
	cr_assert_eq(out(s, 0, 1, true), 0);
	sim_run(s, 2000);
	cr_assert(mesh_removed(mesh(s, 1)));
	cr_assert_eq(out(s, 2, 1, true), EALREADY, "all know it");
	done(s);
}

/* 3 members, one removed, one dead: the last one is 1 of 2 */
Test(members, a_removed_one_is_not_counted_and_a_dead_one_is)
{
	struct sim *s = places(3, 3, 6);

	sim_crash(s, 2, true);
	sim_run(s, 5000);
	cr_assert_eq(mesh_count(mesh(s, 0)), 3);
	cr_assert_eq(out(s, 0, 2, false), 0);
	sim_run(s, 1000);
	whole(s, 2, 2);
	sim_crash(s, 1, true);
	sim_run(s, 5000);
	cr_assert_eq(mesh_count(mesh(s, 0)), 2);
	cr_assert_not(mesh_majority(mesh(s, 0)));
	done(s);
}

Test(members, a_removed_node_that_comes_back_is_refused_and_knows_it)
{
	struct sim *s = places(3, 3, 7);
	struct cluster_view v;
	uint64_t made;

	sim_crash(s, 2, true);
	sim_run(s, 5000);
	cr_assert_eq(out(s, 0, 2, false), 0);
	sim_run(s, 1000);
	made = mesh_stats(mesh(s, 1))->links_made;
	sim_start(s, 2);              /* it saved that it was a member */
	cr_assert_not(mesh_removed(mesh(s, 2)));
	sim_run(s, 3000);
	cr_assert(mesh_removed(mesh(s, 2)));
	cr_assert_eq(mesh_stats(mesh(s, 1))->links_made, made);
	cr_assert_gt(mesh_stats(mesh(s, 1))->removed +
		     mesh_stats(mesh(s, 0))->removed, 0);
	cr_assert(view(s, 0, 2, &v)->removed);
	mesh_view(mesh(s, 2), s->now, &v);
	cr_assert_eq(v.state, CLUSTER_REMOVED);
	/* and it does not ask again */
	made = mesh_stats(mesh(s, 1))->removed + mesh_stats(mesh(s, 0))->removed;
	sim_run(s, 2 * MESH_GONE);
	/* they ask, seldom */
	cr_assert_leq(mesh_stats(mesh(s, 1))->removed +
		      mesh_stats(mesh(s, 0))->removed, made + 6);
	whole(s, 2, 2);
	/* a restart changes nothing; an admission anywhere does */
	sim_crash(s, 2, true);
	sim_start(s, 2);
	sim_run(s, 3000);
	cr_assert(mesh_removed(mesh(s, 2)));
	cr_assert_eq(in(s, 1, 2), 0);
	sim_run(s, 3000);
	cr_assert_not(mesh_removed(mesh(s, 2)));
	whole(s, 3, 3);
	done(s);
}

Test(members, a_removed_node_can_be_admitted_at_itself)
{
	struct sim *s = places(3, 3, 8);

	cr_assert_eq(out(s, 0, 2, true), 0);
	sim_run(s, 3000);
	cr_assert(mesh_removed(mesh(s, 2)));
	whole(s, 2, 2);
	cr_assert_eq(in(s, 2, 2), 0);
	sim_run(s, 3000);
	whole(s, 3, 3);
	done(s);
}

/* Neither side would dial the other again: the turns decide, without a person */
Test(members, two_sides_that_took_each_other_out_do_not_stay_apart)
{
	struct sim *s = places(3, 3, 17);

	s->cut[0][1] = s->cut[1][0] = s->cut[0][2] = s->cut[2][0] = true;
	sim_run(s, 6000);
	cr_assert_eq(out(s, 0, 1, true), 0);
	cr_assert_eq(out(s, 0, 2, true), 0);
	cr_assert_eq(out(s, 1, 0, true), 0);
	cr_assert_eq(out(s, 0, 0, true), 0);
	cr_assert_eq(in(s, 0, 0), 0);       /* turn 3, there it is 2 */
	sim_run(s, 3000);
	whole(s, 1, 1);
	s->cut[0][1] = s->cut[1][0] = s->cut[0][2] = s->cut[2][0] = false;
	sim_run(s, 3 * MESH_GONE);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(mesh_removed(mesh(s, i)), i != 0, "node %d", i);
	done(s);
}

/* It was cut off when it was removed; those who know meet it later */
Test(members, a_removal_reaches_who_was_away_when_it_was_made)
{
	struct sim *s = places(3, 3, 9);

	for (int k = 0; k < 2; k++)
		s->cut[2][k] = s->cut[k][2] = true;
	sim_run(s, 6000);
	cr_assert_eq(out(s, 0, 2, false), 0);
	sim_run(s, 2000);
	put_x(s, 2);
	cr_assert_not(mesh_removed(mesh(s, 2)));
	for (int k = 0; k < 2; k++)
		s->cut[2][k] = s->cut[k][2] = false;
	sim_run(s, 5000);
	cr_assert(mesh_removed(mesh(s, 2)));
	cr_assert_not(has_x(s, 0));
	whole(s, 2, 2);
	done(s);
}

Test(members, removed_at_two_and_admitted_at_one_side_of_a_cut_come_to_one_end)
{
	struct sim *s = places(4, 4, 10);

	sim_crash(s, 3, true);
	sim_run(s, 5000);
	s->cut[0][1] = s->cut[1][0] = s->cut[0][2] = s->cut[2][0] = true;
	sim_run(s, 6000);
	cr_assert_eq(out(s, 0, 3, false), 0);
	cr_assert_eq(out(s, 1, 3, false), 0);
	sim_run(s, 1000);
	cr_assert_eq(in(s, 2, 3), 0);
	s->cut[0][1] = s->cut[1][0] = s->cut[0][2] = s->cut[2][0] = false;
	sim_run(s, 8000);
	for (int i = 0; i < 3; i++)
		cr_assert(roster_in(roster_find(mesh_roster(mesh(s, i)), 4)));
	sim_start(s, 3);
	sim_run(s, 4000);
	whole(s, 4, 4);
	done(s);
}

/* A container without a disk: the same address, a new id each time */
Test(members, a_node_that_lost_its_identity_takes_its_old_place)
{
	struct sim *s = places(4, 4, 11);

	for (int life = 0; life < 3; life++) {
		sim_crash(s, 3, true);
		sim_forget(s, 3);
		sim_run(s, 4000);
		s->node[3].id = 100 + (uint64_t)life;
		sim_start(s, 3);
		sim_run(s, 3000);
		whole(s, 4, 4);
	}
	sim_run(s, MESH_REPLACE);
	whole(s, 4, 4);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(roster_members(mesh_roster(mesh(s, i))), 4,
			     "node %d", i);
	/* it dies: the place is counted once */
	sim_crash(s, 3, true);
	sim_run(s, 5000);
	cr_assert_eq(mesh_count(mesh(s, 0)), 4);
	done(s);
}

/* A copied state_dir: the third one hears both, and is not kept busy by it */
Test(members, two_with_one_identity_do_not_fill_the_links)
{
	struct sim *s = places(3, 2, 16);
	const struct roster_entry *e;
	uint32_t before;

	s->node[2].id = id_of(s, 1);
	s->node[2].life = 7;
	sim_start(s, 2);
	sim_run(s, 2000);
	e = roster_find(mesh_roster(mesh(s, 0)), id_of(s, 1));
	cr_assert_not_null(e);
	before = e->version;
	sim_run(s, 60000);
	e = roster_find(mesh_roster(mesh(s, 0)), id_of(s, 1));
	cr_assert_leq(e->version - before, 14, "%u", e->version - before);
	cr_assert_gt(e->version - before, 0, "it is not hidden either");
	done(s);
}

Test(members, a_version_1_node_is_served_as_ever)
{
	struct sim *s = calloc(1, sizeof(*s));
	struct cluster_view v;

	cr_assert_not_null(s);
	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	sim_init(s, 3, 12);
	s->node[2].version = 1;
	for (int i = 0; i < 3; i++)
		sim_start(s, i);
	sim_run(s, 8000);
	whole(s, 3, 3);
	cr_assert_null(roster_find(mesh_roster(mesh(s, 0)), 3));
	cr_assert_eq(out(s, 0, 2, true), ENOENT);
	cr_assert_not_null(view(s, 0, 2, &v));
	sim_crash(s, 2, true);
	sim_run(s, 5000);
	cr_assert_eq(mesh_count(mesh(s, 0)), 3);
	cr_assert(mesh_majority(mesh(s, 0)));
	put_x(s, 0);
	sim_start(s, 2);
	sim_run(s, 3000);
	cr_assert(has_x(s, 2));
	done(s);
}

Test(members, twenty_join_by_one_address_one_after_another_and_leave_again,
     .timeout = 120)
{
	struct sim *s = places(20, 1, 13);

	put_x(s, 0);
	for (int i = 1; i < 20; i++) {
		sim_start(s, i);
		sim_run(s, i < 3 ? 4000 : 1500);
		if (i >= 2)           /* 0..2 are configured */
			whole(s, i + 1, (uint32_t)i + 1);
		cr_assert(mesh_synced(mesh(s, i)));
		mesh_set_state(mesh(s, i), CLUSTER_READY);
	}
	sim_run(s, 600);
	for (int i = 0; i < 19; i++) {
		cr_assert(mesh_held(mesh(s, i),
				    store_seq(s->node[i].store)));
		cr_assert_eq(out(s, i, i, false), 0);
		sim_run(s, 700);
		cr_assert_eq(mesh_stats(mesh(s, i))->links_now, 0);
		sim_crash(s, i, true);
	}
	sim_run(s, 5000);
	cr_assert_eq(mesh_count(mesh(s, 19)), 1);
	cr_assert(mesh_majority(mesh(s, 19)));
	cr_assert(has_x(s, 19));
	done(s);
}

/* --- many seeds --------------------------------------------------------------------- */

#define PLACES 7

struct chance {
	struct sim *s;
	uint64_t seed;
	bool cut;
	uint32_t turns;         /* taken in or out by somebody */
};

static int pick(struct chance *c, bool running)
{
	for (int tries = 30; tries > 0; tries--) {
		int i = (int)rng_below(&c->s->rng, PLACES);

		if (!!mesh(c->s, i) == running)
			return i;
	}
	return -1;
}

static int running(const struct sim *s)
{
	int n = 0;

	for (int i = 0; i < PLACES; i++)
		n += s->node[i].mesh != NULL;
	return n;
}

/* Two sides of a cut that take each other out stay apart for good, as they were
 * told to: living ones are taken out only while all hear each other */
static void one_turn(struct chance *c)
{
	struct sim *s = c->s;
	int at = pick(c, true), who = (int)rng_below(&s->rng, PLACES);
	bool want_in = rng_below(&s->rng, 2);

	if (at < 0 || (!want_in && mesh(s, who) && (c->cut || who != at)) ||
	    (!want_in && running(s) < 3))
		return;
	c->turns += !mesh_turn(mesh(s, at), id_of(s, who), want_in, true,
			       s->now, sim_wall(s, at));
}

static void one_thing(struct chance *c)
{
	struct sim *s = c->s;
	int a = pick(c, true), b = pick(c, false);

	switch (rng_below(&s->rng, 10)) {
	case 0:
	case 1:
		if (b >= 0)
			sim_start(s, b);
		break;
	case 2:
		if (running(s) > 2)
			sim_crash(s, a, rng_below(&s->rng, 2));
		break;
	case 3:
		for (int k = 0; k < PLACES; k++)
			s->cut[a][k] = s->cut[k][a] = k != a;
		c->cut = true;
		break;
	case 4:
		memset(s->cut, 0, sizeof(s->cut));
		sim_run(s, 4000);
		c->cut = false;
		break;
	case 5:
		if (a >= 0)
			s->node[a].clock = (int64_t)rng_below(&s->rng, 40000)
				- 20000;
		break;
	default:
		one_turn(c);
	}
}

static bool same_map(const struct roster *a, const struct roster *b)
{
	struct buf x, y;
	bool same;

	buf_init(&x, ROSTER_FILE);
	buf_init(&y, ROSTER_FILE);
	roster_put(&x, a);
	roster_put(&y, b);
	same = sl_eq(buf_as_sl(&x), buf_as_sl(&y));
	buf_free(&x);
	buf_free(&y);
	return same;
}

/* All that are in hear each other and know the same; who is out knows it */
static void at_rest(struct chance *c)
{
	const struct roster *r = NULL;
	uint32_t n = 0;

	for (int i = 0; i < PLACES; i++) {
		struct mesh *m = mesh(c->s, i);

		n += !mesh_removed(m);
		if (mesh_removed(m))
			continue;
		cr_assert(!r || same_map(r, mesh_roster(m)),
			  "seed %llu: node %d knows another map",
			  (unsigned long long)c->seed, i);
		r = mesh_roster(m);
	}
	for (int i = 0; i < PLACES; i++) {
		struct mesh *m = mesh(c->s, i);
		const struct roster_entry *e = r ? roster_find(r, id_of(c->s,
								i)) : NULL;

		cr_assert(!e || roster_in(e) != mesh_removed(m),
			  "seed %llu: node %d does not know what it is",
			  (unsigned long long)c->seed, i);
		cr_assert_eq(mesh_alive(m), mesh_removed(m) ? 0 : n - 1,
			     "seed %llu: node %d hears %u of %u",
			     (unsigned long long)c->seed, i, mesh_alive(m), n);
		cr_assert(mesh_removed(m) || mesh_count(m) == n,
			  "seed %llu: node %d counts %u of %u",
			  (unsigned long long)c->seed, i, mesh_count(m), n);
		cr_assert_eq(mesh_stats(m)->bad_frames, 0);
	}
}

static uint32_t one_seed(uint64_t seed)
{
	struct chance c = { places(PLACES, 3, seed), seed, false, 0 };

	for (int round = 0; round < 60; round++) {
		one_thing(&c);
		sim_run(c.s, rng_below(&c.s->rng, 10) ?
			rng_below(&c.s->rng, 300) :
			rng_below(&c.s->rng, 9000));
	}
	memset(c.s->cut, 0, sizeof(c.s->cut));
	for (int i = 0; i < PLACES; i++) {
		if (!mesh(c.s, i))
			sim_start(c.s, i);
		c.s->node[i].clock = 0;
	}
	sim_run(c.s, 10000);
	/* those that never found anybody have its address alone */
	if (mesh_removed(mesh(c.s, 0)))
		cr_assert_eq(in(c.s, 0, 0), 0);
	sim_run(c.s, 2 * MESH_GONE);
	at_rest(&c);
	done(c.s);
	return c.turns;
}

/* MEMBERS_SEED tries one alone */
Test(members, whatever_happens_all_come_to_one_map, .timeout = 600)
{
	const char *one = getenv("MEMBERS_SEED");
	const char *many = getenv("SIM_SEEDS");
	uint64_t n = many ? strtoull(many, NULL, 10) : 150;
	uint32_t turns = 0;

	if (one) {
		(void)one_seed(strtoull(one, NULL, 10));
		return;
	}
	for (uint64_t i = 1; i <= n; i++)
		turns += one_seed(i);
	cr_assert_gt(turns, 2 * n, "too few were taken in or out: %u", turns);
}
