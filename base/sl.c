/* sl.c - Pure. Slices and the number parser. */
#include "base/sl.h"
#include <errno.h>

static inline uint8_t low(uint8_t c)
{
	return (uint8_t)(c - 'A') < 26 ? c | 0x20 : c;
}

static bool ieq(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a[i] != b[i] && low((uint8_t)a[i]) != low((uint8_t)b[i]))
			return false;
	}
	return true;
}

bool sl_ieq(struct sl a, struct sl b)
{
	/* nearly always the case is the same, too */
	return a.n == b.n &&
	       (a.n == 0 || memcmp(a.p, b.p, a.n) == 0 || ieq(a.p, b.p, a.n));
}

bool sl_istarts(struct sl s, struct sl prefix)
{
	return s.n >= prefix.n &&
	       (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0 ||
		ieq(s.p, prefix.p, prefix.n));
}

size_t sl_chr(struct sl s, char c)
{
	const char *p = s.n ? memchr(s.p, c, s.n) : NULL;

	return p ? (size_t)(p - s.p) : s.n;
}

size_t sl_find(struct sl s, struct sl word)
{
	size_t at = 0, n;

	if (!word.n)
		return 0;
	for (; s.n - at >= word.n; at++) {
		n = s.n - at - word.n + 1;       /* where it may begin */
		at += sl_chr(sl_mk(s.p + at, n), word.p[0]);
		if (at + word.n > s.n)
			break;
		if (memcmp(s.p + at, word.p, word.n) == 0)
			return at;
	}
	return s.n;
}

static inline bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct sl sl_trim(struct sl s)
{
	while (s.n && blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct sl sl_lower(char *dst, struct sl s)
{
	for (size_t i = 0; i < s.n; i++)
		dst[i] = (char)low((uint8_t)s.p[i]);
	return sl_mk(dst, s.n);
}

struct sl sl_param(struct sl query, struct sl name)
{
	struct sl q = query;

	while (q.n) {
		size_t end = sl_chr(q, '&');
		struct sl one = sl_sub(q, 0, end);
		size_t eq = sl_chr(one, '=');

		if (sl_eq(sl_sub(one, 0, eq), name))
			return sl_sub(one, eq + 1, one.n);
		q = sl_sub(q, end + 1, q.n);
	}
	return SL_NONE;
}

void sl_text(char *to, size_t size, const char *from)
{
	size_t n = strlen(from);

	if (n >= size) {
		n = size - 1;
		while (n && ((uint8_t)from[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(to, from, n);
	to[n] = '\0';
}

int sl_cmp(struct sl a, struct sl b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n ? memcmp(a.p, b.p, n) : 0;

	if (d)
		return d < 0 ? -1 : 1;
	return a.n < b.n ? -1 : a.n > b.n;
}

int sl_u64(struct sl s, uint64_t max, uint64_t *vp)
{
	uint64_t v = 0;
	bool over = false;

	if (!s.n)
		return EBADMSG;
	/* all digits are looked at, so that 99..9x is malformed, not large */
	for (size_t i = 0; i < s.n; i++) {
		uint8_t d = (uint8_t)(s.p[i] - '0');

		if (d > 9)
			return EBADMSG;
		if (i >= 19 && (over || v > (UINT64_MAX - d) / 10)) {
			over = true;
			continue;
		}
		v = v * 10 + d;
	}
	if (over || v > max)
		return ERANGE;
	*vp = v;
	return 0;
}

int sl_u32(struct sl s, uint32_t max, uint32_t *vp)
{
	uint64_t v;
	int err = sl_u64(s, max, &v);

	if (!err)
		*vp = (uint32_t)v;
	return err;
}

int sl_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* value + 1 of each digit; 0 = none */
static const uint8_t hex_val[256] = {
	['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
	['A'] = 11, 12, 13, 14, 15, 16,
	['a'] = 11, 12, 13, 14, 15, 16,
};

int sl_hex_u64(struct sl s, uint64_t *vp)
{
	uint64_t v = 0;

	if (!s.n || s.n > 16)
		return EBADMSG;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t d = hex_val[(uint8_t)s.p[i]];

		if (!d)
			return EBADMSG;
		v = v << 4 | (uint64_t)(d - 1);
	}
	*vp = v;
	return 0;
}

int sl_unhex(uint8_t *out, size_t n, struct sl s)
{
	if (s.n != 2 * n)
		return EBADMSG;
	for (size_t i = 0; i < n; i++) {
		int hi = sl_hex_digit(s.p[2 * i]);
		int lo = sl_hex_digit(s.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return EBADMSG;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}
