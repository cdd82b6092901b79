/**
 * @file core_hold.c  Pure. A 200 to a REGISTER that changed something waits
 * until another living node has the change too, so that the death of this
 * node right after the answer loses nothing.
 *
 * The queue is in the order of the store's sequence and, as all wait equally
 * long, of the deadlines.
 */
#include "node/core_priv.h"
#include <stdlib.h>

struct hold {
	struct hold *next;
	struct stxn *s;
	uint64_t seq;            /* of the store right after the change */
	uint64_t since, until;   /* [ms] */
	struct buf extra;
};

/* *at is the place that points to the one to be answered */
static void answer(struct core *c, struct hold **at, uint64_t now)
{
	struct hold *h = *at;

	stxn_reply(h->s, 200, SL_NONE, buf_as_sl(&h->extra), now);
	*at = h->next;
	if (!h->next)
		c->holds_end = at;
	c->held_now--;
	buf_free(&h->extra);
	free(h);
}

bool core_hold(struct core *c, struct stxn *s, struct buf *extra, uint64_t now)
{
	uint32_t wait = c->cf->cluster.ack_timeout;
	struct hold *h;

	if (!c->others || !wait || c->held_now >= HOLD_MAX)
		return false;
	h = calloc(1, sizeof(*h));
	if (!h)
		return false;
	h->s = s;
	h->seq = store_seq(c->loc.store);
	h->since = now;
	h->until = now + wait;
	h->extra = *extra;
	buf_init(extra, 0);
	if (!c->holds)
		c->holds_end = &c->holds;
	*c->holds_end = h;
	c->holds_end = &h->next;
	c->held_now++;
	c->held_total++;
	return true;
}

void core_hold_tick(struct core *c, uint64_t now)
{
	while (c->holds && c->holds->until <= now) {
		c->unacked++;
		log_warn("event=register_unacked seq=%llu after=%llums "
			 "text=\"answered though no other node has it yet\"",
			 (unsigned long long)c->holds->seq,
			 (unsigned long long)(now - c->holds->since));
		answer(c, &c->holds, now);
	}
}

uint64_t core_hold_next(const struct core *c)
{
	return c->holds ? c->holds->until : UINT64_MAX;
}

void core_hold_close(struct core *c)
{
	struct hold *h;

	while ((h = c->holds)) {
		c->holds = h->next;
		buf_free(&h->extra);
		free(h);
	}
}

void core_acked(struct core *c, uint64_t from, uint64_t to, uint64_t now)
{
	struct hold **at = &c->holds;

	while (*at && (*at)->seq <= to) {
		if ((*at)->seq > from)
			answer(c, at, now);
		else
			at = &(*at)->next;
	}
}

void core_set_others(struct core *c, uint32_t alive, uint64_t now)
{
	c->others = alive;
	while (!alive && c->holds)
		answer(c, &c->holds, now);
}
