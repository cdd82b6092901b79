/* Flows and the queue of effects. */
#include "sip/flow.h"
#include "tests/sip/msg.h"

Test(flow, transports_have_names)
{
	for (int tp = TP_UDP; tp < TP_N; tp++) {
		cr_assert_eq(tp_by_name(sl_cstr(tp_name(tp))), tp);
		cr_assert_eq(tp_by_name(sl_cstr(tp_param(tp))), tp);
	}
	cr_assert_eq(tp_by_name(SL("sctp")), -1);
	cr_assert_eq(tp_by_name(SL("none")), -1);
	cr_assert_eq(tp_by_name(SL("")), -1);
	cr_assert_str_eq(tp_name(200), "NONE");
	cr_assert(!tp_stream(TP_UDP));
	cr_assert(tp_stream(TP_WSS));
}

Test(flow, equal_is_all_of_it)
{
	struct flow a = {.tp = TP_TCP, .lst = 1, .conn = 2,
			 .peer = {.af = 4, .port = 5060, .ip = {1}}}, b = a;

	cr_assert(flow_eq(&a, &b));
	b.conn = 3;
	cr_assert(!flow_eq(&a, &b));
	b = a;
	b.peer.port++;
	cr_assert(!flow_eq(&a, &b));
	b = a;
	b.lst = 0;
	cr_assert(!flow_eq(&a, &b));
	b = a;
	b.tp = TP_TLS;
	cr_assert(!flow_eq(&a, &b));
}

Test(flow, queue_keeps_the_order_while_it_grows_and_wraps)
{
	struct flow f = {.tp = TP_UDP};
	struct sip_out o;
	struct outq q;
	uint32_t in = 0, out = 0;

	cr_assert_eq(outq_init(&q, 1000), 0);
	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < 1 + round % 17; i++) {
			f.conn = in++;
			outq_send(&q, &f, blob_make("x", 1));
		}
		for (unsigned i = 0; i < round % 16; i++) {
			if (!outq_poll(&q, &o))
				break;
			cr_assert_eq(o.flow.conn, out++);
			blob_unref(o.blob);
		}
	}
	cr_assert_gt(q.n, 16);
	while (outq_poll(&q, &o)) {
		cr_assert_eq(o.flow.conn, out++);
		blob_unref(o.blob);
	}
	cr_assert_eq(in, out);
	cr_assert_eq(q.dropped, 0);
	outq_free(&q);
}

Test(flow, full_queue_drops_and_counts)
{
	struct flow f = {.tp = TP_UDP};
	struct addr a = {.af = 4, .port = 7};
	struct blob *b = blob_make("x", 1);
	struct sip_out o;
	struct outq q;

	cr_assert_eq(outq_init(&q, 20), 0);
	outq_alias(&q, &f, &a);
	outq_close(&q, &f);
	for (unsigned i = 0; i < 30; i++)
		outq_send(&q, &f, blob_ref(b));
	outq_close(&q, &f);
	outq_send(&q, &f, NULL);
	cr_assert_eq(q.n, 20);
	cr_assert_eq(q.dropped, 13);
	cr_assert_eq(b->ref, 19);
	cr_assert(outq_poll(&q, &o));
	cr_assert_eq(o.kind, SIP_OUT_ALIAS);
	cr_assert(addr_eq(&o.alias, &a));
	cr_assert(outq_poll(&q, &o));
	cr_assert_eq(o.kind, SIP_OUT_CLOSE);
	outq_free(&q);
	cr_assert_eq(b->ref, 1);
	blob_unref(b);
}

Test(outq, an_effect_knows_nothing_of_the_one_before_it_in_its_place)
{
	struct flow f = { .tp = TP_TCP };
	struct sip_out o;
	struct outq q;

	cr_assert_eq(outq_init(&q, 1), 0);
	outq_send_quiet(&q, &f, blob_make("x", 1));
	cr_assert(outq_poll(&q, &o) && o.quiet);
	blob_unref(o.blob);
	outq_keep(&q, &f);
	cr_assert(outq_poll(&q, &o));
	cr_assert(!o.quiet && !o.blob);
	outq_alias(&q, &f, &f.peer);
	cr_assert(outq_poll(&q, &o));
	cr_assert(!o.quiet && !o.blob);
	outq_free(&q);
}
