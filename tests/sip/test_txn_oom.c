/* Memory runs out at each allocation once: nothing may crash or leak, and each
 * transaction that was given out must still end. */
#include <errno.h>
#include <stdlib.h>

#include "txn_fx.h"

static unsigned count, fail_at;     /* 0 = none fails */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void)
{
	return fail_at && ++count == fail_at;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t m)
{
	return fails() ? NULL : __real_calloc(n, m);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

struct run {
	struct txnl *t;
	struct outq q;
	unsigned made, gone;
};

static void drain(struct run *r, uint64_t now)
{
	struct txn_event ev;
	struct sip_out o;

	txnl_tick(r->t, now);
	while (txnl_poll(r->t, &ev))
		r->gone += ev.kind == TXN_GONE;
	while (outq_poll(&r->q, &o))
		blob_unref(o.blob);
}

static void recv_txt(struct run *r, const struct flow *f, const char *txt,
		     struct txn_event *ev)
{
	static struct sip_msg m;
	struct sip_fault fault;

	memset(ev, 0, sizeof(*ev));
	if (!sip_scan(&m, txt, strlen(txt), true, &fault))
		txnl_recv(r->t, &m, f, 0, ev);
}

static void server_side(struct run *r, const struct flow *f)
{
	const char *inv = fx_req("INVITE", "z9hG4bKoom", NULL);
	static struct sip_msg m;
	struct sip_fault fault;
	struct txn_event ev;
	struct stxn *s = NULL;

	recv_txt(r, f, inv, &ev);
	if (sip_scan(&m, inv, strlen(inv), true, &fault) ||
	    stxn_alloc(&s, r->t, &m, f, NULL, 0))
		return;
	r->made++;
	stxn_trying(s, 0);
	recv_txt(r, f, inv, &ev);
	recv_txt(r, f, fx_req("CANCEL", "z9hG4bKoom", NULL), &ev);
	recv_txt(r, f, fx_req("CANCEL", "z9hG4bKelse", NULL), &ev);
	stxn_reply(s, 487, SL_NONE, SL_NONE, 0);
	recv_txt(r, f, inv, &ev);
}

static void client_side(struct run *r, const struct flow *f, unsigned code)
{
	struct ctxn_timers tm = { .no100 = 100, .ring = 1000 };
	struct txn_event ev;
	struct ctxn *c = NULL;
	char branch[64];
	const char *txt;
	struct blob *b;

	if (ctxn_alloc(&c, r->t, SIP_INVITE, NULL))
		return;
	r->made++;
	snprintf(branch, sizeof(branch), "%.*s", SL_FMT(ctxn_branch(c)));
	txt = fx_req("INVITE", branch, NULL);
	b = blob_make(txt, strlen(txt));
	ctxn_send(c, f, b, &tm, 0);
	blob_unref(b);
	ctxn_cancel(c, SL("Reason: x\r\n"), 0);
	recv_txt(r, f, fx_resp(c, 180, NULL), &ev);
	drain(r, 600);
	recv_txt(r, f, fx_resp(c, code, NULL), &ev);
}

static void scenario(struct run *r, uint8_t tp)
{
	struct txn_conf cf = { .t1 = 500, .t2 = 4000, .t4 = 5000,
			       .max_server = 10, .max_client = 10 };
	struct flow f = { .tp = tp };
	uint64_t now;

	memset(r, 0, sizeof(*r));
	f.peer.af = 4;
	f.peer.port = 5060;
	if (outq_init(&r->q, 1000))
		return;
	if (!txnl_alloc(&r->t, &cf, &r->q, 0)) {
		server_side(r, &f);
		client_side(r, &f, 487);
		client_side(r, &f, 200);
		for (now = 0; now < 200000; now += 250)
			drain(r, now);
	}
}

static void over(struct run *r)
{
	struct sip_out o;

	txnl_free(r->t);
	while (outq_poll(&r->q, &o))
		blob_unref(o.blob);
	outq_free(&r->q);
}

static void each_fails_once(uint8_t tp)
{
	unsigned n, i;
	struct run r;

	cr_assert_eq(secret_init(), 0);
	fail_at = UINT32_MAX;
	count = 0;
	scenario(&r, tp);
	n = count;
	fail_at = 0;
	cr_assert_eq(r.made, 3);
	cr_assert_eq(r.gone, 3);
	over(&r);
	cr_assert_gt(n, 10);

	for (i = 1; i <= n; i++) {
		fail_at = i;
		count = 0;
		scenario(&r, tp);
		fail_at = 0;
		cr_assert_eq(r.made, r.gone, "allocation %u of %u: %u of %u",
			     i, n, r.gone, r.made);
		over(&r);
	}
}

Test(txn_oom, each_allocation_may_fail_on_datagrams)
{
	each_fails_once(TP_UDP);
}

Test(txn_oom, each_allocation_may_fail_on_streams)
{
	each_fails_once(TP_TCP);
}
