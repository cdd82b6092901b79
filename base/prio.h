/**
 * @file prio.h  Shell. A thread that works only when nothing else wants to
 * (SCHED_IDLE), and can be brought back when that takes too long.
 *
 * The kernel counts a processor on which only such a thread runs as free: what wakes up
 * goes there and runs at once, which it does not for a thread that is merely nice.
 * But SCHED_IDLE gets as good as nothing beside one busy program, and Linux
 * lets only the privileged leave it, or whom RLIMIT_NICE allows the nice value.
 */
#ifndef BASE_PRIO_H
#define BASE_PRIO_H

#include <stdbool.h>
#include <sys/types.h>

/** The calling thread */
pid_t prio_self(void);
/** The calling thread gets this nice value (0..19) for its time outside
 *  SCHED_IDLE. @return true: it may go there, as it can come back (tried by a
 *  thread of its own, which then ends) */
bool prio_nice(int nice);
/** Thread `tid` of ours goes to SCHED_IDLE, or leaves it. From any thread.
 *  @return 0, errno */
int  prio_idle(pid_t tid, bool idle);

#endif
