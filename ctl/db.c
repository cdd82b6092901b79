/* db.c - Shell. `edgewise db`: the database of a node. */
#include "ctl/ctl.h"
#include "ctl/dbimport.h"
#include "ctl/dbopen.h"
#include "db/db_location.h"
#include "db/db_schema.h"
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* A server that stopped answering: nobody watches over the one connection here */
#define PATIENCE 120      /* [s] */

static const char usage[] =
	"usage: edgewise db init|upgrade|status [OPTIONS]\n"
	"       edgewise db import [OPTIONS] FILE|URL      (see: import --help)\n"
	"       edgewise db verify [OPTIONS]               (see: verify --help)\n"
	DBOPEN_USAGE
	"  --json             status as JSON\n"
	"init makes the tables that are missing, upgrade brings older ones up "
	"to date.\n"
	"exit: 0 done, 1 the tables are not as this program needs them, "
	"2 no database\n";

struct run {
	struct dbopen open;
	bool json;
};

static int make(struct run *r)
{
	struct db *db = NULL;
	char why[DB_WHY] = "";
	int64_t before = 0, after = 0;
	enum db_err e;

	if (dbopen_connect(&r->open, &db))
		return CTL_FAIL;
	e = db_schema_version(db, &before);
	if (!e)
		e = db_schema_make(db, why);
	if (!e)
		e = db_schema_version(db, &after);
	if (e)
		dbopen_say(&r->open, *why ? why : db_why(db));
	else if (before == after)
		printf("%s: the tables have version %lld already\n",
		       dbopen_shown(&r->open), (long long)after);
	else
		printf("%s: the tables have version %lld now\n",
		       dbopen_shown(&r->open), (long long)after);
	db_close(db);
	return e == DB_SCHEMA ? CTL_BAD : e ? CTL_FAIL : CTL_OK;
}

static enum db_err subscribers(struct db *db, int64_t *n)
{
	bool more;
	enum db_err e = db_query(db, "SELECT COUNT(*) FROM subscriber", NULL, 0);

	if (!e)
		e = db_row(db, &more);
	if (!e && more)
		*n = db_int(db, 1);
	db_end(db);
	return e;
}

static void show(const struct run *r, int64_t version,
		 const struct db_location_count *c, int64_t users,
		 const char *why)
{
	static const char *const kinds[] = { "SQLite", "PostgreSQL",
					     "MariaDB/MySQL" };
	enum db_kind kind = r->open.conf.url[0] == 's' ? DB_SQLITE :
		r->open.conf.url[0] == 'p' ? DB_POSTGRESQL : DB_MYSQL;
	json_t *o;

	if (!r->json) {
		printf("database     %s\nkind         %s\nversion      %lld, "
		       "this program needs %d\nrecords      %lld\n"
		       "tombstones   %lld\nsubscribers  %lld\n",
		       dbopen_shown(&r->open), kinds[kind], (long long)version,
		       DB_SCHEMA_VERSION, (long long)c->rows,
		       (long long)c->dead, (long long)users);
		if (*why)
			printf("not usable   %s\n", why);
		return;
	}
	o = json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:b}", "database",
		      dbopen_shown(&r->open), "kind", kinds[kind], "version",
		      (json_int_t)version, "needed",
		      (json_int_t)DB_SCHEMA_VERSION, "records",
		      (json_int_t)c->rows, "tombstones", (json_int_t)c->dead,
		      "subscribers", (json_int_t)users, "usable", !*why);
	if (o)
		(void)json_dumpf(o, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(o);
}

static int status(struct run *r)
{
	struct db *db = NULL;
	struct db_location_count c = { 0 };
	char why[DB_WHY] = "";
	int64_t version = 0, users = 0;
	enum db_err e, usable;

	if (dbopen_connect(&r->open, &db))
		return CTL_FAIL;
	usable = db_schema_check(db, why);
	e = db_schema_version(db, &version);
	if (!e && !usable)
		e = db_location_count(db, &c);
	if (!e && !usable)
		e = subscribers(db, &users);
	if (e)
		dbopen_say(&r->open, db_why(db));
	else
		show(r, version, &c, users, why);
	db_close(db);
	return e ? CTL_FAIL : usable ? CTL_BAD : CTL_OK;
}

static void too_long(int sig)
{
	static const char text[] = "edgewise: the database does not answer\n";

	(void)sig;
	if (write(2, text, sizeof(text) - 1) < 0)
		_exit(CTL_FAIL);
	_exit(CTL_FAIL);
}

int ctl_db(int argc, char **argv)
{
	static const struct option opts[] = {
		DBOPEN_LONG,
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	struct run r = { .json = false };
	const char *what;
	int c;

	if (argc > 1 && !strcmp(argv[1], "import"))
		return dbimport_run(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "verify"))
		return ctl_db_verify(argc - 1, argv + 1);
	while ((c = getopt_long(argc, argv, DBOPEN_OPTS "h", opts, NULL)) != -1) {
		if (c == 'j') {
			r.json = true;
		}
		else if (!dbopen_option(&r.open, c, optarg)) {
			fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? CTL_OK : CTL_FAIL;
		}
	}
	what = optind + 1 == argc ? argv[optind] : "";
	(void)signal(SIGALRM, too_long);
	(void)alarm(PATIENCE);
	if (!strcmp(what, "init") || !strcmp(what, "upgrade")) {
		r.open.create = what[0] == 'i';
		return make(&r);
	}
	if (!strcmp(what, "status"))
		return status(&r);
	fputs(usage, stderr);
	return CTL_FAIL;
}
