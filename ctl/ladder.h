/**
 * @file ladder.h  Pure. Messages and events of calls as ladders for people.
 */
#ifndef CTL_LADDER_H
#define CTL_LADDER_H

#include "base/buf.h"
#include <jansson.h>

/** "entries" of /api/v1/trace, one ladder for each Call-ID. @return CTL_OK;
 *  CTL_BAD: nothing there. self: who kept them, "edge" or a node */
int  ladder(struct buf *b, const json_t *entries, const char *self);
/** The texts one after the other instead */
int  ladder_raw(struct buf *b, const json_t *entries);

#endif
