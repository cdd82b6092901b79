/* mesh_view.c - Pure. What can be asked and set from outside. */
#include "cluster/mesh_priv.h"

#define VIEW_REMOVED 8       /* shown of those taken out */

void mesh_set_state(struct mesh *m, enum cluster_state s)
{
	if (m->state == s)
		return;
	log_info("event=cluster_state %s->%s", cluster_state_name(m->state),
		 cluster_state_name(s));
	m->state = s;
	m->beat_at = 0;             /* the others learn of it at once */
}

void mesh_set_gap(struct mesh *m, uint32_t gap)
{
	m->repl.gap = gap;
	m->repl.push_at = 0;           /* what waits for the old one goes */
}

void mesh_set_digests(struct mesh *m, uint64_t settings, uint64_t users)
{
	m->settings = settings;
	m->users = users;
}

uint64_t mesh_acked(const struct mesh *m)
{
	return m->repl.acked;
}

uint32_t mesh_alive(const struct mesh *m)
{
	return member_alive(&m->ms) - 1;
}

bool mesh_synced(const struct mesh *m)
{
	return m->synced;
}

struct hints *mesh_hints(struct mesh *m)
{
	return &m->hints;
}

const struct slots *mesh_slots(const struct mesh *m)
{
	return &m->slots;
}

const struct mesh_stats *mesh_stats(const struct mesh *m)
{
	return &m->st;
}

uint8_t mesh_link(const struct mesh *m, uint64_t node)
{
	uint8_t i = member_find(&m->ms, node);

	return i == MEMBER_NONE ? MESH_NONE : m->link_of[i];
}

static void view_slots(const struct mesh *m, struct cluster_member_view *v)
{
	const struct slots_row *r = slots_find(&m->slots, v->node);

	v->slots = r ? r->share : 0;
	v->counts = r && r->counts;
}

/* What the roster knows of a member; healths and figures stay */
static void view_entry(const struct roster_entry *e,
		       struct cluster_member_view *v)
{
	if (!e)
		return;
	v->node = e->node;
	if (!v->name[0])
		memcpy(v->name, e->name, sizeof(v->name));
	if (!v->addr.af)
		v->addr = e->addr;
	v->sip = e->sip;
	v->removed = !roster_in(e);
	v->turned = e->turn.at;
}

static void view_member(const struct mesh *m, uint8_t i, uint64_t now,
			struct cluster_member_view *v)
{
	const struct member *b = &m->ms.m[i];
	const struct repl_peer *p = &m->repl.p[i];

	v->node = b->node;
	memcpy(v->name, b->name, sizeof(v->name));
	v->addr = b->addr;
	view_entry(roster_find(&m->roster, b->node), v);
	v->linked = b->linked;
	v->health = b->health;
	v->state = b->state;
	v->majority = b->majority;
	v->incarnation = b->incarnation;
	v->heard_ago = b->heard && now > b->heard ? now - b->heard : 0;
	v->since = now - b->since;
	v->clock_ms = b->clock;
	v->records = b->records;
	v->contacts = b->contacts;
	v->seq = b->seq;
	v->sent_to_us = p->have;
	v->acked_by_it = p->acked;
	v->lag_ms = repl_lag(&m->repl, i, now);
	v->settings_differ = m->differ[i][0];
	v->users_differ = m->differ[i][1];
	v->whole = p->whole;
	v->verdict = sync_verdict_name(sync_verdict(m->sync, i));
	v->n_hears = (uint32_t)__builtin_popcount(b->row);
	view_slots(m, v);
}

static enum cluster_state state_of(const struct mesh *m)
{
	return m->removed ? CLUSTER_REMOVED : m->state;
}

static void view_self(const struct mesh *m, uint64_t now,
		      struct cluster_member_view *v)
{
	const struct store_stats *st = store_stats(m->store);

