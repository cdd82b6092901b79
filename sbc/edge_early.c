/* edge_early.c - Pure. New requests that overload refuses, and the ACKs to such
 * refusals, done with before the scanner, the transactions and traces: what is
 * done for each of them is taken from the calls that can be served. Whatever is
 * not plain goes the long way and is refused there. */
#include "sbc/edge_priv.h"
#include "sip/glance.h"

int edge_early_init(struct edge *e)
{
	int err = stat_add(e->st, STAT_COUNTER, "sbc_shed_early_total",
			   "what=\"request\"",
			   "Messages refused (requests) or absorbed (ACKs to "
			   "that) at first sight", &e->early.refused, e);

	if (!err)
		err = stat_add(e->st, STAT_COUNTER, "sbc_shed_early_total",
			       "what=\"ack\"", NULL, &e->early.acks, e);
	return err;
}

uint64_t edge_early_done(const struct edge *e)
{
	return e->early.refused + e->early.acks;
}

/** What may be the first of a dialog, or outside of any */
static bool may_begin(const struct sip_msg *m)
{
	switch (m->meth) {
	case SIP_INVITE:
	case SIP_REGISTER:
	case SIP_OPTIONS:
	case SIP_SUBSCRIBE:
	case SIP_MESSAGE:
	case SIP_PUBLISH:
		return true;
	default:
		return false;
	}
}

struct sl edge_tag(const struct edge *e, struct sl callid, char room[EDGE_TAG])
{
	uint64_t h = secret_hash(e->branch_key, callid.p, callid.n);
	struct buf t;

	buf_fixed(&t, room, EDGE_TAG);
	buf_hex(&t, &h, sizeof(h));
	return buf_as_sl(&t);
}

/** To a refusal of ours, which has this tag and needs no more than that */
static bool absorb(struct edge *e, const struct sip_msg *m)
{
	char tag[EDGE_TAG];

	if (!sl_eq(m->to_tag, edge_tag(e, m->callid, tag)))
		return false;
	e->early.acks++;
	return true;
}

/** For want of nodes with room, as call_give_up() would: OPTIONS may be for us */
static bool no_room(struct edge *e, const struct sip_msg *m,
		    const struct flow *f, uint64_t now)
{
	if (m->meth == SIP_OPTIONS || !disp_limited(e->disp) ||
	    edge_overload_rank(e, m, f, now) != DISP_NEW ||
	    !disp_no_room(e->disp, now))
		return false;
	e->led.full++;
	edge_overload_refuse(e, m, f);
	return true;
}

bool edge_early(struct edge *e, const struct flow *f, struct sl msg,
		uint64_t now)
{
	struct sip_msg *m = &e->msg;
	bool done, on = overload_on(&e->ovl);

	if ((!on && !disp_limited(e->disp)) || edge_is_core(e, f) ||
	    sl_starts(msg, SL("SIP/")) || !glance(m, msg.p, msg.n))
		return false;
	if (m->meth == SIP_ACK)
		return absorb(e, m);
	/* a size that has another answer; a copy of what runs */
	if (!may_begin(m) || msg.n > e->tune.max_message || !admit_fits(m) ||
	    txnl_knows(e->txnl, m->top.branch))
		return false;
	e->early.quiet = true;
	done = no_room(e, m, f, now) ||
		(on && !edge_overload_takes(e, m, f, now));
	e->early.quiet = false;
	return done;
}
