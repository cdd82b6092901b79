/**
 * @file squeeze.h  Pure. Values made short: what a value shares with its key
 * and with most other values (names of parameters, the edge's address, the
 * make of the phone) is left out. What is shared is learned from the values that
 * come; nothing in here knows what they mean.
 *
 * A dictionary only grows, so what was squeezed with it stays readable. When it is
 * full and there is more to learn, the next one begins, as soon as nothing
 * needs the one that it replaces.
 */
#ifndef CLUSTER_SQUEEZE_H
#define CLUSTER_SQUEEZE_H

#include "base/sl.h"

#define SQUEEZE_DICTS 4
#define SQUEEZE_DICT 4096        /**< of one dictionary [bytes]              */
#define SQUEEZE_GRAMS 2048
#define SQUEEZE_SAMPLE 1024      /**< of a value is learned from [bytes]     */
#define SQUEEZE_KEY 1100         /**< longest key [bytes]                    */
#define SQUEEZE_SLACK 16         /**< copied more than asked for [bytes]     */

/** What followed a match last time: so many new bytes, then a match there */
struct squeeze_hint {
	uint16_t lits, from;
};

struct squeeze_dict {
	uint16_t n;
	uint8_t b[SQUEEZE_DICT + SQUEEZE_SLACK];
	uint16_t gram[SQUEEZE_GRAMS];       /**< place + 1 of four bytes    */
	struct squeeze_hint hint[2 * (SQUEEZE_DICT + 1)];   /**< by the end of the
				      last copy; again with one of the key after it */
	uint64_t refs;
};

struct squeeze {
	struct squeeze_dict dict[SQUEEZE_DICTS];
	uint8_t cur;             /**< the one that new values use             */
	uint8_t sample[SQUEEZE_SAMPLE];
	uint16_t sample_n;
	uint32_t calls, every;   /**< one call in `every` learns              */
	uint32_t idle;           /**< samples in a row that taught nothing    */
	uint32_t missed;         /**< things not learned: no room             */
};

void squeeze_init(struct squeeze *q);
/**
 * Write `in` short, with the dictionary q->cur.
 *
 * @param out  room for in.n bytes
 * @return bytes written; 0: it is not worth it, keep `in` as it is
 */
size_t squeeze_put(struct squeeze *q, uint8_t *out, struct sl in,
		   struct sl key);
/** Learn from it now and then: before squeeze_put(). Dictionary q->cur may be
 *  another one afterwards. */
void squeeze_learn(struct squeeze *q, struct sl in, struct sl key);
/** The n bytes that `in` was made of.
 *
 * @param out  room for n + SQUEEZE_SLACK bytes
 */
void squeeze_get(const struct squeeze *q, uint8_t dict, uint8_t *out,
		 size_t n, struct sl in, struct sl key);
/** Somebody keeps something squeezed with this dictionary, or no longer */
static inline void squeeze_ref(struct squeeze *q, uint8_t dict)
{
	q->dict[dict].refs++;
}
static inline void squeeze_unref(struct squeeze *q, uint8_t dict)
{
	q->dict[dict].refs--;
}

#endif
