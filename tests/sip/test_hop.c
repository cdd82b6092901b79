/* Vias, answers, Max-Forwards, Routes. */
#include "tests/sip/msg.h"

static const struct addr src = {.af = 4, .port = 40000, .ip = {198, 51, 100, 7}};

static void vias(const char *lines, const struct addr *from, const char *want)
{
	char txt[2000];
	struct scanned *s;
	struct buf b;

	snprintf(txt, sizeof(txt), "OPTIONS sip:b SIP/2.0\r\n%s"
		 "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\n"
		 "CSeq: 1 OPTIONS\r\n\r\n", lines);
	s = scan_txt(txt);
	buf_init(&b, 4096);
	hop_vias_put(&b, &s->m, from);
	cr_expect(sl_eq(buf_as_sl(&b), sl_cstr(want)), "got %.*s, want %s",
		  SL_FMT(buf_as_sl(&b)), want);
	buf_free(&b);
	scanned_free(s);
}

Test(hop, via_parts)
{
	struct via v;

	cr_assert_eq(via_parse(&v, SL("SIP/2.0/UDP 192.0.2.1:5062;branch="
		"z9hG4bKa;rport;received=10.0.0.1;alias;x=y")), 0);
	SLEQ(v.tp, "UDP");
	SLEQ(v.sentby, "192.0.2.1:5062");
	SLEQ(v.host, "192.0.2.1");
	cr_assert_eq(v.port, 5062);
	SLEQ(v.branch, "z9hG4bKa");
	SLEQ(v.received, "10.0.0.1");
	cr_assert(v.rport && !v.rport_set && v.alias);
	cr_assert_eq(via_parse(&v, SL("sip / 2.0 / TLS [2001:db8::1] : 5061 ; "
		"rport = 5 ; received=2001:db8::2")), 0);
	SLEQ(v.tp, "TLS");
	SLEQ(v.host, "[2001:db8::1]");
	SLEQ(v.sentby, "[2001:db8::1] : 5061");
	cr_assert_eq(v.port, 5061);
	cr_assert(v.rport_set && !v.alias && !sl_isset(v.branch));
	SLEQ(v.received, "2001:db8::2");
	cr_assert_eq(via_parse(&v, SL("SIP/2.0/UDP h;rport=")), 0);
	cr_assert(v.rport && !v.rport_set);
	cr_assert_eq(via_parse(&v, SL("")), EBADMSG);
	cr_assert_eq(via_parse(&v, SL("SIP/2.0")), EBADMSG);
	cr_assert_eq(via_parse(&v, SL("SIP/2.0/")), EBADMSG);
}

Test(hop, our_via)
{
	struct buf b;

	buf_init(&b, 500);
	hop_via_put(&b, TP_TCP, "192.0.2.9:5060", SL("z9hG4bK1"), true);
	hop_via_put(&b, TP_UDP, "[::1]", SL("z9hG4bK2"), false);
	SLEQ(buf_as_sl(&b),
	     "Via: SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bK1;rport;alias\r\n"
	     "Via: SIP/2.0/UDP [::1];branch=z9hG4bK2;rport\r\n");
	buf_free(&b);
}

