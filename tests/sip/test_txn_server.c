#include <errno.h>

#include "txn_fx.h"

#define BR "z9hG4bKabc"
static struct fx x;

static void setup(void) { fx_init(&x); }
static void teardown(void) { fx_close(&x); }
TestSuite(txn_server, .init = setup, .fini = teardown);

Test(txn_server, invite_is_answered_100_only_when_asked)
{
	struct stxn *s = fx_server(&x, &x.udp, fx_req("INVITE", BR, NULL));

	fx_run(&x, 400);
	fx_expect(&x, "");
	stxn_trying(s, x.now);
	stxn_trying(s, x.now);
	fx_drain(&x);
	fx_expect(&x, "400>100");
	cr_assert(strstr(x.last, "Timestamp: 54\r\n"));
	cr_assert(strstr(x.last, "To: <sip:bob@example.com>\r\n"));
}

Test(txn_server, late_100_goes_after_200_ms_to_what_has_no_answer)
{
	struct stxn *s = fx_server(&x, &x.tcp, fx_req("INVITE", BR, NULL));
	struct stxn *l = fx_server(&x, &x.tcp, fx_req("INVITE", "z9hG4bKl",
						       NULL));

	stxn_trying_soon(s, x.now);
	stxn_trying_soon(l, x.now);
	fx_run(&x, 100);
	fx_expect(&x, "");
	cr_assert_eq(fx_forward(&x, l, 180), 0);
	fx_expect(&x, "100>180");
	fx_run(&x, 5000);
	fx_expect(&x, "200>100");
	cr_assert_eq(fx_forward(&x, s, 180), 0);
	stxn_trying_soon(s, x.now);
	fx_run(&x, 9000);
	fx_expect(&x, "5000>180");
}

Test(txn_server, own_answer_has_all_vias_one_tag_and_goes_to_the_source)
{
	struct stxn *s = fx_server(&x, &x.udp, fx_req("INVITE", BR, NULL));
	char first[4096], *to;

	stxn_reply(s, 180, SL_NONE, SL("X-A: 1\r\n"), 0);
	fx_drain(&x);
	strcpy(first, x.last);
	cr_assert(strstr(first, "received=192.0.2.1"));
	cr_assert(strstr(first, "z9hG4bKbelow"));
	cr_assert(strstr(first, "X-A: 1\r\n"));
	cr_assert(strstr(first, "CSeq: 7 INVITE\r\n"));
	cr_assert(flow_eq(&x.last_flow, &x.udp));
	stxn_reply(s, 486, SL("Gone fishing"), SL_NONE, 0);
	fx_drain(&x);
	cr_assert(strstr(x.last, "SIP/2.0 486 Gone fishing\r\n"));
	to = strstr(first, "To: ");
	*strstr(to, "\r\n") = 0;
	cr_assert(strstr(to, ";tag="));
	cr_assert(strstr(x.last, to));
}

Test(txn_server, to_tag_of_the_request_is_kept)
{
	struct stxn *s = fx_server(&x, &x.udp, fx_req("INVITE", BR, "old"));

	stxn_reply(s, 481, SL_NONE, SL_NONE, 0);
	fx_drain(&x);
	cr_assert(strstr(x.last, "To: <sip:bob@example.com>;tag=old\r\n"));
}

Test(txn_server, repeated_invite_gets_the_last_provisional)
{
	const char *inv = fx_req("INVITE", BR, NULL);
	struct stxn *s = fx_server(&x, &x.udp, inv);

	fx_recv(&x, &x.udp, inv);
	fx_expect(&x, "");
	stxn_trying(s, 0);
	cr_assert_eq(fx_forward(&x, s, 180), 0);
	fx_expect(&x, "0>100 0>180");
	fx_recv(&x, &x.udp, inv);
	fx_expect(&x, "0>180");
	cr_assert_eq(txnl_stats(x.t)->retrans_in, 2);
}

