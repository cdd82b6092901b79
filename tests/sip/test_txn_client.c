#include <errno.h>

#include <string.h>

#include "txn_fx.h"

static struct fx x;

static void setup(void) { fx_init(&x); }
static void teardown(void) { fx_close(&x); }
TestSuite(txn_client, .init = setup, .fini = teardown);

Test(txn_client, timer_a_doubles_and_timer_b_ends)
{
	fx_client(&x, SIP_INVITE, &x.udp, NULL);
	fx_run(&x, 40000);
	fx_expect(&x, "0>INVITE 500>INVITE 1500>INVITE 3500>INVITE "
		  "7500>INVITE 15500>INVITE 31500>INVITE 32000!FINAL");
	fx_run(&x, 70000);
	fx_expect(&x, "64000-c");
	cr_assert_eq(txnl_stats(x.t)->client_now, 0);
}

Test(txn_client, reliable_transport_has_timer_b_only)
{
	fx_client(&x, SIP_INVITE, &x.tcp, NULL);
	fx_run(&x, 40000);
	fx_expect(&x, "0>INVITE 32000!FINAL");
}

Test(txn_client, provisional_stops_a_and_b)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.udp, NULL);

	fx_run(&x, 600);
	fx_recv(&x, &x.udp, fx_resp(c, 100, NULL));
	cr_assert_eq(x.ev.ctxn, c);
	cr_assert_eq(x.ev.user, &x);
	fx_run(&x, 100000);
	fx_expect(&x, "0>INVITE 500>INVITE 600?RESPONSE");
	cr_assert_eq(ctxn_code(c), 100);
}

Test(txn_client, failure_is_acked_again_and_again_until_timer_d)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.udp, NULL);

	fx_recv(&x, &x.udp, fx_resp(c, 180, NULL));
	fx_run(&x, 1000);
	fx_recv(&x, &x.udp, fx_resp(c, 486, NULL));
	fx_expect(&x, "0>INVITE 0?RESPONSE 1000?RESPONSE 1000>ACK");
	fx_run(&x, 2000);
	fx_recv(&x, &x.udp, fx_resp(c, 486, NULL));
	fx_recv(&x, &x.udp, fx_resp(c, 180, NULL));
	fx_run(&x, 40000);
	fx_expect(&x, "2000>ACK 33024-c");
}

Test(txn_client, ack_is_built_from_the_request_and_the_answer)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.udp, NULL);
	char want[1024];

	fx_recv(&x, &x.udp, fx_resp(c, 486, NULL));
	snprintf(want, sizeof(want), "ACK sip:bob@example.com SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=%.*s\r\n"
		 "Route: <sip:a;lr>, <sip:b;lr>\r\n"
		 "From: <sip:alice@example.com>;tag=fa\r\n"
		 "To: <sip:bob@example.com>;tag=tb\r\n"
		 "Call-ID: c1@example.com\r\nCSeq: 7 ACK\r\n"
		 "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
		 SL_FMT(ctxn_branch(c)));
	cr_assert_str_eq(x.last, want);
	cr_assert(flow_eq(&x.last_flow, &x.udp));
}

Test(txn_client, failure_over_tcp_is_gone_after_its_ack)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.tcp, NULL);

	fx_recv(&x, &x.tcp, fx_resp(c, 486, NULL));
	fx_expect(&x, "0>INVITE 0?RESPONSE 0>ACK 0-c");
}

Test(txn_client, every_2xx_is_reported_until_timer_m)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.tcp, NULL);
	struct sl br = ctxn_branch(c);

	fx_recv(&x, &x.tcp, fx_resp_br(br, 200, "INVITE", "one"));
	fx_recv(&x, &x.tcp, fx_resp_br(br, 200, "INVITE", "two"));
	fx_run(&x, 31999);
	fx_recv(&x, &x.tcp, fx_resp_br(br, 200, "INVITE", "one"));
	fx_recv(&x, &x.tcp, fx_resp_br(br, 486, "INVITE", "one"));
	fx_run(&x, 33000);
	fx_expect(&x, "0>INVITE 0?RESPONSE 0?RESPONSE 31999?RESPONSE "
		  "32000-c");
}

Test(txn_client, late_2xx_behind_a_failure_is_not_swallowed)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.udp, NULL);

	fx_recv(&x, &x.udp, fx_resp(c, 486, NULL));
	fx_trace(&x);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp(c, 200, NULL)),
		     TXN_RESPONSE);
}

