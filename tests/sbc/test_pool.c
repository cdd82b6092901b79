/* The pool under calls: nodes that come and go, are drained, weighed, learned,
 * forgotten; an edge that cannot reach anybody. One edge, up to 24 stand-in
 * nodes that answer by themselves, a caller; virtual time. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/secret.h"
#include "sbc/edge.h"
#include "sbc/ledger.h"
#include "sip/scan.h"

enum { NODES = 24, CALLS = 40000, LATER = 4096, CORE = 1 };

struct later {
	uint64_t at;
	unsigned node;
	char *text;
};

struct stub {
	bool alive;              /* false: its packets are lost               */
	bool leaving;            /* 503 to what is new                        */
	uint16_t code;           /* of an INVITE                              */
	uint32_t think, busy;    /* [ms] until 100, until the final           */
	const char *extra;       /* header lines of its final                 */
	char health[1400];
	unsigned invites, probes;
};

static struct rig {
	uint64_t now;
	struct edge *e;
	struct stats *st;
	struct edge_conf ec;
	struct disp_node_conf conf[DISP_MAX];
	struct listener lst[2];
	struct stub node[NODES];
	struct later later[LATER];
	unsigned laters;
	int lost;                /* errno of each send to a node, 0 = goes    */
	unsigned calls;
	uint16_t final[CALLS];
	uint64_t next_call, gap; /* [ms], gap 0 = no calls                    */
} r;

static struct addr node_addr(unsigned i)
{
	return (struct addr){ .af = 4, .port = 5060,
			      .ip = { 10, 0, 1, (uint8_t)(i + 1) } };
}

static struct flow node_flow(unsigned i)
{
	return (struct flow){ .tp = TP_UDP, .lst = CORE, .peer = node_addr(i) };
}

static struct disp_node_conf node_conf(unsigned i)
{
	struct disp_node_conf nc = { .tp = TP_UDP, .weight = 100,
				     .addr = node_addr(i) };

	snprintf(nc.name, sizeof(nc.name), "n%u", i + 1);
	return nc;
}

static struct disp *disp(void)
{
	return edge_disp(r.e);
}

static int idx_of(unsigned i)
{
	struct disp_node_conf nc = node_conf(i);
	uint16_t idx;

	return disp_by_name(disp(), sl_cstr(nc.name), &idx) ? -1 : idx;
}

static unsigned size(void)
{
	struct disp_view v;
	unsigned n = 0;

	for (uint16_t i = 0; i < disp_n(disp()); i++)
		n += !disp_view(disp(), i, &v);
	return n;
}

static struct disp_view view(unsigned i)
{
	struct disp_view v;
	int idx = idx_of(i);

	cr_assert(idx >= 0, "n%u is not in the pool", i + 1);
	cr_assert_eq(disp_view(disp(), (uint16_t)idx, &v), 0);
	return v;
}

static uint64_t figure(const char *name)
{
	uint64_t v = 0;

	cr_expect(stat_get(r.st, name, NULL, &v), "%s", name);
	return v;
}

/** Is there such an event? */
static bool event(const char *what, const char *node, const char *why)
{
	const struct events *all = &edge_ledger(r.e)->ev;
	const struct event *x = NULL;

	while ((x = events_after(all, x ? x->id : 0)))
		if (x->kind == EVENT_ADMIN && !strcmp(x->method, what) &&
		    !strcmp(x->node, node) && !strcmp(x->reason, why))
			return true;
	return false;
}

/* --- what nodes and the caller say --- */

static void say_later(unsigned node, uint64_t at, const char *text)
{
	cr_assert_lt(r.laters, LATER);
	r.later[r.laters++] = (struct later){ at, node, strdup(text) };
}

