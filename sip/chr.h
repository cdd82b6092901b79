/**
 * @file chr.h  Pure. Character classes of RFC 3261 25.1, one table look-up
 * each, for the scanner and its neighbours.
 */
#ifndef SIP_CHR_H
#define SIP_CHR_H

#include "base/sl.h"

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
};

extern const uint16_t chr_class[256];

static inline bool chr_is(char c, unsigned mask)
{
	return chr_class[(uint8_t)c] & mask;
}

/** First character in [p, e) that is not of the classes */
static inline const char *chr_run(const char *p, const char *e, unsigned mask)
{
	while (p < e && chr_is(*p, mask))
		p++;
	return p;
}

/** The same, with %HH taken as one of them. A '%' without two digits ends it */
const char *chr_run_esc(const char *p, const char *e, unsigned mask);

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

/** First byte below 0x20 in [p, e), or e */
const char *chr_ctl(const char *p, const char *e);

#endif
