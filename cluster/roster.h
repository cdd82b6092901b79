/**
 * @file roster.h  Pure. Who belongs to the cluster: a small map, held by every
 * node and joined like the records, that outlives restarts.
 * docs/cluster-protocol.md 5.8 and 7; docs/decisions/0022-members-map.md.
 *
 * An entry is two registers. `turn` counts how often the node was taken in
 * and out: the larger count wins, whatever the clocks say. `info` is written
 * by the node itself alone, under a version of its own, so that a node that
 * changes its address while it is out does not bring itself back.
 */
#ifndef CLUSTER_ROSTER_H
#define CLUSTER_ROSTER_H

#include "cluster/cluster.h"

#define ROSTER_MAX 255             /**< entries, removed ones included       */
#define ROSTER_INFO 200            /**< longest info [bytes]                 */
#define ROSTER_COUNT 0x7fffffffu   /**< largest turn and version             */
#define ROSTER_FILE 65536          /**< longest saved map [bytes]            */

/** The n-th time that somebody was taken in (odd) or out (even). Of two
 *  with the same n the earlier one counts. */
struct roster_turn {
	uint32_t n;
	uint64_t at;               /**< wall clock of `by` [ms]              */
	uint64_t by;               /**< the node that did it                 */
};

struct roster_entry {
	uint64_t node;             /**< never 0                              */
	struct roster_turn turn;
	uint32_t version;          /**< of info                              */
	uint16_t info_n;
	uint8_t info[ROSTER_INFO]; /**< optional fields, unknown ones kept   */
	uint32_t told;             /**< turn that was logged, ours alone     */
	/* read from info */
	char name[CLUSTER_NAME];
	struct addr addr;          /**< for the other nodes; af 0 = none     */
	struct addr sip;           /**< for edges; af 0 = none               */
};

struct roster {
	uint32_t n;
	struct roster_entry e[ROSTER_MAX];    /**< by rising node id         */
	uint64_t refused;          /**< members not taken: no room           */
	uint64_t dropped;          /**< removed ones forgotten for room      */
};

static inline bool roster_in(const struct roster_entry *e)
{
	return e->turn.n & 1;
}

/** Three-way order of turns: n, then the earlier one, then by */
int roster_turn_cmp(const struct roster_turn *a, const struct roster_turn *b);
const struct roster_entry *roster_find(const struct roster *r, uint64_t node);
/** Those not removed */
uint32_t roster_members(const struct roster *r);

/** Take what another one knows of one node. @return did it change ours? */
bool roster_join(struct roster *r, const struct roster_entry *e);
/** Only its turn is known (from HELLO or ERROR). @return did it change ours? */
bool roster_join_turn(struct roster *r, uint64_t node,
		      const struct roster_turn *t);
/** Write our own entry: a new one is a member; of an old one only the info
 *  moves, and only when it differs. @return did it change? */
bool roster_self(struct roster *r, uint64_t node, const char *name,
		 const struct addr *addr, const struct addr *sip,
		 uint64_t wall);
/** Take a node in or out.
 *  @return 0; ENOENT: not known; EALREADY; ENOSPC: no room for a member;
 *          ERANGE: turned too often */
int  roster_turn(struct roster *r, uint64_t node, bool in, uint64_t by,
		 uint64_t wall);

/** A node by its id (16 hex digits) or the name it gave; of several with one
 *  name those that are `in` (or out) come first.
 *  @return 0, ENOENT, ENOTUNIQ (name of several) */
int  roster_lookup(const struct roster *r, struct sl who, bool in,
		   uint64_t *node);

/** A turn as an optional field of HELLO and ERROR: n u32 | at u64 | by u64 */
void roster_put_turn(struct buf *b, uint16_t tag, const struct roster_turn *t);
int  roster_get_turn(struct roster_turn *t, struct sl v);
/** The map as MEMBERS has it: n u16, entries by rising id */
void roster_put(struct buf *b, const struct roster *r);
/** Check a map at c, nothing is kept. @return 0 or EBADMSG */
int  roster_check(struct cur *c);
/** Join a map that roster_check() has passed. @return did it change ours? */
bool roster_take(struct roster *r, struct cur *c);

/** The whole as a file: magic, map, CRC */
void roster_save(struct buf *b, const struct roster *r);
/** Join what roster_save() wrote. @return 0 or EBADMSG (nothing taken) */
int  roster_load(struct roster *r, struct sl file);

#endif
