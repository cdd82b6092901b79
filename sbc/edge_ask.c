/* edge_ask.c - Pure. OPTIONS that nodes want asked on flows of phones: written
 * here, repeated over UDP, matched to their answers, and told to the node by one
 * message for all of a batch. docs/decisions/0026-pinging.md.
 *
 * The branch of a question is a keyed hash of its place and of the phone's
 * address: nobody else can answer it, and nothing is kept of one but two bytes
 * of status and two of time. */
#include "sbc/edge_priv.h"
#include "sip/chr.h"
#include "sip/inner.h"

#include <errno.h>
#include <stdlib.h>

#define COOKIE EDGE_ASKED

enum {
	ASK_LINES = 2048,            /* of one message                       */
	ASK_OPEN = 1 << 18,          /* without an answer, of all            */
	ASK_WAIT = 30000,            /* [ms] the longest for answers         */
	T1 = 500, T2 = 4000,         /* [ms] RFC 3261 17.1.2.2               */
	BRANCH = 9 + 16 + 8 + 4,     /* COOKIE, hash, batch, line            */
	BAD = 1,                     /* no question, no verdict              */
};

struct ask_line {
	uint16_t code;               /* 0 = open                             */
	uint16_t ms;
};

struct ask {
	struct flow f;               /* the node's                           */
	struct blob *req;            /* its message                          */
	uint64_t sent, due;          /* [ms]                                 */
	uint64_t again;              /* [ms] next copies, UINT64_MAX = none  */
	uint32_t pause;              /* [ms] before them                     */
	uint32_t seq, n, open;
	uint32_t body, bodyn;        /* where its lines are in req           */
	struct ask_line v[];
};

int edge_ask_init(struct edge *e, uint32_t t1)
{
	static const char help[] = "Questions that nodes wanted asked";
	const struct {
		const char *label;
		const uint64_t *v;
	} row[] = {
		{ "result=\"answered\"", &e->ask.answered },
		{ "result=\"silent\"", &e->ask.silent },
		{ "result=\"dead\"", &e->ask.dead },
		{ "result=\"bad\"", &e->ask.bad },
		{ "result=\"full\"", &e->ask.full },
	};
	int err = stat_add(e->st, STAT_COUNTER, "sbc_ask_batches_total", NULL,
			   "Messages of nodes with contacts to be asked",
			   &e->ask.batches, e);

	if (!err)
		err = stat_add(e->st, STAT_COUNTER, "sbc_ask_repeated_total",
			       NULL, "Questions sent once more, over UDP",
			       &e->ask.repeated, e);
	if (!err)
		err = stat_add(e->st, STAT_GAUGE, "sbc_ask_open", NULL,
			       "Questions without an answer now",
			       &e->ask.open, e);
	for (size_t i = 0; i < sizeof(row) / sizeof(*row) && !err; i++)
		err = stat_add(e->st, STAT_COUNTER, "sbc_ask_total",
			       row[i].label, help, row[i].v, e);
	e->ask.due = UINT64_MAX;
	e->ask.t1 = t1 ? t1 : T1;
	return err;
}

static struct ask **place(struct edge *e, uint32_t seq)
{
	return &e->ask.ring[seq % EDGE_ASKS];
}

static void drop(struct edge *e, struct ask *a)
{
	e->ask.open -= a->open;
	*place(e, a->seq) = NULL;
	blob_unref(a->req);
	free(a);
}

void edge_ask_close(struct edge *e)
{
	for (uint32_t i = 0; i < EDGE_ASKS; i++)
		if (e->ask.ring[i])
			drop(e, e->ask.ring[i]);
}

/* --- the answer to the node --- */

static void put_results(struct buf *b, const struct ask *a)
{
	for (uint32_t i = 0; i < a->n; i++) {
		if (a->v[i].code == BAD)
			buf_lit(b, "bad ");
		else if (!a->v[i].code)
			buf_lit(b, "none ");
		else {
			buf_u64(b, a->v[i].code);
			buf_chr(b, ' ');
		}
		buf_u64(b, a->v[i].ms);
		buf_lit(b, "\r\n");
	}
}

