/* ledger.c - Pure. Figures, and the lines about calls saved and lost. */
#include "sbc/ledger.h"
#include <stdio.h>

#include "sip/uri.h"

const char *fail_why_name(enum fail_why w)
{
	switch (w) {
	case FAIL_SILENT:  return "silent";
	case FAIL_HUNG:    return "hung";
	case FAIL_RESET:   return "reset";
	case FAIL_REFUSED: return "refused";
	case FAIL_DOWN:    return "down";
	case FAIL_ERROR:   return "error";
	case FAIL_WHY_N:   break;
	}
	return "?";
}

/** Codes the edge answers itself; the last slot takes all others */
static const uint16_t codes[LEDGER_CODES] = {
	400, 403, 413, 416, 420, 430, 481, 482, 483, 487, 500, 503, 505, 513,
};

struct row {
	const char *name, *labels, *help;
	size_t off;
};
#define ROW(f, n, l, h) { n, l, h, offsetof(struct ledger, f) }

static const struct row rows[] = {
	ROW(core_requests, "sbc_core_requests_total", NULL,
	    "New requests from nodes"),
	ROW(lost_ringing, "sbc_lost_total", "why=\"ringing\"",
	    "Requests lost because of a node"),
	ROW(lost_silent, "sbc_lost_total", "why=\"silent\"", NULL),
	ROW(lost_no_node, "sbc_lost_total", "why=\"no_node\"", NULL),
	ROW(full, "sbc_full_total", NULL,
	    "New requests refused, as all nodes had as many as they may or "
	    "asked for less"),
	ROW(oc, "sbc_oc_total", "result=\"taken\"",
	    "Responses of nodes with a value of oc"),
	ROW(oc_refused, "sbc_oc_total", "result=\"refused\"", NULL),
	ROW(adopted, "sbc_adopted_total", NULL,
	    "Requests open at clients when their node failed, taken over"),
	ROW(continued, "sbc_continued_total", NULL,
	    "Adopted requests whose phones failed, given to a further node"),
	ROW(straight, "sbc_straight_total", NULL,
	    "Ringing and answers of phones told to the caller past their "
	    "node"),
	ROW(replayed, "sbc_replayed_total", NULL,
	    "Branches answered with what the phone had said before"),
	ROW(caller_gone, "sbc_caller_gone_total", NULL,
	    "Calls and REGISTERs given up because the caller's connection "
	    "was lost"),
	ROW(saved, "sbc_saved_total", NULL,
	    "Requests answered after a failover"),
	ROW(rescued, "sbc_rescued_total", NULL,
	    "Answers handed to the caller past a dead node"),
	ROW(late_2xx, "sbc_late_2xx_total", NULL,
	    "2xx answers on an attempt already given up"),
	ROW(waits, "sbc_waits_total", NULL,
	    "Requests kept at a silent node, as no other could be asked"),
	ROW(again, "sbc_asked_again_total", NULL,
	    "Requests given once more to a node that had been silent"),
	ROW(ghost, "sbc_ghost_total", "end=\"bye\"",
	    "2xx answers after the caller was refused"),
	ROW(ghost_alive, "sbc_ghost_total", "end=\"none\"", NULL),
	ROW(gate, "sbc_gate_total", NULL,
	    "Late requests of nodes that lost the call, refused 487"),
	ROW(egress, "sbc_egress_total", NULL,
	    "Branches opened from nodes to clients"),
	ROW(dialog, "sbc_dialog_total", NULL,
	    "In-dialog requests passed from client to client"),
	ROW(ack_dropped, "sbc_ack_dropped_total", NULL,
	    "ACK requests without a valid token"),
	ROW(cancelled, "sbc_cancelled_total", NULL,
	    "Calls cancelled by the caller"),
	ROW(flow_failed, "sbc_flow_failed_total", NULL,
	    "Requests to clients whose connection was gone"),
	ROW(found[0], "sbc_found_again_total", "token=\"record_route\"",
	    "Clients reached on another connection than their token's"),
	ROW(found[1], "sbc_found_again_total", "token=\"path\"", NULL),
	ROW(found_twice, "sbc_found_twice_total", NULL,
	    "Second branches to a client found again, refused"),
	ROW(by_node, "sbc_dialog_by_node_total", NULL,
	    "In-dialog requests given to a node that record-routed"),
	ROW(hops_passed, "sbc_hops_total", "what=\"passed\"",
	    "Foreign nodes left out of the way of in-dialog requests"),
	ROW(hops_skipped, "sbc_hops_total", "what=\"skipped\"", NULL),
	ROW(hops_long, "sbc_hops_total", "what=\"too_long\"", NULL),
	ROW(malformed, "sbc_malformed_total", NULL,
	    "Messages that could not be read"),
	ROW(dropped, "sbc_dropped_total", NULL,
	    "Messages dropped without an answer"),
	ROW(stranger, "sbc_stranger_total", NULL,
	    "Messages on the core side that came from no node"),
	ROW(route_foreign, "sbc_route_injected_total", NULL,
	    "Route entries of clients that were not ours, removed"),
	ROW(route_inside, "sbc_route_private_total", NULL,
	    "Requests refused 403: they named a private address"),
	ROW(token_forged, "sbc_token_refused_total", "why=\"forged\"",
	    "Flow tokens refused"),
	ROW(token_misused, "sbc_token_refused_total", "why=\"misused\"", NULL),
	ROW(loops, "sbc_loops_total", NULL, "Requests refused 482"),
	ROW(overload, "sbc_overload_total", NULL,
	    "Requests refused at a limit of transactions"),
	ROW(untied, "sbc_untied_total", NULL,
	    "Requests of nodes that belong to no call of a client"),
	ROW(oom, "sbc_unbuilt_total", NULL,
	    "Messages that could not be built"),
	ROW(rates.ok, "sbc_invites_total", "result=\"ok\"",
	    "INVITEs of clients by their final answer"),
	ROW(rates.redirected, "sbc_invites_total", "result=\"redirected\"",
	    NULL),
	ROW(rates.challenged, "sbc_invites_total", "result=\"challenged\"",
	    NULL),
	ROW(rates.callee, "sbc_invites_total", "result=\"callee\"", NULL),
	ROW(rates.failed, "sbc_invites_total", "result=\"failed\"", NULL),
	ROW(rates.other, "sbc_invites_total", "result=\"other\"", NULL),
	ROW(rates.reg_ok, "sbc_registered_total", NULL,
	    "REGISTERs of clients answered 200"),
	ROW(hide.rr_removed, "sbc_hidden_total", "what=\"record_route\"",
	    "Traces of the inside removed from messages to clients"),
	ROW(hide.inside_removed, "sbc_hidden_total", "what=\"header\"", NULL),
	ROW(hide.injected, "sbc_header_injected_total", NULL,
	    "Headers of clients that only nodes may send, removed"),
};

