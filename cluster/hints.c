/* hints.c - Pure. Values told to the others for a while. */
#include "cluster/hints.h"
#include <errno.h>
#include <stdlib.h>

#define OFF 1ull                /* taken back */

enum { WAYS = 8,                /* places one value may be at             */
       SWEEP = 4096 };          /* looked at in one tick                  */

void hints_close(struct hints *h)
{
	free(h->tab);
	h->tab = NULL;
	h->now = 0;
}

/* --- ours --- */

static void put(struct hints *h, uint64_t v)
{
	h->ring[h->seq++ % HINTS_RING] = v;
}

void hints_say(struct hints *h, uint64_t v, uint32_t ms)
{
	h->ms = ms;
	put(h, v & ~OFF);
}

void hints_unsay(struct hints *h, uint64_t v)
{
	put(h, v | OFF);
}

void hints_fill(struct hints *h, uint64_t *from, struct buf *b, size_t limit)
{
	struct wire_hint w = { .ms = h->ms };

	if (h->seq - *from > HINTS_RING) {
		h->lost += h->seq - *from - HINTS_RING;
		*from = h->seq - HINTS_RING;
	}
	while (*from < h->seq && b->n < limit && !b->err) {
		/* a frame is of one piece of the ring */
		uint64_t at = *from % HINTS_RING, n = HINTS_RING - at;

		n = n < h->seq - *from ? n : h->seq - *from;
		n = n < WIRE_HINTS ? n : WIRE_HINTS;
		w.n = (uint16_t)n;
		wire_hint_encode(b, &w, h->ring + at);
		*from += n;
		h->out += n;
	}
}

/* --- theirs --- */

static struct hint *places(const struct hints *h, uint64_t v)
{
	/* the lowest bits are as good as any: it is a keyed hash */
	return &h->tab[(v >> 1) % (HINTS_PLACES / WAYS) * WAYS];
}

bool hints_has(const struct hints *h, uint64_t v, uint64_t now)
{
	const struct hint *p;

	if (!h->now)
		return false;
	v &= ~OFF;
	p = places(h, v);
	for (int i = 0; i < WAYS; i++)
		if (p[i].v == v)
			return v && p[i].until > now;
	return false;
}

static void clear(struct hints *h, struct hint *p)
{
	h->now -= p->v != 0;
	*p = (struct hint){ 0 };
}

/* Full: the one that would be forgotten first makes way */
static void take(struct hints *h, uint64_t v, uint64_t until, uint64_t now)
{
	struct hint *p = places(h, v), *best = p;

	for (int i = 0; i < WAYS; i++) {
		if (p[i].v == v) {
			p[i].until = until;
			return;
		}
		if (p[i].until < best->until)
			best = &p[i];
	}
	h->lost += best->v && best->until > now;
	clear(h, best);
	*best = (struct hint){ v, until };
	h->now++;
}

static void forget(struct hints *h, uint64_t v)
{
	struct hint *p = places(h, v);

	for (int i = 0; i < WAYS; i++)
		if (p[i].v == v)
			clear(h, &p[i]);
}

int hints_recv(struct hints *h, struct sl payload, uint64_t now)
{
	struct wire_hint w;

	if (wire_hint_decode(&w, payload))
		return EBADMSG;
	h->in += w.n;
	if (!h->tab && w.n)
		h->tab = calloc(HINTS_PLACES, sizeof(*h->tab));
	if (!h->tab) {
		h->lost += w.n;      /* without memory: as if it was not said */
		return 0;
	}
	if (w.ms > HINTS_MS)
		w.ms = HINTS_MS;
	for (uint16_t i = 0; i < w.n; i++) {
		uint64_t v = wire_hint_value(&w, i);

		if (v & OFF)
			forget(h, v & ~OFF);
		else if (v)
			take(h, v, now + w.ms, now);
	}
	return 0;
}

void hints_tick(struct hints *h, uint64_t now)
{
	for (int i = 0; h->now && i < SWEEP; i++) {
		struct hint *p = &h->tab[h->swept++ % HINTS_PLACES];

		if (p->v && p->until <= now)
			clear(h, p);
	}
}
