/* store.c - Pure. All bindings: own changes and merges.
 * docs/cluster-protocol.md 4. */
#include <errno.h>
#include <stdlib.h>
#include "cluster/store_priv.h"

#define RETRANS 32000      /* a repeated request may still come [ms] (64*T1) */
#define INGRESS_SLACK 10000     /* peers' clocks, for clamping [ms]      */

struct sl srec_aor(const struct srec *r)
{
	return sl_mk(r->p + 4, (size_t)(r->p[0] << 8 | r->p[1]));
}

struct sl srec_key(const struct srec *r)
{
	size_t an = (size_t)(r->p[0] << 8 | r->p[1]);

	return sl_mk(r->p + 4 + an, (size_t)(r->p[2] << 8 | r->p[3]));
}

/* Size of the allocation for n packed bytes: malloc hands out 16k + 8 */
size_t store_block(size_t n)
{
	return ((sizeof(struct srec) + n + 7) & ~(size_t)15) + 8;
}

/* --- life of the store ----------------------------------------------------- */

int store_alloc(struct store **sp, const struct store_conf *cf, uint64_t wall)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return ENOMEM;
	s->cf = *cf;
	hlc_init(&s->hlc, cf->node);
	s->done = wall / 1000;
	if (store_index_init(s) || store_digest_init(s)) {
		store_free(s);
		return ENOMEM;
	}
	*sp = s;
	return 0;
}

void store_free(struct store *s)
{
	struct srec *r, *next;

	if (!s)
		return;
	for (r = s->first; r; r = next) {
		next = r->onext;
		free(r);
	}
	while (s->spare) {
		void *b = s->spare;

		s->spare = *(void **)b;
		free(b);
	}
	store_index_free(s);
	free(s->digest);
	free(s);
}

const struct store_stats *store_stats(const struct store *s)
{
	return &s->st;
}

void store_reconf(struct store *s, const struct store_conf *cf)
{
	s->cf.max_records = cf->max_records;
	s->cf.max_per_aor = cf->max_per_aor;
	s->cf.max_expires = cf->max_expires;
	s->cf.guard = cf->guard;
}

/* --- memory of records ------------------------------------------------------ */

/* Room for n packed bytes, links not set. Falls back on what store_reserve()
 * put aside. */
struct srec *store_new(struct store *s, size_t n)
{
	struct srec *r = malloc(store_block(n));

	if (!r && s->spare) {
		void *small;

		r = s->spare;
		s->spare = *(void **)s->spare;
		s->spares--;
		small = realloc(r, store_block(n));
		if (small)
			r = small;
	}
	if (!r) {
		s->st.oom++;
		return NULL;
	}
	s->st.bytes += store_block(n);
	r->n = (uint16_t)n;
	r->wnext = NULL;
	r->wpprev = NULL;
	return r;
}

static void drop_block(struct store *s, struct srec *r)
{
	s->st.bytes -= store_block(r->n);
	free(r);
}

static void flip(struct store *s, const struct srec *r)
{
	struct record rec;

	if (record_decode(&rec, sl_mk(r->p, r->n)) == 0)
		store_digest_flip(s, r->hash, &rec);
}

void store_forget(struct store *s, struct srec *r)
{
	flip(s, r);
	s->moves++;
	store_slot_del(r);
	store_order_del(s, r);
	store_index_del(s, r);
	if (r->shown)
		s->st.contacts--;
	s->st.tombs = s->st.records - s->st.contacts;
	s->st.freed++;
	drop_block(s, r);
}

/* Counts it as a contact or not */
void store_show(struct store *s, struct srec *r, const struct record *rec,
		uint64_t wall)
{
	bool now = record_visible(rec, wall) != NULL;

	if (now != r->shown) {
		s->st.contacts += now ? 1 : (uint64_t)-1;
		r->shown = now;
	}
	s->st.tombs = s->st.records - s->st.contacts;
}

static int pack(struct store *s, const struct record *rec, size_t *np)
{
	struct buf b;

	buf_fixed(&b, s->scratch, sizeof(s->scratch));
	record_encode(&b, rec);
	if (b.err)
		return ENOSPC;
	*np = b.n;
	return 0;
}

