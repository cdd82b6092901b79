/* ping_path.c - Pure. Where the Path of a contact leads. All contacts behind one
 * listener of an edge have the same but for the token: what was made of the text
 * behind that is kept. */
#include "node/ping_i.h"

#include <errno.h>

#include "node/proxy_i.h"
#include "sip/chr.h"
#include "sip/hop.h"

/** Of "<sip:TOKEN@...", SL_NONE: it is something else */
static struct sl token_of(struct sl path)
{
	const char *p = path.p + 5, *e = path.p + path.n, *at;

	if (!sl_starts(path, SL("<sip:")))
		return SL_NONE;
	at = chr_span(p, e, e, CHR_UNRES);
	return at < e && *at == '@' ? sl_mk(p, (size_t)(at - p)) : SL_NONE;
}

static const struct ping_tail *find(const struct ping *p, struct sl txt)
{
	for (uint32_t i = 0; i < PING_TAILS; i++)
		if (p->tail[i].n == txt.n &&
		    !memcmp(p->tail[i].txt, txt.p, txt.n))
			return &p->tail[i];
	return NULL;
}

/** The oldest one makes way */
static void learn(struct ping *p, const struct ping_who *w, struct sl txt)
{
	struct ping_tail *t = &p->tail[p->tails % PING_TAILS];

	if (!w->alone || !w->hop_ok || txt.n > sizeof(t->txt))
		return;
	p->tails++;
	memcpy(t->txt, txt.p, txt.n);
	t->n = (uint16_t)txt.n;
	t->params = w->params.n ? sl_mk(t->txt + (w->params.p - txt.p),
					w->params.n) : SL_NONE;
	t->hop = w->hop;
}

void ping_path_forget(struct ping *p)
{
	memset(p->tail, 0, sizeof(p->tail));
}

/** The Path's first element, and whether it is the only one */
static void parse(const struct ping *p, struct ping_who *w)
{
	struct sl rest = w->b.path, elem, more;
	const struct uri *u;
	bool path, lr;
	struct uri edge;

	path = sl_elem(&rest, &elem);
	w->edge_ok = path && !hop_route_parse(elem, &edge, &lr);
	w->alone = w->edge_ok && !sl_elem(&rest, &more);
	w->token = w->edge_ok ? edge.user : SL_NONE;
	w->params = w->edge_ok ? edge.params : SL_NONE;
	u = w->edge_ok ? &edge : path ? NULL : ping_contact(w);
	w->hop_ok = u && !proxy_uri_hop(p->proxy, u, &w->hop);
}

/** *txt: what is behind the token. NULL: unknown */
static const struct ping_tail *tail_of(const struct ping *p, struct sl path,
				       struct sl *token, struct sl *txt)
{
	*token = token_of(path);
	*txt = SL_NONE;
	if (!token->n)
		return NULL;
	*txt = sl_sub(path, 5 + token->n, path.n);
	return find(p, *txt);
}

int ping_hop(struct ping *p, const struct binding *b, struct flow *f)
{
	const struct ping_tail *t;
	struct sl token, txt;
	struct ping_who w;

	t = tail_of(p, b->path, &token, &txt);
	if (!t) {
		w.b = *b;
		w.uri_seen = false;
		ping_path(p, &w);
		if (!w.hop_ok)
			return EACCES;
	}
	*f = t ? t->hop : w.hop;
	return 0;
}

void ping_path(struct ping *p, struct ping_who *w)
{
	const struct ping_tail *t;
	struct sl token, txt;

	t = tail_of(p, w->b.path, &token, &txt);
	if (!t) {
		parse(p, w);
		if (token.n)
			learn(p, w, txt);
		return;
	}
	w->edge_ok = w->alone = w->hop_ok = true;
	w->token = token;
	w->params = t->params;
	w->hop = t->hop;
}
