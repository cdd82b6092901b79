/* story.c - One seed of the whole-system simulation: see simrun.c. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sbc/world.h"
#include "tests/sim/story.h"

enum { PHONES = 8, AORS = 5, STEPS = 40, RING = 20000, GONE = 5000 };

struct story {
	struct world *w;
	struct account *acc;
	uint64_t seed;
	int spared;              /* node that never fails, -1 = none       */
	bool quiet;              /* no phone loses its connection          */
};

static const char *const aors[AORS] = { "c0", "c1", "solo", "duo", "trio" };
static const char *const home[PHONES] = {
	"c0", "c1", "solo", "duo", "duo", "trio", "trio", "trio",
};
static const char *const fault_name[F_N] = {
	"kill", "freeze", "rst", "mute", "trying", "busy", "error", "deaf",
	"slow", "cut_caller", "cut_callee",
};

static uint32_t rnd(struct story *s, uint32_t n)
{
	return (uint32_t)rng_below(&s->w->net->rng, n);
}

static void __attribute__((format(printf, 3, 4)))
breach(struct story *s, const char *rule, const char *f, ...)
{
	va_list ap;

	s->acc->breaches++;
	printf("FAIL seed=%llu %s ", (unsigned long long)s->seed, rule);
	va_start(ap, f);
	vprintf(f, ap);
	va_end(ap);
	printf("\n");
}

/* --- faults ---------------------------------------------------------------- */

static void recover(struct story *s, struct vnode *n)
{
	sim_thaw(s->w->net, &n->host);
	sim_start(s->w->net, &n->host);
	n->mode = V_NORMAL;
	n->deaf = false;
	n->host.lag = 0;
}

static void fail_node(struct story *s, struct vnode *n, enum fault f)
{
	struct simnet *net = s->w->net;
	uint32_t conn;

	if ((int)n->idx == s->spared)
		return;
	s->acc->fault[f]++;
	switch (f) {
	case F_KILL:
		node_kill(n);
		break;
	case F_FREEZE:
		sim_freeze(net, &n->host);
		break;
	case F_RST:
		conn = sim_between(net, &n->host.addr, &s->w->core.addr);
		if (conn)
			sim_cut(net, conn);
		break;
	case F_MUTE:
		n->mode = V_MUTE;
		break;
	case F_TRYING:
		n->mode = V_TRYING;
		break;
	case F_BUSY:
		n->mode = V_BUSY;
		break;
	case F_ERROR:
		n->mode = V_ERROR;
		break;
	case F_DEAF:
		n->deaf = true;
		break;
	case F_SLOW:
		/* both ways: answers come just before or after no100 */
		n->host.lag = 90 + rnd(s, 70);
		break;
	case F_CUT_CALLER:
	case F_CUT_CALLEE:
	case F_N:
		break;
	}
}

struct later {
	struct story *s;
	struct vnode *n;
	struct vphone *p;
	struct vreq *r;
	unsigned downs;
	enum fault f;
	bool thaw;
};

static struct later *later(struct story *s, enum fault f)
{
	struct later *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	l->s = s;
	l->f = f;
	return l;
}

static void fault_now(void *arg, uint64_t v)
{
	struct later *l = arg;

	(void)v;
	if (l->thaw)
		recover(l->s, l->n);
	else
		fail_node(l->s, l->n, l->f);
	free(l);
}

/** After a time that is short more often than long */
static uint64_t soon(struct story *s)
{
	static const uint32_t most[] = { 4, 12, 40, 120, 300, 700, 2500 };

	return s->w->net->now + rnd(s, most[rnd(s, 7)]);
}

static enum fault node_fault(struct story *s)
{
	static const enum fault f[] = {
		F_KILL, F_KILL, F_KILL, F_FREEZE, F_FREEZE, F_RST, F_MUTE,
		F_TRYING, F_BUSY, F_ERROR, F_DEAF, F_SLOW, F_SLOW,
	};

