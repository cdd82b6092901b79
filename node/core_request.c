/**
 * @file core_request.c  Pure. Requests: the checks of RFC 3261 16.3, each of which
 * may answer, then registrar or proxy.
 */
#include "node/core_priv.h"
#include "sip/inner.h"
#include <errno.h>

static const char allow[] =
	"Allow: INVITE, ACK, CANCEL, BYE, REGISTER, OPTIONS, PRACK, UPDATE, "
	"INFO, REFER, NOTIFY, SUBSCRIBE, MESSAGE, PUBLISH\r\n";

/* --- answers --------------------------------------------------------------- */

void core_reply(struct core *c, const struct flow *f, uint16_t code,
		const char *why, struct sl extra)
{
	const struct sip_msg *m = &c->msg;
	uint64_t h = secret_hash(c->secret, m->callid.p, m->callid.n);
	char mem[20];
	struct buf *b = &c->proxy.msg, tag;
	struct blob *blob;

	if (m->meth == SIP_ACK)
		return;
	buf_fixed(&tag, mem, sizeof(mem));
	buf_hex(&tag, &h, sizeof(h));
	buf_reset(b);
	reply_write(b, m, &f->peer, code, sl_cstr(why), buf_as_sl(&tag), extra);
	blob = b->err ? NULL : blobs_make(c->proxy.blobs, b->p, b->n);
	if (blob)
		outq_send(&c->out, f, blob);
}

/* One request in hand */
struct ask {
	struct core *c;
	const struct sip_msg *m;
	const struct flow *f;
	struct stxn *s;
	uint64_t came, now, wall;
	enum access_users users;
	struct uri ruri;
	unsigned own_routes;       /* leading Route elements that name us */
	bool hop_known;            /* further Route leads to an edge      */
	enum access_users callee;  /* what has been heard of the callee   */
	struct sl peer;            /* trusted one of the edge it came from */
	struct addr client;        /* as the edge saw it                  */
	bool client_known;
};

static void refuse(struct ask *a, uint16_t code, const char *why,
		   struct sl extra)
{
	struct core *c = a->c;

	c->refused++;
	if (code != 401 && code != 407 && code != 404 && code != 480
	    && log_allow(&c->lim_refused, 10, a->now))
		log_info("event=refused method=%s code=%u why=\"%s\" "
			 "ruri=%s from=%s", log_esc(a->m->method), code, why,
			 log_esc(a->m->ruri), log_esc(a->m->from));
	stxn_reply(a->s, code, sl_cstr(why), extra, a->now);
}

/* --- checks, RFC 3261 16.3 -------------------------------------------------- */

static bool names_us(const struct core *c, const struct uri *u)
{
	struct addr at = { 0 };

	if (uri_addr(u, &at))
		return false;
	if (!at.port)
		at.port = 5060;
	return addr_eq(&at, &c->self);
}

unsigned core_own_routes(const struct core *c)
{
	struct sip_iter it = { 0 };
	unsigned n = 0;
	struct uri u;
	bool lr;

	while (sip_iter(&c->msg, SIP_ROUTE, &it)) {
		if (hop_route_parse(it.val, &u, &lr) || !names_us(c, &u))
			break;
		n++;
	}
	return n;
}

static void look_at_routes(struct ask *a)
{
	struct flow hop;

	a->own_routes = core_own_routes(a->c);
	a->hop_known = !proxy_route_hop(&a->c->proxy, a->m, a->own_routes,
					&hop);
}

/* The Via below the edge's is the client's, completed by the edge. None:
 * the edge itself asks. */
static void look_at_client(struct ask *a)
{
	const struct sip_hdr *h;
	struct via v;

	/* the edge takes it off whatever comes from anybody else */
	h = sip_hdr_name(a->m, SL("Edgewise-From-Peer"));
	if (h)
		a->peer = sip_val(a->m, h);
	if (via_nth(a->m, 1, &v))
		return;
	a->client_known = !addr_parse_ip(&a->client, v.received.n
					 ? v.received : v.host);
}

