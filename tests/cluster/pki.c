/* pki.c - CAs and certificates for tests. */
#include <stdio.h>
#include <string.h>
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include "pki.h"

static void ext(X509 *x, X509V3_CTX *v, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, v, nid, value);

	cr_assert(e, "%s", value);
	cr_assert_eq(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static void to_pem(struct pki *p)
{
	BIO *b = BIO_new(BIO_s_mem());

	cr_assert_eq(PEM_write_bio_X509(b, p->x), 1);
	p->cert[BIO_read(b, p->cert, sizeof(p->cert) - 1)] = 0;
	cr_assert_eq(PEM_write_bio_PrivateKey(b, p->key, NULL, NULL, 0, NULL,
					      NULL), 1);
	p->pem[BIO_read(b, p->pem, sizeof(p->pem) - 1)] = 0;
	BIO_free(b);
}

void pki_make(struct pki *p, const struct pki_want *w,
	      const struct pki *issuer)
{
	static long serial = 1;
	X509 *x = X509_new();
	X509V3_CTX v;
	long from = w->from || w->to ? w->from : -PKI_DAY;
	long to = w->from || w->to ? w->to : PKI_DAY;

	p->key = EVP_EC_gen("P-256");
	p->x = x;
	cr_assert(x && p->key);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(x), from);
	X509_gmtime_adj(X509_getm_notAfter(x), to);
	X509_set_pubkey(x, p->key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
				   MBSTRING_ASC, (const unsigned char *)w->cn,
				   -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer->x :
						      x));
	X509V3_set_ctx(&v, issuer ? issuer->x : x, x, NULL, NULL, 0);
	ext(x, &v, NID_basic_constraints, w->ca ? "critical,CA:TRUE" :
	    "critical,CA:FALSE");
	ext(x, &v, NID_subject_key_identifier, "hash");
	ext(x, &v, NID_authority_key_identifier, "keyid");
	if (!w->ca)
		ext(x, &v, NID_ext_key_usage, w->eku ? w->eku :
		    "serverAuth,clientAuth");
	if (w->san)
		ext(x, &v, NID_subject_alt_name, w->san);
	cr_assert_gt(X509_sign(x, issuer ? issuer->key : p->key,
			       EVP_sha256()), 0);
	to_pem(p);
}

void pki_ca(struct pki *p, const char *cn)
{
	const struct pki_want w = { .cn = cn, .ca = true };

	pki_make(p, &w, NULL);
}

void pki_node(struct pki *p, const char *name, const struct pki *ca)
{
	char san[128];
	const struct pki_want w = { .cn = name, .san = san };

	(void)snprintf(san, sizeof(san), "URI:" CERT_URN "%s", name);
	pki_make(p, &w, ca);
}

void pki_free(struct pki *p)
{
	X509_free(p->x);
	EVP_PKEY_free(p->key);
	memset(p, 0, sizeof(*p));
}

struct cert *pki_cert(const char *cas, const struct pki *own, uint64_t wall)
{
	struct cert_err e = { 0 };
	struct cert *c = NULL;

	cr_assert_eq(cert_alloc(&c, sl_cstr(cas), sl_cstr(own->cert),
				sl_cstr(own->pem), wall, &e), 0, "%s", e.why);
	return c;
}
