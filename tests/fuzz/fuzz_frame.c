/* fuzz_frame.c - a byte stream: whole, in pieces and byte by byte it gives the
 * same messages */
#include <stdlib.h>

#include "sip/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 4096, EVENTS = 4096 };

struct seen {
	unsigned n;
	struct { uint8_t v; size_t len; uint32_t sum; const char *why; }
		ev[EVENTS];
};

static void run(struct seen *s, const uint8_t *p, size_t n, size_t step,
		size_t add)
{
	struct frame f;
	size_t pos = 0;
	bool over = false;

	s->n = 0;
	frame_init(&f, MAX);
	while (!over && pos < n) {
		size_t k = step < n - pos ? step : n - pos;

		if (frame_push(&f, p + pos, k, pos))
			abort();
		pos += k;
		step += add;
		while (!over && s->n < EVENTS) {
			struct sl msg = SL_NONE;
			const char *why = NULL;
			enum frame_verdict v = frame_next(&f, &msg, &why);
			uint32_t sum = 0;

			if (v == FRAME_MORE)
				break;
			over = v == FRAME_BAD || v == FRAME_BIG;
			for (size_t i = 0; !over && i < msg.n; i++)
				sum = sum * 31 + (uint8_t)msg.p[i];
			if (v == FRAME_MSG && (!msg.n || msg.n > MAX))
				abort();
			s->ev[s->n].v = v;
			s->ev[s->n].len = over ? 0 : msg.n;
			s->ev[s->n].sum = sum;
			s->ev[s->n++].why = why;
		}
	}
	frame_free(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct seen a, b;
	const size_t step[][2] = {{1, 0}, {1, 1}, {2, 0}, {7, 0}};

	if (size > 30000)
		return 0;
	/* one push takes no more than a read of a socket gives */
	run(&a, data, size, 30000, 0);
	for (unsigned i = 0; i < 4; i++) {
		run(&b, data, size, step[i][0], step[i][1]);
		if (a.n != b.n || memcmp(a.ev, b.ev, a.n * sizeof(a.ev[0])))
			abort();
	}
	return 0;
}
