#include "db/db_judge.h"
#include "db/db_text.h"
#include "db/db_url.h"
#include <criterion/criterion.h>

static const char *bad(const char *s)
{
	struct db_url u;

	return db_url_parse(&u, sl_cstr(s));
}

static const char *shown(const char *s)
{
	static char mem[600];
	struct buf b;

	buf_fixed(&b, mem, sizeof(mem));
	db_url_shown(&b, sl_cstr(s));
	buf_chr(&b, 0);
	return mem;
}

static const char *built(const char *s, struct sl pw)
{
	static char mem[1200];
	struct db_url u;
	struct buf b;

	cr_assert(!db_url_parse(&u, sl_cstr(s)));
	buf_fixed(&b, mem, sizeof(mem));
	db_url_build(&b, &u, pw, 3000);
	buf_chr(&b, 0);
	return mem;
}

Test(url, what_cannot_be_one_is_refused)
{
	cr_assert(!bad("sqlite:///var/lib/e.db"));
	cr_assert(!bad("postgresql://u:p@h/d"));
	cr_assert(!bad("mysql://u@[::1]:3307/d"));
	cr_assert(!bad("postgresql:///d?unix-socket=/run&user=u"));
	cr_assert(bad(""));
	cr_assert(bad("oracle://u:p@h/d"));
	cr_assert(bad("sqlite://var/e.db"));
	cr_assert(bad("sqlite:///"));
	cr_assert(bad("mysql://u:p@h"));
	cr_assert(bad("mysql://u:p@h/"));
	cr_assert(bad("mysql://h/d"));
	cr_assert(bad("mysql://u:p@/d"));
	cr_assert(bad("mysql://u:p@h:0/d"));
	cr_assert(bad("mysql://u:p@h:99999/d"));
	cr_assert(bad("mysql://u:p@h/d e"));
}

Test(url, the_password_is_never_shown)
{
	cr_assert_str_eq(shown("mysql://u:se@cret@h:1/d?x=1"),
			 "mysql://u:***@h:1/d?x=1");
	cr_assert_str_eq(shown("postgresql://h/d?user=u&password=secret&x=1"),
			 "postgresql://h/d?user=u&password=***&x=1");
	cr_assert_str_eq(shown("mysql://u@h/d"), "mysql://u@h/d");
	cr_assert_str_eq(shown("sqlite:///a/b.db"), "sqlite:///a/b.db");
	/* also of what is no URL of ours */
	cr_assert_str_eq(shown("mysqlx://u:secret@h"), "mysqlx://u:***@h");
}

Test(url, a_password_cannot_add_settings_of_the_library)
{
	cr_assert(strstr(built("postgresql://u@h/d", SL("a' host=evil \\")),
			 "password=a%5C%27%20host%3Devil%20%5C%5C&"));
	cr_assert(strstr(built("mysql://u@h/d", SL("a&b=c")),
			 "password=a%26b%3Dc&"));
}

Test(url, an_error_text_is_one_line_without_the_password)
{
	char out[DB_WHY];

	db_url_clean(out, "bad\npassword \"secret\"\n", SL("secret"));
	cr_assert_str_eq(out, "bad password \"***\"");
}

Test(judge, the_messages_of_the_databases)
{
	cr_assert_eq(db_judge(DB_SQLITE, "database is locked"), DB_LOCKED);
	cr_assert_eq(db_judge(DB_SQLITE, "database or disk is full"), DB_FULL);
	cr_assert_eq(db_judge(DB_POSTGRESQL, "FATAL:  password authentication "
			      "failed for user \"u\""), DB_DENIED);
	cr_assert_eq(db_judge(DB_POSTGRESQL, "could not connect to server: "
			      "Connection refused"), DB_DOWN);
	cr_assert_eq(db_judge(DB_POSTGRESQL, "ERROR: canceling statement due to "
			      "statement timeout"), DB_TIMEOUT);
	cr_assert_eq(db_judge(DB_MYSQL, "Lost connection to server during query"),
		     DB_DOWN);
	cr_assert_eq(db_judge(DB_MYSQL, "Access denied for user 'u'@'h'"),
		     DB_DENIED);
	cr_assert_eq(db_judge(DB_MYSQL, "Table 'd.x' doesn't exist"), DB_SCHEMA);
	cr_assert_eq(db_judge(DB_MYSQL, "Qualcosa"), DB_OTHER);
}

Test(text, only_utf8_without_nul_is_text)
{
	cr_assert(db_text_ok(SL("a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80")));
	cr_assert(!db_text_ok(SL("\xc0\x80")));
	cr_assert(!db_text_ok(SL("\xe0\x80\x80")));
	cr_assert(!db_text_ok(SL("\xed\xa0\x80")));
	cr_assert(!db_text_ok(SL("\xf4\x90\x80\x80")));
	cr_assert(!db_text_ok(SL("\xc3")));
	cr_assert(!db_text_ok(SL("a\0")));
}

Test(text, what_is_shown_is_cut_behind_a_whole_character)
{
	char out[8];
	struct sl s = db_text_shown(out, 4, SL("ab\x01\xc3\xbc"));

	cr_assert(sl_eq(s, SL("ab?")), "%.*s", SL_FMT(s));
	s = db_text_shown(out, 5, SL("ab\x01\xc3\xbc"));
	cr_assert(sl_eq(s, SL("ab?\xc3\xbc")));
	s = db_text_shown(out, 4, SL("abcdef"));
	cr_assert(sl_eq(s, SL("abcd")), "%.*s", SL_FMT(s));
	s = db_text_shown(out, 8, SL("a~\x7f b"));
	cr_assert(sl_eq(s, SL("a~? b")), "%.*s", SL_FMT(s));
}
