/**
 * @file node.c  Shell. Feeds the core, carries out what it returns.
 */
#include "node/node_i.h"
#include "base/clk.h"
#include "base/daemon.h"
#include "base/log.h"
#include "base/secret.h"
#include "node/api.h"
#include "node/api_trace.h"
#include "node/files.h"
#include "node/health.h"
#include "node/reload.h"
#include "cluster/roster.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	/* Contacts and tombstones: a phone that comes back from a new port each
	 * time and unregisters leaves one an hour long */
	PER_AOR = 512,
	TXQ_MAX = 16 << 20,          /* [bytes] unsent to one edge           */
	STOP_WAIT = 3000,            /* [ms] for calls being set up          */
	SPARE_FDS = 128,
};

static int open_cluster(struct node *n);

/* --- turns ------------------------------------------------------------------ */

/* The last flush begins when no call is being set up any more */
static void look_over(struct node *n)
{
	if (n->stopping && n->leave == LEAVE_NONE &&
	    (!core_open(n->core) || clk_now() >= n->stop_at))
		n->flushing = true;
	if (n->flushing && persist_io_over(n->persist_io))
		net_stop();
}

static void turn(void *arg)
{
	struct node *n = arg;
	struct sip_out out;

	n->in_turn = true;
	users_sql_pump(n->users_sql);
	while (core_poll(n->core, &out)) {
		api_trace_sent(n, &out);
		transport_do(n->tr, &out);
	}
	n->wall = 0;
	transport_flush(n->tr);
	if (n->cluster)
		cluster_flush(n->cluster);
	n->in_turn = false;
	ntimer_at(n->core_timer, core_next(n->core));
	look_over(n);
}

void node_turn(struct node *n)
{
	if (!n->in_turn)
		turn(n);
}

static void on_recv(const struct flow *f, struct sl msg, enum frame_verdict v,
		    const char *why, void *arg)
{
	struct node *n = arg;

	n->wall = clk_wall_us();
	if (v == FRAME_MSG)
		api_trace_got(n, f, msg);
	core_recv(n->core, f, msg, v, why, clk_now(), n->wall / 1000);
}

static void on_lost(const struct flow *f, int err, void *arg)
{
	struct node *n = arg;

	core_lost(n->core, f, err, clk_now(), clk_wall());
}

static bool on_admit(const struct addr *peer, void *arg)
{
	struct node *n = arg;

	return core_admits(n->core, peer);
}

static void on_core_timer(void *arg)
{
	struct node *n = arg;

	core_tick(n->core, clk_now(), clk_wall());
	turn(n);
}

/* --- readiness ---------------------------------------------------------------- */

static bool removed(const struct node *n)
{
	return n->cluster && cluster_removed(n->cluster);
}

/* Where an edge may ask us for our figures */
static struct addr http_address(const struct node *n)
{
	struct addr a = n->cf.http.address;

	/* all addresses: it finds us where it finds us for SIP */
	if (addr_is_any(&a)) {
		a = n->cf.sip.address;
		a.port = n->cf.http.address.port;
	}
	return a;
}

static void tell_health(struct node *n, const struct cluster_view *v)
{
	char txt[HEALTH_MAX];
	const struct health h = {
		.state = n->stopping ? "stopping" : n->ready ? "ready" :
			 removed(n) ? "removed" : "joining",
		.progress = n->ready ? 100 : v->progress, .name = n->cf.name,
		.contacts = store_stats(n->store)->contacts, .view = v,
		.turn = n->health_turn++, .http = http_address(n),
	};

	health_text(txt, &h);
	core_set_health(n->core, n->ready, removed(n) ? "Removed" :
			n->cluster && persist_io_may_serve(n->persist_io) ?
			"Joining" : "Reading Database", txt);
}

/* Ready once it has what the database and the others have; a removed node begins
 * anew when it is admitted */
