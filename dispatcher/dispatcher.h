/**
 * @file dispatcher.h  Pure. Which node takes a request: the pool, the health
 * of its nodes, the choice. Knows no SIP and no socket.
 *
 * Words are HAProxy's: fall, rise, inter, fastinter, downinter, ready, drain,
 * maint.
 */
#ifndef DISPATCHER_DISPATCHER_H
#define DISPATCHER_DISPATCHER_H

#include "base/addr.h"
#include "base/rng.h"
#include "base/stat.h"

enum disp_state { DISP_UP, DISP_SUSPECT, DISP_DOWN };
enum disp_admin { DISP_READY, DISP_DRAIN, DISP_MAINT };
enum disp_alg { DISP_HASH, DISP_LEAST, DISP_WRR };

const char *disp_state_name(enum disp_state s);     /**< "UP" */
const char *disp_admin_name(enum disp_admin a);     /**< "ready" */

struct disp_conf {
	uint32_t inter, fastinter, downinter;   /**< [ms] probe intervals        */
	uint32_t timeout;                       /**< [ms] of one probe           */
	uint32_t fall, rise;                    /**< probes                      */
	uint32_t jitter;                        /**< [%] of the interval         */
	enum disp_alg alg;
	uint32_t max_nodes;
	/* each 0 = off */
	uint32_t slowstart;                     /**< [ms] from 10 to 100 % weight */
	uint32_t eject;                         /**< [ms] first outlier ejection  */
	uint32_t eject_margin;                  /**< [%] above what peers fail    */
	uint32_t eject_min;                     /**< requests in 10 s to judge by */
	uint32_t retry_percent;                 /**< [%] of requests tried again  */
	uint32_t retry_burst;                   /**< and so many more a second    */
	uint32_t max_unanswered;                /**< requests a node said nothing to */
	uint32_t target;                        /**< [ms] that they wait: backlog.h  */
	uint32_t no100_min, no100_max;          /**< [ms] of disp_no100()         */
};

struct disp_node_conf {
	char name[64];
	struct addr addr;
	uint8_t tp;              /**< opaque here                               */
	uint32_t weight;         /**< 0..1000                                   */
	bool learned;            /**< not of the settings: named by another     */
};

/** What an operator wants of a node */
struct disp_wish {
	enum disp_admin admin;
	bool when_empty;         /**< DRAIN: MAINT when nothing is left there   */
	bool drained;            /**< MAINT: came so                            */
	uint64_t since;          /**< [ms]                                      */
	uint64_t until;          /**< [ms] READY then, 0 = for ever             */
	int32_t weight;          /**< instead of the settings', -1 = theirs     */
	char who[68], why[128];
};

/** What happened to a request that was sent to a node */
enum disp_report {
	DISP_OK,           /**< it answered in time (rtt given)                  */
	DISP_SILENT,       /**< no answer in time                                */
	DISP_RESET,        /**< connection reset or refused, ICMP: DOWN at once  */
	DISP_LOST,         /**< no way there (host unreachable, connect timed out) */
	DISP_REFUSED,      /**< it answered 503                                  */
	DISP_FAILED,       /**< it answered another 5xx of its own, in time      */
};

/** ADMIN: a wish ended by itself */
enum disp_out_kind {
	DISP_OUT_PROBE, DISP_OUT_CHANGE, DISP_OUT_ADMIN,
	DISP_OUT_MUTE,     /**< would be DOWN, were others not as silent: what can
	                        be done without it need not wait for it        */
};
struct disp_out {
	enum disp_out_kind kind;
	uint16_t node;
	uint32_t probe;                      /**< PROBE: id, give it back         */
	enum disp_state from, to;            /**< CHANGE                          */
	const char *why;                     /**< literal                         */
};

/** View of one node for status and metrics */
struct disp_view {
	char name[64];
	struct addr addr;
	uint8_t tp;
	enum disp_state state;
	struct disp_wish wish;
	bool learned, leaving;
	uint32_t weight;           /**< in force, without slow start             */
	uint32_t ramp;             /**< [%] of the weight, slow start            */
	uint64_t since;            /**< [ms] of the last state change            */
	uint64_t ejected;          /**< [ms] until then, 0 = is not              */
	uint64_t held;             /**< [ms] Retry-After until then, 0 = is not  */
	uint64_t ejections;
	uint32_t fail_percent;     /**< of the requests of the last 10 s         */
	uint32_t no100;            /**< [ms]                                     */
	uint32_t okc, failc;       /**< probes in a row                          */
	uint32_t inflight;
	uint32_t unanswered;       /**< of these, it has said nothing to         */
	bool full;                 /**< as many as it may have                   */
	uint32_t loss;             /**< [%] of the new ones less: disp_loss()    */
	uint32_t rtt_us;           /**< smoothed answer time of requests         */
	uint32_t probe_rtt_us;     /**< last probe                               */
	uint64_t probe_at;         /**< [ms] last result, 0 = none yet           */
	uint16_t probe_code;       /**< SIP code as reported, 0 = silence        */
	char probe_reason[64];
	uint64_t picked, ok, silent, reset, refused, failed_over_from, failed_over_to;
};

struct disp;

int  disp_alloc(struct disp **dp, const struct disp_conf *cf, uint64_t seed,
		uint64_t now);
void disp_free(struct disp *d);
/** @return 0 and the index, stable for the life of the node; EEXIST, ENOSPC */
int  disp_add(struct disp *d, const struct disp_node_conf *nc, uint16_t *idx,
	      uint64_t now);
