/**
 * @file overload.h  Pure. When more comes than can be done: which new work is
 * refused, so that the rest is done in time (RFC 6357).
 *
 * The signal is how long messages wait before they are handled. A wait that
 * one interval of 100 ms does not bring below `target` is a standing queue, a
 * burst is not (the idea of CoDel, RFC 8289). A controller on that wait (PI, as
 * in RFC 8033) sets `level`: up to 1000 strangers' work is refused, so many of
 * 1000 requests; from 1000 to 2000 all of it, and other new work the same way.
 */
#ifndef SIP_OVERLOAD_H
#define SIP_OVERLOAD_H

#include <stdbool.h>
#include <stdint.h>

enum {
	OVERLOAD_INTERVAL = 100,     /**< [ms]                               */
	OVERLOAD_LATE = 2,           /**< targets that a stranger's may wait;
					  others' twice as long              */
	OVERLOAD_FULL = 1000,        /**< level: all of one rank             */
	OVERLOAD_MEMORY = 16384,     /**< refused requests remembered        */
};

enum overload_rank {
	OVERLOAD_STRANGER,           /**< new work of who is not known       */
	OVERLOAD_NEW,                /**< new work of who is                 */
	OVERLOAD_RANKS
};

struct overload {
	uint32_t target;             /**< [ms], 0 = off                      */
	uint64_t end;                /**< [ms] of this interval              */
	uint32_t least;              /**< [us] wait in it, UINT32_MAX = none */
	uint32_t last;               /**< [us] wait of what is handled now   */
	uint32_t before;             /**< [us] least of the interval before  */
	uint32_t fine;               /**< level, in 1/16                     */
	uint32_t seen[OVERLOAD_RANKS];       /**< asked for in this interval */
	uint64_t refused[OVERLOAD_MEMORY];   /**< by their own number        */
	uint64_t level;              /**< gauge, 0..2000                     */
	uint64_t wait_us;            /**< gauge: least of the last interval  */
	uint64_t shed[OVERLOAD_RANKS];
	uint64_t times;              /**< that it began                      */
};

/** A new request that may be refused */
struct overload_ask {
	enum overload_rank rank;
	uint64_t call;               /**< hash, the same for all that one
					  attempt needs (challenges, too)    */
	uint64_t request;            /**< hash, of this request and its copies */
};

/** @param target  [ms], 0 = off. May be called again */
void overload_conf(struct overload *o, uint32_t target, uint64_t now);
/** What is handled from now on has waited us */
void overload_waited(struct overload *o, uint32_t us, uint64_t now);
/** Is it taken? What was refused once stays so: its sender has been told */
bool overload_takes(struct overload *o, const struct overload_ask *a,
		    uint64_t now);
/** Nothing may have come for long */
void overload_tick(struct overload *o, uint64_t now);
/** Is anything refused? */
static inline bool overload_on(const struct overload *o)
{
	return o->fine != 0;
}

#endif
