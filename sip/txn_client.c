/**
 * @file txn_client.c  Pure. Client transactions = branches.
 *
 *   INVITE (RFC 3261 17.1.1, RFC 6026)        non-INVITE (17.1.2)
 *
 *   CALLING --1xx--> PROCEEDING (ring)        CALLING --1xx--> PROCEEDING
 *      |\               |    \                    \             /
 *      | \--2xx--> ACCEPTED   \                  final      final
 *      |              |M       \                     v       v
 *      +--300-699--> COMPLETED <+                   COMPLETED
 *                     |D                              |K
 *                    GONE                            GONE
 *
 * A branch that is given up or timed out is the same machine with `zombie`
 * set: it reports nothing but a 2xx to INVITE, and has one timer to its end.
 */
#include "sip/txn_i.h"

/* --- branches of one peer --- */

static struct ctxn **bucket(struct txnl *t, const struct flow *f)
{
	return &t->peer[(addr_hash(&f->peer) + f->tp) % TXN_PEERS];
}

static void link_peer(struct ctxn *c)
{
	struct ctxn **head = bucket(c->l, &c->flow);

	c->next = *head;
	c->pprev = head;
	if (c->next)
		c->next->pprev = &c->next;
	*head = c;
}

/** The one that was begun next; c is not the last of its bucket */
static struct ctxn *newer(const struct ctxn *c)
{
	return container(c->pprev, struct ctxn, next);
}

static void each_next(struct each *e)
{
	e->next = e->next == e->last ? NULL : newer(e->next);
}

static void unlink_peer(struct ctxn *c)
{
	struct each *e;

	if (!c->pprev)
		return;
	for (e = c->l->each; e; e = e->up) {
		if (e->next == c)
			each_next(e);
		if (e->last == c)
			e->last = c->next;
	}
	*c->pprev = c->next;
	if (c->next)
		c->next->pprev = c->pprev;
	c->next = NULL;
	c->pprev = NULL;
}

/* The oldest first: what is sent again stays in the order in which it came */
void txnl_each_ctxn(struct txnl *t, const struct flow *f,
		    void (*h)(struct ctxn *c, void *arg), void *arg)
{
	struct each e;
	struct ctxn *c;

	e.up = t->each;
	e.last = e.next = *bucket(t, f);
	while (e.next && e.next->next)
		e.next = e.next->next;
	t->each = &e;
	while (e.next) {
		c = e.next;
		each_next(&e);
		if (c->flow.tp == f->tp && addr_eq(&c->flow.peer, &f->peer) &&
		    (!f->conn || !c->flow.conn || c->flow.conn == f->conn))
			h(c, arg);
	}
	t->each = e.up;
}

/* --- state --- */

static void stop_all(struct ctxn *c)
{
	struct wheel *w = c->l->w;

	wheel_del(w, &c->retr);
	wheel_del(w, &c->first);
	wheel_del(w, &c->no18x);
	wheel_del(w, &c->ringt);
	wheel_del(w, &c->cretr);
}

void ctxn_end(struct ctxn *c)
{
	struct txnl *t = c->l;

	if (c->state == CS_DEAD)
		return;
	stop_all(c);
	wheel_del(t->w, &c->life);
	txn_over_del(t, &c->over, false);
	unlink_peer(c);
	c->state = CS_DEAD;
	t->st.client_now--;
	txn_die(t, &c->gone);
}

static void send_cancel(struct ctxn *c, uint64_t now)
{
	struct txnl *t = c->l;

	if (c->cancel_sent)
		return;
	c->cancel_sent = true;
	wheel_del(t->w, &c->ringt);
	wheel_del(t->w, &c->no18x);
	wheel_set(t->w, &c->life, now + t->t64);

	c->cancel = txn_cancel(t, c->req, blob_sl(c->reason));
	txn_send(t, &c->flow, c->cancel);
	if (!tp_stream(c->flow.tp)) {
		c->cival = t->cf.t1;
		wheel_set(t->w, &c->cretr, now + c->cival);
	}
}

/** Nothing more is reported but TXN_LATE and TXN_GONE */
static void bury(struct ctxn *c, uint64_t now)
{
	struct txnl *t = c->l;
	uint64_t end = c->sent_at + t->t64;

	if (c->zombie)
		return;
	c->zombie = true;
	unlink_peer(c);
	if (c->state >= CS_COMPLETED)
		return;         /* D, K or M runs already */

	wheel_del(t->w, &c->retr);
	wheel_del(t->w, &c->first);
	wheel_del(t->w, &c->no18x);
	wheel_del(t->w, &c->ringt);
	if (c->meth == SIP_INVITE) {
		wheel_set(t->w, &c->life, now + t->t64);
		if (c->prov)
			send_cancel(c, now);
	}
	else if (end > now) {
		wheel_set(t->w, &c->life, end);
	}
	else {
		ctxn_end(c);
	}
}

