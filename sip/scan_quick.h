/**
 * @file scan_quick.h  Pure. The forms most messages are made of, taken at a
 * fraction of the price of the full grammar. A quick function accepts less than
 * the strict one beside it, never more: what it does not know goes there. For
 * scan_*.c, glance.c, uri.c and via.c only.
 *
 * All read up to SCAN_AHEAD bytes behind where they stand, and none goes past a
 * CR: callers see to it that a CR is ahead, with so much behind it.
 */
#ifndef SIP_SCAN_QUICK_H
#define SIP_SCAN_QUICK_H

#include "sip/chr.h"
#include "sip/scan.h"

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

/** First byte below 0x20, for which the CR ahead stands at the latest */
static inline const char *quick_ctl(const char *p)
{
#ifdef __SSE2__
	const __m128i max = _mm_set1_epi8(0x1f);
	unsigned m;

	for (;; p += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)p);

		m = (unsigned)_mm_movemask_epi8(
			_mm_cmpeq_epi8(_mm_min_epu8(x, max), x));
		if (m)
			return p + __builtin_ctz(m);
	}
#else
	while ((uint8_t)*p >= 0x20)
		p++;
	return p;
#endif
}

/** 1 to `max` (at most 9) digits; NULL = none, or more */
static inline const char *quick_num(const char *p, unsigned max, uint32_t *vp)
{
	const char *q = p;
	uint32_t n = 0;   /* of more digits: anything */
	unsigned d;

	while ((d = (unsigned)(uint8_t)*q - '0') <= 9) {
		n = n * 10 + d;
		q++;
	}
	*vp = n;
	return (size_t)(q - p) - 1 < max ? q : NULL;
}

/** ":" port; NULL = not one */
static inline const char *quick_port(const char *p, uint32_t *port)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint32_t w, t;
	unsigned d;

	memcpy(&w, p + 1, sizeof(w));
	t = w - 0x30303030;
	/* most have four digits: none below '0', none above '9' */
	if (!((t | (w + 0x46464646)) & 0x80808080)) {
		t = (t * 10 + (t >> 8)) & 0x00ff00ff;
		t = (t * 100 + (t >> 16)) & 0xffff;
		d = (unsigned)(uint8_t)p[5] - '0';
		if (d > 9) {
			*port = t;
			return t ? p + 5 : NULL;
		}
	}
#endif
	p = quick_num(p + 1, 5, port);
	return *port - 1 < 65535 ? p : NULL;
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
		/* what most routes and many contacts end in */
		if (memcmp(p, "transport=", 10) == 0 &&
		    chr_is(p[10], CHR_PARAM) && chr_is(p[11], CHR_PARAM) &&
		    chr_is(p[12], CHR_PARAM) && !chr_is(p[13], CHR_PARAM)) {
			q = p + 13;
			continue;
		}
		if (memcmp(p, "lr", 2) == 0 && !chr_is(p[2], CHR_PARAM)) {
			q = p + 2;
			continue;
		}
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

/** A via-parm in its usual spelling: its end, not looked at; NULL = other, *v
 *  holds anything then. `keep`: into *v, which is clear; else v is not used */
static inline const char *quick_via(struct via *v, const char *p, bool keep)
{
	const char *q, *t;
	uint32_t port = 0;
	struct via w;

	if (memcmp(p, "SIP/2.0/", 8) != 0 || p[11] != ' ' ||
	    !chr_is(p[8], CHR_TOKEN) || !chr_is(p[9], CHR_TOKEN) ||
	    !chr_is(p[10], CHR_TOKEN))
		return NULL;
	if (!keep) {
		v = &w;
		w.rport = w.alias = false;
		w.branch = w.received = SL_NONE;
	}
	t = p + 12;
	q = quick_span(t, CHR_HOST);
	if (q == t)
		return NULL;
	v->tp = sl_mk(p + 8, 3);
	v->host = sl_mk(t, (size_t)(q - t));
	if (*q == ':') {
		q = quick_port(q, &port);
		if (!q)
			return NULL;
		v->port = (uint16_t)port;
	}
	v->sentby = sl_mk(t, (size_t)(q - t));
	if (*q != ';')
		return q;
	t = q + 1;
	while (*q == ';') {
		p = q;
		if (memcmp(p, ";branch=", 8) == 0) {
			q = quick_span(p + 8, CHR_TOKEN);
			if (q == p + 8 || sl_isset(v->branch))
				return NULL;
			v->branch = sl_mk(p + 8, (size_t)(q - p - 8));
		} else if (memcmp(p, ";rport", 6) == 0) {
			q = p + 6;
			if (*q == '=') {
				q = quick_span(q + 1, CHR_TOKEN);
				v->rport_set = q > p + 7;
			}
			if (v->rport)
				return NULL;
			v->rport = true;
			v->rport_txt = sl_mk(p, (size_t)(q - p));
		} else if (memcmp(p, ";received=", 10) == 0) {
			q = quick_span(p + 10, CHR_TOKEN);
			if (q == p + 10 || sl_isset(v->received))
				return NULL;
			v->received = sl_mk(p + 10, (size_t)(q - p - 10));
			v->received_txt = sl_mk(p, (size_t)(q - p));
		} else if (memcmp(p, ";alias", 6) == 0) {
			q = p + 6;
			v->alias = true;
		} else {
			return NULL;
		}
	}
	if (q > t)
		v->params = sl_mk(t, (size_t)(q - t));
	return q;
}

/** Does the header end at p: a CRLF, and no folded line behind it? */
static inline bool quick_ends(const char *p)
{
	/* neither SP nor HTAB, nor others that no line begins with */
	return memcmp(p, "\r\n", 2) == 0 && (p[2] & ~0x29) != 0;
}

#endif
