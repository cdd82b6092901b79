/* The ring of messages: bounds, order, and what must not be in it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "sip/trace.h"

static struct trace t;
static const struct flow f = { .tp = TP_UDP };

static void setup(void)
{
	cr_assert_eq(trace_init(&t, 100, TRACE_BYTES_MIN), 0);
}

static void teardown(void)
{
	trace_free(&t);
}
TestSuite(trace, .init = setup, .fini = teardown);

static void add(const char *text)
{
	trace_add(&t, &f, false, sl_cstr(text), 0, 7);
}

static struct sl newest(void)
{
	return trace_text(&t, trace_after(&t, t.last - 1));
}

Test(trace, keeps_the_newest_as_they_came)
{
	char text[64];
	uint64_t id = 0;
	unsigned n = 0;

	for (unsigned i = 1; i <= 250; i++) {
		snprintf(text, sizeof(text), "SIP/2.0 200 %u\r\n\r\n", i);
		add(text);
	}
	for (const struct trace_msg *m; (m = trace_after(&t, id)); n++) {
		id = m->id;
		snprintf(text, sizeof(text), "SIP/2.0 200 %u", (unsigned)id);
		cr_assert(sl_eq(trace_line(trace_text(&t, m)), sl_cstr(text)));
		cr_assert_eq(m->wall, 7);
	}
	cr_assert_eq(n, 100);
	cr_assert_eq(id, 250);
	cr_assert_eq(t.kept, 100);
}

Test(trace, no_text_is_overwritten_while_it_is_kept)
{
	static char text[9000];
	uint32_t seed = 1;

	/* lengths of all kinds, so that the end of the memory is met at any
	 * place */
	for (unsigned i = 1; i <= 3000; i++) {
		size_t n, sum = 0;
		const struct trace_msg *m;

		seed = seed * 1103515245 + 12345;
		n = 20 + (seed >> 8) % (i % 7 ? 800 : 8000);
		memset(text, 'a' + (int)(i % 26), n);
		memcpy(text, "SIP/2.0 ", 8);
		memcpy(text + n - 4, "\r\n\r\n", 4);
		trace_add(&t, &f, true, sl_mk(text, n), i, i);
		for (uint64_t id = 0; (m = trace_after(&t, id)); id = m->id) {
			struct sl s = trace_text(&t, m);

			cr_assert_eq(m->mark, m->id);
			sum += s.n;
			cr_assert_eq(s.p[8], 'a' + (int)(m->id % 26));
			cr_assert_eq(s.p[s.n - 5], 'a' + (int)(m->id % 26));
			cr_assert(s.p >= (char *)t.mem &&
				  s.p + s.n <= (char *)t.mem + t.bytes);
		}
		cr_assert_leq(sum, t.bytes);
		cr_assert_eq(trace_after(&t, t.last - 1)->cut,
			     n > TRACE_TEXT);
	}
	cr_assert_gt(t.kept, 10);
}

/* --- what is told of a text --- */

static char told[TRACE_CLEAN + 1];

static const char *clean(struct sl text, bool cut)
{
	struct buf b;

	buf_init(&b, TRACE_CLEAN);
	trace_clean(&b, text, cut);
	cr_assert_eq(b.err, 0);
	memcpy(told, b.n ? (const char *)b.p : "", b.n);
	told[b.n] = '\0';
	buf_free(&b);
	return told;
}

#define HEAD "INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"

static void is_told(const char *text, const char *want)
{
	char in[2000], out[2000];

	snprintf(in, sizeof(in), HEAD "%s", text);
	snprintf(out, sizeof(out), HEAD "%s", want);
	cr_expect_str_eq(clean(sl_cstr(in), false), out);
}

Test(trace_clean, values_of_headers_with_auth_in_their_name_are_gone)
{
	is_told("authorization : Digest username=\"a\",\r\n  response=\"S\""
		"\r\n\tmore=\"S\"\r\nA: Shown\r\n",
		"authorization : (removed)\r\nA: Shown\r\n");
	is_told("Proxy-Authorization:S\r\nAuthorization:\r\n S\r\n\r\n",
		"Proxy-Authorization: (removed)\r\n"
		"Authorization: (removed)\r\n\r\n");
	is_told("X-My-AUTH-Thing: S\r\nB: c\r\nAuthorization\r\n : S\r\nA: b\r\n",
		"X-My-AUTH-Thing: (removed)\r\nB: c\r\n(removed)\r\nA: b\r\n");
	is_told("a?auth=S: S\r\n", "(removed)\r\n");
	is_told("X: Digest S\r\nY: bearer\tS\r\nZ:\r\n Basic S\r\nA: Digests\r\n",
		"X: (removed)\r\nY: (removed)\r\nZ:\r\n(removed)\r\n"
		"A: Digests\r\n");
}

