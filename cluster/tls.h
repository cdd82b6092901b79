/**
 * @file tls.h  Shell. OpenSSL contexts for the cluster's links.
 */
#ifndef CLUSTER_TLS_H
#define CLUSTER_TLS_H

#include <stdint.h>
#include <stdbool.h>
#include <openssl/ssl.h>

/** Key of one side; must outlive its contexts */
struct tls_psk {
	uint8_t key[32];
};

int  tls_server(SSL_CTX **cp, struct tls_psk *psk);
int  tls_client(SSL_CTX **cp, struct tls_psk *psk);
/** After the hand-shake: was it really the key that authenticated? */
bool tls_by_key(const SSL *ssl);

#endif
