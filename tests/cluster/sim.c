/* sim.c - several nodes on virtual time and virtual streams. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <criterion/criterion.h>
#include "sim.h"

#define CONNECT_TIMEOUT 1000

static struct addr addr_of(int i)
{
	struct addr a = { .af = 4, .port = 5080,
			  .ip = { 10, 0, 0, (uint8_t)(i + 1) } };

	return a;
}

uint64_t sim_wall(const struct sim *s, int i)
{
	return s->base_wall + s->now + (uint64_t)s->node[i].clock;
}

void sim_init(struct sim *s, int n, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	rng_seed(&s->rng, seed);
	s->n = n;
	s->now = 1000000;
	s->base_wall = 1700000000000ull;
	s->max_expires = 3600;
	s->delay = 5;
}

void sim_start(struct sim *s, int i)
{
	struct sim_node *x = &s->node[i];
	struct store_conf sc = { .node = (uint64_t)i + 1,
		.max_records = 10000, .max_per_aor = 50,
		.max_expires = s->max_expires, .guard = 10000 };
	struct mesh_conf mc = { .node = (uint64_t)i + 1,
		.incarnation = ++x->life, .addr = addr_of(i),
		.heartbeat = 500, .dead = 3000,
		.max_expires = s->max_expires, .npeers = (uint32_t)s->n,
		.max_version = x->version };

	memset(sc.key, 5, sizeof(sc.key));
	mc.name[0] = (char)('a' + i);
	mc.npeers = 0;
	for (int k = 0; k < s->n && !x->joins; k++)
		if (!s->node[k].joins)
			mc.peers[mc.npeers++] = addr_of(k);
	if (x->joins)
		mc.join[mc.njoin++] = addr_of(0);
	mc.sip = mc.addr;
	mc.sip.port = 5060;
	mc.roster = x->saved;
	if (x->id)
		sc.node = mc.node = x->id;
	for (int l = 0; l < MESH_LINKS; l++)
		x->conn[l] = -1;
	x->acked = 0;
	x->frozen = 0;
	cr_assert_eq(store_alloc(&x->store, &sc, sim_wall(s, i)), 0);
	cr_assert_eq(mesh_alloc(&x->mesh, &mc, x->store, rng_u64(&s->rng),
				s->now, sim_wall(s, i)), 0);
}

/* --- streams ------------------------------------------------------------------- */

static void drop_pieces(struct sim_conn *c, int e)
{
	struct sim_piece *p, *next;

	for (p = c->end[e].first; p; p = next) {
		next = p->next;
		free(p);
	}
	c->end[e].first = NULL;
	c->end[e].tail = &c->end[e].first;
	buf_free(&c->end[e].in);
	buf_init(&c->end[e].in, 1u << 22);
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
	drop_pieces(c, e);
	if (c->end[!e].node >= 0 && loud)
		c->end[!e].gone_at = s->now + 1 +
			rng_below(&s->rng, s->delay);
	if (c->end[!e].node < 0) {
		drop_pieces(c, !e);
		c->used = false;
	}
}

static bool stalled(const struct sim *s, int a, int b)
{
	return s->cut[a][b];
}

static void dial(struct sim *s, int i, uint8_t target, const struct addr *a)
{
	int to = a->ip[3] - 1;

	for (int ci = 0; ci < SIM_CONNS; ci++) {
		struct sim_conn *c = &s->conn[ci];

		if (c->used)
			continue;
		memset(c, 0, sizeof(*c));
		c->used = true;
		c->target = target;
		c->open_at = s->now + 1 + rng_below(&s->rng, s->delay);
		for (int e = 0; e < 2; e++) {
			c->end[e].node = c->end[e].who = e ? to : i;
			c->end[e].link = MESH_NONE;
			c->end[e].tail = &c->end[e].first;
			buf_init(&c->end[e].in, 1u << 22);
		}
		return;
	}
	cr_assert_fail("no room for a connection");
}

static void opened(struct sim *s, int ci)
{
	struct sim_conn *c = &s->conn[ci];
	int a = c->end[0].node, b = c->end[1].node;
	bool ok = s->node[b].mesh && !stalled(s, a, b) && !stalled(s, b, a);

	if (!s->node[a].mesh) {
		c->end[0].node = c->end[1].node = -1;
		c->used = false;
		return;
	}
	if (!ok && s->node[b].mesh && s->now < c->open_at + CONNECT_TIMEOUT)
		return;
	if (!ok) {
		mesh_dial_failed(s->node[a].mesh, c->target, s->now);
		c->used = false;
		return;
	}
	for (int e = 0; e < 2; e++) {
		struct sim_node *x = &s->node[c->end[e].node];
		uint8_t l = mesh_up(x->mesh, e ? MESH_NONE : c->target,
				    s->now);

		if (l == MESH_NONE) {
			close_end(s, ci, e, true);
			continue;
		}
		c->end[e].link = l;
		x->conn[l] = ci;
	}
}

