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

struct guard {
	pid_t pid;
	int fd;
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

static void guard(int fd)
{
	static char folder[PATH_MAX], cmd[LINE], line[LINE];
	FILE *f = fdopen(fd, "r");

	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line == 'f')
			(void)snprintf(folder, sizeof(folder), "%s",
				       line + 1);
		else if (*line == 'c')
			(void)snprintf(cmd, sizeof(cmd), "%s", line + 1);
	}
	run(cmd);
	if (*folder == '/') {
		/* its programs die with the tool, but not before us */
		usleep(100000);
		remove_all(AT_FDCWD, folder, 2);
	}
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

static void tell(const struct guard *g, char what, const char *text)
{
	char line[LINE];
	int n = snprintf(line, sizeof(line), "%c%s\n", what, text);

	/* a guard that is gone cannot be helped: the tool undoes it all */
	if (g && n > 0 && n < LINE && write(g->fd, line, (size_t)n) != n)
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
	if (!g)
		return;
	close(g->fd);
	while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(g);
}
