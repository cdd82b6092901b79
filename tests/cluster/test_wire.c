/* test_wire.c - frames: golden bytes, round trips, every truncation. */
#include <errno.h>
#include <stdlib.h>
#include <criterion/criterion.h>
#include "base/rng.h"
#include "cluster/crc.h"
#include "cluster/tlv.h"
#include "cluster/wire.h"

static struct sl payload(const struct buf *b)
{
	return sl_sub(buf_as_sl(b), WIRE_HEAD, b->n);
}

static void put_hello(struct buf *b)
{
	struct wire_hello h = { .min = 1, .max = 2, .node = 0x0102030405060708,
		.incarnation = 0x1112131415161718, .features = 3,
		.max_expires = 3600, .canon = 1, .wall = 0x2122,
		.name = "n1", .addr = { .af = 4, .port = 5080,
					.ip = { 127, 0, 0, 11 } } };

	memset(h.cluster, 0xcc, sizeof(h.cluster));
	wire_hello_encode(b, &h);
}

static void put_heartbeat(struct buf *b)
{
	struct wire_heartbeat h = { .beat = 1, .state = CLUSTER_READY,
		.majority = true, .wall = 2, .settings = 3, .users = 4,
		.seq = 9, .fed = 6, .ack = 7, .records = 8, .contacts = 5,
		.n = 2, .row = { { 21, true }, { 22, false } } };

	wire_heartbeat_encode(b, &h);
}

static void put_push(struct buf *b)
{
	size_t at = wire_push_begin(b, 5);

	wire_push_add(b, SL("first"));
	wire_push_add(b, SL("second"));
	wire_push_end(b, at, 9, 2);
}

/* docs/cluster-protocol.md 2.1 and 5.7: an ACK of 0x0102 */
static const uint8_t ack_golden[] = {
	'E', 'W', 1, 0x12, 0, 0, 0, 0, 0, 0, 0, 8, 0x39, 0x0d, 0x3d, 0xf0,
	0, 0, 0, 0, 0, 0, 1, 2,
};

Test(wire, a_frame_has_the_bytes_of_the_document)
{
	struct wire_ack a = { 0x0102 };
	struct buf b;

	buf_init(&b, 4096);
	wire_ack_encode(&b, &a);
	cr_assert_eq(b.n, sizeof(ack_golden));
	cr_assert_arr_eq(b.p, ack_golden, 12);
	cr_assert_arr_eq(b.p + 16, ack_golden + 16, 8);
	cr_assert_arr_eq(b.p + 12, ack_golden + 12, 4,
			 "crc %02x %02x %02x %02x", b.p[12], b.p[13], b.p[14],
			 b.p[15]);
	buf_free(&b);
}

/* docs/cluster-protocol.md 5.1, payload only */
Test(wire, a_hello_has_the_bytes_of_the_document)
{
	static const uint8_t want[] = {
		1, 2, 0, 0,
		0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc,
		0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc,
		1, 2, 3, 4, 5, 6, 7, 8,
		0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,
		0, 0, 0, 0, 0, 0, 0, 3,
		0, 0, 0x0e, 0x10, 0, 1, 0, 0, 0, 0, 0, 0, 0x21, 0x22,
		0, 1, 0, 0, 0, 2, 'n', '1',
		0, 2, 0, 0, 0, 7, 4, 0x13, 0xd8, 127, 0, 0, 11,
	};
	struct wire_hello h;
	struct buf b;

	buf_init(&b, 4096);
	put_hello(&b);
	cr_assert_eq(b.n, WIRE_HEAD + sizeof(want));
	cr_assert_arr_eq(b.p + WIRE_HEAD, want, sizeof(want));
	cr_assert_eq(wire_hello_decode(&h, payload(&b)), 0);
	cr_assert_str_eq(h.name, "n1");
	cr_assert_eq(h.addr.port, 5080);
	cr_assert_eq(h.incarnation, 0x1112131415161718);
	buf_free(&b);
}