Test(txn_server, timer_g_repeats_a_failure_and_timer_h_ends_it)
{
	struct stxn *s = fx_server(&x, &x.udp, fx_req("INVITE", BR, NULL));

	cr_assert_eq(fx_forward(&x, s, 486), 0);
	fx_run(&x, 40000);
	fx_expect(&x, "0>486 500>486 1500>486 3500>486 7500>486 11500>486 "
		  "15500>486 19500>486 23500>486 27500>486 31500>486 "
		  "32000!NOACK 32000-s");
	cr_assert_eq(txnl_stats(x.t)->server_now, 0);
}

Test(txn_server, reliable_transport_has_no_timer_g_but_timer_h)
{
	struct stxn *s = fx_server(&x, &x.tcp, fx_req("INVITE", BR, NULL));

	fx_forward(&x, s, 486);
	fx_run(&x, 40000);
	fx_expect(&x, "0>486 32000!NOACK 32000-s");
}

Test(txn_server, ack_confirms_and_timer_i_absorbs_what_follows)
{
	const char *inv = fx_req("INVITE", BR, NULL);
	struct stxn *s = fx_server(&x, &x.udp, inv);

	fx_forward(&x, s, 486);
	fx_run(&x, 100);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("ACK", BR, "tb")), TXN_NONE);
	fx_run(&x, 1000);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("ACK", BR, "tb")), TXN_NONE);
	cr_assert_eq(fx_recv(&x, &x.udp, inv), TXN_NONE);
	fx_run(&x, 40000);
	fx_expect(&x, "0>486 5120-s");
}

Test(txn_server, ack_over_tcp_ends_it_at_once)
{
	struct stxn *s = fx_server(&x, &x.tcp, fx_req("INVITE", BR, NULL));

	fx_forward(&x, s, 486);
	cr_assert_eq(fx_recv(&x, &x.tcp, fx_req("ACK", BR, "tb")), TXN_NONE);
	fx_expect(&x, "0>486 0-s");
}

/** A connection to the same peer, with another number */
static struct flow reconnected(void)
{
	struct flow f = x.tcp;

	f.conn++;
	f.peer.port++;
	return f;
}

Test(txn_server, copy_over_a_new_connection_is_answered_there_from_then_on)
{
	const char *inv = fx_req("INVITE", BR, NULL);
	struct stxn *s = fx_server(&x, &x.tcp, inv);
	struct flow f = reconnected();

	fx_forward(&x, s, 180);
	cr_assert_eq(fx_recv(&x, &f, inv), TXN_NONE);
	cr_expect_eq(x.ev.stxn, s);
	cr_expect(flow_eq(stxn_flow(s), &f));
}

Test(txn_server, cancel_over_a_new_connection_moves_the_answer_there)
{
	struct stxn *s = fx_server(&x, &x.tcp, fx_req("INVITE", BR, NULL));
	struct flow f = reconnected();

	fx_forward(&x, s, 180);
	cr_assert_eq(fx_recv(&x, &f, fx_req("CANCEL", BR, NULL)), TXN_CANCEL);
	cr_expect(flow_eq(stxn_flow(s), &f));
}

Test(txn_server, datagram_from_another_port_does_not_move_the_answers)
{
	const char *inv = fx_req("INVITE", BR, NULL);
	struct stxn *s = fx_server(&x, &x.udp, inv);
	struct flow f = x.udp;

	f.peer.port++;
	fx_forward(&x, s, 180);
	cr_assert_eq(fx_recv(&x, &f, inv), TXN_NONE);
	cr_expect(flow_eq(stxn_flow(s), &x.udp));
}

