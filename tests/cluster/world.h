/**
 * @file world.h  One run of the cluster under clients, faults and checks: a
 * kind and a seed give one history. docs/decisions/0021-cluster-simulation.md.
 */
#ifndef TESTS_CLUSTER_WORLD_H
#define TESTS_CLUSTER_WORLD_H

#include "sim.h"

#define WORLD_OPS 800
#define WORLD_AORS 3
#define WORLD_KEYS 3
#define WORLD_BINDINGS (WORLD_AORS * WORLD_KEYS)
#define WORLD_UAS 5
#define WORLD_HINTS 6          /* different ones                             */
#define WORLD_LATER 8          /* things to be done after a while            */

/* What goes wrong. Counted when it did, not when it was meant to. */
enum fault {
	FAULT_LOSS,       /**< a connection, with what was on its way          */
	FAULT_ONE_WAY,    /**< nothing arrives in one direction                */
	FAULT_CUT,        /**< nor in the other                                */
	FAULT_ALONE,      /**< one node is cut from all                        */
	FAULT_LAG,        /**< a direction takes up to 3 s                      */
	FAULT_SLOW,       /**< ... or a few bytes per ms                       */
	FAULT_CRASH,      /**< memory is lost                                  */
	FAULT_REBOOT,     /**< ... and it is back before anybody noticed       */
	FAULT_HALF,       /**< tells some of its last change, and dies         */
	FAULT_FREEZE,     /**< stands still (SIGSTOP)                          */
	FAULT_CLOCK,      /**< the wall clock steps                            */
	FAULT_OUT,        /**< a member is taken out, and in again             */
	FAULT_OOM,        /**< an allocation fails                             */
	FAULT_FLIP,       /**< a bit on the wire                               */
	FAULT_SPLIT,      /**< a write arrives in parts                        */
	FAULT_TINY,       /**< buffers of some bytes                           */
	FAULT_BIG,        /**< values so large that one PUSH doesn't hold all  */
	FAULT_OLD,        /**< a node of the previous protocol version         */
	FAULTS
};
#define F(x) (1u << FAULT_##x)
const char *fault_name(enum fault f);

struct world_kind {
	const char *name;
	uint32_t faults;           /**< bits; each must happen in some seed      */
	uint32_t every;            /**< a fault in one of so many rounds         */
	uint32_t rounds;
	int least, most;           /**< nodes                                    */
	uint32_t max_expires;      /**< [s]                                      */
	int64_t clock;             /**< clocks are off by at most that [ms]      */
	uint32_t freeze;           /**< longest [ms]                             */
	bool bare;                 /**< no rounds but to join: the live feed
	                                alone must do                        */
	bool calm;                 /**< no fault: bounds on time and traffic     */
	uint32_t longest;          /**< wait between two rounds [ms]              */
	bool to_the_end;           /**< until all is forgotten                    */
	bool hints;                /**< nodes say hints                           */
};
extern const struct world_kind world_kinds[];
extern const int world_nkinds;
/** @return index, or -1 */
int world_kind(const char *name);

/** A change that a node admitted, or a kill */
struct op {
	uint64_t at;               /**< true time [ms]                           */
	uint64_t lineage;          /**< with its generation                      */
	uint64_t expires;          /**< wall of the node [ms]                     */
	struct stamp stamp;        /**< its vstamp; of a kill: what was observed  */
	uint64_t life, ticket;     /**< of the node; its sequence                 */
	uint32_t cseq;
	uint32_t val;              /**< what its value says: op that first had it */
	uint8_t binding, ua, node;
	bool dead, kill, ext;
	bool lost;                 /**< every node that had it has crashed        */
	bool acked;                /**< another node has it, we were told         */
	bool fell;                 /**< ... and one that had it has crashed       */
};

struct ua {
	uint64_t callid;           /**< lineage without generation                */
	uint32_t boots, cseq;
	int last;                  /**< its last change, -1                       */
};

/** Something that comes later: a retransmission, a kill of what was seen */
struct later {
	uint64_t at;
	int op;
	bool kill, used;
	struct stamp seen;
	uint8_t binding;
};

