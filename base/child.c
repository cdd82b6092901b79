/* child.c - Shell. Another program beside ours. */
#include <config.h>
#include "base/child.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clk.h"
#include "base/net.h"

enum {
	LOOK = 50,               /* [ms] between looks whether it has ended  */
	PIECE = 8192,            /* [bytes] read at once                     */
	PIECES = 64,             /* at the end, of what waits                */
	ENV = 5,
};

struct child {
	pid_t pid;               /* 0: has ended                             */
	int fd;                  /* -1: nothing more comes                   */
	struct nfd *nfd;
	struct ntimer *timer;
	child_out_h *out;
	child_end_h *end;
	void *arg;
	bool *freed;             /* told when freed inside a handler         */
};

/* --- what it says --- */

/** @return 1: perhaps more, 0: no more now, -1: c is gone */
static int take(struct child *c)
{
	uint8_t mem[PIECE];
	bool freed = false;
	ssize_t n = read(c->fd, mem, sizeof(mem));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		nfd_free(c->nfd);
		c->nfd = NULL;
		(void)close(c->fd);
		c->fd = -1;
		return 0;
	}
	c->freed = &freed;
	c->out(sl_mk(mem, (size_t)n), c->arg);
	if (freed)
		return -1;
	c->freed = NULL;
	return 1;
}

static void readable(int flags, void *arg)
{
	(void)take(arg);
}

/* --- its end --- */

static void group_kill(pid_t pid)
{
	/* no such group: all is well */
	(void)kill(-pid, SIGKILL);
}

static void look(void *arg)
{
	struct child *c = arg;
	siginfo_t si = { 0 };
	int status = 0, more = 1;

	if (waitid(P_PID, (id_t)c->pid, &si, WEXITED | WNOHANG | WNOWAIT) ||
	    si.si_pid != c->pid) {
		ntimer_at(c->timer, clk_now() + LOOK);
		return;
	}
	/* before it is waited for: nobody else can have its number yet */
	group_kill(c->pid);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
	/* what it left for others to write is not waited for */
	for (int i = 0; i < PIECES && c->fd >= 0 && more > 0; i++)
		more = take(c);
	if (more >= 0)
		c->end(status, c->arg);
}

/* --- its begin --- */

static void make_env(char *env[ENV], char mem[ENV][256])
{
	static const char *const keep[] = { "TMPDIR", "LANG", "HOME" };
	const char *path = getenv("PATH");
	int n = 0;

	(void)snprintf(mem[n], sizeof(mem[n]), "PATH=%s", path ? path :
		       "/usr/sbin:/usr/bin:/sbin:/bin");
	env[0] = mem[n++];
	for (size_t i = 0; i < sizeof(keep) / sizeof(*keep); i++) {
		const char *v = getenv(keep[i]);

		if (!v || snprintf(mem[n], sizeof(mem[n]), "%s=%s", keep[i],
				   v) >= (int)sizeof(mem[n]))
			continue;
		env[n] = mem[n];
		n++;
	}
	env[n] = NULL;
}

static int spawn(struct child *c, const char *path,
		 const char *const argv[], int to)
{
	char *const *args = (char *const *)(uintptr_t)argv;   /* not changed */
	char mem[ENV][256], *env[ENV];
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t all, none;
	int err;

	sigfillset(&all);
	sigemptyset(&none);
	make_env(env, mem);
	err = posix_spawn_file_actions_init(&fa);
	if (err)
		return err;
	err = posix_spawnattr_init(&at);
	if (err) {
		posix_spawn_file_actions_destroy(&fa);
		return err;
	}
#define DO(call) do { if (!err) err = call; } while (0)
	DO(posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0));
	DO(posix_spawn_file_actions_adddup2(&fa, to, 1));
	DO(posix_spawn_file_actions_adddup2(&fa, to, 2));
	DO(posix_spawn_file_actions_addclosefrom_np(&fa, 3));
	DO(posix_spawnattr_setflags(&at, POSIX_SPAWN_SETPGROUP |
				    POSIX_SPAWN_SETSIGDEF |
				    POSIX_SPAWN_SETSIGMASK));
	DO(posix_spawnattr_setpgroup(&at, 0));
	DO(posix_spawnattr_setsigdefault(&at, &all));
	DO(posix_spawnattr_setsigmask(&at, &none));
	DO(posix_spawn(&c->pid, path, &fa, &at, args, env));
#undef DO
	if (err)
		c->pid = 0;
	posix_spawnattr_destroy(&at);
	posix_spawn_file_actions_destroy(&fa);
	return err;
}

static int open_pipe(struct child *c, int *to)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC))
		return errno;
	c->fd = p[0];
	*to = p[1];
	/* its own end stays blocking: it may take that badly */
	return fcntl(p[0], F_SETFL, O_NONBLOCK) ? errno : 0;
}

int child_alloc(struct child **cp, const char *path, const char *const argv[],
		child_out_h *out, child_end_h *end, void *arg)
{
	struct child *c = calloc(1, sizeof(*c));
	int to = -1, err;

	if (!c)
		return ENOMEM;
	c->fd = -1;
	c->out = out;
	c->end = end;
	c->arg = arg;
	err = open_pipe(c, &to);
	if (!err)
		err = ntimer_alloc(&c->timer, look, c);
	if (!err)
		err = nfd_alloc(&c->nfd, c->fd, NET_READ, readable, c);
	if (!err)
		err = spawn(c, path, argv, to);
	if (to >= 0)
		(void)close(to);
	if (err) {
		child_free(c);
		return err;
	}
	ntimer_at(c->timer, clk_now() + LOOK);
	*cp = c;
	return 0;
}

void child_signal(const struct child *c, int sig, bool group)
{
	if (c && c->pid)
		(void)kill(group ? -c->pid : c->pid, sig);
}

void child_free(struct child *c)
{
	if (!c)
		return;
	if (c->freed)
		*c->freed = true;
	if (c->pid) {
		group_kill(c->pid);
		(void)kill(c->pid, SIGKILL);
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	nfd_free(c->nfd);
	ntimer_free(c->timer);
	if (c->fd >= 0)
		(void)close(c->fd);
	free(c);
}
