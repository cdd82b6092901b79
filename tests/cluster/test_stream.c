/* test_stream.c - who gets past the hand-shake, and what strangers can do. */
#include "config.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <criterion/criterion.h>
#include "base/clk.h"
#include "base/net.h"
#include "base/secret.h"
#include "cluster/stream.h"
#include "cluster/wire.h"
#include "live.h"

/* One end: what its handlers saw */
struct end {
	struct streams *t;
	struct stream *c;
	struct ntimer *tick;
	int ups, fails, downs;
	size_t got;
	char said[64];
};

static int up(struct stream *c, int target, void *arg)
{
	struct end *e = arg;

	(void)target;
	e->c = c;
	e->ups++;
	return 0;
}

static void failed(int target, void *arg)
{
	(void)target;
	((struct end *)arg)->fails++;
}

static size_t received(struct stream *c, int id, struct sl in, void *arg)
{
	struct end *e = arg;

	(void)c;
	(void)id;
	e->got += in.n;
	return in.n;
}

static void down(int id, const char *why, void *arg)
{
	struct end *e = arg;

	(void)id;
	e->downs++;
	e->c = NULL;
	(void)snprintf(e->said, sizeof(e->said), "%s", why);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void tick(void *arg)
{
	struct end *e = arg;

	streams_tick(e->t, clk_now());
	ntimer_at(e->tick, clk_now() + 10);
}

static void start(struct end *e, uint8_t key, uint32_t auth_ms)
{
	struct streams_h h = { up, failed, received, down, nothing, e };
	struct streams_conf cf = { .user_timeout = 1000, .auth = auth_ms };

	memset(e, 0, sizeof(*e));
	live_key(cf.key, key);
	cr_assert_eq(addr_parse(&cf.addr, SL("127.0.0.1"), 0), 0);
	cr_assert_eq(streams_alloc(&e->t, &cf, &h), 0);
	cr_assert_eq(ntimer_alloc(&e->tick, tick, e), 0);
	ntimer_at(e->tick, clk_now() + 10);
}

static void stop(struct end *e)
{
	ntimer_free(e->tick);
	streams_free(e->t);
}

static void dial(struct end *from, uint16_t port)
{
	struct addr a;

	cr_assert_eq(addr_parse(&a, SL("127.0.0.1"), port), 0);
	cr_assert_eq(streams_dial(from->t, &a, 3), 0);
}

static void init(void)
{
	cr_assert_eq(secret_init(), 0);
	cr_assert_eq(net_init(512), 0);
}

static struct end a, b;

static bool both_up(const void *arg)
{
	return a.ups && b.ups;
}

static bool one_failed(const void *arg)
{
	return a.fails || b.fails || a.ups || b.ups;
}

Test(stream, both_with_the_key_get_through, .init = init)
{
	struct buf *o;

	start(&a, 1, 0);
	start(&b, 1, 0);
	dial(&a, streams_port(b.t));
	cr_assert(live_until(both_up, NULL, 10000));
	o = stream_out(a.c);
	for (int i = 0; i < 200000; i++)
		buf_put(o, "abcdefgh", 8);
	stream_flush(a.c);
	for (uint64_t t = clk_now() + 15000;
	     b.got < 1600000 && clk_now() < t;)
		(void)live_until(both_up, NULL, 1);
	cr_assert_eq(b.got, 1600000);
	cr_assert_eq(streams_stats(b.t)->auth_failed, 0);
	stop(&a);
	stop(&b);
}

Test(stream, another_key_is_refused_on_both_sides, .init = init)
{
	start(&a, 1, 0);
	start(&b, 2, 0);
	dial(&a, streams_port(b.t));
	cr_assert(live_until(one_failed, NULL, 10000));
	cr_assert_eq(a.ups + b.ups, 0);
	cr_assert_eq(a.fails, 1);
	stop(&a);
	stop(&b);
}

static bool nobody_left(const void *arg)
{
	return streams_stats(b.t)->conns == 0 &&
	       streams_stats(b.t)->accepted > 0;
}

/* A raw connection that sends n bytes */
static int raw(uint16_t port, const void *p, size_t n)
{
	struct sockaddr_storage ss;
	struct addr to;
	socklen_t sn;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(addr_parse(&to, SL("127.0.0.1"), port), 0);
	sn = net_to_sockaddr(&ss, &to);
	cr_assert_eq(connect(fd, (struct sockaddr *)&ss, sn), 0);
	if (n)
		cr_assert_eq(send(fd, p, n, MSG_NOSIGNAL), (ssize_t)n);
	return fd;
}

Test(stream, plain_text_is_closed_at_once, .init = init)
{
	int fd;

	start(&b, 1, 0);
	fd = raw(streams_port(b.t), "GET / HTTP/1.1\r\n\r\n", 18);
	cr_assert(live_until(nobody_left, NULL, 10000));
	cr_assert_eq(streams_stats(b.t)->auth_failed, 1);
	close(fd);
	stop(&b);
}

Test(stream, silence_is_closed_after_the_time_out, .init = init)
{
	uint64_t from = clk_now();
	int fd;

	start(&b, 1, 200);
	fd = raw(streams_port(b.t), "\x16\x03\x01", 3);
	cr_assert(live_until(nobody_left, NULL, 10000));
	cr_assert_geq(clk_now() - from, 150);
	cr_assert_eq(streams_stats(b.t)->auth_failed, 1);
	close(fd);
	stop(&b);
}

Test(stream, much_before_authentication_is_closed, .init = init)
{
	/* a record of 4 KiB that claims to begin a ClientHello of 16 KiB */
	uint8_t p[5 + 4096] = { 0x16, 0x03, 0x01, 0x10, 0x00,
				0x01, 0x00, 0x40, 0x00, 0x03, 0x03 };
	int fd;

	start(&b, 1, 4000);
	fd = raw(streams_port(b.t), p, sizeof(p));
	cr_assert(live_until(nobody_left, NULL, 10000));
	close(fd);
	stop(&b);
}

static bool half_full(const void *arg)
{
	return streams_stats(b.t)->accepted >= 40;
}

Test(stream, silent_strangers_cannot_keep_a_peer_out, .init = init)
{
	int fd[40];

	start(&b, 1, 60000);
	for (int i = 0; i < 40; i++)
		fd[i] = raw(streams_port(b.t), NULL, 0);
	cr_assert(live_until(half_full, NULL, 10000));
	cr_assert_eq(streams_stats(b.t)->conns, STREAM_HALF);
	cr_assert_eq(streams_stats(b.t)->half_full, 40 - STREAM_HALF);
	start(&a, 1, 0);
	dial(&a, streams_port(b.t));
	cr_assert(live_until(both_up, NULL, 10000));
	for (int i = 0; i < 40; i++)
		close(fd[i]);
	stop(&a);
	stop(&b);
}

Test(stream, a_refused_connection_is_reported, .init = init)
{
	uint16_t port;

	start(&b, 1, 0);
	port = streams_port(b.t);
	stop(&b);
	memset(&b, 0, sizeof(b));
	start(&a, 1, 0);
	dial(&a, port);
	cr_assert(live_until(one_failed, NULL, 10000));
	cr_assert_eq(a.fails, 1);
	stop(&a);
}

/* --- a false server with a certificate --------------------------------------------- */

static SSL_CTX *with_certificate(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();

	cr_assert(ctx && key && x);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
				   MBSTRING_ASC,
				   (const unsigned char *)"n1", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	cr_assert_gt(X509_sign(x, key, EVP_sha256()), 0);
	cr_assert_eq(SSL_CTX_use_certificate(ctx, x), 1);
	cr_assert_eq(SSL_CTX_use_PrivateKey(ctx, key), 1);
	X509_free(x);
	EVP_PKEY_free(key);
	return ctx;
}

struct false_server {
	int lfd, fd;
	SSL_CTX *ctx;
	SSL *ssl;
};

static struct false_server fs;

static bool serve_falsely(const void *arg)
{
	if (fs.fd < 0) {
		fs.fd = accept4(fs.lfd, NULL, NULL, SOCK_NONBLOCK);
		if (fs.fd >= 0) {
			fs.ssl = SSL_new(fs.ctx);
			SSL_set_fd(fs.ssl, fs.fd);
		}
	}
	if (fs.ssl)
		(void)SSL_accept(fs.ssl);
	return a.fails || a.ups;
}

Test(stream, a_server_with_a_certificate_but_no_key_is_refused, .init = init)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	struct addr at;

	cr_assert_eq(addr_parse(&at, SL("127.0.0.1"), 0), 0);
	fs.fd = -1;
	fs.ctx = with_certificate();
	fs.lfd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(fs.lfd, (struct sockaddr *)&ss,
			  net_to_sockaddr(&ss, &at)), 0);
	cr_assert_eq(listen(fs.lfd, 4), 0);
	cr_assert_eq(getsockname(fs.lfd, (struct sockaddr *)&ss, &n), 0);
	cr_assert_eq(net_from_sockaddr(&at, (struct sockaddr *)&ss), 0);
	start(&a, 1, 0);
	dial(&a, at.port);
	cr_assert(live_until(serve_falsely, NULL, 10000));
	cr_assert_eq(a.ups, 0);
	cr_assert_eq(a.fails, 1);
	SSL_free(fs.ssl);
	SSL_CTX_free(fs.ctx);
	close(fs.fd);
	close(fs.lfd);
	stop(&a);
}

