/* Character classes against the alphabets of RFC 3261 25.1. */
#include "sip/chr.h"
#include "tests/sip/msg.h"

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define MARK "-_.!~*'()"

Test(chr, classes_are_those_of_the_grammar)
{
	static const struct {
		unsigned mask;
		const char *set;
	} v[] = {
		{CHR_TOKEN, ALNUM "-.!%*_+`'~"},
		{CHR_UNRES, ALNUM MARK},
		{CHR_USER, ALNUM MARK "&=+$,;?/#"},
		{CHR_PASS, ALNUM MARK "&=+$,"},
		{CHR_PARAM, ALNUM MARK "[]/:&+$="},
		{CHR_HEADER, ALNUM MARK "[]/?:+$=&"},
		{CHR_HOST, ALNUM "-._"},
		{CHR_HEX, "0123456789abcdefABCDEF"},
		{CHR_DIGIT, "0123456789"},
		{CHR_LWS, " \t\r\n"},
		{CHR_PLUS, ALNUM MARK "+"},
		{CHR_RES, ";/?:@&=+$,"},
	};

	for (unsigned i = 0; i < LEN(v); i++)
		for (int c = 0; c < 256; c++)
			cr_assert_eq(chr_is((char)c, v[i].mask),
				     c && strchr(v[i].set, c), "%u: %d", i, c);
	for (int c = 0; c < 256; c++) {
		bool vis = c > 0x20 && c < 0x7f;

		cr_assert_eq(chr_is((char)c, CHR_VIS), vis);
		cr_assert_eq(chr_is((char)c, CHR_GEN),
			     vis && !strchr(";,\"<>\\", c));
		cr_assert_eq(chr_is((char)c, CHR_OPAQUE),
			     vis && !strchr("\"<>", c));
		cr_assert_eq(chr_is((char)c, CHR_DISP),
			     c >= 0x80 || chr_is((char)c, CHR_TOKEN | CHR_LWS));
	}
}

Test(chr, first_control_is_found_at_every_place)
{
	for (size_t n = 0; n < 40; n++) {
		for (size_t at = 0; at <= n; at++) {
			for (int c = 0; c < 256; c += 3) {
				char *p = msg_copy("", 0), *q;

				free(p);
				p = malloc(n + 1);
				memset(p, 0x80 + (c & 0x7f), n);
				q = p + at;
				if (at < n)
					*q = (char)c;
				cr_assert_eq(chr_ctl(p, p + n),
					     c < 32 ? q : p + n);
				free(p);
			}
		}
	}
}

Test(chr, quoted_strings_end_where_they_should)
{
	static const struct {
		const char *s;
		int len;      /* -1 = not closed */
	} v[] = {
		{"\"\"x", 2}, {"\"a\\\"b\"", 6}, {"\"a\\\\\"b\"", 5},
		{"\"a", -1}, {"\"a\\\"", -1}, {"\"\\", -1}, {"\"", -1},
	};

	for (unsigned i = 0; i < LEN(v); i++) {
		size_t n = strlen(v[i].s);
		char *p = msg_copy(v[i].s, n);
		const char *q = chr_quoted(p, p + n);

		cr_assert_eq(q ? q - p : -1, v[i].len, "%s", v[i].s);
		free(p);
	}
}

/* every length and place around the 16 bytes taken at once */
Test(chr, characters_are_found_at_every_place)
{
	for (size_t n = 0; n < 50; n++) {
		for (size_t at = 0; at <= n; at++) {
			char *p = malloc(n ? n : 1);
			const char *e = p + n, *hit = at < n ? p + at : e;

			memset(p, 'x', n);
			if (at < n)
				p[at] = ';';
			cr_assert_eq(chr_find(p, e, ';'), hit);
			cr_assert_eq(chr_find3(p, e, 'a', 'b', ';'), hit);
			cr_assert_eq(chr_find3(p, e, ';', 'a', 'b'), hit);
			cr_assert_eq(chr_last(p, e, ';'), at < n ? hit : NULL);
			cr_assert_eq(chr_span(p, e, e, CHR_TOKEN), hit);
			free(p);
		}
	}
}

Test(chr, a_mask_has_a_bit_for_each)
{
	char text[64];

	for (size_t i = 0; i < 64; i++) {
		memset(text, '.', sizeof(text));
		text[i] = text[63] = '\n';
		cr_assert_eq(chr_mask64(text, 64, '\n'),
			     1ull << i | 1ull << 63);
		cr_assert_eq(chr_mask64(text, i + 1, '\n'), 1ull << i);
	}
}

Test(chr, a_span_passes_what_its_classes_hold)
{
	static const char text[] =
		"abcdefghijklm.nop-qrstuv_wxyz+ABC/DEF~GHIJKLMNOP;rest";
	const char *e = text + sizeof(text) - 1;

	cr_assert_eq(chr_span(text, e, e, CHR_TOKEN), strchr(text, '/'));
	cr_assert_eq(chr_span(text, e, e, CHR_HOST), strchr(text, '+'));
	cr_assert_eq(chr_span(text, e, e, CHR_USER), e);
	/* reading ahead does not go on behind the end */
	for (size_t n = 0; n < 30; n++)
		cr_assert_eq(chr_span(text, text + n, e, CHR_USER), text + n);
}
