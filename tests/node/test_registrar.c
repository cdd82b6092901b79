/* REGISTER, rule by rule. RFC 3261 10.3, 3327, 5626. */
#include "tests/node/rig.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define OPEN "auth = \"off\";\n"
#define A "<sip:alice@example.com>"

static int reg(struct rig *r, const char *callid, unsigned cseq,
	       const char *more)
{
	rig_req(r, "REGISTER", "sip:example.com", A, A, callid, cseq, more);
	return rig_final(r);
}

/* All contacts as a fetch lists them, q order, one string */
static const char *fetch(struct rig *r)
{
	static char txt[2048];
	size_t n = 0;

	cr_assert(reg(r, "fetch", 1, "") == 200);
	txt[0] = 0;
	for (unsigned i = 0; i < r->out.m.hdrc; i++) {
		const struct sip_hdr *h = &r->out.m.hdr[i];
		struct sl v = sip_val(&r->out.m, h);

		if (h->id == SIP_CONTACT)
			n += (size_t)snprintf(txt + n, sizeof(txt) - n,
					      "%s%.*s", n ? " " : "",
					      SL_FMT(v));
	}
	return txt;
}

Test(registrar, binds_and_lists)
{
	struct rig *r = rig_new(OPEN, "");

	cr_expect(reg(r, "c", 1, "Contact: <sip:a@10.0.0.7>;expires=600\r\n"
		      "Path: " PATH("tok") "\r\n") == 200);
	cr_expect_str_eq(rig_hdr(r, "Contact"),
			 "<sip:a@10.0.0.7>;expires=600;q=1.0");
	cr_expect_str_eq(rig_hdr(r, "Path"), PATH("tok"));
	cr_expect(strstr(rig_hdr(r, "To"), ";tag="));
	rig_pass(r, 1500);
	cr_expect_str_eq(fetch(r), "<sip:a@10.0.0.7>;expires=599;q=1.0");
	cr_expect(rig_stat(r, "node_register_total", "result=\"accepted\"")
		  == 1);
	cr_expect(rig_stat(r, "node_register_total", "result=\"fetched\"")
		  == 1);
	rig_free(r);
}

Test(registrar, several_contacts_in_one_request)
{
	struct rig *r = rig_new(OPEN, "");

	cr_expect(reg(r, "c", 1, "Contact: <sip:a@h1>;q=0.5, <sip:a@h2>;q=0.7"
		      "\r\nm: sip:a@h3;q=0.1\r\nExpires: 100\r\n") == 200);
	cr_expect(rig_count(r, "Contact") == 3);
	cr_expect_str_eq(fetch(r), "<sip:a@h2>;expires=100;q=0.700 "
			 "<sip:a@h1>;expires=100;q=0.500 "
			 "<sip:a@h3>;expires=100;q=0.100");
	rig_free(r);
}

Test(registrar, how_long_a_contact_lives)
{
	static const struct { const char *hdrs; int code; const char *secs; }
	row[] = {
		{ "Contact: <sip:a@h>\r\n", 200, "3600" },
		{ "Contact: <sip:a@h>\r\nExpires: 90\r\n", 200, "90" },
		{ "Contact: <sip:a@h>;expires=80\r\nExpires: 90\r\n", 200,
		  "80" },
		{ "Contact: <sip:a@h>;expires=4294967295\r\n", 200, "7200" },
		{ "Contact: <sip:a@h>;expires=60\r\n", 200, "60" },
		{ "Contact: <sip:a@h>;expires=59\r\n", 423, NULL },
		{ "Contact: <sip:a@h>;expires=1\r\n", 423, NULL },
		{ "Contact: <sip:a@h>\r\nExpires: 5\r\n", 423, NULL },
		{ "Contact: <sip:a@h>;expires=99, <sip:a@g>;expires=3\r\n",
		  423, NULL },
		{ "Contact: <sip:a@h>;expires=later\r\n", 200, "3600" },
	};
	char want[128];

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct rig *r = rig_new(OPEN
			"registrar = { max_expires = 7200; };\n", "");
		int code = reg(r, "c", 1, row[i].hdrs);

		cr_expect(code == row[i].code, "%s: %d", row[i].hdrs, code);
		if (code == 423)
			cr_expect_str_eq(rig_hdr(r, "Min-Expires"), "60");
		(void)snprintf(want, sizeof(want),
			       "<sip:a@h>;expires=%s;q=1.0", row[i].secs);
		cr_expect_str_eq(fetch(r), row[i].secs ? want : "",
				 "%s", row[i].hdrs);
		rig_free(r);
	}
}

