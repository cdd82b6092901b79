/* keep.c - Pure. Batches of flows for an edge to keep alive. */
#include "node/keep.h"
#include "base/secret.h"
#include "node/proxy_i.h"
#include "sip/hop.h"
#include "sip/inner.h"
#include <stdio.h>
#include <stdlib.h>

#define COOKIE SIP_COOKIE "pk"

enum { BRANCH = 9 + 16 + 8,  /* COOKIE, keyed hash of what follows, number */
       HEAD_MAX = 4096 };

struct keep_line {
	uint64_t hash;
	struct stamp vstamp;
	uint32_t token, names;               /* offsets in body and in names */
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

int keep_stats(struct keep *k, struct stats *st)
{
	const struct {
		const char *name, *help;
		const uint64_t *v;
	} row[] = {
		{ "node_keep_sent_total",
		  "Contacts named to edges to be kept alive", &k->sent },
		{ "node_keep_batches_total", "Messages they went in",
		  &k->batches },
		{ "node_keep_dead_total",
		  "Contacts whose flow has ended, as edges said", &k->dead },
		{ "node_keep_refused_total",
		  "Such messages that an edge did not take", &k->refused },
		{ "node_keep_lost_total", "Such messages without an answer",
		  &k->lost },
		{ "node_keep_full_total",
		  "Contacts not kept alive: too many have no answer, or no "
		  "memory", &k->full },
	};
	int err = 0;

	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		err |= stat_add(st, STAT_COUNTER, row[i].name, NULL,
				row[i].help, row[i].v, k);
	return err;
}

/* --- out ------------------------------------------------------------------- */

static void put_branch(const struct keep *k, uint32_t seq, char txt[64])
{
	uint64_t h = secret_hash(k->key, &seq, sizeof(seq));

	(void)snprintf(txt, 64, COOKIE "%016llx%08x", (unsigned long long)h,
		       seq);
}

static struct blob *write_it(const struct keep *k, const struct keep_batch *b)
{
	char branch[64], to[ADDR_TXT];
	struct blob *msg;
	struct buf m;

	put_branch(k, b->seq, branch);
	(void)addr_txt(&b->hop.peer, to);
	buf_init(&m, b->body.n + HEAD_MAX);
	buf_printf(&m, "OPTIONS sip:%s;transport=%s SIP/2.0\r\n", to,
		   tp_param(b->hop.tp));
	hop_via_put(&m, b->hop.tp, k->proxy->sentby, sl_cstr(branch),
		    tp_stream(b->hop.tp));
	buf_printf(&m, "Max-Forwards: 70\r\nFrom: <%s>;tag=%08x\r\n"
		   "To: <sip:%s>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\n"
		   "Content-Type: " INNER_KEEP "\r\nContent-Length: %zu\r\n"
		   "\r\n", k->from, b->seq, to, branch, b->body.n);
	buf_sl(&m, buf_as_sl(&b->body));
	msg = m.err ? NULL : blob_make(m.p, m.n);
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

static bool put_line(struct keep_batch *b, const struct keep_one *o)
{
	size_t body = b->body.n, names = b->names.n;

	if (!grow(b))
		return false;
	buf_str(&b->body, o->stun ? "stun " : "crlf ");
	b->v[b->n] = (struct keep_line){
		.hash = o->hash, .vstamp = o->vstamp, .stun = o->stun,
		.token = (uint32_t)b->body.n, .names = (uint32_t)names,
		.tokenn = (uint16_t)o->token.n, .aorn = (uint16_t)o->aor.n,
		.keyn = (uint16_t)o->key.n,
	};
	buf_sl(&b->body, o->token);
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
	size_t need = 5 + one->token.n + 2;
	struct keep_batch *b = NULL;

	if (k->lines < KEEP_LINES && need <= inner_room(hop->tp))
		b = batch_for(k, hop, need, now);
	if (!b || !put_line(b, one)) {
		k->full++;
		return;
	}
	k->lines++;
}

void keep_tick(struct keep *k, uint64_t now)
{
	for (uint32_t i = k->fills; i-- > 0;)
		if (now >= k->fill[i]->since + KEEP_WAIT)
			send_it(k, i, now);
	while (k->first && now >= k->first->sent + KEEP_LOST) {
		k->lost++;
		batch_free(k, shift(k));
	}
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

/* The dead ones are named in the order in which they were asked for */
static void tell(struct keep *k, const struct keep_batch *b, struct sl body,
		 keep_h *h, void *arg)
{
	struct sl what = SL_NONE, token = SL_NONE;
	bool more = inner_line(&body, &what, &token);

	for (uint32_t i = 0; i < b->n; i++) {
		const struct keep_line *l = &b->v[i];
		const uint8_t *names = b->names.p + l->names;
		struct keep_one o = {
			.token = sl_mk(b->body.p + l->token, l->tokenn),
			.aor = sl_mk(names, l->aorn),
			.key = sl_mk(names + l->aorn, l->keyn),
			.vstamp = l->vstamp, .hash = l->hash, .stun = l->stun,
		};
		bool dead = more && sl_eq(what, SL("dead")) &&
			sl_eq(token, o.token);

		k->dead += dead;
		h(&o, &b->hop, dead, b->sent, arg);
		if (dead)
			more = inner_line(&body, &what, &token);
	}
}

bool keep_response(struct keep *k, const struct sip_msg *m, keep_h *h,
		   void *arg)
{
	struct keep_batch *b;
	struct via v;

	if (via_top(m, &v) || v.branch.n != BRANCH ||
	    !sl_starts(v.branch, SL(COOKIE)))
		return false;
	b = m->status < 200 ? NULL : take(k, v.branch);
	if (!b)
		return true;         /* late, or not final */
	if (m->status == 200 && sl_ieq(sip_first(m, SIP_CONTENT_TYPE),
				       SL(INNER_KEEP)))
		tell(k, b, m->body, h, arg);
	else
		k->refused++;
	batch_free(k, b);
	return true;
}
