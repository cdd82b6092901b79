/* persist_io.c - Shell. */
#include "node/persist_io.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/secret.h"
#include "cluster/slots.h"
#include "db/db_schema.h"
#include "db/db_url.h"
#include "node/node_i.h"
#include "node/persist_run.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	PATIENCE = 3000,          /* [ms] for a database that is silent at the
				     start                                    */
	CONNECT = 2000,           /* [ms] until a server has to answer         */
	BACKOFF = 2000,           /* [ms] between tries to connect, at most  */
	LATE = 1000,              /* [ms] a job that takes longer is no more
				     run in idle time alone ...             */
	HURRY = 10000,            /* [ms] ... nor those after it            */
	STOP_WAIT = 100,          /* [ms] for a thread that has nothing to do  */
};

struct persist_io {
	struct persist_run run;            /* first                           */
	struct node *n;
	struct persist *p;
	struct db_worker *w;
	struct ntimer *timer;
	uint64_t hurry_until, out_at;      /* [ms]                            */
	char url[DB_URL + 1];
	bool shared, closing, stopping;
	bool stop_told;
	uint64_t heard;                    /* [ms] it last did something       */
	uint64_t stop_at;                  /* [ms]                            */
	uint64_t slots;                    /* version of those that were seen  */
	enum persist_state told;           /* as logged                       */
	enum persist_err told_why;
	char why[DB_WHY];                  /* text of the last error          */
};

static enum persist_err err_of(enum db_err e)
{
	switch (e) {
	case DB_OK:      return PERSIST_OK;
	case DB_DOWN:    return PERSIST_DOWN;
	case DB_TIMEOUT: return PERSIST_TIMEOUT;
	case DB_LOCKED:  return PERSIST_LOCKED;
	case DB_DENIED:  return PERSIST_DENIED;
	case DB_FULL:    return PERSIST_FULL;
	case DB_SCHEMA:  return PERSIST_SCHEMA;
	case DB_DATA:    return PERSIST_DATA;
	case DB_NONE:
	case DB_MEMORY:
	case DB_OTHER:
	case DB_ERR_N:
		break;
	}
	return PERSIST_OTHER;
}

/* The only place that tells of the state */
static void look_state(struct persist_io *io)
{
	enum persist_state st = persist_state(io->p, clk_now());
	enum persist_err why = persist_why(io->p);

	if (st == io->told && why == io->told_why)
		return;
	log_write(st == PERSIST_ST_DOWN || st == PERSIST_ST_BEHIND ?
		  LOG_LV_WARN : LOG_LV_INFO, "event=sql state=%s->%s why=%s "
		  "text=%s dirty=%llu age=%llums rows=%llu",
		  persist_state_name(io->told), persist_state_name(st),
		  persist_err_name(why), log_esc(sl_cstr(why ? io->why : "")),
		  (unsigned long long)persist_dirty(io->p),
		  (unsigned long long)persist_age(io->p, clk_now()),
		  (unsigned long long)persist_stats(io->p)->read);
	io->told = st;
	io->told_why = why;
}

static void hurry(struct persist_io *io)
{
	io->hurry_until = clk_now() + HURRY;
	persist_run_hurry(&io->run);
}

static void look_late(struct persist_io *io)
{
	uint64_t now = clk_now();

	if (io->run.out && (io->stopping || now - io->out_at > LATE))
		hurry(io);
	else if (io->run.hurry && now >= io->hurry_until && !io->stopping)
		persist_run_no_hurry(&io->run);
}

static void push(struct persist_io *io)
{
	io->run.out = persist_poll(io->p, clk_now());
	if (!io->run.out)
		return;
	io->out_at = clk_now();
	if (!db_worker_push(io->w, &io->run.job))
		return;
	io->run.out->err = PERSIST_OTHER;
	io->run.out = NULL;
	persist_done(io->p, clk_now());
}

static void arm(struct persist_io *io)
{
	uint64_t at = persist_next(io->p);

	if (io->stopping && at > io->stop_at)
		at = io->stop_at;
	ntimer_at(io->timer, at);
}

/* A piece of the work, and when there is more */
static void step(struct persist_io *io)
{
	uint64_t seq = store_seq(io->n->store);

	bool loaded = persist_loaded(io->p);

	persist_tick(io->p, clk_now(), clk_wall());
	if (!io->run.out)
		push(io);
	arm(io);
	look_state(io);
	if (loaded != persist_loaded(io->p))
		ntimer_at(io->n->second, clk_now());     /* READY, perhaps */
	/* rows that were merged go to the other nodes; an end is waited for */
	if (io->stopping || seq != store_seq(io->n->store))
		node_turn(io->n);
}

