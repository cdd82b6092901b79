/* world_fault.c - what goes wrong, and how it gets well again. */
#include "world.h"

const char *fault_name(enum fault f)
{
	switch (f) {
	case FAULT_LOSS:    return "loss";
	case FAULT_ONE_WAY: return "one_way";
	case FAULT_CUT:     return "cut";
	case FAULT_ALONE:   return "alone";
	case FAULT_LAG:     return "lag";
	case FAULT_SLOW:    return "slow";
	case FAULT_CRASH:   return "crash";
	case FAULT_REBOOT:  return "reboot";
	case FAULT_HALF:    return "half";
	case FAULT_FREEZE:  return "freeze";
	case FAULT_CLOCK:   return "clock";
	case FAULT_OUT:     return "out";
	case FAULT_OOM:     return "oom";
	case FAULT_FLIP:    return "flip";
	case FAULT_SPLIT:   return "split";
	case FAULT_TINY:    return "tiny";
	case FAULT_BIG:     return "big";
	case FAULT_OLD:     return "old";
	case FAULTS:        break;
	}
	return "?";
}

static bool has(const struct world *w, enum fault f)
{
	return w->k->faults >> f & 1;
}

static bool chance(struct world *w, uint32_t of)
{
	return rng_below(&w->s.rng, of) == 0;
}

static void moved(struct world *w)
{
	w->calm_from = w->s.now;
}

/* --- what holds for a whole run ------------------------------------------------- */

static void old_versions(struct world *w)
{
	for (int i = 0; i < w->s.n; i++)
		if (chance(w, 2)) {
			w->s.node[i].version = 1;
			w->faults[FAULT_OLD]++;
		}
}

void world_setup(struct world *w)
{
	static const uint32_t delays[] = { 2, 5, 5, 20, 60 };
	static const uint32_t limits[] = { 1, 100, 3000 };
	struct sim *s = &w->s;
	const struct world_kind *k = w->k;

	s->max_expires = k->max_expires;
	s->delay = delays[rng_below(&s->rng, 5)];
	if (!k->calm && chance(w, 4)) {         /* everything is quicker */
		s->heartbeat = 200;
		s->dead = 1000;
		w->check_every = 2000;
	} else if (k->calm && chance(w, 2)) {
		w->check_every = 300;   /* looks at what is on its way */
	} else if (chance(w, 2)) {
		w->check_every = 3600000;   /* what is due must do */
	}
	if (has(w, FAULT_SPLIT) && chance(w, 2))
		s->split = chance(w, 2) ? 20 : 300;
	if (has(w, FAULT_FLIP))
		s->flip = 1 + rng_below(&s->rng, 4);
	if (has(w, FAULT_TINY) && chance(w, 2)) {
		s->limit = limits[rng_below(&s->rng, 3)];
		w->faults[FAULT_TINY]++;
	}
	if (has(w, FAULT_BIG) && chance(w, 8)) {
		w->fill_big = true;
		w->faults[FAULT_BIG]++;
	}
	if (has(w, FAULT_OLD))
		old_versions(w);
	for (int i = 0; i < s->n; i++)
		if (k->clock && chance(w, 2))
			s->node[i].clock = (int64_t)rng_below(&s->rng,
				(uint32_t)(2 * k->clock)) - k->clock;
}

/* --- nodes --------------------------------------------------------------------- */

void world_start(struct world *w, int i)
{
	sim_start(&w->s, i);
	world_check_start(w, i);
	moved(w);
}

static bool crash(struct world *w, int i)
{
	struct sim *s = &w->s;
	int others = 0;

	for (int k = 0; k < s->n; k++)
		others += k != i && s->node[k].mesh;
	if (i < 0 || others == 0)
		return false;
	world_check_crash(w, i);
	sim_crash(s, i, !chance(w, 3));
	world_check_gone(w);
	moved(w);
	return true;
}

static void restart_one(struct world *w)
{
	for (int i = 0; i < w->s.n; i++)
		if (!w->s.node[i].mesh) {
			if (has(w, FAULT_OLD) && chance(w, 2))
				w->s.node[i].version =
					!w->s.node[i].version;
			world_start(w, i);
			return;
		}
}

/* A node tells some, not all, of its last change, and dies */
static bool half_way(struct world *w, int a)
{
	struct sim *s = &w->s;
	int k = (int)rng_below(&s->rng, (uint32_t)s->n);
	bool died = false;

	if (a < 0 || a == k)
		return false;
	s->cut[a][k] = true;
	moved(w);
	sim_run(s, rng_below(&s->rng, 4000));
	if (s->node[a].frozen <= s->now) {
		world_client_at(w, a);
		sim_run(s, rng_below(&s->rng, 20));
		died = crash(w, a);
		sim_run(s, rng_below(&s->rng, 4000));
	}
	s->cut[a][k] = false;
	moved(w);
	return died;
}

static void freeze(struct world *w, int i)
{
	struct sim *s = &w->s;

	for (int k = 0; w->k->faults == F(FREEZE) && k < s->n; k++)
		if (s->node[k].frozen > s->now)
			return;         /* one at a time, then: I14 */
	sim_freeze(s, i, rng_below(&s->rng, w->k->freeze));
	w->faults[FAULT_FREEZE]++;
}

/* --- the network ------------------------------------------------------------------ */

