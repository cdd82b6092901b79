/**
 * @file store.h  Pure. All bindings of the cluster: (AoR, key) -> record.
 * store_put(), store_del(), store_kill() are this node's own changes,
 * store_merge() takes a peer's. Each change gives the record the next local
 * sequence and puts it last in the change order; a cursor walks that order, so
 * a peer that is away costs one number.
 *
 * Times: `wall` [ms since 1970]. Slices given in are copied. Slices given out
 * are borrowed until the next call that changes the store; a value also until
 * the next contact is read, a packed record until the next one is looked at.
 */
#ifndef CLUSTER_STORE_H
#define CLUSTER_STORE_H

#include "cluster/record.h"

struct store;

struct store_conf {
	uint64_t node;             /**< our id, in our stamps                  */
	uint8_t key[32];           /**< of the hash over AoRs; the same on all nodes
	                                (derived from the cluster key)         */
	uint32_t max_records;      /**< bindings and tombstones together       */
	uint32_t max_per_aor;      /**< records of one AoR, tombstones included;
	                                not the visible limit, that is the caller's */
	uint32_t max_expires;      /**< longest life of a contact [s]; equal on all nodes */
	uint32_t guard;            /**< added to it for tombstones [ms], 10000 */
};

struct store_stats {
	uint64_t records;          /**< gauge: all held                        */
	uint64_t contacts;         /**< gauge: visible; lapses count at the tick */
	uint64_t tombs;            /**< gauge: held, nothing visible           */
	uint64_t bytes;            /**< gauge: of all records, headers included */
	uint64_t taken;            /**< gauge: memory for them, with room for more */
	uint64_t puts, dels, kills, merges;      /**< that changed something   */
	uint64_t merges_known;     /**< merges that brought nothing new        */
	uint64_t stale;            /**< ESTALE                                 */
	uint64_t expired;          /**< contacts that ran out                  */
	uint64_t freed;            /**< records forgotten                      */
	uint64_t full;             /**< refused: a cap                         */
	uint64_t oom;              /**< refused: no memory                     */
	uint64_t bad_stamp;        /**< refused: too far in the future         */
};

int  store_alloc(struct store **sp, const struct store_conf *cf, uint64_t wall);
void store_free(struct store *s);
const struct store_stats *store_stats(const struct store *s);
/** max_expires, caps: at a reload */
void store_reconf(struct store *s, const struct store_conf *cf);

/* --- reading -------------------------------------------------------------- */

/** One visible contact */
struct store_contact {
	struct sl key, value;
	uint64_t lineage;          /**< generation bits cleared                */
	uint32_t cseq;
	uint64_t expires;          /**< wall [ms]                              */
	struct stamp vstamp;       /**< for store_kill()                       */
};

struct store_iter {
	struct store *s;
	uint32_t at;               /**< the store's                           */
	struct sl aor;
	uint32_t hash;
	uint64_t wall;
};

/** Visible contacts of an AoR, in no particular order:
 *  store_get(s, aor, wall, &it); while (store_next(&it, &c)) ...
 *  Do not change the store inside the loop. */
void store_get(struct store *s, struct sl aor, uint64_t wall,
	       struct store_iter *it);
bool store_next(struct store_iter *it, struct store_contact *c);
/** One visible contact. @return 0 or ENOENT */
int  store_find(struct store *s, struct sl aor, struct sl key, uint64_t wall,
		struct store_contact *c);
/** Visible contacts of an AoR */
uint32_t store_count(struct store *s, struct sl aor, uint64_t wall);
/** Every visible contact of the store, a bucket at a time (status, dumps):
 *  *pos = 0 at first. @return false at the end. Contacts added or removed between
 *  calls may be missed, or seen twice when they come back; no other is. */
bool store_walk(struct store *s, uint64_t *pos, uint64_t wall,
		void (*h)(struct sl aor, const struct store_contact *c,
			  void *arg), void *arg);

/* --- own changes ---------------------------------------------------------- */

/**
 * What store_put()/store_del() would say, with no change: the planning half of
 * a REGISTER with several contacts.
 *
 * @param lineage  64-bit hash of the Call-ID (secret_hash with the store's key: equal
 *                 on all nodes); the low 8 bits are ignored
 * @return 0; ESTALE: this lineage has a larger cseq; EALREADY: the same cseq
 *         (a retransmission, also of a removal); ENOSPC: a cap.
 *         Rule of the generation: a lineage whose last version is no longer shown
 *         (removed, killed, superseded by another lineage) and older than 32 s, or
 *         expired, starts anew with any cseq.
 */
int  store_check(struct store *s, struct sl aor, struct sl key,
		 uint64_t lineage, uint32_t cseq, uint64_t wall);
/** After this returned 0, `added` new bindings and `changes` changes in all (new ones
 *  included, at most 64) with values of at most `bytes` each for this AoR don't
 *  fail with ENOSPC or ENOMEM, if nothing else changes the store in between.
 *  @return 0, ENOSPC, ENOMEM */
int  store_reserve(struct store *s, struct sl aor, uint32_t added,
		   uint32_t changes, size_t bytes);
