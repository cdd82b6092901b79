/* report_html.c - Pure. A report as one HTML page: no script, nothing from
 * elsewhere. */
#include "drill/report.h"
#include <errno.h>
#include <string.h>

enum { W = 960, LEFT = 10, STRIP = 3, STRIPS = 400, LABEL = 14 };

static const char css[] =
	"body{font:14px/1.45 system-ui,sans-serif;max-width:1000px;margin:"
	"2em auto;padding:0 1em;color:#1b1f24;background:#fff}"
	"table{border-collapse:collapse;margin:.6em 0}"
	"td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid "
	"#ddd;font-variant-numeric:tabular-nums}"
	"td:first-child,th:first-child,td.t{text-align:left}"
	"h1 b{padding:.1em .5em;border-radius:.2em;color:#fff}"
	".PASS{background:#1a7f37}.FAIL{background:#b3261e}"
	".ABORTED,.UNFIT{background:#8a5a00}.bad{color:#b3261e;font-weight:"
	"bold}.by-edge{color:#0b57d0}svg{max-width:100%;height:auto}"
	"code{font-size:12px}";

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/** A file may hold anything: what is reckoned with stays small */
static long long sane(const json_t *v)
{
	const long long most = 1000000000000;
	long long n = (long long)json_integer_value(v);

	return n > most ? most : n < -most ? -most : n;
}

static long long num(const json_t *o, const char *key)
{
	return sane(json_object_get(o, key));
}

static void cell(struct buf *b, const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (json_is_integer(v))
		buf_printf(b, "<td>%lld</td>",
			   (long long)json_integer_value(v));
	else
		buf_str(b, strcmp(key, "value") ? "<td>&ndash;</td>" :
			"<td class=bad>no data</td>");
}

static void put_claims(struct buf *b, const json_t *r)
{
	const json_t *c;
	size_t i;

	buf_lit(b, "<h2>Claims</h2><table><tr><th>claim<th>measured<th>at "
		"most<th>last run<th></tr>");
	json_array_foreach(json_object_get(r, "claims"), i, c) {
		bool claimed = json_is_integer(json_object_get(c, "limit"));
		bool held = json_is_true(json_object_get(c, "held"));

		buf_lit(b, "<tr><td>");
		buf_html(b, str(c, "text"));
		if (*str(c, "unit")) {
			buf_lit(b, " [");
			buf_html(b, str(c, "unit"));
			buf_lit(b, "]");
		}
		buf_lit(b, "</td>");
		cell(b, c, "value");
		cell(b, c, "limit");
		cell(b, c, "last");
		buf_str(b, !claimed ? "<td></td>" : held ? "<td>held</td>" :
			"<td class=bad>FAIL</td>");
		buf_lit(b, "</tr>");
	}
	buf_lit(b, "</table>");
}

static void put_table(struct buf *b, const json_t *r)
{
	static const char *const col[] = { "placed", "survived", "rerouted",
					   "adopted", "lost", "ghost" };
	const json_t *row;
	size_t i;

	buf_lit(b, "<h2>Calls by their state at the fault</h2><table><tr>"
		"<th>state");
	for (size_t k = 0; k < 6; k++)
		buf_printf(b, "<th>%s", col[k]);
	buf_lit(b, "</tr>");
	json_array_foreach(json_object_get(r, "table"), i, row) {
		buf_lit(b, "<tr><td>");
		buf_html(b, str(row, "state"));
		buf_lit(b, "</td>");
		for (size_t k = 0; k < 6; k++)
			cell(b, row, col[k]);
		buf_lit(b, "</tr>");
	}
	buf_lit(b, "</table>");
}

/* --- pictures --- */

static long long max_of(long long a, long long b) { return a > b ? a : b; }