	view_member(m, MEMBER_SELF, now, v);
	v->self = true;
	memcpy(v->name, m->cf.name, sizeof(v->name));
	v->addr = m->cf.addr;
	v->state = state_of(m);
	v->majority = mesh_majority(m);
	v->incarnation = m->cf.incarnation;
	v->heard_ago = 0;
	v->records = st->records;
	v->contacts = st->contacts;
	v->seq = v->sent_to_us = store_seq(m->store);
	v->acked_by_it = v->seq;
	v->n_hears = member_alive(&m->ms);
	v->whole = true;
	v->verdict = "equal";
}

/* Members that we know from the roster alone */
static void view_unheard(const struct mesh *m, struct cluster_view *v)
{
	for (uint32_t i = 0; i < m->roster.n && v->n < CLUSTER_VIEW; i++) {
		const struct roster_entry *e = &m->roster.e[i];

		if (roster_in(e) && member_find(&m->ms, e->node) ==
		    MEMBER_NONE) {
			v->m[v->n].health = CLUSTER_UNKNOWN;
			v->m[v->n].verdict = "unknown";
			view_entry(e, &v->m[v->n++]);
		}
	}
}

/* Configured addresses nobody is known at */
static void view_unanswered(const struct mesh *m, struct cluster_view *v)
{
	for (uint32_t t = 0; t < m->ntargets && v->n < CLUSTER_VIEW; t++) {
		const struct target *tg = &m->target[t];

		if (tg->self || !tg->conf || tg->gone || tg->member ||
		    (tg->node && member_find(&m->ms, tg->node) !=
		     MEMBER_NONE))
			continue;
		v->m[v->n].addr = tg->addr;
		v->m[v->n].verdict = "unknown";
		v->m[v->n++].health = CLUSTER_UNKNOWN;
	}
}

/* The last ones removed, newest first */
static void view_removed(const struct mesh *m, struct cluster_view *v)
{
	const struct roster_entry *last = NULL;

	for (int k = 0; k < VIEW_REMOVED && v->n < CLUSTER_VIEW; k++) {
		const struct roster_entry *best = NULL;

		for (uint32_t i = 0; i < m->roster.n; i++) {
			const struct roster_entry *e = &m->roster.e[i];

			if (roster_in(e) ||
			    member_find(&m->ms, e->node) != MEMBER_NONE ||
			    (last && (e->turn.at > last->turn.at ||
				      (e->turn.at == last->turn.at &&
				       e->node >= last->node))))
				continue;
			if (!best || e->turn.at > best->turn.at ||
			    (e->turn.at == best->turn.at &&
			     e->node > best->node))
				best = e;
		}
		if (!best)
			return;
		last = best;
		v->m[v->n].health = CLUSTER_LEFT;
		v->m[v->n].verdict = "unknown";
		view_entry(best, &v->m[v->n++]);
	}
}

void mesh_view(const struct mesh *m, uint64_t now, struct cluster_view *v)
{
	memset(v, 0, sizeof(*v));
	v->node = m->cf.node;
	v->incarnation = m->cf.incarnation;
	memcpy(v->name, m->cf.name, sizeof(v->name));
	v->addr = m->cf.addr;
	v->state = state_of(m);
	v->synced = m->synced;
	v->majority = mesh_majority(m);
	v->progress = (uint32_t)sync_stats(m->sync)->progress;
	v->repaired = sync_stats(m->sync)->repaired;
	v->root = store_root(m->store);
	v->alive = member_alive(&m->ms);
	v->members = mesh_count(m);
	v->seq = store_seq(m->store);
	v->acked = m->repl.acked;
	v->links_now = m->st.links_now;
	v->links_made = m->st.links_made;
	v->links_lost = m->st.links_lost;
	v->bad_frames = m->st.bad_frames;
	v->slots_shared = m->slots.whos;
	v->slots_moved = m->slots.moved;
	v->slots_ago = m->slots.version ? now - m->slots.changed : 0;
	view_self(m, now, &v->m[v->n++]);
	for (uint8_t i = 1; i < CLUSTER_MAX; i++)
		if (m->ms.m[i].node)
			view_member(m, i, now, &v->m[v->n++]);
	view_unheard(m, v);
	view_unanswered(m, v);
	view_removed(m, v);
	for (uint32_t i = 0; i < v->n; i++)
		if (v->m[i].removed)
			v->m[i].state = CLUSTER_REMOVED;
}
