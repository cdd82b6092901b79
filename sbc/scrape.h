/**
 * @file scrape.h  Shell. What the nodes of the pool say of themselves: their
 * /api/v1/status, asked for every 2 s while somebody looks, else every 5 s. A
 * node that is slow or dead delays nothing; its figures only grow old.
 */
#ifndef SBC_SCRAPE_H
#define SBC_SCRAPE_H

#include "base/addr.h"
#include <jansson.h>

enum {
	SCRAPE_EVERY = 2000,         /**< [ms] while somebody looks          */
	SCRAPE_REST = 5000,          /**< [ms] else                          */
	SCRAPE_PATIENCE = 1000,      /**< [ms] for one answer                */
	SCRAPE_STALE = 9000,         /**< [ms] older figures are not trusted */
	SCRAPE_LATELY = 300000,      /**< [ms] of `unacked`                  */
	SCRAPE_BODY = 256 * 1024,    /**< longest answer [bytes]             */
};

struct scrape;

/** @param n  most nodes */
int  scrape_alloc(struct scrape **sp, uint32_t n);
void scrape_free(struct scrape *s);
/** Who has place i now, and where he is asked; http->af 0 = nowhere. Another
 *  name or address forgets what was there */
void scrape_set(struct scrape *s, uint32_t i, const char *name,
		const struct addr *http);
/** Begin a round if it is time; one request a node is under way at most
 *  @param every  [ms] between two of them
 *  @return whether it has begun */
bool scrape_turn(struct scrape *s, uint32_t every, uint64_t now);

struct scrape_view {
	bool asked;                  /**< there is an address to ask         */
	const json_t *status;        /**< the latest good one, borrowed; NULL */
	uint64_t at;                 /**< [ms] of it                         */
	const char *error;           /**< of the latest attempt, "" = none   */
	uint64_t unacked;            /**< growth of registrar.unacked, lately */
};
void scrape_view(const struct scrape *s, uint32_t i, uint64_t now,
		 struct scrape_view *v);

/** Figures: attempts, and those that failed */
const uint64_t *scrape_done(const struct scrape *s);
const uint64_t *scrape_failed(const struct scrape *s);

#endif
