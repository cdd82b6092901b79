/**
 * @file sync_priv.h  Pure. Inside of sync*.c.
 */
#ifndef CLUSTER_SYNC_PRIV_H
#define CLUSTER_SYNC_PRIV_H

#include "cluster/sync.h"

/** A set of 256 */
struct bits256 { uint64_t w[4]; };

static inline bool bits_has(const struct bits256 *b, unsigned i)
{
	return b->w[i / 64] >> i % 64 & 1;
}

static inline void bits_put(struct bits256 *b, unsigned i, bool on)
{
	uint64_t m = 1ull << i % 64;

	b->w[i / 64] = on ? b->w[i / 64] | m : b->w[i / 64] & ~m;
}

/** @return the first one, or 256 */
static inline unsigned bits_first(const struct bits256 *b)
{
	for (unsigned k = 0; k < 4; k++)
		if (b->w[k])
			return k * 64 + (unsigned)__builtin_ctzll(b->w[k]);
	return 256;
}

static inline unsigned bits_count(const struct bits256 *b)
{
	unsigned n = 0;

	for (unsigned k = 0; k < 4; k++)
		n += (unsigned)__builtin_popcountll(b->w[k]);
	return n;
}

/* One group of the round under way */
enum slot_state { SLOT_FREE, SLOT_ASK, SLOT_ASKED, SLOT_WANT, SLOT_WANTED };
struct slot {
	enum slot_state state;
	uint8_t group;
	struct bits256 todo;           /* buckets still to be fetched         */
	uint16_t first, last;          /* WANTED: range under way             */
};

enum phase {
	PH_IDLE,
	PH_ROOT,                       /* ASK for the groups to be sent       */
	PH_ROOT_ASKED,
	PH_WALK,                       /* through the groups that differ      */
	PH_PAUSE,                      /* before the second look              */
};

struct round {
	enum phase phase;
	uint32_t id;
	uint8_t peer;
	enum sync_why why;
	uint8_t covers;                /* what was due when it began          */
	bool second;                   /* the second look                     */
	uint64_t began, heard, resume; /* [ms]                                */
	uint64_t changed;
	uint64_t diffs_before;         /* VERIFY: listed of other peers       */
	struct bits256 groups;         /* still to be looked at               */
	unsigned of, left;             /* groups in all, not done yet         */
	struct slot slot[SYNC_WINDOW];
	struct bits256 marked[STORE_GROUPS];    /* differed at the first look */
	uint16_t known_n;              /* VERIFY: digests in the WANT         */
	uint64_t known[WIRE_KNOWN];
};

/* One question of a peer */
struct serve {
	struct serve *next;
	bool want;                     /* else ASK                            */
	struct wire_ask ask;
	uint16_t first, last;
	uint32_t at;                   /* bucket in work                      */
	uint32_t skip;                 /* records of it already given         */
	uint64_t moves;                /* of the store when it was left       */
	uint16_t n;
	struct serve_known { uint64_t d; uint16_t place; bool hit; } known[];
};

struct sync_peer {
	bool up, able;
	uint8_t rank;
	uint8_t due;                   /* bits 1 << enum sync_why             */
	uint64_t avoid;                /* not asked before [ms]               */
	enum sync_verdict verdict;
	struct serve *first, **tail;
	unsigned queued;
};

#define SYNC_ENDS 8

struct sync {
	struct store *store;
	struct rng rng;
	struct sync_stats st;
	struct sync_peer p[CLUSTER_MAX];
	struct round r;
	uint32_t ids;
	uint32_t rate;                 /* of answers [bytes/ms], 0 = none     */
	int64_t room;                  /* of them, may be said now [bytes]    */
	uint64_t room_at;              /* [ms] it was counted                 */
	bool broke;                    /* there is something, and no room     */
	struct sync_end end[SYNC_ENDS];
	unsigned ends;
	struct sync_diff diff[SYNC_DIFFS];
	uint32_t diffs;
	uint64_t more;                 /* differences that found no place     */
};

/* sync_serve.c */
void sync_serve_fill(struct sync *y, struct sync_peer *p, struct buf *b,
		     size_t limit, uint64_t now);
/* Time passes: room for answers */
void sync_serve_refill(struct sync *y, uint64_t now);
void sync_serve_clear(struct sync_peer *p);

/* sync_verify.c */
void sync_found_there(struct sync *y, const struct record *r, uint64_t node,
		      bool held);
void sync_found_here(struct sync *y, uint16_t first, uint16_t last,
		     uint64_t digest, uint64_t node, uint64_t wall);
void sync_diffs_clear(struct sync *y);

#endif
