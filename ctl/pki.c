/* pki.c - Shell. Certificates by OpenSSL. docs/cluster-protocol.md 1.2. */
#include "ctl/pki.h"
#include "base/secret.h"
#include "cluster/cert.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#define PEM_MAX 65536          /* longest text made here [bytes]             */
#define EARLY 3600         /* valid so long before now, for slow clocks [s] */
#define DAY 86400              /* [s] */

struct sign {
	X509 *x;
	EVP_PKEY *key;         /* of x                         */
	X509 *ca;              /* who issues: x itself for a CA */
	EVP_PKEY *ca_key;
};

/* --- texts --------------------------------------------------------------- */

static bool take(struct buf *b, BIO *bio)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	buf_init(b, PEM_MAX);
	buf_put(b, p, n > 0 ? (size_t)n : 0);
	return !b->err && b->n;
}

static bool to_pem(struct pki_pair *p, X509 *x, EVP_PKEY *key)
{
	/* the second one wipes what it held */
	BIO *c = BIO_new(BIO_s_mem()), *k = BIO_new(BIO_s_secmem());
	bool ok = c && k && PEM_write_bio_X509(c, x) == 1 &&
		PEM_write_bio_PKCS8PrivateKey(k, key, NULL, NULL, 0, NULL,
					      NULL) == 1 &&
		take(&p->cert, c) && take(&p->key, k);

	BIO_free(c);
	BIO_free(k);
	return ok;
}

void pki_free(struct pki_pair *p)
{
	if (p->key.p)
		explicit_bzero(p->key.p, p->key.n);
	buf_free(&p->key);
	buf_free(&p->cert);
}

/* --- making -------------------------------------------------------------- */

