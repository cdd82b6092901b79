/**
 * @file persistsim.h  Pure. Nodes, their stores, the write-back and a database
 * (one for each, or one for all) in virtual time, with power cuts.
 */
#ifndef TESTS_PERSISTSIM_H
#define TESTS_PERSISTSIM_H

#include <stdbool.h>
#include <stdint.h>

struct persistsim_stats {
	uint64_t changes, crashes, blackouts, torn, written, read, newer;
	uint64_t swept, failures, late_loads, checks, takeovers;
};

/** @return NULL, or what is wrong (borrowed until the next call) */
const char *persistsim(uint64_t seed, bool shared, bool trace,
		       struct persistsim_stats *st);

#endif
