/* Trusted peers: the table, and the edge with phones that are peers. */
#define _GNU_SOURCE             /* strcasestr */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "sbc/peers.h"
#include "world.h"

static struct stats *st;
static struct peers ps;
static struct peer_conf pc[3];

static void table(void)
{
	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	cr_assert_eq(stats_alloc(&st), 0);
	memset(&ps, 0, sizeof(ps));
	memset(pc, 0, sizeof(pc));
	for (int i = 0; i < 3; i++) {
		(void)snprintf(pc[i].name, sizeof(pc[i].name), "gw%d", i);
		cr_assert_eq(addr_parse(&pc[i].addr, SL("192.0.2.1"), 5060),
			     0);
		pc[i].addr.ip[3] = (uint8_t)(10 + i);
		pc[i].rest = 1000;
	}
	cr_assert_eq(addr_net_parse(&pc[1].net[0], SL("198.51.100.0/24")), 0);
	pc[1].netc = 1;
	pc[0].max_cps = 3;
	cr_assert_eq(peers_set(&ps, pc, 3, st, 1000), 0);
}

static void table_end(void)
{
	peers_close(&ps);
	stats_free(st);
}
TestSuite(peers, .init = table, .fini = table_end);

static const struct peer *from(const char *ip)
{
	struct addr a = { 0 };

	cr_assert_eq(addr_parse(&a, sl_cstr(ip), 40000), 0);
	return peers_from(&ps, &a);
}

Test(peers, are_known_by_address_and_network_whatever_the_port)
{
	cr_expect_eq(from("192.0.2.10"), ps.v[0]);
	cr_expect_eq(from("192.0.2.11"), ps.v[1]);
	cr_expect_eq(from("198.51.100.77"), ps.v[1]);
	cr_expect_null(from("198.51.101.77"));
	cr_expect_null(from("192.0.2.13"));
	cr_expect_eq(peers_named(&ps, SL("gw2")), ps.v[2]);
	cr_expect_null(peers_named(&ps, SL("gw")));
	cr_expect_null(peers_named(&ps, SL("GW2")));
	cr_expect_null(peers_by_id(&ps, 0));
}

Test(peers, a_cap_is_kept_and_bursts_are_of_one_second)
{
	struct peer *p = ps.v[0];
	unsigned n = 0;

	for (int i = 0; i < 10; i++)
		n += peer_take(p, 1000);
	cr_expect_eq(n, 3);
	cr_expect(!peer_take(p, 1300));
	cr_expect(peer_take(p, 1334));
	/* an hour of silence saves up no more */
	for (n = 0; n < 10 && peer_take(p, 3600000); n++)
		;
	cr_expect_eq(n, 3);
	/* ten seconds of far too many: three each */
	n = 0;
	for (uint64_t t = 3601000; t < 3611000; t += 10)
		n += peer_take(p, t);
	cr_expect(n >= 30 && n <= 33, "%u", n);
	for (int i = 0; i < 100; i++)
		cr_expect(peer_take(ps.v[1], 1000), "without a cap");
}

Test(peers, one_that_fails_rests_twice_as_long_each_time)
{
	struct peer *p = ps.v[0];
	uint64_t now = 5000;
	static const unsigned rest[] = { 1000, 2000, 4000, 8000, 8000 };

	cr_expect(!peer_rests(p, now));
	for (size_t i = 0; i < 5; i++) {
		peer_failed(p, "silent", 0, now);
		/* calls that were on their way fail with it */
		peer_failed(p, "silent", 0, now + 1);
		cr_expect(peer_rests(p, now + rest[i] - 1), "%zu", i);
		cr_expect(!peer_rests(p, now + rest[i]), "%zu", i);
		now += rest[i];
	}
	cr_expect_eq(p->failed, 10);
	cr_expect_eq(p->resting, 1, "until it is heard");
	peer_heard(p);
	cr_expect_eq(p->resting, 0);
	peer_failed(p, "silent", 0, now);
	cr_expect(!peer_rests(p, now + 1000), "forgiven");
	/* what it asks for itself */
	peer_heard(p);
	peer_failed(p, "503", 30000, now);
	cr_expect(peer_rests(p, now + 29999));
	cr_expect(!peer_rests(p, now + 30000));
}

