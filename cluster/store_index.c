/* store_index.c - Pure. AoR -> records: linear hashing over a keyed hash, so
 * that growth costs one chain per insert and never a pause. */
#include <errno.h>
#include <stdlib.h>
#include "base/secret.h"
#include "cluster/store_priv.h"

int store_index_init(struct store *s)
{
	s->seg_cap = 16;
	s->seg = calloc(s->seg_cap, sizeof(*s->seg));
	if (!s->seg)
		return ENOMEM;
	s->seg[0] = calloc(STORE_SEG, sizeof(**s->seg));
	if (!s->seg[0])
		return ENOMEM;
	s->segs = 1;
	s->chains = s->low = STORE_CHAINS;
	return 0;
}

void store_index_free(struct store *s)
{
	for (uint32_t i = 0; i < s->segs; i++)
		free(s->seg[i]);
	free(s->seg);
	s->seg = NULL;
	s->segs = 0;
}

uint32_t store_hash(const struct store *s, struct sl aor)
{
	return (uint32_t)secret_hash(s->cf.key, aor.p, aor.n);
}

static uint32_t *chain_at(const struct store *s, uint32_t i)
{
	return &s->seg[i / STORE_SEG][i % STORE_SEG];
}

static uint32_t *chain_of(const struct store *s, uint32_t hash)
{
	uint32_t i = hash & (2 * s->low - 1);

	if (i >= s->chains)
		i = hash & (s->low - 1);
	return chain_at(s, i);
}

uint32_t store_chain(const struct store *s, uint32_t hash)
{
	return *chain_of(s, hash);
}

uint32_t store_chain_at(const struct store *s, uint32_t i)
{
	return *chain_at(s, i);
}

uint32_t store_lookup(const struct store *s, uint32_t hash, struct sl aor,
		      struct sl key)
{
	uint32_t h = store_chain(s, hash);

	while (h && !srec_is(srec_at(s, h), hash, aor, key))
		h = srec_at(s, h)->hnext;
	return h;
}

uint32_t store_aor_n(const struct store *s, uint32_t hash, struct sl aor,
		     uint32_t enough)
{
	uint32_t n = 0;

	for (uint32_t h = store_chain(s, hash); h && n < enough;
	     h = srec_at(s, h)->hnext)
		n += srec_of(srec_at(s, h), hash, aor);
	return n;
}

/* --- growing and shrinking ------------------------------------------------- */

/* Memory for one more chain. Failing only means longer chains. */
static bool room_for_chain(struct store *s)
{
	if (s->chains < s->segs * STORE_SEG)
		return true;
	if (s->chains >= 1u << 30)
		return false;
	if (s->segs == s->seg_cap) {
		uint32_t **seg = realloc(s->seg, 2 * s->seg_cap *
					 sizeof(*seg));

		if (!seg)
			return false;
		s->seg = seg;
		s->seg_cap *= 2;
	}
	s->seg[s->segs] = calloc(STORE_SEG, sizeof(**s->seg));
	if (!s->seg[s->segs])
		return false;
	s->segs++;
	return true;
}

/* Split the next chain: half of its records go to the new one */
static void grow(struct store *s)
{
	uint32_t *from, *to, h, next, new = s->chains;

	if (!room_for_chain(s))
		return;
	from = chain_at(s, new - s->low);
	to = chain_at(s, new);
	h = *from;
	*from = 0;
	s->chains++;
	s->moves++;
	for (; h; h = next) {
		struct srec *r = srec_at(s, h);
		uint32_t *at = (r->hash & (2 * s->low - 1)) == new ? to : from;

		next = r->hnext;
		r->hnext = *at;
		*at = h;
	}
	if (s->chains == 2 * s->low)
		s->low *= 2;
}

/* The last chain joins the one that it was split from. One segment more than
 * needed stays, for those who come back. */
static void shrink(struct store *s)
{
	uint32_t *from, *to, h;

	if (s->chains == s->low)
		s->low /= 2;
	s->chains--;
	from = chain_at(s, s->chains);
	to = chain_at(s, s->chains - s->low);
	h = *from;
	while (h) {
		struct srec *r = srec_at(s, h);
		uint32_t next = r->hnext;

		r->hnext = *to;
		*to = h;
		h = next;
	}
	*from = 0;
	s->moves++;
	if ((s->segs - 1) * STORE_SEG >= s->chains + STORE_SEG)
		free(s->seg[--s->segs]);
}

void store_index_add(struct store *s, uint32_t h)
{
	uint32_t *at;

	s->st.records++;
	if (s->st.records > s->chains)
		grow(s);
	at = chain_of(s, srec_at(s, h)->hash);
	srec_at(s, h)->hnext = *at;
	*at = h;
}

static uint32_t *place_of(struct store *s, uint32_t h)
{
	uint32_t *at = chain_of(s, srec_at(s, h)->hash);

	while (*at != h)
		at = &srec_at(s, *at)->hnext;
	return at;
}

void store_index_del(struct store *s, uint32_t h)
{
	*place_of(s, h) = srec_at(s, h)->hnext;
	s->st.records--;
	/* twice at most, so that it keeps up with the removals */
	for (int i = 0; i < 2 && s->chains > STORE_CHAINS &&
			s->chains / 2 > s->st.records; i++)
		shrink(s);
}

void store_index_replace(struct store *s, uint32_t old, uint32_t h)
{
	srec_at(s, h)->hnext = srec_at(s, old)->hnext;
	*place_of(s, old) = h;
}
