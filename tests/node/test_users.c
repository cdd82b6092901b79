/* The users file: what is taken, what is refused where. */
#include "node/users.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define M1 "0123456789abcdef0123456789abcdef"
#define M2 "ffffffffffffffffffffffffffffffff"
#define S1 M1 M2

static const uint8_t key[32] = "k";

static int parse(struct users **u, const char *text, struct users_err *e)
{
	return users_parse(u, sl_cstr(text), key, e);
}

Test(users, finds_whom_it_holds)
{
	struct users_err e;
	struct users *u;
	const struct user *us;

	cr_assert(parse(&u, "# head\n\n  alice@Example.COM:" M1 "\r\n"
			"bob@example.com:" M2 ":" S1, &e) == 0);
	cr_expect(users_count(u) == 2);
	us = users_find(u, SL("alice@example.com"));
	cr_assert(us);
	cr_expect(sl_eq(us->ha1[AUTH_MD5], SL(M1)));
	cr_expect(!us->ha1[AUTH_SHA256].n);
	us = users_find(u, SL("bob@example.com"));
	cr_assert(us);
	cr_expect(sl_eq(us->ha1[AUTH_SHA256], SL(S1)));
	cr_expect(!users_find(u, SL("carol@example.com")));
	cr_expect(!users_find(u, SL("Alice@example.com")), "users have case");
	cr_expect(!users_find(u, SL("")));
	users_free(u);
}

Test(users, upper_case_hashes_are_folded)
{
	struct users_err e;
	struct users *u;

	cr_assert(parse(&u, "a@b:0123456789ABCDEF0123456789ABCDEF\n", &e)
		  == 0);
	cr_expect(sl_eq(users_find(u, SL("a@b"))->ha1[AUTH_MD5], SL(M1)));
	users_free(u);
}

Test(users, each_mistake_is_told_with_its_line)
{
	static const struct { const char *text; uint32_t line; } row[] = {
		{ "a@b:" M1 "\nnonsense\n", 2 },
		{ "a@b\n", 1 }, { "@b:" M1 "\n", 1 }, { "a@:" M1 "\n", 1 },
		{ "a:" M1 "\n", 1 }, { "#\n\na@b:xyz\n", 3 },
		{ "a@b:" M1 "0\n", 1 }, { "a@b:" M1 ":" M1 "\n", 1 },
		{ "a@b:" M1 ":\n", 1 }, { "a@b:" M1 "\na@B:" M1 "\n", 2 },
		{ "a@b@c:" M1 "\n", 1 }, { "a b@c:" M1 "\n", 1 },
		{ "a\x01@c:" M1 "\n", 1 }, { ":" M1 "\n", 1 },
	};
	struct users_err e;
	struct users *u;

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		cr_expect(parse(&u, row[i].text, &e) == EBADMSG, "%s",
			  row[i].text);
		cr_expect(e.line == row[i].line, "%s: line %u", row[i].text,
			  e.line);
		cr_expect(e.why);
	}
}

Test(users, an_empty_file_has_nobody)
{
	struct users_err e;
	struct users *u;

	cr_assert(parse(&u, "", &e) == 0);
	cr_expect(users_count(u) == 0 && !users_find(u, SL("a@b")));
	users_free(u);
	cr_expect(!users_find(NULL, SL("a@b")));
}

Test(users, digest_tells_content_not_order)
{
	struct users_err e;
	struct users *a, *b, *c;

	cr_assert(!parse(&a, "a@x:" M1 "\nb@x:" M2 "\n", &e));
	cr_assert(!parse(&b, "# other\nb@x:" M2 "\n\na@X:" M1, &e));
	cr_assert(!parse(&c, "a@x:" M2 "\nb@x:" M2 "\n", &e));
	cr_expect(users_digest(a) == users_digest(b));
	cr_expect(users_digest(a) != users_digest(c));
	users_free(a);
	users_free(b);
	users_free(c);
}

Test(users, holds_many)
{
	enum { N = 5000 };
	char *text = malloc(N * 64), *p = text, name[32];
	struct users_err e;
	struct users *u;

	cr_assert(text);
	for (int i = 0; i < N; i++)
		p += sprintf(p, "u%d@x:" M1 "\n", i);
	cr_assert(parse(&u, text, &e) == 0);
	for (int i = 0; i < N; i++) {
		(void)snprintf(name, sizeof(name), "u%d@x", i);
		cr_assert(users_find(u, sl_cstr(name)));
	}
	users_free(u);
	free(text);
}
