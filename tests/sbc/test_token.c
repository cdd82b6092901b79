/* Sealed flow tokens. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "sbc/token.h"

static struct token_keys k;
static const uint8_t key1[32] = { 1 }, key2[32] = { 2 };

static void init(void)
{
	cr_assert_eq(secret_init(), 0);
	token_keys_init(&k, key1, NULL, 7);
}
TestSuite(token, .init = init);

static struct token make(uint8_t tp, const char *peer, enum token_kind kind)
{
	struct token t = { .kind = kind, .leg = TOKEN_CALLEE,
			   .flow = { .tp = tp, .lst = 3,
				     .conn = tp_stream(tp) ? 77 : 0 } };

	cr_assert_eq(addr_parse(&t.flow.peer, sl_cstr(peer), 5060), 0);
	return t;
}

static struct sl text(char *room, const struct token_keys *keys,
		      const struct token *t, const char *callid)
{
	struct buf b;

	buf_fixed(&b, room, TOKEN_MAX);
	token_put(&b, keys, t, sl_cstr(callid));
	cr_assert_eq(b.err, 0);
	return buf_as_sl(&b);
}

Test(token, every_form_comes_back_as_it_was_sealed)
{
	static const char *const peers[] = {
		"192.0.2.7:5060", "[2001:db8::1]:65535", "0.0.0.0:0",
	};
	char room[TOKEN_MAX];

	for (size_t p = 0; p < 3; p++)
		for (uint8_t tp = TP_UDP; tp < TP_N; tp++)
			for (int kind = 1; kind <= 2; kind++) {
				struct token t = make(tp, peers[p], kind), u;
				struct sl s = text(room, &k, &t, "c1");

				cr_assert_eq(token_open(&u, &k, s, kind,
							SL("c1")), TOKEN_OK);
				cr_expect(flow_eq(&u.flow, &t.flow));
				cr_expect_eq(u.leg, t.leg);
				cr_expect_eq(u.kind, t.kind);
			}
}

Test(token, text_is_safe_in_a_user_part_and_tells_nothing)
{
	struct token t = make(TP_UDP, "192.0.2.7:5060", TOKEN_RR);
	char room[TOKEN_MAX];
	struct sl s = text(room, &k, &t, "c1");

	for (size_t i = 0; i < s.n; i++)
		cr_expect(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopq"
				 "rstuvwxyz0123456789-_", s.p[i]));
}

Test(token, same_input_same_text_and_other_call_other_text)
{
	struct token t = make(TP_UDP, "192.0.2.7:5060", TOKEN_RR);
	char r1[TOKEN_MAX], r2[TOKEN_MAX], r3[TOKEN_MAX];

	cr_expect(sl_eq(text(r1, &k, &t, "c1"), text(r2, &k, &t, "c1")));
	cr_expect_not(sl_eq(text(r1, &k, &t, "c1"), text(r3, &k, &t, "c2")));
}

Test(token, record_route_token_is_refused_in_another_call)
{
	struct token t = make(TP_UDP, "192.0.2.7:5060", TOKEN_RR), u;
	char room[TOKEN_MAX];
	struct sl s = text(room, &k, &t, "c1");

	cr_expect_eq(token_open(&u, &k, s, TOKEN_RR, SL("c2")),
		     TOKEN_MISUSED);
	cr_expect_eq(token_open(&u, &k, s, TOKEN_RR, SL("")), TOKEN_MISUSED);
}

Test(token, kinds_do_not_replace_each_other)
{
	struct token p = make(TP_UDP, "192.0.2.7:5060", TOKEN_PATH), u;
	struct token r = make(TP_UDP, "192.0.2.7:5060", TOKEN_RR);
	char room[TOKEN_MAX];

	cr_expect_eq(token_open(&u, &k, text(room, &k, &p, ""), TOKEN_RR,
				SL("")), TOKEN_MISUSED);
	cr_expect_eq(token_open(&u, &k, text(room, &k, &r, ""), TOKEN_PATH,
				SL("")), TOKEN_MISUSED);
}

Test(token, every_changed_character_is_noticed)
{
	struct token t = make(TP_TCP, "192.0.2.7:5060", TOKEN_RR), u;
	char room[TOKEN_MAX];
	struct sl s = text(room, &k, &t, "c1");

	for (size_t i = 0; i < s.n; i++) {
		char was = room[i];

		room[i] = was == 'A' ? 'B' : 'A';
		cr_expect_eq(token_open(&u, &k, s, TOKEN_RR, SL("c1")),
			     TOKEN_FORGED, "at %zu", i);
		room[i] = was;
	}
}

Test(token, every_cut_is_noticed)
{
	struct token t = make(TP_TCP, "192.0.2.7:5060", TOKEN_RR), u;
	char room[TOKEN_MAX];
	struct sl s = text(room, &k, &t, "c1");

	for (size_t n = 0; n < s.n; n++)
		cr_expect_eq(token_open(&u, &k, sl_sub(s, 0, n), TOKEN_RR,
					SL("c1")), TOKEN_FORGED);
}

Test(token, anothers_key_makes_no_token)
{
	struct token t = make(TP_UDP, "192.0.2.7:5060", TOKEN_PATH), u;
	struct token_keys o;
	char room[TOKEN_MAX];

	token_keys_init(&o, key2, NULL, 7);
	cr_expect_eq(token_open(&u, &k, text(room, &o, &t, ""), TOKEN_PATH,
				SL_NONE), TOKEN_FORGED);
}

Test(token, previous_key_still_opens)
{
	struct token t = make(TP_UDP, "192.0.2.7:5060", TOKEN_RR), u;
	struct token_keys n;
	char room[TOKEN_MAX];
	struct sl s = text(room, &k, &t, "c1");

	token_keys_init(&n, key2, key1, 7);
	cr_expect_eq(token_open(&u, &n, s, TOKEN_RR, SL("c1")), TOKEN_OK);
	cr_expect_eq(token_open(&u, &n, s, TOKEN_RR, SL("c2")),
		     TOKEN_MISUSED);
}

Test(token, stream_of_an_earlier_process_is_stale_a_datagram_is_not)
{
	struct token t = make(TP_TCP, "192.0.2.7:5060", TOKEN_PATH), u;
	struct token d = make(TP_UDP, "192.0.2.7:5060", TOKEN_PATH);
	struct token_keys later;
	char room[TOKEN_MAX];

	token_keys_init(&later, key1, NULL, 8);
	cr_expect_eq(token_open(&u, &later, text(room, &k, &t, ""),
				TOKEN_PATH, SL_NONE), TOKEN_STALE);
	cr_expect_eq(token_open(&u, &later, text(room, &k, &d, ""),
				TOKEN_PATH, SL_NONE), TOKEN_OK);
}

Test(token, junk_is_forged)
{
	static const char *const junk[] = {
		"", "A", "alice", "%41%41", "====", "a b", "\x01\x02",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
	};
	struct token u;

	for (size_t i = 0; i < sizeof(junk) / sizeof(*junk); i++)
		cr_expect_eq(token_open(&u, &k, sl_cstr(junk[i]), TOKEN_PATH,
					SL_NONE), TOKEN_FORGED, "%zu", i);
}

Test(token, memo_changes_nothing_but_the_price)
{
	static struct token_memos memo;
	struct token t = make(TP_TCP, "192.0.2.7:5060", TOKEN_RR), u;
	struct token_keys with = k, old, both;
	char room[TOKEN_MAX], bad[TOKEN_MAX], r2[TOKEN_MAX];
	struct sl s;

	with.memo = &memo;
	s = text(room, &with, &t, "c1");
	cr_expect_eq(token_open(&u, &with, s, TOKEN_RR, SL("c1")), TOKEN_OK);
	cr_expect(flow_eq(&u.flow, &t.flow));
	cr_expect_eq(token_open(&u, &with, s, TOKEN_RR, SL("c2")),
		     TOKEN_MISUSED);
	cr_expect_eq(token_open(&u, &with, s, TOKEN_PATH, SL_NONE),
		     TOKEN_MISUSED);
	/* same place in the table, other text */
	for (size_t i = 0; i < s.n; i++) {
		memcpy(bad, s.p, s.n);
		bad[i] = bad[i] == 'A' ? 'B' : 'A';
		cr_expect_eq(token_open(&u, &with, sl_mk(bad, s.n), TOKEN_RR,
					SL("c1")), TOKEN_FORGED);
	}
	/* sealed by the previous key: the Call-ID's hash is of that key, too */
	token_keys_init(&old, key2, NULL, 7);
	token_keys_init(&both, key1, key2, 7);
	memset(&memo, 0, sizeof(memo));
	both.memo = &memo;
	s = text(r2, &old, &t, "c1");
	for (int i = 0; i < 2; i++)
		cr_expect_eq(token_open(&u, &both, s, TOKEN_RR, SL("c1")),
			     TOKEN_OK);
}

