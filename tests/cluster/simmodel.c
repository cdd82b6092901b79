/* simmodel.c - one binding, two or three nodes, four changes, at most one crash:
 * every order of everything. Real store; a record is sent whenever a peer has not
 * got the present one. Between two nodes it arrives some time later, when both may
 * have changed; between three it arrives at once, but for what a dying node sent.
 *
 *   simmodel          each scenario: states visited, ends checked
 *
 * At every end: nodes that told each other all are equal, whatever the order; a
 * change that another node had when its own crashed, or whose node did not crash, is
 * there (I4); what is shown is the last word (I3, I5). */
#include <stdio.h>
#include <stdlib.h>
#include "cluster/store.h"

#define T0 1700000000000ull
#define NODES 3
#define OPS 4
#define RECORDS 60000
#define STATES (1u << 20)
#define NONE 0                    /* record 0: there is none */

enum what { PUT, DEL, KILL };
struct step { enum what what; uint8_t node; uint32_t lineage, cseq; };

struct scenario {
	const char *name;
	int nodes;
	int64_t skew[NODES];      /* of the wall clocks [ms] */
	struct step op[OPS];
};

static const struct scenario scenarios[] = {
	{ "moves, then removed", 3, { 0 }, {
		{ PUT, 0, 1, 1 }, { PUT, 1, 1, 2 }, { DEL, 2, 1, 3 },
		{ PUT, 0, 2, 1 } } },
	{ "refresh and kill", 3, { 0 }, {
		{ PUT, 0, 1, 1 }, { KILL, 1, 0, 0 }, { PUT, 2, 1, 2 },
		{ KILL, 0, 0, 0 } } },
	{ "two clients, one contact", 3, { 0 }, {
		{ PUT, 0, 1, 1 }, { PUT, 1, 2, 1 }, { DEL, 1, 1, 2 },
		{ PUT, 2, 2, 2 } } },
	{ "removed, back, clocks apart", 3, { 0, 40, -25 }, {
		{ PUT, 1, 1, 1 }, { DEL, 2, 1, 2 }, { PUT, 0, 1, 3 },
		{ DEL, 1, 1, 4 } } },
	{ "two nodes, clocks apart", 2, { 0, 60 }, {
		{ PUT, 1, 1, 1 }, { PUT, 0, 1, 2 }, { KILL, 1, 0, 0 },
		{ DEL, 0, 1, 3 } } },
	{ "reboot while it is removed", 2, { 0 }, {
		{ PUT, 0, 1, 1 }, { DEL, 1, 1, 2 }, { PUT, 0, 2, 1 },
		{ KILL, 1, 0, 0 } } },
};

struct state {
	uint64_t t[OPS];                  /* stamp; of a kill: what was seen */
	uint32_t rec[NODES], way[NODES][NODES];
	uint8_t at[OPS];                  /* done as number n, 0 = not yet   */
	uint8_t who[OPS];                 /* node of the stamp               */
	uint8_t did;                      /* kills that found something      */
	uint8_t acked, fell;              /* changes; those that may be lost */
	uint8_t stale[NODES];             /* peers that lack the present one */
	uint8_t crashed;                  /* node + 1                        */
};

static const struct scenario *sc;
static uint8_t *packed[RECORDS];
static uint16_t packed_n[RECORDS];
static uint32_t records;
static struct state *seen;
static uint32_t *slot;
static uint64_t states, ends, lost;

static void die(const char *why)
{
	printf("FAIL %s: %s\n", sc->name, why);
	exit(1);
}

/* --- records by number ------------------------------------------------------------ */

static uint32_t intern(struct sl p)
{
	for (uint32_t i = 1; i <= records; i++)
		if (sl_eq(sl_mk(packed[i], packed_n[i]), p))
			return i;
	if (++records == RECORDS)
		die("too many records");
	packed[records] = malloc(p.n);
	if (!packed[records])
		die("no memory");
	memcpy(packed[records], p.p, p.n);
	packed_n[records] = (uint16_t)p.n;
	return records;
}

