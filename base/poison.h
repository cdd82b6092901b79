/**
 * @file poison.h  Pure. Under AddressSanitizer, memory that one of our own
 * allocators has and its user has not must not be touched.
 */
#ifndef BASE_POISON_H
#define BASE_POISON_H

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n) ((void)(p))
#define UNPOISON(p, n) ((void)(p))
#endif

#endif
