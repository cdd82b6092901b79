/* Small files of a node: its own folder, whoever else runs from there. */
#include "node/files.h"
#include "base/log.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char top[] = "/tmp/ew_files_XXXXXX";

static void up(void)
{
	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	cr_assert(mkdtemp(top));
}

static void down(void)
{
	char cmd[64];

	(void)snprintf(cmd, sizeof(cmd), "rm -rf %s", top);
	cr_assert(system(cmd) == 0);
}

/* The same in another process, which ends: 0 + the last letter, or 100 + errno */
static int other(const char *name)
{
	char state[FILES_STATE];
	pid_t pid = fork();
	int st, err;

	if (!pid) {
		err = files_state(state, top, name);
		_exit(err ? 100 + err : state[strlen(state) - 1]);
	}
	cr_assert(waitpid(pid, &st, 0) == pid && WIFEXITED(st));
	return WEXITSTATUS(st);
}

TestSuite(files_state, .init = up, .fini = down);

Test(files_state, a_folder_in_use_gives_each_further_node_one_of_its_own)
{
	char state[FILES_STATE], path[FILES_STATE + 16];
	struct stat st;

	cr_assert(files_state(state, top, "n1") == 0);
	cr_expect_str_eq(state, top);
	cr_expect(other("n2") == '2');
	(void)snprintf(path, sizeof(path), "%s/nodes/n2/lock", top);
	cr_expect(stat(path, &st) == 0);
	cr_expect(other("n4") == '4');
}

Test(files_state, it_is_its_own_ever_after_also_when_the_first_one_is_gone)
{
	char state[FILES_STATE], path[FILES_STATE + 16];

	(void)snprintf(path, sizeof(path), "%s/nodes", top);
	cr_assert(mkdir(path, 0700) == 0);
	(void)snprintf(path, sizeof(path), "%s/nodes/n4", top);
	cr_assert(mkdir(path, 0700) == 0);
	cr_assert(files_state(state, top, "n4") == 0);
	cr_expect_str_eq(state, path);
	cr_expect(other("n4") == 100 + EBUSY, "a second one of that name");
	cr_expect(other("x") == top[strlen(top) - 1], "the folder is free");
}

Test(files_state, a_folder_that_cannot_be_made_is_an_error)
{
	char state[FILES_STATE];

	cr_expect(files_state(state, "/proc/nothing/here", "n1") == ENOENT);
}
