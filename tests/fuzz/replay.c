/*
 * replay.c - stands for libFuzzer where it is not built in: gives every file
 * of the directories named to the target, once. -random=N: also N inputs of
 * random bytes, from -seed=S on; a target that takes any bytes for a sequence
 * of steps is well served by them.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/** A target may tell what it did */
void fuzz_report(void) __attribute__((weak));

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

/** SplitMix64 */
static uint64_t draw(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static unsigned seed_now;

/** A program that ends here says how to come here again */
static void on_end(int sig)
{
	fprintf(stderr, "ended by signal %d: -random=1 -seed=%u\n", sig,
		seed_now);
	_exit(1);
}

static void random_ones(unsigned n, unsigned seed)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t s = seed + i;
		size_t size = 16 + draw(&s) % 1500;
		uint8_t *p = malloc(size);

		if (!p)
			return;
		for (size_t k = 0; k < size; k++)
			p[k] = (uint8_t)draw(&s);
		seed_now = seed + i;
		(void)LLVMFuzzerTestOneInput(p, size);
		free(p);
	}
}

int main(int argc, char **argv)
{
	unsigned count = 0, n = 0, seed = 1;

	for (int i = 1; i < argc; i++) {
		(void)sscanf(argv[i], "-random=%u", &n);
		(void)sscanf(argv[i], "-seed=%u", &seed);

		int err = argv[i][0] == '-' ? 0 : folder(argv[i], &count);

		if (err) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(err));
			return 1;
		}
	}
	if (n) {
		(void)signal(SIGABRT, on_end);
		(void)signal(SIGSEGV, on_end);
	}
	random_ones(n, seed);
	printf("%s: %u inputs replayed, %u random ones\n", argv[0], count, n);
	if (fuzz_report)
		fuzz_report();
	return count + n ? 0 : 1;
}
