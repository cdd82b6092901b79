/**
 * @file dispatcher.c  Pure. Facade: the pool, the health of its nodes, the
 * choice; effects are pulled by disp_poll().
 */
#include <errno.h>
#include <stdlib.h>
#include "dispatcher/pick.h"

#define CHANGES 256            /* state changes not polled yet            */
#define SPREAD_MIN 20          /* [ms] first probes are spread at least   */

struct disp {
	struct disp_conf cf;
	struct rng rng;
	struct pool pool;
	struct stats *stats;           /* borrowed, outlives us; or NULL  */
	uint32_t probe;                /* last id given                   */
	uint64_t now;                  /* latest time heard of [ms]       */
	bool probes;                   /* a node may have want_probe      */
	struct disp_out chg[CHANGES];  /* ring                            */
	uint32_t chg_at, chg_n;
	uint64_t chg_lost;
	uint64_t picks[PICK_CLASSES], none;
};

const char *disp_state_name(enum disp_state s)
{
	switch (s) {
	case DISP_UP:      return "UP";
	case DISP_SUSPECT: return "SUSPECT";
	case DISP_DOWN:    return "DOWN";
	}
	return "?";
}

const char *disp_admin_name(enum disp_admin a)
{
	switch (a) {
	case DISP_READY: return "ready";
	case DISP_DRAIN: return "drain";
	case DISP_MAINT: return "maint";
	}
	return "?";
}

/** Bounds that the sums here rely on; the programs' settings are narrower */
static bool conf_ok(const struct disp_conf *cf)
{
	const uint32_t day = 86400000;

	return cf->inter && cf->inter <= day && cf->fastinter &&
		cf->fastinter <= day && cf->downinter &&
		cf->downinter <= day && cf->timeout && cf->timeout <= day &&
		cf->fall && cf->rise && cf->rise <= 1000 &&
		cf->jitter <= 50 && cf->max_nodes <= DISP_MAX;
}

int disp_alloc(struct disp **dp, const struct disp_conf *cf, uint64_t seed,
	       uint64_t now)
{
	struct disp *d;

	if (!conf_ok(cf))
		return EINVAL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return ENOMEM;
	d->cf = *cf;
	d->now = now;
	rng_seed(&d->rng, seed);
	*dp = d;
	return 0;
}

void disp_free(struct disp *d)
{
	uint16_t i;

	if (!d)
		return;
	for (i = 0; d->stats && i < d->pool.n; i++) {
		if (d->pool.v[i])
			stat_del_owner(d->stats, d->pool.v[i]);
	}
	if (d->stats)
		stat_del_owner(d->stats, d);
	pool_clear(&d->pool);
	free(d);
}

/** After each call into a node's health: keep the figures, tell a change */
static void disp_note(struct disp *d, uint16_t idx, enum disp_state from)
{
	static const uint8_t gauge[] = {
		[DISP_UP] = 2, [DISP_SUSPECT] = 1, [DISP_DOWN] = 0,
	};
	struct pool_node *n = d->pool.v[idx];
	struct disp_out *o;

	n->stat.state = gauge[n->health.state];
	if (n->health.state == from)
		return;
	if (d->chg_n == CHANGES) {          /* forget the oldest */
		d->chg_at = (d->chg_at + 1) % CHANGES;
		d->chg_n--;
		d->chg_lost++;
	}
	o = &d->chg[(d->chg_at + d->chg_n++) % CHANGES];
	*o = (struct disp_out){
		.kind = DISP_OUT_CHANGE, .node = idx, .from = from,
		.to = n->health.state, .why = n->health.why,
	};
}

int disp_add(struct disp *d, const struct disp_node_conf *nc, uint16_t *idx,
	     uint64_t now)
{
	struct pool_node *n;
	uint32_t spread = d->cf.fastinter / 4;
	int err;

	err = pool_add(&d->pool, nc, d->cf.max_nodes, idx);
	if (err)
		return err;
	d->now = now;
	n = d->pool.v[*idx];
	if (spread < SPREAD_MIN)
		spread = SPREAD_MIN;
	health_init(&n->health, &d->cf, &d->rng, n->name, now,
		    now + rng_below(&d->rng, spread));
	if (d->stats)
		(void)pool_stats(n, d->stats);   /* figures only */
	return 0;
}

void disp_del(struct disp *d, uint16_t idx)
{
	struct pool_node *n = pool_get(&d->pool, idx);

	if (!n)
		return;
	if (d->stats)
		stat_del_owner(d->stats, n);
	pool_del(&d->pool, idx);
}

int disp_reconf(struct disp *d, const struct disp_conf *cf)
{
	uint16_t i;

	if (!conf_ok(cf))
		return EINVAL;
	d->cf = *cf;
	for (i = 0; i < d->pool.n; i++) {
		if (d->pool.v[i])
			health_reconf(&d->pool.v[i]->health, d->now);
	}
	return 0;
}

