#include <criterion/criterion.h>
#include <stdio.h>
#include "sbc/verdict.h"

/* Three nodes of one cluster, all well */
static struct verdict_node good(const char *name)
{
	return (struct verdict_node){
		.name = name, .up = true, .takes = true, .wanted = true,
		.asked = true, .known = true, .ready = true, .members = 3,
		.alive = 3, .synced = true,
	};
}

struct world {
	struct verdict_node n[20];
	struct verdict_in in;
	struct verdict_out out;
};

static struct world w;

static void setup(void)
{
	memset(&w, 0, sizeof(w));
	w.n[0] = good("n1");
	w.n[1] = good("n2");
	w.n[2] = good("n3");
	w.in.node = w.n;
	w.in.nodes = 3;
}

static void dead(int i)
{
	w.n[i].up = w.n[i].known = false;
}

/* --- one change to a world that is well, and what it must say --- */

static void c_nothing(void) { }
static void c_stopping(void) { w.in.stopping = true; }
static void c_frozen(void) { w.in.frozen = true; }
static void c_lost(void) { w.in.lost = 7; }
static void c_records(void) { w.in.records_failed = true; }
static void c_unsaved(void) { w.in.unsaved = true; }
static void c_fault(void) { w.in.fault = "n2"; }
static void c_all_down(void) { dead(0); dead(1); dead(2); }
static void c_two_down(void) { dead(0); dead(1); }
static void c_no_pool(void) { w.in.nodes = 0; }
static void c_all_drained(void)
{
	for (int i = 0; i < 3; i++)
		w.n[i].takes = w.n[i].wanted = false;
}
static void c_one_down(void)
{
	dead(0);
	w.n[1].alive = w.n[2].alive = 2;
}
static void c_one_down_of_five(void)
{
	w.n[3] = good("n4");
	w.n[4] = good("n5");
	w.in.nodes = 5;
	for (int i = 0; i < 5; i++)
		w.n[i].members = 5, w.n[i].alive = 4;
	dead(0);
}
static void c_three_of_four(void)
{
	w.n[3] = good("n4");
	w.in.nodes = 4;
	for (int i = 0; i < 4; i++)
		w.n[i].members = 4, w.n[i].alive = 3;
	dead(0);
}
static void c_suspect(void)
{
	w.n[0].up = false;
	w.n[0].doubted = true;
}
static void c_drain(void) { w.n[0].wanted = w.n[0].takes = false; }
static void c_alone(void) { w.n[1].alive = 1; }
static void c_two_nodes(void)
{
	w.in.nodes = 2;
	w.n[0].members = w.n[0].alive = w.n[1].members = w.n[1].alive = 2;
}
static void c_differ(void) { w.n[2].differ = 1; }
static void c_unacked(void) { w.n[0].unacked = 3; }
static void c_cert(void) { w.n[1].has_cert = true; w.n[1].cert_days = 29; }
static void c_cert_far(void)
{
	w.n[1].has_cert = true;
	w.n[1].cert_days = 30;
}
static void c_sql(void)
{
	w.n[1].sql_down = true;
}
static void c_sql_behind(void)
{
	w.n[1].sql_behind = true;
}
static void c_cert_out(void)
{
	w.n[1].has_cert = true;
	w.n[1].cert_days = -1;
}
static void c_joining(void) { w.n[0].synced = false; }
static void c_not_ready(void) { w.n[0].ready = false; }
static void c_mute(void) { w.n[0].known = false; }
static void c_not_asked(void) { w.n[0].known = w.n[0].asked = false; }
static void c_weight(void) { w.n[0].takes = w.n[1].takes = false; }

