/* edge_lost.c - Pure. A connection or a node is lost: what is under way there
 * moves or ends. */
#include <errno.h>

#include "sbc/edge_priv.h"

static void lost_ctxn(struct ctxn *c, void *arg)
{
	struct eobj *o = ctxn_user(c);
	struct edge *e = arg;

	if (!o)
		return;
	switch (o->kind) {
	case EO_ATTEMPT:
		call_fail((struct attempt *)(void *)o, e->why, e->now);
		break;
	case EO_RELAY:
		if (edge_hops_failed((struct relay *)(void *)o, e->why,
				     e->now))
			break;
		e->led.flow_failed++;
		edge_peer_lost((struct relay *)(void *)o, "unreachable",
			       e->now);
		ctxn_abandon(c, e->now);
		edge_relay_fail((struct relay *)(void *)o, 430, e->now);
		break;
	case EO_PROBE:
		if (e->why != FAIL_RESET)
			break;
		ctxn_abandon(c, e->now);
		edge_probe_result((struct probe *)(void *)o, NULL, e->now);
		break;
	case EO_TELL:
		ctxn_abandon(c, e->now);
		edge_ended_result((struct tell *)(void *)o, 0, e->now);
		break;
	case EO_CALL:
	case EO_ASKED:
		break;
	}
}

/** Of a node without an heir: what phones ring for, or have answered, needs none */
static void lost_ringing(struct ctxn *c, void *arg)
{
	struct eobj *o = ctxn_user(c);

	if (o && o->kind == EO_ATTEMPT &&
	    ((struct attempt *)(void *)o)->egress)
		lost_ctxn(c, arg);
}

/** Everything under way at a node moves or ends */
static void node_lost(struct edge *e, const struct flow *f, enum fail_why why)
{
	e->why = why;
	txnl_each_ctxn(e->txnl, f, lost_ctxn, e);
}

void edge_node_down(struct edge *e, uint16_t node, uint64_t now)
{
	bool other = false;

	for (uint16_t i = 0; i < disp_n(e->disp); i++)
		other = other || (i != node && disp_is_up(e->disp, i));
	e->now = now;
	e->why = FAIL_DOWN;
	/* when no node is left, the fault may be ours: the others wait */
	txnl_each_ctxn(e->txnl, &e->node[node].flow,
		       other ? lost_ctxn : lost_ringing, e);
}

void edge_node_mute(struct edge *e, uint16_t node, uint64_t now)
{
	e->now = now;
	e->why = FAIL_DOWN;
	txnl_each_ctxn(e->txnl, &e->node[node].flow, lost_ringing, e);
}

/** Whose fault is it? */
static void node_unreachable(struct edge *e, uint16_t node, int err)
{
	switch (err) {
	case EADDRNOTAVAIL:      /* the address is at the other edge now */
	case ENETUNREACH:
	case ENETDOWN:
	case EACCES:
	case EPERM:              /* a packet filter of ours */
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		disp_own_fault(e->disp, strerror(err), e->now);
		break;
	case EHOSTUNREACH:       /* nobody answers for it on its network, or */
	case EHOSTDOWN:          /* we are not on it: probes will tell       */
	case ETIMEDOUT:
		disp_report(e->disp, node, DISP_LOST, 0, e->now);
		break;
	default:
		/* a plain close too: a node does not close what it shares */
		disp_report(e->disp, node, DISP_RESET, 0, e->now);
		break;
	}
}

void edge_lost(struct edge *e, const struct flow *f, int err, uint64_t now)
{
	struct flow past;
	uint16_t node;

	e->now = now;
	if (f->lst >= e->lstc)
		return;
	if (!edge_is_core(e, f)) {
		edge_ended_lost(e, f);
		known_lost(e->known, f);
		txnl_each_ctxn(e->txnl, f, lost_ctxn, e);
		call_caller_lost(e, f, now);
	}
	else if (!disp_by_addr(e->disp, &f->peer, &node)) {
		/* what comes back may be an older one, until a probe tells */
		e->node[node].told = false;
		node_unreachable(e, node, err);
		node_lost(e, &e->node[node].flow, FAIL_RESET);
	}
	else {
		/* one that was taken out, or a connection a node has dialled:
		 * nothing runs on the latter's address */
		past = *f;
		past.conn = 0;
		node_lost(e, &past, FAIL_RESET);
	}
	edge_pump(e, now);
}
