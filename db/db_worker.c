/* db_worker.c - Shell. */
#include "db/db_worker.h"
#include "base/clk.h"
#include "base/net.h"
#include "db/db_url.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define LOOK_MS 250       /**< between looks for statements that take too long */
#define LAST_MS 1000      /**< for threads whose connection was cut at the end */

struct list {
	struct db_job *first, **last;
};

/** One thread. What it shares is under the worker's lock. */
struct thread {
	struct db_worker *w;
	pthread_t id;
	struct db *db;             /**< connected; the thread alone uses and ends it */
	struct db_job *job;        /**< running                                 */
	bool cut;                  /**< its statement was interrupted           */
	bool begun, done;          /**< it was started; it needs the worker no more */
	/* what the loop is told of */
	enum db_state st;
	enum db_err err;
	char why[DB_WHY];
	/* the thread's own */
	uint64_t retry_at;
	uint32_t pause;
	bool used;                 /**< a job succeeded on this connection      */
};

struct db_worker {
	struct db_worker_conf cf;
	pthread_mutex_t lock;
	pthread_cond_t work;       /**< something to do                         */
	pthread_cond_t ended;      /**< a thread went                           */
	struct thread thread[THREADS];
	unsigned alive;            /**< threads                                 */
	bool stop;
	bool left;                 /**< the loop has gone: the last one frees   */
	int fd;                    /**< wakes the loop                          */
	struct list queue, finished;
	uint64_t waiting, running, connects;
	/* the loop's own */
	struct nfd *nfd;
	struct ntimer *timer;
	struct db_worker_stats stats;
	enum db_state st;
	enum db_err err;
	char why[DB_WHY];
};

static void list_init(struct list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void list_put(struct list *l, struct db_job *j)
{
	j->next = NULL;
	*l->last = j;
	l->last = &j->next;
}

static struct db_job *list_take(struct list *l)
{
	struct db_job *j = l->first;

	if (j) {
		l->first = j->next;
		if (!l->first)
			l->last = &l->first;
	}
	return j;
}

/* --- the threads ------------------------------------------------------------------- */

/** An eventfd only fails to take more when it was not read for ever */
static void wake_loop(struct db_worker *w)
{
	uint64_t one = 1;

	if (write(w->fd, &one, sizeof(one)) < 0)
		return;
}

static void tell(struct thread *t, enum db_state st, enum db_err err,
		 const char *why)
{
	t->st = st;
	t->err = err;
	snprintf(t->why, sizeof(t->why), "%s", why);
	wake_loop(t->w);
}

/** With the lock; without it while connecting */
static void connect_db(struct thread *t)
{
	struct db_worker *w = t->w;
	struct db *db = NULL;
	char why[DB_WHY] = "";
	enum db_err e;

	pthread_mutex_unlock(&w->lock);
	e = db_open(&db, &w->cf.db, why);
	pthread_mutex_lock(&w->lock);
	if (!e) {
		t->db = db;
		t->cut = false;
	}
	if (!e && w->cf.check) {
		pthread_mutex_unlock(&w->lock);
		e = w->cf.check(db, why);
		pthread_mutex_lock(&w->lock);
	}
	if (!e) {
		t->pause = 0;
		t->used = false;
		w->connects++;
		tell(t, DB_STATE_UP, DB_OK, "");
		return;
	}
	t->db = NULL;
	if (db) {
		(void)db_interrupt(db);
		pthread_mutex_unlock(&w->lock);
		db_close(db);
		pthread_mutex_lock(&w->lock);
	}
	t->pause = t->pause ? t->pause * 2 : w->cf.backoff_ms;
	if (t->pause > w->cf.backoff_max_ms)
		t->pause = w->cf.backoff_max_ms;
	t->retry_at = clk_now() + t->pause;
	tell(t, DB_STATE_FAIL, e, why);
}

/** With the lock */
static void disconnect(struct thread *t)
{
	struct db *db = t->db;

	if (!db)
		return;
	t->db = NULL;
	/* no good-byes: a server that hangs would be waited for */
	(void)db_interrupt(db);
	pthread_mutex_unlock(&t->w->lock);
	db_close(db);
	pthread_mutex_lock(&t->w->lock);
}

static bool connection_is_good(enum db_err e)
{
	return e == DB_OK || e == DB_LOCKED || e == DB_DATA || e == DB_FULL ||
		e == DB_DENIED;
}

/** With the lock; without it while it runs */
static void run_once(struct thread *t, struct db_job *j)
{
	struct db *db = t->db;
	enum db_err e;

	pthread_mutex_unlock(&t->w->lock);
	e = j->run(db, j);
	j->err = e;
	j->why[0] = 0;
	if (e)
		snprintf(j->why, sizeof(j->why), "%s", db_why(db));
	pthread_mutex_lock(&t->w->lock);
	if (!connection_is_good(e)) {
		disconnect(t);
		t->retry_at = 0;
		t->pause = 0;
	}
}

static void run_job(struct thread *t, struct db_job *j)
{
	bool used;

	j->started = clk_now();
	if (!t->db && clk_now() >= t->retry_at)
		connect_db(t);
	if (!t->db) {
		j->err = t->err;
		snprintf(j->why, sizeof(j->why), "%s", t->why);
		return;
	}
	used = t->used;
	run_once(t, j);
	/* the server was started again since the last job: nobody need know */
	if (j->err == DB_DOWN && used && !t->w->stop) {
		connect_db(t);
		if (t->db)
			run_once(t, j);
	}
	if (!t->db && !connection_is_good(j->err) && t->st == DB_STATE_UP)
		tell(t, DB_STATE_FAIL, j->err, j->why);
	t->used = t->used || !j->err;
}

static void wait_for_work(struct thread *t)
{
	struct db_worker *w = t->w;
	uint64_t now = clk_now();
	uint64_t ms = t->retry_at > now ? t->retry_at - now : 1;
	struct timespec ts;

	if (t->db) {
		pthread_cond_wait(&w->work, &w->lock);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += (time_t)(ms / 1000);
	ts.tv_nsec += (long)(ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&w->work, &w->lock, &ts);
}

static void worker_end(struct db_worker *w)
{
	close(w->fd);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->work);
	pthread_cond_destroy(&w->ended);
	explicit_bzero(&w->cf, sizeof(w->cf));
	free(w);
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	struct db_worker *w = t->w;
	bool last;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		struct db_job *j = list_take(&w->queue);

		if (j) {
			w->waiting--;
			w->running++;
			t->job = j;
			run_job(t, j);
			t->job = NULL;
			w->running--;
			list_put(&w->finished, j);
			wake_loop(w);
		}
		else if (!t->db && clk_now() >= t->retry_at) {
			connect_db(t);
		}
		else {
			wait_for_work(t);
		}
	}
	disconnect(t);
	w->alive--;
	t->done = true;
	last = w->left && !w->alive;
	pthread_cond_signal(&w->ended);
	pthread_mutex_unlock(&w->lock);
	if (last)
		worker_end(w);
	return NULL;
}

