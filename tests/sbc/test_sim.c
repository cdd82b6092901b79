/* Seeded runs: nodes freeze, die, refuse and hang at random moments while
 * phones register, call, cancel and hang up. Invariants at the end:
 *
 *  A1  every request of a phone got exactly one final answer (an INVITE: one
 *      non-2xx, or at least one 2xx)
 *  A2  no phone got two INVITEs for one call
 *  A3  no phone rings after its caller has gone, and none is left in a call
 *      whose caller was refused
 *  A7  nothing is left over in the edge
 *  A8  no inside address in any message to a phone
 *
 * SIM_SEEDS=N and SIM_FIRST=S run other seeds, SIM_TRACE=CALL-ID shows a call. With REAL_NODES the nodes are
 * real ones (tests/sim). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "world.h"

enum { PHONES = 5, STEPS = 45, SEEDS = 400 };

struct totals {
	uint64_t requests, calls, answered, saved, adopted, lost, gate;
	uint64_t rescued, ghosts;
};

static void tune(struct edge_conf *ec)
{
	ec->tune.ring = 20000;
}

static const char *const users[PHONES] = { "p0", "p1", "p2", "p3", "p4" };

static void behave(struct world *w, struct vphone *p)
{
	static const uint16_t codes[] = {
		200, 200, 200, 200, 486, 603, 404, 503, 500,
	};

	p->ring = rng_below(&w->net->rng, 60);
	p->answer = rng_below(&w->net->rng, 8) ?
		20 + rng_below(&w->net->rng, 1500) : UINT32_MAX;
	p->code = codes[rng_below(&w->net->rng, 9)];
}

static void node_event(struct world *w, struct vnode *n)
{
	switch (rng_below(&w->net->rng, 9)) {
	case 0:
		sim_freeze(w->net, &n->host);
		break;
	case 1:
	case 2:
		sim_thaw(w->net, &n->host);
		break;
	case 3:
		node_kill(n);
		break;
	case 4:
	case 5:
		sim_start(w->net, &n->host);
		break;
	case 6:
		n->mode = (enum vmode)rng_below(&w->net->rng, 4);
		break;
	case 7:
		n->mode = V_NORMAL;
		break;
	default:
		n->fork_delay = rng_below(&w->net->rng, 2) ?
			rng_below(&w->net->rng, 400) : 0;
		break;
	}
}

static struct vreq *some_invite(struct world *w, struct vphone *p, bool done)
{
	for (int tries = 0; tries < 8 && p->reqc; tries++) {
		struct vreq *r = &p->req[rng_below(&w->net->rng, p->reqc)];

		if (r->meth == SIP_INVITE && (done ? r->final == 200 :
						     !r->final))
			return r;
	}
	return NULL;
}

static void phone_event(struct world *w, struct vphone *p)
{
	const char *to = users[rng_below(&w->net->rng, PHONES)];
	struct vreq *r;

	if (p->reqc + 2 > W_REQS || p->invc + 2 > W_INVS)
		return;
	behave(w, &w->phone[rng_below(&w->net->rng, PHONES)]);
	switch (rng_below(&w->net->rng, 10)) {
	case 0:
		(void)phone_register(p);
		break;
	case 1:
		(void)phone_send(p, SIP_MESSAGE, to, NULL);
		break;
	case 2:
	case 3:
		r = some_invite(w, p, false);
		if (r)
			phone_cancel(p, r);
		break;
	case 4:
		r = some_invite(w, p, true);
		if (r)
			(void)phone_in_dialog(p, r, SIP_BYE);
		break;
	default:
		(void)phone_invite(p, to);
		break;
	}
}

/** The caller's view of a call: has he been given a 2xx? */
static bool caller_has_it(struct world *w, const char *callid)
{
	for (unsigned i = 0; i < w->phonec; i++)
		for (unsigned k = 0; k < w->phone[i].reqc; k++) {
			struct vreq *r = &w->phone[i].req[k];

			if (r->meth == SIP_INVITE && r->ok &&
			    !strcmp(r->callid, callid))
				return true;
		}
	return false;
}

