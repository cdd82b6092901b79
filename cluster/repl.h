/**
 * @file repl.h  Pure. What each peer gets: a cursor over the store's change
 * order, so a peer that is slow or away costs a few numbers.
 *
 * Steady state: our own changes go to everyone; a change that member X brought
 * goes only to peers who say that they don't hear X. Feeding (after link-up, or moved
 * back because somebody was lost) gives everything after the cursor.
 */
#ifndef CLUSTER_REPL_H
#define CLUSTER_REPL_H

#include "cluster/member.h"

#define REPL_SAMPLES 32          /**< of (time, sequence), one per heartbeat   */
#define REPL_BATCH 65536u        /**< a PUSH is closed after that [bytes]      */
#define REPL_ACK_WAIT 20         /**< ACKs of all but one peer may wait [ms]   */
#define REPL_ACK_LATE 50         /**< who has owed one so long is not that one */

struct repl_peer {
	bool up;
	bool registered;             /**< its cursor is in the store          */
	uint64_t full_to;            /**< it came with nothing: up to this it gets its
	                                  own back, too                       */
	struct store_cursor cur;
	uint64_t feed_to;            /**< everything up to this, whoever brought it */
	uint64_t told;               /**< covered: given, or it can do without */
	uint64_t said;               /**< how far it knows that               */
	uint64_t acked;              /**< it has everything up to this        */
	uint64_t resume;             /**< where to begin when it returns      */
	uint64_t have;               /**< of its changes we have these        */
	uint64_t want;               /**< its sequence when the link came up  */
	bool old;                    /**< version 1: no rounds of repair      */
	bool whole;                  /**< `have` means all of it: not so before the
	                                  first round with it has ended       */
	uint64_t base;               /**< changes up to this it got by a round, and
	                                  we don't know when: its ACKs don't count
	                                  for them                            */
	uint64_t ack_from, ack_to;   /**< newly acknowledged, not taken yet   */
	uint64_t their_seq;          /**< as its last heartbeat said          */
	uint64_t behind;             /**< [ms] since when we lack some of it, 0 */
	uint64_t pushed;             /**< end of the last PUSH                */
	uint64_t mark, mark_at;      /**< lag: pushed, not acked, since [ms]  */
};

struct repl {
	struct store *store;
	const struct members *ms;
	struct repl_peer p[CLUSTER_MAX];
	struct { uint64_t at, seq; } sample[REPL_SAMPLES];
	uint32_t samples;
	uint64_t acked;              /**< largest of all, never falls         */
	uint8_t prompt;              /**< whose ACKs are wanted at once, 0 = all */
	uint32_t gap;                /**< [ms] between PUSHes of live changes, 0 = none */
	uint64_t push_at;            /**< [ms] those made since wait until then */
	uint64_t due;                /**< sequence: up to this they need not wait */
};

void repl_init(struct repl *r, struct store *s, const struct members *ms);
void repl_close(struct repl *r);
/** Another life of the member: forget what we knew about what it has */
void repl_reset(struct repl *r, uint8_t i);
/** What both sides said when the link came up */
struct repl_start {
	bool old;                    /**< version 1                           */
	uint64_t have;               /**< it has ours up to this              */
	uint64_t from;               /**< ours were at this                   */
	uint64_t want;               /**< its own are at this                 */
};
/** Link up. Who has nothing of ours is fed from the beginning in version 1; in
 *  version 2 it gets what changes from now on and fetches the rest. */
void repl_up(struct repl *r, uint8_t i, const struct repl_start *st);
/** Of its changes we have all up to this: what HELLO_ACK says */
uint64_t repl_have(const struct repl *r, uint8_t i);
/** A heartbeat said so; now or 0 */
void repl_heard(struct repl *r, uint8_t i, uint64_t seq, uint64_t now);
/** For how long we have lacked some of its changes [ms] */
uint64_t repl_behind(const struct repl *r, uint8_t i, uint64_t now);
/** Link gone: what was given in the last `window` ms is given again later */
void repl_down(struct repl *r, uint8_t i, uint64_t window, uint64_t now);
/** Version 1: give peer i everything of the last `window` ms again, whoever
 *  brought it: somebody was lost, and may have told only us */
void repl_rewind(struct repl *r, uint8_t i, uint64_t window, uint64_t now);
/** Once a turn, before anything is given: what was changed up to now is due,
 *  unless the last PUSH is younger than `gap` */
void repl_gate(struct repl *r, uint64_t now);
/** When what waits for that becomes due [ms] */
uint64_t repl_next(const struct repl *r);
/** Something to give, and due? */
bool repl_pending(struct repl *r, uint8_t i);
/** Appends PUSH frames until b holds `limit` bytes or all is given, what isn't due
 *  as well: something is sent to that peer anyway */
void repl_fill(struct repl *r, uint8_t i, struct buf *b, size_t limit,
	       uint64_t now);
/** How far its link is covered: for a heartbeat that goes out now */
uint64_t repl_say(struct repl *r, uint8_t i);
/** Peer i has ours up to seq. @return true when changes in ack_from+1..ack_to
 *  are newly known to be there */
bool repl_acked(struct repl *r, uint8_t i, uint64_t seq, uint64_t now);
/** Once per heartbeat. Chooses also whose ACKs are wanted at once. */
void repl_sample(struct repl *r, uint64_t now);
/** Its frames up to link-up have come */
bool repl_synced(const struct repl *r, uint8_t i);
/** Age of our oldest change not known to be there [ms], 0 = none */
uint64_t repl_lag(const struct repl *r, uint8_t i, uint64_t now);

#endif
