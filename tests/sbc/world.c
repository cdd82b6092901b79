/* world.c - Test support. Edge, nodes and phones on virtual time: the edge's
 * side and the helpers. Nodes: world_node.c, phones: world_phone.c. */
#define _GNU_SOURCE             /* memmem */
#include "world_i.h"

#include <stdarg.h>

int world_in_edge;

char *xdup(struct sl s)
{
	char *p = malloc(s.n + 1);

	if (!p)
		abort();
	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

void set(char *dst, size_t size, struct sl s)
{
	size_t n = s.n < size ? s.n : size - 1;

	if (n)
		memcpy(dst, s.p, n);
	dst[n] = '\0';
}

char *fmt(const char *f, ...)
{
	char tmp[16384];
	va_list ap;
	int n;

	va_start(ap, f);
	n = vsnprintf(tmp, sizeof(tmp), f, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(tmp))
		abort();
	return xdup(sl_cstr(tmp));
}

struct addr addr_of(const char *txt)
{
	struct addr a = { 0 };

	if (addr_parse(&a, sl_cstr(txt), 5060))
		abort();
	return a;
}

bool scan(struct sip_msg *m, struct sl data)
{
	struct sip_fault f;

	return !sip_scan(m, data.p, data.n, true, &f);
}

/* --- the edge's sockets --- */

static void flow_of(struct flow *f, const struct sim_pkt *p, bool core)
{
	*f = (struct flow){
		.tp = p->kind == SIM_STREAM ? TP_TCP : TP_UDP,
		.lst = core ? 2 : p->kind == SIM_STREAM ? 1 : 0,
		.conn = p->conn, .peer = p->from,
	};
}

static void edge_out(struct world *w)
{
	struct sip_out o;

	while (edge_poll(w->edge, &o)) {
		const struct addr *me = o.flow.lst == 2 ? &w->core.addr :
							  &w->client.addr;
		uint32_t conn = o.flow.conn;

		switch (o.kind) {
		case SIP_OUT_SEND:
			if (o.flow.tp == TP_UDP) {
				sim_datagram(w->net, me, &o.flow.peer,
					     blob_sl(o.blob));
			}
			else {
				if (!conn)
					conn = sim_connect(w->net, me,
							   &o.flow.peer);
				sim_stream(w->net, me, conn,
					   blob_sl(o.blob));
			}
			blob_unref(o.blob);
			break;
		case SIP_OUT_CLOSE:
			if (conn)
				sim_close(w->net, conn);
			break;
		case SIP_OUT_KEEP:
		case SIP_OUT_ALIAS:
			break;
		}
	}
}

static void edge_got(struct sim_host *h, const struct sim_pkt *p)
{
	struct world *w = h->arg;
	struct flow f;

	flow_of(&f, p, h == &w->core);
	world_in_edge++;
	edge_recv(w->edge, &f, p->data, FRAME_MSG, NULL, w->net->now);
	world_in_edge--;
	edge_out(w);
}

static void edge_gone(struct sim_host *h, uint32_t conn,
		      const struct addr *peer, int err)
{
	struct world *w = h->arg;
	struct flow f = { .tp = TP_TCP, .lst = h == &w->core ? 2 : 1,
			  .conn = conn, .peer = *peer };

	world_in_edge++;
	edge_lost(w->edge, &f, err, w->net->now);
	world_in_edge--;
	edge_out(w);
}

/** SIM_TRACE=TEXT: the first line of every message that holds it */
static void trace(const struct world *w, const struct sim_pkt *p)
{
	static const char *want;
	static bool known;
	char from[ADDR_TXT], to[ADDR_TXT];

	if (!known) {
		known = true;
		want = getenv("SIM_TRACE");
	}
	if (!want || !memmem(p->data.p, p->data.n, want, strlen(want)))
		return;
	printf("%llu %s > %s %.*s\n", (unsigned long long)w->net->now,
	       addr_txt(&p->from, from), addr_txt(&p->to, to),
	       (int)sl_chr(p->data, '\r'), p->data.p);
}

/** A8: no inside address in anything a client gets */
static void tap(const struct sim_pkt *p, void *arg)
{
	struct world *w = arg;

	trace(w, p);
	if (!addr_eq(&p->from, &w->client.addr))
		return;
	for (size_t i = 0; i + 5 < p->data.n; i++) {
		if (memcmp(p->data.p + i, "10.0.0", 6))
			continue;
		w->leaks++;
		set(w->leak, sizeof(w->leak), p->data);
		return;
	}
}

static void edge_start(struct world *w)
{
	struct disp_node_conf node[W_NODES];

	for (int i = 0; i < W_NODES; i++) {
		memset(&node[i], 0, sizeof(node[i]));
		(void)snprintf(node[i].name, sizeof(node[i].name), "n%d",
			       i + 1);
		node[i].addr = w->node[i].host.addr;
		node[i].tp = w->udp_core ? TP_UDP : TP_TCP;
		node[i].weight = 100;
	}
	w->lst[2].tp = w->udp_core ? TP_UDP : TP_TCP;
	w->ec.lst = w->lst;
	w->ec.node = node;
	if (edge_alloc(&w->edge, &w->ec, w->st, w->net->now))
		abort();
	edge_out(w);
}

static void listeners(struct world *w)
{
	static const uint8_t tp[3] = { TP_UDP, TP_TCP, TP_TCP };

	for (int i = 0; i < 3; i++) {
		struct listener *l = &w->lst[i];

		l->tp = tp[i];
		l->core = i == 2;
		l->bound = l->core ? w->core.addr : w->client.addr;
		(void)snprintf(l->sentby, sizeof(l->sentby), "%s",
			       l->core ? "10.0.0.1:5070" :
			       w->v6 ? "[2001:db8::1]:5060" :
				       "192.0.2.1:5060");
	}
}

static const struct edge_tune tune_default = {
	.no100 = 250, .no18x = 2000, .noreply = 500, .ring = 180000,
	.straight = true,
	.deadline = 10000, .caller_gone = 5000, .flow_timer = 120, .max_attempts = 3, .max_message = 65535,
	.hide = true, .dialog_token = true, .oc = true,
	.probe = {
		.inter = 1000, .fastinter = 200, .downinter = 2000,
		.timeout = 500, .fall = 3, .rise = 2, .jitter = 10,
		.alg = DISP_HASH, .max_nodes = DISP_MAX,
	},
};

static struct world *make(uint64_t seed, void (*tune)(struct edge_conf *ec),
			  bool udp_core, bool v6, const struct world_ops *ops);

struct world *world_new(uint64_t seed, void (*tune)(struct edge_conf *ec))
{
	return world_new_as(seed, tune, false, false);
}

struct world *world_new_as(uint64_t seed, void (*tune)(struct edge_conf *ec),
			   bool udp_core, bool v6)
{
	return make(seed, tune, udp_core, v6, NULL);
}

struct world *world_new_with(uint64_t seed,
			     void (*tune)(struct edge_conf *ec),
			     const struct world_ops *ops, bool udp_core)
{
	return make(seed, tune, udp_core, false, ops);
}

static struct world *make(uint64_t seed, void (*tune)(struct edge_conf *ec),
			  bool udp_core, bool v6, const struct world_ops *ops)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w || secret_init())
		abort();
	w->net = simnet_new(seed);
	if (!w->net || stats_alloc(&w->st))
		abort();
	w->ops = ops;
	w->udp_core = udp_core;
	w->v6 = v6;
	w->net->tap = tap;
	w->net->tap_arg = w;
	w->client = (struct sim_host){
		.name = "edge", .addr = addr_of(v6 ? "[2001:db8::1]:5060" :
					      "192.0.2.1:5060"),
		.recv = edge_got, .lost = edge_gone, .arg = w,
	};
	w->core = (struct sim_host){
		.name = "core", .addr = addr_of("10.0.0.1:5070"),
		.recv = edge_got, .lost = edge_gone, .arg = w,
	};
	sim_add(w->net, &w->client);
	sim_add(w->net, &w->core);
	for (unsigned i = 0; i < W_NODES; i++)
		vnode_init(w, i);
	listeners(w);
	w->ec = (struct edge_conf){
		.lstc = 3, .core = 2, .nodec = W_NODES, .tune = tune_default,
		.t1 = 500, .t2 = 4000, .t4 = 5000, .max_transactions = 10000,
		.key = { 1 }, .branch_key = { 2 }, .boot = 1, .seed = seed,
	};
	if (tune)
		tune(&w->ec);
	edge_start(w);
	world_run(w, 3000);
	return w;
}

