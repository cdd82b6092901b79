/* test_stream.c - who gets past the hand-shake, and what strangers can do. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <stdlib.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <criterion/criterion.h>
#include "base/clk.h"
#include "base/net.h"
#include "base/secret.h"
#include "cluster/stream.h"
#include "cluster/tls.h"
#include "cluster/wire.h"
#include "live.h"
#include "pki.h"

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

	e->c = c;
	e->ups++;
	if (target < 0) {           /* who accepts speaks first */
		buf_put(stream_out(c), "!", 1);
		stream_flush(c);
	}
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

static void start_as(struct end *e, uint8_t key, uint32_t auth_ms,
		     const struct cert *cert)
{
	struct streams_h h = { up, failed, received, down, nothing, e };
	struct streams_conf cf = { .user_timeout = 1000, .auth = auth_ms,
				   .cert = cert };
	struct keyset keys;
	uint8_t raw[32];

	memset(e, 0, sizeof(*e));
	live_key(raw, key);
	keyset_one(&keys, raw);
	cf.keys = &keys;
	cr_assert_eq(addr_parse(&cf.addr, SL("127.0.0.1"), 0), 0);
	cr_assert_eq(streams_alloc(&e->t, &cf, &h), 0);
	cr_assert_eq(ntimer_alloc(&e->tick, tick, e), 0);
	ntimer_at(e->tick, clk_now() + 10);
}

static void start(struct end *e, uint8_t key, uint32_t auth_ms)
{
	start_as(e, key, auth_ms, NULL);
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

static bool broken(const void *arg)
{
	return streams_stats(((const struct end *)arg)->t)->broken > 0;
}

Test(stream, a_peer_that_goes_in_the_hand_shake_is_no_stranger, .init = init)
{
	const struct linger now = { 1, 0 };     /* by RST */
	int fd;

	for (int rst = 0; rst < 2; rst++) {
		start(&b, 1, 0);
		fd = raw(streams_port(b.t), "\x16\x03\x01", 3);
		if (rst)
			(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now,
					 sizeof(now));
		close(fd);
		cr_assert(live_until(broken, &b, 10000));
		cr_expect_eq(streams_stats(b.t)->auth_failed, 0);
		stop(&b);
	}
}

/* A node that is killed before it has said anything */
static bool hang_up(const void *arg)
{
	int fd = accept(*(const int *)arg, NULL, NULL);

	if (fd >= 0)
		close(fd);
	return a.fails > 0;
}

Test(stream, whom_we_dial_and_goes_in_the_hand_shake_is_no_stranger,
     .init = init)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	struct addr at;
	int lfd;

	cr_assert_eq(addr_parse(&at, SL("127.0.0.1"), 0), 0);
	lfd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(lfd, (struct sockaddr *)&ss,
			  net_to_sockaddr(&ss, &at)), 0);
	cr_assert_eq(listen(lfd, 4), 0);
	cr_assert_eq(getsockname(lfd, (struct sockaddr *)&ss, &n), 0);
	cr_assert_eq(net_from_sockaddr(&at, (struct sockaddr *)&ss), 0);
	start(&a, 1, 0);
	dial(&a, at.port);
	cr_assert(live_until(hang_up, &lfd, 10000));
	cr_expect_eq(streams_stats(a.t)->broken, 1);
	cr_expect_eq(streams_stats(a.t)->auth_failed, 0);
	close(lfd);
	stop(&a);
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

/* --- by certificate ------------------------------------------------------ */

static struct pki ca, ca2, n1, n2, m2;      /* n1, n2 of ca; m2 of ca2 */
static char both_cas[8192];

static void init_pki(void)
{
	init();
	pki_ca(&ca, "CA one");
	pki_ca(&ca2, "CA two");
	pki_node(&n1, "n1", &ca);
	pki_node(&n2, "n2", &ca);
	pki_node(&m2, "m2", &ca2);
	(void)snprintf(both_cas, sizeof(both_cas), "%s%s", ca.cert, ca2.cert);
}

