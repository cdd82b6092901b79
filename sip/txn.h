/**
 * @file txn.h  Pure. Transactions: RFC 3261 17, 6026 (Accepted), 4320 (late
 * non-INVITE answers), Timer C; every client branch has its own timers.
 *
 * The four verbs: txnl_recv(), txnl_tick(), txnl_next(), txnl_poll(). What is
 * to be sent goes to the outq given at start. Nothing is called back; the
 * user's pointers come back in events.
 *
 * Lifetime: a transaction lives until its TXN_GONE event has been taken (one
 * for each, always, but ctxn_drop()); the user drops his pointer then, and
 * never frees one. The object of the event can be read until the next poll.
 * Call txnl_poll() until it is false after each recv, tick and batch of calls.
 */
#ifndef SIP_TXN_H
#define SIP_TXN_H

#include "base/rng.h"
#include "base/stat.h"
#include "sip/flow.h"
#include "sip/hop.h"
#include "sip/scan.h"

struct txnl;      /* transaction layer */
struct stxn;      /* server transaction */
struct ctxn;      /* client transaction = one branch */

struct txn_conf {
	uint32_t t1, t2, t4;       /**< [ms] 500, 4000, 5000                      */
	/** Caps of server transactions and of branches. Those that have been over
	 *  for T4 make room for new ones */
	uint32_t max_server, max_client;
	struct blobs *blobs;       /**< messages are kept there; NULL: malloc()   */
	uint8_t key[32];           /**< secret of branch checks: random, new at
					each start                        */
};

/** Timers of one branch [ms]; 0 = off */
struct ctxn_timers {
	uint32_t no100;    /**< INVITE: nothing at all heard since it was sent      */
	uint32_t no18x;    /**< INVITE: no answer but 100                          */
	uint32_t ring;     /**< INVITE: Timer C, restarted by each 101-199. When it
				fires a branch with a provisional is CANCELled.
				0: only the answer or the user ends a ringing branch */
	uint32_t final;    /**< Timer B (nothing heard) / F; 0 = 64*T1             */
	uint32_t noreply;  /**< non-INVITE: no final answer (reported, goes on)    */
};

enum txn_timer { TT_NO100, TT_NO18X, TT_RING, TT_FINAL, TT_NOREPLY };

enum txn_kind {
	TXN_NONE,        /**< absorbed (retransmission: stxn says of which request, it
			      may have come over a new connection; ACK to non-2xx, ...) */
	TXN_REQUEST,     /**< a new request, no transaction made yet               */
	TXN_ACK,         /**< ACK that belongs to no non-2xx answer: route it      */
	TXN_CANCEL,      /**< stxn = INVITE it names (200 already sent), once and not
			      after a final answer; or NULL (481 already sent)     */
	TXN_RESPONSE,    /**< answer on a live branch, first or a further 2xx; user decides */
	TXN_LATE,        /**< 2xx INVITE answer on an abandoned branch             */
	TXN_STRAY,       /**< response that matches nothing: drop it               */
	TXN_TIMEOUT,     /**< a timer of a branch; TT_FINAL and TT_RING end it: it is
			      a zombie then (TXN_LATE and TXN_GONE may follow)     */
	TXN_NOACK,       /**< server INVITE: non-2xx never ACKed (Timer H)         */
	TXN_GONE,        /**< stxn or ctxn is no more after this event            */
};

struct txn_event {
	enum txn_kind kind;
	struct stxn *stxn;       /**< or NULL */
	struct ctxn *ctxn;       /**< or NULL */
	enum txn_timer timer;    /**< TXN_TIMEOUT */
	void *user;              /**< of the stxn/ctxn concerned */
};

struct txn_stats {
	uint64_t server_made, client_made, retrans_in, retrans_out;
	uint64_t stray, forged, refused_cap, timeouts;
	uint64_t ended_early;                 /**< made room at the cap       */
	uint64_t silent;                      /**< answers RFC 4320 forbids   */
	uint64_t server_now, client_now;      /**< gauges */
};

int  txnl_alloc(struct txnl **tp, const struct txn_conf *cf, struct outq *out,
		uint64_t now);
void txnl_free(struct txnl *t);
const struct txn_stats *txnl_stats(const struct txnl *t);

/** A scanned message came over flow f. TXN_TIMEOUT, TXN_GONE never come here. */
void txnl_recv(struct txnl *t, const struct sip_msg *m, const struct flow *f,
	       uint64_t now, struct txn_event *ev);
/** May a server transaction with this branch in its top Via be there? For who wants
 *  to know before the message is scanned: true as well when only a closer look can
 *  tell */
bool txnl_knows(const struct txnl *t, struct sl branch);
void txnl_tick(struct txnl *t, uint64_t now);
uint64_t txnl_next(const struct txnl *t);
/** Timer events, one at a time. @return false = no more, *ev holds nothing */
bool txnl_poll(struct txnl *t, struct txn_event *ev);

/* --- server --- */
/**
 * Open a server transaction for a TXN_REQUEST. Keeps the request (a copy) and
 * its Vias. INVITE: does not answer 100 by itself, see stxn_trying().
 * @return 0, ENOSPC (cap: answer 503 statelessly), ENOMEM
 */
