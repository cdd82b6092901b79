/**
 * @file txn_server.c  Pure. Server transactions.
 *
 *   INVITE (RFC 3261 17.2.1, RFC 6026)       non-INVITE (17.2.2, RFC 4320)
 *
 *   TRYING/PROCEEDING --300-699--> COMPLETED  TRYING --100--> PROCEEDING
 *      |                            |ACK  |H     \             |
 *     2xx                           v     v       final      final
 *      v                       CONFIRMED GONE       v          v
 *   ACCEPTED --L--> GONE            |I                COMPLETED --J--> GONE
 *                                   v
 *                                 GONE
 */
#include <errno.h>
#include <stdlib.h>

#include "sip/txn_i.h"

static void clear(struct stxn *s)
{
	blob_unref(s->req);
	blob_unref(s->last);
	s->req = s->last = NULL;
}

void txn_server_close(struct txnl *t)
{
	uint32_t i, j;

	for (i = 0; i < t->sslabn; i++) {
		for (j = 0; j < TXN_SLAB; j++)
			clear(&t->sslab[i][j]);
		free(t->sslab[i]);
	}
	free(t->sslab);
	free(t->tab);
}

/** Back to the free list, after its GONE was taken */
void stxn_release(struct stxn *s)
{
	struct txnl *t = s->l;

	clear(s);
	s->state = SS_FREE;
	s->next = t->sfree;
	t->sfree = s;
}

void stxn_end(struct stxn *s)
{
	struct txnl *t = s->l;

	if (s->state == SS_DEAD)
		return;
	wheel_del(t->w, &s->retr);
	wheel_del(t->w, &s->life);
	txn_over_del(t, &s->over, true);
	txn_unlink(s);
	s->state = SS_DEAD;
	t->st.server_now--;
	txn_die(t, &s->gone);
}

/* --- start --- */

static int get(struct stxn **sp, struct txnl *t, uint64_t now)
{
	struct stxn *slab;
	uint32_t i;
	int err;

	if (!txn_room(t, true, now))
		return ENOSPC;
	if (!t->sfree) {
		err = txn_slab((void ***)(void *)&t->sslab, &t->sslabn,
			       sizeof(*slab));
		if (err)
			return err;
		slab = t->sslab[t->sslabn - 1];
		for (i = TXN_SLAB; i--;) {
			slab[i].state = SS_FREE;
			slab[i].req = slab[i].last = NULL;
			slab[i].next = t->sfree;
			t->sfree = &slab[i];
		}
	}

	*sp = t->sfree;
	t->sfree = (*sp)->next;
	return 0;
}

/**
 * Keep the request and, behind its end in the same memory, its Vias as they
 * go into answers. Nobody else holds the blob yet.
 */
static int keep(struct stxn *s, const struct sip_msg *m, const struct addr *src)
{
	struct buf *b = &s->l->b;

	buf_reset(b);
	hop_vias_put(b, m, src);
	if (b->err)
		return b->err;

	s->req = blobs_room(s->l->cf.blobs, m->raw.n + b->n);
	if (!s->req)
		return ENOMEM;

	memcpy(s->req->p, m->raw.p, m->raw.n);
	memcpy(s->req->p + m->raw.n, b->p, b->n);
	s->vias_n = (uint32_t)b->n;
	s->req->n = (uint32_t)m->raw.n;
	return 0;
}

/** RFC 3261 8.2.6.1: a 100 repeats Timestamp */
static struct span stamp_of(const struct sip_msg *m)
{
	const struct sip_hdr *h = sip_hdr_name(m, SL("Timestamp"));

	if (!h)
		return (struct span){ 0, 0 };
	return (struct span){ h->off, h->end - h->off };
}

static void fill(struct stxn *s, const struct sip_msg *m, const struct skey *k,
		 const struct flow *f, void *user, uint64_t now)
{
	s->hash = k->hash;
	s->old = k->old;
	s->branch = span_of(m, k->branch);
	s->sentby = span_of(m, k->sentby);
	s->method = span_of(m, m->method);
	s->callid = span_of(m, m->callid);
	s->from = span_of(m, m->from);
	s->to = span_of(m, m->to);
	s->cseqv = span_of(m, sip_first(m, SIP_CSEQ));
	s->to_tag = sl_isset(m->to_tag);
	s->cseq = m->cseq;
	s->meth = (uint8_t)m->meth;
	if (m->meth == SIP_INVITE)
		s->stamp = stamp_of(m);
	s->flow = *f;
	s->user = user;
	s->made_at = now;
	s->state = SS_TRYING;
}

