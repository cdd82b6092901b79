/**
 * @file users_sql.c  Shell. A job for each user to be looked up.
 */
#include "node/users_sql.h"
#include "base/clk.h"
#include "base/log.h"
#include "db/db_subscriber.h"
#include "db/db_worker.h"
#include "node/node_i.h"
#include "node/sqlconf.h"
#include "sip/auth.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	CONNECT = 2000, QUERY = 2000,     /* [ms] */
	THREADS = 2,
	STOP_WAIT = 200,                  /* [ms] for a look-up at the end */
};

struct users_sql {
	struct node *n;
	struct db_worker *w;
	bool closing;
};

struct look {
	struct db_job job;                /* first */
	struct users_sql *u;
	struct db_subscriber sub;
	bool found;
	size_t n;
	char name[SUBS_NAME_MAX];         /* user@domain */
};

static struct sl user_of(const struct look *l)
{
	return sl_mk(l->name, sl_chr(sl_mk(l->name, l->n), '@'));
}

static struct sl domain_of(const struct look *l)
{
	return sl_sub(sl_mk(l->name, l->n), user_of(l).n + 1, l->n);
}

/* In a thread */
static enum db_err run(struct db *db, struct db_job *job)
{
	struct look *l = (struct look *)job;

	l->found = false;
	return db_subscriber_get(db, user_of(l), domain_of(l), &l->sub,
				 &l->found);
}

static bool is_hex(struct sl s, size_t n)
{
	if (s.n != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!(s.p[i] >= '0' && s.p[i] <= '9')
		    && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return false;
	}
	return true;
}

/* What the table has, or what comes of the password in it */
static struct sl ha1_of(const struct look *l, enum auth_alg a, const char *col,
			char mem[AUTH_HEX_MAX + 1])
{
	size_t n = a == AUTH_MD5 ? 32 : 64;
	struct sl v = sl_lower(mem, sl_cstr(col));

	if (is_hex(v, n))
		return v;
	if (v.n || !l->sub.password[0])
		return SL_NONE;
	auth_ha1(mem, a, user_of(l), domain_of(l), sl_cstr(l->sub.password));
	return sl_cstr(mem);
}

static void tell(struct look *l, bool failed)
{
	char mem[AUTH_ALG_N][AUTH_HEX_MAX + 1];
	struct subs_answer a = { .failed = failed, .found = l->found };

	if (!failed && l->found) {
		a.ha1[AUTH_MD5] = ha1_of(l, AUTH_MD5, l->sub.ha1,
					 mem[AUTH_MD5]);
		a.ha1[AUTH_SHA256] = ha1_of(l, AUTH_SHA256,
					    l->sub.ha1_sha256,
					    mem[AUTH_SHA256]);
	}
	core_user(l->u->n->core, sl_mk(l->name, l->n), &a, clk_now(),
		  clk_wall());
	explicit_bzero(mem, sizeof(mem));
	explicit_bzero(&l->sub, sizeof(l->sub));
}

static void done(struct db_job *job)
{
	struct look *l = (struct look *)job;
	struct users_sql *u = l->u;

	/* a value it cannot hold names nobody */
	if (job->err == DB_DATA)
		l->found = false;
	tell(l, job->err && job->err != DB_DATA);
	free(l);
	if (!u->closing)
		node_turn(u->n);
}

static void push(struct users_sql *u, struct sl name)
{
	struct look *l = calloc(1, sizeof(*l));
	struct subs_answer none = { .failed = true };
	char mem[SUBS_NAME_MAX];

	if (!l) {
		memcpy(mem, name.p, name.n);
		core_user(u->n->core, sl_mk(mem, name.n), &none, clk_now(),
			  clk_wall());
		return;
	}
	l->job.run = run;
	l->job.done = done;
	l->u = u;
	l->n = name.n;
	memcpy(l->name, name.p, name.n);
	if (!db_worker_push(u->w, &l->job))
		return;
	tell(l, true);
	free(l);
}

void users_sql_pump(struct users_sql *u)
{
	struct sl name;

	while (u && core_ask_user(u->n->core, &name))
		push(u, name);
}

static void on_state(enum db_state st, enum db_err err, const char *why,
		     void *arg)
{
	(void)arg;
	if (st == DB_STATE_UP)
		log_info("event=users_db state=up");
	else if (st == DB_STATE_FAIL)
		log_warn("event=users_db state=%s why=%s", db_err_name(err),
			 log_esc(sl_cstr(why)));
}

static int figures(struct users_sql *u)
{
	const struct db_worker_stats *s = db_worker_stats(u->w);
	struct stats *st = u->n->st;
	int err = 0;

	err |= stat_add(st, STAT_GAUGE, "node_users_db_up", NULL,
			"1: connected to the database of users", &s->up, u);
	err |= stat_add(st, STAT_COUNTER, "node_users_db_connects_total", NULL,
			"Connections made to the database of users",
			&s->connects, u);
	err |= stat_add(st, STAT_COUNTER, "node_users_db_cut_total", NULL,
			"Connections cut because the database was silent",
			&s->cut, u);
	err |= stat_add(st, STAT_HIST, "node_users_db_seconds", NULL,
			"Time of a look-up in the database", &s->run, u);
	return err;
}

int users_sql_alloc(struct users_sql **up, struct node *n)
{
	struct db_worker_conf cf = {
		.db = { .connect_ms = CONNECT, .query_ms = QUERY },
		.check = db_subscriber_check, .threads = THREADS,
		.queue = SUBS_ASKED_MAX, .state = on_state,
	};
	struct users_sql *u;
	int err;

	if (n->cf.users != NODE_USERS_SQL || n->cf.auth != NODE_AUTH_ON)
		return 0;
	u = calloc(1, sizeof(*u));
	if (!u)
		return ENOMEM;
	u->n = n;
	cf.arg = u;
	(void)snprintf(cf.db.url, sizeof(cf.db.url), "%s",
		       sqlconf_users_url(&n->cf));
	(void)snprintf(cf.db.password_file, sizeof(cf.db.password_file), "%s",
		       sqlconf_users_password(&n->cf));
	err = db_worker_alloc(&u->w, &cf);
	explicit_bzero(&cf, sizeof(cf));
	if (!err)
		err = figures(u);
	if (err) {
		log_error("event=users_db text=\"%s\"", strerror(err));
		users_sql_free(u);
		return err;
	}
	*up = u;
	return 0;
}

void users_sql_free(struct users_sql *u)
{
	if (!u)
		return;
	u->closing = true;
	stat_del_owner(u->n->st, u);
	db_worker_free(u->w, STOP_WAIT);
	free(u);
}
