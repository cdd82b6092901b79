/* Identities of stream connections, and clients found again on a new one. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "sbc/known.h"
#include "world.h"

/* --- what a REGISTER says --- */

static const uint8_t key[32] = { 3 }, other_key[32] = { 4 };
static struct known *k;

static void init(void)
{
	cr_assert_eq(secret_init(), 0);
	cr_assert_eq(known_alloc(&k, 200), 0);
}

static void fini(void)
{
	known_free(k);
}
TestSuite(known, .init = init, .fini = fini);

static struct known_reg reg_as(const char *to, const char *callid,
			       const char *extra, const uint8_t *with)
{
	static struct sip_msg m;
	static char text[4096];
	struct sip_fault f;
	struct known_reg r;
	char tmp[3000];
	size_t n = 0;

	(void)snprintf(tmp, sizeof(tmp), "REGISTER sip:x.org SIP/2.0\n"
		       "Via: SIP/2.0/TCP a;branch=z9hG4bKx\n"
		       "From: <sip:a@x.org>;tag=1\nTo: %s\nCall-ID: %s\n"
		       "CSeq: 1 REGISTER\n%sContent-Length: 0\n\n", to,
		       callid, extra);
	for (const char *p = tmp; *p; p++) {
		if (*p == '\n')
			text[n++] = '\r';
		text[n++] = *p;
	}
	cr_assert_eq(sip_scan(&m, text, n, true, &f), 0, "%s", tmp);
	known_read(&r, &m, with);
	return r;
}

static struct known_reg reg(const char *callid, const char *extra)
{
	return reg_as("<sip:bob@x.org>", callid, extra, key);
}

#define INST(p) "Contact: <sip:bob@192.0.2.9:" p ";transport=tcp>;" \
	"+sip.instance=\"<urn:uuid:1>\";reg-id=1\n"

Test(known, an_instance_is_the_same_on_every_connection)
{
	struct known_reg r = reg("c1", INST("1000"));

	cr_expect_eq(r.what, KNOWN_CLAIM);
	cr_expect_neq(r.id, 0);
	cr_expect_eq(reg("c2", INST("2000")).id, r.id);
	cr_expect_eq(reg_as("\"B\" <sip:bob@X.ORG:5060>", "c3", INST("1"),
			    key).id, r.id);
}

Test(known, others_are_others)
{
	uint64_t v[] = {
		reg("c1", INST("1")).id,
		reg("c1", "Contact: <sip:b@a>;+sip.instance=\"<urn:uuid:1>\""
		    ";reg-id=2\n").id,
		reg("c1", "Contact: <sip:b@a>;+sip.instance=\"<urn:uuid:1>\""
		    "\n").id,
		reg("c1", "Contact: <sip:b@a>;+sip.instance=\"<urn:uuid:2>\""
		    ";reg-id=1\n").id,
		reg("c1", "Contact: <sip:b@a>\n").id,
		reg("c2", "Contact: <sip:b@a>\n").id,
		reg_as("<sip:eve@x.org>", "c1", INST("1"), key).id,
		reg_as("<sip:bob@x.org>", "c1", INST("1"), other_key).id,
	};
	size_t n = sizeof(v) / sizeof(*v);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			cr_expect_neq(v[i], v[j], "%zu %zu", i, j);
}

Test(known, without_an_instance_the_call_id_tells_phones_apart)
{
	struct known_reg r = reg("c1", "Contact: <sip:b@192.0.2.9:1000>\n");

	cr_expect_eq(r.what, KNOWN_CLAIM);
	cr_expect_eq(reg("c1", "Contact: <sip:b@192.0.2.9:2000>\n").id, r.id);
	/* an instance is one only where it is of the one contact */
	cr_expect_eq(reg("c1", INST("1") "Contact: <sip:b@a>\n").id, r.id);
}

