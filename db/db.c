/* db.c - Shell. The only file that knows libzdb. Its exceptions end here. */
#include "config.h"
#include "base/clk.h"
#include "base/file.h"
#include "db/db_judge.h"
#include "db/db_sock.h"
#include "db/db_text.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zdb.h>

#define STMTS 48          /**< prepared for a connection at most */
#define PASSWORD 256      /**< longest [bytes]                   */

struct db {
	enum db_kind kind;
	URL_T url;
	ConnectionPool_T pool;     /**< of one connection                       */
	Connection_T con;
	struct {
		const char *sql;
		PreparedStatement_T st;
	} stmt[STMTS];
	unsigned n_stmt;
	ResultSet_T rows;          /**< of the last query                       */
	unsigned cols;
	struct buf text;           /**< parameters with their NULs              */
	char password[PASSWORD + 1];
	char why[DB_WHY];
	uint32_t query_ms;
	bool in_tx;
	bool bad;                  /**< the connection is of no use any more    */
	/* for other threads */
	pthread_mutex_t lock;      /**< over fd and cut                         */
	int fd;                    /**< of the server, -1 = not known           */
	bool cut;                  /**< by db_interrupt()                       */
	uint64_t since;            /**< the statement runs since then, atomic   */
};

const char *db_version(void)
{
	return ConnectionPool_version();
}

void db_print_licence(void)
{
	const char *v = db_version();

	printf("with SQL by %.*s: this binary is under GPL-3\n",
	       (int)strcspn(v, " "), v);
}

enum db_kind db_kind(const struct db *db)
{
	return db->kind;
}

const char *db_why(const struct db *db)
{
	return db->why;
}

/* --- errors ------------------------------------------------------------------ */

static enum db_err fail(struct db *db, enum db_err e, const char *text)
{
	static const char pool[] = "Failed to start connection pool -- ";

	if (!strncmp(text, pool, sizeof(pool) - 1))
		text += sizeof(pool) - 1;
	db_url_clean(db->why, text, sl_cstr(db->password));
	return e;
}

static enum db_err thrown(struct db *db, const char *text)
{
	enum db_err e = db_judge(db->kind, text);
	bool cut;

	if (e != DB_DATA && e != DB_LOCKED && e != DB_FULL && e != DB_DENIED)
		db->bad = true;

	pthread_mutex_lock(&db->lock);
	cut = db->cut;
	pthread_mutex_unlock(&db->lock);
	if (cut)
		return fail(db, DB_TIMEOUT, "no answer in time, connection cut");
	return fail(db, e, text);
}

/* What libzdb throws becomes an error of ours. Locals that change between TRY and
 * ELSE must be volatile: it is longjmp(). */
#define GUARD(db, err, ...) \
	do { \
		__atomic_store_n(&(db)->since, clk_now(), __ATOMIC_RELAXED); \
		TRY { \
			__VA_ARGS__; \
		} \
		ELSE { \
			(err) = thrown(db, Exception_frame.message); \
		} \
		END_TRY; \
		__atomic_store_n(&(db)->since, 0, __ATOMIC_RELAXED); \
	} while (0)

/* --- connect ----------------------------------------------------------------- */

static const char *read_password(struct db *db, const char *path)
{
	struct buf b;
	struct sl s;
	int err = file_read(&b, path, PASSWORD + 2);

	if (err)
		return "db_password_file cannot be read";
	s = sl_sub(buf_as_sl(&b), 0, sl_chr(buf_as_sl(&b), '\n'));
	s = sl_sub(s, 0, sl_chr(s, '\r'));
	if (s.n && s.n <= PASSWORD)
		memcpy(db->password, s.p, s.n);
	else
		err = EINVAL;
	if (b.p)
		explicit_bzero(b.p, b.n);
	buf_free(&b);
	return err ? "db_password_file holds no password" : NULL;
}

/** The tables hold digests of passwords: nobody else may read them. The files
 *  that SQLite puts beside get the same mode. A file that is there is not
 *  opened: close() would take the locks away that SQLite's other connections of
 *  this process hold on it, and the next program to leave would take the
 *  log (WAL) of a database in use for its own and remove it. */
static enum db_err sqlite_file(struct db *db, const struct db_url *u,
			       bool create)
{
	char path[DB_URL + 1];
	int fd = -1;

	if (!db_url_plain(path, sizeof(path), u->path))
		return fail(db, DB_DATA, "the path is too long");
	if (!access(path, R_OK | W_OK))
		return DB_OK;
	if (errno == ENOENT && create)
		fd = open(path, O_RDWR | O_CLOEXEC | O_CREAT | O_EXCL, 0600);
	if (fd < 0 && errno == EEXIST)
		return DB_OK;
	if (fd < 0 && errno == ENOENT)
		return fail(db, create ? DB_DOWN : DB_SCHEMA, create ?
			    "its folder is missing" :
			    "there is no such file yet: edgewise db init");
	if (fd < 0)
		return fail(db, errno == EACCES || errno == EROFS ||
			    errno == EPERM ? DB_DENIED :
			    errno == ENOSPC ? DB_FULL : DB_DOWN,
			    strerror(errno));
	close(fd);
	return DB_OK;
}

