/* Admission, routing, hiding: tables. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "sbc/admit.h"
#include "sbc/hide.h"
#include "sip/hop.h"

static struct sip_msg m;
static char text[8192], made[8192];

/** Request or response with \n as line end; head and body of a usual message */
static const struct sip_msg *msg(const char *line, const char *extra)
{
	struct sip_fault f;
	size_t n = 0;
	char tmp[6000];

	(void)snprintf(tmp, sizeof(tmp), "%s\nVia: SIP/2.0/UDP a;branch="
		       "z9hG4bKx\nFrom: <sip:a@x.org>;tag=1\nCall-ID: c1\n"
		       "%sContent-Length: 0\n\n", line, extra);
	for (const char *p = tmp; *p; p++) {
		if (*p == '\n')
			text[n++] = '\r';
		text[n++] = *p;
	}
	cr_assert_eq(sip_scan(&m, text, n, true, &f), 0, "%s: %s", line,
		     f.why);
	return &m;
}

#define TO "To: <sip:b@x.org>\nCSeq: 1 INVITE\n"
#define TO_TAG "To: <sip:b@x.org>;tag=2\nCSeq: 1 INVITE\n"

/* --- admit --- */

Test(admit, table)
{
	static const struct {
		const char *line, *extra;
		uint16_t code;
	} v[] = {
		{ "INVITE sip:b@x.org SIP/2.0", TO, 0 },
		{ "INVITE sips:b@x.org SIP/2.0", TO, 0 },
		{ "INVITE tel:+123 SIP/2.0", TO, 0 },
		{ "INVITE http://x.org SIP/2.0", TO, 416 },
		{ "INVITE soap.beep://x SIP/2.0", TO, 416 },
		{ "INVITE sip:b@x.org SIP/2.0", TO "Max-Forwards: 0\n", 483 },
		{ "INVITE sip:b@x.org SIP/2.0", TO "Max-Forwards: 1\n", 0 },
		{ "INVITE sip:b@x.org SIP/2.0", TO "Proxy-Require: foo\n",
		  420 },
		{ "INVITE sip:b@x.org SIP/2.0", TO "Require: foo\n", 0 },
	};
	const struct admit_conf cf = { .max_message = 65535 };
	struct admit a;

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		enum admit_verdict d = admit_request(&a, &cf,
						     msg(v[i].line,
							 v[i].extra));

		cr_expect_eq(a.code, v[i].code, "%zu: %u", i, a.code);
		cr_expect_eq(d, v[i].code ? ADMIT_REFUSE : ADMIT_OK, "%zu",
			     i);
	}
}

Test(admit, unsupported_lists_every_tag_asked_for)
{
	const struct admit_conf cf = { .max_message = 65535 };
	struct admit a;

	(void)admit_request(&a, &cf, msg("INVITE sip:b@x.org SIP/2.0", TO
		"Proxy-Require: one, two\nProxy-Require: three\n"));
	cr_expect(sl_eq(a.extra, SL("Unsupported: one, two, three\r\n")));
}

Test(admit, long_list_of_tags_is_cut_at_a_tag)
{
	const struct admit_conf cf = { .max_message = 65535 };
	char extra[3000] = TO "Proxy-Require: ";
	struct admit a;

	for (int i = 0; i < 100; i++)
		strcat(extra, i ? ",aaaaaaaaaaaaaaaa" : "aaaaaaaaaaaaaaaa");
	strcat(extra, "\n");
	(void)admit_request(&a, &cf, msg("INVITE sip:b@x.org SIP/2.0",
					 extra));
	cr_expect_eq(a.code, 420);
	cr_expect_leq(a.extra.n, sizeof(a.room));
	cr_expect_eq(memcmp(a.extra.p + a.extra.n - 2, "\r\n", 2), 0);
}

Test(admit, ack_is_dropped_instead_of_answered)
{
	const struct admit_conf cf = { .max_message = 65535 };
	struct admit a;

	cr_expect_eq(admit_request(&a, &cf, msg("ACK sip:b@x.org SIP/2.0",
		"To: <sip:b@x.org>;tag=2\nCSeq: 1 ACK\nMax-Forwards: 0\n")),
		ADMIT_DROP);
}

