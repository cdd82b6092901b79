/* sync_serve.c - Pure. Answers to the rounds of others, a little at a time: a
 * node that gives 1 M contacts still serves SIP.
 * docs/cluster-protocol.md 5.8 to 5.12. */
#include <errno.h>
#include <stdlib.h>
#include "cluster/sync_priv.h"

#define WORK 2000              /* records looked at in one call             */
#define FRAME 65536u           /* a DATA frame is closed after that [bytes] */
#define SPLIT (256u << 10)     /* so much of one bucket at a time [bytes]   */
#define BURST 32768            /* at once after a rest [bytes]              */

static int enqueue(struct sync_peer *p, struct serve *v)
{
	if (p->queued >= SYNC_QUEUE) {
		free(v);
		return EPROTO;
	}
	if (!p->first)
		p->tail = &p->first;
	*p->tail = v;
	p->tail = &v->next;
	p->queued++;
	return 0;
}

static void dequeue(struct sync_peer *p)
{
	struct serve *v = p->first;

	p->first = v->next;
	p->queued--;
	free(v);
}

void sync_serve_clear(struct sync_peer *p)
{
	while (p->first)
		dequeue(p);
}

int sync_ask(struct sync *y, uint8_t peer, struct sl in)
{
	struct serve *v;
	struct wire_ask a;

	if (wire_ask_decode(&a, in))
		return EBADMSG;
	v = calloc(1, sizeof(*v));
	if (!v)
		return ENOMEM;
	v->ask = a;
	return enqueue(&y->p[peer], v);
}

static int by_digest(const void *a, const void *b)
{
	const struct serve_known *x = a, *y = b;

	return x->d < y->d ? -1 : x->d > y->d;
}

int sync_want(struct sync *y, uint8_t peer, struct sl in)
{
	struct wire_want w;
	struct serve *v;

	if (wire_want_decode(&w, in))
		return EBADMSG;
	v = calloc(1, sizeof(*v) + w.n * sizeof(v->known[0]));
	if (!v)
		return ENOMEM;
	v->want = true;
	v->ask.round = w.round;
	v->first = w.first;
	v->last = w.last;
	v->at = w.first;
	v->n = w.n;
	for (uint16_t i = 0; i < w.n; i++) {
		v->known[i].d = wire_want_known(&w, i);
		v->known[i].place = i;
	}
	if (w.n)
		qsort(v->known, w.n, sizeof(v->known[0]), by_digest);
	return enqueue(&y->p[peer], v);
}

/* Has the asker this one? */
static bool known(struct serve *v, uint64_t d)
{
	struct serve_known key = { .d = d }, *k = NULL;

	if (v->n)
		k = bsearch(&key, v->known, v->n, sizeof(key), by_digest);
	if (k)
		k->hit = true;
	return k != NULL;
}

struct data {
	struct buf *b;
	size_t at;
	uint16_t n;
};

static void data_close(struct data *d)
{
	if (d->n)
		wire_data_end(d->b, d->at, d->n);
	d->n = 0;
}

static void data_add(struct data *d, uint32_t round, struct sl packed)
{
	if (d->n == 0)
		d->at = wire_data_begin(d->b, round);
	put_sl16(d->b, packed);
	if (++d->n == WIRE_PUSH_RECORDS || d->b->n - d->at >= FRAME)
		data_close(d);
}

/* @return true when the bucket is done */
static bool one_bucket(struct sync *y, struct serve *v, struct data *d,
		       unsigned *work)
{
	size_t from = d->b->n;
	struct store_scan it;
	struct record r;
	uint32_t seen = 0;

	if (v->skip && v->moves != store_moves(y->store))
		v->skip = 0;            /* others stand there now: again */
	store_scan(y->store, (uint16_t)v->at, &it);
	while (store_scan_next(&it, &r)) {
		if (seen++ < v->skip)
			continue;
		if (!known(v, store_digest_of(y->store, &r))) {
			data_add(d, v->ask.round,
				 store_scan_packed(&it));
			y->st.served++;
		}
		++*work;
		if (d->b->n - from >= SPLIT || *work >= 4 * WORK) {
			v->skip = seen;
			v->moves = store_moves(y->store);
			return false;
		}
	}
	v->skip = 0;
	return true;
}

static void say_done(struct serve *v, struct buf *b)
{
	struct wire_done d = { .round = v->ask.round, .first = v->first,
			       .last = v->last };
	uint16_t unknown[WIRE_KNOWN];

	for (uint16_t i = 0; i < v->n; i++)
		if (!v->known[i].hit)
			unknown[d.n++] = v->known[i].place;
	wire_done_encode(b, &d, unknown);
}

/* @return true when the question is answered */
static bool serve_want(struct sync *y, struct serve *v, struct buf *b,
		       size_t limit, unsigned *work)
{
	struct data d = { .b = b };

	while (v->at <= v->last && b->n < limit && *work < WORK && !b->err) {
		if (!one_bucket(y, v, &d, work))
			break;
		v->at++;
	}
	data_close(&d);
	if (v->at <= v->last)
		return false;
	say_done(v, b);
	return true;
}

static void serve_ask(const struct sync *y, const struct serve *v,
		      struct buf *b)
{
	struct wire_digest d = { .of = v->ask,
		.records = store_stats(y->store)->records };

	memcpy(d.d, v->ask.level ? store_buckets(y->store, v->ask.group) :
	       store_groups(y->store), sizeof(d.d));
	wire_digest_encode(b, &d);
}

void sync_serve_refill(struct sync *y, uint64_t now)
{
	uint64_t ms = now > y->room_at ? now - y->room_at : 0;

	if (ms > BURST)
		ms = BURST;
	y->room += (int64_t)(ms * y->rate);
	if (y->room > BURST)
		y->room = BURST;
	if (ms)
		y->room_at = now;
	if (y->room > 0)
		y->broke = false;
}

/* A joiner in a hurry takes the processor from the calls of its donor and, on
 * one machine, of everybody: hence the rate. */
void sync_serve_fill(struct sync *y, struct sync_peer *p, struct buf *b,
		     size_t limit, uint64_t now)
{
	unsigned work = 0;
	size_t from = b->n;

	sync_serve_refill(y, now);
	if (y->rate && y->room <= 0) {
		y->broke = true;
		return;
	}
	if (y->rate && limit > b->n + (size_t)y->room)
		limit = b->n + (size_t)y->room;

	/* A link that is busy with changes still gives something */
	if (limit < b->n + 4096)
		limit = b->n + 4096;
	while (p->first && b->n < limit && work < WORK && !b->err) {
		struct serve *v = p->first;

		if (v->want && !serve_want(y, v, b, limit, &work))
			break;
		if (!v->want)
			serve_ask(y, v, b);
		dequeue(p);
	}
	if (y->rate)
		y->room -= (int64_t)(b->n - from);
	y->broke = y->rate && y->room <= 0;
	y->st.paced += y->broke && p->first;
}