static void fini_pki(void)
{
	pki_free(&ca);
	pki_free(&ca2);
	pki_free(&n1);
	pki_free(&n2);
	pki_free(&m2);
}

TestSuite(by_cert, .init = init_pki, .fini = fini_pki, .timeout = 60);

/* Taken as right when it was: a node may start in time and run on */
static void start_pki_at(struct end *e, const char *cas, const struct pki *own,
			 uint64_t wall)
{
	struct cert *c = pki_cert(cas, own, wall);

	start_as(e, 1, 0, c);
	cert_free(c);
}

static void start_pki(struct end *e, const char *cas, const struct pki *own)
{
	start_pki_at(e, cas, own, clk_wall());
}

/* a dials b: nobody gets through, and both know */
static bool neither(const void *arg)
{
	return a.fails + a.ups && streams_stats(b.t)->auth_failed + b.ups;
}

static void refuse_each_other(void)
{
	dial(&a, streams_port(b.t));
	cr_assert(live_until(neither, NULL, 10000));
	cr_expect_eq(a.ups, 0);
	cr_expect_eq(b.ups, 0);
	cr_expect_eq(a.fails, 1);
	cr_expect_eq(streams_stats(a.t)->auth_failed, 1);
	cr_expect_eq(streams_stats(b.t)->auth_failed, 1);
	stop(&a);
	stop(&b);
}

static bool b_got(const void *arg)
{
	return b.got >= *(const size_t *)arg;
}

static void say(struct end *from)
{
	size_t want = b.got + 5;

	buf_put(stream_out(from->c), "hello", 5);
	stream_flush(from->c);
	cr_assert(live_until(b_got, &want, 10000));
}

static bool a_got(const void *arg)
{
	return a.got > 0;
}

Test(by_cert, both_get_through_and_know_each_other)
{
	start_pki(&a, ca.cert, &n1);
	start_pki(&b, ca.cert, &n2);
	dial(&a, streams_port(b.t));
	cr_assert(live_until(both_up, NULL, 10000));
	cr_expect_str_eq(stream_name(a.c), "n2");
	cr_expect_str_eq(stream_name(b.c), "n1");
	cr_expect(live_until(a_got, NULL, 10000), "the first byte was lost");
	say(&a);
	cr_expect_eq(a.got, 1, "the first byte came twice");
	cr_expect_eq(streams_stats(b.t)->auth_failed, 0);
	stop(&a);
	stop(&b);
}

Test(by_cert, what_is_between_us_and_the_ca_is_sent_along)
{
	const struct pki_want w = { .cn = "between", .ca = true };
	struct pki m, p;

	pki_make(&m, &w, &ca);
	pki_node(&p, "n3", &m);
	strcat(p.cert, m.cert);
	start_pki(&a, ca.cert, &p);
	start_pki(&b, ca.cert, &n2);
	dial(&a, streams_port(b.t));
	cr_assert(live_until(both_up, NULL, 10000));
	cr_expect_str_eq(stream_name(b.c), "n3");
	stop(&a);
	stop(&b);
	pki_free(&m);
	pki_free(&p);
}

Test(by_cert, by_key_nobody_has_a_name)
{
	start(&a, 1, 0);
	start(&b, 1, 0);
	dial(&a, streams_port(b.t));
	cr_assert(live_until(both_up, NULL, 10000));
	cr_expect_str_eq(stream_name(a.c), "");
	cr_expect_str_eq(stream_name(b.c), "");
	stop(&a);
	stop(&b);
}

Test(by_cert, a_server_of_another_ca_is_refused)
{
	start_pki(&a, ca.cert, &n1);
	start_pki(&b, both_cas, &m2);
	refuse_each_other();
}

Test(by_cert, a_client_of_another_ca_is_refused_before_it_is_up)
{
	start_pki(&a, both_cas, &m2);
	start_pki(&b, ca.cert, &n2);
	refuse_each_other();
}

