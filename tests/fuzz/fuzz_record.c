/* fuzz_record.c - packed records and their join, against a slow join written
 * from docs/cluster-protocol.md 4.1. Input: two records, each u16 length and
 * bytes. */
#include <stdlib.h>
#include <string.h>
#include "base/cur.h"
#include "cluster/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* --- the slow join: all versions on one heap, then sorted ------------------------ */

static int order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int order_stamp(struct stamp a, struct stamp b)
{
	return a.t == b.t ? order(a.node, b.node) : order(a.t, b.t);
}

static int order_bytes(struct sl a, struct sl b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : order(a.n, b.n);
}

/* By the words of the document: cseq, then vstamp, then dead, has value, expires,
 * value, ext */
static int order_version(const struct rec_entry *a, const struct rec_entry *b)
{
	int by[7] = {
		order(a->cseq, b->cseq),
		order_stamp(a->vstamp, b->vstamp),
		order(a->dead, b->dead),
		order(a->has_value, b->has_value),
		order(a->expires, b->expires),
		order_bytes(a->value, b->value),
		order_bytes(a->ext, b->ext),
	};

	for (int i = 0; i < 7; i++)
		if (by[i])
			return by[i];
	return 0;
}

/* Falling (gstamp, lineage) */
static int order_place(const void *x, const void *y)
{
	const struct rec_entry *a = x, *b = y;
	int c = order_stamp(b->gstamp, a->gstamp);

	return c ? c : order(b->lineage, a->lineage);
}

static void slow_join(struct record *out, const struct record *a,
		      const struct record *b)
{
	struct rec_entry all[2 * REC_LINEAGES];
	size_t n = a->n;

	*out = *a;
	memcpy(all, a->e, a->n * sizeof(all[0]));
	for (uint8_t i = 0; i < b->n; i++) {
		const struct rec_entry *e = &b->e[i];
		struct rec_entry *mine = NULL;
		struct stamp g;

		for (size_t k = 0; k < a->n; k++)
			if (all[k].lineage == e->lineage)
				mine = &all[k];
		if (!mine) {
			all[n++] = *e;
			continue;
		}
		g = order_stamp(mine->gstamp, e->gstamp) < 0 ? e->gstamp :
			mine->gstamp;
		if (order_version(mine, e) < 0)
			*mine = *e;
		mine->gstamp = g;
	}
	qsort(all, n, sizeof(all[0]), order_place);
	out->n = (uint8_t)(n < REC_LINEAGES ? n : REC_LINEAGES);
	memcpy(out->e, all, out->n * sizeof(all[0]));
	if (order_stamp(out->kill, b->kill) < 0)
		out->kill = b->kill;
	if (out->hold < b->hold)
		out->hold = b->hold;
	if (order_bytes(out->ext, b->ext) < 0)
		out->ext = b->ext;
}

/* --- checks ------------------------------------------------------------------------ */

static void one_form(const struct record *r, struct sl in)
{
	struct buf b;

	buf_init(&b, 65536);
	record_encode(&b, r);
	check(b.err == 0 && sl_eq(buf_as_sl(&b), in));
	check(record_size(r) == b.n);
	buf_free(&b);
}

/* A join of two is a record: it packs, unless it is too long, and comes back
 * the same */
static void survives_packing(const struct record *r)
{
	struct record q;
	struct buf b;

	buf_init(&b, 1u << 20);
	record_encode(&b, r);
	check((b.err == 0) == (record_size(r) <= REC_SIZE_MAX));
	if (b.err == 0) {
		check(record_decode(&q, buf_as_sl(&b)) == 0);
		check(record_same(r, &q));
	}
	buf_free(&b);
}

static void joins(const struct record *a, const struct record *b)
{
	struct record x = *a, y = *b, want;
	bool changed = record_join(&x, b);

	slow_join(&want, a, b);
	check(record_same(&x, &want));
	check(changed == !record_same(&x, a));
	record_join(&y, a);
	check(record_same(&x, &y));
	y = x;
	check(!record_join(&y, &x));
	survives_packing(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct record r[2];
	struct cur c;
	int got = 0;

	cur_init(&c, p, n);
	for (int i = 0; i < 2; i++) {
		struct sl in = cur_sl16(&c, 65535);

		if (c.err || record_decode(&r[got], in))
			continue;
		one_form(&r[got], in);
		got++;
	}
	if (got == 2) {
		r[1].aor = r[0].aor;
		r[1].key = r[0].key;
		joins(&r[0], &r[1]);
	}
	return 0;
}
