/**
 * @file mesh.h  Pure. The protocol of one node: links, hand-shake, heartbeats,
 * whom to dial. Bytes and time go in, effects are pulled; the same code runs under
 * real sockets, in simulations and in fuzz targets.
 *
 * A link is one authenticated byte stream. mesh_up() when it stands,
 * mesh_recv() for each whole frame, mesh_fill() when there's room to send,
 * mesh_down() when it is gone. mesh_poll() after each of them.
 */
#ifndef CLUSTER_MESH_H
#define CLUSTER_MESH_H

#include "base/rng.h"
#include "cluster/hints.h"
#include "cluster/repl.h"
#include "cluster/slots.h"
#include "cluster/sync.h"

#define MESH_LINKS 64             /**< at once                               */
#define MESH_NONE 0xff
#define MESH_TARGETS 104          /**< addresses to dial                      */
#define MESH_OUT 8                /**< of the last removed are dialed, too    */
#define MESH_GONE 30000           /**< between dials of a removed one [ms]    */
#define MESH_REPLACE 60000        /**< who has our address is taken out after [ms] */
#define MESH_HELLO_MAX 5000       /**< hand-shake of a link [ms]             */
#define MESH_CHECK 10000          /**< [ms]                                  */
#define MESH_LAG_MAX 100          /**< READY: nothing of a peer missing for longer [ms] */

struct mesh_conf {
	uint64_t node, incarnation;   /**< incarnation: new at every start, not 0 */
	char name[CLUSTER_NAME];
	struct addr addr;             /**< where we listen                      */
	uint8_t cluster[16];          /**< id                                   */
	struct addr peers[CLUSTER_MAX];
	uint32_t npeers;
	struct addr join[CLUSTER_MAX];    /**< dialed while nobody is heard    */
	uint32_t njoin;
	struct addr sip;              /**< told to the others                   */
	const struct roster *roster;  /**< saved one or NULL; copied            */
	uint32_t heartbeat, dead;     /**< [ms]                                 */
	uint32_t max_expires;         /**< [s]                                  */
	uint8_t max_version;          /**< of messages; 0 = WIRE_VERSION        */
	uint32_t sync_rate;           /**< of answers in rounds [bytes/ms], 0 = any */
	uint32_t push_gap;            /**< [ms] as mesh_set_gap()             */
	uint32_t check_every;         /**< [ms] comparing with somebody; 0 = MESH_CHECK */
	bool no_repair;               /**< tests: rounds only to join           */
	bool no_hints;                /**< tests: as a node that knows none      */
};

enum mesh_kind {
	MESH_DIAL,        /**< open a connection to addr; then mesh_up() or
	                       mesh_dial_failed() with the target            */
	MESH_CLOSE,       /**< send `last` if that goes at once, close the link; it is
	                       forgotten here already (no mesh_down())       */
	MESH_ACKED,       /**< our changes after `from` up to `to` are held by
	                       another living node                           */
	MESH_CHANGED,     /**< members or our readiness                      */
	MESH_ROSTER,      /**< mesh_roster() is to be saved                  */
};

struct mesh_out {
	enum mesh_kind kind;
	uint8_t target;               /**< DIAL                               */
	uint8_t link;                 /**< CLOSE                              */
	struct addr addr;             /**< DIAL                               */
	uint64_t from, to;            /**< ACKED                              */
	const char *why;              /**< CLOSE: literal                     */
	uint8_t last[256];            /**< CLOSE: a frame, n bytes            */
	size_t n;
};

struct mesh_stats {
	uint64_t links_now;           /**< gauge: hand-shake done              */
	uint64_t links_made, links_lost;
	uint64_t bad_frames;          /**< malformed, wrong moment             */
	uint64_t refused;             /**< other cluster, settings, version    */
	uint64_t duplicates;          /**< second link of a pair               */
	uint64_t records_in, records_new, records_refused;
	uint64_t frames_in, frames_out;
	uint64_t rewinds;
	uint64_t members;             /**< gauge: not removed, ourselves included */
	uint64_t removed;             /**< links refused: taken out            */
};

