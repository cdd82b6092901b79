/* RFC 4475: what the scanner and the framer say to each message. */
#include "base/rng.h"
#include "sip/frame.h"
#include "sip/scan_in.h"
#include "tests/sip/msg.h"

Test(torture, each_datagram_gets_the_verdict_of_the_table)
{
	FILE *f = expect_open();
	struct expect x;
	unsigned n = 0;

	while (expect_next(f, &x)) {
		size_t len;
		char *mem = torture(x.name, &len);
		struct scanned *s = scan_mem(mem, len, true);
		int code = s->err ? s->f.code : 0;
		int want = atoi(x.scan);

		if (!strcmp(x.scan, "drop"))
			cr_expect(s->err == EBADMSG && !s->f.answerable,
				  "%s: err=%d", x.name, s->err);
		else
			cr_expect(code == want &&
				  (!code || s->f.answerable), "%s: %d %s",
				  x.name, code, s->f.why ? s->f.why : "");
		scanned_free(s);
		free(mem);
		n++;
	}
	fclose(f);
	cr_assert_eq(n, 51);
}

/* what a stream does, in the words of the table's tcp column */
static void stream_words(struct sl bytes, char *out, size_t size)
{
	struct frame fr;
	struct sl msg;
	const char *why;

	*out = '\0';
	frame_init(&fr, SIP_MAX_MSG);
	cr_assert_eq(frame_push(&fr, bytes.p, bytes.n, 1), 0);
	for (;;) {
		enum frame_verdict v = frame_next(&fr, &msg, &why);
		size_t n = strlen(out);
		struct scanned *s;

		if (v == FRAME_MORE) {
			if (fr.start < fr.in.n)
				snprintf(out + n, size - n, "%swait",
					 n ? "," : "");
			break;
		}
		s = scan_mem(msg.p, msg.n, false);
		if (!s->err)
			snprintf(out + n, size - n, "%sok", n ? "," : "");
		else if (s->f.answerable)
			snprintf(out + n, size - n, "%s%d", n ? "," : "",
				 s->f.code);
		else if (v == FRAME_MSG)
			snprintf(out + n, size - n, "%sdrop", n ? "," : "");
		if (v != FRAME_MSG) {
			n = strlen(out);
			snprintf(out + n, size - n, "%sclose",
				 !n ? "" : s->f.answerable ? " " : ",");
			scanned_free(s);
			break;
		}
		scanned_free(s);
	}
	frame_free(&fr);
}

Test(torture, each_stream_gets_the_verdict_of_the_table)
{
	FILE *f = expect_open();
	struct expect x;

	while (expect_next(f, &x)) {
		size_t len;
		char *mem = torture(x.name, &len), got[64];

		stream_words(sl_mk(mem, len), got, sizeof(got));
		/* forward and what policy and transactions decide is "ok" */
		if (!strcmp(x.tcp, "forward,forward,close"))
			cr_expect_str_eq(got, "ok,ok,close", "%s: %s", x.name,
					 got);
		else if (!strcmp(x.scan, "ok") && !strchr(x.tcp, ' '))
			cr_expect_str_eq(got, "ok", "%s: %s", x.name, got);
		else
			cr_expect_str_eq(got, x.tcp, "%s: %s", x.name, got);
		free(mem);
	}
	fclose(f);
}

Test(torture, the_answer_to_each_broken_request_scans)
{
	struct addr src = {.af = 4, .port = 5070, .ip = {192, 0, 2, 9}};
	FILE *f = expect_open();
	struct expect x;

	while (expect_next(f, &x)) {
		size_t len;
		char *mem = torture(x.name, &len);
		struct scanned *s = scan_mem(mem, len, true), *r;
		struct buf b;

		if (s->err && s->f.answerable) {
			buf_init(&b, 65536);
			reply_write(&b, &s->m, &src, s->f.code,
				    sl_cstr(s->f.why), SL("ours"), SL_NONE);
			r = scan_mem(b.p, b.n, true);
			/* it may carry back what was broken, but is framed,
			 * and its lines are the ones we wrote */
			cr_expect_eq(r->m.status, s->f.code, "%s", x.name);
			cr_expect(r->m.body_off == b.n, "%s", x.name);
			cr_expect_eq(r->m.count[SIP_CONTENT_LENGTH], 1);
			cr_expect_leq(r->m.count[SIP_TO], 1, "%s", x.name);
			cr_expect_eq(r->m.count[SIP_H_OTHER], 0, "%s", x.name);
			scanned_free(r);
			buf_free(&b);
		}
		scanned_free(s);
		free(mem);
	}
	fclose(f);
}

