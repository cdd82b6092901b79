/* fuzz_cluster.c - the cluster protocol: decoders, and a session in which an
 * authenticated peer says anything, in any order, at any time.
 *
 * Input: steps. First byte of a step:
 *   0..3  frame over link L = byte: type u8, length u16, payload (header and CRC
 *         are made here, so that the payload decides)
 *   4     raw bytes as a stream: length u16, bytes
 *   5     time passes: u16 [ms]
 *   6     change of our own: u8
 *   7..9  link up, with a correct hand-shake as node u8: 7 accepted, 8 dialed,
 *         9 without hand-shake
 *   10    link down: u8
 *   11    packed record: length u16, bytes: decode, encode, compare
 *   12    saved members map: length u16, bytes: load, save, load, compare
 *   13    a hint of our own: u64
 * A node u8 from 128 on speaks version 2, and takes hints.
 *   other end of input */
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "cluster/mesh.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define WALL 1700000000000ull
#define MAX_RECORDS 50

struct world {
	struct mesh *m;
	struct store *s;
	uint64_t now;
	bool up[MESH_LINKS];
};

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void count(struct sl aor, const struct store_contact *c, void *arg)
{
	(void)aor;
	(void)c;
	++*(uint64_t *)arg;
}

static void effects(struct world *w)
{
	struct mesh_out o;

	while (mesh_poll(w->m, &o))
		if (o.kind == MESH_CLOSE)
			w->up[o.link] = false;
}

/* Send what is to be sent, to nobody */
static void give(struct world *w)
{
	mesh_gate(w->m, w->now);
	for (uint8_t l = 0; l < MESH_LINKS; l++) {
		struct buf b;

		if (!w->up[l] || !mesh_want(w->m, l))
			continue;
		buf_init(&b, 1u << 22);
		mesh_fill(w->m, l, &b, 65536, w->now, WALL + w->now);
		check(b.err == 0);
		buf_free(&b);
	}
	effects(w);
}

static void frame(struct world *w, uint8_t l, uint8_t type, struct sl payload)
{
	struct wire_head h = { .version = WIRE_FRAME, .type = type,
			       .n = (uint32_t)payload.n };
	uint8_t *own;

	if (!w->up[l] || payload.n > mesh_limit(w->m, l))
		return;
	own = malloc(payload.n + 1);      /* a read past the end is found */
	check(own != NULL);
	if (payload.n)
		memcpy(own, payload.p, payload.n);
	mesh_recv(w->m, l, &h, sl_mk(own, payload.n), w->now,
		  WALL + w->now);
	free(own);
	effects(w);
}

static void raw(struct world *w, struct sl in)
{
	struct wire_head h;
	size_t total;
	int err = wire_frame(in, mesh_limit(w->m, 0), &h, &total);

	if (!w->up[0])
		return;
	if (err == 0)
		mesh_recv(w->m, 0, &h, sl_sub(in, WIRE_HEAD, total), w->now,
			  WALL + w->now);
	else
		mesh_garbage(w->m, 0, err, w->now);
	effects(w);
}

static void shake(struct world *w, uint8_t l, uint8_t who)
{
	uint8_t version = who < 128 ? 1 : 2;
	struct wire_hello h = { .min = 1, .max = version, .node = 1 + who % 4,
		.incarnation = 1 + who / 4 % 4, .max_expires = 3600,
		.canon = WIRE_CANON, .wall = WALL, .name = "peer",
		.features = who < 128 ? 0 : WIRE_F_HINTS };
	struct wire_hello_ack a = { .version = version, .incarnation = 77,
				    .seq = who };
	struct buf b;

	buf_init(&b, 4096);
	wire_hello_encode(&b, &h);
	frame(w, l, WIRE_HELLO, sl_sub(buf_as_sl(&b), WIRE_HEAD, b.n));
	buf_reset(&b);
	wire_hello_ack_encode(&b, &a);
	frame(w, l, WIRE_HELLO_ACK, sl_sub(buf_as_sl(&b), WIRE_HEAD, b.n));
	buf_free(&b);
}

static void link_up(struct world *w, uint8_t how, uint8_t who)
{
	uint8_t l = mesh_up(w->m, how == 8 ? 0 : MESH_NONE, w->now);

	if (l == MESH_NONE)
		return;
	w->up[l] = true;
	if (how != 9)
		shake(w, l, who);
}

