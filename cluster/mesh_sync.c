/* mesh_sync.c - Pure. When this node compares itself with others, and the frames
 * of that. docs/cluster-protocol.md 6.3 to 6.6. */
#include <errno.h>
#include "cluster/mesh_priv.h"

/* How long a joiner waits for a donor that is READY, when it hears only others
 * that are joining themselves [ms] */
#define DONOR_WAIT 1000

static bool modern(const struct mesh *m, uint8_t i)
{
	uint8_t l = m->link_of[i];

	return l != MESH_NONE && m->link[l].state == LINK_UP &&
	       m->link[l].version >= 2;
}

void mesh_sync_linked(struct mesh *m, uint8_t i)
{
	if (!modern(m, i))
		return;
	sync_up(m->sync, i);
	if (!m->repl.p[i].whole)
		sync_due(m->sync, i, SYNC_JOIN);
	else if (!m->cf.no_repair)
		sync_due(m->sync, i, SYNC_HEAL);
}

void mesh_sync_lost(struct mesh *m, uint8_t i)
{
	if (modern(m, i) && !m->cf.no_repair)
		sync_due(m->sync, i, SYNC_LOSS);
}

/* Is somebody to be expected who is a better donor than one that joins? */
static bool wait_for_ready(const struct mesh *m, uint64_t now)
{
	if (m->synced || now - m->started >= DONOR_WAIT)
		return false;
	for (uint32_t t = 0; t < m->ntargets; t++)
		if (!m->target[t].self && !mesh_target_linked(m, t))
			return true;
	return false;
}

static void look_able(struct mesh *m, uint8_t i, uint64_t now)
{
	const struct member *b = &m->ms.m[i];
	const struct repl_peer *p = &m->repl.p[i];
	bool ready = b->state == CLUSTER_READY;

	/* What the live feed brings need not be fetched */
	sync_able(m->sync, i, p->have >= p->want && b->beaten &&
		  (ready || !wait_for_ready(m, now)), ready);
}

/* Now and then with somebody, whatever happened or did not */
static void check_one(struct mesh *m, uint64_t now)
{
	uint8_t n = 0, pick = 0;

	m->check_at = now + m->cf.check_every / 2 +
		rng_below(&m->rng, m->cf.check_every + 1);
	for (uint8_t i = 1; i < CLUSTER_MAX; i++)
		if (modern(m, i) && rng_below(&m->rng, ++n) == 0)
			pick = i;
	if (pick && m->synced && !m->cf.no_repair)
		sync_due(m->sync, pick, SYNC_CHECK);
}

static void ended(struct mesh *m, const struct sync_end *e)
{
	const char *name = m->ms.m[e->peer].name;

	if (e->why == SYNC_JOIN || e->changed)
		log_info("event=sync why=%s member=%s ok=%d changed=%llu "
			 "after=%llums", sync_why_name(e->why),
			 name[0] ? name : "?", e->ok,
			 (unsigned long long)e->changed,
			 (unsigned long long)e->took);
	if (e->ok && e->why != SYNC_VERIFY) {
		m->repl.p[e->peer].whole = true;
		m->link[m->link_of[e->peer]].want |= WANT_ACK;
	}
}

void mesh_sync_tick(struct mesh *m, uint64_t now)
{
	struct sync_end e;

	for (uint8_t i = 1; i < CLUSTER_MAX; i++)
		if (modern(m, i))
			look_able(m, i, now);
	if (now >= m->check_at)
		check_one(m, now);
	sync_tick(m->sync, now);
	while (sync_poll(m->sync, &e)) {
		ended(m, &e);
		sync_tick(m->sync, now);        /* the next one */
	}
	mesh_look_synced(m, now);
}

uint64_t mesh_sync_next(const struct mesh *m)
{
	uint64_t next = sync_next(m->sync);

	return next < m->check_at ? next : m->check_at;
}

/* @return false: not a frame of rounds */
bool mesh_sync_recv(struct mesh *m, uint8_t l, uint8_t type, struct sl p,
		    uint64_t now, uint64_t wall, int *err)
{
	uint8_t i = m->link[l].member;

	switch ((enum wire_type)type) {
	case WIRE_ASK:
		*err = sync_ask(m->sync, i, p);
		return true;
	case WIRE_WANT:
		*err = sync_want(m->sync, i, p);
		return true;
	case WIRE_DIGEST:
		*err = sync_digest(m->sync, i, p, now);
		break;
	case WIRE_DATA:
		*err = sync_data(m->sync, i, m->ms.m[i].node, p, now, wall);
		break;
	case WIRE_DONE:
		*err = sync_done(m->sync, i, m->ms.m[i].node, p, now, wall);
		break;
	case WIRE_HELLO:
	case WIRE_HELLO_ACK:
	case WIRE_HEARTBEAT:
	case WIRE_BYE:
	case WIRE_ERROR:
	case WIRE_MEMBERS:
	case WIRE_PUSH:
	case WIRE_ACK:
	case WIRE_HINT:
		return false;
	}
	if (!*err)
		mesh_sync_tick(m, now);
	return true;
}

/* --- verification ---------------------------------------------------------------- */

void mesh_verify(struct mesh *m, uint64_t now)
{
	m->verified_at = now;
	sync_verify(m->sync, now);
	mesh_sync_tick(m, now);
}

bool mesh_verifying(const struct mesh *m)
{
	return sync_verifying(m->sync);
}

const struct sync *mesh_sync(const struct mesh *m)
{
	return m->sync;
}
