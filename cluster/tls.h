/**
 * @file tls.h  Shell. OpenSSL contexts for the cluster's links: by key or by
 * certificate, never both.
 */
#ifndef CLUSTER_TLS_H
#define CLUSTER_TLS_H

#include <stdint.h>
#include <stdbool.h>
#include <openssl/ssl.h>
#include "cluster/cert.h"
#include "cluster/keyset.h"

#define TLS_ID 40             /**< longest identity, with its end [bytes]   */

/** Keys of one side; must outlive its contexts, may change under them */
struct tls_keys {
	struct {
		uint8_t key[SECRET_KEY];
		char id[TLS_ID];      /**< PSK identity                      */
	} k[KEYSET_MAX];              /**< [0] is offered                    */
	uint32_t n;
};

void tls_keys(struct tls_keys *t, const struct keyset *k);

/** What one hand-shake showed of the peer */
struct tls_seen {
	bool by_cert;       /**< our side                                    */
	bool hello;         /**< its ClientHello                             */
	bool key;           /**< it offers a pre-shared key                  */
	char id[TLS_ID];    /**< of the key of ours that was used, or ""     */
	bool cert;          /**< it showed a certificate                     */
	int verify;         /**< first fault of that, X509_V_*               */
	bool nameless;      /**< ours by its CA, but it names no node        */
};

/** @param cert  NULL = by key */
int  tls_server(SSL_CTX **cp, struct tls_keys *keys, const struct cert *cert);
int  tls_client(SSL_CTX **cp, struct tls_keys *keys, const struct cert *cert);
/** A stream of the context; seen must outlive it. @return NULL = no memory */
SSL *tls_new(SSL_CTX *ctx, int fd, bool dialed, struct tls_seen *seen);
/** After the hand-shake: was it really the key that authenticated? */
bool tls_by_key(const SSL *ssl);
/** Does the key that a hand-shake used still count? (By certificate: yes) */
bool tls_takes(const struct tls_keys *k, const struct tls_seen *seen);
/** After the hand-shake: the node that the peer's certificate names.
 *  @return 0, or EACCES */
int  tls_peer(const SSL *ssl, char name[CERT_NAME]);

/** Why a hand-shake failed, for the log: words without blanks, and OpenSSL's
 *  own text or "". Call right after the failure: it empties the error queue */
struct tls_why {
	const char *reason, *detail, *hint;
};
void tls_why(struct tls_why *w, const struct tls_seen *seen);

#endif
