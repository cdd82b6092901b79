/* live.c - real nodes of the cluster layer on loopback. */
#include <stdio.h>
#include <criterion/criterion.h>
#include "base/clk.h"
#include "base/net.h"
#include "live.h"

void live_key(uint8_t key[32], uint8_t fill)
{
	memset(key, fill, 32);
}

static void on_acked(uint64_t from, uint64_t to, void *arg)
{
	struct live *x = arg;

	cr_assert_gt(to, from);
	if (to > x->acked)
		x->acked = to;
}

void live_start(struct live *x, uint64_t id, const uint8_t key[32],
		const struct live *v, uint32_t n)
{
	live_start_as(x, id, key, v, n, NULL);
}

void live_start_as(struct live *x, uint64_t id, const uint8_t key[32],
		   const struct live *v, uint32_t n, const struct cert *cert)
{
	struct store_conf sc = { .node = id, .max_records = 1000000,
		.max_per_aor = 20, .max_expires = 3600, .guard = 10000 };
	struct cluster_conf cc = { .node = id, .heartbeat = 200,
		.dead = LIVE_DEAD, .max_expires = 3600, .ackedh = on_acked,
		.arg = x, .cert = cert };
	struct keyset keys;
	char name[16];

	memset(x, 0, sizeof(*x));
	memset(sc.key, 1, sizeof(sc.key));
	(void)snprintf(name, sizeof(name), "n%u", (unsigned)id);
	memcpy(cc.name, name, sizeof(name));
	keyset_one(&keys, key);
	cc.keys = &keys;
	cr_assert_eq(addr_parse(&cc.addr, SL("127.0.0.1"), 0), 0);
	for (uint32_t i = 0; i < n; i++) {
		if (!v[i].c)
			continue;
		cr_assert_eq(addr_parse(&cc.peers[cc.npeers],
					SL("127.0.0.1"),
					cluster_port(v[i].c)), 0);
		cc.npeers++;
	}
	cr_assert_eq(store_alloc(&x->s, &sc, clk_wall()), 0);
	cr_assert_eq(stats_alloc(&x->st), 0);
	cr_assert_eq(cluster_alloc(&x->c, &cc, x->s, x->st), 0);
}

void live_stop(struct live *x)
{
	cluster_free(x->c);
	store_free(x->s);
	stats_free(x->st);
	memset(x, 0, sizeof(*x));
}

struct waiter {
	struct ntimer *t;
	bool (*cond)(const void *arg);
	const void *arg;
	uint64_t until;
	bool ok;
};

static void look(void *arg)
{
	struct waiter *w = arg;

	w->ok = w->cond(w->arg);
	if (w->ok || clk_now() >= w->until)
		net_stop();
	else
		ntimer_at(w->t, clk_now() + 2);
}

bool live_until(bool (*cond)(const void *arg), const void *arg, uint32_t ms)
{
	struct waiter w = { NULL, cond, arg, clk_now() + ms, false };

	cr_assert_eq(ntimer_alloc(&w.t, look, &w), 0);
	ntimer_at(w.t, clk_now());
	(void)net_run(NULL, NULL);
	ntimer_free(w.t);
	return w.ok;
}
