/* count.c - The work whose instructions are counted, nothing else: a real edge
 * and real nodes on virtual time. tests/count/run counts and compares.
 *
 * usage: count call|register|refusal|ping|scan|frame|merge N */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cur.h"
#include "base/log.h"
#include "cluster/record.h"
#include "cluster/store.h"
#include "node/binding.h"
#include "sip/frame.h"
#include "tests/sbc/world.h"

#define T0 1700000000000ull
#define LIFE 3600000ull
#define LATE_US 400000     /* waited in line: too long for a stranger */

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "count: %s\n", what);
	exit(1);
}

/* --- calls and registrations through edge and nodes --- */

static struct world *begin(struct vphone **a, struct vphone **b)
{
	struct world *w = world_new_with(1, NULL, &world_real, false);

	*a = world_phone(w, "alice", SIM_DATAGRAM);
	*b = world_phone(w, "bob", SIM_DATAGRAM);
	(void)phone_register(*a);
	(void)phone_register(*b);
	world_run(w, 100);
	return w;
}

/** Timers of the last transaction run out, so that each is counted whole */
static void end(struct world *w)
{
	world_run(w, 70000);
	must(!edge_pending(w->edge), "something is left over");
	world_free(w);
}

/** INVITE 180 200 ACK BYE 200 */
static void calls(unsigned n)
{
	struct vphone *a, *b;
	struct world *w = begin(&a, &b);

	b->ring = 5;
	b->answer = 20;
	for (unsigned i = 0; i < n; i++) {
		struct vreq *r = phone_invite(a, "bob"), *bye;

		world_run(w, 50);
		must(r->final == 200 && r->provc == 1, "a call failed");
		bye = phone_in_dialog(a, r, SIP_BYE);
		world_run(w, 50);
		must(bye->final == 200, "a BYE failed");
	}
	must(b->acks == n, "an ACK was lost");
	end(w);
}

static void registers(unsigned n)
{
	struct vphone *a, *b;
	struct world *w = begin(&a, &b);

	for (unsigned i = 0; i < n; i++) {
		struct vreq *r = phone_register(a);

		world_run(w, 100);
		must(r->final == 200, "a REGISTER failed");
	}
	end(w);
}

/** INVITE 503 ACK, refused at first sight under overload */
static void refusals(unsigned n)
{
	struct edge_overload_conf c = { .target = 20 };
	struct vphone *a, *b;
	struct world *w = world_new_with(1, NULL, &world_real, false);

	a = world_phone(w, "alice", SIM_DATAGRAM);
	b = world_phone(w, "bob", SIM_DATAGRAM);
	(void)phone_register(b);
	world_run(w, 100);
	edge_overload_conf(w->edge, &c, w->net->now);
	for (unsigned i = 0; i < 15; i++) {
		edge_waited(w->edge, 0, LATE_US, w->net->now);
		world_run(w, 20);
	}
	for (unsigned i = 0; i < n; i++) {
		struct vreq *r;

		edge_waited(w->edge, 0, LATE_US, w->net->now);
		r = phone_invite(a, "bob");
		world_run(w, 20);
		must(r->final == 503, "a call was not refused");
	}
	must(world_stat(w, "sbc_shed_early_total", "what=\"ack\"") == n &&
	     world_stat(w, "sbc_shed_early_total", "what=\"request\"") == n,
	     "it was not at first sight");
	end(w);
}

/* --- OPTIONS to contacts, written by the edge --- */

enum { CONTACTS = 20000, A_SECOND = 1000 };

/** The Path of a phone that has registered */
static void path_of(struct world *w, char path[256])
{
	struct store_contact c;
	struct store_scan it;
	struct binding b;
	struct sl aor;

	for (unsigned i = 0; i < STORE_BUCKETS; i++) {
		store_scan(w->shared, (uint16_t)i, &it);
		if (!store_scan_contact(&it, T0, &aor, &c))
			continue;
		must(!binding_decode(&b, c.value) && b.path.n < 256,
		     "a binding is none");
		(void)snprintf(path, 256, "%.*s", (int)b.path.n, b.path.p);
		return;
	}
	must(false, "nobody has registered");
}