Test(registrar, a_contact_ends_when_its_time_is_over)
{
	struct rig *r = rig_new(OPEN, "");

	cr_expect(reg(r, "c", 1, "Contact: <sip:a@h>;expires=60\r\n") == 200);
	rig_pass(r, 59000);
	cr_expect_str_eq(fetch(r), "<sip:a@h>;expires=1;q=1.0");
	rig_pass(r, 1001);
	cr_expect_str_eq(fetch(r), "");
	rig_free(r);
}

Test(registrar, expires_zero_removes_only_that_one)
{
	struct rig *r = rig_new(OPEN, "");

	cr_expect(reg(r, "c", 1, "Contact: <sip:a@h1>, <sip:a@h2>\r\n")
		  == 200);
	cr_expect(reg(r, "c", 2, "Contact: <sip:A@h9>;expires=0, "
		      "<sip:a@H1>;expires=0\r\n") == 200);
	cr_expect_str_eq(fetch(r), "<sip:a@h2>;expires=3600;q=1.0");
	rig_free(r);
}

Test(registrar, star_removes_all)
{
	struct rig *r = rig_new(OPEN, "");

	cr_expect(reg(r, "c", 1, "Contact: <sip:a@h1>, <sip:a@h2>\r\n")
		  == 200);
	cr_expect(reg(r, "other", 1, "Contact: *\r\nExpires: 0\r\n") == 200);
	cr_expect(rig_count(r, "Contact") == 0);
	cr_expect_str_eq(fetch(r), "");
	cr_expect(reg(r, "other", 2, "Contact: *\r\nExpires: 0\r\n") == 200,
		  "with nothing there");
	rig_free(r);
}

Test(registrar, star_stands_alone_with_expires_zero)
{
	static const char *const bad[] = {
		"Contact: *\r\n", "Contact: *\r\nExpires: 60\r\n",
		"Contact: *, <sip:a@h>\r\nExpires: 0\r\n",
		"Contact: <sip:a@h>\r\nContact: *\r\nExpires: 0\r\n",
		"Contact: *, *\r\nExpires: 0\r\n",
		"Contact: *\r\nExpires: x\r\n",
	};
	struct rig *r = rig_new(OPEN, "");

	cr_expect(reg(r, "c", 1, "Contact: <sip:a@h1>\r\n") == 200);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(reg(r, "c", 2 + i, bad[i]) == 400, "%s", bad[i]);
	cr_expect_str_eq(fetch(r), "<sip:a@h1>;expires=3600;q=1.0");
	rig_free(r);
}

Test(registrar, lower_cseq_of_a_call_id_changes_nothing)
{
	struct rig *r = rig_new(OPEN, "");

	cr_expect(reg(r, "c", 10, "Contact: <sip:a@h1>\r\n") == 200);
	cr_expect(reg(r, "c", 9, "Contact: <sip:a@h1>;q=0.1\r\n") == 500);
	cr_expect(reg(r, "c", 9, "Contact: <sip:a@h2>, <sip:a@h1>\r\n")
		  == 500, "whole request");
	cr_expect(reg(r, "c", 9, "Contact: *\r\nExpires: 0\r\n") == 500);
	cr_expect_str_eq(fetch(r), "<sip:a@h1>;expires=3600;q=1.0");
	cr_expect(reg(r, "d", 1, "Contact: <sip:a@h1>;q=0.2\r\n") == 200,
		  "another Call-ID has its own order");
	rig_free(r);
}

