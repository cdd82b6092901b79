/**
 * @file lone.c  Shell. In place of cluster/cluster.c until it is there: a node
 * alone. To be removed then.
 */
#include "cluster/cluster.h"
#include <string.h>

int cluster_alloc(struct cluster **cp, const struct cluster_conf *cf,
		  struct store *store, struct stats *stats)
{
	(void)cf;
	(void)store;
	(void)stats;
	*cp = NULL;
	return 0;
}

void cluster_free(struct cluster *c)
{
	(void)c;
}

void cluster_flush(struct cluster *c)
{
	(void)c;
}

void cluster_view(const struct cluster *c, struct cluster_view *v)
{
	(void)c;
	memset(v, 0, sizeof(*v));
}

bool cluster_synced(const struct cluster *c)
{
	(void)c;
	return true;
}

void cluster_set_state(struct cluster *c, enum cluster_state s)
{
	(void)c;
	(void)s;
}

void cluster_set_digests(struct cluster *c, uint64_t settings, uint64_t users)
{
	(void)c;
	(void)settings;
	(void)users;
}

const char *cluster_state_name(enum cluster_state s)
{
	(void)s;
	return "ready";
}

const char *cluster_health_name(enum cluster_health h)
{
	(void)h;
	return "alive";
}
