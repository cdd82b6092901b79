/* ping_hint.c - Pure. What the owner of a contact tells the other nodes of it:
 * that it does not answer, so that they do not call it either. Said with each
 * failure, that is once in an interval; forgotten after two. It is no part of
 * the record: nothing of it has to be joined or taken back for ever. */
#include "node/ping_i.h"
#include "base/secret.h"
#include <stdlib.h>

/* The same on all nodes. Of one version: who has registered anew is called */
static uint64_t hint_of(const struct ping *p, struct sl aor, struct sl key,
			struct stamp version)
{
	const uint8_t *k = p->loc->key;
	uint8_t mem[32];
	struct buf b;

	buf_fixed(&b, mem, sizeof(mem));
	put_u64(&b, secret_hash(k, aor.p, aor.n));
	put_u64(&b, secret_hash(k, key.p, key.n));
	put_u64(&b, version.t);
	put_u64(&b, version.node);
	return secret_hash(k, mem, sizeof(mem));
}

void ping_hint_say(struct ping *p, const struct ping_item *i)
{
	uint32_t ms = 2 * p->cf->ping.interval;

	/* who may be cut off, or behind an edge that is, tells nobody */
	if (!p->hints || i->fails < p->cf->ping.max_failures ||
	    !ping_own_fault(p, i))
		return;
	hints_say(p->hints, hint_of(p, ping_aor(i), ping_key(i), i->vstamp),
		  ms);
}

void ping_hint_unsay(struct ping *p, const struct ping_item *i)
{
	if (p->hints && i->fails >= p->cf->ping.max_failures)
		hints_unsay(p->hints, hint_of(p, ping_aor(i), ping_key(i),
					      i->vstamp));
}

/* Its owner asks it itself, and knows better than who asked it before */
static bool hinted(const struct ping *p, struct sl aor,
		   const struct loc_contact *c, uint64_t now)
{
	if (!p->hints || !p->hints->now || !p->slots ||
	    slots_mine(p->slots, slots_of(p->loc->store, aor)))
		return false;
	return hints_has(p->hints, hint_of(p, aor, c->key, c->vstamp), now);
}

static bool quarantined(const struct ping *p, struct sl aor, struct sl key)
{
	const struct ping_item *i;

	if (!p->quarantined_now)
		return false;
	i = ping_find(p, ping_hash(p, aor, key));
	return i && i->fails >= p->cf->ping.max_failures;
}

uint32_t ping_pass_over(struct ping *p, struct sl aor, struct loc_set *set,
			uint64_t now)
{
	struct loc_contact bad[LOCATION_MAX];
	uint32_t n = 0, k = 0, told = 0;

	for (uint32_t i = 0; i < set->n; i++) {
		bool own = quarantined(p, aor, set->v[i].key);

		if (own || hinted(p, aor, &set->v[i], now)) {
			told += !own;
			bad[k++] = set->v[i];
		}
		else {
			set->v[n++] = set->v[i];
		}
	}
	memcpy(&set->v[n], bad, k * sizeof(*bad));
	if (!n)
		return 0;
	for (uint32_t i = n; i < n + k; i++)
		free(set->v[i].mem);
	set->n = n;
	p->told += told;
	return k;
}
