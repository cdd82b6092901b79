/**
 * @file rig.c  A node's core in a box.
 */
#define _GNU_SOURCE             /* memmem */
#include "tests/node/rig.h"
#include "base/log.h"
#include "base/secret.h"
#include "sip/hop.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

int rig_in_core;

static const char base_conf[] =
	"sip = { address = \"127.0.0.11\"; port = 5060; };\n";

struct rig *rig_new(const char *conf, const char *users)
{
	return rig_with(conf, users, 0);
}

struct rig *rig_with(const char *conf, const char *users, uint8_t secret)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct core_conf cc = { 0 };
	struct store_conf sc = { .node = 1, .max_records = 1000,
				 .max_per_aor = 100, .guard = 10000 };
	struct users_err ue;
	static struct cfg_errs errs;
	char text[4096];
	uint8_t key[32];
	int err;

	cr_assert(r);
	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	cr_assert(secret_init() == 0);
	(void)snprintf(text, sizeof(text), "%s%s",
		       strstr(conf, "sip =") ? "" : base_conf, conf);
	err = node_config_read_mem(&r->cf, "test", text, &errs);
	cr_assert(err == 0, "%s", errs.txt[0]);
	sc.max_expires = r->cf.registrar.max_expires;
	memset(key, 7, sizeof(key));
	keyset_one(&cc.keys, key);
	memset(cc.secret, secret, sizeof(cc.secret));
	secret_derive(cc.store_key, cc.keys.base, "store 1");
	memcpy(sc.key, cc.store_key, sizeof(sc.key));
	r->client = "192.0.2.7";
	r->says = "10.0.0.7";
	r->now = 1000;
	r->wall = 1700000000000ull;
	err = users_parse(&r->users, sl_cstr(users), key, &ue);
	cr_assert(err == 0);
	cr_assert(stats_alloc(&r->st) == 0);
	cr_assert(store_alloc(&r->store, &sc, r->wall) == 0);
	cc.cf = &r->cf;
	cc.users = r->users;
	cc.store = r->store;
	cc.lst_udp = 0;
	cc.lst_tcp = 1;
	cc.self = r->cf.sip.address;
	cr_assert(core_alloc(&r->core, &cc, r->st, r->now) == 0);
	core_set_health(r->core, true, "", "state=ready");
	r->edge.tp = TP_TCP;
	r->edge.lst = 1;
	r->edge.conn = 1;
	cr_assert(addr_parse(&r->edge.peer, SL("127.0.0.1:40000"), 0) == 0);
	return r;
}

void rig_free(struct rig *r)
{
	while (rig_take(r) >= 0)
		;
	blob_unref(r->out.blob);
	core_free(r->core);
	store_free(r->store);
	stats_free(r->st);
	users_free(r->users);
	node_config_clear(&r->cf);
	free(r);
}

void rig_raw(struct rig *r, const void *p, size_t n)
{
	/* a copy of its own size, so that reading past its end is found */
	uint8_t *copy = malloc(n ? n : 1);

	cr_assert(copy);
	memcpy(copy, p, n);
	rig_in_core++;
	core_recv(r->core, &r->edge, sl_mk(copy, n), FRAME_MSG, NULL, r->now,
		  r->wall);
	rig_in_core--;
	free(copy);
}

void rig_same(struct rig *r, const char *method, const char *ruri,
	      const char *from, const char *to, const char *callid,
	      unsigned cseq, const char *more)
{
	int n = snprintf(r->text, sizeof(r->text),
		"%s %s SIP/2.0\r\n"
		"Via: SIP/2.0/TCP " EDGE ";branch=z9hG4bKe%u;alias\r\n"
		"Via: SIP/2.0/UDP %s:5060;branch=z9hG4bKp%u;rport=5062;"
		"received=%s\r\n"
		"From: %s%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n"
		"Max-Forwards: 69\r\n%sContent-Length: 0\r\n\r\n",
		method, ruri, r->branch, r->says, r->branch, r->client, from,
		strstr(from, ";tag=") ? "" : ";tag=f1", to, callid, cseq,
		method, more);

	cr_assert(n > 0 && (size_t)n < sizeof(r->text));
	rig_raw(r, r->text, (size_t)n);
}

void rig_req(struct rig *r, const char *method, const char *ruri,
	     const char *from, const char *to, const char *callid,
	     unsigned cseq, const char *more)
{
	r->branch++;
	rig_same(r, method, ruri, from, to, callid, cseq, more);
}

