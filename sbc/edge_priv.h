/**
 * @file edge_priv.h  Pure. What the edge_*.c and call*.c files share.
 */
#ifndef SBC_EDGE_PRIV_H
#define SBC_EDGE_PRIV_H

#include "base/blobs.h"
#include "base/rng.h"
#include "base/slab.h"
#include "sbc/admit.h"
#include "sbc/call.h"
#include "sbc/cdr.h"
#include "sbc/edge.h"
#include "sbc/ended.h"
#include "sbc/hide.h"
#include "sbc/ledger.h"
#include "sbc/line.h"
#include "sbc/peers.h"
#include "sbc/phones.h"
#include "sbc/route.h"
#include "sip/hop.h"
#include "sip/inner.h"
#include "sip/oc.h"
#include "sip/overload.h"
#include "sip/splice.h"
#include "sip/txn.h"

enum {
	EDGE_LSTS = 16,
	EDGE_PAST = 16,            /**< nodes taken out, remembered         */
	EDGE_NAMED = 30000,        /**< [ms] a learned node stays unnamed   */
	EDGE_ASKS = 4096,          /**< batches of questions under way      */
	EDGE_CALLERS = 1024,       /**< buckets of e->callers               */
	EDGE_MSG_MAX = SIP_MAX_MSG + 4096,   /**< largest message built    */
};

struct edge_node {
	bool used;
	struct flow flow;          /**< conn 0: the persistent connection    */
	char name[64];
	uint64_t named;            /**< [ms] a node that is UP named it last */
	bool listed;               /**< one ever did                         */
	bool ours;                 /**< answers probes with Edgewise-Health  */
	bool told;                 /**< ... and knows INNER_TOLD             */
	struct addr http;          /**< as told by the node; af 0 = not       */
};

struct edge_learn {
	uint64_t due;              /**< [ms] next look                       */
	uint64_t learned, forgotten, refused;
	struct log_limit lim;
};

/** A node taken out at a reload: what runs there may end */
struct edge_past {
	struct flow flow;
	uint64_t until;            /**< [ms], 0 = free                       */
};

enum { HOPS_MAX = 8 };
/** Nodes that want to be on the way of a request in a dialog */
struct hops {
	struct sl v[HOPS_MAX];     /**< Route elements                        */
	unsigned n;
	uint16_t node;             /**< of the first                          */
};

struct probe {
	struct eobj o;
	struct edge *e;
	struct ctxn *ctxn;
	uint16_t node;
	uint32_t id;               /**< of the dispatcher                    */
	uint64_t sent;             /**< [ms]                                 */
	bool done;
};

/** A batch of ended connections at a node */
struct tell {
	struct eobj o;
	struct ctxn *ctxn;
	struct ended_batch *batch;  /**< until done                           */
	uint16_t node;
	bool done;
};

struct ask;

