/* edge.c - Pure. The edge as one object: input, time, effects. */
#include "sbc/edge_priv.h"

#include <errno.h>
#include <stdlib.h>

/* --- making --- */

static void names_init(struct edge *e)
{
	e->rc.keys = &e->keys;
	e->rc.lst = e->lst;
	e->rc.peers = &e->peers;
	e->rc.lstc = e->lstc;
	for (uint16_t i = 0; i < e->lstc; i++) {
		const struct listener *l = &e->lst[i];
		uint8_t mem[ADDR_TXT];
		struct buf b;

		route_sentby_add(&e->rc, sl_cstr(l->sentby));
		route_tail_add(&e->rc, l);
		if (addr_is_any(&l->bound))
			continue;
		buf_fixed(&b, mem, sizeof(mem));
		addr_put_ip(&b, &l->bound);
		route_name_add(&e->rc, buf_as_sl(&b), l->bound.port);
	}
}

void edge_tune_set(struct edge *e, const struct edge_tune *t)
{
	e->tune = *t;
	e->hc.core = t->hide;
	e->hc.rc = &e->rc;
	e->rc.dialog_token = t->dialog_token;
	e->rc.private_targets = t->private_targets;
}

static const size_t eobj_size[EO_N] = {
	[EO_CALL] = sizeof(struct call), [EO_ATTEMPT] = sizeof(struct attempt),
	[EO_RELAY] = sizeof(struct relay), [EO_PROBE] = sizeof(struct probe),
	[EO_ASKED] = sizeof(struct asked), [EO_TELL] = sizeof(struct tell),
};

static int own_stats(struct edge *e, struct stats *st)
{
	int err = stat_add(st, STAT_COUNTER, "sbc_cdr_total",
			   "result=\"unqueued\"", "Call records",
			   &e->cdrs.dropped, e);

	if (!err)
		err = stat_add(st, STAT_GAUGE, "sbc_pending", NULL,
			       "Requests without a final answer", &e->pending,
			       e);
	if (!err && e->blobs)
		err = stat_add(st, STAT_GAUGE, "sbc_messages_kept", NULL,
			       "Messages of up to 2 KiB in memory: of "
			       "transactions, calls and queues",
			       blobs_now(e->blobs), e);
	return err;
}

int edge_alloc(struct edge **ep, const struct edge_conf *cf, struct stats *st,
	       uint64_t now)
{
	struct txn_conf tc = {
		.t1 = cf->t1, .t2 = cf->t2, .t4 = cf->t4,
		.max_server = cf->max_transactions,
		.max_client = cf->max_transactions,
	};
	struct edge *e;
	int err;

	if (!cf->lstc || cf->lstc > EDGE_LSTS || cf->core >= cf->lstc)
		return EINVAL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return ENOMEM;
	e->st = st;
	e->now = now;
	for (int i = 0; i < EO_N; i++)
		slab_init(&e->obj[i], eobj_size[i]);
	/* without memory for it malloc() does */
	tc.blobs = e->blobs = blobs_alloc();
	e->lstc = cf->lstc;
	e->core = cf->core;
	memcpy(e->lst, cf->lst, cf->lstc * sizeof(*cf->lst));
	memcpy(e->branch_key, cf->branch_key, sizeof(e->branch_key));
	memcpy(tc.key, cf->branch_key, sizeof(tc.key));
	rng_seed(&e->rng, cf->seed);
	ended_init(&e->ended);
	buf_init(&e->top, EDGE_MSG_MAX);
	buf_init(&e->out_buf, EDGE_MSG_MAX);
	token_keys_init(&e->keys, cf->key, cf->has_prev ? cf->prev : NULL,
			cf->boot);
	/* without memory for it every token is unsealed */
	e->keys.memo = calloc(1, sizeof(*e->keys.memo));
	names_init(e);
	edge_via_init(e);
	edge_tune_set(e, &cf->tune);
	err = outq_init(&e->out, 1u << 20);
	if (!err)
		err = edge_known_init(e, cf->max_known);
	if (!err)
		err = edge_ended_init(e);
	if (!err)
		err = edge_keep_init(e);
	if (!err)
		err = edge_ask_init(e, cf->t1);
	if (!err)
		err = txnl_alloc(&e->txnl, &tc, &e->out, now);
	if (!err)
		err = disp_alloc(&e->disp, &cf->tune.probe, cf->seed, now);
	for (uint16_t i = 0; i < cf->nodec && !err; i++)
		err = edge_node_add(e, &cf->node[i], now);
	if (!err)
		err = ledger_init(&e->led, st, e);
	if (!err)
		err = ledger_txn(st, txnl_stats(e->txnl), e);
	if (!err)
		err = own_stats(e, st);
	if (!err)
		err = edge_learn_init(e, now);
	if (!err)
		err = edge_overload_init(e);
	if (!err)
		err = edge_early_init(e);
	if (!err)
		err = edge_line_init(e);
	if (err) {
		edge_free(e);
		return err;
	}
	edge_inside_init(e);
	disp_stats(e->disp, st);
	*ep = e;
	return 0;
}

