/**
 * @file world.h  Test support. One real edge, virtual nodes and virtual phones
 * on virtual time. The nodes are small stand-ins that fork by Path; what they do
 * wrong is set by the test.
 */
#ifndef TESTS_SBC_WORLD_H
#define TESTS_SBC_WORLD_H

#include "sbc/edge.h"
#include "sip/scan.h"
#include "tests/support/simnet.h"

enum {
	W_NODES = 3, W_PHONES = 10, W_FORKS = 4, W_VCALLS = 512, W_REQS = 3000,
	W_INVS = 1000,
};

struct world;

/** How a node treats INVITE and other requests of clients */
enum vmode {
	V_NORMAL,
	V_MUTE,          /**< says nothing                                    */
	V_TRYING,        /**< INVITE: 100, and then nothing                   */
	V_BUSY,          /**< 503                                             */
	V_ERROR,         /**< 500                                             */
	V_ANSWER,        /**< stand-in, INVITE: 200, as a mailbox does        */
};

struct vcall {           /**< one request a node forwards                    */
	bool used;
	char callid[64];
	char up_branch[64];     /**< of the edge's request                    */
	char *raw;              /**< that request                             */
	uint32_t conn;
	unsigned forkc, failed;
	bool done;
	struct {
		char branch[64];
		char *req;          /**< as forwarded                         */
		bool over;
	} fork[W_FORKS];
	char *best;             /**< failure to pass up                       */
};

struct vnode {
	struct sim_host host;
	struct world *w;
	struct real *real;      /**< of a world_ops                           */
	enum vmode mode;
	uint32_t fork_delay;    /**< [ms] between 100 and the branches        */
	bool deaf;              /**< answers to INVITE are lost in it         */
	unsigned idx, branches;
	unsigned got[SIP_M_N];  /**< requests, copies included                */
	unsigned got100, got18x;     /**< answers to its INVITEs              */
	unsigned sick;          /**< probe is answered 503                    */
	uint16_t told_code;     /**< answer to ended connections, 0 = 200;
				     1 = none                                 */
	unsigned told, told_lines;   /**< such messages, and lines taken      */
	char told_last[4096];   /**< the last body                            */
	const char *reg_more;   /**< lines of its 200 to REGISTER, or NULL    */
	const char *oc;         /**< of another make, NULL = ours: stands in its
				     answers instead of the oc it is offered  */
	bool foreign;           /**< of another make: no Edgewise-Health      */
	bool old;               /**< ours, but does not know INNER_TOLD       */
	unsigned passed_by;     /**< 200 that went past it: it was told       */
	unsigned offered;       /**< oc in requests                           */
	unsigned kept;          /**< answers to its keep-alives               */
	char kept_last[4096];   /**< body of the last one                     */
	bool rr;                /**< stays in its dialogs by Record-Route     */
	const char *rr_more;    /**< elements above its own, or NULL          */
	unsigned passed;        /**< requests of dialogs it forwarded         */
	struct vcall call[W_VCALLS];
};

/** A request a phone has sent */
struct vreq {
	char callid[64];
	uint32_t cseq;
	enum sip_method meth;
	uint16_t prov[16];
	unsigned provc;
	uint16_t final;              /**< first final answer, 0 = none         */
	unsigned non2xx, ok;         /**< finals heard; 2xx by distinct To tag */
	char tag[4][48];
	unsigned tagc;
	uint64_t sent, ended;        /**< [ms]                                 */
	uint32_t wait;               /**< [ms] until the next copy             */
	uint32_t cancel_wait;        /**< the same, of a CANCEL                */
	char *req;                   /**< as sent                              */
	char *okmsg;                 /**< first 2xx                            */
	struct {
		char tag[48];
		char *msg;           /**< last 101-199 with it                 */
		bool pracked;
	} early[4];                  /**< early dialogs                        */
	unsigned earlyc;
	unsigned downs;              /**< of the phone, when it was sent       */
	uint64_t cancelled;          /**< [ms], 0 = not                        */
	bool dialog;                 /**< inside one                           */
	uint64_t back;               /**< [ms] of phone_again(), 0 = never     */
	uint32_t conn;               /**< it was sent on last, 0 = UDP         */
	bool retry_after;
};

/** An INVITE a phone has got */
struct vinv {
	char callid[64], branch[64];
	uint32_t cseq;
	uint16_t code;               /**< last answer                          */
	char tag[24];                /**< of it, "" = the phone's own          */
	uint32_t wait;               /**< [ms] until its next copy             */
	uint64_t got;                /**< [ms] when it came                    */
	uint64_t ended;              /**< [ms] of the final                    */
	uint32_t rwait;              /**< the same for a reliable 183          */
	bool pracked;
	bool over, cancelled, acked, reinvite, answered, bye;
	char *req;
};

struct vphone {
	struct sim_host host;
	struct world *w;
	enum sim_kind kind;
	const char *says;            /**< behind NAT: the host[:port] it knows
					of itself. NULL = its real one         */
	bool says_tcp;               /**< its Contact does, whatever it is on  */
	char user[16];               /**< its name                             */
	char aor[16];                /**< user part of its address of record   */
	unsigned q;                  /**< [1/10] of its contact                */
	bool reliable;               /**< rings with 183 and 100rel            */
	uint32_t back;               /**< [ms] after which it registers again when
					its connection was lost, 0 = never     */
	unsigned downs;              /**< times it lost its connection         */
	uint64_t down_at[32];        /**< [ms]                                 */
	uint32_t down_conn[32];      /**< which                                */
	uint32_t conn;
	uint32_t ring;               /**< [ms] until 180, UINT32_MAX = never   */
	uint32_t answer;             /**< [ms] until the final, UINT32_MAX     */
	uint16_t code;               /**< of the final                         */
	unsigned seq;
	struct vreq *req;            /**< W_REQS                               */
	unsigned reqc;
	struct vinv *inv;            /**< W_INVS                               */
	unsigned invc;
	unsigned got[SIP_M_N];
	unsigned crlf, stun;         /**< keep-alives it got                   */
	char *last[SIP_M_N];         /**< last request of each method          */
	unsigned acks;
	unsigned dup_invites;        /**< a second INVITE for one call         */
	char dup_callid[64];
};

