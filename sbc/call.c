/* call.c - Pure. A client's request, the nodes tried for it, the gate. */
#include <errno.h>

#include "sbc/edge_priv.h"

void call_alerted(struct call *c, uint64_t now)
{
	if (c->alerted || stxn_method(c->stxn) != SIP_INVITE)
		return;
	c->alerted = true;
	rates_alerted(&c->e->led.rates, now - c->begin, now);
}

/** How long it took and how it ended */
static void call_rate(struct call *c, uint64_t now)
{
	uint16_t code = stxn_code(c->stxn);

	if (stxn_method(c->stxn) == SIP_REGISTER && code == 200)
		rates_registered(&c->e->led.rates, now - c->begin, now);
	if (stxn_method(c->stxn) != SIP_INVITE)
		return;
	rates_invite(&c->e->led.rates, code);
	if (code / 100 == 2)
		call_alerted(c, now);
}

/** The caller has his final answer: nobody else rings for him, whoever they were
 *  asked by. Nodes do the same; but they may be dead, or know of some only. */
static void hang_up(struct call *c, uint64_t now)
{
	struct sl why = stxn_code(c->stxn) / 100 == 2 ? SL(CALL_ELSEWHERE) :
							SL_NONE;

	if (c->cur)
		ctxn_cancel(c->cur->ctxn, why, now);
	for (struct attempt *a = c->attempts; a; a = a->next)
		call_cancel_relays(a, why, now);
}

void call_settle(struct call *c, uint64_t now)
{
	if (c->settled || !c->stxn || !stxn_final(c->stxn))
		return;
	c->settled = true;
	c->e->pending--;
	call_rate(c, now);
	edge_cdr(c);
	hang_up(c, now);
	call_caller_del(c);
	call_asked_free(c);
	call_keep(c, NULL, 0);
}

/** Scan the kept request into e->msg2 */
const struct sip_msg *call_request(struct call *c)
{
	const struct blob *b = stxn_request(c->stxn);
	struct sip_fault fault;

	/* it was scanned before: fails only if that was wrong */
	if (sip_scan(&c->e->msg2, b->p, b->n, true, &fault))
		return NULL;
	return &c->e->msg2;
}

static const char *node_name(const struct edge *e, uint16_t node)
{
	return e->node[node].name;
}

const char *call_method(const struct call *c)
{
	enum sip_method m = stxn_method(c->stxn);

	return m == SIP_M_OTHER ? "other" : sip_method_name(m);
}

/** Its node has said something, or never will */
static void attempt_told(struct attempt *a)
{
	if (a->unanswered)
		disp_heard(a->call->e->disp, a->node);
	a->unanswered = false;
}

/** The attempt is over, however: its node has one request less */
static void attempt_end(struct attempt *a)
{
	a->live = false;
	if (a->call->cur == a)
		a->call->cur = NULL;
	attempt_told(a);
	if (!a->counted)
		return;
	a->counted = false;
	disp_end(a->call->e->disp, a->node);
}

/** Answer here and end the request */
void call_reply(struct call *c, uint16_t code, uint64_t now)
{
	char room[32];

	c->trail.by = CDR_BY_EDGE;
	stxn_reply(c->stxn, code, SL_NONE,
		   code == 503 ? edge_retry_after(c->e, room) : SL_NONE, now);
	call_settle(c, now);
}

static void count_lost(struct call *c, uint64_t now)
{
	struct edge *e = c->e;
	const char *why = c->trail.adopted ? "ringing" : c->silent ? "silent" :
							       "no_node";
	uint64_t *count = c->trail.adopted ? &e->led.lost_ringing : c->silent ?
		&e->led.lost_silent : &e->led.lost_no_node;

	ledger_lost(&e->led, count, why, call_request(c), call_method(c),
		    c->attempts ? node_name(e, c->attempts->node) : "-",
		    c->attemptc, now - c->begin, now);
}

static bool any_up(const struct edge *e)
{
	for (uint16_t i = 0; i < disp_n(e->disp); i++)
		if (disp_is_up(e->disp, i))
			return true;
	return false;
}

/** No further node. A phone's answer is one; RFC 3261 16.7 would make 500 of
 *  503, but 503 is right here, since no node would take another request either.
 *  408 says that this one got lost while others would not be */
static void call_give_up(struct call *c, uint64_t now)
{
	bool silent = c->silent && stxn_method(c->stxn) == SIP_INVITE &&
		      any_up(c->e);

	if (c->full && !c->attemptc)
		c->e->led.full++;
	else if (!c->trail.adopted || !c->code)
		count_lost(c, now);
	if (!call_pass_kept(c, now))
		call_reply(c, silent ? 408 : 503, now);
}

