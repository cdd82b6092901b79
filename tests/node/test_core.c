/* What a node does with each message: pings, readiness, bad input, RFC 4475. */
#include "tests/node/rig.h"
#include "base/log.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>
#include <stdlib.h>

#define ANY "auth = \"off\";\ndomains = \"any\";\n"
#define OPEN "auth = \"off\";\n"

static void ping(struct rig *r, const char *ruri, const char *more)
{
	static unsigned n;
	char txt[1024];
	int len = snprintf(txt, sizeof(txt), "OPTIONS %s SIP/2.0\r\n"
		"Via: SIP/2.0/TCP " EDGE ";branch=z9hG4bKping%u\r\n"
		"From: <sip:edge@127.0.0.1>;tag=1\r\nTo: <%s>\r\n"
		"Call-ID: p\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 0\r\n"
		"%sContent-Length: 0\r\n\r\n", ruri, ++n, ruri, more);

	rig_raw(r, txt, (size_t)len);
}

Test(core, a_ping_of_the_edge_tells_health)
{
	struct rig *r = rig_new("", "");

	ping(r, "sip:127.0.0.11:5060", "");
	cr_expect(rig_take(r) == 200);
	cr_expect_str_eq(rig_hdr(r, "Edgewise-Health"), "state=ready");
	cr_expect(strstr(rig_hdr(r, "Allow"), "REGISTER"));
	cr_expect_str_neq(rig_hdr(r, "Accept"), "");
	core_set_health(r->core, false, "Joining", "state=joining");
	ping(r, "sip:127.0.0.11", "");
	cr_expect(rig_take(r) == 503);
	cr_expect(sl_eq(r->out.m.reason, SL("Joining")));
	cr_expect_str_eq(rig_hdr(r, "Edgewise-Health"), "state=joining");
	cr_expect_str_neq(rig_hdr(r, "Retry-After"), "");
	rig_free(r);
}

Test(core, clients_do_not_see_health)
{
	struct rig *r = rig_new("", "");

	rig_req(r, "OPTIONS", "sip:example.com", "<sip:a@example.com>",
		"<sip:example.com>", "c", 1, "");
	cr_expect(rig_final(r) == 200);
	cr_expect(rig_count(r, "Edgewise-Health") == 0);
	rig_free(r);
}

Test(core, serves_nobody_until_ready)
{
	struct rig *r = rig_new(OPEN, "");

	core_set_health(r->core, false, "Joining", "state=joining");
	cr_expect(rig_register(r, "a", "<sip:a@h>", "t", 1) == 503);
	rig_req(r, "INVITE", "sip:bob@example.com", "<sip:a@example.com>",
		"<sip:bob@example.com>", "c", 1, "");
	cr_expect(rig_final(r) == 503);
	core_set_health(r->core, true, "", "state=ready");
	cr_expect(rig_register(r, "a", "<sip:a@h>", "t", 2) == 200);
	rig_free(r);
}

Test(core, only_options_are_for_the_node_itself)
{
	struct rig *r = rig_new("", "");

	rig_req(r, "INVITE", "sip:127.0.0.11", "<sip:a@example.com>",
		"<sip:127.0.0.11>", "c", 1, "");
	cr_expect(rig_final(r) == 405);
	cr_expect_str_neq(rig_hdr(r, "Allow"), "");
	ping(r, "sip:127.0.0.11", "Require: foo\r\nProxy-Require: bar\r\n");
	cr_expect(rig_final(r) == 420);
	cr_expect_str_eq(rig_hdr(r, "Unsupported"), "bar, foo");
	rig_free(r);
}

