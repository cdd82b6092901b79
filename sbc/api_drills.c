/* api_drills.c - Shell. Drills from the page: the tool beside the edge. */
#include "sbc/sbc_priv.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clk.h"
#include "base/file.h"
#include "base/log.h"
#include "sbc/dash.h"
#include "sbc/drills.h"
#include "sbc/ledger.h"
#include "web/jsn.h"

enum { ARGS = 24, REPORT_MAX = 8 << 20 };

struct desk {
	struct sbc *s;
	struct drills d;
	struct child *list, *run;
	struct buf listed;           /**< what the list's tool has said      */
	struct ntimer *timer;
	char tool[PATH_MAX];         /**< "" = off                           */
};

static void arm(struct desk *k)
{
	ntimer_at(k->timer, drills_next(&k->d));
}

/* --- the tool --- */

/** A name without '/' is looked for beside this program */
static void find_tool(struct desk *k)
{
	static const char *const sub[] = { "", "/../bin" };
	const char *name = k->s->cf.drills.tool;
	char dir[PATH_MAX], path[2 * PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	char *slash;

	k->tool[0] = '\0';
	if (strchr(name, '/')) {
		if (!access(name, X_OK))
			(void)snprintf(k->tool, sizeof(k->tool), "%s", name);
		else
			log_warn("event=drills tool=%s problem=\"%s\"", name,
				 strerror(errno));
		return;
	}
	dir[n > 0 ? n : 0] = '\0';
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; *name && slash && i < 2; i++) {
		int len = snprintf(path, sizeof(path), "%s%s/%s", dir, sub[i],
				   name);

		if (len < (int)sizeof(k->tool) && !access(path, X_OK)) {
			memcpy(k->tool, path, (size_t)len + 1);
			return;
		}
	}
}

static void list_said(struct sl bytes, void *arg)
{
	struct desk *k = arg;

	buf_sl(&k->listed, bytes);
	if (!k->listed.err)
		return;
	log_error("event=drills problem=\"the list of drills is too long\"");
	child_free(k->list);
	k->list = NULL;
}

/** What is wrong with a file stands before the list, a line each */
static void list_ended(int status, void *arg)
{
	struct desk *k = arg;
	struct sl all = buf_as_sl(&k->listed), line;
	int err = EBADMSG;

	while (all.n) {
		size_t n = sl_chr(all, '\n');

		line = sl_sub(all, 0, n);
		all = sl_sub(all, n + 1, all.n);
		if (line.n && line.p[0] == '[')
			err = drills_list(&k->d, line);
		else if (line.n)
			log_warn("event=drills problem=%s", log_esc(line));
	}
	if (err)
		log_error("event=drills tool=%s status=%d problem=\"no list "
			  "of drills\"", k->tool, WEXITSTATUS(status));
	else
		log_info("event=drills tool=%s known=%u", k->tool, k->d.n);
	child_free(k->list);
	k->list = NULL;
	buf_reset(&k->listed);
}

void api_drills_look(struct sbc *s)
{
	struct desk *k = s->desk;
	const char *argv[] = { "edgewise", "drill", "list", "--json",
			       "--plans", s->cf.drills.plans, NULL };
	int err;

	find_tool(k);
	child_free(k->list);
	k->list = NULL;
	buf_reset(&k->listed);
	if (!k->tool[0]) {
		k->d.n = 0;
		return;
	}
	err = child_alloc(&k->list, k->tool, argv, list_said, list_ended, k);
	if (err)
		log_error("event=drills tool=%s problem=\"%s\"", k->tool,
			  strerror(err));
}

/* --- the drill --- */

static void note(struct desk *k, const char *what, const char *who,
		 const char *more)
{
	const struct drills_run *r = &k->d.run;
	char txt[200];

	(void)snprintf(txt, sizeof(txt), "%s %s%s%s", r->name, r->lab ?
		       "in a lab" : "at this edge", *more ? ": " : "", more);
	ledger_admin(edge_ledger(k->s->edge), sl_cstr(what),
		     r->lab ? SL("") : sl_cstr(r->node),   /* a node of ours */
		     sl_cstr(who), sl_cstr(txt), clk_now());
}

