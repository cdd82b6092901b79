/* edge_hops.c - Pure. Foreign nodes that want to stay in the dialogs they set up.
 *
 * Their Record-Route entries travel inside our token (no client sees them).
 * A request of the dialog goes through those of them that are UP, and back to
 * the edge by a token in the last Route; then to the client. A node that
 * fails meanwhile is passed by: the request goes to the client directly, or, if
 * the node had handed it on, the client's answer does.
 */
#include "sbc/edge_priv.h"

/** The node a Record-Route element names. @return false = none of the pool */
static bool node_of(const struct edge *e, struct sl elem, uint16_t *node)
{
	bool lr, found = false;
	struct addr a;
	struct uri u;

	if (hop_route_parse(elem, &u, &lr) || !lr || uri_addr(&u, &a))
		return false;
	a.port = a.port ? a.port : 5060;
	for (uint16_t i = 0; i < DISP_MAX; i++) {
		const struct addr *p = &e->node[i].flow.peer;

		/* it may write another of its ports than the pool names */
		if (!e->node[i].used || !addr_ip_eq(p, &a) ||
		    (found && p->port != a.port))
			continue;
		*node = i;
		found = true;
	}
	return found;
}

void edge_hops_fold(struct edge *e, const struct sip_msg *m, struct token *t)
{
	const struct sip_hdr *h = sip_hdr(m, SIP_RECORD_ROUTE);
	struct sl top = h ? sip_val(m, h) : SL_NONE;
	struct sip_iter it = { 0 };
	uint16_t node;
	struct sl user;
	struct buf b;

	/* on top is what we wrote, unless nodes record-route */
	if (route_own_next(&e->rc, &top, &user)) {
		t->hopn = 0;
		return;
	}
	buf_fixed(&b, t->hops, sizeof(t->hops));
	while (sip_iter(m, SIP_RECORD_ROUTE, &it) &&
	       !(route_elem_ours(&e->rc, it.val, &user) && sl_isset(user))) {
		if (!node_of(e, it.val, &node))
			continue;
		if (b.n)
			buf_chr(&b, ',');
		hop_put_flat(&b, it.val);
	}
	/* longer ones stay out of the dialog, as before */
	e->led.hops_long += b.err != 0;
	t->hopn = b.err ? 0 : (uint8_t)b.n;
}

static bool up(struct edge *e, uint16_t node)
{
	struct disp_view v;

	return !disp_view(e->disp, node, &v) && v.state == DISP_UP;
}

static void turn_round(struct hops *h)
{
	for (unsigned i = 0; i < h->n / 2; i++) {
		struct sl t = h->v[i];

		h->v[i] = h->v[h->n - 1 - i];
		h->v[h->n - 1 - i] = t;
	}
}

bool edge_hops(struct edge *e, const struct route *r, struct hops *h)
{
	struct sl rest = sl_mk(r->hops, r->hopn), elem;
	uint16_t node;

	h->n = 0;
	while (h->n < HOPS_MAX && sl_elem(&rest, &elem)) {
		if (node_of(e, elem, &node) && up(e, node))
			h->v[h->n++] = elem;
		else
			e->led.hops_skipped++;
	}
	if (r->hops_back)
		turn_round(h);
	return h->n && node_of(e, h->v[0], &h->node);
}

/* --- a request on its way through nodes --- */

bool edge_hops_send(struct relay *y, const struct sip_msg *m,
		    const struct flow *f, const struct route *r, uint64_t now)
{
	struct edge *e = y->e;
	const struct ctxn_timers tm = {
		.no100 = e->tune.no100, .no18x = 0, .noreply = e->tune.noreply,
		.ring = e->tune.ring + 5000,
	};
	struct blob *msg;
	struct hops h;

	if (edge_is_core(e, f) || !r->hopn || !edge_hops(e, r, &h))
		return false;
	msg = edge_build_hops(e, m, f, r, &h, ctxn_branch(y->ctxn));
	if (!msg)
		return false;
	y->by_node = true;
	y->node = h.node;
	e->led.by_node++;
	ctxn_send(y->ctxn, &e->node[h.node].flow, msg, &tm, now);
	blob_unref(msg);
	return true;
}

/** Its branch to the node is nobody's any more: what the node still sends for it
 *  is stopped by the gate */
static void let_go(struct relay *y, uint64_t now)
{
	ctxn_abandon(y->ctxn, now);
	ctxn_set_user(y->ctxn, NULL);
	y->ctxn = NULL;
	y->by_node = false;
}

