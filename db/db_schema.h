/**
 * @file db_schema.h  Shell. The tables of ours, with a version: made, brought
 * up to date, checked.
 *
 * edgewise_version   (part, version): one row for each part
 * edgewise_location  what the cluster holds, see db_location.h
 * subscriber         users, in the columns of OpenSIPS and Kamailio; a table that is
 *                    there already is used as it is and never changed
 */
#ifndef DB_DB_SCHEMA_H
#define DB_DB_SCHEMA_H

#include "db/db.h"

#define DB_SCHEMA_VERSION 1

/** @return 0 and *version, 0 = no tables of ours */
enum db_err db_schema_version(struct db *db, int64_t *version);
/** Make what is missing, bring what is older up to date; nothing when it is new
 *  enough. Refuses (DB_SCHEMA) what is newer than this program. */
enum db_err db_schema_make(struct db *db, char *why);
/** Can this program work with the location table? DB_SCHEMA and why if not */
enum db_err db_schema_check(struct db *db, char *why);

#endif
