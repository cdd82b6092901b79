/* page_drills.c - Pure. The page's part about drills. */
#include "sbc/page.h"

static json_t *get(const json_t *o, const char *key)
{
	return json_object_get(o, key);
}

static void put_where(struct buf *b, const json_t *r)
{
	buf_str(b, page_is(r, "where", "lab") ? " in a lab of its own" :
		" at this edge");
	if (*page_str(r, "who")) {
		buf_lit(b, ", by ");
		buf_html(b, page_str(r, "who"));
	}
}

static const char *verdict_class(const char *v)
{
	return !strcmp(v, "PASS") ? "ok" : !strcmp(v, "FAIL") ? "bad" : "warn";
}

/* --- that goes on --- */

static void put_figures(struct buf *b, const json_t *r)
{
	static const struct {
		const char *key, *name;
	} v[] = {
		{ "placed", "test calls" }, { "live", "under way" },
		{ "done", "done" }, { "moved", "moved" },
		{ "adopted", "adopted" }, { "lost", "lost" },
		{ "production_lost", "calls of others lost" },
	};

	buf_lit(b, "<ul class=\"figures\">");
	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		bool bad = i >= 5 && page_u64(r, v[i].key);

		buf_printf(b, "<li%s id=\"drill-%s\"><b>", bad ?
			   " class=\"bad\"" : "", v[i].key);
		page_num(b, page_u64(r, v[i].key));
		buf_printf(b, "</b> %s</li>", v[i].name);
	}
	buf_lit(b, "</ul>");
}

static void put_steps(struct buf *b, const json_t *r)
{
	const json_t *s;
	size_t i;

	buf_lit(b, "<ol class=\"steps\">");
	json_array_foreach(get(r, "steps"), i, s) {
		uint64_t at = page_u64(s, "at_ms");

		buf_printf(b, "<li><span class=\"n\">%llu.%03u s</span> ",
			   (unsigned long long)(at / 1000),
			   (unsigned)(at % 1000));
		buf_html(b, page_str(s, "text"));
		buf_lit(b, "</li>");
	}
	buf_lit(b, "</ol>");
}

static void put_running(struct buf *b, const json_t *r)
{
	buf_lit(b, "<div class=\"drill\" id=\"drill-now\"><p><b>");
	buf_html(b, page_str(r, "name"));
	buf_lit(b, "</b>");
	put_where(b, r);
	buf_lit(b, ": <b id=\"drill-step\">");
	buf_html(b, page_str(r, "step"));
	buf_lit(b, "</b>");
	if (*page_str(r, "node")) {
		buf_lit(b, ", node ");
		buf_html(b, page_str(r, "node"));
	}
	buf_lit(b, ", for ");
	page_span(b, page_u64(r, "since_ms"));
	buf_lit(b, "; ended after ");
	page_span(b, page_u64(r, "until_ms"));
	buf_lit(b, " more at the latest");
	if (page_yes(r, "ending"))
		buf_lit(b, "</p><p><b>It is being ended</b>: the fault is "
			"taken back first.</p>");
	else
		buf_lit(b, "<span class=\"acts\"><button type=\"button\" "
			"data-act=\"abort\" data-node=\"the drill\">Abort"
			"</button></span></p>");
	put_figures(b, r);
	put_steps(b, r);
	buf_lit(b, "</div>");
}

/* --- the last ones --- */

/** What did not hold; that is what one wants to know first */
static void put_broken(struct buf *b, const json_t *r)
{
	const json_t *c;
	size_t i;

	json_array_foreach(get(r, "claims"), i, c) {
		if (page_yes(c, "held") || !json_is_integer(get(c, "limit")))
			continue;
		buf_lit(b, "<br>");
		buf_html(b, page_str(c, "text"));
		buf_lit(b, ": ");
		if (json_is_integer(get(c, "value")))
			page_num(b, page_u64(c, "value"));
		else
			buf_lit(b, "not measured");
		if (*page_str(c, "unit"))
			buf_chr(b, ' ');
		buf_html(b, page_str(c, "unit"));
		buf_lit(b, ", limit ");
		page_num(b, page_u64(c, "limit"));
	}
}

