#include <criterion/criterion.h>
#include "web/assets.h"

static char room[2000];

static void fill(struct buf *b, struct sl name, void *arg)
{
	buf_chr(b, '[');
	buf_sl(b, name);
	buf_chr(b, ']');
}

static const char *filled(const char *text)
{
	struct buf b;

	buf_fixed(&b, room, sizeof(room) - 1);
	asset_fill(&b, sl_cstr(text), fill, NULL);
	room[b.n] = '\0';
	return room;
}

Test(assets, marks_are_replaced)
{
	cr_expect_str_eq(filled("a<!--#x-->b<!--#yy-->"), "a[x]b[yy]");
	cr_expect_str_eq(filled(""), "");
	cr_expect_str_eq(filled("a<!-- no -->"), "a<!-- no -->");
	cr_expect_str_eq(filled("a<!--#open"), "a[open]");
}

static bool holds(const struct asset *a, const char *what)
{
	size_t n = strlen(what);

	for (size_t i = 0; i + n <= a->n; i++)
		if (!memcmp(a->p + i, what, n))
			return true;
	return false;
}

Test(assets, the_page_needs_no_other_host_and_no_inline_code)
{
	static const char *const paths[] = {
		"/", "/app.js", "/style.css", "/icon.svg",
	};
	static const char *const not[] = {
		"https://", "http://127", "onclick=", "style=", "<style",
		"@import", "eval(", "cookie",
	};
	size_t all = 0;

	for (int i = 0; i < 4; i++) {
		const struct asset *a = asset_find(paths[i]);

		cr_assert_not_null(a, "%s", paths[i]);
		all += a->n;
		for (size_t k = 0; k < sizeof(not) / sizeof(*not); k++)
			cr_expect(!holds(a, not[k]), "%s holds %s", paths[i],
				  not[k]);
	}
	cr_expect_leq(all, 150000);
	cr_expect(holds(asset_find("/"), "<!--#verdict-->"));
	cr_expect_null(asset_find("/app.js "));
	cr_expect_null(asset_find("/etc/passwd"));
}
