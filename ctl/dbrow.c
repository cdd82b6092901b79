/* dbrow.c - Shell. */
#include "config.h"           /* strptime() */
#include "ctl/dbrow.h"
#include "sip/flow.h"
#include "sip/uri.h"
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#define JULIAN_1970 2440587.5

struct sl *dbrow_column(struct dbrow *r, const char *name)
{
	const struct {
		const char *name;
		struct sl *s;
	} columns[] = {
		{ "username", &r->username }, { "domain", &r->domain },
		{ "contact", &r->contact }, { "received", &r->received },
		{ "path", &r->path }, { "expires", &r->expires },
		{ "q", &r->q }, { "callid", &r->callid }, { "cseq", &r->cseq },
		{ "user_agent", &r->user_agent },
		{ "instance", &r->instance },
		/* OpenSIPS */
		{ "sip_instance", &r->instance }, { "reg_id", &r->reg_id },
		{ "socket", &r->socket },
	};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		if (!strcasecmp(name, columns[i].name))
			return columns[i].s;
	}
	return NULL;
}

static bool copy(char *out, size_t size, struct sl s)
{
	if (s.n >= size)
		return false;
	if (s.n)
		memcpy(out, s.p, s.n);
	out[s.n] = 0;
	return true;
}

uint64_t dbrow_time(struct sl s)
{
	char txt[40], *end;
	struct tm tm = { .tm_isdst = -1 };
	double v;
	time_t t;

	if (!s.n || !copy(txt, sizeof(txt), s))
		return 0;
	end = strptime(txt, "%Y-%m-%d %H:%M:%S", &tm);
	if (end && (!*end || *end == '.')) {
		t = mktime(&tm);
		return t > 0 ? (uint64_t)t : 0;
	}
	v = strtod(txt, &end);
	if (*end || !(v > 0) || v > 1e12)
		return 0;
	if (v > 2.4e6 && v < 2.6e6)
		v = (v - JULIAN_1970) * 86400;
	return (uint64_t)v;
}

/** The address to send to. NULL, or why there is none */
static const char *target(const struct dbrow *r, char *to, size_t size)
{
	struct sl txt = r->received.n ? r->received : r->contact;
	struct addr a;
	struct uri u;
	struct buf b;
	int tp;

	if (uri_parse(&u, txt) || (u.scheme != URI_SIP && u.scheme != URI_SIPS))
		return r->received.n ? "bad received" : "bad contact";
	tp = uri_transport(&u);
	/* "tcp:192.0.2.1:5060": where the old registrar got it */
	if (u.scheme == URI_SIPS || (tp != TP_UDP && tp != TP_NONE) ||
	    (r->socket.n && !sl_istarts(r->socket, SL("udp:"))))
		return "connection (TCP, TLS, WS) that ended with the old "
			"registrar";
	if (uri_addr(&u, &a))
		return "contact names a host, not an address";
	if (!a.port)
		a.port = 5060;
	buf_fixed(&b, to, size - 1);
	addr_put(&b, &a);
	to[b.err ? 0 : b.n] = 0;
	return b.err ? "bad contact" : NULL;
}

static void set(json_t *o, const char *key, struct sl s)
{
	/* what is no UTF-8 is left out; the node says what it misses */
	if (s.n)
		(void)json_object_set_new(o, key, json_stringn(s.p, s.n));
}

static void set_number(json_t *o, const char *key, struct sl s)
{
	uint64_t n;

	if (s.n && !sl_u64(s, UINT32_MAX, &n))
		(void)json_object_set_new(o, key, json_integer((json_int_t)n));
}

/** 0..1, in thousandths; anything else is not told, and 1 then */
static void set_q(json_t *o, struct sl s)
{
	char txt[32], *end;
	double q;

	if (!s.n || !copy(txt, sizeof(txt), s))
		return;
	q = strtod(txt, &end);
	if (!*end && q >= 0 && q <= 1)
		(void)json_object_set_new(o, "q", json_integer(
			(json_int_t)(q * 1000 + 0.5)));
}

static json_t *contact_of(const struct dbrow *r, const char *aor,
			  uint64_t secs)
{
	struct sl inst = r->instance;
	json_t *o = json_object();

	/* OpenSIPS keeps the quotes of the parameter */
	if (inst.n >= 2 && inst.p[0] == '"' && inst.p[inst.n - 1] == '"')
		inst = sl_sub(inst, 1, inst.n - 1);
	set(o, "aor", sl_cstr(aor));
	set(o, "contact", r->contact);
	set(o, "callid", r->callid);
	set(o, "user_agent", r->user_agent);
	set(o, "instance", inst);
	set_number(o, "cseq", r->cseq);
	set_number(o, "reg_id", r->reg_id);
	set_q(o, r->q);
	(void)json_object_set_new(o, "expires", json_integer((json_int_t)secs));
	return o;
}

const char *dbrow_read(const struct dbrow *r, const struct dbrow_conf *cf,
		       json_t **contact, char *to, size_t size)
{
	struct sl domain = r->domain.n ? r->domain : cf->domain;
	uint64_t at = dbrow_time(r->expires);
	const char *why = NULL;
	char aor[SIP_AOR_MAX];
	int n;

	to[0] = 0;
	if (!r->username.n)
		return "no username";
	if (!domain.n)
		return "no domain: name one with --domain";
	if (!r->contact.n)
		return "bad contact";
	if (!at)
		return "no time of expiry: permanent, or not read";
	if (at <= cf->now)
		return "expired";
	if (r->path.n && !cf->keep_path)
		return "reached by a Path of another proxy";
	if (!r->path.n)
		why = target(r, to, size);
	if (why)
		return why;
	n = snprintf(aor, sizeof(aor), "sip:%.*s@%.*s", SL_FMT(r->username),
		     SL_FMT(domain));
	if (n < 0 || n >= (int)sizeof(aor))
		return "bad address of record";
	*contact = contact_of(r, aor, at - cf->now);
	if (r->path.n)
		set(*contact, "path", r->path);
	else
		set(*contact, "received", sl_cstr(to));
	return NULL;
}
