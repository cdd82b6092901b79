/**
 * @file heap.h  Pure. Blocks of the store, named by 32-bit handles: half the
 * size of a pointer, and links between records are most of what a record
 * costs. Pieces of 256 KiB hold blocks of one size; a piece without blocks
 * goes back to malloc() at once, all but one.
 */
#ifndef CLUSTER_HEAP_H
#define CLUSTER_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAP_UNIT 8              /**< sizes and places are multiples [bytes] */
#define HEAP_SHIFT 15            /**< low bits of a handle: unit in its piece */
#define HEAP_PIECES 131071u      /**< at most; handles from here on are free
				      for other uses                       */
#define HEAP_MAX 32768           /**< largest block [bytes]                */
#define HEAP_FINE 1024           /**< up to here a class for each multiple */
#define HEAP_CLASSES (HEAP_FINE / HEAP_UNIT + 1 + 5 * 8)

struct heap {
	uint8_t **piece;         /**< by number                             */
	uint32_t cap, n;         /**< places in it, places ever used        */
	uint32_t gap;            /**< first unused of these + 1; each holds the
				      next one, shifted and odd            */
	uint32_t room[HEAP_CLASSES];  /**< piece + 1 with room, per class   */
	uint32_t empty;          /**< piece + 1 kept without blocks, 0 none */
	uint64_t bytes;          /**< in blocks given out                   */
	uint64_t taken;          /**< from malloc(), room for more included */
	uint32_t spare;          /**< piece + 1, reserved ones              */
	uint32_t spares;
};

void heap_init(struct heap *h);
/** All memory back, also of blocks that are still given out */
void heap_close(struct heap *h);
/** A block of n bytes, at most HEAP_MAX, not zeroed.
 *  @return its handle, 0: no memory */
uint32_t heap_get(struct heap *h, size_t n);
void heap_put(struct heap *h, uint32_t block);
/** Size that a request for n bytes gets */
size_t heap_round(size_t n);
/** Size of a block */
size_t heap_size(const struct heap *h, uint32_t block);
/** The next `count` heap_get() of at most n bytes cannot fail.
 *  @return 0 or ENOMEM */
int  heap_reserve(struct heap *h, uint32_t count, size_t n);

static inline void *heap_at(const struct heap *h, uint32_t block)
{
	return h->piece[block >> HEAP_SHIFT] +
	       (block & ((1u << HEAP_SHIFT) - 1)) * (size_t)HEAP_UNIT;
}

#endif