struct edge {
	struct edge_tune tune;
	struct listener lst[EDGE_LSTS];
	struct route_tail via[EDGE_LSTS];     /**< heads of our Vias        */
	uint16_t lstc, core;
	struct edge_node node[DISP_MAX];
	struct edge_past past[EDGE_PAST];
	struct edge_learn learn;
	uint64_t pool_seq;         /**< changes that have to be kept         */
	struct disp *disp;
	struct txnl *txnl;
	struct outq out;
	struct stats *st;
	struct rng rng;
	uint8_t branch_key[32];
	struct token_keys keys;
	struct known *known;
	struct {                   /**< keep-alives on behalf of nodes       */
		uint64_t sent, dead, bad, full, batches, stun;
		struct blob *crlf;
	} keep;
	struct {                   /**< questions on behalf of nodes         */
		struct ask *ring[EDGE_ASKS];      /**< by number            */
		uint32_t seq, first;      /**< last one; before the oldest  */
		uint32_t t1;              /**< [ms]                         */
		uint64_t open, due;               /**< questions; [ms]      */
		uint64_t batches, answered, silent, dead, bad, full, repeated;
	} ask;
	struct ended ended;         /**< connections to be told              */
	uint16_t ended_node;       /**< told last                            */
	struct route_conf rc;
	struct hide_conf hc;
	struct ledger led;
	struct peers peers;
	struct sources *sources;   /**< NULL: no admission                   */
	struct edge_admit_conf admit;
	uint64_t drop_due[SOURCE_DROPS];  /**< [ms] told of again then       */
	uint64_t drop_seen[SOURCE_DROPS]; /**< of these, when told of last   */
	uint64_t sweep_at;         /**< [ms]                                 */
	struct overload ovl;
	struct edge_overload_conf emergency;
	struct phones phones;      /**< registered lately                    */
	bool told_overload;        /**< by the log                           */
	struct line line;          /**< new work that waits                  */
	struct {                   /**< done without the scanner             */
		uint64_t refused, acks;
		bool quiet;        /**< its answer is kept from traces       */
	} early;
	struct cdrq cdrs;
	uint64_t pending;          /**< requests without a final answer      */
	uint64_t probe_seq;
	uint64_t probe_answers;    /**< messages                             */
	uint64_t now;              /**< of the call in progress [ms]         */
	enum fail_why why;         /**< while a lost node is walked          */
	bool draining;
	struct call *callers[EDGE_CALLERS];   /**< INVITEs by connection    */
	struct call *gone, **gone_tail;       /**< their connection is lost */
	struct eobj *objs;         /**< all calls, attempts, relays, probes  */
	struct slab obj[EO_N];     /**< their memory                         */
	struct blobs *blobs;       /**< memory of messages                   */

	/* working space, valid inside one call only */
	struct sip_msg msg;        /**< the message received                 */
	struct sip_msg msg2;       /**< a kept request, scanned again        */
	struct sip_msg msg_cdr;    /**< the same, when a call has ended      */
	struct splice sp;
	struct admit adm;
	struct buf top;            /**< header lines to insert               */
	struct buf out_buf;        /**< a whole message                      */
};

/* edge_build.c */
/** Once lst is set */
void edge_via_init(struct edge *e);
/** Our Via on the way out by listener l */
void edge_via_put(struct edge *e, struct buf *b, uint16_t l, struct sl branch);

/* Whole messages. NULL = cannot be built (counted) */
/** m, the request of s from a client, for a node */
struct blob *edge_build_node(struct edge *e, const struct sip_msg *m,
			     const struct stxn *s, struct sl branch,
			     uint16_t node);
/** m from flow f for the client at r->flow */
struct blob *edge_build_client(struct edge *e, const struct sip_msg *m,
			       const struct flow *f, const struct route *r,
			       struct sl branch);
/** m from flow f, through the nodes h and back to us, for the client of r */
struct blob *edge_build_hops(struct edge *e, const struct sip_msg *m,
			     const struct flow *f, const struct route *r,
			     const struct hops *h, struct sl branch);
/** A response for the sender of s. code: 0 = as it is */
struct blob *edge_build_reply(struct edge *e, const struct sip_msg *m,
			      const struct stxn *s, uint16_t code);
/** OPTIONS for a node. type: of the body, SL_NONE = no body */
struct blob *edge_build_options(struct edge *e, const struct edge_node *n,
				struct sl branch, struct sl type,
				struct sl body);

/* edge.c */
/** Answer without a transaction; phrase, extra may be SL_NONE */
void edge_refuse(struct edge *e, const struct sip_msg *m, const struct flow *f,
		 uint16_t code, struct sl phrase, struct sl extra);
/** "Retry-After: N\r\n" with jitter, in room */
struct sl edge_retry_after(struct edge *e, char room[32]);
static inline bool edge_is_core(const struct edge *e, const struct flow *f)
{
	return e->lst[f->lst].core;
}
static inline const char *edge_node_name(const struct edge *e, uint16_t node)
{
	return e->node[node].name;
}
/** A response of m upstream on s, building it; code: 0 = as it is. keep: gets
 *  a reference of what was built, also when s did not take it; may be NULL.
 *  @return as stxn_forward() */
