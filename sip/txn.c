/**
 * @file txn.c  Pure. Transaction layer: start and end, the four verbs.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sip/txn_i.h"

/** Time after which Timer E of a client has grown to T2, RFC 4320 4.1 */
static uint32_t e_is_t2(const struct txn_conf *cf)
{
	uint32_t ival = cf->t1, sum = 0;

	while (ival < cf->t2) {
		sum += ival;
		ival *= 2;
	}
	return sum ? sum : cf->t1;
}

int txnl_alloc(struct txnl **tp, const struct txn_conf *cf, struct outq *out,
	       uint64_t now)
{
	struct txnl *t;
	int err;

	if (!tp || !cf || !out || !cf->t1 || cf->t1 > 60000 ||
	    cf->t2 > 600000)
		return EINVAL;

	t = calloc(1, sizeof(*t));
	if (!t)
		return ENOMEM;

	t->cf = *cf;
	if (t->cf.max_client > 1u << TXN_IDX_BITS)
		t->cf.max_client = 1u << TXN_IDX_BITS;
	t->t64 = (uint64_t)64 * cf->t1;
	t->e100 = e_is_t2(cf);
	t->now = now;
	t->out = out;
	t->tail = &t->head;
	buf_init(&t->b, 2 * SIP_MAX_MSG);

	err = wheel_alloc(&t->w, now);
	if (!err)
		err = txn_table_init(t);
	if (err) {
		txnl_free(t);
		return err;
	}

	*tp = t;
	return 0;
}

void txnl_free(struct txnl *t)
{
	if (!t)
		return;

	txn_server_close(t);
	txn_client_close(t);
	wheel_free(t->w);
	buf_free(&t->b);
	free(t);
}

const struct txn_stats *txnl_stats(const struct txnl *t)
{
	return &t->st;
}

/** One more slab of TXN_SLAB objects in v[*n - 1], not zeroed */
int txn_slab(void ***v, uint32_t *n, size_t size)
{
	void **nv, *slab;

	slab = malloc(TXN_SLAB * size);
	if (!slab)
		return ENOMEM;
	mem_have(slab, TXN_SLAB * size);

	/* grows by one pointer per 128 transactions, in powers of two */
	if ((*n & (*n - 1)) == 0) {
		nv = realloc(*v, sizeof(*nv) * (*n ? 2 * (size_t)*n : 1));
		if (!nv) {
			free(slab);
			return ENOMEM;
		}
		*v = nv;
	}

	(*v)[(*n)++] = slab;
	return 0;
}

/** Send a kept message; b NULL (no memory when it was made): nothing */
void txn_send(struct txnl *t, const struct flow *f, struct blob *b)
{
	if (b)
		outq_send(t->out, f, blob_ref(b));
}

/** Queue TXN_GONE; the object matches nothing any more */
void txn_die(struct txnl *t, struct gone *g)
{
	g->next = NULL;
	*t->tail = g;
	t->tail = &g->next;
}

void txnl_recv(struct txnl *t, const struct sip_msg *m, const struct flow *f,
	       uint64_t now, struct txn_event *ev)
{
	memset(ev, 0, sizeof(*ev));

	if (m->req)
		txn_server_recv(t, m, f, now, ev);
	else
		txn_client_recv(t, m, now, ev);
}

void txnl_tick(struct txnl *t, uint64_t now)
{
	if (now > t->now)
		t->now = now;
}

uint64_t txnl_next(const struct txnl *t)
{
	return t->head ? t->now : wheel_next(t->w);
}

static void release(struct txnl *t)
{
	struct gone *g = t->dying;

	t->dying = NULL;
	if (g->server)
		stxn_release((struct stxn *)(void *)g);
	else
		ctxn_release((struct ctxn *)(void *)g);
}

/** The object of a GONE event stays readable until the next poll */
static void take_gone(struct txnl *t, struct txn_event *ev)
{
	struct gone *g = t->head;

	t->head = g->next;
	if (!t->head)
		t->tail = &t->head;
	t->dying = g;

	ev->kind = TXN_GONE;
	if (g->server) {
		ev->stxn = (struct stxn *)(void *)g;
		ev->user = ev->stxn->user;
	}
	else {
		ev->ctxn = (struct ctxn *)(void *)g;
		ev->user = ev->ctxn->user;
	}
}

static bool fire(struct wtimer *w, struct txn_event *ev)
{
	enum txn_tk k = (enum txn_tk)w->kind;

	switch (k) {

	case TK_S_RETR:
		return stxn_fire(container(w, struct stxn, retr), k, ev);
	case TK_S_LIFE:
		return stxn_fire(container(w, struct stxn, life), k, ev);
	case TK_C_RETR:
		return ctxn_fire(container(w, struct ctxn, retr), k, ev);
	case TK_C_LIFE:
		return ctxn_fire(container(w, struct ctxn, life), k, ev);
	case TK_C_FIRST:
		return ctxn_fire(container(w, struct ctxn, first), k, ev);
	case TK_C_NO18X:
		return ctxn_fire(container(w, struct ctxn, no18x), k, ev);
	case TK_C_RING:
		return ctxn_fire(container(w, struct ctxn, ringt), k, ev);
	case TK_C_CANCEL:
		return ctxn_fire(container(w, struct ctxn, cretr), k, ev);
	}
	return false;
}

bool txnl_poll(struct txnl *t, struct txn_event *ev)
{
	struct wtimer *w;

	if (t->dying)
		release(t);
	/* most polls find nothing: *ev is not cleared for those */
	while (!t->head) {
		w = wheel_pop(t->w, t->now);
		if (!w)
			return false;
		memset(ev, 0, sizeof(*ev));
		if (fire(w, ev))
			return true;
	}
	memset(ev, 0, sizeof(*ev));
	take_gone(t, ev);
	return true;
}
