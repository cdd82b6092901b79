/* db_none.c - Shell. In place of db.c in a program built without SQL: no
 * connection ever comes to be. */
#include "db/db.h"
#include <stdio.h>

const char *db_version(void)
{
	return NULL;
}

void db_print_licence(void)
{
}

enum db_err db_open(struct db **dbp, const struct db_conf *cf, char *why)
{
	(void)dbp;
	(void)cf;
	snprintf(why, DB_WHY, "this program was built without SQL");
	return DB_NONE;
}

void db_close(struct db *db)
{
	(void)db;
}

enum db_kind db_kind(const struct db *db)
{
	(void)db;
	return DB_SQLITE;
}

const char *db_why(const struct db *db)
{
	(void)db;
	return "";
}

enum db_err db_exec(struct db *db, const char *sql, const struct db_val *v,
		    unsigned n, int64_t *changed)
{
	(void)db, (void)sql, (void)v, (void)n, (void)changed;
	return DB_NONE;
}

enum db_err db_query(struct db *db, const char *sql, const struct db_val *v,
		     unsigned n)
{
	(void)db, (void)sql, (void)v, (void)n;
	return DB_NONE;
}

enum db_err db_row(struct db *db, bool *more)
{
	(void)db;
	*more = false;
	return DB_NONE;
}

void db_end(struct db *db)
{
	(void)db;
}

int64_t db_int(struct db *db, unsigned col)
{
	(void)db, (void)col;
	return 0;
}

struct sl db_text(struct db *db, unsigned col)
{
	(void)db, (void)col;
	return SL_NONE;
}

struct sl db_blob(struct db *db, unsigned col)
{
	(void)db, (void)col;
	return SL_NONE;
}

const char *db_column(struct db *db, unsigned col)
{
	(void)db, (void)col;
	return NULL;
}

enum db_err db_script(struct db *db, const char *sql)
{
	(void)db, (void)sql;
	return DB_NONE;
}

enum db_err db_begin(struct db *db)
{
	(void)db;
	return DB_NONE;
}

enum db_err db_commit(struct db *db)
{
	(void)db;
	return DB_NONE;
}

void db_rollback(struct db *db)
{
	(void)db;
}

uint64_t db_busy(struct db *db, uint64_t now)
{
	(void)db, (void)now;
	return 0;
}

bool db_interrupt(struct db *db)
{
	(void)db;
	return false;
}
