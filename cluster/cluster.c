/* cluster.c - Shell. Gives the mesh its streams, its timer and its clocks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clk.h"
#include "base/log.h"
#include "base/net.h"
#include "base/secret.h"
#include "cluster/mesh.h"
#include "cluster/stream.h"

struct cluster {
	struct cluster_conf cf;
	struct mesh *mesh;
	struct streams *tr;
	struct store *store;
	struct stats *stats;
	struct ntimer *timer;
	struct stream *conn[MESH_LINKS];
	uint8_t conns;             /* places in use are below this   */
	uint64_t seq, hints;       /* of store and hints, as far as looked at */
	bool told;                 /* the node has told us something since    */
	bool pumping;
	bool closed;               /* cluster_free() is under way */
};

/* --- effects ------------------------------------------------------------------- */

static void close_link(struct cluster *c, const struct mesh_out *o)
{
	struct stream *t = c->conn[o->link];

	c->conn[o->link] = NULL;
	if (!t)
		return;
	buf_put(stream_out(t), o->last, o->n);
	stream_close(t, o->why);
}

static void carry_out(struct cluster *c, const struct mesh_out *o)
{
	switch (o->kind) {
	case MESH_DIAL:
		if (streams_dial(c->tr, &o->addr, o->target))
			mesh_dial_failed(c->mesh, o->target, clk_now());
		break;
	case MESH_CLOSE:
		close_link(c, o);
		break;
	case MESH_ACKED:
		if (c->cf.ackedh && !c->closed)
			c->cf.ackedh(o->from, o->to, c->cf.arg);
		break;
	case MESH_ROSTER:
		if (c->cf.rosterh && !c->closed)
			c->cf.rosterh(mesh_roster(c->mesh), c->cf.arg);
		break;
	case MESH_CHANGED:
		if (c->cf.changedh && !c->closed)
			c->cf.changedh(c->cf.arg);
		break;
	}
}

static void send_all(struct cluster *c)
{
	for (uint8_t l = 0; l < c->conns; l++) {
		struct stream *t = c->conn[l];

		if (!t || !stream_ready(t) || !mesh_want(c->mesh, l))
			continue;
		mesh_fill(c->mesh, l, stream_out(t), STREAM_OUT, clk_now(),
			  clk_wall());
		stream_flush(t);
	}
}

static void arm(struct cluster *c)
{
	uint64_t at = mesh_next(c->mesh), next = streams_next(c->tr);

	if (next < at)
		at = next;
	for (uint8_t l = 0; l < c->conns; l++)
		if (c->conn[l] && stream_ready(c->conn[l]) &&
		    mesh_want(c->mesh, l))
			at = 0;         /* more to give: next turn */
	ntimer_at(c->timer, at);
}

/* Everything that is to be done now. Handlers may call back into us: those
 * calls find `pumping` set, and the loop here does their work. */
static void pump(struct cluster *c)
{
	struct mesh_out o;

	if (c->pumping)
		return;
	c->pumping = true;
	while (mesh_poll(c->mesh, &o))
		carry_out(c, &o);
	mesh_gate(c->mesh, clk_now());
	c->told = false;
	c->seq = store_seq(c->store);
	c->hints = mesh_hints(c->mesh)->seq;
	send_all(c);
	while (mesh_poll(c->mesh, &o))
		carry_out(c, &o);
	c->pumping = false;
	arm(c);
}

static void timer(void *arg)
{
	struct cluster *c = arg;

	/* pump() below does what this leads to, and arms the timer once: in
	 * between the deadline that has just passed would count again */
	c->pumping = true;
	streams_tick(c->tr, clk_now());
	c->pumping = false;
	mesh_tick(c->mesh, clk_now(), clk_wall());   /* reading took its time */
	pump(c);
}

/* --- streams' handlers --------------------------------------------------------- */

static int up(struct stream *t, int target, void *arg)
{
	struct cluster *c = arg;
	uint8_t l = mesh_up(c->mesh, target < 0 ? MESH_NONE :
			    (uint8_t)target, clk_now());

	if (l == MESH_NONE)
		return -1;
	mesh_named(c->mesh, l, stream_name(t));
	c->conn[l] = t;
	if (l >= c->conns)
		c->conns = l + 1;
	return l;
}

static void failed(int target, void *arg)
{
	struct cluster *c = arg;

	mesh_dial_failed(c->mesh, (uint8_t)target, clk_now());
}

