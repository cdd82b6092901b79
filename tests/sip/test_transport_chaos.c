/* Clients that connect, trickle, ping, reset and vanish at random; a user that
 * answers, closes, aliases and flushes from inside its handlers. Each
 * connection must be told as lost once, and none may be left. */
#include <stdlib.h>

#include "base/rng.h"
#include "transport_fx.h"

enum { CLIENTS = 24, IDS = 4096 };

static struct rng r;
static uint8_t seen[IDS], ended[IDS];

static void on_recv(const struct flow *f, struct sl msg, enum frame_verdict v,
		    const char *why, void *arg)
{
	struct addr a = { .af = 4, .port = 9, .ip = { 127, 0, 0, 1 } };

	cr_assert_lt(f->conn, IDS);
	cr_assert_not(ended[f->conn], "recv behind lost");
	seen[f->conn] = 1;
	if (v != FRAME_MSG || !rng_below(&r, 8))
		tfx_do(SIP_OUT_CLOSE, f, NULL);
	switch (rng_below(&r, 4)) {
	case 0:
		tfx_do(SIP_OUT_ALIAS, f, &a);
		break;
	case 1:
		tfx_send(f, MSG);
		transport_flush(y.t);
		break;
	case 2:
		tfx_send(f, MSG);
		tfx_send(f, MSG);
		break;
	}
	if (!rng_below(&r, 10)) {
		struct flow g = tfx_to(y.tcp, TP_TCP, &a);

		tfx_send(&g, MSG);      /* by alias, or refused */
	}
}

static void on_lost(const struct flow *f, int err, void *arg)
{
	cr_assert_lt(f->conn, IDS);
	if (err == ENOTCONN)
		return;
	cr_assert_not(ended[f->conn], "lost twice");
	ended[f->conn] = 1;
	if (!rng_below(&r, 3))
		tfx_send(f, MSG);
}

static void client(int *fd)
{
	static const char junk[] = MSG "GET / X\r\n\r\n" MSG;
	size_t n;

	if (*fd < 0) {
		*fd = peer_connect(&y.tcp_at);
		return;
	}
	switch (rng_below(&r, 9)) {
	case 0:
		close(*fd);
		*fd = -1;
		return;
	case 1:
		peer_reset(*fd);
		*fd = -1;
		return;
	case 2:
		(void)send(*fd, "\r\n\r\n", 4, MSG_NOSIGNAL);
		return;
	case 3:
		n = 1 + rng_below(&r, sizeof(junk) - 2);
		(void)send(*fd, junk, n, MSG_NOSIGNAL);
		return;
	default:
		(void)send(*fd, MSG MSG MSG, strlen(MSG) *
			   (1 + rng_below(&r, 3)), MSG_NOSIGNAL);
		return;
	}
}

static bool nobody(void) { return transport_conns(y.t) == 0 && !y.t->lost; }

TestSuite(transport_chaos, .init = tfx_init, .fini = tfx_close, .timeout = 60);

Test(transport_chaos, each_end_is_told_once_and_nothing_is_left)
{
	int fd[CLIENTS], i, round;

	tfx_start();
	y.t->h.recv = on_recv;
	y.t->h.lost = on_lost;
	rng_seed(&r, 20261122);
	for (i = 0; i < CLIENTS; i++)
		fd[i] = -1;
	for (round = 0; round < 400; round++) {
		for (i = 0; i < 4; i++)
			client(&fd[rng_below(&r, CLIENTS)]);
		tfx_for(rng_below(&r, 3));
	}
	for (i = 0; i < CLIENTS; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
	}
	cr_assert(tfx_until(nobody));
	for (i = 0; i < IDS; i++)
		cr_assert(!seen[i] || ended[i], "connection %d", i);
	cr_assert_gt(y.t->c.in, 50);
	cr_assert_eq(y.t->c.ended, y.t->c.in + y.t->c.out);
}
