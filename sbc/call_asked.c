/**
 * @file call_asked.c  Pure. A call goes on at a further node after phones were
 * asked for the one that failed. The new node knows nothing of that and forks to
 * the same phones first: for them the edge answers, with what they said. So
 * they are not asked twice, and the node comes to those that were not yet.
 */
#include "sbc/edge_priv.h"

/** Phones remembered for one call: as many as a node looks up for one AoR.
 *  A call with more of them is not continued */
enum { ASKED_MAX = 64 };

/**
 * A phone: user, host and port of the Request-URI, since several lines may share
 * a flow (parameters may change with a refresh); and where it is, since phones
 * of two sites may have the same private address. Not the connection: it may be
 * lost, and the phone back on another.
 */
static uint64_t who_of(const struct edge *e, const struct flow *f,
		       struct sl ruri)
{
	const uint8_t *key = e->branch_key;
	struct uri u = { .user = ruri };
	char mem[ADDR_TXT + 120];
	struct buf b;

	(void)uri_parse(&u, ruri);
	buf_fixed(&b, mem, sizeof(mem));
	addr_put_ip(&b, &f->peer);
	buf_chr(&b, ' ');
	buf_u64(&b, tp_stream(f->tp) ? 0 : f->peer.port);
	buf_chr(&b, ' ');
	buf_u64(&b, u.port);
	buf_chr(&b, ' ');
	buf_u64(&b, secret_hash(key, u.user.p, u.user.n));
	buf_chr(&b, ' ');
	buf_u64(&b, secret_hash(key, u.host.p, u.host.n));
	return secret_hash(key, b.p, b.n);
}

/** Request-URI of what was sent on a branch; empty: there is none */
static struct sl ruri_of(struct edge *e, const struct ctxn *c)
{
	const struct blob *b = ctxn_request(c);
	struct sip_fault fault;

	if (!b || sip_scan(&e->msg2, b->p, b->n, true, &fault))
		return SL_NONE;
	return e->msg2.ruri;
}

void call_asked_add(struct call *c, const struct relay *r, uint16_t code,
		    struct blob *msg)
{
	struct edge *e = c->e;
	struct asked *k;
	struct sl ruri;

	if (c->stop || !r->ctxn)
		return;
	ruri = ruri_of(e, r->ctxn);
	k = c->askedc < ASKED_MAX && sl_isset(ruri) ?
		eobj_alloc(e, EO_ASKED) : NULL;
	if (!k) {
		c->stop = true;
		return;
	}
	k->who = who_of(e, ctxn_flow(r->ctxn), ruri);
	k->conn = ctxn_flow(r->ctxn)->conn;
	k->code = code;
	k->answer = msg ? blob_ref(msg) : NULL;
	k->next = c->asked;
	c->asked = k;
	c->askedc++;
}

void call_asked_free(struct call *c)
{
	while (c->asked) {
		struct asked *k = c->asked;

		c->asked = k->next;
		eobj_free(k);
	}
	c->askedc = 0;
}

/** A relay that leads nowhere: it keeps the answer for copies of the request */
static void replay(struct edge *e, const struct asked *k, uint16_t code,
		   const struct sip_msg *m, const struct flow *f, uint64_t now)
{
	struct relay *y = eobj_alloc(e, EO_RELAY);
	struct sip_fault fault;
	char room[32];

	if (!y || stxn_alloc(&y->stxn, e->txnl, m, f, y, now)) {
		eobj_free(y);
		e->led.overload++;
		edge_refuse(e, m, f, 503, SL_NONE, edge_retry_after(e, room));
		return;
	}
	y->e = e;
	y->settled = true;
	if (k->answer && !sip_scan(&e->msg2, k->answer->p, k->answer->n, true,
				   &fault) &&
	    !edge_pass_up(e, y->stxn, &e->msg2, 0, NULL, now))
		return;
	/* RFC 4320 4.2: no 408 to other methods */
	stxn_reply(y->stxn, code == 408 && m->meth != SIP_INVITE ? 480 : code,
		   SL_NONE, SL_NONE, now);
}

bool call_asked(struct attempt *a, const struct sip_msg *m,
		const struct flow *f, const struct flow *to, struct sl ruri,
		uint64_t now)
{
	struct call *c = a->call;
	struct edge *e = c->e;
	struct asked *k = c->asked;
	uint64_t who;
	uint16_t code;

	if (!k)
		return false;
	who = who_of(e, to, ruri);
	while (k && k->who != who)
		k = k->next;
	if (!k)
		return false;
	/* one that is back on a new connection: that is not dead */
	code = k->code == 430 && k->conn != to->conn ? 480 : k->code;
	e->led.replayed++;
	if (a->replayed < UINT16_MAX)
		a->replayed++;
	replay(e, k, code, m, f, now);
	return true;
}
