/* test_member.c - healths of members, on virtual time. */
#include <criterion/criterion.h>
#include "base/log.h"
#include "cluster/member.h"

static struct members ms;

static void init(void)
{
	struct member_conf cf = { 1, 500, 3000 };

	log_init("test", LOG_TO_NONE, LOG_LV_ERROR);
	members_init(&ms, &cf, 1000);
}

/* Time passes in steps of a heartbeat, as it does in a node */
static void pass(uint64_t from, uint64_t to)
{
	for (uint64_t t = from; t <= to; t += 500)
		member_tick(&ms, t);
}

static void beat_with(uint8_t i, uint64_t node, bool hears, uint64_t now)
{
	struct wire_heartbeat h = { .n = 1, .row = { { node, hears } } };

	member_heard(&ms, i, now);
	member_beat(&ms, i, &h, 0);
}

Test(member, one_missed_heartbeat_is_nothing_three_are_suspect, .init = init)
{
	uint8_t i = member_add(&ms, 2, 1000);

	member_linked(&ms, i, 1000);
	cr_assert_eq(ms.m[i].health, CLUSTER_ALIVE);
	pass(1500, 2000);
	cr_assert_eq(ms.m[i].health, CLUSTER_ALIVE);
	member_tick(&ms, 2500);
	cr_assert_eq(ms.m[i].health, CLUSTER_SUSPECT);
	member_heard(&ms, i, 2600);
	cr_assert_eq(ms.m[i].health, CLUSTER_ALIVE);
}

Test(member, silence_is_judged_when_it_is_due_not_a_heartbeat_later, .init = init)
{
	uint8_t i = member_add(&ms, 2, 1000);

	member_linked(&ms, i, 1000);
	member_heard(&ms, i, 1200);
	pass(1500, 2000);
	member_tick(&ms, 2300);
	cr_assert_eq(ms.m[i].health, CLUSTER_ALIVE);
	cr_assert_eq(member_next(&ms), 2700);
	member_tick(&ms, 2700);
	cr_assert_eq(ms.m[i].health, CLUSTER_SUSPECT);
	cr_assert_eq(member_next(&ms), 3200, "a heartbeat at most");
	member_tick(&ms, 3200);
	member_tick(&ms, 3700);
	cr_assert_eq(member_next(&ms), 4200);
	member_tick(&ms, 4200);
	cr_assert_eq(ms.m[i].health, CLUSTER_DEAD);
	cr_assert_eq(member_next(&ms), 4700, "what is past wakes nobody");
}

Test(member, dead_after_the_time_nobody_heard_it, .init = init)
{
	uint8_t i = member_add(&ms, 2, 1000);

	member_linked(&ms, i, 1000);
	pass(1500, 3500);
	cr_assert_eq(ms.m[i].health, CLUSTER_SUSPECT);
	member_tick(&ms, 4000);
	cr_assert_eq(ms.m[i].health, CLUSTER_DEAD);
	member_linked(&ms, i, 9000);
	cr_assert_eq(ms.m[i].health, CLUSTER_ALIVE);
}

Test(member, not_dead_while_one_we_hear_hears_it, .init = init)
{
	uint8_t i = member_add(&ms, 2, 1000), k = member_add(&ms, 3, 1000);

	member_linked(&ms, i, 1000);
	member_linked(&ms, k, 1000);
	for (uint64_t t = 1500; t <= 9000; t += 500) {
		beat_with(k, 2, true, t);
		member_tick(&ms, t);
	}
	cr_assert_eq(ms.m[i].health, CLUSTER_SUSPECT);
	beat_with(k, 2, false, 9500);
	member_tick(&ms, 9500);
	cr_assert_eq(ms.m[i].health, CLUSTER_DEAD);
	cr_assert_eq(ms.unheard[k], 1u << i);
}

Test(member, a_lost_link_is_suspect_at_once, .init = init)
{
	uint8_t i = member_add(&ms, 2, 1000);

	member_linked(&ms, i, 1000);
	member_unlinked(&ms, i, false, 1100);
	cr_assert_eq(ms.m[i].health, CLUSTER_SUSPECT);
	cr_assert_eq(ms.lost, 1u << i);
	cr_assert_not(member_hears(&ms, i));
}

Test(member, a_link_replaced_is_no_loss, .init = init)
{
	uint8_t i = member_add(&ms, 2, 1000);

	member_linked(&ms, i, 1000);
	member_unlinked(&ms, i, true, 1100);
	cr_assert_eq(ms.m[i].health, CLUSTER_ALIVE);
	cr_assert_eq(ms.lost, 0);
}

Test(member, our_own_sleep_is_not_held_against_the_others, .init = init)
{
	uint8_t i = member_add(&ms, 2, 1000);

	member_linked(&ms, i, 1000);
	member_tick(&ms, 1500);
	member_tick(&ms, 31500);
	cr_assert_eq(ms.m[i].health, CLUSTER_ALIVE);
	/* and time-outs are doubled for a while */
	pass(32000, 33000);
	cr_assert_eq(ms.m[i].health, CLUSTER_ALIVE);
	member_tick(&ms, 33500);
	cr_assert_eq(ms.m[i].health, CLUSTER_SUSPECT);
}

Test(member, good_bye_is_left_not_dead, .init = init)
{
	uint8_t i = member_add(&ms, 2, 1000);

	member_linked(&ms, i, 1000);
	member_left(&ms, i, 1100);
	member_unlinked(&ms, i, false, 1100);
	pass(1500, 9000);
	cr_assert_eq(ms.m[i].health, CLUSTER_LEFT);
}

Test(member, a_full_table_gives_only_dead_places_away, .init = init)
{
	uint8_t i = 0;

	for (uint64_t n = 2; n <= CLUSTER_MAX; n++) {
		i = member_add(&ms, n, 1000);
		cr_assert_neq(i, MEMBER_NONE);
		member_linked(&ms, i, 1000);
	}
	cr_assert_eq(member_add(&ms, 99, 1000), MEMBER_NONE);
	member_left(&ms, 5, 1000);
	member_unlinked(&ms, 5, false, 1000);
	cr_assert_eq(member_add(&ms, 99, 1000), 5);
	cr_assert_eq(member_find(&ms, 99), 5);
}

Test(member, a_time_older_than_the_last_frame_is_no_silence, .init = init)
{
	uint8_t i = member_add(&ms, 2, 1000);

	member_linked(&ms, i, 1000);
	member_heard(&ms, i, 1510);
	member_tick(&ms, 1500);
	cr_assert_eq(ms.m[i].health, CLUSTER_ALIVE);
	cr_assert_not(member_silent(&ms, i, 1500));
}
