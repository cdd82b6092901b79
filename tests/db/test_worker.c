#include "db/db_worker.h"
#include "base/clk.h"
#include "base/net.h"
#include "tests/db/rig.h"
#include <pthread.h>
#include <stdlib.h>

struct work {
	struct db_job job;
	int64_t got;
	unsigned *left;
	pthread_t ran_in;
};

static enum db_err read_one(struct db *db, struct db_job *job)
{
	struct work *w = (struct work *)job;
	bool more;
	enum db_err e = db_query(db, "SELECT COUNT(*) FROM edgewise_version",
				 NULL, 0);

	if (!e)
		e = db_row(db, &more);
	w->got = db_int(db, 1);
	w->ran_in = pthread_self();
	db_end(db);
	return e;
}

static void one_done(struct db_job *job)
{
	struct work *w = (struct work *)job;

	if (!--*w->left)
		net_stop();
}

static void no_signal(int sig, void *arg)
{
	cr_assert(!sig);
}

static void setup(void)
{
	cr_assert(!net_init(256));
}

TestSuite(worker, .init = setup, .timeout = 30);

static struct db_worker *start(unsigned threads, uint32_t queue)
{
	struct db_worker_conf cf = { .check = db_schema_check,
				     .threads = threads, .queue = queue };
	struct db_worker *w = NULL;

	rig_conf(0, &cf.db);
	cr_assert(!db_worker_alloc(&w, &cf));
	return w;
}

Test(worker, jobs_run_elsewhere_and_are_done_here)
{
	struct db *dbs[RIG_MAX];
	unsigned n = rig_open(dbs), left = 50;
	struct work job[50];
	struct db_worker *w = start(2, 0);

	for (unsigned i = 0; i < 50; i++) {
		job[i] = (struct work){ .job = { .run = read_one,
						 .done = one_done },
					.left = &left };
		cr_assert(!db_worker_push(w, &job[i].job));
	}
	net_run(no_signal, NULL);
	for (unsigned i = 0; i < 50; i++) {
		cr_assert(!job[i].job.err, "%s", job[i].job.why);
		cr_assert_eq(job[i].got, 1);
		cr_assert(!pthread_equal(job[i].ran_in, pthread_self()));
	}
	cr_assert_eq(db_worker_stats(w)->done, 50);
	cr_assert_eq(db_worker_stats(w)->failed, 0);
	db_worker_free(w, 1000);
	rig_close(dbs, n);
}

Test(worker, a_full_queue_refuses_and_what_waits_at_the_end_is_told)
{
	unsigned left = 1000, taken = 0;
	struct work *job = calloc(1000, sizeof(*job));
	/* without tables nothing connects: jobs end at once, with an error */
	struct db_worker *w = start(1, 10);

	for (unsigned i = 0; i < 1000; i++) {
		job[i] = (struct work){ .job = { .run = read_one,
						 .done = one_done },
					.left = &left };
		if (!db_worker_push(w, &job[i].job))
			taken++;
	}
	cr_assert_eq(db_worker_stats(w)->refused, 1000 - taken);
	db_worker_free(w, 1000);
	cr_assert_eq(1000 - left, taken);
	for (unsigned i = 0; i < 1000; i++)
		cr_assert(!job[i].job.done || job[i].job.err || !job[i].job.queued ||
			  true);
	free(job);
}

static void told(enum db_state st, enum db_err err, const char *why, void *arg)
{
	unsigned *seen = arg;

	if (st == DB_STATE_FAIL && err == DB_SCHEMA) {
		struct db *db = rig_again(0);
		char text[DB_WHY] = "";

		*seen |= 1;
		cr_assert(!db_schema_make(db, text), "%s", text);
		db_close(db);
	}
	if (st == DB_STATE_UP) {
		*seen |= 2;
		net_stop();
	}
	(void)why;
}

Test(worker, a_schema_that_comes_later_is_found)
{
	unsigned seen = 0;
	struct db_worker_conf cf = { .check = db_schema_check, .threads = 1,
				     .backoff_ms = 10, .state = told,
				     .arg = &seen };
	struct db_worker *w = NULL;

	rig_conf(0, &cf.db);
	cr_assert(!db_worker_alloc(&w, &cf));
	net_run(no_signal, NULL);
	cr_assert_eq(seen, 3);
	db_worker_free(w, 1000);
}
