/* page_nodes.c - Pure. Sections about nodes. */
#include "sbc/page.h"

static json_t *get(const json_t *o, const char *key)
{
	return json_object_get(o, key);
}

/** How a node looks: a class of the style sheet */
static const char *look(const json_t *n)
{
	if (page_yes(n, "leaving") || page_is(n, "admin", "maint"))
		return "off";
	if (page_is(n, "admin", "drain"))
		return "drain";
	if (page_is(n, "state", "UP"))
		return "ok";
	return page_is(n, "state", "SUSPECT") ? "warn" : "bad";
}

/** Shape as well as colour: not everybody sees red and green */
static const char *shape(const char *cls)
{
	return !strcmp(cls, "ok") ? "\xe2\x97\x8f" :       /* filled circle  */
		!strcmp(cls, "warn") ? "\xe2\x96\xb2" :    /* triangle       */
		!strcmp(cls, "bad") ? "\xe2\x9c\x96" :     /* cross          */
		!strcmp(cls, "drain") ? "\xe2\x96\xbc" :   /* triangle down  */
		"\xe2\x96\xa0";                            /* square         */
}

/* --- 3: topology --- */

/** Colour of a line by the share of requests that failed on it */
static const char *line_class(const json_t *n)
{
	uint64_t bad = page_u64(n, "bad_permille");

	if (strcmp(look(n), "ok") != 0)
		return look(n);
	return bad >= 50 ? "bad" : bad ? "warn" : "ok";
}

static uint64_t class_rate(const json_t *view, const char *key)
{
	return page_u64(get(get(view, "sip"), key), "per_s1000");
}

void page_topology(struct buf *b, const json_t *view)
{
	const json_t *pool = get(view, "pool"), *n;
	uint64_t in = class_rate(view, "invite") +
		class_rate(view, "register") + class_rate(view, "other");
	uint64_t bad = class_rate(view, "r5xx");
	size_t i;

	buf_printf(b, "<div class=\"hop\"><b>clients</b><span>");
	page_num(b, page_u64(get(view, "flows"), "known_clients"));
	buf_printf(b, " known</span></div><div class=\"line %s\"><span>",
		   bad * 20 > in ? "bad" : bad ? "warn" : "ok");
	page_milli(b, in);
	buf_lit(b, " requests/s</span></div><div class=\"hop edge\"><b>edge"
		"</b><span>");
	page_num(b, page_u64(get(view, "flows"), "pending"));
	buf_lit(b, " under way</span></div><ul class=\"fan\">");
	json_array_foreach(pool, i, n) {
		const char *cls = look(n);

		buf_printf(b, "<li><div class=\"line %s\"><span>",
			   line_class(n));
		page_milli(b, page_u64(n, "per_s1000"));
		buf_printf(b, "/s</span></div><div class=\"hop node %s\">"
			   "<b><i aria-hidden=\"true\">%s</i> ", cls,
			   shape(cls));
		buf_html(b, page_str(n, "name"));
		buf_lit(b, "</b></div></li>");
	}
	buf_lit(b, "</ul>");
}

/* --- 4: nodes --- */

static void put_state(struct buf *b, const json_t *view, const json_t *n)
{
	const json_t *p = get(n, "probe");
	uint64_t fall = page_u64(view, "fall"), rise = page_u64(view, "rise");
	uint64_t good = page_u64(p, "good"), failed = page_u64(p, "failed");
	const char *cls = look(n);

	page_td(b, "state", "");
	buf_printf(b, "<span class=\"tag %s\"><i aria-hidden=\"true\">%s</i> ",
		   cls, shape(cls));
	buf_html(b, page_str(n, "state"));
	buf_lit(b, "</span>");
	if (!page_is(n, "state", "DOWN") && failed)
		buf_printf(b, " <small>going down %u/%u</small>",
			   (unsigned)(failed < fall ? failed : fall),
			   (unsigned)fall);
	else if (!page_is(n, "state", "UP") && good)
		buf_printf(b, " <small>coming up %u/%u</small>",
			   (unsigned)(good < rise ? good : rise),
			   (unsigned)rise);
	buf_lit(b, "</td>");
	page_td_span(b, "since", n, "since_ms");
}

