/**
 * @file line.h  Shell. Sockets and the clock of the call generator.
 */
#ifndef DRILL_LINE_H
#define DRILL_LINE_H

#include "drill/gen.h"

struct line;

struct line_conf {
	struct addr proxy;            /**< the edge                          */
	struct addr local;            /**< where our phones are; port unused */
	const char *domain;
	struct gen_user *user;        /**< borrowed for the call; lst is set:
					   every other phone by TCP          */
	uint32_t users, max_calls;
	uint32_t limit;               /**< [ms]                              */
	uint64_t run;
	bool udp, tcp;
};

/** @return 0 or errno of a socket. The loop (base/net) must be there */
int  line_alloc(struct line **lp, const struct line_conf *cf);
void line_free(struct line *l);
struct gen *line_gen(struct line *l);
/** Send what the generator has made, and set the clock: after each call of a
 *  gen_* function that acts */
void line_turn(struct line *l);

#endif
