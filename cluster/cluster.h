/**
 * @file cluster.h  Shell. The facade a node uses: links to the other nodes,
 * heartbeats, live push of the store's changes.
 */
#ifndef CLUSTER_CLUSTER_H
#define CLUSTER_CLUSTER_H

#include "base/addr.h"
#include "base/stat.h"
#include "cluster/keyset.h"
#include "cluster/store.h"

#define CLUSTER_MAX 32          /**< members, ourselves included               */
#define CLUSTER_NAME 64
#define CLUSTER_VIEW 72         /**< members, unanswered addresses, removed ones */

struct cert;
struct cluster;
struct hints;
struct roster;
struct slots;

/** Our own state, told to the others */
enum cluster_state {
	CLUSTER_JOINING, CLUSTER_READY, CLUSTER_DRAINING,
	CLUSTER_REMOVED,        /**< never said on the wire                    */
};
const char *cluster_state_name(enum cluster_state s);      /**< "joining" */

/** How another member looks from here */
enum cluster_health {
	CLUSTER_UNKNOWN,    /**< configured, never heard since our start       */
	CLUSTER_ALIVE,
	CLUSTER_SUSPECT,    /**< late                                          */
	CLUSTER_DEAD,
	CLUSTER_LEFT,       /**< said good-bye                                 */
};
const char *cluster_health_name(enum cluster_health h);    /**< "alive" */

struct cluster_conf {
	uint64_t node;                /**< our id: drawn once at random, kept in
	                                   state_dir; never 0                   */
	char name[CLUSTER_NAME];      /**< for people                           */
	struct addr addr;             /**< listens there, and links leave from this
	                                   IP; port 0 = any (tests)             */
	const struct keyset *keys;    /**< borrowed for cluster_alloc()         */
	/** What links show, beside the keys: borrowed for cluster_alloc(). NULL =
	 *  they are authenticated by the key */
	const struct cert *cert;
	struct addr peers[CLUSTER_MAX];   /**< our own may be among them        */
	uint32_t npeers;
	struct addr join[CLUSTER_MAX];    /**< asked while we know nobody     */
	uint32_t njoin;
	struct addr sip;              /**< ours, told to the others; af 0 = none */
	const struct roster *roster;  /**< as it was saved, or NULL; copied   */
	uint32_t heartbeat, dead;     /**< [ms] 500, 3000                       */
	uint32_t sync_rate;           /**< of what is given to nodes that lack it
	                                   [bytes/ms], 0 = no limit             */
	uint32_t push_gap;            /**< [ms] as cluster_set_gap()            */
	uint32_t max_expires;         /**< [s] must be equal on all nodes        */
	/** Another living node has our changes after `from` up to `to`; called in
	 *  the loop. May be NULL */
	void (*ackedh)(uint64_t from, uint64_t to, void *arg);
	/** Members or our readiness changed. May be NULL */
	void (*changedh)(void *arg);
	/** The members map changed: save it. May be NULL */
	void (*rosterh)(const struct roster *r, void *arg);
	void *arg;
};

/** Listens, dials the peers. store and stats are borrowed until cluster_free().
 *  @return 0, errno of the socket (busy port), EINVAL, ENOMEM */
int  cluster_alloc(struct cluster **cp, const struct cluster_conf *cf,
		   struct store *store, struct stats *stats);
/** Says good-bye and closes */
void cluster_free(struct cluster *c);
/** Another certificate (borrowed for the call; NULL = by key) for links to
 *  come; those that stand stay. @return 0, or errno and nothing has changed */
int  cluster_recert(struct cluster *c, const struct cert *cert);
/** Other keys for links, of the same base: links that stand by one that is
 *  gone are made anew */
void cluster_rekey(struct cluster *c, const struct keyset *k);
/** The port that we listen on */
uint16_t cluster_port(const struct cluster *c);

/** Push what changed in the store and in hints: call once at the end of a loop turn
 *  (cheap when nothing did) */
void cluster_flush(struct cluster *c);
/** Every own change up to this sequence (store_seq() right after it) is held by
 *  another living node; 0 = none */
uint64_t cluster_acked(const struct cluster *c);
/** Other nodes alive now: 0 = nobody can acknowledge */
uint32_t cluster_alive(const struct cluster *c);
/** True when every peer linked at start has given us what it had, or no peer
 *  answered for `dead` ms: the node may say READY */
bool cluster_synced(const struct cluster *c);
/** We hear more than half of the members (ourselves included) */
bool cluster_majority(const struct cluster *c);