static void run_said(struct sl bytes, void *arg)
{
	struct desk *k = arg;

	drills_said(&k->d, bytes, clk_now());
	arm(k);
}

static void run_ended(int status, void *arg)
{
	struct desk *k = arg;

	drills_ended(&k->d, WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		     clk_now());
	child_free(k->run);
	k->run = NULL;
	note(k, "drill-end", k->d.run.who, k->d.run.verdict);
	log_info("event=drill name=%s where=%s who=%s verdict=%s why=%s",
		 k->d.run.name, k->d.run.lab ? "lab" : "edge",
		 log_esc(sl_cstr(k->d.run.who)), k->d.run.verdict,
		 log_esc(sl_cstr(k->d.run.why)));
	arm(k);
	dash_changed(k->s);
}

static void timer(void *arg)
{
	struct desk *k = arg;

	switch (drills_poll(&k->d, clk_now())) {
	case DRILLS_INT:
		/* alone: it ends its own, and takes back the fault first */
		child_signal(k->run, SIGINT, false);
		break;
	case DRILLS_KILL:
		child_signal(k->run, SIGKILL, true);
		break;
	case DRILLS_NOTHING:
		break;
	}
	arm(k);
}

/** Where test phones go: an address for UDP and TCP. @return is there one */
static bool find_proxy(const struct sbc *s, struct addr *a)
{
	for (uint16_t i = 0; i + 1 < s->lstc; i++) {
		for (uint16_t j = 0; j + 1 < s->lstc; j++) {
			if (s->lst[i].tp == s->lst[j].tp ||
			    !addr_eq(&s->lst[i].bound, &s->lst[j].bound))
				continue;
			*a = s->lst[i].bound;
			return !addr_is_any(a);
		}
	}
	return false;
}

/** Is the pool fit for a fault? As for one asked for by the tool, but before
 *  a test call is made */
static unsigned unfit(struct action *a, struct sbc *s)
{
	struct disp *d = edge_disp(s->edge);
	struct disp_view v;
	struct addr proxy;
	unsigned up = 0, other = 0;

	for (uint16_t i = 0; i < disp_n(d); i++) {
		if (disp_view(d, i, &v))
			continue;
		if (v.state == DISP_UP && v.wish.admin == DISP_READY &&
		    !v.leaving && v.ejected <= clk_now() && v.weight)
			up++;
		else
			other++;
	}
	if (!s->cf.faults)
		return action_fail(a, 403, "faults = false in the settings");
	if (!s->cf.drills.domain[0] || !s->cf.drills.phones[0])
		return action_fail(a, 409, "drills.domain and drills.phones "
				   "are not set: no test phones");
	if (!find_proxy(s, &proxy))
		return action_fail(a, 409, "no listener has one address, not "
				   "a wildcard, for UDP and TCP");
	if (s->fault.o.kind)
		return action_fail(a, 409, "there is a fault already, towards "
				   "%s", s->fault.o.node);
	if (other || up < 3)
		return action_fail(a, 409, "unfit: %u of %u nodes are up and "
				   "take requests; all must, at least 3", up,
				   up + other);
	dash_look(s);
	if (s->dash->state >= VERDICT_RISK)
		return action_fail(a, 409, "unfit: the verdict is %s",
				   s->dash->state == VERDICT_RISK ? "AT RISK" :
				   "DOWN");
	return 0;
}

struct args {
	const char *v[ARGS];
	char what[512], who[80], reports[300], proxy[ADDR_TXT], local[ADDR_TXT];
	char url[80], token[300];
};

