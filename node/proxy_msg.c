/**
 * @file proxy_msg.c  Pure. Messages as the proxy passes them on.
 */
#include "node/proxy_i.h"
#include "base/secret.h"
#include "sip/auth.h"
#include "sip/hop.h"
#include "sip/splice.h"
#include <errno.h>

/* --- next hop ------------------------------------------------------------- */

/* Only edges are sent to, whatever a contact or a Route claims */
int proxy_uri_hop(const struct proxy *p, const struct uri *u, struct flow *f)
{
	int tp = uri_transport(u);
	struct addr a = { 0 };

	if (uri_addr(u, &a))
		return EACCES;
	if (!a.port)
		a.port = 5060;
	if (tp == TP_NONE)
		tp = TP_UDP;
	if ((tp != TP_UDP && tp != TP_TCP) || !access_edge(p->access, &a))
		return EACCES;
	*f = (struct flow){
		.tp = (uint8_t)tp, .peer = a,
		.lst = tp == TP_TCP ? p->lst_tcp : p->lst_udp,
	};
	return 0;
}

int proxy_route_hop(const struct proxy *p, const struct sip_msg *m,
		    unsigned skip, struct flow *f)
{
	struct sip_iter it = { 0 };
	struct uri u;
	bool lr;

	while (sip_iter(m, SIP_ROUTE, &it)) {
		if (skip) {
			skip--;
			continue;
		}
		if (hop_route_parse(it.val, &u, &lr))
			return EACCES;
		return proxy_uri_hop(p, &u, f);
	}
	return ENOENT;
}

void proxy_edge_hop(const struct proxy *p, const struct sip_msg *m,
		    struct stxn *s, struct flow *f)
{
	struct addr a = { 0 };
	struct via v;

	*f = *stxn_flow(s);
	if (via_top(m, &v) || addr_parse_ip(&a, v.host)
	    || !access_edge(p->access, &a))
		return;
	/* not the connection: it may be another by then */
	a.port = v.port ? v.port : 5060;
	f->peer = a;
	f->conn = 0;
}

/* --- requests ------------------------------------------------------------- */

static void put_via(struct buf *b, const struct proxy *p, uint8_t tp,
		    struct sl branch)
{
	hop_via_put(b, tp, p->sentby, branch, tp_stream(tp));
}

/* New target: Request-URI and, from its Path, the Route (RFC 3327 5.4) */
static void retarget(struct splice *s, const struct branch *b,
		     struct buf *top)
{
	const struct fork *f = b->f;

	if (f->way) {
		uint32_t i = (uint32_t)(b - f->v);

		splice_ruri(s, sl_mk(f->way->uri, f->way->urin));
		splice_del_all(s, SIP_ROUTE);
		buf_lit(top, "Edgewise-To-Peer: ");
		buf_str(top, f->way->peer[i]);
		if (i + 1 == f->way->n)
			buf_lit(top, ";last");
		buf_lit(top, "\r\n");
		return;
	}
	if (!b->lc) {
		hop_route_strip(s, s->m, f->own_routes);
		return;
	}
	splice_ruri(s, b->lc->b.uri);
	splice_del_all(s, SIP_ROUTE);
	if (b->lc->b.path.n) {
		buf_lit(top, "Route: ");
		buf_sl(top, b->lc->b.path);
		buf_lit(top, "\r\n");
	}
}

/* Credentials for the realm that we checked concern nobody behind us */
static void strip_own(struct splice *s, const struct fork *f)
{
	const struct sip_msg *m = s->m;
	struct sl realm = sl_sub(m->raw, f->realm_from, f->realm_to);
	const struct sip_hdr *h = sip_hdr(m, SIP_PROXY_AUTHORIZATION);
	struct auth_cred c;

	for (; realm.n && h; h = sip_hdr_next(m, h)) {
		if (!auth_cred_parse(&c, sip_val(m, h))
		    && sl_ieq(c.realm, realm))
			splice_del(s, h);
	}
}

