/* world_op.c - what clients do: register, refresh, remove, "*", reboot, repeat
 * themselves at another node; and a pinger that finds contacts gone. */
#include <errno.h>
#include <stdlib.h>
#include "world.h"

/* A request repeated after a lost answer. Below the guard: a repetition that
 * is older than what is remembered of its successor counts as a new one. */
#define REPEAT_MAX 8000

struct sl world_aor(int binding)
{
	/* three buckets, not neighbours, of one group: a round needs several
	 * ranges of it */
	static const char *const name[WORLD_AORS] = {
		"sip:aaa@x", "sip:zbb@x", "sip:exb@x" };

	return sl_cstr(name[binding / WORLD_KEYS]);
}

struct sl world_key(int binding)
{
	static const char *const name[WORLD_KEYS] = { "k1", "k2", "k3" };

	return sl_cstr(name[binding % WORLD_KEYS]);
}

int world_living(struct world *w)
{
	const struct sim *s = &w->s;
	int i, tries = 50;

	do {
		i = (int)rng_below(&w->s.rng, (uint32_t)s->n);
	} while (--tries && (!s->node[i].mesh || s->node[i].frozen > s->now ||
			     mesh_removed(s->node[i].mesh)));
	return tries ? i : -1;
}

/* --- values: they say which change made them, and every byte is checked ------ */

static size_t value_size(const struct world *w, uint32_t val)
{
	return w->fill_big ? 800 + val * 37 % 2200 : 8 + val % 5 * 9;
}

static struct sl value_of(const struct world *w, uint32_t val, uint8_t *p)
{
	size_t n = value_size(w, val);

	p[0] = (uint8_t)(val >> 8);
	p[1] = (uint8_t)val;
	for (size_t i = 2; i < n; i++)
		p[i] = (uint8_t)(val * 31 + i);
	return sl_mk(p, n);
}

uint32_t world_value(struct sl v)
{
	const uint8_t *p = (const uint8_t *)v.p;
	uint32_t val;

	if (v.n < 8)
		return UINT32_MAX;
	val = (uint32_t)(p[0] << 8 | p[1]);
	for (size_t i = 2; i < v.n; i++)
		if (p[i] != (uint8_t)(val * 31 + i))
			return UINT32_MAX;
	return val;
}

/* --- what a node did with it ---------------------------------------------------- */

static bool last_change(struct store *s, struct record *r)
{
	struct store_cursor c = { 0 };
	struct store_change ch;
	bool ok;

	store_cursor_add(s, &c, store_seq(s) - 1);
	while (!(ok = store_cursor_peek(s, &c, &ch)) && c.seeking)
		;
	ok = ok && record_decode(r, ch.packed) == 0;
	store_cursor_del(s, &c);
	return ok;
}

static struct op *new_op(struct world *w, int i, int binding)
{
	struct op *o = &w->op[w->n];

	memset(o, 0, sizeof(*o));
	o->at = w->s.now;
	o->node = (uint8_t)i;
	o->binding = (uint8_t)binding;
	o->life = w->s.node[i].life;
	o->ticket = store_seq(w->s.node[i].store);
	o->val = (uint32_t)w->n;
	return o;
}

/* What the record says of the change just admitted. 4.2: its stamp is larger
 * than all others in the record. */
static void note_stamp(struct world *w, struct op *o, const struct record *r)
{
	const struct rec_entry *e = NULL;
	uint8_t k;

	for (k = 0; k < r->n; k++)
		if ((r->e[k].lineage & ~0xffull) == o->lineage &&
		    r->e[k].cseq == o->cseq &&
		    (!e || stamp_cmp(e->vstamp, r->e[k].vstamp) < 0))
			e = &r->e[k];
	if (!e) {
		sim_fail(&w->s, "admission: node %u took op %d and does not "
			 "have it", o->node, w->n);
		return;
	}
	for (k = 0; k < r->n; k++)
		if (&r->e[k] != e &&
		    stamp_cmp(r->e[k].gstamp, e->vstamp) >= 0)
			sim_fail(&w->s, "admission: node %u gives op %d a "
				 "stamp that is not the largest", o->node,
				 w->n);
	o->lineage = e->lineage;
	o->stamp = e->vstamp;
	o->expires = e->expires;
}

