/* edge_build.c - Pure. Whole messages: what the edge adds and takes on the way
 * in and out. The only place where it puts a Via on a forwarded message. */
#include "sbc/edge_priv.h"
#include <errno.h>

/** Methods whose first request makes a dialog: RFC 3261, 3515, 6665. Unknown
 *  ones may; a Record-Route too many harms nobody. */
static bool makes_dialog(const struct sip_msg *m)
{
	if (sl_isset(m->to_tag))
		return false;
	switch (m->meth) {
	case SIP_INVITE:
	case SIP_SUBSCRIBE:
	case SIP_NOTIFY:
	case SIP_REFER:
	case SIP_M_OTHER:
		return true;
	case SIP_ACK:
	case SIP_BYE:
	case SIP_CANCEL:
	case SIP_REGISTER:
	case SIP_OPTIONS:
	case SIP_PRACK:
	case SIP_UPDATE:
	case SIP_INFO:
	case SIP_MESSAGE:
	case SIP_PUBLISH:
	case SIP_M_N:
		break;
	}
	return false;
}

void edge_via_init(struct edge *e)
{
	for (uint16_t i = 0; i < e->lstc; i++) {
		struct buf b;

		/* sentby has 128 bytes: it fits */
		buf_fixed(&b, e->via[i].t, sizeof(e->via[i].t));
		hop_via_head(&b, e->lst[i].tp, e->lst[i].sentby);
		e->via[i].n = (uint16_t)b.n;
	}
}

void edge_via_put(struct edge *e, struct buf *b, uint16_t l, struct sl branch)
{
	const struct listener *x = &e->lst[l];

	hop_via_add(b, sl_mk(e->via[l].t, e->via[l].n), branch,
		    x->core && tp_stream(x->tp));
}

/** "<sip:TOKEN@SENTBY;transport=x;lr" of the listener l */
static void put_token_uri(struct edge *e, struct buf *b, uint16_t l,
			  const struct token *t, struct sl callid)
{
	buf_lit(b, "<sip:");
	token_put(b, &e->keys, t, callid);
	buf_put(b, e->rc.tail[l].t, e->rc.tail[l].n);
}

/** id: the client as his path token names him, 0 = look who registered on f */
static void put_rr(struct edge *e, const struct flow *f, enum token_leg leg,
		   uint64_t id, const struct sip_msg *m)
{
	struct token t = { .kind = TOKEN_RR, .leg = leg, .flow = *f,
			   .id = id ? id : known_of(e->known, f) };

	if (leg == TOKEN_CALLEE && m->count[SIP_RECORD_ROUTE])
		edge_hops_fold(e, m, &t);
	buf_lit(&e->top, "Record-Route: ");
	put_token_uri(e, &e->top, f->lst, &t, m->callid);
	buf_lit(&e->top, ">\r\n");
}

/** May this Contact make a node believe that it is on a connection? Only a look:
 *  who is told in vain is told what is true */
static bool may_say_stream(struct sl v)
{
	size_t at = sl_chr(v, '<');

	if (at < v.n)
		v = sl_sub(v, at + 1, v.n);
	if (sl_ieq(sl_sub(v, 0, 5), SL("sips:")))
		return true;
	while ((at = sl_chr(v, ';')) < v.n) {
		v = sl_sub(v, at + 1, v.n);
		if (sl_ieq(sl_sub(v, 0, 10), SL("transport=")))
			return !sl_ieq(sl_sub(v, 10, 13), SL("udp"));
	}
	return false;
}

/** What the token says and a node cannot read: contacts on a connection are
 *  pinged another way, and not every phone says transport=tcp. Of UDP it is said
 *  only where the Contact says something else: it is 9 bytes on all nodes. m: its
 *  REGISTER, NULL = none */
static void put_path_end(struct buf *b, uint8_t tp, const struct sip_msg *m)
{
	struct sip_iter it = { 0 };
	const char *end = tp_stream(tp) ? ROUTE_PATH_STREAM : ROUTE_PATH_END;

	while (m && !tp_stream(tp) && sip_iter(m, SIP_CONTACT, &it))
		if (may_say_stream(it.val))
			end = ROUTE_PATH_UDP;
	buf_str(b, end);
	buf_chr(b, '>');
}

static void put_path(struct edge *e, const struct sip_msg *m,
		     const struct flow *f)
{
	struct token t = { .kind = TOKEN_PATH, .flow = *f,
			   .id = edge_known_sender(e, m, f) };

	buf_lit(&e->top, "Path: ");
	put_token_uri(e, &e->top, e->core, &t, SL_NONE);
	put_path_end(&e->top, f->tp, m);
	buf_lit(&e->top, "\r\n");
	/* a registrar stores a Path only of who says he knows it, RFC 3327 */
	if (!sip_has_token(m, SIP_SUPPORTED, SL("path")))
		buf_lit(&e->top, "Supported: path\r\n");
}