Test(admit, longer_than_the_limit_is_513)
{
	struct admit_conf cf = { .max_message = 50, .outside = true };
	struct admit a;

	(void)admit_request(&a, &cf, msg("INVITE sip:b@x.org SIP/2.0", TO));
	cr_expect_eq(a.code, 513);
	/* what a node sends has grown on the way */
	cf.outside = false;
	(void)admit_request(&a, &cf, msg("INVITE sip:b@x.org SIP/2.0", TO));
	cr_expect_eq(a.code, 0);
}

Test(admit, what_leaves_no_room_for_our_headers_is_513)
{
	static struct sip_msg big;
	struct admit_conf cf = { .max_message = SIP_MAX_MSG, .outside = true };
	struct admit a;

	big.raw = sl_mk("", 0);
	big.meth = SIP_INVITE;
	big.maxfwd = 70;
	big.ruri = SL("sip:b@x.org");
	for (int over = 0; over < 2; over++) {
		big.raw.n = SIP_MAX_MSG - 4096 + (size_t)over;
		big.body_off = 1000;
		(void)admit_request(&a, &cf, &big);
		cr_expect_eq(a.code, over ? 513 : 0);
		big.raw.n = 20000;
		big.body_off = SIP_MAX_HEAD - 4096 + (uint32_t)over;
		(void)admit_request(&a, &cf, &big);
		cr_expect_eq(a.code, over ? 513 : 0);
	}
}

/* --- route --- */

static struct token_keys keys;
static struct route_conf rc;
static struct listener lst[3];
static char path_uri[256], rr1[256], rr2[256], stale[256], gone[256];
static struct flow fa, fb;

static void put(char *dst, enum token_kind kind, enum token_leg leg,
		const struct flow *f, const char *callid, uint32_t boot)
{
	struct token t = { .kind = kind, .leg = leg, .flow = *f };
	struct token_keys k = keys;
	char room[TOKEN_MAX];
	struct buf b;

	k.boot = boot;
	buf_fixed(&b, room, sizeof(room));
	token_put(&b, &k, &t, sl_cstr(callid));
	(void)snprintf(dst, 256, "<sip:%.*s@%s;lr>", (int)b.n, room,
		       kind == TOKEN_PATH ? "10.0.0.1:5070" :
					    "192.0.2.1:5060");
}

static void route_init(void)
{
	const uint8_t key[32] = { 9 };

	cr_assert_eq(secret_init(), 0);
	token_keys_init(&keys, key, NULL, 1);
	memset(&rc, 0, sizeof(rc));
	for (int i = 0; i < 3; i++) {
		lst[i].tp = i ? TP_TCP : TP_UDP;
		lst[i].core = i == 2;
	}
	rc.keys = &keys;
	rc.lst = lst;
	rc.lstc = 3;
	rc.dialog_token = true;
	route_sentby_add(&rc, SL("192.0.2.1:5060"));
	route_sentby_add(&rc, SL("10.0.0.1:5070"));
	route_sentby_add(&rc, SL("Edge.Example.COM"));
	route_sentby_add(&rc, SL("[2001:db8::1]:5080"));
	fa = (struct flow){ .tp = TP_UDP, .lst = 0 };
	cr_assert_eq(addr_parse(&fa.peer, SL("198.51.100.1:6000"), 0), 0);
	fb = (struct flow){ .tp = TP_TCP, .lst = 1, .conn = 5 };
	cr_assert_eq(addr_parse(&fb.peer, SL("198.51.100.2:6000"), 0), 0);
	put(path_uri, TOKEN_PATH, TOKEN_CALLER, &fb, "", 1);
	put(rr1, TOKEN_RR, TOKEN_CALLER, &fa, "c1", 1);
	put(rr2, TOKEN_RR, TOKEN_CALLEE, &fb, "c1", 1);
	put(stale, TOKEN_RR, TOKEN_CALLEE, &fb, "c1", 2);
	fb.lst = 0;
	put(gone, TOKEN_RR, TOKEN_CALLEE, &fb, "c1", 1);
	fb.lst = 1;
}
TestSuite(route, .init = route_init);

static struct route go(const char *line, const char *extra, bool core)
{
	struct route r;

