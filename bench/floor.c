/* floor.c - asks bench/phones whether they are there, and does nothing else: what
 * the kernel alone costs for two datagrams a question.
 *
 *   bench/floor ADDR:PORT COUNT SECONDS [stamp] [each] [df]
 *
 * Answers each REGISTER by 200, then sends each of COUNT phones an OPTIONS of the
 * edge's size once in SECONDS, those of 100 ms at once, by sendmmsg(), and reads the
 * answers by recvmmsg(). No answer is looked at. It begins when the first answer
 * to a REGISTER was sent 2 s ago and none since.
 *
 * stamp: with SO_TIMESTAMPNS, as the edge's socket has it
 * df:    with IP_PMTUDISC_PROBE, so that no IP identification is drawn
 * each:  a sendto() and a recvfrom() for each datagram, as most servers do */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define FIRST 0x7f400000u        /* 127.64.0.0, as bench/phones has it */

enum { BATCH = 64, SLOT = 2048, PHONE = 5062, TICK = 100, QUIET = 2000 };

static int fd;
static bool stamp, each, df;
static uint64_t registered;      /* [ms] the last one */
static char out[BATCH][SLOT], in[BATCH][SLOT];
static struct mmsghdr om[BATCH], im[BATCH];
static struct iovec ov[BATCH], iv[BATCH];
static struct sockaddr_in to[BATCH], from[BATCH];
static char ctl[BATCH][64];
static unsigned n_out;
static const char *me;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void flush_out(void)
{
	unsigned done = 0;
	int n;

	for (; each && done < n_out; done++)
		(void)!sendto(fd, out[done], ov[done].iov_len, 0,
			      (struct sockaddr *)&to[done], sizeof(to[done]));
	while (done < n_out) {
		n = sendmmsg(fd, om + done, n_out - done, 0);
		if (n < 0 && errno != EINTR)
			die("sendmmsg");
		done += n > 0 ? (unsigned)n : 0;
	}
	n_out = 0;
}

static void send_to(const struct sockaddr_in *a, int len)
{
	to[n_out] = *a;
	ov[n_out] = (struct iovec){ out[n_out], (size_t)len };
	om[n_out].msg_hdr = (struct msghdr){
		.msg_name = &to[n_out], .msg_namelen = sizeof(to[n_out]),
		.msg_iov = &ov[n_out], .msg_iovlen = 1,
	};
	if (++n_out == BATCH)
		flush_out();
}

static void ask(uint32_t i, uint32_t seq)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(PHONE), .sin_addr.s_addr = htonl(FIRST + i) };
	char uri[64];

	snprintf(uri, sizeof(uri), "sip:p%u@10.66.%u.%u:5060", i, i >> 8 & 255,
		 i & 255);
	send_to(&a, snprintf(out[n_out], SLOT, "OPTIONS %s SIP/2.0\r\n"
		"Via: SIP/2.0/UDP %s;branch=z9hG4bKqa%016x%08x%04x;rport\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:ping1@localhost>;tag=%012x\r\n"
		"To: <%s>\r\nCall-ID: %016x-%08x\r\nCSeq: 1 OPTIONS\r\n"
		"Content-Length: 0\r\n\r\n", uri, me, i, seq, i & 0xffff, i,
		uri, i, seq));
}

/* What bench/phones looks for is its Call-ID */
static void answer(const char *msg, const struct sockaddr_in *a)
{
	const char *id = strstr(msg, "\r\nCall-ID:");

	if (!id)
		return;
	id += 2;
	send_to(a, snprintf(out[n_out], SLOT, "SIP/2.0 200 OK\r\n%.*s\r\n\r\n",
			    (int)strcspn(id, "\r"), id));
	registered = now_ms();
}

static int receive_each(void)
{
	socklen_t len = sizeof(from[0]);
	ssize_t n = recvfrom(fd, in[0], SLOT - 1, MSG_DONTWAIT,
			     (struct sockaddr *)&from[0], &len);

	im[0].msg_len = n < 0 ? 0 : (unsigned)n;
	return n < 0 ? -1 : 1;
}

static int receive(void)
{
	if (each)
		return receive_each();
	for (int i = 0; i < BATCH; i++) {
		iv[i] = (struct iovec){ in[i], SLOT - 1 };
		im[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
			.msg_namelen = sizeof(from[i]), .msg_iov = &iv[i],
			.msg_iovlen = 1, .msg_control = stamp ? ctl[i] : NULL,
			.msg_controllen = stamp ? sizeof(ctl[i]) : 0 };
	}
	return recvmmsg(fd, im, BATCH, MSG_DONTWAIT, NULL);
}

static void take(void)
{
	int n;

	while ((n = receive()) > 0) {
		for (int i = 0; i < n; i++) {
			in[i][im[i].msg_len] = 0;
			if (in[i][0] == 'R')
				answer(in[i], &from[i]);
		}
		flush_out();
	}
}

static void start(char *where)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	char *colon = strchr(where, ':');
	int big = 4 << 20, on = 1, probe = IP_PMTUDISC_PROBE;

	if (!colon)
		exit(2);
	me = strdup(where);
	*colon = 0;
	a.sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, where, &a.sin_addr) != 1)
		exit(2);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
	if (stamp && setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on,
				sizeof(on)))
		die("SO_TIMESTAMPNS");
	if (df && setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe,
			     sizeof(probe)))
		die("IP_MTU_DISCOVER");
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)))
		die("bind");
}

int main(int argc, char **argv)
{
	uint64_t t0 = 0, next = 0, asked = 0, now;
	uint32_t count, secs;
	struct pollfd p;

	if (argc < 4) {
		fprintf(stderr, "usage: floor ADDR:PORT COUNT SECONDS [stamp] "
			"[each] [df]\n");
		return 2;
	}
	for (int i = 4; i < argc; i++) {
		stamp = stamp || !strcmp(argv[i], "stamp");
		each = each || !strcmp(argv[i], "each");
		df = df || !strcmp(argv[i], "df");
	}
	count = (uint32_t)atoi(argv[2]);
	secs = (uint32_t)atoi(argv[3]);
	if (!count || !secs)
		return 2;
	start(argv[1]);
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	for (;;) {
		now = now_ms();
		(void)poll(&p, 1, next > now ? (int)(next - now) : 0);
		if (p.revents)
			take();
		now = now_ms();
		if (now < next)
			continue;
		next = now + TICK;
		if (!t0 && registered && now > registered + QUIET)
			t0 = now;
		for (; t0 && asked < (now - t0) * count / secs / 1000; asked++)
			ask((uint32_t)(asked % count),
			    (uint32_t)(asked / count));
		flush_out();
	}
}
