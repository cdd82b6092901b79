/* db_schema.c - Shell. */
#include "db/db_schema.h"
#include <stdio.h>

/* Words that differ: %BLOB%, %ID% and %SERIAL% of a table, %END% behind it. */
static const char version_table[] =
	"CREATE TABLE IF NOT EXISTS edgewise_version ("
	"part VARCHAR(32) NOT NULL PRIMARY KEY,"
	"version INTEGER NOT NULL)%END%";

/* No index but that of the id: each further one would be written at every refresh.
 * Columns from `aor` on are for people; programs look at `rec` alone. */
static const char location_table[] =
	"CREATE TABLE IF NOT EXISTS edgewise_location ("
	"id %ID% NOT NULL PRIMARY KEY,"
	"ver1 BIGINT NOT NULL,"
	"ver2 BIGINT NOT NULL,"
	"hold_until BIGINT NOT NULL,"
	"expires BIGINT NOT NULL,"
	"dead SMALLINT NOT NULL,"
	"owner VARCHAR(64) NOT NULL,"
	"aor VARCHAR(512) NOT NULL,"
	"contact VARCHAR(1100) NOT NULL,"
	"path VARCHAR(1100),"
	"callid VARCHAR(255),"
	"cseq BIGINT NOT NULL,"
	"user_agent VARCHAR(255),"
	"received VARCHAR(255),"
	"rec %BLOB% NOT NULL)%END%";

/* The columns of both projects, so that their tools and ours work on one table */
static const char subscriber_table[] =
	"CREATE TABLE IF NOT EXISTS subscriber ("
	"id %SERIAL% NOT NULL PRIMARY KEY,"
	"username VARCHAR(64) DEFAULT '' NOT NULL,"
	"domain VARCHAR(64) DEFAULT '' NOT NULL,"
	"password VARCHAR(64) DEFAULT '' NOT NULL,"
	"email_address VARCHAR(128) DEFAULT '' NOT NULL,"
	"ha1 VARCHAR(64) DEFAULT '' NOT NULL,"
	"ha1b VARCHAR(64) DEFAULT '' NOT NULL,"
	"ha1_sha256 VARCHAR(64) DEFAULT '' NOT NULL,"
	"ha1_sha512t256 VARCHAR(64) DEFAULT '' NOT NULL,"
	"rpid VARCHAR(255) DEFAULT NULL,"
	"CONSTRAINT subscriber_account_idx UNIQUE (username, domain))%END%";

static const char *word(enum db_kind kind, struct sl name)
{
	static const struct {
		struct sl name;
		const char *text[3];    /* by enum db_kind */
	} words[] = {
		{ { "ID", 2 }, { "BLOB", "BYTEA", "BINARY(16)" } },
		{ { "BLOB", 4 }, { "BLOB", "BYTEA", "MEDIUMBLOB" } },
		{ { "SERIAL", 6 }, { "INTEGER", "SERIAL",
				     "INT UNSIGNED AUTO_INCREMENT" } },
		/* bytes decide what is equal, case and blanks included */
		{ { "END", 3 }, { "", "", " ENGINE=InnoDB DEFAULT CHARSET="
				  "utf8mb4 COLLATE=utf8mb4_bin" } },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (sl_eq(words[i].name, name))
			return words[i].text[kind];
	}
	return "";
}

static enum db_err make(struct db *db, const char *text)
{
	char sql[2048];
	size_t n = 0;
	struct sl s = sl_cstr(text);

	while (s.n && n + 1 < sizeof(sql)) {
		size_t at = sl_chr(s, '%'), end;

		n += (size_t)snprintf(sql + n, sizeof(sql) - n, "%.*s", (int)at,
				      s.p);
		s = sl_sub(s, at + 1, s.n);
		if (!s.n)
			break;
		end = sl_chr(s, '%');
		n += (size_t)snprintf(sql + n, sizeof(sql) - n, "%s",
				      word(db_kind(db), sl_sub(s, 0, end)));
		s = sl_sub(s, end + 1, s.n);
	}
	sql[n] = 0;
	return db_script(db, sql);
}

