/* mesh_recv.c - Pure. What a frame does. docs/cluster-protocol.md 5 to 7. */
#include <errno.h>
#include "cluster/mesh_priv.h"

#define SKEW_WARN 500        /* clocks apart [ms] */

static void refuse(struct mesh *m, uint8_t l, const char *why, uint16_t code,
		   uint64_t now)
{
	if (log_allow(&m->refuse_log, 5, now))
		log_warn("event=cluster_refused link=%u reason=%s", l, why);
	mesh_close(m, l, why, 0, code, now);
}

void mesh_malformed(struct mesh *m, uint8_t l, uint64_t now)
{
	m->st.bad_frames++;
	refuse(m, l, "malformed", WIRE_E_MALFORMED, now);
}

void mesh_garbage(struct mesh *m, uint8_t l, int err, uint64_t now)
{
	m->st.bad_frames++;
	refuse(m, l, err == ENOSPC ? "frame_too_long" : "not_a_frame",
	       WIRE_E_MALFORMED, now);
}

/* --- HELLO --------------------------------------------------------------------- */

/* @return reason to refuse, or NULL */
static const char *hello_wrong(const struct mesh *m,
			       const struct wire_hello *h, uint16_t *code)
{
	*code = WIRE_E_VERSION;
	if (h->min > m->cf.max_version || h->max < WIRE_VERSION_MIN)
		return "version";
	*code = WIRE_E_CLUSTER;
	if (memcmp(h->cluster, m->cf.cluster, sizeof(h->cluster)))
		return "other_cluster";
	*code = WIRE_E_SETTINGS;
	if (h->max_expires != m->cf.max_expires)
		return "max_expires_differs";
	if (h->canon != WIRE_CANON)
		return "canonical_form_differs";
	*code = WIRE_E_IDENTITY;
	if (h->role != WIRE_NODE)
		return "role";
	return NULL;
}

/* A certificate speaks for one name, and a linked member's id for that member.
 * @return the link is refused */
static bool impostor(struct mesh *m, uint8_t l, const struct wire_hello *h,
		     uint64_t now)
{
	const char *name = m->link[l].name, *why = NULL;
	uint8_t i = member_find(&m->ms, h->node);

	if (!*name)
		return false;
	if (strcmp(name, h->name))
		why = "name_not_of_certificate";
	else if (i != MEMBER_NONE && i != MEMBER_SELF &&
		 m->link_of[i] != MESH_NONE && strcmp(m->ms.m[i].name, name))
		why = "node_id_of_another_member";
	if (!why)
		return false;
	m->st.refused++;
	if (log_allow(&m->refuse_log, 5, now))
		log_warn("event=cluster_refused link=%u reason=%s "
			 "certificate=%s says=%s node=%016llx", l, why, name,
			 log_esc(sl_cstr(h->name)),
			 (unsigned long long)h->node);
	mesh_close(m, l, why, 0, WIRE_E_IDENTITY, now);
	return true;
}

/* Our own id: either we dialed ourselves, or two nodes share an id */
static void own_id(struct mesh *m, uint8_t l, const struct wire_hello *h,
		   uint64_t now)
{
	uint8_t t = m->link[l].target;

	if (h->incarnation != m->cf.incarnation) {
		refuse(m, l, "same_node_id", WIRE_E_IDENTITY, now);
		return;
	}
	if (t != MESH_NONE)
		m->target[t].self = true;
	mesh_close(m, l, "self", WIRE_BYE_DUPLICATE, 0, now);
}

/* Of two links between the same lives of two nodes the one stays that the
 * smaller id dialed; in the same direction the newer one. */
static bool keep_old(const struct mesh *m, uint8_t old, uint8_t new,
		     const struct wire_hello *h)
{
	bool old_mine = m->link[old].target != MESH_NONE;
	bool new_mine = m->link[new].target != MESH_NONE;

	if (h->incarnation != m->ms.m[m->link[old].member].incarnation)
		return false;
	if (old_mine == new_mine)
		return false;
	return old_mine == (m->cf.node < h->node);
}

