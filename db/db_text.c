/* db_text.c - Pure. */
#include "db/db_text.h"

unsigned db_text_char(struct sl s)
{
	unsigned char c = s.n ? (unsigned char)s.p[0] : 0;
	unsigned more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 :
		c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 9;
	uint32_t u;

	if (!c || more > 3 || s.n - 1 < more)
		return 0;
	u = c & (0x3fu >> more);
	for (unsigned k = 1; k <= more; k++) {
		if (((unsigned char)s.p[k] & 0xc0) != 0x80)
			return 0;
		u = u << 6 | ((unsigned char)s.p[k] & 0x3f);
	}
	/* longer than needed, surrogates, beyond Unicode */
	if (more == 2 && (u < 0x800 || (u >= 0xd800 && u < 0xe000)))
		return 0;
	if (more == 3 && (u < 0x10000 || u > 0x10ffff))
		return 0;
	return more + 1;
}

/** How many of the first bytes are printable ASCII: nearly always all, and each text of
 *  each row passes here twice */
static size_t printable(struct sl s)
{
	size_t n = 0;

	while (n < s.n && (unsigned char)(s.p[n] - ' ') < 0x7f - ' ')
		n++;
	return n;
}

bool db_text_ok(struct sl s)
{
	for (size_t i = printable(s); i < s.n;) {
		unsigned n = db_text_char(sl_sub(s, i, s.n));

		if (!n)
			return false;
		i += n;
	}
	return true;
}

struct sl db_text_shown(char *out, size_t max, struct sl s)
{
	size_t n;

	if (!s.p)
		return SL_NONE;
	n = printable(sl_sub(s, 0, max));
	memcpy(out, s.p, n);
	for (size_t i = n; i < s.n;) {
		unsigned k = db_text_char(sl_sub(s, i, s.n));
		unsigned char c = (unsigned char)s.p[i];
		bool plain = k && c >= ' ' && c != 0x7f;

		if (n + (plain ? k : 1) > max)
			break;
		if (plain)
			memcpy(out + n, s.p + i, k);
		else
			out[n] = '?';
		n += plain ? k : 1;
		i += k ? k : 1;
	}
	return sl_mk(out, n);
}

void db_text_element(struct buf *b, struct sl s)
{
	size_t from = 0;

	buf_chr(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '"' && s.p[i] != '\\')
			continue;
		buf_sl(b, sl_sub(s, from, i));
		buf_chr(b, '\\');
		from = i;
	}
	buf_sl(b, sl_sub(s, from, s.n));
	buf_chr(b, '"');
}