int  edge_pass_up(struct edge *e, struct stxn *s, const struct sip_msg *m,
		  uint16_t code, struct blob **keep, uint64_t now);

/** A whole message, however it came; e->now is right */
void edge_recv_msg(struct edge *e, const struct flow *f, struct sl msg);
void edge_tune_set(struct edge *e, const struct edge_tune *t);
/** After each call into the edge: timers of transactions, effects of the
 *  dispatcher */
void edge_pump(struct edge *e, uint64_t now);

/* edge_lost.c */
/** Its probes have failed: what is under way there moves */
void edge_node_down(struct edge *e, uint16_t node, uint64_t now);
/** It is as silent as all others: what phones ring for goes on without it */
void edge_node_mute(struct edge *e, uint16_t node, uint64_t now);

/* edge_cdr.c */
/** Its final answer has been sent */
void edge_cdr(struct call *c);

/* edge_hops.c */
/** Record-Route entries of nodes in m, on its way to a client, for his token */
void edge_hops_fold(struct edge *e, const struct sip_msg *m, struct token *t);
/** Those of r that are UP. @return false: none. Borrowed from r */
bool edge_hops(struct edge *e, const struct route *r, struct hops *h);
/** Send m, the request of y, through nodes. @return false: there are none */
bool edge_hops_send(struct relay *y, const struct sip_msg *m,
		    const struct flow *f, const struct route *r, uint64_t now);
/** Its node has failed: go on without. @return false: it has none */
bool edge_hops_failed(struct relay *y, enum fail_why why, uint64_t now);
/** @return false: not our matter */
bool edge_hops_timeout(struct relay *y, enum txn_timer timer, uint64_t now);
/** inner was opened by the node that has outer */
void edge_hops_tie(struct relay *outer, struct relay *inner);
/** y goes away */
void edge_hops_untie(struct relay *y, uint64_t now);
/** The client of y answered m; msg: as built for the node, may be NULL */
void edge_hops_answer(struct relay *y, const struct sip_msg *m,
		      struct blob *msg, uint64_t now);
/** The client of y will not answer */
void edge_hops_no_answer(struct relay *y, uint16_t code, uint64_t now);
void edge_hops_cancel(struct relay *y, struct sl reason, uint64_t now);
/** Does the sender of y wait for its answer past a failed node? */
bool edge_hops_adopted(const struct relay *y);

/* edge_source.c; all without effect while there is no admission */
/** n bytes came on f. @return false: dropped */
bool edge_source_in(struct edge *e, const struct flow *f, size_t n,
		    enum frame_verdict v, uint64_t now);
/** May it go out? */
bool edge_source_out(struct edge *e, const struct sip_out *out);
/** A client's new request without a token. @return false: dropped, or answered */
bool edge_source_new(struct edge *e, const struct sip_msg *m,
		     const struct flow *f, const struct route *r,
		     uint64_t now);
/** Answer nothing that is not needed */
bool edge_source_quiet(struct edge *e, const struct flow *f, uint64_t now);
/** Credentials from there were right. phone: of a REGISTER, else 0 */
void edge_source_proved(struct edge *e, const struct flow *f, uint64_t phone,
			uint64_t now);
/** The final answer m of a node */
void edge_source_answer(struct call *c, const struct sip_msg *m,
			uint64_t now);
void edge_source_tick(struct edge *e, uint64_t now);
/* edge_overload.c */
int  edge_overload_init(struct edge *e);
/** The phone of this address of record (route_key_of()) registered on f */
void edge_overload_phone(struct edge *e, uint64_t aor, const struct flow *f,
			 uint64_t now);
/** A client's new request. @return false: it has been answered, or waits in line */
/** 503 with Retry-After */
void edge_overload_refuse(struct edge *e, const struct sip_msg *m,
			  const struct flow *f);
