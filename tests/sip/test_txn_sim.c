/* A proxy between phones, all three on transaction layers, with links that
 * lose, double and reorder datagrams (every fourth seed: streams, which only
 * delay): each request gets exactly one final
 * answer, nothing leaks, each end is reported once. */
#include "txn_fx.h"

enum { CALLS = 12, PKTS = 4096, SIDES = 3 };

struct pkt {
	uint64_t at;
	unsigned to;            /* side */
	struct blob *b;
};

struct call {
	enum sip_method meth;
	unsigned finals, fails;     /* seen by the caller: 2xx, others */
	unsigned timeouts;
	struct stxn *up;            /* at the proxy */
	struct ctxn *down;
	struct stxn *callee;
	unsigned code;              /* the callee's answer */
	bool gone_a, gone_up, gone_down, gone_b;
	bool cancelled;
	uint64_t answer_at, cancel_at;
	struct ctxn *a;
};

struct sim {
	struct rng r;
	uint64_t now;
	struct txnl *t[SIDES];      /* caller, proxy, callee */
	struct outq q[SIDES];
	struct pkt pkt[PKTS];
	unsigned n, loss;
	uint8_t tp;
	uint64_t in_order[SIDES][SIDES];    /* TCP: time of the last */
	struct call call[CALLS];
	struct sip_msg m;
};

static struct flow flow_to(const struct sim *s, unsigned side)
{
	struct flow f = { .tp = s->tp };

	f.peer.af = 4;
	f.peer.port = (uint16_t)(5060 + side);
	return f;
}

static uint64_t arrival(struct sim *s, unsigned from, unsigned to)
{
	uint64_t at = s->now + 1 + rng_below(&s->r, 300);

	if (s->tp == TP_TCP && at <= s->in_order[from][to])
		at = s->in_order[from][to] + 1;
	s->in_order[from][to] = at;
	return at;
}

static void carry(struct sim *s, unsigned from)
{
	struct sip_out o;
	unsigned to, copies;

	while (outq_poll(&s->q[from], &o)) {
		to = o.flow.peer.port - 5060u;
		copies = rng_below(&s->r, 100) >= s->loss;
		copies += copies && rng_below(&s->r, 100) < s->loss;
		while (copies-- && s->n < PKTS) {
			s->pkt[s->n].at = arrival(s, from, to);
			s->pkt[s->n].to = to << 4 | from;
			s->pkt[s->n++].b = blob_ref(o.blob);
		}
		blob_unref(o.blob);
	}
}

static struct blob *text(struct sim *s, const char *start, const char *via,
			 unsigned call, const char *meth, const char *tag)
{
	char txt[2048];
	int n = snprintf(txt, sizeof(txt), "%s\r\n%sFrom: <sip:a@x>;tag=f\r\n"
			 "To: <sip:b@x>%s\r\nCall-ID: %u\r\nCSeq: 1 %s\r\n"
			 "Max-Forwards: 9\r\nContent-Length: 0\r\n\r\n",
			 start, via, tag, call, meth);

	return blob_make(txt, (size_t)n);
}

static void request(struct sim *s, unsigned side, struct ctxn *c, unsigned i,
		    const char *vias)
{
	const char *meth = sip_method_name(s->call[i].meth);
	struct ctxn_timers tm = { .ring = 60000 };
	struct flow f = flow_to(s, side + 1);
	char start[64], via[1200];
	struct blob *b;

	snprintf(start, sizeof(start), "%s sip:b@x SIP/2.0", meth);
	snprintf(via, sizeof(via), "Via: SIP/2.0/UDP s%u;branch=%.*s\r\n%s",
		 side, SL_FMT(ctxn_branch(c)), vias);
	b = text(s, start, via, i, meth, "");
	ctxn_send(c, &f, b, &tm, s->now);
	blob_unref(b);
}

static struct blob *response(struct sim *s, struct stxn *st, unsigned i,
			     unsigned code)
{
	char start[64], vias[1024];

	snprintf(start, sizeof(start), "SIP/2.0 %u X", code);
	snprintf(vias, sizeof(vias), "%.*s", SL_FMT(stxn_vias(st)));
	return text(s, start, vias, i, sip_method_name(s->call[i].meth),
		    ";tag=t");
}

