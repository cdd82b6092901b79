/* route.c - Pure. Where a request goes. */
#include <errno.h>

#include "sbc/route.h"
#include "sbc/peers.h"
#include "sip/chr.h"
#include "sip/hop.h"

const char *route_to_name(enum route_to t)
{
	switch (t) {
	case ROUTE_POOL:   return "pool";
	case ROUTE_FLOW:   return "flow";
	case ROUTE_LOCAL:  return "local";
	case ROUTE_REFUSE: return "refuse";
	}
	return "?";
}

void route_name_add(struct route_conf *rc, struct sl host, uint16_t port)
{
	struct route_name *n = &rc->name[rc->namec];

	if (!host.n || host.n >= sizeof(n->host) || rc->namec >= ROUTE_NAMES)
		return;
	(void)sl_lower(n->host, host);
	n->host[host.n] = '\0';
	n->n = (uint8_t)host.n;
	n->port = port ? port : 5060;
	for (uint32_t i = 0; i < rc->namec; i++)
		if (rc->name[i].port == n->port && rc->name[i].n == n->n &&
		    !memcmp(rc->name[i].host, n->host, n->n))
			return;
	rc->namec++;
}

void route_sentby_add(struct route_conf *rc, struct sl sentby)
{
	size_t from = 0, colon;
	uint32_t port = 0;

	if (sentby.n && sentby.p[0] == '[')
		from = sl_chr(sentby, ']');
	colon = from + sl_chr(sl_sub(sentby, from, sentby.n), ':');
	if (colon < sentby.n &&
	    sl_u32(sl_sub(sentby, colon + 1, sentby.n), 65535, &port))
		return;
	route_name_add(rc, sl_sub(sentby, 0, colon), (uint16_t)port);
}

bool route_is_ours(const struct route_conf *rc, const struct uri *u)
{
	uint16_t port = u->port ? u->port : 5060;

	if (u->scheme != URI_SIP && u->scheme != URI_SIPS)
		return false;
	for (uint32_t i = 0; i < rc->namec; i++) {
		const struct route_name *n = &rc->name[i];

		if (n->port == port && n->n == u->host.n &&
		    sl_ieq(sl_mk(n->host, n->n), u->host))
			return true;
	}
	return false;
}

void route_tail_add(struct route_conf *rc, const struct listener *l)
{
	struct route_tail *t = &rc->tail[rc->tailc];
	struct buf b;

	if (rc->tailc >= ROUTE_NAMES)
		return;
	buf_fixed(&b, t->t, sizeof(t->t));
	buf_chr(&b, '@');
	buf_str(&b, l->sentby);
	buf_lit(&b, ";transport=");
	buf_str(&b, tp_param(l->tp));
	buf_lit(&b, ";lr");
	t->n = (uint16_t)b.n;
	rc->tailc++;
}

/** Bytes of what is in Path only */
static size_t path_end(const char *p, const char *e)
{
	const struct sl v = sl_mk(p, (size_t)(e - p));

	if (sl_starts(v, SL(ROUTE_PATH_STREAM ">")))
		return sizeof(ROUTE_PATH_STREAM) - 1;
	if (sl_starts(v, SL(ROUTE_PATH_UDP ">")))
		return sizeof(ROUTE_PATH_UDP) - 1;
	return sl_starts(v, SL(ROUTE_PATH_END ">")) ?
		sizeof(ROUTE_PATH_END) - 1 : 0;
}

/** End of "<sip:TOKEN@" and a tail of ours, to the letter, at p; NULL: something
 *  else */
static const char *own_end(const struct route_conf *rc, const char *p,
			   const char *e, struct sl *user)
{
	const char *at;

	if (e - p < 8 || memcmp(p, "<sip:", 5))
		return NULL;
	p += 5;
	at = chr_find(p, e, '@');
	if (at == e || at == p)
		return NULL;
	*user = sl_mk(p, (size_t)(at - p));
	for (uint32_t i = 0; i < rc->tailc; i++) {
		const struct route_tail *t = &rc->tail[i];

		if (t->n >= e - at || memcmp(t->t, at, t->n))
			continue;
		p = at + t->n;
		p += path_end(p, e);
		if (*p == '>')
			return p + 1;
	}
	return NULL;
}

bool route_own_text(const struct route_conf *rc, struct sl elem,
		    struct sl *user)
{
	const char *e = elem.p + elem.n;

	return own_end(rc, elem.p, e, user) == e;
}

bool route_own_next(const struct route_conf *rc, struct sl *rest,
		    struct sl *user)
{
	const char *e = rest->p + rest->n, *p;

	if (!rest->n)
		return false;
	p = own_end(rc, rest->p, e, user);
	if (!p)
		return false;
	p = chr_lws(p, e);
	if (p < e && (*p != ',' || p + 1 == e))
		return false;
	if (p < e)
		p = chr_lws(p + 1, e);
	*rest = sl_mk(p, (size_t)(e - p));
	return true;
}

bool route_elem_ours(const struct route_conf *rc, struct sl elem,
		     struct sl *user)
{
	struct uri u;
	bool lr;

