/**
 * @file stat.h  Pure. Registry of named figures. A module owns its uint64_t
 * fields and increments them; the registry only knows where they are.
 */
#ifndef BASE_STAT_H
#define BASE_STAT_H

#include "base/buf.h"

enum stat_type {
	STAT_COUNTER, STAT_GAUGE,
	STAT_GAUGE_US,      /**< kept in us, exported in seconds */
	STAT_COUNTER_US,    /**< the same of a counter           */
	STAT_HIST
};

/** Latency histogram with fixed bounds [us] */
#define STAT_HIST_N 16
struct stat_hist {
	uint64_t bucket[STAT_HIST_N + 1];   /**< last one = above all bounds */
	uint64_t sum;                       /**< [us] */
	uint64_t count;
};
extern const uint32_t stat_hist_bound[STAT_HIST_N];   /**< [us], rising */
void stat_hist_add(struct stat_hist *h, uint64_t us);

struct stats;

int  stats_alloc(struct stats **sp);
void stats_free(struct stats *s);
/**
 * Register a figure.
 *
 * @param name   Prometheus name without the "edgewise_" prefix
 * @param labels `node="n1"` or NULL; copied
 * @param help   one sentence; borrowed for ever (literal)
 * @param val    borrowed until stats_free() or stat_del_owner()
 */
int  stat_add(struct stats *s, enum stat_type type, const char *name,
	      const char *labels, const char *help, const void *val,
	      const void *owner);
struct stat_row {
	enum stat_type type;
	const char *name, *help;
	const void *val;
};
/** Each of n rows by stat_add(). @return that of the first that failed */
int  stat_add_rows(struct stats *s, const struct stat_row *row, size_t n,
		   const char *labels, const void *owner);
/** The same of an array */
#define stat_rows(s, row, labels, owner) \
	stat_add_rows((s), (row), sizeof(row) / sizeof((row)[0]), (labels), \
		      (owner))
/** Forget all figures registered with this owner */
void stat_del_owner(struct stats *s, const void *owner);
/** Prometheus text format 0.0.4 of everything, in a fixed order */
void stats_prometheus(const struct stats *s, struct buf *b);
/** Value of one figure (tests, status); false = unknown */
bool stat_get(const struct stats *s, const char *name, const char *labels,
	      uint64_t *vp);

#endif