int ledger_init(struct ledger *l, struct stats *st, const void *owner)
{
	char label[64];
	int err = 0;

	memset(l, 0, sizeof(*l));
	err = events_init(&l->ev, EVENTS_CAP);
	for (int i = 0; i < EVENT_N && !err; i++) {
		(void)snprintf(label, sizeof(label), "kind=\"%s\"",
			       event_kind_name(i));
		err = stat_add(st, STAT_COUNTER, "sbc_events_total", label,
			       "Events of /api/v1/events", &l->ev.count[i],
			       owner);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows) && !err; i++)
		err = stat_add(st, STAT_COUNTER, rows[i].name, rows[i].labels,
			       rows[i].help ? rows[i].help : "",
			       (const char *)l + rows[i].off, owner);
	for (int i = 0; i < SIP_M_N && !err; i++) {
		(void)snprintf(label, sizeof(label), "method=\"%s\"",
			       i ? sip_method_name(i) : "other");
		err = stat_add(st, STAT_COUNTER, "sbc_requests_total", label,
			       "New requests from clients", &l->requests[i],
			       owner);
	}
	for (int i = 1; i < 7 && !err; i++) {
		(void)snprintf(label, sizeof(label), "class=\"%dxx\"", i);
		err = stat_add(st, STAT_COUNTER, "sbc_responses_total", label,
			       "Responses passed on to clients",
			       &l->responses[i], owner);
	}
	for (int i = 0; i < FAIL_WHY_N && !err; i++) {
		(void)snprintf(label, sizeof(label), "why=\"%s\"",
			       fail_why_name(i));
		err = stat_add(st, STAT_COUNTER, "sbc_failover_total", label,
			       "Requests moved to another node",
			       &l->failover[i], owner);
	}
	for (int i = 0; i < LEDGER_CODES && !err; i++) {
		l->refused[i].code = codes[i];
		if (!codes[i] && i < LEDGER_CODES - 1)
			continue;
		(void)snprintf(label, sizeof(label), "code=\"%u\"", codes[i]);
		err = stat_add(st, STAT_COUNTER, "sbc_refused_total", label,
			       "Requests answered by the edge itself",
			       &l->refused[i].n, owner);
	}
	return err;
}

