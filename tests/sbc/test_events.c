/* The ring of events, and what the edge enters there. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "sbc/ledger.h"
#include "world.h"

/* --- the ring --- */

static struct events ev;

static void ring_init(void)
{
	cr_assert_eq(events_init(&ev, 8), 0);
}

static void ring_fini(void)
{
	events_free(&ev);
}
TestSuite(events, .init = ring_init, .fini = ring_fini);

static void add(unsigned n)
{
	while (n--)
		(void)events_add(&ev, EVENT_GATE, EVENT_INFO, 1000);
}

/** Ids from `since` on, as a reader gets them */
static unsigned read_all(uint64_t since, uint64_t *first)
{
	const struct event *e;
	unsigned n = 0;

	*first = 0;
	while ((e = events_after(&ev, since))) {
		*first = *first ? *first : e->id;
		cr_expect(!n || e->id == since + 1);
		since = e->id;
		n++;
	}
	return n;
}

Test(events, reader_gets_each_once_in_order)
{
	uint64_t first;

	cr_expect_eq(read_all(0, &first), 0);
	add(5);
	cr_expect_eq(read_all(0, &first), 5);
	cr_expect_eq(first, 1);
	cr_expect_eq(read_all(3, &first), 2);
	cr_expect_eq(first, 4);
	cr_expect_eq(read_all(5, &first), 0);
	cr_expect_eq(events_dropped(&ev, 0), 0);
}

Test(events, what_had_to_make_room_is_told)
{
	uint64_t first;

	add(20);
	cr_expect_eq(read_all(0, &first), 8);
	cr_expect_eq(first, 13);
	cr_expect_eq(events_dropped(&ev, 0), 12);
	cr_expect_eq(events_dropped(&ev, 10), 2);
	cr_expect_eq(read_all(10, &first), 8);
	cr_expect_eq(events_dropped(&ev, 15), 0);
	cr_expect_eq(read_all(15, &first), 5);
	cr_expect_eq(ev.count[EVENT_GATE], 20);
}

Test(events, reader_of_an_earlier_process_begins_anew)
{
	uint64_t first;

	add(3);
	cr_expect_eq(read_all(1000, &first), 3);
	cr_expect_eq(events_dropped(&ev, 1000), 0);
	cr_expect_eq(read_all(UINT64_MAX, &first), 3);
}

Test(events, texts_are_cut_and_whole)
{
	struct event *e = events_add(&ev, EVENT_ADMIN, EVENT_INFO, 7);
	char big[500];

	memset(big, 'x', sizeof(big));
	event_set(e->who, sl_mk(big, sizeof(big)));
	cr_expect_eq(strlen(e->who), sizeof(e->who) - 1);
	event_set(e->who, SL("me"));
	cr_expect_str_eq(e->who, "me");
	event_set(e->who, SL_NONE);
	cr_expect_str_eq(e->who, "");
	cr_expect_eq(e->wall, 7);
}

/* --- what the edge enters --- */

static struct world *w;
static struct vphone *a, *b;
static uint64_t from;

static void begin(void)
{
	w = world_new(1, NULL);
	a = world_phone(w, "alice", SIM_DATAGRAM);
	b = world_phone(w, "bob", SIM_DATAGRAM);
	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 50);
	from = edge_ledger(w->edge)->ev.last;
	edge_ledger(w->edge)->wall = 1000000;
	b->answer = 3000;
}

static void end(void)
{
	world_run(w, 70000);
	world_free(w);
}
TestSuite(ledger, .init = begin, .fini = end);

/** The n-th event of a kind since the begin of the test, or NULL */
static const struct event *find(enum event_kind kind, unsigned n)
{
	const struct events *all = &edge_ledger(w->edge)->ev;
	const struct event *e = events_after(all, from);

	for (; e; e = events_after(all, e->id))
		if (e->kind == kind && !n--)
			return e;
	return NULL;
}

static void expect(const struct event *e, const char *callid,
		   const char *node, const char *why)
{
	cr_assert_neq(e, NULL);
	cr_expect_str_eq(e->callid, callid);
	cr_expect_str_eq(e->from, "alice@example.com");
	cr_expect_str_eq(e->to, "bob@example.com");
	cr_expect_str_eq(e->method, "INVITE");
	cr_expect_str_eq(e->node, node);
	cr_expect_str_eq(e->reason, why);
}

