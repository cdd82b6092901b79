/* Call records: the line, and what the edge puts into it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "sbc/cdr.h"
#include "sbc/ledger.h"
#include "world.h"

/* --- the line --- */

static struct cdr_trail trail;
static char text[CDR_LINE + 1];

static const char *line(const struct cdr *c)
{
	struct buf b;

	buf_fixed(&b, text, CDR_LINE);
	cdr_line(&b, c);
	cr_assert_eq(b.err, 0);
	text[b.n] = '\0';
	return text;
}

static struct cdr sample(void)
{
	struct cdr c = {
		.start = 1000, .end = 1250, .callid = SL("a@b"),
		.from = SL("\"A\" <sip:alice:secret@x.org;p=1?h=s>;tag=1"),
		.to = SL("<sip:bob@x.org>"), .ruri = SL("sip:bob@x.org:5070"),
		.transport = "tcp", .code = 486, .trail = &trail,
		.node = { "n1", "n2" },
	};

	cr_assert_eq(addr_parse(&c.source, SL("192.0.2.1:5060"), 0), 0);
	memset(&trail, 0, sizeof(trail));
	cdr_sent(&trail, 4, 0);
	cdr_end(&trail, 4, CDR_LOST + FAIL_SILENT);
	cdr_sent(&trail, 5, 250);
	cdr_first(&trail, 5, 252);
	cdr_first(&trail, 5, 260);
	cdr_end(&trail, 5, CDR_ANSWERED);
	cdr_end(&trail, 5, CDR_LOST + FAIL_RESET);
	trail.by = CDR_BY_CALLEE;
	return c;
}

Test(cdr, a_line_whole)
{
	struct cdr c = sample();

	cr_expect_str_eq(line(&c), "{\"start\":1000,\"answered\":null,"
		"\"ended\":1250,\"setup_ms\":250,\"call_id\":\"a@b\","
		"\"from\":\"sip:alice@x.org\",\"to\":\"sip:bob@x.org\","
		"\"ruri\":\"sip:bob@x.org:5070\",\"source\":\"192.0.2.1:5060"
		"\",\"transport\":\"tcp\",\"code\":486,\"attempts\":["
		"{\"node\":\"n1\",\"sent_ms\":0,\"first_ms\":null,"
		"\"result\":\"silent\"},{\"node\":\"n2\",\"sent_ms\":250,"
		"\"first_ms\":252,\"result\":\"answered\"}],"
		"\"failed_over\":true,\"adopted\":false,"
		"\"released_by\":\"callee\"}\n");
}

Test(cdr, who_released)
{
	struct cdr c = sample();

	c.code = 200;
	cr_expect(strstr(line(&c), "\"answered\":1250"));
	cr_expect(strstr(text, "\"released_by\":null"));
	c.code = 487;
	c.cancelled = true;
	cr_expect(strstr(line(&c), "\"released_by\":\"caller\""));
	c.cancelled = false;
	trail.by = CDR_BY_EDGE;
	cr_expect(strstr(line(&c), "\"released_by\":\"edge\""));
	trail.by = CDR_BY_NODE;
	cr_expect(strstr(line(&c), "\"released_by\":\"node\""));
}

/** The value of call_id in the line for these bytes */
static const char *quoted(const char *s, size_t n)
{
	static char out[2000];
	struct cdr c = sample();
	const char *p, *e;

	c.callid = sl_mk(s, n);
	p = strstr(line(&c), "\"call_id\":\"") + 11;
	e = strstr(p, "\",\"from\"");
	(void)snprintf(out, sizeof(out), "%.*s", (int)(e - p), p);
	return out;
}

