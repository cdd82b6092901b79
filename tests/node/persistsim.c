/* persistsim.c - Pure. See persistsim.h.
 *
 * Checked:
 *  row    every row that is written was a state of some node's memory
 *  back   a row never goes back (of a shared database it may, when two write
 *         it before they have told each other: then equal, in the end)
 *  kept   what a node's flush had confirmed is known to it after a power cut,
 *         as soon as the rows were read
 *  ghost  the same of removals: nothing is shown that they removed
 *  equal  in the end all nodes and all databases hold the same */
#include "persistsim.h"
#include "base/rng.h"
#include "base/secret.h"
#include "node/persist.h"
#include "persistdb.h"
#include <stdio.h>
#include <stdlib.h>

#define T0 1700000000000ull

enum {
	NODES = 3, AORS = 24, STEP = 50, LIFE = 30, GUARD = 10000,
	STATES = 1 << 16, ROUNDS = 4800,
	SKEW = 4000,               /* between clocks [ms]                    */
};

struct known {                     /* of one binding, confirmed             */
	uint8_t packed[1024];
	size_t n;
};

struct sn {
	struct store *s;               /* NULL = down                          */
	struct persist *p;
	struct pdb *db;
	struct store_cursor to[NODES], seen;
	struct known kept[AORS];
	struct persist_job *job;       /* under way in the database            */
	uint64_t job_at;               /* when it ends                         */
	uint64_t up_at, skew;
	bool was_loaded;
};

struct sw {
	struct sn n[NODES];
	struct rng r;
	struct pdb *all;
	bool shared, trace, calm;
	uint64_t now, err_until;
	enum persist_err err;
	uint32_t cseq[AORS];
	uint64_t state[STATES];        /* hashes of what memory has held       */
	uint64_t hash;                 /* the last one                         */
	struct persistsim_stats *st;
	const char *wrong;
};

static struct sw *w;               /* the one that runs                     */
static const uint8_t hkey[SECRET_KEY] = "states";

static uint64_t wall(const struct sn *n)
{
	return T0 + w->now + n->skew;
}

static bool chance(uint32_t of_1000)
{
	return rng_below(&w->r, 1000) < of_1000;
}

static void wrong(const char *what)
{
	if (!w->wrong)
		w->wrong = what;
}

static struct sl aor(uint32_t i)
{
	static char txt[16];

	return sl_mk(txt, (size_t)snprintf(txt, sizeof(txt), "sip:%u@x", i));
}

/* --- states ------------------------------------------------------------------ */

/* Entries and kills one by one: which of them are left in a record depends on
 * when it is looked at */
static uint64_t *state(const struct record *r, const struct rec_entry *e)
{
	const uint64_t v[] = { e ? e->lineage : 0, e ? e->cseq : 0,
		e ? e->dead : 2, e ? e->expires : 0,
		e ? e->vstamp.t : r->kill.t,
		e ? e->vstamp.node : r->kill.node,
		e ? e->gstamp.t : 0, e ? e->gstamp.node : 0,
		secret_hash(hkey, r->aor.p, r->aor.n) };
	uint64_t h = secret_hash(hkey, v, sizeof(v)) | 1;
	uint32_t i = (uint32_t)(h >> 32) % STATES;

	while (w->state[i] && w->state[i] != h)
		i = (i + 1) % STATES;
	w->hash = h;
	return &w->state[i];
}

static bool was_state(struct sl packed)
{
	struct record r;

	if (record_decode(&r, packed) || !*state(&r, NULL))
		return false;
	for (uint8_t i = 0; i < r.n; i++)
		if (!*state(&r, &r.e[i]))
			return false;
	return true;
}

static void note(uint64_t *at)
{
	*at = w->hash;
}