Test(wire, crc_is_castagnoli_with_and_without_the_processor)
{
	uint8_t p[100];

	/* RFC 3720 B.4 */
	cr_assert_eq(crc_add(0, "123456789", 9), 0xe3069283);
	cr_assert_eq(crc_table(0, "123456789", 9), 0xe3069283);
	for (size_t i = 0; i < sizeof(p); i++)
		p[i] = (uint8_t)(i * 7);
	for (size_t n = 0; n <= sizeof(p); n++)
		cr_assert_eq(crc_add(9, p, n), crc_table(9, p, n));
}

Test(wire, heartbeat_and_the_small_ones_round_trip)
{
	struct wire_heartbeat h;
	struct wire_hello_ack a = { 1, 2, 3, 4, 5 }, a2;
	struct wire_error e = { 6, SL("no"), { 2, 77, 9 } }, e2;
	struct wire_bye y = { 1 }, y2;
	struct buf b;

	buf_init(&b, 4096);
	put_heartbeat(&b);
	cr_assert_eq(wire_heartbeat_decode(&h, payload(&b)), 0);
	cr_assert_eq(h.n, 2);
	cr_assert(h.row[0].hears && !h.row[1].hears);
	cr_assert(h.majority && !h.synced);
	cr_assert_eq(h.contacts, 5);
	buf_reset(&b);
	wire_hello_ack_encode(&b, &a);
	cr_assert_eq(wire_hello_ack_decode(&a2, payload(&b)), 0);
	cr_assert_eq(a2.version, 1);
	cr_assert_eq(a2.features, 2);
	cr_assert_eq(a2.incarnation, 3);
	cr_assert_eq(a2.have, 4);
	cr_assert_eq(a2.seq, 5);
	buf_reset(&b);
	wire_error_encode(&b, &e);
	cr_assert_eq(wire_error_decode(&e2, payload(&b)), 0);
	cr_assert(sl_eq(e2.text, e.text));
	cr_assert(e2.turn.n == 2 && e2.turn.at == 77 && e2.turn.by == 9);
	e.turn.n = 0;                 /* as version 1 has it */
	buf_reset(&b);
	wire_error_encode(&b, &e);
	cr_assert_eq(wire_error_decode(&e2, payload(&b)), 0);
	cr_assert_eq(e2.turn.n, 0);
	buf_reset(&b);
	wire_bye_encode(&b, &y);
	cr_assert_eq(wire_bye_decode(&y2, payload(&b)), 0);
	cr_assert_eq(y2.reason, 1);
	buf_free(&b);
}

Test(wire, push_gives_its_records_back_in_order)
{
	struct wire_push u;
	struct sl r;
	struct buf b;

	buf_init(&b, 4096);
	put_push(&b);
	cr_assert_eq(wire_push_decode(&u, payload(&b)), 0);
	cr_assert_eq(u.prev, 5);
	cr_assert_eq(u.last, 9);
	cr_assert(wire_push_next(&u, &r));
	cr_assert(sl_eq(r, SL("first")));
	cr_assert(wire_push_next(&u, &r));
	cr_assert(sl_eq(r, SL("second")));
	cr_assert_not(wire_push_next(&u, &r));
	buf_free(&b);
}

Test(wire, push_says_how_long_its_ack_may_wait_in_a_field_that_can_be_skipped)
{
	struct wire_push u;
	struct buf b;
	size_t at;

	buf_init(&b, 4096);
	put_push(&b);
	cr_assert_eq(wire_push_decode(&u, payload(&b)), 0);
	cr_assert_eq(u.wait, 0);
	buf_reset(&b);
	at = wire_push_begin(&b, 5);
	wire_push_add(&b, SL("first"));
	tlv_put(&b, 77, SL("from the future"));
	tlv_put(&b, 1, SL("another form"));
	wire_push_wait(&b, 0x1234);
	wire_push_end(&b, at, 9, 1);
	cr_assert_eq(wire_push_decode(&u, payload(&b)), 0);
	cr_assert_eq(u.wait, 0x1234);
	cr_assert_eq(u.n, 1);
	buf_reset(&b);
	at = wire_push_begin(&b, 5);
	wire_push_wait(&b, 20);
	tlv_put(&b, TLV_MUST | 77, SL_NONE);
	wire_push_end(&b, at, 9, 0);
	cr_assert_eq(wire_push_decode(&u, payload(&b)), EBADMSG);
	buf_free(&b);
}

