/**
 * @file chr.h  Pure. Character classes of RFC 3261 25.1, one table look-up
 * each, for the scanner and its neighbours.
 */
#ifndef SIP_CHR_H
#define SIP_CHR_H

#include "base/sl.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
	CHR_TOKEN = 1 << 0,   /**< token                                      */
	CHR_UNRES = 1 << 1,   /**< unreserved                                 */
	CHR_USER = 1 << 2,    /**< unreserved and user-unreserved, and '#',
				   which phones send raw; '%' apart           */
	CHR_PASS = 1 << 3,    /**< of a password; '%' apart                   */
	CHR_PARAM = 1 << 4,   /**< paramchar, and '=' inside values; '%' apart */
	CHR_HEADER = 1 << 5,  /**< of URI headers with '=' and '&'; '%' apart */
	CHR_HOST = 1 << 6,    /**< of a host name or IPv4, and '_'            */
	CHR_HEX = 1 << 7,
	CHR_DIGIT = 1 << 8,
	CHR_VIS = 1 << 9,     /**< 0x21-0x7e                                  */
	CHR_GEN = 1 << 10,    /**< visible, not one of ; , " < > \ : value of a
				   header parameter, taken liberally          */
	CHR_LWS = 1 << 11,    /**< SP HTAB CR LF: blanks of folded lines      */
	CHR_DISP = 1 << 12,   /**< unquoted display name: tokens, LWS, and
				   bytes >= 0x80                              */
	CHR_OPAQUE = 1 << 13, /**< of URIs other than sip: visible, no < > "  */
	CHR_RES = 1 << 14,    /**< reserved: differs from its escaped form    */
	CHR_PLUS = 1 << 15,   /**< unreserved and '+': plain user names       */
};

extern const uint16_t chr_class[256];

static inline bool chr_is(char c, unsigned mask)
{
	return chr_class[(uint8_t)c] & mask;
}

#ifdef __SSE2__
/** Bit i: p[i] is a letter, a digit, '-' or '.', which are in every class but
 *  HEX, DIGIT, LWS and RES. Reads 16 bytes. */
static inline unsigned chr_plain16(const char *p)
{
	__m128i x = _mm_loadu_si128((const __m128i *)p);
	__m128i low = _mm_or_si128(x, _mm_set1_epi8(0x20)), a, d;

	/* a signed compare of the value moved down to -128 is a range check */
	a = _mm_cmplt_epi8(_mm_add_epi8(low, _mm_set1_epi8((char)(0x80 - 'a'))),
			   _mm_set1_epi8(-128 + 26));
	d = _mm_cmplt_epi8(_mm_add_epi8(x, _mm_set1_epi8((char)(0x80 - '-'))),
			   _mm_set1_epi8(-128 + '9' - '-' + 1));
	d = _mm_andnot_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('/')), d);
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(a, d));
}
#endif

/**
 * First character in [p, e) that is not of the classes (not HEX, DIGIT, LWS,
 * RES). Bytes up to `lim` >= e may be read: near the end of a short slice in a
 * longer message that is what makes it quick.
 */
static inline const char *chr_span(const char *p, const char *e,
				   const char *lim, unsigned mask)
{
#ifdef __SSE2__
	while (p < e && lim - p >= 16) {
		unsigned odd = chr_plain16(p) ^ 0xffff;

		if (!odd) {
			p += 16;
			continue;
		}
		p += __builtin_ctz(odd);
		if (p >= e || !chr_is(*p, mask))
			return p < e ? p : e;
		p++;
	}
	if (p > e)
		return e;
#endif
	while (p < e && chr_is(*p, mask))
		p++;
	return p;
}

/** The same for short texts and all classes */
static inline const char *chr_run(const char *p, const char *e, unsigned mask)
{
	while (p < e && chr_is(*p, mask))
		p++;
	return p;
}

/** chr_span() with %HH taken as one of them. A '%' without two digits ends it */
const char *chr_esc(const char *p, const char *e, const char *lim,
		    unsigned mask);

static inline const char *chr_lws(const char *p, const char *e)
{
	return chr_run(p, e, CHR_LWS);
}