static void put_hist(struct buf *b, const json_t *r)
{
	static const char *const phase[] = { "before", "during", "after" };
	static const char *const color[] = { "#5b8def", "#c0392b",
					     "#2e8b57" };
	const json_t *s = json_object_get(r, "setup");
	const json_t *bounds = json_object_get(s, "bounds_ms");
	size_t n = json_array_size(bounds);
	int h = 150;

	buf_lit(b, "<h2>Set-up delay: INVITE to ringing</h2><table><tr><th>"
		"<th>calls<th>p50 ms<th>p99 ms<th>max ms</tr>");
	for (int p = 0; p < 3; p++) {
		const json_t *o = json_object_get(s, phase[p]);

		buf_printf(b, "<tr><td style=\"color:%s\">%s</td>", color[p],
			   phase[p]);
		cell(b, o, "calls");
		cell(b, o, "p50_ms");
		cell(b, o, "p99_ms");
		cell(b, o, "max_ms");
		buf_lit(b, "</tr>");
	}
	buf_printf(b, "</table><svg viewBox=\"0 0 %d %d\" role=img "
		   "aria-label=\"histogram\" font-size=11>", W, h + 20);
	for (int p = 0; p < 3; p++) {
		const json_t *o = json_object_get(s, phase[p]);
		const json_t *bins = json_object_get(o, "bins");
		long long all = max_of(num(o, "calls"), 1);

		for (size_t i = 0; i <= n && i < HIST; i++) {
			long long v = sane(json_array_get(bins, i));
			long long bar = v * h / all;

			if (v && bar < 2)
				bar = 2;
			buf_printf(b, "<rect x=%d y=%lld width=18 height=%lld"
				   " fill=\"%s\"><title>%s: %lld"
				   "</title></rect>", LEFT + (int)i * 67 +
				   p * 19, h - bar, bar, color[p], phase[p],
				   v);
		}
	}
	for (size_t i = 0; i <= n && i < HIST; i++)
		buf_printf(b, "<text x=%d y=%d>%s%lld</text>",
			   LEFT + (int)i * 67, h + 15, i < n ? "&le; " :
			   "&gt; ", (long long)json_integer_value(
			   json_array_get(bounds, i < n ? i : n - 1)));
	buf_lit(b, "</svg>");
}

struct scale {
	long long from, to;
};

static double x_of(const struct scale *s, long long t)
{
	double w = (double)max_of(s->to - s->from, 1);

	if (t < s->from)
		t = s->from;
	if (t > s->to)
		t = s->to;
	return LEFT + (double)(t - s->from) * (W - 2 * LEFT) / w;
}

static long long at(const json_t *strip, size_t i, long long none)
{
	const json_t *v = json_array_get(strip, i);

	return json_is_integer(v) ? sane(v) : none;
}

/** One call, one line: waiting, ringing, talking, in BYE */
static void put_strip(struct buf *b, const struct scale *s,
		      const json_t *strip, int y)
{
	static const char *const color[] = { "#e0a800", "#5b8def", "#2e8b57",
					     "#888" };
	long long end = at(strip, 4, s->to), t[5];
	bool lost = at(strip, 6, 0) != 0;

	t[4] = end;
	for (int i = 3; i >= 0; i--)
		t[i] = at(strip, (size_t)i, t[i + 1]);
	for (int i = 0; i < 4; i++) {
		double x = x_of(s, t[i]), w = x_of(s, t[i + 1]) - x;

		if (t[i + 1] <= t[i])
			continue;
		buf_printf(b, "<rect x=%.1f y=%d width=%.1f height=%d fill="
			   "\"%s\"/>", x, y, w < .5 ? .5 : w, STRIP - 1,
			   color[i]);
	}
	if (lost)
		buf_printf(b, "<rect x=%.1f y=%d width=5 height=%d fill="
			   "\"#b3261e\"/>", x_of(s, end) - 2, y - 1, STRIP);
}

static void put_marks(struct buf *b, const struct scale *s, const json_t *r,
		      int h)
{
	static const struct {
		const char *key, *text, *color;
	} v[] = {
		{ NULL, "fault", "#b3261e" },
		{ "ended_ms", "taken back", "#8a5a00" },
		{ "recovered_ms", "as before", "#1a7f37" },
	};
	const json_t *det = json_object_get(json_object_get(r, "values"),
					    "mttd_ms");

	for (size_t i = 0; i < 3; i++) {
		double x;

		if (v[i].key && !json_object_get(r, v[i].key))
			continue;
		x = x_of(s, v[i].key ? num(r, v[i].key) : 0);
		buf_printf(b, "<path d=\"M%.1f 0V%d\" stroke=\"%s\"/><text "
			   "x=%.1f y=%d fill=\"%s\">%s %+lld ms</text>", x, h,
			   v[i].color, x + 3, 11 + (int)i * LABEL, v[i].color,
			   v[i].text, v[i].key ? num(r, v[i].key) : 0);
	}
	if (det)
		buf_printf(b, "<path d=\"M%.1f 0V%d\" stroke=\"#0b57d0\" "
			   "stroke-dasharray=3 />"
			   "<text x=%.1f y=%d fill=\"#0b57d0\">detected "
			   "%+lld ms</text>", x_of(s, sane(det)),
			   h, x_of(s, sane(det)) + 3,
			   11 + 3 * LABEL, (long long)
			   json_integer_value(det));
}

