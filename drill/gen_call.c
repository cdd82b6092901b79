/* gen_call.c - Pure. The phone that calls. */
#include "drill/gen_i.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { BYE_WAIT = 8000, TRIES = 4 };

static char *text(struct sl s)
{
	char *p = malloc(s.n + 1);

	if (p) {
		memcpy(p, s.p, s.n);
		p[s.n] = '\0';
	}
	return p;
}

/** The only place where a call's stage changes behind GEN_SENT */
static void stage(struct gen_call *c, enum gen_stage s, enum gen_why why,
		  uint16_t code, uint64_t now)
{
	struct gen_call_priv *v = c->v;

	c->stage = s;
	if (s == GEN_DONE && !v->leg.acked) {
		c->stage = GEN_LOST;    /* the phone had sent its 200 on */
		why = GEN_W_ACK;
	}
	if (c->stage >= GEN_DONE) {
		c->why = why;
		c->code = code;
		c->end = now;
		v->over = true;
	}
}

/** The transaction goes on without us: it may outlive the call */
static void leave(struct gen_tx *tx)
{
	if (tx->c)
		ctxn_set_user(tx->c, NULL);
	tx->c = NULL;
}

static int send(struct gen *g, struct gen_tx *tx, enum sip_method meth,
		uint64_t now)
{
	struct ctxn_timers tm = { .final = BYE_WAIT };
	struct flow f = gen_msg_flow(g, tx->phone);
	struct gen_call *call = tx->call;
	struct blob *b;
	int err;

	leave(tx);
	err = ctxn_alloc(&tx->c, g->txn, meth, tx);

	if (err)
		return err;
	if (meth == SIP_INVITE) {
		tm = (struct ctxn_timers){ .final = g->limit };
		b = gen_msg_invite(g, call, ctxn_branch(tx->c));
	}
	else if (meth == SIP_BYE)
		b = gen_msg_inside(g, call, "BYE", ++call->v->cseq,
				   ctxn_branch(tx->c));
	else
		b = gen_msg_register(g, tx->phone, ctxn_branch(tx->c));
	if (!b) {
		ctxn_drop(tx->c);
		tx->c = NULL;
		return ENOMEM;
	}
	ctxn_send(tx->c, &f, b, &tm, now);
	blob_unref(b);
	return 0;
}

/* --- REGISTER --- */

static void reg_over(struct gen *g, struct gen_phone *p, bool done,
		     uint64_t now)
{
	uint64_t took = now - p->reg_sent;

	p->registered = done && !p->leaves;
	p->left = done && p->leaves;
	leave(&p->reg);
	p->reg.tries = 0;
	if (took > g->f.reg_slowest)
		g->f.reg_slowest = took;
	/* phones try again, each at a time of its own: RFC 5626 4.5 */
	p->again = done ? UINT64_MAX : now + 300 + rng_below(&g->rng, 400);
}

void gen_leave(struct gen *g, uint32_t phone, uint64_t now)
{
	if (g->phone[phone].reg.c)
		return;
	g->phone[phone].leaves = true;
	gen_register(g, phone, now);
}

void gen_register(struct gen *g, uint32_t phone, uint64_t now)
{
	struct gen_phone *p = &g->phone[phone];

	if (p->reg.c)
		return;
	p->reg_sent = now;
	p->again = UINT64_MAX;
	g->f.reg_sent++;
	if (send(g, &p->reg, SIP_REGISTER, now))
		reg_over(g, p, false, now);
}

static void reg_response(struct gen *g, struct gen_tx *tx,
			 const struct sip_msg *m, uint64_t now)
{
	struct gen_phone *p = tx->phone;

	if (m->status < 200)
		return;
	if ((m->status == 401 || m->status == 407) && tx->tries++ < TRIES &&
	    gen_msg_challenge(&p->auth[0], m) &&
	    !send(g, tx, SIP_REGISTER, now))
		return;
	if (m->status < 300)
		g->f.reg_ok++;
	else
		g->f.reg_refused++;
	reg_over(g, p, m->status < 300, now);
}