	(void)msg(line, extra);
	if (core)
		route_core(&r, &rc, &m);
	else
		route_client(&r, &rc, &m, &fa);
	return r;
}

static struct route with_route(const char *route, bool tag, bool core)
{
	char extra[2000];

	(void)snprintf(extra, sizeof(extra), "%s%s%s%s", tag ? TO_TAG : TO,
		       *route ? "Route: " : "", route, *route ? "\n" : "");
	return go("INVITE sip:b@x.org SIP/2.0", extra, core);
}

Test(route, our_names)
{
	static const struct {
		const char *uri;
		bool ours;
	} v[] = {
		{ "sip:192.0.2.1", true }, { "sip:192.0.2.1:5060", true },
		{ "sip:x@192.0.2.1;lr", true }, { "sip:192.0.2.1:5061", false },
		{ "sip:192.0.2.11", false }, { "sip:10.0.0.1:5070", true },
		{ "sip:edge.example.com", true }, { "sip:EDGE.EXAMPLE.COM:5060",
		true }, { "sip:[2001:db8::1]:5080", true },
		{ "sip:[2001:db8::1]", false }, { "tel:192.0.2.1", false },
		{ "sip:evil.org", false },
	};
	struct uri u;

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		cr_assert_eq(uri_parse(&u, sl_cstr(v[i].uri)), 0, "%s",
			     v[i].uri);
		cr_expect_eq(route_is_ours(&rc, &u), v[i].ours, "%s",
			     v[i].uri);
	}
}

Test(route, own_entries_are_known_to_the_letter)
{
	static const struct {
		const char *val;
		bool own;
	} v[] = {
		{ "<sip:T@192.0.2.1:5060;transport=udp;lr>", true },
		{ "<sip:T@192.0.2.1:5060;transport=udp;lr>, <sip:U@192.0.2.9;"
		  "transport=tcp;lr>", true },
		{ "<sip:T@192.0.2.1:5060;transport=udp;lr;ob>\t,<sip:U@"
		  "192.0.2.9;transport=tcp;lr>", true },
		{ "<sip:T@192.0.2.9;transport=tcp;lr>,", false },
		{ "<sip:T@192.0.2.9;transport=tcp;lr>;x", false },
		{ "<sip:T@192.0.2.9;transport=tcp;lrx", false },
		{ "<sip:T@192.0.2.9;transport=tcp;lr>;<sip:U@192.0.2.9;"
		  "transport=tcp;lr>", false },
		{ "<sip:T@192.0.2.9;transport=tcp;lr> <sip:T@192.0.2.9;"
		  "transport=tcp;lr>", false },
		{ "<sip:T@192.0.2.9;transport=tcp;lr;obx>", false },
		{ "<sip:T@192.0.2.9;transport=tcp;lr;ob;flow=tcp>", true },
		{ "<sip:T@192.0.2.9;transport=tcp;lr;ob;flow=udp>", true },
		{ "<sip:T@192.0.2.9;transport=tcp;lr;ob;flow=tcpx>", false },
		{ "<sip:T@192.0.2.9;transport=tcp;lr;flow=tcp>", false },
		{ "<sip:T@192.0.2.9;transport=tcp;lr;ob;flow=tcp", false },
		{ "<sip:T@192.0.2.9;transport=tcp;lr;ob", false },
		{ "<sip:T@192.0.2.9;transport=tcp;lr", false },
		{ "<sip:@192.0.2.9;transport=tcp;lr>", false },
		{ "<sip:192.0.2.9;transport=tcp;lr>", false },
		{ "<sip:x@10.0.0.1;y=@192.0.2.9;transport=tcp;lr>", false },
		{ "<sip:x@10.0.0.1;lr>", false },
		{ "<sip:T@192.0.2.9;transport=tcp;lr>, <sip:10.0.0.1;lr>",
		  false },
		{ "\"x\" <sip:T@192.0.2.9;transport=tcp;lr>", false },
		{ "<sip:T@", false }, { "", false },
	};
	const struct listener l[] = {
		{ .tp = TP_UDP, .sentby = "192.0.2.1:5060" },
		{ .tp = TP_TCP, .sentby = "192.0.2.9" },
	};
	struct sl user = SL_NONE, rest;

	route_tail_add(&rc, &l[0]);
	route_tail_add(&rc, &l[1]);
	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		size_t n = strlen(v[i].val);
		/* its end is where reading over it is noticed */
		char *p = malloc(n + !n);

		memcpy(p, v[i].val, n);
		rest = sl_mk(p, n);
		while (route_own_next(&rc, &rest, &user))
			;
		cr_expect_eq(!rest.n, v[i].own || !n, "%s", v[i].val);
		cr_expect_eq(route_own_text(&rc, sl_mk(p, n), &user),
			     v[i].own && !memchr(p, ',', n), "%s", v[i].val);
		free(p);
	}
	cr_assert(route_own_text(&rc, SL("<sip:T0k@192.0.2.9;transport=tcp;lr>"),
				 &user));
	cr_expect(sl_eq(user, SL("T0k")));
}