int stxn_alloc(struct stxn **sp, struct txnl *t, const struct sip_msg *m,
	       const struct flow *f, void *user, uint64_t now)
{
	const struct skey *k;
	struct stxn *s;
	int err;

	if (!sp || !t || !m || !m->req || !f)
		return EINVAL;

	err = get(&s, t, now);
	if (err)
		return err;

	k = t->key_of == m->raw.p ? &t->key : txn_key(t, m);
	t->key_of = NULL;
	memset(s, 0, sizeof(*s));
	s->l = t;
	s->gone.server = true;
	s->retr.kind = TK_S_RETR;
	s->life.kind = TK_S_LIFE;
	err = keep(s, m, &f->peer);
	if (err) {
		stxn_release(s);
		return err;
	}

	fill(s, m, k, f, user, now);
	txn_link(s);
	if (s->meth != SIP_INVITE)
		wheel_set(t->w, &s->retr, now + t->e100);

	t->st.server_made++;
	t->st.server_now++;
	*sp = s;
	return 0;
}

/* --- answers --- */

static void send_last(struct stxn *s)
{
	txn_send(s->l, &s->flow, s->last);
}

static void invite_final(struct stxn *s, uint16_t code, uint64_t now)
{
	struct txnl *t = s->l;

	if (code < 300) {
		s->state = SS_ACCEPTED;
		/* who sends it again is the one who answered: RFC 6026 7.1 */
		blob_unref(s->last);
		s->last = NULL;
		txn_over(t, &s->over, true, now);
	}
	else {
		s->state = SS_COMPLETED;
		if (!tp_stream(s->flow.tp)) {
			s->ival = t->cf.t1;
			wheel_set(t->w, &s->retr, now + s->ival);
		}
	}
	wheel_set(t->w, &s->life, txn_end_at(now + t->t64));    /* L or H */
}

static void other_final(struct stxn *s, uint64_t now)
{
	struct txnl *t = s->l;

	s->state = SS_COMPLETED;
	wheel_del(t->w, &s->retr);
	if (tp_stream(s->flow.tp))
		stxn_end(s);                            /* Timer J = 0 */
	else {
		wheel_set(t->w, &s->life, txn_end_at(now + t->t64));
		txn_over(t, &s->over, true, now);
	}
}

/**
 * RFC 4320 4: to a non-INVITE no 1xx but 100 is sent, no 408, and no final
 * answer after the client's Timer F.
 */
static bool other_silent(const struct stxn *s, uint16_t code, uint64_t now)
{
	if (code < 200)
		return code != 100;
	return code == 408 || now >= s->made_at + s->l->t64;
}

/** Send an answer and move on. Takes over the reference of msg (NULL: none) */
static int answer(struct stxn *s, uint16_t code, struct blob *msg,
		  uint64_t now)
{
	const bool inv = s->meth == SIP_INVITE;

	if (s->state > SS_PROCEEDING) {
		if (s->state == SS_ACCEPTED && code >= 200 && code < 300) {
			txn_send(s->l, &s->flow, msg);
			blob_unref(msg);
			return 0;
		}
		blob_unref(msg);
		return EPROTO;
	}

	if (!inv && other_silent(s, code, now)) {
		blob_unref(msg);
		s->l->st.silent++;
		if (code >= 200) {
			blob_unref(s->last);
			s->last = NULL;
			s->code = code;
			other_final(s, now);
		}
		return 0;
	}

	blob_unref(s->last);
	s->last = msg;
	s->code = code;
	send_last(s);
	if (inv)
		wheel_del(s->l->w, &s->retr);           /* the 100 is due no more */
	if (code < 200)
		s->state = SS_PROCEEDING;
	else if (inv)
		invite_final(s, code, now);
	else
		other_final(s, now);
	return 0;
}

void stxn_trying(struct stxn *s, uint64_t now)
{
	if (s && s->state == SS_TRYING)
		(void)answer(s, 100, txn_reply(s, 100, SL_NONE, SL_NONE), now);
}

void stxn_trying_soon(struct stxn *s, uint64_t now)
{
	if (s && s->state == SS_TRYING)
		wheel_set(s->l->w, &s->retr, now + TXN_SOON);
}

void stxn_reply(struct stxn *s, uint16_t code, struct sl phrase,
		struct sl extra, uint64_t now)
{
	if (!s || code < 100 || code > 699 || s->state > SS_PROCEEDING)
		return;         /* a second final answer is no error here */
	(void)answer(s, code, txn_reply(s, code, phrase, extra), now);
}

void stxn_accepted(struct stxn *s, uint16_t code, uint64_t now)
{
	if (!s || s->meth != SIP_INVITE || s->state > SS_PROCEEDING ||
	    code / 100 != 2)
		return;
	wheel_del(s->l->w, &s->retr);
	s->code = code;
	invite_final(s, code, now);
}

int stxn_forward(struct stxn *s, uint16_t code, struct blob *msg, uint64_t now)
{
	if (!s || code < 100 || code > 699)
		return EINVAL;
	return answer(s, code, msg ? blob_ref(msg) : NULL, now);
}

/* --- requests on a transaction --- */

/** A client whose connection was lost is answered over the one he is back on.
 *  He is the same: txn_find() compares the source's IP and more. */
static void follow(struct stxn *s, const struct flow *f)
{
	if (tp_stream(s->flow.tp) && s->flow.tp == f->tp)
		s->flow = *f;
}

