/**
 * @file hook.h  Pure. A webhook: which events it wants, those that wait, one
 * delivery at a time, when it is tried again, and its signature.
 *
 * Signed as the "Standard Webhooks" say, so that their libraries check it:
 * HMAC-SHA256 over ID.TIMESTAMP.BODY.
 */
#ifndef SBC_HOOK_H
#define SBC_HOOK_H

#include "base/buf.h"
#include "base/rng.h"
#include "sbc/events.h"

enum {
	HOOK_WAIT = 256,             /**< events that may wait               */
	HOOK_BATCH = 50,             /**< events of one delivery             */
	HOOK_BODY = 128 * 1024,      /**< longest body [bytes]               */
	HOOK_RETRY = 1000,           /**< [ms] before the second try         */
	HOOK_RETRY_MAX = 300000,     /**< [ms] longest                       */
	HOOK_SECRET = 256,           /**< longest key [bytes]                */
	HOOK_ID = 40, HOOK_SIG = 64,
};

/** What it wants: kinds by bit, and all of at least this severity */
struct hook_want {
	uint32_t kinds;
	uint32_t severity;           /**< enum event_severity; above: none   */
};
/** "node, lost", "all", "error" ... @return 0 or EINVAL, then *bad is the word */
int  hook_want(struct hook_want *w, struct sl text, struct sl *bad);
bool hook_wants(const struct hook_want *w, const struct event *e);
/** NULL = good, else what is wrong with it */
const char *hook_url(const char *url);

struct hook_conf {
	struct hook_want want;
	uint32_t gap;                /**< [ms] between deliveries            */
	uint32_t max_age;            /**< [ms] then a delivery is given up   */
};

struct hook {
	struct hook_conf cf;
	struct rng rng;
	uint64_t boot;               /**< makes ids unlike those before      */
	struct event *v;             /**< ring of HOOK_WAIT                  */
	uint32_t head, n;
	char id[HOOK_ID];            /**< of the delivery, "" = none         */
	struct buf body;
	uint32_t in_body;            /**< events                             */
	uint64_t made, at;           /**< [ms] it began; next try, next one  */
	uint32_t tries;              /**< that failed                        */
	bool flying;
	bool ending, lost;           /**< hook_hurry(); a try since failed   */
	uint64_t seq;
	uint64_t missed;             /**< dropped since the latest delivery  */
	/* figures */
	uint64_t delivered, full, old, ok, failed, waiting;
};

int  hook_init(struct hook *h, const struct hook_conf *cf, uint64_t seed);
void hook_free(struct hook *h);
/** Copied, if it wants it; when too many wait the oldest goes */
void hook_event(struct hook *h, const struct event *e, uint64_t now);
/** When there will be something to do, UINT64_MAX = nothing */
uint64_t hook_next(const struct hook *h);
/** Is a new delivery due? Then its events, oldest first, borrowed until the
 *  next call: say hook_body(). @return number */
uint32_t hook_take(struct hook *h, const struct event *v[HOOK_BATCH],
		   uint64_t now);
/** How many had no room before these: to be told in the body */
uint64_t hook_missed(const struct hook *h);
void hook_body(struct hook *h, struct sl body, uint64_t now);
/** Is there a delivery to be tried now? It flies then, until hook_done() */
bool hook_poll(struct hook *h, uint64_t now);
/** A try ended. wait: [ms] the receiver asked for, obeyed up to
 *  HOOK_RETRY_MAX. Given up when it is too old */
void hook_done(struct hook *h, bool good, uint64_t wait, uint64_t now);
/** The program ends: what waits goes at once, and each delivery is tried once
 *  more. hook_busy(): that is not over */
void hook_hurry(struct hook *h, uint64_t now);
bool hook_busy(const struct hook *h);

/** The key from what a file holds: "whsec_BASE64", or the bytes themselves
 *  without blanks around. @return 0, EBADMSG, ENOSPC */
int  hook_key(uint8_t key[HOOK_SECRET], size_t *np, struct sl text);
/** "v1,BASE64" */
void hook_sign(char out[HOOK_SIG], const uint8_t *key, size_t n,
	       const char *id, uint64_t seconds, struct sl body);

#endif
