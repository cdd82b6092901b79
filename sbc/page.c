/* page.c - Pure. Sections of the page. */
#include "sbc/page.h"

static json_t *get(const json_t *o, const char *key)
{
	return json_object_get(o, key);
}

/* --- 1: the verdict --- */

static const char *verdict_class(const char *state)
{
	return !strcmp(state, "OK") ? "ok" : !strcmp(state, "DEGRADED") ?
		"warn" : !strcmp(state, "AT RISK") ? "risk" : "bad";
}

/** A drill of the page goes on: what, whose, how far */
static void put_drill_run(struct buf *b, const json_t *view)
{
	const json_t *r = get(get(view, "drills"), "running");

	if (!json_is_object(r))
		return;
	buf_lit(b, "<p class=\"drill\"><b>Drill</b> ");
	buf_html(b, page_str(r, "name"));
	buf_str(b, page_is(r, "where", "lab") ? " in a lab of its own (this "
		"pool is not touched)" : " at this edge");
	if (*page_str(r, "who")) {
		buf_lit(b, " by ");
		buf_html(b, page_str(r, "who"));
	}
	buf_lit(b, ": ");
	buf_html(b, page_str(r, "step"));
	buf_lit(b, ", ");
	page_num(b, page_u64(r, "placed"));
	buf_lit(b, " test calls, ");
	page_num(b, page_u64(r, "lost"));
	buf_lit(b, " lost. <a href=\"#drills\">All of it, and its end</a>"
		"</p>");
}

/** A fault that goes on, and how to end it */
static void put_drill(struct buf *b, const json_t *view)
{
	const json_t *f = get(view, "fault");

	if (!json_is_object(f))
		return;
	buf_lit(b, "<p class=\"drill\" id=\"drill\"><b>Drill</b> ");
	buf_html(b, page_str(f, "kind"));
	buf_lit(b, " towards ");
	buf_html(b, page_str(f, "node"));
	if (*page_str(f, "who")) {
		buf_lit(b, " by ");
		buf_html(b, page_str(f, "who"));
	}
	buf_lit(b, ", ends by itself in ");
	page_span(b, page_u64(f, "until_ms"));
	buf_lit(b, "<span class=\"acts\"><button type=\"button\" "
		"data-act=\"clear\" data-node=\"");
	buf_html(b, page_str(f, "node"));
	buf_lit(b, "\">end it now</button></span></p>");
}

static void put_verdict(struct buf *b, const json_t *view)
{
	const json_t *v = get(view, "verdict"), *r;
	const char *state = page_str(v, "state");
	const json_t *list = get(v, "reasons");
	size_t i;

	buf_printf(b, "<div class=\"verdict %s\" id=\"verdict-box\" "
		   "data-state=\"", verdict_class(state));
	buf_html(b, state);
	buf_lit(b, "\"><p class=\"word\">");
	buf_html(b, state);
	buf_lit(b, "</p><div class=\"why\">");
	if (!json_array_size(list))
		buf_lit(b, "<p>Every node is up and holds every "
			"registration; no call was lost in the last "
			"5 min.</p>");
	else
		buf_lit(b, "<ul>");
	json_array_foreach(list, i, r) {
		buf_printf(b, "<li class=\"%s\"><b>",
			   verdict_class(page_str(r, "level")));
		buf_html(b, page_str(r, "level"));
		buf_lit(b, "</b> ");
		buf_html(b, page_str(r, "text"));
		buf_lit(b, "</li>");
	}
	if (json_array_size(list))
		buf_lit(b, "</ul>");
	if (page_u64(v, "more"))
		buf_printf(b, "<p>and %u more</p>",
			   (unsigned)page_u64(v, "more"));
	buf_lit(b, "</div><p class=\"spare\"><span>Can we lose a node "
		"now?</span> <b>");
	buf_html(b, page_str(v, "can_lose_node"));
	buf_lit(b, "</b>");
	if (!page_is(v, "can_lose_node", "yes")) {
		buf_lit(b, " <small>");
		buf_html(b, page_str(v, "can_lose_text"));
		buf_lit(b, "</small>");
	}
	buf_lit(b, "</p></div>");
	put_drill_run(b, view);
	put_drill(b, view);
}

/* --- 2: what failing nodes cost --- */

static void put_card(struct buf *b, const json_t *c, const char *key,
		     const char *name, const char *what, bool alarm)
{
	const json_t *o = get(c, key);
	uint64_t hour = page_u64(o, "hour"), recent = page_u64(o, "recent");

	buf_printf(b, "<div class=\"card%s\" id=\"card-%s\"><h3>%s</h3>"
		   "<p class=\"big\">", alarm && recent ? " bad" :
		   alarm && hour ? " warn" : "", key, name);
	page_num(b, page_u64(o, "total"));
	buf_lit(b, "</p><p>");
	page_num(b, hour);
	buf_lit(b, " in the last hour</p><p class=\"what\">");
	buf_str(b, what);
	buf_lit(b, "</p></div>");
}

