#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clk.h"
#include "base/log.h"
#include "base/net.h"
#include "web/http.h"

/* Clients are sockets of the test's thread, driven between turns of the loop */
static struct world {
	struct http_srv *srv;
	struct stats *st;
	struct addr addr;
	struct ntimer *timer;
	bool (*until)(void);
	uint64_t end;
	int fd[400];
	char got[1 << 16];
	size_t n;
} w;

static void open_stream(struct http_call *c, void *arg)
{
	http_srv_stream(c, "text/event-stream",
			sl_eq(c->path, SL("/two")) ? 2 : 1, SL("hello\n\n"));
}

static void ok(struct http_call *c, void *arg)
{
	http_srv_reply(c, 200, "text/plain", SL("ok\n"));
}

static void look(void *arg)
{
	if (w.until() || clk_now() > w.end)
		net_stop();
	else
		ntimer_at(w.timer, clk_now() + 1);
}

/** Let the loop turn until the condition holds */
static void run(bool (*until)(void))
{
	w.until = until;
	w.end = clk_now() + 8000;
	ntimer_at(w.timer, 0);
	cr_assert_eq(net_run(NULL, NULL), 0);
	cr_assert(until(), "never came true");
}

static void setup(void)
{
	struct addr lo = { .af = 4, .ip = { 127, 0, 0, 1 } };

	log_init("test", LOG_TO_NONE, LOG_LV_INFO);
	if (net_init(1024) || stats_alloc(&w.st) ||
	    http_srv_alloc(&w.srv, "http", &lo, w.st) ||
	    http_srv_addr(w.srv, &w.addr) ||
	    ntimer_alloc(&w.timer, look, NULL) ||
	    http_srv_route(w.srv, "GET", "/one", open_stream, NULL) ||
	    http_srv_route(w.srv, "GET", "/two", open_stream, NULL) ||
	    http_srv_route(w.srv, "GET", "/ok", ok, NULL))
		abort();
}

static void teardown(void)
{
	ntimer_free(w.timer);
	http_srv_free(w.srv);
	stats_free(w.st);
	net_close();
}

TestSuite(stream, .init = setup, .fini = teardown, .timeout = 30);

static int ask(const char *path)
{
	struct sockaddr_storage ss;
	socklen_t len = net_to_sockaddr(&ss, &w.addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;
	char t[100];
	int n = snprintf(t, sizeof(t), "GET %s HTTP/1.1\r\nHost: 127.0.0.1"
			 "\r\n\r\n", path);

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	cr_assert_eq(connect(fd, (void *)&ss, len), 0);
	cr_assert_eq(send(fd, t, (size_t)n, MSG_NOSIGNAL), n);
	return fd;
}

/** What has come so far */
static const char *got(int fd)
{
	ssize_t k;

	while ((k = recv(fd, w.got + w.n, sizeof(w.got) - 1 - w.n,
			 MSG_DONTWAIT)) > 0)
		w.n += (size_t)k;
	w.got[w.n] = '\0';
	return w.got;
}

static uint64_t figure(const char *name)
{
	uint64_t v = 0;

	cr_assert(stat_get(w.st, name, NULL, &v));
	return v;
}

static void say(unsigned channel, const char *text)
{
	struct blob *b = blob_make(text, strlen(text));

	http_srv_send(w.srv, channel, b);
	blob_unref(b);
}

static bool one_listens(void) { return http_srv_listeners(w.srv, 1) == 1; }
static bool nobody_listens(void) { return !http_srv_listeners(w.srv, 1); }
static bool both_listen(void)
{
	return one_listens() && http_srv_listeners(w.srv, 2) == 1;
}
static bool has_b(void) { return strstr(got(w.fd[0]), "piece b") != NULL; }

Test(stream, what_is_sent_arrives_on_its_channel_only)
{
	w.fd[0] = ask("/one");
	w.fd[1] = ask("/two");
	run(both_listen);
	say(1, "piece a\n\n");
	say(2, "not for us\n\n");
	say(1, "piece b\n\n");
	run(has_b);
	cr_expect_not_null(strstr(w.got, "HTTP/1.1 200 OK\r\nContent-Type: "
				  "text/event-stream\r\n"));
	cr_expect_not_null(strstr(w.got, "frame-ancestors 'none'"));
	cr_expect_null(strstr(w.got, "Content-Length"));
	cr_expect_not_null(strstr(w.got, "\r\n\r\nhello\n\npiece a\n\n"
				  "piece b\n\n"));
	cr_expect_eq(figure("http_streams"), 2);
	close(w.fd[0]);
	close(w.fd[1]);
}

Test(stream, a_client_that_goes_is_noticed)
{
	w.fd[0] = ask("/one");
	run(one_listens);
	close(w.fd[0]);
	run(nobody_listens);
	say(1, "to nobody\n\n");
	cr_expect_eq(figure("http_streams"), 0);
	cr_expect_eq(figure("http_slow_total"), 0);
}

static bool is_slow(void)
{
	static char big[100000];

	if (!big[0])
		memset(big, 'x', sizeof(big) - 1);
	say(1, big);
	return figure("http_slow_total") == 1;
}

Test(stream, a_slow_reader_is_dropped_and_others_are_not)
{
	w.fd[0] = ask("/one");
	w.fd[1] = ask("/two");
	run(both_listen);
	run(is_slow);
	cr_expect(nobody_listens());
	cr_expect_eq(http_srv_listeners(w.srv, 2), 1);
	close(w.fd[0]);
	close(w.fd[1]);
}

static bool all_so_far(void)
{
	unsigned n = 0;

	while (w.fd[n])
		n++;
	return http_srv_listeners(w.srv, 1) == n;
}
static bool full(void) { return http_srv_listeners(w.srv, 1) == 256; }
static bool refused(void)
{
	return strstr(got(w.fd[256]), "HTTP/1.1 503 ") != NULL;
}
static bool served(void) { return strstr(got(w.fd[257]), "ok\n") != NULL; }

Test(stream, there_is_a_cap_and_others_are_served_at_it)
{
	for (int i = 0; i < 256; i++) {
		w.fd[i] = ask("/one");
		if (i % 32 == 31)
			run(all_so_far);
	}
	cr_expect(full());
	w.fd[256] = ask("/one");
	run(refused);
	w.n = 0;
	w.fd[257] = ask("/ok");
	run(served);
	cr_expect(full());
	for (int i = 0; i < 258; i++)
		close(w.fd[i]);
	run(nobody_listens);
}

static bool newest_served(void)
{
	return strstr(got(w.fd[399]), "ok\n") != NULL;
}
static uint64_t evicted;
static bool accepted(void) { return figure("http_evicted_total") >= evicted; }

Test(stream, idle_connections_make_room_but_no_listener_does)
{
	struct sockaddr_storage ss;
	socklen_t len = net_to_sockaddr(&ss, &w.addr);

	w.fd[0] = ask("/one");
	run(one_listens);
	for (int i = 1; i < 399; i++) {
		w.fd[i] = socket(AF_INET, SOCK_STREAM, 0);
		cr_assert_eq(connect(w.fd[i], (void *)&ss, len), 0);
		/* 64 stay; the backlog must not fill */
		evicted = i > 64 ? (uint64_t)i - 64 : 0;
		if (i % 64 == 63)
			run(accepted);
	}
	run(accepted);
	w.n = 0;
	w.fd[399] = ask("/ok");
	run(newest_served);
	cr_expect(one_listens());
	for (int i = 0; i < 400; i++)
		close(w.fd[i]);
}
