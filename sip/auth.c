/* auth.c - Pure. Digest for SIP: credentials, responses, challenges. */
#include <errno.h>
#include <openssl/evp.h>

#include "base/secret.h"
#include "sip/auth.h"
#include "sip/chr.h"

enum { AUTH_PARAM_MAX = 2048 };   /* longest user name, uri... [bytes] */

const char *auth_alg_name(enum auth_alg a)
{
	return a == AUTH_SHA256 ? "SHA-256" : "MD5";
}

/* RFC 7235 2.1: next name=value of a comma list; quotes stay on the value */
static int cred_next(const char **pp, const char *e, struct sl *name,
		     struct sl *val)
{
	const char *p = *pp, *q;

	while (p < e && (*p == ',' || chr_is(*p, CHR_LWS)))
		p++;
	if (p == e)
		return ENOENT;
	q = chr_run(p, e, CHR_TOKEN);
	*name = sl_mk(p, (size_t)(q - p));
	p = chr_lws(q, e);
	if (!name->n || p == e || *p != '=')
		return EBADMSG;
	p = chr_lws(p + 1, e);
	if (p < e && *p == '"') {
		q = chr_quoted(p, e);
		if (!q)
			return EBADMSG;
	} else {
		for (q = p; q < e && *q != ',' && *q != '"' &&
			    !chr_is(*q, CHR_LWS);
		     q++)
			;
		if (q == p)
			return EBADMSG;
	}
	*val = sl_mk(p, (size_t)(q - p));
	p = chr_lws(q, e);
	if (p < e && *p != ',')
		return EBADMSG;
	*pp = p;
	return 0;
}

static struct sl unquote(struct sl s)
{
	return s.n >= 2 && *s.p == '"' ? sl_sub(s, 1, s.n - 1) : s;
}

static int cred_alg(struct auth_cred *c, struct sl val)
{
	for (int a = 0; a < AUTH_ALG_N; a++) {
		if (sl_ieq(val, sl_cstr(auth_alg_name(a)))) {
			c->alg = (enum auth_alg)a;
			return 0;
		}
	}
	return ENOTSUP;
}

struct sl auth_unq(char *dst, struct sl s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		dst[n++] = s.p[i];
	}
	return sl_mk(dst, n);
}

/* a second parameter of the same name is a trick, not a choice */
static int cred_set(struct auth_cred *c, struct sl name, struct sl val)
{
	const struct {
		struct sl name;
		struct sl *to;
	} v[] = {
		{SL("username"), &c->username}, {SL("realm"), &c->realm},
		{SL("nonce"), &c->nonce},       {SL("uri"), &c->uri},
		{SL("response"), &c->response}, {SL("cnonce"), &c->cnonce},
		{SL("nc"), &c->nc},             {SL("qop"), &c->qop},
		{SL("opaque"), &c->opaque},
	};

	val = unquote(val);
	for (unsigned i = 0; i < sizeof(v) / sizeof(*v); i++) {
		if (!sl_ieq(name, v[i].name))
			continue;
		if (sl_isset(*v[i].to) || val.n > AUTH_PARAM_MAX)
			return EBADMSG;
		*v[i].to = val;
		return 0;
	}
	return 0;
}

static bool is_hex(struct sl s, size_t n)
{
	return s.n == n && chr_run(s.p, s.p + n, CHR_HEX) == s.p + n;
}

/* what a response needs to be checked at all */
static int cred_complete(const struct auth_cred *c)
{
	if (!sl_isset(c->username) || !sl_isset(c->realm) || !c->nonce.n ||
	    !c->uri.n || !is_hex(c->response, c->alg == AUTH_MD5 ? 32 : 64))
		return EBADMSG;
	if (!sl_isset(c->qop))
		return 0;
	if (!sl_ieq(c->qop, SL("auth")))
		return ENOTSUP;
	return c->cnonce.n && is_hex(c->nc, 8) ? 0 : EBADMSG;
}

int auth_cred_parse(struct auth_cred *c, struct sl value)
{
	struct sl name, val, s = sl_trim(value);
	bool alg = false;
	const char *p, *e;
	int err;

	memset(c, 0, sizeof(*c));
	if (!s.n)
		return EBADMSG;
	e = s.p + s.n;
	p = chr_run(s.p, e, CHR_TOKEN);
	if (p == e || !chr_is(*p, CHR_LWS))
		return EBADMSG;
	if (!sl_ieq(sl_mk(s.p, (size_t)(p - s.p)), SL("Digest")))
		return ENOTSUP;
	while (!(err = cred_next(&p, e, &name, &val))) {
		if (sl_ieq(name, SL("algorithm"))) {
			err = alg ? EBADMSG : cred_alg(c, unquote(val));
			alg = true;
		} else {
			err = cred_set(c, name, val);
		}
		if (err)
			return err;
	}
	return err == ENOENT ? cred_complete(c) : err;
}