static struct blob *finish(struct proxy *p, struct splice *s)
{
	struct buf *b = &p->msg;

	buf_reset(b);
	/* the edge's framer takes no more, and would end the connection */
	if (splice_write(s, b) || b->n - s->m->body.n > SIP_MAX_HEAD)
		return NULL;
	return blobs_make(p->blobs, b->p, b->n);
}

/* For a further target, after an answer */
static const struct sip_msg *kept(struct fork *f)
{
	struct blob *req = stxn_request(f->s);
	struct sip_msg *m = &f->p->tmp;
	struct sip_fault fault;

	return sip_scan(m, req->p, req->n, true, &fault) ? NULL : m;
}

struct blob *proxy_request(struct branch *b, const struct flow *hop)
{
	struct fork *f = b->f;
	struct buf *top = &f->p->top;
	const struct sip_msg *m = f->m ? f->m : kept(f);
	struct splice s;
	char room[32];

	if (!m)
		return NULL;
	buf_reset(top);
	splice_init(&s, m);
	put_via(top, f->p, hop->tp, ctxn_branch(b->c));
	buf_sl(top, stxn_vias(f->s));
	splice_del_all(&s, SIP_VIA);
	retarget(&s, b, top);
	strip_own(&s, f);
	if (hop_maxfwd(&s, m, room) || top->err)
		return NULL;
	splice_top(&s, buf_as_sl(top));
	return finish(f->p, &s);
}

/* Stateless: the branch is a function of the request, so that copies of one
 * ACK get one branch. RFC 3261 16.11 */
static void ack_branch(const struct proxy *p, const struct sip_msg *m,
		       struct buf *b)
{
	struct sl via = sip_first(m, SIP_VIA);
	uint64_t h = secret_hash(p->key, via.p, via.n);

	buf_lit(b, SIP_COOKIE "ack");
	buf_hex(b, &h, sizeof(h));
}

void proxy_ack(struct proxy *p, const struct sip_msg *m, const struct flow *from,
	       unsigned own_routes)
{
	char room[32], br[48];
	struct flow hop;
	struct splice s;
	struct blob *msg;
	struct buf *top = &p->top, branch;

	if (proxy_route_hop(p, m, own_routes, &hop)) {
		p->acks_dropped++;
		return;
	}
	buf_fixed(&branch, br, sizeof(br));
	ack_branch(p, m, &branch);
	buf_reset(top);
	put_via(top, p, hop.tp, buf_as_sl(&branch));
	hop_vias_put(top, m, &from->peer);
	splice_init(&s, m);
	splice_del_all(&s, SIP_VIA);
	hop_route_strip(&s, m, own_routes);
	if (hop_maxfwd(&s, m, room) || top->err)
		return;
	splice_top(&s, buf_as_sl(top));
	msg = finish(p, &s);
	if (msg)
		outq_send(p->out, &hop, msg);
}

/* --- answers -------------------------------------------------------------- */

struct blob *proxy_answer(const struct fork *f, const struct sip_msg *m)
{
	struct splice s;

	splice_init(&s, m);
	hop_reply_vias(&s, stxn_vias(f->s));
	return finish(f->p, &s);
}

struct blob *proxy_best(struct fork *f)
{
	struct sip_msg *m = &f->p->tmp;
	struct sip_fault fault;
	struct splice s;
	struct blob *msg;

	if ((f->best != 401 && f->best != 407) || f->challenges.err
	    || sip_scan(m, f->best_msg->p, f->best_msg->n, true, &fault))
		return blob_ref(f->best_msg);
	splice_init(&s, m);
	splice_del_all(&s, SIP_WWW_AUTHENTICATE);
	splice_del_all(&s, SIP_PROXY_AUTHENTICATE);
	splice_end(&s, buf_as_sl(&f->challenges));
	msg = finish(f->p, &s);
	return msg ? msg : blob_ref(f->best_msg);
}