static void on_timer(void *arg)
{
	struct persist_io *io = arg;

	if (!persist_loaded(io->p) && !persist_why(io->p) && !io->run.out)
		io->heard = clk_now();             /* rows are being merged */
	step(io);
}

static void done(struct db_job *job)
{
	struct persist_io *io = (struct persist_io *)job;

	io->run.out->err = err_of(job->err);
	if (job->err)
		memcpy(io->why, job->why, sizeof(io->why));
	else
		io->heard = clk_now();
	io->run.out = NULL;
	persist_done(io->p, clk_now());
	if (!io->closing)
		step(io);
}

/* Connected again: what failed need not wait for its time */
static void on_state(enum db_state st, enum db_err err, const char *why,
		     void *arg)
{
	struct persist_io *io = arg;

	(void)err;
	(void)why;
	if (st != DB_STATE_UP || io->closing)
		return;
	persist_retry(io->p);
	arm(io);
}

/* --- whose rows ------------------------------------------------------------- */

static uint32_t slot_of(struct sl aor, void *arg)
{
	const struct persist_io *io = arg;

	return slots_of(io->n->store, aor);
}

static bool is_mine(uint32_t slot, void *arg)
{
	const struct persist_io *io = arg;

	return slots_mine(cluster_slots(io->n->cluster), slot);
}

/* At the end it stays what it was: the next owner may be about to end, too */
void persist_io_moved(struct persist_io *io)
{
	const struct slots *s;

	if (!io || !io->shared || io->stopping || !io->n->cluster)
		return;
	s = cluster_slots(io->n->cluster);
	if (s->version == io->slots)
		return;
	io->slots = s->version;
	persist_moved(io->p);
	arm(io);
}

/* --- life ------------------------------------------------------------------- */

static uint64_t keep(const struct node *n)
{
	return n->cf.registrar.max_expires * 1000ull + NODE_GUARD;
}

void persist_io_reconf(struct persist_io *io)
{
	if (!io)
		return;
	persist_reconf(io->p, io->n->cf.flush_interval, keep(io->n));
	arm(io);
}

void persist_io_second(struct persist_io *io)
{
	if (!io)
		return;
	persist_gauges(io->p, clk_now());
	(void)db_worker_stats(io->w);
	look_late(io);
	look_state(io);
	persist_io_moved(io);
}

bool persist_io_may_link(const struct persist_io *io)
{
	return !io || persist_loaded(io->p) ||
	       clk_now() - io->heard >= PATIENCE;
}

bool persist_io_may_serve(const struct persist_io *io)
{
	return !io || persist_loaded(io->p) || !io->n->cf.db_required;
}

bool persist_io_over(struct persist_io *io)
{
	bool done, late;

	if (!io)
		return true;
	if (!io->stopping) {
		io->stopping = true;
		io->stop_at = clk_now() + io->n->cf.db_stop_timeout;
		persist_stop(io->p, clk_now());
		hurry(io);
		arm(io);
	}
	done = persist_stopped(io->p);
	late = clk_now() >= io->stop_at;
	if (late && !done && !io->stop_told)
		log_warn("event=sql_stop dirty=%llu text=\"the database did "
			 "not take all in time\"",
			 (unsigned long long)persist_dirty(io->p));
	io->stop_told |= late;
	return done || late;
}

int persist_io_verify(struct persist_io *io)
{
	int err = io ? persist_verify(io->p, clk_now()) : ENOENT;

	if (!err)
		arm(io);
	return err;
}

bool persist_io_view(const struct persist_io *io, struct persist_io_view *v)
{
	if (!io)
		return false;
	v->now = clk_now();
	v->state = persist_state(io->p, v->now);
	v->why = persist_why(io->p);
	v->text = v->why ? io->why : "";
	v->mode = io->shared ? "shared" : "local";
	v->url = io->url;
	v->persist = io->p;
	return true;
}