static void look_ready(struct node *n, const struct cluster_view *v)
{
	bool now = n->cluster && !removed(n) &&
		   (n->ready || (cluster_synced(n->cluster) &&
				 persist_io_may_serve(n->persist_io)));

	if (now == n->ready)
		return;
	n->ready = now;
	if (!n->stopping && n->cluster)
		cluster_set_state(n->cluster, now ? CLUSTER_READY :
				  CLUSTER_JOINING);
	if (now)
		log_info("event=ready contacts=%llu alive=%u",
			 (unsigned long long)store_stats(n->store)->contacts,
			 v->alive);
}

/* Said when it changes: until then only the status has it, which nobody looks at
 * while calls go on. A node that starts alone has none from the beginning. */
static void look_majority(struct node *n, const struct cluster_view *v)
{
	bool none = n->cluster && !removed(n) && !v->majority;

	if (n->stopping || (!n->ready && !n->alone) || none == n->alone)
		return;
	n->alone = none;
	if (none)
		log_warn("event=majority state=lost alive=%u members=%u "
			 "text=\"calls and registrations go on; no phone is "
			 "removed because it is silent\" hint=\"start the "
			 "others, or `edgewise node remove` those that are "
			 "gone for good\"", v->alive, v->members);
	else
		log_info("event=majority state=back alive=%u members=%u",
			 v->alive, v->members);
}

static void set_health(struct node *n)
{
	struct cluster_view *v = calloc(1, sizeof(*v));

	if (!v)
		return;                     /* the last one stays */
	v->members = v->alive = 1;
	if (n->cluster)
		cluster_view(n->cluster, v);
	look_ready(n, v);
	look_majority(n, v);
	/* a removed node is up, it only does not serve */
	if (!n->notified && (n->ready || removed(n))) {
		n->notified = true;
		daemon_notify("READY=1");
	}
	tell_health(n, v);
	free(v);
}

/* The rows of the database come first: the digests of the others then bring only
 * what differs */
static void look_links(struct node *n)
{
	if (n->cluster || n->stopping || n->failed ||
	    !persist_io_may_link(n->persist_io))
		return;
	n->failed = open_cluster(n);
	if (!n->failed)
		return;
	log_error("event=start text=\"%s\"", strerror(n->failed));
	net_stop();
}

static void on_second(void *arg)
{
	struct node *n = arg;
	bool more = store_tick(n->store, clk_wall(), STORE_TURN);

	certs_tick(&n->certs, clk_now(), clk_wall());
	persist_io_second(n->persist_io);
	look_links(n);
	core_awake(n->core, clk_now());
	set_health(n);
	turn(n);
	leave_save(n);
	ntimer_at(n->second, clk_now() + (more ? 1 : STORE_TICK));
	n->flushing = n->flushing || leave_poll(n);
	look_over(n);
}

static void on_cluster(void *arg)
{
	struct node *n = arg;

	if (!n->cluster || !n->core)
		return;
	set_health(n);
	core_set_others(n->core, cluster_alive(n->cluster), clk_now());
	core_set_slots(n->core, cluster_slots(n->cluster),
		       cluster_majority(n->cluster));
	core_set_hints(n->core, cluster_hints(n->cluster));
	persist_io_moved(n->persist_io);
	node_turn(n);
}

static void on_acked(uint64_t from, uint64_t to, void *arg)
{
	struct node *n = arg;

	core_acked(n->core, from, to, clk_now(), clk_wall());
	node_turn(n);
}

/* --- start -------------------------------------------------------------------- */

void node_store_settings(const struct node *n, struct store_conf *sc)
{
	uint32_t max = n->cf.registrar.max_bindings;

	*sc = (struct store_conf){
		.node = n->id,
		.max_records = max + max / 4 + 16,     /* and tombstones */
		.max_per_aor = PER_AOR,
		.max_expires = n->cf.registrar.max_expires,
		.guard = NODE_GUARD,
	};
	secret_derive(sc->key, n->keys.base, "store 1");
}

