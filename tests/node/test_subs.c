/* Users of a database: the cache, and requests that wait for a look-up. */
#include "tests/node/rig.h"
#include "base/secret.h"
#include "sip/auth.h"
#include <criterion/criterion.h>
#include <stdio.h>

#define ALICE "<sip:alice@example.com>"
#define NAME SL("alice@example.com")
#define SQL "users = \"sql\";\nreplicate_ack = 0;\nauth_delay = 0;\n"

static const uint8_t key[32] = "test";
static const struct subs_conf small = { 4, 60000, 5000, 600000 };

static struct subs *make(void)
{
	struct subs *s = NULL;

	cr_assert(subs_alloc(&s, &small, key) == 0);
	return s;
}

static bool asks(struct subs *s, struct sl name)
{
	struct sl n;

	return subs_ask(s, &n) && sl_eq(n, name);
}

static bool tell(struct subs *s, struct sl name, bool found, uint64_t now)
{
	struct subs_answer a = { .found = found };

	if (found)
		a.ha1[AUTH_MD5] = SL("0123456789abcdef0123456789abcdef");
	return subs_told(s, name, &a, now);
}

static void learn(struct subs *s, struct sl name, bool found, uint64_t now)
{
	cr_assert(subs_want(s, name));
	cr_assert(asks(s, name));
	cr_assert(tell(s, name, found, now));
}

static struct subs_view look(struct subs *s, struct sl name, uint64_t now)
{
	struct subs_view v;

	subs_view(s, name, now, &v);
	return v;
}

Test(subs, a_yes_holds_for_its_time)
{
	struct subs *s = make();

	cr_expect(!look(s, NAME, 1000).user);
	learn(s, NAME, true, 1000);
	cr_expect(look(s, NAME, 60999).yes);
	cr_expect(!look(s, NAME, 61000).yes);
	cr_expect(look(s, NAME, 61000).user, "for when nobody answers");
	cr_expect(look(s, NAME, 600999).user);
	cr_expect(!look(s, NAME, 601000).user);
	cr_expect(!look(s, NAME, 1000).no, "it never says no of itself");
	subs_free(s);
}

Test(subs, a_no_holds_for_its_time_of_both_kinds)
{
	struct subs *s = make();

	cr_assert(subs_want(s, NAME));
	cr_assert(asks(s, NAME));
	cr_assert(tell(s, NAME, true, 1000));
	learn(s, SL("nobody@x"), false, 1000);
	cr_expect(!look(s, SL("nobody@x"), 1000).no, "none has been said");
	subs_no(s, NAME, 1000);
	subs_no(s, SL("nobody@x"), 1000);
	cr_expect(look(s, NAME, 5999).no);
	cr_expect(look(s, SL("nobody@x"), 5999).no);
	cr_expect(!look(s, NAME, 6000).no);
	cr_expect(!look(s, SL("nobody@x"), 6000).no);
	subs_free(s);
}

Test(subs, one_look_up_for_all_who_ask)
{
	struct subs *s = make();
	struct sl n;

	for (unsigned i = 0; i < 100; i++)
		cr_expect(subs_want(s, NAME));
	cr_expect(asks(s, NAME));
	cr_expect(!subs_ask(s, &n));
	cr_expect(tell(s, NAME, true, 1000));
	subs_free(s);
}

Test(subs, who_is_used_is_looked_up_before_his_time_is_over)
{
	struct subs *s = make();
	struct sl n;

	learn(s, NAME, true, 1000);
	(void)look(s, NAME, 45999);
	cr_expect(!subs_ask(s, &n));
	(void)look(s, NAME, 46000);
	(void)look(s, NAME, 46001);
	cr_expect(asks(s, NAME));
	cr_expect(!subs_ask(s, &n), "once");
	cr_expect(tell(s, NAME, true, 46002));
	cr_expect(look(s, NAME, 106001).yes, "he never waits");
	subs_free(s);
}

Test(subs, who_is_gone_is_gone)
{
	struct subs *s = make();

	learn(s, NAME, true, 1000);
	learn(s, NAME, false, 2000);
	cr_expect(!look(s, NAME, 2000).user);
	cr_expect(subs_stats(s)->known == 0);
	cr_expect(subs_stats(s)->none == 1);
	subs_free(s);
}

