#include <criterion/criterion.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>
#include "base/sl.h"
#include "ctl/ctl.h"

#define ARGS 8
static char dir[] = "/tmp/ew_ctl_XXXXXX";
static char path[64];

static void setup(void)
{
	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/f", dir);
	/* what the commands print is not ours to show */
	if (!freopen("/dev/null", "w", stdout) ||
	    !freopen("/dev/null", "w", stderr))
		abort();
}

static void teardown(void)
{
	unlink(path);
	rmdir(dir);
}

TestSuite(cmd, .init = setup, .fini = teardown, .timeout = 60);

/** A command with words split at blanks; %s stands for the file */
static int run(int (*cmd)(int argc, char **argv), const char *line,
	       const char *input)
{
	char copy[512], *argv[ARGS + 1] = { NULL }, *save = NULL;
	int argc = 0, p[2], rc, old = dup(0);

	snprintf(copy, sizeof(copy), line, path);
	for (char *w = strtok_r(copy, " ", &save); w && argc < ARGS;
	     w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	if (pipe(p) || write(p[1], input, strlen(input)) < 0)
		abort();
	close(p[1]);
	dup2(p[0], 0);
	close(p[0]);
	optind = 0;
	rc = cmd(argc, argv);
	dup2(old, 0);
	close(old);
	return rc;
}

static char *content(void)
{
	static char t[65536];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, t, sizeof(t) - 1);

	if (fd >= 0)
		close(fd);
	t[n > 0 ? n : 0] = 0;
	return t;
}

static void keep(char *dst, size_t size)
{
	const char *t = content();
	size_t n = strlen(t);

	if (n >= size)
		abort();
	memcpy(dst, t, n + 1);
}

static unsigned mode(void)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_mode & 0777;
}

static unsigned entries(void)
{
	char cmd[128], t[16] = "";
	FILE *f;

	snprintf(cmd, sizeof(cmd), "ls -A %s | wc -l", dir);
	f = popen(cmd, "r");
	if (!f || !fgets(t, sizeof(t), f))
		abort();
	pclose(f);
	return (unsigned)atoi(t);
}

Test(cmd, user_is_added_changed_and_removed_in_a_private_file)
{
	char first[1000] = "";

	cr_assert_eq(run(ctl_user, "user add -f %s --stdin a@x.org",
			 "secret\n"), CTL_OK);
	cr_assert_eq(mode(), 0600);
	keep(first, sizeof(first));
	cr_assert_eq(strncmp(first, "a@x.org:", 8), 0);
	cr_assert_eq(run(ctl_user, "user add -f %s --stdin a@X.org", "x\n"),
		     CTL_BAD);
	cr_assert_str_eq(content(), first);
	cr_assert_eq(chmod(path, 0644), 0);
	cr_assert_eq(run(ctl_user, "user passwd -f %s --stdin a@x.org",
			 "other\n"), CTL_OK);
	cr_assert_eq(mode(), 0600);
	cr_assert_str_neq(content(), first);
	cr_assert_eq(run(ctl_user, "user passwd -f %s --stdin b@x.org",
			 "other\n"), CTL_BAD);
	cr_assert_eq(run(ctl_user, "user del -f %s a@x.org", ""), CTL_OK);
	cr_assert_str_eq(content(), "");
	cr_assert_eq(run(ctl_user, "user del -f %s a@x.org", ""), CTL_BAD);
	cr_assert_eq(run(ctl_user, "user list -f %s", ""), CTL_OK);
	cr_assert_eq(entries(), 1, "a temporary file was left");
}

