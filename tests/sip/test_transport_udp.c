#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "transport_fx.h"

static void setup(void)
{
	tfx_init();
	tfx_start();
}
TestSuite(transport_udp, .init = setup, .fini = tfx_close, .timeout = 30);

static bool one(void) { return y.recvs >= 1; }
static bool many(void) { return y.recvs >= 500; }
static bool lost_one(void) { return y.losts >= 1; }

static void echo(const struct flow *f, struct sl msg)
{
	struct sip_out o = { .kind = SIP_OUT_SEND, .flow = *f };

	o.blob = blob_make(msg.p, msg.n);
	transport_do(y.t, &o);
}

Test(transport_udp, message_comes_and_answer_goes_back)
{
	char txt[100] = "";
	struct addr at;
	int fd = peer_udp(&at);
	uint64_t v = 0;

	y.on_recv = echo;
	peer_send(fd, MSG, strlen(MSG), &y.udp_at);
	cr_assert_eq(peer_read(fd, txt, strlen(MSG)), strlen(MSG));
	cr_assert_str_eq(txt, MSG);
	cr_assert_eq(y.from.tp, TP_UDP);
	cr_assert_eq(y.from.lst, y.udp);
	cr_assert_eq(y.from.conn, 0);
	cr_assert(addr_eq(&y.from.peer, &at));
	cr_assert(stat_get(y.st, "sip_rx_messages_total",
			   "transport=\"udp\"", &v) && v == 1);
	cr_assert(stat_get(y.st, "sip_tx_messages_total",
			   "transport=\"udp\"", &v) && v == 1);
	close(fd);
}

static int pmtu(void)
{
	socklen_t n = sizeof(int);
	int v = -1;

	cr_assert_eq(getsockopt(y.t->lst[y.udp].fd, IPPROTO_IP,
				IP_MTU_DISCOVER, &v, &n), 0);
	return v;
}

static void burst(int fd, const struct addr *at, int small, int large)
{
	struct flow f = tfx_to(y.udp, TP_UDP, at);
	static char txt[4000];
	char c;

	memset(txt, 'x', sizeof(txt) - 1);
	for (int i = 0; i < small + large; i++) {
		txt[i < small ? 548 : 549] = '\0';
		tfx_send(&f, txt);
		txt[i < small ? 548 : 549] = 'x';
	}
	transport_flush(y.t);
	for (int i = 0; i < small + large; i++)
		cr_assert_eq(peer_read(fd, &c, 1), 1, "number %d", i);
}

Test(transport_udp, many_small_ones_go_uncut_and_without_a_number)
{
	struct addr at;
	int fd = peer_udp(&at), was = IP_PMTUDISC_DONT;

	cr_assert_eq(setsockopt(y.t->lst[y.udp].fd, IPPROTO_IP,
				IP_MTU_DISCOVER, &was, sizeof(was)), 0);
	burst(fd, &at, 7, 0);
	cr_assert_eq(pmtu(), was, "few are as they were");
	burst(fd, &at, 70, 0);
	cr_assert_eq(pmtu(), IP_PMTUDISC_PROBE);
	burst(fd, &at, 1, 0);
	cr_assert_eq(pmtu(), IP_PMTUDISC_PROBE, "no call for each");
	burst(fd, &at, 0, 1);
	cr_assert_eq(pmtu(), was, "it may have to be cut");
	burst(fd, &at, 20, 3);
	cr_assert_eq(pmtu(), was, "in order, large ones last");
	close(fd);
}

Test(transport_udp, what_waited_in_the_socket_is_said_to_have)
{
	struct addr at;
	int fd = peer_udp(&at);

	for (unsigned i = 1; i <= 2; i++) {
		y.waits = 0;
		tfx_until_stamped(fd, &y.udp_at);
		cr_expect_eq(y.recvs, i, "the room for the stamp is given again");
		cr_expect_eq(y.waited_lst, y.udp);
		cr_expect_lt(y.waited, 5000000);
	}
	close(fd);
}