static const char *op_name(const struct op *o)
{
	return o->ext ? "ext" : o->kill ? "kill" : o->dead ? "del" : "put";
}

static void done(struct world *w, const struct op *o)
{
	sim_say(&w->s, "op %d: node %u %s %d, ua %u lineage %llx cseq %u, "
		"value of %u, ticket %llu", w->n, o->node, op_name(o),
		o->binding, o->ua, (unsigned long long)o->lineage, o->cseq,
		o->val, (unsigned long long)o->ticket);
	w->n++;
}

/* @return 0 or why it was not admitted */
static int change(struct world *w, int i, const struct op *want,
		  uint64_t life)
{
	uint64_t wall = sim_wall(&w->s, i), seq;
	struct store *s = w->s.node[i].store;
	static uint8_t value[8192];
	struct record r;
	struct op *o;
	int err;

	seq = store_seq(s);
	sim_enter(&w->s, i);
	if (want->dead)
		err = store_del(s, world_aor(want->binding),
				world_key(want->binding), want->lineage,
				want->cseq, wall);
	else
		err = store_put(s, world_aor(want->binding),
				world_key(want->binding), want->lineage,
				want->cseq, wall + life,
				value_of(w, want->val, value), wall);
	sim_leave();
	if (err) {
		if (store_seq(s) != seq)
			sim_fail(&w->s, "admission: node %d refuses with %d "
				 "and changes", i, err);
		return err;
	}
	o = new_op(w, i, want->binding);
	o->lineage = want->lineage;
	o->cseq = want->cseq;
	o->ua = want->ua;
	o->dead = want->dead;
	o->val = want->val;
	if (last_change(s, &r))
		note_stamp(w, o, &r);
	else
		sim_fail(&w->s, "store: node %d, no last change", i);
	done(w, o);
	return 0;
}

static bool oom(const struct world *w, int i, int err)
{
	return err == ENOMEM && w->s.node[i].mem.refuse;
}

/* No contact runs out while its request may be repeated: a client that was
 * silent for longer than its contact lives may count anew (4.2) */
static uint64_t any_life(struct world *w)
{
	uint64_t max = w->k->max_expires * 1000ull;
	uint64_t min = REPEAT_MAX + 2000 + 2 * (uint64_t)w->k->clock;

	if (rng_below(&w->s.rng, 4) == 0 && max > min + 10000)
		max = min + 10000;
	return min + rng_below(&w->s.rng, (uint32_t)(max - min));
}

/* Lineages in the record of a binding. The sixth would drop the oldest, and
 * with it the order of its CSeqs: no invariant holds for that (4.1), so the
 * clients here don't do it. */
static bool room(const struct world *w, int b, uint64_t callid, bool old_ok)
{
	uint64_t seen[REC_LINEAGES];
	uint64_t keep = w->k->max_expires * 1000ull + w->s.guard;
	int n = 0;

	for (int o = 0; o < w->n; o++) {
		const struct op *p = &w->op[o];
		int k = 0;

		if (p->binding != b || p->kill || p->ext ||
		    p->at + keep + 4 * (uint64_t)w->k->clock + 20000 <
		    w->s.now)
			continue;
		if (old_ok && p->lineage >> 8 == callid)
			return true;
		while (k < n && seen[k] != p->lineage)
			k++;
		if (k == n && n == REC_LINEAGES)
			return false;
		seen[k] = p->lineage;
		n += k == n;
	}
	return n < REC_LINEAGES;
}

/* The next change of a client: its CSeq is new, so it must be admitted */
static void fresh(struct world *w, int i, int u, int binding, bool dead)
{
	struct op want = { .lineage = w->ua[u].callid << 8, .ua = (uint8_t)u,
		.cseq = ++w->ua[u].cseq, .dead = dead,
		.binding = (uint8_t)binding, .val = (uint32_t)w->n };
	int err;

	if (!room(w, binding, w->ua[u].callid, true))
		return;
	err = change(w, i, &want, any_life(w));
	if (err == 0)
		w->ua[u].last = w->n - 1;
	else if (!oom(w, i, err))
		sim_fail(&w->s, "admission: node %d refuses a new CSeq: %d",
			 i, err);
}