/** What is to be done once in the cluster is done by the owner of the AoR's
 *  slot (cluster/slots.h); two may hold themselves for it for some seconds,
 *  nobody for as long as a dead one is not known to be dead.
 *  version: rises when owners change (also called by changedh) */
const struct slots *cluster_slots(const struct cluster *c);
/** What nodes tell each other for a while; goes out with the next heartbeat */
struct hints *cluster_hints(struct cluster *c);

/** We were taken out of the cluster */
bool cluster_removed(const struct cluster *c);
/** A living other node, not about to leave, has our changes up to `seq` */
bool cluster_held(const struct cluster *c, uint64_t seq);
/** Links that are up */
uint32_t cluster_links(const struct cluster *c);
/** Take a member out (in = false) or in again. force: also a living one.
 *  @return 0; ENOENT; EALREADY; EBUSY: it is alive; ENOSPC: 32 are members */
int  cluster_turn(struct cluster *c, uint64_t node, bool in, bool force);
/** A member by name or id. @return 0, ENOENT, ENOTUNIQ */
int  cluster_lookup(const struct cluster *c, const char *who, bool in,
		    uint64_t *node);

void cluster_set_state(struct cluster *c, enum cluster_state s);
/** Changes are told to the others at most once in this time [ms], several
 *  together; one that comes after a pause at once. 0: each at once */
void cluster_set_gap(struct cluster *c, uint32_t gap);
/** Digest of settings that must be equal, and of the users file; a
 *  difference to a live member is a warning in the view and one log line */
void cluster_set_digests(struct cluster *c, uint64_t settings, uint64_t users);

struct cluster_member_view {
	uint64_t node;                /**< 0 = not known yet                    */
	char name[CLUSTER_NAME];      /**< "" = not known yet                   */
	struct addr addr;
	struct addr sip;              /**< for edges; af 0 = not known          */
	bool self, linked;
	bool removed;                 /**< taken out of the cluster             */
	uint64_t turned;              /**< wall clock [ms] of joining or removal,
	                                   0 = not known                        */
	enum cluster_health health;
	enum cluster_state state;     /**< what it says of itself               */
	bool majority;
	uint64_t incarnation;
	uint64_t heard_ago;           /**< [ms] since its last sign of life      */
	uint64_t since;               /**< [ms] in this health                  */
	uint32_t rtt_us;              /**< as TCP measures it, 0 = not known    */
	int64_t clock_ms;             /**< its wall clock minus ours            */
	uint64_t records, contacts;
	uint64_t seq;                 /**< its changes                          */
	uint64_t sent_to_us;          /**< of them we have                      */
	uint64_t acked_by_it;         /**< of ours it has                       */
	uint64_t lag_ms;              /**< age of our oldest change it hasn't acknowledged */
	bool settings_differ, users_differ;
	bool whole;                   /**< we have compared with it since it came */
	const char *verdict;          /**< of the last verification: "equal" …  */
	uint32_t n_hears;             /**< members it hears                     */
	bool counts;                  /**< slots are shared out to it           */
	uint32_t slots;               /**< that it owns                         */
};

struct cluster_view {
	uint64_t node, incarnation;
	char name[CLUSTER_NAME];
	struct addr addr;
	enum cluster_state state;
	bool synced, majority;
	uint32_t progress;            /**< of the round under way, or the last [%] */
	uint64_t repaired;            /**< records the live feed had missed     */
	uint64_t root;                /**< digest of all records                */
	uint32_t alive, members;      /**< ourselves included                   */
	uint64_t seq, acked;
	uint64_t links_now, links_made, links_lost, auth_failed, bad_frames;
	uint32_t slots_shared;        /**< members the slots are shared among   */
	uint32_t slots_moved;         /**< by the last change of that           */
	uint64_t slots_ago;           /**< [ms] since then                      */
	uint32_t n;
	struct cluster_member_view m[CLUSTER_VIEW];    /**< m[0] = ourselves   */
};
void cluster_view(const struct cluster *c, struct cluster_view *v);

/** Compare with every linked node, change nothing. Poll cluster_verifying(), then
 *  read the verdicts of cluster_view() and the list. A new one replaces the last. */
void cluster_verify(struct cluster *c);
bool cluster_verifying(const struct cluster *c);
struct cluster_diff {
	uint64_t node;                /**< the other one                        */
	const char *kind;             /**< "missing_here" "missing_there" "differs" */
	const char *aor, *key;        /**< borrowed until the handler returns    */
};
/** *more: differences that found no place in the list */
void cluster_diffs(const struct cluster *c,
		   void (*h)(const struct cluster_diff *d, void *arg),
		   void *arg, uint64_t *more);

#endif
