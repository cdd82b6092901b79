/**
 * @file call.h  Pure. One client request on its way through the pool:
 *
 *     call = ingress server transaction + attempts (one per node tried)
 *            + egress branches (relays to clients opened by that attempt)
 *
 * The egress request carries our ingress branch below the node's Via; this ties
 * both legs together without help from the node. Rules of failover and gate:
 * docs/decisions, "Failover inside one transaction".
 */
#ifndef SBC_CALL_H
#define SBC_CALL_H

#include "dispatcher/dispatcher.h"
#include "sbc/cdr.h"
#include "sbc/ledger.h"
#include "sip/txn.h"

struct edge;

/** What a transaction's user pointer points to; first member of each. All are
 *  in one list of the edge, so that its end can free them. */
enum eobj_kind {
	EO_CALL, EO_ATTEMPT, EO_RELAY, EO_PROBE, EO_ASKED, EO_TELL
};
enum { EO_N = EO_TELL + 1 };
struct eobj {
	enum eobj_kind kind;
	struct edge *e;
	struct eobj *next, **pprev;
};
/** Zeroed but for the head; NULL: no memory */
void *eobj_alloc(struct edge *e, enum eobj_kind kind);
/** Out of the list and gone; NULL allowed */
void eobj_free(void *obj);

struct call {
	struct eobj o;
	struct edge *e;
	struct stxn *stxn;         /**< NULL after it has gone                */
	struct attempt *attempts;  /**< owned; newest first                   */
	struct attempt *cur;       /**< the live one or NULL                  */
	struct disp_set tried;     /**< nodes                                 */
	uint64_t key;              /**< of the pool                           */
	uint64_t begin;            /**< [ms]                                  */
	uint64_t since;            /**< the deadline runs from here [ms]      */
	struct asked *asked;       /**< owned; phones that have answered      */
	struct blob *answer;       /**< best failure of attempts given up, as
					given to the node; NULL = none       */
	uint16_t code;             /**< of it; without it: made here; 0 = none */
	uint8_t attemptc, askedc;
	struct cdr_trail trail;
	bool cancelled;            /**< by the client: no further attempt     */
	bool stop;                 /**< no further phone may be asked         */
	bool silent;               /**< a node said nothing                   */
	bool settled;              /**< has its final answer                  */
	bool alerted;              /**< the caller has heard 180-199 or 2xx   */
	bool full;                 /**< last time, all nodes left were full   */
	/* call_late.c */
	struct disp_set refused;   /**< nodes that answered: not asked again  */
	uint16_t next_node;        /**< the next one, if `chosen`             */
	bool chosen;
	bool again;                /**< silent nodes are asked a second time  */
	/* call_caller.c */
	struct call *next, **pprev;          /**< of one client's connection  */
	struct call *gone_next, **gone_pprev; /**< whose connection is lost   */
	uint64_t gone_at;          /**< [ms] when it is given up, 0 = never   */
	uint32_t conn;             /**< in that list of                       */
	bool cut;                  /**< a REGISTER's, whose connection is lost */
};

/** A phone that has answered a branch of this call, with a failure: no further
 *  node may ask it again. RFC 3261 16.7: what it said counts in the choice. */
struct asked {
	struct eobj o;
	struct asked *next;
	uint64_t who;              /**< his address and Request-URI, hashed   */
	uint32_t conn;             /**< of his flow                           */
	struct blob *answer;       /**< as given to the node, NULL: made here */
	uint16_t code;
};

struct attempt {
	struct eobj o;
	struct call *call;         /**< outlives its attempts                 */
	struct attempt *next;
	struct ctxn *ctxn;
	struct relay *relays;      /**< egress branches, not owned            */
	struct blob *answer;       /**< best final answer of a branch, as
					given to the node; NULL: made here   */
	uint16_t code;             /**< of it, 0 = none yet                   */
	uint16_t node;
	uint16_t replayed;         /**< branches answered for phones that had
					been asked before                    */
	uint32_t rang, told;       /**< 101-199 of branches; of the node, or
					straight to the caller               */
	uint16_t egress;           /**< branches ever opened                  */
	uint16_t open;             /**< of these, without a final answer      */
	uint64_t ghost;            /**< for edge_ghost()                      */
	bool live;                 /**< the one that may open branches        */
	bool lost;                 /**< given up because the node failed      */
	bool heard;                /**< the node has answered anything        */
	bool late;                 /**< silent, but there is nobody else      */
	bool counted;              /**< in the node's in-flight count         */
	bool unanswered;           /**< of these, it has said nothing         */
};

/** One request forwarded to a client: egress branch of an attempt, or an
 *  in-dialog request from another client (attempt = NULL) */
struct relay {
	struct eobj o;
	struct edge *e;
	struct stxn *stxn;         /**< NULL after it has gone                */
	struct ctxn *ctxn;         /**< NULL after it has gone                */
	struct attempt *attempt;   /**< NULL: none, or gone                   */
	struct relay *next;        /**< in attempt->relays                    */
	struct blob *ringing;      /**< last 101-199, as given to the node; an
					INVITE's of an attempt only          */
	uint64_t ghost;            /**< for edge_ghost()                      */
	uint64_t ended;            /**< [ms] when it was settled              */
	bool settled;
	bool found;                /**< its client was found again            */
	bool given_up;             /**< its peer was silent: answered 430     */
	uint32_t peer;             /**< to this one, 0 = to no peer           */
	/* edge_hops.c */
	bool by_node;              /**< ctxn is to a node that wants to stay in
					the dialog                            */
	bool cancelled;            /**< by its sender                         */
	uint16_t node;             /**< that one                              */
	struct relay *inner;       /**< to the client, opened by that node    */
	struct relay *outer;       /**< of inner; NULL: none, or gone         */
	struct blob *answer;       /**< final one of inner, or NULL           */
};

