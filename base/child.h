/**
 * @file child.h  Shell. Another program beside ours, in a process group of its
 * own: what it says is read in the event loop, and it is ended with us.
 */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include "base/sl.h"

struct child;

/** Bytes of its stdout and stderr, as they come. child_free() is allowed */
typedef void (child_out_h)(struct sl bytes, void *arg);
/** It has ended, and what it said before has been given; status as of
 *  waitpid(). child_free() is allowed, and still needed */
typedef void (child_end_h)(int status, void *arg);

/**
 * Start it, without a shell. It gets no file of ours but /dev/null as stdin,
 * default signals, and of our environment PATH, TMPDIR, LANG, HOME alone.
 *
 * @param path  with a '/'
 * @param argv  ends with NULL; argv[0] is its name
 * @return 0 or errno: it does not run
 */
int  child_alloc(struct child **cp, const char *path, const char *const argv[],
		 child_out_h *out, child_end_h *end, void *arg);
/** To the program alone: SIGINT; or to its whole group */
void child_signal(const struct child *c, int sig, bool group);
/** What still runs of its group is killed. NULL allowed */
void child_free(struct child *c);

#endif