/* Most of what a branch costs until its last timer */
Test(txn_client, a_2xx_lets_go_of_the_request)
{
	const enum sip_method v[] = { SIP_INVITE, SIP_BYE };

	for (size_t i = 0; i < 2; i++) {
		struct ctxn *c = fx_client(&x, v[i], &x.udp, NULL);
		struct blob *b = blob_ref(ctxn_request(c));

		fx_recv(&x, &x.udp, fx_resp(c, 200, NULL));
		cr_assert_null(ctxn_request(c));
		cr_assert_eq(b->ref, 1);
		blob_unref(b);
		fx_recv(&x, &x.udp, fx_resp(c, 200, NULL));
		fx_recv(&x, &x.udp, fx_resp(c, 486, NULL));
	}
	fx_run(&x, 40000);
	fx_expect(&x, "0>INVITE 0?RESPONSE 0?RESPONSE 0>BYE 0?RESPONSE "
		  "5056-c 32000-c");
}

/* Its 2xx came another way: what follows is that of any accepted branch */
Test(txn_client, accepted_without_an_answer_is_over_but_for_2xx)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.udp, NULL),
		    *d = fx_client(&x, SIP_BYE, &x.udp, NULL);

	fx_recv(&x, &x.udp, fx_resp(c, 100, NULL));
	ctxn_accepted(c, 486, x.now);
	cr_assert_not_null(ctxn_request(c), "a 2xx only");
	ctxn_accepted(c, 200, x.now);
	ctxn_accepted(d, 200, x.now);
	cr_assert_null(ctxn_request(c));
	cr_assert_not_null(ctxn_request(d), "an INVITE only");
	fx_recv(&x, &x.udp, fx_resp(d, 200, NULL));
	fx_recv(&x, &x.udp, fx_resp(c, 486, NULL));
	fx_recv(&x, &x.udp, fx_resp(c, 200, NULL));
	ctxn_cancel(c, SL_NONE, x.now);
	fx_run(&x, 40000);
	fx_expect(&x, "0>INVITE 0>BYE 0?RESPONSE 0?RESPONSE 0?RESPONSE "
		  "5056-c 32000-c");
}

/* Who was asked, and refused, is read in it */
Test(txn_client, a_failure_keeps_the_request)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.udp, NULL),
		    *d = fx_client(&x, SIP_BYE, &x.udp, NULL);

	fx_recv(&x, &x.udp, fx_resp(c, 486, NULL));
	fx_recv(&x, &x.udp, fx_resp(d, 481, NULL));
	cr_assert_not_null(ctxn_request(c));
	cr_assert_not_null(ctxn_request(d));
}

Test(txn_client, timer_e_grows_to_t2_and_timer_f_ends)
{
	fx_client(&x, SIP_OPTIONS, &x.udp, NULL);
	fx_run(&x, 40000);
	fx_expect(&x, "0>OPTIONS 500>OPTIONS 1500>OPTIONS 3500>OPTIONS "
		  "7500>OPTIONS 11500>OPTIONS 15500>OPTIONS 19500>OPTIONS "
		  "23500>OPTIONS 27500>OPTIONS 31500>OPTIONS 32000!FINAL "
		  "32000-c");
}

Test(txn_client, other_request_goes_on_at_t2_after_a_provisional)
{
	struct ctxn *c = fx_client(&x, SIP_OPTIONS, &x.udp, NULL);

	fx_recv(&x, &x.udp, fx_resp(c, 100, NULL));
	fx_run(&x, 9000);
	fx_recv(&x, &x.udp, fx_resp(c, 200, NULL));
	fx_recv(&x, &x.udp, fx_resp(c, 200, NULL));
	fx_run(&x, 40000);
	fx_expect(&x, "0>OPTIONS 0?RESPONSE 500>OPTIONS 4500>OPTIONS "
		  "8500>OPTIONS 9000?RESPONSE 14016-c");
}

Test(txn_client, other_request_over_tcp_is_gone_with_its_answer)
{
	struct ctxn *c = fx_client(&x, SIP_OPTIONS, &x.tcp, NULL);

	fx_recv(&x, &x.tcp, fx_resp(c, 200, NULL));
	fx_expect(&x, "0>OPTIONS 0?RESPONSE 0-c");
}

