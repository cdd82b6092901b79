/* repl.c - Pure. Feeding the peers. docs/cluster-protocol.md 6. */
#include "cluster/repl.h"

void repl_init(struct repl *r, struct store *s, const struct members *ms)
{
	memset(r, 0, sizeof(*r));
	r->store = s;
	r->ms = ms;
}

static void unregister(struct repl *r, struct repl_peer *p)
{
	if (p->registered)
		store_cursor_del(r->store, &p->cur);
	p->registered = false;
	p->up = false;
}

void repl_close(struct repl *r)
{
	for (uint8_t i = 0; i < CLUSTER_MAX; i++)
		unregister(r, &r->p[i]);
}

void repl_reset(struct repl *r, uint8_t i)
{
	unregister(r, &r->p[i]);
	memset(&r->p[i], 0, sizeof(r->p[i]));
	r->p[i].resume = UINT64_MAX;
}

void repl_up(struct repl *r, uint8_t i, const struct repl_start *st)
{
	struct repl_peer *p = &r->p[i];
	uint64_t from = st->have;

	unregister(r, p);
	p->old = st->old;
	if (p->old && p->resume < from)
		from = p->resume;
	if (p->old && st->have == 0)
		p->full_to = store_seq(r->store);
	if (!p->old && st->have == 0)
		from = p->base = st->from;
	p->want = st->want;
	/* Whole with a peer that had made no change yet: our `have` of 0 said
	 * "nothing", so it begins at its `want`, too */
	if (!p->old && p->have == 0)
		p->whole = false;
	if (p->old)
		p->whole = true;
	else if (!p->whole)
		p->have = st->want;
	p->their_seq = 0;
	p->behind = 0;
	p->acked = p->base;
	(void)repl_acked(r, i, st->have, 0);
	p->told = p->said = from;
	p->feed_to = store_seq(r->store);
	p->mark = p->pushed = 0;
	store_cursor_add(r->store, &p->cur, from);
	p->registered = true;
	p->up = true;
}

/* Sequence that we had at least `window` ms ago (0 when we don't know) */
static uint64_t seq_before(const struct repl *r, uint64_t window, uint64_t now)
{
	uint64_t seq = 0;
	uint32_t n = r->samples < REPL_SAMPLES ? r->samples : REPL_SAMPLES;

	for (uint32_t k = 1; k <= n; k++) {
		uint32_t j = (r->samples - k) % REPL_SAMPLES;

		if (r->sample[j].at + window <= now) {
			seq = r->sample[j].seq;
			break;
		}
	}
	return seq;
}

void repl_down(struct repl *r, uint8_t i, uint64_t window, uint64_t now)
{
	struct repl_peer *p = &r->p[i];
	uint64_t seq = seq_before(r, window, now);

	if (!p->up)
		return;
	if (p->acked < seq)
		seq = p->acked;
	/* A place still behind because of an earlier loss stays there */
	if (p->told < seq)
		seq = p->told;
	p->resume = seq;
	unregister(r, p);
}

void repl_rewind(struct repl *r, uint8_t i, uint64_t window, uint64_t now)
{
	struct repl_peer *p = &r->p[i];
	uint64_t seq = seq_before(r, window, now);

	if (!p->up || !p->old)
		return;
	p->feed_to = store_seq(r->store);
	if (seq < p->told) {
		p->told = p->said = seq;
		store_cursor_set(r->store, &p->cur, seq);
	}
}

/* Can peer i do without this change? Only if it brought it itself, or if it
 * hears the one who brought it to us. */
static bool spare(const struct repl *r, uint8_t i,
		  const struct store_change *ch)
{
	const struct repl_peer *p = &r->p[i];

	if (ch->via == 0)
		return false;
	if (ch->via == i)
		return ch->seq > p->full_to;
	if (p->old && ch->seq <= p->feed_to)
		return false;
	return member_says(r->ms, i, ch->via);
}

/* One ACK lets a 200 go. So one peer gives it at once, the others with what they
 * send anyway: a write, a wake-up and a read less for each change. When that one
 * is slow, those of the others come REPL_ACK_WAIT later. */
static bool can_be_prompt(const struct repl *r, uint8_t i, uint64_t now)
{
	return r->p[i].up && member_hears(r->ms, i) &&
	       r->ms->m[i].state == CLUSTER_READY &&
	       repl_lag(r, i, now) < REPL_ACK_LATE;
}

/* The next one by node id, in a ring: each of equal nodes serves one */
static void choose_prompt(struct repl *r, uint64_t now)
{
	uint64_t own = r->ms->m[MEMBER_SELF].node, best = 0;

	r->prompt = 0;
	for (uint8_t i = 1; i < CLUSTER_MAX; i++) {
		uint64_t ahead = r->ms->m[i].node - own;

		if (!can_be_prompt(r, i, now) || (r->prompt && ahead >= best))
			continue;
		best = ahead;
		r->prompt = i;
	}
}

