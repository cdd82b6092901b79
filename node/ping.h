/**
 * @file ping.h  Pure. Asks contacts behind NAT whether they are there, and takes
 * out those that are not. docs/decisions/0026-pinging.md.
 *
 * The buckets of the store are walked in order, once an interval, at the pace of
 * the wall clock: each contact has its moment, the same on every node, so that
 * an owner that takes over goes on where the last one was. Of the slots that are
 * ours (cluster/slots.h) each contact that the rules name gets an OPTIONS along
 * its Path. Memory: for questions open and contacts that failed, and a few bytes
 * for the last answer of each.
 */
#ifndef NODE_PING_H
#define NODE_PING_H

#include "base/stat.h"
#include "cluster/hints.h"
#include "cluster/slots.h"
#include "node/config.h"
#include "node/keep.h"
#include "node/proxy.h"

enum { PING_TICK = 20,           /**< [ms] between two looks at least        */
       PING_TICK_MAX = 100,      /**< and at most; 1/300 of the interval     */
       PING_LOOK = 1024,         /**< of all contacts looked at in one, about   */
       PING_QUIET = 500,         /**< ... while nobody is to be asked        */
       PING_FEW = 8,             /**< buckets that are worth a look          */
       PING_LATE = 100,          /**< of the interval: one waits for others  */
       PING_TAILS = 8,           /**< ends of Paths that are known           */
       PING_EDGES = 64,          /**< edges whose silence is known           */
       PING_OPEN = 1 << 17 };    /**< questions open and contacts failing    */

struct ping_item;

struct ping_edge {
	struct addr addr;
	uint64_t heard;          /**< [ms] a contact behind it answered last */
	uint64_t plain_until;    /**< [ms] it does not ask for us            */
	bool asks;               /**< it does                                */
};

/** When a contact answered last, and how fast */
struct ping_seen {
	uint32_t tag;            /**< of its hash, 0 = free                  */
	uint32_t at;             /**< [100 ms]                               */
	uint32_t ms;
};

/** What is known of one contact here */
struct ping_look {
	bool named;              /**< it is pinged, by some node             */
	bool ours;               /**< by us; what follows is known then only */
	bool answered, quarantined;
	uint32_t failures;       /**< questions lost since the last answer   */
	uint32_t ms;             /**< answered: its last answer took so long */
	uint64_t ago;            /**< answered: [ms] since then              */
	uint64_t owner;          /**< node, 0 = nobody                       */
};

/** What is behind the token of a Path; ping_path.c */
struct ping_tail {
	char txt[160];
	uint16_t n;              /**< 0 = free                               */
	struct sl params;        /**< of its URI, in txt                     */
	struct flow hop;
};

struct ping {
	const struct node_config *cf;
	struct proxy *proxy;     /**< borrowed: next hops, sentby, queue     */
	struct location *loc;    /**< borrowed                               */
	const struct slots *slots;    /**< borrowed; NULL = nothing is ours  */
	struct hints *hints;     /**< borrowed; NULL = there are no others   */
	bool majority;
	uint8_t key[32];
	struct keep keep;        /**< those that the edge keeps alive        */
	struct keep ask;         /**< ... and asks for us                    */
	bool by_edge;            /**< it may                                 */
	struct ping_item **tab;  /**< by hash                                */
	struct ping_item *first, **last;   /**< open, by the time sent       */
	uint32_t items, seq;
	uint64_t pos;            /**< buckets walked since 1970              */
	uint64_t clock;          /**< wall clock, followed slowly [ms]       */
	uint64_t slew;           /**< [ms] not made use of yet               */
	uint32_t swept;          /**< place of the table                     */
	uint64_t ticked;         /**< [ms] 0 = never                         */
	uint64_t quiet;          /**< [ms] from then on no look is worth it */
	struct ping_tail tail[PING_TAILS];
	uint32_t tails;          /**< learned so far                         */
	struct ping_edge edge[PING_EDGES];
	uint32_t edges;
	struct log_limit lim;
	/* figures */
	uint64_t sent, answered, refused, lost, full, no_hop, slow;
	uint64_t removed, refreshed, kept;
	uint64_t told;           /**< not called because of a hint           */
	uint64_t quarantined_now, open_now, latency_ms, latency_max;
	/* what a dead node missed; ping_missed.c */
	uint64_t slots_version;
	uint32_t whos;
	uint64_t back, back_to;  /**< buckets to be walked once more         */
	uint64_t made_up;
	uint8_t mine[SLOTS / 8], gained[SLOTS / 8];
	/* the last round; ping_seen.c */
	uint64_t asked, share;   /**< contacts ours to ask: so far, last time */
	uint64_t p50_us, p95_us;
	struct stat_hist waits, waits_was;
	struct ping_seen *seen;
	uint32_t seen_n;
};

/** @return 0 or ENOMEM */
int  ping_init(struct ping *p);
void ping_close(struct ping *p);
/** New settings: questions open go on */
void ping_reconf(struct ping *p, const struct node_config *cf);
int  ping_stats(struct ping *p, struct stats *st);

void ping_tick(struct ping *p, uint64_t now, uint64_t wall);
uint64_t ping_next(const struct ping *p);
/** A response. @return false: not to a ping of ours */
bool ping_response(struct ping *p, const struct sip_msg *m, uint64_t now,
		   uint64_t wall);
/** Those that have not answered us lately, or their owner as it told us, are
 *  taken out of the set, unless all are such. @return how many */
uint32_t ping_pass_over(struct ping *p, struct sl aor, struct loc_set *set,
			uint64_t now);

/** Where to send for this contact, by its Path or Contact. @return 0 or EACCES: not to
 *  an edge */
int  ping_hop(struct ping *p, const struct binding *b, struct flow *f);
/** key: of the binding */
void ping_look(const struct ping *p, struct sl aor, struct sl key,
	       const struct binding *b, uint64_t now, struct ping_look *l);

#endif
