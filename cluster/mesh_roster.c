/* mesh_roster.c - Pure. Who belongs to us: whom to dial, whom to count, whom to
 * refuse. docs/cluster-protocol.md 5.6 and 7. */
#include <errno.h>
#include "cluster/mesh_priv.h"

#define REFUTE 10000         /* [ms] between corrections of our own entry */

/* --- whom to dial ------------------------------------------------------------- */

/* The place of an address, a new one if need be; NULL = no room */
static struct target *target_at(struct mesh *m, const struct addr *a,
				uint64_t now)
{
	struct target *unused = NULL;

	for (uint32_t i = 0; i < m->ntargets; i++) {
		struct target *t = &m->target[i];

		if (addr_eq(&t->addr, a))
			return t;
		if (!t->conf && !t->join && !t->member && !t->out &&
		    !t->dialing)
			unused = t;
	}
	if (!unused && m->ntargets < MESH_TARGETS)
		unused = &m->target[m->ntargets++];
	if (unused)
		*unused = (struct target){ .addr = *a, .next = now,
					   .backoff = MESH_BACKOFF };
	return unused;
}

static bool at_addr(const struct roster_entry *e, const struct addr *a)
{
	return e->addr.af && addr_eq(&e->addr, a);
}

/* Nobody but removed nodes is known at this address */
static bool addr_gone(const struct mesh *m, const struct addr *a)
{
	bool gone = false;

	for (uint32_t i = 0; i < m->roster.n; i++) {
		const struct roster_entry *e = &m->roster.e[i];

		if (at_addr(e, a) && roster_in(e))
			return false;
		gone |= at_addr(e, a);
	}
	return gone;
}

/* The place of e among those removed, newest first */
static uint32_t age_of(const struct mesh *m, const struct roster_entry *e)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->roster.n; i++) {
		const struct roster_entry *o = &m->roster.e[i];

		n += !roster_in(o) && (o->turn.at > e->turn.at ||
				       (o->turn.at == e->turn.at &&
					o->node > e->node));
	}
	return n;
}

/* Two sides of a cut may have taken each other out. Neither would dial the
 * other ever again; so the last ones removed are dialed, seldom: the turns in
 * HELLO and ERROR say who is in. */
static void target_out(struct mesh *m, uint64_t now)
{
	for (uint32_t i = 0; i < m->roster.n; i++) {
		const struct roster_entry *e = &m->roster.e[i];
		struct target *t;

		if (roster_in(e) || e->node == m->cf.node || !e->addr.port ||
		    addr_eq(&e->addr, &m->cf.addr) || !addr_gone(m, &e->addr)
		    || age_of(m, e) >= MESH_OUT)
			continue;
		t = target_at(m, &e->addr, now + MESH_GONE);
		if (t)
			t->out = true;
	}
}

static void retarget(struct mesh *m, uint64_t now)
{
	for (uint32_t i = 0; i < m->ntargets; i++)
		m->target[i].member = m->target[i].out = false;
	for (uint32_t i = 0; i < m->roster.n; i++) {
		const struct roster_entry *e = &m->roster.e[i];
		struct target *t;

		if (!roster_in(e) || e->node == m->cf.node || !e->addr.af ||
		    !e->addr.port || addr_eq(&e->addr, &m->cf.addr))
			continue;
		t = target_at(m, &e->addr, now);
		if (!t)
			continue;
		t->member = true;
		t->node = e->node;
		if (t->next > now + MESH_HELLO_MAX)    /* it was out */
			t->next = now;
	}
	target_out(m, now);
	for (uint32_t i = 0; i < m->ntargets; i++) {
		struct target *t = &m->target[i];
		const struct roster_entry *e = roster_find(&m->roster,
							   t->node);

		t->gone = e ? !roster_in(e) : addr_gone(m, &t->addr);
	}
}

bool mesh_wants(const struct mesh *m, const struct target *t)
{
	if (m->removed || t->self)
		return false;
	if (t->member || (t->conf && !t->gone))
		return true;
	return t->join && member_alive(&m->ms) == 1;
}

bool mesh_dials(const struct mesh *m, const struct target *t)
{
	return mesh_wants(m, t) || (t->out && !m->removed && !t->self);
}

/* --- whom to count --------------------------------------------------------------- */

static bool heard(const struct mesh *m, uint64_t node)
{
	uint8_t i = member_find(&m->ms, node);

	return i != MEMBER_NONE && member_hears(&m->ms, i);
}

/* Of several members with one address only one can live there: one that is
 * heard, else the last to join. The others lost their memory and came back
 * under a new id. */
