/* badpeer_frame.c - Shell. Frames of a hostile peer. Most are right in the
 * large and wrong in one place: what is wrong all over is refused at once. */
#include <stdio.h>
#include <stdlib.h>
#include "base/clk.h"
#include "tests/hostile/badpeer.h"

static uint32_t below(struct bad *b, uint32_t n)
{
	return rng_below(&b->rng, n);
}

/* Numbers at the edges of something */
static uint64_t number(struct bad *b)
{
	static const uint64_t edge[] = { 0, 1, 2, 255, 256, 511, 512, 513,
		4096, 65535, 65536, UINT32_MAX, 1ull << 63, UINT64_MAX - 1,
		UINT64_MAX };

	switch (below(b, 4)) {
	case 0:
		return edge[below(b, sizeof(edge) / sizeof(edge[0]))];
	case 1:
		return rng_u64(&b->rng);
	case 2:
		return b->have + below(b, 4);
	default:
		return below(b, 1000);
	}
}

static struct stamp stamp(struct bad *b)
{
	static const int64_t off[] = { 0, 0, 0, 0, -1000, -3600000, 59000,
				       61000, 86400000 };
	uint64_t ms = clk_wall() + (uint64_t)off[below(b, b->own ? 6 : 9)];

	return (struct stamp){ ms << 16 | below(b, 4),
			       0xbad0 + below(b, 4) };
}

/* A record of ours, sound or nearly so */
static void record(struct bad *b, struct buf *packed)
{
	static const uint8_t junk[300];
	char aor[64], key[64];
	struct record r = { .n = (uint8_t)(1 + below(b, REC_LINEAGES)) };
	struct buf t;

	r.aor = sl_mk(aor, (size_t)snprintf(aor, sizeof(aor),
					    "bad%u@example.com",
					    below(b, 5000)));
	r.key = sl_mk(key, (size_t)snprintf(key, sizeof(key), "sip:x@h%u",
					    below(b, 4)));
	r.hold = clk_wall() + below(b, 7200000);
	if (!below(b, 8))
		r.kill = stamp(b);
	for (uint8_t i = 0; i < r.n; i++) {
		struct rec_entry *e = &r.e[i];

		e->lineage = (uint64_t)below(b, 6) << 8;
		e->cseq = (uint32_t)number(b);
		e->dead = !below(b, 4);
		e->has_value = !e->dead;
		e->vstamp = stamp(b);
		e->gstamp = e->vstamp;
		e->expires = clk_wall() + below(b, 3600000);
		e->value = sl_mk(junk, e->has_value ? below(b, 300) : 0);
	}
	buf_init(&t, REC_SIZE_MAX);
	record_encode(&t, &r);
	if (!t.err)
		buf_sl(packed, buf_as_sl(&t));
	buf_free(&t);
}

static void put_n(struct bad *b, uint64_t v, unsigned bytes)
{
	while (bytes--)
		buf_chr(&b->out, (char)(v >> 8 * bytes));
}

static void records(struct bad *b)
{
	struct buf one;
	uint32_t n = below(b, 20);

	put_n(b, below(b, 8) ? n : number(b), 2);
	for (uint32_t i = 0; i < n; i++) {
		buf_init(&one, REC_SIZE_MAX);
		record(b, &one);
		put_n(b, below(b, 50) ? one.n : number(b), 2);
		buf_sl(&b->out, buf_as_sl(&one));
		buf_free(&one);
	}
}

/* By the layouts of docs/cluster-protocol.md 5 */
static uint8_t payload(struct bad *b)
{
	static const uint8_t types[] = { WIRE_HEARTBEAT, WIRE_PUSH, WIRE_PUSH,
		WIRE_ACK, WIRE_ASK, WIRE_DIGEST, WIRE_WANT, WIRE_DATA,
		WIRE_DONE, WIRE_HELLO, WIRE_HELLO_ACK, WIRE_BYE, WIRE_ERROR };
	uint8_t t = types[below(b, sizeof(types))];
	uint32_t n;

	switch (t) {
	case WIRE_PUSH:
		put_n(b, below(b, 4) ? b->push : number(b), 8);
		put_n(b, below(b, 4) ? ++b->push : number(b), 8);
		records(b);
		return t;
	case WIRE_DATA:
		put_n(b, number(b), 4);
		records(b);
		return t;
	case WIRE_ASK:
		put_n(b, number(b), 4);
		put_n(b, below(b, 3), 1);
		put_n(b, below(b, 256), 1);
		return t;
	case WIRE_WANT:
	case WIRE_DONE:
		put_n(b, number(b), 4);
		put_n(b, n = below(b, 65536), 2);
		put_n(b, below(b, 3) ? n : below(b, 65536), 2);
		put_n(b, n = below(b, 300), 2);
		for (n *= t == WIRE_WANT ? 8 : 2; n; n--)
			put_n(b, below(b, 256), 1);
		return t;
	default:
		for (n = below(b, 12); n; n--)
			put_n(b, number(b), 1u << below(b, 4));
		return below(b, 20) ? t : (uint8_t)below(b, 256);
	}
}

