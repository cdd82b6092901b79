/* blobs.c - Pure. Counted bytes out of slabs. */
#include "base/blobs.h"
#include "base/slab.h"
#include <stdlib.h>

enum {
	STEP = 256,          /**< sizes are multiples of it [bytes]           */
	STEPS = 8,           /**< the largest is STEP * STEPS                 */
};

/* most messages have 300 to 1000 bytes */
static const uint8_t cls_of[STEPS] = { 0, 1, 2, 3, 4, 4, 5, 5 };
static const uint16_t cls_size[] = { 256, 512, 768, 1024, 1536, 2048 };
enum { CLASSES = sizeof(cls_size) / sizeof(cls_size[0]) };

struct blobs {
	struct slab cls[CLASSES];
	uint64_t live;
	bool closed;
};

struct blobs *blobs_alloc(void)
{
	struct blobs *bs = calloc(1, sizeof(*bs));

	for (size_t i = 0; bs && i < CLASSES; i++)
		slab_init(&bs->cls[i], cls_size[i]);
	return bs;
}

static void end(struct blobs *bs)
{
	for (size_t i = 0; i < CLASSES; i++)
		slab_close(&bs->cls[i]);
	free(bs);
}

void blobs_free(struct blobs *bs)
{
	if (!bs)
		return;
	bs->closed = true;
	if (!bs->live)
		end(bs);
}

const uint64_t *blobs_now(const struct blobs *bs)
{
	return &bs->live;
}

struct blob *blobs_room(struct blobs *bs, size_t n)
{
	const size_t head = offsetof(struct blob, p);
	struct blob *b;
	uint32_t cls;

	if (n > UINT32_MAX - sizeof(*b))
		return NULL;
	if (!bs || head + n > STEP * STEPS) {
		b = malloc(sizeof(*b) + n);
		if (!b)
			return NULL;
		b->from = NULL;
	}
	else {
		cls = cls_of[(head + n - 1) / STEP];
		b = slab_get(&bs->cls[cls]);
		if (!b)
			return NULL;
		b->from = bs;
		b->cls = cls;
		bs->live++;
	}
	b->ref = 1;
	b->n = (uint32_t)n;
	return b;
}

struct blob *blobs_make(struct blobs *bs, const void *p, size_t n)
{
	struct blob *b = blobs_room(bs, n);

	if (b && n)
		memcpy(b->p, p, n);
	return b;
}

void blobs_put(struct blobs *bs, struct blob *b)
{
	slab_put(&bs->cls[b->cls], b);
	if (!--bs->live && bs->closed)
		end(bs);
}
