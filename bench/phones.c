/* phones.c - a population of phones behind NAT, which register and answer
 * pings. It keeps when each of them was asked and by whom.
 *
 *   bench/phones PROXY:PORT COUNT [RATE [stamp]]
 *
 * stamp: a question counts when the kernel had it, not when we came to read it: on
 * a busy machine that is up to a second later. It costs every socket of the
 * machine a little, so not where CPU time is compared.
 *
 * Phone N is 127.64.0.0 + N, as the proxy sees it; its Contact and Via are a
 * private address. RATE REGISTERs a second (default 2000), without credentials.
 * What is asked without SIP (4 bytes) counts as well. Commands on stdin, one a line;
 * each is answered by one line of JSON:
 *
 *   register   all that are not: {"registered": n}
 *   mark       what was counted until now is forgotten, and who asked whom is
 *              kept: {"phones": n}
 *   mute N     the first N phones say nothing any more, 0: all answer
 *   report     since the mark: gaps between two questions to one phone (that
 *              end after it), phones by the node that asked last, seconds (the
 *              busiest: how many after the mark), phones that changed hands
 *
 * Who asks is the last digit of the user in From: ping.from = "sip:ping2@x".
 */
#define _GNU_SOURCE        /* struct in_pktinfo */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FIRST 0x7f400000u        /* 127.64.0.0 */

enum { PACKET = 8192, SECONDS = 4096, WHO = 10, GIVE_UP = 60000,
       AGAIN = 1000 };

struct phone {
	uint64_t sent;           /* [ms] its REGISTER                        */
	uint64_t asked;          /* [ms] last, 0 = never                     */
	uint32_t least, most;    /* [ms] gaps since the mark                 */
	uint32_t questions;
	uint8_t who, was;        /* asked last, and at the mark; WHO = nobody */
	bool registered;
};

static struct phone *ph;
static uint32_t count, rate = 2000, mute, registered;
static uint32_t second[SECONDS];
static uint64_t marked, gaps, strays, bytes;
static double gap_sum;
static int fd;
static bool stamp;
static struct sockaddr_in proxy;
static char msg[PACKET], out[PACKET];

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);   /* as the kernel's stamps */
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The value of a header, up to its line's end; NULL = not there */
static const char *header(const char *name, int *n)
{
	const char *p = strstr(msg, name), *e;

	if (!p)
		return NULL;
	p += strlen(name);
	e = strstr(p, "\r\n");
	*n = e ? (int)(e - p) : 0;
	return e ? p : NULL;
}

/* All have one socket, and addresses of their own */
static void send_as(uint32_t i, int n)
{
	char ctl[CMSG_SPACE(sizeof(struct in_pktinfo))] = { 0 };
	struct iovec v = { out, (size_t)n };
	struct msghdr h = { .msg_name = &proxy, .msg_namelen = sizeof(proxy),
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl,
		.msg_controllen = sizeof(ctl) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	struct in_pktinfo info = { 0 };

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	info.ipi_spec_dst.s_addr = htonl(FIRST + i);
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	(void)!sendmsg(fd, &h, 0);
}

/* Bytes, or -1; *i: whom it is for; *at: when it came, if that is known */
static ssize_t receive(uint32_t *i, uint64_t *at)
{
	char ctl[256];
	struct iovec v = { msg, sizeof(msg) - 1 };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1,
		.msg_control = ctl, .msg_controllen = sizeof(ctl) };
	ssize_t n = recvmsg(fd, &h, MSG_DONTWAIT);
	struct in_pktinfo info;
	struct timespec t;

	*i = UINT32_MAX;
	for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&h); c;
	     c = CMSG_NXTHDR(&h, c)) {
		if (c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&t, CMSG_DATA(c), sizeof(t));
			*at = (uint64_t)t.tv_sec * 1000 +
				(uint64_t)t.tv_nsec / 1000000;
		}
		if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		*i = ntohl(info.ipi_addr.s_addr) - FIRST;
	}
	return n;
}

static void send_register(uint32_t i, uint64_t now)
{
	char host[32];
	int n;

	snprintf(host, sizeof(host), "10.66.%u.%u", i >> 8 & 255, i & 255);
	n = snprintf(out, sizeof(out),
		"REGISTER sip:example.com SIP/2.0\r\n"
		"Via: SIP/2.0/UDP %s:5060;branch=z9hG4bKr%u.%llu;rport\r\n"
		"Max-Forwards: 70\r\nFrom: <sip:p%u@example.com>;tag=%u\r\n"
		"To: <sip:p%u@example.com>\r\nCall-ID: reg-%u@example.com\r\n"
		"CSeq: 1 REGISTER\r\nContact: <sip:p%u@%s:5060>\r\n"
		"Expires: 7200\r\nContent-Length: 0\r\n\r\n",
		host, i, (unsigned long long)now, i, i, i, i, i, host);
	send_as(i, n);
	ph[i].sent = now;
}

