/**
 * @file wheel.h  Pure. Hierarchical timing wheel: O(1) add, restart, cancel.
 * Resolution 8 ms or better; a timer never fires early.
 */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wheel;

/** Embedded in the object that waits; zeroed = not running */
struct wtimer {
	struct wtimer *next, **pprev;
	uint64_t at;       /**< due [ms]                              */
	uint16_t kind;     /**< the owner's: which of its timers      */
};

int  wheel_alloc(struct wheel **wp, uint64_t now);
void wheel_free(struct wheel *w);
/** (Re)start t to fire at `at` [ms]; a time in the past fires at next tick */
void wheel_set(struct wheel *w, struct wtimer *t, uint64_t at);
/** Stop; no effect when not running */
void wheel_del(struct wheel *w, struct wtimer *t);
static inline bool wtimer_running(const struct wtimer *t)
{
	return t->pprev != NULL;
}
/** Next time at which wheel_pop() may have something, UINT64_MAX = never.
 *  May be early (a cascade), never late. */
uint64_t wheel_next(const struct wheel *w);
/** Take one expired timer (stopped before return), NULL = none at `now` */
struct wtimer *wheel_pop(struct wheel *w, uint64_t now);

#endif