/**
 * Bind or refresh.
 *
 * @param expires  wall [ms]; clamped to wall + max_expires
 * @return 0, ESTALE, EALREADY, ENOSPC, ENOMEM, EINVAL (lengths)
 */
int  store_put(struct store *s, struct sl aor, struct sl key, uint64_t lineage,
	       uint32_t cseq, uint64_t expires, struct sl value, uint64_t wall);
/** Remove, by the owner. A binding not known here leaves a tombstone, too: it may be
 *  known to a node that is cut off. @return as store_put() */
int  store_del(struct store *s, struct sl aor, struct sl key, uint64_t lineage,
	       uint32_t cseq, uint64_t wall);
/** Remove the version that was observed (ping failure, flow closed, operator): a
 *  refresh made elsewhere meanwhile survives.
 *  @return 0; ENOENT: no such binding; ESTALE: a newer version is shown */
int  store_kill(struct store *s, struct sl aor, struct sl key,
		struct stamp vstamp, uint64_t wall);

/** Sequence of the last change here, own or merged: the ticket for
 *  cluster_acked() */
uint64_t store_seq(const struct store *s);

/* --- peers ---------------------------------------------------------------- */

/**
 * Take a peer's record.
 *
 * @param via  link it came by, 1..255 (0 = own changes)
 * @return 0; ERANGE: stamp too far ahead; ENOSPC, ENOMEM. *changed: something new
 */
int  store_merge(struct store *s, const struct record *r, uint8_t via,
		 uint64_t wall, bool *changed);

/** A place in the change order. Kept right by the store while registered. */
struct store_cursor {
	struct store_cursor *next;     /**< the store's                       */
	uint32_t at;                   /**< next record to give, 0 = at the end */
	uint64_t seq;                  /**< everything up to this was given   */
	bool seeking;                  /**< still looking for the place       */
};

/** Register at "everything after seq" */
void store_cursor_add(struct store *s, struct store_cursor *c, uint64_t seq);
void store_cursor_del(struct store *s, struct store_cursor *c);
/** Move (back) to "everything after seq" */
void store_cursor_set(struct store *s, struct store_cursor *c, uint64_t seq);
/** One record in change order */
struct store_change {
	uint64_t seq;
	uint8_t via;              /**< 0 = our own change                     */
	struct sl aor;
	struct sl packed;         /**< as record_encode() made it             */
};
/** Look at the next one; false = at the end, or still seeking (bounded work
 *  per call: call again next turn while c->seeking) */
bool store_cursor_peek(struct store *s, struct store_cursor *c,
		       struct store_change *ch);
/** Go past what was peeked */
void store_cursor_step(struct store *s, struct store_cursor *c);

/* --- digests --------------------------------------------------------------- */

#define STORE_BUCKETS 65536       /**< by the low bits of the AoR's hash      */
#define STORE_GROUP 256           /**< buckets in a group                     */
#define STORE_GROUPS (STORE_BUCKETS / STORE_GROUP)

/** Digests of all groups; of the buckets of one group; of everything. Borrowed. */
const uint64_t *store_groups(const struct store *s);
const uint64_t *store_buckets(const struct store *s, uint8_t group);
uint64_t store_root(const struct store *s);
/** Of one record */
uint64_t store_digest_of(const struct store *s, const struct record *r);

/** Records of one bucket: store_scan(s, b, &it); while (store_scan_next(&it, &r))
 *  Do not change the store inside the loop. The records come without their values. */
struct store_scan {
	struct store *s;
	uint32_t at, last;         /**< the store's                            */
	uint32_t chain;
	uint16_t bucket;
};
uint16_t store_bucket(const struct store *s, struct sl aor);
void store_scan(struct store *s, uint16_t bucket, struct store_scan *it);
bool store_scan_next(struct store_scan *it, struct record *r);
/** The next one that is visible, with its value */
bool store_scan_contact(struct store_scan *it, uint64_t wall, struct sl *aor,
			struct store_contact *c);
/** The last one whole, as record_encode() made it; borrowed as that of a change */
struct sl store_scan_packed(const struct store_scan *it);
/** Sequence of its last change */
uint64_t store_scan_seq(const struct store_scan *it);
/** The record of a binding without its values, borrowed, and the sequence of
 *  its last change. @return 0; ENOENT: none, or past its hold */
int  store_look(struct store *s, struct sl aor, struct sl key, uint64_t wall,
		struct record *r, uint64_t *seq);
/** Rises when records may have left their place in a scan: the first k of a
 *  bucket that was left are then no longer those that were seen */
uint64_t store_moves(const struct store *s);
/** Would merging this change something? *held: there is a record */
bool store_news(struct store *s, const struct record *peers, uint64_t wall,
		bool *held);

/* --- time ------------------------------------------------------------------ */

/** Drop what is over, at most `budget` records. @return true = more to do now */
bool store_tick(struct store *s, uint64_t wall, uint32_t budget);
/** Smallest sensible interval between ticks [ms] */
#define STORE_TICK 1000
/** Budget of a tick that others wait for: some 0.3 ms, 1 ms with ten million
 *  records, of which few are in the processor's cache */
#define STORE_TURN 200

#endif
