/**
 * @file registrar.c  Pure. REGISTER: plan, then commit or drop whole.
 */
#include "node/registrar.h"
#include "base/log.h"
#include "sip/hop.h"
#include <errno.h>
#include <stdlib.h>

/* The Contact list of an answer stops here, so that its header section stays
 * below what our own scanner takes (SIP_MAX_HEAD) */
enum { REG_ITEMS = LOCATION_MAX, REG_EXTRA_MAX = 11000 };

/* One binding that the request wants changed */
struct reg_item {
	struct binding b;
	struct buf key;
	struct buf value;
	uint32_t secs;           /* to live; 0 = remove */
	bool skip;               /* retransmission, or named again later */
};

struct reg_plan {
	struct registrar *r;
	const struct sip_msg *m;
	struct sl aor, received;
	uint64_t wall, lineage;
	struct reg_answer *a;
	struct buf path;
	bool ob, star, has_expires, nat;
	uint32_t expires;        /* Expires header [s] */
	uint32_t named;          /* Contact elements in the request */
	uint32_t n;
	struct reg_item v[REG_ITEMS];
};

int registrar_stats(struct registrar *r, struct stats *st)
{
	int err = 0;

	err |= stat_add(st, STAT_COUNTER, "node_register_total",
			"result=\"accepted\"", "REGISTER requests by result",
			&r->accepted, r);
	err |= stat_add(st, STAT_COUNTER, "node_register_total",
			"result=\"rejected\"", "REGISTER requests by result",
			&r->rejected, r);
	err |= stat_add(st, STAT_COUNTER, "node_register_total",
			"result=\"fetched\"", "REGISTER requests by result",
			&r->fetched, r);
	err |= stat_add(st, STAT_COUNTER, "node_register_total",
			"result=\"repeated\"", "REGISTER requests by result",
			&r->repeated, r);
	err |= stat_add(st, STAT_COUNTER, "node_contacts_removed_total", NULL,
			"Contacts taken out by their owners", &r->removed, r);
	return err;
}

static int fail(struct reg_plan *p, uint16_t code, const char *why)
{
	p->a->code = code;
	p->a->why = why;
	return EPROTO;
}

static int fail_errno(struct reg_plan *p, int err)
{
	buf_lit(&p->a->extra, "Retry-After: 30\r\n");
	return fail(p, 503, err == ENOSPC ? "Registrar Full" : "No Memory");
}

/* --- planning ------------------------------------------------------------- */

/* RFC 3261 10.3 step 2 */
static int plan_require(struct reg_plan *p)
{
	struct sip_iter it = { 0 };
	bool bad = false;

	while (sip_iter(p->m, SIP_REQUIRE, &it)) {
		if (sl_ieq(it.val, SL("path"))
		    || sl_ieq(it.val, SL("outbound")))
			continue;
		if (bad)
			buf_lit(&p->a->extra, ", ");
		else
			buf_lit(&p->a->extra, "Unsupported: ");
		hop_put_flat(&p->a->extra, it.val);
		bad = true;
	}
	if (!bad)
		return 0;
	buf_lit(&p->a->extra, "\r\n");
	return fail(p, 420, "Bad Extension");
}

static int plan_path(struct reg_plan *p)
{
	binding_path(&p->path, p->m);
	if (p->path.err == ENOMEM)
		return fail_errno(p, ENOMEM);
	if (p->path.err || p->path.n > p->r->cf->registrar.max_path)
		return fail(p, 400, "Path Too Long");
	p->ob = binding_ob(buf_as_sl(&p->path));
	return 0;
}

static int plan_expires(struct reg_plan *p, struct reg_item *it)
{
	const struct node_config *cf = p->r->cf;

	if (it->b.has_expires)
		it->secs = it->b.wish;
	else if (p->has_expires)
		it->secs = p->expires;
	else
		it->secs = cf->registrar.default_expires;
	if (it->secs > cf->registrar.max_expires)
		it->secs = cf->registrar.max_expires;
	if (!it->secs || it->secs >= cf->registrar.min_expires)
		return 0;
	buf_lit(&p->a->extra, "Min-Expires: ");
	buf_u64(&p->a->extra, cf->registrar.min_expires);
	buf_lit(&p->a->extra, "\r\n");
	return fail(p, 423, "Interval Too Brief");
}

