/**
 * @file test_health.c  One node's machine: every row of the table in
 * docs/state-machines.md, and the times of its probes.
 */
#include "tests/dispatcher/fixture.h"

/*
 * A script of steps "WHAT:STATE". Probes: p+ answered, p- answered "no",
 * p0 not answered in time, p! could not be sent. Requests: r+ answered,
 * r0 silence, rX reset, r5 503. Admin: m maint, a ready again.
 * States: U, S, D.
 */
static const struct { const char *claim, *script; } scripts[] = {
	{ "starts down", ":D" },
	{ "the first answer decides", "p+:U" },
	{ "never up: one good probe is enough after bad ones",
	  "p0:D p0:D p0:D p0:D p+:U" },
	{ "never up: refusing does not count", "p-:D p-:D p+:U" },
	{ "one lost probe makes suspect, `fall` make down",
	  "p+:U p0:S p0:S p0:D" },
	{ "refused probes count like lost ones", "p+:U p-:S p-:S p-:D" },
	{ "a probe that could not be sent counts", "p+:U p!:S p!:S p!:D" },
	{ "down needs `rise`", "p+:U p0:S p0:S p0:D p+:D p+:U" },
	{ "rise counts in a row", "p+:U p0:S p0:S p0:D p+:D p0:D p+:D p+:U" },
	{ "fall counts in a row", "p+:U p0:S p0:S p+:S p0:S p0:S p0:D" },
	{ "suspect by probes clears after `rise`", "p+:U p0:S p+:S p+:U" },
	{ "one silent request makes suspect", "p+:U r0:S" },
	{ "many silent requests do not make down by themselves",
	  "p+:U r0:S r0:S r0:S r0:S r0:S" },
	{ "503 makes suspect", "p+:U r5:S" },
	{ "reset is down at once", "p+:U rX:D" },
	{ "reset when suspect too", "p+:U r0:S rX:D" },
	{ "after reset `rise` probes", "p+:U rX:D p+:D p+:U" },
	{ "after reset a request is as good as a probe",
	  "p+:U rX:D p+:D r+:U" },
	{ "a good request clears suspect", "p+:U r0:S r+:U" },
	{ "a good probe does not hide failing requests",
	  "p+:U r0:S p+:S r0:S p+:S r0:S p+:S" },
	{ "rise good probes without failure clear", "p+:U r0:S p+:S p+:U" },
	{ "cleared by probes only: next time twice as many",
	  "p+:U r0:S p+:S p+:U r0:S p+:S p+:S p+:S p+:U "
	  "r0:S p+:S p+:S p+:S p+:S p+:S p+:S p+:S p+:U" },
	{ "a good request forgives", "p+:U r0:S p+:S p+:U r+:U r0:S p+:S p+:U" },
	{ "lost probes do not raise the price",
	  "p+:U p0:S p+:S p+:U p0:S p+:S p+:U" },
	{ "answered requests outweigh lost probes",
	  "p+:U p0:S r+:U p0:S r+:U p0:S p0:S r+:U" },
	{ "answered requests do not outweigh a refusal",
	  "p+:U p-:S r+:S p-:S r+:S p-:D r+:D r+:D" },
	{ "a node found alive by panic traffic comes up", "r+:U" },
	{ "maint is down, requests do not matter", "p+:U m:D r+:D r+:D" },
	{ "back from maint as at the start", "p+:U m:D a:D p+:U" },
	{ "reset of a down node changes nothing", "rX:D p+:U" },
};

static void step(struct disp *d, const char *w, uint64_t *now)
{
	uint32_t id;

	switch (w[0]) {
	case 'p':
		id = fix_probe(d, 0, now);
		if (w[1] == '0') {
			*now += fix_conf.timeout;
			disp_tick(d, *now);
			break;
		}
		*now += 1;
		disp_probed(d, 0, id, w[1] == '+', w[1] == '!' ? 0 :
			    w[1] == '+' ? 200 : 503, SL("x"), 1000, *now);
		break;
	case 'r':
		disp_report(d, 0, w[1] == '+' ? DISP_OK : w[1] == '0' ?
			    DISP_SILENT : w[1] == 'X' ? DISP_RESET :
			    DISP_REFUSED, 500, *now);
		break;
	case 'm':
		disp_set_admin(d, 0, DISP_MAINT, *now);
		break;
	case 'a':
		disp_set_admin(d, 0, DISP_READY, *now);
		break;
	}
}

