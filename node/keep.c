/* keep.c - Pure. Batches of flows for an edge to keep alive, or to ask. */
#include "node/keep.h"
#include "base/secret.h"
#include "node/proxy_i.h"
#include "sip/hop.h"
#include "sip/inner.h"
#include <stdio.h>
#include <stdlib.h>

enum { BRANCH = 9 + 16 + 8,  /* cookie, keyed hash of what follows, number */
       HEAD_MAX = 4096,
       ASK_LOST = 1000,      /* [ms] more than the edge waits for phones   */
       HOURS = 3600000 };    /* [ms] no phone answers that late            */

struct keep_line {
	uint64_t hash;
	struct stamp vstamp;
	uint32_t token, names;               /* offsets in body and in names */
	uint32_t uri;                        /* in body, questions           */
	uint16_t urin;
	uint16_t tokenn, aorn, keyn;
	bool stun;
};

struct keep_batch {
	struct keep_batch *next;
	struct flow hop;
	uint64_t since, sent;                /* [ms]                         */
	uint32_t seq, n, cap;
	struct buf body, names;
	struct keep_line *v;
};

void keep_init(struct keep *k)
{
	k->last = &k->first;
}

static void batch_free(struct keep *k, struct keep_batch *b)
{
	if (!b)
		return;
	k->lines -= b->n;
	buf_free(&b->body);
	buf_free(&b->names);
	free(b->v);
	free(b);
}

/* The oldest one that was sent */
static struct keep_batch *shift(struct keep *k)
{
	struct keep_batch *b = k->first;

	k->first = b->next;
	if (!k->first)
		k->last = &k->first;
	return b;
}

void keep_close(struct keep *k)
{
	for (uint32_t i = 0; i < k->fills; i++)
		batch_free(k, k->fill[i]);
	k->fills = 0;
	while (k->first)
		batch_free(k, shift(k));
}

static int ask_stats(struct keep *k, struct stats *st)
{
	const struct stat_row row[] = {
		{ STAT_COUNTER, "node_ask_sent_total",
		  "Contacts that edges were told to ask", &k->sent },
		{ STAT_COUNTER, "node_ask_batches_total",
		  "Messages they went in", &k->batches },
		{ STAT_COUNTER, "node_ask_left_total",
		  "Contacts that an edge did not ask, so that we did",
		  &k->dead },
		{ STAT_COUNTER, "node_ask_refused_total",
		  "Such messages that an edge did not take", &k->refused },
		{ STAT_COUNTER, "node_ask_lost_total",
		  "Such messages without an answer", &k->lost },
		{ STAT_COUNTER, "node_ask_full_total",
		  "Contacts not asked: too many have no answer, or no memory",
		  &k->full },
		{ STAT_GAUGE, "node_ask_open",
		  "Contacts that edges ask, of which we have heard nothing yet",
		  &k->lines },
	};
	return stat_rows(st, row, NULL, k);
}

int keep_stats(struct keep *k, struct stats *st)
{
	const struct stat_row row[] = {
		{ STAT_COUNTER, "node_keep_sent_total",
		  "Contacts named to edges to be kept alive", &k->sent },
		{ STAT_COUNTER, "node_keep_batches_total",
		  "Messages they went in", &k->batches },
		{ STAT_COUNTER, "node_keep_dead_total",
		  "Contacts whose flow has ended, as edges said", &k->dead },
		{ STAT_COUNTER, "node_keep_refused_total",
		  "Such messages that an edge did not take", &k->refused },
		{ STAT_COUNTER, "node_keep_lost_total",
		  "Such messages without an answer", &k->lost },
		{ STAT_COUNTER, "node_keep_full_total",
		  "Contacts not kept alive: too many have no answer, or no "
		  "memory", &k->full },
	};

	return k->asks ? ask_stats(k, st) : stat_rows(st, row, NULL, k);
}

/* --- out ------------------------------------------------------------------- */

static const char *cookie(const struct keep *k)
{
	return k->asks ? SIP_COOKIE "pa" : SIP_COOKIE "pk";
}

static const char *type(const struct keep *k)
{
	return k->asks ? INNER_ASK : INNER_KEEP;
}

static void put_branch(const struct keep *k, uint32_t seq, char txt[64])
{
	uint64_t h = secret_hash(k->key, &seq, sizeof(seq));

	(void)snprintf(txt, 64, "%s%016llx%08x", cookie(k),
		       (unsigned long long)h, seq);
}

/* What the edge has to know before the first contact */
static void put_head(const struct keep *k, struct buf *m)
{
	if (k->asks)
		buf_printf(m, "wait %u\r\nfrom %s\r\n", k->wait, k->from);
}

static struct blob *write_it(const struct keep *k, const struct keep_batch *b)
{
	char branch[64], to[ADDR_TXT];
	char mem[512];
	struct blob *msg;
	struct buf m, head;