Test(route, from_a_client)
{
	char both[600], ours_first[600], foreign[600], self[300];
	const struct {
		const char *what, *route;
		bool tag;
		enum route_to to;
		uint16_t code;
		unsigned strip, foreign;
	} v[] = {
		{ "new", "", false, ROUTE_POOL, 0, 0, 0 },
		{ "outbound proxy", "<sip:192.0.2.1;lr>", false, ROUTE_POOL,
		  0, 1, 0 },
		{ "stranger's", "<sip:evil.org;lr>", false, ROUTE_POOL, 0, 0,
		  1 },
		{ "ours and a stranger's", foreign, false, ROUTE_POOL, 0, 1,
		  1 },
		{ "token outside a dialog", both, false, ROUTE_POOL, 0, 2,
		  0 },
		{ "path token", path_uri, false, ROUTE_POOL, 0, 1, 0 },
		{ "in dialog", both, true, ROUTE_FLOW, 0, 2, 0 },
		{ "in dialog, proxy in front", ours_first, true, ROUTE_FLOW,
		  0, 3, 0 },
		{ "in dialog, no token", "", true, ROUTE_REFUSE, 481, 0, 0 },
		{ "in dialog, path token", path_uri, true, ROUTE_REFUSE, 481,
		  1, 0 },
		{ "in dialog, stranger's", "<sip:evil.org;lr>", true,
		  ROUTE_REFUSE, 481, 0, 0 },
		{ "in dialog, forged", "<sip:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		  "AAAAAAAAAAAAAAAAAAAAAAAAAAAA@192.0.2.1;lr>", true,
		  ROUTE_REFUSE, 481, 1, 0 },
		{ "earlier process", stale, true, ROUTE_REFUSE, 430, 1, 0 },
		{ "listener changed", gone, true, ROUTE_REFUSE, 430, 1, 0 },
		{ "own token only", self, true, ROUTE_POOL, 0, 1, 0 },
	};

	(void)snprintf(both, sizeof(both), "%s, %s", rr1, rr2);
	(void)snprintf(ours_first, sizeof(ours_first),
		       "<sip:edge.example.com;lr>,%s,%s", rr1, rr2);
	(void)snprintf(foreign, sizeof(foreign),
		       "<sip:192.0.2.1;lr>, <sip:evil.org;lr>");
	(void)snprintf(self, sizeof(self), "%s", rr1);
	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		struct route r = with_route(v[i].route, v[i].tag, false);

		cr_expect_eq(r.to, v[i].to, "%s: %s", v[i].what,
			     route_to_name(r.to));
		cr_expect_eq(r.code, v[i].code, "%s: %u", v[i].what, r.code);
		cr_expect_eq(r.strip, v[i].strip, "%s", v[i].what);
		if (r.to == ROUTE_POOL)
			cr_expect_eq(r.foreign, v[i].foreign, "%s",
				     v[i].what);
	}
}

/* The token leads; the private address is that of a phone behind NAT */
Test(route, proxies_of_a_client_behind_ours_are_told)
{
	char val[1500];
	struct route r = with_route(rr2, true, false);

	cr_expect_eq(r.to, ROUTE_FLOW);
	cr_expect(r.alone && r.strip == 1);
	snprintf(val, sizeof(val), "%s, <sip:proxy.client.org;lr>", rr2);
	r = with_route(val, true, false);
	cr_expect_eq(r.to, ROUTE_FLOW);
	cr_expect(!r.alone && r.strip == 1);
	snprintf(val, sizeof(val), "%s\nRoute: <sip:proxy.client.org;lr>", rr2);
	r = with_route(val, true, false);
	cr_expect(!r.alone && r.strip == 1);
}

