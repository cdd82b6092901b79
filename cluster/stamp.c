/* stamp.c - Pure. Hybrid logical clock. docs/cluster-protocol.md 3.1. */
#include <errno.h>
#include "cluster/stamp.h"

void hlc_init(struct hlc *h, uint64_t node)
{
	h->last = 0;
	h->node = node;
}

struct stamp hlc_next(struct hlc *h, uint64_t wall)
{
	uint64_t t = wall << 16;

	/* The counter may run over into the milliseconds: still larger than
	 * all before, at the price of being 1 ms early. */
	if (t <= h->last)
		t = h->last + 1;
	h->last = t;
	return (struct stamp){ t, h->node };
}

int hlc_see(struct hlc *h, struct stamp s, uint64_t wall)
{
	if (stamp_ms(s) > wall + STAMP_AHEAD_MAX && s.t > h->last)
		return ERANGE;
	if (s.t > h->last)
		h->last = s.t;
	return 0;
}