static bool replaced(const struct mesh *m, const struct roster_entry *e)
{
	if (heard(m, e->node))
		return false;
	for (uint32_t i = 0; i < m->roster.n; i++) {
		const struct roster_entry *o = &m->roster.e[i];

		if (o == e || !roster_in(o) || !at_addr(o, &e->addr))
			continue;
		if (heard(m, o->node) || o->turn.at > e->turn.at ||
		    (o->turn.at == e->turn.at && o->node > e->node))
			return true;
	}
	return false;
}

/* A configured address whose node the roster does not count */
static bool counts_alone(const struct mesh *m, const struct target *t)
{
	return t->conf && !t->self && !t->gone && !t->member &&
	       !roster_find(&m->roster, t->node);
}

static bool has_target(const struct mesh *m, uint64_t node)
{
	for (uint32_t t = 0; t < m->ntargets; t++)
		if (m->target[t].node == node && counts_alone(m,
							      &m->target[t]))
			return true;
	return false;
}

/* Members; configured addresses that nobody is known at, or a node that says
 * nothing of itself (version 1); such a node that nobody configured while it
 * is heard. */
uint32_t mesh_count(const struct mesh *m)
{
	uint32_t n = 1;

	for (uint32_t i = 0; i < m->roster.n; i++) {
		const struct roster_entry *e = &m->roster.e[i];

		n += roster_in(e) && e->node != m->cf.node && !replaced(m, e);
	}
	for (uint32_t t = 0; t < m->ntargets; t++)
		n += counts_alone(m, &m->target[t]);
	for (uint8_t i = 1; i < CLUSTER_MAX; i++) {
		uint64_t node = m->ms.m[i].node;

		n += node && member_hears(&m->ms, i) &&
		     !roster_find(&m->roster, node) && !has_target(m, node);
	}
	return n;
}

bool mesh_majority(const struct mesh *m)
{
	return !m->removed && 2 * member_alive(&m->ms) > mesh_count(m);
}

/* --- changes --------------------------------------------------------------------- */

static void log_turns(struct mesh *m)
{
	for (uint32_t i = 0; i < m->roster.n; i++) {
		struct roster_entry *e = &m->roster.e[i];

		if (e->told == e->turn.n)
			continue;
		e->told = e->turn.n;
		log_info("event=members name=%s node=%016llx turn=%u what=%s "
			 "by=%016llx", e->name[0] ? e->name : "?",
			 (unsigned long long)e->node, e->turn.n,
			 !roster_in(e) ? "removed" : e->turn.n == 1 ?
			 "joined" : "admitted",
			 (unsigned long long)e->turn.by);
	}
}

/* The only writer of `removed` */
static void look_at_self(struct mesh *m, uint64_t now)
{
	const struct roster_entry *own = roster_find(&m->roster, m->cf.node);
	bool removed = own && !roster_in(own);

	if (removed == m->removed)
		return;
	m->removed = removed;
	/* What it missed meanwhile it gets as a joining node does */
	m->synced = false;
	m->started = now;
	if (removed)
		log_warn("event=removed by=%016llx text=\"not a member any "
			 "more\" hint=\"edgewise node admit %016llx at a "
			 "member, or a new state_dir\"",
			 (unsigned long long)own->turn.by,
			 (unsigned long long)m->cf.node);
	else
		log_warn("event=admitted text=\"a member again\"");
}

void mesh_roster_changed(struct mesh *m, uint64_t now)
{
	log_turns(m);
	look_at_self(m, now);
	retarget(m, now);
	m->st.members = roster_members(&m->roster);
	m->roster_new = m->changed = true;
	for (uint8_t l = 0; l < MESH_LINKS; l++)
		if (m->link[l].state == LINK_UP && m->link[l].version >= 2)
			m->link[l].want |= WANT_MEMBERS;
	for (uint8_t i = 1; i < CLUSTER_MAX; i++) {
		const struct roster_entry *e = roster_find(&m->roster,
							   m->ms.m[i].node);

		if (!e || roster_in(e))
			continue;
		member_left(&m->ms, i, now);
		if (m->link_of[i] != MESH_NONE)
			mesh_close_removed(m, m->link_of[i], e->node, now);
	}
}

void mesh_roster_start(struct mesh *m, uint64_t now, uint64_t wall)
{
	const struct mesh_conf *cf = &m->cf;

	if (cf->roster)
		m->roster = *cf->roster;
	m->cf.roster = NULL;           /* copied: not ours to keep */
	for (uint32_t i = 0; i < m->roster.n; i++)
		m->roster.e[i].told = m->roster.e[i].turn.n;
	for (uint32_t i = 0; i < cf->npeers + cf->njoin; i++) {
		bool conf = i < cf->npeers;
		const struct addr *a = conf ? &cf->peers[i] :
				       &cf->join[i - cf->npeers];
		struct target *t = addr_eq(a, &cf->addr) ? NULL :
				   target_at(m, a, now);

		if (t && conf)
			t->conf = true;
		else if (t)
			t->join = true;
	}
	(void)roster_self(&m->roster, cf->node, cf->name, &cf->addr, &cf->sip,
			  wall);
	mesh_roster_changed(m, now);
}