/** The request's own lines that an answer needs */
static void answer(char *out, size_t size, const char *req, unsigned code,
		   const char *more)
{
	size_t n = (size_t)snprintf(out, size, "SIP/2.0 %u X\r\n", code);

	for (const char *p = strchr(req, '\n') + 1; *p && *p != '\r';
	     p = strchr(p, '\n') + 1) {
		int len = (int)(strchr(p, '\n') + 1 - p);

		if (!strncmp(p, "To:", 3))
			n += (size_t)snprintf(out + n, size - n,
					      "%.*s;tag=t\r\n", len - 2, p);
		else if (!strncmp(p, "Via:", 4) || !strncmp(p, "From:", 5) ||
			 !strncmp(p, "CSeq:", 5) || !strncmp(p, "Call-ID:", 8))
			n += (size_t)snprintf(out + n, size - n, "%.*s", len,
					      p);
	}
	snprintf(out + n, size - n, "%sContent-Length: 0\r\n\r\n", more);
}

static void node_got(unsigned i, const char *req)
{
	struct stub *s = &r.node[i];
	char out[6000], more[1500];

	if (!s->alive)
		return;
	if (!strncmp(req, "OPTIONS", 7)) {
		s->probes++;
		snprintf(more, sizeof(more), "Edgewise-Health: %s\r\n",
			 s->health);
		answer(out, sizeof(out), req, s->leaving ? 503 : 200, more);
		say_later(i, r.now + 1, out);
	}
	if (strncmp(req, "INVITE", 6) != 0)
		return;
	s->invites++;
	if (s->leaving) {
		answer(out, sizeof(out), req, 503, "Retry-After: 2\r\n");
		say_later(i, r.now + 1, out);
		return;
	}
	answer(out, sizeof(out), req, 100, "");
	say_later(i, r.now + s->think, out);
	snprintf(more, sizeof(more), "Contact: <sip:b@10.0.1.1>\r\n%s",
		 s->extra ? s->extra : "");
	answer(out, sizeof(out), req, s->code, more);
	say_later(i, r.now + s->think + s->busy, out);
}

static void caller_got(const char *msg)
{
	const char *p = strstr(msg, "Call-ID: c");
	unsigned n, code = (unsigned)atoi(msg + 8);

	if (strncmp(msg, "SIP/2.0 ", 8) != 0 || !p || code < 200)
		return;
	n = (unsigned)atoi(p + 10);
	cr_assert_lt(n, CALLS);
	r.final[n] = (uint16_t)code;
}

static void effects(void)
{
	struct sip_out o;

	while (edge_poll(r.e, &o)) {
		char text[8192];

		if (o.kind != SIP_OUT_SEND)
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)o.blob->n,
			 (const char *)o.blob->p);
		blob_unref(o.blob);
		if (o.flow.lst != CORE)
			caller_got(text);
		else if (r.lost)
			edge_lost(r.e, &o.flow, r.lost, r.now);
		else if (o.flow.peer.ip[2] == 1 && o.flow.peer.ip[3] &&
			 o.flow.peer.ip[3] <= NODES)
			node_got(o.flow.peer.ip[3] - 1u, text);
	}
}

static void call(void)
{
	struct flow f = { .tp = TP_UDP, .peer = { .af = 4, .port = 5060,
			  .ip = { 198, 51, 100, 7 } } };
	char t[1024];
	unsigned n = r.calls++;

	cr_assert_lt(n, CALLS);
	snprintf(t, sizeof(t), "INVITE sip:b%u@example.com SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKa%u\r\n"
		 "Max-Forwards: 70\r\nFrom: <sip:a%u@example.com>;tag=f%u\r\n"
		 "To: <sip:b%u@example.com>\r\nCall-ID: c%u\r\n"
		 "CSeq: 1 INVITE\r\nContact: <sip:a@198.51.100.7:5060>\r\n"
		 "Content-Length: 0\r\n\r\n", n, n, n, n, n, n);
	edge_recv(r.e, &f, sl_cstr(t), FRAME_MSG, NULL, r.now);
	effects();
}

static unsigned first_later(void)
{
	unsigned best = 0;

	for (unsigned i = 1; i < r.laters; i++)
		if (r.later[i].at < r.later[best].at)
			best = i;
	return best;
}

