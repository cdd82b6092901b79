/**
 * @file proxy.h  Pure. The forking location proxy: RFC 3261 16, 3327, 4320,
 * 5626. One `struct fork` for each request that is passed on.
 */
#ifndef NODE_PROXY_H
#define NODE_PROXY_H

#include "base/blobs.h"
#include "base/stat.h"
#include "node/access.h"
#include "node/location.h"
#include "node/routes.h"
#include "sip/txn.h"

struct fork;
struct ping;

struct proxy {
	const struct node_config *cf;     /**< borrowed                       */
	const struct access *access;      /**< borrowed                       */
	struct location *loc;             /**< borrowed                       */
	struct ping *ping;                /**< borrowed                       */
	struct txnl *txnl;                /**< borrowed                       */
	struct outq *out;                 /**< borrowed                       */
	uint16_t lst_udp, lst_tcp;        /**< our listeners                  */
	const char *sentby;               /**< host:port of both              */
	uint8_t key[32];                  /**< of stateless branches          */
	struct fork *forks;               /**< all that live                  */
	struct sip_msg tmp;               /**< for scanning a kept request    */
	struct blobs *blobs;              /**< borrowed; NULL: malloc()       */
	struct buf top, msg;              /**< messages are built here        */

	uint64_t forks_now, forks_open;   /**< gauges: all; without a final answer */
	uint64_t started, branches, cut, no_hop, flow_dead, lost, late;
	uint64_t answered, failed, cancelled, relayed, acks_dropped;
	uint64_t passed_over;             /**< contacts that do not answer pings */
	uint64_t routed, route_next, route_failed;
};

void proxy_init(struct proxy *p);
void proxy_close(struct proxy *p);
int  proxy_stats(struct proxy *p, struct stats *st);

/** What a request asks for, as the core found out */
struct proxy_job {
	struct stxn *s;
	const struct sip_msg *m;
	struct sl aor;                /**< canonical AoR of the Request-URI   */
	struct sl realm;              /**< credentials for it are taken out; in m */
	unsigned own_routes;          /**< leading Route elements naming us   */
	const struct node_route *route;   /**< when nobody is registered and
					   no user of ours meant; NULL: none;
					   borrowed during the call           */
	const struct uri *ruri;       /**< for the route                      */
	bool known;                   /**< the callee is a user of ours       */
	bool relay;                   /**< in-dialog: follow the Route instead */
};

/** Pass on; answers 404, 480, 503... itself when that cannot be */
void proxy_start(struct proxy *p, const struct proxy_job *j, uint64_t now,
		 uint64_t wall);
/** TXN_RESPONSE, TXN_LATE */
void proxy_response(struct proxy *p, const struct txn_event *ev,
		    const struct sip_msg *m, uint64_t now, uint64_t wall);
/** TXN_TIMEOUT */
void proxy_timeout(struct proxy *p, const struct txn_event *ev, uint64_t now,
		   uint64_t wall);
/** TXN_CANCEL of an INVITE that was passed on */
void proxy_cancel(struct proxy *p, struct fork *f, const struct sip_msg *m,
		  uint64_t now);
/** TXN_GONE of one of our transactions; user = its pointer */
void proxy_gone(struct proxy *p, const struct txn_event *ev, uint64_t now);
/** What was sent on flow before `until` [ms] will get no answer */
void proxy_lost(struct proxy *p, const struct flow *f, uint64_t until,
		uint64_t now, uint64_t wall);
/** ACK to a 2xx, which as a rule passes no node: along its Route to an edge, or
 *  dropped */
void proxy_ack(struct proxy *p, const struct sip_msg *m, const struct flow *f,
	       unsigned own_routes);

/** Where the first Route element after `skip` leads, if that is an edge.
 *  @return 0, ENOENT (no Route), EACCES (not an edge, or not numeric) */
int  proxy_route_hop(const struct proxy *p, const struct sip_msg *m,
		     unsigned skip, struct flow *f);

#endif
