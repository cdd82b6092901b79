/* stream_auth.c - Shell. The hand-shake of a stream: TLS, and who the peer is.
 * docs/cluster-protocol.md 1. */
#include <errno.h>
#include <string.h>
#include <openssl/err.h>
#include "base/clk.h"
#include "cluster/stream_priv.h"

int streams_recert(struct streams *t, const struct cert *cert)
{
	SSL_CTX *server = NULL, *client = NULL;
	int err = tls_server(&server, &t->keys, cert);

	if (!err)
		err = tls_client(&client, &t->keys, cert);
	if (err) {
		SSL_CTX_free(server);
		return err;
	}
	/* Streams that stand keep their references to the old ones */
	SSL_CTX_free(t->server);
	SSL_CTX_free(t->client);
	t->server = server;
	t->client = client;
	return 0;
}

int stream_auth_start(struct stream *c)
{
	struct streams *t = c->t;
	bool dialed = c->target >= 0;

	c->ssl = tls_new(dialed ? t->client : t->server, c->fd, dialed,
			 &c->seen);
	if (!c->ssl)
		return ENOMEM;
	c->state = T_AUTH;
	c->until = clk_now() + t->cf.auth;
	return 0;
}

#define BROKEN "broken"

/* Why OpenSSL does not go on. A connection that just ends is no stranger's:
 * whoever refuses says so by an alert. */
static const char *why_of(int e)
{
	int code = ERR_GET_REASON(ERR_peek_last_error());

	return e == SSL_ERROR_SYSCALL || (e == SSL_ERROR_SSL &&
	       code == SSL_R_UNEXPECTED_EOF_WHILE_READING) ? BROKEN :
	       "hand_shake";
}

void stream_auth_lost(struct stream *c, const char *why)
{
	struct tls_why w = { why, "", NULL };
	bool broken = !strcmp(why, BROKEN);
	char txt[ADDR_TXT];

	if (broken) {
		c->t->st.broken++;
		if (log_allow(&c->t->broken_log, 5, clk_now()))
			log_info("event=cluster_hand_shake_broken peer=%s "
				 "dialed=%s", addr_txt(&c->peer, txt),
				 c->target >= 0 ? "yes" : "no");
		return;
	}
	c->t->st.auth_failed++;
	if (!log_allow(&c->t->log, 5, clk_now()))
		return;
	if (!strcmp(why, "hand_shake"))
		tls_why(&w, &c->seen);
	log_warn("event=cluster_auth_failed peer=%s reason=%s%s%s%s "
		 "hint=\"%s\"", addr_txt(&c->peer, txt), w.reason,
		 *w.detail ? " tls=\"" : "", w.detail, *w.detail ? "\"" : "",
		 w.hint ? w.hint : "no node, or one that is overloaded");
}

/* OpenSSL gave r and no result: go on at the next event, or end it */
static void wait_or_lose(struct stream *c, int r)
{
	int e = SSL_get_error(c->ssl, r);

	if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
		stream_lose(c, why_of(e));
	else if (stream_watch(c, e == SSL_ERROR_WANT_READ ? NET_READ :
			      NET_READ | NET_WRITE))
		stream_lose(c, "no_memory");
}

static uint64_t preauth(const struct stream *c)
{
	if (c->t->cf.preauth)
		return c->t->cf.preauth;
	return c->seen.by_cert ? STREAM_PREAUTH_CERT : STREAM_PREAUTH;
}

/* Whoever dialed finishes first in TLS 1.3, before the other side has looked
 * at its certificate. The other side's first byte says that it was taken.
 * @return it was */
static bool taken(struct stream *c)
{
	char first;
	int r;

	if (!c->seen.by_cert || c->target < 0)
		return true;
	ERR_clear_error();
	r = SSL_peek(c->ssl, &first, 1);
	if (r <= 0)
		wait_or_lose(c, r);
	return r > 0;
}

static void finished(struct stream *c)
{
	struct streams *t = c->t;

	if (c->seen.by_cert ? tls_peer(c->ssl, c->name) != 0 :
	    !tls_by_key(c->ssl) || !tls_takes(&t->keys, &c->seen)) {
		stream_lose(c, c->seen.by_cert ? "not_by_certificate" :
			    "not_by_key");
		return;
	}
	t->st.authenticated++;
	c->state = T_OPEN;
	if (stream_watch(c, NET_READ)) {
		stream_lose(c, "no_memory");
		return;
	}
	/* What came right behind the hand-shake may be in TLS already: no
	 * event will tell of that */
	c->again = SSL_has_pending(c->ssl);
	c->id = t->h.up(c, c->target, t->h.arg);
	if (c->id < 0)
		stream_stop(c);
}

void stream_auth(struct stream *c)
{
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(c->ssl);
	if (BIO_number_read(SSL_get_rbio(c->ssl)) > preauth(c)) {
		stream_lose(c, "too_much_before_authentication");
		return;
	}
	if (r != 1)
		wait_or_lose(c, r);
	else if (taken(c))
		finished(c);
}
