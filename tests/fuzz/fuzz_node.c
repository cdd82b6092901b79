/* fuzz_node.c - a node's core between its sockets: a few messages, one after
 * the other, time passing in between; answers to what it sends. The first byte of
 * a piece tells what it is:
 *   0 message from the edge, as it is (UDP)   1 the same over a stream
 *   2 answer to the last request it sent: the piece is "SIP/2.0 ..." up to the
 *     first empty line, its Vias are taken from that request
 *   3 time passes: next two bytes [ms * 16]   4 the edge's stream is lost
 *   5 as 0, each `$` in it is the nonce of the last challenge
 *   6 what the database says of all who are to be looked up; next byte: bit 0 they
 *     are there, bit 1 it failed
 * Pieces are separated by the byte 0xff. Behind a first byte 0xfe clients are asked
 * for passwords, and users are in a database. */
#define _GNU_SOURCE             /* memmem */
#include <stdio.h>
#include <stdlib.h>
#include "base/log.h"
#include "base/secret.h"
#include "node/core.h"
#include "sip/hop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/** libconfig 1.5 loses some bytes of what it read */
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig";
}

struct world {
	struct node_config cf;
	struct stats *st;
	struct store *store;
	struct core *core;
	struct flow edge;
	struct blob *last;       /* last request that came out */
	char nonce[128];         /* of the last challenge */
	uint64_t now, wall;
};

static void must(int err)
{
	if (err)
		abort();
}

static void begin(struct world *w, bool auth)
{
	struct store_conf sc = { .node = 1, .max_records = 200,
				 .max_per_aor = 50, .max_expires = 3600,
				 .guard = 10000 };
	struct core_conf cc = { .cf = &w->cf, .lst_tcp = 1 };
	struct cfg_errs e = { 0 };

	must(node_config_read_mem(&w->cf, "f", auth
		? ("domains = ( { name = \"any\"; algorithms = ( \"MD5\", "
		   "\"SHA-256\" ); } ); users = \"sql\"; "
		   "limits = { max_transactions = 100; };")
		: ("auth = \"off\"; domains = \"any\"; "
		   "limits = { max_transactions = 100; };"), &e));
	w->now = 1000;
	w->wall = 1700000000000ull;
	must(stats_alloc(&w->st));
	must(store_alloc(&w->store, &sc, w->wall));
	cc.store = w->store;
	cc.self = w->cf.sip.address;
	must(core_alloc(&w->core, &cc, w->st, w->now));
	core_set_health(w->core, true, "", "state=ready");
	core_set_slots(w->core, NULL, true);
	must(addr_parse(&w->edge.peer, SL("127.0.0.1:5070"), 0));
}

static void keep_nonce(struct world *w, const struct blob *b)
{
	const char *p = memmem(b->p, b->n, "nonce=\"", 7);
	struct sl s;

	if (!p)
		return;
	s = sl_sub(sl_mk(b->p, b->n), (size_t)(p - (const char *)b->p) + 7,
		   b->n);
	s.n = sl_chr(s, '"');
	(void)snprintf(w->nonce, sizeof(w->nonce), "%.*s", SL_FMT(s));
}

static void drain(struct world *w)
{
	struct sip_out o;
	struct sip_msg *m = malloc(sizeof(*m));
	struct sip_fault f;

	while (core_poll(w->core, &o)) {
		if (o.kind != SIP_OUT_SEND)
			continue;
		if (!sip_scan(m, o.blob->p, o.blob->n, true, &f) && m->req) {
			blob_unref(w->last);
			w->last = blob_ref(o.blob);
		}
		keep_nonce(w, o.blob);
		blob_unref(o.blob);
	}
	free(m);
}

static void recv_bytes(struct world *w, const uint8_t *p, size_t n, bool tcp)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		return;
	memcpy(copy, p, n);
	w->edge.tp = tcp ? TP_TCP : TP_UDP;
	w->edge.lst = tcp;
	w->edge.conn = tcp;
	core_recv(w->core, &w->edge, sl_mk(copy, n), FRAME_MSG, NULL, w->now,
		  w->wall);
	free(copy);
}

static void login(struct world *w, const uint8_t *p, size_t n)
{
	struct buf b;

	buf_init(&b, 65536);
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '$')
			buf_str(&b, w->nonce);
		else
			buf_put(&b, p + i, 1);
	}
	recv_bytes(w, b.p, b.n, false);
	buf_free(&b);
}

static void users(struct world *w, uint8_t what)
{
	const struct subs_answer a = {
		.found = what & 1, .failed = what & 2,
		.ha1 = { SL("939e7578ed9e3c518a452acee763bce9") },
	};
	char mem[SUBS_NAME_MAX];
	struct sl name;

	while (core_ask_user(w->core, &name)) {
		memcpy(mem, name.p, name.n);
		core_user(w->core, sl_mk(mem, name.n), &a, w->now, w->wall);
	}
}

static void answer(struct world *w, const uint8_t *p, size_t n)
{
	struct sip_msg *m = malloc(sizeof(*m));
	struct sip_fault f;
	struct buf b;
	uint16_t code = n > 1 ? (uint16_t)(100 + (p[0] << 1 | p[1]) % 600) : 180;

	if (!w->last || sip_scan(m, w->last->p, w->last->n, true, &f)) {
		free(m);
		return;
	}
	buf_init(&b, 65536);
	reply_write(&b, m, &w->edge.peer, code, SL("x"), SL("t"),
		    SL("Contact: <sip:b@h>\r\n"));
	recv_bytes(w, b.p, b.n, true);
	buf_free(&b);
	free(m);
}

static void piece(struct world *w, const uint8_t *p, size_t n)
{
	uint64_t ms;

	switch (*p) {
	case 0:
	case 1:
		recv_bytes(w, p + 1, n - 1, *p == 1);
		break;
	case 2:
		answer(w, p + 1, n - 1);
		break;
	case 3:
		ms = n > 2 ? 16u * (p[1] << 8 | p[2]) : 100;
		w->now += ms;
		w->wall += ms;
		core_tick(w->core, w->now, w->wall);
		break;
	case 4:
		core_lost(w->core, &w->edge, 104, w->now, w->wall);
		break;
	case 5:
		login(w, p + 1, n - 1);
		break;
	case 6:
		users(w, n > 1 ? p[1] : 0);
		break;
	default:
		break;
	}
	drain(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = calloc(1, sizeof(*w));
	size_t at = 0, end;

	log_init("fuzz", LOG_TO_NONE, LOG_LV_ERROR);
	must(!w);
	begin(w, size && data[0] == 0xfe);
	at = size && data[0] == 0xfe;
	while (at < size) {
		for (end = at; end < size && data[end] != 0xff; end++)
			;
		if (end > at)
			piece(w, data + at, end - at);
		at = end + 1;
	}
	/* everything ends by itself */
	for (int i = 0; i < 4; i++) {
		w->now += 200000;
		w->wall += 200000;
		core_tick(w->core, w->now, w->wall);
		drain(w);
	}
	if (core_open(w->core))
		abort();
	blob_unref(w->last);
	core_free(w->core);
	store_free(w->store);
	stats_free(w->st);
	node_config_clear(&w->cf);
	free(w);
	return 0;
}
