#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/child.h"
#include "base/clk.h"
#include "base/net.h"

static void start(void)
{
	if (net_init(256))
		abort();
}

TestSuite(child, .init = start, .fini = net_close, .timeout = 20);

struct world {
	struct child *c;
	struct buf said;
	int status, ends;
	size_t stop_at;          /* said so much: the loop stops             */
	bool free_at;            /* and the child is freed in the handler    */
};

static void out(struct sl bytes, void *arg)
{
	struct world *w = arg;

	buf_sl(&w->said, bytes);
	if (!w->stop_at || w->said.n < w->stop_at)
		return;
	if (w->free_at) {
		child_free(w->c);
		w->c = NULL;
	}
	net_stop();
}

static void end(int status, void *arg)
{
	struct world *w = arg;

	w->status = status;
	w->ends++;
	net_stop();
}

static int sh(struct world *w, const char *script)
{
	const char *const argv[] = { "sh", "-c", script, NULL };

	buf_init(&w->said, 4 << 20);
	w->ends = 0;
	return child_alloc(&w->c, "/bin/sh", argv, out, end, w);
}

static const char *said(struct world *w)
{
	buf_chr(&w->said, '\0');
	return (const char *)w->said.p;
}

static void done(struct world *w)
{
	child_free(w->c);
	buf_free(&w->said);
}

Test(child, says_all_and_ends_with_its_status)
{
	struct world w = { 0 };

	cr_assert_eq(sh(&w, "echo one; echo two >&2; exit 7"), 0);
	cr_assert_eq(net_run(NULL, NULL), 0);
	cr_assert_eq(w.ends, 1);
	cr_assert(WIFEXITED(w.status));
	cr_assert_eq(WEXITSTATUS(w.status), 7);
	cr_assert_str_eq(said(&w), "one\ntwo\n");
	done(&w);
}

Test(child, much_that_it_says_just_before_its_end_is_not_lost)
{
	struct world w = { 0 };

	cr_assert_eq(sh(&w, "i=0; while [ $i -lt 5000 ]; do "
			"echo 0123456789; i=$((i+1)); done"), 0);
	cr_assert_eq(net_run(NULL, NULL), 0);
	cr_assert_eq(w.said.n, 5000 * 11);
	done(&w);
}

Test(child, gets_no_file_and_little_environment_of_ours)
{
	struct world w = { 0 };
	/* not close-on-exec */
	cr_assert_eq(dup2(open("/dev/null", O_RDONLY), 9), 9);
	cr_assert_eq(setenv("EDGEWISE_TOKEN", "secret", 1), 0);
	cr_assert_eq(setenv("NOTIFY_SOCKET", "/x", 1), 0);
	cr_assert_eq(sh(&w, "(: >&9) 2>/dev/null && echo inherited; "
			"env | grep -E 'EDGEWISE|NOTIFY'; cat; :"), 0);
	cr_assert_eq(net_run(NULL, NULL), 0);
	cr_assert_str_eq(said(&w), "");
	close(9);
	done(&w);
}

Test(child, signals_are_as_by_default_whatever_we_ignore)
{
	struct world w = { .stop_at = 3 };

	signal(SIGINT, SIG_IGN);
	cr_assert_eq(sh(&w, "trap 'exit 5' INT; echo go; "
			"sleep 60 & wait"), 0);
	cr_assert_eq(net_run(NULL, NULL), 0);
	w.stop_at = 0;
	child_signal(w.c, SIGINT, false);
	cr_assert_eq(net_run(NULL, NULL), 0);
	/* a shell cannot trap what it found ignored */
	cr_assert(WIFEXITED(w.status));
	cr_assert_eq(WEXITSTATUS(w.status), 5);
	done(&w);
}

/** Is process p gone, or dead and not waited for by its new parent? */
static bool gone(pid_t p)
{
	char path[64], state = 'Z';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)p);
	f = fopen(path, "r");
	if (f) {
		if (fscanf(f, "%*d %*s %c", &state) != 1)
			state = '?';
		fclose(f);
	}
	return state == 'Z' || state == 'X';
}

static void wait_gone(pid_t p)
{
	uint64_t until = clk_now() + 5000;

	while (!gone(p) && clk_now() < until)
		usleep(2000);
	cr_assert(gone(p), "%d still runs", (int)p);
}

Test(child, what_it_leaves_in_its_group_ends_with_it)
{
	struct world w = { 0 };

	cr_assert_eq(sh(&w, "sleep 60 & echo $!"), 0);
	cr_assert_eq(net_run(NULL, NULL), 0);
	cr_assert_eq(w.ends, 1);
	wait_gone(atoi(said(&w)));
	done(&w);
}

Test(child, freed_while_it_runs_its_whole_group_is_killed)
{
	struct world w = { .stop_at = 2 };
	pid_t p;

	cr_assert_eq(sh(&w, "trap '' INT TERM; sleep 60 & echo $!; wait"), 0);
	cr_assert_eq(net_run(NULL, NULL), 0);
	p = atoi(said(&w));
	cr_assert_gt(p, 1);
	cr_assert_not(gone(p));
	done(&w);
	wait_gone(p);
}

Test(child, may_be_freed_by_what_it_says)
{
	struct world w = { .stop_at = 1, .free_at = true };

	cr_assert_eq(sh(&w, "echo x; sleep 60"), 0);
	cr_assert_eq(net_run(NULL, NULL), 0);
	cr_assert_null(w.c);
	cr_assert_eq(w.ends, 0);
	done(&w);
}

Test(child, a_program_that_is_not_there_is_an_error_at_once)
{
	const char *const argv[] = { "x", NULL };
	struct world w = { 0 };

	cr_assert_eq(child_alloc(&w.c, "/nonexistent/x", argv, out, end, &w),
		     ENOENT);
	cr_assert_null(w.c);
}
