/* edge_request.c - Pure. A request from a client or a node: judged, routed,
 * forwarded. */
#include "sbc/edge_priv.h"

/** How far down the Vias our own branch is looked for */
enum { VIA_LOOK = 8 };
/** How many passes back a loop is looked for */
enum { LOOP_LOOK = 24 };

static void count_route(struct edge *e, const struct route *r)
{
	e->led.token_forged += r->forged;
	e->led.token_misused += r->misused;
	e->led.route_inside += r->inside;
	if (r->to == ROUTE_FLOW && r->found)
		e->led.found[r->path]++;
	if (r->to == ROUTE_POOL)
		e->led.route_foreign += r->foreign;
}

/* --- requests from nodes: which call are they of --- */

enum gate { GATE_OPEN, GATE_CLOSED };

/**
 * The attempt a node's request belongs to: the Vias below the node's own hold
 * the branch under which we gave it the call.
 *
 * @param ap     NULL = of no client's call (a node's own request)
 * @param outer  a request in a dialog that the node was to pass on, or NULL
 */
static enum gate find_attempt(struct edge *e, const struct sip_msg *m,
			      struct attempt **ap, struct relay **outer)
{
	struct via v;

	*ap = NULL;
	*outer = NULL;
	for (unsigned n = 1; n < VIA_LOOK && !via_nth(m, n, &v); n++) {
		struct eobj *o;
		struct ctxn *c;
		bool foreign;

		if (!sl_isset(v.branch))
			continue;
		c = ctxn_by_branch(e->txnl, v.branch, &foreign);
		/* another proxy's, in a pool of several hops */
		if (!c && foreign)
			continue;
		if (!c)
			return GATE_CLOSED;
		o = ctxn_user(c);
		if (!o)                 /* passed by: edge_hops.c */
			return GATE_CLOSED;
		if (o->kind == EO_RELAY) {
			*outer = (struct relay *)(void *)o;
			if ((*outer)->by_node)
				return (*outer)->inner || (*outer)->cancelled ?
					GATE_CLOSED : GATE_OPEN;
			*outer = NULL;
		}
		if (o->kind != EO_ATTEMPT)
			continue;
		*ap = (struct attempt *)(void *)o;
		return call_gate(*ap) ? GATE_OPEN : GATE_CLOSED;
	}
	e->led.untied++;
	return GATE_OPEN;
}

/* --- to a client --- */

static struct ctxn_timers relay_timers(const struct edge *e)
{
	return (struct ctxn_timers){ .ring = e->tune.ring };
}

static void relay_start(struct edge *e, const struct sip_msg *m,
			const struct flow *f, const struct route *r,
			struct attempt *a, struct relay *outer, uint64_t now)
{
	struct relay *y = eobj_alloc(e, EO_RELAY);
	struct ctxn_timers tm = relay_timers(e);
	struct blob *msg;
	char room[32];

	if (!y || stxn_alloc(&y->stxn, e->txnl, m, f, y, now)) {
		eobj_free(y);
		e->led.overload++;
		edge_refuse(e, m, f, 503, SL_NONE, edge_retry_after(e, room));
		return;
	}
	y->e = e;
	e->pending++;
	if (m->meth == SIP_INVITE)
		stxn_trying_soon(y->stxn, now);
	if (ctxn_alloc(&y->ctxn, e->txnl, m->meth, y)) {
		y->ctxn = NULL;
		e->led.overload++;
		edge_relay_fail(y, 503, now);
		return;
	}
	if (edge_hops_send(y, m, f, r, now))
		return;
	msg = edge_build_client(e, m, f, r, ctxn_branch(y->ctxn));
	if (!msg) {
		ctxn_drop(y->ctxn);
		y->ctxn = NULL;
		edge_relay_fail(y, 500, now);
		return;
	}
	y->found = r->found;
	edge_peer_sent(y, r, m, &tm);
	if (a)
		call_add_relay(a, y);
	if (outer)
		edge_hops_tie(outer, y);
	ctxn_send(y->ctxn, &r->flow, msg, &tm, now);
	blob_unref(msg);
}

/** Inside a dialog the ACK to a refusal looks like one for the client: with a
 *  transaction it is absorbed */
static void refuse_whole(struct edge *e, const struct sip_msg *m,
			 const struct flow *f, uint16_t code, uint64_t now)
{
	struct stxn *s;

	if (m->meth != SIP_INVITE || !sl_isset(m->to_tag) ||
	    stxn_alloc(&s, e->txnl, m, f, NULL, now)) {
		edge_refuse(e, m, f, code, SL_NONE, SL_NONE);
		return;
	}
	ledger_refused(&e->led, code);
	stxn_reply(s, code, SL_NONE, SL_NONE, now);
}

