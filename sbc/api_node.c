/* api_node.c - Shell. Nodes of the pool: what is shown, what may be done. */
#include "sbc/sbc_priv.h"

#include <errno.h>

#include "base/clk.h"
#include "sbc/dash.h"
#include "sbc/ledger.h"
#include "web/jsn.h"

#define UNTIL_MAX (30 * 86400)   /* [s] */

/* --- what is shown --- */

static json_t *probe_json(const struct disp_view *v, uint64_t now)
{
	json_t *p = json_object();

	jsn_u64(p, "code", v->probe_code);
	jsn_str(p, "reason", v->probe_reason);
	jsn_u64(p, "rtt_us", v->probe_rtt_us);
	jsn_u64(p, "age_ms", v->probe_at ? now - v->probe_at : 0);
	jsn_u64(p, "good", v->okc);
	jsn_u64(p, "failed", v->failc);
	return p;
}

static void put_wish(json_t *o, const struct disp_wish *w, uint64_t now)
{
	jsn_str(o, "admin", disp_admin_name(w->admin));
	jsn_bool(o, "weight_set", w->weight >= 0);
	if (w->admin == DISP_READY)
		return;
	jsn_sl(o, "admin_who", sl_cstr(w->who));
	jsn_sl(o, "admin_why", sl_cstr(w->why));
	jsn_u64(o, "admin_since_ms", now > w->since ? now - w->since : 0);
	jsn_u64(o, "admin_until_ms", w->until > now ? w->until - now : 0);
	jsn_bool(o, "drained", w->drained);
}

static void put_left(struct sbc *s, json_t *o, uint16_t idx)
{
	json_t *l = json_object();
	struct edge_left left;

	edge_left(s->edge, idx, &left);
	jsn_u64(l, "requests", left.requests);
	jsn_u64(l, "calls", left.calls);
	jsn_put(o, "left", l);
}

json_t *api_node_json(struct sbc *s, uint16_t idx)
{
	uint64_t now = clk_now();
	struct disp_view v;
	json_t *o;

	if (disp_view(edge_disp(s->edge), idx, &v))
		return NULL;
	o = json_object();
	jsn_str(o, "name", v.name);
	jsn_addr(o, "address", &v.addr);
	jsn_str(o, "transport", tp_param(v.tp));
	jsn_bool(o, "learned", v.learned);
	jsn_bool(o, "leaving", v.leaving);
	jsn_str(o, "state", disp_state_name(v.state));
	put_wish(o, &v.wish, now);
	if (v.wish.admin == DISP_DRAIN || v.leaving)
		put_left(s, o, idx);
	jsn_u64(o, "weight", v.weight);
	jsn_u64(o, "slowstart_pct", v.ramp);
	jsn_u64(o, "since_ms", now - v.since);
	jsn_u64(o, "ejected_ms", v.ejected > now ? v.ejected - now : 0);
	jsn_u64(o, "held_ms", v.held > now ? v.held - now : 0);
	jsn_u64(o, "ejections", v.ejections);
	jsn_u64(o, "failed_pct", v.fail_percent);
	jsn_u64(o, "no100_ms", s->cf.timers.no100 ? s->cf.timers.no100 :
		v.no100);
	jsn_u64(o, "inflight", v.inflight);
	jsn_u64(o, "unanswered", v.unanswered);
	jsn_bool(o, "full", v.full);
	jsn_u64(o, "loss_pct", v.loss);
	jsn_u64(o, "rtt_us", v.rtt_us);
	jsn_u64(o, "picked", v.picked);
	jsn_u64(o, "ok", v.ok);
	jsn_u64(o, "silent", v.silent);
	jsn_u64(o, "reset", v.reset);
	jsn_u64(o, "refused", v.refused);
	jsn_u64(o, "failed_over_from", v.failed_over_from);
	jsn_u64(o, "failed_over_to", v.failed_over_to);
	jsn_put(o, "probe", probe_json(&v, now));
	return o;
}

/* --- what may be done --- */

struct order {
	struct disp_wish wish;
	bool force;
};

static unsigned unknown_key(struct action *a)
{
	static const char *const known[] = {
		"admin", "why", "who", "until", "when_empty", "weight",
		"force",
	};
	const char *key = action_unknown(a, known,
					 sizeof(known) / sizeof(known[0]));

	return key ? action_fail(a, 400, "%.40s: no such key", key) : 0;
}