static size_t receive(struct stream *t, int id, struct sl in, void *arg)
{
	struct cluster *c = arg;
	uint8_t l = (uint8_t)id;
	struct wire_head h;
	size_t used = 0, total;
	struct mesh_out o;
	int err = 0;

	/* A frame may close this link: then its place in conn[] is empty */
	while (c->conn[l] == t && used < in.n) {
		struct sl rest = sl_sub(in, used, in.n);

		err = wire_frame(rest, mesh_limit(c->mesh, l), &h, &total);
		if (err)
			break;
		mesh_recv(c->mesh, l, &h, sl_sub(rest, WIRE_HEAD, total),
			  clk_now(), clk_wall());
		used += total;
		while (mesh_poll(c->mesh, &o))
			carry_out(c, &o);
	}
	if (err && err != EAGAIN) {
		mesh_garbage(c->mesh, l, err, clk_now());
		while (mesh_poll(c->mesh, &o))
			carry_out(c, &o);
	}
	return used;
}

static void down(int id, const char *why, void *arg)
{
	struct cluster *c = arg;

	c->conn[id] = NULL;
	log_info("event=cluster_link_lost link=%d reason=%s", id, why);
	mesh_down(c->mesh, (uint8_t)id, clk_now());
}

static void done(void *arg)
{
	struct cluster *c = arg;

	pump(c);
}

/* --- figures ------------------------------------------------------------------------ */

static int add_store(struct cluster *c)
{
	const struct store_stats *s = store_stats(c->store);
	const struct stat_row f[] = {
	{ STAT_GAUGE, "store_records", "Bindings and tombstones held",
	  &s->records },
	{ STAT_GAUGE, "store_contacts", "Contacts visible", &s->contacts },
	{ STAT_GAUGE, "store_tombstones", "Records held but not visible",
	  &s->tombs },
	{ STAT_GAUGE, "store_bytes", "Memory of all records", &s->bytes },
	{ STAT_GAUGE, "store_memory_bytes",
	  "Memory taken for records, with room for more", &s->taken },
	{ STAT_COUNTER, "store_puts_total", "Own bindings made or refreshed",
	  &s->puts },
	{ STAT_COUNTER, "store_dels_total", "Own removals", &s->dels },
	{ STAT_COUNTER, "store_kills_total", "Own kills of a version seen",
	  &s->kills },
	{ STAT_COUNTER, "store_merges_total",
	  "Records of peers that brought something", &s->merges },
	{ STAT_COUNTER, "store_merges_known_total",
	  "Records of peers that were known", &s->merges_known },
	{ STAT_COUNTER, "store_stale_total",
	  "Changes refused: lower CSeq", &s->stale },
	{ STAT_COUNTER, "store_expired_total", "Contacts that ran out",
	  &s->expired },
	{ STAT_COUNTER, "store_full_total", "Changes refused: a limit",
	  &s->full },
	{ STAT_COUNTER, "store_oom_total", "Changes refused: no memory",
	  &s->oom },
	{ STAT_COUNTER, "store_bad_stamp_total",
	  "Records refused: stamp too far ahead", &s->bad_stamp },
	};

	return c->stats ? stat_rows(c->stats, f, NULL, c) : 0;
}

