/**
 * @file mesh_priv.h  Pure. Inside of mesh*.c.
 */
#ifndef CLUSTER_MESH_PRIV_H
#define CLUSTER_MESH_PRIV_H

#include "base/log.h"
#include "cluster/mesh.h"

enum link_state {
	LINK_FREE,
	LINK_HELLO,       /* our HELLO goes out, none came yet            */
	LINK_ACK,         /* HELLO came, its HELLO_ACK not yet            */
	LINK_UP,
	LINK_CLOSING,     /* MESH_CLOSE not yet taken                     */
};

enum { WANT_HELLO = 1, WANT_HELLO_ACK = 2, WANT_BEAT = 4, WANT_ACK = 8,
       WANT_MEMBERS = 16 };

#define MESH_BACKOFF 100    /* first pause between dials [ms] */

struct link {
	enum link_state state;
	uint8_t want;              /* frames to send                      */
	uint8_t target;            /* dialed, or MESH_NONE                */
	uint8_t member;            /* from LINK_ACK on                    */
	uint8_t version;           /* of its messages, from LINK_ACK on   */
	uint64_t since;            /* [ms] of the stream                  */
	uint64_t seq;              /* ours, as our HELLO_ACK says         */
	bool hints;                /* it takes them                       */
	uint64_t hinted;           /* of ours, up to this one             */
	uint64_t ack_at;           /* an ACK waits until then [ms], 0     */
	char name[CLUSTER_NAME];   /* by its certificate, or ""           */
	const char *why;           /* CLOSING                             */
	uint8_t bye;               /* CLOSING: reason, or 0               */
	uint16_t error;            /* CLOSING: code, or 0                 */
	struct roster_turn turn;   /* CLOSING: of the peer, n 0 = none    */
};

struct target {
	struct addr addr;
	uint64_t node;             /* who answered there, 0 = not known   */
	uint64_t next;             /* [ms] dial not before                */
	uint32_t backoff;          /* [ms]                                */
	bool self, dialing, due;
	bool conf, join, member;   /* who named it: peers, join, roster   */
	bool gone;                 /* of peers, join: its node was removed */
	bool out;                  /* one of the last removed: seldom      */
};

struct mesh {
	struct mesh_conf cf;
	struct store *store;
	struct members ms;
	struct repl repl;
	struct sync *sync;
	struct slots slots;
	struct hints hints;
	uint64_t check_at;               /* [ms] next comparison          */
	uint64_t verified_at;            /* [ms] last asked for           */
	struct rng rng;
	struct link link[MESH_LINKS];
	struct target target[MESH_TARGETS];
	uint32_t ntargets;
	uint32_t closing, due;           /* effects not taken: links, dials */
	uint8_t link_of[CLUSTER_MAX];    /* member -> link, MESH_NONE      */
	bool skewed[CLUSTER_MAX];        /* clock warning given            */
	bool differ[CLUSTER_MAX][2];     /* digest warning given           */
	enum cluster_state state;
	uint64_t settings, users;
	uint64_t beat, beat_at, sample_at;
	uint64_t ack_at;                 /* [ms] none that waits is due before */
	uint64_t started;
	struct roster roster;
	bool removed;                    /* what the roster says of us     */
	bool roster_new;                 /* MESH_ROSTER not yet taken      */
	bool nobody_told;                /* nobody answers: logged         */
	uint64_t refute_at;              /* [ms] our entry not before      */
	bool synced, acked_rose, changed;
	struct mesh_stats st;
	struct log_limit refuse_log;
};

static inline uint64_t mesh_window(const struct mesh *m)
{
	/* A silent loss is noticed after `dead`, told with a heartbeat, and
	 * time-outs may be doubled */
	return 2ull * m->cf.dead + 2ull * m->cf.heartbeat;
}

/* mesh_sync.c */
void mesh_sync_linked(struct mesh *m, uint8_t i);
/* We, or member i, stopped hearing somebody: it may know more than we do */
void mesh_sync_lost(struct mesh *m, uint8_t i);
void mesh_sync_tick(struct mesh *m, uint64_t now);
uint64_t mesh_sync_next(const struct mesh *m);
bool mesh_sync_recv(struct mesh *m, uint8_t l, uint8_t type, struct sl p,
		    uint64_t now, uint64_t wall, int *err);

/* mesh_roster.c */
void mesh_roster_start(struct mesh *m, uint64_t now, uint64_t wall);
void mesh_roster_tick(struct mesh *m, uint64_t now, uint64_t wall);
/* The roster changed: act on it, tell all */
void mesh_roster_changed(struct mesh *m, uint64_t now);
void mesh_recv_members(struct mesh *m, uint8_t l, struct sl p, uint64_t now);
/* What HELLO says of its sender. @return is it to be refused? */
bool mesh_hello_removed(struct mesh *m, const struct wire_hello *h,
			uint64_t now);
/* Close a link whose other end was removed, and tell it */
void mesh_close_removed(struct mesh *m, uint8_t l, uint64_t node,
			uint64_t now);
/* Is a member to be looked for at this address as things stand? */
bool mesh_wants(const struct mesh *m, const struct target *t);
/* Is it to be dialed? */
bool mesh_dials(const struct mesh *m, const struct target *t);
/* mesh_recv.c */
void mesh_malformed(struct mesh *m, uint8_t l, uint64_t now);
/* mesh.c */
bool mesh_target_linked(const struct mesh *m, uint32_t t);
/* Has everybody who is linked given us what it had? Once yes, for ever yes */
void mesh_look_synced(struct mesh *m, uint64_t now);
void mesh_close(struct mesh *m, uint8_t l, const char *why, uint8_t bye,
		uint16_t error, uint64_t now);

#endif
