/**
 * @file access.h  Pure. Who may do what: sources that may speak to us, domains
 * served, digest authentication, whose From may be used. RFC 3261 22.
 */
#ifndef NODE_ACCESS_H
#define NODE_ACCESS_H

#include "base/addr.h"
#include "base/log.h"
#include "base/stat.h"
#include "cluster/keyset.h"
#include "node/config.h"
#include "node/guess.h"
#include "node/location.h"
#include "node/nonces.h"
#include "node/subs.h"
#include "node/users.h"
#include "sip/scan.h"

struct access {
	const struct node_config *cf;     /**< borrowed                       */
	const struct users *users;        /**< borrowed; NULL = nobody        */
	struct subs *subs;                /**< borrowed; NULL = users above   */
	char name[SUBS_NAME_MAX + 8];     /**< who is asking now              */
	/** The same on all nodes; nonces are made with the first one */
	uint8_t nonce_key[KEYSET_MAX][32];
	uint32_t nonce_keys;
	uint8_t fake_key[32];             /**< makes HA1s of unknown users    */
	uint64_t salt;                    /**< counts nonces made             */
	struct nonces *nonces;            /**< ours                           */
	struct guess *guess;              /**< ours                           */
	struct location *loc;             /**< borrowed; NULL = nothing known */
	struct log_limit lim_guess;
	uint64_t challenged, passed, wrong, stale, refused;
	uint64_t foreign, replayed, repeated, delayed, by_old, unsure;
};

/** @param keys    shared by all nodes, so that each can check the nonces of
 *                 the others
 *  @param secret  of this process alone
 *  @return 0 or ENOMEM; access_close() in both cases */
int  access_init(struct access *a, const struct node_config *cf,
		 const struct users *users, const struct keyset *keys,
		 const uint8_t secret[32]);
/** Other keys: nonces that were made with one of these are good */
void access_rekey(struct access *a, const struct keyset *keys);
void access_close(struct access *a);
int  access_stats(struct access *a, struct stats *st);

/** SIP from this address is taken at all */
bool access_edge(const struct access *a, const struct addr *src);
bool access_peer(const struct access *a, const struct addr *client);

/** Settings of a served domain; NULL = not served. `any` serves all of them
 *  with one entry. host: as in a URI, no port */
const struct node_domain *access_domain(const struct access *a,
					struct sl host);

struct access_verdict {
	uint16_t code;                /**< 0 = may pass; else the answer     */
	const char *why;              /**< literal: reason phrase            */
	struct sl realm;              /**< of the credentials that were right;
					   in the message; unset = none      */
	struct sl need;               /**< set: decide once this user has been
					   looked up; until the next call    */
};

/** How sure is what is known of users */
enum access_users {
	ACCESS_ASK,      /**< it may be old, and can be looked up            */
	ACCESS_TOLD,     /**< just looked up                                 */
	ACCESS_AWAY,     /**< it may be old, and must do                     */
};

/** A request of a client */
struct access_ask {
	enum access_users users;
	const struct sip_msg *m;
	const struct addr *client;    /**< its address, NULL = not known      */
	uint64_t now, wall;           /**< [ms]                               */
};

/** Decide over it. extra: challenge lines for the answer are appended */
void access_check(struct access *a, const struct access_ask *q,
		  struct buf *extra, struct access_verdict *v);

#endif
