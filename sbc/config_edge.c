/* config_edge.c - Shell. Settings in the form that the edge takes. */
#include "sbc/config.h"

#include <string.h>

#include "sip/flow.h"

uint8_t sbc_config_tp(uint32_t transport)
{
	return transport ? TP_TCP : TP_UDP;
}

/** A phone has to say something before we close its connection */
static uint32_t flow_timer(const struct sbc_config *c)
{
	uint32_t most = c->limits.idle / 4 * 3;

	return c->timers.flow < most ? c->timers.flow : most;
}

void sbc_config_tune(const struct sbc_config *c, struct edge_tune *t)
{
	*t = (struct edge_tune){
		.no100 = c->timers.no100, .no18x = c->timers.no18x,
		.noreply = c->timers.noreply, .ring = c->timers.ring,
		.deadline = c->timers.deadline,
		.caller_gone = c->timers.caller_gone,
		.flow_timer = flow_timer(c),
		.max_attempts = c->max_attempts,
		.max_message = c->limits.max_message,
		.straight = c->ring_straight,
		.hide = c->hide == 0, .dialog_token = c->dialog_token,
		.private_targets = c->private_targets,
		.learn = c->pool_learn, .oc = c->overload.oc,
		.probe = {
			.inter = c->probe.inter,
			.fastinter = c->probe.fastinter,
			.downinter = c->probe.downinter,
			.timeout = c->probe.timeout,
			.fall = c->probe.fall, .rise = c->probe.rise,
			.jitter = c->probe.jitter,
			.alg = (enum disp_alg)c->algorithm,
			.max_nodes = DISP_MAX,
			.slowstart = c->slowstart, .eject = c->eject.time,
			.eject_margin = c->eject.margin,
			.eject_min = c->eject.requests,
			.retry_percent = c->retry.percent,
			.retry_burst = c->retry.burst,
			.max_unanswered = c->max_unanswered,
			.target = c->overload.target,
			.no100_min = c->timers.no100_min,
			.no100_max = c->timers.no100_max,
		},
	};
}

uint16_t sbc_config_pool(const struct sbc_config *c, struct disp_node_conf *v)
{
	for (uint32_t i = 0; i < c->pool.n; i++) {
		const struct sbc_node *n = sbc_config_node(c, i);

		memset(&v[i], 0, sizeof(v[i]));
		memcpy(v[i].name, n->name, sizeof(v[i].name));
		v[i].addr = n->address;
		v[i].addr.port = (uint16_t)n->port;
		v[i].tp = sbc_config_tp(c->core.transport);
		v[i].weight = n->weight;
	}
	return (uint16_t)c->pool.n;
}

uint32_t sbc_config_peers(const struct sbc_config *c, struct peer_conf *v)
{
	for (uint32_t i = 0; i < c->peers.n; i++) {
		const struct sbc_peer *p = sbc_config_peer(c, i);
		const struct sbc_text *t = p->from.v;

		memset(&v[i], 0, sizeof(v[i]));
		memcpy(v[i].name, p->name, sizeof(v[i].name));
		v[i].addr = p->address;
		v[i].addr.port = (uint16_t)p->port;
		v[i].tp = sbc_config_tp(p->transport);
		for (uint32_t k = 0; k < p->from.n; k++)
			(void)addr_net_parse(&v[i].net[v[i].netc++],
					     sl_cstr(t[k].s));
		t = p->domains.v;
		for (uint32_t k = 0; k < p->domains.n; k++)
			memcpy(v[i].domain[v[i].domainc++], t[k].s,
			       sizeof(t[k].s));
		v[i].max_cps = p->max_cps;
		v[i].timeout = p->timeout;
		v[i].rest = p->rest;
		v[i].keep_host = p->keep_host;
	}
	return c->peers.n;
}

void sbc_config_overload(const struct sbc_config *c,
			 struct edge_overload_conf *o)
{
	const struct sbc_text *t = c->overload.emergency.v;

	*o = (struct edge_overload_conf){ .target = c->overload.target };
	for (uint32_t i = 0; i < c->overload.emergency.n; i++)
		memcpy(o->number[o->numberc++], t[i].s,
		       strnlen(t[i].s, sizeof(o->number[0]) - 1));
}

bool sbc_config_admit(const struct sbc_config *c, struct edge_admit_conf *a)
{
	const struct sbc_text *t = c->admit.trusted.v;

	*a = (struct edge_admit_conf){ .source = {
		.max = c->admit.sources, .rate = c->admit.rate,
		.burst = c->admit.burst, .phone_rate = c->admit.phone_rate,
		.aor_rate = c->admit.aor_rate,
		.stranger_rate = c->admit.stranger_rate, .ban = c->admit.ban * 1000,
	} };
	for (uint32_t i = 0; i < c->admit.trusted.n; i++)
		(void)addr_net_parse(&a->source.trusted[
				     a->source.trustedc++], sl_cstr(t[i].s));
	t = c->admit.scanners.v;
	for (uint32_t i = 0; i < c->admit.scanners.n; i++)
		memcpy(a->scanner[a->scannerc++], t[i].s,
		       strnlen(t[i].s, sizeof(a->scanner[0]) - 1));
	t = c->admit.domains.v;
	for (uint32_t i = 0; i < c->admit.domains.n; i++)
		memcpy(a->domain[a->domainc++], t[i].s, sizeof(t[i].s));
	return c->admit.enabled;
}
