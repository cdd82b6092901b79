/* ping_item.c - Pure. Questions open, contacts that failed, and the verdict. */
#include "node/ping_i.h"
#include "base/log.h"
#include "base/secret.h"
#include <errno.h>
#include <stdlib.h>

/* In one piece, with a length in front, unless that is too long */
uint64_t ping_hash(const struct ping *p, struct sl aor, struct sl key)
{
	uint64_t v[2] = { aor.n };
	uint8_t mem[256];

	if (aor.n + key.n > sizeof(mem) - sizeof(*v)) {
		v[0] = secret_hash(p->key, aor.p, aor.n);
		v[1] = secret_hash(p->key, key.p, key.n);
		return secret_hash(p->key, v, sizeof(v));
	}
	memcpy(mem, v, sizeof(*v));
	memcpy(mem + sizeof(*v), aor.p, aor.n);
	memcpy(mem + sizeof(*v) + aor.n, key.p, key.n);
	return secret_hash(p->key, mem, sizeof(*v) + aor.n + key.n);
}

struct ping_item *ping_find(const struct ping *p, uint64_t hash)
{
	struct ping_item *i = p->tab[hash % PING_PLACES];

	while (i && i->hash != hash)
		i = i->chain;
	return i;
}

struct ping_item *ping_new(struct ping *p, uint64_t hash, struct sl aor,
			   struct sl key)
{
	struct ping_item **at = &p->tab[hash % PING_PLACES], *i = NULL;

	if (p->items < PING_OPEN)
		i = calloc(1, sizeof(*i) + aor.n + key.n);
	if (!i)
		return NULL;
	i->hash = hash;
	i->aorn = (uint16_t)aor.n;
	i->keyn = (uint16_t)key.n;
	memcpy(i->text, aor.p, aor.n);
	memcpy(i->text + aor.n, key.p, key.n);
	i->chain = *at;
	*at = i;
	p->items++;
	return i;
}

void ping_shut(struct ping *p, struct ping_item *i)
{
	if (!i->open)
		return;
	i->open = false;
	*i->pprev = i->next;
	if (i->next)
		i->next->pprev = i->pprev;
	else
		p->last = i->pprev;
	p->open_now--;
}

void ping_open(struct ping *p, struct ping_item *i, uint64_t now)
{
	ping_shut(p, i);
	i->open = true;
	i->sent = now;
	i->next = NULL;
	i->pprev = p->last;
	*p->last = i;
	p->last = &i->next;
	p->open_now++;
}

static void set_fails(struct ping *p, struct ping_item *i, uint32_t fails)
{
	uint32_t max = p->cf->ping.max_failures;

	p->quarantined_now -= i->fails >= max;
	i->fails = fails;
	p->quarantined_now += fails >= max;
}

void ping_recount(struct ping *p)
{
	p->quarantined_now = 0;
	for (uint32_t k = 0; k < PING_PLACES; k++)
		for (struct ping_item *i = p->tab[k]; i; i = i->chain)
			p->quarantined_now +=
				i->fails >= p->cf->ping.max_failures;
}

void ping_drop(struct ping *p, struct ping_item *i)
{
	struct ping_item **at = &p->tab[i->hash % PING_PLACES];

	set_fails(p, i, 0);
	ping_shut(p, i);
	while (*at != i)
		at = &(*at)->chain;
	*at = i->chain;
	p->items--;
	free(i);
}

void ping_sweep(struct ping *p, uint64_t now)
{
	uint64_t old = 3ull * p->cf->ping.interval + p->cf->ping.timeout;

	for (int n = 0; p->items && n < 64; n++) {
		struct ping_item *i = p->tab[p->swept++ % PING_PLACES], *next;

		for (; i; i = next) {
			next = i->chain;
			if (!i->open && now > i->sent + old)
				ping_drop(p, i);
		}
	}
}

void ping_heard(struct ping *p, uint64_t hash, struct sl aor, uint32_t edge,
		uint64_t ms, uint64_t at)
{
	struct ping_item *i = ping_find(p, hash);

	p->answered++;
	ping_seen_put(p, hash, ms, at);
	p->latency_ms += ms;
	if (ms > p->latency_max)
		p->latency_max = ms;
	if (p->cf->ping.slow && ms > p->cf->ping.slow) {
		p->slow++;
		if (log_allow(&p->lim, 10, at))
			log_info("event=ping_slow aor=%s ms=%llu",
				 log_esc(aor), (unsigned long long)ms);
	}
	if (at > p->edge[edge].heard)
		p->edge[edge].heard = at;
	if (!i)
		return;
	if (i->fails >= p->cf->ping.max_failures &&
	    log_allow(&p->lim, 10, at))
		log_info("event=ping_back aor=%s", log_esc(aor));
	ping_hint_unsay(p, i);
	ping_drop(p, i);
}

void ping_alive(struct ping *p, struct ping_item *i, uint64_t now)
{
	ping_heard(p, i->hash, ping_aor(i), i->edge, now - i->sent, now);
}

/* Silence is the contact's own only if another one behind the same edge was
 * heard meanwhile, unless the edge knows, and a node that may be cut off itself
 * removes nothing */
bool ping_own_fault(const struct ping *p, const struct ping_item *i)
{
	return p->majority &&
		(i->sure || p->edge[i->edge].heard >= i->failing);
}

static bool to_remove(const struct ping *p, const struct ping_item *i)
{
	return i->fails >= p->cf->ping.max_failures + p->cf->ping.remove_after
		&& ping_own_fault(p, i);
}

static void remove_it(struct ping *p, struct ping_item *i, uint64_t wall)
{
	int err = store_kill(p->loc->store, ping_aor(i), ping_key(i),
			     i->vstamp, wall);

	p->removed += !err;
	p->refreshed += err == ESTALE;
	if (!err && log_allow(&p->lim, 10, i->sent))
		log_info("event=ping_removed aor=%s failures=%u",
			 log_esc(ping_aor(i)), i->fails);
	ping_drop(p, i);
}

void ping_lost(struct ping *p, struct ping_item *i, uint64_t now,
	       uint64_t wall)
{
	uint32_t all = p->cf->ping.max_failures + p->cf->ping.remove_after;
	uint32_t was = i->fails ? i->fails : ping_hint_told(p, i, now);

	ping_shut(p, i);
	if (!i->fails)
		i->failing = i->sent;
	set_fails(p, i, was < all ? was + 1 : all);
	ping_hint_say(p, i);
	if (to_remove(p, i))
		remove_it(p, i, wall);
	else
		p->kept += i->fails >= all;
}
