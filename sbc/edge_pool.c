/* edge_pool.c - Pure. Nodes of the pool coming and going while calls run. */
#include <errno.h>

#include "sbc/edge_priv.h"

/** Clients must not see a node's address nor that of our core side, unless
 *  clients reach us there */
void edge_inside_init(struct edge *e)
{
	struct addr v[DISP_MAX + EDGE_PAST + 1];
	uint32_t n = 0;

	v[n++] = e->lst[e->core].bound;
	for (int i = 0; i < DISP_MAX; i++)
		if (e->node[i].used)
			v[n++] = e->node[i].flow.peer;
	for (int i = 0; i < EDGE_PAST; i++)
		if (e->past[i].until)
			v[n++] = e->past[i].flow.peer;
	e->hc.insidec = 0;
	for (uint32_t i = 0; i < n; i++) {
		bool outside = false;

		for (uint16_t l = 0; l < e->lstc; l++)
			outside = outside || (!e->lst[l].core &&
				addr_ip_eq(&e->lst[l].bound, &v[i]));
		if (!outside)
			hide_inside_add(&e->hc, &v[i]);
	}
}

int edge_node_add(struct edge *e, const struct disp_node_conf *nc,
		  uint64_t now)
{
	struct edge_node *n;
	uint16_t i;
	int err = disp_add(e->disp, nc, &i, now);

	if (err)
		return err;
	n = &e->node[i];
	memset(n, 0, sizeof(*n));
	n->used = true;
	n->named = now;
	n->flow = (struct flow){
		.tp = nc->tp, .lst = e->core, .peer = nc->addr,
	};
	memcpy(n->name, nc->name, sizeof(n->name));
	return 0;
}

/** What runs on it may take as long as a phone rings */
static void node_remember(struct edge *e, const struct flow *f, uint64_t now)
{
	struct edge_past *p = &e->past[0];

	for (int i = 0; i < EDGE_PAST; i++)
		if (e->past[i].until < p->until)
			p = &e->past[i];
	p->flow = *f;
	p->until = now + e->tune.ring + 64000;
}

void edge_node_del(struct edge *e, uint16_t node, uint64_t now)
{
	e->node[node].used = false;
	node_remember(e, &e->node[node].flow, now);
	disp_del(e->disp, node);
}

static bool same_node(const struct edge_node *n,
		      const struct disp_node_conf *nc)
{
	return addr_eq(&nc->addr, &n->flow.peer) && nc->tp == n->flow.tp &&
	       !strcmp(nc->name, n->name);
}

/** May a node stay that the settings do not name? One that the others name
 *  would be learned again at once; unless the new settings need its name or
 *  address */
static bool stays(const struct edge *e, uint16_t i,
		  const struct disp_node_conf *node, uint16_t nodec)
{
	const struct edge_node *n = &e->node[i];

	for (uint16_t k = 0; k < nodec; k++)
		if (addr_eq(&node[k].addr, &n->flow.peer) ||
		    !strcmp(node[k].name, n->name))
			return false;
	return e->tune.learn && n->listed &&
		e->now < n->named + EDGE_NAMED;
}

/** A node that changed only its address is still the one somebody wanted out */
struct kept {
	char name[64];
	struct disp_wish wish;
};

static uint16_t drop_nodes(struct edge *e, const struct disp_node_conf *node,
			   uint16_t nodec, struct kept *v)
{
	struct disp_view view;
	uint16_t n = 0;

	for (uint16_t i = 0; i < DISP_MAX; i++) {
		bool listed = false;

		if (!e->node[i].used)
			continue;
		for (uint16_t k = 0; k < nodec && !listed; k++)
			listed = same_node(&e->node[i], &node[k]);
		(void)disp_set_learned(e->disp, i, !listed);
		if (listed) {
			(void)disp_set_leaving(e->disp, i, false, e->now);
			continue;
		}
		if (stays(e, i, node, nodec))
			continue;
		if (!disp_view(e->disp, i, &view)) {
			memcpy(v[n].name, view.name, sizeof(v[n].name));
			v[n++].wish = view.wish;
		}
		edge_node_del(e, i, e->now);
	}
	return n;
}

int edge_reconf(struct edge *e, const struct edge_tune *t,
		const struct disp_node_conf *node, uint16_t nodec,
		uint64_t now)
{
	struct kept v[DISP_MAX];
	uint16_t idx, n;
	int err;

	if (nodec > DISP_MAX)
		return ENOSPC;
	err = disp_reconf(e->disp, &t->probe);
	if (err)
		return err;
	e->now = now;
	edge_tune_set(e, t);
	n = drop_nodes(e, node, nodec, v);
	for (uint16_t k = 0; k < nodec && !err; k++) {
		if (!disp_by_name(e->disp, sl_cstr(node[k].name), &idx))
			err = disp_set_weight(e->disp, idx, node[k].weight);
		else
			err = edge_node_add(e, &node[k], now);
	}
	for (uint16_t k = 0; k < n; k++)
		(void)edge_wish(e, v[k].name, &v[k].wish, now);
	e->pool_seq++;
	edge_inside_init(e);
	edge_pump(e, now);
	return err;
}

int edge_wish(struct edge *e, const char *name, const struct disp_wish *w,
	      uint64_t now)
{
	uint16_t idx;
	int err = disp_by_name(e->disp, sl_cstr(name), &idx);

	if (!err)
		err = disp_set_wish(e->disp, idx, w, now);
	if (err)
		return err;
	e->now = now;
	e->pool_seq++;
	edge_pump(e, now);
	return 0;
}

void edge_wish_over(struct edge *e, uint16_t node, const char *why,
		    uint64_t now)
{
	struct disp_view v;

	e->pool_seq++;
	if (!disp_view(e->disp, node, &v))
		ledger_admin(&e->led, sl_cstr(disp_admin_name(v.wish.admin)),
			     sl_cstr(v.name), SL("edge"), sl_cstr(why), now);
}

uint64_t edge_pool_seq(const struct edge *e)
{
	return e->pool_seq;
}

void edge_left(const struct edge *e, uint16_t node, struct edge_left *l)
{
	*l = (struct edge_left){ 0 };
	for (const struct eobj *o = e->objs; o; o = o->next) {
		const struct attempt *a = (const void *)o;

		if (o->kind != EO_ATTEMPT || !a->counted || a->node != node)
			continue;
		l->requests++;
		l->calls += a->call->stxn &&
			stxn_method(a->call->stxn) == SIP_INVITE;
	}
}