static bool serial(X509 *x)
{
	uint8_t raw[16];
	BIGNUM *n;
	bool ok;

	/* RFC 5280 4.1.2.2: positive; random, so that it never comes twice */
	secret_random(raw, sizeof(raw));
	raw[0] = (raw[0] & 0x7f) | 0x40;
	n = BN_bin2bn(raw, sizeof(raw), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return ok;
}

static bool ext(const struct sign *s, int nid, const char *value)
{
	X509_EXTENSION *e;
	X509V3_CTX v;
	bool ok;

	X509V3_set_ctx(&v, s->ca, s->x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &v, nid, value);
	ok = e && X509_add_ext(s->x, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

static bool times(X509 *x, uint64_t from, uint64_t to)
{
	return ASN1_TIME_set(X509_getm_notBefore(x), (time_t)from) &&
		ASN1_TIME_set(X509_getm_notAfter(x), (time_t)to);
}

/* All that both kinds have. @param cn not longer than PKI_CN */
static bool begin(struct sign *s, const char *cn, uint64_t from, uint64_t to)
{
	s->x = X509_new();
	s->key = EVP_EC_gen("P-256");
	return s->x && s->key && X509_set_version(s->x, X509_VERSION_3) == 1 &&
		serial(s->x) && times(s->x, from, to) &&
		X509_set_pubkey(s->x, s->key) == 1 &&
		X509_NAME_add_entry_by_txt(X509_get_subject_name(s->x), "CN",
			MBSTRING_UTF8, (const unsigned char *)cn, -1, -1,
			0) == 1;
}

/* Ed25519 and Ed448 have their digest built in */
static const EVP_MD *digest(EVP_PKEY *key)
{
	char name[32];

	if (EVP_PKEY_get_default_digest_name(key, name, sizeof(name)) > 0 &&
	    !strcmp(name, "UNDEF"))
		return NULL;
	return EVP_sha256();
}

static bool finish(const struct sign *s)
{
	return X509_set_issuer_name(s->x, X509_get_subject_name(s->ca)) == 1 &&
		X509_sign(s->x, s->ca_key, digest(s->ca_key)) > 0;
}

static void end(struct sign *s)
{
	X509_free(s->x);
	EVP_PKEY_free(s->key);
	ERR_clear_error();
}

const char *pki_ca(struct pki_pair *p, const char *cn, uint32_t days,
		   uint64_t wall)
{
	uint64_t now = wall / 1000, to = now + (uint64_t)days * DAY;
	struct sign s = { 0 };
	bool ok = begin(&s, cn, now - EARLY, to);

	s.ca = s.x;
	s.ca_key = s.key;
	ok = ok && ext(&s, NID_basic_constraints, "critical,CA:TRUE,pathlen:0")
		&& ext(&s, NID_key_usage, "critical,keyCertSign,cRLSign")
		&& ext(&s, NID_subject_key_identifier, "hash")
		&& finish(&s) && to_pem(p, s.x, s.key);
	p->until = to * 1000;
	end(&s);
	return ok ? NULL : "OpenSSL cannot make a certificate";
}

static bool node_exts(const struct sign *s, const char *name)
{
	char san[sizeof("URI:" CERT_URN) + CERT_NAME];

	/* no comma or blank can be in it: cert_name_ok() */
	(void)snprintf(san, sizeof(san), "URI:" CERT_URN "%s", name);
	return ext(s, NID_basic_constraints, "critical,CA:FALSE") &&
		ext(s, NID_key_usage, "critical,digitalSignature") &&
		ext(s, NID_ext_key_usage, "serverAuth,clientAuth") &&
		ext(s, NID_subject_key_identifier, "hash") &&
		ext(s, NID_authority_key_identifier, "keyid") &&
		ext(s, NID_subject_alt_name, san);
}

/* No terminal is asked for a password */
static int no_password(char *buf, int size, int rw, void *arg)
{
	(void)buf;
	(void)size;
	(void)rw;
	(void)arg;
	return -1;
}

/* The CA of the text that has this key */
static const char *find_ca(struct sign *s, struct sl ca, struct sl ca_key)
{
	BIO *c = BIO_new_mem_buf(ca.p, (int)ca.n);
	BIO *k = BIO_new_mem_buf(ca_key.p, (int)ca_key.n);

	if (c && k)
		s->ca_key = PEM_read_bio_PrivateKey(k, NULL, no_password,
						    NULL);
	while (s->ca_key &&
	       (s->ca = PEM_read_bio_X509(c, NULL, NULL, NULL)) != NULL) {
		if (X509_check_private_key(s->ca, s->ca_key) == 1)
			break;
		X509_free(s->ca);
	}
	BIO_free(c);
	BIO_free(k);
	ERR_clear_error();
	if (!s->ca_key)
		return "ca.key is not a private key, or is encrypted";
	if (!s->ca)
		return "no certificate in ca.pem has the key ca.key";
	return X509_check_ca(s->ca) == 1 ? NULL :
		"the certificate in ca.pem is not a CA's";
}

const char *pki_node(struct pki_pair *p, struct sl ca, struct sl ca_key,
		     const char *name, uint32_t days, uint64_t wall)
{
	uint64_t now = wall / 1000, to = now + (uint64_t)days * DAY;
	uint64_t ca_from = 0, ca_to = 0;
	struct sign s = { 0 };
	const char *why = find_ca(&s, ca, ca_key);

	if (!why)
		cert_times(&ca_from, &ca_to, s.ca);
	if (!why && (ca_to <= wall || ca_from > wall))
		why = "the CA is not valid now";
	if (to > ca_to / 1000)
		to = ca_to / 1000;
	p->until = to * 1000;
	if (!why && !(begin(&s, name, now - EARLY, to) &&
		      node_exts(&s, name) && finish(&s) &&
		      to_pem(p, s.x, s.key)))
		why = "OpenSSL cannot make a certificate";
	X509_free(s.ca);
	EVP_PKEY_free(s.ca_key);
	end(&s);
	return why;
}

/* --- showing ------------------------------------------------------------- */

/* RFC 2253 text: control characters and all beyond ASCII are escaped */
static void put_name(struct buf *out, const char *title, X509_NAME *n)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p;
	long len;

	if (!b)
		return;
	(void)X509_NAME_print_ex(b, n, 0, XN_FLAG_RFC2253);
	len = BIO_get_mem_data(b, &p);
	buf_printf(out, "  %-11s %.*s\n", title, len > 200 ? 200 : (int)len,
		   p);
	BIO_free(b);
}

static void put_node(struct buf *out, const X509 *x)
{
	char name[CERT_NAME];

	switch (cert_name(name, x)) {
	case 0:
		buf_printf(out, "  %-11s %s\n", "node", name);
		break;
	default:
		buf_printf(out, "  %-11s none that could be used\n", "node");
		break;
	}
}

static void put_times(struct buf *out, const X509 *x, uint64_t wall,
		      bool *bad)
{
	uint64_t from, to;
	char a[24], b[24];

	cert_times(&from, &to, x);
	cert_date(a, from);
	cert_date(b, to);
	buf_printf(out, "  %-11s %s to %s, ", "valid", a, b);
	if (wall < from)
		buf_lit(out, "NOT YET\n");
	else if (wall > to)
		buf_lit(out, "RAN OUT\n");
	else
		buf_printf(out, "%llu days left\n",
			   (unsigned long long)((to - wall) / 1000 / DAY));
	*bad |= wall < from || wall > to;
}

static void put_print(struct buf *out, const X509 *x)
{
	uint8_t md[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (X509_digest(x, EVP_sha256(), md, &n) != 1)
		return;
	buf_printf(out, "  %-11s ", "SHA-256");
	buf_hex(out, md, n);
	buf_chr(out, '\n');
}

unsigned pki_show(struct buf *out, struct sl pem, uint64_t wall, bool *bad)
{
	BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
	unsigned n = 0;
	X509 *x;

	while (b && (x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL) {
		bool ca = X509_check_ca(x) == 1;

		n++;
		buf_printf(out, "certificate %u: %s\n", n, ca ? "CA" :
			   "node");
		put_name(out, "subject", X509_get_subject_name(x));
		put_name(out, "issuer", X509_get_issuer_name(x));
		if (!ca)
			put_node(out, x);
		put_times(out, x, wall, bad);
		put_print(out, x);
		X509_free(x);
	}
	BIO_free(b);
	ERR_clear_error();
	return n;
}
