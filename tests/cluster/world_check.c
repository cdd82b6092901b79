/* world_check.c - the invariants. Names as in
 * docs/decisions/0021-cluster-simulation.md. */
#include <stdlib.h>
#include "world.h"

#define ROOM (64 * 1024)      /* above an empty node and its records [bytes] */

static bool runs(const struct world *w, int i)
{
	return w->s.node[i].mesh && w->s.node[i].frozen <= w->s.now;
}

/* --- who has what, when nodes come and go ---------------------------------------- */

void world_check_crash(struct world *w, int i)
{
	struct seen r[WORLD_BINDINGS];

	world_look(w, i, r);
	for (int o = 0; o < w->n; o++)
		if (!w->op[o].acked && w->op[o].node != i &&
		    world_covers(w, &r[w->op[o].binding], &w->op[o]))
			w->op[o].fell = true;
}

static void look_all(struct world *w, struct seen (*r)[WORLD_BINDINGS])
{
	for (int i = 0; i < w->s.n; i++)
		if (w->s.node[i].mesh)
			world_look(w, i, r[i]);
}

void world_check_gone(struct world *w)
{
	static struct seen r[SIM_NODES][WORLD_BINDINGS];

	look_all(w, r);
	for (int o = 0; o < w->n; o++) {
		struct op *p = &w->op[o];
		bool held = p->lost;

		for (int i = 0; i < w->s.n && !held; i++)
			held = w->s.node[i].mesh &&
			       world_has(w, &r[i][p->binding], p);
		if (!held)
			sim_say(&w->s, "op %d is lost", o);
		p->lost = p->lost || !held;
	}
}

void world_check_start(struct world *w, int i)
{
	static struct seen r[SIM_NODES][WORLD_BINDINGS];

	look_all(w, r);
	w->join[i].life = w->s.node[i].life;
	w->join[i].done = false;
	w->join[i].n = w->n;
	for (int o = 0; o < w->n; o++) {
		const struct op *p = &w->op[o];

		w->join[i].had[o] = 0;
		for (int k = 0; k < w->s.n; k++)
			if (k != i && w->s.node[k].mesh &&
			    world_has(w, &r[k][p->binding], p))
				w->join[i].had[o] |= 1u << k;
	}
	for (int k = 0; k < w->s.n; k++)
		w->join[i].from[k] = w->s.node[k].mesh ?
			w->s.node[k].life : 0;
}

/* --- I4a: what a client is told is safe ---------------------------------------------- */

void world_check_acked(struct sim *s, int i, uint64_t from, uint64_t to)
{
	struct world *w = s->arg;
	static struct seen r[SIM_NODES][WORLD_BINDINGS];
	bool looked = false;

	for (int o = 0; o < w->n; o++) {
		struct op *p = &w->op[o];
		bool held;

		if (p->acked || p->node != i || p->life != s->node[i].life ||
		    p->ticket <= from || p->ticket > to)
			continue;
		if (!looked)
			look_all(w, r);
		looked = true;
		p->acked = true;
		held = p->fell;
		for (int k = 0; k < s->n && !held; k++)
			held = k != i && s->node[k].mesh &&
			       world_covers(w, &r[k][p->binding], p);
		if (!held)
			sim_fail(s, "I4a: op %d at node %d is acknowledged, "
				 "no other node has it", o, i);
	}
}

/* --- I11: who says that it is synced has what its peers had at its start ---------- */

static bool linked(const struct cluster_view *v, const struct sim *s, int k)
{
	for (uint32_t m = 0; m < v->n; m++)
		if (v->m[m].node == (uint64_t)k + 1)
			return v->m[m].linked &&
				v->m[m].incarnation == s->node[k].life;
	return false;
}

static void check_synced(struct world *w, int i, const struct cluster_view *v)
{
	struct sim *s = &w->s;
	struct seen r[WORLD_BINDINGS];

	w->join[i].done = true;
	world_look(w, i, r);
	for (int k = 0; k < s->n; k++) {
		if (k == i || !s->node[k].mesh || !linked(v, s, k) ||
		    w->join[i].from[k] != s->node[k].life)
			continue;
		for (int o = 0; o < w->join[i].n; o++)
			if (!w->op[o].lost && w->join[i].had[o] >> k & 1 &&
			    !world_covers(w, &r[w->op[o].binding],
					  &w->op[o]))
				sim_fail(s, "I11: node %d is synced without "
					 "op %d, which linked node %d had", i,
					 o, k);
	}
}

