/**
 * @file nonces.c  Pure. Counts of nonces: a ring in the order of first use,
 * found by hash. All nonces are accepted equally long, so the oldest of the
 * ring is the first that may go.
 *
 * A nonce that is not in the table is taken: another node made it or saw it
 * first, and its count is that node's knowledge. But when one has to go for
 * lack of room, none that is as old is taken any more without being known:
 * else filling the table would open what was closed.
 */
#include "node/nonces.h"
#include "base/secret.h"
#include <errno.h>
#include <stdlib.h>

enum {
	WINDOW = 64,         /* counts below the highest: they overtake each
				other over UDP, and on the way past a node */
	LAST = 4,            /* requests told from replays of them           */
	SKEW = 10000,        /* [ms] another node's clock may be ahead       */
};

struct used {
	uint32_t nc, request;
	uint64_t at;         /* [ms] */
};

struct entry {
	uint64_t id, at, made;     /* at: first use here [ms] */
	uint64_t seen;       /* bit i: count top - i was used */
	uint32_t top;
	uint32_t next;       /* of equal hash: index + 1 */
	uint32_t turn;       /* of last[] */
	struct used last[LAST];
};

struct nonces {
	struct entry *v;     /* ring */
	uint32_t *slot;      /* index + 1 of the newest in it */
	uint32_t max, mask, first, n;
	uint64_t floor;      /* [ms] of making, see above */
	struct nonces_stats st;
	uint8_t key[SECRET_KEY];
};

int nonces_alloc(struct nonces **np, uint32_t max, const uint8_t key[32])
{
	struct nonces *n = calloc(1, sizeof(*n));
	uint32_t size = 16;

	if (!n)
		return ENOMEM;
	if (max < 1 || max > NONCES_MAX)
		max = NONCES_MAX;
	while (size < max)
		size *= 2;
	n->max = max;
	n->mask = size - 1;
	memcpy(n->key, key, SECRET_KEY);
	/* touched as it fills: an idle node pays nothing */
	n->v = calloc(max, sizeof(*n->v));
	n->slot = calloc(size, sizeof(*n->slot));
	if (!n->v || !n->slot) {
		nonces_free(n);
		return ENOMEM;
	}
	*np = n;
	return 0;
}

void nonces_free(struct nonces *n)
{
	if (!n)
		return;
	free(n->v);
	free(n->slot);
	free(n);
}

const struct nonces_stats *nonces_stats(const struct nonces *n)
{
	return &n->st;
}

static struct entry *find(const struct nonces *n, uint64_t id)
{
	uint32_t i = n->slot[id & n->mask];

	while (i && n->v[i - 1].id != id)
		i = n->v[i - 1].next;
	return i ? &n->v[i - 1] : NULL;
}

/* The oldest: it is the last of its chain */
static void drop_oldest(struct nonces *n)
{
	struct entry *e = &n->v[n->first];
	uint32_t *at = &n->slot[e->id & n->mask];

	while (*at != n->first + 1)
		at = &n->v[*at - 1].next;
	*at = e->next;
	n->first = (n->first + 1) % n->max;
	n->n--;
}

static void make_room(struct nonces *n, uint32_t age, uint64_t now)
{
	const struct entry *e;

	for (;;) {
		e = &n->v[n->first];
		if (!n->n || now < e->at + age + SKEW)
			break;
		drop_oldest(n);
	}
	if (n->n < n->max)
		return;
	if (e->made > n->floor)
		n->floor = e->made;
	n->st.forced++;
	drop_oldest(n);
}

static void note(struct entry *e, const struct nonces_use *u, uint64_t now)
{
	e->last[e->turn++ % LAST] = (struct used){ u->nc, u->request, now };
}

static void add(struct nonces *n, uint64_t id, const struct nonces_use *u,
		uint64_t now)
{
	uint32_t i = (n->first + n->n) % n->max;
	uint32_t *at = &n->slot[id & n->mask];

	n->v[i] = (struct entry){ .id = id, .at = now, .made = u->made,
				  .seen = 1, .top = u->nc, .next = *at };
	note(&n->v[i], u, now);
	*at = i + 1;
	n->n++;
}

static bool repeats(const struct entry *e, const struct nonces_use *u,
		    uint64_t now)
{
	for (unsigned i = 0; i < LAST && i < e->turn; i++) {
		const struct used *l = &e->last[i];

		if (l->nc == u->nc && l->request == u->request
		    && now < l->at + NONCES_AGAIN_MS)
			return true;
	}
	return false;
}

static enum nonces_verdict use(struct entry *e, const struct nonces_use *u,
			       uint64_t now)
{
	uint32_t d;

	if (u->nc > e->top) {
		d = u->nc - e->top;
		e->seen = d < WINDOW ? e->seen << d | 1 : 1;
		e->top = u->nc;
		note(e, u, now);
		return NONCES_NEW;
	}
	d = e->top - u->nc;
	if (d >= WINDOW || e->seen >> d & 1)
		return repeats(e, u, now) ? NONCES_AGAIN : NONCES_REPLAY;
	e->seen |= UINT64_C(1) << d;
	note(e, u, now);
	return NONCES_NEW;
}

enum nonces_verdict nonces_use(struct nonces *n, const struct nonces_use *u,
			       uint64_t now)
{
	uint64_t id = secret_hash(n->key, u->nonce.p, u->nonce.n);
	struct entry *e = find(n, id);
	enum nonces_verdict v = NONCES_NEW;

	if (e) {
		v = use(e, u, now);
	}
	else if (u->made <= n->floor) {
		v = NONCES_LOST;
	}
	else {
		make_room(n, u->age, now);
		add(n, id, u, now);
	}
	n->st.known = n->n;
	return v;
}