/* "Contact: *": each binding of the AoR that is known here, under one CSeq */
static void star(struct world *w, int i, int u, int aor)
{
	struct store_contact c;
	uint32_t cseq = ++w->ua[u].cseq;

	for (int k = 0; k < WORLD_KEYS && w->n < WORLD_OPS - 8; k++) {
		int b = aor * WORLD_KEYS + k;
		struct op want = { .lineage = w->ua[u].callid << 8,
			.ua = (uint8_t)u, .cseq = cseq, .dead = true,
			.binding = (uint8_t)b, .val = (uint32_t)w->n };

		if (room(w, b, w->ua[u].callid, true) &&
		    store_find(w->s.node[i].store, world_aor(b), world_key(b),
			       sim_wall(&w->s, i), &c) == 0 &&
		    change(w, i, &want, 0) == 0)
			w->ua[u].last = w->n - 1;
	}
}

static void reboot(struct world *w, int u)
{
	struct ua *x = &w->ua[u];

	x->callid = (uint64_t)(u + 1) * 1000 + ++x->boots;
	x->cseq = rng_below(&w->s.rng, 50);
	x->last = -1;
}

/* --- again, elsewhere, later ----------------------------------------------------- */

static struct later *put_off(struct world *w, uint64_t ms)
{
	for (int i = 0; i < WORLD_LATER; i++) {
		struct later *l = &w->later[i];

		if (l->used)
			continue;
		memset(l, 0, sizeof(*l));
		l->used = true;
		l->at = w->s.now + ms;
		return l;
	}
	return NULL;
}

static void repeat_later(struct world *w, int u)
{
	struct later *l;

	if (w->ua[u].last < 0)
		return;
	l = put_off(w, rng_below(&w->s.rng, REPEAT_MAX));
	if (l)
		l->op = w->ua[u].last;
}

/* Entries are in the order in which they count: of two generations the later
 * one decides what is new (4.2) */
static const struct seen_entry *latest(const struct seen *r, uint64_t lineage)
{
	for (uint8_t k = 0; r->has && k < r->n; k++)
		if (((r->e[k].lineage ^ lineage) & ~0xffull) == 0)
			return &r->e[k];
	return NULL;
}

/* Where the change is known, its repetition is none; but who has counted anew
 * since, somewhere where it was not known, is asked for more than that count */
static void repeat(struct world *w, int i, const struct op *o)
{
	struct op want = *o;
	struct seen r[WORLD_BINDINGS];
	const struct seen_entry *e;
	bool known;
	int err;

	if (w->s.now > o->at + REPEAT_MAX ||
	    !room(w, o->binding, o->lineage >> 8, false))
		return;
	want.lineage &= ~0xffull;       /* the generation is the store's to give */
	world_look(w, i, r);
	e = latest(&r[o->binding], o->lineage);
	known = e && e->lineage == o->lineage && e->cseq >= o->cseq &&
		(e->dead || e->expires > sim_wall(&w->s, i));
	err = change(w, i, &want, any_life(w));
	if (err == 0 && known && w->k->clock <= 500)
		sim_fail(&w->s, "admission: node %d takes op %d twice", i,
			 (int)(o - w->op));
	if (err && err != EALREADY && err != ESTALE && !oom(w, i, err))
		sim_fail(&w->s, "admission: node %d, repetition: %d", i, err);
}

static void kill_seen(struct world *w, int i, int b, struct stamp seen,
		      uint32_t val)
{
	struct store *s = w->s.node[i].store;
	struct op *o;
	int err;

	sim_enter(&w->s, i);
	err = store_kill(s, world_aor(b), world_key(b), seen,
			 sim_wall(&w->s, i));
	sim_leave();
	if (err == 0) {
		o = new_op(w, i, b);
		o->kill = true;
		o->stamp = seen;
		o->val = val;
		done(w, o);
	} else if (err != ENOENT && err != ESTALE && !oom(w, i, err)) {
		sim_fail(&w->s, "admission: node %d, kill: %d", i, err);
	}
}

static bool look_up(struct world *w, int i, int b, struct store_contact *c)
{
	return store_find(w->s.node[i].store, world_aor(b), world_key(b),
			  sim_wall(&w->s, i), c) == 0;
}

