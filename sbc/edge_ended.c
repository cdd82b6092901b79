/* edge_ended.c - Pure. A phone's connection has ended: a node is told, so that
 * it takes out the contact that is reached by it.
 *
 * Nothing is told of what ends with the edge, nor of a connection whose phone
 * has a newer one. */
#include "sbc/edge_priv.h"
#include "sip/inner.h"

enum { TELL_FINAL = 2000 };          /**< [ms] a node may take               */

int edge_ended_init(struct edge *e)
{
	const struct {
		enum stat_type type;
		const char *name, *labels, *help;
		const uint64_t *v;
	} row[] = {
		{ STAT_GAUGE, "sbc_ended_waiting", NULL,
		  "Connections of phones that ended, not told yet",
		  &e->ended.waiting },
		{ STAT_COUNTER, "sbc_ended_total", "result=\"told\"",
		  "Connections of registered phones that ended, by what a "
		  "node heard of it", &e->ended.told },
		{ STAT_COUNTER, "sbc_ended_total", "result=\"late\"", "",
		  &e->ended.late },
		{ STAT_COUNTER, "sbc_ended_total", "result=\"full\"", "",
		  &e->ended.full },
		{ STAT_COUNTER, "sbc_ended_batches_total", NULL,
		  "Messages to nodes that were made of them",
		  &e->ended.batches },
	};
	int err = 0;

	ended_init(&e->ended);
	for (size_t i = 0; i < sizeof(row) / sizeof(*row) && !err; i++)
		err = stat_add(e->st, row[i].type, row[i].name, row[i].labels,
			       row[i].help, row[i].v, e);
	return err;
}

/** Only ours understand it. In turn, so that no node hears all of it */
static bool next_node(struct edge *e, const struct ended_batch *b,
		      uint16_t *np)
{
	uint16_t n = disp_n(e->disp);

	for (uint16_t k = 1; k <= n; k++) {
		uint16_t i = (uint16_t)((e->ended_node + k) % n);

		if (!e->node[i].used || !e->node[i].ours ||
		    disp_set_has(&b->tried, i) || !disp_is_up(e->disp, i))
			continue;
		*np = e->ended_node = i;
		return true;
	}
	return false;
}

static bool any_ours(const struct edge *e)
{
	for (int i = 0; i < DISP_MAX; i++)
		if (e->node[i].used && e->node[i].ours)
			return true;
	return false;
}

struct ended_who {
	struct edge *e;
	const struct flow *f;
};

/** The token that stands in the Path of what he registered: the same flow and
 *  identity always give the same text */
static void tell_one(struct sl aor, uint64_t id, void *arg)
{
	const struct ended_who *x = arg;
	struct token t = { .kind = TOKEN_PATH, .flow = *x->f, .id = id };
	char mem[TOKEN_MAX];
	struct buf b;

	buf_fixed(&b, mem, sizeof(mem));
	token_put(&b, &x->e->keys, &t, SL_NONE);
	if (!b.err)
		ended_add(&x->e->ended, aor, buf_as_sl(&b), x->e->now);
}

void edge_ended_lost(struct edge *e, const struct flow *f)
{
	struct ended_who x = { e, f };

	if (!e->draining && any_ours(e))
		known_each(e->known, f, tell_one, &x);
}

static struct blob *build(struct edge *e, const struct tell *t,
			  const struct ended_batch *g)
{
	return edge_build_options(e, &e->node[t->node], ctxn_branch(t->ctxn),
				  SL(INNER_GONE), buf_as_sl(&g->body));
}

static bool tell(struct edge *e, struct ended_batch *g, uint16_t node,
		 uint64_t now)
{
	const struct ctxn_timers tm = { .final = TELL_FINAL };
	struct tell *t = eobj_alloc(e, EO_TELL);
	struct blob *msg;

	if (!t || ctxn_alloc(&t->ctxn, e->txnl, SIP_OPTIONS, t)) {
		eobj_free(t);
		return false;
	}
	t->batch = g;
	t->node = node;
	msg = build(e, t, g);
	if (!msg) {
		ctxn_drop(t->ctxn);
		eobj_free(t);
		return false;
	}
	ended_sent(g, node);
	ctxn_send(t->ctxn, &e->node[node].flow, msg, &tm, now);
	blob_unref(msg);
	return true;
}

void edge_ended_tick(struct edge *e, uint64_t now)
{
	size_t room = inner_room(e->lst[e->core].tp);
	struct ended_batch *g;
	uint16_t node;

	while ((g = ended_poll(&e->ended, room, now)))
		if (!next_node(e, g, &node) || !tell(e, g, node, now))
			ended_none(&e->ended, g, now);
}

void edge_ended_result(struct tell *t, uint16_t code, uint64_t now)
{
	if (t->done || (code && code < 200))
		return;
	t->done = true;
	ended_done(&t->o.e->ended, t->batch, code / 100 == 2, now);
}
