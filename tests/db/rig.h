/* rig.h - databases for tests: SQLite in a folder of the test, and the servers that
 * EW_TEST_SQL names. */
#ifndef TESTS_DB_RIG_H
#define TESTS_DB_RIG_H

#include "db/db_location.h"
#include "db/db_schema.h"
#include <criterion/criterion.h>

#define RIG_MAX 3

/** Each kind of database there is, opened, with new tables. @return how many */
unsigned rig_open(struct db **dbs);
/** A connection more to the same one */
struct db *rig_again(unsigned i);
/** i: enum db_kind */
void rig_conf(unsigned i, struct db_conf *cf);
void rig_close(struct db **dbs, unsigned n);

/** The same claim for each kind */
#define FOR_EACH_DB(db) \
	struct db *dbs_[RIG_MAX]; \
	unsigned n_ = rig_open(dbs_); \
	for (unsigned i_ = 0; i_ < n_ && (db = dbs_[i_]); i_++)
#define DBS_DONE() rig_close(dbs_, n_)

#define OK(x) \
	do { \
		enum db_err e_ = (x); \
		cr_assert(!e_, "%s: %s", db_err_name(e_), db_why(db)); \
	} while (0)

#endif