static int plan_key(struct reg_plan *p, struct reg_item *it)
{
	int err;

	buf_init(&it->key, BINDING_KEY_MAX);
	err = binding_key(&it->key, &it->b);
	if (err == ENOMEM)
		return fail_errno(p, err);
	if (err)
		return fail(p, 400, err == ENOSPC ? "Contact Too Long"
			    : "Bad Contact");
	/* named twice: the last one counts */
	for (struct reg_item *o = p->v; o < it; o++) {
		if (sl_eq(buf_as_sl(&o->key), buf_as_sl(&it->key)))
			o->skip = true;
	}
	return 0;
}

/* Over-long texts that only inform are left out, not refused */
static struct sl info_text(struct sl s)
{
	return s.n <= BINDING_TEXT_MAX ? s : SL_NONE;
}

static int plan_value(struct reg_plan *p, struct reg_item *it)
{
	int err;

	it->b.expires = p->wall + 1000ull * it->secs;
	buf_init(&it->value, BINDING_VALUE_MAX);
	if (!it->secs)
		return 0;
	err = binding_encode(&it->value, &it->b);
	if (err == ENOMEM)
		return fail_errno(p, err);
	return err ? fail(p, 400, "Contact Too Long") : 0;
}

static int plan_contact(struct reg_plan *p, struct sl elem)
{
	struct reg_item *it;
	const char *why;
	int err;

	if (p->n == REG_ITEMS)
		return fail(p, 403, "Too Many Contacts");
	it = &p->v[p->n++];
	memset(it, 0, sizeof(*it));
	if (binding_parse(&it->b, elem, &why))
		return fail(p, 400, why);
	if (it->b.uri.n > p->r->cf->registrar.max_contact)
		return fail(p, 400, "Contact Too Long");
	it->b.path = buf_as_sl(&p->path);
	it->b.callid = info_text(p->m->callid);
	it->b.agent = info_text(sip_first(p->m, SIP_USER_AGENT));
	it->b.received = p->received;
	it->b.nat = p->nat;
	it->b.cseq = p->m->cseq;
	err = plan_expires(p, it);
	if (!err)
		err = plan_key(p, it);
	return err ? err : plan_value(p, it);
}

/* RFC 3261 10.3 step 6: "*" stands alone and with Expires: 0 */
static int plan_star(struct reg_plan *p)
{
	if (p->named != 1 || !p->has_expires || p->expires)
		return fail(p, 400, "Bad Use Of *");
	return 0;
}

static int plan_contacts(struct reg_plan *p)
{
	struct sip_iter it = { 0 };
	struct sl exp = sip_first(p->m, SIP_EXPIRES);
	uint32_t live = 0;
	bool reg_id = false;
	int err;

	p->has_expires = !sl_u32(exp, UINT32_MAX, &p->expires);
	while (sip_iter(p->m, SIP_CONTACT, &it)) {
		p->named++;
		if (sl_eq(it.val, SL("*"))) {
			p->star = true;
			continue;
		}
		err = plan_contact(p, it.val);
		if (err)
			return err;
		live += p->v[p->n - 1].secs > 0;
		reg_id |= p->v[p->n - 1].b.reg_id > 0;
	}
	if (p->star)
		return plan_star(p);
	if (reg_id && live > 1)
		return fail(p, 400, "One Contact Per reg-id");   /* RFC 5626 6 */
	return 0;
}

/* The same CSeq again: fine if it asks for what is there already */
static bool repeats(struct reg_plan *p, struct reg_item *it)
{
	struct binding old;
	int err;

	err = location_find(p->r->loc, p->aor, buf_as_sl(&it->key), p->wall,
			    &old);
	if (!it->secs)
		return err == ENOENT;
	return !err && binding_same(&old, &it->b);
}

