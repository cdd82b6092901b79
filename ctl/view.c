/* view.c - Pure. Status JSON as a table. */
#include "ctl/view.h"
#include "ctl/ctl.h"

#define COLS 17
#define CELL 40     /**< widest cell [bytes] */
#define ROWS 512    /**< most lines of a table */

enum cell { C_TEXT, C_NUM, C_AGE, C_US, C_PROBE, C_CODE, C_DIFF };

struct col {
	const char *title;
	enum cell kind;
	const char *key;
};

/* names of docs/api.md */
static const struct col pool_cols[] = {
	{ "NODE", C_TEXT, "name" },
	{ "ADDRESS", C_TEXT, "address" },
	{ "STATE", C_TEXT, "state" },
	{ "ADMIN", C_TEXT, "admin" },
	{ "SINCE", C_AGE, "since_ms" },
	{ "WEIGHT", C_NUM, "weight" },
	{ "PROBE", C_CODE, "probe.code" },
	{ "PROBE RTT", C_PROBE, "probe.rtt_us" },
	{ "ANSWER", C_US, "rtt_us" },
	{ "IN FLIGHT", C_NUM, "inflight" },
	{ "PICKED", C_NUM, "picked" },
	{ "SILENT", C_NUM, "silent" },
	{ "RESET", C_NUM, "reset" },
	{ "REFUSED", C_NUM, "refused" },
	{ "MOVED AWAY", C_NUM, "failed_over_from" },
	{ "MOVED TO", C_NUM, "failed_over_to" },
	{ NULL, C_TEXT, NULL }
};

static const struct col peer_cols[] = {
	{ "PEER", C_TEXT, "name" },
	{ "ADDRESS", C_TEXT, "address" },
	{ "BY", C_TEXT, "transport" },
	{ "STATE", C_TEXT, "state" },
	{ "RESTS", C_AGE, "rest_ms" },
	{ "CALLS IN", C_NUM, "calls_in" },
	{ "REFUSED", C_NUM, "refused" },
	{ "CALLS OUT", C_NUM, "calls_out" },
	{ "ANSWERED", C_NUM, "answered" },
	{ "FAILED", C_NUM, "failed" },
	{ NULL, C_TEXT, NULL }
};

static const struct col ping_cols[] = {
	{ "PINGS", C_TEXT, "name" },
	{ "CONTACTS", C_NUM, "said.ping.contacts" },
	{ "50 % IN", C_US, "said.ping.p50_us" },
	{ "95 % IN", C_US, "said.ping.p95_us" },
	{ "LOST", C_NUM, "said.ping.lost" },
	{ "CALLED LAST", C_NUM, "said.ping.quarantined" },
	{ "REMOVED", C_NUM, "said.ping.removed" },
	{ NULL, C_TEXT, NULL }
};

static const struct col member_cols[] = {
	{ "MEMBER", C_TEXT, "name" },
	{ "ADDRESS", C_TEXT, "address" },
	{ "SIP", C_TEXT, "sip" },
	{ "HEALTH", C_TEXT, "health" },
	{ "STATE", C_TEXT, "state" },
	{ "SINCE", C_AGE, "since_ms" },
	{ "HEARD", C_AGE, "heard_ago_ms" },
	{ "RTT", C_US, "rtt_us" },
	{ "CONTACTS", C_NUM, "contacts" },
	{ "LAG", C_AGE, "lag_ms" },
	{ "SETTINGS", C_DIFF, "settings_differ" },
	{ "USERS", C_DIFF, "users_differ" },
	{ NULL, C_TEXT, NULL }
};

static void put_age(struct buf *b, uint64_t ms)
{
	uint64_t s = ms / 1000;

	if (ms < 1000)
		buf_printf(b, "%llums", (unsigned long long)ms);
	else if (s < 60)
		buf_printf(b, "%llu.%llus", (unsigned long long)s,
			   (unsigned long long)(ms % 1000 / 100));
	else if (s < 3600)
		buf_printf(b, "%llum%02llus", (unsigned long long)s / 60,
			   (unsigned long long)s % 60);
	else if (s < 86400)
		buf_printf(b, "%lluh%02llum", (unsigned long long)s / 3600,
			   (unsigned long long)s / 60 % 60);
	else
		buf_printf(b, "%llud%02lluh", (unsigned long long)s / 86400,
			   (unsigned long long)s / 3600 % 24);
}