struct srec *store_repack(struct store *s, struct srec *old,
			  const struct record *rec)
{
	struct srec *r = old;
	size_t n;

	if (pack(s, rec, &n))
		return old;
	if (store_block(n) != store_block(old->n)) {
		r = store_new(s, n);
		if (!r)
			return old;     /* it stays as it is: larger */
		r->hash = old->hash;
		r->via = old->via;
		r->shown = old->shown;
		flip(s, old);
		store_index_replace(s, old, r);
		store_order_replace(s, old, r);
		drop_block(s, old);
	} else {
		flip(s, old);
	}
	memcpy(r->p, s->scratch, n);
	r->n = (uint16_t)n;
	flip(s, r);
	return r;
}

/* A change: write `rec` over old (NULL = a new record), last in change order */
static int commit(struct store *s, struct srec *old, const struct record *rec,
		  uint32_t hash, uint8_t via, uint64_t wall)
{
	struct srec *r = old;
	size_t n;

	if (pack(s, rec, &n))
		return ENOSPC;
	if (!old || store_block(n) != store_block(old->n)) {
		r = store_new(s, n);
		if (!r)
			return ENOMEM;
	}
	if (r != old) {
		r->hash = hash;
		r->shown = old ? old->shown : false;
	}
	/* What rec borrows may lie in old: it goes, or is written over */
	store_digest_flip(s, hash, rec);
	if (old) {
		flip(s, old);
		store_slot_del(old);
		store_order_del(s, old);
		if (r != old) {
			store_index_replace(s, old, r);
			drop_block(s, old);
		}
	} else {
		store_index_add(s, r);
	}
	memcpy(r->p, s->scratch, n);
	r->n = (uint16_t)n;
	r->via = via;
	store_order_append(s, r);
	store_show(s, r, rec, wall);
	store_slot_add(s, r, record_next(rec, store_keep(s)));
	return 0;
}

/* The record of a binding as it counts at `wall`. @return its memory or NULL
 * (rec is then empty but for its identity) */
static struct srec *load(struct store *s, uint32_t hash, struct sl aor,
			 struct sl key, uint64_t wall, struct record *rec)
{
	struct srec *r = *store_lookup(s, hash, aor, key);

	if (r && record_decode(rec, sl_mk(r->p, r->n)) == 0) {
		if (!record_is_past(rec, wall))
			return r;
		store_forget(s, r);     /* past its hold: absent in joins */
	}
	memset(rec, 0, sizeof(*rec));
	rec->aor = aor;
	rec->key = key;
	return NULL;
}

/* --- reading ---------------------------------------------------------------- */

static void contact_of(struct store_contact *c, const struct record *rec,
		       const struct rec_entry *e)
{
	c->key = rec->key;
	c->value = e->value;
	c->lineage = e->lineage & ~0xffull;
	c->cseq = e->cseq;
	c->expires = e->expires;
	c->vstamp = e->vstamp;
}

static bool visible(const struct srec *r, uint64_t wall,
		    struct store_contact *c, struct sl *aor)
{
	struct record rec;
	const struct rec_entry *e;

	if (record_decode(&rec, sl_mk(r->p, r->n)))
		return false;
	e = record_visible(&rec, wall);
	if (!e)
		return false;
	contact_of(c, &rec, e);
	if (aor)
		*aor = rec.aor;
	return true;
}

void store_get(struct store *s, struct sl aor, uint64_t wall,
	       struct store_iter *it)
{
	it->s = s;
	it->aor = aor;
	it->wall = wall;
	it->hash = store_hash(s, aor);
	it->at = store_chain(s, it->hash);
}

bool store_next(struct store_iter *it, struct store_contact *c)
{
	const struct srec *r;

	for (r = it->at; r; r = r->hnext)
		if (r->hash == it->hash && sl_eq(srec_aor(r), it->aor) &&
		    visible(r, it->wall, c, NULL))
			break;
	it->at = r ? r->hnext : NULL;
	return r != NULL;
}

int store_find(struct store *s, struct sl aor, struct sl key, uint64_t wall,
	       struct store_contact *c)
{
	const struct srec *r = *store_lookup(s, store_hash(s, aor), aor, key);

	return r && visible(r, wall, c, NULL) ? 0 : ENOENT;
}