Test(health, follows_the_table)
{
	char txt[256], *tok, *save;
	uint64_t now;
	size_t i;
	int n;

	for (i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct disp *d = fix_alloc(NULL, i);

		now = T0;
		fix_add(d, "n1", 100, now);
		snprintf(txt, sizeof(txt), "%s", scripts[i].script);
		n = 0;
		for (tok = strtok_r(txt, " ", &save); tok;
		     tok = strtok_r(NULL, " ", &save), n++) {
			char want = strchr(tok, ':')[1], got;

			step(d, tok, &now);
			got = disp_state_name(fix_state(d, 0))[0];
			cr_expect(got == want, "%s: step %d (%s) gave %c",
				  scripts[i].claim, n, tok, got);
		}
		disp_free(d);
	}
}

Test(health, a_node_that_never_came_up_is_told_of_once)
{
	struct disp *d = fix_alloc(NULL, 1);
	uint64_t now = T0, was = log_count(LOG_LV_WARN);

	log_init("test", LOG_TO_NONE, LOG_LV_WARN);
	fix_add(d, "n1", 100, now);
	step(d, "p0", &now);
	step(d, "p-", &now);
	cr_expect(log_count(LOG_LV_WARN) == was, "before `fall`");
	step(d, "p0", &now);
	cr_expect(log_count(LOG_LV_WARN) == was + 1, "at `fall`");
	for (int i = 0; i < 10; i++)
		step(d, "p0", &now);
	cr_expect(log_count(LOG_LV_WARN) == was + 1, "once");
	step(d, "p+", &now);
	cr_expect(log_count(LOG_LV_WARN) == was + 1);
	disp_free(d);
}

Test(health, each_change_is_reported_once_with_its_reason)
{
	struct disp *d = fix_alloc(NULL, 1);
	uint64_t now = T0;
	struct disp_out o;
	int changes = 0;

	fix_add(d, "n1", 100, now);
	fix_up(d, 0, &now);
	disp_report(d, 0, DISP_SILENT, 0, now);
	disp_report(d, 0, DISP_SILENT, 0, now);
	disp_report(d, 0, DISP_RESET, 0, now);
	disp_report(d, 0, DISP_RESET, 0, now);
	while (disp_poll(d, &o)) {
		if (o.kind != DISP_OUT_CHANGE)
			continue;
		changes++;
		if (changes == 1)
			cr_expect(o.from == DISP_DOWN && o.to == DISP_UP &&
				  !strcmp(o.why, "probe-ok"));
		if (changes == 2)
			cr_expect(o.from == DISP_UP && o.to == DISP_SUSPECT &&
				  !strcmp(o.why, "request-silent"));
		if (changes == 3)
			cr_expect(o.from == DISP_SUSPECT &&
				  o.to == DISP_DOWN && !strcmp(o.why, "reset"));
	}
	cr_expect(changes == 3, "%d changes", changes);
	disp_free(d);
}

/** [ms] from the start of this probe to the start of the next one */
static uint64_t gap(struct disp *d, bool ok, uint64_t *now)
{
	uint32_t id = fix_probe(d, 0, now);
	uint64_t at = *now;

	disp_probed(d, 0, id, ok, ok ? 200 : 0, SL(""), 1, *now + 1);
	return disp_next(d) - at;
}

Test(health, probes_keep_the_pace_of_the_state)
{
	struct disp *d = fix_alloc(NULL, 1);
	uint64_t now = T0;

	fix_add(d, "n1", 100, now);
	cr_expect(gap(d, false, &now) == 1000, "never up: inter");
	cr_expect(gap(d, true, &now) == 1000, "up: inter");
	cr_expect(gap(d, false, &now) == 200, "suspect: fastinter");
	cr_expect(gap(d, false, &now) == 200, "going down: fastinter");
	cr_expect(gap(d, false, &now) == 2000, "down: downinter");
	cr_expect(gap(d, true, &now) == 200, "going up: fastinter");
	cr_expect(gap(d, true, &now) == 1000, "up again: inter");
	disp_free(d);
}

Test(health, a_silent_request_is_followed_by_a_probe_at_once)
{
	struct disp *d = fix_alloc(NULL, 1);
	uint64_t now = T0, t;

	fix_add(d, "n1", 100, now);
	fix_up(d, 0, &now);
	now += 100;
	disp_report(d, 0, DISP_SILENT, 0, now);
	cr_expect(disp_next(d) == now);
	t = now;
	fix_probe(d, 0, &now);
	cr_expect(now == t);
	disp_free(d);
}