void disp_del(struct disp *d, uint16_t idx);
int  disp_reconf(struct disp *d, const struct disp_conf *cf);
int  disp_set_weight(struct disp *d, uint16_t idx, uint32_t weight);
int  disp_set_admin(struct disp *d, uint16_t idx, enum disp_admin a,
		    uint64_t now);
/** w->weight >= 0 outranks disp_set_weight().
 *  @return 0, ENOENT, EINVAL (weight) */
int  disp_set_wish(struct disp *d, uint16_t idx, const struct disp_wish *w,
		   uint64_t now);
/** Would the pool still have a node that is UP and takes requests? */
bool disp_spare(const struct disp *d, uint16_t idx, uint64_t now);
/** Of the settings or learned; a leaving one gets no new requests */
int  disp_set_learned(struct disp *d, uint16_t idx, bool learned);
int  disp_set_leaving(struct disp *d, uint16_t idx, bool leaving, uint64_t now);
/** One past the largest index in use */
uint16_t disp_n(const struct disp *d);
/** @return 0 or ENOENT */
int  disp_view(struct disp *d, uint16_t idx, struct disp_view *v);
/** Is there such a node, and is it UP? */
bool disp_is_up(const struct disp *d, uint16_t idx);
int  disp_by_addr(const struct disp *d, const struct addr *a, uint16_t *idx);
int  disp_by_name(const struct disp *d, struct sl name, uint16_t *idx);

/**
 * Choose a node for a key (hash of the AoR). UP before SUSPECT; when all look
 * bad, any that is not in maint (panic rule). `tried` is a bitmap by index of nodes
 * not to take again; when it is not empty, the budget of retries counts, too.
 * A node that has max_unanswered requests gets no further one, nor does one that is
 * slow and has as many as it can answer soon; what would be panic with it is not
 * begun for that.
 * @return 0; ENOENT = none left; EBUSY = budget used up; ENOBUFS = all that may be
 * asked are full
 */
#define DISP_MAX 64
struct disp_set { uint64_t bits; };
int  disp_pick(struct disp *d, uint64_t key, const struct disp_set *tried,
	       uint16_t *idx, uint64_t now);
/** Who gets past it when a node is full or asks for less: disp_pick() is for NEW */
enum disp_rank {
	DISP_NEW,
	DISP_KEEP,         /**< when a node asks for less, only after all NEW;
				twice as many at one that is slow          */
	DISP_URGENT,       /**< always; full nodes when there is no other      */
};
int  disp_pick_as(struct disp *d, enum disp_rank rank, uint64_t key,
		  const struct disp_set *tried, uint16_t *idx, uint64_t now);
/** Would disp_pick() say ENOBUFS? If so it counts as said */
bool disp_no_room(struct disp *d, uint64_t now);
/** Is a node full, or does one ask for less? Else the rank does not matter */
bool disp_limited(const struct disp *d);
static inline void disp_set_add(struct disp_set *s, uint16_t i)
{
	s->bits |= 1ull << (i & 63);
}
static inline bool disp_set_has(const struct disp_set *s, uint16_t i)
{
	return s->bits >> (i & 63) & 1;
}

/** In-flight count: one sent, one ended. In between, or before it ends without an
 *  answer, disp_heard() once: the node has said something to it */
void disp_begin(struct disp *d, uint16_t idx);
void disp_heard(struct disp *d, uint16_t idx);
void disp_end(struct disp *d, uint16_t idx);
/** After disp_heard(): it was an answer, and came so late. timed: nothing but its
 *  queue delays such a one (a 200 to REGISTER is held on purpose) */
void disp_waited(struct disp *d, uint16_t idx, uint32_t us, bool timed,
		 uint64_t now);
void disp_report(struct disp *d, uint16_t idx, enum disp_report r,
		 uint32_t rtt_us, uint64_t now);
/** Time to the first answer of an INVITE */
void disp_answered(struct disp *d, uint16_t idx, uint32_t us);
/** [ms] to wait for it: between no100_min and no100_max */
uint32_t disp_no100(const struct disp *d, uint16_t idx);
/** Its 503 said so: no new requests for that time, 30 s at most */
void disp_retry_after(struct disp *d, uint16_t idx, uint32_t seconds,
		      uint64_t now);
/** What a node asks for: RFC 7339 */
struct disp_ask {
	uint32_t percent;      /**< of the new requests less; 0 = no longer  */
	uint32_t ms;           /**< for that time, 10 s at most              */
	uint64_t seq;          /**< of its words; 0 = none                   */
};
/** @return 0, EINVAL, ESTALE: it has said something newer */
int  disp_loss(struct disp *d, uint16_t idx, const struct disp_ask *a,
	       uint64_t now);
/** Our own network failed (no address, no route): blame nobody for a while */
void disp_own_fault(struct disp *d, const char *why, uint64_t now);
/** Nobody is taken out now: all nodes look bad, or the fault is ours */
bool disp_frozen(const struct disp *d);
/** A request moved from one node to another */
void disp_moved(struct disp *d, uint16_t from, uint16_t to);
/** Answer of a probe. ok: the code counts as healthy. code 0: could not be sent */
void disp_probed(struct disp *d, uint16_t idx, uint32_t probe, bool ok,
		 uint16_t code, struct sl reason, uint32_t rtt_us, uint64_t now);
void disp_tick(struct disp *d, uint64_t now);
/** Asked after every message: looks at all nodes only when one of the calls
 *  that set a time was made since */
uint64_t disp_next(struct disp *d);
bool disp_poll(struct disp *d, struct disp_out *out);
void disp_stats(struct disp *d, struct stats *s);    /**< register figures */

#endif