static void make_old(struct pki *p)
{
	const struct pki_want w = { .cn = "n1",
		.san = "URI:urn:edgewise:node:n1", .from = -2 * PKI_DAY,
		.to = -60 };

	pki_free(p);
	pki_make(p, &w, &ca);
}

Test(by_cert, a_client_whose_certificate_ran_out_is_refused)
{
	make_old(&n1);
	start_pki_at(&a, ca.cert, &n1, clk_wall() - 3600000);
	start_pki(&b, ca.cert, &n2);
	refuse_each_other();
}

Test(by_cert, a_server_whose_certificate_ran_out_is_refused)
{
	make_old(&n1);
	start_pki(&a, ca.cert, &n2);
	start_pki_at(&b, ca.cert, &n1, clk_wall() - 3600000);
	refuse_each_other();
}

Test(by_cert, a_client_with_the_key_alone_is_refused)
{
	start(&a, 1, 0);
	start_pki(&b, ca.cert, &n2);
	refuse_each_other();
}

Test(by_cert, a_server_with_the_key_alone_is_refused)
{
	start_pki(&a, ca.cert, &n1);
	start(&b, 1, 0);
	refuse_each_other();
}

/* A client of OpenSSL's own with whatever certificate, or none */
static struct {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	int alert;                /* that came, 0 = none */
} fc;

static void client_turn(void)
{
	int r, code;
	char c;

	ERR_clear_error();
	r = SSL_connect(fc.ssl);
	if (r == 1)
		r = SSL_read(fc.ssl, &c, 1);
	code = ERR_GET_REASON(ERR_peek_last_error());
	if (r <= 0 && code > SSL_AD_REASON_OFFSET)
		fc.alert = code - SSL_AD_REASON_OFFSET;
}

static bool b_decided(const void *arg)
{
	client_turn();
	return streams_stats(b.t)->auth_failed || b.ups;
}

/* p with `more` certificates behind it */
static void client_begin(const struct pki *p, int more)
{
	start_pki(&b, ca.cert, &n2);
	fc.ctx = SSL_CTX_new(TLS_client_method());
	if (p) {
		cr_assert_eq(SSL_CTX_use_certificate(fc.ctx, p->x), 1);
		cr_assert_eq(SSL_CTX_use_PrivateKey(fc.ctx, p->key), 1);
	}
	while (more-- > 0)
		cr_assert_eq(SSL_CTX_add1_chain_cert(fc.ctx, ca2.x), 1);
	fc.fd = raw(streams_port(b.t), NULL, 0);
	cr_assert_eq(fcntl(fc.fd, F_SETFL, O_NONBLOCK), 0);
	fc.ssl = SSL_new(fc.ctx);
	cr_assert_eq(SSL_set_fd(fc.ssl, fc.fd), 1);
}

static void come_along(const struct pki *p, int more)
{
	client_begin(p, more);
	cr_assert(live_until(b_decided, NULL, 10000));
}

static void come_with(const struct pki *p)
{
	come_along(p, 0);
}

static bool told(const void *arg)
{
	client_turn();
	return fc.alert != 0;
}

/* Refused, and TLS told the client so. @return number of the alert */
static int refused_with_alert(void)
{
	cr_expect_eq(b.ups, 0);
	cr_expect_eq(streams_stats(b.t)->auth_failed, 1);
	cr_expect(live_until(told, NULL, 5000));
	return fc.alert;
}

static void gone(void)
{
	SSL_free(fc.ssl);
	SSL_CTX_free(fc.ctx);
	close(fc.fd);
	stop(&b);
}

Test(by_cert, a_client_of_our_ca_gets_in)
{
	come_with(&n1);       /* so the next ones fail for what they lack */
	cr_expect_eq(b.ups, 1);
	gone();
}

/* Its last words of the hand-shake and its first ones after it in one segment:
 * the socket announces them once */
