/* sim_net.c - the streams between simulated nodes. A stream keeps its order;
 * it may be slow, stand still, be garbled, or end with its tail lost. */
#include <errno.h>
#include <stdlib.h>
#include "sim.h"

#define CONNECT_TIMEOUT 1000
#define SHAKE_TIMEOUT 5000      /* the other kernel answers, its program not */
#define IN_MAX (1u << 22)

static void drop_pieces(struct sim_end *e)
{
	struct sim_piece *p, *next;

	for (p = e->first; p; p = next) {
		next = p->next;
		free(p);
	}
	e->first = NULL;
	e->tail = &e->first;
	e->flight = 0;
	buf_free(&e->in);
	buf_init(&e->in, IN_MAX);
}

void sim_conn_free(struct sim_conn *c)
{
	drop_pieces(&c->end[0]);
	drop_pieces(&c->end[1]);
	c->used = false;
}

/* This end is closed; the other one hears of it after a while, if ever */
static void close_end(struct sim *s, int ci, int e, bool loud)
{
	struct sim_conn *c = &s->conn[ci];
	int i = c->end[e].node;

	if (i < 0)
		return;
	if (c->end[e].link != MESH_NONE && s->node[i].mesh)
		s->node[i].conn[c->end[e].link] = -1;
	c->end[e].node = -1;
	drop_pieces(&c->end[e]);
	if (c->end[!e].node >= 0 && loud && !c->end[!e].gone_at)
		c->end[!e].gone_at = s->now + 1 +
			rng_below(&s->rng, s->delay);
	if (c->end[!e].node < 0)
		sim_conn_free(c);
	else
		sim_conn_plan(s, ci);
}

void sim_dial(struct sim *s, int i, uint8_t target, const struct addr *a)
{
	int to = a->ip[3] - 1, ci = 0;
	struct sim_conn *c;
	uint64_t due;

	while (ci < SIM_CONNS && s->conn[ci].used)
		ci++;
	if (ci == SIM_CONNS) {
		sim_fail(s, "I8: node %d wants connection %d", i, ci);
		return;
	}
	if (ci >= s->conns)
		s->conns = ci + 1;
	c = &s->conn[ci];
	due = c->due;                    /* its last user's event may be left */
	memset(c, 0, sizeof(*c));
	c->due = due;
	c->serial = ++s->serial;
	c->used = true;
	c->target = target;
	c->open_at = s->now + 1 + rng_below(&s->rng, s->delay);
	for (int e = 0; e < 2; e++) {
		c->end[e].node = c->end[e].who = e ? to : i;
		c->end[e].link = MESH_NONE;
		c->end[e].tail = &c->end[e].first;
		buf_init(&c->end[e].in, IN_MAX);
	}
	sim_conn_plan(s, ci);
}

static void both_up(struct sim *s, int ci)
{
	struct sim_conn *c = &s->conn[ci];

	c->open = true;
	for (int e = 0; e < 2; e++) {
		struct sim_node *x = &s->node[c->end[e].node];
		uint8_t l;

		sim_enter(s, c->end[e].node);
		l = mesh_up(x->mesh, e ? MESH_NONE : c->target, s->now);
		sim_leave();
		x->dirty = true;
		if (l == MESH_NONE) {
			close_end(s, ci, e, true);
			continue;
		}
		c->end[e].link = l;
		x->conn[l] = ci;
		if (l >= x->links)
			x->links = l + 1;
	}
}

/* A dial under way: up, failed, or wait */
static void opening(struct sim *s, int ci)
{
	struct sim_conn *c = &s->conn[ci];
	int a = c->end[0].node, b = c->end[1].node;
	const struct sim_node *to = &s->node[b];
	bool cut = s->cut[a][b] || s->cut[b][a];
	uint64_t limit = to->frozen > s->now ? SHAKE_TIMEOUT : CONNECT_TIMEOUT;

	if (s->now < c->open_at || s->node[a].frozen > s->now)
		return;
	if (to->mesh && !cut && to->frozen <= s->now) {
		both_up(s, ci);
		return;
	}
	if (to->mesh && s->now < c->open_at + limit)
		return;
	sim_enter(s, a);
	mesh_dial_failed(s->node[a].mesh, c->target, s->now);
	sim_leave();
	s->node[a].dirty = true;
	sim_conn_free(c);
}

