/* Counts of nonces: each opens once, in bounded memory. */
#include "node/nonces.h"
#include <criterion/criterion.h>
#include <stdio.h>

#define AGE 300000

static const uint8_t key[32] = "test";

static struct nonces *make(uint32_t max)
{
	struct nonces *n = NULL;

	cr_assert(nonces_alloc(&n, max, key) == 0);
	return n;
}

static enum nonces_verdict use_at(struct nonces *n, const char *nonce,
				  uint64_t made, uint32_t nc, uint32_t req,
				  uint64_t now)
{
	const struct nonces_use u = { sl_cstr(nonce), made, nc, req, AGE };

	return nonces_use(n, &u, now);
}

static enum nonces_verdict use(struct nonces *n, const char *nonce,
			       uint32_t nc, uint32_t req)
{
	return use_at(n, nonce, 1000, nc, req, 1000);
}

Test(nonces, each_count_once)
{
	struct nonces *n = make(10);

	cr_expect(use(n, "a", 1, 1) == NONCES_NEW);
	cr_expect(use(n, "a", 2, 2) == NONCES_NEW);
	cr_expect(use(n, "a", 2, 3) == NONCES_REPLAY);
	cr_expect(use(n, "a", 1, 4) == NONCES_REPLAY);
	cr_expect(use(n, "b", 1, 5) == NONCES_NEW, "another nonce");
	nonces_free(n);
}

Test(nonces, counts_may_overtake_each_other)
{
	struct nonces *n = make(10);

	cr_expect(use(n, "a", 5, 1) == NONCES_NEW);
	cr_expect(use(n, "a", 3, 2) == NONCES_NEW);
	cr_expect(use(n, "a", 3, 3) == NONCES_REPLAY);
	cr_expect(use(n, "a", 69, 4) == NONCES_NEW);
	cr_expect(use(n, "a", 6, 5) == NONCES_NEW, "63 below");
	cr_expect(use(n, "a", 5, 6) == NONCES_REPLAY, "64 below: unknown");
	cr_expect(use(n, "a", UINT32_MAX, 7) == NONCES_NEW);
	cr_expect(use(n, "a", 69, 8) == NONCES_REPLAY);
	cr_expect(use(n, "a", UINT32_MAX, 9) == NONCES_REPLAY);
	nonces_free(n);
}

Test(nonces, a_repetition_passes_as_long_as_a_transaction)
{
	struct nonces *n = make(10);

	cr_expect(use_at(n, "a", 1, 1, 7, 1000) == NONCES_NEW);
	cr_expect(use_at(n, "a", 1, 1, 7, 32999) == NONCES_AGAIN);
	cr_expect(use_at(n, "a", 1, 1, 7, 33000) == NONCES_REPLAY);
	cr_expect(use_at(n, "a", 1, 2, 7, 33000) == NONCES_NEW);
	cr_expect(use_at(n, "a", 1, 2, 8, 33001) == NONCES_REPLAY);
	nonces_free(n);
}

Test(nonces, repetitions_of_the_last_four_are_told)
{
	struct nonces *n = make(10);

	for (uint32_t i = 1; i <= 5; i++)
		cr_expect(use(n, "a", i, i) == NONCES_NEW);
	for (uint32_t i = 2; i <= 5; i++)
		cr_expect(use(n, "a", i, i) == NONCES_AGAIN, "%u", i);
	cr_expect(use(n, "a", 1, 1) == NONCES_REPLAY);
	nonces_free(n);
}

Test(nonces, old_ones_are_forgotten)
{
	struct nonces *n = make(1000);

	cr_expect(use_at(n, "a", 1, 1, 1, 0) == NONCES_NEW);
	cr_expect(use_at(n, "b", 1, 1, 1, AGE + 9999) == NONCES_NEW);
	cr_expect(nonces_stats(n)->known == 2, "our clock or theirs may be "
		  "behind");
	cr_expect(use_at(n, "c", 1, 1, 1, AGE + 10000) == NONCES_NEW);
	cr_expect(nonces_stats(n)->known == 2);
	cr_expect(nonces_stats(n)->forced == 0);
	nonces_free(n);
}

Test(nonces, a_full_table_opens_nothing)
{
	struct nonces *n = make(4);
	char name[16];

	for (uint64_t i = 0; i < 5; i++) {
		(void)snprintf(name, sizeof(name), "n%u", (unsigned)i);
		cr_expect(use_at(n, name, 100 + i, 1, 1, 200 + i)
			  == NONCES_NEW);
	}
	cr_expect(nonces_stats(n)->known == 4);
	cr_expect(nonces_stats(n)->forced == 1);
	cr_expect(use_at(n, "n0", 100, 1, 2, 210) == NONCES_LOST,
		  "it was used, and we have forgotten that");
	cr_expect(use_at(n, "n0", 100, 2, 2, 210) == NONCES_LOST);
	cr_expect(use_at(n, "n1", 101, 1, 2, 210) == NONCES_REPLAY,
		  "those still known are judged as before");
	cr_expect(use_at(n, "n1", 101, 2, 2, 210) == NONCES_NEW);
	cr_expect(use_at(n, "new", 300, 1, 1, 310) == NONCES_NEW);
	nonces_free(n);
}

Test(nonces, the_ring_turns_and_turns)
{
	struct nonces *n = make(64);
	char name[16];

	for (unsigned i = 0; i < 10000; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		cr_assert(use_at(n, name, 1000 + i, 1, i, 1000 + i)
			  == NONCES_NEW);
		cr_assert(use_at(n, name, 1000 + i, 1, i + 1, 1000 + i)
			  == NONCES_REPLAY);
	}
	cr_expect(nonces_stats(n)->known == 64);
	for (unsigned i = 10000 - 64; i < 10000; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		cr_expect(use_at(n, name, 1000 + i, 1, 0, 11000)
			  == NONCES_REPLAY, "%u", i);
	}
	nonces_free(n);
}
