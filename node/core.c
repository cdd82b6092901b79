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
#include "node/core_priv.h"
#include <errno.h>
#include <stdlib.h>

/* --- life ------------------------------------------------------------------ */

static int core_stats(struct core *c, struct stats *st)
{
	const struct txn_stats *ts = txnl_stats(c->txnl);
	const struct stat_row row[] = {
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
		{ STAT_GAUGE, "node_registers_held",
		  "200s waiting for another node to have the change",
		  &c->held_now },
		{ STAT_COUNTER, "node_registers_held_total",
		  "200s that waited", &c->held_total },
		{ STAT_COUNTER, "node_registers_unacked_total",
		  "200s sent though no other node had the change",
		  &c->unacked },
		{ STAT_COUNTER, "node_over_cap_total",
		  "Requests answered 503 because of a cap", &c->over_cap },
		{ STAT_COUNTER, "node_ended_early_total",
		  "Transactions that were over and made room at the cap",
		  &ts->ended_early },
		{ STAT_COUNTER, "node_refused_total",
		  "Requests answered by a check", &c->refused },
		{ STAT_COUNTER, "node_registers_stale_total",
		  "REGISTERs dropped that had waited while we were frozen",
		  &c->stale },
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
	int err = stat_rows(st, row, NULL, c);

	if (c->proxy.blobs)
		err |= stat_add(st, STAT_GAUGE, "node_messages_kept", NULL,
				"Messages of up to 2 KiB in memory: of "
				"transactions and queues",
				blobs_now(c->proxy.blobs), c);
	err |= core_wait_stats(c, st);
	err |= access_stats(&c->access, st);
	err |= registrar_stats(&c->reg, st);
	err |= proxy_stats(&c->proxy, st);
	err |= ping_stats(&c->ping, st);
	err |= gone_stats(&c->gone, st);
	return err;
}

static void wire_up(struct core *c, const struct core_conf *cc)
{
	c->loc.store = cc->store;
	memcpy(c->loc.key, cc->store_key, sizeof(c->loc.key));
	c->access.loc = &c->loc;
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
	c->proxy.ping = &c->ping;
	c->ping.cf = cc->cf;
	c->ping.proxy = &c->proxy;
	c->ping.loc = &c->loc;
	ping_reconf(&c->ping, cc->cf);
	secret_derive(c->ping.keep.key, cc->secret, "keep 1");
	secret_derive(c->ping.ask.key, cc->secret, "ask 1");
	c->gone.loc = &c->loc;
	secret_derive(c->ping.key, cc->secret, "ping 1");
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
	secret_derive(tc.key, cc->secret, "branch 1");
	err = access_init(&c->access, cc->cf, cc->users, &cc->keys,
			  cc->secret);
	if (!err)
		err = core_wait_init(c, cc->secret);
	c->access.subs = c->subs;
	if (!err)
		err = outq_init(&c->out, OUTQ_MAX);
	/* without memory for it malloc() does */
	tc.blobs = c->proxy.blobs = blobs_alloc();
	if (!err)
		err = txnl_alloc(&c->txnl, &tc, &c->out, now);
	if (!err)
		err = ping_init(&c->ping);
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
	stat_del_owner(c->st, &c->ping);
	stat_del_owner(c->st, &c->ping.keep);
	stat_del_owner(c->st, &c->ping.ask);
	stat_del_owner(c->st, &c->gone);
	ping_close(&c->ping);
	core_hold_close(c);
	proxy_close(&c->proxy);
	txnl_free(c->txnl);
	outq_free(&c->out);
	blobs_free(c->proxy.blobs);
	access_close(&c->access);
	core_wait_close(c);
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
	core_wait_reconf(c);
	ping_reconf(&c->ping, cf);
}

void core_rekey(struct core *c, const struct keyset *keys)
{
	access_rekey(&c->access, keys);
}

void core_set_slots(struct core *c, const struct slots *s, bool majority)
{
	c->ping.slots = s;
	c->ping.majority = majority;
}

void core_set_hints(struct core *c, struct hints *h)
{
	c->ping.hints = h;
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
	if (!c->stopping)
		c->reason = reason;
}

void core_stop(struct core *c)
{
	c->stopping = true;
	c->reason = "Stopping";
}

void core_view(const struct core *c, struct core_view *v)
{
	const struct txn_stats *ts = txnl_stats(c->txnl);

	*v = (struct core_view){
		.ready = c->ready && !c->stopping, .reason = c->reason,
		.forks = c->proxy.forks_now,
		.server_now = ts->server_now, .client_now = ts->client_now,
		.accepted = c->reg.accepted, .fetched = c->reg.fetched,
		.repeated = c->reg.repeated, .rejected = c->reg.rejected,
		.dropped_source = c->dropped_source,
		.malformed = c->malformed,
		.held = c->held_now, .unacked = c->unacked,
	};
}

/* --- messages ----------------------------------------------------------------- */

static void dispatch(struct core *c, const struct flow *f, uint64_t now,
		     uint64_t wall)
{
	struct txn_event ev;

	if (!c->msg.req && ping_response(&c->ping, &c->msg, now, wall))
		return;
	txnl_recv(c->txnl, &c->msg, f, now, &ev);
	switch (ev.kind) {
	case TXN_REQUEST:
		core_request(c, f, now, wall);
		break;
	case TXN_ACK:
		proxy_ack(&c->proxy, &c->msg, f, core_own_routes(c));
		break;
	case TXN_CANCEL:
		if (ev.stxn && ev.user && !core_wait_cancel(c, ev.user, now))
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

void core_drain(struct core *c, uint64_t now, uint64_t wall)
{
	struct txn_event ev;

	while (txnl_poll(c->txnl, &ev)) {
		if (ev.kind == TXN_TIMEOUT)
			proxy_timeout(&c->proxy, &ev, now, wall);
		else if (ev.kind == TXN_GONE)
			proxy_gone(&c->proxy, &ev, now);
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
		core_reply(c, f, code, why, SL_NONE);
	if (v != FRAME_MSG)
		outq_close(&c->out, f);
}

bool core_admits(const struct core *c, const struct addr *src)
{
	return access_edge(&c->access, src);
}

void core_awake(struct core *c, uint64_t now)
{
	if (c->awake_at && now > c->awake_at + FROZEN) {
		log_warn("event=frozen ms=%llu text=\"REGISTERs that waited "
			 "meanwhile are dropped\"",
			 (unsigned long long)(now - c->awake_at));
		c->stale_until = now + STALE_FOR;
	}
	c->awake_at = now;
}

/* What lay in our sockets while we were frozen. An old CSeq is no protection:
 * after 32 s a removed binding may begin anew with any (store_put()). */
static bool is_stale(struct core *c, uint64_t now)
{
	if (c->awake_at && now > c->awake_at + FROZEN)
		core_awake(c, now);
	return now < c->stale_until && c->msg.meth == SIP_REGISTER;
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
		if (is_stale(c, now)) {
			c->stale++;
			return;
		}
		note_alias(c, f, now);
	}
	else {
		c->responses++;
	}
	dispatch(c, f, now, wall);
	core_drain(c, now, wall);
}

void core_lost(struct core *c, const struct flow *f, int err, uint64_t now,
	       uint64_t wall)
{
	struct flow to = *f;
	struct alias *al = alias_of(c, f->conn);
	char txt[ADDR_TXT];

	/* over UDP each datagram to an edge that is gone comes back as one */
	if (log_allow(&c->lim_lost, 10, now))
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
	core_drain(c, now, wall);
}

void core_tick(struct core *c, uint64_t now, uint64_t wall)
{
	core_wait_tick(c, now, wall);
	core_hold_tick(c, now);
	ping_tick(&c->ping, now, wall);
	txnl_tick(c->txnl, now);
	core_drain(c, now, wall);
}

uint64_t core_next(const struct core *c)
{
	uint64_t hold = core_hold_next(c), txn = txnl_next(c->txnl);
	uint64_t wait = core_wait_next(c), next = ping_next(&c->ping);

	hold = wait < hold ? wait : hold;
	hold = next < hold ? next : hold;
	return hold < txn ? hold : txn;
}

uint64_t core_open(const struct core *c)
{
	return c->proxy.forks_open + c->held_now + core_waiting(c);
}

bool core_poll(struct core *c, struct sip_out *out)
{
	return outq_poll(&c->out, out);
}

bool core_serves(const struct core *c, struct sl host)
{
	return access_domain(&c->access, host) != NULL;
}

const struct ping *core_ping(const struct core *c)
{
	return &c->ping;
}

const struct location *core_location(const struct core *c)
{
	return &c->loc;
}