static void note(struct phone *p, uint8_t who, uint64_t now)
{
	uint64_t s = (now - marked) / 1000, gap = now - p->asked;

	if (s < SECONDS)
		second[s]++;
	if (p->asked) {
		gaps++;
		gap_sum += (double)gap;
		p->least = !p->least || gap < p->least ? (uint32_t)gap :
							 p->least;
		p->most = gap > p->most ? (uint32_t)gap : p->most;
	}
	p->asked = now;
	p->questions++;
	p->who = who;
}

static void answer(uint32_t i, uint64_t now)
{
	const char *v, *from, *at;
	int n, len = 0, fromn;
	uint8_t who = 0;

	from = header("\r\nFrom: ", &fromn);
	at = from ? memchr(from, '@', (size_t)fromn) : NULL;
	if (at && at[-1] >= '0' && at[-1] <= '9')
		who = (uint8_t)(at[-1] - '0');
	note(&ph[i], who, now);
	if (i < mute)
		return;
	len += snprintf(out, sizeof(out), "SIP/2.0 200 OK\r\n");
	for (v = strstr(msg, "\r\nVia: "); v; v = strstr(v + 2, "\r\nVia: ")) {
		n = (int)(strstr(v + 2, "\r\n") - v);
		len += snprintf(out + len, sizeof(out) - (size_t)len,
				"%.*s\r\n", n - 2, v + 2);
	}
	v = header("\r\nTo: ", &n);
	if (!from || !v)
		return;
	len += snprintf(out + len, sizeof(out) - (size_t)len,
			"From: %.*s\r\nTo: %.*s;tag=%u\r\n", fromn, from, n, v,
			i);
	v = header("\r\nCall-ID: ", &n);
	len += snprintf(out + len, sizeof(out) - (size_t)len,
			"Call-ID: %.*s\r\n", v ? n : 0, v ? v : "");
	v = header("\r\nCSeq: ", &n);
	len += snprintf(out + len, sizeof(out) - (size_t)len,
			"CSeq: %.*s\r\nContent-Length: 0\r\n\r\n", v ? n : 0,
			v ? v : "");
	send_as(i, len);
}

static void take(uint64_t now)
{
	ssize_t n;
	uint32_t to;
	unsigned i;

	while ((n = receive(&to, &now)) >= 0) {
		const char *p;

		msg[n] = 0;
		if (n <= 4 && to < count) {
			bytes++;
			note(&ph[to], 0, now);
		} else if (!strncmp(msg, "SIP/2.0 200 ", 12)) {
			p = strstr(msg, "Call-ID: reg-");
			if (p && sscanf(p, "Call-ID: reg-%u", &i) == 1 &&
			    i < count && !ph[i].registered) {
				ph[i].registered = true;
				registered++;
			}
		} else if (!strncmp(msg, "OPTIONS sip:p", 13) &&
			   sscanf(msg, "OPTIONS sip:p%u@", &i) == 1 &&
			   i < count) {
			answer(i, now);
		} else {
			strays++;
		}
	}
}

static void wait_ms(int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	(void)poll(&p, 1, ms);
	take(now_ms());
}

static void do_register(void)
{
	uint64_t t0 = now_ms(), sent = 0, now;

	for (uint32_t i = 0; registered < count; i = (i + 1) % count) {
		now = now_ms();
		if (now - t0 > GIVE_UP + count * 1000ull / rate)
			break;
		if (!ph[i].registered && now - ph[i].sent >= AGAIN) {
			while (sent >= (now - t0 + 1) * rate / 1000) {
				wait_ms(1);
				now = now_ms();
			}
			send_register(i, now);
			sent++;
		} else if (i + 1 == count) {
			wait_ms(1);
		}
	}
	printf("{\"registered\": %u}\n", registered);
}