static void put_past(struct buf *b, const json_t *r)
{
	const char *v = page_str(r, "verdict");

	buf_printf(b, "<li><span class=\"tag %s\">", verdict_class(v));
	buf_html(b, !strcmp(v, "NONE") ? "NO VERDICT" : v);
	buf_lit(b, "</span> <time data-wall=\"");
	buf_u64(b, page_u64(r, "begun_ms"));
	buf_lit(b, "\"></time> <b>");
	buf_html(b, page_str(r, "name"));
	buf_lit(b, "</b>");
	put_where(b, r);
	buf_lit(b, ", took ");
	page_span(b, page_u64(r, "took_ms"));
	buf_lit(b, ": ");
	page_num(b, page_u64(r, "placed"));
	buf_lit(b, " test calls, ");
	page_num(b, page_u64(r, "lost"));
	buf_lit(b, " lost");
	if (*page_str(r, "why")) {
		buf_lit(b, "; ");
		buf_html(b, page_str(r, "why"));
	}
	if (*page_str(r, "report")) {
		buf_lit(b, " <a href=\"api/v1/drills/reports/");
		buf_html(b, page_str(r, "report"));
		buf_lit(b, "\" download>report</a>");
	}
	put_broken(b, r);
	buf_lit(b, "</li>");
}

/* --- the choice --- */

static void put_button(struct buf *b, const json_t *k, const char *act,
		       const char *label)
{
	buf_printf(b, "<button type=\"button\" data-act=\"%s\" data-node=\"",
		   act);
	buf_html(b, page_str(k, "name"));
	buf_lit(b, "\" data-text=\"");
	buf_html(b, page_str(k, "text"));
	buf_printf(b, "\">%s</button> ", label);
}

static void put_choice(struct buf *b, const json_t *d)
{
	const json_t *k;
	size_t i;

	buf_lit(b, "<details id=\"drill-choice\"><summary>Run a drill"
		"</summary><p>In a lab: an edge and three nodes of its own on "
		"this machine; this pool is not touched. ");
	buf_str(b, page_yes(d, "phones") ? "Here: this pool, by faults that "
		"the edge itself ends; only while all nodes are up." :
		"Here, in this pool: not without drills.domain, drills.phones "
		"and faults in the settings.");
	buf_lit(b, "</p><div class=\"wide\"><table><thead><tr><th "
		"scope=\"col\">drill</th><th scope=\"col\">what it does</th>"
		"<th scope=\"col\">run</th></tr></thead><tbody>");
	json_array_foreach(get(d, "list"), i, k) {
		buf_lit(b, "<tr><th scope=\"row\">");
		buf_html(b, page_str(k, "name"));
		buf_lit(b, "</th>");
		page_td_text(b, "what it does", k, "text");
		page_td(b, "run", "admin");
		buf_lit(b, "<span class=\"acts\">");
		if (page_yes(k, "lab"))
			put_button(b, k, "lab", "in a lab");
		if (page_yes(k, "edge") && page_yes(d, "phones"))
			put_button(b, k, "here", "here");
		buf_lit(b, "</span></td></tr>");
	}
	buf_lit(b, "</tbody></table></div></details>");
}

void page_drills(struct buf *b, const json_t *view)
{
	const json_t *d = get(view, "drills"), *r = get(d, "running"), *p;
	size_t i;

	if (!page_yes(d, "on"))
		return;
	buf_lit(b, "<h2 id=\"h-drills\">Drills <small>failures rehearsed with "
		"test calls</small></h2>");
	if (json_is_object(r))
		put_running(b, r);
	if (json_array_size(get(d, "last"))) {
		buf_lit(b, "<ul class=\"past\" id=\"drill-past\">");
		json_array_foreach(get(d, "last"), i, p)
			put_past(b, p);
		buf_lit(b, "</ul>");
	}
	if (!json_is_object(r) && json_array_size(get(d, "list")))
		put_choice(b, d);
}
