/* ping.c - Pure. Which contact is asked when, and what its answer means. */
#include "node/ping.h"
#include "base/log.h"
#include "base/secret.h"
#include "node/ping_i.h"
#include "node/proxy_i.h"
#include "sip/hop.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define COOKIE SIP_COOKIE "pg"

enum { SLEW = 100,              /* the clock is followed by 1 % at most      */
       MSG_MAX = 8192,
       LATE = 100,              /* behind our time [ms]                  */
       DRIFT = 10 };            /* intervals: a larger step is taken at once */

int ping_init(struct ping *p)
{
	p->tab = calloc(PING_PLACES, sizeof(*p->tab));
	p->last = &p->first;
	keep_init(&p->keep);
	keep_init(&p->ask);
	p->ask.asks = true;
	return p->tab ? 0 : ENOMEM;
}

void ping_close(struct ping *p)
{
	keep_close(&p->keep);
	keep_close(&p->ask);
	for (uint32_t k = 0; p->tab && k < PING_PLACES; k++)
		while (p->tab[k])
			ping_drop(p, p->tab[k]);
	free(p->tab);
	p->tab = NULL;
	free(p->seen);
	p->seen = NULL;
	p->seen_n = 0;
}

int ping_stats(struct ping *p, struct stats *st)
{
	const struct stat_row row[] = {
		{ STAT_COUNTER, "node_ping_sent_total",
		  "Contacts asked whether they are there", &p->sent },
		{ STAT_COUNTER, "node_ping_made_up_total",
		  "Contacts asked for a node that died before it could",
		  &p->made_up },
		{ STAT_COUNTER, "node_ping_answered_total",
		  "Answers of contacts", &p->answered },
		{ STAT_COUNTER, "node_ping_wait_total",
		  "Time these answers took, all together [ms]",
		  &p->latency_ms },
		{ STAT_GAUGE, "node_ping_wait_longest",
		  "Longest of these times [ms]", &p->latency_max },
		{ STAT_COUNTER, "node_ping_slow_total",
		  "Answers later than ping.slow", &p->slow },
		{ STAT_COUNTER, "node_ping_refused_total",
		  "Answers of ping.dead_codes", &p->refused },
		{ STAT_COUNTER, "node_ping_lost_total",
		  "Questions nobody answered in time", &p->lost },
		{ STAT_COUNTER, "node_ping_no_hop_total",
		  "Contacts whose Path leads to no edge of ours",
		  &p->no_hop },
		{ STAT_COUNTER, "node_ping_full_total",
		  "Contacts not asked: too many questions open", &p->full },
		{ STAT_COUNTER, "node_ping_removed_total",
		  "Contacts removed because they did not answer",
		  &p->removed },
		{ STAT_COUNTER, "node_ping_refreshed_total",
		  "Contacts that were refreshed when they were to be removed",
		  &p->refreshed },
		{ STAT_COUNTER, "node_ping_kept_total",
		  "Failures that removed nothing: no majority, or nobody "
		  "behind the edge answers", &p->kept },
		{ STAT_GAUGE, "node_ping_contacts",
		  "Contacts that are ours to ask, in the last round",
		  &p->share },
		{ STAT_GAUGE_US, "node_ping_p50_seconds",
		  "Half of the last round's answers took at most so long",
		  &p->p50_us },
		{ STAT_GAUGE_US, "node_ping_p95_seconds",
		  "95 % of the last round's answers took at most so long",
		  &p->p95_us },
		{ STAT_COUNTER, "node_ping_told_total",
		  "Contacts not called because another node says that they "
		  "do not answer", &p->told },
		{ STAT_GAUGE, "node_ping_open",
		  "Questions not answered yet", &p->open_now },
		{ STAT_GAUGE, "node_ping_quarantined",
		  "Contacts called last because they do not answer",
		  &p->quarantined_now },
	};
	int err = stat_rows(st, row, NULL, p);

	err |= stat_add(st, STAT_HIST, "node_ping_answer_seconds", NULL,
			"Time that answers took", &p->waits, p);
	return err | keep_stats(&p->keep, st) | keep_stats(&p->ask, st);
}

void ping_reconf(struct ping *p, const struct node_config *cf)
{
	if (cf->ping.interval != p->cf->ping.interval)
		p->ticked = 0;       /* a round begins where it is now */
	p->cf = cf;
	ping_edge_conf(p);
	ping_path_forget(p);
	ping_recount(p);
}

/* --- whom ------------------------------------------------------------------- */

const struct uri *ping_contact(struct ping_who *w)
{
	if (!w->uri_seen)
		w->uri_ok = !uri_parse(&w->uri, w->b.uri);
	w->uri_seen = true;
	return w->uri_ok ? &w->uri : NULL;
}

