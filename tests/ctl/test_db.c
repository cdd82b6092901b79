#include "ctl/ctl.h"
#include "db/db.h"
#include "db/db_schema.h"
#include <criterion/criterion.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/ew_ctldb_XXXXXX";
static char url[96], conf[64], out[64];

static void setup(void)
{
	cr_assert(mkdtemp(dir));
	snprintf(url, sizeof(url), "sqlite://%s/e.db", dir);
	snprintf(conf, sizeof(conf), "%s/node.conf", dir);
	snprintf(out, sizeof(out), "%s/out", dir);
	unsetenv("EDGEWISE_DB");
	cr_assert(freopen(out, "a+", stdout));
	cr_assert(freopen(out, "a+", stderr));
}

static void teardown(void)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	cr_assert(!system(cmd));
}

TestSuite(ctldb, .init = setup, .fini = teardown, .timeout = 30);

static int run(const char *what, const char *opt, const char *val)
{
	const char *argv[] = { "db", what, opt, val, NULL };

	optind = 0;
	return ctl_db(opt ? 4 : 2, (char **)argv);
}

static const char *said(void)
{
	static char text[4096];
	FILE *f;
	size_t n;

	fflush(NULL);
	f = fopen(out, "r");
	cr_assert(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	fclose(f);
	return text;
}

Test(ctldb, init_makes_a_private_file_that_status_finds_good)
{
	char path[64];
	struct stat st;

	cr_assert_eq(run("init", "-d", url), CTL_OK);
	snprintf(path, sizeof(path), "%s/e.db", dir);
	cr_assert(!stat(path, &st));
	cr_assert_eq(st.st_mode & 0777, 0600);
	cr_assert_eq(run("status", "-d", url), CTL_OK);
	cr_assert(strstr(said(), "records      0"), "%s", said());
	/* once more does no harm */
	cr_assert_eq(run("init", "-d", url), CTL_OK);
}

Test(ctldb, upgrade_and_status_make_no_file)
{
	char path[64];

	cr_assert_eq(run("status", "-d", url), CTL_FAIL);
	cr_assert_eq(run("upgrade", "-d", url), CTL_FAIL);
	snprintf(path, sizeof(path), "%s/e.db", dir);
	cr_assert(access(path, F_OK));
	cr_assert(strstr(said(), "edgewise db init"), "%s", said());
}

Test(ctldb, a_newer_schema_is_left_alone)
{
	struct db_conf cf = { .query_ms = 0 };
	struct db *db = NULL;
	char why[DB_WHY];

	cr_assert_eq(run("init", "-d", url), CTL_OK);
	snprintf(cf.url, sizeof(cf.url), "%s", url);
	cr_assert(!db_open(&db, &cf, why));
	cr_assert(!db_exec(db, "UPDATE edgewise_version SET version=7", NULL, 0,
			   NULL));
	db_close(db);
	cr_assert_eq(run("status", "-d", url), CTL_BAD);
	cr_assert_eq(run("upgrade", "-d", url), CTL_BAD);
	cr_assert(strstr(said(), "newer program"), "%s", said());
}

Test(ctldb, the_settings_of_a_node_name_the_database)
{
	FILE *f = fopen(conf, "w");

	fprintf(f, "name = \"n1\";\ndb_url = \"%s\";\n", url);
	fclose(f);
	cr_assert_eq(run("init", "-c", conf), CTL_OK);
	cr_assert_eq(run("status", "-d", url), CTL_OK);
}

Test(ctldb, no_password_is_shown)
{
	cr_assert_eq(run("status", "-d", "postgresql://u:sEcrEt@127.0.0.1:1/d"),
		     CTL_FAIL);
	cr_assert(strstr(said(), "u:***@127.0.0.1:1/d"), "%s", said());
	cr_assert(!strstr(said(), "sEcrEt"));
	cr_assert_eq(run("status", "-d", "mysql://u:sEc rEt@h/d"), CTL_FAIL);
	cr_assert(!strstr(said(), "rEt"), "%s", said());
}
