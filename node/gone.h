/**
 * @file gone.h  Pure. An edge says which connections of phones have ended; the
 * contacts that are reached by them are taken out.
 *
 * A contact is known by the token in its Path, which names one connection of
 * one edge for ever. What is removed is the version that is here: who has
 * registered anew, here or elsewhere, stays.
 */
#ifndef NODE_GONE_H
#define NODE_GONE_H

#include "base/stat.h"
#include "node/location.h"

struct gone {
	struct location *loc;    /**< borrowed                               */
	/* figures */
	uint64_t removed, refreshed, none, bad, refused;
};

int  gone_stats(struct gone *g, struct stats *st);
/** Body of INNER_GONE. wall [ms] */
void gone_take(struct gone *g, struct sl body, uint64_t wall);

#endif
