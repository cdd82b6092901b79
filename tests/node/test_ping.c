/* test_ping.c - who is asked when, and what comes of it. Three nodes over one
 * store, on virtual time; the phones answer at once, unless they are gone. */
#include "tests/node/rig.h"
#include "base/log.h"
#include "base/secret.h"
#include "node/ping_i.h"
#include "node/proxy_i.h"
#include "sip/hop.h"
#include "sip/inner.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 3, MANY = 30000, MORE = 600000, INTERVAL = 30000, STEP = 20, HELD = 256 };

/* What the edge makes of a batch of questions */
enum ask_mode { ASKS, ASKS_NOT, ASKS_MUTE, ASKS_FULL, ASKS_HALF };

/* A batch whose phones have not all answered yet */
struct held {
	struct blob *msg;
	uint64_t due;                  /* [ms] 0 = free                  */
	int node;
};

struct phone {
	uint64_t last, least, most;    /* [ms] ping; gaps                */
	uint32_t pings;
	bool gone;
	bool closed;                   /* the edge knows that it is      */
};

struct box {
	struct node_config cf;
	struct access access;
	struct location loc;
	struct store *store;
	struct outq out[N];
	struct proxy proxy[N];
	struct ping ping[N];
	struct slots slots[N];
	struct hints hints[N];
	uint64_t told[N][N];           /* hints of one that another has  */
	bool dead[N];
	uint64_t died[N];              /* [ms] noticed 3 s later          */
	uint64_t now, wall;
	uint32_t phones, sec_n, sec_most;
	uint64_t sec, by[N];
	uint32_t batches, stuns, largest;
	unsigned keep_code;            /* answer to batches, 0 = none    */
	enum ask_mode ask;
	uint32_t asks, plain;          /* batches of questions, OPTIONS  */
	struct held held[HELD];
	struct phone ph[MANY];
};

static struct box *b;

static void put(uint32_t i, uint32_t cseq)
{
	struct binding bi = { .uri = SL_NONE, .path = SL_NONE };
	char aor[64], uri[96], key[64], path[96];
	struct buf v;

	(void)snprintf(aor, sizeof(aor), "sip:u%u@example.com", i);
	(void)snprintf(uri, sizeof(uri), "sip:u%u@10.0.0.7:5060%s", i,
		       i % 2 ? ";transport=tcp" : "");
	(void)snprintf(path, sizeof(path), "<sip:u%u@" EDGE ";transport=tcp;"
		       "lr;ob>", i);
	(void)snprintf(key, sizeof(key), "k%u", i);
	bi.uri = sl_cstr(uri);
	bi.path = sl_cstr(path);
	bi.callid = SL("c");
	bi.received = SL("192.0.2.7");
	bi.q = 1000;
	buf_init(&v, 4096);
	cr_assert(binding_encode(&v, &bi) == 0);
	cr_assert(store_put(b->store, sl_cstr(aor), sl_cstr(key),
			    (uint64_t)(i + 1) << 8, cseq,
			    b->wall + 3600000, buf_as_sl(&v), b->wall) == 0);
	buf_free(&v);
}

/* Of nodes 0..n-1 those not dead, as `self` sees them */
static void look(int self)
{
	struct slots_seen v[N] = { { (uint64_t)self + 1, !b->dead[self] } };
	uint32_t n = 1;

	for (int i = 0; i < N; i++)
		if (i != self)
			v[n++] = (struct slots_seen){ (uint64_t)i + 1,
			!b->dead[i] || b->now < b->died[i] + 3000 };
	slots_look(&b->slots[self], v, n, b->now);
}

static void start_node(int i)
{
	secret_derive(b->ping[i].key, (const uint8_t[32]){ (uint8_t)i },
		      "ping 1");
	b->proxy[i].cf = &b->cf;
	b->proxy[i].access = &b->access;
	b->proxy[i].loc = &b->loc;
	b->proxy[i].out = &b->out[i];
	b->proxy[i].sentby = "127.0.0.11:5060";
	b->ping[i].cf = &b->cf;
	b->ping[i].proxy = &b->proxy[i];
	b->ping[i].loc = &b->loc;
	b->ping[i].slots = &b->slots[i];
	b->ping[i].hints = &b->hints[i];
	b->ping[i].majority = true;
	cr_assert(ping_init(&b->ping[i]) == 0);
	ping_reconf(&b->ping[i], &b->cf);
	cr_assert(outq_init(&b->out[i], 100000) == 0);
	slots_init(&b->slots[i], (uint64_t)i + 1);
}

static void box(const char *conf, uint32_t phones)
{
	static struct cfg_errs errs;
	struct store_conf sc = { .node = 1, .max_records = MORE + MANY,
		.max_per_aor = 10, .max_expires = 3600, .guard = 10000 };
	uint8_t key[32] = { 7 };
	struct keyset keys;
	int err;

	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	cr_assert(secret_init() == 0);
	b = calloc(1, sizeof(*b));
	err = node_config_read_mem(&b->cf, "test", conf, &errs);
	cr_assert(err == 0, "%s", errs.txt[0]);
	b->now = 1000;
	b->wall = 1700000000000ull;
	cr_assert(store_alloc(&b->store, &sc, b->wall) == 0);
	keyset_one(&keys, key);
	cr_assert(access_init(&b->access, &b->cf, NULL, &keys, key) == 0);
	b->loc.store = b->store;
	b->phones = phones;
	b->keep_code = 200;
	for (uint32_t i = 0; i < phones; i++)
		put(i, 1);
	for (int i = 0; i < N; i++)
		start_node(i);
	for (int i = 0; i < N; i++)
		look(i);
}

static void done(void)
{
	struct sip_out o;

	for (int k = 0; k < HELD; k++)
		if (b->held[k].due)
			blob_unref(b->held[k].msg);
	for (int i = 0; i < N; i++) {
		while (outq_poll(&b->out[i], &o))
			blob_unref(o.blob);
		ping_close(&b->ping[i]);
		cr_assert_eq(b->ping[i].items, 0);
		cr_assert_eq(b->ping[i].open_now, 0);
		cr_assert_eq(b->ping[i].ask.lines, 0);
		cr_assert_eq(b->ping[i].quarantined_now, 0);
		outq_free(&b->out[i]);
		hints_close(&b->hints[i]);
	}
	access_close(&b->access);
	store_free(b->store);
	node_config_clear(&b->cf);
	free(b);
}

static void answer(int i, const struct sip_msg *m, unsigned code)
{
	static struct sip_msg a;
	struct sl via = sip_first(m, SIP_VIA);
	struct sip_fault fault;
	char txt[1024];
	int n = snprintf(txt, sizeof(txt), "SIP/2.0 %u X\r\nVia: %.*s\r\n"
			 "From: %.*s\r\nTo: %.*s;tag=x\r\nCall-ID: %.*s\r\n"
			 "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", code,
			 (int)via.n, (const char *)via.p, (int)m->from.n,
			 (const char *)m->from.p, (int)m->to.n,
			 (const char *)m->to.p, (int)m->callid.n,
			 (const char *)m->callid.p);

	cr_assert(sip_scan(&a, (const uint8_t *)txt, (size_t)n, false,
			   &fault) == 0);
	cr_assert(ping_response(&b->ping[i], &a, b->now, b->wall));
}

static void note(int i, uint32_t u)
{
	struct phone *p = &b->ph[u];
	uint64_t gap = b->now - p->last;

	if (p->pings && (!p->least || gap < p->least))
		p->least = gap;
	if (p->pings && gap > p->most)
		p->most = gap;
	p->last = b->now;
	p->pings++;
	b->by[i]++;
	if (b->now / 1000 != b->sec)
		b->sec_n = 0;
	b->sec = b->now / 1000;
	if (++b->sec_n > b->sec_most)
		b->sec_most = b->sec_n;
}

