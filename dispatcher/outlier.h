/**
 * @file outlier.h  Pure. A node that fails requests far more often than its
 * peers, though it answers probes, gets none for a while
 * (docs/state-machines.md, "Outliers").
 */
#ifndef DISPATCHER_OUTLIER_H
#define DISPATCHER_OUTLIER_H

#include "dispatcher/window.h"
#include <stdbool.h>

struct outlier {
	struct window w;         /**< all = requests ended, some = failed    */
	uint64_t until;          /**< [ms] ejected until then, 0 = is not    */
	uint64_t ended;          /**< [ms] of the last ejection              */
	uint32_t times;          /**< ejections that count for the next      */
};

struct pool;
struct disp_conf;

void outlier_count(struct outlier *o, bool failed, uint64_t now);
/** One that was counted as not failed has failed */
void outlier_turn(struct outlier *o, uint64_t now);
/** Percent of what it failed; *np = requests of the window */
uint32_t outlier_percent(struct outlier *o, uint64_t now, uint32_t *np);
/** A request of node idx has failed: is it ejected now? Then until when stands
 *  in the node. */
bool outlier_judge(struct pool *p, uint16_t idx, const struct disp_conf *cf,
		   uint64_t now);
/** The time is over. @return was it ejected, and is no more */
bool outlier_over(struct outlier *o, uint64_t now);

#endif
