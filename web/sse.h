/**
 * @file sse.h  Pure. Server-sent events: one message as it stands on the wire.
 */
#ifndef WEB_SSE_H
#define WEB_SSE_H

#include "base/buf.h"

/**
 * Append one message.
 *
 * @param event  its name; no line break
 * @param id     for Last-Event-ID, 0 = none
 * @param data   any text; each of its lines becomes a data line
 */
void sse_put(struct buf *b, const char *event, uint64_t id, struct sl data);

#endif
