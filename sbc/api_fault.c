/* api_fault.c - Shell. POST /api/v1/faults: a fault towards one node. */
#include "sbc/sbc_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/clk.h"
#include "sbc/ledger.h"
#include "web/jsn.h"

/** @return is it a number of [lo, hi], or absent and so `def` */
static bool number(const json_t *in, const char *key, uint32_t lo,
		   uint32_t hi, uint32_t def, uint32_t *vp)
{
	const json_t *v = json_object_get(in, key);
	json_int_t n = json_integer_value(v);

	*vp = def;
	if (!v)
		return def != UINT32_MAX;
	if (!json_is_integer(v) || n < lo || n > hi)
		return false;
	*vp = (uint32_t)n;
	return true;
}

static unsigned read_order(struct action *a, struct fault_order *o,
			   uint64_t now)
{
	static const char *const known[] = {
		"node", "kind", "ms", "percent", "max_duration", "who", "why",
	};
	const char *kind = action_str(a, "kind");
	uint32_t secs;
	int k = FAULT_NONE + 1;

	if (action_unknown(a, known, sizeof(known) / sizeof(known[0])))
		return action_fail(a, 400, "unknown key, allowed: node, kind, "
				   "ms, percent, max_duration");
	while (kind && k < FAULT_KINDS &&
	       strcmp(kind, fault_kind_name((enum fault_kind)k)) != 0)
		k++;
	if (!kind || k == FAULT_KINDS)
		return action_fail(a, 400, "kind: allowed: blackhole, delay, "
				   "reject, drop-invite, drop-probe, late");
	o->kind = (enum fault_kind)k;
	if (!number(a->in, "ms", 1, FAULT_MS_MAX, k == FAULT_DELAY ||
		    k == FAULT_LATE ? UINT32_MAX : 0, &o->ms))
		return action_fail(a, 400, "ms: allowed: 1 to %d, needed with "
				   "delay and late", FAULT_MS_MAX);
	if (!number(a->in, "percent", 1, 100, 100, &o->percent))
		return action_fail(a, 400, "percent: allowed: 1 to 100");
	if (!number(a->in, "max_duration", 1, FAULT_LONGEST, UINT32_MAX,
		    &secs))
		return action_fail(a, 400, "max_duration: needed, allowed: 1 "
				   "to %d seconds", FAULT_LONGEST);
	o->until = now + 1000ull * secs;
	(void)snprintf(o->who, sizeof(o->who), "%s", a->who);
	return 0;
}

/** Other nodes that are UP and take requests */
static unsigned others(struct sbc *s, uint16_t idx, uint64_t now,
		       struct fault_order *o)
{
	struct disp *d = edge_disp(s->edge);
	struct disp_view v;
	unsigned n = 0;

	o->whole_ip = true;
	for (uint16_t i = 0; i < disp_n(d); i++) {
		if (i == idx || disp_view(d, i, &v))
			continue;
		n += v.state == DISP_UP && v.wish.admin == DISP_READY &&
			!v.leaving && v.ejected <= now && v.weight;
		o->whole_ip = o->whole_ip && !addr_ip_eq(&v.addr, &o->addr);
	}
	return n;
}

static void note(struct sbc *s, const char *what, const struct fault_order *o,
		 const char *who, uint64_t now)
{
	char txt[120];

	(void)snprintf(txt, sizeof(txt), "%s, %u ms, %u %%, at most %llu s",
		       fault_kind_name(o->kind), o->ms, o->percent,
		       (unsigned long long)(o->until > now ?
			o->until - now : 0) / 1000);
	ledger_admin(edge_ledger(s->edge), sl_cstr(what), sl_cstr(o->node),
		     sl_cstr(who), sl_cstr(txt), now);
}

static unsigned begin(struct action *a, void *arg)
{
	struct sbc *s = arg;
	struct disp *d = edge_disp(s->edge);
	const char *node = action_str(a, "node");
	struct fault_order o = { 0 };
	uint64_t now = clk_now();
	struct disp_view v;
	uint16_t idx;
	unsigned bad;

	if (!s->cf.faults)
		return action_fail(a, 403, "faults = false in the settings");
	bad = read_order(a, &o, now);
	if (bad)
		return bad;
	if (!node || disp_by_name(d, sl_cstr(node), &idx) ||
	    disp_view(d, idx, &v))
		return action_fail(a, 404, "no such node in the pool");
	(void)snprintf(o.node, sizeof(o.node), "%s", v.name);
	o.addr = v.addr;
	if (others(s, idx, now, &o) < 2)
		return action_fail(a, 409, "fewer than two other nodes are up "
				   "and take requests");
	if (fault_begin(&s->fault, &o, now))
		return action_fail(a, 409, "there is a fault already, towards "
				   "%s", s->fault.o.node);
	note(s, "fault", &o, a->who, now);
	api_fault_put(s, a->out);
	sbc_turn(s);
	return 200;
}

void api_fault_end(struct sbc *s, const char *who, uint64_t now)
{
	struct fault_order o = s->fault.o;

	if (fault_end(&s->fault, now))
		note(s, "fault-end", &o, who, now);
}

static unsigned clear(struct action *a, void *arg)
{
	struct sbc *s = arg;

	api_fault_end(s, a->who, clk_now());
	api_fault_put(s, a->out);
	sbc_turn(s);
	return 200;
}

void api_fault_put(const struct sbc *s, json_t *out)
{
	const struct fault *f = &s->fault;
	uint64_t now = clk_now();
	json_t *o;

	if (!f->o.kind) {
		jsn_put(out, "fault", json_null());
		return;
	}
	o = json_object();
	jsn_str(o, "node", f->o.node);
	jsn_str(o, "kind", fault_kind_name(f->o.kind));
	jsn_str(o, "who", f->o.who);
	jsn_u64(o, "ms", f->o.ms);
	jsn_u64(o, "percent", f->o.percent);
	jsn_u64(o, "since_ms", now - f->since);
	jsn_u64(o, "until_ms", f->o.until > now ? f->o.until - now : 0);
	jsn_put(out, "fault", o);
}

int api_fault(struct sbc *s)
{
	int err = action_route(s->act, "fault", "/api/v1/faults", begin, s);

	return err ? err : action_route(s->act, "fault-end",
					"/api/v1/faults/clear", clear, s);
}