/* A pinger finds a contact gone, perhaps after some more tries */
static void one_kill(struct world *w, int i, int b)
{
	struct store_contact c;
	struct later *l;

	if (!look_up(w, i, b, &c))
		return;
	if (rng_below(&w->s.rng, 2)) {
		kill_seen(w, i, b, c.vstamp, world_value(c.value));
		return;
	}
	l = put_off(w, rng_below(&w->s.rng, 5000));
	if (l) {
		l->kill = true;
		l->seen = c.vstamp;
		l->op = (int)world_value(c.value);
		l->binding = (uint8_t)b;
	}
}

/* One node finds the contact gone while another takes its refresh */
static void race(struct world *w, int i, int b)
{
	struct store_contact c;
	int k = world_living(w);

	if (!look_up(w, i, b, &c) || k < 0)
		return;
	for (int u = 0; u < WORLD_UAS; u++)
		if (w->ua[u].callid << 8 == c.lineage) {
			struct stamp seen = c.vstamp;
			uint32_t val = world_value(c.value);

			fresh(w, k, u, b, false);
			kill_seen(w, i, b, seen, val);
			return;
		}
}

void world_later(struct world *w)
{
	for (int k = 0; k < WORLD_LATER && w->n < WORLD_OPS - 8; k++) {
		struct later *l = &w->later[k];
		int i;

		if (!l->used || l->at > w->s.now)
			continue;
		l->used = false;
		i = world_living(w);
		if (i >= 0 && l->kill)
			kill_seen(w, i, l->binding, l->seen,
				  (uint32_t)l->op);
		else if (i >= 0)
			repeat(w, i, &w->op[l->op]);
	}
}

/* A field of a record that this version doesn't know: a newer node's */
static void newer_field(struct world *w, int i, int b)
{
	struct store *s = w->s.node[i].store;
	struct record r;
	static uint8_t copy[REC_SIZE_MAX];
	uint8_t ext[10] = { 0, 7, 0, 0, 0, 4 };
	struct buf out;
	struct op *o;
	bool changed;

	if (w->n == 0 || !last_change(s, &r))
		return;
	b = -1;
	for (int k = 0; k < WORLD_BINDINGS; k++)
		if (sl_eq(world_aor(k), r.aor) && sl_eq(world_key(k), r.key))
			b = k;
	buf_fixed(&out, copy, sizeof(copy));
	record_encode(&out, &r);
	if (b < 0 || out.err || record_decode(&r, buf_as_sl(&out)))
		return;
	++w->exts;
	ext[8] = (uint8_t)(w->exts >> 8);
	ext[9] = (uint8_t)w->exts;
	r.ext = sl_mk(ext, sizeof(ext));
	sim_enter(&w->s, i);
	if (store_merge(s, &r, 0, sim_wall(&w->s, i), &changed))
		changed = false;
	sim_leave();
	if (!changed)
		return;
	o = new_op(w, i, b);
	o->ext = true;
	o->val = w->exts;
	/* it is remembered as long as the record, which may be less than a
	 * change of today's */
	o->at = r.hold - w->s.base_wall - w->k->max_expires * 1000ull -
		w->s.guard;
	done(w, o);
}

void world_client_at(struct world *w, int i)
{
	struct rng *g = &w->s.rng;
	int u = (int)rng_below(g, WORLD_UAS);
	int b = (int)rng_below(g, WORLD_BINDINGS);
	uint32_t what = rng_below(g, 100);
	struct op anew = { .lineage = w->ua[u].callid << 8, .cseq = 1,
		.ua = (uint8_t)u, .binding = (uint8_t)b,
		.val = (uint32_t)w->n };

	if (i < 0 || w->n >= WORLD_OPS - 8)
		return;
	if (what < 54)
		fresh(w, i, u, b, false);
	else if (what < 74)
		fresh(w, i, u, b, true);
	else if (what < 79)
		star(w, i, u, b / WORLD_KEYS);
	else if (what < 87)
		repeat_later(w, u);
	else if (what < 90)
		reboot(w, u);
	else if (what < 92 && w->ua[u].cseq &&
		 room(w, b, w->ua[u].callid, false))
		(void)change(w, i, &anew, any_life(w));
	else if (what < 96)
		one_kill(w, i, b);
	else if (what < 98)
		race(w, i, b);
	else
		newer_field(w, i, b);
}

void world_clients(struct world *w)
{
	for (uint32_t k = rng_below(&w->s.rng, 5); k > 0; k--)
		world_client_at(w, world_living(w));
}
