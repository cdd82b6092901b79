/**
 * @file persist.h  Pure. The location store in a database: read once at the
 * start, then what changed is written every few seconds.
 *
 * What is not written yet is a cursor in the store's change order: it costs
 * nothing per REGISTER, nothing piles up while the database is away, and one batch
 * of rows is the most that is held. Progress counts when the database has
 * committed. docs/decisions/0027-contacts-in-sql.md says why no removed contact
 * can come back.
 *
 * The shell runs the job that persist_poll() gives in another thread, and
 * hands it back with persist_done().
 */
#ifndef NODE_PERSIST_H
#define NODE_PERSIST_H

#include "base/buf.h"
#include "cluster/store.h"

enum {
	PERSIST_BATCH = 8192,          /**< rows of one transaction           */
	PERSIST_BYTES = 4 << 20,       /**< of their packed records           */
	PERSIST_CHUNK = 1024,          /**< rows read by one job              */
	PERSIST_GOT = 1 << 21,         /**< a reading job ends at that many
					    bytes, a row more                 */
	PERSIST_SLOTS = 16384,         /**< shares of a shared database       */
	PERSIST_DIFFS = 20,            /**< listed by a verification          */
};

enum persist_err {
	PERSIST_OK,
	PERSIST_DOWN,                  /**< not reached, or connection lost   */
	PERSIST_LOCKED,
	PERSIST_DENIED,                /**< password, rights                  */
	PERSIST_FULL,                  /**< disk or quota                     */
	PERSIST_SCHEMA,                /**< none, or too new                  */
	PERSIST_DATA,                  /**< this row is refused               */
	PERSIST_TIMEOUT,
	PERSIST_OTHER,
	PERSIST_ERR_N
};
const char *persist_err_name(enum persist_err e);     /**< "locked" */

/** Slices point into the job's memory */
struct persist_row {
	uint8_t id[16];                /**< of AoR and binding                */
	int64_t ver, ver2;             /**< newer = larger, in this order; of
					    the same version the later writer
					    is right                          */
	int64_t hold, expires;         /**< wall [ms]; expires 0 = not shown  */
	uint32_t cseq;
	bool dead;                     /**< nothing is shown                  */
	bool several;                  /**< what was shown before is in it, too */
	struct sl aor, contact, path, callid, agent, received;
	struct sl packed;              /**< the record: all that counts       */
};

enum persist_op {
	PERSIST_READ,                  /**< rows with an id after `after`, in order
					    of ids, at most PERSIST_CHUNK     */
	PERSIST_WRITE,                 /**< row[0..n), all or none            */
	PERSIST_SWEEP,                 /**< look at the next `n` rows behind `at`,
					    delete what is held until before
					    `before`                          */
};

struct persist_job {
	enum persist_op op;
	struct persist_row *row;
	uint32_t n;
	uint8_t after[16];
	bool first;                    /**< READ: no `after` yet              */
	int64_t before;
	uint8_t at[16];                /**< SWEEP: moved on by it; zero again
					    after the last row                */

	/* the answer */
	enum persist_err err;
	struct buf got;                /**< READ: records; WRITE: those that the
					    database has a newer version of;
					    persist_got() appends             */
	uint8_t last[16];              /**< READ: id of the last one          */
	bool end;                      /**< READ: there are no more           */
	uint32_t deleted;              /**< SWEEP                             */
};
void persist_got(struct persist_job *j, const void *packed, size_t n);

struct persist_conf {
	struct store *store;           /**< borrowed                          */
	uint64_t seed;
	uint32_t interval;             /**< of flushes [ms]                   */
	uint64_t keep;                 /**< max_expires and guard [ms]        */
	/** A database that all nodes share: each writes the rows of its slots.
	 *  NULL: one of our own, all rows are ours */
	uint32_t (*slot)(struct sl aor, void *arg);
	bool (*mine)(uint32_t slot, void *arg);
	void *arg;
};