void world_check_changed(struct sim *s, int i)
{
	struct world *w = s->arg;
	struct cluster_view v;

	mesh_view(s->node[i].mesh, s->now, &v);
	if (v.synced && v.state == CLUSTER_JOINING)
		mesh_set_state(s->node[i].mesh, CLUSTER_READY);
	if (v.synced && !w->join[i].done)
		check_synced(w, i, &v);
	/* I14: one node stands still, and only that is seen */
	for (uint32_t m = 0; w->k->faults == F(FREEZE) && m < v.n; m++) {
		int k = (int)v.m[m].node - 1;

		if (v.m[m].health == CLUSTER_DEAD && k >= 0 &&
		    s->now - v.m[m].since > s->node[k].frozen + 100)
			sim_fail(s, "I14: node %d takes node %d for dead", i,
				 k);
	}
}

/* --- always -------------------------------------------------------------------------- */

/* Independent of record_visible(): 4.1 */
static const struct seen_entry *shown(const struct seen *r, uint64_t wall)
{
	const struct seen_entry *top = NULL;

	if (!r->has)
		return NULL;
	for (uint8_t k = 0; k < r->n; k++)
		if (!top || stamp_cmp(top->g, r->e[k].g) < 0)
			top = &r->e[k];
	if (!top || top->dead || !top->has_value || top->expires <= wall ||
	    stamp_cmp(top->v, r->kill) <= 0)
		return NULL;
	return top;
}

static void check_shown(struct world *w, int i, int b, const struct seen *r)
{
	uint64_t wall = sim_wall(&w->s, i);
	const struct seen_entry *e = shown(r, wall);
	uint64_t longest = w->k->max_expires * 1000ull + w->s.guard + 10000;
	struct store_contact c;
	bool found = store_find(w->s.node[i].store, world_aor(b),
				world_key(b), wall, &c) == 0;

	if (found != (e != NULL)) {
		sim_fail(&w->s, "shown: node %d %s binding %d", i,
			 found ? "shows" : "hides", b);
		return;
	}
	if (!found)
		return;
	if (world_value(c.value) != e->val || c.cseq != e->cseq)
		sim_fail(&w->s, "shown: node %d shows another version of "
			 "binding %d", i, b);
	/* I12: and by the clock of the node that took it */
	if (c.expires > wall + longest ||
	    w->op[e->val].at + w->k->max_expires * 1000ull + w->s.guard +
	    2 * (uint64_t)w->k->clock + 2000 + 8000 < w->s.now)
		sim_fail(&w->s, "I12: node %d shows op %u beyond its time", i,
			 e->val);
}

/* I5: what a node knows of a lineage only grows */
static void check_growth(struct world *w, int i, int b,
			 const struct seen *was, const struct seen *is)
{
	for (uint8_t k = 0; was->has && k < was->n; k++) {
		const struct seen_entry *x = &was->e[k];
		const struct seen_entry *y = world_entry(is, x->lineage);
		struct op old = { .lineage = x->lineage, .cseq = x->cseq,
			.binding = (uint8_t)b,
			.stamp = x->v, .at = stamp_ms(x->v) -
			w->s.base_wall };

		if (stamp_ms(x->v) + w->k->max_expires * 1000ull +
		    w->s.guard <= sim_wall(&w->s, i) + 2000)
			continue;       /* may be forgotten, then begin anew */
		if (y && (y->cseq < x->cseq || stamp_cmp(y->g, x->g) < 0 ||
			  (y->cseq == x->cseq &&
			   stamp_cmp(y->v, x->v) < 0)))
			sim_fail(&w->s, "I5: node %d, binding %d: CSeq %u "
				 "after %u", i, b, y->cseq, x->cseq);
		if (!y && !world_covers(w, is, &old))
			sim_fail(&w->s, "I3: node %d forgets lineage %llx of "
				 "binding %d too early", i,
				 (unsigned long long)x->lineage, b);
	}
	if (was->hold <= sim_wall(&w->s, i) + 2000)
		return;
	if (was->has && is->has && (stamp_cmp(was->kill, is->kill) > 0 ||
				    was->hold > is->hold ||
				    was->ext > is->ext))
		sim_fail(&w->s, "I5: node %d, binding %d: kill, hold or ext "
			 "went back", i, b);
}