Test(subs, names_made_up_push_out_no_user)
{
	struct subs *s = make();
	char name[32];

	learn(s, NAME, true, 1000);
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "n%u@x", i);
		learn(s, sl_cstr(name), false, 1000);
	}
	cr_expect(subs_stats(s)->none == 2);
	cr_expect(look(s, NAME, 1000).yes);
	for (unsigned i = 0; i < 5; i++) {
		(void)snprintf(name, sizeof(name), "u%u@x", i);
		(void)look(s, NAME, 1000);
		learn(s, sl_cstr(name), true, 1000);
	}
	cr_expect(subs_stats(s)->known == 4);
	cr_expect(look(s, NAME, 1000).yes, "who is used stays");
	cr_expect(!look(s, SL("u0@x"), 1000).user, "the oldest has gone");
	subs_free(s);
}

Test(subs, while_nobody_answers_one_is_asked_and_none_waits)
{
	static const struct subs_answer no = { .failed = true };
	struct subs *s = make();
	struct sl n;

	learn(s, NAME, true, 1000);
	cr_assert(subs_want(s, SL("b@x")));
	cr_assert(asks(s, SL("b@x")));
	cr_expect(subs_told(s, SL("b@x"), &no, 2000));
	cr_expect(subs_stats(s)->away == 1);
	cr_expect(!subs_want(s, SL("b@x")), "do not wait");
	cr_expect(!subs_want(s, SL("c@x")));
	cr_expect(asks(s, SL("b@x")));
	cr_expect(!subs_ask(s, &n));
	cr_expect(subs_told(s, SL("b@x"), &no, 3000));
	cr_expect(look(s, NAME, 300000).user);
	cr_expect(subs_stats(s)->none == 0 && subs_stats(s)->known == 1,
		  "a failure is no answer");
	cr_expect(!subs_want(s, NAME));
	cr_expect(asks(s, NAME));
	cr_expect(tell(s, NAME, true, 4000));
	cr_expect(subs_stats(s)->away == 0);
	cr_expect(subs_want(s, SL("c@x")), "all as before");
	subs_free(s);
}

Test(subs, look_ups_under_way_are_bounded)
{
	struct subs *s = make();
	unsigned n = 0;
	char name[32];

	for (unsigned i = 0; i < 10000; i++) {
		(void)snprintf(name, sizeof(name), "n%u@x", i);
		n += subs_want(s, sl_cstr(name));
	}
	cr_expect(n == SUBS_ASKED_MAX);
	cr_expect(subs_stats(s)->refused == 10000 - SUBS_ASKED_MAX);
	subs_free(s);
}

Test(subs, who_has_changed_is_looked_up_anew)
{
	struct subs *s = make();
	struct sl n;

	learn(s, NAME, true, 1000);
	subs_drop(s, NAME);
	cr_expect(!look(s, NAME, 1000).yes);
	/* changed while he was being looked up: what comes may be old */
	cr_assert(subs_want(s, NAME));
	cr_assert(asks(s, NAME));
	subs_drop(s, SL_NONE);
	subs_drop(s, NAME);
	cr_expect(!tell(s, NAME, true, 2000));
	cr_expect(!look(s, NAME, 2000).yes);
	cr_assert(asks(s, NAME));
	cr_expect(tell(s, NAME, true, 3000));
	cr_expect(look(s, NAME, 3000).yes);
	subs_drop(s, SL_NONE);
	cr_expect(!look(s, NAME, 3000).yes);
	cr_expect(look(s, NAME, 3000).user, "for when nobody answers");
	cr_expect(!subs_ask(s, &n));
	subs_free(s);
}

/* --- requests ---------------------------------------------------------------- */

/* What the database says of alice with this password; NULL: no such user */
static void db_says(struct rig *r, const char *name, const char *pass)
{
	char hex[AUTH_ALG_N][AUTH_HEX_MAX + 1];
	struct subs_answer a = { .found = pass };

	for (unsigned i = 0; pass && i < AUTH_ALG_N; i++) {
		auth_ha1(hex[i], i, SL("alice"), SL("example.com"),
			 sl_cstr(pass));
		a.ha1[i] = sl_cstr(hex[i]);
	}
	core_user(r->core, sl_cstr(name), &a, r->now, r->wall);
}

static void db_fails(struct rig *r, const char *name)
{
	static const struct subs_answer a = { .failed = true };

	core_user(r->core, sl_cstr(name), &a, r->now, r->wall);
}

/* @return somebody is to be looked up; his name is in r->text */
static bool asked(struct rig *r)
{
	struct sl n;

	if (!core_ask_user(r->core, &n))
		return false;
	cr_assert(n.n < sizeof(r->text));
	(void)snprintf(r->text, sizeof(r->text), "%.*s", SL_FMT(n));
	return true;
}

