/**
 * @file transport_tcp.c  Shell. Connections: dial, frames in, a queue of shared
 * messages out, several per write.
 */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clk.h"
#include "sip/transport_i.h"

static void watch(struct conn *c, int flags)
{
	int err = nfd_set(c->nfd, flags);

	if (err)
		conn_kill(c, err);
}

static int wanted(const struct conn *c)
{
	return (c->bad ? 0 : NET_READ) | (c->qn ? NET_WRITE : 0);
}

/* --- time --- */

/** When something is due, given what has happened so far. UINT64_MAX: never */
static uint64_t deadline(const struct conn *c)
{
	const struct transport_conf *cf = &c->t->cf;
	uint64_t at = UINT64_MAX, d;

	if (c->frame.first_at != UINT64_MAX && cf->whole_msg)
		at = c->frame.first_at + (uint64_t)1000 * cf->whole_msg;
	if (c->out || c->lst->core)
		return at;

	if (!c->spoke && cf->first_msg)
		d = c->made_at + (uint64_t)1000 * cf->first_msg;
	else if (cf->idle)
		d = c->rx_at + (uint64_t)1000 * cf->idle;
	else
		d = UINT64_MAX;
	return d < at ? d : at;
}

/** Lazy: a deadline that moved on is looked at when the old one comes */
static void arm(struct conn *c)
{
	uint64_t at = deadline(c);

	if (at != UINT64_MAX &&
	    (!wtimer_running(&c->tmr) || at < c->tmr.at))
		wheel_set(c->t->w, &c->tmr, at);
}

void tcp_timer(struct conn *c)
{
	struct transport *t = c->t;

	switch (c->state) {

	case CONN_DIALLING:
		conn_kill(c, ETIMEDOUT);
		break;
	case CONN_OPEN:
		if (c->bad) {
			tcp_end(c);
			break;
		}
		if (deadline(c) > t->now) {
			arm(c);
			break;
		}
		t->c.drop[DROP_TIMEOUT]++;
		conn_kill(c, ETIMEDOUT);
		break;
	case CONN_CLOSING:
	case CONN_LINGER:
		conn_kill(c, 0);
		break;
	case CONN_DEAD:
		break;
	}
}

/* --- out --- */

/** Takes over b. Nothing is written before the flush */
void tcp_queue(struct conn *c, struct blob *b)
{
	struct transport *t = c->t;
	struct blob **q;
	uint32_t i, cap;

	if (c->qbytes + b->n > t->cf.txq_max) {
		t->c.drop[DROP_TXQ]++;
		blob_unref(b);
		conn_kill(c, ENOBUFS);
		return;
	}

	if (c->qn == c->qcap) {
		cap = c->qcap ? c->qcap * 2 : 8;
		q = malloc(cap * sizeof(*q));
		if (!q) {
			blob_unref(b);
			conn_kill(c, ENOMEM);
			return;
		}
		for (i = 0; i < c->qn; i++)
			q[i] = c->q[(c->qhead + i) % c->qcap];
		free(c->q);
		c->q = q;
		c->qhead = 0;
		c->qcap = cap;
	}

	c->q[(c->qhead + c->qn++) % c->qcap] = b;
	c->qbytes += b->n;
	conn_dirty(c);
}

static void sent(struct conn *c, size_t n)
{
	struct transport *t = c->t;
	size_t left;

	t->c.tx_bytes[TP_TCP] += n;
	c->qbytes -= n;
	while (c->qn && n) {
		left = c->q[c->qhead]->n - c->qoff;
		if (n < left) {
			c->qoff += n;
			return;
		}
		n -= left;
		c->qoff = 0;
		t->c.tx_msg[TP_TCP] += c->q[c->qhead] != t->pong;
		blob_unref(c->q[c->qhead]);
		c->qhead = (c->qhead + 1) % c->qcap;
		c->qn--;
	}
}

/** @return 0 (also when the socket is full) or errno */
static int write_some(struct conn *c)
{
	struct iovec iov[TR_TX_N];
	struct msghdr mh;
	struct blob *b;
	uint32_t i, n;
	ssize_t r;

	while (c->qn) {
		n = c->qn < TR_TX_N ? c->qn : TR_TX_N;
		for (i = 0; i < n; i++) {
			b = c->q[(c->qhead + i) % c->qcap];
			iov[i].iov_base = b->p;
			iov[i].iov_len = b->n;
		}
		iov[0].iov_base = (uint8_t *)iov[0].iov_base + c->qoff;
		iov[0].iov_len -= c->qoff;
		memset(&mh, 0, sizeof(mh));
		mh.msg_iov = iov;
		mh.msg_iovlen = n;

		r = sendmsg(c->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r < 0) {
			if (errno == EINTR)
				continue;
			return errno == EAGAIN ? 0 : errno;
		}
		sent(c, (size_t)r);
	}
	return 0;
}

