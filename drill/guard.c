/* guard.c - Shell. Puts things right when the tool dies. */
#include <config.h>
#include "drill/guard.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE 4096

/* What is to be undone, as the guard knows it */
struct undo {
	char folder[PATH_MAX], cmd[LINE];
};

struct guard {
	pid_t pid;
	int fd;
	struct undo u;       /* the same, for a guard that was killed */
};

/* The lab's folder is flat but for one level of state folders; nothing else
 * is ever removed */
static void remove_all(int at, const char *name, int depth)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			O_CLOEXEC);
	struct dirent *e;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (unlinkat(dirfd(d), e->d_name, 0) && depth)
			remove_all(dirfd(d), e->d_name, depth - 1);
	}
	closedir(d);
	(void)unlinkat(at, name, AT_REMOVEDIR);
}

static void run(const char *cmd)
{
	/* its failure has no reader any more */
	if (*cmd && system(cmd) == -1)
		return;
}

static void note(struct undo *u, char what, const char *text)
{
	if (what == 'f')
		(void)snprintf(u->folder, sizeof(u->folder), "%s", text);
	else if (what == 'c')
		(void)snprintf(u->cmd, sizeof(u->cmd), "%s", text);
}

static void undo(const struct undo *u)
{
	run(u->cmd);
	if (*u->folder != '/')
		return;
	/* its programs die with the tool, but not before us */
	usleep(100000);
	remove_all(AT_FDCWD, u->folder, 2);
}

static void guard(int fd)
{
	static struct undo u;
	static char line[LINE];
	FILE *f = fdopen(fd, "r");

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		note(&u, line[0], line[0] ? line + 1 : "");
	}
	undo(&u);
	_exit(0);
}

int guard_alloc(struct guard **gp)
{
	struct guard *g = calloc(1, sizeof(*g));
	int p[2], err;

	if (!g)
		return ENOMEM;
	if (pipe2(p, O_CLOEXEC)) {
		err = errno;
		free(g);
		return err;
	}
	g->pid = fork();
	if (g->pid == 0) {
		close(p[1]);
		(void)setsid();     /* Ctrl-C is for the tool alone */
		guard(p[0]);
	}
	err = g->pid < 0 ? errno : 0;
	close(p[0]);
	g->fd = p[1];
	if (err) {
		close(g->fd);
		free(g);
		return err;
	}
	*gp = g;
	return 0;
}

static void tell(struct guard *g, char what, const char *text)
{
	char line[LINE];
	int n = snprintf(line, sizeof(line), "%c%s\n", what, text);

	if (!g || n <= 0 || n >= LINE)
		return;
	note(&g->u, what, text);
	/* a guard that is gone cannot be helped: guard_free() does its work */
	if (write(g->fd, line, (size_t)n) != n)
		return;
}

void guard_folder(struct guard *g, const char *dir)
{
	tell(g, 'f', dir);
}

void guard_command(struct guard *g, const char *cmd)
{
	tell(g, 'c', cmd);
}

void guard_free(struct guard *g)
{
	int status = 0;
	pid_t r;

	if (!g)
		return;
	close(g->fd);
	do {
		r = waitpid(g->pid, &status, 0);
	} while (r < 0 && errno == EINTR);
	if (r != g->pid || !WIFEXITED(status))
		undo(&g->u);
	free(g);
}
