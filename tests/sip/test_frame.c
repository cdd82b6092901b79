/* Cutting a stream. */
#include "sip/frame.h"
#include "tests/sip/msg.h"

/* What came out of a stream, as one text: verdict, length, sum of bytes */
struct trace {
	char *p;
	size_t n, cap;
};

static void trace_add(struct trace *t, enum frame_verdict v, struct sl msg,
		      const char *why)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < msg.n; i++)
		sum = sum * 31 + (uint8_t)msg.p[i];
	if (t->n + 100 > t->cap) {
		t->cap = t->cap * 2 + 4096;
		t->p = realloc(t->p, t->cap);
	}
	t->n += (size_t)snprintf(t->p + t->n, 100, "%d %zu %u %s\n", v,
				 v == FRAME_MSG ? msg.n : 0,
				 v == FRAME_MSG ? sum : 0, why ? why : "");
}

/* false = the stream is over */
static bool drain(struct frame *f, struct trace *t)
{
	for (;;) {
		const char *why = NULL;
		struct sl msg = SL_NONE;
		enum frame_verdict v = frame_next(f, &msg, &why);

		if (v == FRAME_MORE)
			return true;
		trace_add(t, v, msg, why);
		if (v == FRAME_BAD || v == FRAME_BIG)
			return false;
	}
}

/* Push in pieces: the first of `first` bytes, the others of `step` */
static char *run(struct sl in, size_t first, size_t step)
{
	struct trace t = {0};
	struct frame f;
	size_t pos = 0, n = first;

	trace_add(&t, FRAME_MORE, SL_NONE, "begin");
	frame_init(&f, SIP_MAX_MSG);
	while (pos < in.n) {
		if (n > in.n - pos)
			n = in.n - pos;
		cr_assert_eq(frame_push(&f, in.p + pos, n, pos), 0);
		pos += n;
		n = step;
		if (!drain(&f, &t))
			break;
	}
	frame_free(&f);
	return t.p;
}

static void same_at_every_cut(struct sl in)
{
	char *whole = run(in, in.n, in.n), *got;

	for (size_t cut = 1; cut < in.n; cut++) {
		got = run(in, cut, in.n);
		cr_assert_str_eq(got, whole, "cut at %zu", cut);
		free(got);
	}
	got = run(in, 1, 1);
	cr_assert_str_eq(got, whole);
	free(got);
	free(whole);
}

Test(frame, torture_messages_are_the_same_at_every_cut)
{
	FILE *f = expect_open();
	struct expect x;

	while (expect_next(f, &x)) {
		size_t len;
		char *mem = torture(x.name, &len);

		same_at_every_cut(sl_mk(mem, len));
		free(mem);
	}
	fclose(f);
}

Test(frame, pipeline_is_the_same_at_every_cut)
{
	struct buf b;
	char *t, *p;
	char filler[200];
	unsigned n = 0;

	memset(filler, 'f', sizeof(filler));
	buf_init(&b, 65536);
	for (unsigned i = 0; i < 50; i++) {
		buf_printf(&b, "%sOPTIONS sip:%u SIP/2.0\r\nX: %.*s\r\n"
			   "%s: %u\r\n\r\n%.*s", i % 7 == 3 ? "\r\n\r\n" :
			   i % 5 == 2 ? "\r\n" : "", i, (int)(i * 3), filler,
			   i % 2 ? "l" : "Content-Length", i, (int)i,
			   "\r\n\r\nOPTIONS sip:b SIP/2.0\r\nl: 99\r\n\r\n1234567890abcdef");
	}
	same_at_every_cut(buf_as_sl(&b));
	t = run(buf_as_sl(&b), 1, 7);
	for (p = t; (p = strstr(p, "\n1 ")); p++)
		n++;
	cr_assert_eq(n, 50, "%s", t);
	free(t);
	buf_free(&b);
}

static enum frame_verdict first(const char *txt, uint32_t max, const char **why,
				struct sl *msg, struct frame *f)
{
	frame_init(f, max);
	cr_assert_eq(frame_push(f, txt, strlen(txt), 5), 0);
	*why = "";
	return frame_next(f, msg, why);
}