static void load(uint32_t id, struct record *r)
{
	memset(r, 0, sizeof(*r));
	if (id != NONE && record_decode(r, sl_mk(packed[id], packed_n[id])))
		die("a record does not decode");
}

static struct store *with(int node, uint32_t id, uint64_t wall)
{
	struct store_conf cf = { .node = (uint64_t)node + 1,
		.max_records = 100, .max_per_aor = 10, .max_expires = 3600,
		.guard = 10000 };
	struct store *s = NULL;
	struct record r;
	bool changed;

	if (store_alloc(&s, &cf, wall))
		die("no memory");
	load(id, &r);
	if (id != NONE && store_merge(s, &r, 1, wall, &changed))
		die("a merge is refused");
	return s;
}

static uint32_t present(struct store *s)
{
	struct store_cursor c = { 0 };
	struct store_change ch;
	uint32_t id = NONE;

	store_cursor_add(s, &c, 0);
	if (store_cursor_peek(s, &c, &ch))
		id = intern(ch.packed);
	store_cursor_del(s, &c);
	return id;
}

/* Merges are asked for again and again */
static uint32_t merged(uint32_t a, uint32_t b)
{
	static struct { uint32_t a, b, c; } memo[1u << 16];
	uint32_t h = (a * 40503u ^ b * 2654435761u) & 0xffff;
	struct store *s;
	struct record r;
	bool changed;

	if (b == NONE || a == b)
		return a;
	if (a == NONE)
		return b;
	if (memo[h].a == a && memo[h].b == b)
		return memo[h].c;
	s = with(0, a, T0 + 500);
	load(b, &r);
	if (store_merge(s, &r, 2, T0 + 500, &changed))
		die("a merge is refused");
	memo[h].a = a;
	memo[h].b = b;
	memo[h].c = present(s);
	store_free(s);
	return memo[h].c;
}

/* --- states ------------------------------------------------------------------------ */

static uint64_t hash(const struct state *x)
{
	const uint8_t *p = (const uint8_t *)x;
	uint64_t h = 1469598103934665603ull;

	for (size_t i = 0; i < sizeof(*x); i++)
		h = (h ^ p[i]) * 1099511628211ull;
	return h ^ h >> 29;
}

/* @return it is new, and waits for its turn */
static void visit(const struct state *x)
{
	uint64_t h = hash(x);

	while (slot[h % (2 * STATES)]) {
		if (memcmp(&seen[slot[h % (2 * STATES)] - 1], x,
			   sizeof(*x)) == 0)
			return;
		h++;
	}
	if (states == STATES)
		die("too many states");
	seen[states++] = *x;
	slot[h % (2 * STATES)] = (uint32_t)states;
}

static bool covers(const struct state *x, uint32_t id, int k)
{
	struct stamp st = { x->t[k], x->who[k] };
	struct record r;

	load(id, &r);
	if (sc->op[k].what == KILL)
		return stamp_cmp(r.kill, st) >= 0;
	for (uint8_t i = 0; i < r.n; i++)
		if (r.e[i].lineage >> 8 == sc->op[k].lineage)
			return r.e[i].cseq >= sc->op[k].cseq &&
				stamp_cmp(r.e[i].gstamp, st) >= 0;
	return false;
}

static bool done(const struct state *x, int k)
{
	return x->at[k] && (sc->op[k].what != KILL || x->did >> k & 1);
}

/* Node i has another record: its peers are to be told */
static void changed(struct state *x, int i, uint32_t id)
{
	if (x->rec[i] == id)
		return;
	x->rec[i] = id;
	for (int k = 0; k < sc->nodes; k++)
		if (k != i)
			x->stale[i] |= (uint8_t)(1u << k);
	for (int k = 0; k < OPS; k++)
		if (done(x, k) && sc->op[k].node != i && covers(x, id, k))
			x->acked |= (uint8_t)(1u << k);
}

static int count(const struct state *x)
{
	int n = 0;

	for (int k = 0; k < OPS; k++)
		n += x->at[k] != 0;
	return n;
}

