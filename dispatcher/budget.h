/**
 * @file budget.h  Pure. How many requests of the pool may be tried again: so
 * that one slow node does not double the load of all others.
 */
#ifndef DISPATCHER_BUDGET_H
#define DISPATCHER_BUDGET_H

#include "dispatcher/dispatcher.h"
#include "dispatcher/window.h"

struct budget {
	struct window w;         /**< all = requests, some = tried again     */
};

void budget_request(struct budget *b, uint64_t now);
/** May one more be tried again? Then it is counted. */
bool budget_retry(struct budget *b, const struct disp_conf *cf, uint64_t now);

#endif
