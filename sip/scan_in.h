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
	const char *lim;         /**< past the last byte that may be read     */
	bool quick;              /**< take short cuts                         */
	const char *stop;        /**< short cuts of scan_quick.h before this
				      only: a CR, enough bytes behind it; NULL =
				      never                                   */
	bool has_len;            /**< Content-Length was there                */
	uint32_t len;            /**< its value                               */
	uint32_t vias;           /**< via-parms seen                          */
	uint8_t last[SIP_H_N];   /**< index + 1 of the last header of an id   */
};

/** sip_scan(); quick false: by the full grammar only (tests compare both) */
int scan_msg(struct sip_msg *m, const void *p, size_t n, bool datagram,
	     bool quick, struct sip_fault *fault);

/** enum sip_hid of a header name in any case, full or compact */
uint8_t scan_hdr_id(const char *p, size_t n);

/** Syntax of one header; fills the fields of the message. [p, e) = its value.
 *  @return NULL = fine, or why it is refused */
typedef const char *(scan_hdr_h)(struct scan *s, const char *p, const char *e);
/** By header id; NULL: nothing is known of it */
extern scan_hdr_h *const scan_hdr[SIP_H_N];

struct via;
/** One via-parm; ends at e or ','. lim >= e may be read. NULL = bad */
const char *via_scan(struct via *v, const char *p, const char *e,
		     const char *lim);
/** The same in its usual spelling, up to the CR or ',' behind it; a CR must be
 *  ahead as scan_quick.h says. NULL = other */
const char *via_quick(struct via *v, const char *p);

/** Cut the first element off a comma list; quotes and <> respected. *elem is
 *  trimmed and may be empty. @return false = nothing left */
bool scan_elem(struct sl *rest, struct sl *elem);

#endif