static bool b_got_both(const void *arg)
{
	const int off = 0;

	(void)arg;
	if (!SSL_is_init_finished(fc.ssl) && SSL_connect(fc.ssl) == 1) {
		cr_expect_eq(SSL_write(fc.ssl, "hello", 5), 5);
		(void)setsockopt(fc.fd, IPPROTO_TCP, TCP_CORK, &off,
				 sizeof(off));
	}
	return b.got > 0;
}

Test(by_cert, words_right_behind_the_hand_shake_are_heard)
{
	const int on = 1;

	client_begin(&n1, 0);
	cr_assert_eq(SSL_connect(fc.ssl), -1);   /* its first words are out */
	cr_assert_eq(setsockopt(fc.fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)),
		     0);
	cr_assert(live_until(b_got_both, NULL, 10000));
	cr_expect_eq(b.got, 5);
	gone();
}

Test(by_cert, more_certificates_than_the_limit_are_refused)
{
	/* too many for the list, not for all that a stranger may send */
	come_along(&n1, CERT_CHAIN / i2d_X509(ca2.x, NULL) + 1);
	cr_expect_eq(b.ups, 0);
	cr_expect_eq(streams_stats(b.t)->auth_failed, 1);
	gone();
}

Test(by_cert, a_client_without_a_certificate_is_refused)
{
	come_with(NULL);
	cr_expect_eq(refused_with_alert(), 116);  /* certificate_required */
	gone();
}

Test(by_cert, a_self_signed_certificate_is_refused)
{
	const struct pki_want w = { .cn = "n1",
		.san = "URI:urn:edgewise:node:n1" };
	struct pki p;

	pki_make(&p, &w, NULL);
	come_with(&p);
	cr_expect_eq(refused_with_alert(), 48);   /* unknown_ca */
	gone();
	pki_free(&p);
}

Test(by_cert, a_certificate_of_our_ca_that_names_no_node_is_refused)
{
	const struct pki_want w = { .cn = "n1", .san = "DNS:n1" };
	struct pki p;

	pki_make(&p, &w, &ca);
	come_with(&p);
	cr_expect_gt(refused_with_alert(), 0);
	gone();
	pki_free(&p);
}

Test(by_cert, a_certificate_for_servers_alone_opens_nothing)
{
	const struct pki_want w = { .cn = "n1", .eku = "serverAuth",
		.san = "URI:urn:edgewise:node:n1" };
	struct pki p;

	pki_make(&p, &w, &ca);
	come_with(&p);
	cr_expect_gt(refused_with_alert(), 0);
	gone();
	pki_free(&p);
}

Test(by_cert, an_old_protocol_is_refused)
{
	start_pki(&b, ca.cert, &n2);
	fc.ctx = SSL_CTX_new(TLS_client_method());
	cr_assert_eq(SSL_CTX_set_max_proto_version(fc.ctx, TLS1_2_VERSION), 1);
	cr_assert_eq(SSL_CTX_use_certificate(fc.ctx, n1.x), 1);
	cr_assert_eq(SSL_CTX_use_PrivateKey(fc.ctx, n1.key), 1);
	fc.fd = raw(streams_port(b.t), NULL, 0);
	cr_assert_eq(fcntl(fc.fd, F_SETFL, O_NONBLOCK), 0);
	fc.ssl = SSL_new(fc.ctx);
	cr_assert_eq(SSL_set_fd(fc.ssl, fc.fd), 1);
	cr_assert(live_until(b_decided, NULL, 10000));
	cr_expect_eq(b.ups, 0);
	gone();
}

static void recert(struct end *e, const char *cas, const struct pki *own)
{
	struct cert *c = own ? pki_cert(cas, own, clk_wall()) : NULL;

	cr_assert_eq(streams_recert(e->t, c), 0);
	cert_free(c);
}

static bool a_failed_again(const void *arg)
{
	return a.fails > 0 || a.ups > 1;
}

