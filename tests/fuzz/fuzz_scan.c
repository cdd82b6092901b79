/* fuzz_scan.c - one SIP message: both ways of scanning, everything that looks
 * at a scanned message, and answers that must scan again */
#include <errno.h>
#include <stdlib.h>

#include "sip/hop.h"
#include "sip/scan_in.h"
#include "sip/splice.h"
#include "sip/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sip_msg a, b;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void inside(const struct sip_msg *m, struct sl s)
{
	must(!s.n || (s.p >= m->raw.p && s.p + s.n <= m->raw.p + m->raw.n));
}

static void look(const struct sip_msg *m)
{
	struct via v;
	unsigned n = 0;

	for (int id = 0; id < SIP_H_N; id++) {
		struct sip_iter it = {0};
		const struct sip_hdr *h;
		unsigned k = 0;

		for (h = sip_hdr(m, id); h; h = sip_hdr_next(m, h), k++)
			must(h->id == id && h->off < h->vs &&
			     h->vs <= h->ve && h->ve < h->end &&
			     h->end < m->body_off);
		must(k == m->count[id]);
		n += k;
		while (sip_iter(m, id, &it))
			inside(m, it.val);
		(void)sip_has_token(m, id, SL("x"));
	}
	must(n == m->hdrc);
	(void)sip_hdr_name(m, SL("Subject"));
	for (n = 0; !via_nth(m, n, &v); n++) {
		inside(m, v.branch);
		inside(m, v.host);
		must(v.host.n && v.tp.n);
	}
	must(n >= 1 && n <= SIP_MAX_VIAS);
	inside(m, m->ruri);
	inside(m, m->callid);
	inside(m, m->from_tag);
	inside(m, m->to_tag);
	inside(m, m->body);
}

static void unchanged(const struct sip_msg *m, struct buf *o)
{
	static struct splice s;

	splice_init(&s, m);
	buf_reset(o);
	must(!splice_write(&s, o) && sl_eq(buf_as_sl(o), m->raw));
}

/* what a proxy does to a request gives a request */
static void forwarded(const struct sip_msg *m, struct buf *o)
{
	static struct splice s;
	struct sip_fault f;
	char room[32];
	struct buf back;

	if (!m->req || m->count[SIP_VIA] > 60 || m->hdrc > 190 ||
	    m->body_off > SIP_MAX_HEAD - 500 || m->raw.n > SIP_MAX_MSG - 500)
		return;
	splice_init(&s, m);
	if (hop_maxfwd(&s, m, room))
		return;
	hop_route_strip(&s, m, 1);
	splice_top(&s, SL("Via: SIP/2.0/UDP us;branch=z9hG4bKour\r\n"));
	buf_reset(o);
	must(!splice_write(&s, o));
	must(!sip_scan(&b, o->p, o->n, true, &f));
	must(b.hdrc <= m->hdrc + 2);
	splice_init(&s, &b);
	hop_reply_vias(&s, SL("Via: SIP/2.0/UDP you\r\n"));
	buf_init(&back, 4 * SIP_MAX_MSG);
	must(!splice_write(&s, &back));
	buf_free(&back);
}

static void answered(const struct sip_msg *m, bool good, struct buf *o)
{
	const struct addr src = {.af = 4, .port = 9, .ip = {192, 0, 2, 1}};
	struct sip_fault f;
	int err;

	buf_reset(o);
	reply_write(o, m, &src, 480, SL_NONE, SL("ours"),
		    SL("Reason: x\r\n"));
	must(!o->err);
	err = sip_scan(&b, o->p, o->n, true, &f);
	must(b.status == 480 && b.body_off == o->n && !b.body.n);
	must(b.count[SIP_CONTENT_LENGTH] == 1 && b.count[SIP_REASON] == 1);
	must(!b.count[SIP_H_OTHER] && b.count[SIP_TO] <= 1);
	if (good && m->body_off < SIP_MAX_HEAD - 500)
		must(!err && sl_eq(b.callid, m->callid) && b.cseq == m->cseq);
}

/* what is told of a trace: another look finds nothing more to take out */
static void cleaned(struct sl in, bool cut)
{
	struct sl v[TRACE_FIELDS], s;
	struct buf o, again;

	buf_init(&o, TRACE_CLEAN);
	buf_init(&again, 2 * TRACE_CLEAN);
	trace_clean(&o, in, cut);
	must(!o.err);
	s = buf_as_sl(&o);
	trace_clean(&again, s, cut);
	must(sl_eq(buf_as_sl(&again), s));
	trace_fields(s, v);
	for (unsigned i = 0; i < TRACE_FIELDS; i++)
		must(!sl_isset(v[i]) || (v[i].p >= s.p &&
					 v[i].p + v[i].n <= s.p + s.n));
	(void)trace_is_of(v, SL("a@b"));
	buf_free(&o);
	buf_free(&again);
}

static void traced(struct sl in)
{
	static const struct flow f = { .tp = TP_UDP };
	struct trace_query q = { .callid = SL("a"), .limit = 1 };
	struct trace_found w;
	struct trace t;

	must(!trace_init(&t, 4, TRACE_BYTES_MIN));
	trace_add(&t, &f, true, in, 0, 0);
	if (trace_after(&t, 0)) {
		const struct trace_msg *m = trace_after(&t, 0);

		must(m->n <= TRACE_TEXT && m->cut == (in.n > TRACE_TEXT));
		must(!memcmp(trace_text(&t, m).p, in.p, m->n));
		cleaned(trace_text(&t, m), m->cut);
		trace_find(&t, &q, &w);
		must(w.n <= 1 && !w.next);
	}
	trace_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sip_fault f, g;
	struct buf o;
	int err;

	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	traced(sl_mk(data, size));
	err = scan_msg(&a, data, size, size & 1, true, &f);
	must(scan_msg(&b, data, size, size & 1, false, &g) == err);
	must(f.code == g.code && f.answerable == g.answerable);
	must(!memcmp(&a, &b, sizeof(a)));
	must((err == EBADMSG) == (f.code != 0));
	buf_init(&o, 4 * SIP_MAX_MSG);
	if (!err) {
		look(&a);
		unchanged(&a, &o);
		forwarded(&a, &o);
		if (a.req)
			answered(&a, true, &o);
	} else if (f.answerable) {
		answered(&a, false, &o);
	}
	buf_free(&o);
	return 0;
}
