/**
 * @file sl.h  Pure. The one bounded slice type: borrowed bytes, never NUL
 * terminated, never written through.
 */
#ifndef BASE_SL_H
#define BASE_SL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sl {
	const char *p;   /**< may be NULL when n is 0; NULL means "absent"  */
	size_t n;        /**< length [bytes]                                */
};

/** Slice of a string literal */
#define SL(lit) ((struct sl){ (lit), sizeof(lit) - 1 })
#define SL_NONE ((struct sl){ NULL, 0 })
/** For printf("%.*s") */
#define SL_FMT(s) (int)(s).n, (s).p

static inline bool sl_isset(struct sl s) { return s.p != NULL; }

static inline struct sl sl_mk(const void *p, size_t n)
{
	return (struct sl){ (const char *)p, n };
}

static inline struct sl sl_cstr(const char *s)
{
	return (struct sl){ s, s ? strlen(s) : 0 };
}

static inline bool sl_eq(struct sl a, struct sl b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/** Bytes [from, to) of s, clamped to s */
static inline struct sl sl_sub(struct sl s, size_t from, size_t to)
{
	if (to > s.n)
		to = s.n;
	if (from > to)
		from = to;
	return (struct sl){ s.p + from, to - from };
}

/** Compare, ASCII letters without case */
bool sl_ieq(struct sl a, struct sl b);
/** Starts with prefix (case-sensitive / not). Inline: mostly a literal, which
 *  is then a compare or two */
static inline bool sl_starts(struct sl s, struct sl prefix)
{
	return s.n >= prefix.n &&
	       (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}
bool sl_istarts(struct sl s, struct sl prefix);
/** First position of c, or s.n */
size_t sl_chr(struct sl s, char c);
/** First position of word, or s.n. Quicker than memmem(), which prepares for long
 *  texts, where the first character of word is rare */
size_t sl_find(struct sl s, struct sl word);
/** Without leading and trailing SP, HTAB, CR, LF (folding included) */
struct sl sl_trim(struct sl s);
/** Lower-case copy into dst (at least s.n bytes); returns the copy */
struct sl sl_lower(char *dst, struct sl s);
/** Value of name in "a=1&b=2" (not decoded), SL_NONE = not there */
struct sl sl_param(struct sl query, struct sl name);
/** Text (UTF-8) with its NUL into to[size], cut at the begin of a character */
void sl_text(char *to, size_t size, const char *from);
/** Three-way order by bytes, then length */
int sl_cmp(struct sl a, struct sl b);

/**
 * The one number parser: decimal digits only, no sign, no blanks.
 *
 * @return 0; EBADMSG: empty or another character; ERANGE: above max
 */
int sl_u64(struct sl s, uint64_t max, uint64_t *vp);
int sl_u32(struct sl s, uint32_t max, uint32_t *vp);

/** Value of a hexadecimal digit of either case, or -1 */
int sl_hex_digit(char c);
/** Hexadecimal digits alone, 1 to 16 of them. @return 0 or EBADMSG */
int sl_hex_u64(struct sl s, uint64_t *vp);
/** 2 n digits into n bytes. @return 0 or EBADMSG: out may hold some of them */
int sl_unhex(uint8_t *out, size_t n, struct sl s);

#endif
