/**
 * @file transport_conn.c  Shell. Tables of stream connections: by number, by
 * address dialled, by alias; and how many a client address has.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "sip/transport_i.h"

static unsigned slot(const struct addr *a)
{
	return (unsigned)(addr_hash(a) % TR_BUCKETS);
}

static unsigned ip_slot(const struct addr *a)
{
	struct addr ip = *a;

	ip.port = 0;
	return slot(&ip);
}

/* --- per client address --- */

static struct ipcount **ip_find(struct transport *t, const struct addr *a)
{
	struct ipcount **pp = &t->by_ip[ip_slot(a)];

	while (*pp && !addr_ip_eq(&(*pp)->ip, a))
		pp = &(*pp)->next;
	return pp;
}

bool conn_ip_full(const struct transport *t, const struct addr *a)
{
	const struct ipcount *p = t->by_ip[ip_slot(a)];

	if (!t->cf.max_conns_ip)
		return false;
	while (p && !addr_ip_eq(&p->ip, a))
		p = p->next;
	return p && p->n >= t->cf.max_conns_ip;
}

static bool ip_add(struct transport *t, const struct addr *a)
{
	struct ipcount **pp = ip_find(t, a);

	if (!*pp) {
		*pp = calloc(1, sizeof(**pp));
		if (!*pp)
			return false;
		(*pp)->ip = *a;
	}
	(*pp)->n++;
	return true;
}

static void ip_del(struct transport *t, const struct addr *a)
{
	struct ipcount **pp = ip_find(t, a), *p = *pp;

	if (!p || --p->n)
		return;
	*pp = p->next;
	free(p);
}

/* --- look-up --- */

struct conn *conn_by_id(const struct transport *t, uint32_t id)
{
	struct conn *c = t->by_id[id % TR_BUCKETS];

	while (c && c->id != id)
		c = c->id_next;
	return c;
}

/** The connection for requests to peer: one that we dialled, or whose far end
 *  has said that it is reached by it; an open one first */
struct conn *conn_to(const struct lst *l, const struct addr *peer)
{
	struct conn *c = l->t->by_peer[slot(peer)], *dialling = NULL;

	for (; c; c = c->peer_next) {
		if (c->lst != l || !addr_eq(&c->peer, peer))
			continue;
		if (c->state == CONN_OPEN)
			return c;
		if (c->state == CONN_DIALLING)
			dialling = c;
	}
	for (c = l->t->by_alias[slot(peer)]; c; c = c->alias_next) {
		if (c->lst == l && c->state == CONN_OPEN &&
		    addr_eq(&c->alias, peer))
			return c;
	}
	return dialling;
}

static void unlink_alias(struct conn *c)
{
	struct conn **pp = &c->t->by_alias[slot(&c->alias)];

	if (!c->aliased)
		return;
	while (*pp && *pp != c)
		pp = &(*pp)->alias_next;
	if (*pp)
		*pp = c->alias_next;
	c->aliased = false;
}

/** One alias per connection, the newest connection of an alias counts */
void conn_alias(struct conn *c, const struct addr *a)
{
	struct conn **head;

	if (c->state != CONN_OPEN || (c->aliased && addr_eq(&c->alias, a)))
		return;
	unlink_alias(c);
	c->alias = *a;
	c->aliased = true;
	head = &c->t->by_alias[slot(a)];
	c->alias_next = *head;
	*head = c;
}

struct flow conn_flow(const struct conn *c)
{
	struct flow f;

	memset(&f, 0, sizeof(f));
	f.tp = c->lst->tp;
	f.lst = c->lst->idx;
	f.conn = c->id;
	f.peer = c->peer;
	return f;
}

static void guest_add(struct conn *c)
{
	struct transport *t = c->t;

	c->guest = true;
	c->gnext = t->guests;
	*(t->guests ? &t->guests->gprev : &t->guests_end) = c;
	t->guests = c;
}

