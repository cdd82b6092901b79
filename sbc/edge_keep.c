/* edge_keep.c - Pure. Keep-alives that nodes want written on flows of phones.
 *
 * A node names flows by their Path tokens; only the edge can write on them. That
 * one was written proves nothing, a pong is not waited for. Dead is a
 * stream that has ended, and nothing else. */
#include "sbc/edge_priv.h"
#include "sip/inner.h"
#include "sip/stun.h"

#include <errno.h>

enum {
	KEEP_LINES = 2048,           /**< of one message                      */
	KEEP_UDP   = 25,             /**< [s] RFC 5626 4.4.2: 24 to 29        */
};

int edge_keep_init(struct edge *e)
{
	static const char help[] = "Keep-alives that nodes asked for";
	const struct {
		const char *label;
		const uint64_t *v;
	} row[] = {
		{ "result=\"sent\"", &e->keep.sent },
		{ "result=\"dead\"", &e->keep.dead },
		{ "result=\"bad\"", &e->keep.bad },
		{ "result=\"full\"", &e->keep.full },
	};
	int err = stat_add(e->st, STAT_COUNTER, "sbc_keep_batches_total", NULL,
			   "Messages of nodes with flows to be kept alive",
			   &e->keep.batches, e);

	if (!err)
		err = stat_add(e->st, STAT_COUNTER, "sbc_stun_total", NULL,
			       "STUN Binding requests of phones answered",
			       &e->keep.stun, e);
	for (size_t i = 0; i < sizeof(row) / sizeof(*row) && !err; i++)
		err = stat_add(e->st, STAT_COUNTER, "sbc_keep_total",
			       row[i].label, help, row[i].v, e);
	e->keep.crlf = blobs_make(e->blobs, "\r\n\r\n", 4);
	return err ? err : e->keep.crlf ? 0 : ENOMEM;
}

void edge_keep_close(struct edge *e)
{
	blob_unref(e->keep.crlf);
}

/** A phone that answers refreshes its mapping from the inside; the answer is
 *  dropped */
static struct blob *stun(struct edge *e)
{
	uint64_t v[2] = { rng_u64(&e->rng), rng_u64(&e->rng) };
	uint8_t id[12], mem[STUN_HEAD];
	struct buf b;

	memcpy(id, v, sizeof(id));
	buf_fixed(&b, mem, sizeof(mem));
	stun_request(&b, id);
	return blobs_make(e->blobs, b.p, b.n);
}

void edge_stun(struct edge *e, const struct flow *f, struct sl msg)
{
	uint8_t mem[128];
	struct blob *m;
	struct buf b;

	buf_fixed(&b, mem, sizeof(mem));
	m = stun_answer(&b, msg, &f->peer) ? NULL :
		blobs_make(e->blobs, b.p, b.n);
	if (!m)
		return;
	e->keep.stun++;
	outq_send(&e->out, f, m);
}

bool edge_flow_dead(const struct edge *e, const struct flow *f)
{
	return tp_stream(f->tp) && f->conn && !known_of(e->known, f) &&
		!known_stats(e->known)->refused;
}

/** @return false: it has ended */
static bool one(struct edge *e, const struct token_keys *keys, struct sl kind,
		struct sl token)
{
	struct blob *b;
	struct flow f;
	int err = route_path_flow(&e->rc, keys, token, &f);

	if (err == ESTALE || (!err && edge_flow_dead(e, &f))) {
		e->keep.dead++;
		return false;
	}
	if (err) {
		e->keep.bad++;
		return true;
	}
	b = sl_eq(kind, SL("stun")) && !tp_stream(f.tp) ? stun(e) :
		blob_ref(e->keep.crlf);
	if (b) {
		outq_send(&e->out, &f, b);
		e->keep.sent++;
	}
	return true;
}

