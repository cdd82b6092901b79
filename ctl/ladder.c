/* ladder.c - Pure. Messages and events of calls as ladders for people. */
#include "ctl/ladder.h"

#include <string.h>

#include "ctl/ctl.h"

enum {
	COLS = 12,                 /* columns; the rest shares the last one   */
	WIDTH = 22,                /* of one                                  */
	LEFT = 12,                 /* room for the time                       */
	CALLS = 64,
	SLOW = 5000,               /* [us] on the way that are told           */
	ROW = LEFT + COLS * WIDTH + 1,
};

struct cols {
	const char *name[COLS];
	bool node[COLS];
	unsigned n, edge;
};

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static bool is_msg(const json_t *o)
{
	return !strcmp(str(o, "type"), "message");
}

/* Texts of phones: nothing that moves the cursor */
static void put_text(struct buf *b, const char *s, bool lines)
{
	for (; *s; s++) {
		const uint8_t c = (uint8_t)*s, d = (uint8_t)s[1];

		if (c == 0xc2 && d >= 0x80 && d < 0xa0) {
			buf_chr(b, '?');
			s++;
		} else if (lines && (c == '\n' || c == '\t')) {
			buf_chr(b, *s);
		} else if (lines && c == '\r' && d == '\n') {
			continue;
		} else {
			buf_chr(b, c < ' ' || c == 0x7f ? '?' : *s);
		}
	}
}

/* --- columns: caller, edge, nodes, other phones --- */

static const char *who(const json_t *m, bool *node)
{
	const char *name = str(m, "node");

	*node = *name != '\0';
	return *name ? name : str(m, "peer");
}

static void add_col(struct cols *c, const char *name, bool node)
{
	for (unsigned i = 0; i < c->n; i++)
		if (i != c->edge && !strcmp(c->name[i], name))
			return;
	if (c->n == COLS)
		return;
	c->name[c->n] = name;
	c->node[c->n++] = node;
}

static bool of_call(const json_t *o, const char *callid)
{
	const char *id = str(o, "call_id");

	/* an event keeps 127 bytes of it */
	return is_msg(o) ? !strcmp(id, callid) :
		*id && !strncmp(id, callid, strlen(id));
}

static void find_cols(struct cols *c, const json_t *entries,
		      const char *callid, const char *self)
{
	const json_t *o;
	bool node;
	size_t i;

	c->n = 0;
	c->edge = COLS;
	for (int pass = 0; pass < 3; pass++) {
		if (pass == 1) {
			c->edge = c->n;
			c->name[c->n] = self;
			c->node[c->n++] = false;
		}
		json_array_foreach(entries, i, o) {
			const char *name = who(o, &node);

			if (!is_msg(o) || !of_call(o, callid) ||
			    node != (pass == 1))
				continue;
			add_col(c, name, node);
			if (!pass)
				break;
		}
	}
}

static unsigned col_of(const struct cols *c, const json_t *m)
{
	bool node;
	const char *name = who(m, &node);

	for (unsigned i = 0; i < c->n; i++)
		if (i != c->edge && !strcmp(c->name[i], name))
			return i;
	return c->n - 1;
}

/* --- rows --- */

static unsigned middle(unsigned col)
{
	return LEFT + col * WIDTH + WIDTH / 2;
}

static void blank(char row[ROW], const struct cols *c)
{
	memset(row, ' ', ROW);
	for (unsigned i = 0; i < c->n; i++)
		row[middle(i)] = '|';
}

static void end_row(struct buf *b, const char row[ROW])
{
	size_t n = ROW;

	while (n && row[n - 1] == ' ')
		n--;
	buf_put(b, row, n);
	buf_chr(b, '\n');
}

/** In the middle of [from, to), cut where it does not fit; ASCII */
static void label(char row[ROW], unsigned from, unsigned to, const char *s,
		  size_t n)
{
	size_t space = to - from;

	n = n < space ? n : space;
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		row[from + (space - n) / 2 + i] = c < ' ' || c == 0x7f ? '?' :
			c;
	}
}

static void put_head(struct buf *b, const struct cols *c)
{
	char row[ROW];

	memset(row, ' ', ROW);
	for (unsigned i = 0; i < c->n; i++)
		label(row, LEFT + i * WIDTH, LEFT + (i + 1) * WIDTH,
		      c->name[i], strlen(c->name[i]));
	end_row(b, row);
}

static void put_time(char row[ROW], json_int_t us)
{
	char txt[LEFT + 1];
	struct buf t;

	buf_fixed(&t, txt, sizeof(txt));
	buf_printf(&t, "%*.1f", LEFT - 1, (double)us / 1000);
	if (!t.err)
		memcpy(row, txt, t.n);
}

/** Both ends were asked, and it was long on its way */
static void put_delay(struct buf *b, const json_t *m)
{
	json_int_t us = json_integer_value(json_object_get(m, "got_us")) -
		json_integer_value(json_object_get(m, "wall_us"));

	if (json_object_get(m, "got_us") && us >= SLOW)
		buf_printf(b, " +%lld ms", (long long)us / 1000);
}