static void note_states(struct sn *n)
{
	struct store_change c;
	struct record r;

	while (store_cursor_peek(n->s, &n->seen, &c)) {
		if (record_decode(&r, c.packed))
			abort();
		note(state(&r, NULL));
		for (uint8_t i = 0; i < r.n; i++)
			note(state(&r, &r.e[i]));
		store_cursor_step(n->s, &n->seen);
	}
}

/* --- the database -------------------------------------------------------------- */

static void tell(const char *name, const struct record *r, uint64_t at)
{
	(void)printf("  %s at %llu: %.*s hold=%lld kill=%llu/%llu\n", name,
		     (unsigned long long)(at - T0), (int)r->aor.n, r->aor.p,
		     (long long)(r->hold - T0),
		     (unsigned long long)(r->kill.t & 0xffffffffff),
		     (unsigned long long)r->kill.node);
	for (uint8_t i = 0; i < r->n; i++)
		(void)printf("    %llx cseq=%u dead=%d v=%lld.%llu/%llu "
			     "g=%lld expires=%lld\n",
			     (unsigned long long)r->e[i].lineage,
			     r->e[i].cseq, r->e[i].dead,
			     (long long)(stamp_ms(r->e[i].vstamp) - T0),
			     (unsigned long long)(r->e[i].vstamp.t & 0xffff),
			     (unsigned long long)r->e[i].vstamp.node,
			     (long long)(stamp_ms(r->e[i].gstamp) - T0),
			     (long long)(r->e[i].expires - T0));
}

/* Has `now` forgotten something of `old` that it must not? What is superseded is
 * forgotten by the clock that admitted it and that of any node. Within a lineage
 * the larger CSeq wins, and may be stamped by a clock that is behind: its time is over
 * sooner than that of the version it took the place of, by no more than the clocks differ. */
static bool knows_more(struct record old, struct record now, uint64_t at)
{
	struct record is;

	(void)record_prune(&old, at + SKEW, LIFE * 1000 + GUARD);
	if (record_is_past(&old, at))
		return false;
	old.hold = now.hold;
	for (uint8_t i = 0; i < old.n; i++)
		for (uint8_t k = 0; k < now.n; k++)
			if (old.e[i].lineage == now.e[k].lineage &&
			    !stamp_cmp(old.e[i].vstamp, now.e[k].vstamp))
				old.e[i] = now.e[k];    /* values are forgotten */
	/* So are superseded ones after their time; here the top one may be */
	if (old.n == 1 && stamp_cmp(old.e[0].gstamp, now.e[0].gstamp) < 0 &&
	    stamp_ms(old.e[0].vstamp) + LIFE * 1000 + GUARD <= at + SKEW)
		old.n = 0;
	is = now;
	if (!record_join(&now, &old))
		return false;
	if (w->trace) {
		tell("old", &old, at);
		tell("now", &is, at);
	}
	return true;
}

static bool packed_knows_more(struct sl old, struct sl now, uint64_t at)
{
	struct record a, b;

	return record_decode(&a, old) || record_decode(&b, now) ||
	       knows_more(a, b, at);
}

static void check_rows(const struct sn *n, const struct persist_job *j)
{
	for (uint32_t i = 0; i < j->n; i++) {
		if (!was_state(j->row[i].packed))
			wrong("row: it was no state of memory");
		for (uint32_t k = 0; k < n->db->n; k++) {
			const struct pdb_row *o = &n->db->row[k];

			if (w->shared || memcmp(o->id, j->row[i].id, 16) ||
			    o->ver > j->row[i].ver ||
			    (o->ver == j->row[i].ver &&
			     o->ver2 > j->row[i].ver2))
				continue;
			if (packed_knows_more(sl_mk(o->packed, o->n),
					      j->row[i].packed, wall(n)))
				wrong("back: a row forgets something");
		}
	}
}

static void run_job(struct sn *n, bool committed)
{
	struct persist_job *j = n->job;

	n->db->err = w->now < w->err_until ? w->err : PERSIST_OK;
	n->db->lose_answer = !w->calm && chance(20);
	n->db->chunk = 5;
	if (j->op == PERSIST_WRITE && committed && !n->db->err)
		check_rows(n, j);
	if (committed)
		pdb_run(n->db, j);
}

