#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "base/log.h"
#include "base/net.h"
#include "web/action.h"
#include "web/jsn.h"

/* The loop runs in the test's thread, a blocking client in another one */
#define ASKS 32
struct world {
	struct http_srv *srv;
	struct actions *act;
	struct stats *st;
	struct addr addr;
	char dir[32], path[64], token[ACTION_TOKEN + 1];
	int done[2];
	char ask[ASKS][1024];
	const char *big;
	char got[ASKS][2048];
	size_t n;
	unsigned calls;
	char who[ACTION_WHO + 1], where[64];
};

static struct world w;

static void send_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

		if (k <= 0)
			return;
		p += k;
		n -= (size_t)k;
	}
}

static void *client(void *arg)
{
	struct sockaddr_storage ss;
	socklen_t len = net_to_sockaddr(&ss, &w.addr);

	for (size_t i = 0; i < w.n; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		size_t n = 0;
		ssize_t k;

		if (!connect(fd, (void *)&ss, len)) {
			send_all(fd, w.ask[i], strlen(w.ask[i]));
			if (w.big)
				send_all(fd, w.big, strlen(w.big));
			shutdown(fd, SHUT_WR);
			while (n < sizeof(w.got[i]) - 1 &&
			       (k = recv(fd, w.got[i] + n,
					 sizeof(w.got[i]) - 1 - n, 0)) > 0)
				n += (size_t)k;
		}
		close(fd);
	}
	if (write(w.done[1], "x", 1) != 1)
		abort();
	return NULL;
}

static void finished(int flags, void *arg)
{
	net_stop();
}

static void run(void)
{
	struct nfd *n = NULL;
	pthread_t t;

	cr_assert_eq(pipe(w.done), 0);
	cr_assert_eq(nfd_alloc(&n, w.done[0], NET_READ, finished, NULL), 0);
	cr_assert_eq(pthread_create(&t, NULL, client, NULL), 0);
	cr_assert_eq(net_run(NULL, NULL), 0);
	pthread_join(t, NULL);
	nfd_free(n);
	close(w.done[0]);
	close(w.done[1]);
}

static unsigned act(struct action *a, void *arg)
{
	w.calls++;
	snprintf(w.who, sizeof(w.who), "%s", a->who);
	snprintf(w.where, sizeof(w.where), "%.*s", SL_FMT(a->path));
	if (action_str(a, "fail"))
		return action_fail(a, 409, "not now: %s",
				   action_str(a, "fail"));
	jsn_str(a->out, "state", "fine");
	return 202;
}

static unsigned look(struct action *a, void *arg)
{
	struct sl x = http_srv_param(a->call, SL("x"));

	cr_expect_null(a->in);
	w.calls++;
	snprintf(w.where, sizeof(w.where), "%.*s", SL_FMT(a->path));
	if (!sl_isset(x))
		return action_fail(a, 400, "x is needed");
	jsn_sl(a->out, "x", x);
	return 200;
}

static void setup(void)
{
	struct addr lo = { .af = 4, .ip = { 127, 0, 0, 1 } };
	struct buf b;

	log_init("test", LOG_TO_NONE, LOG_LV_INFO);
	strcpy(w.dir, "/tmp/ew_act_XXXXXX");
	if (!mkdtemp(w.dir) || net_init(256) || stats_alloc(&w.st) ||
	    http_srv_alloc(&w.srv, "http", &lo, w.st) ||
	    http_srv_addr(w.srv, &w.addr) ||
	    actions_alloc(&w.act, w.srv, w.dir, w.st) ||
	    action_route(w.act, "thing", "/api/v1/thing/", act, NULL) ||
	    action_get_route(w.act, "look", "/api/v1/look", look, NULL))
		abort();
	snprintf(w.path, sizeof(w.path), "%s/admin.token", w.dir);
	if (file_read(&b, w.path, 100))
		abort();
	snprintf(w.token, sizeof(w.token), "%.*s",
		 SL_FMT(sl_trim(buf_as_sl(&b))));
	buf_free(&b);
}

static void teardown(void)
{
	http_srv_free(w.srv);
	actions_free(w.act);
	stats_free(w.st);
	net_close();
	unlink(w.path);
	rmdir(w.dir);
}

TestSuite(action, .init = setup, .fini = teardown, .timeout = 20);

/** POST; token NULL = none, more = further header lines */
static void want(const char *token, const char *more, const char *body)
{
	char auth[200] = "";

	if (token)
		snprintf(auth, sizeof(auth), "Authorization: Bearer %s\r\n",
			 token);
	snprintf(w.ask[w.n++], sizeof(w.ask[0]),
		 "POST /api/v1/thing/n1 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		 "%s%sContent-Length: %zu\r\n\r\n%s", auth, more,
		 strlen(body), body);
}

