/* store_pack.c - Pure. The compact form of a record: what a record is in memory.
 * On the wire it is record_encode(). Trusted: nobody else writes it.
 *
 *     AoR length, key length | AoR | key
 *     flags u8: 1 kill present, 2 ext present; entries << 2
 *     n × entry
 *     hold, as a difference to the first expires (dead: its vstamp)
 *     [kill: stamp] [ext length | ext]
 *
 *     entry: flags u8 | lineage, 8 | cseq | vstamp [gstamp]
 *         [expires, as a difference to its vstamp]
 *         [value length [squeezed length] | value] [ext length | ext]
 *     stamp: ms, 6 | counter | number of the node u8, 255: id, 8
 *
 * Numbers have seven bits a byte, low ones first. A difference of either sign is
 * folded: 0 -1 1 -2 ... */
#include <endian.h>
#include <errno.h>
#include "cluster/store_priv.h"

enum {
	F_KILL = 1, F_EXT = 2, F_N = 4,
	E_DEAD = 1, E_VALUE = 2, E_GSTAMP = 4, E_EXT = 8, E_SQUEEZED = 16,
};
#define NODE_WHOLE 255
#define SQUEEZE_MIN 24           /* shorter values stay as they are     */

/* --- numbers ---------------------------------------------------------------- */

static uint8_t *put_num(uint8_t *p, uint64_t v)
{
	for (; v > 127; v >>= 7)
		*p++ = (uint8_t)(v | 128);
	*p++ = (uint8_t)v;
	return p;
}

static uint64_t get_num_on(const uint8_t **pp, uint64_t v)
{
	unsigned int at = 7;
	uint8_t c;

	do {
		c = *(*pp)++;
		v |= (uint64_t)(c & 127) << at;
		at += 7;
	} while (c & 128);
	return v;
}

static inline uint64_t get_num(const uint8_t **pp)
{
	uint8_t c = *(*pp)++;

	return c & 128 ? get_num_on(pp, c & 127) : c;
}

/* Differences wrap, so every pair of numbers has one */
static uint8_t *put_diff(uint8_t *p, uint64_t v, uint64_t base)
{
	uint64_t d = v - base;

	return put_num(p, d << 1 ^ (0 - (d >> 63)));
}

static inline uint64_t get_diff(const uint8_t **pp, uint64_t base)
{
	uint64_t d = get_num(pp);

	return base + (d >> 1 ^ (0 - (d & 1)));
}

static uint8_t *put_bytes(uint8_t *p, struct sl s)
{
	if (s.n)
		memcpy(p, s.p, s.n);
	return p + s.n;
}

static struct sl get_bytes(const uint8_t **pp, size_t n)
{
	struct sl s = sl_mk(*pp, n);

	*pp += n;
	return s;
}

/* --- stamps ------------------------------------------------------------------- */

/* @return its number, NODE_WHOLE = there is no room for more */
static uint8_t number_of(struct store *s, uint64_t node)
{
	uint32_t i = (uint32_t)(node * 0x9e3779b97f4a7c15ull >> 55);

	for (; s->node_tab[i]; i = (i + 1) % STORE_NODE_TAB)
		if (s->node[s->node_tab[i] - 1] == node)
			return s->node_tab[i] - 1;
	if (s->nodes == STORE_NODES)
		return NODE_WHOLE;
	s->node[s->nodes] = node;
	s->node_tab[i] = ++s->nodes;
	return s->nodes - 1;
}

static uint8_t *put_stamp(struct store *s, uint8_t *p, struct stamp t)
{
	uint64_t ms = htole64(stamp_ms(t));
	uint8_t k = number_of(s, t.node);

	memcpy(p, &ms, 8);              /* the upper two are written over */
	p = put_num(p + 6, t.t & 0xffff);
	*p++ = k;
	if (k == NODE_WHOLE) {
		memcpy(p, &t.node, 8);
		p += 8;
	}
	return p;
}

static struct stamp get_stamp(const struct store *s, const uint8_t **pp)
{
	const uint8_t *p = *pp;
	struct stamp t;

	memcpy(&t.t, p, 8);             /* counter and node are two, at least */
	*pp = p + 6;
	t.t = le64toh(t.t) << 16 | get_num(pp);
	p = (*pp)++;
	if (*p != NODE_WHOLE) {
		t.node = s->node[*p];
	} else {
		memcpy(&t.node, p + 1, 8);
		*pp += 8;
	}
	return t;
}

/* --- writing ------------------------------------------------------------------- */

static uint8_t *put_value(struct store *s, uint8_t *p, uint8_t *flags,
			  struct sl value, struct sl key)
{
	uint8_t *at;
	size_t n = 0;

	p = put_num(p, value.n);
	/* Squeezed it is shorter, so the number before it is not longer */
	at = p + (value.n < 128 ? 1 : value.n < 16384 ? 2 : 3);
	if (value.n >= SQUEEZE_MIN)
		n = squeeze_put(&s->squeeze, at, value, key);
	if (!n)
		return put_bytes(p, value);
	*flags |= E_SQUEEZED;
	p = put_num(p, n);
	memmove(p, at, n);
	return p + n;
}