Test(cmd, events_mistakes_ask_nobody)
{
	static const char *const bad[] = {
		"events x", "events -t 0", "events --since x",
		"events --since -1", "events --since 9223372036854775808",
		"events --frob", "events -u http://127.0.0.1:1",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(run(ctl_events, bad[i], ""), CTL_FAIL, "%s",
			     bad[i]);
	cr_expect_eq(run(ctl_events, "events --help", ""), CTL_OK);
}

Test(cmd, user_mistakes_change_nothing)
{
	static const char *const bad[] = {
		"user add -f %s --stdin", "user add --stdin a@x",
		"user add -f %s --stdin a@x b@x", "user add -f %s --stdin a",
		"user frob -f %s", "user list -f %s a@x", "user",
		"user -x", "user passwd -f /nonexistent/x --stdin a@x",
		"user list -f /nonexistent/x", "user del -f /tmp a@x",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(run(ctl_user, bad[i], "pw\n"), CTL_FAIL, "%s",
			     bad[i]);
	cr_assert_eq(run(ctl_user, "user add -f %s --stdin a@x", "\n"),
		     CTL_FAIL, "an empty password");
	cr_assert_eq(run(ctl_user, "user add -f %s --stdin a@x", ""),
		     CTL_FAIL);
	cr_assert_eq(entries(), 0);
}

Test(cmd, users_added_at_the_same_time_are_all_there)
{
	enum { N = 12 };
	pid_t pid[N];

	for (int i = 0; i < N; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			char line[64];

			snprintf(line, sizeof(line),
				 "user add -f %%s --stdin u%d@x.org", i);
			_exit(run(ctl_user, line, "pw\n"));
		}
	}
	for (int i = 0; i < N; i++) {
		int st = -1;

		cr_assert_eq(waitpid(pid[i], &st, 0), pid[i]);
		cr_assert_eq(st, 0);
	}
	for (int i = 0; i < N; i++) {
		char name[32];

		snprintf(name, sizeof(name), "u%d@x.org:", i);
		cr_assert_not_null(strstr(content(), name), "%s lost", name);
	}
}

/** Read from the terminal until `want` appeared. @return it did */
static bool expect(int fd, char *all, size_t size, const char *want)
{
	size_t n = strlen(all);

	while (!strstr(all, want) && n + 1 < size) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t k;

		if (poll(&p, 1, 10000) != 1)
			return false;
		k = read(fd, all + n, size - 1 - n);
		if (k <= 0)
			return false;
		n += (size_t)k;
		all[n] = 0;
	}
	return strstr(all, want) != NULL;
}

static int tty_add(const char *one, const char *two, char *all, size_t size)
{
	int fd, st = -1;
	pid_t pid = forkpty(&fd, NULL, NULL, NULL);

	if (pid == 0)
		_exit(run(ctl_user, "user add -f %s a@x.org", ""));
	all[0] = 0;
	cr_assert(expect(fd, all, size, "Password: "), "%s", all);
	cr_assert_gt(write(fd, one, strlen(one)), 0);
	if (two) {
		cr_assert(expect(fd, all, size, "Again: "), "%s", all);
		cr_assert_gt(write(fd, two, strlen(two)), 0);
	}
	(void)expect(fd, all, size, "\x01never");     /* until it ends */
	cr_assert_eq(waitpid(pid, &st, 0), pid);
	close(fd);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

Test(cmd, password_is_asked_twice_without_echo)
{
	char all[1000];

	cr_assert_eq(tty_add("geheim\n", "gehelm\n", all, sizeof(all)),
		     CTL_FAIL);
	cr_assert_eq(tty_add("geheim\x03\n", NULL, all, sizeof(all)),
		     CTL_FAIL);
	cr_assert_eq(entries(), 0);
	cr_assert_eq(tty_add("geheim\n", "geheim\n", all, sizeof(all)),
		     CTL_OK);
	cr_assert_null(strstr(all, "geheim"), "echoed: %s", all);
	cr_assert_eq(strncmp(content(), "a@x.org:", 8), 0);
}

static void put(const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0)
		abort();
	fclose(f);
}

Test(cmd, key_is_64_hex_digits_private_and_never_overwritten)
{
	char first[100] = "";

	cr_assert_eq(run(ctl_key, "key %s", ""), CTL_OK);
	keep(first, sizeof(first));
	cr_assert_eq(strlen(first), 65);
	cr_assert_eq(strspn(first, "0123456789abcdef"), 64);
	cr_assert_eq(mode(), 0600);
	cr_assert_eq(run(ctl_key, "key %s", ""), CTL_BAD);
	cr_assert_str_eq(content(), first);
	cr_assert_eq(run(ctl_key, "key", ""), CTL_FAIL);
	cr_assert_eq(run(ctl_key, "key /nonexistent/k", ""), CTL_BAD);
}