/** Is there such a table? Asked of the catalogue: a failed statement would end
 *  a connection, and a transaction of PostgreSQL */
static enum db_err has_table(struct db *db, const char *name, bool *has)
{
	static const char *const sql[] = {
		"SELECT 1 FROM sqlite_master WHERE type='table' AND name=?",
		"SELECT 1 FROM pg_catalog.pg_class WHERE relname=? AND "
		"pg_catalog.pg_table_is_visible(oid)",
		"SELECT 1 FROM information_schema.tables WHERE table_name=? "
		"AND table_schema=DATABASE()",
	};
	struct db_val v = db_t(sl_cstr(name));
	enum db_err e = db_query(db, sql[db_kind(db)], &v, 1);

	*has = false;
	if (!e)
		e = db_row(db, has);
	db_end(db);
	return e;
}

enum db_err db_schema_version(struct db *db, int64_t *version)
{
	bool has;
	enum db_err e = has_table(db, "edgewise_version", &has);

	*version = 0;
	if (e || !has)
		return e;
	e = db_query(db, "SELECT version FROM edgewise_version "
		     "WHERE part='location'", NULL, 0);
	if (!e)
		e = db_row(db, &has);
	if (!e && has)
		*version = db_int(db, 1);
	db_end(db);
	return e;
}

static enum db_err say(struct db *db, enum db_err e, char *why)
{
	if (e)
		snprintf(why, DB_WHY, "%s", db_why(db));
	return e;
}

static enum db_err judge(int64_t version, char *why)
{
	if (version > DB_SCHEMA_VERSION) {
		snprintf(why, DB_WHY, "the tables have version %lld, this "
			 "program knows %d: use a newer program",
			 (long long)version, DB_SCHEMA_VERSION);
		return DB_SCHEMA;
	}
	if (version < DB_SCHEMA_VERSION) {
		if (version)
			snprintf(why, DB_WHY, "the tables have version %lld, "
				 "this program needs %d: edgewise db upgrade",
				 (long long)version, DB_SCHEMA_VERSION);
		else
			snprintf(why, DB_WHY, "there are no tables yet: "
				 "edgewise db init");
		return DB_SCHEMA;
	}
	return DB_OK;
}

static enum db_err make_all(struct db *db)
{
	struct db_val v = db_i(DB_SCHEMA_VERSION);
	bool has;
	enum db_err e = make(db, location_table);

	if (!e)
		e = has_table(db, "subscriber", &has);
	if (!e && !has)
		e = make(db, subscriber_table);
	/* version 1 is the first: later ones alter the tables here, step by step */
	if (!e)
		e = db_exec(db, "DELETE FROM edgewise_version WHERE "
			    "part='location'", NULL, 0, NULL);
	if (!e)
		e = db_exec(db, "INSERT INTO edgewise_version (part, version) "
			    "VALUES ('location', ?)", &v, 1, NULL);
	return e;
}

enum db_err db_schema_make(struct db *db, char *why)
{
	int64_t version = 0;
	enum db_err e = make(db, version_table);

	if (!e)
		e = db_schema_version(db, &version);
	if (!e && version > DB_SCHEMA_VERSION)
		return judge(version, why);
	if (!e && version == DB_SCHEMA_VERSION)
		return DB_OK;
	if (!e)
		e = db_begin(db);
	if (!e)
		e = make_all(db);
	if (!e)
		e = db_commit(db);
	(void)say(db, e, why);
	if (e)
		db_rollback(db);
	return e;
}

enum db_err db_schema_check(struct db *db, char *why)
{
	int64_t version = 0;
	enum db_err e = say(db, db_schema_version(db, &version), why);

	return e ? e : judge(version, why);
}
