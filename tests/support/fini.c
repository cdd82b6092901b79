/* fini.c - Test support. What a suite claims in its .fini counts, too: Criterion prints
 * such a failure, but its verdict on the test is given by then. */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <stdio.h>

static size_t late;     /* tests that passed, but not their .fini */

ReportHook(POST_FINI)(struct criterion_test_stats *t)
{
	if (t->failed_asserts && t->test_status == CR_STATUS_PASSED) {
		late++;
		(void)fprintf(stderr, "[FAIL] %s::%s: in its .fini\n",
			      t->test->category, t->test->name);
	}
}

ReportHook(POST_ALL)(struct criterion_global_stats *g)
{
	g->tests_failed += late;
	g->tests_passed -= late;
}