Test(core, a_stream_that_cannot_be_framed_is_answered_and_closed)
{
	static const char head[] =
		"INVITE sip:b@example.com SIP/2.0\r\n"
		"Via: SIP/2.0/TCP " EDGE ";branch=z9hG4bKq\r\n"
		"From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>"
		"\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: -1\r\n"
		"\r\n";
	struct rig *r = rig_new(OPEN, "");

	core_recv(r->core, &r->edge, sl_mk(head, sizeof(head) - 1), FRAME_BAD,
		  "Bad Content-Length", r->now, r->wall);
	cr_expect(rig_take(r) == 400);
	(void)rig_take(r);
	cr_expect(r->closes == 1);
	core_recv(r->core, &r->edge, sl_mk(head, sizeof(head) - 1), FRAME_BIG,
		  "Too Big", r->now, r->wall);
	cr_expect(rig_take(r) == 513);
	rig_free(r);
}

Test(core, responses_to_nothing_are_dropped)
{
	static const char resp[] =
		"SIP/2.0 200 OK\r\n"
		"Via: SIP/2.0/TCP 127.0.0.11;branch=z9hG4bK0000000000000000"
		"00000000000000\r\n"
		"From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>;"
		"tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0"
		"\r\n\r\n";
	struct rig *r = rig_new(OPEN, "");

	rig_raw(r, resp, sizeof(resp) - 1);
	cr_expect(rig_take(r) == -1);
	cr_expect(rig_stat(r, "node_strays_total", NULL) == 1);
	rig_free(r);
}

Test(core, over_the_cap_503_without_a_transaction)
{
	struct rig *r = rig_new(OPEN "limits = { max_transactions = 100; };\n",
				"");
	int code = 0;

	for (unsigned i = 0; i < 120 && code != 503; i++) {
		rig_req(r, "INVITE", "sip:b@example.com",
			"<sip:a@example.com>", "<sip:b@example.com>", "c",
			i + 1, "");
		code = rig_final(r);
	}
	cr_expect(code == 503);
	cr_expect(rig_stat(r, "node_over_cap_total", NULL) == 1);
	rig_free(r);
}

Test(core, a_request_cut_anywhere_does_no_harm)
{
	struct rig *r = rig_new(OPEN, "");
	char whole[1024];
	size_t n;

	r->edge.tp = TP_UDP;
	r->edge.lst = 0;
	r->edge.conn = 0;
	rig_req(r, "REGISTER", "sip:example.com", "<sip:a@example.com>",
		"<sip:a@example.com>", "c", 1, "Contact: <sip:a@h>;q=0.5\r\n");
	n = strlen(r->text);
	memcpy(whole, r->text, n);
	for (size_t i = 0; i < n; i++)
		rig_raw(r, whole, i);
	while (rig_take(r) >= 0)
		;
	cr_expect(rig_register(r, "a", "<sip:a@g>", "t", 9) == 200);
	cr_expect(rig_count(r, "Contact") == 2, "one from the whole message");
	rig_free(r);
}

/* --- RFC 4475 -------------------------------------------------------------- */

struct verdict {
	const char *name;
	int code;          /* final answer; 0 = nothing is answered         */
	const char *why;   /* where the RFC leaves a choice                 */
};

/* What a node says, with every domain served and nobody challenged. The
 * callee is nobody: 404 means "would have been passed on". */
static const struct verdict verdicts[] = {
	{ "wsinv", 404, "" }, { "intmeth", 404, "" }, { "esc01", 404, "" },
	{ "escnull", 200, "two contacts" }, { "esc02", 405, "no REGISTER" },
	{ "lwsdisp", 404, "" }, { "longreq", 404, "" },
	{ "dblreq", 200, "the first message only" }, { "semiuri", 404, "" },
	{ "transports", 404, "" }, { "mpart01", 404, "" },
	{ "unreason", 0, "response" }, { "noreason", 0, "response" },
	{ "badinv01", 400, "" }, { "clerr", 400, "" }, { "ncl", 400, "" },
	{ "scalar02", 400, "" }, { "scalarlg", 0, "response" },
	{ "quotbal", 400, "" }, { "ltgtruri", 400, "" },
	{ "lwsruri", 400, "" }, { "lwsstart", 400, "" }, { "trws", 400, "" },
	{ "escruri", 400, "" }, { "baddate", 404, "Date is not looked at" },
	{ "regbadct", 400, "" }, { "badaspec", 400, "" }, { "baddn", 400, "" },
	{ "badvers", 505, "" }, { "mismatch01", 400, "" },
	{ "mismatch02", 400, "not 501" }, { "bigcode", 0, "response" },
	{ "badbranch", 400, "not RFC 2543 matching" }, { "insuf", 400, "" },
	{ "unkscm", 416, "" }, { "novelsc", 416, "" },
	{ "unksm2", 400, "To is no address of record" },
	{ "bext01", 420, "" }, { "invut", 404, "the body is the callee's" },
	{ "regaut01", 200, "nobody is asked here" }, { "multi01", 400, "" },
	{ "mcl01", 400, "" }, { "bcast", 0, "response" },
	{ "zeromf", 483, "not for this node" }, { "cparam01", 200, "" },
	{ "cparam02", 200, "" },
	{ "regescrt", 400, "no headers in a binding" },
	{ "sdp01", 404, "" }, { "inv2543", 404, "" }, { "test", 0, "no Via" },
	{ "baddn-crlf", 400, "" },
};

