/* The forking proxy, with phones played by the test. RFC 3261 16. */
#include "sip/inner.h"
#include "tests/node/rig.h"
#include <criterion/criterion.h>
#include <stdio.h>

#define OPEN "auth = \"off\";\n"
#define ALICE "<sip:alice@example.com>"
#define BOB "<sip:bob@example.com>"

static void call(struct rig *r, const char *more)
{
	rig_req(r, "INVITE", "sip:bob@example.com", ALICE, BOB, "call", 1,
		more);
}

static void cancel(struct rig *r, const char *more)
{
	rig_same(r, "CANCEL", "sip:bob@example.com", ALICE, BOB, "call", 1,
		 more);
}

static struct rig *with(const char *conf, unsigned n, const char *const *c)
{
	char text[256], tok[16];
	struct rig *r;

	(void)snprintf(text, sizeof(text), "%s%s", OPEN, conf);
	r = rig_new(text, "");
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(tok, sizeof(tok), "tok%u", i);
		cr_assert(rig_register(r, "bob", c[i], tok, i + 1) == 200);
	}
	return r;
}

static const char *const one[] = { "<sip:bob@10.0.0.1>" };
static const char *const two[] = {
	"<sip:bob@10.0.0.1>", "<sip:bob@10.0.0.2>"
};
static const char *const ranked[] = {
	"<sip:bob@10.0.0.1>;q=0.9", "<sip:bob@10.0.0.2>;q=0.5",
	"<sip:bob@10.0.0.3>;q=0.5",
};

static bool ruri_is(const struct rig_leg *l, const char *uri)
{
	return sl_eq(l->m.ruri, sl_cstr(uri));
}

Test(proxy, says_100_before_anything_else)
{
	struct rig *r = with("", 1, one);

	call(r, "");
	cr_expect(rig_take(r) == 100);
	cr_expect(rig_take(r) == 0);
	rig_free(r);
}

Test(proxy, follows_the_path_of_the_contact)
{
	struct rig *r = with("", 1, one);
	struct rig_leg l;

	call(r, "Route: <sip:127.0.0.11;lr>\r\n"
	     "X-Kept: as  it,was\r\n");
	rig_leg(r, &l, "INVITE");
	cr_expect(ruri_is(&l, "sip:bob@10.0.0.1"));
	cr_expect_str_eq(rig_hdr(r, "Route"),
			 "<sip:tok0@" EDGE ";transport=tcp;lr;ob>");
	cr_expect(rig_count(r, "Route") == 1);
	cr_expect(rig_count(r, "Record-Route") == 0, "nodes are never in it");
	cr_expect_str_eq(rig_hdr(r, "Max-Forwards"), "68");
	cr_expect_str_eq(rig_hdr(r, "X-Kept"), "as  it,was");
	cr_expect(rig_count(r, "Via") == 3);
	cr_expect(strstr(rig_hdr(r, "Via"), "SIP/2.0/TCP 127.0.0.11:5060;"));
	cr_expect(strstr(rig_hdr(r, "Via"), ";alias"));
	cr_expect(l.flow.tp == TP_TCP && l.flow.conn == 0);
	cr_expect(l.flow.peer.port == 5070);
	rig_leg_free(&l);
	rig_free(r);
}

Test(proxy, the_edges_connection_is_its_alias)
{
	struct rig *r = with("", 1, one);

	call(r, "");
	while (rig_take(r) >= 0)
		;
	cr_expect(r->aliases == 1, "once, not with each message");
	cr_expect(r->alias.port == 5070);
	rig_free(r);
}

