/* store_order.c - Pure. The change order and the cursors in it. */
#include "cluster/store_priv.h"

/* h is about to leave its place; `instead` takes it, if not 0 */
static void cursors_leave(struct store *s, uint32_t h, uint32_t instead)
{
	for (struct store_cursor *c = s->cursors; c; c = c->next)
		if (c->at == h)
			c->at = instead ? instead : srec_at(s, h)->onext;
}

/* Its neighbours, or the ends of the order, shall point to these */
static void tie(struct store *s, const struct srec *r, uint32_t next_of_prev,
		uint32_t prev_of_next)
{
	if (r->oprev)
		srec_at(s, r->oprev)->onext = next_of_prev;
	else
		s->first = next_of_prev;
	if (r->onext)
		srec_at(s, r->onext)->oprev = prev_of_next;
	else
		s->last = prev_of_next;
}

void store_order_append(struct store *s, uint32_t h)
{
	struct srec *r = srec_at(s, h);

	s->seq++;
	r->seq_low = (uint32_t)s->seq;
	r->seq_high = (uint16_t)(s->seq >> 32);
	r->onext = 0;
	r->oprev = s->last;
	tie(s, r, h, h);
	for (struct store_cursor *c = s->cursors; c; c = c->next)
		if (!c->at && !c->seeking)
			c->at = h;
}

void store_order_del(struct store *s, uint32_t h)
{
	const struct srec *r = srec_at(s, h);

	cursors_leave(s, h, 0);
	tie(s, r, r->onext, r->oprev);
}

void store_order_replace(struct store *s, uint32_t old, uint32_t h)
{
	const struct srec *o = srec_at(s, old);
	struct srec *r = srec_at(s, h);

	cursors_leave(s, old, h);
	r->seq_low = o->seq_low;
	r->seq_high = o->seq_high;
	r->onext = o->onext;
	r->oprev = o->oprev;
	tie(s, r, h, h);
}

uint64_t store_seq(const struct store *s)
{
	return s->seq;
}

void store_cursor_set(struct store *s, struct store_cursor *c, uint64_t seq)
{
	c->at = 0;
	c->seeking = false;
	if (seq > s->seq)
		seq = s->seq;
	c->seq = seq;
	if (seq == 0)
		c->at = s->first;
	else if (seq < s->seq)
		c->seeking = true;
}

void store_cursor_add(struct store *s, struct store_cursor *c, uint64_t seq)
{
	c->next = s->cursors;
	s->cursors = c;
	store_cursor_set(s, c, seq);
}

void store_cursor_del(struct store *s, struct store_cursor *c)
{
	struct store_cursor **pp = &s->cursors;

	while (*pp && *pp != c)
		pp = &(*pp)->next;
	if (*pp)
		*pp = c->next;
	c->next = NULL;
	c->at = 0;
}

/* Walk back from the end to the first record after c->seq. A record that
 * changes meanwhile goes to the end: it is after c->seq all the more. */
static void seek(struct store *s, struct store_cursor *c)
{
	uint32_t h = c->at ? c->at : s->last;

	if (!h || srec_seq(srec_at(s, h)) <= c->seq) {
		c->at = 0;
		c->seeking = false;
		return;
	}
	for (uint32_t i = 0; i < STORE_SEEK; i++) {
		uint32_t prev = srec_at(s, h)->oprev;

		if (!prev || srec_seq(srec_at(s, prev)) <= c->seq) {
			c->seeking = false;
			break;
		}
		h = prev;
	}
	c->at = h;
}

bool store_cursor_peek(struct store *s, struct store_cursor *c,
		       struct store_change *ch)
{
	const struct srec *r;

	if (c->seeking)
		seek(s, c);
	if (c->seeking || !c->at)
		return false;
	r = srec_at(s, c->at);
	ch->seq = srec_seq(r);
	ch->via = r->via;
	ch->aor = srec_aor(r);
	ch->packed = store_wire(s, r);
	return true;
}

void store_cursor_step(struct store *s, struct store_cursor *c)
{
	const struct srec *r;

	if (!c->at || c->seeking)
		return;
	r = srec_at(s, c->at);
	c->seq = srec_seq(r);
	c->at = r->onext;
}