Test(cdr, texts_are_json_whatever_they_hold)
{
	static const struct {
		const char *in, *out;
	} v[] = {
		{ "a\"b\\c", "a\\\"b\\\\c" },
		{ "\x01\n\x7f", "\\u0001\\u000a\\u007f" },
		{ "\xc3\xa9", "\xc3\xa9" },
		{ "\xe2\x82\xac", "\xe2\x82\xac" },
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
		{ "\xff" "a", "\\ufffda" },
		{ "\xc3", "\\ufffd" },
		{ "\xc0\x80", "\\ufffd\\ufffd" },
		{ "\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd" },
		{ "\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd" },
		{ "\xe0\x80\x80", "\\ufffd\\ufffd\\ufffd" },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++)
		cr_expect_str_eq(quoted(v[i].in, strlen(v[i].in)), v[i].out,
				 "%zu", i);
	cr_expect_str_eq(quoted("a\0b", 3), "a\\u0000b");
	/* what follows a text is none of it */
	cr_expect_str_eq(quoted("\xc3\xa9", 1), "\\ufffd");
}

Test(cdr, the_worst_texts_fit_a_line)
{
	static char bad[3000], name[64];
	struct cdr c = sample();

	memset(bad, '\x01', sizeof(bad));
	memset(name, '\x01', sizeof(name) - 1);
	memset(&trail, 0, sizeof(trail));
	for (unsigned i = 0; i < 300; i++) {
		cdr_sent(&trail, (uint16_t)i, UINT32_MAX);
		cdr_first(&trail, (uint16_t)i, UINT32_MAX);
	}
	for (int i = 0; i < CDR_TRIES; i++)
		c.node[i] = name;
	c.callid = c.from = c.to = c.ruri = sl_mk(bad, sizeof(bad));
	c.start = 0;
	c.end = UINT64_MAX;
	cr_expect(strlen(line(&c)) > 5000);
	memset(bad, '"', sizeof(bad));
	memcpy(bad, "sip:", 4);
	memcpy(bad + 2990, "@x.org", 6);
	c.ruri = sl_mk(bad, 2996);
	(void)line(&c);
}

Test(cdr, no_secret_of_a_uri)
{
	struct cdr c = sample();

	c.ruri = SL("sip:bob:hidden@x.org;key=hidden?Authorization=hidden");
	cr_expect_not(strstr(line(&c), "hidden"));
	cr_expect_not(strstr(text, "secret"));
	c.ruri = SL("tel:+4912345;phone-context=x");
	cr_expect(strstr(line(&c), "\"ruri\":\"tel:+4912345"));
	c.ruri = SL("http://user:hidden@x");
	cr_expect(strstr(line(&c), "\"ruri\":\"\""));
}

Test(cdr, queue_is_bounded_and_counts)
{
	static struct cdrq q;
	struct blob *b = blob_make("x", 1);
	unsigned n = 0;

	for (int i = 0; i < CDRQ_MAX + 10; i++)
		cdrq_put(&q, blob_ref(b));
	cdrq_put(&q, NULL);
	cr_expect_eq(q.dropped, 11);
	for (struct blob *x; (x = cdrq_poll(&q)); n++)
		blob_unref(x);
	cr_expect_eq(n, CDRQ_MAX);
	cr_expect_eq(b->ref, 1);
	blob_unref(b);
}

/* --- of calls --- */

static struct world *w;
static struct vphone *a, *b;

static void begin(void)
{
	w = world_new(1, NULL);
	edge_cdr_on(w->edge, true);
	a = world_phone(w, "alice", SIM_DATAGRAM);
	b = world_phone(w, "bob", SIM_DATAGRAM);
	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 50);
	edge_ledger(w->edge)->wall = 5000000;
	b->answer = 3000;
}

static void end(void)
{
	world_run(w, 70000);
	cr_expect_eq(edge_poll_cdr(w->edge), NULL);
	world_free(w);
}
TestSuite(cdr_call, .init = begin, .fini = end);

/** The one record there is */
static const char *record(void)
{
	struct blob *x = edge_poll_cdr(w->edge);

	cr_assert_neq(x, NULL);
	memcpy(text, x->p, x->n);
	text[x->n] = '\0';
	blob_unref(x);
	cr_expect_eq(edge_poll_cdr(w->edge), NULL);
	return text;
}

