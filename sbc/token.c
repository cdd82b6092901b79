/**
 * @file token.c  Pure. Sealed flow tokens.
 *
 * Plain form, big endian:
 *
 *     u8   kind << 4 | (8 = hops follow) | (4 = id follows) | leg << 1 |
 *          (1 = IPv6)
 *     u8   transport
 *     u16  listener
 *     u32  connection, u32 boot        streams only
 *     u16  port, 4 or 16 bytes IP
 *     u64  hash of the Call-ID         record-route only
 *     u64  id                          streams only, not in older tokens
 *     text hops                        record-route only, up to the end
 *
 * On the wire: base64url(nonce, sealed form). The nonce is a keyed hash of the
 * plain form (as in SIV), so equal contents give equal tokens and nothing is
 * drawn at random per message. A text in which "CSeq" came about by chance is
 * spelled "CSe~q": there are clients that look for that header by its name
 * alone, anywhere in the message, and sipp is one.
 */
#include "sbc/token.h"
#include "base/cur.h"
#include "sip/chr.h"
#include <errno.h>

enum {
	PLAIN_MAX = TOKEN_PLAIN + TOKEN_HOPS,
	PLAIN_MIN = 1 + 1 + 2 + 2 + 4,
	RAW_MAX   = AEAD_NONCE + PLAIN_MAX + AEAD_TAG,
	HEAD_V6 = 1, HEAD_LEG = 2, HEAD_ID = 4, HEAD_HOPS = 8,
};
_Static_assert(1 + 1 + 2 + 8 + 2 + 16 + 8 + 8 <= TOKEN_PLAIN &&
	       (TOKEN_PLAIN + AEAD_NONCE + AEAD_TAG) * 4 / 3 <= TOKEN_MEMO &&
	       ((int)RAW_MAX * 4 + 2) / 3 <= TOKEN_MAX, "tokens have room");

static void key_init(struct token_key *k, const uint8_t key[SECRET_KEY])
{
	uint8_t seal[SECRET_KEY];

	secret_derive(seal, key, "flow token seal 2");
	aead_init(&k->seal, seal);
	secret_derive(k->nonce, key, "flow token nonce 1");
	secret_derive(k->id, key, "flow token identity 1");
}

void token_keys_init(struct token_keys *k, const uint8_t cur[SECRET_KEY],
		     const uint8_t *prev, uint32_t boot)
{
	memset(k, 0, sizeof(*k));
	key_init(&k->cur, cur);
	if (prev) {
		key_init(&k->prev, prev);
		k->has_prev = true;
	}
	k->boot = boot;
}

static uint64_t callid_hash(const struct token_key *k, struct sl callid)
{
	return secret_hash(k->nonce, callid.p, callid.n);
}

/** callid_hash() with the current key */
static uint64_t callid_hash_cur(const struct token_keys *k, struct sl callid)
{
	struct token_memos *m = callid.n && callid.n <= TOKEN_CALL ? k->memo :
								     NULL;

	if (!m)
		return callid_hash(&k->cur, callid);
	if (m->calln != callid.n || memcmp(m->call, callid.p, callid.n)) {
		m->hash = callid_hash(&k->cur, callid);
		m->calln = (uint8_t)callid.n;
		memcpy(m->call, callid.p, callid.n);
	}
	return m->hash;
}

/** The text begins with a keyed hash, which is as good as random */
static struct token_memo *memo_of(const struct token_keys *k, struct sl txt)
{
	uint64_t h;

	if (!k->memo || txt.n < sizeof(h) || txt.n > TOKEN_MEMO)
		return NULL;
	memcpy(&h, txt.p, sizeof(h));
	return &k->memo->v[(h * 0x9e3779b97f4a7c15ull) >> 54];
}

static struct token_memo *memo_put(const struct token_keys *k, struct sl txt,
				   const uint8_t *plain, size_t n, bool prev)
{
	struct token_memo *m = memo_of(k, txt);

	if (!m || n > sizeof(m->plain))
		return NULL;
	m->n = (uint8_t)txt.n;
	m->plainc = (uint8_t)n;
	m->calln = 0;
	m->prev = prev;
	memcpy(m->txt, txt.p, txt.n);
	memcpy(m->plain, plain, n);
	return m;
}

/** What is in m is of this call */
static void memo_call(struct token_memo *m, struct sl callid)
{
	if (!m || !callid.n || callid.n > sizeof(m->call))
		return;
	m->calln = (uint8_t)callid.n;
	memcpy(m->call, callid.p, callid.n);
}