/* What an edge does with a batch */
static void batch(int i, const struct sip_msg *m)
{
	static struct sip_msg a;
	struct sl rest = m->body, kind, token;
	struct sip_fault fault;
	struct buf dead, ans;
	uint32_t u, n = 0;

	buf_init(&dead, 100000);
	buf_init(&ans, 100000);
	while (inner_line(&rest, &kind, &token)) {
		cr_assert(sscanf((const char *)token.p, "u%u\r", &u) == 1);
		b->stuns += sl_eq(kind, SL("stun"));
		note(i, u);
		n++;
		if (b->ph[u].closed)
			buf_printf(&dead, "dead u%u\r\n", u);
	}
	b->batches++;
	b->largest = n > b->largest ? n : b->largest;
	if (b->keep_code == 200)
		reply_write_body(&ans, m, &b->proxy[i].cf->sip.address, 200,
				 SL("Kept"), SL("t"), SL(INNER_KEEP),
				 buf_as_sl(&dead));
	else if (b->keep_code)
		reply_write(&ans, m, &b->proxy[i].cf->sip.address,
			    (uint16_t)b->keep_code, SL("x"), SL("t"),
			    SL_NONE);
	if (ans.n) {
		cr_assert(sip_scan(&a, ans.p, ans.n, false, &fault) == 0);
		cr_assert(ping_response(&b->ping[i], &a, b->now, b->wall));
		/* once more: it belongs to nothing any more */
		cr_assert(ping_response(&b->ping[i], &a, b->now, b->wall));
	}
	buf_free(&dead);
	buf_free(&ans);
}

/* "u17": a token in a message, which no NUL ends */
static uint32_t phone_of(struct sl token)
{
	uint32_t u = MANY;

	cr_assert(sl_starts(token, SL("u")));
	cr_assert_eq(sl_u32(sl_sub(token, 1, token.n), MANY - 1, &u), 0);
	return u;
}

static void ask_say(int i, const struct sip_msg *m, unsigned code,
		    struct sl body)
{
	static struct sip_msg a;
	struct sip_fault fault;
	struct buf ans;

	buf_init(&ans, 100000);
	if (body.n)
		reply_write_body(&ans, m, &b->cf.sip.address, (uint16_t)code,
				 SL("Kept"), SL("t"), SL(INNER_ASK), body);
	else
		reply_write(&ans, m, &b->cf.sip.address, (uint16_t)code,
			    SL("x"), SL("t"), SL_NONE);
	cr_assert(sip_scan(&a, ans.p, ans.n, false, &fault) == 0);
	cr_assert(ping_response(&b->ping[i], &a, b->now, b->wall));
	cr_assert(ping_response(&b->ping[i], &a, b->now, b->wall));
	buf_free(&ans);
}

/* One line for each contact: answered in 7 ms, or silent */
static uint32_t results(struct sl rest, struct buf *to, uint32_t *gone)
{
	struct sl token, uri;
	uint32_t u, n = 0;

	*gone = 0;
	for (int i = 0; i < 2; i++)
		cr_assert(inner_line(&rest, &token, &uri));
	while (inner_line(&rest, &token, &uri)) {
		u = phone_of(token);
		cr_assert(sl_starts(uri, SL("sip:u")));
		if (b->ask == ASKS_HALF && u % 2)
			buf_lit(to, "bad 0\r\n");
		else if (b->ph[u].gone)
			buf_lit(to, "none 300\r\n");
		else
			buf_lit(to, "200 7\r\n");
		*gone += b->ph[u].gone;
		n++;
	}
	return n;
}

static void note_all(int i, struct sl rest)
{
	struct sl token, uri;
	uint32_t u, n = 0;

	while (inner_line(&rest, &token, &uri)) {
		if (n++ < 2)
			continue;
		u = phone_of(token);
		if (b->ask == ASKS_HALF && u % 2)
			continue;
		note(i, u);
	}
	b->largest = n - 2 > b->largest ? n - 2 : b->largest;
}

/* What an edge does with a batch of questions */
static void ask_batch(int i, const struct sip_msg *m, struct blob *msg)
{
	struct buf r;
	uint32_t gone, k = 0;

	b->asks++;
	if (b->ask == ASKS_NOT || b->ask == ASKS_FULL)
		ask_say(i, m, b->ask == ASKS_FULL ? 503 : 200, SL_NONE);
	if (b->ask != ASKS && b->ask != ASKS_HALF)
		return;
	note_all(i, m->body);
	buf_init(&r, 100000);
	(void)results(m->body, &r, &gone);
	if (!gone) {
		ask_say(i, m, 200, buf_as_sl(&r));
	} else {
		while (b->held[k].due)
			cr_assert_lt(++k, HELD);
		b->held[k] = (struct held){ blob_ref(msg),
			b->now + b->cf.ping.timeout, i };
	}
	buf_free(&r);
}

static void answer_held(void)
{
	static struct sip_msg m;
	struct sip_fault fault;
	struct buf r;
	uint32_t gone;

	for (int k = 0; k < HELD; k++) {
		struct held *h = &b->held[k];

		if (!h->due || b->now < h->due)
			continue;
		cr_assert(sip_scan(&m, h->msg->p, h->msg->n, false,
				   &fault) == 0);
		buf_init(&r, 100000);
		(void)results(m.body, &r, &gone);
		ask_say(h->node, &m, 200, buf_as_sl(&r));
		buf_free(&r);
		blob_unref(h->msg);
		h->due = 0;
	}
}

static void take(int i)
{
	static struct sip_msg m;
	struct sip_fault fault;
	struct sip_out o;
	uint32_t u;

	while (outq_poll(&b->out[i], &o)) {
		cr_assert(sip_scan(&m, o.blob->p, o.blob->n, false,
				   &fault) == 0);
		cr_assert(m.meth == SIP_OPTIONS);
		if (inner_is(&m, SL(INNER_KEEP))) {
			batch(i, &m);
			blob_unref(o.blob);
			continue;
		}
		if (inner_is(&m, SL(INNER_ASK))) {
			ask_batch(i, &m, o.blob);
			blob_unref(o.blob);
			continue;
		}
		b->plain++;
		cr_assert(sscanf((const char *)m.ruri.p, "sip:u%u@", &u) == 1);
		note(i, u);
		if (!b->ph[u].gone)
			answer(i, &m, 200);
		blob_unref(o.blob);
	}
}

/* What node i has to say to the others, as the cluster carries it */
static void tell(int i)
{
	struct wire_head h;
	size_t at, total;
	struct buf m;

	buf_init(&m, 1u << 20);
	for (int k = 0; k < N; k++) {
		if (k == i || b->dead[k])
			continue;
		buf_reset(&m);
		hints_fill(&b->hints[i], &b->told[i][k], &m, 1u << 20);
		for (at = 0; at < m.n; at += total) {
			struct sl in = sl_sub(buf_as_sl(&m), at, m.n);

			cr_assert(wire_frame(in, WIRE_MAX, &h, &total) == 0);
			cr_assert(hints_recv(&b->hints[k],
					     sl_sub(in, WIRE_HEAD, total),
					     b->now) == 0);
		}
	}
	buf_free(&m);
}