static void from_core(struct edge *e, const struct sip_msg *m,
		      const struct flow *f, const struct route *r,
		      uint64_t now)
{
	struct attempt *a;
	struct relay *outer;
	struct sl ruri = m->ruri;
	char mem[SIP_AOR_MAX + 32];
	struct buf b;
	uint16_t twice;

	if (find_attempt(e, m, &a, &outer) == GATE_CLOSED) {
		ledger_gate(&e->led, m, now);
		refuse_whole(e, m, f, 487, now);
		return;
	}
	buf_fixed(&b, mem, sizeof(mem));
	if (a && r->peer)
		ruri = edge_peer_ruri_out(e, r, m, &b);
	if (a && call_asked(a, m, f, &r->flow, ruri, now))
		return;
	twice = a ? edge_known_twice(a, r) : 0;
	if (twice) {
		e->led.found_twice++;
		edge_refuse(e, m, f, twice, SL_NONE, SL_NONE);
		return;
	}
	e->led.egress++;
	relay_start(e, m, f, r, a, outer, now);
}

/* --- from a client --- */

/** The newest branch towards a client among the Vias of m */
static struct relay *find_relay(struct edge *e, const struct sip_msg *m)
{
	struct via v;

	/* from 0 on: a phone may send back what it got to the letter */
	for (unsigned n = 0; n < VIA_LOOK && !via_nth(m, n, &v); n++) {
		struct ctxn *c = sl_isset(v.branch) ?
			ctxn_by_branch(e->txnl, v.branch, NULL) : NULL;
		struct eobj *o = c ? ctxn_user(c) : NULL;

		if (o && o->kind == EO_RELAY)
			return (struct relay *)(void *)o;
	}
	return NULL;
}

/** Scans b into e->msg2: does it ask for the same as m? */
static bool same_request(struct edge *e, const struct blob *b,
			 const struct sip_msg *m)
{
	struct sip_fault fault;

	e->msg2.req = false;
	return b && !sip_scan(&e->msg2, b->p, b->n, true, &fault) &&
	       sl_eq(e->msg2.ruri, m->ruri) &&
	       sl_eq(e->msg2.callid, m->callid);
}

/**
 * The same request was here before, on its way to a client, and is back with
 * the Request-URI that it had when it left, or when it came: RFC 3261 16.3
 * step 4, RFC 5393 4. With hidden Vias each pass shows the branch of the one
 * before only, so they are followed backwards. A call passes here twice anyway
 * and other Request-URIs are a spiral.
 */
static bool is_loop(struct edge *e, const struct sip_msg *m)
{
	struct relay *r = find_relay(e, m);

	for (int pass = 0; r && pass < LOOP_LOOK; pass++) {
		const struct stxn *s = r->attempt ? r->attempt->call->stxn :
						    NULL;

		if (r->ctxn && same_request(e, ctxn_request(r->ctxn), m))
			return true;
		if (!s)
			return false;
		if (same_request(e, stxn_request(s), m))
			return true;
		r = e->msg2.req ? find_relay(e, &e->msg2) : NULL;
	}
	return false;
}

static void from_client(struct edge *e, const struct sip_msg *m,
			const struct flow *f, const struct route *r,
			uint64_t now)
{
	struct peer *p = edge_peer_of(e, f);
	char room[32], mem[SIP_AOR_MAX + 32];
	struct buf ruri;

	e->led.requests[m->meth]++;
	if (r->to == ROUTE_FLOW) {
		e->led.dialog++;
		relay_start(e, m, f, r, NULL, NULL, now);
		return;
	}
	if (is_loop(e, m)) {
		e->led.loops++;
		edge_refuse(e, m, f, 482, SL_NONE, SL_NONE);
		return;
	}
	if (e->draining) {
		edge_refuse(e, m, f, 503, SL_NONE, edge_retry_after(e, room));
		return;
	}
	if (!edge_peer_admit(e, p, m, f, now))
		return;
	buf_fixed(&ruri, mem, sizeof(mem));
	call_start(e, m, f, p && m->meth != SIP_REGISTER ? route_key_of(
		   edge_peer_ruri_in(e, p, m, &ruri)) : r->key, now);
}

/* --- ACK to a 2xx: no transaction, RFC 3261 16.6 step 10, 17 --- */

static void pass_ack(struct edge *e, const struct sip_msg *m,
		     const struct flow *f, const struct route *r)
{
	struct sl branch = m->top.branch;
	char room[32];
	const struct flow *to = &r->flow;
	struct hops hops;
	struct blob *msg;
	struct buf b;
	uint64_t h;

	/* by a path token: a node's ACK to a refusal of ours, hop by hop */
	if (r->path)
		return;
	if (r->to != ROUTE_FLOW) {
		e->led.ack_dropped++;
		log_debug("event=ack_dropped call_id=%s", log_esc(m->callid));
		return;
	}
	/* equal for copies of one ACK, never equal to a transaction's */
	if (!sl_istarts(branch, SL(SIP_COOKIE)))   /* not one of its kind */
		branch = sip_first(m, SIP_VIA);
	h = secret_hash(e->branch_key, branch.p, branch.n);
	buf_fixed(&b, room, sizeof(room));
	buf_lit(&b, SIP_COOKIE "a.");
	buf_hex(&b, &h, sizeof(h));
	if (!edge_is_core(e, f) && r->hopn && edge_hops(e, r, &hops)) {
		to = &e->node[hops.node].flow;
		msg = edge_build_hops(e, m, f, r, &hops, buf_as_sl(&b));
	}
	else {
		msg = edge_build_client(e, m, f, r, buf_as_sl(&b));
	}
	if (msg)
		outq_send(&e->out, to, msg);
}