/* All that memory holds now is said to be safe */
static void note_kept(struct sn *n)
{
	struct store_cursor c = { 0 };
	struct store_change ch;
	struct record r;

	memset(n->kept, 0, sizeof(n->kept));
	store_cursor_add(n->s, &c, 0);
	while (store_cursor_peek(n->s, &c, &ch)) {
		struct known *k;

		if (!record_decode(&r, ch.packed) && ch.packed.n <= 1024) {
			k = &n->kept[atoi((const char *)r.aor.p + 4) % AORS];
			memcpy(k->packed, ch.packed.p, ch.packed.n);
			k->n = ch.packed.n;
		}
		store_cursor_step(n->s, &c);
	}
	store_cursor_del(n->s, &c);
}

static bool is_shown(struct sn *n, uint32_t i, struct store_contact *c)
{
	return !store_find(n->s, aor(i), SL("k"), wall(n), c);
}

static void check_kept(struct sn *n)
{
	struct store_contact c;
	struct record r, m;
	uint64_t seq;

	w->st->checks++;
	for (uint32_t i = 0; i < AORS; i++) {
		if (!n->kept[i].n)
			continue;
		(void)record_decode(&r, sl_mk(n->kept[i].packed,
					      n->kept[i].n));
		if (record_is_past(&r, wall(n)))
			continue;
		if (store_look(n->s, r.aor, r.key, wall(n), &m, &seq) ||
		    knows_more(r, m, wall(n)))
			wrong("kept: what a flush had confirmed is lost");
		if (r.e[0].dead && is_shown(n, i, &c) &&
		    c.lineage == (r.e[0].lineage & ~0xffull) &&
		    c.cseq <= r.e[0].cseq)
			wrong("ghost: a removed contact is shown");
	}
}

static void drive(struct sn *n)
{
	for (int i = 0; i < 50; i++) {
		uint64_t dirty = persist_dirty(n->p);

		if (n->job && w->now >= n->job_at) {
			run_job(n, true);
			n->job = NULL;
			persist_done(n->p, w->now);
		}
		persist_tick(n->p, w->now, wall(n));
		note_states(n);
		if (!n->job && (n->job = persist_poll(n->p, w->now)) != NULL)
			n->job_at = w->now + (chance(700) || w->calm ? 0 :
					      rng_below(&w->r, 4000));
		if (persist_loaded(n->p) && !n->was_loaded) {
			n->was_loaded = true;
			check_kept(n);
		}
		if (dirty && !persist_dirty(n->p) && n->was_loaded &&
		    !w->shared)
			note_kept(n);
		if (persist_next(n->p) > w->now &&
		    (!n->job || n->job_at > w->now))
			break;
	}
}

/* --- nodes ------------------------------------------------------------------------ */

static uint32_t slot(struct sl a, void *arg)
{
	(void)arg;
	return (uint32_t)atoi((const char *)a.p + 4) * 37;
}

static bool mine(uint32_t s, void *arg)
{
	uint32_t me = (uint32_t)((struct sn *)arg - w->n), up[NODES], n = 0;

	for (uint32_t i = 0; i < NODES; i++)
		if (w->n[i].s)
			up[n++] = i;
	return n && up[s / 37 % n] == me;
}

static void moved(void)
{
	w->st->takeovers++;
	for (uint32_t i = 0; i < NODES && w->shared; i++)
		if (w->n[i].s)
			persist_moved(w->n[i].p);
}