int  stxn_alloc(struct stxn **sp, struct txnl *t, const struct sip_msg *m,
		const struct flow *f, void *user, uint64_t now);
void stxn_trying(struct stxn *s, uint64_t now);        /**< 100 Trying */
/** The same to an INVITE that has no answer after 200 ms: RFC 3261 17.2.1 */
void stxn_trying_soon(struct stxn *s, uint64_t now);
/** Answer made here. to_tag is the transaction's own. extra: header lines or SL_NONE */
void stxn_reply(struct stxn *s, uint16_t code, struct sl phrase, struct sl extra,
		uint64_t now);
/** Answer passed on: whole message bytes (Vias already ours: stxn_vias());
 *  takes an own reference. After a final answer nothing more goes out but, to an
 *  INVITE that got a 2xx, further 2xx. What RFC 4320 forbids for non-INVITE
 *  (408, 1xx but 100, finals after 64*T1) is not sent, the transaction ends.
 *  @return 0, EPROTO (final already sent; not sent) */
int  stxn_forward(struct stxn *s, uint16_t code, struct blob *msg, uint64_t now);
/** An INVITE that was answered 2xx another way: as if that had been sent here */
void stxn_accepted(struct stxn *s, uint16_t code, uint64_t now);
struct sl stxn_vias(const struct stxn *s);       /**< header lines, for hop_reply_vias() */
struct blob *stxn_request(const struct stxn *s); /**< bytes as received; no ref taken */
const struct flow *stxn_flow(const struct stxn *s);
enum sip_method stxn_method(const struct stxn *s);
uint16_t stxn_code(const struct stxn *s);        /**< last status sent, 0 = none */
bool stxn_final(const struct stxn *s);
void *stxn_user(const struct stxn *s);
void stxn_set_user(struct stxn *s, void *user);

/* --- client --- */
/**
 * Get a branch; nothing is sent yet. @return 0, ENOSPC, ENOMEM
 */
int  ctxn_alloc(struct ctxn **cp, struct txnl *t, enum sip_method meth,
		void *user);
/** "z9hG4bK..." to put in the Via; valid as long as the branch */
struct sl ctxn_branch(const struct ctxn *c);
/** Send the request (whole message with our Via on top; takes a ref of msg).
 *  Over a datagram flow it is retransmitted. */
void ctxn_send(struct ctxn *c, const struct flow *f, struct blob *msg,
	       const struct ctxn_timers *tm, uint64_t now);
/** Give back a branch that was never sent (also after a failed build): it is
 *  gone at once, without a TXN_GONE */
void ctxn_drop(struct ctxn *c);
/**
 * INVITE: send CANCEL as soon as RFC 3261 9.1 allows (at once when a
 * provisional was heard, else when the first comes). `reason` header lines or
 * SL_NONE. The branch goes on and gives its final answer, at the latest
 * TT_FINAL 64*T1 after the CANCEL. Other methods: no effect.
 */
void ctxn_cancel(struct ctxn *c, struct sl reason, uint64_t now);
/** Report TT_NO18X when nothing but 100 comes within so many ms from now; 0: no
 *  effect */
void ctxn_expect(struct ctxn *c, uint32_t ms, uint64_t now);
/** An INVITE's 2xx came another way: as if this branch had got it. Copies and
 *  others that do come are reported as ever */
void ctxn_accepted(struct ctxn *c, uint16_t code, uint64_t now);
/**
 * Give the branch up: it stays as a zombie until its timers end. An INVITE that
 * has a provisional is CANCELled now, else when a late one comes; late non-2xx
 * are ACKed, late 2xx (each copy) reported as TXN_LATE.
 * user is kept. No further TXN_RESPONSE/TXN_TIMEOUT for it, only TXN_LATE, TXN_GONE.
 */
void ctxn_abandon(struct ctxn *c, uint64_t now);
/** The branch whose token this is (a Via branch that came back to us, e.g. in a
 *  request that passed a node), NULL = not ours, or over. *foreign (may be NULL) is
 *  true for one that we never made, whether in our form or in another. */
struct ctxn *ctxn_by_branch(struct txnl *t, struct sl branch, bool *foreign);
void *ctxn_user(const struct ctxn *c);
void ctxn_set_user(struct ctxn *c, void *user);
const struct flow *ctxn_flow(const struct ctxn *c);
enum sip_method ctxn_method(const struct ctxn *c);
/** As sent, no ref taken; NULL after a 2xx */
struct blob *ctxn_request(const struct ctxn *c);
bool ctxn_zombie(const struct ctxn *c);
uint16_t ctxn_code(const struct ctxn *c);         /**< last status heard, 0 = none */
uint64_t ctxn_sent_at(const struct ctxn *c);
/** All live branches on a lost flow: equal tp and peer, and equal conn when both
 *  name one (a branch sent with conn 0 is lost with any connection to its peer),
 *  the oldest first. h may abandon branches and make new ones. */
void txnl_each_ctxn(struct txnl *t, const struct flow *f,
		    void (*h)(struct ctxn *c, void *arg), void *arg);

#endif