int disp_set_weight(struct disp *d, uint16_t idx, uint32_t weight)
{
	struct pool_node *n = pool_get(&d->pool, idx);

	if (!n)
		return ENOENT;
	if (weight > 1000)
		return EINVAL;
	n->weight = weight;
	n->stat.weight = weight;
	return 0;
}

int disp_set_admin(struct disp *d, uint16_t idx, enum disp_admin a,
		   uint64_t now)
{
	struct pool_node *n = pool_get(&d->pool, idx);
	enum disp_state from;

	if (!n)
		return ENOENT;
	d->now = now;
	n->admin = a;
	n->stat.admin = a;
	from = n->health.state;
	if (a == DISP_MAINT) {
		health_off(&n->health, now);
		n->want_probe = false;
	} else {
		health_on(&n->health, now);
	}
	disp_note(d, idx, from);
	return 0;
}

uint16_t disp_n(const struct disp *d)
{
	return d->pool.n;
}

int disp_view(const struct disp *d, uint16_t idx, struct disp_view *v)
{
	const struct pool_node *n = pool_get(&d->pool, idx);

	if (!n)
		return ENOENT;
	*v = (struct disp_view){
		.addr = n->addr, .tp = n->tp, .state = n->health.state,
		.admin = n->admin, .weight = n->weight,
		.since = n->health.since, .okc = n->health.okc,
		.failc = n->health.failc,
		.inflight = (uint32_t)n->stat.inflight,
		.rtt_us = (uint32_t)n->stat.rtt_us,
		.probe_rtt_us = (uint32_t)n->stat.probe_rtt_us,
		.probe_at = n->probe_at, .probe_code = n->probe_code,
		.picked = n->stat.picked, .ok = n->stat.ok,
		.silent = n->stat.silent, .reset = n->stat.reset,
		.refused = n->stat.refused, .failed_over_from = n->stat.from,
		.failed_over_to = n->stat.to,
	};
	memcpy(v->name, n->name, sizeof(v->name));
	memcpy(v->probe_reason, n->probe_reason, sizeof(v->probe_reason));
	return 0;
}

int disp_by_addr(const struct disp *d, const struct addr *a, uint16_t *idx)
{
	uint16_t i;

	for (i = 0; i < d->pool.n; i++) {
		if (d->pool.v[i] && addr_eq(&d->pool.v[i]->addr, a)) {
			*idx = i;
			return 0;
		}
	}
	return ENOENT;
}

int disp_by_name(const struct disp *d, struct sl name, uint16_t *idx)
{
	uint16_t i;

	for (i = 0; i < d->pool.n; i++) {
		if (d->pool.v[i] &&
		    sl_eq(sl_cstr(d->pool.v[i]->name), name)) {
			*idx = i;
			return 0;
		}
	}
	return ENOENT;
}

int disp_pick(struct disp *d, uint64_t key, const struct disp_set *tried,
	      uint16_t *idx, uint64_t now)
{
	struct disp_set no = { 0 }, set;
	int c;

	d->now = now;
	for (c = PICK_UP; c < PICK_CLASSES; c++) {
		set = pick_class(&d->pool, (enum pick_class)c,
				 tried ? *tried : no);
		if (!set.bits)
			continue;
		*idx = pick_one(&d->pool, set, d->cf.alg, key);
		d->pool.v[*idx]->stat.picked++;
		d->picks[c]++;
		return 0;
	}
	d->none++;
	return ENOENT;
}

void disp_begin(struct disp *d, uint16_t idx)
{
	struct pool_node *n = pool_get(&d->pool, idx);

	if (n)
		n->stat.inflight++;
}

void disp_end(struct disp *d, uint16_t idx)
{
	struct pool_node *n = pool_get(&d->pool, idx);

	/* 0: begun on a node that had this index before */
	if (n && n->stat.inflight)
		n->stat.inflight--;
}

void disp_report(struct disp *d, uint16_t idx, enum disp_report r,
		 uint32_t rtt_us, uint64_t now)
{
	struct pool_node *n = pool_get(&d->pool, idx);
	enum disp_state from;

	if (!n)
		return;
	d->now = now;
	switch (r) {
	case DISP_OK:
		n->stat.ok++;
		/* RFC 6298's gain: 1/8 */
		n->stat.rtt_us = n->stat.rtt_us ?
			(7 * n->stat.rtt_us + rtt_us) / 8 : rtt_us;
		break;
	case DISP_SILENT:
		n->stat.silent++;
		break;
	case DISP_RESET:
		n->stat.reset++;
		n->want_probe = false;
		break;
	case DISP_REFUSED:
		n->stat.refused++;
		break;
	}
	from = n->health.state;
	health_report(&n->health, r, now);
	disp_note(d, idx, from);
}

