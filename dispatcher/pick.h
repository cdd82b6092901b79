/**
 * @file pick.h  Pure. The choice among nodes that are all as good.
 */
#ifndef DISPATCHER_PICK_H
#define DISPATCHER_PICK_H

#include "dispatcher/pool.h"

/** Who may be chosen, best class first */
enum pick_class {
	PICK_UP,          /**< UP, ready, weight > 0, not out                 */
	PICK_SUSPECT,     /**< SUSPECT, ready, weight > 0, not out            */
	PICK_OUT,         /**< ejected, or said Retry-After; alive            */
	PICK_DRAIN,       /**< panic: alive but drained or of weight 0        */
	PICK_PANIC,       /**< panic: anything that is not in maint           */
	PICK_CLASSES
};

/** Slow start and who is out, for the choices that follow */
void pick_prepare(struct pool *p, uint32_t slowstart, uint64_t now);
/** Nodes of a class that are not in `tried`; 0 = none */
struct disp_set pick_class(const struct pool *p, enum pick_class c,
			   struct disp_set tried);
/** One of a set that is not empty */
uint16_t pick_one(struct pool *p, struct disp_set set, enum disp_alg alg,
		  uint64_t key);
/** -log2((h + 1) / 2^64), unit 2^-30, within 1 % and never 0 (for tests) */
uint64_t pick_neglog2(uint64_t h);

#endif