static void send_piece(struct sim *s, struct sim_conn *c, int to,
		       const struct buf *b)
{
	struct sim_piece *p;
	uint64_t last = 0;

	if (c->broken)
		return;
	p = malloc(sizeof(*p) + b->n);
	cr_assert_not_null(p);
	for (struct sim_piece *q = c->end[to].first; q; q = q->next)
		last = q->at;
	p->next = NULL;
	p->n = b->n;
	p->at = s->now + 1 + rng_below(&s->rng, s->delay);
	if (p->at < last)
		p->at = last;           /* a stream keeps its order */
	memcpy(p->p, b->p, b->n);
	*c->end[to].tail = p;
	c->end[to].tail = &p->next;
}

/* --- a node's turn --------------------------------------------------------------- */

static int end_of(const struct sim_conn *c, int i)
{
	return c->end[0].node == i ? 0 : 1;
}

static void effects(struct sim *s, int i)
{
	struct sim_node *x = &s->node[i];
	struct mesh_out o;

	while (mesh_poll(x->mesh, &o)) {
		switch (o.kind) {
		case MESH_DIAL:
			dial(s, i, o.target, &o.addr);
			break;
		case MESH_CLOSE: {
			int ci = x->conn[o.link];
			struct buf b;

			if (ci < 0)
				break;
			buf_init(&b, 4096);
			buf_put(&b, o.last, o.n);
			if (o.n && s->conn[ci].end[!end_of(&s->conn[ci],
							   i)].node >= 0)
				send_piece(s, &s->conn[ci],
					   !end_of(&s->conn[ci], i), &b);
			buf_free(&b);
			close_end(s, ci, end_of(&s->conn[ci], i), true);
			break;
		}
		case MESH_ACKED:
			cr_assert_gt(o.to, o.from);
			cr_assert_leq(o.to, store_seq(x->store));
			if (o.to > x->acked)
				x->acked = o.to;
			break;
		case MESH_ROSTER:
			if (!x->saved)
				x->saved = malloc(sizeof(*x->saved));
			cr_assert_not_null(x->saved);
			*x->saved = *mesh_roster(x->mesh);
			break;
		case MESH_CHANGED:
			break;
		}
	}
}

static void give(struct sim *s, int i)
{
	struct sim_node *x = &s->node[i];

	for (uint8_t l = 0; l < MESH_LINKS; l++) {
		struct buf b;
		int ci = x->conn[l];

		if (ci < 0 || !mesh_want(x->mesh, l))
			continue;
		buf_init(&b, 1u << 22);
		mesh_fill(x->mesh, l, &b, 4096, s->now, sim_wall(s, i));
		cr_assert_eq(b.err, 0);
		if (b.n && s->conn[ci].end[!end_of(&s->conn[ci], i)].node >= 0)
			send_piece(s, &s->conn[ci],
				   !end_of(&s->conn[ci], i), &b);
		buf_free(&b);
	}
}

static void take(struct sim *s, int i, int ci, int e)
{
	struct sim_conn *c = &s->conn[ci];
	struct sim_node *x = &s->node[i];
	uint8_t l = c->end[e].link;
	struct wire_head h;
	size_t total;
	int err;

	while (c->used && c->end[e].node == i && x->conn[l] == ci) {
		struct buf *in = &c->end[e].in;
		struct sl all = buf_as_sl(in);

		err = wire_frame(all, mesh_limit(x->mesh, l), &h, &total);
		if (err == EAGAIN)
			return;
		cr_assert_eq(err, 0, "frame err %d", err);
		s->frames++;
		if (s->trace)
			fprintf(stderr, "%llu c%d %d<-%d l%u %s\n",
				(unsigned long long)s->now, ci, i,
				c->end[!e].node, l, wire_type_name(h.type));
		mesh_recv(x->mesh, l, &h, sl_sub(all, WIRE_HEAD, total),
			  s->now, sim_wall(s, i));
		memmove(in->p, in->p + total, in->n - total);
		in->n -= total;
		effects(s, i);
	}
}

static void arrive(struct sim *s, int ci, int e)
{
	struct sim_conn *c = &s->conn[ci];
	int i = c->end[e].node;
	struct sim_piece *p = c->end[e].first;

	while (p && p->at <= s->now && c->end[e].node == i) {
		c->end[e].first = p->next;
		if (!p->next)
			c->end[e].tail = &c->end[e].first;
		buf_put(&c->end[e].in, p->p, p->n);
		free(p);
		take(s, i, ci, e);
		p = c->used && c->end[e].node == i ? c->end[e].first : NULL;
	}
	if (c->used && c->end[e].node == i && !c->end[e].first &&
	    c->end[e].gone_at && c->end[e].gone_at <= s->now) {
		uint8_t l = c->end[e].link;

		close_end(s, ci, e, true);
		if (l != MESH_NONE)
			mesh_down(s->node[i].mesh, l, s->now);
	}
}

