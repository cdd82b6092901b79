/**
 * @file transport.c  Shell. Listeners, effects, events in a safe order.
 *
 * A handler of the user may call transport_do() and transport_flush() at any
 * time: those only queue and write. What ends by them is told by lost() at the
 * end of the running event, or from the timer when none is running.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clk.h"
#include "sip/transport_i.h"

/* --- figures --- */

static void stats_tp(struct transport *t, struct stats *st, uint8_t tp,
		     const char *labels)
{
	stat_add(st, STAT_COUNTER, "sip_rx_messages_total", labels,
		 "SIP messages received", &t->c.rx_msg[tp], t);
	stat_add(st, STAT_COUNTER, "sip_tx_messages_total", labels,
		 "SIP messages sent", &t->c.tx_msg[tp], t);
	stat_add(st, STAT_COUNTER, "sip_rx_bytes_total", labels,
		 "Bytes received", &t->c.rx_bytes[tp], t);
	stat_add(st, STAT_COUNTER, "sip_tx_bytes_total", labels,
		 "Bytes sent", &t->c.tx_bytes[tp], t);
}

static void stats_init(struct transport *t, struct stats *st)
{
	static const char *const why[DROP_N] = {
		[DROP_TRUNCATED] = "reason=\"truncated\"",
		[DROP_NO_CONN]   = "reason=\"no_connection\"",
		[DROP_SOCKET]    = "reason=\"socket_full\"",
		[DROP_UDP_QUEUE] = "reason=\"udp_queue\"",
		[DROP_UDP_SEND]  = "reason=\"udp_send\"",
		[DROP_TXQ]       = "reason=\"txq\"",
		[DROP_CONNS]     = "reason=\"max_connections\"",
		[DROP_GUEST]     = "reason=\"displaced\"",
		[DROP_CONNS_IP]  = "reason=\"max_connections_ip\"",
		[DROP_SOURCE]    = "reason=\"source\"",
		[DROP_ACCEPT]    = "reason=\"accept\"",
		[DROP_TIMEOUT]   = "reason=\"timeout\"",
		[DROP_FRAMING]   = "reason=\"framing\"",
		[DROP_LOST]      = "reason=\"error_queue\"",
		[DROP_BAD_FLOW]  = "reason=\"bad_flow\"",
	};
	unsigned i;

	/* a figure that cannot be registered is missing from /metrics only */
	stats_tp(t, st, TP_UDP, "transport=\"udp\"");
	stats_tp(t, st, TP_TCP, "transport=\"tcp\"");
	stat_add(st, STAT_GAUGE, "sip_connections", NULL,
		 "Open stream connections", &t->c.conns, t);
	stat_add(st, STAT_COUNTER, "sip_connections_total", "dir=\"in\"",
		 "Stream connections made", &t->c.in, t);
	stat_add(st, STAT_COUNTER, "sip_connections_total", "dir=\"out\"",
		 "Stream connections made", &t->c.out, t);
	stat_add(st, STAT_COUNTER, "sip_connections_ended_total", NULL,
		 "Stream connections ended or failed", &t->c.ended, t);
	stat_add(st, STAT_COUNTER, "sip_pings_total", NULL,
		 "CRLF keep-alives answered", &t->c.pings, t);
	stat_add(st, STAT_COUNTER, "sip_stun_total", NULL,
		 "STUN datagrams received", &t->c.stun, t);
	stat_add(st, STAT_COUNTER, "sip_icmp_errors_total", NULL,
		 "Datagrams refused by the network", &t->c.icmp, t);
	for (i = 0; i < DROP_N; i++)
		stat_add(st, STAT_COUNTER, "sip_drops_total", why[i],
			 "Messages and connections dropped by the transport",
			 &t->c.drop[i], t);
}

/* --- events --- */

void tr_enter(struct transport *t)
{
	uint64_t us = clk_now_us();

	t->depth++;
	t->now = us / 1000;
	t->us = us;
	/* somebody may have set the wall clock */
	if (t->now >= t->wall_due) {
		t->wall_off = clk_wall_us() - us;
		t->wall_due = t->now + TR_WALL;
	}
}

void tr_arm(struct transport *t)
{
	ntimer_at(t->tmr, t->lost || t->errn ? 0 : wheel_next(t->w));
}

