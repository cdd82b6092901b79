/**
 * @file run.h  Shell. One drill: steady state, calls, fault, and back.
 */
#ifndef DRILL_RUN_H
#define DRILL_RUN_H

#include "drill/inject.h"
#include "drill/line.h"
#include "drill/report.h"

struct run;

struct run_conf {
	const struct drill_plan *plan;   /**< borrowed                       */
	bool lab;
	struct lab_conf lab_conf;
	const char *url, *token; /**< no lab: of the edge                    */
	struct addr proxy, local;
	const char *domain;
	struct gen_user *user;
	uint32_t users;
	/** Further ones behind them, whom nobody calls (a call to a phone whose
	 *  connection has ended removes its contact): so many stay, and so
	 *  many are removed before the fault. 0: databases are not looked at */
	uint32_t kept, gone;
	const char *node;        /**< NULL: the busiest                      */
	/** Told at once; at: [ms] since the begin. May be NULL */
	void (*progress)(void *arg, uint64_t at, const char *text);
	/** Told every half second while calls go on. May be NULL */
	void (*figures)(void *arg, uint64_t at, const struct run *r);
	void *arg;
};

/** A node of the lab, as it says of itself */
struct run_node {
	uint64_t ready_at;       /**< asked then, it said: ready; 0 = not    */
	uint64_t contacts;
	uint64_t written;        /**< until then, in its database; 0 = not   */
	char digest[40];
	struct run *r;           /**< for the handler                        */
	uint64_t asked;
	bool busy;
};

/** What the databases brought back, asked node by node */
struct run_back {
	uint64_t left;           /**< contacts were removed then             */
	uint32_t node;           /**< that is asked, from 1; 0 = not yet     */
	bool busy;
	uint32_t present, gone;  /**< contacts of this node, as far as heard */
	char from[64];           /**< next page                              */
};

struct run {
	struct run_conf cf;
	const struct drill_plan *plan;
	struct guard *guard;
	struct lab *lab;
	struct watch *watch;
	struct line *line;
	struct gen *gen;
	struct ntimer *timer;
	struct inject x;
	char url[300], token[260];
	int step;
	uint64_t begin, wall, step_at;   /**< wall: [ms since 1970]          */
	uint64_t fault_wall;
	struct facts facts;
	enum judgement verdict;
	char why[200];           /**< of ABORTED, UNFIT                      */
	bool stop;               /**< taken back before its time             */
	/* calls to make */
	uint64_t dialled;        /**< of the steady stream                   */
	uint32_t ahead[MIXES];   /**< placed before the fault                */
	uint32_t next_phone, next_reg;
	uint64_t reg_at;
	uint64_t reg_bad;        /**< when the calls began                   */
	/* what the edge says */
	uint64_t status_at, events_at, node_at, good_at;
	bool good, asked_events, asked_status;
	uint32_t pool, busiest;  /**< busiest: place in the pool, from 1     */
	char busiest_name[64];
	uint64_t nodes_ready;    /**< lab: all nodes say so, asked at        */
	struct run_node node[LAB_NODES + 1];
	struct run_back back;
	uint64_t since, started;
	bool synced;             /**< the first events are skipped           */
	uint8_t *said;
	struct note note[NOTES];
	uint32_t notes;
	uint64_t moved, adopted; /**< events of any call                     */
	uint64_t told_at;        /**< figures; 0 = not yet                   */
	char version[32];
};

/** Runs it to its end. r keeps what the report is made of until run_free().
 *  @return 0 (see r->verdict), or errno: it could not be begun */
int  run_drill(struct run *r, const struct run_conf *cf);
void run_free(struct run *r);

/* run_watch.c: what the edge and the nodes say */
void run_watch(struct run *r, uint64_t now);
/* run_back.c: contacts in the lab's databases */
/** Removes those that shall be gone. Again and again until it is true: they
 *  are, and every database knows it */
bool run_back_removed(struct run *r, uint64_t now);
/** The fault comes: no phone brings its contact itself */
void run_back_hold(struct run *r);
/** All nodes are ready: whom do they know? @return looked, or nothing to do */
bool run_back_look(struct run *r);
/* run.c */
/** What it is at, for people */
const char *run_step_name(const struct run *r);
struct run_calls {
	uint32_t placed, done, lost, live;
};
void run_calls(const struct run *r, struct run_calls *c);
void run_note(struct run *r, uint64_t at, bool edge, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