static void check(struct world *w, uint64_t seed, struct totals *t)
{
	cr_expect_eq(edge_pending(w->edge), 0, "seed %llu: %u pending",
		     (unsigned long long)seed, edge_pending(w->edge));
	cr_expect_eq(world_stat(w, "sip_server_transactions", NULL), 0,
		     "seed %llu", (unsigned long long)seed);
	cr_expect_eq(w->leaks, 0, "seed %llu: inside address: %s",
		     (unsigned long long)seed, w->leak);
	for (unsigned i = 0; i < w->phonec; i++) {
		struct vphone *p = &w->phone[i];

		cr_expect_eq(p->dup_invites, 0, "seed %llu: A2 %s",
			     (unsigned long long)seed, p->user);
		for (unsigned k = 0; k < p->reqc; k++) {
			struct vreq *r = &p->req[k];

			t->requests++;
			t->calls += r->meth == SIP_INVITE;
			t->answered += r->meth == SIP_INVITE && r->ok;
			cr_expect(vreq_whole(r), "seed %llu: A1 %s method %d "
				  "%s: final %u, %u non-2xx, %u 2xx",
				  (unsigned long long)seed, p->user, r->meth,
				  r->callid, r->final, r->non2xx, r->ok);
		}
		for (unsigned k = 0; k < p->invc; k++) {
			struct vinv *v = &p->inv[k];

			cr_expect(v->over, "seed %llu: A3 %s %s",
				  (unsigned long long)seed, p->user,
				  v->callid);
			if (v->answered && !caller_has_it(w, v->callid))
				cr_expect(v->bye, "seed %llu: ghost %s %s",
					  (unsigned long long)seed, p->user,
					  v->callid);
		}
	}
	t->saved += world_stat(w, "sbc_saved_total", NULL);
	t->gate += world_stat(w, "sbc_gate_total", NULL);
	t->rescued += world_stat(w, "sbc_rescued_total", NULL);
	t->ghosts += world_stat(w, "sbc_ghost_total", "end=\"bye\"");
	cr_expect_eq(world_stat(w, "sbc_ghost_total", "end=\"none\""), 0);
	t->adopted += world_stat(w, "sbc_adopted_total", NULL);
	t->lost += world_stat(w, "sbc_lost_total", "why=\"ringing\"");
}

static void run(uint64_t seed, struct totals *t)
{
#ifdef REAL_NODES
	struct world *w = world_new_with(seed, tune, &world_real, false);
#else
	struct world *w = world_new(seed, tune);
#endif

	w->net->delay_min = 1;
	w->net->delay_max = 1 + rng_below(&w->net->rng, 20);
	if (rng_below(&w->net->rng, 2)) {
		/* between phones and edge; nodes are on TCP */
		w->net->loss = rng_below(&w->net->rng, 200);
		w->net->twice = rng_below(&w->net->rng, 100);
	}
	for (int i = 0; i < PHONES; i++) {
		struct vphone *p = world_phone(w, users[i],
			rng_below(&w->net->rng, 2) ? SIM_STREAM :
						     SIM_DATAGRAM);

		behave(w, p);
		(void)phone_register(p);
	}
	world_run(w, 200);
	for (int i = 0; i < STEPS; i++) {
		if (rng_below(&w->net->rng, 3))
			phone_event(w, &w->phone[rng_below(&w->net->rng,
							   PHONES)]);
		else
			node_event(w, &w->node[rng_below(&w->net->rng,
							 W_NODES)]);
		world_run(w, rng_below(&w->net->rng, 300));
	}
	for (int i = 0; i < W_NODES; i++) {
		sim_thaw(w->net, &w->node[i].host);
		sim_start(w->net, &w->node[i].host);
		w->node[i].mode = V_NORMAL;
	}
	world_run(w, 150000);
	check(w, seed, t);
	world_free(w);
}

static uint64_t env(const char *name, uint64_t def)
{
	const char *v = getenv(name);

	return v ? strtoull(v, NULL, 10) : def;
}

static void seeds(uint64_t first, uint64_t n)
{
	struct totals t = { 0 };

	log_init("sim", getenv("SIM_TRACE") ? LOG_TO_STDERR : LOG_TO_NONE,
		 LOG_LV_INFO);
	for (uint64_t s = first; s < first + n; s++)
		run(s, &t);
	printf("sim: seeds %llu..%llu requests=%llu calls=%llu answered=%llu "
	       "saved=%llu adopted=%llu lost_ringing=%llu gate=%llu rescued=%llu "
	       "ghosts=%llu\n", (unsigned long long)first,
	       (unsigned long long)(first + n - 1),
	       (unsigned long long)t.requests, (unsigned long long)t.calls,
	       (unsigned long long)t.answered, (unsigned long long)t.saved,
	       (unsigned long long)t.adopted,
	       (unsigned long long)t.lost, (unsigned long long)t.gate,
	       (unsigned long long)t.rescued, (unsigned long long)t.ghosts);
	/* a run in which nothing happened proves nothing */
	if (n >= 100) {
		cr_expect_gt(t.saved, n / 2);
		cr_expect_gt(t.gate, 0);
		cr_expect_gt(t.adopted, n / 4);
	}
}

/* two halves, so that two cores can share them */
Test(sim, invariants_hold_for_the_first_half_of_the_seeds)
{
	seeds(env("SIM_FIRST", 1), env("SIM_SEEDS", SEEDS) / 2);
}

Test(sim, invariants_hold_for_the_second_half_of_the_seeds)
{
	uint64_t n = env("SIM_SEEDS", SEEDS);

	seeds(env("SIM_FIRST", 1) + n / 2, n - n / 2);
}