Test(txn_server, accepted_absorbs_invites_and_passes_2xx_and_ack)
{
	const char *inv = fx_req("INVITE", BR, NULL);
	struct stxn *s = fx_server(&x, &x.udp, inv);

	cr_assert_eq(fx_forward(&x, s, 200), 0);
	cr_assert_eq(fx_recv(&x, &x.udp, inv), TXN_NONE);
	cr_assert_eq(fx_forward(&x, s, 200), 0);
	cr_assert_eq(fx_forward(&x, s, 486), EPROTO);
	cr_assert_eq(fx_forward(&x, s, 180), EPROTO);
	fx_run(&x, 10000);
	fx_expect(&x, "0>200 0>200");
	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("ACK", BR, "tb")), TXN_ACK);
	cr_assert_eq(x.ev.stxn, s);
	fx_run(&x, 40000);
	fx_expect(&x, "10000?ACK 32000-s");
}

/* ... another way: nothing is sent, what follows is as ever */
Test(txn_server, accepted_without_an_answer_sends_none)
{
	const char *inv = fx_req("INVITE", BR, NULL);
	struct stxn *s = fx_server(&x, &x.udp, inv);

	stxn_trying_soon(s, x.now);
	stxn_accepted(s, 486, x.now);
	cr_assert(!stxn_final(s));
	stxn_accepted(s, 200, x.now);
	cr_assert(stxn_final(s));
	cr_assert_eq(stxn_code(s), 200);
	cr_assert_eq(fx_recv(&x, &x.udp, inv), TXN_NONE);
	cr_assert_eq(fx_forward(&x, s, 200), 0);
	cr_assert_eq(fx_forward(&x, s, 486), EPROTO);
	fx_run(&x, 40000);
	fx_expect(&x, "0>200 32000-s");
}

Test(txn_server, a_2xx_to_an_invite_is_not_kept_what_may_be_repeated_is)
{
	struct stxn *v[3] = {
		fx_server(&x, &x.udp, fx_req("INVITE", BR "1", NULL)),
		fx_server(&x, &x.udp, fx_req("INVITE", BR "2", NULL)),
		fx_server(&x, &x.udp, fx_req("BYE", BR "3", NULL)),
	};
	const uint16_t code[3] = { 200, 486, 200 };
	const unsigned held[3] = { 0, 1, 1 };
	struct sip_out o;

	for (size_t i = 0; i < 3; i++) {
		struct blob *b = blob_make("SIP/2.0 ...", 11);

		cr_assert_eq(stxn_forward(v[i], code[i], b, x.now), 0);
		while (outq_poll(&x.q, &o))
			blob_unref(o.blob);
		cr_expect_eq(b->ref, 1 + held[i], "%zu", i);
		blob_unref(b);
	}
}

Test(txn_server, nothing_follows_a_failure)
{
	struct stxn *s = fx_server(&x, &x.tcp, fx_req("INVITE", BR, NULL));

	fx_forward(&x, s, 486);
	cr_assert_eq(fx_forward(&x, s, 200), EPROTO);
	stxn_reply(s, 500, SL_NONE, SL_NONE, 0);
	fx_drain(&x);
	fx_expect(&x, "0>486");
	cr_assert_eq(stxn_code(s), 486);
}

Test(txn_server, ack_without_a_transaction_is_for_the_user)
{
	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("ACK", BR, "tb")), TXN_ACK);
	cr_assert_null(x.ev.stxn);
}

Test(txn_server, ack_before_any_final_is_absorbed)
{
	fx_server(&x, &x.udp, fx_req("INVITE", BR, NULL));
	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("ACK", BR, "tb")), TXN_NONE);
}

Test(txn_server, other_request_repeats_its_final_until_timer_j)
{
	const char *req = fx_req("OPTIONS", BR, NULL);
	struct stxn *s = fx_server(&x, &x.udp, req);

	cr_assert_eq(fx_recv(&x, &x.udp, req), TXN_NONE);
	fx_forward(&x, s, 200);
	fx_run(&x, 1000);
	cr_assert_eq(fx_recv(&x, &x.udp, req), TXN_NONE);
	fx_run(&x, 40000);
	fx_expect(&x, "0>200 1000>200 32000-s");
}

