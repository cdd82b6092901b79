/* Sources: what each address may ask and be sent, and who is banned. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "sbc/source.h"
#include "world.h"

static struct sources *s;
static struct source_conf cf;

static void begin_with(uint32_t max)
{
	static const uint8_t key[SECRET_KEY] = { 1, 2, 3 };

	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	cf = (struct source_conf){
		.max = max, .rate = 10, .burst = 20, .phone_rate = 2,
		.aor_rate = 5, .ban = 60000,
	};
	cr_assert_eq(addr_net_parse(&cf.trusted[0], SL("10.9.0.0/16")), 0);
	cf.trustedc = 1;
	cr_assert_eq(sources_alloc(&s, &cf, key), 0);
}

static void begin(void)
{
	begin_with(1000);
}

static void end(void)
{
	sources_free(s);
}
TestSuite(source, .init = begin, .fini = end);

static struct addr at(const char *ip)
{
	struct addr a = { 0 };

	cr_assert_eq(addr_parse(&a, sl_cstr(ip), 5060), 0, "%s", ip);
	return a;
}

static struct source *get(const char *ip, uint64_t now)
{
	struct addr a = at(ip);
	struct source *x = sources_get(s, &a, now);

	cr_assert(x);
	return x;
}

Test(source, is_an_ipv4_address_or_an_ipv6_64)
{
	struct addr a = at("10.9.1.1"), b = at("10.8.1.1");

	cr_expect_eq(get("192.0.2.1:1", 1), get("192.0.2.1:2", 1));
	cr_expect_neq(get("192.0.2.1", 1), get("192.0.2.2", 1));
	cr_expect_eq(get("[2001:db8:1:2::1]", 1),
		     get("[2001:db8:1:2:ffff::9]", 1));
	cr_expect_neq(get("[2001:db8:1:2::1]", 1),
		      get("[2001:db8:1:3::1]", 1));
	/* the v4-mapped ones are not one /64 */
	cr_expect_eq(get("[::ffff:192.0.2.1]", 1), get("192.0.2.1", 1));
	cr_expect_eq(sources_figures(s)->now, 4);
	cr_expect(sources_trusts(s, &a));
	cr_expect(!sources_trusts(s, &b));
}

Test(source, whom_it_trusts_is_asked_again_for_other_addresses_and_settings)
{
	/* same last byte: one answer is kept for all of these */
	static const char *const yes[] = { "10.9.1.1", "10.9.2.1" };
	static const char *const no[] = {
		"10.8.1.1", "192.0.2.1", "[2001:db8:1::1]", "[a09:101::1]",
	};
	struct addr a, none = { 0 };

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 2; i++) {
			a = at(yes[i]);
			cr_expect(sources_trusts(s, &a), "%s", yes[i]);
			for (int k = 0; k < 4; k++) {
				a = at(no[k]);
				cr_expect(!sources_trusts(s, &a), "%s", no[k]);
			}
			cr_expect(!sources_trusts(s, &none));
		}
	a = at(yes[0]);
	cr_expect(sources_trusts(s, &a));
	cf.trustedc = 0;
	sources_conf(s, &cf);
	cr_expect(!sources_trusts(s, &a));
}

Test(source, unproved_it_is_sent_no_more_than_it_sent)
{
	struct source *x = get("192.0.2.1", 1000);
	size_t in = 0, out = 0;

	cr_expect(!source_pays(x, 1, 1000));
	for (int i = 0; i < 5000; i++) {
		size_t a = (size_t)(i * 7919 % 900), b = (size_t)(i * 104729
								  % 1500);

		source_came(x, a);
		in += a;
		if (source_pays(x, b, 1000))
			out += b;
		cr_assert(out <= in, "%zu of %zu", out, in);
	}
	cr_expect(out > in / 2, "an answer that fits goes out");
	source_prove(s, x, 0, 1000);
	cr_expect(source_pays(x, 1000000, 1000));
	cr_expect(source_pays(x, 1000000, 1000 + SOURCE_PROVED - 1));
	cr_expect(!source_pays(x, 1000000, 1000 + SOURCE_PROVED));
}

