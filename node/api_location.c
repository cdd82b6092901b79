/**
 * @file api_location.c  Shell. Contacts over HTTP, read only.
 */
#include "node/api_location.h"
#include "base/clk.h"
#include "node/api_ping.h"
#include "node/location.h"
#include "node/node_i.h"
#include "sip/uri.h"
#include "web/http_req.h"
#include "web/jsn.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* One answer being made. A place in the store is a bucket and how many of its
 * contacts were given already: "BUCKET.SKIP". A page ends between two buckets,
 * where nothing that comes and goes until the next one moves what is left; only a
 * bucket that is longer than a page is cut. */
struct page {
	json_t *list;
	uint64_t wall;
	uint32_t limit, n;
	uint64_t pos;            /* bucket                                   */
	uint64_t skip;           /* of its contacts, given before            */
	uint64_t seen;           /* of its contacts, in this turn            */
	uint32_t undecoded;
};

/* The Path is left out: who has it can send to the phone */
static json_t *contact_json(struct sl aor, const struct binding *b,
			    const struct stamp *v, uint64_t wall)
{
	json_t *o = json_object();
	char txt[40];

	jsn_sl(o, "aor", aor);
	jsn_sl(o, "contact", b->uri);
	jsn_u64(o, "expires_ms", b->expires > wall ? b->expires - wall : 0);
	jsn_sl(o, "callid", b->callid);
	jsn_u64(o, "cseq", b->cseq);
	jsn_u64(o, "q", b->q);
	if (sl_isset(b->agent))
		jsn_sl(o, "agent", b->agent);
	if (sl_isset(b->instance))
		jsn_sl(o, "instance", b->instance);
	if (b->reg_id)
		jsn_u64(o, "reg_id", b->reg_id);
	if (b->received.n)
		jsn_sl(o, "received", b->received);
	(void)snprintf(txt, sizeof(txt), "%016llx-%016llx",
		       (unsigned long long)v->t, (unsigned long long)v->node);
	jsn_str(o, "version", txt);
	return o;
}

/* What is wrong goes to the client; *v is the default when not given */
static bool number(struct http_call *c, struct sl name, uint64_t max,
		   uint64_t *v)
{
	struct sl s = http_srv_param(c, name);
	uint64_t n;

	if (!sl_isset(s))
		return true;
	if (sl_u64(s, max, &n) || !n) {
		char txt[80];

		(void)snprintf(txt, sizeof(txt), "%.*s: 1..%llu", SL_FMT(name),
			       (unsigned long long)max);
		jsn_error(c, 400, txt);
		return false;
	}
	*v = n;
	return true;
}

/* --- one address of record -------------------------------------------------- */

/* "alice@example.com" and "sip:alice@example.com" are the same question */
static int asked_aor(struct buf *aor, const struct http_call *c)
{
	struct sl raw = http_srv_param(c, SL("aor"));
	struct buf b;
	int err;

	buf_init(&b, SIP_AOR_MAX + 8);
	if (!sl_istarts(raw, SL("sip")))
		buf_lit(&b, "sip:");
	err = raw.n ? http_req_unescape(&b, raw) : EBADMSG;
	if (!err)
		err = aor_canon(aor, buf_as_sl(&b));
	buf_free(&b);
	return err;
}

static void location(struct http_call *c, void *arg)
{
	struct node *n = arg;
	struct location loc = { .store = n->store };
	json_t *o, *list, *one, *ping;
	struct loc_set *set;
	struct buf aor;

	buf_init(&aor, SIP_AOR_MAX);
	set = calloc(1, sizeof(*set));
	if (!set) {
		jsn_error(c, 500, "no memory");
		return;
	}
	if (asked_aor(&aor, c)) {
		jsn_error(c, 400, "aor: user@domain or a SIP URI");
		goto out;
	}
	if (location_get(&loc, buf_as_sl(&aor), clk_wall(), set)) {
		jsn_error(c, 500, "no memory");
		goto out;
	}
	o = json_object();
	list = json_array();
	jsn_sl(o, "aor", buf_as_sl(&aor));
	for (uint32_t i = 0; i < set->n; i++) {
		one = contact_json(buf_as_sl(&aor), &set->v[i].b,
				   &set->v[i].vstamp, clk_wall());
		ping = api_ping_contact(n, buf_as_sl(&aor), &set->v[i]);
		if (ping)
			jsn_put(one, "ping", ping);
		(void)json_array_append_new(list, one);
	}
	jsn_put(o, "contacts", list);
	jsn_u64(o, "undecoded", set->undecoded);
	jsn_reply(c, 200, o);
 out:
	loc_set_free(set);
	free(set);
	buf_free(&aor);
}

/* --- all of them -------------------------------------------------------------- */

static void add(struct sl aor, const struct store_contact *c, void *arg)
{
	struct page *p = arg;
	struct binding b;

	if (p->seen++ < p->skip || p->n >= p->limit)
		return;
	p->n++;
	if (binding_decode(&b, c->value)) {
		p->undecoded++;
		return;
	}
	b.cseq = c->cseq;
	b.expires = c->expires;
	(void)json_array_append_new(p->list,
				    contact_json(aor, &b, &c->vstamp,
						 p->wall));
}

/* True: the page ends, there is more */
static bool one_bucket(struct page *p, struct store *s, bool *more)
{
	struct page was = *p;
	size_t size = json_array_size(p->list);

	p->seen = 0;
	*more = store_walk(s, &p->pos, p->wall, add, p);
	if (p->seen <= p->skip + (p->n - was.n)) {
		p->skip = 0;
		return *more && p->n >= p->limit;
	}
	if (was.n) {                    /* the next page's, as a whole */
		while (json_array_size(p->list) > size)
			(void)json_array_remove(p->list,
						json_array_size(p->list) - 1);
		*p = was;
	} else {
		p->skip += p->n;
		p->pos = was.pos;
	}
	*more = true;
	return true;
}

static bool place(struct http_call *c, struct page *p)
{
	struct sl s = http_srv_param(c, SL("from"));
	size_t dot = sl_chr(s, '.');

	if (!sl_isset(s))
		return true;
	if (!sl_u64(sl_sub(s, 0, dot), UINT32_MAX, &p->pos) &&
	    !sl_u64(sl_sub(s, dot + 1, s.n), UINT32_MAX, &p->skip))
		return true;
	jsn_error(c, 400, "from: `next` of the page before");
	return false;
}

static void contacts(struct http_call *c, void *arg)
{
	struct node *n = arg;
	struct page p = { .wall = clk_wall() };
	uint64_t limit = API_PAGE;
	bool more = true;
	char txt[48];
	json_t *o;

	if (!number(c, SL("limit"), API_PAGE_MAX, &limit) || !place(c, &p))
		return;
	p.limit = (uint32_t)limit;
	p.list = json_array();
	/* a bucket with nothing in it costs a look at its digest */
	while (more && !one_bucket(&p, n->store, &more))
		;
	o = json_object();
	jsn_put(o, "contacts", p.list);
	jsn_u64(o, "undecoded", p.undecoded);
	(void)snprintf(txt, sizeof(txt), "%llu.%llu",
		       (unsigned long long)p.pos, (unsigned long long)p.skip);
	jsn_str(o, "next", more ? txt : NULL);
	jsn_u64(o, "total", store_stats(n->store)->contacts);
	jsn_reply(c, 200, o);
}

int api_location_routes(struct http_srv *s, struct node *n)
{
	int err = http_srv_route(s, "GET", "/api/v1/location", location, n);

	if (!err)
		err = http_srv_route(s, "GET", "/api/v1/contacts", contacts,
				     n);
	return err;
}
