/* The scanner: fields, refusals, lists. */
#include "tests/sip/msg.h"

static void refuse(const char *txt, int code, bool answerable)
{
	struct scanned *s = scan_txt(txt);

	cr_expect_eq(s->err, EBADMSG, "accepted: %s", txt);
	cr_expect_eq(s->f.code, code, "%d %s: %s", s->f.code,
		     s->f.why ? s->f.why : "", txt);
	cr_expect_eq(s->f.answerable, answerable, "%s", txt);
	scanned_free(s);
}

static void accept_it(const char *txt)
{
	struct scanned *s = scan_txt(txt);

	cr_expect_eq(s->err, 0, "%s: %s", s->f.why ? s->f.why : "", txt);
	scanned_free(s);
}

Test(scan, fields_of_a_request)
{
	struct scanned *s = scan_txt(INVITE("Contact: <sip:a@192.0.2.1>\r\n"));
	const struct sip_msg *m = &s->m;

	cr_assert_eq(s->err, 0);
	cr_assert(m->req);
	cr_assert_eq(m->meth, SIP_INVITE);
	SLEQ(m->ruri, "sip:bob@example.com");
	SLEQ(m->callid, "c1@192.0.2.1");
	cr_assert_eq(m->cseq, 7);
	cr_assert_eq(m->maxfwd, 70);
	SLEQ(m->from, "Alice <sip:alice@example.com>;tag=a1");
	SLEQ(m->from_tag, "a1");
	SLEQ(m->to, "Bob <sip:bob@example.com>");
	cr_assert(!sl_isset(m->to_tag));
	SLEQ(m->body, "body");
	cr_assert_eq(m->hdrc, 8);
	SLEQ(sip_first(m, SIP_CONTACT), "<sip:a@192.0.2.1>");
	SLEQ(sip_val(m, sip_hdr(m, SIP_CONTENT_LENGTH)), "4");
	cr_assert_null(sip_hdr(m, SIP_ROUTE));
	scanned_free(s);
}

Test(scan, fields_of_a_response)
{
	struct scanned *s = scan_txt("SIP/2.0 486 Busy Here\r\n"
		"Via: SIP/2.0/UDP 192.0.2.1\r\nf: <sip:a@b>;tag=1\r\n"
		"t: <sip:c@d>;tag=2\r\ni: x\r\nCSeq: 2147483647 BYE\r\n"
		"l: 0\r\n\r\n");

	cr_assert_eq(s->err, 0);
	cr_assert(!s->m.req);
	cr_assert_eq(s->m.status, 486);
	SLEQ(s->m.reason, "Busy Here");
	cr_assert_eq(s->m.meth, SIP_BYE);
	SLEQ(s->m.method, "BYE");
	cr_assert_eq(s->m.cseq, 0x7fffffff);
	cr_assert_eq(s->m.maxfwd, -1);
	scanned_free(s);
}

