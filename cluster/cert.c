/* cert.c - Shell. Our certificate. docs/cluster-protocol.md 1.2. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include "cluster/cert.h"

struct cert {
	STACK_OF(X509) *cas;
	STACK_OF(X509) *chain;      /* between ours and a CA        */
	X509 *own;
	EVP_PKEY *key;
	struct cert_info info;
};

static int wrong(struct cert_err *e, enum cert_part part, const char *fmt,
		 ...) __attribute__((format(printf, 3, 4)));

static int wrong(struct cert_err *e, enum cert_part part, const char *fmt, ...)
{
	va_list ap;

	e->part = part;
	va_start(ap, fmt);
	(void)vsnprintf(e->why, sizeof(e->why), fmt, ap);
	va_end(ap);
	ERR_clear_error();
	return EBADMSG;
}

/* --- names and times ----------------------------------------------------- */

static bool alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9');
}

bool cert_name_ok(struct sl name)
{
	if (!name.n || name.n >= CERT_NAME || !alnum(name.p[0]))
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!alnum(name.p[i]) && name.p[i] != '.' &&
		    name.p[i] != '_' && name.p[i] != '-')
			return false;
	return true;
}

/* The name behind our prefix. @return 0, ENOENT (not ours), EBADMSG */
static int name_of(struct sl *out, const GENERAL_NAME *g)
{
	struct sl uri;

	if (g->type != GEN_URI)
		return ENOENT;
	uri = sl_mk(ASN1_STRING_get0_data(g->d.ia5),
		    (size_t)ASN1_STRING_length(g->d.ia5));
	if (!sl_istarts(uri, SL(CERT_URN)))
		return ENOENT;
	*out = sl_sub(uri, sizeof(CERT_URN) - 1, uri.n);
	return sl_starts(uri, SL(CERT_URN)) && cert_name_ok(*out) ?
		0 : EBADMSG;
}

int cert_name(char name[CERT_NAME], const X509 *x)
{
	GENERAL_NAMES *v = X509_get_ext_d2i(x, NID_subject_alt_name, NULL,
					    NULL);
	struct sl s, found = SL_NONE;
	int err = 0, n = v ? sk_GENERAL_NAME_num(v) : 0;

	for (int i = 0; !err && i < n; i++) {
		int e = name_of(&s, sk_GENERAL_NAME_value(v, i));

		if (e == EBADMSG || (!e && found.n))
			err = EBADMSG;
		else if (!e)
			found = s;
	}
	if (!err && !found.n)
		err = ENOENT;
	if (!err) {
		memcpy(name, found.p, found.n);
		name[found.n] = 0;
	}
	GENERAL_NAMES_free(v);
	ERR_clear_error();
	return err;
}

static uint64_t time_ms(const ASN1_TIME *t)
{
	struct tm tm;
	time_t s;

	if (!t || !ASN1_TIME_to_tm(t, &tm))
		return 0;
	s = timegm(&tm);
	return s > 0 ? (uint64_t)s * 1000 : 0;
}

void cert_times(uint64_t *from, uint64_t *to, const X509 *x)
{
	*from = time_ms(X509_get0_notBefore(x));
	*to = time_ms(X509_get0_notAfter(x));
}

void cert_date(char txt[24], uint64_t ms)
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;

	if (!gmtime_r(&s, &tm) ||
	    !strftime(txt, 24, "%Y-%m-%dT%H:%M:%SZ", &tm))
		(void)snprintf(txt, 24, "?");
}

/* --- reading ------------------------------------------------------------- */

static int push(STACK_OF(X509) **vp, X509 *x)
{
	if (!*vp)
		*vp = sk_X509_new_null();
	if (*vp && sk_X509_push(*vp, x))
		return 0;
	X509_free(x);
	return ENOMEM;
}

