/**
 * @file test_dispatcher.c  The pool and its figures.
 */
#include "base/rng.h"
#include "dispatcher/dispatcher_i.h"
#include "tests/dispatcher/fixture.h"

Test(dispatcher, refuses_settings_that_make_no_sense)
{
	static const size_t must[] = {
		offsetof(struct disp_conf, inter),
		offsetof(struct disp_conf, fastinter),
		offsetof(struct disp_conf, downinter),
		offsetof(struct disp_conf, timeout),
		offsetof(struct disp_conf, fall),
		offsetof(struct disp_conf, rise),
	};
	struct disp *d = NULL;
	struct disp_conf cf;
	size_t i;

	for (i = 0; i < sizeof(must) / sizeof(must[0]); i++) {
		cf = fix_conf;
		*(uint32_t *)(void *)((char *)&cf + must[i]) = 0;
		cr_expect(disp_alloc(&d, &cf, 1, T0) == EINVAL);
	}
	cf = fix_conf;
	cf.max_nodes = 65;
	cr_expect(disp_alloc(&d, &cf, 1, T0) == EINVAL);
	d = fix_alloc(NULL, 1);
	cr_expect(disp_reconf(d, &cf) == EINVAL);
	disp_free(d);
	disp_free(NULL);
}

Test(dispatcher, names_and_addresses_are_unique_and_clean)
{
	struct disp_node_conf nc = { .name = "n1", .weight = 100 };
	struct disp *d = fix_alloc(NULL, 1);
	uint16_t idx;

	nc.addr = (struct addr){ .af = 4, .port = 5060, .ip = { 10 } };
	cr_expect(disp_add(d, &nc, &idx, T0) == 0);
	cr_expect(disp_add(d, &nc, &idx, T0) == EEXIST);
	strcpy(nc.name, "n2");
	cr_expect(disp_add(d, &nc, &idx, T0) == EEXIST, "same address");
	nc.addr.port = 5061;
	cr_expect(disp_add(d, &nc, &idx, T0) == 0 && idx == 1);
	nc.addr.port = 5062;
	strcpy(nc.name, "");
	cr_expect(disp_add(d, &nc, &idx, T0) == EINVAL);
	strcpy(nc.name, "a b");
	cr_expect(disp_add(d, &nc, &idx, T0) == EINVAL);
	strcpy(nc.name, "a\"b");
	cr_expect(disp_add(d, &nc, &idx, T0) == EINVAL);
	memset(nc.name, 'x', sizeof(nc.name));
	cr_expect(disp_add(d, &nc, &idx, T0) == EINVAL, "no end");
	strcpy(nc.name, "n3");
	nc.weight = 1001;
	cr_expect(disp_add(d, &nc, &idx, T0) == EINVAL);
	disp_free(d);
}

Test(dispatcher, the_pool_has_a_cap)
{
	struct disp_node_conf nc = { .weight = 1 };
	struct disp_conf cf = fix_conf;
	struct disp *d;
	uint16_t idx;

	cf.max_nodes = 2;
	d = fix_alloc(&cf, 1);
	fix_add(d, "n1", 1, T0);
	fix_add(d, "n2", 1, T0);
	strcpy(nc.name, "n3");
	cr_expect(disp_add(d, &nc, &idx, T0) == ENOSPC);
	disp_del(d, 0);
	cr_expect(disp_add(d, &nc, &idx, T0) == 0);
	disp_free(d);
}

Test(dispatcher, an_index_given_up_is_taken_again_last)
{
	struct disp *d = fix_alloc(NULL, 1);

	fix_add(d, "n1", 1, T0);
	fix_add(d, "n2", 1, T0);
	disp_del(d, 1);
	cr_expect(disp_n(d) == 1);
	cr_expect(fix_add(d, "n3", 1, T0) == 2);
	cr_expect(disp_n(d) == 3);
	disp_free(d);
}

