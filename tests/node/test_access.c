/* Who may do what: sources, domains, digest, whose address. */
#include "tests/node/rig.h"
#include "base/secret.h"
#include "node/location.h"
#include "sip/auth.h"
#include <criterion/criterion.h>
#include <stdio.h>

#define ALICE "<sip:alice@example.com>"
#define BOB "<sip:bob@example.com>"
#define BOTH "domains = ( { name = \"example.com\"; " \
	"algorithms = ( \"MD5\", \"SHA-256\" ); } );\n"

/* alice: pw-a, bob: pw-b, in both algorithms */
static const char *users(void)
{
	static const char *const who[][2] = {
		{ "alice", "pw-a" }, { "bob", "pw-b" }
	};
	static char txt[512];
	char md5[AUTH_HEX_MAX + 1], sha[AUTH_HEX_MAX + 1];
	size_t n = 0;

	for (unsigned i = 0; i < 2; i++) {
		auth_ha1(md5, AUTH_MD5, sl_cstr(who[i][0]), SL("example.com"),
			 sl_cstr(who[i][1]));
		auth_ha1(sha, AUTH_SHA256, sl_cstr(who[i][0]),
			 SL("example.com"), sl_cstr(who[i][1]));
		n += (size_t)snprintf(txt + n, sizeof(txt) - n,
				      "%s@example.com:%s:%s\n", who[i][0], md5,
				      sha);
	}
	return txt;
}

struct login {
	const char *user, *pass, *uri;
	enum auth_alg alg;
	const char *nonce;       /* NULL: of the last challenge */
	unsigned nc;             /* 0: each time a new one      */
	bool old;                /* as RFC 2069: no qop, no nc  */
};

/* The nonce of the challenge in the last answer */
static const char *nonce_of(struct rig *r)
{
	static char txt[128];
	const char *p = strstr(rig_hdr(r, r->out.m.status == 401
				       ? "WWW-Authenticate"
				       : "Proxy-Authenticate"), "nonce=\"");
	size_t n;

	cr_assert(p, "no nonce");
	p += 7;
	n = strcspn(p, "\"");
	cr_assert(n < sizeof(txt));
	memcpy(txt, p, n);
	txt[n] = 0;
	return txt;
}

static const char *login_hdr(const char *name, const char *method,
			     const struct login *l)
{
	static char txt[1024];
	static unsigned count;
	char ha1[AUTH_HEX_MAX + 1], resp[AUTH_HEX_MAX + 1], nc[9];
	struct auth_cred c = {
		.username = sl_cstr(l->user), .realm = SL("example.com"),
		.nonce = sl_cstr(l->nonce), .uri = sl_cstr(l->uri),
		.alg = l->alg,
	};

	(void)snprintf(nc, sizeof(nc), "%08x", l->nc ? l->nc : ++count);
	if (!l->old) {
		c.cnonce = SL("abcd");
		c.nc = sl_cstr(nc);
		c.qop = SL("auth");
	}

	auth_ha1(ha1, l->alg, c.username, c.realm, sl_cstr(l->pass));
	auth_response(resp, &c, sl_cstr(ha1), sl_cstr(method));
	(void)snprintf(txt, sizeof(txt), "%s: Digest username=\"%s\", "
		       "realm=\"example.com\", nonce=\"%s\", uri=\"%s\", "
		       "response=\"%s\", algorithm=%s%s%s\r\n", name,
		       l->user, l->nonce, l->uri, resp,
		       auth_alg_name(l->alg),
		       l->old ? "" : ", cnonce=\"abcd\", qop=auth, nc=",
		       l->old ? "" : nc);
	return txt;
}

/* The same with a CSeq of its own */
static int reg_at(struct rig *r, const char *from, const char *to,
		  unsigned cseq, const struct login *l)
{
	rig_req(r, "REGISTER", "sip:example.com", from, to, "reg", cseq,
		l ? login_hdr("Authorization", "REGISTER", l) : "");
	return rig_final(r);
}

/* REGISTER of To by From, with these credentials (NULL: none) */
static int reg(struct rig *r, const char *from, const char *to,
	       const struct login *l)
{
	static unsigned cseq = 1000;     /* of equal length */

	return reg_at(r, from, to, ++cseq, l);
}

/* The nonce of the challenge to a REGISTER of Alice's, kept in `txt`: the next
 * answer overwrites what nonce_of() gave */