void ledger_close(struct ledger *l)
{
	events_free(&l->ev);
}

int ledger_txn(struct stats *st, const struct txn_stats *ts, const void *owner)
{
	const struct stat_row v[] = {
		{ STAT_COUNTER, "sip_server_transactions_total",
		  "Server transactions made", &ts->server_made },
		{ STAT_COUNTER, "sip_client_transactions_total",
		  "Client transactions made", &ts->client_made },
		{ STAT_COUNTER, "sip_retransmissions_in_total",
		  "Retransmissions absorbed", &ts->retrans_in },
		{ STAT_COUNTER, "sip_retransmissions_out_total",
		  "Retransmissions sent", &ts->retrans_out },
		{ STAT_COUNTER, "sip_stray_total",
		  "Responses that match nothing", &ts->stray },
		{ STAT_COUNTER, "sip_forged_total",
		  "Responses with a branch that is not ours", &ts->forged },
		{ STAT_COUNTER, "sip_cap_total",
		  "Transactions refused at the cap", &ts->refused_cap },
		{ STAT_COUNTER, "sip_ended_early_total",
		  "Transactions that were over and made room at the cap",
		  &ts->ended_early },
		{ STAT_COUNTER, "sip_timeouts_total",
		  "Client transactions that timed out", &ts->timeouts },
		{ STAT_GAUGE, "sip_server_transactions",
		  "Server transactions now", &ts->server_now },
		{ STAT_GAUGE, "sip_client_transactions",
		  "Client transactions now", &ts->client_now },
	};
	return stat_rows(st, v, NULL, owner);
}

void ledger_refused(struct ledger *l, uint16_t code)
{
	int i = 0;

	while (i < LEDGER_CODES - 1 && l->refused[i].code != code)
		i++;
	l->refused[i].n++;
}

/* --- events --- */

static void put_aor(char *dst, size_t size, struct sl val)
{
	char room[SIP_AOR_MAX];
	struct name_addr na;
	struct buf b;

	if (name_addr_parse(&na, val))
		return;
	buf_fixed(&b, room, sizeof(room));
	event_put(dst, size, aor_canon(&b, na.uri) ? na.uri : buf_as_sl(&b));
}

/** m may be NULL */
static struct event *note(struct ledger *l, enum event_kind kind,
			  enum event_severity sev, const struct sip_msg *m,
			  uint64_t now)
{
	struct event *x = events_add(&l->ev, kind, sev,
				     (uint64_t)((int64_t)now + l->wall));

	if (!m)
		return x;
	event_set(x->callid, m->callid);
	event_set(x->method, m->method);
	put_aor(x->from, sizeof(x->from), m->from);
	put_aor(x->to, sizeof(x->to), m->to);
	return x;
}