/** As many contacts, all on the flow of one phone */
static void contacts(struct world *w, const char *path)
{
	struct binding b = { .path = sl_cstr(path), .nat = true,
			     .callid = SL("r-42@198.51.100.7"), .cseq = 7,
			     .agent = SL("Yealink SIP-T46S 66.86.0.15"),
			     .received = SL("203.0.113.9"), .q = 1000 };
	char aor[64], uri[64];
	uint8_t mem[1024];
	struct buf v;

	for (unsigned i = 0; i < CONTACTS; i++) {
		int n = snprintf(aor, sizeof(aor), "sip:user%07u@example.com",
				 i), k = snprintf(uri, sizeof(uri),
				 "sip:user%07u@10.0.%u.%u:5060", i,
				 i >> 8 & 255, i & 255);

		b.uri = sl_mk(uri, (size_t)k);
		buf_fixed(&v, mem, sizeof(mem));
		must(!binding_encode(&v, &b) &&
		     !store_put(w->shared, sl_mk(aor, (size_t)n), b.uri,
				(uint64_t)(i + 1) << 8, 1, T0 + LIFE,
				buf_as_sl(&v), T0), "a put failed");
	}
}

/** For n seconds; prints how many that were, as the last batch may be on its
 *  way */
static void pings(unsigned n)
{
	struct vphone *a, *b;
	char path[256];
	struct world *w;

	world_real_records = CONTACTS + 1000;
	w = begin(&a, &b);
	path_of(w, path);
	contacts(w, path);
	world_real_pings(w, CONTACTS / A_SECOND * 1000);
	world_run(w, n * 1000);
	n = a->got[SIP_OPTIONS] + b->got[SIP_OPTIONS];
	must(n >= A_SECOND / 2, "nobody was pinged");
	printf("%u\n", n);
	world_free(w);
}

/* --- the scanner alone --- */

#define TOKEN "Wm9vA3kQyTq2bXh1_Lr8dP0sUe5cNfJgKtHvYiOaRnE4xZwM6-Bl7Dj9SuCpGkIh3FoVaTrQeWyXzLm"
#define BRANCH "z9hG4bK00000a0000001f93ab52c7708d41e6"
static const char *const msg[] = {
	"INVITE sip:bob@192.0.2.31:7060 SIP/2.0\r\n"
	"Via: SIP/2.0/TCP 192.0.2.12:5060;branch=" BRANCH "\r\n"
	"Via: SIP/2.0/TCP 192.0.2.1:5060;branch=" BRANCH ";rport;alias\r\n"
	"Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bK-31337-42-0;"
	"received=203.0.113.9;rport=40123\r\n"
	"Route: <sip:" TOKEN "@192.0.2.1:5060;transport=tcp;lr;ob>\r\n"
	"Record-Route: <sip:" TOKEN "@203.0.113.1:5060;transport=udp;lr>\r\n"
	"Max-Forwards: 68\r\n"
	"From: \"Alice\" <sip:alice@example.com>;tag=8321c42\r\n"
	"To: <sip:bob@example.com>\r\n"
	"Call-ID: 42-31337@198.51.100.7\r\nCSeq: 1 INVITE\r\n"
	"Contact: <sip:alice@198.51.100.7:5062>\r\nUser-Agent: bench\r\n"
	"Content-Type: application/sdp\r\nContent-Length: 4\r\n\r\nv=0\n",
	"SIP/2.0 200 OK\r\n"
	"Via: SIP/2.0/UDP 203.0.113.1:5060;branch=" BRANCH ";rport\r\n"
	"Record-Route: <sip:" TOKEN "@203.0.113.1:5060;transport=udp;lr>, "
	"<sip:" TOKEN "@203.0.113.1:5060;transport=udp;lr>\r\n"
	"From: <sip:alice@example.com>;tag=8321c42\r\n"
	"To: <sip:bob@example.com>;tag=99t12\r\n"
	"Call-ID: 42-31337@198.51.100.7\r\nCSeq: 1 INVITE\r\n"
	"Contact: <sip:bob@192.0.2.31:7060>\r\nContent-Length: 0\r\n\r\n",
	"REGISTER sip:example.com SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bK-1-42-0;rport\r\n"
	"Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=8321c42\r\n"
	"To: <sip:alice@example.com>\r\nCall-ID: r-42@198.51.100.7\r\n"
	"CSeq: 7 REGISTER\r\nContact: <sip:alice@198.51.100.7:5062>\r\n"
	"Expires: 3600\r\nSupported: path, outbound\r\n"
	"Content-Length: 0\r\n\r\n",
	"BYE sip:bob@192.0.2.31:7060 SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bK-2-42-0\r\n"
	"Route: <sip:" TOKEN "@203.0.113.1:5060;transport=udp;lr>\r\n"
	"Max-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=8321c42\r\n"
	"To: <sip:bob@example.com>;tag=99t12\r\n"
	"Call-ID: 42-31337@198.51.100.7\r\nCSeq: 2 BYE\r\n"
	"Content-Length: 0\r\n\r\n",
};
enum { MSGS = sizeof(msg) / sizeof(msg[0]) };