static bool check_uri(struct ask *a)
{
	struct uri *u = &a->ruri;

	if (uri_parse(u, a->m->ruri)) {
		refuse(a, 400, "Bad Request-URI", SL_NONE);
		return false;
	}
	if (u->scheme != URI_SIP && u->scheme != URI_SIPS) {
		refuse(a, 416, "Unsupported URI Scheme", SL_NONE);
		return false;
	}
	if (sl_isset(u->headers)) {
		refuse(a, 400, "Request-URI With Headers", SL_NONE);
		return false;
	}
	return true;
}

static void put_unsupported(struct buf *b, const struct sip_msg *m,
			    enum sip_hid id)
{
	struct sip_iter it = { 0 };

	while (sip_iter(m, id, &it)) {
		if (b->n)
			buf_lit(b, ", ");
		else
			buf_lit(b, "Unsupported: ");
		hop_put_flat(b, it.val);
	}
}

/* We support no extension that a proxy could be asked for. Require is for
 * whoever answers the request: us, when it is for this node. */
static bool check_require(struct ask *a, bool for_us)
{
	struct buf b;
	bool ok;

	buf_init(&b, 4096);
	put_unsupported(&b, a->m, SIP_PROXY_REQUIRE);
	if (for_us)
		put_unsupported(&b, a->m, SIP_REQUIRE);
	ok = !b.n;
	if (!ok) {
		buf_lit(&b, "\r\n");
		refuse(a, 420, "Bad Extension",
		       b.err ? SL_NONE : buf_as_sl(&b));
	}
	buf_free(&b);
	return ok;
}

static bool check_ready(struct ask *a)
{
	if (a->c->ready && !a->c->stopping)
		return true;
	refuse(a, 503, a->c->reason, SL("Retry-After: 2\r\n"));
	return false;
}

/* --- what is meant for the node itself --------------------------------------- */

/* Of a dialog that a foreign proxy routed through us: the next hop is an edge,
 * which checks its own token */
static bool in_dialog(const struct ask *a)
{
	return sl_isset(a->m->to_tag) && a->hop_known;
}

static bool for_us(const struct ask *a)
{
	const struct core *c = a->c;

	if (a->ruri.user.n || a->m->meth == SIP_REGISTER || in_dialog(a))
		return false;
	return names_us(c, &a->ruri) || access_domain(&c->access, a->ruri.host);
}

/* The edge says which connections have ended. Who is cut off may be wrong about
 * what there is: the edge asks another node */
static void take_gone(struct ask *a)
{
	struct core *c = a->c;

	if (!c->ready || c->stopping || !c->ping.majority) {
		c->gone.refused++;
		stxn_reply(a->s, 503, SL("No Majority"),
			   SL("Retry-After: 2\r\n"), a->now);
		return;
	}
	gone_take(&c->gone, a->m->body, a->wall);
	stxn_reply(a->s, 200, SL_NONE, SL_NONE, a->now);
}

static void answer_us(struct ask *a)
{
	struct core *c = a->c;
	struct buf b;

	if (!check_require(a, true))
		return;
	if (!a->client_known && inner_is(a->m, SL(INNER_GONE))) {
		take_gone(a);
		return;
	}
	if (a->m->meth != SIP_OPTIONS) {
		refuse(a, 405, "Method Not Allowed", SL(
			"Allow: OPTIONS, REGISTER\r\n"));
		return;
	}
	c->pings++;
	buf_init(&b, 4096);
	/* who passed only one hop is the edge itself */
	if (!a->client_known) {
		buf_lit(&b, "Edgewise-Health: ");
		buf_str(&b, c->health);
		buf_lit(&b, "\r\n");
	}
	if (c->ready) {
		buf_put(&b, allow, sizeof(allow) - 1);
		buf_lit(&b, "Accept: application/sdp\r\n"
			"Accept-Encoding: identity\r\nAccept-Language: en\r\n"
			"Supported: path, outbound\r\n");
		stxn_reply(a->s, 200, SL_NONE, buf_as_sl(&b), a->now);
	}
	else {
		buf_lit(&b, "Retry-After: 2\r\n");
		stxn_reply(a->s, 503, sl_cstr(c->reason), buf_as_sl(&b),
			   a->now);
	}
	buf_free(&b);
}

