/* fuzz_node.c - a node's core between its sockets: a few messages, one after
 * the other, time passing in between; answers to what it sends. The first byte of
 * a piece tells what it is:
 *   0 message from the edge, as it is (UDP)   1 the same over a stream
 *   2 answer to the last request it sent: the piece is "SIP/2.0 ..." up to the
 *     first empty line, its Vias are taken from that request
 *   3 time passes: next two bytes [ms * 16]   4 the edge's stream is lost
 * Pieces are separated by the byte 0xff. */
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
	uint64_t now, wall;
};

static void must(int err)
{
	if (err)
		abort();
}

static void begin(struct world *w)
{
	struct store_conf sc = { .node = 1, .max_records = 200,
				 .max_per_aor = 50, .max_expires = 3600,
				 .guard = 10000 };
	struct core_conf cc = { .cf = &w->cf, .lst_tcp = 1 };
	struct cfg_errs e = { 0 };

	must(node_config_read_mem(&w->cf, "f", "auth = \"off\"; "
		"domains = \"any\"; limits = { max_transactions = 100; };",
		&e));
	w->now = 1000;
	w->wall = 1700000000000ull;
	must(stats_alloc(&w->st));
	must(store_alloc(&w->store, &sc, w->wall));
	cc.store = w->store;
	cc.self = w->cf.sip.address;
	must(core_alloc(&w->core, &cc, w->st, w->now));
	core_set_health(w->core, true, "", "state=ready");
	must(addr_parse(&w->edge.peer, SL("127.0.0.1:5070"), 0));
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
	begin(w);
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
