/* persist.c - Pure. When what is read, written, tried again. */
#include "node/persist_i.h"
#include <errno.h>
#include <stdlib.h>

enum {
	START = 128,               /* rows taken in one turn before SIP waits */
	TURN = 40,                 /* records or rows after it: 40 to 100 us */
	BACKOFF = 500,             /* [ms] after a failure, doubling         */
	BACKOFF_MAX = 15000,
	SWEEP = 8192,              /* rows looked at in one interval         */
	SWEEP_FIRST = 60000,       /* [ms] after the start, so that a clock that
				      is being set deletes nothing           */
	RELOAD = 30000,            /* [ms] rows from a later clock: look again */
	STEP = 60000,              /* [ms] the clock was set                 */
	STEP_WAIT = 600000,        /* [ms] nothing is deleted after that     */
};

/* --- life ------------------------------------------------------------------- */

int persist_alloc(struct persist **pp, const struct persist_conf *cf,
		  uint64_t now, uint64_t wall)
{
	struct persist *p = calloc(1, sizeof(*p));

	if (!p)
		return ENOMEM;
	p->cf = *cf;
	rng_seed(&p->rng, cf->seed);
	p->phase = PERSIST_PH_LOAD;
	p->limit = PERSIST_BATCH;
	p->safe_at = now;
	p->sweep_at = now + SWEEP_FIRST;
	p->load_at = p->twice_at = UINT64_MAX;
	buf_init(&p->job.got, PERSIST_GOT + REC_SIZE_MAX + 4);
	p->mem = malloc(PERSIST_BYTES);
	p->job.row = calloc(PERSIST_BATCH, sizeof(*p->job.row));
	store_cursor_add(cf->store, &p->read, 0);
	store_cursor_add(cf->store, &p->conf, 0);
	if (!p->mem || !p->job.row) {
		persist_free(p);
		return ENOMEM;
	}
	persist_read_job(p, true);
	p->offset = (int64_t)(wall - now);
	*pp = p;
	return 0;
}

void persist_free(struct persist *p)
{
	if (!p)
		return;
	store_cursor_del(p->cf.store, &p->read);
	store_cursor_del(p->cf.store, &p->conf);
	buf_free(&p->job.got);
	free(p->job.row);
	free(p->seen.tab);
	free(p->mem);
	free(p);
}

void persist_reconf(struct persist *p, uint32_t interval, uint64_t keep)
{
	p->cf.interval = interval;
	p->cf.keep = keep;
}

/* --- jobs ------------------------------------------------------------------- */

static void job_ready(struct persist *p, enum persist_op op)
{
	struct persist_job *j = &p->job;

	j->op = op;
	j->err = PERSIST_OK;
	j->end = false;
	j->deleted = 0;
	buf_reset(&j->got);
	p->ready = true;
}

void persist_read_job(struct persist *p, bool first)
{
	p->job.first = first;
	memcpy(p->job.after, p->job.last, sizeof(p->job.after));
	if (first)
		p->reading = p->ahead = 0;
	job_ready(p, PERSIST_READ);
}

void persist_got(struct persist_job *j, const void *packed, size_t n)
{
	uint8_t head[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16),
			    (uint8_t)(n >> 8), (uint8_t)n };

	buf_put(&j->got, head, sizeof(head));
	buf_put(&j->got, packed, n);
}

/* Memory ends with the row that it ended in: the answer is no answer */
static bool got_next(struct sl *rest, struct sl *packed)
{
	const uint8_t *b = (const uint8_t *)rest->p;
	size_t n;

	if (rest->n < 4)
		return false;
	n = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
	if (n > rest->n - 4)
		return false;
	*packed = sl_sub(*rest, 4, 4 + n);
	*rest = sl_sub(*rest, 4 + n, rest->n);
	return true;
}

struct persist_job *persist_poll(struct persist *p, uint64_t now)
{
	if (!p->ready || p->out || now < p->retry_at)
		return NULL;
	p->ready = false;
	p->out = true;
	p->out_at = now;
	return &p->job;
}

bool persist_idle(const struct persist *p)
{
	return !p->out;
}

/* --- flush -------------------------------------------------------------------- */

/* Both stand in the store's list, which keeps its own link in them */
static void cursor_copy(struct store_cursor *to, const struct store_cursor *from)
{
	to->at = from->at;
	to->seq = from->seq;
	to->seeking = from->seeking;
}