static int plan_order_one(struct reg_plan *p, struct reg_item *it)
{
	switch (store_check(p->r->loc->store, p->aor, buf_as_sl(&it->key),
			    p->lineage, p->m->cseq, p->wall)) {
	case 0:
		return 0;
	case EALREADY:
		if (!repeats(p, it))
			return fail(p, 500, "Number Used Before");
		it->skip = true;
		return 0;
	case ESTALE:
		return fail(p, 500, "Out Of Order");
	case ENOSPC:
		return fail_errno(p, ENOSPC);
	default:
		return fail(p, 400, "Bad Contact");
	}
}

/* "*" names every binding there is */
static int expand_star(struct reg_plan *p, struct loc_set *set)
{
	if (!p->star)
		return 0;
	for (uint32_t i = 0; i < set->n && p->n < REG_ITEMS; i++) {
		struct reg_item *it = &p->v[p->n++];

		memset(it, 0, sizeof(*it));
		buf_init(&it->key, BINDING_KEY_MAX);
		buf_init(&it->value, BINDING_VALUE_MAX);
		buf_sl(&it->key, set->v[i].key);
		if (it->key.err)
			return fail_errno(p, it->key.err);
	}
	return 0;
}

static bool is_bound(const struct loc_set *set, const struct reg_item *it)
{
	for (uint32_t i = 0; i < set->n; i++) {
		if (sl_eq(set->v[i].key, buf_as_sl(&it->key)))
			return true;
	}
	return false;
}

static int plan_limits(struct reg_plan *p, const struct loc_set *set)
{
	const struct node_config *cf = p->r->cf;
	struct store *st = p->r->loc->store;
	uint32_t total = set->n, added = 0, fresh = 0, changes = 0;
	int err;

	for (uint32_t i = 0; i < p->n; i++) {
		bool bound = is_bound(set, &p->v[i]);

		if (p->v[i].skip)
			continue;
		changes++;
		fresh += !bound;        /* a removal leaves a record, too */
		if (p->v[i].secs && !bound)
			added++;
		if (!p->v[i].secs && bound)
			total--;
	}
	if (added && total + added > cf->registrar.max_contacts)
		return fail(p, 403, "Too Many Contacts");
	if (added && store_stats(st)->contacts + added
	    > cf->registrar.max_bindings)
		return fail_errno(p, ENOSPC);
	if (!changes)
		return 0;
	err = store_reserve(st, p->aor, fresh, changes, BINDING_VALUE_MAX);
	return err ? fail_errno(p, err) : 0;
}

static int plan_changes(struct reg_plan *p)
{
	struct loc_set set;
	int err;

	if (location_get(p->r->loc, p->aor, p->wall, &set))
		err = fail_errno(p, ENOMEM);
	else
		err = expand_star(p, &set);
	for (uint32_t i = 0; !err && i < p->n; i++) {
		if (!p->v[i].skip)
			err = plan_order_one(p, &p->v[i]);
	}
	if (!err)
		err = plan_limits(p, &set);
	loc_set_free(&set);
	return err;
}

static int plan(struct reg_plan *p)
{
	int err;

	err = plan_require(p);
	if (!err && p->aor.n > p->r->cf->registrar.max_aor)
		err = fail(p, 400, "Address Too Long");
	if (!err)
		err = plan_path(p);
	if (!err)
		err = plan_contacts(p);
	if (!err && p->named)
		err = plan_changes(p);
	return err;
}

/* --- committing ------------------------------------------------------------ */

