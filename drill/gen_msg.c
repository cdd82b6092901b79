/* gen_msg.c - Pure. Messages of the call generator's phones. */
#include "drill/gen_i.h"
#include <errno.h>
#include <stdio.h>

#define MSG_MAX 8192

static void put_from(struct gen *g, const struct gen_phone *p, bool tag)
{
	struct buf *b = &g->b;

	buf_printf(b, "<sip:%s@%s>", p->u.name, g->domain);
	if (tag)
		buf_printf(b, ";tag=%llx-%x", (unsigned long long)g->run,
			   p->id);
}

static void put_contact(struct gen *g, const struct gen_phone *p)
{
	const struct listener *l = &g->lst[p->u.lst];

	buf_printf(&g->b, "Contact: <sip:%s@%s%s>\r\n", p->u.name, l->sentby,
		   l->tp == TP_TCP ? ";transport=tcp" : "");
}

static void begin(struct gen *g, const char *method, const char *ruri,
		  const struct gen_phone *p, struct sl branch)
{
	const struct listener *l = &g->lst[p->u.lst];

	buf_reset(&g->b);
	buf_printf(&g->b, "%s %s SIP/2.0\r\n", method, ruri);
	hop_via_put(&g->b, l->tp, l->sentby, branch, false);
	buf_lit(&g->b, "Max-Forwards: 70\r\n");
}

static struct blob *finish(struct gen *g)
{
	buf_lit(&g->b, "Content-Length: 0\r\n\r\n");
	return g->b.err ? NULL : blob_make(g->b.p, g->b.n);
}

static void put_auth(struct gen *g, struct gen_phone *p, struct gen_auth *a,
		     const char *method, const char *uri)
{
	char ha1[AUTH_HEX_MAX + 1], hex[AUTH_HEX_MAX + 1], nc[12], cn[20];
	struct auth_cred c = {
		.username = sl_cstr(p->u.name), .realm = sl_cstr(a->realm),
		.nonce = sl_cstr(a->nonce), .uri = sl_cstr(uri),
		.alg = a->alg,
	};

	if (!a->set)
		return;
	(void)snprintf(nc, sizeof(nc), "%08x", ++a->nc);
	(void)snprintf(cn, sizeof(cn), "%016llx",
		       (unsigned long long)rng_u64(&g->rng));
	if (a->qop) {
		c.qop = SL("auth");
		c.nc = sl_cstr(nc);
		c.cnonce = sl_cstr(cn);
	}
	auth_ha1(ha1, a->alg, c.username, c.realm, sl_cstr(p->u.password));
	auth_response(hex, &c, sl_cstr(ha1), sl_cstr(method));
	buf_printf(&g->b, "%sAuthorization: Digest username=\"%s\", "
		   "realm=\"%s\", nonce=\"%s\", uri=\"%s\", response=\"%s\", "
		   "algorithm=%s", a->proxy ? "Proxy-" : "", p->u.name,
		   a->realm, a->nonce, uri, hex, auth_alg_name(a->alg));
	if (a->qop)
		buf_printf(&g->b, ", qop=auth, nc=%s, cnonce=\"%s\"", nc, cn);
	buf_lit(&g->b, "\r\n");
}

struct blob *gen_msg_register(struct gen *g, struct gen_phone *p,
			      struct sl branch)
{
	char uri[GEN_DOMAIN + 8];
	struct buf *b = &g->b;

	(void)snprintf(uri, sizeof(uri), "sip:%s", g->domain);
	begin(g, "REGISTER", uri, p, branch);
	buf_lit(b, "From: ");
	put_from(g, p, true);
	buf_lit(b, "\r\nTo: ");
	put_from(g, p, false);
	buf_printf(b, "\r\nCall-ID: drill-%llx-r%u\r\nCSeq: %u REGISTER\r\n",
		   (unsigned long long)g->run, p->id, ++p->cseq);
	put_contact(g, p);
	buf_printf(b, "Expires: %u\r\n", p->leaves ? 0 : g->expires);
	put_auth(g, p, &p->auth[0], "REGISTER", uri);
	return finish(g);
}

static void put_dialog(struct gen *g, const struct gen_call *c,
		       const char *method, uint32_t cseq, const char *to)
{
	char id[64];
	struct buf *b = &g->b;

	buf_lit(b, "From: ");
	put_from(g, &g->phone[c->from], true);
	buf_printf(b, "\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n", to,
		   gen_callid(g, c->id, id), cseq, method);
}

struct blob *gen_msg_invite(struct gen *g, struct gen_call *c,
			    struct sl branch)
{
	struct gen_phone *p = &g->phone[c->from];
	const char *who = g->phone[c->to].u.name;
	char uri[GEN_NAME + GEN_DOMAIN + 8], to[sizeof(uri) + 2];