/** Text of a program we do not know: nothing that moves the cursor */
static void put_text(struct buf *b, const char *s)
{
	for (; *s; s++)
		buf_chr(b, (uint8_t)*s < ' ' || *s == 0x7f ? '?' : *s);
}

/** Value of "key", "object.key" and so on */
static const json_t *get(const json_t *o, const char *key)
{
	const char *dot = strchr(key, '.');
	char outer[32];

	if (!dot || (size_t)(dot - key) >= sizeof(outer))
		return json_object_get(o, key);
	memcpy(outer, key, (size_t)(dot - key));
	outer[dot - key] = 0;
	return get(json_object_get(o, outer), dot + 1);
}

static void put_cell(struct buf *b, const struct col *c, const json_t *row)
{
	const json_t *v = get(row, c->key);
	json_int_t i = json_integer_value(v);
	uint64_t u = i > 0 ? (uint64_t)i : 0;

	if (!v || json_is_null(v)) {
		buf_chr(b, '-');
		return;
	}
	switch (c->kind) {
	case C_TEXT:
		put_text(b, json_is_string(v) && *json_string_value(v) ?
			 json_string_value(v) : "-");
		break;
	case C_NUM:
		buf_u64(b, u);
		break;
	case C_AGE:
		put_age(b, u);
		break;
	case C_US:
		if (u)
			buf_printf(b, "%.1fms", (double)u / 1000);
		else
			buf_chr(b, '-');
		break;
	case C_PROBE:           /* the edge counts in ms: 0 is below one */
		if (u)
			buf_printf(b, "%.1fms", (double)u / 1000);
		else
			buf_str(b, json_integer_value(get(row, "probe.code"))
				? "<1ms" : "-");
		break;
	case C_CODE:
		if (u)
			buf_u64(b, u);
		else
			buf_lit(b, "none");
		break;
	case C_DIFF:
		buf_str(b, json_is_true(v) ? "DIFFER" : "same");
		break;
	}
}

struct grid {
	char cell[COLS][CELL + 1];
	size_t width[COLS];
};

/** Cells of a row; in the first pass only their widths matter */
static void fill(struct grid *g, const struct col *cols, const json_t *row)
{
	for (size_t i = 0; i < COLS && cols[i].title; i++) {
		struct buf b;

		buf_fixed(&b, g->cell[i], CELL);
		if (row)
			put_cell(&b, &cols[i], row);
		else
			buf_str(&b, cols[i].title);
		g->cell[i][b.n] = 0;
		if (b.n > g->width[i])
			g->width[i] = b.n;
	}
}

static void put_row(struct buf *b, const struct grid *g,
		    const struct col *cols)
{
	for (size_t i = 0; i < COLS && cols[i].title; i++) {
		bool right = cols[i].kind != C_TEXT && cols[i].kind != C_DIFF;

		bool last = !cols[i + 1].title;

		buf_printf(b, right ? "%*s%s" : "%-*s%s",
			   last && !right ? 0 : (int)g->width[i], g->cell[i],
			   last ? "\n" : "  ");
	}
}