static void put_probe(struct buf *b, const json_t *n)
{
	const json_t *p = get(n, "probe");
	uint64_t code = page_u64(p, "code"), age = page_u64(p, "age_ms");

	page_td(b, "last probe", age > 6000 ? "stale" : "");
	if (code) {
		buf_printf(b, "%u, ", (unsigned)code);
		if (page_u64(p, "rtt_us"))
			page_us(b, page_u64(p, "rtt_us"));
		else
			buf_lit(b, "&lt; 1 ms");
	}
	else {
		buf_lit(b, "no answer");
	}
	buf_lit(b, " <small>");
	page_span(b, age);
	buf_lit(b, " ago</small></td>");
	page_td(b, "first answer / time-out", "");
	if (page_u64(n, "rtt_us"))
		page_us(b, page_u64(n, "rtt_us"));
	else
		buf_str(b, page_u64(n, "ok") ? "&lt; 1 ms" :
			"\xe2\x80\x93");
	if (get(n, "no100_ms")) {
		buf_lit(b, " / ");
		page_span(b, page_u64(n, "no100_ms"));
	}
	buf_lit(b, "</td>");
}

static void put_load(struct buf *b, const json_t *n)
{
	page_td_num(b, "in flight", "n", n, "inflight");
	page_td(b, "requests/s", "n");
	page_milli(b, page_u64(n, "per_s1000"));
	buf_lit(b, "</td>");
	page_td(b, "moved from / to", "n");
	page_num(b, page_u64(n, "failed_over_from"));
	buf_lit(b, " / ");
	page_num(b, page_u64(n, "failed_over_to"));
	buf_lit(b, "</td>");
	page_td(b, "weight", "n");
	page_num(b, page_u64(n, "weight"));
	if (get(n, "slowstart_pct") && page_u64(n, "slowstart_pct") < 100)
		buf_printf(b, " <small>slow start %u %%</small>",
			   (unsigned)page_u64(n, "slowstart_pct"));
	if (page_u64(n, "ejected_ms")) {
		buf_lit(b, " <small>ejected for ");
		page_span(b, page_u64(n, "ejected_ms"));
		buf_lit(b, "</small>");
	}
	if (page_u64(n, "held_ms")) {
		buf_lit(b, " <small>Retry-After ");
		page_span(b, page_u64(n, "held_ms"));
		buf_lit(b, "</small>");
	}
	buf_lit(b, "</td>");
}

static void put_who(struct buf *b, const json_t *n)
{
	if (page_u64(get(n, "left"), "requests"))
		buf_printf(b, ", %u left", (unsigned)page_u64(
				   get(n, "left"), "requests"));
	if (page_u64(n, "admin_until_ms")) {
		buf_lit(b, ", for ");
		page_span(b, page_u64(n, "admin_until_ms"));
	}
	if (*page_str(n, "admin_who")) {
		buf_lit(b, " <small>by ");
		buf_html(b, page_str(n, "admin_who"));
		buf_lit(b, "</small>");
	}
	if (*page_str(n, "admin_why")) {
		buf_lit(b, " <small>\xe2\x80\x9c");
		buf_html(b, page_str(n, "admin_why"));
		buf_lit(b, "\xe2\x80\x9d</small>");
	}
}

