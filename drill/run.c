/* run.c - Shell. One drill from its begin to its end. */
#include "drill/run.h"
#include "base/clk.h"
#include "base/net.h"
#include "base/secret.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum step {
	STEP_START,              /**< wait until all is well                 */
	STEP_REGISTER,
	STEP_BEFORE,             /**< calls, and those that wait for the fault */
	STEP_HOLD,               /**< the fault is there                     */
	STEP_BACK,               /**< it is taken back                       */
	STEP_RECOVER,            /**< wait until all is as before            */
	STEP_AFTER,
	STEP_DRAIN,              /**< no new calls                           */
	STEP_CHECK,
	STEP_END,
};
enum {
	TICK = 5, START_MAX = 15000, REG_EVERY = 100, DRAIN_MAX = 40000,
	CHECK_MAX = 8000, AHEAD = 900, AHEAD_END = 250, LIMIT = 6000,
	WARM = 1000, FIGURES_EVERY = 500,
};

void run_note(struct run *r, uint64_t at, bool edge, const char *fmt, ...)
{
	struct note *n = &r->note[r->notes];
	va_list ap;

	if (r->notes == NOTES)
		return;
	n->at = at;
	n->edge = edge;
	va_start(ap, fmt);
	(void)vsnprintf(n->text, sizeof(n->text), fmt, ap);
	va_end(ap);
	for (char *p = n->text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	r->notes++;
	if (r->cf.progress)
		r->cf.progress(r->cf.arg, at > r->begin ? at - r->begin : 0,
			       n->text);
}

static void say(void *arg, const char *text)
{
	run_note(arg, clk_now(), false, "%s", text);
}

/** The only writer of r->step */
static void go(struct run *r, enum step s, uint64_t now)
{
	static const char *const text[] = {
		[STEP_START] = "starting",
		[STEP_REGISTER] = "all is up: phones register",
		[STEP_BEFORE] = "calls begin",
		[STEP_BACK] = "the fault ends", [STEP_RECOVER] = NULL,
		[STEP_HOLD] = NULL, [STEP_AFTER] = "all is as before",
		[STEP_DRAIN] = "no more calls",
		[STEP_CHECK] = "last look", [STEP_END] = NULL,
	};

	r->step = (int)s;
	r->step_at = now;
	if (text[s])
		run_note(r, now, false, "%s", text[s]);
	if (s == STEP_END)
		net_stop();
}

static void unfit(struct run *r, uint64_t now, const char *why)
{
	r->verdict = JUDGE_UNFIT;
	(void)snprintf(r->why, sizeof(r->why), "%s", why);
	run_note(r, now, false, "unfit to start: %s", why);
	go(r, STEP_END, now);
}

static void abort_it(struct run *r, uint64_t now, const char *why)
{
	if (r->stop)
		return;
	r->stop = true;
	r->verdict = JUDGE_ABORTED;
	(void)snprintf(r->why, sizeof(r->why), "%s", why);
	run_note(r, now, false, "stopped: %s", why);
	if (r->step < STEP_BEFORE)
		go(r, STEP_END, now);
	else if (r->step < STEP_BACK)
		go(r, STEP_BACK, now);
}

/* --- calls --- */

static void dial(struct run *r, uint32_t ring, uint32_t talk, uint64_t now)
{
	uint32_t n = r->cf.users, from = r->next_phone++ % n;
	/* each pair in turn, UDP and TCP in all four ways */
	uint32_t step = 1 + (r->next_phone / n) % (n - 1);

	if (gen_dial(r->gen, from, (from + step) % n, ring, talk, now))
		run_note(r, now, false, "a call could not be made");
}

static uint32_t some(uint32_t lo, uint32_t more)
{
	uint32_t v;

	secret_random(&v, sizeof(v));
	return lo + v % (more + 1);
}

static void stream(struct run *r, uint64_t now)
{
	while (r->plan->rate && r->dialled <= now) {
		if (r->dialled)
			dial(r, some(100, 200), some(100, 300), now);
		else
			r->dialled = now;
		r->dialled += 1000 / r->plan->rate;
	}
	if (now >= r->reg_at && !gen_held(r->gen)) {
		gen_register(r->gen, r->next_reg++ % r->cf.users, now);
		r->reg_at = now + REG_EVERY;
	}
}

/** Calls that ring, or are answered, when the fault comes at `fault` */
static void place_ahead(struct run *r, uint64_t fault, uint64_t now)
{
	uint32_t want[MIXES];
	uint64_t from = fault - AHEAD;
	uint64_t to = fault - AHEAD_END;

	if (now < from)
		return;
	plan_mix(r->plan, want);
	for (int i = MIX_RINGING; i < MIXES; i++) {
		uint64_t due = now >= to ? want[i] :
			want[i] * (now - from) / (to - from);

		for (; r->ahead[i] < due; r->ahead[i]++) {
			uint32_t left = (uint32_t)(fault - now);

			if (i == MIX_RINGING)
				dial(r, left + some(50, 2000),
				     some(200, 600), now);
			else
				dial(r, 20, left + 3000 + some(0, 2000),
				     now);
		}
	}
}

static bool before_was_fine(const struct run *r)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < gen_calls(r->gen); i++) {
		const struct gen_call *c = gen_call(r->gen, i);

		if (c->stage == GEN_LOST)
			return false;
		done += c->stage == GEN_DONE;
	}
	return done > 0 || !r->plan->rate;
}

