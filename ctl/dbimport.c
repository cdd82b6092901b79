/* dbimport.c - Shell. Rows are read from the other registrar's database; the edge
 * makes a way (a sealed Path) to each phone, a node takes the contacts and its cluster
 * has them at once. */
#include "ctl/dbimport.h"
#include "ctl/ctl.h"
#include "ctl/dbopen.h"
#include "ctl/dbrow.h"
#include "ctl/post.h"
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	BATCH = 40,              /* contacts of one request                  */
	REASONS = 24,
	TO = 64,
};

static const char usage[] =
	"usage: edgewise db import [OPTIONS] FILE|URL\n"
	"  FILE|URL           SQLite file or database of the Kamailio or "
	"OpenSIPS\n"
	"  -p, --password-file FILE\n"
	"                     its first line is the database's password\n"
	"  --table NAME       default: location\n"
	"  --domain NAME      of rows that have none (use_domain=0)\n"
	"  --keep-path        a Path in a row leads to this edge: it stays\n"
	"  --edge-config FILE, --edge-url URL, --edge-token FILE\n"
	"  --node-config FILE, --node-url URL, --node-token FILE\n"
	"                     the edge and a node that are asked; default: of "
	"this host\n"
	"  --dry-run          read and count only\n"
	"  --verbose          a line for each row that is not taken\n"
	"exit: 0 all taken, 1 some not, 2 stopped\n";

struct item {
	json_t *contact;
	char to[TO];
	char aor[200];           /**< for --verbose                          */
};

struct run {
	struct dbopen src;
	struct post edge, node;
	const char *table;
	struct dbrow_conf cf;
	bool dry, verbose;
	struct item item[BATCH];
	unsigned n;
	unsigned long rows, taken, refused;
	struct {
		char why[96];
		unsigned long n;
	} reason[REASONS];
};

/* --- counting ------------------------------------------------------------------ */

static void refuse(struct run *r, const char *aor, const char *why)
{
	unsigned i = 0;

	r->refused++;
	if (r->verbose)
		printf("%s: %s\n", aor, why);
	while (i < REASONS - 1 && r->reason[i].n &&
	       strncmp(r->reason[i].why, why, sizeof(r->reason[i].why) - 1) != 0)
		i++;
	if (!r->reason[i].n++)
		snprintf(r->reason[i].why, sizeof(r->reason[i].why), "%s",
			 i == REASONS - 1 ? "other reasons" : why);
}

static void report(const struct run *r)
{
	printf("%lu rows, %lu %s, %lu not\n", r->rows, r->taken,
	       r->dry ? "can be taken" : "taken", r->refused);
	for (unsigned i = 0; i < REASONS && r->reason[i].n; i++)
		printf("%9lu  %s\n", r->reason[i].n, r->reason[i].why);
}

/* --- asking edge and node ------------------------------------------------------- */

static int ask_edge(struct run *r)
{
	json_t *flows = json_array(), *answer = NULL, *v;
	unsigned which[BATCH], n = 0;
	size_t i;
	int rc;

	for (unsigned k = 0; k < r->n; k++) {
		if (!*r->item[k].to)
			continue;
		which[n++] = k;
		(void)json_array_append_new(flows, json_pack(
			"{s:s,s:s}", "transport", "udp", "address",
			r->item[k].to));
	}
	if (!n) {
		json_decref(flows);
		return CTL_OK;
	}
	rc = post_send(&r->edge, "/api/v1/paths",
		       json_pack("{s:o}", "flows", flows), &answer);
	if (rc)
		return rc;
	json_array_foreach(json_object_get(answer, "paths"), i, v) {
		struct item *it = i < n ? &r->item[which[i]] : NULL;
		const char *path = json_string_value(json_object_get(v, "path"));
		const char *why = json_string_value(json_object_get(v, "error"));

		if (it && path) {
			(void)json_object_set_new(it->contact, "path",
						  json_string(path));
		}
		else if (it) {
			refuse(r, it->aor, why ? why : "no path");
			json_decref(it->contact);
			it->contact = NULL;
		}
	}
	json_decref(answer);
	return CTL_OK;
}

static int ask_node(struct run *r)
{
	json_t *list = json_array(), *answer = NULL, *v;
	unsigned which[BATCH], n = 0;
	size_t i;
	int rc;

	for (unsigned k = 0; k < r->n; k++) {
		if (!r->item[k].contact)
			continue;
		which[n++] = k;
		(void)json_array_append(list, r->item[k].contact);
	}
	if (!n) {
		json_decref(list);
		return CTL_OK;
	}
	rc = post_send(&r->node, "/api/v1/contacts",
		       json_pack("{s:o}", "contacts", list), &answer);
	if (rc)
		return rc;
	json_array_foreach(json_object_get(answer, "results"), i, v) {
		const char *s = json_string_value(v);

		if (i >= n)
			break;
		if (s && !strcmp(s, "taken"))
			r->taken++;
		else
			refuse(r, r->item[which[i]].aor, s ? s : "no answer");
	}
	json_decref(answer);
	return CTL_OK;
}

static int flush(struct run *r)
{
	int rc = CTL_OK;

	if (r->dry)
		r->taken += r->n;
	else if (r->n)
		rc = ask_edge(r);
	if (!rc && !r->dry && r->n)
		rc = ask_node(r);
	for (unsigned i = 0; i < r->n; i++)
		json_decref(r->item[i].contact);
	r->n = 0;
	return rc;
}

/* --- reading -------------------------------------------------------------------------- */

