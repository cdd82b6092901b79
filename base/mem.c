/* mem.c - Pure. Pages before they are needed. */
#define _DEFAULT_SOURCE          /* madvise() */
#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

/* Where pages are larger the kernel refuses, and gives them as they are written */
#define PAGE ((uintptr_t)4096)

void mem_have(void *p, size_t n)
{
#ifdef MADV_POPULATE_WRITE
	uintptr_t from = ((uintptr_t)p + PAGE - 1) & ~(PAGE - 1);
	uintptr_t to = ((uintptr_t)p + n) & ~(PAGE - 1);
	int err = errno;

	if (from < to)
		(void)madvise((void *)from, to - from, MADV_POPULATE_WRITE);
	errno = err;
#else
	(void)p;
	(void)n;
#endif
}
