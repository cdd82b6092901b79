/* The whole edge: messages of a client and of a node, one after the other, on
 * virtual time. Nothing may crash, leak, or grow.
 *
 * The input is cut at 0xff. First byte of a piece: '0' client over UDP,
 * '1' client over TCP, '2' node, 't' let time pass, 'l' the TCP client's
 * connection ends and his next one is another. In a piece, 0x01 stands for the
 * Vias and 0x02 for the first Record-Route or Path value of the last request
 * the edge sent, so that answers and routes can be right; 0x03 for the value
 * before, 0x04 for the user part of the first; 0x05 ends the headers with the
 * right Content-Length. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/secret.h"
#include "sbc/edge.h"
#include "sbc/peers.h"
#include "sip/scan.h"
#include "sip/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct edge *e;
	struct stats *st;
	uint64_t now;
	uint32_t conn;               /**< of the client                      */
	struct buf vias, route, before;
	unsigned sent;
};

static struct addr addr_of(const char *txt)
{
	struct addr a = { 0 };

	if (addr_parse(&a, sl_cstr(txt), 5060))
		abort();
	return a;
}

static void note(struct run *r, struct sl msg)
{
	static struct sip_msg m;
	struct sip_iter it = { 0 };
	struct sip_fault f;

	if (sl_eq(msg, SL("\r\n\r\n")) || stun_is(msg))
		return;
	/* what the edge sends must be readable, but for a refusal that
	 * repeats what was wrong */
	if (sip_scan(&m, msg.p, msg.n, true, &f)) {
		if (msg.n < 12 || memcmp(msg.p, "SIP/2.0 ", 8) ||
		    msg.p[8] < '4')
			abort();
		return;
	}
	if (!m.req)
		return;
	buf_reset(&r->vias);
	for (const struct sip_hdr *h = sip_hdr(&m, SIP_VIA); h;
	     h = sip_hdr_next(&m, h))
		buf_sl(&r->vias, sl_mk(m.raw.p + h->off, h->end - h->off));
	if (sip_iter(&m, SIP_PATH, &it) ||
	    (it = (struct sip_iter){ 0 },
	     sip_iter(&m, SIP_RECORD_ROUTE, &it))) {
		buf_reset(&r->before);
		buf_sl(&r->before, buf_as_sl(&r->route));
		buf_reset(&r->route);
		buf_sl(&r->route, it.val);
	}
}

static void drain(struct run *r)
{
	struct sip_out o;

	while (edge_poll(r->e, &o)) {
		if (o.kind != SIP_OUT_SEND)
			continue;
		r->sent++;
		note(r, blob_sl(o.blob));
		blob_unref(o.blob);
	}
}

/** Limits for strangers (3, 5), a peer (4), none for the phones */
static void limits(struct run *r)
{
	struct edge_admit_conf a = {
		.source = { .max = 64, .rate = 10, .burst = 20,
			    .phone_rate = 2, .aor_rate = 5, .ban = 10000 },
		.scanner = { "friendly" }, .scannerc = 1,
	};
	struct peer_conf p = { .name = "gw1", .tp = TP_UDP, .max_cps = 5,
			       .timeout = 1000, .rest = 1000 };

	if (addr_net_parse(&a.source.trusted[0], SL("198.51.100.1")))
		abort();
	a.source.trustedc = 1;
	p.addr = addr_of("198.51.100.9:5060");
	memcpy(p.domain[0], "example.com", 11);
	p.domainc = 1;
	if (edge_peers(r->e, &p, 1, r->now) || edge_admit(r->e, &a))
		abort();
}

static void start(struct run *r)
{
	static const uint8_t tp[3] = { TP_UDP, TP_TCP, TP_TCP };
	struct listener l[3] = { 0 };
	struct disp_node_conf n = { .name = "n1", .tp = TP_TCP,
				    .weight = 100 };
	struct edge_conf c = {
		.lst = l, .lstc = 3, .core = 2, .node = &n, .nodec = 1,
		.tune = {
			.no100 = 250, .no18x = 2000, .noreply = 500,
			.straight = true, .ring = 20000, .deadline = 10000, .max_attempts = 2,
			.max_message = 65535, .hide = true,
			.dialog_token = true,
			.probe = { .inter = 1000, .fastinter = 200,
				   .downinter = 2000, .timeout = 500,
				   .fall = 3, .rise = 2,
				   .max_nodes = DISP_MAX },
			.oc = true,
		},
		.t1 = 500, .t2 = 4000, .t4 = 5000, .max_transactions = 64,
		.key = { 1 }, .branch_key = { 2 }, .boot = 1, .seed = 1,
	};

	n.addr = addr_of("10.0.0.11");
	for (int i = 0; i < 3; i++) {
		l[i].tp = tp[i];
		l[i].core = i == 2;
		l[i].bound = addr_of(l[i].core ? "10.0.0.1:5070" :
						 "192.0.2.1");
		memcpy(l[i].sentby, l[i].core ? "10.0.0.1:5070" :
		       "192.0.2.1:5060", l[i].core ? 13 : 14);
	}
	r->now = 1000;
	if (stats_alloc(&r->st) || edge_alloc(&r->e, &c, r->st, r->now))
		abort();
	limits(r);
	buf_init(&r->vias, 65536);
	buf_init(&r->route, 65536);
	buf_init(&r->before, 65536);
	r->conn = 10;
}