static void recv_again(struct stxn *s, const struct flow *f)
{
	follow(s, f);
	s->l->st.retrans_in++;
	if (s->last && s->state != SS_CONFIRMED && s->state != SS_ACCEPTED) {
		s->l->st.retrans_out++;
		send_last(s);
	}
}

static void recv_ack(struct stxn *s, uint64_t now, struct txn_event *ev)
{
	struct txnl *t = s->l;

	if (s->state == SS_ACCEPTED) {
		ev->kind = TXN_ACK;
		ev->stxn = s;
		ev->user = s->user;
	}
	if (s->state != SS_COMPLETED)
		return;

	s->state = SS_CONFIRMED;
	wheel_del(t->w, &s->retr);
	if (tp_stream(s->flow.tp))
		stxn_end(s);                            /* Timer I = 0 */
	else
		wheel_set(t->w, &s->life, txn_end_at(now + t->cf.t4));
}

/**
 * RFC 3261 9.2, without a transaction of its own: as long as the INVITE lives
 * each copy of the CANCEL gets the same 200, without one the same 481.
 */
static void answer_cancel(struct txnl *t, const struct sip_msg *m,
			  const struct flow *f, uint16_t code, struct sl tag)
{
	struct blob *b;

	buf_reset(&t->b);
	reply_write(&t->b, m, &f->peer, code, sl_cstr(sip_phrase(code)), tag,
		    SL_NONE);
	b = t->b.err ? NULL : blobs_make(t->cf.blobs, t->b.p, t->b.n);
	txn_send(t, f, b);
	blob_unref(b);
}

/** The user hears of the first CANCEL only, and of none after the final */
static void recv_cancel(struct txnl *t, struct stxn *s, const struct sip_msg *m,
			const struct flow *f, struct txn_event *ev)
{
	const uint64_t in[2] = { t->key.hash, 481 };
	char mem[2 * sizeof(uint64_t)];
	struct buf tag;

	buf_fixed(&tag, mem, sizeof(mem));
	if (!s) {
		txn_tag(&tag, t, in);
		answer_cancel(t, m, f, 481, buf_as_sl(&tag));
		ev->kind = TXN_CANCEL;
		return;
	}

	txn_tag(&tag, t, (const uint64_t[2]){ s->hash, s->made_at });
	answer_cancel(t, m, f, 200, buf_as_sl(&tag));
	if (s->cancelled || s->meth != SIP_INVITE || stxn_final(s))
		return;

	follow(s, f);
	s->cancelled = true;
	ev->kind = TXN_CANCEL;
	ev->stxn = s;
	ev->user = s->user;
}

void txn_server_recv(struct txnl *t, const struct sip_msg *m,
		     const struct flow *f, uint64_t now, struct txn_event *ev)
{
	struct stxn *s = txn_find(t, txn_key(t, m), m, f);

	switch (m->meth) {

	case SIP_ACK:
		if (s)
			recv_ack(s, now, ev);
		else
			ev->kind = TXN_ACK;
		break;
	case SIP_CANCEL:
		recv_cancel(t, s, m, f, ev);
		break;
	default:
		ev->stxn = s;
		if (s)
			recv_again(s, f);
		else
			ev->kind = TXN_REQUEST;
		break;
	}
}

/* --- timers --- */


static void timer_g(struct stxn *s)
{
	struct txnl *t = s->l;

	t->st.retrans_out++;
	send_last(s);
	s->ival *= 2;
	if (s->ival > t->cf.t2)
		s->ival = t->cf.t2;
	wheel_set(t->w, &s->retr, t->now + s->ival);
}

bool stxn_fire(struct stxn *s, enum txn_tk k, struct txn_event *ev)
{
	bool noack;

	if (k == TK_S_RETR) {
		/* 100 to what has no answer by now: RFC 4320 4.1, and
		 * stxn_trying_soon() */
		if (s->state == SS_TRYING)
			stxn_trying(s, s->l->now);
		else if (s->meth == SIP_INVITE)
			timer_g(s);
		return false;
	}

	noack = s->meth == SIP_INVITE && s->state == SS_COMPLETED;
	if (noack) {
		s->l->st.timeouts++;
		ev->kind = TXN_NOACK;
		ev->stxn = s;
		ev->user = s->user;
	}
	stxn_end(s);
	return noack;
}

/* --- looking --- */

struct sl stxn_vias(const struct stxn *s)
{
	return sl_mk(s->req->p + s->req->n, s->vias_n);
}

struct blob *stxn_request(const struct stxn *s)
{
	return s->req;
}

const struct flow *stxn_flow(const struct stxn *s)
{
	return &s->flow;
}

enum sip_method stxn_method(const struct stxn *s)
{
	return (enum sip_method)s->meth;
}

uint16_t stxn_code(const struct stxn *s)
{
	return s->code;
}

bool stxn_final(const struct stxn *s)
{
	return s->state > SS_PROCEEDING;
}

void *stxn_user(const struct stxn *s)
{
	return s->user;
}

void stxn_set_user(struct stxn *s, void *user)
{
	s->user = user;
}
