/* test_heap.c - blocks by handle. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <criterion/criterion.h>
#include "base/rng.h"
#include "cluster/heap.h"
#include "mem.h"

#define N 20000

static size_t size_of(struct rng *r)
{
	uint32_t k = rng_below(r, 100);

	if (k < 90)
		return 1 + rng_below(r, 400);
	return 1 + rng_below(r, k < 99 ? 3000 : HEAP_MAX);
}

static void paint(const struct heap *h, uint32_t b, size_t n, uint32_t i)
{
	uint8_t *p = heap_at(h, b);

	memset(p, (int)(i & 255), n);
	memcpy(p, &i, n < 4 ? n : 4);
}

static bool painted(const struct heap *h, uint32_t b, size_t n, uint32_t i)
{
	const uint8_t *p = heap_at(h, b);

	if (memcmp(p, &i, n < 4 ? n : 4))
		return false;
	for (size_t k = 4; k < n; k++)
		if (p[k] != (i & 255))
			return false;
	return true;
}

Test(heap, no_two_blocks_share_a_byte)
{
	static uint32_t b[N];
	static size_t n[N];
	uint64_t bytes = 0;
	struct heap h;
	struct rng r;

	heap_init(&h);
	rng_seed(&r, 1);
	for (uint32_t t = 0; t < 4 * N; t++) {
		uint32_t i = rng_below(&r, N);

		if (b[i]) {
			cr_assert(painted(&h, b[i], n[i], i));
			heap_put(&h, b[i]);
			b[i] = 0;
			continue;
		}
		n[i] = size_of(&r);
		b[i] = heap_get(&h, n[i]);
		cr_assert_neq(b[i], 0);
		cr_assert_eq(heap_size(&h, b[i]), heap_round(n[i]));
		paint(&h, b[i], n[i], i);
	}
	for (uint32_t i = 0; i < N; i++) {
		if (!b[i])
			continue;
		cr_assert(painted(&h, b[i], n[i], i));
		bytes += heap_round(n[i]);
	}
	cr_assert_eq(h.bytes, bytes);
	heap_close(&h);
}

Test(heap, a_block_wastes_an_eighth_at_most)
{
	for (size_t n = 1; n <= HEAP_MAX; n++) {
		size_t size = heap_round(n);

		cr_assert(size >= n && size % HEAP_UNIT == 0);
		cr_assert_leq(size - n, n <= HEAP_FINE ? 7 : n / 8);
		cr_assert_eq(heap_round(size), size);
	}
}

static uint32_t pieces(const struct heap *h)
{
	uint32_t n = h->n;

	for (uint32_t i = h->gap; i; n--)
		i = (uint32_t)((uintptr_t)h->piece[i - 1] >> 1);
	return n;
}

Test(heap, pieces_without_blocks_go_back)
{
	static uint32_t b[N];
	struct heap h;
	uint32_t most;

	heap_init(&h);
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < N; i++)
			b[i] = heap_get(&h, 100 + i % 5 * 100);
		most = pieces(&h);
		cr_assert_gt(most, 20);
		for (uint32_t i = 0; i < N; i++)
			heap_put(&h, b[i]);
		cr_assert_eq(h.bytes, 0);
		cr_assert_leq(pieces(&h), 1);
		cr_assert_leq(h.n, most, "places are used again");
	}
	heap_close(&h);
}

Test(heap, a_freed_block_is_the_next_one_given)
{
	struct heap h;
	uint32_t a, b;

	heap_init(&h);
	a = heap_get(&h, 64);
	b = heap_get(&h, 64);
	heap_put(&h, a);
	cr_assert_eq(heap_get(&h, 60), a);
	cr_assert_neq(a, b);
	heap_close(&h);
}

Test(heap, gaps_are_filled_before_a_new_piece_is_made)
{
	static uint32_t b[N];
	struct heap h;
	uint32_t most;

	heap_init(&h);
	for (uint32_t i = 0; i < N; i++)
		b[i] = heap_get(&h, 200);
	most = pieces(&h);
	for (int round = 0; round < 5; round++) {
		for (uint32_t i = 0; i < N; i += 2)
			heap_put(&h, b[i]);
		for (uint32_t i = 0; i < N; i += 2)
			b[i] = heap_get(&h, 200);
	}
	cr_assert_eq(pieces(&h), most);
	heap_close(&h);
}

Test(heap, more_than_the_largest_is_refused)
{
	struct heap h;

	heap_init(&h);
	cr_assert_neq(heap_get(&h, HEAP_MAX), 0);
	cr_assert_eq(heap_get(&h, HEAP_MAX + 1), 0);
	heap_close(&h);
}

/* Cut to size or not: what was taken is given back in full */
Test(heap, a_spare_gives_back_all_that_was_taken_for_it)
{
	struct heap h;
	uint32_t b[2];

	heap_init(&h);
	cr_assert_eq(heap_reserve(&h, 2, 16000), 0);
	cr_assert_geq(h.taken, 32000);
	mem_left = 0;
	b[0] = heap_get(&h, 2000);
	mem_left = -1;
	cr_assert_neq(b[0], 0);
	cr_assert_geq(h.taken, 32000, "realloc() failed, too");
	heap_put(&h, b[0]);
	cr_assert_eq(h.spares, 1);
	/* one realloc(), no piece: malloc() for that one fails first */
	mem_large_fail = true;
	b[1] = heap_get(&h, 2000);
	mem_large_fail = false;
	cr_assert_neq(b[1], 0);
	cr_assert_lt(h.taken, 3000);
	heap_put(&h, b[1]);
	cr_assert_eq(h.taken, 0);
	cr_assert_eq(h.bytes, 0);
	heap_close(&h);
}
