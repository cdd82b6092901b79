/**
 * @file dbrow.h  Shell (the local time zone). One row of a `location` table of Kamailio
 * or OpenSIPS, and what becomes of it.
 */
#ifndef CTL_DBROW_H
#define CTL_DBROW_H

#include "base/sl.h"
#include <jansson.h>
#include <stdint.h>

/** Columns as text; absent = NULL or no such column */
struct dbrow {
	struct sl username, domain, contact, received, path, expires, q;
	struct sl callid, cseq, user_agent, instance, reg_id, socket;
};

struct dbrow_conf {
	struct sl domain;      /**< of rows that have none                     */
	bool keep_path;        /**< rows with a Path: it leads to our edge     */
	uint64_t now;          /**< wall clock [s]                             */
};

/** Which member a column of this name fills, NULL = none */
struct sl *dbrow_column(struct dbrow *r, const char *name);
/**
 * @param contact  what a node's import takes, without path when `to` is filled;
 *                 the caller's
 * @param to       IP:PORT of the phone, for a path of the edge; "" = not needed
 * @return NULL, or why it cannot be taken over (a literal)
 */
const char *dbrow_read(const struct dbrow *r, const struct dbrow_conf *cf,
		       json_t **contact, char *to, size_t size);
/** Seconds since 1970 of `2026-11-26 12:38:59` (local time, as both write it), of
 *  seconds as a number, or of a Julian day (Kamailio in SQLite); 0 = none of them */
uint64_t dbrow_time(struct sl s);

#endif
