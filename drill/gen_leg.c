/* gen_leg.c - Pure. The phone that is called. */
#include "drill/gen_i.h"
#include <stdlib.h>

enum { COPY_FIRST = 500, COPY_MAX = 4000, ACK_WAIT = 5000 };

void gen_leg_free(struct gen_leg *l)
{
	blob_unref(l->ok);
	if (l->s)
		stxn_set_user(l->s, NULL);
	l->ok = NULL;
	l->s = NULL;
}

/** An answer of a call, or of nobody (c NULL) */
static void answer(struct gen *g, struct stxn *s, const struct gen_call *c,
		   uint16_t code, struct blob **keep, uint64_t now)
{
	const struct flow *f = stxn_flow(s);
	const struct blob *req = stxn_request(s);
	struct sip_fault fault;
	struct blob *b;

	if (!req || sip_scan(&g->msg2, req->p, req->n, true, &fault))
		return;
	b = gen_msg_answer(g, &g->msg2, f, c, code);
	if (!b)
		return;
	/* EPROTO only: an answer is there already, and it stands */
	(void)stxn_forward(s, code, b, now);
	if (keep) {
		blob_unref(*keep);
		*keep = blob_ref(b);
	}
	blob_unref(b);
}

static void invite(struct gen *g, struct gen_call *c, const struct sip_msg *m,
		   const struct flow *f, uint64_t now)
{
	struct gen_leg *l = &c->v->leg;
	struct stxn *s;

	if (stxn_alloc(&s, g->txn, m, f, NULL, now))
		return;
	if (c->invites < UINT8_MAX)
		c->invites++;
	if (l->state != LEG_NONE) {     /* a second one: what drills look for */
		answer(g, s, c, 486, NULL, now);
		return;
	}
	l->s = s;
	stxn_set_user(s, c);
	l->state = LEG_RINGS;
	l->due = now + c->ring;
	answer(g, s, c, 180, NULL, now);
}

static void bye(struct gen *g, struct gen_call *c, const struct sip_msg *m,
		const struct flow *f, uint64_t now)
{
	struct stxn *s;

	if (stxn_alloc(&s, g->txn, m, f, NULL, now))
		return;
	answer(g, s, c, c && c->v->leg.state >= LEG_ANSWERED ? 200 : 481, NULL,
	       now);
	if (c && c->v->leg.state >= LEG_ANSWERED)
		c->v->leg.state = LEG_OVER;
}

static struct gen_call *find(struct gen *g, const struct sip_msg *m)
{
	uint32_t i;

	if (!gen_by_callid(g, m->callid, &i) || !g->call[i].v) {
		g->f.strays++;
		return NULL;
	}
	return &g->call[i];
}

void gen_leg_request(struct gen *g, const struct sip_msg *m,
		     const struct flow *f, uint64_t now)
{
	struct gen_call *c = find(g, m);
	struct stxn *s;

	if (m->meth == SIP_INVITE && !sl_isset(m->to_tag) && c)
		invite(g, c, m, f, now);
	else if (m->meth == SIP_BYE)
		bye(g, c, m, f, now);
	else if (!stxn_alloc(&s, g->txn, m, f, NULL, now))
		answer(g, s, NULL, m->meth == SIP_OPTIONS ? 200 : 481, NULL,
		       now);
}

void gen_leg_cancel(struct gen *g, struct stxn *s, uint64_t now)
{
	struct gen_call *c = stxn_user(s);

	if (!c || !c->v || c->v->leg.s != s)
		return;
	answer(g, s, c, 487, NULL, now);
	c->v->leg.state = LEG_OVER;
}

void gen_leg_ack(struct gen *g, const struct sip_msg *m, uint64_t now)
{
	struct gen_call *c = find(g, m);

	if (!c)
		return;
	c->v->leg.acked = true;
	if (c->v->leg.state == LEG_ANSWERED)
		c->v->leg.state = LEG_UP;
}

static void pick_up(struct gen *g, struct gen_call *c, uint64_t now)
{
	struct gen_leg *l = &c->v->leg;

	if (c->stage == GEN_LOST) {     /* nobody is there any more */
		if (now < c->end + GEN_GRACE) {
			l->due = c->end + GEN_GRACE;
			return;
		}
		c->ghost = true;
		answer(g, l->s, c, 480, NULL, now);
		l->state = LEG_OVER;
		return;
	}
	answer(g, l->s, c, 200, &l->ok, now);
	l->state = LEG_ANSWERED;
	l->wait = COPY_FIRST;
	l->due = now + l->wait;
	l->until = now + ACK_WAIT;
}

void gen_leg_tick(struct gen *g, struct gen_call *c, uint64_t now)
{
	struct gen_leg *l = &c->v->leg;

	if (now < l->due || l->state > LEG_ANSWERED || l->state == LEG_NONE)
		return;
	if (!l->s || (l->state == LEG_ANSWERED && now >= l->until)) {
		l->state = LEG_OVER;
		return;
	}
	if (l->state == LEG_RINGS) {
		pick_up(g, c, now);
		return;
	}
	if (l->ok)                      /* RFC 3261 13.3.1.4 */
		(void)stxn_forward(l->s, 200, l->ok, now);
	l->wait = l->wait * 2 > COPY_MAX ? COPY_MAX : l->wait * 2;
	l->due = now + l->wait;
}
