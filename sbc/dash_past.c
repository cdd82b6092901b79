/* dash_past.c - Shell. The last hour as JSON. */
#include "sbc/dash.h"

#include "base/clk.h"

enum { PAST_MAX = 1 << 20 };     /* [bytes] of the whole                   */

void dash_past_row(struct buf *b, const struct dash *d, uint32_t age)
{
	uint64_t at = 0, v;

	(void)history_row(d->h, age, &at);
	/* the wall clock may have been set since: by its present offset */
	buf_lit(b, "[");
	buf_u64(b, at + (clk_wall() - clk_now()));
	for (uint32_t i = 0; i < DS_CHARTS; i++) {
		enum history_kind k = dash_series_kind(i);

		buf_chr(b, ',');
		if (!history_value(d->h, i, k, age, &v))
			buf_lit(b, "null");
		else if (k == HISTORY_GAUGE || !(v % 1000))
			buf_u64(b, k == HISTORY_GAUGE ? v : v / 1000);
		else
			buf_printf(b, "%llu.%03u",
				   (unsigned long long)(v / 1000),
				   (unsigned)(v % 1000));
	}
	buf_lit(b, "]");
}

struct blob *dash_past(struct dash *d)
{
	struct buf b;

	if (d->past && d->past_seq == d->h->seq)
		return d->past;
	buf_init(&b, PAST_MAX);
	buf_printf(&b, "{\"step_ms\":%u,\"names\":[\"at_ms\"", HISTORY_STEP);
	for (uint32_t i = 0; i < DS_CHARTS; i++)
		buf_printf(&b, ",\"%s\"", dash_series_name(i));
	buf_lit(&b, "],\"rows\":[");
	for (uint32_t n = history_rows(d->h); n; n--) {
		dash_past_row(&b, d, n - 1);
		buf_str(&b, n > 1 ? "," : "");
	}
	buf_lit(&b, "]}");
	blob_unref(d->past);
	d->past = b.err ? NULL : blob_make(b.p, b.n);
	d->past_seq = d->h->seq;
	buf_free(&b);
	return d->past;
}
