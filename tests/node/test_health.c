/* What an edge is told in answers to its probes. */
#include "node/health.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct cluster_view v;
static char txt[HEALTH_MAX];

static struct cluster_member_view *add(const char *name, const char *sip)
{
	struct cluster_member_view *m = &v.m[v.n++];

	(void)snprintf(m->name, sizeof(m->name), "%s", name);
	m->node = v.n;
	m->self = v.n == 1;
	m->linked = !m->self;
	m->health = CLUSTER_ALIVE;
	m->state = CLUSTER_READY;
	cr_assert(addr_parse(&m->sip, sl_cstr(sip), 5060) == 0);
	return m;
}

static const char *text(uint32_t turn)
{
	const struct health h = { .state = "ready", .name = "n1",
		.progress = 100, .contacts = 17, .turn = turn, .view = &v };

	memset(txt, 'x', sizeof(txt));
	health_text(txt, &h);
	cr_assert(memchr(txt, 0, sizeof(txt)));
	return txt;
}

static const char *members(uint32_t turn)
{
	const char *p = strstr(text(turn), ";members=");

	return p ? p + 9 : "";
}

Test(health, names_who_is_alive_and_ready_with_its_sip_address)
{
	v.members = 7;
	v.alive = 5;
	add("n1", "127.0.0.11:5060");
	add("n2", "[2001:db8::2]:5062");
	add("n3", "127.0.0.13")->state = CLUSTER_JOINING;
	add("n4", "127.0.0.14")->state = CLUSTER_DRAINING;
	add("n5", "127.0.0.15")->health = CLUSTER_SUSPECT;
	add("n6", "127.0.0.16")->linked = false;
	add("n7", "127.0.0.17")->removed = true;
	add("n8", "127.0.0.18")->sip.af = 0;
	add("", "127.0.0.19");
	add("n/1@x,y;z=\"", "127.0.0.20")->lag_ms = 9;
	cr_expect_str_eq(text(0), "state=ready;progress=100;name=n1;"
		"contacts=17;count=7;alive=5;lag=9;told=yes;members="
		"n1@127.0.0.11:5060/TCP,n2@[2001:db8::2]:5062/TCP,"
		"n_1_x_y_z__@127.0.0.20:5060/TCP");
	v.m[0].state = CLUSTER_DRAINING;
	cr_expect(!strncmp(members(0), "n2@", 3), "who drains is not named");
}

Test(health, names_nobody_when_nobody_serves)
{
	add("n1", "127.0.0.11")->state = CLUSTER_JOINING;
	cr_expect(!strstr(text(0), "members="));
}

Test(health, at_most_twenty_and_only_whole_ones_all_in_turn)
{
	bool seen[32] = { false };
	char name[64], list[HEALTH_MAX], *p, *save;

	for (unsigned i = 0; i < 32; i++) {
		(void)snprintf(name, sizeof(name), "node-%02u-%050u", i, 0);
		add(name, "[2001:db8:1111:2222:3333:4444:5555:6666]:5060");
	}
	for (uint32_t turn = 0; turn < 32; turn++) {
		unsigned n = 0;

		(void)snprintf(list, sizeof(list), "%s", members(turn));
		for (p = strtok_r(list, ",", &save); p;
		     p = strtok_r(NULL, ",", &save)) {
			cr_expect(!strcmp(p + strlen(p) - 4, "/TCP"), "%s", p);
			seen[atoi(p + 5)] = true;
			n++;
		}
		cr_expect(n >= 5 && n <= HEALTH_MEMBERS, "%u", n);
	}
	for (unsigned i = 0; i < 32; i++)
		cr_expect(seen[i], "%u", i);
	v.n = 0;
	for (unsigned i = 0; i < 25; i++)
		add("n", "10.0.0.1");
	(void)snprintf(list, sizeof(list), "%s", members(0));
	cr_expect(strlen(list) == 20 * strlen("n@10.0.0.1:5060/TCP,") - 1);
}

Test(health, says_where_its_pages_are)
{
	struct health h = { .state = "ready", .name = "n1", .view = &v };

	cr_assert_eq(addr_parse(&h.http, SL("10.0.0.1:8061"), 0), 0);
	health_text(txt, &h);
	cr_expect(strstr(txt, ";http=10.0.0.1:8061"), "%s", txt);
	h.http.port = 0;
	health_text(txt, &h);
	cr_expect_null(strstr(txt, "http="), "%s", txt);
}
