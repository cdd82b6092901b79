/**
 * @file persist_i.h  Pure. Inside of the write-back; for persist*.c only.
 */
#ifndef NODE_PERSIST_I_H
#define NODE_PERSIST_I_H

#include "base/rng.h"
#include "node/persist.h"

enum persist_phase {
	PERSIST_PH_LOAD,               /**< rows into memory                  */
	PERSIST_PH_REST,
	PERSIST_PH_FLUSH,              /**< changes into rows                 */
	PERSIST_PH_SWEEP,              /**< rows past their hold              */
	PERSIST_PH_CHECK,              /**< rows against memory               */
	PERSIST_PH_SCAN,               /**< memory against the rows seen      */
};

/** Ids of rows seen by a verification */
struct persist_seen {
	uint64_t *tab;                 /**< 0 = free                          */
	size_t size, n;
};

struct persist {
	struct persist_conf cf;
	struct persist_stats st;
	struct persist_job job;
	struct rng rng;
	enum persist_phase phase;
	bool ready;                    /**< the job waits to be polled        */
	bool out;                      /**< it is lent                        */
	bool answered;                 /**< its records are being taken       */
	bool stopping, loaded;
	bool tried;                    /**< some job has ended                */
	bool lost;                     /**< the last one failed, with `why`   */
	enum persist_err why;
	uint64_t out_at, fail_at;      /**< [ms]                              */
	uint64_t retry_at, backoff;
	uint64_t stop_seq;             /**< to be written before the end      */
	int64_t offset;                /**< wall clock minus ours             */

	/* Everything up to conf is in the database, everything up to read in
	 * it or in the job */
	struct store_cursor read, conf;
	uint64_t goal, goal_at;        /**< of this flush: sequence when all was
					    read, its time                    */
	bool whole;                    /**< all up to goal is in the job      */
	uint64_t flush_at, sweep_at, load_at;
	uint64_t pace_at, pace_end;    /**< the next batch of a flush; all of it */
	uint64_t safe_at;              /**< what was made before is safe      */
	uint32_t limit;                /**< rows of a batch: less after a refused
					    one                               */
	struct sl rest;                /**< of job.got: not taken yet         */
	uint64_t reading;              /**< rows of this reading              */
	uint64_t ahead;                /**< of them from a later clock        */

	/* a shared database */
	uint64_t clean;                /**< sequence: rows of our slots up to it
					    are written, but for slots gained */
	bool again;                    /**< slots were gained: go back        */
	bool fresh;                    /**< for the first time                */
	uint64_t twice_at;             /**< they are written once more        */
	uint8_t mine[PERSIST_SLOTS / 8], gained[PERSIST_SLOTS / 8];
	uint8_t once[PERSIST_SLOTS / 8];     /**< gained, and written once    */

	/* a verification */
	bool asked;
	uint64_t check_seq;
	uint32_t bucket;
	struct persist_seen seen;
	struct persist_verdict v;

	uint8_t *mem;                  /**< packed records of a batch         */
	size_t used;
};

static inline bool persist_bit(const uint8_t *v, uint32_t i)
{
	return v[i / 8] >> i % 8 & 1;
}

/* persist_slots.c */
/** Is it ours to write? */
bool persist_ours(const struct persist *p, struct sl aor);
/** Is this change for us to write, now? */
bool persist_due(const struct persist *p, const struct store_change *c);
/** From the beginning, for the slots that were gained */
void persist_go_back(struct persist *p, uint64_t now);
/** They are written */
void persist_gained(struct persist *p, uint64_t now);
/** Memory and rows are the same: what we own is not to be written at once for
 *  being ours now, but later */
void persist_all_read(struct persist *p, uint64_t now);

/* persist_pace.c */
void persist_pace_begin(struct persist *p, uint64_t now);
/** A batch was written: when the next one may begin is pace_at */
void persist_pace(struct persist *p, uint64_t now);
/** Is pace_at to be waited for? */
bool persist_paced(const struct persist *p);

/** A job that reads rows, from the beginning or on from the last one */
void persist_read_job(struct persist *p, bool first);

/* persist_check.c */
void persist_check_begin(struct persist *p);
/** A row that was read */
void persist_check_row(struct persist *p, struct sl packed, uint64_t wall);
/** Some buckets of memory. @return true = that was the last one */
bool persist_check_scan(struct persist *p, uint64_t wall);
void persist_check_end(struct persist *p, enum persist_err err);

#endif
