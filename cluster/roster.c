/* roster.c - Pure. Who belongs to the cluster. docs/cluster-protocol.md 5.8. */
#include <errno.h>
#include <stdio.h>
#include "cluster/crc.h"
#include "cluster/roster.h"
#include "cluster/tlv.h"

#define MAGIC 0x45574d31u        /* "EWM1" */

enum { TLV_NAME = 1, TLV_ADDR = 2, TLV_SIP = 3 };

/* --- order -------------------------------------------------------------------- */

int roster_turn_cmp(const struct roster_turn *a, const struct roster_turn *b)
{
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	if (a->at != b->at)
		return a->at > b->at ? -1 : 1;
	if (a->by != b->by)
		return a->by > b->by ? -1 : 1;
	return 0;
}

static int info_cmp(const struct roster_entry *a, const struct roster_entry *b)
{
	if (a->version != b->version)
		return a->version < b->version ? -1 : 1;
	return sl_cmp(sl_mk(a->info, a->info_n), sl_mk(b->info, b->info_n));
}

/* --- info ---------------------------------------------------------------------- */

static int info_field(struct roster_entry *e, uint16_t tag, struct sl v,
		      uint32_t *seen)
{
	uint32_t bit = tag <= TLV_SIP ? 1u << tag : 0;

	if (*seen & bit)
		return EBADMSG;
	*seen |= bit;
	if (tag == TLV_NAME)
		return tlv_get_name(e->name, sizeof(e->name), v);
	if (tag == TLV_ADDR)
		return tlv_get_addr(&e->addr, v);
	if (tag == TLV_SIP)
		return tlv_get_addr(&e->sip, v);
	return tag & TLV_MUST ? EBADMSG : 0;
}

/* Fill what is read from info */
static int info_read(struct roster_entry *e)
{
	uint32_t seen = 0, n = 0;
	struct cur c;
	struct sl v;
	uint16_t tag;

	e->name[0] = '\0';
	e->addr = e->sip = (struct addr){ 0 };
	cur_init(&c, e->info, e->info_n);
	while (tlv_next(&c, &tag, &v))
		if (++n > TLV_MAX || info_field(e, tag, v, &seen))
			return EBADMSG;
	return c.err ? EBADMSG : 0;
}

static void info_copy(struct roster_entry *to, const struct roster_entry *e)
{
	to->version = e->version;
	to->info_n = e->info_n;
	memcpy(to->info, e->info, e->info_n);
	memcpy(to->name, e->name, sizeof(to->name));
	to->addr = e->addr;
	to->sip = e->sip;
}

/* --- the map --------------------------------------------------------------------- */

static uint32_t place_of(const struct roster *r, uint64_t node)
{
	uint32_t lo = 0, hi = r->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (r->e[mid].node < node)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct roster_entry *find(struct roster *r, uint64_t node)
{
	uint32_t i = place_of(r, node);

	return i < r->n && r->e[i].node == node ? &r->e[i] : NULL;
}

const struct roster_entry *roster_find(const struct roster *r, uint64_t node)
{
	uint32_t i = place_of(r, node);

	return i < r->n && r->e[i].node == node ? &r->e[i] : NULL;
}

uint32_t roster_members(const struct roster *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n; i++)
		n += roster_in(&r->e[i]);
	return n;
}

static bool older(const struct roster_entry *a, const struct roster_entry *b)
{
	return a->turn.at != b->turn.at ? a->turn.at < b->turn.at :
	       a->node < b->node;
}

/* Of those removed the one to forget first, or NULL */
static struct roster_entry *oldest(struct roster *r)
{
	struct roster_entry *o = NULL;

	for (uint32_t i = 0; i < r->n; i++)
		if (!roster_in(&r->e[i]) && (!o || older(&r->e[i], o)))
			o = &r->e[i];
	return o;
}

/* Make room for e. An older removal than all of ours would be the next to go:
 * it is not taken, so that two full maps come to rest. */