Test(token, memo_of_one_call_opens_no_other)
{
	static struct token_memos memo;
	struct token t = make(TP_TCP, "192.0.2.7:5060", TOKEN_RR), u;
	struct token_keys with = k;
	char room[TOKEN_MAX], longer[TOKEN_CALL + 1];
	struct sl s, l;

	with.memo = &memo;
	for (int i = 0; i < 2; i++) {
		/* made here, then by another process: opened first, then known */
		s = text(room, i ? &k : &with, &t, "call");
		memset(&memo, 0, i ? sizeof(memo) : 0);
		for (int n = 0; n < 3; n++) {
			cr_expect_eq(token_open(&u, &with, s, TOKEN_RR,
						SL("call")), TOKEN_OK);
			cr_expect_eq(token_open(&u, &with, s, TOKEN_RR,
						SL("cal")), TOKEN_MISUSED);
			cr_expect_eq(token_open(&u, &with, s, TOKEN_RR,
						SL("calm")), TOKEN_MISUSED);
			cr_expect_eq(token_open(&u, &with, s, TOKEN_RR,
						SL("caller")), TOKEN_MISUSED);
			cr_expect_eq(token_open(&u, &with, s, TOKEN_RR,
						SL_NONE), TOKEN_MISUSED);
		}
	}
	/* too long to be kept: two that differ at the end only */
	memset(longer, 'x', sizeof(longer));
	l = sl_mk(longer, sizeof(longer));
	s = text(room, &with, &t, "call");
	for (int n = 0; n < 2; n++)
		cr_expect_eq(token_open(&u, &with, s, TOKEN_RR, l),
			     TOKEN_MISUSED);
	longer[TOKEN_CALL] = '\0';
	s = text(room, &with, &t, longer);
	for (int n = 0; n < 2; n++) {
		cr_expect_eq(token_open(&u, &with, s, TOKEN_RR,
					sl_cstr(longer)), TOKEN_OK);
		cr_expect_eq(token_open(&u, &with, s, TOKEN_RR, l),
			     TOKEN_MISUSED);
	}
}