	put_branch(k, b->seq, branch);
	(void)addr_txt(&b->hop.peer, to);
	buf_fixed(&head, mem, sizeof(mem));
	put_head(k, &head);
	buf_init(&m, b->body.n + HEAD_MAX);
	buf_printf(&m, "OPTIONS sip:%s;transport=%s SIP/2.0\r\n", to,
		   tp_param(b->hop.tp));
	hop_via_put(&m, b->hop.tp, k->proxy->sentby, sl_cstr(branch),
		    tp_stream(b->hop.tp));
	buf_printf(&m, "Max-Forwards: 70\r\nFrom: <%s>;tag=%08x\r\n"
		   "To: <sip:%s>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\n"
		   "Content-Type: %s\r\nContent-Length: %zu\r\n"
		   "\r\n", k->from, b->seq, to, branch, type(k),
		   head.n + b->body.n);
	buf_sl(&m, buf_as_sl(&head));
	buf_sl(&m, buf_as_sl(&b->body));
	msg = m.err || head.err ? NULL : blob_make(m.p, m.n);
	buf_free(&m);
	return msg;
}

/* The i-th of those being filled goes out */
static void send_it(struct keep *k, uint32_t i, uint64_t now)
{
	struct keep_batch *b = k->fill[i];
	struct blob *msg;

	k->fill[i] = k->fill[--k->fills];
	b->seq = ++k->seq;
	b->sent = now;
	msg = write_it(k, b);
	if (!msg) {
		k->full += b->n;
		batch_free(k, b);
		return;
	}
	k->sent += b->n;
	k->batches++;
	b->next = NULL;
	*k->last = b;
	k->last = &b->next;
	outq_send(k->proxy->out, &b->hop, msg);
}

static struct keep_batch *batch_new(struct keep *k, const struct flow *hop,
				    uint64_t now)
{
	struct keep_batch *b;

	if (k->fills == KEEP_EDGES)
		send_it(k, 0, now);
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->hop = *hop;
	b->since = now;
	buf_init(&b->body, inner_room(hop->tp));
	buf_init(&b->names, KEEP_BATCH * 2048u);
	k->fill[k->fills++] = b;
	return b;
}

static struct keep_batch *batch_for(struct keep *k, const struct flow *hop,
				    size_t need, uint64_t now)
{
	for (uint32_t i = 0; i < k->fills; i++) {
		struct keep_batch *b = k->fill[i];

		if (!flow_eq(&b->hop, hop))
			continue;
		if (b->n < KEEP_BATCH && b->body.n + need <= b->body.max)
			return b;
		send_it(k, i, now);
		break;
	}
	return batch_new(k, hop, now);
}

static bool grow(struct keep_batch *b)
{
	uint32_t cap = b->cap ? 2 * b->cap : 16;
	struct keep_line *v;

	if (b->n < b->cap)
		return true;
	v = realloc(b->v, cap * sizeof(*v));
	if (!v)
		return false;
	b->v = v;
	b->cap = cap;
	return true;
}

static bool put_line(struct keep_batch *b, const struct keep_one *o, bool ask)
{
	size_t body = b->body.n, names = b->names.n;

	if (!grow(b))
		return false;
	if (!ask)
		buf_str(&b->body, o->stun ? "stun " : "crlf ");
	b->v[b->n] = (struct keep_line){
		.hash = o->hash, .vstamp = o->vstamp, .stun = o->stun,
		.token = (uint32_t)b->body.n, .names = (uint32_t)names,
		.tokenn = (uint16_t)o->token.n, .aorn = (uint16_t)o->aor.n,
		.keyn = (uint16_t)o->key.n,
	};
	buf_sl(&b->body, o->token);
	if (ask) {
		buf_chr(&b->body, ' ');
		b->v[b->n].uri = (uint32_t)b->body.n;
		b->v[b->n].urin = (uint16_t)o->uri.n;
		buf_sl(&b->body, o->uri);
	}
	buf_lit(&b->body, "\r\n");
	buf_sl(&b->names, o->aor);
	buf_sl(&b->names, o->key);
	if (b->body.err || b->names.err) {
		b->body.n = body;
		b->names.n = names;
		b->body.err = b->names.err = 0;
		return false;
	}
	b->n++;
	return true;
}

void keep_add(struct keep *k, const struct flow *hop,
	      const struct keep_one *one, uint64_t now)
{
	size_t need = one->token.n + 2 + (k->asks ? 1 + one->uri.n : 5);
	struct keep_batch *b = NULL;

	if (k->lines < KEEP_LINES && need <= inner_room(hop->tp))
		b = batch_for(k, hop, need, now);
	if (!b || !put_line(b, one, k->asks)) {
		k->full++;
		return;
	}
	k->lines++;
}

/* --- the answer ------------------------------------------------------------- */

/* The number at the end of a branch; anything when it is not ours */
static uint32_t seq_of(struct sl branch)
{
	uint64_t seq = 0;

	(void)sl_hex_u64(sl_sub(branch, branch.n - 8, branch.n), &seq);
	return (uint32_t)seq;
}

static struct keep_batch *take(struct keep *k, struct sl branch)
{
	struct keep_batch **pp = &k->first, *b;
	uint32_t seq = seq_of(branch);
	char txt[64];