Test(peers, a_reload_keeps_figures_and_state_of_the_same_name)
{
	struct peer *p = ps.v[1];
	uint32_t id = p->id, gone = ps.v[0]->id;
	struct peer_conf v[2] = { pc[2], pc[1] };
	uint64_t n;

	p->calls_in = 7;
	peer_failed(p, "silent", 0, 1000);
	v[1].max_cps = 9;
	cr_assert_eq(peers_set(&ps, v, 2, st, 2000), 0);
	cr_expect_eq(ps.n, 2);
	cr_expect_eq(ps.v[1], p);
	cr_expect_eq(peers_by_id(&ps, id), p);
	cr_expect_null(peers_by_id(&ps, gone));
	cr_expect_eq(p->cf.max_cps, 9);
	cr_expect(peer_rests(p, 1500));
	cr_assert(stat_get(st, "sbc_peer_calls_total",
			   "peer=\"gw1\",direction=\"in\"", &n));
	cr_expect_eq(n, 7);
	cr_expect_not(stat_get(st, "sbc_peer_calls_total",
			       "peer=\"gw0\",direction=\"in\"", &n));
	cr_expect_neq(peers_set(&ps, v, PEERS_MAX + 1, st, 2000), 0);
	cr_expect_eq(ps.n, 2);
}

/* --- the edge --- */

static struct world *w;
static struct vphone *a, *g, *h;

static void begin(void)
{
	struct peer_conf v[2] = { 0 };

	w = world_new(1, NULL);
	a = world_phone(w, "alice", SIM_DATAGRAM);
	g = world_phone(w, "gw1", SIM_DATAGRAM);
	h = world_phone(w, "gw2", SIM_DATAGRAM);
	(void)phone_register(a);
	a->answer = g->answer = 20;
	world_run(w, 50);
	for (int i = 0; i < 2; i++) {
		(void)snprintf(v[i].name, sizeof(v[i].name), "gw%d", i + 1);
		v[i].addr = i ? h->host.addr : g->host.addr;
		v[i].tp = TP_UDP;
		v[i].timeout = 400;
		v[i].rest = 5000;
	}
	memcpy(v[0].domain[0], "example.com", 12);
	v[0].domainc = 1;
	v[0].max_cps = 2;
	cr_assert_eq(edge_peers(w->edge, v, 2, w->net->now), 0);
}

static void end(void)
{
	cr_expect_eq(w->leaks, 0, "inside address: %s", w->leak);
	world_run(w, 70000);
	cr_expect_eq(edge_pending(w->edge), 0);
	world_free(w);
}
TestSuite(peer_edge, .init = begin, .fini = end);

/** What a node got with this Call-ID */
static const char *at_node(const char *callid)
{
	for (int i = 0; i < W_NODES; i++)
		for (int k = 0; k < W_VCALLS; k++)
			if (w->node[i].call[k].used &&
			    !strcmp(w->node[i].call[k].callid, callid))
				return w->node[i].call[k].raw;
	return "";
}

static uint64_t figure(const char *name, const char *peer, const char *more)
{
	char labels[80];

	(void)snprintf(labels, sizeof(labels), "peer=\"%s\"%s", peer, more);
	return world_stat(w, name, labels);
}

#define HEAD(who, uri, cid, from) \
	"INVITE " uri " SIP/2.0\nVia: SIP/2.0/UDP " who ";branch=z9hG4bKraw" \
	cid "\nMax-Forwards: 70\nFrom: <sip:" from ">;tag=r\nTo: <" uri \
	">\nCall-ID: " cid "\nCSeq: 1 INVITE\nContact: <sip:x@" who ">\n"
#define TAIL "Content-Length: 0\n\n"

Test(peer_edge, its_request_is_marked_for_the_node)
{
	struct vreq *r = phone_send(g, SIP_INVITE, "alice", "c-1");

	world_run(w, 500);
	cr_expect_eq(r->final, 200);
	cr_expect(strstr(at_node("c-1"), "\r\nEdgewise-From-Peer: gw1\r\n"));
	cr_expect_not(strstr(a->inv[0].req, "Edgewise"));
	cr_expect_eq(figure("sbc_peer_calls_total", "gw1",
			    ",direction=\"in\""), 1);
}

Test(peer_edge, a_phone_cannot_mark_itself)
{
	phone_raw(a, HEAD("a", "sip:alice@example.com", "c-2", "alice@x.org")
		  "Edgewise-From-Peer: gw1\nedgewise-FROM-peer : gw1\n"
		  "Edgewise-To-Peer: gw2\nP-Asserted-Identity: <sip:x@y>\n"
		  TAIL);
	world_run(w, 50);
	cr_assert_str_neq(at_node("c-2"), "");
	cr_expect_not(strcasestr(at_node("c-2"), "edgewise"));
	cr_expect_not(strstr(at_node("c-2"), "Asserted"));
	cr_expect_eq(h->invc, 0);
}

Test(peer_edge, nor_can_a_peer_pass_for_another)
{
	phone_raw(g, HEAD("g", "sip:alice@example.com", "c-3", "x@y.org")
		  "Edgewise-From-Peer: gw2\nEdgewise-To-Peer: gw2\n"
		  "P-Asserted-Identity: <sip:x@y>\nPath: <sip:1.2.3.4;lr>\n"
		  TAIL);
	world_run(w, 50);
	cr_expect(strstr(at_node("c-3"), "Edgewise-From-Peer: gw1\r\n"));
	cr_expect_not(strstr(at_node("c-3"), "gw2"));
	cr_expect_not(strstr(at_node("c-3"), "1.2.3.4"));
	cr_expect(strstr(at_node("c-3"), "P-Asserted-Identity"),
		  "it may say who calls");
}

