/**
 * @file history.h  Pure. Figures of the last hour, one row every 5 s: what
 * charts, "last hour" and rates come from.
 */
#ifndef SBC_HISTORY_H
#define SBC_HISTORY_H

#include "base/sl.h"

enum {
	HISTORY_STEP = 5000,     /**< [ms]                                   */
	HISTORY_ROWS = 721,      /**< an hour: 720 steps                     */
	HISTORY_SERIES = 72,
};

#define HISTORY_NONE UINT64_MAX  /**< a GAUGE that has no value            */

/** COUNTERs only grow; a GAUGE is what it is */
enum history_kind { HISTORY_COUNTER, HISTORY_GAUGE };

struct history {
	uint64_t v[HISTORY_ROWS][HISTORY_SERIES];
	uint64_t at[HISTORY_ROWS];       /**< [ms]                           */
	uint64_t seq;                    /**< rows ever added                */
	uint64_t due;                    /**< [ms] next row, 0 = at once     */
};

static inline uint32_t history_rows(const struct history *h)
{
	return h->seq < HISTORY_ROWS ? (uint32_t)h->seq : HISTORY_ROWS;
}
/** Add a row if it is time. A clock that jumped (suspended machine) leaves a
 *  gap, no burst of rows. @return was it added */
bool history_add(struct history *h, const uint64_t v[HISTORY_SERIES],
		 uint64_t now);
/** Row by age, 0 = the latest. NULL: not kept */
const uint64_t *history_row(const struct history *h, uint32_t age,
			    uint64_t *at);
/** Growth of a counter in the last `ms`, or since the first row if there are
 *  not so many yet; now_v: what it is now */
uint64_t history_growth(const struct history *h, uint32_t series,
			uint64_t now_v, uint64_t ms, uint64_t now);
/** A chart's value: for a COUNTER its growth [1/1000 per s] since the row
 *  before, for a GAUGE itself. @return false: no such row, or HISTORY_NONE */
bool history_value(const struct history *h, uint32_t series,
		   enum history_kind kind, uint32_t age, uint64_t *v);

#endif
