/* test_store_pack.c - what a record is in memory, and what it costs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <criterion/criterion.h>
#include "base/rng.h"
#include "cluster/store_priv.h"
#include "cluster/tlv.h"

#define T0 1700000000000ull
#define MAX 3600

static struct store *mk(void)
{
	struct store_conf cf = { .node = 1, .max_records = 1000000,
		.max_per_aor = 20, .max_expires = MAX, .guard = 10000 };
	struct store *s = NULL;

	cr_assert_eq(store_alloc(&s, &cf, T0), 0);
	return s;
}

static struct sl some(struct rng *r, char *p, uint32_t min, uint32_t max)
{
	uint32_t n = min + rng_below(r, max - min + 1);

	for (uint32_t i = 0; i < n; i++)
		p[i] = (char)('a' + rng_below(r, 4));
	return sl_mk(p, n);
}

static struct stamp stamp_of(struct rng *r)
{
	struct stamp t;

	t.t = (T0 - rng_below(r, 4000000)) << 16;
	if (rng_below(r, 3) == 0)
		t.t |= rng_below(r, 65536);
	t.node = rng_below(r, 2) ? 1 + rng_below(r, 3) : rng_u64(r);
	return t;
}

static struct sl ext_of(struct rng *r, char *mem)
{
	struct buf b;

	buf_fixed(&b, mem, 64);
	tlv_put(&b, (uint16_t)(100 + rng_below(r, 50)), SL("later"));
	return buf_as_sl(&b);
}

struct mem {
	char aor[600], key[1200], value[REC_LINEAGES][4000];
	char ext[REC_LINEAGES + 1][64];
};

static void entry_of(struct rng *r, struct rec_entry *e, char *value,
		     char *ext)
{
	*e = (struct rec_entry){ .lineage = rng_u64(r), .cseq = rng_below(r,
				 rng_below(r, 2) ? 200 : UINT32_MAX),
				 .vstamp = stamp_of(r) };
	e->gstamp = e->vstamp;
	if (rng_below(r, 3) == 0)
		e->gstamp = stamp_max(e->vstamp, stamp_of(r));
	e->dead = rng_below(r, 4) == 0;
	e->expires = e->dead ? 0 : T0 + 1 + rng_below(r, MAX * 1000);
	if (!e->dead && rng_below(r, 8) == 0)
		e->expires = rng_u64(r) >> rng_below(r, 64);
	e->has_value = !e->dead && e->expires > T0 && rng_below(r, 8);
	if (e->has_value)
		e->value = some(r, value, 0, rng_below(r, 20) ? 300 : 3000);
	/* ext goes with the value when that is pruned */
	if (e->has_value && rng_below(r, 4) == 0)
		e->ext = ext_of(r, ext);
}

/* Any record that a peer may send and that has nothing to prune */
static void record_of(struct rng *r, struct record *rec, struct mem *m)
{
	*rec = (struct record){ .hold = T0 + 1 + rng_below(r, 5000000) };
	rec->aor = some(r, m->aor, 1, rng_below(r, 30) ? 40 : REC_AOR_MAX);
	rec->key = some(r, m->key, 0, rng_below(r, 30) ? 60 : REC_KEY_MAX);
	rec->n = 1;
	while (rec->n < REC_LINEAGES && rng_below(r, 3) == 0)
		rec->n++;
	for (uint8_t i = 0; i < rec->n; i++)
		entry_of(r, &rec->e[i], m->value[i], m->ext[i]);
	if (rng_below(r, 4) == 0)
		rec->kill = (struct stamp){ (T0 - 5000000) << 16, 9 };
	if (rng_below(r, 8) == 0)
		rec->ext = ext_of(r, m->ext[REC_LINEAGES]);
}