bool edge_overload_takes(struct edge *e, const struct sip_msg *m,
			 const struct flow *f, uint64_t now);
/** How much a request matters to nodes that are full or ask for less */
enum disp_rank edge_overload_rank(const struct edge *e, const struct sip_msg *m,
				  const struct flow *f, uint64_t now);
/** Is this node offered to ask for less? Ours never does */
bool edge_oc_on(const struct edge *e, uint16_t node);
/** Does its response m ask for less? */
void edge_oc(struct edge *e, uint16_t node, const struct sip_msg *m,
	     uint64_t now);
/** Of a request, its copies and its CANCEL */
uint64_t edge_overload_id(const struct edge *e, const struct sip_msg *m);
void edge_overload_tick(struct edge *e, uint64_t now);
/* edge_peer.c */
/** Who sends on this flow, NULL = no peer */
struct peer *edge_peer_of(const struct edge *e, const struct flow *f);
/** A new request of p (NULL: true). @return false: it has been answered */
bool edge_peer_admit(struct edge *e, struct peer *p, const struct sip_msg *m,
		     const struct flow *f, uint64_t now);
/** Its name for the node, in e->top */
void edge_peer_mark(struct edge *e, const struct peer *p);
/** Request-URI of m as the node gets it, in b if it is another */
struct sl edge_peer_ruri_in(const struct edge *e, const struct peer *p,
			    const struct sip_msg *m, struct buf *b);
/** The same for the peer of r */
struct sl edge_peer_ruri_out(const struct edge *e, const struct route *r,
			     const struct sip_msg *m, struct buf *b);
/** A node's request that names a peer: to it, or 430. @return false: none named */
bool edge_peer_route(struct edge *e, const struct sip_msg *m, struct route *r,
		     uint64_t now);
/** y is about to be sent; without effect when r leads to no peer */
void edge_peer_sent(struct relay *y, const struct route *r,
		    const struct sip_msg *m, struct ctxn_timers *tm);
/** The peer of y, if it goes to one, has answered */
void edge_peer_heard(struct relay *y, const struct sip_msg *m, uint64_t now);
/** ... or cannot be reached */
void edge_peer_lost(struct relay *y, const char *why, uint64_t now);
/** @return false: not our matter */
bool edge_peer_timeout(struct relay *y, enum txn_timer timer, uint64_t now);
/* edge_known.c */
/** A REGISTER that came on f was answered 200 by a node */
void edge_registered(struct edge *e, const struct sip_msg *m,
		     const struct flow *f);
/** Who sends this REGISTER on f, 0 = not to be known */
uint64_t edge_known_sender(struct edge *e, const struct sip_msg *m,
			   const struct flow *f);
/** May this branch of a be opened, or has its client been asked already, after he
 *  was found again? @return 0, or the answer for the node */
uint16_t edge_known_twice(const struct attempt *a, const struct route *r);
int  edge_known_init(struct edge *e, uint32_t max);
/* edge_early.c */
int  edge_early_init(struct edge *e);
/** Under overload: can a client's message be done with at first sight? @return
 *  false: no, whatever it is */
bool edge_early(struct edge *e, const struct flow *f, struct sl msg,
		uint64_t now);
enum { EDGE_TAG = 16 };
/** Our To tag in an answer without a transaction: the same for each copy of a
 *  request, and never in a 2xx to INVITE. In room */
struct sl edge_tag(const struct edge *e, struct sl callid, char room[EDGE_TAG]);
/* edge_line.c */
int  edge_line_init(struct edge *e);
/** m is taken: it waits. @return false: no room */
bool edge_line_put(struct edge *e, const struct sip_msg *m,
		   const struct flow *f, const struct overload_ask *a,
		   uint64_t now);
/** Take in hand a share of the line. Once for each turn of the loop, so that all
 *  that has come meanwhile goes first */
