/**
 * @file config.h  Shell. Settings of edgewise-node: etc/node.conf.
 */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "base/cfg.h"

enum { NODE_NAME_MAX = 63, NODE_DOMAIN_MAX = 255, NODE_TEXT_MAX = 63,
       NODE_PREFIX_MAX = 31, NODE_ROUTES_MAX = 1000, NODE_ROUTE_PEERS = 8 };

/** A domain as the file has it; `algs` is filled after reading */
struct node_domain {
	char name[NODE_DOMAIN_MAX + 1];    /**< lower case                    */
	struct cfg_list algorithms;        /**< struct node_text              */
	uint32_t ping;                     /**< enum node_domain_ping         */
	uint32_t algs;                     /**< bits 1 << enum auth_alg       */
};

/** Calls that no contact takes go that way */
struct node_route {
	char prefix[NODE_PREFIX_MAX + 1];      /**< "" = any number           */
	char domain[NODE_DOMAIN_MAX + 1];      /**< lower case; "" = ours     */
	struct cfg_list peers;                 /**< struct node_text          */
	uint32_t strip;                        /**< characters off the front  */
	char add[NODE_PREFIX_MAX + 1];         /**< and these before the rest */
};

struct node_text {
	char s[NODE_TEXT_MAX + 1];
};

enum node_db { NODE_DB_LOCAL, NODE_DB_SHARED };
enum node_users { NODE_USERS_FILE, NODE_USERS_SQL };
enum node_auth { NODE_AUTH_OFF, NODE_AUTH_ON };

struct node_config {
	char name[NODE_NAME_MAX + 1];
	struct {
		struct addr address;
		uint32_t port;
	} sip;
	struct cfg_list edges;             /**< struct node_text              */
	struct cfg_list domains;           /**< struct node_domain            */
	uint32_t auth;                     /**< enum node_auth                */
	uint32_t users;                    /**< enum node_users               */
	char users_file[256];
	char users_db_url[512];
	char users_db_password_file[256];
	struct {
		uint32_t max;
		uint32_t ttl, ttl_no, keep;           /**< [s]            */
		uint32_t wait;                        /**< [ms]           */
	} users_cache;
	char db_url[512];
	char db_password_file[256];
	uint32_t db_mode;                  /**< enum node_db                  */
	bool db_required;
	uint32_t flush_interval;           /**< [ms]                          */
	uint32_t db_timeout;               /**< of one statement [ms]         */
	uint32_t db_stop_timeout;          /**< of the last flush [ms]        */
	uint32_t nonce_age;                /**< [s]                           */
	uint32_t auth_delay;               /**< [s]                           */
	struct cfg_list peers;             /**< struct node_text              */
	struct cfg_list routes;            /**< struct node_route             */
	struct {
		uint32_t min_expires, max_expires, default_expires;   /**< [s] */
		uint32_t max_contacts;             /**< per AoR               */
		uint32_t max_contact, max_aor, max_path;         /**< [bytes] */
		uint32_t max_bindings;             /**< in all                */
	} registrar;
	struct {
		uint32_t t1, t2, t4, ring;         /**< [ms]                  */
	} timers;
	struct {
		uint32_t contacts;                 /**< enum node_ping        */
		uint32_t udp, stream;              /**< enum node_how         */
		uint32_t interval, timeout, slow;  /**< [ms]                  */
		uint32_t max_failures, remove_after;
		bool outbound;
		char method[33], from[256], dead_codes[128];
	} ping;
	uint32_t max_branches;
	uint32_t fork;                     /**< enum node_fork                */
	struct {
		struct addr address;
		uint32_t port;
		char key_file[256];
		/** all three or none */
		char ca_file[256], cert_file[256], cert_key_file[256];
		struct cfg_list peers, join;       /**< struct node_text      */
		uint32_t heartbeat, dead;             /**< [ms]           */
		uint32_t sync_rate;                   /**< [MB/s]         */
	} cluster;
	struct {
		uint32_t max_message, max_transactions, max_connections;
	} limits;
	struct {
		struct addr address;
		uint32_t port;
	} http;
	struct {
		uint32_t messages, bytes;
	} trace;
	uint32_t replicate_ack;            /**< 0 or 1                        */
	uint32_t replicate_ack_timeout;    /**< [ms]                          */
	uint32_t replicate_gap;            /**< [ms]                          */
	char state_dir[256];
	struct {
		uint32_t level, target;
	} log;

	/* made from the above when all of it is right */
	bool any_domain;                   /**< domains = "any"               */
	struct addr_net *edge_nets, *peer_nets;
	uint32_t edge_n, peer_n;
	struct addr *cluster_peers;        /**< without our own address       */
	uint32_t cluster_peer_n;
	struct addr *cluster_join;         /**< the same                      */
	uint32_t cluster_join_n;
};

/** The next one of ping.dead_codes */
static inline bool node_ping_code(struct sl *rest, struct sl *code)
{
	size_t n = 0;

	while (rest->n && *rest->p == ' ')
		*rest = sl_mk(rest->p + 1, rest->n - 1);
	while (n < rest->n && rest->p[n] != ' ')
		n++;
	*code = sl_mk(rest->p, n);
	*rest = sl_mk(rest->p + n, rest->n - n);
	return n > 0;
}

enum node_ping { NODE_PING_OFF, NODE_PING_NAT, NODE_PING_ALL };
/** How a contact is pinged */
enum node_how { NODE_HOW_OPTIONS, NODE_HOW_KEEP, NODE_HOW_NONE, NODE_HOW_STUN };
/** Of a domain */
enum node_domain_ping { NODE_DOMAIN_DEFAULT, NODE_DOMAIN_OPTIONS,
			NODE_DOMAIN_KEEP, NODE_DOMAIN_NONE };
enum node_fork { NODE_FORK_PARALLEL, NODE_FORK_SERIAL };

extern const struct cfg_key node_config_keys[];

/** Read, check, and make the tables above. over: options of the command line
 *  or NULL. On error *c is empty.
 *  @return 0, ENOENT, EBADMSG (texts in errs), ENOMEM */
int  node_config_read(struct node_config *c, const char *path,
		      const struct cfg_over *over, struct cfg_errs *errs);
/** The same from memory */
int  node_config_read_mem(struct node_config *c, const char *name,
			  const char *text, struct cfg_errs *errs);
void node_config_clear(struct node_config *c);
/** What cluster_set_gap() is to get: a 200 to a REGISTER waits for it, so it
 *  stays well below the time that one may take; without such a wait it would
 *  only be late */
uint32_t node_push_gap(const struct node_config *c);
/** Over what all nodes of a cluster must agree on (domains, auth, registrar) */
uint64_t node_config_digest(const struct node_config *c);

#endif
