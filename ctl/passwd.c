/* passwd.c - Pure. Text of a users file. */
#include "ctl/passwd.h"
#include "sip/auth.h"
#include <errno.h>

static const char *check_domain(struct sl d)
{
	if (!d.n || d.n > 255)
		return "the domain must have 1 to 255 characters";
	for (size_t i = 0; i < d.n; i++) {
		char c = d.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '.' && c != '-' && c != '_')
			return "the domain may hold letters, digits, . and -";
	}
	return NULL;
}

const char *passwd_aor(char *out, struct sl in)
{
	size_t at;

	if (sl_istarts(in, SL("sip:")))
		in = sl_sub(in, 4, in.n);
	at = sl_chr(in, '@');
	if (at == in.n)
		return "a user is user@domain";
	if (!at || in.n > PASSWD_AOR)
		return "user@domain must have at most 320 characters";
	if (in.p[0] == '#')
		return "a user must not begin with #";
	for (size_t i = 0; i < at; i++) {
		if ((uint8_t)in.p[i] <= ' ' || (uint8_t)in.p[i] >= 0x7f ||
		    in.p[i] == ':' || in.p[i] == '"' || in.p[i] == '\\')
			return "the user may not hold blanks, quotes, : or "
			       "control characters";
	}
	memcpy(out, in.p, at + 1);
	(void)sl_lower(out + at + 1, sl_sub(in, at + 1, in.n));
	out[in.n] = 0;
	return check_domain(sl_mk(out + at + 1, in.n - at - 1));
}

void passwd_line(struct buf *b, struct sl aor, struct sl password)
{
	static const enum auth_alg algs[] = { AUTH_MD5, AUTH_SHA256 };
	size_t at = sl_chr(aor, '@');
	char hex[AUTH_HEX_MAX + 1];

	buf_sl(b, aor);
	for (size_t i = 0; i < 2; i++) {
		/* the realm is the domain */
		auth_ha1(hex, algs[i], sl_sub(aor, 0, at),
			 sl_sub(aor, at + 1, aor.n), password);
		buf_chr(b, ':');
		buf_str(b, hex);
	}
}

/** Next line without its end; *end = first byte after it */
static struct sl next_line(struct sl text, size_t from, size_t *end)
{
	size_t nl = from + sl_chr(sl_sub(text, from, text.n), '\n');

	*end = nl < text.n ? nl + 1 : nl;
	return sl_sub(text, from, nl);
}

/** Name in the line; empty: a comment or blank */
static struct sl name_of(struct sl line)
{
	line = sl_trim(line);
	if (!line.n || line.p[0] == '#')
		return SL("");
	return sl_sub(line, 0, sl_chr(line, ':'));
}

static bool same_aor(struct sl a, struct sl b)
{
	size_t at = sl_chr(a, '@');

	return a.n == b.n && at < a.n &&
	       sl_eq(sl_sub(a, 0, at + 1), sl_sub(b, 0, at + 1)) &&
	       sl_ieq(sl_sub(a, at, a.n), sl_sub(b, at, b.n));
}

int passwd_edit(struct buf *out, struct sl text, enum passwd_op op,
		struct sl aor, struct sl line)
{
	bool found = false;

	for (size_t at = 0, end; at < text.n; at = end) {
		struct sl l = next_line(text, at, &end);

		if (!same_aor(name_of(l), aor)) {
			buf_sl(out, sl_sub(text, at, end));
			continue;
		}
		if (op == PASSWD_ADD)
			return EEXIST;
		/* a name that was there twice is there once after that */
		if (op == PASSWD_SET && !found) {
			buf_sl(out, line);
			buf_chr(out, '\n');
		}
		found = true;
	}
	if (op != PASSWD_ADD)
		return found ? out->err : ENOENT;
	if (out->n && out->p[out->n - 1] != '\n')
		buf_chr(out, '\n');
	buf_sl(out, line);
	buf_chr(out, '\n');
	return out->err;
}

unsigned passwd_list(struct buf *out, struct sl text)
{
	unsigned n = 0;

	for (size_t at = 0, end; at < text.n; at = end) {
		struct sl l = sl_trim(next_line(text, at, &end));
		struct sl name = name_of(l), hash;

		if (!name.n)
			continue;
		n++;
		hash = sl_sub(l, name.n + 1, l.n);
		buf_sl(out, name);
		buf_str(out, sl_chr(hash, ':') < hash.n ? " MD5 SHA-256\n" :
			hash.n ? " MD5\n" : " (no hash)\n");
	}
	return n;
}