Test(torture, one_datagram_holds_one_message)
{
	size_t len;
	char *mem = torture("dblreq", &len);
	struct scanned *s = scan_mem(mem, len, true);

	cr_assert_eq(s->err, 0);
	cr_assert_eq(s->m.meth, SIP_REGISTER);
	cr_assert_eq(s->m.body.n, 0);
	cr_assert_lt(s->m.raw.n, len);
	scanned_free(s);
	free(mem);
}

Test(torture, odd_but_valid_is_understood)
{
	size_t len;
	char *mem = torture("wsinv", &len);
	struct scanned *s = scan_mem(mem, len, true);
	struct via v;

	cr_assert_eq(s->err, 0);
	cr_assert_eq(s->m.maxfwd, 68);
	cr_assert_eq(s->m.cseq, 9);
	SLEQ(s->m.to_tag, "1918181833n");
	SLEQ(s->m.from_tag, "98asjd8");
	cr_assert_eq(via_nth(&s->m, 1, &v), 0);
	SLEQ(v.branch, "z9hG4bK9ikj8");
	SLEQ(v.host, "spindle.example.com");
	cr_assert_eq(via_nth(&s->m, 2, &v), 0);
	SLEQ(v.branch, "z9hG4bK30239");
	cr_assert_eq(via_nth(&s->m, 3, &v), ENOENT);
	scanned_free(s);
	free(mem);
	mem = torture("longreq", &len);
	s = scan_mem(mem, len, true);
	cr_assert_eq(via_nth(&s->m, 33, &v), 0);
	SLEQ(v.host, "host.example.com");
	cr_assert_eq(via_nth(&s->m, 34, &v), ENOENT);
	scanned_free(s);
	free(mem);
	mem = torture("esc02", &len);
	s = scan_mem(mem, len, true);
	cr_assert_eq(s->m.meth, SIP_M_OTHER);
	cr_assert_eq(s->m.count[SIP_CONTACT], 2);
	scanned_free(s);
	free(mem);
}

/* both ways of scanning say and find the same */
static void same_both_ways(const char *mem, size_t n, bool datagram)
{
	static struct sip_msg a, b;
	struct sip_fault f, g;
	int x, y;

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	x = scan_msg(&a, mem, n, datagram, true, &f);
	y = scan_msg(&b, mem, n, datagram, false, &g);
	cr_assert_eq(x, y, "%d %d %s %s: %.*s", x, y, f.why ? f.why : "",
		     g.why ? g.why : "", (int)n, mem);
	cr_assert(f.code == g.code && f.answerable == g.answerable);
	cr_assert_eq(memcmp(&a, &b, sizeof(a)), 0, "%.*s", (int)n, mem);
}

Test(torture, short_cuts_find_what_the_grammar_finds)
{
	static const char odd[] = " \t\r\n;,:<>\"\\@=?%[]*/.0aZ\0\x80\xff&+_-";
	FILE *f = expect_open();
	struct expect x;
	struct rng r;

	rng_seed(&r, 4475);
	while (expect_next(f, &x)) {
		size_t len;
		char *mem = torture(x.name, &len);

		same_both_ways(mem, len, true);
		same_both_ways(mem, len, false);
		for (unsigned i = 0; i < 400; i++) {
			char *m = msg_copy(mem, len);
			size_t n = len;

			for (unsigned k = rng_below(&r, 3) + 1; k; k--)
				m[rng_below(&r, (uint32_t)len)] =
					odd[rng_below(&r, sizeof(odd) - 1)];
			if (i % 4 == 0) {
				n = rng_below(&r, (uint32_t)len);
				free(m);
				m = msg_copy(mem, n);
			}
			same_both_ways(m, n, true);
			free(m);
		}
		free(mem);
	}
	fclose(f);
}

