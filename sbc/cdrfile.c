/* cdrfile.c - Shell. The thread that writes call records. */
#include "sbc/cdrfile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH = 64 << 10,       /**< most written at once [bytes]             */
	AGAIN = 1,              /**< between tries after an error [s]         */
};

struct line {
	struct line *next;
	size_t n;
	char p[];
};

struct cdrfile {
	pthread_mutex_t mu;
	pthread_cond_t work;         /**< for the thread                      */
	pthread_cond_t over;         /**< for who waits for its end           */

	/* under mu */
	struct line *head, **tail;
	size_t bytes;
	char path[512];
	bool reopen, stop, ended;
	unsigned refs;               /**< owner and thread                    */
	struct cdrfile_stats st;

	/* the thread's own */
	int fd;
	char *buf;                   /**< BATCH                               */
	size_t n, done;              /**< bytes in buf, of these written      */
	size_t begun;                /**< where the line at done begins       */
	uint32_t lines;              /**< in buf                              */
};

/* --- the thread --- */

static struct timespec in_s(unsigned s)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += s;
	return t;
}

/** Under mu */
static void take_lines(struct cdrfile *f)
{
	f->n = f->done = f->begun = f->lines = 0;
	while (f->head && f->n + f->head->n <= BATCH) {
		struct line *l = f->head;

		memcpy(f->buf + f->n, l->p, l->n);
		f->n += l->n;
		f->lines++;
		f->head = l->next;
		f->bytes -= l->n;
		free(l);
	}
	if (!f->head)
		f->tail = &f->head;
}

/** A line that was begun by a process that died is ended first */
static void end_line(int fd)
{
	struct stat st;
	char c;

	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size &&
	    pread(fd, &c, 1, st.st_size - 1) == 1 && c != '\n' &&
	    write(fd, "\n", 1) < 0)
		return;         /* the next write will fail alike */
}

static int open_file(struct cdrfile *f, const char *path)
{
	if (f->fd >= 0)
		return 0;
	f->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY |
		     O_NONBLOCK, 0640);
	if (f->fd < 0)
		return errno;
	end_line(f->fd);
	return 0;
}

/** The file is another one from now on: a line half in the old one begins anew */
static void close_file(struct cdrfile *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);     /* what counts was told by write() */
	f->fd = -1;
	f->done = f->begun;
}

/** Past the last line end before `done` */
static size_t line_begin(const struct cdrfile *f)
{
	size_t at = f->done;

	while (at > f->begun && f->buf[at - 1] != '\n')
		at--;
	return at;
}

static int write_batch(struct cdrfile *f, const char *path)
{
	int err = open_file(f, path);

	while (!err && f->done < f->n) {
		ssize_t w = write(f->fd, f->buf + f->done, f->n - f->done);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return w < 0 ? errno : EIO;
		f->done += (size_t)w;
		f->begun = line_begin(f);
	}
	return err;
}

/** Wait for something to do. Under mu. @return false: the end */
static bool wait_work(struct cdrfile *f)
{
	if (f->st.err && f->done < f->n) {
		struct timespec t = in_s(AGAIN);

		while (!f->stop && !f->reopen &&
		       pthread_cond_timedwait(&f->work, &f->mu, &t) !=
		       ETIMEDOUT)
			;
		return !f->stop || f->reopen;
	}
	while (!f->stop && !f->reopen && !f->head)
		(void)pthread_cond_wait(&f->work, &f->mu);
	return !f->stop || f->head;
}

/** Under mu; gives it back, and frees f when nobody has it any more */
static void unref(struct cdrfile *f)
{
	bool last = !--f->refs;
	struct line *l;

	(void)pthread_mutex_unlock(&f->mu);
	if (!last)
		return;
	while ((l = f->head)) {
		f->head = l->next;
		free(l);
	}
	(void)pthread_cond_destroy(&f->work);
	(void)pthread_cond_destroy(&f->over);
	(void)pthread_mutex_destroy(&f->mu);
	free(f->buf);
	free(f);
}

