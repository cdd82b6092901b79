/** @file test_http_req.c  Heads of requests. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include "web/http_req.h"

#define END "Host: h\r\n\r\n"

static const struct {
	const char *in;
	int err;
} heads[] = {
	{ "GET / HTTP/1.1\r\n" END, 0 },
	{ "\r\n\r\nGET / HTTP/1.1\r\n" END, 0 },
	{ "GET / HTTP/1.1\nHost: h\n\n", 0 },
	{ "GET /a?b=c HTTP/1.0\r\n\r\n", 0 },
	{ "", EAGAIN },
	{ "\r\n", EAGAIN },
	{ "GET / HTTP/1.1", EAGAIN },
	{ "GET / HTTP/1.1\r\nHost: h\r\n", EAGAIN },
	{ "GET / HTTP/1.2\r\n" END, EBADMSG },
	{ "GET / HTTP/2.0\r\n" END, EBADMSG },
	{ "GET / HTTP/1.1 \r\n" END, EBADMSG },
	{ "GET  / HTTP/1.1\r\n" END, EBADMSG },
	{ "GET a HTTP/1.1\r\n" END, EBADMSG },
	{ "GET http://h/ HTTP/1.1\r\n" END, EBADMSG },
	{ "GET /\x01 HTTP/1.1\r\n" END, EBADMSG },
	{ "GET /\r\n" END, EBADMSG },
	{ " GET / HTTP/1.1\r\n" END, EBADMSG },
	{ "GET\r\n" END, EBADMSG },
	{ "GET / HTTP/1.1\r\nHost : h\r\n\r\n", EBADMSG },
	{ "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", EBADMSG },
	{ "GET / HTTP/1.1\r\nno colon\r\n\r\n", EBADMSG },
	{ "GET / HTTP/1.1\r\n: x\r\n\r\n", EBADMSG },
	{ "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", EBADMSG },
	{ "GET / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", EBADMSG },
	{ "GET / HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n",
	  EBADMSG },
	{ "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
	  EBADMSG },
	{ "GET / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n",
	  0 },
};

Test(http_req, heads_are_taken_or_refused)
{
	struct http_req r;
	size_t i;

	for (i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		int err = http_req_parse(&r, sl_cstr(heads[i].in));

		cr_expect_eq(err, heads[i].err, "%s -> %d", heads[i].in, err);
		if (!err)
			cr_expect_eq(r.head, strlen(heads[i].in));
	}
}

Test(http_req, gives_what_the_server_asks_for)
{
	struct http_req r;

	cr_assert_eq(http_req_parse(&r, SL("POST /a/b?x=1&y HTTP/1.1\r\n"
		"host:  Me:80 \r\nORIGIN: http://Me:80\r\n"
		"content-length: 3\r\nConnection: Close\r\nHost: 2\r\n"
		"\r\nabcGET")), 0);
	cr_expect(sl_eq(r.method, SL("POST")));
	cr_expect(sl_eq(r.path, SL("/a/b")));
	cr_expect(sl_eq(r.query, SL("x=1&y")));
	cr_expect(sl_eq(r.host, SL("Me:80")));
	cr_expect(sl_eq(r.origin, SL("http://Me:80")));
	cr_expect(r.hosts == 2 && r.length == 3 && r.close && !r.coded);
	cr_assert_eq(http_req_parse(&r, SL("GET / HTTP/1.1\r\n"
		"Transfer-Encoding: chunked\r\n\r\n")), 0);
	cr_expect(r.coded && !r.close && r.query.n == 0);
	cr_assert_eq(http_req_parse(&r, SL("GET / HTTP/1.0\r\n\r\n")), 0);
	cr_expect(r.close, "HTTP/1.0 closes");
}

Test(http_req, every_cut_of_a_head_is_asked_for_more)
{
	const struct sl all = SL("GET /x HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n");
	struct http_req r;

	for (size_t n = 0; n < all.n; n++)
		cr_expect_eq(http_req_parse(&r, sl_sub(all, 0, n)), EAGAIN,
			     "cut at %zu", n);
}

Test(http_req, long_heads_are_refused_quickly)
{
	static char big[1 << 20];
	struct http_req r;
	clock_t t;

	memset(big, 'a', sizeof(big));
	memcpy(big, "GET /", 5);
	t = clock();
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(http_req_parse(&r, sl_mk(big, sizeof(big))),
			     EMSGSIZE);
	cr_expect_lt(clock() - t, 2 * CLOCKS_PER_SEC);
	cr_expect_eq(http_req_parse(&r, sl_mk(big, HTTP_HEAD_MAX - 1)),
		     EAGAIN);
}

static const struct {
	const char *in, *out;     /* out NULL: refused */
} escapes[] = {
	{ "alice%40example.com", "alice@example.com" },
	{ "%73ip:a", "sip:a" },
	{ "%2b49", "+49" },
	{ "+49", "+49" },
	{ "%C3%a4", "\xc3\xa4" },
	{ "a%2", NULL },
	{ "a%", NULL },
	{ "a%4g", NULL },
	{ "a%00b", NULL },
};

Test(http_req, escapes_of_a_query_are_decoded_or_refused)
{
	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		char mem[64];
		struct buf b;
		int err;

		buf_fixed(&b, mem, sizeof(mem));
		err = http_req_unescape(&b, sl_cstr(escapes[i].in));
		cr_expect_eq(err, escapes[i].out ? 0 : EBADMSG, "%s",
			     escapes[i].in);
		if (escapes[i].out)
			cr_expect(sl_eq(buf_as_sl(&b),
					sl_cstr(escapes[i].out)), "%s",
				  escapes[i].in);
	}
}

Test(http_req, decoding_stops_at_the_end_of_its_memory)
{
	char mem[4];
	struct buf b;

	buf_fixed(&b, mem, sizeof(mem));
	cr_expect_eq(http_req_unescape(&b, SL("%41%42%43%44%45")), ENOSPC);
}