/* The host of the Contact, or of the Via it registered with, is not where the
 * edge saw it */
static bool behind_nat(struct ping_who *w)
{
	struct addr says = { 0 }, is = { 0 };
	const struct uri *u;

	if (w->b.nat)
		return true;
	if (!w->b.received.n || addr_parse_ip(&is, w->b.received))
		return false;
	u = ping_contact(w);
	return !u || addr_parse_ip(&says, u->host) || !addr_ip_eq(&says, &is);
}

bool ping_named(const struct ping *p, struct ping_who *w)
{
	/* it keeps its flow alive itself, RFC 5626 4.4 */
	if (!p->cf->ping.outbound && binding_outbound(&w->b))
		return false;
	switch ((enum node_ping)p->cf->ping.contacts) {
	case NODE_PING_OFF:
		return false;
	case NODE_PING_NAT:
		return behind_nat(w);
	case NODE_PING_ALL:
		break;
	}
	return true;
}

/* The edge says what the flow is. An older one says nothing, nor does another
 * proxy: then what the Contact says */
static bool by_stream(struct ping_who *w)
{
	const struct uri *u;
	struct sl val;

	if (w->edge_ok && param_get(w->params, SL("flow"), &val))
		return !sl_ieq(val, SL("udp"));
	u = ping_contact(w);
	return u && (u->scheme == URI_SIPS || uri_transport(u) >= TP_TCP);
}

static enum node_how how(const struct ping *p, struct sl aor,
			 struct ping_who *w)
{
	size_t at = sl_chr(aor, '@');
	const struct node_domain *d = access_domain(p->proxy->access,
					sl_sub(aor, at + 1, aor.n));

	switch (d ? (enum node_domain_ping)d->ping : NODE_DOMAIN_DEFAULT) {
	case NODE_DOMAIN_OPTIONS:
		return NODE_HOW_OPTIONS;
	case NODE_DOMAIN_KEEP:
		return p->cf->ping.udp == NODE_HOW_STUN && !by_stream(w) ?
			NODE_HOW_STUN : NODE_HOW_KEEP;
	case NODE_DOMAIN_NONE:
		return NODE_HOW_NONE;
	case NODE_DOMAIN_DEFAULT:
		break;
	}
	if (p->cf->ping.stream == p->cf->ping.udp)
		return p->cf->ping.udp;      /* the usual; nothing to read */
	return by_stream(w) ? p->cf->ping.stream : p->cf->ping.udp;
}

/* --- the question ------------------------------------------------------------- */

static void write_it(const struct ping *p, const struct ping_item *i,
		     const struct binding *b, uint8_t tp, struct buf *m)
{
	char branch[64];
	int n = snprintf(branch, sizeof(branch), COOKIE "%016llx%08x",
			 (unsigned long long)i->hash, i->seq);

	buf_str(m, p->cf->ping.method);
	buf_chr(m, ' ');
	buf_sl(m, b->uri);
	buf_lit(m, " SIP/2.0\r\n");
	hop_via_put(m, tp, p->proxy->sentby, sl_mk(branch, (size_t)n),
		    tp_stream(tp));
	if (b->path.n) {
		buf_lit(m, "Route: ");
		buf_sl(m, b->path);
		buf_lit(m, "\r\n");
	}
	buf_printf(m, "Max-Forwards: 70\r\nFrom: <%s>;tag=%08x\r\nTo: <",
		   p->cf->ping.from, i->seq);
	buf_sl(m, b->uri);
	/* inner_is_ping() knows it by that */
	buf_printf(m, ">\r\nCall-ID: %016llx-%08x\r\nCSeq: 1 %s\r\n"
		   "Content-Length: 0\r\n\r\n", (unsigned long long)i->hash,
		   i->seq, p->cf->ping.method);
}

void ping_send(struct ping *p, struct ping_item *i, const struct binding *b,
	       const struct flow *hop, uint64_t now)
{
	struct blob *msg = NULL;
	struct buf m;

	i->seq = ++p->seq;
	i->edge = ping_edge_of(p, &hop->peer);
	buf_init(&m, MSG_MAX);
	write_it(p, i, b, hop->tp, &m);
	if (!m.err)
		msg = blob_make(m.p, m.n);
	buf_free(&m);
	ping_open(p, i, now);
	if (!msg)
		return;
	p->sent++;
	outq_send(p->proxy->out, hop, msg);
}

