/* test_gen.c - the call generator before a mirror */
#include "tests/drill/world.h"
#include <criterion/criterion.h>

static const struct gen_call *one(struct mirror *m, uint32_t ring,
				  uint32_t talk)
{
	cr_assert_eq(gen_dial(m->g, 0, 1, ring, talk, m->now), 0);
	return gen_call(m->g, gen_calls(m->g) - 1);
}

Test(gen, a_call_rings_is_answered_and_ends)
{
	struct mirror m;
	const struct gen_call *c;

	mirror_start(&m, true);
	c = one(&m, 300, 700);
	mirror_run(&m, 100);
	cr_assert_eq(c->stage, GEN_RINGING);
	mirror_run(&m, 300);
	cr_assert_eq(c->stage, GEN_TALKING);
	mirror_run(&m, 6000);
	cr_assert_eq(c->stage, GEN_DONE);
	cr_assert_eq(c->rang, c->sent);
	cr_assert_eq(c->answered, c->sent + 300);
	cr_assert_eq(c->bye, c->answered + 700);
	cr_assert_eq(c->invites, 1);
	cr_assert_eq(c->answers, 1);
	cr_assert_not(c->ghost);
	cr_assert_eq(gen_live(m.g), 0);
	mirror_stop(&m);
}

Test(gen, a_challenge_is_answered_and_kept)
{
	struct mirror m;

	mirror_start(&m, false);
	m.challenge = true;
	gen_register(m.g, 0, m.now);
	mirror_run(&m, 10);
	cr_assert_eq(gen_registered(m.g), 1);
	cr_assert_eq(m.registers, 2);
	cr_assert(strstr(m.auth, "algorithm=SHA-256"));
	cr_assert(strstr(m.auth, "nc=00000001"));
	gen_register(m.g, 0, m.now);
	mirror_run(&m, 10);
	cr_assert_eq(m.registers, 3, "no second challenge");
	cr_assert(strstr(m.auth, "nc=00000002"));
	mirror_stop(&m);
}

Test(gen, the_digest_is_right)
{
	struct mirror m;
	struct auth_cred c;
	char ha1[AUTH_HEX_MAX + 1];

	mirror_start(&m, false);
	m.challenge = true;
	gen_register(m.g, 1, m.now);
	mirror_run(&m, 10);
	cr_assert_eq(auth_cred_parse(&c, sl_cstr(m.auth)), 0);
	auth_ha1(ha1, AUTH_SHA256, SL("drill-1"), SL("r"), SL("pw1"));
	cr_assert(auth_check(&c, sl_cstr(ha1), SL("REGISTER")));
	mirror_stop(&m);
}

Test(gen, a_refused_register_counts_and_is_tried_again)
{
	struct mirror m;

	mirror_start(&m, false);
	m.refuse_reg = 503;
	gen_register(m.g, 0, m.now);
	mirror_run(&m, 10);
	cr_assert_eq(gen_figures(m.g)->reg_refused, 1);
	cr_assert_eq(gen_registered(m.g), 0);
	m.refuse_reg = 0;
	mirror_run(&m, 1000);
	cr_assert_eq(gen_registered(m.g), 1);
	mirror_stop(&m);
}

Test(gen, a_phone_that_leaves_is_not_registered_and_stays_so)
{
	struct mirror m;

	mirror_start(&m, true);
	gen_leave(m.g, 1, m.now);
	cr_assert_not(gen_left(m.g, 1), "before its answer");
	mirror_run(&m, 10);
	cr_assert(gen_left(m.g, 1));
	cr_assert_not(gen_left(m.g, 0));
	cr_assert_eq(m.expires, 0);
	cr_assert_eq(gen_registered(m.g), 1);
	mirror_run(&m, 10000);
	cr_assert_eq(gen_registered(m.g), 1);
	mirror_stop(&m);
}

Test(gen, who_could_not_leave_tries_again)
{
	struct mirror m;

	mirror_start(&m, true);
	m.refuse_reg = 503;
	gen_leave(m.g, 1, m.now);
	mirror_run(&m, 10);
	cr_assert_not(gen_left(m.g, 1));
	m.refuse_reg = 0;
	mirror_run(&m, 1000);
	cr_assert(gen_left(m.g, 1));
	mirror_stop(&m);
}

Test(gen, held_phones_do_not_register_by_themselves)
{
	struct mirror m;

	mirror_start(&m, false);
	m.refuse_reg = 503;
	gen_register(m.g, 0, m.now);
	mirror_run(&m, 10);
	m.refuse_reg = 0;
	gen_hold(m.g, true);
	mirror_run(&m, 5000);
	cr_assert_eq(gen_registered(m.g), 0);
	gen_hold(m.g, false);
	mirror_run(&m, 10);
	cr_assert_eq(gen_registered(m.g), 1);
	mirror_stop(&m);
}

Test(gen, a_refusal_is_a_lost_call_with_its_code)
{
	struct mirror m;
	const struct gen_call *c;

	mirror_start(&m, true);
	m.refuse = 503;
	c = one(&m, 100, 100);
	mirror_run(&m, 10);
	cr_assert_eq(c->stage, GEN_LOST);
	cr_assert_eq(c->why, GEN_W_REFUSED);
	cr_assert_eq(c->code, 503);
	mirror_stop(&m);
}

Test(gen, silence_is_a_lost_call_when_the_caller_gives_up)
{
	struct mirror m;
	const struct gen_call *c;

	mirror_start(&m, true);
	m.eat_invite = true;
	c = one(&m, 100, 100);
	mirror_run(&m, 4900);
	cr_assert_eq(c->stage, GEN_SENT);
	mirror_run(&m, 200);
	cr_assert_eq(c->stage, GEN_LOST);
	cr_assert_eq(c->why, GEN_W_SILENT);
	cr_assert_eq(c->invites, 0);
	mirror_stop(&m);
}