uint32_t call_no100(const struct edge *e, uint16_t node)
{
	return e->tune.no100 ? e->tune.no100 : disp_no100(e->disp, node);
}

static struct ctxn_timers attempt_timers(const struct edge *e, uint16_t node)
{
	return (struct ctxn_timers){
		.no100 = call_no100(e, node),
		.no18x = e->tune.no18x,
		/* the branch to the phone ends first and tells the node */
		.ring = e->tune.ring + 5000,
		.noreply = e->tune.noreply,
	};
}

static int attempt_open(struct call *c, const struct sip_msg *m, uint16_t node,
			uint64_t now)
{
	struct edge *e = c->e;
	struct ctxn_timers tm = attempt_timers(e, node);
	struct attempt *a = eobj_alloc(e, EO_ATTEMPT);
	struct blob *msg;
	int err;

	if (!a)
		return ENOMEM;
	err = ctxn_alloc(&a->ctxn, e->txnl, m->meth, a);
	if (err) {
		eobj_free(a);
		return err;
	}
	a->call = c;
	a->node = node;
	a->next = c->attempts;
	c->attempts = a;
	msg = edge_build_node(e, m, c->stxn, ctxn_branch(a->ctxn), node);
	if (!msg) {
		ctxn_drop(a->ctxn);
		c->attempts = a->next;
		eobj_free(a);
		return ENOMEM;
	}
	a->live = a->counted = a->unanswered = true;
	c->cur = a;
	c->attemptc++;
	cdr_sent(&c->trail, node, now - c->begin);
	disp_begin(e->disp, node);
	ctxn_send(a->ctxn, &e->node[node].flow, msg, &tm, now);
	blob_unref(msg);
	return 0;
}

void call_try(struct call *c, const struct sip_msg *m, uint64_t now)
{
	struct edge *e = c->e;
	struct attempt *old = c->attempts;
	uint16_t node;

	if (!c->chosen && !call_next(c, &c->next_node, now)) {
		call_give_up(c, now);
		return;
	}
	c->chosen = false;
	node = c->next_node;
	disp_set_add(&c->tried, node);
	m = m ? m : call_request(c);
	if (!m || attempt_open(c, m, node, now)) {
		e->led.overload++;
		call_reply(c, 503, now);
		return;
	}
	if (old)
		disp_moved(e->disp, old->node, node);
}

void call_start(struct edge *e, const struct sip_msg *m, const struct flow *f,
		uint64_t key, uint64_t now)
{
	struct call *c = eobj_alloc(e, EO_CALL);
	char room[32];

	if (!c || stxn_alloc(&c->stxn, e->txnl, m, f, c, now)) {
		eobj_free(c);
		e->led.overload++;
		edge_refuse(e, m, f, 503, SL_NONE, edge_retry_after(e, room));
		return;
	}
	c->e = e;
	c->key = key;
	c->begin = c->since = now;
	e->pending++;
	call_caller_add(c);
	/* unproved, he gets no more than the answer: he repeats what he sent
	 * until it comes */
	if (m->meth == SIP_INVITE && !edge_source_quiet(e, f, now))
		stxn_trying(c->stxn, now);
	call_try(c, m, now);
	if (c->cur)
		log_debug("event=request method=%s node=%s call_id=%s",
			  call_method(c), node_name(e, c->cur->node),
			  log_esc(m->callid));
}

/* --- what the node says --- */

