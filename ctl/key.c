/* key.c - Shell. `edgewise key`: a new cluster key. */
#include "ctl/ctl.h"
#include "base/secret.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int ctl_key(int argc, char **argv)
{
	uint8_t key[SECRET_KEY];
	char text[2 * SECRET_KEY + 1];
	struct buf b;
	int fd, err = 0;

	if (argc != 2 || argv[1][0] == '-') {
		fputs("usage: edgewise key FILE\n", stderr);
		return CTL_FAIL;
	}
	if (secret_init()) {
		fputs("edgewise: no random numbers\n", stderr);
		return CTL_FAIL;
	}
	/* never over an old one: nodes that still have it would be cut off */
	fd = open(argv[1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		fprintf(stderr, "edgewise: %s: %s\n", argv[1],
			errno == EEXIST ? "exists, will not be overwritten" :
			strerror(errno));
		return CTL_BAD;
	}
	secret_random(key, sizeof(key));
	buf_fixed(&b, text, sizeof(text));
	buf_hex(&b, key, sizeof(key));
	buf_chr(&b, '\n');
	if (write(fd, text, b.n) != (ssize_t)b.n || fchmod(fd, 0600) ||
	    fsync(fd))
		err = errno ? errno : EIO;
	if (close(fd) && !err)
		err = errno;
	explicit_bzero(key, sizeof(key));
	explicit_bzero(text, sizeof(text));
	if (err) {
		fprintf(stderr, "edgewise: %s: %s\n", argv[1], strerror(err));
		unlink(argv[1]);
		return CTL_FAIL;
	}
	return CTL_OK;
}
