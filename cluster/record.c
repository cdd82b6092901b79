/* record.c - Pure. The join and the packed form of a record.
 * docs/cluster-protocol.md 3 (packed form) and 4 (join). */
#include <errno.h>
#include "cluster/record.h"
#include "cluster/tlv.h"

enum {                       /* record flags */
	REC_F_KILL = 1,      /* kill stamp present    */
	REC_F_EXT = 2,       /* unknown TLVs present  */
	REC_F_ALL = 3,
};

enum {                       /* entry flags */
	ENT_F_DEAD = 1,
	ENT_F_VALUE = 2,
	ENT_F_GSTAMP = 4,    /* gstamp differs from vstamp and is present */
	ENT_F_EXT = 8,
	ENT_F_ALL = 15,
};

/* Total order of the versions in one lineage. After (cseq, vstamp) two honest
 * versions are the same one; the rest makes the order total for all inputs. */
static int version_cmp(const struct rec_entry *a, const struct rec_entry *b)
{
	int c;

	if (a->cseq != b->cseq)
		return a->cseq < b->cseq ? -1 : 1;
	c = stamp_cmp(a->vstamp, b->vstamp);
	if (c)
		return c;
	if (a->dead != b->dead)
		return a->dead ? 1 : -1;
	if (a->has_value != b->has_value)
		return a->has_value ? 1 : -1;
	if (a->expires != b->expires)
		return a->expires < b->expires ? -1 : 1;
	c = sl_cmp(a->value, b->value);
	return c ? c : sl_cmp(a->ext, b->ext);
}

/* Falling gstamp; the lineage makes it total */
static bool entry_before(const struct rec_entry *a, const struct rec_entry *b)
{
	int c = stamp_cmp(a->gstamp, b->gstamp);

	return c ? c > 0 : a->lineage > b->lineage;
}

/* Move entry i to its place after its gstamp has grown */
static void entry_raise(struct record *r, uint8_t i)
{
	struct rec_entry e = r->e[i];

	while (i > 0 && entry_before(&e, &r->e[i - 1])) {
		r->e[i] = r->e[i - 1];
		i--;
	}
	r->e[i] = e;
}

/* Both have this lineage */
static bool entry_meet(struct record *dst, uint8_t i,
		       const struct rec_entry *src)
{
	struct rec_entry *e = &dst->e[i];
	struct stamp g = stamp_max(e->gstamp, src->gstamp);
	bool changed = false;

	if (version_cmp(e, src) < 0) {
		*e = *src;
		changed = true;
	} else if (stamp_cmp(g, e->gstamp)) {
		changed = true;
	}
	e->gstamp = g;
	entry_raise(dst, i);
	return changed;
}

/* Only the other one has it */
static bool entry_new(struct record *dst, const struct rec_entry *src)
{
	if (dst->n < REC_LINEAGES)
		dst->n++;
	else if (!entry_before(src, &dst->e[dst->n - 1]))
		return false;
	/* else the oldest gives way */
	dst->e[dst->n - 1] = *src;
	entry_raise(dst, (uint8_t)(dst->n - 1));
	return true;
}

bool record_join(struct record *dst, const struct record *src)
{
	bool changed = false, met[REC_LINEAGES] = { false };

	/* First those that both have: none may give way before it has met its
	 * other half, or the older half would take its place alone */
	for (uint8_t i = 0; i < src->n; i++)
		for (uint8_t k = 0; k < dst->n && !met[i]; k++)
			if (dst->e[k].lineage == src->e[i].lineage) {
				changed |= entry_meet(dst, k, &src->e[i]);
				met[i] = true;
			}
	for (uint8_t i = 0; i < src->n; i++)
		if (!met[i])
			changed |= entry_new(dst, &src->e[i]);
	if (stamp_cmp(dst->kill, src->kill) < 0) {
		dst->kill = src->kill;
		changed = true;
	}
	if (dst->hold < src->hold) {
		dst->hold = src->hold;
		changed = true;
	}
	if (sl_cmp(dst->ext, src->ext) < 0) {
		dst->ext = src->ext;
		changed = true;
	}
	return changed;
}

static bool entry_same(const struct rec_entry *a, const struct rec_entry *b)
{
	return a->lineage == b->lineage && version_cmp(a, b) == 0 &&
	       stamp_cmp(a->gstamp, b->gstamp) == 0;
}

