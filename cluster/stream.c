/* stream.c - Shell. Streams of the cluster. docs/cluster-protocol.md 1. */
#include "config.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>
#include <openssl/err.h>
#include "base/clk.h"
#include "cluster/stream_priv.h"
#include "cluster/stream_sock.h"

#define READ_PIECE 16384
#define READ_TURN 65536       /* from one peer in one turn [bytes] */
#define IN_KEEP 65536          /* of the buffer of an idle link [bytes] */
#define IN_MAX ((1u << 20) + 65536u)
#define OUT_MAX (4u << 20)

/* --- life of a stream -------------------------------------------------------- */

static void conn_free(struct stream *c)
{
	nfd_free(c->nfd);
	SSL_free(c->ssl);
	if (c->fd >= 0)
		close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
}

/* Nothing keeps a pointer to a dead one after the event it died in */
static void reap(struct streams *t)
{
	struct stream **pp = &t->conns, *c;

	while ((c = *pp) != NULL) {
		if (c->state != T_DEAD) {
			pp = &c->next;
			continue;
		}
		*pp = c->next;
		t->st.conns--;
		conn_free(c);
	}
}

void stream_stop(struct stream *c)
{
	nfd_free(c->nfd);
	c->nfd = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->state = T_DEAD;
}

void stream_lose(struct stream *c, const char *why)
{
	struct streams *t = c->t;
	enum tstate was = c->state;

	if (was == T_DEAD)
		return;
	stream_stop(c);
	switch (was) {
	case T_CONNECT:
		t->st.dial_failed++;
		if (c->target >= 0)
			t->h.failed(c->target, t->h.arg);
		break;
	case T_AUTH:
		stream_auth_lost(c, why);
		if (c->target >= 0)
			t->h.failed(c->target, t->h.arg);
		break;
	case T_OPEN:
		t->h.down(c->id, why, t->h.arg);
		break;
	case T_DEAD:
		break;
	}
}

static void event(int flags, void *arg);

int stream_watch(struct stream *c, int flags)
{
	if (c->nfd)
		return nfd_set(c->nfd, flags);
	return nfd_alloc(&c->nfd, c->fd, flags, event, c);
}

static struct stream *conn_new(struct streams *t, int fd,
			      const struct addr *peer, int target)
{
	struct stream *c;

	if (t->st.conns >= STREAM_CONNS)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->t = t;
	c->fd = fd;
	c->peer = *peer;
	c->target = target;
	c->id = -1;
	buf_init(&c->in, IN_MAX);
	buf_init(&c->out, OUT_MAX);
	c->next = t->conns;
	t->conns = c;
	t->st.conns++;
	stream_sock_tune(fd, t->cf.user_timeout);
	return c;
}

/* --- bytes --------------------------------------------------------------- */

/* Give whole frames to the user; keep the rest */
static void take_frames(struct stream *c)
{
	struct streams *t = c->t;
	size_t used = t->h.recv(c, c->id, buf_as_sl(&c->in), t->h.arg);

	if (c->state != T_OPEN)
		return;
	if (used == c->in.n && c->in.cap > IN_KEEP) {
		buf_free(&c->in);
		buf_init(&c->in, IN_MAX);
	} else if (used == c->in.n) {
		buf_reset(&c->in);
	} else if (used) {
		memmove(c->in.p, c->in.p + used, c->in.n - used);
		c->in.n -= used;
	}
}

static void read_some(struct stream *c)
{
	size_t turn = 0;
	int r, e;

	c->again = false;
	while (c->state == T_OPEN) {
		uint8_t *p = buf_room(&c->in, READ_PIECE);

		if (!p) {
			stream_lose(c, "no_memory");
			return;
		}
		ERR_clear_error();
		r = SSL_read(c->ssl, p, READ_PIECE);
		if (r > 0) {
			c->in.n += (size_t)r;
			c->t->st.bytes_in += (uint64_t)r;
			turn += (size_t)r;
			take_frames(c);
			if (turn >= READ_TURN) {
				/* TLS may hold bytes that the socket no
				 * longer announces */
				c->again = true;
				return;
			}
			/* Most often that was all: the socket says when there
			 * is more. TLS must not hold any of it. */
			if (r < READ_PIECE / 2 && c->state == T_OPEN &&
			    !SSL_has_pending(c->ssl))
				return;
			continue;
		}
		e = SSL_get_error(c->ssl, r);
		if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
			stream_lose(c, e == SSL_ERROR_ZERO_RETURN ?
				    "closed" : "reset");
		return;
	}
}

