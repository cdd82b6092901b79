/* edge_line.c - Pure. New requests wait until what runs has been served: a call
 * comes by four times more until it is set up, and one that was taken is worth
 * more than one that was not. */
#include "sbc/edge_priv.h"
#include "sip/glance.h"

enum { SHARE = 16 };            /**< of the line taken in hand at a time      */

int edge_line_init(struct edge *e)
{
	return stat_add(e->st, STAT_GAUGE, "sbc_line", NULL,
			"New requests that wait in line under overload",
			&e->line.waiting, e);
}

bool edge_line_put(struct edge *e, const struct sip_msg *m,
		   const struct flow *f, const struct overload_ask *a,
		   uint64_t now)
{
	struct line_item it = { .flow = *f, .ask = *a, .at = now,
				.before = e->ovl.last };

	it.msg = blobs_make(e->blobs, m->raw.p, m->raw.n);
	if (!it.msg)
		e->led.oom++;
	if (it.msg && !line_put(&e->line, &it))
		return true;
	blob_unref(it.msg);
	return false;
}

/** Takes over the item's message */
static void go(struct edge *e, const struct line_item *it, uint64_t now)
{
	uint64_t us = (now - it->at) * 1000 + it->before;

	e->line.now = overload_late(&e->ovl, &it->ask, us) ? LINE_LATE :
							      LINE_GOES;
	edge_recv_msg(e, &it->flow, blob_sl(it->msg));
	e->line.now = LINE_NOT;
	blob_unref(it->msg);
	edge_pump(e, now);
}

void edge_line_work(struct edge *e, uint64_t now)
{
	struct line_item it;

	for (int i = 0; i < SHARE && line_take(&e->line, &it); i++) {
		e->now = now;
		go(e, &it, now);
	}
}

void edge_line_cancel(struct edge *e, struct sl msg, uint64_t now)
{
	struct sip_msg *m = &e->msg;
	struct line_item it;

	if (!line_n(&e->line) || !sl_starts(msg, SL("CANCEL ")))
		return;
	if (glance(m, msg.p, msg.n)) {
		if (line_find(&e->line, edge_overload_id(e, m), &it))
			go(e, &it, now);
		return;
	}
	/* not plain: whoever it is for */
	while (line_take(&e->line, &it))
		go(e, &it, now);
}
