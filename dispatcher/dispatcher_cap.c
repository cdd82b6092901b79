/* dispatcher_cap.c - Pure. What is in flight at each node, and how much of that it may
 * leave unanswered: a node that has stopped, or is slow, must not hoard what
 * others could do. */
#include "dispatcher/dispatcher_i.h"

static void cap_note(struct disp *d, uint16_t idx)
{
	struct pool_node *n = d->pool.v[idx];
	uint64_t bit = 1ull << idx;
	uint32_t max = d->cf.max_unanswered;

	if (!max || n->stat.unanswered < max)
		d->pool.full.bits &= ~bit;
	else if (!(d->pool.full.bits & bit)) {
		d->pool.full.bits |= bit;
		n->stat.full++;
	}
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
	n->stat.unanswered++;
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

void disp_end(struct disp *d, uint16_t idx)
{
	struct pool_node *n = pool_get(&d->pool, idx);

	/* 0: as above */
	if (n && n->stat.inflight)
		n->stat.inflight--;
}