static void write_some(struct stream *c)
{
	int r, e;

	while (c->sent < c->out.n) {
		ERR_clear_error();
		r = SSL_write(c->ssl, c->out.p + c->sent,
			      (int)(c->out.n - c->sent));
		if (r <= 0) {
			e = SSL_get_error(c->ssl, r);
			if (e == SSL_ERROR_WANT_WRITE ||
			    e == SSL_ERROR_WANT_READ)
				break;
			stream_lose(c, "reset");
			return;
		}
		c->sent += (size_t)r;
		c->t->st.bytes_out += (uint64_t)r;
	}
	if (c->sent == c->out.n) {
		c->sent = 0;
		if (c->out.cap > STREAM_OUT) {
			buf_free(&c->out);
			buf_init(&c->out, OUT_MAX);
		} else {
			buf_reset(&c->out);
		}
	}
	c->blocked = c->out.n > 0;
	if (stream_watch(c, c->blocked ? NET_READ | NET_WRITE : NET_READ))
		stream_lose(c, "no_memory");
}

/* --- events --------------------------------------------------------------------- */

static void connected(struct stream *c)
{
	int err = 0;
	socklen_t n = sizeof(err);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &n) || err) {
		stream_lose(c, "connect");
		return;
	}
	if (stream_auth_start(c)) {
		stream_lose(c, "no_memory");
		return;
	}
	stream_auth(c);
}

static void run(struct stream *c, int flags)
{
	switch (c->state) {
	case T_CONNECT:
		connected(c);
		break;
	case T_AUTH:
		stream_auth(c);
		break;
	case T_OPEN:
		if (flags & NET_WRITE)
			write_some(c);
		if (c->state == T_OPEN && flags & (NET_READ | NET_ERROR))
			read_some(c);
		break;
	case T_DEAD:
		break;
	}
}

static void event(int flags, void *arg)
{
	struct stream *c = arg;
	struct streams *t = c->t;

	run(c, flags);
	t->h.done(t->h.arg);
	reap(t);
}

/* A stranger too many: the oldest one gives way, since an honest hand-shake
 * takes milliseconds */
static void make_room(struct streams *t)
{
	struct stream *oldest = NULL;
	uint32_t n = 0;

	for (struct stream *c = t->conns; c; c = c->next) {
		if (c->state != T_AUTH || c->target >= 0)
			continue;
		n++;
		if (!oldest || c->until <= oldest->until)
			oldest = c;
	}
	if (n >= STREAM_HALF) {
		t->st.half_full++;
		stream_lose(oldest, "half_open_limit");
	}
}

static void accept_one(struct streams *t, int fd,
		       const struct sockaddr *sa)
{
	struct stream *c;
	struct addr peer = { 0 };

	(void)net_from_sockaddr(&peer, sa);     /* only for logs */
	make_room(t);
	c = conn_new(t, fd, &peer, -1);
	if (!c) {
		close(fd);
		return;
	}
	t->st.accepted++;
	if (stream_auth_start(c) || stream_watch(c, NET_READ))
		stream_lose(c, "no_memory");
}

