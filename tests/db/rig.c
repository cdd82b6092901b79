#include "tests/db/rig.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
const char *__lsan_default_suppressions(void);
/* libzdb loses the name of a statement that PostgreSQL refuses to prepare */
const char *__lsan_default_suppressions(void)
{
	return "leak:libzdb.so";
}
#endif

/* Criterion gives each test a process: one folder each, of the process's number */
static char dir[64];

static void clean(void)
{
	static const char *const files[] = { "e.db", "e.db-wal", "e.db-shm" };
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
}

static const char *server(unsigned i)
{
	return getenv(i == 1 ? "EW_TEST_POSTGRESQL" : "EW_TEST_MYSQL");
}

void rig_conf(unsigned i, struct db_conf *cf)
{
	memset(cf, 0, sizeof(*cf));
	cf->create = true;
	cf->query_ms = 2000;
	if (!*dir) {
		snprintf(dir, sizeof(dir), "/tmp/edgewise-db.XXXXXX");
		cr_assert(mkdtemp(dir));
		atexit(clean);
	}
	if (i)
		snprintf(cf->url, sizeof(cf->url), "%s", server(i));
	else
		snprintf(cf->url, sizeof(cf->url), "sqlite://%s/e.db", dir);
}

struct db *rig_again(unsigned i)
{
	struct db *db = NULL;
	struct db_conf cf;
	char why[DB_WHY] = "";
	enum db_err e;

	rig_conf(i, &cf);
	e = db_open(&db, &cf, why);
	cr_assert(!e, "%s: %s: %s", cf.url, db_err_name(e), why);
	return db;
}

unsigned rig_open(struct db **dbs)
{
	unsigned n = 0;
	char why[DB_WHY] = "";

	for (unsigned i = 0; i < RIG_MAX; i++) {
		struct db *db;

		if (i && !server(i))
			continue;
		db = dbs[n++] = rig_again(i);
		OK(db_script(db, "DROP TABLE IF EXISTS edgewise_version"));
		OK(db_script(db, "DROP TABLE IF EXISTS edgewise_location"));
		OK(db_script(db, "DROP TABLE IF EXISTS subscriber"));
		cr_assert(!db_schema_make(db, why), "%s", why);
	}
	return n;
}

void rig_close(struct db **dbs, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		db_close(dbs[i]);
}
