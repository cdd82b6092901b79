/* report_text.c - Pure. A report for a terminal. */
#include "drill/report.h"
#include <errno.h>
#include <string.h>

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static long long num(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

/** Reports are files, and may be anybody's: nothing that moves the cursor */
static void put(struct buf *b, const char *s)
{
	for (; *s; s++)
		buf_chr(b, (uint8_t)*s < ' ' || *s == 0x7f ? '?' : *s);
}

static void put_value(struct buf *b, const json_t *c, const char *key)
{
	const json_t *v = json_object_get(c, key);

	if (!json_is_integer(v))
		buf_printf(b, "%9s", strcmp(key, "value") ? "-" : "no data");
	else
		buf_printf(b, "%9lld", (long long)json_integer_value(v));
}

static void put_claims(struct buf *b, const json_t *r)
{
	const json_t *c;
	size_t i;

	buf_printf(b, "\n%-22s %9s %9s %9s  %s\n", "CLAIM", "MEASURED",
		   "AT MOST", "LAST RUN", "");
	json_array_foreach(json_object_get(r, "claims"), i, c) {
		bool claimed = json_is_integer(json_object_get(c, "limit"));

		buf_printf(b, "%-22.40s ", str(c, "claim"));
		put_value(b, c, "value");
		buf_chr(b, ' ');
		put_value(b, c, "limit");
		buf_chr(b, ' ');
		put_value(b, c, "last");
		buf_printf(b, "  %s  ", !claimed ? "    " : json_is_true(
			json_object_get(c, "held")) ? "held" : "FAIL");
		put(b, str(c, "text"));
		buf_chr(b, '\n');
	}
}

static void put_table(struct buf *b, const json_t *r)
{
	static const char *const col[] = { "placed", "survived", "rerouted",
					   "adopted", "lost", "ghost" };
	const json_t *row;
	size_t i;

	buf_printf(b, "\n%-14s", "AT THE FAULT");
	for (size_t k = 0; k < 6; k++)
		buf_printf(b, " %9s", col[k]);
	buf_chr(b, '\n');
	json_array_foreach(json_object_get(r, "table"), i, row) {
		buf_printf(b, "%-14.20s", str(row, "state"));
		for (size_t k = 0; k < 6; k++)
			buf_printf(b, " %9lld", num(row, col[k]));
		buf_chr(b, '\n');
	}
}

static void put_setup(struct buf *b, const json_t *r)
{
	static const char *const phase[] = { "before", "during", "after" };
	const json_t *s = json_object_get(r, "setup");

	buf_printf(b, "\n%-14s %9s %9s %9s %9s\n", "SET-UP DELAY", "calls",
		   "p50 ms", "p99 ms", "max ms");
	for (size_t i = 0; i < 3; i++) {
		const json_t *h = json_object_get(s, phase[i]);

		buf_printf(b, "%-14s %9lld %9lld %9lld %9lld\n", phase[i],
			   num(h, "calls"), num(h, "p50_ms"),
			   num(h, "p99_ms"), num(h, "max_ms"));
	}
}

static void put_losses(struct buf *b, const json_t *r)
{
	const json_t *c, *list = json_object_get(r, "losses");
	size_t i;

	if (!json_array_size(list))
		return;
	buf_lit(b, "\nLOST, OR RANG WRONGLY\n");
	json_array_foreach(list, i, c) {
		if (i == 50) {
			buf_printf(b, "... %zu more are in the JSON\n",
				   json_array_size(list) - i);
			break;
		}
		put(b, str(c, "call_id"));
		buf_printf(b, "  %s at the fault, sent at %+lld ms: ",
			   str(c, "state"), num(c, "sent_ms"));
		put(b, str(c, "why"));
		if (num(c, "code"))
			buf_printf(b, " %lld", num(c, "code"));
		if (num(c, "invites") > 1)
			buf_printf(b, ", %lld INVITEs", num(c, "invites"));
		buf_str(b, json_is_true(json_object_get(c, "ghost")) ?
			", ghost\n" : "\n");
	}
}

int report_text(struct buf *b, const json_t *r)
{
	const json_t *n;
	size_t i;

	if (num(r, "report") != 1)
		return EBADMSG;
	buf_printf(b, "%-8s ", str(r, "verdict"));
	put(b, str(r, "drill"));
	buf_lit(b, ": ");
	put(b, str(r, "text"));
	if (*str(r, "why")) {
		buf_lit(b, "\n         ");
		put(b, str(r, "why"));
	}
	buf_lit(b, "\n         node ");
	put(b, *str(r, "node") ? str(r, "node") : "-");
	buf_printf(b, " of %lld, ", num(r, "pool"));
	put(b, str(r, "where"));
	buf_lit(b, ", ");
	put(b, str(r, "begun"));
	buf_printf(b, ", %lld.%lld s\n", num(r, "took_ms") / 1000,
		   num(r, "took_ms") / 100 % 10);
	put_claims(b, r);
	put_table(b, r);
	put_setup(b, r);
	n = json_object_get(r, "registrations");
	buf_printf(b, "\nREGISTER: %lld sent, %lld done, %lld refused, "
		   "%lld silent, %lld cut, slowest %lld ms\n", num(n, "sent"),
		   num(n, "done"), num(n, "refused"), num(n, "silent"),
		   num(n, "broken"), num(n, "slowest_ms"));
	buf_lit(b, "\nTIME LINE, ms from the fault\n");
	json_array_foreach(json_object_get(r, "time_line"), i, n) {
		buf_printf(b, "%+8lld  %-5.5s  ", num(n, "at_ms"),
			   str(n, "by"));
		put(b, str(n, "text"));
		buf_chr(b, '\n');
	}
	put_losses(b, r);
	return b->err;
}