Test(dispatcher, nodes_are_found_by_name_and_address)
{
	struct disp *d = fix_alloc(NULL, 1);
	struct disp_view v;
	uint16_t idx = 9;

	fix_add(d, "n1", 1, T0);
	fix_add(d, "n2", 1, T0);
	disp_view(d, 1, &v);
	cr_expect(disp_by_name(d, SL("n2"), &idx) == 0 && idx == 1);
	cr_expect(disp_by_name(d, SL("n"), &idx) == ENOENT);
	cr_expect(disp_by_addr(d, &v.addr, &idx) == 0 && idx == 1);
	v.addr.port++;
	cr_expect(disp_by_addr(d, &v.addr, &idx) == ENOENT);
	disp_free(d);
}

Test(dispatcher, calls_with_an_index_nobody_has_do_no_harm)
{
	struct disp *d = fix_alloc(NULL, 1);
	struct disp_view v;

	disp_del(d, 3);
	disp_report(d, 3, DISP_RESET, 0, T0);
	disp_probed(d, 3, 1, true, 200, SL(""), 1, T0);
	disp_moved(d, 3, 4);
	cr_expect(disp_view(d, 3, &v) == ENOENT);
	cr_expect(disp_set_weight(d, 3, 1) == ENOENT);
	cr_expect(disp_set_admin(d, 3, DISP_DRAIN, T0) == ENOENT);
	disp_free(d);
}

Test(dispatcher, a_deleted_node_leaves_no_effects_behind)
{
	struct disp *d = fix_alloc(NULL, 1);
	uint64_t now = T0;
	struct disp_out o;

	fix_add(d, "n1", 1, now);
	fix_up(d, 0, &now);
	disp_report(d, 0, DISP_SILENT, 0, now);
	disp_tick(d, now);
	disp_del(d, 0);
	cr_expect(!disp_poll(d, &o));
	cr_expect(disp_next(d) == UINT64_MAX);
	disp_free(d);
}

Test(dispatcher, changes_nobody_takes_are_counted_not_kept)
{
	struct disp *d = fix_alloc(NULL, 1);
	struct stats *s = NULL;
	struct disp_out o;
	uint64_t lost = 0;
	int i, n = 0;

	cr_assert(stats_alloc(&s) == 0);
	disp_stats(d, s);
	fix_add(d, "n1", 1, T0);
	for (i = 0; i < 500; i++) {
		disp_report(d, 0, DISP_OK, 1, T0);
		disp_report(d, 0, DISP_SILENT, 0, T0);
	}
	while (disp_poll(d, &o))
		n += o.kind == DISP_OUT_CHANGE;
	cr_expect(stat_get(s, "pool_changes_lost_total", NULL, &lost));
	cr_expect(n == 256 && lost == 1000 - 256, "%d %llu", n,
		  (unsigned long long)lost);
	disp_free(d);
	stats_free(s);
}

Test(dispatcher, figures_follow_what_happens)
{
	struct disp *d = fix_alloc(NULL, 1);
	struct stats *s = NULL;
	uint64_t now = T0, v = 0;
	uint16_t idx;
	size_t i;
	static const struct { const char *name; uint64_t want; } tab[] = {
		{ "node_state", 0 }, { "node_admin", 0 },
		{ "node_weight", 50 }, { "node_inflight", 1 },
		{ "node_rtt_seconds", 800 },              /* kept in us */
		{ "node_probe_rtt_seconds", 300 },
		{ "node_picked_total", 1 }, { "node_ok_total", 1 },
		{ "node_silent_total", 1 }, { "node_reset_total", 1 },
		{ "node_refused_total", 1 }, { "node_moved_from_total", 1 },
		{ "node_moved_to_total", 0 }, { "node_probes_total", 1 },
		{ "node_probes_failed_total", 0 },
	};

	cr_assert(stats_alloc(&s) == 0);
	fix_add(d, "n1", 50, now);
	disp_stats(d, s);
	fix_add(d, "n2", 50, now);      /* registered as it comes */
	fix_up(d, 0, &now);
	cr_assert(disp_pick(d, 1, &(struct disp_set){ 2 }, &idx, now) == 0);
	disp_begin(d, idx);
	disp_report(d, 0, DISP_OK, 800, now);
	disp_report(d, 0, DISP_REFUSED, 0, now);
	disp_report(d, 0, DISP_SILENT, 0, now);
	disp_report(d, 0, DISP_RESET, 0, now);
	disp_moved(d, 0, 1);
	for (i = 0; i < sizeof(tab) / sizeof(tab[0]); i++) {
		cr_expect(stat_get(s, tab[i].name, "node=\"n1\"", &v) &&
			  v == tab[i].want, "%s is %llu", tab[i].name,
			  (unsigned long long)v);
	}
	cr_expect(stat_get(s, "node_moved_to_total", "node=\"n2\"", &v) &&
		  v == 1);
	cr_expect(stat_get(s, "pool_picks_total", "class=\"up\"", &v) &&
		  v == 1);
	disp_del(d, 1);
	cr_expect(!stat_get(s, "node_state", "node=\"n2\"", &v));
	disp_free(d);
	cr_expect(!stat_get(s, "node_state", "node=\"n1\"", &v));
	stats_free(s);
}