static void run(uint64_t ms)
{
	uint64_t end = r.now + ms;

	for (;;) {
		unsigned l = first_later();
		uint64_t a = edge_next(r.e);
		uint64_t b = r.laters ? r.later[l].at : UINT64_MAX;
		uint64_t c = r.gap ? r.next_call : UINT64_MAX;
		uint64_t at = a < b ? a : b;

		at = at < c ? at : c;
		if (at > end)
			break;
		r.now = at > r.now ? at : r.now;
		if (at == b) {
			struct later x = r.later[l];
			struct flow f = node_flow(x.node);

			r.later[l] = r.later[--r.laters];
			if (r.node[x.node].alive)
				edge_recv(r.e, &f, sl_cstr(x.text), FRAME_MSG,
					  NULL, r.now);
			free(x.text);
		}
		else if (at == c) {
			r.next_call = r.now + r.gap;
			call();
		}
		else {
			edge_tick(r.e, r.now);
		}
		effects();
	}
	r.now = end;
}

/** Calls whose final answer is not 200 (0 = none came) */
static unsigned failed(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r.calls; i++)
		n += r.final[i] != 200;
	return n;
}

/* --- start and end --- */

static void start_edge(unsigned nodes)
{
	r.ec = (struct edge_conf){
		.lst = r.lst, .lstc = 2, .core = CORE, .node = r.conf,
		.nodec = (uint16_t)nodes, .t1 = 500, .t2 = 4000, .t4 = 5000,
		.max_transactions = 100000, .key = { 1 }, .branch_key = { 2 },
		.boot = 1, .seed = 1,
		.tune = {
			.noreply = 500, .ring = 180000, .straight = true,
			.deadline = 10000, .max_attempts = 3,
			.max_message = 65535, .hide = true, .learn = true,
			.probe = {
				.inter = 1000, .fastinter = 200,
				.downinter = 2000, .timeout = 500, .fall = 3,
				.rise = 2, .jitter = 10, .alg = DISP_HASH,
				.max_nodes = DISP_MAX, .slowstart = 10000,
				.eject = 10000, .eject_margin = 30,
				.eject_min = 20, .retry_percent = 20,
				.retry_burst = 10, .no100_min = 100,
				.no100_max = 1000,
			},
		},
	};
	for (unsigned i = 0; i < nodes; i++)
		r.conf[i] = node_conf(i);
	cr_assert_eq(edge_alloc(&r.e, &r.ec, r.st, r.now), 0);
	effects();
}

static void setup(void)
{
	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	r.now = 1000000;
	r.lst[0] = (struct listener){ .tp = TP_UDP, .bound = { .af = 4,
		.port = 5060, .ip = { 192, 0, 2, 1 } } };
	strcpy(r.lst[0].sentby, "192.0.2.1:5060");
	r.lst[1] = (struct listener){ .tp = TP_UDP, .core = true, .bound = {
		.af = 4, .port = 5070, .ip = { 10, 0, 0, 1 } } };
	strcpy(r.lst[1].sentby, "10.0.0.1:5070");
	if (secret_init() || stats_alloc(&r.st))
		abort();
	for (unsigned i = 0; i < NODES; i++) {
		r.node[i] = (struct stub){ .code = 200, .think = 2,
					   .busy = 3000 };
		strcpy(r.node[i].health, "state=ready");
	}
}

static void teardown(void)
{
	edge_free(r.e);
	stats_free(r.st);
	while (r.laters)
		free(r.later[--r.laters].text);
}

TestSuite(pool, .init = setup, .fini = teardown, .timeout = 120);

static void begin(unsigned nodes)
{
	for (unsigned i = 0; i < nodes; i++)
		r.node[i].alive = true;
	start_edge(nodes);
	run(3000);
	for (unsigned i = 0; i < nodes; i++)
		cr_assert_eq(view(i).state, DISP_UP);
}

static void calls_on(uint64_t gap)
{
	r.gap = gap;
	r.next_call = r.now + 1;
}