static void ask(struct ping *p, struct sl aor, const struct store_contact *c,
		uint64_t now)
{
	uint64_t hash = ping_hash(p, aor, c->key);
	struct ping_item *i = ping_find(p, hash);
	enum node_how kind;
	struct ping_who w;

	w.uri_seen = false;
	if (binding_decode(&w.b, c->value) || !ping_named(p, &w))
		return;
	ping_path(p, &w);
	kind = how(p, aor, &w);
	if (kind == NODE_HOW_NONE)
		return;
	p->asked++;
	if (!w.hop_ok) {
		p->no_hop++;
		return;
	}
	if (i && stamp_cmp(i->vstamp, c->vstamp)) {
		ping_drop(p, i);     /* it registered: it was there */
		i = NULL;
	}
	if (kind != NODE_HOW_OPTIONS) {
		ping_edge_keep(p, aor, c, &w, hash, kind == NODE_HOW_STUN,
			       now);
		return;
	}
	if (i && i->open)
		return;              /* the interval is below the time-out */
	if (ping_edge_ask(p, aor, c, &w, hash, now))
		return;
	if (!i)
		i = ping_new(p, hash, aor, c->key);
	if (!i) {
		p->full++;
		return;
	}
	i->vstamp = c->vstamp;
	ping_send(p, i, &w.b, &w.hop, now);
}

/* Buckets from this one on of which the digest of their group, or its own, says
 * that nothing is in them; 0 = something is in it */
static uint32_t empty_from(const struct ping *p, uint16_t bucket)
{
	uint8_t group = (uint8_t)(bucket / STORE_GROUP);
	uint32_t at = bucket % STORE_GROUP;

	if (!store_groups(p->loc->store)[group])
		return STORE_GROUP - at;
	return !store_buckets(p->loc->store, group)[at];
}

static void walk(struct ping *p, uint16_t bucket, uint64_t now, uint64_t wall)
{
	struct store_contact c;
	struct store_scan it;
	struct sl aor;

	store_scan(p->loc->store, bucket, &it);
	while (store_scan_contact(&it, wall, &aor, &c))
		ask(p, aor, &c, now);
}

/* --- time ----------------------------------------------------------------------- */

/* Many at once cost less: each look wakes us, the edge and us again. But a call
 * that comes meanwhile waits for all of them. */
static uint64_t tick_of(const struct ping *p)
{
	uint64_t n = store_stats(p->loc->store)->contacts;
	uint64_t ms = p->cf->ping.interval / 300;

	if (ms * n > (uint64_t)PING_LOOK * p->cf->ping.interval)
		ms = (uint64_t)PING_LOOK * p->cf->ping.interval / n;
	return ms < PING_TICK ? PING_TICK :
		ms > PING_TICK_MAX ? PING_TICK_MAX : ms;
}

/* ... and a look at nobody, or at one, costs nearly as much as a look at some:
 * until so many buckets with contacts of ours are behind us, or the first of them
 * has waited long enough. Who registers meanwhile is asked that much later. */
static uint64_t quiet_for(const struct ping *p)
{
	uint64_t interval = p->cf->ping.interval, pos = p->pos, at;
	uint64_t end = pos + PING_QUIET * STORE_BUCKETS / interval;
	uint32_t some = 0, n;

	if (p->back < p->back_to || !p->slots)
		return 0;
	for (; pos < end; pos += n ? n : 1) {
		uint16_t b = (uint16_t)(pos % STORE_BUCKETS);

		n = empty_from(p, b);
		if (n || !slots_mine(p->slots, b / SLOTS_BUCKETS))
			continue;
		if (++some == PING_FEW)
			break;
		if (some == 1 && end > pos + STORE_BUCKETS / PING_LATE)
			end = pos + STORE_BUCKETS / PING_LATE;
	}
	pos = pos < end ? pos : end;
	at = (pos + 1) * interval / STORE_BUCKETS + 1;     /* it is behind us */
	return at < p->clock ? 0 :
	       at - p->clock < PING_QUIET ? at - p->clock : PING_QUIET;
}

/* When something open is over, or a batch has waited */
static uint64_t due_of(const struct ping *p)
{
	uint64_t due = keep_due(&p->keep), ask = keep_due(&p->ask);

	if (ask < due)
		due = ask;
	if (p->first && p->first->sent + p->cf->ping.timeout < due)
		due = p->first->sent + p->cf->ping.timeout;
	return due;
}

/* From the last look to the next */
static uint64_t wait_of(const struct ping *p)
{
	uint64_t tick = tick_of(p), due = due_of(p);
	uint64_t wait = p->quiet > tick ? p->quiet : tick;

	if (due < p->ticked + wait)
		wait = due > p->ticked + tick ? due - p->ticked : tick;
	return wait;
}

static uint64_t pos_of(const struct ping *p)
{
	return p->clock * STORE_BUCKETS / p->cf->ping.interval;
}

/* The wall clock, but no faster or slower than 1 %: intervals stay as they
 * are when it is set */
