/**
 * @file test_dispatcher_admin.c  What operators want, what ends by itself, and
 * slow start.
 */
#include "dispatcher/dispatcher.h"
#include "tests/dispatcher/fixture.h"

static struct disp *pool(const struct disp_conf *cf, int n)
{
	struct disp *d = fix_alloc(cf, 9);

	for (int i = 0; i < n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		fix_add(d, name, 100, T0);
	}
	for (int i = 0; i < n; i++)
		disp_report(d, (uint16_t)i, DISP_OK, 100, T0);
	return d;
}

static struct disp_view view(struct disp *d, uint16_t idx)
{
	struct disp_view v;

	cr_assert_eq(disp_view(d, idx, &v), 0);
	return v;
}

/** Of 2000 keys, percent that go to idx */
static unsigned share(struct disp *d, uint16_t idx, uint64_t now)
{
	unsigned n = 0;
	struct rng g;
	uint16_t i;

	rng_seed(&g, 1);
	for (int k = 0; k < 2000; k++) {
		cr_assert_eq(disp_pick(d, rng_u64(&g), NULL, &i, now), 0);
		n += i == idx;
	}
	return (n + 10) / 20;
}

/** Take effects; @return were there any of a wish's end for idx */
static bool told(struct disp *d, uint16_t idx)
{
	struct disp_out o;
	bool yes = false;

	while (disp_poll(d, &o))
		yes = yes || (o.kind == DISP_OUT_ADMIN && o.node == idx);
	return yes;
}

static struct disp_wish wish(enum disp_admin a)
{
	struct disp_wish w = {
		.admin = a, .when_empty = a == DISP_DRAIN, .since = T0,
		.weight = -1, .who = "alice", .why = "kernel",
	};

	return w;
}

Test(admin, a_drained_node_gets_nothing_new_and_is_maint_when_empty)
{
	struct disp_wish w = wish(DISP_DRAIN);
	struct disp *d = pool(NULL, 3);

	disp_begin(d, 0);
	disp_begin(d, 0);
	cr_assert_eq(disp_set_wish(d, 0, &w, T0), 0);
	cr_expect_eq(share(d, 0, T0), 0);
	disp_tick(d, T0 + 1);
	cr_expect_eq(view(d, 0).wish.admin, DISP_DRAIN);
	disp_end(d, 0);
	disp_tick(d, T0 + 2);
	cr_expect_eq(view(d, 0).wish.admin, DISP_DRAIN);
	cr_expect_not(told(d, 0));
	disp_end(d, 0);
	cr_expect_leq(disp_next(d), T0 + 2, "due at once");
	disp_tick(d, T0 + 3);
	cr_expect_eq(view(d, 0).wish.admin, DISP_MAINT);
	cr_expect(view(d, 0).wish.drained);
	cr_expect_str_eq(view(d, 0).wish.who, "alice");
	cr_expect(told(d, 0));
	disp_free(d);
}

Test(admin, a_drain_may_be_told_to_stay_one)
{
	struct disp_wish w = wish(DISP_DRAIN);
	struct disp *d = pool(NULL, 3);

	w.when_empty = false;
	cr_assert_eq(disp_set_wish(d, 0, &w, T0), 0);
	disp_tick(d, T0 + 100000);
	cr_expect_eq(view(d, 0).wish.admin, DISP_DRAIN);
	disp_free(d);
}

Test(admin, the_last_one_drains_on_while_it_is_needed)
{
	struct disp_wish w = wish(DISP_DRAIN);
	struct disp *d = pool(NULL, 2);
	uint16_t idx;

	disp_report(d, 1, DISP_RESET, 0, T0);
	cr_assert_eq(disp_set_wish(d, 0, &w, T0), 0);
	disp_tick(d, T0 + 1);
	cr_expect_eq(view(d, 0).wish.admin, DISP_DRAIN);
	cr_assert_eq(disp_pick(d, 1, NULL, &idx, T0 + 1), 0);
	cr_expect_eq(idx, 0, "drained is better than down");
	disp_free(d);
}

Test(admin, a_wish_ends_by_itself_when_its_time_is_over)
{
	static const enum disp_admin kind[] = { DISP_DRAIN, DISP_MAINT };

	for (int i = 0; i < 2; i++) {
		struct disp_wish w = wish(kind[i]);
		struct disp *d = pool(NULL, 3);

		w.when_empty = false;
		w.until = T0 + 60000;
		cr_assert_eq(disp_set_wish(d, 0, &w, T0), 0);
		cr_expect_leq(disp_next(d), T0 + 60000);
		disp_tick(d, T0 + 59999);
		cr_expect_eq(view(d, 0).wish.admin, kind[i]);
		(void)told(d, 0);
		disp_tick(d, T0 + 60000);
		cr_expect_eq(view(d, 0).wish.admin, DISP_READY);
		cr_expect_eq(view(d, 0).wish.until, 0);
		cr_expect_str_eq(view(d, 0).wish.who, "");
		cr_expect(told(d, 0));
		disp_free(d);
	}
}

