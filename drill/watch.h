/**
 * @file watch.h  Shell. Asks a program's management HTTP while the loop turns,
 * without waiting.
 */
#ifndef DRILL_WATCH_H
#define DRILL_WATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct watch;

enum { WATCH_SLOTS = 12 };

/** o: NULL = no answer, or none we can use; borrowed. code: 0 = none */
typedef void (watch_h)(const json_t *o, long code, void *arg);

int  watch_alloc(struct watch **wp);
void watch_free(struct watch *w);
/** @param token  of a POST, else NULL
 *  @param body   of a POST (taken over), NULL: GET
 *  @return 0; EBUSY: all slots wait; ENOMEM */
int  watch_ask(struct watch *w, const char *base, const char *path,
	       const char *token, json_t *body, watch_h *h, void *arg);
/** Go on; calls handlers. Every few ms */
void watch_turn(struct watch *w);

#endif