static void put_table(struct buf *b, const struct col *cols,
		      const json_t *rows)
{
	struct grid g = { 0 };
	size_t n = json_array_size(rows);

	n = n > ROWS ? ROWS : n;
	for (size_t i = 0; i < n; i++)
		fill(&g, cols, json_array_get(rows, i));
	fill(&g, cols, NULL);
	put_row(b, &g, cols);
	for (size_t i = 0; i < n; i++) {
		fill(&g, cols, json_array_get(rows, i));
		put_row(b, &g, cols);
	}
}

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static bool put_head(struct buf *b, const json_t *o)
{
	json_int_t up = json_integer_value(json_object_get(o, "uptime_ms"));
	bool ready = json_is_true(json_object_get(o, "ready")) ||
		!strcmp(str(o, "state"), "ready");

	put_text(b, str(o, "program"));
	buf_chr(b, ' ');
	put_text(b, str(o, "version"));
	if (*str(o, "name")) {
		buf_lit(b, " \"");
		put_text(b, str(o, "name"));
		buf_chr(b, '"');
	}
	buf_str(b, ready ? ", ready" : ", NOT READY");
	if (!ready && *str(o, "reason")) {
		buf_lit(b, ": ");
		put_text(b, str(o, "reason"));
	}
	else if (!ready && *str(o, "state")) {
		buf_lit(b, ": ");
		put_text(b, str(o, "state"));
	}
	if (up > 0) {
		buf_lit(b, ", up ");
		put_age(b, (uint64_t)up);
	}
	buf_chr(b, '\n');
	return ready;
}

/** {"lost": 0, ...} in one line */
static void put_counters(struct buf *b, const char *title, const json_t *o)
{
	const char *key;
	json_t *v;

	if (!json_object_size(o))
		return;
	buf_str(b, title);
	json_object_foreach((json_t *)(uintptr_t)o, key, v) {
		if (!json_is_integer(v))
			continue;
		buf_chr(b, ' ');
		put_text(b, key);
		buf_printf(b, "=%lld", (long long)json_integer_value(v));
	}
	buf_chr(b, '\n');
}

