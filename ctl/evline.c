/* evline.c - Pure. An event as a line. */
#include "ctl/evline.h"
#include <string.h>
#include <time.h>

#define WALL_MAX 253402300799000LL      /* year 9999 [ms] */

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static unsigned long long num(const json_t *o, const char *key)
{
	json_int_t i = json_integer_value(json_object_get(o, key));

	return i > 0 ? (unsigned long long)i : 0;
}

/* Texts of phones and other programs: nothing that moves the cursor, in one
 * byte or as C1 in UTF-8. @return bytes shown */
static size_t put_text(struct buf *b, const char *s)
{
	size_t n = 0;

	for (; *s; s++, n++) {
		const uint8_t c = (uint8_t)*s, d = (uint8_t)s[1];

		if (c == 0xc2 && d < 0xa0) {
			buf_chr(b, '?');
			s += d != 0;
		} else {
			buf_chr(b, c < ' ' || c == 0x7f ? '?' : *s);
		}
	}
	return n;
}

static void put_cell(struct buf *b, const char *s, size_t width)
{
	size_t n = put_text(b, *s ? s : "-");

	for (; n < width; n++)
		buf_chr(b, ' ');
	buf_lit(b, "  ");
}

static void put_time(struct buf *b, json_int_t wall)
{
	time_t s = (time_t)(wall / 1000);
	struct tm tm;

	if (wall < 0 || wall > WALL_MAX || !gmtime_r(&s, &tm)) {
		put_cell(b, "", 24);
		return;
	}
	buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ  ",
		   tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		   tm.tm_min, tm.tm_sec, (int)(wall % 1000));
}

static void put_nodes(struct buf *b, const json_t *e)
{
	const char *from = str(e, "node"), *to = str(e, "to_node");
	size_t n = put_text(b, *from ? from : "-");

	if (*to) {
		buf_lit(b, " > ");
		n += 3 + put_text(b, to);
	}
	for (; n < 13; n++)
		buf_chr(b, ' ');
}

/* " word text" when there is text */
static void put_part(struct buf *b, const char *word, const char *text)
{
	if (!*text)
		return;
	buf_chr(b, ' ');
	buf_str(b, word);
	(void)put_text(b, text);
}

void evline_head(struct buf *b)
{
	buf_printf(b, "%-24s  %5s  %-8s  %-9s  %-12s  %s\n", "TIME", "ID",
		   "SEVERITY", "KIND", "NODE", "WHAT");
}

void evline(struct buf *b, const json_t *e)
{
	put_time(b, json_integer_value(json_object_get(e, "wall_ms")));
	buf_printf(b, "%5llu  ", num(e, "id"));
	put_cell(b, str(e, "severity"), 8);
	put_cell(b, str(e, "kind"), 9);
	put_nodes(b, e);
	put_part(b, "", str(e, "action"));
	put_part(b, "by ", str(e, "who"));
	put_part(b, "", str(e, "reason"));
	put_part(b, "", str(e, "method"));
	put_part(b, "from ", str(e, "from"));
	put_part(b, "to ", str(e, "to"));
	if (num(e, "attempts"))
		buf_printf(b, " attempts %llu", num(e, "attempts"));
	if (json_object_get(e, "age_ms"))
		buf_printf(b, " after %llu ms", num(e, "age_ms"));
	put_part(b, "call ", str(e, "call_id"));
	buf_chr(b, '\n');
}
