/**
 * @file cdrfile.h  Shell. Call records on disk: a thread of its own writes
 * lines from a bounded queue, since a write to a disk that is full, slow or gone
 * may take any time, and calls must not wait for it. Nothing but plain bytes
 * crosses to the thread.
 */
#ifndef SBC_CDRFILE_H
#define SBC_CDRFILE_H

#include "base/stat.h"

struct cdrfile;

enum {
	CDRFILE_LINES = 20000,          /**< most that wait                   */
	CDRFILE_BYTES = 16 << 20,       /**< the same [bytes]                 */
};

/** As counted by the thread; the owner gets copies by cdrfile_poll() */
struct cdrfile_stats {
	uint64_t written;               /**< lines                            */
	uint64_t dropped;               /**< lines, the queue was full        */
	uint64_t errors;                /**< tries to open or write           */
	uint64_t waiting;               /**< lines now                        */
	int err;                        /**< of the last try, 0 = well        */
};

/** Lines are appended to path; made when it is not there. The file is opened by
 *  the thread. @return 0, ENAMETOOLONG, ENOMEM, EAGAIN */
int  cdrfile_alloc(struct cdrfile **fp, const char *path);
/** End. What waits is written, for at most wait_ms; a thread that hangs in the
 *  kernel ends later by itself. NULL allowed. @return lines not written yet */
uint64_t cdrfile_free(struct cdrfile *f, uint32_t wait_ms);
/** A line with its end; copied. Never blocks */
void cdrfile_put(struct cdrfile *f, struct sl line);
/** Open anew (it was moved away), by this name from now on; what waits goes there */
int  cdrfile_reopen(struct cdrfile *f, const char *path);
void cdrfile_poll(struct cdrfile *f, struct cdrfile_stats *st);

#endif
