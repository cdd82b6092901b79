/**
 * @file db_url.h  Pure. The address of a database: parts, checks, and a form
 * that may be shown.
 */
#ifndef DB_DB_URL_H
#define DB_DB_URL_H

#include "base/buf.h"
#include "db/db.h"

struct db_url {
	enum db_kind kind;
	struct sl user, password;   /**< as written; absent = none   */
	struct sl host, path;       /**< path without its first slash but for SQLite */
	uint32_t port;
	struct sl query;            /**< behind the `?`              */
};

/** @return NULL, or what is wrong with it (a literal, without any of it) */
const char *db_url_parse(struct db_url *u, struct sl text);
/** With the password, wherever it stands, as `***` */
void db_url_shown(struct buf *b, struct sl text);
/** Value of a parameter of the query, or absent */
struct sl db_url_param(const struct db_url *u, struct sl name);
/** %XX and + undone; at most `size` - 1 bytes and a NUL. @return false: no room */
bool db_url_plain(char *out, size_t size, struct sl s);
/**
 * The URL for libzdb: password put in, time-outs, character set.
 *
 * @param password  plain; absent = that of the URL
 */
void db_url_build(struct buf *b, const struct db_url *u, struct sl password,
		  uint32_t connect_ms);
/** A text of a database without the password, on one line; out has DB_WHY bytes */
void db_url_clean(char *out, const char *text, struct sl password);

#endif