Test(store_pack, a_peer_gets_the_bytes_that_came)
{
	static uint8_t want[REC_SIZE_MAX];
	struct mem *m = malloc(sizeof(*m));
	struct store *s = mk();
	struct store_cursor c = { 0 };
	struct store_change ch;
	struct record rec, sorted;
	struct rng r;
	struct buf b;
	bool changed;
	int seen = 0;

	rng_seed(&r, 8);
	store_cursor_add(s, &c, 0);
	for (int i = 0; i < 20000; i++) {
		record_of(&r, &rec, m);
		memset(&sorted, 0, sizeof(sorted));
		sorted.aor = rec.aor;
		sorted.key = rec.key;
		(void)record_join(&sorted, &rec);      /* into its order */
		rec = sorted;
		record_clamp(&sorted, T0 + MAX * 1000 + 20000);
		if (record_is_past(&sorted, T0))
			continue;
		(void)record_prune(&sorted, T0, store_keep(s));
		buf_fixed(&b, want, sizeof(want));
		record_encode(&b, &sorted);
		if (b.err || record_decode(&sorted, buf_as_sl(&b)) ||
		    store_lookup(s, store_hash(s, rec.aor), rec.aor,
					  rec.key))
			continue;
		cr_assert_eq(store_merge(s, &rec, 3, T0, &changed), 0);
		cr_assert(changed);
		cr_assert(store_cursor_peek(s, &c, &ch));
		cr_assert(sl_eq(ch.aor, rec.aor));
		cr_assert(sl_eq(ch.packed, buf_as_sl(&b)), "record %d", i);
		store_cursor_step(s, &c);
		seen++;
	}
	cr_assert_gt(seen, 15000);
	cr_assert_eq(s->nodes, STORE_NODES, "ids without a number came, too");
	/* and again, of all at once: none had its memory taken by another */
	store_cursor_set(s, &c, 0);
	for (; store_cursor_peek(s, &c, &ch); seen--) {
		cr_assert_eq(record_decode(&rec, ch.packed), 0);
		store_cursor_step(s, &c);
	}
	cr_assert_eq(seen, 0);
	store_free(s);
	free(m);
}

/* A phone as edgewise-node stores it */
static int put_phone(struct store *s, struct rng *r, uint32_t i,
		     uint32_t cseq)
{
	char aor[64], key[64], tok[56];
	uint8_t mem[512];
	struct buf b;

	for (int k = 0; k < 54; k++)
		tok[k] = (char)('A' + rng_below(r, 57));
	tok[54] = 0;
	buf_fixed(&b, mem, sizeof(mem));
	buf_printf(&b, "1sip:user%07u@10.%u.%u.%u:5060", i, i >> 16,
		   i >> 8 & 255, i & 255);
	buf_printf(&b, "2<sip:%s@192.0.2.1:5070;transport=tcp;lr;ob>", tok);
	buf_printf(&b, "3%016llx@10.%u.%u.%u",
		   (unsigned long long)rng_u64(r), i >> 16, i >> 8 & 255,
		   i & 255);
	buf_lit(&b, "4Yealink SIP-T46S 66.86.0.15");
	return store_put(s, sl_mk(aor, (size_t)sprintf(aor,
			 "user%07u@example.com", i)),
			 sl_mk(key, (size_t)sprintf(key,
			 "u:sip:user%07u@10.%u.%u.%u:5060", i, i >> 16,
			 i >> 8 & 255, i & 255)), (uint64_t)i << 8, cseq,
			 T0 + 60000, buf_as_sl(&b), T0);
}

Test(store_pack, a_contact_costs_less_than_240_bytes)
{
	struct store *s = mk();
	struct rng r;

	rng_seed(&r, 9);
	for (uint32_t i = 0; i < 50000; i++)
		cr_assert_eq(put_phone(s, &r, i, 1), 0);
	cr_assert_lt(store_stats(s)->bytes, 50000 * 240ull);
	cr_assert_eq(store_stats(s)->bytes, s->heap.bytes);
	store_free(s);
}

Test(store_pack, memory_comes_back_when_contacts_go)
{
	struct store *s = mk();
	uint64_t wall = T0;
	struct rng r;

	rng_seed(&r, 10);
	for (uint32_t i = 0; i < 100000; i++)
		cr_assert_eq(put_phone(s, &r, i, 1), 0);
	cr_assert_gt(s->segs, 2);
	while (store_stats(s)->records) {
		wall += 1000;
		while (store_tick(s, wall, 1000))
			;
	}
	cr_assert_eq(s->heap.bytes, 0);
	cr_assert_leq(s->segs, 2);
	cr_assert_eq(s->chains, STORE_CHAINS);
	for (int i = 0; i < SQUEEZE_DICTS; i++)
		cr_assert_eq(s->squeeze.dict[i].refs, 0);
	/* and it goes on */
	for (uint32_t i = 0; i < 5000; i++)
		cr_assert_eq(put_phone(s, &r, i, 1), 0);
	cr_assert_eq(store_count(s, SL("user0004999@example.com"), T0), 1);
	store_free(s);
}