Test(route, private_addresses_are_refused_to_strangers)
{
	static const struct {
		const char *host, *route;
		bool refused;
	} v[] = {
		{ "10.1.2.3", "", true }, { "10.1.2.3:5070", "", true },
		{ "192.168.0.1", "", true }, { "172.31.0.1", "", true },
		{ "100.64.0.1", "", true }, { "127.0.0.1", "", true },
		{ "169.254.1.1", "", true }, { "0.0.0.0", "", true },
		{ "[fd00::1]", "", true }, { "[fe80::1]", "", true },
		{ "[::1]", "", true }, { "[::ffff:10.1.2.3]", "", true },
		{ "172.32.0.1", "", false }, { "192.0.2.9", "", false },
		{ "[2001:db8::9]", "", false }, { "x.org", "", false },
		{ "10.0.0.1", "", false }, { "10.0.0.1:9", "", false },
		{ "x.org", "<sip:evil.org;lr>, <sip:10.9.9.9;lr>", true },
		{ "x.org", "<sip:192.0.2.1;lr>, <sip:[fd00::1]:5;lr>", true },
		{ "x.org", "<sip:192.0.2.1;lr>, <sip:198.51.100.4;lr>",
		  false },
		{ "10.1.2.3", path_uri, true }, { "10.1.2.3", rr1, true },
	};
	char line[100], extra[600], both[600];
	struct route r;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
			const char *way = v[i].route;

			rc.private_targets = pass;
			(void)snprintf(line, sizeof(line), "INVITE sip:b@%s "
				       "SIP/2.0", v[i].host);
			(void)snprintf(extra, sizeof(extra), "%s%s%s%s", TO,
				       *way ? "Route: " : "", way,
				       *way ? "\n" : "");
			r = go(line, extra, false);
			cr_expect_eq(r.to == ROUTE_REFUSE && r.code == 403 &&
				     r.inside, v[i].refused && !pass,
				     "%s %s", v[i].host, way);
		}
	rc.private_targets = false;
	(void)snprintf(both, sizeof(both), TO_TAG "Route: %s, %s\n", rr1,
		       rr2);
	r = go("INVITE sip:b@10.1.2.3 SIP/2.0", both, false);
	cr_expect_eq(r.to, ROUTE_FLOW);
	(void)snprintf(both, sizeof(both), TO "Route: %s\n", path_uri);
	cr_expect_eq(go("INVITE sip:b@10.1.2.3 SIP/2.0", both, true).to,
		     ROUTE_FLOW);
}

Test(route, last_token_names_the_target)
{
	char both[600];
	struct route r;

	(void)snprintf(both, sizeof(both), "%s, %s", rr1, rr2);
	r = with_route(both, true, false);
	cr_expect(flow_eq(&r.flow, &fb));
	(void)snprintf(both, sizeof(both), "%s, %s", rr2, rr1);
	r = with_route(both, true, false);
	cr_expect(flow_eq(&r.flow, &fa));
}

Test(route, two_phones_on_one_flow_reach_each_other)
{
	char rr_b[256], both[600];
	struct route r;

	/* a PBX: caller and callee behind the same address */
	put(rr_b, TOKEN_RR, TOKEN_CALLEE, &fa, "c1", 1);
	(void)snprintf(both, sizeof(both), "%s, %s", rr_b, rr1);
	r = with_route(both, true, false);
	cr_expect_eq(r.to, ROUTE_FLOW);
	cr_expect(flow_eq(&r.flow, &fa));
}

Test(route, without_dialog_token_only_bare_requests_pass)
{
	rc.dialog_token = false;
	cr_expect_eq(with_route("", true, false).to, ROUTE_POOL);
	cr_expect_eq(with_route(path_uri, true, false).to, ROUTE_REFUSE);
}