static unsigned read_until(struct action *a, struct disp_wish *w, uint64_t now)
{
	const json_t *v = json_object_get(a->in, "until");

	if (!v || json_is_null(v))
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 1 ||
	    json_integer_value(v) > UNTIL_MAX)
		return action_fail(a, 400, "until: allowed: 1 to %d seconds",
				   UNTIL_MAX);
	w->until = now + 1000 * (uint64_t)json_integer_value(v);
	return 0;
}

static unsigned read_when_empty(struct action *a, struct disp_wish *w)
{
	const json_t *v = json_object_get(a->in, "when_empty");
	const char *s = json_string_value(v);

	w->when_empty = w->admin == DISP_DRAIN;
	if (!v)
		return 0;
	if (w->admin != DISP_DRAIN || !s ||
	    (strcmp(s, "maint") != 0 && strcmp(s, "stay") != 0))
		return action_fail(a, 400, "when_empty: allowed: \"maint\" or "
				   "\"stay\", with \"drain\"");
	w->when_empty = !strcmp(s, "maint");
	return 0;
}

static unsigned read_admin(struct action *a, struct disp_wish *w, uint64_t now)
{
	const json_t *v = json_object_get(a->in, "admin");
	const char *s = json_string_value(v);
	const char *why = action_str(a, "why");
	unsigned bad;
	int m = DISP_READY;

	if (!v)
		return 0;
	while (s && m <= DISP_MAINT &&
	       strcmp(s, disp_admin_name((enum disp_admin)m)) != 0)
		m++;
	if (!s || m > DISP_MAINT)
		return action_fail(a, 400, "admin: allowed: \"ready\", "
				   "\"drain\", \"maint\"");
	*w = (struct disp_wish){
		.admin = (enum disp_admin)m, .weight = w->weight,
		.since = now,
	};
	sl_text(w->who, sizeof(w->who), a->who);
	sl_text(w->why, sizeof(w->why), why ? why : "");
	bad = read_when_empty(a, w);
	if (bad || m == DISP_READY)
		return bad;
	return read_until(a, w, now);
}

static unsigned read_weight(struct action *a, struct disp_wish *w)
{
	const json_t *v = json_object_get(a->in, "weight");

	if (!v)
		return 0;
	if (json_is_null(v)) {
		w->weight = -1;
		return 0;
	}
	if (!json_is_integer(v) || json_integer_value(v) < 0 ||
	    json_integer_value(v) > 1000)
		return action_fail(a, 400, "weight: allowed: 0 to 1000, or "
				   "null for the settings'");
	w->weight = (int32_t)json_integer_value(v);
	return 0;
}

static unsigned read_order(struct action *a, struct order *r, uint64_t now)
{
	unsigned bad = unknown_key(a);

	if (!bad && !json_object_get(a->in, "admin") &&
	    !json_object_get(a->in, "weight"))
		bad = action_fail(a, 400, "admin or weight is needed");
	if (!bad)
		bad = read_admin(a, &r->wish, now);
	if (!bad)
		bad = read_weight(a, &r->wish);
	r->force = json_is_true(json_object_get(a->in, "force"));
	return bad;
}

unsigned api_node(struct action *a, void *arg)
{
	struct sbc *s = arg;
	struct disp *d = edge_disp(s->edge);
	uint64_t now = clk_now();
	struct disp_view v;
	struct order r = { 0 };
	json_t *node;
	uint16_t idx;
	unsigned bad;

	if (disp_by_name(d, a->path, &idx) || disp_view(d, idx, &v))
		return action_fail(a, 404, "no such node in the pool");
	r.wish = v.wish;
	bad = read_order(a, &r, now);
	if (bad)
		return bad;
	if ((r.wish.admin != DISP_READY || !r.wish.weight) && !r.force &&
	    v.wish.admin == DISP_READY && v.state != DISP_DOWN &&
	    !disp_spare(d, idx, now))
		return action_fail(a, 409, "no other node is up and takes "
				   "requests; force does it all the same");
	if (edge_wish(s->edge, v.name, &r.wish, now))
		return action_fail(a, 500, "not possible");
	ledger_admin(edge_ledger(s->edge), json_object_get(a->in, "admin") ?
		     sl_cstr(disp_admin_name(r.wish.admin)) : SL("weight"),
		     sl_cstr(v.name), sl_cstr(a->who), sl_cstr(r.wish.why),
		     now);
	sbc_turn(s);
	if (sbc_save(s))
		return action_fail(a, 500, "done, but could not be saved: "
				   "it ends with the next start");
	node = api_node_json(s, idx);
	(void)json_object_update(a->out, node);
	json_decref(node);
	dash_changed(s);
	return 200;
}
