/* real.c - Test support. The world's nodes are real ones: node/core on virtual
 * time. They share one store, as if replication were perfect: what is tested
 * is edge and nodes together, not the cluster. */
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"
#include "cluster/slots.h"
#include "node/core_priv.h"
#include "tests/sbc/world_i.h"

struct real {
	struct node_config cf;
	struct stats *st;
	struct core *core;       /* NULL: the process has died             */
	struct slots slots;
};

uint32_t world_real_records = 1000;

static uint64_t wall(const struct world *w)
{
	return 1700000000000ull + w->net->now;
}

static void start(struct vnode *n)
{
	struct real *r = n->real;
	struct core_conf cc = { .cf = &r->cf, .store = n->w->shared,
				.lst_udp = 0, .lst_tcp = 1,
				.self = n->host.addr };
	uint8_t key[32];

	memset(key, 7, sizeof(key));
	keyset_one(&cc.keys, key);
	secret_derive(cc.store_key, cc.keys.base, "store 1");
	cc.secret[0] = (uint8_t)(n->idx + 10 * n->host.ends);
	if (core_alloc(&r->core, &cc, r->st, n->w->net->now))
		abort();
	core_set_health(r->core, true, "", "state=ready;told=yes");
	core_set_slots(r->core, NULL, true);
}

static void out(struct vnode *n)
{
	struct real *r = n->real;
	struct sip_out o;

	while (core_poll(r->core, &o)) {
		uint32_t conn = o.flow.conn;

		if (o.kind == SIP_OUT_CLOSE && conn)
			sim_close(n->w->net, conn);
		if (o.kind != SIP_OUT_SEND)
			continue;
		if (o.flow.tp == TP_UDP) {
			sim_datagram(n->w->net, &n->host.addr, &o.flow.peer,
				     blob_sl(o.blob));
			blob_unref(o.blob);
			continue;
		}
		if (!conn)
			conn = sim_connect(n->w->net, &n->host.addr,
					   &o.flow.peer);
		sim_stream(n->w->net, &n->host.addr, conn, blob_sl(o.blob));
		blob_unref(o.blob);
	}
}

/** The edge dials from a port of its own: a connection that it opened is not
 *  from the address at which it can be reached */
static struct addr dialled_from(const struct vnode *n, uint32_t conn,
				const struct addr *peer)
{
	struct addr a = *peer;

	if (conn && !sim_opened(n->w->net, conn, &n->host.addr))
		a.port = (uint16_t)(20000 + conn % 40000);
	return a;
}

/** A request that the node's bad mood swallows */
static bool swallowed(struct vnode *n, const struct sip_msg *m,
		      const struct sim_pkt *p)
{
	struct real *r = n->real;

	/* a copy of what it works on is absorbed in any mood */
	if (n->mode == V_NORMAL ||
	    txnl_knows(r->core->txnl, m->top.branch) || m->meth == SIP_OPTIONS ||
	    m->meth == SIP_ACK || m->meth == SIP_CANCEL)
		return false;
	if (n->mode == V_BUSY)
		vnode_answer(n, p->conn, m, 503, "Retry-After: 1\r\n");
	if (n->mode == V_ERROR)
		vnode_answer(n, p->conn, m, 500, "");
	if (n->mode == V_TRYING && m->meth == SIP_INVITE)
		vnode_answer(n, p->conn, m, 100, "");
	return true;
}

static void recv(struct sim_host *h, const struct sim_pkt *p)
{
	struct vnode *n = h->arg;
	struct real *r = n->real;
	bool udp = p->kind == SIM_DATAGRAM;
	struct flow f = { .tp = udp ? TP_UDP : TP_TCP, .lst = !udp,
			  .conn = p->conn,
			  .peer = dialled_from(n, p->conn, &p->from) };
	static struct sip_msg m;

	if (!r->core)
		start(n);
	if (scan(&m, p->data) && m.req) {
		n->got[m.meth]++;
		if (swallowed(n, &m, p))
			return;
	}
	else if (n->deaf && m.meth == SIP_INVITE) {
		return;
	}
	core_recv(r->core, &f, p->data, FRAME_MSG, NULL, n->w->net->now,
		  wall(n->w));
	out(n);
}

static void lost(struct sim_host *h, uint32_t conn, const struct addr *peer,
		 int err)
{
	struct vnode *n = h->arg;
	struct real *r = n->real;
	struct flow f = { .tp = TP_TCP, .lst = 1, .conn = conn,
			  .peer = dialled_from(n, conn, peer) };

	if (!r->core)
		return;
	core_lost(r->core, &f, err, n->w->net->now, wall(n->w));
	out(n);
}

static void kill_(struct vnode *n)
{
	struct real *r = n->real;

	core_free(r->core);
	r->core = NULL;
}

static uint64_t next(const struct vnode *n)
{
	const struct real *r = n->real;

	return r->core && n->host.state == SIM_UP ? core_next(r->core) :
						    UINT64_MAX;
}

static void tick(struct vnode *n)
{
	struct real *r = n->real;

	core_tick(r->core, n->w->net->now, wall(n->w));
	out(n);
}

static void close_(struct vnode *n)
{
	struct real *r = n->real;

	core_free(r->core);
	stats_free(r->st);
	node_config_clear(&r->cf);
	free(r);
}

static void init(struct vnode *n)
{
	struct world *w = n->w;
	struct real *r = calloc(1, sizeof(*r));
	struct store_conf sc = { .node = 1, .max_records = world_real_records,
				 .max_per_aor = 100, .guard = 10000 };
	static struct cfg_errs errs;
	char text[512];

	if (!r || stats_alloc(&r->st))
		abort();
	n->real = r;
	(void)snprintf(text, sizeof(text), "name = \"n%u\"; sip = { address = "
		"\"10.0.0.%u\"; port = 5060; }; edges = ( \"10.0.0.1\" ); "
		"domains = \"any\"; auth = \"off\";", n->idx + 1,
		11 + n->idx);
	if (node_config_read_mem(&r->cf, "node", text, &errs)) {
		fprintf(stderr, "%s\n", errs.txt[0]);
		abort();
	}
	sc.max_expires = r->cf.registrar.max_expires;
	if (!w->shared) {
		uint8_t key[32];

		memset(key, 7, sizeof(key));
		secret_derive(sc.key, key, "store 1");
		if (store_alloc(&w->shared, &sc, wall(w)))
			abort();
	}
	n->host.recv = recv;
	n->host.lost = lost;
	start(n);
}

void world_real_pings(struct world *w, uint32_t interval)
{
	struct real *r = w->node[0].real;

	r->cf.ping.interval = interval;
	slots_init(&r->slots, 1);
	slots_look(&r->slots, &(struct slots_seen){ 1, true }, 1,
		   w->net->now);
	core_set_slots(r->core, &r->slots, true);
}

static void end(struct world *w)
{
	store_free(w->shared);
}

const struct world_ops world_real = {
	.init = init, .kill = kill_, .next = next, .tick = tick,
	.close = close_, .end = end,
};
