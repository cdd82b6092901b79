/**
 * @file stamp.h  Pure. When a change was made: hybrid logical clock, 48 bits
 * of wall clock [ms] and a 16-bit counter, then the node's id. Unique and
 * totally ordered; never goes back when the wall clock does.
 */
#ifndef CLUSTER_STAMP_H
#define CLUSTER_STAMP_H

#include <stdbool.h>
#include <stdint.h>

struct stamp {
	uint64_t t;       /**< ms since 1970 << 16 | counter; 0 = no stamp */
	uint64_t node;    /**< id of the node that drew it                 */
};

#define STAMP_SIZE 16                 /**< on the wire [bytes]              */
#define STAMP_AHEAD_MAX 60000         /**< a stamp further ahead is refused [ms] */
#define STAMP_NONE ((struct stamp){ 0, 0 })

static inline uint64_t stamp_ms(struct stamp s) { return s.t >> 16; }
static inline bool stamp_isset(struct stamp s) { return s.t != 0; }

/** Three-way order: t, then node */
static inline int stamp_cmp(struct stamp a, struct stamp b)
{
	if (a.t != b.t)
		return a.t < b.t ? -1 : 1;
	if (a.node != b.node)
		return a.node < b.node ? -1 : 1;
	return 0;
}

static inline struct stamp stamp_max(struct stamp a, struct stamp b)
{
	return stamp_cmp(a, b) < 0 ? b : a;
}

/** The clock of one node */
struct hlc {
	uint64_t last;    /**< largest t drawn or seen */
	uint64_t node;
};

void hlc_init(struct hlc *h, uint64_t node);
/** A new stamp, larger than every one drawn or seen here */
struct stamp hlc_next(struct hlc *h, uint64_t wall);
/** A stamp came from elsewhere: later ones drawn here will be larger.
 *  @return 0; ERANGE: more than STAMP_AHEAD_MAX ahead of `wall`, not taken */
int hlc_see(struct hlc *h, struct stamp s, uint64_t wall);

#endif