Test(frame, what_cannot_be_framed)
{
	static const struct {
		const char *txt;
		enum frame_verdict v;
		const char *why;
	} v[] = {
		{"A\r\nl: 0\r\n\r\n", FRAME_MSG, ""},
		{"A\r\nl:\r\n 0\r\n\r\n", FRAME_MSG, ""},
		{"A\r\nContent-LENGTH\t: 0\r\nl: 0\r\n\r\n", FRAME_MSG, ""},
		{"A\r\n\r\n", FRAME_BAD, "No Content-Length"},
		{"A\r\nX: y\r\n l: 0\r\n\r\n", FRAME_BAD, "No Content-Length"},
		{"A\r\nl\r\n : 0\r\n\r\n", FRAME_BAD, "No Content-Length"},
		{"A\r\nl: -1\r\n\r\n", FRAME_BAD, "Bad Content-Length"},
		{"A\r\nl:\r\n\r\n", FRAME_BAD, "Bad Content-Length"},
		{"A\r\nl: 1 2\r\n\r\n", FRAME_BAD, "Bad Content-Length"},
		{"A\r\nl: 1\r\n 2\r\n\r\n", FRAME_BAD, "Bad Content-Length"},
		{"A\r\nl: 1\r\n\t2\r\n\r\n", FRAME_BAD, "Bad Content-Length"},
		{"A\r\nl: 1, 1\r\n\r\n", FRAME_BAD, "Bad Content-Length"},
		{"A\r\nl: 4294967296\r\n\r\n", FRAME_BAD, "Bad Content-Length"},
		{"A\r\nl: 1\r\nl: 2\r\n\r\n", FRAME_BAD,
		 "Several Content-Length"},
		{"A\r\nl: 4294967295\r\n\r\n", FRAME_BIG, "Message Too Large"},
		{"A\r\nl: 190\r\n\r\n", FRAME_BIG, "Message Too Large"},
		{"A\nl: 0\r\n\r\n", FRAME_BAD, "Line End Without CR"},
		{"A\r\nl: 0\n\n", FRAME_BAD, "Line End Without CR"},
		{"A\r\nl: 0\r\n\n", FRAME_BAD, "Line End Without CR"},
		{"A\r\nl: 0\r\n\r", FRAME_MORE, ""},
		{"A\r\nl: 1\r\n\r\n", FRAME_MORE, ""},
		{"\r\n", FRAME_MORE, ""},
		{"\r\n\r\n", FRAME_PING, ""},
		{"\r\n\r\nA\r\nl: 0\r\n\r\n", FRAME_PING, ""},
		{"\r\nA\r\nl: 0\r\n\r\n", FRAME_MSG, ""},
		{"\n\r\r\n\r\n", FRAME_PING, ""},
	};

	for (unsigned i = 0; i < LEN(v); i++) {
		struct frame f;
		struct sl msg;
		const char *why;
		enum frame_verdict got = first(v[i].txt, 200, &why, &msg, &f);

		cr_expect_eq(got, v[i].v, "%u: %d %s", i, got, why);
		cr_expect_str_eq(why, v[i].why, "%u: %s", i, why);
		if (got == FRAME_BAD || got == FRAME_BIG)
			cr_expect_eq(frame_next(&f, &msg, &why), got);
		frame_free(&f);
	}
}

Test(frame, an_endless_head_is_too_big)
{
	static char line[1024];
	struct frame f;
	struct sl msg;
	const char *why;
	enum frame_verdict v = FRAME_MORE;
	unsigned n = 0;

	memset(line, 'x', sizeof(line));
	frame_init(&f, SIP_MAX_MSG);
	while (v == FRAME_MORE && n++ < 100) {
		cr_assert_eq(frame_push(&f, line, sizeof(line), 0), 0);
		v = frame_next(&f, &msg, &why);
	}
	cr_assert_eq(v, FRAME_BIG);
	cr_assert_eq(n, 17);
	frame_free(&f);
}

Test(frame, more_than_the_buffer_is_refused)
{
	static char body[65536];
	struct frame f;
	int err = 0;
	unsigned n = 0;

	frame_init(&f, 1000);
	while (!err && n++ < 100)
		err = frame_push(&f, body, sizeof(body), 0);
	cr_assert_eq(err, ENOSPC);
	cr_assert_leq(n, 3);
	frame_free(&f);
}

Test(frame, tells_when_a_message_began)
{
	static const char txt[] = "A\r\nl: 2\r\n\r\nxx";
	struct frame f;
	struct sl msg;
	const char *why;

	frame_init(&f, 1000);
	cr_assert_eq(f.first_at, UINT64_MAX);
	frame_push(&f, "\r\n", 2, 10);
	cr_assert_eq(frame_next(&f, &msg, &why), FRAME_MORE);
	cr_assert_eq(f.first_at, UINT64_MAX);
	frame_push(&f, txt, 4, 20);
	cr_assert_eq(frame_next(&f, &msg, &why), FRAME_MORE);
	frame_push(&f, txt + 4, sizeof(txt) - 5, 30);
	cr_assert_eq(f.first_at, 20);
	frame_push(&f, "A", 1, 40);
	cr_assert_eq(frame_next(&f, &msg, &why), FRAME_MSG);
	cr_assert_eq(f.first_at, 40);
	frame_free(&f);
}
