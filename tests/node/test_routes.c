/* Routes: which one a number takes, what number it becomes, what the proxy
 * makes of it. */
#include "tests/node/rig.h"
#include "node/routes.h"
#include <criterion/criterion.h>
#include <stdio.h>

#define ROUTES \
	"routes = ( { prefix = \"+49\"; peers = ( \"gw1\", \"gw2\" ); " \
	"strip = 3; add = \"0\"; }, " \
	"{ prefix = \"+4930\"; peers = ( \"gw3\" ); }, " \
	"{ prefix = \"+49\"; domain = \"PBX.example\"; peers = ( \"p1\" ); " \
	"}, { domain = \"pbx.example\"; peers = ( \"p2\" ); }, " \
	"{ prefix = \"9\"; peers = ( \"gw1\" ); strip = 1; } );\n"
#define OPEN "auth = \"off\";\n"
#define ALICE "<sip:alice@example.com>"
#define FROM_PBX "Edgewise-From-Peer: pbx\r\n"

static struct node_config cf;

static void conf(const char *text)
{
	static struct cfg_errs e;

	memset(&e, 0, sizeof(e));
	cr_assert_eq(node_config_read_mem(&cf, "f", text, &e), 0, "%s",
		     e.txt[0]);
}

static const struct node_route *find(const char *uri, struct uri *u,
				     bool served, const char *from)
{
	cr_assert_eq(uri_parse(u, sl_cstr(uri)), 0, "%s", uri);
	return routes_find(&cf, u, served, sl_cstr(from));
}

Test(routes, the_longest_prefix_decides_and_the_number_is_rewritten)
{
	static const struct {
		const char *uri;
		bool served;
		const char *from, *peer, *to;
	} v[] = {
		{ "sip:+49891@x.org", true, "", "gw1", "sip:0891@x.org" },
		{ "sip:+49891@x.org:5070;user=phone;x=y", true, "", "gw1",
		  "sip:0891@x.org:5070;user=phone" },
		{ "sip:%2B49-(89).1@x.org", true, "", "gw1",
		  "sip:0891@x.org" },
		{ "sip:+49891;phone-context=x@x.org", true, "", "gw1",
		  "sip:0891@x.org" },
		{ "sip:+49301@x.org", true, "", "gw3", "sip:+49301@x.org" },
		{ "sips:+49891@x.org", true, "", "gw1", "sips:0891@x.org" },
		{ "sip:+48891@x.org", true, "", NULL, NULL },
		{ "sip:+4@x.org", true, "", NULL, NULL },
		{ "sip:bob@x.org", true, "", NULL, NULL },
		{ "sip:x.org", true, "", NULL, NULL },
		/* not ours: by its domain alone */
		{ "sip:+49891@x.org", false, "", NULL, NULL },
		{ "sip:+49891@pbx.EXAMPLE", false, "", "p1",
		  "sip:+49891@pbx.EXAMPLE" },
		{ "sip:a%20b@pbx.example", false, "", "p2",
		  "sip:a%20b@pbx.example" },
		{ "sip:ab.c-d@pbx.example", false, "", "p2",
		  "sip:ab.c-d@pbx.example" },
		/* both fit: of equal prefixes its own domain */
		{ "sip:+49891@pbx.example", true, "", "p1",
		  "sip:+49891@pbx.example" },
		/* a route that names who asks is no way, nor the next best */
		{ "sip:+49891@x.org", true, "gw1", NULL, NULL },
		{ "sip:+49891@x.org", true, "gw2", NULL, NULL },
		{ "sip:+49891@x.org", true, "gw3", "gw1", "sip:0891@x.org" },
		{ "sip:+49301@x.org", true, "gw3", NULL, NULL },
		{ "sip:9%40@x.org", true, "", "gw1", "sip:%40@x.org" },
	};

	conf(ROUTES);
	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		const struct node_route *r;
		struct uri u;
		struct way w;

		r = find(v[i].uri, &u, v[i].served, v[i].from);
		cr_expect_eq(r != NULL, v[i].peer != NULL, "%s: %s", v[i].uri,
			     r ? ((struct node_text *)r->peers.v)->s : "-");
		if (!r || !v[i].peer)
			continue;
		cr_assert_eq(routes_way(&w, r, &u), 0, "%s", v[i].uri);
		cr_expect_str_eq(w.peer[0], v[i].peer, "%s", v[i].uri);
		cr_expect(sl_eq(sl_mk(w.uri, w.urin), sl_cstr(v[i].to)),
			  "%s: %.*s", v[i].uri, (int)w.urin, w.uri);
	}
	node_config_clear(&cf);
}