/* --- sending --------------------------------------------------------------------- */

static void queue_piece(struct sim *s, int ci, int to, const uint8_t *p,
			size_t n)
{
	struct sim_conn *c = &s->conn[ci];
	struct sim_end *e = &c->end[to];
	int a = c->end[!to].who, b = e->who;
	struct sim_piece *k = malloc(sizeof(*k) + n);
	uint64_t from = s->now;

	if (!k)
		abort();
	if (s->rate[a][b]) {
		if (e->busy_to > from)
			from = e->busy_to;
		from += n / s->rate[a][b];
		e->busy_to = from;
	}
	k->next = NULL;
	k->n = n;
	k->at = from + 1 + s->lag[a][b] + rng_below(&s->rng, s->delay);
	if (k->at < e->last_at)
		k->at = e->last_at;       /* a stream keeps its order */
	e->last_at = k->at;
	memcpy(k->p, p, n);
	if (s->flip && rng_below(&s->rng, 1000) < s->flip) {
		k->p[rng_below(&s->rng, (uint32_t)n)] ^=
			(uint8_t)(1u << rng_below(&s->rng, 8));
		s->flipped++;
	}
	*e->tail = k;
	e->tail = &k->next;
	e->flight += n;
}

static void send_bytes(struct sim *s, int ci, int to, const uint8_t *p,
		       size_t n)
{
	struct sim_conn *c = &s->conn[ci];

	if (c->broken || c->end[to].node < 0 || n == 0)
		return;
	if (n > 1 && s->split && rng_below(&s->rng, 1000) < s->split) {
		size_t k = 1 + rng_below(&s->rng, (uint32_t)n - 1);

		queue_piece(s, ci, to, p, k);
		p += k;
		n -= k;
		s->splits++;
	}
	queue_piece(s, ci, to, p, n);
	sim_conn_plan(s, ci);
}

static int end_of(const struct sim_conn *c, int i, uint8_t link)
{
	return c->end[0].node == i && c->end[0].link == link ? 0 : 1;
}

void sim_hang_up(struct sim *s, int i, uint8_t link, const uint8_t *last,
		 size_t n)
{
	int ci = s->node[i].conn[link], e;

	if (ci < 0)
		return;
	e = end_of(&s->conn[ci], i, link);
	send_bytes(s, ci, !e, last, n);
	close_end(s, ci, e, true);
}

/* One link's turn to send. A buffer that found no memory ends the link. */
static bool give_one(struct sim *s, int i, uint8_t l)
{
	struct sim_node *x = &s->node[i];
	int ci = x->conn[l], e = end_of(&s->conn[ci], i, l);
	struct buf b;
	bool more = false;

	if (s->conn[ci].end[!e].flight >= s->limit)
		return false;
	buf_init(&b, IN_MAX);
	sim_enter(s, i);
	mesh_fill(x->mesh, l, &b, s->limit, s->now, sim_wall(s, i));
	if (!b.err)
		more = mesh_want(x->mesh, l);
	sim_leave();
	if (b.n > s->limit + REPL_BATCH + REC_SIZE_MAX + WIRE_CONTROL_MAX)
		sim_fail(s, "I8: node %d writes %zu bytes at once", i, b.n);
	if (b.err == ENOMEM) {
		close_end(s, ci, e, true);
		sim_enter(s, i);
		mesh_down(x->mesh, l, s->now);
		sim_leave();
	} else if (b.err) {
		sim_fail(s, "fill: node %d, error %d", i, b.err);
	} else {
		send_bytes(s, ci, !e, b.p, b.n);
		more = more && s->conn[ci].end[!e].flight < s->limit;
	}
	sim_enter(s, i);
	buf_free(&b);
	sim_leave();
	return more;
}

