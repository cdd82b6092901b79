/* known.c - Pure. Identities of live stream connections. */
#include "sbc/known.h"

#include <errno.h>
#include <stdlib.h>

#include "base/slab.h"

struct entry {
	struct entry *by_id, *by_conn;   /**< next; newest first              */
	uint64_t id, aor;
	struct flow flow;
	char *txt;                       /**< address of record, malloc()     */
	uint16_t txtn;
	bool prev;
};

struct known {
	struct entry **ids, **conns;     /**< buckets                         */
	uint32_t mask, max;
	struct slab mem;
	struct known_stats st;
};

int known_alloc(struct known **kp, uint32_t max)
{
	uint32_t n = 64;
	struct known *k;

	if (!max)
		return EINVAL;
	while (n < max && n < 1u << 20)
		n *= 2;
	k = calloc(1, sizeof(*k));
	if (!k)
		return ENOMEM;
	slab_init(&k->mem, sizeof(struct entry));
	k->mask = n - 1;
	k->max = max;
	k->ids = calloc(n, sizeof(*k->ids));
	k->conns = calloc(n, sizeof(*k->conns));
	if (!k->ids || !k->conns) {
		known_free(k);
		return ENOMEM;
	}
	*kp = k;
	return 0;
}

void known_free(struct known *k)
{
	if (!k)
		return;
	for (uint32_t i = 0; k->conns && i <= k->mask; i++)
		for (struct entry *e = k->conns[i]; e; e = e->by_conn)
			free(e->txt);
	slab_close(&k->mem);
	free(k->ids);
	free(k->conns);
	free(k);
}

const struct known_stats *known_stats(const struct known *k)
{
	return &k->st;
}

/* --- what a REGISTER says --- */

static uint64_t hash_sl(const uint8_t key[SECRET_KEY], struct sl s)
{
	return secret_hash(key, s.p, s.n);
}

static uint64_t aor_of(struct known_reg *r, const struct sip_msg *m,
		       const uint8_t key[SECRET_KEY])
{
	struct name_addr na;
	struct buf b;

	buf_fixed(&b, r->aor_txt, sizeof(r->aor_txt));
	if (name_addr_parse(&na, m->to) || aor_canon(&b, na.uri))
		return 0;
	r->aorn = (uint16_t)b.n;
	return hash_sl(key, buf_as_sl(&b));
}

/** Does this contact end with the REGISTER? */
static bool expired(const struct sip_msg *m, struct sl params)
{
	struct sl txt = sip_first(m, SIP_EXPIRES);
	uint32_t v;

	(void)param_get(params, SL("expires"), &txt);
	/* one that cannot be read is not 0: RFC 3261 10.3 step 7 */
	return sl_isset(txt) && !sl_u32(sl_trim(txt), UINT32_MAX, &v) && !v;
}

/** The Contacts of a REGISTER: params of the first one that stays, or of the
 *  first at all */
static enum known_what contacts(const struct sip_msg *m, struct sl *params,
				unsigned *n)
{
	enum known_what what = KNOWN_NOTHING;
	struct sip_iter it = { 0 };
	struct name_addr na;

	for (*n = 0; sip_iter(m, SIP_CONTACT, &it); ++*n) {
		bool gone;

		if (sl_eq(it.val, SL("*")))
			return KNOWN_DROP_AOR;
		if (name_addr_parse(&na, it.val))
			continue;
		gone = expired(m, na.params);
		if (!gone && what != KNOWN_CLAIM) {
			what = KNOWN_CLAIM;
			*params = na.params;
		}
		else if (gone && what == KNOWN_NOTHING) {
			what = KNOWN_DROP;
			*params = na.params;
		}
	}
	return what;
}

void known_read(struct known_reg *r, const struct sip_msg *m,
		const uint8_t key[SECRET_KEY])
{
	uint64_t v[3] = { 0 };
	struct sl params = SL_NONE, inst, reg = SL_NONE;
	unsigned n;

	memset(r, 0, offsetof(struct known_reg, aor_txt));
	r->what = contacts(m, &params, &n);
	r->aor = r->what ? aor_of(r, m, key) : 0;
	if (!r->aor) {
		r->what = KNOWN_NOTHING;
		return;
	}
	v[0] = r->aor;
	if (n == 1 && param_get(params, SL("+sip.instance"), &inst) &&
	    sl_isset(inst)) {
		(void)param_get(params, SL("reg-id"), &reg);
		v[1] = hash_sl(key, inst);
		v[2] = hash_sl(key, reg) | 1;
	}
	else {
		v[1] = hash_sl(key, m->callid);
	}
	/* 0 means nobody */
	r->id = secret_hash(key, v, sizeof(v)) | 1;
}

/* --- the table --- */

static struct entry **id_bucket(const struct known *k, uint64_t id)
{
	return &k->ids[(id >> 8) & k->mask];
}

