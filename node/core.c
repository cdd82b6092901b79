/**
 * @file core.c  Pure. What a node does with each message.
 *
 *   bytes -> access_edge() -> sip_scan() -> txnl_recv()
 *     response  -> proxy
 *     ACK       -> proxy_ack()
 *     CANCEL    -> proxy_cancel()
 *     request   -> 100 to INVITE, then checks, each of which may answer:
 *                  scheme, extensions, us, hops, domain, who asks
 *                  -> registrar_handle() or proxy_start()
 */
#include "node/core.h"
#include "base/log.h"
#include "base/secret.h"
#include "node/access.h"
#include "node/proxy.h"
#include "node/registrar.h"
#include "sip/hop.h"
#include "sip/txn.h"
#include <errno.h>
#include <stdlib.h>

enum { ALIASES = 1024, OUTQ_MAX = 1 << 18 };

/* A stream connection whose peer may be reached at `at`, RFC 5923 */
struct alias {
	uint32_t conn;
	struct addr at;
	uint64_t since;         /* [ms] */
};

struct core {
	const struct node_config *cf;
	struct txnl *txnl;
	struct outq out;
	struct access access;
	struct location loc;
	struct registrar reg;
	struct proxy proxy;
	struct stats *st;
	struct addr self;
	char sentby[ADDR_TXT];
	uint8_t secret[SECRET_KEY];
	bool ready;
	const char *reason;
	char health[256];
	struct alias alias[ALIASES];      /* by conn modulo ALIASES           */
	struct sip_msg msg;               /* the message in hand              */
	struct log_limit lim_source, lim_bad, lim_refused;
	uint64_t requests, responses, dropped_source, malformed, strays;
	uint64_t over_cap, refused, pings;
};

static const char allow[] =
	"Allow: INVITE, ACK, CANCEL, BYE, REGISTER, OPTIONS, PRACK, UPDATE, "
	"INFO, REFER, NOTIFY, SUBSCRIBE, MESSAGE, PUBLISH\r\n";

/* --- life ------------------------------------------------------------------ */

static int core_stats(struct core *c, struct stats *st)
{
	const struct txn_stats *ts = txnl_stats(c->txnl);
	const struct {
		enum stat_type type;
		const char *name, *help;
		const uint64_t *v;
	} row[] = {
		{ STAT_COUNTER, "node_requests_total",
		  "SIP requests received", &c->requests },
		{ STAT_COUNTER, "node_responses_total",
		  "SIP responses received", &c->responses },
		{ STAT_COUNTER, "node_dropped_source_total",
		  "Messages from addresses that are no edge",
		  &c->dropped_source },
		{ STAT_COUNTER, "node_malformed_total",
		  "Messages that could not be used", &c->malformed },
		{ STAT_COUNTER, "node_strays_total",
		  "Responses that belong to nothing", &c->strays },
		{ STAT_COUNTER, "node_over_cap_total",
		  "Requests answered 503 because of a cap", &c->over_cap },
		{ STAT_COUNTER, "node_refused_total",
		  "Requests answered by a check", &c->refused },
		{ STAT_COUNTER, "node_pings_total",
		  "OPTIONS to this node", &c->pings },
		{ STAT_COUNTER, "node_outq_dropped_total",
		  "Messages dropped because the queue was full",
		  &c->out.dropped },
		{ STAT_GAUGE, "node_server_transactions",
		  "Server transactions", &ts->server_now },
		{ STAT_GAUGE, "node_client_transactions",
		  "Client transactions", &ts->client_now },
		{ STAT_COUNTER, "node_retransmits_in_total",
		  "Retransmissions received", &ts->retrans_in },
		{ STAT_COUNTER, "node_retransmits_out_total",
		  "Retransmissions sent", &ts->retrans_out },
		{ STAT_COUNTER, "node_forged_branches_total",
		  "Responses with a branch we never made", &ts->forged },
		{ STAT_COUNTER, "node_timeouts_total",
		  "Transaction timers that ran out", &ts->timeouts },
	};
	int err = 0;

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		err |= stat_add(st, row[i].type, row[i].name, NULL,
				row[i].help, row[i].v, c);
	err |= access_stats(&c->access, st);
	err |= registrar_stats(&c->reg, st);
	err |= proxy_stats(&c->proxy, st);
	return err;
}