/* --- the call --- */

/** Record-Route in reverse order is the way back: RFC 3261 12.1.2 */
static char *route_of(const struct sip_msg *m)
{
	struct sip_iter it = { 0 };
	struct buf b, all;
	char *p;

	buf_init(&all, 16384);
	while (sip_iter(m, SIP_RECORD_ROUTE, &it)) {
		buf_init(&b, 16384);
		buf_lit(&b, "Route: ");
		buf_sl(&b, it.val);
		buf_lit(&b, "\r\n");
		buf_sl(&b, buf_as_sl(&all));
		buf_free(&all);
		all = b;
	}
	p = all.err ? NULL : text(sl_mk(all.p ? (void *)all.p : "", all.n));
	buf_free(&all);
	return p;
}

static bool dialog(struct gen_call_priv *v, const struct sip_msg *m)
{
	struct name_addr na;
	struct sip_iter it = { 0 };

	if (!sip_iter(m, SIP_CONTACT, &it) || name_addr_parse(&na, it.val))
		return false;
	v->to = text(m->to);
	v->target = text(na.uri);
	v->route = route_of(m);
	return v->to && v->target && v->route;
}

static void send_ack(struct gen *g, struct gen_call *c)
{
	struct flow f = gen_msg_flow(g, &g->phone[c->from]);

	if (c->v->ack)
		outq_send(&g->out, &f, blob_ref(c->v->ack));
}

static void answered(struct gen *g, struct gen_call *c,
		     const struct sip_msg *m, uint64_t now)
{
	struct gen_call_priv *v = c->v;
	char branch[64];

	if (v->to) {
		if (sl_eq(m->to, sl_cstr(v->to)))
			send_ack(g, c);
		else if (c->answers < UINT8_MAX)
			c->answers++;
		return;
	}
	if (v->over)                    /* a 2xx for who has given up */
		return;
	c->answers = 1;
	c->answered = now;
	if (!c->rang)
		c->rang = now;
	(void)snprintf(branch, sizeof(branch), SIP_COOKIE "-%llx-ack-%u",
		       (unsigned long long)g->run, c->id);
	if (dialog(v, m))
		v->ack = gen_msg_inside(g, c, "ACK", m->cseq,
					sl_cstr(branch));
	if (!v->ack) {
		stage(c, GEN_LOST, GEN_W_INSIDE, 0, now);
		return;
	}
	send_ack(g, c);
	stage(c, GEN_TALKING, GEN_W_NONE, 0, now);
	v->due = now + c->talk;
}

static void refused(struct gen *g, struct gen_tx *tx, const struct sip_msg *m,
		    uint64_t now)
{
	struct gen_call *c = tx->call;

	leave(tx);
	if (c->v->over)
		return;
	if ((m->status == 401 || m->status == 407) && tx->tries++ < TRIES &&
	    gen_msg_challenge(&tx->phone->auth[1], m) &&
	    !send(g, tx, SIP_INVITE, now))
		return;
	stage(c, GEN_LOST, GEN_W_REFUSED, m->status, now);
}

static void bye_response(struct gen_tx *tx, const struct sip_msg *m,
			 uint64_t now)
{
	bool done = m->status < 300;

	if (m->status < 200)
		return;
	leave(tx);
	/* the other phone may be about to connect anew */
	if (m->status == 480 && tx->tries++ < TRIES)
		tx->call->v->due = now + 500;
	else
		stage(tx->call, done ? GEN_DONE : GEN_LOST, done ?
		      GEN_W_NONE : GEN_W_BYE, m->status, now);
}

