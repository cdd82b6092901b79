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

const char *call_method(const struct call *c)
{
	enum sip_method m = stxn_method(c->stxn);

	return m == SIP_M_OTHER ? "other" : sip_method_name(m);
}

bool call_attempt_told(struct attempt *a)
{
	bool was = a->unanswered;

	if (was)
		disp_heard(a->call->e->disp, a->node);
	a->unanswered = false;
	return was;
}

void call_attempt_answered(struct attempt *a, bool timed, uint64_t now)
{
	uint64_t ms = now - ctxn_sent_at(a->ctxn);

	if (call_attempt_told(a))
		disp_waited(a->call->e->disp, a->node, (uint32_t)ms * 1000,
			    timed, now);
}

void call_attempt_end(struct attempt *a)
{
	a->live = false;
	if (a->call->cur == a)
		a->call->cur = NULL;
	(void)call_attempt_told(a);  /* no answer: it says nothing of it */
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
		    c->attempts ? edge_node_name(e, c->attempts->node) : "-",
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

	if (c->cut) {
		call_caller_end(c, now);
		call_reply(c, 408, now);
		return;
	}
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
		stxn_trying_soon(c->stxn, now);
	call_try(c, m, now);
	if (c->cur)
		log_debug("event=request method=%s node=%s call_id=%s",
			  call_method(c), edge_node_name(e, c->cur->node),
			  log_esc(m->callid));
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
	call_attempt_end(a);
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
			     edge_node_name(e, a->node),
			     edge_node_name(e, to), c->attemptc,
			     now - c->begin, now);
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

	if (a->ctxn)
		call_attempt_answered(a, false, c->e->now);
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
	call_attempt_end(a);
	a->ctxn = NULL;
	attempt_release(a);
}
