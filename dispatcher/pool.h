/**
 * @file pool.h  Pure. The set of nodes: identity, weight, figures.
 */
#ifndef DISPATCHER_POOL_H
#define DISPATCHER_POOL_H

#include "dispatcher/health.h"

/** Metrics live in uint64_t fields: the registry points at them */
struct pool_stat {
	uint64_t state, admin;          /**< 0 down 1 suspect 2 up; enum  */
	uint64_t weight, inflight;
	uint64_t rtt_us, probe_rtt_us;
	uint64_t picked, ok, silent, reset, refused;
	uint64_t from, to;              /**< requests moved away / here   */
	uint64_t probes, probes_failed, probes_late;
};

struct pool_node {
	char name[64];
	struct addr addr;
	uint8_t tp;
	uint64_t hash;             /**< of the name: the same on every edge  */
	uint32_t weight;
	int64_t wrr;               /**< running credit of smooth round robin */
	enum disp_admin admin;
	struct health health;
	uint64_t probe_at;
	uint16_t probe_code;
	char probe_reason[64];
	bool want_probe;           /**< PROBE not polled yet                 */
	struct pool_stat stat;
};

struct pool {
	struct pool_node *v[DISP_MAX];
	uint16_t n;                /**< one past the largest index in use    */
	uint16_t count;
	uint16_t next;             /**< where the search for a free one starts */
};

/** @return 0; EINVAL (name, weight), EEXIST (name or address), ENOSPC, ENOMEM */
int  pool_add(struct pool *p, const struct disp_node_conf *nc, uint32_t max,
	      uint16_t *idx);
void pool_del(struct pool *p, uint16_t idx);
void pool_clear(struct pool *p);
/** NULL = none there */
static inline struct pool_node *pool_get(const struct pool *p, uint16_t idx)
{
	return idx < p->n ? p->v[idx] : NULL;
}
/** Register the node's figures; the node is their owner */
int  pool_stats(struct pool_node *n, struct stats *s);

#endif
