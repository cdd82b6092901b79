/**
 * @file mem.h  Memory that runs out when a test says so, and whose it is. The
 * program is linked with --wrap=malloc, calloc, realloc and free.
 */
#ifndef TESTS_CLUSTER_MEM_H
#define TESTS_CLUSTER_MEM_H

#include <stdbool.h>
#include <stdint.h>
#include "base/rng.h"

/** -1 = never; else that many allocations succeed, then all fail */
extern int mem_left;
/** malloc() of more than 100,000 bytes fails */
extern bool mem_large_fail;
/** calloc() fails: what is made by it cannot grow */
extern bool mem_zeroed_fail;

/** Somebody's memory. Not thread safe, as the code under test */
struct mem {
	int64_t bytes;         /**< allocated less freed in its name          */
	uint32_t refuse;       /**< of 1000 allocations                       */
	uint64_t refused;
	struct rng rng;
};
/** In whose name allocations are made now; NULL = nobody's, they succeed */
extern struct mem *mem_owner;

#endif
