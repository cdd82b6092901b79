/**
 * @file hints.h  Pure. What nodes tell each other beside the records: opaque
 * values that one of them says again and again while they are so, and that the
 * others forget by themselves. Nothing is joined, kept for who was away, or told
 * on. What is lost is said again. docs/cluster-protocol.md 5.14.
 *
 * A value is a keyed hash; its lowest bit is not part of it, it says on the
 * wire that the hint is taken back.
 */
#ifndef CLUSTER_HINTS_H
#define CLUSTER_HINTS_H

#include "cluster/wire.h"

#define HINTS_PLACES 65536        /**< values of others remembered, at most   */
#define HINTS_RING 8192           /**< own ones that wait to be sent          */
#define HINTS_MS 7200000u         /**< longest that one is believed [ms]      */

struct hint {
	uint64_t v;               /**< 0 = free                              */
	uint64_t until;           /**< [ms]                                   */
};

struct hints {
	struct hint *tab;         /**< HINTS_PLACES, from the first one on    */
	uint32_t swept;           /**< place of the table                     */
	uint64_t ring[HINTS_RING];
	uint64_t seq;             /**< own ones so far                        */
	uint32_t ms;              /**< for how long others shall believe them */
	/* figures */
	uint64_t now;             /**< gauge: of others, known                */
	uint64_t in, out;
	uint64_t lost;            /**< no room, here or on the way out        */
};

void hints_close(struct hints *h);

/** Tell the others. ms: for how long it holds when it is not said again */
void hints_say(struct hints *h, uint64_t v, uint32_t ms);
/** It is not so any more */
void hints_unsay(struct hints *h, uint64_t v);

/** Has another node said it? */
bool hints_has(const struct hints *h, uint64_t v, uint64_t now);

/** Own ones after *from, a link's place, until b holds `limit` bytes */
void hints_fill(struct hints *h, uint64_t *from, struct buf *b, size_t limit);
/** @return 0 or EBADMSG */
int  hints_recv(struct hints *h, struct sl payload, uint64_t now);
/** Forget some of those that are over: now and then */
void hints_tick(struct hints *h, uint64_t now);

#endif