static void own_change(struct world *w, uint8_t what)
{
	uint64_t wall = WALL + w->now;
	struct store_contact c;
	struct sl aor = what & 1 ? SL("sip:a@x") : SL("sip:b@x");

	switch (what >> 1 & 3) {
	case 0:
	case 1:
		(void)store_put(w->s, aor, SL("k"), 0xab00, what >> 3,
				wall + 60000, SL("own"), wall);
		break;
	case 2:
		(void)store_del(w->s, aor, SL("k"), 0xab00, what >> 3, wall);
		break;
	case 3:
		if (store_find(w->s, aor, SL("k"), wall, &c) == 0)
			(void)store_kill(w->s, aor, SL("k"), c.vstamp, wall);
		break;
	}
}

/* What is accepted has one packed form */
static void packed(struct sl in)
{
	struct record r;
	struct buf b;

	if (record_decode(&r, in))
		return;
	buf_init(&b, 65536);
	record_encode(&b, &r);
	check(b.err == 0 && sl_eq(buf_as_sl(&b), in));
	check(record_size(&r) == b.n);
	buf_free(&b);
}

/* What is accepted is accepted again as it was saved, and is no news */
static void saved(struct sl in)
{
	struct roster *r = calloc(1, sizeof(*r)), *q = calloc(1, sizeof(*q));
	struct buf b;

	check(r && q);
	if (roster_load(r, in) == 0) {
		check(r->n <= ROSTER_MAX && roster_members(r) <= CLUSTER_MAX);
		buf_init(&b, ROSTER_FILE);
		roster_save(&b, r);
		check(b.err == 0 && roster_load(q, buf_as_sl(&b)) == 0);
		check(q->n == r->n);
		for (uint32_t i = 0; i < q->n; i++)
			check(!roster_join(r, &q->e[i]));
		buf_free(&b);
	}
	free(r);
	free(q);
}

static void advance(struct world *w, uint16_t ms)
{
	w->now += ms;
	mesh_tick(w->m, w->now, WALL + w->now);
	(void)store_tick(w->s, WALL + w->now, 100);
	effects(w);
}

static bool step(struct world *w, struct cur *c)
{
	uint8_t op = cur_u8(c), a;
	struct sl s;

	switch (op) {
	case 0:
	case 1:
	case 2:
	case 3:
		a = cur_u8(c);
		s = cur_sl16(c, 65535);
		frame(w, op, a, s);
		break;
	case 4:
		raw(w, cur_sl16(c, 65535));
		break;
	case 5:
		advance(w, cur_u16(c));
		break;
	case 6:
		own_change(w, cur_u8(c));
		break;
	case 7:
	case 8:
	case 9:
		link_up(w, op, cur_u8(c));
		break;
	case 10:
		a = cur_u8(c) % MESH_LINKS;
		if (w->up[a])
			mesh_down(w->m, a, w->now);
		w->up[a] = false;
		effects(w);
		break;
	case 11:
		packed(cur_sl16(c, 65535));
		break;
	case 12:
		saved(cur_sl16(c, 65535));
		break;
	case 13:
		hints_say(mesh_hints(w->m), cur_u64(c), 60000);
		break;
	default:
		return false;
	}
	give(w);
	return !c->err;
}

static void end(struct world *w)
{
	const struct store_stats *st = store_stats(w->s);
	struct cluster_view *v = malloc(sizeof(*v));
	uint64_t pos = 0, n = 0;

	check(v != NULL);
	check(st->records <= MAX_RECORDS);
	check(st->contacts + st->tombs == st->records);
	while (store_tick(w->s, WALL + w->now + 1000, 1000))
		;
	while (store_walk(w->s, &pos, WALL + w->now, count, &n))
		;
	check(n <= st->records);
	mesh_view(w->m, w->now, v);
	check(v->n <= CLUSTER_VIEW);
	check(roster_members(mesh_roster(w->m)) <= CLUSTER_MAX);
	check(mesh_hints(w->m)->now <= HINTS_PLACES);
	free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct store_conf sc = { .node = 1, .max_records = MAX_RECORDS,
		.max_per_aor = 10, .max_expires = 3600, .guard = 10000 };
	struct mesh_conf mc = { .node = 1, .incarnation = 77, .name = "n1",
		.heartbeat = 500, .dead = 3000, .max_expires = 3600,
		.npeers = 1, .peers = { { .af = 4, .port = 1 } } };
	struct world *w = calloc(1, sizeof(*w));
	struct cur c;

	log_init("fuzz", LOG_TO_NONE, LOG_LV_ERROR);
	check(w != NULL);
	w->now = 1000;
	check(store_alloc(&w->s, &sc, WALL) == 0);
	check(mesh_alloc(&w->m, &mc, w->s, 5, w->now, WALL) == 0);
	mesh_tick(w->m, w->now, WALL);
	effects(w);
	cur_init(&c, p, n);
	while (cur_left(&c) > 0 && step(w, &c))
		;
	end(w);
	mesh_free(w->m);
	store_free(w->s);
	free(w);
	return 0;
}
