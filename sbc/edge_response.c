/* edge_response.c - Pure. Responses of nodes and clients, timers, ends. */
#include "sbc/edge_priv.h"

/** Its request has its final answer, or never will; once */
static void settle(struct relay *r, uint16_t code, struct blob *msg,
		   uint64_t now)
{
	if (r->settled)
		return;
	r->settled = true;
	r->ended = now;
	r->e->pending--;
	blob_unref(r->ringing);         /* nobody is told of it any more */
	r->ringing = NULL;
	if (r->attempt)
		call_answered(r, code, msg, now);
}

void edge_relay_settle(struct relay *r, uint16_t code, uint64_t now)
{
	settle(r, code, NULL, now);
}

void edge_relay_fail(struct relay *r, uint16_t code, uint64_t now)
{
	edge_hops_no_answer(r, code, now);
	/* 430 is between proxies: RFC 5626 11.1 */
	if (r->stxn)
		stxn_reply(r->stxn, code == 430 && !edge_is_core(r->e,
			   stxn_flow(r->stxn)) ? 480 : code, SL_NONE, SL_NONE,
			   now);
	settle(r, code, NULL, now);
}

void edge_relay_response(struct relay *r, const struct sip_msg *m,
			 uint64_t now)
{
	struct edge *e = r->e;
	struct blob *msg = NULL;

	if (r->given_up) {
		edge_ghost(e, m, &r->ghost, now);
		return;
	}
	edge_peer_heard(r, m, now);
	if (m->status == 100)
		return;
	if (m->status < 200 && call_rings(r, m, now))
		return;
	if (m->status == 503 && r->by_node && !r->inner) {
		(void)edge_hops_failed(r, FAIL_REFUSED, now);
		return;
	}
	if (m->status / 100 == 2 && r->attempt) {
		if (call_refused(r->attempt)) {
			edge_ghost(e, m, &r->ghost, now);
			edge_relay_fail(r, 487, now);
			return;
		}
		if (call_again(r, m, now)) {
			if (!r->settled)        /* the node's side of it */
				edge_relay_fail(r, 487, now);
			return;
		}
		if (call_answers(r, m, now)) {
			settle(r, m->status, NULL, now);
			return;
		}
	}
	if (!r->stxn) {
		/* its node is done with it, an adopted call is not */
		edge_hops_answer(r, m, NULL, now);
		if (!r->attempt || !r->attempt->lost || !r->attempt->call->stxn)
			return;
		msg = edge_build_reply(e, m, r->attempt->call->stxn, 0);
	}
	else if (edge_pass_up(e, r->stxn, m,
			      r->by_node ? call_code(m->status) : 0, &msg,
			      now) &&
		 m->status >= 200) {
		stxn_reply(r->stxn, 500, SL_NONE, SL_NONE, now);
	}
	edge_hops_answer(r, m, msg, now);
	if (m->status >= 200)
		settle(r, m->status, msg, now);
	else if (r->attempt && m->meth == SIP_INVITE)
		call_rang(r, m, msg, now);
	blob_unref(msg);
}

static void got_response(struct edge *e, const struct txn_event *ev,
			 const struct sip_msg *m, uint64_t now)
{
	struct eobj *o = ev->user;

	if (!o)
		return;
	switch (o->kind) {
	case EO_ATTEMPT:
		call_response((struct attempt *)(void *)o, m,
			      ev->kind == TXN_LATE, now);
		break;
	case EO_RELAY:
		edge_relay_response((struct relay *)(void *)o, m, now);
		break;
	case EO_PROBE:
		e->probe_answers++;
		edge_probe_result((struct probe *)(void *)o, m, now);
		break;
	case EO_TELL:
		e->probe_answers++;
		edge_ended_result((struct tell *)(void *)o, m->status, now);
		break;
	case EO_CALL:
	case EO_ASKED:
		break;
	}
}

/** A response must come from where the request went: from the core side, or
 *  from the same host. The port may differ, a phone may have several. */
