/* No memory, at each place where the edge asks for some: nothing crashes, leaks or
 * stays open, and the next call is set up. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "sbc/peers.h"
#include "world.h"

static unsigned long asked, fail_at;   /* 0 = never fails                   */
static bool fail_on;                   /* and all after it                  */
static unsigned long used;             /* in the part where it may fail     */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void)
{
	if (!world_in_edge)
		return false;
	asked++;
	return fail_at && (asked == fail_at || (fail_on && asked > fail_at));
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

/** A bit of everything */
static void busy(struct world *w, struct vphone *a, struct vphone *b)
{
	struct vnode *n = world_node_of(w, "bob");
	struct vreq *r;

	(void)phone_register(a);
	(void)phone_register(b);
	world_run(w, 50);
	n->mode = V_MUTE;
	b->answer = 30;
	r = phone_invite(a, "bob");
	world_run(w, 600);
	if (r->ok)
		(void)phone_in_dialog(a, r, SIP_BYE);
	b->answer = UINT32_MAX;
	r = phone_invite(a, "bob");
	world_run(w, 400);
	phone_cancel(a, r);
	(void)phone_send(a, SIP_MESSAGE, "bob", NULL);
	world_run(w, 200);
	n->mode = V_NORMAL;
	(void)phone_invite(a, "bob");
	world_run(w, 400);
	node_kill(n);
	world_run(w, 1200);
	sim_start(w->net, &n->host);
}

/** Called just before the edge is made. Its second piece of memory is the pool
 *  of messages; without it each message asks anew, and can fail. */
static void tune(struct edge_conf *ec)
{
	ec->tune.ring = 20000;
	asked = 0;
	fail_at = 2;
	fail_on = false;
	world_in_edge++;
}

static void one(unsigned long at, bool on)
{
	struct world *w = world_new(1, tune);
	struct vphone *a = world_phone(w, "alice", SIM_DATAGRAM);
	struct vphone *b = world_phone(w, "bob", SIM_STREAM);
	const struct edge_admit_conf c = { .source = { .max = 1024 } };
	struct vreq *r;

	world_in_edge--;
	cr_assert_eq(edge_admit(w->edge, &c), 0);
	asked = 0;
	fail_at = at;
	fail_on = on;
	busy(w, a, b);
	fail_at = 0;
	used = asked;
	world_run(w, 260000);
	cr_expect_eq(edge_pending(w->edge), 0, "%lu: %u pending", at,
		     edge_pending(w->edge));
	(void)phone_register(b);
	world_run(w, 100);
	b->answer = 30;
	r = phone_invite(a, "bob");
	world_run(w, 1000);
	cr_expect_eq(r->final, 200, "%lu: %u", at, r->final);
	world_free(w);
}

Test(oom, each_place_once)
{
	unsigned long n;

	log_init("oom", LOG_TO_NONE, LOG_LV_ERROR);
	one(0, false);
	n = used;
	cr_assert_gt(n, 40, "%lu", n);
	for (unsigned long i = 1; i <= n; i++)
		one(i, false);
}

Test(oom, from_each_place_on)
{
	unsigned long n;

	log_init("oom", LOG_TO_NONE, LOG_LV_ERROR);
	one(0, false);
	n = used;
	for (unsigned long i = 1; i <= n; i += 3)
		one(i, true);
}

/** Peers and admission: all of them or none, and nothing is left behind */
Test(oom, peers_and_admission)
{
	const struct edge_admit_conf c = { .source = { .max = 1024 } };
	struct peer_conf v[2] = { { .name = "a" }, { .name = "b" } };
	int peers = ENOMEM, admit = ENOMEM;

	log_init("oom", LOG_TO_NONE, LOG_LV_ERROR);
	for (unsigned long i = 1; (peers || admit) && i < 200; i++) {
		struct world *w = world_new(1, NULL);

		asked = 0;
		fail_at = i;
		world_in_edge++;
		peers = edge_peers(w->edge, v, 2, w->net->now);
		admit = edge_admit(w->edge, &c);
		world_in_edge--;
		fail_at = 0;
		cr_expect_eq(edge_peers_get(w->edge)->n, peers ? 0 : 2);
		cr_expect_eq(edge_sources(w->edge) != NULL, !admit);
		cr_expect_eq(edge_peers(w->edge, v, 2, w->net->now), 0);
		cr_expect_eq(edge_admit(w->edge, &c), 0);
		world_free(w);
	}
	cr_expect_eq(peers, 0);
	cr_expect_eq(admit, 0);
}

/** An edge that cannot be made says so and leaves nothing behind */
Test(oom, start)
{
	struct world *w = world_new(1, NULL);
	struct disp_node_conf node = { .name = "n1", .tp = TP_TCP,
				       .weight = 1 };
	struct edge *e = NULL;
	int err = ENOMEM;

	node.addr = w->node[0].host.addr;
	w->ec.node = &node;
	w->ec.nodec = 1;

	for (unsigned long i = 1; err && i < 1000; i++) {
		struct stats *st;

		cr_assert_eq(stats_alloc(&st), 0);
		asked = 0;
		fail_at = i;
		world_in_edge++;
		err = edge_alloc(&e, &w->ec, st, 1);
		world_in_edge--;
		fail_at = 0;
		cr_expect(!err || err == ENOMEM, "%lu: %d", i, err);
		if (!err)
			edge_free(e);
		stats_free(st);
	}
	cr_expect_eq(err, 0);
	world_free(w);
}
