/* test_record.c - the join's laws, and the packed form. */
#include <errno.h>
#include <stdio.h>
#include <criterion/criterion.h>
#include "base/rng.h"
#include "cluster/record.h"

#define WALL 1700000000000ull

/* Few values, so that equal stamps, equal cseqs and dead/alive twins are
 * common */
static struct stamp any_stamp(struct rng *r)
{
	return (struct stamp){ (WALL << 16) + rng_below(r, 4),
			       1 + rng_below(r, 2) };
}

static struct sl any_value(struct rng *r)
{
	static const char *const v[] = { "", "a", "b", "ab" };

	return sl_cstr(v[rng_below(r, 4)]);
}

static void any_record(struct rng *r, struct record *rec, uint32_t lineages)
{
	struct record one;

	memset(rec, 0, sizeof(*rec));
	rec->aor = SL("a");
	rec->key = SL("k");
	for (uint32_t n = 1 + rng_below(r, 3); n > 0; n--) {
		struct rec_entry *e = &one.e[0];

		memset(&one, 0, sizeof(one));
		one.n = 1;
		e->lineage = rng_below(r, lineages) << 8;
		e->cseq = rng_below(r, 3);
		e->dead = rng_below(r, 3) == 0;
		e->vstamp = any_stamp(r);
		e->gstamp = stamp_max(e->vstamp, any_stamp(r));
		e->has_value = !e->dead && rng_below(r, 4);
		e->expires = e->dead ? 0 : WALL + rng_below(r, 3);
		e->value = e->has_value ? any_value(r) : SL_NONE;
		record_join(rec, &one);
	}
	if (rng_below(r, 2))
		rec->kill = any_stamp(r);
	rec->hold = rng_below(r, 3) ? WALL + rng_below(r, 3) : 0;
	if (rng_below(r, 4) == 0)
		rec->ext = SL("\0\7\0\0\0\1x");
}

static struct record join(const struct record *a, const struct record *b)
{
	struct record r = *a;
	bool changed = record_join(&r, b);

	cr_assert_eq(changed, !record_same(&r, a));
	return r;
}

Test(record, join_is_commutative_associative_idempotent)
{
	struct rng r;
	struct record a, b, c, x, y;

	rng_seed(&r, 42);
	for (int i = 0; i < 300000; i++) {
		any_record(&r, &a, REC_LINEAGES);
		any_record(&r, &b, REC_LINEAGES);
		any_record(&r, &c, REC_LINEAGES);
		x = join(&a, &b);
		y = join(&b, &a);
		cr_assert(record_same(&x, &y), "commutative, case %d", i);
		x = join(&x, &c);
		y = join(&b, &c);
		y = join(&a, &y);
		cr_assert(record_same(&x, &y), "associative, case %d", i);
		y = join(&x, &a);
		cr_assert(record_same(&x, &y), "absorbs, case %d", i);
		y = join(&x, &x);
		cr_assert(record_same(&x, &y), "idempotent, case %d", i);
	}
}

/* Pruning at one time is the same before and after a join, as far as what is
 * shown goes: two nodes that prune at different moments show the same. */
Test(record, what_is_shown_does_not_depend_on_when_it_was_pruned)
{
	struct rng r;
	struct record a, b, x, y;
	const struct rec_entry *e, *f;

	rng_seed(&r, 43);
	for (int i = 0; i < 200000; i++) {
		uint64_t w = WALL + rng_below(&r, 3);

		any_record(&r, &a, 3);
		any_record(&r, &b, 3);
		/* real records are held as long as any contact lives */
		a.hold = b.hold = WALL + 3;
		x = join(&a, &b);
		record_prune(&a, w, 1000);
		record_prune(&b, w, 1000);
		y = join(&a, &b);
		e = record_visible(&x, w);
		f = record_visible(&y, w);
		cr_assert_eq(e == NULL, f == NULL, "case %d", i);
		cr_assert(!e || (e->lineage == f->lineage &&
				 e->cseq == f->cseq &&
				 sl_eq(e->value, f->value)), "case %d", i);
	}
}