/** Past the closing quote of the quoted-string at p, NULL = never closed */
const char *chr_quoted(const char *p, const char *e);

/** Value of a hex digit, -1 = none */
static inline int chr_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static inline char chr_low(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

#ifdef __SSE2__
/* Returns the first byte in [p, e) for which MASK(x) has a bit, or e, 16 at a
 * time, the last ones together with some that were looked at. With fewer than 16
 * bytes in all it does nothing. */
#define CHR_BY_16(p, e, MASK)                                              \
	if ((e) - (p) >= 16) {                                             \
		const char *last = (e) - 16;                               \
		unsigned m;                                                \
		__m128i x;                                                 \
                                                                           \
		for (; (p) < last; (p) += 16) {                            \
			x = _mm_loadu_si128((const __m128i *)(p));         \
			m = (unsigned)_mm_movemask_epi8(MASK(x));          \
			if (m)                                             \
				return (p) + __builtin_ctz(m);             \
		}                                                          \
		/* none before p has one: those were looked at */          \
		x = _mm_loadu_si128((const __m128i *)last);                \
		m = (unsigned)_mm_movemask_epi8(MASK(x));                  \
		return m ? last + __builtin_ctz(m) : (e);                  \
	}
#endif

/** First of three characters in [p, e), or e */
static inline const char *chr_find3(const char *p, const char *e, char a,
				    char b, char c)
{
#ifdef __SSE2__
#define THREE(x) _mm_or_si128(                                     \
		_mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8(a)),  \
			     _mm_cmpeq_epi8(x, _mm_set1_epi8(b))), \
		_mm_cmpeq_epi8(x, _mm_set1_epi8(c)))
	CHR_BY_16(p, e, THREE)
#undef THREE
#endif
	while (p < e && *p != a && *p != b && *p != c)
		p++;
	return p;
}

/** Bit i: p[i] == c, for the next n bytes; n <= 64 */
static inline uint64_t chr_mask64(const char *p, size_t n, char c)
{
	uint64_t m = 0;

	size_t i = 0;

#ifdef __SSE2__
	const __m128i k = _mm_set1_epi8(c);
	const __m128i *v = (const __m128i *)p;
#define CHR_16(j) ((uint64_t)(unsigned)_mm_movemask_epi8( \
		_mm_cmpeq_epi8(_mm_loadu_si128(v + (j)), k)))

	if (n == 64)
		return CHR_16(0) | CHR_16(1) << 16 | CHR_16(2) << 32 |
		       CHR_16(3) << 48;
	for (; i + 16 <= n; i += 16)
		m |= CHR_16(i / 16) << i;
#undef CHR_16
#endif
	for (; i < n; i++)
		m |= (uint64_t)(p[i] == c) << i;
	return m;
}

/** First c in [p, e), or e; for short distances quicker than memchr() */
static inline const char *chr_find(const char *p, const char *e, char c)
{
#ifdef __SSE2__
#define ONE(x) _mm_cmpeq_epi8(x, _mm_set1_epi8(c))
	CHR_BY_16(p, e, ONE)
#undef ONE
#endif
	while (p < e && *p != c)
		p++;
	return p;
}

/** Last c in [p, e), NULL = none */
static inline const char *chr_last(const char *p, const char *e, char c)
{
#ifdef __SSE2__
	for (; e - p >= 16; e -= 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(e - 16));
		int m = _mm_movemask_epi8(
			_mm_cmpeq_epi8(x, _mm_set1_epi8(c)));

		if (m)
			return e - 1 - (__builtin_clz((unsigned)m) - 16);
	}
#endif
	while (e > p)
		if (*--e == c)
			return e;
	return NULL;
}

/** First byte below 0x20 in [p, e), or e */
static inline const char *chr_ctl(const char *p, const char *e)
{
#ifdef __SSE2__
	const __m128i max = _mm_set1_epi8(0x1f);
#define CTL(x) _mm_cmpeq_epi8(_mm_min_epu8(x, max), x)
	CHR_BY_16(p, e, CTL)
#undef CTL
#endif
	while (p < e && (uint8_t)*p >= 0x20)
		p++;
	return p;
}

#endif