Test(health, after_a_reset_the_next_probe_comes_after_fastinter)
{
	struct disp *d = fix_alloc(NULL, 1);
	uint64_t now = T0;

	fix_add(d, "n1", 100, now);
	fix_up(d, 0, &now);
	now += 100;
	disp_report(d, 0, DISP_RESET, 0, now);
	cr_expect(disp_next(d) == now + 200);
	disp_free(d);
}

Test(health, a_frozen_node_is_down_within_fall_time_outs)
{
	struct disp *d = fix_alloc(NULL, 1);
	uint64_t now = T0, t;

	fix_add(d, "n1", 100, now);
	fix_up(d, 0, &now);
	now += 10;
	t = now;
	disp_report(d, 0, DISP_SILENT, 0, now);
	while (fix_state(d, 0) != DISP_DOWN) {
		now = disp_next(d);
		disp_tick(d, now);
	}
	cr_expect(now - t == 1500, "%llu ms", (unsigned long long)(now - t));
	disp_free(d);
}

Test(health, an_answer_sent_before_the_failure_proves_nothing)
{
	struct disp *d = fix_alloc(NULL, 1);
	uint64_t now = T0;
	struct disp_view v;
	uint32_t id;

	fix_add(d, "n1", 100, now);
	fix_up(d, 0, &now);
	id = fix_probe(d, 0, &now);
	disp_report(d, 0, DISP_SILENT, 0, now + 5);
	disp_probed(d, 0, id, true, 200, SL("OK"), 1, now + 6);
	disp_view(d, 0, &v);
	cr_expect(v.state == DISP_SUSPECT && v.okc == 0);
	cr_expect(disp_next(d) == now + 6, "the next one goes at once");
	disp_free(d);
}

Test(health, late_and_foreign_probe_answers_are_ignored)
{
	struct disp *d = fix_alloc(NULL, 1);
	struct stats *s = NULL;
	uint64_t now = T0, late = 0;
	uint32_t id;

	cr_assert(stats_alloc(&s) == 0);
	disp_stats(d, s);
	fix_add(d, "n1", 100, now);
	fix_up(d, 0, &now);
	id = fix_probe(d, 0, &now);
	now += 500;
	disp_tick(d, now);
	cr_expect(fix_state(d, 0) == DISP_SUSPECT);
	disp_probed(d, 0, id, true, 200, SL("OK"), 1, now);
	disp_probed(d, 0, id + 7, true, 200, SL("OK"), 1, now);
	disp_probed(d, 0, 0, true, 200, SL("OK"), 1, now);
	cr_expect(fix_state(d, 0) == DISP_SUSPECT);
	cr_expect(stat_get(s, "node_probes_late_total", "node=\"n1\"", &late));
	cr_expect(late == 3);
	disp_free(d);
	stats_free(s);
}

Test(health, a_probe_is_given_up_after_its_own_time_out)
{
	struct disp *d = fix_alloc(NULL, 1);
	uint64_t now = T0, at;

	fix_add(d, "n1", 100, now);
	fix_up(d, 0, &now);
	fix_probe(d, 0, &now);
	at = now;
	cr_expect(disp_next(d) == at + 500);
	disp_tick(d, at + 499);
	cr_expect(fix_state(d, 0) == DISP_UP);
	disp_tick(d, at + 500);
	cr_expect(fix_state(d, 0) == DISP_SUSPECT);
	disp_free(d);
}

Test(health, first_probes_come_at_once_and_spread)
{
	struct disp *d = fix_alloc(NULL, 3);
	uint64_t now = T0, first = 0, last = 0;
	struct disp_out o;
	char name[16];
	int i, n = 0;

	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		fix_add(d, name, 100, now);
	}
	for (; now <= T0 + 50; now++) {
		disp_tick(d, now);
		while (disp_poll(d, &o)) {
			if (o.kind != DISP_OUT_PROBE)
				continue;
			first = n++ ? first : now;
			last = now;
		}
	}
	cr_expect(n == 20, "%d probes in 50 ms", n);
	cr_expect(last - first >= 20, "spread over %llu ms",
		  (unsigned long long)(last - first));
	disp_free(d);
}

