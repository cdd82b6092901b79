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
enum eobj_kind { EO_CALL, EO_ATTEMPT, EO_RELAY, EO_PROBE };
enum { EO_N = EO_PROBE + 1 };
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
	uint8_t attemptc;
	struct cdr_trail trail;
	bool cancelled;            /**< by the client: no further attempt     */
	bool silent;               /**< a node said nothing                   */
	bool settled;              /**< has its final answer                  */
};

struct attempt {
	struct eobj o;
	struct call *call;         /**< outlives its attempts                 */
	struct attempt *next;
	struct ctxn *ctxn;
	struct relay *relays;      /**< egress branches, not owned            */
	struct blob *answer;       /**< best final answer of a branch, as
					given to the node; NULL = none yet   */
	struct blob *ringing;      /**< last 101-199 of a branch that the caller
					may not have heard, or NULL          */
	uint16_t code;             /**< of answer                             */
	uint16_t node;
	uint16_t egress;           /**< branches ever opened                  */
	uint16_t open;             /**< of these, without a final answer      */
	uint64_t ghost;            /**< for edge_ghost()                      */
	bool live;                 /**< the one that may open branches        */
	bool lost;                 /**< given up because the node failed      */
	bool heard;                /**< the node has answered anything        */
	bool counted;              /**< in the node's in-flight count         */
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
	uint64_t ghost;            /**< for edge_ghost()                      */
	bool settled;
	bool found;                /**< its client was found again            */
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
/** A response of the node */
void call_response(struct attempt *a, const struct sip_msg *m, bool late,
		   uint64_t now);
void call_timeout(struct attempt *a, enum txn_timer timer, uint64_t now);
/** The node has failed: move the request, or end it */
void call_fail(struct attempt *a, enum fail_why why, uint64_t now);
/** The client cancelled */
void call_cancel(struct call *c, uint64_t now);
/** The node has failed while branches are or were open: take the call over */
void call_adopt(struct attempt *a, enum fail_why why, uint64_t now);
/** A branch of a got 101-199 to its INVITE; msg: as built for the node, may be
 *  NULL (a reference is taken) */
void call_rang(struct attempt *a, const struct sip_msg *m, struct blob *msg,
	       uint64_t now);
void call_cancel_relays(struct attempt *a, struct sl reason, uint64_t now);
/* for call_adopt.c */
/** Status to pass up instead of this one, 0 = as it is */
uint16_t call_code(uint16_t code);
void call_settle(struct call *c);
void call_reply(struct call *c, uint16_t code, uint64_t now);
/** Its request, scanned into e->msg2 */
const struct sip_msg *call_request(struct call *c);
const char *call_method(const struct call *c);
/** A branch of a ended with this answer; msg: as built for the node (a
 *  reference is taken), NULL = it has none. A lost attempt passes it on. */
void call_answered(struct attempt *a, uint16_t code, struct blob *msg,
		   uint64_t now);
/** A further 2xx to INVITE, or a copy, when the caller has one already: straight
 *  to him, since its node may be dead. @return true when it is done */
bool call_again(struct attempt *a, const struct sip_msg *m, bool copy,
		uint64_t now);
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
