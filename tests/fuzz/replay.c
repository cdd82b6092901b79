/*
 * replay.c - stands for libFuzzer where it is not built in: gives every file
 * of the directories named to the target, once.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** An exact copy on the heap, so that a read past the end is seen */
static int one(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = NULL, *exact;
	size_t n = 0, cap = 1 << 20;
	int err = ENOMEM;

	if (!f)
		return errno;
	p = malloc(cap);
	if (p)
		n = fread(p, 1, cap, f);
	if (ferror(f)) {
		err = EIO;
	}
	else if (p) {
		exact = malloc(n ? n : 1);
		if (exact) {
			memcpy(exact, p, n);
			/* the value is reserved by libFuzzer */
			(void)LLVMFuzzerTestOneInput(exact, n);
			free(exact);
			err = 0;
		}
	}
	free(p);
	fclose(f);
	return err;
}

static int folder(const char *dir, unsigned *count)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int err = 0;

	if (!d)
		return errno;
	while (!err && (e = readdir(d))) {
		char path[4096];
		struct stat st;

		if (snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >=
		    (int)sizeof(path))
			err = ENAMETOOLONG;
		else if (stat(path, &st))
			err = errno;
		else if (S_ISREG(st.st_mode)) {
			err = one(path);
			(*count)++;
		}
	}
	closedir(d);
	return err;
}

int main(int argc, char **argv)
{
	unsigned count = 0;

	for (int i = 1; i < argc; i++) {
		int err = argv[i][0] == '-' ? 0 : folder(argv[i], &count);

		if (err) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(err));
			return 1;
		}
	}
	printf("%s: %u inputs replayed\n", argv[0], count);
	return count ? 0 : 1;
}