/** The fault begins now. @return false: it could not be brought */
static bool bring(struct run *r, uint64_t now)
{
	int err = inject_begin(&r->x, now);
	char why[120];

	if (!err)
		return true;
	(void)snprintf(why, sizeof(why), "the fault cannot be brought: %s",
		       strerror(err));
	abort_it(r, now, why);
	return false;
}

/** Is all ready for the fault? One that the edge brings comes before the
 *  calls that shall meet it: the edge has to be asked first */
static bool ready_to_strike(struct run *r, uint64_t now)
{
	if (!r->x.on && !before_was_fine(r)) {
		unfit(r, now, "test calls fail without any fault, or none "
		      "has ended");
		return false;
	}
	if (!run_back_removed(r, now)) {
		if (now > r->step_at + r->plan->before + START_MAX)
			unfit(r, now, "the databases do not take what was "
			      "changed");
		return false;
	}
	if (!r->x.victim) {
		r->x.victim = r->busiest;
		(void)snprintf(r->x.node, sizeof(r->x.node), "%s",
			       r->busiest_name);
	}
	if (!r->plan->edge_fault)
		return true;
	if (r->x.on)
		return r->x.confirmed || r->x.failed;
	(void)bring(r, now);
	return false;
}

static void strike(struct run *r, uint64_t now)
{
	uint32_t want[MIXES];

	if (!ready_to_strike(r, now))
		return;
	plan_mix(r->plan, want);
	for (uint32_t i = 0; i < want[MIX_SENT]; i++)
		dial(r, some(100, 1500), some(200, 600), now);
	(void)gen_hangup(r->gen, want[MIX_BYE], 2000, now);
	gen_mark(r->gen);
	line_turn(r->line);
	r->facts.fault = clk_now();
	r->fault_wall = clk_wall();
	go(r, STEP_HOLD, now);
	run_back_hold(r);
	if (!r->plan->edge_fault)
		(void)bring(r, r->facts.fault);
	if (r->plan->kind == DRILL_STORM) {
		for (uint32_t i = 0; i < r->cf.users; i++)
			gen_register(r->gen, i, now);
		line_turn(r->line);
	}
}

/* --- steps --- */

static bool all_well(const struct run *r, uint64_t since)
{
	return r->good && r->good_at >= since &&
		(!r->lab || r->nodes_ready >= since);
}

static void tick_start(struct run *r, uint64_t now)
{
	for (uint32_t i = 0; r->lab && i <= r->lab->nodes; i++)
		if (lab_ended(r->lab, i)) {
			unfit(r, now, "a program of the lab does not run");
			return;
		}
	if (all_well(r, r->begin) && r->synced) {
		if (r->lab && lab_token(r->lab, LAB_EDGE, r->token,
					sizeof(r->token)))
			unfit(r, now, "no admin token");
		else if (r->pool < 2)
			unfit(r, now, "fewer than two nodes");
		else if (r->cf.node && strcmp(r->cf.node, r->x.node) != 0)
			unfit(r, now, "no such node");
		else {
			go(r, STEP_REGISTER, now);
			for (uint32_t i = 0; i < r->cf.users + r->cf.kept + r->cf.gone; i++)
				gen_register(r->gen, i, now);
		}
	}
	else if (now > r->step_at + START_MAX)
		unfit(r, now, "not all nodes are up and ready");
}

static void tick_register(struct run *r, uint64_t now)
{
	if (gen_registered(r->gen) == r->cf.users + r->cf.kept + r->cf.gone &&
	    !gen_registering(r->gen)) {
		const struct gen_figures *f = gen_figures(r->gen);

		r->reg_bad = f->reg_refused + f->reg_silent + f->reg_broken;
		go(r, STEP_BEFORE, now);
	}
	else if (now > r->step_at + START_MAX)
		unfit(r, now, "not all test phones can register");
}

static void tick_before(struct run *r, uint64_t now)
{
	uint64_t fault = r->step_at + WARM + r->plan->before;

	stream(r, now);
	(void)run_back_removed(r, now);
	place_ahead(r, fault, now);
	if (now >= fault)
		strike(r, now);
}