/* A record as the checks see it; nothing in it is borrowed */
struct seen_entry {
	uint64_t lineage, expires;
	struct stamp v, g;
	uint32_t cseq, val;
	bool dead, has_value;
};

struct seen {
	bool has;
	uint8_t n;
	struct seen_entry e[REC_LINEAGES];
	struct stamp kill;
	uint64_t hold;
	uint64_t seq;              /**< of its last change here                  */
	uint8_t via;               /**< who brought that, 0 = nobody             */
	uint32_t ext;              /**< 0 = none                                 */
};

struct world {
	struct sim s;
	const struct world_kind *k;
	uint64_t seed;
	struct op op[WORLD_OPS];
	int n;
	struct ua ua[WORLD_UAS];
	struct later later[WORLD_LATER];
	uint32_t exts;
	int out;                   /**< who was taken out, -1                    */
	bool fill_big;
	uint32_t check_every;      /**< [ms]                                     */
	uint64_t faults[FAULTS];
	uint64_t calm_from;        /**< the network has been as it is since [ms]  */
	uint64_t said[WORLD_HINTS];    /**< last by anybody [ms]                  */
	uint32_t by[WORLD_HINTS];      /**< who ever did, bits                    */
	/* what a node said it had, per life: never to fall back */
	struct { uint64_t life; struct seen r[WORLD_BINDINGS]; } was[SIM_NODES];
	/* which ops each node had when this one started: checked when synced */
	struct { uint64_t life; bool done; uint64_t from[SIM_NODES];
		 uint32_t had[WORLD_OPS]; int n; } join[SIM_NODES];
};

/** What came of one run */
struct world_report {
	bool failed;
	char why[SIM_WHY];
	uint64_t ms, ops, frames;
	uint64_t faults[FAULTS];
};

/** rounds: 0 = as many as the kind has. trace: what happens goes to stderr */
void world_run(int kind, uint64_t seed, uint32_t rounds, bool trace,
	       struct world_report *rep);

/* world_op.c */
struct sl world_aor(int binding);
struct sl world_key(int binding);
void world_clients(struct world *w);       /**< they do something, perhaps   */
void world_client_at(struct world *w, int i);
void world_later(struct world *w);         /**< what is due                  */
int  world_living(struct world *w);        /**< any node that runs, or -1    */
uint32_t world_value(struct sl v);         /**< op, or UINT32_MAX = damaged   */

/* world_fault.c */
void world_setup(struct world *w);
void world_start(struct world *w, int i);
void world_fault(struct world *w);
void world_heal(struct world *w);
void world_all_in(struct world *w);

/* world_look.c: what a store holds, and what a history implies */
void world_look(struct world *w, int i, struct seen *r);   /* all bindings */
void world_settle(const struct world *w, struct seen *r, uint64_t wall);
bool world_has(const struct world *w, const struct seen *r, const struct op *o);
bool world_covers(const struct world *w, const struct seen *r,
		  const struct op *o);
const struct seen_entry *world_entry(const struct seen *r, uint64_t lineage);
bool world_past(const struct world *w, const struct op *o);
bool world_same(const struct seen *a, const struct seen *b, uint64_t tol,
		uint64_t skew);

/* world_check.c */
void world_check_crash(struct world *w, int i);  /**< i is about to die      */
void world_check_gone(struct world *w);          /**< and now it is dead      */
void world_check_start(struct world *w, int i);
void world_check_acked(struct sim *s, int i, uint64_t from, uint64_t to);
void world_check_changed(struct sim *s, int i);
void world_check_always(struct world *w);
void world_check_quiet(struct world *w);         /**< healed, all the same    */
void world_check_end(struct world *w);           /**< and nothing is left     */

/* world_hint.c */
void world_hints(struct world *w);               /**< somebody says one      */
bool world_hintless(const struct world *w, int i);
void world_check_hints(struct world *w);
void world_check_hints_quiet(struct world *w);

#endif