/** No more calls; those under way end */
static void calls_off(void)
{
	r.gap = 0;
	run(8000);
	cr_expect_eq(edge_pending(r.e), 0);
}

/** Node i names the first n */
static void names(unsigned i, unsigned n)
{
	char *t = r.node[i].health;
	size_t k = (size_t)sprintf(t, "state=ready;members=");

	for (unsigned m = 0; m < n; m++)
		k += (size_t)sprintf(t + k, "%sn%u@10.0.1.%u:5060/TCP",
				     m ? "," : "", m + 1, m + 1);
	sprintf(t + k, ";lag=0");
}

/* --- learned nodes --- */

Test(pool, one_node_becomes_twenty_and_one_again_and_no_call_fails)
{
	unsigned took = 0;

	begin(1);
	calls_on(20);
	run(5000);
	for (unsigned n = 2; n <= 20; n++) {
		r.node[n - 1].alive = true;
		for (unsigned i = 0; i < n; i++)
			names(i, n);
		run(1000);
	}
	run(30000);
	for (unsigned i = 0; i < 20; i++) {
		cr_expect_eq(view(i).state, DISP_UP, "n%u", i + 1);
		cr_expect_eq(view(i).learned, i > 0);
		took += r.node[i].invites > 5;
	}
	cr_expect_eq(took, 20, "%u nodes take calls", took);
	for (unsigned n = 20; n > 1; n--) {
		r.node[n - 1].leaving = true;
		for (unsigned i = 0; i < n; i++)
			names(i, n - 1);
		run(4000);
		r.node[n - 1].alive = false;        /* its calls are over */
	}
	run(40000);
	for (unsigned i = 1; i < 20; i++)
		cr_expect_lt(idx_of(i), 0, "n%u is still there", i + 1);
	cr_expect_eq(view(0).state, DISP_UP);
	calls_off();
	cr_expect_gt(r.calls, 5000);
	cr_expect_eq(failed(), 0);
	cr_expect(event("learned", "n20", "10.0.1.20:5060"));
	cr_expect(event("forgotten", "n20", "no node names it"));
	cr_expect_eq(figure("pool_learned_total"), 19);
	cr_expect_eq(figure("pool_forgotten_total"), 19);
}

Test(pool, a_dead_learned_node_is_forgotten_and_learned_anew)
{
	begin(1);
	r.node[1].alive = true;
	names(0, 2);
	names(1, 2);
	run(3000);
	cr_assert_eq(view(1).state, DISP_UP);
	r.node[1].alive = false;
	run(3000);
	names(0, 1);
	run(28000);
	cr_expect_eq(view(1).state, DISP_DOWN);
	run(4000);
	cr_expect_lt(idx_of(1), 0);
	names(0, 2);
	r.node[1].alive = true;
	run(3000);
	cr_expect_eq(view(1).state, DISP_UP);
	cr_expect(view(1).ramp < 100);
}

Test(pool, the_settings_nodes_stay_whoever_names_them)
{
	begin(2);
	names(0, 1);
	names(1, 1);
	run(120000);
	cr_expect_eq(view(1).state, DISP_UP);
	cr_expect_not(view(1).learned);
}

Test(pool, nobody_is_forgotten_while_nobody_could_name_him)
{
	begin(1);
	r.node[1].alive = true;
	names(0, 2);
	names(1, 2);
	run(3000);
	r.node[0].alive = r.node[1].alive = false;
	run(120000);
	cr_expect_geq(idx_of(1), 0);
	r.node[1].alive = true;
	run(5000);
	cr_expect_eq(view(1).state, DISP_UP);
}

Test(pool, one_that_names_only_itself_stays_while_it_is_up)
{
	begin(1);
	r.node[1].alive = true;
	names(0, 2);
	names(1, 2);
	run(3000);
	r.node[0].alive = false;
	run(120000);
	cr_expect_eq(view(1).state, DISP_UP);
}