static unsigned takes(struct source *x, uint64_t from, uint64_t to)
{
	unsigned n = 0;

	for (uint64_t t = from; t < to; t++)
		n += source_takes(s, x, t);
	return n;
}

Test(source, has_a_bucket_of_its_own)
{
	struct source *x = get("192.0.2.1", 1000);
	struct source *y = get("192.0.2.2", 1000);
	unsigned n = takes(x, 1000, 11000);

	cr_expect(n >= 119 && n <= 121, "20 + 10 s x 10: %u", n);
	cr_expect_eq(takes(y, 11000, 11010), 10, "the other one is not hit");
	cr_expect_eq(takes(x, 20000000, 20000021), 20, "no more is saved up");
}

Test(source, may_the_more_the_more_phones_are_registered_there)
{
	struct source *x = get("192.0.2.1", 1000);
	unsigned n;

	for (uint64_t i = 1; i <= 300; i++)
		source_prove(s, x, i * 0x9e3779b97f4a7c15ull, 1000);
	/* each phone once, however often it registers */
	for (uint64_t i = 1; i <= 300; i++)
		source_prove(s, x, i * 0x9e3779b97f4a7c15ull, 2000);
	n = source_phones_n(x);
	cr_expect(n > 255 && n < 345, "300 phones: %u", n);
	n = takes(x, 1000, 4000);
	cr_expect(n > 1700, "610 a second: %u", n);
	/* who left is forgotten: after two generations only the new ones count */
	for (int g = 1; g <= 2; g++)
		for (uint64_t i = 1; i <= 20; i++)
			source_prove(s, x, i * 0x9e3779b97f4a7c15ull,
				     1000 + (uint64_t)g * SOURCE_GEN);
	n = source_phones_n(x);
	cr_expect(n >= 18 && n <= 22, "%u", n);
}

Test(source, an_address_of_record_has_a_bucket_for_strangers)
{
	unsigned n = 0, other = 0;

	for (uint64_t t = 1000; t < 11000; t++) {
		n += sources_aor(s, 77, t);
		other += t % 1000 == 0 && sources_aor(s, 78, t);
	}
	cr_expect(n >= 58 && n <= 61, "10 + 10 s x 5: %u", n);
	cr_expect_eq(other, 10);
	/* no more than two seconds' worth is saved up */
	for (uint64_t t = 100000; t < 100006; t++)
		cr_expect(sources_aor(s, 79, t));
	for (n = 0; n < 50 && sources_aor(s, 79, 110000); n++)
		;
	cr_expect_eq(n, 10);
}

Test(source, all_strangers_together_have_one)
{
	unsigned n = 0;

	cf.stranger_rate = 100;
	sources_conf(s, &cf);
	for (uint64_t t = 1000; t < 11000; t++)
		for (int i = 0; i < 3; i++)
			n += sources_stranger(s, t);
	cr_expect(n >= 1098 && n <= 1202, "200 + 10 s x 100: %u", n);
	for (n = 0; n < 1000 && sources_stranger(s, 9000000); n++)
		;
	cr_expect_eq(n, 200);
	cf.stranger_rate = 0;
	sources_conf(s, &cf);
	cr_expect(sources_stranger(s, 9000000));
}

Test(source, is_banned_for_what_phones_do_not_and_longer_each_time)
{
	struct source *x = get("192.0.2.1", 1000);

	for (int i = 0; i < 3; i++)
		cr_expect(!source_offends(s, x, 25, "no SIP", 1000));
	cr_expect(source_offends(s, x, 25, "no SIP", 1000));
	cr_expect(source_is_banned(s, x, 60999));
	cr_expect_str_eq(x->why, "no SIP");
	cr_expect(!source_is_banned(s, x, 61000));
	cr_expect_eq(sources_figures(s)->banned, 0);
	cr_expect(source_offends(s, x, 100, "scanner", 70000));
	cr_expect(source_is_banned(s, x, 70000 + 119999));
	cr_expect(!source_is_banned(s, x, 70000 + 120000));
}