static void expect(const char *part)
{
	cr_expect_neq(strstr(text, part), NULL, "no %s in %s", part, text);
}

static uint64_t number(const char *key)
{
	char k[64];
	const char *p;

	(void)snprintf(k, sizeof(k), "\"%s\":", key);
	p = strstr(text, k);
	cr_assert_neq(p, NULL, "%s", key);
	return strtoull(p + strlen(k), NULL, 10);
}

Test(cdr_call, answered)
{
	struct vreq *r = phone_invite(a, "bob");
	char t[100];

	world_run(w, 4000);
	cr_assert_eq(r->final, 200);
	(void)record();
	cr_expect(number("start") >= 5000000 + r->sent &&
		  number("start") < 5000000 + r->sent + 20);
	cr_expect_eq(number("answered"), number("ended"));
	cr_expect_eq(number("ended") - number("start"), number("setup_ms"));
	cr_expect(number("setup_ms") >= 3000 && number("setup_ms") < 3100);
	(void)snprintf(t, sizeof(t), "\"call_id\":\"%s\"", r->callid);
	expect(t);
	expect("\"code\":200,\"attempts\":[{\"node\":\"n");
	expect("\"result\":\"answered\"}],\"failed_over\":false,"
	       "\"adopted\":false,\"released_by\":null");
	/* nor one for what is in the dialog */
	(void)phone_in_dialog(a, r, SIP_INVITE);
	world_run(w, 4000);
	(void)phone_in_dialog(a, r, SIP_BYE);
	world_run(w, 200);
	cr_expect_eq(edge_poll_cdr(w->edge), NULL);
}

Test(cdr_call, failed_over)
{
	struct vnode *n = world_node_of(w, "bob");
	char t[100];

	n->mode = V_MUTE;
	(void)phone_invite(a, "bob");
	world_run(w, 4000);
	(void)record();
	(void)snprintf(t, sizeof(t), "[{\"node\":\"n%u\",\"sent_ms\":0,"
		       "\"first_ms\":null,\"result\":\"silent\"},{",
		       n->idx + 1);
	expect(t);
	expect("\"failed_over\":true");
	expect("\"code\":200");
}

Test(cdr_call, adopted)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 500);
	node_kill(world_node_of(w, "bob"));
	world_run(w, 4000);
	cr_assert_eq(r->final, 200);
	(void)record();
	expect("\"result\":\"reset\"}],\"failed_over\":false,"
	       "\"adopted\":true");
}

Test(cdr_call, refused_by_the_callee_the_node_and_the_edge)
{
	b->code = 486;
	b->answer = 20;
	(void)phone_invite(a, "bob");
	world_run(w, 200);
	(void)record();
	expect("\"code\":486");
	expect("\"released_by\":\"callee\"");
	(void)phone_invite(a, "nobody");
	world_run(w, 200);
	(void)record();
	expect("\"code\":404");
	expect("\"released_by\":\"node\"");
	for (int i = 0; i < W_NODES; i++)
		w->node[i].mode = V_BUSY;
	(void)phone_invite(a, "bob");
	world_run(w, 200);
	(void)record();
	expect("\"code\":503");
	expect("\"result\":\"refused\"");
	expect("\"released_by\":\"edge\"");
}

Test(cdr_call, cancelled_by_the_caller)
{
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 200);
	phone_cancel(a, r);
	world_run(w, 200);
	(void)record();
	expect("\"code\":487");
	expect("\"released_by\":\"caller\"");
}

Test(cdr_call, none_when_they_are_off_and_none_of_other_methods)
{
	(void)phone_send(a, SIP_MESSAGE, "bob", NULL);
	world_run(w, 200);
	cr_expect_eq(edge_poll_cdr(w->edge), NULL);
	edge_cdr_on(w->edge, false);
	(void)phone_invite(a, "bob");
	world_run(w, 4000);
	cr_expect_eq(edge_poll_cdr(w->edge), NULL);
}