static const char *challenged(struct rig *r, char txt[128])
{
	cr_assert(reg(r, ALICE, ALICE, NULL) == 401);
	(void)snprintf(txt, 128, "%s", nonce_of(r));
	return txt;
}

static int reg_as(struct rig *r, const char *user, const char *pass)
{
	struct login l = { user, pass, "sip:example.com", AUTH_MD5, NULL, 0,
			   false };

	cr_assert(reg(r, ALICE, ALICE, NULL) == 401);
	l.nonce = nonce_of(r);
	return reg(r, ALICE, ALICE, &l);
}

Test(access, register_is_challenged_with_the_domain_as_realm)
{
	struct rig *r = rig_new("", users());

	cr_expect(reg(r, ALICE, ALICE, NULL) == 401);
	cr_expect(strstr(rig_hdr(r, "WWW-Authenticate"),
			 "realm=\"example.com\""));
	cr_expect(!strstr(rig_hdr(r, "WWW-Authenticate"), "stale=true"));
	cr_expect(rig_count(r, "WWW-Authenticate") == 1, "MD5 alone");
	rig_free(r);
}

Test(access, the_right_password_opens)
{
	struct rig *r = rig_new("", users());

	cr_expect(reg_as(r, "alice", "pw-a") == 200);
	cr_expect(rig_stat(r, "node_auth_passed_total", NULL) == 1);
	rig_free(r);
}

Test(access, sha256_where_the_domain_offers_it)
{
	struct login l = { "alice", "pw-a", "sip:example.com", AUTH_SHA256,
			   NULL, 0, false };
	struct rig *r = rig_new(BOTH, users());

	cr_assert(reg(r, ALICE, ALICE, NULL) == 401);
	cr_expect(rig_count(r, "WWW-Authenticate") == 2);
	cr_expect(strstr(rig_hdr(r, "WWW-Authenticate"), "SHA-256"),
		  "strongest first");
	l.nonce = nonce_of(r);
	cr_expect(reg(r, ALICE, ALICE, &l) == 200);
	rig_free(r);
	r = rig_new("", users());
	cr_assert(reg(r, ALICE, ALICE, NULL) == 401);
	l.nonce = nonce_of(r);
	cr_expect(reg(r, ALICE, ALICE, &l) == 401, "not offered");
	rig_free(r);
}

Test(access, wrong_password_and_unknown_user_look_the_same)
{
	struct rig *r = rig_new("", users());
	size_t known, unknown;

	cr_expect(reg_as(r, "alice", "wrong") == 401);
	known = r->out.blob->n;
	cr_expect(!strstr(rig_hdr(r, "WWW-Authenticate"), "stale=true"));
	cr_expect(reg_as(r, "alike", "wrong") == 401);
	unknown = r->out.blob->n;
	cr_expect(known == unknown);
	cr_expect(rig_stat(r, "node_auth_wrong_total", NULL) == 2);
	rig_free(r);
}

Test(access, old_nonce_is_stale_only_with_the_right_password)
{
	struct login l = { "alice", "pw-a", "sip:example.com", AUTH_MD5,
			   NULL, 0, false };
	struct rig *r = rig_new("nonce_age = 100;\n", users());
	char old[128];

	l.nonce = challenged(r, old);
	rig_pass(r, 99000);
	cr_expect(reg(r, ALICE, ALICE, &l) == 200);
	rig_pass(r, 2000);
	cr_expect(reg(r, ALICE, ALICE, &l) == 401);
	cr_expect(strstr(rig_hdr(r, "WWW-Authenticate"), "stale=true"));
	l.pass = "wrong";
	cr_expect(reg(r, ALICE, ALICE, &l) == 401);
	cr_expect(!strstr(rig_hdr(r, "WWW-Authenticate"), "stale=true"));
	rig_free(r);
}

Test(access, a_nonce_we_never_made_does_not_open)
{
	struct login l = { "alice", "pw-a", "sip:example.com", AUTH_MD5,
			   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0, false };
	struct rig *r = rig_new("", users());

	cr_expect(reg(r, ALICE, ALICE, &l) == 401);
	rig_free(r);
}

Test(access, any_node_takes_the_nonce_of_any_other)
{
	struct login l = { "alice", "pw-a", "sip:example.com", AUTH_MD5,
			   NULL, 0, false };
	struct rig *a = rig_new("", users()), *b = rig_new("", users());

	cr_assert(reg(a, ALICE, ALICE, NULL) == 401);
	l.nonce = nonce_of(a);
	cr_expect(reg(b, ALICE, ALICE, &l) == 200);
	rig_free(a);
	rig_free(b);
}