Test(txn_client, no100_is_reported_once_and_the_branch_goes_on)
{
	struct ctxn_timers tm = { .no100 = 250, .no18x = 2000,
				  .ring = 180000 };
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.tcp, &tm);

	fx_run(&x, 1000);
	fx_expect(&x, "0>INVITE 250!NO100");
	cr_assert_eq(fx_recv(&x, &x.tcp, fx_resp(c, 100, NULL)),
		     TXN_RESPONSE);
	fx_run(&x, 3000);
	fx_expect(&x, "1000?RESPONSE 2000!NO18X");
	cr_assert_eq(fx_recv(&x, &x.tcp, fx_resp(c, 180, NULL)),
		     TXN_RESPONSE);
	cr_assert_eq(fx_recv(&x, &x.tcp, fx_resp(c, 200, NULL)),
		     TXN_RESPONSE);
}

Test(txn_client, an_answer_stops_no100_and_18x_stops_no18x)
{
	struct ctxn_timers tm = { .no100 = 250, .no18x = 2000 };
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.tcp, &tm);

	fx_recv(&x, &x.tcp, fx_resp(c, 100, NULL));
	fx_run(&x, 1900);
	fx_recv(&x, &x.tcp, fx_resp(c, 183, NULL));
	fx_run(&x, 60000);
	fx_expect(&x, "0>INVITE 0?RESPONSE 1900?RESPONSE");
}

Test(txn_client, noreply_is_reported_in_spite_of_a_100)
{
	struct ctxn_timers tm = { .noreply = 400 };
	struct ctxn *c = fx_client(&x, SIP_OPTIONS, &x.tcp, &tm);

	fx_recv(&x, &x.tcp, fx_resp(c, 100, NULL));
	fx_run(&x, 500);
	fx_recv(&x, &x.tcp, fx_resp(c, 200, NULL));
	fx_expect(&x, "0>OPTIONS 0?RESPONSE 400!NOREPLY 500?RESPONSE 500-c");
}

Test(txn_client, short_final_timer_leaves_a_zombie_until_64_t1)
{
	struct ctxn_timers tm = { .final = 2000 };

	fx_client(&x, SIP_OPTIONS, &x.tcp, &tm);
	fx_run(&x, 40000);
	fx_expect(&x, "0>OPTIONS 2000!FINAL 32000-c");
}

Test(txn_client, timer_c_restarts_with_each_ringing_and_cancels)
{
	struct ctxn_timers tm = { .ring = 10000 };
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.tcp, &tm);

	fx_recv(&x, &x.tcp, fx_resp(c, 100, NULL));
	fx_run(&x, 9000);
	fx_recv(&x, &x.tcp, fx_resp(c, 180, NULL));
	fx_run(&x, 18000);
	fx_recv(&x, &x.tcp, fx_resp(c, 100, NULL));
	fx_run(&x, 20000);
	fx_expect(&x, "0>INVITE 0?RESPONSE 9000?RESPONSE 18000?RESPONSE "
		  "19000>CANCEL 19000!RING");
	cr_assert(ctxn_zombie(c));
	fx_recv(&x, &x.tcp, fx_resp(c, 487, NULL));
	fx_expect(&x, "20000>ACK 20000-c");
}

Test(txn_client, timer_c_without_a_provisional_just_ends)
{
	struct ctxn_timers tm = { .ring = 10000 };

	fx_client(&x, SIP_INVITE, &x.tcp, &tm);
	fx_run(&x, 50000);
	fx_expect(&x, "0>INVITE 10000!RING 42000-c");
}

Test(txn_client, cancel_waits_for_a_provisional)
{
	struct ctxn_timers tm = { .no100 = 250 };
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.tcp, &tm);

	ctxn_cancel(c, SL("Reason: SIP;cause=200\r\n"), 100);
	fx_run(&x, 1000);
	fx_expect(&x, "0>INVITE 250!NO100");
	fx_recv(&x, &x.tcp, fx_resp(c, 100, NULL));
	fx_expect(&x, "1000?RESPONSE 1000>CANCEL");
	cr_assert(strstr(x.last, "Reason: SIP;cause=200\r\n"));
	cr_assert(strstr(x.last, "CSeq: 7 CANCEL\r\n"));
	cr_assert(strstr(x.last, "To: <sip:bob@example.com>\r\n"));
	cr_assert(strstr(x.last, "Route: <sip:a;lr>, <sip:b;lr>\r\n"));
	cr_assert_null(strstr(x.last, "z9hG4bKbelow"));
	fx_recv(&x, &x.tcp, fx_resp(c, 200, "CANCEL"));
	fx_recv(&x, &x.tcp, fx_resp(c, 487, NULL));
	fx_expect(&x, "1000?RESPONSE 1000>ACK 1000-c");
}

