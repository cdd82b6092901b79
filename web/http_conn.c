/* http_conn.c - Shell. Connections of the management HTTP server. */
#include "config.h"

#include "web/http_conn.h"
#include "base/clk.h"
#include "base/net.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_MAX (32u << 20)      /* longest answer [bytes]                 */
#define LINGER 1000              /* [ms] for the other side to close       */
#define STREAM_SNDBUF 65536      /* [bytes] the kernel may hold for one    */

struct http_conn {
	struct http_conn *next;
	struct http_pool *p;
	int fd;
	struct nfd *nfd;
	struct addr peer;
	struct buf in, out;
	size_t sent;             /* of out                                 */
	uint64_t due;            /* [ms] closed when nothing moved by then */
	bool eof;                /* the other side sends no more           */
	bool closing;            /* after out has left                     */
	bool drain;              /* it has; input is thrown away           */
	/* a listener: it only gets what is sent to its channel */
	bool stream;
	unsigned channel;
	struct blob *queue[HTTP_QUEUE];
	unsigned queued;         /* of these; [0] is on its way            */
	size_t queue_sent;       /* of queue[0]                            */
};

struct http_pool {
	int fd;
	struct nfd *nfd;
	struct ntimer *timer;
	struct http_conn *conns; /* newest first                           */
	unsigned n;              /* without listeners                      */
	size_t body_max;
	struct http_pool_stats st;
	http_conn_h *h;
	void *arg;
};

static void conn_free(struct http_conn *c)
{
	struct http_conn **pp = &c->p->conns;

	while (*pp != c)
		pp = &(*pp)->next;
	*pp = c->next;
	if (c->stream)
		c->p->st.streams--;
	else
		c->p->n--;
	while (c->queued)
		blob_unref(c->queue[--c->queued]);
	nfd_free(c->nfd);
	(void)close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
}

static void pool_arm(struct http_pool *p)
{
	uint64_t at = UINT64_MAX;

	for (struct http_conn *c = p->conns; c; c = c->next)
		at = c->due < at ? c->due : at;
	ntimer_at(p->timer, at);
}

#define GUARD_ALL "Referrer-Policy: no-referrer\r\n" \
	"Cross-Origin-Resource-Policy: same-origin\r\n"
/* Nothing but what we serve may run in, be asked by or frame a page of ours */
#define GUARD "X-Content-Type-Options: nosniff\r\n" \
	"Content-Security-Policy: default-src 'none'; script-src 'self'; " \
	"style-src 'self'; img-src 'self'; connect-src 'self'; " \
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n" GUARD_ALL

void http_conn_reply(struct http_conn *c, unsigned status, const char *reason,
		     const char *type, struct sl body, bool head_only)
{
	buf_printf(&c->out, "HTTP/1.1 %u %s\r\nContent-Type: %s\r\n"
		   "Content-Length: %zu\r\nCache-Control: no-store\r\n"
		   GUARD "%s%s\r\n", status, reason, type, body.n,
		   status == 401 ? "WWW-Authenticate: Bearer\r\n" : "",
		   c->closing ? "Connection: close\r\n" : "");
	if (!head_only)
		buf_sl(&c->out, body);
}

void http_conn_attach(struct http_conn *c, const char *type, struct sl name,
		      struct sl body, bool head_only)
{
	buf_printf(&c->out, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
		   "Content-Length: %zu\r\nCache-Control: no-store\r\n"
		   "Content-Disposition: attachment; filename=\"%.*s\"\r\n"
		   "X-Content-Type-Options: nosniff\r\n"
		   "Content-Security-Policy: sandbox; default-src 'none'; "
		   "style-src 'unsafe-inline'\r\n" GUARD_ALL "%s\r\n", type,
		   body.n, (int)name.n, (const char *)name.p,
		   c->closing ? "Connection: close\r\n" : "");
	if (!head_only)
		buf_sl(&c->out, body);
}

static void bad(struct http_conn *c, int err)
{
	c->p->st.bad++;
	c->closing = true;
	if (err == EMSGSIZE)
		http_conn_reply(c, 431, "Request Header Fields Too Large",
				"text/plain", SL("head too long\n"), false);
	else
		http_conn_reply(c, 400, "Bad Request", "text/plain",
				SL("no HTTP request\n"), false);
}