Test(routes, a_number_of_which_nothing_is_left_is_no_number)
{
	const struct node_route *r;
	struct uri u;
	struct way w;

	conf(ROUTES);
	r = find("sip:9@x.org", &u, true, "");
	cr_assert(r);
	cr_expect(routes_way(&w, r, &u) != 0);
	node_config_clear(&cf);
}

Test(routes, bad_settings_are_refused)
{
	static const char *const v[] = {
		"routes = ( { peers = ( \"a\" ); } );",
		"routes = ( { prefix = \"1\"; } );",
		"routes = ( { prefix = \"1\"; peers = ( ); } );",
		"routes = ( { prefix = \"1\"; peers = ( \"a;last\" ); } );",
		"routes = ( { prefix = \"1\"; peers = ( \"a\\r\\nX: y\" ); } "
		");",
		"routes = ( { prefix = \"1 2\"; peers = ( \"a\" ); } );",
		"routes = ( { prefix = \"1\"; add = \"x@y\"; peers = ( \"a\" "
		"); } );",
		"routes = ( { prefix = \"1\"; peers = ( \"a\" ); }, "
		"{ prefix = \"1\"; peers = ( \"b\" ); } );",
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		struct cfg_errs e = { 0 };

		cr_expect(node_config_read_mem(&cf, "f", v[i], &e), "%s",
			  v[i]);
	}
}

/* --- the proxy --- */

static void dial(struct rig *r, const char *number, const char *more)
{
	char uri[80], to[90];

	(void)snprintf(uri, sizeof(uri), "sip:%s@example.com", number);
	(void)snprintf(to, sizeof(to), "<%s>", uri);
	rig_req(r, "INVITE", uri, ALICE, to, "call", 1, more);
}

static bool leg_is(struct rig *r, struct rig_leg *l, const char *uri,
		   const char *peer)
{
	rig_leg(r, l, "INVITE");
	cr_expect(sl_eq(l->m.ruri, sl_cstr(uri)), "%.*s",
		  SL_FMT(l->m.ruri));
	cr_expect_str_eq(rig_hdr(r, "Edgewise-To-Peer"), peer);
	cr_expect(rig_count(r, "Route") == 0);
	cr_expect(l->flow.peer.port == 5070 && l->flow.conn == 0,
		  "to the address in the edge's Via");
	return true;
}

Test(routes, the_peers_are_asked_one_after_the_other)
{
	struct rig *r = rig_new(OPEN ROUTES, "");
	struct rig_leg a, b;

	dial(r, "+49891", FROM_PBX "Route: <sip:127.0.0.11;lr>\r\n");
	(void)leg_is(r, &a, "sip:0891@example.com", "gw1");
	cr_expect(rig_take(r) == -1, "the second one waits");
	rig_answer(r, &a, 503, "t", "");
	(void)rig_take(r);                      /* ACK */
	(void)leg_is(r, &b, "sip:0891@example.com", "gw2;last");
	rig_answer(r, &b, 180, "u", "");
	cr_expect(rig_take(r) == 180);
	rig_answer(r, &b, 200, "u", "");
	cr_expect(rig_final(r) == 200);
	cr_expect(rig_stat(r, "node_routed_total", NULL) == 1);
	cr_expect(rig_stat(r, "node_route_next_total", NULL) == 1);
	cr_expect(rig_stat(r, "node_route_failed_total", NULL) == 0);
	rig_leg_free(&a);
	rig_leg_free(&b);
	rig_free(r);
}

Test(routes, an_answer_ends_the_search_a_failure_does_not)
{
	static const struct {
		unsigned code;
		bool next;
	} v[] = {
		{ 430, true }, { 500, true }, { 502, true }, { 503, true },
		{ 504, true }, { 400, false }, { 403, false }, { 404, false },
		{ 408, false }, { 480, false }, { 486, false },
		{ 501, false }, { 603, false },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		struct rig *r = rig_new(OPEN ROUTES, "");
		struct rig_leg a, b;

		dial(r, "+49891", FROM_PBX);
		(void)leg_is(r, &a, "sip:0891@example.com", "gw1");
		rig_answer(r, &a, v[i].code, "t", "");
		(void)rig_take(r);
		if (v[i].next) {
			(void)leg_is(r, &b, "sip:0891@example.com",
				     "gw2;last");
			rig_answer(r, &b, v[i].code, "t", "");
			(void)rig_take(r);
			cr_expect(rig_final(r) == (v[i].code == 430 ? 480
						   : v[i].code == 503 ? 500
						   : (int)v[i].code));
			cr_expect(rig_stat(r, "node_route_failed_total",
					   NULL) == 1);
			rig_leg_free(&b);
		}
		else {
			cr_expect(rig_final(r) == (int)v[i].code, "%u",
				  v[i].code);
		}
		cr_expect(rig_take(r) == -1);
		rig_leg_free(&a);
		rig_free(r);
	}
}

