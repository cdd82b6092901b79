/* overload.c - Pure. How much new work is refused. */
#include "sip/overload.h"

enum {
	FINE = 16,                   /**< of `fine` in one of `level`        */
	WAIT_MAX = 1000,             /**< [ms] counted: a frozen machine is no
					  load                               */
	CALM = 16,                   /**< of the level goes back so in an
					  interval without a queue           */
	FEW = 20,                    /**< strangers: less than one in so many
					  is as good as none                 */
	IDLE = 1000,                 /**< intervals made up for at most      */
	AGAIN = 16,                  /**< [log2 ms] who is refused changes: not
					  the same phones all day            */
};

void overload_conf(struct overload *o, uint32_t target, uint64_t now)
{
	if (!o->end) {
		o->end = now + OVERLOAD_INTERVAL;
		o->least = UINT32_MAX;
	}
	o->target = target;
	if (!target) {
		o->fine = 0;
		o->level = 0;
	}
}

/** The level of the next interval, from the least wait of this one */
static uint32_t next_level(const struct overload *o, uint32_t us)
{
	const int32_t cap = WAIT_MAX * 1000, target = (int32_t)o->target;
	int32_t d = us < (uint32_t)cap ? (int32_t)us / 1000 : WAIT_MAX;
	int32_t b = o->before < (uint32_t)cap ? (int32_t)o->before / 1000 :
						WAIT_MAX;
	int32_t v = (int32_t)o->fine;

	if (2 * d <= target)
		return (uint32_t)(v - v / CALM - (v > 0));
	/* one queue is not overload as long as it is short */
	if (!v && d <= target)
		return 0;
	/* nobody to refuse first: do not wait until they would be used up */
	if (v && d > target && v < OVERLOAD_FULL * FINE &&
	    o->seen[OVERLOAD_STRANGER] * FEW < o->seen[OVERLOAD_NEW])
		v = OVERLOAD_FULL * FINE;
	v += 3 * FINE * (d - b) / 2 + 3 * FINE * (d - target) / 20;
	if (v < 0)
		return 0;
	return v < 2 * OVERLOAD_FULL * FINE ? (uint32_t)v :
					      2 * OVERLOAD_FULL * FINE;
}

static void close_interval(struct overload *o, uint32_t us)
{
	uint32_t v = next_level(o, us);

	o->times += v && !o->fine;
	o->fine = v;
	o->level = v / FINE;
	o->before = us;
	o->wait_us = us;
	for (int i = 0; i < OVERLOAD_RANKS; i++)
		o->seen[i] = 0;
}

void overload_tick(struct overload *o, uint64_t now)
{
	uint64_t n;

	if (!o->target || now < o->end)
		return;
	/* nothing was handled: nothing waited */
	close_interval(o, o->least == UINT32_MAX ? 0 : o->least);
	n = (now - o->end) / OVERLOAD_INTERVAL;
	for (n = n < IDLE ? n : IDLE; n && (o->fine || o->before); n--)
		close_interval(o, 0);
	o->least = UINT32_MAX;
	o->end = now + OVERLOAD_INTERVAL;
}

void overload_waited(struct overload *o, uint32_t us, uint64_t now)
{
	overload_tick(o, now);
	o->last = us;
	if (us < o->least)
		o->least = us;
}

/** 0..999, by chance, but the same for one attempt */
static uint32_t draw(uint64_t call, uint64_t now)
{
	uint64_t x = call + (now >> AGAIN);

	x = (x ^ x >> 32) * 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ull;
	return (uint32_t)((x >> 32) * OVERLOAD_FULL >> 32);
}

bool overload_takes(struct overload *o, const struct overload_ask *a,
		    uint64_t now)
{
	uint64_t id = a->request | 1;          /* 0 is an empty place */
	uint64_t *mem = &o->refused[(id >> 1) % OVERLOAD_MEMORY];
	uint32_t late = o->target * OVERLOAD_LATE * 1000;
	uint64_t above = a->rank == OVERLOAD_STRANGER ? 0 : OVERLOAD_FULL;

	overload_tick(o, now);
	if (!o->fine)
		return true;
	o->seen[a->rank]++;
	if (*mem != id && o->last < (above ? 2 * late : late) &&
	    draw(a->call, now) + above >= o->level)
		return true;
	*mem = id;
	o->shed[a->rank]++;
	return false;
}
