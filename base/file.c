/* file.c - Shell. Small files that are read and written as a whole. */
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_LEN 4096
#define CHUNK 16384u

static int read_all(struct buf *b, int fd, size_t max)
{
	for (;;) {
		size_t room = max + 1 - b->n;
		uint8_t *p = buf_room(b, room < CHUNK ? room : CHUNK);
		ssize_t n;

		if (!p)
			return b->err;
		n = read(fd, p, room < CHUNK ? room : CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : 0;
		b->n += (size_t)n;
		if (b->n > max)
			return EFBIG;
	}
}

int file_read(struct buf *b, const char *path, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return errno;
	buf_init(b, max + 1);
	err = read_all(b, fd, max);
	(void)close(fd);                /* was only read */
	if (err)
		buf_free(b);
	return err;
}

static int write_all(int fd, struct sl s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		s = sl_sub(s, (size_t)n, s.n);
	}
	return fsync(fd) ? errno : 0;
}

/** The rename itself has to outlive a power cut. Not every file system can
 *  sync a folder; the file is whole in any case. */
static void sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_LEN];
	int fd;

	(void)snprintf(dir, sizeof(dir), "%.*s",
		       slash ? (int)(slash - path) + 1 : 1,
		       slash ? path : ".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	(void)close(fd);
}

int file_write(const char *path, struct sl text)
{
	char tmp[PATH_LEN];
	int fd, err;

	if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp))
		return ENAMETOOLONG;
	/* one that was left behind may have another mode */
	(void)unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	err = write_all(fd, text);
	if (close(fd) && !err)
		err = errno;
	if (!err && rename(tmp, path))
		err = errno;
	if (err)
		(void)unlink(tmp);      /* the first error counts */
	else
		sync_folder(path);
	return err;
}

bool file_is_open(const char *path)
{
	struct stat st;

	return !stat(path, &st) && st.st_mode & (S_IRWXG | S_IRWXO);
}
