/**
 * @file health.h  Pure. The health of one node: what probes and requests say
 * about it, and when the next probe is due. docs/state-machines.md, "Node
 * health".
 */
#ifndef DISPATCHER_HEALTH_H
#define DISPATCHER_HEALTH_H

#include "dispatcher/dispatcher.h"

struct health {
	const struct disp_conf *cf;   /**< borrowed, the pool's              */
	struct rng *rng;              /**< borrowed, jitter                  */
	const char *name;             /**< borrowed, for the log             */
	enum disp_state state;        /**< written by health_set() only      */
	const char *why;              /**< of the last change, literal       */
	uint64_t since;               /**< [ms] of the last change           */
	uint32_t okc, failc;          /**< results in a row                  */
	uint8_t penalty;              /**< doublings of `rise`, 0..HEALTH_PENALTY */
	bool doubted;                 /**< not UP because a request failed   */
	bool ever;                    /**< has been UP since health_init()   */
	bool refusing;                /**< last probe was answered "no"      */
	bool off;                     /**< maint: not probed                 */
	bool calm;                    /**< set from outside: silence does not
					   make it DOWN                      */
	bool slow;                    /**< set from outside: probes of a
					   SUSPECT need not hurry            */
	bool kept;                    /**< would be DOWN but for calm; the
					   reader clears it                  */

	uint32_t probe;               /**< id on its way, 0 = none           */
	bool stale;                   /**< a request failed since it was sent */
	uint64_t sent, deadline;      /**< of that probe [ms]                */
	uint64_t due;                 /**< next probe [ms], UINT64_MAX never */
};

/** A node that answers probes but not requests has to give up to 2^5 times
 *  `rise` good probes before it is trusted again */
#define HEALTH_PENALTY 5

enum health_result { HEALTH_GOOD, HEALTH_SILENT, HEALTH_REFUSED };

/** DOWN and never seen; the first probe is due at `due` */
void health_init(struct health *h, const struct disp_conf *cf,
		 struct rng *rng, const char *name, uint64_t now,
		 uint64_t due);
/** Stop probing (maint) or start anew, as after health_init() */
void health_off(struct health *h, uint64_t now);
void health_on(struct health *h, uint64_t now);
/** A probe ended. Unknown or late ids are ignored. @return was it ours */
bool health_probed(struct health *h, uint32_t probe, enum health_result r,
		   uint64_t now);
/** A request ended */
void health_report(struct health *h, enum disp_report r, uint64_t now);
/** Time-outs. @return true: send a probe now, it has the id `probe` */
bool health_tick(struct health *h, uint32_t probe, uint64_t now);
uint64_t health_next(const struct health *h);
/** The settings changed: no probe later than they say */
void health_reconf(struct health *h, uint64_t now);

#endif
