/* edge_peer.c - Pure. Calls from and to trusted peers.
 *
 * Between edge and nodes two headers of our own name them; hide.c takes both off
 * whatever comes from outside:
 *
 *     Edgewise-From-Peer: NAME         edge -> node: its request
 *     Edgewise-To-Peer: NAME[;last]    node -> edge: send it there; last: there
 *                                      is no other, so try even if it rests
 */
#include "sbc/edge_priv.h"

/** Our listener for it */
static bool peer_flow(const struct edge *e, const struct peer *p,
		      struct flow *f)
{
	for (uint16_t i = 0; i < e->lstc; i++) {
		const struct listener *l = &e->lst[i];

		if (l->core || l->tp != p->cf.tp ||
		    (l->bound.af && l->bound.af != p->cf.addr.af))
			continue;
		*f = (struct flow){ .tp = p->cf.tp, .lst = i,
				    .peer = p->cf.addr };
		return true;
	}
	return false;
}

int edge_peers(struct edge *e, const struct peer_conf *v, uint32_t n,
	       uint64_t now)
{
	e->now = now;
	return peers_set(&e->peers, v, n, e->st, now);
}

const struct peers *edge_peers_get(const struct edge *e)
{
	return &e->peers;
}

struct peer *edge_peer_of(const struct edge *e, const struct flow *f)
{
	return e->peers.n && !edge_is_core(e, f) ?
		peers_from(&e->peers, &f->peer) : NULL;
}

/** RFC 3261 19.1.1: of the parameters only the one that tells what the user
 *  part is */
static void put_uri(struct buf *b, const struct uri *u, struct sl host)
{
	struct sl val;

	buf_sl(b, u->scheme_txt);
	buf_chr(b, ':');
	if (u->user.n) {
		buf_sl(b, u->user);
		buf_chr(b, '@');
	}
	buf_sl(b, host);
	if (param_get(u->params, SL("user"), &val) &&
	    sl_ieq(val, SL("phone")))
		buf_lit(b, ";user=phone");
}

struct sl edge_peer_ruri_out(const struct edge *e, const struct route *r,
			     const struct sip_msg *m, struct buf *b)
{
	const struct peer *p = peers_by_id(&e->peers, r->peer);
	char txt[ADDR_TXT];
	struct uri u;

	if (!p || p->cf.keep_host || uri_parse(&u, m->ruri) ||
	    u.scheme > URI_SIPS)
		return m->ruri;
	put_uri(b, &u, sl_cstr(addr_txt(&p->cf.addr, txt)));
	return b->err ? m->ruri : buf_as_sl(b);
}

struct sl edge_peer_ruri_in(const struct edge *e, const struct peer *p,
			    const struct sip_msg *m, struct buf *b)
{
	struct uri u;

	if (!p || !p->cf.domainc || uri_parse(&u, m->ruri) ||
	    !route_is_ours(&e->rc, &u))
		return m->ruri;
	put_uri(b, &u, sl_cstr(p->cf.domain[0]));
	return b->err ? m->ruri : buf_as_sl(b);
}

void edge_peer_mark(struct edge *e, const struct peer *p)
{
	if (!p)
		return;
	buf_lit(&e->top, "Edgewise-From-Peer: ");
	buf_str(&e->top, p->cf.name);
	buf_lit(&e->top, "\r\n");
}

bool edge_peer_admit(struct edge *e, struct peer *p, const struct sip_msg *m,
		     const struct flow *f, uint64_t now)
{
	char room[32];
	struct uri u;

	if (!p || sl_isset(m->to_tag))
		return true;
	if (uri_parse(&u, m->ruri) ||
	    (!peer_domain(p, u.host) && !route_is_ours(&e->rc, &u))) {
		p->refused++;
		edge_refuse(e, m, f, 403, SL("Domain Not Allowed"), SL_NONE);
		return false;
	}
	if (m->meth != SIP_INVITE)
		return true;
	if (!peer_take(p, now)) {
		p->capped++;
		edge_refuse(e, m, f, 503, SL("Too Many Calls"),
			    edge_retry_after(e, room));
		return false;
	}
	p->calls_in++;
	return true;
}

bool edge_peer_route(struct edge *e, const struct sip_msg *m, struct route *r,
		     uint64_t now)
{
	const struct sip_hdr *h = sip_hdr_name(m, SL("Edgewise-To-Peer"));
	struct sl val, name;
	struct peer *p;
	size_t end;

	if (!h)
		return false;
	val = sip_val(m, h);
	end = sl_chr(val, ';');
	name = sl_sub(val, 0, end);
	memset(r, 0, offsetof(struct route, hops));
	r->to = ROUTE_REFUSE;
	r->code = 430;
	r->path = true;
	p = peers_named(&e->peers, name);
	if (!p || !peer_flow(e, p, &r->flow)) {
		if (log_allow(&e->led.lim_odd, 10, now))
			log_warn("event=peer peer=%s problem=\"%s\"",
				 log_esc(name), p ? "no listener for it" :
				 "not in the settings");
		return true;
	}
	if (peer_rests(p, now) &&
	    !sl_eq(sl_sub(val, end, val.n), SL(";last"))) {
		p->skipped++;
		return true;
	}
	r->to = ROUTE_FLOW;
	r->code = 0;
	r->peer = p->id;
	return true;
}

void edge_peer_sent(struct relay *y, const struct route *r,
		    const struct sip_msg *m, struct ctxn_timers *tm)
{
	struct peer *p = peers_by_id(&y->e->peers, r->peer);

	y->peer = r->peer;
	if (!p)
		return;
	tm->no100 = tm->noreply = p->cf.timeout;
	p->calls_out += m->meth == SIP_INVITE;
}

void edge_peer_heard(struct relay *y, const struct sip_msg *m, uint64_t now)
{
	struct peer *p = peers_by_id(&y->e->peers, y->peer);
	struct sl v;
	size_t n = 0;
	uint32_t s;

	if (!p)
		return;
	peer_heard(p);
	if (m->meth == SIP_INVITE && m->status / 100 == 2 && !y->settled)
		p->answered++;
	if (m->status != 503)
		return;
	/* it asks for a rest, a minute of which is believed */
	v = sip_first(m, SIP_RETRY_AFTER);
	while (n < v.n && v.p[n] >= '0' && v.p[n] <= '9')
		n++;
	if (n && !sl_u32(sl_sub(v, 0, n), 86400, &s) && s)
		peer_failed(p, "503", 1000 * (s < 60 ? s : 60), now);
}

void edge_peer_lost(struct relay *y, const char *why, uint64_t now)
{
	struct peer *p = peers_by_id(&y->e->peers, y->peer);

	/* copies of a request that was given up fail as well */
	if (p && !y->settled)
		peer_failed(p, why, 0, now);
}

bool edge_peer_timeout(struct relay *y, enum txn_timer timer, uint64_t now)
{
	if (!y->peer || (timer != TT_NO100 && timer != TT_NOREPLY) ||
	    y->settled)
		return false;
	edge_peer_lost(y, "silent", now);
	y->given_up = true;
	ctxn_abandon(y->ctxn, now);
	edge_relay_fail(y, 430, now);
	return true;
}
