/* RFC 5118: torture messages with IPv6, section by section. */
#include "sip/flow.h"
#include "tests/sip/msg.h"

struct v6 {
	const char *section, *ruri, *via, *contact, *body;
	bool ok;
};

#define PHONE "<sip:caller@[2001:db8::20]>"
#define V6VIA "SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111"

static const struct v6 v6[] = {
	{"4.1 in brackets", "sip:[2001:db8::10]", V6VIA, PHONE, "", true},
	{"4.2 without brackets", "sip:2001:db8::10", V6VIA, PHONE, "", false},
	{"4.3 port is part of the address", "sip:[2001:db8::10:5070]", V6VIA,
	 PHONE, "", true},
	{"4.4 port behind the brackets", "sip:[2001:db8::10]:5070", V6VIA,
	 PHONE, "", true},
	{"4.5 received with brackets", "sip:[2001:db8::10]",
	 V6VIA ";received=[2001:db8::9:255]", PHONE, "", true},
	{"4.5 received without brackets", "sip:[2001:db8::10]",
	 V6VIA ";received=2001:db8::9:255", PHONE, "", true},
	{"4.6 address in SDP", "sip:user@[2001:db8::10]", V6VIA, PHONE,
	 "v=0\r\no=a 1 1 IN IP6 2001:db8::20\r\ns=-\r\nt=0 0\r\n"
	 "c=IN IP6 2001:db8::20\r\nm=audio 42000 RTP/AVP 0 8\r\n", true},
	{"4.7 several addresses in a header", "sip:user@[2001:db8::10]",
	 V6VIA, "<sip:a@[2001:db8::20]>, <sip:b@[2001:db8::21]:5061>", "",
	 true},
	{"4.8 several addresses in SDP", "sip:user@[2001:db8::10]", V6VIA,
	 PHONE, "v=0\r\nc=IN IP6 2001:db8::1\r\nc=IN IP6 2001:db8::2\r\n",
	 true},
	{"4.9 IPv4 mapped", "sip:user@example.com",
	 "SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19",
	 "\"T. desk phone\" <sip:ted@[::ffff:192.0.2.2]>",
	 "v=0\r\nc=IN IP6 ::ffff:192.0.2.2\r\n", true},
	{"4.10 three colons", "sip:user@[2001:db8:::192.0.2.1]", V6VIA, PHONE,
	 "", false},
	{"4.10 two colons", "sip:user@[2001:db8::192.0.2.1]", V6VIA, PHONE, "",
	 true},
	/* and the rules of brackets in the other places */
	{"Via without brackets", "sip:[2001:db8::10]",
	 "SIP/2.0/UDP 2001:db8::9:1;branch=z9hG4bKa", PHONE, "", false},
	{"Contact without brackets", "sip:[2001:db8::10]", V6VIA,
	 "<sip:caller@2001:db8::20>", "", false},
	{"no closing bracket", "sip:[2001:db8::10", V6VIA, PHONE, "", false},
	{"no opening bracket", "sip:2001:db8::10]", V6VIA, PHONE, "", false},
	{"nothing in the brackets", "sip:[]", V6VIA, PHONE, "", false},
	{"a name in the brackets", "sip:[example.com]", V6VIA, PHONE, "",
	 false},
	{"IPv4 in the brackets", "sip:[192.0.2.1]", V6VIA, PHONE, "", false},
	{"a zone", "sip:[fe80::1%25eth0]", V6VIA, PHONE, "", false},
};

Test(ipv6, each_message_of_rfc_5118)
{
	for (unsigned i = 0; i < LEN(v6); i++) {
		char txt[1000];
		struct scanned *s;

		snprintf(txt, sizeof(txt), "REGISTER %s SIP/2.0\r\n"
			 "To: sip:user@example.com\r\n"
			 "From: sip:user@example.com;tag=81x2\r\nVia: %s\r\n"
			 "Call-ID: SSG95523997077@hlau_4100\r\n"
			 "Max-Forwards: 70\r\nContact: %s\r\n"
			 "CSeq: 98176 REGISTER\r\nContent-Length: %zu\r\n\r\n%s",
			 v6[i].ruri, v6[i].via, v6[i].contact,
			 strlen(v6[i].body), v6[i].body);
		s = scan_txt(txt);
		cr_expect_eq(s->err, v6[i].ok ? 0 : EBADMSG, "%s: %s",
			     v6[i].section, s->f.why ? s->f.why : "accepted");
		cr_expect(v6[i].ok || (s->f.code == 400 && s->f.answerable),
			  "%s", v6[i].section);
		scanned_free(s);
	}
}

Test(ipv6, a_port_inside_the_brackets_is_address)
{
	struct uri u;
	struct addr a;

	cr_assert_eq(uri_parse(&u, SL("sip:[2001:db8::10:5070]")), 0);
	cr_assert_eq(u.port, 0);
	cr_assert_eq(uri_addr(&u, &a), 0);
	cr_assert(a.ip[14] == 0x50 && a.ip[15] == 0x70);
	cr_assert_eq(uri_parse(&u, SL("sip:[2001:db8::10]:5070")), 0);
	cr_assert_eq(u.port, 5070);
}
