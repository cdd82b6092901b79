/* buf.c - Pure. Growing of the checked writer; counted bytes. */
#include "base/blobs.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST 256    /**< first allocation [bytes] */

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_fixed(struct buf *b, void *mem, size_t size)
{
	*b = (struct buf){ .p = mem, .cap = size, .max = size,
			   .fixed = true };
}

void buf_free(struct buf *b)
{
	size_t max = b->max;

	if (b->fixed) {
		b->n = 0;
		b->err = 0;
		return;
	}
	free(b->p);
	buf_init(b, max);
}

void buf_reset(struct buf *b)
{
	b->n = 0;
	b->err = 0;
}

/** Room for n more bytes; the size doubles, so that appending stays linear */
static bool grow(struct buf *b, size_t n)
{
	size_t cap;
	uint8_t *p;

	if (b->err)
		return false;
	if (n <= b->cap - b->n)
		return true;
	if (b->fixed || n > b->max || b->n > b->max - n) {
		b->err = ENOSPC;
		return false;
	}
	cap = b->cap ? b->cap : FIRST;
	while (cap - b->n < n)
		cap = cap > b->max / 2 ? b->max : cap * 2;
	if (cap > b->max)
		cap = b->max;
	p = realloc(b->p, cap);
	if (!p) {
		b->err = ENOMEM;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

void buf_put_grow(struct buf *b, const void *p, size_t n)
{
	if (!grow(b, n))
		return;
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

uint8_t *buf_room(struct buf *b, size_t n)
{
	return grow(b, n) ? b->p + b->n : NULL;
}

const char buf_pair[200] =
	"0001020304050607080910111213141516171819"
	"2021222324252627282930313233343536373839"
	"4041424344454647484950515253545556575859"
	"6061626364656667686970717273747576777879"
	"8081828384858687888990919293949596979899";

void buf_u64(struct buf *b, uint64_t v)
{
	char t[20];
	size_t i = sizeof(t);

	if (v < 10000 && !b->err && b->cap - b->n >= 4) {
		b->n += buf_digits(b->p + b->n, (unsigned)v);
		return;
	}
	for (; v >= 100; v /= 100) {
		i -= 2;
		memcpy(t + i, buf_pair + 2 * (v % 100), 2);
	}
	if (v >= 10) {
		i -= 2;
		memcpy(t + i, buf_pair + 2 * v, 2);
	}
	else {
		t[--i] = (char)('0' + v);
	}
	buf_put(b, t + i, sizeof(t) - i);
}

void buf_hex(struct buf *b, const void *p, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	const uint8_t *u = p;
	uint8_t *o;

	if (n > SIZE_MAX / 2) {
		b->err = b->err ? b->err : ENOSPC;
		return;
	}
	o = buf_room(b, 2 * n);
	if (!o)
		return;
	for (size_t i = 0; i < n; i++) {
		*o++ = (uint8_t)digit[u[i] >> 4];
		*o++ = (uint8_t)digit[u[i] & 15];
	}
	b->n += 2 * n;
}

void buf_html(struct buf *b, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '<': buf_lit(b, "&lt;"); break;
		case '>': buf_lit(b, "&gt;"); break;
		case '&': buf_lit(b, "&amp;"); break;
		case '"': buf_lit(b, "&quot;"); break;
		case '\'': buf_lit(b, "&#39;"); break;
		default: buf_chr(b, (uint8_t)*s < ' ' ? ' ' : *s);
		}
	}
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char t[512], *p = t;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t, sizeof(t), fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->err = b->err ? b->err : ENOMEM;
		return;
	}
	if ((size_t)n >= sizeof(t)) {
		p = malloc((size_t)n + 1);
		if (!p) {
			b->err = b->err ? b->err : ENOMEM;
			return;
		}
		va_start(ap, fmt);
		(void)vsnprintf(p, (size_t)n + 1, fmt, ap); /* as above */
		va_end(ap);
	}
	buf_put(b, p, (size_t)n);
	if (p != t)
		free(p);
}

struct blob *blob_make(const void *p, size_t n)
{
	return blobs_make(NULL, p, n);
}

void blob_end(struct blob *b)
{
	if (b->from)
		blobs_put(b->from, b);
	else
		free(b);
}