enum persist_state {
	PERSIST_ST_LOADING,            /**< the rows are being read           */
	PERSIST_ST_UP,
	PERSIST_ST_BEHIND,             /**< works, but slower than it must    */
	PERSIST_ST_DOWN,               /**< the last attempt failed           */
};
const char *persist_state_name(enum persist_state s);      /**< "behind" */

struct persist_stats {
	uint64_t flushes;              /**< that ended                        */
	uint64_t written, newer, refused, swept;                   /**< rows */
	uint64_t read, news, past, bad, ahead;      /**< rows that were read  */
	uint64_t moved;                /**< slots taken over                  */
	uint64_t errors[PERSIST_ERR_N];
	/* gauges, as of the last persist_gauges() */
	uint64_t up, loaded, state, dirty, age_us;
};

struct persist;

int  persist_alloc(struct persist **pp, const struct persist_conf *cf,
		   uint64_t now, uint64_t wall);
/** No job may be out */
void persist_free(struct persist *p);
const struct persist_stats *persist_stats(const struct persist *p);
void persist_gauges(struct persist *p, uint64_t now);
void persist_reconf(struct persist *p, uint32_t interval, uint64_t keep);

/** A piece of the work that is due */
void persist_tick(struct persist *p, uint64_t now, uint64_t wall);
/** When to call it again, UINT64_MAX = not before persist_done() */
uint64_t persist_next(const struct persist *p);
/** The job to be run now, or NULL. Lent until persist_done(). */
struct persist_job *persist_poll(struct persist *p, uint64_t now);
/** Its answer is in */
void persist_done(struct persist *p, uint64_t now);
/** No job is out */
bool persist_idle(const struct persist *p);

/** All rows were read once */
bool persist_loaded(const struct persist *p);
/** Rows read so far, of this reading */
uint64_t persist_reading(const struct persist *p);
enum persist_state persist_state(const struct persist *p, uint64_t now);
/** Why it is down; PERSIST_OK = it is not, or it does not answer */
enum persist_err persist_why(const struct persist *p);
/** Changes that the database does not have */
uint64_t persist_dirty(const struct persist *p);
/** Everything older than this is in the database [ms] */
uint64_t persist_age(const struct persist *p, uint64_t now);

/** Who owns which slot has changed: shared database */
void persist_moved(struct persist *p);
/** The database is there again: what failed is tried at once */
void persist_retry(struct persist *p);
/** Flush now, and at once what comes: the end is near */
void persist_stop(struct persist *p, uint64_t now);
/** What was changed before persist_stop() is written, or nothing can be */
bool persist_stopped(const struct persist *p);

/** Compare all rows with memory, after a flush. What changes meanwhile is
 *  left out. A new one replaces the last.
 *  @return 0; EAGAIN: not loaded yet; EBUSY: one is under way */
int  persist_verify(struct persist *p, uint64_t now);
struct persist_verdict {
	bool running, valid;           /**< valid: it came to its end         */
	enum persist_err err;          /**< why not                           */
	uint64_t rows, records;        /**< compared                          */
	uint64_t missing_db, missing_memory, differ;
	uint64_t changing;             /**< left out                          */
	uint32_t n;                    /**< listed                            */
	struct {
		const char *what;
		char aor[128], key[128];       /**< cut                       */
	} diff[PERSIST_DIFFS];
};
const struct persist_verdict *persist_verdict(const struct persist *p);

/* persist_row.c */
/** Identity of a row: the same on all nodes, with no key */
void persist_id(uint8_t id[16], struct sl aor, struct sl key);
/** A row from a packed record, which it borrows. @return 0 or EBADMSG */
int  persist_row(struct persist_row *r, struct sl packed, uint64_t wall);
/** Write `packed` without the values of superseded entries, which nothing shows again
 *  without a new version. @return its size; 0: it is no record, or no room */
size_t persist_lean(uint8_t *to, size_t max, struct sl packed);
/** A row's record as it may count today: none lives longer than max_expires
 *  now allows. @return 0 or EBADMSG */
int  persist_record(struct record *r, struct sl packed, uint64_t keep);

#endif