/* --- REGISTER --------------------------------------------------------------- */

static bool register_aor(struct ask *a, struct buf *aor)
{
	struct name_addr na;
	struct uri u;
	int err;

	if (name_addr_parse(&na, a->m->to) || uri_parse(&u, na.uri)
	    || (u.scheme != URI_SIP && u.scheme != URI_SIPS) || !u.user.n) {
		refuse(a, 400, "To Is Not An Address Of Record", SL_NONE);
		return false;
	}
	/* RFC 3261 10.3 step 5: valid for the domain that is asked */
	if (!access_domain(&a->c->access, u.host)
	    || (!a->c->cf->any_domain && !sl_ieq(u.host, a->ruri.host))) {
		refuse(a, 404, "Domain Not Served", SL_NONE);
		return false;
	}
	err = aor_canon(aor, na.uri);
	if (err)
		refuse(a, 400, err == ENOSPC ? "Address Too Long"
		       : "To Is Not An Address Of Record", SL_NONE);
	return !err;
}

static void handle_register(struct ask *a)
{
	struct core *c = a->c;
	char mem[SIP_AOR_MAX], txt[ADDR_TXT];
	struct reg_answer ans;
	struct buf aor, rcv;

	buf_fixed(&aor, mem, sizeof(mem));
	if (!register_aor(a, &aor))
		return;
	buf_fixed(&rcv, txt, sizeof(txt));
	if (a->client_known)
		addr_put_ip(&rcv, &a->client);
	registrar_handle(&c->reg, a->m, buf_as_sl(&aor), buf_as_sl(&rcv),
			 a->wall, &ans);
	log_debug("event=register aor=%s code=%u changed=%d",
		  log_esc(buf_as_sl(&aor)), ans.code, ans.changed);
	if (ans.code == 200 && ans.changed
	    && core_hold(c, a->s, buf_as_sl(&aor), &ans.extra, a->came,
			 a->now))
		return;
	if (ans.code == 200)
		stxn_reply(a->s, 200, SL_NONE, buf_as_sl(&ans.extra), a->now);
	else
		refuse(a, ans.code, ans.why, buf_as_sl(&ans.extra));
	buf_free(&ans.extra);
}

/* --- everything else ---------------------------------------------------------- */

/* Whoever would be charged for it is known */
static bool may_leave(const struct ask *a, struct sl realm)
{
	return realm.n || a->peer.n
		|| (a->client_known
		    && access_peer(&a->c->access, &a->client));
}

static const struct node_route *find_route(const struct ask *a)
{
	return routes_find(a->c->cf, &a->ruri,
			   access_domain(&a->c->access, a->ruri.host) != NULL,
			   a->peer);
}

/* Is the callee a user of ours? One who is not registered is not to be looked
 * for outside. While the database is away calls go out all the same.
 * @return false: it waits for the answer */
static bool look_at_callee(struct ask *a, struct proxy_job *j)
{
	struct core *c = a->c;
	struct subs_view u;

	if (!c->subs) {
		j->known = users_find(c->access.users, j->aor) != NULL;
		return true;
	}
	subs_view(c->subs, j->aor, a->now, &u);
	j->known = u.user != NULL;
	return j->known || !j->route || u.no || a->callee != ACCESS_ASK
		|| location_any(&c->loc, j->aor, a->wall)
		|| !core_wait(c, a->s, j->aor, true, a->now);
}

static void pass_on(struct ask *a, struct sl realm)
{
	struct proxy_job j = { .s = a->s, .m = a->m, .realm = realm,
			       .own_routes = a->own_routes, .ruri = &a->ruri };
	char mem[SIP_AOR_MAX];
	struct buf aor;

	buf_fixed(&aor, mem, sizeof(mem));
	if (aor_canon(&aor, a->m->ruri)) {
		refuse(a, 414, "Request-URI Too Long", SL_NONE);
		return;
	}
	j.aor = buf_as_sl(&aor);
	j.route = may_leave(a, realm) ? find_route(a) : NULL;
	if (look_at_callee(a, &j))
		proxy_start(&a->c->proxy, &j, a->now, a->wall);
}