	return f[rnd(s, sizeof(f) / sizeof(*f))];
}

/** The node that gets the call fails in the course of it, perhaps the next as
 *  well, and one may come back */
static void drama(struct story *s, const char *aor)
{
	struct later *l = later(s, node_fault(s));
	struct simnet *net = s->w->net;

	l->n = rnd(s, 4) ? world_node_of(s->w, aor) :
			   &s->w->node[rnd(s, W_NODES)];
	sim_at(net, soon(s), fault_now, l, 0);
	if (!rnd(s, 3)) {
		l = later(s, node_fault(s));
		l->n = &s->w->node[rnd(s, W_NODES)];
		sim_at(net, soon(s), fault_now, l, 0);
	}
	if (!rnd(s, 2)) {
		l = later(s, F_N);
		l->n = &s->w->node[rnd(s, W_NODES)];
		l->thaw = true;
		sim_at(net, soon(s) + rnd(s, 2000), fault_now, l, 0);
	}
}

/** The caller is back with his INVITE, if that is still of use */
static void come_back(void *arg, uint64_t v)
{
	struct later *l = arg;

	(void)v;
	if (!l->r->final && l->p->downs == l->downs + 1) {
		l->s->acc->came_back++;
		phone_again(l->p, l->r);
	}
	free(l);
}

static void cut_caller(void *arg, uint64_t v)
{
	struct later *l = arg;

	(void)v;
	if (l->r->final || l->p->downs != l->downs || l->p->downs >= 30) {
		free(l);
		return;
	}
	l->s->acc->fault[F_CUT_CALLER]++;
	phone_cut(l->p);
	if (rnd(l->s, 2)) {
		free(l);
		return;
	}
	sim_at(l->s->w->net, l->s->w->net->now + 100 + rnd(l->s, 3500),
	       come_back, l, 0);
}

static void cut_callee(void *arg, uint64_t v)
{
	struct later *l = arg;

	(void)v;
	if (l->p->downs < 30) {
		l->s->acc->fault[F_CUT_CALLEE]++;
		phone_cut(l->p);
	}
	free(l);
}

/* --- what phones do -------------------------------------------------------- */

static void cancel_now(void *arg, uint64_t v)
{
	struct later *l = arg;

	/* RFC 3261 9.1: not before the first provisional */
	if (!l->r->final && !l->r->provc && v < 2000) {
		sim_at(l->s->w->net, l->s->w->net->now + 5, cancel_now, l,
		       v + 5);
		return;
	}
	if (!l->r->final) {
		l->s->acc->cancelled++;
		phone_cancel(l->p, l->r);
	}
	free(l);
}

static void update_now(void *arg, uint64_t v)
{
	struct later *l = arg;

	(void)v;
	if (!l->r->final && l->r->earlyc && l->p->reqc + 8 < W_REQS) {
		l->s->acc->early++;
		(void)phone_early(l->p, l->r, rnd(l->s, l->r->earlyc),
				  SIP_UPDATE);
	}
	free(l);
}

static void at(struct story *s, struct vphone *p, struct vreq *r,
	       void (*h)(void *arg, uint64_t v))
{
	struct later *l = later(s, F_N);

	l->p = p;
	l->r = r;
	l->downs = p->downs;
	sim_at(s->w->net, soon(s), h, l, 0);
}

static bool room(const struct vphone *p)
{
	return p->reqc + 16 < W_REQS && p->invc + 16 < W_INVS;
}

