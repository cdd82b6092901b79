/* events.c - Pure. The ring of events. */
#include "sbc/events.h"

#include <errno.h>
#include <stdlib.h>

const char *event_kind_name(enum event_kind k)
{
	switch (k) {
	case EVENT_MOVED:    return "moved";
	case EVENT_SAVED:    return "saved";
	case EVENT_ADOPTED:  return "adopted";
	case EVENT_CONTINUED: return "continued";
	case EVENT_RESCUED:  return "rescued";
	case EVENT_PASSED:   return "passed";
	case EVENT_LATE_2XX: return "late_2xx";
	case EVENT_LOST:     return "lost";
	case EVENT_GHOST:    return "ghost";
	case EVENT_GATE:     return "gate";
	case EVENT_NODE:     return "node";
	case EVENT_ADMIN:    return "admin";
	case EVENT_RECORDS:  return "records";
	case EVENT_VERDICT:  return "verdict";
	}
	return "?";
}

const char *event_severity_name(enum event_severity s)
{
	switch (s) {
	case EVENT_INFO:    return "info";
	case EVENT_WARNING: return "warning";
	case EVENT_ERROR:   return "error";
	}
	return "?";
}

int events_init(struct events *e, uint32_t cap)
{
	memset(e, 0, sizeof(*e));
	if (!cap)
		return EINVAL;
	e->v = calloc(cap, sizeof(*e->v));
	e->cap = e->v ? cap : 0;
	return e->v ? 0 : ENOMEM;
}

void events_free(struct events *e)
{
	free(e->v);
	memset(e, 0, sizeof(*e));
}

struct event *events_add(struct events *e, enum event_kind kind,
			 enum event_severity sev, uint64_t wall)
{
	struct event *x = &e->v[e->last++ % e->cap];

	e->count[kind]++;
	memset(x, 0, sizeof(*x));
	x->id = e->last;
	x->kind = kind;
	x->severity = sev;
	x->wall = wall;
	return x;
}

void event_put(char *dst, size_t size, struct sl s)
{
	size_t n = s.n < size ? s.n : size - 1;

	if (n)
		memcpy(dst, s.p, n);
	dst[n] = '\0';
}

/** Where a reader stands */
static uint64_t at(const struct events *e, uint64_t since)
{
	return since > e->last ? 0 : since;
}

uint64_t events_dropped(const struct events *e, uint64_t since)
{
	uint64_t gone = e->last > e->cap ? e->last - e->cap : 0;

	since = at(e, since);
	return gone > since ? gone - since : 0;
}

const struct event *events_after(const struct events *e, uint64_t since)
{
	since = at(e, since) + events_dropped(e, since);
	return since < e->last ? &e->v[since % e->cap] : NULL;
}