/* Which node the bytes to end e come from, also when that end is closed */
static bool held_up(const struct sim *s, int ci, int e)
{
	const struct sim_conn *c = &s->conn[ci];
	return stalled(s, c->end[!e].who, c->end[e].who);
}

static void turn(struct sim *s, int i)
{
	struct sim_node *x = &s->node[i];

	if (!x->mesh || x->frozen > s->now)
		return;
	/* The timer may come before the bytes, above all after a freeze */
	if (mesh_next(x->mesh) <= s->now && rng_below(&s->rng, 2)) {
		mesh_tick(x->mesh, s->now, sim_wall(s, i));
		effects(s, i);
	}
	for (int ci = 0; ci < SIM_CONNS; ci++)
		for (int e = 0; e < 2; e++)
			if (s->conn[ci].used && s->conn[ci].end[e].node == i &&
			    s->conn[ci].end[e].link != MESH_NONE &&
			    !held_up(s, ci, e))
				arrive(s, ci, e);
	if (mesh_next(x->mesh) <= s->now)
		mesh_tick(x->mesh, s->now, sim_wall(s, i));
	(void)store_tick(x->store, sim_wall(s, i), 100);
	effects(s, i);
	give(s, i);
	effects(s, i);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Nothing happens before */
static uint64_t next_event(const struct sim *s)
{
	uint64_t next = UINT64_MAX;

	for (int i = 0; i < s->n; i++) {
		const struct sim_node *x = &s->node[i];

		if (x->mesh)
			next = sooner(next, x->frozen > s->now ? x->frozen :
				      mesh_next(x->mesh));
	}
	for (int ci = 0; ci < SIM_CONNS; ci++) {
		const struct sim_conn *c = &s->conn[ci];

		if (!c->used)
			continue;
		if (c->end[0].link == MESH_NONE &&
		    c->end[1].link == MESH_NONE)
			next = sooner(next, s->now + 1);
		for (int e = 0; e < 2; e++) {
			int i = c->end[e].node;

			if (i < 0 || s->node[i].frozen > s->now ||
			    held_up(s, ci, e))
				continue;
			if (c->end[e].first)
				next = sooner(next, c->end[e].first->at);
			if (c->end[e].gone_at)
				next = sooner(next, c->end[e].gone_at);
		}
	}
	return next;
}

static void step(struct sim *s)
{
	for (int ci = 0; ci < SIM_CONNS; ci++) {
		struct sim_conn *c = &s->conn[ci];

		if (c->used && c->end[0].link == MESH_NONE &&
		    c->end[1].link == MESH_NONE && c->open_at <= s->now)
			opened(s, ci);
	}
	for (int i = 0; i < s->n; i++)
		turn(s, i);
}

void sim_run(struct sim *s, uint64_t ms)
{
	uint64_t until = s->now + ms;

	for (;;) {
		uint64_t next;

		step(s);
		next = next_event(s);
		if (next <= s->now)
			next = s->now + 1;
		if (next > until)
			break;
		s->now = next;
	}
	s->now = until;
}

void sim_forget(struct sim *s, int i)
{
	free(s->node[i].saved);
	s->node[i].saved = NULL;
}

void sim_crash(struct sim *s, int i, bool loud)
{
	struct sim_node *x = &s->node[i];

	for (int ci = 0; ci < SIM_CONNS; ci++) {
		struct sim_conn *c = &s->conn[ci];

		if (c->used && c->end[0].node == i &&
		    c->end[0].link == MESH_NONE &&
		    c->end[1].link == MESH_NONE)
			c->used = false;        /* a dial under way */
		for (int e = 0; e < 2; e++)
			if (c->used && c->end[e].node == i &&
			    c->end[e].link != MESH_NONE)
				close_end(s, ci, e, loud);
	}
	mesh_free(x->mesh);
	store_free(x->store);
	x->mesh = NULL;
	x->store = NULL;
}

void sim_freeze(struct sim *s, int i, uint64_t ms)
{
	s->node[i].frozen = s->now + ms;
}

void sim_break(struct sim *s, int a, int b)
{
	for (int ci = 0; ci < SIM_CONNS; ci++) {
		struct sim_conn *c = &s->conn[ci];
		int x = c->end[0].node, y = c->end[1].node;

		if (!c->used || c->end[0].link == MESH_NONE ||
		    !((x == a && y == b) || (x == b && y == a)))
			continue;
		c->broken = true;
		for (int e = 0; e < 2; e++) {
			drop_pieces(c, e);
			c->end[e].gone_at = s->now + 1 +
				rng_below(&s->rng, 50);
		}
	}
}

void sim_close(struct sim *s)
{
	for (int i = 0; i < s->n; i++) {
		if (s->node[i].mesh)
			sim_crash(s, i, false);
		free(s->node[i].saved);
	}
	for (int ci = 0; ci < SIM_CONNS; ci++)
		for (int e = 0; e < 2; e++)
			if (s->conn[ci].used)
				drop_pieces(&s->conn[ci], e);
}
