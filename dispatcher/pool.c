/**
 * @file pool.c  Pure. The set of nodes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "dispatcher/pool.h"

#define RAMP_MIN 10              /* [%] slow start begins with            */

/** Names go into logs, labels and JSON: no blanks, quotes, controls */
static bool name_ok(const char *s)
{
	size_t n = strnlen(s, sizeof(((struct pool_node *)0)->name));

	if (n == 0 || n == sizeof(((struct pool_node *)0)->name))
		return false;
	for (; *s; s++) {
		if ((uint8_t)*s <= ' ' || (uint8_t)*s >= 0x7f ||
		    *s == '"' || *s == '\\')
			return false;
	}
	return true;
}

/** FNV-1a: fixed for ever, so that all edges agree on the node of a key */
static uint64_t name_hash(const char *s)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3ull;
	return h;
}

static int pool_free_slot(const struct pool *p, uint32_t max, uint16_t *idx)
{
	uint32_t i;

	if (max == 0 || max > DISP_MAX)
		max = DISP_MAX;
	if (p->count >= max)
		return ENOSPC;
	/* an index just given up is taken again last: requests that still
	 * count on the old node must not hit a new one */
	for (i = 0; i < max; i++) {
		*idx = (uint16_t)((p->next + i) % max);
		if (!p->v[*idx])
			return 0;
	}
	return ENOSPC;
}

int pool_add(struct pool *p, const struct disp_node_conf *nc, uint32_t max,
	     uint16_t *idx)
{
	struct pool_node *n;
	uint16_t i;
	int err;

	if (!name_ok(nc->name) || nc->weight > POOL_WEIGHT_MAX)
		return EINVAL;
	for (i = 0; i < p->n; i++) {
		if (p->v[i] && (!strcmp(p->v[i]->name, nc->name) ||
				addr_eq(&p->v[i]->addr, &nc->addr)))
			return EEXIST;
	}
	err = pool_free_slot(p, max, &i);
	if (err)
		return err;
	n = calloc(1, sizeof(*n));
	if (!n)
		return ENOMEM;
	memcpy(n->name, nc->name, sizeof(n->name));
	n->addr = nc->addr;
	n->tp = nc->tp;
	n->hash = name_hash(n->name);
	n->weight = n->weight_conf = nc->weight;
	n->share = n->weight * 100;
	n->wish.weight = -1;
	n->learned = nc->learned;
	n->stat.learned = nc->learned;
	n->stat.weight = nc->weight;
	p->v[i] = n;
	p->count++;
	p->next = (uint16_t)(i + 1);
	if (p->n <= i)
		p->n = (uint16_t)(i + 1);
	*idx = i;
	return 0;
}

void pool_del(struct pool *p, uint16_t idx)
{
	if (!pool_get(p, idx))
		return;
	free(p->v[idx]);
	p->v[idx] = NULL;
	p->full.bits &= ~(1ull << idx);
	p->busy.bits &= ~(1ull << idx);
	p->less.bits &= ~(1ull << idx);
	p->count--;
	while (p->n && !p->v[p->n - 1])
		p->n--;
}

void pool_clear(struct pool *p)
{
	while (p->n)
		pool_del(p, (uint16_t)(p->n - 1));
}

uint32_t pool_ramp(const struct pool_node *n, uint32_t slowstart, uint64_t now)
{
	uint64_t t = now - n->ramp_at;

	if (!n->ramping || t >= slowstart)
		return 100;
	return RAMP_MIN + (uint32_t)((100 - RAMP_MIN) * t / slowstart);
}

int pool_stats(struct pool_node *n, struct stats *s)
{
	const struct pool_stat *st = &n->stat;
	const struct stat_row tab[] = {
		{ STAT_GAUGE, "node_state", "Health: 0 down, 1 suspect, 2 up.",
		  &st->state },
		{ STAT_GAUGE, "node_admin",
		  "Operator's wish: 0 ready, 1 drain, 2 maint.", &st->admin },
		{ STAT_GAUGE, "node_weight", "Weight, 0..1000.", &st->weight },
		{ STAT_GAUGE, "node_learned",
		  "1: not of the settings, named by another node.",
		  &st->learned },
		{ STAT_GAUGE, "node_inflight", "Requests not yet answered.",
		  &st->inflight },
		{ STAT_GAUGE, "node_unanswered",
		  "Of these, the node has said nothing to.", &st->unanswered },
		{ STAT_COUNTER, "node_full_total",
		  "Times it had as many of them as it may.", &st->full },
		{ STAT_GAUGE, "node_room",
		  "How many of them it may have, being slow; 0: it is not.",
		  &st->room },
		{ STAT_COUNTER, "node_slow_total", "Times it became slow.",
		  &st->slow },
		{ STAT_GAUGE, "node_loss_percent",
		  "Share of new requests it asks to be kept from (oc).",
		  &st->loss },
		{ STAT_COUNTER, "node_loss_total",
		  "Requests kept from it for that.", &st->kept_from },
		{ STAT_GAUGE_US, "node_rtt_seconds",
		  "Smoothed time to the first answer of a request.",
		  &st->rtt_us },
		{ STAT_GAUGE_US, "node_probe_rtt_seconds",
		  "Answer time of the last probe.", &st->probe_rtt_us },
		{ STAT_COUNTER, "node_picked_total", "Times chosen.",
		  &st->picked },
		{ STAT_COUNTER, "node_ok_total", "Requests answered in time.",
		  &st->ok },
		{ STAT_COUNTER, "node_silent_total",
		  "Requests not answered in time.", &st->silent },
		{ STAT_COUNTER, "node_reset_total",
		  "Connections reset or refused, ICMP errors.", &st->reset },
		{ STAT_COUNTER, "node_lost_total",
		  "No way there: host unreachable, connecting timed out.",
		  &st->lost },
		{ STAT_COUNTER, "node_failed_total",
		  "Requests the node answered with another 5xx of its own.",
		  &st->failed },
		{ STAT_COUNTER, "node_ejected_total",
		  "Times taken out for failing more requests than others.",
		  &st->ejected },
		{ STAT_COUNTER, "node_ejections_held_total",
		  "The same, not done: too few nodes would be left.",
		  &st->eject_held },
		{ STAT_COUNTER, "node_retry_after_total",
		  "503 answers with Retry-After: no new requests meanwhile.",
		  &st->held },
		{ STAT_COUNTER, "node_refused_total",
		  "Requests the node answered with 503.", &st->refused },
		{ STAT_COUNTER, "node_moved_from_total",
		  "Requests moved from this node to another.", &st->from },
		{ STAT_COUNTER, "node_moved_to_total",
		  "Requests moved to this node from another.", &st->to },
		{ STAT_COUNTER, "node_probes_total", "Probes started.",
		  &st->probes },
		{ STAT_COUNTER, "node_probes_failed_total",
		  "Probes unanswered or answered \"not me\".",
		  &st->probes_failed },
		{ STAT_COUNTER, "node_probes_late_total",
		  "Answers to probes that had been given up.",
		  &st->probes_late },
	};
	char label[80];

	snprintf(label, sizeof(label), "node=\"%s\"", n->name);
	return stat_rows(s, tab, label, n);
}