/** A new request for the pool. Answers by itself whatever happens. */
void call_start(struct edge *e, const struct sip_msg *m, const struct flow *f,
		uint64_t key, uint64_t now);
/** The node has failed: move the request, or end it */
void call_fail(struct attempt *a, enum fail_why why, uint64_t now);
/** The client cancelled; reason: header line or SL_NONE */
void call_cancel(struct call *c, struct sl reason, uint64_t now);
/* call_response.c */
/** A response of the node */
void call_response(struct attempt *a, const struct sip_msg *m, bool late,
		   uint64_t now);
void call_timeout(struct attempt *a, enum txn_timer timer, uint64_t now);
/** m is the answer: to the caller, and the end */
void call_final(struct attempt *a, const struct sip_msg *m, uint64_t now);
/** Status to pass up instead of this one, 0 = as it is */
uint16_t call_code(uint16_t code);
/* call_adopt.c */
/** The node has failed while branches are or were open: take the call over */
void call_adopt(struct attempt *a, enum fail_why why, uint64_t now);
/** Branch r of an attempt got 101-199 to its INVITE; msg: as built for the
 *  node, may be NULL (a reference is taken) */
void call_rang(struct relay *r, const struct sip_msg *m, struct blob *msg,
	       uint64_t now);
/** 101-199 to the INVITE of a branch that is young: straight to the caller, past
 *  its node. @return true when it is done, false: it goes to the node */
bool call_rings(struct relay *r, const struct sip_msg *m, uint64_t now);
/** The first 2xx to an INVITE, likewise: its node is told that the call is over.
 *  @return true when it is done */
bool call_answers(struct relay *r, const struct sip_msg *m, uint64_t now);
void call_cancel_relays(struct attempt *a, struct sl reason, uint64_t now);
/* call.c for the others */
/** Its node has said something, or never will. @return false: it had before */
bool call_attempt_told(struct attempt *a);
/** It has said something. timed: disp_waited() */
void call_attempt_answered(struct attempt *a, bool timed, uint64_t now);
/** The attempt is over, however: its node has one request less */
void call_attempt_end(struct attempt *a);
/** How long this node may keep silent [ms] */
uint32_t call_no100(const struct edge *e, uint16_t node);
/** To the next node. m: the request, NULL = scan the kept one */
void call_try(struct call *c, const struct sip_msg *m, uint64_t now);
/** Once it has its final answer: the end of all that is open for it */
void call_settle(struct call *c, uint64_t now);
/** The caller was told that it rings, or more */
void call_alerted(struct call *c, uint64_t now);
void call_reply(struct call *c, uint16_t code, uint64_t now);
/** Its request, scanned into e->msg2 */
const struct sip_msg *call_request(struct call *c);
const char *call_method(const struct call *c);
/** Branch r of an attempt ended with this answer; msg: as built for the node (a
 *  reference is taken), NULL = it has none. A lost attempt passes it on. */
void call_answered(struct relay *r, uint16_t code, struct blob *msg,
		   uint64_t now);
/* call_late.c */
/** The node to ask next: `node`. @return false: none, or none in time */
bool call_next(struct call *c, uint16_t *node, uint64_t now);
/** Its node is silent: is there nobody else, so that it is better to go on waiting,
 *  until the deadline? It is looked again each 500 ms. */
bool call_waits(struct attempt *a, uint64_t now);
/* call_adopt.c for call.c */
#define CALL_ELSEWHERE \
	"Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n"
/** Would the caller rather have this answer than that? 0 = none */
bool call_better(uint16_t code, uint16_t than);
/** Remember a failure that may be the best the caller can get */
void call_keep(struct call *c, struct blob *answer, uint16_t code);
/** What was kept is the caller's final answer. @return false: none was */
bool call_pass_kept(struct call *c, uint64_t now);
/* call_asked.c */
/** Branch r is over with this failure: no further node may ask its phone */
void call_asked_add(struct call *c, const struct relay *r, uint16_t code,
		    struct blob *msg);
void call_asked_free(struct call *c);
/** m, a branch of a to the client at `to`, who is asked for ruri: was he asked in this call before? Then
 *  it is answered with what he said. @return true when it is done */
bool call_asked(struct attempt *a, const struct sip_msg *m,
		const struct flow *f, const struct flow *to, struct sl ruri,
		uint64_t now);
/* call_caller.c: the connection over which a call came is lost */
void call_caller_add(struct call *c);
void call_caller_del(struct call *c);
void call_caller_lost(struct edge *e, const struct flow *f, uint64_t now);
/** A copy of the request of c came, perhaps over a new connection */
void call_caller_seen(struct call *c);
/** Given up for good: counted and logged */
void call_caller_end(struct call *c, uint64_t now);
void call_caller_tick(struct edge *e, uint64_t now);
uint64_t call_caller_next(const struct edge *e);
/** A 2xx to an INVITE: when branch r has had one, or the caller has one already,
 *  straight to him, since its node may be dead. @return true when it is done,
 *  false: the node gets it as well */
bool call_again(struct relay *r, const struct sip_msg *m, uint64_t now);
/** Has the caller been refused, and the node that would have to know of a 2xx
 *  been given up? */
bool call_refused(const struct attempt *a);
/** May this attempt open a branch? */
bool call_gate(const struct attempt *a);
void call_add_relay(struct attempt *a, struct relay *r);
void call_del_relay(struct attempt *a, struct relay *r);
void call_stxn_gone(struct call *c);
void call_ctxn_gone(struct attempt *a);

#endif