Test(admin, until_holds_after_the_drain_is_done)
{
	struct disp_wish w = wish(DISP_DRAIN);
	struct disp *d = pool(NULL, 3);

	w.until = T0 + 60000;
	cr_assert_eq(disp_set_wish(d, 0, &w, T0), 0);
	disp_tick(d, T0 + 10);
	cr_expect_eq(view(d, 0).wish.admin, DISP_MAINT);
	disp_tick(d, T0 + 60000);
	cr_expect_eq(view(d, 0).wish.admin, DISP_READY);
	disp_free(d);
}

Test(admin, a_weight_given_outranks_the_settings_until_it_is_taken_back)
{
	struct disp_wish w = wish(DISP_READY);
	struct disp *d = pool(NULL, 2);

	cr_expect(share(d, 0, T0) >= 45 && share(d, 0, T0) <= 55);
	w.weight = 900;
	cr_assert_eq(disp_set_wish(d, 0, &w, T0), 0);
	cr_expect_geq(share(d, 0, T0), 86);
	cr_assert_eq(disp_set_weight(d, 0, 50), 0);
	cr_expect_eq(view(d, 0).weight, 900);
	w.weight = -1;
	cr_assert_eq(disp_set_wish(d, 0, &w, T0), 0);
	cr_expect_eq(view(d, 0).weight, 50);
	cr_expect(share(d, 0, T0) >= 28 && share(d, 0, T0) <= 38, "%u",
		  share(d, 0, T0));
	w.weight = 1001;
	cr_expect_eq(disp_set_wish(d, 0, &w, T0), EINVAL);
	cr_expect_eq(disp_set_wish(d, 5, &w, T0), ENOENT);
	disp_free(d);
}

Test(admin, weight_zero_takes_out_without_a_wish)
{
	struct disp_wish w = wish(DISP_READY);
	struct disp *d = pool(NULL, 2);

	w.weight = 0;
	cr_assert_eq(disp_set_wish(d, 0, &w, T0), 0);
	cr_expect_eq(share(d, 0, T0), 0);
	disp_free(d);
}

Test(admin, spare_means_up_wanted_and_not_out)
{
	struct disp *d = pool(NULL, 2);

	cr_expect(disp_spare(d, 0, T0));
	disp_retry_after(d, 1, 5, T0);
	cr_expect_not(disp_spare(d, 0, T0));
	cr_expect(disp_spare(d, 0, T0 + 5000));
	disp_set_admin(d, 1, DISP_DRAIN, T0);
	cr_expect_not(disp_spare(d, 0, T0 + 5000));
	disp_set_admin(d, 1, DISP_READY, T0);
	disp_set_leaving(d, 1, true, T0);
	cr_expect_not(disp_spare(d, 0, T0 + 5000));
	disp_set_leaving(d, 1, false, T0);
	disp_report(d, 1, DISP_SILENT, 0, T0);
	cr_expect_not(disp_spare(d, 0, T0 + 5000));
	disp_free(d);
}

/* --- slow start --- */

static struct disp *slow(int n)
{
	struct disp_conf cf = fix_conf;

	cf.slowstart = 10000;
	return pool(&cf, n);
}

Test(slowstart, a_node_that_is_back_gets_its_share_bit_by_bit)
{
	struct disp *d = slow(2);
	uint64_t now = T0 + 50000;
	unsigned early, middle, late;

	disp_report(d, 0, DISP_RESET, 0, now);
	cr_expect_eq(share(d, 0, now), 0);
	disp_report(d, 0, DISP_OK, 100, now);
	disp_report(d, 0, DISP_OK, 100, now);
	cr_assert_eq(fix_state(d, 0), DISP_UP);
	cr_expect_eq(view(d, 0).ramp, 10);
	early = share(d, 0, now);
	middle = share(d, 0, now + 5000);
	late = share(d, 0, now + 10000);
	cr_expect(early >= 6 && early <= 12, "%u", early);
	cr_expect(middle >= 30 && middle <= 40, "%u", middle);
	cr_expect(late >= 46 && late <= 54, "%u", late);
	disp_free(d);
}