static enum db_err start(struct db *db, const struct db_url *u,
			 uint32_t connect_ms)
{
	volatile enum db_err e = DB_OK;
	struct buf b;

	buf_init(&b, 4096);
	db_url_build(&b, u, *db->password ? sl_cstr(db->password) : SL_NONE,
		     connect_ms);
	buf_chr(&b, 0);
	if (!b.err)
		db->url = URL_new((char *)b.p);
	if (b.p)
		explicit_bzero(b.p, b.n);
	buf_free(&b);
	if (!db->url)
		return fail(db, DB_DATA, "not a URL that libzdb understands");
	db_sock_begin(u);
	GUARD(db, e,
	      db->pool = ConnectionPool_new(db->url);
	      ConnectionPool_setInitialConnections(db->pool, 1);
	      ConnectionPool_setMaxConnections(db->pool, 1);
	      ConnectionPool_start(db->pool);
	      db->con = ConnectionPool_getConnection(db->pool));
	db->fd = db_sock_end(u);
	if (!e && !db->con)
		return fail(db, DB_DOWN, "no connection");
	/* of a server that speaks another language: it did not let us in */
	return e == DB_OTHER ? DB_DOWN : e;
}

/* WAL: a reader never waits for the writer. synchronous=FULL: a commit is on the disk
 * when it returns, as the database is there for the power cut that takes all nodes at
 * once; one sync for a batch of thousands of rows. libzdb tries ten times more,
 * so that somebody else's transaction is waited for 2.5 s in all. page_size: each changed
 * row writes its page, as refreshes come in any order; half a page is 4/5 of the time.
 * wal_autocheckpoint, 64 MB: a page that several batches changed goes into the
 * database once; no more than what journal_size_limit leaves of the log. */
static const char *const sqlite_start[] = {
	"PRAGMA busy_timeout=200",
	"PRAGMA page_size=2048",
	"PRAGMA journal_mode=WAL",
	"PRAGMA synchronous=FULL",
	"PRAGMA cache_size=-32000",
	"PRAGMA wal_autocheckpoint=32000",
	"PRAGMA journal_size_limit=67108864",
	"PRAGMA temp_store=MEMORY",
	NULL
};

/** Of another program: WAL would stay in its file */
static const char *const sqlite_foreign[] = {
	"PRAGMA busy_timeout=200",
	"PRAGMA query_only=ON",
	NULL
};

static enum db_err settle(struct db *db, bool foreign)
{
	const char *const *start = foreign ? sqlite_foreign : sqlite_start;
	char sql[4][96] = { "", "", "", "" };
	enum db_err e = DB_OK;

	switch (db->kind) {
	case DB_SQLITE:
		for (int i = 0; !e && start[i]; i++)
			e = db_script(db, start[i]);
		return e;
	case DB_POSTGRESQL:
		snprintf(sql[0], sizeof(sql[0]), "SET statement_timeout=%u",
			 db->query_ms);
		snprintf(sql[1], sizeof(sql[1]), "SET lock_timeout=%u",
			 db->query_ms / 2);
		snprintf(sql[2], sizeof(sql[2]), "SET client_encoding='UTF8';"
			 "SET client_min_messages=WARNING");
		break;
	case DB_MYSQL:
		snprintf(sql[0], sizeof(sql[0]), "SET SESSION "
			 "innodb_lock_wait_timeout=%u",
			 db->query_ms / 2000 ? db->query_ms / 2000 : 1);
		/* not to depend on what the server's file says */
		snprintf(sql[1], sizeof(sql[1]), "SET SESSION sql_mode="
			 "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'");
		snprintf(sql[2], sizeof(sql[2]), "SET SESSION TRANSACTION "
			 "ISOLATION LEVEL READ COMMITTED");
		/* rows that are read come as one (db_location_read.c) */
		snprintf(sql[3], sizeof(sql[3]), "SET SESSION "
			 "group_concat_max_len=4194304");
		break;
	}
	for (int i = 0; !e && i < 4 && *sql[i]; i++)
		e = db_script(db, sql[i]);
	return e;
}

static enum db_err open_it(struct db *db, const struct db_conf *cf)
{
	struct db_url u;
	const char *bad = db_url_parse(&u, sl_cstr(cf->url));
	enum db_err e = DB_OK;

