/* test_cert.c - which certificates a node takes for its own, and what the name
 * in a peer's is worth. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include "base/clk.h"
#include "base/net.h"
#include "base/secret.h"
#include "cluster/mesh.h"
#include "live.h"
#include "pki.h"

static struct pki ca, other, own;
static struct cert_err e;

static void init(void)
{
	pki_ca(&ca, "CA one");
	pki_ca(&other, "CA two");
	pki_node(&own, "n1", &ca);
}

static void fini(void)
{
	pki_free(&ca);
	pki_free(&other);
	pki_free(&own);
}

TestSuite(cert, .init = init, .fini = fini, .timeout = 60);

static int load(const char *cas, const char *cert, const char *key)
{
	struct cert *c = NULL;
	int err;

	memset(&e, 0, sizeof(e));
	err = cert_alloc(&c, sl_cstr(cas), sl_cstr(cert), sl_cstr(key),
			 clk_wall(), &e);
	cr_assert_eq(c != NULL, err == 0);
	cert_free(c);
	return err;
}

/* A certificate as w says, under our CA, with its own key */
static int load_made(const struct pki_want *w)
{
	struct pki p;
	int err;

	pki_make(&p, w, &ca);
	err = load(ca.cert, p.cert, p.pem);
	pki_free(&p);
	return err;
}

Test(cert, a_right_one_says_its_name_issuer_and_end)
{
	struct cert *c = pki_cert(ca.cert, &own, clk_wall());
	const struct cert_info *i = cert_info(c);
	uint64_t now = clk_wall();

	cr_expect_str_eq(i->name, "n1");
	cr_expect_str_eq(i->issuer, "CN=CA one");
	cr_expect(i->not_after > now + 86000000 &&
		  i->not_after <= now + 86400000);
	cr_expect(i->not_before < now - 86000000);
	cr_expect_eq(strlen(i->until), 20);
	cr_expect_eq(i->until[19], 'Z');
	cert_free(c);
}

Test(cert, its_end_is_that_of_a_ca_that_ends_sooner)
{
	const struct pki_want w = { .cn = "short", .ca = true,
				    .from = -PKI_DAY, .to = 3600 };
	struct pki s, p;
	struct cert *c;

	pki_make(&s, &w, NULL);
	pki_node(&p, "n1", &s);
	c = pki_cert(s.cert, &p, clk_wall());
	cr_expect_lt(cert_info(c)->not_after, clk_wall() + 3700000);
	cert_free(c);
	pki_free(&s);
	pki_free(&p);
}

Test(cert, another_ca_alone_does_not_do_but_two_together_do)
{
	char both[8192];

	cr_expect_eq(load(other.cert, own.cert, own.pem), EBADMSG);
	cr_expect_eq(e.part, CERT_OWN);
	cr_expect(strstr(e.why, "vouches"), "%s", e.why);
	(void)snprintf(both, sizeof(both), "%s%s", other.cert, ca.cert);
	cr_expect_eq(load(both, own.cert, own.pem), 0, "%s", e.why);
}

Test(cert, another_key_is_named)
{
	cr_expect_eq(load(ca.cert, own.cert, ca.pem), EBADMSG);
	cr_expect_eq(e.part, CERT_KEY);
	cr_expect(strstr(e.why, "not the key"), "%s", e.why);
}

Test(cert, an_intermediate_ca_is_carried_along_or_believed_itself)
{
	const struct pki_want w = { .cn = "between", .ca = true };
	char chain[8192];
	struct pki m, p;

	pki_make(&m, &w, &ca);
	pki_node(&p, "n1", &m);
	cr_expect_eq(load(ca.cert, p.cert, p.pem), EBADMSG);
	(void)snprintf(chain, sizeof(chain), "%s%s", p.cert, m.cert);
	cr_expect_eq(load(ca.cert, chain, p.pem), 0, "%s", e.why);
	cr_expect_eq(load(m.cert, p.cert, p.pem), 0, "%s", e.why);
	pki_free(&m);
	pki_free(&p);
}

Test(cert, time_counts)
{
	const char *san = "URI:urn:edgewise:node:n1";

	cr_expect_eq(load_made(&(struct pki_want){ .cn = "n1", .san = san,
		.from = -2 * PKI_DAY, .to = -PKI_DAY }), EBADMSG);
	cr_expect(strstr(e.why, "ran out on 20"), "%s", e.why);
	cr_expect_eq(load_made(&(struct pki_want){ .cn = "n1", .san = san,
		.from = PKI_DAY, .to = 2 * PKI_DAY }), EBADMSG);
	cr_expect(strstr(e.why, "not valid before 20"), "%s", e.why);
}