static void check_node(struct world *w, int i, struct seen *r)
{
	const struct sim_node *x = &w->s.node[i];
	int64_t room = x->empty + ROOM;

	if (mesh_hints(x->mesh)->tab)
		room += HINTS_PLACES * (int64_t)sizeof(struct hint);

	for (int b = 0; b < WORLD_BINDINGS; b++) {
		check_shown(w, i, b, &r[b]);
		if (w->was[i].life == x->life)
			check_growth(w, i, b, &w->was[i].r[b], &r[b]);
	}
	w->was[i].life = x->life;
	memcpy(w->was[i].r, r, sizeof(w->was[i].r));
	if (x->mem.bytes > (int64_t)store_stats(x->store)->taken + room)
		sim_fail(&w->s, "I8: node %d has %lld bytes, %llu of records",
			 i, (long long)x->mem.bytes, (unsigned long long)
			 store_stats(x->store)->bytes);
}

/* Node i has node k's changes up to seq, it says. What others brought to k may
 * come to i from them (6.2), but a record that is k's own in its present state has
 * come from k. @return an op that is in it and not at node i, -1 = none */
static int lacks(const struct world *w, int i, int k, uint64_t seq,
		 struct seen (*r)[WORLD_BINDINGS])
{
	for (int o = w->n > 60 ? w->n - 60 : 0; o < w->n; o++) {
		const struct op *p = &w->op[o];
		const struct seen *own = &r[k][p->binding];

		if (own->has && own->via == 0 && own->seq <= seq &&
		    world_has(w, own, p) &&
		    !world_covers(w, &r[i][p->binding], p))
			return o;
	}
	return -1;
}

/* I6: what node i says it has of node k: all up to there, once it has compared
 * itself with k */
static void check_has(struct world *w, int i, struct seen (*r)[WORLD_BINDINGS],
		      const struct cluster_view *v)
{
	for (uint32_t m = 0; m < v->n; m++) {
		const struct cluster_member_view *x = &v->m[m];
		int k = (int)x->node - 1, o;

		if (k < 0 || k == i || !w->s.node[k].mesh || !x->whole ||
		    w->s.node[k].life != x->incarnation)
			continue;
		o = lacks(w, i, k, x->sent_to_us, r);
		if (o >= 0)
			sim_fail(&w->s, "I6: node %d says it has op %d of %d",
				 i, o, k);
	}
}

/* I10, when nothing has moved for long enough to be known */
static void check_majority(struct world *w, int i)
{
	struct sim *s = &w->s;
	uint64_t known = 2ull * s->dead + MESH_HELLO_MAX + 4000;
	int n = 1;

	if (s->now < w->calm_from + known || s->flip ||
	    w->faults[FAULT_OUT])   /* who is out may not be known to all */
		return;
	for (int k = 0; k < s->n; k++)
		if (s->lag[i][k] || s->rate[i][k] || s->lag[k][i] ||
		    s->rate[k][i] || s->node[k].mem.refuse ||
		    s->now < s->node[k].frozen + known)
			return;
	for (int k = 0; k < s->n; k++)
		n += k != i && s->node[k].mesh && !s->cut[i][k] &&
		     !s->cut[k][i];
	if (mesh_majority(s->node[i].mesh) != (2 * n > s->n))
		sim_fail(s, "I10: node %d reaches %d of %d and says %s", i, n,
			 s->n, 2 * n > s->n ? "minority" : "majority");
}

/* I11, without faults: a change is everywhere after one trip */
static void check_lag(struct world *w, struct seen (*r)[WORLD_BINDINGS])
{
	const struct sim *s = &w->s;

	for (int o = 0; o < w->n; o++)
		for (int i = 0; i < s->n; i++)
			if (s->now >= w->op[o].at + 3 * s->delay + 5 &&
			    s->node[i].started + 10000 < w->op[o].at &&
			    !world_covers(w, &r[i][w->op[o].binding],
					  &w->op[o]))
				sim_fail(&w->s, "I11: node %d waits for op "
					 "%d", i, o);
}

void world_check_always(struct world *w)
{
	static struct seen r[SIM_NODES][WORLD_BINDINGS];
	struct cluster_view v;
	struct sim *s = &w->s;

	look_all(w, r);
	for (int i = 0; i < s->n && !s->failed; i++) {
		if (!runs(w, i))
			continue;
		mesh_view(s->node[i].mesh, s->now, &v);
		check_node(w, i, r[i]);
		check_has(w, i, r, &v);
		check_majority(w, i);
	}
	if (w->k->calm)
		check_lag(w, r);
	world_check_hints(w);
}

/* --- healed and quiet ------------------------------------------------------------------ */

