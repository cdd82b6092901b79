/* edge_source.c - Pure. Admission: what sources may ask and be sent, and whom we
 * do not answer at all. Peers, trusted networks and nodes are not looked at. */
#include "sbc/edge_priv.h"
#include "base/log.h"
#include "sip/stun.h"

#include <errno.h>
#include <stdlib.h>

/** Points of SOURCE_SCORE */
enum {
	BAD_FRAME = 25,        /**< bytes that no message begins with         */
	BAD_SCANNER = 100,
	BAD_DOMAIN = 20,
	BAD_CREDENTIALS = 20,
	BAD_FLOOD = 5,
};

enum {
	SWEEP = 1000,          /**< [ms]                                      */
	DROP_TELL = 60000,     /**< [ms] between two lines for one reason     */
};

int edge_admit(struct edge *e, const struct edge_admit_conf *c)
{
	int err = 0;

	if (!e->sources) {
		err = sources_alloc(&e->sources, &c->source, e->branch_key);
		if (!err)
			err = sources_stats(e->sources, e->st);
		if (err) {
			sources_free(e->sources);
			e->sources = NULL;
			return err;
		}
	}
	sources_conf(e->sources, &c->source);
	e->admit = *c;
	return 0;
}

struct sources *edge_sources(struct edge *e)
{
	return e->sources;
}

/** NULL: no limits hold for this flow */
static struct source *source_of(struct edge *e, const struct flow *f,
				uint64_t now)
{
	if (!e->sources || edge_is_core(e, f) ||
	    sources_trusts(e->sources, &f->peer) || edge_peer_of(e, f))
		return NULL;
	return sources_get(e->sources, &f->peer, now);
}

static void count(struct edge *e, enum source_drop why)
{
	sources_figures(e->sources)->drop[why]++;
}

/** As `edgewise unban` takes it, without a port */
static const char *ip_txt(const struct addr *a, char txt[ADDR_TXT])
{
	struct buf b;

	buf_fixed(&b, txt, ADDR_TXT - 1);
	addr_put_ip(&b, a);
	txt[b.n] = '\0';
	return txt;
}

/** The same, and a line now and then: those that are not let in hear nothing over
 *  UDP, so without it a PBX that is no peer is silent for no reason to be seen */
static void turn_away(struct edge *e, enum source_drop why,
		      const struct source *x, uint64_t now)
{
	static const struct { const char *name, *hint; } say[SOURCE_DROPS] = {
		[SOURCE_RATE] = { "rate", "a PBX, a trunk or a generator: peers "
			"or admit.trusted; else a flood" },
		[SOURCE_AOR] = { "aor", "strangers ask for one user: "
			"admit.aor_rate" },
		[SOURCE_DOMAIN] = { "domain", "not in admit.domains" },
		[SOURCE_STRANGERS] = { "strangers", "a flood from many "
			"addresses, or all phones come at once: "
			"admit.stranger_rate" },
	};
	uint64_t n;
	char txt[ADDR_TXT];

	count(e, why);
	if (!say[why].name || now < e->drop_due[why])
		return;
	n = sources_figures(e->sources)->drop[why];
	log_warn("event=not_let_in why=%s last=%s since_last_line=%llu "
		 "hint=\"%s\"", say[why].name, ip_txt(&x->addr, txt),
		 (unsigned long long)(n - e->drop_seen[why]), say[why].hint);
	e->drop_due[why] = now + DROP_TELL;
	e->drop_seen[why] = n;
}

static void tell_ban(struct edge *e, const struct source *x, uint64_t now)
{
	char txt[ADDR_TXT];

	if (log_allow(&e->led.lim_odd, 10, now))
		log_warn("event=ban source=%s why=%s seconds=%llu",
			 ip_txt(&x->addr, txt), log_esc(sl_cstr(x->why)),
			 (unsigned long long)(x->banned - now) / 1000);
}

/** What a datagram's source is said to have done is no evidence: it may be
 *  another's address */
static void offends(struct edge *e, const struct flow *f, struct source *x,
		    uint32_t points, const char *why, uint64_t now)
{
	if (!x || !tp_stream(f->tp) ||
	    !source_offends(e->sources, x, points, why, now))
		return;
	tell_ban(e, x, now);
	outq_close(&e->out, f);
}

bool edge_source_in(struct edge *e, const struct flow *f, size_t n,
		    enum frame_verdict v, uint64_t now)
{
	struct source *x = source_of(e, f, now);

	if (!x)
		return true;
	if (source_is_banned(e->sources, x, now)) {
		count(e, SOURCE_BANNED);
		if (tp_stream(f->tp))
			outq_close(&e->out, f);
		return false;
	}
	if (!tp_stream(f->tp))
		source_came(x, n);
	else if (v == FRAME_BAD)
		offends(e, f, x, BAD_FRAME, "no SIP", now);
	return true;
}

static bool is_answer(struct sl m)
{
	return sl_starts(m, SL("SIP/2.0 ")) || stun_is_answer(m);
}

bool edge_source_out(struct edge *e, const struct sip_out *out)
{
	const struct blob *b = out->blob;
	struct source *x;

	if (tp_stream(out->flow.tp) || out->kind != SIP_OUT_SEND || !b ||
	    !is_answer(blob_sl(b)))
		return true;
	x = source_of(e, &out->flow, e->now);
	if (!x || source_pays(x, b->n, e->now))
		return true;
	count(e, SOURCE_CREDIT);
	return false;
}

bool edge_admits(const struct edge *e, const struct addr *a, uint64_t now)
{
	struct source *x = e->sources ? sources_find(e->sources, a) : NULL;

	if (!x || !x->banned || sources_trusts(e->sources, a) ||
	    peers_from(&e->peers, a))
		return true;
	return !source_is_banned(e->sources, x, now);
}

