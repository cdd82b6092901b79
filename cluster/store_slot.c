/* store_slot.c - Pure. When a record next changes by itself: slots of one
 * second of wall time. A slot that comes round early just links the record
 * again; a step of the clock delays memory, never what is visible. */
#include "cluster/store_priv.h"

static void link_at(struct srec **head, struct srec *r)
{
	r->wnext = *head;
	if (r->wnext)
		r->wnext->wpprev = &r->wnext;
	*head = r;
	r->wpprev = head;
}

void store_slot_add(struct store *s, struct srec *r, uint64_t at)
{
	uint64_t sec = at / 1000 + 1;

	if (sec <= s->done)
		sec = s->done + 1;
	link_at(&s->slot[sec % STORE_SLOTS], r);
}

void store_slot_del(struct srec *r)
{
	if (!r->wpprev)
		return;
	*r->wpprev = r->wnext;
	if (r->wnext)
		r->wnext->wpprev = r->wpprev;
	r->wnext = NULL;
	r->wpprev = NULL;
}

static void take_slot(struct store *s, struct srec **slot)
{
	s->firing = *slot;
	*slot = NULL;
	if (s->firing)
		s->firing->wpprev = &s->firing;
}

static void fire(struct store *s, struct srec *r, uint64_t wall)
{
	struct record rec;

	store_slot_del(r);
	if (record_decode(&rec, sl_mk(r->p, r->n)))
		return;
	if (record_is_past(&rec, wall)) {
		store_forget(s, r);
		return;
	}
	if (r->shown && rec.n && !rec.e[0].dead &&
	    rec.e[0].expires <= wall)
		s->st.expired++;
	if (record_prune(&rec, wall, store_keep(s))) {
		r = store_repack(s, r, &rec);
		if (record_decode(&rec, sl_mk(r->p, r->n)))
			return;
	}
	store_show(s, r, &rec, wall);
	store_slot_add(s, r, record_next(&rec, store_keep(s)));
}

bool store_tick(struct store *s, uint64_t wall, uint32_t budget)
{
	uint64_t sec = wall / 1000;

	if (sec < s->done)
		s->done = sec;          /* the clock was set back */
	if (sec - s->done > STORE_SLOTS)
		s->done = sec - STORE_SLOTS;
	while (budget > 0) {
		if (s->firing) {
			fire(s, s->firing, wall);
			budget--;
			continue;
		}
		if (s->done >= sec)
			return false;
		s->done++;
		take_slot(s, &s->slot[s->done % STORE_SLOTS]);
	}
	return true;
}
