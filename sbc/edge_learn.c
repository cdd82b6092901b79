/* edge_learn.c - Pure. Nodes that other nodes name join the pool, and leave it
 * when no one names them any more. docs/decisions/0017-learned-nodes.md */
#include <errno.h>

#include "sbc/edge_priv.h"
#include "sbc/learn.h"

#define LOOK 1000            /* [ms] between looks at who has left          */
#define WEIGHT 100           /* of a learned node                           */

int edge_learn_init(struct edge *e, uint64_t now)
{
	struct edge_learn *l = &e->learn;
	const struct stat_row v[] = {
		{ STAT_COUNTER, "pool_learned_total",
		  "Nodes added that another node named.", &l->learned },
		{ STAT_COUNTER, "pool_forgotten_total",
		  "Of these, removed: nobody named them any more.",
		  &l->forgotten },
		{ STAT_COUNTER, "pool_learn_refused_total",
		  "Names of nodes not taken: bad, in conflict, or no room.",
		  &l->refused },
	};

	l->due = now + LOOK;
	return stat_rows(e->st, v, NULL, e);
}

static void refuse(struct edge *e, uint16_t from, const char *name,
		   const char *why)
{
	e->learn.refused++;
	if (log_allow(&e->learn.lim, 1, e->now))
		log_warn("event=learn_refused node=%s from=%s why=\"%s\"",
			 log_esc(sl_cstr(name)), e->node[from].name, why);
}

/** Is it an address that a node can have, seen from here? */
static const char *wrong_addr(const struct edge *e, const struct addr *a)
{
	const struct addr *core = &e->lst[e->core].bound;

	if (a->af != core->af)
		return "another family than core.address";
	if (addr_is_loopback(a) && !addr_is_loopback(core))
		return "its own loopback";
	for (uint16_t i = 0; i < e->lstc; i++)
		if (addr_eq(a, &e->lst[i].bound))
			return "an address of ours";
	return NULL;
}

static void learn(struct edge *e, uint16_t from, const struct learn_member *m)
{
	struct disp_node_conf nc = {
		.addr = m->addr, .weight = WEIGHT, .learned = true,
		/* nodes serve both; ours are reached as the settings say */
		.tp = e->lst[e->core].tp,
	};
	const char *why = wrong_addr(e, &m->addr);
	char txt[ADDR_TXT];
	int err;

	if (why) {
		refuse(e, from, m->name, why);
		return;
	}
	memcpy(nc.name, m->name, sizeof(nc.name));
	err = edge_node_add(e, &nc, e->now);
	if (err) {
		refuse(e, from, m->name, err == EEXIST ?
		       "its address has another name" : err == ENOSPC ?
		       "the pool is full" : strerror(err));
		return;
	}
	e->learn.learned++;
	e->pool_seq++;
	edge_inside_init(e);
	log_info("event=learned node=%s address=%s from=%s", m->name,
		 addr_txt(&m->addr, txt), e->node[from].name);
	ledger_admin(&e->led, SL("learned"), sl_cstr(m->name),
		     sl_cstr(e->node[from].name), sl_cstr(txt), e->now);
}

static void named(struct edge *e, uint16_t from, const struct learn_member *m)
{
	uint16_t idx;

	if (disp_by_name(e->disp, sl_cstr(m->name), &idx)) {
		learn(e, from, m);
		return;
	}
	/* it has moved: the old one is forgotten first */
	if (!addr_eq(&e->node[idx].flow.peer, &m->addr)) {
		if (idx != from)
			refuse(e, from, m->name, "it has another address");
		return;
	}
	e->node[idx].named = e->now;
	e->node[idx].listed = true;
}

void edge_learn(struct edge *e, uint16_t from, struct sl header, uint64_t now)
{
	struct sl list = learn_members(header);
	struct learn_member m;

	e->now = now;
	/* a number: how many there are, of an older node */
	if (!e->tune.learn || !disp_is_up(e->disp, from) ||
	    sl_chr(list, '@') == list.n)
		return;
	for (int i = 0; i < LEARN_MAX; i++) {
		int err = learn_next(&list, &m);

		if (err == ENOENT)
			return;
		if (err)
			refuse(e, from, m.name, "no NAME@IP:PORT/TRANSPORT");
		else
			named(e, from, &m);
	}
}

/** Nobody names it: it gets no more requests, and goes when it has none. One
 *  that an operator took out is not gone, he will bring it back. */
static void look(struct edge *e, uint16_t i, uint64_t now)
{
	struct disp_view v;
	bool gone = now >= e->node[i].named + EDGE_NAMED;

	if (disp_view(e->disp, i, &v) || !v.learned ||
	    v.wish.admin != DISP_READY)
		return;
	if (gone != v.leaving) {
		(void)disp_set_leaving(e->disp, i, gone, now);
		log_info("event=%s node=%s", gone ? "leaving" : "staying",
			 v.name);
	}
	if (!gone || v.inflight)
		return;
	e->learn.forgotten++;
	e->pool_seq++;
	log_info("event=forgotten node=%s", v.name);
	ledger_admin(&e->led, SL("forgotten"), sl_cstr(v.name), SL("edge"),
		     SL("no node names it"), now);
	edge_node_del(e, i, now);
	edge_inside_init(e);
}

void edge_learn_tick(struct edge *e, uint64_t now)
{
	bool up = false;

	if (now < e->learn.due)
		return;
	e->learn.due = now + LOOK;
	for (uint16_t i = 0; i < disp_n(e->disp); i++)
		up = up || disp_is_up(e->disp, i);
	for (uint16_t i = 0; i < DISP_MAX; i++) {
		if (!e->node[i].used)
			continue;
		/* nobody is there who could name it */
		if (!up || disp_frozen(e->disp))
			e->node[i].named = now;
		else
			look(e, i, now);
	}
}