/** A token of bob on connection 5 of this process (boot 1) or of another */
static void put_known(char *dst, enum token_kind kind, uint32_t boot)
{
	struct token t = { .kind = kind, .leg = TOKEN_CALLEE, .flow = fb,
			   .id = 77 };
	struct token_keys k = keys;
	char room[TOKEN_MAX];
	struct buf b;

	k.boot = boot;
	buf_fixed(&b, room, sizeof(room));
	token_put(&b, &k, &t, SL("c1"));
	(void)snprintf(dst, 256, "<sip:%.*s@%s;lr>", (int)b.n, room,
		       kind == TOKEN_PATH ? "10.0.0.1:5070" :
					    "192.0.2.1:5060");
}

Test(route, client_of_a_stream_is_found_on_his_newest_connection)
{
	const struct known_reg reg = { .what = KNOWN_CLAIM, .aor = 1,
				       .id = 77 };
	struct flow now = fb, udp = fa;
	struct known *known;
	char t[4][256];
	struct route r;

	cr_assert_eq(known_alloc(&known, 10), 0);
	rc.known = known;
	for (int i = 0; i < 4; i++)
		put_known(t[i], i & 1 ? TOKEN_PATH : TOKEN_RR, i & 2 ? 9 : 1);
	/* nobody has claimed it: as it is, or gone with its process */
	r = with_route(t[0], true, false);
	cr_expect(r.to == ROUTE_FLOW && !r.found && r.flow.conn == 5);
	cr_expect_eq(with_route(t[2], true, false).code, 430);
	cr_expect_eq(with_route(t[3], false, true).code, 430);
	known_apply(known, &fb, &reg);
	r = with_route(t[1], false, true);
	cr_expect(r.to == ROUTE_FLOW && !r.found && r.id == 77);
	now.conn = 6;
	now.peer.port++;
	known_apply(known, &now, &reg);
	for (int i = 0; i < 4; i++) {
		r = with_route(t[i], !(i & 1), i & 1);
		cr_expect(r.to == ROUTE_FLOW && r.found, "%d", i);
		cr_expect(flow_eq(&r.flow, &now), "%d", i);
	}
	/* another call's token does not lead there */
	put(t[0], TOKEN_RR, TOKEN_CALLEE, &fb, "c2", 9);
	cr_expect_eq(with_route(t[0], true, false).code, 481);
	/* nor one of a client without identity */
	cr_expect_eq(with_route(stale, true, false).code, 430);
	known_lost(known, &now);
	known_lost(known, &udp);
	r = with_route(t[0], true, false);
	cr_expect_eq(r.code, 481);
	rc.known = NULL;
	known_free(known);
}

Test(route, nodes_on_the_way_stand_in_the_callees_token_for_both)
{
	struct token t = { .kind = TOKEN_RR, .leg = TOKEN_CALLEE, .flow = fb,
			   .hopn = 3, .hops = "one" };
	char room[TOKEN_MAX], both[1000];
	struct route r;
	struct buf b;

	buf_fixed(&b, room, sizeof(room));
	token_put(&b, &keys, &t, SL("c1"));
	(void)snprintf(both, sizeof(both), "%s, <sip:%.*s@192.0.2.1;lr>",
		       rr1, (int)b.n, room);
	r = with_route(both, true, false);
	cr_expect(flow_eq(&r.flow, &fb));
	cr_expect(r.hopn == 3 && !memcmp(r.hops, "one", 3) && r.hops_back);
	(void)snprintf(both, sizeof(both), "<sip:%.*s@192.0.2.1;lr>, %s",
		       (int)b.n, room, rr1);
	r = with_route(both, true, false);
	cr_expect(flow_eq(&r.flow, &fa));
	cr_expect(r.hopn == 3 && !memcmp(r.hops, "one", 3) && !r.hops_back);
	(void)snprintf(both, sizeof(both), "%s, %s", rr2, rr1);
	cr_expect_eq(with_route(both, true, false).hopn, 0);
}

Test(route, token_of_a_listener_of_the_other_family_is_not_followed)
{
	lst[0].bound.af = 6;
	cr_expect_eq(with_route(rr1, true, false).code, 430);
	lst[0].bound.af = 4;
	cr_expect_eq(with_route(rr1, true, false).to, ROUTE_POOL);
}

