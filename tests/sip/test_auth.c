/* Digest: vectors of the RFCs, quoting, nonces. */
#include "base/secret.h"
#include "sip/auth.h"
#include "tests/sip/msg.h"

static struct auth_cred parse(const char *txt)
{
	struct auth_cred c;

	cr_assert_eq(auth_cred_parse(&c, sl_cstr(txt)), 0, "%s", txt);
	return c;
}

static bool check(const char *txt, const char *user, const char *realm,
		  const char *password, const char *method)
{
	struct auth_cred c = parse(txt);
	char ha1[AUTH_HEX_MAX + 1];

	auth_ha1(ha1, c.alg, sl_cstr(user), sl_cstr(realm), sl_cstr(password));
	return auth_check(&c, sl_cstr(ha1), sl_cstr(method));
}

#define RFC7616(alg, resp) "Digest username=\"Mufasa\", " \
	"realm=\"http-auth@example.org\", uri=\"/dir/index.html\", " \
	"algorithm=" alg ", " \
	"nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", " \
	"nc=00000001, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\"" \
	", qop=auth, response=\"" resp "\", " \
	"opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""

Test(auth, rfc_7616_examples)
{
	cr_assert(check(RFC7616("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
			"Mufasa", "http-auth@example.org", "Circle of Life",
			"GET"));
	cr_assert(check(RFC7616("SHA-256", "753927fa0e85d155564e2e272a28d1802ca"
				"10daf4496794697cf8db5856cb6c1"),
			"Mufasa", "http-auth@example.org", "Circle of Life",
			"GET"));
}

Test(auth, rfc_2617_example)
{
	cr_assert(check("Digest username=\"Mufasa\",realm=\"testrealm@host.com\""
		",nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\","
		"uri=\"/dir/index.html\",qop=auth,nc=00000001,"
		"cnonce=\"0a4f113b\",response=\"6629fae49393a05397450978507c4ef1"
		"\",opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"", "Mufasa",
		"testrealm@host.com", "Circle Of Life", "GET"));
	/* the older form without qop, RFC 2069 as corrected */
	cr_assert(check("Digest username=\"Mufasa\",realm=\"testrealm@host.com\""
		",nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\","
		"uri=\"/dir/index.html\","
		"response=\"670FD8C2DF070C60B045671B8B24FF02\"", "Mufasa",
		"testrealm@host.com", "Circle Of Life", "GET"));
}

Test(auth, wrong_in_any_part_is_wrong)
{
	static const char good[] = RFC7616("MD5",
		"8ca523f5e9506fed4657c9700eebdbec");
	static const char *const part[] = {"nonce=\"", "uri=\"", "nc=0",
					   "cnonce=\"", "response=\""};

	for (unsigned i = 0; i < LEN(part); i++) {
		char txt[sizeof(good)];
		char *p;

		strcpy(txt, good);
		p = strstr(txt, part[i]) + strlen(part[i]);
		*p = *p == '1' ? '2' : '1';
		cr_expect(!check(txt, "Mufasa", "http-auth@example.org",
				 "Circle of Life", "GET"), "%s", part[i]);
	}
	cr_expect(!check(good, "Mufasa", "http-auth@example.org",
			 "Circle of Life", "POST"));
	cr_expect(!check(good, "Mufasa", "http-auth@example.org",
			 "circle of Life", "GET"));
}

Test(auth, ha1_must_fit_the_algorithm)
{
	struct auth_cred c = parse(RFC7616("MD5",
		"8ca523f5e9506fed4657c9700eebdbec"));
	char sha[AUTH_HEX_MAX + 1];

	auth_ha1(sha, AUTH_SHA256, SL("Mufasa"), SL("http-auth@example.org"),
		 SL("Circle of Life"));
	cr_assert(!auth_check(&c, sl_cstr(sha), SL("GET")));
	cr_assert(!auth_check(&c, SL_NONE, SL("GET")));
	cr_assert(!auth_check(&c, SL(""), SL("GET")));
}

Test(auth, sha256_needs_qop)
{
	struct auth_cred c = {.alg = AUTH_SHA256, .username = SL("u"),
			      .realm = SL("r"), .nonce = SL("n"),
			      .uri = SL("sip:h")};
	char ha1[AUTH_HEX_MAX + 1], resp[AUTH_HEX_MAX + 1];

	auth_ha1(ha1, AUTH_SHA256, SL("u"), SL("r"), SL("p"));
	auth_response(resp, &c, sl_cstr(ha1), SL("REGISTER"));
	c.response = sl_cstr(resp);
	cr_assert(!auth_check(&c, sl_cstr(ha1), SL("REGISTER")));
	c.qop = SL("auth");
	c.nc = SL("00000001");
	c.cnonce = SL("x");
	auth_response(resp, &c, sl_cstr(ha1), SL("REGISTER"));
	cr_assert(auth_check(&c, sl_cstr(ha1), SL("REGISTER")));
}

Test(auth, quotes_and_backslashes)
{
	struct auth_cred c = parse("digest  USERNAME = \"a\\\"b\\\\,c\" ,realm="
		"\"r, x=y\",,nonce=\"n\\\"\",uri=\"sip:h\",response="
		"\"0123456789abcdef0123456789ABCDEF\" ,\r\n unknown=1, "
		"algorithm=\"md5\"");
	char tmp[100], ha1[AUTH_HEX_MAX + 1], a[AUTH_HEX_MAX + 1],
	     b[AUTH_HEX_MAX + 1];

	SLEQ(c.username, "a\\\"b\\\\,c");
	SLEQ(auth_unq(tmp, c.username), "a\"b\\,c");
	SLEQ(auth_unq(tmp, SL("x\\")), "x\\");
	SLEQ(c.realm, "r, x=y");
	cr_assert_eq(c.alg, AUTH_MD5);
	/* the response is over the text that is meant */
	auth_ha1(ha1, AUTH_MD5, SL("u"), SL("r"), SL("p"));
	auth_response(a, &c, sl_cstr(ha1), SL("BYE"));
	c.nonce = SL("n\\\\\"");
	auth_response(b, &c, sl_cstr(ha1), SL("BYE"));
	cr_assert_str_neq(a, b);
	c.nonce = SL("n\"");
	auth_response(b, &c, sl_cstr(ha1), SL("BYE"));
	cr_assert_str_eq(a, b);
}

Test(auth, bad_credentials)
{
#define R32 "response=\"0123456789abcdef0123456789abcdef\""
#define BASE "username=\"u\",realm=\"r\",nonce=\"n\",uri=\"sip:h\""
	static const struct {
		const char *txt;
		int err;
	} v[] = {
		{"Digest " BASE "," R32, 0},
		{"Digest " BASE "," R32 ",qop=auth,nc=00000001,cnonce=\"c\"", 0},
		{"Digest " BASE "," R32 ",qop=\"auth\",nc=00000001,cnonce=c", 0},
		{"", EBADMSG},
		{"Digest", EBADMSG},
		{"Digest ", EBADMSG},
		{"Digest,", EBADMSG},
		{"NoOneKnowsThisScheme opaque-data=here", ENOTSUP},
		{"Basic dTpw", ENOTSUP},
		{"Digest " BASE, EBADMSG},
		{"Digest " BASE ",response=\"0123\"", EBADMSG},
		{"Digest " BASE ",response="
		 "\"0123456789abcdeg0123456789abcdef\"", EBADMSG},
		{"Digest " BASE "," R32 ",algorithm=SHA-256", EBADMSG},
		{"Digest " BASE "," R32 ",algorithm=MD5-sess", ENOTSUP},
		{"Digest " BASE "," R32 ",algorithm=MD5,algorithm=MD5", EBADMSG},
		{"Digest " BASE "," R32 ",qop=auth-int,nc=00000001,cnonce=\"c\"",
		 ENOTSUP},
		{"Digest " BASE "," R32 ",qop=auth", EBADMSG},
		{"Digest " BASE "," R32 ",qop=auth,nc=1,cnonce=\"c\"", EBADMSG},
		{"Digest " BASE "," R32 ",username=\"v\"", EBADMSG},
		{"Digest " BASE "," R32 ",nonce=\"m\"", EBADMSG},
		{"Digest " BASE "," R32 " x=y", EBADMSG},
		{"Digest " BASE "," R32 ",x", EBADMSG},
		{"Digest " BASE "," R32 ",x=", EBADMSG},
		{"Digest " BASE "," R32 ",x=\"y", EBADMSG},
		{"Digest " BASE "," R32 ",x=\"y\\\"", EBADMSG},
		{"Digest realm=\"r\",nonce=\"n\",uri=\"sip:h\"," R32, EBADMSG},
		{"Digest username=\"u\",nonce=\"n\",uri=\"sip:h\"," R32, EBADMSG},
		{"Digest username=\"u\",realm=\"r\",uri=\"sip:h\"," R32, EBADMSG},
		{"Digest username=\"u\",realm=\"r\",nonce=\"n\"," R32, EBADMSG},
	};

	for (unsigned i = 0; i < LEN(v); i++) {
		char *p = msg_copy(v[i].txt, strlen(v[i].txt));
		struct auth_cred c;

		cr_expect_eq(auth_cred_parse(&c, sl_mk(p, strlen(v[i].txt))),
			     v[i].err, "%s", v[i].txt);
		free(p);
	}
}

Test(auth, challenges)
{
	struct buf b;

	buf_init(&b, 1000);
	auth_challenge(&b, false, SL("ex.org"), SL("abc"), 1u << AUTH_MD5,
		       false);
	SLEQ(buf_as_sl(&b), "WWW-Authenticate: Digest realm=\"ex.org\", "
	     "nonce=\"abc\", algorithm=MD5, qop=\"auth\"\r\n");
	buf_reset(&b);
	auth_challenge(&b, true, SL("r"), SL("n"),
		       1u << AUTH_MD5 | 1u << AUTH_SHA256, true);
	SLEQ(buf_as_sl(&b), "Proxy-Authenticate: Digest realm=\"r\", "
	     "nonce=\"n\", algorithm=SHA-256, qop=\"auth\", stale=true\r\n"
	     "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", "
	     "algorithm=MD5, qop=\"auth\", stale=true\r\n");
	buf_free(&b);
}

Test(auth, nonces_are_known_again_until_they_are_old)
{
	uint8_t key[32] = {1}, other[32] = {2};
	const uint64_t t = 1700000000000;
	struct buf b;
	struct sl n;

	cr_assert_eq(secret_init(), 0);
	buf_init(&b, 100);
	auth_nonce_make(&b, key, SL("r"), t, 42);
	n = buf_as_sl(&b);
	cr_assert_leq(n.n, AUTH_NONCE_MAX);
	cr_assert_eq(auth_nonce_check(n, key, SL("r"), t, 60), NONCE_OK);
	cr_assert_eq(auth_nonce_check(n, key, SL("r"), t + 60000, 60), NONCE_OK);
	cr_assert_eq(auth_nonce_check(n, key, SL("r"), t + 60001, 60),
		     NONCE_STALE);
	cr_assert_eq(auth_nonce_check(n, key, SL("r"), t - 10000, 60), NONCE_OK);
	cr_assert_eq(auth_nonce_check(n, key, SL("r"), t - 10001, 60),
		     NONCE_STALE);
	cr_assert_eq(auth_nonce_check(n, other, SL("r"), t, 60), NONCE_FORGED);
	cr_assert_eq(auth_nonce_check(n, key, SL("R"), t, 60), NONCE_FORGED);
	cr_assert_eq(auth_nonce_check(sl_sub(n, 0, n.n - 1), key, SL("r"), t,
				      60), NONCE_FORGED);
	cr_assert_eq(auth_nonce_check(SL("abc"), key, SL("r"), t, 60),
		     NONCE_FORGED);
	cr_assert_eq(auth_nonce_check(SL_NONE, key, SL("r"), t, 60),
		     NONCE_FORGED);
	for (size_t i = 0; i < n.n - 1; i++) {
		b.p[i] ^= 1;
		cr_expect_eq(auth_nonce_check(n, key, SL("r"), t, 60),
			     NONCE_FORGED, "%zu", i);
		b.p[i] ^= 1;
	}
	buf_free(&b);
}

Test(auth, two_nonces_of_one_moment_differ)
{
	uint8_t key[32] = {1};
	struct buf a, b;

	buf_init(&a, 100);
	buf_init(&b, 100);
	auth_nonce_make(&a, key, SL("r"), 5, 1);
	auth_nonce_make(&b, key, SL("r"), 5, 2);
	cr_assert(!sl_eq(buf_as_sl(&a), buf_as_sl(&b)));
	buf_free(&a);
	buf_free(&b);
}