static void torture(struct rig *r, const char *name)
{
	static uint8_t mem[8192];
	char path[512];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), TORTURE "/%s.dat", name);
	f = fopen(path, "rb");
	cr_assert(f, "%s", path);
	n = fread(mem, 1, sizeof(mem), f);
	(void)fclose(f);
	rig_raw(r, mem, n);
}

static int final_or_none(struct rig *r)
{
	int code;

	do {
		code = rig_take(r);
	} while (code == 100);
	return code < 0 ? 0 : code;
}

Test(core, rfc_4475_each_message_gets_its_answer)
{
	for (unsigned i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		const struct verdict *v = &verdicts[i];
		struct rig *r = rig_new(ANY, "");
		int code;

		r->edge.tp = TP_UDP;
		r->edge.lst = 0;
		r->edge.conn = 0;
		r->lenient = true;
		torture(r, v->name);
		code = final_or_none(r);
		cr_expect(code == v->code, "%s: %d", v->name, code);
		cr_expect(rig_take(r) == -1, "%s: one answer", v->name);
		/* and the next one is served as ever */
		cr_expect(rig_register(r, "x", "<sip:x@h>", "t", 1) == 200,
			  "after %s", v->name);
		rig_free(r);
	}
}

Test(core, rfc_4475_registrations_are_stored_as_meant)
{
	static const struct { const char *name, *contact; } row[] = {
		{ "cparam01", "<sip:+19725552222@gw1.example.net>" },
		{ "cparam02", "<sip:+19725552222@gw1.example.net;unknownparam>"
		},
	};

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct rig *r = rig_new(ANY, "");
		const char *c;

		r->edge.tp = TP_UDP;
		r->edge.lst = 0;
		r->edge.conn = 0;
		torture(r, row[i].name);
		cr_assert(rig_final(r) == 200);
		c = rig_hdr(r, "Contact");
		cr_expect(!strncmp(c, row[i].contact, strlen(row[i].contact)),
			  "%s: %s", row[i].name, c);
		rig_free(r);
	}
}

Test(core, rfc_4475_odd_credentials_are_challenged)
{
	struct rig *r = rig_new("domains = \"any\";\n", "");

	r->edge.tp = TP_UDP;
	r->edge.lst = 0;
	r->edge.conn = 0;
	torture(r, "regaut01");
	cr_expect(rig_final(r) == 401);
	rig_free(r);
}

/* --- a 200 that waits for another node -------------------------------------- */

#define A "<sip:a@example.com>"

static void reg(struct rig *r, unsigned cseq)
{
	rig_req(r, "REGISTER", "sip:example.com", A, A, "c", cseq,
		"Contact: <sip:a@h>\r\n");
}

