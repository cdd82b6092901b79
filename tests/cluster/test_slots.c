/* test_slots.c - owners of slots. I9: equal views, one owner; a view that
 * changes moves only what it must. */
#include <stdlib.h>
#include <criterion/criterion.h>
#include "base/log.h"
#include "sim.h"

enum { NODES = 32 };

static uint64_t id_of(uint32_t i)
{
	return 0x1234567ull * (i + 1) ^ (uint64_t)i << 40;
}

/* The first n of the nodes are READY, seen by `self` */
static bool look(struct slots *s, uint32_t self, uint32_t n, uint64_t now)
{
	struct slots_seen v[NODES] = { { id_of(self), self < n } };
	uint32_t k = 1;

	for (uint32_t i = 0; i < n; i++)
		if (i != self)
			v[k++] = (struct slots_seen){ id_of(i), true };
	return slots_look(s, v, k, now);
}

static struct slots a, b;

static void init(void)
{
	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	slots_init(&a, id_of(0));
	slots_init(&b, id_of(1));
}

Test(slots, nobody_owns_what_nobody_counts_for, .init = init)
{
	struct slots_seen me = { id_of(0), false };

	cr_assert_not(slots_look(&a, &me, 1, 1000));
	cr_assert_eq(slots_owner(&a, 7), 0);
	cr_assert_not(slots_mine(&a, 7));
}

Test(slots, a_node_alone_owns_all_at_once, .init = init)
{
	cr_assert(look(&a, 0, 1, 1000));
	for (uint32_t i = 0; i < SLOTS; i++)
		cr_assert(slots_mine(&a, i));
	cr_assert_eq(a.row[0].share, SLOTS);
}

Test(slots, a_newcomer_counts_after_ten_seconds_ready, .init = init)
{
	look(&a, 0, 1, 1000);
	cr_assert_not(look(&a, 0, 2, 2000));
	cr_assert_not(look(&a, 0, 2, 2000 + SLOTS_NEW - 1));
	cr_assert(look(&a, 0, 2, 2000 + SLOTS_NEW));
	cr_assert_eq(a.whos, 2);
}

Test(slots, one_that_says_not_ready_meanwhile_begins_again, .init = init)
{
	look(&a, 0, 1, 1000);
	look(&a, 0, 2, 2000);
	look(&a, 0, 1, 11000);
	look(&a, 0, 2, 11500);
	cr_assert_not(look(&a, 0, 2, 13000));
	cr_assert(look(&a, 0, 2, 21500));
}

Test(slots, those_ready_before_us_count_and_we_wait, .init = init)
{
	struct slots_seen v[2] = { { id_of(0), false }, { id_of(1), true } };

	cr_assert(slots_look(&a, v, 2, 1000));
	cr_assert_eq(slots_owner(&a, 1), id_of(1));
	v[0].ready = true;
	cr_assert_not(slots_look(&a, v, 2, 2000));
	cr_assert(slots_look(&a, v, 2, 2000 + SLOTS_NEW));
	cr_assert_eq(a.whos, 2);
}

Test(slots, a_dead_one_is_dropped_at_once, .init = init)
{
	look(&a, 0, 1, 0);
	look(&a, 0, 3, 0);
	look(&a, 0, 3, SLOTS_NEW);
	cr_assert_eq(a.whos, 3);
	cr_assert(look(&a, 0, 2, SLOTS_NEW + 1));
	for (uint32_t i = 0; i < SLOTS; i++)
		cr_assert_neq(slots_owner(&a, i), id_of(2));
}

Test(slots, a_leaver_goes_on_until_the_others_know, .init = init)
{
	look(&a, 0, 1, 0);
	look(&a, 0, 2, 0);
	look(&a, 0, 2, SLOTS_NEW);
	look(&b, 1, 2, 0);
	b = a;
	b.self = id_of(1);
	/* b leaves: a takes over now, b stops later */
	struct slots_seen va[2] = { { id_of(0), true }, { id_of(1), false } };
	struct slots_seen vb[2] = { { id_of(1), false }, { id_of(0), true } };

	cr_assert(slots_look(&a, va, 2, 20000));
	cr_assert_not(slots_look(&b, vb, 2, 20000));
	cr_assert_gt(slots_find(&b, id_of(1))->share, 0);
	cr_assert(slots_look(&b, vb, 2, 20000 + SLOTS_LEAVE));
	for (uint32_t i = 0; i < SLOTS; i++)
		cr_assert_eq(slots_owner(&b, i), slots_owner(&a, i));
}

Test(slots, order_of_the_members_does_not_matter, .init = init)
{
	uint64_t up[NODES], down[NODES];

	for (uint32_t i = 0; i < NODES; i++)
		up[i] = down[NODES - 1 - i] = id_of(i);
	for (uint32_t i = 0; i < SLOTS; i++)
		cr_assert_eq(up[slots_pick(up, NODES, i)],
			     down[slots_pick(down, NODES, i)]);
}