static bool right_side(struct edge *e, const struct sip_msg *m,
		       const struct flow *f)
{
	struct ctxn *c;
	struct via v;

	/* hidden, no client ever sees a branch of the core side */
	if (e->hc.core && edge_is_core(e, f))
		return true;
	if (via_top(m, &v) || !sl_isset(v.branch))
		return true;        /* matches nothing anyway */
	c = ctxn_by_branch(e->txnl, v.branch, NULL);
	if (!c || e->lst[ctxn_flow(c)->lst].core != edge_is_core(e, f))
		return !c;
	return edge_is_core(e, f) ||
	       addr_ip_eq(&ctxn_flow(c)->peer, &f->peer);
}

void edge_response(struct edge *e, const struct sip_msg *m,
		   const struct flow *f, uint64_t now)
{
	struct txn_event ev = { 0 };

	if (!edge_is_core(e, f) && edge_ask_response(e, m, f))
		return;
	if (!right_side(e, m, f) || (!edge_is_core(e, f) && !admit_fits(m))) {
		e->led.dropped++;
		return;
	}
	txnl_recv(e->txnl, m, f, now, &ev);
	switch (ev.kind) {
	case TXN_RESPONSE:
	case TXN_LATE:
		got_response(e, &ev, m, now);
		break;
	case TXN_STRAY:
		e->led.dropped++;
		break;
	case TXN_NONE:
	case TXN_REQUEST:
	case TXN_ACK:
	case TXN_CANCEL:
	case TXN_TIMEOUT:
	case TXN_NOACK:
	case TXN_GONE:
		break;
	}
}

/* --- events without a message --- */

static void relay_timeout(struct relay *r, enum txn_timer timer, uint64_t now)
{
	if (edge_hops_timeout(r, timer, now) ||
	    edge_peer_timeout(r, timer, now))
		return;
	if (timer == TT_FINAL || timer == TT_RING)
		edge_relay_fail(r, 408, now);
}

static void timed_out(struct eobj *o, enum txn_timer timer, uint64_t now)
{
	switch (o->kind) {
	case EO_ATTEMPT:
		call_timeout((struct attempt *)(void *)o, timer, now);
		break;
	case EO_RELAY:
		relay_timeout((struct relay *)(void *)o, timer, now);
		break;
	case EO_TELL:
		if (timer == TT_FINAL)
			edge_ended_result((struct tell *)(void *)o, 0, now);
		break;
	case EO_PROBE:     /* the dispatcher has its own time-out */
	case EO_CALL:
	case EO_ASKED:
		break;
	}
}

static void relay_gone(struct relay *r, const struct txn_event *ev,
		       uint64_t now)
{
	if (ev->stxn)
		r->stxn = NULL;
	if (ev->ctxn) {
		if (r->stxn && !stxn_final(r->stxn))
			edge_relay_fail(r, 408, now);
		settle(r, 408, NULL, now);
		r->ctxn = NULL;
	}
	if (r->stxn || r->ctxn)
		return;
	settle(r, 408, NULL, now);
	if (r->attempt)
		call_del_relay(r->attempt, r);
	edge_hops_untie(r, now);
	eobj_free(r);
}

static void gone(struct eobj *o, const struct txn_event *ev, uint64_t now)
{
	switch (o->kind) {
	case EO_CALL:
		call_stxn_gone((struct call *)(void *)o);
		break;
	case EO_ATTEMPT:
		call_ctxn_gone((struct attempt *)(void *)o);
		break;
	case EO_RELAY:
		relay_gone((struct relay *)(void *)o, ev, now);
		break;
	case EO_TELL:
		edge_ended_result((struct tell *)(void *)o, 0, now);
		eobj_free(o);
		break;
	case EO_PROBE:
		eobj_free(o);
		break;
	case EO_ASKED:
		break;
	}
}

void edge_event(struct edge *e, const struct txn_event *ev, uint64_t now)
{
	struct eobj *o = ev->user;

	if (!o)
		return;
	switch (ev->kind) {
	case TXN_TIMEOUT:
		timed_out(o, ev->timer, now);
		break;
	case TXN_GONE:
		gone(o, ev, now);
		break;
	case TXN_NOACK:       /* nothing is waiting for it */
	case TXN_NONE:
	case TXN_REQUEST:
	case TXN_ACK:
	case TXN_CANCEL:
	case TXN_RESPONSE:
	case TXN_LATE:
	case TXN_STRAY:
		break;
	}
}
