/* trace_get.c - Shell. GET /api/v1/trace. */
#include "web/trace_get.h"

#include <errno.h>
#include <stdlib.h>

#include "sip/uri.h"
#include "web/http_req.h"
#include "web/jsn.h"

enum {
	ASKED_MOST = 1024,       /* longest Call-ID or AoR [bytes]           */
};

static json_t *msg_json(const struct trace_get *g, const struct trace_msg *m,
			struct sl text)
{
	struct sl v[TRACE_FIELDS];
	json_t *o = json_object();

	trace_fields(text, v);
	jsn_str(o, "type", "message");
	jsn_u64(o, "wall_us", m->wall);
	jsn_str(o, "dir", m->out ? "out" : "in");
	jsn_str(o, "transport", tp_param(m->flow.tp));
	jsn_addr(o, "peer", &m->flow.peer);
	if (g->moreh)
		g->moreh(o, m, g->arg);
	jsn_sl(o, "line", trace_line(text));
	jsn_sl(o, "cseq", v[TRACE_CSEQ]);
	jsn_sl(o, "call_id", v[TRACE_CALLID]);
	jsn_u64(o, "bytes", m->length);
	jsn_bool(o, "cut", m->cut);
	jsn_sl(o, "text", text);
	return o;
}

/** Nothing else tells what stands in a message */
static void put_msg(const struct trace_get *g, json_t *list,
		    const struct trace_msg *m)
{
	struct buf b;

	buf_init(&b, TRACE_CLEAN);
	trace_clean(&b, trace_text(g->trace, m), m->cut);
	if (!b.err)
		(void)json_array_append_new(list,
					    msg_json(g, m, buf_as_sl(&b)));
	buf_free(&b);
}

static json_t *list(const struct trace_get *g,
		    const struct trace_get_search *w)
{
	uint64_t mark = w->f.from;
	json_t *a = json_array();

	for (uint32_t i = w->f.n; i--; ) {
		const struct trace_msg *m = w->f.v[i];

		if (g->eventsh && m->mark > mark) {
			g->eventsh(a, w, mark, m->mark, g->arg);
			mark = m->mark;
		}
		put_msg(g, a, m);
	}
	if (g->eventsh)
		g->eventsh(a, w, mark, w->f.to, g->arg);
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

static unsigned search(struct trace_get_search *w, const struct trace_get *g,
		       struct action *a)
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
	trace_find(g->trace, &w->q, &w->f);
	if (g->name)
		jsn_str(a->out, "name", g->name);
	jsn_u64(a->out, "started_ms", g->started);
	jsn_u64(a->out, "next", w->f.next);
	jsn_put(a->out, "entries", list(g, w));
	return 200;
}

static unsigned get(struct action *a, void *arg)
{
	const struct trace_get *g = arg;
	struct trace_get_search *w;
	unsigned status;

	if (!g->trace->cap)
		return action_fail(a, 409, "trace.messages is 0");
	w = calloc(1, sizeof(*w));
	if (!w)
		return action_fail(a, 500, "no memory");
	status = search(w, g, a);
	free(w);
	return status;
}

int trace_get_route(struct actions *a, struct trace_get *g)
{
	return action_get_route(a, "trace", "/api/v1/trace", get, g);
}