static void learn(struct mesh *m, uint8_t l, uint8_t i,
		  const struct wire_hello *h)
{
	struct member *b = &m->ms.m[i];
	uint8_t t = m->link[l].target;

	memcpy(b->name, h->name, sizeof(b->name));
	if (h->addr.af)
		b->addr = h->addr;
	else if (t != MESH_NONE)
		b->addr = m->target[t].addr;
	if (t != MESH_NONE)
		m->target[t].node = h->node;
	for (uint32_t k = 0; k < m->ntargets; k++)
		if (addr_eq(&m->target[k].addr, &b->addr))
			m->target[k].node = h->node;
	if (b->incarnation != h->incarnation) {
		repl_reset(&m->repl, i);
		sync_forget(m->sync, i);
		b->incarnation = h->incarnation;
	}
}

static void recv_hello(struct mesh *m, uint8_t l, struct sl p, uint64_t now)
{
	struct wire_hello h;
	const char *why;
	uint16_t code;
	uint8_t i, old;

	if (wire_hello_decode(&h, p)) {
		mesh_malformed(m, l, now);
		return;
	}
	why = hello_wrong(m, &h, &code);
	if (why) {
		m->st.refused++;
		refuse(m, l, why, code, now);
		return;
	}
	if (impostor(m, l, &h, now))
		return;
	if (h.node == m->cf.node) {
		own_id(m, l, &h, now);
		return;
	}
	if (mesh_hello_removed(m, &h, now)) {
		mesh_close_removed(m, l, h.node, now);
		return;
	}
	i = member_add(&m->ms, h.node, now);
	if (i == MEMBER_NONE) {
		m->st.refused++;
		refuse(m, l, "too_many_members", WIRE_E_IDENTITY, now);
		return;
	}
	old = m->link_of[i];
	if (old != MESH_NONE && keep_old(m, old, l, &h)) {
		if (m->link[l].target != MESH_NONE)
			m->target[m->link[l].target].node = h.node;
		m->st.duplicates++;
		mesh_close(m, l, "duplicate", WIRE_BYE_DUPLICATE, 0, now);
		return;
	}
	if (old != MESH_NONE && h.incarnation == m->ms.m[i].incarnation) {
		m->st.duplicates++;
		mesh_close(m, old, "replaced", WIRE_BYE_DUPLICATE, 0, now);
	} else if (old != MESH_NONE) {
		/* A restart that the old link did not show: its last life is
		 * lost, and may have told its last changes to us alone */
		mesh_close(m, old, "peer_restarted", 0, 0, now);
	}
	learn(m, l, i, &h);
	m->link_of[i] = l;
	m->link[l].member = i;
	m->link[l].version = h.max < m->cf.max_version ? h.max :
		m->cf.max_version;
	m->link[l].seq = store_seq(m->store);
	m->link[l].hints = h.features & WIRE_F_HINTS;
	m->link[l].hinted = m->hints.seq;    /* all is said again */
	m->link[l].state = LINK_ACK;
	m->link[l].want |= WANT_HELLO_ACK;
}

static void recv_hello_ack(struct mesh *m, uint8_t l, struct sl p,
			   uint64_t now)
{
	struct link *k = &m->link[l];
	struct wire_hello_ack a;

	if (wire_hello_ack_decode(&a, p) || a.version != k->version ||
	    a.incarnation != m->cf.incarnation ||
	    a.have > store_seq(m->store)) {
		mesh_malformed(m, l, now);
		return;
	}
	k->state = LINK_UP;
	k->want |= WANT_BEAT | (k->version >= 2 ? WANT_MEMBERS : 0);
	m->st.links_now++;
	m->st.links_made++;
	if (k->target != MESH_NONE)
		m->target[k->target].backoff = 100;
	member_linked(&m->ms, k->member, now);
	repl_up(&m->repl, k->member, &(struct repl_start){ k->version < 2,
		a.have, k->seq, a.seq });
	if (m->repl.p[k->member].ack_to)
		m->acked_rose = true;
	mesh_sync_linked(m, k->member);
	mesh_look_synced(m, now);
}

/* --- the rest --------------------------------------------------------------------- */

static void warn_digests(struct mesh *m, uint8_t i)
{
	const struct member *b = &m->ms.m[i];
	bool d[2] = { b->settings && m->settings && b->settings != m->settings,
		      b->users && m->users && b->users != m->users };
	static const char *const what[2] = { "settings", "users_file" };

	for (int k = 0; k < 2; k++) {
		if (d[k] && !m->differ[i][k])
			log_warn("event=cluster_differs what=%s member=%s",
				 what[k], b->name);
		if (d[k] != m->differ[i][k])
			m->changed = true;
		m->differ[i][k] = d[k];
	}
}