static bool is_stale(struct rig *r)
{
	return strstr(rig_hdr(r, "WWW-Authenticate"), "stale=true");
}

/* first, second: what fills a key; 0 = no second one */
static void rekey(struct rig *r, uint8_t first, uint8_t second)
{
	struct keyset k = { .n = second ? 2 : 1 };

	memset(k.key[0], first, sizeof(k.key[0]));
	memset(k.key[1], second, sizeof(k.key[1]));
	memset(k.base, 7, sizeof(k.base));
	core_rekey(r->core, &k);
}

Test(access, a_nonce_is_good_while_its_key_counts)
{
	struct login l = { "alice", "pw-a", "sip:example.com", AUTH_MD5,
			   NULL, 0, false };
	struct rig *a = rig_new("", users()), *b = rig_new("", users());

	/* a is ahead of b */
	rekey(a, 9, 7);
	rekey(b, 7, 9);
	cr_assert(reg(a, ALICE, ALICE, NULL) == 401);
	l.nonce = nonce_of(a);
	cr_expect(reg(b, ALICE, ALICE, &l) == 200);
	cr_assert(reg(b, ALICE, ALICE, NULL) == 401);
	l.nonce = nonce_of(b);
	cr_expect(reg(a, ALICE, ALICE, &l) == 200);
	rekey(a, 9, 0);
	cr_assert(reg(b, ALICE, ALICE, NULL) == 401);
	l.nonce = nonce_of(b);
	cr_expect(reg(a, ALICE, ALICE, &l) == 401);
	cr_expect(is_stale(a), "a phone must try again by itself");
	l.nonce = nonce_of(a);
	cr_expect(reg(a, ALICE, ALICE, &l) == 200);
	rig_free(a);
	rig_free(b);
}

Test(access, a_nonce_is_for_the_source_it_was_sent_to)
{
	struct login l = { "alice", "pw-a", "sip:example.com", AUTH_MD5,
			   NULL, 0, false };
	struct rig *r = rig_new("", users());
	char old[128];

	l.nonce = challenged(r, old);
	r->client = "192.0.2.66";
	cr_expect(reg(r, ALICE, ALICE, &l) == 401);
	cr_expect(is_stale(r), "a phone that moved asks again by itself");
	l.pass = "wrong";
	cr_expect(reg(r, ALICE, ALICE, &l) == 401);
	cr_expect(is_stale(r), "nothing is told about the password");
	cr_expect(rig_stat(r, "node_auth_wrong_total", NULL) == 0);
	cr_expect(rig_stat(r, "node_auth_foreign_nonces_total", NULL) == 2);
	r->client = "192.0.2.7";
	l.pass = "pw-a";
	cr_expect(reg(r, ALICE, ALICE, &l) == 200);
	rig_free(r);
}

Test(access, an_ipv6_phone_may_take_another_address_of_its_network)
{
	struct login l = { "alice", "pw-a", "sip:example.com", AUTH_MD5,
			   NULL, 0, false };
	struct rig *r = rig_new("", users());
	char old[128];

	r->client = "2001:db8:1:2::aa";
	l.nonce = challenged(r, old);
	r->client = "2001:db8:1:2:1:2:3:4";
	cr_expect(reg(r, ALICE, ALICE, &l) == 200);
	r->client = "2001:db8:1:3::aa";
	cr_expect(reg(r, ALICE, ALICE, &l) == 401);
	rig_free(r);
}

Test(access, a_count_opens_once)
{
	struct login l = { "alice", "pw-a", "sip:example.com", AUTH_MD5,
			   NULL, 1, false };
	struct rig *r = rig_new("", users());
	char old[128];

	l.nonce = challenged(r, old);
	cr_expect(reg_at(r, ALICE, ALICE, 101, &l) == 200);
	cr_expect(reg_at(r, ALICE, ALICE, 102, &l) == 401);
	cr_expect(is_stale(r));
	cr_expect(rig_stat(r, "node_auth_replayed_total", NULL) == 1);
	l.nc = 2;
	cr_expect(reg_at(r, ALICE, ALICE, 103, &l) == 200);
	rig_free(r);
}