void *eobj_alloc(struct edge *e, enum eobj_kind kind)
{
	struct eobj *o = slab_get(&e->obj[kind]);

	if (!o)
		return NULL;
	memset(o, 0, eobj_size[kind]);
	o->kind = kind;
	o->e = e;
	o->next = e->objs;
	o->pprev = &e->objs;
	if (o->next)
		o->next->pprev = &o->next;
	e->objs = o;
	return o;
}

/** The message that an object keeps */
static struct blob *kept(struct eobj *o)
{
	void *obj = o;

	switch (o->kind) {
	case EO_CALL:    return ((struct call *)obj)->answer;
	case EO_ATTEMPT: return ((struct attempt *)obj)->answer;
	case EO_RELAY:   return ((struct relay *)obj)->ringing;
	case EO_ASKED:   return ((struct asked *)obj)->answer;
	case EO_PROBE:
	case EO_TELL:    break;
	}
	return NULL;
}

void eobj_free(void *obj)
{
	struct eobj *o = obj;

	if (!o)
		return;
	*o->pprev = o->next;
	if (o->next)
		o->next->pprev = o->pprev;
	if (o->kind == EO_RELAY)
		blob_unref(((struct relay *)(void *)o)->answer);
	blob_unref(kept(o));
	slab_put(&o->e->obj[o->kind], o);
}

void edge_free(struct edge *e)
{
	if (!e)
		return;
	stat_del_owner(e->st, e);
	peers_close(&e->peers);
	sources_free(e->sources);
	phones_close(&e->phones);
	line_close(&e->line);
	txnl_free(e->txnl);
	while (e->objs)
		eobj_free(e->objs);
	for (struct blob *b; (b = cdrq_poll(&e->cdrs));)
		blob_unref(b);
	disp_free(e->disp);
	ended_close(&e->ended);
	edge_keep_close(e);
	edge_ask_close(e);
	known_free(e->known);
	outq_free(&e->out);
	buf_free(&e->top);
	buf_free(&e->out_buf);
	for (int i = 0; i < EO_N; i++)
		slab_close(&e->obj[i]);
	blobs_free(e->blobs);
	free(e->keys.memo);
	ledger_close(&e->led);
	free(e);
}

/* --- answers without a transaction --- */

struct sl edge_retry_after(struct edge *e, char room[32])
{
	struct buf b;

	/* spread, so that they do not all come back in the same second */
	buf_fixed(&b, room, 32);
	buf_lit(&b, "Retry-After: ");
	buf_u64(&b, 2 + rng_below(&e->rng, 8));
	buf_lit(&b, "\r\n");
	return buf_as_sl(&b);
}

