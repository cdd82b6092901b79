#include "db/db_worker.h"
#include "base/clk.h"
#include "base/net.h"
#include "tests/db/rig.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One kind of server at a time, of those there are */
static bool has(unsigned i)
{
	return !i || getenv(i == 1 ? "EW_TEST_POSTGRESQL" : "EW_TEST_MYSQL");
}

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

/* --- servers that stop answering ------------------------------------------------------ */

static const char *const server_dir[] = { "", "postgresql", "mariadb" };

static void server(const char *what, unsigned i)
{
	char cmd[512];

	snprintf(cmd, sizeof(cmd), "%s %s %s/%s", getenv("EW_TEST_SQLSERVER"),
		 what, getenv("EW_TEST_DIR"), server_dir[i]);
	cr_assert(!system(cmd));
}

static void frozen_job(unsigned i)
{
	struct db_worker_conf cf = { .threads = 1 };
	struct db_worker *w = NULL;
	unsigned left = 1;
	struct work job = { .job = { .run = read_one, .done = one_done },
			    .left = &left };
	uint64_t t0;

	rig_conf(i, &cf.db);
	cf.db.query_ms = 500;
	cf.db.connect_ms = 2000;
	cr_assert(!db_worker_alloc(&w, &cf));
	cr_assert(!db_worker_push(w, &job.job));
	net_run(no_signal, NULL);
	cr_assert(!job.job.err, "%s", job.job.why);
	server("freeze", i);
	t0 = clk_now();
	left = 1;
	cr_assert(!db_worker_push(w, &job.job));
	net_run(no_signal, NULL);
	server("thaw", i);
	cr_assert_eq(job.job.err, DB_TIMEOUT, "%s: %s",
		     db_err_name(job.job.err), job.job.why);
	cr_assert(clk_now() - t0 < 4000, "%u ms", (unsigned)(clk_now() - t0));
	cr_assert_eq(db_worker_stats(w)->cut, 1);
	/* and is back by itself */
	for (int k = 0; k < 100 && (k == 0 || job.job.err); k++) {
		left = 1;
		cr_assert(!db_worker_push(w, &job.job));
		net_run(no_signal, NULL);
		usleep(job.job.err ? 50000 : 0);
	}
	cr_assert(!job.job.err, "%s", job.job.why);
	db_worker_free(w, 1000);
}

Test(worker, a_frozen_server_is_cut_off_and_found_again, .timeout = 60)
{
	struct db *dbs[RIG_MAX];
	unsigned n = rig_open(dbs);

	for (unsigned i = 1; i < RIG_MAX; i++) {
		if (has(i) && getenv("EW_TEST_SQLSERVER"))
			frozen_job(i);
	}
	rig_close(dbs, n);
}

static void never(struct db_job *job)
{
	cr_assert(job->err);
}

/** A connection to a frozen server; libpq waits for 2 s at least */
static void new_one_gives_up(struct db_conf *cf)
{
	struct db *db = NULL;
	char why[DB_WHY] = "";
	uint64_t t0 = clk_now();
	enum db_err e;

	cf->connect_ms = 1000;
	e = db_open(&db, cf, why);
	cr_assert_eq(e, DB_TIMEOUT, "%s: %s", db_err_name(e), why);
	cr_assert(clk_now() - t0 < 4000);
}

Test(worker, the_end_waits_for_no_frozen_server, .timeout = 60)
{
	struct db *dbs[RIG_MAX];
	unsigned n = rig_open(dbs);

	for (unsigned i = 1; i < RIG_MAX; i++) {
		struct db_worker_conf cf = { .threads = 1 };
		struct db_worker *w = NULL;
		unsigned left = 1;
		struct work job = { .job = { .run = read_one, .done = one_done },
				    .left = &left };
		uint64_t t0;

		if (!has(i) || !getenv("EW_TEST_SQLSERVER"))
			continue;
		rig_conf(i, &cf.db);
		cr_assert(!db_worker_alloc(&w, &cf));
		cr_assert(!db_worker_push(w, &job.job));
		net_run(no_signal, NULL);
		server("freeze", i);
		job.job.done = never;
		cr_assert(!db_worker_push(w, &job.job));
		t0 = clk_now();
		db_worker_free(w, 300);
		t0 = clk_now() - t0;
		new_one_gives_up(&cf.db);
		server("thaw", i);
		cr_assert(t0 < 1800, "%u ms", (unsigned)t0);
	}
	rig_close(dbs, n);
}

Test(worker, a_server_that_was_started_again_costs_no_job, .timeout = 90)
{
	struct db *dbs[RIG_MAX];
	unsigned n = rig_open(dbs);

	for (unsigned i = 1; i < RIG_MAX; i++) {
		struct db_worker_conf cf = { .threads = 1 };
		struct db_worker *w = NULL;
		unsigned left = 1;
		struct work job = { .job = { .run = read_one, .done = one_done },
				    .left = &left };
		char cmd[600], *port;

		if (!has(i) || !getenv("EW_TEST_SQLSERVER"))
			continue;
		rig_conf(i, &cf.db);
		cr_assert(!db_worker_alloc(&w, &cf));
		cr_assert(!db_worker_push(w, &job.job));
		net_run(no_signal, NULL);
		server("kill", i);
		port = strrchr(cf.db.url, ':') + 1;
		snprintf(cmd, sizeof(cmd), "%s start %s %s/%s %u >/dev/null",
			 getenv("EW_TEST_SQLSERVER"), server_dir[i],
			 getenv("EW_TEST_DIR"), server_dir[i],
			 (unsigned)atoi(port));
		cr_assert(!system(cmd));
		left = 1;
		cr_assert(!db_worker_push(w, &job.job));
		net_run(no_signal, NULL);
		cr_assert(!job.job.err, "%s", job.job.why);
		db_worker_free(w, 1000);
	}
	rig_close(dbs, n);
}

Test(worker, a_wrong_password_is_denied_and_shown_nowhere)
{
	for (unsigned i = 1; i < RIG_MAX; i++) {
		struct db_conf cf;
		struct db *db = NULL;
		char why[DB_WHY] = "", *pw;
		enum db_err e;

		if (!has(i))
			continue;
		rig_conf(i, &cf);
		pw = strstr(cf.url, "secret@");
		cr_assert(pw);
		memcpy(pw, "wrONg1@", 7);
		memmove(pw + 7, pw + 7, strlen(pw + 7) + 1);
		e = db_open(&db, &cf, why);
		cr_assert_eq(e, DB_DENIED, "%s: %s", db_err_name(e), why);
		cr_assert(!strstr(why, "wrONg1"), "%s", why);
	}
}
