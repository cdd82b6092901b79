/* edge_cdr.c - Pure. A call that ended becomes a record. */
#include "sbc/edge_priv.h"

void edge_cdr(struct call *c)
{
	struct edge *e = c->e;
	const struct flow *f = stxn_flow(c->stxn);
	const struct blob *b = stxn_request(c->stxn);
	struct sip_msg *m = &e->msg_cdr;
	struct sip_fault fault;
	struct cdr x = {
		.start = (uint64_t)((int64_t)c->begin + e->led.wall),
		.end = (uint64_t)((int64_t)e->now + e->led.wall),
		.source = f->peer, .transport = tp_param(f->tp),
		.code = stxn_code(c->stxn), .cancelled = c->cancelled,
		.trail = &c->trail,
	};
	struct buf line;
	char room[CDR_LINE];

	if (!e->cdrs.on || stxn_method(c->stxn) != SIP_INVITE ||
	    sip_scan(m, b->p, b->n, true, &fault))
		return;
	x.callid = m->callid;
	x.from = m->from;
	x.to = m->to;
	x.ruri = m->ruri;
	for (int i = 0; i < CDR_TRIES && i < c->trail.n; i++)
		x.node[i] = e->node[c->trail.v[i].node].name;
	buf_fixed(&line, room, sizeof(room));
	cdr_line(&line, &x);
	/* texts are bounded, so that a line fits */
	cdrq_put(&e->cdrs, line.err ? NULL :
		 blobs_make(e->blobs, line.p, line.n));
}

void edge_cdr_on(struct edge *e, bool on)
{
	e->cdrs.on = on;
}

struct blob *edge_poll_cdr(struct edge *e)
{
	return cdrq_poll(&e->cdrs);
}
