/**
 * @file member.h  Pure. Who is in the cluster, who is alive, who hears whom.
 * States and limits: docs/state-machines.md, "Member".
 */
#ifndef CLUSTER_MEMBER_H
#define CLUSTER_MEMBER_H

#include "cluster/wire.h"

#define MEMBER_SELF 0          /**< index of ourselves                       */
#define MEMBER_NONE 0xff

struct member_conf {
	uint64_t node;
	uint32_t heartbeat, dead;     /**< [ms] */
};

/** One identity. Its index stays for its life in the table and is the `via` of the
 *  records it brought. */
struct member {
	uint64_t node;                /**< 0 = place not in use               */
	uint64_t incarnation;
	char name[CLUSTER_NAME];
	struct addr addr;
	enum cluster_health health;
	uint64_t since;               /**< [ms] in this health                */
	uint64_t heard;               /**< [ms] last frame                    */
	bool linked;                  /**< a link is up                       */
	bool beaten;                  /**< a heartbeat came over it           */
	uint32_t row;                 /**< bit i: it says that it hears member i */
	/* what its last heartbeat said */
	enum cluster_state state;
	bool majority;
	uint64_t settings, users, seq, records, contacts;
	uint64_t ack;                 /**< of ours it has all up to this      */
	int64_t clock;                /**< its wall clock minus ours [ms]     */
};

struct members {
	struct member_conf cf;
	struct member m[CLUSTER_MAX];
	uint64_t ticked;              /**< [ms] last member_tick()            */
	uint64_t due;                 /**< [ms] next one                      */
	uint64_t late_until;          /**< [ms] time-outs doubled till then   */
	uint32_t lost;                /**< bit i: stopped hearing i, not taken yet */
	uint32_t unheard[CLUSTER_MAX];    /**< bits: i stopped hearing them    */
	bool changed;                 /**< some health moved, not taken yet   */
};

void members_init(struct members *ms, const struct member_conf *cf,
		  uint64_t now);
/** @return index or MEMBER_NONE */
uint8_t member_find(const struct members *ms, uint64_t node);
/** Find or make a place. A place is given to another only when its owner is dead
 *  or left. @return index or MEMBER_NONE (full) */
uint8_t member_add(struct members *ms, uint64_t node, uint64_t now);

/** A link to it is up / gone. quiet: another one takes over, or it was refused */
void member_linked(struct members *ms, uint8_t i, uint64_t now);
void member_unlinked(struct members *ms, uint8_t i, bool quiet, uint64_t now);
/** Any frame came */
void member_heard(struct members *ms, uint8_t i, uint64_t now);
/** It said good-bye */
void member_left(struct members *ms, uint8_t i, uint64_t now);
void member_beat(struct members *ms, uint8_t i,
		 const struct wire_heartbeat *h, uint64_t wall);

/** Do we hear it well enough to rely on it? */
bool member_hears(const struct members *ms, uint8_t i);
/** Does member i say that it hears member k? */
static inline bool member_says(const struct members *ms, uint8_t i, uint8_t k)
{
	return ms->m[i].row >> k & 1;
}
/** Nothing came over its link for too long */
bool member_silent(const struct members *ms, uint8_t i, uint64_t now);

/** Moves healths. A late call is our own fault, not the others': the time lost is
 *  not counted against them, and time-outs double for a while. */
void member_tick(struct members *ms, uint64_t now);
/** Next deadline [ms]: somebody's silence, a heartbeat later at the latest */
uint64_t member_next(const struct members *ms);

/** Heard well, ourselves included */
uint32_t member_alive(const struct members *ms);
/** Our row for heartbeats */
uint16_t member_rows(const struct members *ms, struct wire_row *row);

#endif