static void put_admin(struct buf *b, const json_t *n)
{
	static const char *const acts[] = { "drain", "maint", "ready" };

	page_td(b, "service", "admin");
	buf_html(b, page_yes(n, "leaving") ? "leaving" :
		  page_str(n, "admin"));
	if (!page_is(n, "admin", "ready"))
		put_who(b, n);
	buf_lit(b, "<span class=\"acts\">");
	for (int i = 0; i < 3; i++) {
		if (page_is(n, "admin", acts[i]))
			continue;
		buf_printf(b, "<button type=\"button\" data-act=\"%s\" "
			   "data-node=\"", acts[i]);
		buf_html(b, page_str(n, "name"));
		buf_printf(b, "\" aria-label=\"%s ", acts[i]);
		buf_html(b, page_str(n, "name"));
		buf_printf(b, "\">%s</button>", acts[i]);
	}
	buf_lit(b, "</span></td>");
}

static void put_name(struct buf *b, const json_t *n)
{
	buf_lit(b, "<th scope=\"row\">");
	buf_html(b, page_str(n, "name"));
	if (page_yes(n, "learned"))
		buf_lit(b, " <small>learned</small>");
	buf_lit(b, " <small>");
	buf_html(b, page_str(n, "address"));
	buf_lit(b, "</small></th>");
}

static void put_heads(struct buf *b, const char *const *heads)
{
	buf_lit(b, "<table><thead><tr>");
	for (; *heads; heads++) {
		buf_lit(b, "<th scope=\"col\">");
		buf_str(b, *heads);
		buf_lit(b, "</th>");
	}
	buf_lit(b, "</tr></thead><tbody>");
}

void page_nodes(struct buf *b, const json_t *view)
{
	static const char *const heads[] = {
		"node", "state", "since", "last probe",
		"first answer / time-out", "in flight", "requests/s",
		"moved from / to", "weight", "service", NULL,
	};
	const json_t *n;
	size_t i;

	put_heads(b, heads);
	json_array_foreach(get(view, "pool"), i, n) {
		buf_lit(b, "<tr id=\"node-");
		buf_html(b, page_str(n, "name"));
		buf_printf(b, "\" class=\"row-%s\">", look(n));
		put_name(b, n);
		put_state(b, view, n);
		put_probe(b, n);
		put_load(b, n);
		put_admin(b, n);
		buf_lit(b, "</tr>");
	}
	buf_lit(b, "</tbody></table>");
}

/* --- 5: location --- */

static void put_digest(struct buf *b, const json_t *c)
{
	const char *d = page_str(c, "digest");
	char head[9] = "";

	page_td(b, "digest", page_yes(c, "equal") ? "" : "warn");
	memcpy(head, d, strnlen(d, sizeof(head) - 1));
	if (head[0]) {
		buf_lit(b, "<code>");
		buf_html(b, head);
		buf_lit(b, "</code> ");
		buf_str(b, page_yes(c, "equal") ? "= equal" :
			"\xe2\x89\xa0 differs");
	}
	buf_lit(b, "</td>");
}

static void put_peers(struct buf *b, const json_t *c)
{
	const json_t *p;
	size_t i;

	page_td(b, "peers: lag", "peers");
	json_array_foreach(get(c, "peers"), i, p) {
		bool well = page_is(p, "health", "alive");
		uint64_t lag = page_u64(p, "lag_ms");

		buf_printf(b, "<span class=\"tag %s\">", !well ? "bad" :
			   lag > 1000 ? "warn" : "ok");
		buf_html(b, page_str(p, "name"));
		buf_chr(b, ' ');
		if (well)
			page_span(b, lag);
		else
			buf_html(b, page_str(p, "health"));
		if (page_yes(p, "settings_differ"))
			buf_lit(b, ", settings differ");
		if (page_yes(p, "users_differ"))
			buf_lit(b, ", users differ");
		buf_lit(b, "</span> ");
	}
	buf_lit(b, "</td>");
}

/** Of the last comparison with each peer: the worst that is known */
static void put_compared(struct buf *b, const json_t *c)
{
	const json_t *p;
	const char *worst = "";
	size_t i;

	json_array_foreach(get(c, "peers"), i, p) {
		const char *v = page_str(p, "verdict");

		if (*v && (!*worst || !strcmp(worst, "equal")))
			worst = v;
	}
	page_td(b, "verified", !strcmp(worst, "differs") ? "warn" : "");
	buf_html(b, worst);
	buf_lit(b, "</td>");
}