Test(record, beyond_the_limit_the_oldest_lineage_is_dropped)
{
	struct record r = { .aor = SL("a"), .key = SL("k") }, one;

	for (uint64_t i = 1; i <= REC_LINEAGES + 3; i++) {
		memset(&one, 0, sizeof(one));
		one.n = 1;
		one.e[0] = (struct rec_entry){ .lineage = i << 8,
			.vstamp = { i, 1 }, .gstamp = { i, 1 },
			.expires = WALL };
		cr_assert(record_join(&r, &one));
	}
	cr_assert_eq(r.n, REC_LINEAGES);
	cr_assert_eq(r.e[0].vstamp.t, REC_LINEAGES + 3);
	cr_assert_eq(r.e[REC_LINEAGES - 1].vstamp.t, 4);
	one.e[0].lineage = 0x9900;
	one.e[0].vstamp.t = one.e[0].gstamp.t = 2;
	cr_assert_not(record_join(&r, &one));
}

static struct rec_entry at(uint64_t lineage, uint32_t cseq, uint64_t t)
{
	return (struct rec_entry){ .lineage = lineage << 8, .cseq = cseq,
		.vstamp = { t, 1 }, .gstamp = { t, 1 }, .expires = WALL };
}

/* The sixth lineage of the other record is newer than our oldest, which the
 * other one has, too, in an older version with a larger stamp */
Test(record, a_lineage_meets_its_other_half_before_any_gives_way)
{
	struct record r = { .aor = SL("a"), .key = SL("k"), .n = 5 };
	struct record q = { .aor = SL("a"), .key = SL("k"), .n = 2 };

	for (uint8_t i = 0; i < 5; i++)
		r.e[i] = at(i + 1u, 9, 50u - 10u * i);
	q.e[0] = at(6, 1, 60);
	q.e[1] = at(5, 8, 45);
	cr_assert(record_join(&r, &q));
	cr_assert_eq(r.n, 5);
	for (uint8_t i = 0; i < 5; i++)
		if (r.e[i].lineage == 5 << 8)
			cr_assert_eq(r.e[i].cseq, 9);
	cr_assert_eq(r.e[2].lineage, 5 << 8);
	cr_assert_eq(r.e[4].lineage, 3 << 8);
}

/* --- packed form ------------------------------------------------------------------ */

static struct record sample(void)
{
	struct record r = { .aor = SL("sip:a@x"), .key = SL("K"),
		.kill = { 0x10001, 2 }, .hold = 0x1122, .n = 2 };

	r.e[0] = (struct rec_entry){ .lineage = 0xab00, .cseq = 7,
		.has_value = true, .vstamp = { 0x20000, 1 },
		.gstamp = { 0x30000, 2 }, .expires = 0x3344,
		.value = SL("val"), .ext = SL("\0\7\0\0\0\1x") };
	r.e[1] = (struct rec_entry){ .lineage = 0xcd00, .cseq = 9,
		.dead = true, .vstamp = { 0x10000, 1 },
		.gstamp = { 0x10000, 1 } };
	return r;
}

/* docs/cluster-protocol.md 3.3, byte by byte */
static const uint8_t golden[] = {
	0x00, 0x07, 0x00, 0x01, 's', 'i', 'p', ':', 'a', '@', 'x', 'K',
	0x01, 0, 0, 0, 0, 0, 0, 0x11, 0x22,
	0, 0, 0, 0, 0, 0x01, 0x00, 0x01, 0, 0, 0, 0, 0, 0, 0, 2,
	0x02,
	0x0e, 0, 0, 0, 0, 0, 0, 0xab, 0x00, 0, 0, 0, 7,
	0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	0, 0, 0, 0, 0, 0x03, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
	0, 0, 0, 0, 0, 0, 0x33, 0x44,
	0, 3, 'v', 'a', 'l', 0, 7, 0, 7, 0, 0, 0, 1, 'x',
	0x01, 0, 0, 0, 0, 0, 0, 0xcd, 0x00, 0, 0, 0, 9,
	0, 0, 0, 0, 0, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
};

