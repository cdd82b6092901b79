/* tls.c - Shell. TLS 1.3 with an external pre-shared key: RFC 8446 2.2 and
 * 4.2.11. There are no certificates at all: without the key neither side can
 * finish. */
#include <errno.h>
#include <string.h>
#include <openssl/err.h>
#include "cluster/tls.h"

#define SUITE "TLS_AES_128_GCM_SHA256"

static const char identity[] = "edgewise-cluster-1";

/* A fresh session object that carries the key; OpenSSL takes it over */
static SSL_SESSION *key_session(SSL *ssl, const struct tls_psk *psk)
{
	static const unsigned char id[2] = { 0x13, 0x01 };
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, id);
	SSL_SESSION *s;

	if (!cipher)
		return NULL;
	s = SSL_SESSION_new();
	if (!s)
		return NULL;
	if (!SSL_SESSION_set1_master_key(s, psk->key, sizeof(psk->key)) ||
	    !SSL_SESSION_set_cipher(s, cipher) ||
	    !SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION)) {
		SSL_SESSION_free(s);
		return NULL;
	}
	return s;
}

static const struct tls_psk *psk_of(SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static int use_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id,
		   size_t *idlen, SSL_SESSION **sess)
{
	(void)md;     /* one cipher suite, so it is always SHA-256 */
	*sess = key_session(ssl, psk_of(ssl));
	*id = (const unsigned char *)identity;
	*idlen = sizeof(identity) - 1;
	return *sess != NULL;
}

static int find_psk(SSL *ssl, const unsigned char *id, size_t idlen,
		    SSL_SESSION **sess)
{
	*sess = NULL;
	if (idlen != sizeof(identity) - 1 || memcmp(id, identity, idlen))
		return 1;                       /* unknown: no key */
	*sess = key_session(ssl, psk_of(ssl));
	return *sess != NULL;
}

static int common(SSL_CTX *ctx, struct tls_psk *psk)
{
	SSL_CTX_set_app_data(ctx, psk);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
			    SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
			 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(ctx, 1);         /* one read() per record */
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_set_ciphersuites(ctx, SUITE) ||
	    !SSL_CTX_set1_groups_list(ctx, "X25519:P-256") ||
	    !SSL_CTX_set_num_tickets(ctx, 0) ||
	    !SSL_CTX_set_max_early_data(ctx, 0))
		return EIO;
	return 0;
}

static int make(SSL_CTX **cp, const SSL_METHOD *method, struct tls_psk *psk)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return ENOMEM;
	if (common(ctx, psk)) {
		SSL_CTX_free(ctx);
		ERR_clear_error();
		return EIO;
	}
	*cp = ctx;
	return 0;
}

int tls_server(SSL_CTX **cp, struct tls_psk *psk)
{
	int err = make(cp, TLS_server_method(), psk);

	if (!err)
		SSL_CTX_set_psk_find_session_callback(*cp, find_psk);
	return err;
}

int tls_client(SSL_CTX **cp, struct tls_psk *psk)
{
	int err = make(cp, TLS_client_method(), psk);

	if (err)
		return err;
	SSL_CTX_set_psk_use_session_callback(*cp, use_psk);
	/* A server that answers with a certificate instead of the key is
	 * refused: no authority is trusted. */
	SSL_CTX_set_verify(*cp, SSL_VERIFY_PEER, NULL);
	return 0;
}

bool tls_by_key(const SSL *ssl)
{
	return SSL_session_reused(ssl) && !SSL_get0_peer_certificate(ssl);
}