/** The place in memo that is in use; a token put there leaves it the only one */
static size_t used(const struct token_memos *memo)
{
	size_t i = 0;

	while (i < TOKEN_MEMOS && !memo->v[i].n)
		i++;
	return i;
}

Test(token, memo_makes_the_same_tokens)
{
	/* the second is as long as the first, the last two are too long to keep */
	static const char *const call[] = {
		"c1", "c2", "c1", "c10", "c2", "",
		"0123456789012345678901234567890123456789012345678901234567890123"
		"1",
		"0123456789012345678901234567890123456789012345678901234567890123"
		"2",
	};
	static struct token_memos memo;
	struct token t = make(TP_UDP, "192.0.2.7:5060", TOKEN_RR);
	struct token_keys with = k;
	char r1[TOKEN_MAX], r2[TOKEN_MAX];

	with.memo = &memo;
	for (size_t i = 0; i < sizeof(call) / sizeof(*call); i++)
		for (int leg = 0; leg < 2; leg++) {
			t.leg = leg ? TOKEN_CALLEE : TOKEN_CALLER;
			cr_expect(sl_eq(text(r1, &with, &t, call[i]),
					text(r2, &k, &t, call[i])), "%s",
				  call[i]);
		}
}

Test(token, memo_of_a_place_taken_over_knows_no_call)
{
	static struct token_memos memo;
	struct token t = make(TP_TCP, "192.0.2.7:5060", TOKEN_RR), u;
	struct token_keys with = k;
	char room[TOKEN_MAX], other[TOKEN_MAX], id[16];
	struct sl s, o;
	size_t at, found = TOKEN_MEMOS;

	with.memo = &memo;
	s = text(room, &with, &t, "first");
	at = used(&memo);
	for (unsigned i = 0; i < 100000 && found != at; i++) {
		memset(&memo, 0, sizeof(memo));
		snprintf(id, sizeof(id), "c%u", i);
		o = text(other, &with, &t, id);
		found = used(&memo);
	}
	cr_assert_eq(found, at);
	memset(&memo, 0, sizeof(memo));
	cr_assert_eq(token_open(&u, &with, s, TOKEN_RR, SL("first")), TOKEN_OK);
	cr_expect_eq(token_open(&u, &with, o, TOKEN_RR, SL("first")),
		     TOKEN_MISUSED);
	cr_expect_eq(token_open(&u, &with, o, TOKEN_RR, sl_cstr(id)), TOKEN_OK);
}