static void put_digest(struct buf *b)
{
	struct wire_digest d = { .of = { 7, 1, 200 }, .records = 9 };

	for (int i = 0; i < WIRE_DIGESTS; i++)
		d.d[i] = (uint64_t)i << 40 | 5;
	wire_digest_encode(b, &d);
}

static void put_want(struct buf *b)
{
	const uint64_t known[2] = { 0x0102030405060708, 9 };
	struct wire_want w = { .round = 7, .first = 0x0301, .last = 0x03ff,
			       .n = 2 };

	wire_want_encode(b, &w, known);
}

static void put_data(struct buf *b)
{
	size_t at = wire_data_begin(b, 7);

	put_sl16(b, SL("first"));
	put_sl16(b, SL("second"));
	wire_data_end(b, at, 2);
}

static void put_done(struct buf *b)
{
	const uint16_t unknown[2] = { 0, 4000 };
	struct wire_done d = { .round = 7, .first = 3, .last = 4, .n = 2 };

	wire_done_encode(b, &d, unknown);
}

/* docs/cluster-protocol.md 5.10, payload only */
Test(wire, a_want_has_the_bytes_of_the_document)
{
	static const uint8_t want[] = {
		0, 0, 0, 7, 3, 1, 3, 0xff, 0, 2,
		1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 9,
	};
	struct wire_want w;
	struct buf b;

	buf_init(&b, 4096);
	put_want(&b);
	cr_assert_eq(b.n, WIRE_HEAD + sizeof(want));
	cr_assert_arr_eq(b.p + WIRE_HEAD, want, sizeof(want));
	cr_assert_eq(wire_want_decode(&w, payload(&b)), 0);
	cr_assert_eq(w.first, 0x0301);
	cr_assert_eq(w.last, 0x03ff);
	cr_assert_eq(wire_want_known(&w, 0), 0x0102030405060708);
	cr_assert_eq(wire_want_known(&w, 1), 9);
	buf_free(&b);
}

Test(wire, messages_of_version_2_round_trip)
{
	struct wire_digest d;
	struct wire_data t;
	struct wire_done e;
	struct sl r;
	struct buf b;

	buf_init(&b, 8192);
	put_digest(&b);
	cr_assert_eq(wire_digest_decode(&d, payload(&b)), 0);
	cr_assert(d.of.round == 7 && d.of.level == 1 && d.of.group == 200);
	cr_assert_eq(d.records, 9);
	cr_assert_eq(d.d[255], 255ull << 40 | 5);
	buf_reset(&b);
	put_data(&b);
	cr_assert_eq(wire_data_decode(&t, payload(&b)), 0);
	cr_assert_eq(t.round, 7);
	cr_assert(wire_data_next(&t, &r) && sl_eq(r, SL("first")));
	cr_assert(wire_data_next(&t, &r) && sl_eq(r, SL("second")));
	cr_assert_not(wire_data_next(&t, &r));
	buf_reset(&b);
	put_done(&b);
	cr_assert_eq(wire_done_decode(&e, payload(&b)), 0);
	cr_assert(e.round == 7 && e.first == 3 && e.last == 4 && e.n == 2);
	cr_assert_eq(wire_done_unknown(&e, 1), 4000);
	buf_free(&b);
}

/* A range is of one group and not backwards; there are two levels */
Test(wire, ranges_and_levels_that_make_no_sense_are_refused)
{
	static const uint16_t range[][2] = { { 5, 4 }, { 0xff, 0x100 },
					     { 0, 0xffff } };
	struct wire_want w = { .round = 1 };
	struct wire_ask a = { 1, 2, 0 };
	struct buf b;

	buf_init(&b, 4096);
	for (size_t i = 0; i < sizeof(range) / sizeof(range[0]); i++) {
		w.first = range[i][0];
		w.last = range[i][1];
		buf_reset(&b);
		wire_want_encode(&b, &w, NULL);
		cr_assert_eq(wire_want_decode(&w, payload(&b)), EBADMSG,
			     "%zu", i);
	}
	buf_reset(&b);
	wire_ask_encode(&b, &a);
	cr_assert_eq(wire_ask_decode(&a, payload(&b)), EBADMSG);
	a = (struct wire_ask){ 1, 0, 3 };
	buf_reset(&b);
	wire_ask_encode(&b, &a);
	cr_assert_eq(wire_ask_decode(&a, payload(&b)), EBADMSG);
	buf_free(&b);
}