static void guest_del(struct conn *c)
{
	struct transport *t = c->t;

	if (!c->guest)
		return;
	c->guest = false;
	*(c->gprev ? &c->gprev->gnext : &t->guests) = c->gnext;
	*(c->gnext ? &c->gnext->gprev : &t->guests_end) = c->gprev;
	c->gprev = c->gnext = NULL;
}

void conn_keep(struct conn *c)
{
	guest_del(c);
	if (c->counted)
		ip_del(c->t, &c->peer);
	c->counted = false;
}

/* --- life --- */

static uint32_t new_id(struct transport *t)
{
	do {
		t->next_id++;
	} while (!t->next_id || conn_by_id(t, t->next_id));
	return t->next_id;
}

/** Takes over fd, also on failure */
struct conn *conn_new(struct lst *l, int fd, const struct addr *peer, bool out)
{
	struct transport *t = l->t;
	struct conn **head;
	struct conn *c = calloc(1, sizeof(*c));

	if (!c || (!out && !l->core && !ip_add(t, peer))) {
		free(c);
		(void)close(fd);
		return NULL;
	}

	c->t = t;
	c->lst = l;
	c->fd = fd;
	c->id = new_id(t);
	c->out = out;
	c->counted = !out && !l->core;
	c->state = out ? CONN_DIALLING : CONN_OPEN;
	c->peer = *peer;
	c->made_at = c->rx_at = t->now;
	frame_init(&c->frame, max_msg(l));
	tr_stamp(t, fd);

	head = &t->by_id[c->id % TR_BUCKETS];
	c->id_next = *head;
	*head = c;
	if (out) {
		head = &t->by_peer[slot(peer)];
		c->peer_next = *head;
		*head = c;
	}
	c->next = t->all;
	c->pprev = &t->all;
	if (c->next)
		c->next->pprev = &c->next;
	t->all = c;
	if (c->counted)
		guest_add(c);

	t->c.conns++;
	if (out)
		t->c.out++;
	else
		t->c.in++;
	return c;
}

static void unlink_all(struct conn *c)
{
	struct transport *t = c->t;
	struct conn **pp;

	for (pp = &t->by_id[c->id % TR_BUCKETS]; *pp; pp = &(*pp)->id_next) {
		if (*pp == c) {
			*pp = c->id_next;
			break;
		}
	}
	pp = &t->by_peer[slot(&c->peer)];
	for (; c->out && *pp; pp = &(*pp)->peer_next) {
		if (*pp == c) {
			*pp = c->peer_next;
			break;
		}
	}
	unlink_alias(c);
	*c->pprev = c->next;
	if (c->next)
		c->next->pprev = c->pprev;
}

static void unlink_dirty(struct conn *c)
{
	struct conn **pp = &c->t->dirty;

	if (!c->dirty)
		return;
	while (*pp && *pp != c)
		pp = &(*pp)->dirty_next;
	if (*pp)
		*pp = c->dirty_next;
	c->dirty = false;
}

/** End it now: nothing finds it any more, lost() is told soon, once */
void conn_kill(struct conn *c, int err)
{
	struct transport *t = c->t;

	if (c->state == CONN_DEAD)
		return;
	c->state = CONN_DEAD;
	c->err = err;
	wheel_del(t->w, &c->tmr);
	nfd_free(c->nfd);
	c->nfd = NULL;
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	unlink_all(c);
	unlink_dirty(c);
	guest_del(c);
	if (c->counted)
		ip_del(t, &c->peer);

	t->c.conns--;
	t->c.ended++;
	c->next = NULL;
	*t->lost_tail = c;
	t->lost_tail = &c->next;
}

void conn_free(struct conn *c)
{
	while (c->qn) {
		blob_unref(c->q[c->qhead]);
		c->qhead = (c->qhead + 1) % c->qcap;
		c->qn--;
	}
	free(c->q);
	frame_free(&c->frame);
	free(c);
}

void conn_dirty(struct conn *c)
{
	if (c->dirty || c->state == CONN_DEAD)
		return;
	c->dirty = true;
	c->dirty_next = c->t->dirty;
	c->t->dirty = c;
}