Test(access, the_same_request_again_passes)
{
	struct login l = { "alice", "pw-a", "sip:example.com", AUTH_MD5,
			   NULL, 1, false };
	struct rig *r = rig_new("", users());
	char old[128];

	l.nonce = challenged(r, old);
	cr_expect(reg_at(r, ALICE, ALICE, 101, &l) == 200);
	cr_expect(reg_at(r, ALICE, ALICE, 101, &l) == 200,
		  "on another branch, as after a failover");
	cr_expect(rig_stat(r, "node_auth_repeated_total", NULL) == 1);
	rig_free(r);
}

Test(access, without_a_count_the_nonce_opens_once)
{
	struct login l = { "alice", "pw-a", "sip:example.com", AUTH_MD5,
			   NULL, 0, true };
	struct rig *r = rig_new("", users());
	char old[128];

	l.nonce = challenged(r, old);
	cr_expect(reg_at(r, ALICE, ALICE, 101, &l) == 200);
	cr_expect(reg_at(r, ALICE, ALICE, 102, &l) == 401);
	cr_expect(is_stale(r));
	rig_free(r);
}

Test(access, two_nodes_never_make_the_same_nonce)
{
	struct rig *a = rig_new("", users()), *b;
	char one[128];

	(void)challenged(a, one);
	b = rig_with("", users(), 1);
	cr_assert(reg(b, ALICE, ALICE, NULL) == 401);
	cr_expect_str_neq(nonce_of(b), one);
	rig_free(a);
	rig_free(b);
}

/* Wrong passwords for user, n times, with a nonce of their own each */
static void guess_at(struct rig *r, const char *user, unsigned n)
{
	struct login l = { user, "guess", "sip:example.com", AUTH_MD5, NULL, 0,
			   false };

	while (n--) {
		cr_assert(reg(r, ALICE, ALICE, NULL) == 401);
		l.nonce = nonce_of(r);
		cr_assert(reg(r, ALICE, ALICE, &l) == 401);
		cr_assert(!is_stale(r));
	}
}

Test(access, a_guesser_is_not_listened_to_the_owner_is)
{
	struct rig *r = rig_new("", users());
	char more[1024];

	cr_assert(reg(r, ALICE, ALICE, NULL) == 401);
	(void)snprintf(more, sizeof(more), "Contact: <sip:alice@10.0.0.1>\r\n"
		       "Path: " PATH("t") "\r\n%s",
		       login_hdr("Authorization", "REGISTER", &(struct login){
			"alice", "pw-a", "sip:example.com", AUTH_MD5,
			nonce_of(r), 0, false }));
	rig_req(r, "REGISTER", "sip:example.com", ALICE, ALICE, "home", 1,
		more);
	cr_assert(rig_final(r) == 200);
	r->client = "198.51.100.9";
	guess_at(r, "alice", 4);
	cr_expect(rig_stat(r, "node_auth_wrong_total", NULL) == 4);
	cr_expect(reg_as(r, "alice", "pw-a") == 401, "not looked at");
	cr_expect(!is_stale(r));
	cr_expect(rig_stat(r, "node_auth_delayed_total", NULL) == 1);
	rig_pass(r, 1000);
	cr_expect(reg_as(r, "alice", "pw-a") == 200, "a second later");
	r->client = "192.0.2.7";
	cr_expect(reg_as(r, "alice", "pw-a") == 200, "the owner at home");
	r->client = "203.0.113.5";
	cr_expect(reg_as(r, "alice", "pw-a") == 200, "and abroad");
	rig_free(r);
}

/* As another node has it, or this one after a restart */
Test(access, where_a_phone_is_registered_from_is_known_by_its_contact)
{
	struct addr at = { 0 };
	struct rig *r = rig_new("auth = \"off\";\n", "");
	struct location l = { .store = r->store };

	r->client = "2001:db8:1:2::7";
	cr_assert(rig_register(r, "alice", "<sip:a@h>", "t", 1) == 200);
	cr_assert(addr_parse_ip(&at, SL("2001:db8:1:2:3::1")) == 0);
	cr_expect(location_from(&l, SL("alice@example.com"), &at,
				r->wall));
	cr_expect(!location_from(&l, SL("bob@example.com"), &at,
				 r->wall));
	cr_assert(addr_parse_ip(&at, SL("2001:db8:1:3::7")) == 0);
	cr_expect(!location_from(&l, SL("alice@example.com"), &at,
				 r->wall));
	rig_free(r);
}