Test(core, register_waits_until_another_node_has_the_contact)
{
	struct rig *r = rig_new(OPEN, "");

	core_set_others(r->core, 2, r->now);
	reg(r, 1);
	cr_expect(rig_final(r) == -1);
	cr_expect(core_open(r->core) == 1);
	rig_pass(r, 20);
	core_acked(r->core, 0, store_seq(r->store) - 1, r->now, r->wall);
	cr_expect(rig_final(r) == -1);
	core_acked(r->core, 0, store_seq(r->store), r->now, r->wall);
	cr_expect(core_next(r->core) > r->now, "nothing is left for a timer");
	cr_expect(rig_final(r) == 200);
	cr_expect(rig_count(r, "Contact") == 1);
	cr_expect(core_open(r->core) == 0);
	rig_free(r);
}

Test(core, register_does_not_wait_for_ever)
{
	struct rig *r = rig_new(OPEN "replicate_ack_timeout = 150;\n", "");

	core_set_others(r->core, 1, r->now);
	reg(r, 1);
	rig_pass(r, 119);
	cr_expect(rig_final(r) == -1);
	rig_pass(r, 1);
	cr_expect(rig_final(r) == 200);
	cr_expect(rig_stat(r, "node_registers_unacked_total", NULL) == 1);
	rig_free(r);
}

/* The edge moves a REGISTER after 500 ms and has sent it earlier than we got it */
Test(core, register_is_answered_well_before_the_edge_moves_it)
{
	struct rig *r = rig_new(OPEN, "");

	core_set_others(r->core, 1, r->now);
	reg(r, 1);
	rig_pass(r, 399);
	cr_expect(rig_final(r) == -1);
	rig_pass(r, 1);
	cr_expect(rig_final(r) == 200);
	rig_free(r);
}

Test(core, register_does_not_wait_where_that_is_switched_off)
{
	static const char *const off[] = { "replicate_ack = 0;\n",
		"replicate_ack_timeout = 0;\n",
		"cluster = { ack_timeout = 0; };\n" };

	for (unsigned i = 0; i < 3; i++) {
		char conf[200];
		struct rig *r;

		(void)snprintf(conf, sizeof(conf), OPEN "%s", off[i]);
		r = rig_new(conf, "");
		core_set_others(r->core, 1, r->now);
		reg(r, 1);
		cr_expect(rig_final(r) == 200, "%s", off[i]);
		rig_free(r);
	}
}

/* Twenty at once, from a client who would write its own line into our log */
Test(core, every_register_answered_without_a_copy_is_a_line_of_the_log)
{
	struct rig *r = rig_new(OPEN, "");
	FILE *f = tmpfile();
	char line[1024], want[64];
	unsigned n = 0;

	cr_assert(f && dup2(fileno(f), STDERR_FILENO) >= 0);
	log_init("test", LOG_TO_STDERR, LOG_LV_WARN);
	core_set_others(r->core, 1, r->now);
	for (unsigned i = 0; i < 20; i++) {
		(void)snprintf(line, sizeof(line), "id\"%u=x", i);
		rig_req(r, "REGISTER", "sip:example.com", A, A, line, i + 7,
			"Contact: <sip:a@h>\r\n");
	}
	rig_pass(r, 400);
	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	rewind(f);
	while (fgets(line, sizeof(line), f)) {
		if (!strstr(line, "event=unacked "))
			continue;
		(void)snprintf(want, sizeof(want), " callid=\"id\\\"%u=x\" "
			       "cseq=%u node=\"n1\" ", n, n + 7);
		cr_expect(strstr(line, want), "%s: %s", want, line);
		cr_expect(strstr(line, " aor=\"a@example.com\" "), "%s",
			  line);
		n++;
	}
	cr_expect(n == 20, "%u", n);
	cr_expect(rig_stat(r, "node_registers_unacked_total", NULL) == 20);
	(void)fclose(f);
	rig_free(r);
}

