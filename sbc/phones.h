/**
 * @file phones.h  Pure. Which phones have registered in the last hour or two:
 * while there is overload they come before those that nobody knows. A filter
 * (Bloom, two generations of an hour), 2 MB whatever their number: of a million
 * strangers among a million phones, 3 % are taken for one.
 */
#ifndef SBC_PHONES_H
#define SBC_PHONES_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PHONES_BITS = 1 << 23,         /**< of a generation                  */
	PHONES_LIFE = 3600000,         /**< [ms] of one                      */
};

struct phones {
	uint64_t *bit;                 /**< both; NULL: nobody yet           */
	uint32_t young;                /**< 0, 1                             */
	uint64_t since;                /**< [ms] of the young one            */
};

void phones_close(struct phones *p);
/** id: keyed hash of its address of record and its address. Without memory it
 *  stays unknown */
void phones_add(struct phones *p, uint64_t id, uint64_t now);
bool phones_has(const struct phones *p, uint64_t id, uint64_t now);

#endif
