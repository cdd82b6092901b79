/* simnet.c - Test support. A network on virtual time. */
#include "simnet.h"

#include <errno.h>
#include <stdlib.h>

enum { HOSTS = 64 };

enum ev_kind { EV_PKT, EV_LOST, EV_CALL };

struct ev {
	uint64_t at, seq;
	enum ev_kind kind;
	struct sim_pkt pkt;          /* data owned                         */
	uint64_t ends;               /* of the receiver when it was sent   */
	struct sim_host *host;       /* LOST                               */
	int err;
	void (*h)(void *arg, uint64_t v);
	void *arg;
	uint64_t v;
};

struct conn {
	struct addr a, b;
	uint64_t last;               /* nothing is delivered before this   */
	bool open, cut;
};

struct simnet_priv {
	struct sim_host *host[HOSTS];
	unsigned hosts;
	struct ev *heap;
	size_t n, cap;
	uint64_t seq;
	struct conn *conn;           /* number - 1                         */
	uint32_t conns;
	struct ev *held;             /* for frozen hosts, in order         */
	size_t heldn, heldcap;
};

static bool before(const struct ev *a, const struct ev *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void push(struct simnet *s, struct ev e)
{
	struct simnet_priv *v = s->v;
	size_t i;

	if (v->n == v->cap) {
		v->cap = v->cap ? 2 * v->cap : 64;
		v->heap = realloc(v->heap, v->cap * sizeof(*v->heap));
		if (!v->heap)
			abort();
	}
	e.seq = ++v->seq;
	for (i = v->n++; i && before(&e, &v->heap[(i - 1) / 2]);
	     i = (i - 1) / 2)
		v->heap[i] = v->heap[(i - 1) / 2];
	v->heap[i] = e;
}

static struct ev pop(struct simnet *s)
{
	struct simnet_priv *v = s->v;
	struct ev top = v->heap[0], last = v->heap[--v->n];
	size_t i = 0, c;

	while ((c = 2 * i + 1) < v->n) {
		if (c + 1 < v->n && before(&v->heap[c + 1], &v->heap[c]))
			c++;
		if (!before(&v->heap[c], &last))
			break;
		v->heap[i] = v->heap[c];
		i = c;
	}
	v->heap[i] = last;
	return top;
}

struct simnet *simnet_new(uint64_t seed)
{
	struct simnet *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->v = calloc(1, sizeof(*s->v));
	if (!s->v) {
		free(s);
		return NULL;
	}
	s->now = 1000000;
	s->delay_min = s->delay_max = 1;
	rng_seed(&s->rng, seed);
	return s;
}

void simnet_free(struct simnet *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->v->n; i++)
		free((void *)(uintptr_t)s->v->heap[i].pkt.data.p);
	for (size_t i = 0; i < s->v->heldn; i++)
		free((void *)(uintptr_t)s->v->held[i].pkt.data.p);
	free(s->v->heap);
	free(s->v->held);
	free(s->v->conn);
	free(s->v);
	free(s);
}

void sim_add(struct simnet *s, struct sim_host *h)
{
	if (s->v->hosts == HOSTS)
		abort();
	s->v->host[s->v->hosts++] = h;
}

static struct sim_host *host_at(const struct simnet *s, const struct addr *a)
{
	for (unsigned i = 0; i < s->v->hosts; i++)
		if (addr_eq(&s->v->host[i]->addr, a))
			return s->v->host[i];
	return NULL;
}

static uint64_t later(struct simnet *s)
{
	return s->now + s->delay_min +
	       rng_below(&s->rng, s->delay_max - s->delay_min + 1);
}

/** What slow hosts add */
static uint32_t lag(const struct simnet *s, const struct addr *a,
		    const struct addr *b)
{
	const struct sim_host *x = host_at(s, a), *y = host_at(s, b);

	return (x ? x->lag : 0) + (y ? y->lag : 0);
}

static struct sl dup(struct sl d)
{
	char *p = malloc(d.n ? d.n : 1);

