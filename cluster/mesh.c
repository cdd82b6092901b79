/* mesh.c - Pure. Links of one node: life, dialing, time, what is sent.
 * docs/cluster-protocol.md 7. */
#include <errno.h>
#include <stdlib.h>
#include "cluster/mesh_priv.h"

#define BACKOFF_MAX 250     /* [ms] a healed cut is noticed soon */

int mesh_alloc(struct mesh **mp, const struct mesh_conf *cf,
	       struct store *store, uint64_t seed, uint64_t now, uint64_t wall)
{
	struct member_conf mc = { cf->node, cf->heartbeat, cf->dead };
	struct mesh *m;

	if (!cf->node || !cf->incarnation || !cf->heartbeat || !cf->dead ||
	    cf->npeers > CLUSTER_MAX || cf->njoin > CLUSTER_MAX ||
	    cf->max_version > WIRE_VERSION)
		return EINVAL;
	m = calloc(1, sizeof(*m));
	if (!m)
		return ENOMEM;
	m->cf = *cf;
	if (!m->cf.max_version)
		m->cf.max_version = WIRE_VERSION;
	m->store = store;
	m->started = now;
	m->beat_at = now;
	m->sample_at = now;
	m->ack_at = UINT64_MAX;
	if (!m->cf.check_every)
		m->cf.check_every = MESH_CHECK;
	m->check_at = now + m->cf.check_every;
	rng_seed(&m->rng, seed);
	members_init(&m->ms, &mc, now);
	m->ms.m[MEMBER_SELF].incarnation = cf->incarnation;
	repl_init(&m->repl, store, &m->ms);
	m->repl.gap = cf->push_gap;
	if (sync_alloc(&m->sync, store, rng_u64(&m->rng), cf->sync_rate)) {
		free(m);
		return ENOMEM;
	}
	memset(m->link_of, MESH_NONE, sizeof(m->link_of));
	slots_init(&m->slots, cf->node);
	mesh_roster_start(m, now, wall);
	*mp = m;
	return 0;
}

void mesh_free(struct mesh *m)
{
	if (!m)
		return;
	repl_close(&m->repl);
	sync_free(m->sync);
	hints_close(&m->hints);
	free(m);
}

/* --- links ------------------------------------------------------------------- */

static void redial_later(struct mesh *m, uint8_t t, uint64_t now)
{
	struct target *tg = &m->target[t];

	tg->dialing = false;
	m->due -= tg->due;
	tg->due = false;
	tg->next = now + tg->backoff / 2 +
		   rng_below(&m->rng, tg->backoff / 2 + 1);
	if (tg->gone || tg->out)
		tg->next = now + MESH_GONE;
	tg->backoff = tg->backoff * 2 > BACKOFF_MAX ? BACKOFF_MAX :
		      tg->backoff * 2;
}

uint8_t mesh_up(struct mesh *m, uint8_t target, uint64_t now)
{
	for (uint8_t l = 0; l < MESH_LINKS; l++) {
		struct link *k = &m->link[l];

		if (k->state != LINK_FREE)
			continue;
		memset(k, 0, sizeof(*k));
		k->state = LINK_HELLO;
		k->want = WANT_HELLO;
		k->target = target;
		k->member = MEMBER_NONE;
		k->since = now;
		return l;
	}
	if (target != MESH_NONE)
		redial_later(m, target, now);
	return MESH_NONE;
}

void mesh_named(struct mesh *m, uint8_t l, const char *name)
{
	size_t n = strlen(name);

	if (n < sizeof(m->link[l].name))
		memcpy(m->link[l].name, name, n + 1);
}

void mesh_dial_failed(struct mesh *m, uint8_t target, uint64_t now)
{
	redial_later(m, target, now);
}

/* The link no longer counts for its member and its target */
static void detach(struct mesh *m, uint8_t l, bool quiet, uint64_t now)
{
	struct link *k = &m->link[l];

	if (k->target != MESH_NONE)
		redial_later(m, k->target, now);
	if (k->member != MEMBER_NONE && m->link_of[k->member] == l) {
		m->link_of[k->member] = MESH_NONE;
		repl_down(&m->repl, k->member, mesh_window(m), now);
		sync_down(m->sync, k->member, now);
		member_unlinked(&m->ms, k->member, quiet, now);
		/* Whoever knows its address dials again at once */
		for (uint32_t t = 0; t < m->ntargets; t++)
			if (m->target[t].node == m->ms.m[k->member].node &&
			    m->target[t].next > now + MESH_BACKOFF)
				m->target[t].next = now +
					rng_below(&m->rng, MESH_BACKOFF);
		if (k->state == LINK_UP)
			m->st.links_lost += !quiet;
	}
	if (k->state == LINK_UP)
		m->st.links_now--;
	k->member = MEMBER_NONE;
	k->target = MESH_NONE;
}