static void got_request(struct sim *s, unsigned side, unsigned from, unsigned i)
{
	struct call *c = &s->call[i];
	struct flow f = flow_to(s, from);
	struct stxn *st;
	char vias[1024];

	cr_assert_eq(stxn_alloc(&st, s->t[side], &s->m, &f, c, s->now), 0);
	if (c->meth == SIP_INVITE)
		stxn_trying(st, s->now);
	if (side == 2) {
		if (c->callee)
			return;   /* came again after 64*T1: not answered */
		c->callee = st;
		c->answer_at = s->now + rng_below(&s->r, 8000);
		return;
	}
	if (c->up)
		return;
	c->up = st;
	snprintf(vias, sizeof(vias), "%.*s", SL_FMT(stxn_vias(st)));
	cr_assert_eq(ctxn_alloc(&c->down, s->t[1], c->meth, c), 0);
	request(s, 1, c->down, i, vias);
}

/* the proxy's half of an end: what upstream hears when nobody answers */
static void give_up(struct sim *s, struct call *c)
{
	if (c->up && !c->gone_up && !stxn_final(c->up))
		stxn_reply(c->up, 408, SL_NONE, SL_NONE, s->now);
}

static void on_event(struct sim *s, unsigned side, const struct txn_event *ev,
		     unsigned from, unsigned i)
{
	struct call *c = &s->call[i];
	struct blob *b;

	switch (ev->kind) {

	case TXN_NONE:
	case TXN_STRAY:
	case TXN_ACK:
	case TXN_NOACK:
	case TXN_LATE:
		break;
	case TXN_REQUEST:
		got_request(s, side, from, i);
		break;
	case TXN_CANCEL:
		if (side == 1 && ev->stxn && c->down && !c->gone_down)
			ctxn_cancel(c->down, SL_NONE, s->now);
		if (side == 2 && ev->stxn && !c->gone_b)
			stxn_reply(ev->stxn, 487, SL_NONE, SL_NONE, s->now);
		break;
	case TXN_RESPONSE:
		if (side == 0) {
			c->finals += s->m.status >= 200 && s->m.status < 300;
			c->fails += s->m.status >= 300;
		}
		else if (c->up && !c->gone_up && s->m.status > 100) {
			b = response(s, c->up, i, s->m.status);
			(void)stxn_forward(c->up, s->m.status, b, s->now);
			blob_unref(b);
		}
		break;
	case TXN_TIMEOUT:
		if (side == 0)
			c->timeouts++;
		else
			give_up(s, c);
		break;
	case TXN_GONE:
		if (ev->ctxn == c->a && side == 0) {
			cr_assert_not(c->gone_a);
			c->gone_a = true;
		}
		else if (ev->ctxn) {
			cr_assert_not(c->gone_down);
			c->gone_down = true;
		}
		else if (ev->stxn == c->up) {
			cr_assert_not(c->gone_up);
			c->gone_up = true;
		}
		else if (ev->stxn == c->callee) {
			cr_assert_not(c->gone_b);
			c->gone_b = true;
		}
		break;
	}
}

static void poll_all(struct sim *s)
{
	struct txn_event ev;
	unsigned i;

	for (i = 0; i < SIDES; i++) {
		txnl_tick(s->t[i], s->now);
		while (txnl_poll(s->t[i], &ev))
			on_event(s, i, &ev, 0, (unsigned)((struct call *)
					ev.user - s->call));
		carry(s, i);
	}
}

static void arrive(struct sim *s, struct pkt p)
{
	struct flow f = flow_to(s, p.to & 15);
	struct sip_fault fault;
	struct txn_event ev;
	uint32_t i = 0;

	cr_assert_eq(sip_scan(&s->m, p.b->p, p.b->n, true, &fault), 0);
	cr_assert_eq(sl_u32(s->m.callid, CALLS - 1, &i), 0);
	txnl_recv(s->t[p.to >> 4], &s->m, &f, s->now, &ev);
	on_event(s, p.to >> 4, &ev, p.to & 15, i);
	blob_unref(p.b);
}

static void users(struct sim *s)
{
	struct call *c;
	struct blob *b;

	for (c = s->call; c < s->call + CALLS; c++) {
		if (c->answer_at && c->answer_at <= s->now && !c->gone_b) {
			unsigned i = (unsigned)(c - s->call);

			c->answer_at = 0;
			b = response(s, c->callee, i, c->code);
			(void)stxn_forward(c->callee, (uint16_t)c->code, b,
					   s->now);
			/* 2xx are repeated by the user, RFC 6026 */
			if (c->meth == SIP_INVITE && c->code == 200 &&
			    stxn_code(c->callee) == 200)
				c->answer_at = s->now + 700;
			blob_unref(b);
		}
		if (c->cancel_at && c->cancel_at <= s->now) {
			c->cancel_at = 0;
			c->cancelled = true;
			if (!c->gone_a)
				ctxn_cancel(c->a, SL_NONE, s->now);
		}
	}
}

