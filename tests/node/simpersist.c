/* simpersist.c - many seeds of persistsim.
 *   tests/node/simpersist [--from N] [--seeds N] [--seed N] */
#include "persistsim.h"
#include "base/secret.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char *argv[])
{
	struct persistsim_stats st = { 0 };
	uint64_t from = 1, seeds = 100, bad = 0;

	for (int i = 1; i + 1 < argc; i += 2) {
		uint64_t v = strtoull(argv[i + 1], NULL, 10);

		if (!strcmp(argv[i], "--from"))
			from = v;
		else if (!strcmp(argv[i], "--seeds"))
			seeds = v;
		else if (!strcmp(argv[i], "--seed"))
			from = v, seeds = 1;
		else
			return 2;
	}
	if (secret_init())
		return 1;
	for (uint64_t s = from; s < from + seeds; s++) {
		const char *what = persistsim(s, s % 2, seeds == 1, &st);

		if (what) {
			bad++;
			(void)printf("FAIL seed=%llu %s\n",
				     (unsigned long long)s, what);
		}
	}
	(void)printf("%llu seeds, %llu failed: changes=%llu crashes=%llu "
		     "blackouts=%llu torn=%llu written=%llu read=%llu "
		     "newer=%llu swept=%llu failures=%llu late=%llu "
		     "checks=%llu moves=%llu\n", (unsigned long long)seeds,
		     (unsigned long long)bad, (unsigned long long)st.changes,
		     (unsigned long long)st.crashes,
		     (unsigned long long)st.blackouts,
		     (unsigned long long)st.torn,
		     (unsigned long long)st.written,
		     (unsigned long long)st.read,
		     (unsigned long long)st.newer,
		     (unsigned long long)st.swept,
		     (unsigned long long)st.failures,
		     (unsigned long long)st.late_loads,
		     (unsigned long long)st.checks,
		     (unsigned long long)st.takeovers);
	/* a fault that never happened proves nothing */
	if (seeds > 1 &&
	    (!st.torn || !st.blackouts || !st.swept || !st.late_loads ||
	     !st.checks || !st.newer)) {
		(void)printf("FAIL some fault never happened\n");
		return 1;
	}
	return bad != 0;
}