void mesh_down(struct mesh *m, uint8_t l, uint64_t now)
{
	if (l >= MESH_LINKS || m->link[l].state == LINK_FREE ||
	    m->link[l].state == LINK_CLOSING)
		return;
	detach(m, l, false, now);
	m->link[l].state = LINK_FREE;
}

void mesh_close(struct mesh *m, uint8_t l, const char *why, uint8_t bye,
		uint16_t error, uint64_t now)
{
	struct link *k = &m->link[l];

	if (k->state == LINK_FREE || k->state == LINK_CLOSING)
		return;
	detach(m, l, bye == WIRE_BYE_DUPLICATE, now);
	k->state = LINK_CLOSING;
	m->closing++;
	k->want = 0;
	k->why = why;
	k->bye = bye;
	k->error = error;
}

size_t mesh_limit(const struct mesh *m, uint8_t l)
{
	return m->link[l].state == LINK_HELLO ? WIRE_STRANGER_MAX : WIRE_MAX;
}

/* --- what is sent --------------------------------------------------------------- */

void mesh_gate(struct mesh *m, uint64_t now)
{
	repl_gate(&m->repl, now);
}

bool mesh_want(struct mesh *m, uint8_t l)
{
	const struct link *k = &m->link[l];

	if (k->state == LINK_FREE || k->state == LINK_CLOSING)
		return false;
	return k->want || (k->state == LINK_UP &&
			   (repl_pending(&m->repl, k->member) ||
			    sync_pending(m->sync, k->member) ||
			    (k->hints && k->hinted != m->hints.seq)));
}

static void fill_hello(const struct mesh *m, struct buf *b, uint64_t wall)
{
	struct wire_hello h = { .min = WIRE_VERSION_MIN,
		.max = m->cf.max_version, .role = WIRE_NODE, .node = m->cf.node,
		.incarnation = m->cf.incarnation,
		.max_expires = m->cf.max_expires, .canon = WIRE_CANON,
		.wall = wall };
	const struct roster_entry *own = roster_find(&m->roster, m->cf.node);

	/* the first version takes them for what they are not */
	if (m->cf.max_version >= 2 && !m->cf.no_hints)
		h.features = WIRE_F_HINTS;
	if (own)
		h.turn = own->turn;
	if (!addr_is_any(&m->cf.addr))
		h.addr = m->cf.addr;
	memcpy(h.cluster, m->cf.cluster, sizeof(h.cluster));
	memcpy(h.name, m->cf.name, sizeof(h.name));
	wire_hello_encode(b, &h);
}

static void fill_hello_ack(const struct mesh *m, const struct link *k,
			   struct buf *b)
{
	struct wire_hello_ack a = { .version = k->version,
		.incarnation = m->ms.m[k->member].incarnation,
		.have = repl_have(&m->repl, k->member), .seq = k->seq };

	wire_hello_ack_encode(b, &a);
}

static void fill_beat(struct mesh *m, const struct link *k,
		      struct buf *b, uint64_t wall)
{
	const struct store_stats *st = store_stats(m->store);
	const struct repl_peer *p = &m->repl.p[k->member];
	struct wire_heartbeat h;

	h.beat = m->beat;
	h.state = (uint8_t)(m->removed ? CLUSTER_DRAINING : m->state);
	h.majority = mesh_majority(m);
	h.synced = m->synced;
	h.wall = wall;
	h.settings = m->settings;
	h.users = m->users;
	h.seq = store_seq(m->store);
	h.fed = repl_say(&m->repl, k->member);
	h.ack = p->have;
	h.records = st->records;
	h.contacts = st->contacts;
	h.n = member_rows(&m->ms, h.row);
	wire_heartbeat_encode(b, &h);
}

static void fill_ack(const struct mesh *m, struct link *k, struct buf *b)
{
	struct wire_ack a = { m->repl.p[k->member].have };

	wire_ack_encode(b, &a);
	k->ack_at = 0;
}

static void fill_up(struct mesh *m, struct link *k, uint8_t want,
		    struct buf *b, size_t limit, uint64_t now, uint64_t wall)
{
	size_t from = b->n;

