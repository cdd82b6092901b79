/**
 * @file proxy_i.h  Pure. Inside of the proxy: forks and their branches.
 */
#ifndef NODE_PROXY_I_H
#define NODE_PROXY_I_H

#include "node/proxy.h"

/** Results of a branch that no phone gave. CODE_OURS is never sent as such */
enum { CODE_DEAD_FLOW = 430, CODE_TIMEOUT = 408, CODE_OURS = 599 };

enum branch_state {
	BR_WAIT,        /**< not tried yet                                    */
	BR_SPARE,       /**< other flow of an instance that is being tried    */
	BR_SENT,        /**< no final answer yet                              */
	BR_DONE,        /**< final answer, time-out or failure                */
};

/** One target of a fork */
struct branch {
	struct fork *f;
	struct ctxn *c;               /**< until its TXN_GONE                 */
	enum branch_state state;
	uint16_t code;                /**< final, as used in the choice       */
	struct loc_contact *lc;       /**< NULL: relay along the Route, or to
					   a peer                             */
};

/** One request that is passed on */
struct fork {
	struct proxy *p;
	struct fork *next, **pprev;
	struct stxn *s;               /**< until its TXN_GONE                 */
	const struct sip_msg *m;      /**< the request, in proxy_start() only */
	uint32_t refs;                /**< transactions that point here       */
	bool invite, relay;
	bool cancelled;               /**< by the caller                      */
	bool stop;                    /**< 6xx came: no new branches          */
	bool won;                     /**< a 2xx went upstream                */
	bool over;                    /**< final answer sent                  */
	bool forking;                 /**< inside fork_go()                   */
	struct sl aor;                /**< in aor_mem                         */
	char aor_mem[SIP_AOR_MAX];
	uint32_t realm_from, realm_to;    /**< in the request [offsets]       */
	unsigned own_routes;
	struct flow hop;              /**< relay, way: where to               */
	struct way *way;              /**< owned; branch i is to its peer i;
					   NULL: to contacts, or relay        */
	uint16_t best;                /**< best failure so far, 0 = none      */
	struct blob *best_msg;        /**< as to be sent; NULL: made here     */
	struct buf challenges;        /**< of all 401 and 407                 */
	struct loc_contact *lc;       /**< n of them, NULL: relay             */
	struct branch *v;
	uint32_t n;
};

/* proxy.c */

/** Its final answer is sent, or will never be */
void proxy_over(struct fork *f);

/* proxy_best.c */

/** A branch has failed. m: the answer as it came, NULL = made here */
void proxy_keep_best(struct fork *f, uint16_t code, const struct sip_msg *m);
/** All branches have failed: exactly one answer goes upstream */
void proxy_fail(struct fork *f, uint64_t now);
/** An answer of ours */
void proxy_refuse(struct fork *f, uint16_t code, uint64_t now);

/* proxy_msg.c */

/** Where to send for this URI. @return 0 or EACCES: not to an edge */
int  proxy_uri_hop(const struct proxy *p, const struct uri *u, struct flow *f);
/** To the edge that a request came from, by the address in its Via */
void proxy_edge_hop(const struct proxy *p, const struct sip_msg *m,
		    struct stxn *s, struct flow *f);
/** The request as it goes to one target. @return NULL: no memory, ELOOP... */
struct blob *proxy_request(struct branch *b, const struct flow *hop);
/** An answer as it goes upstream */
struct blob *proxy_answer(const struct fork *f, const struct sip_msg *m);
/** The best answer with the challenges of the others (RFC 3261 16.7 step 7) */
struct blob *proxy_best(struct fork *f);

/* proxy_way.c */

int  proxy_way_stats(struct proxy *p, struct stats *st);
/** Targets along the route of j. @return 0, ENOMEM, ENOSPC (nothing is left of
 *  the number, or too much) */
int  proxy_way_targets(struct fork *f, const struct proxy_job *j);
/** Another peer may do better: this one is not there, or out of order. All else is
 *  an answer to the call (487 comes of our own CANCEL) */
bool proxy_way_next(uint16_t code);

#endif
