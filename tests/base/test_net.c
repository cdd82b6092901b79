#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "base/clk.h"
#include "base/daemon.h"
#include "base/net.h"

static void start(void)
{
	if (net_init(256))
		abort();
}

TestSuite(net, .init = start, .fini = net_close, .timeout = 20);

struct world {
	struct nfd *n[2];
	int fd[2][2];           /* two socket pairs */
	int calls;
	struct ntimer *t;
	uint64_t at;
};

static void free_both(int flags, void *arg)
{
	struct world *w = arg;

	w->calls++;
	nfd_free(w->n[0]);
	nfd_free(w->n[1]);
	w->n[0] = w->n[1] = NULL;
	net_stop();
}

Test(net, watch_may_be_freed_in_its_own_handler_and_in_anothers)
{
	struct world w = { 0 };

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, w.fd[i]), 0);
		cr_assert_eq(nfd_alloc(&w.n[i], w.fd[i][0], NET_READ,
				       free_both, &w), 0);
		cr_assert_eq(write(w.fd[i][1], "x", 1), 1);
	}
	cr_assert_eq(net_run(NULL, NULL), 0);
	cr_assert_eq(w.calls, 1, "a freed watch was called");
}

static void writable(int flags, void *arg)
{
	struct world *w = arg;

	cr_assert(flags & NET_WRITE);
	w->calls++;
	cr_assert_eq(nfd_set(w->n[0], NET_READ), 0);
	cr_assert_eq(write(w->fd[0][1], "x", 1), 1);
}

static void either(int flags, void *arg)
{
	struct world *w = arg;
	char c;

	if (flags & NET_WRITE) {
		writable(flags, arg);
		return;
	}
	cr_assert(flags & NET_READ);
	cr_assert_eq(read(w->fd[0][0], &c, 1), 1);
	w->calls++;
	net_stop();
}

Test(net, what_is_watched_can_change)
{
	struct world w = { 0 };

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, w.fd[0]), 0);
	cr_assert_eq(nfd_alloc(&w.n[0], w.fd[0][0], NET_WRITE, either, &w), 0);
	cr_assert_eq(nfd_set(w.n[0], 0), 0);
	cr_assert_eq(nfd_set(w.n[0], NET_WRITE), 0);
	cr_assert_eq(net_run(NULL, NULL), 0);
	cr_assert_eq(w.calls, 2);
	nfd_free(w.n[0]);
	nfd_free(NULL);
}

static void must_not(int flags, void *arg)
{
	cr_assert_fail("told of the end of another descriptor: %d", flags);
}

struct half { struct world *w; int other; };

/** Closes the other one, whose event is still to come in this turn, and opens
 *  a socket under its number */
static void swap(int flags, void *arg)
{
	struct half *h = arg;
	struct world *w = h->w;
	int o = h->other, fd[2];

	w->calls++;
	nfd_free(w->n[o]);
	nfd_free(w->n[!o]);
	w->n[!o] = NULL;
	close(w->fd[o][0]);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	cr_assert_eq(fd[0], w->fd[o][0], "another number");
	cr_assert_eq(nfd_alloc(&w->n[o], fd[0], NET_READ, must_not, w), 0);
}

static void stop(void *arg)
{
	net_stop();
}

Test(net, new_descriptor_is_not_told_of_the_old_one_with_its_number)
{
	struct world w = { 0 };
	struct half h[2] = { { &w, 1 }, { &w, 0 } };

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, w.fd[i]), 0);
		cr_assert_eq(nfd_alloc(&w.n[i], w.fd[i][0], NET_READ, swap,
				       &h[i]), 0);
		close(w.fd[i][1]);      /* readable: end of stream */
	}
	cr_assert_eq(ntimer_alloc(&w.t, stop, NULL), 0);
	ntimer_at(w.t, clk_now() + 20);
	cr_assert_eq(net_run(NULL, NULL), 0);
	cr_assert_eq(w.calls, 1);
	ntimer_free(w.t);
	nfd_free(w.n[0]);
	nfd_free(w.n[1]);
}

static void fired(void *arg)
{
	struct world *w = arg;

	w->calls++;
	w->at = clk_now();
	ntimer_free(w->t);      /* allowed in its own handler */
	w->t = NULL;
	net_stop();
}

