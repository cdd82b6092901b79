/* URIs: parts, comparison, canonical forms. */
#include "sip/flow.h"
#include "sip/uri.h"
#include "tests/sip/msg.h"

Test(uri, parts)
{
	struct uri u;
	struct addr a;

	cr_assert_eq(uri_parse(&u, SL("SIP:al%20ice;x=y?z:pa$s@Ex-1.com:5061;"
				      "transport=TCP;lr?to=a%40b&c=d")), 0);
	cr_assert_eq(u.scheme, URI_SIP);
	SLEQ(u.user, "al%20ice;x=y?z");
	SLEQ(u.pass, "pa$s");
	SLEQ(u.host, "Ex-1.com");
	cr_assert_eq(u.port, 5061);
	SLEQ(u.params, "transport=TCP;lr");
	SLEQ(u.headers, "to=a%40b&c=d");
	cr_assert_eq(uri_transport(&u), TP_TCP);
	cr_assert_eq(uri_addr(&u, &a), ENOENT);

	cr_assert_eq(uri_parse(&u, SL("sips:[2001:DB8::1]:5070")), 0);
	cr_assert_eq(u.scheme, URI_SIPS);
	cr_assert(!sl_isset(u.user));
	SLEQ(u.host, "[2001:DB8::1]");
	cr_assert_eq(uri_addr(&u, &a), 0);
	cr_assert(a.af == 6 && a.port == 5070);
	cr_assert_eq(uri_transport(&u), TP_NONE);

	cr_assert_eq(uri_parse(&u, SL("tel:+1-201-555;phone-context=x")), 0);
	cr_assert_eq(u.scheme, URI_TEL);
	SLEQ(u.user, "+1-201-555");
	cr_assert_eq(uri_parse(&u, SL("soap.beep://192.0.2.103:3002")), 0);
	cr_assert_eq(u.scheme, URI_OTHER);
	SLEQ(u.scheme_txt, "soap.beep");
	cr_assert_eq(uri_parse(&u, SL("sip:a;transport=sctp")), 0);
	cr_assert_eq(uri_transport(&u), -1);
	cr_assert_eq(uri_parse(&u, SL("sip:*31#@h;fid=ab==;x")), 0);
	cr_assert_eq(uri_parse(&u, SL("sip:%00@h")), 0);
}

Test(uri, bad_ones)
{
	static const char *const v[] = {
		"", "sip", "sip:", ":a", "1sip:a", "sip:@h", "sip:a@", "sip:a@h@h",
		"sip::p@h", "sip:a@h:", "sip:a@h:0", "sip:a@h:65536",
		"sip:a@h:1x", "sip:a@h:18446744073709551617", "sip:a@h;",
		"sip:a@h;;x", "sip:a@h;=x", "sip:a@h x", " sip:a@h", "sip:a@h ",
		"sip:a b@h", "sip:a@h;x=<", "sip:a@h>", "sip:%4@h", "sip:%zz@h",
		"sip:a@h;x=%", "sip:[::1@h", "sip:[::1", "sip:[]", "sip:[1]",
		"sip:::1", "sip:a@[::g]", "sip:a@h?x y", "sip:a@h%61", "tel:",
		"tel:;x", "x y:z", "http:", "http:a<b", "sip:a@\xc3\xa9",
		"sip:a@h;x=\"y\"", "s%69p:a@h",
	};

	for (unsigned i = 0; i < LEN(v); i++) {
		char *p = msg_copy(v[i], strlen(v[i]));
		struct uri u;

		cr_expect_eq(uri_parse(&u, sl_mk(p, strlen(v[i]))), EBADMSG,
			     "%s", v[i]);
		free(p);
	}
}

