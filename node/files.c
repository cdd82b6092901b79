/**
 * @file files.c  Shell. Small files of a node.
 */
#include "node/files.h"
#include "base/clk.h"
#include "base/log.h"
#include "base/secret.h"
#include "cluster/cert.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int files_read(struct buf *b, const char *path, size_t max)
{
	int fd, err = 0;
	ssize_t n;
	uint8_t *p;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	buf_init(b, max + 1);
	for (;;) {
		size_t want = b->n + 65536 > max + 1 ? max + 1 - b->n : 65536;

		p = want ? buf_room(b, want) : NULL;
		if (!p) {
			err = want ? b->err : EFBIG;
			break;
		}
		n = read(fd, p, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err = n < 0 ? errno : 0;
			break;
		}
		b->n += (size_t)n;
	}
	(void)close(fd);
	if (err)
		buf_free(b);
	return err;
}

/* Why not, and what to do: `make` for a file that is not there */
static void unread(struct cfg_errs *errs, const char *path, const char *key,
		   int err, const char *make)
{
	char owner[64] = "";

	if (err == EACCES)
		(void)snprintf(owner, sizeof(owner), "; it must belong to the "
			       "user of the node, uid %u", (unsigned)geteuid());
	cfg_err(errs, path, 0, key, "%s%s", strerror(err),
		err == ENOENT ? make : owner);
}

int files_keys(struct keyset *k, const char *path, struct cfg_errs *errs)
{
	const char *why = NULL;
	uint32_t line = 0;
	struct buf b;
	int err;

	err = files_read(&b, path, KEYSET_FILE);
	if (err) {
		unread(errs, path, "cluster.key_file", err,
		       "; `edgewise key FILE` makes one, for all nodes the same");
		return err;
	}
	err = keyset_parse(k, buf_as_sl(&b), &line, &why);
	explicit_bzero(b.p, b.n);
	buf_free(&b);
	if (err)
		cfg_err(errs, path, line, "cluster.key_file", "%s, allowed: "
			"64 hex digits, at most two lines of them and one of "
			"`base`, as `edgewise key FILE` writes them",
			why ? why : strerror(err));
	return err;
}