#define JSON "Content-Type: application/json\r\n"

static void is(size_t i, unsigned status)
{
	char t[32];

	snprintf(t, sizeof(t), "HTTP/1.1 %u ", status);
	cr_expect_eq(strncmp(w.got[i], t, strlen(t)), 0,
		     "%zu: %s\n -> %s\n wanted %u", i, w.ask[i], w.got[i],
		     status);
}

static uint64_t figure(const char *labels)
{
	uint64_t v = 0;

	cr_expect(stat_get(w.st, "http_actions_total", labels, &v));
	return v;
}

Test(action, the_token_opens)
{
	want(w.token, JSON "X-Edgewise-Who: alice\r\n",
	     "{\"who\":\"bob\",\"why\":\"a \\n b\"}");
	run();
	is(0, 202);
	cr_expect_not_null(strstr(w.got[0], "{\"state\":\"fine\"}"));
	cr_expect_str_eq(w.who, "alice");
	cr_expect_str_eq(w.where, "n1");
	cr_expect_eq(figure("result=\"done\""), 1);
}

/** token NULL = none */
static void want_look(const char *token, const char *query)
{
	char auth[200] = "";

	if (token)
		snprintf(auth, sizeof(auth), "Authorization: Bearer %s\r\n",
			 token);
	snprintf(w.ask[w.n++], sizeof(w.ask[0]),
		 "GET /api/v1/look%s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
		 "%s\r\n", query, auth);
}

Test(action, what_is_not_for_all_is_read_with_the_token_only)
{
	char wrong[ACTION_TOKEN + 1];

	memset(wrong, '0', ACTION_TOKEN);
	wrong[ACTION_TOKEN] = '\0';
	want_look(NULL, "?x=1");
	want_look(wrong, "?x=1");
	run();
	is(0, 401);
	is(1, 403);
	cr_expect_eq(w.calls, 0);
	cr_expect_eq(figure("result=\"unauthorized\""), 2);
	w.n = 0;
	want_look(w.token, "?x=1");
	want_look(w.token, "?y=1");
	run();
	is(0, 200);
	is(1, 400);
	cr_expect_not_null(strstr(w.got[0], "{\"x\":\"1\"}"));
	cr_expect_str_eq(w.where, "y=1");
}

Test(action, who_may_stand_in_the_body_and_is_cut)
{
	char body[200];

	snprintf(body, sizeof(body), "{\"who\":\"%0100d\"}", 7);
	want(w.token, JSON, body);
	run();
	is(0, 202);
	cr_expect_eq(strlen(w.who), ACTION_WHO);
}

Test(action, who_is_text_whatever_was_sent)
{
	want(w.token, JSON "X-Edgewise-Who: b\xff\xc3\xa9z\r\n", "{}");
	want(w.token, JSON "X-Edgewise-Who: \xc3\xa9\r\n", "{}");
	run();
	cr_expect_str_eq(w.who, "\xc3\xa9");
	w.n = 1;
	run();
	cr_expect_str_eq(w.who, "b???z");
}

Test(action, nothing_else_opens)
{
	char wrong[ACTION_TOKEN + 2], almost[ACTION_TOKEN + 2];

	memset(wrong, 'a', ACTION_TOKEN);
	wrong[ACTION_TOKEN] = 0;
	strcpy(almost, w.token);
	almost[63] = almost[63] == '0' ? '1' : '0';
	want(NULL, JSON, "{}");
	want(wrong, JSON, "{}");
	want(almost, JSON, "{}");
	almost[63] = 0;
	want(almost, JSON, "{}");
	strcpy(almost, w.token);
	strcat(almost, "0");
	want(almost, JSON, "{}");
	want("", JSON, "{}");
	snprintf(w.ask[w.n++], sizeof(w.ask[0]), "POST /api/v1/thing/n1 "
		 "HTTP/1.1\r\nHost: 127.0.0.1\r\n" JSON "Authorization: Basic "
		 "%s\r\nContent-Length: 2\r\n\r\n{}", w.token);
	run();
	is(0, 401);
	cr_expect_not_null(strstr(w.got[0], "WWW-Authenticate: Bearer\r\n"));
	for (size_t i = 1; i < w.n; i++)
		is(i, 403);
	cr_expect_eq(w.calls, 0);
	cr_expect_eq(figure("result=\"unauthorized\""), w.n);
}

Test(action, guessing_is_slowed_and_keeps_nobody_out)
{
	size_t late = 0;

	for (int i = 0; i < ASKS - 1; i++)
		want("00", JSON, "{}");
	want(w.token, JSON, "{}");
	run();
	for (size_t i = 0; i < ASKS - 1; i++)
		late += !strncmp(w.got[i], "HTTP/1.1 429 ", 13);
	/* at most two seconds are touched */
	cr_expect_geq(late, ASKS - 1 - 20);
	is(ASKS - 1, 202);
}

