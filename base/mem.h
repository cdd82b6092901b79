/**
 * @file mem.h  Pure. Memory from malloc() that is there when it is written.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/**
 * Have the kernel give the pages of [p, p + n) now and in one go. Else it gives each
 * when it is first written: that takes longer than what a message is worth, and the
 * message waits. Its bytes stay as they are; where the kernel cannot (before Linux
 * 5.14), nothing happens.
 */
void mem_have(void *p, size_t n);

#endif