void edge_refuse(struct edge *e, const struct sip_msg *m, const struct flow *f,
		 uint16_t code, struct sl phrase, struct sl extra)
{
	char tag[EDGE_TAG];
	struct blob *b;

	if (m->meth == SIP_ACK) {
		e->led.dropped++;
		return;
	}
	if (code >= 300)
		ledger_refused(&e->led, code);
	buf_reset(&e->top);
	reply_write(&e->top, m, &f->peer, code,
		    sl_isset(phrase) ? phrase : sl_cstr(sip_phrase(code)),
		    edge_tag(e, m->callid, tag), extra);
	b = e->top.err ? NULL : blobs_make(e->blobs, e->top.p, e->top.n);
	if (!b)
		e->led.oom++;
	else if (e->early.quiet)
		outq_send_quiet(&e->out, f, b);
	else
		outq_send(&e->out, f, b);
}

int edge_pass_up(struct edge *e, struct stxn *s, const struct sip_msg *m,
		 uint16_t code, struct blob **keep, uint64_t now)
{
	struct blob *b = edge_build_reply(e, m, s, code);
	int err;

	if (keep)
		*keep = b ? blob_ref(b) : NULL;
	if (!b)
		return ENOMEM;
	code = code ? code : m->status;
	err = stxn_forward(s, code, b, now);
	if (!err && !edge_is_core(e, stxn_flow(s)))
		e->led.responses[code / 100]++;
	blob_unref(b);
	return err;
}

/* --- what comes in --- */

static bool from_node(const struct edge *e, const struct addr *a)
{
	for (int i = 0; i < DISP_MAX; i++)
		if (e->node[i].used && addr_ip_eq(&e->node[i].flow.peer, a))
			return true;
	for (int i = 0; i < EDGE_PAST; i++)
		if (e->now < e->past[i].until &&
		    addr_ip_eq(&e->past[i].flow.peer, a))
			return true;
	return false;
}

void edge_pump(struct edge *e, uint64_t now)
{
	struct txn_event ev;
	struct disp_out o;
	bool more = true;

	while (more) {
		more = false;
		while (txnl_poll(e->txnl, &ev)) {
			edge_event(e, &ev, now);
			more = true;
		}
		while (disp_poll(e->disp, &o)) {
			more = true;
			switch (o.kind) {
			case DISP_OUT_PROBE:
				edge_probe_start(e, o.node, o.probe, now);
				break;
			case DISP_OUT_MUTE:
				edge_node_mute(e, o.node, now);
				break;
			case DISP_OUT_CHANGE:
				ledger_node(&e->led, e->node[o.node].name,
					    o.from, o.to, o.why, now);
				if (o.to == DISP_DOWN)
					edge_node_down(e, o.node, now);
				break;
			case DISP_OUT_ADMIN:
				edge_wish_over(e, o.node, o.why, now);
				break;
			}
		}
	}
}

/** The scanner or the framer refused it: answer if there is whom to answer */
static void refuse_bad(struct edge *e, const struct flow *f,
		       const struct sip_fault *fault, const char *why)
{
	const struct sip_msg *m = &e->msg;

	e->led.malformed++;
	if (log_allow(&e->led.lim_odd, 10, e->now))
		log_info("event=malformed source=%s code=%u why=%s",
			 addr_txt(&f->peer, (char[ADDR_TXT]){ 0 }),
			 fault->code, log_esc(sl_cstr(why)));
	if (m->req && fault->answerable && fault->code)
		edge_refuse(e, m, f, fault->code, sl_cstr(why), SL_NONE);
	else
		e->led.dropped++;
}

/** The stream cannot be cut into messages any more */
static void recv_unframed(struct edge *e, const struct flow *f, struct sl msg,
			  enum frame_verdict v, const char *why)
{
	struct sip_fault fault = { 0 };