int edge_path_to(struct edge *e, struct buf *b, uint8_t tp,
		 const struct addr *peer)
{
	struct token t = { .kind = TOKEN_PATH,
			   .flow = { .tp = tp, .peer = *peer } };
	uint16_t i = 0;

	while (i < e->lstc && (e->lst[i].core || e->lst[i].tp != tp ||
			       (e->lst[i].bound.af &&
				e->lst[i].bound.af != peer->af)))
		i++;
	if (i == e->lstc)
		return EAFNOSUPPORT;
	t.flow.lst = i;
	put_token_uri(e, b, e->core, &t, SL_NONE);
	put_path_end(b, tp, NULL);
	return b->err;
}

/** A datagram may lack Content-Length; on a stream it would swallow what
 *  follows: RFC 3261 18.3 */
static void put_length(struct edge *e, const struct sip_msg *m, struct buf *b)
{
	if (m->count[SIP_CONTENT_LENGTH])
		return;
	buf_lit(b, "Content-Length: ");
	buf_u64(b, m->body.n);
	buf_lit(b, "\r\n");
	splice_end(&e->sp, buf_as_sl(b));
}

/** A node's framer takes no more, and would end the connection */
static bool too_big(const struct edge *e, const struct blob *b)
{
	return b->n - e->sp.m->body.n > SIP_MAX_HEAD;
}

static struct blob *finish(struct edge *e)
{
	struct blob *b = NULL;
	struct buf len;
	char room[48];

	buf_fixed(&len, room, sizeof(room));
	put_length(e, e->sp.m, &len);
	if (!e->top.err)
		b = splice_blob(&e->sp, e->blobs, SIP_MAX_MSG);
	if (b && too_big(e, b)) {
		blob_unref(b);
		b = NULL;
	}
	if (!b)
		e->led.oom++;
	return b;
}

static void put_ruri(struct edge *e, const struct sip_msg *m, struct sl uri)
{
	if (uri.p != m->ruri.p)
		splice_ruri(&e->sp, uri);
}

struct blob *edge_build_node(struct edge *e, const struct sip_msg *m,
			     const struct stxn *s, struct sl branch,
			     uint16_t node)
{
	const struct flow *f = stxn_flow(s);
	const struct peer *p = edge_peer_of(e, f);
	char room[32], mem[SIP_AOR_MAX + 32];
	struct buf ruri;

	buf_reset(&e->top);
	buf_fixed(&ruri, mem, sizeof(mem));
	splice_init(&e->sp, m);
	edge_via_put(e, &e->top, e->core, branch);
	if (edge_oc_on(e, node)) {
		e->top.n -= 2;              /* its CRLF */
		buf_lit(&e->top, OC_OFFER "\r\n");
	}
	buf_sl(&e->top, stxn_vias(s));
	edge_peer_mark(e, p);
	if (m->meth == SIP_REGISTER)
		put_path(e, m, f);
	else if (makes_dialog(m))
		put_rr(e, f, TOKEN_CALLER, 0, m);

	splice_top(&e->sp, buf_as_sl(&e->top));
	splice_del_all(&e->sp, SIP_VIA);
	if (m->count[SIP_ROUTE])
		splice_del_all(&e->sp, SIP_ROUTE);
	put_ruri(e, m, edge_peer_ruri_in(e, p, m, &ruri));
	if (p)
		hide_from_peer(&e->sp, m, &e->led.hide);
	else
		hide_from_client(&e->sp, m, &e->led.hide);
	if (hop_maxfwd(&e->sp, m, room))
		return NULL;
	return finish(e);
}

/** Routes of a request to a client: ours go, and what stands behind a path
 *  token as well; behind a record-route token a client's own proxies follow */
static void cut_routes(struct edge *e, const struct sip_msg *m,
		       const struct route *r)
{
	if (!m->count[SIP_ROUTE])
		return;
	if (r->path || r->alone)
		splice_del_all(&e->sp, SIP_ROUTE);
	else
		hop_route_strip(&e->sp, m, r->strip);
}

struct blob *edge_build_client(struct edge *e, const struct sip_msg *m,
			       const struct flow *f, const struct route *r,
			       struct sl branch)
{
	char room[32], mem[SIP_AOR_MAX + 32];
	struct buf ruri;