/* Under load changes that follow each other within the gap share a PUSH: one
 * write, one TLS record, one wake-up and one ACK for all of them. One that
 * comes after a pause goes at once. */
void repl_gate(struct repl *r, uint64_t now)
{
	if (now >= r->push_at)
		r->due = store_seq(r->store);
}

uint64_t repl_next(const struct repl *r)
{
	return store_seq(r->store) > r->due ? r->push_at : UINT64_MAX;
}

bool repl_pending(struct repl *r, uint8_t i)
{
	struct repl_peer *p = &r->p[i];
	struct store_change ch;

	if (!p->up)
		return false;
	/* A peer that is behind goes on: only live changes wait */
	if (p->told >= r->due && p->told >= p->feed_to && !p->cur.seeking)
		return false;
	return p->cur.seeking || store_cursor_peek(r->store, &p->cur, &ch) ||
	       p->told < p->feed_to;
}

/* One PUSH; nothing is written when nothing is due */
static void fill_one(struct repl *r, struct repl_peer *p, struct buf *b,
		     uint64_t now)
{
	uint8_t i = (uint8_t)(p - r->p);
	struct store_change ch;
	size_t at = 0, from = b->n;
	uint64_t last = p->told;
	uint16_t n = 0;

	while (n < WIRE_PUSH_RECORDS && b->n - from < REPL_BATCH &&
	       store_cursor_peek(r->store, &p->cur, &ch)) {
		if (!spare(r, i, &ch)) {
			if (n++ == 0)
				at = wire_push_begin(b, p->said);
			wire_push_add(b, ch.packed);
		}
		last = ch.seq;
		store_cursor_step(r->store, &p->cur);
	}
	if (!p->cur.at && !p->cur.seeking)
		last = store_seq(r->store);
	if (n == 0 && p->told < p->feed_to && last >= p->feed_to)
		at = wire_push_begin(b, p->said);     /* says: that was all */
	else if (n == 0) {
		p->told = last;                       /* the heartbeat says it */
		return;
	}
	if (r->prompt && r->prompt != i)
		wire_push_wait(b, REPL_ACK_WAIT);
	wire_push_end(b, at, last, n);
	p->told = p->said = p->pushed = last;
	if (now >= r->push_at)
		r->push_at = now + r->gap;
	if (p->mark <= p->acked && last > p->acked) {
		p->mark = last;
		p->mark_at = now;
	}
}

void repl_fill(struct repl *r, uint8_t i, struct buf *b, size_t limit,
	       uint64_t now)
{
	struct repl_peer *p = &r->p[i];
	struct store_change ch;

	if (!p->up)
		return;
	if (!r->prompt || !can_be_prompt(r, r->prompt, now))
		choose_prompt(r, now);
	do {
		fill_one(r, p, b, now);
	} while (!b->err && b->n < limit && !p->cur.seeking &&
		 store_cursor_peek(r->store, &p->cur, &ch));
}

uint64_t repl_say(struct repl *r, uint8_t i)
{
	return r->p[i].said = r->p[i].told;
}

bool repl_acked(struct repl *r, uint8_t i, uint64_t seq, uint64_t now)
{
	struct repl_peer *p = &r->p[i];
	uint64_t from = p->acked;

	if (seq > store_seq(r->store) || seq <= p->acked)
		return false;
	p->acked = seq;
	if (p->mark <= seq && p->pushed > seq) {
		p->mark = p->pushed;
		p->mark_at = now;
	}
	if (seq <= r->acked)
		return false;
	if (p->ack_to == 0)
		p->ack_from = from;
	p->ack_to = seq;
	if (from <= r->acked)
		r->acked = seq;
	return true;
}

uint64_t repl_have(const struct repl *r, uint8_t i)
{
	return r->p[i].whole ? r->p[i].have : 0;
}

void repl_heard(struct repl *r, uint8_t i, uint64_t seq, uint64_t now)
{
	struct repl_peer *p = &r->p[i];

	if (seq > p->their_seq)
		p->their_seq = seq;
	if (p->have >= p->their_seq)
		p->behind = 0;
	else if (!p->behind)
		p->behind = now;
}

uint64_t repl_behind(const struct repl *r, uint8_t i, uint64_t now)
{
	const struct repl_peer *p = &r->p[i];

	return p->up && p->behind ? now - p->behind : 0;
}

void repl_sample(struct repl *r, uint64_t now)
{
	uint32_t j = r->samples++ % REPL_SAMPLES;

	r->sample[j].at = now;
	r->sample[j].seq = store_seq(r->store);
	choose_prompt(r, now);
}

bool repl_synced(const struct repl *r, uint8_t i)
{
	const struct repl_peer *p = &r->p[i];

	return p->up && p->whole && p->have >= p->want;
}

uint64_t repl_lag(const struct repl *r, uint8_t i, uint64_t now)
{
	const struct repl_peer *p = &r->p[i];

	return p->up && p->mark > p->acked ? now - p->mark_at : 0;
}
