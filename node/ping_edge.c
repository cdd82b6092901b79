/* ping_edge.c - Pure. Contacts that their edge keeps alive, or asks for us, in
 * batches. An edge that knows no batches of questions is seen at the first one:
 * its contacts are asked by an OPTIONS of ours each, along their Path. */
#include "node/ping_i.h"
#include "node/proxy_i.h"
#include "sip/chr.h"
#include "sip/hop.h"
#include "sip/inner.h"

enum { AGAIN = 60000,           /* [ms] until such an edge is tried again     */
       FROM_MAX = 256 };

struct heard {
	struct ping *p;
	uint64_t now, wall;
};

void ping_edge_conf(struct ping *p)
{
	const struct node_config *cf = p->cf;

	p->keep.proxy = p->ask.proxy = p->proxy;
	p->keep.from = p->ask.from = cf->ping.from;
	p->ask.wait = cf->ping.timeout;
	/* an edge writes OPTIONS and nothing else */
	p->by_edge = !strcmp(cf->ping.method, "OPTIONS") &&
		strlen(cf->ping.from) <= FROM_MAX;
}

/* Edges beyond the table share its last place */
uint8_t ping_edge_of(struct ping *p, const struct addr *a)
{
	uint32_t i = 0;

	while (i < p->edges && !addr_eq(&p->edge[i].addr, a))
		i++;
	if (i == PING_EDGES)
		i--;
	else if (i == p->edges)
		p->edge[p->edges++].addr = *a;
	return (uint8_t)i;
}

void ping_edge_keep(struct ping *p, struct sl aor,
		    const struct store_contact *c, const struct ping_who *w,
		    uint64_t hash, bool by_stun, uint64_t now)
{
	struct keep_one o = { .aor = aor, .key = c->key, .vstamp = c->vstamp,
			      .hash = hash, .stun = by_stun };

	o.token = w->token;
	if (!o.token.n) {
		p->no_hop++;
		return;
	}
	keep_add(&p->keep, &w->hop, &o, now);
}

/* It becomes part of a line, and of an OPTIONS of the edge's */
static bool is_plain(struct sl uri)
{
	const char *e = uri.p + uri.n;

	return uri.n && uri.n <= INNER_URI &&
		chr_span(uri.p, e, e, CHR_OPAQUE) == e;
}

bool ping_edge_ask(struct ping *p, struct sl aor,
		   const struct store_contact *c, const struct ping_who *w,
		   uint64_t hash, uint64_t now)
{
	struct keep_one o = { .aor = aor, .key = c->key, .vstamp = c->vstamp,
			      .hash = hash, .uri = w->b.uri };

	if (w->alone)
		o.token = w->token;
	if (!p->by_edge || !o.token.n || !is_plain(w->b.uri) ||
	    now < p->edge[ping_edge_of(p, &w->hop.peer)].plain_until)
		return false;
	p->sent++;
	keep_add(&p->ask, &w->hop, &o, now);
	return true;
}

/* --- what came of it --- */

/** The item that counts its failures */
static void lose(struct heard *x, const struct keep_one *o,
		 const struct flow *hop, uint64_t sent, bool sure)
{
	struct ping *p = x->p;
	struct ping_item *i = ping_find(p, o->hash);

	if (!i)
		i = ping_new(p, o->hash, o->aor, o->key);
	if (!i) {
		p->full++;
		return;
	}
	i->vstamp = o->vstamp;
	i->sent = sent;
	i->edge = ping_edge_of(p, &hop->peer);
	i->sure = sure;
	ping_lost(p, i, x->now, x->wall);
}

/* What an edge said of one that it keeps alive */
static void kept(const struct keep_one *o, const struct flow *hop,
		 const struct keep_said *said, void *arg)
{
	struct heard *x = arg;
	struct ping_item *i = ping_find(x->p, o->hash);

	if (said->fate == KEEP_DEAD)
		lose(x, o, hop, said->sent, true);
	else if (i && !i->open)
		ping_drop(x->p, i);
}

/* The edge does not do it for us. Not counted twice */
static void ask_ourselves(struct heard *x, const struct keep_one *o,
			  const struct flow *hop)
{
	struct ping *p = x->p;
	struct ping_item *i = ping_find(p, o->hash);
	struct store_contact c;
	struct binding b;

	p->sent--;
	if (store_find(p->loc->store, o->aor, o->key, x->wall, &c) ||
	    binding_decode(&b, c.value) || (i && i->open))
		return;
	if (!i)
		i = ping_new(p, o->hash, o->aor, o->key);
	if (!i) {
		p->full++;
		return;
	}
	i->vstamp = c.vstamp;
	ping_send(p, i, &b, hop, x->now);
}

static void answered(struct heard *x, const struct keep_one *o, uint32_t edge,
		     const struct keep_said *said)
{
	uint64_t at = said->sent + said->ms;

	ping_heard(x->p, o->hash, o->aor, edge, said->ms,
		   at < x->now ? at : x->now);
}

/* What an edge said of one that it asked, or nothing */
static void told(const struct keep_one *o, const struct flow *hop,
		 const struct keep_said *said, void *arg)
{
	struct heard *x = arg;
	struct ping *p = x->p;
	uint8_t k = ping_edge_of(p, &hop->peer);

	switch (said->fate) {
	case KEEP_ANSWERED:
		p->edge[k].asks = true;
		if (!ping_is_dead(p, said->code)) {
			answered(x, o, k, said);
			break;
		}
		p->refused++;
		lose(x, o, hop, said->sent, false);
		break;
	case KEEP_SILENT:
		p->edge[k].asks = true;
		p->lost++;
		lose(x, o, hop, said->sent, false);
		break;
	case KEEP_NO_WORD:
		/* it may be one that throws away what it does not know */
		if (p->edge[k].asks) {
			p->lost++;
			lose(x, o, hop, said->sent, false);
			break;
		}
		p->edge[k].plain_until = x->now + AGAIN;
		ask_ourselves(x, o, hop);
		break;
	case KEEP_REFUSED:
		/* the next one would be, too */
		p->edge[k].asks = false;
		p->edge[k].plain_until = x->now + AGAIN;
		ask_ourselves(x, o, hop);
		break;
	case KEEP_LEFT:
		ask_ourselves(x, o, hop);
		break;
	case KEEP_FINE:
	case KEEP_DEAD:
		break;
	}
}

bool ping_edge_response(struct ping *p, const struct sip_msg *m, uint64_t now,
			uint64_t wall)
{
	struct heard x = { p, now, wall };

	return keep_response(&p->keep, m, kept, &x) ||
		keep_response(&p->ask, m, told, &x);
}

void ping_edge_tick(struct ping *p, uint64_t now, uint64_t wall)
{
	struct heard x = { p, now, wall };

	keep_tick(&p->keep, now, kept, &x);
	keep_tick(&p->ask, now, told, &x);
}
