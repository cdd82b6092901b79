/* world.c - Test support. A proxy that is a mirror. */
#include "tests/drill/world.h"
#include <criterion/criterion.h>
#include <stdio.h>

static void give(struct mirror *m, struct sl s)
{
	gen_recv(m->g, &m->flow, s, m->now);
}

static void answer(struct mirror *m, const struct sip_msg *req, uint16_t code,
		   const char *extra)
{
	struct addr src = m->lst[0].bound;
	struct buf b;

	buf_init(&b, 8192);
	reply_write(&b, req, &src, code, SL("Mirror"), SL("mirror"),
		    sl_cstr(extra));
	give(m, buf_as_sl(&b));
	buf_free(&b);
}

static void on_register(struct mirror *m, const struct sip_msg *s)
{
	struct sl a = sip_first(s, SIP_AUTHORIZATION);

	m->registers++;
	(void)sl_u32(sip_first(s, SIP_EXPIRES), UINT32_MAX, &m->expires);
	(void)snprintf(m->auth, sizeof(m->auth), "%.*s", SL_FMT(a));
	if (m->refuse_reg)
		answer(m, s, m->refuse_reg, "");
	else if (m->challenge && !sl_isset(a))
		answer(m, s, 401, "WWW-Authenticate: Digest realm=\"r\", "
		       "nonce=\"n1\", algorithm=SHA-256, qop=\"auth\"\r\n");
	else
		answer(m, s, 200, "");
}

static void pass(struct mirror *m, struct sl raw)
{
	static struct sip_msg s;
	struct sip_fault fault;
	char again[4096];
	char *z;

	cr_assert_eq(sip_scan(&s, raw.p, raw.n, true, &fault), 0);
	m->cancels += s.req && s.meth == SIP_CANCEL;
	if (!s.req && s.status == 180 && m->eat_ringing) {
		(void)snprintf(again, sizeof(again), "%.*s", SL_FMT(raw));
		memcpy(again + strlen("SIP/2.0 "), "100", 3);
		give(m, sl_cstr(again));
		return;
	}
	if (s.req && s.meth == SIP_REGISTER)
		on_register(m, &s);
	else if (s.req && s.meth == SIP_INVITE && m->refuse)
		answer(m, &s, m->refuse, "");
	else if (!(s.req && ((s.meth == SIP_INVITE && m->eat_invite) ||
			     (s.meth == SIP_BYE && m->eat_bye) ||
			     (s.meth == SIP_CANCEL && m->eat_cancel) ||
			     (s.meth == SIP_ACK && m->eat_ack))))
		give(m, raw);
	if (!m->twice || !s.req || s.meth != SIP_INVITE)
		return;
	/* the same call over another branch */
	(void)snprintf(again, sizeof(again), "%.*s", SL_FMT(raw));
	z = strstr(again, "z9hG4bK");
	cr_assert(z);
	memcpy(z + 7, "xx", 2);
	give(m, sl_cstr(again));
}

static void drain(struct mirror *m)
{
	struct sip_out out;

	while (gen_poll(m->g, &out)) {
		char copy[8192];
		size_t n = out.blob ? out.blob->n : 0;

		cr_assert_lt(n, sizeof(copy));
		if (n)
			memcpy(copy, out.blob->p, n);
		blob_unref(out.blob);
		if (out.kind == SIP_OUT_SEND)
			pass(m, sl_mk(copy, n));
	}
}

void mirror_run(struct mirror *m, uint64_t ms)
{
	uint64_t end = m->now + ms;

	drain(m);
	while (gen_next(m->g) <= end) {
		uint64_t at = gen_next(m->g);

		m->now = at > m->now ? at : m->now + 1;
		gen_tick(m->g, m->now);
		drain(m);
	}
	m->now = end;
	gen_tick(m->g, m->now);
	drain(m);
}

void mirror_start(struct mirror *m, bool reg)
{
	static const struct gen_user user[2] = {
		{ "drill-0", "pw0", 0 }, { "drill-1", "pw1", 0 },
	};
	struct gen_conf cf = {
		.lst = m->lst, .lstc = 1, .domain = "example.com",
		.user = user, .users = 2, .max_calls = 50, .limit = 5000,
		.expires = 600, .seed = 1, .run = 0xabc,
	};

	memset(m, 0, sizeof(*m));
	m->now = 1000;
	m->lst[0].tp = TP_UDP;
	cr_assert_eq(addr_parse(&m->lst[0].bound, SL("127.0.0.2:6000"), 0), 0);
	(void)snprintf(m->lst[0].sentby, sizeof(m->lst[0].sentby),
		       "127.0.0.2:6000");
	cr_assert_eq(addr_parse(&cf.proxy, SL("127.0.0.1:5060"), 0), 0);
	m->flow = (struct flow){ .tp = TP_UDP, .peer = cf.proxy };
	cr_assert_eq(gen_alloc(&m->g, &cf, m->now), 0);
	if (reg) {
		gen_register(m->g, 0, m->now);
		gen_register(m->g, 1, m->now);
		mirror_run(m, 10);
		cr_assert_eq(gen_registered(m->g), 2);
	}
}

void mirror_stop(struct mirror *m)
{
	gen_free(m->g);
}