Test(scan, every_known_name_is_found_in_any_case)
{
	static const struct {
		const char *name;
		enum sip_hid id;
	} v[] = {
		{"VIA", SIP_VIA}, {"v", SIP_VIA}, {"from", SIP_FROM},
		{"F", SIP_FROM}, {"TO", SIP_TO}, {"t", SIP_TO},
		{"call-id", SIP_CALL_ID}, {"I", SIP_CALL_ID},
		{"CSEQ", SIP_CSEQ}, {"max-forwards", SIP_MAX_FORWARDS},
		{"ROUTE", SIP_ROUTE}, {"record-ROUTE", SIP_RECORD_ROUTE},
		{"contact", SIP_CONTACT}, {"m", SIP_CONTACT},
		{"PATH", SIP_PATH}, {"content-LENGTH", SIP_CONTENT_LENGTH},
		{"L", SIP_CONTENT_LENGTH}, {"content-type", SIP_CONTENT_TYPE},
		{"c", SIP_CONTENT_TYPE}, {"expires", SIP_EXPIRES},
		{"require", SIP_REQUIRE}, {"PROXY-require", SIP_PROXY_REQUIRE},
		{"supported", SIP_SUPPORTED}, {"K", SIP_SUPPORTED},
		{"authorization", SIP_AUTHORIZATION},
		{"proxy-authorization", SIP_PROXY_AUTHORIZATION},
		{"www-authenticate", SIP_WWW_AUTHENTICATE},
		{"proxy-authenticate", SIP_PROXY_AUTHENTICATE},
		{"user-agent", SIP_USER_AGENT},
		{"service-route", SIP_SERVICE_ROUTE},
		{"retry-after", SIP_RETRY_AFTER}, {"reason", SIP_REASON},
		{"rack", SIP_RACK}, {"rseq", SIP_RSEQ},
		{"replaces", SIP_REPLACES}, {"refer-to", SIP_REFER_TO},
		{"r", SIP_REFER_TO}, {"event", SIP_EVENT}, {"o", SIP_EVENT},
		{"p-asserted-identity", SIP_P_ASSERTED_ID},
		{"warning", SIP_WARNING},
		{"edgewise-health", SIP_EDGEWISE_HEALTH},
		{"Fro", SIP_H_OTHER}, {"x", SIP_H_OTHER},
		{"Viaa", SIP_H_OTHER}, {"Proxy-Requirf", SIP_H_OTHER},
		{"!", SIP_H_OTHER}, {"C%6Fntact", SIP_H_OTHER},
	};

	for (unsigned i = 0; i < LEN(v); i++) {
		char txt[200];
		struct scanned *s;

		snprintf(txt, sizeof(txt), "OPTIONS sip:a SIP/2.0\r\n"
			 "%s : <sip:x@y>\r\n\r\n", v[i].name);
		s = scan_txt(txt);
		cr_expect_eq(s->m.hdrc, 1, "%s", txt);
		cr_expect_eq(s->m.hdr[0].id, v[i].id, "%s: %d", v[i].name,
			     s->m.hdr[0].id);
		cr_expect_eq(s->m.count[v[i].id], 1);
		scanned_free(s);
	}
}

Test(scan, start_lines_that_are_refused)
{
#define REST "\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n" \
	"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\n" \
	"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	accept_it("OPTIONS sip:b SIP/2.0" REST);
	accept_it("OPTIONS sip:b sip/2.0" REST);
	accept_it("\r\n\r\nOPTIONS sip:b SIP/2.0" REST);
	accept_it("OPTIONS tel:+123;phone-context=x SIP/2.0" REST);
	refuse("OPTIONS sip:b SIP/2.1" REST, 505, true);
	refuse("OPTIONS sip:b SIP/20" REST, 400, true);
	refuse("OPTIONS sip:b SIP/2." REST, 400, true);
	refuse("OPTIONS sip:b HTTP/1.1" REST, 400, true);
	refuse("OPTIONS sip:b" REST, 400, true);
	refuse("OPTIONS  sip:b SIP/2.0" REST, 400, true);
	refuse("OPTIONS sip:b  SIP/2.0" REST, 400, true);
	refuse("OPTIONS sip:b SIP/2.0 " REST, 400, true);
	refuse("OPTIONS\tsip:b SIP/2.0" REST, 400, true);
	refuse("OPTIONS sip:b\t SIP/2.0" REST, 400, true);
	refuse(" OPTIONS sip:b SIP/2.0" REST, 400, true);
	refuse("OPTIO(NS sip:b SIP/2.0" REST, 400, true);
	refuse("OPTIONS <sip:b> SIP/2.0" REST, 400, true);
	refuse("OPTIONS \"sip:b\" SIP/2.0" REST, 400, true);
	refuse("OPTIONS sip:b?x=y SIP/2.0" REST, 400, true);
	refuse("OPTIONS sip: SIP/2.0" REST, 400, true);
	refuse("OPTIONS b SIP/2.0" REST, 400, true);
	refuse("OPTIONS 1a:b SIP/2.0" REST, 400, true);
	refuse("OPTIONS sip:b SIP/2.0\r\n folded" REST, 400, true);
	refuse("OPTIONS sip:b\rX SIP/2.0" REST, 400, true);
	refuse("SIP/2.0 099 x" REST, 400, false);
	refuse("SIP/2.0 700 x" REST, 400, false);
	refuse("SIP/2.0 2000 x" REST, 400, false);
	refuse("SIP/2.0 +20 x" REST, 400, false);
	refuse("SIP/2.0  200 x" REST, 400, false);
	refuse("SIP/2.0 200\tx" REST, 400, false);
	refuse("SIP/3.0 200 OK" REST, 400, false);
	accept_it("SIP/2.0 200" REST);
	accept_it("SIP/2.0 200 " REST);
	refuse("ACK sip:b SIP/2.1" REST, 505, false);
}