static uint64_t next_at(struct sim *s)
{
	uint64_t at = s->now + 50, d;
	unsigned i;

	for (i = 0; i < s->n; i++)
		at = s->pkt[i].at < at ? s->pkt[i].at : at;
	for (i = 0; i < SIDES; i++) {
		d = txnl_next(s->t[i]);
		at = d < at ? d : at;
	}
	return at > s->now ? at : s->now;
}

static void step(struct sim *s)
{
	unsigned i;

	s->now = next_at(s);
	for (i = 0; i < s->n;) {
		if (s->pkt[i].at > s->now) {
			i++;
			continue;
		}
		struct pkt p = s->pkt[i];

		s->pkt[i] = s->pkt[--s->n];
		arrive(s, p);
		poll_all(s);
	}
	users(s);
	poll_all(s);
}

static void start(struct sim *s, uint64_t seed)
{
	static const unsigned code[] = { 200, 200, 404, 486, 603, 302 };
	struct txn_conf cf = { .t1 = 500, .t2 = 4000, .t4 = 5000,
			       .max_server = 1000, .max_client = 1000 };
	unsigned i;

	memset(s, 0, sizeof(*s));
	rng_seed(&s->r, seed);
	s->tp = seed % 4 ? TP_UDP : TP_TCP;
	s->loss = s->tp == TP_UDP ? rng_below(&s->r, 40) : 0;
	for (i = 0; i < SIDES; i++) {
		cf.key[0] = (uint8_t)i;
		cr_assert_eq(outq_init(&s->q[i], PKTS), 0);
		cr_assert_eq(txnl_alloc(&s->t[i], &cf, &s->q[i], 0), 0);
	}
	for (i = 0; i < CALLS; i++) {
		struct call *c = &s->call[i];

		c->meth = rng_below(&s->r, 3) ? SIP_INVITE : SIP_OPTIONS;
		c->code = code[rng_below(&s->r, 6)];
		if (c->meth == SIP_INVITE && !rng_below(&s->r, 3))
			c->cancel_at = 1 + rng_below(&s->r, 6000);
		cr_assert_eq(ctxn_alloc(&c->a, s->t[0], c->meth, c), 0);
		request(s, 0, c->a, i, "");
	}
	carry(s, 0);
}

static void verify(const struct sim *s, uint64_t seed)
{
	const struct call *c;
	unsigned i;

	for (i = 0; i < SIDES; i++) {
		const struct txn_stats *st = txnl_stats(s->t[i]);

		cr_assert_eq(st->client_now + st->server_now, 0,
			     "seed %lu side %u: %lu %lu", seed, i,
			     st->client_now, st->server_now);
		cr_assert_eq(s->q[i].dropped, 0);
	}
	for (i = 0; i < CALLS; i++) {
		c = &s->call[i];
		cr_assert(c->gone_a, "seed %lu call %u", seed, i);
		cr_assert(!c->up || c->gone_up, "seed %lu call %u", seed, i);
		cr_assert(!c->down || c->gone_down);
		cr_assert(!c->callee || c->gone_b);
		cr_assert_leq(c->timeouts, 1);
		cr_assert_leq(c->fails, 1, "seed %lu call %u", seed, i);
		/* one end: a failure, at least one 2xx, or silence */
		cr_assert_eq((c->fails > 0) + (c->finals > 0) +
			     (c->timeouts > 0), 1,
			     "seed %lu call %u: %u %u %u", seed, i, c->fails,
			     c->finals, c->timeouts);
	}
}

static void finish(struct sim *s)
{
	struct sip_out o;
	unsigned i;

	for (i = 0; i < s->n; i++)
		blob_unref(s->pkt[i].b);
	for (i = 0; i < SIDES; i++) {
		txnl_free(s->t[i]);
		while (outq_poll(&s->q[i], &o))
			blob_unref(o.blob);
		outq_free(&s->q[i]);
	}
}

Test(txn_sim, one_end_for_each_request_on_lossy_links_1000_seeds,
     .timeout = 300)
{
	static struct sim s;
	uint64_t seed;

	for (seed = 1; seed <= 1000; seed++) {
		start(&s, seed);
		while (s.now < 250000)
			step(&s);
		verify(&s, seed);
		finish(&s);
	}
}