static void pass(uint64_t ms)
{
	for (uint64_t end = b->now + ms; b->now < end;) {
		b->now += STEP;
		b->wall += STEP;
		answer_held();
		for (int i = 0; i < N; i++) {
			if (b->dead[i])
				continue;
			if (b->now % 500 == 0)
				look(i);
			ping_tick(&b->ping[i], b->now, b->wall);
			take(i);
			if (b->now % 500 == 0)
				tell(i);
		}
	}
}

static void forget(void)
{
	memset(b->ph, 0, sizeof(b->ph));
	memset(b->by, 0, sizeof(b->by));
	b->sec_most = b->sec_n = b->batches = b->stuns = b->largest = 0;
	b->asks = b->plain = 0;
}

static void gaps(uint64_t *least, uint64_t *most)
{
	*least = UINT64_MAX;
	*most = 0;
	for (uint32_t i = 0; i < b->phones; i++) {
		if (b->ph[i].least && b->ph[i].least < *least)
			*least = b->ph[i].least;
		if (b->ph[i].most > *most)
			*most = b->ph[i].most;
	}
}

static bool there(uint32_t i)
{
	struct store_contact c;
	char aor[64], key[64];

	(void)snprintf(aor, sizeof(aor), "sip:u%u@example.com", i);
	(void)snprintf(key, sizeof(key), "k%u", i);
	return !store_find(b->store, sl_cstr(aor), sl_cstr(key), b->wall, &c);
}

/* --- spread ------------------------------------------------------------------ */

Test(ping, thirty_thousand_over_three_nodes, .timeout = 60)
{
	uint64_t least, most, mean = MANY / (INTERVAL / 1000);

	box("sip = { address = \"127.0.0.11\"; };", MANY);
	pass(SLOTS_NEW + INTERVAL);
	forget();
	pass(3 * INTERVAL);
	gaps(&least, &most);
	cr_assert_geq(least, INTERVAL * 95 / 100);
	cr_assert_leq(most, INTERVAL * 105 / 100);
	cr_assert_leq(b->sec_most, 2 * mean);
	for (int i = 0; i < N; i++)
		cr_assert_lt(llabs((long long)b->by[i] - MANY), MANY / 20,
			     "node %d sends %llu", i,
			     (unsigned long long)b->by[i] / 3);
	/* one is killed: 3 s until the others know, then what it missed */
	forget();
	pass(INTERVAL);
	b->dead[2] = true;
	b->died[2] = b->now;
	pass(3 * INTERVAL);
	gaps(&least, &most);
	cr_assert_leq(most, INTERVAL + 2 * 3000 + 1500);
	cr_assert_gt(b->ping[0].made_up + b->ping[1].made_up, 900);
	cr_assert_lt(b->ping[0].made_up + b->ping[1].made_up, 1500);
	cr_assert_leq(b->sec_most, 2 * mean);
	for (uint32_t i = 0; i < MANY; i++)
		cr_assert_leq(b->now - b->ph[i].last, 2 * INTERVAL);
	/* and back */
	forget();
	ping_close(&b->ping[2]);
	outq_free(&b->out[2]);
	memset(&b->ping[2], 0, sizeof(b->ping[2]));
	start_node(2);
	b->dead[2] = false;
	pass(3 * INTERVAL);
	gaps(&least, &most);
	cr_assert_leq(most, 2 * INTERVAL);
	cr_assert_leq(b->sec_most, 2 * mean);
	cr_assert_leq(b->slots[0].moved, SLOTS * 36 / 100);
	/* from the living: nothing was missed */
	cr_assert_eq(b->ping[2].made_up, 0);
	done();
}

#define SIP "sip = { address = \"127.0.0.11\"; };\n"

Test(ping, kept_alive_by_the_edge_as_smoothly_as_asked, .timeout = 60)
{
	uint64_t least, most, mean = MANY / (INTERVAL / 1000);

	box(SIP "ping = { udp = \"stun\"; stream = \"keep\"; };", MANY);
	pass(SLOTS_NEW + INTERVAL);
	forget();
	pass(3 * INTERVAL);
	gaps(&least, &most);
	cr_assert_geq(least, INTERVAL * 95 / 100);
	cr_assert_leq(most, INTERVAL * 105 / 100);
	cr_assert_leq(b->sec_most, 2 * mean);
	/* three nodes, five times a second and a little */
	cr_assert_leq(b->batches, 3 * 6 * 3 * INTERVAL / 1000);
	cr_assert_leq(b->largest, 4 * mean / 10);
	cr_assert_eq(b->stuns, 3 * MANY / 2);
	cr_assert_eq(b->ping[0].sent, 0);
	cr_assert_eq(b->ping[0].items, 0);
	b->dead[2] = true;
	forget();
	pass(3 * INTERVAL);
	for (uint32_t i = 0; i < MANY; i++)
		cr_assert_leq(b->now - b->ph[i].last, 2 * INTERVAL);
	cr_assert_leq(b->sec_most, 2 * mean);
	done();
}

Test(ping, asked_by_the_edge_in_a_few_messages, .timeout = 60)
{
	uint64_t most, least;

	box(SIP, MANY);
	pass(SLOTS_NEW + INTERVAL);
	forget();
	pass(3 * INTERVAL);
	gaps(&least, &most);
	cr_assert_geq(least, INTERVAL * 95 / 100);
	cr_assert_leq(most, INTERVAL * 105 / 100);
	cr_assert_leq(b->asks, 3 * 6 * 3 * INTERVAL / 1000);
	cr_assert_eq(b->plain, 0);
	cr_assert_eq(b->ping[0].items, 0);
	cr_assert_eq(b->ping[0].latency_max, 7);
	for (int i = 0; i < N; i++)
		cr_assert_leq(b->ping[i].sent - b->ping[i].answered,
			      b->ping[i].ask.lines);
	done();
}

static uint64_t sum_failed(void)
{
	uint64_t n = 0;

	for (int i = 0; i < N; i++)
		n += b->ping[i].lost + b->ping[i].refused + b->ping[i].items;
	return n;
}

/* Nobody misses a question, nothing is counted twice, and only the first of a
 * minute are sent for nothing */
Test(ping, an_edge_that_knows_no_questions_costs_one_message_a_minute)
{
	box(SIP "ping = { interval = 1000; timeout = 300; };", 50);
	b->ask = ASKS_NOT;
	pass(SLOTS_NEW + 3000);
	forget();
	pass(120000);
	cr_assert_leq(b->asks, 3 * N);
	cr_assert_geq(b->asks, 2 * N);
	for (uint32_t i = 0; i < 50; i++)
		cr_assert_geq(b->ph[i].pings, 118);
	cr_assert_eq(sum_failed(), b->ping[0].open_now + b->ping[1].open_now +
		     b->ping[2].open_now);
	for (int i = 0; i < N; i++)
		cr_assert_eq(b->ping[i].sent, b->ping[i].answered);
	/* a newer one */
	b->ask = ASKS;
	pass(62000);
	forget();
	pass(5000);
	cr_assert_gt(b->asks, 0);
	cr_assert_eq(b->plain, 0);
	done();
}

Test(ping, an_edge_that_throws_questions_away_is_asked_around)
{
	box(SIP "ping = { interval = 1000; timeout = 300; };", 50);
	b->ask = ASKS_MUTE;
	pass(SLOTS_NEW + 5000);
	forget();
	pass(20000);
	cr_assert_leq(b->asks, N);
	for (uint32_t i = 0; i < 50; i++)
		cr_assert_geq(b->ph[i].pings, 18);
	for (int i = 0; i < N; i++)
		cr_assert_eq(b->ping[i].lost, 0);
	/* one that did ask before is silent itself: so are its phones */
	b->ask = ASKS;
	pass(62000);
	b->ask = ASKS_MUTE;
	forget();
	pass(3000);
	cr_assert_eq(b->plain, 0);
	cr_assert_gt(b->ping[0].lost, 0);
	done();
}

