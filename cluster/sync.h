/**
 * @file sync.h  Pure. What this node lacks: found by comparing digests, fetched
 * by ranges. docs/cluster-protocol.md 6.3 to 6.6.
 *
 * A *round* is with one peer: its digests of the groups, then of the buckets of
 * those groups that differ, then the records of those buckets that differ and that we
 * don't have. At its end this node has all that the peer had when it began. Each
 * node only fetches; the other one has its own rounds. One round at a time.
 *
 * The serving half answers the rounds of all peers, a little at a time.
 */
#ifndef CLUSTER_SYNC_H
#define CLUSTER_SYNC_H

#include "base/rng.h"
#include "cluster/store.h"
#include "cluster/wire.h"

#define SYNC_WINDOW 8          /**< groups asked for at the same time        */
#define SYNC_QUEUE 16          /**< questions of one peer not answered yet   */
#define SYNC_STALL 1000        /**< a donor that is silent is given up [ms]  */
#define SYNC_AVOID 3000        /**< and not asked again for so long [ms]     */
#define SYNC_LOOK_AGAIN 2000   /**< a difference must last so long [ms]      */
#define SYNC_VERIFY_AGAIN 300  /**< the same when somebody waits for it [ms] */
#define SYNC_DIFFS 100         /**< listed by a verification                 */

/** Why a round, most urgent last */
enum sync_why {
	SYNC_CHECK,            /**< now and then: what changes is looked at twice */
	SYNC_VERIFY,           /**< the same, and only told                   */
	SYNC_HEAL,             /**< a link came back                          */
	SYNC_LOSS,             /**< a member was lost: what did it tell others? */
	SYNC_JOIN,             /**< we have nothing of that peer's            */
	SYNC_WHY_N
};
const char *sync_why_name(enum sync_why w);

struct sync_stats {
	uint64_t rounds[SYNC_WHY_N];   /**< ended well                        */
	uint64_t given_up;             /**< the peer was silent or lost       */
	uint64_t differed;             /**< buckets that differed             */
	uint64_t fetched;              /**< records that came in rounds       */
	uint64_t joined;               /**< of them news, while joining       */
	uint64_t repaired;             /**< of them news, else                */
	uint64_t served;               /**< records given in others' rounds   */
	uint64_t paced;                /**< times that waited for the rate    */
	uint64_t progress;             /**< gauge: of the round under way [%] */
	uint64_t round_now;            /**< gauge: one is under way           */
};

/** How a verification found one binding; what is missing may be its latest change */
enum sync_diff_kind { SYNC_MISSING_THERE, SYNC_MISSING_HERE, SYNC_DIFFERS };
struct sync_diff {
	uint64_t node;                 /**< the other one                     */
	enum sync_diff_kind kind;
	char *aor, *key;               /**< owned                             */
};

const char *sync_diff_name(enum sync_diff_kind k);    /**< "missing_here" */

/** What the last verification said of a peer */
enum sync_verdict { SYNC_UNKNOWN, SYNC_EQUAL, SYNC_UNEQUAL, SYNC_NO_ANSWER };
const char *sync_verdict_name(enum sync_verdict v);   /**< "equal" */

/** A round has ended */
struct sync_end {
	uint8_t peer;
	enum sync_why why;
	bool ok;
	uint64_t changed;              /**< records that were news            */
	uint64_t took;                 /**< [ms]                              */
};

struct sync;

/** rate: of answers to all peers together [bytes/ms], 0 = as fast as it goes */
int  sync_alloc(struct sync **yp, struct store *s, uint64_t seed,
		uint32_t rate);
void sync_free(struct sync *y);
const struct sync_stats *sync_stats(const struct sync *y);

/** A link of version 2 or later is up / gone. What is due stays due. */
void sync_up(struct sync *y, uint8_t peer);
void sync_down(struct sync *y, uint8_t peer, uint64_t now);
/** Another member has this index from now on */
void sync_forget(struct sync *y, uint8_t peer);
/** A round with this peer is wanted, as soon as sync_able() */
void sync_due(struct sync *y, uint8_t peer, enum sync_why why);
bool sync_is_due(const struct sync *y, uint8_t peer, enum sync_why why);
/** May a round with it start? rank: which one first, larger is better */
void sync_able(struct sync *y, uint8_t peer, bool able, uint8_t rank);

/* Frames. @return 0, or EBADMSG, EPROTO (too many questions), ENOMEM, ERANGE
 * (a stamp too far ahead): close the link */
int  sync_ask(struct sync *y, uint8_t peer, struct sl p);
int  sync_want(struct sync *y, uint8_t peer, struct sl p);
int  sync_digest(struct sync *y, uint8_t peer, struct sl p, uint64_t now);
int  sync_data(struct sync *y, uint8_t peer, uint64_t node, struct sl p,
	       uint64_t now, uint64_t wall);
int  sync_done(struct sync *y, uint8_t peer, uint64_t node, struct sl p,
	       uint64_t now, uint64_t wall);

/** Something to say to this peer? */
bool sync_pending(const struct sync *y, uint8_t peer);
/** Append frames until b holds `limit` bytes, enough work was done or the rate is
 *  reached */
void sync_fill(struct sync *y, uint8_t peer, struct buf *b, size_t limit,
	       uint64_t now);

void sync_tick(struct sync *y, uint64_t now);
uint64_t sync_next(const struct sync *y);
/** Take one end of a round. @return false = none */
bool sync_poll(struct sync *y, struct sync_end *e);

/** Compare with every peer that is up; the last one's result is forgotten */
void sync_verify(struct sync *y, uint64_t now);
bool sync_verifying(const struct sync *y);
enum sync_verdict sync_verdict(const struct sync *y, uint8_t peer);
const struct sync_diff *sync_diffs(const struct sync *y, uint32_t *n,
				   uint64_t *more);

#endif
