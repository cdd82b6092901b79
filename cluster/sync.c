/* sync.c - Pure. This node's own rounds. docs/cluster-protocol.md 6.3 to 6.6.
 *
 *   IDLE -- due --> ROOT -- ASK --> ROOT_ASKED -- DIGEST --> WALK -- all done --> IDLE
 *                                                  ^  |
 *                                   2nd look       |  v  CHECK, VERIFY: something
 *                                                PAUSE      differed
 *
 *   a group in WALK:  FREE -> ASK -> ASKED -> WANT <-> WANTED -> FREE
 */
#include <errno.h>
#include <stdlib.h>
#include "base/log.h"
#include "cluster/sync_priv.h"

const char *sync_why_name(enum sync_why w)
{
	switch (w) {
	case SYNC_CHECK:  return "check";
	case SYNC_VERIFY: return "verify";
	case SYNC_HEAL:   return "heal";
	case SYNC_LOSS:   return "loss";
	case SYNC_JOIN:   return "join";
	case SYNC_WHY_N:  break;
	}
	return "?";
}

int sync_alloc(struct sync **yp, struct store *s, uint64_t seed,
	       uint32_t rate)
{
	struct sync *y = calloc(1, sizeof(*y));

	if (!y)
		return ENOMEM;
	y->store = s;
	y->rate = rate;
	rng_seed(&y->rng, seed);
	*yp = y;
	return 0;
}

void sync_free(struct sync *y)
{
	if (!y)
		return;
	for (unsigned i = 0; i < CLUSTER_MAX; i++)
		sync_serve_clear(&y->p[i]);
	sync_diffs_clear(y);
	free(y);
}

const struct sync_stats *sync_stats(const struct sync *y)
{
	return &y->st;
}

/* --- a round begins and ends ------------------------------------------------------- */

static bool looks_twice(const struct round *r)
{
	return r->why == SYNC_CHECK || r->why == SYNC_VERIFY;
}

static void begin(struct sync *y, uint8_t peer, enum sync_why why,
		  uint64_t now)
{
	struct round *r = &y->r;

	memset(r, 0, sizeof(*r));
	r->phase = PH_ROOT;
	r->id = ++y->ids;
	r->peer = peer;
	r->why = why;
	r->diffs_before = y->diffs + y->more;
	r->began = r->heard = now;
	/* It does the work of those that are less urgent, too, but not of what
	 * becomes due from now on */
	r->covers = why == SYNC_VERIFY ? 1u << SYNC_VERIFY :
		y->p[peer].due & (uint8_t)~(1u << SYNC_VERIFY);
	y->p[peer].due &= (uint8_t)~r->covers;
	y->st.round_now = 1;
	y->st.progress = 0;
}

static void end(struct sync *y, bool ok, uint64_t now)
{
	struct round *r = &y->r;
	struct sync_peer *p = &y->p[r->peer];

	if (r->phase == PH_IDLE)
		return;
	r->phase = PH_IDLE;
	y->st.round_now = 0;
	if (r->why == SYNC_VERIFY)
		p->verdict = !ok ? SYNC_NO_ANSWER :
			y->diffs + y->more > r->diffs_before ? SYNC_UNEQUAL :
			SYNC_EQUAL;
	if (ok) {
		y->st.rounds[r->why]++;
	} else {
		y->st.given_up++;
		p->avoid = now + SYNC_AVOID;
		p->due |= r->covers & (uint8_t)~(1u << SYNC_VERIFY);
	}
	if (y->ends < SYNC_ENDS)
		y->end[y->ends++] = (struct sync_end){ r->peer, r->why, ok,
			r->changed, now - r->began };
}

bool sync_poll(struct sync *y, struct sync_end *e)
{
	if (!y->ends)
		return false;
	*e = y->end[0];
	memmove(&y->end[0], &y->end[1], --y->ends * sizeof(*e));
	return true;
}

/* --- which groups, which buckets --------------------------------------------------- */

static void look_groups(struct sync *y, const uint64_t *theirs)
{
	const uint64_t *ours = store_groups(y->store);
	struct round *r = &y->r;

	for (unsigned g = 0; g < STORE_GROUPS; g++)
		bits_put(&r->groups, g, theirs[g] != ours[g]);
	r->of = r->left = bits_count(&r->groups);
	r->phase = PH_WALK;
}