void world_restart_edge(struct world *w)
{
	sim_kill(w->net, &w->client);
	sim_kill(w->net, &w->core);
	edge_free(w->edge);
	sim_start(w->net, &w->client);
	sim_start(w->net, &w->core);
	w->ec.boot++;
	w->ec.branch_key[0]++;
	edge_start(w);
	world_run(w, 3000);
}

void world_free(struct world *w)
{
	edge_free(w->edge);
	for (unsigned i = 0; i < W_NODES; i++) {
		if (w->ops)
			w->ops->close(&w->node[i]);
		else
			vnode_close(&w->node[i]);
	}
	if (w->ops)
		w->ops->end(w);
	for (unsigned i = 0; i < w->phonec; i++)
		vphone_close(&w->phone[i]);
	stats_free(w->st);
	simnet_free(w->net);
	free(w);
}

/** Node that is due first and before at, NULL = none */
static struct vnode *due(struct world *w, uint64_t *at)
{
	struct vnode *n = NULL;

	for (unsigned i = 0; w->ops && i < W_NODES; i++) {
		uint64_t t = w->ops->next(&w->node[i]);

		if (t >= *at)
			continue;
		*at = t;
		n = &w->node[i];
	}
	return n;
}

void world_run(struct world *w, uint64_t ms)
{
	uint64_t end = w->net->now + ms;

	for (;;) {
		uint64_t a = sim_next(w->net), b = edge_next(w->edge);
		uint64_t at = a < b ? a : b;
		struct vnode *n = due(w, &at);

		if (at > end)
			break;
		if (!n && a <= b) {
			sim_step(w->net);
			continue;
		}
		if (at > w->net->now)
			w->net->now = at;
		if (n) {
			w->ops->tick(n);
			continue;
		}
		world_in_edge++;
		edge_tick(w->edge, w->net->now);
		world_in_edge--;
		edge_out(w);
	}
	w->net->now = end;
}

uint64_t world_stat(struct world *w, const char *name, const char *labels)
{
	uint64_t v = UINT64_MAX;

	return stat_get(w->st, name, labels, &v) ? v : UINT64_MAX;
}

void edge_flush(struct world *w)
{
	edge_out(w);
}

void world_two_phones(struct world *w, const char *callee, struct vphone **a,
		      struct vphone **b)
{
	*a = world_phone(w, "alice", SIM_DATAGRAM);
	*b = world_phone(w, callee, SIM_DATAGRAM);
	(void)phone_register(*a);
	(void)phone_register(*b);
	world_run(w, 50);
	(*b)->ring = 5;
	(*b)->answer = 20;
}