Test(access, a_guesser_under_the_owners_address_closes_nothing)
{
	struct rig *r = rig_new("", users());

	guess_at(r, "alice", 4);
	cr_expect(reg_as(r, "alice", "pw-a") == 401);
	r->cf.auth = NODE_AUTH_OFF;      /* as if another node had told it */
	cr_assert(rig_register(r, "alice", "<sip:a@h>", "t", 1) == 200);
	r->cf.auth = NODE_AUTH_ON;
	guess_at(r, "alice", 100);
	cr_expect(rig_stat(r, "node_auth_wrong_total", NULL) == 104);
	cr_expect(reg_as(r, "alice", "pw-a") == 200, "never been right here");
	rig_free(r);
}

Test(access, what_is_not_looked_at_is_answered_like_what_is_wrong)
{
	struct rig *r = rig_new("", users());
	size_t wrong;

	r->branch = 1000;        /* of equal length */
	guess_at(r, "alice", 4);
	wrong = r->out.blob->n;
	guess_at(r, "alice", 1);
	cr_expect(rig_stat(r, "node_auth_delayed_total", NULL) == 1);
	cr_expect(r->out.blob->n == wrong);
	rig_free(r);
}

Test(access, an_unknown_user_is_counted_like_a_known_one)
{
	static const char *const fig[] = {
		"node_auth_wrong_total", "node_auth_delayed_total",
		"node_auth_challenged_total", "node_auth_stale_total",
		"node_auth_replayed_total", "node_auth_foreign_nonces_total",
	};
	struct rig *r = rig_new("", users()), *u = rig_new("", users());

	guess_at(r, "alice", 20);
	guess_at(u, "nobod", 20);
	cr_expect(r->out.blob->n == u->out.blob->n);
	for (unsigned i = 0; i < sizeof(fig) / sizeof(fig[0]); i++)
		cr_expect(rig_stat(r, fig[i], NULL) == rig_stat(u, fig[i],
								NULL),
			  "%s", fig[i]);
	rig_free(r);
	rig_free(u);
}

Test(access, a_source_that_is_made_up_harms_nobody)
{
	struct login l = { "alice", "guess", "sip:example.com", AUTH_MD5, NULL,
			   0, false };
	struct rig *r = rig_new("", users());
	char mine[128];

	r->client = "198.51.100.9";
	l.nonce = challenged(r, mine);
	r->client = "192.0.2.7";
	for (unsigned i = 0; i < 100; i++)
		cr_assert(reg(r, ALICE, ALICE, &l) == 401);
	cr_expect(rig_stat(r, "node_auth_wrong_total", NULL) == 0);
	cr_expect(reg_as(r, "alice", "pw-a") == 200);
	rig_free(r);
}

Test(access, auth_delay_0_listens_to_all)
{
	struct rig *r = rig_new("auth_delay = 0;\n", users());

	guess_at(r, "alice", 50);
	cr_expect(rig_stat(r, "node_auth_wrong_total", NULL) == 50);
	cr_expect(reg_as(r, "alice", "pw-a") == 200);
	rig_free(r);
}

Test(access, only_the_owner_registers_an_address)
{
	struct login l = { "alice", "pw-a", "sip:example.com", AUTH_MD5,
			   NULL, 0, false };
	struct rig *r = rig_new("", users());

	cr_assert(reg(r, ALICE, BOB, NULL) == 401);
	l.nonce = nonce_of(r);
	cr_expect(reg(r, ALICE, BOB, &l) == 403);
	cr_expect(reg(r, BOB, ALICE, &l) == 403);
	cr_expect(reg(r, "<sip:AL%49CE@example.com>", ALICE, &l) == 403);
	cr_expect(reg(r, "<sip:%61lice@EXAMPLE.com>", ALICE, &l) == 200);
	rig_free(r);
}

Test(access, credentials_for_another_uri_are_refused)
{
	struct login l = { "alice", "pw-a", "sip:other.org", AUTH_MD5, NULL, 0,
			   false };
	struct rig *r = rig_new("", users());

	cr_assert(reg(r, ALICE, ALICE, NULL) == 401);
	l.nonce = nonce_of(r);
	cr_expect(reg(r, ALICE, ALICE, &l) == 400);
	l.uri = "sip:EXAMPLE.com:5060";
	cr_expect(reg(r, ALICE, ALICE, &l) == 200, "same place");
	rig_free(r);
}