/* The digests of a group have come */
static void look_buckets(struct sync *y, struct slot *s,
			 const uint64_t *theirs)
{
	const uint64_t *ours = store_buckets(y->store, s->group);
	struct round *r = &y->r;
	struct bits256 *marked = &r->marked[s->group];

	for (unsigned b = 0; b < STORE_GROUP; b++) {
		bool on = theirs[b] != ours[b];

		if (looks_twice(r) && r->second)
			on = on && bits_has(marked, b);
		bits_put(&s->todo, b, on);
		y->st.differed += on;
	}
	if (looks_twice(r) && !r->second) {
		*marked = s->todo;
		memset(&s->todo, 0, sizeof(s->todo));
	}
	s->state = SLOT_WANT;
}

/* All groups are done for this time */
static void walked(struct sync *y, uint64_t now)
{
	struct round *r = &y->r;

	memset(&r->groups, 0, sizeof(r->groups));
	for (unsigned g = 0; looks_twice(r) && !r->second &&
	     g < STORE_GROUPS; g++)
		bits_put(&r->groups, g, bits_first(&r->marked[g]) < 256);
	r->of = r->left = bits_count(&r->groups);
	if (!r->of) {
		end(y, true, now);
		return;
	}
	r->second = true;
	r->phase = PH_PAUSE;
	r->resume = now + (r->why == SYNC_VERIFY ? SYNC_VERIFY_AGAIN :
			   SYNC_LOOK_AGAIN);
}

/* We have nothing there: no need to compare first */
static void want_all(struct slot *s)
{
	memset(&s->todo, 0xff, sizeof(s->todo));
	s->state = SLOT_WANT;
}

/* What to ask for next, and whether that was all */
static void advance(struct sync *y, uint64_t now)
{
	struct round *r = &y->r;
	unsigned window = r->why == SYNC_VERIFY ? 1 : SYNC_WINDOW, busy = 0;

	for (unsigned i = 0; i < window; i++) {
		struct slot *s = &r->slot[i];
		unsigned g = bits_first(&r->groups);

		if (s->state == SLOT_WANT && bits_first(&s->todo) == 256) {
			s->state = SLOT_FREE;
			r->left--;
		}
		if (s->state == SLOT_FREE && g < 256) {
			memset(s, 0, sizeof(*s));
			s->group = (uint8_t)g;
			s->state = SLOT_ASK;
			if (!looks_twice(r) && !store_groups(y->store)[g])
				want_all(s);
			bits_put(&r->groups, g, false);
		}
		busy += s->state != SLOT_FREE;
	}
	if (r->of)
		y->st.progress = 100 * (r->of - r->left) / r->of;
	if (!busy)
		walked(y, now);
}

/* --- what is sent ------------------------------------------------------------------ */

static uint16_t own_digests(struct sync *y, uint16_t bucket, uint64_t *d,
			    uint16_t max)
{
	struct store_scan it;
	struct record r;
	uint16_t n = 0;

	store_scan(y->store, bucket, &it);
	while (n < max && store_scan_next(&it, &r))
		d[n++] = store_digest_of(y->store, &r);
	return n;
}

/* As many buckets in a row as differ and fit */
static void send_want(struct sync *y, struct slot *s, struct buf *b)
{
	struct round *r = &y->r;
	unsigned at = bits_first(&s->todo);
	struct wire_want w = { .round = r->id };
	uint16_t n = 0, more;

	w.first = (uint16_t)(s->group << 8 | at);
	for (; at < 256 && bits_has(&s->todo, at); at++) {
		more = own_digests(y, (uint16_t)(s->group << 8 | at),
				   r->known + n, (uint16_t)(WIRE_KNOWN - n));
		if (n + more >= WIRE_KNOWN && (s->group << 8 | at) != w.first)
			break;
		n = (uint16_t)(n + more);
		w.last = (uint16_t)(s->group << 8 | at);
		bits_put(&s->todo, at, false);
	}
	w.n = r->known_n = n;
	wire_want_encode(b, &w, r->known);
	s->first = w.first;
	s->last = w.last;
	s->state = SLOT_WANTED;
}

static bool has_to_say(const struct round *r)
{
	if (r->phase == PH_ROOT)
		return true;
	for (unsigned i = 0; r->phase == PH_WALK && i < SYNC_WINDOW; i++)
		if (r->slot[i].state == SLOT_ASK ||
		    r->slot[i].state == SLOT_WANT)
			return true;
	return false;
}

bool sync_pending(const struct sync *y, uint8_t peer)
{
	return (y->p[peer].first && !y->broke) ||
	       (y->r.phase != PH_IDLE && y->r.peer == peer &&
		has_to_say(&y->r));
}