static void call(struct story *s)
{
	struct vphone *p = &s->w->phone[rnd(s, 2) ? rnd(s, 2) :
						    rnd(s, PHONES)];
	const char *to = aors[rnd(s, 3) ? 2 + rnd(s, 3) : rnd(s, AORS)];
	struct vreq *r;

	for (unsigned i = 0; i < PHONES; i++)
		if (!room(&s->w->phone[i]))
			return;
	if (!strcmp(to, p->aor))
		return;
	if (rnd(s, 3))
		drama(s, to);
	r = phone_invite(p, to);
	if (!rnd(s, 5))
		at(s, p, r, cancel_now);
	if (!rnd(s, 6))
		at(s, p, r, update_now);
	if (s->quiet)
		return;
	if (p->kind == SIM_STREAM && !rnd(s, 8))
		at(s, p, r, cut_caller);
	if (!rnd(s, 12)) {
		p = &s->w->phone[2 + rnd(s, PHONES - 2)];
		at(s, p, r, cut_callee);
	}
}

static struct vreq *answered(struct story *s, struct vphone *p)
{
	for (int tries = 0; tries < 8 && p->reqc; tries++) {
		struct vreq *r = &p->req[rnd(s, p->reqc)];

		if (r->meth == SIP_INVITE && !r->dialog && r->final == 200)
			return r;
	}
	return NULL;
}

static void phone_event(struct story *s)
{
	static const enum sip_method in[] = {
		SIP_BYE, SIP_BYE, SIP_INVITE, SIP_UPDATE, SIP_INFO,
	};
	struct vphone *p = &s->w->phone[rnd(s, PHONES)];
	struct vreq *r;

	if (!room(p))
		return;
	switch (rnd(s, 8)) {
	case 0:
		(void)phone_register(p);
		break;
	case 1:
		(void)phone_send(p, SIP_MESSAGE, aors[rnd(s, AORS)], NULL);
		break;
	case 2:
		r = answered(s, p);
		if (!r)
			break;
		s->acc->dialog++;
		(void)phone_in_dialog(p, r, in[rnd(s, 5)]);
		break;
	default:
		call(s);
		break;
	}
}

/** How a phone treats calls, for the whole story */
static void behave(struct story *s, struct vphone *p)
{
	static const uint16_t codes[] = {
		200, 200, 200, 200, 200, 486, 486, 480, 404, 500, 503, 603,
	};

	p->ring = rnd(s, 60);
	p->answer = 20 + rnd(s, rnd(s, 5) ? 1500 : 12000);
	p->code = codes[rnd(s, sizeof(codes) / sizeof(*codes))];
	if (!rnd(s, 10))
		p->answer = UINT32_MAX;
	p->reliable = !rnd(s, 5);
	p->back = rnd(s, 6) ? 50 + rnd(s, 2000) : 0;
}

static void phones(struct story *s)
{
	static const uint8_t q[4][3] = {
		{ 10, 10, 10 }, { 10, 5, 2 }, { 10, 5, 5 }, { 5, 5, 10 },
	};
	unsigned form = rnd(s, 4), pair = rnd(s, 2);
	char name[16];

	for (unsigned i = 0; i < PHONES; i++) {
		unsigned qv = i >= 5 ? q[form][i - 5] : i == 4 && pair ? 5 : 10;
		struct vphone *p;

		(void)snprintf(name, sizeof(name), "p%u", i);
		p = world_phone_of(s->w, name, home[i], qv, rnd(s, 2) ?
				   SIM_STREAM : SIM_DATAGRAM);
		behave(s, p);
		(void)phone_register(p);
	}
}

/* --- what must be true ------------------------------------------------------ */

/** Lost its connection in that time */
static bool down_within(const struct vphone *p, uint64_t from, uint64_t to)
{
	for (unsigned i = 0; i < p->downs && i < 32; i++)
		if (p->down_at[i] >= from && p->down_at[i] <= to)
			return true;
	return p->downs >= 32;
}

/** Registered at that time, over a connection that was not lost since */
static bool reachable(const struct vphone *p, uint64_t at, uint64_t until)
{
	uint64_t up = 0;

	for (unsigned i = 0; i < p->reqc; i++)
		if (p->req[i].meth == SIP_REGISTER && p->req[i].ok &&
		    p->req[i].ended < at && p->req[i].sent > up)
			up = p->req[i].sent;
	return up && !down_within(p, up, until);
}