Test(txn_server, other_request_over_tcp_is_gone_with_its_answer)
{
	struct stxn *s = fx_server(&x, &x.tcp, fx_req("OPTIONS", BR, NULL));

	stxn_reply(s, 404, SL_NONE, SL_NONE, 0);
	cr_assert_eq(fx_forward(&x, s, 200), EPROTO);
	fx_expect(&x, "0>404 0-s");
}

Test(txn_server, rfc4320_100_when_timer_e_has_grown)
{
	const char *req = fx_req("OPTIONS", BR, NULL);
	struct stxn *s = fx_server(&x, &x.udp, req);

	cr_assert_eq(fx_forward(&x, s, 180), 0);
	fx_run(&x, 6000);
	fx_expect(&x, "3500>100");
	cr_assert_eq(fx_recv(&x, &x.udp, req), TXN_NONE);
	fx_expect(&x, "6000>100");
	fx_forward(&x, s, 200);
	fx_expect(&x, "6000>200");
}

Test(txn_server, rfc4320_no_408_and_no_late_answer)
{
	struct stxn *s = fx_server(&x, &x.udp, fx_req("OPTIONS", BR, NULL));
	struct stxn *l = fx_server(&x, &x.udp, fx_req("OPTIONS", "z9hG4bKl",
						       NULL));

	cr_assert_eq(fx_forward(&x, s, 408), 0);
	cr_assert(stxn_final(s));
	fx_run(&x, 32000);
	fx_expect(&x, "3500>100 32000-s");
	cr_assert_eq(fx_forward(&x, l, 200), 0);
	fx_expect(&x, "");
	fx_run(&x, 70000);
	fx_expect(&x, "64000-s");
	cr_assert_eq(txnl_stats(x.t)->silent, 2);
}

Test(txn_server, cancel_gets_200_and_is_reported_once)
{
	struct stxn *s = fx_server(&x, &x.udp, fx_req("INVITE", BR, NULL));

	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("CANCEL", BR, NULL)),
		     TXN_CANCEL);
	cr_assert_eq(x.ev.stxn, s);
	cr_assert_eq(x.ev.user, &x);
	cr_assert(strstr(x.last, "CSeq: 7 CANCEL\r\n"));
	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("CANCEL", BR, NULL)),
		     TXN_NONE);
	fx_expect(&x, "0?CANCEL 0>200c 0>200c");
	fx_forward(&x, s, 487);
	fx_expect(&x, "0>487");
}

Test(txn_server, cancel_after_the_final_gets_200_and_changes_nothing)
{
	struct stxn *s = fx_server(&x, &x.udp, fx_req("INVITE", BR, NULL));

	fx_forward(&x, s, 200);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("CANCEL", BR, NULL)),
		     TXN_NONE);
	fx_expect(&x, "0>200 0>200c");
}

Test(txn_server, cancel_of_nothing_gets_the_same_481_each_time)
{
	char first[4096];

	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("CANCEL", BR, NULL)),
		     TXN_CANCEL);
	cr_assert_null(x.ev.stxn);
	strcpy(first, x.last);
	fx_recv(&x, &x.udp, fx_req("CANCEL", BR, NULL));
	cr_assert_str_eq(first, x.last);
	fx_expect(&x, "0?CANCEL 0>481c 0?CANCEL 0>481c");
}

Test(txn_server, cancel_from_another_address_matches_nothing)
{
	struct flow other = x.udp;

	fx_server(&x, &x.udp, fx_req("INVITE", BR, NULL));
	other.peer.ip[3]++;
	cr_assert_eq(fx_recv(&x, &other, fx_req("CANCEL", BR, NULL)),
		     TXN_CANCEL);
	cr_assert_null(x.ev.stxn);
	cr_assert_eq(fx_recv(&x, &other, fx_req("INVITE", BR, NULL)),
		     TXN_REQUEST);
}

Test(txn_server, cancel_of_another_method_has_no_effect)
{
	fx_server(&x, &x.udp, fx_req("OPTIONS", BR, NULL));
	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("CANCEL", BR, NULL)),
		     TXN_NONE);
	fx_expect(&x, "0>200c");
}

