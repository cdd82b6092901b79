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
#include <errno.h>
#include <stdlib.h>

#include "sip/txn_i.h"

/* --- the token in the Via --- */

static uint64_t check_of(const struct txnl *t, uint32_t idx, uint32_t gen)
{
	const uint32_t in[4] = { idx, gen, 0x6272616e, 0x6368 };

	return secret_hash(t->cf.key, in, sizeof(in));
}

static void put_hex(char **p, uint64_t v, unsigned digits)
{
	while (digits--)
		*(*p)++ = "0123456789abcdef"[v >> (4 * digits) & 15];
}

static void make_branch(struct ctxn *c)
{
	char *p = c->branch;

	c->check = check_of(c->l, c->idx, c->gen);
	memcpy(p, SIP_COOKIE, 7);
	p += 7;
	put_hex(&p, c->idx, 6);
	put_hex(&p, c->gen, 8);
	put_hex(&p, c->check, 16);
}

/** Upper case too: a peer may write tokens as it likes (RFC 3261 7.3.1) */
static bool get_hex(const char **p, unsigned digits, uint64_t *vp)
{
	uint64_t v = 0;
	char c;

	while (digits--) {
		c = *(*p)++;
		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = v << 4 | (uint64_t)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	*vp = v;
	return true;
}

enum br {
	BR_FOREIGN,     /**< not in our form                              */
	BR_FORGED,      /**< in our form, but not made by us              */
	BR_OVER,        /**< ours, the branch is no more                  */
	BR_LIVE,
};

/** Array look-up; *cp is set for BR_LIVE */
static enum br by_branch(struct txnl *t, struct sl br, struct ctxn **cp)
{
	const char *p = br.p;
	uint64_t idx, gen, check;
	struct ctxn *c = NULL;

	if (br.n != TXN_BRANCH || !sl_istarts(br, SL(SIP_COOKIE)))
		return BR_FOREIGN;
	p += 7;
	if (!get_hex(&p, 6, &idx) || !get_hex(&p, 8, &gen) ||
	    !get_hex(&p, 16, &check))
		return BR_FOREIGN;

	if (idx / TXN_SLAB < t->cslabn)
		c = &t->cslab[idx / TXN_SLAB][idx % TXN_SLAB];
	if (!c || c->gen != gen)
		return check == check_of(t, (uint32_t)idx, (uint32_t)gen) ?
			BR_OVER : BR_FORGED;
	if (c->check != check)
		return BR_FORGED;
	if (c->state <= CS_NEW || c->state >= CS_DEAD)
		return BR_OVER;
	*cp = c;
	return BR_LIVE;
}

struct ctxn *ctxn_by_branch(struct txnl *t, struct sl branch, bool *forged)
{
	struct ctxn *c = NULL;
	enum br b = by_branch(t, branch, &c);

	if (forged)
		*forged = b == BR_FORGED;
	return c;
}

/* --- start and end --- */

static int more(struct txnl *t)
{
	struct ctxn *slab;
	uint32_t i, base = t->cslabn * TXN_SLAB;
	int err;

	err = txn_slab((void ***)(void *)&t->cslab, &t->cslabn,
		       sizeof(*slab));
	if (err)
		return err;

	slab = t->cslab[t->cslabn - 1];
	for (i = TXN_SLAB; i--;) {
		slab[i].idx = base + i;
		slab[i].next = t->cfree;
		t->cfree = &slab[i];
	}
	return 0;
}

static void clear(struct ctxn *c)
{
	blob_unref(c->req);
	blob_unref(c->ack);
	blob_unref(c->cancel);
	blob_unref(c->reason);
	c->req = c->ack = c->cancel = c->reason = NULL;
}

void txn_client_close(struct txnl *t)
{
	uint32_t i, j;

	for (i = 0; i < t->cslabn; i++) {
		for (j = 0; j < TXN_SLAB; j++)
			clear(&t->cslab[i][j]);
		free(t->cslab[i]);
	}
	free(t->cslab);
}

/** Slot free; its next branch has another generation */
void ctxn_release(struct ctxn *c)
{
	struct txnl *t = c->l;

	clear(c);
	c->state = CS_FREE;
	c->next = t->cfree;
	t->cfree = c;
}

int ctxn_alloc(struct ctxn **cp, struct txnl *t, enum sip_method meth,
	       void *user)
{
	struct ctxn *c;
	uint32_t idx, gen;
	int err;

	if (!cp || !t)
		return EINVAL;

	if (t->st.client_now >= t->cf.max_client) {
		t->st.refused_cap++;
		return ENOSPC;
	}
	if (!t->cfree) {
		err = more(t);
		if (err)
			return err;
	}

	c = t->cfree;
	t->cfree = c->next;
	idx = c->idx;
	gen = c->gen + 1;
	memset(c, 0, sizeof(*c));
	c->l = t;
	c->idx = idx;
	c->gen = gen;
	c->state = CS_NEW;
	c->meth = (uint8_t)meth;
	c->user = user;
	c->retr.kind = TK_C_RETR;
	c->life.kind = TK_C_LIFE;
	c->first.kind = TK_C_FIRST;
	c->no18x.kind = TK_C_NO18X;
	c->ringt.kind = TK_C_RING;
	c->cretr.kind = TK_C_CANCEL;
	make_branch(c);

	t->st.client_made++;
	t->st.client_now++;
	*cp = c;
	return 0;
}

void ctxn_drop(struct ctxn *c)
{
	if (!c || c->state != CS_NEW)
		return;
	c->l->st.client_now--;
	ctxn_release(c);
}

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

static void unlink_peer(struct ctxn *c)
{
	struct each *e;

	if (!c->pprev)
		return;
	for (e = c->l->each; e; e = e->up) {
		if (e->next == c)
			e->next = c->next;
	}
	*c->pprev = c->next;
	if (c->next)
		c->next->pprev = c->pprev;
	c->next = NULL;
	c->pprev = NULL;
}

void txnl_each_ctxn(struct txnl *t, const struct flow *f,
		    void (*h)(struct ctxn *c, void *arg), void *arg)
{
	struct each e;
	struct ctxn *c;

	e.up = t->each;
	e.next = *bucket(t, f);
	t->each = &e;
	while (e.next) {
		c = e.next;
		e.next = c->next;
		if (c->flow.tp == f->tp && addr_eq(&c->flow.peer, &f->peer) &&
		    (!f->conn || c->flow.conn == f->conn))
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

static void die(struct ctxn *c)
{
	struct txnl *t = c->l;

	if (c->state == CS_DEAD)
		return;
	stop_all(c);
	wheel_del(t->w, &c->life);
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
		die(c);
	}
}

void ctxn_abandon(struct ctxn *c, uint64_t now)
{
	if (!c)
		return;
	if (c->state == CS_NEW)
		die(c);
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
		die(c);                                 /* Timer D = 0 */
	else
		wheel_set(t->w, &c->life, now + d);
	return true;
}

/**
 * A 2xx is news in every state: also a copy, another fork's, and one that
 * comes behind a failure (a fork below a stateless hop).
 */
static void invite_2xx(struct ctxn *c, const struct sip_msg *m, uint64_t now)
{
	if (c->state == CS_ACCEPTED)
		return;
	stop_all(c);
	c->state = CS_ACCEPTED;
	c->code = m->status;
	wheel_set(c->l->w, &c->life, now + c->l->t64);  /* Timer M */
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
		invite_2xx(c, m, now);
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
		if (tp_stream(c->flow.tp))
			die(c);                         /* Timer K = 0 */
		else
			wheel_set(t->w, &c->life, now + t->cf.t4);
	}
	return c->zombie ? TXN_NONE : TXN_RESPONSE;
}

void txn_client_recv(struct txnl *t, const struct sip_msg *m, uint64_t now,
		     struct txn_event *ev)
{
	struct ctxn *c = NULL;
	enum br b = BR_FOREIGN;
	struct via v;

	ev->kind = TXN_STRAY;
	if (!via_top(m, &v))
		b = by_branch(t, v.branch, &c);
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
		die(c);
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

/* --- looking --- */

struct sl ctxn_branch(const struct ctxn *c)
{
	return sl_mk(c->branch, sizeof(c->branch));
}

void *ctxn_user(const struct ctxn *c)
{
	return c->user;
}

void ctxn_set_user(struct ctxn *c, void *user)
{
	c->user = user;
}

const struct flow *ctxn_flow(const struct ctxn *c)
{
	return &c->flow;
}

enum sip_method ctxn_method(const struct ctxn *c)
{
	return (enum sip_method)c->meth;
}

struct blob *ctxn_request(const struct ctxn *c)
{
	return c->req;
}

bool ctxn_zombie(const struct ctxn *c)
{
	return c->zombie;
}

uint16_t ctxn_code(const struct ctxn *c)
{
	return c->code;
}

uint64_t ctxn_sent_at(const struct ctxn *c)
{
	return c->sent_at;
}