/* --- the loop ------------------------------------------------------------------------ */

static void deliver(struct db_worker *w, struct db_job *j)
{
	w->stats.done++;
	if (j->started)
		stat_hist_add(&w->stats.run, (clk_now() - j->started) * 1000);
	if (j->err) {
		w->stats.failed++;
		w->stats.errors[j->err < DB_ERR_N ? j->err : DB_OTHER]++;
	}
	j->done(j);
}

/** The worst of the threads. With the lock. @return true: changed */
static bool look_at_state(struct db_worker *w)
{
	enum db_state st = DB_STATE_START;
	const struct thread *bad = NULL;
	enum db_err err;
	bool changed;

	for (unsigned i = 0; i < w->cf.threads; i++) {
		const struct thread *t = &w->thread[i];

		if (t->st == DB_STATE_FAIL && !bad)
			bad = t;
		if (t->st == DB_STATE_UP)
			st = DB_STATE_UP;
	}
	if (bad)
		st = DB_STATE_FAIL;
	err = bad ? bad->err : DB_OK;
	changed = st != w->st || err != w->err;
	w->st = st;
	w->err = err;
	snprintf(w->why, sizeof(w->why), "%s", bad ? bad->why : "");
	w->stats.up = st == DB_STATE_UP;
	return changed;
}

