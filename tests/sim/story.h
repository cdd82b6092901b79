/**
 * @file story.h  Test support. One seed of the whole-system simulation: what
 * happens, and what has to be true in the end (simrun.c says what).
 */
#ifndef TESTS_SIM_STORY_H
#define TESTS_SIM_STORY_H

#include <stdint.h>

enum fault {
	F_KILL, F_FREEZE, F_RST, F_MUTE, F_TRYING, F_BUSY, F_ERROR, F_DEAF,
	F_SLOW, F_CUT_CALLER, F_CUT_CALLEE, F_N
};

/** What happened in all stories of a process */
struct account {
	uint64_t breaches;
	uint64_t virtual_ms;
	uint64_t requests, calls, answered, cancelled, early, prack, dialog;
	uint64_t living, living_spared, living_open;
	uint64_t fault[F_N];
	uint64_t saved, adopted, continued, replayed, rescued, late, gate;
	uint64_t ghosts, caller_gone, lost, came_back;
};

void story_run(uint64_t seed, struct account *acc);
void account_add(struct account *sum, const struct account *a);
void account_print(const struct account *a);
/** What never happened proves nothing. @return how many such; names them */
uint64_t account_check(const struct account *a);

#endif