Test(slots, leaving_moves_its_own_share_alone, .init = init)
{
	uint64_t v[NODES];

	for (uint32_t i = 0; i < NODES; i++)
		v[i] = id_of(i);
	for (uint32_t n = 2; n <= NODES; n++)
		for (uint32_t i = 0; i < SLOTS; i++) {
			uint32_t was = slots_pick(v, n, i);

			if (was != n - 1)
				cr_assert_eq(slots_pick(v, n - 1, i), was);
		}
}

Test(slots, joining_moves_about_its_share_and_only_to_it, .init = init)
{
	uint64_t v[NODES];

	for (uint32_t i = 0; i < NODES; i++)
		v[i] = id_of(i);
	for (uint32_t n = 1; n < NODES; n++) {
		uint32_t moved = 0, ideal = SLOTS / (n + 1);

		for (uint32_t i = 0; i < SLOTS; i++) {
			uint32_t now = slots_pick(v, n + 1, i);

			if (now == slots_pick(v, n, i))
				continue;
			cr_assert_eq(now, n);
			moved++;
		}
		/* binomial: five sigma are less than 20 % of 512 */
		cr_assert_lt(abs((int)moved - (int)ideal), (int)ideal / 5 + 1,
			     "%u of %u moved to the %u.", moved, ideal, n + 1);
	}
}

Test(slots, shares_of_three_are_within_five_percent, .init = init)
{
	look(&a, 0, 1, 0);
	look(&a, 0, 3, 0);
	look(&a, 0, 3, SLOTS_NEW);
	for (uint32_t i = 0; i < 3; i++)
		cr_assert_lt(abs((int)a.row[i].share * 3 - SLOTS),
			     SLOTS / 20);
	cr_assert_eq(a.row[0].share + a.row[1].share + a.row[2].share, SLOTS);
	cr_assert_eq(a.moved, a.row[1].share + a.row[2].share);
}

/* --- in the cluster ---------------------------------------------------------- */

static struct sim *three(void)
{
	struct sim *s = calloc(1, sizeof(*s));

	cr_assert_not_null(s);
	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	sim_init(s, 3, 5);
	for (int i = 0; i < 3; i++) {
		s->node[i].id = id_of((uint32_t)i);
		sim_start(s, i);
	}
	sim_run(s, 8000);
	for (int i = 0; i < 3; i++)
		mesh_set_state(s->node[i].mesh, CLUSTER_READY);
	sim_run(s, SLOTS_NEW + 1000);
	return s;
}

/* How many nodes hold themselves for the owner of each slot: least, most */
static void owners(const struct sim *s, uint32_t *least, uint32_t *most)
{
	*least = 3;
	*most = 0;
	for (uint32_t i = 0; i < SLOTS; i++) {
		uint32_t n = 0;

		for (int k = 0; k < 3; k++)
			n += s->node[k].mesh &&
			     slots_mine(mesh_slots(s->node[k].mesh), i);
		*least = n < *least ? n : *least;
		*most = n > *most ? n : *most;
	}
}

static void exactly_one(const struct sim *s)
{
	uint32_t least, most;

	owners(s, &least, &most);
	cr_assert(least == 1 && most == 1, "%u to %u owners", least, most);
}

Test(slots, one_owner_in_the_cluster_through_loss_and_return)
{
	struct sim *s = three();
	const struct slots *at = mesh_slots(s->node[0].mesh);
	uint32_t share = slots_find(at, id_of(2))->share;

	exactly_one(s);
	sim_crash(s, 2, false);
	sim_run(s, s->dead + 2 * s->heartbeat);
	exactly_one(s);
	cr_assert_eq(at->moved, share);
	sim_start(s, 2);
	sim_run(s, 3000);
	mesh_set_state(s->node[2].mesh, CLUSTER_READY);
	sim_run(s, SLOTS_NEW + 1000);
	exactly_one(s);
	cr_assert_eq(at->moved, share);
	sim_close(s);
	free(s);
}

Test(slots, who_drains_leaves_no_gap)
{
	struct sim *s = three();
	uint32_t least, most;

	mesh_set_state(s->node[2].mesh, CLUSTER_DRAINING);
	for (int i = 0; i < 200; i++) {
		sim_run(s, 10);
		owners(s, &least, &most);
		cr_assert_geq(least, 1, "nobody after %d ms", i * 10);
		cr_assert_leq(most, 2);
	}
	exactly_one(s);
	cr_assert_eq(mesh_slots(s->node[2].mesh)->row[0].share, 0);
	sim_close(s);
	free(s);
}

Test(slots, each_side_of_a_cut_owns_all_and_one_again_after_it)
{
	struct sim *s = three();
	uint32_t least, most;

	s->cut[0][2] = s->cut[2][0] = s->cut[1][2] = s->cut[2][1] = true;
	sim_run(s, 8000);
	owners(s, &least, &most);
	cr_assert_eq(least, 2);
	memset(s->cut, 0, sizeof(s->cut));
	sim_run(s, SLOTS_NEW + 4000);
	exactly_one(s);
	sim_close(s);
	free(s);
}