Test(record, packs_to_the_bytes_of_the_document)
{
	struct record r = sample(), q;
	struct buf b;

	buf_init(&b, 65536);
	record_encode(&b, &r);
	cr_assert_eq(b.err, 0);
	cr_assert_eq(b.n, sizeof(golden));
	cr_assert_arr_eq(b.p, golden, sizeof(golden));
	cr_assert_eq(record_size(&r), sizeof(golden));
	cr_assert_eq(record_decode(&q, sl_mk(golden, sizeof(golden))), 0);
	cr_assert(record_same(&r, &q));
	cr_assert(sl_eq(q.aor, r.aor) && sl_eq(q.key, r.key));
	buf_free(&b);
}

Test(record, every_truncation_is_refused)
{
	struct record q;

	for (size_t n = 0; n < sizeof(golden); n++) {
		/* own memory of exactly n bytes: a read past it is found */
		char *p = malloc(n + 1);

		memcpy(p, golden, n);
		cr_assert_eq(record_decode(&q, sl_mk(p, n)), EBADMSG,
			     "at %zu", n);
		free(p);
	}
}

Test(record, nonsense_is_refused)
{
	struct record q;
	uint8_t p[sizeof(golden) + 1];
	static const struct { size_t at; uint8_t to; } bad[] = {
		{ 1, 0 },          /* no AoR                     */
		{ 0, 0x03 },       /* AoR longer than allowed    */
		{ 12, 0x81 },      /* unknown record flag        */
		{ 37, 0 },         /* no entries                 */
		{ 37, 6 },         /* too many                   */
		{ 38, 0x1e },      /* unknown entry flag         */
		{ 38, 0x0f },      /* dead with a value          */
		{ 72, 1 },         /* gstamp below vstamp        */
		{ 98, 0x80 },      /* TLV that must be understood */
		{ 112, 0xab },     /* the same lineage twice     */
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memcpy(p, golden, sizeof(golden));
		p[bad[i].at] = bad[i].to;
		cr_assert_eq(record_decode(&q, sl_mk(p, sizeof(golden))),
			     EBADMSG, "case %zu", i);
	}
	memcpy(p, golden, sizeof(golden));
	p[sizeof(golden)] = 0;
	cr_assert_eq(record_decode(&q, sl_mk(p, sizeof(p))), EBADMSG);
}

Test(record, unknown_fields_travel_with_their_version)
{
	struct record r = sample(), one = { .n = 1 };

	one.e[0] = r.e[0];
	one.e[0].cseq++;
	one.e[0].ext = SL_NONE;
	cr_assert(record_join(&r, &one));
	cr_assert_eq(r.e[0].ext.n, 0);
	r = sample();
	one.e[0].cseq -= 2;
	cr_assert_not(record_join(&r, &one));
	cr_assert_eq(r.e[0].ext.n, 7);
}

Test(stamp, never_goes_back_with_the_clock)
{
	struct hlc h;
	struct stamp a, b;

	hlc_init(&h, 1);
	a = hlc_next(&h, WALL);
	b = hlc_next(&h, WALL - 100000);
	cr_assert_lt(stamp_cmp(a, b), 0);
	for (int i = 0; i < 70000; i++) {       /* the counter runs over */
		a = b;
		b = hlc_next(&h, WALL);
		cr_assert_lt(stamp_cmp(a, b), 0);
	}
}

Test(stamp, is_later_than_every_one_seen)
{
	struct hlc h;
	struct stamp a = { (WALL + 59000) << 16, 9 }, b;

	hlc_init(&h, 1);
	cr_assert_eq(hlc_see(&h, a, WALL), 0);
	b = hlc_next(&h, WALL);
	cr_assert_gt(stamp_cmp(b, a), 0);
	a.t = (WALL + 130000) << 16;
	cr_assert_eq(hlc_see(&h, a, WALL), ERANGE);
	cr_assert_lt(stamp_cmp(hlc_next(&h, WALL), a), 0);
}

Test(stamp, equal_times_are_ordered_by_node)
{
	struct stamp a = { 5, 1 }, b = { 5, 2 };

	cr_assert_lt(stamp_cmp(a, b), 0);
	cr_assert_eq(stamp_cmp(a, a), 0);
	cr_assert_eq(stamp_max(a, b).node, 2);
}
