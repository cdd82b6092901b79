/* sse.c - Pure. Framing of server-sent events. */
#include "web/sse.h"

/** Up to the next line break of any kind */
static size_t line_end(struct sl s)
{
	size_t lf = sl_chr(s, '\n'), cr = sl_chr(s, '\r');

	return lf < cr ? lf : cr;
}

void sse_put(struct buf *b, const char *event, uint64_t id, struct sl data)
{
	buf_lit(b, "event: ");
	buf_str(b, event);
	buf_chr(b, '\n');
	if (id) {
		buf_lit(b, "id: ");
		buf_u64(b, id);
		buf_chr(b, '\n');
	}
	for (;;) {
		size_t end = line_end(data);

		buf_lit(b, "data: ");
		buf_sl(b, sl_sub(data, 0, end));
		buf_chr(b, '\n');
		if (end >= data.n)
			break;
		end += data.p[end] == '\r' && end + 1 < data.n &&
			data.p[end + 1] == '\n';
		data = sl_sub(data, end + 1, data.n);
	}
	buf_chr(b, '\n');
}
