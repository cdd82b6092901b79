/* test_repl.c - several nodes on virtual links: what was accepted by a node
 * that lives is on all nodes after the links heal, what was removed is not.
 *
 * SIM_SEEDS sets how many seeds are tried, SIM_SEED tries one alone. */
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

static void one_op(struct world *w)
{
	struct op *o = &w->op[w->n];
	int i = living(w), ua = (int)rng_below(&w->s.rng, UAS), err;
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

static void crash(struct world *w)
{
	int i = living(w), others = 0;
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

static void one_fault(struct world *w, bool crashes)
{
	struct sim *s = &w->s;
	int i = living(w);

	switch (rng_below(&s->rng, crashes ? 7 : 5)) {
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
		restart(w);
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

Test(repl, cuts_and_lost_links_lose_nothing, .timeout = 600)
{
	seeds(1000000, 150, false);
}

Test(repl, crashes_lose_only_what_nobody_else_had, .timeout = 600)
{
	seeds(2000000, 150, true);
}