uint32_t store_count(struct store *s, struct sl aor, uint64_t wall)
{
	struct store_iter it;
	struct store_contact c;
	uint32_t n = 0;

	store_get(s, aor, wall, &it);
	while (store_next(&it, &c))
		n++;
	return n;
}

bool store_walk(struct store *s, uint64_t *pos, uint64_t wall,
		void (*h)(struct sl aor, const struct store_contact *c,
			  void *arg), void *arg)
{
	struct store_contact c;
	struct sl aor;
	uint64_t end = *pos + 256;

	for (; *pos < s->chains && *pos < end; ++*pos) {
		struct srec *r = s->seg[*pos / STORE_SEG][*pos % STORE_SEG];

		for (; r; r = r->hnext)
			if (visible(r, wall, &c, &aor))
				h(aor, &c, arg);
	}
	return *pos < s->chains;
}

/* --- own changes -------------------------------------------------------------- */

/* May this version in, and under which generation of the lineage? */
static int admit(const struct record *rec, uint64_t lineage, uint32_t cseq,
		 uint64_t wall, uint64_t *as)
{
	const struct rec_entry *e = NULL;
	uint8_t i;

	*as = lineage & ~0xffull;
	for (i = 0; i < rec->n && !e; i++)       /* the latest generation */
		if (((rec->e[i].lineage ^ lineage) & ~0xffull) == 0)
			e = &rec->e[i];
	if (!e)
		return 0;
	if (cseq > e->cseq) {
		*as = e->lineage;
		return 0;
	}
	if ((!e->dead && e->expires <= wall) ||
	    ((e->dead || e != rec->e ||
	      stamp_cmp(e->vstamp, rec->kill) <= 0) &&
	     stamp_ms(e->vstamp) + RETRANS <= wall)) {
		*as |= (e->lineage + 1) & 0xff;
		return 0;
	}
	return cseq == e->cseq ? EALREADY : ESTALE;
}

static int caps(struct store *s, uint32_t hash, struct sl aor, uint32_t n)
{
	if (s->st.records + n > s->cf.max_records ||
	    store_aor_n(s, hash, aor, s->cf.max_per_aor) + n >
	    s->cf.max_per_aor) {
		s->st.full++;
		return ENOSPC;
	}
	return 0;
}

static bool lengths_ok(struct sl aor, struct sl key, struct sl value)
{
	return aor.n > 0 && aor.n <= REC_AOR_MAX && key.n <= REC_KEY_MAX &&
	       value.n <= REC_VALUE_MAX;
}

int store_check(struct store *s, struct sl aor, struct sl key,
		uint64_t lineage, uint32_t cseq, uint64_t wall)
{
	struct record rec;
	uint32_t hash;
	uint64_t as;

	if (!lengths_ok(aor, key, SL_NONE))
		return EINVAL;
	hash = store_hash(s, aor);
	if (!load(s, hash, aor, key, wall, &rec))
		return caps(s, hash, aor, 1);
	return admit(&rec, lineage, cseq, wall, &as);
}

int store_reserve(struct store *s, struct sl aor, uint32_t added,
		  uint32_t changes, size_t bytes)
{
	int err;

	if (bytes > REC_VALUE_MAX || changes > STORE_SPARE)
		return ENOSPC;
	err = added ? caps(s, store_hash(s, aor), aor, added) : 0;
	while (!err && s->spares < changes) {
		void **b = malloc(store_block(REC_SIZE_MAX));

		if (!b)
			return ENOMEM;
		*b = s->spare;
		s->spare = b;
		s->spares++;
	}
	return err;
}

static uint64_t hold_from(const struct store *s, uint64_t wall)
{
	return wall + store_keep(s);
}

static struct stamp next_stamp(struct store *s, const struct record *rec,
			       uint64_t wall)
{
	struct stamp top = record_top(rec);

	if (s->hlc.last < top.t)
		s->hlc.last = top.t;
	return hlc_next(&s->hlc, wall);
}

