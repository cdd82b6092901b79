/**
 * @file keep.h  Pure. Contacts that are not asked but kept alive: the edge
 * writes a few bytes on the flow of each. Their Path tokens go to it in batches; it
 * answers which flows have ended. No answer means nothing.
 */
#ifndef NODE_KEEP_H
#define NODE_KEEP_H

#include "base/stat.h"
#include "cluster/stamp.h"
#include "node/proxy.h"

enum {
	KEEP_EDGES = 64,         /**< batches being filled                   */
	KEEP_LINES = 1 << 17,    /**< of all that have no answer yet         */
	KEEP_BATCH = 1000,       /**< lines of one                           */
	KEEP_WAIT  = 200,        /**< [ms] a line waits for others           */
	KEEP_LOST  = 5000,       /**< [ms] for the answer                    */
};

/** A contact to be kept alive. Slices are copied */
struct keep_one {
	struct sl token;         /**< of its Path                            */
	struct sl aor, key;
	struct stamp vstamp;     /**< the version seen                       */
	uint64_t hash;           /**< the caller's                           */
	bool stun;
};

struct keep_batch;

struct keep {
	struct proxy *proxy;     /**< borrowed: sentby, queue                */
	const char *from;        /**< URI, borrowed                          */
	uint8_t key[32];
	struct keep_batch *fill[KEEP_EDGES];
	struct keep_batch *first, **last;      /**< sent, no answer yet      */
	uint32_t fills, lines, seq;
	/* figures */
	uint64_t sent, batches, dead, refused, lost, full;
};

void keep_init(struct keep *k);
void keep_close(struct keep *k);
int  keep_stats(struct keep *k, struct stats *st);

/** @param hop  the edge it is behind */
void keep_add(struct keep *k, const struct flow *hop,
	      const struct keep_one *one, uint64_t now);
/** Send what has waited, forget what got no answer */
void keep_tick(struct keep *k, uint64_t now);
/** What an edge said of one; sent: [ms] */
typedef void keep_h(const struct keep_one *one, const struct flow *hop,
		    bool dead, uint64_t sent, void *arg);
/** A response. h is called for each line of the batch that it answers.
 *  @return false: not to one of ours */
bool keep_response(struct keep *k, const struct sip_msg *m, keep_h *h,
		   void *arg);

#endif