void ctxn_abandon(struct ctxn *c, uint64_t now)
{
	if (!c)
		return;
	if (c->state == CS_NEW)
		ctxn_end(c);
	else if (c->state > CS_NEW && c->state < CS_DEAD)
		bury(c, now);
}

void ctxn_cancel(struct ctxn *c, struct sl reason, uint64_t now)
{
	if (!c || c->meth != SIP_INVITE || c->cancel_want ||
	    (c->state != CS_CALLING && c->state != CS_PROCEEDING))
		return;

	c->cancel_want = true;
	if (reason.n)
		c->reason = blob_make(reason.p, reason.n);
	if (c->prov)
		send_cancel(c, now);
	else
		wheel_del(c->l->w, &c->no18x);
}

void ctxn_expect(struct ctxn *c, uint32_t ms, uint64_t now)
{
	if (!c || !ms || c->zombie ||
	    (c->state != CS_CALLING && c->state != CS_PROCEEDING))
		return;
	wheel_set(c->l->w, &c->no18x, now + ms);
}

void ctxn_send(struct ctxn *c, const struct flow *f, struct blob *msg,
	       const struct ctxn_timers *tm, uint64_t now)
{
	const bool inv = c->meth == SIP_INVITE;
	struct txnl *t = c->l;
	uint32_t first;

	if (c->state != CS_NEW)
		return;

	c->flow = *f;
	c->req = msg ? blob_ref(msg) : NULL;
	c->sent_at = now;
	c->state = CS_CALLING;
	c->ring = inv ? tm->ring : 0;
	link_peer(c);
	txn_send(t, f, c->req);

	if (!tp_stream(f->tp)) {
		c->ival = t->cf.t1;
		wheel_set(t->w, &c->retr, now + c->ival);
	}
	wheel_set(t->w, &c->life, now + (tm->final ? tm->final : t->t64));
	first = inv ? tm->no100 : tm->noreply;
	if (first)
		wheel_set(t->w, &c->first, now + first);
	if (inv && tm->no18x)
		wheel_set(t->w, &c->no18x, now + tm->no18x);
	if (c->ring)
		wheel_set(t->w, &c->ringt, now + c->ring);
}

/* --- responses --- */

static void invite_1xx(struct ctxn *c, uint16_t code, uint64_t now)
{
	struct txnl *t = c->l;

	wheel_del(t->w, &c->retr);
	wheel_del(t->w, &c->first);
	if (c->state == CS_CALLING && !c->zombie)
		wheel_del(t->w, &c->life);              /* Timer B */
	c->state = CS_PROCEEDING;
	c->prov = true;
	if (code > 100) {
		wheel_del(t->w, &c->no18x);
		if (c->ring && !c->cancel_sent && !c->zombie)
			wheel_set(t->w, &c->ringt, now + c->ring);
	}
	if (c->cancel_want || c->zombie)
		send_cancel(c, now);
}

static void send_ack(struct ctxn *c, const struct sip_msg *m)
{
	if (!c->ack)
		c->ack = txn_ack(c->l, c->req, m->to);
	txn_send(c->l, &c->flow, c->ack);
}

/** 300-699: true when it is the first and news to the user */
static bool invite_fail(struct ctxn *c, const struct sip_msg *m, uint64_t now)
{
	struct txnl *t = c->l;
	uint64_t d = t->t64 > TXN_D_MIN ? t->t64 : TXN_D_MIN;

	if (c->state == CS_ACCEPTED)
		return false;

	send_ack(c, m);
	if (c->state == CS_COMPLETED) {
		t->st.retrans_in++;
		return false;
	}

	stop_all(c);
	c->state = CS_COMPLETED;
	c->code = m->status;
	if (tp_stream(c->flow.tp))
		ctxn_end(c);                            /* Timer D = 0 */
	else {
		wheel_set(t->w, &c->life, txn_end_at(now + d));
		txn_over(t, &c->over, false, now);
	}
	return true;
}

/** It is not sent again, acknowledged or cancelled: no reason to hold its memory, most
 *  of what a branch costs, until its last timer */
static void forget_request(struct ctxn *c)
{
	blob_unref(c->req);
	c->req = NULL;
}

/**
 * A 2xx is news in every state: also a copy, another fork's, and one that
 * comes behind a failure (a fork below a stateless hop).
 */
static void invite_2xx(struct ctxn *c, uint16_t code, uint64_t now)
{
	if (c->state == CS_ACCEPTED)
		return;
	stop_all(c);
	forget_request(c);
	c->state = CS_ACCEPTED;
	c->code = code;
	wheel_set(c->l->w, &c->life, txn_end_at(now + c->l->t64)); /* M */
	txn_over(c->l, &c->over, false, now);
}