static void wire_up(struct core *c, const struct core_conf *cc)
{
	c->loc.store = cc->store;
	memcpy(c->loc.key, cc->store_key, sizeof(c->loc.key));
	c->reg.cf = cc->cf;
	c->reg.loc = &c->loc;
	c->proxy.cf = cc->cf;
	c->proxy.access = &c->access;
	c->proxy.loc = &c->loc;
	c->proxy.txnl = c->txnl;
	c->proxy.out = &c->out;
	c->proxy.lst_udp = cc->lst_udp;
	c->proxy.lst_tcp = cc->lst_tcp;
	c->proxy.sentby = c->sentby;
	secret_derive(c->proxy.key, cc->secret, "stateless branch 1");
	proxy_init(&c->proxy);
}

int core_alloc(struct core **cp, const struct core_conf *cc,
	       struct stats *st, uint64_t now)
{
	struct txn_conf tc = {
		.t1 = cc->cf->timers.t1, .t2 = cc->cf->timers.t2,
		.t4 = cc->cf->timers.t4,
		.max_server = cc->cf->limits.max_transactions,
		.max_client = cc->cf->limits.max_transactions,
	};
	struct core *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return ENOMEM;
	c->cf = cc->cf;
	c->st = st;
	c->self = cc->self;
	c->reason = "Starting";
	(void)addr_txt(&c->self, c->sentby);
	memcpy(c->secret, cc->secret, sizeof(c->secret));
	access_init(&c->access, cc->cf, cc->users, cc->cluster_key);
	secret_derive(tc.key, cc->secret, "branch 1");
	err = outq_init(&c->out, OUTQ_MAX);
	if (!err)
		err = txnl_alloc(&c->txnl, &tc, &c->out, now);
	if (!err) {
		wire_up(c, cc);
		err = core_stats(c, st);
	}
	if (err)
		core_free(c);
	else
		*cp = c;
	return err;
}

void core_free(struct core *c)
{
	if (!c)
		return;
	stat_del_owner(c->st, c);
	stat_del_owner(c->st, &c->access);
	stat_del_owner(c->st, &c->reg);
	stat_del_owner(c->st, &c->proxy);
	proxy_close(&c->proxy);
	txnl_free(c->txnl);
	outq_free(&c->out);
	free(c);
}

void core_reconf(struct core *c, const struct node_config *cf,
		 const struct users *users)
{
	c->cf = cf;
	c->access.cf = cf;
	c->access.users = users;
	c->reg.cf = cf;
	c->proxy.cf = cf;
}

void core_set_health(struct core *c, bool ready, const char *reason,
		     const char *text)
{
	size_t n = strlen(text);

	if (n >= sizeof(c->health))
		n = sizeof(c->health) - 1;
	memcpy(c->health, text, n);
	c->health[n] = 0;
	c->ready = ready;
	c->reason = reason;
}

void core_view(const struct core *c, struct core_view *v)
{
	const struct txn_stats *ts = txnl_stats(c->txnl);

	*v = (struct core_view){
		.ready = c->ready, .reason = c->reason,
		.forks = c->proxy.forks_now,
		.server_now = ts->server_now, .client_now = ts->client_now,
		.accepted = c->reg.accepted, .fetched = c->reg.fetched,
		.repeated = c->reg.repeated, .rejected = c->reg.rejected,
		.dropped_source = c->dropped_source,
		.malformed = c->malformed,
	};
}

/* --- answers --------------------------------------------------------------- */

