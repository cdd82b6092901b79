/**
 * @file db_worker.h  Shell. Threads that wait for a database so that the loop
 * doesn't. The loop pushes jobs; a thread runs them on a connection of its own; the
 * loop is told. Each worker has its own queue, threads and connections: what may wait
 * for long (flushes) gets another one than what must not (look-ups).
 *
 * A lost connection is made again by itself, with backoff; jobs fail at once meanwhile
 * (DB_DOWN or what the last attempt said). A server that stopped answering has its
 * connection cut after query_ms + 1 s.
 */
#ifndef DB_DB_WORKER_H
#define DB_DB_WORKER_H

#include "base/stat.h"
#include "db/db.h"

struct db_job;

/** One piece of work: embed it first in a struct of yours. Yours again from done(). */
struct db_job {
	/** In the thread. On DB_LOCKED it may be run again by pushing it anew. Must not
	 *  touch what the loop's thread uses */
	enum db_err (*run)(struct db *db, struct db_job *job);
	/** In the loop's thread, for every job that db_worker_push() took: after run(),
	 *  or without it (err is then set) */
	void (*done)(struct db_job *job);
	enum db_err err;           /**< what run() said                         */
	char why[DB_WHY];          /**< text of the error                       */
	struct db_job *next;       /**< the worker's, like all below            */
	uint64_t queued, started;  /**< clk_now() [ms]                          */
};

enum db_state {
	DB_STATE_START,    /**< not tried yet                                   */
	DB_STATE_UP,
	DB_STATE_FAIL      /**< last attempt or job failed, see err and why     */
};

struct db_worker_conf {
	struct db_conf db;
	/** Looks at a new connection: a wrong schema is not UP. In the thread; why has
	 *  DB_WHY bytes. NULL = none. db_schema_check() fits. */
	enum db_err (*check)(struct db *db, char *why);
	unsigned threads;          /**< 1..8                                    */
	uint32_t queue;            /**< jobs waiting at most, 0 = 1024          */
	uint32_t backoff_ms;       /**< first pause after a failed connect, 0 = 250 */
	uint32_t backoff_max_ms;   /**< 0 = 5000                                */
	/** In the loop's thread: the state or the kind of error changed. May be NULL */
	void (*state)(enum db_state st, enum db_err err, const char *why,
		      void *arg);
	void *arg;
};

/** The loop's thread alone writes and reads them, so the registry may point here */
struct db_worker_stats {
	uint64_t up;               /**< gauge: 1 = connected                    */
	uint64_t waiting;          /**< gauge: jobs in the queue                */
	uint64_t running;          /**< gauge: jobs in a thread                 */
	uint64_t oldest_ms;        /**< gauge: age of the oldest job not done   */
	uint64_t queued, done;     /**< jobs                                    */
	uint64_t failed;           /**< of done: with an error                  */
	uint64_t refused;          /**< queue full                              */
	uint64_t errors[DB_ERR_N]; /**< of failed, by kind                      */
	uint64_t connects;         /**< that succeeded                          */
	uint64_t cut;              /**< connections cut: no answer in time      */
	struct stat_hist run;      /**< time in run()                           */
};

struct db_worker;

/** Starts the threads; they connect at once. Needs the loop (base/net.h).
 *  @return 0, EINVAL (bad URL; see db_url_parse()), ENOMEM, errno */
int  db_worker_alloc(struct db_worker **wp, const struct db_worker_conf *cf);
/**
 * End: jobs that wait are done with DB_DOWN, those that run get at most `wait_ms`
 * (then their connections are cut; a thread that still hangs is left behind and its job's
 * done() never called). NULL allowed. Not from within done() or state().
 */
void db_worker_free(struct db_worker *w, uint32_t wait_ms);
/** Take over a job until done(). @return 0, ENOBUFS (queue full) */
int  db_worker_push(struct db_worker *w, struct db_job *job);
/** Figures as of now; state and the last error (why: borrowed until the next call of
 *  the loop) */
const struct db_worker_stats *db_worker_stats(struct db_worker *w);
enum db_state db_worker_state(const struct db_worker *w, enum db_err *err,
			      const char **why);

#endif