/* --- hashes --- */

struct hash {
	EVP_MD_CTX *ctx;
	bool bad;          /* sticky: no memory, or algorithm switched off */
};

static void hash_begin(struct hash *h, enum auth_alg a)
{
	h->ctx = EVP_MD_CTX_new();
	h->bad = !h->ctx ||
		 !EVP_DigestInit_ex(h->ctx,
				    a == AUTH_MD5 ? EVP_md5() : EVP_sha256(),
				    NULL);
}

static void hash_sl(struct hash *h, struct sl s)
{
	if (!h->bad && s.n && !EVP_DigestUpdate(h->ctx, s.p, s.n))
		h->bad = true;
}

/* RFC 7616 3.4: what is hashed is unq() of a quoted text */
static void hash_unq(struct hash *h, struct sl s)
{
	char tmp[AUTH_PARAM_MAX];

	if (s.n > sizeof(tmp))
		h->bad = true;
	else
		hash_sl(h, auth_unq(tmp, s));
}

/* lower-case hex into out; false = it failed, out is empty */
static bool hash_end(struct hash *h, char out[AUTH_HEX_MAX + 1])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t md[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!h->bad && !EVP_DigestFinal_ex(h->ctx, md, &n))
		h->bad = true;
	EVP_MD_CTX_free(h->ctx);
	if (h->bad || n * 2 > AUTH_HEX_MAX)
		n = 0;
	for (unsigned i = 0; i < n; i++) {
		out[2 * i] = hex[md[i] >> 4];
		out[2 * i + 1] = hex[md[i] & 15];
	}
	out[2 * n] = '\0';
	return n != 0;
}

void auth_ha1(char out[AUTH_HEX_MAX + 1], enum auth_alg a, struct sl user,
	      struct sl realm, struct sl password)
{
	struct hash h;

	hash_begin(&h, a);
	hash_sl(&h, user);
	hash_sl(&h, SL(":"));
	hash_sl(&h, realm);
	hash_sl(&h, SL(":"));
	hash_sl(&h, password);
	(void)hash_end(&h, out);   /* failure = empty text, which never matches */
}

void auth_response(char out[AUTH_HEX_MAX + 1], const struct auth_cred *c,
		   struct sl ha1_hex, struct sl method)
{
	char ha2[AUTH_HEX_MAX + 1];
	struct hash h;

	*out = '\0';
	hash_begin(&h, c->alg);
	hash_sl(&h, method);
	hash_sl(&h, SL(":"));
	hash_unq(&h, c->uri);
	if (!hash_end(&h, ha2))
		return;
	hash_begin(&h, c->alg);
	hash_sl(&h, ha1_hex);
	hash_sl(&h, SL(":"));
	hash_unq(&h, c->nonce);
	if (sl_isset(c->qop)) {
		hash_sl(&h, SL(":"));
		hash_sl(&h, c->nc);
		hash_sl(&h, SL(":"));
		hash_unq(&h, c->cnonce);
		hash_sl(&h, SL(":"));
		hash_sl(&h, c->qop);
	}
	hash_sl(&h, SL(":"));
	hash_sl(&h, sl_cstr(ha2));
	(void)hash_end(&h, out);
}

bool auth_check(const struct auth_cred *c, struct sl ha1_hex, struct sl method)
{
	size_t len = c->alg == AUTH_MD5 ? 32 : 64;
	char want[AUTH_HEX_MAX + 1], got[AUTH_HEX_MAX];

	if (ha1_hex.n != len || c->response.n != len ||
	    (!sl_isset(c->qop) && c->alg != AUTH_MD5))
		return false;
	auth_response(want, c, ha1_hex, method);
	if (strlen(want) != len)
		return false;
	sl_lower(got, c->response);
	return secret_equal(want, got, len);
}

void auth_challenge(struct buf *b, bool proxy, struct sl realm, struct sl nonce,
		    uint32_t algs, bool stale)
{
	for (int a = AUTH_ALG_N - 1; a >= 0; a--) {
		if (!(algs & 1u << a))
			continue;
		if (proxy)
			buf_lit(b, "Proxy-Authenticate: Digest realm=\"");
		else
			buf_lit(b, "WWW-Authenticate: Digest realm=\"");
		buf_sl(b, realm);
		buf_lit(b, "\", nonce=\"");
		buf_sl(b, nonce);
		buf_lit(b, "\", algorithm=");
		buf_str(b, auth_alg_name((enum auth_alg)a));
		buf_lit(b, ", qop=\"auth\"");
		if (stale)
			buf_lit(b, ", stale=true");
		buf_lit(b, "\r\n");
	}
}
