/* line.c - Shell. Sockets and the clock of the call generator. */
#include "drill/line.h"
#include "base/clk.h"
#include "base/net.h"
#include "base/secret.h"
#include "sip/transport.h"
#include <errno.h>
#include <stdlib.h>

struct line {
	struct gen *gen;
	struct transport *tp;
	struct ntimer *timer;
	struct stats *st;
	struct listener lst[2];
	uint16_t lstc;
};

struct gen *line_gen(struct line *l)
{
	return l->gen;
}

static void take(struct line *l)
{
	struct sip_out out;

	while (gen_poll(l->gen, &out))
		transport_do(l->tp, &out);
	ntimer_at(l->timer, gen_next(l->gen));
}

void line_turn(struct line *l)
{
	take(l);
	transport_flush(l->tp);
}

static void turn(void *arg)
{
	take(arg);
}

static void recv_h(const struct flow *f, struct sl msg, enum frame_verdict v,
		   const char *why, void *arg)
{
	struct line *l = arg;

	if (v == FRAME_MSG)
		gen_recv(l->gen, f, msg, clk_now());
}

static void lost_h(const struct flow *f, int err, void *arg)
{
	struct line *l = arg;

	/* ENOTCONN: of a connection whose end was told already */
	if (err != ENOTCONN)
		gen_lost(l->gen, f, clk_now());
}

static void tick(void *arg)
{
	struct line *l = arg;

	gen_tick(l->gen, clk_now());
	line_turn(l);
}

static int open_one(struct line *l, uint8_t tp, const struct addr *local)
{
	struct listener *x = &l->lst[l->lstc];
	struct addr a = *local;
	uint16_t idx;
	struct buf b;
	int err;

	a.port = 0;
	x->tp = tp;
	err = transport_listen(l->tp, tp, &a, false, &idx, &x->bound);
	if (err)
		return err;
	buf_fixed(&b, x->sentby, sizeof(x->sentby) - 1);
	addr_put(&b, &x->bound);
	x->sentby[b.n] = '\0';
	l->lstc++;
	return b.err;
}

static int open_all(struct line *l, const struct line_conf *cf)
{
	struct transport_h h = { .recv = recv_h, .lost = lost_h, .turn = turn,
				 .arg = l };
	struct transport_conf tc = { .max_msg = SIP_MAX_MSG, .max_conns = 64,
				     .idle = 3600, .first_msg = 3600,
				     .whole_msg = 60 };
	int err = stats_alloc(&l->st);

	if (!err)
		err = transport_alloc(&l->tp, &tc, &h, l->st);
	if (!err && cf->udp)
		err = open_one(l, TP_UDP, &cf->local);
	if (!err && cf->tcp)
		err = open_one(l, TP_TCP, &cf->local);
	return err;
}

int line_alloc(struct line **lp, const struct line_conf *cf)
{
	struct line *l = calloc(1, sizeof(*l));
	struct gen_conf gc = {
		.proxy = cf->proxy, .domain = cf->domain, .user = cf->user,
		.users = cf->users, .max_calls = cf->max_calls,
		.limit = cf->limit, .expires = 600, .run = cf->run,
	};
	int err = l ? open_all(l, cf) : ENOMEM;

	if (!err && !l->lstc)
		err = EINVAL;
	for (uint32_t i = 0; i < cf->users && !err; i++)
		cf->user[i].lst = (uint8_t)(i % l->lstc);
	if (!err) {
		gc.lst = l->lst;
		gc.lstc = l->lstc;
		secret_random(gc.key, sizeof(gc.key));
		secret_random(&gc.seed, sizeof(gc.seed));
		err = gen_alloc(&l->gen, &gc, clk_now());
	}
	if (!err)
		err = ntimer_alloc(&l->timer, tick, l);
	if (err) {
		line_free(l);
		return err;
	}
	*lp = l;
	return 0;
}

void line_free(struct line *l)
{
	if (!l)
		return;
	ntimer_free(l->timer);
	transport_free(l->tp);
	gen_free(l->gen);
	stats_free(l->st);
	free(l);
}
