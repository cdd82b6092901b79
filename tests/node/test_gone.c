/* test_gone.c - what an edge says of connections that ended: whom it takes out,
 * and whom never. */
#include "tests/node/rig.h"
#include "base/rng.h"
#include "base/secret.h"
#include "cluster/slots.h"
#include "node/gone.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* --- a node ------------------------------------------------------------------ */

static struct rig *r;

static void begin(void)
{
	r = rig_new("auth = \"off\"; domains = \"any\";", "");
	core_set_slots(r->core, NULL, true);
}

static void end(void)
{
	rig_free(r);
}
TestSuite(gone, .init = begin, .fini = end);

/* An OPTIONS with this body; vias: as many hops. @return its status */
static int tell(const char *body, unsigned vias)
{
	char txt[4096];
	int n = snprintf(txt, sizeof(txt),
		"OPTIONS sip:127.0.0.11:5060;transport=tcp SIP/2.0\r\n"
		"Via: SIP/2.0/TCP " EDGE ";branch=z9hG4bKt%u;alias\r\n%s"
		"From: <sip:edge@" EDGE ">;tag=1\r\nTo: <sip:127.0.0.11>\r\n"
		"Call-ID: t%u\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
		"Content-Type: application/edgewise-gone\r\n"
		"Content-Length: %zu\r\n\r\n%s", r->branch, vias > 1 ?
		"Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKp\r\n" : "",
		r->branch, strlen(body), body);

	r->branch++;
	rig_raw(r, txt, (size_t)n);
	return rig_final(r);
}

static uint32_t contacts(const char *user)
{
	char aor[64];

	(void)snprintf(aor, sizeof(aor), "%s@example.com", user);
	return store_count(r->store, sl_cstr(aor), r->wall);
}

static uint64_t stat_of(const char *result)
{
	char label[40];

	(void)snprintf(label, sizeof(label), "result=\"%s\"", result);
	return rig_stat(r, "node_gone_total", label);
}

Test(gone, the_contact_of_that_flow_goes_and_no_other)
{
	cr_assert_eq(rig_register(r, "bob", "<sip:bob@10.0.0.7>", "t1", 1),
		     200);
	cr_assert_eq(rig_register(r, "bob", "<sip:bob@10.0.0.8>", "t2", 1),
		     200);
	cr_assert_eq(rig_register(r, "eve", "<sip:eve@10.0.0.7>", "t1", 1),
		     200);
	cr_expect_eq(tell("bob@example.com t1\r\n", 1), 200);
	cr_expect_eq(contacts("bob"), 1);
	cr_expect_eq(contacts("eve"), 1);
	cr_expect_eq(stat_of("removed"), 1);
	/* again, and of nobody */
	cr_expect_eq(tell("bob@example.com t1\r\nx@example.com t2\r\n"
			  "bob@example.com t\r\nbob@example.com t22\r\n", 1),
		     200);
	cr_expect_eq(contacts("bob"), 1);
	cr_expect_eq(stat_of("none"), 4);
}

Test(gone, many_in_one_message)
{
	char body[3000] = "", user[16];

	for (int i = 0; i < 50; i++) {
		(void)snprintf(user, sizeof(user), "u%d", i);
		cr_assert_eq(rig_register(r, user, "<sip:x@10.0.0.7>", "t",
					  1), 200);
		(void)snprintf(body + strlen(body), 60,
			       "u%d@example.com t\r\n", i);
	}
	cr_expect_eq(tell(body, 1), 200);
	cr_expect_eq(stat_of("removed"), 50);
	cr_expect_eq(store_stats(r->store)->contacts, 0);
}

Test(gone, who_registered_anew_by_another_flow_stays)
{
	const char *c = "<sip:bob@10.0.0.7>;reg-id=1;"
		"+sip.instance=\"<urn:uuid:0-0-0-0-1>\"";

	cr_assert_eq(rig_register(r, "bob", c, "t1", 1), 200);
	cr_assert_eq(rig_register(r, "bob", c, "t2", 1), 200);
	cr_expect_eq(contacts("bob"), 1);
	cr_expect_eq(tell("bob@example.com t1\r\n", 1), 200);
	cr_expect_eq(contacts("bob"), 1);
}

Test(gone, a_phone_cannot_say_it)
{
	cr_assert_eq(rig_register(r, "bob", "<sip:bob@10.0.0.7>", "t1", 1),
		     200);
	cr_expect_eq(tell("bob@example.com t1\r\n", 2), 200);
	cr_expect_eq(contacts("bob"), 1);
	cr_expect_eq(stat_of("removed") + stat_of("none"), 0);
}

Test(gone, a_minority_removes_nothing)
{
	core_set_slots(r->core, NULL, false);
	cr_assert_eq(rig_register(r, "bob", "<sip:bob@10.0.0.7>", "t1", 1),
		     200);
	cr_expect_eq(tell("bob@example.com t1\r\n", 1), 503);
	cr_expect_eq(contacts("bob"), 1);
	cr_expect_eq(rig_stat(r, "node_gone_refused_total", NULL), 1);
}