	if (!bad && *cf->password_file)
		bad = read_password(db, cf->password_file);
	else if (!bad && !db_url_plain(db->password, sizeof(db->password),
				       u.password.n ? u.password :
				       db_url_param(&u, SL("password"))))
		bad = "the password is too long";
	if (bad)
		return fail(db, DB_DATA, bad);
	db->kind = u.kind;
	db->query_ms = cf->query_ms ? cf->query_ms : 5000;
	if (db->kind == DB_SQLITE)
		e = sqlite_file(db, &u, cf->create);
	if (!e)
		e = start(db, &u, cf->connect_ms ? cf->connect_ms : 3000);
	return e ? e : settle(db, cf->foreign);
}

enum db_err db_open(struct db **dbp, const struct db_conf *cf, char *why)
{
	struct db *db = calloc(1, sizeof(*db));
	enum db_err e;

	if (!db) {
		snprintf(why, DB_WHY, "out of memory");
		return DB_MEMORY;
	}
	Exception_init();
	db->fd = -1;
	pthread_mutex_init(&db->lock, NULL);
	buf_init(&db->text, 8u << 20);
	e = open_it(db, cf);
	if (e) {
		snprintf(why, DB_WHY, "%s", db->why);
		db_close(db);
		return e;
	}
	*dbp = db;
	return DB_OK;
}

void db_close(struct db *db)
{
	volatile enum db_err e = DB_OK;

	if (!db)
		return;
	/* good-byes are answered: not to be waited for when it went wrong */
	if (db->bad)
		(void)db_interrupt(db);
	db_rollback(db);
	if (db->con)
		GUARD(db, e, Connection_close(db->con));
	if (db->pool)
		GUARD(db, e, ConnectionPool_stop(db->pool));
	if (db->fd >= 0) {
		pthread_mutex_lock(&db->lock);
		db_sock_forget(db->fd);
		db->fd = -1;
		pthread_mutex_unlock(&db->lock);
	}
	if (db->pool)
		ConnectionPool_free(&db->pool);
	if (db->url)
		URL_free(&db->url);
	(void)e;
	buf_free(&db->text);
	pthread_mutex_destroy(&db->lock);
	explicit_bzero(db->password, sizeof(db->password));
	free(db);
}

/* --- statements --------------------------------------------------------------- */

/** Texts get their NUL in one piece of memory, found again by set_values() */
static enum db_err texts(struct db *db, const struct db_val *v, unsigned n)
{
	buf_reset(&db->text);
	for (unsigned i = 0; i < n; i++) {
		if (v[i].type != DB_TEXT)
			continue;
		if (!db_text_ok(v[i].s))
			return fail(db, DB_DATA, "a text is not UTF-8");
		buf_sl(&db->text, v[i].s);
		buf_chr(&db->text, 0);
	}
	return db->text.err ? fail(db, DB_MEMORY, "out of memory") : DB_OK;
}

static void set_values(struct db *db, PreparedStatement_T st,
		       const struct db_val *v, unsigned n)
{
	const char *text = (char *)db->text.p;

	for (unsigned i = 0; i < n; i++) {
		int at = (int)i + 1;

		switch (v[i].type) {
		case DB_NULL:
			PreparedStatement_setString(st, at, NULL);
			break;
		case DB_INT:
			PreparedStatement_setLLong(st, at, v[i].i);
			break;
		case DB_TEXT:
			PreparedStatement_setString(st, at, text);
			text += v[i].s.n + 1;
			break;
		case DB_BLOB:
			PreparedStatement_setBlob(st, at, v[i].s.p,
						  (int)v[i].s.n);
			break;
		}
	}
}

static enum db_err prepared(struct db *db, const char *sql,
			    PreparedStatement_T *stp)
{
	volatile enum db_err e = DB_OK;
	PreparedStatement_T volatile st = NULL;

	for (unsigned i = 0; i < db->n_stmt; i++) {
		if (db->stmt[i].sql == sql) {
			*stp = db->stmt[i].st;
			return DB_OK;
		}
	}
	if (db->n_stmt == STMTS)
		return fail(db, DB_OTHER, "too many statements");
	GUARD(db, e, st = Connection_prepareStatement(db->con, "%s", sql));
	if (e)
		return e;
	db->stmt[db->n_stmt].sql = sql;
	db->stmt[db->n_stmt++].st = st;
	*stp = st;
	return DB_OK;
}