static const char *nonce_of(struct rig *r)
{
	static char txt[128];
	const char *p = strstr(rig_hdr(r, r->out.m.status == 401
				       ? "WWW-Authenticate"
				       : "Proxy-Authenticate"), "nonce=\"");

	cr_assert(p, "no nonce");
	(void)snprintf(txt, sizeof(txt), "%.*s", (int)strcspn(p + 7, "\""),
		       p + 7);
	return txt;
}

static char last_call[32];

/* A request with credentials; it may wait */
static void say(struct rig *r, const char *method, const char *user,
		const char *pass)
{
	static unsigned n;
	bool reg = !strcmp(method, "REGISTER");
	const char *ruri = reg ? "sip:example.com" : "sip:alice@example.com";
	char ha1[AUTH_HEX_MAX + 1], resp[AUTH_HEX_MAX + 1], txt[1024];
	char nonce[128], *call = last_call;
	struct auth_cred c = { .username = sl_cstr(user),
			       .realm = SL("example.com"),
			       .uri = sl_cstr(ruri) };

	(void)snprintf(last_call, sizeof(last_call), "c%u", ++n);
	rig_req(r, method, ruri, ALICE, ALICE, call, 1, "");
	cr_assert(rig_final(r) == (reg ? 401 : 407));
	(void)snprintf(nonce, sizeof(nonce), "%s", nonce_of(r));
	c.nonce = sl_cstr(nonce);
	auth_ha1(ha1, AUTH_MD5, c.username, c.realm, sl_cstr(pass));
	auth_response(resp, &c, sl_cstr(ha1), sl_cstr(method));
	(void)snprintf(txt, sizeof(txt), "%s: Digest username=\"%s\", "
		       "realm=\"example.com\", nonce=\"%s\", uri=\"%s\", "
		       "response=\"%s\"\r\n", reg ? "Authorization"
		       : "Proxy-Authorization", user, nonce, ruri, resp);
	rig_req(r, method, ruri, ALICE, ALICE, call, 2, txt);
}

static int reg(struct rig *r, const char *user, const char *pass)
{
	say(r, "REGISTER", user, pass);
	return rig_final(r);
}

/* Alice is known from now on */
static struct rig *with_alice(void)
{
	struct rig *r = rig_new(SQL, "");

	cr_assert(reg(r, "alice", "pw") == -1);
	cr_assert(asked(r));
	db_says(r, "alice@example.com", "pw");
	cr_assert(rig_final(r) == 200);
	return r;
}

Test(wait, a_register_waits_for_the_look_up)
{
	struct rig *r = rig_new(SQL, "");

	cr_expect(reg(r, "alice", "pw") == -1, "no answer yet");
	cr_expect(asked(r));
	cr_expect_str_eq(r->text, "alice@example.com");
	cr_expect(!asked(r));
	cr_expect(core_open(r->core) == 1);
	db_says(r, "alice@example.com", "pw");
	cr_expect(rig_final(r) == 200);
	cr_expect(core_open(r->core) == 0);
	cr_expect(reg(r, "alice", "pw") == 200, "known by now");
	cr_expect(!asked(r));
	rig_free(r);
}

Test(wait, known_and_unknown_users_wait_alike)
{
	struct rig *r = with_alice();
	size_t wrong;

	r->branch = 1000;
	cr_expect(reg(r, "alice", "wrong") == -1);
	cr_assert(asked(r));
	db_says(r, "alice@example.com", "pw");
	cr_expect(rig_final(r) == 401);
	wrong = r->out.blob->n;
	cr_expect(reg(r, "alike", "wrong") == -1);
	cr_assert(asked(r));
	db_says(r, "alike@example.com", NULL);
	cr_expect(rig_final(r) == 401);
	cr_expect(r->out.blob->n == wrong);
	cr_expect(rig_stat(r, "node_auth_wrong_total", NULL) == 2);
	/* and at once again, both do not */
	cr_expect(reg(r, "alice", "wrong") == 401);
	cr_expect(reg(r, "alike", "wrong") == 401);
	rig_free(r);
}

Test(wait, a_new_password_opens_at_once)
{
	struct rig *r = with_alice();

	cr_expect(reg(r, "alice", "new") == -1, "what we know says no");
	cr_assert(asked(r));
	db_says(r, "alice@example.com", "new");
	cr_expect(rig_final(r) == 200);
	cr_expect(reg(r, "alice", "pw") == -1, "and the old one no more");
	cr_assert(asked(r));
	db_says(r, "alice@example.com", "new");
	cr_expect(rig_final(r) == 401);
	rig_free(r);
}