static uint64_t num(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

static void put_for(struct buf *b, const char *text, uint64_t ms)
{
	if (!ms)
		return;
	buf_str(b, text);
	put_age(b, ms);
}

/** "n2: drain by alice "kernel" since 2m10s, 27m50s to go, 3 requests left" */
static void put_admin(struct buf *b, const json_t *n)
{
	const json_t *left = json_object_get(n, "left");

	buf_lit(b, ": ");
	put_text(b, json_is_true(json_object_get(n, "drained")) ?
		 "drained, maint" : str(n, "admin"));
	if (*str(n, "admin_who")) {
		buf_lit(b, " by ");
		put_text(b, str(n, "admin_who"));
	}
	if (*str(n, "admin_why")) {
		buf_lit(b, " \"");
		put_text(b, str(n, "admin_why"));
		buf_chr(b, '"');
	}
	put_for(b, " since ", num(n, "admin_since_ms"));
	put_for(b, ", ready again in ", num(n, "admin_until_ms"));
	if (left)
		buf_printf(b, ", %llu requests left, %llu of them calls",
			   (unsigned long long)num(left, "requests"),
			   (unsigned long long)num(left, "calls"));
}

/** What the table has no column for */
static void put_notes(struct buf *b, const json_t *pool)
{
	const json_t *n;
	size_t i;

	json_array_foreach(pool, i, n) {
		bool wish = *str(n, "admin") &&
			strcmp(str(n, "admin"), "ready") != 0;
		uint64_t pct = num(n, "slowstart_pct");
		bool slow = pct && pct < 100;
		const char *sql = str(n, "sql");
		bool ill = *sql && strcmp(sql, "up") != 0;

		if (!wish && !slow && !ill && !num(n, "ejected_ms") &&
		    !num(n, "held_ms") &&
		    !json_is_true(json_object_get(n, "learned")))
			continue;
		put_text(b, str(n, "name"));
		if (wish)
			put_admin(b, n);
		if (json_is_true(json_object_get(n, "learned")))
			buf_lit(b, ": learned");
		if (json_is_true(json_object_get(n, "leaving")))
			buf_lit(b, ": nobody names it any more");
		put_for(b, ": ejected for ", num(n, "ejected_ms"));
		put_for(b, ": asked to be left alone for ",
			num(n, "held_ms"));
		if (slow)
			buf_printf(b, ": slow start, %llu %%",
				   (unsigned long long)pct);
		if (ill) {
			buf_lit(b, ": database ");
			put_text(b, sql);
		}
		buf_chr(b, '\n');
	}
}

static bool all_up(const json_t *pool)
{
	const json_t *n;
	size_t i;

	json_array_foreach(pool, i, n) {
		/* taken out by a person: meant to be so */
		if (*str(n, "admin") && strcmp(str(n, "admin"), "ready") != 0)
			continue;
		if (strcmp(str(n, "state"), "UP") != 0 ||
		    num(n, "ejected_ms"))
			return false;
	}
	return true;
}

static bool all_alive(const json_t *members)
{
	const json_t *m;
	size_t i;

	json_array_foreach(members, i, m) {
		const char *h = str(m, "health");

		if (strcmp(h, "alive") != 0 && strcmp(h, "left") != 0)
			return false;
		if (json_is_true(json_object_get(m, "removed")))
			continue;
		if (json_is_true(json_object_get(m, "settings_differ")) ||
		    json_is_true(json_object_get(m, "users_differ")))
			return false;
	}
	return true;
}

static bool put_cluster(struct buf *b, const json_t *o, const json_t *c)
{
	bool majority = !json_is_false(json_object_get(c, "majority"));
	bool synced = !json_is_false(json_object_get(c, "synced"));

	buf_lit(b, "cluster ");
	put_text(b, str(c, "state"));
	buf_str(b, synced ? ", synced" : ", NOT SYNCED");
	buf_str(b, majority ? ", majority" : ", NO MAJORITY");
	buf_printf(b, ", %lld contacts\n\n", (long long)
		   json_integer_value(json_object_get(o, "contacts")));
	put_table(b, member_cols, json_object_get(c, "members"));
	return majority && synced && all_alive(json_object_get(c, "members"));
}

static bool put_sql(struct buf *b, const json_t *o)
{
	const char *st = str(o, "state");

	buf_lit(b, "\ndatabase ");
	put_text(b, st);
	if (*str(o, "why")) {
		buf_lit(b, " (");
		put_text(b, str(o, "why"));
		buf_lit(b, ")");
	}
	buf_printf(b, ", %llu rows behind, all of ",
		   (unsigned long long)num(o, "dirty"));
	put_age(b, num(o, "age_ms"));
	buf_lit(b, " ago is in ");
	put_text(b, str(o, "url"));
	buf_chr(b, '\n');
	return !strcmp(st, "up");
}

void view_verdict(struct buf *b, const json_t *dash)
{
	const json_t *v = json_object_get(dash, "verdict"), *r;
	size_t i;

	if (!*str(v, "state"))
		return;
	if (!json_array_size(json_object_get(v, "reasons"))) {
		put_text(b, str(v, "state"));
		buf_chr(b, '\n');
	}
	json_array_foreach(json_object_get(v, "reasons"), i, r) {
		put_text(b, str(r, "level"));
		buf_lit(b, ": ");
		put_text(b, str(r, "text"));
		buf_chr(b, '\n');
	}
	if (num(v, "more"))
		buf_printf(b, "and %llu reasons more\n",
			   (unsigned long long)num(v, "more"));
	buf_lit(b, "can a node be lost: ");
	put_text(b, str(v, "can_lose_text"));
	buf_lit(b, "\n\n");
}

/** Asked of the page's view: only nodes know */
void view_pings(struct buf *b, const json_t *dash)
{
	const json_t *pool = json_object_get(dash, "pool"), *n;
	uint64_t all = 0;
	size_t i;

	json_array_foreach(pool, i, n)
		all += num(get(n, "said.ping"), "contacts");
	if (!all)
		return;
	buf_chr(b, '\n');
	put_table(b, ping_cols, pool);
}

int view_nodes(struct buf *b, const json_t *o)
{
	const json_t *pool = json_object_get(o, "pool");

	if (!json_is_array(pool))
		return CTL_FAIL;
	put_table(b, pool_cols, pool);
	put_notes(b, pool);
	if (json_is_true(json_object_get(o, "frozen")))
		buf_lit(b, "no node can be reached: none is taken out\n");
	return all_up(pool) ? CTL_OK : CTL_BAD;
}

/** A trunk at rest is told, but is no fault of the edge */
static void put_outside(struct buf *b, const json_t *o)
{
	const json_t *peers = json_object_get(o, "peers");
	const json_t *adm = json_object_get(o, "admission");

	if (json_array_size(peers)) {
		buf_chr(b, '\n');
		put_table(b, peer_cols, peers);
	}
	if (num(adm, "banned"))
		buf_printf(b, "\n%llu banned: edgewise bans\n",
			   (unsigned long long)num(adm, "banned"));
}

int view_status(struct buf *b, const json_t *o)
{
	const json_t *pool = json_object_get(o, "pool");
	const json_t *cluster = json_object_get(o, "cluster");
	const json_t *warn = json_object_get(o, "warnings"), *w;
	bool good;
	size_t i;

	if (!json_is_object(o) || !*str(o, "program"))
		return CTL_FAIL;
	good = put_head(b, o);
	put_counters(b, "calls:", json_object_get(o, "calls"));
	if (cluster)
		good &= put_cluster(b, o, cluster);
	if (json_object_get(o, "sql"))
		good &= put_sql(b, json_object_get(o, "sql"));
	if (pool) {
		buf_chr(b, '\n');
		good &= view_nodes(b, o) == CTL_OK;
		put_outside(b, o);
	}
	json_array_foreach(warn, i, w) {
		buf_lit(b, "warning: ");
		put_text(b, json_string_value(w) ? json_string_value(w) : "?");
		buf_chr(b, '\n');
	}
	return good ? CTL_OK : CTL_BAD;
}

/* A page does not know the widths of the next one */
static void put_fixed(struct buf *b, const char *s, unsigned width, bool last)
{
	size_t n = strlen(s);

	put_text(b, s);
	for (; !last && n < width; n++)
		buf_chr(b, ' ');
	buf_str(b, last ? "\n" : "  ");
}

/** What is known of it stands at the node that asks it, alone */
static void put_ping(struct buf *b, const json_t *p)
{
	if (!p)
		return;
	buf_lit(b, "  pinged by ");
	put_text(b, *str(p, "by") ? str(p, "by") : "?");
	if (!json_is_true(json_object_get(p, "here"))) {
		buf_lit(b, ": ask it for more\n");
		return;
	}
	if (json_object_get(p, "answer_ms")) {
		buf_printf(b, ": answered in %llu ms, ",
			   (unsigned long long)num(p, "answer_ms"));
		put_age(b, num(p, "answered_ago_ms"));
		buf_lit(b, " ago");
	}
	else {
		buf_lit(b, ": no answer yet");
	}
	if (num(p, "failures"))
		buf_printf(b, ", silent %llu times since",
			   (unsigned long long)num(p, "failures"));
	if (json_is_true(json_object_get(p, "quarantined")))
		buf_lit(b, ", called last by this node");
	buf_chr(b, '\n');
}

void view_contacts(struct buf *b, const json_t *contacts, bool head)
{
	const json_t *c;
	size_t i;

	if (head)
		buf_printf(b, "%-28s  %-36s  %-8s  %s\n", "AOR", "CONTACT",
			   "EXPIRES", "CALL-ID");
	json_array_foreach(contacts, i, c) {
		json_int_t ms = json_integer_value(
			json_object_get(c, "expires_ms"));
		char mem[32] = "";
		struct buf age;

		buf_fixed(&age, mem, sizeof(mem) - 1);
		put_age(&age, ms > 0 ? (uint64_t)ms : 0);
		put_fixed(b, str(c, "aor"), 28, false);
		put_fixed(b, str(c, "contact"), 36, false);
		put_fixed(b, mem, 8, false);
		put_fixed(b, str(c, "callid"), 0, true);
		put_ping(b, json_object_get(c, "ping"));
	}
}