Test(proxy, an_alias_of_another_address_is_not_believed)
{
	static const char msg[] =
		"OPTIONS sip:127.0.0.11 SIP/2.0\r\n"
		"Via: SIP/2.0/TCP 127.0.0.2:5070;branch=z9hG4bKzz;alias\r\n"
		"From: <sip:a@example.com>;tag=1\r\nTo: " BOB "\r\n"
		"Call-ID: x\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 0\r\n"
		"Content-Length: 0\r\n\r\n";
	struct rig *r = rig_new(OPEN, "");

	rig_raw(r, msg, sizeof(msg) - 1);
	cr_expect(rig_final(r) == 200);
	cr_expect(rig_take(r) == -1);
	cr_expect(r->aliases == 0);
	rig_free(r);
}

Test(proxy, several_path_elements_become_one_route_set)
{
	struct rig *r = rig_new(OPEN, "");
	struct rig_leg l;

	rig_req(r, "REGISTER", "sip:example.com", BOB, BOB, "c", 1,
		"Contact: <sip:bob@h>\r\nPath: <sip:a@" EDGE ";transport=tcp;"
		"lr>,\r\n <sip:b@p2;lr>\r\nPath: <sip:c@p3;lr;ob>\r\n");
	cr_assert(rig_final(r) == 200);
	call(r, "");
	rig_leg(r, &l, "INVITE");
	cr_expect_str_eq(rig_hdr(r, "Route"), "<sip:a@" EDGE ";transport=tcp;"
			 "lr>, <sip:b@p2;lr>, <sip:c@p3;lr;ob>");
	rig_leg_free(&l);
	rig_free(r);
}

Test(proxy, passes_180_and_200_upstream)
{
	struct rig *r = with("", 1, one);
	struct rig_leg l;

	call(r, "");
	rig_leg(r, &l, "INVITE");
	rig_answer(r, &l, 100, "", "");
	cr_expect(rig_take(r) == -1, "100 is hop by hop");
	rig_answer(r, &l, 180, "b1", "X: y\r\n");
	cr_expect(rig_take(r) == 180);
	cr_expect_str_eq(rig_hdr(r, "X"), "y");
	cr_expect(rig_count(r, "Via") == 2, "ours is taken off");
	cr_expect(strstr(rig_hdr(r, "Via"), EDGE));
	cr_expect(r->out.flow.conn == 1, "where the request came from");
	rig_answer(r, &l, 200, "b1", "");
	cr_expect(rig_take(r) == 200);
	rig_answer(r, &l, 200, "b1", "");
	cr_expect(rig_take(r) == 200, "a repeated 2xx is passed on");
	rig_pass(r, 40000);
	cr_expect(rig_stat(r, "node_forks", NULL) == 0, "nothing is kept");
	rig_leg_free(&l);
	rig_free(r);
}

Test(proxy, equal_q_rings_together_and_losers_are_cancelled)
{
	struct rig *r = with("", 2, two);
	struct rig_leg a, b, c;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	rig_leg(r, &b, "INVITE");
	cr_expect(!sl_eq(a.m.ruri, b.m.ruri));
	rig_answer(r, &a, 180, "a", "");
	rig_answer(r, &b, 180, "b", "");
	cr_expect(rig_take(r) == 180 && rig_take(r) == 180);
	rig_answer(r, &b, 200, "b", "");
	cr_expect(rig_take(r) == 200);
	rig_leg(r, &c, "CANCEL");
	cr_expect(sl_eq(c.m.ruri, a.m.ruri));
	cr_expect(strstr(rig_hdr(r, "Reason"), "elsewhere"));
	rig_answer(r, &c, 200, "a", "");
	rig_answer(r, &a, 487, "a", "");
	rig_leg_free(&c);
	rig_leg(r, &c, "ACK");
	cr_expect(rig_take(r) == -1, "487 of a loser stays here");
	rig_leg_free(&a);
	rig_leg_free(&b);
	rig_leg_free(&c);
	rig_free(r);
}