Test(wait, who_is_not_asked_about_for_long_is_looked_up_again)
{
	struct rig *r = with_alice();

	rig_pass(r, 60000);
	cr_expect(reg(r, "alice", "pw") == -1);
	cr_assert(asked(r));
	db_says(r, "alice@example.com", NULL);
	cr_expect(rig_final(r) == 401, "deleted meanwhile");
	rig_free(r);
}

Test(wait, while_the_database_is_away_known_users_are_served)
{
	struct rig *r = with_alice();

	rig_pass(r, 3600000);
	cr_expect(reg(r, "alice", "pw") == -1);
	cr_expect(core_next(r->core) <= r->now + 250);
	rig_pass(r, 249);
	cr_expect(rig_take(r) == -1);
	rig_pass(r, 1);
	cr_expect(rig_final(r) == 200, "by what was known");
	cr_expect(rig_stat(r, "node_users_away", NULL) == 1);
	for (unsigned i = 0; i < 10; i++)
		cr_expect(reg(r, "alice", "pw") == 200, "nobody waits now");
	cr_expect(rig_stat(r, "node_auth_by_old_total", NULL) == 11);
	cr_assert(asked(r));
	cr_expect(!asked(r), "one is asked");
	db_fails(r, "alice@example.com");
	cr_expect(reg(r, "alice", "pw") == 200);
	cr_assert(asked(r));
	db_says(r, "alice@example.com", "pw");
	cr_expect(rig_stat(r, "node_users_away", NULL) == 0);
	cr_expect(reg(r, "alice", "pw") == 200);
	cr_expect(rig_stat(r, "node_auth_by_old_total", NULL) == 12);
	rig_free(r);
}

Test(wait, while_it_is_away_nobody_is_told_that_his_password_is_wrong)
{
	struct rig *r = with_alice();

	cr_expect(reg(r, "nobody", "pw") == -1);
	cr_assert(asked(r));
	db_fails(r, "nobody@example.com");
	cr_expect(rig_final(r) == 500);
	cr_expect_str_neq(rig_hdr(r, "Retry-After"), "");
	cr_expect(reg(r, "alice", "wrong") == 500, "a user we know: the same");
	cr_expect(reg(r, "nobody", "pw") == 500);
	cr_expect(rig_stat(r, "node_auth_wrong_total", NULL) == 0);
	cr_expect(rig_stat(r, "node_auth_unsure_total", NULL) == 3);
	rig_free(r);
}

Test(wait, an_old_yes_ends)
{
	struct rig *r = rig_new(SQL "users_cache = { keep = 100; };\n", "");

	cr_assert(reg(r, "alice", "pw") == -1);
	cr_assert(asked(r));
	db_says(r, "alice@example.com", "pw");
	cr_assert(rig_final(r) == 200);
	rig_pass(r, 99000);
	cr_expect(reg(r, "alice", "pw") == -1);
	cr_assert(asked(r));
	db_fails(r, "alice@example.com");
	cr_expect(rig_final(r) == 200);
	rig_pass(r, 2000);
	cr_expect(reg(r, "alice", "pw") == 500);
	rig_free(r);
}

Test(wait, all_who_wait_for_one_user_go_on_together)
{
	struct rig *r = rig_new(SQL, "");

	for (unsigned i = 0; i < 20; i++)
		cr_expect(reg(r, "alice", "pw") == -1);
	cr_assert(asked(r));
	cr_expect(!asked(r));
	cr_expect(reg(r, "other", "pw") == -1);
	db_says(r, "alice@example.com", "pw");
	for (unsigned i = 0; i < 20; i++)
		cr_expect(rig_final(r) == 200, "%u", i);
	cr_expect(rig_final(r) == -1);
	cr_expect(core_open(r->core) == 1);
	rig_pass(r, 250);
	cr_expect(rig_final(r) == 500);
	rig_free(r);
}