	if (want & WANT_ACK)
		fill_ack(m, k, b);
	if (want & WANT_MEMBERS)
		wire_members_encode(b, &m->roster);
	if (want & WANT_BEAT) {
		fill_beat(m, k, b, wall);
		k->ack_at = 0;             /* it says the same */
	}
	repl_fill(&m->repl, k->member, b, limit, now);
	sync_fill(m->sync, k->member, b, limit, now);
	if (k->hints)
		hints_fill(&m->hints, &k->hinted, b, limit);
	if (k->ack_at && b->n > from)
		fill_ack(m, k, b);
}

void mesh_fill(struct mesh *m, uint8_t l, struct buf *b, size_t limit,
	       uint64_t now, uint64_t wall)
{
	struct link *k = &m->link[l];
	uint8_t want = k->want;

	k->want = 0;
	if (want & WANT_HELLO)
		fill_hello(m, b, wall);
	if (want & WANT_HELLO_ACK)
		fill_hello_ack(m, k, b);
	if (k->state == LINK_UP)
		fill_up(m, k, want, b, limit, now, wall);
	else
		k->want |= want & WANT_BEAT;
	m->st.frames_out += b->n > 0;
}

/* --- time ------------------------------------------------------------------------ */

/* Somebody was lost: what it told us lately may be known to us alone */
static void spread(struct mesh *m, uint64_t now)
{
	if (m->ms.lost)
		m->beat_at = now;      /* the others learn of it at once */
	for (uint8_t i = 1; i < CLUSTER_MAX; i++) {
		bool heard_less = m->ms.unheard[i] != 0;

		m->ms.unheard[i] = 0;
		if (!m->repl.p[i].up ||
		    (!heard_less && !(m->ms.lost & ~(1u << i))))
			continue;
		/* It has, or lacks, what they said last. The old ones are
		 * given it, the others come and ask, as we ask them. */
		repl_rewind(&m->repl, i, mesh_window(m), now);
		m->st.rewinds += m->repl.p[i].old;
		mesh_sync_lost(m, i);
	}
	m->ms.lost = 0;
}

static void tick_ack(struct mesh *m, struct link *k, uint64_t now)
{
	if (k->ack_at && now >= k->ack_at)
		k->want |= WANT_ACK;
	else if (k->ack_at && k->ack_at < m->ack_at)
		m->ack_at = k->ack_at;
}

static void tick_links(struct mesh *m, uint64_t now)
{
	m->ack_at = UINT64_MAX;
	for (uint8_t l = 0; l < MESH_LINKS; l++) {
		struct link *k = &m->link[l];

		switch (k->state) {
		case LINK_FREE:
		case LINK_CLOSING:
			break;
		case LINK_HELLO:
		case LINK_ACK:
			if (now - k->since >= MESH_HELLO_MAX)
				mesh_close(m, l, "hello_timeout", 0, 0, now);
			break;
		case LINK_UP:
			if (member_silent(&m->ms, k->member, now))
				mesh_close(m, l, "silent", 0, 0, now);
			else
				tick_ack(m, k, now);
			break;
		}
	}
}

bool mesh_target_linked(const struct mesh *m, uint32_t t)
{
	uint8_t i = member_find(&m->ms, m->target[t].node);

	return i != MEMBER_NONE && m->link_of[i] != MESH_NONE;
}

static void tick_targets(struct mesh *m, uint64_t now)
{
	for (uint32_t i = 0; i < m->ntargets; i++) {
		struct target *t = &m->target[i];

		if (mesh_dials(m, t) && !t->dialing && now >= t->next &&
		    !mesh_target_linked(m, i))
			t->dialing = t->due = true;
		else
			continue;
		m->due++;
	}
}

void mesh_look_synced(struct mesh *m, uint64_t now)
{
	bool all = true, any = false, asks = false, known;

	if (m->synced || m->removed)
		return;
	for (uint8_t i = 1; i < CLUSTER_MAX; i++) {
		if (!m->repl.p[i].up)
			continue;
		any = true;
		all = all && repl_synced(&m->repl, i) &&
			repl_behind(&m->repl, i, now) < MESH_LAG_MAX;
	}
	for (uint32_t t = 0; t < m->ntargets; t++) {
		if (!mesh_wants(m, &m->target[t]))
			continue;
		asks = true;
		if (!mesh_target_linked(m, t) &&
		    now - m->started < m->cf.dead)
			all = false;
	}
	/* Who was only told whom to ask has nothing before that one answers */
	known = mesh_count(m) > 1 || !m->cf.njoin || !asks;
	if (all && (any || !asks ||
		    (known && now - m->started >= m->cf.dead))) {
		m->synced = true;
		m->changed = true;
	}
}

