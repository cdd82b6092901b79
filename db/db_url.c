/* db_url.c - Pure. */
#include "db/db_url.h"

static const char *kind_of(struct db_url *u, struct sl *rest, struct sl text)
{
	static const struct {
		struct sl scheme;
		enum db_kind kind;
	} kinds[] = {
		{ { "sqlite://", 9 }, DB_SQLITE },
		{ { "postgresql://", 13 }, DB_POSTGRESQL },
		{ { "mysql://", 8 }, DB_MYSQL },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (sl_starts(text, kinds[i].scheme)) {
			u->kind = kinds[i].kind;
			*rest = sl_sub(text, kinds[i].scheme.n, text.n);
			return NULL;
		}
	}
	return "must begin with sqlite:///, postgresql:// or mysql://";
}

/** USER[:PASSWORD]@HOST[:PORT] */
static const char *authority(struct db_url *u, struct sl s)
{
	size_t at = s.n, colon;

	while (at && s.p[at - 1] != '@')
		at--;
	if (at) {
		struct sl who = sl_sub(s, 0, at - 1);

		colon = sl_chr(who, ':');
		u->user = sl_sub(who, 0, colon);
		if (colon < who.n)
			u->password = sl_sub(who, colon + 1, who.n);
		s = sl_sub(s, at, s.n);
	}
	/* an IPv6 address stands in brackets */
	colon = s.n && s.p[0] == '[' ? sl_chr(s, ']') : 0;
	colon += sl_chr(sl_sub(s, colon, s.n), ':');
	u->host = sl_sub(s, 0, colon);
	if (colon < s.n && (sl_u32(sl_sub(s, colon + 1, s.n), 65535, &u->port) ||
			    !u->port))
		return "has a bad port";
	return NULL;
}

static bool has_bad(struct sl s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c >= 0x7f || strchr("<>\"\\^`{}|#", c))
			return true;
	}
	return false;
}

const char *db_url_parse(struct db_url *u, struct sl text)
{
	struct sl rest;
	const char *why;
	size_t slash;

	memset(u, 0, sizeof(*u));
	if (text.n > DB_URL)
		return "is too long";
	why = kind_of(u, &rest, text);
	if (why)
		return why;
	if (has_bad(text))
		return "has a character that must be written as %XX";
	slash = sl_chr(rest, '?');
	if (slash < rest.n)
		u->query = sl_sub(rest, slash + 1, rest.n);
	rest = sl_sub(rest, 0, slash);
	slash = sl_chr(rest, '/');
	u->path = sl_sub(rest, slash, rest.n);
	if (u->kind == DB_SQLITE)
		return slash || u->path.n < 2 ? "must name a file by its whole path: "
			"sqlite:///var/lib/..." : NULL;
	if (u->path.n < 2)
		return "names no database";
	u->path = sl_sub(u->path, 1, u->path.n);
	why = authority(u, sl_sub(rest, 0, slash));
	if (why)
		return why;
	if (!u->host.n && !sl_isset(db_url_param(u, SL("unix-socket"))))
		return "names no host";
	if (!u->user.n && !sl_isset(db_url_param(u, SL("user"))))
		return "names no user";
	return NULL;
}

struct sl db_url_param(const struct db_url *u, struct sl name)
{
	return sl_param(u->query, name);
}

/** Everything of a query but a parameter named `password`, or with it hidden */
static void query_without(struct buf *b, struct sl q, bool shown, char sep)
{
	while (q.n) {
		size_t end = sl_chr(q, '&');
		struct sl one = sl_sub(q, 0, end);
		bool pw = sl_istarts(one, SL("password"));

		if (!pw || shown) {
			buf_chr(b, sep);
			buf_sl(b, pw ? SL("password=***") : one);
			sep = '&';
		}
		q = sl_sub(q, end + 1, q.n);
	}
}

