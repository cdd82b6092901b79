/* cur.c - Pure. Big-endian reader and writer. */
#include "base/cur.h"
#include <errno.h>

void cur_init(struct cur *c, const void *p, size_t n)
{
	*c = (struct cur){ .p = p, .n = n };
}

size_t cur_left(const struct cur *c)
{
	return c->err ? 0 : c->n - c->pos;
}

static const uint8_t *take(struct cur *c, size_t n)
{
	const uint8_t *p;

	if (n > cur_left(c) || c->err) {
		c->err = EBADMSG;
		return NULL;
	}
	p = c->p + c->pos;
	c->pos += n;
	return p;
}

static uint64_t take_be(struct cur *c, size_t n)
{
	const uint8_t *p = take(c, n);
	uint64_t v = 0;

	for (size_t i = 0; p && i < n; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t cur_u8(struct cur *c)
{
	return (uint8_t)take_be(c, 1);
}

uint16_t cur_u16(struct cur *c)
{
	return (uint16_t)take_be(c, 2);
}

uint32_t cur_u32(struct cur *c)
{
	return (uint32_t)take_be(c, 4);
}

uint64_t cur_u64(struct cur *c)
{
	return take_be(c, 8);
}

struct sl cur_bytes(struct cur *c, size_t n)
{
	const uint8_t *p = n ? take(c, n) : NULL;

	return p ? sl_mk(p, n) : SL("");
}

struct sl cur_sl16(struct cur *c, size_t max)
{
	size_t n = cur_u16(c);

	if (n > max) {
		c->err = EBADMSG;
		return SL("");
	}
	return cur_bytes(c, n);
}

static void put_be(struct buf *b, uint64_t v, size_t n)
{
	uint8_t t[8];

	for (size_t i = 0; i < n; i++)
		t[i] = (uint8_t)(v >> 8 * (n - 1 - i));
	buf_put(b, t, n);
}

void put_u8(struct buf *b, uint8_t v)
{
	put_be(b, v, 1);
}

void put_u16(struct buf *b, uint16_t v)
{
	put_be(b, v, 2);
}

void put_u32(struct buf *b, uint32_t v)
{
	put_be(b, v, 4);
}

void put_u64(struct buf *b, uint64_t v)
{
	put_be(b, v, 8);
}

void put_sl16(struct buf *b, struct sl s)
{
	if (s.n > 65535) {
		b->err = b->err ? b->err : ENOSPC;
		return;
	}
	put_u16(b, (uint16_t)s.n);
	buf_sl(b, s);
}