static int add_links(struct cluster *c)
{
	const struct mesh_stats *m = mesh_stats(c->mesh);
	const struct streams_stats *t = streams_stats(c->tr);
	const struct sync_stats *y = sync_stats(mesh_sync(c->mesh));
	const struct hints *h = mesh_hints(c->mesh);
	const struct stat_row f[] = {
	{ STAT_GAUGE, "cluster_links", "Links to other nodes",
	  &m->links_now },
	{ STAT_COUNTER, "cluster_links_made_total", "Links made",
	  &m->links_made },
	{ STAT_COUNTER, "cluster_links_lost_total", "Links lost",
	  &m->links_lost },
	{ STAT_COUNTER, "cluster_bad_frames_total", "Malformed frames",
	  &m->bad_frames },
	{ STAT_COUNTER, "cluster_refused_total",
	  "Links refused: other cluster, version or settings", &m->refused },
	{ STAT_GAUGE, "cluster_members", "Members, ourselves included",
	  &m->members },
	{ STAT_COUNTER, "cluster_removed_total",
	  "Links closed or refused: the other end was removed", &m->removed },
	{ STAT_COUNTER, "cluster_records_in_total", "Records received",
	  &m->records_in },
	{ STAT_COUNTER, "cluster_records_new_total",
	  "Records received that were news", &m->records_new },
	{ STAT_COUNTER, "cluster_rewinds_total",
	  "Peers of version 1 fed again after a loss", &m->rewinds },
	{ STAT_COUNTER, "cluster_rounds_given_up_total",
	  "Rounds whose peer fell silent or was lost", &y->given_up },
	{ STAT_COUNTER, "cluster_buckets_differed_total",
	  "Buckets that differed from a peer's", &y->differed },
	{ STAT_COUNTER, "cluster_records_fetched_total",
	  "Records that came in rounds", &y->fetched },
	{ STAT_COUNTER, "cluster_records_joined_total",
	  "Of these, news to a joining node", &y->joined },
	{ STAT_COUNTER, "cluster_records_repaired_total",
	  "Of these, news that the live feed had missed", &y->repaired },
	{ STAT_COUNTER, "cluster_records_served_total",
	  "Records given in rounds of others", &y->served },
	{ STAT_COUNTER, "cluster_paced_total",
	  "Times an answer waited for cluster.sync_rate", &y->paced },
	{ STAT_GAUGE, "cluster_hints", "Hints of other nodes that are known",
	  &h->now },
	{ STAT_COUNTER, "cluster_hints_in_total", "Hints received", &h->in },
	{ STAT_COUNTER, "cluster_hints_out_total",
	  "Hints sent, to each node counted", &h->out },
	{ STAT_COUNTER, "cluster_hints_lost_total",
	  "Hints dropped: no room", &h->lost },
	{ STAT_GAUGE, "cluster_round_progress_percent",
	  "Of the round under way or the last one", &y->progress },
	{ STAT_COUNTER, "cluster_auth_failed_total",
	  "Strangers: wrong key or certificate, no TLS, too slow, too much",
	  &t->auth_failed },
	{ STAT_COUNTER, "cluster_hand_shakes_broken_total",
	  "Links that ended in the hand-shake without a word: a killed peer, "
	  "a scanner", &t->broken },
	{ STAT_GAUGE, "cluster_keys", "Keys that a link may be made by",
	  &t->keys },
	{ STAT_COUNTER, "cluster_key_dropped_total",
	  "Links closed because their key does not count any more",
	  &t->key_dropped },
	{ STAT_COUNTER, "cluster_bytes_in_total", "Bytes received",
	  &t->bytes_in },
	{ STAT_COUNTER, "cluster_bytes_out_total", "Bytes sent",
	  &t->bytes_out },
	};
	int err = c->stats ? stat_rows(c->stats, f, NULL, c) : 0;

	for (int w = 0; c->stats && !err && w < SYNC_WHY_N; w++) {
		char label[32];

		(void)snprintf(label, sizeof(label), "why=\"%s\"",
			       sync_why_name((enum sync_why)w));
		err = stat_add(c->stats, STAT_COUNTER, "cluster_rounds_total",
			       label, "Comparisons with a peer that ended",
			       &y->rounds[w], c);
	}
	return err;
}

/* --- life --------------------------------------------------------------------------- */

static int start_mesh(struct cluster *c)
{
	const struct cluster_conf *cf = &c->cf;
	struct mesh_conf mc = { .node = cf->node, .addr = cf->addr,
		.npeers = cf->npeers, .sync_rate = cf->sync_rate,
		.push_gap = cf->push_gap,
		.heartbeat = cf->heartbeat,
		.dead = cf->dead, .max_expires = cf->max_expires,
		.njoin = cf->njoin, .sip = cf->sip, .roster = cf->roster };
	uint8_t id[SECRET_KEY];
	uint64_t seed;

	mc.addr.port = streams_port(c->tr);
	memcpy(mc.name, cf->name, sizeof(mc.name));
	memcpy(mc.peers, cf->peers, sizeof(mc.peers));
	memcpy(mc.join, cf->join, sizeof(mc.join));
	secret_derive(id, cf->keys->base, "cluster id 1");
	memcpy(mc.cluster, id, sizeof(mc.cluster));
	secret_random(&seed, sizeof(seed));
	mc.incarnation = clk_wall() << 16 | (seed & 0xffff);
	return mesh_alloc(&c->mesh, &mc, c->store, seed, clk_now(),
			  clk_wall());
}

int cluster_alloc(struct cluster **cp, const struct cluster_conf *cf,
		  struct store *store, struct stats *stats)
{
	struct cluster *c = calloc(1, sizeof(*c));
	struct streams_h h = { up, failed, receive, down, done, c };
	struct streams_conf tc = { .addr = cf->addr, .cert = cf->cert,
		.keys = cf->keys,
		.user_timeout = cf->dead + 2 * cf->heartbeat };
	int err;

	if (!c)
		return ENOMEM;
	c->cf = *cf;
	c->cf.cert = NULL;
	c->store = store;
	c->stats = stats;
	err = streams_alloc(&c->tr, &tc, &h);
	if (!err)
		err = start_mesh(c);
	c->cf.keys = NULL;
	c->cf.roster = NULL;           /* was copied */
	if (!err)
		err = ntimer_alloc(&c->timer, timer, c);
	if (!err)
		err = add_store(c);
	if (!err)
		err = add_links(c);
	if (err) {
		cluster_free(c);
		return err;
	}
	ntimer_at(c->timer, clk_now());
	*cp = c;
	return 0;
}