static void put_held(struct buf *b, const json_t *n, const json_t *said,
		     const json_t *c)
{
	uint64_t unacked = page_u64(said, "unacked_lately");

	buf_lit(b, "<th scope=\"row\">");
	buf_html(b, page_str(n, "name"));
	buf_lit(b, "</th>");
	page_td_num(b, "contacts", "n", said, "contacts");
	put_digest(b, c);
	put_peers(b, c);
	page_td(b, "in sync", "n");
	buf_u64(b, page_u64(c, "progress"));
	buf_lit(b, " %</td>");
	page_td_num(b, "repaired", "n", c, "repaired");
	put_compared(b, c);
	page_td(b, "one copy only, lately", unacked ? "n warn" : "n");
	page_num(b, unacked);
	buf_lit(b, "</td>");
}

static void put_silent(struct buf *b, const json_t *n, const json_t *said)
{
	buf_lit(b, "<th scope=\"row\">");
	buf_html(b, page_str(n, "name"));
	buf_lit(b, "</th><td colspan=\"8\">");
	buf_lit(b, "no figures yet");
	if (*page_str(said, "error")) {
		buf_lit(b, ": ");
		buf_html(b, page_str(said, "error"));
	}
	buf_lit(b, "</td>");
}

void page_location(struct buf *b, const json_t *view)
{
	static const char *const heads[] = {
		"node", "contacts", "digest", "peers: lag", "in sync",
		"repaired", "verified", "one copy only, lately", "age", NULL,
	};
	const json_t *n;
	unsigned asked = 0;
	size_t i;

	put_heads(b, heads);
	json_array_foreach(get(view, "pool"), i, n) {
		const json_t *said = get(n, "said"), *c = get(said, "cluster");

		if (!said)
			continue;
		asked++;
		buf_printf(b, "<tr%s>", page_yes(said, "stale") || !c ?
			   " class=\"stale\"" : "");
		if (c) {
			put_held(b, n, said, c);
			page_td(b, "age", "n");
			page_span(b, page_u64(said, "age_ms"));
			if (*page_str(said, "error")) {
				buf_lit(b, " <small>");
				buf_html(b, page_str(said, "error"));
				buf_lit(b, "</small>");
			}
			buf_lit(b, "</td>");
		}
		else {
			put_silent(b, n, said);
		}
		buf_lit(b, "</tr>");
	}
	buf_lit(b, "</tbody></table>");
	if (!asked)
		buf_lit(b, "<p class=\"none\">No node has told its management "
			"address.</p>");
}

/* --- 8: certificates --- */

void page_certs(struct buf *b, const json_t *view)
{
	const json_t *n;
	unsigned any = 0, told = 0;
	size_t i;

	json_array_foreach(get(view, "pool"), i, n) {
		const json_t *c = get(get(get(n, "said"), "cluster"),
				      "certificate");
		json_int_t days = json_integer_value(get(c, "days_left"));

		told += get(get(n, "said"), "cluster") != NULL;
		if (!c)
			continue;
		buf_str(b, any++ ? "" : "<dl>");
		buf_lit(b, "<dt>");
		buf_html(b, page_str(n, "name"));
		buf_printf(b, "</dt><dd class=\"%s\">", days < 0 ? "bad" :
			   days < 30 ? "warn" : "");
		buf_printf(b, "%lld days left <small>until ",
			   (long long)days);
		buf_html(b, page_str(c, "not_after"));
		buf_lit(b, "</small></dd>");
	}
	if (any)
		buf_lit(b, "</dl>");
	else if (told)
		buf_lit(b, "<p class=\"none\">Links between nodes are by the "
			"shared key, which does not expire.</p>");
	else
		buf_lit(b, "<p class=\"none\">No node has told.</p>");
}
