/* ping_missed.c - Pure. What a node would have asked between its death and the
 * moment we knew of it. */
#include "node/ping_i.h"

enum { SLACK = 500 };    /* [ms] of beats and looks that are late */

static bool bit(const uint8_t *v, uint32_t slot)
{
	return v[slot / 8] >> slot % 8 & 1;
}

static void set(uint8_t *v, uint32_t slot, bool on)
{
	uint8_t m = (uint8_t)(1u << slot % 8);

	v[slot / 8] = (uint8_t)(on ? v[slot / 8] | m : v[slot / 8] & ~m);
}

/* Who joins takes over from the living, who have missed nothing */
void ping_missed_look(struct ping *p)
{
	const struct node_config *cf = p->cf;
	uint64_t buckets = (uint64_t)(cf->cluster.dead + cf->cluster.heartbeat +
				      SLACK) * STORE_BUCKETS / cf->ping.interval;
	bool lost = p->slots->whos < p->whos, any = false;

	if (p->slots->version == p->slots_version)
		return;
	p->slots_version = p->slots->version;
	p->whos = p->slots->whos;
	ping_hint_hand_over(p);
	for (uint32_t i = 0; i < SLOTS; i++) {
		bool mine = slots_mine(p->slots, i);
		bool gained = lost && mine && !bit(p->mine, i);

		any = any || gained;
		/* one that dies while another is made up for */
		set(p->gained, i, gained || (p->back < p->back_to && mine &&
					     bit(p->gained, i)));
		set(p->mine, i, mine);
	}
	/* all of it comes within an interval: the round itself will do */
	if (!any || buckets >= STORE_BUCKETS || p->pos < buckets)
		return;
	p->back = p->pos - buckets;
	p->back_to = p->pos;
}

bool ping_missed_next(struct ping *p, uint16_t *bucket)
{
	if (p->back == p->back_to)
		return false;
	*bucket = (uint16_t)(p->back++ % STORE_BUCKETS);
	return bit(p->gained, *bucket / SLOTS_BUCKETS) &&
		slots_mine(p->slots, *bucket / SLOTS_BUCKETS);
}