Test(pool, one_in_maint_is_not_forgotten)
{
	struct disp_wish w = { .admin = DISP_MAINT, .weight = -1 };

	begin(1);
	r.node[1].alive = true;
	names(0, 2);
	run(3000);
	cr_assert_eq(edge_wish(r.e, "n2", &w, r.now), 0);
	names(0, 1);
	run(120000);
	cr_expect_eq(view(1).wish.admin, DISP_MAINT);
	w.admin = DISP_READY;
	names(0, 2);
	run(2000);
	cr_assert_eq(edge_wish(r.e, "n2", &w, r.now), 0);
	run(3000);
	cr_expect_eq(view(1).state, DISP_UP);
}

Test(pool, a_node_named_again_in_time_stays_without_a_gap)
{
	begin(1);
	r.node[1].alive = true;
	names(0, 2);
	run(3000);
	names(0, 1);
	run(25000);
	names(0, 2);
	run(60000);
	cr_expect_eq(view(1).state, DISP_UP);
	cr_expect_not(view(1).leaving);
	cr_expect_eq(figure("pool_forgotten_total"), 0);
}

Test(pool, one_that_leaves_is_there_until_its_calls_have_ended)
{
	struct edge_left left;

	begin(1);
	r.node[1].alive = true;
	names(0, 2);
	run(3000);
	r.node[1].busy = 50000;
	calls_on(200);
	run(12000);
	r.gap = 0;
	names(0, 1);
	run(33000);
	cr_expect(view(1).leaving);
	edge_left(r.e, (uint16_t)idx_of(1), &left);
	cr_expect_gt(left.calls, 0);
	run(30000);
	cr_expect_lt(idx_of(1), 0);
	cr_expect_eq(failed(), 0);
}

Test(pool, a_suspect_is_not_believed)
{
	begin(1);
	names(0, 2);
	disp_report(disp(), 0, DISP_SILENT, 0, r.now);
	run(150);
	cr_expect_eq(size(), 1);
	run(2000);
	cr_expect_eq(size(), 2);
}

Test(pool, bad_names_and_addresses_are_not_taken)
{
	static const char *const bad[] = {
		"members=x", "members=3;alive=2", "members=", "members=@:/",
		"members=n9@10.0.1.9:5060", "members=n9@10.0.1.9/TCP",
		"members=n9@host.example:5060/TCP", "members=n9@0.0.0.0:5060/TCP",
		"members=n9@10.0.1.9:0/TCP", "members=n9@10.0.1.9:70000/TCP",
		"members=n9@10.0.1.9:5060/TLS", "members=n\"9@10.0.1.9:5060/TCP",
		"members=n 9@10.0.1.9:5060/TCP", "members=n9@[::1]:5060/TCP",
		"members=n9@127.0.0.1:5060/TCP", "members=n9@10.0.0.1:5070/TCP",
		"members=n9@192.0.2.1:5060/TCP", "members=n1@10.0.1.9:5060/UDP",
		"members=n9@10.0.1.1:5060/TCP", "xmembers=n9@10.0.1.9:5060/TCP",
		("members=012345678901234567890123456789012345678901234567890"
		 "1234567890123@10.0.1.9:5060/TCP"),
	};

	begin(1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(r.node[0].health, bad[i]);
		run(1500);
		cr_expect_eq(size(), 1, "%s", bad[i]);
	}
	cr_expect_gt(figure("pool_learn_refused_total"), 10);
	strcpy(r.node[0].health, "members=n9@10.0.1.9:5060/udp,n8@10.0.1.8:1/TCP"
	       " x");
	run(1500);
	cr_expect_eq(size(), 3);
}

Test(pool, at_most_twenty_of_a_header_and_64_in_all)
{
	begin(1);
	for (unsigned turn = 0; turn < 6; turn++) {
		char *t = r.node[0].health;
		size_t k = (size_t)sprintf(t, "members=");

		for (unsigned m = 0; m < 24; m++)
			k += (size_t)sprintf(t + k, "%sx%u-%u@10.1.%u.%u:5060/TCP",
					     m ? "," : "", turn, m, turn, m);
		run(1500);
		cr_expect_leq(size(), 1 + 20 * (turn + 1));
	}
	cr_expect_eq(size(), 64);
	cr_expect_gt(figure("pool_learn_refused_total"), 0);
}

