/* simrun.c - the simulation of the cluster, over many seeds and on all cores.
 *
 *   simrun [--seeds N] [--from S] [--jobs J] [--kind K[,K...]]
 *   simrun --kind K --seed S [--rounds R] [--trace]
 *   simrun --list
 *
 * Seed S of kind K is always the same run. Exit status: 0 no violation, 1 some,
 * or a fault of a kind that never happened, 2 usage. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/log.h"
#include "world.h"

#define JOBS 64
#define KINDS 32
#define HANG 60                 /* [s] for one seed */
#define TELL 20                 /* violations told in full */

/* What one process found; shared with the one that started it */
struct job {
	volatile uint64_t next;         /* place in the list of runs        */
	volatile time_t since;
	volatile bool over;
	uint64_t seeds[KINDS], ms[KINDS], ops[KINDS], frames[KINDS];
	uint64_t faults[KINDS][FAULTS], bad[KINDS];
	pid_t pid;
};

struct plan {
	uint64_t from, seeds;
	uint32_t rounds;
	int jobs, n, kind[KINDS];
	bool trace;
};

/* Run number i is seed from + i / n of kind i % n; job j has every jobs-th */
static int kind_of(const struct plan *p, uint64_t i)
{
	return p->kind[i % (uint64_t)p->n];
}

static uint64_t seed_of(const struct plan *p, uint64_t i)
{
	return p->from + i / (uint64_t)p->n;
}

/* The fewest rounds that fail, to make the trace short */
static uint32_t fewest_rounds(int kind, uint64_t seed)
{
	struct world_report r;

	for (uint32_t n = 1; n < 50; n++) {
		world_run(kind, seed, n, false, &r);
		if (r.failed)
			return n;
	}
	return 0;
}

static void tell(const struct plan *p, int kind, uint64_t seed,
		 const char *why)
{
	uint32_t rounds = p->rounds ? p->rounds : fewest_rounds(kind, seed);
	char opt[32] = "";

	if (rounds)
		(void)snprintf(opt, sizeof(opt), " --rounds %u", rounds);
	printf("FAIL %s seed=%llu %s\n"
	       "     tests/cluster/simrun --kind %s --seed %llu%s --trace\n",
	       world_kinds[kind].name, (unsigned long long)seed, why,
	       world_kinds[kind].name, (unsigned long long)seed, opt);
	(void)fflush(stdout);
}

static void work(const struct plan *p, struct job *j)
{
	uint64_t told = 0;

	for (uint64_t i = j->next; i < p->seeds; i += (uint64_t)p->jobs) {
		int k = kind_of(p, i);
		struct world_report r;

		j->next = i;
		j->since = time(NULL);
		world_run(k, seed_of(p, i), p->rounds, false, &r);
		j->seeds[k]++;
		j->ms[k] += r.ms;
		j->ops[k] += r.ops;
		j->frames[k] += r.frames;
		for (int f = 0; f < FAULTS; f++)
			j->faults[k][f] += r.faults[f];
		if (!r.failed)
			continue;
		j->bad[k]++;
		if (told++ < TELL)
			tell(p, k, seed_of(p, i), r.why);
	}
	j->over = true;
}

static void start(const struct plan *p, struct job *j)
{
	(void)fflush(stdout);
	j->since = time(NULL);
	j->pid = fork();
	if (j->pid < 0) {
		perror("fork");
		exit(2);
	}
	if (j->pid == 0) {
		work(p, j);
		(void)fflush(stdout);
		_exit(0);
	}
}

/* It ended before its list did: the seed it was at is to blame. It goes on
 * with the next one. */
static void died(const struct plan *p, struct job *j, const char *how)
{
	int k = kind_of(p, j->next);

	printf("FAIL %s seed=%llu %s\n"
	       "     tests/cluster/simrun --kind %s --seed %llu --trace\n",
	       world_kinds[k].name,
	       (unsigned long long)seed_of(p, j->next), how,
	       world_kinds[k].name, (unsigned long long)seed_of(p, j->next));
	j->bad[k]++;
	j->seeds[k]++;
	j->next += (uint64_t)p->jobs;
	if (j->next < p->seeds && j->bad[k] < TELL)
		start(p, j);
	else
		j->over = true;
}

