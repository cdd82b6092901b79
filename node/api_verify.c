/**
 * @file api_verify.c  Shell. Proof on demand that the nodes hold the same.
 */
#include "node/api_verify.h"
#include "base/clk.h"
#include "node/node_i.h"
#include "web/jsn.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH "/api/v1/verify"

struct api_verify {
	struct node *n;
	uint64_t runs;           /* number of the last one; 0 = none          */
	uint64_t began;          /* [ms]                                      */
};

/* What was missed by whoever was not there cannot be said */
static const char *verdict(const struct cluster_member_view *m)
{
	if (m->self)
		return "self";
	if (!m->linked || m->health != CLUSTER_ALIVE)
		return "not_reached";
	return strcmp(m->verdict, "unknown") ? m->verdict : "old_version";
}

static json_t *members_json(const struct cluster_view *v, bool *all_equal)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < v->n; i++) {
		const struct cluster_member_view *m = &v->m[i];
		const char *says = verdict(m);
		json_t *o;

		if (m->removed && !m->self)
			continue;
		o = json_object();
		jsn_str(o, "name", m->name);
		jsn_addr(o, "address", &m->addr);
		jsn_str(o, "verdict", says);
		jsn_u64(o, "contacts", m->contacts);
		(void)json_array_append_new(list, o);
		if (!m->self && strcmp(says, "equal") != 0)
			*all_equal = false;
	}
	return list;
}

struct diffs {
	const struct cluster_view *v;
	json_t *list;
};

static void add_diff(const struct cluster_diff *d, void *arg)
{
	struct diffs *x = arg;
	json_t *o = json_object();
	const char *name = "?";

	for (uint32_t i = 0; i < x->v->n; i++)
		if (x->v->m[i].node == d->node)
			name = x->v->m[i].name;
	jsn_str(o, "member", name);
	jsn_str(o, "what", d->kind);
	jsn_sl(o, "aor", sl_cstr(d->aor));
	jsn_sl(o, "binding", sl_cstr(d->key));
	(void)json_array_append_new(x->list, o);
}

static void put_result(json_t *o, const struct api_verify *x)
{
	struct cluster_view *v = calloc(1, sizeof(*v));
	struct diffs d = { v, json_array() };
	bool all_equal = v && x->n->cluster;
	uint64_t more = 0;

	if (all_equal) {
		cluster_view(x->n->cluster, v);
		jsn_put(o, "members", members_json(v, &all_equal));
		cluster_diffs(x->n->cluster, add_diff, &d, &more);
	}
	jsn_bool(o, "equal", all_equal);
	jsn_put(o, "differences", d.list);
	jsn_u64(o, "more", more);
	free(v);
}

static void show(struct http_call *c, void *arg)
{
	struct api_verify *x = arg;
	bool running = x->n->cluster && cluster_verifying(x->n->cluster);
	json_t *o = json_object();

	jsn_u64(o, "run", x->runs);
	jsn_str(o, "state", !x->runs ? "none" : running ? "running" : "done");
	jsn_u64(o, "age_ms", x->runs ? clk_now() - x->began : 0);
	jsn_str(o, "name", x->n->cf.name);
	if (x->runs && !running)
		put_result(o, x);
	jsn_reply(c, 200, o);
}

static unsigned start(struct action *a, void *arg)
{
	struct api_verify *x = arg;

	if (!x->n->cluster)
		return action_fail(a, 503, "no cluster yet");
	x->runs++;
	x->began = clk_now();
	cluster_verify(x->n->cluster);
	jsn_u64(a->out, "run", x->runs);
	return 202;
}

int api_verify_alloc(struct api_verify **vp, struct http_srv *s,
		     struct actions *act, struct node *n)
{
	struct api_verify *x = calloc(1, sizeof(*x));
	int err;

	if (!x)
		return ENOMEM;
	x->n = n;
	err = http_srv_route(s, "GET", PATH, show, x);
	if (!err)
		err = action_route(act, "verify", PATH, start, x);
	if (err)
		api_verify_free(x);
	else
		*vp = x;
	return err;
}

void api_verify_free(struct api_verify *v)
{
	free(v);
}