static void *run(void *arg)
{
	struct cdrfile *f = arg;
	char path[sizeof(f->path)];
	int err;

	(void)pthread_mutex_lock(&f->mu);
	while (wait_work(f)) {
		if (f->reopen)
			close_file(f);
		f->reopen = false;
		memcpy(path, f->path, sizeof(path));
		if (f->done == f->n)
			take_lines(f);
		(void)pthread_mutex_unlock(&f->mu);
		err = write_batch(f, path);
		(void)pthread_mutex_lock(&f->mu);
		f->st.err = err;
		f->st.errors += err != 0;
		if (err)
			continue;
		f->st.written += f->lines;
		f->st.waiting -= f->lines;
		f->lines = 0;
	}
	close_file(f);
	f->ended = true;
	(void)pthread_cond_signal(&f->over);
	unref(f);
	return NULL;
}

/* --- the owner --- */

static int start(struct cdrfile *f)
{
	pthread_attr_t at;
	sigset_t all, was;
	pthread_t th;
	int err;

	/* signals are the event loop's */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &was);
	err = pthread_attr_init(&at);
	if (!err) {
		(void)pthread_attr_setdetachstate(&at,
						  PTHREAD_CREATE_DETACHED);
		err = pthread_create(&th, &at, run, f);
		(void)pthread_attr_destroy(&at);
	}
	(void)pthread_sigmask(SIG_SETMASK, &was, NULL);
	return err;
}

int cdrfile_alloc(struct cdrfile **fp, const char *path)
{
	size_t n = strlen(path);
	struct cdrfile *f;
	pthread_condattr_t at;
	int err;

	if (n >= sizeof(f->path))
		return ENAMETOOLONG;
	f = calloc(1, sizeof(*f));
	if (!f)
		return ENOMEM;
	memcpy(f->path, path, n);
	f->tail = &f->head;
	f->fd = -1;
	f->refs = 2;
	f->reopen = true;        /* so that a wrong name is found at once */
	(void)pthread_mutex_init(&f->mu, NULL);
	(void)pthread_condattr_init(&at);
	(void)pthread_condattr_setclock(&at, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&f->work, &at);
	(void)pthread_cond_init(&f->over, &at);
	(void)pthread_condattr_destroy(&at);
	f->buf = malloc(BATCH);
	err = f->buf ? start(f) : ENOMEM;
	if (err) {
		(void)pthread_mutex_lock(&f->mu);
		f->refs = 1;
		unref(f);
		return err;
	}
	*fp = f;
	return 0;
}

uint64_t cdrfile_free(struct cdrfile *f, uint32_t wait_ms)
{
	struct timespec t = in_s(0);
	uint64_t left;

	if (!f)
		return 0;
	t.tv_sec += wait_ms / 1000;
	t.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	(void)pthread_mutex_lock(&f->mu);
	f->stop = true;
	(void)pthread_cond_signal(&f->work);
	while (wait_ms && !f->ended &&
	       pthread_cond_timedwait(&f->over, &f->mu, &t) != ETIMEDOUT)
		;
	left = f->st.waiting;
	unref(f);
	return left;
}

void cdrfile_put(struct cdrfile *f, struct sl line)
{
	struct line *l = malloc(sizeof(*l) + line.n);

	if (l) {
		l->next = NULL;
		l->n = line.n;
		memcpy(l->p, line.p, line.n);
	}
	(void)pthread_mutex_lock(&f->mu);
	if (!l || line.n > BATCH || f->st.waiting >= CDRFILE_LINES ||
	    f->bytes + line.n > CDRFILE_BYTES) {
		f->st.dropped++;
	}
	else {
		*f->tail = l;
		f->tail = &l->next;
		f->bytes += l->n;
		f->st.waiting++;
		l = NULL;
		(void)pthread_cond_signal(&f->work);
	}
	(void)pthread_mutex_unlock(&f->mu);
	free(l);
}

int cdrfile_reopen(struct cdrfile *f, const char *path)
{
	size_t n = strlen(path);

	if (n >= sizeof(f->path))
		return ENAMETOOLONG;
	(void)pthread_mutex_lock(&f->mu);
	memcpy(f->path, path, n + 1);
	f->reopen = true;
	(void)pthread_cond_signal(&f->work);
	(void)pthread_mutex_unlock(&f->mu);
	return 0;
}

void cdrfile_poll(struct cdrfile *f, struct cdrfile_stats *st)
{
	(void)pthread_mutex_lock(&f->mu);
	*st = f->st;
	(void)pthread_mutex_unlock(&f->mu);
}
