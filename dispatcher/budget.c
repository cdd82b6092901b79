/* budget.c - Pure. How many requests may be tried again. */
#include "dispatcher/budget.h"

void budget_request(struct budget *b, uint64_t now)
{
	b->w.all[window_at(&b->w, now)]++;
}

bool budget_retry(struct budget *b, const struct disp_conf *cf, uint64_t now)
{
	uint32_t all, again;
	uint64_t may;

	window_sum(&b->w, now, &all, &again);
	may = (uint64_t)all * cf->retry_percent / 100 +
	      (uint64_t)cf->retry_burst * WINDOW_S;
	if ((cf->retry_percent || cf->retry_burst) && again >= may)
		return false;
	b->w.some[window_at(&b->w, now)]++;
	return true;
}
