/* page_peers.c - Pure. Trusted peers on the page; nothing where there are none. */
#include "sbc/page.h"

static void put_peer(struct buf *b, const json_t *o)
{
	bool rests = page_is(o, "state", "resting");

	buf_lit(b, "<tr><th scope=\"row\">");
	buf_html(b, page_str(o, "name"));
	buf_lit(b, "</th>");
	page_td(b, "address", "");
	buf_html(b, page_str(o, "address"));
	buf_chr(b, ' ');
	buf_html(b, page_str(o, "transport"));
	buf_lit(b, "</td>");
	page_td(b, "state", rests ? "bad" : "");
	buf_html(b, page_str(o, "state"));
	if (page_u64(o, "rest_ms")) {
		buf_lit(b, " <small>for ");
		page_span(b, page_u64(o, "rest_ms"));
		buf_lit(b, "</small>");
	}
	else if (rests) {
		buf_lit(b, " <small>until it answers the next call</small>");
	}
	buf_lit(b, "</td>");
	page_td_num(b, "calls from it", "n", o, "calls_in");
	page_td_num(b, "refused", page_u64(o, "refused") ? "n warn" : "n", o,
		    "refused");
	page_td_num(b, "calls to it", "n", o, "calls_out");
	page_td_num(b, "answered", "n", o, "answered");
	page_td_num(b, "failed", page_u64(o, "failed") ? "n warn" : "n", o,
		    "failed");
	buf_lit(b, "</tr>");
}

void page_peers(struct buf *b, const json_t *view)
{
	const json_t *a = json_object_get(view, "peers"), *o;
	size_t i;

	if (!json_array_size(a))
		return;
	buf_lit(b, "<h2>Trusted peers <small>gateways and trunks, since start"
		"</small></h2><table class=\"small\"><thead><tr>"
		"<th scope=\"col\">peer</th><th scope=\"col\">address</th>"
		"<th scope=\"col\">state</th>"
		"<th scope=\"col\">calls from it</th>"
		"<th scope=\"col\">refused</th>"
		"<th scope=\"col\">calls to it</th>"
		"<th scope=\"col\">answered</th>"
		"<th scope=\"col\">failed</th></tr></thead><tbody>");
	json_array_foreach(a, i, o)
		put_peer(b, o);
	buf_lit(b, "</tbody></table>");
}