void cluster_free(struct cluster *c)
{
	struct mesh_out o;

	if (!c)
		return;
	c->closed = true;
	if (c->stats)
		stat_del_owner(c->stats, c);
	if (c->mesh && c->tr && c->timer) {
		mesh_set_gap(c->mesh, 0);       /* the last changes, too */
		pump(c);
	}
	if (c->mesh && c->tr) {
		mesh_leave(c->mesh, clk_now());
		while (mesh_poll(c->mesh, &o))
			if (o.kind == MESH_CLOSE)
				close_link(c, &o);
	}
	ntimer_free(c->timer);
	streams_free(c->tr);
	mesh_free(c->mesh);
	free(c);
}

int cluster_recert(struct cluster *c, const struct cert *cert)
{
	return streams_recert(c->tr, cert);
}

void cluster_rekey(struct cluster *c, const struct keyset *k)
{
	streams_rekey(c->tr, k);
}

uint16_t cluster_port(const struct cluster *c)
{
	return streams_port(c->tr);
}

/* --- for the node --------------------------------------------------------------------- */

void cluster_flush(struct cluster *c)
{
	/* the end of most turns: a call changes nothing here */
	if (c->told || c->seq != store_seq(c->store) ||
	    c->hints != mesh_hints(c->mesh)->seq)
		pump(c);
}

uint64_t cluster_acked(const struct cluster *c)
{
	return mesh_acked(c->mesh);
}

uint32_t cluster_alive(const struct cluster *c)
{
	return mesh_alive(c->mesh);
}

bool cluster_synced(const struct cluster *c)
{
	return mesh_synced(c->mesh);
}

bool cluster_removed(const struct cluster *c)
{
	return mesh_removed(c->mesh);
}

bool cluster_held(const struct cluster *c, uint64_t seq)
{
	return mesh_held(c->mesh, seq);
}

uint32_t cluster_links(const struct cluster *c)
{
	return (uint32_t)mesh_stats(c->mesh)->links_now;
}

int cluster_turn(struct cluster *c, uint64_t node, bool in, bool force)
{
	int err = mesh_turn(c->mesh, node, in, force, clk_now(), clk_wall());

	c->told = true;
	ntimer_at(c->timer, clk_now());
	return err;
}

int cluster_lookup(const struct cluster *c, const char *who, bool in,
		   uint64_t *node)
{
	return roster_lookup(mesh_roster(c->mesh), sl_cstr(who), in, node);
}

const struct slots *cluster_slots(const struct cluster *c)
{
	return mesh_slots(c->mesh);
}

struct hints *cluster_hints(struct cluster *c)
{
	return mesh_hints(c->mesh);
}

bool cluster_majority(const struct cluster *c)
{
	return mesh_majority(c->mesh);
}

void cluster_set_state(struct cluster *c, enum cluster_state s)
{
	mesh_set_state(c->mesh, s);
	c->told = true;
	ntimer_at(c->timer, clk_now());
}

void cluster_set_gap(struct cluster *c, uint32_t gap)
{
	mesh_set_gap(c->mesh, gap);
	c->told = true;
}

void cluster_set_digests(struct cluster *c, uint64_t settings, uint64_t users)
{
	mesh_set_digests(c->mesh, settings, users);
	c->told = true;
}

void cluster_verify(struct cluster *c)
{
	mesh_verify(c->mesh, clk_now());
	pump(c);
}

bool cluster_verifying(const struct cluster *c)
{
	return mesh_verifying(c->mesh);
}

void cluster_diffs(const struct cluster *c,
		   void (*h)(const struct cluster_diff *d, void *arg),
		   void *arg, uint64_t *more)
{
	const struct sync_diff *d;
	uint32_t n;

	d = sync_diffs(mesh_sync(c->mesh), &n, more);
	for (uint32_t i = 0; i < n; i++) {
		struct cluster_diff o = { d[i].node,
			sync_diff_name(d[i].kind), d[i].aor, d[i].key };

		h(&o, arg);
	}
}

void cluster_view(const struct cluster *c, struct cluster_view *v)
{
	const struct streams_stats *t = streams_stats(c->tr);

	mesh_view(c->mesh, clk_now(), v);
	v->auth_failed = t->auth_failed;
	for (uint32_t i = 0; i < v->n; i++) {
		uint8_t l = mesh_link(c->mesh, v->m[i].node);

		if (l != MESH_NONE && c->conn[l])
			v->m[i].rtt_us = stream_rtt(c->conn[l]);
	}
}
