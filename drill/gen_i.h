/**
 * @file gen_i.h  Pure. Inside of the call generator.
 */
#ifndef DRILL_GEN_I_H
#define DRILL_GEN_I_H

#include "drill/gen.h"

enum gen_tx_kind { GEN_TX_REG, GEN_TX_INVITE, GEN_TX_BYE };

/** User of a client transaction */
struct gen_tx {
	enum gen_tx_kind kind;
	struct ctxn *c;          /**< NULL: none, or over                    */
	struct gen_phone *phone; /**< who asks                               */
	struct gen_call *call;   /**< NULL: REG                              */
	uint8_t tries;           /**< challenges answered                    */
};

/** What a server wanted to know last: sent unasked next time */
struct gen_auth {
	char realm[128], nonce[160];
	enum auth_alg alg;
	bool qop, proxy, set;
	uint32_t nc;
};

struct gen_phone {
	struct gen_user u;
	uint32_t id;
	struct gen_tx reg;
	bool registered;
	bool leaves, left;       /**< its contact is removed, for good       */
	uint32_t cseq;
	uint64_t reg_sent;
	uint64_t again;          /**< REGISTER then, UINT64_MAX = not        */
	struct gen_auth auth[2]; /**< of REGISTER; of the others             */
};

enum gen_leg_state { LEG_NONE, LEG_RINGS, LEG_ANSWERED, LEG_UP, LEG_OVER };

/** The phone's end of a call */
struct gen_leg {
	enum gen_leg_state state;
	bool acked;
	struct stxn *s;          /**< of the INVITE; NULL: over              */
	struct blob *ok;         /**< the 200, for copies                    */
	uint64_t due;            /**< answers, or sends the 200 again        */
	uint32_t wait;           /**< until the next copy [ms]               */
	uint64_t until;          /**< no ACK by then: gives up               */
};

struct gen_call_priv {
	struct gen_tx inv, byetx;
	uint32_t cseq;
	uint64_t due;            /**< gives up, or hangs up                  */
	struct gen_leg leg;
	struct blob *ack;        /**< for copies of the 2xx                  */
	char *to;                /**< To of the dialog, NULL: none           */
	char *target;            /**< its remote target                      */
	char *route;             /**< Route lines, may be ""                 */
	bool over;               /**< the caller has nothing more to do      */
};

struct gen {
	struct listener lst[4];
	uint16_t lstc;
	struct addr proxy;
	char domain[GEN_DOMAIN];
	struct txnl *txn;
	struct outq out;
	struct rng rng;
	uint64_t run;
	uint32_t limit, expires;
	bool hold;               /**< `again` has to wait                    */
	struct gen_phone *phone;
	uint32_t phones;
	struct gen_call *call;
	uint32_t calls, max_calls;
	uint32_t *live, lives;   /**< calls whose v is there                 */
	struct gen_figures f;
	struct sip_msg msg, msg2;
	struct buf b;
};

/* gen_msg.c: messages; NULL = no memory */
struct blob *gen_msg_register(struct gen *g, struct gen_phone *p,
			      struct sl branch);
struct blob *gen_msg_invite(struct gen *g, struct gen_call *c,
			    struct sl branch);
/** ACK (of a 2xx) or BYE in the dialog */
struct blob *gen_msg_inside(struct gen *g, struct gen_call *c,
			    const char *method, uint32_t cseq,
			    struct sl branch);
/** The phone's answer to m, with tag and Record-Route */
struct blob *gen_msg_answer(struct gen *g, const struct sip_msg *m,
			    const struct flow *f, const struct gen_call *c,
			    uint16_t code);
struct flow gen_msg_flow(const struct gen *g, const struct gen_phone *p);
/** Keep the challenge of m. @return false: none we can answer */
bool gen_msg_challenge(struct gen_auth *a, const struct sip_msg *m);

/* gen_call.c: the caller */
void gen_call_response(struct gen *g, struct gen_tx *tx,
		       const struct sip_msg *m, uint64_t now);
void gen_call_timeout(struct gen *g, struct gen_tx *tx, uint64_t now);
void gen_call_broken(struct gen *g, struct gen_tx *tx, uint64_t now);
void gen_call_tick(struct gen *g, struct gen_call *c, uint64_t now);
void gen_call_bye(struct gen *g, struct gen_call *c, uint64_t now);

/* gen_leg.c: the phone that is called */
void gen_leg_request(struct gen *g, const struct sip_msg *m,
		     const struct flow *f, uint64_t now);
void gen_leg_cancel(struct gen *g, struct stxn *s, uint64_t now);
void gen_leg_ack(struct gen *g, const struct sip_msg *m, uint64_t now);
void gen_leg_tick(struct gen *g, struct gen_call *c, uint64_t now);
void gen_leg_free(struct gen_leg *l);

#endif
