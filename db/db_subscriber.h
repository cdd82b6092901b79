/**
 * @file db_subscriber.h  Shell. Users in a `subscriber` table of OpenSIPS or
 * Kamailio, or in ours. Which of the optional columns are there is asked of each
 * connection once (db_subscriber_check()).
 */
#ifndef DB_DB_SUBSCRIBER_H
#define DB_DB_SUBSCRIBER_H

#include "db/db.h"

#define DB_SUBSCRIBER_NAME 64      /**< longest username, domain [bytes]       */
#define DB_SUBSCRIBER_HA1 64       /**< hex digits of the longest digest       */

struct db_subscriber {
	char username[DB_SUBSCRIBER_NAME + 1];
	char domain[DB_SUBSCRIBER_NAME + 1];   /**< lower case                 */
	char ha1[DB_SUBSCRIBER_HA1 + 1];       /**< MD5, hex; "" = none        */
	char ha1_sha256[DB_SUBSCRIBER_HA1 + 1];
	char password[DB_SUBSCRIBER_NAME + 1]; /**< plain; "" = none, as it should be */
};

/** Is there a table that can be used? For db_worker_conf.check */
enum db_err db_subscriber_check(struct db *db, char *why);
/** *found = false: no such user, or a name that no column can hold. Names are compared
 *  byte by byte whatever the table's collation, the domain without case. */
enum db_err db_subscriber_get(struct db *db, struct sl username,
			      struct sl domain, struct db_subscriber *u,
			      bool *found);
/** Write digests (and an empty password) of a new user. *done = false: there is one */
enum db_err db_subscriber_add(struct db *db, const struct db_subscriber *u,
			      bool *done);
/** Change digests. *done = false: no such user */
enum db_err db_subscriber_set(struct db *db, const struct db_subscriber *u,
			      bool *done);
enum db_err db_subscriber_del(struct db *db, struct sl username,
			      struct sl domain, bool *done);
/** Up to `limit` users behind (domain, username) in this order; "" at first */
enum db_err db_subscriber_list(struct db *db, struct sl username,
			       struct sl domain, unsigned limit,
			       void (*h)(const struct db_subscriber *u,
					 void *arg), void *arg, unsigned *np);

#endif
