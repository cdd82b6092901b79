/**
 * @file crc.h  Pure. CRC-32C.
 */
#ifndef CLUSTER_CRC_H
#define CLUSTER_CRC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Go on from `crc` (0 at first) */
uint32_t crc_add(uint32_t crc, const void *p, size_t n);
/** The same without help of the processor (tests compare both) */
uint32_t crc_table(uint32_t crc, const void *p, size_t n);

#endif