Test(proxy, forked_2xx_all_go_upstream)
{
	struct rig *r = with("", 2, two);
	struct rig_leg a, b;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	rig_leg(r, &b, "INVITE");
	rig_answer(r, &a, 200, "a", "");
	cr_expect(rig_take(r) == 200);
	rig_answer(r, &b, 200, "b", "");
	cr_expect(rig_take(r) == 200);
	cr_expect(strstr(rig_hdr(r, "To"), "tag=b"));
	cr_expect(rig_stat(r, "node_forks_answered_total", NULL) == 1);
	rig_leg_free(&a);
	rig_leg_free(&b);
	rig_free(r);
}

/* The edge has given it to the caller: the node is told that it is over */
Test(proxy, an_answer_that_the_edge_has_passed_on_is_not_passed_on)
{
	struct rig *r = with("", 2, two);
	struct rig_leg a, b, c;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	rig_leg(r, &b, "INVITE");
	rig_answer(r, &b, 100, "", "");
	rig_answer(r, &a, 200, "a", INNER_TOLD ": yes\r\n");
	rig_leg(r, &c, "CANCEL");
	cr_expect(rig_take(r) == -1, "nothing for the caller");
	cr_expect(rig_stat(r, "node_forks_answered_total", NULL) == 1);
	/* the other phone was faster than its CANCEL */
	rig_answer(r, &b, 200, "b", "Contact: <sip:b@10.0.0.2>\r\n");
	cr_expect(rig_take(r) == 200);
	rig_leg_free(&a);
	rig_leg_free(&b);
	rig_leg_free(&c);
	rig_free(r);
}

/* Edges take it out of what phones say; one that does not must not harm them */
Test(proxy, an_answer_with_a_contact_is_passed_on_whatever_it_says)
{
	struct rig *r = with("", 2, two);
	struct rig_leg a, b;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	rig_leg(r, &b, "INVITE");
	rig_answer(r, &a, 200, "a", INNER_TOLD ": yes\r\n"
		   "Contact: <sip:a@10.0.0.1>\r\n");
	cr_expect(rig_take(r) == 200);
	rig_leg_free(&a);
	rig_leg_free(&b);
	rig_free(r);
}

Test(proxy, lower_q_only_after_higher_q_failed)
{
	struct rig *r = with("", 3, ranked);
	struct rig_leg a, b, c;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	cr_expect(ruri_is(&a, "sip:bob@10.0.0.1"));
	cr_expect(rig_take(r) == -1);
	rig_answer(r, &a, 486, "a", "");
	rig_leg(r, &b, "ACK");
	rig_leg_free(&b);
	rig_leg(r, &b, "INVITE");
	rig_leg(r, &c, "INVITE");
	cr_expect(rig_take(r) == -1, "not before all have failed");
	rig_answer(r, &b, 480, "b", "");
	rig_answer(r, &c, 404, "c", "");
	cr_expect(rig_final(r) == 0 && rig_final(r) == 0, "two ACKs");
	cr_expect(rig_final(r) == 486, "what a phone said, not 480");
	rig_leg_free(&a);
	rig_leg_free(&b);
	rig_leg_free(&c);
	rig_free(r);
}

Test(proxy, fork_serial_rings_one_by_one)
{
	struct rig *r = with("fork = \"serial\";\n", 2, two);
	struct rig_leg a, b;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	cr_expect(rig_take(r) == -1);
	rig_answer(r, &a, 486, "a", "");
	cr_expect(rig_take(r) == 0, "ACK");
	rig_leg(r, &b, "INVITE");
	cr_expect(!sl_eq(a.m.ruri, b.m.ruri));
	rig_leg_free(&a);
	rig_leg_free(&b);
	rig_free(r);
}

