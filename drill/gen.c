/* gen.c - Pure. Call generator: its verbs. */
#include "drill/gen_i.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { OUT_MAX = 65536, LINGER = 3000 };

const char *gen_stage_name(enum gen_stage s)
{
	static const char *const name[GEN_STAGES] = {
		"sent", "ringing", "answered", "bye", "done", "lost"
	};

	return name[s];
}

const char *gen_why_name(enum gen_why w)
{
	switch (w) {
	case GEN_W_NONE:    return "";
	case GEN_W_REFUSED: return "refused";
	case GEN_W_SILENT:  return "no answer";
	case GEN_W_RING:    return "rang, answer never came";
	case GEN_W_FLOW:    return "connection broke";
	case GEN_W_BYE:     return "BYE failed";
	case GEN_W_ACK:     return "ACK never arrived";
	case GEN_W_INSIDE:  return "no memory";
	}
	return "";
}

int gen_alloc(struct gen **gp, const struct gen_conf *cf, uint64_t now)
{
	struct txn_conf tc = { .t1 = 500, .t2 = 4000, .t4 = 5000 };
	struct gen *g;
	int err;

	if (!cf->users || cf->users > GEN_PHONES_MAX || cf->lstc > 4 ||
	    !cf->max_calls || cf->max_calls > GEN_CALLS ||
	    strlen(cf->domain) >= GEN_DOMAIN)
		return EINVAL;
	g = calloc(1, sizeof(*g));
	if (!g)
		return ENOMEM;
	for (uint16_t i = 0; i < cf->lstc; i++)
		g->lst[i] = cf->lst[i];
	g->lstc = cf->lstc;
	g->proxy = cf->proxy;
	(void)snprintf(g->domain, sizeof(g->domain), "%s", cf->domain);
	g->run = cf->run;
	g->limit = cf->limit;
	g->expires = cf->expires;
	g->max_calls = cf->max_calls;
	rng_seed(&g->rng, cf->seed);
	buf_init(&g->b, SIP_MAX_MSG);
	tc.max_server = tc.max_client = 4 * cf->max_calls + cf->users;
	memcpy(tc.key, cf->key, sizeof(tc.key));
	g->phone = calloc(cf->users, sizeof(*g->phone));
	g->call = calloc(cf->max_calls, sizeof(*g->call));
	g->live = calloc(cf->max_calls, sizeof(*g->live));
	err = g->phone && g->call && g->live ? outq_init(&g->out, OUT_MAX) :
		ENOMEM;
	if (!err)
		err = txnl_alloc(&g->txn, &tc, &g->out, now);
	if (err) {
		gen_free(g);
		return err;
	}
	for (; g->phones < cf->users; g->phones++) {
		struct gen_phone *p = &g->phone[g->phones];

		p->u = cf->user[g->phones];
		p->id = g->phones;
		p->again = UINT64_MAX;
		p->reg.kind = GEN_TX_REG;
		p->reg.phone = p;
	}
	*gp = g;
	return 0;
}

static void priv_free(struct gen_call *c)
{
	struct gen_call_priv *v = c->v;

	if (!v)
		return;
	/* transactions may outlive the call: they lose their user */
	if (v->inv.c)
		ctxn_set_user(v->inv.c, NULL);
	if (v->byetx.c)
		ctxn_set_user(v->byetx.c, NULL);
	gen_leg_free(&v->leg);
	blob_unref(v->ack);
	free(v->to);
	free(v->target);
	free(v->route);
	free(v);
	c->v = NULL;
}

void gen_free(struct gen *g)
{
	if (!g)
		return;
	for (uint32_t i = 0; i < g->lives; i++)
		priv_free(&g->call[g->live[i]]);
	if (g->txn)
		txnl_free(g->txn);
	outq_free(&g->out);
	buf_free(&g->b);
	for (uint32_t i = 0; i < g->phones; i++)
		explicit_bzero(g->phone[i].u.password, GEN_NAME);
	free(g->phone);
	free(g->call);
	free(g->live);
	free(g);
}

/* --- events of the transactions --- */

static void event(struct gen *g, const struct txn_event *ev, uint64_t now)
{
	struct gen_tx *tx = ev->user;

	if (ev->kind == TXN_TIMEOUT && ev->timer == TT_FINAL && tx)
		gen_call_timeout(g, tx, now);
	else if (ev->kind == TXN_GONE && ev->ctxn && tx && tx->c == ev->ctxn)
		tx->c = NULL;
	else if (ev->kind == TXN_GONE && ev->stxn && ev->user) {
		struct gen_call *c = ev->user;

		if (c->v && c->v->leg.s == ev->stxn)
			c->v->leg.s = NULL;
	}
}

static void drain(struct gen *g, uint64_t now)
{
	struct txn_event ev;

	while (txnl_poll(g->txn, &ev))
		event(g, &ev, now);
}

void gen_recv(struct gen *g, const struct flow *f, struct sl msg,
	      uint64_t now)
{
	struct sip_msg *m = &g->msg;
	struct sip_fault fault;
	struct txn_event ev;

	if (sip_scan(m, msg.p, msg.n, !tp_stream(f->tp), &fault))
		return;
	txnl_recv(g->txn, m, f, now, &ev);
	switch (ev.kind) {
	case TXN_REQUEST:
		gen_leg_request(g, m, f, now);
		break;
	case TXN_ACK:
		gen_leg_ack(g, m, now);
		break;
	case TXN_CANCEL:
		if (ev.stxn)
			gen_leg_cancel(g, ev.stxn, now);
		break;
	case TXN_RESPONSE:
	case TXN_LATE:
		if (ev.user)
			gen_call_response(g, ev.user, m, now);
		break;
	case TXN_NONE:
	case TXN_STRAY:
	case TXN_TIMEOUT:
	case TXN_NOACK:
	case TXN_GONE:
		break;
	}
	drain(g, now);
}

