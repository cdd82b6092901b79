/**
 * @file db_location.h  Shell. Rows of edgewise_location: one for each record
 * of the cluster, tombstones included. The record itself is a packed blob; the
 * other columns are for ordering and for people.
 */
#ifndef DB_DB_LOCATION_H
#define DB_DB_LOCATION_H

#include "db/db.h"

#define DB_LOCATION_ID 16

struct db_location {
	uint8_t id[DB_LOCATION_ID];  /**< keyed hash of AoR and key              */
	int64_t ver1, ver2;          /**< compared in this order                 */
	int64_t hold_until;          /**< wall [ms]: the row may go then         */
	int64_t expires;             /**< wall [ms], 0 = nothing shown           */
	bool dead;                   /**< nothing to show: a tombstone           */
	int64_t cseq;
	/* for people: cut to their column, what is no text becomes `?` */
	struct sl owner, aor, contact, path, callid, user_agent, received;
	struct sl rec;               /**< packed record                          */
};

/**
 * Write rows in one transaction: all or nothing. A row with an equal or smaller
 * version (ver1, ver2) is overwritten; a larger one stays and is told to `newer`
 * (before the commit; `rec` is borrowed during the call). Ids may repeat in a batch: the
 * last of equal versions wins.
 *
 * @param newer  may be NULL
 */
enum db_err db_location_put(struct db *db, const struct db_location *rows,
			    unsigned n,
			    void (*newer)(unsigned index, struct sl rec,
					  void *arg), void *arg);
/** Up to `limit` rows with an id behind `after` (NULL = from the start), in order of
 *  id. No transaction stays open. @param np rows told; fewer than limit = the end */
enum db_err db_location_load(struct db *db, const uint8_t *after,
			     unsigned limit,
			     void (*h)(const uint8_t id[DB_LOCATION_ID],
				       struct sl rec, void *arg), void *arg,
			     unsigned *np);
/** The same with versions, for a comparison */
struct db_location_ver {
	uint8_t id[DB_LOCATION_ID];
	int64_t ver1, ver2;
};
enum db_err db_location_vers(struct db *db, const uint8_t *after,
			     unsigned limit, struct db_location_ver *v,
			     unsigned *np);
struct db_location_count {
	int64_t rows, dead;      /**< all; tombstones and lapsed among them */
};
enum db_err db_location_count(struct db *db, struct db_location_count *c);
/**
 * Look through the next `limit` rows behind `at` in order of id and delete those with
 * hold_until < hold_before. There is no index for it: it would cost more at every refresh
 * than a slow walk around.
 *
 * @param at  zero at first; moved on, zero again when the walk came around
 */
enum db_err db_location_sweep(struct db *db, uint8_t at[DB_LOCATION_ID],
			      unsigned limit, int64_t hold_before,
			      int64_t *deleted);

#endif
