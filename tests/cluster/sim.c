/* sim.c - several nodes on virtual time: events, a node's turn. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "sim.h"

#define STORE_BUDGET 100

void sim_fail(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (s->failed)
		return;
	s->failed = true;
	va_start(ap, fmt);
	(void)vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
	sim_say(s, "VIOLATION %s", s->why);
}

void sim_say(const struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->trace)
		return;
	fprintf(stderr, "%8llu ", (unsigned long long)s->now);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

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
	s->heartbeat = 500;
	s->dead = 3000;
	s->max_expires = 3600;
	s->guard = 10000;
	s->delay = 5;
	s->limit = SIM_OUT;
	for (int i = 0; i < SIM_NODES; i++) {
		s->node[i].due = UINT64_MAX;
		rng_seed(&s->node[i].mem.rng, seed + (uint64_t)i);
	}
	for (int i = 0; i < SIM_CONNS; i++)
		s->conn[i].due = UINT64_MAX;
}

void sim_start(struct sim *s, int i)
{
	struct sim_node *x = &s->node[i];
	struct store_conf sc = { .node = (uint64_t)i + 1,
		.max_records = 10000, .max_per_aor = 50,
		.max_expires = s->max_expires, .guard = s->guard };
	struct mesh_conf mc = { .node = (uint64_t)i + 1, .addr = addr_of(i),
		.heartbeat = s->heartbeat, .dead = s->dead,
		.max_expires = s->max_expires, .npeers = (uint32_t)s->n,
		.max_version = x->version };
	int err;

	if (!s->one_life || x->life == 0)
		x->life++;
	mc.incarnation = x->life;
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
	x->links = 0;
	x->acked = 0;
	x->frozen = 0;
	x->mem.bytes = 0;
	x->mem.refuse = 0;
	x->started = s->now;
	x->store_at = s->now + STORE_TICK;
	x->dirty = true;
	if (s->confh)
		s->confh(s, i, &mc);
	sim_enter(s, i);
	err = store_alloc(&x->store, &sc, sim_wall(s, i));
	if (!err)
		err = mesh_alloc(&x->mesh, &mc, x->store, rng_u64(&s->rng),
				 s->now, sim_wall(s, i));
	sim_leave();
	if (err)
		abort();
	x->empty = x->mem.bytes;
	sim_say(s, "node %d starts, life %llu", i,
		(unsigned long long)x->life);
	sim_plan(s, SIM_CONNS + i, s->now + 1);
}

/* --- events ---------------------------------------------------------------------- */

static bool sooner(const struct sim_event *a, const struct sim_event *b)
{
	return a->at < b->at || (a->at == b->at && a->tie < b->tie);
}

static uint64_t *due_of(struct sim *s, int id)
{
	return id < SIM_CONNS ? &s->conn[id].due :
		&s->node[id - SIM_CONNS].due;
}

void sim_plan(struct sim *s, int id, uint64_t at)
{
	uint64_t *due = due_of(s, id);
	struct sim_event e = { .at = at, .id = id };
	int k;

	if (at == UINT64_MAX || *due <= at)
		return;
	*due = at;
	e.tie = (uint32_t)rng_u64(&s->rng);
	if (s->nq == SIM_EVENTS)
		abort();
	for (k = s->nq++; k > 0 && sooner(&e, &s->q[(k - 1) / 2]);
	     k = (k - 1) / 2)
		s->q[k] = s->q[(k - 1) / 2];
	s->q[k] = e;
}

static struct sim_event take_event(struct sim *s)
{
	struct sim_event first = s->q[0], e = s->q[--s->nq];
	int k = 0;

	for (;;) {
		int c = 2 * k + 1;

		if (c >= s->nq)
			break;
		if (c + 1 < s->nq && sooner(&s->q[c + 1], &s->q[c]))
			c++;
		if (!sooner(&s->q[c], &e))
			break;
		s->q[k] = s->q[c];
		k = c;
	}
	s->q[k] = e;
	return first;
}

/* --- a node's turn --------------------------------------------------------------- */

static void acked(struct sim *s, int i, const struct mesh_out *o)
{
	struct sim_node *x = &s->node[i];

	if (o->to <= o->from || o->to > store_seq(x->store))
		sim_fail(s, "acked: node %d is told of %llu to %llu", i,
			 (unsigned long long)o->from,
			 (unsigned long long)o->to);
	if (o->to > x->acked)
		x->acked = o->to;
	if (s->ackedh)
		s->ackedh(s, i, o->from, o->to);
}

static void save(struct sim *s, int i)
{
	struct sim_node *x = &s->node[i];

	if (!x->saved)
		x->saved = malloc(sizeof(*x->saved));
	if (!x->saved)
		abort();
	*x->saved = *mesh_roster(x->mesh);
}

