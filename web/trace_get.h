/**
 * @file trace_get.h  Shell. GET /api/v1/trace: the messages of a call or a
 * user, of an edge or a node.
 */
#ifndef WEB_TRACE_GET_H
#define WEB_TRACE_GET_H

#include "sip/trace.h"
#include "web/action.h"
#include <jansson.h>

/** What is asked for, and what was found */
struct trace_get_search {
	struct trace_query q;
	struct trace_found f;
};

/** What a program has; the hooks may be NULL */
struct trace_get {
	const struct trace *trace;
	const char *name;        /**< who keeps them; NULL: not told          */
	uint64_t started;        /**< [ms since 1970]                         */
	/** Adds to what is told of a message */
	void (*moreh)(json_t *o, const struct trace_msg *m, void *arg);
	/** Appends the events with after < id <= upto that belong there */
	void (*eventsh)(json_t *list, const struct trace_get_search *w,
			uint64_t after, uint64_t upto, void *arg);
	void *arg;
};

/** g is borrowed for ever. @return 0 or ENOSPC */
int  trace_get_route(struct actions *a, struct trace_get *g);

#endif
