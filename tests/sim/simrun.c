/* simrun.c - The whole system on virtual time: a real edge, three real nodes
 * and eight phones, in one process. Each seed is another story of faults.
 *
 * usage: simrun [--seeds N] [--from S] [--jobs J] | --seed S [--trace TEXT]
 *
 * Checked after each story:
 *
 *  A1  every request of a phone got exactly one final answer (an INVITE: one
 *      non-2xx, or at least one 2xx). Of one whose phone lost its connection
 *      meanwhile: at most one
 *  A2  no phone got two INVITEs for one call
 *  A3  no phone begins to ring, or rings on, when its caller has his final answer
 *      or has gone, nor begins to when he has cancelled; nobody is left in a
 *      call whose caller was refused, or without an ACK
 *  A7  nothing is left over in the edge, and its account knows of no call lost
 *      that had a node
 *  A8  no inside address in any message to a phone
 *  L   no call is lost that had a living path. That is: the caller does not
 *      cancel and his connection stays (or he is back with his INVITE before
 *      caller_gone); a phone of the callee is registered and reachable from
 *      before the INVITE until its end, would answer 200 before Timer C, and no
 *      other phone of the callee declines for all (6xx); and either one node
 *      works all the time, or the INVITE has come to that phone. Then the
 *      caller has a 2xx in the end.
 *
 * Prints "FAIL seed=S RULE ..." for each breach, and the account at the end; a
 * fault or a rescue that never happened in 2000 seeds is a failure too. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/sim/story.h"

enum { JOBS = 16 };

/** Of one process; read by the parent */
struct share {
	uint64_t seed;
	struct account acc;
};

static uint64_t number(const char *s)
{
	char *end;
	uint64_t v = strtoull(s, &end, 10);

	if (!*s || *end) {
		fprintf(stderr, "simrun: '%s' is no number\n", s);
		exit(2);
	}
	return v;
}

static void child(struct share *sh, uint64_t from, uint64_t n, unsigned job,
		  unsigned jobs)
{
	for (uint64_t i = job; i < n; i += jobs) {
		sh->seed = from + i;
		story_run(from + i, &sh->acc);
	}
	fflush(stdout);
	_exit(0);
}

/** @return breaches, crashes included */
static uint64_t run(uint64_t from, uint64_t n, unsigned jobs,
		    struct account *sum)
{
	struct share *sh = mmap(NULL, jobs * sizeof(*sh),
				PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t crashes = 0;
	pid_t pid[JOBS];
	int st;

	if (sh == MAP_FAILED)
		abort();
	for (unsigned j = 0; j < jobs; j++) {
		pid[j] = fork();
		if (pid[j] < 0)
			abort();
		if (!pid[j])
			child(&sh[j], from, n, j, jobs);
	}
	for (unsigned j = 0; j < jobs; j++) {
		if (waitpid(pid[j], &st, 0) != pid[j])
			abort();
		if (!WIFEXITED(st) || WEXITSTATUS(st)) {
			printf("FAIL seed=%llu crash, status %d\n",
			       (unsigned long long)sh[j].seed, st);
			crashes++;
		}
		account_add(sum, &sh[j].acc);
	}
	(void)munmap(sh, jobs * sizeof(*sh));
	return crashes + sum->breaches;
}

int main(int argc, char **argv)
{
	uint64_t from = 1, seeds = 1000, bad;
	unsigned jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	struct account sum = { 0 };
	struct timespec a, b;
	double secs;

	setvbuf(stdout, NULL, _IOLBF, 0);
	/* large tables are hardly used: new pages are zero already */
	(void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	for (int i = 1; i < argc; i += 2) {
		const char *v = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--seeds"))
			seeds = number(v);
		else if (!strcmp(argv[i], "--from"))
			from = number(v);
		else if (!strcmp(argv[i], "--jobs"))
			jobs = (unsigned)number(v);
		else if (!strcmp(argv[i], "--seed")) {
			from = number(v);
			seeds = jobs = 1;
		}
		else if (!strcmp(argv[i], "--trace"))
			setenv("SIM_TRACE", v, 1);
		else {
			fprintf(stderr, "usage: simrun [--seeds N] [--from S] "
				"[--jobs J] | --seed S [--trace TEXT]\n");
			return 2;
		}
	}
	jobs = jobs < 1 ? 1 : jobs > JOBS ? JOBS : jobs;
	log_init("sim", getenv("SIM_TRACE") ? LOG_TO_STDERR : LOG_TO_NONE,
		 LOG_LV_INFO);
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	bad = run(from, seeds, jobs, &sum);
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	secs = (double)(b.tv_sec - a.tv_sec) +
	       (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	account_print(&sum);
	bad += seeds >= 2000 ? account_check(&sum) : 0;
	printf("%llu seeds in %.1f s, %.0f virtual hours, %llu violations\n",
	       (unsigned long long)seeds, secs,
	       (double)sum.virtual_ms / 3600000.0, (unsigned long long)bad);
	return bad ? 1 : 0;
}