static const struct vinv *asked(const struct vphone *p, const struct vreq *r)
{
	for (unsigned i = 0; i < p->invc; i++)
		if (!p->inv[i].reinvite &&
		    !strcmp(p->inv[i].callid, r->callid))
			return &p->inv[i];
	return NULL;
}

static const char *callee(const struct vreq *r)
{
	for (unsigned i = 0; i < AORS; i++) {
		char want[32];

		(void)snprintf(want, sizeof(want), "INVITE sip:%s@", aors[i]);
		if (!strncmp(r->req, want, strlen(want)))
			return aors[i];
	}
	return "";
}

/** "L" of simrun.c */
static bool living(struct story *s, const struct vphone *p,
		   const struct vreq *r)
{
	uint64_t end = r->final ? r->ended : s->w->net->now;
	const char *aor = callee(r);
	bool path = false, open = false;

	if (r->meth != SIP_INVITE || r->dialog || r->cancelled)
		return false;
	if (down_within(p, r->back ? r->back : r->sent, end))
		return false;
	for (unsigned i = 0; i < PHONES; i++) {
		const struct vphone *q = &s->w->phone[i];

		if (strcmp(q->aor, aor))
			continue;
		if (q->code / 100 == 6 && q->answer != UINT32_MAX)
			return false;
		if (q->code != 200 || q->answer == UINT32_MAX ||
		    !reachable(q, r->sent, end))
			continue;
		path = true;
		open = open || asked(q, r);
	}
	if (!path || (s->spared < 0 && !open))
		return false;
	s->acc->living_spared += s->spared >= 0;
	s->acc->living_open += open;
	return true;
}

static void check_request(struct story *s, struct vphone *p, struct vreq *r)
{
	bool down = down_within(p, r->sent, r->final ? r->ended :
						       s->w->net->now);
	struct account *a = s->acc;

	a->requests++;
	a->prack += r->meth == SIP_PRACK;
	if (r->meth == SIP_INVITE && !r->dialog) {
		a->calls++;
		a->answered += r->ok > 0;
	}
	if (down ? r->non2xx + (r->ok > 0) > 1 : !vreq_whole(r))
		breach(s, "A1", "%s %s %s: final %u, %u non-2xx, %u 2xx",
		       p->user, sip_method_name(r->meth), r->callid, r->final,
		       r->non2xx, r->ok);
	if (!living(s, p, r))
		return;
	a->living++;
	if (!r->ok)
		breach(s, "L", "%s to %s %s: final %u", p->user, callee(r),
		       r->callid, r->final);
}

static struct vreq *request_of(struct story *s, const struct vinv *v,
			       struct vphone **caller)
{
	for (unsigned i = 0; i < PHONES; i++)
		for (unsigned k = 0; k < s->w->phone[i].reqc; k++) {
			struct vreq *r = &s->w->phone[i].req[k];

			if (r->meth != SIP_INVITE || r->dialog ||
			    strcmp(r->callid, v->callid))
				continue;
			*caller = &s->w->phone[i];
			return r;
		}
	return NULL;
}