Test(route, options_to_us_is_answered_here_others_are_not)
{
#define OPT "To: <sip:x.org>\nCSeq: 1 OPTIONS\n"
	cr_expect_eq(go("OPTIONS sip:192.0.2.1 SIP/2.0", OPT, false).to,
		     ROUTE_LOCAL);
	cr_expect_eq(go("OPTIONS sip:bob@192.0.2.1 SIP/2.0", OPT, false).to,
		     ROUTE_POOL);
	cr_expect_eq(go("OPTIONS sip:x.org SIP/2.0", OPT, false).to,
		     ROUTE_POOL);
	cr_expect_eq(go("OPTIONS sip:10.0.0.1:5070 SIP/2.0", OPT, true).to,
		     ROUTE_LOCAL);
}

Test(route, a_node_reaches_clients_by_token_only)
{
	char deep[600];
	struct route r = with_route(path_uri, false, true);

	cr_expect_eq(r.to, ROUTE_FLOW);
	cr_expect(r.path);
	cr_expect(flow_eq(&r.flow, &fb));
	cr_expect_eq(with_route("", false, true).code, 403);
	cr_expect_eq(with_route("<sip:10.0.0.1:5070;lr>", false, true).code,
		     403);
	cr_expect_eq(with_route("<sip:evil.org;lr>", false, true).code, 403);
	cr_expect_eq(with_route(rr2, false, true).code, 403);
	cr_expect_eq(with_route(rr2, true, true).to, ROUTE_FLOW);
	(void)snprintf(deep, sizeof(deep), "<sip:evil.org;lr>, %s", path_uri);
	cr_expect_eq(with_route(deep, false, true).code, 403);
}

Test(route, register_and_calls_of_a_phone_have_one_key)
{
	uint64_t k1 = route_key(msg("REGISTER sip:x.org SIP/2.0",
		"To: \"B\" <sip:b@X.org:5060;x=y>\nCSeq: 1 REGISTER\n"));

	cr_expect_eq(route_key(msg("INVITE sip:b@x.org SIP/2.0", TO)), k1);
	cr_expect_eq(route_key(msg("INVITE sips:%62@x.org;user=phone SIP/2.0",
				   TO)), k1);
	cr_expect_neq(route_key(msg("INVITE sip:c@x.org SIP/2.0", TO)), k1);
}

/* --- hide --- */

static struct hide_conf hc;
static struct hide_stats hst;

static void hide_init(void)
{
	struct addr a;

	route_init();
	memset(&hc, 0, sizeof(hc));
	memset(&hst, 0, sizeof(hst));
	hc.core = true;
	hc.rc = &rc;
	cr_assert_eq(addr_parse(&a, SL("10.0.0.11:5060"), 0), 0);
	hide_inside_add(&hc, &a);
	hide_inside_add(&hc, &a);
	cr_assert_eq(addr_parse(&a, SL("[fd00::b]:5060"), 0), 0);
	hide_inside_add(&hc, &a);
}
TestSuite(hide, .init = hide_init);

static const char *hidden(const char *line, const char *extra)
{
	static struct splice s;
	struct buf b;

	(void)msg(line, extra);
	splice_init(&s, &m);
	if (m.req)
		hide_request(&s, &m, &hc, &hst);
	else
		hide_response(&s, &m, &hc, &hst);
	buf_fixed(&b, made, sizeof(made) - 1);
	cr_assert_eq(splice_write(&s, &b), 0, "%s", extra);
	made[b.n] = '\0';
	return made;
}

Test(hide, inside_address_is_found_as_a_whole_only)
{
	cr_expect_eq(hc.insidec, 2);
	cr_expect(hide_has_inside(&hc, SL("10.0.0.11")));
	cr_expect(hide_has_inside(&hc, SL("399 10.0.0.11:5060 \"x\"")));
	cr_expect(hide_has_inside(&hc, SL("at [fd00::b]")));
	cr_expect_not(hide_has_inside(&hc, SL("10.0.0.110")));
	cr_expect_not(hide_has_inside(&hc, SL("110.0.0.11")));
	cr_expect_not(hide_has_inside(&hc, SL("10.0.0.1")));
	cr_expect_not(hide_has_inside(&hc, SL("")));
}

#define IN "<sip:10.0.0.11:5060;lr>"
#define UP "<sip:proxy.client.org;lr>"