Test(proxy, best_answer_by_table)
{
	/* RFC 3261 16.7 step 6 */
	static const unsigned row[][3] = {
		{ 486, 500, 486 }, { 500, 486, 486 }, { 404, 302, 302 },
		{ 302, 486, 302 }, { 408, 486, 486 }, { 480, 603, 603 },
		{ 486, 603, 603 }, { 486, 401, 401 }, { 404, 484, 484 },
		{ 503, 500, 500 }, { 487, 486, 486 }, { 430, 486, 486 },
		{ 430, 503, 480 }, { 503, 503, 500 }, { 430, 430, 480 },
		{ 486, 486, 486 }, { 415, 404, 415 }, { 600, 603, 600 },
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct rig *r = with("", 2, two);
		struct rig_leg a, b;
		int code;

		call(r, "");
		rig_leg(r, &a, "INVITE");
		rig_leg(r, &b, "INVITE");
		rig_answer(r, &a, row[i][0], "a", "");
		rig_answer(r, &b, row[i][1], "b", "");
		do {
			code = rig_final(r);       /* past the ACKs, CANCELs */
		} while (code == 0);
		cr_expect(code == (int)row[i][2], "%u and %u give %d",
			  row[i][0], row[i][1], code);
		cr_expect(rig_take(r) == -1, "one answer only");
		rig_leg_free(&a);
		rig_leg_free(&b);
		rig_free(r);
	}
}

Test(proxy, challenges_of_all_branches_are_collected)
{
	struct rig *r = with("", 2, two);
	struct rig_leg a, b;
	int code;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	rig_leg(r, &b, "INVITE");
	rig_answer(r, &a, 401, "a",
		   "WWW-Authenticate: Digest realm=\"a\", nonce=\"1\"\r\n");
	rig_answer(r, &b, 407, "b",
		   "Proxy-Authenticate: Digest realm=\"b\", nonce=\"2\"\r\n");
	do {
		code = rig_final(r);
	} while (code == 0);
	cr_expect(code == 401);
	cr_expect(rig_count(r, "WWW-Authenticate") == 1);
	cr_expect(rig_count(r, "Proxy-Authenticate") == 1);
	rig_leg_free(&a);
	rig_leg_free(&b);
	rig_free(r);
}

Test(proxy, a_6xx_stops_everything)
{
	struct rig *r = with("", 3, ranked);
	struct rig_leg a, b, c, x;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	rig_answer(r, &a, 404, "a", "");
	cr_expect(rig_take(r) == 0, "ACK");
	rig_leg(r, &b, "INVITE");
	rig_leg(r, &c, "INVITE");
	rig_answer(r, &c, 180, "c", "");
	cr_expect(rig_take(r) == 180);
	rig_answer(r, &b, 603, "b", "");
	cr_expect(rig_take(r) == 0, "ACK");
	rig_leg(r, &x, "CANCEL");
	cr_expect(rig_take(r) == -1, "the other may still say 200");
	rig_answer(r, &c, 487, "c", "");
	cr_expect(rig_take(r) == 0, "ACK");
	cr_expect(rig_take(r) == 603);
	rig_leg_free(&a);
	rig_leg_free(&b);
	rig_leg_free(&c);
	rig_leg_free(&x);
	rig_free(r);
}

Test(proxy, after_a_6xx_lower_q_is_not_tried)
{
	struct rig *r = with("", 3, ranked);
	struct rig_leg a;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	rig_answer(r, &a, 603, "a", "");
	cr_expect(rig_take(r) == 0, "ACK");
	cr_expect(rig_take(r) == 603);
	cr_expect(rig_take(r) == -1);
	rig_leg_free(&a);
	rig_free(r);
}

Test(proxy, caller_cancels_all_branches)
{
	struct rig *r = with("", 3, ranked);
	struct rig_leg a, x;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	rig_answer(r, &a, 180, "a", "");
	cr_expect(rig_take(r) == 180);
	cancel(r, "Reason: SIP;cause=487;text=\"gone\"\r\n");
	cr_expect(rig_take(r) == 200, "of the CANCEL");
	rig_leg(r, &x, "CANCEL");
	cr_expect_str_eq(rig_hdr(r, "Reason"), "SIP;cause=487;text=\"gone\"");
	rig_answer(r, &x, 200, "a", "");
	rig_answer(r, &a, 487, "a", "");
	cr_expect(rig_take(r) == 0, "ACK");
	cr_expect(rig_take(r) == 487);
	cr_expect(rig_take(r) == -1, "lower q is not tried any more");
	rig_leg_free(&a);
	rig_leg_free(&x);
	rig_free(r);
}

