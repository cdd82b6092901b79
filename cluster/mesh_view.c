/* mesh_view.c - Pure. What can be asked and set from outside. */
#include "cluster/mesh_priv.h"

void mesh_set_state(struct mesh *m, enum cluster_state s)
{
	if (m->state == s)
		return;
	log_info("event=cluster_state %s->%s", cluster_state_name(m->state),
		 cluster_state_name(s));
	m->state = s;
	m->beat_at = 0;             /* the others learn of it at once */
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

const struct mesh_stats *mesh_stats(const struct mesh *m)
{
	return &m->st;
}

static bool has_target(const struct mesh *m, uint64_t node)
{
	for (uint32_t t = 0; t < m->ntargets; t++)
		if (m->target[t].node == node && !m->target[t].self)
			return true;
	return false;
}

/* Configured addresses count whether or not we know who lives there; a node
 * that nobody configured counts while it is with us. */
uint32_t mesh_count(const struct mesh *m)
{
	uint32_t n = 1;

	for (uint32_t t = 0; t < m->ntargets; t++)
		n += !m->target[t].self;
	for (uint8_t i = 1; i < CLUSTER_MAX; i++)
		n += m->ms.m[i].node && member_hears(&m->ms, i) &&
		     !has_target(m, m->ms.m[i].node);
	return n;
}

bool mesh_majority(const struct mesh *m)
{
	return 2 * member_alive(&m->ms) > mesh_count(m);
}

uint8_t mesh_link(const struct mesh *m, uint64_t node)
{
	uint8_t i = member_find(&m->ms, node);

	return i == MEMBER_NONE ? MESH_NONE : m->link_of[i];
}

static void view_member(const struct mesh *m, uint8_t i, uint64_t now,
			struct cluster_member_view *v)
{
	const struct member *b = &m->ms.m[i];
	const struct repl_peer *p = &m->repl.p[i];

	v->node = b->node;
	memcpy(v->name, b->name, sizeof(v->name));
	v->addr = b->addr;
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
}

static void view_self(const struct mesh *m, uint64_t now,
		      struct cluster_member_view *v)
{
	const struct store_stats *st = store_stats(m->store);

	view_member(m, MEMBER_SELF, now, v);
	v->self = true;
	memcpy(v->name, m->cf.name, sizeof(v->name));
	v->addr = m->cf.addr;
	v->state = m->state;
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

void mesh_view(const struct mesh *m, uint64_t now, struct cluster_view *v)
{
	memset(v, 0, sizeof(*v));
	v->node = m->cf.node;
	v->incarnation = m->cf.incarnation;
	memcpy(v->name, m->cf.name, sizeof(v->name));
	v->addr = m->cf.addr;
	v->state = m->state;
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
	view_self(m, now, &v->m[v->n++]);
	for (uint8_t i = 1; i < CLUSTER_MAX; i++)
		if (m->ms.m[i].node)
			view_member(m, i, now, &v->m[v->n++]);
	for (uint32_t t = 0; t < m->ntargets && v->n < CLUSTER_MAX; t++) {
		const struct target *tg = &m->target[t];

		if (tg->self || (tg->node && member_find(&m->ms, tg->node) !=
				 MEMBER_NONE))
			continue;
		v->m[v->n].addr = tg->addr;
		v->m[v->n].verdict = "unknown";
		v->m[v->n++].health = CLUSTER_UNKNOWN;
	}
}