void edge_line_work(struct edge *e, uint64_t now);
/** A CANCEL: what it is for must not stay behind */
void edge_line_cancel(struct edge *e, struct sl msg, uint64_t now);
/* edge_ended.c */
int  edge_ended_init(struct edge *e);
/** Before known_lost() */
void edge_ended_lost(struct edge *e, const struct flow *f);
void edge_ended_tick(struct edge *e, uint64_t now);
/** The node's answer, 0 = none */
void edge_ended_result(struct tell *t, uint16_t code, uint64_t now);
/* edge_keep.c */
int  edge_keep_init(struct edge *e);
void edge_keep_close(struct edge *e);
/** A node's list of flows to be kept alive? Then it is done and answered */
bool edge_keep(struct edge *e, const struct sip_msg *m, const struct flow *f);
/** Vias of an answer m to s, and what a phone is to know that keeps its flow alive
 *  itself; borrowed from s, or in e->top */
struct sl edge_flow_lines(struct edge *e, const struct sip_msg *m,
			  const struct stxn *s, uint16_t code);
/** Has nobody registered on that stream, or has it ended? Not to be told from
 *  each other once the table was full */
bool edge_flow_dead(const struct edge *e, const struct flow *f);
/** A datagram of a client that is STUN */
void edge_stun(struct edge *e, const struct flow *f, struct sl msg);
/* edge_ask.c */
/** t1: [ms], 0 = 500 */
int  edge_ask_init(struct edge *e, uint32_t t1);
void edge_ask_close(struct edge *e);
/** A node's list of contacts to be asked? Then it is done, or refused */
bool edge_ask(struct edge *e, const struct sip_msg *m, const struct flow *f);
/** A client's response: is it to such a question? */
bool edge_ask_response(struct edge *e, const struct sip_msg *m,
		       const struct flow *f);
/** The same of a message that nobody has looked at. False: it may be all the same */
bool edge_ask_early(struct edge *e, const struct flow *f, struct sl msg);
void edge_ask_tick(struct edge *e, uint64_t now);
/* edge_pool.c */
/** What must not be seen outside: again after each change of the pool */
void edge_inside_init(struct edge *e);
/** @return as disp_add() */
int  edge_node_add(struct edge *e, const struct disp_node_conf *nc,
		   uint64_t now);
void edge_node_del(struct edge *e, uint16_t node, uint64_t now);
/** A wish of an operator ended by itself */
void edge_wish_over(struct edge *e, uint16_t node, const char *why,
		    uint64_t now);
/* edge_learn.c */
int  edge_learn_init(struct edge *e, uint64_t now);
/** The Edgewise-Health header of a probe's answer of node `from` */
void edge_learn(struct edge *e, uint16_t from, struct sl header, uint64_t now);
void edge_learn_tick(struct edge *e, uint64_t now);

/* edge_request.c */
void edge_request(struct edge *e, const struct sip_msg *m,
		  const struct flow *f, uint64_t now);
/* edge_response.c */
void edge_response(struct edge *e, const struct sip_msg *m,
		   const struct flow *f, uint64_t now);
/** An event that is no message: timer, gone */
void edge_event(struct edge *e, const struct txn_event *ev, uint64_t now);
void edge_relay_response(struct relay *r, const struct sip_msg *m,
			 uint64_t now);
/** Its request has its final answer */
void edge_relay_settle(struct relay *r, uint16_t code, uint64_t now);
/** Its client cannot be reached (430), or did not answer (408) */
void edge_relay_fail(struct relay *r, uint16_t code, uint64_t now);
/* edge_ghost.c */
/** A 2xx to INVITE that cannot go to the caller any more: end that dialog.
 *  *seen: which one was ended last and how many, 0 at first */
void edge_ghost(struct edge *e, const struct sip_msg *m, uint64_t *seen,
		uint64_t now);
/* edge_probe.c */
void edge_probe_start(struct edge *e, uint16_t node, uint32_t id,
		      uint64_t now);
void edge_probe_result(struct probe *p, const struct sip_msg *m, uint64_t now);

#endif
