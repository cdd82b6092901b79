/* rtt.c - Pure. How long a node's first answer takes. */
#include "dispatcher/rtt.h"

#define FACTOR 3             /* of the smoothed time                        */
#define BACKOFF 4            /* doublings at most                           */
#define LONGEST 60000000u    /* [us] of one sample: no overflow below       */

void rtt_answer(struct rtt *r, uint32_t us)
{
	uint32_t d;

	us = us < LONGEST ? us : LONGEST;
	r->backoff = 0;
	if (!r->any) {
		r->any = true;
		r->srtt = us;
		r->dev = us / 2;
		return;
	}
	d = us > r->srtt ? us - r->srtt : r->srtt - us;
	r->dev = (3 * r->dev + d) / 4;
	r->srtt = (7 * r->srtt + us) / 8;
}

/** A node that has become slow would never be heard again if its time did not
 *  grow (RFC 6298 5.5) */
void rtt_silent(struct rtt *r)
{
	if (r->backoff < BACKOFF)
		r->backoff++;
}

static uint32_t within(uint64_t v, uint32_t min, uint32_t max)
{
	return v < min ? min : v > max ? max : (uint32_t)v;
}

uint32_t rtt_timeout(const struct rtt *r, uint32_t first, uint32_t min,
		     uint32_t max)
{
	uint64_t us = (uint64_t)r->srtt * FACTOR + 4ull * r->dev;
	uint64_t ms = r->any ? (us + 999) / 1000 : first;

	/* from the shortest, or the doublings of a fast node reach nothing */
	return within((uint64_t)within(ms, min, max) << r->backoff, min, max);
}
