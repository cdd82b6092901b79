/**
 * @file core_wait.c  Pure. Requests that wait until a user has been looked up
 * in the database. Each ends by the answer, by a CANCEL, or after a while by
 * what is known without one; the edge must not think meanwhile that we are
 * silent.
 *
 * A request lies in its transaction; here is only who waits for whom.
 */
#include "node/core_priv.h"
#include <errno.h>
#include <stdlib.h>

enum { WAIT_MAX = 4096, WAIT_SLOTS = 1024 };

struct wait {
	struct wait *hnext;          /* of equal slot, or the next free one */
	struct wait *prev, *next;    /* in the order of coming              */
	struct stxn *s;
	uint64_t hash, came, until;  /* [ms] */
	uint16_t n;
	char name[SUBS_NAME_MAX];
	bool callee;                 /* it is he who is looked up           */
};

struct waits {
	struct wait v[WAIT_MAX];
	struct wait *slot[WAIT_SLOTS];
	struct wait *first, *last, *free;
	uint32_t used;               /* of v, from its start */
	uint64_t now, total, late, full;
	uint8_t key[SECRET_KEY];
};

static struct subs_conf settings(const struct node_config *cf)
{
	return (struct subs_conf){
		.max = cf->users_cache.max,
		.ttl = (uint64_t)cf->users_cache.ttl * 1000,
		.ttl_no = (uint64_t)cf->users_cache.ttl_no * 1000,
		.keep = (uint64_t)cf->users_cache.keep * 1000,
	};
}

int core_wait_init(struct core *c, const uint8_t secret[32])
{
	const struct subs_conf sc = settings(c->cf);
	uint8_t key[SECRET_KEY];

	if (c->cf->users != NODE_USERS_SQL)
		return 0;
	secret_derive(key, secret, "users 1");
	c->waits = calloc(1, sizeof(*c->waits));
	if (!c->waits)
		return ENOMEM;
	memcpy(c->waits->key, key, sizeof(key));
	return subs_alloc(&c->subs, &sc, key);
}

void core_wait_close(struct core *c)
{
	subs_free(c->subs);
	free(c->waits);
	c->subs = NULL;
	c->waits = NULL;
}

void core_wait_reconf(struct core *c)
{
	const struct subs_conf sc = settings(c->cf);

	if (c->subs)
		subs_reconf(c->subs, &sc);
}

static int figures(struct core *c, const struct subs_stats *ss,
		   struct stats *st)
{
	const struct waits *w = c->waits;
	const struct stat_row row[] = {
		{ STAT_GAUGE, "node_users_cached",
		  "Users of the database known here", &ss->known },
		{ STAT_GAUGE, "node_users_cached_none",
		  "Names known to be no user", &ss->none },
		{ STAT_GAUGE, "node_users_asked",
		  "Users being looked up", &ss->asked },
		{ STAT_GAUGE, "node_users_away",
		  "1: the database of users does not answer",
		  &ss->away },
		{ STAT_COUNTER, "node_users_lookups_total",
		  "Users looked up", &ss->lookups },
		{ STAT_COUNTER, "node_users_failed_total",
		  "Look-ups that failed", &ss->failed },
		{ STAT_COUNTER, "node_users_refused_total",
		  "Look-ups not made: database away, or too many",
		  &ss->refused },
		{ STAT_COUNTER, "node_users_evicted_total",
		  "Users forgotten for lack of room", &ss->evicted },
		{ STAT_GAUGE, "node_users_waiting",
		  "Requests waiting for a user's look-up", &w->now },
		{ STAT_COUNTER, "node_users_waited_total",
		  "Requests that waited for a user's look-up",
		  &w->total },
		{ STAT_COUNTER, "node_users_late_total",
		  "Requests that waited as long as they may",
		  &w->late },
		{ STAT_COUNTER, "node_users_full_total",
		  "Requests that could not wait: too many did",
		  &w->full },
	};

	return stat_rows(st, row, NULL, c);
}

int core_wait_stats(struct core *c, struct stats *st)
{
	return c->subs ? figures(c, subs_stats(c->subs), st) : 0;
}

/* --- who waits ----------------------------------------------------------------- */

static struct wait *get(struct waits *w)
{
	struct wait *e = w->free;

