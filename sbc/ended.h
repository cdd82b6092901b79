/**
 * @file ended.h  Pure. Connections of phones that ended, to be told to a node:
 * a queue of lines, sent in batches, a few at a time. Ten thousand that end
 * together make twenty messages, not ten thousand.
 *
 * Who sends asks ended_poll() for a batch, names the node by ended_sent(), and
 * says by ended_done() what came of it; then it is given out again for the
 * next node, until one has taken it. Telling late does no harm: what a node removes
 * is named by the token of that very connection.
 */
#ifndef SBC_ENDED_H
#define SBC_ENDED_H

#include "base/buf.h"
#include "dispatcher/dispatcher.h"

enum {
	ENDED_MAX   = 65536,      /**< lines waiting                         */
	ENDED_OPEN  = 4,          /**< batches under way                     */
	ENDED_WAIT  = 20,         /**< [ms] a line waits for others          */
	ENDED_PACE  = 5,          /**< [ms] from one batch to the next       */
	ENDED_AGAIN = 1000,       /**< [ms] until all nodes are asked again  */
	ENDED_AGE   = 60000,      /**< [ms] no longer told after that        */
};

struct ended_line;

struct ended_batch {
	struct buf body;
	uint32_t lines;          /**< 0 = free                               */
	bool sent;               /**< at a node, no answer yet               */
	struct disp_set tried;
	uint64_t since, due;     /**< [ms]                                   */
};

struct ended {
	struct ended_line *first, **last;
	struct ended_batch batch[ENDED_OPEN];
	uint64_t due;            /**< [ms] no new batch before               */
	/* figures; waiting: gauge, those in batches included */
	uint64_t waiting, told, full, late, batches;
};

void ended_init(struct ended *g);
void ended_close(struct ended *g);
/** One connection of this user has ended; aor, token: copied */
void ended_add(struct ended *g, struct sl aor, struct sl token, uint64_t now);
/** One that is to be sent now. room: of its body, at least 900 [bytes].
 *  @return NULL: none. Lines that are too long for it are left out (full) */
struct ended_batch *ended_poll(struct ended *g, size_t room, uint64_t now);
/** It is on its way to this node */
void ended_sent(struct ended_batch *b, uint16_t node);
/** No node is left for it */
void ended_none(struct ended *g, struct ended_batch *b, uint64_t now);
/** The node has taken it, or not */
void ended_done(struct ended *g, struct ended_batch *b, bool taken,
		uint64_t now);
/** [ms] When ended_poll() may have one; UINT64_MAX: never */
uint64_t ended_next(const struct ended *g);

#endif