	if (route_own_text(rc, elem, user))
		return true;
	if (hop_route_parse(elem, &u, &lr) || !route_is_ours(rc, &u))
		return false;
	*user = u.user;
	return true;
}

static void refuse(struct route *r, uint16_t code, const char *why)
{
	r->to = ROUTE_REFUSE;
	r->code = code;
	r->why = why;
}

uint64_t route_key_of(struct sl uri)
{
	/* not a secret: every edge of a pool has to choose alike */
	static const uint8_t zero[SECRET_KEY];
	char room[SIP_AOR_MAX];
	struct buf b;

	buf_fixed(&b, room, sizeof(room));
	if (!aor_canon(&b, uri))
		uri = buf_as_sl(&b);
	return secret_hash(zero, uri.p, uri.n);
}

uint64_t route_key(const struct sip_msg *m)
{
	struct name_addr na;

	return route_key_of(m->meth == SIP_REGISTER &&
			    !name_addr_parse(&na, m->to) ? na.uri : m->ruri);
}

/** The Route elements of a request */
struct lead {
	unsigned n;          /**< leading ones that name us                   */
	unsigned tokens;     /**< of these, with a user part                  */
	unsigned others;     /**< elements behind them                        */
	struct sl first;     /**< user part of the first one that has one     */
	struct sl last;      /**< the same of the last                        */
};

static void lead_add(struct lead *l, struct sl user)
{
	l->n++;
	if (!sl_isset(user))
		return;
	l->first = l->tokens ? l->first : user;
	l->last = user;
	l->tokens++;
}

/** @return false: not all of them are to the letter what we wrote */
static bool lead_own(struct lead *l, const struct route_conf *rc,
		     const struct sip_msg *m)
{
	const struct sip_hdr *h;
	struct sl rest, user;

	for (h = sip_hdr(m, SIP_ROUTE); h; h = sip_hdr_next(m, h)) {
		rest = sip_val(m, h);
		while (route_own_next(rc, &rest, &user))
			lead_add(l, user);
		if (rest.n)
			return false;
	}
	return true;
}

static void lead_read(struct lead *l, const struct route_conf *rc,
		      const struct sip_msg *m)
{
	struct sip_iter it = { 0 };
	bool leading = true;
	struct sl user;

	memset(l, 0, sizeof(*l));
	if (!m->count[SIP_ROUTE] || lead_own(l, rc, m))
		return;
	memset(l, 0, sizeof(*l));
	while (sip_iter(m, SIP_ROUTE, &it)) {
		leading = leading && route_elem_ours(rc, it.val, &user);
		if (!leading) {
			l->others++;
			continue;
		}
		lead_add(l, user);
	}
}

/** The listener of a token must still be what it was: the settings may have
 *  changed since it was made */
static bool flow_known(const struct route_conf *rc, const struct flow *f)
{
	const struct listener *l = &rc->lst[f->lst];

	return f->lst < rc->lstc && l->tp == f->tp && !l->core &&
	       (!l->bound.af || l->bound.af == f->peer.af);
}

/** A peer's connection is gone with an earlier process: it is made anew. Ports
 *  that it dialled from lead nowhere */
static bool flow_peer(const struct route_conf *rc, struct flow *f)
{
	const struct peer *p = rc->peers && tp_stream(f->tp) ?
		peers_from(rc->peers, &f->peer) : NULL;

	if (!p || p->cf.tp != f->tp)
		return false;
	f->conn = 0;
	f->peer = p->cf.addr;
	return true;
}

/** The way to the client of a token. A stream's newest connection counts: the
 *  older one may be dead without our knowing it. */
static bool flow_now(struct route *r, const struct route_conf *rc,
		     const struct token *t, bool stale)
{
	struct flow f = t->flow;

	if (t->id && rc->known && known_find(rc->known, t->id, &f))
		r->found = stale || f.conn != t->flow.conn;
	else if (stale && !flow_peer(rc, &f))
		return false;
	r->flow = f;
	r->id = t->prev ? 0 : t->id;
	return flow_known(rc, &r->flow);
}

int route_path_flow(const struct route_conf *rc,
		    const struct token_keys *keys, struct sl token,
		    struct flow *f)
{
	enum token_verdict v;
	struct route r;
	struct token t;

	v = token_open(&t, keys, token, TOKEN_PATH, SL_NONE);
	if (v != TOKEN_OK && v != TOKEN_STALE)
		return EACCES;
	if (!flow_now(&r, rc, &t, v == TOKEN_STALE))
		return ESTALE;
	*f = r.flow;
	return 0;
}

static void hops_take(struct route *r, const struct token *t, bool back)
{
	memcpy(r->hops, t->hops, t->hopn);
	r->hopn = t->hopn;
	r->hops_back = back;
}

/** The callee's own token, the first of his requests, knows the nodes on the
 *  way to the caller as well */
