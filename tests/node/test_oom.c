/* No memory, at each place where a node asks for some: nothing crashes, leaks
 * or stays open, and the next request is served. */
#include "tests/node/rig.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define OPEN "auth = \"off\";\n"
#define ALICE "<sip:alice@example.com>"
#define BOB "<sip:bob@example.com>"

static unsigned long asked, fail_at;   /* 0 = never fails                   */
static bool fail_on;                   /* and all after it                  */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void)
{
	if (!rig_in_core)
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

static void drop(struct rig *r)
{
	while (rig_take(r) >= 0)
		;
}

/* Take the requests that go out and answer each */
static void play(struct rig *r, const unsigned *codes, unsigned n)
{
	struct rig_leg legs[4];
	unsigned have = 0;
	int code;

	while (have < 4 && (code = rig_take(r)) >= 0) {
		struct sip_fault f;

		if (code || r->out.m.meth != SIP_INVITE)
			continue;
		legs[have].req = blob_ref(r->out.blob);
		legs[have].flow = r->out.flow;
		cr_assert(!sip_scan(&legs[have].m, legs[have].req->p,
				    legs[have].req->n, false, &f));
		have++;
	}
	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < have; k++)
			rig_answer(r, &legs[k], codes[i], "b", "X: y\r\n");
	}
	for (unsigned k = 0; k < have; k++)
		rig_leg_free(&legs[k]);
	drop(r);
}

static void call(struct rig *r, const char *id)
{
	rig_req(r, "INVITE", "sip:bob@example.com", ALICE, BOB, id, 1, "");
}

static void scenario(struct rig *r)
{
	static const unsigned answered[] = { 180, 200 };
	static const unsigned busy[] = { 486 };
	static const unsigned asks[] = { 401 };

	rig_req(r, "REGISTER", "sip:example.com", BOB, BOB, "reg", 1,
		"Contact: <sip:bob@10.0.0.1>, <sip:bob@10.0.0.2>\r\n"
		"Path: " PATH("tok") "\r\n");
	drop(r);
	call(r, "a");
	play(r, answered, 2);
	call(r, "b");
	play(r, busy, 1);
	call(r, "c");
	play(r, asks, 1);
	call(r, "d");
	drop(r);
	rig_same(r, "CANCEL", "sip:bob@example.com", ALICE, BOB, "d", 1,
		 "Reason: x\r\n");
	drop(r);
	core_lost(r->core, &r->edge, 104, r->now, r->wall);
	rig_req(r, "REGISTER", "sip:example.com", BOB, BOB, "reg", 2,
		"Contact: *\r\nExpires: 0\r\n");
	drop(r);
	rig_req(r, "OPTIONS", "sip:127.0.0.11", ALICE, ALICE, "o", 1,
		"Require: x\r\n");
	drop(r);
	rig_pass(r, 400000);
	drop(r);
}

static unsigned long run(unsigned long at, bool on)
{
	struct rig *r = rig_new(OPEN, "");

	asked = 0;
	fail_on = on;
	fail_at = at;
	scenario(r);
	fail_at = 0;
	rig_pass(r, 400000);
	drop(r);
	cr_expect(core_open(r->core) == 0, "open at %lu", at);
	cr_expect(rig_stat(r, "node_forks", NULL) == 0, "forks at %lu", at);
	cr_expect(rig_register(r, "carol", "<sip:c@h>", "t", 1) == 200,
		  "after %lu", at);
	rig_free(r);
	return asked;
}

Test(oom, one_at_a_time, .timeout = 300)
{
	unsigned long n = run(0, false);

	cr_assert(n > 50, "%lu", n);
	for (unsigned long at = 1; at <= n; at++)
		(void)run(at, false);
}

Test(oom, from_here_on, .timeout = 300)
{
	unsigned long n = run(0, false);

	for (unsigned long at = 1; at <= n; at++)
		(void)run(at, true);
}