Test(trace_clean, whatever_ends_its_lines)
{
	is_told("Authorization: S\rresponse=S\rA: b\r\r",
		"Authorization: (removed)\rA: b\r\r");
	is_told("Authorization: S\r\rresponse=S\r\nA: b\n",
		"Authorization: (removed)\r\nA: b\n");
	is_told("A: b\rAuthorization: S\r S\nC: d",
		"A: b\rAuthorization: (removed)\nC: d");
	is_told("Authorization: S\n\tS\nresponse=\"S\"\nA: b\n\nk=S\n",
		"Authorization: (removed)\nA: b\n\nk=(removed)\n");
}

Test(trace_clean, lines_stay_apart_where_one_is_gone)
{
	/* CR and LF of different lines would be one end, and the body a
	 * header */
	is_told("Authorization: S\r\xff\n\nA: b\n",
		"Authorization: (removed)\n\nA: b\n");
}

Test(trace_clean, answers_hold_nothing_either)
{
	cr_expect_str_eq(clean(SL("SIP/2.0 401 Unauthorized\r\n"
		"WWW-Authenticate: Digest nonce=S\r\n"
		"Authentication-Info: rspauth=S\r\n"
		"Authorization: S\r\n\r\na=crypto:1 X inline:S\r\n"), false),
		"SIP/2.0 401 Unauthorized\r\n"
		"WWW-Authenticate: (removed)\r\n"
		"Authentication-Info: (removed)\r\n"
		"Authorization: (removed)\r\n\r\na=crypto:(removed)\r\n");
	cr_expect_str_eq(clean(SL("Authorization: S"), false),
			 "Authorization: (removed)");
	cr_expect_str_eq(clean(SL("\r\nauth S\r\n S\r\n"), false),
			 "\r\n(removed)\r\n");
}

Test(trace_clean, keys_of_media_are_gone_and_the_rest_stays)
{
	is_told("\r\nv=0\r\nk=clear:S\r\na=crypto:1 AES inline:S\r\n"
		"a=key-mgmt:mikey S\r\na=ice-pwd:S\r\na=rtpmap:0 PCMU/8000\r\n"
		"A = crypto S\r\na=x INLINE:S\r\ns=the author\r\n",
		"\r\nv=0\r\nk=(removed)\r\na=crypto:(removed)\r\n"
		"a=key-mgmt:(removed)\r\na=ice-pwd:(removed)\r\n"
		"a=rtpmap:0 PCMU/8000\r\nA = crypto(removed)\r\n"
		"a=x INLINE:(removed)\r\ns=the author\r\n");
	/* a message in a message */
	is_told("\r\nSIP/2.0 200 OK\r\nAuthorization: S\r\n S\r\nA: b\r\n",
		"\r\nSIP/2.0 200 OK\r\nAuthorization:(removed)\r\nA: b\r\n");
}

Test(trace_clean, passwords_in_uris_are_gone)
{
	is_told("To: <sip:al:S@x:5060>, SIPS:b:S@y;z=1\r\n",
		"To: <sip:al:(removed)@x:5060>, SIPS:b:(removed)@y;z=1\r\n");
	is_told("To: sip:x:5060\r\nA: http://u:S@h/a:b@c\r\n",
		"To: sip:x:5060\r\nA: http://u:(removed)@h/a:b@c\r\n");
	is_told("To: sip:a:S@S@x\r\nR: <sip:a@b?Authorization=S&c=d>\r\n",
		"To: sip:a:(removed)@x\r\n"
		"R: <sip:a@b?Authorization=(removed)&c=d>\r\n");
	cr_expect_str_eq(clean(SL("BYE sip:a:S@x SIP/2.0\r\n"), false),
			 "BYE sip:a:(removed)@x SIP/2.0\r\n");
}

Test(trace_clean, what_is_cut_may_have_been_a_password)
{
	cr_expect_str_eq(clean(SL("BYE sip:x SIP/2.0\r\nT: <sip:a:S"), true),
			 "BYE sip:x SIP/2.0\r\nT: <sip:a:(removed)");
	cr_expect_str_eq(clean(SL("BYE sip:x SIP/2.0\r\nT: <sip:a:5"), false),
			 "BYE sip:x SIP/2.0\r\nT: <sip:a:5");
	cr_expect_str_eq(clean(SL("BYE sip:x SIP/2.0\r\nAuthorization: S"),
			       true),
			 "BYE sip:x SIP/2.0\r\nAuthorization: (removed)");
}