Test(hop, nth_via_is_what_all_in_turn_give)
{
	static const char *const v[] = {
		"Via: SIP/2.0/UDP a;branch=z9hG4bKa\r\n",
		"Via: SIP/2.0/UDP a\r\nVia: SIP/2.0/TCP b:5061;x\r\n",
		("Via: SIP/2.0/UDP a;branch=1 , SIP/2.0/TCP b,"
		 "SIP/2.0/UDP c;q=\"a,b\"\r\nv: SIP/2.0/UDP d ,\r\n SIP/2.0/UDP e\r\n"),
		"Via: SIP / 2.0 / UDP a ; x = 1 \r\n ,SIP/2.0/TCP b\r\n",
		"Via: SIP/2.0/UDP a;x=\"q\" ,\r\n\tSIP/2.0/UDP b;rport\r\n",
		"Via: SIP/2.0/UDP a;branch=1, SIP/2.0/UDP\r\n",
	};

	static const unsigned want[] = { 1, 2, 5, 2, 2, 1 };

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		char text[600];
		static struct sip_msg msg;
		struct sip_iter it = { 0 };
		struct sip_fault fault;
		struct via a, b;
		unsigned n = 0;

		(void)snprintf(text, sizeof(text), "OPTIONS sip:h SIP/2.0\r\n%s"
			       "From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
			       "Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n", v[i]);
		(void)sip_scan(&msg, text, strlen(text), true, &fault);
		for (; via_next(&msg, &it, &a); n++) {
			cr_assert_eq(via_nth(&msg, n, &b), 0, "%zu: %u", i, n);
			cr_expect(sl_eq(a.sentby, b.sentby) &&
				  a.sentby.p == b.sentby.p, "%zu: %u", i, n);
		}
		cr_expect_eq(via_nth(&msg, n, &b), i == 5 ? EBADMSG : ENOENT,
			     "%zu: %u", i, n);
		cr_expect_eq(n, want[i], "%zu: %u", i, n);
	}
}

Test(hop, top_via_says_where_the_request_came_from)
{
	static const struct addr six = {.af = 6, .port = 1,
		.ip = {0x20, 1, 0xd, 0xb8, [15] = 9}};

	vias("Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa\r\n", &src,
	     "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa"
	     ";received=198.51.100.7;rport=40000\r\n");
	vias("v: SIP/2.0/UDP h:1;rport;branch=b;x=\"; y\"\r\n", &src,
	     "Via: SIP/2.0/UDP h:1;branch=b;x=\"; y\""
	     ";received=198.51.100.7;rport=40000\r\n");
	vias("Via: SIP/2.0/UDP [::1]\r\n", &six, "Via: SIP/2.0/UDP [::1]"
	     ";received=2001:db8::9;rport=1\r\n");
}

Test(hop, a_lie_about_the_source_is_replaced)
{
	vias("Via: SIP/2.0/UDP h;received=1.2.3.4;rport=9;branch=b\r\n", &src,
	     "Via: SIP/2.0/UDP h;branch=b"
	     ";received=198.51.100.7;rport=40000\r\n");
}

Test(hop, lower_vias_are_kept)
{
	vias("Via: SIP/2.0/UDP a;branch=1 , SIP/2.0/TCP b;received=5.5.5.5\r\n"
	     "Via: SIP/2.0/UDP c,\r\n SIP/2.0/UDP d\r\n", &src,
	     "Via: SIP/2.0/UDP a;branch=1;received=198.51.100.7;rport=40000, "
	     "SIP/2.0/TCP b;received=5.5.5.5\r\n"
	     "Via: SIP/2.0/UDP c, SIP/2.0/UDP d\r\n");
}

Test(hop, lower_vias_are_one_line_each_however_they_came)
{
	vias("Via: SIP/2.0/UDP a\r\nv : SIP/2.0/UDP b \r\n"
	     "v: SIP/2.0/UDP c\r\nVIA:\r\n SIP/2.0/UDP d\r\n"
	     "Via: SIP/2.0/UDP e;x=\"\ty\"\r\n", &src,
	     "Via: SIP/2.0/UDP a;received=198.51.100.7;rport=40000\r\n"
	     "Via: SIP/2.0/UDP b\r\nv: SIP/2.0/UDP c\r\n"
	     "Via: SIP/2.0/UDP d\r\nVia: SIP/2.0/UDP e;x=\"\ty\"\r\n");
	/* of a refused message: a bare CR, or LF, ends no line of the answer */
	vias("Via: SIP/2.0/UDP a\r\nVia: SIP/2.0/UDP b;x=\r y\r\n"
	     "Via:\r SIP/2.0/UDP c\r\nVia: d\nVia: e\r\n", &src,
	     "Via: SIP/2.0/UDP a;received=198.51.100.7;rport=40000\r\n"
	     "Via: SIP/2.0/UDP b;x= y\r\nVia: SIP/2.0/UDP c\r\n"
	     "Via: d\r\nVia: e\r\n");
}