Test(slowstart, keys_only_ever_move_to_the_node_that_is_back)
{
	struct disp *d = slow(4);
	uint64_t now = T0 + 50000;
	uint16_t was[500], is;

	disp_report(d, 0, DISP_RESET, 0, now);
	disp_report(d, 0, DISP_OK, 100, now);
	disp_report(d, 0, DISP_OK, 100, now);
	for (int step = 0; step <= 20; step++) {
		struct rng g;

		rng_seed(&g, 4);
		for (int k = 0; k < 500; k++) {
			cr_assert_eq(disp_pick(d, rng_u64(&g), NULL, &is,
					       now + (uint64_t)step * 600), 0);
			cr_assert(!step || is == was[k] || is == 0);
			was[k] = is;
		}
	}
	disp_free(d);
}

Test(slowstart, nobody_starts_slowly_when_no_other_can_take_the_rest)
{
	struct disp *d = slow(2);

	cr_expect_eq(view(d, 0).ramp, 100, "the first of all");
	cr_expect_eq(view(d, 1).ramp, 100, "came with the first");
	disp_report(d, 0, DISP_RESET, 0, T0);
	disp_report(d, 1, DISP_RESET, 0, T0);
	disp_report(d, 0, DISP_OK, 100, T0);
	disp_report(d, 0, DISP_OK, 100, T0);
	cr_expect_eq(fix_state(d, 0), DISP_UP);
	cr_expect_eq(view(d, 0).ramp, 100);
	disp_free(d);
}

Test(slowstart, a_suspicion_cleared_is_no_start)
{
	struct disp *d = slow(2);

	disp_report(d, 0, DISP_SILENT, 0, T0 + 50000);
	disp_report(d, 0, DISP_OK, 100, T0 + 50000);
	cr_expect_eq(fix_state(d, 0), DISP_UP);
	cr_expect_eq(view(d, 0).ramp, 100);
	disp_free(d);
}

Test(slowstart, least_and_wrr_obey_it_too)
{
	static const enum disp_alg alg[] = { DISP_LEAST, DISP_WRR };

	for (int a = 0; a < 2; a++) {
		struct disp_conf cf = fix_conf;
		unsigned n[2] = { 0 };
		struct disp *d;
		uint16_t idx;

		cf.slowstart = 10000;
		cf.alg = alg[a];
		d = pool(&cf, 2);
		disp_report(d, 0, DISP_RESET, 0, T0 + 50000);
		disp_report(d, 0, DISP_OK, 100, T0 + 50000);
		disp_report(d, 0, DISP_OK, 100, T0 + 50000);
		for (int i = 0; i < 1100; i++) {
			cr_assert_eq(disp_pick(d, (uint64_t)i * 77777, NULL,
					       &idx, T0 + 50000), 0);
			n[idx]++;
			disp_begin(d, idx);
		}
		cr_expect(n[0] >= 80 && n[0] <= 120, "%d: %u", a, n[0]);
		disp_free(d);
	}
}

/* --- when nobody is to blame --- */

/** Probes run for that long; those of nodes in `alive` are answered, others
 *  cannot even be sent, each of which is our fault if `ours` */
static void serve(struct disp *d, uint64_t *now, uint64_t ms, unsigned alive,
		  bool ours)
{
	uint64_t end = *now + ms;
	struct disp_out o;

	while (disp_next(d) <= end) {
		if (disp_next(d) > *now)
			*now = disp_next(d);
		disp_tick(d, *now);
		while (disp_poll(d, &o)) {
			bool yes = alive >> o.node & 1;

			if (o.kind != DISP_OUT_PROBE)
				continue;
			if (!yes && ours)
				disp_own_fault(d, "no address", *now);
			disp_probed(d, o.node, o.probe, yes, yes ? 200 : 0,
				    SL("x"), 1, *now);
		}
	}
	*now = end;
}

/** The last thing a test asks for: d is gone then */
static uint64_t last_figure(struct disp *d, const char *name)
{
	struct stats *st = NULL;
	uint64_t v = 0;

	cr_assert_eq(stats_alloc(&st), 0);
	disp_stats(d, st);
	cr_assert(stat_get(st, name, NULL, &v), "%s", name);
	disp_free(d);
	stats_free(st);
	return v;
}

/** Probes of all run, none is answered */
static void dark(struct disp *d, uint64_t *now, uint64_t ms)
{
	uint64_t end = *now + ms;
	struct disp_out o;

	while (disp_next(d) <= end) {
		if (disp_next(d) > *now)
			*now = disp_next(d);
		disp_tick(d, *now);
		while (disp_poll(d, &o))
			;
	}
	*now = end;
}

