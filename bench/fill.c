/* fill.c - many contacts into a running cluster in seconds. It is an
 * authenticated peer of one node (docs/cluster-protocol.md), which hands on to
 * the others what it is given. For tests only: the contacts can be looked up,
 * their flow tokens open nowhere.
 *
 *   bench/fill --key FILE --to ADDR:PORT --count N [--first N] [--prefix TXT]
 *              [--domain TXT] [--edge ADDR:PORT] [--expires S]
 *              [--max-expires S] [--outbound] [--reboot]
 *
 * ADDR:PORT is a node's cluster address. The users are PREFIX0..; a value is
 * what edgewise-node itself stores for a phone behind an edge. Run again it
 * refreshes them, as a phone does: the same Call-ID, a larger CSeq. With --reboot
 * each has a Call-ID of its own, and its record keeps the older ones, too. Ends
 * when the node has acknowledged everything, with one line key=value. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/clk.h"
#include "base/net.h"
#include "base/rng.h"
#include "base/secret.h"
#include "cluster/tls.h"
#include "cluster/wire.h"
#include "node/binding.h"
#include "node/files.h"

enum { PER_PUSH = 250, BEAT = 250, PATIENCE = 10000, GUARD = 10000 };

struct fill {
	struct keyset keys;
	struct addr to;
	uint32_t count, first, expires, max_expires;
	uint32_t cseq;            /* larger in a later run                 */
	const char *prefix, *domain, *edge;
	bool outbound, reboot;
	SSL *ssl;
	struct buf in, out;
	struct hlc hlc;
	struct rng rng;
	uint64_t node, incarnation;
	uint64_t theirs;          /* incarnation of the other side          */
	uint64_t have, acked, sent, beat;
	uint64_t beat_at, heard;  /* [ms]                                   */
	uint8_t state;            /* 0 nothing, 1 HELLO came, 2 ACK came    */
};

static void die(const char *what)
{
	fprintf(stderr, "fill: %s\n", what);
	exit(1);
}

/* --- the link ---------------------------------------------------------------- */

static void flush(struct fill *f)
{
	size_t at = 0;
	int r;

	if (f->out.err)
		die("no memory");
	while (at < f->out.n) {
		r = SSL_write(f->ssl, f->out.p + at, (int)(f->out.n - at));
		if (r <= 0)
			die("the node has closed the link");
		at += (size_t)r;
	}
	buf_reset(&f->out);
}

static void frame_in(struct fill *f, const struct wire_head *h, struct sl p)
{
	struct wire_hello hello;
	struct wire_hello_ack ha;
	struct wire_heartbeat hb;
	struct wire_error e;
	struct wire_push u;
	struct wire_ack a;

	f->heard = clk_now();
	if (h->type == WIRE_HELLO && !wire_hello_decode(&hello, p)) {
		f->theirs = hello.incarnation;
		f->state = 1;
	} else if (h->type == WIRE_HELLO_ACK &&
		   !wire_hello_ack_decode(&ha, p)) {
		f->have = ha.seq;       /* so that it feeds us nothing old */
		f->state = 2;
	} else if (h->type == WIRE_HEARTBEAT &&
		   !wire_heartbeat_decode(&hb, p)) {
		f->acked = hb.ack > f->acked ? hb.ack : f->acked;
		f->have = hb.fed > f->have ? hb.fed : f->have;
	} else if (h->type == WIRE_ACK && !wire_ack_decode(&a, p)) {
		f->acked = a.seq > f->acked ? a.seq : f->acked;
	} else if (h->type == WIRE_PUSH && !wire_push_decode(&u, p)) {
		f->have = u.last > f->have ? u.last : f->have;
	} else if (h->type == WIRE_ERROR && !wire_error_decode(&e, p)) {
		fprintf(stderr, "fill: refused, code %u: %.*s\n", e.code,
			(int)e.text.n, e.text.p);
		exit(1);
	} else if (h->type == WIRE_BYE) {
		die("the node says good-bye");
	}
}

static void frames(struct fill *f)
{
	struct wire_head h;
	size_t used = 0, total;
	int err = 0;

	while (used < f->in.n) {
		struct sl rest = sl_sub(buf_as_sl(&f->in), used, f->in.n);

		err = wire_frame(rest, WIRE_MAX, &h, &total);
		if (err)
			break;
		frame_in(f, &h, sl_sub(rest, WIRE_HEAD, total));
		used += total;
	}
	if (err && err != EAGAIN)
		die("what came is no frame");
	if (!used)
		return;
	memmove(f->in.p, f->in.p + used, f->in.n - used);
	f->in.n -= used;
}

/* Take what has come; wait at most `ms` for something */
static void take(struct fill *f, int ms)
{
	struct pollfd pf = { .fd = SSL_get_fd(f->ssl), .events = POLLIN };
	uint8_t *p;
	int r;

	while (SSL_has_pending(f->ssl) || poll(&pf, 1, ms) > 0) {
		p = buf_room(&f->in, 16384);
		r = p ? SSL_read(f->ssl, p, 16384) : 0;
		if (r <= 0)
			die("the node has closed the link");
		f->in.n += (size_t)r;
		frames(f);
		ms = 0;
	}
	if (clk_now() > f->heard + PATIENCE)
		die("the node is silent");
}

