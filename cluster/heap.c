/* heap.c - Pure. Blocks named by handles. */
#include <errno.h>
#include <stdlib.h>
#include "base/poison.h"
#include "cluster/heap.h"

/* With malloc()'s own header it is 64 pages, no more */
#define PIECE ((1u << HEAP_SHIFT) * HEAP_UNIT - 16)

/* At the start of each piece. A piece that has room is in the list of its
 * class. A spare is a piece of one block. */
struct head {
	uint32_t size;           /* of a block [bytes]                     */
	uint32_t used;           /* blocks given out                       */
	uint32_t next, prev;     /* piece + 1                              */
	uint16_t free;           /* unit of a block given back, 0 = none   */
	uint16_t fresh;          /* first unit never used                  */
	uint32_t large;          /* taken for it as one block, once a spare; 0 = many */
	uint64_t pad;
};
#define HEAD (sizeof(struct head) / HEAP_UNIT)     /* [units] */

static struct head *head_of(const struct heap *h, uint32_t piece)
{
	return (struct head *)(void *)h->piece[piece];
}

static bool is_gap(const uint8_t *p)
{
	return (uintptr_t)p & 1;
}

/* Above HEAP_FINE eight classes for each doubling */
size_t heap_round(size_t n)
{
	size_t step = HEAP_UNIT;

	if (n > HEAP_FINE)
		step = (size_t)1 << (63 - __builtin_clzll(n - 1) - 3);
	return (n + step - 1) & ~(step - 1);
}

/* Of a size that heap_round() gave */
static uint32_t class_of(size_t size)
{
	uint32_t e;

	if (size <= HEAP_FINE)
		return (uint32_t)(size / HEAP_UNIT);
	e = 63 - (uint32_t)__builtin_clzll(size - 1);
	return HEAP_FINE / HEAP_UNIT + (e - 10) * 8 +
	       (uint32_t)((size - ((size_t)1 << e)) >> (e - 3));
}

size_t heap_size(const struct heap *h, uint32_t block)
{
	return head_of(h, block >> HEAP_SHIFT)->size;
}

void heap_init(struct heap *h)
{
	*h = (struct heap){ 0 };
}

void heap_close(struct heap *h)
{
	for (uint32_t i = 0; i < h->n; i++) {
		if (is_gap(h->piece[i]))
			continue;
		if (!head_of(h, i)->large)
			UNPOISON(h->piece[i], PIECE);
		free(h->piece[i]);
	}
	free(h->piece);
	heap_init(h);
}

/* --- pieces -------------------------------------------------------------------- */

/* A place in the table for one more. @return its number or HEAP_PIECES */
static uint32_t place(struct heap *h)
{
	uint32_t cap, i = h->gap - 1;
	uint8_t **t;

	if (h->gap) {
		h->gap = (uint32_t)((uintptr_t)h->piece[i] >> 1);
		return i;
	}
	if (h->n == h->cap) {
		cap = h->cap ? 2 * h->cap : 64;
		t = h->cap >= HEAP_PIECES ? NULL :
			realloc(h->piece, cap * sizeof(*t));
		if (!t)
			return HEAP_PIECES;
		h->piece = t;
		h->cap = cap;
	}
	return h->n < HEAP_PIECES ? h->n++ : HEAP_PIECES;
}

/* @return its number or HEAP_PIECES */
static uint32_t piece_new(struct heap *h, size_t bytes)
{
	uint8_t *p = malloc(bytes);
	uint32_t i = p ? place(h) : HEAP_PIECES;

	if (i == HEAP_PIECES) {
		free(p);
	} else {
		h->piece[i] = p;
		h->taken += bytes;
	}
	return i;
}

static void piece_free(struct heap *h, uint32_t i)
{
	struct head *p = head_of(h, i);

	h->taken -= p->large ? p->large : PIECE;
	if (!p->large)
		UNPOISON(p, PIECE);
	free(p);
	h->piece[i] = (uint8_t *)((uintptr_t)h->gap << 1 | 1);
	h->gap = i + 1;
}

static void list_add(struct heap *h, uint32_t i)
{
	struct head *p = head_of(h, i);
	uint32_t *first = &h->room[class_of(p->size)];

	p->prev = 0;
	p->next = *first;
	if (p->next)
		head_of(h, p->next - 1)->prev = i + 1;
	*first = i + 1;
}

