/**
 * @file core_priv.h  Pure. Inside of the core.
 */
#ifndef NODE_CORE_PRIV_H
#define NODE_CORE_PRIV_H

#include "base/log.h"
#include "base/secret.h"
#include "node/access.h"
#include "node/core.h"
#include "node/gone.h"
#include "node/ping.h"
#include "node/proxy.h"
#include "node/registrar.h"
#include "sip/hop.h"
#include "sip/txn.h"

enum {
	HOLD_MAX = 100000, ALIASES = 1024, OUTQ_MAX = 1 << 18,
	FROZEN = 2000,          /* [ms] without a turn of the loop          */
	STALE_FOR = 300,        /* [ms] in which the sockets get empty      */
};

/* A stream connection whose peer may be reached at `at`, RFC 5923 */
struct alias {
	uint32_t conn;
	struct addr at;
	uint64_t since;         /* [ms] */
};

struct hold;

struct core {
	const struct node_config *cf;
	struct txnl *txnl;
	struct outq out;
	struct access access;
	struct location loc;
	struct registrar reg;
	struct proxy proxy;
	struct ping ping;
	struct gone gone;
	struct stats *st;
	struct addr self;
	char sentby[ADDR_TXT];
	uint8_t secret[SECRET_KEY];
	bool ready, stopping;
	const char *reason;
	char health[1024];
	struct alias alias[ALIASES];      /* by conn modulo ALIASES           */
	struct sip_msg msg;               /* the message in hand              */
	struct log_limit lim_source, lim_bad, lim_refused, lim_lost;
	uint64_t requests, responses, dropped_source, malformed, strays;
	uint64_t over_cap, refused, pings, stale;
	uint64_t awake_at, stale_until;   /* [ms], core_awake()               */
	uint32_t others;                  /* other nodes alive                */
	struct hold *holds, **holds_end;   /* end, due: valid while there are */
	uint64_t holds_due;                /* [ms] the earliest              */
	struct subs *subs;                 /* NULL = users file              */
	struct waits *waits;
	uint64_t held_now, held_total, unacked;
};

/* core.c */

/** Take what the transactions have to say */
void core_drain(struct core *c, uint64_t now, uint64_t wall);

/* core_request.c */

/** A request that opens a server transaction: exactly one answer comes of it */
void core_request(struct core *c, const struct flow *f, uint64_t now,
		  uint64_t wall);
/** Leading Route elements of the message in hand that name this node */
unsigned core_own_routes(const struct core *c);
/** Answer the message in hand without a transaction: for what cannot or need
 *  not have one */
void core_reply(struct core *c, const struct flow *f, uint16_t code,
		const char *why, struct sl extra);

/** The request of this transaction, kept until now, once more. users: what has been
 *  heard of the sender, callee: of the callee. came: [ms] */
void core_again(struct core *c, struct stxn *s, enum access_users users,
		enum access_users callee, uint64_t came, uint64_t now, uint64_t wall);

/* core_wait.c */

int  core_wait_init(struct core *c, const uint8_t secret[32]);
void core_wait_close(struct core *c);
void core_wait_reconf(struct core *c);
int  core_wait_stats(struct core *c, struct stats *st);
/** Keep the request until this user has been looked up, its sender or its
 *  callee. @return false: decide now */
bool core_wait(struct core *c, struct stxn *s, struct sl name, bool callee,
	       uint64_t now);
/** Is it one that waits? Then it is answered 487 and waits no more */
bool core_wait_cancel(struct core *c, void *user, uint64_t now);
void core_wait_tick(struct core *c, uint64_t now, uint64_t wall);
uint64_t core_wait_next(const struct core *c);
uint64_t core_waiting(const struct core *c);

/* core_hold.c */

/** Send this 200 to the REGISTER in hand when another node has the change.
 *  extra is taken over. @return false: nothing to wait for, answer now */
bool core_hold(struct core *c, struct stxn *s, struct sl aor,
	       struct buf *extra, uint64_t came, uint64_t now);
void core_hold_tick(struct core *c, uint64_t now);
uint64_t core_hold_next(const struct core *c);
void core_hold_close(struct core *c);

#endif