/** All is sent: FIN, then read to the end, so that no RST overtakes it */
static void fin(struct conn *c)
{
	c->state = CONN_LINGER;
	c->bad = false;
	(void)shutdown(c->fd, SHUT_WR);     /* fails when it is dead anyway */
	wheel_set(c->t->w, &c->tmr, c->t->now + TR_LINGER);
	watch(c, NET_READ);
}

void tcp_flush(struct conn *c)
{
	int err;

	if (c->state != CONN_OPEN && c->state != CONN_CLOSING)
		return;

	err = write_some(c);
	if (err) {
		conn_kill(c, err);
		return;
	}
	if (c->state == CONN_CLOSING && !c->qn) {
		fin(c);
		return;
	}
	watch(c, wanted(c));
}

/** Close after what is queued */
void tcp_end(struct conn *c)
{
	if (c->state == CONN_DIALLING) {
		conn_kill(c, 0);
		return;
	}
	if (c->state != CONN_OPEN)
		return;
	if (!c->t->depth)
		c->t->now = clk_now();
	c->state = CONN_CLOSING;
	c->bad = true;
	wheel_set(c->t->w, &c->tmr, c->t->now + TR_BAD_WAIT);
	conn_dirty(c);
}

/* --- in --- */

/** @return false when the stream is not read on */
static bool frames(struct conn *c)
{
	struct transport *t = c->t;
	struct flow f = conn_flow(c);
	enum frame_verdict v;
	const char *why = NULL;
	struct sl msg = SL_NONE;

	while (c->state == CONN_OPEN && !c->bad) {
		v = frame_next(&c->frame, &msg, &why);
		switch (v) {

		case FRAME_MORE:
			return true;
		case FRAME_PING:
			t->c.pings++;
			tcp_queue(c, blob_ref(t->pong));
			break;
		case FRAME_MSG:
			c->spoke = true;
			t->c.rx_msg[TP_TCP]++;
			t->h.recv(&f, msg, v, NULL, t->h.arg);
			break;
		case FRAME_BAD:
		case FRAME_BIG:
			/* the answer comes in this turn; the user closes, or
			 * the timer does */
			t->c.drop[DROP_FRAMING]++;
			c->bad = true;
			wheel_set(t->w, &c->tmr, t->now + TR_BAD_WAIT);
			conn_dirty(c);
			t->h.recv(&f, msg, v, why, t->h.arg);
			break;
		}
	}
	return false;
}

/** Nothing is under way: do not keep the room of the largest message */
static void shrink(struct conn *c)
{
	struct frame *f = &c->frame;

	if (f->in.cap <= TR_KEEP || f->first_at != UINT64_MAX || f->crlf ||
	    f->start != f->in.n)
		return;
	frame_free(f);
	frame_init(f, max_msg(c->lst));
}

/** @return bytes, 0 = nothing more now; kills the connection at its end */
static size_t read_some(struct conn *c)
{
	struct transport *t = c->t;
	union tr_ctl ctl;
	struct iovec iov = { .iov_base = t->rx, .iov_len = TR_RX_SIZE };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (t->h.waited) {
		mh.msg_control = &ctl;
		mh.msg_controllen = sizeof(ctl);
	}
	n = recvmsg(c->fd, &mh, MSG_DONTWAIT);
	if (n > 0) {
		if (t->h.waited)
			tr_waited(c->lst, &mh);
		t->c.rx_bytes[TP_TCP] += (uint64_t)n;
		c->rx_at = t->now;
		return (size_t)n;
	}
	if (!n)
		conn_kill(c, 0);
	else if (errno != EAGAIN && errno != EINTR)
		conn_kill(c, errno);
	return 0;
}