static void list_del(struct heap *h, uint32_t i)
{
	struct head *p = head_of(h, i);

	if (p->prev)
		head_of(h, p->prev - 1)->next = p->next;
	else
		h->room[class_of(p->size)] = p->next;
	if (p->next)
		head_of(h, p->next - 1)->prev = p->prev;
}

/* A piece for blocks of this size. @return false: no memory */
static bool piece_for(struct heap *h, size_t size)
{
	uint32_t i = h->empty ? h->empty - 1 : piece_new(h, PIECE);
	struct head *p;

	if (i == HEAP_PIECES)
		return false;
	h->empty = 0;
	p = head_of(h, i);
	*p = (struct head){ .size = (uint32_t)size, .fresh = HEAD };
	POISON(p + 1, PIECE - sizeof(*p));
	list_add(h, i);
	return true;
}

/* --- blocks -------------------------------------------------------------------- */

static bool has_fresh(const struct head *p)
{
	return p->fresh * (size_t)HEAP_UNIT + p->size <= PIECE;
}

static uint32_t take(struct heap *h, uint32_t i)
{
	struct head *p = head_of(h, i);
	uint16_t unit = p->free;
	uint8_t *b;

	if (!unit) {
		unit = p->fresh;
		p->fresh += (uint16_t)(p->size / HEAP_UNIT);
	}
	b = h->piece[i] + unit * (size_t)HEAP_UNIT;
	UNPOISON(b, p->size);
	if (unit == p->free)
		p->free = *(uint16_t *)(void *)b;
	p->used++;
	if (!p->free && !has_fresh(p))
		list_del(h, i);
	h->bytes += p->size;
	return i << HEAP_SHIFT | unit;
}

/* A reserved block, cut to size when that can be done */
static uint32_t get_spare(struct heap *h, size_t size)
{
	uint32_t i = h->spare - 1, whole;
	uint8_t *small;

	if (!h->spare || head_of(h, i)->size < size)
		return 0;
	h->spare = head_of(h, i)->next;
	h->spares--;
	whole = head_of(h, i)->large;
	small = realloc(h->piece[i], sizeof(struct head) + size);
	if (small) {
		h->taken -= whole - (sizeof(struct head) + size);
		whole = (uint32_t)(sizeof(struct head) + size);
		h->piece[i] = small;
	}
	*head_of(h, i) = (struct head){ .size = (uint32_t)size, .used = 1,
					.large = whole };
	h->bytes += size;
	return i << HEAP_SHIFT | (uint32_t)HEAD;
}

uint32_t heap_get(struct heap *h, size_t n)
{
	size_t size = heap_round(n ? n : 1);
	uint32_t k;

	if (size > HEAP_MAX)
		return 0;
	k = class_of(size);
	if (!h->room[k] && !piece_for(h, size))
		return get_spare(h, size);
	return take(h, h->room[k] - 1);
}

void heap_put(struct heap *h, uint32_t block)
{
	uint32_t i = block >> HEAP_SHIFT;
	struct head *p = head_of(h, i);
	uint16_t unit = (uint16_t)(block & ((1u << HEAP_SHIFT) - 1));
	uint8_t *b = heap_at(h, block);

	h->bytes -= p->size;
	if (p->large) {
		piece_free(h, i);
		return;
	}
	if (!p->free && !has_fresh(p))
		list_add(h, i);
	*(uint16_t *)(void *)b = p->free;
	p->free = unit;
	POISON(b, p->size);
	if (--p->used)
		return;
	list_del(h, i);
	if (h->empty)
		piece_free(h, i);
	else
		h->empty = i + 1;
}

int heap_reserve(struct heap *h, uint32_t count, size_t n)
{
	size_t size = heap_round(n);

	while (h->spares < count) {
		uint32_t i = piece_new(h, sizeof(struct head) + size);

		if (i == HEAP_PIECES)
			return ENOMEM;
		*head_of(h, i) = (struct head){ .size = (uint32_t)size,
						.large = (uint32_t)(size +
							sizeof(struct head)),
						.next = h->spare };
		h->spare = i + 1;
		h->spares++;
	}
	return 0;
}
