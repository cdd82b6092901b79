/**
 * @file evline.h  Pure. An event of an edge as a line for people.
 */
#ifndef CTL_EVLINE_H
#define CTL_EVLINE_H

#include "base/buf.h"
#include <jansson.h>

/** Titles of the columns */
void evline_head(struct buf *b);
/** Its line, columns of fixed width: lines that come later fit below.
 *  event: of /api/v1/events; keys it does not have are left out */
void evline(struct buf *b, const json_t *event);

#endif
