#include <criterion/criterion.h>
#include <getopt.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/file.h"
#include "ctl/ctl.h"
#include "ctl/post.h"

/** Takes one request, keeps it, answers */
struct server {
	int fd;
	uint16_t port;
	const char *answer;
	char got[4096];
	pthread_t t;
};

static struct server s;
static char dir[] = "/tmp/ew_post_XXXXXX";
static char token[64], conf[64], node[64];

static void *serve(void *arg)
{
	size_t n = 0;
	ssize_t k;
	int c = accept(s.fd, NULL, NULL);

	if (c < 0)
		return NULL;
	while (n < sizeof(s.got) - 1 && !strstr(s.got, "\r\n\r\n{") &&
	       !(!strncmp(s.got, "GET ", 4) && strstr(s.got, "\r\n\r\n")) &&
	       (k = read(c, s.got + n, sizeof(s.got) - 1 - n)) > 0)
		n += (size_t)k;
	if (write(c, s.answer, strlen(s.answer)) < 0)
		perror("write");
	close(c);
	return NULL;
}

static void put(const char *path, const char *text)
{
	if (file_write(path, sl_cstr(text)))
		abort();
}

static void setup(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	char text[300];

	if (!mkdtemp(dir) || !freopen("/dev/null", "w", stderr) ||
	    !freopen("/dev/null", "w", stdout))
		abort();
	s.fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(s.fd, (void *)&in, len) || listen(s.fd, 5) ||
	    getsockname(s.fd, (void *)&in, &len))
		abort();
	s.port = ntohs(in.sin_port);
	unsetenv("EDGEWISE_TOKEN");
	snprintf(token, sizeof(token), "%s/admin.token", dir);
	snprintf(conf, sizeof(conf), "%s/sbc.conf", dir);
	snprintf(node, sizeof(node), "%s/node.conf", dir);
	put(token, "feed\n");
	snprintf(text, sizeof(text), "state_dir = \"%s\";\nhttp = { port = "
		 "%u; };\n", dir, s.port);
	put(conf, text);
	put(node, text);
}

static void teardown(void)
{
	unlink(token);
	unlink(conf);
	unlink(node);
	rmdir(dir);
	close(s.fd);
}

TestSuite(post, .init = setup, .fini = teardown, .timeout = 60);

#define OK "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"a\":1}"

static int send_it(struct post *p, const char *answer)
{
	json_t *o = json_object(), *got = NULL;
	int rc;

	s.answer = answer;
	if (pthread_create(&s.t, NULL, serve, NULL))
		abort();
	json_object_set_new(o, "admin", json_string("drain"));
	rc = post_send(p, "/api/v1/nodes/n1", o, &got);
	shutdown(s.fd, SHUT_RDWR);
	pthread_join(s.t, NULL);
	cr_expect_eq(rc == CTL_OK, got != NULL);
	json_decref(got);
	return rc;
}

static void holds(const char *what)
{
	cr_expect_not_null(strstr(s.got, what), "%s\nwanted %s", s.got, what);
}

Test(post, settings_tell_address_and_token)
{
	struct post p = { .config = conf, .who = "me" };

	cr_expect_eq(send_it(&p, OK), CTL_OK);
	holds("POST /api/v1/nodes/n1 HTTP/1.1\r\n");
	holds("\r\nAuthorization: Bearer feed\r\n");
	holds("\r\nContent-Type: application/json\r\n");
	holds("\r\nX-Edgewise-Who: me\r\n");
	holds("\r\n\r\n{\"admin\":\"drain\"}");
}

Test(post, settings_of_a_node_do_as_well)
{
	struct post p = { .config = node };

	cr_expect_eq(send_it(&p, OK), CTL_OK);
	holds("\r\nAuthorization: Bearer feed\r\n");
}

Test(post, a_token_file_comes_first_then_settings_then_the_environment)
{
	char url[40], other[64];
	struct post p = { .url = url, .config = conf, .token_file = other };

	snprintf(url, sizeof(url), "127.0.0.1:%u", s.port);
	snprintf(other, sizeof(other), "%s/other", dir);
	put(other, "beef");
	setenv("EDGEWISE_TOKEN", "cafe", 1);
	cr_expect_eq(send_it(&p, OK), CTL_OK);
	holds("Bearer beef\r\n");
	unlink(other);
}

Test(post, settings_outrank_the_environment)
{
	struct post p = { .config = conf };

	setenv("EDGEWISE_TOKEN", "cafe", 1);
	cr_expect_eq(send_it(&p, OK), CTL_OK);
	holds("Bearer feed\r\n");
}

Test(post, the_environment_will_do)
{
	char url[40];
	struct post p = { .url = url };

	snprintf(url, sizeof(url), "127.0.0.1:%u", s.port);
	setenv("EDGEWISE_TOKEN", "cafe", 1);
	cr_expect_eq(send_it(&p, OK), CTL_OK);
	holds("Bearer cafe\r\n");
}