static void cut(struct world *w, enum fault f, int a, int b)
{
	struct sim *s = &w->s;

	if (f == FAULT_ALONE) {
		for (int k = 0; k < s->n; k++)
			s->cut[a][k] = s->cut[k][a] = k != a;
	} else if (a == b) {
		return;
	} else {
		s->cut[a][b] = true;
		if (f == FAULT_CUT)
			s->cut[b][a] = true;
	}
	sim_say(s, "%s %d %d", fault_name(f), a, b);
	w->faults[f]++;
	moved(w);
}

static void worse(struct world *w, enum fault f, int a, int b)
{
	struct sim *s = &w->s;

	if (a == b)
		return;
	if (f == FAULT_LAG)
		s->lag[a][b] = rng_below(&s->rng, 3000);
	else
		s->rate[a][b] = 1 + rng_below(&s->rng, 20);
	sim_say(s, "%s from %d to %d", fault_name(f), a, b);
	w->faults[f]++;
	moved(w);
}

void world_heal(struct world *w)
{
	struct sim *s = &w->s;

	sim_say(s, "the network heals");
	for (int a = 0; a < s->n; a++)
		for (int b = 0; b < s->n; b++) {
			/* TCP may have given up, with what was on the way */
			if (s->cut[a][b] && chance(w, 2))
				(void)sim_break(s, a, b);
			s->cut[a][b] = false;
			s->lag[a][b] = s->rate[a][b] = 0;
		}
	for (int i = 0; i < s->n; i++)
		s->node[i].mem.refuse = 0;
	moved(w);
}

static void step_clock(struct world *w, int i)
{
	struct sim *s = &w->s;

	s->node[i].clock = (int64_t)rng_below(&s->rng,
		(uint32_t)(2 * w->k->clock)) - w->k->clock;
	sim_say(s, "clock of node %d: %lld ms", i,
		(long long)s->node[i].clock);
	w->faults[FAULT_CLOCK]++;
}

/* One is taken out by another; who is out is taken in again */
static void turn(struct world *w, int by, int who)
{
	struct sim *s = &w->s;
	bool in = w->out >= 0;
	int err;

	if (in)
		who = w->out;
	if (by < 0 || by == who || mesh_removed(s->node[by].mesh))
		return;
	sim_enter(s, by);
	err = mesh_turn(s->node[by].mesh, (uint64_t)who + 1, in, true, s->now,
			sim_wall(s, by));
	sim_leave();
	sim_say(s, "node %d takes node %d %s: %d", by, who, in ? "in" : "out",
		err);
	if (err)
		return;
	w->out = in ? -1 : who;
	w->faults[FAULT_OUT]++;
	moved(w);
}

/* The network is healed. Who was taken out by one who died before he could tell
 * is out again when that one is back, though somebody who did not know of it took
 * him in meanwhile: the larger count wins (decision 22) */
void world_all_in(struct world *w)
{
	struct sim *s = &w->s;

	if (!has(w, FAULT_OUT))
		return;
	for (int k = 0; k < 10 && !s->failed; k++) {
		sim_run(s, 2000);
		for (int i = 0; i < s->n; i++)
			if (s->node[i].mesh && mesh_removed(s->node[i].mesh))
				w->out = i;
		for (int i = 0; i < s->n; i++)
			if (w->out >= 0 && s->node[i].mesh)
				turn(w, i, 0);
	}
}

static void do_fault(struct world *w, enum fault f)
{
	struct sim *s = &w->s;
	int a = (int)rng_below(&s->rng, (uint32_t)s->n);
	int b = (int)rng_below(&s->rng, (uint32_t)s->n), i = world_living(w);

	switch (f) {
	case FAULT_LOSS:
		w->faults[f] += (uint64_t)sim_break(s, a, b);
		moved(w);
		break;
	case FAULT_ONE_WAY:
	case FAULT_CUT:
	case FAULT_ALONE:
		cut(w, f, a, b);
		break;
	case FAULT_LAG:
	case FAULT_SLOW:
		worse(w, f, a, b);
		break;
	case FAULT_CRASH:
		w->faults[f] += crash(w, i);
		break;
	case FAULT_REBOOT:
		if (crash(w, i)) {
			world_start(w, i);
			w->faults[f]++;
		}
		break;
	case FAULT_HALF:
		w->faults[f] += half_way(w, i);
		break;
	case FAULT_FREEZE:
		if (i >= 0)
			freeze(w, i);
		break;
	case FAULT_CLOCK:
		step_clock(w, a);
		break;
	case FAULT_OUT:
		turn(w, i, a);
		break;
	case FAULT_OOM:
		s->node[a].mem.refuse = 10 + rng_below(&s->rng, 300);
		sim_say(s, "node %d: memory is short", a);
		moved(w);
		break;
	case FAULT_FLIP:
	case FAULT_SPLIT:
	case FAULT_TINY:
	case FAULT_BIG:
	case FAULT_OLD:
	case FAULTS:
		break;          /* set up for the whole run */
	}
}

/* One of those that the kind has, or a way back */
void world_fault(struct world *w)
{
	enum fault can[FAULTS];
	uint32_t n = 0, pick;

	for (int f = 0; f <= FAULT_OOM; f++)
		if (has(w, (enum fault)f))
			can[n++] = (enum fault)f;
	if (n == 0)
		return;
	pick = rng_below(&w->s.rng, n + n / 2 + 1);
	if (pick < n)
		do_fault(w, can[pick]);
	else if (has(w, FAULT_CRASH) && (pick - n) % 2)
		restart_one(w);
	else
		world_heal(w);
}