/* Who is SUSPECT keeps its slots: it is back, or dead, in a moment */
static void look_slots(struct mesh *m, uint64_t now)
{
	struct slots_seen v[CLUSTER_MAX];
	uint32_t n = 1;

	v[0].node = m->cf.node;
	v[0].ready = m->state == CLUSTER_READY && !m->removed;
	for (uint8_t i = 1; i < CLUSTER_MAX; i++) {
		const struct member *b = &m->ms.m[i];

		if (!b->node)
			continue;
		v[n].node = b->node;
		v[n++].ready = b->state == CLUSTER_READY &&
			(b->health == CLUSTER_ALIVE ||
			 b->health == CLUSTER_SUSPECT);
	}
	if (slots_look(&m->slots, v, n, now))
		m->changed = true;
}

void mesh_tick(struct mesh *m, uint64_t now, uint64_t wall)
{
	member_tick(&m->ms, now);
	tick_links(m, now);
	tick_targets(m, now);
	spread(m, now);
	mesh_sync_tick(m, now);
	look_slots(m, now);
	if (now < m->beat_at)
		return;
	m->beat_at = now + m->cf.heartbeat;
	m->beat++;
	/* with a heartbeat, so that nobody wakes up for it alone */
	if (now >= m->sample_at) {
		repl_sample(&m->repl, now);
		m->sample_at = now + mesh_window(m) / 16;
	}
	hints_tick(&m->hints, now);
	mesh_roster_tick(m, now, wall);
	for (uint8_t l = 0; l < MESH_LINKS; l++)
		if (m->link[l].state == LINK_UP)
			m->link[l].want |= WANT_BEAT;
}

uint64_t mesh_next(const struct mesh *m)
{
	uint64_t next = m->beat_at;

	if (m->ms.lost)
		return 0;
	if (m->ack_at < next)
		next = m->ack_at;
	if (repl_next(&m->repl) < next)
		next = repl_next(&m->repl);
	if (mesh_sync_next(m) < next)
		next = mesh_sync_next(m);
	if (member_next(&m->ms) < next)
		next = member_next(&m->ms);
	for (uint32_t i = 0; i < m->ntargets; i++) {
		const struct target *t = &m->target[i];

		if (mesh_dials(m, t) && !t->dialing && t->next < next &&
		    !mesh_target_linked(m, i))
			next = t->next;
	}
	for (uint8_t i = 1; i < CLUSTER_MAX; i++)
		if (m->ms.unheard[i])
			return 0;
	return next;
}

/* --- effects ---------------------------------------------------------------------- */

static void last_words(const struct link *k, struct mesh_out *out)
{
	struct wire_error e = { k->error, sl_cstr(k->why), k->turn };
	struct wire_bye y = { k->bye };
	struct buf b;

	buf_fixed(&b, out->last, sizeof(out->last));
	if (k->error)
		wire_error_encode(&b, &e);
	else if (k->bye)
		wire_bye_encode(&b, &y);
	out->n = b.err ? 0 : b.n;
}

static bool poll_acked(struct mesh *m, struct mesh_out *out)
{
	for (uint8_t i = 1; i < CLUSTER_MAX; i++) {
		struct repl_peer *p = &m->repl.p[i];

		if (!p->ack_to)
			continue;
		out->kind = MESH_ACKED;
		out->from = p->ack_from;
		out->to = p->ack_to;
		p->ack_to = 0;
		return true;
	}
	m->acked_rose = false;
	return false;
}

bool mesh_poll(struct mesh *m, struct mesh_out *out)
{
	for (uint8_t l = 0; m->closing && l < MESH_LINKS; l++) {
		struct link *k = &m->link[l];

		if (k->state != LINK_CLOSING)
			continue;
		out->kind = MESH_CLOSE;
		out->link = l;
		out->why = k->why;
		last_words(k, out);
		k->state = LINK_FREE;
		m->closing--;
		return true;
	}
	for (uint8_t i = 0; m->due && i < m->ntargets; i++) {
		struct target *t = &m->target[i];

		if (!t->due)
			continue;
		t->due = false;
		m->due--;
		out->kind = MESH_DIAL;
		out->target = i;
		out->addr = t->addr;
		return true;
	}
	if (m->acked_rose && poll_acked(m, out))
		return true;
	if (m->roster_new) {
		m->roster_new = false;
		out->kind = MESH_ROSTER;
		return true;
	}
	if (m->changed || m->ms.changed) {
		m->changed = m->ms.changed = false;
		out->kind = MESH_CHANGED;
		return true;
	}
	return false;
}

void mesh_leave(struct mesh *m, uint64_t now)
{
	for (uint8_t l = 0; l < MESH_LINKS; l++)
		mesh_close(m, l, "leaving", WIRE_BYE_LEAVE, 0, now);
}