static void fill_round(struct sync *y, struct buf *b)
{
	struct round *r = &y->r;
	struct wire_ask a = { .round = r->id };

	if (r->phase == PH_ROOT) {
		wire_ask_encode(b, &a);
		r->phase = PH_ROOT_ASKED;
	}
	for (unsigned i = 0; r->phase == PH_WALK && i < SYNC_WINDOW; i++) {
		struct slot *s = &r->slot[i];

		if (s->state == SLOT_ASK) {
			a.level = 1;
			a.group = s->group;
			wire_ask_encode(b, &a);
			s->state = SLOT_ASKED;
		} else if (s->state == SLOT_WANT) {
			send_want(y, s, b);
		}
	}
}

void sync_fill(struct sync *y, uint8_t peer, struct buf *b, size_t limit,
	       uint64_t now)
{
	if (y->r.phase != PH_IDLE && y->r.peer == peer)
		fill_round(y, b);
	if (y->p[peer].first)
		sync_serve_fill(y, &y->p[peer], b, limit, now);
}

/* --- what comes -------------------------------------------------------------------- */

static bool of_round(const struct sync *y, uint8_t peer, uint32_t id)
{
	return y->r.phase != PH_IDLE && y->r.peer == peer && y->r.id == id;
}

int sync_digest(struct sync *y, uint8_t peer, struct sl p, uint64_t now)
{
	struct round *r = &y->r;
	struct wire_digest d;

	if (wire_digest_decode(&d, p))
		return EBADMSG;
	if (!of_round(y, peer, d.of.round))
		return 0;               /* of a round given up */
	r->heard = now;
	if (d.of.level == 0 && r->phase == PH_ROOT_ASKED) {
		look_groups(y, d.d);
		advance(y, now);
		return 0;
	}
	for (unsigned i = 0; d.of.level == 1 && i < SYNC_WINDOW; i++)
		if (r->slot[i].state == SLOT_ASKED &&
		    r->slot[i].group == d.of.group) {
			look_buckets(y, &r->slot[i], d.d);
			advance(y, now);
			return 0;
		}
	return EBADMSG;                 /* nobody asked */
}

static int take(struct sync *y, uint8_t peer, const struct record *rec,
		uint64_t wall)
{
	struct round *r = &y->r;
	bool changed;
	int err = store_merge(y->store, rec, peer, wall, &changed);

	if (err == ENOSPC)
		return 0;               /* a cap: counted, we go on */
	if (err)
		return err;
	r->changed += changed;
	if (r->why == SYNC_JOIN)
		y->st.joined += changed;
	else
		y->st.repaired += changed;
	return 0;
}

int sync_data(struct sync *y, uint8_t peer, uint64_t node, struct sl p,
	      uint64_t now, uint64_t wall)
{
	struct round *r = &y->r;
	struct wire_data d;
	struct record rec;
	struct sl packed;
	bool held;
	int err = 0;

	if (wire_data_decode(&d, p))
		return EBADMSG;
	if (!of_round(y, peer, d.round))
		return 0;
	r->heard = now;
	while (!err && wire_data_next(&d, &packed)) {
		if (record_decode(&rec, packed))
			return EBADMSG;
		y->st.fetched++;
		if (r->why != SYNC_VERIFY)
			err = take(y, peer, &rec, wall);
		else if (store_news(y->store, &rec, wall, &held))
			sync_found_there(y, &rec, node, held);
	}
	return err;
}

int sync_done(struct sync *y, uint8_t peer, uint64_t node, struct sl p,
	      uint64_t now, uint64_t wall)
{
	struct round *r = &y->r;
	struct wire_done d;

	if (wire_done_decode(&d, p))
		return EBADMSG;
	if (!of_round(y, peer, d.round))
		return 0;
	r->heard = now;
	for (unsigned i = 0; i < SYNC_WINDOW; i++) {
		struct slot *s = &r->slot[i];

		if (s->state != SLOT_WANTED || s->first != d.first ||
		    s->last != d.last)
			continue;
		for (uint16_t k = 0; r->why == SYNC_VERIFY && k < d.n; k++) {
			uint16_t u = wire_done_unknown(&d, k);

			if (u < r->known_n)
				sync_found_here(y, d.first, d.last,
						r->known[u], node, wall);
		}
		s->state = SLOT_WANT;
		advance(y, now);
		return 0;
	}
	return EBADMSG;
}

/* --- peers, and when ---------------------------------------------------------------- */

