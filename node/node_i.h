/**
 * @file node_i.h  Shell. What a node holds; for node.c and api.c.
 */
#ifndef NODE_NODE_I_H
#define NODE_NODE_I_H

#include "base/net.h"
#include "base/stat.h"
#include "cluster/cluster.h"
#include "node/certs.h"
#include "node/config.h"
#include "node/core.h"
#include "node/files.h"
#include "node/leave.h"
#include "node/node.h"
#include "node/persist_io.h"
#include "node/users.h"
#include "node/users_sql.h"
#include "sip/trace.h"
#include "sip/transport.h"
#include "web/trace_get.h"

enum { NODE_GUARD = 10000 };      /* [ms] of tombstones beyond max_expires */

struct node {
	char *path;                  /**< settings file                       */
	const struct cfg_over *over; /**< options over it, borrowed           */
	struct node_config cf;
	struct users *users;
	struct stats *st;
	struct store *store;
	struct cluster *cluster;     /**< NULL: rows are being read           */
	struct core *core;
	struct persist_io *persist_io;    /**< NULL: contacts in memory alone */
	struct users_sql *users_sql; /**< NULL: users are in a file           */
	struct transport *tr;
	struct ntimer *core_timer;   /**< at core_next()                      */
	struct ntimer *second;       /**< store, health text                  */
	struct api *api;
	uint64_t id;                 /**< for ever, from state                */
	char state[FILES_STATE];     /**< state_dir or a folder in it, ours alone */
	uint64_t started;            /**< clk_now() [ms]                      */
	uint64_t reloads, reloads_failed;
	struct keyset keys;          /**< of the cluster                      */
	struct cert *cert;           /**< between reading and cluster_alloc() */
	struct certs certs;
	uint64_t stop_at;            /**< [ms] ends then at the latest        */
	bool ready, stopping, in_turn;
	bool alone;                  /**< no majority, and said so            */
	bool flushing;               /**< nothing but the last flush is left  */
	int failed;                  /**< errno of what ended it, 0           */
	bool notified;               /**< the supervisor, that we are up      */
	uint32_t health_turn;
	struct trace trace;          /**< the last messages                   */
	struct trace_get told;       /**< what is told of them                */
	uint64_t wall;               /**< of this turn [us], 0 = not looked   */
	struct buf members;          /**< the map as a file                   */
	bool members_new;            /**< not saved yet                       */
	int members_err;             /**< of the last try                     */
	enum leave_step leave;
	uint64_t leave_since, leave_until;    /**< [ms]                       */
	uint64_t leave_seq;          /**< others must have this first         */
};

/** What the core wants done is done now, or with the turn that is running */
void node_turn(struct node *n);
/** No new requests from now on; those under way go on */
void node_drain(struct node *n);
/** What the settings say of the store */
void node_store_settings(const struct node *n, struct store_conf *sc);
/** Tell the others what our settings and users are */
void node_tell_digests(struct node *n);

#endif