bool record_same(const struct record *a, const struct record *b)
{
	if (a->n != b->n || a->hold != b->hold ||
	    stamp_cmp(a->kill, b->kill) || !sl_eq(a->ext, b->ext))
		return false;
	for (uint8_t i = 0; i < a->n; i++)
		if (!entry_same(&a->e[i], &b->e[i]))
			return false;
	return true;
}

/* When a superseded entry may go: until then a version of its lineage that is
 * not known here may still be alive elsewhere, and must meet it. */
static uint64_t entry_end(const struct rec_entry *e, uint64_t keep)
{
	uint64_t end = stamp_ms(e->vstamp) + keep;

	return !e->dead && e->expires > end ? e->expires : end;
}

bool record_prune(struct record *r, uint64_t wall, uint64_t keep)
{
	uint8_t n = 0;
	bool dropped = false;

	for (uint8_t i = 0; i < r->n; i++) {
		struct rec_entry *e = &r->e[i];

		/* The top one says that those below it are superseded: it
		 * stays as long as the record. */
		if (i > 0 && entry_end(e, keep) <= wall) {
			dropped = true;
			continue;
		}
		if (e->has_value && (e->expires <= wall ||
				     stamp_cmp(e->vstamp, r->kill) <= 0)) {
			e->has_value = false;
			e->value = SL_NONE;
			e->ext = SL_NONE;
			dropped = true;
		}
		if (n != i)
			r->e[n] = *e;
		n++;
	}
	r->n = n;
	return dropped;
}

bool record_is_past(const struct record *r, uint64_t wall)
{
	if (r->hold > wall)
		return false;
	for (uint8_t i = 0; i < r->n; i++)
		if (!r->e[i].dead && r->e[i].expires > wall)
			return false;
	return true;
}

uint64_t record_next(const struct record *r, uint64_t keep)
{
	uint64_t next = UINT64_MAX, end = r->hold;

	for (uint8_t i = 0; i < r->n; i++) {
		const struct rec_entry *e = &r->e[i];

		if (i > 0 && entry_end(e, keep) < next)
			next = entry_end(e, keep);
		if (e->has_value && e->expires < next)
			next = e->expires;
		if (!e->dead && e->expires > end)
			end = e->expires;
	}
	return next < end ? next : end;
}

const struct rec_entry *record_visible(const struct record *r, uint64_t wall)
{
	const struct rec_entry *e = &r->e[0];

	if (r->n == 0 || e->dead || !e->has_value || e->expires <= wall ||
	    stamp_cmp(e->vstamp, r->kill) <= 0)
		return NULL;
	return e;
}

struct stamp record_top(const struct record *r)
{
	return r->n ? stamp_max(r->kill, r->e[0].gstamp) : r->kill;
}

void record_clamp(struct record *r, uint64_t max)
{
	if (r->hold > max)
		r->hold = max;
	for (uint8_t i = 0; i < r->n; i++)
		if (r->e[i].expires > max)
			r->e[i].expires = max;
}

/* --- packed form ----------------------------------------------------------- */

static void put_stamp(struct buf *b, struct stamp s)
{
	put_u64(b, s.t);
	put_u64(b, s.node);
}

static struct stamp cur_stamp(struct cur *c)
{
	struct stamp s;

	s.t = cur_u64(c);
	s.node = cur_u64(c);
	return s;
}

static void entry_encode(struct buf *b, const struct rec_entry *e)
{
	bool g = stamp_cmp(e->gstamp, e->vstamp) != 0;

	put_u8(b, (uint8_t)((e->dead ? ENT_F_DEAD : 0) |
			    (e->has_value ? ENT_F_VALUE : 0) |
			    (g ? ENT_F_GSTAMP : 0) |
			    (e->ext.n ? ENT_F_EXT : 0)));
	put_u64(b, e->lineage);
	put_u32(b, e->cseq);
	put_stamp(b, e->vstamp);
	if (g)
		put_stamp(b, e->gstamp);
	if (!e->dead)
		put_u64(b, e->expires);
	if (e->has_value)
		put_sl16(b, e->value);
	if (e->ext.n)
		put_sl16(b, e->ext);
}