/* A phone that was restarted has a new Call-ID, and its record keeps the values of the
 * older ones for as long as they might have lived. Rows that grow with each of them
 * have to move to another page each time, three times the work. */
static int to_row(struct persist *p, struct sl packed, uint64_t wall)
{
	struct persist_row *row = &p->job.row[p->job.n];
	uint8_t lean[REC_SIZE_MAX];
	size_t n;
	int err = persist_row(row, packed, wall);

	if (err || !row->several)
		return err;
	n = persist_lean(lean, sizeof(lean), packed);
	if (!n || n > packed.n)
		return 0;
	memcpy(p->mem + p->used, lean, n);
	return persist_row(row, sl_mk(p->mem + p->used, n), wall);
}

static void add_row(struct persist *p, const struct store_change *c,
		    uint64_t wall)
{
	struct sl packed = sl_mk(p->mem + p->used, c->packed.n);

	memcpy(p->mem + p->used, c->packed.p, c->packed.n);
	if (to_row(p, packed, wall))
		return;
	p->used += p->job.row[p->job.n].packed.n;
	p->job.n++;
}

static bool is_full(const struct persist *p)
{
	return p->job.n >= p->limit || p->used > PERSIST_BYTES - REC_SIZE_MAX;
}

/* @return true = no more to be had: what was changed until now is in the database
 * or in this batch. A goal that was set when the flush began would not do: what
 * changes again meanwhile is behind it then, and in none */
static bool fill(struct persist *p, uint64_t now, uint64_t wall)
{
	struct store_change c;

	for (uint32_t i = 0; i < TURN && !is_full(p); i++) {
		if (!store_cursor_peek(p->cf.store, &p->read, &c)) {
			if (p->read.seeking)
				return false;
			p->goal = store_seq(p->cf.store);
			p->goal_at = now;
			return true;
		}
		if (persist_due(p, &c))
			add_row(p, &c, wall);
		store_cursor_step(p->cf.store, &p->read);
	}
	return false;
}

/* What is over by our clock is not by that of a node that shares the database and
 * is behind: it would miss the row */
static void sweep(struct persist *p, uint64_t wall)
{
	p->phase = PERSIST_PH_SWEEP;
	p->job.before = (int64_t)(wall - STAMP_AHEAD_MAX);
	p->job.n = SWEEP;
	job_ready(p, PERSIST_SWEEP);
}

/* A clock that was set wrong shall not empty the database before somebody
 * sees it */
static bool may_sweep(struct persist *p, uint64_t now, uint64_t wall)
{
	int64_t offset = (int64_t)(wall - now), step = offset - p->offset;

	if (step > STEP || step < -STEP) {
		p->offset = offset;
		p->sweep_at = now + STEP_WAIT;
	}
	return now >= p->sweep_at && !p->stopping &&
	       (!p->cf.slot || persist_bit(p->mine, 0));
}

static void rest(struct persist *p, uint64_t now)
{
	p->phase = PERSIST_PH_REST;
	p->job.n = 0;
	if (p->flush_at <= now)
		p->flush_at = now + p->cf.interval;
	if (p->stopping)
		p->flush_at = now;
}

static void flush_begin(struct persist *p, uint64_t now)
{
	p->phase = PERSIST_PH_FLUSH;
	p->whole = false;
	p->flush_at = now + p->cf.interval;
	p->job.n = 0;
	p->used = 0;
	persist_pace_begin(p, now);
}

static void flush_end(struct persist *p, uint64_t now, uint64_t wall)
{
	/* the last changes up to it may belong to records that changed again or
	 * are forgotten */
	if (p->conf.seq < p->goal)
		p->conf.seq = p->read.seq = p->goal;
	if (p->cf.slot && p->goal >= p->clean && !p->again)
		persist_gained(p, now);
	p->st.flushes++;
	p->safe_at = p->goal_at;
	if (p->asked) {
		p->asked = false;
		p->phase = PERSIST_PH_CHECK;
		persist_check_begin(p);
		persist_read_job(p, true);
	} else if (now >= p->load_at) {
		p->load_at = UINT64_MAX;
		p->phase = PERSIST_PH_LOAD;
		persist_read_job(p, true);
	} else if (may_sweep(p, now, wall)) {
		sweep(p, wall);
	} else {
		rest(p, now);
	}
}