/** Handle one request. @return was there one */
static bool one_request(struct http_conn *c)
{
	struct sl in = buf_as_sl(&c->in);
	struct http_req r;
	struct sl body = SL_NONE;
	size_t n;
	int err;

	if (c->closing || !in.n)
		return false;
	err = http_req_parse(&r, in);
	if (err == EAGAIN)
		return false;
	if (err) {
		bad(c, err);
		return true;
	}
	n = r.head;
	if (r.coded || r.length > c->p->body_max) {
		r.close = true;          /* where the next one begins is unknown */
	}
	else {
		if (in.n - r.head < r.length)
			return false;
		body = sl_sub(in, r.head, r.head + r.length);
		n += body.n;
	}
	c->closing = r.close;
	c->p->h(c, &r, body, &c->peer, c->p->arg);
	c->in.n -= n;
	memmove(c->in.p, c->in.p + n, c->in.n);
	c->due = clk_now() + HTTP_PATIENCE;
	return true;
}

/** @return false: the connection is broken */
static bool conn_flush(struct http_conn *c)
{
	while (c->sent < c->out.n) {
		ssize_t k = send(c->fd, c->out.p + c->sent,
				 c->out.n - c->sent, MSG_NOSIGNAL);

		if (k < 0)
			return errno == EAGAIN || errno == EINTR;
		c->sent += (size_t)k;
		c->due = clk_now() + HTTP_PATIENCE;
	}
	/* after a large answer the memory goes back */
	buf_free(&c->out);
	buf_init(&c->out, OUT_MAX);
	c->sent = 0;
	if (!c->closing || c->drain)
		return true;
	/* closing at once would reset what the other side has not read yet */
	(void)shutdown(c->fd, SHUT_WR);
	c->drain = true;
	c->due = clk_now() + LINGER;
	return true;
}

/** The oldest pieces of a listener. @return false: broken */
static bool queue_flush(struct http_conn *c)
{
	while (c->queued) {
		struct blob *b = c->queue[0];
		ssize_t k = send(c->fd, b->p + c->queue_sent,
				 b->n - c->queue_sent, MSG_NOSIGNAL);

		if (k < 0)
			return errno == EAGAIN || errno == EINTR;
		c->due = clk_now() + HTTP_PATIENCE;
		c->queue_sent += (size_t)k;
		if (c->queue_sent < b->n)
			continue;
		blob_unref(b);
		c->queue_sent = 0;
		c->queued--;
		memmove(c->queue, c->queue + 1, c->queued * sizeof(b));
	}
	c->due = UINT64_MAX;
	return true;
}

/** @return false: the connection is broken */
static bool conn_read(struct http_conn *c)
{
	uint8_t waste[4096], *to = waste;
	size_t room = sizeof(waste);
	ssize_t k;

	if (!c->drain && !c->stream) {
		to = buf_room(&c->in, sizeof(waste));
		if (!to)
			return false;    /* cannot be: in.max holds the largest */
	}
	k = recv(c->fd, to, room, 0);
	if (k < 0)
		return errno == EAGAIN || errno == EINTR;
	c->eof = k == 0;
	if (to != waste)
		c->in.n += (size_t)k;
	return true;
}

/** A listener is written to, or has gone. @return false: it has */
static bool stream_turn(struct http_conn *c)
{
	if (c->eof || !conn_flush(c) || (!c->out.n && !queue_flush(c)))
		return false;
	(void)nfd_set(c->nfd, NET_READ |
		      (c->out.n || c->queued ? NET_WRITE : 0));
	return true;
}

static void conn_event(int flags, void *arg)
{
	struct http_conn *c = arg;
	struct http_pool *p = c->p;
	bool ok = true;

	if (flags & (NET_READ | NET_ERROR) && !c->eof)
		ok = conn_read(c);
	/* answers leave before the next request is looked at */
	do {
		ok = ok && conn_flush(c) && !c->out.err;
	} while (ok && !c->stream && !c->out.n && one_request(c));
	ok = ok && (c->stream ? stream_turn(c) : !c->eof || c->out.n);
	if (!ok)
		conn_free(c);
	else if (!c->stream)
		(void)nfd_set(c->nfd, (c->eof || c->out.n ? 0 : NET_READ) |
			      (c->out.n ? NET_WRITE : 0));
	pool_arm(p);
}

/** The oldest that is no listener: there is one */
static struct http_conn *oldest(const struct http_pool *p)
{
	struct http_conn *old = NULL;

	for (struct http_conn *c = p->conns; c; c = c->next)
		old = c->stream ? old : c;
	return old;
}

