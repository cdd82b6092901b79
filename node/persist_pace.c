/* persist_pace.c - Pure. How fast a large flush goes. A writer that never rests keeps
 * a core busy, and calls wait for their turn. So a flush that has the time takes
 * it, with a pause after each batch. docs/decisions/0027-contacts-in-sql.md */
#include "node/persist_i.h"

enum {
	ROWS = 45,                 /* a ms: 8,192 in 182 ms                  */
	ALL = 22000,               /* [ms] for a flush, then there is no pause */
	CATCH_UP = 1000,           /* [ms] at most                           */
};

/* Twice the interval and some: what is older than three is called behind */
static uint64_t time_for_all(const struct persist *p)
{
	uint64_t all = 2ull * p->cf.interval + 2000;

	return all < ALL ? all : ALL;
}

void persist_pace_begin(struct persist *p, uint64_t now)
{
	p->pace_at = now;
	p->pace_end = now + time_for_all(p);
}

/* On the whole batches begin no faster than ROWS says, or than it takes to be done in
 * time: after a slow one the next ones catch up. What is left to one more batch is not
 * worth a pause. */
void persist_pace(struct persist *p, uint64_t now)
{
	uint64_t n = p->job.n, left = persist_dirty(p);
	uint64_t time = p->pace_end > now ? p->pace_end - now : 0;

	time = left ? time * n / left : 0;
	if (p->pace_at + CATCH_UP < p->out_at)
		p->pace_at = p->out_at - CATCH_UP;
	p->pace_at += time < n / ROWS ? time : n / ROWS;
	if (left <= PERSIST_BATCH)
		p->pace_at = now;
}

/* An end is waited for; a flush that begins anew, or is over, has no next batch */
bool persist_paced(const struct persist *p)
{
	return p->phase == PERSIST_PH_FLUSH && !p->whole && !p->job.n &&
	       !p->stopping && !p->again;
}
