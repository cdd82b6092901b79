/* trace_clean.c - Pure. A message without credentials. Texts come from anybody:
 * in doubt more is taken out. */
#include "sip/trace.h"

#define REMOVED SL("(removed)")
#define NOWHERE SIZE_MAX

size_t trace_cut_line(struct sl s, struct sl *line)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != '\r' && s.p[n] != '\n')
		n++;
	*line = sl_sub(s, 0, n);
	if (n == s.n)
		return n;
	return n + (s.p[n] == '\r' && n + 1 < s.n && s.p[n + 1] == '\n' ? 2 :
		    1);
}

/** Any case. @return where, s.n = nowhere */
static size_t find(struct sl s, struct sl what)
{
	size_t i = 0;

	while (i < s.n && !sl_istarts(sl_sub(s, i, s.n), what))
		i++;
	return i;
}

static bool has(struct sl s, struct sl what)
{
	return find(s, what) < s.n;
}

static bool one_of(char c, const char *set)
{
	return c && strchr(set, c);
}

static size_t skip(struct sl s, size_t i, const char *set)
{
	while (i < s.n && one_of(s.p[i], set))
		i++;
	return i;
}

static size_t until(struct sl s, size_t i, const char *set)
{
	while (i < s.n && !one_of(s.p[i], set))
		i++;
	return i;
}

/* --- inside of a line: URIs --- */

/**
 * The password of a URI whose user begins at `at`.
 *
 * @param fromp  where it begins
 * @return where it ends; 0 = there is none
 */
static size_t password(struct sl s, size_t at, const char *stop, bool cut,
		       size_t *fromp)
{
	size_t colon, a, more;

	s = sl_sub(s, 0, until(s, at, stop));
	colon = until(s, at, ":");
	a = until(s, at, "@");
	if (a == s.n && !cut)
		return 0;
	/* no "@" may be in a password; it is taken out if there is one */
	while (a < s.n && (more = until(s, a + 1, "@;,?/")) < s.n &&
	       s.p[more] == '@')
		a = more;
	*fromp = colon + 1;
	return colon < a ? a : 0;
}

/** What must not be told of a URI, or of its parameters, at i */
static size_t secret_at(struct sl s, size_t i, bool cut, size_t *fromp)
{
	static const char stop[] = " \t<>\"";
	struct sl rest = sl_sub(s, i, s.n);
	size_t eq;

	/* a URI that goes on where nothing was kept may have its "@" there */
	cut = cut && until(s, i, stop) == s.n;
	switch (*rest.p) {
	case 's':
	case 'S':
		if (sl_istarts(rest, SL("sip:")))
			return password(s, i + 4, stop, cut, fromp);
		if (sl_istarts(rest, SL("sips:")))
			return password(s, i + 5, stop, cut, fromp);
		return 0;
	case ':':
		return sl_starts(rest, SL("://")) ?
			password(s, i + 3, "/ \t<>\"", cut, fromp) : 0;
	case '?':
	case '&':
		eq = until(s, i + 1, "=& \t<>\"");
		if (eq == s.n || s.p[eq] != '=' ||
		    !has(sl_sub(s, i, eq), SL("auth")))
			return 0;
		*fromp = eq + 1;
		return until(s, eq + 1, "& \t<>\"");
	}
	return 0;
}

static void put(struct buf *b, struct sl s)
{
	buf_put(b, s.p, s.n);
}

static void put_uris(struct buf *b, struct sl s, bool cut)
{
	size_t done = 0, i = 0, from = 0;

	while (i < s.n) {
		size_t end = secret_at(s, i, cut, &from);

		if (!end) {
			i++;
			continue;
		}
		put(b, sl_sub(s, done, from));
		put(b, REMOVED);
		i = done = end;
	}
	put(b, sl_sub(s, done, s.n));
}

/* --- lines --- */

