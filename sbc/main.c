/* main.c - Shell. edgewise-sbc: options, settings, run. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/net.h"
#include "base/secret.h"
#include <config.h>
#include "sbc/sbc.h"

static void usage(FILE *f)
{
	(void)fputs("usage: edgewise-sbc [-t] [-c FILE] [-o KEY=VALUE]...\n"
		    "  -c FILE  settings, default " SYSCONFDIR
		    "/edgewise/sbc.conf\n"
		    "  -o KEY=VALUE  a setting over the file's, lists as "
		    "there\n"
		    "  -t       check the settings and end\n"
		    "  -V       version\n"
		    "  -h       this text\n", f);
}

static int read_config(struct sbc_config *c, const char *path,
		       const struct cfg_over *over)
{
	struct cfg_errs errs = { 0 };
	int err = sbc_config_read(c, path, over, &errs);

	for (uint32_t i = 0; i < errs.n && i < CFG_ERRS; i++)
		(void)fprintf(stderr, "%s\n", errs.txt[i]);
	if (errs.n > CFG_ERRS)
		(void)fprintf(stderr, "%s: and %u more\n", path,
			      errs.n - CFG_ERRS);
	if (err && !errs.n)
		(void)fprintf(stderr, "%s: %s\n", path, strerror(err));
	return err;
}

static int run(struct sbc_config *c, const char *path,
	       const struct cfg_over *over)
{
	uint32_t fds = c->limits.max_connections + 256;
	struct sbc *s = NULL;
	int err;

	log_init("edgewise-sbc", (enum log_target)c->log.target,
		 (enum log_level)c->log.level);
	err = secret_init();
	if (!err)
		err = net_init(fds);
	if (err) {
		log_error("event=start problem=\"%s\"", strerror(err));
		sbc_config_clear(c);
		return err;
	}
	err = sbc_alloc(&s, c, path, over);
	if (!err)
		err = sbc_run(s);
	sbc_free(s);
	net_close();
	return err;
}

int main(int argc, char *argv[])
{
	const char *path = SYSCONFDIR "/edgewise/sbc.conf";
	struct cfg_over over = { 0 };
	bool check = false;
	struct sbc_config c;
	int o;

	while ((o = getopt(argc, argv, "c:o:tVh")) != -1) {
		switch (o) {
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
			check = true;
			break;
		case 'V':
			(void)puts("edgewise-sbc " PACKAGE_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind != argc) {
		usage(stderr);
		return 2;
	}
	if (read_config(&c, path, &over))
		return 1;
	if (check) {
		(void)printf("%s: good\n", path);
		sbc_config_clear(&c);
		return 0;
	}
	return run(&c, path, &over) ? 1 : 0;
}