Test(txn_client, cancel_over_udp_is_repeated_until_answered)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.udp, NULL);

	fx_recv(&x, &x.udp, fx_resp(c, 180, NULL));
	ctxn_cancel(c, SL_NONE, 0);
	ctxn_cancel(c, SL_NONE, 0);
	fx_run(&x, 2000);
	fx_recv(&x, &x.udp, fx_resp(c, 200, "CANCEL"));
	fx_run(&x, 40000);
	fx_expect(&x, "0>INVITE 0?RESPONSE 0>CANCEL 500>CANCEL 1500>CANCEL "
		  "32000!FINAL");
	fx_run(&x, 70000);
	fx_expect(&x, "64000-c");
}

Test(txn_client, cancel_crossing_a_2xx_reports_the_2xx)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.udp, NULL);

	fx_recv(&x, &x.udp, fx_resp(c, 180, NULL));
	ctxn_cancel(c, SL_NONE, 0);
	fx_drain(&x);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp(c, 200, NULL)),
		     TXN_RESPONSE);
	fx_recv(&x, &x.udp, fx_resp(c, 481, "CANCEL"));
	fx_run(&x, 40000);
	fx_expect(&x, "0>INVITE 0?RESPONSE 0>CANCEL 0?RESPONSE 32000-c");
}

Test(txn_client, cancel_after_the_final_or_of_another_method_is_nothing)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.udp, NULL);
	struct ctxn *o = fx_client(&x, SIP_OPTIONS, &x.udp, NULL);

	fx_recv(&x, &x.udp, fx_resp(c, 200, NULL));
	fx_trace(&x);
	ctxn_cancel(c, SL_NONE, 0);
	ctxn_cancel(o, SL_NONE, 0);
	fx_drain(&x);
	fx_expect(&x, "");
}

Test(txn_client, abandoned_branch_stops_sending_and_reports_nothing)
{
	struct ctxn_timers tm = { .no100 = 250, .no18x = 300, .ring = 400 };

	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.udp, &tm);

	fx_run(&x, 100);
	ctxn_abandon(c, x.now);
	fx_run(&x, 40000);
	fx_expect(&x, "0>INVITE 32100-c");
}

Test(txn_client, zombie_cancels_a_late_provisional)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.udp, NULL);

	ctxn_abandon(c, 0);
	fx_run(&x, 1000);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp(c, 180, NULL)), TXN_NONE);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp(c, 183, NULL)), TXN_NONE);
	fx_expect(&x, "0>INVITE 1000>CANCEL");
	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp(c, 487, NULL)), TXN_NONE);
	fx_run(&x, 40000);
	fx_expect(&x, "1000>ACK 33024-c");
}

Test(txn_client, abandoning_a_ringing_branch_cancels_it)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.tcp, NULL);

	fx_recv(&x, &x.tcp, fx_resp(c, 180, NULL));
	ctxn_abandon(c, 0);
	ctxn_abandon(c, 0);
	fx_run(&x, 40000);
	fx_expect(&x, "0>INVITE 0?RESPONSE 0>CANCEL 32000-c");
}

Test(txn_client, zombie_reports_each_late_2xx)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.udp, NULL);

	ctxn_abandon(c, 0);
	fx_run(&x, 1000);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp(c, 200, NULL)), TXN_LATE);
	cr_assert_eq(x.ev.ctxn, c);
	cr_assert_eq(x.ev.user, &x);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp(c, 200, NULL)), TXN_LATE);
	fx_run(&x, 40000);
	fx_expect(&x, "0>INVITE 1000?LATE 1000?LATE 33024-c");
}

Test(txn_client, late_2xx_just_behind_the_timeout_is_reported)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.udp, NULL);

	fx_run(&x, 32030);
	fx_trace(&x);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp(c, 200, NULL)), TXN_LATE);
}

