/**
 * @file slots.h  Pure. Which member does what is to be done once in the
 * cluster: the AoRs are shared out in 16,384 slots.
 * docs/cluster-protocol.md 8.
 *
 * The owner of a slot is the counting member with the largest hash of itself
 * and the slot (rendezvous): equal views have equal owners, and a member that
 * comes or goes moves its own share alone.
 */
#ifndef CLUSTER_SLOTS_H
#define CLUSTER_SLOTS_H

#include "cluster/cluster.h"

#define SLOTS 16384
#define SLOTS_BUCKETS (STORE_BUCKETS / SLOTS)  /**< of the store, in a slot   */
#define SLOTS_NEW 10000        /**< READY for so long before it counts [ms]   */
#define SLOTS_LEAVE 1000       /**< a leaver goes on for so long [ms]         */

/** A member as it looks now; those not named are gone */
struct slots_seen {
	uint64_t node;
	bool ready;            /**< says READY, and is not dead or gone       */
};

struct slots_row {
	uint64_t node;
	uint64_t since;        /**< [ms] it is READY, or no longer            */
	uint64_t at;           /**< READY: it counts from then on [ms]        */
	bool ready, counts;
	uint32_t share;        /**< slots it owns                             */
};

struct slots {
	uint64_t self;
	struct slots_row row[CLUSTER_MAX];    /**< [0] = ourselves            */
	uint32_t n;
	uint64_t who[CLUSTER_MAX];            /**< that count, by rising id   */
	uint32_t whos;
	uint8_t owner[SLOTS];                 /**< index of who               */
	uint64_t version;                     /**< rises with each change     */
	uint64_t changed;                     /**< [ms] of the last change    */
	uint32_t moved;                       /**< slots that it moved        */
	uint64_t moves;                       /**< in all                     */
};

void slots_init(struct slots *s, uint64_t self);
/** Look at the members; ourselves first, at most CLUSTER_MAX.
 *  @return have owners changed? */
bool slots_look(struct slots *s, const struct slots_seen *v, uint32_t n,
		uint64_t now);
/** @return node, 0 = nobody */
uint64_t slots_owner(const struct slots *s, uint32_t slot);
/** Who owns it when these count: n > 0, any order. @return index */
uint32_t slots_pick(const uint64_t *node, uint32_t n, uint32_t slot);

/** By the store's keyed hash: who registers cannot choose */
static inline uint32_t slots_of(const struct store *s, struct sl aor)
{
	return store_bucket(s, aor) / SLOTS_BUCKETS;
}

static inline bool slots_mine(const struct slots *s, uint32_t slot)
{
	return slots_owner(s, slot) == s->self;
}

/** Its row, NULL = not known */
const struct slots_row *slots_find(const struct slots *s, uint64_t node);

#endif