Test(registrar, equal_cseq_is_a_retransmission_or_an_error)
{
	struct rig *r = rig_new(OPEN, "");

	cr_expect(reg(r, "c", 1, "Contact: <sip:a@h1>\r\nPath: "
		      PATH("one") "\r\n") == 200);
	cr_expect(reg(r, "c", 1, "Contact: <sip:a@h1>\r\nPath: "
		      PATH("two") "\r\n") == 200, "edges draw new tokens");
	cr_expect(rig_count(r, "Contact") == 1);
	cr_expect(rig_stat(r, "node_register_total", "result=\"repeated\"")
		  == 1);
	cr_expect(reg(r, "c", 1, "Contact: <sip:a@h1>;q=0.5\r\n") == 500);
	cr_expect(reg(r, "c", 1, "Contact: <sip:a@h1>;expires=0\r\n") == 500);
	cr_expect_str_eq(fetch(r), "<sip:a@h1>;expires=3600;q=1.0");
	rig_free(r);
}

Test(registrar, a_repeated_removal_is_answered_200)
{
	struct rig *r = rig_new(OPEN, "");

	cr_expect(reg(r, "c", 1, "Contact: <sip:a@h1>\r\n") == 200);
	cr_expect(reg(r, "c", 2, "Contact: <sip:a@h1>;expires=0\r\n") == 200);
	cr_expect(reg(r, "c", 2, "Contact: <sip:a@h1>;expires=0\r\n") == 200);
	rig_free(r);
}

Test(registrar, a_late_old_register_does_not_bring_back_what_was_removed)
{
	struct rig *r = rig_new(OPEN, "");

	cr_expect(reg(r, "c", 5, "Contact: <sip:a@h1>\r\n") == 200);
	cr_expect(reg(r, "c", 6, "Contact: <sip:a@h1>;expires=0\r\n") == 200);
	cr_expect(reg(r, "c", 4, "Contact: <sip:a@h1>\r\n") == 500);
	cr_expect(reg(r, "c", 5, "Contact: <sip:a@h1>\r\n") == 500);
	cr_expect_str_eq(fetch(r), "");
	rig_free(r);
}

Test(registrar, one_bad_contact_stops_all_of_them)
{
	static const char *const bad[] = {
		"Contact: <sip:a@h2>, <tel:+1>\r\n",
		"Contact: <sip:a@h2>;q=0.5, <sip:a@h3>;q=7\r\n",
		"Contact: <sip:a@h2>, <sip:a@h3?X=1>\r\n",
	};
	struct rig *r = rig_new(OPEN, "");

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(reg(r, "c", 1 + i, bad[i]) == 400, "%s", bad[i]);
	cr_expect_str_eq(fetch(r), "");
	rig_free(r);
}

Test(registrar, too_many_contacts_are_refused_whole)
{
	struct rig *r = rig_new(OPEN "registrar = { max_contacts = 2; };\n",
				"");

	cr_expect(reg(r, "c", 1, "Contact: <sip:a@1>, <sip:a@2>, <sip:a@3>"
		      "\r\n") == 403);
	cr_expect_str_eq(fetch(r), "");
	cr_expect(reg(r, "c", 2, "Contact: <sip:a@1>, <sip:a@2>\r\n") == 200);
	cr_expect(reg(r, "c", 3, "Contact: <sip:a@3>\r\n") == 403);
	cr_expect(reg(r, "c", 4, "Contact: <sip:a@1>, <sip:a@2>\r\n") == 200,
		  "refreshing is no new contact");
	cr_expect(reg(r, "c", 5, "Contact: <sip:a@1>;expires=0, <sip:a@3>"
		      "\r\n") == 200, "one for one");
	rig_free(r);
}

Test(registrar, a_long_list_leaves_room_for_what_the_answer_repeats)
{
	struct rig *r = rig_new(OPEN, "");
	static char line[1200], callid[9000];

	for (unsigned i = 0; i < 10; i++) {
		(void)snprintf(line, sizeof(line), "Contact: <sip:a@1;n=%u;x="
			       "%0900u>\r\n", i, i);
		cr_assert(reg(r, "c", i + 1, line) == 200);
	}
	/* an edge's framer takes 16 KiB of headers, else it would end the
	 * connection that everything else runs on */
	memset(callid, 'c', 7000);
	cr_assert(reg(r, callid, 1, "") == 200);
	cr_expect_leq(r->out.m.body_off, SIP_MAX_HEAD);
	cr_expect_geq(rig_count(r, "Contact"), 6);
	cr_expect(reg(r, "c2", 1, "") == 200);
	cr_expect_eq(rig_count(r, "Contact"), 10);
	rig_free(r);
}

