/**
 * @file backlog.h  Pure. How many requests may wait at a node, so that none waits
 * long: as many as it answers in a target, once it has become slow.
 *
 * Slow is a node that has given no quick answer for half a target, but late ones: a
 * standing queue (CoDel, RFC 8289). Late is half a target more than what it takes
 * when nothing waits there. A moment without the CPU is made up for sooner, or fast.
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
	BACKLOG_REST = 300,          /**< intervals between two guesses that the
					  way has become longer              */
	BACKLOG_LEAST = 16,          /**< may always wait                    */
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
	uint32_t calm, few, rest;    /**< intervals                          */
	bool known;                  /**< base is                            */
	bool full;                   /**< one more was too many, in this one */
	bool late;                   /**< there was a standing queue in it   */
	bool slow;
};

/** @param timed  nothing but its queue and the way delays such an answer
 *  @param target [ms]; with 0 it is never called */
void backlog_answer(struct backlog *b, uint32_t us, bool timed,
		    uint32_t target, uint64_t now);
/** Before what follows from `slow`: intervals that are over */
void backlog_tick(struct backlog *b, uint32_t target, uint64_t now);
/** How many may wait; 0 = any number */
uint32_t backlog_room(const struct backlog *b, uint32_t target);

#endif
