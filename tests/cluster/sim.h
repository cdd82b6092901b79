/**
 * @file sim.h  Several nodes of the cluster layer in one process: real mesh and
 * store, virtual clock, virtual streams that lose, stall and cut.
 */
#ifndef TESTS_CLUSTER_SIM_H
#define TESTS_CLUSTER_SIM_H

#include "base/rng.h"
#include "cluster/mesh.h"

#define SIM_NODES 21
#define SIM_CONNS 512

struct sim_node {
	struct mesh *mesh;             /**< NULL = crashed                    */
	struct store *store;
	uint64_t life;                 /**< incarnations so far               */
	uint8_t version;               /**< largest it speaks, 0 = newest     */
	int64_t clock;                 /**< wall clock minus the true one [ms] */
	uint64_t frozen;               /**< until then [ms]                   */
	uint64_t acked;                /**< as told by MESH_ACKED             */
	int conn[MESH_LINKS];          /**< link -> connection, -1            */
	uint64_t id;                   /**< 0 = place + 1                     */
	bool joins;                    /**< knows node 0's address alone      */
	struct roster *saved;          /**< what it finds at its start        */
};

struct sim_piece {
	struct sim_piece *next;
	uint64_t at;                   /**< arrives [ms]                      */
	size_t n;
	uint8_t p[];
};

struct sim_conn {
	bool used;
	bool broken;                   /**< nothing arrives any more           */
	uint64_t open_at;              /**< up at both ends then              */
	struct {
		int node;              /**< -1 = this end is closed           */
		int who;               /**< node, also after that             */
		uint8_t link;          /**< MESH_NONE before it is up         */
		uint64_t gone_at;      /**< hears of the other end's close, 0 */
		struct sim_piece *first, **tail;    /**< on the way to it  */
		struct buf in;
	} end[2];
	uint8_t target;                /**< of end 0, who dialed              */
};

struct sim {
	struct rng rng;
	uint64_t now;
	int n;
	struct sim_node node[SIM_NODES];
	struct sim_conn conn[SIM_CONNS];
	bool cut[SIM_NODES][SIM_NODES];      /**< [from][to]: nothing arrives   */
	uint64_t base_wall;
	uint32_t max_expires;
	uint32_t delay;                /**< largest one-way delay [ms]        */
	uint64_t frames;
	bool trace;                    /**< frames to stderr                   */
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
/** Break every stream between two nodes: what was on the way is lost */
void sim_break(struct sim *s, int a, int b);
void sim_run(struct sim *s, uint64_t ms);

#endif
