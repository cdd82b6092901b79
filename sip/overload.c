/* overload.c - Pure. How much new work is refused. */
#include "sip/overload.h"

enum {
	EIGHTHS = 8,                 /**< of `rate` in one                   */
	IDLE = 1000,                 /**< intervals made up for at most      */
	USES = 7,                    /**< requests of a call that was taken  */
};

void overload_conf(struct overload *o, uint32_t target, uint64_t now)
{
	if (!o->end)
		o->end = now + OVERLOAD_INTERVAL;
	o->target = target;
	if (!target) {
		o->on = false;
		o->level = 0;
	}
}

/** Share of a rank that was refused, of OVERLOAD_FULL */
static uint64_t share(const struct overload *o, enum overload_rank r)
{
	return o->asked[r] ? (uint64_t)OVERLOAD_FULL * o->no[r] / o->asked[r] :
			     0;
}

/** What can be done in an interval: never less than what was done, and less than
 *  before only when there was more to do */
static void learn_rate(struct overload *o, bool full)
{
	uint32_t n = o->served * EIGHTHS;

	if (n > o->rate)
		o->rate = n;
	else if (full)
		o->rate -= (o->rate - n) / EIGHTHS;
}

static void close_interval(struct overload *o, uint32_t us)
{
	bool refused = o->no[OVERLOAD_STRANGER] || o->no[OVERLOAD_NEW];

	learn_rate(o, !o->on || refused);
	o->level = o->no[OVERLOAD_NEW] ?
		OVERLOAD_FULL + share(o, OVERLOAD_NEW) :
		share(o, OVERLOAD_STRANGER);
	if (!o->on && us / 1000 > o->target) {
		o->on = true;
		o->times++;
		o->calm = 0;
	} else if (o->on) {
		o->calm = refused || us / 1000 > o->target ? 0 : o->calm + 1;
		o->on = o->calm < OVERLOAD_CALM;
	}
	o->wait_us = us;
	o->served = 0;
	for (int i = 0; i < OVERLOAD_RANKS; i++)
		o->asked[i] = o->no[i] = 0;
}

/** [us] The least wait in the queue where it was longest; nothing was handled:
 *  nothing waited */
static uint32_t worst(struct overload *o)
{
	uint32_t us = 0;

	for (int i = 0; i < OVERLOAD_QUEUES; i++) {
		if (o->queue[i].n >= OVERLOAD_READS && o->queue[i].least > us)
			us = o->queue[i].least;
		o->queue[i].n = 0;
	}
	return us;
}

void overload_tick(struct overload *o, uint64_t now)
{
	uint64_t n;

	if (!o->target || now < o->end)
		return;
	close_interval(o, worst(o));
	n = (now - o->end) / OVERLOAD_INTERVAL;
	for (n = n < IDLE ? n : IDLE; n && (o->on || o->wait_us); n--)
		close_interval(o, 0);
	o->end = now + OVERLOAD_INTERVAL;
}

void overload_waited(struct overload *o, enum overload_queue q, uint32_t us,
		     uint64_t now)
{
	overload_tick(o, now);
	o->last = us;
	if (!o->queue[q].n++ || us < o->queue[q].least)
		o->queue[q].least = us;
}

void overload_serves(struct overload *o, uint64_t now)
{
	overload_tick(o, now);
	o->served++;
}

/** How many are served while one of this rank may wait */
static uint32_t room(const struct overload *o, enum overload_rank r)
{
	uint64_t n = (uint64_t)o->rate * o->target /
		     (EIGHTHS * OVERLOAD_INTERVAL);

	n = n < OVERLOAD_LEAST ? OVERLOAD_LEAST : n;
	n = n < OVERLOAD_MEMORY ? n : OVERLOAD_MEMORY;
	return (uint32_t)(r == OVERLOAD_STRANGER ? n : 2 * n);
}

/** [us] */
static uint64_t patience(const struct overload *o, enum overload_rank r)
{
	uint64_t us = (uint64_t)o->target * OVERLOAD_LATE * 1000;

	return r == OVERLOAD_STRANGER ? us : 2 * us;
}

/** 0 is an empty place */
static uint64_t *place(uint64_t *mem, uint64_t id)
{
	return &mem[((id & ~(uint64_t)USES) * 0x9e3779b97f4a7c15ull >> 32) %
		    OVERLOAD_MEMORY];
}

static bool refuse(struct overload *o, const struct overload_ask *a)
{
	*place(o->refused, a->request) = a->request | 1;
	o->no[a->rank]++;
	o->shed[a->rank]++;
	return false;
}

/** One more request of a call that was taken? Its challenges; not for ever, as
 *  Call-IDs are the sender's to choose */
static bool goes_on(struct overload *o, uint64_t call)
{
	uint64_t *mem = place(o->taken, call);

	if (!*mem || (*mem ^ call) > USES || (*mem & USES) == USES)
		return false;
	++*mem;
	return true;
}

static void begins(struct overload *o, uint64_t call)
{
	*place(o->taken, call) = (call & ~(uint64_t)USES) + 1;
}

bool overload_takes(struct overload *o, const struct overload_ask *a,
		    uint64_t now)
{
	overload_tick(o, now);
	if (!o->on)
		return true;
	o->asked[a->rank]++;
	if (*place(o->refused, a->request) == (a->request | 1))
		return refuse(o, a);
	if (goes_on(o, a->call))
		return true;
	if (o->last >= patience(o, a->rank) || a->ahead >= room(o, a->rank))
		return refuse(o, a);
	begins(o, a->call);
	return true;
}

bool overload_late(struct overload *o, const struct overload_ask *a,
		   uint64_t us)
{
	if (!o->on || us < patience(o, a->rank))
		return false;
	*place(o->taken, a->call) = 0;
	(void)refuse(o, a);
	return true;
}
