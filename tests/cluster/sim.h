/**
 * @file sim.h  Several nodes of the cluster layer in one process: real mesh and
 * store, virtual clock, virtual streams that lose, stall, cut and garble. An
 * event queue: time jumps to the next thing that happens. One seed, one run.
 *
 * Nothing here aborts for what the code under test did: sim_fail() keeps the
 * first violation, who runs the simulation looks at `failed`.
 */
#ifndef TESTS_CLUSTER_SIM_H
#define TESTS_CLUSTER_SIM_H

#include "base/rng.h"
#include "cluster/mesh.h"
#include "mem.h"

#define SIM_NODES 21
#define SIM_CONNS 512
#define SIM_OUT 65536u         /* bytes on their way before a link stalls */
#define SIM_WHY 400

struct sim;

struct sim_node {
	struct mesh *mesh;             /**< NULL = crashed, or not started    */
	struct store *store;
	uint64_t life;                 /**< incarnations so far               */
	uint64_t started;              /**< of this one [ms]                  */
	uint8_t version;               /**< largest it speaks, 0 = newest     */
	int64_t clock;                 /**< wall clock minus the true one [ms] */
	uint64_t frozen;               /**< until then [ms]                   */
	uint64_t acked;                /**< as told by MESH_ACKED             */
	int conn[MESH_LINKS];          /**< link -> connection, -1            */
	uint8_t links;                 /**< largest link in use, plus 1       */
	uint64_t id;                   /**< 0 = place + 1                     */
	bool joins;                    /**< knows node 0's address alone      */
	struct roster *saved;          /**< what it finds at its start        */
	struct mem mem;
	int64_t empty;                 /**< its bytes after the start          */
	uint64_t due;                  /**< of its event [ms]                 */
	uint64_t store_at;
	bool dirty;                    /**< something happened this ms        */
};

struct sim_piece {
	struct sim_piece *next;
	uint64_t at;                   /**< arrives [ms]                      */
	size_t n;
	uint8_t p[];
};

struct sim_end {
	int node;                      /**< -1 = this end is closed           */
	int who;                       /**< node, also after that             */
	uint8_t link;                  /**< MESH_NONE before it is up         */
	uint64_t gone_at;              /**< hears of the other's close, 0     */
	struct sim_piece *first, **tail;   /**< on the way to it              */
	uint64_t last_at, busy_to;     /**< of them [ms]                      */
	size_t flight;                 /**< their bytes                       */
	struct buf in;
};

struct sim_conn {
	bool used, open;
	bool broken;                   /**< nothing arrives any more           */
	uint64_t open_at;              /**< up at both ends then              */
	uint64_t due;                  /**< of its event [ms]                 */
	uint64_t serial;               /**< never used twice                   */
	uint8_t target;                /**< of end 0, who dialed              */
	struct sim_end end[2];
};

struct sim_event { uint64_t at; uint32_t tie; int id; };
#define SIM_EVENTS 4096

struct sim {
	struct rng rng;
	uint64_t now;
	int n;
	struct sim_node node[SIM_NODES];
	struct sim_conn conn[SIM_CONNS];
	struct sim_event q[SIM_EVENTS];    /**< heap                           */
	int nq;
	int conns;                     /**< places used so far                 */
	uint64_t serial;

	/* the network: [from][to] */
	bool cut[SIM_NODES][SIM_NODES];      /**< nothing arrives               */
	uint32_t lag[SIM_NODES][SIM_NODES];  /**< added to each delay [ms]      */
	uint32_t rate[SIM_NODES][SIM_NODES]; /**< [bytes/ms], 0 = no limit      */
	uint32_t delay;                /**< largest one-way delay [ms]        */
	uint32_t flip, split;          /**< of 1000 pieces                    */
	uint64_t flipped, splits;

	/* the nodes */
	uint64_t base_wall;
	uint32_t heartbeat, dead, max_expires, guard;
	uint32_t limit;                /**< for mesh_fill()                    */
	bool one_life;                 /**< a restart keeps its incarnation    */
	/** May change what a node is started with. NULL = nothing */
	void (*confh)(struct sim *s, int i, struct mesh_conf *mc);
	void (*ackedh)(struct sim *s, int i, uint64_t from, uint64_t to);
	void (*changedh)(struct sim *s, int i);
	void *arg;

	uint64_t frames;
	bool whole;                    /**< the test's own changes are made in
	                                    the nodes' names, too           */
	bool trace;                    /**< what happens, to stderr            */
	bool failed;
	char why[SIM_WHY];
};

void sim_init(struct sim *s, int n, uint64_t seed);
void sim_close(struct sim *s);
uint64_t sim_wall(const struct sim *s, int i);
void sim_start(struct sim *s, int i);
/** What it saved is lost, too */
void sim_forget(struct sim *s, int i);
/** Memory is lost. loud: the others' kernels are told (RST) */
void sim_crash(struct sim *s, int i, bool loud);
void sim_freeze(struct sim *s, int i, uint64_t ms);
/** Break every stream between two nodes: what was on the way is lost but for
 *  its beginning. @return streams broken */
int  sim_break(struct sim *s, int a, int b);
void sim_run(struct sim *s, uint64_t ms);
/** Keeps the first one */
void sim_fail(struct sim *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void sim_say(const struct sim *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What a node does, and its allocations, stand between these two */
static inline void sim_enter(struct sim *s, int i)
{
	mem_owner = &s->node[i].mem;
}

static inline void sim_leave(void)
{
	mem_owner = NULL;
}

/* sim_net.c, for sim.c */
void sim_plan(struct sim *s, int id, uint64_t at);
void sim_effects(struct sim *s, int i);
void sim_dial(struct sim *s, int i, uint8_t target, const struct addr *a);
void sim_conn_event(struct sim *s, int ci);
void sim_conn_plan(struct sim *s, int ci);
/** Say what is to be said. @return more to say that could go now */
bool sim_give(struct sim *s, int i);
void sim_hang_up(struct sim *s, int i, uint8_t link, const uint8_t *last,
		 size_t n);
/** A node is gone: all its streams. loud: the others hear of it */
void sim_gone(struct sim *s, int i, bool loud);
void sim_conn_free(struct sim_conn *c);

#endif