Test(transport_udp, a_stamp_is_told_as_the_time_since_then)
{
	tfx_stamped(y.udp, 30000);
	cr_expect_eq(y.waits, 1);
	cr_expect_eq(y.waited_lst, y.udp);
	cr_expect_geq(y.waited, 30000);
	cr_expect_lt(y.waited, 5000000);
	/* somebody has set the wall clock back meanwhile */
	tfx_stamped(y.udp, -60000000);
	cr_expect_eq(y.waited, 0);
	/* or forward, by more than can be told */
	tfx_stamped(y.udp, 7200000000);
	cr_expect_eq(y.waited, UINT32_MAX);
}

static bool some_lost(void)
{
	return tfx_drop(DROP_SOCKET) > 0;
}

Test(transport_udp, what_the_kernel_had_no_room_for_is_counted)
{
	const int least = 1;
	struct addr at;
	int fd = peer_udp(&at);

	cr_assert_eq(setsockopt(y.t->lst[y.udp].fd, SOL_SOCKET, SO_RCVBUF,
				&least, sizeof(least)), 0);
	for (int i = 0; i < 100; i++)
		peer_send(fd, MSG, strlen(MSG), &y.udp_at);
	cr_assert(tfx_until(some_lost));
	cr_expect_eq(y.recvs + tfx_drop(DROP_SOCKET), 100);
	close(fd);
}

Test(transport_udp, ipv6_works)
{
	struct sockaddr_storage ss;
	struct addr a, at;
	uint16_t lst;
	int fd;

	cr_assert_eq(addr_parse(&a, SL("[::1]:0"), 0), 0);
	if (transport_listen(y.t, TP_UDP, &a, false, &lst, &at))
		cr_skip_test("no IPv6 here");
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&ss,
			  net_to_sockaddr(&ss, &a)), 0);
	y.on_recv = echo;
	peer_send(fd, MSG, strlen(MSG), &at);
	char txt[100];
	cr_assert_eq(peer_read(fd, txt, strlen(MSG)), strlen(MSG));
	cr_assert_eq(y.from.lst, lst);
	close(fd);
}

Test(transport_udp, truncated_datagram_is_counted_and_the_next_one_comes)
{
	char big[300];
	struct addr at;
	int fd = peer_udp(&at);

	memset(big, 'x', sizeof(big));
	y.t->rx_size = 200;
	peer_send(fd, big, sizeof(big), &y.udp_at);
	peer_send(fd, MSG, strlen(MSG), &y.udp_at);
	cr_assert(tfx_until(one));
	cr_assert_eq(y.recvs, 1);
	cr_assert(sl_eq(buf_as_sl(&y.got), SL(MSG)));
	cr_assert_eq(tfx_drop(DROP_TRUNCATED), 1);
	close(fd);
}

Test(transport_udp, largest_datagram_comes_whole)
{
	struct addr at;
	int fd = peer_udp(&at);
	char *big = malloc(65507);

	memset(big, 'x', 65507);
	peer_send(fd, big, 65507, &y.udp_at);
	cr_assert(tfx_until(one));
	cr_assert_eq(y.got.n, 65507);
	cr_assert_eq(y.verdict, FRAME_MSG);
	free(big);
	close(fd);
}

Test(transport_udp, datagram_above_the_limit_is_told_as_big)
{
	char big[300];
	struct addr at;
	int fd = peer_udp(&at);

	y.t->cf.max_msg = 200;
	memset(big, 'x', sizeof(big));
	peer_send(fd, big, sizeof(big), &y.udp_at);
	cr_assert(tfx_until(one));
	cr_assert_eq(y.verdict, FRAME_BIG);
	close(fd);
}