Test(wait, an_invite_that_waits_can_be_cancelled)
{
	struct rig *r = rig_new(SQL, "");

	say(r, "INVITE", "alice", "pw");
	cr_expect(rig_take(r) == 100);
	cr_expect(rig_take(r) == -1);
	rig_same(r, "CANCEL", "sip:alice@example.com", ALICE, ALICE,
		 last_call, 2, "");
	cr_expect(rig_take(r) == 200, "to the CANCEL");
	cr_expect(rig_take(r) == 487);
	cr_expect(core_open(r->core) == 0);
	cr_assert(asked(r));
	db_says(r, "alice@example.com", "pw");
	cr_expect(rig_take(r) == -1);
	rig_pass(r, 1000);
	rig_free(r);
}

Test(wait, an_invite_goes_on_to_the_callee)
{
	struct rig *r = with_alice();
	struct rig_leg leg;

	cr_assert(reg(r, "alice", "pw") == 200);
	r->cf.auth = NODE_AUTH_OFF;
	cr_assert(rig_register(r, "alice", "<sip:a@h>", "t", 1) == 200);
	r->cf.auth = NODE_AUTH_ON;
	rig_pass(r, 60000);
	say(r, "INVITE", "alice", "pw");
	cr_expect(rig_take(r) == 100);
	cr_expect(rig_take(r) == -1);
	cr_assert(asked(r));
	db_says(r, "alice@example.com", "pw");
	rig_leg(r, &leg, "INVITE");
	cr_expect(!sl_isset(sip_first(&leg.m, SIP_PROXY_AUTHORIZATION)));
	rig_leg_free(&leg);
	rig_free(r);
}

Test(wait, a_copy_of_a_request_that_waits_is_the_same_request)
{
	struct rig *r = rig_new(SQL, "");
	char copy[65536];
	size_t n;

	cr_expect(reg(r, "alice", "pw") == -1);
	n = strlen(r->text);
	memcpy(copy, r->text, n);
	rig_raw(r, copy, n);
	cr_assert(asked(r));
	db_says(r, "alice@example.com", "pw");
	cr_expect(rig_final(r) == 200);
	cr_expect(rig_final(r) == -1);
	rig_free(r);
}

Test(wait, no_more_wait_than_there_is_room)
{
	struct rig *r = rig_new(SQL, "");
	char name[32];
	unsigned now = 0;

	for (unsigned i = 0; i < 4100; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		now += reg(r, name, "pw") == 500;
	}
	cr_expect(now == 4, "%u", now);
	rig_pass(r, 300);
	for (unsigned i = 0; i < 4096; i++)
		cr_assert(rig_final(r) == 500);
	rig_free(r);
}

/* --- the callee, when a route would take his calls outside --- */

#define WAY "routes = ( { prefix = \"+49\"; peers = ( \"gw1\" ); } );\n"
#define PEER "Edgewise-From-Peer: pbx\r\n"

static void dial(struct rig *r, const char *callid)
{
	rig_req(r, "INVITE", "sip:+49891@example.com", "<sip:x@pbx.example>",
		"<sip:+49891@example.com>", callid, 1, PEER);
}

static bool leaves(struct rig *r)
{
	struct rig_leg l;

	rig_leg(r, &l, "INVITE");
	rig_leg_free(&l);
	return !strcmp(rig_hdr(r, "Edgewise-To-Peer"), "gw1;last");
}

Test(wait, a_call_that_may_leave_waits_until_its_callee_is_looked_up)
{
	struct rig *r = rig_new(SQL WAY, "");

	dial(r, "c1");
	cr_expect(rig_take(r) == 100);
	cr_expect(rig_take(r) == -1, "nothing leaves before");
	cr_assert(asked(r));
	db_says(r, "+49891@example.com", "pw");
	cr_expect(rig_final(r) == 480, "a user of ours");
	dial(r, "c2");
	cr_expect(rig_final(r) == 480, "known by now");
	rig_free(r);

	r = rig_new(SQL WAY, "");
	dial(r, "c1");
	cr_expect(rig_take(r) == 100);
	cr_assert(asked(r));
	db_says(r, "+49891@example.com", NULL);
	cr_expect(leaves(r), "nobody of ours");
	rig_free(r);
}

Test(wait, calls_leave_while_the_database_is_away)
{
	struct rig *r = rig_new(SQL WAY, "");

	dial(r, "c1");
	cr_expect(rig_take(r) == 100);
	cr_assert(asked(r));
	db_fails(r, "+49891@example.com");
	cr_expect(leaves(r));
	/* nor does one wait for ever */
	rig_free(r);
	r = rig_new(SQL WAY, "");
	dial(r, "c2");
	cr_expect(rig_take(r) == 100);
	rig_pass(r, 5000);
	cr_expect(leaves(r));
	rig_free(r);
}
