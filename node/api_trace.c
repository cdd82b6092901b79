/* api_trace.c - Shell. The messages a node keeps. */
#include "node/api_trace.h"

#include "base/clk.h"
#include "node/node_i.h"
#include "node/own.h"

int api_trace_start(struct node *n)
{
	int err = trace_init(&n->trace, n->cf.trace.messages,
			     n->cf.trace.bytes);

	n->told = (struct trace_get){
		.trace = &n->trace, .name = n->cf.name, .started = clk_wall(),
	};
	if (!err)
		err = stat_add(n->st, STAT_COUNTER, "node_trace_total", NULL,
			       "Messages kept for traces", &n->trace.last, n);
	if (!err)
		err = stat_add(n->st, STAT_GAUGE, "node_trace_messages", NULL,
			       "Messages that can be traced now",
			       &n->trace.kept, n);
	return err;
}

static void keep(struct node *n, const struct flow *f, bool out,
		 struct sl msg)
{
	if (!n->trace.cap || own_is(msg, sl_cstr(n->cf.ping.method),
				    sl_cstr(n->cf.ping.from)))
		return;
	/* what a message brings about is sent at once: one look at the clock */
	if (!n->wall)
		n->wall = clk_wall_us();
	trace_add(&n->trace, f, out, msg, 0, n->wall);
}

void api_trace_got(struct node *n, const struct flow *f, struct sl msg)
{
	keep(n, f, false, msg);
}

void api_trace_sent(struct node *n, const struct sip_out *o)
{
	if (o->kind == SIP_OUT_SEND)
		keep(n, &o->flow, true, blob_sl(o->blob));
}