static bool room(struct roster *r, const struct roster_entry *e)
{
	struct roster_entry *o;

	if (roster_in(e) && roster_members(r) >= CLUSTER_MAX) {
		r->refused++;
		return false;
	}
	if (r->n < ROSTER_MAX)
		return true;
	o = oldest(r);
	if (!o || (!roster_in(e) && older(e, o)))
		return false;
	memmove(o, o + 1, (size_t)(&r->e[--r->n] - o) * sizeof(*o));
	r->dropped++;
	return true;
}

static bool insert(struct roster *r, const struct roster_entry *e)
{
	uint32_t i;

	if (!room(r, e))
		return false;
	i = place_of(r, e->node);
	memmove(&r->e[i + 1], &r->e[i], (r->n - i) * sizeof(r->e[0]));
	r->e[i] = *e;
	r->n++;
	return true;
}

static bool take_turn(struct roster *r, struct roster_entry *own,
		      const struct roster_turn *t)
{
	if (roster_turn_cmp(t, &own->turn) <= 0)
		return false;
	if ((t->n & 1) && !roster_in(own) &&
	    roster_members(r) >= CLUSTER_MAX) {
		r->refused++;
		return false;
	}
	own->turn = *t;
	return true;
}

bool roster_join(struct roster *r, const struct roster_entry *e)
{
	struct roster_entry *own = find(r, e->node);
	bool changed;

	if (!own)
		return insert(r, e);
	changed = take_turn(r, own, &e->turn);
	if (info_cmp(e, own) <= 0)
		return changed;
	info_copy(own, e);
	return true;
}

bool roster_join_turn(struct roster *r, uint64_t node,
		      const struct roster_turn *t)
{
	struct roster_entry *own = find(r, node);
	struct roster_entry e = { .node = node, .turn = *t };

	return own ? take_turn(r, own, t) : insert(r, &e);
}

bool roster_self(struct roster *r, uint64_t node, const char *name,
		 const struct addr *addr, const struct addr *sip,
		 uint64_t wall)
{
	struct roster_entry *own = find(r, node);
	struct roster_entry e = { .node = node, .turn = { 1, wall, node },
				  .version = 1 };
	struct buf b;

	buf_fixed(&b, e.info, sizeof(e.info));
	if (name[0])
		tlv_put(&b, TLV_NAME, sl_cstr(name));
	if (addr->af && !addr_is_any(addr))
		tlv_put_addr(&b, TLV_ADDR, addr);
	if (sip->af && !addr_is_any(sip))
		tlv_put_addr(&b, TLV_SIP, sip);
	e.info_n = (uint16_t)b.n;
	if (info_read(&e))             /* a name with blanks in it */
		return false;
	if (!own)
		return insert(r, &e);
	if (sl_eq(sl_mk(e.info, e.info_n), sl_mk(own->info, own->info_n)) ||
	    own->version >= ROSTER_COUNT)
		return false;
	e.version = own->version + 1;
	info_copy(own, &e);
	return true;
}

int roster_turn(struct roster *r, uint64_t node, bool in, uint64_t by,
		uint64_t wall)
{
	struct roster_entry *own = find(r, node);

	if (!own)
		return ENOENT;
	if (roster_in(own) == in)
		return EALREADY;
	if (in && roster_members(r) >= CLUSTER_MAX)
		return ENOSPC;
	if (own->turn.n >= ROSTER_COUNT)
		return ERANGE;
	own->turn = (struct roster_turn){ own->turn.n + 1, wall, by };
	return 0;
}

static bool named(const struct roster_entry *e, struct sl who)
{
	char id[20];

	(void)snprintf(id, sizeof(id), "%016llx", (unsigned long long)e->node);
	return sl_eq(who, sl_cstr(id));
}

