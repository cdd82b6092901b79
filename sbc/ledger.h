/**
 * @file ledger.h  Pure. The edge's account: figures, and one event and one log
 * line for each request that a failing node would have cost, or did cost.
 */
#ifndef SBC_LEDGER_H
#define SBC_LEDGER_H

#include "base/log.h"
#include "base/stat.h"
#include "dispatcher/dispatcher.h"
#include "sbc/events.h"
#include "sbc/hide.h"
#include "sbc/rates.h"
#include "sip/scan.h"
#include "sip/txn.h"

/** Why a node lost a request */
enum fail_why {
	FAIL_SILENT,      /**< said nothing in time                           */
	FAIL_HUNG,        /**< said 100 and then nothing                      */
	FAIL_RESET,       /**< connection reset or refused, ICMP              */
	FAIL_REFUSED,     /**< 503                                            */
	FAIL_DOWN,        /**< its probes failed                              */
	FAIL_ERROR,       /**< 500                                            */
	FAIL_WHY_N
};
const char *fail_why_name(enum fail_why w);

enum { LEDGER_CODES = 16 };

struct ledger {
	uint64_t requests[SIP_M_N];    /**< from clients, new ones            */
	uint64_t core_requests;        /**< from nodes, new ones              */
	uint64_t responses[7];         /**< to clients, by class; [0] unused  */
	uint64_t failover[FAIL_WHY_N]; /**< requests moved to another node    */
	uint64_t lost_ringing;         /**< its branches were over when the
					    node died, without an answer      */
	uint64_t adopted;              /**< taken over from a failed node     */
	uint64_t continued;            /**< of these, given to a further node
					    when all phones had failed        */
	uint64_t straight;             /**< answers of phones, past a node  */
	uint64_t replayed;             /**< its branches to phones that had been
					    asked: answered here              */
	uint64_t caller_gone;          /**< connection of the caller lost     */
	uint64_t lost_silent;          /**< no node answered                  */
	uint64_t lost_no_node;         /**< no node to be had                 */
	uint64_t full;                 /**< refused: all nodes were full      */
	uint64_t oc, oc_refused;       /**< words of nodes that ask for less; bad,
					    late or not understood            */
	uint64_t saved;                /**< answered after a failover         */
	uint64_t rescued;              /**< answered past a dead node         */
	uint64_t late_2xx;             /**< 2xx on an attempt given up        */
	uint64_t waits;                /**< kept at a silent node             */
	uint64_t again;                /**< given to a silent node once more  */
	uint64_t ghost;                /**< 2xx after the caller was refused:
					    ended by ACK and BYE              */
	uint64_t ghost_alive;          /**< the same, but no way to him       */
	uint64_t gate;                 /**< late branches of nodes refused    */
	uint64_t egress;               /**< branches to clients               */
	uint64_t dialog;               /**< in-dialog requests past the nodes */
	uint64_t ack_dropped;          /**< ACK without a token               */
	uint64_t cancelled;            /**< calls cancelled by the caller     */
	uint64_t found[2];             /**< clients found again on another
					    connection, by record-route and
					    by path token                     */
	uint64_t found_twice;          /**< their second branches, refused    */
	uint64_t by_node;              /**< in-dialog requests given to a
					    foreign node on their way         */
	uint64_t hops_passed;          /**< it failed; went on without it     */
	uint64_t hops_skipped;         /**< Route entries of nodes not UP     */
	uint64_t hops_long;            /**< Record-Route too long for a token */
	uint64_t flow_failed;          /**< client's connection was gone      */
	uint64_t malformed;            /**< messages the scanner refused      */
	uint64_t dropped;              /**< messages without an answer        */
	uint64_t stranger;             /**< on the core side, not from a node */
	uint64_t route_foreign;        /**< Route entries of strangers removed */
	uint64_t route_inside;         /**< named a private address: 403      */
	uint64_t token_forged, token_misused;
	uint64_t loops;                /**< 482                               */
	uint64_t overload;             /**< refused at a cap                  */
	uint64_t untied;               /**< node's requests without our branch */
	uint64_t oom;                  /**< messages that could not be built  */
	struct hide_stats hide;
	struct {
		uint16_t code;
		uint64_t n;
	} refused[LEDGER_CODES];       /**< answered by the edge, statelessly */
	struct rates rates;            /**< how clients' requests ended       */
	struct log_limit lim_lost, lim_saved, lim_odd;
	struct events ev;
	int64_t wall;                  /**< wall clock less `now` [ms]        */
};

/** Register all figures; ledger_close() also after an error */
int  ledger_init(struct ledger *l, struct stats *st, const void *owner);
/** The layer below: same registry */
int  ledger_txn(struct stats *st, const struct txn_stats *ts,
		const void *owner);
void ledger_close(struct ledger *l);
void ledger_refused(struct ledger *l, uint16_t code);

/* m: the request, or an answer to it; NULL = not known any more. age: since the
 * request came [ms] */
void ledger_moved(struct ledger *l, enum fail_why why,
		  const struct sip_msg *m, const char *method,
		  const char *from, const char *to, unsigned attempts,
		  uint64_t age, uint64_t now);
void ledger_saved(struct ledger *l, const struct sip_msg *m,
		  const char *method, const char *node, unsigned attempts,
		  uint64_t age, uint64_t now);
/** The edge goes on with the open branches of a failed node */
void ledger_adopted(struct ledger *l, enum fail_why why,
		    const struct sip_msg *m, const char *method,
		    const char *node, unsigned branches, uint64_t age,
		    uint64_t now);
/** An answer that a phone gave went past its dead node */
void ledger_rescued(struct ledger *l, const struct sip_msg *m,
		    const char *method, const char *node, unsigned attempts,
		    uint64_t age, uint64_t now);
/** A request of a dialog goes on without the node on its way */
void ledger_passed(struct ledger *l, enum fail_why why,
		   const struct sip_msg *m, const char *node, uint64_t now);
/** Kept at a silent node, as there is nobody else */
void ledger_waits(struct ledger *l, const struct sip_msg *m,
		  const char *method, const char *node, unsigned attempts,
		  uint64_t age, uint64_t now);
void ledger_late_2xx(struct ledger *l, const struct sip_msg *m,
		     const char *node, uint64_t age, uint64_t now);
/** All phones of an adopted request have failed: a further node may know more */
void ledger_continued(struct ledger *l, const struct sip_msg *m,
		      const char *method, const char *from, const char *to,
		      unsigned attempts, uint64_t age, uint64_t now);
/** One request lost; count is the field that counts this kind */
void ledger_lost(struct ledger *l, uint64_t *count, const char *why,
		 const struct sip_msg *m, const char *method,
		 const char *node, unsigned attempts, uint64_t age,
		 uint64_t now);
void ledger_ghost(struct ledger *l, const struct sip_msg *m, uint64_t now);
void ledger_gate(struct ledger *l, const struct sip_msg *m, uint64_t now);
void ledger_node(struct ledger *l, const char *node, enum disp_state from,
		 enum disp_state to, const char *why, uint64_t now);
/** Somebody did `what` to `node` ("" = none) */
void ledger_admin(struct ledger *l, struct sl what, struct sl node,
		  struct sl who, struct sl why, uint64_t now);
/** The page's word has changed; why: "" = nothing is wrong */
void ledger_verdict(struct ledger *l, const char *from, const char *to,
		    enum event_severity sev, const char *why, uint64_t now);
/** Call records cannot be written (why), or can again (why NULL) */
void ledger_records(struct ledger *l, const char *why, uint64_t now);

#endif
