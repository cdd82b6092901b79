/* test_judge.c - what came out, against what was claimed */
#include "drill/judge.h"
#include "tests/drill/world.h"
#include <criterion/criterion.h>

static struct outcome o;

Test(hist, values_fall_into_their_bins)
{
	uint32_t v[] = { 7, 1, 0, 5000, 5001, 2 };
	struct hist h;

	judge_hist(&h, v, 6);
	cr_assert_eq(h.n, 6);
	cr_assert_eq(h.bin[0], 2);
	cr_assert_eq(h.bin[1], 1);
	cr_assert_eq(h.bin[3], 1);
	cr_assert_eq(h.bin[HIST - 2], 1);
	cr_assert_eq(h.bin[HIST - 1], 1);
	cr_assert_eq(h.p50, 2);
	cr_assert_eq(h.p99, 5001);
	cr_assert_eq(h.max, 5001);
}

Test(hist, p99_of_a_hundred_is_the_ninety_ninth)
{
	uint32_t v[100];
	struct hist h;

	for (uint32_t i = 0; i < 100; i++)
		v[i] = 100 - i;
	judge_hist(&h, v, 100);
	cr_assert_eq(h.p99, 99);
	cr_assert_eq(h.p50, 50);
	judge_hist(&h, v, 0);
	cr_assert_eq(h.max, 0);
}

/** One call before the fault, one of it, one during it */
static void play(struct mirror *m, struct facts *f)
{
	mirror_start(m, true);
	cr_assert_eq(gen_dial(m->g, 0, 1, 10, 10, m->now), 0);
	mirror_run(m, 3000);
	cr_assert_eq(gen_dial(m->g, 0, 1, 500, 10, m->now), 0);
	cr_assert_eq(gen_dial(m->g, 1, 0, 10, 900, m->now), 0);
	mirror_run(m, 100);
	gen_mark(m->g);
	*f = (struct facts){ .fault = m->now, .detected = m->now + 50,
			     .counted = true, .checked = true };
	mirror_run(m, 10);
	cr_assert_eq(gen_dial(m->g, 0, 1, 10, 10, m->now), 0);
	mirror_run(m, 5000);
	f->ended = f->fault + 1000;
	f->recovered = f->fault + 1400;
}

static void judge(struct mirror *m, const struct facts *f, bool aborted)
{
	cr_assert_eq(judge_make(&o, plan_find("node-kill"), m->g, f,
				  aborted), 0);
}

Test(judge, all_claims_held_is_a_pass)
{
	struct mirror m;
	struct facts f;

	play(&m, &f);
	judge(&m, &f, false);
	cr_assert_eq(o.verdict, JUDGE_PASS);
	cr_assert_eq(o.claim[CLAIM_MTTD].value, 50);
	cr_assert_eq(o.claim[CLAIM_RECOVER].value, 400);
	cr_assert_eq(o.row[MIXES + 1].placed, 1);
	cr_assert_eq(o.row[MIX_RINGING].survived, 1);
	cr_assert_eq(o.row[MIX_ANSWERED].survived, 1);
	cr_assert_eq(o.row[MIXES].placed, 1);
	mirror_stop(&m);
}

Test(judge, one_value_above_its_limit_is_a_failure)
{
	struct mirror m;
	struct facts f;

	play(&m, &f);
	f.detected = f.fault + 501;
	judge(&m, &f, false);
	cr_assert_eq(o.verdict, JUDGE_FAIL);
	cr_assert_not(o.claim[CLAIM_MTTD].held);
	f.detected = f.fault + 500;
	judge(&m, &f, false);
	cr_assert_eq(o.verdict, JUDGE_PASS);
	mirror_stop(&m);
}

Test(judge, no_data_is_a_failure)
{
	struct mirror m;
	struct facts f, bad;

	play(&m, &f);
	bad = f;
	bad.detected = 0;
	judge(&m, &bad, false);
	cr_assert_eq(o.verdict, JUDGE_FAIL, "nothing detected");
	bad = f;
	bad.recovered = 0;
	judge(&m, &bad, false);
	cr_assert_eq(o.verdict, JUDGE_FAIL, "never recovered");
	bad = f;
	bad.counted = false;
	judge(&m, &bad, false);
	cr_assert_eq(o.verdict, JUDGE_FAIL, "events not read");
	bad = f;
	bad.checked = false;
	judge(&m, &bad, false);
	cr_assert_eq(o.verdict, JUDGE_FAIL, "end not looked at");
	mirror_stop(&m);
}

Test(judge, a_cold_start_is_told_by_the_databases)
{
	const struct drill_plan *p = plan_find("cold-start");
	struct mirror m;
	struct facts f;

	play(&m, &f);
	f.ready = f.ended + 300;
	cr_assert_eq(judge_make(&o, p, m.g, &f, false), 0);
	cr_assert_eq(o.verdict, JUDGE_FAIL, "nobody looked");
	cr_assert_not(o.claim[CLAIM_BACK].known);
	f.looked = true;
	cr_assert_eq(judge_make(&o, p, m.g, &f, false), 0);
	cr_assert_eq(o.verdict, JUDGE_PASS);
	cr_assert_eq(o.claim[CLAIM_READY].value, 300);
	f.removed_back = 1;
	cr_assert_eq(judge_make(&o, p, m.g, &f, false), 0);
	cr_assert_eq(o.verdict, JUDGE_FAIL, "a removed one");
	f.removed_back = 0;
	f.not_back = 1;
	cr_assert_eq(judge_make(&o, p, m.g, &f, false), 0);
	cr_assert_eq(o.verdict, JUDGE_FAIL, "one is missing");
	mirror_stop(&m);
}

Test(judge, no_call_at_all_is_a_failure)
{
	struct mirror m;
	struct facts f = { .fault = 1, .ended = 2, .detected = 2,
			   .recovered = 3, .checked = true, .counted = true };

	mirror_start(&m, true);
	judge(&m, &f, false);
	cr_assert_eq(o.verdict, JUDGE_FAIL);
	cr_assert_not(o.claim[CLAIM_LOST].known);
	mirror_stop(&m);
}

Test(judge, a_call_that_is_not_over_is_lost)
{
	struct mirror m;
	struct facts f;

	play(&m, &f);
	cr_assert_eq(gen_dial(m.g, 0, 1, 10, 10, m.now), 0);
	judge(&m, &f, false);
	cr_assert_eq(o.claim[CLAIM_LOST].value, 1);
	cr_assert_eq(o.verdict, JUDGE_FAIL);
	mirror_stop(&m);
}

Test(judge, stopped_is_never_a_pass)
{
	struct mirror m;
	struct facts f;

	play(&m, &f);
	judge(&m, &f, true);
	cr_assert_eq(o.verdict, JUDGE_ABORTED);
	mirror_stop(&m);
}