/* One client's changes come in their order */
static bool may(const struct state *x, int k)
{
	if (x->at[k])
		return false;
	for (int j = 0; j < OPS; j++)
		if (j != k && !x->at[j] && sc->op[k].what != KILL &&
		    sc->op[j].lineage == sc->op[k].lineage &&
		    sc->op[j].cseq < sc->op[k].cseq &&
		    sc->op[j].what != KILL)
			return false;
	return true;
}

static void apply(struct state *x, int k)
{
	const struct step *o = &sc->op[k];
	int n = count(x) + 1, err;
	uint64_t wall = T0 + 100 + 10 * (uint64_t)n +
		(uint64_t)sc->skew[o->node];
	struct store *s = with(o->node, x->rec[o->node], wall);
	struct store_contact c;
	uint8_t val = (uint8_t)('0' + k);

	x->at[k] = (uint8_t)n;
	if (o->what == KILL) {
		err = store_find(s, SL("a"), SL("k"), wall, &c);
		if (!err) {
			x->t[k] = c.vstamp.t;
			x->who[k] = (uint8_t)c.vstamp.node;
			err = store_kill(s, SL("a"), SL("k"), c.vstamp, wall);
			x->did |= (uint8_t)(1u << k);
		} else {
			err = 0;
		}
	} else if (o->what == DEL) {
		err = store_del(s, SL("a"), SL("k"), o->lineage << 8, o->cseq,
				wall);
	} else {
		err = store_put(s, SL("a"), SL("k"), o->lineage << 8, o->cseq,
				T0 + 1000000, sl_mk(&val, 1), wall);
	}
	if (err)
		die("a change is refused");
	changed(x, o->node, present(s));
	if (o->what != KILL) {
		struct record r;

		load(x->rec[o->node], &r);
		for (uint8_t i = 0; i < r.n; i++)
			if (r.e[i].lineage >> 8 == o->lineage) {
				x->t[k] = r.e[i].vstamp.t;
				x->who[k] = (uint8_t)r.e[i].vstamp.node;
			}
	}
	store_free(s);
}

/* words: peers that get what it sent last, after all */
static void crash(struct state *x, int i, unsigned words)
{
	uint32_t last = x->rec[i];

	x->crashed = (uint8_t)(i + 1);
	for (int k = 0; k < OPS; k++)
		if (done(x, k) && sc->op[k].node == i && !(x->acked >> k & 1))
			x->fell |= (uint8_t)(1u << k);
	x->rec[i] = NONE;
	x->stale[i] = 0;
	for (int k = 0; k < sc->nodes; k++) {
		x->way[k][i] = NONE;      /* to it; what it sent may arrive */
		if (k != i && x->rec[k] != NONE)
			x->stale[k] |= (uint8_t)(1u << i);
		if (words >> k & 1)
			x->way[i][k] = last;
	}
}

/* a tells b its record. @return did anything happen? */
static bool tell(struct state *x, int a, int b)
{
	uint32_t id = x->way[a][b];

	if (id != NONE) {
		x->way[a][b] = NONE;
		changed(x, b, merged(x->rec[b], id));
	} else if (x->stale[a] >> b & 1) {
		x->stale[a] &= (uint8_t)~(1u << b);
		if (sc->nodes == 2)
			x->way[a][b] = x->rec[a];
		else
			changed(x, b, merged(x->rec[b], x->rec[a]));
	} else {
		return false;
	}
	if (x->rec[b] == x->rec[a])
		x->stale[b] &= (uint8_t)~(1u << a);
	return true;
}

/* --- an end ------------------------------------------------------------------------ */

/* The last change that is there decides, if stamps follow the true order */
static int last_word(const struct state *x, uint32_t id)
{
	int last = -1;

	for (int k = 0; k < OPS; k++) {
		if (!done(x, k) || sc->op[k].what == KILL ||
		    !covers(x, id, k))
			continue;
		if (last < 0 || (sc->op[k].lineage == sc->op[last].lineage ?
				 sc->op[k].cseq > sc->op[last].cseq :
				 x->at[k] > x->at[last]))
			last = k;
	}
	return last;
}

