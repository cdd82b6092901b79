/**
 * @file proxy_way.c  Pure. Requests that leave by a peer: a fork whose branches
 * are the peers of a route, tried one after the other. All go to the edge that
 * the request came from; it knows where the peers are.
 */
#include "node/proxy_i.h"
#include <errno.h>
#include <stdlib.h>

int proxy_way_stats(struct proxy *p, struct stats *st)
{
	const struct stat_row row[] = {
		{ STAT_COUNTER, "node_routed_total",
		  "Requests that went along a route to a peer", &p->routed },
		{ STAT_COUNTER, "node_route_next_total",
		  "Further peers of a route asked", &p->route_next },
		{ STAT_COUNTER, "node_route_failed_total",
		  "Requests that no peer of their route took",
		  &p->route_failed },
	};

	return stat_rows(st, row, NULL, p);
}

bool proxy_way_next(uint16_t code)
{
	switch (code) {
	case CODE_DEAD_FLOW: case CODE_OURS:
	case 500: case 502: case 503: case 504:
		return true;
	default:
		return false;
	}
}

int proxy_way_targets(struct fork *f, const struct proxy_job *j)
{
	int err;

	f->way = calloc(1, sizeof(*f->way));
	if (!f->way)
		return ENOMEM;
	err = routes_way(f->way, j->route, j->ruri);
	if (err)
		return err;
	f->v = calloc(f->way->n, sizeof(*f->v));
	if (!f->v)
		return ENOMEM;
	f->n = f->way->n;
	for (uint32_t i = 0; i < f->n; i++)
		f->v[i].f = f;
	proxy_edge_hop(f->p, j->m, f->s, &f->hop);
	f->p->routed++;
	return 0;
}