static void check_ringing(struct story *s, struct vphone *p, struct vinv *v)
{
	/* a lost 180 or CANCEL takes its time */
	uint64_t slack = s->w->net->loss ? 60000 : 1000, gone;
	struct vphone *caller = NULL;
	struct vreq *r;

	if (v->reinvite)
		return;
	r = request_of(s, v, &caller);
	if (!v->over && !down_within(p, v->got, UINT64_MAX)) {
		breach(s, "A3", "%s %s rings for ever", p->user, v->callid);
		return;
	}
	if (!r || !v->over)
		return;
	if (v->answered && !v->acked && !down_within(caller, r->sent,
						     UINT64_MAX) &&
	    !down_within(p, v->got, UINT64_MAX))
		breach(s, "A3", "nobody has ACKed the answer of %s: %s",
		       p->user, v->callid);
	if (v->answered && !r->ok && !v->bye && !down_within(caller, r->sent,
							     UINT64_MAX) &&
	    !down_within(p, v->got, UINT64_MAX))
		breach(s, "A3", "%s is left in a call: %s", p->user,
		       v->callid);
	gone = r->final ? r->ended : UINT64_MAX;
	for (unsigned i = 0; i < caller->downs && i < 32; i++)
		if (caller->down_conn[i] == r->conn &&
		    caller->down_at[i] + GONE < gone)
			gone = caller->down_at[i] + GONE;
	/* what passes each other on the way: CANCEL in, INVITE out */
	if (r->cancelled && !s->w->net->loss && v->got > r->cancelled + 40 &&
	    !down_within(caller, r->sent, v->got))
		breach(s, "A3", "%s %s began to ring %llu ms after the CANCEL",
		       p->user, v->callid,
		       (unsigned long long)(v->got - r->cancelled));
	if (gone == UINT64_MAX || down_within(p, v->got, gone + slack))
		return;
	if (v->got > gone + slack)
		breach(s, "A3", "%s %s began to ring %llu ms too late",
		       p->user, v->callid,
		       (unsigned long long)(v->got - gone));
	if (v->ended > gone + slack)
		breach(s, "A3", "%s %s rang on for %llu ms", p->user,
		       v->callid, (unsigned long long)(v->ended - gone));
}

static void check(struct story *s)
{
	struct world *w = s->w;
	struct account *a = s->acc;

	if (edge_pending(w->edge))
		breach(s, "A7", "%u pending", edge_pending(w->edge));
	if (world_stat(w, "sip_server_transactions", NULL))
		breach(s, "A7", "%llu transactions", (unsigned long long)
		       world_stat(w, "sip_server_transactions", NULL));
	if (w->leaks)
		breach(s, "A8", "%s", w->leak);
	for (unsigned i = 0; i < w->phonec; i++) {
		struct vphone *p = &w->phone[i];

		if (p->dup_invites)
			breach(s, "A2", "%s %s", p->user, p->dup_callid);
		for (unsigned k = 0; k < p->reqc; k++)
			check_request(s, p, &p->req[k]);
		for (unsigned k = 0; k < p->invc; k++)
			check_ringing(s, p, &p->inv[k]);
	}
	if (world_stat(w, "sbc_ghost_total", "end=\"none\""))
		breach(s, "A3", "a ghost is alive");
	a->saved += world_stat(w, "sbc_saved_total", NULL);
	a->adopted += world_stat(w, "sbc_adopted_total", NULL);
	a->continued += world_stat(w, "sbc_continued_total", NULL);
	a->replayed += world_stat(w, "sbc_replayed_total", NULL);
	a->rescued += world_stat(w, "sbc_rescued_total", NULL);
	a->late += world_stat(w, "sbc_late_2xx_total", NULL);
	a->gate += world_stat(w, "sbc_gate_total", NULL);
	a->ghosts += world_stat(w, "sbc_ghost_total", "end=\"bye\"");
	a->caller_gone += world_stat(w, "sbc_caller_gone_total", NULL);
	a->lost += world_stat(w, "sbc_lost_total", "why=\"ringing\"") +
		   world_stat(w, "sbc_lost_total", "why=\"silent\"") +
		   world_stat(w, "sbc_lost_total", "why=\"no_node\"");
}

/* --- the story --------------------------------------------------------------- */

static void tune(struct edge_conf *ec)
{
	ec->tune.ring = RING;
	ec->tune.caller_gone = GONE;
}

/* ringing goes by the nodes, as it does when they are of another make */
static void tune_by_node(struct edge_conf *ec)
{
	tune(ec);
	ec->tune.straight = false;
}