static void answer(struct edge *e, const struct sip_msg *m,
		   const struct flow *f, struct sl dead)
{
	uint64_t h = secret_hash(e->branch_key, m->callid.p, m->callid.n);
	struct blob *msg;
	char tag[16];
	struct buf t;

	buf_fixed(&t, tag, sizeof(tag));
	buf_hex(&t, &h, sizeof(h));
	buf_reset(&e->top);
	reply_write_body(&e->top, m, &f->peer, 200, SL(EDGE_KEPT),
			 buf_as_sl(&t), SL(INNER_KEEP), dead);
	msg = e->top.err ? NULL : blobs_make(e->blobs, e->top.p, e->top.n);
	if (msg)
		outq_send(&e->out, f, msg);
	else
		e->led.oom++;
}

bool edge_keep(struct edge *e, const struct sip_msg *m, const struct flow *f)
{
	struct token_keys keys;
	struct sl rest = m->body, kind, token;
	struct buf *dead = &e->out_buf;
	uint32_t n = 0;

	if (!inner_is(m, SL(INNER_KEEP)))
		return false;
	e->probe_answers++;
	e->keep.batches++;
	keys = e->keys;
	keys.memo = NULL;         /* it is for tokens of calls */
	buf_reset(dead);
	while (inner_line(&rest, &kind, &token)) {
		if (n++ >= KEEP_LINES) {
			e->keep.full++;
		}
		else if (!token.n) {
			e->keep.bad++;
		}
		else if (!one(e, &keys, kind, token)) {
			buf_lit(dead, "dead ");
			buf_sl(dead, token);
			buf_lit(dead, "\r\n");
		}
	}
	answer(e, m, f, dead->err ? SL_NONE : buf_as_sl(dead));
	return true;
}

/* --- phones that keep their flow alive themselves --- */

/** Most have none: a quick look */
static bool may_keep(struct sl line)
{
	const char *p = line.p, *end = line.p + line.n;

	while ((p = memchr(p, ';', (size_t)(end - p)))) {
		p++;
		if (end - p >= 4 && (*p | 0x20) == 'k' &&
		    sl_ieq(sl_mk(p, 4), SL("keep")))
			return true;
	}
	return false;
}

/** End of the name of a "keep" without a value in the topmost Via, NULL: none */
static const char *keep_param(struct sl vias)
{
	struct sl line = sl_sub(vias, 0, sl_chr(vias, '\n')), elem, name, val;
	size_t at = sl_chr(line, ':');

	line = sl_sub(line, at + 1, line.n);
	if (!may_keep(line) || !sl_elem(&line, &elem))
		return NULL;
	elem = sl_sub(elem, sl_chr(elem, ';'), elem.n);
	while (param_next(&elem, &name, &val))
		if (sl_ieq(name, SL("keep")))
			return sl_isset(val) ? NULL : name.p + name.n;
	return NULL;
}

/** RFC 6223 4.3: answers that make a registration or a dialog; RFC 5626 6: the
 *  same to who uses outbound */
struct sl edge_flow_lines(struct edge *e, const struct sip_msg *m,
			  const struct stxn *s, uint16_t code)
{
	struct sl vias = stxn_vias(s);
	const struct flow *f = stxn_flow(s);
	uint32_t secs = tp_stream(f->tp) ? e->tune.flow_timer : KEEP_UDP;
	bool reg = m->meth == SIP_REGISTER, timer;
	const char *at;

	if (m->status / 100 != 2 || (!reg && m->meth != SIP_INVITE) ||
	    (code && code != m->status) || edge_is_core(e, f) || !secs)
		return vias;
	at = keep_param(vias);
	timer = reg && tp_stream(f->tp) &&
		sip_has_token(m, SIP_REQUIRE, SL("outbound"));
	if (!at && !timer)
		return vias;
	buf_reset(&e->top);
	if (at) {
		buf_put(&e->top, vias.p, (size_t)(at - vias.p));
		buf_chr(&e->top, '=');
		buf_u64(&e->top, secs);
		buf_put(&e->top, at, (size_t)(vias.p + vias.n - at));
	}
	else {
		buf_sl(&e->top, vias);
	}
	if (timer) {
		buf_lit(&e->top, "Flow-Timer: ");
		buf_u64(&e->top, secs);
		buf_lit(&e->top, "\r\n");
	}
	return buf_as_sl(&e->top);
}