void db_url_shown(struct buf *b, struct sl text)
{
	struct sl rest = text;
	size_t scheme = 0, at, q;

	while (scheme + 3 <= text.n &&
	       memcmp(text.p + scheme, "://", 3) != 0)
		scheme++;
	scheme = scheme + 3 <= text.n ? scheme + 3 : 0;
	buf_sl(b, sl_sub(text, 0, scheme));
	rest = sl_sub(text, scheme, text.n);
	q = sl_chr(rest, '?');
	at = q;
	while (at && rest.p[at - 1] != '@')
		at--;
	if (at) {
		size_t colon = sl_chr(sl_sub(rest, 0, at), ':');

		if (colon < at) {
			buf_sl(b, sl_sub(rest, 0, colon));
			buf_lit(b, ":***@");
			buf_sl(b, sl_sub(rest, at, q));
		}
		else {
			buf_sl(b, sl_sub(rest, 0, q));
		}
	}
	else {
		buf_sl(b, sl_sub(rest, 0, q));
	}
	query_without(b, sl_sub(rest, q + 1, rest.n), true, '?');
}

bool db_url_plain(char *out, size_t size, struct sl s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '+')
			c = ' ';
		if (c == '%' && i + 2 < s.n && sl_hex_digit(s.p[i + 1]) >= 0 &&
		    sl_hex_digit(s.p[i + 2]) >= 0) {
			c = (char)(sl_hex_digit(s.p[i + 1]) << 4 |
				   sl_hex_digit(s.p[i + 2]));
			i += 2;
		}
		if (n + 1 >= size)
			return false;
		out[n++] = c;
	}
	out[n] = 0;
	return true;
}

/** Everything but letters and digits as %XX */
static void put_quoted(struct buf *b, struct sl s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'))
			buf_chr(b, (char)c);
		else
			buf_printf(b, "%%%02X", c);
	}
}

/** libzdb puts the values between quotes for libpq and does not escape them */
static void put_value(struct buf *b, enum db_kind kind, struct sl plain)
{
	for (size_t i = 0; i < plain.n; i++) {
		if (kind == DB_POSTGRESQL &&
		    (plain.p[i] == '\'' || plain.p[i] == '\\'))
			buf_lit(b, "%5C");
		put_quoted(b, sl_sub(plain, i, i + 1));
	}
}

static void put_part(struct buf *b, enum db_kind kind, struct sl written)
{
	char plain[DB_URL + 1];

	if (db_url_plain(plain, sizeof(plain), written))
		put_value(b, kind, sl_cstr(plain));
	explicit_bzero(plain, sizeof(plain));
}

void db_url_build(struct buf *b, const struct db_url *u, struct sl password,
		  uint32_t connect_ms)
{
	struct sl user = u->user.n ? u->user : db_url_param(u, SL("user"));

	if (u->kind == DB_SQLITE) {
		buf_lit(b, "sqlite://");
		buf_sl(b, u->path);
		return;
	}
	buf_str(b, u->kind == DB_MYSQL ? "mysql://" : "postgresql://");
	buf_sl(b, u->host.n ? u->host : SL("localhost"));
	buf_printf(b, ":%u/", u->port ? u->port :
		   u->kind == DB_MYSQL ? 3306 : 5432);
	buf_sl(b, u->path);
	buf_lit(b, "?user=");
	put_part(b, u->kind, user);
	/* a parameter without a value would end libzdb's parser */
	buf_lit(b, "&password=");
	if (sl_isset(password))
		put_value(b, u->kind, password);
	else
		put_part(b, u->kind, u->password.n ? u->password :
			 db_url_param(u, SL("password")));
	if (!sl_isset(db_url_param(u, SL("connect-timeout"))))
		buf_printf(b, "&connect-timeout=%u", (connect_ms + 999) / 1000);
	if (u->kind == DB_MYSQL)
		buf_lit(b, "&charset=utf8mb4");
	else
		buf_lit(b, "&application-name=edgewise");
	query_without(b, u->query, false, '&');
}

void db_url_clean(char *out, const char *text, struct sl password)
{
	size_t n = 0;

	while (*text && n + 4 < DB_WHY) {
		if (password.n && !strncmp(text, password.p, password.n)) {
			memcpy(out + n, "***", 3);
			n += 3;
			text += password.n;
			continue;
		}
		out[n++] = (unsigned char)*text < ' ' ? ' ' : *text;
		text++;
	}
	while (n && out[n - 1] == ' ')
		n--;
	out[n] = 0;
}
