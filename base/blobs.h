/**
 * @file blobs.h  Pure. Where a program that makes many blobs gets them from: a
 * slab for each of a few sizes, malloc() for what is larger.
 */
#ifndef BASE_BLOBS_H
#define BASE_BLOBS_H

#include "base/buf.h"

struct blobs;

/** NULL: no memory */
struct blobs *blobs_alloc(void);
/** No further ones are made; the memory stays until the last one has gone */
void blobs_free(struct blobs *bs);
/** How many of up to 2 KiB live now: a gauge, as long as bs */
const uint64_t *blobs_now(const struct blobs *bs);
/** n bytes for the caller to fill. bs NULL: by malloc(). NULL: no memory */
struct blob *blobs_room(struct blobs *bs, size_t n);
/** The same with these bytes */
struct blob *blobs_make(struct blobs *bs, const void *p, size_t n);
/** For blob_unref(): b is of bs and nobody holds it */
void blobs_put(struct blobs *bs, struct blob *b);

#endif