static void conn_new(struct http_pool *p, int fd, const struct addr *peer)
{
	struct http_conn *c = calloc(1, sizeof(*c));

	if (!c || nfd_alloc(&c->nfd, fd, NET_READ, conn_event, c)) {
		free(c);
		(void)close(fd);
		return;
	}
	/* whoever holds connections must not keep the operator out */
	if (p->n >= HTTP_CONNS) {
		conn_free(oldest(p));
		p->st.evicted++;
	}
	c->p = p;
	c->fd = fd;
	c->peer = *peer;
	buf_init(&c->in, HTTP_HEAD_MAX + p->body_max + 8192);
	buf_init(&c->out, OUT_MAX);
	c->due = clk_now() + HTTP_PATIENCE;
	c->next = p->conns;
	p->conns = c;
	p->n++;
}

static void accept_event(int flags, void *arg)
{
	struct http_pool *p = arg;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr peer;
	int fd = accept4(p->fd, (struct sockaddr *)&ss, &len,
			 SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (net_from_sockaddr(&peer, (struct sockaddr *)&ss)) {
		(void)close(fd);
		return;
	}
	conn_new(p, fd, &peer);
	pool_arm(p);
}

static void timer_event(void *arg)
{
	struct http_pool *p = arg;
	struct http_conn *c, *next;
	uint64_t now = clk_now();

	for (c = p->conns; c; c = next) {
		next = c->next;
		if (c->due > now)
			continue;
		p->st.slow += c->stream;
		conn_free(c);
	}
	pool_arm(p);
}

static int pool_listen(struct http_pool *p, const struct addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = net_to_sockaddr(&ss, a);
	int on = 1;

	if (!len)
		return EINVAL;
	p->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK |
		       SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return errno;
	/* connections of an earlier run in TIME_WAIT are no obstacle */
	(void)setsockopt(p->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(p->fd, (struct sockaddr *)&ss, len) || listen(p->fd, 128))
		return errno;
	return nfd_alloc(&p->nfd, p->fd, NET_READ, accept_event, p);
}

int http_pool_alloc(struct http_pool **pp, const struct addr *a,
		    size_t body_max, http_conn_h *h, void *arg)
{
	struct http_pool *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return ENOMEM;
	p->fd = -1;
	p->body_max = body_max;
	p->h = h;
	p->arg = arg;
	err = ntimer_alloc(&p->timer, timer_event, p);
	if (!err)
		err = pool_listen(p, a);
	if (err) {
		http_pool_free(p);
		return err;
	}
	*pp = p;
	return 0;
}

void http_pool_free(struct http_pool *p)
{
	if (!p)
		return;
	while (p->conns)
		conn_free(p->conns);
	nfd_free(p->nfd);
	ntimer_free(p->timer);
	if (p->fd >= 0)
		(void)close(p->fd);
	free(p);
}

int http_pool_addr(const struct http_pool *p, struct addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(p->fd, (struct sockaddr *)&ss, &len))
		return errno;
	return net_from_sockaddr(a, (struct sockaddr *)&ss);
}

const struct http_pool_stats *http_pool_stats(const struct http_pool *p)
{
	return &p->st;
}

/* --- listeners --- */

int http_conn_stream(struct http_conn *c, const char *type, unsigned channel,
		     struct sl first)
{
	int room = STREAM_SNDBUF;

	if (c->p->st.streams >= HTTP_STREAMS)
		return ENOSPC;
	/* else it grows to megabytes, and a slow reader is noticed late */
	(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	buf_printf(&c->out, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
		   "Cache-Control: no-store\r\n" GUARD
		   "Connection: close\r\n\r\n", type);
	buf_sl(&c->out, first);
	c->stream = true;
	c->channel = channel;
	c->closing = false;
	c->p->n--;
	c->p->st.streams++;
	return 0;
}

static void stream_put(struct http_conn *c, struct blob *b)
{
	if (c->queued == HTTP_QUEUE) {
		c->p->st.slow++;
		conn_free(c);
		return;
	}
	if (!c->queued && !c->out.n)
		c->due = clk_now() + HTTP_PATIENCE;
	c->queue[c->queued++] = blob_ref(b);
	if (!stream_turn(c))
		conn_free(c);
}

void http_pool_send(struct http_pool *p, unsigned channel, struct blob *b)
{
	struct http_conn *c, *next;

	for (c = p->conns; c; c = next) {
		next = c->next;
		if (c->stream && c->channel == channel)
			stream_put(c, b);
	}
	pool_arm(p);
}

unsigned http_pool_listeners(const struct http_pool *p, unsigned channel)
{
	unsigned n = 0;

	for (const struct http_conn *c = p->conns; c; c = c->next)
		n += c->stream && c->channel == channel;
	return n;
}