static const struct {
	void (*change)(void);
	enum verdict state;
	enum verdict_spare spare;
	const char *text;        /* part of the first reason, NULL = none */
} table[] = {
	{ c_nothing, VERDICT_OK, SPARE_YES, NULL },
	{ c_stopping, VERDICT_DOWN, SPARE_NO, "the edge is stopping" },
	{ c_frozen, VERDICT_DOWN, SPARE_NO, "no node can be reached" },
	{ c_all_down, VERDICT_DOWN, SPARE_NO, "no node is up" },
	{ c_no_pool, VERDICT_DOWN, SPARE_NO, "no node is up" },
	{ c_all_drained, VERDICT_DOWN, SPARE_NO, "no node is up" },
	{ c_two_down, VERDICT_RISK, SPARE_NO, "only n3 takes calls" },
	{ c_weight, VERDICT_RISK, SPARE_NO, "only n3 takes calls" },
	{ c_one_down, VERDICT_RISK, SPARE_NO,
	  "n2 sees 2 of 3 members: one more" },
	{ c_one_down_of_five, VERDICT_DEGRADED, SPARE_YES,
	  "n2 sees 4 of 5 members" },
	{ c_three_of_four, VERDICT_RISK, SPARE_NO,
	  "n2 sees 3 of 4 members: one more" },
	{ c_alone, VERDICT_RISK, SPARE_NO, "n2 sees no other node" },
	{ c_two_nodes, VERDICT_OK, SPARE_YES, NULL },
	{ c_suspect, VERDICT_DEGRADED, SPARE_YES, "n1 is suspected" },
	{ c_drain, VERDICT_DEGRADED, SPARE_YES, "n1 is taken out" },
	{ c_lost, VERDICT_DEGRADED, SPARE_YES, "7 calls were lost" },
	{ c_fault, VERDICT_DEGRADED, SPARE_YES, "the way to n2" },
	{ c_records, VERDICT_DEGRADED, SPARE_YES, "call records" },
	{ c_unsaved, VERDICT_DEGRADED, SPARE_YES, "what operators want" },
	{ c_differ, VERDICT_DEGRADED, SPARE_NO, "n3 differs from 1" },
	{ c_unacked, VERDICT_DEGRADED, SPARE_YES,
	  "n1 answered 3 registrations" },
	{ c_cert, VERDICT_DEGRADED, SPARE_YES, "n2 runs out in 29 days" },
	{ c_cert_far, VERDICT_OK, SPARE_YES, NULL },
	{ c_sql, VERDICT_DEGRADED, SPARE_YES,
	  "the database of n2 is down" },
	{ c_sql_behind, VERDICT_DEGRADED, SPARE_YES, "of n2 is behind" },
	{ c_cert_out, VERDICT_RISK, SPARE_NO, "of n2 has run out" },
	{ c_joining, VERDICT_DEGRADED, SPARE_NO, "n1 does not hold all" },
	{ c_not_ready, VERDICT_DEGRADED, SPARE_YES, "n1 says it is not" },
	{ c_mute, VERDICT_DEGRADED, SPARE_UNKNOWN, "n1 does not answer on" },
	{ c_not_asked, VERDICT_OK, SPARE_UNKNOWN, NULL },
};

Test(verdict, each_change_says_what_it_is)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		setup();
		table[i].change();
		verdict(&w.in, &w.out);
		cr_expect_eq(w.out.state, table[i].state, "row %zu: %s", i,
			     verdict_name(w.out.state));
		cr_expect_eq(w.out.spare, table[i].spare, "row %zu: %s %s", i,
			     verdict_spare_name(w.out.spare),
			     w.out.spare_text);
		cr_expect_neq(w.out.spare_text[0], '\0');
		if (!table[i].text)
			cr_expect_eq(w.out.n, 0, "row %zu: %s", i,
				     w.out.reason[0].text);
		else
			cr_expect(w.out.n && strstr(w.out.reason[0].text,
						    table[i].text),
				  "row %zu: %s", i, w.out.reason[0].text);
	}
}

Test(verdict, the_worst_comes_first_and_all_are_told, .init = setup)
{
	c_lost();
	c_two_down();
	c_unacked();
	w.n[2].unacked = 1;
	verdict(&w.in, &w.out);
	cr_expect_eq(w.out.state, VERDICT_RISK);
	cr_assert_eq(w.out.n, 5);
	for (uint32_t i = 1; i < w.out.n; i++)
		cr_expect_leq(w.out.reason[i].level,
			      w.out.reason[i - 1].level);
	cr_expect(strstr(w.out.reason[1].text, "lost"));
	cr_expect(strstr(w.out.reason[2].text, "n1 is down"));
}

Test(verdict, many_reasons_are_counted_and_the_worst_kept, .init = setup)
{
	static char name[20][16];

	w.in.nodes = 20;
	for (int i = 0; i < 20; i++) {
		snprintf(name[i], sizeof(name[i]), "x%d", i);
		w.n[i] = good(name[i]);
		dead(i);
	}
	w.n[19].up = w.n[19].known = w.n[19].has_cert = true;
	w.n[19].cert_days = -1;
	verdict(&w.in, &w.out);
	cr_expect_eq(w.out.n, VERDICT_REASONS);
	cr_expect_eq(w.out.more, 21 - VERDICT_REASONS);
	/* found last, when there was no room any more */
	cr_expect(strstr(w.out.reason[1].text, "x19 has run out"), "%s",
		  w.out.reason[1].text);
	cr_expect(strstr(w.out.reason[0].text, "only x19 takes calls"));
}

Test(verdict, long_names_are_cut, .init = setup)
{
	static char name[300];

	memset(name, 'n', sizeof(name) - 1);
	w.n[0].name = name;
	dead(0);
	verdict(&w.in, &w.out);
	cr_assert_geq(w.out.n, 1);
	cr_expect_lt(strlen(w.out.reason[0].text), VERDICT_TEXT);
	cr_expect(strstr(w.out.reason[0].text, "nnn is down"));
}
