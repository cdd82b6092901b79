/**
 * @file transport_udp.c  Shell. Datagram sockets: many per system call, errors
 * of the network from the socket's error queue.
 */
#include "config.h"

#include <errno.h>
#include <time.h>
#include <linux/errqueue.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "sip/stun.h"
#include "sip/transport_i.h"

enum { UNCUT = 548,       /* of 576, which every path carries: RFC 1122 3.3.2 */
       MANY_SMALL = 8,    /* fewer are not worth a system call                 */
       LOST_LOOK = 1000 };    /* how often the kernel is asked what it dropped [ms] */

static struct flow udp_flow(const struct lst *l, const struct addr *peer)
{
	struct flow f;

	memset(&f, 0, sizeof(f));
	f.tp = l->tp;
	f.lst = l->idx;
	f.peer = *peer;
	return f;
}

/* --- errors --- */

static int recverr(struct msghdr *mh)
{
	struct sock_extended_err ee;
	struct cmsghdr *cm;

	for (cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
		if (!(cm->cmsg_level == IPPROTO_IP &&
		      cm->cmsg_type == IP_RECVERR) &&
		    !(cm->cmsg_level == IPPROTO_IPV6 &&
		      cm->cmsg_type == IPV6_RECVERR))
			continue;
		memcpy(&ee, CMSG_DATA(cm), sizeof(ee));
		if (ee.ee_origin == SO_EE_ORIGIN_ICMP ||
		    ee.ee_origin == SO_EE_ORIGIN_ICMP6)
			return (int)ee.ee_errno;
	}
	return 0;
}