Test(txn_server, another_branch_sentby_method_or_number_is_another_request)
{
	char txt[2048], *p;

	fx_server(&x, &x.udp, fx_req("INVITE", BR, NULL));
	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("INVITE", BR "d", NULL)),
		     TXN_REQUEST);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("OPTIONS", BR, NULL)),
		     TXN_REQUEST);
	strcpy(txt, fx_req("INVITE", BR, NULL));
	memcpy(strstr(txt, "10.0.0.1"), "10.0.0.2", 8);
	cr_assert_eq(fx_recv(&x, &x.udp, txt), TXN_REQUEST);
	strcpy(txt, fx_req("INVITE", BR, NULL));
	p = strstr(txt, "CSeq: 7");
	p[6] = '8';
	cr_assert_eq(fx_recv(&x, &x.udp, txt), TXN_REQUEST);
	strcpy(txt, fx_req("INVITE", BR, NULL));
	p = strstr(txt, "c1@");
	p[1] = '2';
	cr_assert_eq(fx_recv(&x, &x.udp, txt), TXN_REQUEST);
}

Test(txn_server, rfc2543_request_matches_by_its_fields)
{
	static const char *const branch[] = { NULL, "1" };
	char txt[2048];
	struct stxn *s;
	size_t i;

	for (i = 0; i < sizeof(branch) / sizeof(branch[0]); i++) {
		s = fx_server(&x, &x.udp, fx_req("INVITE", branch[i], NULL));
		cr_assert_eq(fx_recv(&x, &x.udp,
				     fx_req("INVITE", branch[i], NULL)),
			     TXN_NONE);
		cr_assert_eq(fx_recv(&x, &x.udp,
				     fx_req("CANCEL", branch[i], NULL)),
			     TXN_CANCEL);
		cr_assert_eq(x.ev.stxn, s);

		strcpy(txt, fx_req("INVITE", branch[i], NULL));
		memcpy(strstr(txt, "sip:bob"), "sip:rob", 7);
		cr_assert_eq(fx_recv(&x, &x.udp, txt), TXN_REQUEST);
		strcpy(txt, fx_req("INVITE", branch[i], NULL));
		memcpy(strstr(txt, "tag=fa"), "tag=fb", 6);
		cr_assert_eq(fx_recv(&x, &x.udp, txt), TXN_REQUEST);
		cr_assert_eq(fx_recv(&x, &x.udp,
				     fx_req("INVITE", branch[i], "t")),
			     TXN_REQUEST);

		fx_forward(&x, s, 486);
		cr_assert_eq(fx_recv(&x, &x.udp,
				     fx_req("ACK", branch[i], "tb")),
			     TXN_NONE);
		fx_run(&x, x.now + 40000);
	}
	cr_assert_eq(x.gone, 2);
}

Test(txn_server, equal_old_branches_of_two_calls_do_not_meet)
{
	char txt[2048];

	fx_server(&x, &x.udp, fx_req("INVITE", "1", NULL));
	strcpy(txt, fx_req("INVITE", "1", NULL));
	strstr(txt, "c1@")[1] = '2';
	cr_assert_eq(fx_recv(&x, &x.udp, txt), TXN_REQUEST);
}

Test(txn_server, unknown_methods_are_told_apart_by_name)
{
	fx_server(&x, &x.udp, fx_req("FOO", BR, NULL));
	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("FOO", BR, NULL)), TXN_NONE);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("BAR", BR, NULL)),
		     TXN_REQUEST);
}