/* What is written here with one entry more than allowed would be a sound list
 * without the limit */
Test(wire, a_list_has_no_more_than_its_limit)
{
	static const uint64_t v[WIRE_KNOWN + 1];
	static const uint16_t u[WIRE_KNOWN + 1];
	struct wire_done e = { .round = 1 }, de;
	struct wire_want w = { .round = 1 }, dw;
	struct wire_hint h = { .ms = 1 }, dh;
	struct buf b;

	_Static_assert(WIRE_HINTS == WIRE_KNOWN, "one size for all");
	buf_init(&b, 65536);
	for (unsigned more = 0; more <= 1; more++) {
		h.n = w.n = e.n = (uint16_t)(WIRE_KNOWN + more);
		buf_reset(&b);
		wire_hint_encode(&b, &h, v);
		cr_assert_eq(wire_hint_decode(&dh, payload(&b)) != 0, more);
		buf_reset(&b);
		wire_want_encode(&b, &w, v);
		cr_assert_eq(wire_want_decode(&dw, payload(&b)) != 0, more);
		buf_reset(&b);
		wire_done_encode(&b, &e, u);
		cr_assert_eq(wire_done_decode(&de, payload(&b)) != 0, more);
	}
	buf_free(&b);
}

Test(wire, a_frame_has_no_more_records_than_its_limit)
{
	struct wire_push du;
	struct wire_data dd;
	struct buf b;
	size_t at;

	buf_init(&b, 65536);
	for (uint16_t n = WIRE_PUSH_RECORDS; n <= WIRE_PUSH_RECORDS + 1; n++) {
		buf_reset(&b);
		at = wire_push_begin(&b, 1);
		for (uint16_t i = 0; i < n; i++)
			wire_push_add(&b, SL("r"));
		wire_push_end(&b, at, 2, n);
		cr_assert_eq(wire_push_decode(&du, payload(&b)) != 0,
			     n > WIRE_PUSH_RECORDS);
		buf_reset(&b);
		at = wire_data_begin(&b, 1);
		for (uint16_t i = 0; i < n; i++)
			wire_push_add(&b, SL("r"));
		wire_data_end(&b, at, n);
		cr_assert_eq(wire_data_decode(&dd, payload(&b)) != 0,
			     n > WIRE_PUSH_RECORDS);
	}
	buf_free(&b);
}

/* --- hostile bytes ------------------------------------------------------------------- */

static int decode_any(uint8_t type, struct sl p)
{
	struct wire_hello h;
	struct wire_hello_ack a;
	struct wire_heartbeat hb;
	struct wire_bye y;
	struct wire_error e;
	struct wire_push u;
	struct wire_ack k;
	struct wire_ask q;
	struct wire_digest d;
	struct wire_want w;
	struct wire_data t;
	struct wire_done o;
	struct wire_hint n;
	struct cur c;

	switch ((enum wire_type)type) {
	case WIRE_HELLO:
		return wire_hello_decode(&h, p);
	case WIRE_HELLO_ACK:
		return wire_hello_ack_decode(&a, p);
	case WIRE_HEARTBEAT:
		return wire_heartbeat_decode(&hb, p);
	case WIRE_BYE:
		return wire_bye_decode(&y, p);
	case WIRE_ERROR:
		return wire_error_decode(&e, p);
	case WIRE_MEMBERS:
		return wire_members_decode(&c, p);
	case WIRE_PUSH:
		return wire_push_decode(&u, p);
	case WIRE_ACK:
		return wire_ack_decode(&k, p);
	case WIRE_ASK:
		return wire_ask_decode(&q, p);
	case WIRE_DIGEST:
		return wire_digest_decode(&d, p);
	case WIRE_WANT:
		return wire_want_decode(&w, p);
	case WIRE_DATA:
		return wire_data_decode(&t, p);
	case WIRE_DONE:
		return wire_done_decode(&o, p);
	case WIRE_HINT:
		return wire_hint_decode(&n, p);
	}
	return EINVAL;
}

