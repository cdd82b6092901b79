/* test_keyset.c - The file of keys: what is read, what is refused, what stays
 * the same through a change of keys. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include "cluster/keyset.h"
#include "cluster/tls.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define C "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct keyset k;

static void init(void)
{
	cr_assert_eq(secret_init(), 0);
	memset(&k, 0x55, sizeof(k));
}

TestSuite(keyset, .init = init);

static void read_it(const char *text)
{
	const char *why;
	uint32_t line;

	cr_assert_eq(keyset_parse(&k, sl_cstr(text), &line, &why), 0, "%s",
		     why);
}

static void refused(const char *text, uint32_t at, const char *what)
{
	struct keyset was = k;
	const char *why;
	uint32_t line;

	cr_expect_eq(keyset_parse(&k, sl_cstr(text), &line, &why), EBADMSG,
		     "%s", text);
	cr_expect_str_eq(why, what);
	cr_expect_eq(line, at, "%s: line %u", text, line);
	cr_expect_eq(memcmp(&was, &k, sizeof(k)), 0, "changed");
}

Test(keyset, one_key_is_its_own_base)
{
	read_it("  " C "\r\n");
	cr_expect_eq(k.n, 1);
	cr_expect_eq(k.key[0][1], 0x23);
	cr_expect(keyset_is_base(&k, 0));
}

Test(keyset, the_first_of_two_is_the_base)
{
	read_it("# two\n\n" A "\n" B);
	cr_expect_eq(k.n, 2);
	cr_expect_eq(k.key[1][0], 0xbb);
	cr_expect(keyset_is_base(&k, 0));
	cr_expect(!keyset_is_base(&k, 1));
}

Test(keyset, a_base_that_is_said_is_it_wherever_it_stands)
{
	read_it("base\t" A "\n" B "\n" A "\n");
	cr_expect(!keyset_is_base(&k, 0));
	cr_expect(keyset_is_base(&k, 1));
	read_it(B "\nbase " A "\n");
	cr_expect_eq(k.n, 1);
	cr_expect_eq(k.base[0], 0xaa);
}

Test(keyset, other_files_are_refused_by_line)
{
	read_it(C);
	refused("", 0, "not a key");
	refused("# nothing\n", 0, "not a key");
	refused("base " A "\n", 0, "not a key");
	refused(A "\n" A "0\n", 2, "not a key");
	refused("x" A "\n", 1, "not a key");
	refused(A "\n" B "\n" C "\n", 3, "a third key");
	refused(A "\nbase " B "\nbase " B "\n", 3, "a second base");
	refused(A "\nbase abc\n", 2, "not a base");
	refused(A "\nbase" B "\n", 2, "not a key");
	refused(A "\n" A "\n", 2, "the same key twice");
	refused(A " " B "\n", 1, "not a key");
}

static void again(const char *text)
{
	struct keyset was;
	char mem[KEYSET_FILE];
	struct buf b;

	read_it(text);
	was = k;
	buf_fixed(&b, mem, sizeof(mem) - 1);
	keyset_text(&b, &k);
	cr_assert_eq(b.err, 0);
	mem[b.n] = 0;
	read_it(mem);
	cr_expect(keyset_equal(&was, &k), "%s -> %s", text, mem);
}

Test(keyset, what_is_written_is_read)
{
	again(A);
	again(A "\n" B);
	again(B "\n" A "\nbase " A);
	again(B "\nbase " A);
	again(B "\n" C "\nbase " A);
}

/* what the file has once the order is turned by hand is said in it */
Test(keyset, two_keys_are_written_with_their_base)
{
	char mem[KEYSET_FILE];
	struct buf b;

	read_it(A "\n" B);
	buf_fixed(&b, mem, sizeof(mem) - 1);
	keyset_text(&b, &k);
	mem[b.n] = 0;
	cr_expect(strstr(mem, "\nbase " A "\n"), "%s", mem);
	read_it(A);
	buf_reset(&b);
	keyset_text(&b, &k);
	mem[b.n] = 0;
	cr_expect_str_eq(mem, A "\n");
}

Test(keyset, sets_of_other_keys_order_or_base_differ)
{
	struct keyset was;

	read_it(A "\n" B);
	was = k;
	cr_expect(keyset_equal(&was, &k));
	read_it(B "\n" A);
	cr_expect(!keyset_equal(&was, &k));
	read_it(A);
	cr_expect(!keyset_equal(&was, &k));
	read_it(A "\n" B "\nbase " C);
	cr_expect(!keyset_equal(&was, &k));
}

Test(keyset, a_name_tells_a_key_and_has_nothing_of_it)
{
	char a[KEYSET_NAME], b[KEYSET_NAME];

	read_it(A "\n" B);
	keyset_name(a, k.key[0]);
	keyset_name(b, k.key[1]);
	cr_expect_eq(strlen(a), 16);
	cr_expect_str_neq(a, b);
	cr_expect(!strstr(a, "aaaa"), "%s", a);
}

/* nodes that know one identity only understand a key that never changed */
Test(keyset, the_base_goes_by_the_old_identity)
{
	struct tls_keys t;
	char name[KEYSET_NAME];

	read_it(B "\n" A "\nbase " A);
	tls_keys(&t, &k);
	cr_expect_str_eq(t.k[1].id, "edgewise-cluster-1");
	keyset_name(name, k.key[0]);
	cr_expect(!strncmp(t.k[0].id, "edgewise-cluster-1/", 19));
	cr_expect_str_eq(t.k[0].id + 19, name);
}