Test(known, what_a_register_means)
{
	static const struct {
		const char *extra;
		enum known_what what;
	} v[] = {
		{ "", KNOWN_NOTHING },
		{ "Contact: <sip:b@a>\n", KNOWN_CLAIM },
		{ "Contact: <sip:b@a>\nExpires: 60\n", KNOWN_CLAIM },
		{ "Contact: <sip:b@a>\nExpires: 0\n", KNOWN_DROP },
		{ "Contact: <sip:b@a>;expires=0\nExpires: 60\n", KNOWN_DROP },
		{ "Contact: <sip:b@a>;expires=60\nExpires: 0\n",
		  KNOWN_CLAIM },
		{ "Contact: <sip:b@a>;expires=zero\n", KNOWN_CLAIM },
		{ "Contact: <sip:b@a>;expires=0, <sip:b@c>\n", KNOWN_CLAIM },
		{ "Contact: <sip:b@a>;expires=0, <sip:b@c>;expires=0\n",
		  KNOWN_DROP },
		{ "Contact: *\nExpires: 0\n", KNOWN_DROP_AOR },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++)
		cr_expect_eq(reg("c1", v[i].extra).what, v[i].what, "%zu",
			     i);
	cr_expect_eq(reg_as("<tel:+12>", "c1", INST("1"), key).what,
		     KNOWN_NOTHING);
}

/* --- the table --- */

static struct flow conn(uint32_t n)
{
	return (struct flow){ .tp = TP_TCP, .lst = 1, .conn = n };
}

static void claims(uint32_t c, uint64_t id)
{
	const struct known_reg r = { .what = KNOWN_CLAIM, .aor = 7,
				     .id = id };
	struct flow f = conn(c);

	known_apply(k, &f, &r);
}

/** Connection that id is on, 0 = none */
static uint32_t where(uint64_t id)
{
	struct flow f = { 0 };

	return known_find(k, id, &f) ? f.conn : 0;
}

static uint64_t who(uint32_t c)
{
	struct flow f = conn(c);

	return known_of(k, &f);
}

static void lost(uint32_t c)
{
	struct flow f = conn(c);

	known_lost(k, &f);
}

Test(known, newest_claim_wins_and_the_older_one_is_left_when_it_ends)
{
	claims(1, 100);
	claims(2, 100);
	cr_expect_eq(where(100), 2);
	claims(1, 100);
	cr_expect_eq(where(100), 1);
	cr_expect_eq(known_stats(k)->now, 2);
	lost(1);
	cr_expect_eq(where(100), 2);
	lost(2);
	cr_expect_eq(where(100), 0);
	cr_expect_eq(known_stats(k)->now, 0);
	cr_expect_eq(known_stats(k)->ended, 2);
}

Test(known, a_connection_is_of_whom_it_registered_last)
{
	cr_expect_eq(who(1), 0);
	claims(1, 100);
	claims(1, 200);
	cr_expect_eq(who(1), 200);
	claims(1, 100);
	cr_expect_eq(who(1), 100);
	cr_expect_eq(who(2), 0);
	lost(1);
	cr_expect_eq(where(200), 0);
}

Test(known, given_up_by_its_own_connection_only)
{
	struct known_reg r = { .what = KNOWN_DROP, .aor = 7, .id = 100 };
	struct flow f = conn(2);

	claims(1, 100);
	claims(1, 200);
	known_apply(k, &f, &r);
	cr_expect_eq(where(100), 1);
	f = conn(1);
	known_apply(k, &f, &r);
	cr_expect_eq(where(100), 0);
	cr_expect_eq(where(200), 1);
	r.what = KNOWN_DROP_AOR;
	r.aor = 8;
	known_apply(k, &f, &r);
	cr_expect_eq(where(200), 1);
	r.aor = 7;
	known_apply(k, &f, &r);
	cr_expect_eq(where(200), 0);
}

Test(known, datagrams_and_nothing_claim_nothing)
{
	const struct known_reg r = { .what = KNOWN_NOTHING, .aor = 7,
				     .id = 100 };
	struct flow f = conn(1);

	claims(0, 100);
	known_apply(k, &f, &r);
	cr_expect_eq(where(100), 0);
	cr_expect_eq(where(0), 0);
}