/* 64 digits and the end of the line each, then what `base` has */
Test(cmd, a_key_is_added_swapped_and_dropped_and_the_base_stays)
{
	char was[100] = "", two[400] = "";

	cr_assert_eq(run(ctl_key, "key %s", ""), CTL_OK);
	keep(was, sizeof(was));
	cr_assert_eq(run(ctl_key, "key --swap %s", ""), CTL_BAD);
	cr_assert_eq(run(ctl_key, "key --drop %s", ""), CTL_BAD);
	cr_assert_str_eq(content(), was);
	cr_assert_eq(run(ctl_key, "key --add %s", ""), CTL_OK);
	keep(two, sizeof(two));
	cr_assert_eq(strlen(two), 3 * 65 + 5, "%s", two);
	cr_expect_eq(strncmp(two, was, 65), 0);
	cr_expect_eq(strncmp(two + 130, "base ", 5), 0);
	cr_expect_str_eq(two + 135, was);
	cr_expect_eq(mode(), 0600);
	cr_assert_eq(run(ctl_key, "key --add %s", ""), CTL_BAD);
	cr_assert_eq(run(ctl_key, "key --swap %s", ""), CTL_OK);
	cr_expect_eq(strncmp(content(), two + 65, 65), 0);
	cr_expect_eq(strncmp(content() + 65, was, 65), 0);
	cr_expect_str_eq(content() + 135, was);
	cr_assert_eq(run(ctl_key, "key --drop %s", ""), CTL_OK);
	cr_expect_eq(strlen(content()), 65 + 5 + 65);
	cr_expect_eq(strncmp(content(), two + 65, 65), 0);
	cr_expect_str_eq(content() + 70, was);
	cr_assert_eq(run(ctl_key, "key --show %s", ""), CTL_OK);
	cr_assert_eq(run(ctl_key, "key --add --swap %s", ""), CTL_FAIL);
	cr_assert_eq(run(ctl_key, "key --nonsense %s", ""), CTL_FAIL);
	put("abc\n");
	cr_assert_eq(run(ctl_key, "key --add %s", ""), CTL_FAIL);
	cr_assert_str_eq(content(), "abc\n");
}

Test(cmd, check_tells_right_from_wrong_and_whose_file_it_is)
{
	put("pool = ( { name = \"n1\"; address = \"127.0.0.11\"; } );\n");
	cr_expect_eq(run(ctl_check, "check %s", ""), CTL_OK);
	cr_expect_eq(run(ctl_check, "check --type node %s", ""), CTL_BAD);
	put("name = \"n1\";\nedges = ( \"127.0.0.1\" );\n");
	cr_expect_eq(run(ctl_check, "check %s", ""), CTL_OK);
	cr_expect_eq(run(ctl_check, "check --type sbc %s", ""), CTL_BAD);
	put("edges = ( \"127.0.0.1\" );\nauht = \"on\";\n");
	cr_expect_eq(run(ctl_check, "check %s", ""), CTL_BAD);
	put("");
	cr_expect_eq(run(ctl_check, "check %s", ""), CTL_FAIL,
		     "an empty file is nobody's");
	cr_expect_eq(run(ctl_check, "check --type sbc %s", ""), CTL_OK);
	cr_expect_eq(run(ctl_check, "check --type x %s", ""), CTL_FAIL);
	cr_expect_eq(run(ctl_check, "check", ""), CTL_FAIL);
	cr_expect_eq(run(ctl_check, "check --type sbc /nonexistent", ""),
		     CTL_BAD);
}

/* The words on the standard error, which setup() has sent away */
static const char *errors(const char *line)
{
	static char t[4096];
	int old = dup(2);
	FILE *f = tmpfile();
	size_t n;

	(void)fflush(stderr);
	if (!f || old < 0 || dup2(fileno(f), 2) < 0)
		abort();
	(void)run(ctl_check, line, "");
	(void)fflush(stderr);
	(void)dup2(old, 2);
	(void)close(old);
	rewind(f);
	n = fread(t, 1, sizeof(t) - 1, f);
	t[n] = '\0';
	(void)fclose(f);
	return t;
}

Test(cmd, check_of_a_wrong_file_speaks_of_the_program_that_it_is_for)
{
	put("listen = ( { port = 70000; } );\npool = ( { name = \"n1\"; "
	    "address = \"n1.example.com\"; weigth = 7; } );\n");
	cr_expect(strstr(errors("check %s"), "weight"), "%s", errors("check %s"));
	put("listen = ( { transport = \"tls\"; } );\n"
	    "timers = { no100 = \"5s\"; };\n");
	cr_expect(strstr(errors("check %s"), "no100"), "%s", errors("check %s"));
	put("sip = { address = \"n1\"; };\nregistrar = { max_expires = 0; };\n");
	cr_expect(strstr(errors("check %s"), "registrar.max_expires: is 0"), "%s",
		  errors("check %s"));
	put("listen = ( { transport = \"udp\" \n");
	cr_expect(strstr(errors("check %s"), ": syntax error"), "%s",
		  errors("check %s"));
	cr_expect_eq(run(ctl_check, "check %s", ""), CTL_BAD);
}