static void hops_own(struct route *r, const struct route_conf *rc,
		     const struct lead *l, struct sl callid)
{
	enum token_verdict v;
	struct token t;

	if (r->to != ROUTE_FLOW || r->leg != TOKEN_CALLER || l->tokens < 2)
		return;
	v = token_open(&t, rc->keys, l->first, TOKEN_RR, callid);
	if ((v == TOKEN_OK || v == TOKEN_STALE) && t.leg == TOKEN_CALLEE)
		hops_take(r, &t, false);
}

/** Follow a token. @return true when it decided */
static bool follow(struct route *r, const struct route_conf *rc,
		   struct sl txt, enum token_kind kind, struct sl callid)
{
	enum token_verdict v;
	struct token t;

	v = token_open(&t, rc->keys, txt, kind, callid);
	switch (v) {
	case TOKEN_OK:
	case TOKEN_STALE:
		if (!flow_now(r, rc, &t, v == TOKEN_STALE)) {
			refuse(r, 430, "Flow Failed");
			return true;
		}
		r->to = ROUTE_FLOW;
		r->leg = t.leg;
		hops_take(r, &t, true);
		r->path = kind == TOKEN_PATH;
		return true;
	case TOKEN_MISUSED:
		r->misused = true;
		return false;
	case TOKEN_FORGED:
		r->forged = true;
		return false;
	}
	return false;
}

static void to_pool(struct route *r, const struct sip_msg *m, unsigned others)
{
	r->to = ROUTE_POOL;
	r->foreign = others;
	r->key = route_key(m);
}

static bool options_to_us(const struct route_conf *rc,
			  const struct sip_msg *m)
{
	struct uri u;

	return m->meth == SIP_OPTIONS && !uri_parse(&u, m->ruri) &&
	       !sl_isset(u.user) && route_is_ours(rc, &u);
}

/* With another port it is ours, too: a domain may be our address */
static bool private_host(const struct route_conf *rc, const struct uri *u)
{
	struct addr a = { 0 };

	if (addr_parse_ip(&a, u->host) || !addr_is_private(&a))
		return false;
	for (uint32_t i = 0; i < rc->namec; i++)
		if (sl_ieq(sl_mk(rc->name[i].host, rc->name[i].n), u->host))
			return false;
	return true;
}

/** Without a token of ours, which leads to the private address of a phone that
 *  registered it, such an address is our inside, or a probe for it */
static bool leads_inside(const struct route_conf *rc, const struct sip_msg *m,
			 unsigned others, const struct flow *src)
{
	struct sip_iter it = { 0 };
	struct uri u;
	bool lr, is;

	if (rc->private_targets ||
	    (rc->peers && peers_from(rc->peers, &src->peer)))
		return false;
	is = !uri_parse(&u, m->ruri) && private_host(rc, &u);
	while (!is && others && sip_iter(m, SIP_ROUTE, &it))
		is = !hop_route_parse(it.val, &u, &lr) && private_host(rc, &u);
	return is;
}

void route_client(struct route *r, const struct route_conf *rc,
		  const struct sip_msg *m, const struct flow *src)
{
	bool in_dialog = sl_isset(m->to_tag);
	struct lead l;

	memset(r, 0, offsetof(struct route, hops));
	lead_read(&l, rc, m);
	r->strip = l.n;
	r->alone = !l.others;

	if (in_dialog && l.tokens &&
	    follow(r, rc, l.last, TOKEN_RR, m->callid)) {
		hops_own(r, rc, &l, m->callid);
		/* the only token is the sender's own: the other end of this
		 * dialog is inside */
		if (r->to == ROUTE_FLOW && r->leg == TOKEN_CALLER &&
		    l.tokens == 1 && flow_eq(&r->flow, src))
			to_pool(r, m, l.others);
		return;
	}
	/* who saw a token in one call cannot start another with it */
	if (!in_dialog && l.tokens)
		r->misused = true;
	if (in_dialog && (rc->dialog_token || r->forged || r->misused)) {
		refuse(r, 481, NULL);
		return;
	}
	if (!l.others && options_to_us(rc, m)) {
		r->to = ROUTE_LOCAL;
		return;
	}
	if (leads_inside(rc, m, l.others, src)) {
		refuse(r, 403, "Private Address");
		r->inside = true;
		return;
	}
	to_pool(r, m, l.others);
}

void route_core(struct route *r, const struct route_conf *rc,
		const struct sip_msg *m)
{
	struct sip_iter it = { 0 };
	struct sl user;

	memset(r, 0, offsetof(struct route, hops));
	if (sip_iter(m, SIP_ROUTE, &it) &&
	    route_elem_ours(rc, it.val, &user) && sl_isset(user)) {
		struct lead l;

		r->strip = 1;
		if (follow(r, rc, user, TOKEN_PATH, SL_NONE))
			return;
		/* a B2BUA in the pool, inside its dialog with a client */
		r->misused = false;
		lead_read(&l, rc, m);
		r->strip = l.n;
		r->alone = !l.others;
		if (!r->forged && sl_isset(m->to_tag) &&
		    follow(r, rc, l.last, TOKEN_RR, m->callid))
			return;
	}
	if (!m->count[SIP_ROUTE] && options_to_us(rc, m)) {
		r->to = ROUTE_LOCAL;
		return;
	}
	refuse(r, 403, "No token");
}
