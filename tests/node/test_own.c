/* What is left out of a node's trace: probes and pings, nothing else. */
#include "node/own.h"
#include <criterion/criterion.h>
#include <stdio.h>

static bool own(const char *first, const char *from, const char *cseq)
{
	char msg[600];
	int n = snprintf(msg, sizeof(msg), "%s\r\nVia: SIP/2.0/UDP 1.2.3.4\r\n"
			 "%s\r\nTo: <sip:x@example.com>\r\nCall-ID: a\r\n"
			 "CSeq: %s\r\nAllow: INVITE, OPTIONS, INFO\r\n\r\n",
			 first, from, cseq);

	cr_assert(n > 0 && (size_t)n < sizeof(msg));
	return own_is(sl_mk(msg, (size_t)n), SL("INFO"),
		      SL("sip:ping@localhost"));
}

Test(own, probes)
{
	const char *edge = "From: <sip:edge@10.0.0.1:5070>;tag=1";

	cr_expect(own("OPTIONS sip:10.0.0.2 SIP/2.0", edge, "1 OPTIONS"));
	cr_expect(own("SIP/2.0 200 OK", edge, "1 OPTIONS"));
	cr_expect(own("OPTIONS sip:[::1] SIP/2.0",
		      "From: <sip:edge@[::1]:5070>;tag=1", "1 OPTIONS"));
	cr_expect(!own("INVITE sip:10.0.0.2 SIP/2.0", edge, "1 INVITE"));
	cr_expect(!own("SIP/2.0 200 OK", edge, "1 INVITE"));
	/* of phones */
	cr_expect(!own("OPTIONS sip:b@example.com SIP/2.0",
		       "From: <sip:edge@example.com>;tag=1", "1 OPTIONS"));
	cr_expect(!own("OPTIONS sip:b@example.com SIP/2.0",
		       "From: <sip:alice@10.0.0.1>;tag=1", "1 OPTIONS"));
}

Test(own, pings)
{
	const char *ping = "From: <sip:ping@localhost>;tag=1";

	cr_expect(own("INFO sip:bob@10.0.0.2 SIP/2.0", ping, "1 INFO"));
	cr_expect(own("SIP/2.0 404 No", ping, "1 INFO"));
	/* of a phone that writes it short */
	cr_expect(own("SIP/2.0 200 OK", "f: <sip:ping@localhost>;tag=1",
		      "1 INFO"));
	cr_expect(!own("SIP/2.0 200 OK", ping, "1 INVITE"));
	cr_expect(!own("SIP/2.0 200 OK", ping, "1 XINFO"));
	cr_expect(!own("INFO sip:bob@10.0.0.2 SIP/2.0",
		       "From: <sip:ping@localhost2>;tag=1", "1 INFO"));
	cr_expect(!own("INFORM sip:bob@10.0.0.2 SIP/2.0", ping, "1 INFORM"));
	cr_expect(!own("INFO", "", ""));
}

Test(own, short_texts)
{
	cr_expect(!own_is(SL("INFO"), SL("INFO"), SL("sip:p@x")));
	cr_expect(!own_is(SL("SIP/2.0 "), SL("INFO"), SL("sip:p@x")));
	cr_expect(!own_is(SL("OPTIONS a\r\nFrom: <sip:edge@\r\nCSeq: OPTIONS"),
			  SL("INFO"), SL("sip:p@x")));
	cr_expect(!own_is(SL("INFO a\r\nFrom: <sip:p@x\r\nCSeq: 1 INFO"),
			  SL("INFO"), SL("sip:p@x")));
}