Test(cert, both_ends_of_a_link_must_be_allowed)
{
	const char *san = "URI:urn:edgewise:node:n1";

	cr_expect_eq(load_made(&(struct pki_want){ .cn = "n1", .san = san,
		.eku = "serverAuth" }), EBADMSG);
	cr_expect(strstr(e.why, "client"), "%s", e.why);
	cr_expect_eq(load_made(&(struct pki_want){ .cn = "n1", .san = san,
		.eku = "clientAuth" }), EBADMSG);
	cr_expect(strstr(e.why, "server"), "%s", e.why);
}

Test(cert, exactly_one_right_name_is_wanted)
{
	static const struct { const char *san; int err; } row[] = {
		{ NULL, EBADMSG },
		{ "DNS:n1", EBADMSG },
		{ "URI:urn:edgewise:other:n1", EBADMSG },
		{ "URI:urn:edgewise:node:", EBADMSG },
		{ "URI:urn:edgewise:node:-n1", EBADMSG },
		{ "URI:urn:edgewise:node:n 1", EBADMSG },
		{ "URI:urn:edgewise:node:n1/x", EBADMSG },
		{ "URI:URN:edgewise:node:n1", EBADMSG },
		{ "URI:urn:edgewise:node:n1,URI:urn:edgewise:node:n2",
		  EBADMSG },
		{ "URI:urn:edgewise:node:n1,URI:urn:edgewise:node:n1",
		  EBADMSG },
		{ "URI:urn:edgewise:node:"
		  "0123456789012345678901234567890123456789012345678901234567"
		  "890123", EBADMSG },
		{ "URI:urn:edgewise:node:"
		  "0123456789012345678901234567890123456789012345678901234567"
		  "89012", 0 },
		{ "DNS:host.example,URI:urn:edgewise:node:n1,URI:http://x",
		  0 },
		{ "URI:urn:edgewise:node:Node_1.b-c", 0 },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		cr_expect_eq(load_made(&(struct pki_want){ .cn = "n1",
			     .san = row[i].san }), row[i].err, "%s: %s",
			     row[i].san ? row[i].san : "none", e.why);
}

Test(cert, what_is_no_ca_is_not_believed)
{
	cr_expect_eq(load(own.cert, own.cert, own.pem), EBADMSG);
	cr_expect_eq(e.part, CERT_CA);
	cr_expect(strstr(e.why, "not a CA's"), "%s", e.why);
}

Test(cert, texts_that_are_none_are_named)
{
	char cut[4096];

	cr_expect_eq(load("", own.cert, own.pem), EBADMSG);
	cr_expect_eq(e.part, CERT_CA);
	cr_expect_eq(load(ca.cert, "nonsense", own.pem), EBADMSG);
	cr_expect_eq(e.part, CERT_OWN);
	cr_expect_eq(load(ca.cert, own.cert, own.cert), EBADMSG);
	cr_expect_eq(e.part, CERT_KEY);
	(void)snprintf(cut, sizeof(cut), "%.200s", own.cert);
	cr_expect_eq(load(ca.cert, cut, own.pem), EBADMSG);
	cr_expect_eq(e.part, CERT_OWN);
	cr_expect(strstr(e.why, "damaged"), "%s", e.why);
}

Test(cert, an_encrypted_key_asks_nobody)
{
	BIO *b = BIO_new(BIO_s_mem());
	char pem[4096];

	cr_assert_eq(PEM_write_bio_PKCS8PrivateKey(b, own.key,
		     EVP_aes_128_cbc(), "pass", 4, NULL, NULL), 1);
	pem[BIO_read(b, pem, sizeof(pem) - 1)] = 0;
	BIO_free(b);
	cr_expect_eq(load(ca.cert, own.cert, pem), EBADMSG);
	cr_expect_eq(e.part, CERT_KEY);
	cr_expect(strstr(e.why, "encrypted"), "%s", e.why);
}

Test(cert, more_cas_than_the_limit_are_refused)
{
	static char all[(CERT_CAS + 1) * 4096];

	for (int i = 0; i <= CERT_CAS; i++)
		strcat(all, ca.cert);
	cr_expect_eq(load(all, own.cert, own.pem), EBADMSG);
	cr_expect(strstr(e.why, "more than"), "%s", e.why);
}

/* --- the name, in the mesh ----------------------------------------------- */

struct hearer {
	struct mesh *m;
	struct store *s;
};

static void hearer_start(struct hearer *x)
{
	struct mesh_conf mc = { .node = 1, .incarnation = 5, .heartbeat = 500,
				.dead = 3000, .max_expires = 3600 };
	struct store_conf sc = { .node = 1, .max_records = 100,
		.max_per_aor = 20, .max_expires = 3600, .guard = 10000 };

	cr_assert_eq(secret_init(), 0);
	memcpy(mc.name, "n1", 3);
	cr_assert_eq(store_alloc(&x->s, &sc, 1000), 0);
	cr_assert_eq(mesh_alloc(&x->m, &mc, x->s, 1, 1000, 1000), 0);
}

static void hearer_stop(struct hearer *x)
{
	mesh_free(x->m);
	store_free(x->s);
}

/* Its HELLO on a new link whose certificate names `cert`. @return code of the
 * ERROR that it gets, 0 = none */
static uint16_t hello(struct hearer *x, const char *cert, const char *name,
		      uint64_t node)
{
	struct wire_hello h = { .min = 1, .max = 1, .node = node,
		.incarnation = 9, .max_expires = 3600, .canon = WIRE_CANON };
	uint8_t l = mesh_up(x->m, MESH_NONE, 1000);
	struct wire_head head = { .version = 1, .type = WIRE_HELLO };
	struct wire_error we = { 0 };
	struct mesh_out o;
	size_t total;
	struct buf b;

	memcpy(h.name, name, strlen(name) + 1);
	mesh_named(x->m, l, cert);
	buf_init(&b, 65536);
	wire_hello_encode(&b, &h);
	mesh_recv(x->m, l, &head, sl_sub(buf_as_sl(&b), WIRE_HEAD, b.n), 1000,
		  1000);
	buf_free(&b);
	while (mesh_poll(x->m, &o))
		if (o.kind == MESH_CLOSE && o.link == l &&
		    !wire_frame(sl_mk(o.last, o.n), WIRE_MAX, &head, &total) &&
		    head.type == WIRE_ERROR)
			cr_assert_eq(wire_error_decode(&we, sl_sub(
				sl_mk(o.last, o.n), WIRE_HEAD, total)), 0);
	return we.code;
}

Test(cert, a_peer_has_the_name_of_its_certificate_or_no_link)
{
	struct hearer x;

	hearer_start(&x);
	cr_expect_eq(hello(&x, "n2", "n3", 3), WIRE_E_IDENTITY);
	cr_expect_eq(hello(&x, "n2", "", 3), WIRE_E_IDENTITY);
	cr_expect_eq(hello(&x, "n2", "N2", 3), WIRE_E_IDENTITY);
	cr_expect_eq(mesh_stats(x.m)->refused, 3);
	cr_expect_eq(mesh_count(x.m), 1, "it became a member");
	cr_expect_eq(hello(&x, "n2", "n2", 2), 0);
	cr_expect_eq(hello(&x, "", "any.name", 4), 0, "by key any name does");
	hearer_stop(&x);
}

Test(cert, nobody_takes_the_place_of_a_linked_member)
{
	struct hearer x;

	hearer_start(&x);
	cr_expect_eq(hello(&x, "n2", "n2", 2), 0);
	cr_expect_eq(hello(&x, "n3", "n3", 2), WIRE_E_IDENTITY);
	cr_expect_neq(mesh_link(x.m, 2), MESH_NONE, "n2 lost its link");
	hearer_stop(&x);
}

/* --- real links ---------------------------------------------------------- */

static struct live a, b;

static bool linked(const void *arg)
{
	return cluster_alive(a.c) == 1 && cluster_alive(b.c) == 1;
}

static bool refused(const void *arg)
{
	uint64_t n = 0;

	return stat_get(a.st, "cluster_refused_total", NULL, &n) && n > 1;
}

static void start_both(const struct pki *second)
{
	struct cert *c = pki_cert(ca.cert, &own, clk_wall());
	struct cert *d = pki_cert(ca.cert, second, clk_wall());
	uint8_t key[32];

	cr_assert_eq(secret_init(), 0);
	cr_assert_eq(net_init(256), 0);
	live_key(key, 1);
	live_start_as(&a, 1, key, NULL, 0, c);
	live_start_as(&b, 2, key, &a, 1, d);
	cert_free(c);
	cert_free(d);
}

Test(cert, nodes_with_certificates_replicate)
{
	uint64_t w = clk_wall();
	struct pki n2;

	pki_node(&n2, "n2", &ca);
	start_both(&n2);
	cr_assert(live_until(linked, NULL, 10000));
	cr_assert_eq(store_put(a.s, SL("u"), SL("k"), 1, 1, w + 600000,
			       SL("v"), w), 0);
	cluster_flush(a.c);
	for (uint64_t t = clk_now() + 10000; clk_now() < t &&
	     !store_count(b.s, SL("u"), clk_wall());)
		(void)live_until(linked, NULL, 1);
	cr_assert_eq(store_count(b.s, SL("u"), clk_wall()), 1);
	live_stop(&a);
	live_stop(&b);
	pki_free(&n2);
}

Test(cert, a_node_with_the_certificate_of_another_is_refused)
{
	struct pki n3;

	pki_node(&n3, "n3", &ca);
	start_both(&n3);        /* the second one calls itself n2 */
	cr_assert(live_until(refused, NULL, 10000));
	cr_assert_eq(cluster_alive(a.c) + cluster_alive(b.c), 0);
	live_stop(&a);
	live_stop(&b);
	pki_free(&n3);
}
