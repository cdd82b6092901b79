/* page_pings.c - Pure. Which node asks how many contacts whether they are there;
 * nothing where no node asks. */
#include "sbc/page.h"

static const json_t *ping_of(const json_t *node)
{
	const json_t *said = json_object_get(node, "said");

	return page_yes(said, "stale") ? NULL : json_object_get(said, "ping");
}

static void put_row(struct buf *b, const json_t *node, uint64_t all)
{
	const json_t *o = ping_of(node);
	uint64_t n = page_u64(o, "contacts");

	buf_lit(b, "<tr><th scope=\"row\">");
	buf_html(b, page_str(node, "name"));
	buf_lit(b, "</th>");
	page_td_num(b, "contacts", "n", o, "contacts");
	page_td(b, "share", "n");
	buf_printf(b, "%u %%</td>", (unsigned)(n * 100 / all));
	page_td(b, "answers in, 50 %, 95 %", "n");
	page_us(b, page_u64(o, "p50_us"));
	buf_lit(b, ", ");
	page_us(b, page_u64(o, "p95_us"));
	buf_lit(b, "</td>");
	page_td_num(b, "not answered", "n", o, "lost");
	page_td_num(b, "called last", page_u64(o, "quarantined") ? "n warn" :
		    "n", o, "quarantined");
	page_td_num(b, "removed", "n", o, "removed");
	buf_lit(b, "</tr>");
}

void page_pings(struct buf *b, const json_t *view)
{
	const json_t *pool = json_object_get(view, "pool"), *o;
	uint64_t all = 0;
	size_t i;

	json_array_foreach(pool, i, o)
		all += page_u64(ping_of(o), "contacts") & UINT32_MAX;
	if (!all)
		return;
	buf_lit(b, "<h2>Pings <small>phones asked whether they are there, "
		"each by one node</small></h2><table class=\"small\"><thead>"
		"<tr><th scope=\"col\">node</th><th scope=\"col\">contacts</th>"
		"<th scope=\"col\">share</th>"
		"<th scope=\"col\">answers in, 50 %, 95 %</th>"
		"<th scope=\"col\">not answered</th>"
		"<th scope=\"col\">called last</th>"
		"<th scope=\"col\">removed</th></tr></thead><tbody>");
	json_array_foreach(pool, i, o)
		if (ping_of(o))
			put_row(b, o, all);
	buf_lit(b, "</tbody></table>");
}
