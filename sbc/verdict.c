/* verdict.c - Pure. The whole system in one word. */
#include "sbc/verdict.h"

#include <stdarg.h>
#include <stdio.h>

const char *verdict_name(enum verdict v)
{
	switch (v) {
	case VERDICT_OK:       return "OK";
	case VERDICT_DEGRADED: return "DEGRADED";
	case VERDICT_RISK:     return "AT RISK";
	case VERDICT_DOWN:     return "DOWN";
	}
	return "?";
}

const char *verdict_spare_name(enum verdict_spare s)
{
	switch (s) {
	case SPARE_YES:     return "yes";
	case SPARE_NO:      return "no";
	case SPARE_UNKNOWN: return "unknown";
	}
	return "?";
}

/** Worst first; among equals in the order they were found */
static void reason(struct verdict_out *o, enum verdict level,
		   const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void reason(struct verdict_out *o, enum verdict level,
		   const char *fmt, ...)
{
	uint32_t at = o->n;
	va_list ap;

	if (level > o->state)
		o->state = level;
	while (at && o->reason[at - 1].level < level)
		at--;
	if (o->n == VERDICT_REASONS) {
		o->more++;
		if (at == VERDICT_REASONS)
			return;
		o->n--;
	}
	memmove(&o->reason[at + 1], &o->reason[at],
		(o->n - at) * sizeof(o->reason[0]));
	o->n++;
	o->reason[at].level = level;
	va_start(ap, fmt);
	(void)vsnprintf(o->reason[at].text, VERDICT_TEXT, fmt, ap);
	va_end(ap);
}

/** What the pool can still do */
static void look_pool(const struct verdict_in *in, struct verdict_out *o)
{
	const struct verdict_node *last = NULL;
	uint32_t takers = 0;

	for (uint32_t i = 0; i < in->nodes; i++) {
		const struct verdict_node *n = &in->node[i];

		if (n->up && n->takes) {
			takers++;
			last = n;
		}
	}
	if (in->stopping)
		reason(o, VERDICT_DOWN, "the edge is stopping");
	else if (in->frozen)
		reason(o, VERDICT_DOWN, "no node can be reached, or not from "
		       "here");
	else if (!takers)
		reason(o, VERDICT_DOWN, "no node is up");
	else if (takers == 1)
		reason(o, VERDICT_RISK, "only %.60s takes calls: without it "
		       "there is no service", last->name);
}

static void look_node(const struct verdict_node *n, struct verdict_out *o)
{
	if (!n->wanted)
		reason(o, VERDICT_DEGRADED, "%.60s is taken out of service",
		       n->name);
	else if (!n->up && !n->doubted)
		reason(o, VERDICT_DEGRADED, "%.60s is down", n->name);
	else if (n->doubted)
		reason(o, VERDICT_DEGRADED, "%.60s is suspected to be down",
		       n->name);
	if (!n->known) {
		if (n->asked && n->up)
			reason(o, VERDICT_DEGRADED, "%.60s does not answer on "
			       "its management address", n->name);
		return;
	}
	if (!n->synced)
		reason(o, VERDICT_DEGRADED, "%.60s does not hold all "
		       "registrations yet", n->name);
	else if (!n->ready && n->wanted)
		reason(o, VERDICT_DEGRADED, "%.60s says it is not ready",
		       n->name);
	if (n->unacked)
		reason(o, VERDICT_DEGRADED, "%.60s answered %llu "
		       "registrations that no second node had, in the last "
		       "5 min", n->name,
		       (unsigned long long)n->unacked);
	if (n->sql_down || n->sql_behind)
		reason(o, VERDICT_DEGRADED, n->sql_down ? "the database of "
		       "%.60s is down: contacts are in memory alone" :
		       "the database of %.60s is behind what changes",
		       n->name);
	if (!n->has_cert || n->cert_days >= VERDICT_CERT_DAYS)
		return;
	if (n->cert_days < 0)
		reason(o, VERDICT_RISK, "the certificate of %.60s has run "
		       "out: no new links", n->name);
	else
		reason(o, VERDICT_DEGRADED, "the certificate of %.60s runs "
		       "out in %lld days", n->name, (long long)n->cert_days);
}

/** What the nodes see of each other; the one that sees least counts */
static void look_cluster(const struct verdict_in *in, struct verdict_out *o)
{
	const struct verdict_node *low = NULL, *differs = NULL;

	for (uint32_t i = 0; i < in->nodes; i++) {
		const struct verdict_node *n = &in->node[i];

		if (!n->known || !n->up)
			continue;
		if (!low || n->members - n->alive > low->members - low->alive)
			low = n;
		if (n->differ && (!differs || n->differ > differs->differ))
			differs = n;
	}
	if (differs)
		reason(o, VERDICT_DEGRADED, "%.60s differs from %u of the "
		       "others (settings, users or registrations)",
		       differs->name, differs->differ);
	if (!low || low->alive >= low->members)
		return;
	if (low->alive <= 1)
		reason(o, VERDICT_RISK, "%.60s sees no other node: new "
		       "registrations have one copy", low->name);
	/* in a cluster of two there is no majority to lose */
	else if (2 * (low->alive - 1) <= low->members)
		reason(o, VERDICT_RISK, "%.60s sees %u of %u members: one "
		       "more lost and the majority is gone", low->name,
		       low->alive, low->members);
	else
		reason(o, VERDICT_DEGRADED, "%.60s sees %u of %u members",
		       low->name, low->alive, low->members);
}

static void look_spare(const struct verdict_in *in, struct verdict_out *o)
{
	const char *text = "yes: the others hold every registration and take "
		"its calls";
	uint32_t unknown = 0;

	for (uint32_t i = 0; i < in->nodes; i++)
		unknown += in->node[i].up && !in->node[i].known;
	o->spare = SPARE_YES;
	if (o->state >= VERDICT_RISK) {
		o->spare = SPARE_NO;
		text = o->reason[0].text;
	}
	else if (unknown) {
		o->spare = SPARE_UNKNOWN;
		text = "calls yes; registrations: not all nodes tell what "
			"they hold";
	}
	else {
		for (uint32_t i = 0; i < in->nodes; i++) {
			const struct verdict_node *n = &in->node[i];

			if (!n->known || (n->synced && !n->differ))
				continue;
			o->spare = SPARE_NO;
			text = "not all nodes hold every registration";
		}
	}
	(void)snprintf(o->spare_text, sizeof(o->spare_text), "%s", text);
}

void verdict(const struct verdict_in *in, struct verdict_out *o)
{
	memset(o, 0, sizeof(*o));
	look_pool(in, o);
	if (in->lost)
		reason(o, VERDICT_DEGRADED, "%llu calls were lost in the last "
		       "5 min", (unsigned long long)in->lost);
	look_cluster(in, o);
	for (uint32_t i = 0; i < in->nodes; i++)
		look_node(&in->node[i], o);
	if (in->fault)
		reason(o, VERDICT_DEGRADED, "a drill disturbs the way to "
		       "%.60s", in->fault);
	if (in->records_failed)
		reason(o, VERDICT_DEGRADED, "call records cannot be written");
	if (in->unsaved)
		reason(o, VERDICT_DEGRADED, "what operators want of nodes "
		       "cannot be written: the next start forgets it");
	look_spare(in, o);
}
