/* null.c - a forwarder that knows nothing of SIP: what the sockets alone cost.
 *
 *   bench/null edge EDGE:PORT CALLER:PORT CALLEE:PORT SINK:PORT NODE:PORT...
 *   bench/null node NODE:PORT
 *   bench/null sink SINK:PORT
 *
 * The edge has one epoll loop, one datagram socket and a stream to each node.
 * A call takes the way it takes through Edgewise: the INVITE, its 180 and its
 * 200 go by a node (each node in turn), ACK, BYE and its 200 do not, and the
 * caller's 100 goes to SINK, which reads it. Bytes are passed as they came;
 * what is looked at are the first and the last four of them. recvmmsg(),
 * sendmmsg() and one sendmsg() a turn and stream, as in sip/transport_*.c.
 *
 * The node echoes INVITEs behind a "100" of 300 bytes, echoes the others, and
 * answers REGISTER, so that bench/run can begin. Frames between the two: u32
 * length, u32 way, bytes, and PAD bytes for what an edge adds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BATCH = 32, SLOT = 65536, OUT = 64, NODES = 8, IN_MAX = 1 << 20,
	PAD = 200,               /* Via, Record-Route: what an edge adds      */
	TRYING = 300,            /* bytes of a 100                            */
};
enum way { TO_CALLEE, TO_CALLER, TO_NOBODY };

struct frame {
	uint32_t n, way;
};

struct stream {
	int fd;
	size_t in, out;
	uint8_t *rx, *tx;        /* IN_MAX each                               */
};

static struct sockaddr_in caller, callee, sink;
static struct stream node[NODES];
static unsigned nodes, turn;
static int udp;

/* what one turn sends */
static struct mmsghdr om[OUT];
static struct iovec oi[OUT];
static struct sockaddr_in oa[OUT];
static uint8_t *obuf;            /* OUT * SLOT */
static unsigned on;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_in addr_of(const char *txt)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	const char *colon = strrchr(txt, ':');
	char ip[64] = "";

	if (colon && colon - txt < 64)
		memcpy(ip, txt, (size_t)(colon - txt));
	if (inet_pton(AF_INET, ip, &a.sin_addr) != 1) {
		fprintf(stderr, "null: no address: %s\n", txt);
		exit(2);
	}
	a.sin_port = htons((uint16_t)atoi(colon + 1));
	return a;
}

static void watch(int ep, int fd, void *what)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = what };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev))
		die("epoll_ctl");
}