Test(hop, vias_we_write_can_be_read)
{
	struct scanned *s = scan_txt(INVITE(""));
	struct via v;
	struct buf b;

	buf_init(&b, 4096);
	reply_write(&b, &s->m, &src, 180, SL_NONE, SL("t"), SL_NONE);
	scanned_free(s);
	s = scan_mem(b.p, b.n, false);
	cr_assert_eq(s->err, 0);
	cr_assert_eq(via_top(&s->m, &v), 0);
	SLEQ(v.received, "198.51.100.7");
	cr_assert(v.rport_set);
	scanned_free(s);
	buf_free(&b);
}

static void reply(const char *to, uint16_t code, struct sl phrase,
		  const char *want)
{
	char txt[500];
	struct scanned *s;
	struct buf b;

	snprintf(txt, sizeof(txt), "BYE sip:b SIP/2.0\r\n"
		 "v: SIP/2.0/UDP h;branch=z9hG4bKa\r\nf: sip:a@b\r\n ;tag=1\r\n"
		 "To: %s\r\ni: x\r\nCSeq: 1 BYE\r\n\r\n", to);
	s = scan_txt(txt);
	buf_init(&b, 4096);
	reply_write(&b, &s->m, &src, code, phrase, SL("ours"),
		    code == 503 ? SL("Retry-After: 1\r\n") : SL_NONE);
	cr_expect(sl_eq(buf_as_sl(&b), sl_cstr(want)), "got %.*s, want %s",
		  SL_FMT(buf_as_sl(&b)), want);
	buf_free(&b);
	scanned_free(s);
}

Test(hop, answers)
{
#define WAY "Via: SIP/2.0/UDP h;branch=z9hG4bKa;received=198.51.100.7;" \
	"rport=40000\r\nFrom: sip:a@b ;tag=1\r\n"
#define TAIL "Call-ID: x\r\nCSeq: 1 BYE\r\n"
	reply("<sip:c@d>", 503, SL_NONE, "SIP/2.0 503 Service Unavailable\r\n"
	      WAY "To: <sip:c@d>;tag=ours\r\n" TAIL
	      "Retry-After: 1\r\nContent-Length: 0\r\n\r\n");
	reply("<sip:c@d>;tag=t", 481, SL_NONE,
	      "SIP/2.0 481 Call/Transaction Does Not Exist\r\n"
	      WAY "To: <sip:c@d>;tag=t\r\n" TAIL "Content-Length: 0\r\n\r\n");
	reply("<sip:c@d>", 100, SL_NONE, "SIP/2.0 100 Trying\r\n"
	      WAY "To: <sip:c@d>\r\n" TAIL "Content-Length: 0\r\n\r\n");
	reply("\"x <sip:c@d>", 400, SL("Bad To\r\nX: y"),
	      "SIP/2.0 400 Bad To X: y\r\n"
	      WAY "To: \"x <sip:c@d>;tag=ours\r\n" TAIL
	      "Content-Length: 0\r\n\r\n");
	reply("a\rVia: b\n\rc", 400, SL_NONE, "SIP/2.0 400 Bad Request\r\n"
	      WAY "To: a Via: b;tag=ours\r\n" TAIL
	      "Content-Length: 0\r\n\r\n");
}

Test(hop, response_goes_back_with_the_vias_of_the_request)
{
	struct scanned *s = scan_txt("SIP/2.0 200 OK\r\n"
		"Via: SIP/2.0/TCP us;branch=z9hG4bKx\r\nVia: SIP/2.0/UDP in\r\n"
		"From: <sip:a@b>\r\nTo: <sip:c@d>\r\nv: SIP/2.0/UDP more\r\n"
		"Call-ID: x\r\nCSeq: 1 BYE\r\n\r\nbody");
	struct splice sp;
	struct buf b;

	cr_assert_eq(s->err, 0);
	buf_init(&b, 4096);
	splice_init(&sp, &s->m);
	hop_reply_vias(&sp, SL("Via: SIP/2.0/UDP phone\r\n"));
	cr_assert_eq(splice_write(&sp, &b), 0);
	SLEQ(buf_as_sl(&b), "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP phone\r\n"
	     "From: <sip:a@b>\r\nTo: <sip:c@d>\r\nCall-ID: x\r\n"
	     "CSeq: 1 BYE\r\n\r\nbody");
	buf_free(&b);
	scanned_free(s);
}

