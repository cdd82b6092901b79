/**
 * @file cur.h  Pure. Bounds-checked reader of big-endian binary data with a
 * sticky error. After an error every read gives 0 / an empty slice.
 */
#ifndef BASE_CUR_H
#define BASE_CUR_H

#include "base/buf.h"

struct cur {
	const uint8_t *p;
	size_t n;       /**< size of the input           */
	size_t pos;     /**< next byte to read           */
	int err;        /**< 0 or EBADMSG (read past end) */
};

void cur_init(struct cur *c, const void *p, size_t n);
size_t cur_left(const struct cur *c);
uint8_t cur_u8(struct cur *c);
uint16_t cur_u16(struct cur *c);
uint32_t cur_u32(struct cur *c);
uint64_t cur_u64(struct cur *c);
struct sl cur_bytes(struct cur *c, size_t n);    /**< borrowed */
/** u16 length, then that many bytes; longer than max is an error */
struct sl cur_sl16(struct cur *c, size_t max);

/* the writing half, into a struct buf */
void put_u8(struct buf *b, uint8_t v);
void put_u16(struct buf *b, uint16_t v);
void put_u32(struct buf *b, uint32_t v);
void put_u64(struct buf *b, uint64_t v);
/** u16 length + bytes; longer than 65535 sets err = ENOSPC */
void put_sl16(struct buf *b, struct sl s);

#endif
