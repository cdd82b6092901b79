/**
 * @file guess.h  Pure. Passwords that are being guessed: how long the next
 * try is not looked at, by address of record and source, in bounded memory.
 */
#ifndef NODE_GUESS_H
#define NODE_GUESS_H

#include "base/sl.h"

enum {
	GUESS_PAIRS = 65536, GUESS_SOURCES = 16384, GUESS_AORS = 16384,
	GUESS_KNOWN = 131072,
	GUESS_KNOWN_MS = 7 * 86400 * 1000,    /**< a source stays known       */
};

struct guess;

/** Who asks for whom; the source is real, not what a datagram claims */
struct guess_who {
	struct sl aor, source;
};

/** @param key  secret of the tables. @return 0 or ENOMEM */
int  guess_alloc(struct guess **gp, const uint8_t key[32]);
void guess_free(struct guess *g);

/** He has to wait: whatever he says is not looked at. Not for who has been
 *  right from this source before. now: [ms] */
bool guess_closed(struct guess *g, const struct guess_who *w, uint64_t now);
/** He was right from there before */
bool guess_known(const struct guess *g, const struct guess_who *w,
		 uint64_t now);
/** He was right */
void guess_right(struct guess *g, const struct guess_who *w, uint64_t now);
/** He was wrong. max: longest time to wait [ms], 0 = none.
 *  @return how long he has to wait now [ms] */
uint64_t guess_wrong(struct guess *g, const struct guess_who *w, uint64_t max,
		     uint64_t now);

struct guess_stats {
	uint64_t evicted;       /**< entries that gave way to others         */
};
const struct guess_stats *guess_stats(const struct guess *g);

#endif