/* Half of them go: the other half is found in an index that shrank */
Test(store_pack, a_shrinking_index_loses_nobody)
{
	struct store *s = mk();
	uint32_t most;
	char aor[64];
	struct rng r;

	rng_seed(&r, 11);
	for (uint32_t i = 0; i < 20000; i++)
		cr_assert_eq(put_phone(s, &r, i, 1), 0);
	most = s->chains;
	for (uint32_t i = 0; i < 20000; i++) {
		size_t n = (size_t)sprintf(aor, "user%07u@example.com", i);
		uint32_t hash = store_hash(s, sl_mk(aor, n));

		if (i % 8)
			store_forget(s, store_chain(s, hash));
	}
	cr_assert_lt(s->chains, most / 2);
	cr_assert_eq(store_stats(s)->records, 2500);
	for (uint32_t h = s->first; h; h = srec_at(s, h)->onext) {
		struct sl a = srec_aor(srec_at(s, h));

		cr_assert_eq(store_count(s, a, T0), 1);
	}
	store_free(s);
}

/* Their values ran out, so they were written again, smaller */
Test(store_pack, a_cursor_follows_a_record_that_moves)
{
	struct store *s = mk();
	struct store_cursor c = { 0 };
	struct store_change ch;
	uint64_t last = 0;
	struct rng r;
	int n = 0;

	rng_seed(&r, 12);
	for (uint32_t i = 0; i < 200; i++)
		cr_assert_eq(put_phone(s, &r, i, 1), 0);
	store_cursor_add(s, &c, 0);
	cr_assert(store_cursor_peek(s, &c, &ch));
	while (store_tick(s, T0 + 62000, 1000))
		;
	cr_assert_eq(store_stats(s)->tombs, 200);
	for (; store_cursor_peek(s, &c, &ch); n++) {
		struct record rec;

		cr_assert_eq(record_decode(&rec, ch.packed), 0);
		cr_assert_not(rec.e[0].has_value);
		cr_assert_gt(ch.seq, last);
		last = ch.seq;
		store_cursor_step(s, &c);
	}
	cr_assert_eq(n, 200);
	store_free(s);
}

static struct sl odd_value(uint32_t make, uint32_t i, char *v)
{
	return sl_mk(v, (size_t)sprintf(v, "%08x some phone of %016llx%016llx",
		     i * 2654435761u,
		     (unsigned long long)(make * 0x9e3779b97f4a7c15ull),
		     (unsigned long long)(make * 0xbf58476d1ce4e5b9ull)));
}

/* Makes of phones come and go until there is a new dictionary, twice; some
 * contacts are refreshed, others are not */
Test(store_pack, values_outlive_the_dictionary_they_were_written_with)
{
	enum { PHONES = 4000 };
	static uint32_t make_of[PHONES];
	struct store *s = mk();
	struct store_contact c;
	uint32_t turns = 0, cseq = 1;
	char aor[32], v[128];
	uint64_t refs = 0;

	for (uint32_t make = 0; turns < 2 && make < 2000; make++)
		for (uint32_t k = 0; k < 20; k++, cseq++) {
			uint32_t i = cseq % 7 ? cseq % 2000 : cseq % PHONES;
			size_t n = (size_t)sprintf(aor, "u%u@x", i);
			uint8_t before = s->squeeze.cur;

			s->squeeze.every = 1;
			make_of[i] = make + 1;
			cr_assert_eq(store_put(s, sl_mk(aor, n), SL("k"), 0,
					       cseq, T0 + 60000, odd_value(
					       make + 1, i, v), T0), 0);
			turns += s->squeeze.cur != before;
		}
	cr_assert_eq(turns, 2);
	for (uint32_t i = 0; i < PHONES; i++) {
		size_t n = (size_t)sprintf(aor, "u%u@x", i);

		cr_assert_eq(store_find(s, sl_mk(aor, n), SL("k"), T0, &c),
			     make_of[i] ? 0 : ENOENT);
		cr_assert(!make_of[i] || sl_eq(c.value, odd_value(make_of[i],
						i, v)), "phone %u", i);
	}
	for (int i = 0; i < SQUEEZE_DICTS; i++)
		refs += s->squeeze.dict[i].refs;
	cr_assert_eq(refs, store_stats(s)->records);
	store_free(s);
}
