/**
 * @file nonces.h  Pure. Which counts of which nonces have been used here
 * (RFC 7616 3.4, nc), in bounded memory. A request heard by somebody else
 * does not open a second time.
 */
#ifndef NODE_NONCES_H
#define NODE_NONCES_H

#include "base/sl.h"

enum { NONCES_MAX = 65536, NONCES_AGAIN_MS = 32000 };

struct nonces;

enum nonces_verdict {
	NONCES_NEW,      /**< this count was not used before                */
	NONCES_AGAIN,    /**< the very request that used it: a repetition   */
	NONCES_REPLAY,   /**< another request has used it                   */
	NONCES_LOST,     /**< may have been used: forgotten for lack of room */
};

struct nonces_use {
	struct sl nonce;     /**< genuine and not too old                     */
	uint64_t made;       /**< when it was [ms], wall clock                */
	uint32_t nc;         /**< 0 = credentials without one                 */
	uint32_t request;    /**< hash of what a repetition has in common     */
	uint32_t age;        /**< how long a nonce is accepted [ms]           */
};

/** @param max  nonces remembered, at most NONCES_MAX
 *  @param key  secret of the table
 *  @return 0 or ENOMEM */
int  nonces_alloc(struct nonces **np, uint32_t max, const uint8_t key[32]);
void nonces_free(struct nonces *n);

/** Only after the password has proved right: nobody else fills the table.
 *  @param now  [ms] */
enum nonces_verdict nonces_use(struct nonces *n, const struct nonces_use *u,
			       uint64_t now);

struct nonces_stats {
	uint64_t known;      /**< gauge                                       */
	uint64_t forced;     /**< forgotten while they were still accepted    */
};
const struct nonces_stats *nonces_stats(const struct nonces *n);

#endif