Test(ping, what_the_edge_leaves_out_is_asked_by_the_node)
{
	box(SIP "ping = { interval = 1000; timeout = 300; };", 50);
	b->ask = ASKS_HALF;
	pass(SLOTS_NEW + 1000);
	forget();
	pass(10000);
	for (uint32_t i = 0; i < 50; i++)
		cr_assert_geq(b->ph[i].pings, 9);
	cr_assert_gt(b->plain, 9 * 25);
	cr_assert_gt(b->asks, 20);
	cr_assert_eq(sum_failed(), 0);
	done();
}

Test(ping, a_full_edge_is_not_asked_more_and_blames_nobody)
{
	box(SIP "ping = { interval = 1000; timeout = 300; };", 50);
	b->ask = ASKS_FULL;
	pass(SLOTS_NEW + 10000);
	cr_assert_eq(b->plain, 0);
	cr_assert_eq(sum_failed(), 0);
	b->ask = ASKS;
	forget();
	pass(2000);
	for (uint32_t i = 0; i < 50; i++)
		cr_assert_gt(b->ph[i].pings, 0);
	done();
}

/* Another proxy stands between the edge and the phone, or what it registered is
 * no text for a line */
/* Is it the edge that would ask this contact? */
static bool by_edge(const char *uri, const char *path)
{
	struct ping_who w = { .b = { .uri = sl_cstr(uri),
				     .path = sl_cstr(path) } };
	struct store_contact c = { .key = SL("k") };

	ping_path(&b->ping[0], &w);
	return ping_edge_ask(&b->ping[0], SL("a"), &c, &w, 1, b->now);
}

static void read_path(const char *path, struct ping_who *w)
{
	*w = (struct ping_who){ .b = { .uri = SL("sip:a@10.0.0.7"),
				       .path = sl_cstr(path) } };
	ping_path(&b->ping[0], w);
}

/* Whatever Paths were read before */
Test(ping, a_path_whose_end_is_known_is_read_as_any)
{
	static const char *const path[] = {
		"<sip:u1@" EDGE ";transport=tcp;lr;ob>",
		"<sip:u-2_x.~@" EDGE ";transport=tcp;lr;ob>",
		"<sip:u1@" EDGE ";transport=tcp;lr;ob;flow=tcp>",
		"<sip:u1@" EDGE ";transport=udp;lr;ob>",
		"<sip:u1@" EDGE ">", "<sip:u1@" EDGE, "sip:u1@" EDGE,
		"<sip:@" EDGE ";transport=tcp;lr;ob>",
		"<sip:a:b@" EDGE ";transport=tcp;lr;ob>",
		"<sip:a b@" EDGE ";transport=tcp;lr;ob>",
		"<sip:a>,<sip:b@" EDGE ";transport=tcp;lr;ob>",
		"<sip:u1@" EDGE ";transport=tcp;lr;ob>,<sip:x@192.0.2.44;lr>",
		"<sip:u1@" EDGE ";lr>;x=y", "<sip:u1@192.0.2.99;lr;ob>",
		"<sip:u3@" EDGE ";transport=tcp;lr;ob>", "<sip:", "", "x",
	};
	enum { PATHS = sizeof(path) / sizeof(*path) };
	struct ping_who is, as;
	struct flow hop;

	box(SIP, 0);
	for (int k = 0; k < PATHS * PATHS; k++) {
		const char *one = path[k % PATHS];

		ping_path_forget(&b->ping[0]);
		read_path(one, &as);
		ping_path_forget(&b->ping[0]);
		b->ping[0].tails = (uint32_t)k;
		read_path(path[k / PATHS % PATHS], &is);
		read_path(one, &is);
		cr_assert_eq(is.edge_ok, as.edge_ok, "%s", one);
		cr_assert_eq(is.alone, as.alone, "%s", one);
		cr_assert_eq(is.hop_ok, as.hop_ok, "%s", one);
		cr_assert(sl_eq(is.token, as.token), "%s", one);
		cr_assert(sl_eq(is.params, as.params), "%s", one);
		cr_assert(!is.hop_ok || flow_eq(&is.hop, &as.hop), "%s", one);
		/* a call goes the same way */
		cr_assert_eq(ping_hop(&b->ping[0], &is.b, &hop),
			     as.hop_ok ? 0 : EACCES, "%s", one);
		cr_assert(!as.hop_ok || flow_eq(&hop, &as.hop), "%s", one);
	}
	read_path(path[1], &is);
	cr_assert(is.hop_ok && is.alone && sl_eq(is.token, SL("u-2_x.~")));
	done();
}

Test(ping, who_is_not_right_behind_the_edge_is_asked_by_the_node)
{
	const char *uri = "sip:a@10.0.0.7", *path = "<sip:u1@" EDGE ";lr>";

	box(SIP, 0);
	cr_assert_not(by_edge(uri, "<sip:u1@" EDGE ";lr>,"
			      "<sip:x@192.0.2.44;lr>"));
	cr_assert_not(by_edge(uri, "<sip:" EDGE ";lr>"));
	cr_assert_not(by_edge("sip:a@10.0.0.7>\r\nx y", path));
	cr_assert(by_edge(uri, path));
	cr_assert_eq(b->ping[0].ask.lines, 1);
	done();
	box(SIP "ping = { method = \"NOTIFY\"; };", 0);
	cr_assert_not(by_edge(uri, path));
	done();
}

Test(ping, each_contact_as_its_transport_and_domain_say)
{
	box(SIP "ping = { interval = 1000; udp = \"none\";"
	    " stream = \"keep\"; };", 50);
	pass(SLOTS_NEW + 3000);
	for (uint32_t i = 0; i < 50; i++)
		cr_assert_eq(b->ph[i].pings > 0, i % 2);
	cr_assert_eq(b->stuns, 0);
	done();
	box(SIP "ping = { interval = 1000; udp = \"keep\"; };", 50);
	pass(SLOTS_NEW + 3000);
	cr_assert_gt(b->batches, 0);
	for (int i = 0; i < N; i++)
		cr_assert_eq(b->ping[i].sent, b->ping[i].answered +
			     b->ping[i].ask.lines);
	cr_assert_gt(b->ping[0].sent, 0);
	done();
	box(SIP "domains = ( { name = \"example.com\"; ping = \"none\"; } );"
	    "ping = { interval = 1000; };", 50);
	pass(SLOTS_NEW + 3000);
	for (uint32_t i = 0; i < 50; i++)
		cr_assert_eq(b->ph[i].pings, 0);
	done();
	box(SIP "domains = ( { name = \"example.com\"; ping = \"keep\"; } );"
	    "ping = { interval = 1000; };", 50);
	pass(SLOTS_NEW + 3000);
	cr_assert_gt(b->batches, 0);
	cr_assert_eq(b->ping[0].sent, 0);
	done();
}

static void put_as(uint32_t i, const char *uri, const char *param)
{
	struct binding bi = { .uri = sl_cstr(uri), .callid = SL("c"),
		.received = SL("192.0.2.7"), .q = 1000 };
	char aor[64], path[96], key[16];
	struct buf v;

	(void)snprintf(aor, sizeof(aor), "sip:u%u@example.com", i);
	(void)snprintf(key, sizeof(key), "k%u", i);
	(void)snprintf(path, sizeof(path), "<sip:u%u@" EDGE ";transport=tcp;"
		       "lr;ob%s>", i, param);
	bi.path = sl_cstr(path);
	buf_init(&v, 4096);
	cr_assert(binding_encode(&v, &bi) == 0);
	cr_assert(store_put(b->store, sl_cstr(aor), sl_cstr(key),
			    (uint64_t)(i + 1) << 8, 1, b->wall + 3600000,
			    buf_as_sl(&v), b->wall) == 0);
	buf_free(&v);
}