	buf_reset(&e->top);
	buf_fixed(&ruri, mem, sizeof(mem));
	splice_init(&e->sp, m);
	if (r->peer)
		put_ruri(e, m, edge_peer_ruri_out(e, r, m, &ruri));
	edge_via_put(e, &e->top, r->flow.lst, branch);
	if (!e->hc.core)
		hop_vias_put(&e->top, m, &f->peer);
	if (edge_is_core(e, f) && makes_dialog(m))
		put_rr(e, &r->flow, TOKEN_CALLEE, r->id, m);

	splice_top(&e->sp, buf_as_sl(&e->top));
	splice_del_all(&e->sp, SIP_VIA);
	cut_routes(e, m, r);
	if (edge_is_core(e, f))
		hide_request(&e->sp, m, &e->hc, &e->led.hide);
	else
		hide_from_client(&e->sp, m, &e->led.hide);
	if (hop_maxfwd(&e->sp, m, room))
		return NULL;
	return finish(e);
}

struct blob *edge_build_hops(struct edge *e, const struct sip_msg *m,
			     const struct flow *f, const struct route *r,
			     const struct hops *h, struct sl branch)
{
	struct token t = { .kind = TOKEN_RR, .leg = r->leg, .flow = r->flow,
			   .id = r->id };
	char room[32];

	buf_reset(&e->top);
	splice_init(&e->sp, m);
	edge_via_put(e, &e->top, e->core, branch);
	hop_vias_put(&e->top, m, &f->peer);
	for (unsigned i = 0; i < h->n; i++) {
		buf_lit(&e->top, "Route: ");
		buf_sl(&e->top, h->v[i]);
		buf_lit(&e->top, "\r\n");
	}
	buf_lit(&e->top, "Route: ");
	put_token_uri(e, &e->top, e->core, &t, m->callid);
	buf_lit(&e->top, ">\r\n");

	splice_top(&e->sp, buf_as_sl(&e->top));
	splice_del_all(&e->sp, SIP_VIA);
	splice_del_all(&e->sp, SIP_ROUTE);
	hide_from_client(&e->sp, m, &e->led.hide);
	if (hop_maxfwd(&e->sp, m, room))
		return NULL;
	return finish(e);
}

/** Another status in the first line, with its standard phrase */
static void put_status(struct edge *e, const struct sip_msg *m, uint16_t code)
{
	buf_reset(&e->top);
	buf_lit(&e->top, "SIP/2.0 ");
	buf_u64(&e->top, code);
	buf_chr(&e->top, ' ');
	buf_str(&e->top, sip_phrase(code));
	buf_lit(&e->top, "\r\n");
	splice_cut(&e->sp, 0, m->hdrs_off, buf_as_sl(&e->top));
}

struct blob *edge_build_reply(struct edge *e, const struct sip_msg *m,
			      const struct stxn *s, uint16_t code)
{
	e->top.err = 0;
	splice_init(&e->sp, m);
	if (code && code != m->status)
		put_status(e, m, code);
	hop_reply_vias(&e->sp, edge_flow_lines(e, m, s, code));
	if (edge_is_core(e, stxn_flow(s)))
		hide_from_client(&e->sp, m, &e->led.hide);
	else
		hide_response(&e->sp, m, &e->hc, &e->led.hide);
	return finish(e);
}

struct blob *edge_build_options(struct edge *e, const struct edge_node *n,
				struct sl branch, struct sl type,
				struct sl body)
{
	const struct listener *core = &e->lst[e->core];
	struct buf *b = &e->out_buf;
	struct blob *msg;

	buf_reset(b);
	buf_lit(b, "OPTIONS sip:");
	addr_put(b, &n->flow.peer);
	buf_lit(b, ";transport=");
	buf_str(b, tp_param(n->flow.tp));
	buf_lit(b, " SIP/2.0\r\n");
	edge_via_put(e, b, e->core, branch);
	buf_lit(b, "Max-Forwards: 70\r\nFrom: <sip:edge@");
	buf_str(b, core->sentby);
	buf_lit(b, ">;tag=");
	buf_u64(b, ++e->probe_seq);
	buf_lit(b, "\r\nTo: <sip:");
	addr_put(b, &n->flow.peer);
	buf_lit(b, ">\r\nCall-ID: ");
	buf_sl(b, branch);
	buf_lit(b, "\r\nCSeq: 1 OPTIONS\r\n");
	if (sl_isset(type)) {
		buf_lit(b, "Content-Type: ");
		buf_sl(b, type);
		buf_lit(b, "\r\n");
	}
	buf_lit(b, "Content-Length: ");
	buf_u64(b, body.n);
	buf_lit(b, "\r\n\r\n");
	buf_sl(b, body);
	msg = b->err ? NULL : blobs_make(e->blobs, b->p, b->n);
	if (!msg)
		e->led.oom++;
	return msg;
}