/** All have answered, or their time is over */
static void finish(struct edge *e, struct ask *a)
{
	struct sip_fault fault = { 0 };
	struct blob *msg = NULL;
	char tag[8];
	struct buf t;

	buf_fixed(&t, tag, sizeof(tag));
	buf_hex(&t, &a->seq, sizeof(a->seq));
	buf_reset(&e->out_buf);
	put_results(&e->out_buf, a);
	buf_reset(&e->top);
	/* it was scanned when it came */
	if (!sip_scan(&e->msg2, a->req->p, a->req->n, false, &fault)) {
		reply_write_body(&e->top, &e->msg2, &a->f.peer, 200,
				 SL(EDGE_KEPT), buf_as_sl(&t), SL(INNER_ASK),
				 buf_as_sl(&e->out_buf));
		msg = e->top.err ? NULL :
			blobs_make(e->blobs, e->top.p, e->top.n);
	}
	if (msg)
		outq_send(&e->out, &a->f, msg);
	else
		e->led.oom++;
	e->ask.silent += a->open;
	drop(e, a);
}

/* --- questions --- */

static uint64_t hash_of(const struct edge *e, uint32_t seq, uint32_t line,
			const struct addr *to)
{
	uint8_t v[3 + 2 * sizeof(uint32_t) + sizeof(to->ip)] = "ask";
	uint8_t *p = v + 3;

	memcpy(p, &seq, sizeof(seq));
	memcpy(p + sizeof(seq), &line, sizeof(line));
	memcpy(p + 2 * sizeof(seq), to->ip, to->af == 6 ? 16 : 4);
	return secret_hash(e->branch_key, v, sizeof(v));
}

static char *put_hex(char *p, uint64_t v, int digits)
{
	for (int i = digits; i-- > 0; v >>= 4)
		p[i] = "0123456789abcdef"[v & 15];
	return p + digits;
}

/** The same bytes each time, so that a copy is one */
static struct blob *build(struct edge *e, const struct ask *a, uint32_t line,
			  struct sl from, struct sl uri, const struct flow *f)
{
	const struct listener *l = &e->lst[f->lst];
	char mem[BRANCH] = COOKIE, *p = mem + sizeof(COOKIE) - 1;
	const char *hash = p;
	struct buf *b = &e->top;

	p = put_hex(p, hash_of(e, a->seq, line, &f->peer), 16);
	put_hex(put_hex(p, a->seq, 8), line, 4);
	buf_reset(b);
	buf_lit(b, "OPTIONS ");
	buf_sl(b, uri);
	buf_lit(b, " SIP/2.0\r\n");
	hop_via_put(b, l->tp, l->sentby, sl_mk(mem, sizeof(mem)), false);
	buf_lit(b, "Max-Forwards: 70\r\nFrom: <");
	buf_sl(b, from);
	buf_lit(b, ">;tag=");
	buf_put(b, p, 12);
	buf_lit(b, "\r\nTo: <");
	buf_sl(b, uri);
	/* inner_is_ping() knows it by that */
	buf_lit(b, ">\r\nCall-ID: ");
	buf_put(b, hash, 16);
	buf_chr(b, '-');
	buf_put(b, p, 8);
	buf_lit(b, "\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n");
	return b->err ? NULL : blobs_make(e->blobs, b->p, b->n);
}

/** What a node says may be in no line but its own */
static bool is_uri(struct sl uri)
{
	const char *e = uri.p + uri.n;

	return uri.n > 0 && uri.n <= INNER_URI &&
		chr_span(uri.p, e, e, CHR_OPAQUE) == e;
}

static void close_line(struct ask *a, struct edge *e, uint32_t i,
		       uint16_t code, uint64_t ms)
{
	a->v[i].code = code;
	a->v[i].ms = (uint16_t)(ms < UINT16_MAX ? ms : UINT16_MAX);
	a->open--;
	e->ask.open--;
}