int roster_lookup(const struct roster *r, struct sl who, bool in,
		  uint64_t *node)
{
	uint32_t hits[2] = { 0, 0 };
	uint64_t found[2] = { 0, 0 };

	for (uint32_t i = 0; i < r->n; i++) {
		const struct roster_entry *e = &r->e[i];
		bool as_wished = roster_in(e) == in;

		if (named(e, who)) {
			*node = e->node;
			return 0;
		}
		if (!who.n || !sl_eq(sl_cstr(e->name), who))
			continue;
		hits[as_wished]++;
		found[as_wished] = e->node;
	}
	if (!hits[0] && !hits[1])
		return ENOENT;
	if (hits[hits[1] > 0] > 1)
		return ENOTUNIQ;
	*node = found[hits[1] > 0];
	return 0;
}

/* --- bytes ------------------------------------------------------------------------- */

void roster_put_turn(struct buf *b, uint16_t tag, const struct roster_turn *t)
{
	uint8_t v[20];
	struct buf x;

	buf_fixed(&x, v, sizeof(v));
	put_u32(&x, t->n);
	put_u64(&x, t->at);
	put_u64(&x, t->by);
	tlv_put(b, tag, sl_mk(v, x.n));
}

int roster_get_turn(struct roster_turn *t, struct sl v)
{
	struct cur c;

	cur_init(&c, v.p, v.n);
	t->n = cur_u32(&c);
	t->at = cur_u64(&c);
	t->by = cur_u64(&c);
	return c.err || cur_left(&c) || !t->n || t->n > ROSTER_COUNT ?
	       EBADMSG : 0;
}

void roster_put(struct buf *b, const struct roster *r)
{
	put_u16(b, (uint16_t)r->n);
	for (uint32_t i = 0; i < r->n; i++) {
		const struct roster_entry *e = &r->e[i];

		put_u64(b, e->node);
		put_u32(b, e->turn.n);
		put_u64(b, e->turn.at);
		put_u64(b, e->turn.by);
		put_u32(b, e->version);
		put_sl16(b, sl_mk(e->info, e->info_n));
	}
}

static int get_entry(struct roster_entry *e, struct cur *c)
{
	struct sl info;

	e->told = 0;
	e->node = cur_u64(c);
	e->turn.n = cur_u32(c);
	e->turn.at = cur_u64(c);
	e->turn.by = cur_u64(c);
	e->version = cur_u32(c);
	info = cur_sl16(c, ROSTER_INFO);
	/* version 0: only the turn is known yet */
	if (c->err || !e->node || !e->turn.n || e->turn.n > ROSTER_COUNT ||
	    e->version > ROSTER_COUNT || (!e->version && info.n))
		return EBADMSG;
	e->info_n = (uint16_t)info.n;
	if (info.n)
		memcpy(e->info, info.p, info.n);
	return info_read(e);
}

int roster_check(struct cur *c)
{
	uint16_t n = cur_u16(c);
	struct roster_entry e;
	uint64_t last = 0;

	if (n > ROSTER_MAX)
		return EBADMSG;
	for (uint16_t i = 0; i < n; i++) {
		if (get_entry(&e, c) || e.node <= last)
			return EBADMSG;
		last = e.node;
	}
	return c->err ? EBADMSG : 0;
}

bool roster_take(struct roster *r, struct cur *c)
{
	uint16_t n = cur_u16(c);
	bool changed = false;
	struct roster_entry e;

	for (uint16_t i = 0; i < n && !get_entry(&e, c); i++)
		changed |= roster_join(r, &e);
	return changed;
}

void roster_save(struct buf *b, const struct roster *r)
{
	size_t at = b->n;

	put_u32(b, MAGIC);
	roster_put(b, r);
	if (!b->err)
		put_u32(b, crc_add(0, b->p + at, b->n - at));
}

int roster_load(struct roster *r, struct sl file)
{
	struct cur c;

	if (file.n < 10 || file.n > ROSTER_FILE)
		return EBADMSG;
	cur_init(&c, file.p + file.n - 4, 4);
	if (cur_u32(&c) != crc_add(0, file.p, file.n - 4))
		return EBADMSG;
	cur_init(&c, file.p, file.n - 4);
	if (cur_u32(&c) != MAGIC || roster_check(&c) || cur_left(&c))
		return EBADMSG;
	cur_init(&c, file.p + 4, file.n - 8);
	(void)roster_take(r, &c);
	return 0;
}
