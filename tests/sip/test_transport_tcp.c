#include <stdio.h>
#include <sys/resource.h>

#include "transport_fx.h"

static void setup(void)
{
	tfx_init();
}
TestSuite(transport_tcp, .init = setup, .fini = tfx_close, .timeout = 30);

static bool one(void) { return y.recvs >= 1; }
static bool two(void) { return y.recvs >= 2; }
static bool thousand(void) { return y.recvs >= 1000; }
static bool lost_one(void) { return y.losts >= 1; }
static bool nobody(void) { return transport_conns(y.t) == 0; }
static bool conn(void) { return transport_conns(y.t) == 1; }

Test(transport_tcp, bytes_one_by_one_make_one_message)
{
	const char *msg = MSG;
	size_t i;
	int fd;

	tfx_start();
	fd = peer_connect(&y.tcp_at);
	for (i = 0; i < strlen(msg); i++) {
		cr_assert_eq(y.recvs, 0);
		peer_send(fd, msg + i, 1, NULL);
		tfx_for(3);
	}
	cr_assert(tfx_until(one));
	cr_assert(sl_eq(buf_as_sl(&y.got), SL(MSG)));
	cr_assert_eq(y.from.tp, TP_TCP);
	cr_assert_neq(y.from.conn, 0);
	cr_assert(transport_alive(y.t, &y.from));
	close(fd);
	cr_assert(tfx_until(lost_one));
	cr_assert_eq(y.err, 0);
	cr_assert_eq(y.lost.conn, y.from.conn);
	cr_assert_not(transport_alive(y.t, &y.from));
}

Test(transport_tcp, two_messages_in_one_segment_are_two)
{
	int fd;

	tfx_start();
	fd = peer_connect(&y.tcp_at);
	peer_send(fd, MSG MSG, 2 * strlen(MSG), NULL);
	cr_assert(tfx_until(two));
	close(fd);
}

Test(transport_tcp, what_waited_in_the_stream_is_said_to_have)
{
	int fd;

	tfx_start();
	fd = peer_connect(&y.tcp_at);
	tfx_until_stamped(fd, NULL);
	cr_expect_lt(y.waited, 5000000);
	cr_expect_eq(y.waited_lst, y.tcp);
	close(fd);
}

Test(transport_tcp, room_of_a_large_message_is_given_back)
{
	static char body[60001];
	int fd, n;

	tfx_start();
	fd = peer_connect(&y.tcp_at);
	n = snprintf(body, sizeof(body), "OPTIONS sip:a SIP/2.0\r\n"
		     "Content-Length: 50000\r\n\r\n");
	peer_send(fd, body, (size_t)n + 50000, NULL);
	cr_assert(tfx_until(one));
	cr_assert_eq(y.got.n, (size_t)n + 50000);
	cr_assert_leq(y.t->all->frame.in.cap, TR_KEEP);
	peer_send(fd, MSG, strlen(MSG), NULL);
	cr_assert(tfx_until(two));
	close(fd);
}

static void answer(const struct flow *f, struct sl msg)
{
	tfx_send(f, "SIP/2.0 200 OK\r\n\r\n");
}

Test(transport_tcp, answer_goes_down_the_same_connection)
{
	char txt[100] = "";
	int fd;

	tfx_start();
	y.on_recv = answer;
	fd = peer_connect(&y.tcp_at);
	peer_send(fd, MSG, strlen(MSG), NULL);
	cr_assert_eq(peer_read(fd, txt, 18), 18);
	cr_assert_str_eq(txt, "SIP/2.0 200 OK\r\n\r\n");
	close(fd);
}