Test(torture, short_cuts_are_no_wider_than_the_grammar)
{
	static const char odd[] = " \t\r\n;,:<>\"\\@=?%[]*/.0aZ\0\x80\xff&+_-";
	static const char good[] = INVITE(
		"Contact: \"A B\" <sip:a@192.0.2.1:5062;transport=udp>;q=1\r\n"
		"Via: SIP/2.0/TCP h;branch=z9hG4bKx;received=1.2.3.4;rport=5;"
		"alias\r\nRoute: <sip:tok@192.0.2.1;lr>\r\n"
		"Record-Route: <sip:192.0.2.1:5060;lr>\r\n"
		"Content-Type: application/sdp\r\n");
	struct scanned *s = scan_txt(good);
	struct rng r;

	cr_assert_eq(s->err, 0, "%s", s->f.why);
	scanned_free(s);
	rng_seed(&r, 3261);
	for (unsigned i = 0; i < 60000; i++) {
		size_t n = sizeof(good) - 1;
		char *m = msg_copy(good, n);

		for (unsigned k = rng_below(&r, 2) + 1; k; k--) {
			size_t at = rng_below(&r, (uint32_t)n);
			char c = odd[rng_below(&r, sizeof(odd) - 1)];

			switch (rng_below(&r, 3)) {
			case 0:
				m[at] = c;
				break;
			case 1:   /* one byte less */
				memmove(m + at, m + at + 1, n - at - 1);
				m = realloc(m, --n);
				break;
			default:  /* one byte more */
				m = realloc(m, ++n);
				memmove(m + at + 1, m + at, n - at - 1);
				m[at] = c;
				break;
			}
		}
		same_both_ways(m, n, i & 1);
		free(m);
	}
}

Test(torture, short_cuts_of_length_and_type_end_where_they_end)
{
	static const char *const line[] = {
		"Content-Length:   4", "Content-Length:4", "Content-Length:  ",
		"Content-Length:", "Content-Length:   4 ", "Content-Length: \t4",
		"Content-Length:   4x", "Content-Length:   0000000004",
		"Content-Length:   4\r\n ", "Content-Length: 4\r\nContent-Length: 4",
		"Content-Type: a/b", "Content-Type:  a/b", "Content-Type: a/b ",
		"Content-Type: ", "Content-Type:", "Content-Type: a/b\r\n ;c=d",
		"Content-Type: a/b\r\nContent-Type: a/b", "Content-Type: a\tb",
		"Content-type: a/b", "Contents: a", "Con", "Call-Info: <sip:a@b>",
		"CSeq", "Max-Forwards", "Min-Expires: 4", "M", "\r\n", "\r",
	};

	for (size_t i = 0; i < sizeof(line) / sizeof(*line); i++) {
		char room[512], *m;
		int n = snprintf(room, sizeof(room),
				 "OPTIONS sip:b@h SIP/2.0\r\n%s\r\n"
				 "Via: SIP/2.0/UDP h;branch=z9hG4bKx\r\n"
				 "From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
				 "Call-ID: c\r\nCSeq: 1 OPTIONS\r\n"
				 "Max-Forwards: 9\r\n\r\nbody", line[i]);

		cr_assert(n > 0 && n < (int)sizeof(room));
		m = msg_copy(room, (size_t)n);   /* its end is its end */
		same_both_ways(m, (size_t)n, true);
		same_both_ways(m, (size_t)n, false);
		free(m);
	}
}

Test(torture, short_cuts_of_uri_parameters_end_where_they_end)
{
	static const char *const par[] = {
		"transport=udp", "transport=tcp;lr", "transport=udpx",
		"transport=ud", "transport=u%64p", "transport=", "transport",
		"transport=u=p", "transport=ws", "TRANSPORT=TCP", "transport=tls;ob",
		"lr", "lr=on", "lrx", "lr;", ";lr", "l", "lr;lr", "lr%20", "lr=",
		"ob;transport=tcp;lr", "transport=udp;;lr", "transport=udp?a=b",
		"transport=ud\t", "lr\"", "transport==ab",
		"transport=;dp", "transport=\"dp", "transport=u;p", "transport=u\"p",
		"transport=ud;", "transport=ud\"", "transport=udp\"",
	};

	for (size_t i = 0; i < sizeof(par) / sizeof(par[0]); i++) {
		char txt[1024];
		size_t n = (size_t)snprintf(txt, sizeof(txt),
			INVITE("Contact: <sip:a@192.0.2.1:5062;%s>\r\n"
			       "Route: <sip:b@192.0.2.1;%s>\r\n"
			       "Record-Route: <sip:c;%s>, <sip:d;%s>\r\n"),
			par[i], par[i], par[i], par[i]);
		char *m = msg_copy(txt, n);

		same_both_ways(m, n, true);
		free(m);
	}
}
