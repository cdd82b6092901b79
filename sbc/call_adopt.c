/**
 * @file call_adopt.c  Pure. Phones ring for a node that has failed: the edge,
 * through which both legs pass, takes over what the node would have done.
 *
 * Rules of an adopted attempt: 1xx and 2xx of its branches go straight to the
 * caller; the first 2xx or a 6xx cancels the other branches; his CANCEL goes to
 * all of them; Timer C is theirs. No phone is asked twice: the edge forks
 * nothing, and the gate keeps the node from it when it wakes up. When all
 * branches have failed, a further node may know more phones (the next q of a
 * serial fork): it gets the call, and for the phones that have been asked the
 * edge answers (call_asked.c). Without one the caller gets the best answer
 * (RFC 3261 16.7 step 6).
 *
 * Of a node that works, 1xx of young branches and the first 2xx go straight to
 * the caller, too: docs/decisions/0054-ringing-goes-straight.md.
 */
#include "sbc/edge_priv.h"

enum {
	PASS_ON = 250,   /* [ms] a node that works has passed on a phone's answer
			    by then; a phone repeats its 2xx after T1         */
	STRAIGHT = 4000, /* [ms] of a branch. Less than what Timer C of an
			    attempt is longer: a 1xx restarts that of its
			    branch alone                                      */
};

static bool adopted(const struct attempt *a)
{
	return a->lost && a->call->stxn && !stxn_final(a->call->stxn);
}

void call_cancel_relays(struct attempt *a, struct sl reason, uint64_t now)
{
	for (struct relay *r = a->relays; r; r = r->next)
		if (r->ctxn && !r->settled)
			ctxn_cancel(r->ctxn, reason, now);
}

bool call_better(uint16_t code, uint16_t than)
{
	return code && (!than || hop_better(code, than));
}

/** Of two equal ones that which a phone has written */
static bool replaces(uint16_t code, const struct blob *b, uint16_t than,
		     const struct blob *old)
{
	return call_better(code, than) ||
	       (b && !old && !call_better(than, code));
}

void call_keep(struct call *c, struct blob *answer, uint16_t code)
{
	if (code && !replaces(code, answer, c->code, c->answer))
		return;
	if (answer)
		blob_ref(answer);
	blob_unref(c->answer);
	c->answer = answer;
	c->code = code;
}

/** Pass up what was kept, as built for the node */
static bool pass(struct call *c, const struct blob *b, uint16_t code,
		 uint64_t now)
{
	struct edge *e = c->e;
	struct sip_fault fault;

	return b && !sip_scan(&e->msg2, b->p, b->n, true, &fault) &&
	       !edge_pass_up(e, c->stxn, &e->msg2, code, NULL, now);
}

/** An answer m of a phone went past its node. a: of it, NULL = not known */
static void rescued(struct call *c, const struct sip_msg *m,
		    const struct attempt *a, uint64_t now)
{
	ledger_rescued(&c->e->led, m, call_method(c),
		       a ? c->e->node[a->node].name : "-", c->attemptc,
		       now - c->begin, now);
}

bool call_pass_kept(struct call *c, uint64_t now)
{
	uint16_t code;

	if (!c->code)
		return false;
	if (pass(c, c->answer, call_code(c->code), now)) {
		c->trail.by = c->trail.adopted ? CDR_BY_CALLEE : CDR_BY_NODE;
		if (c->trail.adopted)
			rescued(c, &c->e->msg2, c->attempts, now);
		call_settle(c, now);
		return true;
	}
	code = call_code(c->code);
	call_reply(c, c->code < 300 ? 500 : code ? code : c->code, now);
	return true;
}

/** A phone has answered 2xx what the node cannot pass on any more */
static bool salvage(struct attempt *a, uint64_t now)
{
	struct call *c = a->call;

	if (a->code / 100 != 2 || !pass(c, a->answer, 0, now))
		return false;
	c->trail.by = CDR_BY_CALLEE;
	rescued(c, &c->e->msg2, a, now);
	call_settle(c, now);
	return true;
}

/** No branch of a lost attempt is open any more */
static void over(struct attempt *a, uint64_t now)
{
	struct call *c = a->call;
	struct edge *e = c->e;

	call_keep(c, a->answer, a->code);
	/* a 2xx that could not be passed on for want of memory */
	if (a->code / 100 == 2)
		c->stop = true;
	if (c->cancelled || c->stop) {
		if (!call_pass_kept(c, now))
			call_reply(c, c->cancelled ? 487 : 503, now);
		return;
	}
	/* how long phones rang is no node's fault; but a client's other requests
	 * end after 64*T1 */
	if (stxn_method(c->stxn) == SIP_INVITE)
		c->since = now;
	call_try(c, NULL, now);
	if (c->cur)
		ledger_continued(&e->led, call_request(c), call_method(c),
				 e->node[a->node].name,
				 e->node[c->cur->node].name, c->attemptc,
				 now - c->begin, now);
}

/** The node may have died with what its phones said */
static void ring_again(struct attempt *a, uint64_t now)
{
	if (a->told >= a->rang)
		return;
	for (struct relay *r = a->relays; r; r = r->next)
		if (!r->settled)
			(void)pass(a->call, r->ringing, 0, now);
}