static int open_files(struct node *n)
{
	struct cfg_errs *errs = calloc(1, sizeof(*errs));
	int err;

	if (!errs)
		return ENOMEM;
	err = files_keys(&n->keys, n->cf.cluster.key_file, errs);
	cfg_log(errs, "settings");
	free(errs);
	if (err)
		return err;
	err = files_state(n->state, n->cf.state_dir, n->cf.name);
	if (!err)
		err = files_id(&n->id, n->state);
	if (err)
		log_error("event=settings problem=\"state_dir %s: %s/id: %s\" "
			  "hint=\"%s\"", n->cf.state_dir, n->state,
			  err == EBADMSG ? "not an identity" :
			  err == EBUSY ? "another node of our name uses it" :
			  strerror(err),
			  err == EBADMSG ? "remove it to draw a new one" :
			  "make the folder, writable for us, or set state_dir");
	return err;
}

static int open_sip(struct node *n, struct core_conf *cc)
{
	const struct transport_conf tc = {
		.max_conns = n->cf.limits.max_connections,
		.idle = 0, .first_msg = 0, .whole_msg = 10,
		.connect = 1000, .txq_max = TXQ_MAX,
	};
	const struct transport_h h = {
		.recv = on_recv, .lost = on_lost, .turn = turn, .arg = n,
		.admit = on_admit,
	};
	const uint8_t tp[2] = { TP_UDP, TP_TCP };
	uint16_t *lst[2] = { &cc->lst_udp, &cc->lst_tcp };
	int err;

	err = transport_alloc(&n->tr, &tc, &h, n->st);
	for (unsigned i = 0; !err && i < 2; i++) {
		err = transport_listen(n->tr, tp[i], &n->cf.sip.address, true,
				       lst[i], &cc->self);
		if (err)
			(void)net_listen_failed("sip", tp_name(tp[i]),
						&n->cf.sip.address, err);
	}
	return err;
}

static int open_core(struct node *n)
{
	struct core_conf cc = { .cf = &n->cf, .users = n->users,
				.store = n->store };
	int err;

	cc.keys = n->keys;
	secret_derive(cc.store_key, n->keys.base, "store 1");
	secret_random(cc.secret, sizeof(cc.secret));
	err = open_sip(n, &cc);
	if (!err)
		err = core_alloc(&n->core, &cc, n->st, clk_now());
	if (!err)
		err = ntimer_alloc(&n->core_timer, on_core_timer, n);
	if (!err)
		err = ntimer_alloc(&n->second, on_second, n);
	if (!err)
		err = api_trace_start(n);
	return err;
}

static int open_store(struct node *n)
{
	struct store_conf sc;

	node_store_settings(n, &sc);
	return store_alloc(&n->store, &sc, clk_wall());
}

void node_tell_digests(struct node *n)
{
	if (n->cluster)
		cluster_set_digests(n->cluster, node_config_digest(&n->cf),
				    users_digest(n->users));
}

static int open_cluster(struct node *n)
{
	struct cluster_conf *cc = calloc(1, sizeof(*cc));
	struct roster *saved;
	int err;

	if (!cc)
		return ENOMEM;
	cc->roster = saved = leave_load(n->state);
	cc->rosterh = leave_roster;
	cc->sip = n->cf.sip.address;
	cc->njoin = n->cf.cluster_join_n;
	memcpy(cc->join, n->cf.cluster_join,
	       cc->njoin * sizeof(cc->join[0]));
	cc->node = n->id;
	(void)snprintf(cc->name, sizeof(cc->name), "%s", n->cf.name);
	cc->addr = n->cf.cluster.address;
	cc->keys = &n->keys;
	cc->cert = n->cert;
	cc->npeers = n->cf.cluster_peer_n < CLUSTER_MAX
		? n->cf.cluster_peer_n : CLUSTER_MAX;
	memcpy(cc->peers, n->cf.cluster_peers,
	       cc->npeers * sizeof(cc->peers[0]));
	cc->heartbeat = n->cf.cluster.heartbeat;
	cc->sync_rate = n->cf.cluster.sync_rate * 1000;
	cc->push_gap = node_push_gap(&n->cf);
	cc->dead = n->cf.cluster.dead;
	cc->max_expires = n->cf.registrar.max_expires;
	cc->changedh = on_cluster;
	cc->ackedh = on_acked;
	cc->arg = n;
	err = cluster_alloc(&n->cluster, cc, n->store, n->st);
	free(saved);
	free(cc);
	certs_set(&n->certs, n->cert ? cert_info(n->cert) : NULL, clk_now(),
		  clk_wall());
	cert_free(n->cert);
	n->cert = NULL;
	node_tell_digests(n);
	return err;
}