Test(source, is_not_banned_for_little_now_and_then)
{
	struct source *x = get("192.0.2.1", 1000);

	for (uint64_t t = 1000; t < 3600000; t += 30000)
		cr_assert(!source_offends(s, x, 25, "no SIP", t));
}

Test(source, is_not_banned_while_a_phone_is_registered_there)
{
	struct source *x = get("192.0.2.1", 1000);

	source_prove(s, x, 5, 1000);
	for (int i = 0; i < 100; i++)
		cr_assert(!source_offends(s, x, 100, "scanner", 2000));
	/* but an operator may */
	source_ban(s, x, 5000, SL("abuse"), 2000);
	cr_expect(source_is_banned(s, x, 6999));
	cr_expect(source_unban(s, x));
	cr_expect(!source_is_banned(s, x, 3000));
	cr_expect(!source_unban(s, x));
}

Test(source, bans_are_listed)
{
	struct source *v[4];

	source_ban(s, get("192.0.2.1", 1000), 5000, SL("a"), 1000);
	source_ban(s, get("192.0.2.2", 1000), 0, SL("b"), 1000);
	source_prove(s, get("192.0.2.3", 1000), 1, 1000);
	cr_expect_eq(sources_banned(s, v, 4, 1000), 2);
	cr_expect_eq(sources_banned(s, v, 1, 1000), 1);
	cr_expect_eq(sources_banned(s, v, 4, 6000), 1);
	cr_expect_str_eq(v[0]->why, "b");
	sources_sweep(s, 6000);
	cr_expect_eq(sources_figures(s)->banned, 1);
	sources_sweep(s, 1000 + SOURCE_BAN_MAX);
	cr_expect_eq(sources_figures(s)->banned, 0);
	cr_expect_eq(sources_figures(s)->proved, 0);
}

Test(source, a_flood_of_addresses_makes_it_forget_strangers_first)
{
	struct addr a;

	sources_free(s);
	begin_with(1024);
	source_prove(s, get("192.0.2.1", 1000), 1, 1000);
	source_ban(s, get("192.0.2.2", 1000), 0, SL("x"), 1000);
	for (uint32_t i = 0; i < 100000; i++) {
		char ip[32];

		(void)snprintf(ip, sizeof(ip), "100.%u.%u.%u", i >> 16,
			       i >> 8 & 255, i & 255);
		(void)get(ip, 1000 + i);
	}
	cr_expect_eq(sources_figures(s)->now, 1024);
	a = at("192.0.2.1");
	cr_expect(sources_find(s, &a), "proved");
	a = at("192.0.2.2");
	cr_expect(sources_find(s, &a), "banned");
	/* full of proved ones: the one not heard for longest */
	for (uint32_t i = 0; i < 3000; i++) {
		char ip[32];

		(void)snprintf(ip, sizeof(ip), "101.0.%u.%u", i >> 8 & 255,
			       i & 255);
		source_prove(s, get(ip, 200000), i, 200000);
	}
	cr_expect_eq(sources_figures(s)->now, 1024);
}

/* --- the edge --- */

static struct world *w;
static struct vphone *p, *q;

static void edge_begin(void)
{
	struct edge_admit_conf c = { .source = {
		.max = 1024, .rate = 10, .burst = 20, .phone_rate = 2,
		.aor_rate = 5, .ban = 60000,
	}, .scannerc = 1 };

	memcpy(c.scanner[0], "friendly-scanner", 16);
	w = world_new(1, NULL);
	p = world_phone(w, "alice", SIM_DATAGRAM);
	q = world_phone(w, "bob", SIM_STREAM);
	cr_assert_eq(edge_admit(w->edge, &c), 0);
}

static void edge_end(void)
{
	world_run(w, 70000);
	cr_expect_eq(edge_pending(w->edge), 0);
	world_free(w);
}
TestSuite(source_edge, .init = edge_begin, .fini = edge_end);

static uint64_t dropped(const char *why)
{
	char labels[40];

	(void)snprintf(labels, sizeof(labels), "why=\"%s\"", why);
	return world_stat(w, "sbc_admission_dropped_total", labels);
}

