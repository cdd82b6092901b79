/* fuzz_wire.c - the decoders of the cluster protocol, one by one. What is
 * accepted has one meaning: encoded, decoded and encoded again it gives the same
 * bytes. Input: type u8, payload; 0xff: bytes of a stream. */
#include <errno.h>
#include <stdlib.h>
#include "base/cur.h"
#include "cluster/roster.h"
#include "cluster/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static bool put_push(struct buf *b, struct sl p)
{
	struct wire_push u;
	struct sl r;
	size_t at;
	uint16_t n = 0;

	if (wire_push_decode(&u, p))
		return false;
	at = wire_push_begin(b, u.prev);
	for (uint16_t left = u.n; left > 0; left--) {
		check(wire_push_next(&u, &r));
		wire_push_add(b, r);
		n++;
	}
	check(!wire_push_next(&u, &r));
	if (u.wait)
		wire_push_wait(b, u.wait);
	wire_push_end(b, at, u.last, n);
	return true;
}

static bool put_data(struct buf *b, struct sl p)
{
	struct wire_data d;
	struct sl r;
	size_t at;
	uint16_t n = 0;

	if (wire_data_decode(&d, p))
		return false;
	at = wire_data_begin(b, d.round);
	for (; wire_data_next(&d, &r); n++)
		put_sl16(b, r);
	wire_data_end(b, at, n);
	return true;
}

static bool put_want(struct buf *b, struct sl p)
{
	static uint64_t known[WIRE_KNOWN];
	struct wire_want w;

	if (wire_want_decode(&w, p))
		return false;
	check(w.n <= WIRE_KNOWN && w.first <= w.last);
	for (uint16_t i = 0; i < w.n; i++)
		known[i] = wire_want_known(&w, i);
	wire_want_encode(b, &w, known);
	return true;
}

static bool put_done(struct buf *b, struct sl p)
{
	static uint16_t unknown[WIRE_KNOWN];
	struct wire_done d;

	if (wire_done_decode(&d, p))
		return false;
	check(d.n <= WIRE_KNOWN && d.first <= d.last);
	for (uint16_t i = 0; i < d.n; i++)
		unknown[i] = wire_done_unknown(&d, i);
	wire_done_encode(b, &d, unknown);
	return true;
}

static bool put_members(struct buf *b, struct sl p)
{
	struct roster *r;
	struct cur c;

	if (wire_members_decode(&c, p))
		return false;
	r = calloc(1, sizeof(*r));
	check(r != NULL);
	(void)roster_take(r, &c);
	check(r->n <= ROSTER_MAX && roster_members(r) <= CLUSTER_MAX);
	wire_members_encode(b, r);
	free(r);
	return true;
}

#define PLAIN(name)                                                     \
	static bool put_##name(struct buf *b, struct sl p)              \
	{                                                               \
		struct wire_##name x;                                   \
									\
		if (wire_##name##_decode(&x, p))                        \
			return false;                                   \
		wire_##name##_encode(b, &x);                            \
		return true;                                            \
	}

static bool put_hint(struct buf *b, struct sl p)
{
	static uint64_t v[WIRE_HINTS];
	struct wire_hint h;

	if (wire_hint_decode(&h, p))
		return false;
	check(h.n <= WIRE_HINTS);
	for (uint16_t i = 0; i < h.n; i++)
		v[i] = wire_hint_value(&h, i);
	wire_hint_encode(b, &h, v);
	return true;
}

PLAIN(hello)
PLAIN(hello_ack)
PLAIN(heartbeat)
PLAIN(bye)
PLAIN(error)
PLAIN(ack)
PLAIN(ask)
PLAIN(digest)

/* Decode and encode. @return was it accepted? */
static bool again(struct buf *b, uint8_t type, struct sl p)
{
	switch ((enum wire_type)type) {
	case WIRE_HELLO:     return put_hello(b, p);
	case WIRE_HELLO_ACK: return put_hello_ack(b, p);
	case WIRE_HEARTBEAT: return put_heartbeat(b, p);
	case WIRE_BYE:       return put_bye(b, p);
	case WIRE_ERROR:     return put_error(b, p);
	case WIRE_MEMBERS:   return put_members(b, p);
	case WIRE_PUSH:      return put_push(b, p);
	case WIRE_ACK:       return put_ack(b, p);
	case WIRE_ASK:       return put_ask(b, p);
	case WIRE_DIGEST:    return put_digest(b, p);
	case WIRE_WANT:      return put_want(b, p);
	case WIRE_DATA:      return put_data(b, p);
	case WIRE_DONE:      return put_done(b, p);
	case WIRE_HINT:      return put_hint(b, p);
	}
	return false;
}

static void frames(struct sl in)
{
	struct wire_head h;
	size_t total, at = 0;

	while (at < in.n && wire_frame(sl_sub(in, at, in.n), WIRE_MAX, &h,
				       &total) == 0) {
		check(total >= WIRE_HEAD && total <= in.n - at);
		at += total;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct wire_head h;
	struct buf one, two;
	size_t total;

	if (n == 0)
		return 0;
	if (p[0] == 0xff) {
		frames(sl_mk(p + 1, n - 1));
		return 0;
	}
	buf_init(&one, WIRE_MAX + WIRE_HEAD);
	buf_init(&two, WIRE_MAX + WIRE_HEAD);
	if (again(&one, p[0], sl_mk(p + 1, n - 1))) {
		check(one.err == 0);
		check(wire_frame(buf_as_sl(&one), WIRE_MAX, &h, &total) == 0);
		check(total == one.n && h.type == p[0]);
		check(again(&two, h.type, sl_sub(buf_as_sl(&one), WIRE_HEAD,
						 one.n)));
		check(sl_eq(buf_as_sl(&one), buf_as_sl(&two)));
	}
	buf_free(&one);
	buf_free(&two);
	return 0;
}