Test(health, jitter_stays_in_its_bounds_and_is_used)
{
	struct disp_conf cf = fix_conf;
	uint64_t now = T0, g, lo = UINT64_MAX, hi = 0;
	struct disp *d;
	int i;

	cf.jitter = 10;
	d = fix_alloc(&cf, 5);
	fix_add(d, "n1", 100, now);
	fix_up(d, 0, &now);
	for (i = 0; i < 500; i++) {
		g = gap(d, true, &now);
		lo = g < lo ? g : lo;
		hi = g > hi ? g : hi;
	}
	cr_expect(lo >= 900 && hi <= 1100, "%llu..%llu",
		  (unsigned long long)lo, (unsigned long long)hi);
	cr_expect(hi - lo > 100);
	disp_free(d);
}

Test(health, a_shorter_interval_takes_effect_at_once)
{
	struct disp_conf cf = fix_conf;
	uint64_t now = T0;
	struct disp *d;

	cf.inter = 3600000;
	d = fix_alloc(&cf, 5);
	fix_add(d, "n1", 100, now);
	fix_up(d, 0, &now);
	cr_expect(disp_next(d) > now + 3000000);
	cr_expect(disp_reconf(d, &fix_conf) == 0);
	cr_expect(disp_next(d) <= now + 1000);
	disp_free(d);
}

Test(health, the_probe_reason_is_printable)
{
	struct disp *d = fix_alloc(NULL, 1);
	uint64_t now = T0;
	struct disp_view v;
	uint32_t id;

	fix_add(d, "n1", 100, now);
	id = fix_probe(d, 0, &now);
	disp_probed(d, 0, id, false, 503, SL("a\"b\r\nc\x80" "d"), 1, now);
	disp_view(d, 0, &v);
	cr_expect(!strcmp(v.probe_reason, "a.b..c.d"), "%s", v.probe_reason);
	cr_expect(v.probe_code == 503);
	disp_free(d);
}

/* Nothing is due, and it is not on its way up */
static void expect_off(struct disp *d)
{
	struct disp_view v;

	cr_expect(disp_next(d) == UINT64_MAX);
	cr_assert(disp_view(d, 0, &v) == 0);
	cr_expect_eq(v.okc, 0);
}

/*
 * Property over seeds: whatever happens in whatever order, a probe is always
 * on its way or due (unless in maint), never more than one at a time, never
 * later than downinter + 10 %, and the log of changes is a chain.
 */
Test(health, random_histories_keep_the_invariants)
{
	struct disp_conf cf = fix_conf;
	uint64_t seed;

	cf.jitter = 10;
	for (seed = 1; seed <= 300; seed++) {
		struct disp *d = fix_alloc(&cf, seed);
		enum disp_state last = DISP_DOWN;
		uint64_t now = T0;
		uint32_t open = 0, i;
		bool maint = false;
		struct disp_out o;
		struct rng r;

		rng_seed(&r, seed);
		fix_add(d, "n1", 100, now);
		for (i = 0; i < 400; i++) {
			now += rng_below(&r, 300);
			switch (rng_below(&r, 8)) {
			case 0:
				disp_report(d, 0, (enum disp_report)
					    rng_below(&r, 4), 1, now);
				break;
			case 1:
				if (rng_below(&r, 20))
					break;
				maint = !maint;
				disp_set_admin(d, 0, maint ? DISP_MAINT :
					       DISP_READY, now);
				break;
			case 2: case 3: case 4:
				disp_probed(d, 0, open, rng_below(&r, 2),
					    rng_below(&r, 2) ? 503 : 0,
					    SL("x"), 1, now);
				break;
			default:
				disp_tick(d, now);
			}
			while (disp_poll(d, &o)) {
				if (o.kind == DISP_OUT_PROBE) {
					cr_expect(!maint, "seed %llu",
						  (unsigned long long)seed);
					cr_expect(o.probe != open);
					open = o.probe;
					continue;
				}
				cr_expect(o.from == last && o.to != o.from,
					  "seed %llu",
					  (unsigned long long)seed);
				last = o.to;
			}
			cr_expect(fix_state(d, 0) == last);
			if (maint)
				expect_off(d);
			else
				cr_expect(disp_next(d) <= now + 2200,
					  "seed %llu step %u",
					  (unsigned long long)seed, i);
		}
		disp_free(d);
	}
}