/* All certificates of a text, in its order */
static int read_certs(STACK_OF(X509) **vp, struct sl pem, int max,
		      enum cert_part part, struct cert_err *e)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
	int err = 0;
	X509 *x;

	if (!b)
		return ENOMEM;
	ERR_clear_error();
	while (!err && (x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL) {
		if (*vp && sk_X509_num(*vp) >= max) {
			X509_free(x);
			err = wrong(e, part, "more than %d certificates",
				    max);
		}
		else {
			err = push(vp, x);
		}
	}
	BIO_free(b);
	if (!err && ERR_GET_REASON(ERR_peek_last_error()) !=
	    PEM_R_NO_START_LINE)
		err = wrong(e, part, "a certificate in it is damaged");
	if (!err && !*vp)
		err = wrong(e, part, "no certificate in it, allowed: PEM");
	ERR_clear_error();
	return err;
}

/* No terminal is asked for a password, ever */
static int no_password(char *buf, int size, int rw, void *arg)
{
	(void)buf;
	(void)size;
	(void)rw;
	*(bool *)arg = true;
	return -1;
}

static int read_key(struct cert *c, struct sl pem, struct cert_err *e)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
	bool asked = false;

	if (!b)
		return ENOMEM;
	c->key = PEM_read_bio_PrivateKey(b, NULL, no_password, &asked);
	BIO_free(b);
	if (asked)
		return wrong(e, CERT_KEY, "is encrypted, allowed: a key "
			     "without a password, mode 0600");
	if (!c->key)
		return wrong(e, CERT_KEY, "no private key in it, allowed: "
			     "PEM");
	return 0;
}

static int read_cas(struct cert *c, struct sl pem, struct cert_err *e)
{
	int err = read_certs(&c->cas, pem, CERT_CAS, CERT_CA, e);

	for (int i = 0; !err && i < sk_X509_num(c->cas); i++)
		if (X509_check_ca(sk_X509_value(c->cas, i)) != 1)
			err = wrong(e, CERT_CA, "certificate %d is not a "
				    "CA's (basicConstraints)", i + 1);
	return err;
}

static int read_own(struct cert *c, struct sl pem, struct cert_err *e)
{
	int err = read_certs(&c->chain, pem, 1 + CERT_DEPTH, CERT_OWN, e);

	if (!err)
		c->own = sk_X509_shift(c->chain);
	return err;
}

/* --- checks -------------------------------------------------------------- */

static void params(X509_VERIFY_PARAM *p)
{
	X509_VERIFY_PARAM_set_depth(p, CERT_DEPTH);
	X509_VERIFY_PARAM_set_auth_level(p, CERT_LEVEL);
	/* Whatever ends a chain in our list is believed, be it a root or not;
	 * read_cas() lets nothing but CAs into it */
	(void)X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN);
}

static int check_times(const struct cert *c, uint64_t wall,
		       struct cert_err *e)
{
	char txt[24];
	uint64_t from, to;

	cert_times(&from, &to, c->own);
	if (wall < from) {
		cert_date(txt, from);
		return wrong(e, CERT_OWN, "not valid before %s: is the clock "
			     "right?", txt);
	}
	if (wall > to) {
		cert_date(txt, to);
		return wrong(e, CERT_OWN, "ran out on %s", txt);
	}
	return 0;
}

/* A chain is as good as its worst part */
static void note_chain(struct cert *c, STACK_OF(X509) *chain)
{
	uint64_t from, to;

	cert_times(&c->info.not_before, &c->info.not_after, c->own);
	for (int i = 1; i < sk_X509_num(chain); i++) {
		cert_times(&from, &to, sk_X509_value(chain, i));
		if (from > c->info.not_before)
			c->info.not_before = from;
		if (to < c->info.not_after)
			c->info.not_after = to;
	}
	cert_date(c->info.until, c->info.not_after);
}

