/**
 * @file subs.c  Pure. Cache of users. Two lists in the order of use, one of
 * users and one of names that are none: so that names made up by somebody push
 * out no user. An entry that is only asked for is in neither.
 */
#include "node/subs.h"
#include "base/log.h"
#include "base/secret.h"
#include <errno.h>
#include <stdlib.h>

enum kind { NEW, KNOWN, NONE, KINDS };

struct entry {
	struct entry *hnext;             /* of equal slot                     */
	struct entry *prev, *next;       /* of equal kind, newest first       */
	struct entry *qnext;             /* to be asked                       */
	uint64_t at;                     /* looked up [ms]                    */
	uint64_t no_at;                  /* a no was said, 0 = never          */
	enum kind kind;
	bool asked;                      /* look-up under way                 */
	bool dropped;                    /* changed since it was asked        */
	bool old;                        /* changed since it was looked up    */
	char hex[AUTH_ALG_N][AUTH_HEX_MAX];
	uint8_t hexn[AUTH_ALG_N];
	uint16_t n;
	char name[];
};

struct list {
	struct entry *first, *last;
	uint64_t n;
};

struct subs {
	struct subs_conf cf;
	struct entry **slot;
	uint32_t mask;
	struct list list[KINDS];
	struct entry *q, **q_end;        /* to be asked */
	struct user view;
	char taken[SUBS_NAME_MAX];       /* of subs_ask() */
	struct subs_stats st;
	uint8_t key[SECRET_KEY];
};

int subs_alloc(struct subs **sp, const struct subs_conf *cf,
	       const uint8_t key[32])
{
	struct subs *s = calloc(1, sizeof(*s));
	uint32_t size = 1024;

	if (!s)
		return ENOMEM;
	while (size < cf->max && size < 1u << 24)
		size *= 2;
	s->slot = calloc(size, sizeof(struct entry *));
	if (!s->slot) {
		free(s);
		return ENOMEM;
	}
	s->mask = size - 1;
	s->cf = *cf;
	s->q_end = &s->q;
	memcpy(s->key, key, SECRET_KEY);
	*sp = s;
	return 0;
}

void subs_reconf(struct subs *s, const struct subs_conf *cf)
{
	s->cf = *cf;
}

const struct subs_stats *subs_stats(const struct subs *s)
{
	return &s->st;
}

/* --- entries ----------------------------------------------------------------- */

static struct entry **place(const struct subs *s, struct sl name)
{
	uint64_t h = secret_hash(s->key, name.p, name.n);
	struct entry **at = &s->slot[h & s->mask];

	while (*at && !sl_eq(sl_mk((*at)->name, (*at)->n), name))
		at = &(*at)->hnext;
	return at;
}

static void count(struct subs *s)
{
	s->st.known = s->list[KNOWN].n;
	s->st.none = s->list[NONE].n;
}

static void unlist(struct subs *s, struct entry *e)
{
	struct list *l = &s->list[e->kind];

	*(e->prev ? &e->prev->next : &l->first) = e->next;
	*(e->next ? &e->next->prev : &l->last) = e->prev;
	l->n--;
}

static void enlist(struct subs *s, struct entry *e, enum kind k)
{
	struct list *l = &s->list[k];

	e->kind = k;
	e->prev = NULL;
	e->next = l->first;
	*(l->first ? &l->first->prev : &l->last) = e;
	l->first = e;
	l->n++;
}

static void used(struct subs *s, struct entry *e)
{
	unlist(s, e);
	enlist(s, e, e->kind);
}

static void forget(struct subs *s, struct entry *e)
{
	struct entry **at = place(s, sl_mk(e->name, e->n));

	unlist(s, e);
	*at = e->hnext;
	explicit_bzero(e->hex, sizeof(e->hex));
	free(e);
	count(s);
}

/* The one not used for longest goes; one that is being looked up stays */
static void trim(struct subs *s, enum kind k, uint64_t max)
{
	struct entry *e = s->list[k].last, *prev;

	for (; e && s->list[k].n > max; e = prev) {
		prev = e->prev;
		if (e->asked)
			continue;
		s->st.evicted++;
		forget(s, e);
	}
}

static struct entry *make(struct subs *s, struct sl name)
{
	struct entry *e = calloc(1, sizeof(*e) + name.n);

	if (!e)
		return NULL;
	e->n = (uint16_t)name.n;
	memcpy(e->name, name.p, name.n);
	*place(s, name) = e;
	enlist(s, e, NEW);
	return e;
}

void subs_free(struct subs *s)
{
	if (!s)
		return;
	for (unsigned k = 0; k < KINDS; k++) {
		while (s->list[k].first)
			forget(s, s->list[k].first);
	}
	free(s->slot);
	free(s);
}

/* --- what is known ------------------------------------------------------------ */

static void ask(struct subs *s, struct entry *e)
{
	e->asked = true;
	e->qnext = NULL;
	*s->q_end = e;
	s->q_end = &e->qnext;
	s->st.asked++;
	s->st.lookups++;
}

