#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/net.h"
#include "base/log.h"
#include "web/admin.h"
#include "web/jsn.h"

/*
 * The loop runs in the test's thread, a blocking client in another one; it
 * only collects, the test's thread asserts.
 */
#define ASKS 16
struct world {
	struct http_srv *srv;
	struct stats *st;
	struct addr addr;
	int done[2];
	const char *ask[ASKS];
	size_t ask_n[ASKS];
	char got[ASKS][4096];
	size_t n;
	bool ready;
	struct admin admin;
};

static void ask(struct world *w, size_t i)
{
	struct sockaddr_storage ss;
	socklen_t len = net_to_sockaddr(&ss, &w->addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t n = 0;
	ssize_t k;

	if (connect(fd, (void *)&ss, len) == 0 &&
	    send(fd, w->ask[i], w->ask_n[i], MSG_NOSIGNAL) > 0) {
		shutdown(fd, SHUT_WR);
		while (n < sizeof(w->got[i]) - 1 &&
		       (k = recv(fd, w->got[i] + n,
				 sizeof(w->got[i]) - 1 - n, 0)) > 0)
			n += (size_t)k;
	}
	close(fd);
}

static void *client(void *arg)
{
	struct world *w = arg;

	for (size_t i = 0; i < w->n; i++)
		ask(w, i);
	if (write(w->done[1], "x", 1) != 1)
		abort();
	return NULL;
}

static void finished(int flags, void *arg)
{
	net_stop();
}

static void want(struct world *w, const char *text)
{
	w->ask[w->n] = text;
	w->ask_n[w->n++] = strlen(text);
}

static void run(struct world *w)
{
	struct nfd *n = NULL;
	pthread_t t;

	cr_assert_eq(pipe(w->done), 0);
	cr_assert_eq(nfd_alloc(&n, w->done[0], NET_READ, finished, w), 0);
	cr_assert_eq(pthread_create(&t, NULL, client, w), 0);
	cr_assert_eq(net_run(NULL, NULL), 0);
	pthread_join(t, NULL);
	nfd_free(n);
	close(w->done[0]);
	close(w->done[1]);
}

static void echo(struct http_call *c, void *arg)
{
	json_t *o = json_object();

	jsn_sl(o, "method", c->method);
	jsn_sl(o, "path", c->path);
	jsn_sl(o, "query", c->query);
	jsn_sl(o, "body", c->body);
	jsn_sl(o, "who", http_srv_param(c, SL("who")));
	jsn_bool(o, "loopback", addr_is_loopback(&c->peer));
	jsn_reply(c, 200, o);
}

static void mute(struct http_call *c, void *arg)
{
}

static void body(struct http_call *c, void *arg)
{
	json_t *o = jsn_body(c);

	if (o)
		jsn_reply(c, 202, o);
}

static bool ready(struct buf *why, void *arg)
{
	const struct world *w = arg;

	if (!w->ready)
		buf_lit(why, "no node is up");
	return w->ready;
}

static json_t *status(void *arg)
{
	json_t *o = json_object();

	jsn_str(o, "state", "fine");
	jsn_str(o, "nothing", NULL);
	jsn_sl(o, "bytes", SL("a\xff"));
	jsn_u64(o, "big", UINT64_MAX);
	return o;
}

static struct world w;

static void setup(void)
{
	struct addr lo = { .af = 4, .ip = { 127, 0, 0, 1 } };

	log_init("test", LOG_TO_NONE, LOG_LV_INFO);
	w.admin = (struct admin){ NULL, ready, status, &w };
	if (net_init(256) || stats_alloc(&w.st) ||
	    http_srv_alloc(&w.srv, "http", &lo, w.st) ||
	    http_srv_addr(w.srv, &w.addr))
		abort();
	w.admin.st = w.st;
	if (admin_routes(w.srv, &w.admin) ||
	    http_srv_route(w.srv, "GET", "/echo/", echo, NULL) ||
	    http_srv_route(w.srv, "GET", "/mute", mute, NULL) ||
	    http_srv_route(w.srv, "POST", "/body", body, NULL))
		abort();
}

static void teardown(void)
{
	http_srv_free(w.srv);
	stats_free(w.st);
	net_close();
}

TestSuite(http, .init = setup, .fini = teardown, .timeout = 20);

static void starts(size_t i, const char *what)
{
	cr_expect_eq(strncmp(w.got[i], what, strlen(what)), 0,
		     "%s\n -> %s\n wanted %s", w.ask[i], w.got[i], what);
}

static void holds(size_t i, const char *what)
{
	cr_expect_not_null(strstr(w.got[i], what), "%s\n -> %s\n wanted %s",
			   w.ask[i], w.got[i], what);
}

#define HOST "Host: 127.0.0.1\r\n\r\n"

Test(http, routes_get_method_path_query_and_peer)
{
	want(&w, "GET /echo/a/b?x=1&who=me HTTP/1.1\r\n" HOST);
	want(&w, "GET /nowhere HTTP/1.1\r\n" HOST);
	want(&w, "DELETE /echo/x HTTP/1.1\r\n" HOST);
	want(&w, "GET /mute HTTP/1.1\r\n" HOST);
	want(&w, "HEAD /healthz HTTP/1.1\r\n" HOST);
	run(&w);
	starts(0, "HTTP/1.1 200 OK\r\n");
	holds(0, "Content-Type: application/json\r\n");
	holds(0, "{\"method\":\"GET\",\"path\":\"/echo/a/b\","
	      "\"query\":\"x=1&who=me\",\"body\":\"\",\"who\":\"me\","
	      "\"loopback\":true}");
	starts(1, "HTTP/1.1 404 ");
	starts(2, "HTTP/1.1 405 ");
	starts(3, "HTTP/1.1 500 ");
	starts(4, "HTTP/1.1 200 ");
	holds(4, "Content-Length: 3\r\n");
	cr_expect_str_eq(strstr(w.got[4], "\r\n\r\n"), "\r\n\r\n");
}

Test(http, foreign_host_names_are_refused)
{
	cr_assert_eq(http_srv_host(w.srv, "edge.example.com"), 0);
	want(&w, "GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n");
	want(&w, "GET /healthz HTTP/1.1\r\n\r\n");
	want(&w, "GET /healthz HTTP/1.1\r\nHost: a\r\n" HOST);
	want(&w, "GET /healthz HTTP/1.1\r\nHost: LocalHost:80\r\n\r\n");
	want(&w, "GET /healthz HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
	want(&w, "GET /healthz HTTP/1.1\r\n"
	     "Host: Edge.Example.com:8060\r\n\r\n");
	want(&w, "GET /healthz HTTP/1.1\r\n"
	     "Host: edge.example.com.evil.example\r\n\r\n");
	run(&w);
	starts(0, "HTTP/1.1 403 ");
	starts(1, "HTTP/1.1 400 ");
	starts(2, "HTTP/1.1 400 ");
	starts(3, "HTTP/1.1 200 ");
	starts(4, "HTTP/1.1 200 ");
	starts(5, "HTTP/1.1 200 ");
	starts(6, "HTTP/1.1 403 ");
}

Test(http, bodies_are_checked)
{
	static char big[80000];
	int n = snprintf(big, sizeof(big), "POST /body HTTP/1.1\r\n"
			 "Content-Length: 70000\r\n" HOST);

	memset(big + n, 'x', 70000);
	want(&w, "POST /body HTTP/1.1\r\nContent-Length: 7\r\n" HOST
	     "{\"a\":1}");
	want(&w, "POST /body HTTP/1.1\r\nContent-Length: 13\r\n" HOST
	     "{\"a\":1,\"a\":2}");
	want(&w, "POST /body HTTP/1.1\r\nContent-Length: 2\r\n" HOST "[]");
	want(&w, "POST /body HTTP/1.1\r\nContent-Length: 7\r\n"
	     "Origin: http://evil.example\r\n" HOST "{\"a\":1}");
	want(&w, "POST /body HTTP/1.1\r\nContent-Length: 7\r\n"
	     "Origin: http://127.0.0.1\r\n" HOST "{\"a\":1}");
	want(&w, "POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" HOST
	     "7\r\n{\"a\":1}\r\n0\r\n\r\n");
	want(&w, big);
	w.ask_n[6] = (size_t)n + 70000;
	run(&w);
	starts(0, "HTTP/1.1 202 ");
	holds(0, "{\"a\":1}");
	starts(1, "HTTP/1.1 400 ");
	holds(1, "duplicate");
	starts(2, "HTTP/1.1 400 ");
	starts(3, "HTTP/1.1 403 ");
	starts(4, "HTTP/1.1 202 ");
	starts(5, "HTTP/1.1 411 ");
	starts(6, "HTTP/1.1 413 ");
}

Test(http, garbage_does_not_disturb_the_next_request)
{
	want(&w, "\r\n\r\n");
	want(&w, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n");
	want(&w, "GET / HTTP/9.9 x y z\r\n\r\n");
	want(&w, "GET /healthz HTTP/1.1\r\nContent-Length: 99999999999\r\n"
	     HOST);
	want(&w, "GET /healthz HTTP/1.1\r\n" HOST);
	run(&w);
	starts(4, "HTTP/1.1 200 ");
}

Test(http, requests_on_one_connection_are_answered_in_order)
{
	want(&w, "GET /echo/1 HTTP/1.1\r\n" HOST
	     "POST /body HTTP/1.1\r\nContent-Length: 7\r\n" HOST "{\"a\":1}"
	     "GET /echo/3 HTTP/1.1\r\nConnection: close\r\n" HOST
	     "GET /echo/4 HTTP/1.1\r\n" HOST);
	run(&w);
	starts(0, "HTTP/1.1 200 ");
	holds(0, "\"path\":\"/echo/1\"");
	holds(0, "HTTP/1.1 202 ");
	holds(0, "\"path\":\"/echo/3\"");
	holds(0, "Connection: close\r\n");
	cr_expect_null(strstr(w.got[0], "/echo/4"), "after the close");
	cr_expect(strstr(w.got[0], "/echo/1") < strstr(w.got[0], "202"));
}

Test(http, who_holds_connections_keeps_nobody_out)
{
	struct sockaddr_storage ss;
	socklen_t len = net_to_sockaddr(&ss, &w.addr);
	int fd[100];

	for (int i = 0; i < 100; i++) {
		fd[i] = socket(AF_INET, SOCK_STREAM, 0);
		cr_assert_eq(connect(fd[i], (void *)&ss, len), 0);
		cr_assert_eq(send(fd[i], "GET /heal", 9, MSG_NOSIGNAL), 9);
	}
	want(&w, "GET /healthz HTTP/1.1\r\n" HOST);
	run(&w);
	starts(0, "HTTP/1.1 200 ");
	for (int i = 0; i < 100; i++)
		close(fd[i]);
}

Test(admin, endpoints, .init = setup, .fini = teardown, .timeout = 20)
{
	want(&w, "GET /healthz HTTP/1.1\r\n" HOST);
	want(&w, "GET /readyz HTTP/1.1\r\n" HOST);
	want(&w, "GET /metrics HTTP/1.1\r\n" HOST);
	want(&w, "GET /api/v1/status HTTP/1.1\r\n" HOST);
	run(&w);
	starts(0, "HTTP/1.1 200 ");
	starts(1, "HTTP/1.1 503 ");
	holds(1, "no node is up\n");
	starts(2, "HTTP/1.1 200 ");
	holds(2, "text/plain; version=0.0.4");
	holds(2, "\nedgewise_http_requests_total 3\n");
	starts(3, "HTTP/1.1 200 ");
	holds(3, "{\"state\":\"fine\",\"nothing\":null,\"bytes\":\"a\xef\xbf"
	      "\xbd\",\"big\":9223372036854775807}");
}

Test(admin, ready_says_200, .init = setup, .fini = teardown, .timeout = 20)
{
	w.ready = true;
	want(&w, "GET /readyz HTTP/1.1\r\n" HOST);
	run(&w);
	starts(0, "HTTP/1.1 200 ");
}

Test(http, busy_port_and_foreign_address_are_told_apart)
{
	struct addr no = { .af = 4, .ip = { 192, 0, 2, 1 }, .port = 0 };
	struct http_srv *s = NULL;

	cr_assert_eq(http_srv_alloc(&s, "http", &w.addr, NULL), EADDRINUSE);
	cr_assert_eq(http_srv_alloc(&s, "http", &no, NULL), EADDRNOTAVAIL);
	cr_assert_null(s);
	cr_assert_eq(log_count(LOG_LV_ERROR), 2);
}

Test(http, tables_are_capped)
{
	int err = 0, n = 0;

	while (!(err = http_srv_route(w.srv, "GET", "/x", mute, NULL)))
		n++;
	cr_assert_eq(err, ENOSPC);
	cr_assert_lt(n, HTTP_ROUTES);
	for (n = 0; !(err = http_srv_host(w.srv, "x")); n++)
		;
	cr_assert_eq(err, ENOSPC);
	cr_assert_eq(n, HTTP_HOSTS);
}