static void recv_heartbeat(struct mesh *m, uint8_t l, struct sl p,
			   uint64_t now, uint64_t wall)
{
	uint8_t i = m->link[l].member;
	struct repl_peer *r = &m->repl.p[i];
	struct wire_heartbeat h;
	int64_t skew;

	if (wire_heartbeat_decode(&h, p) || h.fed > h.seq) {
		mesh_malformed(m, l, now);
		return;
	}
	member_beat(&m->ms, i, &h, wall);
	skew = m->ms.m[i].clock;
	if ((skew > SKEW_WARN || skew < -SKEW_WARN) != m->skewed[i]) {
		m->skewed[i] = !m->skewed[i];
		if (m->skewed[i])
			log_warn("event=clock_skew member=%s ms=%lld",
				 m->ms.m[i].name, (long long)skew);
	}
	warn_digests(m, i);
	if (h.fed > r->have)
		r->have = h.fed;
	repl_heard(&m->repl, i, h.seq, now);
	if (repl_acked(&m->repl, i, h.ack, now))
		m->acked_rose = true;
	mesh_sync_tick(m, now);
}

/* @return 0 or the code to close with */
static uint16_t merge_one(struct mesh *m, uint8_t i, struct sl packed,
			  uint64_t wall)
{
	struct record r;
	bool changed;

	m->st.records_in++;
	if (record_decode(&r, packed))
		return WIRE_E_MALFORMED;
	switch (store_merge(m->store, &r, i, wall, &changed)) {
	case 0:
		m->st.records_new += changed;
		return 0;
	case ENOSPC:
		m->st.records_refused++;    /* a cap: counted, we go on */
		return 0;
	case ERANGE:
		return WIRE_E_CLOCK;
	default:
		return WIRE_E_MEMORY;
	}
}

/* What is sent to it anyway takes the ACK along */
static void owe_ack(struct mesh *m, struct link *k, uint16_t wait,
		    uint64_t now)
{
	if (wait > m->cf.heartbeat)
		wait = (uint16_t)m->cf.heartbeat;
	if (!wait) {
		k->want |= WANT_ACK;
		return;
	}
	if (k->ack_at && k->ack_at <= now + wait)
		return;
	k->ack_at = now + wait;
	if (k->ack_at < m->ack_at)
		m->ack_at = k->ack_at;
}

static void recv_push(struct mesh *m, uint8_t l, struct sl p, uint64_t now,
		      uint64_t wall)
{
	uint8_t i = m->link[l].member;
	struct repl_peer *r = &m->repl.p[i];
	struct wire_push u;
	struct sl packed;
	uint16_t code = 0;

	if (wire_push_decode(&u, p)) {
		mesh_malformed(m, l, now);
		return;
	}
	if (u.prev > r->have) {
		refuse(m, l, "gap", WIRE_E_GAP, now);
		return;
	}
	while (!code && wire_push_next(&u, &packed))
		code = merge_one(m, i, packed, wall);
	if (code == WIRE_E_MALFORMED) {
		mesh_malformed(m, l, now);
		return;
	}
	if (code) {
		refuse(m, l, code == WIRE_E_CLOCK ? "stamp_too_far_ahead" :
		       "no_memory", code, now);
		return;
	}
	if (u.last > r->have)
		r->have = u.last;
	repl_heard(&m->repl, i, 0, now);
	owe_ack(m, &m->link[l], u.wait, now);
	if (!m->synced)
		mesh_sync_tick(m, now);
}

static void recv_ack(struct mesh *m, uint8_t l, struct sl p, uint64_t now)
{
	struct wire_ack a;

	if (wire_ack_decode(&a, p)) {
		mesh_malformed(m, l, now);
		return;
	}
	if (repl_acked(&m->repl, m->link[l].member, a.seq, now))
		m->acked_rose = true;
}

