/**
 * @file api_trace.h  Shell. The messages a node keeps, for /api/v1/trace.
 */
#ifndef NODE_API_TRACE_H
#define NODE_API_TRACE_H

#include "sip/flow.h"

struct node;

/** Memory and figures. @return 0 or errno */
int  api_trace_start(struct node *n);
/** One that came. Probes and pings would push everything else out: they are
 *  not kept, nor are answers to them */
void api_trace_got(struct node *n, const struct flow *f, struct sl msg);
/** What goes, if it is a message */
void api_trace_sent(struct node *n, const struct sip_out *o);

#endif