struct break_arg {
	struct gen *g;
	uint64_t now;
};

static void broken(struct ctxn *c, void *arg)
{
	const struct break_arg *a = arg;
	struct gen_tx *tx = ctxn_user(c);

	if (tx && tx->c == c)
		gen_call_broken(a->g, tx, a->now);
}

void gen_lost(struct gen *g, const struct flow *f, uint64_t now)
{
	struct break_arg a = { g, now };

	if (!tp_stream(f->tp))          /* retransmission is its cure */
		return;
	txnl_each_ctxn(g->txn, f, broken, &a);
	for (uint32_t i = 0; i < g->phones; i++) {
		struct gen_phone *p = &g->phone[i];

		/* its registration named the connection that is gone */
		if (p->u.lst != f->lst || p->reg.c || p->left)
			continue;
		p->registered = false;
		p->again = now + 100 + rng_below(&g->rng, 400);
	}
	drain(g, now);
}

/* --- time --- */

static bool over(const struct gen_call *c, uint64_t now)
{
	const struct gen_leg *l = &c->v->leg;

	if (!c->v->over)
		return false;
	if (l->state == LEG_NONE)       /* a late INVITE may still come */
		return c->stage == GEN_DONE || now >= c->end + LINGER;
	if (l->state == LEG_OVER)
		return c->stage == GEN_DONE || now >= c->end + LINGER;
	return l->state == LEG_UP && now >= c->end + LINGER;
}

void gen_tick(struct gen *g, uint64_t now)
{
	txnl_tick(g->txn, now);
	drain(g, now);
	for (uint32_t i = 0; i < g->lives; ) {
		struct gen_call *c = &g->call[g->live[i]];

		gen_call_tick(g, c, now);
		gen_leg_tick(g, c, now);
		if (over(c, now)) {
			priv_free(c);
			g->live[i] = g->live[--g->lives];
		}
		else
			i++;
	}
	for (uint32_t i = 0; i < g->phones; i++)
		if (g->phone[i].again <= now && !g->hold)
			gen_register(g, i, now);
	drain(g, now);
}

static void earlier(uint64_t *at, uint64_t t)
{
	if (t < *at)
		*at = t;
}

uint64_t gen_next(const struct gen *g)
{
	uint64_t at = txnl_next(g->txn);

	for (uint32_t i = 0; i < g->lives; i++) {
		const struct gen_call *c = &g->call[g->live[i]];
		const struct gen_leg *l = &c->v->leg;

		if (!c->v->over)
			earlier(&at, c->v->due);
		else
			earlier(&at, c->end + LINGER);
		if (l->state == LEG_RINGS || l->state == LEG_ANSWERED)
			earlier(&at, l->due);
	}
	for (uint32_t i = 0; i < g->phones && !g->hold; i++)
		earlier(&at, g->phone[i].again);
	return at;
}

bool gen_poll(struct gen *g, struct sip_out *out)
{
	return outq_poll(&g->out, out);
}

/* --- for who drives it --- */

void gen_hold(struct gen *g, bool hold)
{
	g->hold = hold;
}

bool gen_held(const struct gen *g)
{
	return g->hold;
}

bool gen_left(const struct gen *g, uint32_t phone)
{
	return g->phone[phone].left;
}

uint32_t gen_registered(const struct gen *g)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->phones; i++)
		n += g->phone[i].registered;
	return n;
}

uint32_t gen_registering(const struct gen *g)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->phones; i++)
		n += g->phone[i].reg.c != NULL;
	return n;
}

uint32_t gen_hangup(struct gen *g, uint32_t n, uint32_t longer, uint64_t now)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < g->lives && done < n; i++) {
		struct gen_call *c = &g->call[g->live[i]];

		if (c->stage != GEN_TALKING || c->v->due < now + longer)
			continue;
		gen_call_bye(g, c, now);
		done++;
	}
	return done;
}

void gen_mark(struct gen *g)
{
	for (uint32_t i = 0; i < g->lives; i++) {
		struct gen_call *c = &g->call[g->live[i]];

		c->marked = !c->v->over;
		c->at_mark = c->stage;
	}
}

void gen_end(struct gen *g, uint64_t now)
{
	for (uint32_t i = 0; i < g->lives; i++) {
		struct gen_call *c = &g->call[g->live[i]];

		if (c->stage == GEN_TALKING)
			gen_call_bye(g, c, now);
	}
}

uint32_t gen_live(const struct gen *g)
{
	return g->lives;
}

uint32_t gen_calls(const struct gen *g)
{
	return g->calls;
}

const struct gen_call *gen_call(const struct gen *g, uint32_t i)
{
	return i < g->calls ? &g->call[i] : NULL;
}

const struct gen_figures *gen_figures(const struct gen *g)
{
	return &g->f;
}

const char *gen_callid(const struct gen *g, uint32_t i, char txt[64])
{
	(void)snprintf(txt, 64, "drill-%llx-%u", (unsigned long long)g->run,
		       i);
	return txt;
}

bool gen_by_callid(const struct gen *g, struct sl callid, uint32_t *ip)
{
	char head[40];
	struct sl h;
	uint32_t i;

	(void)snprintf(head, sizeof(head), "drill-%llx-",
		       (unsigned long long)g->run);
	h = sl_cstr(head);
	if (!g->calls || !sl_starts(callid, h) ||
	    sl_u32(sl_sub(callid, h.n, callid.n), g->calls - 1, &i))
		return false;
	*ip = i;
	return true;
}