Test(txn_client, zombie_absorbs_answers_of_other_methods)
{
	struct ctxn *c = fx_client(&x, SIP_REGISTER, &x.udp, NULL);

	fx_run(&x, 600);
	ctxn_abandon(c, x.now);
	fx_run(&x, 2000);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp(c, 200, NULL)), TXN_NONE);
	fx_run(&x, 40000);
	fx_expect(&x, "0>REGISTER 500>REGISTER 7040-c");
}

Test(txn_client, branch_of_a_slot_used_again_is_not_matched)
{
	struct ctxn *c = fx_client(&x, SIP_OPTIONS, &x.tcp, NULL), *d;
	char old[64];
	struct sl br;
	bool forged;

	snprintf(old, sizeof(old), "%.*s", SL_FMT(ctxn_branch(c)));
	br = sl_cstr(old);
	cr_assert_eq(ctxn_by_branch(x.t, br, &forged), c);
	fx_recv(&x, &x.tcp, fx_resp(c, 200, NULL));
	d = fx_client(&x, SIP_OPTIONS, &x.tcp, NULL);
	cr_assert_eq(d, c, "the slot is used again");
	cr_assert_null(ctxn_by_branch(x.t, br, &forged));
	cr_assert_not(forged, "it was ours once");
	cr_assert_eq(fx_recv(&x, &x.tcp, fx_resp_br(br, 200, "OPTIONS", "t")),
		     TXN_STRAY);
	cr_assert_eq(txnl_stats(x.t)->stray, 1);
	cr_assert_eq(txnl_stats(x.t)->forged, 0);
}

Test(txn_client, forged_and_foreign_branches_are_strays)
{
	struct ctxn *c = fx_client(&x, SIP_OPTIONS, &x.udp, NULL);
	char br[64];
	bool forged;
	unsigned i;

	/* every character counts, in either case */
	for (i = 7; i < TXN_BRANCH; i++) {
		snprintf(br, sizeof(br), "%.*s", SL_FMT(ctxn_branch(c)));
		br[i] = br[i] == '0' ? '1' : '0';
		cr_assert_null(ctxn_by_branch(x.t, sl_cstr(br), &forged));
		cr_assert(forged, "%s", br);
	}
	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp_br(sl_cstr(br), 200,
						    "OPTIONS", "t")),
		     TXN_STRAY);
	cr_assert_eq(txnl_stats(x.t)->forged, 1);

	cr_assert_null(ctxn_by_branch(x.t, SL("z9hG4bKother"), &forged));
	cr_assert(forged);
	cr_assert_null(ctxn_by_branch(x.t, SL_NONE, NULL));
	for (i = 0; i < TXN_BRANCH; i++) {
		br[i] = ctxn_branch(c).p[i];
		if (i >= 7 && br[i] >= 'a')
			br[i] = (char)(br[i] - 32);
	}
	cr_assert_eq(ctxn_by_branch(x.t, sl_mk(br, TXN_BRANCH), NULL), c);
}

Test(txn_client, answer_to_another_method_is_a_stray)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.udp, NULL);

	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp(c, 200, "OPTIONS")),
		     TXN_STRAY);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp(c, 200, "CANCEL")),
		     TXN_STRAY, "none was sent");
}

Test(txn_client, dropped_branch_is_free_at_once_without_an_event)
{
	struct ctxn *c, *d;

	cr_assert_eq(ctxn_alloc(&c, x.t, SIP_INVITE, NULL), 0);
	cr_assert_null(ctxn_by_branch(x.t, ctxn_branch(c), NULL));
	ctxn_drop(c);
	fx_drain(&x);
	fx_expect(&x, "");
	cr_assert_eq(txnl_stats(x.t)->client_now, 0);
	cr_assert_eq(ctxn_alloc(&d, x.t, SIP_INVITE, NULL), 0);
	cr_assert_eq(c, d);
	ctxn_abandon(d, 0);
	fx_drain(&x);
	fx_expect(&x, "0-c");
}

Test(txn_client, cap_refuses_and_recovers)
{
	struct ctxn *c, *first = NULL;
	unsigned i;

	for (i = 0; i < 1000; i++) {
		c = fx_client(&x, SIP_OPTIONS, &x.tcp, NULL);
		first = first ? first : c;
	}
	cr_assert_eq(ctxn_alloc(&c, x.t, SIP_INVITE, NULL), ENOSPC);
	cr_assert_eq(txnl_stats(x.t)->refused_cap, 1);
	fx_recv(&x, &x.tcp, fx_resp(first, 200, NULL));
	cr_assert_eq(ctxn_alloc(&c, x.t, SIP_INVITE, NULL), 0);
}