/** The kept request straight to its client */
static void send_past(struct relay *y, uint64_t now)
{
	struct edge *e = y->e;
	const struct flow *f = stxn_flow(y->stxn);
	const struct ctxn_timers tm = { .ring = e->tune.ring };
	const struct blob *b = stxn_request(y->stxn);
	struct sip_fault fault;
	struct blob *msg = NULL;
	struct route r;

	if (sip_scan(&e->msg2, b->p, b->n, true, &fault) ||
	    ctxn_alloc(&y->ctxn, e->txnl, e->msg2.meth, y)) {
		edge_relay_fail(y, 503, now);
		return;
	}
	route_client(&r, &e->rc, &e->msg2, f);
	if (r.to == ROUTE_FLOW)
		msg = edge_build_client(e, &e->msg2, f, &r,
					ctxn_branch(y->ctxn));
	if (!msg) {
		ctxn_drop(y->ctxn);
		y->ctxn = NULL;
		edge_relay_fail(y, r.to == ROUTE_FLOW ? 500 : 430, now);
		return;
	}
	ctxn_send(y->ctxn, &r.flow, msg, &tm, now);
	blob_unref(msg);
}

/** What the client answered when the node that should have passed it on was
 *  gone already */
static bool pass_kept(struct relay *y, uint64_t now)
{
	struct edge *e = y->e;
	struct sip_fault fault;

	if (!y->answer || sip_scan(&e->msg2, y->answer->p, y->answer->n, true,
				   &fault) ||
	    edge_pass_up(e, y->stxn, &e->msg2, call_code(e->msg2.status),
			 NULL, now))
		return false;
	edge_relay_settle(y, e->msg2.status, now);
	return true;
}

bool edge_hops_failed(struct relay *y, enum fail_why why, uint64_t now)
{
	struct edge *e = y->e;
	struct sip_fault fault;
	const struct blob *b;

	if (!y->by_node || !y->stxn)
		return false;
	let_go(y, now);
	if (stxn_final(y->stxn))
		return true;
	if (why == FAIL_SILENT)
		disp_report(e->disp, y->node, DISP_SILENT, 0, now);
	b = stxn_request(y->stxn);
	(void)sip_scan(&e->msg2, b->p, b->n, true, &fault);
	ledger_passed(&e->led, why, &e->msg2, e->node[y->node].name, now);
	if (pass_kept(y, now))
		return true;
	if (y->cancelled && !y->inner)
		edge_relay_fail(y, 487, now);
	else if (!y->inner)
		send_past(y, now);
	return true;
}

bool edge_hops_timeout(struct relay *y, enum txn_timer timer, uint64_t now)
{
	if (!y->by_node)
		return false;
	switch (timer) {
	case TT_NO100:
	case TT_NOREPLY:
		/* the client has it, and may take his time */
		return y->inner || edge_hops_failed(y, FAIL_SILENT, now);
	case TT_FINAL:
	case TT_NO18X:
	case TT_RING:
		break;
	}
	return false;
}

void edge_hops_tie(struct relay *outer, struct relay *inner)
{
	if (outer->inner)
		outer->inner->outer = NULL;
	outer->inner = inner;
	inner->outer = outer;
}

void edge_hops_untie(struct relay *y, uint64_t now)
{
	edge_hops_no_answer(y, 408, now);
	if (y->inner)
		y->inner->outer = NULL;
	if (y->outer)
		y->outer->inner = NULL;
	y->inner = y->outer = NULL;
}

/** Who waits for the answer of y past a failed node, or NULL */
static struct relay *waits(const struct relay *y)
{
	struct relay *o = y->outer;

	return o && !o->ctxn && o->stxn ? o : NULL;
}

void edge_hops_answer(struct relay *y, const struct sip_msg *m,
		      struct blob *msg, uint64_t now)
{
	struct relay *o = waits(y);

	if (!o) {
		if (!y->outer || m->status < 200 || !msg)
			return;
		blob_unref(y->outer->answer);
		y->outer->answer = blob_ref(msg);
		return;
	}
	if (edge_pass_up(o->e, o->stxn, m, call_code(m->status), NULL, now) &&
	    m->status >= 200)
		stxn_reply(o->stxn, 500, SL_NONE, SL_NONE, now);
	if (m->status >= 200)
		edge_relay_settle(o, m->status, now);
}

void edge_hops_no_answer(struct relay *y, uint16_t code, uint64_t now)
{
	struct relay *o = waits(y);

	if (o && !o->settled)
		edge_relay_fail(o, code, now);
}

void edge_hops_cancel(struct relay *y, struct sl reason, uint64_t now)
{
	y->cancelled = true;
	if (y->ctxn)
		ctxn_cancel(y->ctxn, reason, now);
	else if (y->inner && y->inner->ctxn)
		ctxn_cancel(y->inner->ctxn, reason, now);
}

/** A CANCEL of the node that was given up is not the sender's */
bool edge_hops_adopted(const struct relay *y)
{
	return waits(y) != NULL;
}