Test(access, odd_credentials_are_as_if_there_were_none)
{
	static const char *const bad[] = {
		"Authorization: NoOneKnowsThisScheme opaque-data=here\r\n",
		"Authorization: Basic YTpi\r\n",
		"Authorization: Digest\r\n",
		"Authorization: Digest username=\"alice\"\r\n",
		"Authorization: Digest username=\"alice, realm=\"x\"\r\n",
		"Authorization: Digest username=\"\", realm=\"example.com\", "
		"nonce=\"\", uri=\"\", response=\"\"\r\n",
		"Authorization: Digest username=\"a@b@c\", "
		"realm=\"example.com\", nonce=\"x\", uri=\"sip:x\", "
		"response=\"00000000000000000000000000000000\"\r\n",
	};
	struct rig *r = rig_new("", users());

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rig_req(r, "REGISTER", "sip:example.com", ALICE, ALICE, "r",
			i + 1, bad[i]);
		cr_expect(rig_final(r) == 401, "%s", bad[i]);
	}
	rig_free(r);
}

/* INVITE of bob with these credentials */
static void call(struct rig *r, const char *from, const struct login *l,
		 const char *more)
{
	static char txt[2048];
	static unsigned cseq;

	(void)snprintf(txt, sizeof(txt), "%s%s", more, l
		       ? login_hdr("Proxy-Authorization", "INVITE", l) : "");
	rig_req(r, "INVITE", "sip:bob@example.com", from, BOB, "call", ++cseq,
		txt);
}

Test(access, calls_are_challenged_407_and_credentials_stay_here)
{
	struct login l = { "alice", "pw-a", "sip:bob@example.com", AUTH_MD5,
			   NULL, 0, false };
	struct rig *r = rig_new("peers = ( \"192.0.2.8\" );\n", users());
	struct rig_leg a;

	cr_assert(reg_as(r, "alice", "pw-a") == 200);
	call(r, ALICE, NULL, "");
	cr_expect(rig_final(r) == 407);
	l.nonce = nonce_of(r);
	call(r, ALICE, &l, "");
	cr_expect(rig_final(r) == 480, "through to the look-up");
	rig_req(r, "REGISTER", "sip:example.com", BOB, BOB, "rb", 1,
		login_hdr("Authorization", "REGISTER", &(struct login){
			"bob", "pw-b", "sip:example.com", AUTH_MD5, l.nonce, 0, false }));
	cr_assert(rig_final(r) == 200);
	rig_req(r, "REGISTER", "sip:example.com", BOB, BOB, "rb", 2,
		"Contact: <sip:bob@10.0.0.1>\r\nPath: " PATH("t") "\r\n");
	cr_assert(rig_final(r) == 401);
	{
		char more[1024];

		(void)snprintf(more, sizeof(more), "Contact: "
			"<sip:bob@10.0.0.1>\r\nPath: " PATH("t") "\r\n%s",
			login_hdr("Authorization", "REGISTER",
				  &(struct login){ "bob", "pw-b",
				  "sip:example.com", AUTH_MD5, l.nonce, 0, false }));
		rig_req(r, "REGISTER", "sip:example.com", BOB, BOB, "rb", 3,
			more);
	}
	cr_assert(rig_final(r) == 200);
	call(r, ALICE, &l, "Proxy-Authorization: Digest username=\"z\", "
	     "realm=\"elsewhere\", nonce=\"n\", uri=\"sip:x\", "
	     "response=\"00000000000000000000000000000000\"\r\n");
	rig_leg(r, &a, "INVITE");
	cr_expect(rig_count(r, "Proxy-Authorization") == 1);
	cr_expect(rig_has(r, "elsewhere"));
	rig_leg_free(&a);
	call(r, ALICE, &l, "Proxy-Authorization: Digest username=\"alice\", "
	     "realm=\"EXAMPLE.com\", nonce=\"n\", uri=\"sip:x\", "
	     "response=\"00000000000000000000000000000000"
	     "00000000000000000000000000000000\", algorithm=SHA-256, "
	     "qop=auth, nc=00000001, cnonce=\"c\"\r\n");
	rig_leg(r, &a, "INVITE");
	cr_expect(rig_count(r, "Proxy-Authorization") == 0, "all of ours");
	rig_leg_free(&a);
	rig_free(r);
}

