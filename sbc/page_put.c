/* page_put.c - Pure. Pieces of HTML. */
#include "sbc/page.h"

void page_num(struct buf *b, uint64_t v)
{
	if (v >= 1000) {
		page_num(b, v / 1000);
		buf_printf(b, "\xe2\x80\xaf%03u", (unsigned)(v % 1000));
		return;
	}
	buf_u64(b, v);
}

void page_milli(struct buf *b, uint64_t v)
{
	if (v >= 100000)
		page_num(b, (v + 500) / 1000);
	else
		buf_printf(b, "%u.%u", (unsigned)((v + 50) / 1000),
			   (unsigned)((v + 50) / 100 % 10));
}

void page_permille(struct buf *b, uint64_t v)
{
	if (v >= 1000)
		buf_lit(b, "100");
	else
		buf_printf(b, "%u.%u", (unsigned)(v / 10), (unsigned)(v % 10));
	buf_lit(b, " %");
}

static void two(struct buf *b, uint64_t big, const char *bu, uint64_t small,
		const char *su)
{
	buf_u64(b, big);
	buf_str(b, bu);
	if (!small)
		return;
	buf_chr(b, ' ');
	buf_u64(b, small);
	buf_str(b, su);
}

void page_span(struct buf *b, uint64_t ms)
{
	uint64_t s = ms / 1000;

	if (ms < 1000)
		two(b, ms, " ms", 0, "");
	else if (s < 120)
		two(b, s, " s", 0, "");
	else if (s < 7200)
		two(b, s / 60, " min", 0, "");
	else if (s < 172800)
		two(b, s / 3600, " h", s / 60 % 60, " min");
	else
		two(b, s / 86400, " d", s / 3600 % 24, " h");
}

void page_us(struct buf *b, uint64_t us)
{
	if (us < 1000)
		two(b, us, " \xc2\xb5s", 0, "");
	else if (us < 100000)
		buf_printf(b, "%u.%u ms", (unsigned)(us / 1000),
			   (unsigned)(us / 100 % 10));
	else
		page_span(b, us / 1000);
}

/* --- readers --- */

uint64_t page_u64(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

const char *page_str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

bool page_yes(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

bool page_is(const json_t *o, const char *key, const char *val)
{
	return !strcmp(page_str(o, key), val);
}

void page_td(struct buf *b, const char *label, const char *cls)
{
	buf_lit(b, "<td data-l=\"");
	buf_html(b, label);
	if (*cls) {
		buf_lit(b, "\" class=\"");
		buf_str(b, cls);
	}
	buf_lit(b, "\">");
}

void page_td_num(struct buf *b, const char *label, const char *cls,
		 const json_t *o, const char *key)
{
	page_td(b, label, cls);
	page_num(b, page_u64(o, key));
	buf_lit(b, "</td>");
}

void page_td_span(struct buf *b, const char *label, const json_t *o,
		  const char *key)
{
	page_td(b, label, "n");
	page_span(b, page_u64(o, key));
	buf_lit(b, "</td>");
}

void page_td_text(struct buf *b, const char *label, const json_t *o,
		  const char *key)
{
	page_td(b, label, "");
	buf_html(b, page_str(o, key));
	buf_lit(b, "</td>");
}
