/**
 * @file rng.h  Pure. Seedable generator for jitter and choice; never for
 * secrets (those come from base/secret.h).
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng { uint64_t s[4]; };

void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_u64(struct rng *r);
/** Uniform in [0, n); n = 0 gives 0 */
uint32_t rng_below(struct rng *r, uint32_t n);

#endif