/* One version by the owner of the binding, alive or dead */
static int change(struct store *s, struct sl aor, struct sl key,
		  uint64_t lineage, struct rec_entry *e, uint64_t wall)
{
	uint32_t hash = store_hash(s, aor);
	struct record rec, add;
	struct srec *old = load(s, hash, aor, key, wall, &rec);
	int err;

	err = old ? admit(&rec, lineage, e->cseq, wall, &e->lineage) :
		    caps(s, hash, aor, 1);
	if (err) {
		s->st.stale += err == ESTALE;
		return err;
	}
	if (!old)
		e->lineage = lineage & ~0xffull;
	e->vstamp = next_stamp(s, &rec, wall);
	e->gstamp = e->vstamp;
	memset(&add, 0, sizeof(add));
	add.n = 1;
	add.e[0] = *e;
	add.hold = hold_from(s, wall);
	record_join(&rec, &add);
	record_prune(&rec, wall, store_keep(s));
	return commit(s, old, &rec, hash, 0, wall);
}

int store_put(struct store *s, struct sl aor, struct sl key, uint64_t lineage,
	      uint32_t cseq, uint64_t expires, struct sl value, uint64_t wall)
{
	struct rec_entry e = { .cseq = cseq, .has_value = true,
			       .value = value };
	uint64_t max = wall + s->cf.max_expires * 1000ull;
	int err;

	if (!lengths_ok(aor, key, value) || expires <= wall)
		return EINVAL;
	e.expires = expires < max ? expires : max;
	err = change(s, aor, key, lineage, &e, wall);
	if (!err)
		s->st.puts++;
	return err;
}

int store_del(struct store *s, struct sl aor, struct sl key, uint64_t lineage,
	      uint32_t cseq, uint64_t wall)
{
	struct rec_entry e = { .cseq = cseq, .dead = true };
	int err;

	if (!lengths_ok(aor, key, SL_NONE))
		return EINVAL;
	err = change(s, aor, key, lineage, &e, wall);
	if (!err)
		s->st.dels++;
	return err;
}

int store_kill(struct store *s, struct sl aor, struct sl key,
	       struct stamp vstamp, uint64_t wall)
{
	uint32_t hash = store_hash(s, aor);
	const struct rec_entry *e;
	struct record rec;
	struct srec *old = load(s, hash, aor, key, wall, &rec);
	int err;

	e = old ? record_visible(&rec, wall) : NULL;
	if (!e)
		return ENOENT;
	if (stamp_cmp(e->vstamp, vstamp))
		return ESTALE;
	rec.kill = stamp_max(rec.kill, vstamp);
	if (rec.hold < hold_from(s, wall))
		rec.hold = hold_from(s, wall);
	record_prune(&rec, wall, store_keep(s));
	err = commit(s, old, &rec, hash, 0, wall);
	if (!err)
		s->st.kills++;
	return err;
}

/* --- a peer's record ------------------------------------------------------------ */

static int see_stamps(struct store *s, const struct record *r, uint64_t wall)
{
	int err = hlc_see(&s->hlc, r->kill, wall);

	for (uint8_t i = 0; i < r->n && !err; i++)
		err = hlc_see(&s->hlc, r->e[i].gstamp, wall);
	if (err)
		s->st.bad_stamp++;
	return err;
}

int store_merge(struct store *s, const struct record *peers, uint8_t via,
		uint64_t wall, bool *changed)
{
	struct record src = *peers, rec;
	uint32_t hash = store_hash(s, src.aor);
	struct srec *old;
	int err = see_stamps(s, &src, wall);

	*changed = false;
	if (err)
		return err;
	record_clamp(&src, hold_from(s, wall) + INGRESS_SLACK);
	if (record_is_past(&src, wall)) {
		s->st.merges_known++;
		return 0;
	}
	record_prune(&src, wall, store_keep(s));
	old = load(s, hash, src.aor, src.key, wall, &rec);
	if (!old && (s->st.records >= s->cf.max_records ||
		     store_aor_n(s, hash, src.aor, STORE_AOR_WIRE) >=
		     STORE_AOR_WIRE)) {
		s->st.full++;
		return ENOSPC;
	}
	if (!record_join(&rec, &src)) {
		s->st.merges_known++;
		return 0;
	}
	record_prune(&rec, wall, store_keep(s));
	/* What neither side had is a change of ours: everyone gets it */
	err = commit(s, old, &rec, hash, record_same(&rec, &src) ? via : 0,
		     wall);
	if (err)
		return err;
	*changed = true;
	s->st.merges++;
	return 0;
}
