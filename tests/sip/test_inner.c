/* Messages between edge and nodes alone: what is one, and its lines. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "sip/inner.h"

static bool is(const char *method, const char *vias, const char *to,
	       const char *more)
{
	static struct sip_msg m;
	static char text[2000];
	struct sip_fault f;
	int n = snprintf(text, sizeof(text), "%s sip:10.0.0.1 SIP/2.0\r\n"
		"%sFrom: <sip:a@b>;tag=1\r\nTo: <sip:10.0.0.1>%s\r\n"
		"Call-ID: c\r\nCSeq: 1 %s\r\n%sContent-Length: 0\r\n\r\n",
		method, vias, to, method, more);

	cr_assert_eq(sip_scan(&m, text, (size_t)n, false, &f), 0, "%s", text);
	return inner_is(&m, SL("application/edgewise-gone"));
}

#define VIA "Via: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKx\r\n"
#define TYPE "Content-Type: Application/edgewise-gone\r\n"

Test(inner, is_what_its_sender_made_himself)
{
	cr_expect(is("OPTIONS", VIA, "", TYPE));
	cr_expect_not(is("OPTIONS", VIA VIA, "", TYPE));
	cr_expect_not(is("OPTIONS", "Via: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKx"
			 ", SIP/2.0/TCP 10.0.0.3;branch=z9hG4bKy\r\n", "",
			 TYPE));
	cr_expect_not(is("OPTIONS", VIA, "", TYPE "Route: <sip:x;lr>\r\n"));
	cr_expect_not(is("OPTIONS", VIA, ";tag=2", TYPE));
	cr_expect_not(is("MESSAGE", VIA, "", TYPE));
	cr_expect_not(is("OPTIONS", VIA, "", ""));
	cr_expect_not(is("OPTIONS", VIA, "",
			 "Content-Type: application/edgewise-gone;x=1\r\n"));
	cr_expect_not(is("OPTIONS", VIA, "",
			 "Content-Type: application/sdp\r\n"));
}

Test(inner, lines_of_two_words)
{
	static const struct {
		const char *line, *a, *b;
	} v[] = {
		{ "a b", "a", "b" }, { "aa bb", "aa", "bb" },
		{ "a", NULL, NULL }, { "", NULL, NULL }, { "a ", NULL, NULL },
		{ " b", NULL, NULL }, { "a b c", NULL, NULL },
		{ "a  b", NULL, NULL },
	};
	struct sl rest, a, b;
	char text[100];

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		for (int k = 0; k < 2; k++) {
			(void)snprintf(text, sizeof(text), k ? "%s\r\nx y\r\n" :
				       "%s\nx y", v[i].line);
			rest = sl_cstr(text);
			cr_assert(inner_line(&rest, &a, &b));
			cr_expect_eq(sl_isset(a), v[i].a != NULL, "%zu", i);
			cr_expect(!v[i].a || (sl_eq(a, sl_cstr(v[i].a)) &&
					      sl_eq(b, sl_cstr(v[i].b))),
				  "%zu", i);
			cr_assert(inner_line(&rest, &a, &b));
			cr_expect(sl_eq(a, SL("x")));
			cr_expect(sl_eq(b, SL("y")));
			cr_expect_not(inner_line(&rest, &a, &b));
		}
	}
	rest = SL_NONE;
	cr_expect_not(inner_line(&rest, &a, &b));
}

Test(inner, a_ping_is_known_by_its_call_id_and_method)
{
	const struct sl id = SL("0123456789abcdef-00000001");
	const struct sl cseq = SL("1 OPTIONS");

	cr_expect(inner_is_ping(id, cseq));
	cr_expect_not(inner_is_ping(id, SL("2 OPTIONS")));
	cr_expect_not(inner_is_ping(id, SL("1 INVITE")));
	cr_expect_not(inner_is_ping(SL_NONE, cseq));
	cr_expect_not(inner_is_ping(id, SL_NONE));
	cr_expect_not(inner_is_ping(SL("0123456789abcdef-0000001"), cseq));
	cr_expect_not(inner_is_ping(SL("0123456789abcdef-000000012"), cseq));
	cr_expect_not(inner_is_ping(SL("0123456789abcdef@00000001"), cseq));
	cr_expect_not(inner_is_ping(SL("0123456789abcdeg-00000001"), cseq));
	cr_expect_not(inner_is_ping(SL("0123456789abcdef-0000000x"), cseq));
}