static bool is_within(uint64_t at, uint64_t ttl, uint64_t now)
{
	return now < at || now - at < ttl;
}

/* Of who is used before his time is over, the last quarter: so nobody who is
 * heard of often ever waits */
static void ahead(struct subs *s, struct entry *e, uint64_t now)
{
	if (!e->asked && !s->st.away && s->st.asked < SUBS_ASKED_MAX / 2
	    && !is_within(e->at, s->cf.ttl - s->cf.ttl / 4, now))
		ask(s, e);
}

void subs_view(struct subs *s, struct sl name, uint64_t now,
	       struct subs_view *v)
{
	struct entry *e = *place(s, name);

	*v = (struct subs_view){ 0 };
	if (!e)
		return;
	v->no = e->no_at && is_within(e->no_at, s->cf.ttl_no, now);
	used(s, e);
	if (e->kind != KNOWN || !is_within(e->at, s->cf.keep, now))
		return;
	s->view.aor = sl_mk(e->name, e->n);
	for (unsigned a = 0; a < AUTH_ALG_N; a++)
		s->view.ha1[a] = e->hexn[a] ? sl_mk(e->hex[a], e->hexn[a])
			: SL_NONE;
	v->user = &s->view;
	v->yes = !e->old && is_within(e->at, s->cf.ttl, now);
	if (v->yes)
		ahead(s, e, now);
}

/* --- looking up ---------------------------------------------------------------- */

bool subs_want(struct subs *s, struct sl name)
{
	/* while nobody answers one is enough to hear when that is over */
	uint64_t max = s->st.away ? 1 : SUBS_ASKED_MAX;
	struct entry *e;

	if (!name.n || name.n > SUBS_NAME_MAX)
		return false;
	e = *place(s, name);
	if (!e || !e->asked) {
		if (s->st.asked < max && !e)
			e = make(s, name);
		if (s->st.asked >= max || !e) {
			s->st.refused++;
			return false;
		}
		ask(s, e);
	}
	return !s->st.away;
}

void subs_no(struct subs *s, struct sl name, uint64_t now)
{
	struct entry *e = *place(s, name);

	if (e && e->kind != NEW)
		e->no_at = now;
}

bool subs_ask(struct subs *s, struct sl *name)
{
	struct entry *e = s->q;

	if (!e)
		return false;
	s->q = e->qnext;
	if (!s->q)
		s->q_end = &s->q;
	memcpy(s->taken, e->name, e->n);
	*name = sl_mk(s->taken, e->n);
	return true;
}

static void set_away(struct subs *s, bool away)
{
	if (away == (bool)s->st.away)
		return;
	s->st.away = away;
	if (away)
		log_warn("event=users_away text=\"the database does not "
			 "answer: users known by now are served, others get "
			 "500\"");
	else
		log_info("event=users_back text=\"the database answers\"");
}

void subs_late(struct subs *s)
{
	set_away(s, true);
}

static void keep(struct entry *e, const struct subs_answer *a)
{
	for (unsigned i = 0; i < AUTH_ALG_N; i++) {
		e->hexn[i] = 0;
		if (!a->found || !a->ha1[i].n || a->ha1[i].n > AUTH_HEX_MAX)
			continue;
		e->hexn[i] = (uint8_t)a->ha1[i].n;
		memcpy(e->hex[i], a->ha1[i].p, a->ha1[i].n);
	}
}

static void learn(struct subs *s, struct entry *e, const struct subs_answer *a,
		  uint64_t now)
{
	keep(e, a);
	e->old = false;
	e->at = now;
	e->no_at = 0;
	unlist(s, e);
	enlist(s, e, a->found ? KNOWN : NONE);
	count(s);
}

bool subs_told(struct subs *s, struct sl name, const struct subs_answer *a,
	       uint64_t now)
{
	struct entry *e = *place(s, name);

	set_away(s, a->failed);
	s->st.failed += a->failed;
	if (!e || !e->asked)
		return true;
	e->asked = false;
	s->st.asked--;
	/* what was read may be from before the change */
	if (e->dropped) {
		e->dropped = false;
		if (!a->failed) {
			ask(s, e);
			return false;
		}
	}
	if (!a->failed)
		learn(s, e, a, now);
	if (e->kind == NEW)
		forget(s, e);
	trim(s, KNOWN, s->cf.max);
	trim(s, NONE, s->cf.max / 4 + 1);
	return true;
}

/* What is known of him stays for while nobody answers */
static void drop(struct entry *e)
{
	e->old = true;
	e->dropped = e->asked;
	e->no_at = 0;
}

void subs_drop(struct subs *s, struct sl name)
{
	struct entry *e;

	if (sl_isset(name)) {
		e = *place(s, name);
		if (e)
			drop(e);
		return;
	}
	for (unsigned k = 0; k < KINDS; k++) {
		for (e = s->list[k].first; e; e = e->next)
			drop(e);
	}
}
