/* world_look.c - what a store holds, and whether a change is in it. Written
 * from docs/cluster-protocol.md 4, not with record_join() and its kin: what is
 * checked must not check itself. */
#include "world.h"

/* The node's clock may be off by that, and the store looks once a second */
static uint64_t slack(const struct world *w)
{
	return 2000 + 2 * (uint64_t)w->k->clock;
}

static uint64_t keep(const struct world *w)
{
	return w->k->max_expires * 1000ull + w->s.guard;
}

static void see(struct world *w, int i, const struct record *rec,
		struct seen *r)
{
	r->has = true;
	r->n = rec->n;
	r->kill = rec->kill;
	r->hold = rec->hold;
	r->ext = rec->ext.n == 10 ? (uint32_t)((uint8_t)rec->ext.p[8] << 8 |
					       (uint8_t)rec->ext.p[9]) : 0;
	for (uint8_t k = 0; k < rec->n; k++) {
		const struct rec_entry *e = &rec->e[k];
		struct seen_entry *x = &r->e[k];

		x->lineage = e->lineage;
		x->expires = e->expires;
		x->v = e->vstamp;
		x->g = e->gstamp;
		x->cseq = e->cseq;
		x->dead = e->dead;
		x->has_value = e->has_value;
		x->val = e->has_value ? world_value(e->value) : 0;
		if (e->has_value && x->val == UINT32_MAX)
			sim_fail(&w->s, "I13: node %d has a value that "
				 "nobody wrote", i);
	}
}

static int binding_of(const struct record *r)
{
	for (int b = 0; b < WORLD_BINDINGS; b++)
		if (sl_eq(world_aor(b), r->aor) && sl_eq(world_key(b), r->key))
			return b;
	return -1;
}

void world_look(struct world *w, int i, struct seen *r)
{
	struct store *s = w->s.node[i].store;
	struct store_cursor c = { 0 };
	struct store_change ch;
	struct record rec;

	for (int b = 0; b < WORLD_BINDINGS; b++)
		r[b].has = false;
	store_cursor_add(s, &c, 0);
	while (store_cursor_peek(s, &c, &ch)) {
		int b = record_decode(&rec, ch.packed) ? -1 : binding_of(&rec);

		if (b < 0 || r[b].has)
			sim_fail(&w->s, "I13: node %d has a record that "
				 "nobody made", i);
		else
			see(w, i, &rec, &r[b]);
		if (b >= 0) {
			r[b].seq = ch.seq;
			r[b].via = ch.via;
		}
		store_cursor_step(s, &c);
	}
	store_cursor_del(s, &c);
}

/* As it counts at `wall`, whenever the store last looked: 4.3 */
void world_settle(const struct world *w, struct seen *r, uint64_t wall)
{
	uint8_t n = 0;
	bool past = r->hold <= wall;

	for (uint8_t k = 0; k < r->n; k++) {
		struct seen_entry *e = &r->e[k];
		uint64_t end = stamp_ms(e->v) + keep(w);

		if (!e->dead && e->expires > wall)
			past = false;
		if (!e->dead && e->expires > end)
			end = e->expires;
		if (k > 0 && end <= wall)
			continue;
		if (e->expires <= wall || stamp_cmp(e->v, r->kill) <= 0) {
			e->has_value = false;
			e->val = 0;
		}
		r->e[n++] = *e;
	}
	r->n = n;
	if (past)
		r->has = false;
}

bool world_past(const struct world *w, const struct op *o)
{
	return w->s.now + slack(w) >= o->at + keep(w);
}

const struct seen_entry *world_entry(const struct seen *r, uint64_t lineage)
{
	for (uint8_t k = 0; r->has && k < r->n; k++)
		if (r->e[k].lineage == lineage)
			return &r->e[k];
	return NULL;
}

/* Its lineage may be forgotten with a larger CSeq that came before it: whoever
 * has only o shows it no longer */
static bool outlived(const struct world *w, const struct op *o)
{
	for (int k = 0; k < w->n; k++) {
		const struct op *p = &w->op[k];

		if (p->binding == o->binding && !p->kill && !p->ext &&
		    p->lineage == o->lineage && p->cseq >= o->cseq &&
		    world_past(w, p))
			return true;
	}
	return false;
}

/* A record holds the latest five lineages */
static bool given_way(const struct seen *r, const struct op *o)
{
	bool newer = r->has && r->n == REC_LINEAGES;

	for (uint8_t k = 0; newer && k < r->n; k++)
		newer = stamp_cmp(r->e[k].g, o->stamp) > 0;
	return newer;
}

/* Has r met o, and does it say so still? It, or what stands above it for good */
bool world_has(const struct world *w, const struct seen *r, const struct op *o)
{
	const struct seen_entry *e = world_entry(r, o->lineage);

	if (world_past(w, o))
		return true;
	if (o->kill)
		return r->has && stamp_cmp(r->kill, o->stamp) >= 0;
	if (o->ext)
		return r->has && r->ext >= o->val;
	if (!e)
		return given_way(r, o);
	return stamp_cmp(e->g, o->stamp) >= 0 &&
		(e->cseq > o->cseq ||
		 (e->cseq == o->cseq && stamp_cmp(e->v, o->stamp) >= 0));
}

/* May r be the record of a node that has met o? One without its lineage may have
 * forgotten it, or never heard of it: nothing tells them apart. So it may be asked
 * of who has to have o, and says nothing about who had it: world_has() does. */
bool world_covers(const struct world *w, const struct seen *r,
		  const struct op *o)
{
	return world_has(w, r, o) ||
		(!o->kill && !o->ext && !world_entry(r, o->lineage) &&
		 outlived(w, o));
}

static bool near(uint64_t a, uint64_t b, uint64_t tol)
{
	return (a > b ? a - b : b - a) <= tol;
}

/* tol: what clamping (4.3) may do to a time when clocks are far apart.
 * skew: between any two clocks. Who was cut off with an older version and a
 * clock ahead remembers longer than who only saw the later version; no digest
 * has the hold (6.3), and both are long enough for what they hold. */
bool world_same(const struct seen *a, const struct seen *b, uint64_t tol,
		uint64_t skew)
{
	if (a->has != b->has)
		return false;
	if (!a->has)
		return true;
	if (a->n != b->n || a->ext != b->ext || stamp_cmp(a->kill, b->kill))
		return false;
	/* killed on both sides of a cut, the same version: one stamp, two holds,
	 * which no digest tells apart. Each is long enough (6.3). */
	if (!a->kill.t && !near(a->hold, b->hold, tol > skew ? tol : skew))
		return false;
	for (uint8_t k = 0; k < a->n; k++) {
		const struct seen_entry *x = &a->e[k], *y = &b->e[k];

		if (x->lineage != y->lineage || x->cseq != y->cseq ||
		    stamp_cmp(x->v, y->v) || stamp_cmp(x->g, y->g) ||
		    x->dead != y->dead ||
		    !near(x->expires, y->expires, tol) ||
		    x->has_value != y->has_value || x->val != y->val)
			return false;
	}
	return true;
}