	(void)snprintf(uri, sizeof(uri), "sip:%s@%s", who, g->domain);
	(void)snprintf(to, sizeof(to), "<%s>", uri);
	begin(g, "INVITE", uri, p, branch);
	put_dialog(g, c, "INVITE", ++c->v->cseq, to);
	put_contact(g, p);
	put_auth(g, p, &p->auth[1], "INVITE", uri);
	return finish(g);
}

struct blob *gen_msg_inside(struct gen *g, struct gen_call *c,
			    const char *method, uint32_t cseq,
			    struct sl branch)
{
	struct gen_phone *p = &g->phone[c->from];

	begin(g, method, c->v->target, p, branch);
	buf_str(&g->b, c->v->route);
	put_dialog(g, c, method, cseq, c->v->to);
	return finish(g);
}

struct blob *gen_msg_answer(struct gen *g, const struct sip_msg *m,
			    const struct flow *f, const struct gen_call *c,
			    uint16_t code)
{
	char tag[40];
	struct buf extra;
	struct blob *blob;

	(void)snprintf(tag, sizeof(tag), "p%llx-%u-%u",
		       (unsigned long long)g->run, c ? c->id : 0,
		       c ? c->invites : 0);
	buf_init(&extra, MSG_MAX);
	for (const struct sip_hdr *h = sip_hdr(m, SIP_RECORD_ROUTE);
	     h && code > 100 && code < 300; h = sip_hdr_next(m, h))
		buf_put(&extra, m->raw.p + h->off, h->end - h->off);
	buf_reset(&g->b);
	if (c && code > 100 && code < 300) {
		put_contact(g, &g->phone[c->to]);
		buf_sl(&extra, buf_as_sl(&g->b));
		buf_reset(&g->b);
	}
	reply_write(&g->b, m, &f->peer, code, sl_cstr(sip_phrase(code)),
		    sl_cstr(tag), buf_as_sl(&extra));
	blob = g->b.err || extra.err ? NULL : blob_make(g->b.p, g->b.n);
	buf_free(&extra);
	return blob;
}

struct flow gen_msg_flow(const struct gen *g, const struct gen_phone *p)
{
	return (struct flow){ .tp = g->lst[p->u.lst].tp, .lst = p->u.lst,
			      .peer = g->proxy };
}

static bool keep(char *dst, size_t size, struct sl s)
{
	if (s.n >= 2 && *s.p == '"')
		s = sl_sub(s, 1, s.n - 1);
	if (s.n >= size || memchr(s.p, '"', s.n) || memchr(s.p, '\\', s.n))
		return false;
	memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return true;
}

static bool take(struct gen_auth *a, struct sl value)
{
	struct sl elem, rest;
	bool fine = true;
	char alg[16] = "MD5", qop[32] = "";

	if (!sl_istarts(value, SL("Digest ")))
		return false;
	a->nonce[0] = a->realm[0] = '\0';
	rest = sl_sub(value, 7, value.n);
	while (fine && sl_elem(&rest, &elem)) {
		size_t eq = sl_chr(elem, '=');
		struct sl name = sl_trim(sl_sub(elem, 0, eq));
		struct sl val = sl_trim(sl_sub(elem, eq + 1, elem.n));

		if (sl_ieq(name, SL("realm")))
			fine = keep(a->realm, sizeof(a->realm), val);
		else if (sl_ieq(name, SL("nonce")))
			fine = keep(a->nonce, sizeof(a->nonce), val);
		else if (sl_ieq(name, SL("algorithm")))
			fine = keep(alg, sizeof(alg), val);
		else if (sl_ieq(name, SL("qop")))
			fine = keep(qop, sizeof(qop), val);
	}
	a->qop = strstr(qop, "auth") != NULL;
	a->alg = sl_ieq(sl_cstr(alg), SL("SHA-256")) ? AUTH_SHA256 : AUTH_MD5;
	return fine && a->nonce[0] && (a->alg == AUTH_SHA256 ||
		sl_ieq(sl_cstr(alg), SL("MD5")));
}

bool gen_msg_challenge(struct gen_auth *a, const struct sip_msg *m)
{
	enum sip_hid id = m->status == 407 ? SIP_PROXY_AUTHENTICATE :
		SIP_WWW_AUTHENTICATE;

	a->set = false;
	for (const struct sip_hdr *h = sip_hdr(m, id); h && !a->set;
	     h = sip_hdr_next(m, h))
		a->set = take(a, sip_val(m, h));
	a->proxy = m->status == 407;
	a->nc = 0;
	return a->set;
}
