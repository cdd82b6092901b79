/* badpeer_link.c - Shell. Links of a hostile peer: TLS of its own making, so
 * that it can also be wrong. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "base/clk.h"
#include "base/net.h"
#include "base/secret.h"
#include "tests/hostile/badpeer.h"

#define PATIENCE 5000        /* [ms] */

static uint8_t psk[32];

static int use_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id,
		   size_t *idlen, SSL_SESSION **sess)
{
	static const unsigned char suite[2] = { 0x13, 0x01 };
	static const char name[] = "edgewise-cluster-1";
	SSL_SESSION *s = SSL_SESSION_new();

	(void)md;
	if (!s || !SSL_SESSION_set1_master_key(s, psk, sizeof(psk)) ||
	    !SSL_SESSION_set_cipher(s, SSL_CIPHER_find(ssl, suite)) ||
	    !SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) ||
	    !SSL_SESSION_set_max_early_data(s, 16384))
		die("no session");
	*sess = s;
	*id = (const unsigned char *)name;
	*idlen = sizeof(name) - 1;
	return 1;
}

SSL_CTX *bad_ctx(struct bad *b, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	secret_derive(psk, b->key, "cluster tls 1");
	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, version) ||
	    !SSL_CTX_set_max_proto_version(ctx, version))
		die("no TLS");
	if (version == TLS1_3_VERSION)
		SSL_CTX_set_psk_use_session_callback(ctx, use_psk);
	SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY);
	return ctx;
}

int bad_connect(const struct bad *b, bool at_once)
{
	struct sockaddr_storage ss;
	const struct linger hard = { 1, 0 };
	socklen_t n = net_to_sockaddr(&ss, &b->to);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC |
			(at_once ? SOCK_NONBLOCK : 0), 0);

	/* 10,000 connections leave no TIME_WAIT behind */
	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard,
				 sizeof(hard));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&ss, n) &&
	    errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

int bad_dial(struct bad *b)
{
	const struct timeval limit = { PATIENCE / 1000, 0 };

	b->fd = bad_connect(b, false);
	if (b->fd < 0)
		return errno;
	(void)setsockopt(b->fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
			 sizeof(limit));
	(void)setsockopt(b->fd, SOL_SOCKET, SO_SNDTIMEO, &limit,
			 sizeof(limit));
	b->ssl = SSL_new(b->ctx);
	b->hello = b->ack = false;
	b->have = b->theirs = b->push = 0;
	buf_reset(&b->in);
	buf_reset(&b->out);
	if (!b->ssl || !SSL_set_fd(b->ssl, b->fd))
		die("no memory");
	if (SSL_connect(b->ssl) != 1) {
		bad_hang_up(b);
		return ECONNREFUSED;
	}
	b->links_made++;
	return 0;
}

void bad_hang_up(struct bad *b)
{
	SSL_free(b->ssl);
	b->ssl = NULL;
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

bool bad_flush(struct bad *b)
{
	size_t at = 0;
	int r;

	if (b->out.err)
		die("a frame too large to make");
	while (at < b->out.n) {
		r = SSL_write(b->ssl, b->out.p + at, (int)(b->out.n - at));
		if (r <= 0)
			break;
		at += (size_t)r;
	}
	r = at == b->out.n;
	buf_reset(&b->out);
	b->closed += !r;
	return r;
}

/* What the node says is the best pattern for what it believes */
static void keep(struct bad *b, struct sl frame)
{
	uint32_t i = b->n_kept < BAD_KEPT ? b->n_kept++ :
		rng_below(&b->rng, BAD_KEPT);

	if (frame.n > 8192)
		return;
	buf_reset(&b->kept[i]);
	buf_sl(&b->kept[i], frame);
}

static void frame_in(struct bad *b, const struct wire_head *h, struct sl all)
{
	struct sl p = sl_sub(all, WIRE_HEAD, all.n);
	struct wire_hello hello;
	struct wire_hello_ack ha;
	struct wire_heartbeat *hb;

	b->frames_in++;
	keep(b, all);
	switch (h->type) {
	case WIRE_HELLO:
		if (!wire_hello_decode(&hello, p)) {
			b->theirs = hello.incarnation;
			b->hello = true;
		}
		break;
	case WIRE_HELLO_ACK:
		if (!wire_hello_ack_decode(&ha, p)) {
			b->have = ha.seq;
			b->ack = true;
		}
		break;
	case WIRE_HEARTBEAT:
		hb = malloc(sizeof(*hb));
		if (hb && !wire_heartbeat_decode(hb, p))
			b->have = hb->fed;
		free(hb);
		break;
	case WIRE_ERROR:
		b->errors_in++;
		break;
	default:
		break;
	}
}

static void frames(struct bad *b)
{
	struct wire_head h;
	size_t used = 0, total;

	while (!wire_frame(sl_sub(buf_as_sl(&b->in), used, b->in.n), WIRE_MAX,
			   &h, &total)) {
		frame_in(b, &h, sl_sub(buf_as_sl(&b->in), used,
				       used + total));
		used += total;
	}
	if (used)
		memmove(b->in.p, b->in.p + used, b->in.n - used);
	b->in.n -= used;
}

bool bad_take(struct bad *b, int ms)
{
	struct pollfd pf = { .fd = b->fd, .events = POLLIN };
	uint8_t *p;
	int r;

	while (SSL_has_pending(b->ssl) || poll(&pf, 1, ms) > 0) {
		p = buf_room(&b->in, 16384);
		if (!p)
			die("no memory");
		r = SSL_read(b->ssl, p, 16384);
		if (r <= 0) {
			b->closed++;
			return false;
		}
		b->in.n += (size_t)r;
		frames(b);
		ms = 0;
	}
	return true;
}

void bad_hello(struct bad *b, struct wire_hello *h)
{
	uint8_t id[SECRET_KEY];

	*h = (struct wire_hello){ .min = 1, .max = WIRE_VERSION,
		.role = WIRE_NODE, .node = 0xbad0 + rng_below(&b->rng, 4),
		.incarnation = rng_u64(&b->rng), .canon = WIRE_CANON,
		.max_expires = b->max_expires, .wall = clk_wall() };
	(void)snprintf(h->name, sizeof(h->name), "bad");
	secret_derive(id, b->key, "cluster id 1");
	memcpy(h->cluster, id, sizeof(h->cluster));
}

bool bad_greet(struct bad *b)
{
	uint64_t end = clk_now() + PATIENCE;
	struct wire_hello h;
	struct wire_hello_ack a = { .version = WIRE_VERSION };

	bad_hello(b, &h);
	wire_hello_encode(&b->out, &h);
	b->sent++;
	if (!bad_flush(b))
		return false;
	while (!b->ack && clk_now() < end)
		if (!bad_take(b, 50))
			return false;
	a.incarnation = b->theirs;
	a.have = b->have;
	wire_hello_ack_encode(&b->out, &a);
	b->sent++;
	return b->ack && bad_flush(b);
}
