#include "txn_fx.h"

static const struct txn_conf conf = {
	.t1 = 500, .t2 = 4000, .t4 = 5000, .max_server = 3000,
	.max_client = 1000, .key = "0123456789abcdef0123456789abcde",
};

void fx_init(struct fx *x)
{
	memset(x, 0, sizeof(*x));
	cr_assert_eq(secret_init(), 0);
	cr_assert_eq(outq_init(&x->q, 100000), 0);
	cr_assert_eq(txnl_alloc(&x->t, &conf, &x->q, 0), 0);
	buf_init(&x->trace, 1 << 20);
	x->udp.tp = TP_UDP;
	cr_assert_eq(addr_parse(&x->udp.peer, SL("192.0.2.1:5060"), 0), 0);
	x->tcp = x->udp;
	x->tcp.tp = TP_TCP;
	x->tcp.conn = 7;
}

void fx_close(struct fx *x)
{
	struct sip_out o;

	txnl_free(x->t);
	while (outq_poll(&x->q, &o))
		blob_unref(o.blob);
	outq_free(&x->q);
	buf_free(&x->trace);
}

static void note(struct fx *x, char what, const char *txt)
{
	if (x->trace.n)
		buf_chr(&x->trace, ' ');
	buf_u64(&x->trace, x->now);
	buf_chr(&x->trace, what);
	buf_str(&x->trace, txt);
}

static void note_sent(struct fx *x, const struct sip_out *o)
{
	static struct sip_msg m;
	struct sip_fault fault;
	char txt[64];

	cr_assert_eq(o->kind, SIP_OUT_SEND);
	cr_assert_lt(o->blob->n, sizeof(x->last));
	memcpy(x->last, o->blob->p, o->blob->n);
	x->last[o->blob->n] = 0;
	x->last_flow = o->flow;
	cr_assert_eq(sip_scan(&m, x->last, o->blob->n, false, &fault), 0,
		     "not a message: %s", x->last);
	if (m.req)
		snprintf(txt, sizeof(txt), "%.*s", SL_FMT(m.method));
	else
		snprintf(txt, sizeof(txt), "%u%s", m.status,
			 m.meth == SIP_CANCEL ? "c" : "");
	note(x, '>', txt);
}

static void note_event(struct fx *x, const struct txn_event *ev)
{
	static const char *const tt[] = {
		[TT_NO100] = "NO100", [TT_NO18X] = "NO18X",
		[TT_RING] = "RING", [TT_FINAL] = "FINAL",
		[TT_NOREPLY] = "NOREPLY",
	};

	switch (ev->kind) {

	case TXN_TIMEOUT:
		note(x, '!', tt[ev->timer]);
		break;
	case TXN_NOACK:
		note(x, '!', "NOACK");
		break;
	case TXN_GONE:
		x->gone++;
		note(x, '-', ev->stxn ? "s" : "c");
		break;
	default:
		cr_assert(false, "event %d from txnl_poll()", ev->kind);
	}
}

static void drain_out(struct fx *x)
{
	struct sip_out o;

	while (outq_poll(&x->q, &o)) {
		note_sent(x, &o);
		blob_unref(o.blob);
	}
}

void fx_drain(struct fx *x)
{
	struct txn_event ev;

	txnl_tick(x->t, x->now);
	drain_out(x);
	while (txnl_poll(x->t, &ev)) {
		drain_out(x);
		note_event(x, &ev);
	}
	drain_out(x);
}

void fx_run(struct fx *x, uint64_t to)
{
	uint64_t at;

	fx_drain(x);
	while ((at = txnl_next(x->t)) <= to) {
		if (at > x->now)
			x->now = at;
		fx_drain(x);
	}
	x->now = to;
	fx_drain(x);
}

enum txn_kind fx_recv(struct fx *x, const struct flow *f, const char *txt)
{
	static const char *const name[] = {
		[TXN_REQUEST] = "REQUEST", [TXN_ACK] = "ACK",
		[TXN_CANCEL] = "CANCEL", [TXN_RESPONSE] = "RESPONSE",
		[TXN_LATE] = "LATE", [TXN_STRAY] = "STRAY",
	};
	static struct sip_msg m;
	struct sip_fault fault = { 0 };

	cr_assert_eq(sip_scan(&m, txt, strlen(txt), true, &fault), 0,
		     "%s: %s", fault.why, txt);
	txnl_recv(x->t, &m, f, x->now, &x->ev);
	if (x->ev.kind != TXN_NONE)
		note(x, '?', name[x->ev.kind]);
	if (x->ev.kind != TXN_REQUEST)
		fx_drain(x);
	return x->ev.kind;
}