static void change(struct bad *b, uint8_t *p, size_t n)
{
	for (uint32_t k = below(b, 4); n && k; k--)
		p[below(b, (uint32_t)n)] = below(b, 2) ?
			(uint8_t)below(b, 256) : (uint8_t)number(b);
}

/* One of the node's own frames, changed: header and CRC are made anew */
static bool echo(struct bad *b)
{
	const struct buf *k;
	size_t at;
	uint8_t type;

	if (!b->n_kept)
		return false;
	k = &b->kept[below(b, b->n_kept)];
	if (k->n < WIRE_HEAD)
		return false;
	type = k->p[3];
	if (type == WIRE_MEMBERS && !b->members)
		return false;
	/* its records are those of others */
	if (b->own && (type == WIRE_PUSH || type == WIRE_DATA))
		return false;
	at = wire_begin(&b->out, type, (uint16_t)below(b, 3));
	buf_sl(&b->out, sl_sub(buf_as_sl(k), WIRE_HEAD, k->n));
	if (b->out.n > at + WIRE_HEAD)
		change(b, b->out.p + at + WIRE_HEAD,
		       b->out.n - at - WIRE_HEAD);
	wire_end(&b->out, at);
	return true;
}

void bad_frame(struct bad *b)
{
	size_t at = b->out.n;
	uint8_t type;

	b->sent++;
	if (!below(b, 3) && echo(b))
		return;
	(void)wire_begin(&b->out, WIRE_ACK, (uint16_t)below(b, 3));
	type = payload(b);
	if (b->out.err)
		die("a frame too large to make");
	b->out.p[at + 3] = type;
	if (!below(b, 4))
		buf_lit(&b->out, "\0\7\0\0\0\3xyz");      /* an option */
	if (!below(b, 8) && !b->own)
		change(b, b->out.p + at + WIRE_HEAD,
		       b->out.n - at - WIRE_HEAD);
	wire_end(&b->out, at);
	if (!below(b, 200))                /* header, or CRC */
		change(b, b->out.p + at, b->out.n - at);
	if (!below(b, 300) && b->out.n > at)
		b->out.n -= below(b, (uint32_t)(b->out.n - at));
}

void bad_push(struct bad *b, uint32_t n)
{
	size_t at = wire_push_begin(&b->out, b->push);
	static uint64_t serial;
	char aor[64];

	for (uint32_t i = 0; i < n; i++) {
		struct record r = { .n = 1, .key = SL("k") };
		struct buf t;

		r.aor = sl_mk(aor, (size_t)snprintf(aor, sizeof(aor),
			"flood%llu@example.com",
			(unsigned long long)serial++));
		r.hold = clk_wall() + 3600000;
		r.e[0] = (struct rec_entry){ .cseq = 1, .has_value = true,
			.vstamp = { clk_wall() << 16, 0xbad0 },
			.expires = clk_wall() + 3000000,
			.value = SL("junk of a peer that means harm, 50 bytes "
				    "of it...") };
		r.e[0].gstamp = r.e[0].vstamp;
		buf_init(&t, REC_SIZE_MAX);
		record_encode(&t, &r);
		wire_push_add(&b->out, buf_as_sl(&t));
		buf_free(&t);
	}
	b->push += n;
	wire_push_end(&b->out, at, b->push, (uint16_t)n);
	b->sent++;
}

void bad_beat(struct bad *b)
{
	struct wire_heartbeat *h = calloc(1, sizeof(*h));

	if (!h)
		die("no memory");
	h->state = CLUSTER_READY;
	h->wall = clk_wall();
	h->seq = h->fed = b->push;
	h->ack = 0;
	wire_heartbeat_encode(&b->out, h);
	b->sent++;
	free(h);
}