Test(dispatcher, names_of_states_are_complete)
{
	cr_expect(!strcmp(disp_state_name(DISP_SUSPECT), "SUSPECT"));
	cr_expect(!strcmp(disp_state_name(DISP_UP), "UP"));
	cr_expect(!strcmp(disp_state_name(DISP_DOWN), "DOWN"));
	cr_expect(!strcmp(disp_admin_name(DISP_DRAIN), "drain"));
	cr_expect(!strcmp(disp_admin_name(DISP_READY), "ready"));
	cr_expect(!strcmp(disp_admin_name(DISP_MAINT), "maint"));
}

/* --- the next deadline is kept --- */

static void any_call(struct disp *d, struct rng *r, uint64_t *now)
{
	uint16_t i = (uint16_t)rng_below(r, disp_n(d) + 1);
	struct disp_wish w = { .admin = (enum disp_admin)rng_below(r, 3),
		.weight = -1, .since = *now,
		.until = rng_below(r, 2) ? *now + rng_below(r, 5000) : 0,
		.when_empty = rng_below(r, 2) };
	struct disp_conf cf = fix_conf;
	struct disp_out o;

	switch (rng_below(r, 11)) {
	case 0:
		(void)disp_pick(d, rng_u64(r), NULL, &i, *now);
		break;
	case 1:
		disp_begin(d, i);
		break;
	case 2:
		disp_end(d, i);
		break;
	case 3:
		disp_report(d, i, (enum disp_report)rng_below(r, 6), 1000,
			    *now);
		break;
	case 4:
		(void)disp_set_wish(d, i, &w, *now);
		break;
	case 5:
		disp_retry_after(d, i, 1 + rng_below(r, 40), *now);
		break;
	case 6:
		cf.inter = 500 + rng_below(r, 1000);
		cr_assert_eq(disp_reconf(d, &cf), 0);
		break;
	case 7:
		disp_own_fault(d, "test", *now);
		break;
	case 8:
		while (disp_poll(d, &o))
			if (o.kind == DISP_OUT_PROBE)
				disp_probed(d, o.node, o.probe,
					    rng_below(r, 3), 0, SL(""), 900,
					    *now);
		break;
	default:
		*now += rng_below(r, 300);
		disp_tick(d, *now);
		break;
	}
}

Test(dispatcher, next_deadline_is_as_if_looked_up)
{
	struct disp *d = fix_alloc(NULL, 1);
	uint64_t now = T0, kept, anew;
	char name[16];
	struct rng r;

	rng_seed(&r, 7);
	for (unsigned i = 0; i < 200000; i++) {
		if (i % 5000 < 4) {
			snprintf(name, sizeof(name), "n%u", i);
			(void)fix_add(d, name, 1, now);
		}
		else if (i % 5000 > 4980) {
			disp_del(d, (uint16_t)rng_below(&r, disp_n(d) + 1));
		}
		else {
			any_call(d, &r, &now);
		}
		kept = disp_next(d);
		d->next_old = true;
		anew = disp_next(d);
		cr_assert_eq(kept, anew, "step %u: %llu, not %llu", i,
			     (unsigned long long)kept,
			     (unsigned long long)anew);
	}
	disp_free(d);
}