/** Text for a terminal */
static void name_of(char *out, size_t size, const struct dbrow *row)
{
	snprintf(out, size, "%.*s@%.*s", SL_FMT(row->username),
		 SL_FMT(row->domain));
	for (; *out; out++) {
		if ((unsigned char)*out < ' ' || *out == 0x7f)
			*out = '?';
	}
}

static int one(struct run *r, struct db *db, const int8_t *which)
{
	struct item *it = &r->item[r->n];
	struct dbrow row;
	struct sl *members = (struct sl *)&row;
	const char *why;

	memset(&row, 0, sizeof(row));
	for (unsigned i = 0; i < DB_COLS; i++) {
		if (which[i] >= 0)
			members[which[i]] = db_text(db, i + 1);
	}
	r->rows++;
	it->contact = NULL;
	name_of(it->aor, sizeof(it->aor), &row);
	why = dbrow_read(&row, &r->cf, &it->contact, it->to, sizeof(it->to));
	if (why) {
		refuse(r, it->aor, why);
		return CTL_OK;
	}
	return ++r->n == BATCH ? flush(r) : CTL_OK;
}

/** Which column fills which member of struct dbrow, -1 = none */
static bool columns(struct db *db, int8_t which[DB_COLS])
{
	struct dbrow row;
	unsigned found = 0;

	for (unsigned i = 0; i < DB_COLS; i++) {
		const char *name = db_column(db, i + 1);
		struct sl *m = name ? dbrow_column(&row, name) : NULL;

		which[i] = m ? (int8_t)(m - (struct sl *)&row) : -1;
		found += m == &row.username || m == &row.contact ||
			m == &row.expires || m == &row.callid;
	}
	return found == 4;
}

static int read_all(struct run *r, struct db *db)
{
	char sql[128];
	int8_t which[DB_COLS];
	bool more = true;
	int rc = CTL_OK;
	enum db_err e;

	snprintf(sql, sizeof(sql), "SELECT * FROM %s", r->table);
	e = db_query(db, sql, NULL, 0);
	if (!e && !columns(db, which)) {
		dbopen_say(&r->src, "the table lacks username, contact, expires "
			   "or callid");
		rc = CTL_FAIL;
	}
	while (!e && !rc && more) {
		e = db_row(db, &more);
		if (!e && more)
			rc = one(r, db, which);
	}
	if (e) {
		dbopen_say(&r->src, db_why(db));
		return CTL_FAIL;
	}
	if (!rc)
		rc = flush(r);
	for (unsigned i = 0; i < r->n; i++)
		json_decref(r->item[i].contact);
	return rc ? CTL_FAIL : CTL_OK;
}

/* --- options --------------------------------------------------------------------------- */

/** A name, not a piece of SQL */
static bool is_name(const char *s)
{
	return *s && strlen(s) <= 63 && strspn(s, "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == strlen(s);
}

static bool option(struct run *r, int c, char *arg)
{
	switch (c) {
	case 'p': r->src.password_file = arg; return true;
	case 't': r->table = arg; return is_name(arg);
	case 'D': r->cf.domain = sl_cstr(arg); return true;
	case 'k': r->cf.keep_path = true; return true;
	case 'd': r->dry = true; return true;
	case 'v': r->verbose = true; return true;
	case '1': return post_opt(&r->edge, 'c', arg);
	case '2': return post_opt(&r->edge, 'u', arg);
	case '3': return post_opt(&r->edge, 'T', arg);
	case '4': return post_opt(&r->node, 'c', arg);
	case '5': return post_opt(&r->node, 'u', arg);
	case '6': return post_opt(&r->node, 'T', arg);
	default:  return false;
	}
}

static int import(struct run *r, const char *source)
{
	char path[PATH_MAX], url[PATH_MAX + 16];
	struct db *db = NULL;
	int rc;

	r->src.url = source;
	if (!strstr(source, "://")) {
		if (!realpath(source, path)) {
			fprintf(stderr, "edgewise: %s: no such file\n", source);
			return CTL_FAIL;
		}
		snprintf(url, sizeof(url), "sqlite://%s", path);
		r->src.url = url;
	}
	r->cf.now = (uint64_t)time(NULL);
	r->src.conf.foreign = true;
	if (dbopen_connect(&r->src, &db))
		return CTL_FAIL;
	rc = read_all(r, db);
	db_close(db);
	if (rc == CTL_OK || r->rows)
		report(r);
	return rc ? rc : r->refused ? CTL_BAD : CTL_OK;
}

int dbimport_run(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "password-file", required_argument, NULL, 'p' },
		{ "table", required_argument, NULL, 't' },
		{ "domain", required_argument, NULL, 'D' },
		{ "keep-path", no_argument, NULL, 'k' },
		{ "dry-run", no_argument, NULL, 'd' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "edge-config", required_argument, NULL, '1' },
		{ "edge-url", required_argument, NULL, '2' },
		{ "edge-token", required_argument, NULL, '3' },
		{ "node-config", required_argument, NULL, '4' },
		{ "node-url", required_argument, NULL, '5' },
		{ "node-token", required_argument, NULL, '6' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	static struct run r;
	int c;

	memset(&r, 0, sizeof(r));
	r.table = "location";
	r.node.node = true;
	while ((c = getopt_long(argc, argv, "p:h", opts, NULL)) != -1) {
		if (!option(&r, c, optarg)) {
			fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? CTL_OK : CTL_FAIL;
		}
	}
	if (optind + 1 != argc) {
		fputs(usage, stderr);
		return CTL_FAIL;
	}
	return import(&r, argv[optind]);
}
