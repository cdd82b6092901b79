#include <criterion/criterion.h>
#include <errno.h>
#include "ctl/passwd.h"

static const char text[] =
	"# users\n"
	"\n"
	"alice@example.com:11111111111111111111111111111111\n"
	"  bob@Example.com:22222222222222222222222222222222:33  \n"
	"# the end";

static int edit(struct buf *b, enum passwd_op op, const char *aor)
{
	buf_init(b, 10000);
	return passwd_edit(b, sl_mk(text, sizeof(text) - 1), op, sl_cstr(aor),
			   SL("NEW"));
}

Test(passwd, adds_at_the_end_and_keeps_every_other_byte)
{
	struct buf b;

	cr_assert_eq(edit(&b, PASSWD_ADD, "carol@example.com"), 0);
	cr_assert_eq(b.n, sizeof(text) - 1 + 5);
	cr_assert_eq(memcmp(b.p, text, sizeof(text) - 1), 0);
	cr_assert_eq(memcmp(b.p + sizeof(text) - 1, "\nNEW\n", 5), 0);
	buf_free(&b);
}

Test(passwd, changes_and_removes_one_line)
{
	struct buf b;

	cr_assert_eq(edit(&b, PASSWD_SET, "bob@example.com"), 0);
	cr_assert(sl_eq(buf_as_sl(&b), SL("# users\n\n"
		"alice@example.com:11111111111111111111111111111111\n"
		"NEW\n# the end")));
	buf_free(&b);
	cr_assert_eq(edit(&b, PASSWD_DEL, "alice@EXAMPLE.com"), 0);
	cr_assert(sl_eq(buf_as_sl(&b), SL("# users\n\n"
		"  bob@Example.com:22222222222222222222222222222222:33  \n"
		"# the end")));
	buf_free(&b);
}

Test(passwd, says_who_is_there_and_who_is_not)
{
	struct buf b;

	cr_assert_eq(edit(&b, PASSWD_ADD, "bob@example.com"), EEXIST);
	buf_free(&b);
	cr_assert_eq(edit(&b, PASSWD_SET, "x@example.com"), ENOENT);
	buf_free(&b);
	cr_assert_eq(edit(&b, PASSWD_DEL, "Alice@example.com"), ENOENT,
		     "the user part counts letters' case");
	buf_free(&b);
}

Test(passwd, lists_names_without_hashes)
{
	struct buf b;

	buf_init(&b, 10000);
	cr_assert_eq(passwd_list(&b, sl_mk(text, sizeof(text) - 1)), 2);
	cr_assert(sl_eq(buf_as_sl(&b), SL("alice@example.com MD5\n"
					  "bob@Example.com MD5 SHA-256\n")));
	buf_free(&b);
}

Test(passwd, line_holds_both_hashes_of_rfc_values)
{
	struct buf b;

	/* RFC 7616 3.9.1: user Mufasa, realm http-auth@example.org has an @,
	 * so the values here were made with md5sum and sha256sum */
	buf_init(&b, 1000);
	passwd_line(&b, SL("alice@example.com"), SL("secret"));
	cr_assert(sl_eq(buf_as_sl(&b), SL(
		"alice@example.com:b1726872c344b6dc8365b774f8fd6412:"
		"ed8925b20f9a77b8f8f8d5f8e4467fe32b866f7208ab9e4b20595e9821a0"
		"fdee")));
	buf_free(&b);
}

Test(passwd, names_are_checked)
{
	static const char *const bad[] = {
		"", "alice", "@example.com", "alice@", "a b@x", "a:b@x",
		"a@x y", "a@x:1", "#a@x", "a\"@x", "a@b@c", "a\n@x", "a@x\n",
		"sip:@x", "\xc3\xa4@x",
	};
	char out[PASSWD_AOR + 1], big[400];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not_null(passwd_aor(out, sl_cstr(bad[i])), "%s",
				   bad[i]);
	memset(big, 'a', sizeof(big));
	big[10] = '@';
	cr_assert_not_null(passwd_aor(out, sl_mk(big, sizeof(big))));
	cr_assert_null(passwd_aor(out, SL("sip:Al.i-ce+1@Example.COM")));
	cr_assert_str_eq(out, "Al.i-ce+1@example.com");
}
