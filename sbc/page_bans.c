/* page_bans.c - Pure. Who is banned, on the page; nothing when nobody is. */
#include "sbc/page.h"

void page_bans(struct buf *b, const json_t *view)
{
	const json_t *adm = json_object_get(view, "admission"), *o;
	const json_t *a = json_object_get(adm, "bans");
	size_t i;

	if (!json_array_size(a))
		return;
	buf_lit(b, "<h2>Banned <small>");
	page_num(b, page_u64(adm, "banned"));
	buf_lit(b, " in all; <code>edgewise unban SOURCE</code> lets one in "
		"again</small></h2><table class=\"small\"><thead><tr>"
		"<th scope=\"col\">source</th><th scope=\"col\">why</th>"
		"<th scope=\"col\">for</th></tr></thead><tbody>");
	json_array_foreach(a, i, o) {
		buf_lit(b, "<tr><th scope=\"row\">");
		buf_html(b, page_str(o, "source"));
		buf_lit(b, "</th>");
		page_td_text(b, "why", o, "why");
		page_td_span(b, "for", o, "left_ms");
		buf_lit(b, "</tr>");
	}
	buf_lit(b, "</tbody></table>");
}
