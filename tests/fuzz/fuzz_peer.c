/* fuzz_peer.c - two honest nodes and an authenticated peer of the first that
 * means harm. Whatever it says:
 *   - the honest ones keep their link: nothing that one takes and passes on
 *     makes the other one close it;
 *   - a contact that none of its records named stays;
 *   - stores stay in their limits;
 *   - when it is gone, both hold the same.
 * It does not speak of members (any member may), nor call itself by an honest
 * node's number (with one shared key nothing but trust prevents that).
 *
 * Input: steps. First byte modulo 16:
 *   0..4   PUSH of 1..4 records, see record()
 *   5      DATA of the same, round u8
 *   6      heartbeat: its claims, u8 each
 *   7      any type u8, payload length u8, payload
 *   8      ASK or WANT, bytes as they come
 *   9,10   own change at an honest node: u8 what
 *   11,12  time passes: u8 x 20 ms
 *   13     link down and up again, hand-shake as number u8
 *   14     link down and up without hand-shake
 *   15     clock of the stranger is taken for its stamps: u8 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "cluster/mesh.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
void fuzz_report(void);

enum { NODES = 2, MAX_RECORDS = 2000, STEP = 100, USERS = 8,
       LIFE = 3000000 };
#define WALL 1700000000000ull

struct world {
	struct mesh *m[NODES];
	struct store *s[NODES];
	uint8_t pair[NODES];        /* link of the honest ones             */
	uint8_t bad;                /* of the first one to the bad peer    */
	bool up;                    /* that one                            */
	uint64_t now, seq;
	uint32_t cseq;
	int64_t skew;               /* of its stamps [ms]                  */
	bool touched[USERS];
	uint64_t until[USERS];      /* what the honest nodes promised      */
	struct buf out;
};

static uint64_t frames, taken, runs;

