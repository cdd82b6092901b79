/* page_sql.c - Pure. Databases of the nodes on the page; nothing where no node
 * has one. */
#include "sbc/page.h"

static const char *look(const json_t *sql, bool stale)
{
	if (stale)
		return "";
	if (page_is(sql, "state", "down"))
		return "bad";
	return page_is(sql, "state", "up") ? "ok" : "warn";
}

static void put_node(struct buf *b, const json_t *n, const json_t *sql,
		     bool stale)
{
	buf_printf(b, "<tr%s><th scope=\"row\">", stale ? " class=\"stale\"" :
		   "");
	buf_html(b, page_str(n, "name"));
	buf_lit(b, "</th>");
	page_td(b, "state", "");
	buf_printf(b, "<span class=\"tag %s\">", look(sql, stale));
	buf_html(b, page_str(sql, "state"));
	buf_lit(b, "</span>");
	if (*page_str(sql, "why")) {
		buf_lit(b, " <small>");
		buf_html(b, page_str(sql, "why"));
		buf_lit(b, "</small>");
	}
	buf_lit(b, "</td>");
	page_td_num(b, "not written yet", "n", sql, "dirty");
	page_td(b, "all is written up to", "n");
	page_span(b, page_u64(sql, "age_ms"));
	buf_lit(b, " ago</td>");
	page_td(b, "read at its start", "n");
	page_num(b, page_u64(sql, "rows_read"));
	if (!page_yes(sql, "loaded"))
		buf_lit(b, " <small>so far</small>");
	buf_lit(b, "</td>");
	page_td_num(b, "written", "n", sql, "rows_written");
	page_td(b, "whose", "");
	buf_html(b, page_is(sql, "mode", "shared") ? "shared by all" :
		  page_is(sql, "mode", "local") ? "its own" : "");
	buf_lit(b, "</td></tr>");
}

void page_sql(struct buf *b, const json_t *view)
{
	const json_t *n;
	bool any = false;
	size_t i;

	json_array_foreach(json_object_get(view, "pool"), i, n) {
		const json_t *said = json_object_get(n, "said");
		const json_t *sql = json_object_get(said, "sql");

		if (!json_is_object(sql))
			continue;
		if (!any)
			buf_lit(b, "<h2>Databases <small>contacts, as each "
				"node tells; calls never wait for them"
				"</small></h2><table class=\"small\"><thead>"
				"<tr><th scope=\"col\">node</th>"
				"<th scope=\"col\">state</th>"
				"<th scope=\"col\">not written yet</th>"
				"<th scope=\"col\">all is written up to</th>"
				"<th scope=\"col\">read at its start</th>"
				"<th scope=\"col\">written</th>"
				"<th scope=\"col\">whose</th></tr></thead>"
				"<tbody>");
		any = true;
		put_node(b, n, sql, page_yes(said, "stale"));
	}
	if (any)
		buf_lit(b, "</tbody></table>");
}
