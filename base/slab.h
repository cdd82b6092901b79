/**
 * @file slab.h  Pure. Objects of one size, cut from larger pieces: a free list
 * instead of malloc(), for what comes and goes with every message. Memory goes
 * back at the end only, so each user has a cap of his own.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slab {
	size_t size;         /**< of an object, a multiple of 16 [bytes]      */
	uint32_t per;        /**< objects per piece                           */
	uint32_t live;       /**< objects given out                           */
	void *free;          /**< objects given back                          */
	uint8_t *next;       /**< never used part of the newest piece         */
	uint8_t *end;        /**< its end                                     */
	void *pieces;
};

void slab_init(struct slab *s, size_t size);
/** Not zeroed. NULL: no memory */
void *slab_get(struct slab *s);
void slab_put(struct slab *s, void *obj);
/** All memory back, also of objects that are still given out */
void slab_close(struct slab *s);

#endif