Test(action, reading_is_not_acting)
{
	snprintf(w.ask[w.n++], sizeof(w.ask[0]), "GET /api/v1/thing/n1 "
		 "HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "
		 "%s\r\n\r\n", w.token);
	snprintf(w.ask[w.n++], sizeof(w.ask[0]), "PUT /api/v1/thing/n1 "
		 "HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "
		 "%s\r\nContent-Length: 2\r\n" JSON "\r\n{}", w.token);
	run();
	is(0, 405);
	is(1, 405);
	cr_expect_eq(w.calls, 0);
}

Test(action, pages_of_others_cannot_act_even_with_the_token)
{
	want(w.token, JSON "Origin: http://evil.example\r\n", "{}");
	want(w.token, JSON "Origin: null\r\n", "{}");
	want(w.token, JSON "Origin: http://127.0.0.1\r\n", "{}");
	want(w.token, "Content-Type: text/plain\r\n", "{}");
	want(w.token, "Content-Type: application/x-www-form-urlencoded\r\n",
	     "{}");
	want(w.token, "", "{}");
	want(w.token, "Content-Type: Application/JSON; charset=utf-8\r\n",
	     "{}");
	snprintf(w.ask[w.n++], sizeof(w.ask[0]), "POST /api/v1/thing/n1 "
		 "HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer "
		 "%s\r\nContent-Length: 2\r\n" JSON "\r\n{}", w.token);
	run();
	is(0, 403);
	is(1, 403);
	is(2, 202);
	is(3, 415);
	is(4, 415);
	is(5, 415);
	is(6, 202);
	is(7, 403);
	cr_expect_eq(w.calls, 2);
}

Test(action, bad_bodies_reach_no_handler)
{
	want(w.token, JSON, "");
	want(w.token, JSON, "{");
	want(w.token, JSON, "[]");
	want(w.token, JSON, "{\"a\":1,\"a\":2}");
	want(w.token, JSON, "{\"a\":\"\xff\"}");
	run();
	for (size_t i = 0; i < w.n; i++)
		is(i, 400);
	cr_expect_eq(w.calls, 0);
	cr_expect_eq(figure("result=\"refused\""), w.n);
}

Test(action, a_big_body_is_not_read)
{
	static char big[70001];

	memset(big, 'x', sizeof(big) - 1);
	w.big = big;
	snprintf(w.ask[w.n++], sizeof(w.ask[0]), "POST /api/v1/thing/n1 "
		 "HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "
		 "%s\r\nContent-Length: 70000\r\n" JSON "\r\n", w.token);
	run();
	is(0, 413);
	cr_expect_eq(w.calls, 0);
}

Test(action, a_refusal_says_why)
{
	want(w.token, JSON, "{\"fail\":\"it rains\"}");
	run();
	is(0, 409);
	cr_expect_not_null(strstr(w.got[0],
				  "{\"error\":\"not now: it rains\"}"));
	cr_expect_eq(figure("result=\"refused\""), 1);
}

Test(action, the_token_is_drawn_once_and_is_private)
{
	struct actions *again = NULL;
	struct stat st;

	cr_assert_eq(stat(w.path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	cr_expect_eq(strlen(w.token), 64);
	cr_assert_eq(actions_alloc(&again, w.srv, w.dir, NULL), 0);
	actions_free(again);
	want(w.token, JSON, "{}");
	run();
	is(0, 202);
}

Test(action, a_damaged_token_file_is_an_error_and_the_old_one_stays)
{
	struct actions *no = NULL;

	cr_assert_eq(file_write(w.path, SL("secret\n")), 0);
	cr_expect_eq(actions_alloc(&no, w.srv, w.dir, NULL), EBADMSG);
	cr_expect_null(no);
	cr_expect_eq(actions_reload(w.act), EBADMSG);
	cr_expect_eq(log_count(LOG_LV_ERROR), 2);
	want(w.token, JSON, "{}");
	run();
	is(0, 202);
}

Test(action, a_reload_takes_a_new_token)
{
	char other[ACTION_TOKEN + 1];

	memset(other, '5', ACTION_TOKEN);
	other[ACTION_TOKEN] = 0;
	cr_assert_eq(file_write(w.path, sl_cstr(other)), 0);
	cr_expect_eq(actions_reload(w.act), 0);
	want(w.token, JSON, "{}");
	want(other, JSON, "{}");
	run();
	is(0, 403);
	is(1, 202);
}

Test(action, the_table_is_capped)
{
	int err = 0, n = 0;

	while (!(err = action_route(w.act, "x", "/x", act, NULL)) && n < 100)
		n++;
	cr_assert_eq(err, ENOSPC);
	cr_assert_eq(n, ACTION_ROUTES - 2);
}
