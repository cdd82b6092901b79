/* ping_hint.c - Pure. What the owner of a contact tells the other nodes of it:
 * that it does not answer, so that they do not call it either; before that, how
 * often it has not, so that who owns it next goes on counting. Said with each
 * failure, that is once in an interval; forgotten after two. It is no part of
 * the record: nothing of it has to be joined or taken back for ever. */
#include "node/ping_i.h"
#include "base/secret.h"
#include <stdlib.h>

/* The same on all nodes. Of one version: who has registered anew is called.
 * fails: so many in a row, 0 = enough for quarantine */
static uint64_t hint_of(const struct ping *p, struct sl aor, struct sl key,
			struct stamp version, uint32_t fails)
{
	const uint8_t *k = p->loc->key;
	uint8_t mem[36];
	struct buf b;

	buf_fixed(&b, mem, sizeof(mem));
	put_u64(&b, secret_hash(k, aor.p, aor.n));
	put_u64(&b, secret_hash(k, key.p, key.n));
	put_u64(&b, version.t);
	put_u64(&b, version.node);
	if (fails)
		put_u32(&b, fails);
	return secret_hash(k, mem, b.n);
}

static uint64_t hint_at(const struct ping *p, const struct ping_item *i,
			uint32_t fails)
{
	bool enough = fails >= p->cf->ping.max_failures;

	return hint_of(p, ping_aor(i), ping_key(i), i->vstamp,
		       enough ? 0 : fails);
}

void ping_hint_say(struct ping *p, const struct ping_item *i)
{
	/* who may be cut off, or behind an edge that is, tells nobody */
	if (p->hints && i->fails && ping_own_fault(p, i))
		hints_say(p->hints, hint_at(p, i, i->fails),
			  2 * p->cf->ping.interval);
}

/* The one before is not over yet, either */
void ping_hint_unsay(struct ping *p, const struct ping_item *i)
{
	if (!p->hints || !i->fails)
		return;
	hints_unsay(p->hints, hint_at(p, i, i->fails));
	if (i->fails > 1 && i->fails <= p->cf->ping.max_failures)
		hints_unsay(p->hints, hint_at(p, i, i->fails - 1));
}

/* Said once more: who has just come has not heard it */
void ping_hint_hand_over(struct ping *p)
{
	for (uint32_t k = 0; p->items && k < PING_PLACES; k++)
		for (struct ping_item *i = p->tab[k]; i; i = i->chain) {
			uint32_t s = slots_of(p->loc->store, ping_aor(i));

			if (i->fails && (p->mine[s / 8] >> s % 8 & 1) &&
			    !slots_mine(p->slots, s))
				ping_hint_say(p, i);
		}
}

/* One failure less than enough at most: the word of another node, which may be
 * late or wrong, quarantines nobody without a failure that was seen here, and
 * remove_after more have to be. It is worth nothing when the contact has answered
 * us while it held */
uint32_t ping_hint_told(const struct ping *p, const struct ping_item *i,
			uint64_t now)
{
	uint32_t n = p->cf->ping.max_failures - 1;

	if (!p->hints || !p->hints->now || !n ||
	    ping_seen_since(p, i->hash, now, 2 * p->cf->ping.interval))
		return 0;
	if (hints_has(p->hints, hint_at(p, i, n + 1), now))
		return n;
	while (n && !hints_has(p->hints, hint_at(p, i, n), now))
		n--;
	return n;
}

/* Its owner asks it itself, and knows better than who asked it before */
static bool hinted(const struct ping *p, struct sl aor,
		   const struct loc_contact *c, uint64_t now)
{
	if (!p->hints || !p->hints->now || !p->slots ||
	    slots_mine(p->slots, slots_of(p->loc->store, aor)))
		return false;
	return hints_has(p->hints, hint_of(p, aor, c->key, c->vstamp, 0), now);
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
