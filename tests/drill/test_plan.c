/* test_plan.c - drills and their settings */
#include "drill/planfile.h"
#include <criterion/criterion.h>
#include <errno.h>

static struct cfg_errs e;

static int with(struct drill_plan *p, const char *base, const char *option)
{
	struct cfg_over o = { 0 };

	e.n = 0;
	cr_assert_eq(cfg_over_add(&o, option), 0);
	return planfile_read(p, base, NULL, &o, &e);
}

Test(plan, every_built_in_drill_makes_sense)
{
	const struct drill_plan *p;
	uint32_t n = 0, mix[MIXES];

	for (; (p = plan_builtin(n)); n++) {
		cr_assert_null(plan_wrong(p), "%s", p->name);
		cr_assert_eq(plan_find(p->name), p);
		cr_assert_neq(p->limit[CLAIM_STEADY], NO_CLAIM);
		plan_mix(p, mix);
		cr_assert_eq(mix[0] + mix[1] + mix[2] + mix[3], p->calls);
	}
	cr_assert_geq(n, 9);
	cr_assert_null(plan_find("none"));
}

Test(plan, what_is_not_given_is_as_built_in)
{
	struct drill_plan p;

	cr_assert_eq(with(&p, "node-freeze", "calls=200"), 0);
	cr_assert_eq(p.calls, 200);
	cr_assert_eq(p.kind, DRILL_FREEZE);
	cr_assert_eq(p.hold, plan_find("node-freeze")->hold);
	cr_assert_eq(p.limit[CLAIM_LOST], 0);
	cr_assert_eq(p.limit[CLAIM_EXTRA], 2500);
}

Test(plan, limits_of_claims_can_be_set)
{
	struct drill_plan p;

	cr_assert_eq(with(&p, "node-kill", "claims.mttd_ms=7"), 0);
	cr_assert_eq(p.limit[CLAIM_MTTD], 7);
}

Test(plan, a_drill_can_build_on_another)
{
	struct drill_plan p;

	cr_assert_eq(with(&p, NULL, "base=all-down"), 0);
	cr_assert_eq(p.kind, DRILL_ALL);
	cr_assert_eq(p.limit[CLAIM_LOST], NO_CLAIM);
	cr_assert_eq(with(&p, NULL, "base=nothing"), EBADMSG);
	cr_assert_eq(e.n, 1);
}

Test(plan, commands_need_each_other)
{
	struct drill_plan p;
	struct cfg_over o = { 0 };

	cr_assert_eq(with(&p, "node-kill", "inject=true"), EBADMSG);
	e.n = 0;
	cr_assert_eq(cfg_over_add(&o, "inject=true"), 0);
	cr_assert_eq(cfg_over_add(&o, "restore=true"), 0);
	cr_assert_eq(planfile_read(&p, "node-kill", NULL, &o, &e), 0);
	cr_assert_eq(p.kind, DRILL_HOOKS);
}

Test(plan, nonsense_is_refused)
{
	struct drill_plan p;

	cr_assert_eq(with(&p, "node-kill", "mix.sent=50"), EBADMSG);
	cr_assert_eq(with(&p, "node-kill", "calls=0"), EBADMSG);
	cr_assert_eq(with(&p, "node-kill", "hold=300001"), EBADMSG);
	cr_assert_eq(with(&p, "node-kill", "nothing=1"), EBADMSG);
	cr_assert_eq(with(&p, "nothing", "calls=1"), ENOENT);
}