static struct entry **conn_bucket(const struct known *k, uint32_t conn)
{
	return &k->conns[((conn * 0x9e3779b97f4a7c15ull) >> 40) & k->mask];
}

/** Is it the same connection? Numbers are unique in the process' life */
static bool same(const struct entry *e, const struct flow *f)
{
	return e->flow.conn == f->conn && e->flow.lst == f->lst;
}

static void unlink_id(struct known *k, struct entry *e)
{
	struct entry **pp = id_bucket(k, e->id);

	while (*pp != e)
		pp = &(*pp)->by_id;
	*pp = e->by_id;
}

static void unlink_conn(struct known *k, struct entry *e)
{
	struct entry **pp = conn_bucket(k, e->flow.conn);

	while (*pp != e)
		pp = &(*pp)->by_conn;
	*pp = e->by_conn;
}

static void take_out(struct known *k, struct entry *e, uint64_t *count)
{
	unlink_id(k, e);
	unlink_conn(k, e);
	free(e->txt);
	slab_put(&k->mem, e);
	k->st.now--;
	++*count;
}

static void link_first(struct known *k, struct entry *e)
{
	struct entry **ip = id_bucket(k, e->id);
	struct entry **cp = conn_bucket(k, e->flow.conn);

	e->by_id = *ip;
	*ip = e;
	e->by_conn = *cp;
	*cp = e;
}

/** The entry of id on f; *oldest, *n: of the whole connection */
static struct entry *on_conn(const struct known *k, const struct flow *f,
			     uint64_t id, struct entry **oldest, unsigned *n)
{
	struct entry *e = *conn_bucket(k, f->conn), *found = NULL;

	*oldest = NULL;
	for (*n = 0; e; e = e->by_conn) {
		if (!same(e, f))
			continue;
		++*n;
		*oldest = e;
		if (e->id == id)
			found = e;
	}
	return found;
}

static void claim(struct known *k, const struct flow *f,
		  const struct known_reg *r)
{
	struct entry *e, *oldest;
	unsigned n;

	e = on_conn(k, f, r->id, &oldest, &n);
	if (e) {
		unlink_id(k, e);
		unlink_conn(k, e);
		link_first(k, e);
		return;
	}
	if (n >= KNOWN_PER_CONN)
		take_out(k, oldest, &k->st.displaced);
	e = k->st.now < k->max ? slab_get(&k->mem) : NULL;
	if (!e) {
		k->st.refused++;
		return;
	}
	*e = (struct entry){ .id = r->id, .aor = r->aor, .flow = *f,
			     .prev = r->prev };
	/* without memory for it nobody is told when the connection ends */
	e->txt = r->prev ? NULL : malloc(r->aorn);
	if (e->txt) {
		memcpy(e->txt, r->aor_txt, r->aorn);
		e->txtn = r->aorn;
	}
	link_first(k, e);
	k->st.now++;
	k->st.claimed++;
}

/** All claims of that connection that match; aor 0: of any */
static void drop(struct known *k, const struct flow *f, uint64_t aor,
		 uint64_t id, uint64_t *count)
{
	struct entry *e = *conn_bucket(k, f->conn), *next;

	for (; e; e = next) {
		next = e->by_conn;
		if (same(e, f) && (!aor || e->aor == aor) &&
		    (!id || e->id == id))
			take_out(k, e, count);
	}
}

void known_apply(struct known *k, const struct flow *f,
		 const struct known_reg *r)
{
	if (!f->conn)
		return;
	switch (r->what) {
	case KNOWN_NOTHING:
		break;
	case KNOWN_CLAIM:
		claim(k, f, r);
		break;
	case KNOWN_DROP:
		drop(k, f, r->aor, r->id, &k->st.dropped);
		break;
	case KNOWN_DROP_AOR:
		drop(k, f, r->aor, 0, &k->st.dropped);
		break;
	}
}

void known_each(const struct known *k, const struct flow *f,
		void (*h)(struct sl aor, uint64_t id, void *arg), void *arg)
{
	const struct entry *e = f->conn ? *conn_bucket(k, f->conn) : NULL;
	struct flow newest;

	for (; e; e = e->by_conn)
		if (same(e, f) && e->txt && known_find(k, e->id, &newest) &&
		    same(e, &newest))
			h(sl_mk(e->txt, e->txtn), e->id, arg);
}

void known_lost(struct known *k, const struct flow *f)
{
	if (f->conn)
		drop(k, f, 0, 0, &k->st.ended);
}

bool known_find(const struct known *k, uint64_t id, struct flow *f)
{
	const struct entry *e = id ? *id_bucket(k, id) : NULL;

	while (e && e->id != id)
		e = e->by_id;
	if (e)
		*f = e->flow;
	return e != NULL;
}

uint64_t known_of(const struct known *k, const struct flow *f)
{
	const struct entry *e = f->conn ? *conn_bucket(k, f->conn) : NULL;

	while (e && !same(e, f))
		e = e->by_conn;
	return e ? e->id : 0;
}