static const char *name(const struct vnode *n)
{
	static char txt[8];

	(void)snprintf(txt, sizeof(txt), "n%u", n->idx + 1);
	return txt;
}

Test(ledger, moved_and_saved)
{
	struct vnode *n = world_node_of(w, "bob");
	const struct event *e;
	struct vreq *r;

	n->mode = V_MUTE;
	r = phone_invite(a, "bob");
	world_run(w, 5000);
	cr_assert_eq(r->final, 200);
	e = find(EVENT_MOVED, 0);
	expect(e, r->callid, name(n), "silent");
	cr_expect_neq(e->to_node[0], '\0');
	cr_expect_str_neq(e->to_node, e->node);
	cr_expect_eq(e->attempts, 2);
	cr_expect(e->age >= 250 && e->age < 300, "%llu",
		  (unsigned long long)e->age);
	cr_expect(e->wall >= 1000000 + r->sent + 250 &&
		  e->wall < 1000000 + r->sent + 300);
	cr_expect_eq(find(EVENT_MOVED, 1), NULL);
	expect(find(EVENT_SAVED, 0), r->callid, e->to_node, "");
	cr_expect_eq(find(EVENT_LOST, 0), NULL);
}

Test(ledger, adopted_rescued_and_the_node_that_did_it)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r = phone_invite(a, "bob");

	world_run(w, 500);
	node_kill(n);
	world_run(w, 5000);
	cr_assert_eq(r->final, 200);
	expect(find(EVENT_ADOPTED, 0), r->callid, name(n), "reset");
	expect(find(EVENT_RESCUED, 0), r->callid, name(n), "");
	cr_expect_eq(find(EVENT_RESCUED, 1), NULL);
	cr_assert_neq(find(EVENT_NODE, 0), NULL);
	cr_expect_str_eq(find(EVENT_NODE, 0)->node, name(n));
	cr_expect_eq(find(EVENT_NODE, 0)->severity, EVENT_ERROR);
	cr_expect_neq(strstr(find(EVENT_NODE, 0)->reason, "to DOWN"), NULL);
	cr_expect_str_eq(find(EVENT_NODE, 0)->callid, "");
}

Test(ledger, lost_when_no_node_answers)
{
	struct vreq *r;

	for (int i = 0; i < W_NODES; i++)
		w->node[i].mode = V_MUTE;
	r = phone_invite(a, "bob");
	world_run(w, 11000);
	cr_expect_eq(r->final, 408);
	cr_assert_neq(find(EVENT_LOST, 0), NULL);
	expect(find(EVENT_LOST, 0), r->callid, find(EVENT_LOST, 0)->node,
	       "silent");
	cr_expect_eq(find(EVENT_LOST, 0)->severity, EVENT_ERROR);
	cr_expect_geq(find(EVENT_LOST, 0)->attempts, 3);
	cr_expect_eq(find(EVENT_LOST, 1), NULL);
}

Test(ledger, late_branch_of_a_node_that_wakes_up)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	sim_freeze(w->net, &n->host);
	r = phone_invite(a, "bob");
	world_run(w, 1000);
	sim_thaw(w->net, &n->host);
	world_run(w, 5000);
	cr_assert_eq(r->final, 200);
	cr_assert_neq(find(EVENT_GATE, 0), NULL);
	cr_expect_str_eq(find(EVENT_GATE, 0)->callid, r->callid);
}

Test(ledger, admin_and_records)
{
	struct ledger *l = edge_ledger(w->edge);

	ledger_admin(l, SL("drain"), SL("n1"), SL("ops"), SL("upgrade"), 5);
	cr_expect_str_eq(find(EVENT_ADMIN, 0)->who, "ops");
	cr_expect_str_eq(find(EVENT_ADMIN, 0)->node, "n1");
	cr_expect_str_eq(find(EVENT_ADMIN, 0)->reason, "upgrade");
	cr_expect_eq(find(EVENT_ADMIN, 0)->wall, 1000005);
	ledger_records(l, "No space left on device", 6);
	ledger_records(l, NULL, 7);
	cr_expect_eq(find(EVENT_RECORDS, 0)->severity, EVENT_ERROR);
	cr_expect_eq(find(EVENT_RECORDS, 1)->severity, EVENT_INFO);
}