/* Without a transaction: for what cannot or need not have one */
static void reply_stateless(struct core *c, const struct flow *f,
			    const struct sip_msg *m, uint16_t code,
			    const char *why, struct sl extra)
{
	uint64_t h = secret_hash(c->secret, m->callid.p, m->callid.n);
	char mem[20];
	struct buf b, tag;
	struct blob *blob;

	if (m->meth == SIP_ACK)
		return;
	buf_fixed(&tag, mem, sizeof(mem));
	buf_hex(&tag, &h, sizeof(h));
	buf_init(&b, SIP_MAX_MSG);
	reply_write(&b, m, &f->peer, code, sl_cstr(why), buf_as_sl(&tag),
		    extra);
	blob = b.err ? NULL : blob_make(b.p, b.n);
	buf_free(&b);
	if (blob)
		outq_send(&c->out, f, blob);
}

/* One request in hand */
struct ask {
	struct core *c;
	const struct sip_msg *m;
	const struct flow *f;
	struct stxn *s;
	uint64_t now, wall;
	struct uri ruri;
	unsigned own_routes;       /* leading Route elements that name us */
	bool hop_known;            /* further Route leads to an edge      */
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

static void look_at_routes(struct ask *a)
{
	struct sip_iter it = { 0 };
	struct uri u;
	struct flow hop;
	bool lr;

	while (sip_iter(a->m, SIP_ROUTE, &it)) {
		if (hop_route_parse(it.val, &u, &lr)
		    || !names_us(a->c, &u))
			break;
		a->own_routes++;
	}
	a->hop_known = !proxy_route_hop(&a->c->proxy, a->m, a->own_routes,
					&hop);
}

/* The Via below the edge's is the client's, completed by the edge. None:
 * the edge itself asks. */
static void look_at_client(struct ask *a)
{
	struct via v;

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
	if (a->c->ready)
		return true;
	refuse(a, 503, a->c->reason, SL("Retry-After: 2\r\n"));
	return false;
}

/* --- what is meant for the node itself --------------------------------------- */

static bool for_us(const struct ask *a)
{
	const struct core *c = a->c;

	if (a->ruri.user.n || a->m->meth == SIP_REGISTER)
		return false;
	return names_us(c, &a->ruri) || access_domain(&c->access, a->ruri.host);
}

static void answer_us(struct ask *a)
{
	struct core *c = a->c;
	struct buf b;

	if (!check_require(a, true))
		return;
	if (a->m->meth != SIP_OPTIONS) {
		refuse(a, 405, "Method Not Allowed", SL(
			"Allow: OPTIONS, REGISTER\r\n"));
		return;
	}
	c->pings++;
	buf_init(&b, 2048);
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
	if (!access_domain(&a->c->access, u.host)
	    || !access_domain(&a->c->access, a->ruri.host)) {
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
	if (ans.code == 200)
		stxn_reply(a->s, 200, SL_NONE, buf_as_sl(&ans.extra), a->now);
	else
		refuse(a, ans.code, ans.why, buf_as_sl(&ans.extra));
	buf_free(&ans.extra);
}

/* --- everything else ---------------------------------------------------------- */

static void pass_on(struct ask *a, const struct sip_hdr *own)
{
	struct proxy_job j = { .s = a->s, .m = a->m, .own = own,
			       .own_routes = a->own_routes };
	char mem[SIP_AOR_MAX];
	struct buf aor;

	buf_fixed(&aor, mem, sizeof(mem));
	if (aor_canon(&aor, a->m->ruri)) {
		refuse(a, 414, "Request-URI Too Long", SL_NONE);
		return;
	}
	j.aor = buf_as_sl(&aor);
	proxy_start(&a->c->proxy, &j, a->now, a->wall);
}

static void relay(struct ask *a)
{
	struct proxy_job j = { .s = a->s, .m = a->m, .relay = true,
			       .own_routes = a->own_routes };

	proxy_start(&a->c->proxy, &j, a->now, a->wall);
}

static bool may(struct ask *a, const struct sip_hdr **own)
{
	struct access_verdict v;
	struct buf extra;

	buf_init(&extra, 4096);
	access_check(&a->c->access, a->m, a->client_known ? &a->client : NULL,
		     a->wall, &extra, &v);
	if (v.code)
		refuse(a, v.code, v.why, extra.err ? SL_NONE
		       : buf_as_sl(&extra));
	buf_free(&extra);
	*own = v.own;
	return !v.code;
}

static void handle_request(struct ask *a)
{
	const struct sip_hdr *own;

	if (!check_uri(a))
		return;
	look_at_routes(a);
	look_at_client(a);
	if (for_us(a)) {
		answer_us(a);
		return;
	}
	if (!check_ready(a))
		return;
	if (a->m->meth != SIP_REGISTER && a->m->maxfwd == 0) {
		refuse(a, 483, "Too Many Hops", SL_NONE);
		return;
	}
	if (!check_require(a, false))
		return;
	/* a dialog that a foreign proxy routed through us */
	if (sl_isset(a->m->to_tag) && a->hop_known) {
		relay(a);
		return;
	}
	if (!access_domain(&a->c->access, a->ruri.host)) {
		refuse(a, 404, "Domain Not Served", SL_NONE);
		return;
	}
	if (!may(a, &own))
		return;
	if (a->m->meth == SIP_REGISTER)
		handle_register(a);
	else
		pass_on(a, own);
}

/* --- messages ----------------------------------------------------------------- */

static void recv_request(struct core *c, const struct flow *f, uint64_t now,
			 uint64_t wall)
{
	struct ask a = { .c = c, .m = &c->msg, .f = f, .now = now,
			 .wall = wall };

	if (stxn_alloc(&a.s, c->txnl, a.m, f, NULL, now)) {
		c->over_cap++;
		reply_stateless(c, f, a.m, 503, "Overload",
				SL("Retry-After: 5\r\n"));
		return;
	}
	/* what the edge watches for: before any work */
	if (a.m->meth == SIP_INVITE)
		stxn_trying(a.s, now);
	handle_request(&a);
}

static void recv_ack(struct core *c, const struct flow *f)
{
	struct ask a = { .c = c, .m = &c->msg, .f = f };

	look_at_routes(&a);
	proxy_ack(&c->proxy, a.m, f, a.own_routes);
}

static void dispatch(struct core *c, const struct flow *f, uint64_t now,
		     uint64_t wall)
{
	struct txn_event ev;

	txnl_recv(c->txnl, &c->msg, f, now, &ev);
	switch (ev.kind) {
	case TXN_REQUEST:
		recv_request(c, f, now, wall);
		break;
	case TXN_ACK:
		recv_ack(c, f);
		break;
	case TXN_CANCEL:
		if (ev.stxn && ev.user)
			proxy_cancel(&c->proxy, ev.user, &c->msg, now);
		break;
	case TXN_RESPONSE:
	case TXN_LATE:
		proxy_response(&c->proxy, &ev, &c->msg, now, wall);
		break;
	case TXN_STRAY:
		c->strays++;
		break;
	case TXN_NONE:
	case TXN_TIMEOUT:
	case TXN_NOACK:
	case TXN_GONE:
		break;
	}
}

static void drain(struct core *c, uint64_t now, uint64_t wall)
{
	struct txn_event ev;

	while (txnl_poll(c->txnl, &ev)) {
		if (ev.kind == TXN_TIMEOUT)
			proxy_timeout(&c->proxy, &ev, now, wall);
		else if (ev.kind == TXN_GONE)
			proxy_gone(&c->proxy, &ev);
	}
}

static struct alias *alias_of(struct core *c, uint32_t conn)
{
	return &c->alias[conn % ALIASES];
}

/* RFC 5923, in the form both of ours agree on: a sent-by with ;alias may be
 * reached over this connection when it is the connection's own address. */
static void note_alias(struct core *c, const struct flow *f, uint64_t now)
{
	struct alias *al = alias_of(c, f->conn);
	struct addr at = { 0 };
	struct via v;

	if (!f->conn || al->conn == f->conn || via_top(&c->msg, &v)
	    || !v.alias || addr_parse_ip(&at, v.host)
	    || !addr_ip_eq(&at, &f->peer))
		return;
	at.port = v.port ? v.port : 5060;
	*al = (struct alias){ f->conn, at, now };
	outq_alias(&c->out, f, &at);
}

static void refuse_bad(struct core *c, const struct flow *f,
		       const struct sip_fault *fault, enum frame_verdict v,
		       const char *why, uint64_t now)
{
	uint16_t code = fault->code ? fault->code : 400;
	char txt[ADDR_TXT];

	c->malformed++;
	if (v == FRAME_BIG)
		code = 513;
	if (v != FRAME_MSG && why)
		code = v == FRAME_BIG ? 513 : 400;
	else
		why = fault->why ? fault->why : "Bad Request";
	if (log_allow(&c->lim_bad, 10, now))
		log_info("event=malformed peer=%s code=%u why=\"%s\"",
			 addr_txt(&f->peer, txt), code, why);
	/* responses are never answered, RFC 3261 18 */
	if (fault->answerable && c->msg.req)
		reply_stateless(c, f, &c->msg, code, why, SL_NONE);
	if (v != FRAME_MSG)
		outq_close(&c->out, f);
}

void core_recv(struct core *c, const struct flow *f, struct sl msg,
	       enum frame_verdict v, const char *why, uint64_t now,
	       uint64_t wall)
{
	struct sip_fault fault = { 0 };
	char txt[ADDR_TXT];
	int err;

	if (!access_edge(&c->access, &f->peer)) {
		c->dropped_source++;
		if (log_allow(&c->lim_source, 1, now))
			log_warn("event=not_an_edge peer=%s",
				 addr_txt(&f->peer, txt));
		if (f->conn)
			outq_close(&c->out, f);
		return;
	}
	err = sip_scan(&c->msg, msg.p, msg.n,
		       !tp_stream(f->tp) || v != FRAME_MSG, &fault);
	if (err == ENODATA && v == FRAME_MSG)
		return;
	if (v != FRAME_MSG && !err)
		fault.answerable = true;
	if (err || v != FRAME_MSG) {
		refuse_bad(c, f, &fault, v, why, now);
		return;
	}
	if (c->msg.req) {
		c->requests++;
		note_alias(c, f, now);
	}
	else {
		c->responses++;
	}
	dispatch(c, f, now, wall);
	drain(c, now, wall);
}

void core_lost(struct core *c, const struct flow *f, int err, uint64_t now,
	       uint64_t wall)
{
	struct flow to = *f;
	struct alias *al = alias_of(c, f->conn);
	char txt[ADDR_TXT];

	log_info("event=lost tp=%s peer=%s err=%d", tp_name(f->tp),
		 addr_txt(&f->peer, txt), err);
	to.conn = 0;
	proxy_lost(&c->proxy, &to, now, now, wall);
	if (f->conn && al->conn == f->conn) {
		uint64_t until = now;

		to.peer = al->at;
		/* what went over a newer connection to the same edge lives on */
		for (unsigned i = 0; i < ALIASES; i++) {
			struct alias *o = &c->alias[i];

			if (o != al && o->conn && addr_eq(&o->at, &al->at)
			    && o->since > al->since && o->since <= until)
				until = o->since ? o->since - 1 : 0;
		}
		*al = (struct alias){ 0 };
		proxy_lost(&c->proxy, &to, until, now, wall);
	}
	drain(c, now, wall);
}

void core_tick(struct core *c, uint64_t now, uint64_t wall)
{
	txnl_tick(c->txnl, now);
	drain(c, now, wall);
}

uint64_t core_next(const struct core *c)
{
	return txnl_next(c->txnl);
}

bool core_poll(struct core *c, struct sip_out *out)
{
	return outq_poll(&c->out, out);
}