static void flush(struct persist *p, uint64_t now, uint64_t wall)
{
	bool last = p->whole || fill(p, now, wall);

	if (p->job.n && (last || is_full(p))) {
		p->whole = last;
		job_ready(p, PERSIST_WRITE);
		return;
	}
	if (!p->job.n)
		cursor_copy(&p->conf, &p->read);      /* nothing of ours */
	if (last && !p->job.n)
		flush_end(p, now, wall);
}

/* --- answers ------------------------------------------------------------------- */

static void failed(struct persist *p, uint64_t now)
{
	enum persist_err e = p->job.err;

	p->st.errors[e]++;
	if (!p->lost)
		p->fail_at = now;
	p->lost = p->tried = true;
	p->why = e;
	p->backoff = !p->backoff ? BACKOFF : 2 * p->backoff < BACKOFF_MAX ?
		     2 * p->backoff : BACKOFF_MAX;
	if (p->stopping)
		p->backoff = BACKOFF;
	p->retry_at = now + p->backoff / 2 +
		      rng_below(&p->rng, (uint32_t)p->backoff / 2 + 1);
}

/* One row that the database refuses shall not stand in the way of the others:
 * the batch is halved until it is alone */
static void refused(struct persist *p, uint64_t now)
{
	p->st.errors[PERSIST_DATA]++;
	if (p->job.n > 1) {
		p->limit = p->job.n / 2;
		cursor_copy(&p->read, &p->conf);
	} else {
		p->st.refused++;
		cursor_copy(&p->conf, &p->read);
	}
	p->retry_at = now;
}

static void written(struct persist *p, uint64_t now)
{
	p->st.written += p->job.n;
	cursor_copy(&p->conf, &p->read);
	persist_pace(p, now);
	if (p->limit < PERSIST_BATCH)
		p->limit = 2 * p->limit < PERSIST_BATCH ? 2 * p->limit :
			   PERSIST_BATCH;
}

static bool write_done(struct persist *p, uint64_t now)
{
	enum persist_err e = p->job.err;

	p->whole = p->whole && e == PERSIST_OK;
	if (e == PERSIST_OK)
		written(p, now);
	else if (e == PERSIST_DATA)
		refused(p, now);
	else
		cursor_copy(&p->read, &p->conf);
	p->used = 0;
	p->job.n = 0;
	return e == PERSIST_OK || e == PERSIST_DATA;
}

static void again_later(struct persist *p, uint64_t now)
{
	failed(p, now);
	memcpy(p->job.last, p->job.after, sizeof(p->job.last));
	if (p->asked) {
		p->asked = false;
		persist_check_end(p, p->why);
	}
	switch (p->phase) {
	case PERSIST_PH_LOAD:
		persist_read_job(p, p->job.first);
		break;
	case PERSIST_PH_CHECK:
		persist_check_end(p, p->why);
		rest(p, now);
		break;
	case PERSIST_PH_SWEEP:
		rest(p, now);
		break;
	case PERSIST_PH_FLUSH:
		/* its time was lost with the database */
		persist_pace_begin(p, now);
		break;
	case PERSIST_PH_REST:
	case PERSIST_PH_SCAN:
		break;
	}
}

void persist_done(struct persist *p, uint64_t now)
{
	struct persist_job *j = &p->job;
	bool ok = j->err == PERSIST_OK;

	if (!p->out)
		return;
	p->out = false;
	if (ok && j->got.err)
		j->err = PERSIST_OTHER;         /* no memory for the answer */
	ok = j->err == PERSIST_OK;
	if (j->op == PERSIST_WRITE)
		ok = write_done(p, now);
	if (!ok) {
		again_later(p, now);
		return;
	}
	p->tried = true;
	p->lost = false;
	p->backoff = p->retry_at = 0;
	p->why = PERSIST_OK;
	p->answered = true;
	p->rest = buf_as_sl(&j->got);
}

/* --- what was read ------------------------------------------------------------- */

/* A row that memory did not have is in the database as it is in memory: not to
 * be written back, as long as nothing else changed */