Test(scan, nul_in_a_start_line_is_refused)
{
	static const char txt[] = "OPTIONS sip:b\0c SIP/2.0" REST;
	static const char rsp[] = "SIP/2.0 200 O\0K" REST;
	struct scanned *s = scan_mem(txt, sizeof(txt) - 1, true);

	cr_assert_eq(s->err, EBADMSG);
	scanned_free(s);
	s = scan_mem(rsp, sizeof(rsp) - 1, true);
	cr_assert_eq(s->err, EBADMSG);
	scanned_free(s);
}

Test(scan, headers_that_are_refused)
{
	accept_it(INVITE("X-Any: ;;,,;\r\n"));
	accept_it(INVITE("X:\r\n"));
	accept_it(INVITE("X: a\r\n\tb\r\n c\r\n"));
	accept_it(INVITE("Subject : t\txt\r\n"));
	refuse(INVITE(": x\r\n"), 400, true);
	refuse(INVITE("Foobar roobar\r\n"), 400, true);
	refuse(INVITE("Foo\001bar: x\r\n"), 400, true);
	refuse(INVITE("Contact\v: <sip:a@b>\r\n"), 400, true);
	refuse(INVITE("Conta\177ct: <sip:a@b>\r\n"), 400, true);
	refuse(INVITE("F\xc3\xa9: x\r\n"), 400, true);
	refuse(INVITE("Foo\r\n : x\r\n"), 400, true);
	refuse(INVITE("X: a\rb\r\n"), 400, true);
	refuse(INVITE("X: a\nY: b\r\n"), 400, true);
	refuse(INVITE("X: a\n"), 400, true);
	refuse(INVITE("X: a\001b\r\n"), 400, true);
	refuse(INVITE("X: \\\r\r\n"), 400, true);
	refuse(INVITE("Contact: \"a\nX: b\" <sip:a@b>\r\n"), 400, true);
	refuse(INVITE("Contact: \"a\001\" <sip:a@b>\r\n"), 400, true);
}

Test(scan, a_long_header_name_may_end_the_message)
{
	static const char txt[] = "INVITE sip:a@b SIP/2.0\r\n"
		"X-0123456789-0123456789-0123456789-0123456789:";

	/* scan_mem() has memory of just that size: one byte more was read */
	for (size_t n = 24; n < sizeof(txt); n++) {
		struct scanned *s = scan_mem(txt, n, true);

		cr_expect(s->err == EBADMSG, "%zu bytes", n);
		scanned_free(s);
	}
}