Test(transport_tcp, one_dialled_connection_serves_all_and_comes_from_our_ip)
{
	struct addr at, a, bound, from;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char txt[200];
	struct flow f;
	uint16_t lst;
	int lfd, fd;

	tfx_start();
	cr_assert_eq(addr_parse(&a, SL("127.0.0.2:0"), 0), 0);
	cr_assert_eq(transport_listen(y.t, TP_TCP, &a, true, &lst, &bound),
		     0);
	lfd = peer_listen(&at, 5);
	f = tfx_to(lst, TP_TCP, &at);
	tfx_send(&f, MSG);
	tfx_send(&f, MSG);
	transport_flush(y.t);
	fd = peer_accept(lfd);
	cr_assert_eq(peer_read(fd, txt, 2 * strlen(MSG)), 2 * strlen(MSG));
	tfx_send(&f, MSG);
	transport_flush(y.t);
	cr_assert_eq(peer_read(fd, txt, strlen(MSG)), strlen(MSG));
	cr_assert_lt(accept(lfd, NULL, NULL), 0, "no second connection");

	cr_assert_eq(getpeername(fd, (struct sockaddr *)&ss, &len), 0);
	cr_assert_eq(net_from_sockaddr(&from, (struct sockaddr *)&ss), 0);
	cr_assert(addr_ip_eq(&from, &bound));

	/* requests come back on it, with the dialled address as peer */
	peer_send(fd, MSG, strlen(MSG), NULL);
	cr_assert(tfx_until(one));
	cr_assert(addr_eq(&y.from.peer, &at));
	close(fd);
	cr_assert(tfx_until(lost_one));
	cr_assert(addr_eq(&y.lost.peer, &at));
	cr_assert_eq(y.lost.conn, y.from.conn);

	/* and the next message dials again */
	tfx_send(&f, MSG);
	transport_flush(y.t);
	fd = peer_accept(lfd);
	close(fd);
	close(lfd);
}

Test(transport_tcp, refused_connect_is_told_once_with_number_and_peer)
{
	struct addr at;
	struct flow f;

	tfx_start();
	close(peer_listen(&at, 1));
	f = tfx_to(y.tcp, TP_TCP, &at);
	tfx_send(&f, MSG);
	tfx_send(&f, MSG);
	transport_flush(y.t);
	cr_assert_eq(y.losts, 0, "not from inside do and flush");
	cr_assert(tfx_until(lost_one));
	tfx_for(50);
	cr_assert_eq(y.losts, 1);
	cr_assert_eq(y.err, ECONNREFUSED);
	cr_assert(addr_eq(&y.lost.peer, &at));
	cr_assert_neq(y.lost.conn, 0);
	cr_assert_eq(transport_conns(y.t), 0);
}

Test(transport_tcp, connect_timeout_is_told)
{
	struct addr at;
	struct flow f;
	int lfd, fill[8], i;

	y.cf.connect = 300;
	tfx_start();
	/* a listener whose queue is full drops SYNs */
	lfd = peer_listen(&at, 0);
	for (i = 0; i < 8; i++) {
		struct sockaddr_storage ss;
		socklen_t len = net_to_sockaddr(&ss, &at);

		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fill[i], (struct sockaddr *)&ss, len);
	}
	f = tfx_to(y.tcp, TP_TCP, &at);
	tfx_send(&f, MSG);
	transport_flush(y.t);
	cr_assert(tfx_until(lost_one));
	cr_assert_eq(y.err, ETIMEDOUT);
	for (i = 0; i < 8; i++)
		close(fill[i]);
	close(lfd);
}

Test(transport_tcp, reset_in_the_middle_of_a_message_is_told_once)
{
	int fd;

	tfx_start();
	fd = peer_connect(&y.tcp_at);
	peer_send(fd, MSG "OPTIONS sip", strlen(MSG) + 11, NULL);
	cr_assert(tfx_until(one));
	peer_reset(fd);
	cr_assert(tfx_until(lost_one));
	tfx_for(50);
	cr_assert_eq(y.losts, 1);
	cr_assert_eq(y.recvs, 1);
	cr_assert_eq(y.err, ECONNRESET);
	cr_assert_eq(y.lost.conn, y.from.conn);
}

Test(transport_tcp, sending_to_a_stream_that_has_ended_is_told)
{
	struct flow f;
	int fd;

	tfx_start();
	fd = peer_connect(&y.tcp_at);
	peer_send(fd, MSG, strlen(MSG), NULL);
	cr_assert(tfx_until(one));
	f = y.from;
	close(fd);
	cr_assert(tfx_until(lost_one));
	y.losts = 0;
	tfx_send(&f, MSG);
	cr_assert_eq(y.losts, 0, "not from inside");
	transport_flush(y.t);
	cr_assert(tfx_until(lost_one));
	cr_assert_eq(y.err, ENOTCONN);
	cr_assert_eq(y.lost.conn, f.conn);
}

