/* http_req.c - Pure. The head of an HTTP request. */
#include "web/http_req.h"
#include <errno.h>

#define LENGTH_MAX (1ull << 40)

/** Next line without its CRLF (or LF); false: no whole line left */
static bool next_line(struct sl in, size_t *at, struct sl *ln)
{
	struct sl rest = sl_sub(in, *at, in.n);
	size_t n = sl_chr(rest, '\n');

	if (n == rest.n)
		return false;
	*at += n + 1;
	*ln = sl_sub(rest, 0, n && rest.p[n - 1] == '\r' ? n - 1 : n);
	return true;
}

static bool printable(struct sl s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((uint8_t)s.p[i] <= ' ' || (uint8_t)s.p[i] >= 0x7f)
			return false;
	}
	return s.n > 0;
}

/** METHOD SP /path[?query] SP HTTP/1.x */
static int first_line(struct http_req *r, struct sl ln)
{
	size_t a = sl_chr(ln, ' '), b, q;
	struct sl target, version;

	r->method = sl_sub(ln, 0, a);
	target = sl_sub(ln, a + 1, ln.n);
	b = sl_chr(target, ' ');
	version = sl_sub(target, b + 1, target.n);
	target = sl_sub(target, 0, b);
	if (!printable(r->method) || !printable(target) ||
	    target.p[0] != '/')
		return EBADMSG;
	if (sl_eq(version, SL("HTTP/1.0")))
		r->close = true;
	else if (!sl_eq(version, SL("HTTP/1.1")))
		return EBADMSG;
	q = sl_chr(target, '?');
	r->path = sl_sub(target, 0, q);
	r->query = sl_sub(target, q + 1, target.n);
	return 0;
}

/** Where the value of such a header is kept; NULL: it is not */
static struct sl *kept(struct http_req *r, struct sl name)
{
	const struct {
		struct sl name, *to;
	} v[] = {
		{ SL("Origin"), &r->origin },
		{ SL("Authorization"), &r->auth },
		{ SL("Content-Type"), &r->type },
		{ SL("X-Edgewise-Who"), &r->who },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		if (sl_ieq(name, v[i].name))
			return v[i].to;
	}
	return NULL;
}

static int header(struct http_req *r, struct sl ln, bool *length_seen)
{
	size_t n = sl_chr(ln, ':');
	struct sl name = sl_sub(ln, 0, n);
	struct sl val = sl_trim(sl_sub(ln, n + 1, ln.n));
	uint64_t v;

	/* a blank before the colon or a folded line: RFC 9112 5.1, 5.2 */
	if (n == ln.n || !printable(name))
		return EBADMSG;
	if (sl_ieq(name, SL("Host"))) {
		if (!r->hosts++)
			r->host = val;
	}
	else if (kept(r, name)) {
		if (!sl_isset(*kept(r, name)))
			*kept(r, name) = val;
	}
	else if (sl_ieq(name, SL("Transfer-Encoding"))) {
		r->coded = true;
	}
	else if (sl_ieq(name, SL("Connection"))) {
		r->close = r->close || sl_ieq(val, SL("close"));
	}
	else if (sl_ieq(name, SL("Content-Length"))) {
		if (sl_u64(val, LENGTH_MAX, &v) ||
		    (*length_seen && v != r->length))
			return EBADMSG;
		*length_seen = true;
		r->length = v;
	}
	return 0;
}

int http_req_parse(struct http_req *r, struct sl in)
{
	struct sl all = sl_sub(in, 0, HTTP_HEAD_MAX), ln;
	bool length_seen = false;
	size_t at = 0;
	int err;

	*r = (struct http_req){ 0 };
	do {                               /* RFC 9112 2.2: empty lines */
		if (!next_line(all, &at, &ln))
			goto more;
	} while (!ln.n);
	err = first_line(r, ln);
	if (err)
		return err;
	while (next_line(all, &at, &ln)) {
		if (!ln.n) {
			r->head = at;
			return 0;
		}
		err = header(r, ln, &length_seen);
		if (err)
			return err;
	}
more:
	return in.n >= HTTP_HEAD_MAX ? EMSGSIZE : EAGAIN;
}

int http_req_unescape(struct buf *out, struct sl s)
{
	for (size_t i = 0; i < s.n; i++) {
		int hi, lo;

		if (s.p[i] != '%') {
			buf_chr(out, s.p[i]);
			continue;
		}
		hi = i + 2 < s.n ? sl_hex_digit(s.p[i + 1]) : -1;
		lo = i + 2 < s.n ? sl_hex_digit(s.p[i + 2]) : -1;
		if (hi < 0 || lo < 0 || !(hi | lo))
			return EBADMSG;
		buf_chr(out, (char)(hi << 4 | lo));
		i += 2;
	}
	return out->err;
}