static void take_row(struct persist *p, struct sl packed, uint64_t wall)
{
	struct store *s = p->cf.store;
	uint64_t n = store_stats(s)->records;
	bool all = p->conf.seq == store_seq(s) && !p->conf.seeking;
	bool changed = false;
	struct record r;
	int err = persist_record(&r, packed, p->cf.keep);

	if (err) {
		p->st.bad++;
		return;
	}
	if (record_is_past(&r, wall)) {
		p->st.past++;
		return;
	}
	err = store_merge(s, &r, 0, wall, &changed);
	p->st.ahead += err == ERANGE;
	p->ahead += err == ERANGE;
	p->st.bad += err && err != ERANGE;
	if (!changed)
		return;
	p->st.news++;
	if (all && store_stats(s)->records == n + 1) {
		store_cursor_set(s, &p->read, store_seq(s));
		store_cursor_set(s, &p->conf, store_seq(s));
	}
}

static void load_end(struct persist *p, uint64_t now)
{
	if (!p->loaded) {
		p->loaded = true;
		p->clean = p->conf.seq;
		persist_all_read(p, now);
		p->safe_at = now;
		p->flush_at = now + rng_below(&p->rng, p->cf.interval + 1);
	}
	if (p->ahead)
		p->load_at = now + RELOAD;
	rest(p, now);
}

/* All records of the answer were taken */
static void next_job(struct persist *p, uint64_t now)
{
	p->answered = false;
	switch (p->phase) {
	case PERSIST_PH_LOAD:
		if (!p->job.end)
			persist_read_job(p, false);
		else
			load_end(p, now);
		break;
	case PERSIST_PH_CHECK:
		if (!p->job.end)
			persist_read_job(p, false);
		else
			p->phase = PERSIST_PH_SCAN;
		break;
	case PERSIST_PH_SWEEP:
		p->st.swept += p->job.deleted;
		p->sweep_at = now + p->cf.interval;
		rest(p, now);
		break;
	case PERSIST_PH_FLUSH:
	case PERSIST_PH_REST:
	case PERSIST_PH_SCAN:
		break;
	}
}

static void take(struct persist *p, uint64_t now, uint64_t wall)
{
	uint32_t most = p->loaded ? TURN : START;
	struct sl packed;

	for (uint32_t i = 0; i < most; i++) {
		if (!got_next(&p->rest, &packed)) {
			next_job(p, now);
			return;
		}
		p->reading++;
		if (p->phase == PERSIST_PH_CHECK) {
			persist_check_row(p, packed, wall);
			continue;
		}
		if (p->phase == PERSIST_PH_LOAD)
			p->st.read++;
		else
			p->st.newer++;
		take_row(p, packed, wall);
	}
}

/* --- time -------------------------------------------------------------------- */

static void turn(struct persist *p, uint64_t now, uint64_t wall)
{
	switch (p->phase) {
	case PERSIST_PH_FLUSH:
		flush(p, now, wall);
		break;
	case PERSIST_PH_REST:
		if (now >= p->flush_at || p->asked || p->stopping)
			flush_begin(p, now);
		break;
	case PERSIST_PH_SCAN:
		if (persist_check_scan(p, wall)) {
			persist_check_end(p, PERSIST_OK);
			rest(p, now);
		}
		break;
	case PERSIST_PH_LOAD:
	case PERSIST_PH_SWEEP:
	case PERSIST_PH_CHECK:
		break;
	}
}

void persist_tick(struct persist *p, uint64_t now, uint64_t wall)
{
	if (p->out || p->ready)
		return;
	if (p->answered) {
		take(p, now, wall);
		return;
	}
	if (p->again && p->loaded && !p->job.n)
		persist_go_back(p, now);
	if (now >= p->retry_at && (!persist_paced(p) || now >= p->pace_at))
		turn(p, now, wall);
}

uint64_t persist_next(const struct persist *p)
{
	uint64_t at = 0;

	if (p->out)
		return UINT64_MAX;
	if (p->answered)
		return 0;
	if (p->phase == PERSIST_PH_REST && !p->asked && !p->again)
		at = p->stopping && persist_dirty(p) ? 0 : p->flush_at;
	else if (persist_paced(p))
		at = p->pace_at;
	return at > p->retry_at ? at : p->retry_at;
}

void persist_retry(struct persist *p)
{
	p->retry_at = 0;
}

void persist_stop(struct persist *p, uint64_t now)
{
	p->stopping = true;
	p->stop_seq = store_seq(p->cf.store);
	p->flush_at = now;
	p->retry_at = p->retry_at ? now : 0;
}

bool persist_stopped(const struct persist *p)
{
	/* what other nodes still send is theirs to keep, and has no end */
	return !p->loaded || (!p->out && !p->again &&
			      p->conf.seq >= p->stop_seq);
}
