/* store_digest.c - Pure. One digest per bucket of AoRs: equal digests, equal
 * records. Kept up to date by every change, so that comparing costs nothing here.
 * docs/cluster-protocol.md 6.3.
 *
 * What each node forgets by its own clock is left out as far as it can be: values,
 * expiry times, the hold. What stays in (superseded lineages, the record itself)
 * differs for a second or two around the moment when it is forgotten. */
#include <errno.h>
#include <stdlib.h>
#include "base/secret.h"
#include "cluster/store_priv.h"

enum { SCAN_AHEAD = 32,         /* chains of a bucket: two million records */
       CACHE_LINE = 64 };

#define DIGEST_BYTES 4096      /* more than what is digested of any record */

int store_digest_init(struct store *s)
{
	s->digest = calloc(STORE_BUCKETS, sizeof(*s->digest));
	return s->digest ? 0 : ENOMEM;
}

static void put_stamp(struct buf *b, struct stamp t)
{
	put_u64(b, t.t);
	put_u64(b, t.node);
}

uint64_t store_digest_of(const struct store *s, const struct record *r)
{
	uint8_t mem[DIGEST_BYTES];
	struct buf b;

	buf_fixed(&b, mem, sizeof(mem));
	put_sl16(&b, r->aor);
	put_sl16(&b, r->key);
	put_stamp(&b, r->kill);
	for (uint8_t i = 0; i < r->n; i++) {
		const struct rec_entry *e = &r->e[i];

		put_u64(&b, e->lineage);
		put_u32(&b, e->cseq);
		put_u8(&b, e->dead);
		put_stamp(&b, e->vstamp);
		put_stamp(&b, e->gstamp);
	}
	buf_sl(&b, r->ext);
	return secret_hash(s->cf.key, b.p, b.n);
}

void store_digest_flip(struct store *s, uint32_t hash, const struct record *r)
{
	uint64_t d = store_digest_of(s, r);

	s->digest[hash % STORE_BUCKETS] ^= d;
	s->group[hash % STORE_BUCKETS / STORE_GROUP] ^= d;
}

const uint64_t *store_groups(const struct store *s)
{
	return s->group;
}

const uint64_t *store_buckets(const struct store *s, uint8_t group)
{
	return s->digest + (size_t)group * STORE_GROUP;
}

uint64_t store_root(const struct store *s)
{
	uint64_t d = 0;

	for (int i = 0; i < STORE_GROUPS; i++)
		d ^= s->group[i];
	return d;
}

/* --- records of one bucket ------------------------------------------------------ */

uint16_t store_bucket(const struct store *s, struct sl aor)
{
	return (uint16_t)(store_hash(s, aor) % STORE_BUCKETS);
}

/* Where each chain of the bucket begins is asked of memory before the first is
 * needed: one wait instead of one for each */
static void ask_ahead(const struct store *s, uint32_t bucket)
{
	uint32_t end = bucket + SCAN_AHEAD * STORE_BUCKETS;

	if (end > s->chains)
		end = s->chains;
	for (uint32_t c = bucket; c < end; c += STORE_BUCKETS) {
		uint32_t h = store_chain_at(s, c);
		const char *r = (const char *)srec_at(s, h);

		__builtin_prefetch(r);
		__builtin_prefetch(r + CACHE_LINE);
		__builtin_prefetch(r + 2 * CACHE_LINE);
	}
}

void store_scan(struct store *s, uint16_t bucket, struct store_scan *it)
{
	if (s->chains > STORE_BUCKETS)
		ask_ahead(s, bucket);
	it->s = s;
	it->bucket = bucket;
	it->chain = bucket;
	it->at = store_chain(s, bucket);
}

static void without_values(const struct store *s, uint32_t h,
			   struct record *r)
{
	struct store_view v;

	store_unpack(s, srec_at(s, h), &v);
	for (uint8_t i = 0; i < v.rec.n; i++)
		v.rec.e[i].value = SL_NONE;     /* as stored: of no use */
	*r = v.rec;
}

uint32_t store_scan_step(struct store_scan *it)
{
	const struct store *s = it->s;
	uint32_t h = it->at;

	for (;;) {
		while (h && srec_at(s, h)->hash % STORE_BUCKETS != it->bucket)
			h = srec_at(s, h)->hnext;
		if (h)
			break;
		/* More chains than buckets: those that end in the same bits */
		if (s->chains <= STORE_BUCKETS ||
		    it->chain + STORE_BUCKETS >= s->chains)
			return 0;
		it->chain += STORE_BUCKETS;
		h = store_chain_at(s, it->chain);
	}
	it->at = srec_at(s, h)->hnext;
	it->last = h;
	return h;
}

bool store_scan_next(struct store_scan *it, struct record *r)
{
	uint32_t h = store_scan_step(it);

	if (h)
		without_values(it->s, h, r);
	return h != 0;
}

uint64_t store_scan_seq(const struct store_scan *it)
{
	return srec_seq(srec_at(it->s, it->last));
}

int store_look(struct store *s, struct sl aor, struct sl key, uint64_t wall,
	       struct record *r, uint64_t *seq)
{
	uint32_t h = store_lookup(s, store_hash(s, aor), aor, key);

	if (!h)
		return ENOENT;
	without_values(s, h, r);
	*seq = srec_seq(srec_at(s, h));
	return record_is_past(r, wall) ? ENOENT : 0;
}

struct sl store_scan_packed(const struct store_scan *it)
{
	return store_wire(it->s, srec_at(it->s, it->last));
}

uint64_t store_moves(const struct store *s)
{
	return s->moves;
}

bool store_news(struct store *s, const struct record *peers, uint64_t wall,
		bool *held)
{
	struct record src = *peers;
	uint32_t hash = store_hash(s, src.aor);
	uint32_t h = store_lookup(s, hash, src.aor, src.key);
	struct store_view v;

	*held = h != 0;
	if (record_is_past(&src, wall))
		return false;
	record_prune(&src, wall, store_keep(s));
	if (!h)
		return true;
	store_unpack(s, srec_at(s, h), &v);
	store_values(s, &v);
	src.hold = v.rec.hold;
	record_prune(&v.rec, wall, store_keep(s));
	return record_join(&v.rec, &src);
}
