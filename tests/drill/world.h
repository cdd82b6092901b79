/**
 * @file world.h  Test support. The generator before a proxy that is a mirror:
 * virtual time, no sockets. What the mirror does wrong is set by the test.
 */
#ifndef TESTS_DRILL_WORLD_H
#define TESTS_DRILL_WORLD_H

#include "drill/gen.h"

struct mirror {
	struct gen *g;
	struct listener lst[1];
	struct flow flow;
	uint64_t now;
	bool eat_invite, eat_bye, eat_cancel, eat_ack, twice;
	bool eat_ringing;        /**< 180 becomes 100: the caller knows less */
	uint16_t refuse;         /**< INVITEs get this                       */
	uint16_t refuse_reg;
	bool challenge;          /**< REGISTER without credentials: 401      */
	unsigned registers, cancels;
	uint32_t expires;        /**< of the last REGISTER                   */
	char auth[400];          /**< of the last REGISTER                   */
};

/** Phones 0 and 1, registered when reg */
void mirror_start(struct mirror *m, bool reg);
void mirror_run(struct mirror *m, uint64_t ms);
void mirror_stop(struct mirror *m);

#endif
