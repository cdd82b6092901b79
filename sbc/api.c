/* api.c - Shell. Management pages of the edge. */
#include "sbc/sbc_priv.h"

#include <errno.h>

#include "base/clk.h"
#include "base/log.h"
#include <config.h>
#include "sbc/dash.h"
#include "web/jsn.h"

static bool ready(struct buf *why, void *arg)
{
	const struct sbc *s = arg;

	if (s->stop_at)
		buf_lit(why, "stopping");
	else if (disp_frozen(edge_disp(s->edge)))
		buf_lit(why, "no node can be reached, or not from here");
	else if (!edge_ready(s->edge))
		buf_lit(why, "no node is up");
	else
		return true;
	return false;
}

json_t *api_pool_json(struct sbc *s)
{
	json_t *a = json_array();

	for (uint16_t i = 0; i < disp_n(edge_disp(s->edge)); i++) {
		json_t *o = api_node_json(s, i);

		if (o)
			(void)json_array_append_new(a, o);
	}
	return a;
}

static json_t *listen_json(const struct sbc *s)
{
	json_t *a = json_array();

	for (uint16_t i = 0; i < s->lstc; i++) {
		json_t *o = json_object();

		jsn_str(o, "transport", tp_param(s->lst[i].tp));
		jsn_addr(o, "address", &s->lst[i].bound);
		jsn_str(o, "sentby", s->lst[i].sentby);
		jsn_str(o, "side", s->lst[i].core ? "core" : "client");
		(void)json_array_append_new(a, o);
	}
	return a;
}

json_t *api_peers_json(const struct sbc *s, uint64_t now)
{
	const struct peers *ps = edge_peers_get(s->edge);
	json_t *a = json_array();

	for (uint32_t i = 0; i < ps->n; i++) {
		const struct peer *p = ps->v[i];
		json_t *o = json_object();

		jsn_str(o, "name", p->cf.name);
		jsn_addr(o, "address", &p->cf.addr);
		jsn_str(o, "transport", tp_param(p->cf.tp));
		jsn_str(o, "state", p->until ? "resting" : "ready");
		jsn_u64(o, "rest_ms", p->until > now ? p->until - now : 0);
		jsn_u64(o, "max_cps", p->cf.max_cps);
		jsn_u64(o, "calls_in", p->calls_in);
		jsn_u64(o, "refused", p->capped + p->refused);
		jsn_u64(o, "calls_out", p->calls_out);
		jsn_u64(o, "answered", p->answered);
		jsn_u64(o, "failed", p->failed);
		jsn_u64(o, "skipped", p->skipped);
		(void)json_array_append_new(a, o);
	}
	return a;
}

/** Figures of the ledger that tell what failing nodes cost */
static json_t *calls_json(const struct sbc *s)
{
	static const struct {
		const char *key, *name, *labels;
	} v[] = {
		{ "saved", "sbc_saved_total", NULL },
		{ "rescued", "sbc_rescued_total", NULL },
		{ "adopted", "sbc_adopted_total", NULL },
		{ "gate", "sbc_gate_total", NULL },
		{ "lost_ringing", "sbc_lost_total", "why=\"ringing\"" },
		{ "lost_silent", "sbc_lost_total", "why=\"silent\"" },
		{ "lost_no_node", "sbc_lost_total", "why=\"no_node\"" },
	};
	json_t *o = json_object();

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		uint64_t n = 0;

		(void)stat_get(s->st, v[i].name, v[i].labels, &n);
		jsn_u64(o, v[i].key, n);
	}
	return o;
}

static json_t *status(void *arg)
{
	struct sbc *s = arg;
	json_t *o = json_object(), *pool;
	char txt[128];
	struct buf why;
	bool ok;

	buf_fixed(&why, txt, sizeof(txt) - 1);
	ok = ready(&why, s);
	txt[why.n] = '\0';
	jsn_str(o, "program", "edgewise-sbc");
	jsn_str(o, "version", PACKAGE_VERSION);
	jsn_u64(o, "uptime_ms", clk_now() - s->started);
	jsn_bool(o, "ready", ok);
	jsn_str(o, "reason", txt);
	jsn_u64(o, "pending", edge_pending(s->edge));
	jsn_u64(o, "connections", transport_conns(s->tp));
	jsn_bool(o, "frozen", disp_frozen(edge_disp(s->edge)));
	jsn_put(o, "listen", listen_json(s));
	pool = api_pool_json(s);
	if (s->dash)
		dash_put_sql(s->dash, pool, clk_now());
	jsn_put(o, "pool", pool);
	jsn_put(o, "peers", api_peers_json(s, clk_now()));
	jsn_put(o, "calls", calls_json(s));
	api_admit_put(s, o, clk_now());
	api_fault_put(s, o);
	return o;
}

int api_start(struct sbc *s)
{
	struct addr a = s->cf.http.address;
	int err;

	a.port = (uint16_t)s->cf.http.port;
	s->admin = (struct admin){
		.st = s->st, .ready = ready, .status = status, .arg = s,
	};
	err = stat_add(s->st, STAT_COUNTER, "sbc_reloads_total",
		       "result=\"done\"", "SIGHUP reloads", &s->reloads, s);
	if (!err)
		err = stat_add(s->st, STAT_COUNTER, "sbc_reloads_total",
			       "result=\"refused\"", "SIGHUP reloads",
			       &s->reload_errors, s);
	if (!err)
		err = http_srv_alloc(&s->http, "http", &a, s->st);
	if (!err)
		err = actions_alloc(&s->act, s->http, s->cf.state_dir, s->st);
	if (!err)
		err = api_events(s);
	if (!err)
		err = action_route(s->act, "node", "/api/v1/nodes/", api_node,
				   s);
	if (!err)
		err = api_trace(s);
	if (!err)
		err = dash_start(s);
	if (!err)
		err = api_drills(s);
	if (!err)
		err = api_fault(s);
	if (!err)
		err = api_admit(s);
	if (!err)
		err = api_paths(s);
	return err ? err : admin_routes(s->http, &s->admin);
}

void api_stop(struct sbc *s)
{
	api_drills_stop(s);
	dash_stop(s);
	http_srv_free(s->http);
	s->http = NULL;
	actions_free(s->act);
	s->act = NULL;
}