Test(proxy, cancel_waits_for_a_provisional)
{
	struct rig *r = with("", 1, one);
	struct rig_leg a, x;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	cancel(r, "");
	cr_expect(rig_take(r) == 200);
	cr_expect(rig_take(r) == -1, "RFC 3261 9.1");
	rig_answer(r, &a, 100, "", "");
	rig_leg(r, &x, "CANCEL");
	rig_leg_free(&a);
	rig_leg_free(&x);
	rig_free(r);
}

Test(proxy, a_200_that_crosses_the_cancel_wins)
{
	struct rig *r = with("", 1, one);
	struct rig_leg a;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	rig_answer(r, &a, 180, "a", "");
	cr_expect(rig_take(r) == 180);
	cancel(r, "");
	rig_answer(r, &a, 200, "a", "");
	cr_expect(rig_take(r) == 200, "of the CANCEL");
	cr_expect(rig_take(r) == 0, "CANCEL");
	cr_expect(rig_take(r) == 200);
	cr_expect(strstr(rig_hdr(r, "CSeq"), "INVITE"));
	rig_leg_free(&a);
	rig_free(r);
}

Test(proxy, unknown_is_404_known_but_away_is_480)
{
	static const char users[] =
		"bob@example.com:0123456789abcdef0123456789abcdef\n";
	struct rig *r = rig_new(OPEN, users);

	call(r, "");
	cr_expect(rig_final(r) == 480);
	rig_req(r, "INVITE", "sip:nobody@example.com", ALICE,
		"<sip:nobody@example.com>", "d", 1, "");
	cr_expect(rig_final(r) == 404);
	rig_req(r, "INVITE", "sip:bob@other.org", ALICE, BOB, "e", 1, "");
	cr_expect(rig_final(r) == 404, "never relayed");
	cr_expect(rig_take(r) == -1);
	rig_free(r);
}

Test(proxy, silence_ends_in_408)
{
	struct rig *r = with("", 1, one);
	struct rig_leg a;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	rig_pass(r, 31900);
	cr_expect(rig_final(r) == -1);
	rig_pass(r, 200);
	cr_expect(rig_final(r) == 408);
	rig_leg_free(&a);
	rig_pass(r, 70000);
	cr_expect(rig_stat(r, "node_forks", NULL) == 0);
	rig_free(r);
}

Test(proxy, timer_c_cancels_who_rings_too_long)
{
	struct rig *r = with("timers = { ring = 10000; };\n", 1, one);
	struct rig_leg a, x;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	rig_answer(r, &a, 180, "a", "");
	cr_expect(rig_take(r) == 180);
	rig_pass(r, 9000);
	rig_answer(r, &a, 180, "a", "");
	cr_expect(rig_take(r) == 180, "a 180 starts it again");
	rig_pass(r, 9000);
	cr_expect(rig_take(r) == -1);
	rig_pass(r, 1100);
	rig_leg(r, &x, "CANCEL");
	cr_expect(rig_take(r) == 408);
	rig_leg_free(&a);
	rig_leg_free(&x);
	rig_free(r);
}

Test(proxy, non_invite_never_gets_a_408)
{
	struct rig *r = with("", 1, one);
	struct rig_leg a;

	rig_req(r, "MESSAGE", "sip:bob@example.com", ALICE, BOB, "m", 1, "");
	rig_leg(r, &a, "MESSAGE");
	rig_pass(r, 70000);
	cr_expect(rig_final(r) == -1, "RFC 4320");
	cr_expect(rig_stat(r, "node_forks", NULL) == 0);
	rig_leg_free(&a);
	rig_free(r);
}

