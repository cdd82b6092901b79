/**
 * @file txn_key.c  Pure. Which server transaction a request belongs to: RFC
 * 3261 17.2.3, with the rules of RFC 2543 behind it.
 */
#include <errno.h>
#include <stdlib.h>

#include "sip/txn_i.h"

enum { TAB_MIN = 1024 };

int txn_table_init(struct txnl *t)
{
	t->tab = calloc(TAB_MIN, sizeof(*t->tab));
	t->tabn = TAB_MIN;
	return t->tab ? 0 : ENOMEM;
}

/** Double the table; when there is no memory the chains just get longer */
static void grow(struct txnl *t)
{
	uint32_t i, n = t->tabn * 2;
	struct stxn **v, *s, *next;

	v = calloc(n, sizeof(*v));
	if (!v)
		return;

	for (i = 0; i < t->tabn; i++) {
		for (s = t->tab[i]; s; s = next) {
			next = s->next;
			s->next = v[s->hash & (n - 1)];
			v[s->hash & (n - 1)] = s;
		}
	}
	free(t->tab);
	t->tab = v;
	t->tabn = n;
}

void txn_unlink(struct stxn *s)
{
	struct stxn **pp = &s->l->tab[s->hash & (s->l->tabn - 1)];

	while (*pp && *pp != s)
		pp = &(*pp)->next;
	if (*pp)
		*pp = s->next;
}

/* --- matching, RFC 3261 17.2.3 --- */

static uint64_t hash2(const struct txnl *t, struct sl a, struct sl b)
{
	uint8_t tmp[256];

	if (a.n + b.n <= sizeof(tmp)) {
		memcpy(tmp, a.p, a.n);
		if (b.n)
			memcpy(tmp + a.n, b.p, b.n);
		return secret_hash(t->cf.key, tmp, a.n + b.n);
	}
	return secret_hash(t->cf.key, a.p, a.n) +
		3 * secret_hash(t->cf.key, b.p, b.n);
}

/** Branch and sent-by of the top Via */
void txn_via(const struct sip_msg *m, struct sl *branch, struct sl *sentby)
{
	*branch = m->top.branch;
	*sentby = m->top.sentby;
}

/**
 * Key of a request: branch and sent-by, or for RFC 2543 (no branch, no magic
 * cookie, or nothing behind it) what the older rules compare.
 */
const struct skey *txn_key(struct txnl *t, const struct sip_msg *m)
{
	const size_t cookie = sizeof(SIP_COOKIE) - 1;
	struct skey *k = &t->key;

	txn_via(m, &k->branch, &k->sentby);
	k->old = k->branch.n <= cookie ||
		(memcmp(k->branch.p, SIP_COOKIE, cookie) != 0 &&
		 !sl_istarts(k->branch, SL(SIP_COOKIE)));
	if (k->old)
		k->hash = hash2(t, m->callid, m->from_tag);
	else
		/* the branch tells them apart, match() looks at the rest */
		k->hash = secret_hash(t->cf.key, k->branch.p, k->branch.n);

	t->key_of = m->raw.p;
	return k;
}

static struct sl top_via(const struct sip_msg *m)
{
	struct sip_iter it = { 0 };

	return sip_iter(m, SIP_VIA, &it) ? it.val : SL_NONE;
}

/** The further fields of RFC 2543: Request-URI, tags, top Via */
static bool match_old(const struct stxn *s, const struct sip_msg *m)
{
	struct sip_msg *o = &s->l->tmp;
	struct sip_fault fault;

	if (sip_scan(o, s->req->p, s->req->n, true, &fault))
		return false;

	if (!sl_eq(o->ruri, m->ruri) || !sl_eq(o->from_tag, m->from_tag) ||
	    !sl_eq(top_via(o), top_via(m)))
		return false;

	return m->meth == SIP_ACK || m->meth == SIP_CANCEL ||
		sl_eq(o->to_tag, m->to_tag);
}

/**
 * The source, Call-ID and CSeq number are compared as well: phones that use
 * one branch twice, or two of them behind different NATs with equal private
 * address and branch, must not meet in one transaction.
 */
static bool match(const struct stxn *s, const struct skey *k,
		  const struct sip_msg *m, const struct flow *f)
{
	if (s->hash != k->hash || s->old != k->old || s->cseq != m->cseq)
		return false;

	switch (m->meth) {

	case SIP_ACK:
		if (s->meth != SIP_INVITE)
			return false;
		break;
	case SIP_CANCEL:
		break;
	default:
		if (s->meth != m->meth ||
		    (s->meth == SIP_M_OTHER &&
		     !sl_eq(span_sl(s->req, s->method), m->method)))
			return false;
		break;
	}

	if (!addr_ip_eq(&s->flow.peer, &f->peer) ||
	    !sl_eq(span_sl(s->req, s->callid), m->callid))
		return false;

	if (s->old)
		return match_old(s, m);

	return sl_eq(span_sl(s->req, s->branch), k->branch) &&
		sl_eq(span_sl(s->req, s->sentby), k->sentby);
}

struct stxn *txn_find(struct txnl *t, const struct skey *k,
			 const struct sip_msg *m, const struct flow *f)
{
	struct stxn *s = t->tab[k->hash & (t->tabn - 1)];

	while (s && !match(s, k, m, f))
		s = s->next;
	return s;
}

void txn_link(struct stxn *s)
{
	struct txnl *t = s->l;
	struct stxn **head;

	if (t->st.server_now >= t->tabn)
		grow(t);
	head = &t->tab[s->hash & (t->tabn - 1)];
	s->next = *head;
	*head = s;
}

bool txnl_knows(const struct txnl *t, struct sl branch)
{
	const struct stxn *s;
	uint64_t h;

	if (branch.n <= sizeof(SIP_COOKIE) - 1 ||
	    !sl_istarts(branch, SL(SIP_COOKIE)))
		return true;
	h = secret_hash(t->cf.key, branch.p, branch.n);
	s = t->tab[h & (t->tabn - 1)];
	while (s && s->hash != h)
		s = s->next;
	return s != NULL;
}