/** Remember a datagram error; told at the end of the event */
void tr_tell(struct transport *t, const struct flow *f, int err)
{
	struct tr_err *u;

	if (!t->err) {
		t->err = calloc(TR_LOST_QUEUE, sizeof(*t->err));
		t->errh = 0;
	}
	if (!t->err || t->errn == TR_LOST_QUEUE) {
		t->c.drop[DROP_LOST]++;
		return;
	}
	u = &t->err[(t->errh + t->errn++) % TR_LOST_QUEUE];
	u->flow = *f;
	u->err = err;
}

void tr_stamp(const struct transport *t, int fd)
{
	int on = 1;

	/* without it there is no overload control, and all else works */
	if (t->h.waited)
		(void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on,
				 sizeof(on));
}

void tr_waited(const struct lst *l, struct msghdr *mh)
{
	struct cmsghdr *c;
	struct timespec ts;
	uint64_t us, now;

	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET ||
		    c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		us = (uint64_t)ts.tv_sec * 1000000 +
		     (uint64_t)ts.tv_nsec / 1000;
		now = clk_wall_us();
		/* 0 when somebody has set the wall clock back meanwhile */
		l->t->h.waited(l->idx, now <= us ? 0 : now - us < UINT32_MAX ?
			       (uint32_t)(now - us) : UINT32_MAX, l->t->h.arg);
		return;
	}
}

static void tell_lost(struct transport *t)
{
	struct conn *c, *list;
	struct tr_err u;
	struct flow f;
	uint32_t n;

	for (n = t->errn; n; n--) {
		u = t->err[t->errh];
		t->errh = (t->errh + 1) % TR_LOST_QUEUE;
		t->errn--;
		t->h.lost(&u.flow, u.err, t->h.arg);
	}

	/* those that end meanwhile wait for the next time */
	list = t->lost;
	t->lost = NULL;
	t->lost_tail = &t->lost;
	while (list) {
		c = list;
		list = c->next;
		f = conn_flow(c);
		t->h.lost(&f, c->err, t->h.arg);
		conn_free(c);
	}
}

/** End of an event: tell what ended, let the user take effects, write */
void tr_leave(struct transport *t)
{
	if (t->depth == 1) {
		tell_lost(t);
		t->h.turn(t->h.arg);
		transport_flush(t);
		t->depth = 0;
		tr_arm(t);
		return;
	}
	t->depth--;
}

static void timeout(void *arg)
{
	struct transport *t = arg;
	struct wtimer *w;

	tr_enter(t);
	while ((w = wheel_pop(t->w, t->now))) {
		if (w->kind)
			tcp_accept_again((struct lst *)(void *)
				((char *)w - offsetof(struct lst, pause)));
		else
			tcp_timer((struct conn *)(void *)
				((char *)w - offsetof(struct conn, tmr)));
	}
	tr_leave(t);
}

/* --- start and end --- */

static void noop_turn(void *arg)
{
	(void)arg;
}

int transport_alloc(struct transport **tp, const struct transport_conf *cf,
		    const struct transport_h *h, struct stats *st)
{
	struct transport *t;
	int err;

	if (!tp || !cf || !h || !h->recv || !h->lost)
		return EINVAL;

	t = calloc(1, sizeof(*t));
	if (!t)
		return ENOMEM;

	t->cf = *cf;
	if (!t->cf.max_msg || t->cf.max_msg > SIP_MAX_MSG)
		t->cf.max_msg = SIP_MAX_MSG;
	if (!t->cf.txq_max)
		t->cf.txq_max = 1 << 20;
	if (!t->cf.connect)
		t->cf.connect = 1000;
	t->h = *h;
	if (!t->h.turn)
		t->h.turn = noop_turn;
	t->lost_tail = &t->lost;
	t->now = clk_now();
	t->rx_size = TR_RX_SIZE;

	/* untouched pages cost nothing: most datagrams are short */
	t->rx = malloc((size_t)TR_RX_N * TR_RX_SIZE);
	t->pong = blob_make("\r\n", 2);
	t->urx = udp_rx_alloc();
	err = t->rx && t->urx && t->pong ? 0 : ENOMEM;
	if (!err)
		err = wheel_alloc(&t->w, t->now);
	if (!err)
		err = ntimer_alloc(&t->tmr, timeout, t);
	if (err) {
		transport_free(t);
		return err;
	}

	if (st) {
		t->st = st;
		stats_init(t, st);
	}
	*tp = t;
	return 0;
}