Test(scan, headers_that_stand_once)
{
	static const char *const twice[] = {
		"Content-Length: 4\r\n", "l: 4\r\n", "Content-Length : 4\r\n",
		"Content-Length: 5\r\n", "i: other\r\n", "Call-ID: c1\r\n",
		"f: <sip:alice@example.com>;tag=a1\r\n",
		"FROM\t: <sip:x@y>\r\n", "To: <sip:bob@example.com>\r\n",
		"t: <sip:b@c>;tag=\r\n", "CSeq: 7 INVITE\r\n",
		"Max-Forwards: 70\r\n", "Max-Forwards : 1\r\n",
		"Expires: 1\r\nExpires: 2\r\n", "c: a/b\r\nContent-Type: c/d\r\n",
	};

	for (unsigned i = 0; i < LEN(twice); i++) {
		char txt[1000];

		snprintf(txt, sizeof(txt), "INVITE sip:bob@example.com SIP/2.0"
			 "\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKabc\r\n"
			 "Max-Forwards: 70\r\n"
			 "From: <sip:alice@example.com>;tag=a1\r\n"
			 "To: Bob <sip:bob@example.com>\r\nCall-ID: c1\r\n"
			 "CSeq: 7 INVITE\r\n%sContent-Length: 4\r\n\r\nbody",
			 twice[i]);
		refuse(txt, 400, true);
	}
}

Test(scan, headers_that_must_be_there)
{
	static const char *const line[] = {
		"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n",
		"From: <sip:a@b>;tag=1\r\n", "To: <sip:c@d>\r\n",
		"Call-ID: x\r\n", "CSeq: 1 OPTIONS\r\n",
	};

	for (unsigned skip = 0; skip <= LEN(line); skip++) {
		char txt[600] = "OPTIONS sip:b SIP/2.0\r\n";

		for (unsigned i = 0; i < LEN(line); i++)
			if (i != skip)
				strcat(txt, line[i]);
		strcat(txt, "\r\n");
		if (skip == LEN(line))
			accept_it(txt);
		else
			refuse(txt, 400, skip != 0 && skip != 4);
	}
}