Test(pool, what_a_down_node_or_a_switched_off_edge_hears_is_not_learned)
{
	begin(1);
	r.ec.tune.learn = false;
	cr_assert_eq(edge_reconf(r.e, &r.ec.tune, r.conf, 1, r.now), 0);
	names(0, 5);
	run(3000);
	cr_expect_eq(size(), 1);
}

Test(pool, learned_ones_outlive_a_reload_but_not_the_end_of_learning)
{
	begin(1);
	calls_on(50);
	r.node[1].alive = r.node[2].alive = true;
	names(0, 3);
	run(5000);
	r.conf[1] = node_conf(1);       /* now of the settings */
	cr_assert_eq(edge_reconf(r.e, &r.ec.tune, r.conf, 2, r.now), 0);
	cr_expect_not(view(1).learned);
	cr_expect(view(2).learned);
	run(5000);
	r.ec.tune.learn = false;
	cr_assert_eq(edge_reconf(r.e, &r.ec.tune, r.conf, 2, r.now), 0);
	cr_expect_lt(idx_of(2), 0);
	cr_expect_geq(idx_of(1), 0);
	calls_off();
	cr_expect_eq(failed(), 0);
}

Test(pool, the_settings_take_the_name_or_address_of_a_learned_one)
{
	begin(1);
	r.node[1].alive = r.node[2].alive = true;
	names(0, 3);
	run(3000);
	r.conf[1] = node_conf(5);
	strcpy(r.conf[1].name, "n2");           /* n2 has moved */
	r.conf[2] = node_conf(2);
	strcpy(r.conf[2].name, "other");        /* n3 has a new name */
	cr_assert_eq(edge_reconf(r.e, &r.ec.tune, r.conf, 3, r.now), 0);
	cr_expect_eq(view(1).addr.ip[3], 6);
	cr_expect_lt(idx_of(2), 0);
	cr_expect_eq(size(), 3);
}

/* --- reload and wishes under calls --- */

Test(pool, the_pool_changes_by_reload_under_calls_and_none_fails)
{
	begin(3);
	calls_on(10);
	for (int round = 0; round < 6; round++) {
		unsigned n = 1 + (unsigned)round * 3 % 5;

		for (unsigned i = 0; i < n; i++) {
			r.node[i].alive = true;
			r.conf[i] = node_conf(i);
			r.conf[i].weight = 20 + 30 * i;
		}
		cr_assert_eq(edge_reconf(r.e, &r.ec.tune, r.conf, (uint16_t)n,
					 r.now), 0);
		cr_expect_geq(size(), n);
		run(7000);
	}
	calls_off();
	cr_expect_gt(r.calls, 4000);
	cr_expect_eq(failed(), 0);
}

Test(pool, a_node_is_drained_under_calls_and_tells_what_is_left)
{
	struct disp_wish w = { .admin = DISP_DRAIN, .when_empty = true,
			       .weight = -1, .who = "a", .why = "b" };
	struct edge_left left;
	uint64_t seq;
	unsigned took;

	begin(3);
	calls_on(10);
	run(10000);
	cr_assert_eq(edge_wish(r.e, "n2", &w, r.now), 0);
	seq = edge_pool_seq(r.e);
	took = r.node[1].invites;
	edge_left(r.e, (uint16_t)idx_of(1), &left);
	cr_expect(left.calls > 50 && left.calls <= left.requests, "%u %u",
		  left.calls, left.requests);
	run(2000);
	cr_expect_eq(view(1).wish.admin, DISP_DRAIN);
	run(2000);
	cr_expect_eq(view(1).wish.admin, DISP_MAINT);
	cr_expect_neq(edge_pool_seq(r.e), seq, "the end has to be kept");
	cr_expect(event("maint", "n2", "drained"));
	edge_left(r.e, (uint16_t)idx_of(1), &left);
	cr_expect_eq(left.requests, 0);
	cr_expect_eq(r.node[1].invites, took, "nothing new");
	r.node[1].alive = false;                 /* stopped: nobody notices */
	run(5000);
	r.node[1].alive = true;
	w.admin = DISP_READY;
	cr_assert_eq(edge_wish(r.e, "n2", &w, r.now), 0);
	run(20000);
	cr_expect_gt(r.node[1].invites, took + 100);
	calls_off();
	cr_expect_eq(failed(), 0);
	cr_expect_eq(edge_wish(r.e, "n9", &w, r.now), ENOENT);
}