static void put_line(struct buf *b, const json_t *r)
{
	const json_t *strips = json_object_get(r, "strips"), *c;
	size_t n = json_array_size(strips), i, step, shown = 0;
	struct scale s = { -num(r, "fault_ms"), num(r, "took_ms") -
			   num(r, "fault_ms") };
	int h;

	step = n / STRIPS + 1;
	json_array_foreach(strips, i, c)
		shown += i % step == 0 || at(c, 6, 0);
	if (n)
		s.from = max_of(s.from, at(json_array_get(strips, 0), 0,
					   s.from) - 200);
	h = 5 * LABEL + (int)shown * STRIP;
	buf_printf(b, "<h2>Time line</h2><p>One line for each call%s: "
		   "<span style=\"color:#e0a800\">waiting</span>, "
		   "<span style=\"color:#5b8def\">ringing</span>, "
		   "<span style=\"color:#2e8b57\">answered</span>, in BYE; "
		   "<span class=bad>lost</span>.</p><svg viewBox=\"0 0 %d "
		   "%d\" role=img aria-label=\"time line\" font-size=11>",
		   step > 1 ? " of some, and each lost one" : "", W, h);
	shown = 0;
	json_array_foreach(strips, i, c)
		if (i % step == 0 || at(c, 6, 0))
			put_strip(b, &s, c, 5 * LABEL + (int)shown++ * STRIP);
	put_marks(b, &s, r, h);
	buf_lit(b, "</svg><table><tr><th>ms<th>by<th></tr>");
	json_array_foreach(json_object_get(r, "time_line"), i, c) {
		bool edge = !strcmp(str(c, "by"), "edge");

		buf_printf(b, "<tr><td>%+lld</td><td class=t>%s</td><td "
			   "class=\"t%s\">", num(c, "at_ms"),
			   edge ? "edge" : "drill", edge ? " by-edge" : "");
		buf_html(b, str(c, "text"));
		buf_lit(b, "</td></tr>");
	}
	buf_lit(b, "</table>");
}

static void put_losses(struct buf *b, const json_t *r)
{
	const json_t *c, *list = json_object_get(r, "losses");
	size_t i;

	if (!json_array_size(list))
		return;
	buf_lit(b, "<h2>Lost, or rang wrongly</h2><table><tr><th>Call-ID<th>"
		"at the fault<th>sent ms<th>why<th>code<th>INVITEs</tr>");
	json_array_foreach(list, i, c) {
		buf_lit(b, "<tr><td><code>");
		buf_html(b, str(c, "call_id"));
		buf_lit(b, "</code></td><td class=t>");
		buf_html(b, str(c, "state"));
		buf_printf(b, "</td><td>%+lld</td><td class=t>",
			   num(c, "sent_ms"));
		buf_html(b, str(c, "why"));
		buf_str(b, json_is_true(json_object_get(c, "ghost")) ?
			" ghost</td>" : "</td>");
		cell(b, c, "code");
		cell(b, c, "invites");
		buf_lit(b, "</tr>");
	}
	buf_lit(b, "</table>");
}

int report_html(struct buf *b, const json_t *r)
{
	if (num(r, "report") != 1)
		return EBADMSG;
	buf_lit(b, "<!doctype html><html lang=en><meta charset=utf-8>"
		"<meta name=viewport content=\"width=device-width\"><title>");
	buf_html(b, str(r, "drill"));
	buf_lit(b, ": ");
	buf_html(b, str(r, "verdict"));
	buf_printf(b, "</title><style>%s</style><h1><b class=\"", css);
	buf_html(b, str(r, "verdict"));
	buf_lit(b, "\">");
	buf_html(b, str(r, "verdict"));
	buf_lit(b, "</b> ");
	buf_html(b, str(r, "drill"));
	buf_lit(b, "</h1><p>");
	buf_html(b, str(r, "text"));
	buf_lit(b, "</p><p>");
	buf_html(b, str(r, "why"));
	buf_lit(b, "</p><p>Node ");
	buf_html(b, *str(r, "node") ? str(r, "node") : "-");
	buf_printf(b, " of %lld, ", num(r, "pool"));
	buf_html(b, str(r, "where"));
	buf_lit(b, ", begun ");
	buf_html(b, str(r, "begun"));
	buf_lit(b, " by ");
	buf_html(b, *str(r, "who") ? str(r, "who") : "?");
	buf_lit(b, ", version ");
	buf_html(b, str(r, "version"));
	buf_printf(b, ", %lld calls at the fault and %lld/s, %lld phones</p>",
		   num(r, "calls"), num(r, "rate"), num(r, "phones"));
	put_claims(b, r);
	put_table(b, r);
	put_hist(b, r);
	put_line(b, r);
	put_losses(b, r);
	buf_lit(b, "</html>\n");
	return b->err;
}
