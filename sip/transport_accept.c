/**
 * @file transport_accept.c  Shell. Listening stream sockets: who is let in.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "sip/transport_i.h"

void tcp_accept_again(struct lst *l)
{
	if (nfd_set(l->nfd, NET_READ))
		wheel_set(l->t->w, &l->pause, l->t->now + TR_ACCEPT_PAUSE);
}

static bool admitted(struct lst *l, const struct addr *peer)
{
	struct transport *t = l->t;

	if (t->h.admit && !t->h.admit(peer, t->h.arg)) {
		t->c.drop[DROP_SOURCE]++;
		return false;
	}
	if (!l->core && conn_ip_full(t, peer)) {
		t->c.drop[DROP_CONNS_IP]++;
		return false;
	}
	if (!t->cf.max_conns || t->c.conns < t->cf.max_conns)
		return true;
	/* who only holds connections must not keep the others out: the oldest
	 * one whose client has not shown who he is makes room */
	if (!t->guests_end) {
		t->c.drop[DROP_CONNS]++;
		return false;
	}
	t->c.drop[DROP_GUEST]++;
	conn_kill(t->guests_end, ECONNABORTED);
	return true;
}

static void welcome(struct lst *l, int fd, const struct sockaddr_storage *ss)
{
	struct addr peer;
	struct conn *c;

	if (net_from_sockaddr(&peer, (const struct sockaddr *)ss) ||
	    !admitted(l, &peer)) {
		(void)close(fd);
		return;
	}
	c = conn_new(l, fd, &peer, false);
	if (!c) {
		l->t->c.drop[DROP_ACCEPT]++;
		return;
	}
	tcp_accepted(c);
}

/** Out of descriptors the listener would wake us without end: it sleeps */
static void accept_event(int flags, void *arg)
{
	struct sockaddr_storage ss;
	struct lst *l = arg;
	struct transport *t = l->t;
	socklen_t len;
	int i, fd;

	tr_enter(t);
	for (i = 0; i < TR_ACCEPTS; i++) {
		len = sizeof(ss);
		fd = accept4(l->fd, (struct sockaddr *)&ss, &len,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			welcome(l, fd, &ss);
			continue;
		}
		if (errno == EAGAIN)
			break;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			t->c.drop[DROP_ACCEPT]++;
			(void)nfd_set(l->nfd, 0);
			wheel_set(t->w, &l->pause, t->now + TR_ACCEPT_PAUSE);
			break;
		}
		/* others belong to the one connection: ECONNABORTED, ... */
	}
	tr_leave(t);
}

int tcp_open(struct lst *l, const struct addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = net_to_sockaddr(&ss, a);
	int on = 1;

	if (!len)
		return EAFNOSUPPORT;
	l->fd = socket(a->af == 6 ? AF_INET6 : AF_INET,
		       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return errno;

	if (setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
		return errno;
	if (a->af == 6 && setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
				     sizeof(on)))
		return errno;
	if (bind(l->fd, (struct sockaddr *)&ss, len) || listen(l->fd, 1024))
		return errno;
	len = sizeof(ss);
	if (getsockname(l->fd, (struct sockaddr *)&ss, &len))
		return errno;
	net_from_sockaddr(&l->bound, (struct sockaddr *)&ss);

	return nfd_alloc(&l->nfd, l->fd, NET_READ, accept_event, l);
}
