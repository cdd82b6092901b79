/* ping_seen.c - Pure. What the last round of pings showed: how many contacts are
 * ours to ask, how fast they answer, and of each when it answered last. */
#include "node/ping_i.h"
#include <stdlib.h>

enum { WAYS = 4, SMALLEST = 1 << 10, LARGEST = 1 << 20, TENTH = 100 };

/* Places grow with the contacts that are ours. What was known is told again
 * within an interval, so it is not carried over. Without memory it stays. */
static void make_room(struct ping *p)
{
	uint32_t n = p->seen_n ? p->seen_n : SMALLEST;
	struct ping_seen *v;

	while (n < LARGEST && p->share > n / 4 * 3)
		n *= 2;
	if (n == p->seen_n || !p->share)
		return;
	v = calloc(n, sizeof(*v));
	if (!v)
		return;
	free(p->seen);
	p->seen = v;
	p->seen_n = n;
}

static struct ping_seen *places(const struct ping *p, uint64_t hash)
{
	return &p->seen[hash % p->seen_n / WAYS * WAYS];
}

static uint32_t tag_of(uint64_t hash)
{
	uint32_t tag = (uint32_t)(hash >> 32);

	return tag ? tag : 1;            /* 0 = free */
}

/* The oldest of its places makes way: it is for people to look at */
void ping_seen_put(struct ping *p, uint64_t hash, uint64_t ms, uint64_t now)
{
	struct ping_seen *v, *best;

	stat_hist_add(&p->waits, 1000 * ms);
	if (!p->seen_n)
		return;
	v = best = places(p, hash);
	for (int i = 0; i < WAYS; i++) {
		if (v[i].tag == tag_of(hash)) {
			best = &v[i];
			break;
		}
		if (v[i].at < best->at)
			best = &v[i];
	}
	*best = (struct ping_seen){ .tag = tag_of(hash),
		.at = (uint32_t)(now / TENTH), .ms = (uint32_t)ms };
}

static bool seen_get(const struct ping *p, uint64_t hash, uint64_t now,
		     struct ping_look *l)
{
	const struct ping_seen *v;

	if (!p->seen_n)
		return false;
	v = places(p, hash);
	for (int i = 0; i < WAYS; i++) {
		if (v[i].tag != tag_of(hash))
			continue;
		l->ms = v[i].ms;
		l->ago = (uint64_t)(uint32_t)(now / TENTH - v[i].at) * TENTH;
		return true;
	}
	return false;
}

bool ping_seen_since(const struct ping *p, uint64_t hash, uint64_t now,
		     uint64_t ms)
{
	struct ping_look l;

	return seen_get(p, hash, now, &l) && l.ago < ms;
}

void ping_look(const struct ping *p, struct sl aor, struct sl key,
	       const struct binding *b, uint64_t now, struct ping_look *l)
{
	struct ping_who w = { .b = *b };
	const struct ping_item *i;
	uint64_t hash;

	memset(l, 0, sizeof(*l));
	l->named = p->slots && ping_named(p, &w);
	if (!l->named)
		return;
	l->owner = slots_owner(p->slots, slots_of(p->loc->store, aor));
	l->ours = l->owner == p->slots->self;
	if (!l->ours)
		return;
	hash = ping_hash(p, aor, key);
	l->answered = seen_get(p, hash, now, l);
	i = ping_find(p, hash);
	l->failures = i ? i->fails : 0;
	l->quarantined = l->failures >= p->cf->ping.max_failures;
}

/* Upper bound of the bucket in which that share of this round's answers lies */
static uint64_t quantile(const struct ping *p, unsigned percent)
{
	uint64_t n = p->waits.count - p->waits_was.count, sum = 0;

	for (unsigned i = 0; n && i < STAT_HIST_N; i++) {
		sum += p->waits.bucket[i] - p->waits_was.bucket[i];
		if (sum * 100 >= n * percent)
			return stat_hist_bound[i];
	}
	return n ? stat_hist_bound[STAT_HIST_N - 1] : 0;
}

void ping_round(struct ping *p)
{
	p->share = p->asked;
	p->asked = 0;
	p->p50_us = quantile(p, 50);
	p->p95_us = quantile(p, 95);
	p->waits_was = p->waits;
	make_room(p);
}
