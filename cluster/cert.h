/**
 * @file cert.h  Shell. What a node shows to the others and whom it believes:
 * its certificate, the key of it, the CAs. docs/cluster-protocol.md 1.2.
 */
#ifndef CLUSTER_CERT_H
#define CLUSTER_CERT_H

#include "base/sl.h"

/** Who a certificate speaks for: the one URI in its subjectAltName that begins
 *  so, and the node's name behind it */
#define CERT_URN "urn:edgewise:node:"
#define CERT_NAME 64             /**< a name and its zero [bytes] */
#define CERT_FILE_MAX 65536      /**< longest of the three texts [bytes] */
#define CERT_CHAIN 8192          /**< a peer's certificates in all [bytes] */
#define CERT_CAS 16              /**< CAs at once */
#define CERT_DEPTH 3             /**< CAs between a certificate and ours */
#define CERT_LEVEL 2             /**< OpenSSL's: 112 bits, no SHA-1 */

struct x509_st;
struct ssl_ctx_st;
struct X509_VERIFY_PARAM_st;

struct cert_info {
	char name[CERT_NAME];
	char issuer[160];              /**< RFC 2253 text, escaped */
	/** [ms since 1970] while all of the chain is valid, our CA included */
	uint64_t not_before, not_after;
	char until[24];                /**< not_after as RFC 3339 */
};

enum cert_part { CERT_CA, CERT_OWN, CERT_KEY };

/** What is wrong, and in which of the three texts */
struct cert_err {
	enum cert_part part;
	char why[200];
};

struct cert;

/**
 * Three PEM texts, checked as a peer would check them: the key is the
 * certificate's, a CA of ours issued it for both ends of a link, it is
 * valid at `wall` and names a node.
 *
 * @param ca   one or more CAs
 * @param own  our certificate, then those between it and a CA
 * @return 0, EBADMSG (*e says why), ENOMEM
 */
int  cert_alloc(struct cert **cp, struct sl ca, struct sl own, struct sl key,
		uint64_t wall, struct cert_err *e);
void cert_free(struct cert *c);
const struct cert_info *cert_info(const struct cert *c);
/** Give it to a context, which keeps its own references. @return 0 or EIO */
int  cert_use(const struct cert *c, struct ssl_ctx_st *ctx);

/** A name that a certificate can carry: letters, digits, '.', '_', '-'; the
 *  first one a letter or digit */
bool cert_name_ok(struct sl name);
/** Node named by a certificate. @return 0, ENOENT (none), EBADMSG (more than
 *  one, or no such name) */
int  cert_name(char name[CERT_NAME], const struct x509_st *x);
/** Begin and end of its validity [ms since 1970], 0 = before 1970 or odd */
void cert_times(uint64_t *from, uint64_t *to, const struct x509_st *x);
/** RFC 3339, UTC */
void cert_date(char txt[24], uint64_t ms);

#endif
