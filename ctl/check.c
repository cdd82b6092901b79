/* check.c - Shell. `edgewise check`: a settings file, and of a node the
 * certificate that it names; nothing is started. */
#include "ctl/ctl.h"
#include "cluster/cert.h"
#include "node/config.h"
#include "node/files.h"
#include "node/sqlconf.h"
#include "sbc/config.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char usage[] =
	"usage: edgewise check [--type sbc|node] [-o KEY=VALUE]... FILE\n"
	"  -o  as of the programs: a setting over the file's\n"
	"exit: 0 right, 1 mistakes, 2 not readable or nobody's\n";

static int read_sbc(const char *path, const struct cfg_over *o,
		    struct cfg_errs *e)
{
	struct sbc_config *c = calloc(1, sizeof(*c));
	int err = c ? sbc_config_read(c, path, o, e) : ENOMEM;

	if (!err)
		sbc_config_clear(c);
	free(c);
	return err;
}

static int read_node(const char *path, const struct cfg_over *o,
		     struct cfg_errs *e)
{
	struct node_config *c = calloc(1, sizeof(*c));
	int err = c ? node_config_read(c, path, o, e) : ENOMEM;

	if (!err)
		node_config_clear(c);
	free(c);
	return err;
}

static void say_open(const char *path)
{
	if (*path && files_open(path))
		fprintf(stderr, "%s: warning: others than its owner may read "
			"or write it; mode 0600 is right\n", path);
}

/* The node will not start; the file may still be right, read elsewhere */
static void say_missing(const char *path, const char *key, const char *file,
			const char *how)
{
	if (*file && access(file, F_OK))
		fprintf(stderr, "%s: warning: %s: %s: %s; %s\n", path, key,
			file, strerror(errno), how);
}

static void say_files(const char *path, const struct node_config *c)
{
	say_missing(path, "cluster.key_file", c->cluster.key_file,
		    "`edgewise key FILE` makes one, for all nodes the same");
	if (c->auth == NODE_AUTH_ON && c->users == NODE_USERS_FILE)
		say_missing(path, "users_file", c->users_file,
			    "`edgewise user add -f FILE USER@DOMAIN` makes it");
	say_open(c->cluster.key_file);
	say_open(c->cluster.cert_key_file);
	say_open(c->users_db_password_file);
	say_open(c->db_password_file);
}

static int read_node_files(const char *path, const struct cfg_over *o,
			   struct cfg_errs *e)
{
	struct node_config *c = calloc(1, sizeof(*c));
	int err = c ? node_config_read(c, path, o, e) : ENOMEM;
	struct cert *cert = NULL;

	if (!err) {
		err = files_cert(&cert, c, e);
		if (sqlconf_check(c, path, e))
			err = EBADMSG;
		say_files(path, c);
		cert_free(cert);
		node_config_clear(c);
	}
	free(c);
	return err;
}

static const struct kind {
	const char *name, *program;
	int (*read)(const char *path, const struct cfg_over *o,
		    struct cfg_errs *e);
	/* the same, and the files that the settings name */
	int (*files)(const char *path, const struct cfg_over *o,
		     struct cfg_errs *e);
} kinds[] = {
	{ "sbc", "edgewise-sbc", read_sbc, read_sbc },
	{ "node", "edgewise-node", read_node, read_node_files },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Settings on the top level that a program does not know: those of the other */
static uint32_t foreign(const struct cfg_errs *e)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < e->n && i < CFG_ERRS; i++) {
		const char *what = strstr(e->txt[i], ": unknown key");
		const char *key = what;

		while (key && key > e->txt[i] && *key != '.' && key[-1] != ' ')
			key--;
		n += key && *key != '.';
	}
	return n;
}

/** Who knows more of its settings; when equal, the file's name tells, and when
 *  that does not, fewer mistakes do. What both refuse is said by the first. */
static const struct kind *guess(const char *path, const struct cfg_over *o)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	struct cfg_errs e[KINDS];
	uint32_t f[KINDS];

	for (size_t i = 0; i < KINDS; i++) {
		e[i].n = 0;
		/* only the mistakes matter here */
		(void)kinds[i].read(path, o, &e[i]);
		f[i] = foreign(&e[i]);
	}
	if (f[0] != f[1])
		return &kinds[f[0] > f[1]];
	for (size_t i = 0; i < KINDS; i++) {
		if (strstr(base, kinds[i].name))
			return &kinds[i];
	}
	if (e[0].n != e[1].n)
		return &kinds[e[0].n > e[1].n];
	return e[0].n && !strcmp(e[0].txt[0], e[1].txt[0]) ? &kinds[0] : NULL;
}

static int check(const struct kind *k, const char *path,
		 const struct cfg_over *o)
{
	static struct cfg_errs e;
	int err;

	e.n = 0;
	err = k->files(path, o, &e);
	for (uint32_t i = 0; i < e.n && i < CFG_ERRS; i++)
		fprintf(stderr, "%s\n", e.txt[i]);
	if (e.n > CFG_ERRS)
		fprintf(stderr, "%s: %u more mistakes\n", path,
			e.n - CFG_ERRS);
	if (err && !e.n)
		fprintf(stderr, "%s: %s\n", path, strerror(err));
	if (!err)
		printf("%s: right (%s)\n", path, k->program);
	return err ? CTL_BAD : CTL_OK;
}

int ctl_check(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "type", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	const struct kind *k = NULL;
	struct cfg_over over = { 0 };
	const char *type = NULL;
	bool bad = false;
	int c;

	while ((c = getopt_long(argc, argv, "t:o:h", opts, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			return CTL_OK;
		}
		if (c == 't')
			type = optarg;
		else
			bad |= c != 'o' || cfg_over_add(&over, optarg);
	}
	for (size_t i = 0; type && i < KINDS; i++) {
		if (!strcmp(type, kinds[i].name))
			k = &kinds[i];
	}
	if (bad || optind + 1 != argc || (type && !k)) {
		fputs(usage, stderr);
		return CTL_FAIL;
	}
	if (!k && access(argv[optind], R_OK)) {
		fprintf(stderr, "edgewise: %s: cannot be read: %s\n",
			argv[optind], strerror(errno));
		return CTL_FAIL;
	}
	if (!k)
		k = guess(argv[optind], &over);
	if (!k) {
		fprintf(stderr, "edgewise: %s: of the edge or of a node? use "
			"--type\n", argv[optind]);
		return CTL_FAIL;
	}
	return check(k, argv[optind], &over);
}