Test(transport_tcp, idle_client_is_closed_but_not_the_busy_one)
{
	int fd, busy, i;
	char c;

	y.cf.idle = 1;
	tfx_start();
	fd = peer_connect(&y.tcp_at);
	busy = peer_connect(&y.tcp_at);
	peer_send(fd, MSG, strlen(MSG), NULL);
	for (i = 0; i < 7; i++) {
		peer_send(busy, MSG, strlen(MSG), NULL);
		tfx_for(250);
	}
	cr_assert_eq(y.losts, 1);
	cr_assert_eq(y.err, ETIMEDOUT);
	cr_assert_eq(recv(fd, &c, 1, 0), 0);
	cr_assert_eq(transport_conns(y.t), 1);
	cr_assert_eq(tfx_drop(DROP_TIMEOUT), 1);
	close(fd);
	close(busy);
}

Test(transport_tcp, silence_before_the_first_message_is_closed)
{
	int fd;

	y.cf.first_msg = 1;
	tfx_start();
	fd = peer_connect(&y.tcp_at);
	cr_assert(tfx_until(conn));
	peer_send(fd, "\r\n\r\n", 4, NULL);     /* a ping is no message */
	cr_assert(tfx_until(lost_one));
	cr_assert_eq(y.err, ETIMEDOUT);
	close(fd);
}

Test(transport_tcp, message_that_does_not_end_is_closed)
{
	uint64_t t0;
	int fd, i;

	y.cf.whole_msg = 1;
	tfx_start();
	fd = peer_connect(&y.tcp_at);
	t0 = clk_now();
	for (i = 0; i < 20 && !y.losts; i++) {
		if (i < 10)     /* the trickle does not help */
			peer_send(fd, "O", 1, NULL);
		tfx_for(100);
	}
	cr_assert_eq(y.losts, 1);
	cr_assert_geq(clk_now() - t0, 1000);
	cr_assert_eq(y.err, ETIMEDOUT);
	close(fd);
}

Test(transport_tcp, alias_takes_requests_to_its_address)
{
	struct addr alias;
	char txt[100];
	struct flow f;
	int fd;

	tfx_start();
	fd = peer_connect(&y.tcp_at);
	peer_send(fd, MSG, strlen(MSG), NULL);
	cr_assert(tfx_until(one));
	cr_assert_eq(addr_parse(&alias, SL("127.0.0.1:1"), 0), 0);
	tfx_do(SIP_OUT_ALIAS, &y.from, &alias);
	f = tfx_to(y.tcp, TP_TCP, &alias);
	tfx_send(&f, MSG);
	transport_flush(y.t);
	cr_assert_eq(peer_read(fd, txt, strlen(MSG)), strlen(MSG));
	cr_assert_eq(transport_conns(y.t), 1);

	/* without the connection the address is dialled */
	close(fd);
	cr_assert(tfx_until(nobody));
	y.losts = 0;
	tfx_send(&f, MSG);
	transport_flush(y.t);
	cr_assert(tfx_until(lost_one));
	cr_assert_eq(y.err, ECONNREFUSED);
}

Test(transport_tcp, reader_that_sleeps_is_cut_at_txq_max)
{
	static char big[20001];
	struct flow f;
	int fd, i;

	y.cf.txq_max = 100000;
	tfx_start();
	fd = peer_connect(&y.tcp_at);
	peer_send(fd, MSG, strlen(MSG), NULL);
	cr_assert(tfx_until(one));
	f = y.from;
	memset(big, 'x', sizeof(big) - 1);
	for (i = 0; i < 2000 && transport_alive(y.t, &f); i++) {
		tfx_send(&f, big);
		transport_flush(y.t);
	}
	cr_assert_not(transport_alive(y.t, &f));
	cr_assert_eq(y.losts, 0, "not from inside do and flush");
	cr_assert(tfx_until(lost_one));
	tfx_for(20);
	cr_assert_eq(y.losts, 1);
	cr_assert_eq(y.err, ENOBUFS);
	cr_assert_eq(tfx_drop(DROP_TXQ), 1);
	tfx_send(&f, big);
	cr_assert_eq(tfx_drop(DROP_NO_CONN), 1);
	close(fd);
}

Test(transport_tcp, slow_reader_gets_all_in_order)
{
	static char txt[64 * 1000];
	char msg[65];
	struct flow f;
	int fd, i;

	tfx_start();
	fd = peer_connect(&y.tcp_at);
	peer_send(fd, MSG, strlen(MSG), NULL);
	cr_assert(tfx_until(one));
	f = y.from;
	for (i = 0; i < 1000; i++) {
		snprintf(msg, sizeof(msg), "%064d", i);
		tfx_send(&f, msg);
	}
	transport_flush(y.t);
	cr_assert_eq(peer_read(fd, txt, sizeof(txt)), sizeof(txt));
	for (i = 0; i < 1000; i++) {
		snprintf(msg, sizeof(msg), "%064d", i);
		cr_assert_eq(memcmp(txt + 64 * i, msg, 64), 0);
	}
	close(fd);
}