Test(registrar, full_store_answers_503_and_still_refreshes)
{
	struct rig *r = rig_new(OPEN "registrar = { max_bindings = 1; };\n",
				"");

	cr_expect(reg(r, "c", 1, "Contact: <sip:a@1>\r\n") == 200);
	cr_expect(reg(r, "c", 2, "Contact: <sip:a@2>\r\n") == 503);
	cr_expect_str_neq(rig_hdr(r, "Retry-After"), "");
	cr_expect(reg(r, "c", 3, "Contact: <sip:a@1>\r\n") == 200);
	rig_free(r);
}

Test(registrar, lengths_have_limits)
{
	struct rig *r = rig_new(OPEN "registrar = { max_contact = 64; "
				"max_aor = 32; max_path = 64; };\n", "");
	char txt[600];

	(void)snprintf(txt, sizeof(txt), "Contact: <sip:%080d@h>\r\n", 1);
	cr_expect(reg(r, "c", 1, txt) == 400);
	(void)snprintf(txt, sizeof(txt), "Contact: <sip:a@h>\r\n"
		       "Path: <sip:%080d@h;lr>\r\n", 1);
	cr_expect(reg(r, "c", 1, txt) == 400);
	(void)snprintf(txt, sizeof(txt), "<sip:%040d@example.com>", 1);
	rig_req(r, "REGISTER", "sip:example.com", txt, txt, "c", 1,
		"Contact: <sip:a@h>\r\n");
	cr_expect(rig_final(r) == 400);
	rig_free(r);
}

Test(registrar, extensions_it_does_not_have_are_named)
{
	struct rig *r = rig_new(OPEN, "");

	cr_expect(reg(r, "c", 1, "Require: path, gruu, nothing\r\n"
		      "Contact: <sip:a@h>\r\n") == 420);
	cr_expect_str_eq(rig_hdr(r, "Unsupported"), "gruu, nothing");
	cr_expect(reg(r, "c", 1, "Require: path, outbound\r\n"
		      "Contact: <sip:a@h>\r\n") == 200);
	rig_free(r);
}

#define UUID ";+sip.instance=\"<urn:uuid:1>\""

Test(registrar, a_phone_that_moved_replaces_its_flow)
{
	struct rig *r = rig_new(OPEN, "");

	cr_expect(reg(r, "c", 1, "Supported: path, outbound\r\nContact: "
		      "<sip:a@1.1.1.1>" UUID ";reg-id=1\r\n"
		      "Path: " PATH("one") "\r\n") == 200);
	cr_expect_str_eq(rig_hdr(r, "Require"), "outbound");
	cr_expect(reg(r, "d", 1, "Contact: <sip:a@2.2.2.2>" UUID ";reg-id=1"
		      "\r\nPath: " PATH("two") "\r\n") == 200);
	cr_expect_str_eq(fetch(r), "<sip:a@2.2.2.2>;expires=3600;q=1.0"
			 ";+sip.instance=\"<urn:uuid:1>\";reg-id=1");
	cr_expect(reg(r, "e", 1, "Contact: <sip:a@2.2.2.2>" UUID ";reg-id=2"
		      "\r\nPath: " PATH("two") "\r\n") == 200);
	cr_expect(rig_count(r, "Contact") == 2, "a second flow");
	cr_expect(reg(r, "e", 2, "Supported: path, outbound\r\nContact: "
		      "<sip:a@2.2.2.2>" UUID ";reg-id=2;expires=0\r\n"
		      "Path: " PATH("two") "\r\n") == 200);
	cr_expect(rig_count(r, "Require") == 0, "nothing was bound");
	rig_free(r);
}

Test(registrar, only_one_live_contact_with_reg_id_per_request)
{
	struct rig *r = rig_new(OPEN, "");

	cr_expect(reg(r, "c", 1, "Contact: <sip:a@1.1.1.1>" UUID ";reg-id=1, "
		      "<sip:a@2.2.2.2>\r\nPath: " PATH("t") "\r\n") == 400);
	cr_expect(reg(r, "c", 2, "Contact: <sip:a@1.1.1.1>" UUID ";reg-id=1, "
		      "<sip:a@2.2.2.2>;expires=0\r\nPath: " PATH("t") "\r\n")
		  == 200);
	rig_free(r);
}