static bool call_since(const struct run *r, uint64_t since)
{
	for (uint32_t i = gen_calls(r->gen); i-- > 0; ) {
		const struct gen_call *c = gen_call(r->gen, i);

		if (c->sent < since)
			return false;
		if (c->stage == GEN_DONE)
			return true;
	}
	return false;
}

/** Does every node hold every phone? Only the lab's can be asked */
static bool contacts_back(const struct run *r)
{
	for (uint32_t i = 1; r->lab && i <= r->lab->nodes; i++)
		if (r->node[i].contacts != r->cf.users + r->cf.kept)
			return false;
	return true;
}

static void tick_recover(struct run *r, uint64_t now)
{
	stream(r, now);
	if (run_back_look(r) && all_well(r, r->facts.ended) &&
	    contacts_back(r) &&
	    gen_registered(r->gen) == r->cf.users + r->cf.kept &&
	    (!r->plan->rate || call_since(r, r->facts.ended))) {
		r->facts.recovered = now;
		go(r, STEP_AFTER, now);
	}
	else if (now > r->step_at + r->plan->recover_max) {
		run_note(r, now, false, "not as before after %u ms",
			 r->plan->recover_max);
		gen_hold(r->gen, false);
		go(r, STEP_DRAIN, now);
	}
}

/** Things that are not as they were; what: the first of them */
static uint32_t look(const struct run *r, const char **what)
{
	uint32_t bad = 0, n = r->lab ? r->lab->nodes : 0;

#define LOOK(cond, text) do { if (cond) { *what = text; bad++; } } while (0)
	LOOK(!all_well(r, r->step_at), "not all nodes are up and ready");
	LOOK(gen_registered(r->gen) < r->cf.users + r->cf.kept,
	     "not all phones are registered");
	for (uint32_t i = 2; i <= n; i++)
		LOOK(strcmp(r->node[i].digest, r->node[1].digest) != 0 ||
		     r->node[i].contacts != r->node[1].contacts,
		     "nodes hold different contacts");
	LOOK(n && r->node[1].contacts != r->cf.users + r->cf.kept,
	     "contacts were lost, or are too many");
	LOOK(gen_live(r->gen) > 0, "calls do not end");
#undef LOOK
	return bad;
}

static void tick_check(struct run *r, uint64_t now)
{
	const char *what = "";
	uint32_t bad = look(r, &what);
	const struct gen_figures *f = gen_figures(r->gen);

	if (bad && now < r->step_at + CHECK_MAX)
		return;
	r->facts.checked = true;
	r->facts.not_as_before = bad;
	r->facts.reg_lost = f->reg_refused + f->reg_silent + f->reg_broken -
		r->reg_bad;
	if (bad)
		run_note(r, now, false, "%s", what);
	go(r, STEP_END, now);
}

static void watch_limits(struct run *r, uint64_t now)
{
	if (r->plan->abort_lost &&
	    r->facts.production_lost >= r->plan->abort_lost)
		abort_it(r, now, "calls that are not ours were lost");
}

/* --- what it is at --- */

const char *run_step_name(const struct run *r)
{
	switch ((enum step)r->step) {
	case STEP_START:    return "starting";
	case STEP_REGISTER: return "phones register";
	case STEP_BEFORE:   return "before the fault";
	case STEP_HOLD:     return "fault";
	case STEP_BACK:     return "fault ends";
	case STEP_RECOVER:  return "recovering";
	case STEP_AFTER:    return "after the fault";
	case STEP_DRAIN:    return "calls end";
	case STEP_CHECK:    return "last look";
	case STEP_END:      return "over";
	}
	return "";
}

void run_calls(const struct run *r, struct run_calls *c)
{
	*c = (struct run_calls){ .placed = gen_calls(r->gen),
				 .live = gen_live(r->gen) };
	for (uint32_t i = 0; i < c->placed; i++) {
		enum gen_stage s = gen_call(r->gen, i)->stage;

		c->done += s == GEN_DONE;
		c->lost += s == GEN_LOST;
	}
}

static void tell_figures(struct run *r, uint64_t now)
{
	if (!r->cf.figures || now < r->told_at)
		return;
	r->told_at = now + FIGURES_EVERY;
	r->cf.figures(r->cf.arg, now - r->begin, r);
}

