/* dispatcher_cap.c - Pure. What is in flight at each node, and how much of that it may
 * leave unanswered: a node that has stopped, or is slow, must not hoard what
 * others could do, and one that has more than it can do is spared. */
#include "dispatcher/dispatcher_i.h"

#define KEEP 2                 /* of the room of new ones, for DISP_KEEP     */

static void cap_log(struct disp *d, const struct pool_node *n)
{
	if (log_allow(&d->lim_slow, 10, d->now))
		log_warn("event=node_slow state=%s node=%s room=%llu "
			 "unanswered=%llu", n->stat.room ? "begin" : "end",
			 n->name, (unsigned long long)n->stat.room,
			 (unsigned long long)n->stat.unanswered);
}

/** How many may wait there, at its speed */
static void cap_room(struct disp *d, struct pool_node *n)
{
	uint32_t target = d->cf.target;
	bool was = n->stat.room;

	if (target)
		backlog_tick(&n->backlog, target, d->now);
	n->stat.room = target ? backlog_room(&n->backlog, target) : 0;
	if (was == !!n->stat.room)
		return;
	n->stat.slow += !was;
	cap_log(d, n);
}

static bool cap_set(struct disp_set *s, uint16_t idx, bool on)
{
	bool was = disp_set_has(s, idx);

	if (on)
		s->bits |= 1ull << idx;
	else
		s->bits &= ~(1ull << idx);
	return on && !was;
}

/** One that says nothing is not slow, and alone is given what comes: it may go on
 *  in a moment. But when another has more than it can do, this one would be given
 *  all that is too much for that */
static bool cap_silent(const struct disp *d, const struct pool_node *n)
{
	const struct pool *p = &d->pool;

	if (n->stat.unanswered < BACKLOG_LEAST ||
	    d->now - n->quiet_at <= d->cf.target)
		return false;
	for (uint16_t i = 0; i < p->n; i++)
		if (p->v[i] && p->v[i] != n && p->v[i]->stat.room &&
		    disp_set_has(&p->busy, i))
			return true;
	return false;
}

static void cap_note(struct disp *d, uint16_t idx)
{
	struct pool_node *n = d->pool.v[idx];
	uint32_t max = d->cf.max_unanswered;
	uint64_t has = n->stat.unanswered, room;
	bool more;

	cap_room(d, n);
	room = n->stat.room;
	if (room && has >= room)
		n->backlog.full = true;
	more = cap_set(&d->pool.busy, idx, (room && has >= room) ||
			(d->cf.target && !room && cap_silent(d, n)));
	more |= cap_set(&d->pool.full, idx, (max && has >= max) ||
			(room && has >= KEEP * room));
	n->stat.full += more;
}

void disp_cap_reconf(struct disp *d)
{
	for (uint16_t i = 0; i < d->pool.n; i++)
		if (d->pool.v[i])
			cap_note(d, i);
}

void disp_begin(struct disp *d, uint16_t idx)
{
	struct pool_node *n = pool_get(&d->pool, idx);

	if (!n)
		return;
	n->stat.inflight++;
	if (!n->stat.unanswered++)
		n->quiet_at = d->now;
	cap_note(d, idx);
}

void disp_heard(struct disp *d, uint16_t idx)
{
	struct pool_node *n = pool_get(&d->pool, idx);

	/* 0: begun on a node that had this index before */
	if (!n || !n->stat.unanswered)
		return;
	n->stat.unanswered--;
	cap_note(d, idx);
}

void disp_waited(struct disp *d, uint16_t idx, uint32_t us, bool timed,
		 uint64_t now)
{
	struct pool_node *n = pool_get(&d->pool, idx);

	if (!n || !d->cf.target)
		return;
	d->now = now;
	n->quiet_at = now;
	backlog_answer(&n->backlog, &(struct backlog_got){
		.us = us, .timed = timed, .left = n->stat.unanswered,
	}, d->cf.target, now);
	cap_note(d, idx);
}

void disp_end(struct disp *d, uint16_t idx)
{
	struct pool_node *n = pool_get(&d->pool, idx);

	/* 0: as above */
	if (n && n->stat.inflight)
		n->stat.inflight--;
}