Test(trace_clean, what_has_no_secret_is_told_as_it_is)
{
	static const char any[] = "\0\xff:\r=\n\n\t ?&=@a";
	struct buf b;

	buf_init(&b, TRACE_CLEAN);
	trace_clean(&b, sl_mk(any, sizeof(any) - 1), true);
	cr_expect(sl_eq(buf_as_sl(&b), sl_mk(any, sizeof(any) - 1)));
	buf_free(&b);
}

Test(trace, fields_and_addresses_of_record_are_found)
{
	struct sl v[TRACE_FIELDS];

	add("SIP/2.0 200 OK\r\nf: \"B\" <sip:Bob@EXAMPLE.com:5070>;tag=1\r\n"
	    "To : <sips:al%69ce@example.com>\r\ni:c@1 \r\ncseq: 2 BYE\r\n"
	    "\r\nCSeq: 3 no\r\n");
	trace_fields(newest(), v);
	cr_expect(sl_eq(v[TRACE_CALLID], SL("c@1")));
	cr_expect(sl_eq(v[TRACE_CSEQ], SL("2 BYE")));
	cr_expect(trace_is_of(v, SL("Bob@example.com")));
	cr_expect(trace_is_of(v, SL("alice@example.com")));
	cr_expect(!trace_is_of(v, SL("bob@example.com")));
	add("x");
	trace_fields(newest(), v);
	cr_expect(!sl_isset(v[TRACE_CALLID]) && !sl_isset(v[TRACE_FROM]));
	cr_expect(!trace_is_of(v, SL("Bob@example.com")));
}

Test(trace, none_wanted_none_kept)
{
	struct trace z;

	cr_assert_eq(trace_init(&z, 0, 0), 0);
	trace_add(&z, &f, true, SL("SIP/2.0 200 OK\r\n\r\n"), 0, 0);
	cr_expect_null(trace_after(&z, 0));
	trace_free(&z);
	cr_expect_eq(trace_init(&z, 1, TRACE_BYTES_MIN - 1), EINVAL);
}

/* --- searching --- */

static void add_call(unsigned call, uint64_t mark)
{
	char text[400];

	snprintf(text, sizeof(text), "BYE sip:x SIP/2.0\r\nCall-ID: c%u\r\n"
		 "From: <sip:u%u@h>\r\nSubject: c1\r\n\r\n", call, call);
	trace_add(&t, &f, false, sl_cstr(text), mark, 0);
}

Test(trace, a_search_goes_on_where_it_ended)
{
	struct trace_query q = { .callid = SL("c1"), .limit = 4 };
	struct trace_found w;
	uint64_t want = 97, to = UINT64_MAX;
	unsigned n = 0;

	/* c0 c1 c2 c3 c0 ...: ids of c1 are 2, 6, ... 98; of the first of them
	 * nothing is left */
	for (unsigned i = 0; i < 120; i++)
		add_call(i % 4, i);
	want = 118;
	do {
		trace_find(&t, &q, &w);
		cr_assert_eq(w.to, to);
		for (unsigned i = 0; i < w.n; i++, n++, want -= 4)
			cr_assert_eq(w.v[i]->id, want);
		to = w.from;
		q.before = w.next;
	} while (w.next);
	cr_expect_eq(w.from, 0);
	cr_expect_eq(n, 25);
	q.before = 3;
	trace_find(&t, &q, &w);
	cr_expect(!w.n && !w.next, "what is gone is not found");
	q = (struct trace_query){ .aor = SL("u2@h"), .limit = TRACE_FOUND };
	trace_find(&t, &q, &w);
	cr_expect_eq(w.n, 25);
	cr_expect_eq(w.v[0]->id, 119);
}

Test(trace, one_search_is_bounded_however_much_is_kept)
{
	static char text[4000];
	struct trace_query q = { .callid = SL("none"), .limit = 1 };
	struct trace_found w;
	unsigned n = 0;
	struct trace z;

	cr_assert_eq(trace_init(&z, 4096, 8 << 20), 0);
	memset(text, 'x', sizeof(text));
	for (unsigned i = 0; i < 4096; i++)
		trace_add(&z, &f, false, sl_mk(text, sizeof(text)), 0, 0);
	do {
		uint64_t from = q.before ? q.before : z.last + 1;

		trace_find(&z, &q, &w);
		cr_assert_leq(from - (w.next ? w.next : z.last - z.kept + 1),
			      (512u << 10) / 4000);
		q.before = w.next;
		n++;
	} while (w.next);
	cr_expect_geq(n, 16);
	trace_free(&z);
}