static void do_mark(void)
{
	marked = now_ms();
	memset(second, 0, sizeof(second));
	gaps = bytes = 0;
	gap_sum = 0;
	for (uint32_t i = 0; i < count; i++) {
		ph[i].least = ph[i].most = ph[i].questions = 0;
		ph[i].was = ph[i].asked ? ph[i].who : WHO;
	}
	printf("{\"phones\": %u}\n", count);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void do_report(void)
{
	uint32_t by[WHO] = { 0 }, moved[WHO][WHO] = { { 0 } }, n = 0, most = 0;
	uint32_t never = 0, busiest = 0, *all = calloc(2ul * count, sizeof(*all));
	uint64_t now = now_ms(), silent = 0, asked = 0;
	uint64_t secs = (now - marked) / 1000;

	for (uint32_t i = 0; i < count && all; i++) {
		struct phone *p = &ph[i];
		uint64_t quiet = now - (p->asked > marked || !p->asked ?
					p->asked : marked);

		never += !p->questions;
		asked += p->questions;
		if (p->asked)
			by[p->who]++;
		if (p->asked && p->was < WHO && p->was != p->who)
			moved[p->was][p->who]++;
		silent = p->asked && quiet > silent ? quiet : silent;
		if (p->least) {
			all[n++] = p->least;
			all[n++] = p->most;
		}
	}
	qsort(all, n, sizeof(*all), by_size);
	for (uint32_t s = 0; s < secs && s < SECONDS; s++) {
		if (second[s] > most)
			busiest = s;
		most = second[s] > most ? second[s] : most;
	}
	printf("{\"ms\": %llu, \"asked\": %llu, \"never\": %u, \"gaps\": %llu,"
	       " \"gap_mean\": %.0f, \"gap_least\": %u, \"gap_p01\": %u, "
	       "\"gap_p99\": %u, \"gap_most\": %u, \"silent_most\": %llu, "
	       "\"per_s_mean\": %.1f, \"per_s_most\": %u, \"busiest\": %u, "
	       "\"strays\": %llu, "
	       "\"bytes\": %llu, \"by\": [", (unsigned long long)(now - marked),
	       (unsigned long long)asked, never, (unsigned long long)gaps,
	       gaps ? gap_sum / (double)gaps : 0, n ? all[0] : 0,
	       n ? all[n / 100] : 0, n ? all[n - 1 - n / 100] : 0,
	       n ? all[n - 1] : 0, (unsigned long long)silent,
	       secs ? (double)asked * 1000 / (double)(now - marked) : 0, most, busiest,
	       (unsigned long long)strays, (unsigned long long)bytes);
	for (int i = 0; i < WHO; i++)
		printf("%s%u", i ? ", " : "", by[i]);
	printf("], \"moved\": {");
	n = 0;
	for (int i = 0; i < WHO; i++)
		for (int k = 0; k < WHO; k++)
			if (moved[i][k])
				printf("%s\"%d>%d\": %u", n++ ? ", " : "", i,
				       k, moved[i][k]);
	printf("}}\n");
	free(all);
}

static bool command(void)
{
	static char line[100];

	if (!fgets(line, sizeof(line), stdin))
		return false;
	if (!strcmp(line, "register\n"))
		do_register();
	else if (!strcmp(line, "mark\n"))
		do_mark();
	else if (!strcmp(line, "report\n"))
		do_report();
	else if (!strncmp(line, "mute ", 5))
		printf("{\"mute\": %u}\n",
		       mute = (uint32_t)strtoul(line + 5, NULL, 10));
	else
		printf("{\"error\": \"unknown\"}\n");
	fflush(stdout);
	return true;
}

static void start(char **argv)
{
	struct sockaddr_in me = { .sin_family = AF_INET,
				  .sin_port = htons(5062) };
	int big = 32 << 20, on = 1;
	char *colon = strchr(argv[1], ':');

	if (!colon) {
		fprintf(stderr, "phones: PROXY:PORT\n");
		exit(2);
	}
	*colon = 0;
	proxy.sin_family = AF_INET;
	if (inet_pton(AF_INET, argv[1], &proxy.sin_addr) != 1)
		exit(2);
	proxy.sin_port = htons((uint16_t)atoi(colon + 1));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
	if (stamp && setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on,
				sizeof(on)))
		perror("SO_TIMESTAMPNS");
	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&me, sizeof(me))) {
		perror("phones");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct pollfd p[2] = { { .events = POLLIN }, { .events = POLLIN } };

	if (argc < 3) {
		fprintf(stderr, "usage: phones PROXY:PORT COUNT [RATE [stamp]]\n");
		return 2;
	}
	count = (uint32_t)atoi(argv[2]);
	if (argc > 3)
		rate = (uint32_t)atoi(argv[3]);
	stamp = argc > 4 && !strcmp(argv[4], "stamp");
	ph = calloc(count ? count : 1, sizeof(*ph));
	if (!count || !rate || !ph)
		return 2;
	setvbuf(stdin, NULL, _IONBF, 0);     /* poll() must see all of it */
	start(argv);
	p[1].fd = fd;
	while (poll(p, 2, -1) >= 0) {
		if (p[1].revents)
			take(now_ms());
		if (p[0].revents && !command())
			break;
	}
	return 0;
}