static void ask_one(struct edge *e, struct ask *a, uint32_t i,
		    const struct token_keys *keys, struct sl from,
		    struct sl token, struct sl uri)
{
	struct blob *msg;
	struct flow f;
	int err = token.n && is_uri(uri) ?
		route_path_flow(&e->rc, keys, token, &f) : EACCES;

	if (err == ESTALE || (!err && edge_flow_dead(e, &f))) {
		e->ask.dead++;
		close_line(a, e, i, 430, 0);
		return;
	}
	msg = err ? NULL : build(e, a, i, from, uri, &f);
	if (!msg) {
		e->ask.bad++;
		close_line(a, e, i, BAD, 0);
		return;
	}
	outq_send(&e->out, &f, msg);
}

/** Once more over UDP: one datagram that is lost is no phone that is gone */
static void repeat_one(struct edge *e, struct ask *a, uint32_t i,
		       const struct token_keys *keys, struct sl from,
		       struct sl token, struct sl uri)
{
	struct blob *msg;
	struct flow f;

	if (route_path_flow(&e->rc, keys, token, &f) || tp_stream(f.tp))
		return;
	msg = build(e, a, i, from, uri, &f);
	if (!msg)
		return;
	e->ask.repeated++;
	outq_send(&e->out, &f, msg);
}

/** Its first two lines; rest: those of contacts */
static bool read_head(struct sl *rest, struct sl *from, uint32_t *wait)
{
	struct sl a, b;

	if (!inner_line(rest, &a, &b) || !sl_eq(a, SL("wait")) ||
	    sl_u32(b, ASK_WAIT, wait) || !inner_line(rest, &a, &b) ||
	    !sl_eq(a, SL("from")) || !is_uri(b))
		return false;
	*from = b;
	return true;
}

static void ask_all(struct edge *e, struct ask *a, struct sl body, bool again)
{
	struct token_keys keys = e->keys;
	struct sl from, token, uri;
	uint32_t wait;

	keys.memo = NULL;         /* it is for tokens of calls */
	if (!read_head(&body, &from, &wait))
		return;
	for (uint32_t i = 0; i < a->n && inner_line(&body, &token, &uri); i++) {
		if (!again)
			ask_one(e, a, i, &keys, from, token, uri);
		else if (!a->v[i].code)
			repeat_one(e, a, i, &keys, from, token, uri);
	}
}

static uint32_t count_lines(struct edge *e, struct sl body)
{
	uint32_t n = 0, room = ASK_OPEN - e->ask.open;

	if (room > ASK_LINES)
		room = ASK_LINES;
	for (; body.n; n++)
		body = sl_sub(body, sl_chr(body, '\n') + 1, body.n);
	if (n > room)
		e->ask.full += n - room;
	return n < room ? n : room;
}

static void look_due(struct edge *e, const struct ask *a)
{
	uint64_t at = a->due < a->again ? a->due : a->again;

	if (at < e->ask.due)
		e->ask.due = at;
}

static void start(struct edge *e, const struct sip_msg *m,
		  const struct flow *f, struct sl rest, uint32_t wait)
{
	uint32_t n = count_lines(e, rest);
	/* the ring is full when its oldest is open */
	struct ask *a = *place(e, e->ask.seq + 1) ? NULL :
		calloc(1, sizeof(*a) + n * sizeof(a->v[0]));

	if (a)
		a->req = blob_make(m->raw.p, m->raw.n);
	if (!a || !a->req) {
		free(a);
		e->ask.full += n;
		edge_refuse(e, m, f, 503, SL_NONE, SL_NONE);
		return;
	}
	a->f = *f;
	a->body = (uint32_t)(m->body.p - m->raw.p);
	a->bodyn = (uint32_t)m->body.n;
	a->sent = e->now;
	a->due = e->now + wait;
	a->pause = e->ask.t1;
	a->again = e->now + a->pause;
	a->seq = ++e->ask.seq;
	a->n = a->open = n;
	e->ask.open += n;
	*place(e, a->seq) = a;
	ask_all(e, a, m->body, false);
	if (!a->open)
		finish(e, a);
	else
		look_due(e, a);
}