Test(access, from_must_be_the_callers)
{
	struct login l = { "alice", "pw-a", "sip:bob@example.com", AUTH_MD5,
			   NULL, 0, false };
	struct rig *r = rig_new("", users());

	call(r, BOB, NULL, "");
	cr_assert(rig_final(r) == 407);
	l.nonce = nonce_of(r);
	call(r, BOB, &l, "");
	cr_expect(rig_final(r) == 403);
	call(r, "<sip:alice@other.org>", &l, "");
	cr_expect(rig_final(r) == 403, "no guests");
	call(r, "<tel:+49301234>", &l, "");
	cr_expect(rig_final(r) == 403);
	call(r, "\"Anonymous\" <sip:anonymous@anonymous.invalid>", NULL, "");
	cr_expect(rig_final(r) == 407, "asked all the same");
	call(r, "\"Anonymous\" <sip:anonymous@anonymous.invalid>", &l, "");
	cr_expect(rig_final(r) == 480, "RFC 3323");
	rig_free(r);
}

Test(access, every_method_of_a_client_is_challenged)
{
	static const char *const m[] = {
		"OPTIONS", "MESSAGE", "SUBSCRIBE", "PUBLISH", "REFER", "NOTIFY",
		"INFO", "UPDATE", "PRACK", "BYE", "WHATEVER",
	};
	struct rig *r = rig_new("", users());

	for (unsigned i = 0; i < sizeof(m) / sizeof(m[0]); i++) {
		rig_req(r, m[i], "sip:bob@example.com", ALICE, BOB, m[i], 1,
			"");
		cr_expect(rig_final(r) == 407, "%s", m[i]);
		/* a To tag is no pass */
		rig_req(r, m[i], "sip:bob@example.com", ALICE, BOB ";tag=x",
			m[i], 2, "");
		cr_expect(rig_final(r) == 407, "%s with To tag", m[i]);
	}
	rig_free(r);
}

Test(access, ack_and_cancel_are_never_challenged)
{
	struct rig *r = rig_new("", users());

	rig_req(r, "ACK", "sip:bob@example.com", ALICE, BOB, "c", 1, "");
	cr_expect(rig_take(r) == -1);
	rig_req(r, "CANCEL", "sip:bob@example.com", ALICE, BOB, "c", 1, "");
	cr_expect(rig_take(r) == 481);
	rig_free(r);
}

Test(access, peers_are_not_challenged)
{
	struct rig *r = rig_new("peers = ( \"192.0.2.0/29\" );\n", users());

	rig_req(r, "INVITE", "sip:bob@example.com", "<sip:x@trunk.example>",
		BOB, "c", 1, "");
	cr_expect(rig_final(r) == 480);
	rig_free(r);
	r = rig_new("peers = ( \"10.0.0.7\" );\n", users());
	rig_req(r, "INVITE", "sip:bob@example.com", ALICE, BOB, "c", 1, "");
	cr_expect(rig_final(r) == 407, "what a Via claims is not its source");
	rig_free(r);
}

Test(access, auth_off_asks_nobody)
{
	struct rig *r = rig_new("auth = \"off\";\n", "");

	cr_expect(reg(r, ALICE, ALICE, NULL) == 200);
	rig_free(r);
}

Test(access, others_than_edges_get_no_answer)
{
	struct rig *r = rig_new("auth = \"off\";\n", "");

	cr_assert(addr_parse(&r->edge.peer, SL("127.0.0.2:5070"), 0) == 0);
	cr_expect(reg(r, ALICE, ALICE, NULL) == -1);
	cr_expect(r->closes == 1, "the stream is closed");
	cr_expect(rig_stat(r, "node_dropped_source_total", NULL) == 1);
	rig_free(r);
}

Test(access, edges_may_be_networks)
{
	struct rig *r = rig_new("auth = \"off\";\n"
				"edges = ( \"10.0.0.0/8\", \"2001:db8::/32\" "
				");\n", "");

	cr_assert(addr_parse(&r->edge.peer, SL("10.200.3.4:5070"), 0) == 0);
	cr_expect(reg(r, ALICE, ALICE, NULL) == 200);
	cr_assert(addr_parse(&r->edge.peer, SL("[2001:db8::9]:5070"), 0) == 0);
	cr_expect(reg(r, ALICE, ALICE, NULL) == 200);
	cr_assert(addr_parse(&r->edge.peer, SL("11.0.0.1:5070"), 0) == 0);
	cr_expect(reg(r, ALICE, ALICE, NULL) == -1);
	rig_free(r);
}
