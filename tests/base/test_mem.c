/* test_mem.c */
#define _DEFAULT_SOURCE          /* mincore(), madvise() */
#include "base/mem.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGES = 16 };

static size_t page;
static uint8_t *map;

static void begin(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	map = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq((void *)map, MAP_FAILED);
	/* one large page would make all of it there at once */
	(void)madvise(map, PAGES * page, MADV_NOHUGEPAGE);
}

static void end(void)
{
	(void)munmap(map, PAGES * page);
}

TestSuite(mem, .init = begin, .fini = end);

static unsigned there(void)
{
	unsigned char v[PAGES];
	unsigned n = 0;

	cr_assert_eq(mincore(map, PAGES * page, v), 0);
	for (int i = 0; i < PAGES; i++)
		n += v[i] & 1;
	return n;
}

Test(mem, whole_pages_are_there_before_they_are_written)
{
	mem_have(map + page / 2, 5 * page);
	if (page != 4096 ||
	    (madvise(map, page, MADV_POPULATE_WRITE) && errno == EINVAL))
		cr_skip_test("pages are larger, or the kernel has no "
			     "MADV_POPULATE_WRITE");
	/* four whole ones, and the first by the question above */
	cr_expect_eq(there(), 5);
	mem_have(map, PAGES * page);
	cr_expect_eq(there(), PAGES);
}

Test(mem, bytes_and_errno_stay)
{
	for (size_t i = 0; i < PAGES * page; i++)
		map[i] = (uint8_t)(i * 7);
	errno = 77;
	mem_have(map, PAGES * page);
	mem_have(map + 1, 1);
	mem_have(map + 1, 0);
	mem_have(NULL, 0);
	(void)munmap(map + 2 * page, page);
	mem_have(map, PAGES * page);             /* a hole: some of it, or none */
	cr_expect_eq(errno, 77);
	for (size_t i = 0; i < 2 * page; i++)
		cr_assert_eq(map[i], (uint8_t)(i * 7));
}