static void heard(struct attempt *a, const struct sip_msg *m, uint64_t now)
{
	struct edge *e = a->call->e;
	uint64_t rtt = now - ctxn_sent_at(a->ctxn);

	if (a->heard)
		return;
	a->heard = true;
	attempt_told(a);
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

static void final(struct attempt *a, const struct sip_msg *m, uint64_t now)
{
	struct call *c = a->call;
	struct edge *e = c->e;

	log_debug("event=answer code=%u method=%s node=%s ms=%llu call_id=%s",
		  m->status, call_method(c), node_name(e, a->node),
		  (unsigned long long)(now - c->begin), log_esc(m->callid));
	attempt_end(a);
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
			     node_name(e, a->node), c->attemptc,
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
		ledger_late_2xx(&e->led, m, node_name(e, a->node),
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
	final(a, m, now);
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
	attempt_end(a);
	call_cancel_relays(a, SL_NONE, now);
	if (a->call->stxn && (a->call->cancelled ||
			      !call_pass_kept(a->call, now)))
		call_reply(a->call, a->call->cancelled ? 487 : 408, now);
}

/* --- failover --- */

static enum disp_report report_of(enum fail_why why)
{
	switch (why) {
	case FAIL_SILENT:
	case FAIL_HUNG:
	case FAIL_DOWN:
	case FAIL_ERROR:
	case FAIL_WHY_N:
		break;
	case FAIL_RESET:
		return DISP_RESET;
	case FAIL_REFUSED:
		return DISP_REFUSED;
	}
	return DISP_SILENT;
}

void call_fail(struct attempt *a, enum fail_why why, uint64_t now)
{
	struct call *c = a->call;
	struct edge *e = c->e;
	uint16_t to = a->node;

	if (!a->live || (why == FAIL_SILENT && call_waits(a, now)))
		return;
	attempt_end(a);
	a->lost = true;
	cdr_end(&c->trail, a->node, (uint8_t)(CDR_LOST + why));
	ctxn_abandon(a->ctxn, now);
	/* its connection, or the probes, have been reported as a whole */
	if (why != FAIL_RESET && why != FAIL_DOWN && why != FAIL_ERROR &&
	    !a->late)
		disp_report(e->disp, a->node, report_of(why), 0, now);
	if (!c->stxn || stxn_final(c->stxn))
		return;
	if (a->egress) {
		call_adopt(a, why, now);
		return;
	}
	if (c->cancelled) {
		call_reply(c, 487, now);
		return;
	}
	if (why == FAIL_REFUSED || why == FAIL_ERROR)
		disp_set_add(&c->refused, a->node);
	else
		c->silent = true;
	call_try(c, NULL, now);
	if (c->cur)
		to = c->cur->node;
	if (to != a->node)
		ledger_moved(&e->led, why, &e->msg2, call_method(c),
			     node_name(e, a->node), node_name(e, to),
			     c->attemptc, now - c->begin, now);
}

void call_cancel(struct call *c, struct sl reason, uint64_t now)
{
	if (c->cancelled)
		return;
	c->cancelled = true;
	c->e->led.cancelled++;
	if (c->cur)
		ctxn_cancel(c->cur->ctxn, reason, now);
	/* who is silent has no time-out left that would end it */
	if (c->cur && c->cur->late)
		call_fail(c->cur, FAIL_SILENT, now);
	/* phones stop ringing whatever their node does */
	for (struct attempt *a = c->attempts; a; a = a->next)
		call_cancel_relays(a, reason, now);
	if (!c->cur && c->stxn && !stxn_final(c->stxn))
		call_reply(c, 487, now);
}

/* --- gate --- */

bool call_gate(const struct attempt *a)
{
	return a->live && !a->call->cancelled && !a->call->settled;
}

void call_add_relay(struct attempt *a, struct relay *r)
{
	struct call *c = a->call;

	attempt_told(a);
	r->attempt = a;
	r->next = a->relays;
	a->relays = r;
	/* the node has let him call */
	if (!a->egress && c->stxn)
		edge_source_proved(c->e, stxn_flow(c->stxn), 0, c->e->now);
	if (a->egress == UINT16_MAX)
		return;
	a->egress++;
	a->open++;
}

/* --- the end --- */

static void call_free(struct call *c)
{
	if (c->stxn || c->attempts)
		return;
	call_caller_del(c);
	call_asked_free(c);
	eobj_free(c);
}

/** Is there an attempt but `not` that may still bring an answer? */
static bool waiting(const struct call *c, const struct attempt *not)
{
	for (const struct attempt *a = c->attempts; a; a = a->next)
		if (a != not && (a->live || (a->lost && a->open)))
			return true;
	return false;
}

/** An attempt ends with its branch to the node and all of its relays: an
 *  adopted call rings on long after the node's branch has ended */
static void attempt_release(struct attempt *a)
{
	struct call *c = a->call;
	struct attempt **pp = &c->attempts;

	if (a->ctxn || a->relays)
		return;
	/* nobody is left who could answer */
	if (c->stxn && !stxn_final(c->stxn) && !waiting(c, a))
		call_reply(c, 408, c->e->now);
	while (*pp && *pp != a)
		pp = &(*pp)->next;
	if (*pp)
		*pp = a->next;
	eobj_free(a);
	call_free(c);
}

void call_del_relay(struct attempt *a, struct relay *r)
{
	struct relay **pp = &a->relays;

	while (*pp && *pp != r)
		pp = &(*pp)->next;
	if (*pp)
		*pp = r->next;
	r->attempt = NULL;
	attempt_release(a);
}

void call_stxn_gone(struct call *c)
{
	call_settle(c, c->e->now);
	if (!c->settled) {
		/* cannot be: a transaction ends after its final answer */
		c->settled = true;
		c->e->pending--;
	}
	c->stxn = NULL;
	call_free(c);
}

void call_ctxn_gone(struct attempt *a)
{
	attempt_end(a);
	a->ctxn = NULL;
	attempt_release(a);
}
