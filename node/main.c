/**
 * @file main.c  Shell. edgewise-node: options, start, run, end.
 */
#include <config.h>    /* of the package: node/config.h is another */
#include "base/log.h"
#include "base/net.h"
#include "base/secret.h"
#include "cluster/cert.h"
#include "db/db.h"
#include "node/config.h"
#include "node/files.h"
#include "node/node.h"
#include "node/reload.h"
#include "node/sqlconf.h"
#include "node/users.h"
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONFIG SYSCONFDIR "/edgewise/node.conf"

static int usage(FILE *f, int status)
{
	(void)fprintf(f,
		"usage: edgewise-node [-c FILE] [-o KEY=VALUE]... [-t] [-V] "
		"[-h]\n"
		"  -c FILE  settings (" CONFIG ")\n"
		"  -o KEY=VALUE  a setting over the file's, lists as there\n"
		"  -t       check the settings and the files they name, "
		"start nothing\n"
		"  -V       version\n"
		"  -h       this text\n");
	return status;
}

static void say(const struct cfg_errs *errs)
{
	uint32_t n = errs->n < CFG_ERRS ? errs->n : CFG_ERRS;

	for (uint32_t i = 0; i < n; i++)
		(void)fprintf(stderr, "%s\n", errs->txt[i]);
	if (errs->n > n)
		(void)fprintf(stderr, "... and %u more\n", errs->n - n);
}

static int check_files(const struct node_config *cf, const char *path,
		       struct cfg_errs *errs)
{
	struct users *u = NULL;
	struct cert *cert = NULL;
	struct keyset keys;
	int err, e;

	err = files_keys(&keys, cf->cluster.key_file, errs);
	explicit_bzero(&keys, sizeof(keys));
	e = sqlconf_check(cf, path, errs);
	err = err ? err : e;
	if (cf->auth == NODE_AUTH_ON && cf->users == NODE_USERS_FILE) {
		e = files_users(&u, cf->users_file, errs);
		err = err ? err : e;
	}
	e = files_cert(&cert, cf, errs);
	cert_free(cert);
	users_free(u);
	return err ? err : e;
}

static int check(const char *path, const struct cfg_over *over)
{
	static struct cfg_errs errs;
	struct node_config cf;
	int err;

	err = node_config_read(&cf, path, over, &errs);
	/* all that is wrong at once */
	if (!err)
		err = check_files(&cf, path, &errs);
	if (err) {
		say(&errs);
		if (!errs.n)
			(void)fprintf(stderr, "%s: %s\n", path, strerror(err));
	}
	else {
		reload_warn_files(&cf);
		(void)printf("%s: right\n", path);
	}
	node_config_clear(&cf);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
	const char *path = CONFIG;
	struct node *n = NULL;
	struct cfg_over over = { 0 };
	bool only_check = false;
	int opt, err;

	while ((opt = getopt(argc, argv, "c:o:tVh")) != -1) {
		switch (opt) {
		case 'c':
			path = optarg;
			break;
		case 'o':
			if (!cfg_over_add(&over, optarg))
				break;
			(void)fprintf(stderr, "-o %s: is not key=value, or one "
				      "too many\n", optarg);
			return 2;
		case 't':
			only_check = true;
			break;
		case 'V':
			(void)printf("edgewise-node %s\n", PACKAGE_VERSION);
			db_print_licence();
			return EXIT_SUCCESS;
		case 'h':
			return usage(stdout, EXIT_SUCCESS);
		default:
			return usage(stderr, 2);
		}
	}
	if (optind < argc)
		return usage(stderr, 2);
	/* Fixed: pieces of the location store go back to the system when the
	 * contacts in them are gone. Else the limit rises with the first. */
	(void)mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	log_init("edgewise-node", LOG_TO_STDERR, LOG_LV_INFO);
	err = secret_init();
	if (err)
		return EXIT_FAILURE;
	if (only_check)
		return check(path, &over);
	err = node_alloc(&n, path, &over);
	if (!err)
		err = node_run(n);
	node_free(n);
	net_close();
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