int rig_take(struct rig *r)
{
	struct sip_fault fault;
	struct sip_out o;
	int err;

	while (core_poll(r->core, &o)) {
		if (o.kind == SIP_OUT_ALIAS) {
			r->aliases++;
			r->alias = o.alias;
		}
		else if (o.kind == SIP_OUT_CLOSE) {
			r->closes++;
		}
		if (o.kind != SIP_OUT_SEND)
			continue;
		blob_unref(r->out.blob);
		r->out.blob = o.blob;
		r->out.flow = o.flow;
		err = sip_scan(&r->out.m, o.blob->p, o.blob->n, false, &fault);
		/* an answer to a bad message repeats what was bad in it */
		if (err && r->lenient)
			return atoi((char *)o.blob->p + 8);
		cr_assert(err == 0, "the node sends what cannot be read (%s):"
			  "\n%.*s", fault.why, (int)o.blob->n,
			  (char *)o.blob->p);
		return r->out.m.req ? 0 : r->out.m.status;
	}
	return -1;
}

int rig_final(struct rig *r)
{
	int code;

	do {
		code = rig_take(r);
	} while (code >= 100 && code < 200);
	return code;
}

static bool name_is(const struct rig *r, const struct sip_hdr *h,
		    const char *name)
{
	return sl_ieq(sl_mk(r->out.blob->p + h->off, h->nlen),
		      sl_cstr(name));
}

unsigned rig_count(struct rig *r, const char *name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->out.m.hdrc; i++)
		n += name_is(r, &r->out.m.hdr[i], name);
	return n;
}

const char *rig_hdr(struct rig *r, const char *name)
{
	static char txt[4][4096];
	static unsigned at;
	struct sl v;

	for (unsigned i = 0; i < r->out.m.hdrc; i++) {
		if (!name_is(r, &r->out.m.hdr[i], name))
			continue;
		v = sip_val(&r->out.m, &r->out.m.hdr[i]);
		at = (at + 1) % 4;
		(void)snprintf(txt[at], sizeof(txt[at]), "%.*s", SL_FMT(v));
		return txt[at];
	}
	return "";
}

bool rig_has(struct rig *r, const char *text)
{
	return memmem(r->out.blob->p, r->out.blob->n, text, strlen(text));
}

void rig_leg(struct rig *r, struct rig_leg *l, const char *method)
{
	struct sip_fault fault;
	int code;

	do {
		code = rig_take(r);
	} while (code == 100);
	cr_assert(code == 0, "a %s should go out, not %d", method, code);
	cr_assert(sl_eq(r->out.m.method, sl_cstr(method)), "%s, not %.*s",
		  method, SL_FMT(r->out.m.method));
	l->req = blob_ref(r->out.blob);
	l->flow = r->out.flow;
	cr_assert(sip_scan(&l->m, l->req->p, l->req->n, false, &fault) == 0);
}

void rig_leg_free(struct rig_leg *l)
{
	blob_unref(l->req);
	l->req = NULL;
}

void rig_answer(struct rig *r, const struct rig_leg *l, unsigned code,
		const char *tag, const char *more)
{
	struct buf b;

	buf_init(&b, 65536);
	reply_write(&b, &l->m, &l->flow.peer, (uint16_t)code,
		    sl_cstr(sip_phrase((uint16_t)code)), sl_cstr(tag),
		    sl_cstr(more));
	cr_assert(!b.err);
	rig_raw(r, b.p, b.n);
	buf_free(&b);
}

void rig_pass(struct rig *r, uint64_t ms)
{
	uint64_t end = r->now + ms, next;

	while (r->now < end) {
		next = core_next(r->core);
		if (next > end)
			next = end;
		if (next <= r->now)
			next = r->now + 1;
		r->wall += next - r->now;
		r->now = next;
		rig_in_core++;
		core_tick(r->core, r->now, r->wall);
		rig_in_core--;
	}
}

uint64_t rig_stat(struct rig *r, const char *name, const char *labels)
{
	uint64_t v = 0;

	cr_assert(stat_get(r->st, name, labels, &v), "no figure %s", name);
	return v;
}

int rig_register(struct rig *r, const char *user, const char *contact,
		 const char *token, unsigned cseq)
{
	char aor[128], more[1024], callid[128];

	(void)snprintf(aor, sizeof(aor), "<sip:%s@example.com>", user);
	(void)snprintf(callid, sizeof(callid), "reg-%s-%s", user, token);
	(void)snprintf(more, sizeof(more), "Contact: %s\r\n"
		       "Path: <sip:%s@" EDGE ";transport=tcp;lr;ob>\r\n",
		       contact, token);
	rig_req(r, "REGISTER", "sip:example.com", aor, aor, callid, cseq,
		more);
	return rig_final(r);
}