bool sim_give(struct sim *s, int i)
{
	struct sim_node *x = &s->node[i];
	bool more = false;

	sim_enter(s, i);
	mesh_gate(x->mesh, s->now);
	sim_leave();
	for (uint8_t l = 0; l < x->links; l++) {
		bool want;

		if (x->conn[l] < 0)
			continue;
		sim_enter(s, i);
		want = mesh_want(x->mesh, l);
		sim_leave();
		if (want)
			more |= give_one(s, i, l);
	}
	return more;
}

/* --- receiving ------------------------------------------------------------------- */

static void say_frame(const struct sim *s, int to, int from,
		      const struct wire_head *h, struct sl p)
{
	struct wire_push u;

	if (h->type == WIRE_PUSH && wire_push_decode(&u, p) == 0)
		sim_say(s, "  %d <- %d PUSH %llu..%llu, %u records", to, from,
			(unsigned long long)u.prev, (unsigned long long)u.last,
			u.n);
	else
		sim_say(s, "  %d <- %d %s, %u bytes", to, from,
			wire_type_name(h->type), h->n);
}

/* @return the link is still there */
static bool take_frame(struct sim *s, int ci, int e, struct sl all,
		       size_t *used)
{
	struct sim_conn *c = &s->conn[ci];
	int i = c->end[e].node;
	struct sim_node *x = &s->node[i];
	uint8_t l = c->end[e].link;
	struct wire_head h;
	size_t total = 0;
	int err;

	*used = 0;
	err = wire_frame(all, mesh_limit(x->mesh, l), &h, &total);
	if (err == EAGAIN)
		return false;
	sim_enter(s, i);
	if (err) {
		mesh_garbage(x->mesh, l, err, s->now);
	} else {
		s->frames++;
		if (s->trace)
			say_frame(s, i, c->end[!e].who, &h,
				  sl_sub(all, WIRE_HEAD, total));
		mesh_recv(x->mesh, l, &h, sl_sub(all, WIRE_HEAD, total),
			  s->now, sim_wall(s, i));
		*used = total;
	}
	sim_leave();
	if (err && !s->flipped)
		sim_fail(s, "wire: node %d gets what is no frame, error %d",
			 i, err);
	sim_effects(s, i);
	return c->used && c->end[e].node == i && x->conn[l] == ci;
}

static void take(struct sim *s, int ci, int e)
{
	struct sim_conn *c = &s->conn[ci];
	int i = c->end[e].node;
	size_t at = 0, used;
	struct buf own = c->end[e].in;   /* a close would free it */
	uint64_t serial = c->serial;
	bool there;

	buf_init(&c->end[e].in, IN_MAX);
	do {
		there = take_frame(s, ci, e, sl_sub(buf_as_sl(&own), at,
						    own.n), &used);
		at += used;
	} while (there && at < own.n);
	if (c->used && c->serial == serial && c->end[e].node == i) {
		memmove(own.p, own.p + at, own.n - at);
		own.n -= at;
		c->end[e].in = own;
	} else {
		buf_free(&own);
	}
}

static void arrive(struct sim *s, int ci, int e)
{
	struct sim_conn *c = &s->conn[ci];
	int i = c->end[e].node, from = c->end[!e].who;
	uint64_t serial = c->serial;
	struct sim_piece *p;

	while (c->used && c->serial == serial && c->end[e].node == i &&
	       (p = c->end[e].first) && p->at <= s->now) {
		c->end[e].first = p->next;
		if (!p->next)
			c->end[e].tail = &c->end[e].first;
		c->end[e].flight -= p->n;
		buf_put(&c->end[e].in, p->p, p->n);
		free(p);
		s->node[from].dirty = true;    /* there's room again */
		s->node[i].dirty = true;
		take(s, ci, e);
	}
	if (c->used && c->serial == serial && c->end[e].node == i &&
	    !c->end[e].first && c->end[e].gone_at &&
	    c->end[e].gone_at <= s->now) {
		uint8_t l = c->end[e].link;

		close_end(s, ci, e, true);
		s->node[i].dirty = true;
		sim_enter(s, i);
		if (l != MESH_NONE)
			mesh_down(s->node[i].mesh, l, s->now);
		sim_leave();
	}
}