Test(hide, record_route_to_the_callee_keeps_ours_and_the_callers)
{
	/* a node wrote one on top in its own header, one in ours */
	static const char *const forms[] = {
		"Record-Route: " IN "\nRecord-Route: %s\nRecord-Route: " UP
		"\n",
		"Record-Route: " IN ", %s, " UP "\n",
		"Record-Route: " IN "," IN " , %s\nRecord-Route: " UP "\n",
		"Record-Route: " IN "\nRecord-Route: " IN ",%s," UP "\n",
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		char extra[1000], rr[700];
		const char *out;

		(void)snprintf(rr, sizeof(rr), forms[i], rr1);
		(void)snprintf(extra, sizeof(extra), "%s%s", TO, rr);
		out = hidden("INVITE sip:b@x.org SIP/2.0", extra);
		cr_expect_not(strstr(out, "10.0.0.11"), "%zu: %s", i, out);
		cr_expect(strstr(out, rr1), "%zu: %s", i, out);
		cr_expect(strstr(out, "proxy.client.org"), "%zu: %s", i, out);
		cr_expect_not(strstr(out, ",,"));
		{
			static struct sip_msg again;
			struct sip_fault f;

			cr_expect_eq(sip_scan(&again, out, strlen(out), true,
					      &f), 0, "%zu: %s", i, out);
		}
	}
	cr_expect_eq(hst.rr_removed, 6);
}

Test(hide, record_route_to_the_caller_keeps_the_callees_proxies)
{
	char extra[1000];
	const char *out;

	(void)snprintf(extra, sizeof(extra), TO_TAG "Record-Route: " UP
		       "\nRecord-Route: %s, " IN "\nRecord-Route: %s\n", rr2,
		       rr1);
	out = hidden("SIP/2.0 200 OK", extra);
	cr_expect(strstr(out, "proxy.client.org"));
	cr_expect(strstr(out, rr1));
	cr_expect(strstr(out, rr2));
	cr_expect_not(strstr(out, "10.0.0.11"));
	/* without a callee's token the rest was written inside */
	(void)snprintf(extra, sizeof(extra), TO_TAG "Record-Route: " UP
		       "\nRecord-Route: %s\n", rr1);
	cr_expect_not(strstr(hidden("SIP/2.0 200 OK", extra), "proxy"));
}

Test(hide, traces_of_the_inside_in_responses)
{
	const char *out = hidden("SIP/2.0 404 Not Found", TO_TAG
		"Path: <sip:tok@10.0.0.1:5070;lr>\n"
		"Warning: 399 10.0.0.11 \"no\"\nWarning: 399 phone \"yes\"\n"
		"Server: node/10.0.0.11\nEdgewise-Health: state=ready\n"
		"edgewise-Note: x\nX-Keep: y\n");

	cr_expect_not(strstr(out, "Path"));
	cr_expect_not(strstr(out, "10.0.0.1"));
	cr_expect_not(strstr(out, "dgewise"));
	cr_expect(strstr(out, "Warning: 399 phone"));
	cr_expect(strstr(out, "X-Keep: y\r\n"));
}

Test(hide, what_clients_must_not_send_is_taken_away)
{
	static struct splice s;
	struct buf b;

	(void)msg("INVITE sip:b@x.org SIP/2.0", TO
		"Path: <sip:evil.org;lr>\nService-Route: <sip:evil.org;lr>\n"
		"P-Asserted-Identity: <sip:boss@x.org>\n"
		"remote-party-id: <sip:boss@x.org>\n"
		"EDGEWISE-Secret: 1\nP-Preferred-Identity: <sip:a@x.org>\n");
	splice_init(&s, &m);
	hide_from_client(&s, &m, &hst);
	buf_fixed(&b, made, sizeof(made) - 1);
	cr_assert_eq(splice_write(&s, &b), 0);
	made[b.n] = '\0';
	cr_expect_not(strstr(made, "evil"));
	cr_expect_not(strstr(made, "boss"));
	cr_expect_not(strstr(made, "EDGEWISE"));
	cr_expect(strstr(made, "P-Preferred-Identity"));
	cr_expect_eq(hst.injected, 5);
}