	if (e)
		w->free = e->hnext;
	else if (w->used < WAIT_MAX)
		e = &w->v[w->used++];
	return e;
}

static void unlink_one(struct waits *w, struct wait *e)
{
	struct wait **at = &w->slot[e->hash % WAIT_SLOTS];

	while (*at != e)
		at = &(*at)->hnext;
	*at = e->hnext;
	*(e->prev ? &e->prev->next : &w->first) = e->next;
	*(e->next ? &e->next->prev : &w->last) = e->prev;
	stxn_set_user(e->s, NULL);
	e->hnext = w->free;
	w->free = e;
	w->now--;
}

bool core_wait(struct core *c, struct stxn *s, struct sl name, bool callee,
	       uint64_t now)
{
	struct waits *w = c->waits;
	struct wait *e, **at;

	if (!w || name.n > SUBS_NAME_MAX)
		return false;
	if (w->now >= WAIT_MAX) {
		w->full++;
		return false;
	}
	if (!subs_want(c->subs, name))
		return false;
	e = get(w);
	*e = (struct wait){ .s = s, .came = now,
			    .until = now + c->cf->users_cache.wait,
			    .callee = callee, .n = (uint16_t)name.n };
	memcpy(e->name, name.p, name.n);
	e->hash = secret_hash(w->key, e->name, e->n);
	at = &w->slot[e->hash % WAIT_SLOTS];
	e->hnext = *at;
	*at = e;
	e->prev = w->last;
	*(w->last ? &w->last->next : &w->first) = e;
	w->last = e;
	stxn_set_user(s, e);
	w->now++;
	w->total++;
	return true;
}

bool core_wait_cancel(struct core *c, void *user, uint64_t now)
{
	struct waits *w = c->waits;
	struct wait *e = user;
	struct stxn *s;

	if (!w || (uintptr_t)e < (uintptr_t)w->v
	    || (uintptr_t)e >= (uintptr_t)(w->v + WAIT_MAX))
		return false;
	s = e->s;
	unlink_one(w, e);
	stxn_reply(s, 487, SL_NONE, SL_NONE, now);
	return true;
}

static void go_on(struct core *c, struct wait *e, enum access_users users,
		  uint64_t now, uint64_t wall)
{
	struct stxn *s = e->s;
	uint64_t came = e->came;
	bool callee = e->callee;

	unlink_one(c->waits, e);
	/* the sender has been judged before, and is once more */
	core_again(c, s, callee ? ACCESS_ASK : users,
		   callee ? users : ACCESS_ASK, came, now, wall);
}

/* The answer to one request makes none of the same name wait again: those who
 * do go on, each with what has been heard */
static void wake(struct core *c, struct sl name, enum access_users users,
		 uint64_t now, uint64_t wall)
{
	struct waits *w = c->waits;
	uint64_t hash = secret_hash(w->key, name.p, name.n);
	struct wait *e, *next;

	for (e = w->slot[hash % WAIT_SLOTS]; e; e = next) {
		next = e->hnext;
		if (e->hash == hash
		    && sl_eq(sl_mk(e->name, e->n), name))
			go_on(c, e, users, now, wall);
	}
}

void core_wait_tick(struct core *c, uint64_t now, uint64_t wall)
{
	struct waits *w = c->waits;

	while (w && w->first && w->first->until <= now) {
		w->late++;
		subs_late(c->subs);
		go_on(c, w->first, ACCESS_AWAY, now, wall);
	}
}

uint64_t core_wait_next(const struct core *c)
{
	const struct waits *w = c->waits;

	return w && w->first ? w->first->until : UINT64_MAX;
}

uint64_t core_waiting(const struct core *c)
{
	return c->waits ? c->waits->now : 0;
}

/* --- effects -------------------------------------------------------------------- */

bool core_ask_user(struct core *c, struct sl *name)
{
	return c->subs && subs_ask(c->subs, name);
}

void core_user(struct core *c, struct sl name, const struct subs_answer *a,
	       uint64_t now, uint64_t wall)
{
	if (!c->subs || !subs_told(c->subs, name, a, now))
		return;
	wake(c, name, a->failed ? ACCESS_AWAY : ACCESS_TOLD, now, wall);
	core_drain(c, now, wall);
}

void core_drop_user(struct core *c, struct sl name)
{
	if (c->subs)
		subs_drop(c->subs, name);
}