void disp_moved(struct disp *d, uint16_t from, uint16_t to)
{
	struct pool_node *f = pool_get(&d->pool, from);
	struct pool_node *t = pool_get(&d->pool, to);

	if (f)
		f->stat.from++;
	if (t)
		t->stat.to++;
}

/** The reason comes from the wire: printable, no quotes, cut */
static void reason_copy(char *dst, size_t size, struct sl s)
{
	size_t i;

	for (i = 0; i < s.n && i + 1 < size; i++) {
		uint8_t c = (uint8_t)s.p[i];

		dst[i] = c < ' ' || c >= 0x7f || c == '"' || c == '\\' ?
			'.' : (char)c;
	}
	dst[i] = '\0';
}

void disp_probed(struct disp *d, uint16_t idx, uint32_t probe, bool ok,
		 uint16_t code, struct sl reason, uint32_t rtt_us,
		 uint64_t now)
{
	struct pool_node *n = pool_get(&d->pool, idx);
	enum disp_state from;
	enum health_result r;

	if (!n)
		return;
	d->now = now;
	r = ok ? HEALTH_GOOD : code ? HEALTH_REFUSED : HEALTH_SILENT;
	from = n->health.state;
	if (!health_probed(&n->health, probe, r, now)) {
		n->stat.probes_late++;
		return;
	}
	if (!ok)
		n->stat.probes_failed++;
	n->probe_at = now;
	n->probe_code = code;
	reason_copy(n->probe_reason, sizeof(n->probe_reason), reason);
	n->stat.probe_rtt_us = rtt_us;
	n->want_probe = false;
	disp_note(d, idx, from);
}

void disp_tick(struct disp *d, uint64_t now)
{
	struct pool_node *n;
	enum disp_state from;
	uint32_t was;
	uint16_t i;

	d->now = now;
	for (i = 0; i < d->pool.n; i++) {
		n = d->pool.v[i];
		if (!n || health_next(&n->health) > now)
			continue;
		from = n->health.state;
		was = n->health.probe;
		if (++d->probe == 0)
			d->probe = 1;
		n->want_probe = health_tick(&n->health, d->probe, now);
		if (n->want_probe) {
			n->stat.probes++;
			d->probes = true;
		}
		if (was && was != n->health.probe) {     /* it timed out */
			n->stat.probes_failed++;
			n->probe_at = now;
			n->probe_code = 0;
			reason_copy(n->probe_reason, sizeof(n->probe_reason),
				    SL("no answer"));
		}
		disp_note(d, i, from);
	}
}

uint64_t disp_next(const struct disp *d)
{
	uint64_t at = UINT64_MAX, t;
	uint16_t i;

	for (i = 0; i < d->pool.n; i++) {
		if (!d->pool.v[i])
			continue;
		t = health_next(&d->pool.v[i]->health);
		if (t < at)
			at = t;
	}
	return at;
}

bool disp_poll(struct disp *d, struct disp_out *out)
{
	struct pool_node *n;
	uint16_t i;

	while (d->chg_n) {
		*out = d->chg[d->chg_at];
		d->chg_at = (d->chg_at + 1) % CHANGES;
		d->chg_n--;
		if (pool_get(&d->pool, out->node))
			return true;
	}
	for (i = 0; d->probes && i < d->pool.n; i++) {
		n = d->pool.v[i];
		if (!n || !n->want_probe)
			continue;
		n->want_probe = false;
		*out = (struct disp_out){
			.kind = DISP_OUT_PROBE, .node = i,
			.probe = n->health.probe,
			.from = n->health.state, .to = n->health.state,
		};
		return true;
	}
	d->probes = false;
	return false;
}

void disp_stats(struct disp *d, struct stats *s)
{
	static const char *const cls[PICK_CLASSES] = {
		[PICK_UP] = "class=\"up\"",
		[PICK_SUSPECT] = "class=\"suspect\"",
		[PICK_DRAIN] = "class=\"drain\"",
		[PICK_PANIC] = "class=\"panic\"",
	};
	uint16_t i;

	d->stats = s;
	for (i = 0; i < PICK_CLASSES; i++)
		(void)stat_add(s, STAT_COUNTER, "pool_picks_total", cls[i],
			       "Choices by the class the node was in.",
			       &d->picks[i], d);
	(void)stat_add(s, STAT_COUNTER, "pool_none_total", NULL,
		       "Choices that found no node left.", &d->none, d);
	(void)stat_add(s, STAT_COUNTER, "pool_changes_lost_total", NULL,
		       "State changes dropped because nobody took them.",
		       &d->chg_lost, d);
	for (i = 0; i < d->pool.n; i++) {
		if (d->pool.v[i])
			(void)pool_stats(d->pool.v[i], s);
	}
}