static void scans(unsigned n)
{
	static struct sip_msg m;
	struct sip_fault fault;

	for (unsigned i = 0; i < n; i++) {
		const char *t = msg[i % MSGS];

		must(!sip_scan(&m, t, strlen(t), true, &fault),
		     "a message was refused");
	}
}

/** The same messages as segments of a stream */
static void frames(unsigned n)
{
	struct frame f;
	const char *why;
	struct sl one;

	frame_init(&f, SIP_MAX_MSG);
	for (unsigned i = 0; i < n; i++) {
		const char *t = msg[i % MSGS];

		must(!frame_push(&f, t, strlen(t), T0) &&
		     frame_next(&f, &one, &why) == FRAME_MSG &&
		     sl_eq(one, sl_cstr(t)) &&
		     frame_next(&f, &one, &why) == FRAME_MORE,
		     "a stream was not cut");
	}
	frame_free(&f);
}

/* --- records of a peer --- */

static struct store *store_new(uint64_t node)
{
	struct store_conf cf = { .node = node, .max_records = 100000,
		.max_per_aor = 20, .max_expires = 3600, .guard = 10000 };
	struct store *s = NULL;

	memset(cf.key, 3, sizeof(cf.key));
	must(!store_alloc(&s, &cf, T0), "no store");
	return s;
}

static void field(struct buf *b, uint8_t tag, const char *txt)
{
	put_u8(b, tag);
	put_sl16(b, sl_cstr(txt));
}

/** About as node/binding.c writes one */
static void fill(struct store *s, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char aor[64], key[64], uri[160];
		uint8_t mem[512];
		struct buf b;

		(void)snprintf(aor, sizeof(aor), "user%07u@example.com", i);
		(void)snprintf(key, sizeof(key), "u:sip:user%07u@10.0.%u.%u:"
			       "5060", i, i >> 8 & 255, i & 255);
		(void)snprintf(uri, sizeof(uri), "<sip:%.47s%07u@127.0.0.1:"
			       "5070;transport=tcp;lr;ob>", TOKEN, i);
		buf_fixed(&b, mem, sizeof(mem));
		put_u8(&b, 1);
		put_u32(&b, 0);
		field(&b, 1, key + 2);
		field(&b, 2, uri);
		field(&b, 4, "Yealink SIP-T46S 66.86.0.15");
		mem[4] = (uint8_t)(b.n - 5);
		must(!b.err && !store_put(s, sl_cstr(aor), sl_cstr(key),
					  (uint64_t)i << 8, 1, T0 + LIFE,
					  buf_as_sl(&b), T0),
		     "a put failed");
	}
}

static void merges(unsigned n)
{
	struct store *from = store_new(1), *to = store_new(2);
	struct store_cursor c = { 0 };
	struct store_change ch;
	struct record rec;
	unsigned got = 0;
	bool changed;

	fill(from, n);
	store_cursor_add(from, &c, 0);
	while (store_cursor_peek(from, &c, &ch)) {
		must(!record_decode(&rec, ch.packed) &&
		     !store_merge(to, &rec, 1, T0, &changed) && changed,
		     "a merge failed");
		got++;
		store_cursor_step(from, &c);
	}
	must(got == n, "records are missing");
	store_cursor_del(from, &c);
	store_free(from);
	store_free(to);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(unsigned n);
	} v[] = {
		{ "call", calls }, { "register", registers },
		{ "refusal", refusals }, { "ping", pings },
		{ "scan", scans }, { "frame", frames },
		{ "merge", merges },
	};

	log_init("count", LOG_TO_NONE, LOG_LV_ERROR);
	for (size_t i = 0; argc == 3 && i < sizeof(v) / sizeof(v[0]); i++) {
		if (strcmp(argv[1], v[i].name))
			continue;
		v[i].run((unsigned)atoi(argv[2]));
		return 0;
	}
	fprintf(stderr, "usage: count call|register|refusal|ping|scan|frame|"
		"merge N\n");
	return 2;
}