Test(txn_server, cap_refuses_and_recovers)
{
	static struct sip_msg m;
	struct sip_fault fault;
	struct stxn *s, *first = NULL;
	char br[32];
	unsigned i;

	for (i = 0; i < 3000; i++) {
		snprintf(br, sizeof(br), "z9hG4bK%u", i);
		s = fx_server(&x, &x.tcp, fx_req("OPTIONS", br, NULL));
		first = first ? first : s;
	}
	const char *txt = fx_req("OPTIONS", "z9hG4bKmore", NULL);
	cr_assert_eq(fx_recv(&x, &x.tcp, txt), TXN_REQUEST);
	cr_assert_eq(sip_scan(&m, txt, strlen(txt), true, &fault), 0);
	cr_assert_eq(stxn_alloc(&s, x.t, &m, &x.tcp, NULL, 0), ENOSPC);
	cr_assert_eq(txnl_stats(x.t)->refused_cap, 1);

	stxn_reply(first, 200, SL_NONE, SL_NONE, 0);
	fx_drain(&x);
	cr_assert_eq(stxn_alloc(&s, x.t, &m, &x.tcp, NULL, 0), 0);
	/* the table has grown meanwhile: all are still found */
	for (i = 1; i < 3000; i++) {
		snprintf(br, sizeof(br), "z9hG4bK%u", i);
		cr_assert_eq(fx_recv(&x, &x.tcp, fx_req("OPTIONS", br, NULL)),
			     TXN_NONE);
	}
}

/** n requests, over UDP, as `txt` says; the first one's transaction */
static struct stxn *many(unsigned n, const char *method)
{
	struct stxn *s, *first = NULL;
	char br[32];

	for (unsigned i = 0; i < n; i++) {
		snprintf(br, sizeof(br), "z9hG4bK%u", i);
		s = fx_server(&x, &x.udp, fx_req(method, br, NULL));
		first = first ? first : s;
	}
	return first;
}

/** One more: 0 or ENOSPC */
static int one_more(const char *method, const char *br)
{
	static struct sip_msg m;
	struct sip_fault fault;
	const char *txt = fx_req(method, br, NULL);
	struct stxn *s;

	cr_assert_eq(fx_recv(&x, &x.udp, txt), TXN_REQUEST);
	cr_assert_eq(sip_scan(&m, txt, strlen(txt), true, &fault), 0);
	return stxn_alloc(&s, x.t, &m, &x.udp, NULL, x.now);
}

Test(txn_server, what_is_over_for_t4_makes_room_at_the_cap)
{
	struct stxn *s = many(3000, "BYE");

	stxn_reply(s, 200, SL_NONE, SL_NONE, x.now);
	(void)fx_trace(&x);
	fx_run(&x, 4999);
	cr_assert_eq(one_more("BYE", "z9hG4bKa"), ENOSPC);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("BYE", "z9hG4bK0", NULL)),
		     TXN_NONE, "copies find it still");
	x.now = 5000;
	cr_assert_eq(one_more("BYE", "z9hG4bKa"), 0);
	fx_drain(&x);
	cr_expect(strstr(fx_trace(&x), "5000-s"));
	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("BYE", "z9hG4bK0", NULL)),
		     TXN_REQUEST);
	cr_assert_eq(one_more("BYE", "z9hG4bKb"), ENOSPC, "none is left");
	cr_assert_eq(txnl_stats(x.t)->ended_early, 1);
	cr_assert_eq(txnl_stats(x.t)->refused_cap, 2);
}

Test(txn_server, the_oldest_answered_invite_makes_room_and_no_open_one)
{
	struct stxn *first = many(2999, "INVITE"), *last;

	x.now = 100;
	last = fx_server(&x, &x.udp, fx_req("INVITE", "z9hG4bKlast", NULL));
	cr_assert_eq(fx_forward(&x, last, 200), 0);
	x.now = 200;
	cr_assert_eq(fx_forward(&x, first, 200), 0);
	x.now = 5150;
	cr_assert_eq(one_more("INVITE", "z9hG4bKa"), 0);
	cr_assert_eq(one_more("INVITE", "z9hG4bKb"), ENOSPC,
		     "the other one is not over for long enough");
	fx_drain(&x);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("INVITE", "z9hG4bK0", NULL)),
		     TXN_NONE);
	x.now = 5200;
	cr_assert_eq(one_more("INVITE", "z9hG4bKb"), 0);
	cr_assert_eq(one_more("INVITE", "z9hG4bKc"), ENOSPC);
	fx_drain(&x);
	cr_assert_eq(fx_recv(&x, &x.udp, fx_req("INVITE", "z9hG4bK1", NULL)),
		     TXN_NONE, "it rings");
	/* those that end by their own timers are not ended twice */
	fx_run(&x, 200000);
	cr_assert_eq(txnl_stats(x.t)->ended_early, 2);
}