static const struct {
	const char *name, *val;
	bool ok;
} values[] = {
	{"From", "<sip:a@b>", true},
	{"From", "sip:a@b;tag=x", true},
	{"From", "\"a \\\"b\\\" <c>\" <sip:a@b>;tag=x;y=\"z\"", true},
	{"From", "A. B-C <sip:a@b> ; tag=1", true},
	{"From", "J\xc3\xb6rg <sip:a@b>;tag=1", true},
	{"From", "", false},
	{"From", "a", false},
	{"From", "<>", false},
	{"From", "<sip:a@b", false},
	{"From", "sip:a@b>", false},
	{"From", "< sip:a@b>", false},
	{"From", "<sip:a@b >", false},
	{"From", "<sip:a@b>x", false},
	{"From", "<sip:a@b>;", false},
	{"From", "<sip:a@b>;;tag=1", false},
	{"From", "<sip:a@b>;tag", false},
	{"From", "<sip:a@b>;tag=", false},
	{"From", "<sip:a@b>;tag=\"x\"", false},
	{"From", "<sip:a@b>;tag=1;tag=2", false},
	{"From", "\"a <sip:a@b>;tag=1", false},
	{"From", "\"a\\\" <sip:a@b>;tag=1", false},
	{"From", "\"a\" b <sip:a@b>", false},
	{"From", "A, B <sip:a@b>", false},
	{"From", "<sip:a@b>, <sip:c@d>", false},
	{"From", "sip:a@b?x=y", false},
	{"From", "<sip:a@b:99999>", false},
	{"From", "<sip:a@b:0>", false},
	{"From", "<sip:a@b:0000>", false},
	{"From", "<sip:a@b:00000>", false},
	{"From", "<sip:a@b:65535>", true},
	{"From", "<sip:a@b:65536>", false},
	{"From", "<sip:a@>", false},
	{"From", "<sip:a@b@c>", false},
	{"From", "<sip:a%4@b>", false},
	{"From", "<sip:2001:db8::1>", false},
	{"From", "<isbn:2983792873>;tag=1", true},
	{"CSeq", "1 OPTIONS", true},
	{"CSeq", "0", false},
	{"CSeq", "1OPTIONS", false},
	{"CSeq", "OPTIONS", false},
	{"CSeq", "1 options", false},
	{"CSeq", "1 OPTIONS x", false},
	{"CSeq", "-1 OPTIONS", false},
	{"CSeq", "2147483648 OPTIONS", false},
	{"CSeq", "36893488147419103232 OPTIONS", false},
	{"CSeq", "2147483647\t OPTIONS", true},
	{"Call-ID", "a b", false},
	{"Call-ID", "", false},
	{"Max-Forwards", "0", true},
	{"Max-Forwards", "255", true},
	{"Max-Forwards", "000255", true},
	{"Max-Forwards", "256", false},
	{"Max-Forwards", "-1", false},
	{"Max-Forwards", "", false},
	{"Max-Forwards", "7 0", false},
	{"Content-Length", "0", true},
	{"Content-Length", "00", true},
	{"Content-Length", "", false},
	{"Content-Length", "+0", false},
	{"Content-Length", "0x0", false},
	{"Content-Length", "0, 0", false},
	{"Content-Length", "1", false},
	{"Content-Length", "4294967296", false},
	{"Content-Length", "18446744073709551616", false},
	{"Contact", "*", true},
	{"Contact", "<sip:a@b>,sip:c@d;q=0.5 , \"x,y\" <sip:e@f>", true},
	{"Contact", "", false},
	{"Contact", "<sip:a@b>,", false},
	{"Contact", ",<sip:a@b>", false},
	{"Contact", "<sip:a@b>,,<sip:c@d>", false},
	{"Contact", "<sip:a@b>,*", false},
	{"Contact", "sip:a@b?Route=%3Csip:c%3E", false},
	{"Route", "<sip:a;lr>", true},
	{"Route", "<sip:a;lr>,<sip:b;lr>;x=y", true},
	{"Route", "sip:a;lr", false},
	{"Route", "", false},
	{"Route", "<sip:a;lr> <sip:b;lr>", false},
	{"Record-Route", "<sip:a;lr>;x=\"", false},
	{"Path", "<sip:;lr>", false},
	{"Via", "SIP/2.0/UDP a", true},
	{"Via", "SIP/2.0/UDP a,SIP/2.0/TCP b:5061", true},
	{"Via", "", false},
	{"Via", "SIP/2.0/UDP a,", false},
	{"Via", "SIP/2.0/UDP", false},
	{"Via", "SIP/2.0/UDPa", false},
	{"Via", "SIP/7.0/UDP a", false},
	{"Via", "SIP/2.0/UDP a b", false},
	{"Via", "SIP/2.0/UDP a;", false},
	{"Via", "SIP/2.0/UDP a;branch", false},
	{"Via", "SIP/2.0/UDP a;branch=", false},
	{"Via", "SIP/2.0/UDP a;branch=1;branch=2", false},
	{"Via", "SIP/2.0/UDP a;branch=Z9HG4BK", false},
	{"Via", "SIP/2.0/UDP a;branch=z9hG4bK", false},
	{"Via", "SIP/2.0/UDP a:x", false},
	{"Via", "SIP/2.0/UDP a:65536", false},
	{"Via", "SIP/2.0/UDP [2001:db8::1", false},
	{"Via", "SIP/2.0/UDP 2001:db8::1", false},
};

Test(scan, values_that_are_refused)
{
	for (unsigned i = 0; i < LEN(values); i++) {
		static const char *const line[][2] = {
			{"Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa"},
			{"From", "<sip:a@b>;tag=1"}, {"To", "<sip:c@d>"},
			{"Call-ID", "x"}, {"CSeq", "1 OPTIONS"},
		};
		char txt[600] = "OPTIONS sip:b SIP/2.0\r\n";
		struct scanned *s;

		for (unsigned k = 0; k < LEN(line); k++)
			if (strcmp(line[k][0], values[i].name))
				snprintf(txt + strlen(txt), 200, "%s: %s\r\n",
					 line[k][0], line[k][1]);
		snprintf(txt + strlen(txt), 200, "%s: %s\r\n\r\n", values[i].name,
			 values[i].val);
		s = scan_txt(txt);
		cr_expect_eq(s->err, values[i].ok ? 0 : EBADMSG, "%s: %s (%s)",
			     values[i].name, values[i].val, s->f.why ? s->f.why : "ok");
		cr_expect(values[i].ok || (s->f.code == 400 && s->f.answerable));
		scanned_free(s);
	}
}

