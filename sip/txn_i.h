/**
 * @file txn_i.h  Pure. Private to txn*.c: the bodies of the transaction layer.
 */
#ifndef SIP_TXN_I_H
#define SIP_TXN_I_H

#include "base/blobs.h"
#include "base/secret.h"
#include "base/wheel.h"
#include "sip/txn.h"

/** The struct that a member stands in */
#define container(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

enum {
	TXN_SLAB = 128,            /**< transactions per allocation             */
	TXN_PEERS = 4096,          /**< buckets of branches by remote address   */
	TXN_IDX_BITS = 24,         /**< most branches: 16 M                     */
	TXN_BRANCH = 7 + 6 + 8 + 16,   /**< cookie, slot, generation, check     */
	TXN_SOON = 200,            /**< 100 to an INVITE, RFC 3261 17.2.1 [ms]  */
	TXN_D_MIN = 32000,         /**< least Timer D, RFC 3261 17.1.1.2 [ms]   */
	TXN_ENDS = 64,             /**< [ms] those that are over end together;
					a power of two                  */
};

/** Which timer of which object a struct wtimer is */
enum txn_tk {
	TK_S_RETR, TK_S_LIFE,
	TK_C_RETR, TK_C_LIFE, TK_C_FIRST, TK_C_NO18X, TK_C_RING, TK_C_CANCEL,
};

/** Part of a kept message */
struct span {
	uint32_t off, n;
};

/** Queue of the dead, waiting for TXN_GONE to be taken; first member */
struct gone {
	struct gone *next;
	bool server;
};

/** Over, waits for copies; may end early */
struct over {
	struct over *prev, *next;
	uint64_t at;               /**< [ms] since when                         */
	bool in;
};

struct over_list {
	struct over *first, *last; /**< oldest first                            */
};

enum sstate {
	SS_FREE,
	SS_TRYING,         /**< nothing sent; Proceeding for an INVITE too      */
	SS_PROCEEDING,
	SS_COMPLETED,
	SS_CONFIRMED,
	SS_ACCEPTED,       /**< RFC 6026 */
	SS_DEAD,
};

struct stxn {
	struct gone gone;
	struct txnl *l;
	struct stxn *next;         /**< hash chain or free list                 */
	uint64_t hash;
	uint64_t made_at;          /**< [ms]                                    */
	uint8_t state;             /**< enum sstate                             */
	uint8_t meth;
	bool old;                  /**< RFC 2543 matching                       */
	bool to_tag;               /**< request has a To tag                    */
	bool cancelled;            /**< TXN_CANCEL reported                     */
	uint16_t code;
	uint32_t cseq;
	uint32_t ival;             /**< Timer G [ms]                            */
	struct flow flow;
	struct blob *req;          /**< the Vias stand behind its end           */
	uint32_t vias_n;
	struct blob *last;         /**< last response, NULL = none              */
	struct span method, branch, sentby, callid, from, to, cseqv;
	struct span stamp;         /**< Timestamp header line, n = 0: none      */
	struct wtimer retr;        /**< Timer G; non-INVITE: the 100 of RFC 4320 */
	struct wtimer life;        /**< Timers H, I, J, L                       */
	struct over over;          /**< while J or L runs                       */
	void *user;
};

enum cstate {
	CS_FREE,
	CS_NEW,            /**< has a branch, not sent                          */
	CS_CALLING,        /**< Trying for non-INVITE                           */
	CS_PROCEEDING,
	CS_COMPLETED,
	CS_ACCEPTED,       /**< RFC 6026 */
	CS_DEAD,
};

struct ctxn {
	struct gone gone;
	struct txnl *l;
	struct ctxn *next, **pprev;    /**< bucket of the peer, or free list    */
	uint32_t idx, gen;
	uint64_t check;
	uint64_t sent_at;          /**< [ms]                                    */
	uint8_t state;             /**< enum cstate                             */
	uint8_t meth;
	bool zombie;
	bool prov;                 /**< a provisional was heard                 */
	bool cancel_want, cancel_sent;
	uint16_t code;
	uint32_t ival;             /**< Timer A, E [ms]                         */
	uint32_t cival;            /**< Timer E of the CANCEL [ms]              */
	uint32_t ring;             /**< Timer C [ms], 0 = off                   */
	struct flow flow;
	struct blob *req, *ack, *cancel, *reason;
	struct wtimer retr;        /**< Timers A, E                             */
	struct wtimer life;        /**< Timers B, F, D, K, M, end of a zombie   */
	struct over over;          /**< while D or M runs                       */
	struct wtimer first;       /**< no100 or noreply                        */
	struct wtimer no18x, ringt, cretr;
	void *user;
	char branch[TXN_BRANCH];
};