Test(core, register_waits_only_for_living_nodes_and_for_changes)
{
	struct rig *r = rig_new(OPEN, "");

	reg(r, 1);
	cr_expect(rig_final(r) == 200, "alone");
	core_set_others(r->core, 1, r->now);
	rig_req(r, "REGISTER", "sip:example.com", A, A, "c", 2, "");
	cr_expect(rig_final(r) == 200, "a fetch changes nothing");
	reg(r, 3);
	cr_expect(rig_final(r) == -1);
	core_set_others(r->core, 0, r->now);
	cr_expect(rig_final(r) == 200, "the last other one died");
	core_set_others(r->core, 1, r->now);
	reg(r, 4);                 /* still waiting at the end: no leak */
	rig_free(r);
}

Test(core, every_waiting_register_gets_its_own_answer_in_order)
{
	struct rig *r = rig_new(OPEN, "");
	uint64_t seq[3];
	char id[8];

	core_set_others(r->core, 1, r->now);
	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(id, sizeof(id), "c%u", i);
		rig_req(r, "REGISTER", "sip:example.com", A, A, id, 1,
			"Contact: <sip:a@h>\r\n");
		seq[i] = store_seq(r->store);
	}
	core_acked(r->core, 0, seq[1], r->now, r->wall);
	cr_expect(rig_final(r) == 200);
	cr_expect_str_eq(rig_hdr(r, "Call-ID"), "c0");
	cr_expect(rig_final(r) == 200);
	cr_expect_str_eq(rig_hdr(r, "Call-ID"), "c1");
	cr_expect(rig_final(r) == -1);
	core_acked(r->core, 0, seq[2], r->now, r->wall);
	cr_expect(rig_final(r) == 200);
	rig_free(r);
}

Test(core, while_stopping_only_what_is_under_way_goes_on)
{
	struct rig *r = rig_new(OPEN, "");
	struct rig_leg l;

	cr_assert(rig_register(r, "bob", "<sip:bob@h>", "t", 1) == 200);
	rig_req(r, "INVITE", "sip:bob@example.com", A, "<sip:bob@example.com>",
		"c", 1, "");
	rig_leg(r, &l, "INVITE");
	core_stop(r->core);
	cr_expect(core_open(r->core) == 1);
	ping(r, "sip:127.0.0.11", "");
	cr_expect(rig_take(r) == 200, "the edge would give the call up");
	reg(r, 1);
	cr_expect(rig_final(r) == 503);
	rig_answer(r, &l, 200, "b", "");
	cr_expect(rig_take(r) == 200);
	cr_expect(core_open(r->core) == 0);
	rig_leg_free(&l);
	rig_free(r);
}

/* The process stood still for 33 s; what its sockets hold is as old as that */
Test(core, registers_that_waited_while_it_was_frozen_are_not_taken)
{
	struct rig *r = rig_new("auth = \"off\";\n", "");
	const char *bob = "<sip:bob@10.0.0.8>";

	core_awake(r->core, r->now);
	rig_pass(r, 1000);
	core_awake(r->core, r->now);
	cr_expect_eq(rig_register(r, "bob", bob, "tok", 1), 200);
	r->now += 33000;
	r->wall += 33000;
	cr_expect_eq(rig_register(r, "bob", bob, "tok", 2), -1);
	cr_expect_eq(rig_stat(r, "node_registers_stale_total", ""), 1);
	rig_req(r, "OPTIONS", "sip:127.0.0.11", "<sip:probe@127.0.0.1>",
		"<sip:127.0.0.11>", "probe", 1, "");
	cr_expect_eq(rig_final(r), 200, "the edge's pings are answered");
	rig_pass(r, 400);
	core_awake(r->core, r->now);
	cr_expect_eq(rig_register(r, "bob", bob, "tok", 3), 200);
	rig_free(r);
}

Test(core, a_loop_that_turns_is_never_called_frozen)
{
	struct rig *r = rig_new("auth = \"off\";\n", "");

	for (unsigned i = 1; i < 20; i++) {
		core_awake(r->core, r->now);
		cr_expect_eq(rig_register(r, "bob", "<sip:bob@10.0.0.8>",
					  "tok", i), 200);
		rig_pass(r, 1900);
	}
	cr_expect_eq(rig_stat(r, "node_registers_stale_total", ""), 0);
	rig_free(r);
}