/* --- a connection's time --------------------------------------------------------- */

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t end_next(const struct sim *s, const struct sim_conn *c, int e)
{
	const struct sim_end *x = &c->end[e];
	uint64_t at = UINT64_MAX;

	if (x->node < 0 || x->link == MESH_NONE ||
	    s->cut[c->end[!e].who][x->who])
		return at;
	if (x->first)
		at = x->first->at;
	else if (x->gone_at)
		at = x->gone_at;
	return at == UINT64_MAX ? at : later(at, s->node[x->node].frozen);
}

static uint64_t opening_next(const struct sim *s, const struct sim_conn *c)
{
	const struct sim_node *a = &s->node[c->end[0].node];
	const struct sim_node *b = &s->node[c->end[1].node];
	uint64_t at = c->open_at;

	if (at <= s->now && b->frozen > s->now) {
		at = c->open_at + SHAKE_TIMEOUT;
		if (b->frozen < at)
			at = b->frozen;
	} else if (at <= s->now) {
		at = c->open_at + CONNECT_TIMEOUT;
	}
	return later(at, a->frozen);
}

void sim_conn_plan(struct sim *s, int ci)
{
	const struct sim_conn *c = &s->conn[ci];
	uint64_t at;

	if (!c->used)
		return;
	if (!c->open) {
		at = opening_next(s, c);
	} else {
		uint64_t b = end_next(s, c, 1);

		at = end_next(s, c, 0);
		if (b < at)
			at = b;
	}
	sim_plan(s, ci, at == UINT64_MAX ? at : later(at, s->now + 1));
}

void sim_conn_event(struct sim *s, int ci)
{
	struct sim_conn *c = &s->conn[ci];

	if (c->used && !c->open)
		opening(s, ci);
	for (int e = 0; e < 2 && c->used && c->open; e++)
		if (end_next(s, c, e) <= s->now)
			arrive(s, ci, e);
	sim_conn_plan(s, ci);
}

/* --- faults ---------------------------------------------------------------------- */

void sim_gone(struct sim *s, int i, bool loud)
{
	for (int ci = 0; ci < s->conns; ci++) {
		struct sim_conn *c = &s->conn[ci];

		if (c->used && !c->open && c->end[0].node == i)
			sim_conn_free(c);       /* a dial under way */
		for (int e = 0; e < 2; e++)
			if (c->used && c->open && c->end[e].node == i)
				close_end(s, ci, e, loud);
	}
}

/* Of what is on the way the first `keep` bytes arrive */
static void lose_tail(struct sim_end *e, size_t keep)
{
	struct sim_piece **pp = &e->first, *p;

	while (*pp && (*pp)->n <= keep) {
		keep -= (*pp)->n;
		pp = &(*pp)->next;
	}
	if (*pp && keep) {
		e->flight -= (*pp)->n - keep;
		(*pp)->n = keep;
		pp = &(*pp)->next;
	}
	e->tail = pp;
	while ((p = *pp)) {
		*pp = p->next;
		e->flight -= p->n;
		free(p);
	}
}

int sim_break(struct sim *s, int a, int b)
{
	int n = 0;

	for (int ci = 0; ci < s->conns; ci++) {
		struct sim_conn *c = &s->conn[ci];
		int x = c->end[0].node, y = c->end[1].node;

		if (!c->used || !c->open || c->broken ||
		    !((x == a && y == b) || (x == b && y == a)))
			continue;
		c->broken = true;
		n++;
		for (int e = 0; e < 2; e++) {
			lose_tail(&c->end[e], rng_below(&s->rng, 3) ? 0 :
				  rng_below(&s->rng,
					    (uint32_t)c->end[e].flight + 1));
			c->end[e].gone_at = s->now + 1 +
				rng_below(&s->rng, 50);
		}
		sim_conn_plan(s, ci);
	}
	return n;
}
