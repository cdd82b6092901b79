/**
 * @file txn_over.c  Pure. Transactions that are over and wait for copies only.
 *
 * RFC 3261 and 6026 let them wait for 64*T1. At a thousand calls a second
 * those are a hundred thousand transactions, of which hardly one is needed: so
 * they are what makes room at the cap. Not before T4, "the maximum duration a
 * message will remain in the network": until then a copy may be on its way of
 * what was answered. Who did not hear the answer and repeats his request later
 * than that is a new request to us, as after any restart.
 */
#include <stddef.h>

#include "sip/txn_i.h"

void txn_over_del(struct txnl *t, struct over *o, bool server)
{
	struct over_list *l = server ? &t->over_s : &t->over_c;

	if (!o->in)
		return;
	o->in = false;
	*(o->prev ? &o->prev->next : &l->first) = o->next;
	*(o->next ? &o->next->prev : &l->last) = o->prev;
}

void txn_over(struct txnl *t, struct over *o, bool server, uint64_t now)
{
	struct over_list *l = server ? &t->over_s : &t->over_c;

	txn_over_del(t, o, server);     /* a 2xx behind a failure: anew */
	o->in = true;
	o->at = now;
	o->next = NULL;
	o->prev = l->last;
	*(l->last ? &l->last->next : &l->first) = o;
	l->last = o;
}

bool txn_room(struct txnl *t, bool server, uint64_t now)
{
	uint64_t n = server ? t->st.server_now : t->st.client_now;
	uint64_t max = server ? t->cf.max_server : t->cf.max_client;
	struct over *o = server ? t->over_s.first : t->over_c.first;

	if (n < max)
		return true;
	if (!o || now < o->at + t->cf.t4) {
		t->st.refused_cap++;
		return false;
	}
	t->st.ended_early++;
	if (server)
		stxn_end(container(o, struct stxn, over));
	else
		ctxn_end(container(o, struct ctxn, over));
	return true;
}
