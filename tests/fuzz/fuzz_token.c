/* Flow tokens: any text may be opened; only what we sealed opens, and what opens
 * gives the same text again. */
#include <stdlib.h>

#include "sbc/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct token_keys *k, struct sl txt,
		  enum token_kind kind, struct sl callid)
{
	char room[TOKEN_MAX];
	struct token t;
	struct buf b;

	if (token_open(&t, k, txt, kind, callid) != TOKEN_OK)
		return;
	buf_fixed(&b, room, sizeof(room));
	token_put(&b, k, &t, callid);
	if (b.err || !sl_eq(buf_as_sl(&b), txt))
		abort();
}

/** Whatever is sealed opens again, and not elsewhere */
static void round_trip(const struct token_keys *k, const uint8_t *p, size_t n)
{
	struct token t = { .kind = n & 1 ? TOKEN_PATH : TOKEN_RR }, u;
	char room[TOKEN_MAX];
	struct sl callid;
	struct buf b;

	if (n < 28)
		return;
	t.leg = p[0] & 1;
	t.flow.tp = (uint8_t)(1 + p[1] % (TP_N - 1));
	t.flow.lst = p[2];
	if (tp_stream(t.flow.tp)) {
		memcpy(&t.flow.conn, p + 4, 4);
		memcpy(&t.id, p + 1, sizeof(t.id));
	}
	t.flow.peer.af = p[3] & 1 ? 6 : 4;
	memcpy(&t.flow.peer.port, p + 8, 2);
	memcpy(t.flow.peer.ip, p + 10, t.flow.peer.af == 6 ? 16 : 4);
	callid = sl_mk(p + 26, n - 26);
	buf_fixed(&b, room, sizeof(room));
	token_put(&b, k, &t, callid);
	if (b.err || token_open(&u, k, buf_as_sl(&b), t.kind, callid) ||
	    !flow_eq(&u.flow, &t.flow) || u.leg != t.leg || u.id != t.id)
		abort();
	if (token_open(&u, k, buf_as_sl(&b), t.kind ^ 3, callid) !=
	    TOKEN_MISUSED)
		abort();
	if (t.kind == TOKEN_RR &&
	    token_open(&u, k, buf_as_sl(&b), TOKEN_RR,
		       sl_sub(callid, 1, callid.n)) != TOKEN_MISUSED)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[32] = { 1 }, prev[32] = { 2 };
	static struct token_keys k;
	struct sl s = sl_mk(data, size);

	if (!k.has_prev) {
		if (secret_init())
			abort();
		token_keys_init(&k, key, prev, 1);
	}
	check(&k, s, TOKEN_PATH, SL_NONE);
	check(&k, s, TOKEN_RR, SL("c1"));
	round_trip(&k, data, size);
	return 0;
}