Test(scan, only_line_ends_are_a_keep_alive)
{
	struct scanned *s = scan_txt("\r\n\r\n");

	cr_assert_eq(s->err, ENODATA);
	scanned_free(s);
	s = scan_txt("");
	cr_assert_eq(s->err, ENODATA);
	scanned_free(s);
}

Test(scan, no_truncation_is_accepted_or_read_past)
{
	static const char txt[] = INVITE("Contact: <sip:a@192.0.2.1>\r\n"
		"Route: <sip:a;lr>,\r\n <sip:b;lr>\r\nX: \"\\\" y\r\n");

	for (size_t n = 0; n < sizeof(txt) - 1; n++) {
		struct scanned *s = scan_mem(txt, n, true);

		cr_assert_neq(s->err, 0, "%zu", n);
		scanned_free(s);
		s = scan_mem(txt, n, false);
		cr_assert_neq(s->err, 0, "%zu", n);
		scanned_free(s);
	}
}

Test(scan, content_length_rules_the_body)
{
	static const char head[] = "OPTIONS sip:b SIP/2.0\r\n"
		"Via: SIP/2.0/UDP a\r\nFrom: <sip:a@b>\r\nTo: <sip:c@d>\r\n"
		"Call-ID: x\r\nCSeq: 1 OPTIONS\r\n";
	static const struct {
		const char *rest;
		bool datagram, ok;
		size_t body;
	} v[] = {
		{"\r\nabc", true, true, 3},      {"l: 3\r\n\r\nabc", true, true, 3},
		{"l: 2\r\n\r\nabc", true, true, 2}, {"l: 4\r\n\r\nabc", true, false, 0},
		{"\r\nabc", false, false, 0},    {"l: 3\r\n\r\nabc", false, true, 3},
		{"l: 2\r\n\r\nabc", false, false, 0},
		{"l: 4\r\n\r\nabc", false, false, 0},
	};

	for (unsigned i = 0; i < LEN(v); i++) {
		char txt[300];
		struct scanned *s;

		snprintf(txt, sizeof(txt), "%s%s", head, v[i].rest);
		s = scan_mem(txt, strlen(txt), v[i].datagram);
		cr_expect_eq(s->err, v[i].ok ? 0 : EBADMSG, "%u", i);
		if (v[i].ok) {
			cr_expect_eq(s->m.body.n, v[i].body, "%u", i);
			cr_expect_eq(s->m.raw.n, s->m.body_off + v[i].body);
		}
		scanned_free(s);
	}
}

/* OPTIONS with n lines of the same text in front of the rest */
static struct scanned *many(const char *line, unsigned n)
{
	size_t len = strlen(line);
	char *txt = malloc(n * len + 1000), *p = txt;
	struct scanned *s;

	p += sprintf(p, "OPTIONS sip:b SIP/2.0\r\n");
	for (unsigned i = 0; i < n; i++, p += len)
		memcpy(p, line, len);
	sprintf(p, "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n"
		"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\n"
		"CSeq: 1 OPTIONS\r\n\r\n");
	s = scan_txt(txt);
	free(txt);
	return s;
}

