/**
 * @file plan.h  Pure. What a drill does and what must hold.
 */
#ifndef DRILL_PLAN_H
#define DRILL_PLAN_H

#include <stdbool.h>
#include <stdint.h>

enum drill_kind {
	DRILL_KILL,              /**< kill -9 of a node, started again       */
	DRILL_FREEZE,            /**< SIGSTOP, SIGCONT                       */
	DRILL_BLACKHOLE,         /**< nothing between edge and node           */
	DRILL_SLOW,              /**< what goes to the node is late          */
	DRILL_INVITE,            /**< its INVITEs vanish, its probes do not  */
	DRILL_PROBE,             /**< its probes vanish, its INVITEs do not  */
	DRILL_LATE,              /**< its answers come when it is given up   */
	DRILL_REJECT,            /**< it refuses all with 503                */
	DRILL_PARTITION,         /**< cut off from the other nodes alone     */
	DRILL_ROLLING,           /**< each node restarted after the other    */
	DRILL_DRAIN,             /**< drained, then killed, then back        */
	DRILL_ALL,               /**< all nodes killed                       */
	DRILL_EDGE,              /**< the edge killed, started again         */
	DRILL_STORM,             /**< a node killed, all phones register     */
	DRILL_COLD,              /**< everything killed, everything started  */
	DRILL_HOOKS,             /**< the operator's own commands            */
};

enum claim {
	CLAIM_LOST,              /**< test calls lost, of any kind           */
	CLAIM_LOST_UP,           /**< of these: answered before the fault    */
	CLAIM_SILENT,            /**< callers left without any answer        */
	CLAIM_GHOST,             /**< phones that ring for nobody            */
	CLAIM_TWICE,             /**< phones that a call reached twice       */
	CLAIM_REG,               /**< REGISTERs not answered 200             */
	CLAIM_EXTRA,             /**< p99 set-up delay above before [ms]     */
	CLAIM_MTTD,              /**< from the fault to the edge's event [ms] */
	CLAIM_RECOVER,           /**< from the end of the fault until all is
				      as before [ms]                         */
	CLAIM_PRODUCTION,        /**< other calls that the edge lost         */
	CLAIM_STEADY,            /**< things not as before at the end        */
	CLAIM_BACK,              /**< contacts of a database not back        */
	CLAIM_REMOVED,           /**< removed ones that are back             */
	CLAIM_READY,             /**< from the start to all nodes ready [ms] */
};
enum { CLAIMS = CLAIM_READY + 1 };
#define NO_CLAIM UINT32_MAX

const char *claim_name(enum claim c);        /**< "lost_calls"               */
const char *claim_text(enum claim c);
const char *claim_unit(enum claim c);        /**< "" or "ms"                 */

enum mix { MIX_SENT, MIX_RINGING, MIX_ANSWERED, MIX_BYE };
enum { MIXES = MIX_BYE + 1 };

struct drill_plan {
	char name[32];
	char text[160];
	enum drill_kind kind;
	const char *edge_fault;  /**< kind, the edge brings it; NULL: it does not */
	bool own_net;            /**< needs a network namespace, and nft     */
	uint32_t calls;          /**< under way when the fault comes         */
	uint32_t mix[MIXES];     /**< of these, in each state [%]            */
	uint32_t rate;           /**< further calls [1/s], all the time      */
	uint32_t phones;
	uint32_t contacts;       /**< DRILL_COLD: of phones that nobody calls */
	uint32_t before, hold, after;   /**< [ms]                            */
	uint32_t recover_max;    /**< [ms] then it has not recovered         */
	uint32_t ms, percent;    /**< of the fault                           */
	uint32_t abort_lost;     /**< other calls lost: stop; 0 = never      */
	uint32_t limit[CLAIMS];  /**< at most; NO_CLAIM: only shown          */
	char inject[256], restore[256]; /**< DRILL_HOOKS                     */
	uint32_t hook_timeout;   /**< [s]                                    */
};

/** Built in: i = 0.. @return NULL: no more */
const struct drill_plan *plan_builtin(uint32_t i);
const struct drill_plan *plan_find(const char *name);
/** Why it makes no sense; NULL = fine */
const char *plan_wrong(const struct drill_plan *p);
/** Calls of each state; they sum up to p->calls */
void plan_mix(const struct drill_plan *p, uint32_t n[MIXES]);

#endif
