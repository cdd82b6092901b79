/* keys.c - Shell. Keys of the flow tokens on disk. */
#include "sbc/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"

/** 64 hex digits and at most one line end */
static int key_parse(uint8_t key[32], const char *txt, size_t n)
{
	if (n && txt[n - 1] == '\n')
		n--;
	return sl_unhex(key, 32, sl_mk(txt, n));
}

static int key_read(const char *path, uint8_t key[32])
{
	char txt[80];
	struct stat st;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return errno;
	n = read(fd, txt, sizeof(txt));
	if (n < 0)
		err = errno;
	else
		err = key_parse(key, txt, (size_t)n);
	if (!err && !fstat(fd, &st) && st.st_mode & 077)
		log_warn("event=key file=%s problem=\"others may read it: "
			 "chmod 600\"", path);
	(void)close(fd);          /* was only read */
	return err;
}

/** Written whole under another name, then renamed: no half key after a crash */
static int key_make(const char *path, uint8_t key[32])
{
	char tmp[512], txt[65];
	struct buf b;
	int fd, err = 0;

	if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp))
		return ENAMETOOLONG;
	secret_random(key, 32);
	buf_fixed(&b, txt, sizeof(txt));
	buf_hex(&b, key, 32);
	buf_chr(&b, '\n');
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	if (write(fd, b.p, b.n) != (ssize_t)b.n || fsync(fd))
		err = errno ? errno : EIO;
	if (close(fd) && !err)
		err = errno;
	if (!err && rename(tmp, path))
		err = errno;
	if (err)
		(void)unlink(tmp);      /* the first error counts */
	return err;
}

/** mkdir -p */
static int dirs_make(const char *dir)
{
	char p[512];
	size_t n = strlen(dir);

	if (!n || n >= sizeof(p))
		return ENAMETOOLONG;
	memcpy(p, dir, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (p[i] != '/' && p[i])
			continue;
		p[i] = '\0';
		if (mkdir(p, 0750) && errno != EEXIST)
			return errno;
		p[i] = dir[i];
	}
	return 0;
}

int keys_load(const char *dir, uint8_t cur[32], uint8_t prev[32],
	      bool *has_prev)
{
	char path[512];
	int err = dirs_make(dir);

	if (err) {
		log_error("event=start problem=\"state_dir %s: %s\" "
			  "hint=\"make the folder or set state_dir\"", dir,
			  strerror(err));
		return err;
	}
	if (snprintf(path, sizeof(path), "%s/token.key", dir) >=
	    (int)sizeof(path))
		return ENAMETOOLONG;
	err = key_read(path, cur);
	if (err == ENOENT) {
		err = key_make(path, cur);
		if (!err)
			log_info("event=key_made file=%s", path);
	}
	if (err) {
		log_error("event=start problem=\"%s: %s\" hint=\"64 hex "
			  "digits, mode 0600; remove it to get a new one\"",
			  path, err == EBADMSG ? "is no key" : strerror(err));
		return err;
	}
	memcpy(path + strlen(path), ".prev", 6);
	err = key_read(path, prev);
	*has_prev = !err;
	if (err && err != ENOENT) {
		log_error("event=start problem=\"%s: %s\"", path,
			  err == EBADMSG ? "is no key" : strerror(err));
		return err;
	}
	return 0;
}
