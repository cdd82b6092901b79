/* world.c - kinds of runs, and a run. */
#include <stdlib.h>
#include "world.h"

#define NET (F(LOSS) | F(ONE_WAY) | F(CUT) | F(ALONE) | F(LAG))
#define DIE (F(CRASH) | F(REBOOT) | F(HALF))
#define QUIET_MAX 40000

const struct world_kind world_kinds[] = {
	{ .name = "calm", .calm = true, .faults = F(SPLIT) },
	{ .name = "cuts", .faults = NET | F(SPLIT) },
	{ .name = "bare", .bare = true, .faults = NET | F(SPLIT) },
	{ .name = "crash", .faults = DIE | F(LOSS) },
	{ .name = "both", .faults = NET | DIE | F(FREEZE) | F(SPLIT),
	  .freeze = 8000, .clock = 200 },
	{ .name = "freeze", .faults = F(FREEZE), .freeze = 30000,
	  .longest = 20000, .rounds = 30 },
	{ .name = "skew", .faults = NET | DIE | F(CLOCK), .clock = 500 },
	{ .name = "clock", .faults = NET | DIE | F(CLOCK), .clock = 10000 },
	{ .name = "slow", .faults = NET | F(SLOW) | F(TINY) | F(BIG) |
	  F(CRASH) },
	{ .name = "flip", .faults = F(FLIP) | F(SPLIT) | F(CUT) | F(CRASH) },
	{ .name = "oom", .faults = F(OOM) | F(CUT) | F(CRASH) | F(LOSS) },
	{ .name = "short", .faults = F(ALONE) | F(CUT) | F(CRASH) | F(LOSS),
	  .max_expires = 15, .least = 2, .most = 3, .longest = 30000,
	  .every = 5, .to_the_end = true },
	{ .name = "members", .faults = F(OUT) | F(CUT) | F(ALONE) | F(CRASH) |
	  F(REBOOT) | F(LOSS) },
	{ .name = "hints", .hints = true, .faults = NET | DIE | F(FREEZE) |
	  F(OLD) | F(SPLIT), .freeze = 8000 },
	{ .name = "old", .faults = F(OLD) | NET | DIE },
	{ .name = "all", .faults = NET | DIE | F(FREEZE) | F(CLOCK) | F(OOM) |
	  F(SLOW) | F(TINY) | F(BIG) | F(FLIP) | F(SPLIT) | F(OLD),
	  .freeze = 15000, .clock = 400, .every = 2 },
};
const int world_nkinds = sizeof(world_kinds) / sizeof(world_kinds[0]);

int world_kind(const char *name)
{
	for (int i = 0; i < world_nkinds; i++)
		if (strcmp(world_kinds[i].name, name) == 0)
			return i;
	return -1;
}

static struct world_kind with_defaults(const struct world_kind *from)
{
	struct world_kind k = *from;

	if (!k.rounds)
		k.rounds = 50;
	if (!k.every)
		k.every = 3;
	if (!k.least)
		k.least = 3;
	if (!k.most)
		k.most = 5;
	if (!k.max_expires)
		k.max_expires = 3600;
	if (!k.longest)
		k.longest = 9000;
	return k;
}

static void wait_a_while(struct world *w)
{
	struct rng *g = &w->s.rng;

	if (w->k->calm)         /* time enough for the change to arrive */
		sim_run(&w->s, 3 * w->s.delay + 5 + rng_below(g, 300));
	else if (rng_below(g, 40) == 0)         /* all know how things are */
		sim_run(&w->s, 2ull * w->s.dead + MESH_HELLO_MAX + 5000);
	else if (rng_below(g, 10))
		sim_run(&w->s, rng_below(g, 300));
	else
		sim_run(&w->s, rng_below(g, w->k->longest));
}

static void trouble(struct world *w, uint32_t rounds)
{
	struct sim *s = &w->s;

	for (uint32_t r = 0; r < rounds && !s->failed; r++) {
		world_later(w);
		world_clients(w);
		world_hints(w);
		if (rng_below(&s->rng, w->k->every) == 0)
			world_fault(w);
		wait_a_while(w);
		world_check_always(w);
	}
}

static void recover(struct world *w)
{
	struct sim *s = &w->s;
	bool all = rng_below(&s->rng, 2) || w->k->faults & F(OUT);

	world_heal(w);
	s->split = s->flip = 0;
	for (int i = 0; i < s->n; i++) {
		s->node[i].clock = 0;
		if (s->node[i].frozen > s->now)
			s->node[i].frozen = s->now;
		/* Or it stays away: what it told one of us is then with the
		 * others without its help */
		if (!s->node[i].mesh && all)
			world_start(w, i);
	}
	world_all_in(w);
	/* links, then repairs: 25 s were always enough */
	for (int n = 0; n < 5 && !s->failed; n++) {
		sim_run(s, 5000);
		world_check_always(w);
	}
	if (!s->failed)
		world_check_quiet(w);
}

static void run_out(struct world *w)
{
	sim_run(&w->s, w->k->max_expires * 1000ull + w->s.guard + 15000);
	if (!w->s.failed)
		world_check_end(w);
}

static void configure(struct sim *s, int i, struct mesh_conf *mc)
{
	const struct world *w = s->arg;

	mc->no_repair = w->k->bare;
	mc->no_hints = world_hintless(w, i);
	mc->check_every = w->check_every;
	mc->push_gap = w->seed * 0x9e3779b97f4a7c15 >> 63 ? 20 : 0;
}

static void init(struct world *w, const struct world_kind *k, uint64_t seed)
{
	struct sim *s = &w->s;

	w->k = k;
	w->seed = seed;
	w->out = -1;
	sim_init(s, k->least, seed * 64 + (uint64_t)(k->name[0]));
	s->n += (int)rng_below(&s->rng, (uint32_t)(k->most - k->least + 1));
	s->whole = true;
	s->arg = w;
	s->confh = configure;
	s->ackedh = world_check_acked;
	s->changedh = world_check_changed;
	for (int u = 0; u < WORLD_UAS; u++) {
		w->ua[u].callid = (uint64_t)(u + 1) * 1000;
		w->ua[u].last = -1;
	}
}

void world_run(int kind, uint64_t seed, uint32_t rounds, bool trace,
	       struct world_report *rep)
{
	struct world_kind k = with_defaults(&world_kinds[kind]);
	struct world *w = calloc(1, sizeof(*w));
	struct sim *s = &w->s;

	if (!w)
		abort();
	init(w, &k, seed);
	s->trace = trace;
	world_setup(w);
	for (int i = 0; i < s->n; i++) {
		world_start(w, i);
		if (rng_below(&s->rng, 2))
			sim_run(s, rng_below(&s->rng, 2000));
	}
	trouble(w, rounds ? rounds : k.rounds);
	if (!s->failed)
		recover(w);
	if (!s->failed && k.to_the_end)
		run_out(w);
	for (int i = 0; i < s->n; i++)
		w->faults[FAULT_OOM] += s->node[i].mem.refused;
	sim_close(s);
	w->faults[FAULT_FLIP] = s->flipped;
	w->faults[FAULT_SPLIT] = s->splits;
	memset(rep, 0, sizeof(*rep));
	rep->failed = s->failed;
	memcpy(rep->why, s->why, sizeof(rep->why));
	rep->ms = s->now - 1000000;
	rep->ops = (uint64_t)w->n;
	rep->frames = s->frames;
	memcpy(rep->faults, w->faults, sizeof(rep->faults));
	free(w);
}