Test(by_cert, a_reload_keeps_what_stands_and_counts_for_what_comes)
{
	start_pki(&a, ca.cert, &n1);
	start_pki(&b, ca.cert, &n2);
	dial(&a, streams_port(b.t));
	cr_assert(live_until(both_up, NULL, 10000));
	recert(&b, ca2.cert, &m2);
	say(&a);
	dial(&a, streams_port(b.t));
	cr_assert(live_until(a_failed_again, NULL, 10000));
	cr_expect_eq(a.ups, 1, "the old CA still counts");
	cr_expect_eq(a.downs + b.downs, 0);
	say(&a);
	recert(&a, both_cas, &n1);
	recert(&b, both_cas, &m2);
	a.ups = b.ups = 0;
	dial(&a, streams_port(b.t));
	cr_assert(live_until(both_up, NULL, 10000));
	cr_expect_str_eq(stream_name(a.c), "m2");
	stop(&a);
	stop(&b);
}

Test(by_cert, a_reload_moves_links_from_the_key_to_certificates)
{
	start(&a, 1, 0);
	start(&b, 1, 0);
	dial(&a, streams_port(b.t));
	cr_assert(live_until(both_up, NULL, 10000));
	recert(&a, ca.cert, &n1);
	recert(&b, ca.cert, &n2);
	say(&a);
	cr_expect_str_eq(stream_name(a.c), "");
	a.ups = b.ups = 0;
	dial(&a, streams_port(b.t));
	cr_assert(live_until(both_up, NULL, 10000));
	cr_expect_str_eq(stream_name(a.c), "n2");
	cr_expect_eq(a.downs + b.downs, 0);
	recert(&a, NULL, NULL);
	recert(&b, NULL, NULL);
	a.ups = b.ups = 0;
	dial(&a, streams_port(b.t));
	cr_assert(live_until(both_up, NULL, 10000));
	cr_expect_str_eq(stream_name(a.c), "");
	stop(&a);
	stop(&b);
}

/* What the log says, by what was seen */
static const char *why(struct tls_seen seen, unsigned code)
{
	struct tls_why w;

	ERR_clear_error();
	if (code)
		ERR_raise(ERR_LIB_SSL, (int)code);
	tls_why(&w, &seen);
	cr_expect(w.hint && *w.hint);
	cr_expect_not_null(w.detail);
	return w.reason;
}

