/**
 * @file routes.c  Pure. Calls that no contact takes.
 */
#include "node/routes.h"
#include <errno.h>

enum { NUMBER_MAX = 128 };

/* The user part without its escapes and telephone parameters; of a number
 * without what only people need (RFC 3966 5.1.1). 0 = nothing that has a number
 * in it */
static size_t number_of(char out[NUMBER_MAX], struct sl user)
{
	size_t n = 0, i = 0;
	bool digits;

	user = sl_sub(user, 0, sl_chr(user, ';'));
	for (; i < user.n && n < NUMBER_MAX; n++) {
		int hi = -1, lo = -1;

		if (user.p[i] == '%' && i + 2 < user.n) {
			hi = sl_hex_digit(user.p[i + 1]);
			lo = sl_hex_digit(user.p[i + 2]);
		}
		out[n] = hi >= 0 && lo >= 0 ? (char)(hi << 4 | lo)
			: user.p[i];
		i += hi >= 0 && lo >= 0 ? 3 : 1;
	}
	if (i < user.n || !n)
		return 0;
	digits = out[0] == '+' || out[0] == '(' || sl_hex_digit(out[0]) >= 0;
	for (i = 0; i < n && digits; i++)
		digits = (out[i] >= '0' && out[i] <= '9')
			|| memchr("+-.()*#", out[i], 7);
	if (!digits)
		return n;
	for (i = 0, user.n = n, n = 0; i < user.n; i++)
		if (!memchr("-.()", out[i], 4))
			out[n++] = out[i];
	return n;
}

static bool names(const struct node_route *r, struct sl peer)
{
	const struct node_text *t = r->peers.v;

	for (uint32_t i = 0; i < r->peers.n && peer.n; i++)
		if (sl_eq(sl_cstr(t[i].s), peer))
			return true;
	return false;
}

static bool fits(const struct node_route *r, struct sl number, struct sl host,
		 bool served)
{
	if (*r->domain ? !sl_ieq(sl_cstr(r->domain), host) : !served)
		return false;
	return sl_starts(number, sl_cstr(r->prefix));
}

const struct node_route *routes_find(const struct node_config *cf,
				     const struct uri *u, bool served,
				     struct sl from)
{
	const struct node_route *r = cf->routes.v, *best = NULL;
	char mem[NUMBER_MAX];
	struct sl number;

	if (!cf->routes.n)
		return NULL;
	number = sl_mk(mem, number_of(mem, u->user));
	for (uint32_t i = 0; i < cf->routes.n && number.n; i++) {
		size_t is = strlen(r[i].prefix);
		size_t was = best ? strlen(best->prefix) : 0;

		if (!fits(&r[i], number, u->host, served))
			continue;
		if (!best || is > was
		    || (is == was && *r[i].domain && !*best->domain))
			best = &r[i];
	}
	/* not the next best: it would be a way round */
	return best && names(best, from) ? NULL : best;
}

/* RFC 3261 25.1: user-unreserved and unreserved */
static void put_user(struct buf *b, struct sl s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if ((c >= '0' && c <= '9')
		    || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
		    || (c && memchr("-_.!~*'()&=+$,?/", c, 16))) {
			buf_chr(b, c);
		}
		else {
			buf_chr(b, '%');
			buf_hex(b, &c, 1);
		}
	}
}

int routes_way(struct way *w, const struct node_route *r, const struct uri *u)
{
	const struct node_text *t = r->peers.v;
	char mem[NUMBER_MAX];
	struct sl number = sl_mk(mem, number_of(mem, u->user)), val;
	size_t strip = r->strip < number.n ? r->strip : number.n;
	struct buf b;

	buf_fixed(&b, w->uri, sizeof(w->uri));
	buf_sl(&b, u->scheme_txt);
	buf_chr(&b, ':');
	put_user(&b, sl_cstr(r->add));
	put_user(&b, sl_sub(number, strip, number.n));
	/* nothing is left of it: a user part must not be empty */
	if (!*r->add && strip == number.n)
		return ENOSPC;
	buf_chr(&b, '@');
	buf_sl(&b, u->host);
	if (u->port) {
		buf_chr(&b, ':');
		buf_u64(&b, u->port);
	}
	if (param_get(u->params, SL("user"), &val) && sl_ieq(val, SL("phone")))
		buf_lit(&b, ";user=phone");
	if (b.err)
		return ENOSPC;
	w->urin = (uint32_t)b.n;
	w->n = r->peers.n;
	for (uint32_t i = 0; i < w->n; i++)
		memcpy(w->peer[i], t[i].s, sizeof(w->peer[i]));
	return 0;
}