Test(proxy, unknown_methods_are_passed_on)
{
	struct rig *r = with("", 1, one);
	struct rig_leg a;

	rig_req(r, "FROBNICATE", "sip:bob@example.com", ALICE, BOB, "m", 1,
		"");
	rig_leg(r, &a, "FROBNICATE");
	rig_answer(r, &a, 299, "a", "");
	cr_expect(rig_final(r) == 299);
	rig_leg_free(&a);
	rig_free(r);
}

Test(proxy, dead_flow_is_taken_out)
{
	struct rig *r = with("", 2, two);
	struct rig_leg a, b;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	rig_leg(r, &b, "INVITE");
	rig_answer(r, &a, 430, "a", "");
	cr_expect(rig_take(r) == 0, "ACK");
	cr_expect(rig_take(r) == -1);
	rig_answer(r, &b, 486, "b", "");
	cr_expect(rig_take(r) == 0, "ACK");
	cr_expect(rig_take(r) == 486);
	rig_leg_free(&b);
	rig_req(r, "INVITE", "sip:bob@example.com", ALICE, BOB, "c2", 1, "");
	rig_leg(r, &b, "INVITE");
	cr_expect(!sl_eq(a.m.ruri, b.m.ruri));
	cr_expect(rig_take(r) == -1, "the dead one is not tried again");
	rig_leg_free(&a);
	rig_leg_free(&b);
	rig_free(r);
}

Test(proxy, a_refresh_survives_the_430_of_the_older_flow)
{
	struct rig *r = with("", 1, one);
	struct rig_leg a, b;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	cr_assert(rig_register(r, "bob", one[0], "tok0", 7) == 200);
	rig_answer(r, &a, 430, "a", "");
	cr_expect(rig_take(r) == 0, "ACK");
	cr_expect(rig_take(r) == 480);
	rig_req(r, "INVITE", "sip:bob@example.com", ALICE, BOB, "c2", 1, "");
	rig_leg(r, &b, "INVITE");
	rig_leg_free(&a);
	rig_leg_free(&b);
	rig_free(r);
}

#define UUID ";+sip.instance=\"<urn:uuid:1>\""

Test(proxy, second_flow_of_one_phone_only_when_the_first_is_dead)
{
	static const char *const flows[] = {
		"<sip:bob@10.0.0.1>" UUID ";reg-id=1",
		"<sip:bob@10.0.0.1>" UUID ";reg-id=2",
	};
	struct rig *r = with("", 2, flows);
	struct rig_leg a, b;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	cr_expect(rig_take(r) == -1, "RFC 5626 5.3: one flow at a time");
	rig_answer(r, &a, 430, "a", "");
	cr_expect(rig_take(r) == 0, "ACK");
	rig_leg(r, &b, "INVITE");
	rig_leg_free(&a);
	rig_leg_free(&b);
	rig_free(r);
}

Test(proxy, a_lost_connection_fails_its_branches_at_once)
{
	struct rig *r = with("", 1, one);
	struct rig_leg a;
	struct flow dead = r->edge;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	core_lost(r->core, &dead, 104, r->now, r->wall);
	cr_expect(rig_final(r) == 480);
	cr_expect(rig_stat(r, "node_branches_lost_total", NULL) == 1);
	rig_leg_free(&a);
	rig_free(r);
}

Test(proxy, what_went_over_the_newer_connection_lives_on)
{
	struct rig *r = with("", 1, one);
	struct flow dead = r->edge;
	struct rig_leg a;

	rig_pass(r, 1000);
	r->edge.conn = 2;
	r->edge.peer.port++;
	call(r, "");
	rig_leg(r, &a, "INVITE");
	core_lost(r->core, &dead, 104, r->now, r->wall);
	cr_expect(rig_final(r) == -1);
	rig_leg_free(&a);
	rig_free(r);
}

