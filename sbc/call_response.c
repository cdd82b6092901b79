/* call_response.c - Pure. What a node says to an attempt, or does not say in
 * time. */
#include "sbc/edge_priv.h"

static void heard(struct attempt *a, const struct sip_msg *m, uint64_t now)
{
	struct edge *e = a->call->e;
	uint64_t rtt = now - ctxn_sent_at(a->ctxn);

	if (a->heard)
		return;
	a->heard = true;
	/* INVITE has its 100, and who has no credentials his challenge, as soon
	 * as the node has read it */
	call_attempt_answered(a, m->meth == SIP_INVITE || m->status == 401 ||
			      m->status == 407, now);
	cdr_first(&a->call->trail, a->node, now - a->call->begin);
	if (m->meth == SIP_INVITE)
		disp_answered(e->disp, a->node, (uint32_t)rtt * 1000);
	if (m->status != 503 || a->egress)
		disp_report(e->disp, a->node, DISP_OK, (uint32_t)rtt * 1000,
			    now);
}

/** What the node itself, no phone behind it, says against itself */
static void unwell(struct attempt *a, const struct sip_msg *m, uint64_t now)
{
	struct disp *d = a->call->e->disp;
	struct sl v = sip_first(m, SIP_RETRY_AFTER);
	size_t n = 0;
	uint32_t s;

	if (a->egress || !a->live)
		return;
	while (n < v.n && v.p[n] >= '0' && v.p[n] <= '9')
		n++;
	if (m->status == 503 && n && !sl_u32(sl_sub(v, 0, n), 86400, &s))
		disp_retry_after(d, a->node, s, now);
	else if (m->status == 500 || m->status == 504)
		disp_report(d, a->node, DISP_FAILED, 0, now);
}

/** A callee's 503 must not make the phone think that the edge is out of order:
 *  RFC 3261 16.7 step 6; 430 is between proxies: RFC 5626 11.1. 0 = as it is */
uint16_t call_code(uint16_t code)
{
	return code == 503 ? 500 : code == 430 ? 480 : 0;
}

void call_final(struct attempt *a, const struct sip_msg *m, uint64_t now)
{
	struct call *c = a->call;
	struct edge *e = c->e;

	log_debug("event=answer code=%u method=%s node=%s ms=%llu call_id=%s",
		  m->status, call_method(c), edge_node_name(e, a->node),
		  (unsigned long long)(now - c->begin), log_esc(m->callid));
	call_attempt_end(a);
	cdr_end(&c->trail, a->node, CDR_ANSWERED);
	c->trail.by = a->egress ? CDR_BY_CALLEE : CDR_BY_NODE;
	edge_source_answer(c, m, now);
	if (m->meth == SIP_REGISTER && m->status == 200) {
		edge_registered(e, call_request(c), stxn_flow(c->stxn));
		edge_overload_phone(e, c->key, stxn_flow(c->stxn), now);
	}
	blob_unref(a->answer);
	a->answer = NULL;
	if (m->status >= 300 && !c->cancelled &&
	    call_better(c->code, m->status) && call_pass_kept(c, now))
		return;
	if (edge_pass_up(e, c->stxn, m, call_code(m->status), NULL, now)) {
		edge_ghost(e, m, &a->ghost, now);
		/* an answer that cannot be passed on is an answer still */
		stxn_reply(c->stxn, 500, SL_NONE, SL_NONE, now);
	}
	if (!c->settled && c->attemptc > 1)
		ledger_saved(&e->led, m, call_method(c),
			     edge_node_name(e, a->node), c->attemptc,
			     now - c->begin, now);
	call_settle(c, now);
}

/** A 500 of the node itself: it is out of order, another may not be. No silence
 *  and no refusal: a client may have written what no node can digest. */
static void broken(struct attempt *a, const struct sip_msg *m, uint64_t now)
{
	struct call *c = a->call;
	struct blob *b = edge_build_reply(c->e, m, c->stxn, 0);

	if (b)
		call_keep(c, b, m->status);
	blob_unref(b);
	call_fail(a, FAIL_ERROR, now);
}

void call_response(struct attempt *a, const struct sip_msg *m, bool late,
		   uint64_t now)
{
	struct call *c = a->call;
	struct edge *e = c->e;

	edge_oc(e, a->node, m, now);
	if (!c->stxn) {
		edge_ghost(e, m, &a->ghost, now);
		return;
	}
	if (late) {
		ledger_late_2xx(&e->led, m, edge_node_name(e, a->node),
				now - c->begin, now);
		if (edge_pass_up(e, c->stxn, m, 0, NULL, now))
			edge_ghost(e, m, &a->ghost, now);
		call_settle(c, now);
		return;
	}
	heard(a, m, now);
	unwell(a, m, now);
	if (m->status < 200) {
		if (a->late && m->status == 100)
			ctxn_expect(a->ctxn, e->tune.no18x ? e->tune.no18x :
				    e->tune.ring, now);
		a->late = false;
		if (m->status > 100 && a->live) {
			a->told++;
			if (!edge_pass_up(e, c->stxn, m, 0, NULL, now) &&
			    m->status >= 180)
				call_alerted(c, now);
		}
		return;
	}
	if (m->status == 503 && !a->egress && a->live) {
		call_fail(a, FAIL_REFUSED, now);
		return;
	}
	/* what comes from a phone is an answer */
	if (m->status == 500 && !a->egress && !a->replayed && a->live) {
		broken(a, m, now);
		return;
	}
	call_final(a, m, now);
}

void call_timeout(struct attempt *a, enum txn_timer timer, uint64_t now)
{
	if (!a->live)
		return;
	switch (timer) {
	case TT_NO100:
	case TT_NOREPLY:
		if (!a->egress)
			call_fail(a, FAIL_SILENT, now);
		return;
	case TT_NO18X:
		if (a->late) {
			call_fail(a, FAIL_SILENT, now);
			return;
		}
		/* or it owes us an answer, or a further phone: call_answered();
		 * or what a phone said: call_rang() */
		if (!a->open || (a->rang && !a->told))
			call_fail(a, FAIL_HUNG, now);
		return;
	case TT_FINAL:
	case TT_RING:
		break;
	}
	/* the branch has ended without an answer. Each phone has a Timer C of its
	 * own, which ends first and tells the node: a node that has asked some
	 * has hung, or rings the third in a row that says nothing */
	if (a->egress && a->call->stxn && !stxn_final(a->call->stxn) &&
	    !a->call->cancelled) {
		call_fail(a, FAIL_HUNG, now);
		return;
	}
	call_attempt_end(a);
	call_cancel_relays(a, SL_NONE, now);
	if (a->call->stxn && (a->call->cancelled ||
			      !call_pass_kept(a->call, now)))
		call_reply(a->call, a->call->cancelled ? 487 : 408, now);
}
