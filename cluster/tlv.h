/**
 * @file tlv.h  Pure. Optional fields: tag u16 (bit 15 = must understand),
 * length u32, value. Unknown optional ones are skipped in messages and kept in
 * records. docs/cluster-protocol.md 2.2.
 */
#ifndef CLUSTER_TLV_H
#define CLUSTER_TLV_H

#include "base/addr.h"
#include "base/cur.h"

#define TLV_MUST 0x8000u
#define TLV_MAX 64              /**< in one area                            */

void tlv_put(struct buf *b, uint16_t tag, struct sl v);
/** Next one of the area. @return false at its end or at an error (c->err) */
bool tlv_next(struct cur *c, uint16_t *tag, struct sl *v);
/** An area of TLVs that nobody here knows: well-formed and none of them must
 *  be understood. @return 0 or EBADMSG */
int  tlv_check(struct sl area);

/** Values that several messages have: family u8 (4, 6) | port u16 | IP */
void tlv_put_addr(struct buf *b, uint16_t tag, const struct addr *a);
int  tlv_get_addr(struct addr *a, struct sl v);
/** 0..size-1 printable characters without blanks; ends with NUL here */
int  tlv_get_name(char *name, size_t size, struct sl v);

#endif