	if (!p)
		abort();
	if (d.n)
		memcpy(p, d.p, d.n);
	return sl_mk(p, d.n);
}

static void send_pkt(struct simnet *s, struct sim_pkt p, uint64_t at)
{
	struct sim_host *h = host_at(s, &p.to);

	p.data = dup(p.data);
	push(s, (struct ev){ .at = at, .kind = EV_PKT, .pkt = p,
			     .ends = h ? h->ends : 0 });
}

void sim_datagram(struct simnet *s, const struct addr *from,
		  const struct addr *to, struct sl data)
{
	struct sim_pkt p = { .kind = SIM_DATAGRAM, .from = *from, .to = *to,
			     .data = data };

	if (s->loss && rng_below(&s->rng, 1000) < s->loss)
		return;
	send_pkt(s, p, later(s) + lag(s, from, to));
	if (s->twice && rng_below(&s->rng, 1000) < s->twice)
		send_pkt(s, p, later(s) + lag(s, from, to));
}

static void tell_at(struct simnet *s, const struct addr *who, uint32_t conn,
		    int err, uint64_t at)
{
	struct sim_host *h = host_at(s, who);

	if (h)
		push(s, (struct ev){ .at = at, .kind = EV_LOST,
				     .host = h, .err = err, .ends = h->ends,
				     .pkt = { .conn = conn } });
}

static void tell_lost(struct simnet *s, const struct addr *who, uint32_t conn,
		      int err)
{
	tell_at(s, who, conn, err, later(s));
}

uint32_t sim_between(const struct simnet *s, const struct addr *a,
		     const struct addr *b)
{
	for (uint32_t i = s->v->conns; i; i--) {
		const struct conn *c = &s->v->conn[i - 1];

		if (c->open && ((addr_eq(&c->a, a) && addr_eq(&c->b, b)) ||
				(addr_eq(&c->b, a) && addr_eq(&c->a, b))))
			return i;
	}
	return 0;
}

bool sim_opened(const struct simnet *s, uint32_t conn, const struct addr *who)
{
	return addr_eq(&s->v->conn[conn - 1].a, who);
}

uint32_t sim_connect(struct simnet *s, const struct addr *from,
		     const struct addr *to)
{
	struct simnet_priv *v = s->v;
	struct sim_host *h = host_at(s, to);
	struct conn *c;

	if (sim_between(s, from, to))
		return sim_between(s, from, to);
	v->conn = realloc(v->conn, (v->conns + 1) * sizeof(*v->conn));
	if (!v->conn)
		abort();
	c = &v->conn[v->conns++];
	*c = (struct conn){ .a = *from, .b = *to,
			    .open = h && h->state != SIM_DEAD };
	if (!c->open)
		tell_lost(s, from, v->conns, ECONNREFUSED);
	return v->conns;
}

struct addr sim_peer(const struct simnet *s, uint32_t conn,
		     const struct addr *me)
{
	const struct conn *c = &s->v->conn[conn - 1];

	return addr_eq(&c->a, me) ? c->b : c->a;
}

void sim_stream(struct simnet *s, const struct addr *from, uint32_t conn,
		struct sl data)
{
	struct conn *c;
	uint64_t at = later(s);

	if (!conn || conn > s->v->conns)
		return;
	c = &s->v->conn[conn - 1];
	if (!c->open) {
		tell_lost(s, from, conn, EPIPE);
		return;
	}
	at += lag(s, &c->a, &c->b);
	if (at < c->last)
		at = c->last;
	c->last = at;
	send_pkt(s, (struct sim_pkt){ .kind = SIM_STREAM, .from = *from,
				      .to = sim_peer(s, conn, from),
				      .conn = conn, .data = data }, at);
}

void sim_close(struct simnet *s, uint32_t conn)
{
	struct conn *c = &s->v->conn[conn - 1];

	if (!c->open)
		return;
	c->open = false;
	tell_lost(s, &c->a, conn, 0);
	tell_lost(s, &c->b, conn, 0);
}