Test(proxy, contacts_that_lead_elsewhere_are_not_followed)
{
	struct rig *r = rig_new(OPEN, "");

	rig_req(r, "REGISTER", "sip:example.com", BOB, BOB, "c", 1,
		"Contact: <sip:bob@192.0.2.99>, <sip:bob@host.example>\r\n");
	cr_assert(rig_final(r) == 200);
	rig_req(r, "REGISTER", "sip:example.com", BOB, BOB, "d", 1,
		"Contact: <sip:bob@10.9.9.9>\r\nPath: <sip:x@10.0.0.9;lr>\r\n");
	cr_assert(rig_final(r) == 200);
	call(r, "");
	cr_expect(rig_final(r) == 480);
	cr_expect(rig_stat(r, "node_no_hop_total", NULL) == 3);
	rig_free(r);
}

/* What was known of its address when it was one */
Test(proxy, an_edge_that_is_none_any_more_is_sent_nothing)
{
	struct rig *r = with("edges = ( \"127.0.0.1\", \"10.0.0.5\" );\n", 1,
			     one);
	struct node_config cf = r->cf;
	struct rig_leg a;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	rig_leg_free(&a);
	cf.edge_nets++;
	cf.edge_n--;
	core_reconf(r->core, &cf, r->users);
	cr_assert(addr_parse(&r->edge.peer, SL("10.0.0.5:40000"), 0) == 0);
	call(r, "");
	cr_expect_eq(rig_final(r), 480);
	cr_expect_eq(rig_stat(r, "node_no_hop_total", NULL), 1);
	rig_free(r);
}

Test(proxy, no_more_branches_than_allowed)
{
	struct rig *r = with("max_branches = 2;\n", 3, ranked);
	struct rig_leg a, b;

	call(r, "");
	rig_leg(r, &a, "INVITE");
	rig_answer(r, &a, 486, "a", "");
	cr_expect(rig_take(r) == 0, "ACK");
	rig_leg(r, &b, "INVITE");
	cr_expect(rig_take(r) == -1);
	cr_expect(rig_stat(r, "node_branches_cut_total", NULL) == 1);
	rig_leg_free(&a);
	rig_leg_free(&b);
	rig_free(r);
}

Test(proxy, hops_end)
{
	struct rig *r = with("", 1, one);
	const char msg[] =
		"INVITE sip:bob@example.com SIP/2.0\r\n"
		"Via: SIP/2.0/TCP " EDGE ";branch=z9hG4bKzz\r\n"
		"From: <sip:a@example.com>;tag=1\r\nTo: " BOB "\r\n"
		"Call-ID: x\r\nCSeq: 1 INVITE\r\nMax-Forwards: 0\r\n"
		"Content-Length: 0\r\n\r\n";

	rig_raw(r, msg, sizeof(msg) - 1);
	cr_expect(rig_final(r) == 483);
	rig_free(r);
}

Test(proxy, in_dialog_requests_follow_their_route_to_an_edge)
{
	struct rig *r = rig_new(OPEN, "");
	struct rig_leg a;

	rig_req(r, "BYE", "sip:bob@10.0.0.1", ALICE, BOB ";tag=b", "c", 2,
		"Route: <sip:127.0.0.11;lr>, <sip:rr@" EDGE
		";transport=tcp;lr>\r\n");
	rig_leg(r, &a, "BYE");
	cr_expect(ruri_is(&a, "sip:bob@10.0.0.1"));
	cr_expect_str_eq(rig_hdr(r, "Route"), "<sip:rr@" EDGE
			 ";transport=tcp;lr>");
	rig_answer(r, &a, 200, "b", "");
	cr_expect(rig_final(r) == 200);
	rig_req(r, "BYE", "sip:bob@10.0.0.1", ALICE, BOB ";tag=b", "c", 3,
		"Route: <sip:rr@192.0.2.50;lr>\r\n");
	cr_expect(rig_final(r) == 404, "not to anywhere else");
	rig_leg_free(&a);
	rig_req(r, "BYE", "sip:127.0.0.11", ALICE, BOB ";tag=b", "c", 4,
		"Route: <sip:rr@" EDGE ";transport=tcp;lr>\r\n");
	rig_leg(r, &a, "BYE");
	rig_leg_free(&a);
	rig_free(r);
}