Test(peer_edge, our_address_becomes_its_domain)
{
	char t[900], to[ADDR_TXT];

	(void)snprintf(t, sizeof(t), HEAD("g", "sip:alice@%s;user=phone;"
		"transport=udp", "c-4", "x@y.org") TAIL,
		addr_txt(&w->lst[0].bound, to), to);
	phone_raw(g, t);
	phone_raw(g, HEAD("g", "sip:alice@other.org", "c-5", "x@y.org") TAIL);
	world_run(w, 50);
	cr_expect_eq(strstr(at_node("c-4"), "INVITE sip:alice@example.com;"
			    "user=phone SIP/2.0\r\n"), at_node("c-4"), "%.90s",
		     at_node("c-4"));
	cr_expect_str_eq(at_node("c-5"), "", "a domain that is not its own");
	cr_expect_eq(figure("sbc_peer_refused_total", "gw1",
			    ",why=\"domain\""), 1);
}

Test(peer_edge, too_many_calls_get_503_with_retry_after)
{
	struct vreq *r[5];
	unsigned n = 0;

	for (int i = 0; i < 5; i++)
		r[i] = phone_invite(g, "nobody");
	world_run(w, 200);
	for (int i = 0; i < 5; i++) {
		n += r[i]->final == 503;
		cr_expect(r[i]->final != 503 || r[i]->retry_after);
	}
	cr_expect_eq(n, 3);
	cr_expect_eq(figure("sbc_peer_refused_total", "gw1",
			    ",why=\"cps\""), 3);
	/* a peer without a cap is not held up, nor is a phone */
	for (int i = 0; i < 5; i++)
		r[i] = phone_invite(i < 3 ? h : a, "nobody");
	world_run(w, 200);
	for (int i = 0; i < 5; i++)
		cr_expect_neq(r[i]->final, 503);
}

/** A node's own request; answers of the edge come to nobody */
static void to_peer(const char *cid, const char *peer)
{
	char t[1000];

	(void)snprintf(t, sizeof(t), "INVITE sip:+4930@example.com SIP/2.0\n"
		"Via: SIP/2.0/TCP 10.0.0.11;branch=z9hG4bK%s\n"
		"Edgewise-To-Peer: %s\n"
		"Max-Forwards: 70\nFrom: <sip:e@e>;tag=1\n"
		"To: <sip:bob@example.com>\nCall-ID: %s\nCSeq: 1 INVITE\n"
		"Contact: <sip:e@198.51.100.9>\n" TAIL, cid, peer, cid);
	node_raw(&w->node[0], t);
}

Test(peer_edge, a_node_may_send_to_a_peer_by_its_name)
{
	char want[100], txt[ADDR_TXT];

	to_peer("e1", "gw1");
	world_run(w, 100);
	cr_assert_eq(g->invc, 1);
	(void)snprintf(want, sizeof(want), "INVITE sip:+4930@%s SIP/2.0\r\n",
		       addr_txt(&g->host.addr, txt));
	cr_expect(!strncmp(g->inv[0].req, want, strlen(want)), "%.90s",
		  g->inv[0].req);
	cr_expect(strstr(g->inv[0].req, "\r\nRecord-Route: "));
	cr_expect_not(strstr(g->inv[0].req, "Edgewise"));
	cr_expect_eq(figure("sbc_peer_calls_total", "gw1",
			    ",direction=\"out\""), 1);
	to_peer("e2", "gw");
	to_peer("e3", "");
	to_peer("e4", "gw1 gw2");
	world_run(w, 100);
	cr_expect_eq(g->invc + h->invc, 1, "names that are none");
}

Test(peer_edge, a_silent_one_is_given_up_and_rests)
{
	/* alive for the network, but it says nothing */
	sim_freeze(w->net, &g->host);
	to_peer("e1", "gw1");
	world_run(w, 500);
	cr_expect_eq(figure("sbc_peer_failed_total", "gw1", ""), 1);
	cr_expect_eq(figure("sbc_peer_resting", "gw1", ""), 1);
	sim_thaw(w->net, &g->host);
	to_peer("e2", "gw1");
	world_run(w, 50);
	cr_expect_eq(figure("sbc_peer_skipped_total", "gw1", ""), 1);
	to_peer("e3", "gw1;last");
	world_run(w, 50);
	cr_expect_eq(figure("sbc_peer_calls_total", "gw1",
			    ",direction=\"out\""), 2);
	cr_expect_eq(figure("sbc_peer_resting", "gw1", ""), 0, "heard");
	to_peer("e4", "gw1");
	world_run(w, 50);
	cr_expect_eq(figure("sbc_peer_skipped_total", "gw1", ""), 1);
}