static void stream_init(struct stream *s, int fd)
{
	int one = 1;

	s->fd = fd;
	s->rx = malloc(IN_MAX);
	s->tx = malloc(IN_MAX);
	if (!s->rx || !s->tx)
		die("malloc");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* --- out --- */

static void flush_udp(void)
{
	unsigned done = 0;
	int n;

	while (done < on) {
		n = sendmmsg(udp, om + done, on - done, MSG_DONTWAIT);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			die("sendmmsg");
		done += n > 0 ? (unsigned)n : 0;
	}
	on = 0;
}

static void send_udp(const struct sockaddr_in *to, const void *p, size_t n)
{
	if (on == OUT)
		flush_udp();
	memcpy(obuf + (size_t)on * SLOT, p, n);
	oa[on] = *to;
	oi[on] = (struct iovec){ obuf + (size_t)on * SLOT, n };
	om[on].msg_hdr = (struct msghdr){
		.msg_name = &oa[on], .msg_namelen = sizeof(oa[on]),
		.msg_iov = &oi[on], .msg_iovlen = 1,
	};
	on++;
}

static void flush_tcp(struct stream *s)
{
	size_t done = 0;
	ssize_t n;

	while (done < s->out) {
		struct iovec v = { s->tx + done, s->out - done };
		struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

		n = sendmsg(s->fd, &m, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			die("sendmsg");
		done += n > 0 ? (size_t)n : 0;
	}
	s->out = 0;
}

static void send_tcp(struct stream *s, enum way way, const void *p, size_t n)
{
	struct frame f = { (uint32_t)n, way };

	if (s->out + sizeof(f) + n + PAD > IN_MAX)
		flush_tcp(s);
	memcpy(s->tx + s->out, &f, sizeof(f));
	memcpy(s->tx + s->out + sizeof(f), p, n);
	memset(s->tx + s->out + sizeof(f) + n, 'x', PAD);
	s->out += sizeof(f) + n + PAD;
}

/* --- edge: in --- */

static struct stream *next_node(void)
{
	turn = (turn + 1) % nodes;
	return &node[turn];
}

static void from_phone(const uint8_t *p, size_t n)
{
	int bare = n > 4 && !memcmp(p + n - 4, "\r\n\r\n", 4);

	if (n < 16)
		return;
	if (!memcmp(p, "INVI", 4)) {
		send_udp(&sink, p, n < TRYING ? n : TRYING);
		send_tcp(next_node(), TO_CALLEE, p, n);
	}
	else if (!memcmp(p, "REGI", 4)) {
		send_tcp(next_node(), TO_CALLEE, p, n);
	}
	else if (!memcmp(p, "SIP/", 4)) {
		/* 180, and a 200 with a body: of an INVITE */
		if (p[8] == '1' || !bare)
			send_tcp(next_node(), TO_CALLER, p, n);
		else
			send_udp(&caller, p, n);
	}
	else {
		send_udp(&callee, p, n);
	}
}

static void read_udp(void)
{
	static struct mmsghdr m[BATCH];
	static struct iovec v[BATCH];
	static struct sockaddr_in from[BATCH];
	static uint8_t *rx;
	int n;

	if (!rx && !(rx = malloc((size_t)BATCH * SLOT)))
		die("malloc");
	for (int i = 0; i < BATCH; i++) {
		v[i] = (struct iovec){ rx + (size_t)i * SLOT, SLOT };
		m[i].msg_hdr = (struct msghdr){
			.msg_name = &from[i], .msg_namelen = sizeof(from[i]),
			.msg_iov = &v[i], .msg_iovlen = 1,
		};
	}
	n = recvmmsg(udp, m, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		from_phone(v[i].iov_base, m[i].msg_len);
}

/* what a node says; REGISTERs come back as answers for where they came from */
static void from_node(struct stream *s, enum way way, const uint8_t *p,
		      size_t n)
{
	if (way == TO_CALLEE || way == TO_CALLER)
		send_udp(way == TO_CALLEE ? &callee : &caller, p, n);
}

/* --- node --- */

static const char *line_of(const char *msg, const char *name)
{
	const char *p = strstr(msg, name);

	return p ? p + 2 : NULL;
}

static void put_line(char *to, const char *from)
{
	if (from)
		strncat(to, from, strcspn(from, "\n") + 1);
}

static void answer(struct stream *s, const uint8_t *p, size_t n)
{
	char msg[4096], out[8192] = "SIP/2.0 200 OK\r\n";

	if (n >= sizeof(msg))
		return;
	memcpy(msg, p, n);
	msg[n] = '\0';
	put_line(out, line_of(msg, "\r\nVia:"));
	put_line(out, line_of(msg, "\r\nFrom:"));
	put_line(out, line_of(msg, "\r\nTo:"));
	put_line(out, line_of(msg, "\r\nCall-ID:"));
	put_line(out, line_of(msg, "\r\nCSeq:"));
	put_line(out, line_of(msg, "\r\nContact:"));
	strcat(out, "Content-Length: 0\r\n\r\n");
	send_tcp(s, TO_CALLEE, out, strlen(out));
}

static void at_node(struct stream *s, enum way way, const uint8_t *p, size_t n)
{
	static const uint8_t trying[TRYING];

	if (n >= 4 && !memcmp(p, "REGI", 4)) {
		answer(s, p, n);
		return;
	}
	if (way == TO_CALLEE)
		send_tcp(s, TO_NOBODY, trying, sizeof(trying));
	send_tcp(s, way, p, n);
}

static void read_tcp(struct stream *s, void (*h)(struct stream *, enum way,
						 const uint8_t *, size_t))
{
	ssize_t n = recv(s->fd, s->rx + s->in, IN_MAX - s->in, 0);
	size_t at = 0;
	struct frame f;

	if (n <= 0)
		exit(0);             /* the other side has ended */
	s->in += (size_t)n;
	while (s->in - at >= sizeof(f)) {
		memcpy(&f, s->rx + at, sizeof(f));
		if (f.n > SLOT || s->in - at < sizeof(f) + f.n + PAD)
			break;
		h(s, f.way, s->rx + at + sizeof(f), f.n);
		at += sizeof(f) + f.n + PAD;
	}
	memmove(s->rx, s->rx + at, s->in - at);
	s->in -= at;
}

/* --- start --- */

_Noreturn static void edge(int argc, char **argv)
{
	struct sockaddr_in me = addr_of(argv[2]);
	struct epoll_event ev[64];
	int ep = epoll_create1(0), n, size = 4 << 20;

	caller = addr_of(argv[3]);
	callee = addr_of(argv[4]);
	sink = addr_of(argv[5]);
	obuf = malloc((size_t)OUT * SLOT);
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	(void)setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (!obuf || ep < 0 || bind(udp, (void *)&me, sizeof(me)))
		die("start");
	watch(ep, udp, NULL);
	for (int i = 6; i < argc && nodes < NODES; i++) {
		struct sockaddr_in a = addr_of(argv[i]);
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(fd, (void *)&a, sizeof(a)))
			die("connect");
		stream_init(&node[nodes], fd);
		watch(ep, fd, &node[nodes++]);
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		n = epoll_wait(ep, ev, 64, -1);
		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr)
				read_tcp(ev[i].data.ptr, from_node);
			else
				read_udp();
			flush_udp();
			for (unsigned k = 0; k < nodes; k++)
				if (node[k].out)
					flush_tcp(&node[k]);
		}
	}
}

_Noreturn static void at(const char *where)
{
	struct sockaddr_in me = addr_of(where);
	int fd = socket(AF_INET, SOCK_STREAM, 0), c, one = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (void *)&me, sizeof(me)) || listen(fd, 1))
		die("listen");
	c = accept(fd, NULL, NULL);
	if (c < 0)
		die("accept");
	stream_init(&node[0], c);
	for (;;) {
		read_tcp(&node[0], at_node);
		flush_tcp(&node[0]);
	}
}

static int drain(const char *where)
{
	struct sockaddr_in me = addr_of(where);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char room[2048];

	if (bind(fd, (void *)&me, sizeof(me)))
		die("bind");
	while (recv(fd, room, sizeof(room), 0) >= 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 6 && !strcmp(argv[1], "edge"))
		edge(argc, argv);
	if (argc == 3 && !strcmp(argv[1], "node"))
		at(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "sink"))
		return drain(argv[2]);
	fprintf(stderr, "usage: null edge EDGE CALLER CALLEE SINK NODE... | "
		"null node NODE | null sink SINK   (each IP:PORT)\n");
	return 2;
}
