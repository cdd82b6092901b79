/* api_trace.c - Shell. GET /api/v1/trace: the messages of a call or a user. */
#include "sbc/sbc_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "sbc/ledger.h"
#include "sip/uri.h"
#include "web/http_req.h"
#include "web/jsn.h"

enum {
	ASKED_MOST = 1024,       /**< longest Call-ID or AoR [bytes]          */
};

struct search {
	struct trace_query q;
	struct trace_found f;
};

/** An event keeps what fits of a Call-ID */
static bool is_call(struct sl callid, const struct event *e)
{
	struct sl id = sl_cstr(e->callid);

	return id.n && sl_eq(sl_sub(callid, 0, sizeof(e->callid) - 1), id);
}

static bool is_wanted(const struct sbc *s, const struct search *w,
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

static json_t *msg_json(struct sbc *s, const struct trace_msg *m,
			struct sl text)
{
	struct sl v[TRACE_FIELDS];
	struct disp_view view;
	json_t *o = json_object();

	trace_fields(text, v);
	jsn_str(o, "type", "message");
	jsn_u64(o, "wall_us", m->wall);
	jsn_str(o, "dir", m->out ? "out" : "in");
	jsn_str(o, "transport", tp_param(m->flow.tp));
	jsn_addr(o, "peer", &m->flow.peer);
	if (m->flow.lst == s->lstc - 1)
		jsn_str(o, "node", node_at(s, &m->flow.peer, &view));
	jsn_sl(o, "line", trace_line(text));
	jsn_sl(o, "cseq", v[TRACE_CSEQ]);
	jsn_sl(o, "call_id", v[TRACE_CALLID]);
	jsn_u64(o, "bytes", m->length);
	jsn_bool(o, "cut", m->cut);
	jsn_sl(o, "text", text);
	return o;
}

/** Nothing else tells what stands in a message */
static void put_msg(struct sbc *s, json_t *list, const struct trace_msg *m)
{
	struct buf b;

	buf_init(&b, TRACE_CLEAN);
	trace_clean(&b, trace_text(&s->trace, m), m->cut);
	if (!b.err)
		(void)json_array_append_new(list,
					    msg_json(s, m, buf_as_sl(&b)));
	buf_free(&b);
}

static void put_event(json_t *list, const struct event *e)
{
	json_t *o = api_event_json(e);

	jsn_str(o, "type", "event");
	(void)json_array_append_new(list, o);
}

static json_t *list(struct sbc *s, const struct search *w)
{
	const struct events *ev = &edge_ledger(s->edge)->ev;
	const struct event *e = events_after(ev, w->f.from);
	json_t *a = json_array();

	for (uint32_t i = w->f.n; i--; ) {
		const struct trace_msg *m = w->f.v[i];

		for (; e && e->id <= m->mark; e = events_after(ev, e->id))
			if (is_wanted(s, w, e))
				put_event(a, e);
		put_msg(s, a, m);
	}
	for (; e && e->id <= w->f.to; e = events_after(ev, e->id))
		if (is_wanted(s, w, e))
			put_event(a, e);
	return a;
}

/** @return 0, ERANGE: a number, EINVAL: neither or both, or not like that */
static int asked(struct trace_query *q, const struct http_call *c,
		 struct buf *b)
{
	struct sl id = http_srv_param(c, SL("call-id"));
	struct sl aor = http_srv_param(c, SL("aor"));
	struct sl limit = http_srv_param(c, SL("limit"));
	struct sl before = http_srv_param(c, SL("before"));
	char mem[ASKED_MOST + 8];
	struct buf raw;

	q->limit = TRACE_FOUND;
	if ((sl_isset(limit) && (sl_u32(limit, TRACE_FOUND, &q->limit) ||
				 !q->limit)) ||
	    (sl_isset(before) && sl_u64(before, UINT64_MAX, &q->before)))
		return ERANGE;
	if (sl_isset(id) == sl_isset(aor))
		return EINVAL;
	if (sl_isset(id)) {
		if (http_req_unescape(b, id) || !b->n)
			return EINVAL;
		q->callid = buf_as_sl(b);
		return 0;
	}
	buf_fixed(&raw, mem, sizeof(mem));
	if (http_req_unescape(&raw, aor))
		return EINVAL;
	if (!sl_istarts(buf_as_sl(&raw), SL("sip:")) &&
	    !sl_istarts(buf_as_sl(&raw), SL("sips:"))) {
		buf_reset(&raw);
		buf_lit(&raw, "sip:");
		if (http_req_unescape(&raw, aor))
			return EINVAL;
	}
	if (aor_canon(b, buf_as_sl(&raw)))
		return EINVAL;
	q->aor = buf_as_sl(b);
	return 0;
}

static unsigned search(struct search *w, struct sbc *s, struct action *a)
{
	char mem[ASKED_MOST];
	struct buf b;
	int err;

	buf_fixed(&b, mem, sizeof(mem));
	err = asked(&w->q, a->call, &b);
	if (err)
		return action_fail(a, 400, err == ERANGE ?
				   "limit is a number from 1 to 200, before "
				   "one" :
				   "call-id or aor (user@domain) is needed");
	trace_find(&s->trace, &w->q, &w->f);
	jsn_u64(a->out, "started_ms", s->started_wall);
	jsn_u64(a->out, "next", w->f.next);
	jsn_put(a->out, "entries", list(s, w));
	return 200;
}

static unsigned get(struct action *a, void *arg)
{
	struct sbc *s = arg;
	struct search *w;
	unsigned status;

	if (!s->trace.cap)
		return action_fail(a, 409, "trace.messages is 0");
	w = calloc(1, sizeof(*w));
	if (!w)
		return action_fail(a, 500, "no memory");
	status = search(w, s, a);
	free(w);
	return status;
}

int api_trace(struct sbc *s)
{
	return action_get_route(s->act, "trace", "/api/v1/trace", get, s);
}