/* Written beside and renamed: a crash leaves the whole file or none */
static int write_id(uint64_t id, const char *path)
{
	char tmp[FILES_STATE + 16], txt[24];
	int fd, n, err = 0;

	n = snprintf(txt, sizeof(txt), "%016llx\n", (unsigned long long)id);
	(void)snprintf(tmp, sizeof(tmp), "%s.new", path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	if (write(fd, txt, (size_t)n) != n || fsync(fd))
		err = errno ? errno : EIO;
	if (close(fd) && !err)
		err = errno;
	if (!err && rename(tmp, path))
		err = errno;
	if (err)
		(void)unlink(tmp);
	return err;
}

static int read_id(uint64_t *id, const char *path)
{
	uint8_t raw[8];
	struct buf b;
	int err;

	err = files_read(&b, path, 64);
	if (err)
		return err;
	err = sl_unhex(raw, sizeof(raw), sl_trim(buf_as_sl(&b)));
	buf_free(&b);
	*id = 0;
	for (unsigned i = 0; !err && i < sizeof(raw); i++)
		*id = *id << 8 | raw[i];
	return err ? err : *id ? 0 : EBADMSG;
}

static int make_dir(const char *path)
{
	return mkdir(path, 0700) && errno != EEXIST ? errno : 0;
}

/* The descriptor stays open: the lock ends with the process */
static int lock_dir(const char *dir)
{
	char path[FILES_STATE + 8];
	int fd, err = make_dir(dir);

	if (err)
		return err;
	(void)snprintf(path, sizeof(path), "%s/lock", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return 0;
	err = errno;
	(void)close(fd);
	/* a file system without locks: as before there were any */
	return err == EWOULDBLOCK ? EBUSY : 0;
}

int files_state(char state[FILES_STATE], const char *dir, const char *name)
{
	char sub[FILES_STATE];
	struct stat st;
	int err;

	(void)snprintf(sub, sizeof(sub), "%s/nodes/%s", dir, name);
	(void)snprintf(state, FILES_STATE, "%s", dir);
	err = stat(sub, &st) ? lock_dir(dir) : EBUSY;
	if (err != EBUSY)
		return err;
	(void)snprintf(state, FILES_STATE, "%s/nodes", dir);
	err = make_dir(state);
	(void)snprintf(state, FILES_STATE, "%s", sub);
	if (!err)
		err = lock_dir(state);
	if (!err)
		log_info("event=state_dir dir=%s text=\"another node has %s\"",
			 state, dir);
	return err;
}

int files_id(uint64_t *id, const char *dir)
{
	char path[FILES_STATE + 8];
	int err;

	err = make_dir(dir);
	if (err)
		return err;
	(void)snprintf(path, sizeof(path), "%s/id", dir);
	err = read_id(id, path);
	if (err != ENOENT)
		return err;
	do {
		secret_random(id, sizeof(*id));
	} while (!*id);
	return write_id(*id, path);
}

int files_users(struct users **up, const char *path, struct cfg_errs *errs)
{
	uint8_t key[SECRET_KEY];
	struct users_err e;
	struct buf b;
	int err;

	err = files_read(&b, path, USERS_FILE_MAX);
	if (err) {
		unread(errs, path, "users_file", err,
		       "; `edgewise user add -f FILE USER@DOMAIN` makes it");
		return err;
	}
	secret_random(key, sizeof(key));
	err = users_parse(up, buf_as_sl(&b), key, &e);
	if (err)
		cfg_err(errs, path, e.line, "users_file", "%s, allowed: "
			"user@domain:MD5-HA1[:SHA256-HA1] per line",
			e.why ? e.why : strerror(err));
	buf_free(&b);
	return err;
}

static int read_pem(struct buf *b, const char *path, const char *key,
		    struct cfg_errs *errs)
{
	int err = files_read(b, path, CERT_FILE_MAX);

	if (err)
		unread(errs, path, key, err, "; `edgewise ca issue` makes it");
	return err;
}

static int load_cert(struct cert **cp, const struct node_config *cf,
		     const struct buf pem[3], struct cfg_errs *errs)
{
	const char *const path[] = {
		[CERT_CA] = cf->cluster.ca_file,
		[CERT_OWN] = cf->cluster.cert_file,
		[CERT_KEY] = cf->cluster.cert_key_file,
	};
	static const char *const key[] = {
		[CERT_CA] = "cluster.ca_file",
		[CERT_OWN] = "cluster.cert_file",
		[CERT_KEY] = "cluster.cert_key_file",
	};
	struct cert_err e = { 0 };
	int err;

	err = cert_alloc(cp, buf_as_sl(&pem[CERT_CA]),
			 buf_as_sl(&pem[CERT_OWN]), buf_as_sl(&pem[CERT_KEY]),
			 clk_wall(), &e);
	if (err)
		cfg_err(errs, path[e.part], 0, key[e.part], "%s",
			e.why[0] ? e.why : strerror(err));
	if (err || !strcmp(cert_info(*cp)->name, cf->name))
		return err;
	cfg_err(errs, path[CERT_OWN], 0, key[CERT_OWN], "is for the node "
		"\"%s\", our name is \"%s\"", cert_info(*cp)->name, cf->name);
	cert_free(*cp);
	*cp = NULL;
	return EBADMSG;
}

int files_cert(struct cert **cp, const struct node_config *cf,
	       struct cfg_errs *errs)
{
	struct buf pem[3] = { 0 };
	int err;

	*cp = NULL;
	if (!cf->cluster.cert_file[0])
		return 0;
	err = read_pem(&pem[CERT_CA], cf->cluster.ca_file, "cluster.ca_file",
		       errs);
	if (!err)
		err = read_pem(&pem[CERT_OWN], cf->cluster.cert_file,
			       "cluster.cert_file", errs);
	if (!err)
		err = read_pem(&pem[CERT_KEY], cf->cluster.cert_key_file,
			       "cluster.cert_key_file", errs);
	if (!err)
		err = load_cert(cp, cf, pem, errs);
	if (pem[CERT_KEY].p)
		explicit_bzero(pem[CERT_KEY].p, pem[CERT_KEY].n);
	for (unsigned i = 0; i < 3; i++)
		buf_free(&pem[i]);
	return err;
}

bool files_open(const char *path)
{
	struct stat st;

	return !stat(path, &st) && (st.st_mode & (S_IRGRP | S_IROTH | S_IWGRP
						  | S_IWOTH));
}

void files_warn_open(const char *path)
{
	if (files_open(path))
		log_warn("event=open file=%s text=\"others than its owner may "
			 "read or write it; mode 0600 is right\"", path);
}