int mesh_turn(struct mesh *m, uint64_t node, bool in, bool force,
	      uint64_t now, uint64_t wall)
{
	uint8_t i = member_find(&m->ms, node);
	enum cluster_health h = i == MEMBER_NONE ? CLUSTER_UNKNOWN :
				m->ms.m[i].health;
	int err;

	if (!in && !force && node != m->cf.node &&
	    (h == CLUSTER_ALIVE || h == CLUSTER_SUSPECT))
		return EBUSY;
	err = roster_turn(&m->roster, node, in, m->cf.node, wall);
	if (!err)
		mesh_roster_changed(m, now);
	return err;
}

/* --- links ------------------------------------------------------------------------ */

bool mesh_hello_removed(struct mesh *m, const struct wire_hello *h,
			uint64_t now)
{
	const struct roster_entry *e = roster_find(&m->roster, h->node);

	/* A new node tells of itself with MEMBERS; here only who was removed
	 * or admitted since is news */
	if (h->turn.n && (e || !(h->turn.n & 1)) &&
	    roster_join_turn(&m->roster, h->node, &h->turn))
		mesh_roster_changed(m, now);
	e = roster_find(&m->roster, h->node);
	return e && !roster_in(e);
}

void mesh_close_removed(struct mesh *m, uint8_t l, uint64_t node,
			uint64_t now)
{
	const struct roster_entry *e = roster_find(&m->roster, node);

	m->st.removed++;
	if (e)
		m->link[l].turn = e->turn;
	mesh_close(m, l, "removed", 0, WIRE_E_IDENTITY, now);
}

void mesh_recv_members(struct mesh *m, uint8_t l, struct sl p, uint64_t now)
{
	struct cur c;

	if (m->link[l].version < 2 || wire_members_decode(&c, p)) {
		mesh_malformed(m, l, now);
		return;
	}
	if (roster_take(&m->roster, &c))
		mesh_roster_changed(m, now);
}

/* --- time -------------------------------------------------------------------------- */

/* Take out those who had our address before us. Not at once: two nodes may have
 * changed their addresses while both were down. */
static bool take_over(struct mesh *m, uint64_t wall)
{
	bool changed = false;

	for (uint32_t i = 0; i < m->roster.n; i++) {
		const struct roster_entry *e = &m->roster.e[i];

		if (e->node == m->cf.node || !roster_in(e) ||
		    !at_addr(e, &m->cf.addr) || heard(m, e->node))
			continue;
		log_warn("event=members name=%s node=%016llx "
			 "reason=\"has our address\"", e->name,
			 (unsigned long long)e->node);
		changed |= !roster_turn(&m->roster, e->node, false,
					m->cf.node, wall);
	}
	return changed;
}

void mesh_roster_tick(struct mesh *m, uint64_t now, uint64_t wall)
{
	uint64_t age = now - m->started;
	bool changed = false;

	/* Somebody knows another info of us: ours, with a later version. Not at
	 * once every time: two nodes with a copied identity would never rest. */
	if (now >= m->refute_at &&
	    roster_self(&m->roster, m->cf.node, m->cf.name, &m->cf.addr,
			&m->cf.sip, wall)) {
		changed = true;
		m->refute_at = now + REFUTE;
		log_warn("event=members reason=\"another info of us was "
			 "known\" hint=\"if this comes again: is our "
			 "state_dir copied to another node?\"");
	}

	if (!m->removed && age >= MESH_REPLACE)
		changed |= take_over(m, wall);
	if (changed)
		mesh_roster_changed(m, now);
	if (m->cf.njoin && !m->synced && !m->nobody_told &&
	    age >= m->cf.dead && member_alive(&m->ms) == 1) {
		m->nobody_told = true;
		log_warn("event=join reason=\"nobody answers at "
			 "cluster.join\"");
	}
	for (uint8_t l = 0; m->removed && l < MESH_LINKS; l++)
		if (m->link[l].state == LINK_UP &&
		    now - m->link[l].since >= 2ull * m->cf.heartbeat)
			mesh_close(m, l, "removed", WIRE_BYE_LEAVE, 0, now);
}

/* --- questions ----------------------------------------------------------------------- */

const struct roster *mesh_roster(const struct mesh *m)
{
	return &m->roster;
}

bool mesh_removed(const struct mesh *m)
{
	return m->removed;
}

bool mesh_held(const struct mesh *m, uint64_t seq)
{
	for (uint8_t i = 1; i < CLUSTER_MAX; i++)
		if (m->repl.p[i].up && member_hears(&m->ms, i) &&
		    m->ms.m[i].state == CLUSTER_READY &&
		    m->ms.m[i].ack >= seq)
			return true;
	return false;
}
