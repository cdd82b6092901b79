/**
 * @file rates.h  Pure. How calls end and how long they take, in the terms of
 * RFC 6076: session establishment ratio, session request delay, registration
 * request delay.
 */
#ifndef SBC_RATES_H
#define SBC_RATES_H

#include "base/sl.h"

enum {
	RATES_SLOTS = 12,        /**< of the window                          */
	RATES_SLOT = 5000,       /**< [ms]: a minute in all                  */
	RATES_BUCKETS = 160,     /**< 8 for each doubling: 12.5 % wide       */
};

/** Delays of the last minute [ms] */
struct rates_delay {
	uint32_t n[RATES_SLOTS][RATES_BUCKETS];
	uint64_t slot;           /**< number of the one that is filled now   */
};

/** INVITEs by their final answer. 401, 402 and 407 ask for another INVITE and
 *  are in none of the ratios */
struct rates {
	uint64_t ok;             /**< 2xx                                    */
	uint64_t redirected;     /**< 3xx                                    */
	uint64_t challenged;     /**< 401, 402, 407                          */
	uint64_t callee;         /**< 480, 486, 600, 603: he would not       */
	uint64_t failed;         /**< 408, 500, 503, 504: we, or the network */
	uint64_t other;
	uint64_t reg_ok;         /**< REGISTER 200                           */
	struct rates_delay srd;  /**< INVITE to the first 180-199 or 2xx     */
	struct rates_delay rrd;  /**< REGISTER to its 200                    */
};

void rates_invite(struct rates *r, uint16_t code);
/** An INVITE is heard at the callee, or answered: once for each */
void rates_alerted(struct rates *r, uint64_t ms, uint64_t now);
void rates_registered(struct rates *r, uint64_t ms, uint64_t now);
/** [ms] that `permille` of the delays do not exceed, rounded up to the end of
 *  its bucket. @return false: none in the last minute */
bool rates_delay(const struct rates_delay *d, unsigned permille, uint64_t now,
		 uint64_t *ms);
/** Answers by kind, for a ratio over any span: differences of two readings */
struct rates_count {
	uint64_t ok, redirected, callee, failed, other;
};
/** RFC 6076 4.6 [1/10 %]: 2xx of all but 3xx. UINT32_MAX: no INVITE */
uint32_t rates_ser(const struct rates_count *c);
/** RFC 6076 4.7 [1/10 %]: 2xx, 480, 486, 600, 603 of all but 3xx */
uint32_t rates_seer(const struct rates_count *c);
/** RFC 6076 4.8 [1/10 %]: 408, 500, 503, 504 of all (ineffective attempts) */
uint32_t rates_isa(const struct rates_count *c);

#endif
