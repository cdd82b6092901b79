/**
 * @file db.h  Shell. One connection to an SQL database, by libzdb: SQLite,
 * PostgreSQL, MariaDB or MySQL. Every statement is prepared and every value is
 * a parameter. Calls block; none of them is for the loop's thread of a program
 * that has one (db_worker.h does them elsewhere). One thread at a time uses a
 * connection; db_busy() and db_interrupt() are for any thread.
 *
 * Errors are a kind and a text without the password. After DB_DOWN, DB_TIMEOUT,
 * DB_SCHEMA, DB_MEMORY and DB_OTHER the connection is of no use any more: close it.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include "base/sl.h"

struct db;

enum db_err {
	DB_OK,
	DB_DOWN,          /**< not there, refused, lost                       */
	DB_TIMEOUT,       /**< no answer in time                              */
	DB_LOCKED,        /**< somebody else's transaction: try again         */
	DB_DENIED,        /**< user, password, rights, read-only              */
	DB_FULL,          /**< no room on its disk                            */
	DB_SCHEMA,        /**< tables missing, too old or too new             */
	DB_DATA,          /**< it does not take this value                    */
	DB_NONE,          /**< built without SQL, or no such kind of database */
	DB_MEMORY,        /**< none left here                                 */
	DB_OTHER,         /**< see the text                                   */
	DB_ERR_N
};

enum db_kind { DB_SQLITE, DB_POSTGRESQL, DB_MYSQL };

#define DB_URL 512        /**< longest URL                        [bytes] */
#define DB_WHY 256        /**< longest error text with its NUL    [bytes] */
#define DB_COLS 64        /**< columns a row may have                     */
#define DB_VALS 1024      /**< parameters a statement may have            */

struct db_conf {
	char url[DB_URL + 1];      /**< sqlite:///PATH, postgresql://USER:PW@HOST/DB,
	                                mysql://USER:PW@HOST/DB; ?unix-socket=PATH */
	char password_file[DB_URL + 1];  /**< first line is the password; "" = none */
	uint32_t connect_ms;       /**< 0 = 3000; whole seconds for servers      */
	uint32_t query_ms;         /**< of one statement; 0 = 5000               */
	bool create;               /**< make the SQLite file when it is missing  */
	bool foreign;              /**< somebody else's: read it, change nothing */
};

/** Name of an error for figures and status: "down", "locked", ... */
const char *db_err_name(enum db_err e);
/** Was this program built with SQL? The library, or NULL */
const char *db_version(void);
/** A line for -V: libzdb makes the program GPL-3. Nothing without it. */
void db_print_licence(void);

/** Connect. @param why DB_WHY bytes, written when it fails */
enum db_err db_open(struct db **dbp, const struct db_conf *cf, char *why);
/** NULL allowed. An open transaction is rolled back */
void db_close(struct db *db);
enum db_kind db_kind(const struct db *db);
/** Text of the last error; "" = none */
const char *db_why(const struct db *db);

/* --- statements ------------------------------------------------------------ */

enum db_type { DB_NULL, DB_INT, DB_TEXT, DB_BLOB };

/** A parameter that may be an empty text or blob: libzdb 3.4 gives MariaDB a NULL for
 *  it, and no other way tells the two apart */
#define DB_EMPTY "COALESCE(?,'')"

/** One parameter. Bytes are borrowed during the call. */
struct db_val {
	enum db_type type;
	int64_t i;
	struct sl s;       /**< text is UTF-8 without NUL, or it is DB_DATA */
};

static inline struct db_val db_i(int64_t v)
{
	return (struct db_val){ .type = DB_INT, .i = v };
}

/** An absent slice is NULL */
static inline struct db_val db_t(struct sl s)
{
	return (struct db_val){ .type = s.p ? DB_TEXT : DB_NULL, .s = s };
}

static inline struct db_val db_b(const void *p, size_t n)
{
	return (struct db_val){ .type = p ? DB_BLOB : DB_NULL,
				.s = sl_mk(p, n) };
}

/**
 * Run a statement that gives no rows. It is prepared once for each connection.
 *
 * @param sql      with `?` for parameters; a literal, or text that lives as long as
 *                 the connection and does not change: known by its address
 * @param changed  rows changed; NULL = not asked. -1 with MySQL: libzdb loses it
 */
enum db_err db_exec(struct db *db, const char *sql, const struct db_val *v,
		    unsigned n, int64_t *changed);
/** Run a statement that gives rows. They end with the next statement of the
 *  same text, and with the transaction. */
enum db_err db_query(struct db *db, const char *sql, const struct db_val *v,
		     unsigned n);
/** Next row of the last db_query(). *more = false: there is none */
enum db_err db_row(struct db *db, bool *more);
/** Leave the rest: rows that are not read to their end keep a lock */
void db_end(struct db *db);
/** Columns of the row, from 1; borrowed until the next db_row(). A NULL or a
 *  column that is none gives 0 or an absent slice. */
int64_t   db_int(struct db *db, unsigned col);
struct sl db_text(struct db *db, unsigned col);
struct sl db_blob(struct db *db, unsigned col);
/** Name of a column, NULL = no such column */
const char *db_column(struct db *db, unsigned col);
/** Text of no parameters and no rows, not prepared: for the schema */
enum db_err db_script(struct db *db, const char *sql);

/** Transactions do not nest. A failed one must be rolled back. */
enum db_err db_begin(struct db *db);
enum db_err db_commit(struct db *db);
void db_rollback(struct db *db);

/* --- from any thread --------------------------------------------------------- */

/** How long the statement that runs now has been running [ms], 0 = none */
uint64_t db_busy(struct db *db, uint64_t now);
/** Cut its connection, so that it fails with DB_TIMEOUT. SQLite has none: it
 *  goes on. @return true if it was cut */
bool db_interrupt(struct db *db);

#endif
