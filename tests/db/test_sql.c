#include "tests/db/rig.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Test(sql, values_come_back_as_they_went_in)
{
	struct db *db;
	static const char bin[] = "\0\1\\'\"\xff\0x";

	FOR_EACH_DB(db) {
		struct db_val v[4] = { db_t(SL("a'b\"c\\d; DROP TABLE x; -- \xc3\xbc \xf0\x9f\x98\x80")),
				       db_i(INT64_MIN + 1),
				       db_b(bin, sizeof(bin)), db_t(SL_NONE) };
		bool more;
		struct sl s;

		(void)db_script(db, "DROP TABLE IF EXISTS ew_t");
		OK(db_script(db, db_kind(db) == DB_POSTGRESQL ?
			     "CREATE TABLE ew_t (t TEXT, i BIGINT, b BYTEA, n TEXT)" :
			     db_kind(db) == DB_MYSQL ?
			     "CREATE TABLE ew_t (t TEXT, i BIGINT, b BLOB, n TEXT) "
			     "CHARSET=utf8mb4" :
			     "CREATE TABLE ew_t (t TEXT, i BIGINT, b BLOB, n TEXT)"));
		OK(db_exec(db, "INSERT INTO ew_t VALUES (?,?,?,?)", v, 4, NULL));
		OK(db_query(db, "SELECT t,i,b,n FROM ew_t", NULL, 0));
		OK(db_row(db, &more));
		cr_assert(more);
		cr_assert(sl_eq(db_text(db, 1), v[0].s), "%.*s",
			  SL_FMT(db_text(db, 1)));
		cr_assert_eq(db_int(db, 2), INT64_MIN + 1);
		s = db_blob(db, 3);
		cr_assert(sl_eq(s, sl_mk(bin, sizeof(bin))), "%zu bytes", s.n);
		cr_assert(!sl_isset(db_text(db, 4)));
		OK(db_row(db, &more));
		cr_assert(!more);
		OK(db_script(db, "DROP TABLE ew_t"));
	}
	DBS_DONE();
}

Test(sql, text_that_is_none_is_refused_before_the_database_sees_it)
{
	struct db *db;

	FOR_EACH_DB(db) {
		struct db_val v = db_t(SL("a\xff"));
		bool more;

		cr_assert_eq(db_query(db, "SELECT 1 WHERE 'x'=?", &v, 1),
			     DB_DATA);
		v = db_t(SL("a\0b"));
		cr_assert_eq(db_query(db, "SELECT 1 WHERE 'x'=?", &v, 1),
			     DB_DATA);
		OK(db_query(db, "SELECT COUNT(*) FROM subscriber", NULL, 0));
		OK(db_row(db, &more));
		db_end(db);
	}
	DBS_DONE();
}

Test(sql, what_is_rolled_back_was_never_there)
{
	struct db *db;

	FOR_EACH_DB(db) {
		bool more;

		OK(db_begin(db));
		OK(db_exec(db, "INSERT INTO subscriber (username,domain) "
			   "VALUES ('a','b')", NULL, 0, NULL));
		db_rollback(db);
		OK(db_query(db, "SELECT COUNT(*) FROM subscriber", NULL, 0));
		OK(db_row(db, &more));
		cr_assert_eq(db_int(db, 1), 0);
		db_end(db);
	}
	DBS_DONE();
}

Test(sql, a_newer_schema_is_refused)
{
	struct db *db;

	FOR_EACH_DB(db) {
		char why[DB_WHY] = "";

		OK(db_schema_check(db, why));
		OK(db_exec(db, "UPDATE edgewise_version SET version=99", NULL, 0,
			   NULL));
		cr_assert_eq(db_schema_check(db, why), DB_SCHEMA);
		cr_assert(strstr(why, "99"), "%s", why);
		cr_assert_eq(db_schema_make(db, why), DB_SCHEMA);
	}
	DBS_DONE();
}

Test(sql, a_missing_schema_says_what_to_do)
{
	struct db *db;

	FOR_EACH_DB(db) {
		char why[DB_WHY] = "";

		OK(db_script(db, "DROP TABLE edgewise_version"));
		cr_assert_eq(db_schema_check(db, why), DB_SCHEMA);
		cr_assert(strstr(why, "edgewise db init"), "%s", why);
	}
	DBS_DONE();
}

/* close() of any descriptor of a file takes away all locks of the process on it:
 * the next program to leave would remove the log of a database in use */
Test(sql, another_program_that_leaves_takes_no_log_along)
{
	struct db *db;

	FOR_EACH_DB(db) {
		char cmd[DB_URL + 200], wal[DB_URL + 8];
		struct db_conf cf = { 0 };
		struct db *more_of_it;
		bool more;

		if (db_kind(db) != DB_SQLITE)
			continue;
		more_of_it = rig_again(i_);
		rig_conf(DB_SQLITE, &cf);
		snprintf(wal, sizeof(wal), "%s-wal", strchr(cf.url, '/') + 2);
		snprintf(cmd, sizeof(cmd), "sqlite3 %.*s \"INSERT INTO "
			 "subscriber (username,domain) VALUES ('a','b')\"",
			 (int)strlen(wal) - 4, wal);
		cr_assert_eq(system(cmd), 0, "%s", cmd);
		cr_expect_eq(access(wal, F_OK), 0, "%s", wal);
		OK(db_query(db, "SELECT COUNT(*) FROM subscriber", NULL, 0));
		OK(db_row(db, &more));
		cr_expect_eq(db_int(db, 1), 1);
		db_end(db);
		db_close(more_of_it);
	}
	DBS_DONE();
}