static void make_args(struct args *x, const struct sbc *s,
		      const struct drills_kind *kind, bool lab,
		      const char *who)
{
	struct addr a = { 0 };
	char txt[ADDR_TXT];
	struct buf b;
	int n = 0;

	(void)snprintf(x->what, sizeof(x->what), "%s%s%s", kind->file[0] ?
		       s->cf.drills.plans : kind->name,
		       kind->file[0] ? "/" : "", kind->file);
	(void)snprintf(x->who, sizeof(x->who), "--who=%s", who);
	(void)snprintf(x->reports, sizeof(x->reports), "%s/drills",
		       s->cf.state_dir);
#define ARG(s) (x->v[n++] = (s))
	ARG("edgewise"); ARG("drill"); ARG("run"); ARG(x->what);
	ARG("--progress-json"); ARG("--follow-parent");
	ARG("--reports"); ARG(x->reports); ARG(x->who);
	if (lab)
		ARG("--lab");
	else {
		(void)find_proxy(s, &a);
		(void)addr_txt(&a, x->proxy);
		buf_fixed(&b, x->local, sizeof(x->local) - 1);
		addr_put_ip(&b, &a);
		x->local[b.n] = '\0';
		(void)http_srv_addr(s->http, &a);
		(void)snprintf(x->url, sizeof(x->url), "http://%s",
			       addr_txt(&a, txt));
		(void)snprintf(x->token, sizeof(x->token), "%s/admin.token",
			       s->cf.state_dir);
		ARG("--proxy"); ARG(x->proxy);
		/* an address of ours is one of this machine */
		ARG("--local"); ARG(x->local);
		ARG("--domain"); ARG(s->cf.drills.domain);
		ARG("--phones-file"); ARG(s->cf.drills.phones);
		ARG("--url"); ARG(x->url);
		ARG("--token-file"); ARG(x->token);
	}
	x->v[n] = NULL;
#undef ARG
}

/** @return where, or NULL: said why not */
static const struct drills_kind *read_order(struct action *a, struct desk *k,
					    bool *lab, unsigned *status)
{
	const char *name = action_str(a, "name");
	const char *where = action_str(a, "where");
	const char *confirm = action_str(a, "confirm");
	const struct drills_kind *kind = NULL;

	if (!k->tool[0])
		*status = action_fail(a, 403, "drills are off, see drills.tool "
				      "in the settings");
	else if (!name || !where || (strcmp(where, "lab") != 0 &&
				     strcmp(where, "edge") != 0))
		*status = action_fail(a, 400, "name is needed, and where: "
				      "\"lab\" or \"edge\"");
	else if (!confirm || strcmp(confirm, name) != 0)
		*status = action_fail(a, 400, "confirm: the name again");
	else {
		*lab = !strcmp(where, "lab");
		kind = drills_find(&k->d, name, *lab);
		if (!kind)
			*status = action_fail(a, 404, "no such drill, or not "
					      "there");
	}
	return kind;
}

static unsigned run(struct action *a, void *arg)
{
	struct desk *k = arg;
	const struct drills_kind *kind;
	unsigned status = 0;
	struct args x;
	bool lab = false;
	json_t *o;
	int err;

	kind = read_order(a, k, &lab, &status);
	if (kind && (k->run || k->d.state != DRILLS_IDLE || k->s->stop_at))
		status = action_fail(a, 409, "%s", k->s->stop_at ?
				     "the edge is stopping" :
				     "another drill goes on");
	else if (kind && !lab)
		status = unfit(a, k->s);
	if (status)
		return status;
	make_args(&x, k->s, kind, lab, a->who);
	err = child_alloc(&k->run, k->tool, x.v, run_said, run_ended, k);
	if (err)
		return action_fail(a, 500, "%s: %s", k->tool, strerror(err));
	(void)drills_begin(&k->d, kind, lab, a->who,
			   1000ull * k->s->cf.drills.max_time, clk_now(),
			   clk_wall());
	note(k, "drill", a->who, "");
	arm(k);
	o = api_drills_json(k->s);
	jsn_put(a->out, "running", json_incref(json_object_get(o, "running")));
	json_decref(o);
	dash_changed(k->s);
	return 202;
}

