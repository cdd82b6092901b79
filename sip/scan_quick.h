/**
 * @file scan_quick.h  Pure. The forms most messages are made of, taken at a
 * fraction of the price of the full grammar. A quick function accepts less than
 * the strict one beside it, never more: what it does not know goes there. For
 * scan_*.c, uri.c and via.c only.
 *
 * All read up to SCAN_AHEAD bytes behind where they stand, and none goes past a
 * CR: callers see to it that a CR is ahead, with so much behind it.
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

/** Up to 9 digits; the end tells whether there were any */
static inline const char *quick_num(const char *p, uint32_t *vp)
{
	const char *max = p + 9;
	uint32_t n = 0;
	unsigned d;

	while ((d = (unsigned)(uint8_t)*p - '0') <= 9 && p < max) {
		n = n * 10 + d;
		p++;
	}
	*vp = n;
	return p;
}

/** ":" port; NULL = not one */
static inline const char *quick_port(const char *p, uint32_t *port)
{
	p = quick_num(p + 1, port);
	return *port && *port <= 65535 ? p : NULL;
}

/** "sip:" [user "@"] host [":" port] *(";" param), no escapes; NULL = other */
static inline const char *quick_uri(const char *p)
{
	const char *q;
	uint32_t port;

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
		q = quick_port(q, &port);
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
static inline const char *quick_addr(const char *p)
{
	if (*p == '"') {
		for (p++; *p != '"'; p++)
			if (*p == '\\' || (uint8_t)*p < 0x20)
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

/** Does the header end at p: a CRLF, and no folded line behind it? */
static inline bool quick_ends(const char *p)
{
	return memcmp(p, "\r\n", 2) == 0 && p[2] != ' ' && p[2] != '\t';
}

#endif
