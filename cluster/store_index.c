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
	s->chains = s->low = STORE_SEG;
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

static struct srec **chain_of(const struct store *s, uint32_t hash)
{
	uint32_t i = hash & (2 * s->low - 1);

	if (i >= s->chains)
		i = hash & (s->low - 1);
	return &s->seg[i / STORE_SEG][i % STORE_SEG];
}

struct srec *store_chain(const struct store *s, uint32_t hash)
{
	return *chain_of(s, hash);
}

struct srec **store_lookup(struct store *s, uint32_t hash, struct sl aor,
			   struct sl key)
{
	struct srec **pp = chain_of(s, hash);

	for (; *pp; pp = &(*pp)->hnext)
		if ((*pp)->hash == hash && sl_eq(srec_aor(*pp), aor) &&
		    sl_eq(srec_key(*pp), key))
			break;
	return pp;
}

uint32_t store_aor_n(struct store *s, uint32_t hash, struct sl aor,
		     uint32_t enough)
{
	uint32_t n = 0;

	for (struct srec *r = store_chain(s, hash); r && n < enough;
	     r = r->hnext)
		if (r->hash == hash && sl_eq(srec_aor(r), aor))
			n++;
	return n;
}

/* Memory for one more chain. Failing only means longer chains. */
static bool room_for_chain(struct store *s)
{
	if (s->chains < s->segs * STORE_SEG)
		return true;
	if (s->chains >= 1u << 30)
		return false;
	if (s->segs == s->seg_cap) {
		struct srec ***seg = realloc(s->seg, 2 * s->seg_cap *
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
	struct srec **from, **to, *r, *next;
	uint32_t new = s->chains;

	if (!room_for_chain(s))
		return;
	from = &s->seg[(new - s->low) / STORE_SEG][(new - s->low) % STORE_SEG];
	to = &s->seg[new / STORE_SEG][new % STORE_SEG];
	r = *from;
	*from = NULL;
	s->chains++;
	s->moves++;
	for (; r; r = next) {
		struct srec **pp = (r->hash & (2 * s->low - 1)) == new ?
			to : from;

		next = r->hnext;
		r->hnext = *pp;
		*pp = r;
	}
	if (s->chains == 2 * s->low)
		s->low *= 2;
}

void store_index_add(struct store *s, struct srec *r)
{
	struct srec **pp;

	s->st.records++;
	if (s->st.records > s->chains)
		grow(s);
	pp = chain_of(s, r->hash);
	r->hnext = *pp;
	*pp = r;
}

static struct srec **place_of(struct store *s, const struct srec *r)
{
	struct srec **pp = chain_of(s, r->hash);

	while (*pp != r)
		pp = &(*pp)->hnext;
	return pp;
}

void store_index_del(struct store *s, struct srec *r)
{
	*place_of(s, r) = r->hnext;
	s->st.records--;
}

void store_index_replace(struct store *s, struct srec *old, struct srec *r)
{
	r->hnext = old->hnext;
	*place_of(s, old) = r;
}