Test(hop, max_forwards_goes_down)
{
	static const struct {
		const char *line, *want;
		int err;
	} v[] = {
		{"Max-Forwards: 70\r\n", "Max-Forwards: 69\r\n", 0},
		{"Max-Forwards: 001\r\n", "Max-Forwards: 0\r\n", 0},
		{"", "Max-Forwards: 70\r\n", 0},
		{"Max-Forwards: 0\r\n", NULL, ELOOP},
	};

	for (unsigned i = 0; i < LEN(v); i++) {
		char txt[500], want[500], room[32];
		struct scanned *s;
		struct splice sp;
		struct buf b;
		const char *fmt = "BYE sip:b SIP/2.0\r\n"
			"Via: SIP/2.0/UDP h\r\nFrom: <sip:a@b>\r\n"
			"To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n%s\r\n";

		snprintf(txt, sizeof(txt), fmt, v[i].line);
		s = scan_txt(txt);
		buf_init(&b, 4096);
		splice_init(&sp, &s->m);
		cr_expect_eq(hop_maxfwd(&sp, &s->m, room), v[i].err);
		if (v[i].want) {
			snprintf(want, sizeof(want), fmt, v[i].want);
			cr_expect_eq(splice_write(&sp, &b), 0);
			cr_expect(sl_eq(buf_as_sl(&b), sl_cstr(want)));
		}
		buf_free(&b);
		scanned_free(s);
	}
}

Test(hop, routes_are_stripped_from_the_front)
{
	static const struct {
		unsigned n;
		const char *want;
	} v[] = {
		{0, "Route: <sip:a;lr> , <sip:b,c@x;lr>;y\r\nR: 1\r\n"
		    "Route:\r\n <sip:d;lr>\r\n"},
		{1, "Route: <sip:b,c@x;lr>;y\r\nR: 1\r\nRoute:\r\n "
		    "<sip:d;lr>\r\n"},
		{2, "R: 1\r\nRoute:\r\n <sip:d;lr>\r\n"},
		{3, "R: 1\r\n"},
		{9, "R: 1\r\n"},
	};

	for (unsigned i = 0; i < LEN(v); i++) {
		const char *fmt = "BYE sip:b SIP/2.0\r\n"
			"Via: SIP/2.0/UDP h\r\n%sFrom: <sip:a@b>\r\n"
			"To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n\r\n";
		char txt[500], want[500];
		struct scanned *s;
		struct splice sp;
		struct buf b;

		snprintf(txt, sizeof(txt), fmt, v[0].want);
		snprintf(want, sizeof(want), fmt, v[i].want);
		s = scan_txt(txt);
		cr_assert_eq(s->err, 0, "%s", s->f.why);
		buf_init(&b, 4096);
		splice_init(&sp, &s->m);
		hop_route_strip(&sp, &s->m, v[i].n);
		cr_expect_eq(splice_write(&sp, &b), 0);
		cr_expect(sl_eq(buf_as_sl(&b), sl_cstr(want)), "%u: %.*s", i,
			  SL_FMT(buf_as_sl(&b)));
		buf_free(&b);
		scanned_free(s);
	}
}

Test(hop, route_elements)
{
	struct uri u;
	bool lr;

	cr_assert_eq(hop_route_parse(SL("<sip:tok@[::1]:5;transport=tcp;LR>;x"),
				     &u, &lr), 0);
	cr_assert(lr && u.port == 5);
	SLEQ(u.user, "tok");
	cr_assert_eq(hop_route_parse(SL("<sip:h;lrx>;lr"), &u, &lr), 0);
	cr_assert(!lr);
	cr_assert_eq(hop_route_parse(SL("<sip:>"), &u, &lr), EBADMSG);
	cr_assert_eq(hop_route_parse(SL(""), &u, &lr), EBADMSG);
}
