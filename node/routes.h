/**
 * @file routes.h  Pure. Calls that no contact takes: by which peers they leave,
 * and for what number those are asked.
 */
#ifndef NODE_ROUTES_H
#define NODE_ROUTES_H

#include "node/config.h"
#include "sip/uri.h"

/** A way out, with memory of its own: outlives a reload */
struct way {
	uint32_t n;
	char peer[NODE_ROUTE_PEERS][NODE_TEXT_MAX + 1];
	uint32_t urin;
	char uri[SIP_AOR_MAX + 64];       /**< Request-URI for them           */
};

/**
 * The route for a Request-URI: the longest prefix of the number, of equal ones
 * that of its own domain.
 *
 * @param served  its domain is one of ours
 * @param from    name of the peer that asks, empty = none: a route that names it
 *                is no way for it
 * @return NULL: none
 */
const struct node_route *routes_find(const struct node_config *cf,
				     const struct uri *u, bool served,
				     struct sl from);
/** @return 0, or ENOSPC: the number is too long */
int  routes_way(struct way *w, const struct node_route *r,
		const struct uri *u);

#endif