Test(uri, equal_as_rfc_3261_19_1_4_says)
{
	static const struct {
		const char *a, *b;
		bool eq;
	} v[] = {
		/* the examples of the section */
		{"sip:%61lice@atlanta.com;transport=TCP",
		 "sip:alice@AtLanTa.CoM;Transport=tcp", true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5",
		 true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;security=on",
		 true},
		{"sip:carol@chicago.com;newparam=5",
		 "sip:carol@chicago.com;security=on", true},
		{"sip:biloxi.com;transport=tcp;method=REGISTER?"
		 "to=sip:bob%40biloxi.com",
		 "sip:biloxi.com;method=REGISTER;transport=tcp?"
		 "to=sip:bob%40biloxi.com", true},
		{"sip:alice@atlanta.com?subject=project%20x&priority=urgent",
		 "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
		 true},
		{"SIP:ALICE@AtLanTa.CoM;Transport=udp",
		 "sip:alice@AtLanTa.CoM;Transport=UDP", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp",
		 false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp",
		 false},
		{"sip:carol@chicago.com",
		 "sip:carol@chicago.com?Subject=next%20meeting", false},
		{"sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false},
		{"sip:carol@chicago.com;security=on",
		 "sip:carol@chicago.com;security=off", false},
		/* and its rules */
		{"sip:a@h", "sips:a@h", false},
		{"sip:a@h", "sip:h", false},
		{"sip:a:p@h", "sip:a@h", false},
		{"sip:a:p@h", "sip:a:%70@h", true},
		{"sip:a;b@h", "sip:a%3Bb@h", false},
		{"sip:a%3bb@h", "sip:a%3Bb@h", true},
		{"sip:%00@h", "sip:%00%00@h", false},
		{"sip:a@h;user=phone", "sip:a@h", false},
		{"sip:a@h;ttl=1", "sip:a@h", false},
		{"sip:a@h;maddr=x", "sip:a@h", false},
		{"sip:a@h;method=X", "sip:a@h", false},
		{"sip:a@h;lr", "sip:a@h", true},
		{"sip:a@h;x", "sip:a@h;x=", false},
		{"sip:a@h;x=1;y=2", "sip:a@h;Y=2;X=1", true},
		{"sip:a@h?x=1", "sip:a@h?x=1&y=2", false},
		{"sip:a@h?x=A", "sip:a@h?x=a", false},
		{"sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]", true},
		{"sip:a@[2001:db8::1]", "sip:a@[2001:db8::2]", false},
		{"tel:+123", "TEL:+123", true},
		{"tel:+123", "tel:+124", false},
		{"isbn:1", "isbn:1", true},
		{"x", "x", false},
	};

	for (unsigned i = 0; i < LEN(v); i++) {
		struct sl a = sl_cstr(v[i].a), b = sl_cstr(v[i].b);

		cr_expect_eq(uri_equal(a, b), v[i].eq, "%s %s", v[i].a, v[i].b);
		cr_expect_eq(uri_equal(b, a), v[i].eq, "%s %s", v[i].b, v[i].a);
	}
}

static void canon(int (*fn)(struct buf *, struct sl), const char *in,
		  const char *want)
{
	struct buf b;
	int err;

	buf_init(&b, 4096);
	err = fn(&b, sl_cstr(in));
	if (want)
		cr_expect(!err && sl_eq(buf_as_sl(&b), sl_cstr(want)),
			  "%s: %d %.*s", in, err, SL_FMT(buf_as_sl(&b)));
	else
		cr_expect(err && b.n == 0, "%s: %.*s", in,
			  SL_FMT(buf_as_sl(&b)));
	buf_free(&b);
}

Test(uri, canonical_aor)
{
	canon(aor_canon, "sip:%61lice@AtLanTa.CoM:5060;transport=tcp",
	      "alice@atlanta.com");
	canon(aor_canon, "sips:alice:secret@atlanta.com?x=y",
	      "alice@atlanta.com");
	canon(aor_canon, "sip:Alice@a", "Alice@a");
	canon(aor_canon, "sip:a%3bb%40c@h", "a%3Bb%40c@h");
	canon(aor_canon, "sip:a;b@h", "a;b@h");
	canon(aor_canon, "sip:%00@h", "%00@h");
	canon(aor_canon, "sip:*31#@h", "*31%23@h");
	canon(aor_canon, "sip:*31%23@h", "*31%23@h");
	canon(aor_canon, "sip:a@[2001:DB8::0:1]", "a@[2001:db8::1]");
	canon(aor_canon, "sip:Example.com", "example.com");
	canon(aor_canon, "tel:+123", NULL);
	canon(aor_canon, "isbn:1", NULL);
	canon(aor_canon, "sip:a@", NULL);
}

Test(uri, canonical_aor_has_a_limit)
{
	char uri[SIP_AOR_MAX + 10] = "sip:";

	memset(uri + 4, 'a', SIP_AOR_MAX);
	memcpy(uri + 4 + SIP_AOR_MAX - 2, "@h", 3);
	canon(aor_canon, uri, uri + 4);
	memcpy(uri + 4 + SIP_AOR_MAX - 2, "@hh", 4);
	canon(aor_canon, uri, NULL);
}

Test(uri, canonical_contact)
{
	canon(contact_canon, "SIP:%61:%62@H:5060;Z=Q;b;a=%2f?y=%31&X=Z",
	      "sip:a:b@h:5060;a=%2F;b;z=q?x=Z&y=1");
	canon(contact_canon, "sip:h;x=1", "sip:h;x=1");
	canon(contact_canon, "sips:a@h", "sips:a@h");
	canon(contact_canon, "sip:a@h:5060", "sip:a@h:5060");
	canon(contact_canon, "sip:a@h", "sip:a@h");
	canon(contact_canon, "TEL:+1;X=Y", "tel:+1;X=Y");
	canon(contact_canon, "nonsense", NULL);
	/* 64 parameters are looked at, 65 are too many */
	for (unsigned n = 64; n < 66; n++) {
		char uri[400] = "sip:h", want[400] = "sip:h";

		for (unsigned i = 0; i < n; i++)
			strcat(uri, ";a"), strcat(want, ";a");
		canon(contact_canon, uri, n == 64 ? want : NULL);
	}
}

Test(uri, equal_contacts_have_equal_forms)
{
	static const char *const v[] = {
		"sip:a@h;x=1;y", "sip:a@H;y;X=1", "sip:%61@h;x=%31;y",
	};

	for (unsigned i = 0; i < LEN(v); i++)
		canon(contact_canon, v[i], "sip:a@h;x=1;y");
}

Test(uri, name_addr)
{
	struct name_addr na;
	struct sl v;

	cr_assert_eq(name_addr_parse(&na, SL(" \"A \\\"<x>\" <sip:a@h;lr> ; q = "
		"0.5 ;+sip.instance=\"<urn:uuid:1>;,\";ob ")), 0);
	SLEQ(na.display, "\"A \\\"<x>\"");
	SLEQ(na.uri, "sip:a@h;lr");
	cr_assert(na.brackets);
	cr_assert(param_get(na.params, SL("Q"), &v));
	SLEQ(v, "0.5");
	cr_assert(param_get(na.params, SL("+sip.instance"), &v));
	SLEQ(v, "\"<urn:uuid:1>;,\"");
	cr_assert(param_get(na.params, SL("ob"), &v));
	cr_assert(!sl_isset(v));
	cr_assert(!param_get(na.params, SL("lr"), &v));
	cr_assert_eq(name_addr_parse(&na, SL("sip:a@h;lr;q=1")), 0);
	SLEQ(na.uri, "sip:a@h");
	SLEQ(na.params, "lr;q=1");
	cr_assert(!na.brackets);
	cr_assert_eq(name_addr_parse(&na, SL("caller<sip:a@h>")), 0);
	SLEQ(na.display, "caller");
}

Test(uri, parameters_of_any_text_end)
{
	struct sl rest = SL(";;a=;=b; c = \"x;y\" z;d"), n, v;
	unsigned k = 0;

	while (param_next(&rest, &n, &v))
		k++;
	cr_assert_eq(k, 4);
	cr_assert(!param_get(SL_NONE, SL("a"), &v));
	cr_assert(param_get(SL("a=\"b"), SL("a"), &v));
	SLEQ(v, "\"b");
}
