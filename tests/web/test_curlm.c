#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clk.h"
#include "base/log.h"
#include "base/net.h"
#include "web/curlm.h"
#include "web/http.h"

/* Server and client in one loop */
static struct world {
	struct http_srv *srv;
	struct curlm *m;
	struct curlm_req *req;
	struct addr addr;
	int err, calls;
	unsigned status;
	char body[100];
	size_t n;
	int mute;                /* a socket that accepts and says nothing */
} w;

static void ok(struct http_call *c, void *arg)
{
	http_srv_reply(c, 200, "text/plain", SL("fine"));
}

static void big(struct http_call *c, void *arg)
{
	static char x[70000];

	http_srv_reply(c, 200, "text/plain", sl_mk(x, sizeof(x)));
}

static void moved(struct http_call *c, void *arg)
{
	http_srv_reply(c, 302, "text/plain", SL("elsewhere"));
}

static void ended(int err, unsigned status, struct sl body, void *arg)
{
	w.err = err;
	w.status = status;
	w.n = body.n;
	memcpy(w.body, body.p ? body.p : "", body.n < 99 ? body.n : 99);
	if (!--w.calls)
		net_stop();
}

static void setup(void)
{
	struct addr lo = { .af = 4, .ip = { 127, 0, 0, 1 } };
	struct sockaddr_storage ss;
	socklen_t len;

	log_init("test", LOG_TO_NONE, LOG_LV_INFO);
	if (net_init(256) || http_srv_alloc(&w.srv, "http", &lo, NULL) ||
	    http_srv_addr(w.srv, &w.addr) || curlm_alloc(&w.m) ||
	    http_srv_route(w.srv, "GET", "/ok", ok, NULL) ||
	    http_srv_route(w.srv, "GET", "/big", big, NULL) ||
	    http_srv_route(w.srv, "GET", "/moved", moved, NULL))
		abort();
	len = net_to_sockaddr(&ss, &lo);
	w.mute = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(w.mute, (void *)&ss, len) || listen(w.mute, 5))
		abort();
}

static void teardown(void)
{
	close(w.mute);
	curlm_free(w.m);
	http_srv_free(w.srv);
	net_close();
}

TestSuite(curlm, .init = setup, .fini = teardown, .timeout = 20);

static void get(const struct addr *a, const char *path, uint32_t patience)
{
	w.calls++;
	cr_assert_eq(curlm_get(&w.req, w.m, a, path, patience, 1000, ended,
			       NULL), 0);
	cr_assert_eq(net_run(NULL, NULL), 0);
}

Test(curlm, an_answer_comes)
{
	for (int i = 0; i < 3; i++) {
		w.n = 0;
		get(&w.addr, "/ok", 5000);
		cr_expect_eq(w.err, 0);
		cr_expect_eq(w.status, 200);
		cr_expect_str_eq(w.body, "fine");
	}
}

Test(curlm, many_at_once)
{
	struct curlm_req *r;

	for (int i = 0; i < 30; i++, w.calls++)
		cr_assert_eq(curlm_get(&r, w.m, &w.addr, "/ok", 5000, 1000,
				       ended, NULL), 0);
	cr_assert_eq(net_run(NULL, NULL), 0);
	cr_expect_eq(w.calls, 0);
	cr_expect_eq(w.status, 200);
}

Test(curlm, an_answer_that_is_too_long_is_an_error)
{
	get(&w.addr, "/big", 5000);
	cr_expect_eq(w.err, EMSGSIZE);
	cr_expect_leq(w.n, 1000);
}

Test(curlm, redirects_are_not_followed)
{
	get(&w.addr, "/moved", 5000);
	cr_expect_eq(w.err, 0);
	cr_expect_eq(w.status, 302);
}

Test(curlm, silence_ends_by_time)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr a;
	uint64_t t = clk_now();

	getsockname(w.mute, (void *)&ss, &len);
	net_from_sockaddr(&a, (void *)&ss);
	get(&a, "/ok", 150);
	cr_expect_eq(w.err, ETIMEDOUT);
	cr_expect_lt(clk_now() - t, 3000);
}

Test(curlm, nobody_there_is_an_error)
{
	struct addr a = w.addr;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	getsockname(w.mute, (void *)&ss, &len);
	net_from_sockaddr(&a, (void *)&ss);
	close(w.mute);
	get(&a, "/ok", 5000);
	cr_expect_eq(w.err, ECONNREFUSED);
}

static void post(const char *path, size_t max)
{
	static const char *const head[] = { "X-A: b", NULL };
	char url[100], txt[ADDR_TXT];
	struct curlm_post p = {
		.url = url, .body = SL("{}"), .header = head,
		.patience = 5000, .max = max,
	};

	(void)snprintf(url, sizeof(url), "http://%s%s",
		       addr_txt(&w.addr, txt), path);
	w.calls++;
	cr_assert_eq(curlm_post(&w.req, w.m, &p, ended, NULL), 0);
	cr_assert_eq(net_run(NULL, NULL), 0);
}

Test(curlm, the_answer_of_a_post_is_thrown_away)
{
	cr_assert_eq(http_srv_route(w.srv, "POST", "/post", big, NULL), 0);
	post("/post", 100000);
	cr_expect_eq(w.err, 0);
	cr_expect_eq(w.status, 200);
	cr_expect_eq(w.n, 0);
}

Test(curlm, and_read_up_to_its_bound_only)
{
	cr_assert_eq(http_srv_route(w.srv, "POST", "/post", big, NULL), 0);
	post("/post", 1000);
	cr_expect_eq(w.err, EMSGSIZE);
}

Test(curlm, a_post_goes_to_no_other_scheme)
{
	static const char *const head[] = { NULL };
	struct curlm_post p = {
		.url = "file:///etc/passwd", .body = SL("{}"), .header = head,
		.patience = 5000, .max = 1000,
	};

	w.calls++;
	cr_assert_eq(curlm_post(&w.req, w.m, &p, ended, NULL), 0);
	cr_assert_eq(net_run(NULL, NULL), 0);
	cr_expect_eq(w.err, EPROTO);
}

Test(curlm, what_is_cancelled_or_freed_calls_nobody)
{
	struct curlm_req *r;

	cr_assert_eq(curlm_get(&r, w.m, &w.addr, "/ok", 5000, 1000, ended,
			       NULL), 0);
	curlm_cancel(r);
	cr_assert_eq(curlm_get(&r, w.m, &w.addr, "/ok", 5000, 1000, ended,
			       NULL), 0);
	curlm_free(w.m);
	w.m = NULL;
	cr_expect_eq(w.calls, 0);
	cr_assert_eq(curlm_alloc(&w.m), 0);
	get(&w.addr, "/ok", 5000);
	cr_expect_eq(w.status, 200);
}