/* --- a peer with the key that misbehaves -------------------------------------------- */

static bool a_down(const void *arg)
{
	return a.downs > 0;
}

static bool a_up(const void *arg)
{
	return a.ups > 0;
}

/* Sends `bytes` as its first words to a real node */
static void misbehave(const void *bytes, size_t n, uint64_t want_bad)
{
	struct cluster_view *v = calloc(1, sizeof(*v));
	struct live x;
	uint8_t key[32];

	live_key(key, 1);
	live_start(&x, 1, key, NULL, 0);
	start(&a, 1, 0);
	dial(&a, cluster_port(x.c));
	cr_assert(live_until(a_up, NULL, 10000));
	buf_put(stream_out(a.c), bytes, n);
	stream_flush(a.c);
	cr_assert(live_until(a_down, NULL, 10000));
	cluster_view(x.c, v);
	cr_assert_eq(v->bad_frames, want_bad);
	cr_assert_eq(v->links_now, 0);
	free(v);
	stop(&a);
	live_stop(&x);
}

Test(stream, a_first_frame_above_the_limit_is_refused, .init = init)
{
	uint8_t head[WIRE_HEAD] = { 'E', 'W', 1, WIRE_HELLO, 0, 0, 0, 0,
				    0, 0, 0x04, 0x01 };

	misbehave(head, sizeof(head), 1);
}

Test(stream, garbage_under_the_right_key_is_refused, .init = init)
{
	misbehave("nonsense nonsense", 17, 1);
}

Test(stream, data_before_hello_is_refused, .init = init)
{
	struct wire_ack k = { 5 };
	struct buf w;

	buf_init(&w, 1024);
	wire_ack_encode(&w, &k);
	misbehave(w.p, w.n, 1);
	buf_free(&w);
}
