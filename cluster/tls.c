/* tls.c - Shell. TLS 1.3 in one of two modes. By key: an external pre-shared
 * key, RFC 8446 2.2 and 4.2.11, no certificates at all; without the key neither
 * side can finish. By certificate: both sides show one that a CA of ours issued. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include "cluster/tls.h"

#define SUITE "TLS_AES_128_GCM_SHA256"

static const char identity[] = "edgewise-cluster-1";

/* The key that never changed has the name that all keys had once: nodes that
 * know no other one understand it */
void tls_keys(struct tls_keys *t, const struct keyset *k)
{
	char name[KEYSET_NAME];

	memset(t, 0, sizeof(*t));
	t->n = k->n;
	for (uint32_t i = 0; i < k->n; i++) {
		secret_derive(t->k[i].key, k->key[i], "cluster tls 1");
		keyset_name(name, k->key[i]);
		(void)snprintf(t->k[i].id, TLS_ID, "%s%s%s", identity,
			       keyset_is_base(k, i) ? "" : "/",
			       keyset_is_base(k, i) ? "" : name);
	}
}

/* A fresh session object that carries the key; OpenSSL takes it over */
static SSL_SESSION *key_session(SSL *ssl, const uint8_t key[SECRET_KEY])
{
	static const unsigned char id[2] = { 0x13, 0x01 };
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, id);
	SSL_SESSION *s;

	if (!cipher)
		return NULL;
	s = SSL_SESSION_new();
	if (!s)
		return NULL;
	if (!SSL_SESSION_set1_master_key(s, key, SECRET_KEY) ||
	    !SSL_SESSION_set_cipher(s, cipher) ||
	    !SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION)) {
		SSL_SESSION_free(s);
		return NULL;
	}
	return s;
}

static const struct tls_keys *keys_of(SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static int use_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id,
		   size_t *idlen, SSL_SESSION **sess)
{
	const struct tls_keys *k = keys_of(ssl);
	struct tls_seen *seen = SSL_get_app_data(ssl);

	(void)md;     /* one cipher suite, so it is always SHA-256 */
	*sess = key_session(ssl, k->k[0].key);
	/* the keys may change before OpenSSL is done with it */
	memcpy(seen->id, k->k[0].id, TLS_ID);
	*id = (const unsigned char *)seen->id;
	*idlen = strlen(seen->id);
	return *sess != NULL;
}

static int find_psk(SSL *ssl, const unsigned char *id, size_t idlen,
		    SSL_SESSION **sess)
{
	const struct tls_keys *k = keys_of(ssl);
	struct tls_seen *seen = SSL_get_app_data(ssl);

	*sess = NULL;
	for (uint32_t i = 0; i < k->n; i++) {
		if (strlen(k->k[i].id) != idlen ||
		    memcmp(id, k->k[i].id, idlen))
			continue;
		memcpy(seen->id, k->k[i].id, TLS_ID);
		*sess = key_session(ssl, k->k[i].key);
		return *sess != NULL;
	}
	return 1;                               /* unknown: no key */
}

static int common(SSL_CTX *ctx, struct tls_keys *keys)
{
	SSL_CTX_set_app_data(ctx, keys);
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

/* --- what the peer shows ------------------------------------------------- */

/* Only looks: a side that takes the other mode fails later by itself, and the
 * log can then say why */
static int look_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_seen *seen = SSL_get_app_data(ssl);
	const unsigned char *p;
	size_t n;

	(void)alert;
	(void)arg;
	seen->hello = true;
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk, &p, &n))
		seen->key = true;
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* Called for each certificate of the chain. A peer whose certificate names no
 * node is refused here, where TLS can still tell it so. */