enum db_err db_exec(struct db *db, const char *sql, const struct db_val *v,
		    unsigned n, int64_t *changed)
{
	volatile enum db_err e;
	PreparedStatement_T st = NULL;

	e = texts(db, v, n);
	if (!e)
		e = prepared(db, sql, &st);
	if (e)
		return e;
	GUARD(db, e,
	      set_values(db, st, v, n);
	      PreparedStatement_execute(st);
	      if (changed)
		      *changed = PreparedStatement_rowsChanged(st));
	return e;
}

enum db_err db_query(struct db *db, const char *sql, const struct db_val *v,
		     unsigned n)
{
	volatile enum db_err e;
	PreparedStatement_T st = NULL;

	db->rows = NULL;
	db->cols = 0;
	e = texts(db, v, n);
	if (!e)
		e = prepared(db, sql, &st);
	if (e)
		return e;
	GUARD(db, e,
	      set_values(db, st, v, n);
	      db->rows = PreparedStatement_executeQuery(st);
	      db->cols = (unsigned)ResultSet_getColumnCount(db->rows));
	return e;
}

enum db_err db_row(struct db *db, bool *more)
{
	volatile enum db_err e = DB_OK;

	*more = false;
	if (!db->rows)
		return DB_OK;
	GUARD(db, e, *more = ResultSet_next(db->rows) != 0);
	if (!*more)
		db->rows = NULL;
	return e;
}

void db_end(struct db *db)
{
	bool more = true;

	while (more && !db_row(db, &more))
		;
	db->rows = NULL;
}

int64_t db_int(struct db *db, unsigned col)
{
	volatile enum db_err e = DB_OK;
	volatile int64_t v = 0;

	if (db->rows && col && col <= db->cols)
		GUARD(db, e, v = ResultSet_getLLong(db->rows, (int)col));
	return e ? 0 : v;
}

struct sl db_text(struct db *db, unsigned col)
{
	volatile enum db_err e = DB_OK;
	const char *volatile p = NULL;

	if (db->rows && col && col <= db->cols)
		GUARD(db, e, p = ResultSet_getString(db->rows, (int)col));
	return e ? SL_NONE : sl_cstr(p);
}

struct sl db_blob(struct db *db, unsigned col)
{
	volatile enum db_err e = DB_OK;
	const void *volatile p = NULL;
	int n = 0;

	if (db->rows && col && col <= db->cols)
		GUARD(db, e, p = ResultSet_getBlob(db->rows, (int)col, &n));
	return e || n < 0 ? SL_NONE : sl_mk(p, (size_t)n);
}

const char *db_column(struct db *db, unsigned col)
{
	volatile enum db_err e = DB_OK;
	const char *volatile p = NULL;

	if (db->rows && col && col <= db->cols)
		GUARD(db, e, p = ResultSet_getColumnName(db->rows, (int)col));
	return e ? NULL : p;
}

enum db_err db_script(struct db *db, const char *sql)
{
	volatile enum db_err e = DB_OK;

	GUARD(db, e, Connection_execute(db->con, "%s", sql));
	return e;
}

/* --- transactions --------------------------------------------------------------
 * As prepared statements: MariaDB's library connects again by itself, and a plain
 * COMMIT would then succeed with nothing to commit. A prepared one fails. */

enum db_err db_begin(struct db *db)
{
	enum db_err e;

	/* IMMEDIATE: who reads first and writes then can find itself locked */
	if (db->kind == DB_SQLITE)
		e = db_exec(db, "BEGIN IMMEDIATE", NULL, 0, NULL);
	else if (db->kind == DB_MYSQL)
		e = db_exec(db, "START TRANSACTION", NULL, 0, NULL);
	else
		e = db_exec(db, "BEGIN", NULL, 0, NULL);
	db->in_tx = !e;
	return e;
}

enum db_err db_commit(struct db *db)
{
	enum db_err e = db_exec(db, "COMMIT", NULL, 0, NULL);

	if (!e)
		db->in_tx = false;
	return e;
}

void db_rollback(struct db *db)
{
	char why[DB_WHY];

	if (!db->in_tx)
		return;
	/* of interest is why it failed, not how it ended */
	memcpy(why, db->why, sizeof(why));
	(void)db_exec(db, "ROLLBACK", NULL, 0, NULL);
	memcpy(db->why, why, sizeof(why));
	db->in_tx = false;
	db->rows = NULL;
}

/* --- from any thread ------------------------------------------------------------ */

uint64_t db_busy(struct db *db, uint64_t now)
{
	uint64_t since = __atomic_load_n(&db->since, __ATOMIC_RELAXED);

	return since && now > since ? now - since : 0;
}

bool db_interrupt(struct db *db)
{
	bool done = false;

	pthread_mutex_lock(&db->lock);
	if (db->fd >= 0) {
		db->cut = true;
		done = !shutdown(db->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&db->lock);
	return done;
}