const char *fx_trace(struct fx *x)
{
	static char txt[65536];

	cr_assert_lt(x->trace.n, sizeof(txt));
	if (x->trace.n)
		memcpy(txt, x->trace.p, x->trace.n);
	txt[x->trace.n] = 0;
	buf_reset(&x->trace);
	return txt;
}

const char *fx_req(const char *method, const char *branch, const char *to_tag)
{
	static char txt[4][2048];
	static unsigned i;
	char *p = txt[i++ % 4];

	snprintf(p, 2048,
		 "%s sip:bob@example.com SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP 10.0.0.1:5060%s%s\r\n"
		 "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKbelow\r\n"
		 "Max-Forwards: 70\r\n"
		 "Route: <sip:a;lr>, <sip:b;lr>\r\n"
		 "From: <sip:alice@example.com>;tag=fa\r\n"
		 "To: <sip:bob@example.com>%s%s\r\n"
		 "Call-ID: c1@example.com\r\n"
		 "CSeq: 7 %s\r\n"
		 "Timestamp: 54\r\n"
		 "Content-Length: 0\r\n\r\n",
		 method, branch ? ";branch=" : "", branch ? branch : "",
		 to_tag ? ";tag=" : "", to_tag ? to_tag : "", method);
	return p;
}

struct stxn *fx_server(struct fx *x, const struct flow *f, const char *txt)
{
	static struct sip_msg m;
	struct sip_fault fault;
	struct stxn *s = NULL;

	cr_assert_eq(fx_recv(x, f, txt), TXN_REQUEST);
	buf_reset(&x->trace);
	cr_assert_eq(sip_scan(&m, txt, strlen(txt), true, &fault), 0);
	cr_assert_eq(stxn_alloc(&s, x->t, &m, f, x, x->now), 0);
	return s;
}

int fx_forward(struct fx *x, struct stxn *s, unsigned code)
{
	char txt[2048];
	struct blob *b;
	int err, n;

	n = snprintf(txt, sizeof(txt),
		     "SIP/2.0 %u Whatever\r\n%.*s"
		     "From: <sip:alice@example.com>;tag=fa\r\n"
		     "To: <sip:bob@example.com>;tag=tb\r\n"
		     "Call-ID: c1@example.com\r\nCSeq: 7 %s\r\n"
		     "Content-Length: 0\r\n\r\n", code,
		     SL_FMT(stxn_vias(s)), sip_method_name(stxn_method(s)));
	b = blob_make(txt, (size_t)n);
	err = stxn_forward(s, (uint16_t)code, b, x->now);
	blob_unref(b);
	fx_drain(x);
	return err;
}

struct ctxn *fx_client(struct fx *x, enum sip_method meth,
		       const struct flow *f, const struct ctxn_timers *tm)
{
	static const struct ctxn_timers none;
	struct ctxn *c = NULL;
	char branch[64];
	const char *txt;
	struct blob *b;

	cr_assert_eq(ctxn_alloc(&c, x->t, meth, x), 0);
	snprintf(branch, sizeof(branch), "%.*s", SL_FMT(ctxn_branch(c)));
	txt = fx_req(sip_method_name(meth), branch, NULL);
	b = blob_make(txt, strlen(txt));
	ctxn_send(c, f, b, tm ? tm : &none, x->now);
	blob_unref(b);
	fx_drain(x);
	return c;
}

const char *fx_resp_br(struct sl branch, unsigned code, const char *method,
		       const char *tag)
{
	static char txt[4][2048];
	static unsigned i;
	char *p = txt[i++ % 4];

	snprintf(p, 2048,
		 "SIP/2.0 %u Whatever\r\n"
		 "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=%.*s\r\n"
		 "From: <sip:alice@example.com>;tag=fa\r\n"
		 "To: <sip:bob@example.com>;tag=%s\r\n"
		 "Call-ID: c1@example.com\r\nCSeq: 7 %s\r\n"
		 "Content-Length: 0\r\n\r\n", code, SL_FMT(branch), tag,
		 method);
	return p;
}

const char *fx_resp(const struct ctxn *c, unsigned code, const char *method)
{
	return fx_resp_br(ctxn_branch(c), code,
			  method ? method : sip_method_name(ctxn_method(c)),
			  "tb");
}
