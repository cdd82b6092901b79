/**
 * @file api_ping.c  Shell. Pings over HTTP.
 */
#include "node/api_ping.h"
#include "base/clk.h"
#include "node/node_i.h"
#include "node/ping.h"
#include "web/jsn.h"
#include <stdlib.h>

json_t *api_ping_status(const struct node *n)
{
	const struct ping *p = core_ping(n->core);
	json_t *o;

	if (n->cf.ping.contacts == NODE_PING_OFF || !p->share)
		return json_null();
	o = json_object();
	jsn_u64(o, "contacts", p->share);
	jsn_u64(o, "interval_ms", n->cf.ping.interval);
	jsn_u64(o, "sent", p->sent);
	jsn_u64(o, "answered", p->answered);
	jsn_u64(o, "lost", p->lost + p->refused);
	jsn_u64(o, "removed", p->removed);
	jsn_u64(o, "quarantined", p->quarantined_now);
	jsn_u64(o, "p50_us", p->p50_us);
	jsn_u64(o, "p95_us", p->p95_us);
	return o;
}

/* The name of a member; "" = not known */
static void put_name(json_t *o, const struct node *n, uint64_t id)
{
	struct cluster_view *v = calloc(1, sizeof(*v));
	const char *name = "";

	if (v && n->cluster)
		cluster_view(n->cluster, v);
	for (uint32_t i = 0; v && i < v->n; i++)
		if (v->m[i].node == id)
			name = v->m[i].name;
	jsn_str(o, "by", name);
	free(v);
}

json_t *api_ping_contact(const struct node *n, struct sl aor,
			 const struct loc_contact *c)
{
	struct ping_look l;
	json_t *o;

	ping_look(core_ping(n->core), aor, c->key, &c->b, clk_now(), &l);
	if (!l.named || !l.owner)
		return NULL;
	o = json_object();
	put_name(o, n, l.owner);
	jsn_bool(o, "here", l.ours);
	if (l.ours) {
		jsn_u64(o, "failures", l.failures);
		jsn_bool(o, "quarantined", l.quarantined);
	}
	if (l.answered) {
		jsn_u64(o, "answer_ms", l.ms);
		jsn_u64(o, "answered_ago_ms", l.ago);
	}
	return o;
}
