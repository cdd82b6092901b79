/**
 * @file guess.c  Pure. Three things are counted: tries of one source for one
 * address of record, of one source for any, of any source for one address.
 * Some are free; behind them each doubles the time in which no further one is
 * looked at. Tries are forgotten one by one as time goes.
 *
 * The numbers are chosen so that a phone with a wrong password, or a dozen of
 * them behind one address, closes nothing but its own pair, and that one
 * source alone never closes an address of record for others.
 *
 * Tables are sets of eight: the entry that says least gives way.
 */
#include "node/guess.h"
#include "base/secret.h"
#include <errno.h>
#include <stdlib.h>

enum { WAYS = 8, COUNT_MAX = 1000, BASE = 1000 /* [ms] */ };
enum level { PAIR, SOURCE, AOR, LEVELS };

static const struct {
	uint32_t free;           /* wrong ones that cost nothing              */
	uint32_t forget;         /* [ms] after which one is forgotten         */
	uint32_t part;           /* of the longest time: 1/part               */
	uint32_t size;
} level[LEVELS] = {
	[PAIR] = { 3, 60000, 1, GUESS_PAIRS },
	[SOURCE] = { 30, 5000, 2, GUESS_SOURCES },
	[AOR] = { 30, 30000, 4, GUESS_AORS },
};

struct entry {
	uint64_t id;             /* 0 = free */
	uint64_t last, until;    /* [ms] */
	uint32_t count;
};

struct known {
	uint64_t id, at;         /* [ms] */
};

struct guess {
	struct entry *v[LEVELS];
	struct known *known;
	struct guess_stats st;
	uint8_t key[SECRET_KEY];
};

int guess_alloc(struct guess **gp, const uint8_t key[32])
{
	struct guess *g = calloc(1, sizeof(*g));
	bool ok = g;

	/* touched as they fill */
	for (unsigned i = 0; ok && i < LEVELS; i++) {
		g->v[i] = calloc(level[i].size, sizeof(struct entry));
		ok = g->v[i];
	}
	if (ok) {
		g->known = calloc(GUESS_KNOWN, sizeof(*g->known));
		ok = g->known;
	}
	if (!ok) {
		guess_free(g);
		return ENOMEM;
	}
	memcpy(g->key, key, SECRET_KEY);
	*gp = g;
	return 0;
}

void guess_free(struct guess *g)
{
	if (!g)
		return;
	for (unsigned i = 0; i < LEVELS; i++)
		free(g->v[i]);
	free(g->known);
	free(g);
}

const struct guess_stats *guess_stats(const struct guess *g)
{
	return &g->st;
}

static uint64_t id_of(const struct guess *g, unsigned l,
		      const struct guess_who *w)
{
	struct sl src = l == AOR ? SL_NONE : sl_sub(w->source, 0, 16);
	struct sl aor = l == SOURCE ? SL_NONE : sl_sub(w->aor, 0, 512);
	uint8_t mem[1 + 16 + 512];
	size_t n = 0;

	mem[n++] = (uint8_t)src.n;
	if (src.n)
		memcpy(mem + n, src.p, src.n);
	n += src.n;
	if (aor.n)
		memcpy(mem + n, aor.p, aor.n);
	n += aor.n;
	return secret_hash(g->key, mem, n) | 1;
}

static struct entry *set_of(const struct guess *g, unsigned l, uint64_t id)
{
	return &g->v[l][(id >> 8) % (level[l].size / WAYS) * WAYS];
}

static struct entry *find(const struct guess *g, unsigned l, uint64_t id)
{
	struct entry *e = set_of(g, l, id);

	for (unsigned i = 0; i < WAYS; i++) {
		if (e[i].id == id)
			return &e[i];
	}
	return NULL;
}

/* Forget what time has healed */
static void age(struct entry *e, unsigned l, uint64_t now)
{
	uint64_t n = now > e->last ? (now - e->last) / level[l].forget : 0;

	if (!n)
		return;
	e->last += n * level[l].forget;
	e->count = n < e->count ? e->count - (uint32_t)n : 0;
}

static struct entry *get(struct guess *g, unsigned l, uint64_t id,
			 uint64_t now)
{
	struct entry *e = find(g, l, id), *v = set_of(g, l, id);

	if (e)
		return e;
	e = v;
	for (unsigned i = 0; i < WAYS; i++) {
		if (v[i].id)
			age(&v[i], l, now);
		if (v[i].count < e->count
		    || (v[i].count == e->count && v[i].last < e->last))
			e = &v[i];
	}
	if (e->count)
		g->st.evicted++;
	*e = (struct entry){ .id = id, .last = now };
	return e;
}

/* --- sources from which somebody was right ---------------------------------- */

static struct known *known_set(const struct guess *g, uint64_t id)
{
	return &g->known[(id >> 8) % (GUESS_KNOWN / WAYS) * WAYS];
}

bool guess_known(const struct guess *g, const struct guess_who *w,
		 uint64_t now)
{
	uint64_t id = id_of(g, PAIR, w);
	const struct known *k = known_set(g, id);

	for (unsigned i = 0; i < WAYS; i++) {
		if (k[i].id == id && now < k[i].at + GUESS_KNOWN_MS)
			return true;
	}
	return false;
}

void guess_right(struct guess *g, const struct guess_who *w, uint64_t now)
{
	uint64_t id = id_of(g, PAIR, w);
	struct known *k = known_set(g, id), *old = k;
	struct entry *e = find(g, PAIR, id);

	for (unsigned i = 0; i < WAYS; i++) {
		if (k[i].id == id) {
			old = &k[i];
			break;
		}
		if (k[i].at < old->at)
			old = &k[i];
	}
	*old = (struct known){ id, now };
	/* the source's own count stays: a guesser may have an account too */
	if (e)
		*e = (struct entry){ 0 };
}

/* --- tries ------------------------------------------------------------------ */

bool guess_closed(struct guess *g, const struct guess_who *w, uint64_t now)
{
	for (unsigned l = 0; l < LEVELS; l++) {
		const struct entry *e = find(g, l, id_of(g, l, w));

		if (e && now < e->until)
			return !guess_known(g, w, now);
	}
	return false;
}

static uint64_t wrong(struct entry *e, unsigned l, uint64_t max, uint64_t now)
{
	uint64_t wait;
	uint32_t over;

	age(e, l, now);
	if (!e->count)
		e->last = now;
	if (e->count < COUNT_MAX)
		e->count++;
	if (e->count <= level[l].free)
		return 0;
	over = e->count - level[l].free - 1;
	wait = over < 20 ? (uint64_t)BASE << over : UINT64_MAX;
	if (wait > max / level[l].part)
		wait = max / level[l].part;
	e->until = now + wait;
	return wait;
}

uint64_t guess_wrong(struct guess *g, const struct guess_who *w, uint64_t max,
		     uint64_t now)
{
	struct entry *e;
	uint64_t wait, longest;

	e = get(g, PAIR, id_of(g, PAIR, w), now);
	longest = wrong(e, PAIR, max, now);
	/* already slowed down: a phone with a wrong password that comes again
	 * and again closes nothing for its neighbours, nor for its user */
	if (e->count > level[PAIR].free)
		return longest;
	for (unsigned l = SOURCE; l < LEVELS; l++) {
		wait = wrong(get(g, l, id_of(g, l, w), now), l, max, now);
		if (wait > longest)
			longest = wait;
	}
	return longest;
}