static void beat(struct fill *f)
{
	struct wire_heartbeat h = { .state = CLUSTER_READY, .majority = true,
		.synced = true, .wall = clk_wall(), .seq = f->sent,
		.fed = f->sent, .ack = f->have, .records = f->sent,
		.contacts = f->sent };

	if (clk_now() < f->beat_at)
		return;
	f->beat_at = clk_now() + BEAT;
	h.beat = ++f->beat;
	wire_heartbeat_encode(&f->out, &h);
	flush(f);
}

static void link_up(struct fill *f)
{
	struct wire_hello h = { .min = WIRE_VERSION_MIN, .max = WIRE_VERSION_MIN,
		.role = WIRE_NODE, .node = f->node,
		.incarnation = f->incarnation, .max_expires = f->max_expires,
		.canon = WIRE_CANON, .wall = clk_wall(), .name = "fill" };
	struct wire_hello_ack a = { .version = WIRE_VERSION_MIN };
	uint8_t id[SECRET_KEY];

	secret_derive(id, f->keys.base, "cluster id 1");
	memcpy(h.cluster, id, sizeof(h.cluster));
	wire_hello_encode(&f->out, &h);
	flush(f);
	while (f->state < 2)
		take(f, 100);
	a.incarnation = f->theirs;
	a.have = f->have;
	wire_hello_ack_encode(&f->out, &a);
	flush(f);
}

static void dial(struct fill *f)
{
	static struct tls_keys keys;
	static struct tls_seen seen;
	struct sockaddr_storage ss;
	socklen_t n = net_to_sockaddr(&ss, &f->to);
	SSL_CTX *ctx = NULL;
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	tls_keys(&keys, &f->keys);
	if (fd < 0 || connect(fd, (struct sockaddr *)&ss, n))
		die(strerror(errno));
	if (tls_client(&ctx, &keys, NULL))
		die("no TLS");
	f->ssl = tls_new(ctx, fd, true, &seen);
	if (!f->ssl || SSL_connect(f->ssl) != 1 ||
	    !tls_by_key(f->ssl))
		die("not authenticated: another cluster key?");
	f->heard = clk_now();
}

/* --- contacts ------------------------------------------------------------------ */

/* Text as unguessable as a flow token */
static void put_token(struct fill *f, struct buf *b)
{
	uint64_t r[5];

	for (int i = 0; i < 5; i++)
		r[i] = rng_u64(&f->rng);
	secret_b64(b, r, sizeof(r));
}

static uint64_t call_id(const struct fill *f, uint32_t i)
{
	struct rng r;

	rng_seed(&r, i + (f->reboot ? f->incarnation : 0));
	return rng_u64(&r);
}

static void binding_of(struct fill *f, uint32_t i, struct buf *b,
		       struct binding *c)
{
	size_t at[6];

	buf_reset(b);
	at[0] = b->n;
	buf_printf(b, "sip:%s%u@10.%u.%u.%u:5060", f->prefix, i,
		   i >> 16 & 255, i >> 8 & 255, i & 255);
	at[1] = b->n;
	buf_lit(b, "<sip:");
	put_token(f, b);
	buf_printf(b, "@%s;transport=tcp;lr;ob>", f->edge);
	at[2] = b->n;
	buf_printf(b, "%016llx@10.%u.%u.%u",
		   (unsigned long long)call_id(f, i), i >> 16 & 255,
		   i >> 8 & 255, i & 255);
	at[3] = b->n;
	buf_printf(b, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
	at[4] = b->n;
	buf_printf(b, "<urn:uuid:%08x-0000-1000-8000-%012llx>", i,
		   (unsigned long long)rng_u64(&f->rng) & 0xffffffffffffull);
	at[5] = b->n;
	if (b->err)
		die("no memory");
	*c = (struct binding){ .q = BINDING_Q_MAX, .cseq = f->cseq,
		.uri = sl_sub(buf_as_sl(b), at[0], at[1]),
		.path = sl_sub(buf_as_sl(b), at[1], at[2]),
		.callid = sl_sub(buf_as_sl(b), at[2], at[3]),
		.received = sl_sub(buf_as_sl(b), at[3], at[4]),
		.agent = SL("Yealink SIP-T46S 66.86.0.15") };
	if (f->outbound) {
		c->instance = sl_sub(buf_as_sl(b), at[4], at[5]);
		c->reg_id = 1;
	}
}

static void put_contact(struct fill *f, uint32_t i, uint64_t wall,
			struct buf *tmp, struct buf *packed)
{
	uint8_t value[2048], key[256];
	struct buf vb, kb;
	struct binding c;
	struct record r = { .n = 1 };
	char aor[512];

