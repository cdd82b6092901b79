/* rng.c - Pure. xoshiro256** for jitter and choice. */
#include "base/rng.h"

/* xoshiro256** by Blackman and Vigna (public domain), seeded by splitmix64 */

static inline uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

void rng_seed(struct rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		uint64_t z = seed += 0x9e3779b97f4a7c15ull;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
		z = (z ^ z >> 27) * 0x94d049bb133111ebull;
		r->s[i] = z ^ z >> 31;
	}
}

uint64_t rng_u64(struct rng *r)
{
	uint64_t *s = r->s;
	uint64_t v = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return v;
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
	uint32_t lim;

	if (n < 2)
		return 0;
	lim = (uint32_t)-n % n;    /* 2^32 mod n: values below it are biased */
	for (;;) {
		uint64_t m = (rng_u64(r) >> 32) * n;

		if ((uint32_t)m >= lim)
			return (uint32_t)(m >> 32);
	}
}