Test(transport_udp, keepalives_are_not_messages)
{
	struct addr at;
	int fd = peer_udp(&at);

	peer_send(fd, "\r\n\r\n", 4, &y.udp_at);
	peer_send(fd, "\0\0\0\0", 4, &y.udp_at);
	peer_send(fd, "", 0, &y.udp_at);
	peer_send(fd, MSG, strlen(MSG), &y.udp_at);
	cr_assert(tfx_until(one));
	cr_assert_eq(y.recvs, 1);
	close(fd);
}

Test(transport_udp, refused_datagram_is_told_with_its_peer)
{
	struct addr dead, live;
	int fd = peer_udp(&dead), ok = peer_udp(&live);
	struct flow f = tfx_to(y.udp, TP_UDP, &dead);
	struct flow g = tfx_to(y.udp, TP_UDP, &live);
	char txt[3 * sizeof(MSG)];

	close(fd);
	tfx_send(&g, MSG);
	tfx_send(&f, MSG);
	transport_flush(y.t);
	cr_assert_eq(y.losts, 0, "not from inside flush");
	/* the pending error must not hit another peer's datagram */
	tfx_send(&g, MSG);
	transport_flush(y.t);
	cr_assert(tfx_until(lost_one));
	cr_assert_eq(y.losts, 1);
	cr_assert_eq(y.err, ECONNREFUSED);
	cr_assert(addr_eq(&y.lost.peer, &dead));
	cr_assert_eq(y.lost.lst, y.udp);
	cr_assert_eq(peer_read(ok, txt, 2 * strlen(MSG)), 2 * strlen(MSG));
	close(ok);
}

Test(transport_udp, datagram_too_long_to_send_is_told_and_others_go)
{
	struct addr live;
	int ok = peer_udp(&live);
	struct flow g = tfx_to(y.udp, TP_UDP, &live);
	struct sip_out o = { .kind = SIP_OUT_SEND, .flow = g };
	static char big[65530], txt[100];

	o.blob = blob_make(big, sizeof(big));
	transport_do(y.t, &o);
	tfx_send(&g, MSG);
	transport_flush(y.t);
	cr_assert(tfx_until(lost_one));
	cr_assert_eq(y.err, EMSGSIZE);
	cr_assert_eq(tfx_drop(DROP_UDP_SEND), 1);
	cr_assert_eq(peer_read(ok, txt, strlen(MSG)), strlen(MSG));
	close(ok);
}

Test(transport_udp, many_datagrams_in_one_flush_arrive)
{
	struct flow f = tfx_to(y.udp, TP_UDP, &y.udp_at);
	unsigned i;

	for (i = 0; i < 500; i++)
		tfx_send(&f, MSG);
	transport_flush(y.t);
	cr_assert(tfx_until(many));
	cr_assert_eq(y.recvs, 500);
}

Test(transport_udp, wrong_flows_are_dropped_and_counted)
{
	struct addr six, none = { 0 };
	struct flow f;

	cr_assert_eq(addr_parse(&six, SL("[::1]:5060"), 0), 0);
	f = tfx_to(y.udp, TP_UDP, &six);
	tfx_send(&f, MSG);
	f = tfx_to(y.udp, TP_UDP, &none);
	tfx_send(&f, MSG);
	f = tfx_to(77, TP_UDP, &y.udp_at);
	tfx_send(&f, MSG);
	f = tfx_to(y.udp, TP_TCP, &y.udp_at);
	tfx_send(&f, MSG);
	transport_flush(y.t);
	cr_assert_eq(tfx_drop(DROP_BAD_FLOW), 4);
}

Test(transport_udp, busy_port_is_an_error)
{
	uint16_t lst = 99;
	struct addr at;

	cr_assert_eq(transport_listen(y.t, TP_UDP, &y.udp_at, false, &lst,
				      &at), EADDRINUSE);
	cr_assert_eq(transport_listen(y.t, TP_TCP, &y.tcp_at, false, &lst,
				      &at), EADDRINUSE);
	cr_assert_eq(lst, 99);
}