/* Many phones on TCP do not say it in their Contact, and some on UDP do */
Test(ping, what_the_edge_says_of_the_flow_counts_more_than_the_contact)
{
	box(SIP "ping = { interval = 1000; udp = \"none\";"
	    " stream = \"keep\"; };", 0);
	put_as(0, "sip:u0@10.0.0.7", ";flow=tcp");
	put_as(1, "sip:u1@10.0.0.7", "");
	put_as(2, "sip:u2@10.0.0.7;transport=tcp", ";flow=udp");
	put_as(3, "sip:u3@10.0.0.7;transport=tcp", "");
	pass(SLOTS_NEW + 3000);
	cr_assert_gt(b->ph[0].pings, 0);
	cr_assert_eq(b->ph[1].pings, 0);
	cr_assert_eq(b->ph[2].pings, 0);
	cr_assert_gt(b->ph[3].pings, 0, "an older edge");
	done();
}

Test(ping, a_frozen_node_wakes_without_a_burst)
{
	box("sip = { address = \"127.0.0.11\"; };", 3000);
	pass(INTERVAL);
	forget();
	b->now += 20000;
	b->wall += 20000;
	pass(INTERVAL);
	/* twice the pace, and what waited 200 ms to go together */
	cr_assert_leq(b->sec_most, 2 * 3000 / 30 * 14 / 10);
	done();
}

Test(ping, a_step_of_the_wall_clock_moves_intervals_by_one_percent)
{
	uint64_t least, most;

	box("sip = { address = \"127.0.0.11\"; };", 300);
	pass(INTERVAL);
	forget();
	b->wall += 15000;
	pass(3 * INTERVAL);
	b->wall -= 25000;
	pass(3 * INTERVAL);
	gaps(&least, &most);
	cr_assert_geq(least, INTERVAL * 95 / 100);
	cr_assert_leq(most, INTERVAL * 105 / 100);
	done();
}

/* [ms] to wait for others: of contacts before they are looked at, and of lines of
 * a batch; a look is to the ms */
enum { WAITS = INTERVAL / PING_LATE + 200 + PING_TICK_MAX };

/* A node wakes up for it as often as there is something to do */
static unsigned looks_of(uint64_t ms, uint32_t *pings)
{
	unsigned n = 0;

	for (uint64_t end = b->now + ms; b->now < end; b->now++, b->wall++) {
		answer_held();
		for (int i = 0; i < N; i++) {
			if (ping_next(&b->ping[i]) > b->now)
				continue;
			n += i == 0;
			ping_tick(&b->ping[i], b->now, b->wall);
			take(i);
		}
	}
	for (uint32_t i = 0; i < b->phones; i++)
		*pings += b->ph[i].pings;
	return n;
}

static void each_in_time(void)
{
	for (uint32_t i = 0; i < b->phones; i++) {
		cr_expect_leq(b->ph[i].most, INTERVAL + WAITS, "phone %u", i);
		cr_expect_geq(b->ph[i].least, INTERVAL - WAITS, "phone %u", i);
	}
}

/* A call waits behind a look: with many contacts there are more, shorter ones */
Test(ping, looks_are_short_with_many_contacts)
{
	box("sip = { address = \"127.0.0.11\"; };", 1000);
	pass(SLOTS_NEW + 1000);
	cr_expect_geq(ping_next(&b->ping[0]), b->ping[0].ticked +
		      PING_TICK_MAX);
	for (uint32_t i = 0; i < MORE; i++) {
		char aor[64];

		(void)snprintf(aor, sizeof(aor), "sip:m%u@example.com", i);
		cr_assert_eq(store_put(b->store, sl_cstr(aor), SL("k"), 0x100,
				       1, b->wall + 3600000, SL("v"),
				       b->wall), 0);
	}
	pass(1000);
	cr_expect_leq(ping_next(&b->ping[0]), b->ping[0].ticked +
		      PING_LOOK * INTERVAL / MORE);
	cr_expect_gt(b->by[0], 0);
	done();
}

Test(ping, a_node_with_nobody_to_ask_looks_twice_a_second_and_misses_nobody)
{
	uint32_t pings = 0;
	unsigned n;

	box("sip = { address = \"127.0.0.11\"; };", 30);
	pass(SLOTS_NEW + INTERVAL);
	forget();
	n = looks_of(2 * INTERVAL, &pings);
	cr_expect_eq(pings, 2 * 30);
	cr_expect_leq(n, 2 * INTERVAL / 1000 * 4);
	each_in_time();
	done();
}

/* Of some it looks at several in one go; of many, it would not do to wait */
Test(ping, contacts_wait_for_each_other_but_not_for_long)
{
	uint32_t pings = 0;
	unsigned n;

	box("sip = { address = \"127.0.0.11\"; };", 1000);
	pass(SLOTS_NEW + INTERVAL);
	forget();
	n = looks_of(2 * INTERVAL + WAITS, &pings);
	cr_expect_geq(pings, 2 * 1000);
	cr_expect_leq(n, 2 * INTERVAL / 1000 * 4);
	cr_expect_geq(n, 2 * INTERVAL / 1000 * 2);
	each_in_time();
	done();
}

Test(ping, contacts_that_are_not_to_be_asked_wake_nobody_often)
{
	uint32_t pings = 0;
	unsigned n;

	box(SIP "ping = { contacts = \"nat\"; };", 0);
	for (uint32_t i = 0; i < 1000; i++)
		put_as(i, "sip:u0@10.0.0.7", "");
	pass(SLOTS_NEW + INTERVAL);
	n = looks_of(2 * INTERVAL, &pings);
	cr_expect_eq(pings, 0);
	cr_expect_geq(b->ping[0].pos, 1);
	cr_expect_leq(n, 2 * INTERVAL / 1000 * 4);
	done();
}

/* What is open is over when it should be, however rare the looks are */
Test(ping, a_question_of_a_node_with_one_contact_is_given_up_in_time)
{
	uint64_t sent, lost = 0;
	uint32_t pings = 0;

	box(SIP "ping = { timeout = 4210; };", 1);
	b->ask = ASKS_NOT;
	b->ph[0].gone = true;
	pass(SLOTS_NEW);
	while (!b->plain)
		(void)looks_of(1, &pings);
	sent = b->now;
	while (!lost && b->now < sent + INTERVAL) {
		(void)looks_of(1, &pings);
		for (int i = 0; i < N; i++)
			lost += b->ping[i].lost;
	}
	cr_expect_eq(lost, 1);
	cr_expect_geq(b->now, sent + b->cf.ping.timeout);
	cr_expect_leq(b->now, sent + b->cf.ping.timeout + PING_TICK_MAX);
	done();
}

static struct ping_look look_at(int node, uint32_t i)
{
	struct binding bi = { .uri = SL("sip:u@10.0.0.7"), .nat = true };
	struct ping_look l;
	char aor[64], key[64];

	(void)snprintf(aor, sizeof(aor), "sip:u%u@example.com", i);
	(void)snprintf(key, sizeof(key), "k%u", i);
	ping_look(&b->ping[node], sl_cstr(aor), sl_cstr(key), &bi, b->now, &l);
	return l;
}