struct mesh;

int  mesh_alloc(struct mesh **mp, const struct mesh_conf *cf,
		struct store *store, uint64_t seed, uint64_t now,
		uint64_t wall);
void mesh_free(struct mesh *m);

/** A stream stands, authenticated. target: what MESH_DIAL said, or MESH_NONE when
 *  it was accepted. @return link, or MESH_NONE: no room, close it */
uint8_t mesh_up(struct mesh *m, uint8_t target, uint64_t now);
/** The peer of a new link showed a certificate: it may call itself by that
 *  name alone */
void mesh_named(struct mesh *m, uint8_t link, const char *name);
void mesh_dial_failed(struct mesh *m, uint8_t target, uint64_t now);
/** The stream is gone */
void mesh_down(struct mesh *m, uint8_t link, uint64_t now);
/** Longest payload to accept now */
size_t mesh_limit(const struct mesh *m, uint8_t link);
/** One frame that wire_frame() found whole. May lead to MESH_CLOSE. */
void mesh_recv(struct mesh *m, uint8_t link, const struct wire_head *h,
	       struct sl payload, uint64_t now, uint64_t wall);
/** What came is not a frame (err of wire_frame()) */
void mesh_garbage(struct mesh *m, uint8_t link, int err, uint64_t now);

/** Once a turn, before mesh_want(): has the time come for what was changed? */
void mesh_gate(struct mesh *m, uint64_t now);
/** Is there something to send? */
bool mesh_want(struct mesh *m, uint8_t link);
/** Append frames until b holds `limit` bytes or all is said */
void mesh_fill(struct mesh *m, uint8_t link, struct buf *b, size_t limit,
	       uint64_t now, uint64_t wall);

void mesh_tick(struct mesh *m, uint64_t now, uint64_t wall);
uint64_t mesh_next(const struct mesh *m);
bool mesh_poll(struct mesh *m, struct mesh_out *out);

/** Good-bye to all: MESH_CLOSE for each */
void mesh_leave(struct mesh *m, uint64_t now);
void mesh_set_state(struct mesh *m, enum cluster_state s);
/** PUSHes of live changes leave no closer than that [ms]; 0: each at once */
void mesh_set_gap(struct mesh *m, uint32_t gap);
void mesh_set_digests(struct mesh *m, uint64_t settings, uint64_t users);

/** Compare with all others and only tell; the results are in mesh_sync() */
void mesh_verify(struct mesh *m, uint64_t now);
bool mesh_verifying(const struct mesh *m);
const struct sync *mesh_sync(const struct mesh *m);
/* mesh_roster.c */
const struct roster *mesh_roster(const struct mesh *m);
/** As cluster_turn() */
int mesh_turn(struct mesh *m, uint64_t node, bool in, bool force,
	      uint64_t now, uint64_t wall);
bool mesh_removed(const struct mesh *m);
/** As cluster_held() */
bool mesh_held(const struct mesh *m, uint64_t seq);

uint64_t mesh_acked(const struct mesh *m);
uint32_t mesh_alive(const struct mesh *m);       /**< ourselves left out     */
uint32_t mesh_count(const struct mesh *m);       /**< members, ourselves included */
bool mesh_majority(const struct mesh *m);
bool mesh_synced(const struct mesh *m);
/** Who owns which slot, as we see it */
const struct slots *mesh_slots(const struct mesh *m);
/** What nodes tell each other for a while */
struct hints *mesh_hints(struct mesh *m);
const struct mesh_stats *mesh_stats(const struct mesh *m);
/** Link of a member, MESH_NONE = none */
uint8_t mesh_link(const struct mesh *m, uint64_t node);
void mesh_view(const struct mesh *m, uint64_t now, struct cluster_view *v);

#endif
