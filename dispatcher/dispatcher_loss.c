/* dispatcher_loss.c - Pure. Nodes that ask for a share of the new requests less: RFC
 * 7339, the algorithm "loss". */
#include <errno.h>

#include "dispatcher/dispatcher_i.h"

#define LOSS_MAX 10000         /* [ms] that one word of a node lasts           */

static void loss_end(struct disp *d, uint16_t idx)
{
	struct pool_node *n = d->pool.v[idx];

	d->pool.less.bits &= ~(1ull << idx);
	n->stat.loss = 0;
	if (log_allow(&d->lim_loss, 10, d->now))
		log_info("event=loss state=end node=%s kept_from=%llu", n->name,
			 (unsigned long long)n->stat.kept_from);
}

int disp_loss(struct disp *d, uint16_t idx, const struct disp_ask *a,
	      uint64_t now)
{
	struct pool_node *n = pool_get(&d->pool, idx);
	bool on;

	if (!n || a->percent > 100)
		return EINVAL;
	on = disp_set_has(&d->pool.less, idx) && now < n->loss_until;
	/* once it is over, a node that counts anew is believed */
	if (on && a->seq < n->loss_seq)
		return ESTALE;
	d->now = now;
	n->loss_seq = a->seq;
	n->loss_until = now + (a->ms < LOSS_MAX ? a->ms : LOSS_MAX);
	if (!a->percent || !a->ms) {
		if (disp_set_has(&d->pool.less, idx))
			loss_end(d, idx);
		return 0;
	}
	if (!disp_set_has(&d->pool.less, idx) &&
	    log_allow(&d->lim_loss, 10, now))
		log_warn("event=loss state=begin node=%s percent=%u text=\"it "
			 "asks for so many new requests less\"", n->name,
			 a->percent);
	d->pool.less.bits |= 1ull << idx;
	n->stat.loss = a->percent;
	return 0;
}

void disp_loss_tick(struct disp *d, uint64_t now)
{
	for (uint16_t i = 0; d->pool.less.bits >> i && i < d->pool.n; i++)
		if (disp_set_has(&d->pool.less, i) &&
		    d->pool.v[i]->loss_until <= now)
			loss_end(d, i);
}

bool disp_loss_spares(struct disp *d, uint16_t idx, enum disp_rank rank)
{
	struct pool_node *n = d->pool.v[idx];
	uint32_t all, keep;
	uint64_t less;
	bool hit;

	d->asked.all[window_at(&d->asked, d->now)]++;
	if (rank == DISP_KEEP)
		d->asked.some[window_at(&d->asked, d->now)]++;
	if (rank == DISP_URGENT || !disp_set_has(&d->pool.less, idx))
		return false;
	/* RFC 7339 5.10.1: first from those that matter less, the rest from the
	 * others */
	window_sum(&d->asked, d->now, &all, &keep);
	less = n->stat.loss * all;
	if (rank == DISP_NEW)
		hit = rng_below(&d->rng, 100 * (all - keep)) < less;
	else
		hit = less > 100ull * (all - keep) &&
			rng_below(&d->rng, 100 * keep) <
			less - 100ull * (all - keep);
	n->stat.kept_from += hit;
	return hit;
}