void sync_up(struct sync *y, uint8_t peer)
{
	y->p[peer].up = true;
	y->p[peer].able = false;
	y->p[peer].avoid = 0;
}

void sync_down(struct sync *y, uint8_t peer, uint64_t now)
{
	struct sync_peer *p = &y->p[peer];

	if (!p->up)
		return;
	p->up = p->able = false;
	if (p->due >> SYNC_VERIFY & 1)
		p->verdict = SYNC_NO_ANSWER;
	p->due &= (uint8_t)~(1u << SYNC_VERIFY);
	sync_serve_clear(p);
	if (y->r.peer == peer)
		end(y, false, now);
}

void sync_forget(struct sync *y, uint8_t peer)
{
	y->p[peer].due = 0;
}

void sync_due(struct sync *y, uint8_t peer, enum sync_why why)
{
	y->p[peer].due |= (uint8_t)(1u << why);
}

bool sync_is_due(const struct sync *y, uint8_t peer, enum sync_why why)
{
	return y->p[peer].due >> why & 1;
}

void sync_able(struct sync *y, uint8_t peer, bool able, uint8_t rank)
{
	y->p[peer].able = able;
	y->p[peer].rank = rank;
}

static int urgency(const struct sync_peer *p)
{
	return p->due ? 31 - __builtin_clz((unsigned)p->due) : -1;
}

/* Whose turn it is: the most urgent; of these the best donor; of these any */
static uint8_t choose(struct sync *y, uint64_t now)
{
	uint8_t best = 0, same = 0;
	int best_score = -1;

	for (uint8_t i = 1; i < CLUSTER_MAX; i++) {
		const struct sync_peer *p = &y->p[i];
		int score = urgency(p) * 256 + p->rank;

		if (!p->up || !p->able || !p->due || now < p->avoid)
			continue;
		if (score > best_score)
			same = 0;
		if (score > best_score ||
		    (score == best_score && rng_below(&y->rng, ++same + 1) == 0)) {
			best = i;
			best_score = score;
		}
	}
	return best;
}

void sync_tick(struct sync *y, uint64_t now)
{
	struct round *r = &y->r;
	uint8_t i;

	if (y->broke)
		sync_serve_refill(y, now);
	if (r->phase == PH_PAUSE && now >= r->resume) {
		r->phase = PH_WALK;
		r->heard = now;
		advance(y, now);
	}
	if (r->phase != PH_IDLE && r->phase != PH_PAUSE &&
	    now >= r->heard + SYNC_STALL)
		end(y, false, now);
	if (r->phase != PH_IDLE)
		return;
	i = choose(y, now);
	if (i)
		begin(y, i, (enum sync_why)urgency(&y->p[i]), now);
}

static uint64_t round_next(const struct sync *y)
{
	const struct round *r = &y->r;
	uint64_t next = UINT64_MAX;

	if (r->phase == PH_PAUSE)
		return r->resume;
	if (r->phase != PH_IDLE)
		return r->heard + SYNC_STALL;
	for (uint8_t i = 1; i < CLUSTER_MAX; i++) {
		const struct sync_peer *p = &y->p[i];

		if (p->up && p->able && p->due && p->avoid < next)
			next = p->avoid;
	}
	return next;
}

uint64_t sync_next(const struct sync *y)
{
	uint64_t next = round_next(y);

	/* when the rate allows more */
	if (y->broke && y->room_at + 1 < next)
		next = y->room_at + 1;
	return next;
}

/* --- verification -------------------------------------------------------------------- */

void sync_verify(struct sync *y, uint64_t now)
{
	sync_diffs_clear(y);
	if (y->r.phase != PH_IDLE && y->r.why == SYNC_VERIFY)
		end(y, false, now);
	for (uint8_t i = 1; i < CLUSTER_MAX; i++) {
		y->p[i].verdict = SYNC_UNKNOWN;
		if (!y->p[i].up)
			continue;
		y->p[i].due |= 1u << SYNC_VERIFY;
		y->p[i].avoid = 0;
	}
}

enum sync_verdict sync_verdict(const struct sync *y, uint8_t peer)
{
	return y->p[peer].verdict;
}

bool sync_verifying(const struct sync *y)
{
	if (y->r.phase != PH_IDLE && y->r.why == SYNC_VERIFY)
		return true;
	for (uint8_t i = 1; i < CLUSTER_MAX; i++)
		if (y->p[i].up && y->p[i].due >> SYNC_VERIFY & 1)
			return true;
	return false;
}