void ctxn_accepted(struct ctxn *c, uint16_t code, uint64_t now)
{
	if (c && c->meth == SIP_INVITE && !c->zombie && code / 100 == 2 &&
	    (c->state == CS_CALLING || c->state == CS_PROCEEDING))
		invite_2xx(c, code, now);
}

static enum txn_kind recv_invite(struct ctxn *c, const struct sip_msg *m,
				 uint64_t now)
{
	bool news = true;

	if (m->status < 200) {
		if (c->state >= CS_COMPLETED)
			return TXN_NONE;
		c->code = m->status;
		invite_1xx(c, m->status, now);
	}
	else if (m->status < 300) {
		invite_2xx(c, m->status, now);
		return c->zombie ? TXN_LATE : TXN_RESPONSE;
	}
	else {
		news = invite_fail(c, m, now);
	}
	return news && !c->zombie ? TXN_RESPONSE : TXN_NONE;
}

static enum txn_kind recv_other(struct ctxn *c, const struct sip_msg *m,
				uint64_t now)
{
	struct txnl *t = c->l;

	if (c->state >= CS_COMPLETED) {
		t->st.retrans_in++;
		return TXN_NONE;
	}

	c->code = m->status;
	if (m->status < 200) {
		c->state = CS_PROCEEDING;
	}
	else {
		stop_all(c);
		c->state = CS_COMPLETED;
		if (m->status < 300)
			forget_request(c);
		if (tp_stream(c->flow.tp))
			ctxn_end(c);                    /* Timer K = 0 */
		else
			wheel_set(t->w, &c->life,
				  txn_end_at(now + t->cf.t4));
	}
	return c->zombie ? TXN_NONE : TXN_RESPONSE;
}

void txn_client_recv(struct txnl *t, const struct sip_msg *m, uint64_t now,
		     struct txn_event *ev)
{
	struct ctxn *c = NULL;
	struct sl branch, sentby;
	enum br b;

	ev->kind = TXN_STRAY;
	txn_via(m, &branch, &sentby);
	b = txn_by_branch(t, branch, &c);
	if (!c) {
		t->st.stray++;
		t->st.forged += b != BR_OVER;
		return;
	}

	if (m->meth == SIP_CANCEL && c->cancel_sent) {
		ev->kind = TXN_NONE;
		if (m->status >= 200)
			wheel_del(t->w, &c->cretr);
		return;
	}
	if (m->meth != (enum sip_method)c->meth) {
		t->st.stray++;
		return;
	}

	ev->ctxn = c;
	ev->user = c->user;
	ev->kind = c->meth == SIP_INVITE ? recv_invite(c, m, now) :
					   recv_other(c, m, now);
}

/* --- timers --- */

static void timer_ae(struct ctxn *c)
{
	struct txnl *t = c->l;
	const bool inv = c->meth == SIP_INVITE;

	t->st.retrans_out++;
	txn_send(t, &c->flow, c->req);
	c->ival *= 2;
	if (!inv && (c->ival > t->cf.t2 || c->state == CS_PROCEEDING))
		c->ival = t->cf.t2;
	wheel_set(t->w, &c->retr, t->now + c->ival);
}

static void timer_cancel(struct ctxn *c)
{
	struct txnl *t = c->l;

	t->st.retrans_out++;
	txn_send(t, &c->flow, c->cancel);
	c->cival = 2 * c->cival < t->cf.t2 ? 2 * c->cival : t->cf.t2;
	wheel_set(t->w, &c->cretr, t->now + c->cival);
}

static bool report(struct ctxn *c, enum txn_timer tt, struct txn_event *ev)
{
	c->l->st.timeouts++;
	ev->kind = TXN_TIMEOUT;
	ev->timer = tt;
	ev->ctxn = c;
	ev->user = c->user;
	return true;
}

static bool end(struct ctxn *c, enum txn_timer tt, struct txn_event *ev)
{
	if (c->zombie || c->state >= CS_COMPLETED) {
		ctxn_end(c);
		return false;
	}
	bury(c, c->l->now);
	return report(c, tt, ev);
}

bool ctxn_fire(struct ctxn *c, enum txn_tk k, struct txn_event *ev)
{
	switch (k) {

	case TK_C_RETR:
		timer_ae(c);
		return false;
	case TK_C_CANCEL:
		timer_cancel(c);
		return false;
	case TK_C_FIRST:
		return report(c, c->meth == SIP_INVITE ? TT_NO100 : TT_NOREPLY,
			      ev);
	case TK_C_NO18X:
		return report(c, TT_NO18X, ev);
	case TK_C_RING:
		return end(c, TT_RING, ev);
	case TK_C_LIFE:
		return end(c, TT_FINAL, ev);
	case TK_S_RETR:
	case TK_S_LIFE:
		break;
	}
	return false;
}
