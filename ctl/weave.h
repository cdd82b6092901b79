/**
 * @file weave.h  Pure. What the edge and nodes keep of a call, as one list in
 * the order it happened, as the edge sees it.
 */
#ifndef CTL_WEAVE_H
#define CTL_WEAVE_H

#include <jansson.h>
#include <stdint.h>

#define WEAVE_MAX 16
#define WEAVE_NAME 64

/** An answer of /api/v1/trace */
struct weave_src {
	const json_t *answer;        /**< borrowed                           */
	char name[WEAVE_NAME];       /**< "edge", or a node's; filled        */
	/** Filled: what was taken off its times, because they would have had
	 *  messages come before they were sent [us] */
	int64_t ahead;
};

/**
 * A message that one kept as sent and another as received is there once, with
 * when it came (`got_us`). Every entry says who kept it (`at`); of a node's, dir
 * and node are those of the edge.
 *
 * @param n  1 to WEAVE_MAX
 * @return entries, the caller's to json_decref(); NULL = no memory
 */
json_t *weave(struct weave_src *v, uint32_t n);

#endif
