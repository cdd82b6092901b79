/**
 * @file scan_in.h  Pure. Shared by the scan_*.c files only.
 */
#ifndef SIP_SCAN_IN_H
#define SIP_SCAN_IN_H

#include "sip/scan.h"

/** A scan under way */
struct scan {
	struct sip_msg *m;
	struct sip_fault *f;
	const char *b;           /**< first byte of the message               */
	bool has_len;            /**< Content-Length was there                */
	uint32_t len;            /**< its value                               */
	uint32_t vias;           /**< via-parms seen                          */
	uint16_t last[SIP_H_N];  /**< index + 1 of the last header of an id   */
};

/** enum sip_hid of a header name in any case, full or compact */
uint8_t scan_hdr_id(const char *p, size_t n);

/** Syntax of one header we look at; fills the fields of the message.
 *  @return NULL = fine, or why it is refused */
const char *scan_hdr(struct scan *s, enum sip_hid id, struct sl val);

/** Cut the first element off a comma list; quotes and <> respected. *elem is
 *  trimmed and may be empty. @return false = nothing left */
bool scan_elem(struct sl *rest, struct sl *elem);

#endif
