/**
 * @file backlog.h  Pure. How many requests may wait at a node, so that none waits
 * long: as many as it answers in a target, once it has become slow.
 *
 * Slow is a node that has given no quick answer for half a target, but late ones: a
 * standing queue (CoDel, RFC 8289); and what waits there will take three targets at
 * the speed it had since, or it has gone on for four. Late is half a target more than
 * what it takes when nothing waits there. A machine that is short of CPU for a moment
 * has late answers, too, but no more of them than it makes up for.
 * A node that answers nothing is not slow but silent, which health is for.
 */
#ifndef DISPATCHER_BACKLOG_H
#define DISPATCHER_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

enum {
	BACKLOG_INTERVAL = 100,      /**< [ms]                               */
	BACKLOG_SOME = 4,            /**< fewer answers tell nothing         */
	BACKLOG_CALM = 10,           /**< intervals in which nobody was too
					  many, nor waited long: over        */
	BACKLOG_LEAST = 16,          /**< may always wait                    */
	BACKLOG_LONG = 3,            /**< targets: what waits is too much    */
	BACKLOG_STANDS = 4,          /**< targets: and a shorter queue stays */
	BACKLOG_FAR = 4,             /**< targets that a way may take        */
};

struct backlog {
	uint64_t end;                /**< [ms] of this interval              */
	uint32_t answered;           /**< in it                              */
	uint32_t rate;               /**< while slow: of an interval, in 1/8 */
	uint32_t timed, least;       /**< the quickest of some [us]          */
	uint32_t latec;              /**< answers since the last quick one   */
	uint64_t late_at;            /**< [ms] the first of these            */
	uint32_t done;               /**< answers since then                 */
	uint32_t base;               /**< [us] when nothing waits            */
	uint32_t calm, few;          /**< intervals                          */
	bool known;                  /**< base is                            */
	bool full;                   /**< one more was too many, in this one */
	bool late;                   /**< there was a standing queue in it   */
	bool slow;
};

/** An answer came */
struct backlog_got {
	uint32_t us;                 /**< after its request                  */
	bool timed;                  /**< nothing but its queue and the way
					  delays such an answer              */
	uint64_t left;               /**< requests without an answer         */
};

/** @param target [ms]; with 0 it is never called */
void backlog_answer(struct backlog *b, const struct backlog_got *g,
		    uint32_t target, uint64_t now);
/** Before what follows from `slow`: intervals that are over */
void backlog_tick(struct backlog *b, uint32_t target, uint64_t now);
/** How many may wait; 0 = any number */
uint32_t backlog_room(const struct backlog *b, uint32_t target);

#endif