int node_alloc(struct node **np, const char *path,
	       const struct cfg_over *over)
{
	struct node *n = calloc(1, sizeof(*n));
	int err = ENOMEM;

	if (!n)
		return ENOMEM;
	n->over = over;
	buf_init(&n->members, ROSTER_FILE);
	n->path = strdup(path);
	if (!n->path)
		goto out;
	err = reload_read(&n->cf, &n->users, &n->cert, path, over);
	if (err)
		goto out;
	log_init("edgewise-node", n->cf.log.target, n->cf.log.level);
	reload_warn(&n->cf);
	n->started = clk_now();
	(void)daemon_nofile(n->cf.limits.max_connections + SPARE_FDS);
	err = net_init(n->cf.limits.max_connections + SPARE_FDS);
	if (!err)
		err = stats_alloc(&n->st);
	if (!err)
		err = open_files(n);
	if (!err)
		err = open_store(n);
	if (!err)
		err = open_core(n);
	if (!err)
		err = certs_figures(&n->certs, n->st);
	if (!err)
		err = persist_io_alloc(&n->persist_io, n);
	if (!err && !n->persist_io)
		err = open_cluster(n);
	if (!err)
		err = users_sql_alloc(&n->users_sql, n);
	if (!err)
		err = api_alloc(&n->api, n);
 out:
	if (!err) {
		*np = n;
		return 0;
	}
	log_error("event=start text=\"%s\"", strerror(err));
	node_free(n);
	return err;
}

void node_free(struct node *n)
{
	if (!n)
		return;
	api_free(n->api);
	if (n->core_timer)
		ntimer_free(n->core_timer);
	if (n->second)
		ntimer_free(n->second);
	cluster_free(n->cluster);        /* says good-bye */
	leave_save(n);
	buf_free(&n->members);
	users_sql_free(n->users_sql);
	persist_io_free(n->persist_io);
	transport_free(n->tr);
	core_free(n->core);
	store_free(n->store);
	trace_free(&n->trace);
	stats_free(n->st);
	users_free(n->users);
	cert_free(n->cert);
	node_config_clear(&n->cf);
	free(n->path);
	free(n);
}

/* --- signals -------------------------------------------------------------------- */

void node_drain(struct node *n)
{
	daemon_notify("STOPPING=1");
	n->stopping = true;
	if (n->cluster)
		cluster_set_state(n->cluster, CLUSTER_DRAINING);
	core_stop(n->core);
	set_health(n);
	turn(n);
	ntimer_at(n->second, clk_now());
}

/* New requests get 503, and the edge takes them elsewhere; those under way get
 * their time. A second signal ends at once. */
static void stop(struct node *n)
{
	if (n->stopping) {
		net_stop();
		return;
	}
	n->stop_at = clk_now() + STOP_WAIT;
	node_drain(n);
}

static void on_signal(int sig, void *arg)
{
	struct node *n = arg;

	switch (sig) {
	case SIGHUP:
		reload_now(n);
		break;
	case SIGTERM:
	case SIGINT:
		log_info("event=stop signal=%d", sig);
		stop(n);
		break;
	default:
		break;
	}
}

int node_run(struct node *n)
{
	char txt[ADDR_TXT];
	int err;

	log_info("event=start name=%s id=%016llx sip=%s users=%u", n->cf.name,
		 (unsigned long long)n->id, addr_txt(&n->cf.sip.address, txt),
		 users_count(n->users));
	on_second(n);
	err = net_run(on_signal, n);
	log_info("event=stopped");
	return err ? err : n->failed;
}