Test(post, a_name_cannot_add_headers)
{
	struct post p = { .config = conf, .who = "me\r\nX-Evil: 1" };

	cr_expect_eq(send_it(&p, OK), CTL_OK);
	cr_expect_null(strstr(s.got, "X-Evil"));
}

Test(post, a_refusal_is_no_failure_to_reach)
{
	struct post p = { .config = conf };

	cr_expect_eq(send_it(&p, "HTTP/1.1 409 Conflict\r\nConnection: close"
			     "\r\n\r\n{\"error\":\"no\"}"), CTL_BAD);
}

Test(post, a_wrong_token_and_a_strange_answer_are_failures)
{
	struct post p = { .config = conf };

	cr_expect_eq(send_it(&p, "HTTP/1.1 403 Forbidden\r\nConnection: close"
			     "\r\n\r\n{}"), CTL_FAIL);
}

Test(post, nobody_there_no_token_no_settings)
{
	struct post p = { .config = conf, .url = "127.0.0.1:1" };

	cr_expect_eq(send_it(&p, OK), CTL_FAIL);
	p = (struct post){ .config = "/nonexistent" };
	cr_expect_eq(send_it(&p, OK), CTL_FAIL);
	unlink(token);
	p = (struct post){ .config = conf };
	cr_expect_eq(send_it(&p, OK), CTL_FAIL);
	cr_expect_str_eq(s.got, "");
}

/* --- the commands --- */

/** A command with words split at blanks, -c FILE behind them */
static int command(const char *line, const char *answer)
{
	char copy[200], *argv[20], *save = NULL;
	int argc = 0, rc;

	snprintf(copy, sizeof(copy), "%s -c %s", line, conf);
	for (char *p = strtok_r(copy, " ", &save); p && argc < 19;
	     p = strtok_r(NULL, " ", &save))
		argv[argc++] = p;
	argv[argc] = NULL;
	memset(s.got, 0, sizeof(s.got));
	s.answer = answer;
	if (pthread_create(&s.t, NULL, serve, NULL))
		abort();
	optind = 0;
	rc = ctl_nodes(argc, argv);
	shutdown(s.fd, SHUT_RDWR);
	pthread_join(s.t, NULL);
	return rc;
}

static void refused(const char *line)
{
	cr_expect_eq(command(line, OK), CTL_FAIL, "%s", line);
	cr_expect_str_eq(s.got, "", "%s was sent", line);
}

Test(post, a_drain_says_who_why_and_how_long)
{
	cr_expect_eq(command("drain n2 --why kernel --for 30m --who me", OK),
		     CTL_OK);
	holds("POST /api/v1/nodes/n2 HTTP/1.1\r\n");
	holds("\r\nX-Edgewise-Who: me\r\n");
	holds("{\"admin\":\"drain\",\"why\":\"kernel\",\"until\":1800}");
}

Test(post, maint_may_be_forced)
{
	cr_expect_eq(command("maint n2 --why x --force", OK), CTL_OK);
	holds("{\"admin\":\"maint\",\"why\":\"x\",\"force\":true}");
}

Test(post, a_drain_may_stay_one)
{
	cr_expect_eq(command("drain n2 --why x --stay --for 2d", OK), CTL_OK);
	holds("\"until\":172800,\"when_empty\":\"stay\"}");
}

Test(post, ready_needs_no_reason)
{
	cr_expect_eq(command("ready n2", OK), CTL_OK);
	holds("{\"admin\":\"ready\"}");
}

Test(post, weight_is_a_number)
{
	cr_expect_eq(command("weight n2 50", OK), CTL_OK);
	holds("{\"weight\":50}");
}

Test(post, or_the_settings)
{
	cr_expect_eq(command("weight n2 default", OK), CTL_OK);
	holds("{\"weight\":null}");
}

Test(post, wrong_commands_are_not_sent)
{
	refused("drain n2");
	refused("maint n2 --why");
	refused("drain --why x");
	refused("drain n2 n3 --why x");
	refused("drain n2 --why x --for 0");
	refused("drain n2 --why x --for 31d");
	refused("drain n2 --why x --for 5y");
	refused("drain a/b --why x");
	refused("ready n2 --for 5m");
	refused("maint n2 --why x --wait");
	refused("weight n2 1001");
	refused("weight n2");
	refused("nodes n2");
	refused("drain n2 --why x --bogus");
}

Test(post, nodes_shows_the_pool)
{
	cr_expect_eq(command("nodes", "HTTP/1.1 200 OK\r\nConnection: close"
			     "\r\n\r\n{\"pool\":[{\"name\":\"n1\","
			     "\"state\":\"UP\",\"admin\":\"ready\"}]}"),
		     CTL_OK);
}

Test(post, nodes_of_a_node_is_no_pool)
{
	cr_expect_eq(command("nodes", OK), CTL_FAIL);
}