static void start(struct sn *n)
{
	struct store_conf sc = { .node = (uint64_t)(n - w->n) + 1,
		.max_records = 1000, .max_per_aor = 50, .max_expires = LIFE,
		.guard = GUARD };
	struct persist_conf pc = { .seed = rng_u64(&w->r), .interval = 2000,
		.keep = LIFE * 1000 + GUARD, .arg = n };

	memset(sc.key, 7, sizeof(sc.key));
	if (store_alloc(&n->s, &sc, wall(n)))
		abort();
	pc.store = n->s;
	if (w->shared) {
		pc.slot = slot;
		pc.mine = mine;
	}
	if (persist_alloc(&n->p, &pc, w->now, wall(n)))
		abort();
	n->up_at = w->now;
	n->was_loaded = false;
	memset(&n->seen, 0, sizeof(n->seen));
	store_cursor_add(n->s, &n->seen, 0);
	for (uint32_t i = 0; i < NODES; i++) {
		memset(&n->to[i], 0, sizeof(n->to[i]));
		store_cursor_add(n->s, &n->to[i], 0);
		if (w->n[i].s && &w->n[i] != n)        /* it has nothing */
			store_cursor_set(w->n[i].s, &w->n[i].to[n - w->n], 0);
	}
	moved();
}

/* kill -9, maybe in the middle of a transaction: committed or not, nobody is
 * told */
static void crash(struct sn *n)
{
	const struct persist_stats *st = persist_stats(n->p);

	if (n->job) {
		bool committed = chance(500);

		w->st->torn++;
		run_job(n, committed);
		persist_done(n->p, w->now);
		n->job = NULL;
	}
	w->st->written += st->written;
	w->st->read += st->read;
	w->st->newer += st->newer;
	w->st->swept += st->swept;
	for (int e = 1; e < PERSIST_ERR_N; e++)
		w->st->failures += st->errors[e];
	w->st->late_loads += n->was_loaded && st->errors[PERSIST_DOWN] > 0;
	persist_free(n->p);
	store_free(n->s);
	n->s = NULL;
	n->p = NULL;
	w->st->crashes++;
	moved();
}

/* --- changes and their way to the others ----------------------------------------- */

static void change(struct sn *n)
{
	/* some rest long enough to be forgotten */
	uint32_t i = (uint32_t)(w->now / 5000 + rng_below(&w->r, 6)) % AORS;
	uint32_t kind = rng_below(&w->r, 10);
	uint64_t lineage = 0x100u << rng_below(&w->r, 2);
	struct store_contact c;

	w->st->changes++;
	if (kind < 6)
		(void)store_put(n->s, aor(i), SL("k"), lineage, ++w->cseq[i],
				wall(n) + 2000 + rng_below(&w->r, 28000),
				SL("value"), wall(n));
	else if (kind < 9)
		(void)store_del(n->s, aor(i), SL("k"), lineage, ++w->cseq[i],
				wall(n));
	else if (!store_find(n->s, aor(i), SL("k"), wall(n), &c))
		(void)store_kill(n->s, aor(i), SL("k"), c.vstamp, wall(n));
	note_states(n);
}

static void send(struct sn *from, struct sn *to)
{
	struct store_cursor *c = &from->to[to - w->n];
	struct store_change ch;
	struct record r;
	bool changed;

	while (store_cursor_peek(from->s, c, &ch)) {
		if (!w->calm && chance(200))
			return;
		if (!record_decode(&r, ch.packed))
			(void)store_merge(to->s, &r, 0, wall(to), &changed);
		store_cursor_step(from->s, c);
		note_states(to);
	}
}

static void step(void)
{
	for (uint32_t i = 0; i < NODES; i++) {
		struct sn *n = &w->n[i];

		if (!n->s) {
			if (w->calm || chance(20))
				start(n);
			continue;
		}
		if (!w->calm && chance(100))
			change(n);
		for (uint32_t k = 0; k < NODES; k++)
			if (k != i && w->n[k].s && (w->calm || chance(300)))
				send(n, &w->n[k]);
		(void)store_tick(n->s, wall(n), 100);
		note_states(n);
		drive(n);
		if (!w->calm && chance(3))
			crash(n);
	}
	if (!w->calm && chance(3)) {
		w->st->blackouts++;
		for (uint32_t i = 0; i < NODES; i++)
			if (w->n[i].s)
				crash(&w->n[i]);
	}
	if (!w->calm && chance(5)) {
		w->err = (enum persist_err)(1 + rng_below(&w->r,
							  PERSIST_ERR_N - 1));
		w->err = w->err == PERSIST_DATA ? PERSIST_DOWN : w->err;
		w->err_until = w->now + rng_below(&w->r, 20000);
	}
	w->now += STEP;
}

