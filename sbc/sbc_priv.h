/**
 * @file sbc_priv.h  Shell. What sbc.c and the api*.c files share.
 */
#ifndef SBC_SBC_PRIV_H
#define SBC_SBC_PRIV_H

#include "base/net.h"
#include "base/stat.h"
#include "sbc/cdrfile.h"
#include "sbc/fault.h"
#include "sbc/sbc.h"
#include "sip/trace.h"
#include "sip/transport.h"
#include "web/action.h"
#include "web/admin.h"
#include "web/trace_get.h"

struct sbc {
	struct sbc_config cf;
	const char *path;            /**< settings file, borrowed             */
	const struct cfg_over *over; /**< options over it, borrowed           */
	struct stats *st;
	struct transport *tp;
	struct edge *edge;
	struct ntimer *timer;
	struct http_srv *http;
	struct actions *act;
	struct admin admin;
	struct dash *dash;
	struct listener lst[SBC_LISTENS + 1];
	uint16_t lstc;
	uint64_t started;            /**< [ms]                                */
	uint64_t started_wall;       /**< the same, [ms since 1970]           */
	uint64_t stop_at;            /**< [ms], 0 = not ending                */
	uint64_t hooks_at;           /**< [ms] ending waits for them until    */
	uint64_t reloads, reload_errors;
	struct cdrfile *cdr;         /**< NULL: no records                    */
	struct cdrfile_stats cdr_st, cdr_before;
	uint64_t log_lines[4];       /**< by level, for the figures           */
	uint64_t saved_seq;          /**< edge_pool_seq() on disk             */
	uint64_t save_at;            /**< [ms], 0 = nothing to be saved       */
	bool unsaved;                /**< the last try failed                 */
	struct hooks *hooks;         /**< NULL: no webhooks                   */
	struct fault fault;          /**< of a drill                          */
	struct desk *desk;           /**< drills from the page                */
	struct trace trace;          /**< the last messages                   */
	struct trace_get told;       /**< what is told of them                */
	char probe[160];             /**< From of our probes                  */
	bool pinged;                 /**< a node has pinged a contact         */
	uint64_t wall;               /**< of this turn [us], 0 = not looked   */
};

/* sbc.c */
/** Effects of the edge, and when it wants to be called next */
void sbc_turn(struct sbc *s);
/** Keep the pool's state. @return 0 or errno, logged */
int  sbc_save(struct sbc *s);

/* api_node.c */
/** NULL = no such node, or no memory */
json_t *api_node_json(struct sbc *s, uint16_t idx);
/** POST /api/v1/nodes/NAME */
unsigned api_node(struct action *a, void *arg);

/* api_paths.c */
int  api_paths(struct sbc *s);

/* api_fault.c */
int  api_fault(struct sbc *s);
/** "fault": what there is, or null */
void api_fault_put(const struct sbc *s, json_t *out);
/** Over now, if there is one; told as an event */
void api_fault_end(struct sbc *s, const char *who, uint64_t now);

/* api_drills.c */
int  api_drills(struct sbc *s);
/** Look for the tool and its list again: the settings may have changed */
void api_drills_look(struct sbc *s);
/** The edge will stop: what goes on is ended */
void api_drills_stopping(struct sbc *s);
/** What still runs is killed */
void api_drills_stop(struct sbc *s);
/** As in GET /api/v1/drills */
json_t *api_drills_json(struct sbc *s);

/* api.c */
/** Pages and state. @return 0 or errno, logged */
int  api_start(struct sbc *s);
void api_stop(struct sbc *s);
/** The pool as in the status */
json_t *api_pool_json(struct sbc *s);
/* api_admit.c */
int  api_admit(struct sbc *s);
/** "admission": what it does, and the bans */
void api_admit_put(struct sbc *s, json_t *out, uint64_t now);

/** Trusted peers */
json_t *api_peers_json(const struct sbc *s, uint64_t now);

/* api_events.c */
int  api_events(struct sbc *s);
struct event;
json_t *api_event_json(const struct event *e);

/* api_trace.c */
int  api_trace(struct sbc *s);
/** Keep a message, unless it would push everything else out (probes, pings,
 *  keep-alives) */
void api_trace_out(struct sbc *s, const struct sip_out *o);
/** mark: the last event before it; wall [us] */
void api_trace_in(struct sbc *s, const struct flow *f, struct sl msg,
		  uint64_t mark, uint64_t wall);

/* sbc_cdr.c */
int  sbc_cdr_start(struct sbc *s);
/** Another file from now on, or the same opened anew; "" = none */
int  sbc_cdr_file(struct sbc *s, const char *path);
/** What calls have ended goes to the file's thread */
void sbc_cdr_turn(struct sbc *s);
void sbc_cdr_stop(struct sbc *s);

#endif
