/**
 * @file txn_branch.c  Pure. Slots of client transactions and the token that
 * names one in a Via: "z9hG4bK", slot, generation, keyed check.
 */
#include <errno.h>
#include <stdlib.h>

#include "sip/txn_i.h"

/* --- the token in the Via --- */

static uint64_t check_of(const struct txnl *t, uint32_t idx, uint32_t gen)
{
	const uint32_t in[4] = { idx, gen, 0x6272616e, 0x6368 };

	return secret_hash(t->cf.key, in, sizeof(in));
}

/** First byte in memory = highest bits */
static inline uint64_t be64(uint64_t x)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap64(x);
#else
	return x;
#endif
}

/** Eight digits: the nibbles of v spread over bytes, then all at once */
static void put_hex8(char *p, uint32_t v)
{
	uint64_t x = v, ten;

	x = (x << 16 | x) & 0x0000ffff0000ffff;
	x = (x << 8 | x) & 0x00ff00ff00ff00ff;
	x = (x << 4 | x) & 0x0f0f0f0f0f0f0f0f;
	ten = (x + 0x0606060606060606) >> 4 & 0x0101010101010101;
	x += 0x3030303030303030 + ten * ('a' - '0' - 10);
	x = be64(x);
	memcpy(p, &x, sizeof(x));
}

static void make_branch(struct ctxn *c)
{
	char *p = c->branch;

	c->check = check_of(c->l, c->idx, c->gen);
	put_hex8(p + 5, c->idx);                /* six digits: 24 bits */
	memcpy(p, SIP_COOKIE, 7);
	put_hex8(p + 13, c->gen);
	put_hex8(p + 21, (uint32_t)(c->check >> 32));
	put_hex8(p + 29, (uint32_t)c->check);
}

