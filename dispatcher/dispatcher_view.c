/* dispatcher_view.c - Pure. The pool as others see it: names, views, figures. */
#include "dispatcher/dispatcher_i.h"
#include <errno.h>

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

uint16_t disp_n(const struct disp *d)
{
	return d->pool.n;
}

bool disp_is_up(const struct disp *d, uint16_t idx)
{
	const struct pool_node *n = pool_get(&d->pool, idx);

	return n && n->health.state == DISP_UP;
}

bool disp_frozen(const struct disp *d)
{
	return d->frozen;
}

uint32_t disp_no100(const struct disp *d, uint16_t idx)
{
	const struct pool_node *n = pool_get(&d->pool, idx);
	const struct rtt none = { 0 };

	return rtt_timeout(n ? &n->rtt : &none, DISP_NO100_FIRST,
			   d->cf.no100_min, d->cf.no100_max);
}

int disp_view(struct disp *d, uint16_t idx, struct disp_view *v)
{
	struct pool_node *n = pool_get(&d->pool, idx);
	uint32_t all;

	if (!n)
		return ENOENT;
	*v = (struct disp_view){
		.addr = n->addr, .tp = n->tp, .state = n->health.state,
		.wish = n->wish, .learned = n->learned,
		.leaving = n->leaving, .weight = n->weight,
		.ramp = pool_ramp(n, d->cf.slowstart, d->now),
		.since = n->health.since, .okc = n->health.okc,
		.failc = n->health.failc, .ejected = n->outlier.until,
		.held = n->held > d->now ? n->held : 0,
		.ejections = n->stat.ejected,
		.fail_percent = outlier_percent(&n->outlier, d->now, &all),
		.no100 = disp_no100(d, idx),
		.inflight = (uint32_t)n->stat.inflight,
		.unanswered = (uint32_t)n->stat.unanswered,
		.full = disp_set_has(&d->pool.full, idx) ||
			disp_set_has(&d->pool.busy, idx),
		.loss = (uint32_t)n->stat.loss,
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

void disp_stats(struct disp *d, struct stats *s)
{
	static const char *const cls[PICK_CLASSES] = {
		[PICK_UP] = "class=\"up\"",
		[PICK_SUSPECT] = "class=\"suspect\"",
		[PICK_OUT] = "class=\"out\"",
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
	(void)stat_add(s, STAT_COUNTER, "pool_full_total", NULL,
		       "Choices that found only nodes with as many requests "
		       "as they may have, or that ask for less.", &d->full, d);
	(void)stat_add(s, STAT_COUNTER, "pool_over_budget_total", NULL,
		       "Requests not tried again: the budget was used up.",
		       &d->over_budget, d);
	(void)stat_add(s, STAT_GAUGE, "pool_frozen", NULL,
		       "1: nobody is taken out, all nodes look bad or our "
		       "own network does.", &d->frozen_now, d);
	(void)stat_add(s, STAT_COUNTER, "pool_freezes_total", NULL,
		       "Times this began.", &d->freezes, d);
	(void)stat_add(s, STAT_COUNTER, "pool_changes_lost_total", NULL,
		       "State changes dropped because nobody took them.",
		       &d->chg_lost, d);
	for (i = 0; i < d->pool.n; i++) {
		if (d->pool.v[i])
			(void)pool_stats(d->pool.v[i], s);
	}
}