#define RAW(meth, cid, more) \
	meth " sip:carol@example.com SIP/2.0\nVia: SIP/2.0/UDP a;branch=" \
	"z9hG4bKraw" cid "\nMax-Forwards: 70\nFrom: <sip:x@y>;tag=r\n" \
	"To: <sip:carol@example.com>\nCall-ID: " cid "\nCSeq: 1 " meth "\n" \
	more "Content-Length: 0\n\n"

Test(source_edge, phones_register_and_call)
{
	struct vreq *r;

	(void)phone_register(p);
	(void)phone_register(q);
	world_run(w, 3000);
	cr_expect_eq(p->req[0].final, 200, "perhaps with a copy of it");
	cr_expect_eq(q->req[0].final, 200);
	cr_expect_eq(world_stat(w, "sbc_sources_proved", NULL), 2);
	q->ring = 300;
	q->answer = 400;
	r = phone_invite(p, "bob");
	world_run(w, 3000);
	cr_expect_eq(r->final, 200);
	cr_expect_eq(r->prov[0], 100, "proved: as always");
}

Test(source_edge, scanners_hear_nothing)
{
	phone_raw(p, RAW("OPTIONS", "s1", "User-Agent: Friendly-Scanner 1\n"));
	phone_raw(p, RAW("INVITE", "s2", "User-Agent: x friendly-scanner\n"));
	phone_raw(p, RAW("REGISTER", "s3", "User-Agent: friendly-scanner\n"));
	world_run(w, 1000);
	cr_expect_eq(dropped("scanner"), 3);
	cr_expect_eq(world_stat(w, "sbc_sources_banned", NULL), 0,
		     "a datagram is no evidence");
	/* a stream is */
	phone_raw(q, RAW("OPTIONS", "s4", "User-Agent: friendly-scanner\n"));
	world_run(w, 1000);
	cr_expect_eq(world_stat(w, "sbc_sources_banned", NULL), 1);
	cr_expect(!edge_admits(w->edge, &q->host.addr, w->net->now));
	cr_expect(edge_admits(w->edge, &p->host.addr, w->net->now));
	phone_raw(q, RAW("OPTIONS", "s5", ""));
	world_run(w, 100);
	cr_expect_eq(dropped("banned"), 1);
	cr_expect(edge_unban(w->edge, &q->host.addr));
	cr_expect(edge_admits(w->edge, &q->host.addr, w->net->now));
}

Test(source_edge, who_is_not_let_in_is_told_of_once_a_minute)
{
	uint64_t was;
	char t[800];

	log_init("test", LOG_TO_NONE, LOG_LV_WARN);
	was = log_count(LOG_LV_WARN);
	for (int i = 0; i < 200; i++) {
		(void)snprintf(t, sizeof(t), RAW("MESSAGE", "f%d", ""), i, i);
		phone_raw(p, t);
		if (i == 99) {
			world_run(w, 100);
			cr_expect_eq(log_count(LOG_LV_WARN), was + 2, "aor and rate");
			world_run(w, 61000);
		}
	}
	world_run(w, 100);
	cr_expect_eq(log_count(LOG_LV_WARN), was + 4);
	cr_expect_geq(dropped("rate"), 158);
	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
}

Test(source_edge, a_flood_is_cut_and_a_stream_told_so)
{
	char t[800];

	for (int i = 0; i < 100; i++) {
		(void)snprintf(t, sizeof(t), RAW("MESSAGE", "f%d", ""), i, i);
		phone_raw(p, t);
	}
	world_run(w, 100);
	cr_expect(dropped("rate") >= 79 && dropped("rate") <= 80, "burst of 20, "
		  "and 1 in 100 ms: %d", (int)dropped("rate"));
	cr_expect_leq(world_stat(w, "sbc_refused_total", "code=\"503\""), 0,
		      "no answer over UDP");
	for (int i = 0; i < 25; i++) {
		(void)snprintf(t, sizeof(t), RAW("MESSAGE", "g%d", ""), i, i);
		phone_raw(q, t);
	}
	world_run(w, 100);
	cr_expect_geq(world_stat(w, "sbc_refused_total", "code=\"503\""), 4);
}
