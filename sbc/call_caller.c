/**
 * @file call_caller.c  Pure. The stream over which a caller sent his INVITE is
 * lost: he can neither be answered nor cancel. After a while his phones stop
 * ringing, unless he is back with a copy of the INVITE. A REGISTER whose connection
 * is lost goes to no further node: the contact it is for leads nowhere any more, and
 * there it would come after what the phone registers over its next connection.
 *
 * Calls are found by the connection in e->callers; those whose connection is
 * lost stand in e->gone too, in the order in which their time is up.
 */
#include "sbc/edge_priv.h"

static void gone_del(struct call *c)
{
	if (!c->gone_pprev)
		return;
	*c->gone_pprev = c->gone_next;
	if (c->gone_next)
		c->gone_next->gone_pprev = c->gone_pprev;
	else
		c->e->gone_tail = c->gone_pprev;
	c->gone_pprev = NULL;
}

static void gone_add(struct call *c, uint64_t at)
{
	struct edge *e = c->e;

	if (!e->gone)
		e->gone_tail = &e->gone;
	c->gone_at = at;
	c->gone_next = NULL;
	c->gone_pprev = e->gone_tail;
	*e->gone_tail = c;
	e->gone_tail = &c->gone_next;
}

void call_caller_del(struct call *c)
{
	gone_del(c);
	if (!c->pprev)
		return;
	*c->pprev = c->next;
	if (c->next)
		c->next->pprev = c->pprev;
	c->pprev = NULL;
}

void call_caller_add(struct call *c)
{
	const struct flow *f = stxn_flow(c->stxn);
	struct call **head = &c->e->callers[f->conn % EDGE_CALLERS];

	if (!tp_stream(f->tp) || (stxn_method(c->stxn) != SIP_INVITE &&
				  stxn_method(c->stxn) != SIP_REGISTER))
		return;
	c->cut = false;
	c->conn = f->conn;
	c->next = *head;
	c->pprev = head;
	if (c->next)
		c->next->pprev = &c->next;
	*head = c;
}

void call_caller_lost(struct edge *e, const struct flow *f, uint64_t now)
{
	struct call *c = e->callers[f->conn % EDGE_CALLERS];

	if (!f->conn)
		return;
	for (; c; c = c->next) {
		if (c->conn != f->conn)
			continue;
		if (stxn_method(c->stxn) == SIP_REGISTER)
			c->cut = true;
		else if (!c->gone_pprev && !c->cancelled)
			gone_add(c, now + e->tune.caller_gone);
	}
}

void call_caller_seen(struct call *c)
{
	if (!c->pprev || !c->stxn || stxn_flow(c->stxn)->conn == c->conn)
		return;
	call_caller_del(c);
	call_caller_add(c);
}

void call_caller_end(struct call *c, uint64_t now)
{
	struct edge *e = c->e;

	(void)call_request(c);
	e->led.caller_gone++;
	if (log_allow(&e->led.lim_odd, 10, now))
		log_info("event=caller_gone method=%s after=%llums call_id=%s",
			 call_method(c), (unsigned long long)(now - c->begin),
			 log_esc(e->msg2.callid));
}

void call_caller_tick(struct edge *e, uint64_t now)
{
	struct call *c;

	while ((c = e->gone) && c->gone_at <= now) {
		gone_del(c);
		call_caller_end(c, now);
		call_cancel(c, SL_NONE, now);
	}
}

uint64_t call_caller_next(const struct edge *e)
{
	return e->gone ? e->gone->gone_at : UINT64_MAX;
}