/* Three places in four for each contact: of one or two in a hundred nothing is
 * remembered, nothing wrong of any */
Test(ping, its_node_tells_of_a_contact_and_the_others_tell_which_node)
{
	uint32_t share = 0, ours = 0, answered = 0;

	box("sip = { address = \"127.0.0.11\"; };", 3000);
	pass(SLOTS_NEW + 3 * INTERVAL);
	for (int n = 0; n < N; n++) {
		share += (uint32_t)b->ping[n].share;
		cr_assert_gt(b->ping[n].share, 900);
		cr_assert_gt(b->ping[n].p95_us, 0);
		for (uint32_t i = 0; i < 3000; i++) {
			struct ping_look l = look_at(n, i);

			cr_assert(l.named && l.owner >= 1 && l.owner <= N);
			cr_assert_eq(l.ours, l.owner == (uint64_t)n + 1);
			ours += l.ours;
			answered += l.answered;
			cr_assert(!l.answered || l.ours);
			cr_assert(!l.answered || l.ago <= INTERVAL + 200);
			cr_assert(!l.failures && !l.quarantined);
		}
	}
	cr_assert_eq(share, 3000);
	cr_assert_eq(ours, 3000);
	/* a table of 4 ways, half full, forgets some */
	cr_assert_gt(answered, 2800);
	b->ph[7].gone = true;
	pass(4 * INTERVAL);
	for (int n = 0; n < N; n++)
		cr_assert_eq(look_at(n, 7).quarantined, look_at(n, 7).ours);
	done();
}

/* Also of a look that comes late and sees the end of one and the begin of the
 * next */
Test(ping, a_contact_counts_in_one_round)
{
	uint64_t share = 0;

	box("sip = { address = \"127.0.0.11\"; };", 3000);
	pass(SLOTS_NEW + 2 * INTERVAL);
	while (b->wall % INTERVAL != INTERVAL - 4 * STEP)
		pass(STEP);
	b->now += 150;
	b->wall += 150;
	pass(1000);
	for (int i = 0; i < N; i++)
		share += b->ping[i].share;
	cr_assert_eq(share, 3000);
	done();
}

/* --- verdicts ----------------------------------------------------------------- */

static const char quick[] = "sip = { address = \"127.0.0.11\"; };\n"
	"ping = { interval = 1000; timeout = 300; max_failures = 3;"
	" remove_after = 2; };";

static uint64_t removed(void)
{
	return b->ping[0].removed + b->ping[1].removed + b->ping[2].removed;
}

static uint64_t sum_quarantined(void)
{
	return b->ping[0].quarantined_now + b->ping[1].quarantined_now +
	       b->ping[2].quarantined_now;
}

Test(ping, who_vanished_is_quarantined_then_removed)
{
	box(quick, 50);
	pass(SLOTS_NEW + 1000);
	b->ph[7].gone = true;
	b->ph[7].pings = 0;
	while (b->ph[7].pings < 3)
		pass(STEP);
	cr_assert_eq(sum_quarantined(), 0);
	pass(320);
	cr_assert_eq(sum_quarantined(), 1);
	cr_assert(there(7));
	pass(2100);
	cr_assert_not(there(7));
	cr_assert_eq(removed(), 1);
	cr_assert_eq(sum_quarantined(), 0);
	done();
}

/* Contacts of phone u that node i would call */
static uint32_t called(int i, uint32_t u)
{
	struct loc_set set;
	char aor[64];
	uint32_t n;

	(void)snprintf(aor, sizeof(aor), "sip:u%u@example.com", u);
	cr_assert(location_get(&b->loc, sl_cstr(aor), b->wall, &set) == 0);
	ping_pass_over(&b->ping[i], sl_cstr(aor), &set, b->now);
	n = set.n;
	loc_set_free(&set);
	return n;
}

static void second_contact(uint32_t u)
{
	struct binding bi = { .uri = SL("sip:other@192.0.2.9"),
		.callid = SL("c2"), .q = 1000 };
	char aor[64];
	struct buf v;

	(void)snprintf(aor, sizeof(aor), "sip:u%u@example.com", u);
	buf_init(&v, 4096);
	cr_assert(binding_encode(&v, &bi) == 0);
	cr_assert(store_put(b->store, sl_cstr(aor), SL("second"), 0xff00, 1,
			    b->wall + 3600000, buf_as_sl(&v), b->wall) == 0);
	buf_free(&v);
}

static uint32_t called_by_all(uint32_t u)
{
	uint32_t n = 0;

	for (int i = 0; i < N; i++)
		n += called(i, u);
	return n;
}

static const char patient[] = "sip = { address = \"127.0.0.11\"; };\n"
	"ping = { interval = 1000; timeout = 300; max_failures = 3;"
	" remove_after = 50; };";

static uint64_t told(void)
{
	return b->ping[0].told + b->ping[1].told + b->ping[2].told;
}

/* Two contacts of one user, one is gone: nobody calls that */
static void lose_one(void)
{
	box(patient, 50);
	second_contact(7);
	pass(SLOTS_NEW + 1000);
	cr_assert_eq(called_by_all(7), 2 * N);
	b->ph[7].gone = true;
	pass(6000);
	cr_assert_eq(sum_quarantined(), 1);
}

Test(ping, what_its_owner_quarantines_no_node_calls)
{
	lose_one();
	cr_assert_eq(called_by_all(7), N);
	cr_assert_eq(told(), N - 1, "one knows it by itself");
	b->ph[7].pings = 0;
	pass(3000);
	cr_assert_geq(b->ph[7].pings, 2, "it is asked all the same");
	cr_assert_eq(called_by_all(7), N);
	done();
}

Test(ping, who_answers_again_is_called_by_all)
{
	lose_one();
	b->ph[7].gone = false;
	pass(1700);
	cr_assert_eq(sum_quarantined(), 0);
	cr_assert_eq(called_by_all(7), 2 * N);
	done();
}

/* Anywhere: the hint is of the version that did not answer */
Test(ping, who_registers_again_is_called_by_all_at_once)
{
	lose_one();
	put(7, 2);
	for (int i = 0; i < N; i++)
		cr_assert_eq(called(i, 7), b->ping[i].quarantined_now ? 1 : 2,
			     "all but the owner, which asks it within its "
			     "interval");
	done();
}

Test(ping, a_dead_owners_word_is_forgotten_after_two_intervals)
{
	int owner = 0;

	lose_one();
	while (!b->ping[owner].quarantined_now)
		owner++;
	b->dead[owner] = true;
	b->ph[7].gone = false;
	pass(2500);
	for (int i = 0; i < N; i++)
		cr_assert(i == owner || called(i, 7) == 2, "node %d", i);
	done();
}

/* Before that another node has it: that one goes by what it sees itself */
Test(ping, a_new_owner_is_bound_by_no_hint)
{
	int owner = 0;

	lose_one();
	while (!b->ping[owner].quarantined_now)
		owner++;
	b->dead[owner] = true;
	for (int i = 0; i < N; i++)
		slots_look(&b->slots[i], (struct slots_seen[]){
			{ (uint64_t)i + 1, true } }, 1, b->now);
	for (int i = 0; i < N; i++)
		cr_assert(i == owner || called(i, 7) == 2, "node %d", i);
	done();
}

/* --- the count goes on where the last owner was --- */

static const char steady[] = "sip = { address = \"127.0.0.11\"; };\n"
	"ping = { interval = 30000; timeout = 1000; max_failures = 3;"
	" remove_after = 2; };";

enum { ROUND = 30000, VERDICT = 1000 + 3 * KEEP_WAIT };

