/* edge_known.c - Pure. Clients found again on another connection. */
#include "sbc/edge_priv.h"

enum { KNOWN_DEFAULT = 20000 };

int edge_known_init(struct edge *e, uint32_t max)
{
	int err = known_alloc(&e->known, max ? max : KNOWN_DEFAULT);
	const struct {
		const char *event;
		size_t off;
	} v[] = {
		{ "event=\"claimed\"", offsetof(struct known_stats, claimed) },
		{ "event=\"dropped\"", offsetof(struct known_stats, dropped) },
		{ "event=\"ended\"", offsetof(struct known_stats, ended) },
		{ "event=\"displaced\"",
		  offsetof(struct known_stats, displaced) },
		{ "event=\"refused\"", offsetof(struct known_stats, refused) },
	};

	if (err)
		return err;
	e->rc.known = e->known;
	err = stat_add(e->st, STAT_GAUGE, "sbc_known", NULL,
		       "Clients that are found again on this connection",
		       &known_stats(e->known)->now, e);
	for (size_t i = 0; i < sizeof(v) / sizeof(*v) && !err; i++)
		err = stat_add(e->st, STAT_COUNTER, "sbc_known_total",
			       v[i].event,
			       "Clients entered for being found again, and why "
			       "they left",
			       (const char *)known_stats(e->known) + v[i].off,
			       e);
	return err;
}

void edge_registered(struct edge *e, const struct sip_msg *m,
		     const struct flow *f)
{
	struct known_reg r;

	if (!m || !tp_stream(f->tp))
		return;
	/* tokens of the previous key name him by its hash; first, so that the
	 * current one is the newest */
	if (e->keys.has_prev) {
		known_read(&r, m, e->keys.prev.id);
		r.prev = true;
		known_apply(e->known, f, &r);
	}
	known_read(&r, m, e->keys.cur.id);
	known_apply(e->known, f, &r);
}

uint64_t edge_known_sender(struct edge *e, const struct sip_msg *m,
			   const struct flow *f)
{
	struct known_reg r;

	if (!tp_stream(f->tp))
		return 0;
	known_read(&r, m, e->keys.cur.id);
	return r.id;
}

/* A phone that registered anew under another contact has two: the stale one
 * leads to its new connection now. It must not ring twice. 430 lets a node take
 * the stale one out, so it is no answer for the other one. */
uint16_t edge_known_twice(const struct attempt *a, const struct route *r)
{
	const struct attempt *x = a->call->attempts;

	for (; x; x = x->next)
		for (const struct relay *y = x->relays; y; y = y->next)
			if ((r->found || y->found) && y->ctxn &&
			    flow_eq(ctxn_flow(y->ctxn), &r->flow))
				return r->found ? 430 : 487;
	return 0;
}
