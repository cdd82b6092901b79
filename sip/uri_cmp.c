/* uri_cmp.c - Pure. When two URIs are the same: RFC 3261 19.1.4, and the
 * canonical forms that serve as keys. */
#include <errno.h>
#include <stdlib.h>

#include "sip/chr.h"
#include "sip/uri.h"

enum { URI_PARTS = 64 };   /* parameters, and headers, of one URI looked at */

/* One character of an escaped text. A reserved character that was escaped
 * differs from the same one that was not: it gets bit 8. */
static int esc_next(const char **pp, const char *e)
{
	const char *p = *pp;
	int c = (uint8_t)*p;

	if (c != '%' || e - p < 3 || chr_hex(p[1]) < 0 || chr_hex(p[2]) < 0) {
		*pp = p + 1;
		return c;
	}
	*pp = p + 3;
	c = chr_hex(p[1]) << 4 | chr_hex(p[2]);
	return chr_is((char)c, CHR_RES) ? c | 0x100 : c;
}

static int low(int c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool esc_eq(struct sl a, struct sl b, bool nocase)
{
	const char *p = a.p, *q = b.p, *pe, *qe;

	if (!a.n || !b.n)
		return a.n == b.n;
	pe = p + a.n;
	qe = q + b.n;
	while (p < pe && q < qe) {
		int c = esc_next(&p, pe), d = esc_next(&q, qe);

		if (c != d && !(nocase && low(c) == low(d)))
			return false;
	}
	return p == pe && q == qe;
}

static bool opt_eq(struct sl a, struct sl b, bool nocase)
{
	return sl_isset(a) == sl_isset(b) && esc_eq(a, b, nocase);
}

static bool host_eq(struct sl a, struct sl b)
{
	struct addr x = {0}, y = {0};

	if (sl_ieq(a, b))
		return true;
	return a.n && b.n && *a.p == '[' && *b.p == '[' &&
	       !addr_parse_ip(&x, a) && !addr_parse_ip(&y, b) &&
	       addr_ip_eq(&x, &y);
}

/* next "name[=value]" of a text whose parts end with sep */
static bool part_next(struct sl *rest, char sep, struct sl *name,
		      struct sl *val)
{
	struct sl part;
	size_t n;

	do {
		if (!rest->n)
			return false;
		n = sl_chr(*rest, sep);
		part = sl_sub(*rest, 0, n);
		*rest = sl_sub(*rest, n < rest->n ? n + 1 : n, rest->n);
	} while (!part.n);
	n = sl_chr(part, '=');
	*name = sl_sub(part, 0, n);
	*val = n < part.n ? sl_sub(part, n + 1, part.n) : SL_NONE;
	return true;
}

static bool part_find(struct sl s, char sep, struct sl name, struct sl *val)
{
	struct sl n;

	while (part_next(&s, sep, &n, val))
		if (esc_eq(n, name, true))
			return true;
	return false;
}

/* may not stand in one URI only */
static bool param_strict(struct sl name)
{
	static const char *const strict[] = {"transport", "user", "ttl",
					     "method", "maddr"};

	for (unsigned i = 0; i < sizeof(strict) / sizeof(*strict); i++)
		if (sl_ieq(name, sl_cstr(strict[i])))
			return true;
	return false;
}

/* every parameter of a is in b with the same value, or may be missing there */
static bool params_within(struct sl a, struct sl b)
{
	struct sl all = b, name, v, w;
	unsigned n = 0;

	while (part_next(&a, ';', &name, &v)) {
		if (++n > URI_PARTS)
			return false;
		if (part_find(all, ';', name, &w)) {
			if (!opt_eq(v, w, true))
				return false;
		} else if (param_strict(name)) {
			return false;
		}
	}
	return true;
}

static bool headers_within(struct sl a, struct sl b)
{
	struct sl name, v, w;
	unsigned n = 0;

	while (part_next(&a, '&', &name, &v))
		if (++n > URI_PARTS || !part_find(b, '&', name, &w) ||
		    !opt_eq(v, w, false))
			return false;
	return true;
}

bool uri_equal(struct sl a, struct sl b)
{
	struct uri x, y;

	if (uri_parse(&x, a) || uri_parse(&y, b) || x.scheme != y.scheme)
		return false;
	if (sl_eq(a, b))
		return true;   /* also when a parameter is there twice */
	if (x.scheme == URI_TEL || x.scheme == URI_OTHER)
		return sl_ieq(x.scheme_txt, y.scheme_txt) &&
		       sl_eq(sl_sub(a, x.scheme_txt.n, a.n),
			     sl_sub(b, y.scheme_txt.n, b.n));
	return opt_eq(x.user, y.user, false) && opt_eq(x.pass, y.pass, false) &&
	       host_eq(x.host, y.host) && x.port == y.port &&
	       params_within(x.params, y.params) &&
	       params_within(y.params, x.params) &&
	       headers_within(x.headers, y.headers) &&
	       headers_within(y.headers, x.headers);
}

/* escapes of unreserved characters away, the others with upper-case digits;
 * raw characters that need no escape only by leniency ('#') are escaped */
static void canon_esc(struct buf *b, struct sl s, bool nocase)
{
	static const char hex[] = "0123456789ABCDEF";
	const char *p = s.p, *e = s.n ? p + s.n : p;

	while (p < e) {
		bool raw = *p != '%';
		int c = esc_next(&p, e);
		char ch = (char)c;

		if (nocase)
			ch = chr_low(ch);
		if (chr_is(ch, CHR_UNRES) ||
		    (raw && ch != '#' && ch != '%')) {
			buf_chr(b, ch);
		} else {
			buf_chr(b, '%');
			buf_chr(b, hex[(uint8_t)ch >> 4]);
			buf_chr(b, hex[(uint8_t)ch & 15]);
		}
	}
}

static void canon_host(struct buf *b, struct sl host)
{
	struct addr a = {0};

	if (host.n && *host.p == '[' && !addr_parse_ip(&a, host)) {
		addr_put_ip(b, &a);
		return;
	}
	for (size_t i = 0; i < host.n; i++)
		buf_chr(b, chr_low(host.p[i]));
}

/* what a canonical form wrote from `start` on goes away again on error */
static int canon_end(struct buf *out, size_t start, size_t max)
{
	int err = out->err;

	if (!err && out->n - start > max)
		err = ENOSPC;
	if (err)
		out->n = start;
	return err;
}

int aor_canon(struct buf *out, struct sl uri)
{
	size_t start = out->n;
	struct uri u;

	if (uri_parse(&u, uri) ||
	    (u.scheme != URI_SIP && u.scheme != URI_SIPS))
		return EBADMSG;
	if (u.user.n) {
		canon_esc(out, u.user, false);
		buf_chr(out, '@');
	}
	canon_host(out, u.host);
	return canon_end(out, start, SIP_AOR_MAX);
}

/* canonical text of every part in tmp, sorted, written with its separators */
static int canon_parts(struct buf *out, struct sl s, char first, char sep,
		       bool nocase)
{
	uint8_t mem[SIP_CONTACT_CANON_MAX];
	struct sl part[URI_PARTS], name, val;
	struct buf tmp;
	unsigned n = 0;

	buf_fixed(&tmp, mem, sizeof(mem));
	while (part_next(&s, sep, &name, &val)) {
		size_t from = tmp.n;
		struct sl x;
		unsigned k;

		if (n == URI_PARTS)
			return ENOSPC;
		canon_esc(&tmp, name, true);
		if (sl_isset(val)) {
			buf_chr(&tmp, '=');
			canon_esc(&tmp, val, nocase);
		}
		if (tmp.err)
			return tmp.err;
		x = sl_mk(mem + from, tmp.n - from);
		for (k = n++; k && sl_cmp(part[k - 1], x) > 0; k--)
			part[k] = part[k - 1];
		part[k] = x;
	}
	for (unsigned i = 0; i < n; i++) {
		buf_chr(out, i ? sep : first);
		buf_sl(out, part[i]);
	}
	return 0;
}

int contact_canon(struct buf *out, struct sl uri)
{
	size_t start = out->n;
	struct uri u;
	int err;

	if (uri_parse(&u, uri))
		return EBADMSG;
	for (size_t i = 0; i < u.scheme_txt.n; i++)
		buf_chr(out, chr_low(u.scheme_txt.p[i]));
	if (u.scheme == URI_TEL || u.scheme == URI_OTHER) {
		buf_sl(out, sl_sub(uri, u.scheme_txt.n, uri.n));
		return canon_end(out, start, SIP_CONTACT_CANON_MAX);
	}
	buf_chr(out, ':');
	if (sl_isset(u.user)) {
		canon_esc(out, u.user, false);
		if (sl_isset(u.pass)) {
			buf_chr(out, ':');
			canon_esc(out, u.pass, false);
		}
		buf_chr(out, '@');
	}
	canon_host(out, u.host);
	if (u.port) {
		buf_chr(out, ':');
		buf_u64(out, u.port);
	}
	err = canon_parts(out, u.params, ';', ';', true);
	if (!err)
		err = canon_parts(out, u.headers, '?', '&', false);
	if (err) {
		out->n = start;
		return err;
	}
	return canon_end(out, start, SIP_CONTACT_CANON_MAX);
}