void transport_free(struct transport *t)
{
	struct conn *c;
	uint16_t i;

	if (!t)
		return;

	if (t->st)
		stat_del_owner(t->st, t);
	while (t->all)
		conn_kill(t->all, 0);
	while (t->lost) {
		c = t->lost;
		t->lost = c->next;
		conn_free(c);
	}
	for (i = 0; i < t->lstn; i++) {
		struct lst *l = &t->lst[i];

		nfd_free(l->nfd);
		if (l->fd >= 0)
			(void)close(l->fd);
		udp_close(l);
	}
	if (t->tmr)
		ntimer_free(t->tmr);
	wheel_free(t->w);
	blob_unref(t->pong);
	free(t->err);
	free(t->rx);
	free(t->urx);
	free(t);
}

int transport_listen(struct transport *t, uint8_t tp, const struct addr *a,
		     bool core, uint16_t *lst, struct addr *bound)
{
	struct lst *l;
	int err;

	if (!t || !a || (tp != TP_UDP && tp != TP_TCP))
		return EINVAL;
	if (t->lstn == TR_LISTENERS)
		return ENOSPC;

	l = &t->lst[t->lstn];
	memset(l, 0, sizeof(*l));
	l->t = t;
	l->fd = -1;
	l->idx = t->lstn;
	l->tp = tp;
	l->core = core;
	l->pause.kind = 1;

	err = tp == TP_UDP ? udp_open(l, a) : tcp_open(l, a);
	if (err) {
		nfd_free(l->nfd);
		if (l->fd >= 0)
			(void)close(l->fd);
		return err;
	}

	t->lstn++;
	if (lst)
		*lst = l->idx;
	if (bound)
		*bound = l->bound;
	return 0;
}

/* --- effects --- */

static void do_send(struct transport *t, struct lst *l, const struct flow *f,
		    struct blob *b)
{
	struct conn *c;

	if (l->tp == TP_UDP) {
		udp_queue(l, &f->peer, b);
		return;
	}

	c = f->conn ? conn_by_id(t, f->conn) : conn_to(l, &f->peer);
	if (!c && !f->conn)
		c = tcp_dial(l, &f->peer);
	if (!c || c->state > CONN_OPEN) {
		t->c.drop[DROP_NO_CONN]++;
		/* gone before this was sent: its end has been told, but the
		 * sender waits for an answer that cannot come */
		if (!c && f->conn && !l->core)
			tr_tell(t, f, ENOTCONN);
		blob_unref(b);
		return;
	}
	tcp_queue(c, b);
}

void transport_do(struct transport *t, struct sip_out *out)
{
	const struct flow *f = &out->flow;
	struct blob *b = out->kind == SIP_OUT_SEND ? out->blob : NULL;
	struct conn *c;
	struct lst *l;

	out->blob = NULL;
	if (f->lst >= t->lstn || t->lst[f->lst].tp != f->tp ||
	    (out->kind == SIP_OUT_SEND && !b)) {
		t->c.drop[DROP_BAD_FLOW]++;
		blob_unref(b);
		return;
	}
	l = &t->lst[f->lst];

	switch (out->kind) {

	case SIP_OUT_SEND:
		do_send(t, l, f, b);
		break;
	case SIP_OUT_CLOSE:
		c = conn_by_id(t, f->conn);
		if (c)
			tcp_end(c);
		break;
	case SIP_OUT_KEEP:
		c = conn_by_id(t, f->conn);
		if (c)
			conn_keep(c);
		break;
	case SIP_OUT_ALIAS:
		c = conn_by_id(t, f->conn);
		if (c)
			conn_alias(c, &out->alias);
		break;
	}

	if (!t->depth && (t->lost || t->errn))
		tr_arm(t);
}

void transport_flush(struct transport *t)
{
	struct conn *c;
	uint16_t i;

	for (i = 0; i < t->lstn; i++) {
		if (t->lst[i].dirty)
			udp_flush(&t->lst[i]);
	}
	while (t->dirty) {
		c = t->dirty;
		t->dirty = c->dirty_next;
		c->dirty_next = NULL;
		c->dirty = false;
		tcp_flush(c);
	}
	if (!t->depth)
		tr_arm(t);
}

bool transport_alive(const struct transport *t, const struct flow *f)
{
	const struct conn *c;

	if (!tp_stream(f->tp) || !f->conn)
		return true;
	c = conn_by_id(t, f->conn);
	return c && c->state <= CONN_OPEN;
}

uint32_t transport_conns(const struct transport *t)
{
	return (uint32_t)t->c.conns;
}

uint64_t transport_now(const struct transport *t)
{
	return t->now;
}

uint64_t transport_wall_us(const struct transport *t)
{
	return t->us + t->wall_off;
}