void sim_forget(struct sim *s, int i)
{
	free(s->node[i].saved);
	s->node[i].saved = NULL;
}

void sim_effects(struct sim *s, int i)
{
	struct sim_node *x = &s->node[i];
	struct mesh_out o;

	for (;;) {
		bool any;

		sim_enter(s, i);
		any = mesh_poll(x->mesh, &o);
		sim_leave();
		if (!any)
			return;
		switch (o.kind) {
		case MESH_DIAL:
			sim_dial(s, i, o.target, &o.addr);
			break;
		case MESH_CLOSE:
			sim_say(s, "node %d closes link %u: %s", i, o.link,
				o.why);
			sim_hang_up(s, i, o.link, o.last, o.n);
			break;
		case MESH_ACKED:
			acked(s, i, &o);
			break;
		case MESH_ROSTER:
			save(s, i);
			break;
		case MESH_CHANGED:
			if (s->changedh)
				s->changedh(s, i);
			break;
		}
	}
}

static void node_event(struct sim *s, int i)
{
	struct sim_node *x = &s->node[i];

	if (!x->mesh)
		return;
	x->dirty = true;
	if (x->frozen > s->now)
		return;
	sim_enter(s, i);
	if (mesh_next(x->mesh) <= s->now)
		mesh_tick(x->mesh, s->now, sim_wall(s, i));
	if (s->now >= x->store_at)
		x->store_at = store_tick(x->store, sim_wall(s, i),
					 STORE_BUDGET) ? s->now + 1 :
			s->now + STORE_TICK;
	sim_leave();
	sim_effects(s, i);
}

/* After all that happened to it in this millisecond */
static void turn(struct sim *s, int i)
{
	struct sim_node *x = &s->node[i];
	uint64_t next;
	bool more;

	if (!x->mesh || !x->dirty)
		return;
	x->dirty = false;
	if (x->frozen > s->now) {
		sim_plan(s, SIM_CONNS + i, x->frozen);
		return;
	}
	sim_effects(s, i);
	more = sim_give(s, i);
	sim_effects(s, i);
	next = mesh_next(x->mesh);
	if (x->store_at < next)
		next = x->store_at;
	if (more || next <= s->now)
		next = s->now + 1;
	sim_plan(s, SIM_CONNS + i, next);
}

static void step(struct sim *s)
{
	while (s->nq && s->q[0].at <= s->now) {
		struct sim_event e = take_event(s);

		if (*due_of(s, e.id) != e.at)
			continue;               /* planned anew meanwhile */
		*due_of(s, e.id) = UINT64_MAX;
		if (e.id < SIM_CONNS)
			sim_conn_event(s, e.id);
		else
			node_event(s, e.id - SIM_CONNS);
	}
	for (int k = 0, from = (int)(s->now % (uint64_t)s->n); k < s->n; k++)
		turn(s, (from + k) % s->n);
}

/* Who called may have changed anything: stores, cuts, who is frozen */
static void look_again(struct sim *s)
{
	for (int i = 0; i < s->n; i++)
		s->node[i].dirty = true;
	for (int ci = 0; ci < s->conns; ci++)
		if (s->conn[ci].used)
			sim_conn_plan(s, ci);
}

void sim_run(struct sim *s, uint64_t ms)
{
	uint64_t until = s->now + ms;

	look_again(s);
	step(s);
	while (s->nq && s->q[0].at <= until && !s->failed) {
		s->now = s->q[0].at;
		step(s);
	}
	s->now = until;
}

void sim_crash(struct sim *s, int i, bool loud)
{
	struct sim_node *x = &s->node[i];

	sim_say(s, "node %d dies%s", i, loud ? "" : ", silently");
	sim_gone(s, i, loud);
	sim_enter(s, i);
	mesh_free(x->mesh);
	store_free(x->store);
	sim_leave();
	if (s->whole && x->mem.bytes != 0)
		sim_fail(s, "memory: node %d leaves %lld bytes", i,
			 (long long)x->mem.bytes);
	x->mesh = NULL;
	x->store = NULL;
}

void sim_freeze(struct sim *s, int i, uint64_t ms)
{
	sim_say(s, "node %d freezes for %llu ms", i, (unsigned long long)ms);
	s->node[i].frozen = s->now + ms;
}

void sim_close(struct sim *s)
{
	for (int i = 0; i < s->n; i++) {
		if (s->node[i].mesh)
			sim_crash(s, i, false);
		sim_forget(s, i);
	}
	for (int ci = 0; ci < s->conns; ci++)
		if (s->conn[ci].used)
			sim_conn_free(&s->conn[ci]);
}
