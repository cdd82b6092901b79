/* store.c - Pure. All bindings: own changes and merges.
 * docs/cluster-protocol.md 4. */
#include <errno.h>
#include <stdlib.h>
#include "cluster/store_priv.h"

#define RETRANS 32000      /* a repeated request may still come [ms] (64*T1) */
#define INGRESS_SLACK 10000     /* peers' clocks, for clamping [ms]      */

/* --- life of the store ----------------------------------------------------- */

int store_alloc(struct store **sp, const struct store_conf *cf, uint64_t wall)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return ENOMEM;
	s->cf = *cf;
	hlc_init(&s->hlc, cf->node);
	heap_init(&s->heap);
	squeeze_init(&s->squeeze);
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
	if (!s)
		return;
	heap_close(&s->heap);
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

/* The record of a binding as it counts at `wall`, its values only as stored.
 * @return its handle or 0 (the record is then empty but for its identity) */
static uint32_t look(struct store *s, uint32_t hash, struct sl aor,
		     struct sl key, uint64_t wall, struct store_view *v)
{
	uint32_t h = store_lookup(s, hash, aor, key);

	if (h) {
		store_unpack(s, srec_at(s, h), v);
		if (!record_is_past(&v->rec, wall))
			return h;
		store_forget(s, h);     /* past its hold: absent in joins */
	}
	v->rec.aor = aor;
	v->rec.key = key;
	v->rec.kill = STAMP_NONE;
	v->rec.hold = 0;
	v->rec.n = 0;
	v->rec.ext = SL_NONE;
	return 0;
}

/* The same in full */
static uint32_t load(struct store *s, uint32_t hash, struct sl aor,
		     struct sl key, uint64_t wall, struct store_view *v)
{
	uint32_t h = look(s, hash, aor, key, wall, v);

	if (h)
		store_values(s, v);
	return h;
}

/* --- own changes -------------------------------------------------------------- */

/* The generation in which a client counts anew. Two sides of a cut may have begun
 * different ones: the next one may be here, with CSeqs that the new one would lose
 * to after it was admitted. */
static uint64_t anew(const struct record *rec, uint64_t lineage)
{
	bool taken = true;

	while (taken) {
		lineage = (lineage & ~0xffull) | ((lineage + 1) & 0xff);
		taken = false;
		for (uint8_t i = 0; i < rec->n; i++)
			taken |= rec->e[i].lineage == lineage;
	}
	return lineage;
}

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
		*as = anew(rec, e->lineage);
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
	struct store_view v;
	uint32_t hash;
	uint64_t as;

	if (!lengths_ok(aor, key, SL_NONE))
		return EINVAL;
	hash = store_hash(s, aor);
	if (!look(s, hash, aor, key, wall, &v))
		return caps(s, hash, aor, 1);
	return admit(&v.rec, lineage, cseq, wall, &as);
}

int store_reserve(struct store *s, struct sl aor, uint32_t added,
		  uint32_t changes, size_t bytes)
{
	int err;

	if (bytes > REC_VALUE_MAX || changes > STORE_SPARE)
		return ENOSPC;
	err = added ? caps(s, store_hash(s, aor), aor, added) : 0;
	if (!err)
		err = heap_reserve(&s->heap, changes,
				   SREC_HEAD + STORE_PACK_MAX);
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
	struct store_view v;
	struct record *rec = &v.rec, add;
	uint32_t old = load(s, hash, aor, key, wall, &v);
	int err;

	err = old ? admit(rec, lineage, e->cseq, wall, &e->lineage) :
		    caps(s, hash, aor, 1);
	if (err) {
		s->st.stale += err == ESTALE;
		return err;
	}
	if (!old)
		e->lineage = lineage & ~0xffull;
	e->vstamp = next_stamp(s, rec, wall);
	e->gstamp = e->vstamp;
	memset(&add, 0, sizeof(add));
	add.n = 1;
	add.e[0] = *e;
	add.hold = hold_from(s, wall);
	record_join(rec, &add);
	record_prune(rec, wall, store_keep(s));
	return store_commit(s, old, rec, hash, 0, wall);
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
	struct store_view v;
	struct record *rec = &v.rec;
	uint32_t old = load(s, hash, aor, key, wall, &v);
	int err;

	e = old ? record_visible(rec, wall) : NULL;
	if (!e)
		return ENOENT;
	if (stamp_cmp(e->vstamp, vstamp))
		return ESTALE;
	rec->kill = stamp_max(rec->kill, vstamp);
	if (rec->hold < hold_from(s, wall))
		rec->hold = hold_from(s, wall);
	record_prune(rec, wall, store_keep(s));
	err = store_commit(s, old, rec, hash, 0, wall);
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
	struct record src = *peers, *rec;
	struct store_view v;
	uint32_t hash = store_hash(s, src.aor);
	uint32_t old;
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
	old = load(s, hash, src.aor, src.key, wall, &v);
	rec = &v.rec;
	if (!old && (s->st.records >= s->cf.max_records ||
		     store_aor_n(s, hash, src.aor, STORE_AOR_WIRE) >=
		     STORE_AOR_WIRE)) {
		s->st.full++;
		return ENOSPC;
	}
	if (!record_join(rec, &src)) {
		s->st.merges_known++;
		return 0;
	}
	record_prune(rec, wall, store_keep(s));
	/* What neither side had is a change of ours: everyone gets it */
	err = store_commit(s, old, rec, hash, record_same(rec, &src) ? via : 0,
		     wall);
	if (err)
		return err;
	*changed = true;
	s->st.merges++;
	return 0;
}
