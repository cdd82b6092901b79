/* cur.c - Pure. Big-endian reader and writer. */
#include "base/cur.h"
#include <endian.h>
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

uint8_t cur_u8(struct cur *c)
{
	const uint8_t *p = take(c, 1);

	return p ? *p : 0;
}

uint16_t cur_u16(struct cur *c)
{
	const uint8_t *p = take(c, 2);
	uint16_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

uint32_t cur_u32(struct cur *c)
{
	const uint8_t *p = take(c, 4);
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

uint64_t cur_u64(struct cur *c)
{
	const uint8_t *p = take(c, 8);
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, sizeof(v));
	return be64toh(v);
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

void put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, &v, 1);
}

void put_u16(struct buf *b, uint16_t v)
{
	v = htobe16(v);
	buf_put(b, &v, sizeof(v));
}

void put_u32(struct buf *b, uint32_t v)
{
	v = htobe32(v);
	buf_put(b, &v, sizeof(v));
}

void put_u64(struct buf *b, uint64_t v)
{
	v = htobe64(v);
	buf_put(b, &v, sizeof(v));
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
