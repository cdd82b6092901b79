/**
 * @file rtt.h  Pure. How long a node's first answer takes, and when waiting
 * for it is over (RFC 6298: smoothed time, mean deviation, back-off).
 */
#ifndef DISPATCHER_RTT_H
#define DISPATCHER_RTT_H

#include <stdbool.h>
#include <stdint.h>

struct rtt {
	uint32_t srtt, dev;      /**< [us]                                   */
	uint8_t backoff;         /**< doublings since the last answer        */
	bool any;                /**< has been answered once                 */
};

void rtt_answer(struct rtt *r, uint32_t us);
void rtt_silent(struct rtt *r);
/** [ms] within min..max; `first` while nothing is known */
uint32_t rtt_timeout(const struct rtt *r, uint32_t first, uint32_t min,
		     uint32_t max);

#endif
