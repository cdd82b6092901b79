/* edge_probe.c - Pure. The dispatcher's health probes as SIP OPTIONS. */
#include "sbc/edge_priv.h"

#include <errno.h>

void edge_probe_start(struct edge *e, uint16_t node, uint32_t id, uint64_t now)
{
	const struct ctxn_timers tm = { .final = e->tune.probe.timeout };
	struct probe *p = eobj_alloc(e, EO_PROBE);
	struct blob *msg = NULL;

	if (!p || ctxn_alloc(&p->ctxn, e->txnl, SIP_OPTIONS, p)) {
		eobj_free(p);
		disp_probed(e->disp, node, id, false, 0, SL("no memory"), 0,
			    now);
		return;
	}
	p->e = e;
	p->node = node;
	p->id = id;
	p->sent = now;
	msg = edge_build_options(e, &e->node[node], ctxn_branch(p->ctxn),
				 SL_NONE, SL_NONE);
	if (!msg) {
		ctxn_drop(p->ctxn);
		eobj_free(p);
		return;
	}
	ctxn_send(p->ctxn, &e->node[node].flow, msg, &tm, now);
	blob_unref(msg);
}

/** Nodes of other makes answer an OPTIONS to their address with all kinds of
 *  4xx: who says something is alive. 408 and 5xx but 501 are not well. */
static bool healthy(uint16_t code)
{
	return code < 500 ? code != 408 : code == 501;
}

static struct sl reason_of(const struct sip_msg *m)
{
	struct sl h = sip_first(m, SIP_EDGEWISE_HEALTH);

	return sl_isset(h) ? h : m->reason;
}

/** "IP:PORT" of a health header. What a node says must not send us to somebody
 *  else: the address must be the node's own, or loopback beside it */
static void told_http(struct edge_node *n, struct sl val)
{
	struct addr a;

	if (!addr_parse(&a, val, 0) && a.port &&
	    (addr_ip_eq(&a, &n->flow.peer) ||
	     (addr_is_loopback(&a) && addr_is_loopback(&n->flow.peer))))
		n->http = a;
}

/** What the node says of itself; h unset: it is of another make */
static void told(struct edge_node *n, struct sl h)
{
	const struct sl http = SL("http=");

	n->ours = sl_isset(h);
	n->told = false;
	while (h.n) {
		size_t end = sl_chr(h, ';');
		struct sl one = sl_trim(sl_sub(h, 0, end));

		h = sl_sub(h, end + 1, h.n);
		if (sl_starts(one, http))
			told_http(n, sl_sub(one, http.n, one.n));
		else if (sl_eq(one, SL("told=yes")))
			n->told = true;
	}
}

int edge_node_http(const struct edge *e, uint16_t node, struct addr *a)
{
	if (node >= DISP_MAX || !e->node[node].used || !e->node[node].http.af)
		return ENOENT;
	*a = e->node[node].http;
	return 0;
}

void edge_probe_result(struct probe *p, const struct sip_msg *m, uint64_t now)
{
	struct edge *e = p->e;
	struct sl health;

	if (p->done || (m && m->status < 200))
		return;
	p->done = true;
	if (m) {
		health = sip_first(m, SIP_EDGEWISE_HEALTH);
		disp_probed(e->disp, p->node, p->id, healthy(m->status),
			    m->status, reason_of(m),
			    (uint32_t)(now - p->sent) * 1000, now);
		/* the index may be another node's by now */
		if (!e->node[p->node].used ||
		    !flow_eq(ctxn_flow(p->ctxn), &e->node[p->node].flow))
			return;
		told(&e->node[p->node], health);
		if (healthy(m->status))
			edge_learn(e, p->node, health, now);
	}
	else
		disp_probed(e->disp, p->node, p->id, false, 0,
			    SL("connection lost"), 0, now);
}