static int entry_decode(struct cur *c, struct rec_entry *e)
{
	uint8_t f = cur_u8(c);

	if (f & ~ENT_F_ALL || (f & ENT_F_DEAD && f & ENT_F_VALUE))
		return EBADMSG;
	e->dead = f & ENT_F_DEAD;
	e->has_value = f & ENT_F_VALUE;
	e->lineage = cur_u64(c);
	e->cseq = cur_u32(c);
	e->vstamp = cur_stamp(c);
	e->gstamp = f & ENT_F_GSTAMP ? cur_stamp(c) : e->vstamp;
	e->expires = e->dead ? 0 : cur_u64(c);
	e->value = e->has_value ? cur_sl16(c, REC_VALUE_MAX) : SL_NONE;
	e->ext = f & ENT_F_EXT ? cur_sl16(c, REC_EXT_MAX) : SL_NONE;
	if (c->err || !stamp_isset(e->vstamp))
		return EBADMSG;
	/* One packed form for one meaning */
	if (f & ENT_F_GSTAMP && stamp_cmp(e->gstamp, e->vstamp) <= 0)
		return EBADMSG;
	if (f & ENT_F_EXT && (e->ext.n == 0 || tlv_check(e->ext)))
		return EBADMSG;
	return 0;
}

void record_encode(struct buf *b, const struct record *r)
{
	size_t from = b->n;
	bool kill = stamp_isset(r->kill);

	put_u16(b, (uint16_t)r->aor.n);
	put_u16(b, (uint16_t)r->key.n);
	buf_sl(b, r->aor);
	buf_sl(b, r->key);
	put_u8(b, (uint8_t)((kill ? REC_F_KILL : 0) |
			    (r->ext.n ? REC_F_EXT : 0)));
	put_u64(b, r->hold);
	if (kill)
		put_stamp(b, r->kill);
	put_u8(b, r->n);
	for (uint8_t i = 0; i < r->n; i++)
		entry_encode(b, &r->e[i]);
	if (r->ext.n)
		put_sl16(b, r->ext);
	if (!b->err && (b->n - from > REC_SIZE_MAX ||
			r->aor.n > REC_AOR_MAX || r->key.n > REC_KEY_MAX))
		b->err = ENOSPC;
}

size_t record_size(const struct record *r)
{
	size_t n = 4 + r->aor.n + r->key.n + 1 + 8 + 1;

	if (stamp_isset(r->kill))
		n += STAMP_SIZE;
	for (uint8_t i = 0; i < r->n; i++) {
		const struct rec_entry *e = &r->e[i];

		n += 1 + 8 + 4 + STAMP_SIZE + (e->dead ? 0 : 8);
		if (stamp_cmp(e->gstamp, e->vstamp))
			n += STAMP_SIZE;
		if (e->has_value)
			n += 2 + e->value.n;
		if (e->ext.n)
			n += 2 + e->ext.n;
	}
	return n + (r->ext.n ? 2 + r->ext.n : 0);
}

static int entries_decode(struct cur *c, struct record *r)
{
	r->n = cur_u8(c);
	if (r->n == 0 || r->n > REC_LINEAGES)
		return EBADMSG;
	for (uint8_t i = 0; i < r->n; i++) {
		if (entry_decode(c, &r->e[i]))
			return EBADMSG;
		if (i > 0 && !entry_before(&r->e[i - 1], &r->e[i]))
			return EBADMSG;
		for (uint8_t k = 0; k < i; k++)
			if (r->e[k].lineage == r->e[i].lineage)
				return EBADMSG;
	}
	return 0;
}

int record_decode(struct record *r, struct sl p)
{
	struct cur c;
	uint16_t an, kn;
	uint8_t f;

	if (p.n > REC_SIZE_MAX)
		return EBADMSG;
	cur_init(&c, p.p, p.n);
	an = cur_u16(&c);
	kn = cur_u16(&c);
	if (an == 0 || an > REC_AOR_MAX || kn > REC_KEY_MAX)
		return EBADMSG;
	r->aor = cur_bytes(&c, an);
	r->key = cur_bytes(&c, kn);
	f = cur_u8(&c);
	if (f & ~REC_F_ALL)
		return EBADMSG;
	r->hold = cur_u64(&c);
	r->kill = f & REC_F_KILL ? cur_stamp(&c) : STAMP_NONE;
	if (c.err || (f & REC_F_KILL && !stamp_isset(r->kill)))
		return EBADMSG;
	if (entries_decode(&c, r))
		return EBADMSG;
	r->ext = f & REC_F_EXT ? cur_sl16(&c, REC_EXT_MAX) : SL_NONE;
	if (f & REC_F_EXT && (r->ext.n == 0 || tlv_check(r->ext)))
		return EBADMSG;
	return c.err || cur_left(&c) ? EBADMSG : 0;
}