Test(pool, maint_moves_what_runs_at_once_and_none_fails)
{
	struct disp_wish w = { .admin = DISP_MAINT, .weight = -1 };

	begin(3);
	for (unsigned i = 0; i < 3; i++)
		r.node[i].busy = 300;
	calls_on(10);
	run(5000);
	cr_assert_eq(edge_wish(r.e, "n1", &w, r.now), 0);
	r.node[0].alive = false;
	run(5000);
	calls_off();
	cr_expect_eq(failed(), 0);
}

Test(pool, a_wish_outlives_a_reload_and_a_change_of_address)
{
	struct disp_wish w = { .admin = DISP_MAINT, .weight = 300,
			       .who = "alice", .why = "disk" };

	begin(3);
	cr_assert_eq(edge_wish(r.e, "n2", &w, r.now), 0);
	cr_assert_eq(edge_reconf(r.e, &r.ec.tune, r.conf, 3, r.now), 0);
	cr_expect_eq(view(1).wish.admin, DISP_MAINT);
	cr_expect_eq(view(1).weight, 300);
	r.conf[1].addr = node_addr(7);
	cr_assert_eq(edge_reconf(r.e, &r.ec.tune, r.conf, 3, r.now), 0);
	cr_expect_eq(view(1).addr.ip[3], 8);
	cr_expect_eq(view(1).wish.admin, DISP_MAINT);
	cr_expect_eq(view(1).weight, 300);
	cr_expect_str_eq(view(1).wish.who, "alice");
}

/* --- in-band --- */

Test(pool, a_node_that_answers_500_to_half_is_ejected_while_its_probes_pass)
{
	unsigned before;

	begin(3);
	for (unsigned i = 0; i < 3; i++)
		r.node[i].busy = 20;
	calls_on(10);
	run(3000);
	r.node[2].code = 500;
	run(5000);
	cr_expect_eq(view(2).state, DISP_UP);
	cr_expect_gt(view(2).ejected, r.now);
	before = r.node[2].invites;
	run(4000);
	cr_expect_eq(r.node[2].invites, before);
	r.node[2].code = 200;
	run(15000);
	cr_expect_eq(view(2).ejected, 0);
	cr_expect_gt(r.node[2].invites, before);
	calls_off();
}

Test(pool, retry_after_of_a_503_is_obeyed)
{
	unsigned before;

	begin(3);
	calls_on(10);
	run(3000);
	r.node[1].code = 503;
	r.node[1].busy = 1;
	r.node[1].extra = "Retry-After: 10 (busy)\r\n";
	run(2000);
	cr_expect_gt(view(1).held, r.now);
	before = r.node[1].invites;
	r.node[1].code = 200;
	run(6000);
	cr_expect_eq(r.node[1].invites, before);
	run(4500);
	cr_expect_gt(r.node[1].invites, before);
	calls_off();
	cr_expect_eq(failed(), 0);
}

Test(pool, a_slow_node_gets_the_time_it_needs_and_a_fast_one_no_more)
{
	begin(2);
	r.node[1].think = 80;
	calls_on(50);
	run(20000);
	cr_expect_eq(view(0).no100, 100);
	cr_expect(view(1).no100 >= 240 && view(1).no100 <= 300, "%u",
		  view(1).no100);
	cr_expect_eq(view(1).silent, 0);
	calls_off();
	cr_expect_eq(failed(), 0);
}