	buf_fixed(&vb, value, sizeof(value));
	buf_fixed(&kb, key, sizeof(key));
	binding_of(f, i, tmp, &c);
	c.expires = wall + f->expires * 1000ull;
	if (binding_encode(&vb, &c) || binding_key(&kb, &c))
		die("a contact that cannot be written: --prefix, --edge?");
	r.aor = sl_mk(aor, (size_t)snprintf(aor, sizeof(aor), "%s%u@%s",
					    f->prefix, i, f->domain));
	r.key = buf_as_sl(&kb);
	r.hold = wall + f->max_expires * 1000ull + GUARD;
	r.e[0] = (struct rec_entry){ .cseq = f->cseq, .has_value = true,
		.lineage = call_id(f, i) & ~0xffull,
		.vstamp = hlc_next(&f->hlc, wall), .expires = c.expires,
		.value = buf_as_sl(&vb) };
	r.e[0].gstamp = r.e[0].vstamp;
	buf_reset(packed);
	record_encode(packed, &r);
	if (packed->err)
		die("a record that is too large");
}

static void push(struct fill *f, uint32_t n)
{
	size_t at = wire_push_begin(&f->out, f->sent);
	struct buf tmp, packed;
	uint64_t wall = clk_wall();

	buf_init(&tmp, 8192);
	buf_init(&packed, REC_SIZE_MAX);
	for (uint32_t k = 0; k < n; k++) {
		put_contact(f, f->first + (uint32_t)f->sent + k, wall, &tmp,
			    &packed);
		wire_push_add(&f->out, buf_as_sl(&packed));
	}
	f->sent += n;
	wire_push_end(&f->out, at, f->sent, (uint16_t)n);
	buf_free(&tmp);
	buf_free(&packed);
	flush(f);
}

/* --- program ------------------------------------------------------------------- */

static uint32_t number(const char *txt)
{
	uint32_t v = 0;

	if (sl_u32(sl_cstr(txt), UINT32_MAX, &v))
		die("not a number");
	return v;
}

static void arguments(struct fill *f, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "key", 1, NULL, 'k' }, { "to", 1, NULL, 't' },
		{ "count", 1, NULL, 'c' }, { "first", 1, NULL, 'f' },
		{ "prefix", 1, NULL, 'p' }, { "domain", 1, NULL, 'd' },
		{ "edge", 1, NULL, 'e' }, { "expires", 1, NULL, 'x' },
		{ "max-expires", 1, NULL, 'm' }, { "outbound", 0, NULL, 'o' },
		{ "reboot", 0, NULL, 'r' },
		{ NULL, 0, NULL, 0 } };
	struct cfg_errs errs = { 0 };
	bool keyed = false;
	int c;

	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1)
		switch (c) {
		case 'k': keyed = !files_keys(&f->keys, optarg, &errs); break;
		case 't':
			if (addr_parse(&f->to, sl_cstr(optarg), 5080))
				die("--to: not an address");
			break;
		case 'c': f->count = number(optarg); break;
		case 'f': f->first = number(optarg); break;
		case 'p': f->prefix = optarg; break;
		case 'd': f->domain = optarg; break;
		case 'e': f->edge = optarg; break;
		case 'x': f->expires = number(optarg); break;
		case 'm': f->max_expires = number(optarg); break;
		case 'o': f->outbound = true; break;
		case 'r': f->reboot = true; break;
		default: die("see the head of bench/fill.c");
		}
	if (!keyed || !f->to.af || !f->count)
		die("--key FILE (64 hex digits), --to and --count are needed");
}

int main(int argc, char **argv)
{
	struct fill f = { .expires = 3600, .max_expires = 3600,
		.prefix = "fill", .domain = "example.com",
		.edge = "127.0.0.1:5070" };
	uint64_t from;

	if (secret_init())
		die("no random numbers");
	arguments(&f, argc, argv);
	secret_random(&f.node, sizeof(f.node));
	f.node |= 1;
	f.incarnation = clk_wall() << 16 | 1;
	f.cseq = (uint32_t)(clk_wall() / 1000);
	rng_seed(&f.rng, f.node);
	hlc_init(&f.hlc, f.node);
	buf_init(&f.in, 4u << 20);
	buf_init(&f.out, 4u << 20);
	dial(&f);
	link_up(&f);
	from = clk_now();
	while (f.acked < f.count) {
		uint64_t left = f.count - f.sent;

		beat(&f);
		if (left)
			push(&f, left < PER_PUSH ? (uint32_t)left : PER_PUSH);
		take(&f, left ? 0 : 50);
	}
	printf("contacts=%u ms=%llu\n", f.count,
	       (unsigned long long)(clk_now() - from));
	wire_bye_encode(&f.out, &(struct wire_bye){ WIRE_BYE_LEAVE });
	flush(&f);
	SSL_shutdown(f.ssl);
	close(SSL_get_fd(f.ssl));
	return 0;
}
