/* store_slot.c - Pure. When a record next changes by itself: slots of one
 * second of wall time. A slot that comes round early just links the record
 * again; a step of the clock delays memory, never what is visible. */
#include "cluster/store_priv.h"

#define FIRING STORE_SLOTS         /* the slot of records taken from one */

static void link_at(struct store *s, uint32_t slot, uint32_t h)
{
	struct srec *r = srec_at(s, h);

	r->wnext = s->slot[slot];
	if (r->wnext)
		srec_at(s, r->wnext)->wprev = h;
	s->slot[slot] = h;
	r->wprev = STORE_SLOT_AT + slot;
}

void store_slot_add(struct store *s, uint32_t h, uint64_t at)
{
	uint64_t sec = at / 1000 + 1;

	if (sec <= s->done)
		sec = s->done + 1;
	link_at(s, sec % STORE_SLOTS, h);
}

void store_slot_del(struct store *s, uint32_t h)
{
	struct srec *r = srec_at(s, h);

	if (!r->wprev)
		return;
	if (r->wprev >= STORE_SLOT_AT)
		s->slot[r->wprev - STORE_SLOT_AT] = r->wnext;
	else
		srec_at(s, r->wprev)->wnext = r->wnext;
	if (r->wnext)
		srec_at(s, r->wnext)->wprev = r->wprev;
	r->wnext = r->wprev = 0;
}

static void take_slot(struct store *s, uint32_t slot)
{
	uint32_t h = s->slot[slot];

	s->slot[slot] = 0;
	s->slot[FIRING] = h;
	if (h)
		srec_at(s, h)->wprev = STORE_SLOT_AT + FIRING;
}

static void fire(struct store *s, uint32_t h, uint64_t wall)
{
	struct srec *r = srec_at(s, h);
	struct store_view v;
	struct record *rec = &v.rec;

	store_slot_del(s, h);
	store_unpack(s, r, &v);
	if (record_is_past(rec, wall)) {
		store_forget(s, h);
		return;
	}
	if (r->shown && rec->n && !rec->e[0].dead &&
	    rec->e[0].expires <= wall)
		s->st.expired++;
	if (record_prune(rec, wall, store_keep(s))) {
		store_unpack(s, r, &v);
		store_values(s, &v);
		(void)record_prune(rec, wall, store_keep(s));
		h = store_repack(s, h, rec);
		store_unpack(s, srec_at(s, h), &v);
	}
	store_show(s, h, rec, wall);
	store_slot_add(s, h, record_next(rec, store_keep(s)));
}

bool store_tick(struct store *s, uint64_t wall, uint32_t budget)
{
	uint64_t sec = wall / 1000;

	if (sec < s->done)
		s->done = sec;          /* the clock was set back */
	if (sec - s->done > STORE_SLOTS)
		s->done = sec - STORE_SLOTS;
	while (budget > 0) {
		if (s->slot[FIRING]) {
			fire(s, s->slot[FIRING], wall);
			budget--;
			continue;
		}
		if (s->done >= sec)
			return false;
		s->done++;
		take_slot(s, s->done % STORE_SLOTS);
	}
	return true;
}