void gen_call_response(struct gen *g, struct gen_tx *tx,
		       const struct sip_msg *m, uint64_t now)
{
	struct gen_call *c = tx->call;

	if (tx->kind == GEN_TX_REG) {
		reg_response(g, tx, m, now);
		return;
	}
	if (tx->kind == GEN_TX_BYE) {
		bye_response(tx, m, now);
		return;
	}
	if (m->status >= 300)
		refused(g, tx, m, now);
	else if (m->status >= 200)
		answered(g, c, m, now);
	else if (m->status > 100 && c->stage == GEN_SENT) {
		c->rang = now;
		stage(c, GEN_RINGING, GEN_W_NONE, 0, now);
		c->v->due = now + c->ring + g->limit;
	}
}

void gen_call_timeout(struct gen *g, struct gen_tx *tx, uint64_t now)
{
	if (tx->kind == GEN_TX_REG) {
		g->f.reg_silent++;
		reg_over(g, tx->phone, false, now);
		return;
	}
	leave(tx);
	if (!tx->call->v->over)
		stage(tx->call, GEN_LOST, tx->kind == GEN_TX_BYE ? GEN_W_BYE :
		      GEN_W_SILENT, 0, now);
}

void gen_call_broken(struct gen *g, struct gen_tx *tx, uint64_t now)
{
	struct ctxn *c = tx->c;

	if (!c)
		return;
	leave(tx);
	ctxn_abandon(c, now);
	if (tx->kind == GEN_TX_REG) {
		g->f.reg_broken++;
		reg_over(g, tx->phone, false, now);
	}
	/* a BYE goes again, over a new connection; an INVITE that is answered
	 * needs its connection no more */
	else if (tx->kind == GEN_TX_BYE && tx->tries++ < TRIES)
		tx->call->v->due = now + 500;
	else if (tx->kind == GEN_TX_BYE || tx->call->stage < GEN_TALKING)
		stage(tx->call, GEN_LOST, tx->kind == GEN_TX_BYE ? GEN_W_BYE :
		      GEN_W_FLOW, 0, now);
}

void gen_call_bye(struct gen *g, struct gen_call *c, uint64_t now)
{
	struct gen_call_priv *v = c->v;

	if (!c->bye)
		c->bye = now;
	stage(c, GEN_BYE, GEN_W_NONE, 0, now);
	v->due = UINT64_MAX;
	if (send(g, &v->byetx, SIP_BYE, now))
		stage(c, GEN_LOST, GEN_W_INSIDE, 0, now);
}

void gen_call_tick(struct gen *g, struct gen_call *c, uint64_t now)
{
	struct gen_call_priv *v = c->v;

	if (v->over || now < v->due)
		return;
	v->due = UINT64_MAX;
	switch (c->stage) {
	case GEN_SENT:
	case GEN_RINGING:               /* the caller gives up */
		if (v->inv.c)
			ctxn_cancel(v->inv.c, SL_NONE, now);
		stage(c, GEN_LOST, c->stage == GEN_SENT ? GEN_W_SILENT :
		      GEN_W_RING, 0, now);
		return;
	case GEN_TALKING:
	case GEN_BYE:
		gen_call_bye(g, c, now);
		return;
	case GEN_DONE:
	case GEN_LOST:
		return;
	}
}

int gen_dial(struct gen *g, uint32_t from, uint32_t to, uint32_t ring,
	     uint32_t talk, uint64_t now)
{
	struct gen_call *c = &g->call[g->calls];
	struct gen_call_priv *v;
	int err;

	if (g->calls >= g->max_calls)
		return ENOSPC;
	v = calloc(1, sizeof(*v));
	if (!v)
		return ENOMEM;
	*c = (struct gen_call){ .id = g->calls, .from = from, .to = to,
				.ring = ring, .talk = talk, .sent = now,
				.v = v };
	v->inv = (struct gen_tx){ .kind = GEN_TX_INVITE, .call = c,
				  .phone = &g->phone[from] };
	v->byetx = (struct gen_tx){ .kind = GEN_TX_BYE, .call = c,
				    .phone = &g->phone[from] };
	v->due = now + g->limit;
	err = send(g, &v->inv, SIP_INVITE, now);
	if (err) {
		free(v);
		c->v = NULL;
		return err;
	}
	g->live[g->lives++] = g->calls++;
	return 0;
}
