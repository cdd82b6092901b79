/* api_trace.c - Shell. Messages kept for GET /api/v1/trace, and what the edge
 * knows beside their texts. */
#include "sbc/sbc_priv.h"

#include <string.h>

#include "base/clk.h"
#include "sbc/ledger.h"
#include "sip/inner.h"
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

/* --- what is kept --- */

/** Our own probes to nodes would push everything else out */
static bool is_probe(const struct sbc *s, struct sl msg)
{
	struct sl p = sl_cstr(s->probe);

	for (; msg.n; msg = sl_sub(msg, sl_chr(msg, '\n') + 1, msg.n))
		if (sl_starts(msg, p))
			return true;
	return false;
}

/** A question that we wrote for a node: its Via is the first header */
static bool is_asked(struct sl msg)
{
	const struct sl mark = SL(";branch=" EDGE_ASKED);
	struct sl via;

	via = sl_sub(msg, sl_chr(msg, '\n') + 1, msg.n);
	via = sl_sub(via, 0, sl_chr(via, '\n'));
	return sl_find(via, mark) < via.n;
}

/** So would the pings of nodes to contacts, four messages each: msg is an
 *  OPTIONS, or an answer to one */
static bool is_ping(struct sbc *s, struct sl msg)
{
	struct sl v[TRACE_FIELDS];

	trace_fields(msg, v);
	if (!inner_is_ping(v[TRACE_CALLID], v[TRACE_CSEQ]))
		return false;
	s->pinged = true;
	return true;
}

/** Answers are looked at as soon as there was a ping, and only on the way that
 *  those to pings take. What came was scanned just now: what it answers is known
 *  without a search. Or one of ours to a node that wants keep-alives */
static bool is_answer(struct sbc *s, bool inside, bool sent, struct sl msg)
{
	if (sent && sl_starts(msg, SL("SIP/2.0 200 " EDGE_KEPT "\r\n")))
		return true;
	if (!s->pinged || sent != inside)
		return false;
	return (sent ? sl_find(msg, SL("OPTIONS")) < msg.n :
		       edge_took(s->edge) == SIP_OPTIONS) && is_ping(s, msg);
}

/** Beginning with an S or an O: most of these are */
static bool may_be_own(struct sbc *s, const struct flow *f, bool sent,
		       struct sl msg)
{
	bool inside = f->lst == s->lstc - 1;

	if (sl_starts(msg, SL("SIP/2.0 ")))
		return is_answer(s, inside, sent, msg);
	if (sl_starts(msg, SL("OPTIONS ")))
		return sent == inside ? sent && is_probe(s, msg) :
			(sent && is_asked(msg)) || is_ping(s, msg);
	return false;
}

/** Not kept. All but a few messages are let through by their first byte */
static inline bool is_own(struct sbc *s, const struct flow *f, bool sent,
			  struct sl msg)
{
	if (!msg.n || (uint8_t)msg.p[0] < 'A')   /* a keep-alive */
		return sent;
	return (msg.p[0] == 'S' || msg.p[0] == 'O') &&
		may_be_own(s, f, sent, msg);
}

/** What goes to a node that a fault keeps from it counts as sent, what it keeps
 *  from us as not received: as with a network that loses them */
void api_trace_out(struct sbc *s, const struct sip_out *o)
{
	struct sl msg = blob_sl(o->blob);

	if (!s->trace.cap || o->kind != SIP_OUT_SEND ||
	    is_own(s, &o->flow, true, msg))
		return;
	/* what a message brings about is sent at once, at its time */
	if (!s->wall)
		s->wall = clk_wall_us();
	trace_add(&s->trace, &o->flow, true, msg,
		  edge_ledger(s->edge)->ev.last, s->wall);
}

void api_trace_in(struct sbc *s, const struct flow *f, struct sl msg,
		  uint64_t mark, uint64_t wall)
{
	if (!s->trace.cap || is_own(s, f, false, msg))
		return;
	s->wall = wall;
	trace_add(&s->trace, f, false, msg, mark, wall);
}