/* Failures of phone u in a row, as node i has counted them */
static struct ping_item *item(int i, uint32_t u)
{
	char aor[64], key[64];
	int n = snprintf(aor, sizeof(aor), "sip:u%u@example.com", u);

	return ping_find(&b->ping[i], ping_hash(&b->ping[i],
			 sl_mk(aor, (size_t)n),
			 sl_mk(key, (size_t)snprintf(key, sizeof(key), "k%u",
						     u))));
}

static uint32_t fails(int i, uint32_t u)
{
	const struct ping_item *x = item(i, u);

	return x ? x->fails : 0;
}

/* Phone 7 is gone and has been asked n times. @return its owner, which dies */
static int owner_dies_after(uint32_t n)
{
	int owner = 0;

	box(steady, 200);
	pass(SLOTS_NEW + ROUND);
	b->ph[7].gone = true;
	b->ph[7].pings = 0;
	while (b->ph[7].pings < n)
		pass(STEP);
	pass(VERDICT);
	while (fails(owner, 7) != n)
		cr_assert_lt(++owner, N);
	b->dead[owner] = true;
	b->died[owner] = b->now;
	b->ph[7].pings = 0;
	return owner;
}

/* Most failures in a row that a living node has counted */
static uint32_t counted(uint32_t u)
{
	uint32_t n = 0;

	for (int i = 0; i < N; i++)
		if (!b->dead[i] && fails(i, u) > n)
			n = fails(i, u);
	return n;
}

static void ask_seven(void)
{
	uint32_t n = b->ph[7].pings;

	while (b->ph[7].pings == n)
		pass(STEP);
	pass(VERDICT);
}

Test(ping, a_new_owner_goes_on_counting)
{
	(void)owner_dies_after(2);
	ask_seven();
	cr_assert_eq(counted(7), 3);
	cr_assert_eq(called_by_all(7), N, "it has no other");
	ask_seven();
	cr_assert_eq(counted(7), 4);
	ask_seven();
	cr_assert_not(there(7));
	cr_assert_eq(b->ph[7].pings, 3, "as if the owner had not died");
	done();
}

/* Of a hint and one question that is lost nobody is removed */
Test(ping, what_removes_a_new_owner_has_seen)
{
	(void)owner_dies_after(4);
	ask_seven();
	cr_assert_eq(counted(7), 3, "quarantine, no more");
	ask_seven();
	cr_assert(there(7));
	ask_seven();
	cr_assert_not(there(7));
	done();
}

Test(ping, who_answers_the_new_owner_is_free_of_the_old_ones_count)
{
	int owner = owner_dies_after(2);

	b->ph[7].gone = false;
	ask_seven();
	cr_assert_eq(counted(7), 0);
	/* it was frozen, and says now what it meant to say before */
	ping_hint_say(&b->ping[owner], item(owner, 7));
	tell(owner);
	b->ph[7].gone = true;
	ask_seven();
	cr_assert_eq(counted(7), 1);
	done();
}

Test(ping, who_registers_again_is_free_of_it_too)
{
	(void)owner_dies_after(2);
	put(7, 2);
	ask_seven();
	cr_assert_eq(counted(7), 1);
	done();
}

/* It has heard nothing of what was said before it came */
Test(ping, a_newcomer_goes_on_counting)
{
	enum { GONE = 40 };
	uint32_t moved = 0;

	box(steady, 200);
	b->dead[2] = true;
	pass(ROUND);
	for (uint32_t u = 0; u < GONE; u++)
		b->ph[u].gone = true;
	pass(2 * ROUND + VERDICT);
	for (uint32_t u = 0; u < GONE; u++)
		cr_assert_eq(counted(u), 2);
	for (int i = 0; i < N; i++)
		b->told[i][2] = b->hints[i].seq;
	b->dead[2] = false;
	pass(ROUND);
	for (uint32_t u = 0; u < GONE; u++) {
		cr_assert_eq(counted(u), 3, "%u", u);
		moved += fails(2, u) == 3;
	}
	cr_assert_gt(moved, 0);
	done();
}

/* One answer takes back what was said of it */
Test(ping, who_answers_again_is_counted_anew_by_all)
{
	int owner = 0;

	box(steady, 2000);           /* of each failure is told */
	second_contact(7);
	pass(SLOTS_NEW + ROUND);
	b->ph[7].gone = true;
	ask_seven();
	ask_seven();
	cr_assert_eq(called_by_all(7), 2 * N, "that is not enough");
	while (!fails(owner, 7))
		owner++;
	for (int i = 0; i < N; i++)
		cr_assert(i == owner || b->hints[i].now > 0);
	b->ph[7].gone = false;
	ask_seven();
	pass(1000);
	for (int i = 0; i < N; i++)
		cr_assert_eq(b->hints[i].now, 0);
	done();
}

Test(ping, who_may_be_cut_off_tells_nobody)
{
	box(patient, 50);
	second_contact(7);
	pass(SLOTS_NEW + 1000);
	for (int i = 0; i < N; i++)
		b->ping[i].majority = false;
	b->ph[7].gone = true;
	pass(6000);
	cr_assert_eq(sum_quarantined(), 1);
	cr_assert_eq(called_by_all(7), 2 * N - 1);
	done();
}

Test(ping, of_an_edge_where_nobody_answers_nobody_is_told)
{
	box(patient, 50);
	second_contact(7);
	pass(SLOTS_NEW + 1000);
	for (uint32_t i = 0; i < 50; i++)
		b->ph[i].gone = true;
	pass(6000);
	cr_assert_eq(sum_quarantined(), 50);
	cr_assert_eq(called_by_all(7), 2 * N - 1);
	done();
}

Test(ping, when_nobody_else_is_there_the_silent_one_is_called)
{
	box(patient, 50);
	pass(SLOTS_NEW + 1000);
	b->ph[7].gone = true;
	pass(6000);
	cr_assert_eq(sum_quarantined(), 1);
	cr_assert_eq(called_by_all(7), N);
	cr_assert_eq(told(), 0);
	done();
}

Test(ping, behind_an_older_edge_too)
{
	box(quick, 50);
	b->ask = ASKS_NOT;
	pass(SLOTS_NEW + 1000);
	b->ph[7].gone = true;
	b->ph[7].pings = 0;
	while (b->ph[7].pings < 3)
		pass(STEP);
	cr_assert_eq(sum_quarantined(), 0);
	pass(420);
	cr_assert_eq(sum_quarantined(), 1);
	pass(2100);
	cr_assert_not(there(7));
	cr_assert_eq(removed(), 1);
	done();
}

Test(ping, one_answer_forgives_all)
{
	box(quick, 50);
	pass(SLOTS_NEW + 1000);
	b->ph[7].gone = true;
	pass(4000);
	b->ph[7].gone = false;
	pass(1500);
	cr_assert_eq(sum_quarantined(), 0);
	b->ph[7].gone = true;
	pass(4000);
	cr_assert(there(7));
	done();
}

Test(ping, a_minority_removes_nothing)
{
	box(quick, 50);
	pass(SLOTS_NEW + 1000);
	for (int i = 0; i < N; i++)
		b->ping[i].majority = false;
	b->ph[7].gone = true;
	pass(10000);
	cr_assert(there(7));
	for (int i = 0; i < N; i++)
		b->ping[i].majority = true;
	pass(3000);
	cr_assert_not(there(7));
	done();
}