static int figures(struct persist_io *io)
{
	const struct persist_stats *s = persist_stats(io->p);
	const struct db_worker_stats *w = db_worker_stats(io->w);
	const struct stat_row f[] = {
		{ STAT_GAUGE, "node_sql_up", "1: the database takes what is written",
		  &s->up },
		{ STAT_GAUGE, "node_sql_loaded", "1: all rows were read", &s->loaded },
		{ STAT_GAUGE, "node_sql_state", "0 loading, 1 up, 2 behind, 3 down",
		  &s->state },
		{ STAT_GAUGE, "node_sql_dirty", "Changes that the database does not have",
		  &s->dirty },
		{ STAT_GAUGE_US, "node_sql_age_seconds",
		  "What is older than this is in the database", &s->age_us },
		{ STAT_COUNTER, "node_sql_flushes_total", "Flushes that ended",
		  &s->flushes },
		{ STAT_COUNTER, "node_sql_written_total", "Rows written", &s->written },
		{ STAT_COUNTER, "node_sql_newer_total",
		  "Rows that the database had a newer version of", &s->newer },
		{ STAT_COUNTER, "node_sql_refused_total", "Rows that it does not take",
		  &s->refused },
		{ STAT_COUNTER, "node_sql_swept_total", "Rows deleted after their time",
		  &s->swept },
		{ STAT_COUNTER, "node_sql_read_total", "Rows read", &s->read },
		{ STAT_COUNTER, "node_sql_news_total",
		  "Rows read that memory did not have", &s->news },
		{ STAT_COUNTER, "node_sql_past_total", "Rows read whose time was over",
		  &s->past },
		{ STAT_COUNTER, "node_sql_bad_total", "Rows read that are damaged, or "
		  "found no room", &s->bad },
		{ STAT_COUNTER, "node_sql_ahead_total",
		  "Rows read that are of a later clock", &s->ahead },
		{ STAT_COUNTER, "node_sql_slots_taken_total",
		  "Slots of a shared database taken over", &s->moved },
		{ STAT_COUNTER, "node_sql_connects_total", "Connections made",
		  &w->connects },
		{ STAT_COUNTER, "node_sql_cut_total",
		  "Connections cut because the database was silent", &w->cut },
		{ STAT_HIST, "node_sql_job_seconds", "Time of a transaction", &w->run },
	};
	int err = stat_rows(io->n->st, f, NULL, io);
	char label[64];

	for (unsigned i = 1; !err && i < PERSIST_ERR_N; i++) {
		(void)snprintf(label, sizeof(label), "kind=\"%s\"",
			       persist_err_name(i));
		err = stat_add(io->n->st, STAT_COUNTER,
			       "node_sql_errors_total", label,
			       "Jobs that failed", &s->errors[i], io);
	}
	return err;
}

static int start_core(struct persist_io *io)
{
	struct node *n = io->n;
	struct persist_conf pc = {
		.store = n->store, .interval = n->cf.flush_interval,
		.keep = keep(n), .arg = io,
	};

	if (io->shared) {
		pc.slot = slot_of;
		pc.mine = is_mine;
	}
	secret_random(&pc.seed, sizeof(pc.seed));
	return persist_alloc(&io->p, &pc, clk_now(), clk_wall());
}

static int start_worker(struct persist_io *io)
{
	const struct node_config *cf = &io->n->cf;
	struct db_worker_conf wc = {
		.db = { .connect_ms = CONNECT, .query_ms = cf->db_timeout },
		.check = db_schema_check, .threads = 1,
		.backoff_max_ms = BACKOFF, .state = on_state, .arg = io,
	};
	int err;

	(void)snprintf(wc.db.url, sizeof(wc.db.url), "%s", cf->db_url);
	(void)snprintf(wc.db.password_file, sizeof(wc.db.password_file), "%s",
		       cf->db_password_file);
	err = db_worker_alloc(&io->w, &wc);
	explicit_bzero(&wc, sizeof(wc));
	return err;
}

static void url_shown(struct persist_io *io)
{
	struct buf b;

	buf_fixed(&b, io->url, sizeof(io->url) - 1);
	db_url_shown(&b, sl_cstr(io->n->cf.db_url));
	io->url[b.err ? 0 : b.n] = '\0';
}

int persist_io_alloc(struct persist_io **iop, struct node *n)
{
	struct persist_io *io;
	int err;

	if (!n->cf.db_url[0])
		return 0;
	io = calloc(1, sizeof(*io));
	if (!io)
		return ENOMEM;
	io->n = n;
	io->run.job.done = done;
	io->shared = n->cf.db_mode == NODE_DB_SHARED;
	io->heard = clk_now();
	url_shown(io);
	err = persist_run_init(&io->run, n->cf.name);
	if (!err)
		err = ntimer_alloc(&io->timer, on_timer, io);
	if (!err)
		err = start_core(io);
	if (!err)
		err = start_worker(io);
	if (!err)
		err = figures(io);
	if (err) {
		log_error("event=sql text=\"%s\"", strerror(err));
		persist_io_free(io);
		return err;
	}
	*iop = io;
	ntimer_at(io->timer, clk_now());
	return 0;
}

void persist_io_free(struct persist_io *io)
{
	if (!io)
		return;
	io->closing = true;
	stat_del_owner(io->n->st, io);
	ntimer_free(io->timer);
	db_worker_free(io->w, STOP_WAIT);
	/* a thread that hangs in the database still holds the job, and may write
	 * into it until the program is gone */
	if (io->run.out) {
		log_warn("event=sql_stop text=\"a job hangs in the database: "
			 "left behind\"");
		return;
	}
	persist_free(io->p);
	persist_run_close(&io->run);
	free(io);
}