static void relay(struct ask *a)
{
	struct proxy_job j = { .s = a->s, .m = a->m, .relay = true,
			       .own_routes = a->own_routes };

	proxy_start(&a->c->proxy, &j, a->now, a->wall);
}

static bool may(struct ask *a, struct sl *realm)
{
	struct access_ask q = {
		.users = a->users, .m = a->m,
		.client = a->client_known ? &a->client : NULL,
		.now = a->now, .wall = a->wall,
	};
	struct access_verdict v;
	struct buf extra;

	/* a peer speaks for its callers, not for users of ours */
	*realm = SL_NONE;
	if (a->peer.n && a->m->meth != SIP_REGISTER)
		return true;
	buf_init(&extra, 4096);
	access_check(&a->c->access, &q, &extra, &v);
	if (sl_isset(v.need)) {
		if (core_wait(a->c, a->s, v.need, false, a->now))
			return false;
		q.users = ACCESS_AWAY;
		access_check(&a->c->access, &q, &extra, &v);
	}
	if (v.code)
		refuse(a, v.code, v.why, extra.err ? SL_NONE
		       : buf_as_sl(&extra));
	buf_free(&extra);
	*realm = v.realm;
	return !v.code;
}

static void handle_request(struct ask *a)
{
	struct sl realm;

	if (!check_uri(a))
		return;
	look_at_routes(a);
	look_at_client(a);
	if (for_us(a)) {
		answer_us(a);
		return;
	}
	if (!in_dialog(a) && !check_ready(a))
		return;
	if (a->m->meth != SIP_REGISTER && a->m->maxfwd == 0) {
		refuse(a, 483, "Too Many Hops", SL_NONE);
		return;
	}
	if (!check_require(a, false))
		return;
	if (in_dialog(a)) {
		relay(a);
		return;
	}
	if (!access_domain(&a->c->access, a->ruri.host)
	    && (a->m->meth == SIP_REGISTER || !find_route(a))) {
		refuse(a, 404, "Domain Not Served", SL_NONE);
		return;
	}
	if (!may(a, &realm))
		return;
	if (a->m->meth == SIP_REGISTER)
		handle_register(a);
	else
		pass_on(a, realm);
}

void core_request(struct core *c, const struct flow *f, uint64_t now,
		  uint64_t wall)
{
	struct ask a = { .c = c, .m = &c->msg, .f = f, .came = now,
			 .now = now, .wall = wall };

	if (a.m->raw.n > c->cf->limits.max_message) {
		core_reply(c, f, 513, "Message Too Large", SL_NONE);
		return;
	}
	if (stxn_alloc(&a.s, c->txnl, a.m, f, NULL, now)) {
		c->over_cap++;
		core_reply(c, f, 503, "Overload",
			   SL("Retry-After: 5\r\n"));
		return;
	}
	/* what the edge watches for: before any work */
	if (a.m->meth == SIP_INVITE)
		stxn_trying(a.s, now);
	handle_request(&a);
}

void core_again(struct core *c, struct stxn *s, enum access_users users,
		enum access_users callee, uint64_t came, uint64_t now, uint64_t wall)
{
	const struct blob *b = stxn_request(s);
	const struct flow f = *stxn_flow(s);
	struct ask a = { .c = c, .m = &c->msg, .f = &f, .s = s, .came = came,
			 .now = now, .wall = wall, .users = users,
			 .callee = callee };
	struct sip_fault fault;

	/* it was scanned before: fails only if that was wrong */
	if (sip_scan(&c->msg, b->p, b->n, true, &fault)) {
		stxn_reply(s, 500, SL_NONE, SL_NONE, now);
		return;
	}
	handle_request(&a);
}