Test(gen, a_second_INVITE_at_a_phone_is_seen)
{
	struct mirror m;
	const struct gen_call *c;

	mirror_start(&m, true);
	m.twice = true;
	c = one(&m, 300, 100);
	mirror_run(&m, 10);
	cr_assert_eq(c->invites, 2);
	mirror_stop(&m);
}

Test(gen, a_copy_of_an_INVITE_is_no_second_one)
{
	struct mirror m;
	const struct gen_call *c;

	mirror_start(&m, true);
	m.eat_invite = true;
	c = one(&m, 300, 100);
	mirror_run(&m, 10);
	m.eat_invite = false;
	mirror_run(&m, 8000);
	cr_assert_eq(c->invites, 1);
	cr_assert_eq(c->stage, GEN_DONE);
	mirror_stop(&m);
}

Test(gen, a_phone_that_rings_on_for_nobody_is_a_ghost)
{
	struct mirror m;
	const struct gen_call *c;

	mirror_start(&m, true);
	m.eat_cancel = m.eat_ringing = true;
	c = one(&m, 9000, 100);
	mirror_run(&m, 5100);
	cr_assert_eq(c->stage, GEN_LOST);
	mirror_run(&m, 9000);
	cr_assert(c->ghost);
	mirror_stop(&m);
}

Test(gen, a_phone_has_two_seconds_to_stop)
{
	struct mirror m;
	const struct gen_call *c;

	mirror_start(&m, true);
	m.eat_cancel = m.eat_ringing = true;
	c = one(&m, 5500, 100);
	mirror_run(&m, 6900);
	cr_assert_eq(c->stage, GEN_LOST);
	cr_assert_not(c->ghost);
	mirror_run(&m, 200);
	cr_assert(c->ghost);
	mirror_stop(&m);
}

Test(gen, a_phone_that_is_cancelled_is_no_ghost)
{
	struct mirror m;
	const struct gen_call *c;

	mirror_start(&m, true);
	m.eat_ringing = true;
	c = one(&m, 9000, 100);
	mirror_run(&m, 15000);
	cr_assert_eq(c->stage, GEN_LOST);
	cr_assert_eq(m.cancels, 1);
	cr_assert_not(c->ghost);
	mirror_stop(&m);
}

Test(gen, a_BYE_without_answer_loses_the_call)
{
	struct mirror m;
	const struct gen_call *c;

	mirror_start(&m, true);
	m.eat_bye = true;
	c = one(&m, 50, 100);
	mirror_run(&m, 9000);
	cr_assert_eq(c->stage, GEN_LOST);
	cr_assert_eq(c->why, GEN_W_BYE);
	mirror_stop(&m);
}

Test(gen, an_ACK_that_never_comes_loses_the_call)
{
	struct mirror m;
	const struct gen_call *c;

	mirror_start(&m, true);
	m.eat_ack = true;
	c = one(&m, 50, 100);
	mirror_run(&m, 9000);
	cr_assert_eq(c->stage, GEN_LOST);
	cr_assert_eq(c->why, GEN_W_ACK);
	mirror_stop(&m);
}

Test(gen, a_mark_keeps_the_stage_of_each_call)
{
	struct mirror m;
	const struct gen_call *a, *b;

	mirror_start(&m, true);
	b = one(&m, 20, 5000);
	mirror_run(&m, 100);
	a = one(&m, 1000, 100);
	gen_mark(m.g);
	mirror_run(&m, 100);
	cr_assert(a->marked && b->marked);
	cr_assert_eq(a->at_mark, GEN_SENT);
	cr_assert_eq(b->at_mark, GEN_TALKING);
	cr_assert_eq(a->stage, GEN_RINGING);
	mirror_stop(&m);
}

Test(gen, only_calls_that_would_go_on_are_hung_up)
{
	struct mirror m;
	const struct gen_call *a, *b;

	mirror_start(&m, true);
	a = one(&m, 20, 500);
	b = one(&m, 20, 9000);
	mirror_run(&m, 100);
	cr_assert_eq(gen_hangup(m.g, 5, 2000, m.now), 1);
	cr_assert_eq(a->stage, GEN_TALKING);
	cr_assert_eq(b->stage, GEN_BYE);
	mirror_stop(&m);
}

Test(gen, Call_IDs_name_their_call_and_no_other)
{
	struct mirror m;
	char txt[64];
	uint32_t i = 9;

	mirror_start(&m, true);
	(void)one(&m, 10, 10);
	cr_assert(gen_by_callid(m.g, sl_cstr(gen_callid(m.g, 0, txt)), &i));
	cr_assert_eq(i, 0);
	cr_assert_not(gen_by_callid(m.g, SL("drill-abc-1"), &i));
	cr_assert_not(gen_by_callid(m.g, SL("drill-abd-0"), &i));
	cr_assert_not(gen_by_callid(m.g, SL("other"), &i));
	mirror_stop(&m);
}

Test(gen, rubbish_does_no_harm)
{
	struct mirror m;

	mirror_start(&m, true);
	gen_recv(m.g, &m.flow, SL("\r\n\r\n"), m.now);
	gen_recv(m.g, &m.flow, SL("INVITE x SIP/2.0\r\n\r\n"), m.now);
	gen_recv(m.g, &m.flow, SL("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch"
		 "=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2"
		 "\r\nCall-ID: drill-abc-99\r\nCSeq: 1 INVITE\r\n\r\n"), m.now);
	cr_assert_eq(gen_registered(m.g), 2);
	mirror_stop(&m);
}