Test(txn_client, those_that_are_over_end_together)
{
	unsigned wakes = 0;
	uint64_t at;

	/* 100 in 700 ms, each with its own time to end */
	for (unsigned i = 0; i < 100; i++) {
		struct ctxn *c = fx_client(&x, SIP_INVITE, &x.udp, NULL);

		fx_recv(&x, &x.udp, fx_resp(c, 200, NULL));
		fx_run(&x, 7 * i + 7);
	}
	fx_run(&x, 31999);
	cr_expect_eq(x.gone, 0, "none before Timer M");
	while ((at = txnl_next(x.t)) != UINT64_MAX) {
		fx_run(&x, at);
		wakes++;
	}
	cr_expect_eq(x.gone, 100);
	cr_expect_leq(x.now, 32000 + 693 + TXN_ENDS);
	/* and one for a slot of the wheel that moves down */
	cr_expect_leq(wakes, 700 / TXN_ENDS + 3, "%u", wakes);
}

Test(txn_client, what_is_over_for_t4_makes_room_at_the_cap)
{
	struct ctxn *c, *ok, *no;
	unsigned i;

	ok = fx_client(&x, SIP_INVITE, &x.udp, NULL);
	no = fx_client(&x, SIP_INVITE, &x.udp, NULL);
	for (i = 2; i < 1000; i++)
		(void)fx_client(&x, SIP_INVITE, &x.tcp, NULL);
	fx_recv(&x, &x.udp, fx_resp(ok, 200, NULL));
	fx_recv(&x, &x.udp, fx_resp(no, 486, NULL));
	fx_run(&x, 4999);
	cr_assert_eq(ctxn_alloc(&c, x.t, SIP_INVITE, NULL), ENOSPC);
	fx_run(&x, 5000);
	txnl_tick(x.t, 5000);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp(ok, 200, NULL)), TXN_RESPONSE,
		     "copies are passed on still");
	cr_assert_eq(ctxn_alloc(&c, x.t, SIP_INVITE, NULL), 0);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp(ok, 200, NULL)), TXN_STRAY);
	cr_assert_eq(ctxn_alloc(&c, x.t, SIP_INVITE, NULL), 0);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp(no, 486, NULL)), TXN_STRAY);
	cr_assert_eq(ctxn_alloc(&c, x.t, SIP_INVITE, NULL), ENOSPC);
	cr_assert_eq(txnl_stats(x.t)->ended_early, 2);
}

Test(txn_client, a_2xx_behind_a_failure_counts_anew)
{
	struct ctxn *c, *d = fx_client(&x, SIP_INVITE, &x.udp, NULL);

	for (unsigned i = 1; i < 1000; i++)
		(void)fx_client(&x, SIP_INVITE, &x.tcp, NULL);
	fx_recv(&x, &x.udp, fx_resp(d, 486, NULL));
	fx_run(&x, 3000);
	fx_recv(&x, &x.udp, fx_resp(d, 200, NULL));
	fx_run(&x, 7999);
	txnl_tick(x.t, 7999);
	cr_assert_eq(ctxn_alloc(&c, x.t, SIP_INVITE, NULL), ENOSPC);
	txnl_tick(x.t, 8000);
	cr_assert_eq(ctxn_alloc(&c, x.t, SIP_INVITE, NULL), 0);
}

static void give_up(struct ctxn *c, void *arg)
{
	struct ctxn **again = arg;

	ctxn_abandon(c, x.now);
	if (!*again)
		*again = fx_client(&x, SIP_INVITE, &x.tcp, NULL);
}