Test(scan, limits_are_exact)
{
	char line[9000];
	struct scanned *s = many("X: y\r\n", SIP_MAX_HDRS - 5);

	cr_expect_eq(s->err, 0);
	cr_expect_eq(s->m.hdrc, SIP_MAX_HDRS);
	scanned_free(s);
	s = many("X: y\r\n", SIP_MAX_HDRS - 4);
	cr_expect_eq(s->f.code, 400);
	scanned_free(s);
	s = many("Via: SIP/2.0/UDP a\r\n", SIP_MAX_VIAS - 1);
	cr_expect_eq(s->err, 0);
	scanned_free(s);
	s = many("Via: SIP/2.0/UDP a,SIP/2.0/UDP b\r\n", SIP_MAX_VIAS / 2);
	cr_expect_eq(s->f.code, 400);
	scanned_free(s);
	memset(line, 'x', sizeof(line));
	memcpy(line, "X: ", 3);
	strcpy(line + SIP_MAX_LINE - 2, "\r\n");
	s = many(line, 1);
	cr_expect_eq(s->err, 0);
	scanned_free(s);
	line[SIP_MAX_LINE - 2] = 'x';
	strcpy(line + SIP_MAX_LINE - 1, "\r\n");
	s = many(line, 1);
	cr_expect_eq(s->f.code, 400);
	scanned_free(s);
	strcpy(line + 4000, "\r\n");
	s = many(line, 4);
	cr_expect_eq(s->err, 0, "%s", s->f.why);
	scanned_free(s);
	s = many(line, 5);
	cr_expect_eq(s->f.code, 513);
	scanned_free(s);
}

Test(scan, lists_are_iterated_over_all_headers)
{
	struct scanned *s = scan_txt(INVITE(
		"Route: <sip:a,b;lr>, \"x,\\\",y\" <sip:c;lr>\r\n"
		"Subject: -\r\nRoute: <sip:d;lr>;p=\",\"\r\n"
		"Require: a, ,b,\r\nRequire:\r\nRequire: c\r\n"));
	struct sip_iter it = {0};

	cr_assert_eq(s->err, EBADMSG);   /* ',' in a host; the lists stand */
	cr_assert(sip_iter(&s->m, SIP_ROUTE, &it));
	SLEQ(it.val, "<sip:a,b;lr>");
	cr_assert(sip_iter(&s->m, SIP_ROUTE, &it));
	SLEQ(it.val, "\"x,\\\",y\" <sip:c;lr>");
	cr_assert(sip_iter(&s->m, SIP_ROUTE, &it));
	SLEQ(it.val, "<sip:d;lr>;p=\",\"");
	cr_assert(!sip_iter(&s->m, SIP_ROUTE, &it));
	cr_assert(!sip_iter(&s->m, SIP_ROUTE, &it));
	cr_assert(sip_has_token(&s->m, SIP_REQUIRE, SL("B")));
	cr_assert(sip_has_token(&s->m, SIP_REQUIRE, SL("c")));
	cr_assert(!sip_has_token(&s->m, SIP_REQUIRE, SL("")));
	cr_assert(!sip_has_token(&s->m, SIP_SUPPORTED, SL("b")));
	scanned_free(s);
}

Test(scan, a_via_below_a_bad_one_is_not_the_top)
{
	static const struct addr src = {.af = 4, .port = 9,
					.ip = {192, 0, 2, 1}};
	struct scanned *s = scan_txt(
		"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0\r\nX-A: 1\r\n"
		"Via: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>\r\n"
		"To: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n"
		"Content-Length: 0\r\n\r\n");
	struct buf b;

	cr_assert(s->err == EBADMSG && s->f.answerable);
	cr_assert_eq(s->m.top.tp.n, 0);
	buf_init(&b, 4096);
	hop_vias_put(&b, &s->m, &src);
	SLEQ(buf_as_sl(&b), "Via: SIP/2.0\r\n"
	     "Via: SIP/2.0/UDP h;branch=z9hG4bKx\r\n");
	buf_free(&b);
	scanned_free(s);
}