	put_branch(k, seq, txt);
	if (!sl_eq(branch, sl_cstr(txt)))
		return NULL;
	for (; (b = *pp); pp = &b->next) {
		if (b->seq != seq)
			continue;
		*pp = b->next;
		if (!b->next)
			k->last = pp;
		return b;
	}
	return NULL;
}

static void hear(const struct keep_batch *b, const struct keep_line *l,
		 struct keep_said *said, keep_h *h, void *arg)
{
	const uint8_t *names = b->names.p + l->names;
	struct keep_one o = {
		.token = sl_mk(b->body.p + l->token, l->tokenn),
		.uri = sl_mk(b->body.p + l->uri, l->urin),
		.aor = sl_mk(names, l->aorn),
		.key = sl_mk(names + l->aorn, l->keyn),
		.vstamp = l->vstamp, .hash = l->hash, .stun = l->stun,
	};

	said->sent = b->sent;
	h(&o, &b->hop, said, arg);
}

static void hear_all(struct keep_batch *b, enum keep_fate fate, keep_h *h,
		     void *arg)
{
	struct keep_said said = { .fate = fate };

	for (uint32_t i = 0; i < b->n; i++)
		hear(b, &b->v[i], &said, h, arg);
}

/* The dead ones are named in the order in which they were asked for */
static void tell(struct keep *k, const struct keep_batch *b, struct sl body,
		 keep_h *h, void *arg)
{
	struct sl what = SL_NONE, token = SL_NONE;
	bool more = inner_line(&body, &what, &token);

	for (uint32_t i = 0; i < b->n; i++) {
		const struct keep_line *l = &b->v[i];
		struct keep_said said = { .fate = KEEP_FINE };

		if (more && sl_eq(what, SL("dead")) &&
		    sl_eq(token, sl_mk(b->body.p + l->token, l->tokenn))) {
			said.fate = KEEP_DEAD;
			k->dead++;
			more = inner_line(&body, &what, &token);
		}
		hear(b, l, &said, h, arg);
	}
}

/* Of questions: one line for each. Those that are missing say that it was not
 * asked, as what cannot be read does */
static void tell_asked(struct keep *k, const struct keep_batch *b,
		       struct sl body, keep_h *h, void *arg)
{
	struct sl what, ms;
	uint32_t code;

	for (uint32_t i = 0; i < b->n; i++) {
		struct keep_said said = { .fate = KEEP_LEFT };

		if (inner_line(&body, &what, &ms) && what.n &&
		    !sl_u32(ms, HOURS, &said.ms)) {
			if (sl_eq(what, SL("none")))
				said.fate = KEEP_SILENT;
			else if (what.n == 3 && !sl_u32(what, 699, &code) &&
				 code >= 200)
				said.fate = KEEP_ANSWERED;
			if (said.fate == KEEP_ANSWERED)
				said.code = (uint16_t)code;
		}
		k->dead += said.fate == KEEP_LEFT;
		hear(b, &b->v[i], &said, h, arg);
	}
}

/* 503: the edge is full; who asked for them another way would make it worse */
static void refused(struct keep *k, struct keep_batch *b, uint16_t code,
		    keep_h *h, void *arg)
{
	k->refused++;
	if (!k->asks)
		return;
	k->dead += code == 503 ? 0 : b->n;
	hear_all(b, code == 503 ? KEEP_FINE : KEEP_REFUSED, h, arg);
}

bool keep_response(struct keep *k, const struct sip_msg *m, keep_h *h,
		   void *arg)
{
	struct keep_batch *b;
	struct via v;

	if (via_top(m, &v) || v.branch.n != BRANCH ||
	    !sl_starts(v.branch, sl_cstr(cookie(k))))
		return false;
	b = m->status < 200 ? NULL : take(k, v.branch);
	if (!b)
		return true;         /* late, or not final */
	if (m->status != 200 || !sl_ieq(sip_first(m, SIP_CONTENT_TYPE),
					sl_cstr(type(k))))
		refused(k, b, m->status, h, arg);
	else if (k->asks)
		tell_asked(k, b, m->body, h, arg);
	else
		tell(k, b, m->body, h, arg);
	batch_free(k, b);
	return true;
}

static uint32_t lost_after(const struct keep *k)
{
	return k->asks ? k->wait + ASK_LOST : KEEP_LOST;
}

uint64_t keep_due(const struct keep *k)
{
	uint64_t due = k->first ? k->first->sent + lost_after(k) : UINT64_MAX;

	for (uint32_t i = 0; i < k->fills; i++)
		if (k->fill[i]->since + KEEP_WAIT < due)
			due = k->fill[i]->since + KEEP_WAIT;
	return due;
}

void keep_tick(struct keep *k, uint64_t now, keep_h *h, void *arg)
{
	uint32_t lost = lost_after(k);

	for (uint32_t i = k->fills; i-- > 0;)
		if (now >= k->fill[i]->since + KEEP_WAIT)
			send_it(k, i, now);
	while (k->first && now >= k->first->sent + lost) {
		struct keep_batch *b = shift(k);

		k->lost++;
		if (k->asks)
			hear_all(b, KEEP_NO_WORD, h, arg);
		batch_free(k, b);
	}
}
