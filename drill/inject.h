/**
 * @file inject.h  Shell. The fault of a drill: brought, and taken back.
 */
#ifndef DRILL_INJECT_H
#define DRILL_INJECT_H

#include "drill/guard.h"
#include "drill/lab.h"
#include "drill/plan.h"
#include "drill/watch.h"

struct inject {
	const struct drill_plan *plan;
	struct lab *lab;         /**< NULL: commands of the operator only    */
	struct watch *watch;
	struct guard *guard;
	const char *url, *token; /**< of the edge                            */
	uint32_t victim;         /**< 1.. , place in the pool                */
	char node[64];           /**< its name                               */
	void (*say)(void *arg, const char *text);
	void *arg;
	/** Since when (asked at) the edge and all nodes say that all is well */
	uint64_t good;

	bool on;                 /**< there is something to take back        */
	bool confirmed;          /**< the edge has done what it was asked    */
	bool failed;             /**< it could not be brought                */
	uint64_t at;             /**< of the last step                       */
	uint32_t step, turn;     /**< of the kinds that go on by themselves  */
	pid_t hook;              /**< command that runs                      */
};

/** Brings it. @return 0 or errno (then nothing was brought) */
int  inject_begin(struct inject *x, uint64_t now);
/** Goes on. @return true: over by itself, or its time is up */
bool inject_tick(struct inject *x, uint64_t now);
/** Takes it back; again and again until it is true. @return done */
bool inject_end(struct inject *x, uint64_t now);

#endif