static void tcp_read(struct conn *c)
{
	struct transport *t = c->t;
	size_t n;
	int i, err;

	for (i = 0; i < TR_READS; i++) {
		n = read_some(c);
		if (!n || c->state == CONN_LINGER)
			return;
		err = frame_push(&c->frame, t->rx, n, t->now);
		if (err) {
			t->c.drop[DROP_FRAMING]++;
			conn_kill(c, err);
			return;
		}
		if (!frames(c))
			return;
		shrink(c);
		arm(c);
		if (n < TR_RX_SIZE)
			return;
	}
}

/* --- its start --- */

static void options(const struct conn *c)
{
	bool core = c->lst->core;
	int on = 1, intvl = 5, cnt = 3;
	int idle = core ? 5 : 60;
	unsigned ms = core ? TR_CORE_TIMEOUT : TR_CLIENT_TIMEOUT;

	/* none of these is needed for correct work: failure is no error */
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle,
			 sizeof(idle));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPINTVL, &intvl,
			 sizeof(intvl));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPCNT, &cnt, sizeof(cnt));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms,
			 sizeof(ms));
}

static void connected(struct conn *c)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (err) {
		conn_kill(c, err);
		return;
	}
	c->state = CONN_OPEN;
	c->rx_at = c->t->now;
	wheel_del(c->t->w, &c->tmr);
	arm(c);
	conn_dirty(c);
	watch(c, wanted(c));
}

static void conn_event(int flags, void *arg)
{
	struct conn *c = arg;
	struct transport *t = c->t;

	tr_enter(t);
	if (c->state == CONN_DIALLING) {
		connected(c);
	}
	else {
		if (flags & (NET_READ | NET_ERROR) &&
		    (!c->bad || flags & NET_ERROR))
			tcp_read(c);
		if (flags & NET_WRITE)
			tcp_flush(c);
	}
	tr_leave(t);
}

static int start(struct conn *c, int flags)
{
	options(c);
	return nfd_alloc(&c->nfd, c->fd, flags, conn_event, c);
}

void tcp_accepted(struct conn *c)
{
	if (start(c, NET_READ))
		conn_kill(c, ENOMEM);
	else
		arm(c);
}

/** Socket with the listener's address as source, port by the system */
static int dial_socket(struct lst *l, const struct addr *peer, int *fdp)
{
	struct sockaddr_storage ss;
	struct addr local = l->bound;
	socklen_t len;
	int fd, on = 1, err = 0;

	if (peer->af != local.af || !peer->port)
		return EAFNOSUPPORT;
	fd = socket(peer->af == 6 ? AF_INET6 : AF_INET,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;

	if (!addr_is_any(&local)) {
		local.port = 0;
		len = net_to_sockaddr(&ss, &local);
		/* only saves ports */
		(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
				 sizeof(on));
		if (bind(fd, (struct sockaddr *)&ss, len))
			err = errno;
	}
	len = net_to_sockaddr(&ss, peer);
	if (!err && connect(fd, (struct sockaddr *)&ss, len) &&
	    errno != EINPROGRESS)
		err = errno;
	*fdp = fd;
	return err;
}

static struct conn *dial(struct lst *l, const struct addr *peer, int *errp)
{
	struct transport *t = l->t;
	struct conn *c;
	int fd = -1, err;

	if (t->cf.max_conns && t->c.conns >= t->cf.max_conns) {
		t->c.drop[DROP_CONNS]++;
		*errp = ENOSPC;
		return NULL;
	}
	err = dial_socket(l, peer, &fd);
	c = fd < 0 ? NULL : conn_new(l, fd, peer, true);
	if (!c) {
		*errp = fd < 0 ? err : ENOMEM;
		return NULL;
	}

	if (!err)
		err = start(c, NET_WRITE);
	if (err)
		conn_kill(c, err);
	else
		wheel_set(t->w, &c->tmr, t->now + t->cf.connect);
	return c;
}

/**
 * Start to connect. A failure, also an immediate one, is told by lost(): with
 * the number of the connection, or conn 0 when there is not even that.
 */
struct conn *tcp_dial(struct lst *l, const struct addr *peer)
{
	struct transport *t = l->t;
	struct conn *c;
	struct flow f;
	int err = 0;

	if (!t->depth)
		t->now = clk_now();
	c = dial(l, peer, &err);
	if (!c) {
		memset(&f, 0, sizeof(f));
		f.tp = l->tp;
		f.lst = l->idx;
		f.peer = *peer;
		tr_tell(t, &f, err);
	}
	if (!t->depth)
		tr_arm(t);
	return c;
}