static void check_shown(const struct state *x, uint32_t id)
{
	bool even = true, dead;
	struct record r;
	const struct rec_entry *e;
	int w = last_word(x, id);

	load(id, &r);
	e = record_visible(&r, T0 + 600);
	for (int i = 0; i < sc->nodes; i++)
		even = even && sc->skew[i] == 0;
	/* whatever the clocks say: one client's last word */
	for (int k = 0; e && k < OPS; k++)
		if (done(x, k) && sc->op[k].what != KILL &&
		    covers(x, id, k) &&
		    sc->op[k].lineage == e->lineage >> 8 &&
		    sc->op[k].cseq > e->cseq)
			die("I5: an older change of one client is shown");
	if (!even || w < 0)
		return;
	dead = sc->op[w].what == DEL;
	for (int k = 0; k < OPS; k++)
		if (sc->op[k].what == KILL && done(x, k) &&
		    covers(x, id, k) && x->t[k] == x->t[w] &&
		    x->who[k] == x->who[w])
			dead = true;
	if (dead && e)
		die("I3: what was removed is shown");
	if (!dead && (!e || e->value.p[0] != '0' + w))
		die("I4: the last word is not shown");
}

static void end(const struct state *x)
{
	static const int order[6][NODES] = { { 0, 1, 2 }, { 0, 2, 1 },
		{ 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	uint32_t all = NONE;

	ends++;
	for (int p = 0; p < 6; p++) {
		uint32_t id = NONE;

		for (int i = 0; i < NODES; i++)
			id = merged(id, x->rec[order[p][i]]);
		if (p > 0 && id != all)
			die("I2: the order of merges matters");
		all = id;
	}
	for (int i = 0; i < sc->nodes; i++)
		if (!x->crashed && x->rec[i] != all)
			die("I2: nodes that told each other all differ");
	for (int k = 0; k < OPS; k++) {
		if (!done(x, k) || covers(x, all, k))
			continue;
		if (!(x->fell >> k & 1))
			die("I4: a change is lost that was safe");
		lost++;
	}
	check_shown(x, all);
}

/* --- all of it ---------------------------------------------------------------------- */

static void go_on(const struct state *from)
{
	bool moves = false;

	for (int k = 0; k < OPS; k++) {
		struct state x = *from;

		if (!may(from, k))
			continue;
		apply(&x, k);
		visit(&x);
		moves = true;
	}
	for (int a = 0; a < sc->nodes; a++) {
		for (int b = 0; b < sc->nodes; b++) {
			struct state x = *from;

			if (a == b || !tell(&x, a, b))
				continue;
			visit(&x);
			moves = true;
		}
		for (unsigned words = 0; !from->crashed && count(from) > 0 &&
		     words < 1u << sc->nodes; words++) {
			struct state x = *from;

			if (words & ~from->stale[a])
				continue;
			crash(&x, a, words);
			visit(&x);
		}
	}
	if (!moves)
		end(from);
}

static void explore(const struct scenario *s)
{
	struct state first;

	sc = s;
	memset(&first, 0, sizeof(first));
	memset(slot, 0, 2ull * STATES * sizeof(*slot));
	states = ends = lost = 0;
	visit(&first);
	for (uint64_t i = 0; i < states; i++) {
		struct state x = seen[i];

		go_on(&x);
	}
	printf("ok %s: %d nodes, %llu states, %llu ends, %u records, "
	       "%llu changes died with their node\n", s->name, s->nodes,
	       (unsigned long long)states, (unsigned long long)ends, records,
	       (unsigned long long)lost);
	(void)fflush(stdout);
}

int main(void)
{
	size_t n = sizeof(scenarios) / sizeof(scenarios[0]);

	seen = malloc(STATES * sizeof(*seen));
	slot = malloc(2ull * STATES * sizeof(*slot));
	if (!seen || !slot) {
		printf("FAIL simmodel: no memory\n");
		return 1;
	}
	for (size_t i = 0; i < n; i++)
		explore(&scenarios[i]);
	printf("%zu passed, 0 failed\n", n);
	free(seen);
	free(slot);
	return 0;
}
