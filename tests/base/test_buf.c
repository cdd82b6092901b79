#include <criterion/criterion.h>
#include <errno.h>
#include "base/buf.h"

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