static unsigned stop(struct action *a, void *arg)
{
	struct desk *k = arg;
	char why[100];

	(void)snprintf(why, sizeof(why), "stopped by %s", *a->who ? a->who :
		       "somebody with the token");
	if (!drills_abort(&k->d, why, clk_now()))
		return action_fail(a, 409, "no drill goes on");
	note(k, "drill-abort", a->who, "");
	arm(k);
	jsn_bool(a->out, "ending", true);
	dash_changed(k->s);
	return 202;
}

/* --- what is served --- */

json_t *api_drills_json(struct sbc *s)
{
	struct desk *k = s->desk;
	json_t *o = drills_json(&k->d, clk_now());

	jsn_bool(o, "on", k->tool[0] != '\0');
	jsn_bool(o, "phones", s->cf.drills.domain[0] && s->cf.drills.phones[0]
		 && s->cf.faults);
	return o;
}

static void get(struct http_call *c, void *arg)
{
	struct desk *k = arg;

	jsn_reply(c, 200, api_drills_json(k->s));
}

static void get_report(struct http_call *c, void *arg)
{
	static const char base[] = "/api/v1/drills/reports/";
	struct desk *k = arg;
	struct sl name = sl_sub(c->path, sizeof(base) - 1, c->path.n);
	char path[512];
	struct buf b;

	if (!drills_report_name(name) ||
	    snprintf(path, sizeof(path), "%s/drills/%.*s",
		     k->s->cf.state_dir, (int)name.n, (const char *)name.p) >=
	    (int)sizeof(path) || file_read(&b, path, REPORT_MAX)) {
		jsn_error(c, 404, "no such report");
		return;
	}
	http_srv_attach(c, "text/html; charset=utf-8", name, buf_as_sl(&b));
	buf_free(&b);
}

/* --- life --- */

static int figures(struct desk *k)
{
	static const char *const labels[] = {
		"verdict=\"pass\"", "verdict=\"fail\"", "verdict=\"aborted\"",
		"verdict=\"unfit\"", "verdict=\"none\"",
	};
	int err = stat_add(k->s->st, STAT_GAUGE, "sbc_drill_running", NULL,
			   "Does a drill of the page go on", &k->d.on, k);

	for (size_t i = 0; i < 5 && !err; i++)
		err = stat_add(k->s->st, STAT_COUNTER, "sbc_drills_total",
			       labels[i], "Drills of the page that ended",
			       &k->d.count[i], k);
	return err;
}

int api_drills(struct sbc *s)
{
	struct desk *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return ENOMEM;
	s->desk = k;
	k->s = s;
	buf_init(&k->listed, DRILLS_LIST);
	err = ntimer_alloc(&k->timer, timer, k);
	if (!err)
		err = figures(k);
	if (!err)
		err = http_srv_route(s->http, "GET", "/api/v1/drills", get, k);
	if (!err)
		err = http_srv_route(s->http, "GET", "/api/v1/drills/reports/",
				     get_report, k);
	if (!err)
		err = action_route(s->act, "drill", "/api/v1/drills/run", run,
				   k);
	if (!err)
		err = action_route(s->act, "drill-abort",
				   "/api/v1/drills/abort", stop, k);
	if (!err)
		api_drills_look(s);
	return err;
}

void api_drills_stopping(struct sbc *s)
{
	if (drills_abort(&s->desk->d, "the edge stops", clk_now()))
		timer(s->desk);
}

void api_drills_stop(struct sbc *s)
{
	struct desk *k = s->desk;

	if (!k)
		return;
	s->desk = NULL;
	child_free(k->list);
	child_free(k->run);
	ntimer_free(k->timer);
	stat_del_owner(s->st, k);
	buf_free(&k->listed);
	drills_free(&k->d);
	free(k);
}