Test(known, one_connection_cannot_fill_the_table)
{
	claims(2, 5);
	for (uint64_t i = 1; i <= 2 * KNOWN_PER_CONN; i++)
		claims(1, 1000 * i);
	cr_expect_eq(known_stats(k)->now, KNOWN_PER_CONN + 1);
	cr_expect_eq(known_stats(k)->displaced, KNOWN_PER_CONN);
	cr_expect_eq(where(1000 * KNOWN_PER_CONN), 0);
	cr_expect_eq(where(1000 * (KNOWN_PER_CONN + 1)), 1);
	cr_expect_eq(where(5), 2);
}

Test(known, at_the_cap_nobody_is_pushed_out)
{
	for (uint32_t i = 1; i <= 300; i++)
		claims(i, 1000 * i);
	cr_expect_eq(known_stats(k)->now, 200);
	cr_expect_eq(known_stats(k)->refused, 100);
	cr_expect_eq(where(1000), 1);
	lost(1);
	claims(301, 77);
	cr_expect_eq(where(77), 301);
	for (uint32_t i = 1; i <= 301; i++)
		lost(i);
	cr_expect_eq(known_stats(k)->now, 0);
}

/* --- the edge --- */

static struct world *w;
static struct vphone *a, *b;

static void reg_bob(void)
{
	(void)phone_send(b, SIP_REGISTER, "bob", "reg-bob");
	world_run(w, 50);
}

static void begin(void)
{
	w = world_new(1, NULL);
	a = world_phone(w, "alice", SIM_DATAGRAM);
	b = world_phone(w, "bob", SIM_STREAM);
	(void)phone_register(a);
	reg_bob();
	a->answer = b->answer = 20;
}

static void end(void)
{
	cr_expect_eq(w->leaks, 0, "inside address: %s", w->leak);
	world_run(w, 70000);
	cr_expect_eq(edge_pending(w->edge), 0);
	world_free(w);
}
TestSuite(found, .init = begin, .fini = end);

static void hang_up_tcp(void)
{
	sim_close(w->net, sim_connect(w->net, &b->host.addr,
				      &w->client.addr));
	world_run(w, 50);
}

static struct vreq *call(void)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 500);
	cr_assert_eq(r->final, 200);
	return r;
}

static uint16_t in_dialog(struct vreq *r, enum sip_method meth)
{
	struct vreq *x = phone_in_dialog(a, r, meth);

	world_run(w, 500);
	return x->final;
}

Test(found, call_goes_on_after_the_callee_has_connected_anew)
{
	struct vreq *r = call(), *x;

	hang_up_tcp();
	cr_expect_eq(world_stat(w, "sbc_known", NULL), 0);
	/* nobody knows yet where he is */
	cr_expect_eq(in_dialog(r, SIP_INFO), 480);
	reg_bob();
	cr_expect_eq(world_stat(w, "sbc_known", NULL), 1);
	cr_expect_eq(in_dialog(r, SIP_INVITE), 200);
	x = phone_callee_request(b, &b->inv[0], SIP_INVITE);
	world_run(w, 500);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(in_dialog(r, SIP_BYE), 200);
	cr_expect_eq(world_stat(w, "sbc_found_again_total",
				"token=\"record_route\""), 2);
	cr_expect_eq(world_stat(w, "sbc_lost_total", "why=\"ringing\""), 0);
}

Test(found, call_goes_on_after_the_edge_was_killed)
{
	struct vreq *r = call(), *x;

	world_restart_edge(w);
	cr_expect_eq(in_dialog(r, SIP_INFO), 480);
	reg_bob();
	cr_expect_eq(in_dialog(r, SIP_INVITE), 200);
	x = phone_callee_request(b, &b->inv[0], SIP_INVITE);
	world_run(w, 500);
	cr_expect_eq(x->final, 200);
	x = phone_callee_request(b, &b->inv[0], SIP_BYE);
	world_run(w, 500);
	cr_expect_eq(x->final, 200);
}

Test(found, caller_on_a_stream_is_found_as_well)
{
	struct vreq *r = phone_invite(b, "alice"), *x;

	world_run(w, 500);
	cr_assert_eq(r->final, 200);
	hang_up_tcp();
	reg_bob();
	x = phone_callee_request(a, &a->inv[0], SIP_BYE);
	world_run(w, 500);
	cr_expect_eq(x->final, 200);
	cr_expect_eq(b->got[SIP_BYE], 1);
}