/** Tell who refused our datagrams. Bounded: what is left wakes us again */
static void read_errors(struct lst *l)
{
	struct transport *t = l->t;
	struct sockaddr_storage ss;
	char ctl[512];
	struct msghdr mh;
	struct addr peer;
	struct flow f;
	int i, err;

	for (i = 0; i < 256; i++) {
		memset(&mh, 0, sizeof(mh));
		mh.msg_name = &ss;
		mh.msg_namelen = sizeof(ss);
		mh.msg_control = ctl;
		mh.msg_controllen = sizeof(ctl);
		if (recvmsg(l->fd, &mh, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;

		err = recverr(&mh);
		/* EMSGSIZE: path MTU found, the kernel fragments from now on */
		if (!err || err == EMSGSIZE || !mh.msg_namelen ||
		    net_from_sockaddr(&peer, (struct sockaddr *)&ss))
			continue;
		t->c.icmp++;
		f = udp_flow(l, &peer);
		tr_tell(t, &f, err);
	}
}

/* --- in --- */

/** RFC 5626: CRLF keep-alives over UDP; and what phones send instead */
static bool keepalive(const uint8_t *p, size_t n)
{
	size_t i;

	if (n > 4)
		return false;
	for (i = 0; i < n; i++) {
		if (p[i] != '\r' && p[i] != '\n' && p[i])
			return false;
	}
	return true;
}

static void deliver(struct lst *l, struct mmsghdr *m, const uint8_t *p)
{
	struct transport *t = l->t;
	struct addr peer;
	struct flow f;
	size_t n = m->msg_len;

	t->c.rx_bytes[TP_UDP] += n;
	if (m->msg_hdr.msg_flags & MSG_TRUNC) {
		t->c.drop[DROP_TRUNCATED]++;
		return;
	}
	if (keepalive(p, n) ||
	    net_from_sockaddr(&peer, m->msg_hdr.msg_name) || !peer.port)
		return;

	f = udp_flow(l, &peer);
	if (stun_is(sl_mk(p, n))) {
		t->c.stun++;
		if (!l->core)
			t->h.recv(&f, sl_mk(p, n), FRAME_PING, NULL, t->h.arg);
		return;
	}
	t->c.rx_msg[TP_UDP]++;
	if (n > max_msg(l))
		t->h.recv(&f, sl_mk(p, n), FRAME_BIG, "Message Too Large",
			  t->h.arg);
	else
		t->h.recv(&f, sl_mk(p, n), FRAME_MSG, NULL, t->h.arg);
}

/** What recvmmsg() is given; filled once, since most calls bring one datagram */
struct udp_rx {
	struct sockaddr_storage ss[TR_RX_N];
	struct mmsghdr m[TR_RX_N];
	struct iovec iov[TR_RX_N];
	union tr_ctl ctl;                  /**< of the first: the oldest    */
};

struct udp_rx *udp_rx_alloc(void)
{
	struct udp_rx *r = calloc(1, sizeof(*r));

	for (int i = 0; r && i < TR_RX_N; i++) {
		r->m[i].msg_hdr.msg_name = &r->ss[i];
		r->m[i].msg_hdr.msg_namelen = sizeof(r->ss[i]);
		r->m[i].msg_hdr.msg_iov = &r->iov[i];
		r->m[i].msg_hdr.msg_iovlen = 1;
	}
	return r;
}

/** One system call. @return false: nothing is left */
static bool read_some(struct lst *l)
{
	struct transport *t = l->t;
	struct udp_rx *r = t->urx;
	int i, n;

	if (!r->iov[0].iov_base || r->iov[0].iov_len != t->rx_size) {
		for (i = 0; i < TR_RX_N; i++) {
			r->iov[i].iov_base = t->rx + (size_t)i * TR_RX_SIZE;
			r->iov[i].iov_len = t->rx_size;
		}
	}

	if (t->h.waited) {
		r->m[0].msg_hdr.msg_control = &r->ctl;
		r->m[0].msg_hdr.msg_controllen = sizeof(r->ctl);
	}
	n = recvmmsg(l->fd, r->m, TR_RX_N, MSG_DONTWAIT, NULL);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			read_errors(l);
		return false;
	}
	if (n > 0 && t->h.waited)
		tr_waited(l, &r->m[0].msg_hdr);
	for (i = 0; i < n; i++) {
		deliver(l, &r->m[i], r->iov[i].iov_base);
		r->m[i].msg_hdr.msg_namelen = sizeof(r->ss[i]);
	}
	return n == TR_RX_N;
}

/** What the kernel dropped for want of room, while there was something to read */
static void look_lost(struct lst *l)
{
	uint32_t v[SK_MEMINFO_VARS] = { 0 };
	socklen_t n = sizeof(v);

	if (l->t->now < l->lost_due)
		return;
	l->lost_due = l->t->now + LOST_LOOK;
	if (getsockopt(l->fd, SOL_SOCKET, SO_MEMINFO, v, &n))
		return;
	/* it wraps, and so does the difference */
	l->t->c.drop[DROP_SOCKET] += (uint32_t)(v[SK_MEMINFO_DROPS] -
						l->kernel_lost);
	l->kernel_lost = v[SK_MEMINFO_DROPS];
}

/** What a queue holds goes out together: what many messages bring about needs few
 *  writes. Bounded, since streams and timers wait */
static void udp_read(struct lst *l)
{
	for (int i = 0; i < TR_RX_ROUNDS && read_some(l); i++)
		;
	look_lost(l);
}

/* --- out --- */

void udp_queue(struct lst *l, const struct addr *to, struct blob *b)
{
	struct transport *t = l->t;
	struct dgram *d;

	if (to->af != l->bound.af || !to->port) {
		t->c.drop[DROP_BAD_FLOW]++;
		blob_unref(b);
		return;
	}
	if (!l->tx)
		l->tx = calloc(TR_UDP_QUEUE, sizeof(*l->tx));
	if (l->tx && l->n == TR_UDP_QUEUE)
		udp_flush(l);
	if (!l->tx || l->n == TR_UDP_QUEUE) {
		t->c.drop[DROP_UDP_QUEUE]++;
		blob_unref(b);
		return;
	}

	d = &l->tx[(l->head + l->n++) % TR_UDP_QUEUE];
	d->to = *to;
	d->blob = b;
	l->dirty = true;
}

static void pop(struct lst *l, uint32_t n)
{
	while (n--) {
		blob_unref(l->tx[l->head].blob);
		l->head = (l->head + 1) % TR_UDP_QUEUE;
		l->n--;
	}
}

/** Of the first n those that are so small that no router has to cut them */
static int small_ones(const struct lst *l, int n)
{
	int i = 0;

	while (i < n && l->tx[(l->head + (uint32_t)i) % TR_UDP_QUEUE].blob->n
	       <= UNCUT)
		i++;
	return i;
}

static void dont_fragment(struct lst *l, bool on)
{
	socklen_t n = sizeof(l->mtu);
	int v = on ? IP_PMTUDISC_PROBE : l->mtu;

	if (l->df == on || (on && getsockopt(l->fd, IPPROTO_IP, IP_MTU_DISCOVER,
					     &l->mtu, &n)))
		return;
	if (!setsockopt(l->fd, IPPROTO_IP, IP_MTU_DISCOVER, &v, sizeof(v)))
		l->df = on;
}

/** For what may be cut on its way the kernel draws an identification, which is
 *  a tenth of what sending a datagram costs. Many small ones in a row (pings) go
 *  without. @return how many of the first n may go at once */
static int set_uncut(struct lst *l, int n)
{
	int small;

	if (l->bound.af != 4)
		return n;
	small = small_ones(l, n);
	if (small < MANY_SMALL && !(l->df && small)) {
		dont_fragment(l, false);
		return n;
	}
	dont_fragment(l, true);
	return small;
}

/** One system call. @return messages sent, or -1 and errno */
static int send_some(struct lst *l)
{
	struct sockaddr_storage ss[TR_TX_N];
	struct mmsghdr m[TR_TX_N];
	struct iovec iov[TR_TX_N];
	struct dgram *d;
	int i, n = l->n < TR_TX_N ? (int)l->n : TR_TX_N;

	n = set_uncut(l, n);
	for (i = 0; i < n; i++) {
		d = &l->tx[(l->head + (uint32_t)i) % TR_UDP_QUEUE];
		iov[i].iov_base = d->blob->p;
		iov[i].iov_len = d->blob->n;
		memset(&m[i].msg_hdr, 0, sizeof(m[i].msg_hdr));
		m[i].msg_hdr.msg_name = &ss[i];
		m[i].msg_hdr.msg_namelen = net_to_sockaddr(&ss[i], &d->to);
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	return sendmmsg(l->fd, m, (unsigned)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void block(struct lst *l, bool on)
{
	if (l->blocked == on)
		return;
	l->blocked = on;
	(void)nfd_set(l->nfd, NET_READ | (on ? NET_WRITE : 0));
}

/** The first datagram could not be sent, for good */
static void refuse_first(struct lst *l, int err)
{
	struct flow f = udp_flow(l, &l->tx[l->head].to);

	l->t->c.drop[DROP_UDP_SEND]++;
	tr_tell(l->t, &f, err);
	pop(l, 1);
}

/**
 * An error of an earlier datagram makes the next send fail as well, whoever
 * it is for: so errors are read and the send is tried once more.
 */
void udp_flush(struct lst *l)
{
	struct transport *t = l->t;
	bool again = false;
	int i, n, err;

	l->dirty = false;
	while (l->n) {
		n = send_some(l);
		if (n > 0) {
			for (i = 0; i < n; i++)
				t->c.tx_bytes[TP_UDP] += l->tx[(l->head +
					(uint32_t)i) % TR_UDP_QUEUE].blob->n;
			t->c.tx_msg[TP_UDP] += (uint64_t)n;
			pop(l, (uint32_t)n);
			again = false;
			continue;
		}

		err = errno;
		if (err == EINTR)
			continue;
		if (err == EAGAIN || err == ENOBUFS) {
			block(l, true);
			return;
		}
		if (!again) {
			again = true;
			read_errors(l);
			continue;
		}
		refuse_first(l, err);
		again = false;
	}
	block(l, false);
}

/* --- socket --- */

static void udp_event(int flags, void *arg)
{
	struct lst *l = arg;

	tr_enter(l->t);
	if (flags & NET_ERROR)
		read_errors(l);
	if (flags & NET_READ)
		udp_read(l);
	if (flags & NET_WRITE)
		udp_flush(l);
	tr_leave(l->t);
}

int udp_open(struct lst *l, const struct addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = net_to_sockaddr(&ss, a);
	int on = 1, size = TR_RCVBUF;

	if (!len)
		return EAFNOSUPPORT;

	l->fd = socket(a->af == 6 ? AF_INET6 : AF_INET,
		       SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return errno;

	/* as much as the system allows; net.core.rmem_max may cut it */
	(void)setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)setsockopt(l->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	tr_stamp(l->t, l->fd);
	if (a->af == 6) {
		if (setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
			       sizeof(on)) ||
		    setsockopt(l->fd, IPPROTO_IPV6, IPV6_RECVERR, &on,
			       sizeof(on)))
			return errno;
	}
	else if (setsockopt(l->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on))) {
		return errno;
	}

	if (bind(l->fd, (struct sockaddr *)&ss, len))
		return errno;
	len = sizeof(ss);
	if (getsockname(l->fd, (struct sockaddr *)&ss, &len))
		return errno;
	net_from_sockaddr(&l->bound, (struct sockaddr *)&ss);

	return nfd_alloc(&l->nfd, l->fd, NET_READ, udp_event, l);
}

/** Frees what was not sent; the socket is closed by the caller */
void udp_close(struct lst *l)
{
	if (l->tx)
		pop(l, l->n);
	free(l->tx);
	l->tx = NULL;
}