Test(transport_tcp, both_ends_ours_thousand_messages)
{
	struct flow f;
	int i;

	tfx_start();
	f = tfx_to(y.tcp, TP_TCP, &y.tcp_at);
	for (i = 0; i < 1000; i++)
		tfx_send(&f, MSG);
	transport_flush(y.t);
	cr_assert(tfx_until(thousand));
	cr_assert_eq(transport_conns(y.t), 2);
}

Test(transport_tcp, close_sends_what_is_queued_first)
{
	char txt[100];
	int fd;

	tfx_start();
	fd = peer_connect(&y.tcp_at);
	peer_send(fd, MSG, strlen(MSG), NULL);
	cr_assert(tfx_until(one));
	tfx_send(&y.from, MSG);
	tfx_do(SIP_OUT_CLOSE, &y.from, NULL);
	tfx_do(SIP_OUT_CLOSE, &y.from, NULL);
	cr_assert_not(transport_alive(y.t, &y.from));
	transport_flush(y.t);
	peer_send(fd, MSG, strlen(MSG), NULL);  /* no RST for this */
	cr_assert_eq(peer_read(fd, txt, sizeof(txt)), strlen(MSG));
	cr_assert_eq(recv(fd, txt, 1, 0), 0);
	close(fd);
	cr_assert(tfx_until(lost_one));
	cr_assert_eq(y.err, 0);
	cr_assert_eq(y.recvs, 1);
	cr_assert_eq(y.losts, 1);
}

static void close_it(const struct flow *f, struct sl msg)
{
	tfx_send(f, "SIP/2.0 400 Bad\r\n\r\n");
	tfx_do(SIP_OUT_CLOSE, f, NULL);
	transport_flush(y.t);
}

Test(transport_tcp, handler_may_close_the_connection_it_is_called_for)
{
	char txt[100];
	int fd;

	tfx_start();
	y.on_recv = close_it;
	fd = peer_connect(&y.tcp_at);
	peer_send(fd, MSG MSG, 2 * strlen(MSG), NULL);
	cr_assert_eq(peer_read(fd, txt, sizeof(txt)), 19);
	cr_assert_eq(y.recvs, 1, "nothing after the close");
	close(fd);
	cr_assert(tfx_until(lost_one));
}

Test(transport_tcp, stream_that_is_not_sip_is_answered_and_closed)
{
	static const char bad[] = "GET / HTTP/1.1\r\nHost: x\r\n"
		"Content-Length: z\r\n\r\n";
	char txt[100];
	int fd;

	tfx_start();
	y.on_recv = close_it;
	fd = peer_connect(&y.tcp_at);
	peer_send(fd, bad, strlen(bad), NULL);
	cr_assert_eq(peer_read(fd, txt, sizeof(txt)), 19);
	cr_assert_neq(y.verdict, FRAME_MSG);
	cr_assert_eq(tfx_drop(DROP_FRAMING), 1);
	close(fd);
}

Test(transport_tcp, ping_gets_pong)
{
	char txt[10];
	int fd;

	tfx_start();
	fd = peer_connect(&y.tcp_at);
	peer_send(fd, "\r\n\r\n", 4, NULL);
	cr_assert_eq(peer_read(fd, txt, 2), 2);
	cr_assert_eq(memcmp(txt, "\r\n", 2), 0);
	cr_assert_eq(y.recvs, 0);
	close(fd);
}

Test(transport_tcp, one_address_may_have_so_many_connections)
{
	int a, b, c;
	char ch;

	y.cf.max_conns_ip = 2;
	tfx_start();
	a = peer_connect(&y.tcp_at);
	b = peer_connect(&y.tcp_at);
	c = peer_connect(&y.tcp_at);
	cr_assert_eq(peer_read(c, &ch, 1), 0);
	cr_assert_eq(tfx_drop(DROP_CONNS_IP), 1);
	cr_assert_eq(transport_conns(y.t), 2);
	close(a);
	cr_assert(tfx_until(conn));
	close(c);
	c = peer_connect(&y.tcp_at);
	peer_send(c, MSG, strlen(MSG), NULL);
	cr_assert(tfx_until(one));
	close(b);
	close(c);
}