static void commit(struct reg_plan *p)
{
	struct store *st = p->r->loc->store;
	uint32_t done = 0, gone = 0;
	int err;

	for (uint32_t i = 0; i < p->n; i++) {
		struct reg_item *it = &p->v[i];
		struct sl key = buf_as_sl(&it->key);

		if (it->skip)
			continue;
		if (it->secs)
			err = store_put(st, p->aor, key, p->lineage,
					p->m->cseq, it->b.expires,
					buf_as_sl(&it->value), p->wall);
		else
			err = store_del(st, p->aor, key, p->lineage,
					p->m->cseq, p->wall);
		/* checked and reserved above: this is a fault of ours */
		if (err)
			log_error("event=register_commit aor=%s err=%d",
				  log_esc(p->aor), err);
		done++;
		gone += !it->secs;
	}
	p->a->changed = done > 0;
	p->r->removed += gone;
	if (!p->named)
		p->r->fetched++;
	else if (!done)
		p->r->repeated++;
	else
		p->r->accepted++;
}

static void put_contacts(struct reg_plan *p, const struct loc_set *set)
{
	struct buf *b = &p->a->extra;
	size_t room = SIP_MAX_HEAD - p->m->body_off;
	uint64_t left;

	/* what the answer repeats of the request is a part of the same limit */
	room = room > 2 * BINDING_TEXT_MAX ? room - BINDING_TEXT_MAX : 0;
	if (room > REG_EXTRA_MAX)
		room = REG_EXTRA_MAX;
	for (uint32_t i = 0; i < set->n; i++) {
		const struct binding *c = &set->v[i].b;

		if (b->n + c->uri.n + 2 * BINDING_TEXT_MAX > room)
			break;
		left = c->expires > p->wall ? c->expires - p->wall : 0;
		buf_lit(b, "Contact: ");
		binding_put(b, c, (uint32_t)((left + 999) / 1000));
		buf_lit(b, "\r\n");
	}
}

/* RFC 3261 10.3 step 8, RFC 3327 5.3, RFC 5626 6 */
static void answer(struct reg_plan *p)
{
	struct buf *b = &p->a->extra;
	struct loc_set set;
	bool outbound = false;

	p->a->code = 200;
	p->a->why = "OK";
	if (!location_get(p->r->loc, p->aor, p->wall, &set))
		put_contacts(p, &set);
	loc_set_free(&set);
	if (p->path.n) {
		buf_lit(b, "Path: ");
		buf_sl(b, buf_as_sl(&p->path));
		buf_lit(b, "\r\n");
	}
	for (uint32_t i = 0; i < p->n; i++)
		outbound |= p->v[i].secs && binding_outbound(&p->v[i].b);
	if (outbound && sip_has_token(p->m, SIP_SUPPORTED, SL("outbound")))
		buf_lit(b, "Require: outbound\r\n");
	buf_lit(b, "Supported: path, outbound\r\n");
	if (b->err)
		log_error("event=register_answer err=%d", b->err);
}

/* Many phones find out their public address and register that: a Contact alone
 * does not tell. What they write into their Via stays private. */
static bool behind_nat(const struct sip_msg *m, struct sl received)
{
	struct addr says = { 0 }, is = { 0 };
	struct via v;

	return !via_nth(m, 1, &v) && !addr_parse_ip(&says, v.host) &&
	       !addr_parse_ip(&is, received) && !addr_ip_eq(&says, &is);
}

void registrar_handle(struct registrar *r, const struct sip_msg *m,
		      struct sl aor, struct sl received, uint64_t wall,
		      struct reg_answer *a)
{
	struct reg_plan *p;

	*a = (struct reg_answer){ .code = 503, .why = "No Memory" };
	buf_init(&a->extra, REG_EXTRA_MAX + 8192);
	p = malloc(sizeof(*p));
	if (!p)
		return;
	p->r = r;
	p->m = m;
	p->aor = aor;
	p->received = received;
	p->wall = wall;
	p->lineage = location_lineage(r->loc, m->callid);
	p->a = a;
	p->nat = behind_nat(m, received);
	p->ob = p->star = false;
	p->named = p->n = 0;
	buf_init(&p->path, 2 * BINDING_VALUE_MAX);
	if (plan(p)) {
		r->rejected++;
	}
	else {
		commit(p);
		answer(p);
	}
	for (uint32_t i = 0; i < p->n; i++) {
		buf_free(&p->v[i].key);
		buf_free(&p->v[i].value);
	}
	buf_free(&p->path);
	free(p);
}