Test(txn_client, lost_flow_gives_each_of_its_live_branches_once)
{
	struct flow persistent = x.tcp, other = x.tcp, lost = x.tcp;
	struct ctxn *a, *b, *c, *d, *udp, *again = NULL;

	persistent.conn = 0;
	other.conn = 8;
	a = fx_client(&x, SIP_INVITE, &x.tcp, NULL);
	b = fx_client(&x, SIP_INVITE, &persistent, NULL);
	c = fx_client(&x, SIP_INVITE, &other, NULL);
	d = fx_client(&x, SIP_INVITE, &x.tcp, NULL);
	udp = fx_client(&x, SIP_INVITE, &x.udp, NULL);
	txnl_each_ctxn(x.t, &lost, give_up, &again);
	cr_assert(ctxn_zombie(a) && ctxn_zombie(b) && ctxn_zombie(d));
	cr_assert(!ctxn_zombie(c) && !ctxn_zombie(udp));
	cr_assert(again && !ctxn_zombie(again));
	lost.conn = 0;
	txnl_each_ctxn(x.t, &lost, give_up, &again);
	cr_assert(ctxn_zombie(c) && ctxn_zombie(again));
	cr_assert_not(ctxn_zombie(udp));
}

static void give_up_the_others(struct ctxn *c, void *arg)
{
	struct ctxn **all = arg;
	unsigned i;

	cr_assert_not(ctxn_zombie(c));
	for (i = 0; i < 4; i++) {
		if (all[i] != c)
			ctxn_abandon(all[i], x.now);
	}
	all[4] = c;
}

Test(txn_client, handler_may_abandon_branches_not_yet_visited)
{
	struct ctxn *all[5] = { NULL };
	unsigned i;

	for (i = 0; i < 4; i++)
		all[i] = fx_client(&x, SIP_INVITE, &x.tcp, NULL);
	txnl_each_ctxn(x.t, &x.tcp, give_up_the_others, all);
	cr_assert(all[4] && !ctxn_zombie(all[4]));
	ctxn_abandon(all[4], x.now);
	fx_run(&x, 40000);
	cr_assert_eq(x.gone, 4);
}

static void in_order(struct ctxn *c, void *arg)
{
	struct ctxn ***due = arg;

	cr_expect_eq(c, **due);
	++*due;
	ctxn_abandon(c, x.now);
	(void)fx_client(&x, SIP_INVITE, &x.tcp, NULL);
}

Test(txn_client, the_branches_of_a_lost_flow_come_oldest_first)
{
	struct ctxn *c[5] = { NULL }, **due = c;

	for (unsigned i = 0; i < 4; i++)
		c[i] = fx_client(&x, SIP_INVITE, &x.tcp, NULL);
	txnl_each_ctxn(x.t, &x.tcp, in_order, &due);
	cr_expect_eq(due, c + 4);
}

Test(txn_client, abandoning_an_answered_branch_keeps_its_timers)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.udp, NULL);
	struct ctxn *d = fx_client(&x, SIP_INVITE, &x.udp, NULL);

	fx_recv(&x, &x.udp, fx_resp(c, 486, NULL));
	fx_recv(&x, &x.udp, fx_resp(d, 200, NULL));
	fx_trace(&x);
	fx_run(&x, 1000);
	ctxn_abandon(c, x.now);
	ctxn_abandon(d, x.now);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp(c, 486, NULL)), TXN_NONE);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_resp(d, 200, NULL)), TXN_LATE);
	fx_run(&x, 40000);
	fx_expect(&x, "1000>ACK 1000?LATE 32000-c 32000-c");
}

/* --- what the user expects --- */

Test(txn_client, expected_word_that_does_not_come_is_reported_once)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.tcp, NULL);

	fx_run(&x, 100);
	cr_assert_eq(fx_recv(&x, &x.tcp, fx_resp(c, 180, NULL)), TXN_RESPONSE);
	ctxn_expect(c, 2000, x.now);
	fx_run(&x, 1000);
	cr_assert_eq(fx_recv(&x, &x.tcp, fx_resp(c, 100, NULL)), TXN_RESPONSE);
	fx_run(&x, 2000);
	cr_expect_null(strstr(fx_trace(&x), "NO18X"));
	fx_run(&x, 2200);
	cr_expect(strstr(fx_trace(&x), "NO18X"));
}

Test(txn_client, expected_word_that_comes_is_not_reported)
{
	struct ctxn *c = fx_client(&x, SIP_INVITE, &x.tcp, NULL);

	ctxn_expect(c, 2000, x.now);
	fx_run(&x, 1000);
	cr_assert_eq(fx_recv(&x, &x.tcp, fx_resp(c, 180, NULL)), TXN_RESPONSE);
	fx_run(&x, 4000);
	cr_expect_null(strstr(fx_trace(&x), "NO18X"));
}