Test(pool, the_budget_ends_a_storm_of_second_tries)
{
	begin(3);
	for (unsigned i = 0; i < 3; i++) {
		r.node[i].code = 503;
		r.node[i].busy = 1;
	}
	calls_on(2);
	run(20000);
	cr_expect_gt(figure("pool_over_budget_total"), 1000);
	/* 500 a second: 20 % of them and 10, not two more of each */
	cr_expect_lt(r.node[0].invites + r.node[1].invites +
		     r.node[2].invites, r.calls * 125 / 100);
	calls_off();
}

/* --- an edge that cannot reach anybody --- */

Test(pool, an_edge_without_its_address_takes_nobody_out)
{
	static const int ours[] = { EADDRNOTAVAIL, ENETUNREACH };

	for (int k = 0; k < 2; k++) {
		if (!r.e)
			begin(3);
		r.lost = ours[k];
		run(30000);
		for (unsigned i = 0; i < 3; i++)
			cr_expect_neq(view(i).state, DISP_DOWN, "n%u", i + 1);
		cr_expect(disp_frozen(disp()));
		cr_expect_not(edge_ready(r.e));
		r.lost = 0;
		run(6000);
		for (unsigned i = 0; i < 3; i++)
			cr_expect_eq(view(i).state, DISP_UP, "n%u", i + 1);
		cr_expect_not(disp_frozen(disp()));
	}
	cr_expect_eq(figure("pool_freezes_total"), 2);
}

Test(pool, hosts_unreachable_all_at_once_take_nobody_out)
{
	begin(3);
	r.lost = EHOSTUNREACH;
	run(30000);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_neq(view(i).state, DISP_DOWN);
	r.lost = 0;
	run(6000);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(view(i).state, DISP_UP);
}

Test(pool, a_standby_that_hears_nobody_takes_nobody_out)
{
	begin(3);
	for (unsigned i = 0; i < 3; i++)
		r.node[i].alive = false;
	run(60000);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_neq(view(i).state, DISP_DOWN);
	cr_expect(disp_frozen(disp()));
	for (unsigned i = 0; i < 3; i++)
		r.node[i].alive = true;
	calls_on(20);
	run(3000);
	calls_off();
	cr_expect_eq(failed(), 0);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(view(i).state, DISP_UP);
}

Test(pool, connections_refused_by_nodes_take_them_out)
{
	begin(3);
	r.lost = ECONNREFUSED;
	run(3000);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(view(i).state, DISP_DOWN);
	cr_expect_not(disp_frozen(disp()));
}

Test(pool, a_node_says_where_its_pages_are_but_only_of_itself)
{
	static const struct {
		const char *health, *http;       /* NULL: is not believed */
	} v[] = {
		{ "state=ready", NULL },
		{ "http=192.0.2.9:80", NULL },
		{ "http=127.0.0.1:8061", NULL },
		{ "http=10.0.1.2:8061", NULL },  /* another node's */
		{ "http=10.0.1.1", NULL },
		{ "http=10.0.1.1:0", NULL },
		{ "http=host.example:80", NULL },
		{ "xhttp=10.0.1.1:8061", NULL },
		{ "state=ready;http=10.0.1.1:8061;members=n1@10.0.1.1:5060"
		  "/UDP", "10.0.1.1:8061" },
		{ "http=192.0.2.9:80", "10.0.1.1:8061" },
		{ "http=10.0.1.1:8070", "10.0.1.1:8070" },
	};

	begin(1);
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct addr a = { 0 };
		char txt[ADDR_TXT];

		strcpy(r.node[0].health, v[i].health);
		run(1500);
		cr_expect_eq(edge_node_http(r.e, 0, &a), v[i].http ? 0 :
			     ENOENT, "%s", v[i].health);
		if (v[i].http)
			cr_expect_str_eq(addr_txt(&a, txt), v[i].http);
	}
	cr_expect_eq(edge_node_http(r.e, 63, &(struct addr){ 0 }), ENOENT);
}