static void check_links(struct world *w, int i)
{
	struct sim *s = &w->s;
	const struct mesh *m = s->node[i].mesh;
	const struct mesh_stats *st = mesh_stats(m);
	int n = 0;

	for (int k = 0; k < s->n; k++)
		n += s->node[k].mesh != NULL;
	if (mesh_alive(m) != (uint32_t)n - 1)
		sim_fail(s, "links: node %d hears %u of %d", i, mesh_alive(m),
			 n - 1);
	if (st->links_now != (uint64_t)n - 1)
		sim_fail(s, "links: node %d has %llu for %d peers", i,
			 (unsigned long long)st->links_now, n - 1);
	if (mesh_majority(m) != (2 * n > s->n))
		sim_fail(s, "I10: node %d is with %d of %d", i, n, s->n);
	if (!mesh_synced(m))
		sim_fail(s, "I11: node %d is with all and not synced", i);
	if (st->bad_frames && !s->flipped)
		sim_fail(s, "I13: node %d counts %llu bad frames", i,
			 (unsigned long long)st->bad_frames);
	if (w->k->calm && st->records_new > (uint64_t)w->n)
		sim_fail(s, "I7: node %d merges %llu news of %d changes", i,
			 (unsigned long long)st->records_new, w->n);
	if (w->k->calm && (st->links_lost || st->rewinds ||
			   st->records_refused ||
			   sync_stats(mesh_sync(m))->repaired))
		sim_fail(s, "I7: node %d repairs what is not broken", i);
}

/* One that did not survive its node's crash, and its repetition at the next life,
 * may bear the same stamp: the others' clocks are ahead, and it follows theirs. */
static const struct op *find_op(const struct world *w, int b,
				const struct seen_entry *e)
{
	const struct op *lost = NULL;

	for (int o = 0; o < w->n; o++) {
		const struct op *p = &w->op[o];

		if (p->binding == b && !p->kill && !p->ext &&
		    p->lineage == e->lineage && p->cseq == e->cseq &&
		    stamp_cmp(p->stamp, e->v) == 0) {
			if (p->expires == e->expires || !p->lost)
				return p;
			lost = p;
		}
	}
	return lost;
}

/* Everything in a record was said by somebody */
static void check_explained(struct world *w, int i, int b,
			    const struct seen *r)
{
	for (uint8_t k = 0; r->has && k < r->n; k++) {
		const struct seen_entry *e = &r->e[k];
		const struct op *p = find_op(w, b, e);

		if (!p || p->dead != e->dead ||
		    (e->has_value && e->val != p->val) ||
		    (!e->dead && e->expires > p->expires) ||
		    (!e->dead && e->expires < p->expires &&
		     w->k->clock <= 5000))
			sim_fail(&w->s, "I13: node %d, binding %d: an entry "
				 "that no client made", i, b);
	}
}

/* Of one lineage the largest CSeq decides: I3 when that is a removal, else I5.
 * Whatever the clocks say. */
static void check_order(struct world *w, int i, int b)
{
	struct store_contact c;
	const struct op *q;

	if (store_find(w->s.node[i].store, world_aor(b), world_key(b),
		       sim_wall(&w->s, i), &c))
		return;
	q = &w->op[world_value(c.value)];
	for (int o = 0; o < w->n; o++) {
		const struct op *p = &w->op[o];

		if (p->binding == b && !p->kill && !p->ext && !p->lost &&
		    p->lineage == q->lineage && p->cseq > c.cseq)
			sim_fail(&w->s, "%s: node %d shows op %u of binding "
				 "%d after op %d", p->dead ? "I3" : "I5", i,
				 world_value(c.value), b, o);
		if (p->kill && !p->lost && stamp_cmp(p->stamp, c.vstamp) == 0)
			sim_fail(&w->s, "I3: node %d shows op %u, killed by "
				 "op %d", i, w->op[o].val, o);
	}
}

/* The change that came last, by the true clock. NULL: two were so close that
 * stamps may have them the other way round, or a lower CSeq came later */
static const struct op *last_word(const struct world *w, int b)
{
	const struct op *last = NULL;
	uint64_t margin = 2 * (uint64_t)w->k->clock + 10;

	for (int o = 0; o < w->n; o++)
		if (w->op[o].binding == b && !w->op[o].kill && !w->op[o].ext)
			last = &w->op[o];
	for (const struct op *p = w->op; last && p < w->op + w->n; p++) {
		if (p == last || p->binding != b || p->kill || p->ext)
			continue;
		if (p->lineage == last->lineage ? p->cseq >= last->cseq :
		    p->at + margin > last->at)
			return NULL;
	}
	return last;
}

