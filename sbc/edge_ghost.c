/* edge_ghost.c - Pure. A callee answered 2xx when the caller had already been
 * refused: nobody would ever hang up. The edge ACKs and ends that dialog. */
#include "sbc/edge_priv.h"

/** Dialogs ended per branch: a callee who makes up To tags must not fill our
 *  tables. Counted in the low bits of *seen */
enum { GHOSTS = 15 };

/** What is needed from the 2xx */
struct ghost {
	struct flow flow;        /**< of the callee                           */
	struct sl target;        /**< his Contact                             */
	unsigned proxies;        /**< Record-Route elements on his side       */
};

/** The callee's token stands in the Record-Route that he mirrored */
static bool ghost_read(struct ghost *g, const struct edge *e,
		       const struct sip_msg *m)
{
	struct sip_iter it = { 0 };
	struct name_addr na;
	struct token t;
	struct sl user;

	if (name_addr_parse(&na, sip_first(m, SIP_CONTACT)))
		return false;
	g->target = na.uri;
	for (g->proxies = 0; sip_iter(m, SIP_RECORD_ROUTE, &it);
	     g->proxies++) {
		if (!route_elem_ours(&e->rc, it.val, &user))
			continue;
		if (!sl_isset(user) ||
		    token_open(&t, &e->keys, user, TOKEN_RR, m->callid) ||
		    t.leg != TOKEN_CALLEE || t.flow.lst >= e->lstc)
			return false;
		g->flow = t.flow;
		return true;
	}
	return false;
}

/** Route of the callee's own proxies: the last one written is the first hop */
static void put_routes(struct buf *b, const struct sip_msg *m, unsigned n)
{
	for (; n; n--) {
		struct sip_iter it = { 0 };

		for (unsigned i = 0; i < n; i++)
			(void)sip_iter(m, SIP_RECORD_ROUTE, &it);
		buf_lit(b, "Route: ");
		buf_sl(b, it.val);
		buf_lit(b, "\r\n");
	}
}

static struct blob *build(struct edge *e, const struct ghost *g,
			  const struct sip_msg *m, const char *method,
			  uint32_t cseq, struct sl branch)
{
	struct buf *b = &e->out_buf;
	struct blob *msg;

	buf_reset(b);
	buf_str(b, method);
	buf_chr(b, ' ');
	buf_sl(b, g->target);
	buf_lit(b, " SIP/2.0\r\n");
	edge_via_put(e, b, g->flow.lst, branch);
	put_routes(b, m, g->proxies);
	buf_lit(b, "Max-Forwards: 70\r\nFrom: ");
	buf_sl(b, m->from);
	buf_lit(b, "\r\nTo: ");
	buf_sl(b, m->to);
	buf_lit(b, "\r\nCall-ID: ");
	buf_sl(b, m->callid);
	buf_lit(b, "\r\nCSeq: ");
	buf_u64(b, cseq);
	buf_chr(b, ' ');
	buf_str(b, method);
	buf_lit(b, "\r\nContent-Length: 0\r\n\r\n");
	msg = b->err ? NULL : blobs_make(e->blobs, b->p, b->n);
	if (!msg)
		e->led.oom++;
	return msg;
}

static void send_ack(struct edge *e, const struct ghost *g,
		     const struct sip_msg *m)
{
	struct blob *msg;
	char room[32];
	struct buf b;
	uint64_t h;

	h = secret_hash(e->branch_key, m->to_tag.p, m->to_tag.n);
	buf_fixed(&b, room, sizeof(room));
	buf_lit(&b, SIP_COOKIE "g.");
	buf_hex(&b, &h, sizeof(h));
	msg = build(e, g, m, "ACK", m->cseq, buf_as_sl(&b));
	if (msg)
		outq_send(&e->out, &g->flow, msg);
}

static void send_bye(struct edge *e, const struct ghost *g,
		     const struct sip_msg *m, uint64_t now)
{
	const struct ctxn_timers tm = { 0 };
	struct probe *p = eobj_alloc(e, EO_PROBE);
	struct blob *msg;

	if (!p || ctxn_alloc(&p->ctxn, e->txnl, SIP_BYE, p)) {
		eobj_free(p);
		return;
	}
	p->e = e;
	p->done = true;              /* its answer is of no interest */
	msg = build(e, g, m, "BYE", m->cseq + 1, ctxn_branch(p->ctxn));
	if (!msg) {
		ctxn_drop(p->ctxn);
		eobj_free(p);
		return;
	}
	ctxn_send(p->ctxn, &g->flow, msg, &tm, now);
	blob_unref(msg);
}

void edge_ghost(struct edge *e, const struct sip_msg *m, uint64_t *seen,
		uint64_t now)
{
	struct ghost g;
	uint64_t h;

	if (m->meth != SIP_INVITE || m->status / 100 != 2)
		return;
	if (!ghost_read(&g, e, m)) {
		e->led.ghost_alive++;
		return;
	}
	/* each copy of the 2xx is ACKed, each dialog ended once */
	send_ack(e, &g, m);
	h = secret_hash(e->branch_key, m->to_tag.p, m->to_tag.n) |
		(uint64_t)GHOSTS;
	if (h == (*seen | GHOSTS) || (*seen & GHOSTS) == GHOSTS)
		return;
	*seen = (h & ~(uint64_t)GHOSTS) | ((*seen & GHOSTS) + 1);
	ledger_ghost(&e->led, m, now);
	send_bye(e, &g, m, now);
}