static uint8_t *put_entry(struct store *s, uint8_t *p,
			  const struct rec_entry *e, struct sl key)
{
	bool g = stamp_cmp(e->gstamp, e->vstamp) != 0;
	uint8_t *flags = p++;

	*flags = (uint8_t)((e->dead ? E_DEAD : 0) |
			   (e->has_value ? E_VALUE : 0) |
			   (g ? E_GSTAMP : 0) | (e->ext.n ? E_EXT : 0));
	memcpy(p, &e->lineage, 8);
	p = put_num(p + 8, e->cseq);
	p = put_stamp(s, p, e->vstamp);
	if (g)
		p = put_stamp(s, p, e->gstamp);
	if (!e->dead)
		p = put_diff(p, e->expires, stamp_ms(e->vstamp));
	if (e->has_value)
		p = put_value(s, p, flags, e->value, key);
	if (e->ext.n)
		p = put_bytes(put_num(p, e->ext.n), e->ext);
	return p;
}

/* What `hold` is written as a difference to */
static uint64_t hold_base(const struct record *rec)
{
	const struct rec_entry *e = &rec->e[0];

	if (!rec->n)
		return 0;
	return e->dead ? stamp_ms(e->vstamp) : e->expires;
}

int store_pack(struct store *s, const struct record *rec, size_t *np)
{
	bool kill = stamp_isset(rec->kill);
	uint8_t *p = s->pack;

	if (record_size(rec) > REC_SIZE_MAX)
		return ENOSPC;
	p = put_num(p, rec->aor.n);
	p = put_num(p, rec->key.n);
	p = put_bytes(p, rec->aor);
	p = put_bytes(p, rec->key);
	*p++ = (uint8_t)((kill ? F_KILL : 0) | (rec->ext.n ? F_EXT : 0) |
			 rec->n * F_N);
	for (uint8_t i = 0; i < rec->n; i++)
		p = put_entry(s, p, &rec->e[i], rec->key);
	p = put_diff(p, rec->hold, hold_base(rec));
	if (kill)
		p = put_stamp(s, p, rec->kill);
	if (rec->ext.n)
		p = put_bytes(put_num(p, rec->ext.n), rec->ext);
	*np = (size_t)(p - s->pack);
	return 0;
}

/* --- reading ------------------------------------------------------------------- */

static void get_entry(const struct store *s, const uint8_t **pp,
		      struct store_view *v, uint8_t i)
{
	struct rec_entry *e = &v->rec.e[i];
	uint8_t f = *(*pp)++;
	size_t n;

	e->dead = f & E_DEAD;
	e->has_value = f & E_VALUE;
	memcpy(&e->lineage, *pp, 8);
	*pp += 8;
	e->cseq = (uint32_t)get_num(pp);
	e->vstamp = get_stamp(s, pp);
	e->gstamp = f & E_GSTAMP ? get_stamp(s, pp) : e->vstamp;
	e->expires = e->dead ? 0 : get_diff(pp, stamp_ms(e->vstamp));
	e->value = SL_NONE;
	e->ext = SL_NONE;
	v->whole[i] = 0;
	if (e->has_value) {
		n = get_num(pp);
		if (f & E_SQUEEZED) {
			v->whole[i] = (uint16_t)n;
			n = get_num(pp);
		}
		e->value = get_bytes(pp, n);
	}
	if (f & E_EXT) {
		n = get_num(pp);
		e->ext = get_bytes(pp, n);
	}
}

void store_unpack(const struct store *s, const struct srec *r,
		  struct store_view *v)
{
	const uint8_t *p = r->p;
	struct record *rec = &v->rec;
	size_t an = get_num(&p), kn = get_num(&p);
	uint8_t f;

	rec->aor = get_bytes(&p, an);
	rec->key = get_bytes(&p, kn);
	f = *p++;
	rec->n = f / F_N;
	v->dict = r->dict;
	for (uint8_t i = 0; i < rec->n; i++)
		get_entry(s, &p, v, i);
	rec->hold = get_diff(&p, hold_base(rec));
	rec->kill = f & F_KILL ? get_stamp(s, &p) : STAMP_NONE;
	rec->ext = SL_NONE;
	if (f & F_EXT) {
		an = get_num(&p);
		rec->ext = get_bytes(&p, an);
	}
}

size_t store_value(const struct store *s, struct store_view *v, uint8_t i,
		   uint8_t *mem)
{
	struct sl *value = &v->rec.e[i].value;
	size_t n = v->whole[i];

	if (!n)
		return 0;
	squeeze_get(&s->squeeze, v->dict, mem, n, *value, v->rec.key);
	*value = sl_mk(mem, n);
	v->whole[i] = 0;
	return n;
}

void store_values(struct store *s, struct store_view *v)
{
	size_t at = 0;

	for (uint8_t i = 0; i < v->rec.n; i++)
		at += store_value(s, v, i, s->plain + at);
}

struct sl store_wire(struct store *s, const struct srec *r)
{
	struct store_view v;
	struct buf b;

	if (s->wire_seq != srec_seq(r)) {
		store_unpack(s, r, &v);
		store_values(s, &v);
		buf_fixed(&b, s->wire, sizeof(s->wire));
		record_encode(&b, &v.rec);
		s->wire_n = b.n;
		s->wire_seq = srec_seq(r);
	}
	return sl_mk(s->wire, s->wire_n);
}

struct sl srec_aor(const struct srec *r)
{
	const uint8_t *p = r->p;
	size_t an = get_num(&p);

	(void)get_num(&p);
	return sl_mk(p, an);
}

bool srec_of(const struct srec *r, uint32_t hash, struct sl aor)
{
	return r->hash == hash && sl_eq(srec_aor(r), aor);
}

bool srec_is(const struct srec *r, uint32_t hash, struct sl aor,
	     struct sl key)
{
	const uint8_t *p = r->p;
	size_t an, kn;

	if (r->hash != hash)
		return false;
	an = get_num(&p);
	kn = get_num(&p);
	return sl_eq(sl_mk(p, an), aor) && sl_eq(sl_mk(p + an, kn), key);
}
