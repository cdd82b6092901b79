/* store_read.c - Pure. What the store shows. */
#include <errno.h>
#include "cluster/store_priv.h"

static void contact_of(struct store_contact *c, const struct record *rec,
		       const struct rec_entry *e)
{
	c->key = rec->key;
	c->value = e->value;
	c->lineage = e->lineage & ~0xffull;
	c->cseq = e->cseq;
	c->expires = e->expires;
	c->vstamp = e->vstamp;
}

static bool visible(struct store *s, uint32_t h, uint64_t wall,
		    struct store_contact *c, struct sl *aor)
{
	struct store_view v;

	store_unpack(s, srec_at(s, h), &v);
	if (!record_visible(&v.rec, wall))
		return false;
	(void)store_value(s, &v, 0, s->read);
	contact_of(c, &v.rec, &v.rec.e[0]);
	if (aor)
		*aor = v.rec.aor;
	return true;
}

void store_get(struct store *s, struct sl aor, uint64_t wall,
	       struct store_iter *it)
{
	it->s = s;
	it->aor = aor;
	it->wall = wall;
	it->hash = store_hash(s, aor);
	it->at = store_chain(s, it->hash);
}

bool store_next(struct store_iter *it, struct store_contact *c)
{
	struct store *s = it->s;
	uint32_t h = it->at;

	for (; h; h = srec_at(s, h)->hnext)
		if (srec_of(srec_at(s, h), it->hash, it->aor) &&
		    visible(s, h, it->wall, c, NULL))
			break;
	it->at = h ? srec_at(s, h)->hnext : 0;
	return h != 0;
}

int store_find(struct store *s, struct sl aor, struct sl key, uint64_t wall,
	       struct store_contact *c)
{
	uint32_t h = store_lookup(s, store_hash(s, aor), aor, key);

	return h && visible(s, h, wall, c, NULL) ? 0 : ENOENT;
}

bool store_scan_contact(struct store_scan *it, uint64_t wall, struct sl *aor,
			struct store_contact *c)
{
	uint32_t h;

	while ((h = store_scan_step(it)))
		if (visible(it->s, h, wall, c, aor))
			return true;
	return false;
}

uint32_t store_count(struct store *s, struct sl aor, uint64_t wall)
{
	uint32_t hash = store_hash(s, aor), n = 0;
	struct store_view v;

	for (uint32_t h = store_chain(s, hash); h; h = srec_at(s, h)->hnext) {
		if (!srec_of(srec_at(s, h), hash, aor))
			continue;
		store_unpack(s, srec_at(s, h), &v);
		n += record_visible(&v.rec, wall) != NULL;
	}
	return n;
}

bool store_walk(struct store *s, uint64_t *pos, uint64_t wall,
		void (*h)(struct sl aor, const struct store_contact *c,
			  void *arg), void *arg)
{
	struct store_contact c;
	struct store_scan it;
	struct sl aor;

	if (*pos >= STORE_BUCKETS)
		return false;
	if (s->digest[*pos]) {
		store_scan(s, (uint16_t)*pos, &it);
		while (store_scan_contact(&it, wall, &aor, &c))
			h(aor, &c, arg);
	}
	return ++*pos < STORE_BUCKETS;
}