Test(ping, when_nobody_behind_an_edge_answers_nobody_is_removed)
{
	box(quick, 50);
	pass(SLOTS_NEW + 1000);
	for (uint32_t i = 0; i < 50; i++)
		b->ph[i].gone = true;
	pass(20000);
	cr_assert_eq(removed(), 0);
	cr_assert_gt(b->ping[0].kept + b->ping[1].kept + b->ping[2].kept, 0);
	done();
}

static const char quick_keep[] = SIP
	"ping = { interval = 1000; timeout = 300; max_failures = 3;"
	" remove_after = 2; udp = \"keep\"; stream = \"keep\"; };";

Test(ping, a_flow_that_its_edge_calls_dead_is_removed)
{
	box(quick_keep, 50);
	pass(SLOTS_NEW + 1000);
	b->ph[7].closed = true;
	b->ph[7].pings = 0;
	while (b->ph[7].pings < 3)
		pass(STEP);
	cr_assert_eq(sum_quarantined(), 1);
	cr_assert(there(7));
	pass(2200);
	cr_assert_not(there(7));
	cr_assert_eq(removed(), 1);
	/* one answer without it forgives */
	b->ph[9].closed = true;
	pass(4100);
	b->ph[9].closed = false;
	pass(1100);
	cr_assert_eq(sum_quarantined(), 0);
	b->ph[9].closed = true;
	pass(4100);
	cr_assert(there(9));
	done();
}

Test(ping, of_many_in_a_batch_the_dead_ones_are_removed)
{
	uint32_t n = 0;

	box(quick_keep, 600);
	pass(SLOTS_NEW + 1000);
	forget();
	for (uint32_t i = 0; i < 600; i++)
		n += b->ph[i].closed = i % 19 == 3;
	pass(7000);
	cr_assert_geq(b->largest, 10);
	for (uint32_t i = 0; i < 600; i++)
		cr_assert_eq(there(i), i % 19 != 3, "%u", i);
	cr_assert_eq(removed(), n);
	done();
}

Test(ping, of_what_is_kept_alive_a_minority_removes_nothing)
{
	box(quick_keep, 50);
	pass(SLOTS_NEW + 1000);
	for (int i = 0; i < N; i++)
		b->ping[i].majority = false;
	b->ph[7].closed = true;
	pass(10000);
	cr_assert(there(7));
	done();
}

Test(ping, an_edge_that_answers_nothing_removes_nobody)
{
	box(quick_keep, 50);
	pass(SLOTS_NEW + 1000);
	b->keep_code = 0;
	pass(20000);
	cr_assert_eq(removed() + sum_quarantined(), 0);
	cr_assert_gt(b->ping[0].keep.lost, 0);
	/* nor does one that does not know what that is */
	b->keep_code = 405;
	pass(20000);
	cr_assert_eq(removed() + sum_quarantined(), 0);
	cr_assert_gt(b->ping[0].keep.refused, 0);
	pass(6000);
	for (int i = 0; i < N; i++)
		cr_assert_lt(b->ping[i].keep.lines, 50);
	done();
}

/* 1,000 rounds in which phone 3, which nobody reaches, registers anew up to
 * `span` ms after the last moment at which it is surely there; each tenth it
 * does so too late */
static void race(uint32_t span)
{
	struct rng rng;

	rng_seed(&rng, 11);
	for (uint32_t round = 2; round < 1002; round++) {
		bool late = round % 10 == 0;

		for (uint32_t i = 0; i < 5 && late; i++)
			if (i != 3)
				put(i, round);
		pass(3000 + rng_below(&rng, span) / STEP * STEP);
		cr_assert(there(3), "removed early in round %u", round);
		if (late) {
			pass(3000);
			cr_assert_not(there(3), "stays in round %u", round);
		}
		put(3, round);
		cr_assert(there(3));
	}
	cr_assert_eq(removed(), 100);
	done();
}

/* The edge says of its flow that it has ended while the phone registers over
 * another one */
Test(ping, a_refresh_wins_against_a_dead_flow_in_1000_rounds, .timeout = 300)
{
	box(quick_keep, 5);
	pass(SLOTS_NEW + 1000);
	b->ph[3].closed = true;
	race(950);
}

/* A refresh at any moment of the last question: it stays, and nothing that was
 * not refreshed does. The refresh before began the count anew: five are lost */
Test(ping, a_refresh_wins_against_removal_in_1000_rounds, .timeout = 300)
{
	box(quick, 5);
	pass(SLOTS_NEW + 1000);
	b->ph[3].gone = true;
	race(1250);
}

/* A batch of one question, which an edge that is another proxy refuses */
static bool inner_batch(struct rig *r)
{
	struct rig_leg l;
	bool is;

	rig_leg(r, &l, "OPTIONS");
	is = inner_is(&l.m, SL(INNER_ASK));
	rig_answer(r, &l, 405, "x", "");
	rig_leg_free(&l);
	return is;
}

Test(ping, who_keeps_its_own_flow_or_is_not_behind_nat_is_left_alone)
{
	struct rig *r = rig_new("auth = \"off\"; ping = { timeout = 30000; };",
				"");
	struct slots *s = calloc(1, sizeof(*s));
	struct slots_seen me = { 1, true };
	struct rig_leg l;

	slots_init(s, 1);
	slots_look(s, &me, 1, 0);
	core_set_slots(r->core, s, true);
	cr_assert_eq(rig_register(r, "nat", "<sip:nat@10.0.0.7>", "t1", 1), 200);
	r->says = r->client;
	cr_assert_eq(rig_register(r, "pub", "<sip:pub@192.0.2.7>", "t2", 1),
		     200);
	cr_assert_eq(rig_register(r, "own", "<sip:own@10.0.0.7>;reg-id=1;"
		"+sip.instance=\"<urn:uuid:0-0-0-0-1>\"", "t3", 1), 200);
	rig_pass(r, INTERVAL + 100);
	cr_assert(inner_batch(r));
	rig_leg(r, &l, "OPTIONS");
	cr_assert(sl_eq(l.m.ruri, SL("sip:nat@10.0.0.7")));
	rig_answer(r, &l, 404, "x", "");
	rig_leg_free(&l);
	cr_assert_lt(rig_take(r), 0);
	cr_assert_eq(rig_stat(r, "node_ping_answered_total", NULL), 1);
	rig_free(r);
	free(s);
}

/* Many phones learn their public address from the answer to a REGISTER and
 * register that: only their Via tells. It must outlive a copy to other nodes. */
Test(ping, who_registers_its_public_address_is_behind_nat_by_its_via)
{
	struct rig *r = rig_new("auth = \"off\"; ping = { timeout = 30000; };",
				"");
	struct slots *s = calloc(1, sizeof(*s));
	struct slots_seen me = { 1, true };
	struct rig_leg l;

	slots_init(s, 1);
	slots_look(s, &me, 1, 0);
	core_set_slots(r->core, s, true);
	cr_assert_eq(rig_register(r, "pub", "<sip:pub@192.0.2.7:49183>", "t",
				  1), 200);
	rig_pass(r, INTERVAL + 100);
	cr_assert(inner_batch(r));
	rig_leg(r, &l, "OPTIONS");
	cr_assert(sl_eq(l.m.ruri, SL("sip:pub@192.0.2.7:49183")));
	rig_answer(r, &l, 200, "OK", "");
	rig_leg_free(&l);
	r->says = "phone.example.com";       /* a name tells nothing */
	cr_assert_eq(rig_register(r, "pub", "<sip:pub@192.0.2.7:49183>", "t",
				  2), 200);
	rig_pass(r, INTERVAL + 100);
	cr_assert_lt(rig_take(r), 0);
	rig_free(r);
	free(s);
}