static void incoming(int flags, void *arg)
{
	struct streams *t = arg;
	struct sockaddr_storage ss;

	(void)flags;
	for (int i = 0; i < 32; i++) {
		socklen_t n = sizeof(ss);
		int fd = accept4(t->fd, (struct sockaddr *)&ss, &n,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			break;
		accept_one(t, fd, (struct sockaddr *)&ss);
	}
	t->h.done(t->h.arg);
	reap(t);
}

/* --- for the user ---------------------------------------------------------------- */

int streams_dial(struct streams *t, const struct addr *a, int target)
{
	struct sockaddr_storage ss;
	struct addr from = t->cf.addr;
	struct stream *c;
	socklen_t n;
	int fd, err;

	if (from.af != a->af) {     /* our address is of the other family */
		memset(&from, 0, sizeof(from));
		from.af = a->af;
	}
	err = stream_sock_open(&from, false, &fd);
	if (err)
		return err;
	n = net_to_sockaddr(&ss, a);
	if (connect(fd, (struct sockaddr *)&ss, n) && errno != EINPROGRESS) {
		err = errno;
		close(fd);
		t->st.dial_failed++;
		return err;
	}
	c = conn_new(t, fd, a, target);
	if (!c) {
		close(fd);
		return ENOSPC;
	}
	t->st.dialed++;
	c->state = T_CONNECT;
	c->until = clk_now() + STREAM_CONNECT;
	err = stream_watch(c, NET_WRITE);
	if (err)
		stream_stop(c);
	return err;
}

const char *stream_name(const struct stream *c)
{
	return c->name;
}

struct buf *stream_out(struct stream *c)
{
	return &c->out;
}

bool stream_ready(const struct stream *c)
{
	return c->state == T_OPEN && !c->blocked &&
	       c->out.n < STREAM_OUT;
}

void stream_flush(struct stream *c)
{
	if (c->state != T_OPEN || c->blocked)
		return;
	if (c->out.err)
		stream_lose(c, "no_memory");
	else if (c->out.n)
		write_some(c);
}

void stream_close(struct stream *c, const char *why)
{
	if (c->state == T_DEAD)
		return;
	log_debug("event=cluster_close reason=%s", why);
	if (c->state == T_OPEN && !c->blocked && c->out.n && !c->out.err) {
		ERR_clear_error();
		(void)SSL_write(c->ssl, c->out.p, (int)c->out.n);
		(void)SSL_shutdown(c->ssl);      /* one try, then it closes */
		ERR_clear_error();
	}
	stream_stop(c);
}

uint32_t stream_rtt(const struct stream *c)
{
	struct tcp_info ti;
	socklen_t n = sizeof(ti);

	memset(&ti, 0, sizeof(ti));
	if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &ti, &n))
		return 0;
	return ti.tcpi_rtt;
}

void streams_tick(struct streams *t, uint64_t now)
{
	for (struct stream *c = t->conns; c; c = c->next) {
		if ((c->state == T_CONNECT || c->state == T_AUTH) &&
		    now >= c->until)
			stream_lose(c, "too_slow");
		else if (c->state == T_OPEN && c->again)
			read_some(c);
	}
	t->h.done(t->h.arg);
	reap(t);
}

void streams_rekey(struct streams *t, const struct keyset *k)
{
	tls_keys(&t->keys, k);
	t->st.keys = k->n;
	for (struct stream *c = t->conns; c; c = c->next) {
		if (c->state != T_OPEN || tls_takes(&t->keys, &c->seen))
			continue;
		t->st.key_dropped++;
		stream_lose(c, "key_dropped");
	}
	t->h.done(t->h.arg);
	reap(t);
}

uint64_t streams_next(const struct streams *t)
{
	uint64_t next = UINT64_MAX;

	for (const struct stream *c = t->conns; c; c = c->next) {
		if (c->state == T_OPEN && c->again)
			return 0;
		if ((c->state == T_CONNECT || c->state == T_AUTH) &&
		    c->until < next)
			next = c->until;
	}
	return next;
}

uint16_t streams_port(const struct streams *t)
{
	return t->port;
}

const struct streams_stats *streams_stats(const struct streams *t)
{
	return &t->st;
}

static int open_listener(struct streams *t)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	struct addr a;
	int err = stream_sock_open(&t->cf.addr, true, &t->fd);

	if (err)
		return net_listen_failed("cluster", "TCP", &t->cf.addr, err);
	if (getsockname(t->fd, (struct sockaddr *)&ss, &n))
		return errno;
	err = net_from_sockaddr(&a, (struct sockaddr *)&ss);
	if (err)
		return err;
	t->port = a.port;
	return nfd_alloc(&t->nfd, t->fd, NET_READ, incoming, t);
}

int streams_alloc(struct streams **tp, const struct streams_conf *cf,
		    const struct streams_h *h)
{
	struct streams *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return ENOMEM;
	t->cf = *cf;
	if (!t->cf.auth)
		t->cf.auth = STREAM_AUTH;
	t->h = *h;
	t->fd = -1;
	tls_keys(&t->keys, cf->keys);
	t->st.keys = t->keys.n;
	t->cf.keys = NULL;
	t->cf.cert = NULL;
	err = streams_recert(t, cf->cert);
	if (!err)
		err = open_listener(t);
	if (err) {
		streams_free(t);
		return err;
	}
	*tp = t;
	return 0;
}

void streams_free(struct streams *t)
{
	struct stream *c, *next;

	if (!t)
		return;
	for (c = t->conns; c; c = next) {
		next = c->next;
		conn_free(c);
	}
	nfd_free(t->nfd);
	if (t->fd >= 0)
		close(t->fd);
	SSL_CTX_free(t->server);
	SSL_CTX_free(t->client);
	memset(&t->keys, 0, sizeof(t->keys));
	free(t);
}
