/**
 * @file scan_quick.h  Pure. The forms most messages are made of, taken at a
 * fraction of the price of the full grammar. A quick function accepts less than
 * the strict one beside it, never more: what it does not know goes there. For
 * scan_*.c, uri.c and via.c only.
 *
 * All read up to SCAN_AHEAD bytes behind where they stand, and stand at most on
 * the CR that ends a value: callers see to it that so much is there.
 */
#ifndef SIP_SCAN_QUICK_H
#define SIP_SCAN_QUICK_H

#include "sip/chr.h"

enum { SCAN_AHEAD = 16 };

/** chr_span() without an end: the first character not of the classes */
static inline const char *quick_span(const char *p, unsigned mask)
{
	for (;;) {
#ifdef __SSE2__
		unsigned odd = chr_plain16(p) ^ 0xffff;

		if (!odd) {
			p += 16;
			continue;
		}
		p += __builtin_ctz(odd);
#endif
		if (!chr_is(*p, mask))
			return p;
		p++;
	}
}

/** ":" 1*5DIGIT; NULL = not a port */
static inline const char *quick_port(const char *p)
{
	const char *q = ++p;
	uint32_t n = 0;

	while ((uint8_t)(*q - '0') <= 9 && q - p < 6)
		n = n * 10 + (uint32_t)(*q++ - '0');
	return n && n <= 65535 ? q : NULL;
}

/** "sip:" [user "@"] host [":" port] *(";" param), no escapes; NULL = other */
static inline const char *quick_uri(const char *p)
{
	const char *q;

	if (memcmp(p, "sip:", 4) != 0)
		return NULL;
	p += 4;
	q = quick_span(p, CHR_PLUS);
	if (*q == '@') {
		if (q == p)
			return NULL;
		p = q + 1;
	}
	q = quick_span(p, CHR_HOST);
	if (q == p)
		return NULL;
	if (*q == ':') {
		q = quick_port(q);
		if (!q)
			return NULL;
	}
	while (*q == ';') {
		p = q + 1;
		q = quick_span(p, CHR_PARAM);
		if (q == p || *p == '=')
			return NULL;
	}
	return q;
}

/** ["display" | token SP] "<" quick_uri ">"; NULL = other */
static inline const char *quick_addr(const char *p, const char *e)
{
	if (*p == '"') {
		for (p++; p < e && *p != '"'; p++)
			if (*p == '\\')
				return NULL;
		if (p == e)
			return NULL;
		p++;
	} else if (*p != '<') {
		p = quick_span(p, CHR_TOKEN);
	}
	if (*p == ' ')
		p++;
	if (*p != '<')
		return NULL;
	p = quick_uri(p + 1);
	return p && *p == '>' ? p + 1 : NULL;
}

#endif