static bool killed(const struct world *w, const struct op *p, bool *maybe)
{
	bool yes = false;

	for (int o = 0; o < w->n; o++) {
		const struct op *q = &w->op[o];

		if (!q->kill || q->binding != p->binding ||
		    stamp_cmp(q->stamp, p->stamp) < 0)
			continue;
		/* a version seen in the same moment may have the larger
		 * stamp, then this one is killed, too */
		if (q->lost || stamp_cmp(q->stamp, p->stamp))
			*maybe = true;
		else
			yes = true;
	}
	return yes;
}

/* I4, I3 from the outside: the last word on a binding is what all show */
static void check_last_word(struct world *w, int b)
{
	const struct op *p = w->k->clock > 500 ? NULL : last_word(w, b);
	bool maybe = false, want;

	if (!p || p->lost || world_past(w, p) ||
	    (!p->dead && p->expires < sim_wall(&w->s, 0) + 1000))
		return;
	want = !p->dead && !killed(w, p, &maybe);
	for (int i = 0; i < w->s.n && !(want && maybe); i++) {
		struct store_contact c;
		bool found;

		if (!w->s.node[i].mesh)
			continue;
		found = store_find(w->s.node[i].store, world_aor(b),
					world_key(b), sim_wall(&w->s, i),
					&c) == 0;

		if (found && (!want || world_value(c.value) != p->val))
			sim_fail(&w->s, "I3: node %d shows op %u of binding "
				 "%d, the last word was op %d", i,
				 world_value(c.value), b, (int)(p - w->op));
		if (!found && want)
			sim_fail(&w->s, "I4: node %d does not show op %d of "
				 "binding %d", i, (int)(p - w->op), b);
	}
}

static void check_held(struct world *w, int i, const struct seen *r)
{
	for (int o = 0; o < w->n; o++)
		if (!w->op[o].lost && !world_covers(w, &r[w->op[o].binding],
						    &w->op[o]))
			sim_fail(&w->s, "I4: node %d misses op %d of %d", i,
				 o, w->n);
}

/* I9: one owner of each slot, who lives */
static void check_slots(struct world *w, int first, int i)
{
	const struct slots *a = mesh_slots(w->s.node[first].mesh);
	const struct slots *b = mesh_slots(w->s.node[i].mesh);
	uint32_t n = 0;

	for (int k = 0; k < w->s.n; k++)
		n += w->s.node[k].mesh != NULL;
	if (b->whos != n)
		sim_fail(&w->s, "I9: node %d shares slots among %u of %u", i,
			 b->whos, n);
	for (uint32_t k = 0; k < SLOTS; k++)
		if (slots_owner(a, k) != slots_owner(b, k)) {
			sim_fail(&w->s, "I9: nodes %d and %d differ in the "
				 "owner of slot %u", first, i, k);
			return;
		}
}

void world_check_quiet(struct world *w)
{
	static struct seen r[SIM_NODES][WORLD_BINDINGS];
	struct sim *s = &w->s;
	int first = -1;
	uint64_t tol = w->k->clock > 5000 ? 2 * (uint64_t)w->k->clock : 0;

	look_all(w, r);
	for (int i = 0; i < s->n; i++) {
		if (!s->node[i].mesh)
			continue;
		if (first < 0)
			first = i;
		check_links(w, i);
		check_slots(w, first, i);
		check_held(w, i, r[i]);
		for (int b = 0; b < WORLD_BINDINGS; b++) {
			check_explained(w, i, b, &r[i][b]);
			check_order(w, i, b);
			world_settle(w, &r[i][b], sim_wall(s, i));
		}
	}
	for (int b = 0; b < WORLD_BINDINGS; b++) {
		check_last_word(w, b);
		for (int i = first + 1; i < s->n; i++)
			if (s->node[i].mesh &&
			    !world_same(&r[first][b], &r[i][b], tol,
					2 * (uint64_t)w->k->clock))
				sim_fail(s, "I2: nodes %d and %d differ in "
					 "binding %d", first, i, b);
	}
	world_check_hints_quiet(w);
}

/* I12: nothing is kept for ever */
void world_check_end(struct world *w)
{
	for (int i = 0; i < w->s.n; i++) {
		const struct store_stats *st;

		if (!w->s.node[i].mesh)
			continue;
		st = store_stats(w->s.node[i].store);
		if (st->records || st->contacts || st->bytes)
			sim_fail(&w->s, "I12: node %d keeps %llu records, "
				 "%llu bytes", i,
				 (unsigned long long)st->records,
				 (unsigned long long)st->bytes);
	}
}