static int look_cert(int good, X509_STORE_CTX *x)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(x,
				SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_seen *seen = SSL_get_app_data(ssl);
	char name[CERT_NAME];

	seen->cert = true;
	if (!good && seen->verify == X509_V_OK)
		seen->verify = X509_STORE_CTX_get_error(x);
	if (!good || !seen->by_cert || X509_STORE_CTX_get_error_depth(x))
		return good;
	if (!cert_name(name, X509_STORE_CTX_get_current_cert(x)))
		return 1;
	seen->nameless = true;
	X509_STORE_CTX_set_error(x, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

/* --- contexts ------------------------------------------------------------ */

static int make(SSL_CTX **cp, const SSL_METHOD *method, struct tls_keys *keys,
		const struct cert *cert)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	int err;

	if (!ctx)
		return ENOMEM;
	err = common(ctx, keys);
	if (!err && cert)
		err = cert_use(cert, ctx);
	if (err) {
		SSL_CTX_free(ctx);
		ERR_clear_error();
		return EIO;
	}
	*cp = ctx;
	return 0;
}

int tls_server(SSL_CTX **cp, struct tls_keys *keys, const struct cert *cert)
{
	int err = make(cp, TLS_server_method(), keys, cert);

	if (err)
		return err;
	SSL_CTX_set_client_hello_cb(*cp, look_hello, NULL);
	if (cert)
		SSL_CTX_set_verify(*cp, SSL_VERIFY_PEER |
				   SSL_VERIFY_FAIL_IF_NO_PEER_CERT, look_cert);
	else
		SSL_CTX_set_psk_find_session_callback(*cp, find_psk);
	return 0;
}

int tls_client(SSL_CTX **cp, struct tls_keys *keys, const struct cert *cert)
{
	int err = make(cp, TLS_client_method(), keys, cert);

	if (err)
		return err;
	if (!cert)
		SSL_CTX_set_psk_use_session_callback(*cp, use_psk);
	/* By key, a server that answers with a certificate instead is refused:
	 * no authority is trusted. */
	SSL_CTX_set_verify(*cp, SSL_VERIFY_PEER, look_cert);
	return 0;
}

SSL *tls_new(SSL_CTX *ctx, int fd, bool dialed, struct tls_seen *seen)
{
	SSL *ssl = SSL_new(ctx);

	memset(seen, 0, sizeof(*seen));
	seen->by_cert = SSL_CTX_get0_certificate(ctx) != NULL;
	if (!ssl || !SSL_set_fd(ssl, fd)) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_app_data(ssl, seen);
	if (dialed)
		SSL_set_connect_state(ssl);
	else
		SSL_set_accept_state(ssl);
	return ssl;
}

/* --- results ------------------------------------------------------------- */

bool tls_by_key(const SSL *ssl)
{
	return SSL_session_reused(ssl) && !SSL_get0_peer_certificate(ssl);
}

bool tls_takes(const struct tls_keys *k, const struct tls_seen *seen)
{
	for (uint32_t i = 0; !seen->by_cert && i < k->n; i++) {
		if (!strcmp(seen->id, k->k[i].id))
			return true;
	}
	return seen->by_cert;
}

int tls_peer(const SSL *ssl, char name[CERT_NAME])
{
	const X509 *x = SSL_get0_peer_certificate(ssl);

	if (!x || SSL_session_reused(ssl) ||
	    SSL_get_verify_result(ssl) != X509_V_OK || cert_name(name, x))
		return EACCES;
	return 0;
}

static void why_by_key(struct tls_why *w, const struct tls_seen *s)
{
	w->reason = "hand_shake";
	w->hint = "no node, or another cluster key";
	if (s->cert) {
		w->reason = "peer_has_certificates";
		w->detail = "";
		w->hint = "links by key here, by certificate there";
	}
	else if (s->hello && s->key && !s->id[0]) {
		w->reason = "key_not_known";
		w->hint = "another cluster key there, or one that does not "
			  "count here any more";
	}
	else if (s->hello && !s->key) {
		w->reason = "peer_offers_no_key";
		w->hint = "no node, or links by key here, by certificate "
			  "there";
	}
}

static void why_by_cert(struct tls_why *w, const struct tls_seen *s,
			bool alert, int code)
{
	w->reason = "hand_shake";
	w->hint = "no node, or links by certificate here, by key there";
	if (s->key) {
		w->reason = "peer_offers_the_key";
		w->hint = "links by certificate here, by key there";
	}
	else if (s->nameless) {
		w->reason = "certificate_names_no_node";
		w->detail = "";
		w->hint = "subjectAltName URI:" CERT_URN "NAME is missing";
	}
	else if (s->verify != X509_V_OK) {
		w->reason = "certificate";
		w->detail = X509_verify_cert_error_string(s->verify);
		w->hint = s->verify == X509_V_ERR_CERT_HAS_EXPIRED ||
			  s->verify == X509_V_ERR_CERT_NOT_YET_VALID ?
			  "issue a new one; is the clock right?" :
			  "no CA of our cluster.ca_file issued it";
	}
	else if (code == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
		w->reason = "no_certificate";
		w->hint = "no node, or one without cluster.cert_file";
	}
	else if (alert && s->cert) {
		w->reason = "peer_refuses_our_certificate";
		w->hint = "see its log";
	}
}

void tls_why(struct tls_why *w, const struct tls_seen *seen)
{
	unsigned long e = ERR_peek_last_error();
	int code = ERR_GET_LIB(e) == ERR_LIB_SSL ? ERR_GET_REASON(e) : 0;
	/* OpenSSL's numbers of alerts that came */
	bool alert = code >= SSL_AD_REASON_OFFSET;

	w->detail = e ? ERR_reason_error_string(e) : NULL;
	if (!w->detail)
		w->detail = "";
	if (seen->by_cert)
		why_by_cert(w, seen, alert, code);
	else
		why_by_key(w, seen);
	ERR_clear_error();
}
