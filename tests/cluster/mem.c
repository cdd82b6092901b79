/* mem.c - memory that runs out when a test says so. */
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include "mem.h"

int mem_left = -1;
bool mem_zeroed_fail;
bool mem_large_fail;
struct mem *mem_owner;

void *__real_malloc(size_t n);
void *__real_calloc(size_t k, size_t n);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t k, size_t n);
void *__wrap_realloc(void *p, size_t n);
void __wrap_free(void *p);

static bool fails(void)
{
	if (mem_owner && mem_owner->refuse &&
	    rng_below(&mem_owner->rng, 1000) < mem_owner->refuse) {
		mem_owner->refused++;
		return true;
	}
	if (mem_left < 0)
		return false;
	if (mem_left == 0)
		return true;
	mem_left--;
	return false;
}

static void count(void *p, int64_t sign)
{
	if (mem_owner && p)
		mem_owner->bytes += sign * (int64_t)malloc_usable_size(p);
}

void *__wrap_malloc(size_t n)
{
	bool large = mem_large_fail && n > 100000;
	void *p = large || fails() ? NULL : __real_malloc(n);

	count(p, 1);
	return p;
}

void *__wrap_calloc(size_t k, size_t n)
{
	void *p = mem_zeroed_fail || fails() ? NULL : __real_calloc(k, n);

	count(p, 1);
	return p;
}

void *__wrap_realloc(void *old, size_t n)
{
	void *p;

	if (fails())
		return NULL;
	count(old, -1);
	p = __real_realloc(old, n);
	count(p ? p : old, 1);
	return p;
}

void __wrap_free(void *p)
{
	count(p, -1);
	__real_free(p);
}
