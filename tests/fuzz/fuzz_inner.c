/* fuzz_inner.c - what edges say to nodes beside calls, and STUN. First byte:
 * 'g' connections that ended, 'k' the answer to a batch of keep-alives, 'a' to
 * one of questions,
 * 's' a datagram that may be STUN. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/secret.h"
#include "node/gone.h"
#include "node/keep.h"
#include "node/proxy_i.h"
#include "sip/hop.h"
#include "sip/inner.h"
#include "sip/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N = 4 };
static const uint64_t wall = 1700000000000ull;

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* A user with one contact for each of the tokens */
static void bind(struct store *s, int u)
{
	char aor[32], key[16], path[64];

	(void)snprintf(aor, sizeof(aor), "u%d@example.com", u);
	for (int i = 0; i < N; i++) {
		struct binding b = { .uri = SL("sip:x@y"), .callid = SL("c") };
		struct buf v;

		(void)snprintf(key, sizeof(key), "k%d", i);
		(void)snprintf(path, sizeof(path), "<sip:t%d@192.0.2.1;lr>",
			       i);
		b.path = sl_cstr(path);
		buf_init(&v, 4096);
		must(!binding_encode(&v, &b));
		must(!store_put(s, sl_cstr(aor), sl_cstr(key), 256, 1,
				wall + 60000, buf_as_sl(&v), wall));
		buf_free(&v);
	}
}

static void gone(struct sl body)
{
	const struct store_conf sc = { .node = 1, .max_records = 100,
				       .max_per_aor = 10, .max_expires = 3600,
				       .guard = 10000 };
	struct location loc = { 0 };
	struct gone g = { .loc = &loc };

	must(!store_alloc(&loc.store, &sc, wall));
	bind(loc.store, 0);
	bind(loc.store, 1);
	gone_take(&g, body, wall);
	/* each contact goes once at most */
	must(store_stats(loc.store)->contacts + g.removed == 2 * N);
	store_free(loc.store);
}

static void told(const struct keep_one *o, const struct flow *hop,
		 const struct keep_said *said, void *arg)
{
	uint32_t *n = arg;

	(void)hop;
	must(said->fate != KEEP_ANSWERED ||
	     (said->code >= 200 && said->code <= 699));
	must(said->sent == KEEP_WAIT && o->hash == *n && o->aor.n == 1 && o->key.n == 2);
	++*n;
}

static void answer(struct keep *k, struct outq *q, struct sl body)
{
	struct sl type = k->asks ? SL(INNER_ASK) : SL(INNER_KEEP);
	struct sip_msg *m = calloc(2, sizeof(*m));
	struct sip_fault f;
	struct sip_out o;
	uint32_t n = 0;
	struct buf b;

	must(m && outq_poll(q, &o));
	must(!sip_scan(&m[0], o.blob->p, o.blob->n, false, &f));
	must(inner_is(&m[0], type));
	buf_init(&b, 200000);
	reply_write_body(&b, &m[0], &o.flow.peer, 200, SL("Kept"), SL("t"),
			 type, body);
	if (!b.err && !sip_scan(&m[1], b.p, b.n, false, &f)) {
		must(keep_response(k, &m[1], told, &n));
		must(n == N && !k->lines && k->dead <= N);
	}
	blob_unref(o.blob);
	buf_free(&b);
	free(m);
}

static void keep(struct sl body, bool asks)
{
	struct outq q;
	struct proxy p = { .out = &q, .sentby = "192.0.2.9:5060" };
	struct keep k = { .proxy = &p, .from = "sip:ping@x",
			  .asks = asks };
	struct flow hop = { .tp = TP_TCP };
	char token[8];

	must(!outq_init(&q, 10));
	must(!addr_parse(&hop.peer, SL("192.0.2.1:5070"), 0));
	keep_init(&k);
	for (uint32_t i = 0; i < N; i++) {
		struct keep_one o = { .aor = SL("a"),
				      .key = SL("kk"), .hash = i,
				      .uri = SL("sip:a@b") };

		(void)snprintf(token, sizeof(token), "t%u", i);
		o.token = sl_cstr(token);
		keep_add(&k, &hop, &o, 0);
	}
	keep_tick(&k, KEEP_WAIT, told, NULL);
	answer(&k, &q, body);
	keep_close(&k);
	outq_free(&q);
}

static void stun(struct sl d)
{
	struct addr a = { .af = 4, .port = 5060, .ip = { 192, 0, 2, 1 } };
	uint8_t mem[128];
	struct buf b;

	buf_fixed(&b, mem, sizeof(mem));
	if (stun_answer(&b, d, &a))
		return;
	must(stun_is_answer(buf_as_sl(&b)) && b.n <= d.n + 12);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sl in;

	log_init("fuzz", LOG_TO_NONE, LOG_LV_ERROR);
	must(!secret_init());
	if (!size)
		return 0;
	in = sl_mk(data + 1, size - 1);
	if (data[0] == 'g')
		gone(in);
	else if (data[0] == 'k')
		keep(in, false);
	else if (data[0] == 'a')
		keep(in, true);
	else if (data[0] == 's')
		stun(in);
	return 0;
}
