/**
 * @file own.h  Pure. Messages that are no phone's business: probes of edges and
 * our pings.
 */
#ifndef NODE_OWN_H
#define NODE_OWN_H

#include "base/sl.h"

/**
 * A probe of an edge or a ping, or an answer to one
 *
 * @param method  of pings
 * @param from    URI in the From of pings
 */
bool own_is(struct sl msg, struct sl method, struct sl from);

#endif