Test(found, tokens_of_the_previous_key_find_him_too)
{
	struct vreq *r = call();

	memcpy(w->ec.prev, w->ec.key, 32);
	w->ec.has_prev = true;
	w->ec.key[0] = 99;
	world_restart_edge(w);
	reg_bob();
	cr_expect_eq(in_dialog(r, SIP_BYE), 200);
	/* and what is made now bears the current one */
	r = call();
	w->ec.has_prev = false;
	world_restart_edge(w);
	reg_bob();
	cr_expect_eq(in_dialog(r, SIP_BYE), 200);
}

Test(found, stale_contact_of_a_phone_does_not_ring_it_twice)
{
	struct vreq *r;

	char path[256];

	/* the nodes hold an older contact of the same phone, and try it last */
	memcpy(path, w->loc[1].path, sizeof(path));
	hang_up_tcp();
	reg_bob();
	w->loc[2] = w->loc[1];
	w->locc = 3;
	memcpy(w->loc[2].path, path, sizeof(path));
	r = phone_invite(a, "bob");
	world_run(w, 1000);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(b->got[SIP_INVITE], 1);
	cr_expect_eq(b->dup_invites, 0);
	cr_expect_eq(world_stat(w, "sbc_found_twice_total", NULL), 1);
	/* so that it takes it out */
	cr_expect_eq(world_stat(w, "sbc_refused_total", "code=\"430\""), 1);
}

Test(found, fresh_contact_after_the_stale_one_is_no_dead_flow)
{
	struct vreq *r;
	char path[256];

	/* the node tries the stale one first, and the phone is busy */
	hang_up_tcp();
	memcpy(path, w->loc[1].path, sizeof(path));
	(void)snprintf(w->loc[1].contact, sizeof(w->loc[1].contact),
		       "sip:bob@198.51.100.77:1;transport=tcp");
	reg_bob();
	cr_assert_eq(w->locc, 3);
	cr_assert_str_eq(w->loc[1].path, path);
	b->code = 486;
	r = phone_invite(a, "bob");
	world_run(w, 1000);
	cr_expect_eq(b->got[SIP_INVITE], 1);
	cr_expect_eq(r->final, 486);
	cr_expect_eq(world_stat(w, "sbc_refused_total", "code=\"430\""), 0);
}

Test(found, call_by_a_stale_path_reaches_the_new_connection)
{
	struct vreq *r;
	char path[256];

	memcpy(path, w->loc[1].path, sizeof(path));
	hang_up_tcp();
	r = phone_invite(a, "bob");
	world_run(w, 1000);
	cr_expect_eq(r->final, 480);
	world_restart_edge(w);
	reg_bob();
	memcpy(w->loc[1].path, path, sizeof(path));
	r = phone_invite(a, "bob");
	world_run(w, 1000);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(world_stat(w, "sbc_found_again_total",
				"token=\"path\""), 1);
}

Test(found, who_has_left_is_not_found)
{
	struct vreq *r = call();

	hang_up_tcp();
	reg_bob();
	phone_raw(b, "REGISTER sip:example.com SIP/2.0\n"
		  "Via: SIP/2.0/TCP x;branch=z9hG4bKleave\n"
		  "From: <sip:bob@example.com>;tag=1\n"
		  "To: <sip:bob@example.com>\nCall-ID: reg-bob\n"
		  "CSeq: 9 REGISTER\nMax-Forwards: 70\n"
		  "Contact: <sip:bob@x>\nExpires: 0\nContent-Length: 0\n\n");
	world_run(w, 50);
	cr_expect_eq(in_dialog(r, SIP_BYE), 480);
	cr_expect_eq(b->got[SIP_BYE], 0);
}

Test(found, a_register_that_was_refused_claims_nothing)
{
	struct vreq *r = call();

	hang_up_tcp();
	for (int i = 0; i < W_NODES; i++)
		w->node[i].mode = V_BUSY;
	reg_bob();
	cr_expect_eq(world_stat(w, "sbc_known", NULL), 0);
	cr_expect_eq(in_dialog(r, SIP_BYE), 480);
}