Test(gone, a_node_that_stops_or_joins_leaves_it_to_another)
{
	cr_assert_eq(rig_register(r, "bob", "<sip:bob@10.0.0.7>", "t1", 1),
		     200);
	core_set_health(r->core, false, "Joining", "state=joining");
	cr_expect_eq(tell("bob@example.com t1\r\n", 1), 503);
	core_set_health(r->core, true, "", "state=ready");
	core_stop(r->core);
	cr_expect_eq(tell("bob@example.com t1\r\n", 1), 503);
	cr_expect_eq(contacts("bob"), 1);
}

Test(gone, what_is_no_line_does_no_harm)
{
	cr_assert_eq(rig_register(r, "bob", "<sip:bob@10.0.0.7>", "t1", 1),
		     200);
	cr_expect_eq(tell("", 1), 200);
	cr_expect_eq(tell("bob@example.com\r\n\r\n t1\r\nbob@example.com t1 "
			  "t1\r\n", 1), 200);
	cr_expect_eq(stat_of("bad"), 4);
	cr_expect_eq(contacts("bob"), 1);
}

/* --- the refresh that crosses it ------------------------------------------------ */

enum { NODES = 3 };

static struct store *st[NODES];
static uint64_t wall;

static void bind(int n, uint32_t cseq, const char *token)
{
	struct binding b = { .uri = SL("sip:bob@10.0.0.7"), .q = 1000,
			     .callid = SL("c"), .received = SL("192.0.2.7") };
	char path[100];
	struct buf v;

	(void)snprintf(path, sizeof(path), "<sip:%s@" EDGE ";lr;ob>", token);
	b.path = sl_cstr(path);
	buf_init(&v, 4096);
	cr_assert_eq(binding_encode(&v, &b), 0);
	cr_assert_eq(store_put(st[n], SL("bob@example.com"), SL("k"), 512,
			       cseq, wall + 3600000, buf_as_sl(&v), wall), 0);
	buf_free(&v);
}

static void copy(int from, int to)
{
	struct store_scan it;
	struct record rec;
	bool changed;
	uint16_t b = store_bucket(st[from], SL("bob@example.com"));

	store_scan(st[from], b, &it);
	while (store_scan_next(&it, &rec)) {
		struct record whole;

		cr_assert_eq(record_decode(&whole, store_scan_packed(&it)), 0);
		cr_assert_eq(store_merge(st[to], &whole, 1, wall, &changed),
			     0);
	}
}

static void told(int n, const char *token)
{
	struct location loc = { .store = st[n] };
	struct gone g = { .loc = &loc };
	char body[100];

	(void)snprintf(body, sizeof(body), "bob@example.com %s\r\n", token);
	gone_take(&g, sl_cstr(body), wall);
}

static uint32_t there(int n)
{
	return store_count(st[n], SL("bob@example.com"), wall);
}

static void all_copies(struct rng *rng)
{
	for (int i = 0; i < 20; i++) {
		int from = (int)rng_below(rng, NODES);

		copy(from, (int)(from + 1 + (int)rng_below(rng, 2)) % NODES);
	}
	for (int k = 0; k < 2; k++)
		for (int i = 0; i < NODES; i++)
			copy(i, (i + 1) % NODES);
}

/* One node hears that the connection ended, another one gets the REGISTER that
 * came over a new one, in any order and with any delay of replication */
Test(gone_race, a_refresh_at_that_moment_stays_in_1000_rounds)
{
	struct store_conf sc = { .max_records = 100, .max_per_aor = 10,
				 .max_expires = 3600, .guard = 10000 };
	char old[16], new[16];
	struct rng rng;

	cr_assert_eq(secret_init(), 0);
	wall = 1700000000000ull;
	rng_seed(&rng, 42);
	for (int i = 0; i < NODES; i++) {
		sc.node = (uint64_t)i + 1;
		cr_assert_eq(store_alloc(&st[i], &sc, wall), 0);
	}
	bind(0, 1, "t1");
	all_copies(&rng);
	for (uint32_t round = 1; round <= 1000; round++) {
		int who = (int)rng_below(&rng, NODES);
		int reg = (int)rng_below(&rng, NODES);
		bool refreshed = rng_below(&rng, 4) > 0, first;

		(void)snprintf(old, sizeof(old), "t%u", round);
		(void)snprintf(new, sizeof(new), "t%u", round + 1);
		first = rng_below(&rng, 2);
		wall += rng_below(&rng, 3);
		if (refreshed && first)
			bind(reg, round + 1, new);
		if (rng_below(&rng, 2))
			copy(reg, who == reg ? (who + 1) % NODES : who);
		wall += rng_below(&rng, 3);
		told(who, old);
		wall += rng_below(&rng, 3);
		if (refreshed && !first)
			bind(reg, round + 1, new);
		all_copies(&rng);
		for (int i = 0; i < NODES; i++)
			cr_assert_eq(there(i), refreshed, "round %u node %d",
				     round, i);
		if (!refreshed)
			bind(reg, round + 1, new);
		wall += 1000;
		all_copies(&rng);
	}
	for (int i = 0; i < NODES; i++)
		store_free(st[i]);
}