Test(token, identity_comes_back_with_every_form_of_a_stream_only)
{
	char room[TOKEN_MAX];
	struct token u;

	for (uint8_t tp = TP_UDP; tp < TP_N; tp++)
		for (int kind = 1; kind <= 2; kind++) {
			struct token t = make(tp, "[2001:db8::1]:5060", kind);

			t.id = 0x0123456789abcdefull;
			cr_assert_eq(token_open(&u, &k,
						text(room, &k, &t, "c1"),
						kind, SL("c1")), TOKEN_OK);
			cr_expect_eq(u.id, tp_stream(tp) ? t.id : 0);
			cr_expect(flow_eq(&u.flow, &t.flow));
			cr_expect_eq(u.leg, TOKEN_CALLEE);
		}
}

Test(token, identity_of_the_previous_key_is_told_apart)
{
	struct token t = make(TP_TCP, "192.0.2.7:5060", TOKEN_RR), u;
	struct token_keys n;
	char room[TOKEN_MAX];
	struct sl s;

	t.id = 5;
	s = text(room, &k, &t, "c1");
	cr_assert_eq(token_open(&u, &k, s, TOKEN_RR, SL("c1")), TOKEN_OK);
	cr_expect_not(u.prev);
	token_keys_init(&n, key2, key1, 8);
	cr_assert_eq(token_open(&u, &n, s, TOKEN_RR, SL("c1")), TOKEN_STALE);
	cr_expect(u.prev);
	cr_expect_eq(u.id, 5);
}

/* Made by the version before tokens had an identity: key 1, boot 7, connection
 * 77 on listener 3 */
Test(token, tokens_of_the_version_before_still_open)
{
	static const struct {
		const char *txt, *peer;
		uint8_t tp;
		enum token_kind kind;
	} v[] = {
		{ "Xcu9hWqnHhy_QR2165p64GKnLqDeqlDu18SiH8Vm5lZ2yqLJe_c",
		  "192.0.2.7:5060", TP_UDP, TOKEN_PATH },
		{ "jij2uQQ8SkNX3beuPDHw3krjMGGRFdhMIOYPkzYV96pyh2pHg2stx42"
		  "XWDLUMQ",
		  "192.0.2.7:5060", TP_UDP, TOKEN_RR },
		{ "qQyeKQiQdUDaF9Jmd0fqy1bgqXoKackheONVkYHECWisbsMJrVRxNsB"
		  "dhSoP3g",
		  "192.0.2.7:5060", TP_TCP, TOKEN_PATH },
		{ "aLY4uFJyuS6ch-A3foRQOukM-huhpQyhu5Dgvf5FW_N9-jW03lFb6Rx"
		  "8Fch-q5db0lbDr626",
		  "192.0.2.7:5060", TP_TCP, TOKEN_RR },
		{ "b2MbiGZZsHTJsv9mAVCrN7SlgfwKjz-9LJsKLf1JWPzz1gT5t3A05LQ"
		  "D_1_jRJJ8sXc",
		  "[2001:db8::1]:65535", TP_UDP, TOKEN_PATH },
		{ "ooGaJMPlrsBPAOobYUGLJbNzAR958q1D29-BjbYbjK0YjZJJar2Xhxf"
		  "096GjPQUGiTIY7uoKV61pgA",
		  "[2001:db8::1]:65535", TP_UDP, TOKEN_RR },
		{ "SyYzEo92ex35KBHqowXjoaGlnxhVbE5tpNmfELbv5L9CF7BkhLev8zU"
		  "3ZggB4D80CaeJS_2mqtoMWw",
		  "[2001:db8::1]:65535", TP_TCP, TOKEN_PATH },
		{ "k6s4HR-IgcS7WPaGFjAhtX0Rvwm316oqz0m9ovc0licVpersAVryzqT"
		  "4lxtDROSoiUrQZ9jwHCseawGRAnghT7Xm",
		  "[2001:db8::1]:65535", TP_TCP, TOKEN_RR },
	};
	struct token u;

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		struct token t = make(v[i].tp, v[i].peer, v[i].kind);

		cr_assert_eq(token_open(&u, &k, sl_cstr(v[i].txt), v[i].kind,
					SL("c1")), TOKEN_OK, "%zu", i);
		cr_expect(flow_eq(&u.flow, &t.flow), "%zu", i);
		cr_expect_eq(u.leg, TOKEN_CALLEE);
		cr_expect_eq(u.id, 0);
	}
}

