/**
 * @file call_adopt.c  Pure. Phones ring for a node that has failed: the edge,
 * through which both legs pass, takes over what the node would have done.
 *
 * Rules of an adopted attempt: 1xx and 2xx of its branches go straight to the
 * caller; the first 2xx or a 6xx cancels the other branches; when all have failed
 * the caller gets the best answer (RFC 3261 16.7 step 6); his CANCEL goes to
 * all of them; Timer C is theirs. No phone is asked twice: nothing new is
 * forked, and the gate keeps the node from it when it wakes up.
 */
#include "sbc/edge_priv.h"

#define ELSEWHERE \
	"Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n"

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

/** Which of two final answers the caller should get: RFC 3261 16.7 step 6 */
static bool better(uint16_t code, uint16_t than)
{
	if (!than || than / 100 == 2)
		return !than;
	if (code / 100 == 2 || code / 100 == 6)
		return than / 100 != 6 || code / 100 == 2;
	return than / 100 != 6 && code / 100 < than / 100;
}

/** Pass up what was kept, as built for the node */
static bool pass_kept(struct call *c, const struct blob *b, uint16_t code,
		      uint64_t now)
{
	struct edge *e = c->e;
	struct sip_fault fault;

	return b && !sip_scan(&e->msg2, b->p, b->n, true, &fault) &&
	       !edge_pass_up(e, c->stxn, &e->msg2, code, NULL, now);
}

/**
 * Phones have answered what the node cannot pass on any more: a 2xx goes to the
 * caller at once, a failure when no branch is open.
 * @return true when the caller has his final answer
 */
static bool salvage(struct attempt *a, uint64_t now)
{
	struct call *c = a->call;

	if (!a->answer || (a->code >= 300 && a->open) ||
	    !pass_kept(c, a->answer, call_code(a->code), now))
		return false;
	if (a->code < 300)
		call_cancel_relays(a, SL(ELSEWHERE), now);
	c->trail.by = CDR_BY_CALLEE;
	ledger_rescued(&c->e->led, &c->e->msg2, call_method(c),
		       c->e->node[a->node].name, c->attemptc, now - c->begin,
		       now);
	call_settle(c);
	return true;
}

/** Not a branch is open, and none has left an answer */
static void lost(struct attempt *a, enum fail_why why, uint64_t now)
{
	struct call *c = a->call;
	struct edge *e = c->e;

	ledger_lost(&e->led, &e->led.lost_ringing, fail_why_name(why),
		    call_request(c), call_method(c), e->node[a->node].name,
		    c->attemptc, now - c->begin, now);
	call_reply(c, 503, now);
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
	if (!a->open) {
		lost(a, why, now);
		return;
	}
	ledger_adopted(&e->led, why, call_request(c), call_method(c),
		       e->node[a->node].name, a->open, now - c->begin, now);
	/* the node may have died with it */
	if (a->ringing && stxn_code(c->stxn) <= 100)
		(void)pass_kept(c, a->ringing, 0, now);
}

bool call_refused(const struct attempt *a)
{
	const struct stxn *s = a->call->stxn;

	return a->lost && (!s || (stxn_final(s) && stxn_code(s) >= 300));
}

void call_rang(struct attempt *a, const struct sip_msg *m, struct blob *msg,
	       uint64_t now)
{
	if (adopted(a)) {
		(void)edge_pass_up(a->call->e, a->call->stxn, m, 0, NULL, now);
		return;
	}
	if (!msg || !a->call->stxn || stxn_code(a->call->stxn) > 100)
		return;
	blob_unref(a->ringing);
	a->ringing = blob_ref(msg);
}

bool call_again(struct attempt *a, const struct sip_msg *m, bool copy,
		uint64_t now)
{
	struct call *c = a->call;

	if (m->meth != SIP_INVITE || !(copy || a->lost) || !c->stxn ||
	    stxn_code(c->stxn) / 100 != 2)
		return false;
	return !edge_pass_up(c->e, c->stxn, m, 0, NULL, now);
}

void call_answered(struct attempt *a, uint16_t code, struct blob *msg,
		   uint64_t now)
{
	struct call *c = a->call;

	if (a->open)
		a->open--;
	if (msg && better(code, a->code)) {
		blob_unref(a->answer);
		a->answer = blob_ref(msg);
		a->code = code;
	}
	if (!adopted(a))
		return;
	if (code / 100 == 6)
		call_cancel_relays(a, SL_NONE, now);
	/* 430 is between proxies: RFC 5626 11.1 */
	if (!salvage(a, now) && !a->open)
		call_reply(c, code == 430 ? 480 : code < 300 ? 500 : code,
			   now);
}