Test(routes, cancel_ends_the_search)
{
	struct rig *r = rig_new(OPEN ROUTES, "");
	struct rig_leg a, c;

	dial(r, "+49891", FROM_PBX);
	(void)leg_is(r, &a, "sip:0891@example.com", "gw1");
	rig_answer(r, &a, 180, "t", "");
	cr_expect(rig_take(r) == 180);
	rig_same(r, "CANCEL", "sip:+49891@example.com", ALICE,
		 "<sip:+49891@example.com>", "call", 1, "");
	cr_expect(rig_take(r) == 200);
	rig_leg(r, &c, "CANCEL");
	rig_answer(r, &a, 503, "t", "");
	(void)rig_take(r);
	cr_expect(rig_final(r) == 487);
	cr_expect(rig_take(r) == -1);
	rig_leg_free(&c);
	rig_leg_free(&a);
	rig_free(r);
}

Test(routes, a_registered_contact_goes_before)
{
	struct rig *r = rig_new(OPEN ROUTES, "");
	struct rig_leg a;

	cr_assert(rig_register(r, "+49891", "<sip:x@10.0.0.1>", "tok", 1) ==
		  200);
	dial(r, "+49891", FROM_PBX);
	rig_leg(r, &a, "INVITE");
	cr_expect_str_eq(rig_hdr(r, "Edgewise-To-Peer"), "");
	cr_expect(rig_count(r, "Route") == 1);
	rig_leg_free(&a);
	rig_free(r);
}

Test(routes, a_user_of_ours_is_not_looked_for_outside)
{
	struct rig *r = rig_new(OPEN ROUTES, "+49891@example.com:"
				"0123456789abcdef0123456789abcdef:"
				"0123456789abcdef0123456789abcdef"
				"0123456789abcdef0123456789abcdef\n");

	dial(r, "+49891", FROM_PBX);
	cr_expect(rig_final(r) == 480);
	rig_free(r);
}

Test(routes, without_credentials_nobody_leaves_but_peers)
{
	struct rig *r = rig_new(OPEN ROUTES, "");
	struct rig_leg a;

	/* auth = off proves nothing */
	dial(r, "+49891", "");
	cr_expect(rig_final(r) == 404);
	rig_req(r, "INVITE", "sip:x@pbx.example", ALICE, ALICE, "c2", 1, "");
	cr_expect(rig_final(r) == 404);
	rig_free(r);

	r = rig_new(ROUTES, "");
	dial(r, "+49891", "");
	cr_expect(rig_final(r) == 407);
	rig_req(r, "INVITE", "sip:x@pbx.example", ALICE, ALICE, "c2", 1, "");
	cr_expect(rig_final(r) == 407);
	/* the mark of the edge is enough, but for REGISTER */
	rig_req(r, "REGISTER", "sip:example.com", ALICE, ALICE, "c3", 1,
		FROM_PBX "Contact: <sip:a@10.0.0.1>\r\n");
	cr_expect(rig_final(r) == 401);
	rig_req(r, "INVITE", "sip:x@pbx.example", "<sip:a@far.example>",
		ALICE, "c4", 1, FROM_PBX);
	rig_leg(r, &a, "INVITE");
	cr_expect_str_eq(rig_hdr(r, "Edgewise-To-Peer"), "p2;last");
	rig_leg_free(&a);
	rig_free(r);

	/* and so is the address, where the settings of the node name it */
	r = rig_new("peers = ( \"192.0.2.0/24\" );\n" ROUTES, "");
	dial(r, "+49301", "");
	(void)leg_is(r, &a, "sip:+49301@example.com", "gw3;last");
	rig_leg_free(&a);
	rig_free(r);
}

Test(routes, lost_with_the_edge_the_way_ends)
{
	struct rig *r = rig_new(OPEN ROUTES, "");
	struct rig_leg a;

	dial(r, "+49891", FROM_PBX);
	(void)leg_is(r, &a, "sip:0891@example.com", "gw1");
	core_lost(r->core, &a.flow, 0, r->now, r->wall);
	rig_pass(r, 70000);
	while (rig_take(r) >= 0)
		;
	cr_expect(core_open(r->core) == 0);
	rig_leg_free(&a);
	rig_free(r);
}