static void follow(struct ping *p, uint64_t now, uint64_t wall)
{
	uint64_t ms = now - p->ticked, most, off;

	p->clock += ms;
	p->slew += ms;
	most = p->slew / SLEW;
	p->slew %= SLEW;
	off = wall > p->clock ? wall - p->clock : p->clock - wall;
	if (!p->ticked || off > (uint64_t)DRIFT * p->cf->ping.interval) {
		p->clock = wall;
		p->pos = pos_of(p);
	} else if (off) {
		off = off < most ? off : most;
		p->clock = wall > p->clock ? p->clock + off : p->clock - off;
	}
	p->ticked = now;
}

static void time_out(struct ping *p, uint64_t now, uint64_t wall)
{
	while (p->first && now >= p->first->sent + p->cf->ping.timeout) {
		p->lost++;
		p->first->sure = false;
		ping_lost(p, p->first, now, wall);
	}
}

/* As many buckets of what a dead node missed */
static void make_up(struct ping *p, uint64_t n, uint64_t now, uint64_t wall)
{
	uint64_t asked = p->asked, sent = p->sent;
	uint16_t bucket;

	for (; n; n--)
		if (ping_missed_next(p, &bucket))
			walk(p, bucket, now, wall);
	p->made_up += p->sent - sent;
	p->asked = asked;            /* they are not more contacts */
}

static void advance(struct ping *p, uint64_t to, uint64_t now, uint64_t wall)
{
	bool on = p->slots && p->cf->ping.contacts != NODE_PING_OFF;
	uint64_t n = to - p->pos, round = p->pos / STORE_BUCKETS;

	if (on)
		ping_missed_look(p);
	while (on && p->pos < to) {
		uint16_t bucket = (uint16_t)(p->pos % STORE_BUCKETS);
		uint32_t none = empty_from(p, bucket);

		if (p->pos / STORE_BUCKETS != round)
			ping_round(p);     /* what follows is the next one's */
		round = p->pos / STORE_BUCKETS;
		if (!none && slots_mine(p->slots, bucket / SLOTS_BUCKETS))
			walk(p, bucket, now, wall);
		p->pos += none ? none : 1;
	}
	p->pos = to;
	if (to / STORE_BUCKETS != round)
		ping_round(p);
	if (on && p->back < p->back_to)
		make_up(p, n, now, wall);
}

/* What was missed is made up for at twice the pace, no faster */
void ping_tick(struct ping *p, uint64_t now, uint64_t wall)
{
	uint64_t ms = p->ticked ? now - p->ticked : 0, to, most;
	uint64_t wait = wait_of(p);

	if (p->ticked && ms < wait)
		return;
	time_out(p, now, wall);
	ping_sweep(p, now);
	follow(p, now, wall);
	to = pos_of(p);
	if (p->pos > to || to - p->pos > STORE_BUCKETS)
		p->pos = to;         /* set back, or longer than a round */
	if (ms > wait + LATE)
		ms = wait + LATE;           /* we stood still: no burst */
	most = ms * 2 * STORE_BUCKETS / p->cf->ping.interval + 1;
	if (to > p->pos + most)
		to = p->pos + most;
	advance(p, to, now, wall);
	ping_edge_tick(p, now, wall);
	p->quiet = quiet_for(p);
}

uint64_t ping_next(const struct ping *p)
{
	if (!p->slots ||
	    (p->cf->ping.contacts == NODE_PING_OFF && !p->first &&
	     !p->keep.lines && !p->ask.lines))
		return UINT64_MAX;
	return p->ticked + wait_of(p);
}

/* --- the answer -------------------------------------------------------------------- */

bool ping_is_dead(const struct ping *p, uint16_t code)
{
	struct sl rest = sl_cstr(p->cf->ping.dead_codes), one;
	uint32_t v;

	while (node_ping_code(&rest, &one))
		if (!sl_u32(one, 699, &v) && v == code)
			return true;
	return false;
}

bool ping_response(struct ping *p, const struct sip_msg *m, uint64_t now,
		   uint64_t wall)
{
	const size_t at = sizeof(COOKIE) - 1;
	struct ping_item *i;
	uint64_t hash, seq;
	struct via v;

	if (ping_edge_response(p, m, now, wall))
		return true;
	if (via_top(m, &v) || v.branch.n != PING_BRANCH ||
	    memcmp(v.branch.p, COOKIE, at) ||
	    sl_hex_u64(sl_mk(v.branch.p + at, 16), &hash) ||
	    sl_hex_u64(sl_mk(v.branch.p + at + 16, 8), &seq))
		return false;
	i = ping_find(p, hash);
	if (!i || !i->open || i->seq != seq || m->status < 200)
		return true;         /* late, or not final */
	if (ping_is_dead(p, m->status)) {
		p->refused++;
		i->sure = false;
		ping_lost(p, i, now, wall);
	} else {
		ping_alive(p, i, now);
	}
	return true;
}