/** "INVITE", "180 Ringing (INVITE)" */
static void what(struct buf *b, const json_t *m)
{
	const char *line = str(m, "line"), *cseq = str(m, "cseq");
	const char *sp;

	if (strncmp(line, "SIP/2.0 ", 8) != 0) {
		buf_put(b, line, strcspn(line, " "));
		return;
	}
	buf_put(b, line + 8, strlen(line + 8));
	sp = strchr(cseq, ' ');
	if (sp && strcmp(sp + 1, "INVITE") != 0) {
		buf_lit(b, " ");
		buf_str(b, sp + 1);
	}
}

static void put_msg(struct buf *b, const struct cols *c, const json_t *m,
		    json_int_t us)
{
	unsigned other = middle(col_of(c, m)), edge = middle(c->edge);
	unsigned from = other < edge ? other : edge;
	unsigned to = other < edge ? edge : other;
	bool out = !strcmp(str(m, "dir"), "out");
	bool right = out == (edge < other);
	char row[ROW], txt[ROW];
	struct buf t;

	blank(row, c);
	put_time(row, us);
	memset(row + from + 1, '-', to - from - 1);
	row[right ? to - 1 : from + 1] = right ? '>' : '<';
	buf_fixed(&t, txt, sizeof(txt));
	what(&t, m);
	put_delay(&t, m);
	label(row, from + 2, to - 2, txt, t.n);
	end_row(b, row);
}

static unsigned long long num(const json_t *o, const char *key)
{
	json_int_t i = json_integer_value(json_object_get(o, key));

	return i > 0 ? (unsigned long long)i : 0;
}

/** "* moved: attempt 2 to n3, because n2: silent, 100 ms" */
static void put_event(struct buf *b, const json_t *e)
{
	const char *node = str(e, "node"), *to = str(e, "to_node");

	buf_printf(b, "%*s", LEFT, "* ");
	put_text(b, str(e, "kind"), false);
	buf_chr(b, ':');
	if (num(e, "attempts"))
		buf_printf(b, " attempt %llu", num(e, "attempts"));
	if (*to) {
		buf_lit(b, " to ");
		put_text(b, to, false);
		buf_lit(b, ", because");
	}
	if (*node) {
		buf_chr(b, ' ');
		put_text(b, node, false);
	}
	if (*str(e, "reason")) {
		buf_chr(b, ' ');
		put_text(b, str(e, "reason"), false);
	}
	if (json_object_get(e, "age_ms"))
		buf_printf(b, ", %llu ms after the request", num(e, "age_ms"));
	buf_chr(b, '\n');
}

static void put_call(struct buf *b, const json_t *entries, const char *callid,
		     const char *self)
{
	json_int_t first = -1, us;
	const json_t *o;
	struct cols c;
	size_t i;

	find_cols(&c, entries, callid, self);
	buf_lit(b, "Call-ID ");
	put_text(b, callid, false);
	buf_chr(b, '\n');
	put_head(b, &c);
	json_array_foreach(entries, i, o) {
		if (!of_call(o, callid))
			continue;
		if (!is_msg(o)) {
			put_event(b, o);
			continue;
		}
		us = json_integer_value(json_object_get(o, "wall_us"));
		first = first < 0 ? us : first;
		put_msg(b, &c, o, us - first);
	}
}

int ladder(struct buf *b, const json_t *entries, const char *self)
{
	const char *seen[CALLS];
	unsigned n = 0, k;
	const json_t *o;
	size_t i;

	json_array_foreach(entries, i, o) {
		const char *id = str(o, "call_id");

		for (k = 0; k < n && strcmp(seen[k], id) != 0; k++)
			continue;
		if (!is_msg(o) || k < n || n == CALLS)
			continue;
		if (n)
			buf_chr(b, '\n');
		seen[n++] = id;
		put_call(b, entries, id, self);
	}
	return n ? CTL_OK : CTL_BAD;
}

int ladder_raw(struct buf *b, const json_t *entries)
{
	int rc = CTL_BAD;
	const json_t *o;
	size_t i;

	json_array_foreach(entries, i, o) {
		if (!is_msg(o)) {
			put_event(b, o);
			buf_chr(b, '\n');
			continue;
		}
		rc = CTL_OK;
		buf_printf(b, "--- %s%s%llu us, %s ", str(o, "at"),
			   *str(o, "at") ? " " : "", num(o, "wall_us"),
			   !strcmp(str(o, "dir"), "out") ? "to" : "from");
		put_text(b, str(o, "transport"), false);
		buf_chr(b, ' ');
		put_text(b, str(o, "peer"), false);
		buf_chr(b, ' ');
		put_text(b, str(o, "node"), false);
		buf_chr(b, '\n');
		put_text(b, str(o, "text"), true);
		buf_chr(b, '\n');
	}
	return rc;
}