static void tick(void *arg)
{
	struct run *r = arg;
	uint64_t now = clk_now();

	ntimer_at(r->timer, now + TICK);
	run_watch(r, now);
	r->x.good = r->good && (!r->lab || r->nodes_ready) ?
		(r->lab && r->nodes_ready < r->good_at ? r->nodes_ready :
		 r->good_at) : 0;
	switch ((enum step)r->step) {
	case STEP_START:
		tick_start(r, now);
		break;
	case STEP_REGISTER:
		tick_register(r, now);
		break;
	case STEP_BEFORE:
		tick_before(r, now);
		break;
	case STEP_HOLD:
		stream(r, now);
		watch_limits(r, now);
		if (r->step == STEP_HOLD && inject_tick(&r->x, now))
			go(r, STEP_BACK, now);
		break;
	case STEP_BACK:
		stream(r, now);
		if (inject_end(&r->x, now)) {
			r->facts.ended = now;
			if (r->x.failed)
				abort_it(r, now, "the fault could not be "
					 "brought or taken back");
			go(r, STEP_RECOVER, now);
		}
		break;
	case STEP_RECOVER:
		tick_recover(r, now);
		break;
	case STEP_AFTER:
		stream(r, now);
		if (now >= r->step_at + r->plan->after)
			go(r, STEP_DRAIN, now);
		break;
	case STEP_DRAIN:
		if (now >= r->step_at + 500)
			gen_end(r->gen, now);
		if (!gen_live(r->gen) || now > r->step_at + DRAIN_MAX)
			go(r, STEP_CHECK, now);
		break;
	case STEP_CHECK:
		tick_check(r, now);
		break;
	case STEP_END:
		break;
	}
	tell_figures(r, now);
	line_turn(r->line);
}

static void on_signal(int sig, void *arg)
{
	struct run *r = arg;

	if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP)
		abort_it(r, clk_now(), "by the operator");
}

/* --- begin and end --- */

static int start_lab(struct run *r)
{
	int err = lab_alloc(&r->lab, &r->cf.lab_conf);

	if (err)
		return err;
	if (!r->cf.lab_conf.keep)
		guard_folder(r->guard, r->lab->dir);
	lab_addr(r->lab, LAB_EDGE, 5060, &r->cf.proxy);
	lab_addr(r->lab, LAB_NODES + 40, 0, &r->cf.local);
	(void)lab_url(r->lab, LAB_EDGE, r->url);
	for (uint32_t i = r->lab->nodes; i > 0 && !err; i--)
		err = lab_start(r->lab, i);
	return err ? err : lab_start(r->lab, LAB_EDGE);
}

static int start_calls(struct run *r)
{
	struct line_conf lc = {
		.proxy = r->cf.proxy, .local = r->cf.local,
		.domain = r->cf.domain, .user = r->cf.user,
		.users = r->cf.users + r->cf.kept + r->cf.gone, .max_calls = GEN_CALLS,
		.limit = LIMIT, .udp = true, .tcp = true,
	};
	int err;

	secret_random(&lc.run, sizeof(lc.run));
	err = line_alloc(&r->line, &lc);
	if (err)
		return err;
	r->gen = line_gen(r->line);
	r->said = calloc(GEN_CALLS, 1);
	r->facts.said = r->said;
	return r->said ? 0 : ENOMEM;
}

int run_drill(struct run *r, const struct run_conf *cf)
{
	int err;

	*r = (struct run){ .cf = *cf, .plan = cf->plan,
			   .verdict = JUDGE_PASS };
	err = guard_alloc(&r->guard);
	if (!err && cf->lab)
		err = start_lab(r);
	else if (!err) {
		(void)snprintf(r->url, sizeof(r->url), "%s", cf->url);
		(void)snprintf(r->token, sizeof(r->token), "%s",
			       cf->token ? cf->token : "");
	}
	if (!err)
		err = watch_alloc(&r->watch);
	if (!err)
		err = start_calls(r);
	if (!err)
		err = ntimer_alloc(&r->timer, tick, r);
	if (err)
		return err;
	r->x = (struct inject){
		.plan = r->plan, .lab = r->lab, .watch = r->watch,
		.guard = r->guard, .url = r->url, .token = r->token,
		.say = say, .arg = r,
	};
	r->begin = clk_now();
	r->wall = clk_wall();
	go(r, STEP_START, r->begin);
	ntimer_at(r->timer, r->begin);
	err = net_run(on_signal, r);
	/* however the loop ended, nothing of the fault stays */
	for (int i = 0; i < 1000 && r->x.on && !inject_end(&r->x, clk_now());
	     i++)
		(void)usleep(10000);
	for (int i = 0; i < 50; i++) {  /* what it had to tell the edge */
		watch_turn(r->watch);
		(void)usleep(1000);
	}
	return err;
}

void run_free(struct run *r)
{
	ntimer_free(r->timer);
	line_free(r->line);
	watch_free(r->watch);
	lab_free(r->lab);
	guard_free(r->guard);
	explicit_bzero(r->token, sizeof(r->token));
	free(r->said);
	*r = (struct run){ 0 };
}