static uint64_t all_seeds(const struct plan *p, const struct job *jobs)
{
	uint64_t n = 0;

	for (int j = 0; j < p->jobs; j++)
		for (int k = 0; k < KINDS; k++)
			n += jobs[j].seeds[k];
	return n;
}

static bool all_over(const struct plan *p, const struct job *jobs)
{
	for (int j = 0; j < p->jobs; j++)
		if (!jobs[j].over)
			return false;
	return true;
}

static void watch(const struct plan *p, struct job *jobs)
{
	time_t begun = time(NULL), told = begun;

	for (int j = 0; j < p->jobs; j++)
		if (jobs[j].next < p->seeds)
			start(p, &jobs[j]);
		else
			jobs[j].over = true;
	while (!all_over(p, jobs)) {
		struct timespec pause = { 0, 50000000 };

		(void)nanosleep(&pause, NULL);
		for (int j = 0; j < p->jobs; j++) {
			struct job *b = &jobs[j];
			int st;

			if (b->over && b->pid == 0)
				continue;
			if (b->pid && time(NULL) - b->since > HANG)
				(void)kill(b->pid, SIGKILL);
			if (!b->pid || waitpid(b->pid, &st, WNOHANG) <= 0)
				continue;
			b->pid = 0;
			if (WIFSIGNALED(st))
				died(p, b, WTERMSIG(st) == SIGKILL ?
				     "hangs" : "crashes");
			else if (WEXITSTATUS(st))
				died(p, b, "ends with an error");
		}
		if (time(NULL) - told >= 2) {
			told = time(NULL);
			printf("%4ld s  %llu of %llu seeds\n",
			       (long)(told - begun),
			       (unsigned long long)all_seeds(p, jobs),
			       (unsigned long long)p->seeds);
			(void)fflush(stdout);
		}
	}
}

/* One line for each kind. @return it passed */
static bool sum_up(const struct plan *p, const struct job *jobs, int k)
{
	struct job t = { 0 };
	bool ok;

	for (int j = 0; j < p->jobs; j++) {
		t.seeds[0] += jobs[j].seeds[k];
		t.ms[0] += jobs[j].ms[k];
		t.ops[0] += jobs[j].ops[k];
		t.frames[0] += jobs[j].frames[k];
		t.bad[0] += jobs[j].bad[k];
		for (int f = 0; f < FAULTS; f++)
			t.faults[0][f] += jobs[j].faults[k][f];
	}
	ok = t.bad[0] == 0 && t.seeds[0] > 0;
	printf("%-7s %7llu seeds %8.1f h %9llu ops %10llu frames;",
	       world_kinds[k].name, (unsigned long long)t.seeds[0],
	       (double)t.ms[0] / 3.6e6, (unsigned long long)t.ops[0],
	       (unsigned long long)t.frames[0]);
	for (int f = 0; f < FAULTS; f++) {
		if (!(world_kinds[k].faults >> f & 1))
			continue;
		printf(" %s %llu", fault_name((enum fault)f),
		       (unsigned long long)t.faults[0][f]);
		ok = ok && t.faults[0][f] > 0;
	}
	printf("\n");
	for (int f = 0; f < FAULTS; f++)
		if (world_kinds[k].faults >> f & 1 && !t.faults[0][f])
			printf("FAIL %s: no %s happened\n",
			       world_kinds[k].name,
			       fault_name((enum fault)f));
	return ok;
}

/* Those that are over wait to be looked at */
static void reap(const struct plan *p, struct job *jobs)
{
	for (int j = 0; j < p->jobs; j++)
		if (jobs[j].pid)
			(void)waitpid(jobs[j].pid, NULL, 0);
}

