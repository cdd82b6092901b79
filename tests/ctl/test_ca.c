#include "config.h"
#include <criterion/criterion.h>
#include <ftw.h>
#include <getopt.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clk.h"
#include "base/secret.h"
#include "cluster/cert.h"
#include "ctl/ctl.h"
#include "ctl/pki.h"

#define ARGS 12
#define DAY 86400000ull
static char dir[] = "/tmp/ew_ca_XXXXXX";

static void setup(void)
{
	if (secret_init() || !mkdtemp(dir))
		abort();
	if (!freopen("/dev/null", "w", stdout) ||
	    !freopen("/dev/null", "w", stderr))
		abort();
}

static int rm(const char *path, const struct stat *st, int type,
	      struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static void teardown(void)
{
	(void)nftw(dir, rm, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(ca, .init = setup, .fini = teardown, .timeout = 60);

/** Words split at blanks; a word that begins with @ is below our folder */
static int run(int (*cmd)(int argc, char **argv), const char *line)
{
	static char word[ARGS][200];
	char copy[512], *argv[ARGS + 1] = { NULL }, *save = NULL;
	int argc = 0;

	(void)snprintf(copy, sizeof(copy), "%s", line);
	for (char *w = strtok_r(copy, " ", &save); w && argc < ARGS;
	     w = strtok_r(NULL, " ", &save), argc++) {
		(void)snprintf(word[argc], sizeof(word[argc]), "%s%s",
			       *w == '@' ? dir : "", w + (*w == '@'));
		argv[argc] = word[argc];
	}
	optind = 0;
	return cmd(argc, argv);
}

static int ca(const char *line)
{
	return run(ctl_ca, line);
}

static const char *at(const char *name)
{
	static char path[4][200];
	static int i;

	i = (i + 1) % 4;
	(void)snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static char *content(const char *name)
{
	static char t[4][8192];
	static int i;
	FILE *f = fopen(at(name), "r");
	size_t n;

	i = (i + 1) % 4;
	n = f ? fread(t[i], 1, sizeof(t[i]) - 1, f) : 0;
	if (f)
		(void)fclose(f);
	t[i][n] = 0;
	return t[i];
}

static unsigned mode(const char *name)
{
	struct stat st;

	return stat(at(name), &st) ? 0 : st.st_mode & 0777;
}

static X509 *parse(const char *name)
{
	BIO *b = BIO_new_mem_buf(content(name), -1);
	X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);

	cr_assert(x, "%s", name);
	BIO_free(b);
	return x;
}

/** As a node takes it. @return NULL, or what is wrong */
static const char *taken(const char *ca_text, const char *node,
			 struct cert_info *info)
{
	static struct cert_err e;
	struct cert *c = NULL;
	char cert[100], key[100];

	(void)snprintf(cert, sizeof(cert), "%s.pem", node);
	(void)snprintf(key, sizeof(key), "%s.key", node);
	memset(&e, 0, sizeof(e));
	if (cert_alloc(&c, sl_cstr(ca_text), sl_cstr(content(cert)),
		       sl_cstr(content(key)), clk_wall(), &e))
		return e.why;
	if (info)
		*info = *cert_info(c);
	cert_free(c);
	return NULL;
}

Test(ca, what_is_issued_is_what_a_node_takes)
{
	struct cert_info i = { 0 };
	uint64_t now = clk_wall();

	cr_assert_eq(ca("ca init @/a"), CTL_OK);
	cr_assert_eq(ca("ca issue @/a n-1.x --days 100"), CTL_OK);
	cr_assert_null(taken(content("a/ca.pem"), "a/n-1.x", &i));
	cr_expect_str_eq(i.name, "n-1.x");
	cr_expect(!strncmp(i.issuer, "CN=Edgewise cluster CA 20", 25), "%s",
		  i.issuer);
	cr_expect(i.not_after > now + 99 * DAY
		  && i.not_after < now + 101 * DAY);
	cr_expect(i.not_before < now);
}

Test(ca, private_keys_are_private)
{
	cr_assert_eq(ca("ca init @/a"), CTL_OK);
	cr_assert_eq(ca("ca issue @/a n1 --out @/b"), CTL_OK);
	cr_expect_eq(mode("a"), 0700);
	cr_expect_eq(mode("a/ca.key"), 0600);
	cr_expect_eq(mode("a/ca.pem"), 0644);
	cr_expect_eq(mode("b"), 0700);
	cr_expect_eq(mode("b/n1.key"), 0600);
	cr_expect_eq(mode("b/n1.pem"), 0644);
	cr_expect_null(strstr(content("a/ca.pem"), "PRIVATE"));
	cr_expect_null(strstr(content("b/n1.pem"), "PRIVATE"));
}

Test(ca, nothing_is_overwritten)
{
	char one[8192], two[8192];

	cr_assert_eq(ca("ca init @/a"), CTL_OK);
	cr_assert_eq(ca("ca issue @/a n1"), CTL_OK);
	strcpy(one, content("a/ca.key"));
	strcpy(two, content("a/n1.pem"));
	cr_expect_eq(ca("ca init @/a"), CTL_BAD);
	cr_expect_eq(ca("ca issue @/a n1"), CTL_BAD);
	cr_expect_str_eq(content("a/ca.key"), one);
	cr_expect_str_eq(content("a/n1.pem"), two);
	/* one of the two is there: the other is not left behind */
	cr_assert_eq(unlink(at("a/n1.key")), 0);
	cr_expect_eq(ca("ca issue @/a n1"), CTL_BAD);
	cr_expect_eq(mode("a/n1.key"), 0);
	cr_expect_str_eq(content("a/n1.pem"), two);
}

Test(ca, a_certificate_is_never_valid_longer_than_its_ca)
{
	uint64_t from, to;
	X509 *x;

	cr_assert_eq(ca("ca init @/a --days 10"), CTL_OK);
	cr_assert_eq(ca("ca issue @/a n1 --days 100"), CTL_OK);
	x = parse("a/n1.pem");
	cert_times(&from, &to, x);
	cr_expect_lt(to, clk_wall() + 11 * DAY);
	cr_expect_gt(to, clk_wall() + 9 * DAY);
	X509_free(x);
}

Test(ca, each_key_and_number_is_new)
{
	X509 *x, *y;

	cr_assert_eq(ca("ca init @/a"), CTL_OK);
	cr_assert_eq(ca("ca issue @/a n1 --out @/b"), CTL_OK);
	cr_assert_eq(ca("ca issue @/a n1 --out @/c"), CTL_OK);
	x = parse("b/n1.pem");
	y = parse("c/n1.pem");
	cr_expect_neq(ASN1_INTEGER_cmp(X509_get0_serialNumber(x),
				       X509_get0_serialNumber(y)), 0);
	cr_expect_neq(EVP_PKEY_eq(X509_get0_pubkey(x), X509_get0_pubkey(y)),
		      1);
	X509_free(x);
	X509_free(y);
}

Test(ca, during_a_change_of_cas_a_bundle_takes_both)
{
	char bundle[16384];

	cr_assert_eq(ca("ca init @/a --name same"), CTL_OK);
	cr_assert_eq(ca("ca init @/b --name same"), CTL_OK);
	cr_assert_eq(ca("ca issue @/a n1"), CTL_OK);
	cr_assert_eq(ca("ca issue @/b n2"), CTL_OK);
	(void)snprintf(bundle, sizeof(bundle), "%s%s", content("b/ca.pem"),
		       content("a/ca.pem"));
	cr_expect_null(taken(bundle, "a/n1", NULL), "%s",
		       taken(bundle, "a/n1", NULL));
	cr_expect_null(taken(bundle, "b/n2", NULL), "%s",
		       taken(bundle, "b/n2", NULL));
	cr_expect_not_null(taken(content("b/ca.pem"), "a/n1", NULL));
}

Test(ca, a_ca_that_is_damaged_or_ran_out_issues_nothing)
{
	struct pki_pair p = { 0 }, q = { 0 };
	uint64_t now = clk_wall();

	cr_assert_null(pki_ca(&p, "x", 1, now - 2 * DAY));
	cr_expect_not_null(pki_node(&q, buf_as_sl(&p.cert), buf_as_sl(&p.key),
				    "n1", 1, now));
	cr_expect_null(q.cert.p);
	pki_free(&p);
	pki_free(&q);
	cr_assert_eq(ca("ca init @/a"), CTL_OK);
	cr_assert_eq(ca("ca init @/b"), CTL_OK);
	cr_assert_eq(rename(at("b/ca.key"), at("a/ca.key")), 0);
	cr_expect_eq(ca("ca issue @/a n1"), CTL_BAD, "another CA's key");
	cr_expect_eq(ca("ca issue @/b n1"), CTL_BAD, "no key");
	cr_expect_eq(ca("ca issue @/c n1"), CTL_BAD, "no CA");
	cr_expect_eq(mode("a/n1.pem") + mode("b/n1.pem"), 0);
	cr_expect_eq(ca("ca issue @/a ../x"), CTL_BAD);
}

Test(ca, bad_names_are_refused)
{
	static const char *const bad[] = {
		"../n1", "n/1", ".n1", "-n1", "n\tx", "n,URI:x", "n\"", "*",
		("0123456789012345678901234567890123456789012345678901234567"
		 "890123"), "\xc3\xa4",
	};
	char line[200];

	cr_assert_eq(ca("ca init @/a"), CTL_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(line, sizeof(line), "ca issue @/a -- %s",
			       bad[i]);
		cr_expect_eq(ca(line), CTL_BAD, "%s", bad[i]);
	}
	cr_expect_eq(ca("ca init @/b --name \xc3\xa4"), CTL_BAD);
	cr_expect_eq(mode("b"), 0, "a folder was made");
}

Test(ca, wrong_usage_is_told)
{
	static const char *const bad[] = {
		"ca", "ca init", "ca init @/x @/y", "ca init @/x --days 0",
		"ca init @/x --days 40000", "ca init @/x --days 1x",
		"ca init @/x --out @/y", "ca issue @/x", "ca issue @/x a b",
		"ca issue @/x n1 --name y", "ca show", "ca show @/x --days 1",
		"ca frob @/x", "ca init @/x --frob",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(ca(bad[i]), CTL_FAIL, "%s", bad[i]);
	cr_expect_eq(mode("x"), 0);
	cr_expect_eq(ca("ca --help"), CTL_OK);
}

static bool shows(const struct buf *b, const char *text)
{
	return b->n && strstr((const char *)b->p, text);
}

Test(ca, show_tells_identity_and_validity)
{
	uint64_t now = clk_wall() / 1000 * 1000;
	struct pki_pair c = { 0 }, n = { 0 };
	bool bad = false;
	struct buf b;

	cr_assert_null(pki_ca(&c, "my CA", 20, now));
	cr_assert_null(pki_node(&n, buf_as_sl(&c.cert), buf_as_sl(&c.key),
				"n7", 5, now));
	buf_sl(&c.cert, buf_as_sl(&n.cert));
	buf_init(&b, 65536);
	cr_expect_eq(pki_show(&b, buf_as_sl(&c.cert), now, &bad), 2);
	buf_chr(&b, 0);
	cr_expect(!bad);
	cr_expect(shows(&b, "certificate 1: CA"), "%s", (char *)b.p);
	cr_expect(shows(&b, "CN=my CA"));
	cr_expect(shows(&b, "node        n7\n"));
	cr_expect(shows(&b, "5 days left"));
	buf_reset(&b);
	cr_expect_eq(pki_show(&b, buf_as_sl(&c.cert), now + 6 * DAY, &bad),
		     2);
	buf_chr(&b, 0);
	cr_expect(bad);
	cr_expect(shows(&b, "RAN OUT"));
	cr_expect(shows(&b, "14 days left"), "%s", (char *)b.p);
	buf_free(&b);
	pki_free(&c);
	pki_free(&n);
}

Test(ca, show_exits_by_what_it_found)
{
	cr_assert_eq(ca("ca init @/a"), CTL_OK);
	cr_expect_eq(ca("ca show @/a/ca.pem"), CTL_OK);
	cr_expect_eq(ca("ca show @/a/ca.key"), CTL_FAIL);
	cr_expect_eq(ca("ca show @/a/none"), CTL_FAIL);
	cr_expect_eq(ca("ca show @/a"), CTL_FAIL);
}

static void put_conf(const char *name, const char *ca_dir)
{
	FILE *f = fopen(at("node.conf"), "w");

	if (!f || fprintf(f, "name = \"%s\";\ncluster = {\n"
			  "  ca_file = \"%s/%s/ca.pem\";\n"
			  "  cert_file = \"%s/a/n1.pem\";\n"
			  "  cert_key_file = \"%s/a/n1.key\";\n};\n", name,
			  dir, ca_dir, dir, dir) < 0 || fclose(f))
		abort();
}

Test(ca, check_looks_at_the_files_of_a_nodes_certificate)
{
	cr_assert_eq(ca("ca init @/a"), CTL_OK);
	cr_assert_eq(ca("ca init @/b"), CTL_OK);
	cr_assert_eq(ca("ca issue @/a n1"), CTL_OK);
	put_conf("n1", "a");
	cr_expect_eq(run(ctl_check, "check @/node.conf"), CTL_OK);
	put_conf("n2", "a");
	cr_expect_eq(run(ctl_check, "check @/node.conf"), CTL_BAD,
		     "another name");
	put_conf("n1", "b");
	cr_expect_eq(run(ctl_check, "check @/node.conf"), CTL_BAD,
		     "another CA");
	put_conf("n1", "c");
	cr_expect_eq(run(ctl_check, "check @/node.conf"), CTL_BAD,
		     "no CA");
}
