/* netns.c - Shell. A network namespace of our own. */
#include <config.h>
#include "drill/netns.h"
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err = errno;
	close(fd);
	return err;
}

/** We stay who we are for files, and may do anything to our own network */
static int own_user(void)
{
	unsigned uid = getuid(), gid = getgid();
	char line[64];
	int err;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return errno;
	err = put("/proc/self/setgroups", "deny");
	(void)snprintf(line, sizeof(line), "0 %u 1", uid);
	if (!err)
		err = put("/proc/self/uid_map", line);
	(void)snprintf(line, sizeof(line), "0 %u 1", gid);
	return err ? err : put("/proc/self/gid_map", line);
}

int netns_enter(void)
{
	struct ifreq r = { .ifr_flags = IFF_UP | IFF_RUNNING };
	int err = unshare(CLONE_NEWNET) ? own_user() : 0, fd;

	if (err)
		return err;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	memcpy(r.ifr_name, "lo", 3);
	if (ioctl(fd, SIOCSIFFLAGS, &r))
		err = errno;
	close(fd);
	return err;
}
