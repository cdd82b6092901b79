/* ledger.c - Pure. Figures, and the lines about calls saved and lost. */
#include "sbc/ledger.h"
#include <stdio.h>

const char *fail_why_name(enum fail_why w)
{
	switch (w) {
	case FAIL_SILENT:  return "silent";
	case FAIL_HUNG:    return "hung";
	case FAIL_RESET:   return "reset";
	case FAIL_REFUSED: return "refused";
	case FAIL_DOWN:    return "down";
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
	ROW(adopted, "sbc_adopted_total", NULL,
	    "Requests open at clients when their node failed, taken over"),
	ROW(saved, "sbc_saved_total", NULL,
	    "Requests answered after a failover"),
	ROW(rescued, "sbc_rescued_total", NULL,
	    "Answers handed to the caller past a dead node"),
	ROW(late_2xx, "sbc_late_2xx_total", NULL,
	    "2xx answers on an attempt already given up"),
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
	ROW(malformed, "sbc_malformed_total", NULL,
	    "Messages that could not be read"),
	ROW(dropped, "sbc_dropped_total", NULL,
	    "Messages dropped without an answer"),
	ROW(stranger, "sbc_stranger_total", NULL,
	    "Messages on the core side that came from no node"),
	ROW(route_foreign, "sbc_route_injected_total", NULL,
	    "Route entries of clients that were not ours, removed"),
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

int ledger_txn(struct stats *st, const struct txn_stats *ts, const void *owner)
{
	const struct {
		enum stat_type type;
		const char *name, *help;
		const uint64_t *v;
	} v[] = {
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
		{ STAT_COUNTER, "sip_timeouts_total",
		  "Client transactions that timed out", &ts->timeouts },
		{ STAT_GAUGE, "sip_server_transactions",
		  "Server transactions now", &ts->server_now },
		{ STAT_GAUGE, "sip_client_transactions",
		  "Client transactions now", &ts->client_now },
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(v) / sizeof(*v) && !err; i++)
		err = stat_add(st, v[i].type, v[i].name, NULL, v[i].help,
			       v[i].v, owner);
	return err;
}

void ledger_refused(struct ledger *l, uint16_t code)
{
	int i = 0;

	while (i < LEDGER_CODES - 1 && l->refused[i].code != code)
		i++;
	l->refused[i].n++;
}

void ledger_moved(struct ledger *l, enum fail_why why, struct sl callid,
		  const char *method, const char *from, const char *to,
		  uint64_t age, uint64_t now)
{
	l->failover[why]++;
	if (log_allow(&l->lim_saved, 20, now))
		log_info("event=failover why=%s method=%s from=%s to=%s "
			 "age=%llums call_id=%s", fail_why_name(why), method,
			 from, to, (unsigned long long)age, log_esc(callid));
}

void ledger_saved(struct ledger *l, struct sl callid, const char *method,
		  const char *node, unsigned attempts, uint64_t age,
		  uint64_t now)
{
	l->saved++;
	if (log_allow(&l->lim_saved, 20, now))
		log_info("event=saved method=%s node=%s attempts=%u "
			 "age=%llums call_id=%s", method, node, attempts,
			 (unsigned long long)age, log_esc(callid));
}

void ledger_lost(struct ledger *l, uint64_t *count, const char *why,
		 struct sl callid, const char *method, const char *node,
		 unsigned attempts, uint64_t age, uint64_t now)
{
	++*count;
	if (log_allow(&l->lim_lost, 20, now))
		log_warn("event=lost why=%s method=%s node=%s attempts=%u "
			 "age=%llums call_id=%s", why, method, node, attempts,
			 (unsigned long long)age, log_esc(callid));
}

void ledger_adopted(struct ledger *l, enum fail_why why, struct sl callid,
		    const char *method, const char *node, unsigned branches,
		    uint64_t age, uint64_t now)
{
	l->adopted++;
	if (log_allow(&l->lim_saved, 20, now))
		log_info("event=adopted why=%s call_id=%s method=%s node=%s "
			 "branches=%u after=%llums", fail_why_name(why),
			 log_esc(callid), method, node, branches,
			 (unsigned long long)age);
}