/* --- the end ------------------------------------------------------------------------ */

static void same_memory(struct sn *a, struct sn *b)
{
	struct record r, m;
	uint64_t seq, at = T0 + w->now + SKEW;  /* all clocks have passed it */

	for (uint32_t i = 0; i < AORS; i++) {
		bool x = !store_look(a->s, aor(i), SL("k"), at, &r, &seq);
		bool y = !store_look(b->s, aor(i), SL("k"), at, &m, &seq);

		if (x != y || (x && (knows_more(r, m, at) ||
				     knows_more(m, r, at))))
			wrong("equal: nodes differ");
	}
}

/* Both sides of what a verification found */
static void tell_diffs(struct sn *n, const struct persist_verdict *v)
{
	struct record row, mem;
	uint64_t seq;

	for (uint32_t i = 0; w->trace && i < v->n; i++) {
		struct sl a = sl_cstr(v->diff[i].aor);
		const struct pdb_row *o = pdb_find(n->db, a, SL("k"));

		(void)printf("node %d %s\n", (int)(n - w->n) + 1,
			     v->diff[i].what);
		if (o && !record_decode(&row, sl_mk(o->packed, o->n)))
			tell("row", &row, wall(n));
		if (!store_look(n->s, a, SL("k"), wall(n), &mem, &seq))
			tell("memory", &mem, wall(n));
	}
}

static void check_equal(void)
{
	for (uint32_t i = 0; i < NODES; i++) {
		const struct persist_verdict *v = persist_verdict(w->n[i].p);

		same_memory(&w->n[0], &w->n[i]);
		if (persist_dirty(w->n[i].p))
			wrong("equal: something was not written");
		if (!v->valid)
			wrong("equal: no verification");
		else if (v->missing_db || v->missing_memory || v->differ)
			wrong("equal: rows and memory differ");
		tell_diffs(&w->n[i], v);
	}
}

static void calm_down(void)
{
	w->calm = true;
	w->err_until = 0;
	for (int i = 0; i < 600; i++)
		step();
	for (uint32_t i = 0; i < NODES; i++)
		(void)persist_verify(w->n[i].p, w->now);
	for (int i = 0; i < 100; i++)
		step();
	check_equal();
	for (uint32_t i = 0; i < NODES; i++)
		crash(&w->n[i]);
}

const char *persistsim(uint64_t seed, bool shared, bool trace,
		       struct persistsim_stats *st)
{
	const char *what;

	w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	rng_seed(&w->r, seed);
	w->shared = shared;
	w->trace = trace;
	w->st = st;
	w->now = 1000;
	for (uint32_t i = 0; i < NODES; i++) {
		w->n[i].db = shared && i ? w->n[0].db :
			     calloc(1, sizeof(struct pdb));
		w->n[i].skew = rng_below(&w->r, SKEW);
		start(&w->n[i]);
	}
	for (int i = 0; i < ROUNDS && !w->wrong; i++)
		step();
	if (!w->wrong)
		calm_down();
	for (uint32_t i = 0; i < NODES; i++)
		if (w->n[i].s)
			crash(&w->n[i]);
	for (uint32_t i = 0; i < (shared ? 1 : NODES); i++)
		pdb_free(w->n[i].db);
	what = w->wrong;
	if (what && trace)
		(void)printf("at %llu ms: %s\n", (unsigned long long)w->now,
			     what);
	free(w);
	w = NULL;
	return what;
}