static int verify(struct cert *c, X509_STORE *st, const char *as,
		  uint64_t wall, struct cert_err *e)
{
	X509_STORE_CTX *x = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *p;
	int code, err = 0;

	if (!x || !X509_STORE_CTX_init(x, st, c->own, c->chain) ||
	    !X509_STORE_CTX_set_default(x, as)) {
		X509_STORE_CTX_free(x);
		return ENOMEM;
	}
	p = X509_STORE_CTX_get0_param(x);
	params(p);
	X509_VERIFY_PARAM_set_time(p, (time_t)(wall / 1000));
	if (X509_verify_cert(x) == 1) {
		note_chain(c, X509_STORE_CTX_get0_chain(x));
	}
	else {
		code = X509_STORE_CTX_get_error(x);
		err = wrong(e, CERT_OWN, "no CA of cluster.ca_file vouches "
			    "for it as a TLS %s: %s", as + sizeof("ssl_") - 1,
			    X509_verify_cert_error_string(code));
	}
	X509_STORE_CTX_free(x);
	return err;
}

static int check_chain(struct cert *c, uint64_t wall, struct cert_err *e)
{
	X509_STORE *st = X509_STORE_new();
	int err = st ? 0 : ENOMEM;

	for (int i = 0; !err && i < sk_X509_num(c->cas); i++)
		if (!X509_STORE_add_cert(st, sk_X509_value(c->cas, i)))
			err = ENOMEM;
	if (!err)
		err = verify(c, st, "ssl_server", wall, e);
	if (!err)
		err = verify(c, st, "ssl_client", wall, e);
	X509_STORE_free(st);
	return err;
}

static int note_issuer(struct cert *c)
{
	BIO *b = BIO_new(BIO_s_mem());
	int n;

	if (!b)
		return ENOMEM;
	(void)X509_NAME_print_ex(b, X509_get_issuer_name(c->own), 0,
				 XN_FLAG_RFC2253);
	n = BIO_read(b, c->info.issuer, sizeof(c->info.issuer) - 1);
	c->info.issuer[n > 0 ? n : 0] = 0;
	BIO_free(b);
	return 0;
}

static int check(struct cert *c, uint64_t wall, struct cert_err *e)
{
	int err;

	if (X509_check_private_key(c->own, c->key) != 1)
		return wrong(e, CERT_KEY, "is not the key of the "
			     "certificate");
	err = cert_name(c->info.name, c->own);
	if (err == ENOENT)
		return wrong(e, CERT_OWN, "names no node, allowed: a "
			     "subjectAltName URI:" CERT_URN "NAME");
	if (err)
		return wrong(e, CERT_OWN, "names more than one node, or one "
			     "that cannot be");
	err = check_times(c, wall, e);
	if (!err)
		err = check_chain(c, wall, e);
	return err ? err : note_issuer(c);
}

/* --- life ---------------------------------------------------------------- */

int cert_alloc(struct cert **cp, struct sl ca, struct sl own, struct sl key,
	       uint64_t wall, struct cert_err *e)
{
	struct cert *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return ENOMEM;
	err = read_cas(c, ca, e);
	if (!err)
		err = read_own(c, own, e);
	if (!err)
		err = read_key(c, key, e);
	if (!err)
		err = check(c, wall, e);
	ERR_clear_error();
	if (err)
		cert_free(c);
	else
		*cp = c;
	return err;
}

void cert_free(struct cert *c)
{
	if (!c)
		return;
	sk_X509_pop_free(c->cas, X509_free);
	sk_X509_pop_free(c->chain, X509_free);
	X509_free(c->own);
	EVP_PKEY_free(c->key);
	free(c);
}

const struct cert_info *cert_info(const struct cert *c)
{
	return &c->info;
}

int cert_use(const struct cert *c, SSL_CTX *ctx)
{
	X509_STORE *st = SSL_CTX_get_cert_store(ctx);

	SSL_CTX_set_security_level(ctx, CERT_LEVEL);
	SSL_CTX_set_max_cert_list(ctx, CERT_CHAIN);
	params(SSL_CTX_get0_param(ctx));
	for (int i = 0; i < sk_X509_num(c->cas); i++)
		if (!X509_STORE_add_cert(st, sk_X509_value(c->cas, i)))
			goto fail;
	if (SSL_CTX_use_certificate(ctx, c->own) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, c->key) != 1 ||
	    !SSL_CTX_set1_chain(ctx, c->chain))
		goto fail;
	return 0;
fail:
	ERR_clear_error();
	return EIO;
}
