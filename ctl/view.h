/**
 * @file view.h  Pure. Status JSON as a table for people.
 */
#ifndef CTL_VIEW_H
#define CTL_VIEW_H

#include "base/buf.h"
#include <jansson.h>

/** Writes the table. @return CTL_OK; CTL_BAD: something is degraded;
 *  CTL_FAIL: not a status document */
int view_status(struct buf *b, const json_t *status);
/** Its pool alone. @return the same */
int view_nodes(struct buf *b, const json_t *status);
/** The word of the page and why, from the edge's /api/v1/dashboard; nothing when
 *  it has none */
void view_verdict(struct buf *b, const json_t *dash);
/** Pings of the nodes, from the edge's /api/v1/dashboard; nothing when no node
 *  pings */
void view_pings(struct buf *b, const json_t *dash);

/** A list of contacts, in columns of fixed width: pages fit below each other.
 *  head: with the titles */
void view_contacts(struct buf *b, const json_t *contacts, bool head);

#endif