static void put_members(struct buf *b)
{
	static struct roster r;
	struct addr a = { .af = 4, .port = 5080, .ip = { 10, 0, 0, 1 } };

	memset(&r, 0, sizeof(r));
	cr_assert(roster_self(&r, 0x0a, "n1", &a, &a, 0x1234));
	wire_members_encode(b, &r);
}

static void put_any(struct buf *b, uint8_t type)
{
	struct wire_hello_ack a = { 1, 2, 3, 4, 5 };
	struct wire_error e = { 6, SL("no"), { 0 } };
	struct wire_bye y = { 1 };
	struct wire_ack k = { 3 };
	struct wire_ask q = { 7, 1, 3 };
	struct wire_hint h = { 60000, 2, SL_NONE };
	uint64_t v[] = { 0x0102030405060708, 0x11 };

	switch ((enum wire_type)type) {
	case WIRE_HELLO:
		put_hello(b);
		break;
	case WIRE_HELLO_ACK:
		wire_hello_ack_encode(b, &a);
		break;
	case WIRE_HEARTBEAT:
		put_heartbeat(b);
		break;
	case WIRE_BYE:
		wire_bye_encode(b, &y);
		break;
	case WIRE_ERROR:
		wire_error_encode(b, &e);
		break;
	case WIRE_MEMBERS:
		put_members(b);
		break;
	case WIRE_PUSH:
		put_push(b);
		break;
	case WIRE_ACK:
		wire_ack_encode(b, &k);
		break;
	case WIRE_ASK:
		wire_ask_encode(b, &q);
		break;
	case WIRE_DIGEST:
		put_digest(b);
		break;
	case WIRE_WANT:
		put_want(b);
		break;
	case WIRE_DATA:
		put_data(b);
		break;
	case WIRE_DONE:
		put_done(b);
		break;
	case WIRE_HINT:
		wire_hint_encode(b, &h, v);
		break;
	}
}

static const uint8_t types[] = { WIRE_HELLO, WIRE_HELLO_ACK, WIRE_HEARTBEAT,
				 WIRE_BYE, WIRE_ERROR, WIRE_MEMBERS,
				 WIRE_PUSH, WIRE_ACK,
				 WIRE_ASK, WIRE_DIGEST, WIRE_WANT, WIRE_DATA,
				 WIRE_DONE, WIRE_HINT };

/* A whole TLV less is a valid message: those two cuts of HELLO are right */
static bool may_pass(uint8_t type, size_t n, size_t full)
{
	return type == WIRE_HELLO && (n == full - 13 || n == full - 21);
}

Test(wire, every_truncation_of_every_type_is_refused)
{
	for (size_t t = 0; t < sizeof(types); t++) {
		struct buf b;
		struct sl p;

		buf_init(&b, 4096);
		put_any(&b, types[t]);
		p = payload(&b);
		cr_assert_eq(decode_any(types[t], p), 0);
		for (size_t n = 0; n < p.n; n++) {
			char *own = malloc(n + 1);

			memcpy(own, p.p, n);
			cr_assert_eq(decode_any(types[t], sl_mk(own, n)) == 0,
				     may_pass(types[t], n, p.n),
				     "%s at %zu", wire_type_name(types[t]),
				     n);
			free(own);
		}
		buf_free(&b);
	}
}

Test(wire, unknown_optional_fields_are_skipped_others_refused)
{
	for (size_t t = 0; t < sizeof(types); t++) {
		struct buf b;
		size_t n;

		buf_init(&b, 4096);
		put_any(&b, types[t]);
		n = b.n;
		tlv_put(&b, 0x0777, SL("later"));
		cr_assert_eq(decode_any(types[t], payload(&b)), 0, "%s",
			     wire_type_name(types[t]));
		b.n = n;
		tlv_put(&b, 0x8777, SL("later"));
		cr_assert_eq(decode_any(types[t], payload(&b)), EBADMSG, "%s",
			     wire_type_name(types[t]));
		buf_free(&b);
	}
}