/* --- all --- */

static void new_request(struct edge *e, const struct sip_msg *m,
			const struct flow *f, uint64_t now)
{
	bool core = edge_is_core(e, f);
	struct route r;

	if (core && (edge_keep(e, m, f) || edge_ask(e, m, f)))
		return;
	/* before any work on tokens and nodes */
	if (!core && m->meth != SIP_ACK && !edge_overload_takes(e, m, f, now))
		return;
	if (core) {
		if (!edge_peer_route(e, m, &r, now))
			route_core(&r, &e->rc, m);
	}
	else {
		route_client(&r, &e->rc, m, f);
	}
	count_route(e, &r);
	if (m->meth == SIP_ACK) {
		pass_ack(e, m, f, &r);
		return;
	}
	if (!core && r.to != ROUTE_FLOW && !edge_source_new(e, m, f, &r, now))
		return;
	switch (r.to) {
	case ROUTE_LOCAL:
		edge_refuse(e, m, f, 200, SL_NONE, SL_NONE);
		return;
	case ROUTE_REFUSE:
		e->led.flow_failed += r.code == 430 && !r.path;
		/* 430 is between proxies: RFC 5626 11.1 */
		if (r.code == 430 && !core)
			edge_refuse(e, m, f, 480, SL_NONE, SL_NONE);
		else
			edge_refuse(e, m, f, r.code,
				    r.why ? sl_cstr(r.why) : SL_NONE, SL_NONE);
		return;
	case ROUTE_POOL:
	case ROUTE_FLOW:
		break;
	}
	if (core) {
		e->led.core_requests++;
		from_core(e, m, f, &r, now);
	}
	else {
		from_client(e, m, f, &r, now);
	}
}

/** Why the caller cancels, RFC 3326: phones need not show a missed call */
static struct sl reason_of(const struct sip_msg *m)
{
	const struct sip_hdr *h = sip_hdr(m, SIP_REASON);

	return h ? sl_mk(m->raw.p + h->off, h->end - h->off) : SL_NONE;
}

static void cancelled(struct edge *e, const struct sip_msg *m, struct stxn *s,
		      uint64_t now)
{
	struct eobj *o = s ? stxn_user(s) : NULL;
	struct relay *r;

	if (!o)
		return;
	if (o->kind == EO_CALL)
		call_cancel((struct call *)(void *)o, reason_of(m), now);
	if (o->kind != EO_RELAY)
		return;
	r = (struct relay *)(void *)o;
	/* a node that wakes up finds our CANCEL and cancels its branches: but
	 * they are the edge's now */
	if ((r->attempt && r->attempt->lost) || edge_hops_adopted(r))
		stxn_reply(s, 487, SL_NONE, SL_NONE, now);
	else
		edge_hops_cancel(r, reason_of(m), now);
}

/** A copy of a request that is under way */
static void again(struct stxn *s)
{
	struct eobj *o = s ? stxn_user(s) : NULL;

	if (o && o->kind == EO_CALL)
		call_caller_seen((struct call *)(void *)o);
}

void edge_request(struct edge *e, const struct sip_msg *m,
		  const struct flow *f, uint64_t now)
{
	const struct admit_conf ac = { .max_message = e->tune.max_message,
				       .outside = !edge_is_core(e, f) };
	struct txn_event ev = { 0 };

	switch (admit_request(&e->adm, &ac, m)) {
	case ADMIT_OK:
		break;
	case ADMIT_REFUSE:
		edge_refuse(e, m, f, e->adm.code, e->adm.phrase,
			    e->adm.extra);
		return;
	case ADMIT_DROP:
		e->led.dropped++;
		return;
	}
	txnl_recv(e->txnl, m, f, now, &ev);
	switch (ev.kind) {
	case TXN_REQUEST:
	case TXN_ACK:
		new_request(e, m, f, now);
		break;
	case TXN_CANCEL:
		cancelled(e, m, ev.stxn, now);
		break;
	case TXN_NONE:
		again(ev.stxn);
		break;
	case TXN_RESPONSE:
	case TXN_LATE:
	case TXN_STRAY:
	case TXN_TIMEOUT:
	case TXN_NOACK:
	case TXN_GONE:
		break;
	}
}