/** Other nodes than the stand-ins */
struct world_ops {
	void (*init)(struct vnode *n);
	void (*kill)(struct vnode *n);
	uint64_t (*next)(const struct vnode *n);
	void (*tick)(struct vnode *n);
	void (*close)(struct vnode *n);
	void (*end)(struct world *w);
};
extern const struct world_ops world_real;      /**< tests/sim/real.c */
extern uint32_t world_real_records;            /**< they keep at most      */
/** The first of real nodes pings all contacts behind NAT, once in interval [ms] */
void world_real_pings(struct world *w, uint32_t interval);

struct store;

struct world {
	const struct world_ops *ops;     /**< NULL: stand-ins                  */
	struct store *shared;            /**< of real nodes                    */
	struct simnet *net;
	struct stats *st;
	struct edge *edge;
	struct edge_conf ec;
	struct sim_host client, core;    /**< the edge's two addresses         */
	struct listener lst[3];          /**< 0 udp, 1 tcp, 2 core             */
	struct vnode node[W_NODES];
	struct vphone phone[W_PHONES];
	unsigned phonec;
	struct {                     /**< what all nodes know                  */
		char user[16], contact[128], path[256];
	} loc[32];
	unsigned locc;
	unsigned leaks;              /**< inside addresses seen by phones      */
	char leak[600];
	bool udp_core, v6;
};

/** Above 0 while the edge works: memory taken then is the edge's */
extern int world_in_edge;

/** Starts with all nodes up and probed. tune may be NULL */
struct world *world_new(uint64_t seed, void (*tune)(struct edge_conf *ec));
/** The same with nodes over UDP, and with IPv6 phones */
struct world *world_new_as(uint64_t seed, void (*tune)(struct edge_conf *ec),
			   bool udp_core, bool v6);
/** The same with other nodes */
struct world *world_new_with(uint64_t seed,
			     void (*tune)(struct edge_conf *ec),
			     const struct world_ops *ops, bool udp_core);
void world_free(struct world *w);
/** Run for that many ms */
void world_run(struct world *w, uint64_t ms);
/** The edge is killed and starts again with the same key */
void world_restart_edge(struct world *w);
struct vphone *world_phone(struct world *w, const char *user,
			   enum sim_kind kind);
/** All nodes are of another make from now on, and the edge knows it */
void world_foreign(struct world *w);
/** alice and a phone that rings and answers within 20 ms, both registered */
void world_two_phones(struct world *w, const char *callee, struct vphone **a,
		      struct vphone **b);
/** Node that a user's requests go to first */
struct vnode *world_node_of(struct world *w, const char *user);
uint64_t world_stat(struct world *w, const char *name, const char *labels);

/** One of several phones of an address of record; q in tenths */
struct vphone *world_phone_of(struct world *w, const char *name,
			      const char *aor, unsigned q,
			      enum sim_kind kind);

struct vreq *phone_register(struct vphone *p);
struct vreq *phone_send(struct vphone *p, enum sip_method meth,
			const char *to, const char *callid);
static inline struct vreq *phone_invite(struct vphone *p, const char *to)
{
	return phone_send(p, SIP_INVITE, to, NULL);
}
void phone_cancel(struct vphone *p, struct vreq *r);
/** Its INVITE or REGISTER again, byte for byte, over the connection it has now */
void phone_again(struct vphone *p, struct vreq *r);
/** Its connection breaks */
void phone_cut(struct vphone *p);
/** In the early dialog n of r */
struct vreq *phone_early(struct vphone *p, struct vreq *r, unsigned n,
			 enum sip_method meth);
/** In the dialog made by r (its first 2xx) */
struct vreq *phone_in_dialog(struct vphone *p, struct vreq *r,
			     enum sip_method meth);
/** In the dialog in which p is the callee */
struct vreq *phone_callee_request(struct vphone *p, struct vinv *i,
				  enum sip_method meth);
/** Any text; its first line and headers end with \n here */
void phone_raw(struct vphone *p, const char *text);
/** Answer a pending INVITE now. tag NULL = the phone's own */
void phone_answer(struct vphone *p, struct vinv *i, uint16_t code,
		  const char *tag);
/** Final answers exactly as they must be: one non-2xx, or at least one 2xx */
bool vreq_whole(const struct vreq *r);
/** The node's process dies and forgets its calls; sim_start() starts it anew */
void node_kill(struct vnode *n);
/** A stand-in forks its request again, to all that are registered by now */
void node_fork_more(struct vnode *n, struct vcall *c);
/** A raw message to the edge's core side from a node */
void node_raw(struct vnode *n, const char *text);
/** It sends a batch for flows: application/edgewise-`kind`; `more`: header lines */
void node_batch(struct vnode *n, const char *kind, const char *body,
		const char *more);
/** Flow token of what was registered i-th. Static: two calls later it is another */
const char *world_token(const struct world *w, unsigned i);

#endif