Test(proxy, ack_goes_to_an_edge_or_nowhere)
{
	struct rig *r = rig_new(OPEN, "");
	struct rig_leg a;

	rig_req(r, "ACK", "sip:bob@10.0.0.1", ALICE, BOB ";tag=b", "c", 2,
		"Route: <sip:rr@" EDGE ";transport=tcp;lr>\r\n");
	rig_leg(r, &a, "ACK");
	cr_expect_str_eq(rig_hdr(r, "Max-Forwards"), "68");
	rig_req(r, "ACK", "sip:bob@10.0.0.1", ALICE, BOB ";tag=b", "c", 2, "");
	cr_expect(rig_take(r) == -1);
	cr_expect(rig_stat(r, "node_acks_dropped_total", NULL) == 1);
	rig_leg_free(&a);
	rig_free(r);
}

Test(proxy, our_own_cap_is_a_503_to_the_edge)
{
	static const char *const many[] = {
		"<sip:bob@10.0.0.1>", "<sip:bob@10.0.0.2>",
	};
	struct rig *r = with("limits = { max_transactions = 100; };\n", 2,
			     many);
	int code = 0;

	rig_pass(r, 70000);
	for (unsigned i = 0; i < 60 && code != 503; i++) {
		char id[16];

		(void)snprintf(id, sizeof(id), "c%u", i);
		rig_req(r, "INVITE", "sip:bob@example.com", ALICE, BOB, id, 1,
			"");
		do {
			code = rig_final(r);
		} while (code == 0);
	}
	cr_expect(code == 503);
	cr_expect_str_neq(rig_hdr(r, "Retry-After"), "");
	rig_free(r);
}

#define EDGE6 "[2001:db8::1]:5070"

Test(proxy, works_over_ipv6)
{
	struct rig *r = rig_new(OPEN "sip = { address = \"2001:db8::11\"; };\n"
				"edges = ( \"2001:db8::/120\" );\n", "");
	static const char reg[] =
		"REGISTER sip:example.com SIP/2.0\r\n"
		"Via: SIP/2.0/TCP " EDGE6 ";branch=z9hG4bKa;alias\r\n"
		"Via: SIP/2.0/UDP [2001:db8:9::7];branch=z9hG4bKb;rport=5060;"
		"received=2001:db8:9::7\r\n"
		"From: " BOB ";tag=1\r\nTo: " BOB "\r\nCall-ID: x\r\n"
		"CSeq: 1 REGISTER\r\nMax-Forwards: 9\r\n"
		"Contact: <sip:bob@[2001:db8:9::7]:5060>\r\n"
		"Path: <sip:t@" EDGE6 ";transport=tcp;lr;ob>\r\n"
		"Content-Length: 0\r\n\r\n";
	struct rig_leg a;

	cr_assert(!addr_parse(&r->edge.peer, SL("[2001:db8::1]:40000"), 0));
	rig_raw(r, reg, sizeof(reg) - 1);
	cr_assert(rig_final(r) == 200);
	cr_expect(r->aliases == 1 && r->alias.af == 6);
	call(r, "Route: <sip:[2001:db8::11]:5060;lr>\r\n");
	rig_leg(r, &a, "INVITE");
	cr_expect(a.flow.peer.af == 6 && a.flow.peer.port == 5070);
	cr_expect(strstr(rig_hdr(r, "Via"), "TCP [2001:db8::11]:5060;"));
	cr_expect(rig_count(r, "Route") == 1);
	rig_leg_free(&a);
	rig_free(r);
}
