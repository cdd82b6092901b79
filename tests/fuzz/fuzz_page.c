/* fuzz_page.c - what a node says of itself, up to the page: whatever it is, no
 * text of it becomes markup */
#include <stdlib.h>

#include "sbc/page.h"
#include "sbc/told.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/** Every '<' begins a tag that we write, and nothing but a tag has quotes */
static void must_be_ours(struct sl s)
{
	static const char *const tags[] = {
		"div", "p", "ul", "li", "b", "small", "span", "h3", "table",
		"thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "ol",
		"time", "i", "button", "code",
	};

	for (size_t i = 0; i < s.n; i++) {
		size_t n = 0, at = i + 1 + (i + 1 < s.n && s.p[i + 1] == '/');
		bool ours = false;

		if (s.p[i] != '<')
			continue;
		while (at + n < s.n && s.p[at + n] != '>' &&
		       s.p[at + n] != ' ')
			n++;
		for (size_t k = 0; k < sizeof(tags) / sizeof(*tags); k++)
			ours |= sl_eq(sl_mk(s.p + at, n), sl_cstr(tags[k]));
		must(ours);
	}
}

static void show(const json_t *view)
{
	for (int i = 0; page_sections[i]; i++) {
		struct buf b;

		buf_init(&b, 8 << 20);
		must(page_section(&b, sl_cstr(page_sections[i]), view));
		must_be_ours(buf_as_sl(&b));
		buf_free(&b);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *status = json_loadb(size ? (const char *)data : "", size,
				    JSON_DECODE_ANY, NULL);
	json_t *view = json_object(), *pool = json_array();
	struct verdict_node v[3];
	struct verdict_out out;

	if (!status)
		goto out;
	for (int i = 0; i < 3; i++) {
		json_t *n = json_pack("{s:s, s:s, s:s, s:i}", "name", "n1",
				      "state", "UP", "admin", "ready",
				      "weight", 100);

		must(n != NULL);
		(void)json_object_set_new(n, "said", told_json(i ? status :
							      NULL));
		told_judge(&v[i], n, i ? status : NULL);
		must(v[i].alive <= v[i].members);
		(void)json_array_append_new(pool, n);
	}
	told_mark(pool);
	verdict(&(struct verdict_in){ .node = v, .nodes = 3 }, &out);
	must(out.n <= VERDICT_REASONS);
	(void)json_object_set(view, "pool", pool);
	show(view);
	/* and as if all of it came from there */
	show(status);
out:
	json_decref(pool);
	json_decref(view);
	json_decref(status);
	return 0;
}
