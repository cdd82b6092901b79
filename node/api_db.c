/* api_db.c - Shell. */
#include "node/api_db.h"
#include "base/clk.h"
#include "node/node_i.h"
#include "web/jsn.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH "/api/v1/db/verify"

struct api_db {
	struct node *n;
	uint64_t runs;           /* number of the last one; 0 = none          */
	uint64_t began;          /* [ms]                                      */
};

json_t *api_db_json(const struct node *n)
{
	const struct persist_stats *s;
	struct persist_io_view v;
	json_t *o;

	if (!persist_io_view(n->persist_io, &v))
		return NULL;
	s = persist_stats(v.persist);
	o = json_object();
	jsn_str(o, "state", persist_state_name(v.state));
	jsn_str(o, "why", v.why ? persist_err_name(v.why) : NULL);
	jsn_sl(o, "text", sl_cstr(v.text));
	jsn_str(o, "mode", v.mode);
	jsn_str(o, "url", v.url);
	jsn_bool(o, "loaded", persist_loaded(v.persist));
	jsn_u64(o, "rows_read", s->read);
	jsn_u64(o, "rows_written", s->written);
	jsn_u64(o, "dirty", persist_dirty(v.persist));
	jsn_u64(o, "age_ms", persist_age(v.persist, v.now));
	return o;
}

bool api_db_warning(const struct node *n, char *txt, size_t size)
{
	struct persist_io_view v;

	if (!persist_io_view(n->persist_io, &v))
		return false;
	switch (v.state) {
	case PERSIST_ST_DOWN:
		(void)snprintf(txt, size, "database of contacts: %s",
			       v.why ? persist_err_name(v.why) :
			       "does not answer");
		return true;
	case PERSIST_ST_BEHIND:
		(void)snprintf(txt, size, "database of contacts: slower than "
			       "what changes");
		return true;
	case PERSIST_ST_LOADING:
	case PERSIST_ST_UP:
		break;
	}
	return false;
}

/* --- verification ----------------------------------------------------------- */

static void put_result(json_t *o, const struct persist_verdict *v)
{
	uint64_t all = v->missing_db + v->missing_memory + v->differ;
	json_t *list = json_array();

	jsn_bool(o, "equal", v->valid && !all);
	jsn_str(o, "error", v->valid ? NULL : persist_err_name(v->err));
	jsn_u64(o, "rows", v->rows);
	jsn_u64(o, "records", v->records);
	jsn_u64(o, "missing_database", v->missing_db);
	jsn_u64(o, "missing_memory", v->missing_memory);
	jsn_u64(o, "differ", v->differ);
	jsn_u64(o, "changing", v->changing);
	for (uint32_t i = 0; i < v->n; i++) {
		json_t *d = json_object();

		jsn_str(d, "what", v->diff[i].what);
		jsn_sl(d, "aor", sl_cstr(v->diff[i].aor));
		jsn_sl(d, "binding", sl_cstr(v->diff[i].key));
		(void)json_array_append_new(list, d);
	}
	jsn_put(o, "differences", list);
	jsn_u64(o, "more", all - v->n);
}

static void show(struct http_call *c, void *arg)
{
	const struct api_db *x = arg;
	const struct persist_verdict *r;
	struct persist_io_view v;
	json_t *o;

	r = persist_io_view(x->n->persist_io, &v) && x->runs ?
		persist_verdict(v.persist) : NULL;
	o = json_object();
	jsn_u64(o, "run", x->runs);
	jsn_str(o, "state", !r ? "none" : r->running ? "running" : "done");
	jsn_u64(o, "age_ms", r ? clk_now() - x->began : 0);
	jsn_str(o, "name", x->n->cf.name);
	if (r && !r->running)
		put_result(o, r);
	jsn_reply(c, 200, o);
}

static unsigned start(struct action *a, void *arg)
{
	struct api_db *x = arg;
	int err = persist_io_verify(x->n->persist_io);

	switch (err) {
	case 0:
		break;
	case ENOENT:
		return action_fail(a, 404, "this node has no database: db_url");
	case EAGAIN:
		return action_fail(a, 503, "its rows are not read yet");
	case EBUSY:
		return action_fail(a, 409, "one is under way");
	default:
		return action_fail(a, 500, "%s", strerror(err));
	}
	x->runs++;
	x->began = clk_now();
	jsn_u64(a->out, "run", x->runs);
	return 202;
}

int api_db_alloc(struct api_db **ap, struct http_srv *s, struct actions *act,
		 struct node *n)
{
	struct api_db *x = calloc(1, sizeof(*x));
	int err;

	if (!x)
		return ENOMEM;
	x->n = n;
	err = http_srv_route(s, "GET", PATH, show, x);
	if (!err)
		err = action_route(act, "db-verify", PATH, start, x);
	if (err)
		api_db_free(x);
	else
		*ap = x;
	return err;
}

void api_db_free(struct api_db *x)
{
	free(x);
}
