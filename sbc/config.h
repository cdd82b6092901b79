/**
 * @file config.h  Shell. Settings of edgewise-sbc: one table row each.
 */
#ifndef SBC_CONFIG_H
#define SBC_CONFIG_H

#include "base/cfg.h"
#include "sbc/edge.h"
#include "sbc/peers.h"

enum { SBC_LISTENS = 15, SBC_HOOKS = 8, SBC_NODES = DISP_MAX };

struct sbc_listen {
	uint32_t transport;      /**< 0 = udp, 1 = tcp                        */
	struct addr address;
	uint32_t port;
	char advertise[128];
};

struct sbc_node {
	char name[64];
	struct addr address;
	uint32_t port;
	uint32_t weight;
	char http[64];
};

struct sbc_hook {
	char name[32];               /**< "" = its place in the list          */
	char url[512];
	char events[256];
	char secret_file[256];
	char ca_file[256];
	uint32_t min_interval, timeout;                          /**< [ms]    */
	uint32_t max_age;                                        /**< [s]     */
};

struct sbc_text {
	char s[128];
};

struct sbc_peer {
	char name[PEER_NAME + 1];
	struct addr address;
	uint32_t port;
	uint32_t transport;      /**< as above                                */
	struct cfg_list from;    /**< struct sbc_text: addresses, networks    */
	struct cfg_list domains; /**< struct sbc_text                         */
	uint32_t max_cps;        /**< 0 = any                                 */
	uint32_t timeout, rest;  /**< [ms]                                    */
	bool keep_host;
};

struct sbc_config {
	struct cfg_list listen;      /**< struct sbc_listen                   */
	struct sbc_listen core;      /**< advertise unused                    */
	struct cfg_list pool;        /**< struct sbc_node                     */
	struct cfg_list peers;       /**< struct sbc_peer                     */
	uint32_t algorithm;          /**< enum disp_alg                       */
	struct {
		uint32_t inter, fastinter, downinter, timeout;   /**< [ms]    */
		uint32_t fall, rise, jitter;
	} probe;
	bool pool_learn;
	bool ring_straight;
	bool faults;
	struct {
		char tool[256], plans[256], phones[256], domain[128];
		uint32_t max_time;                               /**< [s]     */
	} drills;
	uint32_t slowstart;                                      /**< [ms]    */
	struct {
		uint32_t time;                                   /**< [ms]    */
		uint32_t margin, requests;
	} eject;
	struct {
		uint32_t percent, burst;
	} retry;
	uint32_t hide;               /**< 0 = core, 1 = none                  */
	bool dialog_token, private_targets;
	struct {
		uint32_t t1, t2, t4;                             /**< [ms]    */
		uint32_t no100, no100_min, no100_max;            /**< [ms]    */
		uint32_t no18x, noreply, ring, deadline;         /**< [ms]    */
		uint32_t caller_gone;                            /**< [ms]    */
		uint32_t flow;                                   /**< [s]     */
	} timers;
	uint32_t max_attempts;
	uint32_t max_unanswered;
	struct {
		uint32_t max_message, max_transactions;
		uint32_t max_connections, max_connections_ip;
		uint32_t idle, first_message, whole_message;     /**< [s]     */
	} limits;
	struct {
		struct addr address;
		uint32_t port;
	} http;
	struct {
		bool enabled;
		struct cfg_list trusted, scanners, domains; /**< sbc_text     */
		uint32_t sources, rate, burst, phone_rate, aor_rate, stranger_rate;
		uint32_t ban;                                    /**< [s]     */
	} admit;
	struct {
		uint32_t target;                                 /**< [ms]    */
		struct cfg_list emergency;                       /**< sbc_text */
		bool oc;
	} overload;
	struct {
		uint32_t messages, bytes;
	} trace;
	char state_dir[256];
	char cdr_file[256];
	struct cfg_list webhooks;    /**< struct sbc_hook                     */
	struct {
		uint32_t level, target;
	} log;
};

extern const struct cfg_key sbc_keys[];

/** Read and check a file. On error *c is cleared.
 *  @return 0, ENOENT, EBADMSG (texts in errs), ENOMEM */
int  sbc_config_read(struct sbc_config *c, const char *path,
		     const struct cfg_over *over, struct cfg_errs *errs);
/** The same from memory; `name` stands for the file in the texts */
int  sbc_config_mem(struct sbc_config *c, const char *name, const char *text,
		    struct cfg_errs *errs);
void sbc_config_clear(struct sbc_config *c);

static inline const struct sbc_listen *sbc_config_listen(
	const struct sbc_config *c, uint32_t i)
{
	return (const struct sbc_listen *)c->listen.v + i;
}
static inline const struct sbc_node *sbc_config_node(
	const struct sbc_config *c, uint32_t i)
{
	return (const struct sbc_node *)c->pool.v + i;
}
static inline const struct sbc_hook *sbc_config_hook(
	const struct sbc_config *c, uint32_t i)
{
	return (const struct sbc_hook *)c->webhooks.v + i;
}
/** Name in logs and figures */
const char *sbc_config_hook_name(const struct sbc_config *c, uint32_t i,
				 char txt[32]);
static inline const struct sbc_peer *sbc_config_peer(
	const struct sbc_config *c, uint32_t i)
{
	return (const struct sbc_peer *)c->peers.v + i;
}
/** enum sip_tp of a transport setting */
uint8_t sbc_config_tp(uint32_t transport);
/** What may change while running */
void sbc_config_tune(const struct sbc_config *c, struct edge_tune *t);
/** Peers for the edge, v[PEERS_MAX]. @return number */
uint32_t sbc_config_peers(const struct sbc_config *c, struct peer_conf *v);
/** @return is there admission at all? */
void sbc_config_overload(const struct sbc_config *c,
			 struct edge_overload_conf *o);
bool sbc_config_admit(const struct sbc_config *c, struct edge_admit_conf *a);
/** Pool for the edge, v[SBC_NODES]. @return number */
uint16_t sbc_config_pool(const struct sbc_config *c,
			 struct disp_node_conf *v);

#endif