bool edge_source_quiet(struct edge *e, const struct flow *f, uint64_t now)
{
	struct source *x = tp_stream(f->tp) ? NULL : source_of(e, f, now);

	return x && !source_is_proved(x, now);
}

/* --- new requests --- */

static bool has_word(struct sl s, struct sl word)
{
	for (size_t i = 0; i + word.n <= s.n; i++)
		if (sl_ieq(sl_sub(s, i, i + word.n), word))
			return true;
	return false;
}

/** Tools that look for open servers mostly say who they are */
static bool is_scanner(const struct edge *e, const struct sip_msg *m)
{
	const struct sip_hdr *h = e->admit.scannerc ?
		sip_hdr(m, SIP_USER_AGENT) : NULL;

	for (uint32_t i = 0; h && i < e->admit.scannerc; i++)
		if (has_word(sip_val(m, h), sl_cstr(e->admit.scanner[i])))
			return true;
	return false;
}

/** A phone names the domain that it belongs to, who goes through addresses does
 *  not know it. OPTIONS to the address alone is a keep-alive */
static bool is_foreign(const struct edge *e, const struct sip_msg *m,
		       const struct route *r)
{
	struct uri u;

	if (!e->admit.domainc || r->to == ROUTE_LOCAL)
		return false;
	if (uri_parse(&u, m->ruri))
		return true;
	for (uint32_t i = 0; i < e->admit.domainc; i++)
		if (sl_ieq(sl_cstr(e->admit.domain[i]), u.host))
			return false;
	return true;
}

/** 503 to whom it cannot be misused for, silence to the others: phones try again */
static void busy(struct edge *e, const struct sip_msg *m,
		 const struct flow *f, const struct source *x, uint64_t now)
{
	char room[32];

	if (tp_stream(f->tp) || source_is_proved(x, now))
		edge_refuse(e, m, f, 503, SL("Too Many Requests"),
			    edge_retry_after(e, room));
}

bool edge_source_new(struct edge *e, const struct sip_msg *m,
		     const struct flow *f, const struct route *r,
		     uint64_t now)
{
	struct source *x = source_of(e, f, now);

	if (!x)
		return true;
	if (is_scanner(e, m)) {
		count(e, SOURCE_SCANNER);
		offends(e, f, x, BAD_SCANNER, "scanner", now);
		return false;
	}
	if (is_foreign(e, m, r)) {
		turn_away(e, SOURCE_DOMAIN, x, now);
		offends(e, f, x, BAD_DOMAIN, "foreign domain", now);
		return false;
	}
	if (!source_takes(e->sources, x, now)) {
		turn_away(e, SOURCE_RATE, x, now);
		busy(e, m, f, x, now);
		offends(e, f, x, BAD_FLOOD, "flood", now);
		return false;
	}
	/* a flood from everywhere must not keep those out whom we know */
	if (!source_is_proved(x, now) && !sources_stranger(e->sources, now)) {
		turn_away(e, SOURCE_STRANGERS, x, now);
		busy(e, m, f, x, now);
		return false;
	}
	if (r->to == ROUTE_POOL && !source_is_proved(x, now) &&
	    !sources_aor(e->sources, r->key, now)) {
		turn_away(e, SOURCE_AOR, x, now);
		busy(e, m, f, x, now);
		return false;
	}
	return true;
}

/* --- what nodes say of it --- */

void edge_source_proved(struct edge *e, const struct flow *f, uint64_t phone,
			uint64_t now)
{
	struct source *x = source_of(e, f, now);

	if (tp_stream(f->tp))
		outq_keep(&e->out, f);
	if (x)
		source_prove(e->sources, x, phone, now);
}

/** A nonce that has run out is nobody's fault */
static bool stale(const struct sip_msg *m)
{
	static const enum sip_hid ids[] = {
		SIP_WWW_AUTHENTICATE, SIP_PROXY_AUTHENTICATE,
	};

	for (int i = 0; i < 2; i++)
		for (const struct sip_hdr *h = sip_hdr(m, ids[i]); h;
		     h = sip_hdr_next(m, h))
			if (has_word(sip_val(m, h), SL("stale=true")))
				return true;
	return false;
}

void edge_source_answer(struct call *c, const struct sip_msg *m, uint64_t now)
{
	struct edge *e = c->e;
	const struct flow *f = stxn_flow(c->stxn);
	const struct sip_msg *req;

	if (m->meth == SIP_REGISTER && m->status == 200)
		edge_source_proved(e, f, c->key, now);
	if (!e->sources)
		return;
	if ((m->status != 401 && m->status != 407) || !tp_stream(f->tp) ||
	    stale(m))
		return;
	/* the first request of a phone has none */
	req = call_request(c);
	if (req && (req->count[SIP_AUTHORIZATION] ||
		    req->count[SIP_PROXY_AUTHORIZATION]))
		offends(e, f, source_of(e, f, now), BAD_CREDENTIALS,
			"wrong credentials", now);
}

void edge_source_tick(struct edge *e, uint64_t now)
{
	if (!e->sources || now < e->sweep_at)
		return;
	e->sweep_at = now + SWEEP;
	sources_sweep(e->sources, now);
}

/* --- what operators say --- */

bool edge_ban(struct edge *e, const struct addr *a, uint64_t ms,
	      struct sl why, uint64_t now)
{
	struct source *x = e->sources ? sources_get(e->sources, a, now) : NULL;

	e->now = now;
	if (!x)
		return false;
	source_ban(e->sources, x, ms, why, now);
	tell_ban(e, x, now);
	return true;
}

bool edge_unban(struct edge *e, const struct addr *a)
{
	struct source *x = e->sources ? sources_find(e->sources, a) : NULL;

	return x && source_unban(e->sources, x);
}