bool edge_ask(struct edge *e, const struct sip_msg *m, const struct flow *f)
{
	struct sl rest = m->body, from;
	uint32_t wait;

	if (!inner_is(m, SL(INNER_ASK)))
		return false;
	e->probe_answers++;
	e->ask.batches++;
	if (read_head(&rest, &from, &wait))
		start(e, m, f, rest, wait);
	else
		edge_refuse(e, m, f, 400, SL_NONE, SL_NONE);
	return true;
}

/* --- answers of phones --- */

/** @return false: its branch is none of ours */
static bool answered(struct edge *e, struct sl branch, uint16_t status,
		     const struct flow *f)
{
	const size_t at = sizeof(COOKIE) - 1;
	uint64_t hash, seq, line;
	struct ask *a;

	if (branch.n != BRANCH || !sl_starts(branch, SL(COOKIE)))
		return false;
	if (sl_hex_u64(sl_sub(branch, at, at + 16), &hash) ||
	    sl_hex_u64(sl_sub(branch, at + 16, at + 24), &seq) ||
	    sl_hex_u64(sl_sub(branch, at + 24, at + 28), &line))
		return false;
	a = *place(e, (uint32_t)seq);
	if (!a || a->seq != seq || line >= a->n ||
	    hash != hash_of(e, a->seq, (uint32_t)line, &f->peer))
		return false;
	e->probe_answers++;
	if (a->v[line].code || status < 200)
		return true;         /* a copy, or not final */
	e->ask.answered++;
	close_line(a, e, (uint32_t)line, status, e->now - a->sent);
	if (!a->open)
		finish(e, a);
	return true;
}

bool edge_ask_response(struct edge *e, const struct sip_msg *m,
		       const struct flow *f)
{
	struct via v;

	return e->ask.open && !via_top(m, &v) &&
		answered(e, v.branch, m->status, f);
}

/** The branch of a first header that is a Via; unset: not that plain */
static struct sl first_branch(struct sl msg)
{
	struct sl line = sl_sub(msg, sl_chr(msg, '\n') + 1, msg.n);
	size_t at;

	line = sl_sub(line, 0, sl_chr(line, '\n'));
	if (!sl_starts(line, SL("Via: SIP/2.0/")))
		return SL_NONE;
	while ((at = sl_chr(line, ';')) < line.n) {
		line = sl_sub(line, at + 1, line.n);
		if (!sl_starts(line, SL("branch=" COOKIE)))
			continue;
		/* a longer one is not found by its hash */
		return sl_sub(line, 7, 7 + BRANCH);
	}
	return SL_NONE;
}

/** Its status and its branch are all that counts of an answer, and the branch,
 *  which no one else knows, says that it is one: no need for the scanner. What
 *  is written in another way goes through it. */
bool edge_ask_early(struct edge *e, const struct flow *f, struct sl msg)
{
	uint32_t status;

	if (!e->ask.open || edge_is_core(e, f) ||
	    !sl_starts(msg, SL("SIP/2.0 ")) ||
	    sl_u32(sl_sub(msg, 8, 11), 699, &status) || status < 100)
		return false;
	return answered(e, first_branch(msg), (uint16_t)status, f);
}

/* --- time --- */

static void repeat(struct edge *e, struct ask *a)
{
	ask_all(e, a, sl_mk(a->req->p + a->body, a->bodyn), true);
	a->pause = 2 * a->pause < T2 ? 2 * a->pause : T2;
	a->again = e->now + a->pause;
}

void edge_ask_tick(struct edge *e, uint64_t now)
{
	if (now < e->ask.due)
		return;
	e->ask.due = UINT64_MAX;
	while (e->ask.first != e->ask.seq && !*place(e, e->ask.first + 1))
		e->ask.first++;
	for (uint32_t i = e->ask.first; i != e->ask.seq; i++) {
		struct ask *a = *place(e, i + 1);

		if (!a)
			continue;
		if (now >= a->due) {
			finish(e, a);
			continue;
		}
		if (now >= a->again)
			repeat(e, a);
		look_due(e, a);
	}
}
