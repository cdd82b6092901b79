/* stream_sock.c - Shell. Sockets of the cluster's streams. */
#include "cluster/stream_sock.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>
#include "base/net.h"

int stream_sock_open(const struct addr *a, bool listening, int *fdp)
{
	struct sockaddr_storage ss;
	struct addr at = *a;
	socklen_t n;
	int on = 1, fd, err;

	fd = socket(a->af == 6 ? AF_INET6 : AF_INET,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	if (!listening)
		at.port = 0;
	n = net_to_sockaddr(&ss, &at);
	/* Without it a restart within a minute finds the port busy */
	if (listening &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
		goto fail;
	if ((listening || !addr_is_any(a)) &&
	    bind(fd, (struct sockaddr *)&ss, n))
		goto fail;
	if (listening && listen(fd, 128))
		goto fail;
	*fdp = fd;
	return 0;
fail:
	err = errno;
	close(fd);
	return err;
}

/* Not yet sent, in the kernel [bytes]: what is live waits behind no more of a
 * round than that, on a slow link too */
#define NOT_SENT 131072

void stream_sock_tune(int fd, unsigned int timeout)
{
	int on = 1, not_sent = NOT_SENT;

	/* Failing to set them only makes a lost peer be seen later */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout,
			 sizeof(timeout));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &not_sent,
			 sizeof(not_sent));
}