static void about(struct event *x, const char *node, const char *why,
		  unsigned attempts, uint64_t age)
{
	event_set(x->node, sl_cstr(node));
	event_set(x->reason, sl_cstr(why));
	x->attempts = attempts;
	x->age = age;
}

static const char *id_of(const struct sip_msg *m)
{
	return log_esc(m ? m->callid : SL_NONE);
}

void ledger_moved(struct ledger *l, enum fail_why why,
		  const struct sip_msg *m, const char *method,
		  const char *from, const char *to, unsigned attempts,
		  uint64_t age, uint64_t now)
{
	struct event *x = note(l, EVENT_MOVED, EVENT_WARNING, m, now);

	about(x, from, fail_why_name(why), attempts, age);
	event_set(x->to_node, sl_cstr(to));
	l->failover[why]++;
	if (log_allow(&l->lim_saved, 20, now))
		log_info("event=failover why=%s method=%s from=%s to=%s "
			 "age=%llums call_id=%s", fail_why_name(why), method,
			 from, to, (unsigned long long)age, id_of(m));
}

void ledger_saved(struct ledger *l, const struct sip_msg *m,
		  const char *method, const char *node, unsigned attempts,
		  uint64_t age, uint64_t now)
{
	about(note(l, EVENT_SAVED, EVENT_INFO, m, now), node, NULL, attempts,
	      age);
	l->saved++;
	if (log_allow(&l->lim_saved, 20, now))
		log_info("event=saved method=%s node=%s attempts=%u "
			 "age=%llums call_id=%s", method, node, attempts,
			 (unsigned long long)age, id_of(m));
}

void ledger_lost(struct ledger *l, uint64_t *count, const char *why,
		 const struct sip_msg *m, const char *method,
		 const char *node, unsigned attempts, uint64_t age,
		 uint64_t now)
{
	about(note(l, EVENT_LOST, EVENT_ERROR, m, now), node, why, attempts,
	      age);
	++*count;
	if (log_allow(&l->lim_lost, 20, now))
		log_warn("event=lost why=%s method=%s node=%s attempts=%u "
			 "age=%llums call_id=%s", why, method, node, attempts,
			 (unsigned long long)age, id_of(m));
}

void ledger_adopted(struct ledger *l, enum fail_why why,
		    const struct sip_msg *m, const char *method,
		    const char *node, unsigned branches, uint64_t age,
		    uint64_t now)
{
	about(note(l, EVENT_ADOPTED, EVENT_WARNING, m, now), node,
	      fail_why_name(why), 0, age);
	l->adopted++;
	if (log_allow(&l->lim_saved, 20, now))
		log_info("event=adopted why=%s call_id=%s method=%s node=%s "
			 "branches=%u after=%llums", fail_why_name(why),
			 id_of(m), method, node, branches,
			 (unsigned long long)age);
}

void ledger_rescued(struct ledger *l, const struct sip_msg *m,
		    const char *method, const char *node, unsigned attempts,
		    uint64_t age, uint64_t now)
{
	about(note(l, EVENT_RESCUED, EVENT_INFO, m, now), node, NULL,
	      attempts, age);
	l->rescued++;
	if (log_allow(&l->lim_saved, 20, now))
		log_info("event=rescued method=%s node=%s age=%llums "
			 "call_id=%s", method, node, (unsigned long long)age,
			 id_of(m));
}

void ledger_passed(struct ledger *l, enum fail_why why,
		   const struct sip_msg *m, const char *node, uint64_t now)
{
	about(note(l, EVENT_PASSED, EVENT_WARNING, m, now), node,
	      fail_why_name(why), 0, 0);
	l->hops_passed++;
	if (log_allow(&l->lim_saved, 20, now))
		log_info("event=passed why=%s method=%s node=%s call_id=%s",
			 fail_why_name(why),
			 m->meth ? sip_method_name(m->meth) : "other", node,
			 id_of(m));
}