static void pass(struct run *r, uint64_t ms)
{
	uint64_t end = r->now + ms;

	while (edge_next(r->e) <= end) {
		uint64_t at = edge_next(r->e);

		r->now = at > r->now ? at : r->now;
		edge_tick(r->e, r->now);
		drain(r);
	}
	r->now = end;
}

static struct sl user_part(struct sl v)
{
	size_t from = sl_chr(v, ':') + 1;

	return sl_sub(v, from, from + sl_chr(sl_sub(v, from, v.n), '@'));
}

/** What stands behind `at` becomes the body */
static void make_body(struct buf *b, size_t at)
{
	char len[40];
	size_t n = (size_t)snprintf(len, sizeof(len), "Content-Length: %zu"
				    "\r\n\r\n", b->n - at);

	if (b->err || !buf_room(b, n))
		return;
	memmove(b->p + at + n, b->p + at, b->n - at);
	memcpy(b->p + at, len, n);
	b->n += n;
}

static void piece(struct run *r, const uint8_t *p, size_t n)
{
	struct flow f = { .tp = TP_UDP };
	size_t body = 0;
	struct buf b;

	if (p[0] == 't') {
		pass(r, n > 1 ? p[1] * 20u : 600u);
		return;
	}
	if (p[0] == 'l') {
		f = (struct flow){ .tp = TP_TCP, .lst = 1, .conn = r->conn++,
				   .peer = addr_of("198.51.100.1:6000") };
		edge_lost(r->e, &f, 0, r->now);
		drain(r);
		return;
	}
	f.lst = p[0] == '2' ? 2 : p[0] == '1' || p[0] == '5' ? 1 : 0;
	f.tp = f.lst ? TP_TCP : TP_UDP;
	f.conn = f.lst == 1 ? r->conn : f.lst;
	f.peer = addr_of(f.lst == 2 ? "10.0.0.11" : p[0] == '4' ?
			 "198.51.100.9:5060" : p[0] == '3' || p[0] == '5' ?
			 "203.0.113.5:5060" : "198.51.100.1:6000");
	buf_init(&b, 200000);
	for (size_t i = 1; i < n; i++) {
		if (p[i] == 1)
			buf_sl(&b, buf_as_sl(&r->vias));
		else if (p[i] == 2)
			buf_sl(&b, buf_as_sl(&r->route));
		else if (p[i] == 3)
			buf_sl(&b, buf_as_sl(&r->before));
		else if (p[i] == 4)
			buf_sl(&b, user_part(buf_as_sl(&r->route)));
		else if (p[i] == 5)
			body = b.n;
		else
			buf_chr(&b, (char)p[i]);
	}
	if (body)
		make_body(&b, body);
	if (!b.err)
		edge_recv(r->e, &f, buf_as_sl(&b), FRAME_MSG, NULL, r->now);
	buf_free(&b);
	drain(r);
	r->now++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r = { 0 };
	size_t from = 0;

	if (secret_init())
		abort();
	log_init("fuzz", LOG_TO_NONE, LOG_LV_ERROR);
	start(&r);
	for (size_t i = 0; i <= size; i++) {
		if (i < size && data[i] != 0xff)
			continue;
		if (i > from)
			piece(&r, data + from, i - from);
		from = i + 1;
	}
	/* whatever came: all of it ends. Dead phones ring 20 s, then 64*T1 */
	pass(&r, 200000);
	if (edge_pending(r.e))
		abort();
	edge_free(r.e);
	stats_free(r.st);
	buf_free(&r.vias);
	buf_free(&r.route);
	buf_free(&r.before);
	return 0;
}
