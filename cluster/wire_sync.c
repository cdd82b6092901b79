/* wire_sync.c - Pure. Messages of version 2: digests and ranges.
 * docs/cluster-protocol.md 5.8 to 5.12. */
#include <errno.h>
#include "cluster/tlv.h"
#include "cluster/wire.h"

/* --- lists --------------------------------------------------------------------- */

static uint16_t get_count(struct cur *c, uint16_t max)
{
	uint16_t n = cur_u16(c);

	if (n <= max)
		return n;
	c->err = EBADMSG;
	return 0;
}

struct sl wire_list(struct cur *c, uint16_t *n, uint16_t max, size_t size)
{
	*n = get_count(c, max);
	return cur_bytes(c, *n * size);
}

uint64_t wire_list_at(struct sl list, uint16_t i, size_t size)
{
	uint64_t v = 0;

	for (size_t k = i * size; k < (i + 1u) * size; k++)
		v = v << 8 | (uint8_t)list.p[k];
	return v;
}

struct sl wire_records(struct cur *c, uint16_t *n)
{
	size_t from;

	*n = get_count(c, WIRE_PUSH_RECORDS);
	from = c->pos;
	for (uint16_t i = 0; i < *n; i++)
		(void)cur_sl16(c, REC_SIZE_MAX);
	return sl_mk(c->p + from, c->pos - from);
}

bool wire_record_next(struct sl *records, uint16_t *n, struct sl *packed)
{
	struct cur c;

	if (*n == 0)
		return false;
	cur_init(&c, records->p, records->n);
	*packed = cur_sl16(&c, REC_SIZE_MAX);
	*records = sl_sub(*records, c.pos, records->n);
	--*n;
	return true;
}

/* --- ASK, DIGEST ----------------------------------------------------------------- */

static void put_ask(struct buf *b, const struct wire_ask *a)
{
	put_u32(b, a->round);
	put_u8(b, a->level);
	put_u8(b, a->group);
}

static int get_ask(struct wire_ask *a, struct cur *c)
{
	a->round = cur_u32(c);
	a->level = cur_u8(c);
	a->group = cur_u8(c);
	return c->err || a->level > 1 || (a->level == 0 && a->group) ?
		EBADMSG : 0;
}

void wire_ask_encode(struct buf *b, const struct wire_ask *a)
{
	size_t at = wire_begin(b, WIRE_ASK, WIRE_CONTROL);

	put_ask(b, a);
	wire_end(b, at);
}

int wire_ask_decode(struct wire_ask *a, struct sl p)
{
	struct cur c;

	cur_init(&c, p.p, p.n);
	return get_ask(a, &c) ? EBADMSG : wire_tail(&c);
}

void wire_digest_encode(struct buf *b, const struct wire_digest *d)
{
	size_t at = wire_begin(b, WIRE_DIGEST, WIRE_CONTROL);

	put_ask(b, &d->of);
	put_u64(b, d->records);
	for (int i = 0; i < WIRE_DIGESTS; i++)
		put_u64(b, d->d[i]);
	wire_end(b, at);
}

int wire_digest_decode(struct wire_digest *d, struct sl p)
{
	struct cur c;

	cur_init(&c, p.p, p.n);
	if (get_ask(&d->of, &c))
		return EBADMSG;
	d->records = cur_u64(&c);
	for (int i = 0; i < WIRE_DIGESTS; i++)
		d->d[i] = cur_u64(&c);
	return wire_tail(&c);
}

/* --- WANT ------------------------------------------------------------------------ */

static int get_range(struct cur *c, uint16_t *first, uint16_t *last)
{
	*first = cur_u16(c);
	*last = cur_u16(c);
	return c->err || *last < *first || *first >> 8 != *last >> 8 ?
		EBADMSG : 0;
}

void wire_want_encode(struct buf *b, const struct wire_want *w,
		      const uint64_t *known)
{
	size_t at = wire_begin(b, WIRE_WANT, WIRE_CONTROL);

	put_u32(b, w->round);
	put_u16(b, w->first);
	put_u16(b, w->last);
	put_u16(b, w->n);
	for (uint16_t i = 0; i < w->n; i++)
		put_u64(b, known[i]);
	wire_end(b, at);
}

int wire_want_decode(struct wire_want *w, struct sl p)
{
	struct cur c;

	cur_init(&c, p.p, p.n);
	w->round = cur_u32(&c);
	if (get_range(&c, &w->first, &w->last))
		return EBADMSG;
	w->known = wire_list(&c, &w->n, WIRE_KNOWN, 8);
	return wire_tail(&c);
}

uint64_t wire_want_known(const struct wire_want *w, uint16_t i)
{
	return wire_list_at(w->known, i, 8);
}

/* --- DATA ------------------------------------------------------------------------ */

size_t wire_data_begin(struct buf *b, uint32_t round)
{
	size_t at = wire_begin(b, WIRE_DATA, WIRE_BULK);

	put_u32(b, round);
	put_u16(b, 0);
	return at;
}

void wire_data_end(struct buf *b, size_t at, uint16_t n)
{
	if (b->err)
		return;
	b->p[at + WIRE_HEAD + 4] = (uint8_t)(n >> 8);
	b->p[at + WIRE_HEAD + 5] = (uint8_t)n;
	wire_end(b, at);
}

int wire_data_decode(struct wire_data *d, struct sl p)
{
	struct cur c;

	cur_init(&c, p.p, p.n);
	d->round = cur_u32(&c);
	d->records = wire_records(&c, &d->n);
	return wire_tail(&c);
}

bool wire_data_next(struct wire_data *d, struct sl *packed)
{
	return wire_record_next(&d->records, &d->n, packed);
}

/* --- DONE ------------------------------------------------------------------------ */

void wire_done_encode(struct buf *b, const struct wire_done *e,
			const uint16_t *unknown)
{
	size_t at = wire_begin(b, WIRE_DONE, WIRE_CONTROL);

	put_u32(b, e->round);
	put_u16(b, e->first);
	put_u16(b, e->last);
	put_u16(b, e->n);
	for (uint16_t i = 0; i < e->n; i++)
		put_u16(b, unknown[i]);
	wire_end(b, at);
}

int wire_done_decode(struct wire_done *e, struct sl p)
{
	struct cur c;

	cur_init(&c, p.p, p.n);
	e->round = cur_u32(&c);
	if (get_range(&c, &e->first, &e->last))
		return EBADMSG;
	e->unknown = wire_list(&c, &e->n, WIRE_KNOWN, 2);
	return wire_tail(&c);
}

uint16_t wire_done_unknown(const struct wire_done *e, uint16_t i)
{
	return (uint16_t)wire_list_at(e->unknown, i, 2);
}