Test(token, hops_come_back_in_record_route_tokens_only)
{
	static struct token_memos memo;
	struct token t = make(TP_TCP, "[2001:db8::1]:5060", TOKEN_RR), u;
	struct token_keys with = k;
	char room[TOKEN_MAX];
	struct sl s;

	with.memo = &memo;
	t.id = 7;
	for (unsigned n = 1; n <= TOKEN_HOPS; n++) {
		t.hopn = (uint8_t)n;
		memset(t.hops, 'a' + (int)(n % 26), n);
		s = text(room, n & 1 ? &with : &k, &t, "c1");
		for (int i = 0; i < 2; i++) {
			cr_assert_eq(token_open(&u, &with, s, TOKEN_RR,
						SL("c1")), TOKEN_OK, "%u", n);
			cr_expect_eq(u.hopn, n);
			cr_expect_arr_eq(u.hops, t.hops, n);
			cr_expect_eq(u.id, 7);
			cr_expect(flow_eq(&u.flow, &t.flow));
		}
		cr_expect_eq(token_open(&u, &with, s, TOKEN_RR, SL("c2")),
			     TOKEN_MISUSED);
	}
	t.kind = TOKEN_PATH;
	s = text(room, &k, &t, "");
	cr_assert_eq(token_open(&u, &k, s, TOKEN_PATH, SL_NONE), TOKEN_OK);
	cr_expect_eq(u.hopn, 0);
}

Test(token, no_text_holds_the_name_of_a_header_that_clients_search_for)
{
	char room[TOKEN_MAX], moved[TOKEN_MAX + 1], id[16];
	struct token t = make(TP_UDP, "192.0.2.7:5060", TOKEN_RR), u;
	uint32_t spelled = 0;
	struct sl s;

	for (uint32_t i = 0; i < 400000 && spelled < 3; i++) {
		size_t at;

		snprintf(id, sizeof(id), "c%u", i);
		s = text(room, &k, &t, id);
		memcpy(moved, s.p, s.n);
		moved[s.n] = 0;
		cr_assert_null(strstr(moved, "CSeq"), "%s", id);
		at = sl_chr(s, '~');
		if (at == s.n)
			continue;
		spelled++;
		cr_expect_eq(token_open(&u, &k, s, TOKEN_RR, sl_cstr(id)),
			     TOKEN_OK);
		token_keys_init(&k, key1, NULL, 7);     /* no memo of it */
		cr_expect_eq(token_open(&u, &k, s, TOKEN_RR, sl_cstr(id)),
			     TOKEN_OK);
		/* anywhere else the mark makes it another text */
		memcpy(moved, s.p, s.n);
		moved[at] = moved[at - 1];
		moved[at - 1] = '~';
		cr_expect_eq(token_open(&u, &k, sl_mk(moved, s.n), TOKEN_RR,
					sl_cstr(id)), TOKEN_FORGED);
	}
	cr_expect_eq(spelled, 3, "%u of 400000", spelled);
}