	e->msg.req = false;
	if (msg.n && (!sip_scan(&e->msg, msg.p, msg.n, true, &fault) ||
		      fault.answerable)) {
		fault.answerable = true;
		fault.code = v == FRAME_BIG ? 513 : 400;
	}
	refuse_bad(e, f, &fault, why ? why : "Bad message");
	outq_close(&e->out, f);
}

void edge_recv_msg(struct edge *e, const struct flow *f, struct sl msg)
{
	struct sip_fault fault = { 0 };
	int err;

	e->msg.req = false;
	err = sip_scan(&e->msg, msg.p, msg.n, !tp_stream(f->tp), &fault);
	if (err == ENODATA)
		return;
	if (err)
		refuse_bad(e, f, &fault, fault.why ? fault.why : "Malformed");
	else if (e->msg.req)
		edge_request(e, &e->msg, f, e->now);
	else
		edge_response(e, &e->msg, f, e->now);
}

void edge_recv(struct edge *e, const struct flow *f, struct sl msg,
	       enum frame_verdict v, const char *why, uint64_t now)
{
	e->now = now;
	if (f->lst >= e->lstc || (!msg.n && v == FRAME_MSG))
		return;
	if (edge_is_core(e, f) && !from_node(e, &f->peer)) {
		e->led.stranger++;
		if (log_allow(&e->led.lim_odd, 10, now))
			log_warn("event=stranger source=%s",
				 addr_txt(&f->peer, (char[ADDR_TXT]){ 0 }));
		if (tp_stream(f->tp))
			outq_close(&e->out, f);
		return;
	}
	if (!edge_source_in(e, f, msg.n, v, now))
		return;
	if (v == FRAME_PING)
		edge_stun(e, f, msg);
	else if (v == FRAME_BAD || v == FRAME_BIG)
		recv_unframed(e, f, msg, v, why);
	else if (edge_ask_early(e, f, msg) || edge_early(e, f, msg, now))
		return;
	else {
		edge_line_cancel(e, msg, now);
		edge_recv_msg(e, f, msg);
	}
	edge_pump(e, now);
}

/* --- time and effects --- */

void edge_tick(struct edge *e, uint64_t now)
{
	e->now = now;
	txnl_tick(e->txnl, now);
	disp_tick(e->disp, now);
	edge_learn_tick(e, now);
	edge_source_tick(e, now);
	edge_overload_tick(e, now);
	call_caller_tick(e, now);
	edge_ended_tick(e, now);
	edge_ask_tick(e, now);
	edge_line_work(e, now);
	edge_pump(e, now);
}

uint64_t edge_next(const struct edge *e)
{
	uint64_t a = txnl_next(e->txnl), b = disp_next(e->disp);
	uint64_t c = call_caller_next(e), d = ended_next(&e->ended);

	if (line_n(&e->line))
		return e->now;
	a = a < b ? a : b;
	a = a < c ? a : c;
	a = a < d ? a : d;
	a = a < e->ask.due ? a : e->ask.due;
	return a < e->learn.due ? a : e->learn.due;
}

bool edge_poll(struct edge *e, struct sip_out *out)
{
	while (outq_poll(&e->out, out)) {
		if (edge_source_out(e, out))
			return true;
		blob_unref(out->blob);
	}
	return false;
}

/* --- around it --- */

struct disp *edge_disp(struct edge *e)
{
	return e->disp;
}

bool edge_ready(const struct edge *e)
{
	for (uint16_t i = 0; i < disp_n(e->disp); i++)
		if (disp_is_up(e->disp, i))
			return !e->draining;
	return false;
}

struct ledger *edge_ledger(struct edge *e)
{
	return &e->led;
}

enum sip_method edge_took(const struct edge *e)
{
	return e->msg.meth;
}

uint64_t edge_probe_answers(const struct edge *e)
{
	return e->probe_answers;
}

uint32_t edge_pending(const struct edge *e)
{
	return (uint32_t)e->pending + line_n(&e->line);
}

void edge_drain(struct edge *e)
{
	e->draining = true;
}
