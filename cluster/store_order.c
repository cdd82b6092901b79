/* store_order.c - Pure. The change order and the cursors in it. */
#include "cluster/store_priv.h"

/* r is about to leave its place; `instead` takes it, if not NULL */
static void cursors_leave(struct store *s, struct srec *r,
			  struct srec *instead)
{
	for (struct store_cursor *c = s->cursors; c; c = c->next)
		if (c->at == r)
			c->at = instead ? instead : r->onext;
}

void store_order_append(struct store *s, struct srec *r)
{
	r->seq = ++s->seq;
	r->onext = NULL;
	r->oprev = s->last;
	if (s->last)
		s->last->onext = r;
	else
		s->first = r;
	s->last = r;
	for (struct store_cursor *c = s->cursors; c; c = c->next)
		if (!c->at && !c->seeking)
			c->at = r;
}

void store_order_del(struct store *s, struct srec *r)
{
	cursors_leave(s, r, NULL);
	if (r->oprev)
		r->oprev->onext = r->onext;
	else
		s->first = r->onext;
	if (r->onext)
		r->onext->oprev = r->oprev;
	else
		s->last = r->oprev;
}

void store_order_replace(struct store *s, struct srec *old, struct srec *r)
{
	cursors_leave(s, old, r);
	r->seq = old->seq;
	r->onext = old->onext;
	r->oprev = old->oprev;
	if (r->oprev)
		r->oprev->onext = r;
	else
		s->first = r;
	if (r->onext)
		r->onext->oprev = r;
	else
		s->last = r;
}

uint64_t store_seq(const struct store *s)
{
	return s->seq;
}

void store_cursor_set(struct store *s, struct store_cursor *c, uint64_t seq)
{
	c->at = NULL;
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
	c->at = NULL;
}

/* Walk back from the end to the first record after c->seq. A record that
 * changes meanwhile goes to the end: it is after c->seq all the more. */
static void seek(struct store *s, struct store_cursor *c)
{
	struct srec *r = c->at ? c->at : s->last;

	if (!r || r->seq <= c->seq) {
		c->at = NULL;
		c->seeking = false;
		return;
	}
	for (uint32_t i = 0; i < STORE_SEEK; i++) {
		if (!r->oprev || r->oprev->seq <= c->seq) {
			c->seeking = false;
			break;
		}
		r = r->oprev;
	}
	c->at = r;
}

bool store_cursor_peek(struct store *s, struct store_cursor *c,
		       struct store_change *ch)
{
	const struct srec *r;

	if (c->seeking)
		seek(s, c);
	if (c->seeking || !c->at)
		return false;
	r = c->at;
	ch->seq = r->seq;
	ch->via = r->via;
	ch->aor = srec_aor(r);
	ch->packed = sl_mk(r->p, r->n);
	return true;
}

void store_cursor_step(struct store *s, struct store_cursor *c)
{
	const struct srec *r = c->at;

	(void)s;
	if (!r || c->seeking)
		return;
	c->seq = r->seq;
	c->at = r->onext;
}