Test(wire, every_cut_of_a_frame_waits_for_more)
{
	struct wire_head h;
	struct buf b;
	size_t total;

	buf_init(&b, 4096);
	put_push(&b);
	for (size_t n = 0; n < b.n; n++)
		cr_assert_eq(wire_frame(sl_mk(b.p, n), WIRE_MAX, &h, &total),
			     EAGAIN);
	cr_assert_eq(wire_frame(buf_as_sl(&b), WIRE_MAX, &h, &total), 0);
	cr_assert_eq(total, b.n);
	cr_assert_eq(h.type, WIRE_PUSH);
	cr_assert_eq(h.channel, WIRE_LIVE);
	buf_free(&b);
}

Test(wire, every_flipped_bit_is_noticed)
{
	struct wire_head h;
	struct buf b;
	size_t total;

	buf_init(&b, 4096);
	put_heartbeat(&b);
	for (size_t i = 0; i < b.n * 8; i++) {
		b.p[i / 8] ^= (uint8_t)(1u << i % 8);
		cr_assert_neq(wire_frame(buf_as_sl(&b), WIRE_MAX, &h, &total),
			      0, "bit %zu", i);
		b.p[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	buf_free(&b);
}

Test(wire, too_long_frames_are_refused_by_their_header)
{
	struct wire_head h;
	struct buf b;
	size_t total;

	buf_init(&b, 4096);
	put_push(&b);
	cr_assert_eq(wire_frame(sl_mk(b.p, WIRE_HEAD), 10, &h, &total),
		     ENOSPC);
	b.p[8] = 0x7f;
	cr_assert_eq(wire_frame(sl_mk(b.p, WIRE_HEAD), WIRE_MAX, &h, &total),
		     ENOSPC);
	b.p[3] = WIRE_HEARTBEAT;         /* control frames are shorter */
	b.p[8] = 0;
	b.p[9] = 1;
	b.p[10] = 1;
	cr_assert_eq(wire_frame(sl_mk(b.p, WIRE_HEAD), WIRE_MAX, &h, &total),
		     ENOSPC);
	cr_assert_eq(wire_frame(SL("GE"), WIRE_MAX, &h, &total), EBADMSG);
	buf_free(&b);
}

Test(wire, random_payloads_crash_nothing)
{
	struct rng r;

	rng_seed(&r, 7);
	for (int i = 0; i < 200000; i++) {
		size_t n = rng_below(&r, 120);
		char *p = malloc(n + 1);

		for (size_t k = 0; k < n; k++)
			p[k] = rng_below(&r, 3) ? 0 : (char)rng_u64(&r);
		(void)decode_any(types[rng_below(&r, sizeof(types))],
				 sl_mk(p, n));
		free(p);
	}
}

Test(wire, members_have_these_bytes)
{
	static const uint8_t want[] = {
		0, 1,                                /* n */
		0, 0, 0, 0, 0, 0, 0, 0x0a,           /* node */
		0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x12, 0x34,
		0, 0, 0, 0, 0, 0, 0, 0x0a,           /* turn: n, at, by */
		0, 0, 0, 1, 0, 34,                   /* version, info */
		0, 1, 0, 0, 0, 2, 'n', '1',
		0, 2, 0, 0, 0, 7, 4, 0x13, 0xd8, 10, 0, 0, 1,
		0, 3, 0, 0, 0, 7, 4, 0x13, 0xd8, 10, 0, 0, 1,
	};
	struct buf b;

	buf_init(&b, 4096);
	put_members(&b);
	cr_assert(sl_eq(payload(&b), sl_mk(want, sizeof(want))));
	buf_free(&b);
}

Test(wire, hello_tells_the_senders_turn_and_checks_it)
{
	struct wire_hello h = { .min = 1, .max = 2, .node = 9,
		.turn = { 3, 44, 8 } }, got;
	struct buf b;

	buf_init(&b, 4096);
	wire_hello_encode(&b, &h);
	cr_assert_eq(wire_hello_decode(&got, payload(&b)), 0);
	cr_assert(got.turn.n == 3 && got.turn.at == 44 && got.turn.by == 8);
	b.p[b.n - 20] = 0x80;         /* a turn that nobody comes to */
	cr_assert_eq(wire_hello_decode(&got, payload(&b)), EBADMSG);
	buf_reset(&b);
	h.turn.n = 0;
	wire_hello_encode(&b, &h);
	cr_assert_eq(wire_hello_decode(&got, payload(&b)), 0);
	cr_assert_eq(got.turn.n, 0);
	buf_free(&b);
}