static int run_all(const struct plan *p)
{
	struct job *jobs = mmap(NULL, sizeof(*jobs) * JOBS,
				PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int good = 0;

	if (jobs == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	for (int j = 0; j < p->jobs; j++)
		jobs[j].next = (uint64_t)j;
	watch(p, jobs);
	reap(p, jobs);
	for (int k = 0; k < p->n; k++)
		good += sum_up(p, jobs, p->kind[k]);
	printf("%d passed, %d failed\n", good, p->n - good);
	return good == p->n ? 0 : 1;
}

static int run_one(const struct plan *p)
{
	struct world_report r;

	if (p->trace)
		log_init("simrun", LOG_TO_STDERR, LOG_LV_INFO);
	world_run(p->kind[0], p->from, p->rounds, p->trace, &r);
	if (r.failed)
		printf("FAIL %s seed=%llu %s\n",
		       world_kinds[p->kind[0]].name,
		       (unsigned long long)p->from, r.why);
	else
		printf("ok %s seed %llu: %.1f s, %llu ops, %llu frames\n",
		       world_kinds[p->kind[0]].name,
		       (unsigned long long)p->from, (double)r.ms / 1000,
		       (unsigned long long)r.ops,
		       (unsigned long long)r.frames);
	return r.failed;
}

/* --- command line ------------------------------------------------------------------ */

static bool number(const char *s, uint64_t max, uint64_t *v)
{
	char *end;

	errno = 0;
	*v = strtoull(s, &end, 10);
	return !errno && end != s && !*end && *s != '-' && *v <= max;
}

static bool kinds(struct plan *p, char *list)
{
	char *save = NULL;

	p->n = 0;
	for (char *s = strtok_r(list, ",", &save); s && p->n < KINDS;
	     s = strtok_r(NULL, ",", &save)) {
		p->kind[p->n] = world_kind(s);
		if (p->kind[p->n++] < 0) {
			fprintf(stderr, "simrun: no kind '%s'\n", s);
			return false;
		}
	}
	return p->n > 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: simrun [--seeds N] [--from S] [--jobs J] "
		"[--kind K[,K...]]\n"
		"       simrun --kind K --seed S [--rounds R] [--trace]\n"
		"       simrun --list\n");
	return 2;
}

static int list(void)
{
	for (int k = 0; k < world_nkinds; k++) {
		printf("%-7s", world_kinds[k].name);
		for (int f = 0; f < FAULTS; f++)
			if (world_kinds[k].faults >> f & 1)
				printf(" %s", fault_name((enum fault)f));
		printf("\n");
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "seeds", 1, NULL, 'n' }, { "from", 1, NULL, 'f' },
		{ "jobs", 1, NULL, 'j' }, { "kind", 1, NULL, 'k' },
		{ "seed", 1, NULL, 's' }, { "rounds", 1, NULL, 'r' },
		{ "trace", 0, NULL, 't' }, { "list", 0, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	struct plan p = { .seeds = 1000, .from = 1,
			  .jobs = (int)sysconf(_SC_NPROCESSORS_ONLN) };
	bool one = false;
	uint64_t v;
	int o;

	log_init("simrun", LOG_TO_NONE, LOG_LV_ERROR);
	for (p.n = 0; p.n < world_nkinds; p.n++)
		p.kind[p.n] = p.n;
	while ((o = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (o == 'l')
			return list();
		if (o == 't') {
			p.trace = true;
			continue;
		}
		if (o == 'k') {
			if (!kinds(&p, optarg))
				return 2;
			continue;
		}
		if (o == '?' || !number(optarg, o == 'j' ? JOBS :
					o == 'r' ? 10000 : UINT64_MAX / 2,
					&v))
			return usage();
		if (o == 'n')
			p.seeds = v;
		else if (o == 'f' || o == 's')
			p.from = v;
		else if (o == 'j')
			p.jobs = v ? (int)v : 1;
		else if (o == 'r')
			p.rounds = (uint32_t)v;
		one = one || o == 's';
	}
	if (optind != argc || (one && p.n != 1) || (p.trace && !one))
		return usage();
	if (p.jobs < 1 || p.jobs > JOBS)
		p.jobs = 1;
	return one ? run_one(&p) : run_all(&p);
}