/** One running txnl_each_ctxn(); unlinking moves it on */
struct each {
	struct each *up;
	struct ctxn *next, *last;
};

/** What identifies a request, RFC 3261 17.2.3 */
struct skey {
	uint64_t hash;
	struct sl branch, sentby;
	bool old;
};

struct txnl {
	struct txn_conf cf;
	uint64_t t64;              /**< 64 * T1 [ms]                            */
	uint32_t e100;             /**< RFC 4320 4.1: when 100 is due [ms]      */
	uint64_t now;
	struct outq *out;
	struct wheel *w;
	struct txn_stats st;

	struct stxn **tab;         /**< chains by hash                          */
	uint32_t tabn;             /**< a power of two                          */
	struct stxn *sfree;
	struct stxn **sslab;
	uint32_t sslabn;

	struct ctxn *cfree;
	struct ctxn **cslab;
	uint32_t cslabn;
	struct ctxn *peer[TXN_PEERS];
	struct each *each;

	struct over_list over_s, over_c;   /**< server, client                  */
	struct gone *head, **tail; /**< dead, not reported                      */
	struct gone *dying;        /**< reported by the last txnl_poll()        */

	struct buf b;              /**< messages are built here                 */
	struct skey key;           /**< of the last request seen                */
	const void *key_of;        /**< its bytes, NULL = none                  */
	struct sip_msg tmp;        /**< kept messages are looked at here        */
};

/** Timers D and H to M: nobody waits for these ends. On a grid, for each time of its
 *  own wakes the process: three or four for each call */
static inline uint64_t txn_end_at(uint64_t at)
{
	return (at + TXN_ENDS - 1) & ~(uint64_t)(TXN_ENDS - 1);
}

/* txn.c */
void txn_die(struct txnl *t, struct gone *g);
int  txn_slab(void ***v, uint32_t *n, size_t size);
void txn_send(struct txnl *t, const struct flow *f, struct blob *b);
static inline struct span span_of(const struct sip_msg *m, struct sl s)
{
	if (!s.p)
		return (struct span){ 0, 0 };
	return (struct span){ (uint32_t)(s.p - m->raw.p), (uint32_t)s.n };
}
static inline struct sl span_sl(const struct blob *b, struct span s)
{
	return sl_mk(b->p + s.off, s.n);
}

/* txn_over.c */
/** Only copies are waited for from now on */
void txn_over(struct txnl *t, struct over *o, bool server, uint64_t now);
void txn_over_del(struct txnl *t, struct over *o, bool server);
/** Is there room for one more? If not, it ends one that is over. @return false: it
 *  has been counted as refused */
bool txn_room(struct txnl *t, bool server, uint64_t now);

/* txn_key.c */
int  txn_table_init(struct txnl *t);
void txn_via(const struct sip_msg *m, struct sl *branch, struct sl *sentby);
const struct skey *txn_key(struct txnl *t, const struct sip_msg *m);
struct stxn *txn_find(struct txnl *t, const struct skey *k,
		      const struct sip_msg *m, const struct flow *f);
void txn_link(struct stxn *s);
void txn_unlink(struct stxn *s);

/* txn_server.c */
void txn_server_close(struct txnl *t);
void txn_server_recv(struct txnl *t, const struct sip_msg *m,
		     const struct flow *f, uint64_t now, struct txn_event *ev);
bool stxn_fire(struct stxn *s, enum txn_tk k, struct txn_event *ev);
void stxn_release(struct stxn *s);
void stxn_end(struct stxn *s);

/* txn_branch.c */
enum br {
	BR_FOREIGN,     /**< not in our form                              */
	BR_FORGED,      /**< in our form, but not made by us              */
	BR_OVER,        /**< ours, the branch is no more                  */
	BR_LIVE,
};

enum br txn_by_branch(struct txnl *t, struct sl br, struct ctxn **cp);
void txn_client_close(struct txnl *t);
void ctxn_release(struct ctxn *c);

/* txn_client.c */
void txn_client_recv(struct txnl *t, const struct sip_msg *m, uint64_t now,
		     struct txn_event *ev);
bool ctxn_fire(struct ctxn *c, enum txn_tk k, struct txn_event *ev);
void ctxn_end(struct ctxn *c);

/* txn_msg.c */
struct blob *txn_ack(struct txnl *t, const struct blob *req, struct sl to);
struct blob *txn_cancel(struct txnl *t, const struct blob *req,
			struct sl reason);
void txn_tag(struct buf *b, const struct txnl *t, const uint64_t in[2]);
struct blob *txn_reply(struct stxn *s, uint16_t code, struct sl phrase,
		       struct sl extra);

#endif