Test(txn_server, a_refusal_without_ack_makes_no_room)
{
	struct stxn *s = many(3000, "INVITE");

	stxn_reply(s, 486, SL_NONE, SL_NONE, x.now);
	fx_run(&x, 10000);
	cr_assert_eq(one_more("INVITE", "z9hG4bKa"), ENOSPC);
}

Test(txn_server, gone_object_can_be_read_until_the_next_poll)
{
	struct stxn *s = fx_server(&x, &x.tcp, fx_req("OPTIONS", BR, NULL));
	struct txn_event ev;

	stxn_reply(s, 200, SL_NONE, SL_NONE, 0);
	cr_assert_eq(txnl_next(x.t), 0, "due at once");
	cr_assert(txnl_poll(x.t, &ev));
	cr_assert_eq(ev.kind, TXN_GONE);
	cr_assert_eq(ev.stxn, s);
	cr_assert_eq(stxn_code(s), 200);
	cr_assert_eq(blob_sl(stxn_request(s)).n,
		     strlen(fx_req("OPTIONS", BR, NULL)));
	cr_assert_not(txnl_poll(x.t, &ev));
	cr_assert_eq(txnl_next(x.t), UINT64_MAX);
}

Test(txn_server, short_cut_through_the_via_gives_what_the_parser_gives)
{
	static const char *const via[] = {
		"SIP/2.0/UDP a.b:5060;branch=z9hG4bKx",
		"SIP/2.0/UDP a.b:5060;rport;Branch=z9hG4bKx;alias",
		"SIP/2.0/TCP [2001:db8::1]:5060;received=::1;branch=1",
		"SIP/2.0/UDP a;branch=x, SIP/2.0/UDP b;branch=y",
		"SIP/2.0/UDP a;x=\",;branch=no\";branch=yes",
		"SIP/2.0/UDP a : 5060 ; branch = x",
		"SIP/2.0/UDP a ;branch=x",
		"SIP/2.0/UDP a;branch=x ;rport",
		"SIP/2.0/UDP a;rport\r\n ;branch=x",
		"SIP/2.0/UDP a.b.c.d:5060\r\n ;branch=x\r\n\t;rport",
		"SIP / 2.0 / UDP a;branch=x",
		"SIP/2.0/UDP\ta;branch=x",
		"SIP/2.0/UDP  a;branch=x",
		"SIP/2.0/LONGNAME a;branch=x",
		"SIP/2.0/UDP a",
		"SIP/2.0/UDP a;rport=",
		"SIP/2.0/UDP a;xbranch=z;branch=x;branchy=1",
	};
	static struct sip_msg m;
	struct sip_fault fault;
	struct sl branch, sentby;
	char txt[1024];
	struct via v;
	size_t i;

	for (i = 0; i < sizeof(via) / sizeof(via[0]); i++) {
		snprintf(txt, sizeof(txt), "OPTIONS sip:a SIP/2.0\r\nVia: %s\r\n"
			 "From: <sip:a>;tag=1\r\nTo: <sip:b>\r\n"
			 "Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n", via[i]);
		cr_assert_eq(sip_scan(&m, txt, strlen(txt), true, &fault), 0,
			     "%s: %s", via[i], fault.why);
		cr_assert_eq(via_top(&m, &v), 0);
		txn_via(&m, &branch, &sentby);
		cr_assert(sl_eq(v.branch, branch), "%s: %.*s", via[i],
			  SL_FMT(branch));
		cr_assert(sl_eq(v.sentby, sentby), "%s: %.*s", via[i],
			  SL_FMT(sentby));
	}
}
