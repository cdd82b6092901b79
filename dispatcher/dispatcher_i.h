/**
 * @file dispatcher_i.h  Pure. What the dispatcher*.c files share.
 */
#ifndef DISPATCHER_DISPATCHER_I_H
#define DISPATCHER_DISPATCHER_I_H

#include "base/log.h"
#include "dispatcher/budget.h"
#include "dispatcher/pick.h"

#define DISP_CHANGES 256       /**< state changes not polled yet              */

struct disp {
	struct disp_conf cf;
	struct rng rng;
	struct pool pool;
	struct budget budget;
	struct window asked;           /**< requests while a node asks for less;
					    of these, DISP_KEEP               */
	struct stats *stats;           /**< borrowed, outlives us; or NULL   */
	enum pick_class cls;           /**< of the last choice               */
	uint32_t probe;                /**< last id given                    */
	uint64_t now;                  /**< latest time heard of [ms]        */
	uint64_t next;                 /**< last answer of disp_next() [ms]  */
	bool next_old;                 /**< something has changed since      */
	bool probes;                   /**< a node may have want_probe       */
	bool frozen;                   /**< no node is heard, or our own network
					    is at fault, and one would have been
					    taken out                         */
	uint64_t heard_at;             /**< [ms] any node, last              */
	uint64_t own_until;            /**< [ms] our own network is at fault */
	uint64_t frozen_at;            /**< [ms]                             */
	struct log_limit lim_budget, lim_own, lim_full, lim_loss, lim_slow;
	struct disp_out chg[DISP_CHANGES];    /**< ring                      */
	uint32_t chg_at, chg_n;
	uint64_t chg_lost;
	uint64_t picks[PICK_CLASSES], none, full, over_budget, freezes, frozen_now;
};

/** An effect for disp_poll(); the oldest one is forgotten at the cap */
void disp_push(struct disp *d, const struct disp_out *o);
/** After each call into a node's health: keep the figures, tell a change */
void disp_note(struct disp *d, uint16_t idx, enum disp_state from);
/** Wishes and ejections that are over, drained nodes */
void disp_admin_tick(struct disp *d, uint64_t now);
/** When that has to be looked at again, UINT64_MAX = never */
uint64_t disp_admin_next(const struct disp *d);
/** Does a node wait for being empty? That may come without a call */
bool disp_admin_waits(const struct disp *d);
/** The cap of unanswered requests may have changed: who is full now? */
void disp_cap_reconf(struct disp *d);
/** Words of nodes that are over */
void disp_loss_tick(struct disp *d, uint64_t now);
/** This one was chosen while one asks for less: is it of those it does not get? */
bool disp_loss_spares(struct disp *d, uint16_t idx, enum disp_rank rank);
/** A node begins to take requests: slow start */
void disp_ramp(struct disp *d, struct pool_node *n, uint64_t now);

#endif