static void failed(const char *what)
{
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

#define check(ok) ((ok) ? (void)0 : failed(#ok))

static uint64_t wall(const struct world *w)
{
	return WALL + w->now;
}

static struct sl aor(unsigned i)
{
	static const char *const t[USERS] = { "a@x", "b@x", "c@x", "d@x",
					      "e@x", "f@x", "g@x", "h@x" };

	return sl_cstr(t[i % USERS]);
}

/* --- between the nodes ---------------------------------------------------------- */

static void effects(struct world *w)
{
	struct mesh_out o;

	for (int i = 0; i < NODES; i++) {
		while (mesh_poll(w->m[i], &o)) {
			if (o.kind != MESH_CLOSE)
				continue;
			check(o.link != w->pair[i]);     /* poisoned */
			w->up = false;
		}
	}
}

/* All that node i has for a link goes to the other end at once */
static bool carry(struct world *w, int i, uint8_t l)
{
	struct wire_head h;
	struct sl in;
	size_t total, used = 0;
	int to = !i;

	mesh_gate(w->m[i], w->now);
	if (!mesh_want(w->m[i], l))
		return false;
	buf_reset(&w->out);
	mesh_fill(w->m[i], l, &w->out, 65536, w->now, wall(w));
	check(w->out.err == 0);
	if (l != w->pair[i])
		return w->out.n > 0;            /* the bad peer is deaf */
	while (used < w->out.n) {
		in = sl_sub(buf_as_sl(&w->out), used, w->out.n);
		check(wire_frame(in, mesh_limit(w->m[to], w->pair[to]), &h,
				 &total) == 0);
		mesh_recv(w->m[to], w->pair[to], &h,
			  sl_sub(in, WIRE_HEAD, total), w->now, wall(w));
		effects(w);
		used += total;
	}
	return w->out.n > 0;
}

static void pump(struct world *w)
{
	effects(w);
	for (int turn = 0; turn < 200; turn++) {
		bool more = false;

		for (int i = 0; i < NODES; i++)
			more |= carry(w, i, w->pair[i]);
		if (w->up)
			more |= carry(w, 0, w->bad);
		effects(w);
		if (!more)
			return;
	}
}

static void advance(struct world *w, uint32_t ms)
{
	uint64_t end = w->now + ms;

	while (w->now < end) {
		w->now += end - w->now < STEP ? end - w->now : STEP;
		for (int i = 0; i < NODES; i++) {
			mesh_tick(w->m[i], w->now, wall(w));
			(void)store_tick(w->s[i], wall(w), 1000);
		}
		pump(w);
	}
}

/* --- the bad peer ----------------------------------------------------------------- */

static void touch(struct world *w, struct sl records)
{
	struct cur c;

	cur_init(&c, records.p, records.n);
	while (cur_left(&c) > 0) {
		struct sl one = cur_sl16(&c, REC_SIZE_MAX);
		struct record r;

		if (c.err || record_decode(&r, one))
			return;
		for (unsigned i = 0; i < USERS; i++)
			w->touched[i] |= sl_eq(r.aor, aor(i));
	}
}

static bool forbidden(uint8_t type, struct sl p)
{
	struct wire_hello h;

	return type == WIRE_MEMBERS ||
		(type == WIRE_HELLO && !wire_hello_decode(&h, p) &&
		 h.node <= NODES);
}

static void say(struct world *w, uint8_t type, struct sl p)
{
	struct wire_head h = { .version = WIRE_FRAME, .type = type,
			       .n = (uint32_t)p.n };
	struct wire_push u;
	struct wire_data d;
	uint8_t *own;

	if (!w->up || forbidden(type, p) ||
	    p.n > mesh_limit(w->m[0], w->bad))
		return;
	if (type == WIRE_PUSH && !wire_push_decode(&u, p))
		touch(w, u.records);
	if (type == WIRE_DATA && !wire_data_decode(&d, p))
		touch(w, d.records);
	own = malloc(p.n + 1);            /* a read past the end is found */
	check(own != NULL);
	if (p.n)
		memcpy(own, p.p, p.n);
	mesh_recv(w->m[0], w->bad, &h, sl_mk(own, p.n), w->now, wall(w));
	free(own);
	frames++;
	effects(w);
}

/* A frame that wire_*_encode() made */
static void say_frame(struct world *w, uint8_t type, struct buf *b)
{
	if (!b->err)
		say(w, type, sl_sub(buf_as_sl(b), WIRE_HEAD, b->n));
}

static void shake(struct world *w, uint8_t who)
{
	struct wire_hello h = { .min = 1,
		.max = who & 1 ? WIRE_VERSION : 1,
		.node = 9 + who / 2 % 4, .incarnation = 1 + who / 8,
		.max_expires = 3600, .canon = WIRE_CANON, .wall = wall(w),
		.name = "bad" };
	struct wire_hello_ack a = { .version = h.max, .incarnation = 77 };
	struct buf b;

	buf_init(&b, 4096);
	wire_hello_encode(&b, &h);
	say_frame(w, WIRE_HELLO, &b);
	buf_reset(&b);
	wire_hello_ack_encode(&b, &a);
	say_frame(w, WIRE_HELLO_ACK, &b);
	buf_free(&b);
	w->seq = 0;
}

static void relink(struct world *w, bool hands, uint8_t who)
{
	if (w->up)
		mesh_down(w->m[0], w->bad, w->now);
	effects(w);
	w->bad = mesh_up(w->m[0], MESH_NONE, w->now);
	w->up = w->bad != MESH_NONE;
	if (w->up && hands)
		shake(w, who);
}

/* who u8: 0..7 an honest user, else one of its own | entries u8 | each:
 * lineage u8, cseq u8, flags u8, age of the stamp u8 */
static void record(struct world *w, struct cur *c, struct buf *packed)
{
	static const char *const own[] = { "bad1@x", "bad2@x", "bad3@x" };
	uint8_t who = cur_u8(c);
	uint64_t age = 0;
	struct record r = { .key = SL("k"), .n = (uint8_t)(cur_u8(c) %
							   REC_LINEAGES + 1) };

	r.aor = who % 16 < USERS ? aor(who % 16) : sl_cstr(own[who % 3]);
	if (who & 64)
		r.key = SL("other");
	r.hold = wall(w) + 3600000 + who * 1000ull;
	for (uint8_t i = 0; i < r.n; i++) {
		struct rec_entry *e = &r.e[i];
		uint8_t flags;

		e->lineage = (uint64_t)(cur_u8(c) % 8) << 8 | i;
		e->cseq = cur_u8(c);
		flags = cur_u8(c);
		e->dead = flags & 1;
		e->has_value = !e->dead && !(flags & 2);
		age += cur_u8(c) * 100u + 1;     /* falling order */
		e->vstamp.t = (wall(w) + (uint64_t)w->skew - age) << 16 |
			flags >> 4;
		e->vstamp.node = 9 + flags % 4;
		e->gstamp = e->vstamp;
		e->expires = wall(w) + (flags & 4 ? 1000 : 3000000);
		e->value = e->has_value ? SL("of the bad peer") : SL_NONE;
		if (flags & 8)
			r.kill = e->vstamp;
	}
	record_encode(packed, &r);
}

static void put_records(struct world *w, struct cur *c, struct buf *b,
			uint32_t n)
{
	struct buf one;

	for (; n; n--) {
		buf_init(&one, REC_SIZE_MAX);
		record(w, c, &one);
		wire_push_add(b, buf_as_sl(&one));
		buf_free(&one);
	}
}

static void push(struct world *w, struct cur *c, uint8_t n)
{
	struct buf b;
	size_t at;

	buf_init(&b, WIRE_MAX);
	at = wire_push_begin(&b, w->seq);
	put_records(w, c, &b, n);
	w->seq += n;
	wire_push_end(&b, at, w->seq, n);
	say_frame(w, WIRE_PUSH, &b);
	buf_free(&b);
}

static void data(struct world *w, struct cur *c)
{
	struct buf b;
	size_t at;

	buf_init(&b, WIRE_MAX);
	at = wire_data_begin(&b, cur_u8(c));
	put_records(w, c, &b, 2);
	wire_data_end(&b, at, 2);
	say_frame(w, WIRE_DATA, &b);
	buf_free(&b);
}

static void beat(struct world *w, struct cur *c)
{
	struct wire_heartbeat *h = calloc(1, sizeof(*h));
	struct buf b;

	check(h != NULL);
	h->state = cur_u8(c) % 4;
	h->wall = wall(w) + cur_u8(c) * 1000ull;
	h->seq = cur_u8(c);
	h->fed = cur_u8(c);
	h->ack = cur_u8(c);
	h->n = cur_u8(c) % 4;
	for (uint16_t i = 0; i < h->n; i++)
		h->row[i] = (struct wire_row){ 1 + cur_u8(c) % 12,
					       cur_u8(c) & 1 };
	buf_init(&b, 65536);
	wire_heartbeat_encode(&b, h);
	say_frame(w, WIRE_HEARTBEAT, &b);
	buf_free(&b);
	free(h);
}

/* --- steps -------------------------------------------------------------------------- */

/* Node what & 1, user what >> 2; mostly a contact */
static void own_change(struct world *w, uint8_t what)
{
	struct store *s = w->s[what & 1];
	struct sl who = aor(what >> 2);

	w->cseq++;
	if ((what & 2) && (what & 128)) {
		if (!store_del(s, who, SL("k"), 0xab00, w->cseq, wall(w)))
			w->until[(what >> 2) % USERS] = 0;
	} else if (!store_put(s, who, SL("k"), 0xab00, w->cseq,
			      wall(w) + LIFE, SL("honest"), wall(w))) {
		w->until[(what >> 2) % USERS] = wall(w) + LIFE;
	}
	pump(w);
}

static bool step(struct world *w, struct cur *c)
{
	uint8_t op = cur_u8(c) % 16, a = cur_u8(c);

	if (!w->up && op < 9)             /* it comes back at once */
		relink(w, true, a);
	if (op < 5)
		push(w, c, a % 4 + 1);
	else if (op == 5)
		data(w, c);
	else if (op == 6)
		beat(w, c);
	else if (op == 7)
		say(w, a, cur_bytes(c, cur_u8(c)));
	else if (op == 8)
		say(w, a & 1 ? WIRE_ASK : WIRE_WANT,
		    cur_bytes(c, a & 1 ? 8 : 12));
	else if (op < 11)
		own_change(w, a);
	else if (op < 13)
		advance(w, a * 20u);
	else if (op < 15)
		relink(w, op == 13, a);
	else
		w->skew = (int64_t)a * 400 - 30000;
	pump(w);
	return !c->err;
}

/* --- begin and end -------------------------------------------------------------------- */

static void start(struct world *w, int i)
{
	struct store_conf sc = { .node = (uint64_t)i + 1,
		.max_records = MAX_RECORDS, .max_per_aor = 50,
		.max_expires = 3600, .guard = 10000 };
	struct mesh_conf mc = { .node = (uint64_t)i + 1, .incarnation = 77,
		.heartbeat = 500, .dead = 3000, .max_expires = 3600,
		.npeers = 1 };

	mc.name[0] = (char)('a' + i);
	mc.addr = (struct addr){ .af = 4, .ip = { 10, 0, 0,
						  (uint8_t)(i + 1) },
				 .port = 5080 };
	mc.peers[0] = mc.addr;
	mc.peers[0].ip[3] = (uint8_t)(2 - i);
	check(store_alloc(&w->s[i], &sc, WALL + w->now) == 0);
	check(mesh_alloc(&w->m[i], &mc, w->s[i], 5, w->now,
			 WALL + w->now) == 0);
	w->pair[i] = MESH_NONE;
}

static uint64_t fnv(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (; n; n--)
		h = (h ^ *b++) * 0x100000001b3ull;
	return h;
}

static void add(struct sl who, const struct store_contact *c, void *arg)
{
	uint64_t h = fnv(0xcbf29ce484222325ull, who.p, who.n);

	h = fnv(h, c->key.p, c->key.n);
	h = fnv(h, &c->vstamp, sizeof(c->vstamp));
	*(uint64_t *)arg += fnv(h, c->value.p, c->value.n);
}

/* The same for the same contacts, in whatever order they lie */
static uint64_t sum(struct world *w, int i)
{
	uint64_t pos = 0, h = 0;

	while (store_walk(w->s[i], &pos, wall(w), add, &h))
		;
	return h;
}

static void end(struct world *w)
{
	if (w->up)
		mesh_down(w->m[0], w->bad, w->now);
	w->up = false;
	advance(w, 300);                  /* told live, not found by digests */
	check(sum(w, 0) == sum(w, 1));
	advance(w, 25000);                /* two rounds of comparing */
	check(sum(w, 0) == sum(w, 1));
	for (int i = 0; i < NODES; i++)
		check(store_stats(w->s[i])->records <= MAX_RECORDS);
	for (unsigned i = 0; i < USERS; i++)
		check(w->touched[i] || store_count(w->s[1], aor(i), wall(w))
		      == (w->until[i] > wall(w)));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct world *w = calloc(1, sizeof(*w));
	struct cur c;

	log_init("fuzz", LOG_TO_NONE, LOG_LV_ERROR);
	check(w != NULL);
	w->now = 1000;
	buf_init(&w->out, 1u << 22);
	for (int i = 0; i < NODES; i++)
		start(w, i);
	for (int i = 0; i < NODES; i++)
		mesh_tick(w->m[i], w->now, wall(w));
	effects(w);
	w->pair[0] = mesh_up(w->m[0], 0, w->now);
	w->pair[1] = mesh_up(w->m[1], MESH_NONE, w->now);
	pump(w);
	for (unsigned i = 0; i < USERS; i += 2)
		own_change(w, (uint8_t)(i << 2 | (i & 2) >> 1));
	advance(w, 200);
	check(store_stats(w->s[0])->contacts == USERS / 2);
	check(store_stats(w->s[1])->contacts == USERS / 2);
	relink(w, true, 1);
	cur_init(&c, p, n);
	while (cur_left(&c) > 0 && step(w, &c))
		;
	end(w);
	taken += mesh_stats(w->m[0])->records_new;
	for (int i = 0; i < NODES; i++) {
		mesh_free(w->m[i]);
		store_free(w->s[i]);
	}
	buf_free(&w->out);
	free(w);
	runs++;
	return 0;
}

void fuzz_report(void)
{
	printf("fuzz_peer: %llu sessions, %llu frames of the bad peer, %llu "
	       "records taken\n", (unsigned long long)runs,
	       (unsigned long long)frames, (unsigned long long)taken);
}