static void put_calls(struct buf *b, const json_t *view)
{
	const json_t *c = get(view, "calls");

	put_card(b, c, "lost", "Lost", "no node could save them", true);
	put_card(b, c, "moved", "Moved", "to another node", false);
	put_card(b, c, "saved", "Saved", "answered after a move", false);
	put_card(b, c, "adopted", "Adopted",
		 "rang when their node died; the edge went on", false);
	put_card(b, c, "rescued", "Rescued", "answers past a dead node",
		 false);
	put_card(b, c, "late_2xx", "Late 2xx", "of a node given up, passed on",
		 false);
	put_card(b, c, "ghosts", "Ghosts", "answered too late, ended", false);
}

/* --- 6: SIP --- */

static void put_rate(struct buf *b, const json_t *sip, const char *key,
		     const char *name)
{
	const json_t *o = get(sip, key);

	buf_lit(b, "<tr><th scope=\"row\">");
	buf_str(b, name);
	buf_lit(b, "</th>");
	page_td(b, "per second", "n");
	if (get(o, "per_s1000"))
		page_milli(b, page_u64(o, "per_s1000"));
	else
		buf_lit(b, "\xe2\x80\x93");
	buf_lit(b, "</td>");
	page_td_num(b, "since start", "n", o, "total");
	buf_lit(b, "</tr>");
}

static void put_fact(struct buf *b, const char *name, const char *title)
{
	buf_printf(b, "<dt title=\"%s\">%s</dt><dd>", title, name);
}

static void put_ratio(struct buf *b, const json_t *sip, const char *key,
		      const char *name, const char *title)
{
	put_fact(b, name, title);
	if (get(sip, key))
		page_permille(b, page_u64(sip, key));
	else
		buf_lit(b, "\xe2\x80\x93");
	buf_lit(b, "</dd>");
}

static void put_delay(struct buf *b, const json_t *d, const char *name,
		      const char *title)
{
	static const char *const p[] = { "p50", "p95", "p99" };

	put_fact(b, name, title);
	for (int i = 0; i < 3; i++) {
		buf_str(b, i ? " / " : "");
		if (get(d, p[i]))
			page_span(b, page_u64(d, p[i]));
		else
			buf_lit(b, "\xe2\x80\x93");
	}
	buf_lit(b, "</dd>");
}

static void put_sip(struct buf *b, const json_t *view)
{
	static const struct {
		const char *key, *name;
	} rows[] = {
		{ "invite", "INVITE" }, { "register", "REGISTER" },
		{ "other", "other requests" }, { "r2xx", "2xx" },
		{ "r3xx", "3xx" }, { "r4xx", "4xx" }, { "r5xx", "5xx" },
		{ "r6xx", "6xx" },
	};
	const json_t *sip = get(view, "sip");

	buf_lit(b, "<table class=\"small\"><thead><tr><th scope=\"col\">"
		"with clients</th><th scope=\"col\">per second</th>"
		"<th scope=\"col\">since start</th></tr></thead><tbody>");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		put_rate(b, sip, rows[i].key, rows[i].name);
	buf_lit(b, "</tbody></table><dl>");
	put_ratio(b, sip, "ser_permille", "SER", "session establishment "
		  "ratio, RFC 6076 4.6, last 5 min");
	put_ratio(b, sip, "seer_permille", "SEER", "session establishment "
		  "effectiveness ratio, RFC 6076 4.7, last 5 min");
	put_ratio(b, sip, "isa_permille", "ISA", "ineffective session "
		  "attempts, RFC 6076 4.8, last 5 min");
	put_delay(b, get(sip, "srd_ms"), "SRD p50 / p95 / p99", "session "
		  "request delay, RFC 6076 4.3: INVITE to ringing or answer, "
		  "last minute");
	put_delay(b, get(sip, "rrd_ms"), "RRD p50 / p95 / p99",
		  "registration request delay, RFC 6076 4.1, last minute");
	put_fact(b, "Retransmissions absorbed", "since start");
	page_num(b, page_u64(sip, "retransmissions"));
	buf_lit(b, "</dd></dl>");
}

/* --- 7: flows --- */

static void put_flows(struct buf *b, const json_t *view)
{
	static const struct {
		const char *key, *name;
	} rows[] = {
		{ "known_clients", "Clients known" },
		{ "pending", "Requests without a final answer" },
		{ "opened_in", "Connections accepted" },
		{ "opened_out", "Connections opened" },
		{ "ended", "Connections ended" },
		{ "keepalives", "Keep-alives answered" },
		{ "udp_in", "Messages in by UDP" },
		{ "tcp_in", "Messages in by TCP" },
		{ "found_again", "Clients found on another connection" },
		{ "in_dialog", "In-dialog requests past the nodes" },
	};
	const json_t *f = get(view, "flows");

	buf_lit(b, "<dl><dt>Connections, clients and nodes</dt><dd>");
	page_num(b, page_u64(f, "connections"));
	buf_lit(b, " of ");
	page_num(b, page_u64(f, "connections_max"));
	buf_lit(b, "</dd>");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		buf_printf(b, "<dt>%s</dt><dd>", rows[i].name);
		page_num(b, page_u64(f, rows[i].key));
		buf_lit(b, "</dd>");
	}
	buf_lit(b, "</dl>");
}

