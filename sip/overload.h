/**
 * @file overload.h  Pure. When more comes than can be done: which new work is
 * refused, so that the rest is done in time (RFC 6357).
 *
 * Whether there is overload says the wait of messages before they are handled: a
 * wait that one interval of 100 ms does not bring below `target` is a standing
 * queue, a burst is not (the idea of CoDel, RFC 8289). The worst queue counts. From then on new work is
 * to wait in a line of the user, behind everything else, and who would have to
 * wait longer than `target` there, by how many were served lately, is refused
 * when he comes. Nothing waits for a controller to settle, and nothing that
 * could be done is refused.
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
	OVERLOAD_MEMORY = 16384,     /**< requests remembered                */
	OVERLOAD_CALM = 20,          /**< intervals without a refusal: over  */
	OVERLOAD_LEAST = 4,          /**< may always wait                    */
	OVERLOAD_READS = 4,          /**< fewer in an interval tell nothing  */
};

/** Where messages wait for us. Each has a least wait of its own: what was read
 *  without delay from one says nothing of another */
enum overload_queue {
	OVERLOAD_DGRAMS,             /**< of clients                         */
	OVERLOAD_STREAMS,            /**< of clients                         */
	OVERLOAD_CORE,               /**< of nodes                           */
	OVERLOAD_QUEUES
};

enum overload_rank {
	OVERLOAD_STRANGER,           /**< new work of who is not known       */
	OVERLOAD_NEW,                /**< new work of who is                 */
	OVERLOAD_RANKS
};

struct overload {
	uint32_t target;             /**< [ms], 0 = off                      */
	bool on;
	uint32_t calm;               /**< intervals without a refusal        */
	uint64_t end;                /**< [ms] of this interval              */
	struct {
		uint32_t least;      /**< [us] wait in it                    */
		uint32_t n;          /**< reads in it                        */
	} queue[OVERLOAD_QUEUES];
	uint32_t last;               /**< [us] wait of what is handled now   */
	uint32_t served;             /**< new work begun in this interval    */
	uint32_t rate;               /**< the same of one that is full, in 1/8 */
	uint32_t asked[OVERLOAD_RANKS];      /**< in this interval           */
	uint32_t no[OVERLOAD_RANKS];         /**< of them, refused           */
	uint64_t refused[OVERLOAD_MEMORY];   /**< by their own number        */
	uint64_t taken[OVERLOAD_MEMORY];     /**< the same, of calls         */
	uint64_t level;              /**< gauge, 0..2000                     */
	uint64_t wait_us;            /**< gauge: least of the last interval in
					  the worst queue                    */
	uint64_t shed[OVERLOAD_RANKS];
	uint64_t times;              /**< that it began                      */
};

/** A new request that may be refused */
struct overload_ask {
	enum overload_rank rank;
	uint64_t call;               /**< hash, the same for all that one
					  attempt needs (challenges, too)    */
	uint64_t request;            /**< hash, of this request and its copies */
	uint32_t ahead;              /**< what waits that is served before it */
};

/** @param target  [ms], 0 = off. May be called again */
void overload_conf(struct overload *o, uint32_t target, uint64_t now);
/** One read: what is handled from now on has waited us in q */
void overload_waited(struct overload *o, enum overload_queue q, uint32_t us,
		     uint64_t now);
/** Is it taken? What was refused once stays so: its sender has been told. A call
 *  that was taken stays so, too */
bool overload_takes(struct overload *o, const struct overload_ask *a,
		    uint64_t now);
/** New work is begun now, whether it has waited in line or not */
void overload_serves(struct overload *o, uint64_t now);
/** In line for us: too long to be begun? Then it counts as refused */
bool overload_late(struct overload *o, const struct overload_ask *a,
		   uint64_t us);
/** Nothing may have come for long */
void overload_tick(struct overload *o, uint64_t now);
/** Has new work to wait in line, and may be refused? */
static inline bool overload_on(const struct overload *o)
{
	return o->on;
}

#endif