void story_run(uint64_t seed, struct account *acc)
{
	struct story s = { .acc = acc, .seed = seed };
	uint64_t begin;
	bool udp = seed % 5 == 0;

	s.w = world_new_with(seed, seed % 3 ? tune : tune_by_node, &world_real,
			     udp);
	begin = s.w->net->now;
	s.spared = rnd(&s, 3) ? (int)rnd(&s, W_NODES) : -1;
	s.quiet = rnd(&s, 2);
	s.w->net->delay_max = 1 + rnd(&s, 15);
	phones(&s);
	world_run(s.w, 200);
	/* between phones and edge; what the nodes get over UDP is not repeated
	 * before it is given up */
	if (!udp && rnd(&s, 2)) {
		s.w->net->loss = 5 + rnd(&s, 45);
		s.w->net->twice = rnd(&s, 100);
	}
	for (int i = 0; i < STEPS; i++) {
		if (rnd(&s, 3))
			phone_event(&s);
		else if (rnd(&s, 3))
			recover(&s, &s.w->node[rnd(&s, W_NODES)]);
		else
			fail_node(&s, &s.w->node[rnd(&s, W_NODES)],
				  node_fault(&s));
		world_run(s.w, rnd(&s, rnd(&s, 4) ? 300 : 3000));
	}
	for (int i = 0; i < W_NODES; i++)
		recover(&s, &s.w->node[i]);
	world_run(s.w, 200000);
	check(&s);
	acc->virtual_ms += s.w->net->now - begin;
	world_free(s.w);
}

/* --- the account -------------------------------------------------------------- */

static const struct {
	const char *name;
	size_t off;
	bool must;
} rows[] = {
#define ROW(f, must) { #f, offsetof(struct account, f), must }
	ROW(requests, true), ROW(calls, true), ROW(answered, true),
	ROW(cancelled, true), ROW(early, true), ROW(prack, true),
	ROW(dialog, true),
	ROW(living, true), ROW(living_spared, true), ROW(living_open, true),
	ROW(saved, true), ROW(adopted, true), ROW(continued, true),
	ROW(replayed, true), ROW(rescued, true), ROW(late, false),
	ROW(gate, true), ROW(ghosts, true), ROW(caller_gone, true),
	ROW(came_back, true), ROW(lost, false),
#undef ROW
};
enum { ROWS = sizeof(rows) / sizeof(*rows) };

static uint64_t *field(struct account *a, unsigned i)
{
	return (uint64_t *)(void *)((char *)a + rows[i].off);
}

void account_add(struct account *sum, const struct account *a)
{
	struct account b = *a;

	for (unsigned i = 0; i < ROWS; i++)
		*field(sum, i) += *field(&b, i);
	for (int f = 0; f < F_N; f++)
		sum->fault[f] += a->fault[f];
	sum->breaches += a->breaches;
	sum->virtual_ms += a->virtual_ms;
}

void account_print(const struct account *a)
{
	struct account b = *a;

	printf("happened:");
	for (unsigned i = 0; i < ROWS; i++)
		printf(" %s=%llu", rows[i].name,
		       (unsigned long long)*field(&b, i));
	printf("\nfaults:");
	for (int f = 0; f < F_N; f++)
		printf(" %s=%llu", fault_name[f],
		       (unsigned long long)a->fault[f]);
	printf("\n");
}

uint64_t account_check(const struct account *a)
{
	struct account b = *a;
	uint64_t n = 0;

	for (unsigned i = 0; i < ROWS; i++) {
		if (!rows[i].must || *field(&b, i))
			continue;
		printf("FAIL %s never happened\n", rows[i].name);
		n++;
	}
	for (int f = 0; f < F_N; f++) {
		if (a->fault[f])
			continue;
		printf("FAIL fault %s never happened\n", fault_name[f]);
		n++;
	}
	return n;
}