/* --- 9: refused --- */

static void put_refused(struct buf *b, const json_t *view)
{
	const json_t *a = get(view, "refused"), *o;
	size_t i;

	if (!json_array_size(a)) {
		buf_lit(b, "<p class=\"none\">Nothing was refused or "
			"dropped.</p>");
		return;
	}
	buf_lit(b, "<table class=\"small\"><thead><tr><th scope=\"col\">why"
		"</th><th scope=\"col\">last 5 min</th><th scope=\"col\">last "
		"hour</th><th scope=\"col\">since start</th></tr></thead>"
		"<tbody>");
	json_array_foreach(a, i, o) {
		buf_lit(b, "<tr><th scope=\"row\">");
		buf_html(b, page_str(o, "what"));
		buf_lit(b, "</th>");
		page_td_num(b, "last 5 min", "n", o, "recent");
		page_td_num(b, "last hour", "n", o, "hour");
		page_td_num(b, "since start", "n", o, "total");
		buf_lit(b, "</tr>");
	}
	buf_lit(b, "</tbody></table>");
}

/* --- 10: events --- */

static void put_clock(struct buf *b, uint64_t wall)
{
	uint64_t s = wall / 1000 % 86400;

	buf_printf(b, "<time data-wall=\"%llu\">%02u:%02u:%02u</time>",
		   (unsigned long long)wall, (unsigned)(s / 3600),
		   (unsigned)(s / 60 % 60), (unsigned)(s % 60));
}

static void put_event(struct buf *b, const json_t *e)
{
	static const struct {
		const char *key, *before;
	} parts[] = {
		{ "action", " " }, { "node", " " }, { "to_node",
		  " \xe2\x86\x92 " }, { "method", " " }, { "from", " from " },
		{ "to", " to " }, { "who", " by " }, { "reason", ": " },
	};

	buf_lit(b, "<li class=\"");
	buf_html(b, page_str(e, "severity"));
	buf_lit(b, "\">");
	put_clock(b, page_u64(e, "wall_ms"));
	buf_lit(b, " <b>");
	buf_html(b, page_str(e, "kind"));
	buf_lit(b, "</b>");
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (!*page_str(e, parts[i].key))
			continue;
		buf_str(b, parts[i].before);
		buf_html(b, page_str(e, parts[i].key));
	}
	buf_lit(b, "</li>");
}

static void put_events(struct buf *b, const json_t *view)
{
	const json_t *a = get(view, "events"), *e;
	size_t i;

	if (!json_array_size(a)) {
		buf_lit(b, "<p class=\"none\">Nothing has happened since the "
			"start.</p>");
		return;
	}
	buf_lit(b, "<ol>");
	json_array_foreach(a, i, e)
		put_event(b, e);
	buf_lit(b, "</ol>");
}

/* --- the frame --- */

static void put_about(struct buf *b, const json_t *view)
{
	buf_lit(b, "Edgewise ");
	buf_html(b, page_str(view, "version"));
	buf_lit(b, ", running for ");
	page_span(b, page_u64(view, "uptime_ms"));
	buf_lit(b, ", as of ");
	put_clock(b, page_u64(view, "at_ms"));
	buf_lit(b, "<span class=\"utc\"> UTC</span>");
}

static const struct {
	const char *name;
	void (*put)(struct buf *b, const json_t *view);
} sections[] = {
	{ "verdict", put_verdict }, { "calls", put_calls },
	{ "topology", page_topology }, { "nodes", page_nodes },
	{ "peers", page_peers },
	{ "location", page_location }, { "pings", page_pings },
	{ "sql", page_sql }, { "sip", put_sip },
	{ "flows", put_flows }, { "certs", page_certs },
	{ "refused", put_refused }, { "bans", page_bans },
	{ "drills", page_drills }, { "events", put_events },
	{ "about", put_about },
};

const char *const page_sections[] = {
	"verdict", "calls", "topology", "nodes", "peers", "location", "pings",
	"sql", "sip", "flows", "certs", "refused", "bans", "drills", "events",
	"about", NULL,
};

bool page_section(struct buf *b, struct sl name, const json_t *view)
{
	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++) {
		if (!sl_eq(name, sl_cstr(sections[i].name)))
			continue;
		sections[i].put(b, view);
		return true;
	}
	return false;
}
