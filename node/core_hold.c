/**
 * @file core_hold.c  Pure. A 200 to a REGISTER that changed something waits
 * until another living node has the change too, so that the death of this
 * node right after the answer loses nothing.
 *
 * After a while the 200 goes out all the same: a phone that is refused is
 * worse off. Each of those is counted and logged.
 *
 * The queue is in the order of the store's sequence. Deadlines count from when
 * the request came, and some had to wait for a database before: so they are
 * nearly in order only, and the earliest is kept.
 */
#include "node/core_priv.h"
#include <stdlib.h>

enum { LOG_MAX = 200 };     /* of a text that is logged [bytes] */

struct hold {
	struct hold *next;
	struct stxn *s;
	uint64_t seq;            /* of the store right after the change */
	uint64_t since, until;   /* [ms] */
	struct buf extra;
	uint32_t cseq;           /* these three for the log */
	uint16_t aor_n, callid_n;
	char txt[];
};

/* One by one and never left out: who looks for a lost contact finds it */
static void unacked(struct core *c, struct sl aor, struct sl callid,
		    uint32_t cseq, uint64_t after)
{
	c->unacked++;
	log_warn("event=unacked aor=%s callid=%s cseq=%u node=%s after=%llums "
		 "text=\"answered though no other node has it yet\"",
		 log_esc(aor), log_esc(callid), cseq,
		 log_esc(sl_cstr(c->cf->name)), (unsigned long long)after);
}

/* The edge counts from when it sent the request, and moves one that comes later
 * than it waits: so the 200 leaves well before. */
static uint64_t patience(const struct core *c)
{
	return (uint64_t)c->cf->replicate_ack_timeout * 4 / 5;
}

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

bool core_hold(struct core *c, struct stxn *s, struct sl aor,
	       struct buf *extra, uint64_t came, uint64_t now)
{
	struct sl id = sl_sub(c->msg.callid, 0, LOG_MAX);
	uint64_t wait = patience(c);
	struct hold *h = NULL;

	if (!c->others || !c->cf->replicate_ack || !wait)
		return false;
	aor = sl_sub(aor, 0, LOG_MAX);
	if (c->held_now < HOLD_MAX)
		h = calloc(1, sizeof(*h) + aor.n + id.n);
	if (!h) {
		unacked(c, aor, id, c->msg.cseq, 0);
		return false;
	}
	h->aor_n = (uint16_t)aor.n;
	h->callid_n = (uint16_t)id.n;
	memcpy(h->txt, aor.p, aor.n);
	memcpy(h->txt + aor.n, id.p, id.n);
	h->cseq = c->msg.cseq;
	h->s = s;
	h->seq = store_seq(c->loc.store);
	h->since = now;
	h->until = came + wait;
	h->extra = *extra;
	buf_init(extra, 0);
	if (!c->holds) {
		c->holds_end = &c->holds;
		c->holds_due = UINT64_MAX;
	}
	if (h->until < c->holds_due)
		c->holds_due = h->until;
	*c->holds_end = h;
	c->holds_end = &h->next;
	c->held_now++;
	c->held_total++;
	return true;
}

void core_hold_tick(struct core *c, uint64_t now)
{
	struct hold **at = &c->holds;
	uint64_t due = UINT64_MAX;

	if (!c->holds || now < c->holds_due)
		return;
	while (*at) {
		const struct hold *h = *at;

		if (h->until > now) {
			if (h->until < due)
				due = h->until;
			at = &(*at)->next;
			continue;
		}
		unacked(c, sl_mk(h->txt, h->aor_n),
			sl_mk(h->txt + h->aor_n, h->callid_n), h->cseq,
			now - h->since);
		answer(c, at, now);
	}
	c->holds_due = due;
}

uint64_t core_hold_next(const struct core *c)
{
	return c->holds ? c->holds_due : UINT64_MAX;
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

void core_acked(struct core *c, uint64_t from, uint64_t to, uint64_t now,
		uint64_t wall)
{
	struct hold **at = &c->holds;

	while (*at && (*at)->seq <= to) {
		if ((*at)->seq > from)
			answer(c, at, now);
		else
			at = &(*at)->next;
	}
	/* transactions that this ended; left, they would wake us at once */
	core_drain(c, now, wall);
}

void core_set_others(struct core *c, uint32_t alive, uint64_t now)
{
	c->others = alive;
	while (!alive && c->holds)
		answer(c, &c->holds, now);
}
