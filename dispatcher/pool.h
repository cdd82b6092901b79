/**
 * @file pool.h  Pure. The set of nodes: identity, weight, figures.
 */
#ifndef DISPATCHER_POOL_H
#define DISPATCHER_POOL_H

#include "dispatcher/backlog.h"
#include "dispatcher/health.h"
#include "dispatcher/outlier.h"
#include "dispatcher/rtt.h"

#define POOL_WEIGHT_MAX 1000
#define DISP_NO100_FIRST 250     /**< [ms] before anything was answered        */

/** Metrics live in uint64_t fields: the registry points at them */
struct pool_stat {
	uint64_t state, admin;          /**< 0 down 1 suspect 2 up; enum  */
	uint64_t weight, inflight, unanswered, learned;
	uint64_t rtt_us, probe_rtt_us;
	uint64_t picked, ok, silent, reset, lost, refused, failed;
	uint64_t ejected, eject_held;   /**< times; wanted, but too few left */
	uint64_t held;                  /**< 503 with Retry-After       */
	uint64_t full;                  /**< times it was, of unanswered */
	uint64_t room, slow;            /**< may wait, 0 = any; times    */
	uint64_t loss, kept_from;       /**< [%] asked for; requests    */
	uint64_t from, to;              /**< requests moved away / here   */
	uint64_t probes, probes_failed, probes_late;
};

struct pool_node {
	char name[64];
	struct addr addr;
	uint8_t tp;
	uint64_t hash;             /**< of the name: the same on every edge  */
	uint32_t weight;           /**< in force                             */
	uint32_t weight_conf;      /**< of the settings                      */
	uint32_t share;            /**< weight x percent of slow start       */
	int64_t wrr;               /**< running credit of smooth round robin */
	struct disp_wish wish;     /**< its admin: admin_set() only          */
	bool learned, leaving;
	bool out;                  /**< pool_out() at the last choice        */
	bool mute;                 /**< nothing heard since something failed */
	uint64_t mute_at;          /**< [ms] when that was                   */
	bool ramping;
	uint64_t ramp_at;          /**< [ms] slow start began                */
	uint64_t held;             /**< [ms] Retry-After                     */
	uint64_t loss_until;       /**< [ms]                                 */
	uint64_t loss_seq;         /**< of its last word                     */
	struct rtt rtt;            /**< of INVITE                            */
	struct backlog backlog;
	uint64_t quiet_at;         /**< [ms] its last answer, or when the first
					that it owes was sent             */
	struct outlier outlier;
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
	bool uneven;               /**< a node may be out or ramping         */
	struct disp_set full;      /**< have as many unanswered as they may  */
	struct disp_set busy;      /**< the same, of new ones: they are slow */
	struct disp_set less;      /**< ask for less: disp_loss()            */
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
/** May it get new requests, were it well? */
static inline bool pool_wanted(const struct pool_node *n)
{
	return n->wish.admin == DISP_READY && n->weight > 0 && !n->leaving;
}
/** Ejected, or asked to be left alone */
static inline bool pool_out(const struct pool_node *n, uint64_t now)
{
	return n->outlier.until > now || n->held > now;
}
/** Slow start: percent of the weight, 10..100 */
uint32_t pool_ramp(const struct pool_node *n, uint32_t slowstart,
		   uint64_t now);
/** Register the node's figures; the node is their owner */
int  pool_stats(struct pool_node *n, struct stats *s);

#endif
