/**
 * @file core.h  Pure. The whole of a node between its sockets: messages in,
 * effects out. Registrar, proxy, access, behind one transaction layer.
 *
 * `now` is monotonic [ms], `wall` is the wall clock [ms].
 */
#ifndef NODE_CORE_H
#define NODE_CORE_H

#include "base/stat.h"
#include "cluster/store.h"
#include "cluster/keyset.h"
#include "node/config.h"
#include "node/subs.h"
#include "node/users.h"
#include "sip/flow.h"
#include "sip/frame.h"

struct core;
struct hints;
struct ping;
struct slots;

struct core_conf {
	const struct node_config *cf;     /**< borrowed until core_reconf()   */
	const struct users *users;        /**< borrowed; NULL = nobody        */
	struct store *store;              /**< borrowed                       */
	struct keyset keys;               /**< nonces                         */
	uint8_t store_key[32];            /**< as in struct store_conf        */
	uint8_t secret[32];               /**< random, of this process        */
	uint16_t lst_udp, lst_tcp;        /**< listener indexes               */
	struct addr self;                 /**< our SIP address, port included */
};

int  core_alloc(struct core **cp, const struct core_conf *cc,
		struct stats *st, uint64_t now);
void core_free(struct core *c);
/** Other keys, for nonces */
void core_rekey(struct core *c, const struct keyset *keys);
/** New settings and users (both borrowed) after a reload */
void core_reconf(struct core *c, const struct node_config *cf,
		 const struct users *users);

/** SIP from this address is taken at all: it is an edge */
bool core_admits(const struct core *c, const struct addr *src);
/** One message came. verdict and why as in struct transport_h */
void core_recv(struct core *c, const struct flow *f, struct sl msg,
	       enum frame_verdict v, const char *why, uint64_t now,
	       uint64_t wall);
void core_lost(struct core *c, const struct flow *f, int err, uint64_t now,
	       uint64_t wall);
void core_tick(struct core *c, uint64_t now, uint64_t wall);
uint64_t core_next(const struct core *c);
/** The loop turns: call once a second. When it did not for a while (the
 *  process was frozen), REGISTERs that waited in its sockets are not taken:
 *  the edge has given them to another node long ago, and what the phone said
 *  since must not be undone. Without any call nothing is held to be late. */
void core_awake(struct core *c, uint64_t now);
bool core_poll(struct core *c, struct sip_out *out);

/**
 * Until this says ready, requests are answered 503. text: the value of
 * Edgewise-Health ("state=ready;contacts=17"), copied, at most 1,023 bytes.
 * reason: literal, reason phrase while not ready.
 */
void core_set_health(struct core *c, bool ready, const char *reason,
		     const char *text);

/** Other nodes alive that can take a change; 0 at first. With none, REGISTER
 *  is answered at once */
void core_set_others(struct core *c, uint32_t alive, uint64_t now);
/** What is ours to be done once in the cluster (borrowed for good), and do we
 *  hear more than half of it? Before that no contact is asked anything. */
void core_set_slots(struct core *c, const struct slots *s, bool majority);
/** What the nodes tell each other of contacts (borrowed for good) */
void core_set_hints(struct core *c, struct hints *h);
/** Another living node has our changes after `from` up to `to` (sequences of the
 *  store) */
void core_acked(struct core *c, uint64_t from, uint64_t to, uint64_t now,
		uint64_t wall);
/** Requests passed on that have no final answer yet */
uint64_t core_open(const struct core *c);

/** From now on new requests are answered 503, so that the edge takes them to
 *  another node. Its pings still get 200: a node that answers 503 counts as down, and
 *  calls that ring through it would be given up. */
void core_stop(struct core *c);

/** With users = "sql": one to look up now, user@domain; borrowed until the next
 *  call. core_user() has to follow for each, sooner or later */
bool core_ask_user(struct core *c, struct sl *name);
/** The result. name: must not be the borrowed one */
void core_user(struct core *c, struct sl name, const struct subs_answer *a,
	       uint64_t now, uint64_t wall);
/** He has changed: look him up again before he is served, if the database
 *  answers; unset: all */
void core_drop_user(struct core *c, struct sl name);

/** For the status page */
struct core_view {
	bool ready;
	const char *reason;
	uint64_t forks, server_now, client_now;
	uint64_t accepted, fetched, repeated, rejected;
	uint64_t dropped_source, malformed;
	uint64_t held, unacked;      /**< 200s waiting; sent without an ack   */
};
void core_view(const struct core *c, struct core_view *v);

/** Is it a domain of ours? host: as in a URI */
bool core_serves(const struct core *c, struct sl host);
/** Its pings, borrowed */
const struct ping *core_ping(const struct core *c);
/** The location service, borrowed */
const struct location *core_location(const struct core *c);

#endif
