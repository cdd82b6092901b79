/* persist_run.c - Shell. */
#include "node/persist_run.h"
#include "base/prio.h"
#include "db/db_location.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { NICE = 10 };                /* of the thread that writes               */

/* --- in the thread ------------------------------------------------------- */

/* A record of ours is not longer: what is, counts as damaged */
static void got(struct persist_run *r, struct sl rec)
{
	if (rec.n > REC_SIZE_MAX)
		rec = SL("");
	if (r->out->got.n >= PERSIST_GOT)
		r->overflow = true;
	else
		persist_got(r->out, rec.p, rec.n);
}

static void got_row(const uint8_t id[DB_LOCATION_ID], struct sl rec, void *arg)
{
	struct persist_run *r = arg;

	if (r->overflow)
		return;
	got(r, rec);
	if (!r->overflow)
		memcpy(r->out->last, id, DB_LOCATION_ID);
}

static enum db_err run_read(struct persist_run *r, struct db *db)
{
	struct persist_job *j = r->out;
	unsigned n = 0;
	enum db_err e = db_location_load(db, j->first ? NULL : j->after,
					 PERSIST_CHUNK, got_row, r, &n);

	/* after an overflow the next job begins behind the last one taken */
	j->end = n < PERSIST_CHUNK && !r->overflow;
	return e;
}

static void got_newer(unsigned index, struct sl rec, void *arg)
{
	(void)index;
	got(arg, rec);
}

static void to_row(struct db_location *l, const struct persist_row *r,
		   const char *owner)
{
	memset(l, 0, sizeof(*l));
	memcpy(l->id, r->id, sizeof(l->id));
	l->ver1 = r->ver;
	l->ver2 = r->ver2;
	l->hold_until = r->hold;
	l->expires = r->expires;
	l->dead = r->dead;
	l->cseq = r->cseq;
	l->owner = sl_cstr(owner);
	l->aor = r->aor;
	l->contact = r->contact;
	l->path = r->path;
	l->callid = r->callid;
	l->user_agent = r->agent;
	l->received = r->received;
	l->rec = r->packed;
}

/* The thread yields to SIP from its first write on; the start waits for what
 * it reads before. In idle time alone as long as there is enough of it */
static void yield(struct persist_run *r)
{
	bool hurry = __atomic_load_n(&r->hurry, __ATOMIC_ACQUIRE);

	if (!r->nice)
		r->may_idle = prio_nice(NICE);
	r->nice = true;
	if (!r->may_idle)
		return;
	(void)prio_idle(prio_self(), !hurry);
	__atomic_store_n(&r->tid, prio_self(), __ATOMIC_RELEASE);
}

static enum db_err run_write(struct persist_run *r, struct db *db)
{
	const struct persist_job *j = r->out;
	enum db_err e;

	yield(r);
	for (uint32_t i = 0; i < j->n; i++)
		to_row(&r->rows[i], &j->row[i], r->owner);
	e = db_location_put(db, r->rows, j->n, got_newer, r);
	/* too many rows are newer for one answer: as for a row that is refused,
	 * half as many are tried */
	return e ? e : r->overflow ? DB_DATA : DB_OK;
}

static enum db_err run_sweep(struct persist_run *r, struct db *db)
{
	struct persist_job *j = r->out;
	int64_t n = 0;
	enum db_err e = db_location_sweep(db, j->at, j->n, j->before, &n);

	j->deleted = (uint32_t)n;
	return e;
}

static enum db_err run(struct db *db, struct db_job *job)
{
	struct persist_run *r = (struct persist_run *)job;

	/* it may be run again on another connection */
	buf_reset(&r->out->got);
	r->overflow = false;
	switch (r->out->op) {
	case PERSIST_READ:
		return run_read(r, db);
	case PERSIST_WRITE:
		return run_write(r, db);
	case PERSIST_SWEEP:
		return run_sweep(r, db);
	}
	return DB_OTHER;
}

/* --- in the loop ----------------------------------------------------------- */

/* What is under way is brought on, too. A thread that was just going to yield is
 * found a second later */
void persist_run_hurry(struct persist_run *r)
{
	pid_t tid;

	__atomic_store_n(&r->hurry, true, __ATOMIC_RELEASE);
	tid = __atomic_load_n(&r->tid, __ATOMIC_ACQUIRE);
	if (tid)
		(void)prio_idle(tid, false);
}

void persist_run_no_hurry(struct persist_run *r)
{
	__atomic_store_n(&r->hurry, false, __ATOMIC_RELEASE);
}

int persist_run_init(struct persist_run *r, const char *owner)
{
	r->job.run = run;
	(void)snprintf(r->owner, sizeof(r->owner), "%s", owner);
	r->rows = calloc(PERSIST_BATCH, sizeof(*r->rows));
	return r->rows ? 0 : ENOMEM;
}

void persist_run_close(struct persist_run *r)
{
	free(r->rows);
}
