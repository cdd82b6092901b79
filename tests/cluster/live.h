/**
 * @file live.h  Real nodes of the cluster layer on loopback, in one process.
 */
#ifndef TESTS_CLUSTER_LIVE_H
#define TESTS_CLUSTER_LIVE_H

#include "cluster/cluster.h"

/** Long enough for a machine that is busy with other tests [ms] */
#define LIVE_DEAD 2000

struct live {
	struct cluster *c;
	struct store *s;
	struct stats *st;
	uint64_t acked;            /**< from the hook */
};

/** Starts node `id` on 127.0.0.1 with any port; its peers are those of v[0..n) */
void live_start(struct live *x, uint64_t id, const uint8_t key[32],
		const struct live *v, uint32_t n);
/** The same with a certificate, borrowed for the call; NULL = by key */
void live_start_as(struct live *x, uint64_t id, const uint8_t key[32],
		   const struct live *v, uint32_t n, const struct cert *cert);
void live_stop(struct live *x);
/** Runs the loop until cond(arg), at most `ms`. @return cond at the end */
bool live_until(bool (*cond)(const void *arg), const void *arg, uint32_t ms);
void live_key(uint8_t key[32], uint8_t fill);

#endif