/** Has m's token been seen in this call before? Else its hash has to tell */
static bool memo_knows(const struct token_memo *m, struct sl callid)
{
	return m && m->calln && m->calln == callid.n &&
	       !memcmp(m->call, callid.p, callid.n);
}

static struct token_memo *memo_get(const struct token_keys *k, struct sl txt)
{
	struct token_memo *m = memo_of(k, txt);

	return m && m->n == txt.n && !memcmp(m->txt, txt.p, txt.n) ? m : NULL;
}

/** Is the q at p, or what follows the ~ there, the end of "cseq"? */
static bool ends_cseq(const uint8_t *p, const uint8_t *begin)
{
	return p - begin >= 3 && (p[-1] | 0x20) == 'e' &&
		(p[-2] | 0x20) == 's' && (p[-3] | 0x20) == 'c';
}

static void spell(struct buf *b, size_t at)
{
	for (size_t i = at; i < b->n && !b->err; i++) {
		const char *p = (const char *)b->p;

		i = (size_t)(chr_find3(p + i, p + b->n, 'q', 'Q', 'q') - p);
		if (i == b->n || !ends_cseq(b->p + i, b->p + at))
			continue;
		buf_chr(b, '~');
		if (b->err)
			return;
		memmove(b->p + i + 1, b->p + i, b->n - i - 1);
		b->p[i++] = '~';
	}
}

/** @return txt, or what it was before it was spelled, in mem */
static struct sl unspell(char mem[TOKEN_MAX], struct sl txt)
{
	size_t n = 0;

	if (txt.n > TOKEN_MAX || !memchr(txt.p, '~', txt.n))
		return txt;
	for (size_t i = 0; i < txt.n; i++) {
		if (txt.p[i] == '~' && i + 1 < txt.n &&
		    (txt.p[i + 1] | 0x20) == 'q' &&
		    ends_cseq((const uint8_t *)txt.p + i,
			      (const uint8_t *)txt.p))
			continue;
		mem[n++] = txt.p[i];
	}
	return sl_mk(mem, n);
}

void token_put(struct buf *b, const struct token_keys *k,
	       const struct token *t, struct sl callid)
{
	const struct flow *f = &t->flow;
	bool v6 = f->peer.af == 6, id = tp_stream(f->tp) && t->id;
	bool hops = t->kind == TOKEN_RR && t->hopn;
	uint8_t plain[PLAIN_MAX], raw[RAW_MAX], mac[16];
	struct token_memo *m;
	size_t at = b->n;
	struct buf p;

	buf_fixed(&p, plain, sizeof(plain));
	put_u8(&p, (uint8_t)(t->kind << 4 | (hops ? HEAD_HOPS : 0) |
			     (id ? HEAD_ID : 0) |
			     (t->leg ? HEAD_LEG : 0) | (v6 ? HEAD_V6 : 0)));
	put_u8(&p, f->tp);
	put_u16(&p, f->lst);
	if (tp_stream(f->tp)) {
		put_u32(&p, f->conn);
		put_u32(&p, k->boot);
	}
	put_u16(&p, f->peer.port);
	buf_put(&p, f->peer.ip, v6 ? 16 : 4);
	if (t->kind == TOKEN_RR)
		put_u64(&p, callid_hash_cur(k, callid));
	if (id)
		put_u64(&p, t->id);
	if (hops)
		buf_put(&p, t->hops, t->hopn);

	secret_hash128(mac, k->cur.nonce, p.p, p.n);
	memcpy(raw, mac, AEAD_NONCE);
	if (aead_seal(&k->cur.seal, raw + AEAD_NONCE, p.p, p.n, raw)) {
		b->err = b->err ? b->err : ENOMEM;
		return;
	}
	secret_b64(b, raw, AEAD_NONCE + p.n + AEAD_TAG);
	spell(b, at);
	if (b->err)
		return;
	m = memo_put(k, sl_mk(b->p + at, b->n - at), p.p, p.n, false);
	if (t->kind == TOKEN_RR)
		memo_call(m, callid);
}

const char *token_verdict_name(enum token_verdict v)
{
	switch (v) {
	case TOKEN_OK:      return "ok";
	case TOKEN_FORGED:  return "forged";
	case TOKEN_MISUSED: return "misused";
	case TOKEN_STALE:   return "stale";
	}
	return "?";
}