void ledger_waits(struct ledger *l, const struct sip_msg *m,
		  const char *method, const char *node, unsigned attempts,
		  uint64_t age, uint64_t now)
{
	l->waits++;
	if (log_allow(&l->lim_saved, 20, now))
		log_info("event=waits method=%s node=%s attempts=%u "
			 "age=%llums call_id=%s", method, node, attempts,
			 (unsigned long long)age, id_of(m));
}

void ledger_late_2xx(struct ledger *l, const struct sip_msg *m,
		     const char *node, uint64_t age, uint64_t now)
{
	about(note(l, EVENT_LATE_2XX, EVENT_INFO, m, now), node, NULL, 0,
	      age);
	l->late_2xx++;
}

void ledger_ghost(struct ledger *l, const struct sip_msg *m, uint64_t now)
{
	(void)note(l, EVENT_GHOST, EVENT_WARNING, m, now);
	l->ghost++;
	if (log_allow(&l->lim_lost, 20, now))
		log_info("event=ghost_ended call_id=%s", id_of(m));
}

void ledger_gate(struct ledger *l, const struct sip_msg *m, uint64_t now)
{
	(void)note(l, EVENT_GATE, EVENT_INFO, m, now);
	l->gate++;
	log_debug("event=gate call_id=%s", id_of(m));
}

void ledger_node(struct ledger *l, const char *node, enum disp_state from,
		 enum disp_state to, const char *why, uint64_t now)
{
	struct event *x = note(l, EVENT_NODE, to == DISP_DOWN ? EVENT_ERROR :
			       to == DISP_SUSPECT ? EVENT_WARNING :
			       EVENT_INFO, NULL, now);
	struct buf b;

	event_set(x->node, sl_cstr(node));
	buf_fixed(&b, x->reason, sizeof(x->reason) - 1);
	buf_str(&b, disp_state_name(from));
	buf_lit(&b, " to ");
	buf_str(&b, disp_state_name(to));
	if (why) {
		buf_lit(&b, ": ");
		buf_str(&b, why);
	}
}

void ledger_admin(struct ledger *l, struct sl what, struct sl node,
		  struct sl who, struct sl why, uint64_t now)
{
	struct event *x = note(l, EVENT_ADMIN, EVENT_INFO, NULL, now);

	event_set(x->method, what);
	event_set(x->node, node);
	event_set(x->who, who);
	event_set(x->reason, why);
}

void ledger_verdict(struct ledger *l, const char *from, const char *to,
		    enum event_severity sev, const char *why, uint64_t now)
{
	struct event *x = note(l, EVENT_VERDICT, sev, NULL, now);
	struct buf b;

	buf_fixed(&b, x->reason, sizeof(x->reason) - 1);
	buf_printf(&b, "%s to %s%s%s", from, to, *why ? ": " : "", why);
}

void ledger_records(struct ledger *l, const char *why, uint64_t now)
{
	struct event *x = note(l, EVENT_RECORDS, why ? EVENT_ERROR :
			       EVENT_INFO, NULL, now);

	event_set(x->reason, why ? sl_cstr(why) : SL("written again"));
	if (why)
		log_error("event=records problem=\"%s\" hint=\"calls go on; "
			  "records wait, the latest are left out when too "
			  "many wait\"", why);
	else
		log_info("event=records result=\"written again\"");
}

void ledger_continued(struct ledger *l, const struct sip_msg *m,
		      const char *method, const char *from, const char *to,
		      unsigned attempts, uint64_t age, uint64_t now)
{
	struct event *x = note(l, EVENT_CONTINUED, EVENT_INFO, m, now);

	about(x, from, NULL, attempts, age);
	event_set(x->to_node, sl_cstr(to));
	l->continued++;
	if (log_allow(&l->lim_saved, 20, now))
		log_info("event=continued call_id=%s method=%s from=%s to=%s "
			 "age=%llums", id_of(m), method, from, to,
			 (unsigned long long)age);
}
