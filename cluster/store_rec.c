/* store_rec.c - Pure. One record in memory: written, written again, forgotten. */
#include <errno.h>
#include "cluster/store_priv.h"

/* A block for n compact bytes, links not set. @return 0: no memory */
static uint32_t block_for(struct store *s, size_t n)
{
	uint32_t h = heap_get(&s->heap, SREC_HEAD + n);

	if (!h) {
		s->st.oom++;
		return 0;
	}
	s->st.bytes = s->heap.bytes;
	s->st.taken = s->heap.taken;
	srec_at(s, h)->wnext = srec_at(s, h)->wprev = 0;
	return h;
}

static void drop_block(struct store *s, uint32_t h)
{
	squeeze_unref(&s->squeeze, srec_at(s, h)->dict);
	heap_put(&s->heap, h);
	s->st.bytes = s->heap.bytes;
	s->st.taken = s->heap.taken;
}

/* Does the block take n compact bytes, without waste? */
static bool fits(const struct store *s, uint32_t h, size_t n)
{
	return heap_size(&s->heap, h) == heap_round(SREC_HEAD + n);
}

/* s->pack becomes the content; again = over an earlier one */
static void fill(struct store *s, uint32_t h, size_t n, bool again)
{
	struct srec *r = srec_at(s, h);

	if (again)
		squeeze_unref(&s->squeeze, r->dict);
	r->dict = s->squeeze.cur & 3;
	squeeze_ref(&s->squeeze, r->dict);
	r->n = (uint16_t)n;
	memcpy(r->p, s->pack, n);
}

/* Values are no part of a digest */
static void flip(struct store *s, const struct srec *r)
{
	struct store_view v;

	store_unpack(s, r, &v);
	store_digest_flip(s, r->hash, &v.rec);
}

void store_forget(struct store *s, uint32_t h)
{
	struct srec *r = srec_at(s, h);

	flip(s, r);
	s->moves++;
	store_slot_del(s, h);
	store_order_del(s, h);
	store_index_del(s, h);
	if (r->shown)
		s->st.contacts--;
	s->st.tombs = s->st.records - s->st.contacts;
	s->st.freed++;
	drop_block(s, h);
}

void store_show(struct store *s, uint32_t h, const struct record *rec,
		uint64_t wall)
{
	struct srec *r = srec_at(s, h);
	bool now = record_visible(rec, wall) != NULL;

	if (now != r->shown) {
		s->st.contacts += now ? 1 : (uint64_t)-1;
		r->shown = now;
	}
	s->st.tombs = s->st.records - s->st.contacts;
}

uint32_t store_repack(struct store *s, uint32_t old, const struct record *rec)
{
	const struct srec *o = srec_at(s, old);
	uint32_t h = old;
	size_t n;

	if (store_pack(s, rec, &n))
		return old;
	if (s->wire_seq == srec_seq(o))
		s->wire_seq = 0;
	flip(s, o);
	if (!fits(s, old, n)) {
		h = block_for(s, n);
		if (!h) {
			flip(s, o);
			return old;     /* it stays as it is: larger */
		}
		srec_at(s, h)->hash = o->hash;
		srec_at(s, h)->via = o->via;
		srec_at(s, h)->shown = o->shown;
		store_index_replace(s, old, h);
		store_order_replace(s, old, h);
		drop_block(s, old);
	}
	fill(s, h, n, h == old);
	flip(s, srec_at(s, h));
	return h;
}

/* Learn from the value that came: it is the first one, as a rule */
static void learn(struct store *s, const struct record *rec)
{
	if (rec->n && rec->e[0].has_value)
		squeeze_learn(&s->squeeze, rec->e[0].value, rec->key);
}

int store_commit(struct store *s, uint32_t old, const struct record *rec,
		 uint32_t hash, uint8_t via, uint64_t wall)
{
	uint32_t h = old;
	size_t n;

	learn(s, rec);
	if (store_pack(s, rec, &n))
		return ENOSPC;
	if (!old || !fits(s, old, n)) {
		h = block_for(s, n);
		if (!h)
			return ENOMEM;
		srec_at(s, h)->hash = hash;
		srec_at(s, h)->shown = old && srec_at(s, old)->shown;
	}
	/* What rec borrows may lie in old: it goes, or is written over */
	store_digest_flip(s, hash, rec);
	if (old) {
		flip(s, srec_at(s, old));
		store_slot_del(s, old);
		store_order_del(s, old);
		if (h != old) {
			store_index_replace(s, old, h);
			drop_block(s, old);
		}
	} else {
		store_index_add(s, h);
	}
	fill(s, h, n, h == old);
	srec_at(s, h)->via = via;
	store_order_append(s, h);
	store_show(s, h, rec, wall);
	store_slot_add(s, h, record_next(rec, store_keep(s)));
	return 0;
}