static void on_wake(int flags, void *arg)
{
	struct db_worker *w = arg;
	struct db_job *j;
	uint64_t n;
	bool changed;

	(void)flags;
	if (read(w->fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return;
	pthread_mutex_lock(&w->lock);
	j = w->finished.first;
	list_init(&w->finished);
	changed = look_at_state(w);
	pthread_mutex_unlock(&w->lock);
	if (changed && w->cf.state)
		w->cf.state(w->st, w->err, w->why, w->cf.arg);
	while (j) {
		struct db_job *next = j->next;

		deliver(w, j);
		j = next;
	}
}

/** With the lock. Cut the connections whose statement takes too long */
static void cut(struct db_worker *w, uint64_t limit)
{
	uint64_t now = clk_now();

	for (unsigned i = 0; i < w->cf.threads; i++) {
		struct thread *t = &w->thread[i];

		if (t->db && !t->cut && db_busy(t->db, now) > limit) {
			t->cut = true;
			if (db_interrupt(t->db))
				w->stats.cut++;
		}
	}
}

static void on_timer(void *arg)
{
	struct db_worker *w = arg;

	pthread_mutex_lock(&w->lock);
	cut(w, w->cf.db.query_ms + 1000);
	pthread_mutex_unlock(&w->lock);
	ntimer_at(w->timer, clk_now() + LOOK_MS);
}

static int start_threads(struct db_worker *w)
{
	sigset_t all, old;
	int err = 0;

	/* signals are for the loop */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_mutex_lock(&w->lock);
	for (unsigned i = 0; !err && i < w->cf.threads; i++) {
		struct thread *t = &w->thread[i];

		t->w = w;
		err = pthread_create(&t->id, NULL, thread_main, t);
		if (!err) {
			t->begun = true;
			w->alive++;
		}
	}
	pthread_mutex_unlock(&w->lock);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

static void defaults(struct db_worker_conf *cf)
{
	if (!cf->queue)
		cf->queue = 1024;
	if (!cf->backoff_ms)
		cf->backoff_ms = 250;
	if (!cf->backoff_max_ms)
		cf->backoff_max_ms = 5000;
	if (!cf->db.query_ms)
		cf->db.query_ms = 5000;
}

int db_worker_alloc(struct db_worker **wp, const struct db_worker_conf *cf)
{
	struct db_worker *w;
	struct db_url u;
	pthread_condattr_t attr;
	int err = 0;

	if (db_url_parse(&u, sl_cstr(cf->db.url)) || !cf->threads ||
	    cf->threads > THREADS)
		return EINVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return ENOMEM;
	w->cf = *cf;
	defaults(&w->cf);
	list_init(&w->queue);
	list_init(&w->finished);
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->work, &attr);
	pthread_cond_init(&w->ended, &attr);
	pthread_condattr_destroy(&attr);
	w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = w->fd < 0 ? errno :
		nfd_alloc(&w->nfd, w->fd, NET_READ, on_wake, w);
	if (!err)
		err = ntimer_alloc(&w->timer, on_timer, w);
	if (!err)
		err = start_threads(w);
	if (err) {
		db_worker_free(w, 0);
		return err;
	}
	ntimer_at(w->timer, clk_now() + LOOK_MS);
	*wp = w;
	return 0;
}

/** With the lock. @return true: all threads have ended within `ms` */
static bool wait_threads(struct db_worker *w, uint32_t ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += (time_t)(ms / 1000);
	ts.tv_nsec += (long)(ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	while (w->alive) {
		if (pthread_cond_timedwait(&w->ended, &w->lock, &ts))
			break;
	}
	return !w->alive;
}

/** With the lock. @return number of `id`: threads at their end, to be waited for, so that what libraries
 * clean up in them is done when the process ends. Those that hang are left to themselves. */
static unsigned ended_threads(struct db_worker *w, pthread_t *id)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->cf.threads; i++) {
		struct thread *t = &w->thread[i];

		if (t->begun && t->done)
			id[n++] = t->id;
		else if (t->begun)
			pthread_detach(t->id);
	}
	return n;
}

void db_worker_free(struct db_worker *w, uint32_t wait_ms)
{
	pthread_t ended[THREADS];
	struct db_job *j;
	unsigned n;
	bool last;

	if (!w)
		return;
	nfd_free(w->nfd);
	ntimer_free(w->timer);
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_broadcast(&w->work);
	if (!wait_threads(w, wait_ms)) {
		cut(w, 0);
		(void)wait_threads(w, LAST_MS);
	}
	while ((j = list_take(&w->finished)))
		deliver(w, j);
	while ((j = list_take(&w->queue))) {
		j->err = DB_DOWN;
		snprintf(j->why, sizeof(j->why), "stopped");
		deliver(w, j);
	}
	/* threads that still hang use it: the last of them frees it */
	w->left = true;
	last = !w->alive;
	n = ended_threads(w, ended);
	pthread_mutex_unlock(&w->lock);
	while (n > 0)
		pthread_join(ended[--n], NULL);
	if (last)
		worker_end(w);
}

int db_worker_push(struct db_worker *w, struct db_job *job)
{
	bool full;

	job->err = DB_OK;
	job->why[0] = 0;
	job->started = 0;
	job->queued = clk_now();
	pthread_mutex_lock(&w->lock);
	full = w->waiting >= w->cf.queue;
	if (!full) {
		list_put(&w->queue, job);
		w->waiting++;
		pthread_cond_signal(&w->work);
	}
	pthread_mutex_unlock(&w->lock);
	if (full)
		w->stats.refused++;
	else
		w->stats.queued++;
	return full ? ENOBUFS : 0;
}

const struct db_worker_stats *db_worker_stats(struct db_worker *w)
{
	uint64_t now = clk_now(), oldest = now;

	pthread_mutex_lock(&w->lock);
	w->stats.waiting = w->waiting;
	w->stats.running = w->running;
	w->stats.connects = w->connects;
	if (w->queue.first && w->queue.first->queued < oldest)
		oldest = w->queue.first->queued;
	for (unsigned i = 0; i < w->cf.threads; i++) {
		const struct db_job *j = w->thread[i].job;

		if (j && j->queued < oldest)
			oldest = j->queued;
	}
	pthread_mutex_unlock(&w->lock);
	w->stats.oldest_ms = now - oldest;
	return &w->stats;
}

enum db_state db_worker_state(const struct db_worker *w, enum db_err *err,
			      const char **why)
{
	*err = w->err;
	*why = w->why;
	return w->st;
}
