#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include "base/blobs.h"
#include "base/slab.h"

Test(buf, grows_by_doubling_and_keeps_content)
{
	struct buf b;
	unsigned grown = 0;
	size_t cap = 0;

	buf_init(&b, 1 << 20);
	for (int i = 0; i < 100000; i++) {
		buf_chr(&b, (char)('a' + i % 26));
		grown += b.cap != cap;
		cap = b.cap;
	}
	cr_assert_eq(b.err, 0);
	cr_assert_eq(b.n, 100000);
	cr_assert_leq(grown, 12);
	for (int i = 0; i < 100000; i++)
		cr_assert_eq(b.p[i], 'a' + i % 26);
	buf_free(&b);
	cr_assert_eq(b.cap, 0);
}

Test(buf, error_at_max_is_sticky_until_reset)
{
	struct buf b;

	buf_init(&b, 300);
	buf_room(&b, 300);
	cr_assert_eq(b.err, 0);
	b.n += 299;
	buf_lit(&b, "ab");
	cr_assert_eq(b.err, ENOSPC);
	buf_lit(&b, "c");
	cr_assert_eq(b.n, 299, "written after an error");
	buf_reset(&b);
	buf_lit(&b, "c");
	cr_assert_eq(b.err, 0);
	cr_assert_eq(b.n, 1);
	buf_free(&b);
}

Test(buf, fixed_memory_is_filled_exactly_and_never_passed)
{
	char m[8] = "-------";
	struct buf b;

	buf_fixed(&b, m, 4);
	buf_lit(&b, "abcd");
	cr_assert_eq(b.err, 0);
	buf_chr(&b, 'e');
	cr_assert_eq(b.err, ENOSPC);
	cr_assert_str_eq(m, "abcd---");
}

Test(buf, writes_numbers_hex_and_printf)
{
	struct buf b;
	char big[700];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	buf_init(&b, 4096);
	buf_u64(&b, 0);
	buf_chr(&b, ' ');
	buf_u64(&b, UINT64_MAX);
	buf_chr(&b, ' ');
	buf_hex(&b, "\x00\xff\x1a", 3);
	buf_printf(&b, " %d", -5);
	cr_assert(sl_eq(buf_as_sl(&b),
			SL("0 18446744073709551615 00ff1a -5")));
	buf_reset(&b);
	buf_printf(&b, "%s", big);
	cr_assert_eq(b.n, 699);
	buf_free(&b);
}

Test(buf, huge_sizes_do_not_wrap)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	buf_chr(&b, 'a');
	cr_assert_null(buf_room(&b, SIZE_MAX));
	cr_assert_eq(b.err, ENOSPC);
	buf_free(&b);
}

Test(blob, lives_until_the_last_reference)
{
	struct blob *b = blob_make("abc", 3), *c = blob_ref(b);

	blob_unref(b);
	cr_assert(sl_eq(blob_sl(c), SL("abc")));
	blob_unref(c);
	blob_unref(NULL);
	cr_assert_not(sl_isset(blob_sl(NULL)));
}

Test(buf, numbers_of_every_length)
{
	char want[24];
	struct buf b;

	buf_init(&b, 64);
	for (uint64_t v = 1; v < UINT64_MAX / 11; v *= 10) {
		for (uint64_t k = 0; k < 11; k++) {
			buf_reset(&b);
			buf_u64(&b, v * k + k);
			(void)snprintf(want, sizeof(want), "%llu",
				       (unsigned long long)(v * k + k));
			cr_assert(sl_eq(buf_as_sl(&b), sl_cstr(want)));
		}
	}
	buf_free(&b);
}

Test(slab, gives_back_what_it_was_given_and_never_twice)
{
	enum { N = 5000 };
	static uint8_t *v[N];
	struct slab s;

	slab_init(&s, 40);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < N; i++) {
			v[i] = slab_get(&s);
			cr_assert_not_null(v[i]);
			cr_assert_eq((uintptr_t)v[i] % 16, 0);
			memset(v[i], i % 256, 40);
		}
		cr_assert_eq(s.live, N);
		for (int i = 0; i < N; i++) {
			for (int k = 0; k < 40; k++)
				cr_assert_eq(v[i][k], i % 256);
		}
		for (int i = N; i--;)
			slab_put(&s, v[i]);
		cr_assert_eq(s.live, 0);
	}
	slab_close(&s);
	/* larger than a piece */
	slab_init(&s, 100000);
	v[0] = slab_get(&s);
	v[1] = slab_get(&s);
	memset(v[0], 1, 100000);
	memset(v[1], 2, 100000);
	cr_assert_eq(v[0][99999], 1);
	slab_close(&s);
}

Test(blob, of_every_size_and_longer_than_where_it_came_from)
{
	struct blobs *bs = blobs_alloc();
	struct blob *b[64];
	char txt[64 * 50];

	cr_assert_not_null(bs);
	for (int i = 0; i < 64; i++) {
		memset(txt, 'a' + i % 26, sizeof(txt));
		b[i] = blobs_make(bs, txt, (size_t)i * 50);
		cr_assert_not_null(b[i]);
	}
	blobs_free(bs);
	for (int i = 0; i < 64; i++) {
		cr_assert_eq(b[i]->n, (uint32_t)i * 50);
		for (uint32_t k = 0; k < b[i]->n; k++)
			cr_assert_eq(b[i]->p[k], 'a' + i % 26);
		blob_unref(b[i]);
	}
	blobs_free(blobs_alloc());
	blobs_free(NULL);
	cr_assert_null(blobs_room(NULL, SIZE_MAX));
}