Test(transport_tcp, cap_of_connections_holds_for_both_directions)
{
	struct addr at;
	struct flow f;
	int a, b, lfd;
	char ch;

	y.cf.max_conns = 1;
	tfx_start();
	a = peer_connect(&y.tcp_at);
	peer_send(a, MSG, strlen(MSG), NULL);
	cr_assert(tfx_until(one));
	tfx_do(SIP_OUT_KEEP, &y.from, NULL);
	b = peer_connect(&y.tcp_at);
	cr_assert_eq(peer_read(b, &ch, 1), 0);
	lfd = peer_listen(&at, 1);
	f = tfx_to(y.tcp, TP_TCP, &at);
	tfx_send(&f, MSG);
	cr_assert(tfx_until(lost_one));
	cr_assert_eq(y.err, ENOSPC);
	cr_assert_eq(y.lost.conn, 0);
	cr_assert(addr_eq(&y.lost.peer, &at));
	cr_assert_eq(tfx_drop(DROP_CONNS), 2);
	close(a);
	close(b);
	close(lfd);
}

Test(transport_tcp, a_newcomer_takes_the_place_of_the_oldest_stranger)
{
	int known, a, b, c;
	char ch;

	y.cf.max_conns = 3;
	tfx_start();
	known = peer_connect(&y.tcp_at);
	peer_send(known, MSG, strlen(MSG), NULL);
	cr_assert(tfx_until(one));
	tfx_do(SIP_OUT_KEEP, &y.from, NULL);
	a = peer_connect(&y.tcp_at);
	b = peer_connect(&y.tcp_at);
	c = peer_connect(&y.tcp_at);
	cr_assert_eq(peer_read(a, &ch, 1), 0, "the oldest stranger went");
	y.recvs = 0;
	peer_send(b, MSG, strlen(MSG), NULL);
	cr_assert(tfx_until(one), "the younger one did not");
	cr_assert_eq(tfx_drop(DROP_GUEST), 1);
	cr_assert_eq(transport_conns(y.t), 3);
	close(b);
	close(c);
	close(a);
	close(known);
}

Test(transport_tcp, who_is_known_does_not_count_for_his_address)
{
	int fd[4];

	y.cf.max_conns_ip = 2;
	tfx_start();
	for (int i = 0; i < 4; i++) {
		y.recvs = 0;
		fd[i] = peer_connect(&y.tcp_at);
		peer_send(fd[i], MSG, strlen(MSG), NULL);
		cr_assert(tfx_until(one), "%d", i);
		tfx_do(SIP_OUT_KEEP, &y.from, NULL);
		tfx_do(SIP_OUT_KEEP, &y.from, NULL);
	}
	cr_assert_eq(tfx_drop(DROP_CONNS_IP), 0);
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	tfx_for(50);
	cr_assert_eq(transport_conns(y.t), 0);
}

Test(transport_tcp, out_of_descriptors_the_listener_waits)
{
	struct rlimit old, few;
	int fd, probe;

	tfx_start();
	fd = peer_connect(&y.tcp_at);
	peer_send(fd, MSG, strlen(MSG), NULL);
	/* room for the timer of the fixture, not for the connection */
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	probe = dup(fd);
	close(probe);
	few = old;
	few.rlim_cur = (rlim_t)probe + 1;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	tfx_for(50);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	cr_assert_eq(tfx_drop(DROP_ACCEPT), 1, "no spinning: %lu",
		     tfx_drop(DROP_ACCEPT));
	cr_assert(tfx_until(one), "accepted later");
	close(fd);
}

Test(transport_tcp, ipv6_listens_beside_ipv4_on_one_port)
{
	struct addr a, at;
	uint16_t lst;
	int fd;

	tfx_start();
	cr_assert_eq(addr_parse(&a, SL("[::]:0"), 0), 0);
	a.port = y.tcp_at.port;
	if (transport_listen(y.t, TP_TCP, &a, false, &lst, &at))
		cr_skip_test("no IPv6 here");
	cr_assert_eq(addr_parse_ip(&at, SL("::1")), 0);
	fd = peer_connect(&at);
	peer_send(fd, MSG, strlen(MSG), NULL);
	cr_assert(tfx_until(one));
	cr_assert_eq(y.from.lst, lst);
	cr_assert_eq(y.from.peer.af, 6);
	close(fd);
}
