/* The files of a certificate: what is wrong is said with file and setting. */
#include "../cluster/pki.h"
#include "node/files.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static struct node_config cf;
static struct cfg_errs errs;
static struct pki ca, own, other;

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert(f && fputs(text, f) >= 0 && !fclose(f), "%s", path);
}

static void init(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/ew_files_XXXXXX");
	cr_assert(mkdtemp(dir));
	pki_ca(&ca, "CA");
	pki_node(&own, "n1", &ca);
	pki_node(&other, "n2", &ca);
	(void)snprintf(cf.name, sizeof(cf.name), "n1");
	(void)snprintf(cf.cluster.ca_file, sizeof(cf.cluster.ca_file),
		       "%s/ca.pem", dir);
	(void)snprintf(cf.cluster.cert_file, sizeof(cf.cluster.cert_file),
		       "%s/n1.pem", dir);
	(void)snprintf(cf.cluster.cert_key_file,
		       sizeof(cf.cluster.cert_key_file), "%s/n1.key", dir);
	put(cf.cluster.ca_file, ca.cert);
	put(cf.cluster.cert_file, own.cert);
	put(cf.cluster.cert_key_file, own.pem);
}

static void fini(void)
{
	(void)unlink(cf.cluster.ca_file);
	(void)unlink(cf.cluster.cert_file);
	(void)unlink(cf.cluster.cert_key_file);
	(void)rmdir(dir);
	pki_free(&ca);
	pki_free(&own);
	pki_free(&other);
}

TestSuite(files, .init = init, .fini = fini);

/* The one mistake, which must begin with file and setting */
static void wrong(const char *file, const char *key, const char *text)
{
	struct cert *c = (struct cert *)1;
	char begin[200];

	errs.n = 0;
	cr_expect_neq(files_cert(&c, &cf, &errs), 0);
	cr_expect_null(c);
	(void)snprintf(begin, sizeof(begin), "%s: cluster.%s: ", file, key);
	cr_expect_eq(errs.n, 1);
	cr_expect(!strncmp(errs.txt[0], begin, strlen(begin))
		  && strstr(errs.txt[0], text), "%s", errs.txt[0]);
}

Test(files, a_right_certificate_is_taken)
{
	struct cert *c = NULL;

	cr_assert_eq(files_cert(&c, &cf, &errs), 0, "%s", errs.txt[0]);
	cr_assert_not_null(c);
	cr_expect_str_eq(cert_info(c)->name, "n1");
	cert_free(c);
}

Test(files, without_the_settings_there_is_none)
{
	struct cert *c = (struct cert *)1;
	struct node_config none = { .name = "n1" };

	cr_expect_eq(files_cert(&c, &none, &errs), 0);
	cr_expect_null(c);
}

Test(files, a_certificate_for_another_node_is_named)
{
	put(cf.cluster.cert_file, other.cert);
	put(cf.cluster.cert_key_file, other.pem);
	wrong(cf.cluster.cert_file, "cert_file",
	      "is for the node \"n2\", our name is \"n1\"");
}

Test(files, each_file_that_is_wrong_is_named)
{
	put(cf.cluster.cert_key_file, other.pem);
	wrong(cf.cluster.cert_key_file, "cert_key_file", "not the key");
	put(cf.cluster.ca_file, own.cert);
	wrong(cf.cluster.ca_file, "ca_file", "not a CA's");
	(void)unlink(cf.cluster.ca_file);
	wrong(cf.cluster.ca_file, "ca_file", "No such file");
	put(cf.cluster.ca_file, ca.cert);
	put(cf.cluster.cert_file, "");
	wrong(cf.cluster.cert_file, "cert_file", "no certificate");
	(void)unlink(cf.cluster.cert_key_file);
	wrong(cf.cluster.cert_key_file, "cert_key_file", "No such file");
}

Test(files, what_is_not_there_is_said_with_how_to_make_it)
{
	struct keyset k;
	struct users *u = NULL;
	char none[100];

	(void)snprintf(none, sizeof(none), "%s/none", dir);
	errs.n = 0;
	cr_expect_eq(files_keys(&k, none, &errs), ENOENT);
	cr_expect_eq(files_users(&u, none, &errs), ENOENT);
	cr_assert_eq(errs.n, 2);
	cr_expect(strstr(errs.txt[0], "/none: cluster.key_file: No such file")
		  && strstr(errs.txt[0], "edgewise key"), "%s", errs.txt[0]);
	cr_expect(strstr(errs.txt[1], "/none: users_file: No such file")
		  && strstr(errs.txt[1], "edgewise user add"), "%s",
		  errs.txt[1]);
}

Test(files, a_key_that_others_may_read_is_seen)
{
	cr_assert_eq(chmod(cf.cluster.cert_key_file, 0640), 0);
	cr_expect(files_open(cf.cluster.cert_key_file));
	cr_assert_eq(chmod(cf.cluster.cert_key_file, 0600), 0);
	cr_expect(!files_open(cf.cluster.cert_key_file));
}
