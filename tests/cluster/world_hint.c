/* world_hint.c - hints in the simulation: who hears them, and for how long. */
#include "world.h"

enum { MS = 4000,               /* they hold for so long [ms]                 */
       LATE = 20000,            /* on the way at most: lag, frozen nodes [ms] */
       HEARD = 2500 };          /* in a healthy cluster [ms]                  */

static uint64_t value(int v)
{
	return 0x1000 + 2 * (uint64_t)v;
}

static struct hints *hints(struct world *w, int i)
{
	return mesh_hints(w->s.node[i].mesh);
}

static bool takes(const struct world *w, int i)
{
	return w->s.node[i].version != 1 && !world_hintless(w, i);
}

/* A node of today's version that does not know hints */
bool world_hintless(const struct world *w, int i)
{
	return w->k->hints && i == 0 && w->seed % 2;
}

void world_hints(struct world *w)
{
	struct rng *g = &w->s.rng;
	int i = world_living(w), v = (int)rng_below(g, WORLD_HINTS);

	if (!w->k->hints || i < 0 || !takes(w, i))
		return;
	if (rng_below(g, 4)) {
		hints_say(hints(w, i), value(v), MS);
		w->said[v] = w->s.now;
		w->by[v] |= 1u << i;
		sim_say(&w->s, "node %d says hint %d", i, v);
	}
	else {
		hints_unsay(hints(w, i), value(v));
	}
}

/* I15: a hint was said by another node, and not long ago; nobody is told what
 * it does not know */
void world_check_hints(struct world *w)
{
	struct sim *s = &w->s;

	for (int i = 0; i < s->n && w->k->hints; i++) {
		const struct sim_node *x = &s->node[i];

		if (!x->mesh)
			continue;
		if (mesh_stats(x->mesh)->bad_frames)
			sim_fail(s, "I15: node %d is told what it does not "
				 "know", i);
		for (int v = 0; v < WORLD_HINTS; v++)
			if (hints_has(hints(w, i), value(v), s->now) &&
			    (!(w->by[v] & ~(1u << i)) ||
			     s->now > w->said[v] + MS + LATE))
				sim_fail(s, "I15: node %d has hint %d", i, v);
	}
}

/* Has everybody what the others said, or nobody? */
static void expect(struct world *w, bool said, const char *what)
{
	struct sim *s = &w->s;

	for (int i = 0; i < s->n; i++)
		for (int k = 0; k < s->n; k++) {
			bool want = said && i != k && takes(w, i) &&
				takes(w, k);

			if (s->node[i].mesh && s->node[k].mesh &&
			    hints_has(hints(w, i), value(100 + k), s->now)
			    != want)
				sim_fail(s, "I16: %s: node %d, of node %d",
					 what, i, k);
		}
}

static void all_say(struct world *w, bool on)
{
	for (int i = 0; i < w->s.n; i++) {
		if (!w->s.node[i].mesh || !takes(w, i))
			continue;
		if (on)
			hints_say(hints(w, i), value(100 + i), MS);
		else
			hints_unsay(hints(w, i), value(100 + i));
	}
	sim_run(&w->s, HEARD);
}

/* I16: in a healthy cluster every node that takes hints hears all of them, and
 * what is taken back; and nothing is left when nobody says it any more */
void world_check_hints_quiet(struct world *w)
{
	struct sim *s = &w->s;

	for (int i = 0; i < s->n && w->k->hints; i++)
		for (int v = 0; v < WORLD_HINTS && s->node[i].mesh; v++)
			if (hints_has(hints(w, i), value(v), s->now))
				sim_fail(s, "I16: node %d still has hint %d",
					 i, v);
	if (!w->k->hints || s->failed)
		return;
	all_say(w, true);
	expect(w, true, "said");
	all_say(w, false);
	expect(w, false, "taken back");
	all_say(w, true);
	sim_run(s, MS);
	expect(w, false, "forgotten");
	world_check_hints(w);
}