Test(frozen, all_silent_at_once_takes_nobody_out)
{
	struct disp *d = pool(NULL, 3);
	uint64_t now = T0;

	for (uint16_t i = 0; i < 3; i++)
		fix_up(d, i, &now);
	dark(d, &now, 60000);
	for (uint16_t i = 0; i < 3; i++)
		cr_expect_eq(fix_state(d, i), DISP_SUSPECT, "%u", i);
	cr_expect(disp_frozen(d));
	cr_expect_eq(last_figure(d, "pool_freezes_total"), 1);
}

Test(frozen, one_that_answers_ends_it_and_the_dead_go)
{
	struct disp *d = pool(NULL, 3);
	uint64_t now = T0;

	serve(d, &now, 5000, 7, false);
	dark(d, &now, 20000);
	cr_assert(disp_frozen(d));
	serve(d, &now, 5000, 4, false);
	cr_expect_not(disp_frozen(d));
	cr_expect_eq(fix_state(d, 0), DISP_DOWN);
	cr_expect_eq(fix_state(d, 1), DISP_DOWN);
	cr_expect_eq(fix_state(d, 2), DISP_UP);
	disp_free(d);
}

Test(frozen, a_pool_of_one_proves_nothing)
{
	struct disp *d = pool(NULL, 1);
	uint64_t now = T0;

	fix_up(d, 0, &now);
	dark(d, &now, 10000);
	cr_expect_eq(fix_state(d, 0), DISP_DOWN);
	cr_expect_not(disp_frozen(d));
	disp_free(d);
}

Test(frozen, one_dead_among_the_living_goes_as_ever)
{
	struct disp *d = pool(NULL, 3);
	uint64_t now = T0;

	serve(d, &now, 5000, 7, false);
	serve(d, &now, 3000, 6, false);
	cr_expect_eq(fix_state(d, 0), DISP_DOWN);
	cr_expect_eq(fix_state(d, 1), DISP_UP);
	cr_expect_eq(last_figure(d, "pool_freezes_total"), 0);
}

Test(frozen, refusals_and_resets_come_from_nodes_and_count)
{
	struct disp *d = pool(NULL, 2);
	uint64_t now = T0;

	for (int i = 0; i < 3; i++)
		for (uint16_t k = 0; k < 2; k++) {
			uint32_t id = fix_probe(d, k, &now);

			disp_probed(d, k, id, false, 503, SL("no"), 1, now);
		}
	cr_expect_eq(fix_state(d, 0), DISP_DOWN);
	cr_expect_eq(fix_state(d, 1), DISP_DOWN);
	cr_expect_not(disp_frozen(d));
	disp_free(d);
	d = pool(NULL, 2);
	disp_report(d, 0, DISP_RESET, 0, T0);
	disp_report(d, 1, DISP_RESET, 0, T0);
	cr_expect_eq(fix_state(d, 0), DISP_DOWN);
	cr_expect_eq(fix_state(d, 1), DISP_DOWN);
	disp_free(d);
}

Test(frozen, our_own_fault_blames_nobody_for_a_while)
{
	struct disp *d = pool(NULL, 2);
	uint64_t now = T0;

	serve(d, &now, 5000, 3, false);
	serve(d, &now, 10000, 2, true);
	cr_expect(disp_frozen(d));
	cr_expect_eq(fix_state(d, 0), DISP_SUSPECT);
	serve(d, &now, 8000, 2, false);
	cr_expect_not(disp_frozen(d));
	cr_expect_eq(fix_state(d, 0), DISP_DOWN);
	cr_expect_eq(last_figure(d, "pool_freezes_total"), 1);
}

Test(frozen, a_refusal_counts_even_while_our_network_fails)
{
	struct disp *d = pool(NULL, 2);
	uint64_t now = T0;

	fix_up(d, 0, &now);
	for (int i = 0; i < 3; i++) {
		uint32_t id = fix_probe(d, 0, &now);

		disp_own_fault(d, "No buffer space available", now);
		disp_probed(d, 0, id, false, 503, SL("no"), 1, now);
	}
	cr_expect_eq(fix_state(d, 0), DISP_DOWN);
	disp_free(d);
}

Test(frozen, no_way_to_one_node_is_seen_through_probes)
{
	struct disp *d = pool(NULL, 2);

	disp_report(d, 0, DISP_LOST, 0, T0);
	cr_expect_eq(fix_state(d, 0), DISP_SUSPECT);
	cr_expect_leq(disp_next(d), T0, "probed at once");
	disp_report(d, 1, DISP_LOST, 0, T0);
	cr_expect_eq(fix_state(d, 1), DISP_SUSPECT);
	disp_free(d);
}
