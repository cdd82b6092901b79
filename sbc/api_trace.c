/* api_trace.c - Shell. GET /api/v1/trace: what the edge knows beside texts. */
#include "sbc/sbc_priv.h"

#include "sbc/ledger.h"
#include "web/jsn.h"

/** An event keeps what fits of a Call-ID */
static bool is_call(struct sl callid, const struct event *e)
{
	struct sl id = sl_cstr(e->callid);

	return id.n && sl_eq(sl_sub(callid, 0, sizeof(e->callid) - 1), id);
}

static bool is_wanted(const struct sbc *s, const struct trace_get_search *w,
		      const struct event *e)
{
	struct sl v[TRACE_FIELDS];

	if (w->q.callid.n)
		return is_call(w->q.callid, e);
	for (uint32_t i = 0; i < w->f.n && e->callid[0]; i++) {
		trace_fields(trace_text(&s->trace, w->f.v[i]), v);
		if (is_call(v[TRACE_CALLID], e))
			return true;
	}
	return false;
}

/** The node at this address, by any port: it may have dialled us */
static const char *node_at(struct sbc *s, const struct addr *a,
			   struct disp_view *v)
{
	struct disp *d = edge_disp(s->edge);
	uint16_t idx;

	if (!disp_by_addr(d, a, &idx) && !disp_view(d, idx, v))
		return v->name;
	for (uint16_t i = 0; i < disp_n(d); i++)
		if (!disp_view(d, i, v) && addr_ip_eq(&v->addr, a))
			return v->name;
	return NULL;
}

static void more(json_t *o, const struct trace_msg *m, void *arg)
{
	struct disp_view view;
	struct sbc *s = arg;

	if (m->flow.lst == s->lstc - 1)
		jsn_str(o, "node", node_at(s, &m->flow.peer, &view));
}

static void put_event(json_t *list, const struct event *e)
{
	json_t *o = api_event_json(e);

	jsn_str(o, "type", "event");
	(void)json_array_append_new(list, o);
}

static void put_events(json_t *list, const struct trace_get_search *w,
		       uint64_t after, uint64_t upto, void *arg)
{
	const struct sbc *s = arg;
	const struct events *ev = &edge_ledger(s->edge)->ev;
	const struct event *e = events_after(ev, after);

	for (; e && e->id <= upto; e = events_after(ev, e->id))
		if (is_wanted(s, w, e))
			put_event(list, e);
}

int api_trace(struct sbc *s)
{
	s->told = (struct trace_get){
		.trace = &s->trace, .started = s->started_wall,
		.moreh = more, .eventsh = put_events, .arg = s,
	};
	return trace_get_route(s->act, &s->told);
}