Test(scan, ports_are_1_to_65535_in_the_usual_spelling_too)
{
	static const char *const bad[] = {
		INVITE("Contact: <sip:a@b:0000>\r\n"),
		INVITE("Contact: <sip:a@b:00000>\r\n"),
		INVITE("Contact: <sip:a@b:65536>\r\n"),
		INVITE("Via: SIP/2.0/UDP b:0000;branch=z9hG4bKx\r\n"),
		INVITE("Via: SIP/2.0/UDP b:506/;branch=z9hG4bKx\r\n"),
		INVITE("Via: SIP/2.0/UDP b:506\x80;branch=z9hG4bKx\r\n"),
	};
	struct scanned *s;

	for (unsigned i = 0; i < LEN(bad); i++) {
		s = scan_txt(bad[i]);
		cr_assert_eq(s->err, EBADMSG, "%u", i);
		scanned_free(s);
	}
	s = scan_txt(INVITE("Contact: <sip:a@b:65535>, <sip:a@b:0001>\r\n"));
	cr_assert_eq(s->err, 0, "%s", s->f.why);
	scanned_free(s);
}

Test(scan, the_second_via_is_found_behind_any_end_of_the_first)
{
	static const char *const first[] = {
		"a;branch=z9hG4bKx,", "a;branch=z9hG4bKx ,",
		"a;branch=z9hG4bKx\r\n ,\r\n ", "a:5060,", "a , ",
		"a;branch=z9hG4bKx;ttl=1\t,", "a\r\nVia: ",
		"a;branch=z9hG4bKx\r\nv: ",
	};

	for (unsigned i = 0; i < LEN(first); i++) {
		char txt[300];
		struct scanned *s;
		struct via v;

		(void)snprintf(txt, sizeof(txt), "SIP/2.0 200 OK\r\n"
			       "Via: SIP/2.0/UDP %sSIP/2.0/TCP b:7;branch=c\r\n"
			       "From: <sip:a@b>\r\nTo: <sip:a@b>\r\n"
			       "Call-ID: c\r\nCSeq: 1 BYE\r\n"
			       "Content-Length: 0\r\n\r\n", first[i]);
		s = scan_txt(txt);
		cr_assert_eq(s->err, 0, "%u: %s", i, s->f.why);
		cr_assert_eq(via_nth(&s->m, 1, &v), 0, "%u", i);
		SLEQ(v.host, "b");
		SLEQ(v.branch, "c");
		cr_assert_eq(v.port, 7);
		cr_assert_eq(via_nth(&s->m, 2, &v), ENOENT);
		scanned_free(s);
	}
}

Test(scan, headers_by_name)
{
	struct scanned *s = scan_txt(INVITE("X-One: 1\r\nX-Two:\r\n"));
	const struct sip_hdr *h;

	h = sip_hdr_name(&s->m, SL("x-ONE"));
	cr_assert_not_null(h);
	SLEQ(sip_val(&s->m, h), "1");
	h = sip_hdr_name(&s->m, SL("X-Two"));
	cr_assert_not_null(h);
	cr_assert(sl_isset(sip_val(&s->m, h)));
	cr_assert_eq(sip_val(&s->m, h).n, 0);
	cr_assert_null(sip_hdr_name(&s->m, SL("X-Three")));
	scanned_free(s);
}

Test(scan, methods_and_phrases)
{
	for (int m = SIP_INVITE; m < SIP_M_N; m++)
		cr_assert_eq((int)sip_method(sl_cstr(sip_method_name(m))), m);
	cr_assert_eq(sip_method(SL("invite")), SIP_M_OTHER);
	cr_assert_eq(sip_method(SL("INVITEX")), SIP_M_OTHER);
	cr_assert_eq(sip_method(SL("")), SIP_M_OTHER);
	cr_assert_str_eq(sip_phrase(486), "Busy Here");
	cr_assert_str_eq(sip_phrase(499), "Client Error");
	cr_assert_str_eq(sip_phrase(0), "Unknown");
	cr_assert_str_eq(sip_phrase(65535), "Unknown");
}
