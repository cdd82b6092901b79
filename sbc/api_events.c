/* api_events.c - Shell. GET /api/v1/events. */
#include "sbc/sbc_priv.h"

#include "sbc/ledger.h"
#include "web/jsn.h"

enum { EVENTS_DEFAULT = 100, EVENTS_MOST = 1000 };

/** Only what applies to this kind of event */
static void put_text(json_t *o, const char *key, const char *v)
{
	if (*v)
		jsn_sl(o, key, sl_cstr(v));
}

json_t *api_event_json(const struct event *e)
{
	bool request = e->callid[0] != '\0';
	json_t *o = json_object();

	jsn_u64(o, "id", e->id);
	jsn_u64(o, "wall_ms", e->wall);
	jsn_str(o, "kind", event_kind_name(e->kind));
	jsn_str(o, "severity", event_severity_name(e->severity));
	put_text(o, "call_id", e->callid);
	put_text(o, "from", e->from);
	put_text(o, "to", e->to);
	put_text(o, e->kind == EVENT_ADMIN ? "action" : "method", e->method);
	put_text(o, "node", e->node);
	put_text(o, "to_node", e->to_node);
	put_text(o, "who", e->who);
	put_text(o, "reason", e->reason);
	if (e->attempts)
		jsn_u64(o, "attempts", e->attempts);
	if (request)
		jsn_u64(o, "age_ms", e->age);
	return o;
}

/** A number of the query. @return false: there is one, but not like that */
static bool number(const struct http_call *c, struct sl name, uint64_t max,
		   uint64_t *v)
{
	struct sl s = http_srv_param(c, name);

	return !sl_isset(s) || !sl_u64(s, max, v);
}

static void get(struct http_call *c, void *arg)
{
	struct sbc *s = arg;
	const struct events *ev = &edge_ledger(s->edge)->ev;
	uint64_t since = 0, limit = EVENTS_DEFAULT, next;
	const struct event *e;
	json_t *o, *a;

	if (!number(c, SL("since"), UINT64_MAX, &since) ||
	    !number(c, SL("limit"), EVENTS_MOST, &limit) || !limit) {
		jsn_error(c, 400, "since is a number, limit one from 1 to "
			  "1000");
		return;
	}
	o = json_object();
	a = json_array();
	next = since > ev->last ? 0 : since;
	jsn_u64(o, "started_ms", s->started_wall);
	jsn_u64(o, "dropped", events_dropped(ev, since));
	for (; limit && (e = events_after(ev, next)); limit--) {
		(void)json_array_append_new(a, api_event_json(e));
		next = e->id;
	}
	jsn_u64(o, "next", next);
	jsn_u64(o, "last", ev->last);
	jsn_put(o, "events", a);
	jsn_reply(c, 200, o);
}

int api_events(struct sbc *s)
{
	return http_srv_route(s->http, "GET", "/api/v1/events", get, s);
}
