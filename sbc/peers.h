/**
 * @file peers.h  Pure. Trusted peers of the edge: gateways, trunks, PBXs. Who
 * sent this, may he start another call, can he be asked.
 *
 * A peer that did not answer, or could not be reached, rests for a while: calls
 * take the next one of their route at once.
 */
#ifndef SBC_PEERS_H
#define SBC_PEERS_H

#include "base/addr.h"
#include "base/stat.h"

enum {
	PEERS_MAX = 64, PEER_NAME = 31, PEER_NETS = 16, PEER_DOMAINS = 16,
	PEER_REST_DOUBLED = 3,       /**< times, while it keeps failing       */
};

struct peer_conf {
	char name[PEER_NAME + 1];
	struct addr addr;            /**< calls to it go there                */
	uint8_t tp;                  /**< enum sip_tp                         */
	struct addr_net net[PEER_NETS];     /**< its calls come from there,
						 beside addr                  */
	uint32_t netc;
	char domain[PEER_DOMAINS][128];     /**< its calls may be for; 0 = any */
	uint32_t domainc;
	bool keep_host;              /**< Request-URI keeps its host          */
	uint32_t max_cps;            /**< calls from it [1/s], 0 = any        */
	uint32_t timeout;            /**< first sign of an answer [ms]        */
	uint32_t rest;               /**< [ms]                                */
};

struct peer {
	struct peer_conf cf;
	uint32_t id;                 /**< the same after a reload; never 0    */
	uint64_t tokens, filled;     /**< [1/1000 calls], [ms]                */
	uint32_t fails;              /**< in a row                            */
	uint64_t until;              /**< rests until then [ms], 0 = not      */
	uint64_t resting;            /**< gauge                               */
	uint64_t calls_in, capped, refused;
	uint64_t calls_out, answered, failed, skipped;
};

struct peers {
	struct peer *v[PEERS_MAX];
	uint32_t n, last_id;
	struct stats *st;            /**< borrowed                            */
};

/** The new list; those whose name stays keep their state and figures.
 *  @return 0; ENOMEM, ENOSPC: nothing was changed */
int  peers_set(struct peers *ps, const struct peer_conf *v, uint32_t n,
	       struct stats *st, uint64_t now);
void peers_close(struct peers *ps);

/** Who sends from this address? NULL = no peer */
struct peer *peers_from(const struct peers *ps, const struct addr *src);
struct peer *peers_named(const struct peers *ps, struct sl name);
struct peer *peers_by_id(const struct peers *ps, uint32_t id);

/** May it ask for this domain? host as in a URI */
bool peer_domain(const struct peer *p, struct sl host);
/** It starts a call. @return false: too many a second */
bool peer_take(struct peer *p, uint64_t now);
/** It has said something in time */
void peer_heard(struct peer *p);
/** It has not, or cannot be reached. why: for the log, literal.
 *  ms: how long it wants to rest by itself, 0 = by the settings */
void peer_failed(struct peer *p, const char *why, uint32_t ms, uint64_t now);
/** Ask another one first */
bool peer_rests(struct peer *p, uint64_t now);

#endif
