/* slots.c - Pure. Owners of slots: who counts, and rendezvous over them. */
#include "cluster/slots.h"
#include "base/log.h"

/* splitmix64's finalizer: node ids are random, slots are not */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

void slots_init(struct slots *s, uint64_t self)
{
	memset(s, 0, sizeof(*s));
	s->self = self;
}

uint32_t slots_pick(const uint64_t *node, uint32_t n, uint32_t slot)
{
	uint64_t salt = mix(slot), best = 0;
	uint32_t at = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t h = mix(node[i] ^ salt);

		if (i && (h < best || (h == best && node[i] < node[at])))
			continue;
		best = h;
		at = i;
	}
	return at;
}

uint64_t slots_owner(const struct slots *s, uint32_t slot)
{
	return s->whos ? s->who[s->owner[slot % SLOTS]] : 0;
}

static struct slots_row *find(const struct slots *s, uint64_t node)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->row[i].node == node)
			return (struct slots_row *)&s->row[i];
	return NULL;
}

const struct slots_row *slots_find(const struct slots *s, uint64_t node)
{
	return find(s, node);
}

/* A member that was READY before we were is no newcomer: it counts with the
 * others already. We are one ourselves while anybody else counts. */
static uint64_t count_at(const struct slots *s, uint64_t node, uint64_t now)
{
	const struct slots_row *me = find(s, s->self);
	bool others = false;

	if (node != s->self)
		return me && me->ready ? now + SLOTS_NEW : now;
	for (uint32_t i = 0; i < s->n; i++)
		others = others || (s->row[i].node != node && s->row[i].counts);
	return others ? now + SLOTS_NEW : now;
}

static void look_row(struct slots *s, struct slots_row *r,
		     const struct slots_seen *v, uint64_t now)
{
	const struct slots_row *was = find(s, v->node);

	*r = was ? *was : (struct slots_row){ .node = v->node, .since = now };
	if (v->ready && !r->ready) {
		r->since = now;
		r->at = r->counts ? now : count_at(s, v->node, now);
	} else if (!v->ready && r->ready) {
		r->since = now;
	}
	r->ready = v->ready;
	if (r->ready)
		r->counts = r->counts || now >= r->at;
	else            /* leaving, we go on until the others have seen it */
		r->counts = r->counts && v->node == s->self &&
			    now < r->since + SLOTS_LEAVE;
}

static uint32_t counting(const struct slots *s, uint64_t *who)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t k = n;

		if (!s->row[i].counts)
			continue;
		for (; k > 0 && who[k - 1] > s->row[i].node; k--)
			who[k] = who[k - 1];
		who[k] = s->row[i].node;
		n++;
	}
	return n;
}

static void share_out(struct slots *s, const uint64_t *who, uint32_t n,
		      uint64_t now)
{
	uint32_t share[CLUSTER_MAX] = { 0 };

	s->moved = 0;
	for (uint32_t i = 0; i < SLOTS; i++) {
		uint64_t was = slots_owner(s, i);

		s->owner[i] = n ? (uint8_t)slots_pick(who, n, i) : 0;
		s->moved += was != (n ? who[s->owner[i]] : 0);
		share[s->owner[i]]++;
	}
	memcpy(s->who, who, n * sizeof(*who));
	s->whos = n;
	for (uint32_t i = 0; i < s->n; i++)
		s->row[i].share = 0;
	for (uint32_t i = 0; i < n; i++)
		find(s, who[i])->share = share[i];
	s->version++;
	s->changed = now;
	s->moves += s->moved;
	log_info("event=slots members=%u ours=%u moved=%u", n,
		 s->n ? s->row[0].share : 0, s->moved);
}

bool slots_look(struct slots *s, const struct slots_seen *v, uint32_t n,
		uint64_t now)
{
	struct slots_row row[CLUSTER_MAX];
	uint64_t who[CLUSTER_MAX];
	uint32_t whos;

	if (n > CLUSTER_MAX)
		n = CLUSTER_MAX;
	for (uint32_t i = 0; i < n; i++)
		look_row(s, &row[i], &v[i], now);
	memcpy(s->row, row, n * sizeof(*row));
	s->n = n;
	whos = counting(s, who);
	for (uint32_t i = 0; !whos && i < n; i++)   /* better than nobody */
		s->row[i].counts = s->row[i].ready;
	if (!whos)
		whos = counting(s, who);
	if (whos == s->whos && !memcmp(who, s->who, whos * sizeof(*who)))
		return false;
	share_out(s, who, whos, now);
	return true;
}