void call_adopt(struct attempt *a, enum fail_why why, uint64_t now)
{
	struct call *c = a->call;
	struct edge *e = c->e;

	c->trail.adopted = true;
	/* a phone that answered before the CANCEL reached it has answered */
	if (salvage(a, now))
		return;
	if (c->cancelled) {
		call_cancel_relays(a, SL_NONE, now);
		call_reply(c, 487, now);
		return;
	}
	if (a->code / 100 == 6) {
		c->stop = true;
		call_cancel_relays(a, SL_NONE, now);
	}
	ledger_adopted(&e->led, why, call_request(c), call_method(c),
		       e->node[a->node].name, a->open, now - c->begin, now);
	if (a->open)
		ring_again(a, now);
	else
		over(a, now);
}

bool call_refused(const struct attempt *a)
{
	const struct stxn *s = a->call->stxn;

	return a->lost && (!s || (stxn_final(s) && stxn_code(s) >= 300));
}

void call_rang(struct relay *r, const struct sip_msg *m, struct blob *msg,
	       uint64_t now)
{
	struct attempt *a = r->attempt;

	a->rang++;
	/* the caller waits for it: a node that freezes now must not keep it to
	 * itself until probes tell */
	if (a->live && !a->told && !a->call->cancelled && m->status >= 180)
		ctxn_expect(a->ctxn, call_no100(a->call->e, a->node), now);
	if (msg) {
		blob_unref(r->ringing);
		r->ringing = blob_ref(msg);
	}
	if (adopted(a) &&
	    !edge_pass_up(a->call->e, a->call->stxn, m, 0, NULL, now) &&
	    m->status >= 180)
		call_alerted(a->call, now);
}

/** May what the phone of r says go past the node? */
static bool straight(const struct relay *r, const struct sip_msg *m)
{
	const struct attempt *a = r->attempt;
	const struct call *c = a ? a->call : NULL;

	return m->meth == SIP_INVITE && c && a->live && !c->cancelled &&
		c->stxn && !stxn_final(c->stxn) && r->stxn &&
		c->e->node[a->node].ours && c->e->tune.straight;
}

bool call_rings(struct relay *r, const struct sip_msg *m, uint64_t now)
{
	struct attempt *a = r->attempt;
	struct call *c = a ? a->call : NULL;

	if (!straight(r, m) || now - ctxn_sent_at(r->ctxn) >= STRAIGHT ||
	    edge_pass_up(c->e, c->stxn, m, 0, NULL, now))
		return false;
	a->rang++;
	a->told++;
	c->e->led.straight++;
	if (m->status >= 180)
		call_alerted(c, now);
	return true;
}

/* Over UDP the node would miss it, and ring on */
bool call_answers(struct relay *r, const struct sip_msg *m, uint64_t now)
{
	struct attempt *a = r->attempt;

	if (!straight(r, m) || stxn_final(r->stxn) ||
	    !tp_stream(stxn_flow(r->stxn)->tp) ||
	    !a->call->e->node[a->node].told)
		return false;
	ctxn_accepted(a->ctxn, m->status, now);
	call_final(a, m, now);
	stxn_reply(r->stxn, 200, SL_NONE, SL(INNER_TOLD ": yes\r\n"), now);
	a->call->e->led.straight++;
	return true;
}

bool call_again(struct relay *r, const struct sip_msg *m, uint64_t now)
{
	struct attempt *a = r->attempt;
	struct call *c = a->call;

	if (m->meth != SIP_INVITE || !(r->settled || a->lost) || !c->stxn)
		return false;
	if (stxn_final(c->stxn))
		return stxn_code(c->stxn) / 100 == 2 &&
		       !edge_pass_up(c->e, c->stxn, m, 0, NULL, now);
	/* the node has had the first one long enough to pass it on */
	if (r->settled && now - r->ended >= PASS_ON &&
	    !edge_pass_up(c->e, c->stxn, m, 0, NULL, now)) {
		c->trail.by = CDR_BY_CALLEE;
		rescued(c, m, a, now);
		call_settle(c, now);
	}
	return false;
}

void call_answered(struct relay *r, uint16_t code, struct blob *msg,
		   uint64_t now)
{
	struct attempt *a = r->attempt;
	struct call *c = a->call;

	if (a->open)
		a->open--;
	if (replaces(code, msg, a->code, a->answer)) {
		blob_unref(a->answer);
		a->answer = msg ? blob_ref(msg) : NULL;
		a->code = code;
	}
	if (code >= 300 && !c->settled)
		call_asked_add(c, r, code, msg);
	/* a 2xx to an INVITE comes again, and passes the node then */
	if (a->live && !a->open && (code >= 300 || stxn_method(c->stxn) !=
				    SIP_INVITE))
		ctxn_expect(a->ctxn, c->e->tune.no18x, now);
	if (!adopted(a))
		return;
	if (code / 100 == 6) {
		c->stop = true;
		call_cancel_relays(a, SL_NONE, now);
	}
	if (!salvage(a, now) && !a->open)
		over(a, now);
}
