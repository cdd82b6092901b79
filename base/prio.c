/* prio.c - Shell. Linux: all of it is of threads, not of the process. */
#include "config.h"          /* SCHED_IDLE, gettid() */
#include "base/prio.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

pid_t prio_self(void)
{
	return gettid();
}

int prio_idle(pid_t tid, bool idle)
{
	struct sched_param sp = { .sched_priority = 0 };

	return sched_setscheduler(tid, idle ? SCHED_IDLE : SCHED_OTHER, &sp) ?
		errno : 0;
}

/* A new thread has the nice value of the one that made it */
static void *there_and_back(void *arg)
{
	bool *ok = arg;

	*ok = !prio_idle(gettid(), true) && !prio_idle(gettid(), false);
	return NULL;
}

bool prio_nice(int nice)
{
	bool ok = false;
	pthread_t t;

	(void)setpriority(PRIO_PROCESS, 0, nice);
	if (pthread_create(&t, NULL, there_and_back, &ok))
		return false;
	(void)pthread_join(t, NULL);
	return ok;
}