Test(registrar, the_same_contact_twice_counts_once_the_last)
{
	struct rig *r = rig_new(OPEN, "");

	cr_expect(reg(r, "c", 1, "Contact: <sip:a@h>;q=0.1, <sip:a@H>;q=0.9"
		      "\r\n") == 200);
	cr_expect_str_eq(fetch(r), "<sip:a@H>;expires=3600;q=0.900");
	rig_free(r);
}

Test(registrar, users_that_only_differ_in_writing_are_one)
{
	struct rig *r = rig_new(OPEN, "");

	cr_expect(reg(r, "c", 1, "Contact: <sip:a@h>\r\n") == 200);
	rig_req(r, "REGISTER", "sip:example.com", A,
		"<sip:al%69ce@EXAMPLE.com:5060;x=y>", "d", 1, "");
	cr_expect(rig_final(r) == 200);
	cr_expect(rig_count(r, "Contact") == 1);
	rig_req(r, "REGISTER", "sip:example.com", A, "<sip:Alice@example.com>",
		"d", 1, "");
	cr_expect(rig_final(r) == 200);
	cr_expect(rig_count(r, "Contact") == 0);
	rig_free(r);
}

Test(registrar, nul_in_a_user_part_is_a_character_like_others)
{
	struct rig *r = rig_new(OPEN, "");

	cr_expect(reg(r, "c", 1, "Contact: <sip:%00@h>, <sip:%00%00@h>\r\n")
		  == 200);
	cr_expect(rig_count(r, "Contact") == 2);
	rig_free(r);
}

Test(registrar, only_domains_it_serves)
{
	struct rig *r = rig_new(OPEN, "");

	rig_req(r, "REGISTER", "sip:example.com", A, "<sip:a@other.org>", "c",
		1, "");
	cr_expect(rig_final(r) == 404);
	rig_req(r, "REGISTER", "sip:other.org", A, A, "c", 2, "");
	cr_expect(rig_final(r) == 404);
	rig_req(r, "REGISTER", "sip:example.com", A, "<tel:+1>", "c", 3, "");
	cr_expect(rig_final(r) == 400);
	rig_req(r, "REGISTER", "sip:example.com", A, "<sip:example.com>", "c",
		4, "");
	cr_expect(rig_final(r) == 400);
	rig_free(r);
	r = rig_new(OPEN "domains = ( \"example.com\", \"b.org\" );\n", "");
	rig_req(r, "REGISTER", "sip:b.org", A, A, "c", 1, "");
	cr_expect(rig_final(r) == 404, "not in that domain");
	rig_req(r, "REGISTER", "sip:B.org", A, "<sip:alice@b.org>", "c", 1,
		"Contact: <sip:a@h>\r\n");
	cr_expect(rig_final(r) == 200);
	rig_req(r, "REGISTER", "sip:example.com", A, A, "d", 1, "");
	cr_expect(rig_final(r) == 200);
	cr_expect(rig_count(r, "Contact") == 0, "another address of record");
	rig_free(r);
	r = rig_new(OPEN "domains = \"any\";\n", "");
	rig_req(r, "REGISTER", "sip:other.org", A, "<sip:a@other.org>", "c",
		1, "Contact: <sip:a@h>\r\n");
	cr_expect(rig_final(r) == 200);
	rig_free(r);
}

Test(registrar, a_retransmitted_register_gets_the_same_answer)
{
	struct rig *r = rig_new(OPEN, "");

	r->edge.tp = TP_UDP;
	r->edge.lst = 0;
	r->edge.conn = 0;
	cr_expect(reg(r, "c", 1, "Contact: <sip:a@h>\r\n") == 200);
	rig_raw(r, r->text, strlen(r->text));
	cr_expect(rig_final(r) == 200);
	cr_expect(rig_stat(r, "node_register_total", "result=\"accepted\"")
		  == 1);
	rig_free(r);
}