/** "name:", as a header begins */
static bool is_header(struct sl line)
{
	static const char token[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~";
	size_t n = skip(line, 0, token);

	if (!n)
		return false;
	n = skip(line, n, " \t");
	return n < line.n && line.p[n] == ':';
}

/** "INVITE sip:...", "SIP/2.0 401 Unauthorized" */
static bool is_start(struct sl line)
{
	struct sl word = sl_sub(line, 0, until(line, 0, " "));

	return word.n < line.n && !has(word, SL("auth")) &&
		!memchr(word.p, ':', word.n);
}

static bool is_scheme(struct sl v)
{
	static const struct sl names[] = {
		{ "Digest", 6 }, { "Basic", 5 }, { "Bearer", 6 },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (sl_istarts(v, names[i]) && v.n > names[i].n &&
		    one_of(v.p[names[i].n], " \t"))
			return true;
	return false;
}

/** Where credentials begin in a header */
static size_t header(struct sl line, bool body)
{
	size_t colon = sl_chr(line, ':');
	struct sl name = sl_sub(line, 0, colon);

	/* the value of the line before */
	if (one_of(*line.p, " \t") && is_scheme(sl_trim(line)))
		return 0;
	if (body && !is_header(line))
		return NOWHERE;
	if (has(name, SL("auth")))
		return is_header(line) ? colon + 1 : 0;
	if (colon < line.n &&
	    is_scheme(sl_trim(sl_sub(line, colon + 1, line.n))))
		return colon + 1;
	return NOWHERE;
}

/** Keys of media (RFC 4566, 4567, 4568, 8839), wherever they stand */
static size_t media(struct sl line)
{
	static const struct sl names[] = {
		{ "crypto", 6 }, { "key-mgmt", 8 }, { "ice-pwd", 7 },
	};
	size_t at = skip(line, 0, " \t"), eq = skip(line, at + 1, " \t");
	size_t key = find(line, SL("inline:"));
	struct sl value;

	key = key < line.n ? key + 7 : NOWHERE;
	if (eq >= line.n || line.p[eq] != '=')
		return key;
	if (one_of(line.p[at], "kK"))
		return eq + 1;
	eq = skip(line, eq + 1, " \t");
	value = sl_sub(line, eq, line.n);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (one_of(line.p[at], "aA") && sl_istarts(value, names[i]))
			return skip(line, eq + names[i].n, ":");
	return key;
}

struct state {
	bool started;            /* the first line is over                   */
	bool body;
	bool gone;               /* what goes on here was taken out          */
	bool cr;                 /* the line before ended with CR alone      */
};

/** Does it belong to a line that was taken out? Readers do not agree where a
 *  line ends */
static bool goes_on(const struct state *s, struct sl line)
{
	if (!s->gone)
		return false;
	if (!line.n)
		return s->cr;
	return one_of(*line.p, " \t") || ((!s->body || s->cr) &&
					  !is_header(line));
}

static void put_line(struct buf *b, struct state *s, struct sl line, bool cut)
{
	size_t h = NOWHERE, m = media(line);

	if (s->started || !is_start(line))
		h = header(line, s->body);
	h = m < h ? m : h;
	s->gone = h != NOWHERE;
	put_uris(b, sl_sub(line, 0, h), cut && !s->gone);
	if (!s->gone)
		return;
	if (h && line.p[h - 1] == ':' && !s->body)
		buf_chr(b, ' ');
	put(b, REMOVED);
}

void trace_clean(struct buf *b, struct sl text, bool cut)
{
	struct sl line, end = SL("");
	struct state s = { 0 };
	size_t n;

	for (; text.n; text = sl_sub(text, n, text.n)) {
		n = trace_cut_line(text, &line);
		if (!goes_on(&s, line)) {
			put(b, end);
			if (line.n)
				put_line(b, &s, line, cut && n == text.n);
			else
				s.gone = false;
			s.body |= !line.n && s.started;
			s.started |= line.n > 0;
		}
		/* of lines taken out the last end stays: CR and LF of two
		 * lines must not become one */
		end = sl_sub(text, line.n, n);
		s.cr = sl_eq(end, SL("\r"));
	}
	put(b, end);
}