void sim_cut(struct simnet *s, uint32_t conn)
{
	struct conn *c = &s->v->conn[conn - 1];

	if (!c->open)
		return;
	c->open = false;
	c->cut = true;
	/* before anything on a new connection, which needs a handshake */
	tell_at(s, &c->a, conn, ECONNRESET, s->now);
	tell_at(s, &c->b, conn, ECONNRESET, s->now);
}

void sim_kill(struct simnet *s, struct sim_host *h)
{
	if (h->state == SIM_DEAD)
		return;
	h->state = SIM_DEAD;
	h->ends++;
	for (uint32_t i = 0; i < s->v->conns; i++) {
		struct conn *c = &s->v->conn[i];

		if (!c->open)
			continue;
		if (!addr_eq(&c->a, &h->addr) && !addr_eq(&c->b, &h->addr))
			continue;
		c->open = false;
		tell_lost(s, addr_eq(&c->a, &h->addr) ? &c->b : &c->a, i + 1,
			  ECONNRESET);
	}
}

void sim_start(struct simnet *s, struct sim_host *h)
{
	(void)s;
	if (h->state == SIM_DEAD)
		h->state = SIM_UP;
}

void sim_freeze(struct simnet *s, struct sim_host *h)
{
	(void)s;
	if (h->state == SIM_UP)
		h->state = SIM_FROZEN;
}

void sim_thaw(struct simnet *s, struct sim_host *h)
{
	struct simnet_priv *v = s->v;
	size_t keep = 0;

	if (h->state != SIM_FROZEN)
		return;
	h->state = SIM_UP;
	for (size_t i = 0; i < v->heldn; i++) {
		if (v->held[i].host != h) {
			v->held[keep++] = v->held[i];
			continue;
		}
		v->held[i].at = s->now;
		push(s, v->held[i]);
	}
	v->heldn = keep;
}

void sim_at(struct simnet *s, uint64_t at, void (*h)(void *arg, uint64_t v),
	    void *arg, uint64_t val)
{
	push(s, (struct ev){ .at = at < s->now ? s->now : at, .kind = EV_CALL,
			     .h = h, .arg = arg, .v = val });
}

uint64_t sim_next(const struct simnet *s)
{
	return s->v->n ? s->v->heap[0].at : UINT64_MAX;
}

static void hold(struct simnet *s, struct ev e, struct sim_host *h)
{
	struct simnet_priv *v = s->v;

	if (v->heldn == v->heldcap) {
		v->heldcap = v->heldcap ? 2 * v->heldcap : 16;
		v->held = realloc(v->held, v->heldcap * sizeof(*v->held));
		if (!v->held)
			abort();
	}
	e.host = h;
	v->held[v->heldn++] = e;
}

/** @return true: e.pkt.data may be freed */
static bool deliver(struct simnet *s, struct ev *e)
{
	struct sim_host *h = e->kind == EV_LOST ? e->host :
						  host_at(s, &e->pkt.to);
	struct addr peer;

	if (!h || h->state == SIM_DEAD || h->ends != e->ends)
		return true;
	if (h->state == SIM_FROZEN) {
		hold(s, *e, h);
		return false;
	}
	if (e->kind == EV_LOST) {
		peer = sim_peer(s, e->pkt.conn, &h->addr);
		if (h->lost)
			h->lost(h, e->pkt.conn, &peer, e->err);
		return true;
	}
	if (e->pkt.conn && s->v->conn[e->pkt.conn - 1].cut)
		return true;
	if (s->tap)
		s->tap(&e->pkt, s->tap_arg);
	h->recv(h, &e->pkt);
	return true;
}

void sim_step(struct simnet *s)
{
	struct ev e;

	if (!s->v->n)
		return;
	e = pop(s);
	if (e.at > s->now)
		s->now = e.at;
	if (e.kind == EV_CALL)
		e.h(e.arg, e.v);
	else if (deliver(s, &e))
		free((void *)(uintptr_t)e.pkt.data.p);
}