static bool hops_read(struct token *t, struct cur *c)
{
	struct sl s = cur_bytes(c, cur_left(c));

	if (c->err || t->kind != TOKEN_RR || !s.n || s.n > sizeof(t->hops))
		return false;
	memcpy(t->hops, s.p, s.n);
	t->hopn = (uint8_t)s.n;
	return true;
}

/** What was sealed, checked whole: a token of ours of another layout version
 *  must not be read with this one. m: its memo, may be NULL */
static enum token_verdict plain_read(struct token *t, struct cur *c,
				     const struct token_keys *k,
				     const struct token_key *key,
				     const struct token_memo *m,
				     enum token_kind want, struct sl callid)
{
	uint64_t call;
	uint8_t head = cur_u8(c);
	bool v6 = head & HEAD_V6, stale = false;
	struct sl ip;

	memset(t, 0, offsetof(struct token, hops));
	t->kind = head >> 4;
	t->leg = head & HEAD_LEG ? TOKEN_CALLEE : TOKEN_CALLER;
	t->prev = key == &k->prev;
	if (t->kind != want)
		return TOKEN_MISUSED;
	t->flow.tp = cur_u8(c);
	t->flow.lst = cur_u16(c);
	if (tp_stream(t->flow.tp)) {
		t->flow.conn = cur_u32(c);
		stale = cur_u32(c) != k->boot;
	}
	t->flow.peer.af = v6 ? 6 : 4;
	t->flow.peer.port = cur_u16(c);
	ip = cur_bytes(c, v6 ? 16 : 4);
	if (c->err)
		return TOKEN_FORGED;
	memcpy(t->flow.peer.ip, ip.p, ip.n);
	call = want == TOKEN_RR ? cur_u64(c) : 0;
	if (want == TOKEN_RR && !memo_knows(m, callid) &&
	    call != callid_hash(key, callid))
		return TOKEN_MISUSED;
	if (head & HEAD_ID)
		t->id = cur_u64(c);
	if (head & HEAD_HOPS && !hops_read(t, c))
		return TOKEN_FORGED;
	if (c->err || cur_left(c) || t->flow.tp >= TP_N)
		return TOKEN_FORGED;
	return stale ? TOKEN_STALE : TOKEN_OK;
}

/** Unseal. *np: bytes in plain; *mp: its memo, if there is one. @return the key,
 *  NULL = forged */
static const struct token_key *unseal(uint8_t *plain, size_t *np,
				      struct token_memo **mp,
				      const struct token_keys *k, struct sl txt)
{
	struct token_memo *m = memo_get(k, txt);
	const struct token_key *key = &k->cur;
	uint8_t raw[RAW_MAX];
	size_t n = sizeof(raw);
	char mem[TOKEN_MAX];

	*mp = m;
	if (m) {
		memcpy(plain, m->plain, m->plainc);
		*np = m->plainc;
		return m->prev ? &k->prev : &k->cur;
	}
	if (txt.n > TOKEN_MAX || secret_unb64(raw, &n, unspell(mem, txt)) ||
	    n < AEAD_NONCE + PLAIN_MIN + AEAD_TAG)
		return NULL;
	if (aead_open(&key->seal, plain, raw + AEAD_NONCE, n - AEAD_NONCE,
		      raw)) {
		key = &k->prev;
		if (!k->has_prev ||
		    aead_open(&key->seal, plain, raw + AEAD_NONCE,
			      n - AEAD_NONCE, raw))
			return NULL;
	}
	*np = n - AEAD_NONCE - AEAD_TAG;
	*mp = memo_put(k, txt, plain, *np, key == &k->prev);
	return key;
}

enum token_verdict token_open(struct token *t, const struct token_keys *k,
			      struct sl txt, enum token_kind want,
			      struct sl callid)
{
	const struct token_key *key;
	struct token_memo *m;
	uint8_t plain[RAW_MAX];
	enum token_verdict v;
	struct token got;
	struct cur c;
	size_t n = 0;

	key = unseal(plain, &n, &m, k, txt);
	if (!key)
		return TOKEN_FORGED;
	cur_init(&c, plain, n);
	v = plain_read(&got, &c, k, key, m, want, callid);
	if (v != TOKEN_OK && v != TOKEN_STALE)
		return v;
	memcpy(t, &got, offsetof(struct token, hops) + got.hopn);
	if (want == TOKEN_RR && !memo_knows(m, callid))
		memo_call(m, callid);
	return v;
}
