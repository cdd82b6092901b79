/* race.c - two workers, their threads and a loop, for ThreadSanitizer, which doesn't get
 * on with Criterion: rows written by one while users are looked up by the other, jobs that
 * fail, a full queue, an end with jobs that still wait. Prints `ok` or fails. */
#include "base/clk.h"
#include "base/net.h"
#include "db/db_location.h"
#include "db/db_schema.h"
#include "db/db_subscriber.h"
#include "db/db_worker.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { JOBS = 600, ROWS = 50 };

struct work {
	struct db_job job;
	unsigned number;
	bool found;
};

static struct {
	struct db_worker *write, *look;
	struct work work[JOBS];
	unsigned pushed, done, failed, states;
} t;

static void die(const char *what)
{
	fprintf(stderr, "FAIL %s\n", what);
	_exit(1);
}

static enum db_err put(struct db *db, struct db_job *job)
{
	struct work *w = (struct work *)job;
	struct db_location rows[ROWS];

	for (unsigned i = 0; i < ROWS; i++) {
		rows[i] = (struct db_location){ .ver1 = w->number,
			.aor = SL("sip:a@b"), .contact = SL("sip:a@c"),
			.owner = SL("n"), .rec = SL("record") };
		rows[i].id[15] = (uint8_t)i;
	}
	return db_location_put(db, rows, ROWS, NULL, NULL);
}

static enum db_err look(struct db *db, struct db_job *job)
{
	struct work *w = (struct work *)job;
	struct db_subscriber u;

	return db_subscriber_get(db, SL("alice"), SL("example.com"), &u,
				 &w->found);
}

static enum db_err wrong(struct db *db, struct db_job *job)
{
	bool more;
	enum db_err e = db_query(db, "SELECT nothing FROM nowhere", NULL, 0);

	(void)job;
	if (!e)
		e = db_row(db, &more);
	return e;
}

static void push_more(void);

static void done(struct db_job *job)
{
	t.done++;
	t.failed += job->err != DB_OK;
	if (t.done == JOBS)
		net_stop();
	else
		push_more();
}

static void push_more(void)
{
	while (t.pushed < JOBS) {
		struct work *w = &t.work[t.pushed];
		unsigned kind = t.pushed % 20;

		w->number = t.pushed;
		w->job.run = !kind ? wrong : kind % 2 ? look : put;
		w->job.done = done;
		if (db_worker_push(kind % 2 ? t.look : t.write, &w->job))
			break;
		t.pushed++;
		(void)db_worker_stats(t.look);
	}
}

static void state(enum db_state st, enum db_err err, const char *why, void *arg)
{
	(void)err;
	(void)arg;
	if (st == DB_STATE_FAIL && !*why)
		die("a failure without a text");
	if (!t.states++)
		push_more();
}

static void no_signal(int sig, void *arg)
{
	(void)sig;
	(void)arg;
}

static void last(struct db_job *job)
{
	t.done++;
	(void)job;
}

int main(void)
{
	struct db_worker_conf cf = { .threads = 2, .queue = 8,
				     .backoff_ms = 1, .state = state };
	char dir[] = "/tmp/edgewise-race.XXXXXX", why[DB_WHY] = "", cmd[64];
	struct db_subscriber u = { .username = "alice", .domain = "example.com",
				   .ha1 = "00" };
	struct db *db = NULL;
	bool ok = false;

	if (!mkdtemp(dir) || net_init(256))
		die("no folder");
	snprintf(cf.db.url, sizeof(cf.db.url), "sqlite://%s/e.db", dir);
	cf.db.create = true;
	if (db_open(&db, &cf.db, why) || db_schema_make(db, why) ||
	    db_subscriber_add(db, &u, &ok) || !ok)
		die(why);
	db_close(db);
	cf.check = db_subscriber_check;
	if (db_worker_alloc(&t.look, &cf))
		die("no worker");
	cf.threads = 1;
	cf.check = db_schema_check;
	if (db_worker_alloc(&t.write, &cf))
		die("no worker");
	net_run(no_signal, NULL);
	if (t.failed < JOBS / 20)
		die("wrong statements did not fail");
	for (unsigned i = 0; i < JOBS; i++) {
		if (t.work[i].job.run == look && !t.work[i].job.err &&
		    !t.work[i].found)
			die("a user was not found");
	}
	/* the end with jobs under way */
	t.done = 0;
	for (unsigned i = 0; i < 8; i++) {
		t.work[i].job.run = i % 2 ? look : put;
		t.work[i].job.done = last;
		if (db_worker_push(t.write, &t.work[i].job))
			t.done++;
	}
	db_worker_free(t.write, 5000);
	db_worker_free(t.look, 5000);
	if (t.done != 8)
		die("a job was not told of");
	net_close();
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	printf("ok race: %u jobs, %u failed\n", JOBS, t.failed);
	return system(cmd) != 0;
}