Test(cmd, check_warns_of_files_that_the_node_will_miss)
{
	const char *t;

	put("name = \"n1\";\nusers_file = \"/nonexistent/users\";\n"
	    "cluster = { key_file = \"/nonexistent/key\"; };\n");
	t = errors("check %s");
	cr_expect(strstr(t, "warning: users_file: /nonexistent/users: No such"),
		  "%s", t);
	cr_expect(strstr(t, "warning: cluster.key_file: /nonexistent/key"), "%s",
		  t);
	cr_expect_eq(run(ctl_check, "check %s", ""), CTL_OK);
	put("name = \"n1\";\nauth = \"off\";\n"
	    "cluster = { key_file = \"/dev/null\"; };\n");
	t = errors("check %s");
	cr_expect_null(strstr(t, "No such file"), "%s", t);
}

struct server { int fd; const char *answer; };

static void *serve_one(void *arg)
{
	const struct server *s = arg;
	char t[4096];
	int c = accept(s->fd, NULL, NULL);

	if (c >= 0) {
		if (read(c, t, sizeof(t)) > 0 &&
		    write(c, s->answer, strlen(s->answer)) < 0)
			perror("write");
		close(c);
	}
	return NULL;
}

static int status_of(const char *answer, const char *opt)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct server s = { socket(AF_INET, SOCK_STREAM, 0), answer };
	socklen_t len = sizeof(in);
	char line[100];
	pthread_t t;
	int rc;

	if (bind(s.fd, (void *)&in, len) || listen(s.fd, 5) ||
	    getsockname(s.fd, (void *)&in, &len) ||
	    pthread_create(&t, NULL, serve_one, &s))
		abort();
	snprintf(line, sizeof(line), "status %s -u http://127.0.0.1:%u", opt,
		 ntohs(in.sin_port));
	rc = run(ctl_status, line, "");
	shutdown(s.fd, SHUT_RDWR);
	pthread_join(t, NULL);
	close(s.fd);
	return rc;
}

#define OK "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

Test(cmd, status_exit_tells_well_degraded_unreachable)
{
	cr_expect_eq(status_of(OK "{\"program\":\"p\",\"ready\":true}", ""),
		     CTL_OK);
	cr_expect_eq(status_of(OK "{\"program\":\"p\",\"ready\":true}",
			       "--json"), CTL_OK);
	cr_expect_eq(status_of(OK "{\"program\":\"p\",\"ready\":false}", ""),
		     CTL_BAD);
	cr_expect_eq(status_of(OK "{\"program\":\"p\"", ""), CTL_FAIL);
	cr_expect_eq(status_of(OK, ""), CTL_FAIL);
	cr_expect_eq(status_of("HTTP/1.1 404 No\r\n"
			       "Content-Length: 0\r\n\r\n", ""), CTL_FAIL);
	cr_expect_eq(status_of("", "-t 5"), CTL_FAIL);
	cr_expect_eq(run(ctl_status, "status -t 0", ""), CTL_FAIL);
	cr_expect_eq(run(ctl_status, "status x", ""), CTL_FAIL);
	cr_expect_eq(run(ctl_status, "status --json -h", ""), CTL_OK);
	cr_expect_eq(run(ctl_status, "status --watch 0", ""), CTL_FAIL);
	cr_expect_eq(run(ctl_status, "status --watch=x", ""), CTL_FAIL);
	cr_expect_eq(run(ctl_status, "status --watch 1 x", ""), CTL_FAIL);
	cr_expect_eq(run(ctl_status, "status --watch x", ""), CTL_FAIL);
	cr_expect_eq(run(ctl_status, "status -u http://127.0.0.1:1", ""),
		     CTL_FAIL);
}

Test(cmd, node_wants_one_deed_and_one_member)
{
	static const char *const bad[] = {
		"node", "node frob", "node leave n1", "node remove",
		"node remove n1 n2", "node admit", "node admit --force n1",
		"node admit --wait n1", "node remove --wait n1",
		"node leave -t x", "node leave -t 3601", "node leave --frob",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(run(ctl_node, bad[i], ""), CTL_FAIL, "%s",
			     bad[i]);
	cr_expect_eq(run(ctl_node, "node --help", ""), CTL_OK);
}
