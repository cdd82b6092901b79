/**
 * @file persist_run.h  Shell. A job of persist.h done in the database's thread,
 * and what that thread has in its hands meanwhile. Inside of persist_io.
 */
#ifndef NODE_PERSIST_RUN_H
#define NODE_PERSIST_RUN_H

#include "db/db_worker.h"
#include "node/config.h"
#include "node/persist.h"
#include <sys/types.h>

struct db_location;

struct persist_run {
	struct db_job job;             /**< first; done() is the loop's       */
	struct persist_job *out;       /**< in the thread's hands, and with it
					    all that is below; NULL: none     */
	struct db_location *rows;
	char owner[NODE_NAME_MAX + 1];
	bool overflow;                 /**< the answer is too long            */
	bool nice;
	bool may_idle;                 /**< and come back from there          */
	pid_t tid;                     /**< of the thread, 0 = it may not:
					    atomic                            */
	bool hurry;                    /**< not idle: atomic                  */
};

/** owner: of rows that are written. r: zeroed. @return 0 or ENOMEM */
int  persist_run_init(struct persist_run *r, const char *owner);
/** Not while a job is out */
void persist_run_close(struct persist_run *r);
/** From now on it does not wait for idle time, nor does what is under way */
void persist_run_hurry(struct persist_run *r);
void persist_run_no_hurry(struct persist_run *r);

#endif