Test(by_cert, the_log_tells_the_modes_apart)
{
	cr_expect_str_eq(why((struct tls_seen){ .cert = true }, 0),
			 "peer_has_certificates");
	cr_expect_str_eq(why((struct tls_seen){ .hello = true }, 0),
			 "peer_offers_no_key");
	cr_expect_str_eq(why((struct tls_seen){ .hello = true, .key = true },
			     0), "key_not_known");
	cr_expect_str_eq(why((struct tls_seen){ .hello = true, .key = true,
			     .id = "x" }, 0), "hand_shake");
	cr_expect_str_eq(why((struct tls_seen){ .by_cert = true, .hello = true,
			     .key = true }, 1048), "peer_offers_the_key");
	cr_expect_str_eq(why((struct tls_seen){ .by_cert = true, .cert = true,
			     .verify = X509_V_ERR_CERT_HAS_EXPIRED }, 134),
			 "certificate");
	cr_expect_str_eq(why((struct tls_seen){ .by_cert = true, .cert = true
			     }, 1048), "peer_refuses_our_certificate");
	cr_expect_str_eq(why((struct tls_seen){ .by_cert = true, .cert = true,
			     .nameless = true }, 134),
			 "certificate_names_no_node");
	cr_expect_str_eq(why((struct tls_seen){ .by_cert = true, .hello = true
			     }, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE),
			 "no_certificate");
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

/* --- keys change ----------------------------------------------------------- */

/* first = dialed with; 0 = no second one, or the first is the base */
static void rekey(struct end *e, uint8_t first, uint8_t second, uint8_t base)
{
	struct keyset k;
	uint8_t raw_key[32];

	live_key(raw_key, first);
	keyset_one(&k, raw_key);
	if (base)
		live_key(k.base, base);
	if (second) {
		live_key(k.key[1], second);
		k.n = 2;
	}
	streams_rekey(e->t, &k);
}

static bool decided(const void *arg)
{
	return (a.ups && b.ups) || a.fails;
}

/* @return a stream of its own stood */
static bool gets_through(struct end *from, struct end *to)
{
	a.ups = b.ups = a.fails = b.fails = 0;
	dial(from, streams_port(to->t));
	if (from == &b) {
		cr_assert(live_until(one_failed, NULL, 10000));
		if (!b.fails)
			cr_assert(live_until(both_up, NULL, 10000));
		return !b.fails;
	}
	cr_assert(live_until(decided, NULL, 10000));
	return !a.fails;
}

Test(stream, keys_change_on_one_side_after_the_other, .init = init)
{
	static const struct {
		uint8_t a[2], b[2];
	} step[] = {
		{ { 1, 2 }, { 1, 0 } }, { { 1, 2 }, { 1, 2 } },
		{ { 2, 1 }, { 1, 2 } }, { { 2, 1 }, { 2, 1 } },
		{ { 2, 0 }, { 2, 1 } }, { { 2, 0 }, { 2, 0 } },
	};

	start(&a, 1, 0);
	start(&b, 1, 0);
	for (size_t i = 0; i < sizeof(step) / sizeof(step[0]); i++) {
		rekey(&a, step[i].a[0], step[i].a[1], 1);
		rekey(&b, step[i].b[0], step[i].b[1], 1);
		cr_expect(gets_through(&a, &b), "step %zu, a dials", i);
		cr_expect(gets_through(&b, &a), "step %zu, b dials", i);
	}
	cr_expect_eq(streams_stats(a.t)->auth_failed, 0);
	cr_expect_eq(streams_stats(b.t)->auth_failed, 0);
	cr_expect_eq(streams_stats(a.t)->keys, 1);
	stop(&a);
	stop(&b);
}

Test(stream, a_key_that_was_dropped_opens_nothing, .init = init)
{
	start(&a, 1, 0);
	start(&b, 1, 0);
	rekey(&b, 2, 0, 1);
	cr_expect(!gets_through(&a, &b), "the base alone got in");
	cr_expect_eq(streams_stats(b.t)->auth_failed, 1);
	rekey(&b, 2, 3, 1);
	cr_expect(!gets_through(&a, &b), "the base alone got in");
	stop(&a);
	stop(&b);
}

static bool b_lost(const void *arg)
{
	return b.downs > 0;
}

Test(stream, a_stream_ends_with_its_key_and_no_sooner, .init = init)
{
	start(&a, 1, 0);
	start(&b, 1, 0);
	rekey(&a, 1, 2, 1);
	rekey(&b, 1, 2, 1);
	cr_assert(gets_through(&a, &b));
	rekey(&b, 2, 1, 1);
	rekey(&a, 2, 1, 1);
	cr_expect_eq(a.downs + b.downs, 0);
	say(&a);
	rekey(&a, 2, 0, 1);
	cr_expect_eq(a.downs, 1);
	cr_expect_str_eq(a.said, "key_dropped");
	cr_expect_eq(streams_stats(a.t)->key_dropped, 1);
	cr_assert(live_until(b_lost, NULL, 10000));
	/* the one that the other key made stays */
	cr_assert(gets_through(&a, &b));
	a.downs = b.downs = 0;
	rekey(&b, 2, 0, 1);
	cr_expect_eq(a.downs + b.downs, 0);
	say(&a);
	stop(&a);
	stop(&b);
}

Test(stream, links_by_certificate_stay_when_keys_go, .init = init_pki,
     .fini = fini_pki)
{
	start_pki(&a, ca.cert, &n1);
	start_pki(&b, ca.cert, &n2);
	dial(&a, streams_port(b.t));
	cr_assert(live_until(both_up, NULL, 10000));
	rekey(&a, 9, 0, 1);
	rekey(&b, 9, 0, 1);
	cr_expect_eq(a.downs + b.downs, 0);
	say(&a);
	stop(&a);
	stop(&b);
}
