/* test_prio.c - a thread that yields to all others, and its way back */
#include "config.h"
#include "base/prio.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

/* The test itself may have been started with a nice value or as idle */
static void *yields(void *arg)
{
	int policy = sched_getscheduler(0);
	int nice = getpriority(PRIO_PROCESS, 0) < 10 ? 10 : 19;
	bool *may = arg;

	*may = prio_nice(nice);
	cr_assert_eq(getpriority(PRIO_PROCESS, 0), nice);
	cr_assert_eq(sched_getscheduler(0), policy, "tried elsewhere");
	if (!*may)
		return NULL;
	cr_assert_eq(prio_idle(prio_self(), true), 0);
	cr_assert_eq(sched_getscheduler(0), SCHED_IDLE);
	cr_assert_eq(prio_idle(prio_self(), false), 0);
	cr_assert_eq(sched_getscheduler(0), SCHED_OTHER);
	cr_assert_eq(getpriority(PRIO_PROCESS, 0), nice);
	return NULL;
}

static bool run(void)
{
	int was = getpriority(PRIO_PROCESS, 0);
	bool may = false;
	pthread_t t;

	cr_assert_eq(pthread_create(&t, NULL, yields, &may), 0);
	cr_assert_eq(pthread_join(t, NULL), 0);
	cr_assert_eq(getpriority(PRIO_PROCESS, 0), was, "of that thread alone");
	return may;
}

Test(prio, a_thread_yields_and_comes_back)
{
	bool may = run();

	if (!geteuid() && !setpriority(PRIO_PROCESS, 0, -1))
		cr_assert(may, "CAP_SYS_NICE is here");
}

/* An ordinary user could not come back: he is not sent there. RLIMIT_NICE lets him */
Test(prio, who_cannot_come_back_is_not_sent)
{
	struct rlimit l = { 0, 10 };
	bool allowed;

	if (geteuid())
		cr_skip_test("needs root, to become somebody else");
	/* without CAP_SYS_RESOURCE (containers) the limit stays at 0 */
	allowed = !setrlimit(RLIMIT_NICE, &l);
	cr_assert_eq(setuid(65534), 0);
	cr_assert(!run());
	l.rlim_cur = 10;
	if (allowed) {
		cr_assert_eq(setrlimit(RLIMIT_NICE, &l), 0);
		cr_assert(run());
	}
}