Test(net, timer_never_fires_early_and_restart_moves_it)
{
	struct world w = { 0 };
	uint64_t now = clk_now();

	cr_assert_eq(ntimer_alloc(&w.t, fired, &w), 0);
	ntimer_at(w.t, now + 10);
	ntimer_at(w.t, now + 60000);
	ntimer_at(w.t, UINT64_MAX);
	ntimer_at(w.t, now + 30);
	cr_assert_eq(net_run(NULL, NULL), 0);
	cr_assert_eq(w.calls, 1);
	cr_assert_geq(w.at, now + 30);
	cr_assert_leq(w.at, now + 5000);
}

Test(net, timer_in_the_past_fires_at_once)
{
	struct world w = { 0 };

	cr_assert_eq(ntimer_alloc(&w.t, fired, &w), 0);
	ntimer_at(w.t, 0);
	cr_assert_eq(net_run(NULL, NULL), 0);
	cr_assert_eq(w.calls, 1);
}

static void count(void *arg)
{
	struct world *w = arg;

	if (++w->calls < 3)
		ntimer_at(w->t, clk_now() + 5);
}

static void enough(void *arg)
{
	(void)arg;
	net_stop();
}

static double cpu_ms(void)
{
	struct timespec t;

	cr_assert_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

Test(net, timer_set_in_its_handler_fires_again_and_one_that_is_not_sleeps)
{
	struct world w = { 0 };
	struct ntimer *end;
	double cpu;

	cr_assert_eq(ntimer_alloc(&w.t, count, &w), 0);
	cr_assert_eq(ntimer_alloc(&end, enough, NULL), 0);
	ntimer_at(w.t, 0);
	ntimer_at(end, clk_now() + 300);
	cpu = cpu_ms();
	cr_assert_eq(net_run(NULL, NULL), 0);
	cr_expect_lt(cpu_ms() - cpu, 100, "an expiry is announced for ever");
	cr_expect_eq(w.calls, 3);
	ntimer_at(w.t, 0);
	ntimer_at(end, clk_now() + 20);
	cr_assert_eq(net_run(NULL, NULL), 0);
	cr_expect_eq(w.calls, 4, "it can be set later");
	ntimer_free(w.t);
	ntimer_free(end);
}

static void raise_term(void *arg)
{
	kill(getpid(), SIGHUP);
	kill(getpid(), SIGTERM);
}

static void on_signal(int sig, void *arg)
{
	int *seen = arg;

	*seen |= sig == SIGTERM ? 1 : sig == SIGHUP ? 2 : 4;
	if (sig == SIGTERM)
		net_stop();
}

Test(net, signals_come_in_the_loop)
{
	struct ntimer *t = NULL;
	int seen = 0;

	cr_assert_eq(ntimer_alloc(&t, raise_term, NULL), 0);
	ntimer_at(t, clk_now());
	cr_assert_eq(net_run(on_signal, &seen), 0);
	cr_assert(seen & 1);
	ntimer_free(t);
}

Test(net, descriptor_above_the_table_is_an_error)
{
	struct nfd *n = NULL;

	cr_assert_neq(nfd_alloc(&n, 1 << 20, NET_READ, free_both, NULL), 0);
	cr_assert_null(n);
}

Test(net, sockaddr_round_trip)
{
	static const char *const txt[] = { "192.0.2.1:5060",
					   "[2001:db8::1]:5061" };
	struct sockaddr_storage ss;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct addr a, b;

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(addr_parse(&a, sl_cstr(txt[i]), 0), 0);
		cr_assert_gt(net_to_sockaddr(&ss, &a), 0);
		cr_assert_eq(net_from_sockaddr(&b, (void *)&ss), 0);
		cr_assert(addr_eq(&a, &b));
	}
	cr_assert_eq(net_from_sockaddr(&b, (void *)&un), EAFNOSUPPORT);
}

Test(daemon, notify_reaches_the_manager_and_is_silent_without)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	socklen_t len = sizeof(sa_family_t);
	char path[120], got[32] = "";

	cr_assert_eq(bind(fd, (void *)&un, len), 0);    /* abstract, auto */
	len = sizeof(un);
	cr_assert_eq(getsockname(fd, (void *)&un, &len), 0);
	snprintf(path, sizeof(path), "@%.*s",
		 (int)(len - sizeof(sa_family_t) - 1), un.sun_path + 1);
	unsetenv("NOTIFY_SOCKET");
	daemon_notify("READY=1");
	setenv("NOTIFY_SOCKET", path, 1);
	daemon_notify("STOPPING=1");
	cr_assert_eq(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 10);
	cr_assert_str_eq(got, "STOPPING=1");
	close(fd);
}

Test(daemon, nofile_is_raised_within_the_hard_limit)
{
	cr_assert_eq(daemon_nofile(64), 0);
}
