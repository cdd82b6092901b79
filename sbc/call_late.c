/* call_late.c - Pure. Whom to ask next; and when there is nobody, whether the node
 * that is silent may only be late. */
#include <errno.h>

#include "sbc/edge_priv.h"

#define LOOK 500                /* [ms] until it is asked again who is there */

/** Is one UP that is not in this set? */
static bool up_beside(const struct disp *d, struct disp_set set)
{
	for (uint16_t i = 0; i < disp_n(d); i++)
		if (!disp_set_has(&set, i) && disp_is_up(d, i))
			return true;
	return false;
}

/** All were asked, and some said nothing: one that is UP by now may have been late
 *  as the machine was, and is asked once more. Who has refused is not. */
static bool next_again(struct call *c, uint16_t *node, uint64_t now)
{
	struct edge *e = c->e;
	struct disp_set set = c->tried;

	if (!c->again)
		set.bits = ~c->tried.bits | c->refused.bits;
	if (!c->attempts || c->attemptc >= 2 * e->tune.max_attempts)
		return false;
	disp_set_add(&set, c->attempts->node);
	/* never one that was not asked: max_attempts is a bound on nodes */
	if (!up_beside(e->disp, set) ||
	    disp_pick(e->disp, c->key, &set, node, now) ||
	    !disp_is_up(e->disp, *node))
		return false;
	c->again = true;
	c->tried = set;
	e->led.again++;
	return true;
}

/** By its rank: an emergency call is better off at a node that may have stopped than
 *  with 503 */
static int pick(struct call *c, uint16_t *node, uint64_t now)
{
	struct edge *e = c->e;
	enum disp_rank rank = DISP_NEW;
	const struct sip_msg *m = disp_limited(e->disp) ? call_request(c) : NULL;
	int err;

	if (m)
		rank = edge_overload_rank(e, m, stxn_flow(c->stxn), now);
	err = disp_pick_as(e->disp, rank, c->key, &c->tried, node, now);
	c->full = err == ENOBUFS;
	return err;
}

bool call_next(struct call *c, uint16_t *node, uint64_t now)
{
	struct edge *e = c->e;

	if (c->attemptc && now - c->since >= e->tune.deadline)
		return false;
	if (!c->again && c->attemptc < e->tune.max_attempts &&
	    !pick(c, node, now))
		return true;
	return next_again(c, node, now);
}

bool call_waits(struct attempt *a, uint64_t now)
{
	struct call *c = a->call;
	struct edge *e = c->e;
	uint64_t left = c->since + e->tune.deadline - now;

	if (!c->stxn || stxn_final(c->stxn) || c->cancelled || a->egress ||
	    now - c->since >= e->tune.deadline)
		return false;
	/* what its phones have said is an answer; and a pool known to be gone is
	 * not late */
	if (c->code || disp_frozen(e->disp))
		return false;
	c->silent = true;
	c->chosen = call_next(c, &c->next_node, now);
	if (c->chosen)
		return false;
	if (!a->late) {
		a->late = true;
		disp_report(e->disp, a->node, DISP_SILENT, 0, now);
		ledger_waits(&e->led, call_request(c), call_method(c),
			     e->node[a->node].name, c->attemptc,
			     now - c->begin, now);
	}
	ctxn_expect(a->ctxn, left < LOOK ? (uint32_t)left : LOOK, now);
	return true;
}
