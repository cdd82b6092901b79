/**
 * @file buf.h  Pure. The one checked writer. Errors are sticky: append freely,
 * look at err once at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/sl.h"

struct blobs;

struct buf {
	uint8_t *p;
	size_t n;      /**< used                                           */
	size_t cap;    /**< allocated, or size of the caller's memory      */
	size_t max;    /**< never grows beyond this [bytes]                */
	int err;       /**< 0, ENOSPC (max reached) or ENOMEM; sticky      */
	bool fixed;    /**< memory is the caller's: never freed or grown   */
};

/** Growable; nothing is allocated before the first byte */
void buf_init(struct buf *b, size_t max);
/** Writes into the caller's memory */
void buf_fixed(struct buf *b, void *mem, size_t size);
/** Frees what buf_init() made; leaves an empty buffer */
void buf_free(struct buf *b);
/** Keep the memory, forget content and error */
void buf_reset(struct buf *b);

/** buf_put() when there is no room yet: grows or sets err */
void buf_put_grow(struct buf *b, const void *p, size_t n);

static inline void buf_put(struct buf *b, const void *p, size_t n)
{
	if (!n)
		return;
	if (b->err || n > b->cap - b->n) {
		buf_put_grow(b, p, n);
		return;
	}
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static inline void buf_sl(struct buf *b, struct sl s)
{
	buf_put(b, s.p, s.n);
}

#define buf_lit(b, lit) buf_put((b), (lit), sizeof(lit) - 1)

static inline void buf_str(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

static inline void buf_chr(struct buf *b, char c)
{
	buf_put(b, &c, 1);
}

/** As text of an HTML page or in an attribute: markup is spelled out, a control
 *  character is a blank */
void buf_html(struct buf *b, const char *s);

/** "00" to "99" */
extern const char buf_pair[200];

/** The digits of v < 10000 at p, room for 4. @return how many */
static inline size_t buf_digits(uint8_t *p, unsigned v)
{
	uint8_t *q = p;

	if (v >= 1000) {
		memcpy(q, buf_pair + 2 * (v / 100), 2);
		q += 2;
	}
	else if (v >= 100) {
		*q++ = (uint8_t)('0' + v / 100);
	}
	else if (v < 10) {
		*q = (uint8_t)('0' + v);
		return 1;
	}
	memcpy(q, buf_pair + 2 * (v % 100), 2);
	return (size_t)(q - p) + 2;
}

/** Decimal */
void buf_u64(struct buf *b, uint64_t v);
/** Lower-case hex of bytes */
void buf_hex(struct buf *b, const void *p, size_t n);
/** printf, for admin output only (not per message) */
void buf_printf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/** Room for n bytes at the end, or NULL (err set); commit with b->n += used */
uint8_t *buf_room(struct buf *b, size_t n);

static inline struct sl buf_as_sl(const struct buf *b)
{
	return sl_mk(b->p, b->n);
}

/**
 * Immutable, counted bytes: a message kept for retransmission and shared by
 * every queue that sends it. One thread only.
 */
struct blob {
	struct blobs *from;  /**< whose memory, NULL = malloc()            */
	uint32_t ref;
	uint32_t n;          /**< length [bytes]                           */
	uint32_t cls;        /**< for blobs.c                              */
	uint8_t p[];
};

struct blob *blob_make(const void *p, size_t n);    /**< NULL: no memory */
/** Nobody holds b any more */
void blob_end(struct blob *b);

static inline struct blob *blob_ref(struct blob *b)
{
	if (b)
		b->ref++;
	return b;
}

/** NULL allowed */
static inline void blob_unref(struct blob *b)
{
	if (b && --b->ref == 0)
		blob_end(b);
}

static inline struct sl blob_sl(const struct blob *b)
{
	return b ? sl_mk(b->p, b->n) : SL_NONE;
}

#endif
