/* key.c - Shell. `edgewise key`: a new cluster key, and the steps from one to
 * the next. docs/decisions/0044. */
#include "ctl/ctl.h"
#include "cluster/keyset.h"
#include "node/files.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
	"usage: edgewise key FILE\n"
	"       edgewise key --add|--swap|--drop|--show FILE\n"
	"  --add    a new key, taken beside the present one\n"
	"  --swap   the other one comes first: links are made by it\n"
	"  --drop   the second one does not count any more\n"
	"  --show   names of the keys; nothing that is secret\n"
	"After each of --add, --swap, --drop: the file to all nodes, reload "
	"them all.\n";

static int save(int fd, const struct keyset *k)
{
	char text[KEYSET_FILE];
	struct buf b;
	int err = 0;

	buf_fixed(&b, text, sizeof(text));
	keyset_text(&b, k);
	if (write(fd, text, b.n) != (ssize_t)b.n || fsync(fd))
		err = errno ? errno : EIO;
	if (close(fd) && !err)
		err = errno;
	explicit_bzero(text, sizeof(text));
	return err;
}

static int failed(const char *path, int err)
{
	fprintf(stderr, "edgewise: %s: %s\n", path, strerror(err));
	return CTL_FAIL;
}

static int make(const char *path)
{
	uint8_t key[SECRET_KEY];
	struct keyset k;
	int fd, err;

	/* never over an old one: nodes that still have it would be cut off */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		fprintf(stderr, "edgewise: %s: %s\n", path,
			errno == EEXIST ? "exists, will not be overwritten" :
			strerror(errno));
		return CTL_BAD;
	}
	secret_random(key, sizeof(key));
	keyset_one(&k, key);
	err = fchmod(fd, 0600) ? errno : 0;
	if (err)
		close(fd);
	else
		err = save(fd, &k);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(&k, sizeof(k));
	if (err) {
		(void)unlink(path);
		return failed(path, err);
	}
	return CTL_OK;
}

/* Beside it and renamed, for the same owner: the node reads the old one or
 * the new one */
static int replace(const char *path, const struct keyset *k)
{
	char tmp[4096];
	struct stat st;
	int fd, err = 0;

	if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp))
		return ENAMETOOLONG;
	if (stat(path, &st))
		return errno;
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	if (fchown(fd, st.st_uid, st.st_gid) ||
	    fchmod(fd, st.st_mode & 0777)) {
		err = errno;
		close(fd);
	}
	if (!err)
		err = save(fd, k);
	if (!err && rename(tmp, path))
		err = errno;
	if (err)
		(void)unlink(tmp);
	return err;
}

static void say(const char *what, const uint8_t key[SECRET_KEY])
{
	char name[KEYSET_NAME];

	keyset_name(name, key);
	printf("%-11s %s\n", what, name);
}

static void show(const struct keyset *k)
{
	say("dials with", k->key[0]);
	if (k->n > 1)
		say("takes also", k->key[1]);
	say("base", k->base);
}

/* @return NULL, or why it cannot be */
static const char *change(struct keyset *k, int how)
{
	uint8_t other[SECRET_KEY];

	if (how == 'a' && k->n > 1)
		return "has two keys already: --drop one first";
	if (how != 'a' && k->n < 2)
		return "has one key: --add a second one first";
	switch (how) {
	case 'a':
		secret_random(k->key[1], SECRET_KEY);
		k->n = 2;
		break;
	case 's':
		memcpy(other, k->key[0], SECRET_KEY);
		memcpy(k->key[0], k->key[1], SECRET_KEY);
		memcpy(k->key[1], other, SECRET_KEY);
		explicit_bzero(other, sizeof(other));
		break;
	default:
		k->n = 1;
		break;
	}
	return NULL;
}

static int turn(const char *path, int how)
{
	struct cfg_errs *errs = calloc(1, sizeof(*errs));
	const char *why = NULL;
	struct keyset k = { 0 };
	int err = errs ? files_keys(&k, path, errs) : ENOMEM;

	if (errs && errs->n) {
		fprintf(stderr, "edgewise: %s\n", errs->txt[0]);
		err = EBADMSG;
	}
	else if (err) {
		(void)failed(path, err);
	}
	free(errs);
	if (err)
		return CTL_FAIL;
	if (how != 'v')
		why = change(&k, how);
	if (why) {
		fprintf(stderr, "edgewise: %s: %s\n", path, why);
		explicit_bzero(&k, sizeof(k));
		return CTL_BAD;
	}
	if (how != 'v')
		err = replace(path, &k);
	if (!err)
		show(&k);
	explicit_bzero(&k, sizeof(k));
	return err ? failed(path, err) : CTL_OK;
}

int ctl_key(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "add", no_argument, NULL, 'a' },
		{ "swap", no_argument, NULL, 's' },
		{ "drop", no_argument, NULL, 'd' },
		{ "show", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' }, { 0 } };
	int c, how = 0, n = 0;

	optind = 1;
	while ((c = getopt_long(argc, argv, "h", opts, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			return CTL_OK;
		}
		n += c == '?' ? 2 : 1;
		how = c;
	}
	if (n > 1 || argc - optind != 1) {
		fputs(usage, stderr);
		return CTL_FAIL;
	}
	if (secret_init()) {
		fputs("edgewise: no random numbers\n", stderr);
		return CTL_FAIL;
	}
	return how ? turn(argv[optind], how) : make(argv[optind]);
}
