/**
 * @file pki.h  CAs and certificates of every kind, also wrong ones. Made without
 * the tool's code (ctl/), so that one can err without the other.
 */
#ifndef TESTS_CLUSTER_PKI_H
#define TESTS_CLUSTER_PKI_H

#include <openssl/x509.h>
#include "cluster/cert.h"

#define PKI_DAY 86400l

struct pki {
	EVP_PKEY *key;
	X509 *x;
	char cert[4096], pem[4096];      /* PEM: certificate, private key */
};

struct pki_want {
	const char *cn;
	const char *san;         /* "URI:urn:...", NULL = none              */
	const char *eku;         /* NULL = both ends of TLS                 */
	long from, to;           /* [s] from now; 0, 0 = a day around now   */
	bool ca;
};

/** issuer NULL = self-signed */
void pki_make(struct pki *p, const struct pki_want *w,
	      const struct pki *issuer);
void pki_ca(struct pki *p, const char *cn);
/** A right certificate for a node */
void pki_node(struct pki *p, const char *name, const struct pki *ca);
void pki_free(struct pki *p);
/** As the node would load it, at `wall` */
struct cert *pki_cert(const char *cas, const struct pki *own, uint64_t wall);

#endif
