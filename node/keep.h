/**
 * @file keep.h  Pure. What the edge does on the flows of contacts for us, in
 * batches of their Path tokens (sip/inner.h). Keep-alives: it writes a few bytes,
 * and answers which flows have ended; no answer means nothing. Questions: it
 * writes an OPTIONS for each, and answers when all of them have answered, or their
 * time is over.
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
	struct sl uri;           /**< of a question: whom; else not used     */
	uint64_t hash;           /**< the caller's                           */
	bool stun;
};

/** What came of one */
enum keep_fate {
	KEEP_FINE,               /**< kept alive: written                    */
	KEEP_DEAD,               /**< its flow has ended                     */
	KEEP_ANSWERED,           /**< with code, ms after it was asked       */
	KEEP_SILENT,
	KEEP_LEFT,               /**< not asked: not by the edge             */
	KEEP_REFUSED,            /**< the same, of the whole batch           */
	KEEP_NO_WORD,            /**< of the edge, of the whole batch        */
};

struct keep_said {
	enum keep_fate fate;
	uint16_t code;
	uint32_t ms;
	uint64_t sent;           /**< [ms] when the batch was                */
};

struct keep_batch;

struct keep {
	bool asks;               /**< questions, not keep-alives             */
	uint32_t wait;           /**< [ms] questions: for the answers        */
	struct proxy *proxy;     /**< borrowed: sentby, queue                */
	const char *from;        /**< URI, borrowed                          */
	uint8_t key[32];
	struct keep_batch *fill[KEEP_EDGES];
	struct keep_batch *first, **last;      /**< sent, no answer yet      */
	uint32_t fills, seq;
	uint64_t lines;
	/* figures */
	uint64_t sent, batches, dead, refused, lost, full;
};

void keep_init(struct keep *k);
void keep_close(struct keep *k);
int  keep_stats(struct keep *k, struct stats *st);

/** @param hop  the edge it is behind */
void keep_add(struct keep *k, const struct flow *hop,
	      const struct keep_one *one, uint64_t now);
typedef void keep_h(const struct keep_one *one, const struct flow *hop,
		    const struct keep_said *said, void *arg);
/** Send what has waited, give up what got no answer: of questions h hears it */
void keep_tick(struct keep *k, uint64_t now, keep_h *h, void *arg);
/** When keep_tick() has something to do [ms], UINT64_MAX = nothing is open */
uint64_t keep_due(const struct keep *k);
/** A response. h is called for each line of the batch that it answers.
 *  @return false: not to one of ours */
bool keep_response(struct keep *k, const struct sip_msg *m, keep_h *h,
		   void *arg);

#endif