static void recv_bye(struct mesh *m, uint8_t l, struct sl p, uint64_t now)
{
	uint8_t i = m->link[l].member;
	struct wire_bye y;

	if (wire_bye_decode(&y, p)) {
		mesh_malformed(m, l, now);
		return;
	}
	if (y.reason == WIRE_BYE_LEAVE && i != MEMBER_NONE &&
	    m->link_of[i] == l)
		member_left(&m->ms, i, now);
	mesh_close(m, l, y.reason == WIRE_BYE_LEAVE ? "peer_leaves" :
		   "peer_has_another_link",
		   y.reason == WIRE_BYE_DUPLICATE ? WIRE_BYE_DUPLICATE : 0, 0,
		   now);
}

static void recv_error(struct mesh *m, uint8_t l, struct sl p, uint64_t now)
{
	struct wire_error e;

	if (wire_error_decode(&e, p)) {
		mesh_malformed(m, l, now);
		return;
	}
	/* that we are out is no news every time somebody asks */
	if (!(m->removed && e.turn.n) && log_allow(&m->refuse_log, 5, now))
		log_warn("event=cluster_error link=%u code=%u text=%s", l,
			 e.code, log_esc(e.text));
	m->st.refused++;
	mesh_close(m, l, "peer_refuses", 0, 0, now);
	if (e.turn.n && roster_join_turn(&m->roster, m->cf.node, &e.turn))
		mesh_roster_changed(m, now);
}

static void recv_sync(struct mesh *m, uint8_t l, uint8_t type, struct sl p,
		      uint64_t now, uint64_t wall)
{
	int err = 0;

	(void)mesh_sync_recv(m, l, type, p, now, wall, &err);
	switch (err) {
	case 0:
		return;
	case ERANGE:
		refuse(m, l, "stamp_too_far_ahead", WIRE_E_CLOCK, now);
		return;
	case ENOMEM:
		refuse(m, l, "no_memory", WIRE_E_MEMORY, now);
		return;
	default:
		mesh_malformed(m, l, now);
	}
}

/* May this type come in this state? */
static bool in_order(enum link_state s, uint8_t type)
{
	if (type == WIRE_BYE || type == WIRE_ERROR)
		return true;
	switch (s) {
	case LINK_HELLO:
		return type == WIRE_HELLO;
	case LINK_ACK:
		return type == WIRE_HELLO_ACK;
	case LINK_UP:
		return type != WIRE_HELLO && type != WIRE_HELLO_ACK;
	case LINK_FREE:
	case LINK_CLOSING:
		break;
	}
	return false;
}

void mesh_recv(struct mesh *m, uint8_t l, const struct wire_head *h,
	       struct sl p, uint64_t now, uint64_t wall)
{
	struct link *k = &m->link[l];

	if (k->state == LINK_FREE || k->state == LINK_CLOSING)
		return;
	m->st.frames_in++;
	if (h->version != WIRE_FRAME) {
		refuse(m, l, "frame_version", WIRE_E_VERSION, now);
		return;
	}
	if (!in_order(k->state, h->type)) {
		m->st.bad_frames++;
		refuse(m, l, "out_of_order", WIRE_E_ORDER, now);
		return;
	}
	if (k->state == LINK_UP)
		member_heard(&m->ms, k->member, now);
	switch ((enum wire_type)h->type) {
	case WIRE_HELLO:
		recv_hello(m, l, p, now);
		return;
	case WIRE_HELLO_ACK:
		recv_hello_ack(m, l, p, now);
		return;
	case WIRE_HEARTBEAT:
		recv_heartbeat(m, l, p, now, wall);
		return;
	case WIRE_BYE:
		recv_bye(m, l, p, now);
		return;
	case WIRE_ERROR:
		recv_error(m, l, p, now);
		return;
	case WIRE_MEMBERS:
		mesh_recv_members(m, l, p, now);
		return;
	case WIRE_PUSH:
		recv_push(m, l, p, now, wall);
		return;
	case WIRE_ACK:
		recv_ack(m, l, p, now);
		return;
	case WIRE_ASK:
	case WIRE_DIGEST:
	case WIRE_WANT:
	case WIRE_DATA:
	case WIRE_DONE:
		if (k->version < 2)
			break;
		recv_sync(m, l, h->type, p, now, wall);
		return;
	case WIRE_HINT:
		if (m->cf.max_version < 2 || m->cf.no_hints ||
		    hints_recv(&m->hints, p, now))
			break;
		return;
	}
	mesh_malformed(m, l, now);       /* a type that this version hasn't */
}