/** Value of a hex digit plus one, 0 = no digit */
static const uint8_t hex[256] = {
	['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
	['A'] = 11, 12, 13, 14, 15, 16, ['a'] = 11, 12, 13, 14, 15, 16,
};

/** Upper case too: a peer may write tokens as it likes (RFC 3261 7.3.1) */
static bool get_hex(const char **p, unsigned digits, uint64_t *vp)
{
	const char *e = *p + digits, *q = *p;
	uint64_t v = 0;
	uint8_t d;

	for (; q < e; q++) {
		d = hex[(uint8_t)*q];
		if (!d)
			return false;
		v = v << 4 | (uint64_t)(d - 1);
	}
	*p = e;
	*vp = v;
	return true;
}

static bool live(const struct ctxn *c)
{
	return c->state > CS_NEW && c->state < CS_DEAD;
}

/** Slot of a branch as we wrote it; of any other bytes: anything */
static uint32_t slot_of(const char *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	x = be64(x);
	/* of a digit the low bits, of a letter those and nine */
	x = (x & 0x0f0f0f0f0f0f0f0f) + 9 * (x >> 6 & 0x0101010101010101);
	x = (x >> 4 | x) & 0x00ff00ff00ff00ff;
	x = (x >> 8 | x) & 0x0000ffff0000ffff;
	return (uint32_t)(x >> 16 | x) >> 8;
}

/** Array look-up; *cp is set for BR_LIVE */
enum br txn_by_branch(struct txnl *t, struct sl br, struct ctxn **cp)
{
	const char *p = br.p;
	uint64_t idx, gen, check;
	struct ctxn *c = NULL;

	if (br.n != TXN_BRANCH)
		return BR_FOREIGN;
	/* as we wrote it: nothing else need be read */
	idx = slot_of(p + 7);
	if (idx / TXN_SLAB < t->cslabn) {
		c = &t->cslab[idx / TXN_SLAB][idx % TXN_SLAB];
		if (live(c) && memcmp(c->branch, p, TXN_BRANCH) == 0) {
			*cp = c;
			return BR_LIVE;
		}
		c = NULL;
	}
	if (memcmp(p, SIP_COOKIE, 7) && !sl_istarts(br, SL(SIP_COOKIE)))
		return BR_FOREIGN;
	p += 7;
	if (!get_hex(&p, 6, &idx))
		return BR_FOREIGN;
	if (idx / TXN_SLAB < t->cslabn)
		c = &t->cslab[idx / TXN_SLAB][idx % TXN_SLAB];
	if (!get_hex(&p, 8, &gen) || !get_hex(&p, 16, &check))
		return BR_FOREIGN;
	if (!c || c->gen != gen)
		return check == check_of(t, (uint32_t)idx, (uint32_t)gen) ?
			BR_OVER : BR_FORGED;
	if (c->check != check)
		return BR_FORGED;
	if (!live(c))
		return BR_OVER;
	*cp = c;
	return BR_LIVE;
}

struct ctxn *ctxn_by_branch(struct txnl *t, struct sl branch, bool *foreign)
{
	struct ctxn *c = NULL;
	enum br b = txn_by_branch(t, branch, &c);

	if (foreign)
		*foreign = b == BR_FORGED || b == BR_FOREIGN;
	return c;
}

/* --- start and end --- */

static int more(struct txnl *t)
{
	struct ctxn *slab;
	uint32_t i, base = t->cslabn * TXN_SLAB;
	int err;

	err = txn_slab((void ***)(void *)&t->cslab, &t->cslabn,
		       sizeof(*slab));
	if (err)
		return err;

	slab = t->cslab[t->cslabn - 1];
	for (i = TXN_SLAB; i--;) {
		slab[i].l = t;
		slab[i].idx = base + i;
		slab[i].gen = 0;
		slab[i].check = 0;
		slab[i].state = CS_FREE;
		slab[i].req = slab[i].ack = NULL;
		slab[i].cancel = slab[i].reason = NULL;
		slab[i].next = t->cfree;
		t->cfree = &slab[i];
	}
	return 0;
}

static void clear(struct ctxn *c)
{
	blob_unref(c->req);
	blob_unref(c->ack);
	blob_unref(c->cancel);
	blob_unref(c->reason);
	c->req = c->ack = c->cancel = c->reason = NULL;
}

void txn_client_close(struct txnl *t)
{
	uint32_t i, j;

	for (i = 0; i < t->cslabn; i++) {
		for (j = 0; j < TXN_SLAB; j++)
			clear(&t->cslab[i][j]);
		free(t->cslab[i]);
	}
	free(t->cslab);
}

/** Slot free; its next branch has another generation */
void ctxn_release(struct ctxn *c)
{
	struct txnl *t = c->l;

	clear(c);
	c->state = CS_FREE;
	c->next = t->cfree;
	t->cfree = c;
}

int ctxn_alloc(struct ctxn **cp, struct txnl *t, enum sip_method meth,
	       void *user)
{
	struct ctxn *c;
	uint32_t idx, gen;
	int err;

	if (!cp || !t)
		return EINVAL;

	if (!txn_room(t, false, t->now))
		return ENOSPC;
	if (!t->cfree) {
		err = more(t);
		if (err)
			return err;
	}

	c = t->cfree;
	t->cfree = c->next;
	idx = c->idx;
	gen = c->gen + 1;
	memset(c, 0, sizeof(*c));
	c->l = t;
	c->idx = idx;
	c->gen = gen;
	c->state = CS_NEW;
	c->meth = (uint8_t)meth;
	c->user = user;
	c->retr.kind = TK_C_RETR;
	c->life.kind = TK_C_LIFE;
	c->first.kind = TK_C_FIRST;
	c->no18x.kind = TK_C_NO18X;
	c->ringt.kind = TK_C_RING;
	c->cretr.kind = TK_C_CANCEL;
	make_branch(c);

	t->st.client_made++;
	t->st.client_now++;
	*cp = c;
	return 0;
}

void ctxn_drop(struct ctxn *c)
{
	if (!c || c->state != CS_NEW)
		return;
	c->l->st.client_now--;
	ctxn_release(c);
}

/* --- looking --- */

struct sl ctxn_branch(const struct ctxn *c)
{
	return sl_mk(c->branch, sizeof(c->branch));
}

void *ctxn_user(const struct ctxn *c)
{
	return c->user;
}

void ctxn_set_user(struct ctxn *c, void *user)
{
	c->user = user;
}

const struct flow *ctxn_flow(const struct ctxn *c)
{
	return &c->flow;
}

enum sip_method ctxn_method(const struct ctxn *c)
{
	return (enum sip_method)c->meth;
}

struct blob *ctxn_request(const struct ctxn *c)
{
	return c->req;
}

bool ctxn_zombie(const struct ctxn *c)
{
	return c->zombie;
}

uint16_t ctxn_code(const struct ctxn *c)
{
	return c->code;
}

uint64_t ctxn_sent_at(const struct ctxn *c)
{
	return c->sent_at;
}
